//! Rounds: every lane attempts a step of its own, side by side with the others.

use super::control::Controller;
use super::lanes::Lanes;
use super::tableau::Coefficients;
use super::tape::{Output, Tape};
use super::{Control, Failure, Options, Problem, Reason, Solution};
use crate::Real;
use crate::dynamics::{Component, Field};
use crate::linalg::{self, Block, BlockMut};

/// A solve's fixed parts and its buffers.
pub(crate) struct Engine<'a, T: Real, C: Component<T> + ?Sized> {
    pub field: Field<'a, T, C>,
    pub params: &'a [T],
    pub method: Coefficients<T>,
    pub(super) problem: Problem<'a, T>,
    pub(super) control: Control,
    controller: Controller<T>,
    max_steps: usize,
    /// All stages of a round, `stages × (dim × lanes)`.
    stages: Vec<T>,
    pub(super) arguments: Vec<T>,
    scratch: Vec<T>,
    /// Error estimate, `dim × lanes`.
    estimate: Vec<T>,
    step: Vec<T>,
    pub(super) inputs: Vec<T>,
}

impl<'a, T: Real, C: Component<T> + ?Sized> Engine<'a, T, C> {
    pub fn new(field: Field<'a, T, C>, params: &'a [T], problem: Problem<'a, T>, options: &Options) -> Self {
        let method = Coefficients::new(options.method);
        let lanes = problem.len();
        let block = field.state_dim() * lanes;
        Self {
            controller: Controller::new(options.gains, &method),
            control: options.control,
            max_steps: options.max_steps,
            stages: vec![T::zero(); method.stages * block],
            arguments: vec![T::zero(); field.component.in_dim() * lanes],
            scratch: vec![T::zero(); field.component.scratch_len() * lanes],
            estimate: vec![T::zero(); block],
            step: vec![T::zero(); lanes],
            inputs: vec![T::zero(); field.inputs.map_or(0, |x| x.dim())],
            field,
            params,
            method,
            problem,
        }
    }

    pub(super) fn dim(&self) -> usize {
        self.field.state_dim()
    }

    /// `out = f(arguments)`, linearised where a slab is given.
    pub(super) fn evaluate(&mut self, out: &mut [T], slab: Option<&mut [T]>, lanes: usize) {
        let component = self.field.component;
        let u = Block::new(&self.arguments[..component.in_dim() * lanes], lanes);
        let out = BlockMut::new(out, lanes);
        match slab {
            Some(slab) => component.linearize(self.params, u, out, BlockMut::new(slab, lanes), &mut self.scratch),
            None => component.eval(self.params, u, out, &mut self.scratch),
        }
    }

    /// Every lane attempts one step. Returns whether any lane goes on.
    pub fn round(&mut self, lanes: &mut Lanes<T>, solution: &mut Solution<T>, mut tape: Option<&mut Tape<T>>) -> bool {
        let count = lanes.ids.len();
        if count == 0 {
            return false;
        }
        self.attempt(lanes, tape.as_deref_mut());
        let block = self.dim() * count;
        if let Control::Adaptive { .. } = self.control {
            linalg::combine(&[], &self.step, &self.method.error, &self.stages, block, &mut self.estimate[..block]);
        }
        let mut leaving = false;
        for lane in 0..count {
            let verdict = self.judge(lanes, lane);
            let report = &mut solution.reports[lanes.ids[lane]];
            report.evaluations += self.method.stages - 1;
            lanes.attempts[lane] += 1;
            let accepted = matches!(verdict, Verdict::Accept { .. });
            if let Some(tape) = tape.as_deref_mut() {
                tape.steps.push(self.step[lane]);
                tape.accepted.push(accepted);
                if !accepted {
                    scrub(tape, lane, count);
                }
            }
            match verdict {
                Verdict::Accept { error, factor } => {
                    report.accepted += 1;
                    self.read_off(lanes, lane, solution, tape.as_deref_mut());
                    self.advance(lanes, lane, error, factor);
                }
                Verdict::Reject { factor } => {
                    report.rejected += 1;
                    lanes.h[lane] = self.step[lane] * factor;
                    lanes.just_rejected[lane] = true;
                }
                Verdict::Fail(reason) => self.fail(lanes, lane, reason, solution),
            }
            if !lanes.is_done(lane) && lanes.attempts[lane] >= self.max_steps {
                self.fail(lanes, lane, Reason::TooManySteps, solution);
            }
            leaving |= lanes.is_done(lane);
        }
        if leaving {
            let kept: Vec<usize> = (0..count).filter(|&lane| !lanes.is_done(lane)).collect();
            lanes.keep(&kept, self.field.state_dim());
            if let Some(tape) = tape {
                let first = tape.kept.len();
                tape.kept.extend(&kept);
                let all = tape.kept.len();
                if let Some(round) = tape.rounds.last_mut() {
                    round.kept = Some(first..all);
                }
            }
        }
        !lanes.ids.is_empty()
    }

    /// Computes all stages of one attempt; the last arguments are the step's result.
    fn attempt(&mut self, lanes: &Lanes<T>, mut tape: Option<&mut Tape<T>>) {
        let (dim, count) = (self.dim(), lanes.ids.len());
        let block = dim * count;
        self.step.resize(count, T::zero());
        for lane in 0..count {
            let (h, left) = (lanes.h[lane], lanes.end[lane] - lanes.t[lane]);
            // A last step that would leave a sliver is stretched over it.
            let reaches = h.abs() * (T::one() + T::default_epsilon().sqrt()) >= left.abs();
            self.step[lane] = if reaches { left } else { h };
        }
        self.stages[..block].copy_from_slice(&lanes.slope);
        let slab_len = self.field.component.slab_len() * count;
        if let Some(tape) = tape.as_deref_mut() {
            tape.begin_round(count, (self.method.stages - 1) * slab_len);
        }
        for j in 1..self.method.stages {
            let (known, unknown) = self.stages.split_at_mut(j * block);
            linalg::combine(&lanes.y, &self.step, &self.method.a[j], known, block, &mut self.arguments[..block]);
            let c = self.method.c[j];
            let time = |lane: usize| lanes.t[lane] + c * self.step[lane];
            self.field.fill_arguments(&lanes.ids, &lanes.piece, time, &mut self.arguments, &mut self.inputs);
            let out = BlockMut::new(&mut unknown[..block], count);
            let component = self.field.component;
            let u = Block::new(&self.arguments[..component.in_dim() * count], count);
            match tape.as_deref_mut() {
                Some(tape) => {
                    let first = tape.slabs.len() - (self.method.stages - j) * slab_len;
                    let slab = BlockMut::new(&mut tape.slabs[first..first + slab_len], count);
                    component.linearize(self.params, u, out, slab, &mut self.scratch);
                }
                None => component.eval(self.params, u, out, &mut self.scratch),
            }
        }
    }

    /// Whether one lane's attempt counts, and its next step's factor.
    fn judge(&self, lanes: &Lanes<T>, lane: usize) -> Verdict<T> {
        let (dim, count) = (self.dim(), lanes.ids.len());
        let mut result = self.arguments[..dim * count].iter().skip(lane).step_by(count);
        let not_finite = result.position(|y| !y.is_finite());
        if let Some(component) = (0..dim).find(|i| !lanes.slope[i * count + lane].is_finite()) {
            return Verdict::Fail(Reason::NotFinite { component });
        }
        match self.control {
            Control::Fixed { .. } => {
                // The field at the result is the next step's first stage: if it is not finite, the end is here.
                let last = &self.stages[(self.method.stages - 1) * dim * count..];
                let end = || (0..dim).find(|i| !last[i * count + lane].is_finite());
                match not_finite.or_else(end) {
                    Some(component) => Verdict::Fail(Reason::NotFinite { component }),
                    None if lanes.t[lane] + self.step[lane] == lanes.t[lane] => Verdict::Fail(Reason::StepUnderflow),
                    None => Verdict::Accept { error: T::zero(), factor: T::one() },
                }
            }
            Control::Adaptive { rtol, atol } => {
                let (rtol, atol) = (T::of(rtol), T::of(atol));
                let mut sum = T::zero();
                for i in (lane..dim * count).step_by(count) {
                    let size = lanes.y[i].abs().max(self.arguments[i].abs());
                    let scaled = self.estimate[i] / (atol + rtol * size);
                    sum += scaled * scaled;
                }
                let error = (sum / T::of(dim as f64)).sqrt().ln();
                if error <= T::zero() && not_finite.is_none() {
                    let factor = self.controller.after_accept(error, lanes.error[lane], lanes.just_rejected[lane]);
                    return Verdict::Accept { error, factor };
                }
                let factor = self.controller.after_reject(error);
                let smallest = T::of(16.0) * T::default_epsilon() * lanes.t[lane].abs().max(lanes.end[lane].abs());
                if (self.step[lane] * factor).abs() > smallest
                    && lanes.t[lane] + self.step[lane] * factor != lanes.t[lane]
                {
                    return Verdict::Reject { factor };
                }
                let bad = (0..dim).find(|i| !self.estimate[i * count + lane].is_finite());
                Verdict::Fail(bad.map_or(Reason::StepUnderflow, |component| Reason::NotFinite { component }))
            }
        }
    }

    /// Evaluates the continuous extension at the outputs within an accepted step.
    fn read_off(&mut self, lanes: &mut Lanes<T>, lane: usize, solution: &mut Solution<T>, tape: Option<&mut Tape<T>>) {
        let (dim, count) = (self.dim(), lanes.ids.len());
        let (t, step) = (lanes.t[lane], self.step[lane]);
        let last = self.problem.row_ptr[lanes.ids[lane] + 1];
        let first = lanes.row[lane];
        let whole = step == lanes.end[lane] - t;
        let mut row = first;
        while row < last && (whole || (self.problem.times[row] - t).abs() <= step.abs()) {
            row += 1;
        }
        lanes.row[lane] = row;
        for row in first..row {
            let theta = ((self.problem.times[row] - t) / step).min(T::one());
            let state = &mut solution.states[row * dim..][..dim];
            for (i, y) in state.iter_mut().enumerate() {
                *y = T::zero();
                for j in 0..self.method.stages {
                    *y += self.method.dense_weight(j, theta) * self.stages[(j * dim + i) * count + lane];
                }
                *y = lanes.y[i * count + lane] + step * *y;
            }
        }
        if let Some(tape) = tape {
            for row in first..row {
                let theta = ((self.problem.times[row] - t) / step).min(T::one());
                tape.outputs.push(Output { lane, row, theta });
            }
            let all = tape.outputs.len();
            if let Some(round) = tape.rounds.last_mut() {
                round.outputs.end = all;
            }
        }
    }

    /// Moves one lane to the end of its accepted step.
    fn advance(&self, lanes: &mut Lanes<T>, lane: usize, error: T, factor: T) {
        let (dim, count) = (self.dim(), lanes.ids.len());
        let step = self.step[lane];
        let whole = step == lanes.end[lane] - lanes.t[lane];
        lanes.t[lane] = match self.control {
            _ if whole => lanes.end[lane],
            // Counted from the start, so that rounding does not add up over many steps.
            Control::Fixed { .. } => {
                self.problem.start_times[lanes.ids[lane]] + T::of(lanes.attempts[lane] as f64) * lanes.h[lane]
            }
            Control::Adaptive { .. } => lanes.t[lane] + step,
        };
        let last = &self.stages[(self.method.stages - 1) * dim * count..];
        for i in (lane..dim * count).step_by(count) {
            lanes.y[i] = self.arguments[i];
            lanes.slope[i] = last[i];
        }
        if let Control::Adaptive { .. } = self.control {
            lanes.h[lane] = step * factor;
            lanes.error[lane] = [error.max(T::of(Controller::<T>::LOG_FLOOR)), lanes.error[lane][0]];
            lanes.just_rejected[lane] = false;
        }
    }

    fn fail(&self, lanes: &mut Lanes<T>, lane: usize, reason: Reason, solution: &mut Solution<T>) {
        let failure = Failure { time: lanes.t[lane].f64(), step: self.step[lane].f64(), reason };
        solution.reports[lanes.ids[lane]].failure = Some(failure);
        lanes.t[lane] = lanes.end[lane];
    }
}

/// What becomes of an attempt.
enum Verdict<T> {
    Accept { error: T, factor: T },
    Reject { factor: T },
    Fail(Reason),
}

/// Clears a refused attempt's slabs if something in them is not finite: its cotangents are zero, and zero times infinity
/// would be NaN.
fn scrub<T: Real>(tape: &mut Tape<T>, lane: usize, lanes: usize) {
    if let Some(round) = tape.rounds.last() {
        let mine = || (round.slabs + lane..).step_by(lanes);
        let end = tape.slabs.len();
        if mine().take_while(|&i| i < end).any(|i| !tape.slabs[i].is_finite()) {
            for i in mine().take_while(|&i| i < end) {
                tape.slabs[i] = T::zero();
            }
        }
    }
}
