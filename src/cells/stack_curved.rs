//! Second derivatives of stacked cells: those of each cell, and cotangents from layer to layer, last layer first.

use super::stack::Layer;
use super::{Cell, Stack};
use crate::Real;
use crate::dynamics::{Bend, Component, Curved, apart, side_by_side};
use crate::linalg::{Block, BlockMut};
use std::ops::Range;

impl Stack {
    /// Layers with the rows that each keeps a lane: its arguments, then what its cell does.
    fn kept<T: Real>(&self) -> impl Iterator<Item = (Layer, Range<usize>)> {
        let mut at = 0;
        self.places::<T>().map(move |layer| {
            let start = at;
            at += Component::<T>::in_dim(&layer.cell) + Curved::<T>::pushed_len(&layer.cell);
            (layer, start..at)
        })
    }
}

impl<T: Real> Curved<T> for Stack {
    fn pushed_len(&self) -> usize {
        match &self.layers[..] {
            [cell] => Curved::<T>::pushed_len(cell),
            _ => self.kept::<T>().last().map_or(0, |(_, kept)| kept.end),
        }
    }

    fn bend_scratch_len(&self) -> usize {
        let (arguments, state) = self.largest();
        let scratch = |cell: &Cell| Curved::<T>::bend_scratch_len(cell).max(Component::<T>::scratch_len(cell));
        self.state() + arguments + state + self.layers.iter().map(scratch).max().unwrap_or(0)
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
        if let [cell] = &self.layers[..] {
            return cell.push(params, slab, tangents, out, pushed, scratch);
        }
        let mut places = self.kept::<T>();
        self.upwards(tangents, out, scratch, |layer, arguments, next, rest| {
            let Some((_, kept)) = places.next() else { return };
            let (own, further) = pushed.slice(kept).split_at_row(arguments.rows());
            own.data.copy_from_slice(arguments.data);
            let slab = slab.slice(layer.slab.clone());
            layer.cell.push(&params[layer.params.clone()], slab, arguments, next, further, rest);
        });
    }

    fn bend(&self, params: &[T], bend: Bend<T>, mut bars: BlockMut<T>, mut kept: BlockMut<T>, scratch: &mut [T]) {
        if let [cell] = &self.layers[..] {
            return cell.bend(params, bend, bars, kept, scratch);
        }
        let (lanes, group) = (bend.images.lanes, bend.images.lanes + 1);
        let (most_arguments, most_state) = self.largest();
        // The cotangents of the new states: what comes from outside, and from the layer above.
        let (new, rest) = scratch.split_at_mut(self.state() * group);
        let (arguments, rest) = rest.split_at_mut(most_arguments * group);
        let (images, rest) = rest.split_at_mut(most_state * lanes);
        let (value, rest) = rest.split_at_mut(most_state);
        side_by_side(bend.images.data, bend.value.data, new);
        for number in (0..self.layers.len()).rev() {
            let Some((layer, rows)) = self.kept::<T>().nth(number) else { return };
            let cell = layer.cell;
            let (state, hidden) = (cell.state(), cell.hidden);
            let (images, value) = (&mut images[..state * lanes], &mut value[..state]);
            let both = |rows: &Range<usize>| rows.start * group..rows.end * group;
            apart(&new[both(&layer.h)], lanes, &mut images[..hidden * lanes], &mut value[..hidden]);
            apart(&new[both(&layer.c)], lanes, &mut images[hidden * lanes..], &mut value[hidden..]);
            let (tangents, pushed) = bend.pushed.slice(rows.clone()).split_at_row(state + cell.inputs);
            let (along, further) = kept.slice(rows).split_at_row(state + cell.inputs);
            side_by_side(tangents.data, bend.slab.slice(layer.arguments.clone()).data, along.data);
            let own = Bend {
                slab: bend.slab.slice(layer.slab.clone()),
                tangents,
                pushed,
                value: Block::new(value, 1),
                images: Block::new(images, lanes),
            };
            let arguments = &mut arguments[..(state + cell.inputs) * group];
            cell.bend(&params[layer.params.clone()], own, BlockMut::new(arguments, group), further, rest);
            let (h, input) = arguments.split_at(state * group);
            let (h, c) = h.split_at(hidden * group);
            bars.slice(layer.h.clone()).data.copy_from_slice(h);
            bars.slice(layer.c.clone()).data.copy_from_slice(c);
            if number == 0 {
                bars.slice(self.state()..self.state() + cell.inputs).data.copy_from_slice(input);
            } else {
                let below = &mut new[(layer.h.start - cell.inputs) * group..layer.h.start * group];
                below.iter_mut().zip(input).for_each(|(sum, &x)| *sum += x);
            }
        }
    }

    fn accumulate(&self, u: Block<T>, kept: Block<T>, group: usize, params_bar: &mut [T]) {
        if let [cell] = &self.layers[..] {
            return cell.accumulate(u, kept, group, params_bar);
        }
        for (layer, rows) in self.kept::<T>() {
            let (arguments, further) = kept.slice(rows).split_at_row(layer.cell.state() + layer.cell.inputs);
            layer.cell.accumulate(arguments, further, group, &mut params_bar[layer.params.clone()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::Kind;
    use crate::dynamics::testkit;
    use crate::nn::{Activation, fan_in_uniform};
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn bends_of_stacks_are_the_derivatives_of_values_and_pushes(
            kind in prop::sample::select(vec![Kind::Rnn(Activation::Tanh), Kind::Lstm, Kind::Gru]),
            hidden in proptest::collection::vec(1usize..4, 1..4), inputs in 0usize..3,
            lanes in 1usize..4, seed in 0u64..1000,
        ) {
            let below = std::iter::once(inputs).chain(hidden.iter().copied());
            let cells = hidden.iter().zip(below).map(|(&hidden, inputs)| Cell { kind, hidden, inputs });
            let stack = Stack::new(cells.collect()).unwrap();
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let params: Vec<f64> = fan_in_uniform(&Component::<f64>::params(&stack, ""), 2.0, &mut rng);
            testkit::check_curved(&stack, &params, lanes, seed).map_err(TestCaseError::fail)?;
        }
    }
}
