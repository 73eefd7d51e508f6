//! `flowmap simulate --model`: the trajectory of a fitted model.

use super::{times, trajectory};
use crate::cli::args::{Common, SimulateArgs};
use crate::cli::shared::{Console, fitted, short};
use crate::io::{OutputFolder, clipped};
use crate::models::{Anchor, Fitted};
use crate::plot::TrajectoryFigure;
use crate::series::grid::{MOST_ROWS, spread};
use crate::solve::Independent;
use crate::{Error, Result};
use serde::Serialize;
use std::path::Path;

/// Rows over the fitted span where no times are asked for.
const USUAL_COUNT: usize = 400;

#[derive(Serialize)]
struct Report<'a> {
    out: &'a Path,
    model: &'a Path,
    series: Option<&'a str>,
    channels: &'a [String],
    start_time: f64,
    method: &'a str,
    rows: usize,
    rows_asked: usize,
    failure: Option<String>,
}

/// Follows a fitted model, in the units of its data.
///
/// # Errors
/// If an input cannot be used or nothing can be written; a trajectory that could not be followed, after the files are
/// written as far as it goes.
pub fn run(path: &Path, args: &SimulateArgs, common: &Common, console: &Console) -> Result<()> {
    let (mut fitted, config) = fitted::load(path)?;
    let solver = &args.solver;
    let method = fitted::choose_method(&mut fitted, solver.method.as_deref(), [solver.rtol, solver.atol, solver.step])?;
    if Independent::named(&method).is_some() && (solver.step.is_some() || solver.max_steps.is_some()) {
        let what = format!("{method} takes no --step and no --max-steps");
        return Err(Error::config(what, "leave them out, or choose another method"));
    }
    fitted.solver.max_steps = solver.max_steps.unwrap_or(fitted.solver.max_steps);
    let (anchor, series) = anchor(args, &fitted, &config.data.channels)?;
    let start_time = fitted.scaling.inverse_time(anchor.time);
    let end = start_time + fitted.span * fitted.scaling.time_unit;
    let times = times(args, start_time, || Ok(spread(start_time, end, USUAL_COUNT)))?;
    if times.len() > MOST_ROWS {
        let what = format!("{} rows are asked for, at most {MOST_ROWS} are followed", times.len());
        return Err(Error::config(what, "ask for fewer times"));
    }
    let prediction = fitted::follow(&fitted, &method, &[anchor], &[&times])?;

    let out = common.out.clone().unwrap_or_else(|| "out/simulate".into());
    let folder = OutputFolder::create(&out, &["trajectory.csv", "trajectory.svg"], 1 << 20)?;
    let channels = &config.data.channels;
    let rows = trajectory::reached(&prediction.values, channels.len());
    let (reached, values) = (&times[..rows], &prediction.values[..rows * channels.len()]);
    let failure = prediction.failures.first().map(|(_, failure)| fitted.in_file_units(failure));
    let figure = TrajectoryFigure {
        title: format!("the model in {}", path.display()),
        time: config.data.time.clone(),
        times: reached.to_vec(),
        components: trajectory::components(channels, values),
        points: false,
        remark: failure.map_or(String::new(), |f| format!("ended early, at {}", short(f.time))),
    };
    trajectory::write(&folder, "trajectory", channels, values, &figure)?;
    console.say(format_args!("{:<8} {} from time {start_time}, with {method}", "model", path.display()));
    console.say(format_args!("{:<8} {rows} rows of {} asked for, in {}", "files", times.len(), out.display()));
    console.json(&Report {
        out: &out,
        model: path,
        series,
        channels,
        start_time,
        method: &method,
        rows,
        rows_asked: times.len(),
        failure: failure.map(|failure| failure.to_string()),
    })?;
    match failure {
        Some(failure) => Err(Error::Solve { series: series.unwrap_or("from --start").into(), failure }),
        None => Ok(()),
    }
}

/// Where it starts: the values given, or the first known start of a series.
fn anchor<'a>(args: &SimulateArgs, fitted: &'a Fitted, channels: &[String]) -> Result<(Anchor, Option<&'a str>)> {
    let number = match &args.series {
        None => 0,
        Some(name) => fitted.series.iter().position(|known| known == name).ok_or_else(|| {
            let what = format!("the model knows no series `{}`", clipped(name));
            Error::config(what, "name one it was fitted to; `flowmap inspect DIR` lists them")
        })?,
    };
    let known = fitted.anchors.iter().find(|anchor| anchor.series == number);
    let known =
        known.ok_or_else(|| Error::config("the model keeps no start of that series", "choose another series"))?;
    let own_time = args.start_time.map_or(known.time, |time| fitted.scaling.forward_time(time));
    if !own_time.is_finite() {
        return Err(Error::config("--start-time is not finite", "give a finite number"));
    }
    // Everything is predicted from here on, whatever rows the start stands for.
    let anchor = Anchor { series: 0, after: f64::NEG_INFINITY, time: own_time, known: own_time, ..known.clone() };
    let Some(start) = &args.start else { return Ok((anchor, fitted.series.get(number).map(String::as_str))) };
    if anchor.state.len() != channels.len() {
        let what = "the model's state has more rows than the data has channels, so --start would not say all of it";
        return Err(Error::config(what, "leave --start out, and choose a start with --series"));
    }
    if start.len() != channels.len() {
        let what = format!("--start has {} numbers, the model has {} channels", start.len(), channels.len());
        return Err(Error::config(what, "give one number a channel"));
    }
    let mut state = Vec::with_capacity(start.len());
    for ((scaling, &value), offset) in fitted.scaling.channels.iter().zip(start).zip(&anchor.offset) {
        let scaled = scaling.forward(value).filter(|scaled| scaled.is_finite()).ok_or_else(|| {
            let what = format!("--start gives {} the value {value}, which cannot be scaled", scaling.name);
            Error::config(what, "give a finite number, above 0 where the model works in logarithms")
        })?;
        state.push(scaled - offset);
    }
    Ok((Anchor { state, ..anchor }, None))
}
