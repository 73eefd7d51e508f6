//! Small fields that compute a step's stages for many trajectories in vector lanes.
//!
//! Only this much is compiled anew for every field. What becomes of an attempt, which trajectory stands in which lane and
//! what is read off is decided by the solver that calls.

use super::SmallMap;
use crate::Real;
use crate::linalg::{Kernel, Pack, Vector};
use std::ops::Range;

/// A component's offer to compute stages of explicit methods in vector lanes, for solvers. Small fields make it.
#[derive(Clone, Copy)]
pub struct Marcher<'a, T: Real>(pub(crate) &'a dyn March<T>);

/// Computes one attempt's stages after the other.
pub(crate) trait March<T: Real>: Send + Sync {
    /// Computes stages `first` of `rows` for the lanes as they stand, then calls `settle`, which may move them and says
    /// which stages are next, until it says none.
    ///
    /// # Panics
    /// If the lanes are not as wide as one or two of the processor's vectors.
    fn march(
        &self,
        params: &[T],
        rows: Rows<T>,
        first: Range<usize>,
        stand: &mut Stand<T>,
        settle: &mut dyn FnMut(&mut Stand<T>) -> Option<Range<usize>>,
    );
}

/// An explicit method: node and sparse row of every stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a, T> {
    pub c: &'a [T],
    pub a: &'a [Vec<(usize, T)>],
}

/// Lanes side by side, `width` of them: blocks are rows × width.
#[derive(Clone, Debug)]
pub(crate) struct Stand<T> {
    pub width: usize,
    /// Where the attempt begins, and its signed length.
    pub y: Vec<T>,
    pub t: Vec<T>,
    pub step: Vec<T>,
    /// The parameters, where every lane has its own.
    pub params: Vec<T>,
    /// The stages, one block after another; the first is known.
    pub stages: Vec<T>,
    /// The state of the last stage computed.
    pub state: Vec<T>,
}

/// Stages of a small field, `SWEPT` if every lane has its own parameters.
pub(super) struct Stages<'a, T, F, const N: usize, const P: usize, const SWEPT: bool> {
    pub field: &'a F,
    pub params: &'a [T],
    pub rows: Rows<'a, T>,
    pub first: Range<usize>,
    pub stand: &'a mut Stand<T>,
    pub settle: &'a mut dyn FnMut(&mut Stand<T>) -> Option<Range<usize>>,
}

impl<T: Real, F: SmallMap<N, N, P>, const N: usize, const P: usize, const SWEPT: bool> Kernel<T>
    for Stages<'_, T, F, N, P, SWEPT>
{
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        if self.stand.width == V::N { self.compute::<V, 1>() } else { self.compute::<V, 2>() }
    }
}

impl<T: Real, F: SmallMap<N, N, P>, const N: usize, const P: usize, const SWEPT: bool> Stages<'_, T, F, N, P, SWEPT> {
    #[inline(always)]
    fn compute<V: Vector<T>, const C: usize>(self) {
        let width = Pack::<T, V, C>::LEN;
        assert!(self.stand.width == width);
        let mut range = self.first;
        loop {
            let stand = &mut *self.stand;
            let y: [Pack<T, V, C>; N] = load(&stand.y);
            let (t, step) = (Pack::load(&stand.t), Pack::load(&stand.step));
            let mut state = y;
            // The stage before stays in registers: a way through memory would be as long as the field.
            let (mut newest, mut newest_at) = (state, usize::MAX);
            for j in range {
                state = combine(&y, step, &self.rows.a[j], &stand.stages, (&newest, newest_at));
                let mut p = [step; P];
                let mut i = 0;
                while i < P {
                    p[i] = if SWEPT { Pack::load(&stand.params[i * width..]) } else { Pack::splat(self.params[i]) };
                    i += 1;
                }
                let slope = self.field.at(t + Pack::splat(self.rows.c[j]) * step, state, p);
                store(&slope, &mut stand.stages[j * N * width..]);
                (newest, newest_at) = (slope, j);
            }
            store(&state, &mut stand.state);
            match (self.settle)(stand) {
                Some(next) => range = next,
                None => return,
            }
        }
    }
}

/// The first rows of a block.
#[inline(always)]
fn load<T: Real, V: Vector<T>, const C: usize, const N: usize>(block: &[T]) -> [Pack<T, V, C>; N] {
    let mut out = [Pack::splat(T::zero()); N];
    let block = &block[..N * Pack::<T, V, C>::LEN];
    let mut i = 0;
    while i < N {
        out[i] = Pack::load(&block[i * Pack::<T, V, C>::LEN..]);
        i += 1;
    }
    out
}

#[inline(always)]
fn store<T: Real, V: Vector<T>, const C: usize, const N: usize>(rows: &[Pack<T, V, C>; N], block: &mut [T]) {
    let block = &mut block[..N * Pack::<T, V, C>::LEN];
    let mut i = 0;
    while i < N {
        rows[i].store(&mut block[i * Pack::<T, V, C>::LEN..]);
        i += 1;
    }
}

/// `base + h Σ c_j k_j`, as [`linalg::combine`](crate::linalg::combine) has it.
#[inline(always)]
fn combine<T: Real, V: Vector<T>, const C: usize, const N: usize>(
    base: &[Pack<T, V, C>; N],
    h: Pack<T, V, C>,
    terms: &[(usize, T)],
    stages: &[T],
    (newest, newest_at): (&[Pack<T, V, C>; N], usize),
) -> [Pack<T, V, C>; N] {
    let mut sum = [Pack::splat(T::zero()); N];
    for &(j, weight) in terms {
        let stage = if j == newest_at { *newest } else { load(&stages[j * N * Pack::<T, V, C>::LEN..]) };
        let weight = Pack::splat(weight);
        let mut i = 0;
        while i < N {
            sum[i] = weight.fma(stage[i], sum[i]);
            i += 1;
        }
    }
    let mut i = 0;
    while i < N {
        sum[i] = h.fma(sum[i], base[i]);
        i += 1;
    }
    sum
}
