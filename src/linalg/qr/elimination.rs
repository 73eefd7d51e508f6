//! Frames made well-conditioned by elimination, where no orthonormal columns are needed.

use crate::Real;
use crate::linalg::Aligned;
use crate::linalg::dispatch::{Kernel, dispatch};
use crate::linalg::tile::{Product, Start};
use crate::linalg::vector::Vector;

/// Columns that are eliminated together before the rest of the frame hears of it.
const PANEL: usize = 32;
/// Columns of a panel that lie side by side: those of a vector, or of a cache line of `f64`.
const LEAF: usize = 8;
/// Columns of the rest that are solved at a time.
const STRIP: usize = 32;

/// Factors `A = X·U`, `U` upper triangular with a positive diagonal and `X` a row permutation of a lower trapezoid with
/// pivots of ±1 and nothing larger: Gaussian elimination with partial pivoting (Golub & Van Loan, sec. 3.4), in panels.
///
/// The first `j` columns of `X` span what those of `A` span, as those of `Q` in `A = Q·R` do: only the basis differs. A
/// product `Aₖ···A₁` so factored step by step, `Aₖ Xₖ₋₁ = Xₖ Uₖ`, and factored orthonormally at the end, has the triangle
/// `R·Uₖ₋₁···U₁` (Rutishauser's staircase iteration), at a quarter of an orthonormal factor's operations.
#[derive(Debug)]
pub(crate) struct Elimination<T> {
    dim: usize,
    columns: usize,
    /// The frame, row after row, each where its pivot has put it.
    work: Aligned<T>,
    /// Which row of the frame stands where.
    rows: Vec<usize>,
    /// The panel, eight columns after eight.
    leaves: Aligned<T>,
    /// The panel's rows of `−U` beyond its own columns.
    upper: Aligned<T>,
    /// `Uⱼⱼ` of each column, positive, and the sign that the elimination left it with.
    pub diagonal: Vec<T>,
    signs: Vec<T>,
    /// Length of each column of `U`: what rounding is relative to.
    pub lengths: Vec<T>,
}

impl<T: Real> Elimination<T> {
    /// Room for a frame.
    pub fn new(dim: usize, columns: usize) -> Self {
        Self {
            dim,
            columns,
            work: Aligned::filled(T::zero(), dim * columns),
            rows: (0..dim).collect(),
            leaves: Aligned::filled(T::zero(), dim * PANEL),
            upper: Aligned::filled(T::zero(), PANEL * columns),
            diagonal: vec![T::zero(); columns],
            signs: vec![T::one(); columns],
            lengths: vec![T::zero(); columns],
        }
    }

    /// Replaces frame `f` of `frames` side by side, laid out as for [`Qr::factor`](super::Qr::factor), by `X`; or leaves it
    /// alone and returns `false` where a pivot is less than `noise` of its column, or not finite.
    pub fn factor(&mut self, frame: &mut [T], (frames, f): (usize, usize), noise: T) -> bool {
        let columns = self.columns;
        if frames == 1 {
            self.work.copy_from_slice(frame);
        } else {
            self.work.iter_mut().zip(frame.iter().skip(f).step_by(frames)).for_each(|(to, &x)| *to = x);
        }
        self.rows.iter_mut().enumerate().for_each(|(at, row)| *row = at);
        for first in (0..columns).step_by(PANEL) {
            if !self.panel(first, PANEL.min(columns - first)) {
                return false;
            }
        }
        self.measure();
        // Comparisons with what is not a number fail.
        let sound = |(r, length): (&T, &T)| length.is_finite() && *r > noise * *length;
        if !self.diagonal.iter().zip(&self.lengths).all(sound) {
            return false;
        }
        for (at, (&row, from)) in self.rows.iter().zip(self.work.chunks_exact(columns)).enumerate() {
            let to = &mut frame[row * columns * frames..][..columns * frames];
            let known = at.min(columns);
            let signed = from[..known].iter().zip(&self.signs).map(|(&x, &sign)| x * sign);
            let pivot = self.signs.get(at).copied();
            let behind = std::iter::repeat_n(T::zero(), (columns - known).saturating_sub(1));
            let whole = signed.chain(pivot).chain(behind);
            if frames == 1 {
                to.iter_mut().zip(whole).for_each(|(to, x)| *to = x);
            } else {
                to.iter_mut().skip(f).step_by(frames).zip(whole).for_each(|(to, x)| *to = x);
            }
        }
        true
    }

    /// Eliminates `width` columns from `first` on and takes them out of those behind.
    fn panel(&mut self, first: usize, width: usize) -> bool {
        let (columns, rows, last) = (self.columns, self.dim - first, first + width);
        for (at, row) in self.work.chunks_exact(columns).skip(first).enumerate() {
            for (leaf, from) in row[first..last].chunks(LEAF).enumerate() {
                self.leaves[(leaf * rows + at) * LEAF..][..from.len()].copy_from_slice(from);
            }
        }
        for leaf in 0..width.div_ceil(LEAF) {
            let top = leaf * LEAF;
            let count = LEAF.min(width - top);
            let mut pivots = [0; LEAF];
            let mut sound = true;
            let block = &mut self.leaves[(leaf * rows + top) * LEAF..(leaf + 1) * rows * LEAF];
            dispatch(Leaf { block, pivots: &mut pivots[..count], sound: &mut sound });
            if !sound {
                return false;
            }
            for (c, &pivot) in pivots[..count].iter().enumerate().filter(|(c, pivot)| c != *pivot) {
                let (a, b) = (first + top + c, first + top + pivot);
                self.rows.swap(a, b);
                let (above, below) = self.work.split_at_mut(b * columns);
                above[a * columns..][..columns].swap_with_slice(&mut below[..columns]);
                for other in (0..width.div_ceil(LEAF)).filter(|other| *other != leaf) {
                    let (above, below) = self.leaves[other * rows * LEAF..].split_at_mut((top + pivot) * LEAF);
                    above[(top + c) * LEAF..][..LEAF].swap_with_slice(&mut below[..LEAF]);
                }
            }
            for other in leaf + 1..width.div_ceil(LEAF) {
                let (known, rest) = self.leaves.split_at_mut(other * rows * LEAF);
                let known = &known[(leaf * rows + top) * LEAF..(leaf + 1) * rows * LEAF];
                dispatch(Behind { known, block: &mut rest[top * LEAF..rows * LEAF] });
            }
        }
        for (at, row) in self.work.chunks_exact_mut(columns).skip(first).enumerate() {
            for (leaf, to) in row[first..last].chunks_mut(LEAF).enumerate() {
                let len = to.len();
                to.copy_from_slice(&self.leaves[(leaf * rows + at) * LEAF..][..len]);
            }
        }
        if last < columns {
            let (top, below) = self.work[first * columns..].split_at_mut(width * columns);
            dispatch(Rest { top, below, upper: &mut self.upper, columns, first, width });
        }
        true
    }

    fn measure(&mut self) {
        let columns = self.columns;
        self.lengths.fill(T::zero());
        for (i, row) in self.work.chunks_exact(columns).take(columns).enumerate() {
            self.diagonal[i] = row[i].abs();
            self.signs[i] = row[i].signum();
            self.lengths[i..].iter_mut().zip(&row[i..]).for_each(|(sum, &u)| *sum += u * u);
        }
        self.lengths.iter_mut().for_each(|sum| *sum = sum.sqrt());
    }
}

/// Eliminates the columns of one leaf, from the row of its first pivot on. Pivots are counted from that row.
struct Leaf<'a, T> {
    block: &'a mut [T],
    pivots: &'a mut [usize],
    sound: &'a mut bool,
}

impl<T: Real> Kernel<T> for Leaf<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let block = self.block.as_chunks_mut::<LEAF>().0;
        let (mut best, mut at) = (T::zero(), 0);
        for (r, row) in block.iter().enumerate() {
            if row[0].abs() > best {
                (best, at) = (row[0].abs(), r);
            }
        }
        for c in 0..self.pivots.len() {
            self.pivots[c] = at;
            block.swap(c, at);
            let pivot = block[c];
            let inverse = T::one() / pivot[c];
            if best <= T::zero() || !inverse.is_finite() {
                *self.sound = false;
                return;
            }
            let mut less = [T::zero(); LEAF];
            for l in c + 1..LEAF {
                less[l] = -pivot[l];
            }
            let next = (c + 1).min(LEAF - 1);
            (best, at) = (T::zero(), c + 1);
            for (r, row) in block.iter_mut().enumerate().skip(c + 1) {
                let weight = row[c] * inverse;
                for l in 0..LEAF {
                    row[l] = V::fma_one(weight, less[l], row[l]);
                }
                row[c] = weight;
                if row[next].abs() > best {
                    (best, at) = (row[next].abs(), r);
                }
            }
        }
    }
}

/// Takes an eliminated leaf out of one behind it, both from the row of its first pivot on.
struct Behind<'a, T> {
    known: &'a [T],
    block: &'a mut [T],
}

impl<T: Real> Kernel<T> for Behind<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let (top, below) = self.block.as_chunks_mut::<LEAF>().0.split_at_mut(LEAF);
        let (triangle, weights) = self.known.as_chunks::<LEAF>().0.split_at(LEAF);
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
        for (row, weight) in below.iter_mut().zip(weights) {
            let mut sum = *row;
            for k in 0..LEAF {
                for l in 0..LEAF {
                    sum[l] = V::fma_one(weight[k], less[k][l], sum[l]);
                }
            }
            *row = sum;
        }
    }
}

/// Takes a panel out of the columns behind it.
struct Rest<'a, T> {
    /// Rows of the panel's pivots, and those below, of the whole frame.
    top: &'a mut [T],
    below: &'a mut [T],
    upper: &'a mut [T],
    columns: usize,
    first: usize,
    width: usize,
}

impl<T: Real> Kernel<T> for Rest<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let Self { top, below, upper, columns, first, width } = self;
        let last = first + width;
        let rest = columns - last;
        for j in (0..rest).step_by(STRIP) {
            let len = STRIP.min(rest - j);
            for i in 0..width {
                let row = &mut top[i * columns..][..columns];
                let (weights, row) = row.split_at_mut(last);
                let row = &mut row[j..j + len];
                let mut sum = [T::zero(); STRIP];
                sum[..len].copy_from_slice(row);
                for (k, &weight) in weights[first..first + i].iter().enumerate() {
                    let known = &upper[k * rest + j..][..len];
                    for (sum, &u) in sum[..len].iter_mut().zip(known) {
                        *sum = V::fma_one(weight, u, *sum);
                    }
                }
                row.copy_from_slice(&sum[..len]);
                upper[i * rest + j..][..len].iter_mut().zip(&sum).for_each(|(to, &u)| *to = -u);
            }
        }
        let rows = below.len() / columns;
        if rows == 0 {
            return;
        }
        let base = below.as_mut_ptr();
        let product = Product {
            // The panel's own columns are read, those behind it are written.
            a: base.cast_const().wrapping_add(first),
            a_stride: columns,
            b: upper.as_ptr(),
            b_stride: rest,
            c: base.wrapping_add(last),
            c_stride: columns,
        };
        // SAFETY: `below` holds `rows` rows of `columns` numbers, of which `first..last` are `A` and `last..` are `C`, apart
        // from each other; `upper` holds `width` rows of `rest` numbers.
        unsafe { product.run::<V, true>(rows, rest, width, Start::Present) }
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
            prop_assume!(room.factor(&mut after, (1, 0), 1e-10));
            let upper = |i: usize, j: usize| if i <= j { room.signs[i] * room.work[i * columns + j] } else { 0.0 };
            for i in 0..dim {
                for j in 0..columns {
                    let product: f64 = (0..columns).map(|k| after[i * columns + k] * upper(k, j)).sum();
                    prop_assert!((product - before[i * columns + j]).abs() < 1e-12);
                    prop_assert!(after[i * columns + j].abs() <= 1.0);
                }
            }
            // Each pivot's row has nothing behind the pivot: the columns are as good as a triangle.
            for (at, &row) in room.rows.iter().take(columns).enumerate() {
                prop_assert!(after[row * columns + at].abs() == 1.0 && room.diagonal[at] > 0.0);
                prop_assert!(after[row * columns + at + 1..(row + 1) * columns].iter().all(|x| *x == 0.0));
            }
        }
    }

    #[test]
    fn a_frame_of_lesser_rank_and_one_that_is_not_finite_are_left_alone() {
        for (dim, columns) in [(20, 20), (70, 50)] {
            for bad in [0.0, f64::NAN, f64::INFINITY] {
                let mut frame = frame(dim, columns, 1);
                for i in 0..dim {
                    // The last column repeats the first, or holds something else.
                    frame[i * columns + columns - 1] = frame[i * columns] + bad;
                }
                let before = frame.clone();
                assert!(!Elimination::new(dim, columns).factor(&mut frame, (1, 0), 1e-12), "{bad}");
                assert!(frame.iter().zip(&before).all(|(a, b)| a.to_bits() == b.to_bits()));
            }
        }
    }
}
