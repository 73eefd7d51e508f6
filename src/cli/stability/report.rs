//! What is told: tables, JSON, and words.

use super::limits::LOCAL_ROWS;
use super::subject::Subject;
use crate::Result;
use crate::analysis::rest::RestPoint;
use crate::analysis::stability::local_eigenvalues;
use crate::cli::shared::{Console, short};
use crate::io::table::{self, Cell};
use crate::io::{OutputFolder, json};
use nalgebra::Complex;
use serde::Serialize;
use std::path::Path;

/// A method at a step.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub method: &'static str,
    #[serde(with = "json::number")]
    pub step: f64,
    pub stable: bool,
    #[serde(with = "json::number")]
    pub spectral_radius: f64,
    #[serde(with = "json::number")]
    pub predicted_limit: f64,
    #[serde(with = "json::number")]
    pub measured_limit: f64,
    /// Whether longer steps than the measured limit were not tried.
    pub limit_at_least: bool,
    pub limit_kind: &'static str,
    /// Infinite if the trajectory exploded, NaN if the equations of a step had no solution.
    #[serde(with = "json::number")]
    pub final_norm: f64,
}

#[derive(Serialize)]
struct RestReport {
    #[serde(with = "json::number")]
    state: Vec<f64>,
    /// Real and imaginary parts.
    #[serde(with = "json::number")]
    eigenvalues: Vec<Vec<f64>>,
    nature: &'static str,
    /// Dimensions of the straight set of points of rest that it is one of.
    free_dimensions: usize,
}

/// The content of `stability.json`.
#[derive(Serialize)]
pub struct Report<'a> {
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

impl<'a> Report<'a> {
    /// The same with its folder, for `--json`.
    pub fn written_to(self, out: &'a Path) -> Self {
        Self { out: Some(out), ..self }
    }
}

/// Writes the tables and the JSON file, whose content comes back.
pub fn write<'a>(folder: &OutputFolder, subject: &'a Subject, seed: u64, rows: &'a [Row]) -> Result<Report<'a>> {
    let rest_points = subject.rest.points.iter().map(|p| RestReport {
        state: p.state.clone(),
        eigenvalues: p.eigenvalues.iter().map(|z| vec![z.re / subject.unit, z.im / subject.unit]).collect(),
        nature: p.nature.name(),
        free_dimensions: p.free,
    });
    let report = Report {
        out: None,
        source: subject.kind,
        name: &subject.name,
        seed,
        start: &subject.start,
        span: subject.span * subject.unit,
        rest_points: rest_points.collect(),
        rows,
    };
    json::write(&folder.file("stability.json"), &report)?;
    write_rows(folder, rows)?;
    write_eigenvalues(folder, subject)?;
    Ok(report)
}

fn write_rows(folder: &OutputFolder, rows: &[Row]) -> Result<()> {
    let header = [
        "method",
        "step",
        "stable",
        "spectral_radius",
        "predicted_limit",
        "measured_limit",
        "limit_at_least",
        "limit_kind",
        "final_norm",
    ];
    let truth = |it: bool| if it { "true" } else { "false" };
    let cells = rows.iter().map(|row| {
        vec![
            row.method.into(),
            row.step.into(),
            truth(row.stable).into(),
            row.spectral_radius.into(),
            row.predicted_limit.into(),
            row.measured_limit.into(),
            truth(row.limit_at_least).into(),
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

/// A measured limit in words.
pub fn measured(row: &Row) -> String {
    let limit = short(row.measured_limit);
    if row.limit_at_least { format!("at least {limit}") } else { limit }
}

pub fn say(console: &Console, subject: &Subject, rows: &[Row], steps: usize, out: &Path) {
    console.say(format_args!(
        "{:<8} {}{}, followed for {}",
        subject.kind,
        subject.name,
        if subject.timed { " (changes with time)" } else { "" },
        short(subject.span * subject.unit)
    ));
    for point in subject.rest.points.iter().take(6) {
        console.say(format_args!("{:<8} {}", "rest", rest(point)));
    }
    console.say(format_args!("\nlongest stable step"));
    console.say(format_args!("{:<15} {:>12} {:>20}  kind", "method", "predicted", "measured"));
    let groups = || rows.chunks(steps.max(1));
    for own in groups() {
        let (method, kind) = (own[0].method, own[0].limit_kind.replace('_', " "));
        let predicted = short(own[0].predicted_limit);
        console.say(format_args!("{method:<15} {predicted:>12} {:>20}  {kind}", measured(&own[0])));
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
    if !subject.rest.points.is_empty() {
        grid("spectral radius of a step at rest, stable below 1", &|row| short(row.spectral_radius));
    }
    let from = if subject.rest.points.is_empty() { "zero" } else { "rest" };
    grid(&format!("distance from {from} at the end of the trajectory"), &|row| match row.final_norm {
        norm if norm.is_nan() => "unsolved".into(),
        norm if norm.is_infinite() => "explodes".into(),
        norm => short(norm),
    });
    if rows.iter().any(|row| row.final_norm.is_nan()) {
        console.say("unsolved: the equations of a step have no solution that is found from the state before it");
    }
    if rows.iter().any(|row| row.limit_kind == "trajectory") {
        let what = "largest step that stays within 0.1 standard deviations of the accurate trajectory";
        console.say(format_args!(
            "\nNothing attracts here, so a measured limit is the {what}; at most its whole span is tried."
        ));
    }
    console.say(format_args!("{:<8} {}", "files", out.display()));
}

fn rest(point: &RestPoint) -> String {
    let size = point.state.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
    // Rounding is not worth telling.
    let state = point.state.iter().take(6).map(|&x| short(if x.abs() < 1e-12 * size { 0.0 } else { x }));
    let more = if point.state.len() > 6 { ", …" } else { "" };
    let set = match point.free {
        0 => String::new(),
        1 => ", on a line of such points".into(),
        free => format!(", in a set of such points of {free} dimensions"),
    };
    format!("at ({}{more}){set}: {}", state.collect::<Vec<_>>().join(", "), point.nature.name())
}
