//! The orthogonal recurrent cell.

use super::Recurrent;
use crate::Real;
use crate::dynamics::{Component, ParamSpec, Tangent};
use crate::linalg::{self, Block, BlockMut, Blocks};
use crate::nn::Activation;
use std::ops::Range;

/// `h' = φ(g Q h + V x + b)` with `Q = R_K ⋯ R_1` a product of reflections `R_k = I − 2 v_k v_kᵀ / v_kᵀv_k` (Mhammedi,
/// Hellicar, Rahman & Bailey 2017, "Efficient orthogonal parametrisation of recurrent neural networks", eqs. 4–6): `Q` is
/// orthogonal to rounding whatever the parameters, so with `φ` the identity all exponents are `ln g`.
///
/// Arguments `[h; x]`. Parameters: `reflections` `[H, K]`, a vector a column, none zero; `weight_ih` `[H, X]`, `bias`
/// `[H]`. Cost a lane: `H(2K + X)` multiplications to evaluate, a push or pull two to three times that; nothing is kept for
/// the reflections, which undo themselves on the way back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrthogonalRnn {
    /// Units, `H`.
    pub hidden: usize,
    /// Rows of the input, `X`.
    pub inputs: usize,
    /// Reflections, `K`; with `K = H` every orthogonal matrix of determinant `(−1)^H` can be reached.
    pub reflections: usize,
    /// The factor `g`.
    pub gain: f64,
    /// The nonlinearity `φ`.
    pub activation: Activation,
}

impl OrthogonalRnn {
    fn vector<'a, T>(&self, params: &'a [T], k: usize) -> &'a [T] {
        &params[k * self.hidden..(k + 1) * self.hidden]
    }

    /// Where the input's matrix is.
    fn matrix(&self) -> Range<usize> {
        let start = self.hidden * self.reflections;
        start..start + self.hidden * self.inputs
    }

    /// `φ'` for each point.
    fn slope<T: Real>(&self, slab: Block<T>, slope: &mut [T]) {
        let arguments = self.hidden + self.inputs;
        self.activation.derivative(slab.slice(arguments..arguments + self.hidden).data, slope);
    }

    /// Leaves `Q h` in `turned`.
    fn forward<T: Real>(&self, params: &[T], u: Block<T>, out: BlockMut<T>, turned: &mut [T], scratch: &mut [T]) {
        let (h, x) = u.split_at_row(self.hidden);
        turned.copy_from_slice(h.data);
        for k in 0..self.reflections {
            reflect(self.vector(params, k), turned, u.lanes, scratch);
        }
        let matrix = self.matrix();
        linalg::affine(&params[matrix.clone()], &params[matrix.end..], x.data, out.data, u.lanes);
        let gain = T::of(self.gain);
        out.data.iter_mut().zip(&*turned).for_each(|(out, &h)| *out += gain * h);
        self.activation.apply(out.data);
    }

    /// Adds the parameters' cotangent, from that of the preactivations in `kept`.
    fn add_products<T: Real>(&self, params: &[T], slab: Block<T>, kept: Block<T>, bar: &mut [T], scratch: &mut [T]) {
        let (hidden, lanes, points) = (self.hidden, kept.lanes, slab.lanes);
        let matrix = self.matrix();
        let (vectors, rest) = bar.split_at_mut(matrix.start);
        let (weight, bias) = rest.split_at_mut(matrix.len());
        let x = slab.slice(hidden..hidden + self.inputs).data;
        linalg::outer_add_points(kept.data, x, points, weight, bias, lanes);
        // What stands after each reflection, from the last to the first, and its cotangent.
        let (state, rest) = scratch.split_at_mut(hidden * lanes);
        let (state_bar, rest) = rest.split_at_mut(hidden * lanes);
        let turned = slab.slice(2 * hidden + self.inputs..3 * hidden + self.inputs);
        for (i, row) in state.chunks_exact_mut(lanes).enumerate() {
            row.iter_mut().enumerate().for_each(|(lane, x)| *x = turned.row(i)[lane % points]);
        }
        let gain = T::of(self.gain);
        state_bar.iter_mut().zip(kept.data).for_each(|(to, &bar)| *to = gain * bar);
        for (k, v_bar) in vectors.chunks_exact_mut(hidden).enumerate().rev() {
            let v = self.vector(params, k);
            // Before: s; after: s − 2 v (v·s)/(v·v). With w the cotangent after,
            // v_bar = −2/(v·v) ((v·s) w + (v·w) s − 2 (v·s)(v·w)/(v·v) v).
            reflect(v, state, lanes, rest);
            let (along, along_bar) = rest.split_at_mut(lanes);
            let along_bar = &mut along_bar[..lanes];
            dots(v, state, along);
            dots(v, state_bar, along_bar);
            let size = v.iter().fold(T::zero(), |sum, &x| sum + x * x);
            let scale = T::of(-2.0) / size;
            let both = along.iter().zip(&*along_bar).fold(T::zero(), |sum, (&a, &b)| sum + a * b);
            for (i, v_bar) in v_bar.iter_mut().enumerate() {
                let row = i * lanes..(i + 1) * lanes;
                let mut sum = scale * both * v[i];
                for ((&s, &w), (&a, &b)) in
                    state[row.clone()].iter().zip(&state_bar[row]).zip(along.iter().zip(&*along_bar))
                {
                    sum += a * w + b * s;
                }
                *v_bar += scale * sum;
            }
            reflect(v, state_bar, lanes, rest);
        }
    }
}

/// `to = vᵀ·block`, one number a lane.
fn dots<T: Real>(v: &[T], block: &[T], to: &mut [T]) {
    let lanes = to.len();
    to.fill(T::zero());
    for (&v, row) in v.iter().zip(block.chunks_exact(lanes)) {
        to.iter_mut().zip(row).for_each(|(to, &x)| *to += v * x);
    }
}

/// `block ← (I − 2 v vᵀ / vᵀv) block`.
fn reflect<T: Real>(v: &[T], block: &mut [T], lanes: usize, scratch: &mut [T]) {
    let along = &mut scratch[..lanes];
    dots(v, block, along);
    let size = v.iter().fold(T::zero(), |sum, &x| sum + x * x);
    let scale = T::of(-2.0) / size;
    along.iter_mut().for_each(|x| *x *= scale);
    for (&v, row) in v.iter().zip(block.chunks_exact_mut(lanes)) {
        row.iter_mut().zip(&*along).for_each(|(x, &a)| *x += v * a);
    }
}

impl<T: Real> Component<T> for OrthogonalRnn {
    fn in_dim(&self) -> usize {
        self.hidden + self.inputs
    }

    fn out_dim(&self) -> usize {
        self.hidden
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        vec![
            ParamSpec::new(format!("{prefix}reflections"), &[self.hidden, self.reflections]),
            ParamSpec::new(format!("{prefix}weight_ih"), &[self.hidden, self.inputs]),
            ParamSpec::new(format!("{prefix}bias"), &[self.hidden]),
        ]
    }

    fn param_count(&self) -> usize {
        self.hidden * (self.reflections + self.inputs + 1)
    }

    fn slab_len(&self) -> usize {
        3 * self.hidden + self.inputs
    }

    fn scratch_len(&self) -> usize {
        4 * self.hidden + 2
    }

    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (turned, rest) = scratch.split_at_mut(self.hidden * u.lanes);
        self.forward(params, u, out, turned, rest);
    }

    fn linearize(&self, params: &[T], u: Block<T>, mut out: BlockMut<T>, slab: BlockMut<T>, scratch: &mut [T]) {
        let (arguments, rest) = slab.split_at_row(self.hidden + self.inputs);
        let (value, turned) = rest.split_at_row(self.hidden);
        arguments.data.copy_from_slice(u.data);
        self.forward(params, u, out.reborrow(), turned.data, scratch);
        value.data.copy_from_slice(out.data);
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (lanes, points, hidden) = (out.lanes, slab.lanes, self.hidden);
        let (state, rest) = scratch.split_at_mut(hidden * lanes);
        let (pushed, rest) = rest.split_at_mut(hidden * lanes);
        let (dh, dx) = tangent.arguments.split_at_row(hidden);
        pushed.copy_from_slice(dh.data);
        let matrix = self.matrix();
        linalg::affine(&params[matrix.clone()], &[], dx.data, out.data, lanes);
        if let Some(directions) = tangent.params {
            for (i, row) in state.chunks_exact_mut(lanes).enumerate() {
                row.iter_mut().enumerate().for_each(|(lane, x)| *x = slab.row(i)[lane % points]);
            }
            let (dw, db) = (directions.slice(matrix.clone()), directions.slice(matrix.end..matrix.end + hidden));
            linalg::direction_add_points(dw, db, slab.slice(hidden..hidden + self.inputs), out.data);
        }
        for k in 0..self.reflections {
            let v = self.vector(params, k);
            reflect(v, pushed, lanes, rest);
            let Some(directions) = tangent.params else { continue };
            // The derivative of s − 2 v (v·s)/(v·v) along d.
            let d = directions.slice(k * hidden..(k + 1) * hidden);
            let size = v.iter().fold(T::zero(), |sum, &x| sum + x * x);
            let scale = T::of(-2.0) / size;
            for lane in 0..lanes {
                let column = |block: &[T], i: usize| block[i * lanes + lane];
                let dot = |f: &dyn Fn(usize) -> T| (0..hidden).fold(T::zero(), |sum, i| sum + f(i));
                let along = dot(&|i| v[i] * column(state, i));
                let change = dot(&|i| column(d.data, i) * column(state, i));
                let growth = dot(&|i| v[i] * column(d.data, i));
                let by_vector = scale * (change + scale * growth * along);
                (0..hidden).for_each(|i| {
                    pushed[i * lanes + lane] += scale * along * d.data[i * lanes + lane] + by_vector * v[i];
                });
            }
            reflect(v, state, lanes, rest);
        }
        let gain = T::of(self.gain);
        out.data.iter_mut().zip(&*pushed).for_each(|(out, &x)| *out += gain * x);
        let slope = &mut rest[..hidden * points];
        self.slope(slab, slope);
        linalg::scale_points(slope, points, out.data, lanes);
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
            self.add_products(params, slab, Block::new(kept, w.lanes), bar, rest);
        }
    }
}

impl<T: Real> Recurrent<T> for OrthogonalRnn {
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
        let slope = &mut scratch[..hidden * points];
        self.slope(slab, slope);
        kept.data.copy_from_slice(w.data);
        linalg::scale_points(slope, points, kept.data, lanes);
        let (h_bar, x_bar) = u_bar.split_at_row(hidden);
        let gain = T::of(self.gain);
        h_bar.data.iter_mut().zip(&*kept.data).for_each(|(h, &a)| *h = gain * a);
        for k in (0..self.reflections).rev() {
            reflect(self.vector(params, k), h_bar.data, lanes, scratch);
        }
        x_bar.data.fill(T::zero());
        linalg::transposed_add(&params[self.matrix()], kept.data, x_bar.data, lanes);
    }

    fn accumulate(&self, params: &[T], slabs: Blocks<T>, kept: Blocks<T>, params_bar: &mut [T], scratch: &mut [T]) {
        for (slab, kept) in slabs.iter().zip(kept.iter()) {
            self.add_products(params, slab, kept, params_bar, scratch);
        }
    }
}
