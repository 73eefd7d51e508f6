//! How fast gradients grow along trajectories, and how far they can be trusted.

use super::{Bars, Onto, pull_all};
use crate::dynamics::Field;
use crate::random::Stream;
use crate::solve::{CHUNK, Control, Options, Problem, Recording, integrate, map_problem};
use crate::{Real, Result};
use rand_distr::{Distribution, StandardNormal};

/// Random cotangents a trajectory: the largest growth among them is that of the fastest direction, up to a factor of
/// about `√dim`.
const PROBES: usize = 2;
/// Share of a gradient that the solver's error may make up once it has grown with it.
const TRUSTED: f64 = 0.01;
/// Logarithm of a growth that is trusted whatever the tolerance: what is learned at loose tolerances is rough anyway.
const LEAST: f64 = 2.0;
/// Share of the trajectories that the advice is for; a few wild ones do not shorten the others.
const SERVED: f64 = 0.75;

/// What a cotangent of a trajectory's last state has become at its start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// Time between the two, positive.
    pub span: f64,
    /// Natural logarithm of the ratio of their norms; `-inf` where nothing is left.
    pub log: f64,
}

/// The growth of cotangents from the last output of every trajectory to its start; trajectories that fail or go nowhere are
/// left out. Over long spans `log / span` tends to the largest Lyapunov exponent. Cost: a forward pass and two ways back.
///
/// # Errors
/// If sizes or options do not fit.
pub fn growth<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    seed: u64,
) -> Result<Vec<Growth>> {
    let dim = field.state_dim();
    problem.check(dim)?;
    let parts = map_problem(field, problem, CHUNK, |first, field, part| -> Result<Vec<Growth>> {
        let mut recording = Recording::tape();
        let solution = integrate(field, params, part, options, &mut recording)?;
        let mut logs = vec![f64::NEG_INFINITY; part.len()];
        let norm = |x: &[T]| x.iter().map(|x| x.f64().powi(2)).sum::<f64>().sqrt();
        let usable = |s: &usize| {
            let rows = part.row_ptr[*s]..part.row_ptr[s + 1];
            solution.reports[*s].failure.is_none()
                && rows.last().is_some_and(|row| {
                    part.times[row] != part.start_times[*s] && solution.states[row * dim].is_finite()
                })
        };
        let usable: Vec<usize> = (0..part.len()).filter(usable).collect();
        for probe in 0..PROBES {
            let mut rng = Stream::Probe(first * PROBES + probe).of(seed);
            let mut outputs = vec![T::zero(); solution.states.len()];
            for &s in &usable {
                let bar = &mut outputs[(part.row_ptr[s + 1] - 1) * dim..][..dim];
                let z: Vec<f64> = bar.iter().map(|_| StandardNormal.sample(&mut rng)).collect();
                let length = z.iter().map(|z| z * z).sum::<f64>().sqrt();
                bar.iter_mut().zip(z).for_each(|(bar, z)| *bar = T::of(z / length));
            }
            let mut by_params = vec![T::zero(); params.len()];
            let (bars, onto) =
                (Bars { outputs: &outputs, occurrences: &[] }, Onto { params: &mut by_params, inputs: &mut [] });
            let starts = pull_all(field, params, part, options, &mut recording, bars, onto)?.starts;
            for &s in &usable {
                let log = norm(&starts[s * dim..(s + 1) * dim]).ln();
                // What is no longer a number has grown beyond them.
                logs[s] = if log.is_nan() { f64::INFINITY } else { logs[s].max(log) };
            }
        }
        let of = |s: usize| {
            let end = part.times[part.row_ptr[s + 1] - 1];
            Growth { span: (end - part.start_times[s]).f64().abs(), log: logs[s] }
        };
        Ok(usable.into_iter().map(of).collect())
    });
    Ok(parts.into_iter().collect::<Result<Vec<_>>>()?.concat())
}

/// The longest span over which gradients can be trusted; none if they do not grow. Where they grow at the rates seen, an
/// error of the solver's tolerance made early is multiplied as they are, and beyond this span it would be more than a
/// hundredth of them.
pub fn trusted_span(growths: &[Growth], options: &Options) -> Option<f64> {
    let tolerance = match options.control {
        Control::Adaptive { rtol, .. } => rtol,
        // Rounding is the only error that is not part of what is differentiated.
        Control::Fixed { .. } => f64::EPSILON,
    };
    let most = (TRUSTED / tolerance).ln().max(LEAST);
    let span = |growth: &Growth| if growth.log > 0.0 { most * growth.span / growth.log } else { f64::INFINITY };
    let mut spans: Vec<f64> = growths.iter().map(span).collect();
    spans.sort_by(f64::total_cmp);
    spans.get(((1.0 - SERVED) * spans.len() as f64) as usize).copied().filter(|span| span.is_finite())
}
