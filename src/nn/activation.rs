//! Elementwise nonlinearities whose derivative follows from their value.

use crate::{Real, linalg};
use serde::{Deserialize, Serialize};

/// An elementwise nonlinearity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `x`.
    Identity,
    /// `tanh x`.
    Tanh,
    /// `1/(1 + e^(−x))`.
    Sigmoid,
    /// `ln(1 + e^x)`.
    Softplus,
    /// `max(x, 0)`.
    Relu,
}

impl Activation {
    /// Applies it in place.
    pub fn apply<T: Real>(self, x: &mut [T]) {
        match self {
            Self::Identity => {}
            Self::Tanh => linalg::tanh(x),
            Self::Sigmoid => linalg::sigmoid(x),
            Self::Softplus => linalg::softplus(x),
            Self::Relu => x.iter_mut().for_each(|v| *v = v.max(T::zero())),
        }
    }

    /// `d = σ'` from the values `a = σ(x)`.
    pub fn derivative<T: Real>(self, a: &[T], d: &mut [T]) {
        let one = T::one();
        match self {
            Self::Identity => d.fill(one),
            Self::Tanh => d.iter_mut().zip(a).for_each(|(d, &a)| *d = one - a * a),
            Self::Sigmoid => d.iter_mut().zip(a).for_each(|(d, &a)| *d = a * (one - a)),
            Self::Softplus => {
                // a = ln(1 + e^x), so σ'(x) = e^x / (1 + e^x) = 1 − e^(−a).
                d.iter_mut().zip(a).for_each(|(d, &a)| *d = -a);
                linalg::exp(d);
                d.iter_mut().for_each(|d| *d = one - *d);
            }
            Self::Relu => d.iter_mut().zip(a).for_each(|(d, &a)| *d = if a > T::zero() { one } else { T::zero() }),
        }
    }
}
