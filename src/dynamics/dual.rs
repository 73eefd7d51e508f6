//! Dual numbers: a value with its derivatives along `N` directions, for fields that a user writes down.

use crate::Real;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number that a user's field is written over: a plain one when it is evaluated, a dual one when it is linearised.
pub trait Scalar:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// A constant.
    fn of(x: f64) -> Self;
    /// `self^n`.
    fn powi(self, n: i32) -> Self;
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
    /// Absolute value; the derivative at 0 is taken from the right.
    fn abs(self) -> Self;
    /// The largest whole number not above; its derivative is 0, at the jumps too.
    fn floor(self) -> Self;
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
        let slope = if n == 0 { T::zero() } else { T::of(f64::from(n)) * self.value.powi(n - 1) };
        self.apply(self.value.powi(n), slope)
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

    fn abs(self) -> Self {
        let sign = if self.value < T::zero() { -T::one() } else { T::one() };
        self.apply(self.value.abs(), sign)
    }

    fn floor(self) -> Self {
        Self::constant(self.value.floor())
    }
}

macro_rules! plain_scalar {
    ($($t:ty),*) => {$(
        impl Scalar for $t {
            fn of(x: f64) -> Self { x as $t }
            fn powi(self, n: i32) -> Self { <$t>::powi(self, n) }
            fn sqrt(self) -> Self { <$t>::sqrt(self) }
            fn exp(self) -> Self { <$t>::exp(self) }
            fn ln(self) -> Self { <$t>::ln(self) }
            fn sin(self) -> Self { <$t>::sin(self) }
            fn cos(self) -> Self { <$t>::cos(self) }
            fn tanh(self) -> Self { <$t>::tanh(self) }
            fn abs(self) -> Self { <$t>::abs(self) }
            fn floor(self) -> Self { <$t>::floor(self) }
        }
    )*};
}

plain_scalar!(f32, f64);
