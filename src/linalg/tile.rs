//! The register tiles that every product is cut into.

use super::vector::{Kernels, Vector, load_several};
use std::cell::RefCell;

/// Where the chains of a product begin.
#[derive(Clone, Copy)]
pub(super) enum Start<T> {
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
pub(super) struct Product<T> {
    pub(super) a: *const T,
    pub(super) a_stride: usize,
    pub(super) b: *const T,
    pub(super) b_stride: usize,
    pub(super) c: *mut T,
    pub(super) c_stride: usize,
}

/// Inner indices taken at a time, so that the part of `B` under a tile stays in the first cache.
const BLOCK: usize = 128;
/// The same where both factors are packed: the next cache then keeps up, and the result is gone over half as often.
const DEEP: usize = 512;
/// Rows of `A` that are packed at a time.
const PACKED: usize = 96;
/// From so many columns and rows on, packing the factors costs less than it saves: where their rows or columns are a power
/// of two apart, the numbers of a tile would drive each other out of the first cache.
const WIDE: usize = 160;
const HIGH: usize = 8;

/// A cache line of room.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[allow(dead_code, reason = "room for numbers of any kind")] [u8; 64]);

thread_local! {
    /// Room for packed factors, kept from one product to the next.
    static ROOM: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

impl<T: Kernels> Product<T> {
    /// The whole product, `m × n` over `inner`. Element `(i, k)` of `A` is at `i·stride + k` if `ROWS`, else at
    /// `i + k·stride`.
    ///
    /// # Safety
    /// All elements of `A`, `B`, `C` and of the start lie in live memory, and `C` overlaps nothing.
    #[inline(always)]
    pub(super) unsafe fn run<V: Vector<T>, const ROWS: bool>(self, m: usize, n: usize, inner: usize, start: Start<T>) {
        if n >= WIDE && m >= HIGH {
            // SAFETY: the caller's promise.
            return unsafe { self.run_packed::<V, ROWS>(m, n, inner, start) };
        }
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

    /// [`run`](Self::run) with the factors copied as the tiles take them: of `B` columns of a tile's width one after another,
    /// of `A` rows of a tile's height (Goto & van de Geijn 2008, ACM Trans. Math. Softw. 34, 12).
    ///
    /// # Safety
    /// As for `run`.
    #[inline(always)]
    unsafe fn run_packed<V: Vector<T>, const ROWS: bool>(self, m: usize, n: usize, inner: usize, start: Start<T>) {
        let deep = inner.min(DEEP);
        let lines = ((m.min(PACKED) + n) * deep * size_of::<T>()).div_ceil(size_of::<Line>());
        // Taken out and put back: a closure would not be compiled for the caller's instructions.
        let mut room = ROOM.take();
        if room.len() < lines {
            room.resize(lines, Line([0; 64]));
        }
        let packed_a = room.as_mut_ptr().cast::<T>();
        // SAFETY: the room holds `m.min(PACKED) · deep` numbers of `A` and behind them `n · deep` of `B`.
        let packed_b = unsafe { packed_a.add(m.min(PACKED) * deep) };
        let high = if V::REGISTERS > 16 { 8 } else { 4 };
        let widest = 3 * V::N;
        let mut done = 0;
        loop {
            let depth = (inner - done).min(DEEP);
            let from = if done == 0 { start } else { Start::Present };
            // SAFETY: inner indices `done..done + depth` lie in `B`, whose rows have `n` numbers; they fit into the room.
            unsafe {
                for k in 0..depth {
                    let row = self.b.add((done + k) * self.b_stride);
                    for j in (0..n).step_by(widest) {
                        let width = widest.min(n - j);
                        row.add(j).copy_to_nonoverlapping(packed_b.add(j * depth + k * width), width);
                    }
                }
            }
            for first in (0..m).step_by(PACKED) {
                let rows = (m - first).min(PACKED);
                // SAFETY: rows `first..first + rows` and inner indices `done..done + depth` lie in `A`; `rows · depth` numbers
                // fit into the room. What tiles read was written; strips stay within the `n` columns.
                unsafe {
                    let a = self.a.add(if ROWS { first * self.a_stride + done } else { first + done * self.a_stride });
                    pack_rows::<T, V, ROWS>(a, self.a_stride, rows, depth, high, packed_a);
                    for j in (0..n).step_by(widest) {
                        let width = widest.min(n - j);
                        let taken = width.div_ceil(V::N);
                        let last = width - (taken - 1) * V::N;
                        let strip = Product {
                            a: packed_a.cast_const(),
                            a_stride: 0,
                            b: packed_b.add(j * depth).cast_const(),
                            b_stride: width,
                            c: self.c.add(first * self.c_stride + j),
                            c_stride: self.c_stride,
                        };
                        let from = from.below(first);
                        match (taken, last == V::N) {
                            (1, true) => strip.panels::<V, 1, false>(rows, depth, last, from),
                            (1, false) => strip.panels::<V, 1, true>(rows, depth, last, from),
                            (2, true) => strip.panels::<V, 2, false>(rows, depth, last, from),
                            (2, false) => strip.panels::<V, 2, true>(rows, depth, last, from),
                            (_, true) => strip.panels::<V, 3, false>(rows, depth, last, from),
                            (_, false) => strip.panels::<V, 3, true>(rows, depth, last, from),
                        }
                    }
                }
            }
            done += depth;
            if done == inner {
                break;
            }
        }
        ROOM.set(room);
    }

    /// All rows of packed panels, `C` vectors of columns.
    ///
    /// # Safety
    /// As for `run`; `a` holds panels of the heights that `run_packed` chooses.
    #[inline(always)]
    unsafe fn panels<V: Vector<T>, const C: usize, const PART: bool>(
        self,
        rows: usize,
        depth: usize,
        last: usize,
        start: Start<T>,
    ) {
        let high = if V::REGISTERS > 16 { 8 } else { 4 };
        let mut i = 0;
        while i < rows {
            let panel = height(rows - i, high);
            // SAFETY: the panel of rows `i..i + panel` begins at `i · depth`.
            unsafe {
                let product =
                    Product { a: self.a.add(i * depth), a_stride: panel, c: self.c.add(i * self.c_stride), ..self };
                let start = start.below(i);
                match panel {
                    8 => product.tile::<V, false, 8, C, PART>(depth, last, start),
                    4 => product.tile::<V, false, 4, C, PART>(depth, last, start),
                    2 => product.tile::<V, false, 2, C, PART>(depth, last, start),
                    _ => product.tile::<V, false, 1, C, PART>(depth, last, start),
                }
            }
            i += panel;
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
    pub(super) unsafe fn row<V: Vector<T>>(self, n: usize, inner: usize, start: Start<T>) {
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
                            // `taken` is 1 to 8: at most 8, or half of 9 to 11.
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
    pub(super) unsafe fn sum_rows<V: Vector<T>>(self, n: usize, depth: usize) {
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

/// Writes `rows` rows of `columns` numbers as `columns` rows of `rows` numbers, one after another.
///
/// # Safety
/// The rows, `stride` apart, can be read, and `rows · columns` numbers can be written at `to`.
#[inline(always)]
pub(super) unsafe fn transpose<T: Kernels, V: Vector<T>>(
    from: *const T,
    stride: usize,
    rows: usize,
    columns: usize,
    to: *mut T,
) {
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

/// Copies `rows` rows of `A`, `depth` numbers each, into panels of the heights that [`height`] chooses, each panel column by
/// column.
///
/// # Safety
/// The rows can be read as `ROWS` says, and `rows · depth` numbers can be written at `to`.
#[inline(always)]
unsafe fn pack_rows<T: Kernels, V: Vector<T>, const ROWS: bool>(
    from: *const T,
    stride: usize,
    rows: usize,
    depth: usize,
    high: usize,
    to: *mut T,
) {
    // SAFETY: the caller's promise; panels lie one after another.
    unsafe {
        if ROWS {
            let mut i = 0;
            while i < rows {
                let panel = height(rows - i, high);
                transpose::<T, V>(from.add(i * stride), stride, panel, depth, to.add(i * depth));
                i += panel;
            }
            return;
        }
        // Along the columns, as they lie in memory.
        let even = rows - rows % high;
        for k in 0..depth {
            let column = from.add(k * stride);
            for i in (0..even).step_by(high) {
                let to = to.add(i * depth + k * high);
                if high == 8 {
                    to.cast::<[T; 8]>().write_unaligned(column.add(i).cast::<[T; 8]>().read_unaligned());
                } else {
                    column.add(i).copy_to_nonoverlapping(to, high);
                }
            }
            let mut i = even;
            while i < rows {
                let panel = height(rows - i, high);
                column.add(i).copy_to_nonoverlapping(to.add(i * depth + k * panel), panel);
                i += panel;
            }
        }
    }
}

/// The height of the next panel where so many rows are left.
#[inline(always)]
fn height(left: usize, high: usize) -> usize {
    if left >= high {
        high
    } else if left >= 4 {
        4
    } else if left >= 2 {
        2
    } else {
        1
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
