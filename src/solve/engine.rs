//! Rounds: every lane attempts a step of its own, side by side with the others.

use super::control::{COARSE, COUNTED, Controller, shorter, stretch};
use super::diagnose::diagnose;
use super::lanes::Lanes;
use super::stepper::{Standing, Stepper};
use super::tape::{Outcome, Tape};
use super::{Control, Failure, Options, Problem, Reason, Solution};
use crate::Real;
use crate::dynamics::Field;
use crate::linalg;

/// A solve's fixed parts and its buffers.
pub(crate) struct Engine<'a, T: Real> {
    pub stepper: Stepper<'a, T>,
    pub(super) problem: Problem<'a, T>,
    pub(super) options: Options,
    controller: Controller<T>,
    /// Error estimates, `dim × lanes`.
    estimate: Vec<T>,
    coarse: Vec<T>,
    /// Signed length of each lane's attempt.
    pub(super) step: Vec<T>,
    pub(super) weights: Vec<T>,
    verdicts: Vec<Verdict<T>>,
    /// Whether the inputs are made of numbers, so that a tape has to hold where they were read.
    placed: bool,
    /// Whether every step gets the stages of its continuous extension.
    pub(crate) always_extend: bool,
    /// Time and state after every step, where wanted, with the trajectory.
    pub(super) every_step: Option<Vec<(usize, T, Vec<T>)>>,
}

/// What becomes of an attempt.
#[derive(Clone, Copy)]
enum Verdict<T> {
    Accept {
        log_error: T,
        factor: T,
    },
    /// To be tried again with this signed length.
    Reject {
        shorter: T,
    },
    Fail(Reason),
}

impl<'a, T: Real> Engine<'a, T> {
    pub fn new(field: Field<'a, T>, params: &'a [T], problem: Problem<'a, T>, options: &Options) -> Self {
        let lanes = problem.len();
        let stepper = Stepper::new(field, params, options, lanes);
        let block = field.state_dim() * lanes;
        Self {
            controller: Controller::new(options.gains, &stepper.method),
            options: *options,
            estimate: vec![T::zero(); block],
            coarse: vec![T::zero(); if stepper.method.coarse.is_empty() { 0 } else { block }],
            step: vec![T::zero(); lanes],
            weights: Vec::new(),
            verdicts: Vec::with_capacity(lanes),
            placed: field.inputs.is_some_and(|inputs| !inputs.numbers(0..lanes).is_empty()),
            always_extend: false,
            every_step: None,
            stepper,
            problem,
        }
    }

    /// Every lane takes the step that it took in a recorded round.
    pub(super) fn round_along(
        &mut self,
        lanes: &mut Lanes<T>,
        solution: &mut Solution<T>,
        tape: &Tape<T>,
        round: &super::tape::Round,
    ) {
        let count = round.lanes;
        self.step.clear();
        self.step.extend_from_slice(&tape.steps[round.first..][..count]);
        self.stepper.attempt(standing(lanes), &self.step[..count], None);
        self.verdicts.clear();
        let outcomes = &tape.outcomes[round.first..][..count];
        self.verdicts.extend(outcomes.iter().zip(&lanes.own).map(|(&outcome, own)| match outcome {
            Outcome::Refused => Verdict::Reject { shorter: own.h },
            Outcome::Whole | Outcome::Cut => Verdict::Accept { log_error: T::zero(), factor: T::one() },
        }));
        if round.extra {
            self.stepper.extra_stages(standing(lanes), &self.step[..count], None);
        }
        (0..count).for_each(|lane| self.settle(lanes, lane, solution, None));
        if let Some(kept) = &round.kept {
            lanes.keep(&tape.kept[kept.clone()]);
        }
    }

    /// Every lane attempts one step. Returns whether any lane goes on.
    pub fn round(&mut self, lanes: &mut Lanes<T>, solution: &mut Solution<T>, mut tape: Option<&mut Tape<T>>) -> bool {
        let count = lanes.ids.len();
        if count == 0 {
            return false;
        }
        self.choose_steps(lanes);
        if let (Some(tape), true) = (tape.as_deref_mut(), self.placed) {
            tape.places.extend((0..count).map(|lane| lanes.place(lane)));
        }
        self.stepper.attempt(standing(lanes), &self.step[..count], tape.as_deref_mut());
        self.estimate_errors(count);
        self.verdicts.clear();
        for lane in 0..count {
            let verdict = self.judge(lanes, lane);
            self.verdicts.push(verdict);
        }
        self.extend(lanes, tape.as_deref_mut());
        for lane in 0..count {
            self.settle(lanes, lane, solution, tape.as_deref_mut());
        }
        let kept: Vec<usize> = (0..count).filter(|&lane| !lanes.own[lane].done).collect();
        if kept.len() < count {
            lanes.keep(&kept);
            if let Some(tape) = tape {
                let first = tape.kept.len();
                tape.kept.extend(&kept);
                let all = tape.kept.len();
                tape.rounds.last_mut().into_iter().for_each(|round| round.kept = Some(first..all));
            }
        }
        !lanes.ids.is_empty()
    }

    /// The signed length of a lane's attempt in the last round.
    pub(crate) fn step_of(&self, lane: usize) -> T {
        self.step[lane]
    }

    /// Whether a lane's attempt in the last round counted.
    pub(crate) fn counted(&self, lane: usize) -> bool {
        matches!(self.verdicts.get(lane), Some(Verdict::Accept { .. }))
    }

    fn choose_steps(&mut self, lanes: &Lanes<T>) {
        self.step.resize(lanes.ids.len(), T::zero());
        for (lane, own) in lanes.own.iter().enumerate() {
            let left = own.stop - lanes.t[lane];
            let reaches = own.h.abs() * stretch() >= left.abs();
            self.step[lane] = if reaches { left } else { own.h };
        }
    }

    fn estimate_errors(&mut self, count: usize) {
        let (Control::Adaptive { .. }, block) = (self.options.control, self.stepper.dim() * count) else { return };
        let (method, step, stages) = (&self.stepper.method, &self.step[..count], &self.stepper.stages);
        linalg::combine(&[], step, &method.error, stages, block, &mut self.estimate[..block]);
        if !method.coarse.is_empty() {
            linalg::combine(&[], step, &method.coarse, stages, block, &mut self.coarse[..block]);
        }
    }

    /// Whether one lane's attempt counts, and its next step's factor.
    fn judge(&self, lanes: &Lanes<T>, lane: usize) -> Verdict<T> {
        let (dim, count, own) = (self.stepper.dim(), lanes.ids.len(), &lanes.own[lane]);
        let block = dim * count;
        let not_finite = |x: &[T]| (0..dim).find(|i| !x[i * count + lane].is_finite());
        if let Some(component) = not_finite(&lanes.slope) {
            return Verdict::Fail(Reason::NotFinite { component });
        }
        let Control::Adaptive { rtol, atol } = self.options.control else {
            // The field at the result is the next step's first stage: if it is not finite, the end is here.
            let last = &self.stepper.stages[(self.stepper.method.stages - 1) * block..];
            return match not_finite(&self.stepper.result).or_else(|| not_finite(last)) {
                _ if self.stepper.unsolved[lane] => Verdict::Fail(Reason::Unsolved),
                Some(component) => Verdict::Fail(Reason::NotFinite { component }),
                None if lanes.t[lane] + self.step[lane] == lanes.t[lane] => {
                    Verdict::Fail(Reason::StepUnderflow { component: 0 })
                }
                None => Verdict::Accept { log_error: T::zero(), factor: T::one() },
            };
        };
        let (rtol, atol) = (T::of(rtol), T::of(atol));
        let tolerance = |i: usize| atol + rtol * lanes.y[i].abs().max(self.stepper.result[i].abs());
        let mean_square = |estimate: &[T]| {
            let sum = (lane..block).step_by(count).fold(T::zero(), |sum, i| {
                let scaled = estimate[i] * (T::one() / tolerance(i));
                sum + scaled * scaled
            });
            sum * T::of(1.0 / dim as f64)
        };
        let mut square = mean_square(&self.estimate);
        if !self.coarse.is_empty() && square > T::zero() {
            square = square * square / (square + T::of(COARSE) * mean_square(&self.coarse));
        }
        let unsolved = self.stepper.unsolved[lane];
        // The field at the result is the next step's first stage, whether or not the estimate weighs it.
        let last = &self.stepper.stages[(self.stepper.method.stages - 1) * block..];
        let lost = not_finite(&self.estimate).or_else(|| not_finite(&self.stepper.result)).or_else(|| not_finite(last));
        let usable = !unsolved && lost.is_none();
        let log_error = if usable { Controller::log_error(square) } else { T::of(Controller::<T>::LOST) };
        if usable && square <= T::one() {
            let factor = self.controller.after_accept(log_error, own.errors, own.just_rejected);
            return Verdict::Accept { log_error, factor };
        }
        if let Some(shorter) = self.shorter(lanes, lane, log_error) {
            return Verdict::Reject { shorter };
        }
        Verdict::Fail(match lost {
            Some(component) => Reason::NotFinite { component },
            None if unsolved => Reason::Unsolved,
            None => {
                let size = |i: &usize| (self.estimate[i * count + lane] / tolerance(i * count + lane)).abs().f64();
                let worst = (0..dim).max_by(|a, b| size(a).total_cmp(&size(b)));
                Reason::StepUnderflow { component: worst.unwrap_or(0) }
            }
        })
    }

    /// The length of another attempt after one with this error, if any is short enough to differ from it.
    fn shorter(&self, lanes: &Lanes<T>, lane: usize, log_error: T) -> Option<T> {
        let factor = self.controller.after_reject(log_error);
        shorter(lanes.t[lane], self.step[lane], factor, T::of(self.options.min_step))
    }

    /// Computes the stages that only the continuous extension needs, if a step that counts holds an output or may hold
    /// an event. Where they are not finite the step does not count.
    fn extend(&mut self, lanes: &Lanes<T>, mut tape: Option<&mut Tape<T>>) {
        let (extra, count) = (self.stepper.method.extra, lanes.ids.len());
        if extra == 0 {
            return;
        }
        let needs = |lane: usize| {
            matches!(self.verdicts[lane], Verdict::Accept { .. })
                && (self.always_extend || !self.stepper.field.events.is_empty() || self.has_output_within(lanes, lane))
        };
        let needed: Vec<bool> = (0..count).map(needs).collect();
        if !needed.contains(&true) {
            return;
        }
        // Counted only where it was needed: what a trajectory costs does not depend on its company.
        let mut counted = self.stepper.evaluations.clone();
        (0..count).filter(|&lane| needed[lane]).for_each(|lane| counted[lane] += extra);
        self.stepper.extra_stages(standing(lanes), &self.step[..count], tape.as_deref_mut());
        self.stepper.evaluations = counted;
        let slabs = (self.stepper.method.stages - 1) * self.stepper.field.component.slab_len() * count;
        let (dim, first) = (self.stepper.dim(), self.stepper.method.stages * self.stepper.dim() * count);
        for (lane, needed) in needed.into_iter().enumerate() {
            let mut mine = (first + lane..first + extra * dim * count).step_by(count);
            let lost = mine.find(|&i| !self.stepper.stages[i].is_finite());
            if !needed && let Some(tape) = tape.as_deref_mut() {
                scrub(tape, lane, count, slabs);
            } else if needed && let Some(i) = lost {
                let component = (i - first) / count % dim;
                let again = match self.options.control {
                    Control::Adaptive { .. } => self.shorter(lanes, lane, T::of(Controller::<T>::LOST)),
                    Control::Fixed { .. } => None,
                };
                self.verdicts[lane] = match again {
                    Some(shorter) => Verdict::Reject { shorter },
                    None => Verdict::Fail(Reason::NotFinite { component }),
                };
            }
        }
    }

    /// Acts on one lane's verdict.
    fn settle(
        &mut self,
        lanes: &mut Lanes<T>,
        lane: usize,
        solution: &mut Solution<T>,
        mut tape: Option<&mut Tape<T>>,
    ) {
        let count = lanes.ids.len();
        let id = lanes.ids[lane];
        let report = &mut solution.reports[id];
        report.evaluations += self.stepper.evaluations[lane];
        lanes.own[lane].attempts += 1;
        let mut outcome = Outcome::Refused;
        match self.verdicts[lane] {
            Verdict::Accept { log_error, factor } => {
                report.accepted += 1;
                outcome = self.accept(lanes, lane, (log_error, factor), solution, tape.as_deref_mut());
                if let Some(log) = &mut self.every_step {
                    log.push((id, lanes.t[lane], lanes.y.iter().skip(lane).step_by(count).copied().collect()));
                }
            }
            Verdict::Reject { shorter } => {
                report.rejected += 1;
                let own = &mut lanes.own[lane];
                own.h = shorter;
                own.just_rejected = true;
            }
            Verdict::Fail(reason) => self.fail(lanes, lane, reason, solution),
        }
        if let Some(tape) = tape {
            tape.steps.push(self.step[lane]);
            tape.outcomes.push(outcome);
            if outcome == Outcome::Refused {
                scrub(tape, lane, count, 0);
            }
        }
        if !lanes.own[lane].done && lanes.own[lane].attempts >= self.options.max_steps {
            self.fail(lanes, lane, Reason::TooManySteps, solution);
        }
    }

    /// Takes one lane to the end of its step, or to the event that cuts it.
    fn accept(
        &mut self,
        lanes: &mut Lanes<T>,
        lane: usize,
        (log_error, factor): (T, T),
        solution: &mut Solution<T>,
        mut tape: Option<&mut Tape<T>>,
    ) -> Outcome {
        self.choose_next(lanes, lane, log_error, factor);
        if !self.stepper.field.events.is_empty() {
            let found = self.crossings(lanes, lane);
            if let Some(outcome) = self.happen(lanes, lane, &found, solution, tape.as_deref_mut()) {
                return outcome;
            }
        }
        self.read_off(lanes, lane, None, solution, tape.as_deref_mut());
        self.advance(lanes, lane);
        if lanes.t[lane] == lanes.own[lane].end {
            lanes.own[lane].done = true;
        } else if lanes.t[lane] == lanes.own[lane].stop {
            let kink = self.pass_kink(lanes, lane);
            self.impulse(lanes, lane, kink);
            self.restart(lanes, lane, solution, tape, None);
        }
        Outcome::Whole
    }

    /// The next step's length, and what the controller remembers.
    fn choose_next(&self, lanes: &mut Lanes<T>, lane: usize, log_error: T, factor: T) {
        let own = &mut lanes.own[lane];
        own.since += 1;
        if let Control::Adaptive { .. } = self.options.control {
            let step = self.step[lane];
            // A step that a kink or the end cut short says little about the next one.
            let next =
                if step.abs() < own.h.abs() { own.h.abs().max((step * factor).abs()) } else { (step * factor).abs() };
            let next = next.max(T::of(self.options.min_step)).min(T::of(self.options.max_step));
            own.h = if step < T::zero() { -next } else { next };
            own.errors = [log_error.max(T::of(Controller::<T>::LOG_FLOOR)), own.errors[0]];
            own.just_rejected = false;
        }
    }

    /// Moves one lane to the end of its step.
    fn advance(&self, lanes: &mut Lanes<T>, lane: usize) {
        let (dim, count) = (self.stepper.dim(), lanes.ids.len());
        let (step, own) = (self.step[lane], &mut lanes.own[lane]);
        lanes.t[lane] = match self.options.control {
            _ if step == own.stop - lanes.t[lane] => own.stop,
            // Counted from the start, so that rounding does not add up over many steps.
            Control::Fixed { .. } => own.anchor + T::of(own.since as f64) * own.h,
            Control::Adaptive { .. } => lanes.t[lane] + step,
        };
        if own.since == COUNTED {
            (own.anchor, own.since) = (lanes.t[lane], 0);
        }
        let last = &self.stepper.stages[(self.stepper.method.stages - 1) * dim * count..];
        for i in (lane..dim * count).step_by(count) {
            lanes.y[i] = self.stepper.result[i];
            lanes.slope[i] = last[i];
        }
    }

    pub(super) fn fail(&mut self, lanes: &mut Lanes<T>, lane: usize, reason: Reason, solution: &mut Solution<T>) {
        let (id, count) = (lanes.ids[lane], lanes.ids.len());
        let state: Vec<T> = lanes.y.iter().skip(lane).step_by(count).copied().collect();
        let start = &self.problem.starts[id * state.len()..][..state.len()];
        let (time, step) = (lanes.t[lane], self.step[lane]);
        let piece = lanes.pieces[lane];
        let cause = diagnose(&self.stepper, &self.options, reason, (id, piece), (time, step), &state, start);
        solution.reports[id].failure = Some(Failure { time: time.f64(), step: step.f64(), reason, cause });
        lanes.own[lane].done = true;
    }
}

/// Where the lanes stand.
pub(super) fn standing<T>(lanes: &Lanes<T>) -> Standing<'_, T> {
    Standing { ids: &lanes.ids, pieces: &lanes.pieces, t: &lanes.t, y: &lanes.y, slope: &lanes.slope }
}

/// Clears a lane's slabs of the last round, those after the first `skipped` numbers, if something in them is not finite:
/// their cotangents are zero, and zero times infinity would be NaN.
fn scrub<T: Real>(tape: &mut Tape<T>, lane: usize, lanes: usize, skipped: usize) {
    if let Some(round) = tape.rounds.last() {
        let mine = || (round.slabs + skipped + lane..).step_by(lanes);
        let end = tape.slabs.len();
        if mine().take_while(|&i| i < end).any(|i| !tape.slabs[i].is_finite()) {
            for i in mine().take_while(|&i| i < end) {
                tape.slabs[i] = T::zero();
            }
        }
    }
}
