//! The coupled oscillatory recurrent cell.

use super::Recurrent;
use crate::Real;
use crate::dynamics::{Component, ParamSpec, Tangent};
use crate::linalg::{self, Block, BlockMut, Blocks};
use std::ops::Range;

/// Damped, driven, coupled oscillators (Rusch & Mishra 2021, "Coupled oscillatory recurrent neural network", eqs. 3, with
/// the damping taken explicitly): `z' = z + Δt (tanh(W h + W_z z + V x + b) − γ h − ε z)`, then `h' = h + Δt z'`.
///
/// State `(h, z)`, `h` first; arguments `[h; z; x]`. Parameters: `weight_hh` `[H, H]`, `weight_hz` `[H, H]`, `weight_ih`
/// `[H, X]`, `bias` `[H]`. The determinant of a step's Jacobian is that of `∂z'/∂z`: with `W_z = 0` the exponents sum to
/// `H ln(1 − ε Δt)` a step, whatever the input. Cost a lane: `H(2H + X)` multiplications to evaluate or push, twice that
/// to pull.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoRnn {
    /// Oscillators, `H`.
    pub hidden: usize,
    /// Rows of the input, `X`.
    pub inputs: usize,
    /// The time step `Δt`.
    pub step: f64,
    /// The square of the oscillators' own frequency, `γ`.
    pub frequency: f64,
    /// The damping `ε`.
    pub damping: f64,
}

impl CoRnn {
    /// All matrices side by side, which act on all arguments.
    fn matrices(&self) -> Range<usize> {
        0..self.hidden * (2 * self.hidden + self.inputs)
    }

    fn arguments(&self) -> usize {
        2 * self.hidden + self.inputs
    }

    /// `out` from the arguments' `h` and `z` and the force (or its tangent).
    fn advance<T: Real>(&self, u: &[T], force: &[T], out: &mut [T]) {
        let [step, frequency, damping] = [self.step, self.frequency, self.damping].map(T::of);
        let (h, z) = u[..2 * force.len()].split_at(force.len());
        let (h_next, z_next) = out.split_at_mut(force.len());
        for (i, &force) in force.iter().enumerate() {
            z_next[i] = z[i] + step * (force - frequency * h[i] - damping * z[i]);
            h_next[i] = h[i] + step * z_next[i];
        }
    }

    /// Leaves `tanh(…)` in `force`.
    fn forward<T: Real>(&self, params: &[T], u: Block<T>, out: BlockMut<T>, force: &mut [T]) {
        let (weights, bias) = params.split_at(self.matrices().end);
        linalg::affine(weights, bias, u.data, force, u.lanes);
        linalg::tanh(force);
        self.advance(u.data, force, out.data);
    }

    /// `1 − tanh²` for each point.
    fn slope<T: Real>(&self, slab: Block<T>, slope: &mut [T]) {
        let force = slab.slice(self.arguments()..self.arguments() + self.hidden).data;
        slope.iter_mut().zip(force).for_each(|(slope, &t)| *slope = T::one() - t * t);
    }

    fn add_products<T: Real>(&self, slab: Block<T>, kept: Block<T>, bar: &mut [T]) {
        let (weights, bias) = bar.split_at_mut(self.matrices().end);
        let arguments = slab.slice(0..self.arguments()).data;
        linalg::outer_add_points(kept.data, arguments, slab.lanes, weights, bias, kept.lanes);
    }
}

impl<T: Real> Component<T> for CoRnn {
    fn in_dim(&self) -> usize {
        self.arguments()
    }

    fn out_dim(&self) -> usize {
        2 * self.hidden
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        vec![
            ParamSpec::new(format!("{prefix}weight_hh"), &[self.hidden, self.hidden]),
            ParamSpec::new(format!("{prefix}weight_hz"), &[self.hidden, self.hidden]),
            ParamSpec::new(format!("{prefix}weight_ih"), &[self.hidden, self.inputs]),
            ParamSpec::new(format!("{prefix}bias"), &[self.hidden]),
        ]
    }

    fn param_count(&self) -> usize {
        self.hidden * (self.arguments() + 1)
    }

    fn slab_len(&self) -> usize {
        self.arguments() + self.hidden
    }

    fn scratch_len(&self) -> usize {
        2 * self.hidden
    }

    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, scratch: &mut [T]) {
        self.forward(params, u, out, &mut scratch[..self.hidden * u.lanes]);
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, _: &mut [T]) {
        let (arguments, force) = slab.split_at_row(self.arguments());
        arguments.data.copy_from_slice(u.data);
        self.forward(params, u, out, force.data);
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (lanes, points, hidden) = (out.lanes, slab.lanes, self.hidden);
        let (force, slope) = scratch.split_at_mut(hidden * lanes);
        let matrices = self.matrices();
        linalg::affine(&params[matrices.clone()], &[], tangent.arguments.data, force, lanes);
        if let Some(directions) = tangent.params {
            let (dw, db) = (directions.slice(matrices.clone()), directions.slice(matrices.end..matrices.end + hidden));
            linalg::direction_add_points(dw, db, slab.slice(0..self.arguments()), force);
        }
        let slope = &mut slope[..hidden * points];
        self.slope(slab, slope);
        linalg::scale_points(slope, points, force, lanes);
        self.advance(tangent.arguments.data, force, out.data);
    }

    fn vjp(
        &self,
        params: &[T],
        slab: Block<T>,
        w: Block<T>,
        u_bar: BlockMut<T>,
        params_bar: Option<&mut [T]>,
        scratch: &mut [T],
    ) {
        let (kept, rest) = scratch.split_at_mut(self.hidden * w.lanes);
        self.pull(params, slab, w, u_bar, BlockMut::new(kept, w.lanes), rest);
        if let Some(bar) = params_bar {
            self.add_products(slab, Block::new(kept, w.lanes), bar);
        }
    }
}

impl<T: Real> Recurrent<T> for CoRnn {
    fn visible(&self) -> Range<usize> {
        0..self.hidden
    }

    fn kept_len(&self) -> usize {
        self.hidden
    }

    fn pull(
        &self,
        params: &[T],
        slab: Block<T>,
        w: Block<T>,
        u_bar: BlockMut<T>,
        kept: BlockMut<T>,
        scratch: &mut [T],
    ) {
        let (lanes, points, hidden) = (w.lanes, slab.lanes, self.hidden);
        let [step, frequency, damping] = [self.step, self.frequency, self.damping].map(T::of);
        let (h_bar, z_bar) = w.split_at_row(hidden);
        let slope = &mut scratch[..hidden * points];
        self.slope(slab, slope);
        let of_z = |i: usize| z_bar.data[i] + step * h_bar.data[i];
        kept.data.iter_mut().enumerate().for_each(|(i, kept)| *kept = step * of_z(i));
        linalg::scale_points(slope, points, kept.data, lanes);
        let (direct, x_bar) = u_bar.data.split_at_mut(2 * hidden * lanes);
        let (direct_h, direct_z) = direct.split_at_mut(hidden * lanes);
        for (i, (h, z)) in direct_h.iter_mut().zip(direct_z).enumerate() {
            *h = h_bar.data[i] - step * frequency * of_z(i);
            *z = (T::one() - step * damping) * of_z(i);
        }
        x_bar.fill(T::zero());
        linalg::transposed_add(&params[self.matrices()], kept.data, u_bar.data, lanes);
    }

    fn accumulate(&self, _: &[T], slabs: Blocks<T>, kept: Blocks<T>, params_bar: &mut [T], _: &mut [T]) {
        let (weights, bias) = params_bar.split_at_mut(self.matrices().end);
        linalg::outer_add_blocks(kept, slabs.slice(0..self.arguments()), weights, bias);
    }
}
