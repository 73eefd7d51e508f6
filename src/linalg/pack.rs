//! Packs: several vectors side by side that act as one number, so that code written over a scalar runs on many lanes.

use super::elementwise::{Exp, Function, Ln, RoughExp2, RoughLog2, Sigmoid, Tanh};
use super::vector::{Kernels, Vector};
use std::marker::PhantomData;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// `C · V::N` numbers, one a lane. A number's result has the same bits in any lane of any pack, whatever its neighbours.
///
/// Like vectors, packs are made only inside [`dispatch`](super::dispatch). All that acts on them is `#[inline(always)]`
/// and no closure, so that it takes on the caller's instructions.
#[derive(Clone, Copy)]
pub(crate) struct Pack<T, V, const C: usize>([V; C], PhantomData<T>);

/// A truth value for each lane of a pack.
#[derive(Clone, Copy)]
pub(crate) struct PackMask<M, const C: usize>([M; C]);

/// More numbers than any pack here has.
const MOST: usize = 32;

macro_rules! one_by_one {
    ($($(#[$doc:meta])* $name:ident($($other:ident)?) = $f:expr;)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub fn $name(self $(, $other: Self)?) -> Self {
            let mut out = self;
            let mut c = 0;
            while c < C {
                out.0[c] = $f(self.0[c] $(, $other.0[c])?);
                c += 1;
            }
            out
        }
    )*};
}

impl<T: Kernels, V: Vector<T>, const C: usize> Pack<T, V, C> {
    /// Lanes.
    pub const LEN: usize = C * V::N;

    /// The same number in every lane.
    #[inline(always)]
    pub fn splat(x: T) -> Self {
        Self([V::splat(x); C], PhantomData)
    }

    #[inline(always)]
    pub(super) fn of_vectors(vectors: [V; C]) -> Self {
        Self(vectors, PhantomData)
    }

    #[inline(always)]
    pub(super) fn vectors(self) -> [V; C] {
        self.0
    }

    /// The first `LEN` numbers.
    #[inline(always)]
    pub fn load(from: &[T]) -> Self {
        assert!(from.len() >= Self::LEN);
        let mut out = Self::splat(T::ZERO);
        let mut c = 0;
        while c < C {
            // SAFETY: `C` vectors are there.
            out.0[c] = unsafe { V::load(from.as_ptr().add(c * V::N)) };
            c += 1;
        }
        out
    }

    /// Writes the first `LEN` numbers.
    #[inline(always)]
    pub fn store(self, to: &mut [T]) {
        assert!(to.len() >= Self::LEN);
        let mut c = 0;
        while c < C {
            // SAFETY: `C` vectors are there.
            unsafe { self.0[c].store(to.as_mut_ptr().add(c * V::N)) };
            c += 1;
        }
    }

    /// All numbers of a slice of at most `LEN`, zero beyond.
    #[inline(always)]
    pub fn load_part(from: &[T]) -> Self {
        if from.len() >= Self::LEN {
            return Self::load(from);
        }
        let mut room = [T::ZERO; MOST];
        let mut i = 0;
        while i < from.len() {
            room[i] = from[i];
            i += 1;
        }
        Self::load(&room)
    }

    /// Fills a slice of at most `LEN`.
    #[inline(always)]
    pub fn store_part(self, to: &mut [T]) {
        if to.len() >= Self::LEN {
            return self.store(to);
        }
        let mut room = [T::ZERO; MOST];
        self.store(&mut room);
        let mut i = 0;
        while i < to.len() {
            to[i] = room[i];
            i += 1;
        }
    }

    one_by_one! {
        abs() = V::abs;
        sqrt() = V::sqrt;
        exp() = Exp::of::<T, V>;
        ln() = Ln::of::<T, V>;
        /// See [`RoughLog2`].
        rough_log2() = RoughLog2::of::<T, V>;
        /// See [`RoughExp2`].
        rough_exp2() = RoughExp2::of::<T, V>;
        tanh() = Tanh::of::<T, V>;
        sigmoid() = Sigmoid::of::<T, V>;
        /// The size of `self` with the sign of `sign`.
        with_sign(sign) = V::with_sign;
        /// `bound` where `self` is above it; NaN stays.
        at_most(bound) = V::at_most;
        /// `bound` where `self` is below it; NaN stays.
        at_least(bound) = V::at_least;
        add_to(other) = V::add;
        take_from(other) = V::sub;
        times(other) = V::mul;
        over(other) = V::div;
        negated() = V::neg;
    }

    /// `self·b + c`, rounded once where the processor can.
    #[inline(always)]
    pub fn fma(self, b: Self, c: Self) -> Self {
        let mut out = self;
        let mut i = 0;
        while i < C {
            out.0[i] = self.0[i].fma(b.0[i], c.0[i]);
            i += 1;
        }
        out
    }

    #[inline(always)]
    pub fn less(self, other: Self) -> PackMask<V::Mask, C> {
        let mut out = PackMask([self.0[0].less(other.0[0]); C]);
        let mut c = 1;
        while c < C {
            out.0[c] = self.0[c].less(other.0[c]);
            c += 1;
        }
        out
    }

    #[inline(always)]
    pub fn less_or_equal(self, other: Self) -> PackMask<V::Mask, C> {
        let mut out = PackMask([self.0[0].less_or_equal(other.0[0]); C]);
        let mut c = 1;
        while c < C {
            out.0[c] = self.0[c].less_or_equal(other.0[c]);
            c += 1;
        }
        out
    }

    #[inline(always)]
    pub fn select(mask: PackMask<V::Mask, C>, yes: Self, no: Self) -> Self {
        let mut out = yes;
        let mut c = 0;
        while c < C {
            out.0[c] = V::select(mask.0[c], yes.0[c], no.0[c]);
            c += 1;
        }
        out
    }

    #[inline(always)]
    pub fn both(a: PackMask<V::Mask, C>, b: PackMask<V::Mask, C>) -> PackMask<V::Mask, C> {
        let mut out = a;
        let mut c = 0;
        while c < C {
            out.0[c] = V::both(a.0[c], b.0[c]);
            c += 1;
        }
        out
    }

    #[inline(always)]
    pub fn either(a: PackMask<V::Mask, C>, b: PackMask<V::Mask, C>) -> PackMask<V::Mask, C> {
        let mut out = a;
        let mut c = 0;
        while c < C {
            out.0[c] = V::either(a.0[c], b.0[c]);
            c += 1;
        }
        out
    }

    #[inline(always)]
    pub fn not(mask: PackMask<V::Mask, C>) -> PackMask<V::Mask, C> {
        let mut out = mask;
        let mut c = 0;
        while c < C {
            out.0[c] = V::not(mask.0[c]);
            c += 1;
        }
        out
    }

    /// Bit `i` says what holds in lane `i`.
    #[inline(always)]
    pub fn bits(mask: PackMask<V::Mask, C>) -> u32 {
        let mut bits = 0;
        let mut c = 0;
        while c < C {
            bits |= V::bits(mask.0[c]) << (c * V::N);
            c += 1;
        }
        bits
    }

    /// A function for which there are no vector instructions, number by number.
    #[inline(always)]
    pub fn each(self, f: fn(T) -> T) -> Self {
        let mut room = [T::ZERO; MOST];
        self.store(&mut room);
        let mut i = 0;
        while i < Self::LEN {
            room[i] = f(room[i]);
            i += 1;
        }
        Self::load(&room)
    }

    /// The same for two arguments.
    #[inline(always)]
    pub fn each_with(self, other: Self, f: fn(T, T) -> T) -> Self {
        let (mut room, mut others) = ([T::ZERO; MOST], [T::ZERO; MOST]);
        self.store(&mut room);
        other.store(&mut others);
        let mut i = 0;
        while i < Self::LEN {
            room[i] = f(room[i], others[i]);
            i += 1;
        }
        Self::load(&room)
    }
}

macro_rules! operators {
    ($($trait:ident $name:ident $of:ident),*) => {$(
        impl<T: Kernels, V: Vector<T>, const C: usize> $trait for Pack<T, V, C> {
            type Output = Self;
            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                self.$of(other)
            }
        }
    )*};
}

operators!(Add add add_to, Sub sub take_from, Mul mul times, Div div over);

impl<T: Kernels, V: Vector<T>, const C: usize> Neg for Pack<T, V, C> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.negated()
    }
}
