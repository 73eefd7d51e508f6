//! Rows of numbers from a file: sequences of inputs.

use super::npy;
use super::sheet::{Content, Sheet};
use crate::{Error, Result};
use std::path::Path;

/// Rows of equally many numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Numbers a row.
    pub columns: usize,
    /// All numbers, row after row.
    pub values: Vec<f64>,
}

impl Matrix {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns.max(1)
    }
}

/// Reads an `.npy` array of two axes (or one, a single column), or a CSV file with a header whose columns are all numbers.
///
/// # Errors
/// If the file cannot be read, is of another kind or shape, or a number is missing or not finite.
pub fn read_matrix(path: &Path) -> Result<Matrix> {
    let matrix = match path.extension().and_then(|e| e.to_str()) {
        Some("npy") => {
            let array = npy::read(path)?;
            let columns = match array.shape[..] {
                [_] => 1,
                [_, columns] => columns,
                _ => {
                    let what = format!("an array of shape {:?}", array.shape);
                    return Err(Error::format(path, what, "give one of two axes, steps then features"));
                }
            };
            Matrix { columns, values: array.values }
        }
        _ => table(path)?,
    };
    if matrix.columns == 0 || matrix.values.is_empty() {
        return Err(Error::format(path, "it holds no numbers", "give at least one row"));
    }
    match matrix.values.iter().position(|x| !x.is_finite()) {
        Some(at) => {
            let (row, column) = (at / matrix.columns, at % matrix.columns);
            let what = format!("row {row}, column {column} (counted from 0) is {}", matrix.values[at]);
            Err(Error::format(path, what, "give finite numbers"))
        }
        None => Ok(matrix),
    }
}

fn table(path: &Path) -> Result<Matrix> {
    let mut sheet = Sheet::holding(Content::Numbers, path)?;
    let columns = sheet.columns().len();
    if sheet.columns().iter().all(|name| name.trim().parse::<f64>().is_ok()) {
        let what = "its first line, which names the columns, holds numbers";
        return Err(Error::format(path, what, "put a line of names above them"));
    }
    let mut values = Vec::new();
    while let Some(row) = sheet.next_row()? {
        for column in 0..columns {
            let number = row.number(column, &[])?;
            values.push(
                number.ok_or_else(|| row.error(column, "the cell is empty", "give a finite number in every cell"))?,
            );
        }
    }
    Ok(Matrix { columns, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An npy file as numpy.save writes it.
    fn npy(descr: &str, fortran: bool, shape: &str, bytes: &[u8]) -> Vec<u8> {
        let fortran = if fortran { "True" } else { "False" };
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), bytes].concat()
    }

    #[test]
    fn arrays_of_every_order_and_precision_are_read_by_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let known = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let doubles: Vec<u8> = known.iter().flat_map(|x: &f64| x.to_le_bytes()).collect();
        let singles: Vec<u8> = known.iter().flat_map(|x| (*x as f32).to_be_bytes()).collect();
        let shorts: Vec<u8> = known.iter().flat_map(|x| (*x as i16).to_le_bytes()).collect();
        let columns: Vec<u8> = [1.0, 4.0, 2.0, 5.0, 3.0, 6.0].iter().flat_map(|x: &f64| x.to_le_bytes()).collect();
        for file in [
            npy("<f8", false, "(2, 3)", &doubles),
            npy(">f4", false, "(2, 3)", &singles),
            npy("<i2", false, "(2, 3)", &shorts),
            npy("<f8", true, "(2, 3)", &columns),
        ] {
            std::fs::write(&path, file).unwrap();
            assert_eq!(read_matrix(&path).unwrap(), Matrix { columns: 3, values: known.to_vec() });
        }
        std::fs::write(&path, npy("<f8", false, "(6,)", &doubles)).unwrap();
        assert_eq!(read_matrix(&path).unwrap().rows(), 6);
        for (descr, shape) in
            [("<f8", "(1, 2, 3)"), ("<f8", "()"), ("<c16", "(3,)"), ("<U4", "(3,)"), ("<f8", "(0, 3)")]
        {
            std::fs::write(&path, npy(descr, false, shape, &doubles)).unwrap();
            assert!(matches!(read_matrix(&path), Err(Error::Format { .. })), "{descr} {shape}");
        }
        let lost: Vec<u8> = [1.0, f64::NAN].iter().flat_map(|x: &f64| x.to_le_bytes()).collect();
        std::fs::write(&path, npy("<f8", false, "(2, 1)", &lost)).unwrap();
        assert!(read_matrix(&path).unwrap_err().to_string().contains("row 1, column 0"));
    }

    #[test]
    fn tables_need_a_number_in_every_cell() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        std::fs::write(&path, "a,b\n1,2\n3,-4.5\n").unwrap();
        assert_eq!(read_matrix(&path).unwrap(), Matrix { columns: 2, values: vec![1.0, 2.0, 3.0, -4.5] });
        for (text, place, remedy) in [
            ("a,b\n1,\n", ":2:b:", "a finite number in every cell"),
            ("a,b\n1,x\n", ":2:b:", "a finite number in every cell"),
            ("a,b\n1,2\nNaN,3\n", ":3:a:", "a finite number in every cell"),
            ("a,b\n-inf,2\n", ":2:a:", "a finite number in every cell"),
            ("a,b\n1,1e300\n", ":2:b:", "units in which the numbers are smaller"),
            ("a,b\n1\n", ":2:b:", "a number under each name"),
            ("a,b\n", ":", "at least one row"),
            ("", ":", "a line of names"),
        ] {
            std::fs::write(&path, text).unwrap();
            let told = read_matrix(&path).unwrap_err().to_string();
            assert!(told.contains(&format!("x.csv{place}")) && told.contains(remedy), "{text:?}: {told}");
            assert!(!told.contains("observed") && !told.contains("series"), "{told}");
        }
    }
}
