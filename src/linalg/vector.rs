//! Vectors of numbers: what a kernel may do with them, and a form that every processor understands.

use super::constants::Constants;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// The vectors and the polynomials of a working precision. Sealed: `f32` and `f64`.
pub trait Kernels: sealed::Sealed + Copy + PartialOrd + 'static {
    #[doc(hidden)]
    type Portable: Vector<Self>;
    #[doc(hidden)]
    #[cfg(target_arch = "x86_64")]
    type Avx2: Vector<Self>;
    #[doc(hidden)]
    #[cfg(target_arch = "x86_64")]
    type Avx512: Vector<Self>;
    #[doc(hidden)]
    const CONSTANTS: Constants<Self>;
    #[doc(hidden)]
    const ZERO: Self;
    #[doc(hidden)]
    const ONE: Self;
    #[doc(hidden)]
    fn reflect_room(dim: usize, columns: usize) -> (usize, faer::dyn_stack::MemBuffer);
    #[doc(hidden)]
    fn reflect(room: &mut super::qr::Reflect<Self>, q: &mut [Self]) -> bool;
    #[doc(hidden)]
    fn multiply_add(out: &mut [Self], a: (&[Self], usize, bool), b: (&[Self], usize), inner: usize, factor: Self);
}

/// What is done by another crate, which knows the two precisions and no trait of ours.
macro_rules! foreign {
    () => {
        fn reflect_room(dim: usize, columns: usize) -> (usize, faer::dyn_stack::MemBuffer) {
            super::qr::reflect_room::<Self>(dim, columns)
        }

        fn reflect(room: &mut super::qr::Reflect<Self>, q: &mut [Self]) -> bool {
            super::qr::reflect(room, q)
        }

        fn multiply_add(out: &mut [Self], a: (&[Self], usize, bool), b: (&[Self], usize), inner: usize, factor: Self) {
            super::qr::product(out, a, b, inner, factor);
        }
    };
}

impl Kernels for f32 {
    type Portable = Portable<f32, 4>;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = super::x86::F32x8;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = super::x86::F32x16;
    const CONSTANTS: Constants<f32> = super::constants::F32;
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;
    foreign!();
}

impl Kernels for f64 {
    type Portable = Portable<f64, 2>;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = super::x86::F64x4;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = super::x86::F64x8;
    const CONSTANTS: Constants<f64> = super::constants::F64;
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;
    foreign!();
}

/// `N` numbers that are worked on together. Every operation acts on each number alone and as IEEE 754 says, so a number's
/// result does not depend on its place or its neighbours.
///
/// Values of the processor's own vector types must be made only inside [`dispatch`](super::dispatch), which has checked
/// that the processor knows them.
pub trait Vector<T>: Copy {
    /// How many numbers.
    const N: usize;
    /// How many vectors the processor holds in registers.
    const REGISTERS: usize;
    /// A truth value for each number.
    type Mask: Copy;

    fn splat(x: T) -> Self;
    /// # Safety
    /// `N` numbers can be read at `from`.
    unsafe fn load(from: *const T) -> Self;
    /// # Safety
    /// `N` numbers can be written at `to`.
    unsafe fn store(self, to: *mut T);
    /// The first `count` numbers, zero beyond.
    /// # Safety
    /// `count <= N` numbers can be read at `from`.
    unsafe fn load_part(from: *const T, count: usize) -> Self;
    /// Writes the first `count` numbers.
    /// # Safety
    /// `count <= N` numbers can be written at `to`.
    unsafe fn store_part(self, to: *mut T, count: usize);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// `self·b + c`, rounded once where the processor can.
    fn fma(self, b: Self, c: Self) -> Self;
    /// The same for one number, with the same rounding.
    fn fma_one(a: T, b: T, c: T) -> T;
    fn abs(self) -> Self;
    fn neg(self) -> Self;
    fn sqrt(self) -> Self;
    /// The size of `self` with the sign of `sign`.
    fn with_sign(self, sign: Self) -> Self;
    fn less(self, other: Self) -> Self::Mask;
    fn less_or_equal(self, other: Self) -> Self::Mask;
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    fn not(mask: Self::Mask) -> Self::Mask;
    /// Bit `i` says what holds for number `i`.
    fn bits(mask: Self::Mask) -> u32;
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// `bound` where `self` is above it; NaN stays.
    fn at_most(self, bound: Self) -> Self;
    /// `bound` where `self` is below it; NaN stays.
    fn at_least(self, bound: Self) -> Self;
    /// The number whose exponent field is the lowest bits of `self`'s bits.
    fn exponent(self) -> Self;
    /// The exponent field of a positive number, bias included, as a number: the inverse of `exponent`.
    fn exponent_field(self) -> Self;
    /// The number between 1 and 2 that has the same digits.
    fn mantissa(self) -> Self;
    /// Writes four rows of four numbers, `stride` apart, as columns, `to_stride` apart.
    /// # Safety
    /// The rows can be read and the columns written.
    #[inline(always)]
    unsafe fn transpose_four(from: *const T, stride: usize, to: *mut T, to_stride: usize) {
        for i in 0..4 {
            for j in 0..4 {
                // SAFETY: the caller's promise.
                unsafe { to.add(j * to_stride + i).write(from.add(i * stride + j).read()) }
            }
        }
    }
}

/// Whether a fused multiply-add is one instruction everywhere on this target. Where it is not, the standard library's
/// would be a slow function call, so portable code multiplies and adds.
const FUSED: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64", target_arch = "riscv64"));

/// A vector as an array, for the compiler to make the best of.
#[derive(Clone, Copy, Debug)]
pub struct Portable<T, const N: usize>([T; N]);

macro_rules! portable {
    ($T:ident, $n:literal, $mantissa:literal) => {
        impl Portable<$T, $n> {
            #[inline(always)]
            fn map(self, f: impl Fn($T) -> $T) -> Self {
                Self(std::array::from_fn(|i| f(self.0[i])))
            }

            #[inline(always)]
            fn zip(self, other: Self, f: impl Fn($T, $T) -> $T) -> Self {
                Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
            }
        }

        impl Vector<$T> for Portable<$T, $n> {
            const N: usize = $n;
            const REGISTERS: usize = 16;
            type Mask = [bool; $n];

            #[inline(always)]
            fn splat(x: $T) -> Self {
                Self([x; $n])
            }
            #[inline(always)]
            unsafe fn load(from: *const $T) -> Self {
                // SAFETY: the caller's promise; an array needs no more alignment than a number.
                Self(unsafe { from.cast::<[$T; $n]>().read() })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $T) {
                // SAFETY: as in `load`.
                unsafe { to.cast::<[$T; $n]>().write(self.0) }
            }
            #[inline(always)]
            unsafe fn load_part(from: *const $T, count: usize) -> Self {
                // SAFETY: only the first `count` are read, which the caller promises.
                Self(std::array::from_fn(|i| if i < count { unsafe { *from.add(i) } } else { 0.0 }))
            }
            #[inline(always)]
            unsafe fn store_part(self, to: *mut $T, count: usize) {
                for (i, x) in self.0.into_iter().enumerate() {
                    if i < count {
                        // SAFETY: only the first `count` are written, which the caller promises.
                        unsafe { *to.add(i) = x }
                    }
                }
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                self.zip(other, |a, b| a + b)
            }
            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                self.zip(other, |a, b| a - b)
            }
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                self.zip(other, |a, b| a * b)
            }
            #[inline(always)]
            fn div(self, other: Self) -> Self {
                self.zip(other, |a, b| a / b)
            }
            #[inline(always)]
            fn fma(self, b: Self, c: Self) -> Self {
                Self(std::array::from_fn(|i| Self::fma_one(self.0[i], b.0[i], c.0[i])))
            }
            #[inline(always)]
            fn fma_one(a: $T, b: $T, c: $T) -> $T {
                if FUSED { a.mul_add(b, c) } else { a * b + c }
            }
            #[inline(always)]
            fn abs(self) -> Self {
                self.map($T::abs)
            }
            #[inline(always)]
            fn neg(self) -> Self {
                self.map(|x| -x)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                self.map($T::sqrt)
            }
            #[inline(always)]
            fn with_sign(self, sign: Self) -> Self {
                self.zip(sign, $T::copysign)
            }
            #[inline(always)]
            fn less(self, other: Self) -> Self::Mask {
                std::array::from_fn(|i| self.0[i] < other.0[i])
            }
            #[inline(always)]
            fn less_or_equal(self, other: Self) -> Self::Mask {
                std::array::from_fn(|i| self.0[i] <= other.0[i])
            }
            #[inline(always)]
            fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask {
                std::array::from_fn(|i| a[i] && b[i])
            }
            #[inline(always)]
            fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask {
                std::array::from_fn(|i| a[i] || b[i])
            }
            #[inline(always)]
            fn not(mask: Self::Mask) -> Self::Mask {
                mask.map(|bit| !bit)
            }
            #[inline(always)]
            fn bits(mask: Self::Mask) -> u32 {
                mask.iter().rev().fold(0, |bits, &bit| bits << 1 | u32::from(bit))
            }
            #[inline(always)]
            fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
                Self(std::array::from_fn(|i| if mask[i] { yes.0[i] } else { no.0[i] }))
            }
            #[inline(always)]
            fn at_most(self, bound: Self) -> Self {
                self.zip(bound, |a, b| if b < a { b } else { a })
            }
            #[inline(always)]
            fn at_least(self, bound: Self) -> Self {
                self.zip(bound, |a, b| if b > a { b } else { a })
            }
            #[inline(always)]
            fn exponent(self) -> Self {
                self.map(|x| $T::from_bits(x.to_bits() << $mantissa))
            }
            #[inline(always)]
            fn exponent_field(self) -> Self {
                self.map(|x| (x.to_bits() >> $mantissa) as $T)
            }
            #[inline(always)]
            fn mantissa(self) -> Self {
                self.map(|x| $T::from_bits(x.to_bits() & ((1 << $mantissa) - 1) | (1.0 as $T).to_bits()))
            }
        }
    };
}

portable!(f32, 4, 23);
portable!(f64, 2, 52);

/// `C` vectors from an address on; if `PART`, only `last` numbers of the last one.
///
/// A function and no closure: what the caller's instruction set must reach has to be `#[inline(always)]`.
///
/// # Safety
/// Those numbers can be read.
#[inline(always)]
pub(super) unsafe fn load_several<T: Kernels, V: Vector<T>, const C: usize, const PART: bool>(
    from: *const T,
    last: usize,
) -> [V; C] {
    let mut several = [V::splat(T::ZERO); C];
    let mut c = 0;
    while c < C {
        // SAFETY: the caller's promise.
        unsafe {
            let from = from.add(c * V::N);
            several[c] = if PART && c == C - 1 { V::load_part(from, last) } else { V::load(from) };
        }
        c += 1;
    }
    several
}
