//! Second derivatives of cells.
//!
//! A cell is products of its weights and functions of each unit's numbers. So what bends a tangent's image is in the
//! latter alone: with `p = W u + b` and tangents `dp = W δu`, the derivatives of `wᵀ Φ'(p) dp` by `dp` are the pull of
//! `w`, and those by `p` are the pull's own derivative along `dp`. Both go back through the same products.

use super::cell::{ROOM, apart, fourths, fourths_mut, thirds, thirds_mut};
use super::gates::{GruBend, LstmBend};
use super::{Cell, Kind};
use crate::Real;
use crate::dynamics::{Bend, Component, Curved, add_lanes, add_points, side_by_side};
use crate::linalg::{self, Block, BlockMut, Planes, pointwise};

impl<T: Real> Curved<T> for Cell {
    fn pushed_len(&self) -> usize {
        self.preactivations()
    }

    fn bend_scratch_len(&self) -> usize {
        3 * self.preactivations() + 3 * self.hidden + Component::<T>::scratch_len(self)
    }

    fn push(
        &self,
        params: &[T],
        slab: Block<T>,
        tangents: Block<T>,
        out: BlockMut<T>,
        pushed: BlockMut<T>,
        scratch: &mut [T],
    ) {
        self.forth(params, slab, tangents.into(), out, pushed.data, scratch);
    }

    fn bend(&self, params: &[T], bend: Bend<T>, mut bars: BlockMut<T>, kept: BlockMut<T>, scratch: &mut [T]) {
        let (lanes, rows, hidden, state) = (bend.images.lanes, self.preactivations(), self.hidden, self.state());
        let (point, rest) = scratch.split_at_mut(rows);
        let (point_bar, rest) = rest.split_at_mut(state);
        let (along, rest) = rest.split_at_mut(rows * lanes);
        let (along_bar, rest) = rest.split_at_mut(state * lanes);
        let (bent, rest) = rest.split_at_mut(rows * lanes);
        let (direct, rest) = rest.split_at_mut(hidden * lanes);
        let to = (BlockMut::new(point_bar, 1), BlockMut::new(point, 1));
        self.back_to_units(params, bend.slab, bend.value, to.0, to.1, rest);
        let to = (BlockMut::new(along_bar, lanes), BlockMut::new(along, lanes));
        self.back_to_units(params, bend.slab, bend.images, to.0, to.1, rest);
        self.curve(&bend, bent, direct, rest);
        let own = match self.kind {
            Kind::Lstm => hidden..2 * hidden,
            _ => 0..hidden,
        };
        add_lanes(bent, lanes, point);
        add_lanes(direct, lanes, &mut point_bar[own]);
        side_by_side(along, point, kept.data);
        let (state_bars, x_bars) = bars.data.split_at_mut(state * (lanes + 1));
        side_by_side(along_bar, point_bar, state_bars);
        x_bars.fill(T::zero());
        // One product for all lanes and the point.
        self.back_through_products(params, Block::new(kept.data, lanes + 1), bars.reborrow());
    }

    fn accumulate(&self, u: Block<T>, kept: Block<T>, group: usize, params_bar: &mut [T]) {
        for product in self.products().iter().filter(|product| !product.to.is_empty()) {
            let [dw, db] = apart(params_bar, product.matrix(), product.biases());
            let kept = kept.slice(product.to.clone());
            linalg::outer_add(kept.data, u.slice(product.from.clone()).data, dw, &mut [], u.lanes);
            add_points(kept, group, db);
        }
    }
}

impl Cell {
    /// The derivatives of the tangents' images by the preactivations, to `bent`, and by the state itself where it acts past
    /// them (`c` of an LSTM, `h` of a GRU), to `direct`: a lane for each tangent.
    fn curve<T: Real>(&self, bend: &Bend<T>, bent: &mut [T], direct: &mut [T], scratch: &mut [T]) {
        let (lanes, hidden) = (bend.images.lanes, self.hidden);
        let (gates, extra) = self.kept(bend.slab);
        let (room, scratch) = scratch.split_at_mut(ROOM * lanes);
        let (h_bar, c_bar) = bend.images.split_at_row(hidden);
        match self.kind {
            Kind::Rnn(activation) => {
                direct.fill(T::zero());
                let curvature = &mut scratch[..hidden];
                activation.curvature(gates.data, curvature);
                bent.iter_mut().zip(h_bar.data.iter().zip(bend.pushed.data)).for_each(|(b, (&w, &dp))| *b = w * dp);
                linalg::scale_points(curvature, 1, bent, lanes);
            }
            Kind::Lstm => {
                let ([i, f, g, o], [di, df, dg, d_o]) = (fourths(gates.data), fourths(bend.pushed.data));
                let c = bend.slab.slice(hidden..2 * hidden).data;
                let dc = bend.tangents.slice(hidden..2 * hidden).data;
                let [i_bar, f_bar, g_bar, o_bar] = fourths_mut(bent);
                let planes = Planes {
                    kept: [i, f, g, o, extra, c],
                    own: [],
                    from: [di, df, dg, d_o, dc, h_bar.data, c_bar.data],
                    to: [i_bar, f_bar, g_bar, o_bar, direct],
                };
                pointwise(LstmBend, planes, 1, lanes, room);
            }
            // The classic GRU makes no offer.
            Kind::Gru | Kind::ClassicGru => {
                let [r, z, n] = thirds(gates.data);
                let h = bend.slab.slice(0..hidden).data;
                let dh = bend.tangents.slice(0..hidden).data;
                let (from_input, from_state) = bend.pushed.data.split_at(self.gate_rows() * lanes);
                let ([rx, zx, nx], [rh, zh, q]) = (thirds(from_input), thirds(from_state));
                let (to_input, to_state) = bent.split_at_mut(self.gate_rows() * lanes);
                let ([rxb, zxb, nxb], [rhb, zhb, qb]) = (thirds_mut(to_input), thirds_mut(to_state));
                let planes = Planes {
                    kept: [r, z, n, extra, h],
                    own: [],
                    from: [rx, zx, nx, rh, zh, q, dh, h_bar.data],
                    to: [rxb, zxb, nxb, rhb, zhb, qb, direct],
                };
                pointwise(GruBend, planes, 1, lanes, room);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testkit;
    use crate::nn::{Activation, fan_in_uniform};
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn bends_are_the_derivatives_of_values_and_pushes(
            kind in prop::sample::select(vec![
                Kind::Rnn(Activation::Tanh), Kind::Rnn(Activation::Sigmoid), Kind::Rnn(Activation::Softplus),
                Kind::Rnn(Activation::Identity), Kind::Lstm, Kind::Gru,
            ]),
            hidden in 1usize..6, inputs in 0usize..4, lanes in 1usize..5, seed in 0u64..1000,
        ) {
            let cell = Cell { kind, hidden, inputs };
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let params: Vec<f64> = fan_in_uniform(&Component::<f64>::params(&cell, ""), 2.0, &mut rng);
            testkit::check_curved(&cell, &params, lanes, seed).map_err(TestCaseError::fail)?;
        }
    }

    #[test]
    fn the_classic_gru_makes_no_offer() {
        let offers = |kind| Component::<f64>::curved(&Cell { kind, hidden: 3, inputs: 1 }).is_some();
        assert!(offers(Kind::Gru) && offers(Kind::Lstm) && !offers(Kind::ClassicGru));
    }
}
