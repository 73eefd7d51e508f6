//! What to keep of a solve other than its states at given times: every step, or a function of the state.

use super::engine::Engine;
use super::integrate::checked;
use super::{CHUNK, Options, Problem, Recording, Report, Solution, integrate, map_problem};
use crate::dynamics::{Component, Field};
use crate::linalg::{Block, BlockMut};
use crate::{Error, Real, Result};

/// Times and states after every accepted step.
#[derive(Clone, Debug)]
pub struct Steps<T> {
    /// Trajectory `s` has the rows `row_ptr[s]..row_ptr[s + 1]`, its start first.
    pub row_ptr: Vec<usize>,
    /// One a row.
    pub times: Vec<T>,
    /// `rows × dim`, one row after another.
    pub states: Vec<T>,
    /// One a trajectory.
    pub reports: Vec<Report>,
}

/// As [`solve`](super::solve), but keeps the start and every accepted step of each trajectory up to its last output time;
/// the output times before it do not matter.
///
/// # Errors
/// If sizes or options do not fit.
pub fn solve_every_step<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
) -> Result<Steps<T>> {
    let dim = field.state_dim();
    problem.check(dim)?;
    let parts = map_problem(field, problem, CHUNK, |_, field, part| -> Result<Steps<T>> {
        let mut solution = checked(field, params, part, options)?;
        let mut engine = Engine::new(field, params, *part, options);
        engine.every_step = Some(Vec::new());
        let mut lanes = engine.begin(&mut solution, None);
        while engine.round(&mut lanes, &mut solution, None) {}
        let mut log = engine.every_step.unwrap_or_default();
        log.sort_by_key(|row| row.0);
        let mut steps = Steps { row_ptr: vec![0], times: Vec::new(), states: Vec::new(), reports: solution.reports };
        let mut rows = log.into_iter().peekable();
        for s in 0..part.len() {
            steps.times.push(part.start_times[s]);
            steps.states.extend_from_slice(&part.starts[s * dim..(s + 1) * dim]);
            while let Some((_, time, state)) = rows.next_if(|row| row.0 == s) {
                steps.times.push(time);
                steps.states.extend(state);
            }
            steps.row_ptr.push(steps.times.len());
        }
        Ok(steps)
    });
    let mut whole = Steps { row_ptr: vec![0], times: Vec::new(), states: Vec::new(), reports: Vec::new() };
    for part in parts {
        let part = part?;
        let before = whole.times.len();
        whole.row_ptr.extend(part.row_ptr[1..].iter().map(|row| before + row));
        whole.times.extend(part.times);
        whole.states.extend(part.states);
        whole.reports.extend(part.reports);
    }
    Ok(whole)
}

/// As [`solve`](super::solve), but keeps a function of the state at the output times, not the state: `observe` maps `dim`
/// rows to its own, with parameters of its own. The solution's states are `rows × observe.out_dim()`.
///
/// # Errors
/// If sizes or options do not fit.
pub fn solve_observed<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    observe: &dyn Component<T>,
    observe_params: &[T],
) -> Result<Solution<T>> {
    let dim = field.state_dim();
    problem.check(dim)?;
    if observe.in_dim() != dim || observe_params.len() != observe.param_count() {
        let expected = format!("{dim} rows, {} parameters", observe.param_count());
        let found = format!("{} rows, {} parameters", observe.in_dim(), observe_params.len());
        return Err(Error::shape("the observed function's arguments", expected, found));
    }
    let parts = map_problem(field, problem, CHUNK, |first, field, part| {
        let mut solution = integrate(field, params, part, options, &mut Recording::Nothing)?;
        solution.states = observed(observe, observe_params, &solution.states);
        Ok((first, solution))
    });
    Solution::whole(parts)
}

/// A component's values at rows of states.
fn observed<T: Real>(observe: &dyn Component<T>, params: &[T], states: &[T]) -> Vec<T> {
    let (dim, out_dim) = (observe.in_dim(), observe.out_dim());
    let rows = states.len() / dim;
    if rows == 0 {
        return Vec::new();
    }
    let transposed = |x: &[T], width: usize| {
        let height = x.len() / width;
        (0..x.len()).map(|k| x[(k % height) * width + k / height]).collect::<Vec<T>>()
    };
    let u = transposed(states, dim);
    let mut out = vec![T::zero(); out_dim * rows];
    let mut scratch = vec![T::zero(); observe.scratch_len() * rows];
    observe.eval(params, Block::new(&u, rows), BlockMut::new(&mut out, rows), &mut scratch);
    transposed(&out, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::{Lift, Scalar, SmallField};
    use crate::nn::{Activation, Mlp};
    use crate::solve::{RK4, solve};

    struct Oscillator;
    impl SmallField<2, 0> for Oscillator {
        fn rhs<S: Scalar>(&self, _t: S, [x, y]: [S; 2], []: [S; 0]) -> [S; 2] {
            [y, -x]
        }
    }

    fn many() -> (Vec<f64>, Vec<f64>, Vec<usize>, Vec<f64>) {
        let count = 21;
        let starts = (0..2 * count).map(|i| f64::from(i).cos()).collect();
        (
            vec![0.0; count as usize],
            starts,
            (0..=count as usize).collect(),
            (1..=count).map(|s| 0.3 * f64::from(s)).collect(),
        )
    }

    #[test]
    fn every_step_begins_at_the_start_and_ends_at_the_end() {
        let oscillator = Lift::<_, 2, 0>(Oscillator);
        let field = Field::with_time(&oscillator).unwrap();
        let (begins, starts, row_ptr, ends) = many();
        let problem = Problem { start_times: &begins, starts: &starts, row_ptr: &row_ptr, times: &ends };
        for options in [Options::adaptive(1e-6, 1e-6), Options::fixed(&RK4, 0.1)] {
            let steps = solve_every_step(field, &[], &problem, &options).unwrap();
            let whole = solve(field, &[], &problem, &options).unwrap();
            for (s, &end) in ends.iter().enumerate() {
                let rows = steps.row_ptr[s]..steps.row_ptr[s + 1];
                assert_eq!(rows.len(), steps.reports[s].accepted + 1);
                let times = &steps.times[rows.clone()];
                assert!(times[0] == 0.0 && times[times.len() - 1] == end && times.is_sorted());
                let last = &steps.states[2 * (rows.end - 1)..2 * rows.end];
                assert_eq!(last, &whole.states[2 * s..2 * s + 2]);
            }
        }
    }

    #[test]
    fn what_is_observed_is_the_function_of_the_states() {
        let oscillator = Lift::<_, 2, 0>(Oscillator);
        let field = Field::with_time(&oscillator).unwrap();
        let (begins, starts, row_ptr, ends) = many();
        let problem = Problem { start_times: &begins, starts: &starts, row_ptr: &row_ptr, times: &ends };
        let options = Options::adaptive(1e-6, 1e-6);
        // A linear read-out of three rows.
        let readout = Mlp::new(&[2, 3], Activation::Identity, Activation::Identity).unwrap();
        let weights = [1.0, 2.0, 3.0, 0.5, -0.5, 0.25, 0.0, 1.0, 0.0];
        let seen = solve_observed(field, &[], &problem, &options, &readout, &weights).unwrap().states;
        let states = solve(field, &[], &problem, &options).unwrap().states;
        for (seen, y) in seen.chunks(3).zip(states.chunks(2)) {
            for i in 0..3 {
                let expected = weights[i] * y[0] + weights[3 + i] * y[1] + weights[6 + i];
                assert!((seen[i] - expected).abs() < 1e-14);
            }
        }
    }
}
