//! The register tiles that every product is cut into.

use super::vector::{Kernels, Vector, load_several};

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
    /// What each row of the result is multiplied by at the end.
    pub(super) scale: Option<*const T>,
}

/// Inner indices taken at a time, so that the part of `B` under a tile stays in the first cache.
const BLOCK: usize = 128;
/// From so many columns and rows on, packing the factors costs less than it saves: where their rows or columns are a power
/// of two apart, the numbers of a tile would drive each other out of the first cache.
const WIDE: usize = 160;
const HIGH: usize = 8;

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
                block.scale = self.scale.filter(|_| depth == left);
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
                scale: self.scale.map(|scale| scale.add(i)),
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
            let mut sums = self.begin::<V, R, C, PART>(last, start);
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
            self.end::<V, R, C, PART>(sums, last);
        }
    }

    /// Where the chains of a tile begin.
    ///
    /// # Safety
    /// As for `run`.
    #[allow(clippy::needless_range_loop, reason = "indices of constant arrays, to be unrolled")]
    #[inline(always)]
    pub(super) unsafe fn begin<V: Vector<T>, const R: usize, const C: usize, const PART: bool>(
        self,
        last: usize,
        start: Start<T>,
    ) -> [[V; C]; R] {
        let mut sums = [[V::splat(T::ZERO); C]; R];
        // SAFETY: the caller's promise.
        unsafe {
            for r in 0..R {
                match start {
                    Start::Zero => {}
                    Start::Column(bias) => sums[r] = [V::splat(*bias.add(r)); C],
                    Start::Row(bias) => sums[r] = load_several::<T, V, C, PART>(bias, last),
                    Start::Present => sums[r] = load_several::<T, V, C, PART>(self.c.add(r * self.c_stride), last),
                }
            }
        }
        sums
    }

    /// Writes a tile.
    ///
    /// # Safety
    /// As for `run`.
    #[allow(clippy::needless_range_loop, reason = "indices of constant arrays, to be unrolled")]
    #[inline(always)]
    pub(super) unsafe fn end<V: Vector<T>, const R: usize, const C: usize, const PART: bool>(
        self,
        mut sums: [[V; C]; R],
        last: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            if let Some(scale) = self.scale {
                for r in 0..R {
                    let scale = V::splat(*scale.add(r));
                    sums[r] = sums[r].map(|sum| sum.mul(scale));
                }
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
    pub(super) unsafe fn below(self, i: usize) -> Self {
        match self {
            // SAFETY: the caller's promise.
            Start::Column(bias) => Start::Column(unsafe { bias.add(i) }),
            other => other,
        }
    }
}
