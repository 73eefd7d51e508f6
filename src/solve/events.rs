//! Events: found on the continuous extension, then acted upon.
//!
//! What an event watches is known at the step's beginning; it is sampled within the step, so that two crossings in one
//! step are seen unless both lie between neighbouring samples, and the crossing is located on the continuous extension
//! down to rounding.

use super::engine::{Engine, standing};
use super::lanes::Lanes;
use super::tape::{EventMark, Mark, Outcome, Tape};
use super::{Occurrence, Reason, Solution};
use crate::Real;
use crate::dynamics::{Component, Crossing, Effect, Tangent};
use crate::linalg::{Block, BlockMut};

/// Parts of a step at whose ends what an event watches is sampled.
const PARTS: usize = 8;
/// Events in a row with hardly any time between them, before a trajectory is given up.
const CHATTER: usize = 100;

/// A crossing within a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<T> {
    event: usize,
    theta: T,
}

/// Value, slab and derivatives of a component at one state and time.
struct Linearised<T> {
    value: Vec<T>,
    slab: Vec<T>,
}

impl<T: Real> Engine<'_, T> {
    fn params_of(&self, component: &dyn Component<T>) -> &[T] {
        if component.param_count() == 0 { &[] } else { self.stepper.params }
    }

    fn linearised(&self, component: &dyn Component<T>, state: &[T], time: T) -> Linearised<T> {
        let mut u = state.to_vec();
        u.push(time);
        let mut value = vec![T::zero(); component.out_dim()];
        let mut slab = vec![T::zero(); component.slab_len()];
        let mut scratch = vec![T::zero(); component.scratch_len()];
        let (out, keep) = (BlockMut::new(&mut value, 1), BlockMut { data: &mut slab, lanes: 1 });
        component.linearize(self.params_of(component), Block::new(&u, 1), out, keep, &mut scratch);
        Linearised { value, slab }
    }

    /// The derivative of a component along a direction in state and time.
    fn along(&self, component: &dyn Component<T>, slab: &[T], state: &[T], time: T) -> Vec<T> {
        let mut u = state.to_vec();
        u.push(time);
        let mut out = vec![T::zero(); component.out_dim()];
        let mut scratch = vec![T::zero(); component.scratch_len()];
        let slab = Block { data: slab, lanes: 1 };
        let tangent = Tangent::from(Block::new(&u, 1));
        component.jvp(self.params_of(component), slab, tangent, BlockMut::new(&mut out, 1), &mut scratch);
        out
    }

    /// What every event watches, with the sign it is about to take where it is zero up to rounding.
    pub(super) fn watch_all(&self, lanes: &mut Lanes<T>) {
        let count = lanes.ids.len();
        lanes.watched = vec![T::zero(); self.stepper.field.events.len() * count];
        (0..count).for_each(|lane| self.watch(lanes, lane));
    }

    fn watch(&self, lanes: &mut Lanes<T>, lane: usize) {
        let count = lanes.ids.len();
        let (state, slope) = (column(&lanes.y, lane, count), column(&lanes.slope, lane, count));
        let (time, direction) = (lanes.t[lane], lanes.direction(lane));
        for (k, event) in self.stepper.field.events.iter().enumerate() {
            let at = self.linearised(event.condition, &state, time);
            // How large rounding of state and time can make it.
            let rounding = (0..=state.len()).fold(T::zero(), |sum, i| {
                let mut only = vec![T::zero(); state.len() + 1];
                only[i] = if i < state.len() { state[i] } else { time };
                sum + self.along(event.condition, &at.slab, &only[..state.len()], only[state.len()])[0].abs()
            });
            lanes.watched[k * count + lane] = if at.value[0].abs() > T::of(64.0) * T::default_epsilon() * rounding {
                at.value[0]
            } else {
                // Only the sign of this will matter.
                direction * self.along(event.condition, &at.slab, &slope, T::one())[0]
            };
        }
    }

    /// The crossings within one lane's accepted step, in order of time.
    pub(super) fn crossings(&mut self, lanes: &mut Lanes<T>, lane: usize) -> Vec<Found<T>> {
        let (dim, count) = (self.stepper.dim(), lanes.ids.len());
        // States and times at the ends of the parts, one after another as columns.
        let mut samples = vec![T::zero(); (dim + 1) * PARTS];
        let mut state = vec![T::zero(); dim];
        for s in 0..PARTS {
            let theta = T::of((s + 1) as f64 / PARTS as f64);
            self.state_within(lanes, lane, theta, &mut state);
            (0..dim).for_each(|i| samples[i * PARTS + s] = state[i]);
            samples[dim * PARTS + s] = self.time_within(lanes, lane, theta);
        }
        let mut found = Vec::new();
        let events = self.stepper.field.events;
        for (k, event) in events.iter().enumerate() {
            let mut values = vec![T::zero(); PARTS];
            let mut scratch = vec![T::zero(); event.condition.scratch_len() * PARTS];
            let (u, out) = (Block::new(&samples, PARTS), BlockMut::new(&mut values, PARTS));
            event.condition.eval(self.params_of(event.condition), u, out, &mut scratch);
            let mut before = lanes.watched[k * count + lane];
            let mut last = T::zero();
            for (s, &value) in values.iter().enumerate() {
                let theta = T::of((s + 1) as f64 / PARTS as f64);
                // A function that has come to zero has crossed it.
                let now = if value == T::zero() { -before } else { value };
                let crossed = (before < T::zero() && now > T::zero()) || (before > T::zero() && now < T::zero());
                let counts = match event.crossing {
                    Crossing::Rising => before < T::zero(),
                    Crossing::Falling => before > T::zero(),
                    Crossing::Either => true,
                };
                if crossed && counts {
                    let theta = self.locate(lanes, lane, event.condition, before > T::zero(), (last, theta));
                    found.push(Found { event: k, theta });
                }
                if now != T::zero() && now.is_finite() {
                    before = now;
                }
                last = theta;
            }
            lanes.watched[k * count + lane] = before;
        }
        found.sort_by(|a, b| a.theta.f64().total_cmp(&b.theta.f64()));
        found
    }

    fn state_within(&mut self, lanes: &Lanes<T>, lane: usize, theta: T, out: &mut [T]) {
        let count = lanes.ids.len();
        if theta == T::one() {
            out.iter_mut().enumerate().for_each(|(i, y)| *y = self.stepper.result[i * count + lane]);
        } else {
            self.stepper.method.dense_weights(theta, &mut self.weights);
            self.stepper.dense(&lanes.y, self.step[lane], lane, count, &self.weights, out);
        }
    }

    fn time_within(&self, lanes: &Lanes<T>, lane: usize, theta: T) -> T {
        let (t, step) = (lanes.t[lane], self.step[lane]);
        if theta == T::one() && step == lanes.own[lane].stop - t { lanes.own[lane].stop } else { t + theta * step }
    }

    /// Where the watched function leaves the sign it has at the low end: the Illinois form of the false position, with
    /// bisection where that is slow (Dowell & Jarratt 1971, BIT 11). Returns the end that has crossed.
    fn locate(
        &mut self,
        lanes: &Lanes<T>,
        lane: usize,
        condition: &dyn Component<T>,
        positive: bool,
        (mut low, mut high): (T, T),
    ) -> T {
        let mut u = vec![T::zero(); self.stepper.dim() + 1];
        let mut scratch = vec![T::zero(); condition.scratch_len()];
        let mut watched = |engine: &mut Self, theta: T| {
            let dim = engine.stepper.dim();
            engine.state_within(lanes, lane, theta, &mut u[..dim]);
            u[dim] = engine.time_within(lanes, lane, theta);
            let mut value = [T::zero()];
            let params = engine.params_of(condition);
            condition.eval(params, Block::new(&u, 1), BlockMut::new(&mut value, 1), &mut scratch);
            if positive { value[0] } else { -value[0] }
        };
        let mut above = watched(self, low);
        let mut below = watched(self, high);
        if above <= T::zero() {
            // Right at an event the function is zero: look for the stretch where it has left it.
            let mut inside = high;
            for _ in 0..40 {
                inside *= T::of(0.5);
                above = watched(self, inside);
                if above > T::zero() {
                    low = inside;
                    break;
                }
                (high, below) = (inside, above);
            }
            if above <= T::zero() {
                return high;
            }
        }
        for k in 0..200 {
            if high - low <= T::of(2.0) * T::default_epsilon() * high || below == T::zero() {
                break;
            }
            let secant = low + (high - low) * above / (above - below);
            let inside = secant > low && secant < high && k % 3 != 2;
            let middle = if inside { secant } else { low + (high - low) * T::of(0.5) };
            if middle <= low || middle >= high {
                break;
            }
            let value = watched(self, middle);
            if value > T::zero() {
                (low, above) = (middle, value);
                below *= T::of(0.5);
            } else {
                (high, below) = (middle, value);
                above *= T::of(0.5);
            }
        }
        high
    }

    /// Acts on what was found in one lane's step. If an event cut the step, says so; otherwise the step goes on whole.
    pub(super) fn happen(
        &mut self,
        lanes: &mut Lanes<T>,
        lane: usize,
        found: &[Found<T>],
        solution: &mut Solution<T>,
        mut tape: Option<&mut Tape<T>>,
    ) -> Option<Outcome> {
        let (dim, count) = (self.stepper.dim(), lanes.ids.len());
        let events = self.stepper.field.events;
        let mut state = vec![T::zero(); dim];
        let mut slope = vec![T::zero(); dim];
        let mut cut: Option<T> = None;
        let mut kink = None;
        for found in found {
            let tied = |cut: T| found.theta - cut <= T::of(16.0) * T::default_epsilon();
            if cut.is_some_and(|cut| !tied(cut)) {
                break;
            }
            let event = &events[found.event];
            let time = match cut {
                None => {
                    self.state_within(lanes, lane, found.theta, &mut state);
                    self.stepper.dense_slope(lane, count, found.theta, &mut slope);
                    self.time_within(lanes, lane, found.theta)
                }
                Some(_) => {
                    (state, slope) = (column(&lanes.y, lane, count), column(&lanes.slope, lane, count));
                    lanes.t[lane]
                }
            };
            let trajectory = lanes.ids[lane];
            let occurrence = solution.occurrences.len();
            solution.occurrences.push(Occurrence { trajectory, event: found.event, time, state: state.clone() });
            let condition = self.linearised(event.condition, &state, time);
            let rate = self.along(event.condition, &condition.slab, &slope, T::one())[0];
            let mut mark = EventMark {
                event: found.event,
                occurrence,
                theta: if cut.is_none() { Some(found.theta) } else { None },
                condition: condition.slab,
                rate,
                jump: None,
                slope_before: slope.clone(),
                slope_after: None,
            };
            if let Effect::Record = event.effect {
                if let Some(tape) = tape.as_deref_mut() {
                    tape.push_mark(Mark { lane, event: Some(mark), restart: None });
                }
                continue;
            }
            if cut.is_none() {
                self.read_off(lanes, lane, Some((time, found.theta)), solution, tape.as_deref_mut());
                kink = self.stand_at(lanes, lane, time);
                cut = Some(found.theta);
            }
            if let Effect::Jump(jump) = event.effect {
                let after = self.linearised(jump, &state, time);
                (0..dim).for_each(|i| lanes.y[i * count + lane] = after.value[i]);
                if let Some(kink) = kink.take() {
                    self.impulse(lanes, lane, kink);
                }
                mark.jump = Some(after.slab);
                self.restart(lanes, lane, solution, tape.as_deref_mut(), Some(mark));
                self.count_chatter(lanes, lane, found.event, solution);
            } else {
                (0..dim).for_each(|i| lanes.y[i * count + lane] = state[i]);
                if let Some(tape) = tape.as_deref_mut() {
                    tape.push_mark(Mark { lane, event: Some(mark), restart: None });
                }
                solution.reports[trajectory].stopped_by = Some(found.event);
                lanes.own[lane].done = true;
            }
            if lanes.own[lane].done {
                break;
            }
        }
        cut?;
        let own = &lanes.own[lane];
        if !own.done && lanes.t[lane] == own.end {
            lanes.own[lane].done = true;
        }
        Some(Outcome::Cut)
    }

    /// Puts a lane at an event's time. Returns the kink of the inputs that lies there, if one does.
    fn stand_at(&self, lanes: &mut Lanes<T>, lane: usize, time: T) -> Option<usize> {
        lanes.t[lane] = time;
        let at_kink = time == lanes.own[lane].stop && time != lanes.own[lane].end;
        let kink = at_kink.then(|| self.pass_kink(lanes, lane));
        let own = &mut lanes.own[lane];
        (own.anchor, own.since) = (time, 0);
        kink
    }

    /// Evaluates the field where a lane goes on anew, with what its events watch there.
    pub(super) fn restart(
        &mut self,
        lanes: &mut Lanes<T>,
        lane: usize,
        solution: &mut Solution<T>,
        tape: Option<&mut Tape<T>>,
        event: Option<EventMark<T>>,
    ) {
        let count = lanes.ids.len();
        let mut alone = Lanes::empty();
        alone.ids.push(lanes.ids[lane]);
        alone.pieces.push(lanes.pieces[lane]);
        alone.t.push(lanes.t[lane]);
        alone.y = column(&lanes.y, lane, count);
        let mut slope = vec![T::zero(); alone.y.len()];
        let mut slab = tape.as_ref().map(|_| vec![T::zero(); self.stepper.field.component.slab_len()]);
        self.stepper.evaluate(standing(&alone), &mut slope, slab.as_deref_mut());
        solution.reports[lanes.ids[lane]].evaluations += 1;
        (0..slope.len()).for_each(|i| lanes.slope[i * count + lane] = slope[i]);
        if let Some(tape) = tape {
            // A field that is not finite there ends the trajectory; its cotangent is zero, and zero times infinity would
            // be NaN.
            if slope.iter().any(|f| !f.is_finite()) {
                slope.fill(T::zero());
                slab.iter_mut().flatten().for_each(|x| *x = T::zero());
            }
            let event = event.map(|event| EventMark { slope_after: Some(slope), ..event });
            let restart = slab.map(|slab| (slab, lanes.place(lane)));
            tape.push_mark(Mark { lane, event, restart });
        }
        self.watch(lanes, lane);
    }

    /// Ends a trajectory whose events leave no time between them.
    fn count_chatter(&mut self, lanes: &mut Lanes<T>, lane: usize, event: usize, solution: &mut Solution<T>) {
        let (time, own) = (lanes.t[lane], &mut lanes.own[lane]);
        // Events that pile up come together down to rounding, or to what the search within a step can tell apart.
        let apart = T::of(1e3) * T::default_epsilon() * time.abs() + T::of(1e-11) * self.step[lane].abs();
        let close = own.last_event.is_some_and(|last| (time - last).abs() <= apart);
        own.chatter = if close { own.chatter + 1 } else { 0 };
        own.last_event = Some(time);
        if own.chatter >= CHATTER {
            self.fail(lanes, lane, Reason::EventChatter { event }, solution);
        }
    }
}

/// One lane of a block.
fn column<T: Copy>(block: &[T], lane: usize, lanes: usize) -> Vec<T> {
    block.iter().skip(lane).step_by(lanes).copied().collect()
}
