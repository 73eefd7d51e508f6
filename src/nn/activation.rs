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

    /// `d = σ'(x)` from the arguments: to its own relative precision however far a unit is saturated, where
    /// [`derivative`](Self::derivative) from the value has no digits left.
    pub fn slope<T: Real>(self, x: &[T], d: &mut [T]) {
        let one = T::one();
        match self {
            Self::Identity => d.fill(one),
            Self::Tanh => {
                // sech² x = 4 e^(−2|x|) / (1 + e^(−2|x|))².
                d.iter_mut().zip(x).for_each(|(d, &x)| *d = -(x.abs() + x.abs()));
                linalg::exp(d);
                let four = T::of(4.0);
                d.iter_mut().for_each(|d| *d = four * *d / ((one + *d) * (one + *d)));
            }
            Self::Sigmoid => {
                d.iter_mut().zip(x).for_each(|(d, &x)| *d = -x.abs());
                linalg::exp(d);
                d.iter_mut().for_each(|d| *d = *d / ((one + *d) * (one + *d)));
            }
            Self::Softplus => {
                d.copy_from_slice(x);
                linalg::sigmoid(d);
            }
            Self::Relu => d.iter_mut().zip(x).for_each(|(d, &x)| *d = if x > T::zero() { one } else { T::zero() }),
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
    /// `d = σ''` from the values `a = σ(x)`; 0 at a kink.
    pub fn curvature<T: Real>(self, a: &[T], d: &mut [T]) {
        let one = T::one();
        match self {
            Self::Identity | Self::Relu => d.fill(T::zero()),
            Self::Tanh => d.iter_mut().zip(a).for_each(|(d, &a)| *d = -(a + a) * (one - a * a)),
            Self::Sigmoid => d.iter_mut().zip(a).for_each(|(d, &a)| *d = a * (one - a) * (one - a - a)),
            Self::Softplus => {
                // σ' = s with s the logistic function, whose derivative is s (1 − s).
                self.derivative(a, d);
                d.iter_mut().for_each(|d| *d *= one - *d);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_keep_their_digits_where_units_are_saturated() {
        let x: [f64; 6] = [-300.0, -40.0, -3.0, 0.0, 0.7, 25.0];
        let mut found = [0.0; 6];
        Activation::Tanh.slope(&x, &mut found);
        for (x, found) in x.iter().zip(found) {
            let known: f64 = -2.0 * f64::ln(x.cosh());
            assert!((found.ln() - known).abs() <= 1e-14 * (1.0 + known.abs()), "{x}: {found:e}");
        }
        for activation in [Activation::Identity, Activation::Sigmoid, Activation::Softplus, Activation::Relu] {
            let (x, mut value) = ([-2.0, -0.3, 0.4, 1.7], [-2.0, -0.3, 0.4, 1.7]);
            let (mut slope, mut derivative) = ([0.0f64; 4], [0.0; 4]);
            activation.apply(&mut value);
            activation.slope(&x, &mut slope);
            activation.derivative(&value, &mut derivative);
            let off = slope.iter().zip(&derivative).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off < 1e-15, "{activation:?}");
        }
    }

    #[test]
    fn curvatures_are_the_derivatives_of_derivatives() {
        use Activation::{Identity, Relu, Sigmoid, Softplus, Tanh};
        let slope = |activation: Activation, x: f64| {
            let (mut a, mut d) = ([x], [0.0]);
            activation.apply(&mut a);
            activation.derivative(&a, &mut d);
            (a, d[0])
        };
        for activation in [Identity, Tanh, Sigmoid, Softplus, Relu] {
            for x in [-2.0, -0.3, 0.4, 1.7] {
                let ((a, _), mut found) = (slope(activation, x), [0.0]);
                activation.curvature(&a, &mut found);
                let known = (slope(activation, x + 1e-5).1 - slope(activation, x - 1e-5).1) / 2e-5;
                assert!((found[0] - known).abs() < 1e-9, "{activation:?} {x}: {} {known}", found[0]);
            }
        }
    }
}
