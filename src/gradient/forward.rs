//! Forward sensitivities: tangents of everything, pushed along with the forward pass.

use super::push::Pushing;
use crate::dynamics::Field;
use crate::solve::engine::Engine;
use crate::solve::integrate::checked;
use crate::solve::{Options, Problem, Solution, Tape};
use crate::{Real, Result};

/// Integrates a problem together with a tangent for every parameter and every component of the start. Returns the
/// solution, the tangents of the output states (`(parameters + dim) × rows × dim`) and the JVPs it took.
///
/// # Errors
/// If sizes or options do not fit.
pub(super) fn sensitivities<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
) -> Result<(Solution<T>, Vec<T>, usize)> {
    let (dim, count) = (field.state_dim(), params.len());
    let groups = count + dim;
    let mut starts_dot = vec![T::zero(); groups * problem.len() * dim];
    for i in 0..dim {
        let group = &mut starts_dot[(count + i) * problem.len() * dim..][..problem.len() * dim];
        group.iter_mut().skip(i).step_by(dim).for_each(|x| *x = T::one());
    }
    let mut params_dot = vec![T::zero(); groups * count];
    (0..count).for_each(|p| params_dot[p * count + p] = T::one());

    let mut solution = checked(field, params, problem, options)?;
    let mut engine = Engine::new(field, params, *problem, options);
    let mut tape = Tape::default();
    let mut lanes = engine.begin(&mut solution, Some(&mut tape.start));
    let mut pushing = Pushing::new(&engine.stepper, problem, &tape.start, &starts_dot, Some(&params_dot));
    let mut pushes = 0;
    while !lanes.ids.is_empty() {
        tape.clear();
        engine.round(&mut lanes, &mut solution, Some(&mut tape));
        for round in &tape.rounds {
            pushing.round(&mut engine.stepper, &tape, round);
            pushes += groups * round.lanes * (engine.stepper.method.stages - 1);
        }
    }
    Ok((solution, pushing.finish().outputs, pushes))
}
