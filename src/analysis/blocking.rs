//! Standard errors of means of correlated numbers.

use statrs::distribution::{ChiSquared, ContinuousCDF};

/// The share of uncorrelated series that are taken for correlated.
const FALSE_ALARMS: f64 = 0.1;

/// The standard error of the mean of several series of one length, correlated within themselves, by blocking: neighbours
/// are averaged in pairs until no correlation is seen any more (Flyvbjerg & Petersen 1989, J. Chem. Phys. 91, 461–466),
/// which a test of all remaining levels decides (Jonsson 2018, Phys. Rev. E 98, 043304). NaN for less than two numbers.
pub fn standard_error(series: &[Vec<f64>]) -> f64 {
    let count: usize = series.iter().map(Vec::len).sum();
    if count < 2 {
        return f64::NAN;
    }
    let mut blocks = series.to_vec();
    let mut levels = Vec::new();
    while blocks.iter().all(|s| s.len() >= 2) {
        levels.push(Level::of(&blocks));
        for s in &mut blocks {
            let halved: Vec<f64> = s.chunks_exact(2).map(|pair| 0.5 * (pair[0] + pair[1])).collect();
            *s = halved;
        }
    }
    let statistic = |level: &Level| {
        let n = level.count;
        let excess = (n - 1.0) * level.variance / (n * n) + level.covariance;
        if level.variance > 0.0 { n * (excess / level.variance).powi(2) } else { 0.0 }
    };
    let mut sum: f64 = levels.iter().map(statistic).sum();
    for (j, level) in levels.iter().enumerate() {
        let freedom = (levels.len() - j) as f64;
        let limit = ChiSquared::new(freedom).map_or(0.0, |chi| chi.inverse_cdf(1.0 - FALSE_ALARMS));
        if sum <= limit {
            // What the test cannot see yet is halved by one more averaging.
            return levels.get(j + 1).map_or(level.error(), |next| level.error().max(next.error()));
        }
        sum -= statistic(level);
    }
    // Correlated to the end: the starts themselves, where there are several, else the last pair.
    if blocks.len() > 1 { Level::of(&blocks).error() } else { levels.last().map_or(f64::NAN, Level::error) }
}

/// Numbers of one block length.
struct Level {
    count: f64,
    variance: f64,
    /// Of neighbours.
    covariance: f64,
}

impl Level {
    fn of(series: &[Vec<f64>]) -> Self {
        let all = || series.iter().flatten();
        let count = all().count() as f64;
        let mean = all().sum::<f64>() / count;
        let variance = all().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        let neighbours = |s: &Vec<f64>| s.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum::<f64>();
        Self { count, variance, covariance: series.iter().map(neighbours).sum::<f64>() / count }
    }

    fn error(&self) -> f64 {
        (self.variance / (self.count - 1.0)).sqrt()
    }
}
