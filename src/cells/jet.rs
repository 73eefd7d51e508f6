//! A number with its derivative along a tangent, over which pulls are written to be differentiated.

use std::ops::{Add, Mul, Sub};

/// What a pull is written over.
pub(super) trait Number: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {}

impl<N: Copy + Add<Output = N> + Sub<Output = N> + Mul<Output = N>> Number for N {}

/// `value + slope·ε` with `ε² = 0`.
#[derive(Clone, Copy)]
pub(super) struct Jet<N> {
    pub value: N,
    pub slope: N,
}

#[inline(always)]
pub(super) fn jet<N>(value: N, slope: N) -> Jet<N> {
    Jet { value, slope }
}

impl<N: Number> Add for Jet<N> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        jet(self.value + other.value, self.slope + other.slope)
    }
}

impl<N: Number> Sub for Jet<N> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        jet(self.value - other.value, self.slope - other.slope)
    }
}

impl<N: Number> Mul for Jet<N> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        jet(self.value * other.value, self.value * other.slope + self.slope * other.value)
    }
}
