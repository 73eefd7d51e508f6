//! `flowmap predict`.

mod files;

use super::args::{Common, PredictArgs};
use super::shared::{Console, fitted};
use crate::io::OutputFolder;
use crate::models::{Anchor, Fitted, Prediction};
use crate::series::grid::{MOST_ROWS, spread, stepped};
use crate::series::read::{ReadOptions, read_csv};
use crate::series::{Panel, RequestedTimes, read_times};
use crate::train::DataSpec;
use crate::{Error, Result};
use serde::Serialize;
use std::path::Path;

/// Without times asked for: so many, over this share of the fitted span.
const USUAL_COUNT: usize = 200;
const USUAL_SHARE: f64 = 0.25;

#[derive(Serialize)]
struct Report<'a> {
    out: &'a Path,
    series: usize,
    rows: usize,
    channels: &'a [String],
    method: &'a str,
    failures: Vec<FailureReport<'a>>,
}

#[derive(Serialize)]
struct FailureReport<'a> {
    series: &'a str,
    time: f64,
    reason: String,
}

/// What is predicted: series with their starts.
struct Subject {
    names: Vec<String>,
    anchors: Vec<Anchor>,
    /// Time of each series' last row, in the file's unit.
    ends: Vec<f64>,
    /// The observations, where they were given.
    given: Option<Panel>,
}

/// Predicts with a fitted model.
///
/// # Errors
/// If an input cannot be used or nothing can be written; a trajectory that could not be followed, after the files are
/// written as far as it goes.
pub fn run(args: &PredictArgs, common: &Common, console: &Console) -> Result<()> {
    let (mut fitted, config) = fitted::load(&args.model)?;
    let method = fitted::choose_method(&mut fitted, args.method.as_deref(), [args.rtol, args.atol, args.step])?;
    let subject = match &args.data {
        Some(path) => condition(path, &fitted, &config.data, console)?,
        None => {
            Subject { names: fitted.series.clone(), anchors: fitted.anchors.clone(), ends: ends(&fitted), given: None }
        }
    };
    let at = times(args, &fitted, &config.data, &subject)?;
    let rows: usize = at.iter().map(Vec::len).sum();
    if rows > MOST_ROWS {
        return Err(Error::config(
            format!("{rows} rows are asked for, at most {MOST_ROWS} are predicted at once"),
            "ask for fewer times",
        ));
    }
    let slices: Vec<&[f64]> = at.iter().map(Vec::as_slice).collect();
    let prediction = fitted::follow(&fitted, &method, &subject.anchors, &slices)?;

    let out = common.out.clone().unwrap_or_else(|| "out/predict".into());
    keep_fit(&args.model, &out)?;
    let folder = OutputFolder::create(&out, &["predictions.csv", "predictions.svg"], 1 << 20)?;
    files::write_table(&folder, &config.data, &subject.names, &at, &prediction)?;
    files::write_figure(&folder, &config.data, &subject.names, &at, &prediction, subject.given.as_ref())?;
    let predicted = at.iter().filter(|times| !times.is_empty()).count();
    console.say(format_args!("{rows} rows of {predicted} series predicted with {method}; files in {}", out.display()));
    let failures = failures(&fitted, &subject, &prediction);
    console.json(&Report {
        out: &out,
        series: predicted,
        rows,
        channels: &config.data.channels,
        method: &method,
        failures: failures
            .iter()
            .map(|(series, failure)| FailureReport { series, time: failure.time, reason: failure.reason.to_string() })
            .collect(),
    })?;
    match failures.into_iter().next() {
        Some((series, failure)) => Err(Error::Solve { series: series.into(), failure }),
        None => Ok(()),
    }
}

/// The fit's own predictions.csv is not replaced by another kind of the same name.
fn keep_fit(model: &Path, out: &Path) -> Result<()> {
    match (model.canonicalize(), out.canonicalize()) {
        (Ok(model), Ok(out)) if model == out => {
            Err(Error::config("the output folder is that of the fit itself", "choose another one with --out"))
        }
        _ => Ok(()),
    }
}

/// Time of the last observation that each series' anchors know of.
fn ends(fitted: &Fitted) -> Vec<f64> {
    let known = |s: usize| fitted.anchors.iter().rfind(|anchor| anchor.series == s).map_or(0.0, |anchor| anchor.known);
    (0..fitted.series.len()).map(|s| fitted.scaling.inverse_time(known(s))).collect()
}

fn condition(path: &Path, fitted: &Fitted, data: &DataSpec, console: &Console) -> Result<Subject> {
    let options = ReadOptions {
        time: data.time.clone(),
        series: data.series.clone(),
        channels: Some(data.channels.clone()),
        errors: Vec::new(),
        missing: data.missing.clone(),
    };
    let (panel, warnings) = read_csv(path, &options)?;
    warnings.iter().for_each(|warning| console.say(format_args!("warning: {warning}")));
    let rows: Vec<usize> = (0..panel.series_count()).map(|s| panel.rows(s).len()).collect();
    let anchors = fitted.condition(&fitted.scaling.forward(&panel)?, &rows, &[])?;
    let ends = panel.times_by_series().iter().filter_map(|times| times.last().copied()).collect();
    Ok(Subject { names: panel.names().to_vec(), anchors, ends, given: Some(panel) })
}

/// The times asked for, one list a series.
fn times(args: &PredictArgs, fitted: &Fitted, data: &DataSpec, subject: &Subject) -> Result<Vec<Vec<f64>>> {
    let count = subject.names.len();
    if let Some([start, end, step]) = args.at {
        return Ok(vec![stepped(start, end, step)?; count]);
    }
    let Some(path) = &args.at_file else {
        let span = USUAL_SHARE * fitted.span * fitted.scaling.time_unit;
        let each = USUAL_COUNT.min(MOST_ROWS / subject.ends.len().max(1));
        return Ok(subject.ends.iter().map(|&end| spread(end, end + span, each)).collect());
    };
    match read_times(path, &data.time, data.series.as_deref())? {
        RequestedTimes::All(times) => Ok(vec![times; count]),
        RequestedTimes::BySeries(by_series) => {
            let mut at = vec![Vec::new(); count];
            for (name, times) in by_series {
                let Some(s) = subject.names.iter().position(|known| *known == name) else {
                    let what = format!("series `{}` is not among those to be predicted", crate::io::clipped(&name));
                    return Err(Error::format(path, what, "name series of the fit, or give their data with --data"));
                };
                at[s] = times;
            }
            Ok(at)
        }
    }
}

fn failures<'a>(
    fitted: &Fitted,
    subject: &'a Subject,
    prediction: &Prediction,
) -> Vec<(&'a str, crate::solve::Failure)> {
    let named = |(series, failure): &(usize, _)| (subject.names[*series].as_str(), fitted.in_file_units(failure));
    prediction.failures.iter().map(named).collect()
}
