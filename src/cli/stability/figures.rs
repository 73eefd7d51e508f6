//! Figures of stability.

use super::report::{Row, measured};
use super::subject::Subject;
use crate::Result;
use crate::analysis::stability::{follow, local_eigenvalues};
use crate::cli::shared::short;
use crate::io::OutputFolder;
use crate::linalg::{Block, BlockMut};
use crate::plot::{Line, LinesFigure, LinesPanel, Look, RegionPanel, RegionsFigure, lines_figure, regions_figure};
use crate::solve::Tableau;
use nalgebra::Complex;
use std::rc::Rc;

/// Rows of the accurate trajectory drawn.
const ROWS: usize = 600;
/// Methods and steps whose trajectories are drawn.
const MOST_METHODS: usize = 4;
/// Times on the trajectory whose eigenvalues are drawn where nothing attracts.
const LOCAL: usize = 12;
/// Steps of a trajectory drawn.
const MOST_STEPS: f64 = 50_000.0;

pub fn write(
    folder: &OutputFolder,
    subject: &Subject,
    methods: &[&'static Tableau],
    steps: &[f64],
    rows: &[Row],
) -> Result<()> {
    folder.write("stability.svg", &regions(subject, methods, steps, rows)?)?;
    folder.write("trajectories.svg", &trajectories(subject, methods, steps, rows)?)
}

fn regions(subject: &Subject, methods: &[&'static Tableau], steps: &[f64], rows: &[Row]) -> Result<String> {
    let modes: Vec<Complex<f64>> = match &subject.attracting {
        Some(point) => point.eigenvalues.clone(),
        None => match subject.trajectory(LOCAL) {
            Ok((times, states)) => local_eigenvalues(subject.field, subject.params, &times, &states).concat(),
            Err(_) => subject.rest.points.first().map_or(Vec::new(), |point| point.eigenvalues.clone()),
        },
    };
    let panels = methods.iter().zip(rows.chunks(steps.len().max(1))).map(|(&method, own)| RegionPanel {
        name: own.first().map_or(method.name.into(), limited),
        growth: Rc::new(|re, im| method.growth(Complex::new(re, im))),
        points: steps
            .iter()
            .map(|&step| {
                let points = modes.iter().map(|z| [z.re * step, z.im * step]).collect();
                (format!("h = {}", short(step * subject.unit)), points)
            })
            .collect(),
    });
    let told = match &subject.attracting {
        Some(point) => {
            let at = format!("eigenvalues λ at the {}", point.nature.name());
            [at, "limits: small displacements fade".into()]
        }
        None => {
            let along = "eigenvalues λ along the trajectory".into();
            [along, "limits: the trajectory is kept to".into()]
        }
    };
    let title = format!("{}: stability regions", subject.name);
    regions_figure(&RegionsFigure { title, panels: panels.collect(), remarks: told.to_vec() })
}

/// A method and its limit.
fn limited(row: &Row) -> String {
    if row.measured_limit.is_infinite() {
        format!("{}: every h", row.method)
    } else if row.measured_limit == 0.0 {
        format!("{}: no h", row.method)
    } else {
        format!("{}: h up to {}", row.method, measured(row))
    }
}

/// The first component under some methods at all steps, beside the accurate one (or, where modes fade at very different
/// rates, the distance from rest, which all of them are part of); then the energy.
fn trajectories(subject: &Subject, methods: &[&'static Tableau], steps: &[f64], rows: &[Row]) -> Result<String> {
    let dim = subject.start.len();
    let methods = &methods[..methods.len().min(MOST_METHODS)];
    let (mut truth_times, mut truth) = (Vec::new(), Vec::new());
    if let Ok((times, states)) = subject.trajectory_drawn(ROWS) {
        truth_times = times.iter().map(|&t| (t - subject.time) * subject.unit).collect();
        truth = states;
    }
    let mut drawing = Drawing { subject, truth_times, truth, followed: Vec::new() };
    for method in methods {
        for &step in steps.iter().filter(|step| **step <= subject.span) {
            let count = subject.course().steps(step).min(MOST_STEPS) as usize;
            let mut states = subject.start.clone();
            states.extend(follow(subject.field, subject.params, method, subject.course(), step, count)?);
            drawing.followed.push((method.name, step, states));
        }
    }
    let first = |states: &[f64]| states.iter().step_by(dim).copied().collect::<Vec<f64>>();
    let rest = subject.attracting.as_ref().map_or(Vec::new(), |point| point.state.clone());
    let from_rest = |state: &[f64]| state.iter().zip(&rest).fold(0.0f64, |sum, (y, r)| sum.hypot(y - r));
    let distance = |states: &[f64]| states.chunks_exact(dim).map(from_rest).collect::<Vec<f64>>();
    let panel = |method: &&'static Tableau| {
        if subject.is_stiff() {
            drawing.panel(method.name, "distance from rest", &distance)
        } else {
            drawing.panel(method.name, &subject.labels[0], &first)
        }
    };
    let mut panels: Vec<LinesPanel> = methods.iter().map(panel).collect();
    if let (Some(energy), Some(method)) = (subject.energy, methods.first()) {
        let values = |states: &[f64]| {
            let mut scratch = vec![0.0; energy.scratch_len()];
            let mut of = |state: &[f64]| {
                let mut arguments = state.to_vec();
                arguments.resize(energy.in_dim(), subject.time);
                let mut out = [0.0];
                energy.eval(subject.params, Block::new(&arguments, 1), BlockMut::new(&mut out, 1), &mut scratch);
                out[0]
            };
            states.chunks_exact(dim).map(&mut of).collect::<Vec<f64>>()
        };
        panels.push(drawing.panel(method.name, "energy", &values));
    }
    let exploded = rows.iter().filter(|row| row.final_norm.is_infinite()).count();
    let unsolved = rows.iter().filter(|row| row.final_norm.is_nan()).count();
    let cut = steps.iter().any(|step| subject.span / step > MOST_STEPS + 1.0);
    let long = steps.iter().filter(|step| **step > subject.span).count();
    let remarks = [
        (exploded > 0).then(|| format!("{exploded} of {} trajectories explode", rows.len())),
        (unsolved > 0).then(|| format!("{unsolved} end at a step without a solution")),
        (long > 0).then(|| "longer steps are not drawn".into()),
        cut.then(|| format!("at most {MOST_STEPS} steps drawn")),
    ];
    let title = format!("{}: trajectories", subject.name);
    lines_figure(&LinesFigure { title, panels, remarks: remarks.into_iter().flatten().collect() })
}

/// Trajectories of all methods and steps, and the accurate one.
struct Drawing<'a> {
    subject: &'a Subject<'a>,
    truth_times: Vec<f64>,
    truth: Vec<f64>,
    followed: Vec<(&'static str, f64, Vec<f64>)>,
}

impl Drawing<'_> {
    /// A quantity under one method.
    fn panel(&self, method: &str, quantity: &str, values: &dyn Fn(&[f64]) -> Vec<f64>) -> LinesPanel {
        let unit = self.subject.unit;
        let (mut lines, mut shown) = (Vec::new(), None);
        if !self.truth.is_empty() {
            let values = values(&self.truth);
            shown = Some(window(&values));
            lines.push(Line { name: "accurate".into(), x: self.truth_times.clone(), y: values, look: Look::Truth });
        }
        for (_, step, states) in self.followed.iter().filter(|(own, _, _)| *own == method) {
            let values = values(states);
            let times = (0..values.len()).map(|k| k as f64 * step * unit).collect();
            lines.push(Line::solid(format!("h = {}", short(step * unit)), times, values));
        }
        LinesPanel {
            x: format!("time since the start ({})", self.subject.time_unit()),
            y: format!("{quantity} by {method} ({})", self.subject.state_unit()),
            logarithmic_x: self.subject.is_stiff(),
            shown,
            lines,
            ..LinesPanel::default()
        }
    }
}

/// Some room around the accurate values: what runs away leaves the figure.
fn window(values: &[f64]) -> [f64; 2] {
    let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &x| (l.min(x), h.max(x)));
    let room = 0.6 * (high - low).max(1e-9 * high.abs().max(low.abs())).max(1e-12);
    [low - room, high + room]
}
