//! Dense layers.

use super::Activation;
use crate::dynamics::{Component, Curved, ParamSpec, Tangent};
use crate::linalg::{self, Block, BlockMut};
use crate::{Error, Real, Result};

/// Dense layers one after another: `a ← σ(W a + b)`, with one activation for the hidden layers and one for the last. A
/// single dense layer is an `Mlp` of two widths.
///
/// The chain rule runs through the layers in place, without the intermediate blocks that a
/// [`Chain`](crate::dynamics::Chain) of single layers would copy. Cost a lane: one multiplication a weight to evaluate
/// or push, two to pull. The slab holds each layer's arguments (and the output, where the last activation bends it).
#[derive(Clone, Debug)]
pub struct Mlp {
    widths: Vec<usize>,
    hidden: Activation,
    last: Activation,
}

/// Where one layer's numbers lie.
#[derive(Clone, Copy)]
pub(super) struct Layer {
    pub inner: usize,
    pub rows: usize,
    /// First parameter: the matrix, then the bias.
    pub param: usize,
    /// First slab row of its arguments; its output starts where the next layer's arguments do.
    pub slab: usize,
    pub activation: Activation,
}

impl Layer {
    pub fn weights<'a, T>(&self, params: &'a [T]) -> (&'a [T], &'a [T]) {
        params[self.param..][..(self.inner + 1) * self.rows].split_at(self.inner * self.rows)
    }
}

impl Mlp {
    /// Layers of these widths, from the arguments to the output.
    ///
    /// # Errors
    /// If there are fewer than two widths or one is zero.
    pub fn new(widths: &[usize], hidden: Activation, last: Activation) -> Result<Self> {
        if widths.len() < 2 || widths.contains(&0) {
            return Err(Error::shape("widths of a dense network", "two or more, none zero", format!("{widths:?}")));
        }
        Ok(Self { widths: widths.to_vec(), hidden, last })
    }

    pub(super) fn layers(&self) -> impl DoubleEndedIterator<Item = Layer> + ExactSizeIterator {
        let count = self.widths.len() - 1;
        (0..count).map(move |i| Layer {
            inner: self.widths[i],
            rows: self.widths[i + 1],
            param: (0..i).map(|j| (self.widths[j] + 1) * self.widths[j + 1]).sum(),
            slab: self.widths[..i].iter().sum(),
            activation: if i + 1 == count { self.last } else { self.hidden },
        })
    }

    pub(super) fn widest(&self) -> usize {
        self.widths.iter().copied().max().unwrap_or(0)
    }
}

impl<T: Real> Component<T> for Mlp {
    fn in_dim(&self) -> usize {
        self.widths[0]
    }

    fn out_dim(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        let named = |(i, layer): (usize, Layer)| {
            [
                ParamSpec::new(format!("{prefix}{i}.weight"), &[layer.rows, layer.inner]),
                ParamSpec::new(format!("{prefix}{i}.bias"), &[layer.rows]),
            ]
        };
        self.layers().enumerate().flat_map(named).collect()
    }

    fn param_count(&self) -> usize {
        self.layers().map(|layer| (layer.inner + 1) * layer.rows).sum()
    }

    fn slab_len(&self) -> usize {
        let arguments: usize = self.widths[..self.widths.len() - 1].iter().sum();
        arguments + if self.last == Activation::Identity { 0 } else { self.widths[self.widths.len() - 1] }
    }

    fn scratch_len(&self) -> usize {
        3 * self.widest()
    }

    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let lanes = u.lanes;
        let (mut a, mut b) = scratch[..2 * self.widest() * lanes].split_at_mut(self.widest() * lanes);
        let count = self.widths.len() - 1;
        for (i, layer) in self.layers().enumerate() {
            let (w, bias) = layer.weights(params);
            let from = if i == 0 { u.data } else { &a[..layer.inner * lanes] };
            let to = if i + 1 == count { &mut *out.data } else { &mut b[..layer.rows * lanes] };
            linalg::affine(w, bias, from, to, lanes);
            layer.activation.apply(to);
            std::mem::swap(&mut a, &mut b);
        }
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, _: &mut [T]) {
        let lanes = u.lanes;
        let count = self.widths.len() - 1;
        slab.data[..u.data.len()].copy_from_slice(u.data);
        for (i, layer) in self.layers().enumerate() {
            let (w, bias) = layer.weights(params);
            let (before, after) = slab.data.split_at_mut((layer.slab + layer.inner) * lanes);
            let from = &before[layer.slab * lanes..];
            if i + 1 < count {
                let to = &mut after[..layer.rows * lanes];
                linalg::affine(w, bias, from, to, lanes);
                layer.activation.apply(to);
            } else {
                linalg::affine(w, bias, from, out.data, lanes);
                layer.activation.apply(out.data);
                after.copy_from_slice(&out.data[..after.len()]);
            }
        }
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (lanes, points) = (out.lanes, slab.lanes);
        let (mut a, rest) = scratch.split_at_mut(self.widest() * lanes);
        let (mut b, slope) = rest.split_at_mut(self.widest() * lanes);
        let count = self.widths.len() - 1;
        for (i, layer) in self.layers().enumerate() {
            let (w, _) = layer.weights(params);
            let from = if i == 0 { tangent.arguments.data } else { &a[..layer.inner * lanes] };
            let to = if i + 1 == count { &mut *out.data } else { &mut b[..layer.rows * lanes] };
            linalg::affine(w, &[], from, to, lanes);
            if let Some(directions) = tangent.params {
                let arguments = slab.slice(layer.slab..layer.slab + layer.inner);
                let bias = layer.param + layer.inner * layer.rows;
                let (dw, db) = (directions.slice(layer.param..bias), directions.slice(bias..bias + layer.rows));
                linalg::direction_add_points(dw, db, arguments, to);
            }
            if layer.activation != Activation::Identity {
                let value = slab.slice(layer.slab + layer.inner..layer.slab + layer.inner + layer.rows);
                let slope = &mut slope[..layer.rows * points];
                layer.activation.derivative(value.data, slope);
                linalg::scale_points(slope, points, to, lanes);
            }
            std::mem::swap(&mut a, &mut b);
        }
    }

    fn vjp(
        &self,
        params: &[T],
        slab: Block<T>,
        w: Block<T>,
        u_bar: BlockMut<T>,
        mut params_bar: Option<&mut [T]>,
        scratch: &mut [T],
    ) {
        let (lanes, points) = (w.lanes, slab.lanes);
        let (mut a, rest) = scratch.split_at_mut(self.widest() * lanes);
        let (mut b, slope) = rest.split_at_mut(self.widest() * lanes);
        a[..w.data.len()].copy_from_slice(w.data);
        for (i, layer) in self.layers().enumerate().rev() {
            let bar = &mut a[..layer.rows * lanes];
            if layer.activation != Activation::Identity {
                let value = slab.slice(layer.slab + layer.inner..layer.slab + layer.inner + layer.rows);
                let slope = &mut slope[..layer.rows * points];
                layer.activation.derivative(value.data, slope);
                linalg::scale_points(slope, points, bar, lanes);
            }
            if let Some(sum) = params_bar.as_deref_mut() {
                let (dw, db) =
                    sum[layer.param..][..(layer.inner + 1) * layer.rows].split_at_mut(layer.inner * layer.rows);
                let arguments = slab.slice(layer.slab..layer.slab + layer.inner);
                linalg::outer_add_points(bar, arguments.data, points, dw, db, lanes);
            }
            let to = if i == 0 { &mut *u_bar.data } else { &mut b[..layer.inner * lanes] };
            to.fill(T::zero());
            linalg::transposed_add(layer.weights(params).0, bar, to, lanes);
            std::mem::swap(&mut a, &mut b);
        }
    }

    fn curved(&self) -> Option<&dyn Curved<T>> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testkit;
    use proptest::prelude::*;
    use rand::SeedableRng;

    proptest! {
        #[test]
        fn any_network_fulfils_the_contract(
            widths in proptest::collection::vec(1usize..12, 2..5),
            hidden in prop::sample::select(vec![Activation::Tanh, Activation::Softplus, Activation::Sigmoid]),
            last in prop::sample::select(vec![Activation::Identity, Activation::Tanh]),
            seed in 0u64..1000,
        ) {
            let net = Mlp::new(&widths, hidden, last).unwrap();
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let specs = Component::<f64>::params(&net, "");
            let params: Vec<f64> = crate::nn::fan_in_uniform(&specs, 1.5, &mut rng);
            testkit::check(&net, &params, 1.0, seed).map_err(TestCaseError::fail)?;
            let single: Vec<f32> = params.iter().map(|&p| p as f32).collect();
            testkit::check(&net, &single, 1.0, seed).map_err(TestCaseError::fail)?;
        }
    }

    #[test]
    fn widths_that_make_no_network_are_refused() {
        assert!(Mlp::new(&[3], Activation::Tanh, Activation::Identity).is_err());
        assert!(Mlp::new(&[3, 0, 1], Activation::Tanh, Activation::Identity).is_err());
    }
}
