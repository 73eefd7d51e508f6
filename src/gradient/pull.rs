//! Cotangents, from the outputs back to the start.

use crate::dynamics::{Component, Field};
use crate::linalg::{self, Block, BlockMut};
use crate::solve::engine::Engine;
use crate::solve::{Options, Problem, Recording, Report, Solution};
use crate::solve::{Origin, Tape};
use crate::{Error, Real, Result};

/// Pulls cotangents of the output states (`outputs_bar`, `rows × dim`, one row after another) back through the steps
/// that [`integrate`](crate::solve::integrate) recorded: adds to `params_bar` and returns the starts' cotangents, one
/// trajectory after another.
///
/// Field, parameters, problem and options must be those of the forward pass. A tape and checkpoints give the same bits.
/// Cost: one VJP a recorded evaluation, and with checkpoints one more forward pass. Rows that a failed trajectory did
/// not reach take no part; give them zero.
///
/// # Errors
/// If nothing was recorded or sizes differ.
pub fn pull<T: Real, C: Component<T> + ?Sized>(
    field: Field<T, C>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    recording: &mut Recording<T>,
    outputs_bar: &[T],
    params_bar: &mut [T],
) -> Result<Vec<T>> {
    let dim = field.state_dim();
    if outputs_bar.len() != problem.times.len() * dim {
        return Err(Error::shape("output cotangents", problem.times.len() * dim, outputs_bar.len()));
    }
    problem.check(dim)?;
    if params.len() != field.component.param_count() {
        return Err(Error::shape("parameters of the field", field.component.param_count(), params.len()));
    }
    if params_bar.len() != field.component.param_count() {
        return Err(Error::shape("parameter cotangents", field.component.param_count(), params_bar.len()));
    }
    let mut engine = Engine::new(field, params, *problem, options);
    let mut back = Back::new(&engine, problem.len(), outputs_bar, params_bar);
    let mut starts_bar = vec![T::zero(); problem.len() * dim];
    match recording {
        Recording::Nothing => {
            return Err(Error::config(
                "this pass recorded nothing",
                "record a tape or checkpoints to pull cotangents back",
            ));
        }
        Recording::Tape(tape) => {
            back.rounds(&engine, tape);
            back.start(&engine, &tape.start, &mut starts_bar);
        }
        Recording::Checkpoints(checkpoints) => {
            // The replayed stretches write their outputs and counts here; they are known already.
            let mut again = Solution {
                states: vec![T::zero(); outputs_bar.len()],
                reports: vec![Report::default(); problem.len()],
            };
            for saved in checkpoints.saved.iter().rev() {
                let (mut lanes, tape) = (saved.clone(), &mut checkpoints.tape);
                tape.clear();
                for _ in 0..checkpoints.every {
                    if !engine.round(&mut lanes, &mut again, Some(tape)) {
                        break;
                    }
                }
                back.rounds(&engine, tape);
            }
            back.start(&engine, &checkpoints.start, &mut starts_bar);
        }
    }
    Ok(starts_bar)
}

/// The cotangents on their way back.
struct Back<'a, T> {
    dim: usize,
    outputs_bar: &'a [T],
    params_bar: &'a mut [T],
    /// Cotangent of the state, `dim × lanes`.
    state: Vec<T>,
    /// Cotangent of the field at that state, which the step before computed as its last stage, `dim × lanes`.
    slope: Vec<T>,
    /// Cotangents of the stages, `stages × (dim × lanes)`.
    stages: Vec<T>,
    /// Cotangent of the state at the beginning of a step.
    begin: Vec<T>,
    /// Cotangent of a stage's arguments.
    arguments: Vec<T>,
    scratch: Vec<T>,
    spread: Vec<T>,
}

impl<'a, T: Real> Back<'a, T> {
    fn new<C: Component<T> + ?Sized>(
        engine: &Engine<T, C>,
        lanes: usize,
        outputs_bar: &'a [T],
        params_bar: &'a mut [T],
    ) -> Self {
        let dim = engine.field.state_dim();
        let component = engine.field.component;
        Self {
            dim,
            outputs_bar,
            params_bar,
            state: Vec::new(),
            slope: Vec::new(),
            stages: vec![T::zero(); engine.method.stages * dim * lanes],
            begin: vec![T::zero(); dim * lanes],
            arguments: vec![T::zero(); component.in_dim() * lanes],
            scratch: vec![T::zero(); component.scratch_len() * lanes],
            spread: Vec::new(),
        }
    }

    fn rounds<C: Component<T> + ?Sized>(&mut self, engine: &Engine<T, C>, tape: &Tape<T>) {
        for round in tape.rounds.iter().rev() {
            if let Some(kept) = &round.kept {
                self.readmit(&tape.kept[kept.clone()], round.lanes);
            } else if self.state.is_empty() {
                self.readmit(&[], round.lanes);
            }
            self.round(engine, tape, round);
        }
    }

    /// Makes room for the lanes that left after a round: nothing depends on where they went from there.
    fn readmit(&mut self, kept: &[usize], lanes: usize) {
        for x in [&mut self.state, &mut self.slope] {
            self.spread.clear();
            self.spread.resize(self.dim * lanes, T::zero());
            for i in 0..self.dim {
                for (from, &to) in kept.iter().enumerate() {
                    self.spread[i * lanes + to] = x[i * kept.len() + from];
                }
            }
            std::mem::swap(x, &mut self.spread);
        }
    }

    fn round<C: Component<T> + ?Sized>(&mut self, engine: &Engine<T, C>, tape: &Tape<T>, round: &crate::solve::Round) {
        let (dim, lanes, method) = (self.dim, round.lanes, &engine.method);
        let block = dim * lanes;
        let steps = &tape.steps[round.first..][..lanes];
        let accepted = &tape.accepted[round.first..][..lanes];
        let last = method.stages - 1;
        let slab_len = engine.field.component.slab_len() * lanes;

        // What reaches the step's result, and what reaches the stages from the outputs and from the next step.
        self.stages[..method.stages * block].fill(T::zero());
        self.begin[..block].fill(T::zero());
        for output in &tape.outputs[round.outputs.clone()] {
            let bar = &self.outputs_bar[output.row * dim..][..dim];
            for (i, &bar) in bar.iter().enumerate() {
                self.begin[i * lanes + output.lane] += bar;
            }
            for j in 0..method.stages {
                let weight = steps[output.lane] * method.dense_weight(j, output.theta);
                for (i, &bar) in bar.iter().enumerate() {
                    self.stages[(j * dim + i) * lanes + output.lane] += weight * bar;
                }
            }
        }
        for i in 0..block {
            if accepted[i % lanes] {
                self.stages[last * block + i] += self.slope[i];
            }
        }
        for j in (1..=last).rev() {
            let (before, at) = self.stages.split_at_mut(j * block);
            let first = round.slabs + (j - 1) * slab_len;
            let component = engine.field.component;
            component.vjp(
                engine.params,
                Block::new(&tape.slabs[first..first + slab_len], lanes),
                Block::new(&at[..block], lanes),
                BlockMut::new(&mut self.arguments[..component.in_dim() * lanes], lanes),
                Some(self.params_bar),
                &mut self.scratch,
            );
            let stage_state = &mut self.arguments[..block];
            if j == last {
                for i in 0..block {
                    if accepted[i % lanes] {
                        stage_state[i] += self.state[i];
                    }
                }
            }
            for &(l, a) in &method.a[j] {
                linalg::scaled_add(a, steps, stage_state, &mut before[l * block..(l + 1) * block]);
            }
            self.begin[..block].iter_mut().zip(&*stage_state).for_each(|(b, &s)| *b += s);
        }
        for i in 0..block {
            if accepted[i % lanes] {
                self.state[i] = self.begin[i];
                self.slope[i] = self.stages[i];
            } else {
                // A refused attempt passes cotangents by, but shares its first stage with the next.
                debug_assert!(self.stages[i] == T::zero());
            }
        }
    }

    fn start<C: Component<T> + ?Sized>(&mut self, engine: &Engine<T, C>, start: &Origin<T>, starts_bar: &mut [T]) {
        let (dim, lanes) = (self.dim, start.ids.len());
        if lanes > 0 {
            let component = engine.field.component;
            component.vjp(
                engine.params,
                Block::new(&start.slab, lanes),
                Block::new(&self.slope, lanes),
                BlockMut::new(&mut self.arguments[..component.in_dim() * lanes], lanes),
                Some(self.params_bar),
                &mut self.scratch,
            );
            for (lane, &id) in start.ids.iter().enumerate() {
                for i in 0..dim {
                    let at = i * lanes + lane;
                    starts_bar[id * dim + i] = self.state[at] + self.arguments[at];
                }
            }
        }
        for &(id, row) in &start.outputs {
            for i in 0..dim {
                starts_bar[id * dim + i] += self.outputs_bar[row * dim + i];
            }
        }
    }
}
