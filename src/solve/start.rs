//! Beginning a solve: lanes, outputs at the start, first steps.

use super::engine::Engine;
use super::lanes::Lanes;
use super::tape::Origin;
use super::{Control, Solution};
use crate::Real;
use crate::dynamics::Component;
use crate::linalg;

impl<T: Real, C: Component<T> + ?Sized> Engine<'_, T, C> {
    /// Puts every trajectory that has somewhere to go on a lane, reads off outputs at the start, and chooses first steps.
    pub fn begin(&mut self, solution: &mut Solution<T>, mut start: Option<&mut Origin<T>>) -> Lanes<T> {
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
        self.field.fill_arguments(
            &lanes.ids,
            &lanes.piece,
            |lane| lanes.t[lane],
            &mut self.arguments,
            &mut self.inputs,
        );
        let mut slope = std::mem::take(&mut lanes.slope);
        if let Some(start) = start.as_deref_mut() {
            start.slab.clear();
            start.slab.resize(self.field.component.slab_len() * count, T::zero());
        }
        self.evaluate(&mut slope, start.as_deref_mut().map(|start| &mut start.slab[..]), count);
        if let Some(start) = start {
            // A field that is not finite at the start ends its trajectory there; its cotangent is zero, and zero times
            // infinity would be NaN.
            for lane in (0..count).filter(|&lane| (lane..dim * count).step_by(count).any(|i| !slope[i].is_finite())) {
                start.slab.iter_mut().skip(lane).step_by(count).for_each(|x| *x = T::zero());
            }
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
        for (lane, slope) in slopes.iter_mut().enumerate() {
            let d0 = norm(&|i| lanes.y[i], &lanes.y, lane);
            let d1 = norm(&|i| lanes.slope[i], &lanes.y, lane);
            let h0 = if d0 < tiny || d1 < tiny { T::of(1e-6) } else { T::of(0.01) * d0 / d1 };
            let span = (lanes.end[lane] - lanes.t[lane]).abs();
            lanes.h[lane] = lanes.direction(lane) * h0.min(span);
            *slope = d1;
        }
        linalg::combine(
            &lanes.y,
            &lanes.h,
            &[(0, T::one())],
            &lanes.slope,
            dim * count,
            &mut self.arguments[..dim * count],
        );
        let time = |lane: usize| lanes.t[lane] + lanes.h[lane];
        self.field.fill_arguments(&lanes.ids, &lanes.piece, time, &mut self.arguments, &mut self.inputs);
        let mut moved = vec![T::zero(); dim * count];
        self.evaluate(&mut moved, None, count);
        for (lane, slope) in slopes.into_iter().enumerate() {
            solution.reports[lanes.ids[lane]].evaluations += 1;
            let h0 = lanes.h[lane].abs();
            let d2 = norm(&|i| moved[i] - lanes.slope[i], &lanes.y, lane) / h0;
            let steepest = slope.max(d2);
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
}
