//! Adam with decoupled weight decay, a schedule for its rate, and clipping.

use crate::Real;

/// Adam with decoupled weight decay (Loshchilov & Hutter 2019, "Decoupled weight decay regularization", algorithm 2).
#[derive(Clone, Debug)]
pub struct AdamW<T> {
    /// First moments.
    pub first: Vec<T>,
    /// Second moments.
    pub second: Vec<T>,
    /// Steps taken.
    pub steps: u64,
    /// Decay of the weights a step, relative to the rate.
    pub weight_decay: f64,
}

impl<T: Real> AdamW<T> {
    const BETA1: f64 = 0.9;
    const BETA2: f64 = 0.999;
    const EPSILON: f64 = 1e-8;

    /// A fresh optimiser of `n` parameters.
    pub fn new(n: usize, weight_decay: f64) -> Self {
        Self { first: vec![T::zero(); n], second: vec![T::zero(); n], steps: 0, weight_decay }
    }

    /// One step at the given rate. `decays(i)` says whether parameter `i` decays (matrices do, biases and starts do not).
    pub fn step(&mut self, params: &mut [T], gradient: &[T], rate: f64, decays: impl Fn(usize) -> bool) {
        self.steps += 1;
        let correct = |beta: f64| 1.0 - beta.powf(self.steps as f64);
        let (b1, b2) = (T::of(Self::BETA1), T::of(Self::BETA2));
        let (c1, c2) = (T::of(1.0 / correct(Self::BETA1)), T::of(1.0 / correct(Self::BETA2)));
        let one = T::one();
        for i in 0..params.len() {
            let g = gradient[i];
            self.first[i] = b1 * self.first[i] + (one - b1) * g;
            self.second[i] = b2 * self.second[i] + (one - b2) * g * g;
            let step = self.first[i] * c1 / ((self.second[i] * c2).sqrt() + T::of(Self::EPSILON));
            if decays(i) {
                params[i] -= T::of(rate * self.weight_decay) * params[i];
            }
            params[i] -= T::of(rate) * step;
        }
    }
}

/// A learning rate that rises linearly, then falls along half a cosine to a floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The highest rate.
    pub peak: f64,
    /// Steps of the rise.
    pub warmup: usize,
    /// Steps in all.
    pub total: usize,
    /// The last rate as a share of the highest.
    pub floor: f64,
}

impl Schedule {
    /// The rate of step `step`, counted from 0.
    pub fn rate(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let span = self.total.saturating_sub(self.warmup).max(1) as f64;
        let through = ((step - self.warmup) as f64 / span).min(1.0);
        let share = 0.5 * (1.0 + (std::f64::consts::PI * through).cos());
        self.peak * (self.floor + (1.0 - self.floor) * share)
    }
}

/// Scales a gradient down to at most this Euclidean norm and returns the norm it had (infinite or NaN if it is not
/// finite; then it is left alone).
pub fn clip_norm<T: Real>(gradient: &mut [T], limit: f64) -> f64 {
    let norm = gradient.iter().map(|g| g.f64() * g.f64()).sum::<f64>().sqrt();
    if norm.is_finite() && norm > limit {
        let scale = T::of(limit / norm);
        gradient.iter_mut().for_each(|g| *g *= scale);
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adamw_finds_the_minimum_of_a_quadratic() {
        let mut x = vec![3.0f64, -2.0];
        let mut adam = AdamW::new(2, 0.0);
        let schedule = Schedule { peak: 0.1, warmup: 10, total: 800, floor: 0.0 };
        for step in 0..800 {
            let gradient = [x[0] - 1.0, 10.0 * (x[1] + 0.5)];
            adam.step(&mut x, &gradient, schedule.rate(step), |_| true);
        }
        assert!((x[0] - 1.0).abs() < 1e-3 && (x[1] + 0.5).abs() < 1e-3, "{x:?}");
    }

    #[test]
    fn the_schedule_rises_to_its_peak_and_falls_to_its_floor() {
        let schedule = Schedule { peak: 2.0, warmup: 4, total: 100, floor: 0.1 };
        assert_eq!(schedule.rate(3), 2.0);
        assert!((schedule.rate(100) - 0.2).abs() < 1e-12);
        assert!((4..100).all(|s| schedule.rate(s + 1) <= schedule.rate(s)));
    }

    #[test]
    fn clipping_keeps_direction_and_reports_the_norm() {
        let mut g = [3.0f64, 4.0];
        assert_eq!(clip_norm(&mut g, 1.0), 5.0);
        assert!((g[0] - 0.6).abs() < 1e-15 && (g[1] - 0.8).abs() < 1e-15);
    }
}
