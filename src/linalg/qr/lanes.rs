//! Small frames side by side in vector lanes.

use super::SMALL;
use crate::Real;
use crate::linalg::dispatch::Kernel;
use crate::linalg::pack::Pack;
use crate::linalg::vector::Vector;

/// Modified Gram–Schmidt, every column against those before it twice: once leaves it orthogonal to them up to the
/// rounding of what was taken away, twice up to rounding itself (Giraud et al. 2005, Numer. Math. 101, 87–100).
pub(super) struct GramSchmidt<'a, T> {
    pub dim: usize,
    pub columns: usize,
    pub frames: usize,
    pub frame: &'a mut [T],
    pub diagonal: &'a mut [T],
    pub lengths: &'a mut [T],
    pub r: &'a mut [T],
}

impl<T: Real> Kernel<T> for GramSchmidt<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(mut self) {
        let mut first = 0;
        while first < self.frames {
            let width = V::N.min(self.frames - first);
            self.some::<V>(first, width);
            first += width;
        }
    }
}

impl<T: Real> GramSchmidt<'_, T> {
    /// Frames `first..first + width`, one a lane.
    #[inline(always)]
    fn some<V: Vector<T>>(&mut self, first: usize, width: usize) {
        let (n, m, frames) = (self.dim, self.columns, self.frames);
        let zero = Pack::<T, V, 1>::splat(T::zero());
        let one = Pack::<T, V, 1>::splat(T::one());
        let mut q = [[zero; SMALL]; SMALL];
        let mut j = 0;
        while j < m {
            let mut i = 0;
            while i < n {
                q[j][i] = Pack::load_part(&self.frame[(i * m + j) * frames + first..][..width]);
                i += 1;
            }
            let length = square::<T, V>(&q[j], n).sqrt();
            length.store_part(&mut self.lengths[j * frames + first..][..width]);
            let (known, rest) = q.split_at_mut(j);
            let column = &mut rest[0];
            let mut entries = [zero; SMALL];
            let mut pass = 0;
            while pass < 2 {
                let mut l = 0;
                while l < j {
                    let mut dot = zero;
                    let mut i = 0;
                    while i < n {
                        dot = known[l][i].fma(column[i], dot);
                        i += 1;
                    }
                    let less = -dot;
                    i = 0;
                    while i < n {
                        column[i] = less.fma(known[l][i], column[i]);
                        i += 1;
                    }
                    entries[l] = entries[l] + dot;
                    l += 1;
                }
                pass += 1;
            }
            let norm = square::<T, V>(column, n).sqrt();
            let inverse = Pack::select(norm.less_or_equal(zero), zero, one / norm);
            let mut i = 0;
            while i < n {
                column[i] = column[i] * inverse;
                column[i].store_part(&mut self.frame[(i * m + j) * frames + first..][..width]);
                i += 1;
            }
            entries[j] = norm;
            norm.store_part(&mut self.diagonal[j * frames + first..][..width]);
            let mut room = [T::zero(); 32];
            i = 0;
            while i <= j {
                entries[i].store(&mut room);
                let mut lane = 0;
                while lane < width {
                    self.r[((first + lane) * m + j) * m + i] = room[lane];
                    lane += 1;
                }
                i += 1;
            }
            j += 1;
        }
    }
}

#[inline(always)]
fn square<T: Real, V: Vector<T>>(column: &[Pack<T, V, 1>; SMALL], n: usize) -> Pack<T, V, 1> {
    let mut sum = Pack::splat(T::zero());
    let mut i = 0;
    while i < n {
        sum = column[i].fma(column[i], sum);
        i += 1;
    }
    sum
}
