//! One pass over all trajectories on one thread.

use super::engine::Engine;
use super::{Options, Problem, Recording, Report, Solution, Tape};
use crate::dynamics::{Field, Tangent};
use crate::linalg::{Block, BlockMut};
use crate::{Error, Real, Result};

/// Integrates every trajectory of the problem, all side by side on this thread, and keeps what `recording` asks for.
/// [`solve`](super::solve) does the same for problems of any size, in chunks over threads.
///
/// # Errors
/// If sizes or options do not fit. A trajectory that fails does not stop the others: its report says why.
pub fn integrate<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    recording: &mut Recording<T>,
) -> Result<Solution<T>> {
    let mut solution = checked(field, params, problem, options)?;
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
        Recording::Checkpoints(kept) => {
            let mut lanes = engine.begin(&mut solution, Some(&mut kept.start));
            kept.begin(&engine, &lanes);
            while !lanes.ids.is_empty() {
                kept.prepare(&lanes);
                engine.round(&mut lanes, &mut solution, kept.tape());
            }
            kept.note_bytes();
            kept.occurrences = solution.occurrences.len();
        }
    }
    Ok(solution)
}

/// Integrates a problem once more through the steps on a tape, whatever the error: the same problem with other starts or
/// parameters.
///
/// # Errors
/// If sizes or options do not fit, the tape is that of another problem, or the field has events, whose steps depend on the
/// state.
pub fn integrate_along<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    tape: &Tape<T>,
) -> Result<Solution<T>> {
    let mut solution = checked(field, params, problem, options)?;
    tape.start.check([problem.len(), problem.times.len(), field.state_dim(), field.component.slab_len()])?;
    if !field.events.is_empty() {
        return Err(Error::config("events cut steps where the state says", "integrate anew, without a tape"));
    }
    let mut engine = Engine::new(field, params, *problem, options);
    let mut lanes = engine.begin(&mut solution, None);
    for round in &tape.rounds {
        engine.round_along(&mut lanes, &mut solution, tape, round);
    }
    Ok(solution)
}

/// Checks everything, and makes room for the outputs.
pub(crate) fn checked<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
) -> Result<Solution<T>> {
    let dim = field.state_dim();
    problem.check(dim)?;
    problem.check_inputs(field.inputs)?;
    options.check()?;
    if params.len() != field.component.param_count() {
        return Err(Error::shape("parameters of the field", field.component.param_count(), params.len()));
    }
    if options.method.is_partitioned() {
        check_separable(field, params, problem)?;
    }
    Ok(Solution {
        states: vec![T::of(f64::NAN); problem.times.len() * dim],
        reports: vec![Report::default(); problem.len()],
        occurrences: Vec::new(),
    })
}

/// Refuses a field that is not separable at some start: with the state as positions then momenta, the rates of the
/// positions must not depend on positions, nor those of the momenta on momenta.
fn check_separable<T: Real>(field: Field<T>, params: &[T], problem: &Problem<T>) -> Result<()> {
    let (dim, component) = (field.state_dim(), field.component);
    let refused = |what: String| {
        Err(Error::config(
            what,
            "choose a method for any system, such as rk4 or dopri5, or write it so that it separates",
        ))
    };
    if !dim.is_multiple_of(2) {
        return refused(format!(
            "a symplectic method needs positions and momenta in pairs, and the state has {dim} rows"
        ));
    }
    let mut arguments = vec![T::zero(); component.in_dim()];
    let mut inputs = vec![T::zero(); field.inputs.map_or(0, |x| x.dim())];
    let mut slab = vec![T::zero(); component.slab_len()];
    let mut scratch = vec![T::zero(); component.scratch_len() * dim];
    let (mut value, mut jacobian) = (vec![T::zero(); dim], vec![T::zero(); dim * dim]);
    let mut directions = vec![T::zero(); component.in_dim() * dim];
    (0..dim).for_each(|e| directions[e * dim + e] = T::one());
    for (s, &t) in problem.start_times.iter().enumerate() {
        arguments[..dim].copy_from_slice(&problem.starts[s * dim..(s + 1) * dim]);
        let piece = field.inputs.map_or(0, |inputs| inputs.kinks(s).partition_point(|&kink| kink <= t));
        field.fill_arguments(&[s], &[piece], |_| t, &mut arguments, &mut inputs);
        let (out, keep) = (BlockMut::new(&mut value, 1), BlockMut { data: &mut slab, lanes: 1 });
        component.linearize(params, Block::new(&arguments, 1), out, keep, &mut scratch);
        let (slab, tangent) = (Block { data: &slab, lanes: 1 }, Tangent::from(Block::new(&directions, dim)));
        component.jvp(params, slab, tangent, BlockMut::new(&mut jacobian, dim), &mut scratch);
        let half = |i: usize| i / (dim / 2);
        let mixed = (0..dim * dim).find(|&k| half(k / dim) == half(k % dim) && jacobian[k] != T::zero());
        if let Some((row, by)) = mixed.map(|k| (k / dim, k % dim)) {
            return refused(format!(
                "a symplectic method needs a separable system, and the rate of component {row} depends on {by}"
            ));
        }
    }
    Ok(())
}
