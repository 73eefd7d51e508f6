//! The antisymmetric recurrent cell.

use super::Recurrent;
use crate::Real;
use crate::dynamics::{Component, ParamSpec, Tangent};
use crate::linalg::{self, Block, BlockMut, Blocks};
use std::ops::Range;

/// `h' = h + ε tanh((W − Wᵀ − γI) h + V x + b)` (Chang, Chen, Haber & Chi 2019, "AntisymmetricRNN", eq. 10): an Euler
/// step of a system whose Jacobian's eigenvalues are close to the imaginary axis, so that states neither explode nor
/// vanish soon.
///
/// Arguments `[h; x]`. Parameters: `weight_hh` `[H, H]` (`W`), `weight_ih` `[H, X]` (`V`), `bias` `[H]`. Where tanh is
/// linear, an eigenvalue `iω` of `W − Wᵀ` gives the exponents `½ ln((1 − εγ)² + ε²ω²)` a step. Cost a lane: `H(2H + X)`
/// multiplications to evaluate or push, twice that to pull.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AntisymmetricRnn {
    /// Units, `H`.
    pub hidden: usize,
    /// Rows of the input, `X`.
    pub inputs: usize,
    /// The Euler step `ε`.
    pub step: f64,
    /// The damping `γ`.
    pub damping: f64,
}

impl AntisymmetricRnn {
    fn matrix<'a, T>(&self, params: &'a [T]) -> &'a [T] {
        &params[..self.hidden * self.hidden]
    }

    /// Both matrices side by side, which act on all arguments.
    fn matrices(&self) -> Range<usize> {
        0..self.hidden * (self.hidden + self.inputs)
    }

    /// `a = W h + V x + b − Wᵀ h − γ h`.
    fn preactivation<T: Real>(&self, params: &[T], bias: &[T], u: Block<T>, a: &mut [T], back: &mut [T]) {
        let h = &u.data[..self.hidden * u.lanes];
        linalg::affine(&params[self.matrices()], bias, u.data, a, u.lanes);
        back.fill(T::zero());
        linalg::transposed_add(self.matrix(params), h, back, u.lanes);
        let damping = T::of(self.damping);
        a.iter_mut().zip(back.iter().zip(h)).for_each(|(a, (&back, &h))| *a -= back + damping * h);
    }

    /// Leaves `tanh a` in `bent`.
    fn forward<T: Real>(&self, params: &[T], u: Block<T>, out: BlockMut<T>, bent: &mut [T], scratch: &mut [T]) {
        let back = &mut scratch[..bent.len()];
        self.preactivation(params, &params[self.matrices().end..], u, bent, back);
        linalg::tanh(bent);
        let step = T::of(self.step);
        out.data.iter_mut().zip(u.data.iter().zip(&*bent)).for_each(|(out, (&h, &t))| *out = h + step * t);
    }

    /// `ε (1 − t²)` for each point.
    fn slope<T: Real>(&self, slab: Block<T>, slope: &mut [T]) {
        let (one, step) = (T::one(), T::of(self.step));
        let bent = slab.slice(self.hidden + self.inputs..2 * self.hidden + self.inputs).data;
        slope.iter_mut().zip(bent).for_each(|(slope, &t)| *slope = step * (one - t * t));
    }

    /// Adds the parameters' cotangent from what a pull keeps: `a_bar` and `−a_bar`.
    fn add_products<T: Real>(&self, slab: Block<T>, kept: Block<T>, bar: &mut [T]) {
        let hidden = self.hidden;
        let (weight, bias) = bar.split_at_mut(self.matrices().end);
        let (a_bar, negative) = kept.split_at_row(hidden);
        let (points, lanes) = (slab.lanes, kept.lanes);
        let arguments = slab.slice(0..hidden + self.inputs).data;
        linalg::outer_add_points(a_bar.data, arguments, points, weight, bias, lanes);
        // Wᵀ's part is that of W with both sides changed.
        let (h, weight) = (slab.slice(0..hidden).data, &mut weight[..hidden * hidden]);
        if points == lanes {
            linalg::outer_add(h, negative.data, weight, &mut [], lanes);
            return;
        }
        for i in 0..hidden {
            for k in 0..hidden {
                let sum = &mut weight[k * hidden + i];
                let h = &h[i * points..(i + 1) * points];
                negative.row(k).iter().enumerate().for_each(|(lane, &bar)| *sum += bar * h[lane % points]);
            }
        }
    }
}

impl<T: Real> Component<T> for AntisymmetricRnn {
    fn in_dim(&self) -> usize {
        self.hidden + self.inputs
    }

    fn out_dim(&self) -> usize {
        self.hidden
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        vec![
            ParamSpec::new(format!("{prefix}weight_hh"), &[self.hidden, self.hidden]),
            ParamSpec::new(format!("{prefix}weight_ih"), &[self.hidden, self.inputs]),
            ParamSpec::new(format!("{prefix}bias"), &[self.hidden]),
        ]
    }

    fn param_count(&self) -> usize {
        self.hidden * (self.hidden + self.inputs + 1)
    }

    fn slab_len(&self) -> usize {
        2 * self.hidden + self.inputs
    }

    fn scratch_len(&self) -> usize {
        4 * self.hidden
    }

    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (bent, rest) = scratch.split_at_mut(self.hidden * u.lanes);
        self.forward(params, u, out, bent, rest);
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, scratch: &mut [T]) {
        let (arguments, bent) = slab.split_at_row(self.hidden + self.inputs);
        arguments.data.copy_from_slice(u.data);
        self.forward(params, u, out, bent.data, scratch);
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (lanes, points, hidden) = (out.lanes, slab.lanes, self.hidden);
        let (back, slope) = scratch.split_at_mut(hidden * lanes);
        self.preactivation(params, &[], tangent.arguments, out.data, back);
        if let Some(directions) = tangent.params {
            let matrices = self.matrices();
            let (dw, db) = (directions.slice(matrices.clone()), directions.slice(matrices.end..matrices.end + hidden));
            linalg::direction_add_points(dw, db, slab.slice(0..hidden + self.inputs), out.data);
            for k in 0..hidden {
                for i in 0..hidden {
                    let (d, h) = (dw.row(k * hidden + i), slab.row(i));
                    let row = &mut out.data[k * lanes..(k + 1) * lanes];
                    row.iter_mut().zip(d).enumerate().for_each(|(lane, (out, &d))| *out -= d * h[lane % points]);
                }
            }
        }
        let slope = &mut slope[..hidden * points];
        self.slope(slab, slope);
        linalg::scale_points(slope, points, out.data, lanes);
        out.data.iter_mut().zip(tangent.arguments.data).for_each(|(out, &dh)| *out += dh);
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
        let (kept, rest) = scratch.split_at_mut(2 * self.hidden * w.lanes);
        self.pull(params, slab, w, u_bar, BlockMut::new(kept, w.lanes), rest);
        if let Some(bar) = params_bar {
            self.add_products(slab, Block::new(kept, w.lanes), bar);
        }
    }
}

impl<T: Real> Recurrent<T> for AntisymmetricRnn {
    fn visible(&self) -> Range<usize> {
        0..self.hidden
    }

    fn kept_len(&self) -> usize {
        2 * self.hidden
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
        let (a_bar, negative) = kept.split_at_row(hidden);
        let (slope, turned) = scratch.split_at_mut(hidden * lanes);
        let (slope, turned) = (&mut slope[..hidden * points], &mut turned[..hidden * lanes]);
        self.slope(slab, slope);
        a_bar.data.copy_from_slice(w.data);
        linalg::scale_points(slope, points, a_bar.data, lanes);
        negative.data.iter_mut().zip(&*a_bar.data).for_each(|(n, &a)| *n = -a);
        u_bar.data.fill(T::zero());
        linalg::transposed_add(&params[self.matrices()], a_bar.data, u_bar.data, lanes);
        linalg::affine(self.matrix(params), &[], a_bar.data, turned, lanes);
        let damping = T::of(self.damping);
        let others = turned.iter().zip(&*a_bar.data).zip(w.data);
        u_bar.data.iter_mut().zip(others).for_each(|(u, ((&t, &a), &w))| *u += w - t - damping * a);
    }

    fn accumulate(&self, _: &[T], slabs: Blocks<T>, kept: Blocks<T>, params_bar: &mut [T], _: &mut [T]) {
        for (slab, kept) in slabs.iter().zip(kept.iter()) {
            self.add_products(slab, kept, params_bar);
        }
    }
}
