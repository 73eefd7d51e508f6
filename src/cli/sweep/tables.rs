//! `sweep.csv` and `samples.csv`.

use crate::Result;
use crate::analysis::sweep::SweepPoint;
use crate::io::OutputFolder;
use crate::io::table::{self, Cell};

/// `sweep.csv`: a row a value, and `samples.csv`: a row a sample.
///
/// # Errors
/// If one cannot be written.
pub fn write(
    folder: &OutputFolder,
    (parameter, shown): (&str, &str),
    exponents: usize,
    values: &[f64],
    points: &[SweepPoint],
) -> Result<()> {
    let mut header = vec![String::from(parameter)];
    for i in 1..=exponents {
        header.extend([format!("exponent_{i}"), format!("standard_error_{i}"), format!("status_{i}")]);
    }
    header.push("failure".into());
    let rows = values.iter().zip(points).map(|(&value, point)| {
        let mut cells = vec![value.into()];
        for i in 0..exponents {
            let mark = point.status.get(i).map_or("failed", |s| s.name());
            cells.extend([point.exponents[i].into(), point.standard_errors[i].into(), mark.into()]);
        }
        cells.push(point.failure.as_deref().map_or(Cell::Empty, Cell::from));
        cells
    });
    table::write(&folder.file("sweep.csv"), &header, rows)?;
    let samples = values.iter().zip(points).flat_map(|(&value, point)| point.samples.iter().map(move |&x| (value, x)));
    let rows = samples.map(|(value, x)| vec![value.into(), x.into()]);
    table::write(&folder.file("samples.csv"), &[parameter, shown], rows)
}
