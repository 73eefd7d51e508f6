//! One Runge–Kutta step of all lanes: forward, and its two derivatives.
//!
//! The general engine and both derivatives learn from here how a method's stages hang together.
//! [`attempt`](Stepper::attempt) computes them,
//! [`Stepper::push`] takes tangents through a recorded step, [`Stepper::pull`] takes cotangents back. Whatever decides
//! on steps, outputs and events stands above.

mod newton;
mod pull;
mod push;

use super::tableau::Coefficients;
use super::tape::Tape;
use super::{Control, Options};
use crate::Real;
use crate::dynamics::Field;
use crate::linalg::{Block, BlockMut};
use newton::Newton;
pub(crate) use pull::{Back, Within};
pub(crate) use push::Ahead;

/// Where lanes stand: one number (or `dim` of them, in blocks) a lane.
#[derive(Clone, Copy)]
pub(crate) struct Standing<'l, T> {
    pub ids: &'l [usize],
    pub pieces: &'l [usize],
    pub t: &'l [T],
    pub y: &'l [T],
    /// The field at `(t, y)`.
    pub slope: &'l [T],
}

/// A method applied to a field, with room for one round of lanes.
pub(crate) struct Stepper<'a, T: Real> {
    pub field: Field<'a, T>,
    pub params: &'a [T],
    pub method: Coefficients<T>,
    control: Control,
    /// All stages of a round, extra ones last, `(stages + extra) × (dim × lanes)`.
    pub stages: Vec<T>,
    /// The steps' results, `dim × lanes`.
    pub result: Vec<T>,
    /// Evaluations that each lane's attempt took.
    pub evaluations: Vec<usize>,
    /// Lanes whose implicit stages found no solution.
    pub unsolved: Vec<bool>,
    arguments: Vec<T>,
    scratch: Vec<T>,
    inputs: Vec<T>,
    newton: Newton<T>,
}

impl<'a, T: Real> Stepper<'a, T> {
    pub fn new(field: Field<'a, T>, params: &'a [T], options: &Options, lanes: usize) -> Self {
        let method = Coefficients::new(options.method);
        let (block, component) = (field.state_dim() * lanes, field.component);
        // Newton's matrices are made with one tangent a state and lane.
        let tangents = if options.method.is_implicit() { field.state_dim() } else { 1 };
        Self {
            control: options.control,
            stages: vec![T::zero(); (method.stages + method.extra) * block],
            result: vec![T::zero(); block],
            evaluations: vec![0; lanes],
            unsolved: vec![false; lanes],
            arguments: vec![T::zero(); component.in_dim() * lanes],
            scratch: vec![T::zero(); component.scratch_len() * lanes * tangents],
            inputs: vec![T::zero(); field.inputs.map_or(0, |x| x.dim())],
            newton: Newton::default(),
            field,
            params,
            method,
        }
    }

    pub fn dim(&self) -> usize {
        self.field.state_dim()
    }

    /// The field at the given states and times, linearised where a slab is given.
    pub fn evaluate(&mut self, at: Standing<T>, out: &mut [T], slab: Option<&mut [T]>) {
        self.arguments[..at.y.len()].copy_from_slice(at.y);
        self.field.fill_arguments(at.ids, at.pieces, |lane| at.t[lane], &mut self.arguments, &mut self.inputs);
        self.evaluate_arguments(at.ids.len(), out, slab);
    }

    fn evaluate_arguments(&mut self, lanes: usize, out: &mut [T], slab: Option<&mut [T]>) {
        let component = self.field.component;
        let u = Block::new(&self.arguments[..component.in_dim() * lanes], lanes);
        let out = BlockMut::new(out, lanes);
        match slab {
            Some(slab) => component.linearize(self.params, u, out, BlockMut::new(slab, lanes), &mut self.scratch),
            None => component.eval(self.params, u, out, &mut self.scratch),
        }
    }

    /// Computes all stages of one attempt of length `h`, and the result.
    pub fn attempt(&mut self, at: Standing<T>, h: &[T], mut tape: Option<&mut Tape<T>>) {
        let lanes = at.ids.len();
        let block = self.dim() * lanes;
        let slab_len = self.field.component.slab_len() * lanes;
        self.stages[..block].copy_from_slice(at.slope);
        self.evaluations[..lanes].fill(0);
        self.unsolved[..lanes].fill(false);
        if let Some(tape) = tape.as_deref_mut() {
            tape.begin_round(lanes, (self.method.stages - 1) * slab_len);
        }
        if let (Some(gamma), Control::Adaptive { .. }) = (self.method.diagonal, self.control) {
            self.begin_newton(at, h, gamma);
        }
        for j in 1..self.method.stages {
            let slab = tape.as_deref_mut().map(|tape| {
                let first = tape.slabs.len() - (self.method.stages - j) * slab_len;
                &mut tape.slabs[first..first + slab_len]
            });
            self.stage(j, at, h, slab);
        }
        self.result[..block].copy_from_slice(&self.arguments[..block]);
    }

    /// Computes the stages that only the continuous extension needs.
    pub fn extra_stages(&mut self, at: Standing<T>, h: &[T], mut tape: Option<&mut Tape<T>>) {
        let slab_len = self.field.component.slab_len() * at.ids.len();
        for j in self.method.stages..self.method.stages + self.method.extra {
            let slab = tape.as_deref_mut().map(|tape| tape.extend_round(slab_len));
            self.stage(j, at, h, slab);
        }
    }

    /// Stage `j`; its state is left in the arguments.
    fn stage(&mut self, j: usize, at: Standing<T>, h: &[T], slab: Option<&mut [T]>) {
        let lanes = at.ids.len();
        let block = self.dim() * lanes;
        let mut stages = std::mem::take(&mut self.stages);
        let (known, unknown) = stages.split_at_mut(j * block);
        self.method.stage_state(j, at.y, h, known, &mut self.arguments[..block]);
        let c = self.method.c[j];
        let time = |lane: usize| at.t[lane] + c * h[lane];
        self.field.fill_arguments(at.ids, at.pieces, time, &mut self.arguments, &mut self.inputs);
        let out = &mut unknown[..block];
        match self.method.diagonal.filter(|_| j < self.method.stages) {
            Some(gamma) => {
                out.copy_from_slice(&known[(j - 1) * block..]);
                self.solve_stage(at, h, gamma, out, slab);
            }
            None => {
                self.evaluate_arguments(lanes, out, slab);
                self.evaluations[..lanes].iter_mut().for_each(|n| *n += 1);
            }
        }
        self.stages = stages;
    }

    /// The continuous extension at fraction θ of one lane's step of length `h` from `y`.
    pub fn dense(&self, y: &[T], h: T, lane: usize, lanes: usize, weights: &[T], out: &mut [T]) {
        let dim = self.dim();
        for (i, out) in out.iter_mut().enumerate() {
            let mut sum = T::zero();
            for (j, &weight) in weights.iter().enumerate() {
                sum += weight * self.stages[(j * dim + i) * lanes + lane];
            }
            *out = y[i * lanes + lane] + h * sum;
        }
    }

    /// Its derivative with respect to time.
    pub fn dense_slope(&self, lane: usize, lanes: usize, theta: T, out: &mut [T]) {
        let dim = self.dim();
        for (i, out) in out.iter_mut().enumerate() {
            *out = (0..self.method.stages + self.method.extra).fold(T::zero(), |sum, j| {
                sum + self.method.dense_slope(j, theta) * self.stages[(j * dim + i) * lanes + lane]
            });
        }
    }
}
