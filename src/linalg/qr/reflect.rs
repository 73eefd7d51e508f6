//! Householder reflections in blocks, and the matrix product of Gram–Schmidt in blocks, by `faer`.

use crate::Real;
use crate::linalg::vector::Kernels;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder::{
    apply_block_householder_on_the_left_in_place_scratch, apply_block_householder_on_the_left_in_place_with_conj,
};
use faer::linalg::matmul::matmul;
use faer::linalg::qr::no_pivoting::factor::{qr_in_place, qr_in_place_scratch, recommended_block_size};
use faer::traits::RealField;
use faer::{Accum, Conj, MatMut, MatRef, Par};

/// Room for one frame.
pub struct Reflect<T> {
    dim: usize,
    columns: usize,
    block: usize,
    /// The reflections, and above them `R`.
    work: Vec<T>,
    coefficients: Vec<T>,
    memory: MemBuffer,
}

impl<T> std::fmt::Debug for Reflect<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reflect").field("dim", &self.dim).field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl<T: Real> Reflect<T> {
    pub(super) fn new(dim: usize, columns: usize) -> Self {
        let (block, memory) = T::reflect_room(dim, columns);
        let coefficients = vec![T::zero(); block * columns];
        Self { dim, columns, block, work: vec![T::zero(); dim * columns], coefficients, memory }
    }

    /// Replaces the frame, column by column in `q`, by its orthonormal factor, and fills `r`; or leaves `q` alone and
    /// returns `false` where a column is rounding next to those before it.
    pub(super) fn factor(&mut self, q: &mut [T], r: &mut [T]) -> bool {
        let (dim, columns) = (self.dim, self.columns);
        self.work.copy_from_slice(q);
        if !T::reflect(self, q) {
            return false;
        }
        for j in 0..columns {
            r[j * columns..j * columns + j + 1].copy_from_slice(&self.work[j * dim..j * dim + j + 1]);
        }
        // A positive diagonal, whatever signs the reflections left.
        for i in (0..columns).filter(|&i| self.work[i * dim + i] < T::zero()) {
            (i..columns).for_each(|j| r[j * columns + i] = -r[j * columns + i]);
            q[i * dim..(i + 1) * dim].iter_mut().for_each(|x| *x = -*x);
        }
        true
    }
}

/// Block of columns and memory for one frame.
pub(in crate::linalg) fn room<T: Kernels + RealField>(dim: usize, columns: usize) -> (usize, MemBuffer) {
    let block = recommended_block_size::<T>(dim, columns);
    let factor = qr_in_place_scratch::<T>(dim, columns, block, Par::Seq, Default::default());
    let apply = apply_block_householder_on_the_left_in_place_scratch::<T>(dim, block, columns);
    (block, MemBuffer::new(factor.or(apply)))
}

/// Factors `room.work` in place and makes the orthonormal factor in `q`; `false` if a column was given up.
pub(in crate::linalg) fn reflect<T: Kernels + RealField>(room: &mut Reflect<T>, q: &mut [T]) -> bool {
    let (dim, columns, block) = (room.dim, room.columns, room.block);
    let stack = MemStack::new(&mut room.memory);
    let mut work = MatMut::from_column_major_slice_mut(&mut room.work, dim, columns);
    let mut coefficients = MatMut::from_column_major_slice_mut(&mut room.coefficients, block, columns);
    let info = qr_in_place(work.as_mut(), coefficients.as_mut(), Par::Seq, stack, Default::default());
    if info.rank < columns {
        return false;
    }
    q.fill(T::ZERO);
    (0..columns).for_each(|j| q[j * dim + j] = T::ONE);
    let mut q = MatMut::from_column_major_slice_mut(q, dim, columns);
    // From the last block to the first: what lies above and left of a block is still the identity.
    for first in (0..columns).step_by(block).rev() {
        let last = columns.min(first + block);
        apply_block_householder_on_the_left_in_place_with_conj(
            work.as_ref().get(first.., first..last),
            coefficients.as_ref().get(..last - first, first..last),
            Conj::No,
            q.as_mut().get_mut(first.., first..),
            Par::Seq,
            stack,
        );
    }
    true
}

/// `out += factor · A·B` or `factor · Aᵀ·B`, all column by column: `(A, rows of the product, transposed)` and
/// `(B, columns)`, with `inner` terms.
pub(in crate::linalg) fn multiply_add<T: Real>(
    out: &mut [T],
    (a, rows, transposed): (&[T], usize, bool),
    (b, columns): (&[T], usize),
    inner: usize,
    factor: T,
) {
    T::multiply_add(out, (a, rows, transposed), (b, columns), inner, factor);
}

/// The same for `faer`'s numbers.
pub(in crate::linalg) fn product<T: Kernels + RealField>(
    out: &mut [T],
    (a, rows, transposed): (&[T], usize, bool),
    (b, columns): (&[T], usize),
    inner: usize,
    factor: T,
) {
    let out = MatMut::from_column_major_slice_mut(out, rows, columns);
    let a = if transposed {
        MatRef::from_column_major_slice(a, inner, rows).transpose()
    } else {
        MatRef::from_column_major_slice(a, rows, inner)
    };
    let b = MatRef::from_column_major_slice(b, inner, columns);
    matmul(out, Accum::Add, a, b, factor, Par::Seq);
}
