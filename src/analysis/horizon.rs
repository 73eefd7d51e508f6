//! How far back a gradient reaches: norms of cotangents pulled back step by step, and the lag at which they are lost.
//!
//! A loss at the end of a sequence has some gradient by the last state; pulled back through `k` steps it is the gradient by
//! the state `k` steps before. Its norm falls or grows on average as `exp(λ₁ k)` with the leading Lyapunov exponent `λ₁` of
//! the same steps (Bengio, Simard & Frasconi 1994, IEEE Trans. Neural Netw. 5, 157–166; Pascanu, Mikolov & Bengio 2013,
//! ICML, sec. 2), so that exponent predicts the slope that is measured here.
//!
//! ```
//! use flowmap::analysis::horizon::{BackwardOptions, backward_norms};
//! use flowmap::analysis::Stepped;
//! use flowmap::dynamics::systems::{Settings, system};
//! let cat = system("cat")?.build(&Settings::default())?;
//! let stepped = Stepped::map(&*cat.component, &cat.params);
//! let norms = backward_norms(&stepped, &[cat.start.clone()], &BackwardOptions::new(50))?;
//! assert!((norms.rate(5..=50) - (1.5 + 1.25f64.sqrt()).ln()).abs() < 1e-9);
//! # Ok::<(), flowmap::Error>(())
//! ```

use super::Stepped;
use super::stretch::Stretch;
use crate::random::Stream;
use crate::{Error, Real, Result};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use std::ops::{Range, RangeInclusive};

/// Most norms kept: 1 GiB.
const MOST: u64 = 1 << 27;

/// Which cotangents are pulled back, and from where.
#[derive(Clone, Debug, PartialEq)]
pub struct BackwardOptions {
    /// Steps that each is pulled back.
    pub lags: u64,
    /// Steps before the first that is pulled through.
    pub warmup: u64,
    /// Steps after the warm-up; by default all inputs that are left, or twice the lags where there are none.
    pub steps: Option<u64>,
    /// States that cotangents set out from: so many, evenly spread over the steps that have `lags` steps before them.
    pub ends: u64,
    /// Random unit cotangents at each of them.
    pub cotangents: usize,
    /// Rows of the state that the loss sees, such as [`Stack::output`](crate::cells::Stack::output); by default all.
    pub rows: Option<Range<usize>>,
    /// Seed of the cotangents.
    pub seed: u64,
}

impl BackwardOptions {
    /// Eight cotangents at each of eight ends, without warm-up, over all rows of the state.
    pub fn new(lags: u64) -> Self {
        Self { lags, warmup: 0, steps: None, ends: 8, cotangents: 8, rows: None, seed: 0 }
    }

    /// The steps after the warm-up.
    ///
    /// # Errors
    /// If they are fewer than the lags, or more than there are inputs for.
    pub fn steps<T: Real>(&self, system: &Stepped<T>) -> Result<u64> {
        let left = system.length().map(|length| length.saturating_sub(self.warmup));
        let steps = self.steps.or(left).unwrap_or(self.lags.saturating_mul(2));
        match left {
            Some(left) if steps.max(self.lags) > left => {
                let what = format!("{} lags over {steps} steps are asked for", self.lags);
                Err(Error::config(what, format!("there are inputs for {left} after the warm-up; take fewer")))
            }
            _ if self.lags == 0 || self.lags > steps => {
                let what = format!("{} lags do not fit into {steps} steps", self.lags);
                Err(Error::config(what, "ask for at least one lag, and for as many steps"))
            }
            _ => Ok(steps),
        }
    }
}

/// Norms of cotangents by lag, as a share of the norm they set out with.
#[derive(Clone, Debug, PartialEq)]
pub struct BackwardNorms {
    /// Means of the logarithms of the norms, in nats, for the lags 0, 1, …; −∞ where one is zero.
    pub log_norms: Vec<f64>,
    /// Standard deviations of these logarithms between cotangents; 0 where there is only one.
    pub deviations: Vec<f64>,
    /// Cotangents averaged over.
    pub count: usize,
}

/// How a horizon is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// From this lag on every norm measured is below.
    Measured,
    /// It lies beyond the lags measured, where the slope leads to.
    Extrapolated,
    /// The norms do not fall.
    Never,
}

/// The lag at which a gradient falls below a share of what it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Horizon {
    /// That share.
    pub threshold: f64,
    /// The lag; infinite where the norms do not fall.
    pub lag: f64,
    /// How it is known.
    pub reached: Reached,
}

impl BackwardNorms {
    /// Least-squares slope of the logarithm of the norm over some lags, in nats per step; lags beyond those measured or with
    /// norms of zero are left out, NaN if fewer than two are left.
    pub fn rate(&self, lags: RangeInclusive<usize>) -> f64 {
        slope(&self.log_norms, lags)
    }

    /// The first lag from which on the norm stays below `threshold`. Where that lies beyond the lags measured, the slope of
    /// their second half says where.
    pub fn horizon(&self, threshold: f64) -> Horizon {
        let (level, last) = (threshold.ln(), self.log_norms.len() - 1);
        if self.log_norms[last] < level {
            let above = self.log_norms.iter().rposition(|norm| *norm >= level);
            let lag = above.map_or(0, |at| at + 1) as f64;
            return Horizon { threshold, lag, reached: Reached::Measured };
        }
        let rate = self.rate(last / 2..=last);
        let reached = if rate < 0.0 { Reached::Extrapolated } else { Reached::Never };
        Horizon { threshold, lag: self.leads_to(threshold, rate), reached }
    }

    /// The lag at which the norm falls below `threshold` if it goes on from the last lag at a rate, in nats per step;
    /// infinite if it does not fall.
    pub fn leads_to(&self, threshold: f64, rate: f64) -> f64 {
        let last = self.log_norms.len() - 1;
        if rate < 0.0 { last as f64 + ((threshold.ln() - self.log_norms[last]) / rate).ceil() } else { f64::INFINITY }
    }
}

/// Least-squares slope of `logs` against their index, where both are finite.
pub(super) fn slope(logs: &[f64], range: RangeInclusive<usize>) -> f64 {
    let points = || {
        let inside = logs.iter().enumerate().skip(*range.start()).take_while(|(k, _)| k <= range.end());
        inside.filter(|(_, y)| y.is_finite()).map(|(k, &y)| (k as f64, y))
    };
    let count = points().count() as f64;
    let (x, y) = points().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / count, b + y / count));
    let (up, down) = points().fold((0.0, 0.0), |(u, d), (k, z)| (u + (k - x) * (z - y), d + (k - x) * (k - x)));
    up / down
}

/// Pulls random cotangents back through a system's steps and takes the norm after each, renormalised on the way so that it
/// may fall or grow beyond any exponent of the working precision.
///
/// All starts of the system, `ends` states of each and `cotangents` at each are averaged. Cost: a linearisation a step, and
/// `ends · cotangents · lags` VJPs a start, over the threads of the present pool; the same bits for any number of them.
/// Keeps the linearisations of all steps of as many starts as there are threads.
///
/// # Errors
/// If the system, a start or an option cannot be used, or a state or cotangent is no longer finite.
pub fn backward_norms<T: Real>(
    system: &Stepped<T>,
    starts: &[Vec<T>],
    options: &BackwardOptions,
) -> Result<BackwardNorms> {
    system.check(starts.len())?;
    let (dim, steps) = (system.dim(), options.steps(system)?);
    let rows = options.rows.clone().unwrap_or(0..dim);
    if rows.is_empty() || rows.end > dim || starts.is_empty() || options.ends == 0 || options.cotangents == 0 {
        let what = format!(
            "{} cotangents at {} ends of {} starts, over rows {rows:?} of {dim}",
            options.cotangents,
            options.ends,
            starts.len()
        );
        return Err(Error::config(what, "give at least one of each, and rows of the state"));
    }
    let kept = (starts.len() as u64 * options.cotangents as u64).saturating_mul(options.ends);
    if kept.saturating_mul(options.lags) > MOST {
        let what = format!("norms of {kept} gradients over {} lags are too many to keep", options.lags);
        return Err(Error::config(what, "ask for fewer lags, ends or gradients"));
    }
    let ends = spread(options.lags, steps, options.ends);
    let of_start = |(number, start): (usize, &Vec<T>)| -> Result<Vec<Vec<f64>>> {
        let stretch = Stretch::follow(system, start, number, options.warmup, steps)?;
        let pulled = ends.par_iter().enumerate().map(|(e, &end)| {
            let rng = Stream::Cotangents { start: number, end: e }.of(options.seed);
            let cotangents = random(dim, rows.clone(), options.cotangents, rng);
            pull_back(&stretch, end, options.lags, cotangents, options.cotangents).ok_or_else(|| {
                let what = "a gradient is no longer finite on its way back";
                Error::config(what, "make the step smaller, or look at the net's weights")
            })
        });
        pulled.collect()
    };
    let all: Vec<Vec<Vec<f64>>> = starts.par_iter().enumerate().map(of_start).collect::<Result<_>>()?;
    let all: Vec<Vec<f64>> = all.into_iter().flatten().collect();
    let count = all.len() * options.cotangents;
    let mean = |lag: usize| {
        let logs = || all.iter().flat_map(|logs| &logs[lag * options.cotangents..][..options.cotangents]);
        let mean = logs().sum::<f64>() / count as f64;
        let square = logs().map(|x| (x - mean).powi(2)).sum::<f64>() / (count.max(2) - 1) as f64;
        (mean, if mean.is_finite() { square.sqrt() } else { 0.0 })
    };
    let (log_norms, deviations) = (0..=options.lags as usize).map(mean).unzip();
    Ok(BackwardNorms { log_norms, deviations, count })
}

/// Evenly spread ends from `lags` to `steps`, the last always among them, each once.
fn spread(lags: u64, steps: u64, count: u64) -> Vec<u64> {
    let between = (steps - lags) as f64 / (count.max(2) - 1) as f64;
    let mut ends: Vec<u64> = (0..count).map(|e| steps - (e as f64 * between).round() as u64).collect();
    ends.dedup();
    ends
}

/// Normal numbers in some rows, `dim × lanes`.
fn random<T: Real>(dim: usize, rows: Range<usize>, lanes: usize, mut rng: ChaCha8Rng) -> Vec<T> {
    let mut block = vec![T::zero(); dim * lanes];
    for x in &mut block[rows.start * lanes..rows.end * lanes] {
        let normal: f64 = StandardNormal.sample(&mut rng);
        *x = T::of(normal);
    }
    block
}

/// Logarithms of the norms, `(lags + 1) × lanes`; none if one is not finite.
fn pull_back<T: Real>(stretch: &Stretch<T>, end: u64, lags: u64, mut w: Vec<T>, lanes: usize) -> Option<Vec<f64>> {
    let mut room = stretch.room(lanes);
    let mut logs = vec![0.0; lanes];
    normalise(&mut w, lanes, &mut logs)?;
    logs.fill(0.0);
    let mut all = logs.clone();
    for step in (end - lags..end).rev() {
        stretch.pull(step, &mut w, lanes, &mut room);
        normalise(&mut w, lanes, &mut logs)?;
        all.extend_from_slice(&logs);
    }
    Some(all)
}

/// Makes every lane a unit vector and adds the logarithm of its norm; a lane of zeros stays and its logarithm is −∞.
fn normalise<T: Real>(w: &mut [T], lanes: usize, logs: &mut [f64]) -> Option<()> {
    for (lane, log) in logs.iter_mut().enumerate() {
        let column = || w.iter().skip(lane).step_by(lanes).map(|x| x.f64());
        if column().any(|x| !x.is_finite()) {
            return None;
        }
        let largest = column().fold(0.0, |most: f64, x| most.max(x.abs()));
        if largest == 0.0 {
            *log = f64::NEG_INFINITY;
            continue;
        }
        let norm = column().map(|x| (x / largest).powi(2)).sum::<f64>().sqrt();
        *log += largest.ln() + norm.ln();
        w.iter_mut().skip(lane).step_by(lanes).for_each(|x| *x = T::of(x.f64() / largest / norm));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Drive;
    use crate::analysis::tests::kit::{fixed, gaussian, orthogonal};
    use crate::cells::Cell;
    use crate::dynamics::Component;
    use crate::nn::fan_in_normal;
    use rand::SeedableRng;

    #[test]
    fn norms_under_an_orthogonal_map_fall_by_its_gain() {
        let map = fixed(6, orthogonal(6, 0.5));
        let norms = backward_norms(&Stepped::map(&map, &[]), &[vec![0.0; 6]], &BackwardOptions::new(3000)).unwrap();
        assert_eq!(norms.count, 64);
        for (lag, (log, deviation)) in norms.log_norms.iter().zip(&norms.deviations).enumerate() {
            assert!((log - lag as f64 * 0.5f64.ln()).abs() < 1e-12 * (1 + lag) as f64 && *deviation < 1e-11);
        }
        // 2⁻¹⁰ is below a thousandth; 0.5^3000 is no double.
        let horizon = norms.horizon(1e-3);
        assert_eq!((horizon.lag, horizon.reached), (10.0, Reached::Measured));
        let far = norms.horizon(f64::MIN_POSITIVE);
        assert_eq!((far.lag, far.reached), (1023.0, Reached::Measured));
    }

    #[test]
    fn a_cotangent_is_pulled_in_the_order_of_time_reversed() {
        // Against the product of the dense matrices.
        let (dim, lags) = (5, 12);
        let map = gaussian(dim, 0.3, 4);
        let options =
            BackwardOptions { ends: 1, cotangents: 1, steps: Some(20), warmup: 3, ..BackwardOptions::new(lags) };
        let norms = backward_norms(&Stepped::map(&map, &[]), &[vec![0.0; dim]], &options).unwrap();
        let mut w =
            nalgebra::DVector::from_vec(random::<f64>(dim, 0..dim, 1, Stream::Cotangents { start: 0, end: 0 }.of(0)));
        let first = w.norm();
        for lag in 1..=lags {
            let mut matrix = vec![0.0; dim * dim];
            (map.matrix)(3 + 20 - lag, &mut matrix);
            w = nalgebra::DMatrix::from_vec(dim, dim, matrix).transpose() * w;
            assert!((norms.log_norms[lag as usize] - (w.norm() / first).ln()).abs() < 1e-12, "lag {lag}");
        }
    }

    #[test]
    fn what_lies_beyond_the_lags_is_extrapolated_or_never() {
        let of = |gain: f64| {
            let map = fixed(3, orthogonal(3, gain));
            backward_norms(&Stepped::map(&map, &[]), &[vec![0.0; 3]], &BackwardOptions::new(20)).unwrap()
        };
        let slow = of(0.9).horizon(1e-6);
        assert_eq!((slow.lag, slow.reached), (132.0, Reached::Extrapolated));
        assert_eq!(of(1.1).horizon(1e-6).reached, Reached::Never);
        let dead = backward_norms(
            &Stepped::map(&fixed(2, vec![0.0, 1.0, 0.0, 0.0]), &[]),
            &[vec![0.0; 2]],
            &BackwardOptions::new(4),
        )
        .unwrap();
        assert_eq!(dead.log_norms[2..], [f64::NEG_INFINITY; 3]);
        assert_eq!(dead.horizon(1e-300).lag, 2.0);
        assert!(dead.rate(2..=4).is_nan());
    }

    #[test]
    fn averages_have_the_same_bits_on_any_number_of_threads_and_by_the_seed() {
        let cell = Cell::rnn(7, 2);
        let params: Vec<f64> =
            fan_in_normal(&Component::<f64>::params(&cell, ""), 1.2, &mut ChaCha8Rng::seed_from_u64(2));
        let rows: Vec<f64> = (0..2 * 90).map(|i| (0.7 * i as f64).sin()).collect();
        let system = Stepped::map(&cell, &params).driven(Drive::Sequences(vec![&rows]));
        let starts = vec![vec![0.0; 7], vec![0.1; 7]];
        let of = |threads, seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let options = BackwardOptions { seed, rows: Some(2..5), ..BackwardOptions::new(40) };
            pool.install(|| backward_norms(&system, &starts, &options).unwrap())
        };
        assert_eq!(of(1, 5), of(3, 5));
        assert_ne!(of(1, 5), of(1, 6));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let map = fixed(2, vec![0.5, 0.0, 0.0, 0.5]);
        let system = Stepped::map(&map, &[]);
        let usual = BackwardOptions::new(5);
        for bad in [
            BackwardOptions { lags: 0, ..usual.clone() },
            BackwardOptions { steps: Some(4), ..usual.clone() },
            BackwardOptions { ends: 0, ..usual.clone() },
            BackwardOptions { cotangents: 0, ..usual.clone() },
            BackwardOptions { rows: Some(1..3), ..usual.clone() },
        ] {
            assert!(backward_norms(&system, &[vec![0.0; 2]], &bad).is_err(), "{bad:?}");
        }
        assert!(backward_norms(&system, &[vec![f64::NAN; 2]], &usual).is_err());
        assert!(backward_norms(&system, &[vec![0.0; 3]], &usual).is_err());
        assert!(backward_norms(&system, &[], &usual).is_err());
    }
}
