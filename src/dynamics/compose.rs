//! Composition: the chain rule, written once.

use super::{Component, ParamSpec, Tangent};
use crate::Real;
use crate::linalg::{Block, BlockMut};

/// The map that returns its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Identity(
    /// Rows in and out.
    pub usize,
);

impl<T: Real> Component<T> for Identity {
    fn in_dim(&self) -> usize {
        self.0
    }

    fn out_dim(&self) -> usize {
        self.0
    }

    fn params(&self, _prefix: &str) -> Vec<ParamSpec> {
        Vec::new()
    }

    fn param_count(&self) -> usize {
        0
    }

    fn slab_len(&self) -> usize {
        0
    }

    fn scratch_len(&self) -> usize {
        0
    }

    fn eval(&self, _: &[T], u: Block<T>, out: BlockMut<T>, _: &mut [T]) {
        out.data.copy_from_slice(u.data);
    }

    fn linearize(&self, _: &[T], u: Block<T>, out: BlockMut<T>, _: BlockMut<T>, _: &mut [T]) {
        out.data.copy_from_slice(u.data);
    }

    fn jvp(&self, _: &[T], _: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, _: &mut [T]) {
        out.data.copy_from_slice(tangent.arguments.data);
    }

    fn vjp(&self, _: &[T], _: Block<T>, w: Block<T>, u_bar: BlockMut<T>, _: Option<&mut [T]>, _: &mut [T]) {
        u_bar.data.copy_from_slice(w.data);
    }
}

/// One after the other: `second(first(u))`. Parameters are `0.…` then `1.…`.
#[derive(Clone, Debug)]
pub struct Chain<A, B> {
    first: A,
    second: B,
}

/// Both on the same arguments, added: `a(u) + b(u)`. Parameters are `0.…` then `1.…`.
#[derive(Clone, Debug)]
pub struct Sum<A, B> {
    a: A,
    b: B,
}

/// Side by side: the first rows of `u` go through `a`, the others through `b`, and the outputs stand one above the
/// other. Parameters are `0.…` then `1.…`.
#[derive(Clone, Debug)]
pub struct Beside<A, B> {
    a: A,
    b: B,
}

impl<A, B> Chain<A, B> {
    /// `second ∘ first`.
    ///
    /// # Errors
    /// If `first`'s output is not as tall as `second`'s arguments.
    pub fn new<T: Real>(first: A, second: B) -> crate::Result<Self>
    where
        A: Component<T>,
        B: Component<T>,
    {
        if first.out_dim() != second.in_dim() {
            return Err(crate::Error::shape("a chain's second part", first.out_dim(), second.in_dim()));
        }
        Ok(Self { first, second })
    }
}

impl<A, B> Sum<A, B> {
    /// `a + b`.
    ///
    /// # Errors
    /// If the two differ in their arguments' or outputs' rows.
    pub fn new<T: Real>(a: A, b: B) -> crate::Result<Self>
    where
        A: Component<T>,
        B: Component<T>,
    {
        if (a.in_dim(), a.out_dim()) != (b.in_dim(), b.out_dim()) {
            let text = |i: usize, o: usize| format!("{i} rows in, {o} out");
            return Err(crate::Error::shape(
                "a sum's second part",
                text(a.in_dim(), a.out_dim()),
                text(b.in_dim(), b.out_dim()),
            ));
        }
        Ok(Self { a, b })
    }
}

impl<A, B> Beside<A, B> {
    /// `a` beside `b`.
    pub fn new(a: A, b: B) -> Self {
        Self { a, b }
    }
}

fn both<T: Real>(prefix: &str, a: &impl Component<T>, b: &impl Component<T>) -> Vec<ParamSpec> {
    let mut specs = a.params(&format!("{prefix}0."));
    specs.extend(b.params(&format!("{prefix}1.")));
    specs
}

/// The two halves of a tangent's parameter block.
fn split_params<'a, T: Real>(params: Option<Block<'a, T>>, at: usize) -> (Option<Block<'a, T>>, Option<Block<'a, T>>) {
    (params.map(|p| p.slice(0..at)), params.map(|p| p.slice(at..p.rows())))
}

fn split_bar<T>(params_bar: Option<&mut [T]>, at: usize) -> (Option<&mut [T]>, Option<&mut [T]>) {
    match params_bar {
        Some(bar) => {
            let (a, b) = bar.split_at_mut(at);
            (Some(a), Some(b))
        }
        None => (None, None),
    }
}

impl<T: Real, A: Component<T>, B: Component<T>> Component<T> for Chain<A, B> {
    fn in_dim(&self) -> usize {
        self.first.in_dim()
    }

    fn out_dim(&self) -> usize {
        self.second.out_dim()
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        both(prefix, &self.first, &self.second)
    }

    fn param_count(&self) -> usize {
        self.first.param_count() + self.second.param_count()
    }

    fn slab_len(&self) -> usize {
        self.first.slab_len() + self.second.slab_len()
    }

    fn scratch_len(&self) -> usize {
        self.first.out_dim() + self.first.scratch_len().max(self.second.scratch_len())
    }

    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (pa, pb) = params.split_at(self.first.param_count());
        let (middle, rest) = scratch.split_at_mut(self.first.out_dim() * u.lanes);
        self.first.eval(pa, u, BlockMut::new(middle, u.lanes), rest);
        self.second.eval(pb, Block::new(middle, u.lanes), out, rest);
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, scratch: &mut [T]) {
        let (pa, pb) = params.split_at(self.first.param_count());
        let (middle, rest) = scratch.split_at_mut(self.first.out_dim() * u.lanes);
        let (sa, sb) = slab.split_at_row(self.first.slab_len());
        self.first.linearize(pa, u, BlockMut::new(middle, u.lanes), sa, rest);
        self.second.linearize(pb, Block::new(middle, u.lanes), out, sb, rest);
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (pa, pb) = params.split_at(self.first.param_count());
        let (da, db) = split_params(tangent.params, self.first.param_count());
        let lanes = out.lanes;
        let (middle, rest) = scratch.split_at_mut(self.first.out_dim() * lanes);
        let (sa, sb) = slab.split_at_row(self.first.slab_len());
        let into = Tangent { arguments: tangent.arguments, params: da };
        self.first.jvp(pa, sa, into, BlockMut::new(middle, lanes), rest);
        let through = Tangent { arguments: Block::new(middle, lanes), params: db };
        self.second.jvp(pb, sb, through, out, rest);
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
        let (pa, pb) = params.split_at(self.first.param_count());
        let (ba, bb) = split_bar(params_bar, self.first.param_count());
        let (middle, rest) = scratch.split_at_mut(self.first.out_dim() * w.lanes);
        let (sa, sb) = slab.split_at_row(self.first.slab_len());
        self.second.vjp(pb, sb, w, BlockMut::new(middle, w.lanes), bb, rest);
        self.first.vjp(pa, sa, Block::new(middle, w.lanes), u_bar, ba, rest);
    }
}

impl<T: Real, A: Component<T>, B: Component<T>> Component<T> for Sum<A, B> {
    fn in_dim(&self) -> usize {
        self.a.in_dim()
    }

    fn out_dim(&self) -> usize {
        self.a.out_dim()
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        both(prefix, &self.a, &self.b)
    }

    fn param_count(&self) -> usize {
        self.a.param_count() + self.b.param_count()
    }

    fn slab_len(&self) -> usize {
        self.a.slab_len() + self.b.slab_len()
    }

    fn scratch_len(&self) -> usize {
        self.in_dim().max(self.out_dim()) + self.a.scratch_len().max(self.b.scratch_len())
    }

    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (pa, pb) = params.split_at(self.a.param_count());
        let (second, rest) = scratch.split_at_mut(out.data.len());
        self.b.eval(pb, u, BlockMut::new(second, u.lanes), rest);
        self.a.eval(pa, u, BlockMut::new(out.data, u.lanes), rest);
        add(second, out.data);
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, scratch: &mut [T]) {
        let (pa, pb) = params.split_at(self.a.param_count());
        let (second, rest) = scratch.split_at_mut(out.data.len());
        let (sa, sb) = slab.split_at_row(self.a.slab_len());
        self.b.linearize(pb, u, BlockMut::new(second, u.lanes), sb, rest);
        self.a.linearize(pa, u, BlockMut::new(out.data, u.lanes), sa, rest);
        add(second, out.data);
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (pa, pb) = params.split_at(self.a.param_count());
        let (da, db) = split_params(tangent.params, self.a.param_count());
        let (second, rest) = scratch.split_at_mut(out.data.len());
        let (sa, sb) = slab.split_at_row(self.a.slab_len());
        let arguments = tangent.arguments;
        self.b.jvp(pb, sb, Tangent { arguments, params: db }, BlockMut::new(second, out.lanes), rest);
        self.a.jvp(pa, sa, Tangent { arguments, params: da }, BlockMut::new(out.data, out.lanes), rest);
        add(second, out.data);
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
        let (pa, pb) = params.split_at(self.a.param_count());
        let (ba, bb) = split_bar(params_bar, self.a.param_count());
        let (second, rest) = scratch.split_at_mut(u_bar.data.len());
        let (sa, sb) = slab.split_at_row(self.a.slab_len());
        self.b.vjp(pb, sb, w, BlockMut::new(second, w.lanes), bb, rest);
        self.a.vjp(pa, sa, w, BlockMut::new(u_bar.data, w.lanes), ba, rest);
        add(second, u_bar.data);
    }
}

fn add<T: Real>(from: &[T], to: &mut [T]) {
    to.iter_mut().zip(from).for_each(|(t, &f)| *t += f);
}

impl<T: Real, A: Component<T>, B: Component<T>> Component<T> for Beside<A, B> {
    fn in_dim(&self) -> usize {
        self.a.in_dim() + self.b.in_dim()
    }

    fn out_dim(&self) -> usize {
        self.a.out_dim() + self.b.out_dim()
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        both(prefix, &self.a, &self.b)
    }

    fn param_count(&self) -> usize {
        self.a.param_count() + self.b.param_count()
    }

    fn slab_len(&self) -> usize {
        self.a.slab_len() + self.b.slab_len()
    }

    fn scratch_len(&self) -> usize {
        self.a.scratch_len().max(self.b.scratch_len())
    }

    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (pa, pb) = params.split_at(self.a.param_count());
        let (ua, ub) = u.split_at_row(self.a.in_dim());
        let (oa, ob) = out.split_at_row(self.a.out_dim());
        self.a.eval(pa, ua, oa, scratch);
        self.b.eval(pb, ub, ob, scratch);
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, scratch: &mut [T]) {
        let (pa, pb) = params.split_at(self.a.param_count());
        let (ua, ub) = u.split_at_row(self.a.in_dim());
        let (oa, ob) = out.split_at_row(self.a.out_dim());
        let (sa, sb) = slab.split_at_row(self.a.slab_len());
        self.a.linearize(pa, ua, oa, sa, scratch);
        self.b.linearize(pb, ub, ob, sb, scratch);
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (pa, pb) = params.split_at(self.a.param_count());
        let (ua, ub) = tangent.arguments.split_at_row(self.a.in_dim());
        let (da, db) = split_params(tangent.params, self.a.param_count());
        let (oa, ob) = out.split_at_row(self.a.out_dim());
        let (sa, sb) = slab.split_at_row(self.a.slab_len());
        self.a.jvp(pa, sa, Tangent { arguments: ua, params: da }, oa, scratch);
        self.b.jvp(pb, sb, Tangent { arguments: ub, params: db }, ob, scratch);
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
        let (pa, pb) = params.split_at(self.a.param_count());
        let (ba, bb) = split_bar(params_bar, self.a.param_count());
        let (wa, wb) = w.split_at_row(self.a.out_dim());
        let (ua, ub) = u_bar.split_at_row(self.a.in_dim());
        let (sa, sb) = slab.split_at_row(self.a.slab_len());
        self.a.vjp(pa, sa, wa, ua, ba, scratch);
        self.b.vjp(pb, sb, wb, ub, bb, scratch);
    }
}
