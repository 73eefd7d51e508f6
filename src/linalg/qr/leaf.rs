//! Elimination within a panel: columns of a leaf lie side by side, those of a vector or of a cache line of `f64`.

use crate::Real;
use crate::linalg::dispatch::Kernel;
use crate::linalg::tile::{Product, Start};
use crate::linalg::vector::Vector;

/// Columns of a leaf.
pub(super) const LEAF: usize = 8;

/// Eliminates the columns of one leaf, from the row of its first pivot on. Pivots are counted from that row.
pub(super) struct Leaf<'a, T> {
    pub block: &'a mut [[T; LEAF]],
    pub pivots: &'a mut [usize],
}

impl<T: Real> Kernel<T> for Leaf<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let block = self.block;
        let (mut best, mut at) = (T::zero(), 0);
        for (r, row) in block.iter().enumerate() {
            if row[0].abs() > best {
                (best, at) = (row[0].abs(), r);
            }
        }
        for c in 0..self.pivots.len() {
            self.pivots[c] = at;
            // The columns are known where this is compiled.
            (best, at) = match c {
                0 => column::<T, V, 0>(block, best, at),
                1 => column::<T, V, 1>(block, best, at),
                2 => column::<T, V, 2>(block, best, at),
                3 => column::<T, V, 3>(block, best, at),
                4 => column::<T, V, 4>(block, best, at),
                5 => column::<T, V, 5>(block, best, at),
                6 => column::<T, V, 6>(block, best, at),
                _ => column::<T, V, 7>(block, best, at),
            };
        }
    }
}

/// Takes column `C`, whose pivot of size `best` is in row `at`, out of those behind it. Returns the next pivot's size and row.
#[inline(always)]
fn column<T: Real, V: Vector<T>, const C: usize>(block: &mut [[T; LEAF]], best: T, at: usize) -> (T, usize) {
    block.swap(C, at);
    let mut inverse = T::one() / block[C][C];
    if best <= T::zero() || !inverse.is_finite() {
        // Nothing to divide by, so nothing to take away: the column is replaced by its pivot's axis. What is not a number
        // is no pivot, but stays to be seen.
        inverse = T::zero();
        block[C][C] = block.iter().skip(C).fold(T::zero(), |sum, row| sum + row[C] * T::zero());
    }
    let mut less = [T::zero(); LEAF];
    for l in C + 1..LEAF {
        less[l] = -block[C][l];
    }
    let next = if C + 1 < LEAF { C + 1 } else { C };
    let (mut best, mut at) = (T::zero(), C + 1);
    for (r, row) in block.iter_mut().enumerate().skip(C + 1) {
        let mut now = *row;
        let weight = now[C] * inverse;
        for l in 0..LEAF {
            now[l] = V::fma_one(weight, less[l], now[l]);
        }
        now[C] = weight;
        *row = now;
        if now[next].abs() > best {
            (best, at) = (now[next].abs(), r);
        }
    }
    (best, at)
}

/// Takes an eliminated leaf out of one behind it, both from the row of its first pivot on.
pub(super) struct Behind<'a, T> {
    pub known: &'a [[T; LEAF]],
    pub block: &'a mut [[T; LEAF]],
}

impl<T: Real> Kernel<T> for Behind<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let (top, below) = self.block.split_at_mut(LEAF);
        let (triangle, weights) = self.known.split_at(LEAF);
        let mut less = [[T::zero(); LEAF]; LEAF];
        for i in 0..LEAF {
            let mut row = top[i];
            for k in 0..i {
                for l in 0..LEAF {
                    row[l] = V::fma_one(triangle[i][k], less[k][l], row[l]);
                }
            }
            top[i] = row;
            for l in 0..LEAF {
                less[i][l] = -row[l];
            }
        }
        let product = Product {
            a: weights.as_ptr().cast(),
            a_stride: LEAF,
            b: less.as_ptr().cast(),
            b_stride: LEAF,
            c: below.as_mut_ptr().cast(),
            c_stride: LEAF,
            scale: None,
        };
        // SAFETY: both leaves have as many rows of `LEAF` numbers, `less` has `LEAF`.
        unsafe { product.run::<V, true>(below.len(), LEAF, LEAF, Start::Present) }
    }
}
