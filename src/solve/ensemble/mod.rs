//! Many trajectories of a small field in vector lanes.
//!
//! The field's own kernel takes the steps; here is decided which trajectory stands in which slot. A slot whose
//! trajectory is done takes the next one, so lanes stay full. States and reports have the same bits as those of
//! [`integrate`](super::integrate), for trajectories in any company.

mod judge;

use super::control::{Controller, Pace, shorter};
use super::diagnose::diagnose;
use super::engine::Engine;
use super::integrate::checked;
use super::lanes::Lanes;
use super::{Control, Failure, Kind, Options, Problem, Reason, Solution};
use crate::dynamics::{Field, March, Marcher, Rows, Stand};
use crate::{Real, Result, linalg};
use judge::{Attention, GoOn, Judge, Plan, Slots};
use std::ops::Range;

/// Trajectories that are begun together.
pub(super) const BATCH: usize = 1024;

/// The field's kernel, if it has one that can do what is asked.
pub(super) fn marcher<'a, T: Real>(field: Field<'a, T>, options: &Options) -> Option<Marcher<'a, T>> {
    let plain = options.method.kind == Kind::Explicit && field.events.is_empty();
    let constant = field.inputs.is_none_or(|inputs| inputs.constant());
    // A swept field's inputs are its parameters; a lifted one takes none but time.
    let component = field.component;
    let fits = field.timed && component.in_dim() == component.out_dim() + field.inputs.map_or(0, |x| x.dim()) + 1;
    if plain && constant && fits { component.marcher() } else { None }
}

/// Integrates all trajectories of a problem on this thread.
///
/// # Errors
/// If sizes or options do not fit.
pub(super) fn march<T: Real>(
    field: Field<T>,
    kernel: &dyn March<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
) -> Result<Solution<T>> {
    let mut solution = checked(field, params, problem, options)?;
    let mut engine = Engine::new(field, params, *problem, options);
    let queue = engine.begin(&mut solution, None);
    let (method, of) = (&engine.stepper.method, |x: f64| T::of(x));
    let plan = Plan {
        dim: field.state_dim(),
        stages: method.stages,
        extra: method.extra,
        error: &method.error,
        coarse: &method.coarse,
        last_weighed: method.error.iter().any(|&(j, _)| j + 1 == method.stages),
        tolerances: match options.control {
            Control::Adaptive { rtol, atol } => Some((of(rtol), of(atol))),
            Control::Fixed { .. } => None,
        },
        pace: Controller::new(options.gains, method).pace(),
        min_step: of(options.min_step),
        max_step: of(options.max_step),
    };
    let inputs = field.inputs.map_or(0, |x| x.dim());
    let width = linalg::fitting_width::<T>(queue.ids.len());
    let mut stand = plan.stand(width, inputs);
    let mut driver = Driver {
        engine: &engine,
        problem,
        options,
        plan,
        solution,
        queue,
        taken: 0,
        slots: Slots::new(width, plan.dim),
        held: vec![None; width],
        rounds: 0,
        pause: 0,
        extended: None,
        weights: Vec::new(),
        row: vec![T::zero(); inputs],
    };
    (0..width).for_each(|slot| driver.fill(&mut stand, slot));
    let rows = Rows { c: &method.c, a: &method.a };
    while driver.go_on(&mut stand) {
        kernel.march(params, rows, 1..plan.stages, &mut stand, &mut |stand| driver.settle(stand));
        stand = driver.shrink(stand);
    }
    Ok(driver.solution)
}

impl<T: Real> Plan<'_, T> {
    fn stand(&self, width: usize, inputs: usize) -> Stand<T> {
        let rows = |rows: usize| vec![T::zero(); rows * width];
        let stages = rows(self.dim * (self.stages + self.extra));
        Stand {
            width,
            y: rows(self.dim),
            t: rows(1),
            step: rows(1),
            params: rows(inputs),
            stages,
            state: rows(self.dim),
        }
    }
}

/// A trajectory in a slot.
#[derive(Clone, Copy, Debug)]
struct Held {
    id: usize,
    /// Next output row, and the end of its rows.
    row: usize,
    rows_end: usize,
    /// When it was put there, in rounds.
    since: usize,
}

struct Driver<'a, 'f, T: Real> {
    engine: &'a Engine<'f, T>,
    problem: &'a Problem<'a, T>,
    options: &'a Options,
    plan: Plan<'a, T>,
    solution: Solution<T>,
    /// Trajectories at their starts, and how many of them have been taken.
    queue: Lanes<T>,
    taken: usize,
    slots: Slots<T>,
    held: Vec<Option<Held>>,
    /// Rounds so far, and the one after which counts are looked at.
    rounds: usize,
    pause: usize,
    /// What needs attention once the stages for the continuous extension are there.
    extended: Option<Attention>,
    weights: Vec<T>,
    row: Vec<T>,
}

impl<T: Real> Driver<'_, '_, T> {
    /// Puts the next trajectory of the queue in a slot, if there is one.
    fn fill(&mut self, stand: &mut Stand<T>, slot: usize) {
        let (lane, count, slots) = (self.taken, self.queue.ids.len(), &mut self.slots);
        self.held[slot] = None;
        slots.active[slot] = T::zero();
        if lane == count {
            return;
        }
        self.taken += 1;
        let (id, own) = (self.queue.ids[lane], &self.queue.own[lane]);
        for i in 0..self.plan.dim {
            slots.y[i * slots.width + slot] = self.queue.y[i * count + lane];
            slots.slope[i * slots.width + slot] = self.queue.slope[i * count + lane];
        }
        if let Some(inputs) = self.engine.stepper.field.inputs {
            inputs.at(id, 0, self.queue.t[lane], &mut self.row);
            self.row.iter().enumerate().for_each(|(i, &x)| stand.params[i * slots.width + slot] = x);
        }
        slots.t[slot] = self.queue.t[lane];
        slots.h[slot] = own.h;
        slots.end[slot] = own.end;
        slots.next[slot] = self.problem.times[own.row];
        (0..2).for_each(|k| slots.errors[k][slot] = own.errors[k]);
        slots.most[slot] = T::of(Pace::<T>::GROW);
        slots.anchor[slot] = own.anchor;
        slots.since[slot] = T::zero();
        slots.active[slot] = T::one();
        (slots.accepted[slot], slots.rejected[slot]) = (T::zero(), T::zero());
        let rows_end = self.problem.row_ptr[id + 1];
        self.held[slot] = Some(Held { id, row: own.row, rows_end, since: self.rounds });
    }

    /// The width that those who are left need.
    fn fitting(&self) -> usize {
        linalg::fitting_width::<T>(self.held.iter().flatten().count())
    }

    /// Puts the few trajectories that are left in fewer slots, if they fit.
    fn shrink(&mut self, stand: Stand<T>) -> Stand<T> {
        let width = self.fitting();
        if width >= stand.width {
            return stand;
        }
        let inputs = stand.params.len() / stand.width;
        let mut narrow = self.plan.stand(width, inputs);
        let mut slots = Slots::new(width, self.plan.dim);
        let kept: Vec<usize> = (0..stand.width).filter(|&slot| self.held[slot].is_some()).collect();
        for (to, &from) in kept.iter().enumerate() {
            slots.copy_slot(to, &self.slots, from);
            for i in 0..inputs {
                narrow.params[i * width + to] = stand.params[i * stand.width + from];
            }
        }
        self.held = kept.iter().map(|&slot| self.held[slot]).collect();
        self.held.resize(width, None);
        self.slots = slots;
        narrow
    }

    /// Readies the slots for attempts until some trajectory has used up its steps. Returns whether any is held.
    fn go_on(&mut self, stand: &mut Stand<T>) -> bool {
        // Counts are whole numbers up to 2²⁴ in single precision.
        const MOST: usize = 1 << 20;
        let used_up = self.held.iter().flatten().map(|held| held.since.saturating_add(self.options.max_steps)).min();
        self.pause = used_up.unwrap_or(0).min(self.rounds + MOST);
        linalg::dispatch_width(stand.width, GoOn { stand, slots: &self.slots });
        used_up.is_some()
    }

    /// Decides what becomes of an attempt and sees to the slots that need it. Returns the stages to be computed next.
    fn settle(&mut self, stand: &mut Stand<T>) -> Option<Range<usize>> {
        let (stages, extra) = (self.plan.stages, self.plan.extra);
        let attention = match self.extended.take() {
            Some(attention) => self.take_back(stand, attention),
            None => {
                self.rounds += 1;
                let pause = self.rounds == self.pause;
                let mut attention = Attention::default();
                let (plan, slots) = (&self.plan, &mut self.slots);
                let judge = Judge { plan, stand, slots, pause, attention: &mut attention };
                linalg::dispatch_width(judge.stand.width, judge);
                if (attention.arrived | attention.failed) == 0 && !pause {
                    return Some(1..stages);
                }
                if extra > 0 && attention.inside != 0 {
                    self.extended = Some(attention);
                    return Some(stages..stages + extra);
                }
                attention
            }
        };
        if self.attend(stand, attention) { Some(1..stages) } else { None }
    }

    /// Undoes the steps of slots whose stages for the continuous extension are not finite, as
    /// [`Engine`](super::engine::Engine) does; they are tried again with a shorter step, or have failed.
    fn take_back(&mut self, stand: &Stand<T>, mut attention: Attention) -> Attention {
        let (dim, width) = (self.plan.dim, stand.width);
        let first = self.plan.stages * dim * width;
        for slot in (0..width).filter(|slot| attention.inside >> slot & 1 == 1) {
            let mut extra = (first + slot..stand.stages.len()).step_by(width);
            let Some(lost) = extra.find(|&i| !stand.stages[i].is_finite()) else { continue };
            let slots = &mut self.slots;
            for i in (slot..dim * width).step_by(width) {
                (slots.y[i], slots.slope[i]) = (stand.y[i], stand.stages[i]);
            }
            (slots.t[slot], slots.accepted[slot]) = (stand.t[slot], slots.accepted[slot] - T::one());
            attention.arrived &= !(1 << slot);
            if let Some(held) = self.held[slot] {
                self.solution.reports[held.id].evaluations += self.plan.extra;
            }
            let factor = self.plan.pace.factor_of_one(T::of(Pace::<T>::LOST), [T::zero(); 2], false, T::one());
            let again = shorter(stand.t[slot], stand.step[slot], factor, self.plan.min_step);
            match again.filter(|_| self.plan.tolerances.is_some()) {
                Some(shorter) => {
                    slots.h[slot] = shorter;
                    (slots.errors[0][slot], slots.errors[1][slot]) = (slots.errors[1][slot], slots.errors[2][slot]);
                    slots.most[slot] = T::one();
                    slots.rejected[slot] += T::one();
                }
                None => {
                    attention.failed |= 1 << slot;
                    // What the reason is read from; the stand's state is no longer the result.
                    slots.result.iter_mut().skip(slot).step_by(width).for_each(|y| *y = T::zero());
                    slots.result[(lost - first) / width % dim * width + slot] = stand.stages[lost];
                }
            }
        }
        attention
    }

    /// Sees to the slots after a round. Returns whether the kernel should go on.
    fn attend(&mut self, stand: &mut Stand<T>, attention: Attention) -> bool {
        let mut waiting = attention.arrived | attention.failed;
        let mut left_any = false;
        while waiting != 0 {
            let slot = waiting.trailing_zeros() as usize;
            waiting &= waiting - 1;
            let Some(mut held) = self.held[slot] else { continue };
            let failed = attention.failed >> slot & 1 == 1;
            if failed {
                self.fail(stand, slot, held, self.reason(stand, slot));
            } else {
                held.row = self.read_off(stand, slot, held);
                self.held[slot] = Some(held);
            }
            if failed || self.slots.t[slot] == self.slots.end[slot] {
                self.release(stand, slot, held);
                left_any = true;
            } else {
                self.slots.next[slot] = self.problem.times[held.row];
            }
        }
        if self.rounds == self.pause {
            for slot in 0..stand.width {
                let Some(held) = self.held[slot] else { continue };
                self.count(slot, held);
                if self.rounds - held.since >= self.options.max_steps {
                    self.fail(stand, slot, held, Reason::TooManySteps);
                    self.release(stand, slot, held);
                    left_any = true;
                }
            }
        }
        let none_waits = left_any && self.taken == self.queue.ids.len();
        if none_waits && (self.held.iter().all(Option::is_none) || self.fitting() < stand.width) {
            return false;
        }
        if left_any || self.rounds == self.pause {
            return self.go_on(stand);
        }
        linalg::dispatch_width(stand.width, GoOn { stand, slots: &self.slots });
        true
    }

    /// Moves a slot's counts to its report.
    fn count(&mut self, slot: usize, held: Held) {
        let (report, slots) = (&mut self.solution.reports[held.id], &mut self.slots);
        report.accepted += slots.accepted[slot].f64() as usize;
        report.rejected += slots.rejected[slot].f64() as usize;
        (slots.accepted[slot], slots.rejected[slot]) = (T::zero(), T::zero());
    }

    /// Ends a slot's trajectory and takes the next one.
    fn release(&mut self, stand: &mut Stand<T>, slot: usize, held: Held) {
        self.count(slot, held);
        self.solution.reports[held.id].evaluations += (self.rounds - held.since) * (self.plan.stages - 1);
        self.fill(stand, slot);
    }

    /// Writes the outputs up to the end of a slot's accepted step. Returns the next output's row.
    fn read_off(&mut self, stand: &Stand<T>, slot: usize, held: Held) -> usize {
        let dim = self.plan.dim;
        let (t, step, end) = (stand.t[slot], stand.step[slot], self.slots.end[slot]);
        // The step's end is the end itself, whatever rounding makes of the sum.
        let ends = |time: T| step == end - t && time == end;
        let mut row = held.row;
        while row < held.rows_end {
            let time = self.problem.times[row];
            if (time - t).abs() > step.abs() && !ends(time) {
                break;
            }
            let theta = if ends(time) { T::one() } else { ((time - t) / step).min(T::one()) };
            let state = &mut self.solution.states[row * dim..][..dim];
            if theta == T::one() {
                state.iter_mut().enumerate().for_each(|(i, y)| *y = self.slots.y[i * stand.width + slot]);
            } else {
                if row == held.row {
                    self.solution.reports[held.id].evaluations += self.plan.extra;
                }
                self.engine.stepper.method.dense_weights(theta, &mut self.weights);
                dense(stand, slot, &self.weights, state);
            }
            row += 1;
        }
        row
    }

    /// Why a slot's attempt failed.
    fn reason(&self, stand: &Stand<T>, slot: usize) -> Reason {
        let (dim, slots) = (self.plan.dim, &self.slots);
        let at = |x: &[T], i: usize| x[i * stand.width + slot];
        let not_finite = |x: &[T]| (0..dim).find(|&i| !at(x, i).is_finite());
        if let Some(component) = not_finite(&stand.stages) {
            return Reason::NotFinite { component };
        }
        let last = &stand.stages[(self.plan.stages - 1) * dim * stand.width..];
        let lost = not_finite(&slots.result).or_else(|| not_finite(last));
        let Some((rtol, atol)) = self.plan.tolerances else {
            return match lost {
                Some(component) => Reason::NotFinite { component },
                None => Reason::StepUnderflow { component: 0 },
            };
        };
        if let Some(component) = not_finite(&slots.estimate).or(lost) {
            return Reason::NotFinite { component };
        }
        let size = |i: &usize| {
            let tolerance = atol + rtol * at(&stand.y, *i).abs().max(at(&slots.result, *i).abs());
            (at(&slots.estimate, *i) / tolerance).abs().f64()
        };
        let worst = (0..dim).max_by(|a, b| size(a).total_cmp(&size(b)));
        Reason::StepUnderflow { component: worst.unwrap_or(0) }
    }

    fn fail(&mut self, stand: &Stand<T>, slot: usize, held: Held, reason: Reason) {
        let state: Vec<T> = self.slots.y.iter().skip(slot).step_by(stand.width).copied().collect();
        let start = &self.problem.starts[held.id * state.len()..][..state.len()];
        let (time, step) = (self.slots.t[slot], stand.step[slot]);
        let cause = diagnose(&self.engine.stepper, self.options, reason, (held.id, 0), (time, step), &state, start);
        let failure = Failure { time: time.f64(), step: step.f64(), reason, cause };
        self.solution.reports[held.id].failure = Some(failure);
    }
}

/// The continuous extension in one slot's step, as the stepper has it.
fn dense<T: Real>(stand: &Stand<T>, slot: usize, weights: &[T], out: &mut [T]) {
    let (dim, width) = (out.len(), stand.width);
    // Stage after stage, so that the components' sums run side by side.
    out.fill(T::zero());
    for (&weight, stage) in weights.iter().zip(stand.stages.chunks_exact(dim * width)) {
        let own = stage.iter().skip(slot).step_by(width);
        out.iter_mut().zip(own).for_each(|(out, &k)| *out += weight * k);
    }
    let begin = stand.y.iter().skip(slot).step_by(width);
    out.iter_mut().zip(begin).for_each(|(out, &y)| *out = y + stand.step[slot] * *out);
}
