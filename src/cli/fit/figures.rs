//! `fit.svg` and `loss.svg`.

use crate::Result;
use crate::cli::shared::predictions::{MOST_SERIES, offsets, points};
use crate::io::OutputFolder;
use crate::models::Fitted;
use crate::plot::{Curve, FitFigure, FitPanel, FitSeries, LossFigure, Stage, fit_figure, loss_figure};
use crate::series::grid::spread;
use crate::train::{LogRow, Phase, Run, TrainState};

/// Points of a curve: at least so many, two a row, and at most so many.
const DENSE: std::ops::RangeInclusive<usize> = 400..=4000;
/// And at the least so many for a part of it.
const LEAST_DENSE: usize = 50;

/// `fit.svg`: the data, the model through the part it was fitted to, and its forecast of what was held out.
///
/// # Errors
/// If the model does not belong to the run, or the file cannot be written.
pub fn write_fit(folder: &OutputFolder, run: &Run, fitted: &Fitted) -> Result<()> {
    let (panel, split) = (run.panel(), run.split());
    let mut shown: Vec<usize> = (0..panel.series_count()).collect();
    // Held-out series first; the sort keeps the file's order among equals.
    shown.sort_by_key(|&s| split.series[s].test.is_empty());
    shown.truncate(MOST_SERIES);

    let mut at = vec![Vec::new(); panel.series_count()];
    let mut fitted_count = vec![0; panel.series_count()];
    for &s in &shown {
        let (times, test) = (&panel.times()[panel.rows(s)], &split.series[s].test);
        let (Some(&first), Some(&last)) = (times.first(), times.last()) else { continue };
        let boundary = times[test.start.max(1) - 1];
        let share = if last > first { (boundary - first) / (last - first) } else { 1.0 };
        let dense = (2 * times.len()).clamp(*DENSE.start(), *DENSE.end());
        let count = ((dense as f64 * share) as usize).max(LEAST_DENSE);
        at[s] = if boundary > first { spread(first, boundary, count) } else { vec![first] };
        fitted_count[s] = at[s].len();
        if last > boundary {
            // Just after the boundary the forecast's own start holds.
            at[s].extend(spread(boundary.next_up(), last, dense.saturating_sub(count).max(LEAST_DENSE)));
        }
    }
    let times: Vec<&[f64]> = at.iter().map(Vec::as_slice).collect();
    let prediction = fitted.predict(&fitted.anchors, &times)?;

    // Where a model with an encoder looks at the observations anew; the line is broken there.
    let scaling = &fitted.scaling;
    let restarts = |s: usize| -> Vec<f64> {
        let own = fitted.anchors.iter().filter(|a| fitted.spec.encoder > 0 && a.series == s);
        own.map(|a| scaling.inverse_time(a.after)).collect()
    };
    let channels = panel.channel_count();
    let offsets = offsets(&at);
    let panels = (0..channels).map(|c| {
        let series = shown.iter().filter_map(|&s| Some((s, panel.get(s)?))).map(|(s, record)| {
            let test = split.series[s].test.start;
            let curve = |rows: std::ops::Range<usize>, band: bool| {
                let cells = || rows.clone().map(|row| (offsets[s] + row) * channels + c);
                let pick = |values: &[f64]| cells().map(|cell| values[cell]).collect::<Vec<f64>>();
                let ends = |values: &[f64]| if band { pick(values) } else { Vec::new() };
                Curve {
                    time: at[s][rows.clone()].to_vec(),
                    value: pick(&prediction.values),
                    low: ends(&prediction.low),
                    high: ends(&prediction.high),
                }
            };
            FitSeries {
                name: record.name.into(),
                observed: points(&record, c, channels, 0..test),
                held_out: points(&record, c, channels, test..record.times.len()),
                fitted: broken(curve(0..fitted_count[s], false), &restarts(s)),
                forecast: curve(fitted_count[s]..at[s].len(), true),
                held_out_from: record.times.get(test).map(|&t| 0.5 * (t + record.times[test.max(1) - 1])),
            }
        });
        FitPanel { channel: panel.channels()[c].clone(), unit: None, series: series.collect() }
    });
    let figure = FitFigure { title: String::new(), time: run.config().data.time.clone(), panels: panels.collect() };
    folder.write("fit.svg", &fit_figure(&figure)?)
}

/// `loss.svg`: how training went.
///
/// # Errors
/// If the file cannot be written.
pub fn write_loss(folder: &OutputFolder, state: &TrainState) -> Result<()> {
    let log = &state.log;
    let stage = |row: &LogRow| (row.phase, row.horizon);
    let begins = log.iter().enumerate().filter(|&(i, row)| i == 0 || stage(&log[i - 1]) != stage(row));
    let label = |i: usize, row: &LogRow| match row.phase {
        Phase::Refit if log[..i].last().is_some_and(|before| before.phase == Phase::Search) => {
            format!("refit, horizon {}", row.horizon)
        }
        _ => format!("horizon {}", row.horizon),
    };
    let looked = log.iter().any(|row| row.validation_loss.is_some());
    let validation = log.iter().map(|row| row.validation_loss.unwrap_or(f64::NAN));
    let figure = LossFigure {
        title: String::new(),
        loss: "mean squared error (scaled)".into(),
        // Phases count their epochs anew; here they follow each other.
        epochs: (1..=log.len()).map(|epoch| epoch as f64).collect(),
        training: log.iter().map(|row| row.train_loss).collect(),
        validation: if looked { validation.collect() } else { Vec::new() },
        stages: begins.map(|(i, row)| Stage { epoch: (i + 1) as f64, label: label(i, row) }).collect(),
        best_epoch: state.best.as_ref().map(|best| best.epoch as f64),
    };
    folder.write("loss.svg", &loss_figure(&figure)?)
}

/// A line with gaps where it passes one of the times.
fn broken(curve: Curve, at: &[f64]) -> Curve {
    let mut whole = Curve::default();
    for (i, (&time, &value)) in curve.time.iter().zip(&curve.value).enumerate() {
        let before = if i == 0 { f64::NEG_INFINITY } else { curve.time[i - 1] };
        if at.iter().any(|&t| before < t && t < time) {
            whole.time.push(time);
            whole.value.push(f64::NAN);
        }
        whole.time.push(time);
        whole.value.push(value);
    }
    whole
}
