//! One pass over all trajectories on one thread.

use super::engine::Engine;
use super::{Options, Problem, Recording, Report, Solution};
use crate::dynamics::{Component, Field};
use crate::{Error, Real, Result};

/// Integrates every trajectory of the problem, all side by side on this thread, and keeps what `recording` asks for.
/// [`solve`](super::solve) does the same for problems of any size, in chunks over threads.
///
/// # Errors
/// If sizes or options do not fit. A trajectory that fails does not stop the others: its report says why.
pub fn integrate<T: Real, C: Component<T> + ?Sized>(
    field: Field<T, C>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    recording: &mut Recording<T>,
) -> Result<Solution<T>> {
    let dim = field.state_dim();
    problem.check(dim)?;
    options.check()?;
    if params.len() != field.component.param_count() {
        return Err(Error::shape("parameters of the field", field.component.param_count(), params.len()));
    }
    let mut solution = Solution {
        states: vec![T::of(f64::NAN); problem.times.len() * dim],
        reports: vec![Report::default(); problem.len()],
        occurrences: Vec::new(),
    };
    let mut engine = Engine::new(field, params, *problem, options);
    match recording {
        Recording::Nothing => {
            let mut lanes = engine.begin(&mut solution, None);
            while engine.round(&mut lanes, &mut solution, None) {}
        }
        Recording::Tape(tape) => {
            tape.clear();
            let mut lanes = engine.begin(&mut solution, Some(&mut tape.start));
            while engine.round(&mut lanes, &mut solution, Some(tape)) {}
        }
        Recording::Checkpoints(checkpoints) => {
            checkpoints.saved.clear();
            let mut lanes = engine.begin(&mut solution, Some(&mut checkpoints.start));
            checkpoints.since = 0;
            loop {
                if checkpoints.since == checkpoints.every || checkpoints.saved.is_empty() {
                    checkpoints.saved.push(lanes.clone());
                    checkpoints.since = 0;
                }
                checkpoints.since += 1;
                if !engine.round(&mut lanes, &mut solution, None) {
                    break;
                }
            }
            checkpoints.occurrences = solution.occurrences.len();
        }
    }
    Ok(solution)
}
