//! Cotangents back through a recorded step.

use super::Stepper;
use crate::Real;
use crate::linalg::{Block, BlockMut};
use crate::solve::tape::{Outcome, Place, Round, Tape};

/// A cotangent of the state at fraction `theta` of one lane's step.
pub(crate) struct Within<T> {
    pub lane: usize,
    pub theta: T,
    pub bar: Vec<T>,
}

/// Cotangents on their way back, one a lane.
pub(crate) struct Back<'a, T> {
    dim: usize,
    pub params_bar: &'a mut [T],
    /// Cotangents of the numbers that the inputs are made of; empty if they are not wanted.
    pub inputs_bar: &'a mut [T],
    /// VJPs of lanes that took part.
    pub evaluations: usize,
    /// Whether the equations of a stage that counts had no solution.
    pub singular: bool,
    /// Cotangent of the state, `dim × lanes`.
    pub state: Vec<T>,
    /// Cotangent of the field at that state, which the step before computed as its last stage, `dim × lanes`.
    pub slope: Vec<T>,
    /// Cotangents of the stages, `(stages + extra) × (dim × lanes)`.
    stages: Vec<T>,
    /// Cotangent of the step's result.
    result: Vec<T>,
    /// Cotangent of the state at the beginning of a step.
    begin: Vec<T>,
    /// Cotangent of a stage's arguments.
    pub arguments: Vec<T>,
    pub scratch: Vec<T>,
    spread: Vec<T>,
}

impl<'a, T: Real> Back<'a, T> {
    pub fn new(stepper: &Stepper<T>, lanes: usize, params_bar: &'a mut [T], inputs_bar: &'a mut [T]) -> Self {
        let (dim, component) = (stepper.dim(), stepper.field.component);
        let zeros = |n: usize| vec![T::zero(); n];
        Self {
            dim,
            params_bar,
            inputs_bar,
            evaluations: 0,
            singular: false,
            state: Vec::new(),
            slope: Vec::new(),
            stages: zeros((stepper.method.stages + stepper.method.extra) * dim * lanes),
            result: zeros(dim * lanes),
            begin: zeros(dim * lanes),
            arguments: zeros(component.in_dim() * lanes),
            scratch: zeros(component.scratch_len() * lanes),
            spread: Vec::new(),
        }
    }

    /// Makes room for the lanes that left after a round: nothing depends on where they went from there.
    pub fn readmit(&mut self, kept: &[usize], lanes: usize) {
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

    /// Takes the cotangents of a round's end, and those `within` its steps, to its beginning.
    pub fn round(&mut self, stepper: &mut Stepper<T>, tape: &Tape<T>, round: &Round, within: &[Within<T>]) {
        let lanes = round.lanes;
        let block = self.dim * lanes;
        let outcomes = &tape.outcomes[round.first..][..lanes];
        let last = stepper.method.stages - 1;
        let all = last + 1 + if round.extra { stepper.method.extra } else { 0 };
        self.stages[..all * block].fill(T::zero());
        self.begin[..block].fill(T::zero());
        self.result[..block].fill(T::zero());
        for i in (0..block).filter(|i| outcomes[i % lanes] == Outcome::Whole) {
            self.result[i] = self.state[i];
            self.stages[last * block + i] = self.slope[i];
        }
        let h = &tape.steps[round.first..][..lanes];
        within.iter().for_each(|at| self.add(stepper, at, h, all));
        (1..all).rev().for_each(|j| self.stage(stepper, tape, round, j));
        self.evaluations += (all - 1) * outcomes.iter().filter(|&&outcome| outcome != Outcome::Refused).count();
        for i in 0..block {
            if outcomes[i % lanes] == Outcome::Refused {
                // A refused attempt passes cotangents by, but shares its first stage with the next.
                debug_assert!(self.stages[i] == T::zero());
            } else {
                self.state[i] = self.begin[i];
                self.slope[i] = self.stages[i];
            }
        }
    }

    /// The transpose of the continuous extension.
    fn add(&mut self, stepper: &Stepper<T>, at: &Within<T>, h: &[T], all: usize) {
        let lanes = h.len();
        let whole = at.theta == T::one();
        let to = if whole { &mut self.result } else { &mut self.begin };
        at.bar.iter().enumerate().for_each(|(i, &bar)| to[i * lanes + at.lane] += bar);
        if whole {
            return;
        }
        for j in 0..all {
            let weight = h[at.lane] * stepper.method.dense_weight(j, at.theta);
            for (i, &bar) in at.bar.iter().enumerate() {
                self.stages[(j * self.dim + i) * lanes + at.lane] += weight * bar;
            }
        }
    }

    /// Adds what one lane's cotangent of the inputs, in the arguments, makes of their numbers.
    pub fn pull_inputs(&mut self, stepper: &Stepper<T>, at: Place<T>, lane: usize, lanes: usize) {
        let Some(inputs) = stepper.field.inputs.filter(|_| !self.inputs_bar.is_empty()) else { return };
        self.spread.clear();
        let below = self.arguments.iter().skip(self.dim * lanes + lane).step_by(lanes);
        self.spread.extend(below.take(inputs.dim()));
        let own = inputs.numbers(at.id..at.id + 1);
        let first = inputs.numbers(0..at.id + 1).start;
        inputs.pull(at.id, at.piece, at.t, &self.spread, &mut self.inputs_bar[own.start - first..own.end - first]);
    }

    fn stage(&mut self, stepper: &mut Stepper<T>, tape: &Tape<T>, round: &Round, j: usize) {
        let (lanes, last) = (round.lanes, stepper.method.stages - 1);
        let block = self.dim * lanes;
        let slab_len = stepper.field.component.slab_len() * lanes;
        let first = round.slabs + (j - 1) * slab_len;
        let slab = Block::new(&tape.slabs[first..first + slab_len], lanes);
        let h = &tape.steps[round.first..][..lanes];
        let mut stages = std::mem::take(&mut self.stages);
        let (before, at) = stages.split_at_mut(j * block);
        let at = &mut at[..block];
        if let Some(gamma) = stepper.method.diagonal.filter(|_| j <= last) {
            // k = f(base + hγk), and the result is base + hγk.
            if j == last {
                (0..block).for_each(|i| at[i] += h[i % lanes] * gamma * self.result[i]);
            }
            stepper.factor_at(slab, h, gamma, true);
            // A refused attempt's lanes take no part.
            let unsolved = stepper.solve_all(at, lanes);
            self.singular |= unsolved.into_iter().any(|lane| tape.outcomes[round.first + lane] != Outcome::Refused);
        }
        let component = stepper.field.component;
        component.vjp(
            stepper.params,
            slab,
            Block::new(at, lanes),
            BlockMut::new(&mut self.arguments[..component.in_dim() * lanes], lanes),
            Some(self.params_bar),
            &mut self.scratch,
        );
        if !self.inputs_bar.is_empty() {
            for (lane, &place) in tape.places[round.first..][..lanes].iter().enumerate() {
                if tape.outcomes[round.first + lane] != Outcome::Refused {
                    let t = place.t + stepper.method.c[j] * h[lane];
                    self.pull_inputs(stepper, Place { t, ..place }, lane, lanes);
                }
            }
        }
        let state_bar = &mut self.arguments[..block];
        if j == last {
            state_bar.iter_mut().zip(&self.result).for_each(|(s, &r)| *s += r);
        }
        stepper.method.stage_state_back(j, h, state_bar, before);
        self.begin[..block].iter_mut().zip(&*state_bar).for_each(|(b, &s)| *b += s);
        self.stages = stages;
    }
}
