//! Iterating maps: the same problem and solution as for flows, with steps for times.

use super::{Cause, Failure, Problem, Reason, Report, Solution};
use crate::dynamics::Component;
use crate::linalg::{Block, BlockMut};
use crate::{Error, Real, Result};

/// Iterates `y ← g(y; θ)`, or `y ← g(y, t; θ)` where the map takes a row more than it gives: `t` counts the steps. Start
/// and output times are whole numbers. Each trajectory may take `max_steps` steps; every step is one evaluation.
///
/// # Errors
/// If sizes do not fit, or a time is not a whole number of steps at or after its start. A trajectory that fails is
/// reported in the solution, as by [`solve`](super::solve).
pub fn iterate<T: Real, C: Component<T> + ?Sized>(
    map: &C,
    params: &[T],
    problem: &Problem<T>,
    max_steps: usize,
) -> Result<Solution<T>> {
    let dim = map.out_dim();
    if map.in_dim() != dim && map.in_dim() != dim + 1 {
        return Err(Error::shape("arguments of a map (state, step)", format!("{dim} or {}", dim + 1), map.in_dim()));
    }
    if params.len() != map.param_count() {
        return Err(Error::shape("parameters of the map", map.param_count(), params.len()));
    }
    problem.check(dim)?;
    check_steps(problem)?;
    let mut walker =
        Walker { map, params, u: vec![T::zero(); map.in_dim()], scratch: vec![T::zero(); map.scratch_len()] };
    let mut whole = Solution {
        states: vec![T::of(f64::NAN); problem.times.len() * dim],
        reports: Vec::with_capacity(problem.len()),
        occurrences: Vec::new(),
    };
    for s in 0..problem.len() {
        let mut report = Report::default();
        let mut step = problem.start_times[s];
        let mut state = problem.starts[s * dim..(s + 1) * dim].to_vec();
        'rows: for row in problem.row_ptr[s]..problem.row_ptr[s + 1] {
            while step < problem.times[row] {
                let ended = if report.accepted == max_steps {
                    Some((Reason::TooManySteps, Cause::Allowance))
                } else {
                    report.accepted += 1;
                    walker.step(step, &mut state);
                    let lost = state.iter().position(|y| !y.is_finite());
                    lost.map(|component| (Reason::NotFinite { component }, Cause::BlowUp))
                };
                if let Some((reason, cause)) = ended {
                    report.failure = Some(Failure { time: step.f64(), step: 1.0, reason, cause });
                    break 'rows;
                }
                step += T::one();
            }
            whole.states[row * dim..(row + 1) * dim].copy_from_slice(&state);
        }
        report.evaluations = report.accepted;
        whole.reports.push(report);
    }
    Ok(whole)
}

fn check_steps<T: Real>(problem: &Problem<T>) -> Result<()> {
    // Beyond this, one more step is no longer another number.
    let most = T::one() / T::default_epsilon();
    for s in 0..problem.len() {
        let times = &problem.times[problem.row_ptr[s]..problem.row_ptr[s + 1]];
        let wrong = |t: &&T| t.fract() != T::zero() || t.abs() > most || **t < problem.start_times[s];
        if let Some(t) = std::iter::once(&problem.start_times[s]).chain(times).find(wrong) {
            return Err(Error::config(
                format!("a map has no step {t}"),
                "give whole numbers of steps, none before the start",
            ));
        }
    }
    Ok(())
}

/// A map with its buffers.
struct Walker<'a, T, C: ?Sized> {
    map: &'a C,
    params: &'a [T],
    u: Vec<T>,
    scratch: Vec<T>,
}

impl<T: Real, C: Component<T> + ?Sized> Walker<'_, T, C> {
    fn step(&mut self, time: T, state: &mut [T]) {
        self.u[..state.len()].copy_from_slice(state);
        self.u[state.len()..].fill(time);
        self.map.eval(self.params, Block::new(&self.u, 1), BlockMut::new(state, 1), &mut self.scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::{LiftMap, Scalar, SmallMap};

    /// Doubles and adds the step's number.
    struct Counted;
    impl SmallMap<1, 1, 1> for Counted {
        fn at<S: Scalar>(&self, t: S, [x]: [S; 1], [a]: [S; 1]) -> [S; 1] {
            [a * x + t]
        }
    }

    const MAP: LiftMap<Counted, 1, 1, 1> = LiftMap(Counted);

    #[test]
    fn outputs_are_the_states_after_so_many_steps() {
        let problem = Problem {
            start_times: &[0.0, 3.0],
            starts: &[1.0, 0.0],
            row_ptr: &[0, 3, 4],
            times: &[0.0, 1.0, 3.0, 4.0],
        };
        let solution = iterate(&MAP, &[2.0], &problem, 10).unwrap();
        assert_eq!(solution.states, [1.0, 2.0, 12.0, 3.0]);
        assert_eq!((solution.reports[0].accepted, solution.reports[1].evaluations), (3, 1));
    }

    #[test]
    fn what_cannot_go_on_is_reported_with_the_part_before_it() {
        let problem = Problem { start_times: &[0.0], starts: &[1.0], row_ptr: &[0, 2], times: &[1.0, 9.0] };
        let overflow = iterate(&MAP, &[1e100], &problem, 100).unwrap();
        assert!(overflow.states[0] == 1e100 && f64::is_nan(overflow.states[1]));
        let failure = overflow.reports[0].failure.unwrap();
        assert_eq!((failure.time, failure.reason), (3.0, Reason::NotFinite { component: 0 }));
        let short = iterate(&MAP, &[1.0], &problem, 5).unwrap();
        assert_eq!(short.reports[0].failure.as_ref().map(|f| (f.time, f.reason)), Some((5.0, Reason::TooManySteps)));
    }

    #[test]
    fn times_that_are_no_steps_are_refused() {
        for (start, times) in [(0.0, [0.5, 1.0]), (0.5, [1.0, 2.0]), (0.0, [1.0, 1e17]), (0.0, [-1.0, -2.0])] {
            let problem = Problem { start_times: &[start], starts: &[1.0], row_ptr: &[0, 2], times: &times };
            assert!(iterate(&MAP, &[1.0], &problem, 5).unwrap_err().to_string().contains("whole numbers of steps"));
        }
    }
}
