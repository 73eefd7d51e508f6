//! All singular values of long products of Jacobians, by lag.
//!
//! A product of hundreds of Jacobians spans more powers of ten than a number can hold, and formed as a matrix it keeps only
//! its largest singular values. Here it stays in factors: an orthonormal block is pulled back and factored at every step, and
//! the triangles multiply to one whose rows have their sizes apart, in logarithms. What further sweeps over all factors, to
//! and fro, would do to that triangle is done on the triangle itself, by rotations
//! (Oliveira & Stewart 2000, Linear Algebra Appl. 309, 175–190, take products apart in this way).

use super::stretch::Stretch;
use super::{Status, Stepped};
use crate::linalg::{Qr, log_singular_values};
use crate::{Error, Real, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Rounding of a column, in units of ε times its length before the factorisation.
const ROUNDING: f64 = 8.0;
/// Nats of a value that rounding may have made up before it counts as hidden.
const HIDDEN: f64 = 1e-3;
/// A row's part along another is left out where it is this small beside the row: far below rounding.
const NOTHING: f64 = -80.0;
/// Triangles whose values are found together.
const TOGETHER: usize = 16;

/// The singular values of a product of Jacobians.
#[derive(Clone, Debug, PartialEq)]
pub struct SingularValues {
    /// How many steps the product is of.
    pub lag: u64,
    /// Their natural logarithms, from the largest down.
    pub logs: Vec<f64>,
    /// What may be said of each.
    pub status: Vec<Status>,
}

impl SingularValues {
    /// Effective rank: the exponential of the entropy of the singular values as shares of their sum, from 1 to as many as
    /// there are (Roy & Vetterli 2007, EUSIPCO, sec. 2); 0 where all are zero.
    pub fn effective_rank(&self) -> f64 {
        let Some(&largest) = self.logs.first().filter(|log| **log > f64::NEG_INFINITY) else { return 0.0 };
        let sizes = || self.logs.iter().map(|log| (log - largest).exp());
        let sum: f64 = sizes().sum();
        let shares = sizes().map(|size| size / sum).filter(|share| *share > 0.0);
        shares.map(|share| -share * share.ln()).sum::<f64>().exp()
    }
}

/// Singular values of the products `J_end … J_(end−lag+1)` of the Jacobians of the last `lag` steps before step `end`, for
/// the `lags` given, in order.
///
/// `seed` draws the frame that is pulled back; it matters to rounding only. Cost: for each step up to the largest lag as
/// many VJPs as there are dimensions `n` and some `4 n³` operations, and for each lag some `40 n³`, over the threads of the
/// present pool. Memory: the map's slab for each of those steps.
///
/// # Errors
/// If the system or the start cannot be used, the lags do not rise from 1 on to at most `end`, or a state on the way or its
/// linearisation is not finite.
pub fn singular_values<T: Real>(
    system: &Stepped<T>,
    start: &[T],
    end: u64,
    lags: &[u64],
    seed: u64,
) -> Result<Vec<SingularValues>> {
    system.check(1)?;
    let most = lags.last().copied().unwrap_or(0);
    if lags.first().is_none_or(|lag| *lag == 0) || !lags.is_sorted_by(|a, b| a < b) || most > end {
        let what = format!("lags of a product that ends at step {end} do not rise from 1 on to at most that");
        return Err(Error::config(what, "give rising lags"));
    }
    if let Some(length) = system.length().filter(|length| end > *length) {
        let what = format!("a product is to end at step {end}");
        return Err(Error::config(what, format!("there are inputs for {length}; take fewer")));
    }
    let (dim, stretch) = (system.dim(), Stretch::follow(system, start, 0, end - most, most)?);
    let mut room = stretch.room(dim);
    let mut qr = Qr::new(dim, dim, 1, seed);
    let mut frame = normal(dim, seed);
    qr.factor(&mut frame);
    let mut triangle = Triangle::identity(dim);
    let (mut found, mut waiting) = (Vec::with_capacity(lags.len()), Vec::new());
    for lag in 1..=most {
        stretch.pull(most - lag, &mut frame, dim, &mut room);
        qr.factor(&mut frame);
        if qr.lengths().iter().any(|length| !length.is_finite()) {
            let what = format!("the Jacobian of step {} is not finite", end - lag + 1);
            return Err(Error::config(what, "make the step smaller, or look at the net's weights"));
        }
        triangle.multiply(&qr);
        if lags.binary_search(&lag).is_ok() {
            waiting.push((lag, triangle.clone()));
        }
        if waiting.len() == TOGETHER || lag == most {
            found.par_extend(waiting.par_drain(..).map(|(lag, triangle): (u64, Triangle)| triangle.values(lag)));
        }
    }
    Ok(found)
}

fn normal<T: Real>(dim: usize, seed: u64) -> Vec<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let draw = |_| {
        let normal: f64 = StandardNormal.sample(&mut rng);
        T::of(normal)
    };
    (0..dim * dim).map(draw).collect()
}

/// A product of triangles; the last one stands first.
#[derive(Clone)]
struct Triangle {
    dim: usize,
    /// Natural logarithms of the rows' sizes, −∞ for rows of zeros.
    logs: Vec<f64>,
    /// The rows beside that, their largest number 1.
    rows: Vec<f64>,
    /// How much of each row rounding may have made up, in nats.
    noise: Vec<f64>,
}

impl Triangle {
    fn identity(dim: usize) -> Self {
        let mut rows = vec![0.0; dim * dim];
        (0..dim).for_each(|i| rows[i * dim + i] = 1.0);
        Self { dim, logs: vec![0.0; dim], rows, noise: vec![0.0; dim] }
    }

    /// Puts the triangle of a factorisation before the others.
    fn multiply<T: Real>(&mut self, qr: &Qr<T>) {
        let (dim, unit) = (self.dim, ROUNDING * T::default_epsilon().f64());
        for i in 0..dim {
            let (r, length) = (qr.diagonal()[i].f64(), qr.lengths()[i].f64());
            if r == 0.0 {
                // The direction is gone; what the frame goes on with there is not of this product.
                self.logs[i] = f64::NEG_INFINITY;
                self.rows[i * dim..(i + 1) * dim].fill(0.0);
                continue;
            }
            self.noise[i] += (unit * length / r).min(1.0);
            // Row i of the new one takes rows from i on of the old one, which are still there.
            let part = |j: usize| {
                let r = qr.r(0, i, j).f64();
                (r, r.abs().ln() + self.logs[j])
            };
            let largest = (i..dim).map(|j| part(j).1).fold(f64::NEG_INFINITY, f64::max);
            let (above, below) = self.rows.split_at_mut((i + 1) * dim);
            let row = &mut above[i * dim..];
            let own = if self.logs[i] > f64::NEG_INFINITY { (r.ln() + self.logs[i] - largest).exp() } else { 0.0 };
            row.iter_mut().for_each(|x| *x *= own);
            for j in i + 1..dim {
                let (r, log) = (qr.r(0, i, j).f64(), self.logs[j]);
                let log = r.abs().ln() + log - largest;
                if log > NOTHING {
                    let weight = log.exp().copysign(r);
                    let other = &below[(j - i - 1) * dim..][..dim];
                    row.iter_mut().zip(other).skip(j).for_each(|(x, y)| *x += weight * y);
                }
            }
            let size = row.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
            self.logs[i] = largest + size.ln();
            if size > 0.0 {
                row.iter_mut().for_each(|x| *x /= size);
            } else {
                self.logs[i] = f64::NEG_INFINITY;
            }
        }
    }

    fn values(mut self, lag: u64) -> SingularValues {
        log_singular_values(&mut self.rows, &mut self.logs, self.dim);
        let dead = self.logs.iter().filter(|log| **log == f64::NEG_INFINITY).count();
        let hidden = self.noise.iter().filter(|noise| **noise > HIDDEN).count();
        self.logs.sort_by(|a, b| b.total_cmp(a));
        // Which value a row becomes is not known; those that rounding touches are the small ones.
        let status = |i: usize| match self.dim - i {
            from_the_end if from_the_end <= dead => Status::MinusInfinity,
            from_the_end if from_the_end <= hidden => Status::BelowPrecision,
            _ => Status::Resolved,
        };
        SingularValues { lag, status: (0..self.dim).map(status).collect(), logs: self.logs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Drive;
    use crate::analysis::tests::kit::{Linear, fixed, orthogonal};
    use crate::cells::golden::{golden, numbers, params};
    use crate::cells::{Kind, Layers};
    use crate::nn::Activation;

    /// The matrices of `tests/golden/product.py`, in the order of steps.
    fn matrices(dim: usize, steps: usize) -> Vec<f64> {
        let mut state = 7u64;
        let next = |_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            f64::from((state >> 32) as u32 as i32) / 2f64.powi(31) * 25.0 / 64.0
        };
        (0..dim * dim * steps).map(next).collect()
    }

    #[test]
    fn a_product_of_four_hundred_has_the_singular_values_of_arbitrary_precision_down_to_1e_minus_381() {
        let text = include_str!("../../tests/golden/product.json");
        let known: serde_json::Value = serde_json::from_str(text).unwrap();
        let dim = known["dim"].as_u64().unwrap() as usize;
        let steps = known["steps"].as_u64().unwrap();
        let all = matrices(dim, steps as usize);
        let map = Linear {
            dim,
            matrix: |step, out: &mut [f64]| out.copy_from_slice(&all[step as usize * dim * dim..][..dim * dim]),
        };
        let lags: Vec<u64> = known["lags"].as_array().unwrap().iter().map(|lag| lag.as_u64().unwrap()).collect();
        let found = singular_values(&Stepped::map(&map, &[]), &vec![0.0; dim], steps, &lags, 0).unwrap();
        let mut worst: f64 = 0.0;
        for (found, known) in found.iter().zip(known["log10_singular_values"].as_array().unwrap()) {
            for (log, known) in found.logs.iter().zip(numbers(known)) {
                worst = worst.max((log / std::f64::consts::LN_10 - known).abs());
            }
            assert!(found.status.iter().all(|status| *status == Status::Resolved));
        }
        assert!(worst < 1e-9, "{worst:e}");
        assert!(found[5].logs[19] < -381.0 * std::f64::consts::LN_10);
    }

    #[test]
    fn the_golden_nets_have_pytorchs_product_norms() {
        let golden = golden();
        for (name, kind) in [
            ("RNN_1layer", Kind::Rnn(Activation::Tanh)),
            ("GRU_1layer", Kind::Gru),
            ("LSTM_1layer", Kind::Lstm),
            ("LSTM_2layer", Kind::Lstm),
            ("GRU_2layer", Kind::Gru),
        ] {
            let net = &golden[name];
            let size = |key: &str| net[key].as_u64().unwrap() as usize;
            let (hidden, inputs) = (size("hidden"), size("input"));
            let layers = Layers { kind, layers: size("layers"), hidden, inputs, bidirectional: false };
            let (stack, params) = (layers.stack().unwrap(), params(&layers, &net["weights"]));
            let rows = numbers(&net["inputs"]);
            let system = Stepped::map(&stack, &params).driven(Drive::Sequences(vec![&rows]));
            let lags: Vec<u64> = (1..=30).collect();
            let found = singular_values(&system, &vec![0.0; stack.state()], size("T") as u64, &lags, 3).unwrap();
            for (found, known) in found.iter().zip(numbers(&net["opnorm_last_k_product_k1to30"])) {
                let apart = (found.logs[0].exp() / known - 1.0).abs();
                assert!(apart < 1e-9, "{name}, {}: {apart:e}", found.lag);
            }
        }
    }

    #[test]
    fn values_of_equal_size_stay_equal() {
        let map = fixed(7, orthogonal(7, 0.25));
        let found = singular_values(&Stepped::map(&map, &[]), &[0.0; 7], 600, &[1, 600], 0).unwrap();
        for values in found {
            let known = values.lag as f64 * 0.25f64.ln();
            assert!(values.logs.iter().all(|log| (log - known).abs() < 1e-11 * known.abs()), "{:?}", values.logs);
            assert!((values.effective_rank() - 7.0).abs() < 1e-9);
        }
    }

    #[test]
    fn directions_that_die_are_minus_infinity_and_those_of_rounding_are_marked() {
        // One direction is lost at each step; of the others one shrinks to rounding at once.
        let map = fixed(3, vec![0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1e-18]);
        let found = singular_values(&Stepped::map(&map, &[]), &[0.0; 3], 4, &[1, 4], 0).unwrap();
        for values in found {
            assert!((values.logs[0] - values.lag as f64 * 0.5f64.ln()).abs() < 1e-13);
            assert_eq!(values.status[0], Status::Resolved);
            assert!(values.status[1..].iter().all(|status| *status != Status::Resolved), "{values:?}");
            assert!((values.effective_rank() - 1.0).abs() < 1e-12);
        }
        // A share may be below the least number.
        let logs = vec![0.0, 0.0, -744.9, f64::NEG_INFINITY];
        let few = SingularValues { lag: 1, status: vec![Status::Resolved; 4], logs };
        assert!((few.effective_rank() - 2.0).abs() < 1e-12);
        let none = fixed(2, vec![0.0; 4]);
        let none = singular_values(&Stepped::map(&none, &[]), &[0.0; 2], 2, &[2], 0).unwrap();
        assert_eq!(none[0].status, [Status::MinusInfinity; 2]);
        assert_eq!(none[0].effective_rank(), 0.0);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let map = fixed(2, vec![0.5, 0.0, 0.0, 0.5]);
        let system = Stepped::map(&map, &[]);
        for (end, lags) in [(5, &[][..]), (5, &[0, 1]), (5, &[2, 2]), (5, &[1, 6])] {
            assert!(singular_values(&system, &[0.0; 2], end, lags, 0).is_err(), "{lags:?}");
        }
        assert!(singular_values(&system, &[0.0; 3], 5, &[1], 0).is_err());
    }
}
