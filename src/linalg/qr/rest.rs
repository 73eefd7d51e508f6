//! Elimination beyond a panel: whole columns taken out of those behind them.

use super::panel::LEAF;
use crate::Real;
use crate::linalg::dispatch::Kernel;
use crate::linalg::tile::{Product, Start};
use crate::linalg::vector::Vector;

/// Takes eliminated columns `first..last`, whole leaves, out of those from there to `end`.
pub(super) struct Rest<'a, T> {
    /// Rows of the columns' pivots, and those below, of the whole frame.
    pub top: &'a mut [T],
    pub below: &'a mut [T],
    pub upper: &'a mut [T],
    pub stride: usize,
    pub first: usize,
    pub last: usize,
    pub end: usize,
}

impl<T: Real> Kernel<T> for Rest<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let Self { top, below, upper, stride, first, last, end } = self;
        let (width, rest) = (last - first, end - last);
        // Between panels and blocks this is exact. Numbers behind the frame's last column are worked on as if they were columns;
        // nobody looks at them.
        let vectors = rest.div_ceil(V::N);
        // SAFETY: `top` holds `width` rows, `upper` as many of `stride` numbers. A row has room for a leaf behind its last, and
        // no vector is longer than two leaves.
        unsafe {
            let (from, upper) = (top.as_mut_ptr().add(first), upper.as_mut_ptr());
            let mut done = 0;
            if V::REGISTERS > 16 {
                while done + 3 <= vectors {
                    solve::<T, V, 3>(from, width, done * V::N, upper, stride);
                    done += 3;
                }
            }
            while done < vectors {
                solve::<T, V, 1>(from, width, done * V::N, upper, stride);
                done += 1;
            }
        }
        let rows = below.len() / stride;
        if rows == 0 {
            return;
        }
        let base = below.as_mut_ptr();
        let product = Product {
            // The eliminated columns are read, those behind them are written.
            a: base.cast_const().wrapping_add(first),
            a_stride: stride,
            b: upper.as_ptr(),
            b_stride: stride,
            c: base.wrapping_add(last),
            c_stride: stride,
            scale: None,
        };
        // SAFETY: `below` holds `rows` rows of `stride` numbers, of which `first..last` are `A` and `last..end` are `C`, apart
        // from each other; `upper` holds `width` rows of `stride` numbers.
        unsafe { product.run::<V, true>(rows, rest, width, Start::Present) }
    }
}

/// Solves for `C` vectors of columns of `width` rows of `U`, the `j`-th and following of those behind as many eliminated
/// columns, under the unit lower triangle of these; leaves `−U` in `upper`. Rows of both are `stride` apart.
///
/// # Safety
/// The numbers are there, `width` is a multiple of `LEAF`.
#[allow(clippy::needless_range_loop, reason = "indices of constant arrays, to be unrolled")]
#[inline(always)]
unsafe fn solve<T: Real, V: Vector<T>, const C: usize>(
    eliminated: *mut T,
    width: usize,
    j: usize,
    upper: *mut T,
    stride: usize,
) {
    // SAFETY: the caller's promise; rows in leaves.
    unsafe {
        for top in (0..width).step_by(LEAF) {
            let row = |r: usize| eliminated.add((top + r) * stride);
            let mut sums = [[V::splat(T::zero()); C]; LEAF];
            for r in 0..LEAF {
                (0..C).for_each(|c| sums[r][c] = V::load(row(r).add(width + j + c * V::N)));
            }
            for k in 0..top {
                let known: [V; C] = std::array::from_fn(|c| V::load(upper.add(k * stride + j + c * V::N)));
                for r in 0..LEAF {
                    let weight = V::splat(*row(r).add(k));
                    (0..C).for_each(|c| sums[r][c] = weight.fma(known[c], sums[r][c]));
                }
            }
            for r in 0..LEAF {
                for k in 0..r {
                    let weight = V::splat(-*row(r).add(top + k));
                    (0..C).for_each(|c| sums[r][c] = weight.fma(sums[k][c], sums[r][c]));
                }
                for c in 0..C {
                    sums[r][c].store(row(r).add(width + j + c * V::N));
                    sums[r][c].neg().store(upper.add((top + r) * stride + j + c * V::N));
                }
            }
        }
    }
}
