//! Second derivatives of a step: what gradients of a flow's exponents need.
//!
//! A step is sums of stages, which bend nothing, and the field at each stage, whose own second derivatives are asked for in
//! turn, last stage first.

use super::StepMap;
use crate::Real;
use crate::dynamics::{Bend, Curved, apart, side_by_side};
use crate::linalg::{Block, BlockMut};

/// What a stage keeps a lane: its arguments, then what the field does. Only fields that offer second derivatives come here.
impl<T: Real> StepMap<'_, T> {
    fn kept_of_field(&self) -> usize {
        self.component.curved().map_or(0, Curved::pushed_len)
    }

    fn kept(&self) -> usize {
        self.component.in_dim() + self.kept_of_field()
    }
}

impl<T: Real> Curved<T> for StepMap<'_, T> {
    fn pushed_len(&self) -> usize {
        self.stages() * self.kept()
    }

    fn bend_scratch_len(&self) -> usize {
        let field = self.component.curved().map_or(0, Curved::bend_scratch_len);
        (self.stages() + 2) * self.dim() + self.component.in_dim() + field.max(self.component.scratch_len())
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
        let Some(field) = self.component.curved() else { return };
        let lanes = out.lanes;
        let block = self.dim() * lanes;
        let (inner, slab_len, all) = (self.component.in_dim(), self.component.slab_len(), self.stage_slab());
        let (y, times) = tangents.data.split_at(block);
        let (stages, arguments, rest) = self.rooms(scratch, lanes);
        for j in 0..self.stages() {
            let (known, unknown) = stages.split_at_mut(j * block);
            self.place(j, y, known, arguments, |lane| times[lane]);
            let kept = pushed.slice(j * self.kept()..(j + 1) * self.kept());
            let (own, further) = kept.split_at_row(inner);
            own.data.copy_from_slice(arguments);
            let slab = slab.slice(j * all..j * all + slab_len);
            let value = BlockMut::new(&mut unknown[..block], lanes);
            field.push(params, slab, Block::new(arguments, lanes), value, further, rest);
        }
        self.method.stage_state(self.stages(), y, &[self.step], stages, out.data);
    }

    fn bend(&self, params: &[T], bend: Bend<T>, bars: BlockMut<T>, mut kept: BlockMut<T>, scratch: &mut [T]) {
        let Some(field) = self.component.curved() else { return };
        let (dim, lanes, group) = (self.dim(), bend.images.lanes, bend.images.lanes + 1);
        let (inner, slab_len, all) = (self.component.in_dim(), self.component.slab_len(), self.stage_slab());
        let (stages, rest) = scratch.split_at_mut(self.stages() * dim * group);
        let (images, rest) = rest.split_at_mut(dim * lanes);
        let (value, rest) = rest.split_at_mut(dim);
        let (result, rest) = rest.split_at_mut(dim * group);
        let (arguments, rest) = rest.split_at_mut(inner * group);
        stages.fill(T::zero());
        side_by_side(bend.images.data, bend.value.data, result);
        let (y_bar, times_bar) = bars.data.split_at_mut(dim * group);
        times_bar.fill(T::zero());
        y_bar.copy_from_slice(result);
        self.method.stage_state_back(self.stages(), &[self.step], result, stages);
        for j in (0..self.stages()).rev() {
            let (before, own) = stages.split_at_mut(j * dim * group);
            apart(&own[..dim * group], lanes, images, value);
            let slab = bend.slab.slice(j * all..(j + 1) * all);
            let (tangents, pushed) = bend.pushed.slice(j * self.kept()..(j + 1) * self.kept()).split_at_row(inner);
            let (along, further) = kept.slice(j * self.kept()..(j + 1) * self.kept()).split_at_row(inner);
            side_by_side(tangents.data, &slab.data[slab_len..], along.data);
            let bend = Bend {
                slab: slab.slice(0..slab_len),
                tangents,
                pushed,
                value: Block::new(value, 1),
                images: Block::new(images, lanes),
            };
            field.bend(params, bend, BlockMut::new(arguments, group), further, rest);
            let (state_bar, time_bar) = arguments.split_at(dim * group);
            y_bar.iter_mut().zip(state_bar).for_each(|(to, &bar)| *to += bar);
            times_bar.iter_mut().zip(time_bar).for_each(|(to, &bar)| *to += bar);
            if j > 0 {
                self.method.stage_state_back(j, &[self.step], state_bar, before);
            }
        }
    }

    fn accumulate(&self, _: Block<T>, kept: Block<T>, group: usize, params_bar: &mut [T]) {
        let Some(field) = self.component.curved() else { return };
        for j in 0..self.stages() {
            let own = kept.slice(j * self.kept()..(j + 1) * self.kept());
            let (arguments, further) = own.split_at_row(self.component.in_dim());
            field.accumulate(arguments, further, group, params_bar);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::{Component, Field, testkit};
    use crate::nn::{Activation, Mlp, fan_in_uniform};
    use crate::solve::{DOPRI5, EULER, HEUN, RK4, VERLET};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn bends_of_steps_on_dense_fields_are_the_derivatives_of_values_and_pushes() {
        for (timed, methods) in [(false, &[&EULER, &HEUN, &RK4, &DOPRI5, &VERLET][..]), (true, &[&RK4][..])] {
            let net = Mlp::new(&[4 + usize::from(timed), 5, 4], Activation::Tanh, Activation::Identity).unwrap();
            let specs = Component::<f64>::params(&net, "");
            let params: Vec<f64> = fan_in_uniform(&specs, 2.0, &mut ChaCha8Rng::seed_from_u64(3));
            for (seed, method) in methods.iter().enumerate() {
                let field = if timed { Field::with_time(&net) } else { Field::autonomous(&net) };
                let map = StepMap::new(field.unwrap(), method, 0.3).unwrap();
                testkit::check(&map, &params, 0.5, 1).unwrap();
                for lanes in [1, 3] {
                    let found = testkit::check_curved(&map, &params, lanes, seed as u64);
                    assert!(found.is_ok(), "{}, {lanes} lanes: {found:?}", method.name);
                }
            }
        }
    }
}
