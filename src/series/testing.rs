//! Small panels and files for the tests of this room.

use std::path::{Path, PathBuf};

use super::Panel;
use super::read::{ReadOptions, read_csv};

pub type Rows<'a> = &'a [(f64, &'a [Option<f64>])];

/// A panel with channels `x0`, `x1`, …, as many as the first row has cells (one if there is none).
pub fn panel(series: &[(&str, Rows)]) -> Panel {
    let channels = series.iter().flat_map(|(_, rows)| rows.iter()).map(|(_, cells)| cells.len()).next().unwrap_or(1);
    let rows = || series.iter().flat_map(|(_, rows)| rows.iter());
    let cells = || rows().flat_map(|(_, cells)| cells.iter());
    let mut row_ptr = vec![0];
    for (i, (_, rows)) in series.iter().enumerate() {
        row_ptr.push(row_ptr[i] + rows.len());
    }
    Panel::new(
        (0..channels).map(|c| format!("x{c}")).collect(),
        series.iter().map(|(name, _)| name.to_string()).collect(),
        row_ptr,
        rows().map(|&(time, _)| time).collect(),
        cells().map(|cell| cell.unwrap_or(0.0)).collect(),
        cells().map(Option::is_some).collect(),
        None,
    )
    .unwrap()
}

/// Series of the given lengths with one channel: row `k` of series `i` at time `k` holds `100 i + k`.
pub fn ramps(lengths: &[usize]) -> Panel {
    let cells: Vec<(usize, usize)> =
        lengths.iter().enumerate().flat_map(|(i, &n)| (0..n).map(move |k| (i, k))).collect();
    let mut row_ptr = vec![0];
    for (i, n) in lengths.iter().enumerate() {
        row_ptr.push(row_ptr[i] + n);
    }
    Panel::new(
        vec!["x".into()],
        (0..lengths.len()).map(|i| format!("s{i}")).collect(),
        row_ptr,
        cells.iter().map(|&(_, k)| k as f64).collect(),
        cells.iter().map(|&(i, k)| (100 * i + k) as f64).collect(),
        vec![true; cells.len()],
        None,
    )
    .unwrap()
}

pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

pub fn real(name: &str) -> Panel {
    read_csv(&data(name), &ReadOptions::default()).unwrap().0
}
