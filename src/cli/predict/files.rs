//! `predictions.csv` and `predictions.svg`.

use crate::Result;
use crate::cli::shared::predictions::{MOST_SERIES, known, offsets, points, series_column};
use crate::io::{OutputFolder, table};
use crate::models::Prediction;
use crate::plot::{Curve, FitFigure, FitPanel, FitSeries, fit_figure};
use crate::series::Panel;
use crate::train::DataSpec;

/// `predictions.csv` of a prediction: times asked for, series after series.
///
/// # Errors
/// If it cannot be written.
pub fn write_table(
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

/// `predictions.svg`: predictions with their interval, after the observations they start from, if there are any.
///
/// # Errors
/// If the file cannot be written.
pub fn write_figure(
    folder: &OutputFolder,
    data: &DataSpec,
    names: &[String],
    at: &[Vec<f64>],
    prediction: &Prediction,
    given: Option<&Panel>,
) -> Result<()> {
    let channels = data.channels.len();
    let offsets = offsets(at);
    let shown: Vec<usize> = (0..names.len()).filter(|&s| !at[s].is_empty()).take(MOST_SERIES).collect();
    let panels = data.channels.iter().enumerate().map(|(c, channel)| {
        let series = shown.iter().map(|&s| {
            let cells = || (0..at[s].len()).map(|row| (offsets[s] + row) * channels + c);
            let pick = |values: &[f64]| cells().map(|cell| values[cell]).collect();
            let observed = given.and_then(|panel| panel.get(s));
            FitSeries {
                name: names[s].clone(),
                observed: observed.map(|r| points(&r, c, channels, 0..r.times.len())).unwrap_or_default(),
                forecast: Curve {
                    time: at[s].clone(),
                    value: pick(&prediction.values),
                    low: pick(&prediction.low),
                    high: pick(&prediction.high),
                },
                ..FitSeries::default()
            }
        });
        FitPanel { channel: channel.clone(), unit: None, series: series.collect() }
    });
    let figure = FitFigure { title: String::new(), time: data.time.clone(), panels: panels.collect() };
    folder.write("predictions.svg", &fit_figure(&figure)?)
}
