//! `flowmap stability`.

mod figures;
mod limits;
mod report;
mod source;
mod subject;

use super::args::{Common, StabilityArgs};
use super::shared::{Console, named, short};
use crate::analysis::stability::{End, arrive, arrive_linear, growth, spectral_radius, step_map};
use crate::io::{LARGEST_VALUE, OutputFolder};
use crate::solve::Tableau;
use crate::{Error, Result};
use limits::Limits;
use rayon::prelude::*;
use report::Row;
use source::Source;
use subject::Subject;

const FILES: [&str; 5] = ["stability.json", "stability.csv", "eigenvalues.csv", "stability.svg", "trajectories.svg"];
const USUAL_METHODS: [&str; 6] = ["euler", "heun", "rk4", "tsit5", "implicit-euler", "kvaerno5"];
/// Steps unless asked otherwise, in units of the shortest and of the longest limit that is finite.
const USUAL_SHARES: ([f64; 2], [f64; 2]) = ([0.5, 1.05], [0.95, 1.05]);
/// A span this many times the longest limit shows something much slower, and is stepped by a share of it too.
const SLOW: f64 = 1e3;
const SLOW_SHARE: f64 = 0.02;
/// A step so many times the fastest mode's time has a Jacobian of small differences of large numbers, if it has one.
const FAR: f64 = 1e6;
/// Most steps of a trajectory whose end is told, unless the system is linear.
const MOST_FOLLOWED: f64 = 1e7;

/// Says which method is stable at which step.
///
/// # Errors
/// If an input cannot be used or nothing can be written; a trajectory that no accurate method follows.
pub fn run(args: &StabilityArgs, common: &Common, console: &Console) -> Result<()> {
    check(args)?;
    let source = Source::of(args, common)?;
    let methods = methods(args, &source)?;
    let seed = common.seed.unwrap_or(0);
    let mut subject = source.subject(args)?;
    subject.follow_for(args.span)?;
    if let Some(steps) = &args.steps {
        check_counts(&own_steps(steps, &subject), &subject)?;
    }
    subject.explore(seed)?;

    let predicted = limits::predicted(&methods, &subject)?;
    // Where a point of rest attracts the steps are known before anything is measured; refuse those that cannot be followed.
    if args.steps.is_none() && subject.attracting.is_some() {
        check_counts(&usual_steps(&predicted, &subject), &subject)?;
    }
    let limits = methods.par_iter().zip(&predicted).map(|(method, &predicted)| Limits::of(method, predicted, &subject));
    let limits = limits.collect::<Result<Vec<_>>>()?;
    let steps = match &args.steps {
        Some(steps) => own_steps(steps, &subject),
        None if subject.attracting.is_some() => usual_steps(&predicted, &subject),
        None => usual_steps(&limits.iter().map(|limits| limits.measured).collect::<Vec<_>>(), &subject),
    };
    check_counts(&steps, &subject)?;
    let mut rows = Vec::new();
    for (method, limits) in methods.iter().zip(&limits) {
        let own: Result<Vec<Row>> = steps.par_iter().map(|&step| row(method, limits, step, &subject)).collect();
        rows.extend(own?);
    }

    let out = common.out.clone().unwrap_or_else(|| "out/stability".into());
    let folder = OutputFolder::create(&out, &FILES, 1 << 20)?;
    let told = report::write(&folder, &subject, seed, &rows)?;
    figures::write(&folder, &subject, &methods, &steps, &rows)?;
    report::say(console, &subject, &rows, steps.len(), &out);
    console.json(&told.written_to(&out))
}

/// Whether the numbers among the options can be used at all.
fn check(args: &StabilityArgs) -> Result<()> {
    let positive = |x: f64| x > 0.0 && x.is_finite();
    if let Some(bad) = args.steps.iter().flatten().find(|step| !positive(**step)) {
        return Err(Error::config(format!("--steps holds {bad}"), "give positive numbers"));
    }
    if let Some(span) = args.span.filter(|span| !positive(*span)) {
        return Err(Error::config(format!("--span is {span}"), "give a positive number"));
    }
    match args.start.iter().flatten().find(|x| x.is_nan() || x.abs() > LARGEST_VALUE) {
        Some(bad) if bad.is_finite() => {
            let what = format!("--start holds {bad:e}, too large to be squared (the limit is {LARGEST_VALUE:e})");
            Err(Error::config(what, "give a start nearer to zero"))
        }
        Some(bad) => Err(Error::config(format!("--start holds {bad}"), "give finite numbers")),
        None => Ok(()),
    }
}

fn methods(args: &StabilityArgs, source: &Source) -> Result<Vec<&'static Tableau>> {
    let asked = args.methods.as_ref().map(|names| names.iter().map(String::as_str).collect());
    let names: Vec<&str> = asked.unwrap_or_else(|| {
        let usual = USUAL_METHODS.into_iter();
        usual.chain(source.is_separable().then_some("verlet")).collect()
    });
    let mut methods = Vec::new();
    for name in names {
        let method = named::method(name, source.name(), source.is_separable())?;
        if !methods.iter().any(|known: &&Tableau| known.name == method.name) {
            methods.push(method);
        }
    }
    Ok(methods)
}

/// The steps asked for, each once, in the field's unit of time.
fn own_steps(asked: &[f64], subject: &Subject) -> Vec<f64> {
    let mut steps: Vec<f64> = Vec::new();
    for step in asked.iter().map(|step| step / subject.unit) {
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}

/// Steps around the limits, in the field's unit of time.
fn usual_steps(limits: &[f64], subject: &Subject) -> Vec<f64> {
    let limits = || limits.iter().copied().filter(|x| *x > 0.0 && x.is_finite());
    let shortest = limits().reduce(f64::min).unwrap_or(subject.span / 100.0);
    let longest = limits().reduce(f64::max).unwrap_or(subject.span / 20.0);
    let (short, long) = USUAL_SHARES;
    let steps = short.map(|share| share * shortest).into_iter().chain(long.map(|share| share * longest));
    let slow = (subject.span > SLOW * longest).then_some(SLOW_SHARE * subject.span);
    let steps = steps.chain(slow).map(|step| rounded(step * subject.unit) / subject.unit);
    let mut steps: Vec<f64> = steps.map(|step| step.min(subject.span)).collect();
    steps.sort_by(f64::total_cmp);
    steps.dedup();
    steps
}

/// To three digits, as one would choose a step.
fn rounded(x: f64) -> f64 {
    let unit = 10f64.powf(x.log10().floor() - 2.0);
    let near = (x / unit).round() * unit;
    if near > 0.0 && near.is_finite() { near } else { x }
}

/// How many steps a trajectory takes, at least one.
fn count(step: f64, subject: &Subject) -> f64 {
    subject.course().steps(step).max(1.0)
}

/// # Errors
/// If a trajectory would take too long.
fn check_counts(steps: &[f64], subject: &Subject) -> Result<()> {
    // Powers of a matrix are found for any number of steps that is one.
    let most = if subject.is_linear { 1e18 } else { MOST_FOLLOWED };
    match steps.iter().find(|step| count(**step, subject) > most) {
        Some(&step) => {
            let [step, span] = [step, subject.span].map(|time| short(time * subject.unit));
            let what = format!("steps of {step} over a span of {span} are more than {most:e}");
            Err(Error::config(what, "give longer --steps, or a shorter --span"))
        }
        None => Ok(()),
    }
}

fn row(method: &'static Tableau, limits: &Limits, step: f64, subject: &Subject) -> Result<Row> {
    let map = step_map(subject.field, method, step)?;
    // Where nothing attracts, the place of rest nearest to stability tells the radius, if there is one.
    let at = subject.attracting.as_ref().or(subject.rest.points.first());
    let radius = at.map(|point| {
        let fastest = point.eigenvalues.iter().map(|z| z.norm()).fold(0.0, f64::max);
        let is_near = step * fastest <= FAR;
        let stepped = is_near.then(|| spectral_radius(&*map, subject.params, &point.state, subject.time)).flatten();
        // The method's stability function tells what the step's Jacobian does not.
        stepped.unwrap_or_else(|| growth(method, &point.eigenvalues, step))
    });
    let radius = radius.unwrap_or(f64::NAN);
    let (course, count) = (subject.course(), count(step, subject) as u64);
    let arrive = if subject.is_linear { arrive_linear } else { arrive };
    let end = arrive(subject.field, subject.params, method, course, step, count)?;
    let origin = at.map_or(vec![0.0; subject.start.len()], |point| point.state.clone());
    let distance = |end: Vec<f64>| end.iter().zip(&origin).fold(0.0, |sum: f64, (y, o)| sum.hypot(y - o));
    let unit = subject.unit;
    Ok(Row {
        method: method.name,
        step: step * unit,
        stable: radius < 1.0,
        spectral_radius: radius,
        predicted_limit: limits.predicted * unit,
        measured_limit: limits.measured * unit,
        limit_at_least: limits.at_least,
        limit_kind: limits.kind,
        final_norm: match end {
            End::At(state) => distance(state),
            End::Exploded => f64::INFINITY,
            End::Unsolved => f64::NAN,
        },
    })
}
