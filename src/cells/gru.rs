//! The gated recurrent unit.

use crate::Real;
use crate::dynamics::{Component, ParamSpec, Tangent};
use crate::linalg::{self, Block, BlockMut};

/// The gated recurrent unit in PyTorch's form (reset after the product; Cho et al. 2014, eqs. 5–8, with the reset gate
/// applied as in cuDNN):
///
/// ```text
/// r = σ(W_ir x + b_ir + W_hr h + b_hr)      z = σ(W_iz x + b_iz + W_hz h + b_hz)
/// n = tanh(W_in x + b_in + r ⊙ (W_hn h + b_hn))      h' = (1 − z) ⊙ n + z ⊙ h
/// ```
///
/// Arguments are `[h; x]`, the output is `h'`. Parameters carry PyTorch's names and gate order (r, z, n). Cost a lane:
/// `3H(H + X)` multiplications to evaluate or push, twice that to pull.
#[derive(Clone, Copy, Debug)]
pub struct Gru {
    /// Rows of the state, `H`.
    pub hidden: usize,
    /// Rows of the input, `X`.
    pub inputs: usize,
}

/// The four parameter arrays, or the same arrays of a cotangent.
struct Arrays<'a, T> {
    weight_ih: &'a [T],
    weight_hh: &'a [T],
    bias_ih: &'a [T],
    bias_hh: &'a [T],
}

/// Slab rows, in this order: `h`, `x`, `r`, `z`, `n`, `q = W_hn h + b_hn`.
struct Kept<'a, T> {
    h: &'a [T],
    x: &'a [T],
    r: &'a [T],
    z: &'a [T],
    n: &'a [T],
    q: &'a [T],
}

impl Gru {
    fn arrays<'a, T>(&self, params: &'a [T]) -> Arrays<'a, T> {
        let gates = 3 * self.hidden;
        let (weight_ih, rest) = params.split_at(gates * self.inputs);
        let (weight_hh, rest) = rest.split_at(gates * self.hidden);
        let (bias_ih, bias_hh) = rest.split_at(gates);
        Arrays { weight_ih, weight_hh, bias_ih, bias_hh }
    }

    fn kept<'a, T>(&self, slab: Block<'a, T>) -> Kept<'a, T> {
        let (h, rest) = slab.split_at_row(self.hidden);
        let (x, rest) = rest.split_at_row(self.inputs);
        let (r, rest) = rest.split_at_row(self.hidden);
        let (z, rest) = rest.split_at_row(self.hidden);
        let (n, q) = rest.split_at_row(self.hidden);
        Kept { h: h.data, x: x.data, r: r.data, z: z.data, n: n.data, q: q.data }
    }

    /// `gates = W_ih x + b_ih` and `recurrent = W_hh h + b_hh`, then the gates in place: afterwards `gates` holds
    /// `r, z, n` and the last third of `recurrent` holds `q`.
    fn gates<T: Real>(&self, params: &[T], u: Block<T>, gates: &mut [T], recurrent: &mut [T]) {
        let (h, x) = u.split_at_row(self.hidden);
        let p = self.arrays(params);
        linalg::affine(p.weight_ih, p.bias_ih, x.data, gates, u.lanes);
        linalg::affine(p.weight_hh, p.bias_hh, h.data, recurrent, u.lanes);
        let size = self.hidden * u.lanes;
        let (rz, n) = gates.split_at_mut(2 * size);
        rz.iter_mut().zip(&*recurrent).for_each(|(g, &a)| *g += a);
        linalg::sigmoid(rz);
        for ((n, &r), &q) in n.iter_mut().zip(&rz[..size]).zip(&recurrent[2 * size..]) {
            *n += r * q;
        }
        linalg::tanh(n);
    }
}

/// `h' = (1 − z) ⊙ n + z ⊙ h`.
fn blend<T: Real>(z: &[T], n: &[T], h: &[T], out: &mut [T]) {
    for (((out, &z), &n), &h) in out.iter_mut().zip(z).zip(n).zip(h) {
        *out = (T::one() - z) * n + z * h;
    }
}

impl<T: Real> Component<T> for Gru {
    fn in_dim(&self) -> usize {
        self.hidden + self.inputs
    }

    fn out_dim(&self) -> usize {
        self.hidden
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        let gates = 3 * self.hidden;
        vec![
            ParamSpec::new(format!("{prefix}weight_ih"), &[gates, self.inputs]),
            ParamSpec::new(format!("{prefix}weight_hh"), &[gates, self.hidden]),
            ParamSpec::new(format!("{prefix}bias_ih"), &[gates]),
            ParamSpec::new(format!("{prefix}bias_hh"), &[gates]),
        ]
    }

    fn param_count(&self) -> usize {
        3 * self.hidden * (self.inputs + self.hidden + 2)
    }

    fn slab_len(&self) -> usize {
        self.inputs + 5 * self.hidden
    }

    fn scratch_len(&self) -> usize {
        6 * self.hidden
    }

    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let size = self.hidden * u.lanes;
        let (gates, rest) = scratch.split_at_mut(3 * size);
        self.gates(params, u, gates, &mut rest[..3 * size]);
        blend(&gates[size..2 * size], &gates[2 * size..], &u.data[..size], out.data);
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, scratch: &mut [T]) {
        let size = self.hidden * u.lanes;
        let (arguments, rest) = slab.split_at_row(self.hidden + self.inputs);
        let (gates, q) = rest.split_at_row(3 * self.hidden);
        arguments.data.copy_from_slice(u.data);
        let recurrent = &mut scratch[..3 * size];
        self.gates(params, u, gates.data, recurrent);
        q.data.copy_from_slice(&recurrent[2 * size..]);
        blend(&gates.data[size..2 * size], &gates.data[2 * size..], &u.data[..size], out.data);
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (lanes, points) = (out.lanes, slab.lanes);
        let size = self.hidden * lanes;
        let p = self.arrays(params);
        let k = self.kept(slab);
        let (dh, dx) = tangent.arguments.split_at_row(self.hidden);
        let (gates, rest) = scratch.split_at_mut(3 * size);
        let recurrent = &mut rest[..3 * size];
        linalg::affine(p.weight_ih, &[], dx.data, gates, lanes);
        linalg::affine(p.weight_hh, &[], dh.data, recurrent, lanes);
        if let Some(directions) = tangent.params {
            let (ih, hh) = (3 * self.hidden * self.inputs, 3 * self.hidden * self.hidden);
            let biases = ih + hh;
            let gate_rows = 3 * self.hidden;
            let of = |rows: std::ops::Range<usize>| directions.slice(rows);
            let (x, h) = (Block::new(k.x, points), Block::new(k.h, points));
            linalg::direction_add_points(of(0..ih), of(biases..biases + gate_rows), x, gates);
            linalg::direction_add_points(of(ih..biases), of(biases + gate_rows..biases + 2 * gate_rows), h, recurrent);
        }
        let one = T::one();
        for i in 0..self.hidden {
            for lane in 0..lanes {
                let (at, point) = (i * lanes + lane, i * points + lane % points);
                let (r, z, n, q, h) = (k.r[point], k.z[point], k.n[point], k.q[point], k.h[point]);
                let dr = r * (one - r) * (gates[at] + recurrent[at]);
                let dz = z * (one - z) * (gates[size + at] + recurrent[size + at]);
                let dn = (one - n * n) * (gates[2 * size + at] + r * recurrent[2 * size + at] + q * dr);
                out.data[at] = (one - z) * dn + z * dh.data[at] + (h - n) * dz;
            }
        }
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
        let (lanes, points) = (w.lanes, slab.lanes);
        let size = self.hidden * lanes;
        let p = self.arrays(params);
        let k = self.kept(slab);
        let (h_bar, x_bar) = u_bar.split_at_row(self.hidden);
        let (gates, rest) = scratch.split_at_mut(3 * size);
        let recurrent = &mut rest[..3 * size];
        let one = T::one();
        for i in 0..self.hidden {
            for lane in 0..lanes {
                let (at, point) = (i * lanes + lane, i * points + lane % points);
                let (r, z, n, q, h) = (k.r[point], k.z[point], k.n[point], k.q[point], k.h[point]);
                let w = w.data[at];
                let n_bar = w * (one - z) * (one - n * n);
                let z_bar = w * (h - n) * z * (one - z);
                let r_bar = n_bar * q * r * (one - r);
                gates[at] = r_bar;
                gates[size + at] = z_bar;
                gates[2 * size + at] = n_bar;
                recurrent[at] = r_bar;
                recurrent[size + at] = z_bar;
                recurrent[2 * size + at] = n_bar * r;
                h_bar.data[at] = w * z;
            }
        }
        if let Some(bar) = params_bar {
            let gate_rows = 3 * self.hidden;
            let (ih, rest) = bar.split_at_mut(gate_rows * self.inputs);
            let (hh, rest) = rest.split_at_mut(gate_rows * self.hidden);
            let (bias_ih, bias_hh) = rest.split_at_mut(gate_rows);
            linalg::outer_add_points(gates, k.x, points, ih, bias_ih, lanes);
            linalg::outer_add_points(recurrent, k.h, points, hh, bias_hh, lanes);
        }
        x_bar.data.fill(T::zero());
        linalg::transposed_add(p.weight_ih, gates, x_bar.data, lanes);
        linalg::transposed_add(p.weight_hh, recurrent, h_bar.data, lanes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testkit;
    use crate::nn::fan_in_uniform;
    use proptest::prelude::*;
    use rand::SeedableRng;

    proptest! {
        #[test]
        fn the_cell_fulfils_the_contract(hidden in 1usize..9, inputs in 1usize..6, seed in 0u64..1000) {
            let cell = Gru { hidden, inputs };
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let mut params: Vec<f64> = fan_in_uniform(&Component::<f64>::params(&cell, ""), 2.0, &mut rng);
            params.iter_mut().enumerate().for_each(|(i, p)| *p += 0.1 * (i as f64).sin());
            testkit::check(&cell, &params, 1.0, seed).map_err(TestCaseError::fail)?;
            let single: Vec<f32> = params.iter().map(|&p| p as f32).collect();
            testkit::check(&cell, &single, 1.0, seed).map_err(TestCaseError::fail)?;
        }
    }

    #[test]
    fn without_recurrent_weights_the_state_decays_by_the_update_gate() {
        // h' = (1 − σ(b))·0 + σ(b) h with n = tanh(0): the exact multiplier of the reference tables.
        let cell = Gru { hidden: 2, inputs: 1 };
        let mut params = vec![0.0f64; Component::<f64>::param_count(&cell)];
        let biases = 6 + 12;
        params[biases + 2] = 0.7;
        params[biases + 3] = 0.7;
        let (mut out, mut scratch) = ([0.0; 2], [0.0; 12]);
        cell.eval(&params, Block::new(&[0.3, -0.8, 5.0], 1), BlockMut::new(&mut out, 1), &mut scratch);
        let sigma = 1.0 / (1.0 + (-0.7f64).exp());
        assert!((out[0] - 0.3 * sigma).abs() < 1e-15 && (out[1] + 0.8 * sigma).abs() < 1e-15);
    }
}
