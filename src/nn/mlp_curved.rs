//! Second derivatives of dense layers.
//!
//! With `p = W a + b`, `a' = σ(p)` and tangents `dp = W da`, `da' = σ'(p) dp` at each layer, cotangents go back by
//! `dp̄ = σ'(p) dā'` and `p̄ = σ'(p) ā' + Σ σ''(p) dp dā'`, and through one product for all of them.

use super::mlp::Layer;
use super::{Activation, Mlp};
use crate::Real;
use crate::dynamics::{Bend, Component, Curved, add_points, side_by_side};
use crate::linalg::{self, Block, BlockMut};
use std::ops::Range;

/// What is kept, layer after layer: the preactivations' tangents; then the arguments' of all layers but the first, which are
/// the net's own.
struct Kept {
    preactivations: usize,
}

impl Kept {
    fn of(net: &Mlp) -> Self {
        Self { preactivations: net.layers().map(|layer| layer.rows).sum() }
    }

    /// Rows of a layer's preactivations; `first` is the width of the net's arguments.
    fn own(&self, layer: &Layer, first: usize) -> Range<usize> {
        // The slab holds all widths before this layer's rows, the first one and its arguments among them.
        let at = layer.slab + layer.inner - first;
        at..at + layer.rows
    }

    /// Rows of a layer's arguments, for layers after the first.
    fn arguments(&self, layer: &Layer, first: usize) -> Range<usize> {
        let at = self.preactivations + layer.slab - first;
        at..at + layer.inner
    }
}

impl<T: Real> Curved<T> for Mlp {
    fn pushed_len(&self) -> usize {
        let rows: usize = self.layers().map(|layer| layer.rows).sum();
        2 * rows - Component::<T>::out_dim(self)
    }

    fn bend_scratch_len(&self) -> usize {
        3 * self.widest()
    }

    fn push(
        &self,
        params: &[T],
        slab: Block<T>,
        tangents: Block<T>,
        out: BlockMut<T>,
        mut pushed: BlockMut<T>,
        scratch: &mut [T],
    ) {
        let (lanes, first, kept) = (out.lanes, tangents.rows(), Kept::of(self));
        let (images, slope) = scratch.split_at_mut(self.widest() * lanes);
        let count = self.layers().len();
        for (i, layer) in self.layers().enumerate() {
            let to = if i + 1 == count { &mut *out.data } else { &mut images[..layer.rows * lanes] };
            let inner = pushed.as_block();
            let from = if i == 0 { tangents } else { inner.slice(kept.arguments(&layer, first)) };
            linalg::affine(layer.weights(params).0, &[], from.data, to, lanes);
            pushed.slice(kept.own(&layer, first)).data.copy_from_slice(to);
            if layer.activation != Activation::Identity {
                let slope = &mut slope[..layer.rows];
                layer.activation.derivative(output(slab, &layer), slope);
                linalg::scale_points(slope, 1, to, lanes);
            }
            if i + 1 < count {
                let at = kept.preactivations + layer.slab + layer.inner - first;
                pushed.slice(at..at + layer.rows).data.copy_from_slice(to);
            }
        }
    }

    fn bend(&self, params: &[T], bend: Bend<T>, bars: BlockMut<T>, mut kept: BlockMut<T>, scratch: &mut [T]) {
        let (lanes, first, places) = (bend.images.lanes, bars.rows(), Kept::of(self));
        let group = lanes + 1;
        let (bar, rest) = scratch.split_at_mut(self.widest() * group);
        let (slope, curvature) = rest.split_at_mut(self.widest());
        side_by_side(bend.images.data, bend.value.data, bar);
        for (i, layer) in self.layers().enumerate().rev() {
            let (slope, curvature) = (&mut slope[..layer.rows], &mut curvature[..layer.rows]);
            let mut own = kept.slice(places.own(&layer, first));
            let along = bend.pushed.slice(places.own(&layer, first));
            if layer.activation == Activation::Identity {
                own.data.copy_from_slice(&bar[..layer.rows * group]);
            } else {
                layer.activation.derivative(output(bend.slab, &layer), slope);
                layer.activation.curvature(output(bend.slab, &layer), curvature);
                for (k, bar) in bar.chunks_exact(group).take(layer.rows).enumerate() {
                    let own = own.row(k);
                    own.iter_mut().zip(bar).for_each(|(own, &bar)| *own = slope[k] * bar);
                    let bent = bar.iter().zip(along.row(k)).fold(T::zero(), |sum, (&bar, &dp)| sum + bar * dp);
                    own[lanes] += curvature[k] * bent;
                }
            }
            let to = if i == 0 { &mut *bars.data } else { &mut bar[..layer.inner * group] };
            to.fill(T::zero());
            linalg::transposed_add(layer.weights(params).0, own.data, to, group);
            if i > 0 {
                let rows = places.arguments(&layer, first);
                let points = bend.slab.slice(layer.slab..layer.slab + layer.inner);
                side_by_side(bend.pushed.slice(rows.clone()).data, points.data, kept.slice(rows).data);
            }
        }
    }

    fn accumulate(&self, u: Block<T>, kept: Block<T>, group: usize, params_bar: &mut [T]) {
        let (first, places) = (u.rows(), Kept::of(self));
        for (i, layer) in self.layers().enumerate() {
            let own = kept.slice(places.own(&layer, first));
            let arguments = if i == 0 { u } else { kept.slice(places.arguments(&layer, first)) };
            let sums = &mut params_bar[layer.param..][..(layer.inner + 1) * layer.rows];
            let (dw, db) = sums.split_at_mut(layer.inner * layer.rows);
            linalg::outer_add(own.data, arguments.data, dw, &mut [], u.lanes);
            add_points(own, group, db);
        }
    }
}

/// A layer's values in the slab, of one point.
fn output<'a, T>(slab: Block<'a, T>, layer: &Layer) -> &'a [T] {
    &slab.data[layer.slab + layer.inner..][..layer.rows]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testkit;
    use crate::nn::fan_in_uniform;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn bends_of_dense_layers_are_the_derivatives_of_values_and_pushes(
            widths in proptest::collection::vec(1usize..6, 2..5),
            hidden in prop::sample::select(vec![Activation::Tanh, Activation::Softplus, Activation::Sigmoid]),
            last in prop::sample::select(vec![Activation::Identity, Activation::Tanh]),
            lanes in 1usize..4, seed in 0u64..1000,
        ) {
            let net = Mlp::new(&widths, hidden, last).unwrap();
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let params: Vec<f64> = fan_in_uniform(&Component::<f64>::params(&net, ""), 2.0, &mut rng);
            testkit::check_curved(&net, &params, lanes, seed).map_err(TestCaseError::fail)?;
        }
    }
}
