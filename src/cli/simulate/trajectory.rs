//! Trajectories as tables and figures.

use crate::Result;
use crate::io::{OutputFolder, table};
use crate::plot::{TrajectoryFigure, trajectory_figure};
use std::iter::once;

/// Each component with its name, out of states one after another.
pub fn components(labels: &[String], states: &[f64]) -> Vec<(String, Vec<f64>)> {
    let column = |i: usize| states.iter().skip(i).step_by(labels.len()).copied().collect();
    labels.iter().enumerate().map(|(i, label)| (label.clone(), column(i))).collect()
}

/// Rows before the first that could not be reached.
pub fn reached(states: &[f64], dim: usize) -> usize {
    states.chunks_exact(dim).take_while(|row| !row.iter().any(|y| y.is_nan())).count()
}

/// `NAME.csv`, a row a time with the state, and `NAME.svg`.
///
/// # Errors
/// If one cannot be written.
pub fn write(
    folder: &OutputFolder,
    name: &str,
    labels: &[String],
    states: &[f64],
    figure: &TrajectoryFigure,
) -> Result<()> {
    let header: Vec<&str> = once("time").chain(labels.iter().map(String::as_str)).collect();
    let rows = figure.times.iter().zip(states.chunks_exact(labels.len()));
    let rows = rows.map(|(time, state)| once(time).chain(state).map(|&number| number.into()).collect());
    table::write(&folder.file(&format!("{name}.csv")), &header, rows)?;
    folder.write(&format!("{name}.svg"), &trajectory_figure(figure)?)
}
