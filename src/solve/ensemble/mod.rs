//! Many trajectories of a small field in vector lanes.
//!
//! The field's own kernel takes the steps; here is decided which trajectory stands in which slot. A slot whose
//! trajectory is done takes the next one, so lanes stay full. States and reports have the same bits as those of
//! [`integrate`](super::integrate), for trajectories in any company.

mod judge;
mod read_off;

use super::control::{Controller, Pace, shorter};
use super::diagnose::diagnose;
use super::engine::Engine;
use super::integrate::checked;
use super::lanes::Lanes;
use super::{Control, Failure, Kind, Options, Problem, Reason, Solution};
use crate::dynamics::{Field, March, Marcher, Rows, Scale, Stand};
use crate::{Real, Result, linalg};
use judge::{Attention, GoOn, Judge, Plan, Slots};
use read_off::ReadOff;
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
        scale: match options.control {
            Control::Adaptive { rtol, atol } => {
                let (error, coarse) = (&method.error[..], &method.coarse[..]);
                Some(Scale { error, coarse, rtol: of(rtol), atol: of(atol) })
            }
            Control::Fixed { .. } => None,
        },
        last_weighed: method.error.iter().any(|&(j, _)| j + 1 == method.stages),
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
        slots: plan.slots(width),
        held: vec![None; width],
        rounds: 0,
        pause: 0,
        extended: None,
        row: vec![T::zero(); inputs],
    };
    (0..width).for_each(|slot| driver.fill(&mut stand, slot));
    let rows = Rows { c: &method.c, a: &method.a, stages: plan.stages, scale: plan.scale };
    while driver.go_on(&mut stand) {
        kernel.march(params, rows, 1..plan.stages, &mut stand, &mut |stand| driver.settle(stand));
        stand = driver.shrink(stand);
    }
    Ok(driver.solution)
}

impl<T: Real> Plan<'_, T> {
    fn stand(&self, width: usize, inputs: usize) -> Stand<T> {
        Stand::new(width, self.dim, self.stages + self.extra, inputs)
    }

    fn slots(&self, width: usize) -> Slots<T> {
        Slots::new(width, self.dim, self.stages + self.extra)
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
        let mut slots = self.plan.slots(width);
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
            match again.filter(|_| self.plan.scale.is_some()) {
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
        self.read_off(stand, attention.arrived & !attention.failed, attention.inside);
        let mut waiting = attention.arrived | attention.failed;
        let mut left_any = false;
        while waiting != 0 {
            let slot = waiting.trailing_zeros() as usize;
            waiting &= waiting - 1;
            let Some(held) = self.held[slot] else { continue };
            let failed = attention.failed >> slot & 1 == 1;
            if failed {
                self.fail(stand, slot, held, self.reason(stand, slot));
            }
            if failed || self.slots.t[slot] == self.slots.end[slot] {
                self.release(stand, slot, held);
                left_any = true;
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

    /// Writes the outputs up to the end of the slots' accepted steps: one of each slot's at a time. `inside` are the slots
    /// that used the continuous extension.
    fn read_off(&mut self, stand: &Stand<T>, mut waiting: u32, inside: u32) {
        let (dim, width) = (self.plan.dim, stand.width);
        if self.plan.extra > 0 {
            for held in (0..width).filter(|slot| (inside & waiting) >> slot & 1 == 1).filter_map(|slot| self.held[slot])
            {
                self.solution.reports[held.id].evaluations += self.plan.extra;
            }
        }
        while waiting != 0 {
            let (method, slots) = (&self.engine.stepper.method, &mut self.slots);
            linalg::dispatch_width(width, ReadOff { method, stand, slots });
            let mut slots_left = waiting;
            while slots_left != 0 {
                let slot = slots_left.trailing_zeros() as usize;
                slots_left &= slots_left - 1;
                let Some(held) = self.held[slot].as_mut() else { continue };
                let state = &mut self.solution.states[held.row * dim..][..dim];
                state.iter_mut().enumerate().for_each(|(i, y)| *y = self.slots.output[i * width + slot]);
                held.row += 1;
                let next = (held.row < held.rows_end).then(|| self.problem.times[held.row]);
                self.slots.next[slot] = next.unwrap_or(self.slots.next[slot]);
                if next.is_none_or(|next| !within(next, stand, &self.slots, slot)) {
                    waiting &= !(1 << slot);
                }
            }
        }
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
        let Some(Scale { rtol, atol, .. }) = self.plan.scale else {
            return match lost {
                Some(component) => Reason::NotFinite { component },
                None => Reason::StepUnderflow { component: 0 },
            };
        };
        if let Some(component) = not_finite(&stand.estimate).or(lost) {
            return Reason::NotFinite { component };
        }
        let size = |i: &usize| {
            let tolerance = atol + rtol * at(&stand.y, *i).abs().max(at(&slots.result, *i).abs());
            (at(&stand.estimate, *i) / tolerance).abs().f64()
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

/// Whether a time lies within the step of a slot. The step's end is the trajectory's end itself where it reaches that,
/// whatever rounding makes of the sum.
fn within<T: Real>(time: T, stand: &Stand<T>, slots: &Slots<T>, slot: usize) -> bool {
    let (t, step, end) = (stand.t[slot], stand.step[slot], slots.end[slot]);
    (time - t).abs() <= step.abs() || (step == end - t && time == end)
}
