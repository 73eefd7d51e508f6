//! Products of large factors, which are packed before.

use super::tile::{Product, Start};
use super::transpose::transpose;
use super::vector::{Kernels, Vector, load_several};
use std::cell::RefCell;

/// Inner indices taken at a time: the strip of `B` under a tile stays in the second cache.
const DEEP: usize = 512;
/// Rows of `A` that are packed at a time.
const PACKED: usize = 96;

/// A cache line of room.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[allow(dead_code, reason = "room for numbers of any kind")] [u8; 64]);

thread_local! {
    /// Room for packed factors and for the lists of inner indices, kept from one product to the next.
    static ROOM: RefCell<(Vec<Line>, Vec<u32>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

impl<T: Kernels> Product<T> {
    /// [`run`](Self::run) with the factors copied as the tiles take them: of `B` columns of a tile's width one after another,
    /// of `A` rows of a tile's height (Goto & van de Geijn 2008, ACM Trans. Math. Softw. 34, 12). Unless `ROWS`, inner indices
    /// where all columns of a tile have a zero are left out.
    ///
    /// # Safety
    /// As for `run`.
    #[inline(always)]
    pub(super) unsafe fn run_packed<V: Vector<T>, const ROWS: bool>(
        self,
        m: usize,
        n: usize,
        inner: usize,
        start: Start<T>,
    ) {
        let deep = inner.min(DEEP);
        let lines = ((m.min(PACKED) + n) * deep * size_of::<T>()).div_ceil(size_of::<Line>());
        // Taken out and put back: a closure would not be compiled for the caller's instructions.
        let (mut room, mut lists) = ROOM.take();
        if room.len() < lines {
            room.resize(lines, Line([0; 64]));
        }
        let packed_a = room.as_mut_ptr().cast::<T>();
        // SAFETY: the room holds `m.min(PACKED) · deep` numbers of `A` and behind them `n · deep` of `B`.
        let packed_b = unsafe { packed_a.add(m.min(PACKED) * deep) };
        let high = highest::<T, V>();
        let widest = 3 * V::N;
        let mut done = 0;
        loop {
            let depth = (inner - done).min(DEEP);
            let from = if done == 0 { start } else { Start::Present };
            lists.clear();
            // SAFETY: inner indices `done..done + depth` lie in `B`, whose rows have `n` numbers; they fit into the room.
            unsafe {
                for j in (0..n).step_by(widest) {
                    let width = widest.min(n - j);
                    let mut to = packed_b.add(j * depth);
                    let begun = lists.len();
                    lists.push(0);
                    for k in 0..depth {
                        let row = self.b.add((done + k) * self.b_stride + j);
                        row.copy_to_nonoverlapping(to, width);
                        if ROWS || counts::<T, V>(row, width) {
                            lists.push(k as u32);
                            to = to.add(width);
                        }
                    }
                    lists[begun] = (lists.len() - begun - 1) as u32;
                }
            }
            for first in (0..m).step_by(PACKED) {
                let rows = (m - first).min(PACKED);
                // SAFETY: rows `first..first + rows` and inner indices `done..done + depth` lie in `A`; `rows · depth` numbers
                // fit into the room. What tiles read was written; strips stay within the `n` columns.
                unsafe {
                    let a = self.a.add(if ROWS { first * self.a_stride + done } else { first + done * self.a_stride });
                    pack_rows::<T, V, ROWS>(a, self.a_stride, rows, depth, high, packed_a);
                    let mut lists = &lists[..];
                    for j in (0..n).step_by(widest) {
                        let (list, behind) = lists[1..].split_at(lists[0] as usize);
                        lists = behind;
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
                            scale: self.scale.filter(|_| done + depth == inner).map(|scale| scale.add(first)),
                        };
                        let from = from.below(first);
                        match (taken, last == V::N) {
                            (1, true) => strip.panels::<V, 1, false>(rows, depth, list, last, from),
                            (1, false) => strip.panels::<V, 1, true>(rows, depth, list, last, from),
                            (2, true) => strip.panels::<V, 2, false>(rows, depth, list, last, from),
                            (2, false) => strip.panels::<V, 2, true>(rows, depth, list, last, from),
                            (_, true) => strip.panels::<V, 3, false>(rows, depth, list, last, from),
                            (_, false) => strip.panels::<V, 3, true>(rows, depth, list, last, from),
                        }
                    }
                }
            }
            done += depth;
            if done == inner {
                break;
            }
        }
        ROOM.set((room, lists));
    }

    /// All rows of packed panels, `C` vectors of columns, over the inner indices listed.
    ///
    /// # Safety
    /// As for `run`; `a` holds panels of the heights that `run_packed` chooses.
    #[inline(always)]
    unsafe fn panels<V: Vector<T>, const C: usize, const PART: bool>(
        self,
        rows: usize,
        depth: usize,
        list: &[u32],
        last: usize,
        start: Start<T>,
    ) {
        let high = highest::<T, V>();
        let mut i = 0;
        while i < rows {
            let panel = height(rows - i, high);
            // SAFETY: the panel of rows `i..i + panel` begins at `i · depth`.
            unsafe {
                let product = Product {
                    a: self.a.add(i * depth),
                    a_stride: panel,
                    c: self.c.add(i * self.c_stride),
                    scale: self.scale.map(|scale| scale.add(i)),
                    ..self
                };
                let start = start.below(i);
                match panel {
                    8 => product.listed::<V, 8, C, PART>(list, last, start),
                    4 => product.listed::<V, 4, C, PART>(list, last, start),
                    2 => product.listed::<V, 2, C, PART>(list, last, start),
                    _ => product.listed::<V, 1, C, PART>(list, last, start),
                }
            }
            i += panel;
        }
    }

    /// [`tile`](Self::tile) of packed factors over the inner indices listed, whose rows of `B` lie one after another.
    ///
    /// # Safety
    /// As for `run`.
    #[allow(clippy::needless_range_loop, reason = "indices of constant arrays, to be unrolled")]
    #[inline(always)]
    unsafe fn listed<V: Vector<T>, const R: usize, const C: usize, const PART: bool>(
        self,
        list: &[u32],
        last: usize,
        start: Start<T>,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = self.begin::<V, R, C, PART>(last, start);
            let mut b = self.b;
            for &k in list {
                let a = self.a.add(k as usize * R);
                let row = load_several::<T, V, C, PART>(b, last);
                for r in 0..R {
                    let factor = V::splat(*a.add(r));
                    for c in 0..C {
                        sums[r][c] = factor.fma(row[c], sums[r][c]);
                    }
                }
                b = b.add(self.b_stride);
            }
            self.end::<V, R, C, PART>(sums, last);
        }
    }
}

/// Most rows of a panel of `A`.
#[inline(always)]
const fn highest<T: Kernels, V: Vector<T>>() -> usize {
    if V::REGISTERS > 16 { 8 } else { 4 }
}

/// Whether any of `width` numbers is not zero.
///
/// # Safety
/// They can be read.
#[inline(always)]
unsafe fn counts<T: Kernels, V: Vector<T>>(row: *const T, width: usize) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        if width == 3 * V::N {
            let [a, b, c]: [V; 3] = std::array::from_fn(|c| V::load(row.add(c * V::N)).abs());
            // What is not a number is not zero either.
            V::bits(V::not(a.add(b).add(c).less_or_equal(V::splat(T::ZERO)))) != 0
        } else {
            !(0..width).all(|j| *row.add(j) == T::ZERO)
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
