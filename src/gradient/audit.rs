//! The audit: every strategy against the exact discrete gradient, and that against finite differences.

use super::strategy::show_bytes;
use super::{Gradient, Plan, Settings, Strategy, difference, gradient};
use crate::dynamics::Field;
use crate::random::Stream;
use crate::solve::{CHUNK, Options, Problem, Recording, Tape, integrate, integrate_along, map_problem};
use crate::{Error, Real, Result};
use rand_distr::{Distribution, StandardNormal};
use serde::Serialize;
use std::time::Instant;

/// A strategy's gradient that differs from the exact one by more than this many relative tolerances (1e-4 where steps are
/// fixed) is flagged; an exact one if it differs by more than rounding explains.
const FLAGGED: f64 = 100.0;
/// Relative sizes of the first step of a difference: the largest over which the loss is smooth does best.
const FIRST_STEPS: [f64; 4] = [2e-2, 1e-3, 5e-5, 2e-6];
/// A relative error of a difference that is small enough.
const GOOD: f64 = 1e-9;

/// One strategy's agreement and cost.
#[derive(Clone, Debug, Serialize)]
pub struct AuditRow {
    /// The strategy.
    pub strategy: Strategy,
    /// Norm of the difference from the exact discrete gradient, over starts and parameters, relative to that gradient.
    pub difference: Option<f64>,
    /// Evaluations of the field forward.
    pub forward_evaluations: usize,
    /// Evaluations, JVPs and VJPs on the way back.
    pub backward_evaluations: usize,
    /// Most bytes that a chunk of trajectories kept.
    pub bytes: usize,
    /// How long it took.
    pub seconds: f64,
    /// Whether it cannot be used here: it failed, or is further off than the solver's tolerance explains.
    pub flagged: bool,
    /// Why, if it could not be found at all.
    pub failure: Option<String>,
}

/// A random direction: its derivative three ways.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Direction {
    /// From the exact discrete gradient.
    pub exact: f64,
    /// From the strategy that was asked for.
    pub chosen: f64,
    /// By extrapolated central differences of the loss, through the steps that the solver took.
    pub differences: f64,
    /// Their own estimate of their error.
    pub differences_error: f64,
}

/// What an audit found.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// The strategy that was asked for, or that was picked.
    pub chosen: Strategy,
    /// Every strategy.
    pub rows: Vec<AuditRow>,
    /// Some random directions in parameters and starts.
    pub directions: Vec<Direction>,
}

/// Audits a gradient: compares every strategy with the exact discrete gradient, and that with finite differences along
/// `directions` random directions. Arguments as for [`gradient`]. Cost: a gradient a strategy, and twenty to eighty solves
/// a direction.
///
/// Trajectories that fail count nothing, as in the gradient. With events the differences are taken through whatever steps
/// the solver chooses, which its own error estimate then shows.
///
/// # Errors
/// If sizes or options do not fit.
pub fn audit<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    settings: &Settings,
    (directions, seed): (usize, u64),
    loss: impl Fn(usize, &[T], &mut [T]) -> f64 + Sync,
) -> Result<Audit> {
    let by = |strategy| gradient(field, params, problem, options, &Settings { strategy, ..*settings }, &loss);
    let exact = by(Strategy::Stored)?;
    let chosen = match settings.strategy {
        Strategy::Auto => Plan::new(field, params, problem, options, settings)?.strategy,
        strategy => strategy,
    };
    let size = distance(&exact, None);
    let tolerance = match options.control {
        crate::solve::Control::Adaptive { rtol, .. } => rtol,
        crate::solve::Control::Fixed { .. } => 1e-4,
    };
    let (mut rows, mut of_chosen) = (Vec::new(), exact.clone());
    for strategy in Strategy::ALL {
        let begun = Instant::now();
        let forecast = Plan::new(field, params, problem, options, &Settings { strategy, ..*settings })?.forecast;
        let found = if strategy == Strategy::Forward && forecast > settings.memory {
            let what = format!("its tangents would take {}", show_bytes(forecast));
            Err(Error::config(what, "give it more memory, or leave it"))
        } else {
            by(strategy)
        };
        let seconds = begun.elapsed().as_secs_f64();
        rows.push(match found {
            Ok(found) => {
                let off = distance(&exact, Some(&found)) / size.max(f64::MIN_POSITIVE);
                let rounding = 1e6 * T::default_epsilon().f64();
                let limit = if strategy.is_exact() { rounding } else { (FLAGGED * tolerance).max(rounding) };
                let row = AuditRow {
                    strategy,
                    difference: Some(off),
                    forward_evaluations: found.reports.iter().map(|report| report.evaluations).sum(),
                    backward_evaluations: found.backward_evaluations,
                    bytes: found.bytes,
                    seconds,
                    flagged: off.is_nan() || off > limit,
                    failure: None,
                };
                if strategy == chosen {
                    of_chosen = found;
                }
                row
            }
            Err(error) => AuditRow {
                strategy,
                difference: None,
                forward_evaluations: 0,
                backward_evaluations: 0,
                bytes: 0,
                seconds,
                flagged: true,
                failure: Some(error.to_string()),
            },
        });
    }
    let tapes = tapes(field, params, problem, options)?;
    let directions = (0..directions).map(|k| {
        let mut rng = Stream::Direction(k).of(seed);
        let mut d: Vec<f64> =
            (0..params.len() + problem.starts.len()).map(|_| StandardNormal.sample(&mut rng)).collect();
        // Relative to each number, or to the usual one where it is near zero.
        let (own, starts) = d.split_at_mut(params.len());
        relative(own, params);
        relative(starts, problem.starts);
        let along = |g: &Gradient<T>| {
            let all = g.params.iter().chain(&g.starts);
            all.zip(&d).map(|(g, d)| g.f64() * d).sum::<f64>()
        };
        let mut failed = None;
        let mut value = |by: f64| {
            let shifted = |x: &[T], d: &[f64]| x.iter().zip(d).map(|(&x, &d)| x + T::of(by * d)).collect::<Vec<T>>();
            let (own, starts) = (shifted(params, &d[..params.len()]), shifted(problem.starts, &d[params.len()..]));
            let problem = Problem { starts: &starts, ..*problem };
            total(field, &own, &problem, options, &tapes, &exact, &loss).unwrap_or_else(|error| {
                failed = Some(error);
                f64::NAN
            })
        };
        let (mut differences, mut differences_error) = (f64::NAN, f64::INFINITY);
        for step in FIRST_STEPS {
            let (found, error) = difference(&mut value, step);
            if error < differences_error {
                (differences, differences_error) = (found, error);
            }
            if differences_error <= GOOD * differences.abs() {
                break;
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(Direction { exact: along(&exact), chosen: along(&of_chosen), differences, differences_error }),
        }
    });
    Ok(Audit { chosen, rows, directions: directions.collect::<Result<_>>()? })
}

/// Makes a direction relative to the numbers that it moves.
fn relative<T: Real>(direction: &mut [f64], numbers: &[T]) {
    let usual = (numbers.iter().map(|x| x.f64().powi(2)).sum::<f64>() / numbers.len().max(1) as f64).sqrt();
    let least = if usual > 0.0 { 1e-3 * usual } else { 1e-3 };
    direction.iter_mut().zip(numbers).for_each(|(d, x)| *d *= x.f64().abs().max(least));
}

/// The norm of a gradient, or of the difference of two.
fn distance<T: Real>(a: &Gradient<T>, b: Option<&Gradient<T>>) -> f64 {
    let sum = |a: &[T], b: Option<&[T]>| {
        let other = |i: usize| b.map_or(0.0, |b| b[i].f64());
        a.iter().enumerate().map(|(i, a)| (a.f64() - other(i)).powi(2)).sum::<f64>()
    };
    let inputs =
        if b.is_none_or(|b| b.inputs.len() == a.inputs.len()) { sum(&a.inputs, b.map(|b| &b.inputs[..])) } else { 0.0 };
    (sum(&a.params, b.map(|b| &b.params[..])) + sum(&a.starts, b.map(|b| &b.starts[..])) + inputs).sqrt()
}

/// The steps that every chunk of trajectories took; none with events, whose steps depend on the state.
fn tapes<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
) -> Result<Vec<Option<Tape<T>>>> {
    let parts = map_problem(field, problem, CHUNK, |_, field, part| {
        if !field.events.is_empty() {
            return Ok(None);
        }
        let mut recording = Recording::tape();
        integrate(field, params, part, options, &mut recording)?;
        Ok(if let Recording::Tape(tape) = recording { Some(tape.only_steps()) } else { None })
    });
    parts.into_iter().collect()
}

/// The loss through these steps.
fn total<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    tapes: &[Option<Tape<T>>],
    exact: &Gradient<T>,
    loss: &(impl Fn(usize, &[T], &mut [T]) -> f64 + Sync),
) -> Result<f64> {
    let dim = field.state_dim();
    let parts = map_problem(field, problem, CHUNK, |first, field, part| -> Result<f64> {
        let solution = match &tapes[first / CHUNK] {
            Some(tape) => integrate_along(field, params, part, options, tape)?,
            None => integrate(field, params, part, options, &mut Recording::Nothing)?,
        };
        let mut bar = vec![T::zero(); solution.states.len()];
        let counts = (0..part.len()).filter(|s| exact.reports[first + s].failure.is_none());
        Ok(counts
            .map(|s| {
                let rows = part.row_ptr[s] * dim..part.row_ptr[s + 1] * dim;
                loss(first + s, &solution.states[rows.clone()], &mut bar[rows])
            })
            .sum())
    });
    parts.into_iter().sum()
}

impl std::fmt::Display for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:<15}{:>12}{:>10}{:>10}{:>12}{:>10}", "gradient", "off by", "forward", "back", "kept", "ms")?;
        for row in &self.rows {
            let name = format!("{}{}", row.strategy.name(), if row.strategy == self.chosen { " *" } else { "" });
            match (row.difference, &row.failure) {
                (Some(off), _) => writeln!(
                    f,
                    "{name:<15}{off:>12.1e}{:>10}{:>10}{:>12}{:>10.1}{}",
                    row.forward_evaluations,
                    row.backward_evaluations,
                    show_bytes(row.bytes),
                    1e3 * row.seconds,
                    if row.flagged { "  NOT TO BE USED HERE" } else { "" },
                )?,
                (None, failure) => {
                    writeln!(f, "{name:<15}  NOT TO BE USED HERE: {}", failure.as_deref().unwrap_or_default())?
                }
            }
        }
        writeln!(f, "{:<15}{:>16}{:>16}{:>16}{:>10}", "direction", "exact", "chosen", "differences", "± ")?;
        for (k, d) in self.directions.iter().enumerate() {
            writeln!(
                f,
                "{k:<15}{:>16.8e}{:>16.8e}{:>16.8e}{:>10.0e}",
                d.exact, d.chosen, d.differences, d.differences_error
            )?;
        }
        write!(f, "off by: relative to the exact discrete gradient; forward, back: evaluations; *: the strategy in use")
    }
}
