//! The cells of the usual libraries: vanilla recurrent, LSTM, GRU.

use super::Recurrent;
use super::gates::{
    ClassicForward, ClassicPull, ClassicPush, ClassicReset, ClassicResetPull, ClassicResetPush, GruForward, GruPull,
    GruPush, LstmForward, LstmPull, LstmPush,
};
use crate::dynamics::{Component, Curved, ParamSpec, Tangent};
use crate::linalg::{self, Block, BlockMut, Blocks, Planes, pointwise};
use crate::nn::Activation;
use crate::{Error, Real};
use std::ops::Range;

/// Which equations a [`Cell`] follows. `σ` is the logistic function, `⊙` the product of each unit's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `h' = φ(W_ih x + b_ih + W_hh h + b_hh)` (Elman 1990, "Finding structure in time"); PyTorch has `φ` = tanh and relu,
    /// the identity makes the cell linear.
    Rnn(Activation),
    /// Long short-term memory with a forget gate (Gers, Schmidhuber & Cummins 2000, "Learning to forget"):
    /// with `i, f, o = σ(…)`, `g = tanh(…)` of `W_i· x + b_i· + W_h· h + b_h·` each,
    /// `c' = f ⊙ c + i ⊙ g`, `h' = o ⊙ tanh c'`.
    Lstm,
    /// The gated recurrent unit as PyTorch has it, with the reset gate after the product (Cho et al. 2014, "Learning
    /// phrase representations", eqs. 5–8, changed as in cuDNN): with `r, z = σ(…)` as above,
    /// `n = tanh(W_in x + b_in + r ⊙ (W_hn h + b_hn))`, `h' = (1 − z) ⊙ n + z ⊙ h`.
    Gru,
    /// The gated recurrent unit with the reset gate before the product, as published (the same eqs. 5–8; `z` keeps the old
    /// state): `n = tanh(W_in x + b_in + W_hn (r ⊙ h) + b_hn)`, `h'` as above.
    ClassicGru,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rnn(Activation::Tanh) => "rnn-tanh",
            Self::Rnn(Activation::Relu) => "rnn-relu",
            Self::Rnn(Activation::Identity) => "rnn-linear",
            Self::Rnn(Activation::Sigmoid) => "rnn-sigmoid",
            Self::Rnn(Activation::Softplus) => "rnn-softplus",
            Self::Lstm => "lstm",
            Self::Gru => "gru",
            Self::ClassicGru => "classic-gru",
        })
    }
}

impl std::str::FromStr for Kind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let rnn = [Activation::Tanh, Activation::Relu, Activation::Identity].map(Self::Rnn);
        let mut known = rnn.into_iter().chain([Self::Lstm, Self::Gru, Self::ClassicGru]);
        known.find(|kind| kind.to_string() == name).ok_or_else(|| {
            Error::config(
                format!("no cell is called `{name}`"),
                "choose rnn-tanh, rnn-relu, rnn-linear, lstm, gru or classic-gru",
            )
        })
    }
}

/// One recurrent layer as a map `state' = g([state; x]; θ)`.
///
/// **State.** `h`, `hidden` rows; the LSTM's is `(h, c)`, `2·hidden` rows, `h` first. **Arguments.** `[state; x]` with
/// `inputs` rows of `x`; none makes the cell autonomous.
///
/// **Parameters** in PyTorch's order with its names and gate order (`r, z, n` and `i, f, g, o`; `G` gates):
/// `weight_ih` `[G·H, X]`, `weight_hh` `[G·H, H]`, `bias_ih` `[G·H]`, `bias_hh` `[G·H]`, each matrix column by column. The
/// classic GRU has `weight_hh` `[2H, H]` for `r, z` and `weight_hn` `[H, H]` in its place.
///
/// Cost a lane: `G·H(H + X)` multiplications to evaluate or push, twice that to pull onto arguments and parameters. A
/// push of several tangents at one point is one product of the recurrent weights with all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its equations.
    pub kind: Kind,
    /// Units, `H`.
    pub hidden: usize,
    /// Rows of the input, `X`.
    pub inputs: usize,
}

/// One of the products that a cell's preactivations are sums of: `pre[to] += W·arguments[from] + b`.
pub(super) struct Product {
    /// Rows of the preactivations.
    pub(super) to: Range<usize>,
    /// Rows of the slab, which begins with the cell's arguments.
    pub(super) from: Range<usize>,
    /// Where the matrix begins among the parameters.
    weight: usize,
    bias: usize,
}

impl Product {
    pub(super) fn matrix(&self) -> Range<usize> {
        self.weight..self.weight + self.to.len() * self.from.len()
    }

    pub(super) fn biases(&self) -> Range<usize> {
        self.bias..self.bias + self.to.len()
    }
}

/// Rows that a [`pointwise`] function keeps at most.
pub(super) const ROOM: usize = 6;

impl Cell {
    /// A tanh cell.
    pub fn rnn(hidden: usize, inputs: usize) -> Self {
        Self { kind: Kind::Rnn(Activation::Tanh), hidden, inputs }
    }

    /// An LSTM cell.
    pub fn lstm(hidden: usize, inputs: usize) -> Self {
        Self { kind: Kind::Lstm, hidden, inputs }
    }

    /// A GRU cell in PyTorch's form.
    pub fn gru(hidden: usize, inputs: usize) -> Self {
        Self { kind: Kind::Gru, hidden, inputs }
    }

    /// Rows of the state.
    pub fn state(&self) -> usize {
        match self.kind {
            Kind::Lstm => 2 * self.hidden,
            _ => self.hidden,
        }
    }

    /// Rows of the gates: of `weight_ih`.
    pub fn gate_rows(&self) -> usize {
        self.hidden
            * match self.kind {
                Kind::Rnn(_) => 1,
                Kind::Lstm => 4,
                Kind::Gru | Kind::ClassicGru => 3,
            }
    }

    /// Rows of the preactivations, which the GRU has apart for input and state.
    pub(super) fn preactivations(&self) -> usize {
        match self.kind {
            Kind::Gru => 2 * self.gate_rows(),
            _ => self.gate_rows(),
        }
    }

    /// Rows kept after the gates: the slope, `t`, `q` or `s`.
    fn extra(&self) -> usize {
        self.hidden
    }

    /// From the input; from the state; from the reset state (classic GRU only, else empty).
    pub(super) fn products(&self) -> [Product; 3] {
        let (h, rows) = (self.hidden, self.gate_rows());
        let arguments = self.state() + self.inputs;
        let (hh, bias) = (rows * self.inputs, rows * (self.inputs + h));
        let input = Product { to: 0..rows, from: self.state()..arguments, weight: 0, bias };
        let none = Product { to: 0..0, from: 0..0, weight: 0, bias: 0 };
        let bias = bias + rows;
        let state = |to| Product { to, from: 0..h, weight: hh, bias };
        match self.kind {
            Kind::Gru => [input, state(rows..2 * rows), none],
            Kind::ClassicGru => {
                let reset = arguments + rows;
                let candidate =
                    Product { to: 2 * h..rows, from: reset..reset + h, weight: hh + 2 * h * h, bias: bias + 2 * h };
                [input, state(0..2 * h), candidate]
            }
            Kind::Rnn(_) | Kind::Lstm => [input, state(0..rows), none],
        }
    }

    /// The next state; `gates` and `extra` are left as the slab keeps them.
    fn forward<T: Real>(
        &self,
        params: &[T],
        u: Block<T>,
        out: BlockMut<T>,
        gates: &mut [T],
        extra: &mut [T],
        scratch: &mut [T],
    ) {
        let lanes = u.lanes;
        let [input, state, candidate] = self.products();
        let x = u.slice(input.from.clone()).data;
        let h = u.slice(0..self.hidden).data;
        let (bias_ih, bias_hh) = params[input.bias..].split_at(self.gate_rows());
        let (w_ih, w_hh) = (&params[input.matrix()], &params[state.matrix()]);
        if self.kind == Kind::Gru {
            let recurrent = &mut scratch[..gates.len()];
            linalg::affine(w_ih, bias_ih, x, gates, lanes);
            linalg::affine(w_hh, bias_hh, h, recurrent, lanes);
            let planes =
                Planes { kept: [], own: thirds_mut(gates), from: with(thirds(recurrent), h), to: [extra, out.data] };
            return pointwise(GruForward, planes, lanes, lanes, &mut []);
        }
        let bias = &mut scratch[..self.gate_rows()];
        bias.iter_mut().zip(bias_ih.iter().zip(bias_hh)).for_each(|(b, (&ih, &hh))| *b = ih + hh);
        linalg::affine(w_ih, bias, x, gates, lanes);
        linalg::affine_add(w_hh, h, &mut gates[..state.to.len() * lanes], lanes);
        match self.kind {
            Kind::Rnn(activation) => {
                activation.slope(gates, extra);
                activation.apply(gates);
                out.data.copy_from_slice(gates);
            }
            Kind::Lstm => {
                let (h_next, c_next) = out.split_at_row(self.hidden);
                let c = u.slice(self.hidden..2 * self.hidden).data;
                let to = [extra, h_next.data, c_next.data];
                let planes = Planes { kept: [], own: fourths_mut(gates), from: [c], to };
                pointwise(LstmForward, planes, lanes, lanes, &mut []);
            }
            Kind::Gru | Kind::ClassicGru => {
                let [r, z, n] = thirds_mut(gates);
                let planes = Planes { kept: [], own: [r, &mut *z], from: [h], to: [&mut *extra] };
                pointwise(ClassicReset, planes, lanes, lanes, &mut []);
                linalg::affine_add(&params[candidate.matrix()], extra, n, lanes);
                let planes = Planes { kept: [], own: [n], from: [z, h], to: [out.data] };
                pointwise(ClassicForward, planes, lanes, lanes, &mut []);
            }
        }
    }

    /// The slab's rows after the arguments: the gates one by one, then `extra`.
    pub(super) fn kept<'a, T>(&self, slab: Block<'a, T>) -> (Block<'a, T>, &'a [T]) {
        let (gates, extra) = slab.split_at_row(self.state() + self.inputs).1.split_at_row(self.gate_rows());
        (gates, extra.data)
    }

    /// The image of a tangent; the tangents of the preactivations are left in `pre`.
    pub(super) fn forth<T: Real>(
        &self,
        params: &[T],
        slab: Block<T>,
        tangent: Tangent<T>,
        out: BlockMut<T>,
        pre: &mut [T],
        scratch: &mut [T],
    ) {
        let (lanes, points, hidden) = (out.lanes, slab.lanes, self.hidden);
        let (gates, extra) = self.kept(slab);
        let (room, rest) = scratch.split_at_mut(ROOM * lanes);
        let [input, state, candidate] = self.products();
        let push = |product: &Product, from: &[T], to: &mut [T], fresh: bool| {
            let w = &params[product.matrix()];
            if fresh {
                linalg::affine(w, &[], from, to, lanes)
            } else {
                linalg::affine_add(w, from, to, lanes)
            }
            if let Some(directions) = tangent.params {
                let (dw, db) = (directions.slice(product.matrix()), directions.slice(product.biases()));
                linalg::direction_add_points(dw, db, slab.slice(product.from.clone()), to);
            }
        };
        let rows = |rows: &Range<usize>| rows.start * lanes..rows.end * lanes;
        let dx = tangent.arguments.slice(input.from.clone()).data;
        let dh = tangent.arguments.slice(0..hidden).data;
        let h = slab.slice(0..hidden).data;
        // Frames of large cells do not fit into the caches: every pass over them that can be spared is.
        let alike = matches!(self.kind, Kind::Rnn(_) | Kind::Lstm);
        let driven = self.inputs > 0 || tangent.params.is_some() || !alike;
        if driven {
            push(&input, dx, &mut pre[rows(&input.to)], true);
        }
        push(&state, dh, &mut pre[rows(&state.to)], !driven || self.kind == Kind::Gru);
        match self.kind {
            Kind::Rnn(_) => linalg::scaled_points(extra, points, pre, out.data, lanes),
            Kind::Lstm => {
                let [i, f, g, o] = fourths(gates.data);
                let [di, df, dg, d_o] = fourths(pre);
                let c = slab.slice(hidden..2 * hidden).data;
                let dc = tangent.arguments.slice(hidden..2 * hidden).data;
                let (h_next, c_next) = out.split_at_row(hidden);
                let planes = Planes {
                    kept: [i, f, g, o, extra, c],
                    own: [],
                    from: [di, df, dg, d_o, dc],
                    to: [h_next.data, c_next.data],
                };
                pointwise(LstmPush, planes, points, lanes, room);
            }
            Kind::Gru => {
                let [r, z, n] = thirds(gates.data);
                let (from_input, from_state) = pre.split_at(self.gate_rows() * lanes);
                let ([rx, zx, nx], [rh, zh, q]) = (thirds(from_input), thirds(from_state));
                let from = [rx, zx, nx, rh, zh, q, dh];
                let planes = Planes { kept: [r, z, n, extra, h], own: [], from, to: [out.data] };
                pointwise(GruPush, planes, points, lanes, room);
            }
            Kind::ClassicGru => {
                let [r, z, n] = thirds(gates.data);
                let [dr, dz, dn] = thirds_mut(pre);
                let ds = &mut rest[..hidden * lanes];
                let planes = Planes { kept: [r, h], own: [], from: [dr, dh], to: [&mut *ds] };
                pointwise(ClassicResetPush, planes, points, lanes, room);
                push(&candidate, ds, dn, false);
                let planes = Planes { kept: [z, n, h], own: [], from: [dz, dn, dh], to: [out.data] };
                pointwise(ClassicPush, planes, points, lanes, room);
            }
        }
    }

    /// From `w` to the preactivations' cotangents `kept` and the arguments' `u_bar`.
    fn back<T: Real>(
        &self,
        params: &[T],
        slab: Block<T>,
        w: Block<T>,
        mut u_bar: BlockMut<T>,
        mut kept: BlockMut<T>,
        scratch: &mut [T],
    ) {
        self.back_to_units(params, slab, w, u_bar.slice(0..self.state()), kept.reborrow(), scratch);
        u_bar.slice(self.state()..self.state() + self.inputs).data.fill(T::zero());
        self.back_through_products(params, Block::new(kept.data, w.lanes), u_bar);
    }

    /// From the preactivations' cotangents to the arguments', added to `u_bar`; without the classic GRU's candidate.
    pub(super) fn back_through_products<T: Real>(&self, params: &[T], kept: Block<T>, mut u_bar: BlockMut<T>) {
        let [input, state, _] = self.products();
        for product in [input, state] {
            let to = kept.slice(product.to.clone()).data;
            let bar = u_bar.slice(product.from.clone());
            linalg::transposed_add(&params[product.matrix()], to, bar.data, kept.lanes);
        }
    }

    /// From `w` to the preactivations' cotangents `kept`, and to what reaches the state past them, `state_bar`.
    pub(super) fn back_to_units<T: Real>(
        &self,
        params: &[T],
        slab: Block<T>,
        w: Block<T>,
        state_bar: BlockMut<T>,
        kept: BlockMut<T>,
        scratch: &mut [T],
    ) {
        let (lanes, points, hidden) = (w.lanes, slab.lanes, self.hidden);
        let (gates, extra) = self.kept(slab);
        let [_, _, candidate] = self.products();
        let (h_bar, c_bar) = state_bar.split_at_row(hidden);
        let (room, scratch) = scratch.split_at_mut(ROOM * lanes);
        let h = slab.slice(0..hidden).data;
        match self.kind {
            Kind::Rnn(_) => {
                h_bar.data.fill(T::zero());
                kept.data.copy_from_slice(w.data);
                linalg::scale_points(extra, points, kept.data, lanes);
            }
            Kind::Lstm => {
                h_bar.data.fill(T::zero());
                let [i, f, g, o] = fourths(gates.data);
                let c = slab.slice(hidden..2 * hidden).data;
                let (w_h, w_c) = w.split_at_row(hidden);
                let [i_bar, f_bar, g_bar, o_bar] = fourths_mut(kept.data);
                let planes = Planes {
                    kept: [i, f, g, o, extra, c],
                    own: [],
                    from: [w_h.data, w_c.data],
                    to: [i_bar, f_bar, g_bar, o_bar, c_bar.data],
                };
                pointwise(LstmPull, planes, points, lanes, room);
            }
            Kind::Gru => {
                let [r, z, n] = thirds(gates.data);
                let (from_input, from_state) = kept.data.split_at_mut(self.gate_rows() * lanes);
                let ([rx, zx, nx], [rh, zh, qh]) = (thirds_mut(from_input), thirds_mut(from_state));
                let planes = Planes {
                    kept: [r, z, n, extra, h],
                    own: [],
                    from: [w.data],
                    to: [rx, zx, nx, rh, zh, qh, &mut *h_bar.data],
                };
                pointwise(GruPull, planes, points, lanes, room);
            }
            Kind::ClassicGru => {
                let [r, z, n] = thirds(gates.data);
                let [r_bar, z_bar, n_bar] = thirds_mut(kept.data);
                let to = [z_bar, &mut *n_bar, &mut *h_bar.data];
                let planes = Planes { kept: [z, n, h], own: [], from: [w.data], to };
                pointwise(ClassicPull, planes, points, lanes, room);
                let s_bar = &mut scratch[..hidden * lanes];
                s_bar.fill(T::zero());
                linalg::transposed_add(&params[candidate.matrix()], n_bar, s_bar, lanes);
                let planes = Planes { kept: [r, h], own: [&mut *h_bar.data], from: [s_bar], to: [r_bar] };
                pointwise(ClassicResetPull, planes, points, lanes, room);
            }
        }
    }
}

pub(super) fn thirds<T>(planes: &[T]) -> [&[T]; 3] {
    let (a, rest) = planes.split_at(planes.len() / 3);
    let (b, c) = rest.split_at(a.len());
    [a, b, c]
}

pub(super) fn thirds_mut<T>(planes: &mut [T]) -> [&mut [T]; 3] {
    let size = planes.len() / 3;
    let (a, rest) = planes.split_at_mut(size);
    let (b, c) = rest.split_at_mut(size);
    [a, b, c]
}

pub(super) fn fourths<T>(planes: &[T]) -> [&[T]; 4] {
    let size = planes.len() / 4;
    std::array::from_fn(|k| &planes[k * size..(k + 1) * size])
}

pub(super) fn fourths_mut<T>(planes: &mut [T]) -> [&mut [T]; 4] {
    let size = planes.len() / 4;
    let (a, rest) = planes.split_at_mut(size);
    let (b, rest) = rest.split_at_mut(size);
    let (c, d) = rest.split_at_mut(size);
    [a, b, c, d]
}

pub(super) fn with<'a, T>([a, b, c]: [&'a [T]; 3], d: &'a [T]) -> [&'a [T]; 4] {
    [a, b, c, d]
}

impl<T: Real> Component<T> for Cell {
    fn in_dim(&self) -> usize {
        self.state() + self.inputs
    }

    fn out_dim(&self) -> usize {
        self.state()
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        let (hidden, rows) = (self.hidden, self.gate_rows());
        let mut specs = vec![ParamSpec::new(format!("{prefix}weight_ih"), &[rows, self.inputs])];
        if self.kind == Kind::ClassicGru {
            specs.push(ParamSpec::new(format!("{prefix}weight_hh"), &[2 * hidden, hidden]));
            specs.push(ParamSpec::new(format!("{prefix}weight_hn"), &[hidden, hidden]));
        } else {
            specs.push(ParamSpec::new(format!("{prefix}weight_hh"), &[rows, hidden]));
        }
        specs.push(ParamSpec::new(format!("{prefix}bias_ih"), &[rows]));
        specs.push(ParamSpec::new(format!("{prefix}bias_hh"), &[rows]));
        specs
    }

    fn param_count(&self) -> usize {
        self.gate_rows() * (self.inputs + self.hidden + 2)
    }

    fn slab_len(&self) -> usize {
        self.state() + self.inputs + self.gate_rows() + self.extra()
    }

    fn scratch_len(&self) -> usize {
        2 * self.gate_rows() + self.preactivations() + 2 * self.hidden + ROOM
    }

    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (gates, rest) = scratch.split_at_mut(self.gate_rows() * u.lanes);
        let (extra, rest) = rest.split_at_mut(self.extra() * u.lanes);
        self.forward(params, u, out, gates, extra, rest);
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, scratch: &mut [T]) {
        let (arguments, rest) = slab.split_at_row(self.state() + self.inputs);
        let (gates, extra) = rest.split_at_row(self.gate_rows());
        arguments.data.copy_from_slice(u.data);
        self.forward(params, u, out, gates.data, extra.data, scratch);
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, scratch: &mut [T]) {
        if matches!(self.kind, Kind::Rnn(_)) && slab.lanes == 1 && tangent.params.is_none() {
            // Frames of large cells do not fit into the caches: nobody asks for the preactivations' tangents.
            let [input, state, _] = self.products();
            let (_, slopes) = self.kept(slab);
            let driven = self.inputs > 0;
            if driven {
                let dx = tangent.arguments.slice(input.from.clone());
                linalg::affine(&params[input.matrix()], &[], dx.data, out.data, out.lanes);
            }
            let dh = tangent.arguments.slice(state.from.clone());
            linalg::affine_scaled(&params[state.matrix()], dh.data, slopes, out.data, out.lanes, driven);
            return;
        }
        let (pre, rest) = scratch.split_at_mut(self.preactivations() * out.lanes);
        self.forth(params, slab, tangent, out, pre, rest);
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
        let (kept, rest) = scratch.split_at_mut(self.preactivations() * w.lanes);
        self.back(params, slab, w, u_bar, BlockMut::new(kept, w.lanes), rest);
        let Some(bar) = params_bar else { return };
        for product in self.products() {
            let y = Block::new(kept, w.lanes).slice(product.to.clone());
            let x = slab.slice(product.from.clone());
            let (dw, db) = (product.matrix(), product.biases());
            let [dw, db] = apart(bar, dw, db);
            linalg::outer_add_points(y.data, x.data, slab.lanes, dw, db, w.lanes);
        }
    }
    fn curved(&self) -> Option<&dyn Curved<T>> {
        (self.kind != Kind::ClassicGru).then_some(self)
    }
}

/// Two parts of a slice, the first before the second.
pub(super) fn apart<T>(slice: &mut [T], a: Range<usize>, b: Range<usize>) -> [&mut [T]; 2] {
    let (before, after) = slice[..b.end].split_at_mut(b.start);
    [&mut before[a], after]
}

impl<T: Real> Recurrent<T> for Cell {
    fn visible(&self) -> Range<usize> {
        0..self.hidden
    }

    fn kept_len(&self) -> usize {
        self.preactivations()
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
        self.back(params, slab, w, u_bar, kept, scratch);
    }

    fn accumulate(&self, _: &[T], slabs: Blocks<T>, kept: Blocks<T>, params_bar: &mut [T], _: &mut [T]) {
        for product in self.products() {
            let [dw, db] = apart(params_bar, product.matrix(), product.biases());
            linalg::outer_add_blocks(kept.slice(product.to.clone()), slabs.slice(product.from.clone()), dw, db);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testkit;
    use crate::nn::fan_in_uniform;
    use proptest::prelude::*;
    use rand::SeedableRng;

    pub(crate) fn kinds() -> impl Strategy<Value = Kind> {
        prop::sample::select(vec![
            Kind::Rnn(Activation::Tanh),
            Kind::Rnn(Activation::Relu),
            Kind::Rnn(Activation::Identity),
            Kind::Lstm,
            Kind::Gru,
            Kind::ClassicGru,
        ])
    }

    proptest! {
        #[test]
        fn every_cell_fulfils_the_contract(kind in kinds(), hidden in 1usize..9, inputs in 0usize..6, seed in 0u64..1000) {
            let cell = Cell { kind, hidden, inputs };
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let mut params: Vec<f64> = fan_in_uniform(&Component::<f64>::params(&cell, ""), 2.0, &mut rng);
            params.iter_mut().enumerate().for_each(|(i, p)| *p += 0.1 * (i as f64).sin());
            testkit::check(&cell, &params, 1.0, seed).map_err(TestCaseError::fail)?;
            let single: Vec<f32> = params.iter().map(|&p| p as f32).collect();
            testkit::check(&cell, &single, 1.0, seed).map_err(TestCaseError::fail)?;
        }
    }

    fn step(cell: &Cell, params: &[f64], u: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; cell.state()];
        let mut scratch = vec![0.0; Component::<f64>::scratch_len(cell)];
        cell.eval(params, Block::new(u, 1), BlockMut::new(&mut out, 1), &mut scratch);
        out
    }

    #[test]
    fn without_recurrent_weights_the_state_decays_by_a_gate() {
        // GRU: h' = (1 − σ(b_z))·0 + σ(b_z) h. LSTM: c' = σ(b_f) c. The exact multipliers of the reference tables.
        let sigma = 1.0 / (1.0 + (-0.7f64).exp());
        for kind in [Kind::Gru, Kind::ClassicGru] {
            let cell = Cell { kind, hidden: 2, inputs: 1 };
            let mut params = vec![0.0f64; Component::<f64>::param_count(&cell)];
            params[6 + 12 + 2..6 + 12 + 4].fill(0.7);
            let out = step(&cell, &params, &[0.3, -0.8, 5.0]);
            assert!((out[0] - 0.3 * sigma).abs() < 1e-15 && (out[1] + 0.8 * sigma).abs() < 1e-15, "{kind:?}");
        }
        let cell = Cell::lstm(2, 1);
        let mut params = vec![0.0f64; Component::<f64>::param_count(&cell)];
        params[8 + 16 + 2..8 + 16 + 4].fill(0.7);
        let out = step(&cell, &params, &[0.3, -0.8, 0.4, -2.0, 5.0]);
        assert!((out[2] - 0.4 * sigma).abs() < 1e-15 && (out[3] + 2.0 * sigma).abs() < 1e-15);
        assert!((out[0] - 0.5 * (0.4 * sigma).tanh()).abs() < 1e-15);
    }

    #[test]
    fn the_two_grus_differ_by_where_the_reset_gate_acts() {
        // One unit: with b_hn = 0, n = tanh(r·w·h) in both; with b_hn = 1, tanh(r(w h + 1)) against tanh(w r h + 1).
        let (w, h, r) = (0.8f64, 0.6f64, 0.5f64);
        for (kind, bias, n) in [
            (Kind::Gru, 0.0, (r * w * h).tanh()),
            (Kind::ClassicGru, 0.0, (r * w * h).tanh()),
            (Kind::Gru, 1.0, (r * (w * h + 1.0)).tanh()),
            (Kind::ClassicGru, 1.0, (r * w * h + 1.0).tanh()),
        ] {
            let cell = Cell { kind, hidden: 1, inputs: 0 };
            let mut params = vec![0.0f64; 9];
            params[2] = w;
            params[8] = bias;
            let out = step(&cell, &params, &[h]);
            assert!((out[0] - (0.5 * n + 0.5 * h)).abs() < 1e-15, "{kind:?} {bias}");
        }
    }
}
