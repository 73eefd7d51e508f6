//! Matrices turned over.

use super::dispatch::{Kernel, dispatch};
use super::vector::{Kernels, Vector};
use crate::Real;
use std::mem::MaybeUninit;

/// Rows and columns of the part that is turned at a time.
const TALL: usize = 64;
const WIDE: usize = 32;

/// Writes a matrix as its transpose: entry `(i, j)` of `from`, at `i·row + j·column` with `(row, column)` its strides, goes
/// to `to[j·rows + i]`, where `to` has the shape `(rows, columns)`.
pub(super) fn transposed_copy<T: Real>(
    from: &[T],
    (row, column): (usize, usize),
    to: &mut [T],
    (rows, columns): (usize, usize),
) {
    assert!(to.len() == rows * columns && from.len() > (rows - 1) * row + (columns - 1) * column);
    if column == 1 {
        dispatch(TransposedCopy { from, stride: row, to, rows, columns });
    } else {
        for (j, to) in to.chunks_exact_mut(rows).enumerate() {
            to.iter_mut().enumerate().for_each(|(i, to)| *to = from[i * row + j * column]);
        }
    }
}

struct TransposedCopy<'a, T> {
    from: &'a [T],
    stride: usize,
    to: &'a mut [T],
    rows: usize,
    columns: usize,
}

impl<T: Kernels> Kernel<T> for TransposedCopy<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let mut room: [MaybeUninit<T>; TALL * WIDE] = [MaybeUninit::uninit(); TALL * WIDE];
        let room = room.as_mut_ptr().cast::<T>();
        for first in (0..self.rows).step_by(TALL) {
            let tall = (self.rows - first).min(TALL);
            for left in (0..self.columns).step_by(WIDE) {
                let wide = (self.columns - left).min(WIDE);
                // SAFETY: the part lies in `from`, its transpose has at most the room's numbers, and each of its columns
                // lies in a column of `to`.
                unsafe {
                    let part = self.from.as_ptr().add(first * self.stride + left);
                    transpose::<T, V>(part, self.stride, tall, wide, room);
                    for j in 0..wide {
                        let to = self.to.as_mut_ptr().add((left + j) * self.rows + first);
                        room.add(j * tall).copy_to_nonoverlapping(to, tall);
                    }
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
