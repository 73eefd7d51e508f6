//! The three products of a layer: forward, backward, and onto the weights.
//!
//! All three are one loop nest over tiles of registers. Each element of a result is one chain of fused multiply-adds over
//! the inner index in order; tiles, blocks and the shape of the work decide only which chains run side by side.

use super::dispatch::{Kernel, dispatch};
use super::vector::{Kernels, Vector, load_several};
use crate::Real;
use std::mem::MaybeUninit;

/// `out = W·x + b` for every lane: `W` is `rows × inner` column by column, `b` has `rows` numbers (or none), `x` is
/// `inner × lanes`, `out` is `rows × lanes`.
///
/// Element `(i, l)` is the chain `fma(W[i,k], x[k,l], …)` over `k` in order, begun at `b[i]` (or zero): its bits do not
/// depend on `lanes` or `l`. Costs `2·rows·inner·lanes` operations, allocates nothing.
pub fn affine<T: Real>(w: &[T], b: &[T], x: &[T], out: &mut [T], lanes: usize) {
    let (rows, inner) = (out.len() / lanes, x.len() / lanes);
    debug_assert!(out.len() == rows * lanes && x.len() == inner * lanes && w.len() == rows * inner);
    debug_assert!(b.is_empty() || b.len() == rows);
    assert!(w.len() >= rows * inner && (b.is_empty() || b.len() >= rows));
    dispatch(Affine { w, b, x, out, lanes });
}

/// `out += Wᵀ·y` for every lane: `W` is `rows × inner` column by column, `y` is `rows × lanes`, `out` is `inner × lanes`.
///
/// Element `(k, l)` is the chain `fma(W[i,k], y[i,l], …)` over `i` in order, begun at the present `out[k,l]`: its bits do
/// not depend on `lanes` or `l`. Costs `2·rows·inner·lanes` operations, allocates nothing.
pub fn transposed_add<T: Real>(w: &[T], y: &[T], out: &mut [T], lanes: usize) {
    let (rows, inner) = (y.len() / lanes, out.len() / lanes);
    debug_assert!(y.len() == rows * lanes && out.len() == inner * lanes && w.len() == rows * inner);
    assert!(w.len() >= rows * inner);
    dispatch(TransposedAdd { w, y, out, lanes });
}

/// `dw += y·xᵀ` summed over lanes, and `db += y` summed over lanes (`db` may be empty): `y` is `rows × lanes`, `x` is
/// `inner × lanes`, `dw` is `rows × inner` column by column, `db` has `rows` numbers.
///
/// Every sum is one chain over the lanes in order, begun at the present value: adding the lanes one call at a time gives
/// the same bits. Costs `2·rows·inner·lanes` operations, allocates nothing.
pub fn outer_add<T: Real>(y: &[T], x: &[T], dw: &mut [T], db: &mut [T], lanes: usize) {
    let (rows, inner) = (y.len() / lanes, x.len() / lanes);
    debug_assert!(y.len() == rows * lanes && x.len() == inner * lanes && dw.len() == rows * inner);
    debug_assert!(db.is_empty() || db.len() == rows);
    assert!(dw.len() >= rows * inner && (db.is_empty() || db.len() == rows));
    dispatch(OuterAdd { y, x, dw, db, lanes });
}

pub(super) struct Affine<'a, T> {
    pub w: &'a [T],
    pub b: &'a [T],
    pub x: &'a [T],
    pub out: &'a mut [T],
    pub lanes: usize,
}

impl<T: Kernels> Kernel<T> for Affine<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let lanes = self.lanes;
        let (rows, inner) = (self.out.len() / lanes, self.x.len() / lanes);
        // SAFETY: the shapes were checked by `affine`; `out` is borrowed mutably, so it overlaps nothing.
        unsafe {
            if lanes == 1 {
                // A lone lane takes the columns of W as rows of vectors; the chains are the same.
                let start = if self.b.is_empty() { Start::Zero } else { Start::Row(self.b.as_ptr()) };
                let product = Product {
                    a: self.x.as_ptr(),
                    a_stride: 1,
                    b: self.w.as_ptr(),
                    b_stride: rows,
                    c: self.out.as_mut_ptr(),
                    c_stride: rows,
                };
                return product.row::<V>(rows, inner, start);
            }
            let start = if self.b.is_empty() { Start::Zero } else { Start::Column(self.b.as_ptr()) };
            let product = Product {
                a: self.w.as_ptr(),
                a_stride: rows,
                b: self.x.as_ptr(),
                b_stride: lanes,
                c: self.out.as_mut_ptr(),
                c_stride: lanes,
            };
            product.run::<V, false>(rows, lanes, inner, start);
        }
    }
}

pub(super) struct TransposedAdd<'a, T> {
    pub w: &'a [T],
    pub y: &'a [T],
    pub out: &'a mut [T],
    pub lanes: usize,
}

impl<T: Kernels> Kernel<T> for TransposedAdd<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let lanes = self.lanes;
        let (rows, inner) = (self.y.len() / lanes, self.out.len() / lanes);
        if lanes == 1 {
            return dot_columns::<T, V>(self.w, self.y, self.out);
        }
        let product = Product {
            a: self.w.as_ptr(),
            a_stride: rows,
            b: self.y.as_ptr(),
            b_stride: lanes,
            c: self.out.as_mut_ptr(),
            c_stride: lanes,
        };
        // SAFETY: the shapes were checked by `transposed_add`; `out` is borrowed mutably, so it overlaps nothing.
        unsafe { product.run::<V, true>(inner, lanes, rows, Start::Present) }
    }
}

/// `out += Wᵀ·y` of one lane, with eight chains at once, as one alone would wait for itself.
#[inline(always)]
fn dot_columns<T: Kernels, V: Vector<T>>(w: &[T], y: &[T], out: &mut [T]) {
    const CHAINS: usize = 8;
    let rows = y.len();
    let mut k = 0;
    while k + CHAINS <= out.len() {
        let columns: [&[T]; CHAINS] = std::array::from_fn(|c| &w[(k + c) * rows..][..rows]);
        let mut sums: [T; CHAINS] = std::array::from_fn(|c| out[k + c]);
        for (i, &y) in y.iter().enumerate() {
            for c in 0..CHAINS {
                sums[c] = V::fma_one(columns[c][i], y, sums[c]);
            }
        }
        out[k..k + CHAINS].copy_from_slice(&sums);
        k += CHAINS;
    }
    for (k, out) in out.iter_mut().enumerate().skip(k) {
        for (&w, &y) in w[k * rows..][..rows].iter().zip(y) {
            *out = V::fma_one(w, y, *out);
        }
    }
}

/// Rows and columns of the part of a matrix that is transposed at a time.
const TILE_LONG: usize = 64;
const TILE_SHORT: usize = 32;

/// Room for a transposed part.
type Room<T> = [MaybeUninit<T>; TILE_LONG * TILE_SHORT];

/// Writes `rows` rows of `columns` numbers as `columns` rows of `rows` numbers, one after another.
///
/// # Safety
/// The rows, `stride` apart, can be read, and `rows · columns` numbers can be written at `to`.
#[inline(always)]
unsafe fn transpose<T: Kernels, V: Vector<T>>(from: *const T, stride: usize, rows: usize, columns: usize, to: *mut T) {
    let (tall, wide) = (rows - rows % 4, columns - columns % 4);
    // SAFETY: squares of four lie in the part; the loops over single numbers cover what they leave.
    unsafe {
        for i in (0..tall).step_by(4) {
            for j in (0..wide).step_by(4) {
                V::transpose_four(from.add(i * stride + j), stride, to.add(j * rows + i), rows);
            }
            for j in wide..columns {
                for i in i..i + 4 {
                    *to.add(j * rows + i) = *from.add(i * stride + j);
                }
            }
        }
        for i in tall..rows {
            for j in 0..columns {
                *to.add(j * rows + i) = *from.add(i * stride + j);
            }
        }
    }
}

pub(super) struct OuterAdd<'a, T> {
    pub y: &'a [T],
    pub x: &'a [T],
    pub dw: &'a mut [T],
    pub db: &'a mut [T],
    pub lanes: usize,
}

impl<T: Kernels> Kernel<T> for OuterAdd<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let lanes = self.lanes;
        let (rows, inner) = (self.y.len() / lanes, self.x.len() / lanes);
        if lanes == 1 && rows > TILE_LONG {
            // Column after column, as they lie in memory.
            let one = T::ONE;
            let bias = (self.db.len() == rows).then_some((&one, self.db));
            let columns = self.x.iter().zip(self.dw.chunks_exact_mut(rows.max(1)));
            for (x, column) in columns.chain(bias) {
                let product = Product {
                    a: x,
                    a_stride: 1,
                    b: self.y.as_ptr(),
                    b_stride: rows,
                    c: column.as_mut_ptr(),
                    c_stride: rows,
                };
                // SAFETY: `column` has `rows` numbers, as `y` has.
                unsafe { product.row::<V>(rows, 1, Start::Present) }
            }
            return;
        }
        let mut room: Room<T> = [MaybeUninit::uninit(); TILE_LONG * TILE_SHORT];
        let room = room.as_mut_ptr().cast::<T>();
        for first in (0..rows).step_by(TILE_LONG) {
            let tall = (rows - first).min(TILE_LONG);
            for lane in (0..lanes).step_by(TILE_SHORT) {
                let deep = (lanes - lane).min(TILE_SHORT);
                // SAFETY: `outer_add` has checked the shapes. Rows `first..first + tall` of lanes `lane..lane + deep` lie in
                // `y`; they are copied into `deep` rows of `tall <= TILE_LONG` numbers of `room`, of which only those are
                // read. Columns of `dw` are `rows` apart and hold those rows.
                unsafe {
                    transpose::<T, V>(self.y.as_ptr().add(first * lanes + lane), lanes, tall, deep, room);
                    let tile = room.cast_const();
                    let product = Product {
                        a: self.x.as_ptr().add(lane),
                        a_stride: lanes,
                        b: tile,
                        b_stride: tall,
                        c: self.dw.as_mut_ptr().add(first),
                        c_stride: rows,
                    };
                    product.run::<V, true>(inner, tall, deep, Start::Present);
                    if !self.db.is_empty() {
                        let one = T::ONE;
                        let bias = Product {
                            a: &one,
                            a_stride: 0,
                            b: tile,
                            b_stride: tall,
                            c: self.db.as_mut_ptr().add(first),
                            c_stride: rows,
                        };
                        bias.sum_rows::<V>(tall, deep);
                    }
                }
            }
        }
    }
}

/// Where the chains of a product begin.
#[derive(Clone, Copy)]
enum Start<T> {
    Zero,
    /// At a number for each row.
    Column(*const T),
    /// At a number for each column.
    Row(*const T),
    /// At what the result holds.
    Present,
}

/// `C (+)= A·B`: rows of `B` and `C` are contiguous and run along vectors, numbers of `A` are spread over vectors.
#[derive(Clone, Copy)]
struct Product<T> {
    a: *const T,
    a_stride: usize,
    b: *const T,
    b_stride: usize,
    c: *mut T,
    c_stride: usize,
}

/// Inner indices taken at a time, so that the part of `B` under a tile stays in the first cache.
const BLOCK: usize = 128;

impl<T: Kernels> Product<T> {
    /// The whole product, `m × n` over `inner`. Element `(i, k)` of `A` is at `i·stride + k` if `ROWS`, else at
    /// `i + k·stride`.
    ///
    /// # Safety
    /// All elements of `A`, `B`, `C` and of the start lie in live memory, and `C` overlaps nothing.
    #[inline(always)]
    unsafe fn run<V: Vector<T>, const ROWS: bool>(self, m: usize, n: usize, inner: usize, start: Start<T>) {
        let mut start = start;
        let mut block = self;
        let mut left = inner;
        // SAFETY: every strip stays within the `m × n` of `C`, and every block within `inner`.
        unsafe {
            loop {
                let depth = left.min(BLOCK);
                let mut j = 0;
                while j < n {
                    let vectors = (n - j).div_ceil(V::N);
                    let taken = match vectors {
                        1 => 1,
                        2 | 4 => 2,
                        _ => 3,
                    };
                    let width = (taken * V::N).min(n - j);
                    let last = width - (taken - 1) * V::N;
                    let strip = Product { b: block.b.add(j), c: block.c.add(j), ..block };
                    match taken {
                        1 => strip.strip::<V, ROWS, 1>(m, depth, last, start),
                        2 => strip.strip::<V, ROWS, 2>(m, depth, last, start),
                        _ => strip.strip::<V, ROWS, 3>(m, depth, last, start),
                    }
                    j += width;
                }
                left -= depth;
                if left == 0 {
                    break;
                }
                block.a = block.a.add(if ROWS { depth } else { depth * self.a_stride });
                block.b = block.b.add(depth * self.b_stride);
                start = Start::Present;
            }
        }
    }

    /// `C` vectors of columns, all rows; the last vector has `last` numbers.
    ///
    /// # Safety
    /// As for `run`.
    #[inline(always)]
    unsafe fn strip<V: Vector<T>, const ROWS: bool, const C: usize>(
        self,
        m: usize,
        depth: usize,
        last: usize,
        start: Start<T>,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            if last == V::N {
                self.rows::<V, ROWS, C, false>(m, depth, last, start)
            } else {
                self.rows::<V, ROWS, C, true>(m, depth, last, start)
            }
        }
    }

    /// # Safety
    /// As for `run`.
    #[inline(always)]
    unsafe fn rows<V: Vector<T>, const ROWS: bool, const C: usize, const PART: bool>(
        self,
        m: usize,
        depth: usize,
        last: usize,
        start: Start<T>,
    ) {
        let mut i = 0;
        // SAFETY: rows `i..i + R` are among the `m`.
        unsafe {
            if C == 1 || V::REGISTERS > 16 {
                while i + 8 <= m {
                    self.below::<ROWS>(i).tile::<V, ROWS, 8, C, PART>(depth, last, start.below(i));
                    i += 8;
                }
            } else if C == 2 {
                while i + 6 <= m {
                    self.below::<ROWS>(i).tile::<V, ROWS, 6, C, PART>(depth, last, start.below(i));
                    i += 6;
                }
            }
            while i + 4 <= m {
                self.below::<ROWS>(i).tile::<V, ROWS, 4, C, PART>(depth, last, start.below(i));
                i += 4;
            }
            if i + 2 <= m {
                self.below::<ROWS>(i).tile::<V, ROWS, 2, C, PART>(depth, last, start.below(i));
                i += 2;
            }
            if i < m {
                self.below::<ROWS>(i).tile::<V, ROWS, 1, C, PART>(depth, last, start.below(i));
            }
        }
    }

    /// The product from row `i` on.
    ///
    /// # Safety
    /// There are at least `i` rows.
    #[inline(always)]
    unsafe fn below<const ROWS: bool>(self, i: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            Product {
                a: self.a.add(if ROWS { i * self.a_stride } else { i }),
                c: self.c.add(i * self.c_stride),
                ..self
            }
        }
    }

    /// A product of one row: `1 × n` over `inner`, with as many vectors side by side as there are registers.
    ///
    /// # Safety
    /// As for `run`.
    #[inline(always)]
    unsafe fn row<V: Vector<T>>(self, n: usize, inner: usize, start: Start<T>) {
        let mut j = 0;
        // SAFETY: tiles stay within the `n` columns.
        unsafe {
            while j < n {
                let vectors = (n - j).div_ceil(V::N);
                let taken = if vectors > 8 && vectors < 12 { vectors.div_ceil(2) } else { vectors.min(8) };
                let width = (taken * V::N).min(n - j);
                let last = width - (taken - 1) * V::N;
                let strip = Product { b: self.b.add(j), c: self.c.add(j), ..self };
                let start = match start {
                    Start::Row(b) => Start::Row(b.add(j)),
                    other => other,
                };
                macro_rules! take {
                    ($($c:literal)*) => {
                        match (taken, last == V::N) {
                            $(
                                ($c, true) => strip.tile::<V, true, 1, $c, false>(inner, last, start),
                                ($c, false) => strip.tile::<V, true, 1, $c, true>(inner, last, start),
                            )*
                            _ => unreachable!(),
                        }
                    };
                }
                take!(1 2 3 4 5 6 7 8);
                j += width;
            }
        }
    }

    /// `C += Σ` of the rows of `B`, one row of `n` numbers.
    ///
    /// # Safety
    /// As for `run`.
    #[inline(always)]
    unsafe fn sum_rows<V: Vector<T>>(self, n: usize, depth: usize) {
        // SAFETY: the numbers from column `j` on are there.
        unsafe {
            let full = n - n % V::N;
            for j in (0..full).step_by(V::N) {
                let mut sum = V::load(self.c.add(j));
                for k in 0..depth {
                    sum = sum.add(V::load(self.b.add(k * self.b_stride + j)));
                }
                sum.store(self.c.add(j));
            }
            if full < n {
                let mut sum = V::load_part(self.c.add(full), n - full);
                for k in 0..depth {
                    sum = sum.add(V::load_part(self.b.add(k * self.b_stride + full), n - full));
                }
                sum.store_part(self.c.add(full), n - full);
            }
        }
    }

    /// `R` rows by `C` vectors of the result, in registers while the inner index runs. If `PART`, the last vector has only
    /// `last` numbers.
    ///
    /// # Safety
    /// As for `run`.
    #[allow(clippy::needless_range_loop, reason = "indices of constant arrays, to be unrolled")]
    #[inline(always)]
    unsafe fn tile<V: Vector<T>, const ROWS: bool, const R: usize, const C: usize, const PART: bool>(
        self,
        depth: usize,
        last: usize,
        start: Start<T>,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[V::splat(T::ZERO); C]; R];
            for r in 0..R {
                match start {
                    Start::Zero => {}
                    Start::Column(bias) => sums[r] = [V::splat(*bias.add(r)); C],
                    Start::Row(bias) => sums[r] = load_several::<T, V, C, PART>(bias, last),
                    Start::Present => sums[r] = load_several::<T, V, C, PART>(self.c.add(r * self.c_stride), last),
                }
            }
            let (mut a, mut b) = (self.a, self.b);
            for _ in 0..depth {
                let row = load_several::<T, V, C, PART>(b, last);
                for r in 0..R {
                    let factor = V::splat(*a.add(if ROWS { r * self.a_stride } else { r }));
                    for c in 0..C {
                        sums[r][c] = factor.fma(row[c], sums[r][c]);
                    }
                }
                a = a.add(if ROWS { 1 } else { self.a_stride });
                b = b.add(self.b_stride);
            }
            for r in 0..R {
                for c in 0..C {
                    let to = self.c.add(r * self.c_stride + c * V::N);
                    if PART && c == C - 1 { sums[r][c].store_part(to, last) } else { sums[r][c].store(to) }
                }
            }
        }
    }
}

impl<T> Start<T> {
    /// The start from row `i` on.
    ///
    /// # Safety
    /// There are at least `i` rows.
    #[inline(always)]
    unsafe fn below(self, i: usize) -> Self {
        match self {
            // SAFETY: the caller's promise.
            Start::Column(bias) => Start::Column(unsafe { bias.add(i) }),
            other => other,
        }
    }
}
