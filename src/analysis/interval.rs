//! How many steps there may be between factorisations.
//!
//! Between them the columns lean towards the leading direction, and what sets them apart shrinks next to rounding. They
//! stay exact while the diagonal of `R` spans less than about `ln(1/ε)`: 36 nats in double precision.

use crate::Real;

/// Nats that the diagonal of `R` may span: a margin under `ln(1/ε)` for segments of faster growth than those seen.
fn budget<T: Real>() -> f64 {
    if T::NAME == "f64" { 20.0 } else { 8.0 }
}

/// Nats by which columns may grow or shrink, so that their squares stay far from overflow and underflow.
fn reach<T: Real>() -> f64 {
    if T::NAME == "f64" { 150.0 } else { 15.0 }
}

/// How fast the estimate forgets faster growth.
const FORGET: f64 = 0.05;
/// Steps between looks at a system that neither spreads nor grows.
const MOST: u64 = 1 << 20;

/// The choice, from what the last factorisations showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    fixed: Option<u64>,
    budget: f64,
    reach: f64,
    /// Nats a step by which the diagonal spreads, and by which columns grow or shrink.
    pub spread: f64,
    pub growth: f64,
    pub last: u64,
}

impl Interval {
    pub fn new<T: Real>(fixed: Option<u64>) -> Self {
        Self { fixed, budget: budget::<T>(), reach: reach::<T>(), spread: 0.0, growth: 0.0, last: 0 }
    }

    /// Steps until the next factorisation.
    pub fn next(&self) -> u64 {
        if let Some(steps) = self.fixed {
            return steps;
        }
        let most = (self.budget / self.spread).min(self.reach / self.growth);
        // A factor of two at most, for growth that was not seen yet.
        (most.min(MOST as f64) as u64).min(2 * self.last).max(1)
    }

    /// Learns from a factorisation after `steps` steps whose diagonals (of several frames) had logarithms of this spread
    /// and size at most.
    pub fn learn(&mut self, steps: u64, spread: f64, growth: f64) {
        let blend = |old: f64, new: f64| if new > old { new } else { old + FORGET * (new - old) };
        // A direction that died spreads without end; factoring more often than at every step does not help.
        let a_step = |x: f64| (x / steps as f64).min(1e3);
        self.spread = blend(self.spread, a_step(spread));
        self.growth = blend(self.growth, a_step(growth));
        self.last = steps;
    }
}
