//! Gram–Schmidt in panels of columns, twice.

use super::multiply_add;
use crate::Real;
use crate::linalg::dispatch::{Kernel, dispatch};
use crate::linalg::vector::{Kernels, Vector, load_several};

/// Columns a panel.
const PANEL: usize = 32;
/// Passes over a panel, two if both leave most of each column.
const MOST_PASSES: usize = 6;
/// A pass that leaves as much of a unit column has made it orthogonal up to rounding.
const GOOD: f64 = 0.1;

/// Room for one frame.
#[derive(Debug)]
pub(super) struct Blocked<T> {
    dim: usize,
    columns: usize,
    /// A panel's parts along the columns before it, `columns × PANEL`.
    along: Vec<T>,
    /// The triangle of a panel's pass, and the product of those of all its passes.
    triangle: Vec<T>,
    product: Vec<T>,
    /// What the last pass left of each column's length.
    pub kept: Vec<T>,
}

impl<T: Real> Blocked<T> {
    pub fn new(dim: usize, columns: usize) -> Self {
        let zeros = |count: usize| vec![T::zero(); count];
        Self {
            dim,
            columns,
            along: zeros(columns * PANEL),
            triangle: zeros(PANEL * PANEL),
            product: zeros(PANEL * PANEL),
            kept: zeros(columns),
        }
    }

    /// Replaces the frame, column by column in `q`, by its orthonormal factor, and fills the upper triangle of `r`. Where
    /// columns are rounding a pass may leave little of them, and more than two passes are made.
    pub fn factor(&mut self, q: &mut [T], r: &mut [T]) {
        let (dim, columns) = (self.dim, self.columns);
        for first in (0..columns).step_by(PANEL) {
            let width = PANEL.min(columns - first);
            let (known, rest) = q.split_at_mut(first * dim);
            let panel = &mut rest[..width * dim];
            (first..first + width).for_each(|j| r[j * columns..j * columns + first].fill(T::zero()));
            self.product.fill(T::zero());
            (0..width).for_each(|j| self.product[j * PANEL + j] = T::one());
            for pass in 0..MOST_PASSES {
                let along = &mut self.along[..first * width];
                if first > 0 {
                    along.fill(T::zero());
                    multiply_add(along, (known, first, true), (panel, width), dim, T::one());
                    multiply_add(panel, (known, dim, false), (along, width), first, -T::one());
                }
                // A pass sees the columns as those before left them, in units of their triangles' product.
                for j in 0..width {
                    let column = &mut r[(first + j) * columns..][..first];
                    for l in 0..=j {
                        let weight = self.product[j * PANEL + l];
                        if weight != T::zero() {
                            column.iter_mut().zip(&along[l * first..][..first]).for_each(|(r, &s)| *r += weight * s);
                        }
                    }
                }
                dispatch(Panel { dim, panel, triangle: &mut self.triangle });
                self.multiply(width);
                let kept = &mut self.kept[first..first + width];
                kept.iter_mut().enumerate().for_each(|(j, kept)| *kept = self.triangle[j * PANEL + j]);
                let sound = |kept: &T| *kept > T::of(GOOD) || *kept == T::zero();
                if pass > 0 && kept.iter().all(sound) {
                    break;
                }
            }
            for j in 0..width {
                r[(first + j) * columns + first..][..=j].copy_from_slice(&self.product[j * PANEL..][..=j]);
            }
        }
    }

    /// `product = triangle · product`, upper triangles.
    fn multiply(&mut self, width: usize) {
        for j in 0..width {
            for i in 0..=j {
                let terms = (i..=j).map(|l| self.triangle[l * PANEL + i] * self.product[j * PANEL + l]);
                // Row `i` of the column is used by no later row.
                self.product[j * PANEL + i] = terms.fold(T::zero(), |sum, term| sum + term);
            }
        }
    }
}

/// Modified Gram–Schmidt of a panel; column `j` of the triangle stands at `j · PANEL`.
struct Panel<'a, T> {
    dim: usize,
    panel: &'a mut [T],
    triangle: &'a mut [T],
}

impl<T: Real> Kernel<T> for Panel<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let width = self.panel.len() / self.dim;
        for j in 0..width {
            let norm = {
                let column = &self.panel[j * self.dim..][..self.dim];
                dot::<T, V>(column, column).sqrt()
            };
            self.triangle[j * PANEL + j] = norm;
            let inverse = if norm > T::zero() { T::one() / norm } else { T::zero() };
            let (known, rest) = self.panel.split_at_mut((j + 1) * self.dim);
            let column = &mut known[j * self.dim..];
            column.iter_mut().for_each(|x| *x *= inverse);
            for (l, later) in rest.chunks_exact_mut(self.dim).enumerate() {
                let along = dot::<T, V>(column, later);
                self.triangle[(j + 1 + l) * PANEL + j] = along;
                take::<T, V>(along, column, later);
            }
        }
    }
}

/// Lengths of columns, written `stride` apart.
pub(super) struct Lengths<'a, T> {
    pub dim: usize,
    pub columns: &'a [T],
    pub lengths: &'a mut [T],
    pub stride: usize,
}

impl<T: Real> Kernel<T> for Lengths<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let lengths = self.lengths.iter_mut().step_by(self.stride);
        for (length, column) in lengths.zip(self.columns.chunks_exact(self.dim)) {
            *length = dot::<T, V>(column, column).sqrt();
        }
    }
}

/// Four vectors at a time: one chain of sums alone would wait for itself.
const CHAINS: usize = 4;

#[inline(always)]
fn dot<T: Kernels, V: Vector<T>>(a: &[T], b: &[T]) -> T {
    let mut sums = [V::splat(T::ZERO); CHAINS];
    let (stride, len) = (CHAINS * V::N, a.len().min(b.len()));
    let mut i = 0;
    while i < len {
        let mut c = 0;
        while c < CHAINS && i + c * V::N < len {
            let at = i + c * V::N;
            let count = V::N.min(len - at);
            // SAFETY: `at + count` is at most the length of both.
            let (x, y): ([V; 1], [V; 1]) = unsafe {
                if count == V::N {
                    (load_several::<T, V, 1, false>(a.as_ptr().add(at), count), [V::load(b.as_ptr().add(at))])
                } else {
                    ([V::load_part(a.as_ptr().add(at), count)], [V::load_part(b.as_ptr().add(at), count)])
                }
            };
            sums[c] = x[0].fma(y[0], sums[c]);
            c += 1;
        }
        i += stride;
    }
    let sum = sums[0].add(sums[1]).add(sums[2].add(sums[3]));
    let mut room = [T::ZERO; 32];
    // SAFETY: no vector has more than 32 numbers.
    unsafe { sum.store(room.as_mut_ptr()) };
    let mut total = T::ZERO;
    for &x in &room[..V::N] {
        total = V::fma_one(x, T::ONE, total);
    }
    total
}

/// `y −= along · x`.
#[inline(always)]
fn take<T: Real, V: Vector<T>>(along: T, x: &[T], y: &mut [T]) {
    let less = V::splat(-along);
    let len = x.len().min(y.len());
    let mut i = 0;
    while i < len {
        let count = V::N.min(len - i);
        // SAFETY: `i + count` is at most the length of both.
        unsafe {
            let to = y.as_mut_ptr().add(i);
            if count == V::N {
                less.fma(V::load(x.as_ptr().add(i)), V::load(to)).store(to);
            } else {
                less.fma(V::load_part(x.as_ptr().add(i), count), V::load_part(to, count)).store_part(to, count);
            }
        }
        i += count;
    }
}
