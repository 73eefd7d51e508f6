//! Layers of cells as one map.

use super::{Cell, Kind};
use crate::dynamics::{Component, Curved, ParamSpec, Tangent};
use crate::linalg::{Block, BlockMut};
use crate::{Error, Real, Result};
use std::ops::Range;

/// Cells one above the other as a single map: in one step layer `l` takes the *new* `h` of layer `l − 1` as its input.
///
/// **State.** `h` of all layers from the lowest up, then (LSTM) `c` of all layers. **Arguments.** `[state; x]`.
/// **Parameters.** Those of the layers from the lowest up, as [`Cell`] has them, named as PyTorch names them:
/// `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, `weight_ih_l1`, ….
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    pub(super) layers: Vec<Cell>,
}

/// Where one layer's numbers lie.
pub(super) struct Layer {
    pub cell: Cell,
    /// Rows of its `h` and of its `c` in the state.
    pub h: Range<usize>,
    pub c: Range<usize>,
    pub params: Range<usize>,
    /// Rows of the slab: the cell's own, then its arguments where second derivatives need them.
    pub slab: Range<usize>,
    pub arguments: Range<usize>,
}

impl Stack {
    /// Layers from the lowest up.
    ///
    /// # Errors
    /// If there is none, two are of different kinds, or one's inputs are not the hidden units of the one below.
    pub fn new(layers: Vec<Cell>) -> Result<Self> {
        if layers.is_empty() {
            return Err(Error::shape("layers of a stack", "one or more", 0));
        }
        for pair in layers.windows(2) {
            if pair[0].kind != pair[1].kind || pair[0].hidden != pair[1].inputs {
                return Err(Error::shape(
                    "a layer above another",
                    format!("{:?} with {} inputs", pair[0].kind, pair[0].hidden),
                    format!("{:?} with {} inputs", pair[1].kind, pair[1].inputs),
                ));
            }
        }
        Ok(Self { layers })
    }

    /// `layers` layers of the same kind and size.
    ///
    /// # Errors
    /// If there is no layer.
    pub fn uniform(kind: Kind, layers: usize, hidden: usize, inputs: usize) -> Result<Self> {
        Self::new((0..layers).map(|l| Cell { kind, hidden, inputs: if l == 0 { inputs } else { hidden } }).collect())
    }

    /// The layers from the lowest up.
    pub fn layers(&self) -> &[Cell] {
        &self.layers
    }

    /// Rows of the input.
    pub fn inputs(&self) -> usize {
        self.layers[0].inputs
    }

    /// Rows of the state.
    pub fn state(&self) -> usize {
        self.layers.iter().map(Cell::state).sum()
    }

    /// Rows of the state that hold the last layer's `h`, the output.
    pub fn output(&self) -> Range<usize> {
        let hidden: usize = self.layers.iter().map(|cell| cell.hidden).sum();
        hidden - self.layers[self.layers.len() - 1].hidden..hidden
    }

    pub(super) fn places<T: Real>(&self) -> impl Iterator<Item = Layer> {
        let mut c = self.layers.iter().map(|cell| cell.hidden).sum::<usize>();
        let (mut h, mut params, mut slab) = (0, 0, 0);
        self.layers.iter().map(move |&cell| {
            let advance = |at: &mut usize, by: usize| {
                *at += by;
                *at - by..*at
            };
            let arguments = if self.keeps_arguments::<T>() { Component::<T>::in_dim(&cell) } else { 0 };
            Layer {
                cell,
                h: advance(&mut h, cell.hidden),
                c: advance(&mut c, cell.state() - cell.hidden),
                params: advance(&mut params, Component::<T>::param_count(&cell)),
                slab: advance(&mut slab, Component::<T>::slab_len(&cell)),
                arguments: advance(&mut slab, arguments),
            }
        })
    }

    /// A lone cell's arguments are the caller's.
    fn keeps_arguments<T: Real>(&self) -> bool {
        self.layers.len() > 1 && Component::<T>::curved(&self.layers[0]).is_some()
    }

    /// Rows of the largest layer's arguments and state.
    pub(super) fn largest(&self) -> (usize, usize) {
        let arguments = self.layers.iter().map(|cell| cell.state() + cell.inputs).max().unwrap_or(0);
        (arguments, self.layers.iter().map(Cell::state).max().unwrap_or(0))
    }

    /// Runs `each(layer, arguments, next, rest of the scratch)` from the lowest layer up, where `arguments` are gathered
    /// from the block `u` and the layer below, and `next` goes to `out`.
    pub(super) fn upwards<T: Real>(
        &self,
        u: Block<T>,
        mut out: BlockMut<T>,
        scratch: &mut [T],
        mut each: impl FnMut(&Layer, Block<T>, BlockMut<T>, &mut [T]),
    ) {
        let lanes = u.lanes;
        let (arguments, state) = self.largest();
        let (arguments, rest) = scratch.split_at_mut(arguments * lanes);
        let (next, rest) = rest.split_at_mut(state * lanes);
        let mut below = self.state()..self.state() + self.inputs();
        for (l, layer) in self.places::<T>().enumerate() {
            let cell = layer.cell;
            let (h, input) = arguments[..(cell.state() + cell.inputs) * lanes].split_at_mut(cell.state() * lanes);
            let (h, c) = h.split_at_mut(cell.hidden * lanes);
            h.copy_from_slice(u.slice(layer.h.clone()).data);
            c.copy_from_slice(u.slice(layer.c.clone()).data);
            input.copy_from_slice(if l == 0 {
                u.slice(below.clone()).data
            } else {
                &out.data[below.start * lanes..below.end * lanes]
            });
            let next = &mut next[..cell.state() * lanes];
            let arguments = Block::new(&arguments[..(cell.state() + cell.inputs) * lanes], lanes);
            each(&layer, arguments, BlockMut::new(next, lanes), rest);
            out.slice(layer.h.clone()).data.copy_from_slice(&next[..cell.hidden * lanes]);
            out.slice(layer.c.clone()).data.copy_from_slice(&next[cell.hidden * lanes..]);
            below = layer.h;
        }
    }
}

impl<T: Real> Component<T> for Stack {
    fn in_dim(&self) -> usize {
        self.state() + self.inputs()
    }

    fn out_dim(&self) -> usize {
        self.state()
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        let named = |(l, cell): (usize, &Cell)| {
            let mut specs = Component::<T>::params(cell, prefix);
            specs.iter_mut().for_each(|spec| spec.name.push_str(&format!("_l{l}")));
            specs
        };
        self.layers.iter().enumerate().flat_map(named).collect()
    }

    fn param_count(&self) -> usize {
        self.layers.iter().map(Component::<T>::param_count).sum()
    }

    fn slab_len(&self) -> usize {
        self.places::<T>().last().map_or(0, |layer| layer.arguments.end)
    }

    fn scratch_len(&self) -> usize {
        let (arguments, state) = self.largest();
        self.state() + arguments + state + self.layers.iter().map(Component::<T>::scratch_len).max().unwrap_or(0)
    }

    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, scratch: &mut [T]) {
        if let [cell] = self.layers[..] {
            return cell.eval(params, u, out, scratch);
        }
        self.upwards(u, out, scratch, |layer, arguments, next, rest| {
            layer.cell.eval(&params[layer.params.clone()], arguments, next, rest);
        });
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, mut slab: BlockMut<T>, scratch: &mut [T]) {
        if let [cell] = self.layers[..] {
            return cell.linearize(params, u, out, slab, scratch);
        }
        self.upwards(u, out, scratch, |layer, arguments, next, rest| {
            if !layer.arguments.is_empty() {
                slab.slice(layer.arguments.clone()).data.copy_from_slice(arguments.data);
            }
            let slab = slab.slice(layer.slab.clone());
            layer.cell.linearize(&params[layer.params.clone()], arguments, next, slab, rest);
        });
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, scratch: &mut [T]) {
        if let [cell] = self.layers[..] {
            return cell.jvp(params, slab, tangent, out, scratch);
        }
        self.upwards(tangent.arguments, out, scratch, |layer, arguments, next, rest| {
            let directions = tangent.params.map(|params| params.slice(layer.params.clone()));
            let tangent = Tangent { arguments, params: directions };
            layer.cell.jvp(&params[layer.params.clone()], slab.slice(layer.slab.clone()), tangent, next, rest);
        });
    }

    fn vjp(
        &self,
        params: &[T],
        slab: Block<T>,
        w: Block<T>,
        mut u_bar: BlockMut<T>,
        mut params_bar: Option<&mut [T]>,
        scratch: &mut [T],
    ) {
        if let [cell] = self.layers[..] {
            return cell.vjp(params, slab, w, u_bar, params_bar, scratch);
        }
        let lanes = w.lanes;
        let (arguments, state) = self.largest();
        // The cotangents of the new states: what comes from outside, and from the layer above.
        let (new, rest) = scratch.split_at_mut(self.state() * lanes);
        let (arguments, rest) = rest.split_at_mut(arguments * lanes);
        let (next, rest) = rest.split_at_mut(state * lanes);
        new.copy_from_slice(w.data);
        let mut layers = self.layers.len();
        while layers > 0 {
            layers -= 1;
            let Some(layer) = self.places::<T>().nth(layers) else { return };
            let cell = layer.cell;
            let next = &mut next[..cell.state() * lanes];
            let (h, c) = next.split_at_mut(cell.hidden * lanes);
            h.copy_from_slice(&new[layer.h.start * lanes..layer.h.end * lanes]);
            c.copy_from_slice(&new[layer.c.start * lanes..layer.c.end * lanes]);
            let arguments = &mut arguments[..(cell.state() + cell.inputs) * lanes];
            cell.vjp(
                &params[layer.params.clone()],
                slab.slice(layer.slab.clone()),
                Block::new(next, lanes),
                BlockMut::new(arguments, lanes),
                params_bar.as_deref_mut().map(|bar| &mut bar[layer.params.clone()]),
                rest,
            );
            let (h, input) = arguments.split_at(cell.state() * lanes);
            let (h, c) = h.split_at(cell.hidden * lanes);
            u_bar.slice(layer.h.clone()).data.copy_from_slice(h);
            u_bar.slice(layer.c.clone()).data.copy_from_slice(c);
            if layers == 0 {
                u_bar.slice(self.state()..self.state() + cell.inputs).data.copy_from_slice(input);
            } else {
                let below = layer.h.start - cell.inputs..layer.h.start;
                let below = &mut new[below.start * lanes..below.end * lanes];
                below.iter_mut().zip(input).for_each(|(sum, &x)| *sum += x);
            }
        }
    }

    fn curved(&self) -> Option<&dyn Curved<T>> {
        Component::<T>::curved(&self.layers[0]).map(|_| self as &dyn Curved<T>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testkit;
    use crate::nn::{Activation, fan_in_uniform};
    use proptest::prelude::*;
    use rand::SeedableRng;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn every_stack_fulfils_the_contract(
            kind in prop::sample::select(vec![Kind::Rnn(Activation::Tanh), Kind::Lstm, Kind::Gru, Kind::ClassicGru]),
            hidden in proptest::collection::vec(1usize..6, 1..4), inputs in 0usize..4, seed in 0u64..1000,
        ) {
            let below = std::iter::once(inputs).chain(hidden.iter().copied());
            let cells = hidden.iter().zip(below).map(|(&hidden, inputs)| Cell { kind, hidden, inputs });
            let stack = Stack::new(cells.collect()).unwrap();
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let params: Vec<f64> = fan_in_uniform(&Component::<f64>::params(&stack, ""), 2.0, &mut rng);
            testkit::check(&stack, &params, 1.0, seed).map_err(TestCaseError::fail)?;
            let single: Vec<f32> = params.iter().map(|&p| p as f32).collect();
            testkit::check(&stack, &single, 1.0, seed).map_err(TestCaseError::fail)?;
        }
    }

    #[test]
    fn layers_that_do_not_fit_are_refused() {
        assert!(Stack::new(vec![]).is_err());
        assert!(Stack::new(vec![Cell::gru(3, 2), Cell::gru(4, 2)]).is_err());
        assert!(Stack::new(vec![Cell::gru(3, 2), Cell::lstm(4, 3)]).is_err());
    }
}
