//! Cotangents, from the outputs back to the start.

use super::saltation;
use crate::dynamics::Field;
use crate::linalg::{Block, BlockMut};
use crate::solve::engine::Engine;
use crate::solve::stepper::{Back, Stepper, Within};
use crate::solve::tape::{Mark, Origin, Round};
use crate::solve::{Options, Problem, Recording, Report, Solution, Tape};
use crate::{Error, Real, Result};

/// Pulls cotangents of the output states (`outputs_bar`, `rows × dim`, one row after another) back through the steps
/// that [`integrate`](crate::solve::integrate) recorded: adds to `params_bar` and returns the starts' cotangents, one
/// trajectory after another. Events and jumps are passed by the transposes of their saltation matrices.
///
/// Field, parameters, problem and options must be those of the forward pass. A tape and checkpoints give the same bits.
/// Cost: one VJP a recorded evaluation, and with checkpoints one more forward pass. What is given for rows that a trajectory
/// did not reach is not read.
///
/// # Errors
/// If nothing was recorded or sizes differ.
pub fn pull<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    recording: &mut Recording<T>,
    outputs_bar: &[T],
    params_bar: &mut [T],
) -> Result<Vec<T>> {
    pull_with_events(field, params, problem, options, recording, (outputs_bar, &[]), params_bar)
}

/// [`pull`] with cotangents of the occurrences of events too: `bars` is that of the outputs and that of the occurrences,
/// `occurrences × (1 + dim)` in the solution's order (of the time, then of the state just before a jump), or nothing.
///
/// # Errors
/// As [`pull`].
pub fn pull_with_events<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    recording: &mut Recording<T>,
    bars: (&[T], &[T]),
    params_bar: &mut [T],
) -> Result<Vec<T>> {
    let dim = field.state_dim();
    if bars.0.len() != problem.times.len() * dim {
        return Err(Error::shape("output cotangents", problem.times.len() * dim, bars.0.len()));
    }
    problem.check(dim)?;
    if params.len() != field.component.param_count() {
        return Err(Error::shape("parameters of the field", field.component.param_count(), params.len()));
    }
    if params_bar.len() != field.component.param_count() {
        return Err(Error::shape("parameter cotangents", field.component.param_count(), params_bar.len()));
    }
    let mut engine = Engine::new(field, params, *problem, options);
    let back = Back::new(&engine.stepper, problem.len(), params_bar);
    let mut pass = Pass { dim, outputs_bar: bars.0, occurrences_bar: bars.1, back };
    let mut starts_bar = vec![T::zero(); problem.len() * dim];
    match recording {
        Recording::Nothing => {
            return Err(Error::config(
                "this pass recorded nothing",
                "record a tape or checkpoints to pull cotangents back",
            ));
        }
        Recording::Tape(tape) => {
            tape.start.check(problem.times.len())?;
            pass.check_occurrences(tape.occurrences())?;
            pass.rounds(&mut engine.stepper, tape);
            pass.start(&engine.stepper, &tape.start, &mut starts_bar);
        }
        Recording::Checkpoints(checkpoints) => {
            checkpoints.start.check(problem.times.len())?;
            pass.check_occurrences(checkpoints.occurrences)?;
            // The replayed stretches write their outputs and counts here; they are known already.
            let mut again = Solution {
                states: vec![T::zero(); bars.0.len()],
                reports: vec![Report::default(); problem.len()],
                occurrences: Vec::new(),
            };
            let mut happened = checkpoints.occurrences;
            for saved in checkpoints.saved.iter().rev() {
                let (mut lanes, tape) = (saved.clone(), &mut checkpoints.tape);
                tape.clear();
                again.occurrences.clear();
                for _ in 0..checkpoints.every {
                    if !engine.round(&mut lanes, &mut again, Some(tape)) {
                        break;
                    }
                }
                // Numbers of occurrences count from the stretch's first.
                happened -= again.occurrences.len();
                for event in tape.marks.iter_mut().filter_map(|mark| mark.event.as_mut()) {
                    event.occurrence += happened;
                }
                pass.rounds(&mut engine.stepper, tape);
            }
            pass.start(&engine.stepper, &checkpoints.start, &mut starts_bar);
        }
    }
    Ok(starts_bar)
}

/// One way back.
struct Pass<'a, T> {
    dim: usize,
    outputs_bar: &'a [T],
    occurrences_bar: &'a [T],
    back: Back<'a, T>,
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

    fn rounds(&mut self, stepper: &mut Stepper<T>, tape: &Tape<T>) {
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
        if let Some(slab) = &mark.restart {
            let w = column(&self.back.slope);
            let mut bar = vec![T::zero(); component.in_dim()];
            let (slab, out) = (Block { data: slab, lanes: 1 }, BlockMut::new(&mut bar, 1));
            let onto = Some(&mut *self.back.params_bar);
            component.vjp(stepper.params, slab, Block::new(&w, 1), out, onto, &mut self.back.scratch);
            for (i, &bar) in bar[..dim].iter().enumerate() {
                self.back.state[i * lanes + lane] += bar;
                self.back.slope[i * lanes + lane] = T::zero();
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
