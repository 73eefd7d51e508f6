//! Many trajectories of a small field in vector lanes.
//!
//! The field's own kernel takes the steps; here is decided which trajectory stands in which slot. A slot whose
//! trajectory is done takes the next one, so lanes stay full. States and reports have the same bits as those of
//! [`integrate`](super::integrate), for trajectories in any company.

use super::control::Controller;
use super::diagnose::diagnose;
use super::engine::Engine;
use super::integrate::checked;
use super::lanes::Lanes;
use super::{Control, Failure, Options, Problem, Reason, Solution};
use crate::dynamics::{Component, Field, March, Marcher, Pace, Plan, Slots};
use crate::{Real, Result, linalg};

/// Trajectories that are begun together.
pub(super) const BATCH: usize = 1024;

/// The field's kernel, if it has one that can do what is asked.
pub(super) fn marcher<'a, T: Real, C: Component<T> + ?Sized>(
    field: &Field<'a, T, C>,
    options: &Options,
) -> Option<Marcher<'a, T>> {
    let plain = options.method.diagonal == 0.0 && options.method.momenta.is_none() && field.events.is_empty();
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
pub(super) fn march<T: Real, C: Component<T> + ?Sized>(
    field: Field<T, C>,
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
        stages: method.stages,
        extra: method.extra,
        c: &method.c,
        a: &method.a,
        error: &method.error,
        coarse: &method.coarse,
        tolerances: match options.control {
            Control::Adaptive { rtol, atol } => Some((of(rtol), of(atol))),
            Control::Fixed { .. } => None,
        },
        pace: Controller::new(options.gains, method).pace(),
        min_step: of(options.min_step),
        max_step: of(options.max_step),
    };
    let vector = linalg::vector_len::<T>();
    let width = if queue.ids.len() <= vector { vector } else { 2 * vector };
    let inputs = field.inputs.map_or(0, |x| x.dim());
    let empty = |width: usize| Slots::new(width, field.state_dim(), inputs, method.stages + method.extra);
    let mut driver = Driver {
        engine: &engine,
        problem,
        options,
        plan,
        solution,
        queue,
        taken: 0,
        held: vec![None; width],
        now: 0,
        given: 0,
        narrow: vector,
        weights: Vec::new(),
        row: vec![T::zero(); inputs],
    };
    let mut slots = empty(width);
    (0..width).for_each(|slot| driver.fill(&mut slots, slot));
    while driver.allow_rounds(&mut slots) {
        kernel.march(params, &plan, &mut slots, &mut |slots| driver.attend(slots));
        if slots.width > vector {
            // Few are left: half as many lanes will do.
            let mut fewer = empty(vector);
            let held: Vec<_> = (0..slots.width).filter(|&slot| driver.held[slot].is_some()).collect();
            held.iter().enumerate().for_each(|(to, &from)| fewer.copy_slot(to, &slots, from));
            driver.held = held.iter().map(|&slot| driver.held[slot]).collect();
            driver.held.resize(vector, None);
            slots = fewer;
        }
    }
    Ok(driver.solution)
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

struct Driver<'a, 'f, T: Real, C: Component<T> + ?Sized> {
    engine: &'a Engine<'f, T, C>,
    problem: &'a Problem<'a, T>,
    options: &'a Options,
    plan: Plan<'a, T>,
    solution: Solution<T>,
    /// Trajectories at their starts, and how many of them have been taken.
    queue: Lanes<T>,
    taken: usize,
    held: Vec<Option<Held>>,
    /// Rounds so far, and how many the kernel was last given.
    now: usize,
    given: usize,
    /// A vector's numbers.
    narrow: usize,
    weights: Vec<T>,
    row: Vec<T>,
}

impl<T: Real, C: Component<T> + ?Sized> Driver<'_, '_, T, C> {
    /// Puts the next trajectory of the queue in a slot, if there is one.
    fn fill(&mut self, slots: &mut Slots<T>, slot: usize) {
        let (lane, count, width) = (self.taken, self.queue.ids.len(), slots.width);
        self.held[slot] = None;
        slots.active[slot] = T::zero();
        if lane == count {
            return;
        }
        self.taken += 1;
        let (id, own) = (self.queue.ids[lane], &self.queue.own[lane]);
        for i in 0..self.engine.stepper.dim() {
            slots.y[i * width + slot] = self.queue.y[i * count + lane];
            slots.slope[i * width + slot] = self.queue.slope[i * count + lane];
        }
        if let Some(inputs) = self.engine.stepper.field.inputs {
            inputs.at(id, 0, self.queue.t[lane], &mut self.row);
            self.row.iter().enumerate().for_each(|(i, &x)| slots.params[i * width + slot] = x);
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
        self.held[slot] = Some(Held { id, row: own.row, rows_end, since: self.now });
    }

    /// Lets the kernel go on until some slot has used up its steps. Returns whether any slot is held.
    fn allow_rounds(&mut self, slots: &mut Slots<T>) -> bool {
        // Counts are whole numbers up to 2²⁴ in single precision.
        const MOST: usize = 1 << 20;
        let used_up = self.held.iter().flatten().map(|held| held.since + self.options.max_steps).min();
        self.given = used_up.map_or(0, |round| round - self.now).min(MOST);
        slots.rounds = self.given;
        used_up.is_some()
    }

    /// Sees to the slots after the kernel's last round. Returns whether the kernel should go on.
    fn attend(&mut self, slots: &mut Slots<T>) -> bool {
        self.now += self.given - slots.rounds;
        self.given = slots.rounds;
        let mut changed = false;
        let mut waiting = slots.arrived | slots.failed;
        while waiting != 0 {
            let slot = waiting.trailing_zeros() as usize;
            waiting &= waiting - 1;
            let Some(held) = self.held[slot] else { continue };
            let goes_on = if slots.failed >> slot & 1 == 1 {
                self.fail(slots, slot, held, self.reason(slots, slot));
                false
            } else {
                let row = self.read_off(slots, slot, held);
                let held = Held { row, ..held };
                self.held[slot] = Some(held);
                let done = slots.t[slot] == slots.end[slot];
                if done {
                    self.count(slots, slot, held);
                } else {
                    slots.next[slot] = self.problem.times[row];
                }
                !done
            };
            if !goes_on {
                self.count_evaluations(held);
                self.fill(slots, slot);
                changed = true;
            }
        }
        if slots.rounds == 0 {
            for slot in 0..slots.width {
                let Some(held) = self.held[slot] else { continue };
                self.count(slots, slot, held);
                if self.now - held.since >= self.options.max_steps {
                    self.fail(slots, slot, held, Reason::TooManySteps);
                    self.count_evaluations(held);
                    self.fill(slots, slot);
                }
            }
            changed = true;
        }
        if !changed {
            return true;
        }
        let left = self.held.iter().flatten().count();
        let few = self.taken == self.queue.ids.len() && slots.width > self.narrow && left <= self.narrow;
        self.allow_rounds(slots) && !few
    }

    /// Moves a slot's counts to its report.
    fn count(&mut self, slots: &mut Slots<T>, slot: usize, held: Held) {
        let report = &mut self.solution.reports[held.id];
        report.accepted += slots.accepted[slot].f64() as usize;
        report.rejected += slots.rejected[slot].f64() as usize;
        (slots.accepted[slot], slots.rejected[slot]) = (T::zero(), T::zero());
    }

    /// Reports the evaluations of a trajectory that is done.
    fn count_evaluations(&mut self, held: Held) {
        self.solution.reports[held.id].evaluations += (self.now - held.since) * (self.plan.stages - 1);
    }

    /// Writes the outputs up to the end of a slot's accepted step. Returns the next output's row.
    fn read_off(&mut self, slots: &Slots<T>, slot: usize, held: Held) -> usize {
        let dim = self.engine.stepper.dim();
        let (t, step, end) = (slots.from_t[slot], slots.step[slot], slots.end[slot]);
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
                state.iter_mut().enumerate().for_each(|(i, y)| *y = slots.y[i * slots.width + slot]);
            } else {
                if row == held.row {
                    self.solution.reports[held.id].evaluations += self.plan.extra;
                }
                self.engine.stepper.method.dense_weights(theta, &mut self.weights);
                dense(slots, step, slot, &self.weights, state);
            }
            row += 1;
        }
        row
    }

    /// Why a slot's attempt failed.
    fn reason(&self, slots: &Slots<T>, slot: usize) -> Reason {
        let dim = self.engine.stepper.dim();
        let at = |x: &[T], i: usize| x[i * slots.width + slot];
        let not_finite = |x: &[T]| (0..dim).find(|&i| !at(x, i).is_finite());
        if let Some(component) = not_finite(&slots.slope) {
            return Reason::NotFinite { component };
        }
        let Some((rtol, atol)) = self.plan.tolerances else {
            let last = &slots.stages[(self.plan.stages - 1) * dim * slots.width..];
            return match not_finite(&slots.result).or_else(|| not_finite(last)) {
                Some(component) => Reason::NotFinite { component },
                None => Reason::StepUnderflow { component: 0 },
            };
        };
        if let Some(component) = not_finite(&slots.estimate) {
            return Reason::NotFinite { component };
        }
        let size = |i: &usize| {
            let tolerance = atol + rtol * at(&slots.y, *i).abs().max(at(&slots.result, *i).abs());
            (at(&slots.estimate, *i) / tolerance).abs().f64()
        };
        let worst = (0..dim).max_by(|a, b| size(a).total_cmp(&size(b)));
        Reason::StepUnderflow { component: worst.unwrap_or(0) }
    }

    fn fail(&mut self, slots: &mut Slots<T>, slot: usize, held: Held, reason: Reason) {
        self.count(slots, slot, held);
        let state: Vec<T> = slots.y.iter().skip(slot).step_by(slots.width).copied().collect();
        let start = &self.problem.starts[held.id * state.len()..][..state.len()];
        let (time, step) = (slots.t[slot], slots.step[slot]);
        let cause = diagnose(&self.engine.stepper, self.options, reason, (held.id, 0), (time, step), &state, start);
        let failure = Failure { time: time.f64(), step: step.f64(), reason, cause };
        self.solution.reports[held.id].failure = Some(failure);
    }
}

/// The continuous extension in one slot's step, as the stepper has it.
fn dense<T: Real>(slots: &Slots<T>, step: T, slot: usize, weights: &[T], out: &mut [T]) {
    let (dim, width) = (out.len(), slots.width);
    for (i, out) in out.iter_mut().enumerate() {
        let mut sum = T::zero();
        for (j, &weight) in weights.iter().enumerate() {
            sum += weight * slots.stages[(j * dim + i) * width + slot];
        }
        *out = slots.from_y[i * width + slot] + step * sum;
    }
}
