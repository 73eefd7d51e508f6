//! Packs with tangents: a dual number for each lane, for maps and fields that carry a frame along.

use super::Scalar;
use super::dual::power;
use crate::Real;
use crate::linalg::{Pack, Vector};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// `value + Σ_i parts[i] ε_i` in every lane. The values have the bits that plain packs give.
///
/// All that acts on it is `#[inline(always)]` and no closure, as for packs.
#[derive(Clone, Copy)]
pub(super) struct Ray<T, V, const N: usize> {
    pub value: Pack<T, V, 1>,
    pub parts: [Pack<T, V, 1>; N],
}

impl<T: Real, V: Vector<T>, const N: usize> Ray<T, V, N> {
    /// Numbers that depend on nothing.
    #[inline(always)]
    pub fn constant(value: Pack<T, V, 1>) -> Self {
        Self { value, parts: [Pack::splat(T::zero()); N] }
    }

    /// `f(self)` where `slope = f'(self.value)`.
    #[inline(always)]
    fn apply(self, value: Pack<T, V, 1>, slope: Pack<T, V, 1>) -> Self {
        let mut out = Self { value, parts: self.parts };
        let mut i = 0;
        while i < N {
            out.parts[i] = self.parts[i] * slope;
            i += 1;
        }
        out
    }

    /// `f(self, b)` with its partial derivatives.
    #[inline(always)]
    fn combine(self, b: Self, value: Pack<T, V, 1>, by_self: Pack<T, V, 1>, by_b: Pack<T, V, 1>) -> Self {
        let mut out = Self { value, parts: self.parts };
        let mut i = 0;
        while i < N {
            out.parts[i] = by_self.fma(self.parts[i], by_b * b.parts[i]);
            i += 1;
        }
        out
    }

    /// `weight · self + other` with plain weights.
    #[inline(always)]
    pub fn fma(self, weight: Pack<T, V, 1>, other: Self) -> Self {
        let mut out = Self { value: weight.fma(self.value, other.value), parts: other.parts };
        let mut i = 0;
        while i < N {
            out.parts[i] = weight.fma(self.parts[i], other.parts[i]);
            i += 1;
        }
        out
    }

    #[inline(always)]
    fn select(mask: Mask<T, V>, yes: Self, no: Self) -> Self {
        let mut out = Self { value: Pack::select(mask, yes.value, no.value), parts: no.parts };
        let mut i = 0;
        while i < N {
            out.parts[i] = Pack::select(mask, yes.parts[i], no.parts[i]);
            i += 1;
        }
        out
    }
}

type Mask<T, V> = crate::linalg::PackMask<<V as Vector<T>>::Mask, 1>;

impl<T: Real, V: Vector<T>, const N: usize> Add for Ray<T, V, N> {
    type Output = Self;
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        let mut out = Self { value: self.value + b.value, parts: self.parts };
        let mut i = 0;
        while i < N {
            out.parts[i] = self.parts[i] + b.parts[i];
            i += 1;
        }
        out
    }
}

impl<T: Real, V: Vector<T>, const N: usize> Sub for Ray<T, V, N> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        let mut out = Self { value: self.value - b.value, parts: self.parts };
        let mut i = 0;
        while i < N {
            out.parts[i] = self.parts[i] - b.parts[i];
            i += 1;
        }
        out
    }
}

impl<T: Real, V: Vector<T>, const N: usize> Mul for Ray<T, V, N> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        self.combine(b, self.value * b.value, b.value, self.value)
    }
}

impl<T: Real, V: Vector<T>, const N: usize> Div for Ray<T, V, N> {
    type Output = Self;
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        let (value, inverse) = (self.value / b.value, Pack::splat(T::one()) / b.value);
        self.combine(b, value, inverse, -value * inverse)
    }
}

impl<T: Real, V: Vector<T>, const N: usize> Neg for Ray<T, V, N> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.apply(-self.value, Pack::splat(-T::one()))
    }
}

impl<T: Real, V: Vector<T>, const N: usize> Scalar for Ray<T, V, N> {
    #[inline(always)]
    fn of(x: f64) -> Self {
        Self::constant(Pack::splat(T::of(x)))
    }
    #[inline(always)]
    fn powi(self, n: i32) -> Self {
        let one = Pack::splat(T::one());
        let slope = if n == 0 {
            Pack::splat(T::zero())
        } else {
            Pack::splat(T::of(f64::from(n))) * power(self.value, one, n - 1)
        };
        self.apply(power(self.value, one, n), slope)
    }
    #[inline(always)]
    fn powf(self, exponent: Self) -> Self {
        let (base, n) = (self.value, exponent.value);
        let (zero, one) = (Pack::splat(T::zero()), Pack::splat(T::one()));
        let value = Scalar::powf(base, n);
        let by_exponent = Pack::select(zero.less(base), value * Pack::ln(base), zero);
        self.combine(exponent, value, n * Scalar::powf(base, n - one), by_exponent)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        let root = Pack::sqrt(self.value);
        self.apply(root, Pack::splat(T::of(0.5)) / root)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        let e = Pack::exp(self.value);
        self.apply(e, e)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        self.apply(Pack::ln(self.value), Pack::splat(T::one()) / self.value)
    }
    #[inline(always)]
    fn sin(self) -> Self {
        self.apply(Scalar::sin(self.value), Scalar::cos(self.value))
    }
    #[inline(always)]
    fn cos(self) -> Self {
        self.apply(Scalar::cos(self.value), -Scalar::sin(self.value))
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        let t = Pack::tanh(self.value);
        self.apply(t, Pack::splat(T::one()) - t * t)
    }
    #[inline(always)]
    fn atan2(self, x: Self) -> Self {
        let square = self.value * self.value + x.value * x.value;
        self.combine(x, Scalar::atan2(self.value, x.value), x.value / square, -self.value / square)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        let (zero, one) = (Pack::splat(T::zero()), Pack::splat(T::one()));
        self.apply(Pack::abs(self.value), Pack::select(self.value.less(zero), -one, one))
    }
    #[inline(always)]
    fn floor(self) -> Self {
        Self::constant(Scalar::floor(self.value))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self::select(self.value.less(other.value), other, self)
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self::select(other.value.less(self.value), other, self)
    }
}
