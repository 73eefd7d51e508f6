//! A map moved so that zero is a fixed value.

use super::{Component, ParamSpec, Tangent};
use crate::Real;
use crate::linalg::{Block, BlockMut};

/// `out = c(u) − c(0)`: as a vector field, one that rests at zero whatever its parameters. Cost: one lane more.
#[derive(Clone, Debug)]
pub struct AtRest<C>(
    /// The map.
    pub C,
);

impl<C> AtRest<C> {
    /// Linearises at zero, one lane: returns `c(0)`, its slab, zero arguments, and the rest of the scratch.
    #[allow(clippy::type_complexity)] // Four slices of one buffer: a struct would say no more.
    fn zero<'a, T: Real>(
        &self,
        params: &[T],
        scratch: &'a mut [T],
    ) -> (&'a mut [T], &'a mut [T], &'a mut [T], &'a mut [T])
    where
        C: Component<T>,
    {
        let (origin, rest) = scratch.split_at_mut(self.0.in_dim());
        let (out, rest) = rest.split_at_mut(self.0.out_dim());
        let (slab, rest) = rest.split_at_mut(self.0.slab_len());
        origin.fill(T::zero());
        self.0.linearize(params, Block::new(origin, 1), BlockMut::new(out, 1), BlockMut::new(slab, 1), rest);
        (out, slab, origin, rest)
    }
}

impl<T: Real, C: Component<T>> Component<T> for AtRest<C> {
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
        2 * (self.0.in_dim() + self.0.out_dim()) + self.0.slab_len() + self.0.scratch_len()
    }

    fn eval(&self, params: &[T], u: Block<T>, mut out: BlockMut<T>, scratch: &mut [T]) {
        let (zero, _, _, rest) = self.zero(params, scratch);
        self.0.eval(params, u, out.reborrow(), rest);
        subtract_column(zero, out);
    }

    fn linearize(&self, params: &[T], u: Block<T>, mut out: BlockMut<T>, slab: BlockMut<T>, scratch: &mut [T]) {
        let (zero, _, _, rest) = self.zero(params, scratch);
        self.0.linearize(params, u, out.reborrow(), slab, rest);
        subtract_column(zero, out);
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, mut out: BlockMut<T>, scratch: &mut [T]) {
        let lanes = out.lanes;
        if let Some(directions) = tangent.params {
            let (_, slab_zero, _, rest) = self.zero(params, scratch);
            let (at_zero, rest) = rest.split_at_mut(self.0.out_dim() * lanes);
            let (still, rest) = rest.split_at_mut(self.0.in_dim() * lanes);
            still.fill(T::zero());
            let along = Tangent { arguments: Block::new(still, lanes), params: Some(directions) };
            self.0.jvp(params, Block::new(slab_zero, 1), along, BlockMut::new(at_zero, lanes), rest);
            self.0.jvp(params, slab, tangent, out.reborrow(), rest);
            out.data.iter_mut().zip(at_zero).for_each(|(o, z)| *o -= *z);
        } else {
            self.0.jvp(params, slab, tangent, out, scratch);
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
        let Some(bar) = params_bar else { return self.0.vjp(params, slab, w, u_bar, None, scratch) };
        self.0.vjp(params, slab, w, u_bar, Some(bar), scratch);
        let (total, slab_zero, origin, rest) = self.zero(params, scratch);
        for (total, w) in total.iter_mut().zip(w.data.chunks_exact(w.lanes)) {
            *total = -w.iter().fold(T::zero(), |sum, &w| sum + w);
        }
        self.0.vjp(params, Block::new(slab_zero, 1), Block::new(total, 1), BlockMut::new(origin, 1), Some(bar), rest);
    }
}

fn subtract_column<T: Real>(column: &[T], block: BlockMut<T>) {
    for (row, &c) in block.data.chunks_exact_mut(block.lanes).zip(column) {
        row.iter_mut().for_each(|x| *x -= c);
    }
}
