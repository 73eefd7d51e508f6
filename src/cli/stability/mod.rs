//! `flowmap stability`.

mod figures;
mod subject;

use super::args::{Common, StabilityArgs};
use super::console::{Console, short};
use crate::analysis::stability::{
    Around, course_limit, follow, local_eigenvalues, measured_limit, predicted_limit, spectral_radius, step_map,
};
use crate::io::table::{self, Cell};
use crate::io::{OutputFolder, json};
use crate::solve::{self, Kind, Tableau};
use crate::{Error, Result};
use nalgebra::Complex;
use rayon::prelude::*;
use serde::Serialize;
use std::path::Path;
use subject::{Source, Subject};

const FILES: [&str; 5] = ["stability.json", "stability.csv", "eigenvalues.csv", "stability.svg", "trajectories.svg"];
const USUAL_METHODS: [&str; 6] = ["euler", "heun", "rk4", "tsit5", "implicit-euler", "kvaerno5"];
/// Steps unless asked otherwise, in units of the shortest and of the longest limit that is finite.
const USUAL_SHARES: ([f64; 2], [f64; 2]) = ([0.5, 1.05], [0.95, 1.05]);
/// Relative precision of measured limits, and steps that a trajectory may take to decide: of small systems, whose steps
/// cost next to nothing, and of others.
const SMALL: (f64, u64) = (1e-6, 1_000_000);
const LARGE: (f64, u64) = (1e-4, 10_000);
/// Rows that local eigenvalues are told at.
const LOCAL_ROWS: usize = 100;
/// Most steps of a trajectory that is drawn or whose end is told.
const MOST_FOLLOWED: f64 = 1e7;

/// A method at a step.
#[derive(Clone, Debug, Serialize)]
struct Row {
    method: &'static str,
    #[serde(with = "json::number")]
    step: f64,
    stable: bool,
    #[serde(with = "json::number")]
    spectral_radius: f64,
    #[serde(with = "json::number")]
    predicted_limit: f64,
    #[serde(with = "json::number")]
    measured_limit: f64,
    limit_kind: &'static str,
    #[serde(with = "json::number")]
    final_norm: f64,
}

#[derive(Serialize)]
struct RestReport {
    #[serde(with = "json::number")]
    state: Vec<f64>,
    /// Real and imaginary parts.
    #[serde(with = "json::number")]
    eigenvalues: Vec<Vec<f64>>,
    nature: &'static str,
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<&'a Path>,
    source: &'a str,
    name: &'a str,
    seed: u64,
    start: &'a [f64],
    #[serde(with = "json::number")]
    span: f64,
    rest_points: Vec<RestReport>,
    rows: &'a [Row],
}

/// Says which method is stable at which step.
///
/// # Errors
/// If an input cannot be used or nothing can be written; a trajectory that no accurate method follows.
pub fn run(args: &StabilityArgs, common: &Common, console: &Console) -> Result<()> {
    let seed = common.seed.unwrap_or(0);
    let source = Source::of(args, common)?;
    let subject = source.subject(args, seed)?;
    let methods = methods(args, &subject)?;
    let limits = methods.par_iter().map(|method| Limits::of(method, &subject)).collect::<Result<Vec<_>>>()?;
    let steps = steps(args, &subject, &limits)?;
    let mut rows = Vec::new();
    for (method, limits) in methods.iter().zip(&limits) {
        let own: Result<Vec<Row>> = steps.par_iter().map(|&step| row(method, limits, step, &subject)).collect();
        rows.extend(own?);
    }

    let out = common.out.clone().unwrap_or_else(|| "out/stability".into());
    let folder = OutputFolder::create(&out, &FILES, 1 << 20)?;
    let rest_points = subject.rest.points.iter().map(|p| RestReport {
        state: p.state.clone(),
        eigenvalues: p.eigenvalues.iter().map(|z| vec![z.re / subject.unit, z.im / subject.unit]).collect(),
        nature: p.nature.name(),
    });
    let mut report = Report {
        out: None,
        source: subject.kind,
        name: &subject.name,
        seed,
        start: &subject.start,
        span: subject.span * subject.unit,
        rest_points: rest_points.collect(),
        rows: &rows,
    };
    json::write(&folder.file("stability.json"), &report)?;
    write_rows(&folder, &rows)?;
    write_eigenvalues(&folder, &subject)?;
    figures::write(&folder, &subject, &methods, &steps, &rows)?;
    say(console, &subject, &rows, steps.len(), &out);
    report.out = Some(&out);
    console.json(&report)
}

fn methods(args: &StabilityArgs, subject: &Subject) -> Result<Vec<&'static Tableau>> {
    let asked = args.methods.as_ref().map(|names| names.iter().map(String::as_str).collect());
    let names: Vec<&str> = asked.unwrap_or_else(|| {
        let usual = USUAL_METHODS.into_iter();
        usual.chain(subject.separable.then_some("verlet")).collect()
    });
    let mut methods = Vec::new();
    for name in names {
        let method = solve::method(name)?;
        if matches!(method.kind, Kind::Partitioned(_)) && !subject.separable {
            let what = format!("{name} is for separable systems, and {} is none", subject.name);
            return Err(Error::config(what, "leave it out of --methods"));
        }
        if !methods.iter().any(|known: &&Tableau| known.name == method.name) {
            methods.push(method);
        }
    }
    Ok(methods)
}

/// How long a method's steps may be, in the field's unit of time.
struct Limits {
    predicted: f64,
    measured: f64,
    kind: &'static str,
}

impl Limits {
    fn of(method: &'static Tableau, subject: &Subject) -> Result<Self> {
        let (field, params) = (subject.field, subject.params);
        if let Some(point) = &subject.attracting {
            let fastest = point.eigenvalues.iter().map(|z| z.norm()).fold(0.0, f64::max);
            let around = Around { state: &point.state, towards: &subject.start, fastest };
            let small = field_is_small(subject) && !method.is_implicit();
            let predicted = predicted_limit(method, &point.eigenvalues);
            let measured = measured_limit(field, params, method, around, predicted, if small { SMALL } else { LARGE })?;
            return Ok(Self { predicted, measured, kind: "rest_point" });
        }
        // Decaying modes along the trajectory, each of which a step must not blow up.
        let (times, states) = subject.trajectory(LOCAL_ROWS)?;
        let local = local_eigenvalues(field, params, &times, &states);
        let decaying = local.into_iter().map(|modes| modes.into_iter().filter(|z| z.re < 0.0).collect::<Vec<_>>());
        let predicted = decaying.map(|modes| predicted_limit(method, &modes)).fold(f64::INFINITY, f64::min);
        let measured = course_limit(field, params, method, subject.course())?;
        Ok(Self { predicted, measured, kind: "trajectory" })
    }
}

/// Whether a step of the field is of the kind that is compiled as a whole.
fn field_is_small(subject: &Subject) -> bool {
    step_map(subject.field, &solve::EULER, subject.span).is_ok_and(|map| map.strider().is_some())
}

/// The steps asked for, or some around a limit, in the field's unit of time.
fn steps(args: &StabilityArgs, subject: &Subject, limits: &[Limits]) -> Result<Vec<f64>> {
    if let Some(steps) = &args.steps {
        return match steps.iter().find(|step| !(**step > 0.0 && step.is_finite())) {
            Some(bad) => Err(Error::config(format!("--steps holds {bad}"), "give positive numbers")),
            None => Ok(steps.iter().map(|step| step / subject.unit).collect()),
        };
    }
    let limits = limits.iter().map(|l| if l.kind == "rest_point" { l.predicted } else { l.measured });
    let limits: Vec<f64> = limits.filter(|x| *x > 0.0 && x.is_finite()).collect();
    let shortest = limits.iter().copied().reduce(f64::min).unwrap_or(subject.span / 100.0);
    let longest = limits.iter().copied().reduce(f64::max).unwrap_or(subject.span / 20.0);
    let (short, long) = USUAL_SHARES;
    let steps = short.map(|share| share * shortest).into_iter().chain(long.map(|share| share * longest));
    let mut steps: Vec<f64> = steps.map(|step| rounded(step * subject.unit) / subject.unit).collect();
    steps.sort_by(f64::total_cmp);
    steps.dedup();
    Ok(steps)
}

/// To three digits, as one would choose a step.
fn rounded(x: f64) -> f64 {
    let unit = 10f64.powf(x.log10().floor() - 2.0);
    (x / unit).round() * unit
}

fn row(method: &'static Tableau, limits: &Limits, step: f64, subject: &Subject) -> Result<Row> {
    let map = step_map(subject.field, method, step)?;
    // Where nothing attracts, the place of rest nearest to stability tells the radius, if there is one.
    let at = subject.attracting.as_ref().or(subject.rest.points.first());
    let radius = at.and_then(|point| spectral_radius(&*map, subject.params, &point.state, subject.time));
    let radius = radius.unwrap_or(f64::NAN);
    let count = (subject.span / step * (1.0 + 1e-12)).floor().max(1.0);
    if count > MOST_FOLLOWED {
        let what = format!("steps of {} take {count:.0} of them", step * subject.unit);
        return Err(Error::config(what, "give longer --steps, or a shorter --span"));
    }
    let states = follow(subject.field, subject.params, method, subject.course(), step, count as usize)?;
    let dim = subject.start.len();
    let origin = at.map_or(vec![0.0; dim], |point| point.state.clone());
    let final_norm = if states.len() < count as usize * dim {
        f64::INFINITY
    } else {
        let end = &states[states.len() - dim..];
        end.iter().zip(&origin).fold(0.0, |sum: f64, (y, o)| sum.hypot(y - o))
    };
    let unit = subject.unit;
    Ok(Row {
        method: method.name,
        step: step * unit,
        stable: radius < 1.0,
        spectral_radius: radius,
        predicted_limit: limits.predicted * unit,
        measured_limit: limits.measured * unit,
        limit_kind: limits.kind,
        final_norm,
    })
}

fn write_rows(folder: &OutputFolder, rows: &[Row]) -> Result<()> {
    let header = [
        "method",
        "step",
        "stable",
        "spectral_radius",
        "predicted_limit",
        "measured_limit",
        "limit_kind",
        "final_norm",
    ];
    let cells = rows.iter().map(|row| {
        vec![
            row.method.into(),
            row.step.into(),
            if row.stable { "true" } else { "false" }.into(),
            row.spectral_radius.into(),
            row.predicted_limit.into(),
            row.measured_limit.into(),
            row.limit_kind.into(),
            row.final_norm.into(),
        ]
    });
    table::write(&folder.file("stability.csv"), &header, cells)
}

/// Eigenvalues of the Jacobian along the accurate trajectory.
fn write_eigenvalues(folder: &OutputFolder, subject: &Subject) -> Result<()> {
    let followed = subject.trajectory(LOCAL_ROWS);
    let (times, states) = followed.unwrap_or_else(|_| (vec![subject.time], subject.start.clone()));
    let local = local_eigenvalues(subject.field, subject.params, &times, &states);
    let rows = times.iter().zip(&local).flat_map(|(time, modes)| {
        let cells = |(number, z): (usize, &Complex<f64>)| {
            let [re, im] = [z.re / subject.unit, z.im / subject.unit];
            vec![
                Cell::from((time - subject.time) * subject.unit),
                Cell::Integer(number as i64 + 1),
                re.into(),
                im.into(),
            ]
        };
        modes.iter().enumerate().map(cells).collect::<Vec<_>>()
    });
    table::write(&folder.file("eigenvalues.csv"), &["time_since_start", "number", "real", "imaginary"], rows)
}

fn say(console: &Console, subject: &Subject, rows: &[Row], steps: usize, out: &Path) {
    console.say(format_args!(
        "{:<8} {} {}",
        subject.kind,
        subject.name,
        if subject.timed { "(changes with time)" } else { "" }
    ));
    for point in subject.rest.points.iter().take(6) {
        let size = point.state.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
        // Rounding is not worth telling.
        let state = point.state.iter().take(6).map(|&x| short(if x.abs() < 1e-12 * size { 0.0 } else { x }));
        let state: Vec<String> = state.collect();
        console.say(format_args!("{:<8} at ({}): {}", "rest", state.join(", "), point.nature.name()));
    }
    console.say(format_args!("\nlongest stable step"));
    console.say(format_args!("{:<15} {:>12} {:>12}  kind", "method", "predicted", "measured"));
    let groups = || rows.chunks(steps.max(1));
    for own in groups() {
        let (method, kind) = (own[0].method, own[0].limit_kind.replace('_', " "));
        let limits = [own[0].predicted_limit, own[0].measured_limit].map(short);
        console.say(format_args!("{method:<15} {:>12} {:>12}  {kind}", limits[0], limits[1]));
    }
    let grid = |title: &str, cell: &dyn Fn(&Row) -> String| {
        console.say(format_args!("\n{title}"));
        let head = rows.iter().take(steps).map(|row| format!(" {:>12}", short(row.step)));
        console.say(format_args!("{:<15}{}", "step", head.collect::<String>()));
        for own in groups() {
            let cells = own.iter().map(|row| format!(" {:>12}", cell(row)));
            console.say(format_args!("{:<15}{}", own[0].method, cells.collect::<String>()));
        }
    };
    grid("spectral radius of a step at rest, stable below 1", &|row| short(row.spectral_radius));
    grid("distance from rest at the end of the trajectory", &|row| {
        if row.final_norm.is_finite() { short(row.final_norm) } else { "explodes".into() }
    });
    if rows.iter().any(|row| row.limit_kind == "trajectory") {
        let what = "largest step that stays within 0.1 standard deviations of the accurate trajectory";
        console.say(format_args!(
            "\nNothing attracts here, so a measured limit is the {what} over a span of {}.",
            short(subject.span * subject.unit)
        ));
    }
    console.say(format_args!("{:<8} {}", "files", out.display()));
}
