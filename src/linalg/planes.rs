//! Functions of the numbers that several planes hold at one place, as gates of cells are.

use super::dispatch::{Kernel, dispatch};
use super::pack::Pack;
use super::vector::{Kernels, Vector};
use crate::Real;

/// One number of a plane at each of several places.
pub(crate) type At<T, V> = Pack<T, V, 1>;

/// What replaces a function's own numbers, and its further results.
pub(crate) type Results<T, V, const M: usize, const O: usize> = ([At<T, V>; M], [At<T, V>; O]);

/// A function of `K` kept numbers, `M` numbers that it replaces and `I` others, with `O` further results.
///
/// Implementations are `#[inline(always)]` and use no closure, so that they take on the caller's instructions.
pub(crate) trait Pointwise<const K: usize, const M: usize, const I: usize, const O: usize>: Copy {
    fn of<T: Kernels, V: Vector<T>>(
        self,
        kept: [At<T, V>; K],
        own: [At<T, V>; M],
        from: [At<T, V>; I],
    ) -> Results<T, V, M, O>;
}

/// The planes of a [`Pointwise`] function: `kept` ones are `rows × points`, all others `rows × lanes`.
pub(crate) struct Planes<'a, T, const K: usize, const M: usize, const I: usize, const O: usize> {
    pub kept: [&'a [T]; K],
    pub own: [&'a mut [T]; M],
    pub from: [&'a [T]; I],
    pub to: [&'a mut [T]; O],
}

/// Applies the function at every place; lane `j·points + p` meets the kept numbers of point `p`. A number's bits depend on
/// the numbers at its place alone. `room` holds `K · lanes` numbers.
pub(crate) fn pointwise<T: Real, const K: usize, const M: usize, const I: usize, const O: usize>(
    f: impl Pointwise<K, M, I, O>,
    planes: Planes<'_, T, K, M, I, O>,
    points: usize,
    lanes: usize,
    room: &mut [T],
) {
    let Planes { kept, mut own, from, mut to } = planes;
    if points == lanes {
        dispatch(Run { f, planes: Planes { kept, own, from, to } });
        return;
    }
    let rows = kept.first().map_or(0, |plane| plane.len() / points);
    for row in 0..rows {
        for (kept, spread) in kept.iter().zip(room.chunks_exact_mut(lanes)) {
            let kept = &kept[row * points..][..points];
            if let [kept] = kept {
                spread.fill(*kept);
            } else {
                spread.chunks_exact_mut(points).for_each(|group| group.copy_from_slice(kept));
            }
        }
        let across = row * lanes..(row + 1) * lanes;
        let planes = Planes {
            kept: std::array::from_fn(|k| &room[k * lanes..][..lanes]),
            own: own.each_mut().map(|plane| &mut plane[across.clone()]),
            from: from.map(|plane| &plane[across.clone()]),
            to: to.each_mut().map(|plane| &mut plane[across.clone()]),
        };
        dispatch(Run { f, planes });
    }
}

struct Run<'a, T, F, const K: usize, const M: usize, const I: usize, const O: usize> {
    f: F,
    planes: Planes<'a, T, K, M, I, O>,
}

impl<T: Kernels, F: Pointwise<K, M, I, O>, const K: usize, const M: usize, const I: usize, const O: usize> Kernel<T>
    for Run<'_, T, F, K, M, I, O>
{
    #[inline(always)]
    fn run<V: Vector<T>>(mut self) {
        let planes = &self.planes;
        let lengths = (planes.kept.iter().map(|p| p.len()))
            .chain(planes.from.iter().map(|p| p.len()))
            .chain(planes.own.iter().map(|p| p.len()))
            .chain(planes.to.iter().map(|p| p.len()));
        let len = lengths.min().unwrap_or(0);
        let full = len - len % V::N;
        let mut at = 0;
        while at < full {
            // SAFETY: every plane has at least `len` numbers.
            unsafe { self.at::<V, false>(at, V::N) };
            at += V::N;
        }
        if full < len {
            // SAFETY: as before.
            unsafe { self.at::<V, true>(full, len - full) };
        }
    }
}

impl<T: Kernels, F: Pointwise<K, M, I, O>, const K: usize, const M: usize, const I: usize, const O: usize>
    Run<'_, T, F, K, M, I, O>
{
    /// The places `at..at + count`; a whole vector unless `PART`.
    ///
    /// # Safety
    /// Every plane has `at + count` numbers.
    #[inline(always)]
    unsafe fn at<V: Vector<T>, const PART: bool>(&mut self, at: usize, count: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut kept = [At::<T, V>::splat(T::ZERO); K];
            let mut own = [At::<T, V>::splat(T::ZERO); M];
            let mut from = [At::<T, V>::splat(T::ZERO); I];
            let mut i = 0;
            while i < K {
                kept[i] = load::<T, V, PART>(self.planes.kept[i].as_ptr().add(at), count);
                i += 1;
            }
            i = 0;
            while i < M {
                own[i] = load::<T, V, PART>(self.planes.own[i].as_ptr().add(at), count);
                i += 1;
            }
            i = 0;
            while i < I {
                from[i] = load::<T, V, PART>(self.planes.from[i].as_ptr().add(at), count);
                i += 1;
            }
            let (own, to) = self.f.of::<T, V>(kept, own, from);
            i = 0;
            while i < M {
                store::<T, V, PART>(own[i], self.planes.own[i].as_mut_ptr().add(at), count);
                i += 1;
            }
            i = 0;
            while i < O {
                store::<T, V, PART>(to[i], self.planes.to[i].as_mut_ptr().add(at), count);
                i += 1;
            }
        }
    }
}

/// # Safety
/// `count` numbers can be read at `from`, a whole vector unless `PART`.
#[inline(always)]
unsafe fn load<T: Kernels, V: Vector<T>, const PART: bool>(from: *const T, count: usize) -> At<T, V> {
    // SAFETY: the caller's promise.
    At::of_vectors([unsafe { if PART { V::load_part(from, count) } else { V::load(from) } }])
}

/// # Safety
/// `count` numbers can be written at `to`, a whole vector unless `PART`.
#[inline(always)]
unsafe fn store<T: Kernels, V: Vector<T>, const PART: bool>(value: At<T, V>, to: *mut T, count: usize) {
    let [value] = value.vectors();
    // SAFETY: the caller's promise.
    unsafe { if PART { value.store_part(to, count) } else { value.store(to) } }
}
