//! The gradient of a loss that is a sum over trajectories.

use super::{Onto, Passed, Plan, Settings};
use crate::dynamics::Field;
use crate::linalg::{Block, BlockMut};
use crate::solve::{CHUNK, Options, Problem, Report, map_problem};
use crate::{Real, Result};

/// A loss with its gradient.
#[derive(Clone, Debug)]
pub struct Gradient<T> {
    /// Sum over trajectories.
    pub loss: f64,
    /// With respect to the parameters.
    pub params: Vec<T>,
    /// With respect to the starts, one trajectory after another.
    pub starts: Vec<T>,
    /// With respect to the numbers that the inputs are made of, as [`Inputs::numbers`](crate::dynamics::Inputs::numbers)
    /// orders them.
    pub inputs: Vec<T>,
    /// With respect to the output times, one a row: how the loss changes as the state is read off a little later along the
    /// field. Empty unless asked for.
    pub times: Vec<T>,
    /// One a trajectory; failed ones count nothing in the loss and the gradient.
    pub reports: Vec<Report>,
    /// Evaluations, JVPs and VJPs of the field that the way back took.
    pub backward_evaluations: usize,
    /// Most bytes that a chunk of trajectories kept for the way back.
    pub bytes: usize,
}

/// The gradient of `Σ_s loss(s, states of s)`. `loss` gets a trajectory's number and its output states (`rows × dim`),
/// writes their cotangents (the same layout, zeroed before), and returns its value. Rows beyond the event that stopped a
/// trajectory are NaN: leave their cotangents at zero.
///
/// [`Strategy::Auto`](super::Strategy::Auto) stores everything as far as the memory allows and computes the rest again;
/// [`Plan::new`] forecasts that, and may pick something else, before the run.
///
/// The result has the same bits for any number of threads, and for every strategy but
/// [`Strategy::Interpolating`](super::Strategy::Interpolating) and [`Strategy::Backsolve`](super::Strategy::Backsolve) it
/// is the derivative of what the solver computed, step by step, with the accepted steps' lengths held fixed. (The stages
/// of an implicit method with adaptive steps are solved to a share of the tolerance; there that share is the difference.)
///
/// # Errors
/// If sizes or options do not fit, or the strategy cannot do what is asked.
pub fn gradient<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    settings: &Settings,
    loss: impl Fn(usize, &[T], &mut [T]) -> f64 + Sync,
) -> Result<Gradient<T>> {
    let dim = field.state_dim();
    problem.check(dim)?;
    let plan = Plan::unseen(settings, problem.len());
    let parts = map_problem(field, problem, CHUNK, |first, field, part| -> Result<Gradient<T>> {
        let mut passed = Passed::new(field, params, part, options, &plan)?;
        let solution = &passed.solution;
        let mut bar = vec![T::zero(); solution.states.len()];
        let mut sum = 0.0;
        for (s, report) in solution.reports.iter().enumerate() {
            if report.failure.is_none() {
                let rows = part.row_ptr[s] * dim..part.row_ptr[s + 1] * dim;
                sum += loss(first + s, &solution.states[rows.clone()], &mut bar[rows]);
            }
        }
        let times = if settings.by_times { times_bar(field, params, part, &solution.states, &bar) } else { Vec::new() };
        let mut by_params = vec![T::zero(); params.len()];
        let mut inputs = vec![T::zero(); field.inputs.map_or(0, |inputs| inputs.numbers(0..part.len()).len())];
        let onto = Onto { params: &mut by_params, inputs: &mut inputs };
        let pulled = passed.pull(field, params, part, options, &bar, onto)?;
        Ok(Gradient {
            loss: sum,
            params: by_params,
            starts: pulled.starts,
            inputs,
            times,
            bytes: passed.bytes(),
            reports: passed.solution.reports,
            backward_evaluations: pulled.evaluations,
        })
    });
    let mut whole = Gradient {
        loss: 0.0,
        params: vec![T::zero(); params.len()],
        starts: Vec::new(),
        inputs: Vec::new(),
        times: Vec::new(),
        reports: Vec::new(),
        backward_evaluations: 0,
        bytes: 0,
    };
    for part in parts {
        let part = part?;
        whole.loss += part.loss;
        whole.params.iter_mut().zip(&part.params).for_each(|(sum, &p)| *sum += p);
        whole.starts.extend(part.starts);
        whole.inputs.extend(part.inputs);
        whole.times.extend(part.times);
        whole.reports.extend(part.reports);
        whole.backward_evaluations += part.backward_evaluations;
        whole.bytes = whole.bytes.max(part.bytes);
    }
    Ok(whole)
}

/// The field at every output, times the output's cotangent.
fn times_bar<T: Real>(field: Field<T>, params: &[T], problem: &Problem<T>, states: &[T], bar: &[T]) -> Vec<T> {
    let (dim, component) = (field.state_dim(), field.component);
    let mut row_bar = vec![T::zero(); problem.times.len()];
    let mut arguments = vec![T::zero(); component.in_dim()];
    let (mut slope, mut scratch) = (vec![T::zero(); dim], vec![T::zero(); component.scratch_len()]);
    let mut inputs = vec![T::zero(); field.inputs.map_or(0, |inputs| inputs.dim())];
    for s in 0..problem.len() {
        let kinks = field.inputs.map_or(&[][..], |inputs| inputs.kinks(s));
        for row in problem.row_ptr[s]..problem.row_ptr[s + 1] {
            let (t, bar) = (problem.times[row], &bar[row * dim..(row + 1) * dim]);
            if bar.iter().all(|&bar| bar == T::zero()) {
                continue;
            }
            arguments[..dim].copy_from_slice(&states[row * dim..(row + 1) * dim]);
            // Where it begins, the piece that it enters; elsewhere the one that it comes from.
            let forward = problem.times[problem.row_ptr[s + 1] - 1] >= problem.start_times[s];
            let upper = forward == (t == problem.start_times[s]);
            let piece = kinks.partition_point(|&kink| if upper { kink <= t } else { kink < t });
            field.fill_arguments(&[s], &[piece], |_| t, &mut arguments, &mut inputs);
            component.eval(params, Block::new(&arguments, 1), BlockMut::new(&mut slope, 1), &mut scratch);
            row_bar[row] = bar.iter().zip(&slope).fold(T::zero(), |sum, (&bar, &slope)| sum + bar * slope);
        }
    }
    row_bar
}
