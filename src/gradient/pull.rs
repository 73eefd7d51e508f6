//! Cotangents, from the outputs back to the start.

use super::replay::Replay;
use super::saltation;
use crate::dynamics::Field;
use crate::linalg::{Block, BlockMut};
use crate::solve::engine::Engine;
use crate::solve::stepper::{Back, Stepper, Within};
use crate::solve::tape::{Mark, Origin, Round};
use crate::solve::{Options, Problem, Recording, Tape};
use crate::{Error, Real, Result};

/// Cotangents of what a solve gave.
#[derive(Clone, Copy, Debug)]
pub struct Bars<'a, T> {
    /// Of the output states, `rows × dim`, one row after another. What is given for rows that a trajectory did not reach is
    /// not read.
    pub outputs: &'a [T],
    /// Of the occurrences of events, `occurrences × (1 + dim)` in the solution's order (of the time, then of the state just
    /// before a jump), or nothing.
    pub occurrences: &'a [T],
}

/// What cotangents are added to.
#[derive(Debug)]
pub struct Onto<'a, T> {
    /// Those of the field's parameters.
    pub params: &'a mut [T],
    /// Those of the numbers that the inputs are made of (see [`Inputs::numbers`](crate::dynamics::Inputs::numbers)), of all
    /// trajectories of the problem; empty if they are not wanted.
    pub inputs: &'a mut [T],
}

/// What a way back found and cost.
#[derive(Clone, Debug, Default)]
pub struct Pulled<T> {
    /// The starts' cotangents, one trajectory after another.
    pub starts: Vec<T>,
    /// Evaluations of the field and of its VJP.
    pub evaluations: usize,
}

/// Pulls cotangents of the output states (`outputs_bar`, `rows × dim`, one row after another) back through the steps
/// that [`integrate`](crate::solve::integrate()) recorded: adds to `params_bar` and returns the starts' cotangents, one
/// trajectory after another. [`pull_all`] does more.
///
/// # Errors
/// As [`pull_all`].
pub fn pull<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    recording: &mut Recording<T>,
    outputs_bar: &[T],
    params_bar: &mut [T],
) -> Result<Vec<T>> {
    let (bars, onto) = (Bars { outputs: outputs_bar, occurrences: &[] }, Onto { params: params_bar, inputs: &mut [] });
    Ok(pull_all(field, params, problem, options, recording, bars, onto)?.starts)
}

/// Pulls cotangents back through recorded steps, onto starts, parameters and inputs. Events and jumps are passed by the
/// transposes of their saltation matrices.
///
/// Field, parameters, problem and options must be those of the forward pass. A tape and checkpoints give the same bits;
/// checkpoints are used up. Cost: one VJP a recorded evaluation, and with checkpoints the rounds that are computed again.
///
/// # Errors
/// If nothing was recorded, sizes differ, or an implicit stage's equations are singular.
pub fn pull_all<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    recording: &mut Recording<T>,
    bars: Bars<T>,
    onto: Onto<T>,
) -> Result<Pulled<T>> {
    let dim = field.state_dim();
    if bars.outputs.len() != problem.times.len() * dim {
        return Err(Error::shape("output cotangents", problem.times.len() * dim, bars.outputs.len()));
    }
    problem.check(dim)?;
    problem.check_inputs(field.inputs)?;
    if params.len() != field.component.param_count() {
        return Err(Error::shape("parameters of the field", field.component.param_count(), params.len()));
    }
    if onto.params.len() != field.component.param_count() {
        return Err(Error::shape("parameter cotangents", field.component.param_count(), onto.params.len()));
    }
    let numbers = field.inputs.map_or(0, |inputs| inputs.numbers(0..problem.len()).len());
    if !onto.inputs.is_empty() && onto.inputs.len() != numbers {
        return Err(Error::shape("input cotangents", numbers, onto.inputs.len()));
    }
    let mut engine = Engine::new(field, params, *problem, options);
    let back = Back::new(&engine.stepper, problem.len(), onto.params, onto.inputs);
    let mut pass = Pass { dim, outputs_bar: bars.outputs, occurrences_bar: bars.occurrences, back, repeated: 0 };
    let mut starts = vec![T::zero(); problem.len() * dim];
    match recording {
        Recording::Nothing => {
            return Err(Error::config(
                "this pass recorded nothing",
                "record a tape or checkpoints to pull cotangents back",
            ));
        }
        Recording::Tape(tape) => {
            tape.start.check(engine.shape())?;
            pass.check_occurrences(tape.occurrences())?;
            pass.rounds(&mut engine.stepper, tape);
            pass.start(&engine.stepper, &tape.start, &mut starts);
        }
        Recording::Checkpoints(kept) => {
            kept.start.check(engine.shape())?;
            pass.check_occurrences(kept.occurrences)?;
            Replay::run(&mut engine, &mut pass, kept, problem.len());
            pass.start(&engine.stepper, &kept.start, &mut starts);
            // Without its states the recording is that of no pass.
            kept.start.shape = None;
        }
    }
    if pass.back.singular {
        return Err(Error::config(
            "the equations of an implicit stage cannot be solved on the way back",
            "shorten the steps, or choose another method",
        ));
    }
    Ok(Pulled { starts, evaluations: pass.back.evaluations + pass.repeated })
}

/// One way back.
pub(super) struct Pass<'a, T> {
    dim: usize,
    pub outputs_bar: &'a [T],
    occurrences_bar: &'a [T],
    back: Back<'a, T>,
    /// Evaluations that were made again.
    pub repeated: usize,
}

impl<T: Real> Pass<'_, T> {
    fn check_occurrences(&self, happened: usize) -> Result<()> {
        let (expected, found) = (happened * (1 + self.dim), self.occurrences_bar.len());
        if found == 0 || found == expected {
            Ok(())
        } else {
            Err(Error::shape("cotangents of occurrences", expected, found))
        }
    }

    pub fn rounds(&mut self, stepper: &mut Stepper<T>, tape: &Tape<T>) {
        for round in tape.rounds.iter().rev() {
            if let Some(kept) = &round.kept {
                self.back.readmit(&tape.kept[kept.clone()], round.lanes);
            } else if self.back.state.is_empty() {
                self.back.readmit(&[], round.lanes);
            }
            let mut within = Vec::new();
            for mark in tape.marks[round.marks.clone()].iter().rev() {
                within.extend(self.mark(stepper, mark, round));
            }
            for output in &tape.outputs[round.outputs.clone()] {
                let bar = self.outputs_bar[output.row * self.dim..][..self.dim].to_vec();
                within.push(Within { lane: output.lane, theta: output.theta, bar });
            }
            self.back.round(stepper, tape, round, &within);
        }
    }

    /// Takes one lane's cotangents to before an event or a kink. What reaches the continuous extension is returned.
    fn mark(&mut self, stepper: &Stepper<T>, mark: &Mark<T>, round: &Round) -> Option<Within<T>> {
        let (dim, lanes, lane) = (self.dim, round.lanes, mark.lane);
        let component = stepper.field.component;
        let column = |block: &[T]| (0..dim).map(|i| block[i * lanes + lane]).collect::<Vec<T>>();
        if let Some((slab, place)) = &mark.restart {
            let (w, back) = (column(&self.back.slope), &mut self.back);
            let (slab, out) = (Block { data: slab, lanes: 1 }, &mut back.arguments[..component.in_dim()]);
            let (out, onto) = (BlockMut::new(out, 1), Some(&mut *back.params_bar));
            component.vjp(stepper.params, slab, Block::new(&w, 1), out, onto, &mut back.scratch);
            back.pull_inputs(stepper, *place, 0, 1);
            back.evaluations += 1;
            for i in 0..dim {
                back.state[i * lanes + lane] += back.arguments[i];
                back.slope[i * lanes + lane] = T::zero();
            }
        }
        let event = mark.event.as_ref()?;
        let own = self.occurrences_bar.get(event.occurrence * (1 + dim)..(event.occurrence + 1) * (1 + dim));
        let (time, state) = own.map_or((T::zero(), vec![T::zero(); dim]), |bar| (bar[0], bar[1..].to_vec()));
        let after = event.jump.as_ref().map(|_| column(&self.back.state));
        let params_bar = &mut *self.back.params_bar;
        let bar = saltation::pull(&stepper.field, event, stepper.params, (time, state), after.as_deref(), params_bar);
        if let Some(theta) = event.theta {
            return Some(Within { lane, theta, bar });
        }
        // Only a jump comes between the state before and the state that goes on.
        let jumped = event.jump.is_some();
        for (i, &bar) in bar.iter().enumerate() {
            let state = &mut self.back.state[i * lanes + lane];
            *state = if jumped { bar } else { *state + bar };
        }
        None
    }

    fn start(&mut self, stepper: &Stepper<T>, start: &Origin<T>, starts_bar: &mut [T]) {
        let (dim, lanes, back) = (self.dim, start.ids.len(), &mut self.back);
        if lanes > 0 {
            let component = stepper.field.component;
            component.vjp(
                stepper.params,
                Block::new(&start.slab, lanes),
                Block::new(&back.slope, lanes),
                BlockMut::new(&mut back.arguments[..component.in_dim() * lanes], lanes),
                Some(back.params_bar),
                &mut back.scratch,
            );
            start.places.iter().enumerate().for_each(|(lane, &at)| back.pull_inputs(stepper, at, lane, lanes));
            back.evaluations += lanes;
            for (lane, &id) in start.ids.iter().enumerate() {
                for i in 0..dim {
                    let at = i * lanes + lane;
                    starts_bar[id * dim + i] = back.state[at] + back.arguments[at];
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
