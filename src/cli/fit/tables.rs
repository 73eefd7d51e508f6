//! `train.csv` and `predictions.csv`.

use crate::Result;
use crate::cli::shared::predictions::{known, series_column};
use crate::io::OutputFolder;
use crate::io::table::{self, Cell};
use crate::models::Prediction;
use crate::series::Panel;
use crate::series::split::{Role, SeriesSplit, Split};
use crate::train::{DataSpec, LogRow, Phase};

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
pub fn write_predictions(
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
