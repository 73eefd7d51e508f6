//! Frames made well-conditioned by elimination, where no orthonormal columns are needed.

use super::panel::{LEAF, Panel};
use super::rest::Rest;
use crate::Real;
use crate::linalg::Aligned;
use crate::linalg::dispatch::{Kernel, dispatch};
use crate::linalg::vector::Vector;

/// Columns that are eliminated together before those behind them hear of it.
const PANEL: usize = 32;
/// Columns of panels that hear of each other before the rest of the frame does.
const BLOCK: usize = 256;
/// What lies behind a panel or block is worked on in whole vectors, of up to 16 numbers.
const _: () = assert!(PANEL.is_multiple_of(16) && BLOCK.is_multiple_of(PANEL) && PANEL.is_multiple_of(LEAF));

/// Factors `A = X·U`, `U` upper triangular and `X` a row permutation of a lower trapezoid with pivots of 1 and nothing
/// larger: Gaussian elimination with partial pivoting (Golub & Van Loan, sec. 3.4), in panels.
///
/// The first `j` columns of `X` span what those of `A` span, as those of `Q` in `A = Q·R` do: only the basis differs. A
/// product `Aₖ···A₁` so factored step by step, `Aₖ Xₖ₋₁ = Xₖ Uₖ`, and factored orthonormally at the end, has the triangle
/// `R·Uₖ₋₁···U₁` (Rutishauser's staircase iteration), at a quarter of an orthonormal factor's operations.
#[derive(Debug)]
pub(crate) struct Elimination<T> {
    columns: usize,
    /// Numbers from row to row of the frame at work: whole leaves, and one more, as [`Rest`] works on whole vectors.
    stride: usize,
    /// The frame, row after row, each where its pivot has put it.
    work: Aligned<T>,
    /// Which row of the frame stands where.
    rows: Vec<usize>,
    /// The panel, leaf after leaf.
    leaves: Aligned<T>,
    /// Rows of `−U` of a panel or block beyond its own columns.
    upper: Aligned<T>,
    /// `|Uⱼⱼ|` of each column.
    pub diagonal: Vec<T>,
    /// Length of each column of `U`: what rounding is relative to.
    pub lengths: Vec<T>,
}

impl<T: Real> Elimination<T> {
    /// Room for a frame.
    pub fn new(dim: usize, columns: usize) -> Self {
        let stride = columns.next_multiple_of(LEAF) + LEAF;
        Self {
            columns,
            stride,
            work: Aligned::filled(T::zero(), dim * stride),
            rows: (0..dim).collect(),
            leaves: Aligned::filled(T::zero(), dim * PANEL),
            upper: Aligned::filled(T::zero(), BLOCK.min(columns.next_multiple_of(LEAF)) * stride),
            diagonal: vec![T::zero(); columns],
            lengths: vec![T::zero(); columns],
        }
    }

    /// Replaces frame `f` of `frames` side by side, laid out as for [`Qr::factor`](super::Qr::factor), by `X`. A column that
    /// vanishes or is rounding next to its length does `X` no harm: the diagonal, 0 or small, tells. Where numbers are not
    /// finite, some of the lengths are not.
    pub fn factor(&mut self, frame: &mut [T], (frames, f): (usize, usize)) {
        let columns = self.columns;
        for (to, from) in self.work.chunks_exact_mut(self.stride).zip(frame.chunks_exact(columns * frames)) {
            if frames == 1 {
                to[..columns].copy_from_slice(from);
            } else {
                to.iter_mut().zip(from.iter().skip(f).step_by(frames)).for_each(|(to, &x)| *to = x);
            }
        }
        self.rows.iter_mut().enumerate().for_each(|(at, row)| *row = at);
        for first in (0..columns).step_by(BLOCK) {
            let last = columns.min(first + BLOCK);
            for panel in (first..last).step_by(PANEL) {
                let behind = last.min(panel + PANEL);
                let Self { stride, ref mut work, ref mut rows, ref mut leaves, .. } = *self;
                dispatch(Panel { work, stride, rows, leaves, first: panel, width: behind - panel });
                self.take(panel, behind, last);
            }
            self.take(first, last, columns);
        }
        let Self { stride, ref work, ref mut diagonal, ref mut lengths, .. } = *self;
        dispatch(Measure { work, stride, diagonal, lengths });
        for (at, (&row, from)) in self.rows.iter().zip(self.work.chunks_exact(self.stride)).enumerate() {
            let to = &mut frame[row * columns * frames..][..columns * frames];
            let known = at.min(columns);
            if frames == 1 {
                to[..known].copy_from_slice(&from[..known]);
                to[known..].fill(T::zero());
            } else {
                let entries = from[..known].iter().copied().chain(std::iter::repeat(T::zero()));
                to.iter_mut().skip(f).step_by(frames).zip(entries).for_each(|(to, x)| *to = x);
            }
            if known < columns {
                to[known * frames + f] = T::one();
            }
        }
    }

    /// Takes the eliminated columns `first..last` out of those from there to `end`.
    fn take(&mut self, first: usize, last: usize, end: usize) {
        if last < end {
            let (top, below) = self.work[first * self.stride..].split_at_mut((last - first) * self.stride);
            dispatch(Rest { top, below, upper: &mut self.upper, stride: self.stride, first, last, end });
        }
    }
}

/// Sizes of `U`: its diagonal's, and those of its columns.
struct Measure<'a, T> {
    work: &'a [T],
    stride: usize,
    diagonal: &'a mut [T],
    lengths: &'a mut [T],
}

impl<T: Real> Kernel<T> for Measure<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let columns = self.diagonal.len();
        self.lengths.fill(T::zero());
        for (i, row) in self.work.chunks_exact(self.stride).enumerate() {
            if let Some(diagonal) = self.diagonal.get_mut(i) {
                *diagonal = row[i].abs();
                self.lengths[i..].iter_mut().zip(&row[i..]).for_each(|(sum, &u)| *sum = V::fma_one(u, u, *sum));
            } else {
                // Not of `U`, but what is not finite here shall be seen as well.
                self.lengths
                    .iter_mut()
                    .zip(&row[..columns])
                    .for_each(|(sum, &x)| *sum = V::fma_one(x, T::zero(), *sum));
            }
        }
        self.lengths.iter_mut().for_each(|sum| *sum = sum.sqrt());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(dim: usize, columns: usize, seed: u64) -> Vec<f64> {
        use rand::{RngExt, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        (0..dim * columns).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn the_factors_give_the_frame_back(dim in 1..90_usize, share in 0.0..1.0_f64, seed: u64) {
            let columns = ((dim as f64 * share) as usize).max(1);
            let before = frame(dim, columns, seed);
            let mut after = before.clone();
            let mut room = Elimination::new(dim, columns);
            room.factor(&mut after, (1, 0));
            let upper = |i: usize, j: usize| if i <= j { room.work[i * room.stride + j] } else { 0.0 };
            for i in 0..dim {
                for j in 0..columns {
                    let product: f64 = (0..columns).map(|k| after[i * columns + k] * upper(k, j)).sum();
                    prop_assert!((product - before[i * columns + j]).abs() < 1e-12);
                    prop_assert!(after[i * columns + j].abs() <= 1.0);
                }
            }
            // Each pivot's row has nothing behind the pivot: the columns are as good as a triangle.
            for (at, &row) in room.rows.iter().take(columns).enumerate() {
                prop_assert!(after[row * columns + at] == 1.0 && room.diagonal[at] > 0.0);
                prop_assert!(after[row * columns + at + 1..(row + 1) * columns].iter().all(|x| *x == 0.0));
            }
        }
    }

    #[test]
    fn a_column_that_vanishes_or_is_rounding_is_told_by_the_diagonal_and_does_no_harm() {
        let (dim, columns) = (70, 50);
        for part in [0.0, 1.0] {
            let mut spoilt = frame(dim, columns, 1);
            let mut sound = spoilt.clone();
            for row in spoilt.chunks_exact_mut(columns) {
                // Nothing, or what lies along columns before but for rounding.
                row[20] = part * (row[3] * (1.0 / 3.0) * 3.0 + row[5] / 7.0);
            }
            let before = spoilt.clone();
            let mut rooms = [Elimination::new(dim, columns), Elimination::new(dim, columns)];
            rooms[0].factor(&mut spoilt, (1, 0));
            rooms[1].factor(&mut sound, (1, 0));
            assert!(rooms[0].diagonal[20] <= part * 1e-14 * rooms[0].lengths[20]);
            assert_eq!(rooms[0].diagonal[..20], rooms[1].diagonal[..20]);
            let upper = |i: usize, j: usize| if i <= j { rooms[0].work[i * rooms[0].stride + j] } else { 0.0 };
            for (row, before) in spoilt.chunks_exact(columns).zip(before.chunks_exact(columns)) {
                for (j, before) in before.iter().enumerate() {
                    let product: f64 = (0..columns).map(|k| row[k] * upper(k, j)).sum();
                    assert!((product - before).abs() < 1e-12 && row[j].abs() <= 1.0);
                }
            }
        }
    }

    #[test]
    fn what_is_not_finite_is_told_by_the_lengths_and_does_no_harm_to_the_next_frame() {
        for (dim, columns) in [(20, 20), (70, 50)] {
            for (at, bad) in
                [(0, f64::NAN), (columns - 1, f64::NAN), (3, f64::INFINITY), (columns - 1, f64::NEG_INFINITY)]
            {
                let mut room = Elimination::new(dim, columns);
                // One number, or the whole column.
                for rows in [1, dim] {
                    let mut frame = frame(dim, columns, 1);
                    (0..rows).for_each(|i| frame[i * columns + at] = bad);
                    room.factor(&mut frame, (1, 0));
                    assert!(room.lengths.iter().any(|length| !length.is_finite()), "{bad} in {rows} of column {at}");
                }
                let (mut next, mut alone) = (frame(dim, columns, 2), frame(dim, columns, 2));
                room.factor(&mut next, (1, 0));
                Elimination::new(dim, columns).factor(&mut alone, (1, 0));
                assert_eq!(next, alone);
            }
        }
    }
}
