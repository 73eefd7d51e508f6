//! Which instructions this processor has, and how a kernel is compiled once for each set of them.

use super::vector::{Kernels, Vector};

/// A kernel with its arguments, written once for vectors of any width.
pub(crate) trait Kernel<T> {
    /// Does the work. Implementations are `#[inline(always)]`, so that they take on the instruction set of the caller.
    fn run<V: Vector<T>>(self);
}

/// The sets of instructions that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(dead_code, reason = "which of them are built depends on the target")]
pub(super) enum Level {
    Portable = 1,
    Avx2 = 2,
    Avx512 = 3,
}

/// Runs a kernel with the best instructions that are there.
#[inline]
pub(crate) fn dispatch<T: Kernels>(kernel: impl Kernel<T>) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: `level` names a set only after the processor was found to have it.
    match level() {
        Level::Avx512 => return unsafe { avx512(kernel) },
        Level::Avx2 => return unsafe { avx2(kernel) },
        Level::Portable => {}
    }
    kernel.run::<T::Portable>();
}

/// Runs a kernel with vectors of which one or two hold `width` numbers: the shorter ones are quicker from one result to the
/// next. Results have the same bits with any.
#[inline]
pub(crate) fn dispatch_width<T: Kernels>(width: usize, kernel: impl Kernel<T>) {
    #[cfg(target_arch = "x86_64")]
    if width < <T::Avx512 as Vector<T>>::N && level() == Level::Avx512 {
        // SAFETY: a processor that has the wider instructions has these.
        return unsafe { avx2(kernel) };
    }
    dispatch(kernel);
}

/// The smallest width that [`dispatch_width`] takes and that holds so many numbers; the largest there is, if none does.
pub(crate) fn fitting_width<T: Kernels>(count: usize) -> usize {
    let longest = vector_len::<T>();
    #[cfg(target_arch = "x86_64")]
    if level() == Level::Avx512 && count <= <T::Avx2 as Vector<T>>::N {
        return <T::Avx2 as Vector<T>>::N;
    }
    if count <= longest { longest } else { 2 * longest }
}

/// How many numbers the vectors hold that [`dispatch`] works with.
pub(crate) fn vector_len<T: Kernels>() -> usize {
    struct Len<'a>(&'a mut usize);
    impl<T> Kernel<T> for Len<'_> {
        #[inline(always)]
        fn run<V: Vector<T>>(self) {
            *self.0 = V::N;
        }
    }
    let mut len = 0;
    dispatch::<T>(Len(&mut len));
    len
}

/// The best set of instructions here, found once.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(super) fn level() -> Level {
    use std::sync::atomic::{AtomicU8, Ordering};
    static FOUND: AtomicU8 = AtomicU8::new(0);
    match FOUND.load(Ordering::Relaxed) {
        1 => Level::Portable,
        2 => Level::Avx2,
        3 => Level::Avx512,
        _ => {
            let level = detect();
            FOUND.store(level as u8, Ordering::Relaxed);
            level
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[cold]
fn detect() -> Level {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq");
    match (avx2, avx512) {
        (true, true) => Level::Avx512,
        (true, false) => Level::Avx2,
        _ => Level::Portable,
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn avx2<T: Kernels>(kernel: impl Kernel<T>) {
    kernel.run::<T::Avx2>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq")]
pub(super) fn avx512<T: Kernels>(kernel: impl Kernel<T>) {
    kernel.run::<T::Avx512>();
}
