//! Tables that commands write.

use crate::Result;
use crate::analysis::Spectrum;
use crate::analysis::sweep::SweepPoint;
use crate::io::OutputFolder;
use crate::io::table::{self, Cell};
use crate::models::Prediction;
use crate::series::Panel;
use crate::series::read::SERIES_COLUMN;
use crate::series::split::{Role, SeriesSplit, Split};
use crate::train::{DataSpec, LogRow, Phase};
use std::path::Path;

/// `train.csv`: a row an epoch.
///
/// # Errors
/// If it cannot be written.
pub fn write_log(folder: &OutputFolder, log: &[LogRow]) -> Result<()> {
    let header = ["phase", "epoch", "horizon", "rate", "train_loss", "validation_loss", "gradient_norm", "failures"];
    let row = |row: &LogRow| {
        vec![
            phase(row.phase).into(),
            integer(row.epoch),
            integer(row.horizon),
            row.rate.into(),
            row.train_loss.into(),
            row.validation_loss.into(),
            row.gradient_norm.into(),
            integer(row.failures),
        ]
    };
    table::write(&folder.file("train.csv"), &header, log.iter().map(row))
}

/// A phase's name.
pub fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Search => "search",
        Phase::Refit => "refit",
    }
}

fn integer(count: usize) -> Cell {
    Cell::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

/// `predictions.csv` of a fit: every row of the data with what it was used for.
///
/// # Errors
/// If it cannot be written.
pub fn write_fit(
    folder: &OutputFolder,
    data: &DataSpec,
    panel: &Panel,
    split: &Split,
    prediction: &Prediction,
) -> Result<()> {
    let mut header = vec![series_column(data), data.time.clone(), "part".into()];
    for name in panel.channels() {
        header.extend([name.clone(), format!("{name}_predicted"), format!("{name}_low"), format!("{name}_high")]);
    }
    let channels = panel.channel_count();
    let series = panel.series().zip(&split.series).enumerate();
    let rows = series.flat_map(|(s, (record, parts))| {
        let first = panel.rows(s).start;
        record.times.iter().enumerate().map(move |(row, &time)| {
            let mut cells = vec![record.name.into(), time.into(), part(parts, row).into()];
            for c in 0..channels {
                let own = row * channels + c;
                cells.push(record.mask[own].then_some(record.values[own]).into());
                let cell = (first + row) * channels + c;
                cells.extend([&prediction.values, &prediction.low, &prediction.high].map(|v| known(v[cell])));
            }
            cells
        })
    });
    table::write(&folder.file("predictions.csv"), &header, rows)
}

/// What a row was used for. Training and validation together are the rows that count as training in the metrics;
/// conditioning rows are those of series that were not trained on.
fn part(parts: &SeriesSplit, row: usize) -> &'static str {
    match parts.role {
        _ if parts.test.contains(&row) => "test",
        Role::HeldOut | Role::ConditioningOnly => "conditioning",
        Role::Validation => "validation",
        Role::Fitted if parts.validation.contains(&row) => "validation",
        Role::Fitted => "train",
    }
}

/// `predictions.csv` of a prediction: times asked for, series after series.
///
/// # Errors
/// If it cannot be written.
pub fn write_predictions(
    folder: &OutputFolder,
    data: &DataSpec,
    names: &[String],
    at: &[Vec<f64>],
    prediction: &Prediction,
) -> Result<()> {
    let mut header = vec![series_column(data), data.time.clone()];
    for name in &data.channels {
        header.extend([name.clone(), format!("{name}_low"), format!("{name}_high")]);
    }
    let channels = data.channels.len();
    let times = names.iter().zip(at).flat_map(|(name, times)| times.iter().map(move |&time| (name, time)));
    let rows = times.enumerate().map(|(row, (name, time))| {
        let mut cells = vec![name.as_str().into(), time.into()];
        for cell in row * channels..(row + 1) * channels {
            cells.extend([&prediction.values, &prediction.low, &prediction.high].map(|v| known(v[cell])));
        }
        cells
    });
    table::write(&folder.file("predictions.csv"), &header, rows)
}

/// `trajectory.csv`: a row a time, a column a component.
///
/// # Errors
/// If it cannot be written.
pub fn write_trajectory(folder: &OutputFolder, labels: &[String], times: &[f64], states: &[f64]) -> Result<()> {
    write_states(&folder.file("trajectory.csv"), labels, times, states)
}

/// A row a time, with the state.
///
/// # Errors
/// If it cannot be written.
pub fn write_states(file: &Path, labels: &[String], times: &[f64], states: &[f64]) -> Result<()> {
    let header: Vec<&str> = std::iter::once("time").chain(labels.iter().map(String::as_str)).collect();
    let rows = times.iter().zip(states.chunks_exact(labels.len()));
    let rows = rows.map(|(time, state)| std::iter::once(time).chain(state).map(|&number| number.into()).collect());
    table::write(file, &header, rows)
}

/// `spectrum.csv`: a row an exponent.
///
/// # Errors
/// If it cannot be written.
pub fn write_spectrum(folder: &OutputFolder, spectrum: &Spectrum) -> Result<()> {
    let header = [
        "number",
        "exponent",
        "standard_error",
        "status",
        "neutral",
        "per_step",
        "between_starts",
        "finite_time_deviation",
    ];
    let rows = (0..spectrum.exponents.len()).map(|i| {
        vec![
            Cell::Integer(i as i64 + 1),
            spectrum.exponents[i].into(),
            spectrum.standard_errors[i].into(),
            spectrum.status[i].name().into(),
            if spectrum.neutral[i] { "true" } else { "false" }.into(),
            (spectrum.exponents[i] * spectrum.unit).into(),
            spectrum.between_starts[i].into(),
            spectrum.finite_time_deviations[i].into(),
        ]
    });
    table::write(&folder.file("spectrum.csv"), &header, rows)
}

/// `sweep.csv`: a row a value, and `samples.csv`: a row a sample.
///
/// # Errors
/// If one cannot be written.
pub fn write_sweep(
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

/// `convergence.csv`: a row a bin, the averages of all starts up to there.
///
/// # Errors
/// If it cannot be written.
pub fn write_convergence(folder: &OutputFolder, spectrum: &Spectrum) -> Result<()> {
    let names = (1..=spectrum.exponents.len()).map(|i| format!("exponent_{i}"));
    let header: Vec<String> = ["steps".into(), "time".into()].into_iter().chain(names).collect();
    let rows = spectrum.trace.iter().map(|point| {
        let place = [Cell::Integer(point.steps as i64), (point.steps as f64 * spectrum.unit).into()];
        place.into_iter().chain(point.exponents.iter().map(|&x| x.into())).collect()
    });
    table::write(&folder.file("convergence.csv"), &header, rows)
}

fn series_column(data: &DataSpec) -> String {
    data.series.clone().unwrap_or_else(|| SERIES_COLUMN.into())
}

/// Beyond a failure nothing is predicted.
fn known(value: f64) -> Cell {
    Some(value).filter(|v| !v.is_nan()).into()
}
