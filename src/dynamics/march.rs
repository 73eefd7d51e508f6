//! Small fields that compute a step's stages for many trajectories in vector lanes.
//!
//! Only this much is compiled anew for every field. What becomes of an attempt, which trajectory stands in which lane and
//! what is read off is decided by the solver that calls.

use super::SmallMap;
use crate::Real;
use crate::linalg::{Aligned, Kernel, Pack, Vector};
use std::ops::Range;

/// A component's offer to compute stages of explicit methods in vector lanes, for solvers. Small fields make it.
#[derive(Clone, Copy)]
pub struct Marcher<'a, T: Real>(pub(crate) &'a dyn March<T>);

/// Computes one attempt's stages after the other.
pub(crate) trait March<T: Real>: Send + Sync {
    /// Computes stages `first` of `rows` for the lanes as they stand, and after the last one of a step how large its error
    /// is; then calls `settle`, which may move the lanes and says which stages are next, until it says none.
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
    /// Stages of a step, without those that its continuous extension needs.
    pub stages: usize,
    /// How errors are weighed; none for steps of fixed length.
    pub scale: Option<Scale<'a, T>>,
}

/// Estimates of a step's error, `h Σ c_j k_j`, and the tolerances that they are measured by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale<'a, T> {
    pub error: &'a [(usize, T)],
    /// Of methods with a second estimate; else empty.
    pub coarse: &'a [(usize, T)],
    pub rtol: T,
    pub atol: T,
}

/// Lanes side by side, `width` of them: blocks are rows × width.
#[derive(Debug)]
pub(crate) struct Stand<T> {
    pub width: usize,
    /// Where the attempt begins, and its signed length.
    pub y: Aligned<T>,
    pub t: Aligned<T>,
    pub step: Aligned<T>,
    /// The parameters, where every lane has its own.
    pub params: Aligned<T>,
    /// The stages, one block after another; the first is known.
    pub stages: Aligned<T>,
    /// The state of the last stage computed.
    pub state: Aligned<T>,
    /// The step's error estimate, and the mean squares of the coarse and of this estimate in units of the tolerance.
    pub estimate: Aligned<T>,
    pub squares: [Aligned<T>; 2],
    /// Zero where the first stage, the state and the last stage are finite, else NaN.
    pub doubts: [Aligned<T>; 3],
}

impl<T: Real> Stand<T> {
    pub fn new(width: usize, dim: usize, stages: usize, params: usize) -> Self {
        let rows = |rows: usize| Aligned::filled(T::zero(), rows * width);
        Self {
            width,
            y: rows(dim),
            t: rows(1),
            step: rows(1),
            params: rows(params),
            stages: rows(dim * stages),
            state: rows(dim),
            estimate: rows(dim),
            squares: [rows(1), rows(1)],
            doubts: [rows(1), rows(1), rows(1)],
        }
    }
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
            let step_ends = range.end == self.rows.stages;
            for j in range {
                let slopes = weighted(&self.rows.a[j], &stand.stages, (&newest, newest_at));
                state = add(&y, step, &slopes);
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
            if step_ends {
                doubt(&load::<T, V, C, N>(&stand.stages)).store(&mut stand.doubts[0]);
                doubt(&state).store(&mut stand.doubts[1]);
                doubt(&newest).store(&mut stand.doubts[2]);
                if let Some(scale) = &self.rows.scale {
                    weigh(scale, [&y, &state], (&newest, newest_at), stand);
                }
            }
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

/// `Σ c_j k_j`. The newest stage, which a method's rows have last, is at hand.
#[inline(always)]
fn weighted<T: Real, V: Vector<T>, const C: usize, const N: usize>(
    terms: &[(usize, T)],
    stages: &[T],
    (newest, newest_at): (&[Pack<T, V, C>; N], usize),
) -> [Pack<T, V, C>; N] {
    let mut sum = [Pack::splat(T::zero()); N];
    let (stored, last) = match terms {
        [stored @ .., (j, weight)] if *j == newest_at => (stored, Some(*weight)),
        all => (all, None),
    };
    for &(j, weight) in stored {
        add_scaled(&mut sum, weight, &load(&stages[j * N * Pack::<T, V, C>::LEN..]));
    }
    if let Some(weight) = last {
        add_scaled(&mut sum, weight, newest);
    }
    sum
}

#[inline(always)]
fn add_scaled<T: Real, V: Vector<T>, const C: usize, const N: usize>(
    sum: &mut [Pack<T, V, C>; N],
    weight: T,
    stage: &[Pack<T, V, C>; N],
) {
    let weight = Pack::splat(weight);
    let mut i = 0;
    while i < N {
        sum[i] = weight.fma(stage[i], sum[i]);
        i += 1;
    }
}

/// `base + h · slopes`: with [`weighted`] the same numbers as [`linalg::combine`](crate::linalg::combine) gives.
#[inline(always)]
fn add<T: Real, V: Vector<T>, const C: usize, const N: usize>(
    base: &[Pack<T, V, C>; N],
    h: Pack<T, V, C>,
    slopes: &[Pack<T, V, C>; N],
) -> [Pack<T, V, C>; N] {
    let mut out = *slopes;
    let mut i = 0;
    while i < N {
        out[i] = h.fma(slopes[i], base[i]);
        i += 1;
    }
    out
}

/// Zero where all rows are finite, else NaN.
#[inline(always)]
fn doubt<T: Real, V: Vector<T>, const C: usize, const N: usize>(rows: &[Pack<T, V, C>; N]) -> Pack<T, V, C> {
    let zero = Pack::splat(T::zero());
    let mut sum = zero;
    let mut i = 0;
    while i < N {
        sum = rows[i].fma(zero, sum);
        i += 1;
    }
    sum
}

/// Measures a step's error estimates by the tolerances at its ends.
#[inline(always)]
fn weigh<T: Real, V: Vector<T>, const C: usize, const N: usize>(
    scale: &Scale<T>,
    [y, state]: [&[Pack<T, V, C>; N]; 2],
    newest: (&[Pack<T, V, C>; N], usize),
    stand: &mut Stand<T>,
) {
    let (one, step) = (Pack::splat(T::one()), Pack::load(&stand.step));
    let (rtol, atol) = (Pack::splat(scale.rtol), Pack::splat(scale.atol));
    let mut inverse = *y;
    let mut i = 0;
    while i < N {
        inverse[i] = one / (atol + rtol * y[i].abs().at_least(state[i].abs()));
        i += 1;
    }
    if !scale.coarse.is_empty() {
        let coarse = add(&[Pack::splat(T::zero()); N], step, &weighted(scale.coarse, &stand.stages, newest));
        mean_square(&coarse, &inverse).store(&mut stand.squares[0]);
    }
    let estimate = add(&[Pack::splat(T::zero()); N], step, &weighted(scale.error, &stand.stages, newest));
    mean_square(&estimate, &inverse).store(&mut stand.squares[1]);
    store(&estimate, &mut stand.estimate);
}

#[inline(always)]
fn mean_square<T: Real, V: Vector<T>, const C: usize, const N: usize>(
    x: &[Pack<T, V, C>; N],
    inverse: &[Pack<T, V, C>; N],
) -> Pack<T, V, C> {
    let mut sum = Pack::splat(T::zero());
    let mut i = 0;
    while i < N {
        let scaled = x[i] * inverse[i];
        sum = sum + scaled * scaled;
        i += 1;
    }
    sum * Pack::splat(T::of(1.0 / N as f64))
}
