//! Elimination within a panel of a frame.

use crate::Real;
use crate::linalg::dispatch::Kernel;
use crate::linalg::tile::{Product, Start};
use crate::linalg::vector::Vector;

/// Columns of a panel that lie side by side while it is worked on: those of a vector, or of a cache line of `f64`.
pub(super) const LEAF: usize = 8;

/// Eliminates `width` columns of a frame from `first` on, with their pivots chosen below row `first`.
pub(super) struct Panel<'a, T> {
    /// The frame, rows `stride` numbers apart: whole leaves at least.
    pub work: &'a mut [T],
    pub stride: usize,
    /// Which row of the frame stands where.
    pub rows: &'a mut [usize],
    /// Room for the panel, leaf after leaf.
    pub leaves: &'a mut [T],
    pub first: usize,
    pub width: usize,
}

impl<T: Real> Kernel<T> for Panel<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let Self { work, stride, rows: order, leaves, first, width } = self;
        let (rows, count) = (order.len() - first, width.div_ceil(LEAF));
        let leaves = &mut leaves.as_chunks_mut::<LEAF>().0[..count * rows];
        for (at, row) in work.chunks_exact(stride).skip(first).enumerate() {
            let row = row[first..].as_chunks::<LEAF>().0;
            (0..count).for_each(|leaf| leaves[leaf * rows + at] = row[leaf]);
        }
        for leaf in 0..count {
            let top = leaf * LEAF;
            let mut pivots = [0; LEAF];
            let pivots = &mut pivots[..LEAF.min(width - top)];
            eliminate::<T, V>(&mut leaves[leaf * rows + top..(leaf + 1) * rows], pivots);
            for (c, pivot) in pivots.iter().enumerate().filter(|(c, pivot)| c != *pivot) {
                let (a, b) = (first + top + c, first + top + pivot);
                order.swap(a, b);
                let (above, below) = work.split_at_mut(b * stride);
                above[a * stride..][..stride].swap_with_slice(&mut below[..stride]);
                for other in (0..count).filter(|other| *other != leaf) {
                    leaves.swap(other * rows + top + c, other * rows + top + pivot);
                }
            }
            let (known, behind) = leaves.split_at_mut((leaf + 1) * rows);
            for block in behind.chunks_exact_mut(rows) {
                take::<T, V>(&known[leaf * rows + top..], &mut block[top..]);
            }
        }
        for (at, row) in work.chunks_exact_mut(stride).skip(first).enumerate() {
            let row = row[first..].as_chunks_mut::<LEAF>().0;
            (0..count).for_each(|leaf| row[leaf] = leaves[leaf * rows + at]);
        }
    }
}

/// Eliminates the columns of one leaf, from the row of its first pivot on. Pivots are counted from that row.
#[inline(always)]
fn eliminate<T: Real, V: Vector<T>>(block: &mut [[T; LEAF]], pivots: &mut [usize]) {
    let (mut size, mut at) = largest(block, 0, |row| row[0].abs());
    for (c, pivot) in pivots.iter_mut().enumerate() {
        *pivot = at;
        block.swap(c, at);
        // The columns are known where this is compiled.
        (size, at) = match c {
            0 => column::<T, V, 0>(block, size),
            1 => column::<T, V, 1>(block, size),
            2 => column::<T, V, 2>(block, size),
            3 => column::<T, V, 3>(block, size),
            4 => column::<T, V, 4>(block, size),
            5 => column::<T, V, 5>(block, size),
            6 => column::<T, V, 6>(block, size),
            _ => column::<T, V, 7>(block, size),
        };
    }
}

/// Takes column `C`, whose pivot of this size is in its row, out of those behind it. Returns the next pivot's size
/// and row.
#[inline(always)]
fn column<T: Real, V: Vector<T>, const C: usize>(block: &mut [[T; LEAF]], size: T) -> (T, usize) {
    let mut inverse = T::one() / block[C][C];
    if size <= T::zero() || !inverse.is_finite() {
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
    largest(&mut block[C + 1..], C + 1, |row| {
        let mut now = *row;
        let weight = now[C] * inverse;
        for l in 0..LEAF {
            now[l] = V::fma_one(weight, less[l], now[l]);
        }
        now[C] = weight;
        *row = now;
        now[next].abs()
    })
}

/// The largest of what `size` says of rows, of which the first is number `first`, and its row; the first of equals. Nothing
/// and the first row where no size is more than nothing.
#[inline(always)]
fn largest<T: Real>(rows: &mut [[T; LEAF]], first: usize, size: impl Fn(&mut [T; LEAF]) -> T) -> (T, usize) {
    let mut best = (T::zero(), first);
    for (r, row) in rows.iter_mut().enumerate() {
        let size = size(row);
        if size > best.0 {
            best = (size, first + r);
        }
    }
    best
}

/// Takes an eliminated leaf out of one behind it, both from the row of its first pivot on.
#[inline(always)]
fn take<T: Real, V: Vector<T>>(known: &[[T; LEAF]], block: &mut [[T; LEAF]]) {
    let (top, below) = block.split_at_mut(LEAF);
    let (triangle, weights) = known.split_at(LEAF);
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
