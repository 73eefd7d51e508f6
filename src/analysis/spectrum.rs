//! The result: exponents with their errors, and what follows from them.

use super::blocking::standard_error;
use super::dimension;
use super::ledger::{LOST, Ledger};
use crate::Result;
use serde::Serialize;

/// What may be said of an exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is what was measured, up to its error.
    Resolved,
    /// Rounding may have made up part of it: the truth may lie far below.
    BelowPrecision,
    /// The direction dies within a step: −∞.
    MinusInfinity,
}

impl Status {
    /// As it is written in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::BelowPrecision => "below_precision",
            Self::MinusInfinity => "minus_infinity",
        }
    }
}

/// Averages over the first steps.
#[derive(Clone, Debug, PartialEq)]
pub struct TracePoint {
    /// Steps counted.
    pub steps: u64,
    /// Exponents so far, in the order of the final ones.
    pub exponents: Vec<f64>,
}

/// Lyapunov exponents in nats per unit of time, from the largest down.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// Dimensions of the state; a spectrum may hold fewer exponents, the leading ones.
    pub dim: usize,
    /// Time a step takes: exponents times this are nats per step.
    pub unit: f64,
    /// Steps counted, of each start.
    pub steps: u64,
    /// Steps before.
    pub warmup: u64,
    /// Starts averaged over.
    pub starts: usize,
    /// Steps between factorisations, on average.
    pub qr_every: f64,
    /// The exponents.
    pub exponents: Vec<f64>,
    /// Standard errors from blocks of steps and from different starts together; infinite where there were too few steps. Of an
    /// exponent that is 0 but for some nats, at least its size.
    pub standard_errors: Vec<f64>,
    /// Standard deviations between the starts' own averages; 0 for a single start.
    pub between_starts: Vec<f64>,
    /// Standard deviations of finite-time exponents, those of one bin of [`bin`](Self::bin) steps.
    pub finite_time_deviations: Vec<f64>,
    /// Steps of a bin.
    pub bin: u64,
    /// What may be said of each.
    pub status: Vec<Status>,
    /// Whether an exponent is 0 as far as can be seen: within three standard errors or, where some are known to be 0, so
    /// near that it may be falling as 1/time, as that of the direction of a flow does.
    pub neutral: Vec<bool>,
    /// How many exponents are known to be 0.
    pub zeros: usize,
    /// The sum of the exponents, and its standard error.
    pub sum: f64,
    /// See [`sum`](Self::sum).
    pub sum_error: f64,
    /// Averages along the way.
    pub trace: Vec<TracePoint>,
}

/// Nats that a neutral direction's tangent may grow or shrink by in all, however long the run.
const NEUTRAL_NATS: f64 = 6.0;
/// An exponent is hidden if rounding may have made up more than this share of its standard error, or of itself; where no
/// error is known, more than the last.
const HIDDEN_ERROR: f64 = 0.25;
const HIDDEN_SHARE: f64 = 1e-6;
const HIDDEN_ALONE: f64 = 1e-3;

/// What a run hands over.
pub(super) struct Measured<'a> {
    pub dim: usize,
    pub unit: f64,
    pub counted: u64,
    pub warmup: u64,
    pub zeros: usize,
    /// Directions known to be dead.
    pub dead: usize,
    pub ledgers: &'a [&'a Ledger],
}

impl Measured<'_> {
    /// `of` for every start, by its ledger and its number there.
    fn each<V>(&self, of: impl Fn(&Ledger, usize) -> V) -> Vec<V> {
        self.ledgers.iter().flat_map(|ledger| (0..ledger.starts).map(|s| of(ledger, s)).collect::<Vec<V>>()).collect()
    }
}

impl Spectrum {
    pub(super) fn measured(m: &Measured) -> Self {
        let columns = m.ledgers[0].columns;
        let (bin, unit) = (m.ledgers[0].bin, m.unit);
        let time = (m.counted.max(1)) as f64 * unit.abs();
        let bin_time = bin as f64 * unit.abs();
        let starts: usize = m.ledgers.iter().map(|l| l.starts).sum();
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let binned =
            |j: usize| -> Vec<Vec<f64>> { m.each(|ledger, s| ledger.series(j, s).map(|x| x / bin_time).collect()) };
        let finished = |x: f64| if x.is_nan() { f64::INFINITY } else { x };
        // What the unfinished bin at the end moves the average by, which the blocks do not see: of a periodic orbit whose
        // bins are all alike it is all there is.
        let ends = |own: &[f64], series: &[Vec<f64>]| {
            let moved = own.iter().zip(series).filter(|(_, bins)| !bins.is_empty()).map(|(x, bins)| x - mean(bins));
            let moved: Vec<f64> = moved.collect();
            moved.iter().map(|x| x.abs()).sum::<f64>() / moved.len().max(1) as f64
        };

        let mut rows: Vec<Row> = (0..columns)
            .map(|j| {
                let own: Vec<f64> = m.each(|ledger, s| ledger.total(j, s) / time);
                let at = |ledger: &Ledger, s: usize| j * ledger.starts + s;
                let series = binned(j);
                let all: Vec<f64> = series.iter().flatten().copied().collect();
                Row {
                    column: j,
                    exponent: if m.each(|l, s| l.zeros[at(l, s)] > 0.0).contains(&true) {
                        f64::NEG_INFINITY
                    } else {
                        mean(&own)
                    },
                    error: finished(standard_error(&series)).hypot(ends(&own, &series)),
                    between: deviation(&own).unwrap_or(0.0),
                    finite_time: deviation(&all).unwrap_or(f64::INFINITY),
                    noise: mean(&m.each(|l, s| l.noise[at(l, s)])) / time,
                }
            })
            .collect();
        rows.sort_by(|a, b| b.exponent.total_cmp(&a.exponent));

        // Where rounding hides a direction and the Jacobian is known to have none, it is dead.
        let mut left = m.dead;
        for row in rows.iter_mut().rev() {
            if row.exponent == f64::NEG_INFINITY {
                left = left.saturating_sub(1);
            } else if left > 0 && row.noise * time > 0.1 * LOST * m.ledgers[0].factored as f64 {
                row.exponent = f64::NEG_INFINITY;
                left -= 1;
            } else {
                break;
            }
        }
        rows.sort_by(|a, b| b.exponent.total_cmp(&a.exponent));
        let dead = |row: &Row| row.exponent == f64::NEG_INFINITY;
        let allowed = |row: &Row| {
            let size = row.exponent.abs();
            if row.error.is_finite() {
                (HIDDEN_ERROR * row.error).max(HIDDEN_SHARE * size)
            } else {
                HIDDEN_ALONE * size
            }
        };
        // Digits lost at more than one factorisation in a hundred are no rare accident, whatever the error.
        let lost = |row: &Row| row.noise * time > 0.01 * LOST * m.ledgers[0].factored as f64;
        let status = |row: &Row| match row {
            row if dead(row) => Status::MinusInfinity,
            row if row.noise > allowed(row) || lost(row) => Status::BelowPrecision,
            _ => Status::Resolved,
        };
        // The bound on nats tells nothing of a run so short that what is not zero stays within it too.
        let grown = |row: &Row| row.exponent.abs() * time;
        let told = rows.iter().any(|row| grown(row) > 10.0 * NEUTRAL_NATS)
            || rows.iter().all(|row| grown(row) <= NEUTRAL_NATS);
        let nats = if m.zeros > 0 && told { NEUTRAL_NATS } else { 1e-10 };
        let neutral = |row: &Row| row.error.is_finite() && row.exponent.abs() <= (3.0 * row.error).max(nats / time);
        // An exponent that is 0 but for some nats, which no scatter within the run tells of, is as far off as it is from 0.
        let kept = |row: &Row| told && m.zeros > 0 && grown(row) <= NEUTRAL_NATS;
        let error = |row: &Row| match row {
            row if dead(row) => 0.0,
            row if kept(row) => row.error.max(row.exponent.abs()),
            row => row.error,
        };
        let sums = m.each(|ledger, s| {
            let mut sums = vec![0.0; ledger.finished()];
            (0..columns).for_each(|j| sums.iter_mut().zip(ledger.series(j, s)).for_each(|(sum, x)| *sum += x));
            sums.into_iter().map(|x| x / bin_time).collect()
        });
        Self {
            dim: m.dim,
            unit,
            steps: m.counted,
            warmup: m.warmup,
            starts,
            qr_every: m.counted as f64 / m.ledgers[0].factored.max(1) as f64,
            exponents: rows.iter().map(|row| row.exponent).collect(),
            standard_errors: rows.iter().map(error).collect(),
            between_starts: rows.iter().map(|row| if dead(row) { 0.0 } else { row.between }).collect(),
            finite_time_deviations: rows.iter().map(|row| if dead(row) { 0.0 } else { row.finite_time }).collect(),
            bin,
            status: rows.iter().map(status).collect(),
            neutral: rows.iter().map(neutral).collect(),
            zeros: m.zeros,
            sum: rows.iter().map(|row| row.exponent).sum(),
            sum_error: finished(standard_error(&sums)),
            trace: trace(m, &rows, starts),
        }
    }

    /// Whether there are as many exponents as dimensions.
    pub fn is_complete(&self) -> bool {
        self.exponents.len() == self.dim
    }

    /// The largest standard error of a resolved exponent; infinite if none is known.
    pub fn largest_error(&self) -> f64 {
        let resolved = self.status.iter().zip(&self.standard_errors).filter(|(s, _)| **s == Status::Resolved);
        resolved.map(|(_, error)| *error).reduce(f64::max).unwrap_or(f64::INFINITY)
    }

    /// The Kaplan–Yorke dimension `j + Σ_{i≤j} λ_i / |λ_{j+1}|`, with `j` the largest number of leading exponents whose sum
    /// is not negative (Kaplan & Yorke 1979). Those [known](Self::zeros) to be 0 count as 0.
    ///
    /// # Errors
    /// If the known exponents' sum does not become negative and there are more that are not known, or the exponent where
    /// it does is hidden by rounding.
    pub fn kaplan_yorke(&self) -> Result<f64> {
        dimension::kaplan_yorke(self)
    }

    /// The standard error of the dimension, from those of the exponents, taken as independent.
    pub fn kaplan_yorke_error(&self) -> Option<f64> {
        dimension::kaplan_yorke_error(self)
    }

    /// The Kolmogorov–Sinai entropy by Pesin's formula, the sum of the positive exponents: exact for a system with a
    /// smooth measure along unstable directions, an upper bound for all others. In nats per unit of time.
    ///
    /// # Errors
    /// If the last known exponent is positive and there are more that are not known.
    pub fn entropy(&self) -> Result<f64> {
        dimension::entropy(self)
    }
}

/// A column's numbers.
struct Row {
    column: usize,
    exponent: f64,
    error: f64,
    between: f64,
    finite_time: f64,
    /// What rounding may have made up.
    noise: f64,
}

/// Sample standard deviation, of two numbers at least.
fn deviation(x: &[f64]) -> Option<f64> {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    (x.len() > 1).then(|| (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt())
}

/// Running averages over all starts, bin after bin.
fn trace(m: &Measured, rows: &[Row], starts: usize) -> Vec<TracePoint> {
    let ledger = m.ledgers[0];
    let mut sums = vec![0.0; rows.len()];
    (0..ledger.finished())
        .map(|b| {
            let steps = (b as u64 + 1) * ledger.bin;
            let time = steps as f64 * m.unit.abs() * starts as f64;
            for (sum, row) in sums.iter_mut().zip(rows) {
                for ledger in m.ledgers {
                    let block = &ledger.bins[b * ledger.open.len()..][row.column * ledger.starts..][..ledger.starts];
                    *sum += block.iter().sum::<f64>();
                }
            }
            let exponents = sums
                .iter()
                .zip(rows)
                .map(|(sum, row)| if row.exponent == f64::NEG_INFINITY { f64::NEG_INFINITY } else { sum / time });
            TracePoint { steps, exponents: exponents.collect() }
        })
        .collect()
}
