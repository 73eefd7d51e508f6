//! Tables as CSV files.

use std::fmt;
use std::path::Path;

use super::{json, write_atomic};
use crate::{Error, Result};

/// One cell of a table. Numbers are printed with as few digits as give the same `f64` back.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing known.
    Empty,
    /// A name or a word; quoted in the file where it must be.
    Text(String),
    /// A whole number, such as a count or an index.
    Integer(i64),
    /// A number; those not finite are written `inf`, `-inf` and `nan`.
    Number(f64),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::Text(text) => f.write_str(text),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Number(value) => match json::spelling(*value) {
                Some(text) => f.write_str(text),
                None if *value == 0.0 || (1e-5..1e16).contains(&value.abs()) => write!(f, "{value}"),
                // Without an exponent the largest numbers take three hundred digits.
                None => write!(f, "{value:e}"),
            },
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        value.map_or(Self::Empty, Self::Number)
    }
}

/// Writes a header and rows as CSV (commas, line feeds, UTF-8), whole or not at all.
///
/// # Errors
/// [`Error::Shape`] if a row has another number of cells than the header; those of [`write_atomic`].
pub fn write<H: AsRef<str>>(path: &Path, header: &[H], rows: impl IntoIterator<Item = Vec<Cell>>) -> Result<()> {
    let mut wrong_length = None;
    let written = write_atomic(path, |writer| {
        let mut table = csv::Writer::from_writer(writer);
        table.write_record(header.iter().map(AsRef::as_ref))?;
        for row in rows {
            if row.len() != header.len() {
                wrong_length = Some(row.len());
                return Err(std::io::ErrorKind::InvalidInput.into());
            }
            table.write_record(row.iter().map(Cell::to_string))?;
        }
        table.flush()
    });
    match wrong_length {
        Some(found) => Err(Error::shape(format!("cells in a row of {}", path.display()), header.len(), found)),
        None => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cells_are_quoted_where_needed_and_numbers_are_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let row = vec![
            "a, \"b\"".into(),
            0.1.into(),
            1900.0.into(),
            1e-300.into(),
            f64::NAN.into(),
            f64::NEG_INFINITY.into(),
            None.into(),
            Cell::Integer(-7),
        ];
        write(&path, &["name", "1", "2", "3", "4", "5", "6", "7"], [row]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "name,1,2,3,4,5,6,7\n\"a, \"\"b\"\"\",0.1,1900,1e-300,nan,-inf,,-7\n");
    }

    #[test]
    fn a_ragged_table_is_refused_and_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let error = write(&path, &["a", "b"], [vec![1.0.into()]]).unwrap_err();
        assert!(matches!(error, Error::Shape { .. }));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    proptest! {
        #[test]
        fn printed_numbers_read_back_to_the_last_bit(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            let back: f64 = Cell::Number(value).to_string().parse().unwrap();
            prop_assert_eq!(back.to_bits(), bits);
        }
    }
}
