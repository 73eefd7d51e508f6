//! AdaBelief.

use crate::Real;

/// AdaBelief: Adam with the gradient's variance about its running mean in place of its second moment (Zhuang et al. 2020,
/// *AdaBelief optimizer*, algorithm 2; ε = 1e-16 as in that paper's code).
#[derive(Clone, Debug)]
pub struct AdaBelief<T> {
    mean: Vec<T>,
    variance: Vec<T>,
    steps: i32,
}

impl<T: Real> AdaBelief<T> {
    const BETA1: f64 = 0.9;
    const BETA2: f64 = 0.999;
    const EPSILON: f64 = 1e-16;

    /// A fresh optimiser of `n` parameters.
    pub fn new(n: usize) -> Self {
        Self { mean: vec![T::zero(); n], variance: vec![T::zero(); n], steps: 0 }
    }

    /// One step at the given rate.
    pub fn step(&mut self, params: &mut [T], gradient: &[T], rate: f64) {
        self.steps = self.steps.saturating_add(1);
        let (b1, b2, one, epsilon) = (T::of(Self::BETA1), T::of(Self::BETA2), T::one(), T::of(Self::EPSILON));
        let c1 = T::of(1.0 / (1.0 - Self::BETA1.powi(self.steps)));
        let c2 = T::of(1.0 / (1.0 - Self::BETA2.powi(self.steps)));
        for (i, &g) in gradient.iter().enumerate() {
            self.mean[i] = b1 * self.mean[i] + (one - b1) * g;
            let off = g - self.mean[i];
            self.variance[i] = b2 * self.variance[i] + (one - b2) * off * off + epsilon;
            params[i] -= T::of(rate) * self.mean[i] * c1 / ((self.variance[i] * c2).sqrt() + epsilon);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_minimum_of_a_quadratic() {
        let mut x = [3.0f64, -2.0];
        let mut adabelief = AdaBelief::new(2);
        for step in 0..3000 {
            let gradient = [x[0] - 1.0, 10.0 * (x[1] + 0.5)];
            adabelief.step(&mut x, &gradient, 0.05 / (1.0 + f64::from(step) / 100.0));
        }
        assert!((x[0] - 1.0).abs() < 1e-3 && (x[1] + 0.5).abs() < 1e-3, "{x:?}");
    }
}
