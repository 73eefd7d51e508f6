//! Dual numbers: a value with its derivatives along `N` directions, for fields that a user writes down.

use crate::Real;
use crate::linalg::{Pack, Vector};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number that a user's field is written over: many plain ones side by side when it is evaluated, a dual one when it is
/// linearised.
///
/// `exp`, `ln`, `tanh` and `sqrt` take all lanes at once, the other functions one after another. The vectorised ones may
/// differ from the standard library's in the last bit; a lane's result has the same bits whatever stands beside it.
pub trait Scalar:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// A constant.
    fn of(x: f64) -> Self;
    /// `self^n`, by multiplications.
    fn powi(self, n: i32) -> Self;
    /// `self^exponent`; the derivative with respect to the exponent is taken as 0 unless the base is positive.
    fn powf(self, exponent: Self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Exponential.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Sine.
    fn sin(self) -> Self;
    /// Cosine.
    fn cos(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The angle of the point `(x, self)`, between −π and π.
    fn atan2(self, x: Self) -> Self;
    /// Absolute value; the derivative at 0 is taken from the right.
    fn abs(self) -> Self;
    /// The largest whole number not above; its derivative is 0, at the jumps too.
    fn floor(self) -> Self;
    /// The larger of two numbers, neither of them NaN; `self` and its derivative where they are equal.
    fn max(self, other: Self) -> Self;
    /// The smaller of two numbers, neither of them NaN; `self` and its derivative where they are equal.
    fn min(self, other: Self) -> Self;
}

/// `x^n` by repeated squaring: the same multiplications in the same order for every kind of number.
#[inline(always)]
pub(super) fn power<S: Copy + Mul<Output = S> + Div<Output = S>>(x: S, one: S, n: i32) -> S {
    let (mut left, mut square, mut product) = (n.unsigned_abs(), x, one);
    while left > 0 {
        if left % 2 == 1 {
            product = product * square;
        }
        left /= 2;
        if left > 0 {
            square = square * square;
        }
    }
    if n < 0 { one / product } else { product }
}

/// `value + Σ_i parts[i] ε_i` with `ε_i ε_j = 0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dual<T, const N: usize> {
    /// The value.
    pub value: T,
    /// Derivatives along the `N` directions.
    pub parts: [T; N],
}

impl<T: Real, const N: usize> Dual<T, N> {
    /// A number that does not depend on any direction.
    pub fn constant(value: T) -> Self {
        Self { value, parts: [T::zero(); N] }
    }

    /// The variable of direction `i`.
    pub fn variable(value: T, i: usize) -> Self {
        let mut parts = [T::zero(); N];
        parts[i] = T::one();
        Self { value, parts }
    }

    /// `f(self, b)` where `value` is its value and `by_self`, `by_b` are its partial derivatives.
    fn combine(self, b: Self, value: T, by_self: T, by_b: T) -> Self {
        Self { value, parts: std::array::from_fn(|i| by_self * self.parts[i] + by_b * b.parts[i]) }
    }

    /// `f(self)` where `value = f(self.value)` and `slope = f'(self.value)`.
    fn apply(self, value: T, slope: T) -> Self {
        Self { value, parts: self.parts.map(|d| d * slope) }
    }
}

impl<T: Real, const N: usize> Add for Dual<T, N> {
    type Output = Self;
    fn add(self, b: Self) -> Self {
        Self { value: self.value + b.value, parts: std::array::from_fn(|i| self.parts[i] + b.parts[i]) }
    }
}

impl<T: Real, const N: usize> Sub for Dual<T, N> {
    type Output = Self;
    fn sub(self, b: Self) -> Self {
        Self { value: self.value - b.value, parts: std::array::from_fn(|i| self.parts[i] - b.parts[i]) }
    }
}

impl<T: Real, const N: usize> Mul for Dual<T, N> {
    type Output = Self;
    fn mul(self, b: Self) -> Self {
        self.combine(b, self.value * b.value, b.value, self.value)
    }
}

impl<T: Real, const N: usize> Div for Dual<T, N> {
    type Output = Self;
    fn div(self, b: Self) -> Self {
        let (value, inverse) = (self.value / b.value, T::one() / b.value);
        self.combine(b, value, inverse, -value * inverse)
    }
}

impl<T: Real, const N: usize> Neg for Dual<T, N> {
    type Output = Self;
    fn neg(self) -> Self {
        Self { value: -self.value, parts: self.parts.map(|d| -d) }
    }
}

impl<T: Real, const N: usize> Scalar for Dual<T, N> {
    fn of(x: f64) -> Self {
        Self::constant(T::of(x))
    }

    fn powi(self, n: i32) -> Self {
        let power = |n: i32| power(self.value, T::one(), n);
        let slope = if n == 0 { T::zero() } else { T::of(f64::from(n)) * power(n - 1) };
        self.apply(power(n), slope)
    }

    fn powf(self, exponent: Self) -> Self {
        let (base, n) = (self.value, exponent.value);
        let value = base.powf(n);
        let by_exponent = if base > T::zero() { value * base.ln() } else { T::zero() };
        self.combine(exponent, value, n * base.powf(n - T::one()), by_exponent)
    }

    fn sqrt(self) -> Self {
        let root = self.value.sqrt();
        self.apply(root, T::of(0.5) / root)
    }

    fn exp(self) -> Self {
        let e = self.value.exp();
        self.apply(e, e)
    }

    fn ln(self) -> Self {
        self.apply(self.value.ln(), T::one() / self.value)
    }

    fn sin(self) -> Self {
        self.apply(self.value.sin(), self.value.cos())
    }

    fn cos(self) -> Self {
        self.apply(self.value.cos(), -self.value.sin())
    }

    fn tanh(self) -> Self {
        let t = self.value.tanh();
        self.apply(t, T::one() - t * t)
    }

    fn atan2(self, x: Self) -> Self {
        let square = self.value * self.value + x.value * x.value;
        self.combine(x, self.value.atan2(x.value), x.value / square, -self.value / square)
    }

    fn abs(self) -> Self {
        let sign = if self.value < T::zero() { -T::one() } else { T::one() };
        self.apply(self.value.abs(), sign)
    }

    fn floor(self) -> Self {
        Self::constant(self.value.floor())
    }

    fn max(self, other: Self) -> Self {
        if other.value > self.value { other } else { self }
    }

    fn min(self, other: Self) -> Self {
        if other.value < self.value { other } else { self }
    }
}

macro_rules! plain_scalar {
    ($($t:ty),*) => {$(
        impl Scalar for $t {
            fn of(x: f64) -> Self { x as $t }
            fn powi(self, n: i32) -> Self { power(self, 1.0, n) }
            fn powf(self, exponent: Self) -> Self { <$t>::powf(self, exponent) }
            fn sqrt(self) -> Self { <$t>::sqrt(self) }
            fn exp(self) -> Self { <$t>::exp(self) }
            fn ln(self) -> Self { <$t>::ln(self) }
            fn sin(self) -> Self { <$t>::sin(self) }
            fn cos(self) -> Self { <$t>::cos(self) }
            fn tanh(self) -> Self { <$t>::tanh(self) }
            fn atan2(self, x: Self) -> Self { <$t>::atan2(self, x) }
            fn abs(self) -> Self { <$t>::abs(self) }
            fn floor(self) -> Self { <$t>::floor(self) }
            fn max(self, other: Self) -> Self { if other > self { other } else { self } }
            fn min(self, other: Self) -> Self { if other < self { other } else { self } }
        }
    )*};
}

plain_scalar!(f32, f64);

/// All lanes of a pack: what fields are evaluated over.
impl<T: Real, V: Vector<T>, const C: usize> Scalar for Pack<T, V, C> {
    #[inline(always)]
    fn of(x: f64) -> Self {
        Self::splat(T::of(x))
    }
    #[inline(always)]
    fn powi(self, n: i32) -> Self {
        power(self, Self::splat(T::one()), n)
    }
    #[inline(always)]
    fn powf(self, exponent: Self) -> Self {
        self.each_with(exponent, T::powf)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Pack::sqrt(self)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        Pack::exp(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        Pack::ln(self)
    }
    #[inline(always)]
    fn sin(self) -> Self {
        self.each(T::sin)
    }
    #[inline(always)]
    fn cos(self) -> Self {
        self.each(T::cos)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        Pack::tanh(self)
    }
    #[inline(always)]
    fn atan2(self, x: Self) -> Self {
        self.each_with(x, T::atan2)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Pack::abs(self)
    }
    #[inline(always)]
    fn floor(self) -> Self {
        self.each(T::floor)
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.at_least(other)
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.at_most(other)
    }
}
