//! Reading outputs off a step.

use super::Solution;
use super::engine::Engine;
use super::lanes::Lanes;
use super::tape::{Output, Tape};
use crate::Real;

impl<T: Real> Engine<'_, T> {
    /// Where in one lane's step a time lies; 1 at its end and beyond.
    fn theta(&self, lanes: &Lanes<T>, lane: usize, time: T) -> T {
        let (t, step) = (lanes.t[lane], self.step[lane]);
        // The step's end is the stop itself, whatever rounding makes of the sum.
        if step == lanes.own[lane].stop - t && time == lanes.own[lane].stop {
            return T::one();
        }
        ((time - t) / step).min(T::one())
    }

    /// Whether the next output lies strictly within one lane's step.
    pub(super) fn has_output_within(&self, lanes: &Lanes<T>, lane: usize) -> bool {
        let row = lanes.own[lane].row;
        row < self.problem.row_ptr[lanes.ids[lane] + 1] && {
            let time = self.problem.times[row];
            (time - lanes.t[lane]).abs() <= self.step[lane].abs() && self.theta(lanes, lane, time) < T::one()
        }
    }

    /// Evaluates the continuous extension at the outputs of an accepted step, or at those up to an event: `until` is its
    /// time and where in the step it lies.
    pub(super) fn read_off(
        &mut self,
        lanes: &mut Lanes<T>,
        lane: usize,
        until: Option<(T, T)>,
        solution: &mut Solution<T>,
        mut tape: Option<&mut Tape<T>>,
    ) {
        let (dim, count) = (self.stepper.dim(), lanes.ids.len());
        let (t, step) = (lanes.t[lane], self.step[lane]);
        let last = self.problem.row_ptr[lanes.ids[lane] + 1];
        let stops = step == lanes.own[lane].stop - t;
        let within = |time: T| (time - t).abs() <= step.abs() || (stops && time == lanes.own[lane].stop);
        let mut row = lanes.own[lane].row;
        while row < last && within(self.problem.times[row]) {
            let time = self.problem.times[row];
            let mut theta = self.theta(lanes, lane, time);
            if let Some((event, at)) = until {
                // Times decide, as rounding might put an output at the event's very time behind it.
                if (time - event) * step > T::zero() {
                    break;
                }
                theta = theta.min(at);
            }
            let state = &mut solution.states[row * dim..][..dim];
            if theta == T::one() {
                state.iter_mut().enumerate().for_each(|(i, y)| *y = self.stepper.result[i * count + lane]);
            } else {
                self.stepper.method.dense_weights(theta, &mut self.weights);
                self.stepper.dense(&lanes.y, step, lane, count, &self.weights, state);
            }
            if let Some(tape) = tape.as_deref_mut() {
                tape.push_output(Output { lane, row, theta });
            }
            row += 1;
        }
        lanes.own[lane].row = row;
    }
}
