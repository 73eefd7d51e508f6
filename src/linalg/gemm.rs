//! The three products of a layer: forward, backward, and onto the weights.
//!
//! All three are one loop nest over tiles of registers. Each element of a result is one chain of fused multiply-adds over
//! the inner index in order; tiles, blocks and the shape of the work decide only which chains run side by side. Wide products
//! leave out terms whose factor is zero in all lanes of a tile: with finite weights only the sign of a zero can tell.
//! They keep room for packed factors, a thread each, from one call to the next.

use super::block::Blocks;
use super::dispatch::{Kernel, dispatch};
use super::tile::{Product, Start};
use super::transpose::transpose;
use super::vector::{Kernels, Vector};
use crate::Real;
use std::mem::MaybeUninit;

/// `out = W·x + b` for every lane: `W` is `rows × inner` column by column, `b` has `rows` numbers (or none), `x` is
/// `inner × lanes`, `out` is `rows × lanes`.
///
/// Element `(i, l)` is the chain `fma(W[i,k], x[k,l], …)` over `k` in order, begun at `b[i]` (or zero): its bits do not
/// depend on `lanes` or `l`. Costs `2·rows·inner·lanes` operations.
pub fn affine<T: Real>(w: &[T], b: &[T], x: &[T], out: &mut [T], lanes: usize) {
    let (rows, inner) = (out.len() / lanes, x.len() / lanes);
    debug_assert!(out.len() == rows * lanes && x.len() == inner * lanes && w.len() == rows * inner);
    debug_assert!(b.is_empty() || b.len() == rows);
    assert!(w.len() >= rows * inner && (b.is_empty() || b.len() >= rows));
    dispatch(Affine { w, b, x, out, lanes, add: false, scale: &[] });
}

/// `out += W·x` for every lane, shapes as for [`affine`].
///
/// Element `(i, l)` is the chain `fma(W[i,k], x[k,l], …)` over `k` in order, begun at the present `out[i,l]`: after an
/// [`affine`] of other arguments it goes on as if all arguments stood in one block.
pub fn affine_add<T: Real>(w: &[T], x: &[T], out: &mut [T], lanes: usize) {
    let (rows, inner) = (out.len() / lanes, x.len() / lanes);
    debug_assert!(out.len() == rows * lanes && x.len() == inner * lanes && w.len() == rows * inner);
    assert!(w.len() >= rows * inner);
    dispatch(Affine { w, b: &[], x, out, lanes, add: true, scale: &[] });
}

/// `out = d ⊙ (W·x)` for every lane, or `d ⊙ (out + W·x)` if `add`: one number of `d` for each row, shapes as for [`affine`].
///
/// Element `(i, l)` is the chain that [`affine`] or [`affine_add`] gives, multiplied by `d[i]`. Saves a pass over `out`,
/// which costs as much as some hundredth of the product where `out` does not fit into the caches.
pub fn affine_scaled<T: Real>(w: &[T], x: &[T], d: &[T], out: &mut [T], lanes: usize, add: bool) {
    let (rows, inner) = (out.len() / lanes, x.len() / lanes);
    debug_assert!(out.len() == rows * lanes && x.len() == inner * lanes && w.len() == rows * inner);
    assert!(w.len() >= rows * inner && d.len() == rows);
    if lanes == 1 {
        dispatch(Affine { w, b: &[], x, out, lanes, add, scale: &[] });
        out.iter_mut().zip(d).for_each(|(out, &d)| *out *= d);
    } else {
        dispatch(Affine { w, b: &[], x, out, lanes, add, scale: d });
    }
}

/// `out += Wᵀ·y` for every lane: `W` is `rows × inner` column by column, `y` is `rows × lanes`, `out` is `inner × lanes`.
///
/// Element `(k, l)` is the chain `fma(W[i,k], y[i,l], …)` over `i` in order, begun at the present `out[k,l]`: its bits do
/// not depend on `lanes` or `l`. Costs `2·rows·inner·lanes` operations.
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
/// the same bits. Costs `2·rows·inner·lanes` operations.
pub fn outer_add<T: Real>(y: &[T], x: &[T], dw: &mut [T], db: &mut [T], lanes: usize) {
    let (rows, inner) = (y.len() / lanes, x.len() / lanes);
    debug_assert!(y.len() == rows * lanes && x.len() == inner * lanes && dw.len() == rows * inner);
    debug_assert!(db.is_empty() || db.len() == rows);
    assert!(dw.len() >= rows * inner && (db.is_empty() || db.len() == rows));
    dispatch(OuterAdd { y, x, dw, db, lanes });
}

/// [`outer_add`] for each of several steps in order, to the same bits.
pub fn outer_add_blocks<T: Real>(y: Blocks<T>, x: Blocks<T>, dw: &mut [T], db: &mut [T]) {
    for (y, x) in y.iter().zip(x.iter()) {
        outer_add(y.data, x.data, dw, db, y.lanes);
    }
}

pub(super) struct Affine<'a, T> {
    pub w: &'a [T],
    pub b: &'a [T],
    pub x: &'a [T],
    pub out: &'a mut [T],
    pub lanes: usize,
    /// Whether the chains begin at what `out` holds.
    pub add: bool,
    /// What each row of several lanes is multiplied by at the end, or nothing.
    pub scale: &'a [T],
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
                let start = match (self.add, self.b) {
                    (true, _) => Start::Present,
                    (false, []) => Start::Zero,
                    (false, b) => Start::Row(b.as_ptr()),
                };
                let product = Product {
                    a: self.x.as_ptr(),
                    a_stride: 1,
                    b: self.w.as_ptr(),
                    b_stride: rows,
                    c: self.out.as_mut_ptr(),
                    c_stride: rows,
                    scale: None,
                };
                return product.row::<V>(rows, inner, start);
            }
            let start = match (self.add, self.b) {
                (true, _) => Start::Present,
                (false, []) => Start::Zero,
                (false, b) => Start::Column(b.as_ptr()),
            };
            let product = Product {
                a: self.w.as_ptr(),
                a_stride: rows,
                b: self.x.as_ptr(),
                b_stride: lanes,
                c: self.out.as_mut_ptr(),
                c_stride: lanes,
                scale: (!self.scale.is_empty()).then_some(self.scale.as_ptr()),
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
            scale: None,
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
const TILE_SHORT: usize = 128;

/// Room for a transposed part.
type Room<T> = [MaybeUninit<T>; TILE_LONG * TILE_SHORT];

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
                    scale: None,
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
                        scale: None,
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
                            scale: None,
                        };
                        bias.sum_rows::<V>(tall, deep);
                    }
                }
            }
        }
    }
}
