//! Tangents, from the start forward to the outputs.

use crate::dynamics::{Component, Field, Tangent};
use crate::linalg::{self, Block, BlockMut};
use crate::solve::engine::Engine;
use crate::solve::{Options, Problem, Round, Tape};
use crate::{Error, Real, Result};

/// Pushes one direction a trajectory through recorded steps: `starts_dot` (one trajectory after another) and, where
/// wanted, `params_dot`, the same direction in the parameters for every trajectory. Returns the outputs' tangents,
/// `rows × dim`.
///
/// Cost: one JVP a recorded evaluation.
///
/// # Errors
/// If sizes differ.
pub fn push<T: Real, C: Component<T> + ?Sized>(
    field: Field<T, C>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    tape: &Tape<T>,
    starts_dot: &[T],
    params_dot: Option<&[T]>,
) -> Result<Vec<T>> {
    let dim = field.state_dim();
    if starts_dot.len() != problem.len() * dim {
        return Err(Error::shape("start tangents", problem.len() * dim, starts_dot.len()));
    }
    problem.check(dim)?;
    if params.len() != field.component.param_count() {
        return Err(Error::shape("parameters of the field", field.component.param_count(), params.len()));
    }
    if let Some(direction) = params_dot.filter(|d| d.len() != params.len()) {
        return Err(Error::shape("parameter tangent", params.len(), direction.len()));
    }
    let engine = Engine::new(field, params, *problem, options);
    let mut outputs = vec![T::zero(); problem.times.len() * dim];
    for &(id, row) in &tape.start.outputs {
        outputs[row * dim..][..dim].copy_from_slice(&starts_dot[id * dim..][..dim]);
    }
    let lanes = tape.start.ids.len();
    if lanes == 0 {
        return Ok(outputs);
    }
    let component = field.component;
    let mut ahead = Ahead {
        state: vec![T::zero(); dim * lanes],
        slope: vec![T::zero(); dim * lanes],
        stages: vec![T::zero(); engine.method.stages * dim * lanes],
        arguments: vec![T::zero(); component.in_dim() * lanes],
        params: params_dot.map(|d| d.iter().flat_map(|&d| std::iter::repeat_n(d, lanes)).collect()),
        scratch: vec![T::zero(); component.scratch_len() * lanes],
    };
    for (lane, &id) in tape.start.ids.iter().enumerate() {
        (0..dim).for_each(|i| ahead.state[i * lanes + lane] = starts_dot[id * dim + i]);
    }
    ahead.arguments[..dim * lanes].copy_from_slice(&ahead.state);
    let mut slope = std::mem::take(&mut ahead.slope);
    ahead.jvp(&engine, Block::new(&tape.start.slab, lanes), &mut slope);
    ahead.slope = slope;
    for round in &tape.rounds {
        ahead.round(&engine, tape, round, &mut outputs);
        if let Some(kept) = &round.kept {
            ahead.keep(&tape.kept[kept.clone()], round.lanes);
        }
    }
    Ok(outputs)
}

/// The tangents on their way, blocks of one lane a trajectory.
struct Ahead<T> {
    state: Vec<T>,
    slope: Vec<T>,
    stages: Vec<T>,
    arguments: Vec<T>,
    params: Option<Vec<T>>,
    scratch: Vec<T>,
}

impl<T: Real> Ahead<T> {
    fn jvp<C: Component<T> + ?Sized>(&mut self, engine: &Engine<T, C>, slab: Block<T>, out: &mut [T]) {
        let (component, lanes) = (engine.field.component, slab.lanes);
        let tangent = Tangent {
            arguments: Block::new(&self.arguments[..component.in_dim() * lanes], lanes),
            params: self.params.as_ref().map(|p| Block::new(&p[..component.param_count() * lanes], lanes)),
        };
        component.jvp(engine.params, slab, tangent, BlockMut::new(out, lanes), &mut self.scratch);
    }

    fn round<C: Component<T> + ?Sized>(
        &mut self,
        engine: &Engine<T, C>,
        tape: &Tape<T>,
        round: &Round,
        outputs: &mut [T],
    ) {
        let (dim, lanes, method) = (engine.field.state_dim(), round.lanes, &engine.method);
        let block = dim * lanes;
        let steps = &tape.steps[round.first..][..lanes];
        let slab_len = engine.field.component.slab_len() * lanes;
        let mut stages = std::mem::take(&mut self.stages);
        stages[..block].copy_from_slice(&self.slope);
        for j in 1..method.stages {
            let (known, unknown) = stages.split_at_mut(j * block);
            // Inputs and time below the state do not vary: their rows stay zero.
            linalg::combine(&self.state, steps, &method.a[j], known, block, &mut self.arguments[..block]);
            let first = round.slabs + (j - 1) * slab_len;
            self.jvp(engine, Block::new(&tape.slabs[first..first + slab_len], lanes), &mut unknown[..block]);
        }
        for output in &tape.outputs[round.outputs.clone()] {
            for i in 0..dim {
                let mut sum = T::zero();
                for j in 0..method.stages {
                    sum += method.dense_weight(j, output.theta) * stages[(j * dim + i) * lanes + output.lane];
                }
                outputs[output.row * dim + i] = self.state[i * lanes + output.lane] + steps[output.lane] * sum;
            }
        }
        for i in 0..block {
            if tape.accepted[round.first + i % lanes] {
                self.state[i] = self.arguments[i];
                self.slope[i] = stages[(method.stages - 1) * block + i];
            }
        }
        self.stages = stages;
    }

    fn keep(&mut self, kept: &[usize], lanes: usize) {
        let pack = |x: &mut Vec<T>| {
            let rows = x.len() / lanes;
            for i in 0..rows {
                for (to, &from) in kept.iter().enumerate() {
                    x[i * kept.len() + to] = x[i * lanes + from];
                }
            }
            x.truncate(rows * kept.len());
        };
        pack(&mut self.state);
        pack(&mut self.slope);
        self.arguments.fill(T::zero());
        if let Some(params) = &mut self.params {
            pack(params);
        }
    }
}
