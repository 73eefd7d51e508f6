//! Trajectories side by side: each lane takes its own steps, and leaves when it is done.

use super::control::Controller;
use super::tableau::Coefficients;
use super::tape::{Output, Recording, Start, Tape};
use super::{Control, Failure, Options, Problem, Reason, Report, Solution};
use crate::dynamics::{Component, Field};
use crate::linalg::{self, Block, BlockMut};
use crate::{Real, Result};

/// Everything that decides how the lanes go on. Blocks are `dim × lanes`.
#[derive(Clone, Debug)]
pub(crate) struct Lanes<T> {
    pub ids: Vec<usize>,
    t: Vec<T>,
    /// Signed length of the next attempt.
    h: Vec<T>,
    /// Last output time.
    end: Vec<T>,
    /// Next output row.
    row: Vec<usize>,
    /// Scaled error of the last accepted step.
    error: Vec<T>,
    just_rejected: Vec<bool>,
    attempts: Vec<usize>,
    y: Vec<T>,
    /// The field at `(t, y)`: the first stage of the next step.
    slope: Vec<T>,
}

/// A solve's fixed parts and its buffers.
pub(crate) struct Engine<'a, T: Real, C: Component<T> + ?Sized> {
    pub field: Field<'a, T, C>,
    pub params: &'a [T],
    pub method: Coefficients<T>,
    problem: Problem<'a, T>,
    control: Control,
    controller: Controller<T>,
    max_steps: usize,
    /// All stages of a round, `stages × (dim × lanes)`.
    stages: Vec<T>,
    arguments: Vec<T>,
    scratch: Vec<T>,
    /// Error estimate, `dim × lanes`.
    estimate: Vec<T>,
    step: Vec<T>,
    inputs: Vec<T>,
}

/// Integrates every trajectory of the problem, all side by side on this thread, and keeps what `recording` asks for.
/// [`solve`](super::solve) does the same for problems of any size, in chunks over threads.
///
/// # Errors
/// If sizes or options do not fit. A trajectory that fails does not stop the others: its report says why.
pub fn integrate<T: Real, C: Component<T> + ?Sized>(
    field: Field<T, C>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    recording: &mut Recording<T>,
) -> Result<Solution<T>> {
    let dim = field.state_dim();
    problem.check(dim)?;
    options.check()?;
    let mut solution = Solution {
        states: vec![T::of(f64::NAN); problem.times.len() * dim],
        reports: vec![Report::default(); problem.len()],
    };
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
        Recording::Checkpoints(checkpoints) => {
            checkpoints.saved.clear();
            let mut lanes = engine.begin(&mut solution, Some(&mut checkpoints.start));
            checkpoints.since = 0;
            loop {
                if checkpoints.since == checkpoints.every || checkpoints.saved.is_empty() {
                    checkpoints.saved.push(lanes.clone());
                    checkpoints.since = 0;
                }
                checkpoints.since += 1;
                if !engine.round(&mut lanes, &mut solution, None) {
                    break;
                }
            }
        }
    }
    Ok(solution)
}

impl<'a, T: Real, C: Component<T> + ?Sized> Engine<'a, T, C> {
    pub fn new(field: Field<'a, T, C>, params: &'a [T], problem: Problem<'a, T>, options: &Options) -> Self {
        let method = Coefficients::new(options.method);
        let lanes = problem.len();
        let block = field.state_dim() * lanes;
        Self {
            controller: Controller::new(&method),
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

    fn dim(&self) -> usize {
        self.field.state_dim()
    }

    /// Puts every trajectory that has somewhere to go on a lane, reads off outputs at the start, and chooses first steps.
    pub fn begin(&mut self, solution: &mut Solution<T>, mut start: Option<&mut Start<T>>) -> Lanes<T> {
        let (dim, problem) = (self.dim(), self.problem);
        if let Some(start) = start.as_deref_mut() {
            start.outputs.clear();
        }
        let mut lanes = Lanes::empty();
        for id in 0..problem.len() {
            let (mut row, end_row, t0) = (problem.row_ptr[id], problem.row_ptr[id + 1], problem.start_times[id]);
            while row < end_row && problem.times[row] == t0 {
                solution.states[row * dim..][..dim].copy_from_slice(&problem.starts[id * dim..][..dim]);
                if let Some(start) = start.as_deref_mut() {
                    start.outputs.push((id, row));
                }
                row += 1;
            }
            if row < end_row {
                lanes.push(id, t0, problem.times[end_row - 1], row);
            }
        }
        let count = lanes.ids.len();
        lanes.y = vec![T::zero(); dim * count];
        for (lane, &id) in lanes.ids.iter().enumerate() {
            (0..dim).for_each(|i| lanes.y[i * count + lane] = problem.starts[id * dim + i]);
        }
        lanes.slope = vec![T::zero(); dim * count];
        if let Some(start) = start.as_deref_mut() {
            start.ids.clone_from(&lanes.ids);
        }
        if count == 0 {
            return lanes;
        }
        self.arguments[..dim * count].copy_from_slice(&lanes.y);
        self.field.fill_arguments(&lanes.ids, |lane| lanes.t[lane], &mut self.arguments, &mut self.inputs);
        let mut slope = std::mem::take(&mut lanes.slope);
        match start {
            Some(start) => {
                start.slab.clear();
                start.slab.resize(self.field.component.slab_len() * count, T::zero());
                self.evaluate(&mut slope, Some(&mut start.slab), count);
            }
            None => self.evaluate(&mut slope, None, count),
        }
        lanes.slope = slope;
        lanes.ids.iter().for_each(|&id| solution.reports[id].evaluations += 1);
        match self.control {
            Control::Fixed { step } => {
                (0..count).for_each(|lane| lanes.h[lane] = lanes.direction(lane) * T::of(step));
            }
            Control::Adaptive { rtol, atol } => self.first_steps(&mut lanes, T::of(rtol), T::of(atol), solution),
        }
        lanes
    }

    /// `out = f(arguments)`, linearised where a slab is given.
    fn evaluate(&mut self, out: &mut [T], slab: Option<&mut [T]>, lanes: usize) {
        let component = self.field.component;
        let u = Block::new(&self.arguments[..component.in_dim() * lanes], lanes);
        let out = BlockMut::new(out, lanes);
        match slab {
            Some(slab) => component.linearize(self.params, u, out, BlockMut::new(slab, lanes), &mut self.scratch),
            None => component.eval(self.params, u, out, &mut self.scratch),
        }
    }

    /// The automatic first step of Hairer, Nørsett & Wanner I, sec. II.4, per lane.
    fn first_steps(&mut self, lanes: &mut Lanes<T>, rtol: T, atol: T, solution: &mut Solution<T>) {
        let (dim, count) = (self.dim(), lanes.ids.len());
        let norm = |x: &dyn Fn(usize) -> T, y: &[T], lane: usize| {
            let mut sum = T::zero();
            for i in 0..dim {
                let scaled = x(i * count + lane) / (atol + rtol * y[i * count + lane].abs());
                sum += scaled * scaled;
            }
            (sum / T::of(dim as f64)).sqrt()
        };
        let (tiny, order) = (T::of(1e-5), T::of(self.method.order as f64 + 1.0));
        let mut slopes = vec![T::zero(); count];
        for lane in 0..count {
            let d0 = norm(&|i| lanes.y[i], &lanes.y, lane);
            let d1 = norm(&|i| lanes.slope[i], &lanes.y, lane);
            let h0 = if d0 < tiny || d1 < tiny { T::of(1e-6) } else { T::of(0.01) * d0 / d1 };
            let span = (lanes.end[lane] - lanes.t[lane]).abs();
            lanes.h[lane] = lanes.direction(lane) * h0.min(span);
            slopes[lane] = d1;
        }
        linalg::combine(&lanes.y, &lanes.h, &[T::one()], &lanes.slope, &mut self.arguments[..dim * count]);
        let time = |lane: usize| lanes.t[lane] + lanes.h[lane];
        self.field.fill_arguments(&lanes.ids, time, &mut self.arguments, &mut self.inputs);
        let mut moved = vec![T::zero(); dim * count];
        self.evaluate(&mut moved, None, count);
        for lane in 0..count {
            solution.reports[lanes.ids[lane]].evaluations += 1;
            let h0 = lanes.h[lane].abs();
            let d2 = norm(&|i| moved[i] - lanes.slope[i], &lanes.y, lane) / h0;
            let steepest = slopes[lane].max(d2);
            let h1 = if steepest <= T::of(1e-15) {
                T::of(1e-6).max(h0 * T::of(1e-3))
            } else {
                (T::of(0.01) / steepest).powf(T::one() / order)
            };
            let span = (lanes.end[lane] - lanes.t[lane]).abs();
            let h = (T::of(100.0) * h0).min(h1).min(span);
            // A field that is not finite here gives a step that is not: the first attempt then finds out and reports.
            lanes.h[lane] = lanes.direction(lane) * if h.is_finite() { h } else { span };
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
            linalg::combine(&[], &self.step, &self.method.error, &self.stages, &mut self.estimate[..block]);
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
            let reaches = h.abs() * T::of(1.0 + 1e-9) >= left.abs();
            self.step[lane] = if reaches { left } else { h };
        }
        self.stages[..block].copy_from_slice(&lanes.slope);
        let slab_len = self.field.component.slab_len() * count;
        if let Some(tape) = tape.as_deref_mut() {
            tape.begin_round(count, (self.method.stages - 1) * slab_len);
        }
        for j in 1..self.method.stages {
            let (known, unknown) = self.stages.split_at_mut(j * block);
            linalg::combine(&lanes.y, &self.step, &self.method.a[j], known, &mut self.arguments[..block]);
            let c = self.method.c[j];
            let time = |lane: usize| lanes.t[lane] + c * self.step[lane];
            self.field.fill_arguments(&lanes.ids, time, &mut self.arguments, &mut self.inputs);
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
        match self.control {
            Control::Fixed { .. } => match not_finite {
                Some(component) => Verdict::Fail(Reason::NotFinite { component }),
                None => Verdict::Accept { error: T::zero(), factor: T::one() },
            },
            Control::Adaptive { rtol, atol } => {
                let (rtol, atol) = (T::of(rtol), T::of(atol));
                let mut sum = T::zero();
                for i in (lane..dim * count).step_by(count) {
                    let size = lanes.y[i].abs().max(self.arguments[i].abs());
                    let scaled = self.estimate[i] / (atol + rtol * size);
                    sum += scaled * scaled;
                }
                let error = (sum / T::of(dim as f64)).sqrt();
                if error <= T::one() && not_finite.is_none() {
                    let factor = self.controller.after_accept(error, lanes.error[lane], lanes.just_rejected[lane]);
                    return Verdict::Accept { error, factor };
                }
                let factor = self.controller.after_reject(error);
                let smallest = T::of(16.0) * T::default_epsilon() * lanes.t[lane].abs();
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
        lanes.t[lane] = if whole { lanes.end[lane] } else { lanes.t[lane] + step };
        let last = &self.stages[(self.method.stages - 1) * dim * count..];
        for i in (lane..dim * count).step_by(count) {
            lanes.y[i] = self.arguments[i];
            lanes.slope[i] = last[i];
        }
        if let Control::Adaptive { .. } = self.control {
            lanes.h[lane] = step * factor;
            lanes.error[lane] = error.max(T::of(Controller::<T>::ERROR_FLOOR));
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

impl<T: Real> Lanes<T> {
    fn empty() -> Self {
        Self {
            ids: Vec::new(),
            t: Vec::new(),
            h: Vec::new(),
            end: Vec::new(),
            row: Vec::new(),
            error: Vec::new(),
            just_rejected: Vec::new(),
            attempts: Vec::new(),
            y: Vec::new(),
            slope: Vec::new(),
        }
    }

    fn push(&mut self, id: usize, t: T, end: T, row: usize) {
        self.ids.push(id);
        self.t.push(t);
        self.h.push(T::zero());
        self.end.push(end);
        self.row.push(row);
        self.error.push(T::of(Controller::<T>::ERROR_FLOOR));
        self.just_rejected.push(false);
        self.attempts.push(0);
    }

    fn direction(&self, lane: usize) -> T {
        if self.end[lane] < self.t[lane] { -T::one() } else { T::one() }
    }

    fn is_done(&self, lane: usize) -> bool {
        self.t[lane] == self.end[lane]
    }

    /// Keeps some lanes, closing ranks.
    fn keep(&mut self, kept: &[usize], dim: usize) {
        let count = self.ids.len();
        let pack = |x: &mut Vec<T>, rows: usize| {
            for i in 0..rows {
                for (to, &from) in kept.iter().enumerate() {
                    // Rows only move towards the front, so nothing is overwritten before it has moved.
                    x[i * kept.len() + to] = x[i * count + from];
                }
            }
            x.truncate(rows * kept.len());
        };
        for x in [&mut self.t, &mut self.h, &mut self.end, &mut self.error] {
            pack(x, 1);
        }
        pack(&mut self.y, dim);
        pack(&mut self.slope, dim);
        self.ids = kept.iter().map(|&lane| self.ids[lane]).collect();
        self.row = kept.iter().map(|&lane| self.row[lane]).collect();
        self.just_rejected = kept.iter().map(|&lane| self.just_rejected[lane]).collect();
        self.attempts = kept.iter().map(|&lane| self.attempts[lane]).collect();
    }
}
