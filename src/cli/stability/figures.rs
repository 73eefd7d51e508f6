//! Figures of stability.

use super::Row;
use super::subject::Subject;
use crate::Result;
use crate::analysis::stability::{follow, local_eigenvalues};
use crate::cli::console::short;
use crate::cli::figures::write as write_svg;
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

pub fn write(
    folder: &OutputFolder,
    subject: &Subject,
    methods: &[&'static Tableau],
    steps: &[f64],
    rows: &[Row],
) -> Result<()> {
    write_svg(folder, "stability.svg", &regions(subject, methods, steps)?)?;
    write_svg(folder, "trajectories.svg", &trajectories(subject, methods, steps, rows)?)
}

fn regions(subject: &Subject, methods: &[&'static Tableau], steps: &[f64]) -> Result<String> {
    let modes: Vec<Complex<f64>> = match &subject.attracting {
        Some(point) => point.eigenvalues.clone(),
        None => match subject.trajectory(LOCAL) {
            Ok((times, states)) => local_eigenvalues(subject.field, subject.params, &times, &states).concat(),
            Err(_) => subject.rest.points.first().map_or(Vec::new(), |point| point.eigenvalues.clone()),
        },
    };
    let panels = methods.iter().map(|&method| RegionPanel {
        name: method.name.into(),
        growth: Rc::new(|re, im| method.growth(Complex::new(re, im))),
        points: steps
            .iter()
            .map(|&step| {
                let points = modes.iter().map(|z| [z.re * step, z.im * step]).collect();
                (format!("h = {}", short(step * subject.unit)), points)
            })
            .collect(),
    });
    let where_from = match &subject.attracting {
        Some(point) => format!("eigenvalues λ at the {}", point.nature.name()),
        None => "eigenvalues λ along the trajectory".into(),
    };
    let title = format!("{}: stability regions", subject.name);
    regions_figure(&RegionsFigure { title, panels: panels.collect(), remarks: vec![where_from] })
}

/// The first component under some methods at all steps, beside the accurate one; then the energy.
fn trajectories(subject: &Subject, methods: &[&'static Tableau], steps: &[f64], rows: &[Row]) -> Result<String> {
    let dim = subject.start.len();
    let since = |t: f64| (t - subject.time) * subject.unit;
    let truth = subject.trajectory(ROWS).ok();
    let component = |states: &[f64]| states.iter().step_by(dim).copied().collect::<Vec<f64>>();
    let name = |step: f64| format!("h = {}", short(step * subject.unit));
    let exact = |values: &dyn Fn(&[f64]) -> Vec<f64>| {
        truth
            .iter()
            .map(|(times, states)| {
                let times = times.iter().map(|&t| since(t)).collect();
                Line { name: "accurate".into(), x: times, y: values(states), look: Look::Truth }
            })
            .collect::<Vec<_>>()
    };
    let mut followed = Vec::new();
    for method in methods.iter().take(MOST_METHODS) {
        for &step in steps {
            let count = ((subject.span / step * (1.0 + 1e-12)).floor() as usize).clamp(1, 200_000);
            let mut states = subject.start.clone();
            states.extend(follow(subject.field, subject.params, method, subject.course(), step, count)?);
            followed.push((method.name, step, states));
        }
    }
    let times = |step: f64, rows: usize| (0..rows).map(|k| k as f64 * step * subject.unit).collect::<Vec<f64>>();
    let shown = truth.as_ref().map(|(_, states)| window(&component(states)));
    let time = "time since the start".to_owned();
    let mut panels = Vec::new();
    for method in methods.iter().take(MOST_METHODS) {
        let mut lines = exact(&component);
        for (_, step, states) in followed.iter().filter(|(own, _, _)| *own == method.name) {
            let values = component(states);
            lines.push(Line::solid(name(*step), times(*step, values.len()), values));
        }
        let y = format!("{} by {}", subject.labels[0], method.name);
        panels.push(LinesPanel { x: time.clone(), y, shown, lines, ..LinesPanel::default() });
    }
    if let Some(energy) = subject.energy {
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
        let mut lines = exact(&values);
        let own = followed.iter().filter(|(method, _, _)| methods.first().is_some_and(|first| first.name == *method));
        for (_, step, states) in own {
            let energies = values(states);
            lines.push(Line::solid(name(*step), times(*step, energies.len()), energies));
        }
        let shown = truth.as_ref().map(|(_, states)| window(&values(states)));
        let y = format!("energy by {}", methods[0].name);
        panels.push(LinesPanel { x: time, y, shown, lines, ..LinesPanel::default() });
    }
    let exploded = rows.iter().filter(|row| !row.final_norm.is_finite()).count();
    let remarks =
        if exploded > 0 { vec![format!("{exploded} of {} trajectories explode", rows.len())] } else { vec![] };
    lines_figure(&LinesFigure { title: format!("{}: trajectories", subject.name), panels, remarks })
}

/// Some room around the accurate values: what runs away leaves the figure.
fn window(values: &[f64]) -> [f64; 2] {
    let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &x| (l.min(x), h.max(x)));
    let room = 0.6 * (high - low).max(1e-9 * high.abs().max(low.abs())).max(1e-12);
    [low - room, high + room]
}
