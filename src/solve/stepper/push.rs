//! Tangents through a recorded step.

use super::Stepper;
use crate::Real;
use crate::dynamics::Tangent;
use crate::linalg::{Block, BlockMut};
use crate::solve::tape::{Outcome, Round, Tape};

/// Tangents on their way forward: blocks with `groups · lanes` lanes, where lane `g·lanes + l` is tangent `g` of lane `l`.
pub(crate) struct Ahead<T> {
    groups: usize,
    pub state: Vec<T>,
    /// Tangent of the field at that state.
    pub slope: Vec<T>,
    stages: Vec<T>,
    pub result: Vec<T>,
    arguments: Vec<T>,
    /// Directions in the parameters, `param_count × (groups · lanes)`.
    params: Option<Vec<T>>,
    steps: Vec<T>,
    scratch: Vec<T>,
}

impl<T: Real> Ahead<T> {
    /// Room for `groups` tangents of `lanes` lanes; `params` holds a direction in the parameters for each group.
    pub fn new(stepper: &Stepper<T>, groups: usize, lanes: usize, params: Option<&[T]>) -> Self {
        let (dim, component, all) = (stepper.dim(), stepper.field.component, groups * lanes);
        let count = component.param_count();
        let spread = |directions: &[T]| {
            let mut spread = Vec::with_capacity(count * all);
            for p in 0..count {
                (0..groups).for_each(|g| spread.extend(std::iter::repeat_n(directions[g * count + p], lanes)));
            }
            spread
        };
        Self {
            groups,
            state: vec![T::zero(); dim * all],
            slope: vec![T::zero(); dim * all],
            stages: vec![T::zero(); (stepper.method.stages + stepper.method.extra) * dim * all],
            result: vec![T::zero(); dim * all],
            arguments: vec![T::zero(); component.in_dim() * all],
            params: params.map(spread),
            steps: Vec::new(),
            scratch: vec![T::zero(); component.scratch_len() * all],
        }
    }

    /// The field's tangent at a linearisation, along the arguments and the parameters.
    fn jvp(&mut self, stepper: &Stepper<T>, slab: Block<T>, out: &mut [T]) {
        let (component, all) = (stepper.field.component, self.groups * slab.lanes);
        let tangent = Tangent {
            arguments: Block::new(&self.arguments[..component.in_dim() * all], all),
            params: self.params.as_ref().map(|p| Block::new(&p[..component.param_count() * all], all)),
        };
        component.jvp(stepper.params, slab, tangent, BlockMut::new(out, all), &mut self.scratch);
    }

    /// The slopes' tangents at the start, from the states'.
    pub fn begin(&mut self, stepper: &Stepper<T>, slab: Block<T>) {
        self.arguments[..self.state.len()].copy_from_slice(&self.state);
        let mut slope = std::mem::take(&mut self.slope);
        self.jvp(stepper, slab, &mut slope);
        self.slope = slope;
    }

    /// Stages and results of a round.
    pub fn stages(&mut self, stepper: &mut Stepper<T>, tape: &Tape<T>, round: &Round) {
        let (dim, lanes) = (stepper.dim(), round.lanes);
        let block = dim * lanes * self.groups;
        let slab_len = stepper.field.component.slab_len() * lanes;
        let h = &tape.steps[round.first..][..lanes];
        self.steps.clear();
        (0..self.groups).for_each(|_| self.steps.extend_from_slice(h));
        let mut stages = std::mem::take(&mut self.stages);
        stages[..block].copy_from_slice(&self.slope[..block]);
        for j in 1..stepper.method.stages + if round.extra { stepper.method.extra } else { 0 } {
            let (known, unknown) = stages.split_at_mut(j * block);
            let out = &mut unknown[..block];
            // Inputs and time below the state do not vary: their rows stay zero.
            stepper.method.stage_state(j, &self.state, &self.steps, known, &mut self.arguments[..block]);
            let first = round.slabs + (j - 1) * slab_len;
            let slab = Block::new(&tape.slabs[first..first + slab_len], lanes);
            self.jvp(stepper, slab, out);
            if let Some(gamma) = stepper.method.diagonal.filter(|_| j < stepper.method.stages) {
                stepper.factor_at(slab, h, gamma, false);
                stepper.solve_all(out, self.groups * lanes);
                for (i, &k) in out.iter().enumerate() {
                    self.arguments[i] += self.steps[i % self.steps.len()] * gamma * k;
                }
            }
            if j + 1 == stepper.method.stages {
                self.result[..block].copy_from_slice(&self.arguments[..block]);
            }
        }
        self.stages = stages;
    }

    /// The tangent, of group `g`, of a state within one lane's step.
    pub fn dense(&self, stepper: &Stepper<T>, (g, lane, lanes): (usize, usize, usize), h: T, theta: T, out: &mut [T]) {
        let (dim, all, column) = (stepper.dim(), self.groups * lanes, g * lanes + lane);
        for (i, out) in out.iter_mut().enumerate() {
            if theta == T::one() {
                *out = self.result[i * all + column];
                continue;
            }
            let sum = (0..stepper.method.stages + stepper.method.extra).fold(T::zero(), |sum, j| {
                sum + stepper.method.dense_weight(j, theta) * self.stages[(j * dim + i) * all + column]
            });
            *out = self.state[i * all + column] + h * sum;
        }
    }

    /// Moves lanes whose step counted whole to its end.
    pub fn advance(&mut self, stepper: &Stepper<T>, outcomes: &[Outcome]) {
        let lanes = outcomes.len();
        let block = stepper.dim() * lanes * self.groups;
        let last = (stepper.method.stages - 1) * block;
        for i in (0..block).filter(|i| outcomes[i % lanes] == Outcome::Whole) {
            self.state[i] = self.result[i];
            self.slope[i] = self.stages[last + i];
        }
    }

    /// Keeps some lanes of each group, closing ranks.
    pub fn keep(&mut self, kept: &[usize], lanes: usize) {
        let groups = self.groups;
        let pack = |x: &mut Vec<T>| {
            let rows = x.len() / (groups * lanes);
            let mut to = 0;
            for from in 0..rows * groups {
                for &lane in kept {
                    x[to] = x[from * lanes + lane];
                    to += 1;
                }
            }
            x.truncate(to);
        };
        pack(&mut self.state);
        pack(&mut self.slope);
        self.arguments.fill(T::zero());
        if let Some(params) = &mut self.params {
            pack(params);
        }
    }
}
