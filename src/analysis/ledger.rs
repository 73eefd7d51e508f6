//! What the factorisations of a walk have said so far.

use super::Walk;
use super::interval::Interval;
use crate::Real;

/// Rounding of a column, in units of ε times its length before the factorisation.
const ROUNDING: f64 = 8.0;
/// Nats that a column may be off by which lost all its digits: how far below the rest rounding leaves it says nothing of
/// how far below it is.
pub(super) const LOST: f64 = 700.0;

/// Sums of logarithms of the diagonals, in bins of equally many steps. Entry `j · starts + s` is column `j` of start `s`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ledger {
    pub columns: usize,
    pub starts: usize,
    /// Steps a bin.
    pub bin: u64,
    /// Sums of the bin under way.
    pub open: Vec<f64>,
    /// Finished bins, one after another: `bins × (columns · starts)`.
    pub bins: Vec<f64>,
    /// How much of each sum rounding may have made up, in nats.
    pub noise: Vec<f64>,
    /// How often a column vanished.
    pub zeros: Vec<f64>,
    /// Factorisations counted.
    pub factored: u64,
}

impl Ledger {
    pub fn new(columns: usize, starts: usize, bin: u64) -> Self {
        let zeros = || vec![0.0; columns * starts];
        Self { columns, starts, bin, open: zeros(), bins: Vec::new(), noise: zeros(), zeros: zeros(), factored: 0 }
    }

    /// Walks until `target` steps are taken, factoring as often as the interval says, and counts what comes after
    /// `warmup` steps. Stops early if a start is lost.
    pub fn follow<T: Real>(&mut self, walk: &mut Walk<T>, interval: &mut Interval, warmup: u64, target: u64) {
        while walk.step() < target {
            let counted = walk.step() >= warmup;
            let cut = if counted {
                warmup + ((walk.step() - warmup) / self.bin + 1) * self.bin
            } else {
                warmup.min((walk.step() / self.bin + 1) * self.bin)
            };
            let end = cut.min(target);
            let steps = interval.next().min(end - walk.step());
            walk.advance(steps);
            if walk.lost().is_some() {
                return;
            }
            // Only sums over whole bins are looked at, and they are the same.
            if walk.step() == end {
                walk.orthonormalize()
            } else {
                walk.eliminate()
            }
            if walk.lost().is_some() {
                return;
            }
            self.learn(walk, interval, steps);
            if counted {
                self.count(walk);
                if walk.step() == cut {
                    self.bins.extend_from_slice(&self.open);
                    self.open.fill(0.0);
                }
            }
        }
    }

    fn learn<T: Real>(&self, walk: &Walk<T>, interval: &mut Interval, steps: u64) {
        let diagonal = walk.factors().diagonal();
        let (mut spread, mut growth): (f64, f64) = (0.0, 0.0);
        for s in 0..self.starts {
            let logs = || diagonal.iter().skip(s).step_by(self.starts).map(|r| r.f64().ln());
            let (low, high) = logs().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
            spread = spread.max(high - low);
            growth = growth.max(high.abs()).max(walk.factors().lengths()[s].f64().ln().abs());
        }
        let finite = |x: f64| if x.is_finite() { x } else { 1e3 * steps as f64 };
        interval.learn(steps, finite(spread), finite(growth));
    }

    fn count<T: Real>(&mut self, walk: &Walk<T>) {
        let unit = ROUNDING * T::default_epsilon().f64();
        let factors = walk.factors();
        self.factored += 1;
        for (k, (r, length)) in factors.diagonal().iter().zip(factors.lengths()).enumerate() {
            let (r, length) = (r.f64(), length.f64());
            if r > 0.0 {
                self.open[k] += r.ln();
                let share = unit * length / r;
                self.noise[k] += if share < 1.0 { share } else { LOST };
            } else {
                self.zeros[k] += 1.0;
            }
        }
    }

    /// Finished bins.
    pub fn finished(&self) -> usize {
        self.bins.len() / self.open.len().max(1)
    }

    /// The finished bins of column `j` of start `s`.
    pub fn series(&self, j: usize, s: usize) -> impl Iterator<Item = f64> {
        self.bins.iter().skip(j * self.starts + s).step_by(self.open.len().max(1)).copied()
    }

    /// The sum over all steps counted.
    pub fn total(&self, j: usize, s: usize) -> f64 {
        self.series(j, s).sum::<f64>() + self.open[j * self.starts + s]
    }
}
