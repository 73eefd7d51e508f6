//! Sums of blocks with a step size for each lane, as steppers need them.

use super::dispatch::{Kernel, dispatch};
use super::vector::{Kernels, Vector, load_several};
use crate::Real;

/// `out = base + h ⊙ Σ c_j k_j` over the pairs `(j, c_j)` of `terms`: block `k_j` begins at `stages[j · stride]`; lane `l`
/// uses step `h[l]`. An empty `base` counts as zero.
///
/// The sum over stages is one chain of fused multiply-adds in order, begun at zero, so that a number's bits depend on that
/// number alone. Every number is read once and written once.
pub fn combine<T: Real>(base: &[T], h: &[T], terms: &[(usize, T)], stages: &[T], stride: usize, out: &mut [T]) {
    assert!(out.len().is_multiple_of(h.len()) && (base.is_empty() || base.len() >= out.len()));
    assert!(terms.iter().all(|&(j, _)| j * stride + out.len() <= stages.len()));
    dispatch(Combine { base, h, terms, stages, stride, out });
}

/// `out += a ⊙ h ⊙ x`: `h` has one number a lane, `x` is as long as `out`.
///
/// Each number is `fma(a·h, x, out)`, whatever stands beside it.
pub fn scaled_add<T: Real>(a: T, h: &[T], x: &[T], out: &mut [T]) {
    debug_assert!(x.len() == out.len());
    assert!(out.len().is_multiple_of(h.len()) && x.len() >= out.len());
    dispatch(ScaledAdd { a, h, x, out });
}

/// Room for step sizes repeated row after row.
const REPEATED: usize = 128;

/// Calls `part(h, start, end)` for pieces of `0..len` that begin where a row does, with step sizes for every number of the
/// piece. Few lanes are repeated first, so that a vector can hold several rows of them.
#[inline(always)]
fn with_steps<T: Kernels, V: Vector<T>>(h: &[T], len: usize, mut part: impl FnMut(&[T], usize, usize)) {
    let lanes = h.len();
    let mut room = [T::ZERO; REPEATED];
    let h = if lanes.is_multiple_of(V::N) || 2 * lanes > REPEATED || len == lanes {
        h
    } else {
        let repeated = &mut room[..(REPEATED / lanes * lanes).min(len)];
        if lanes == 1 {
            repeated.fill(h[0]);
        } else {
            for row in repeated.chunks_exact_mut(lanes) {
                row.iter_mut().zip(h).for_each(|(to, from)| *to = *from);
            }
        }
        &*repeated
    };
    let mut start = 0;
    while start < len {
        let end = (start + h.len()).min(len);
        part(h, start, end);
        start = end;
    }
}

pub(super) struct Combine<'a, T> {
    pub base: &'a [T],
    pub h: &'a [T],
    pub terms: &'a [(usize, T)],
    pub stages: &'a [T],
    pub stride: usize,
    pub out: &'a mut [T],
}

impl<T: Kernels> Kernel<T> for Combine<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(mut self) {
        let (h, len) = (self.h, self.out.len());
        with_steps::<T, V>(h, len, |h, start, end| {
            let mut i = start;
            while i + 4 * V::N <= end {
                self.chunk::<V, 4, false>(i, &h[i - start..], V::N);
                i += 4 * V::N;
            }
            while i + V::N <= end {
                self.chunk::<V, 1, false>(i, &h[i - start..], V::N);
                i += V::N;
            }
            if i < end {
                self.chunk::<V, 1, true>(i, &h[i - start..], end - i);
            }
        });
    }
}

impl<T: Kernels> Combine<'_, T> {
    /// `C` vectors from number `i` on, or only the first `count` numbers of one if `PART`.
    #[allow(clippy::needless_range_loop, reason = "indices of constant arrays, to be unrolled")]
    #[inline(always)]
    fn chunk<V: Vector<T>, const C: usize, const PART: bool>(&mut self, i: usize, h: &[T], count: usize) {
        let width = if PART { count } else { C * V::N };
        debug_assert!(i + width <= self.out.len() && h.len() >= width);
        // SAFETY: `C` vectors, or `count` numbers, are there: `combine` has checked the lengths.
        unsafe {
            let mut sum = [V::splat(T::ZERO); C];
            for &(j, coefficient) in self.terms {
                let stage = load_several::<T, V, C, PART>(self.stages.as_ptr().add(j * self.stride + i), count);
                let coefficient = V::splat(coefficient);
                for c in 0..C {
                    sum[c] = coefficient.fma(stage[c], sum[c]);
                }
            }
            let mut base = [V::splat(T::ZERO); C];
            if !self.base.is_empty() {
                base = load_several::<T, V, C, PART>(self.base.as_ptr().add(i), count);
            }
            let h = load_several::<T, V, C, PART>(h.as_ptr(), count);
            for c in 0..C {
                let value = h[c].fma(sum[c], base[c]);
                let to = self.out.as_mut_ptr().add(i + c * V::N);
                if PART { value.store_part(to, count) } else { value.store(to) }
            }
        }
    }
}

/// Calls `at(i, count)` for the vectors of `0..len`, the last perhaps with a smaller count.
#[inline(always)]
fn vectors<T, V: Vector<T>>(len: usize, mut at: impl FnMut(usize, usize)) {
    let full = len - len % V::N;
    let mut i = 0;
    while i < full {
        at(i, V::N);
        i += V::N;
    }
    if full < len {
        at(full, len - full);
    }
}

/// # Safety
/// `count <= V::N` numbers can be read at `from`.
#[inline(always)]
unsafe fn load<T, V: Vector<T>>(from: *const T, count: usize) -> V {
    // SAFETY: the caller's promise.
    unsafe { if count == V::N { V::load(from) } else { V::load_part(from, count) } }
}

/// # Safety
/// `count <= V::N` numbers can be written at `to`.
#[inline(always)]
unsafe fn store<T, V: Vector<T>>(value: V, to: *mut T, count: usize) {
    // SAFETY: the caller's promise.
    unsafe { if count == V::N { value.store(to) } else { value.store_part(to, count) } }
}

pub(super) struct ScaledAdd<'a, T> {
    pub a: T,
    pub h: &'a [T],
    pub x: &'a [T],
    pub out: &'a mut [T],
}

impl<T: Kernels> Kernel<T> for ScaledAdd<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let a = V::splat(self.a);
        let len = self.out.len();
        let out = self.out.as_mut_ptr();
        with_steps::<T, V>(self.h, len, |h, start, end| {
            vectors::<T, V>(end - start, |i, count| {
                // SAFETY: `i + count` is at most `h.len()`, and `start + i + count` at most the length of `x` and `out`.
                unsafe {
                    let step = a.mul(load::<T, V>(h.as_ptr().add(i), count));
                    let x = load::<T, V>(self.x.as_ptr().add(start + i), count);
                    let to = out.add(start + i);
                    store(step.fma(x, load(to, count)), to, count);
                }
            });
        });
    }
}
