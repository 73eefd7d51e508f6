//! Beginning a solve: lanes, outputs at the start, first steps.

use super::engine::{Engine, standing};
use super::lanes::{Lane, Lanes};
use super::tape::Origin;
use super::{Control, Solution};
use crate::Real;
use crate::linalg;

impl<T: Real> Engine<'_, T> {
    /// Puts every trajectory that has somewhere to go on a lane, reads off outputs at the start, and chooses first steps.
    pub fn begin(&mut self, solution: &mut Solution<T>, mut start: Option<&mut Origin<T>>) -> Lanes<T> {
        let (dim, problem) = (self.stepper.dim(), self.problem);
        if let Some(start) = start.as_deref_mut() {
            start.outputs.clear();
            start.shape = Some(self.shape());
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
                lanes.ids.push(id);
                lanes.t.push(t0);
                lanes.own.push(Lane::new(t0, problem.times[end_row - 1], row));
            }
        }
        let count = lanes.ids.len();
        for lane in 0..count {
            let piece = self.piece_at(&lanes, lane);
            lanes.pieces.push(piece);
            lanes.own[lane].stop = self.next_stop(&lanes, lane);
        }
        lanes.y = vec![T::zero(); dim * count];
        for (lane, &id) in lanes.ids.iter().enumerate() {
            (0..dim).for_each(|i| lanes.y[i * count + lane] = problem.starts[id * dim + i]);
        }
        lanes.slope = vec![T::zero(); dim * count];
        if let Some(start) = start.as_deref_mut() {
            start.ids.clone_from(&lanes.ids);
            start.places = (0..count).map(|lane| lanes.place(lane)).collect();
        }
        if count == 0 {
            return lanes;
        }
        let mut slope = std::mem::take(&mut lanes.slope);
        if let Some(start) = start.as_deref_mut() {
            start.slab.clear();
            start.slab.resize(self.stepper.field.component.slab_len() * count, T::zero());
        }
        let slab = start.as_deref_mut().map(|start| &mut start.slab[..]);
        self.stepper.evaluate(standing(&lanes), &mut slope, slab);
        if let Some(start) = start {
            // A field that is not finite at the start ends its trajectory there; its cotangent is zero, and zero times
            // infinity would be NaN.
            for lane in (0..count).filter(|&lane| (lane..dim * count).step_by(count).any(|i| !slope[i].is_finite())) {
                start.slab.iter_mut().skip(lane).step_by(count).for_each(|x| *x = T::zero());
            }
        }
        lanes.slope = slope;
        lanes.ids.iter().for_each(|&id| solution.reports[id].evaluations += 1);
        self.watch_all(&mut lanes);
        match (self.options.control, self.options.first_step) {
            (Control::Fixed { step }, _) | (Control::Adaptive { .. }, Some(step)) => {
                (0..count).for_each(|lane| lanes.own[lane].h = lanes.direction(lane) * T::of(step));
            }
            (Control::Adaptive { rtol, atol }, None) => {
                self.first_steps(&mut lanes, T::of(rtol), T::of(atol), solution)
            }
        }
        if let Control::Adaptive { .. } = self.options.control {
            let (least, most) = (T::of(self.options.min_step), T::of(self.options.max_step));
            for lane in 0..count {
                lanes.own[lane].h = lanes.direction(lane) * lanes.own[lane].h.abs().max(least).min(most);
            }
        }
        lanes
    }

    /// What tells one problem's recording from another's.
    pub(crate) fn shape(&self) -> [usize; 4] {
        let slab = self.stepper.field.component.slab_len();
        [self.problem.len(), self.problem.times.len(), self.stepper.dim(), slab]
    }

    fn kinks(&self, id: usize) -> &[T] {
        self.stepper.field.inputs.map_or(&[], |inputs| inputs.kinks(id))
    }

    /// The piece of the inputs that a lane is about to enter.
    fn piece_at(&self, lanes: &Lanes<T>, lane: usize) -> usize {
        let (t, forward) = (lanes.t[lane], lanes.direction(lane) > T::zero());
        self.kinks(lanes.ids[lane]).partition_point(|&kink| if forward { kink <= t } else { kink < t })
    }

    /// The end of the piece a lane is in, or of the whole trajectory.
    fn next_stop(&self, lanes: &Lanes<T>, lane: usize) -> T {
        let (kinks, piece, end) = (self.kinks(lanes.ids[lane]), lanes.pieces[lane], lanes.own[lane].end);
        let forward = lanes.direction(lane) > T::zero();
        let kink = if forward { kinks.get(piece) } else { piece.checked_sub(1).and_then(|before| kinks.get(before)) };
        match kink {
            Some(&kink) if (kink < end) == forward && kink != end => kink,
            _ => end,
        }
    }

    /// Takes a lane that stands at its stop into the next piece. Returns the kink that it passed.
    pub(super) fn pass_kink(&self, lanes: &mut Lanes<T>, lane: usize) -> usize {
        let before = lanes.pieces[lane];
        lanes.pieces[lane] = self.piece_at(lanes, lane);
        lanes.own[lane].stop = self.next_stop(lanes, lane);
        lanes.own[lane].anchor = lanes.t[lane];
        lanes.own[lane].since = 0;
        before.min(lanes.pieces[lane])
    }

    /// Adds what the state jumps by at a kink.
    pub(super) fn impulse(&self, lanes: &mut Lanes<T>, lane: usize, kink: usize) {
        let Some(inputs) = self.stepper.field.inputs else { return };
        let (id, count) = (lanes.ids[lane], lanes.ids.len());
        let mut state: Vec<T> = lanes.y.iter().skip(lane).step_by(count).copied().collect();
        inputs.impulse(id, kink, &mut state);
        lanes.y.iter_mut().skip(lane).step_by(count).zip(state).for_each(|(y, moved)| *y = moved);
    }

    /// The automatic first step of Hairer, Nørsett & Wanner I, sec. II.4, per lane.
    fn first_steps(&mut self, lanes: &mut Lanes<T>, rtol: T, atol: T, solution: &mut Solution<T>) {
        let (dim, count) = (self.stepper.dim(), lanes.ids.len());
        let norm = |x: &dyn Fn(usize) -> T, y: &[T], lane: usize| {
            let mut sum = T::zero();
            for i in 0..dim {
                let scaled = x(i * count + lane) / (atol + rtol * y[i * count + lane].abs());
                sum += scaled * scaled;
            }
            (sum / T::of(dim as f64)).sqrt()
        };
        let (tiny, order) = (T::of(1e-5), T::of(self.stepper.method.order as f64 + 1.0));
        let mut slopes = vec![T::zero(); count];
        let mut h = vec![T::zero(); count];
        for (lane, slope) in slopes.iter_mut().enumerate() {
            let d0 = norm(&|i| lanes.y[i], &lanes.y, lane);
            let d1 = norm(&|i| lanes.slope[i], &lanes.y, lane);
            let usual = d0 >= tiny && d1 >= tiny && d0.is_finite() && d1.is_finite();
            let h0 = if usual { T::of(0.01) * d0 / d1 } else { T::of(1e-6) };
            let span = (lanes.own[lane].stop - lanes.t[lane]).abs();
            h[lane] = lanes.direction(lane) * h0.min(span);
            *slope = d1;
        }
        let mut moved = standing_moved(lanes, &h);
        linalg::combine(&lanes.y, &h, &[(0, T::one())], &lanes.slope, dim * count, &mut moved.y);
        let mut slope = std::mem::take(&mut moved.slope);
        self.stepper.evaluate(standing(&moved), &mut slope, None);
        for (lane, steepest) in slopes.into_iter().enumerate() {
            solution.reports[lanes.ids[lane]].evaluations += 1;
            let h0 = h[lane].abs();
            let d2 = norm(&|i| slope[i] - lanes.slope[i], &lanes.y, lane) / h0;
            let steepest = steepest.max(d2);
            let h1 = if steepest <= T::of(1e-15) {
                T::of(1e-6).max(h0 * T::of(1e-3))
            } else {
                (T::of(0.01) / steepest).powf(T::one() / order)
            };
            let span = (lanes.own[lane].end - lanes.t[lane]).abs();
            let length = (T::of(100.0) * h0).min(h1).min(span);
            // A field that is not finite here, or too large to square, gives a step that is none: the first attempt then
            // finds out and reports.
            let usable = length.is_finite() && length > T::zero();
            lanes.own[lane].h = lanes.direction(lane) * if usable { length } else { span };
        }
    }
}

/// The same lanes a little later.
fn standing_moved<T: Real>(lanes: &Lanes<T>, h: &[T]) -> Lanes<T> {
    let mut moved = lanes.clone();
    moved.t.iter_mut().zip(h).for_each(|(t, &h)| *t += h);
    moved
}
