//! What tables and figures of predictions have in common.

use crate::io::table::Cell;
use crate::plot::Points;
use crate::series::Series;
use crate::series::read::SERIES_COLUMN;
use crate::train::DataSpec;

/// More series cannot be told apart in one figure.
pub const MOST_SERIES: usize = 6;

/// What the series column is called.
pub fn series_column(data: &DataSpec) -> String {
    data.series.clone().unwrap_or_else(|| SERIES_COLUMN.into())
}

/// Beyond a failure nothing is predicted.
pub fn known(value: f64) -> Cell {
    Some(value).filter(|v| !v.is_nan()).into()
}

/// Rows before each series' own.
pub fn offsets(at: &[Vec<f64>]) -> Vec<usize> {
    let before = at.iter().scan(0, |rows, times| Some(std::mem::replace(rows, *rows + times.len())));
    before.collect()
}

/// The observed cells of a channel in some rows.
pub fn points(record: &Series, c: usize, channels: usize, rows: std::ops::Range<usize>) -> Points {
    let cells: Vec<(usize, usize)> =
        rows.map(|row| (row, row * channels + c)).filter(|&(_, cell)| record.mask[cell]).collect();
    Points {
        time: cells.iter().map(|&(row, _)| record.times[row]).collect(),
        value: cells.iter().map(|&(_, cell)| record.values[cell]).collect(),
        error: record.errors.map(|errors| cells.iter().map(|&(_, cell)| errors[cell]).collect()).unwrap_or_default(),
    }
}
