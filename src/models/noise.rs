//! How far predictions are off, and what that says of the next one.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Variance of a channel's prediction error, in the model's units: `floor · (1 + growth · τ)`, at time `τ` after the last
/// observation known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Variance of the observation noise.
    pub floor: f64,
    /// How fast forecasts get worse, relative to it.
    pub growth: f64,
    /// How many independent errors this rests on: intervals use Student's t with as many degrees of freedom.
    pub freedom: f64,
}

impl Noise {
    /// The likeliest noise of normal errors `(τ, error)` along trajectories. Errors along one trajectory hang together:
    /// they count as their number divided by their integrated correlation time, and as one a trajectory at the least.
    pub fn fit(trajectories: &[Vec<(f64, f64)>]) -> Self {
        let errors = || trajectories.iter().flatten();
        let longest = errors().map(|(tau, _)| *tau).fold(0.0, f64::max);
        let count = errors().count() as f64;
        if count == 0.0 {
            return Self { floor: 1.0, growth: 0.0, freedom: 1.0 };
        }
        // The floor follows from the growth in closed form, so a scan of the growth over its useful range will do.
        let at = |growth: f64| {
            let floor = errors().map(|(tau, e)| e * e / (1.0 + growth * tau)).sum::<f64>() / count;
            let spread: f64 = errors().map(|(tau, _)| (1.0 + growth * tau).ln()).sum();
            (count * floor.max(f64::MIN_POSITIVE).ln() + spread, floor, growth)
        };
        let growths = (0..=40).map(|k| 10f64.powf(f64::from(k) / 10.0 - 1.0) / longest).filter(|g| g.is_finite());
        let best = growths.chain([0.0]).map(at).min_by(|a, b| a.0.total_cmp(&b.0));
        let (_, floor, growth) = best.unwrap_or((0.0, 1.0, 0.0));
        let scaled = |t: &Vec<(f64, f64)>| t.iter().map(|(tau, e)| e / (1.0 + growth * tau).sqrt()).collect();
        let time = correlation_time(&trajectories.iter().map(scaled).collect::<Vec<Vec<f64>>>());
        let paths = trajectories.iter().filter(|t| !t.is_empty()).count() as f64;
        Self { floor, growth, freedom: (count / time).max(paths) }
    }

    /// Half the width of the 90 % interval at the last observation.
    ///
    /// # Errors
    /// If the degrees of freedom are not positive.
    pub(super) fn half_width(&self) -> Result<f64> {
        let t =
            StudentsT::new(0.0, 1.0, self.freedom).map_err(|e| Error::config(e.to_string(), "fit the model again"))?;
        Ok(t.inverse_cdf(0.95) * self.floor.sqrt())
    }

    /// The interval's width at `tau` after the last observation, relative to that at it.
    pub(super) fn widening(&self, tau: f64) -> f64 {
        (1.0 + self.growth * tau.max(0.0)).sqrt()
    }
}

/// The integrated correlation time of errors along trajectories, in rows: `1 + 2 Σ ρ(k)` up to the first `ρ(k) ≤ 0`
/// (Geyer 1992, "Practical Markov chain Monte Carlo", sec. 3.3, without pairing). Errors have mean zero by intention, so
/// none is subtracted.
fn correlation_time(trajectories: &[Vec<f64>]) -> f64 {
    let longest = trajectories.iter().map(Vec::len).max().unwrap_or(0);
    let lagged = |k: usize| {
        let pairs = || trajectories.iter().flat_map(|t| t.iter().zip(t.iter().skip(k)));
        let (sum, count) = pairs().fold((0.0, 0.0), |(s, n), (a, b)| (s + a * b, n + 1.0));
        if count > 0.0 { sum / count } else { 0.0 }
    };
    let variance = lagged(0);
    let mut time = 1.0;
    for rho in (1..longest).map(|k| lagged(k) / variance).take_while(|rho| *rho > 0.0) {
        time += 2.0 * rho;
    }
    time
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    fn normal(rng: &mut ChaCha8Rng) -> f64 {
        StandardNormal.sample(rng)
    }

    #[test]
    fn independent_errors_give_their_variance_and_nearly_as_many_degrees_of_freedom() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let errors = vec![(0..2000).map(|k| (f64::from(k), 0.5 * normal(&mut rng))).collect()];
        let noise = Noise::fit(&errors);
        let middle = noise.floor * (1.0 + noise.growth * 1000.0);
        assert!((middle - 0.25).abs() < 0.03 && noise.freedom > 1000.0, "{noise:?}");
    }

    #[test]
    fn a_random_walk_grows_and_counts_for_few() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut walk = || {
            let mut x = 0.0;
            (0..500)
                .map(|k| {
                    x += normal(&mut rng);
                    (f64::from(k), x)
                })
                .collect::<Vec<_>>()
        };
        let noise = Noise::fit(&[walk(), walk(), walk(), walk()]);
        assert!(noise.widening(499.0) > 5.0 && noise.freedom < 100.0, "{noise:?}");
    }

    #[test]
    fn without_errors_the_interval_is_that_of_one_deviation() {
        assert_eq!(Noise::fit(&[]), Noise { floor: 1.0, growth: 0.0, freedom: 1.0 });
        assert!(Noise::fit(&[]).half_width().unwrap() > 6.0);
    }
}
