//! Any map as a cell.

use super::Recurrent;
use crate::Real;
use crate::dynamics::{Component, Curved, ParamSpec, Tangent};
use crate::linalg::{Block, BlockMut, Blocks};
use std::ops::Range;

/// A map from `[state; x]` to the next state, such as a [`Stack`](super::Stack) or a sum and chain of other components, as a
/// cell that is run along sequences and trained on them; its outputs are the whole state.
///
/// The map itself is all there is, so its parameters' gradient is summed step by step: that costs each step's pull twice,
/// where a cell written as [`Recurrent`] makes one product of many steps.
#[derive(Clone, Debug)]
pub struct MapCell<C>(
    /// The map.
    pub C,
);

impl<T: Real, C: Component<T>> Component<T> for MapCell<C> {
    fn in_dim(&self) -> usize {
        self.0.in_dim()
    }

    fn out_dim(&self) -> usize {
        self.0.out_dim()
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        self.0.params(prefix)
    }

    fn param_count(&self) -> usize {
        self.0.param_count()
    }

    fn slab_len(&self) -> usize {
        self.0.slab_len()
    }

    fn scratch_len(&self) -> usize {
        self.0.in_dim() + self.0.scratch_len()
    }

    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, scratch: &mut [T]) {
        self.0.eval(params, u, out, scratch);
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, scratch: &mut [T]) {
        self.0.linearize(params, u, out, slab, scratch);
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, scratch: &mut [T]) {
        self.0.jvp(params, slab, tangent, out, scratch);
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
        self.0.vjp(params, slab, w, u_bar, params_bar, scratch);
    }

    fn curved(&self) -> Option<&dyn Curved<T>> {
        self.0.curved()
    }
}

impl<T: Real, C: Component<T>> Recurrent<T> for MapCell<C> {
    fn visible(&self) -> Range<usize> {
        0..self.0.out_dim()
    }

    fn kept_len(&self) -> usize {
        self.0.out_dim()
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
        kept.data.copy_from_slice(w.data);
        self.0.vjp(params, slab, w, u_bar, None, scratch);
    }

    fn accumulate(&self, params: &[T], slabs: Blocks<T>, kept: Blocks<T>, params_bar: &mut [T], scratch: &mut [T]) {
        for (slab, w) in slabs.iter().zip(kept.iter()) {
            let (u_bar, rest) = scratch.split_at_mut(self.0.in_dim() * w.lanes);
            self.0.vjp(params, slab, w, BlockMut::new(u_bar, w.lanes), Some(&mut *params_bar), rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::{Along, Cell, Cotangents, Kind, Layers, LayersTape, Ragged, SequenceTape, Stack};
    use crate::dynamics::{Chain, Identity, Sum, testkit};
    use crate::nn::{Activation, Gain, Mlp, fan_in_uniform};
    use rand::SeedableRng;

    fn random(count: usize, seed: usize) -> Vec<f64> {
        (0..count).map(|i| (1.7 * (i + 31 * seed) as f64).sin()).collect()
    }

    /// Last states, and the cotangents of inputs, starts and parameters.
    fn gradient<C: Recurrent<f64>>(cell: &C, params: &[f64]) -> [Vec<f64>; 4] {
        let ragged = Ragged::new(&[9, 4, 0, 11]);
        let (state, visible) = (cell.out_dim(), cell.visible().len());
        let inputs = random((cell.in_dim() - state) * ragged.cells(), 1);
        let start = random(state * 4, 2);
        let mut tape = SequenceTape::default();
        tape.run(cell, params, &Along { ragged: &ragged, inputs: &inputs, start: Some(&start) }, true).unwrap();
        let (outputs, last) = (random(visible * ragged.cells(), 3), random(state * 4, 4));
        let cotangents = Cotangents { outputs: Some(&outputs), last: Some(&last), cut: None };
        let mut bar = vec![0.0; params.len()];
        let states = tape.last().to_vec();
        tape.pull(cell, params, &ragged, &cotangents, true, &mut bar);
        [states, tape.inputs_bar().to_vec(), tape.start_bar().to_vec(), bar]
    }

    #[test]
    fn a_cell_taken_as_a_map_has_its_own_states_and_gradients() {
        let cell = Cell::gru(3, 2);
        let specs = Component::<f64>::params(&cell, "");
        let params: Vec<f64> = fan_in_uniform(&specs, 1.5, &mut rand_chacha::ChaCha8Rng::seed_from_u64(1));
        let (own, as_map) = (gradient(&cell, &params), gradient(&MapCell(cell), &params));
        assert_eq!(own[..3], as_map[..3]);
        let off = own[3].iter().zip(&as_map[3]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-12, "{off:e}");
    }

    #[test]
    fn stacks_and_sums_of_components_fulfil_the_contract_as_cells() {
        let net = Mlp::new(&[3, 5, 3], Activation::Tanh, Activation::Identity).unwrap();
        let residual = Sum::new::<f64>(Identity(3), Chain::new::<f64>(net, Gain(3)).unwrap()).unwrap();
        let residual = MapCell(residual);
        let params = random(Component::<f64>::param_count(&residual), 5);
        testkit::check(&residual, &params, 1.0, 1).unwrap();
        let stack = MapCell(Stack::uniform(Kind::Lstm, 2, 3, 2).unwrap());
        let params = random(Component::<f64>::param_count(&stack), 6);
        testkit::check(&stack, &params, 1.0, 2).unwrap();
    }

    #[test]
    fn a_stack_taken_as_a_cell_is_trained_as_its_layers_are() {
        let layers = Layers { kind: Kind::Lstm, layers: 2, hidden: 3, inputs: 2, bidirectional: false };
        let params = random(layers.param_count::<f64>(), 7);
        let (ragged, inputs) = (Ragged::new(&[12]), random(24, 8));
        let along = Along { ragged: &ragged, inputs: &inputs, start: None };
        // A loss on the upper layer's last h: in the stack's state it stands after the lower one's.
        let h_bar = random(3, 9);
        let place = |at: usize| [vec![0.0; at], h_bar.clone(), vec![0.0; 9 - at]].concat();
        let (mut whole, mut bar) = (LayersTape::default(), vec![0.0; params.len()]);
        layers.run(&params, &along, false, None, &mut whole).unwrap();
        let last = place(6);
        let cotangents = Cotangents { last: Some(&last), ..Cotangents::default() };
        layers.pull(&params, &ragged, &cotangents, &mut whole, true, &mut bar);
        let (cell, mut tape, mut own) = (MapCell(layers.stack().unwrap()), SequenceTape::default(), bar.clone());
        own.fill(0.0);
        tape.run(&cell, &params, &along, false).unwrap();
        let last = place(3);
        let cotangents = Cotangents { last: Some(&last), ..Cotangents::default() };
        tape.pull(&cell, &params, &ragged, &cotangents, true, &mut own);
        assert_eq!(tape.last()[3..6], whole.last(1)[..3]);
        for (own, theirs) in [(&own[..], &bar[..]), (tape.inputs_bar(), whole.inputs_bar())] {
            let off = own.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off < 1e-12, "{off:e}");
        }
    }
}
