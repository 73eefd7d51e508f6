//! Tangents, from the start forward to the outputs.

use super::saltation;
use crate::dynamics::Field;
use crate::linalg::{Block, BlockMut};
use crate::solve::stepper::{Ahead, Stepper};
use crate::solve::tape::{Mark, Origin, Round};
use crate::solve::{Options, Problem, Tape};
use crate::{Error, Real, Result};

/// Tangents of what a solve gave.
#[derive(Clone, Debug)]
pub struct Pushed<T> {
    /// Of the output states: `tangents × rows × dim`.
    pub outputs: Vec<T>,
    /// Of the occurrences of events, `tangents × occurrences × (1 + dim)`: of the time, then of the state just before a
    /// jump, the event's time moving along.
    pub occurrences: Vec<T>,
}

/// Pushes tangents through recorded steps: `starts_dot` holds `tangents × trajectories × dim` numbers and, where wanted,
/// `params_dot` `tangents × parameters`, each direction the same for every trajectory. Events and jumps are passed by
/// their saltation matrices.
///
/// Cost: one JVP with all tangents a recorded evaluation.
///
/// # Errors
/// If sizes differ.
pub fn push<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    tape: &Tape<T>,
    starts_dot: &[T],
    params_dot: Option<&[T]>,
) -> Result<Pushed<T>> {
    let dim = field.state_dim();
    problem.check(dim)?;
    let each = problem.len() * dim;
    let groups = starts_dot.len().checked_div(each).unwrap_or(0);
    if groups * each != starts_dot.len() {
        return Err(Error::shape("start tangents", format!("a multiple of {each}"), starts_dot.len()));
    }
    let count = field.component.param_count();
    if params.len() != count {
        return Err(Error::shape("parameters of the field", count, params.len()));
    }
    if let Some(direction) = params_dot.filter(|d| d.len() != groups * count) {
        return Err(Error::shape("parameter tangents", groups * count, direction.len()));
    }
    tape.start.check([problem.len(), problem.times.len(), dim, field.component.slab_len()])?;
    let lanes = tape.start.ids.len();
    let mut stepper = Stepper::new(field, params, options, lanes.max(1));
    let mut pushing = Pushing::new(&stepper, problem, &tape.start, starts_dot, params_dot);
    for round in &tape.rounds {
        pushing.round(&mut stepper, tape, round);
    }
    Ok(pushing.finish())
}

/// Tangents on their way, round after round.
pub(super) struct Pushing<'a, T> {
    dim: usize,
    groups: usize,
    rows: usize,
    params_dot: Option<&'a [T]>,
    ahead: Ahead<T>,
    outputs: Vec<T>,
    /// `occurrences × groups × (1 + dim)`.
    occurrences: Vec<T>,
}

impl<'a, T: Real> Pushing<'a, T> {
    /// Tangents at the start, sizes as for [`push`].
    pub fn new(
        stepper: &Stepper<T>,
        problem: &Problem<T>,
        start: &Origin<T>,
        starts_dot: &[T],
        params_dot: Option<&'a [T]>,
    ) -> Self {
        let (dim, rows, lanes) = (stepper.dim(), problem.times.len(), start.ids.len());
        let each = problem.len() * dim;
        let groups = starts_dot.len().checked_div(each).unwrap_or(0);
        let mut outputs = vec![T::zero(); groups * rows * dim];
        for g in 0..groups {
            for &(id, row) in &start.outputs {
                let from = &starts_dot[g * each + id * dim..][..dim];
                outputs[(g * rows + row) * dim..][..dim].copy_from_slice(from);
            }
        }
        let mut ahead = Ahead::new(stepper, groups, lanes, params_dot);
        for g in 0..groups {
            for (lane, &id) in start.ids.iter().enumerate() {
                for i in 0..dim {
                    ahead.state[(i * groups + g) * lanes + lane] = starts_dot[g * each + id * dim + i];
                }
            }
        }
        if groups * lanes > 0 {
            ahead.begin(stepper, Block::new(&start.slab, lanes));
        }
        Self { dim, groups, rows, params_dot, ahead, outputs, occurrences: Vec::new() }
    }

    /// Takes the tangents through one recorded round.
    pub fn round(&mut self, stepper: &mut Stepper<T>, tape: &Tape<T>, round: &Round) {
        if self.groups == 0 {
            return;
        }
        self.ahead.stages(stepper, tape, round);
        self.read_off(stepper, tape, round);
        let events = self.events(stepper, tape, round);
        self.ahead.advance(stepper, &tape.outcomes[round.first..][..round.lanes]);
        self.marks(stepper, tape, round, events);
        if let Some(kept) = &round.kept {
            self.ahead.keep(&tape.kept[kept.clone()], round.lanes);
        }
    }

    /// What arrived at the outputs and events.
    pub fn finish(self) -> Pushed<T> {
        let each = 1 + self.dim;
        let happened = self.occurrences.len().checked_div(self.groups * each).unwrap_or(0);
        let mut occurrences = Vec::with_capacity(self.occurrences.len());
        for g in 0..self.groups {
            for o in 0..happened {
                occurrences.extend(&self.occurrences[(o * self.groups + g) * each..][..each]);
            }
        }
        Pushed { outputs: self.outputs, occurrences }
    }

    fn read_off(&mut self, stepper: &Stepper<T>, tape: &Tape<T>, round: &Round) {
        let dim = self.dim;
        for output in &tape.outputs[round.outputs.clone()] {
            for g in 0..self.groups {
                let to = &mut self.outputs[(g * self.rows + output.row) * dim..][..dim];
                let h = tape.steps[round.first + output.lane];
                self.ahead.dense(stepper, (g, output.lane, round.lanes), h, output.theta, to);
            }
        }
    }

    /// Tangents of the states at the events within the steps, before the lanes move on: a block a mark.
    fn events(&self, stepper: &Stepper<T>, tape: &Tape<T>, round: &Round) -> Vec<Vec<T>> {
        let dim = self.dim;
        let at = |mark: &Mark<T>| {
            let Some(theta) = mark.event.as_ref().and_then(|event| event.theta) else { return Vec::new() };
            let mut states = vec![T::zero(); self.groups * dim];
            let h = tape.steps[round.first + mark.lane];
            for (g, state) in states.chunks_exact_mut(dim).enumerate() {
                self.ahead.dense(stepper, (g, mark.lane, round.lanes), h, theta, state);
            }
            states
        };
        tape.marks[round.marks.clone()].iter().map(at).collect()
    }

    /// Takes lanes through events and kinks.
    fn marks(&mut self, stepper: &Stepper<T>, tape: &Tape<T>, round: &Round, states: Vec<Vec<T>>) {
        let (dim, field, ahead) = (self.dim, stepper.field, &mut self.ahead);
        let count = field.component.param_count();
        for (mark, states) in tape.marks[round.marks.clone()].iter().zip(states) {
            for g in 0..self.groups {
                let place = |i: usize| (i * self.groups + g) * round.lanes + mark.lane;
                let direction = self.params_dot.map(|d| &d[g * count..(g + 1) * count]);
                if let Some(event) = &mark.event {
                    // A further event at the same moment begins where the one before it left off.
                    let before: Vec<T> = match event.theta {
                        Some(_) => states[g * dim..(g + 1) * dim].to_vec(),
                        None => (0..dim).map(|i| ahead.state[place(i)]).collect(),
                    };
                    let passed = saltation::push(&field.events[event.event], event, stepper.params, &before, direction);
                    let first = (event.occurrence * self.groups + g) * (1 + dim);
                    if self.occurrences.len() <= first {
                        self.occurrences.resize((event.occurrence + 1) * self.groups * (1 + dim), T::zero());
                    }
                    let to = &mut self.occurrences[first..first + 1 + dim];
                    to[0] = passed.time;
                    to[1..].copy_from_slice(&passed.at_event);
                    if let Some(after) = passed.after {
                        (0..dim).for_each(|i| ahead.state[place(i)] = after[i]);
                    }
                }
                if let Some((slab, _)) = &mark.restart {
                    let mut along = vec![T::zero(); field.component.in_dim()];
                    (0..dim).for_each(|i| along[i] = ahead.state[place(i)]);
                    let (mut slope, mut scratch) =
                        (vec![T::zero(); dim], vec![T::zero(); field.component.scratch_len()]);
                    let tangent = crate::dynamics::Tangent {
                        arguments: Block::new(&along, 1),
                        params: direction.map(|d| Block::new(d, 1)),
                    };
                    let (slab, out) = (Block { data: slab, lanes: 1 }, BlockMut::new(&mut slope, 1));
                    field.component.jvp(stepper.params, slab, tangent, out, &mut scratch);
                    (0..dim).for_each(|i| ahead.slope[place(i)] = slope[i]);
                }
            }
        }
    }
}
