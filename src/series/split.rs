//! Which rows are for training, for validation, for conditioning only, and held out for testing.

use std::ops::Range;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::Panel;
use crate::random::Stream;
use crate::{Error, Result};

/// What is held out for testing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HoldOut {
    /// Nothing.
    Nothing,
    /// Of each series of `n` rows the last `max(1, round(F·n))`, but never all of them.
    Rows(f64),
    /// `max(1, round(F·S))` whole series, but never all that have two rows.
    Series {
        /// The fraction `F` of the series.
        fraction: f64,
        /// The fraction of a held-out series' rows that the model is given; one half if not said. At least one row is.
        condition: Option<f64>,
    },
}

/// What a series is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Parameters are fitted to its conditioning rows.
    Fitted,
    /// A training series that the fit does not see: its validation rows are predicted from its conditioning rows.
    Validation,
    /// A held-out series: its test rows are predicted from its conditioning rows.
    HeldOut,
    /// A series of one row (or none): there is nothing to compare a prediction with.
    ConditioningOnly,
}

/// The parts of one series, as ranges of its own rows. They follow each other in time without a gap: conditioning,
/// validation, test; each may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesSplit {
    /// What the series is used for.
    pub role: Role,
    /// What the model is given; what it is fitted to if the role is [`Role::Fitted`].
    pub conditioning: Range<usize>,
    /// Training rows that the fit does not see, predicted from the conditioning rows.
    pub validation: Range<usize>,
    /// Held-out rows, predicted from all rows before them.
    pub test: Range<usize>,
}

impl SeriesSplit {
    /// The rows that count as training: those fitted and those of the validation part with what it is conditioned on.
    pub fn training(&self) -> Range<usize> {
        match self.role {
            Role::Fitted | Role::Validation => 0..self.test.start,
            Role::HeldOut | Role::ConditioningOnly => 0..0,
        }
    }

    /// The rows that parameters are fitted to.
    pub fn fitted(&self) -> Range<usize> {
        if self.role == Role::Fitted { self.conditioning.clone() } else { 0..0 }
    }
}

/// The parts of all series, in the panel's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// One entry a series.
    pub series: Vec<SeriesSplit>,
}

/// Under so many training rows no validation part is taken.
pub const LEAST_ROWS_FOR_VALIDATION: usize = 50;
/// From so many training series on, whole series are taken for validation.
pub const LEAST_SERIES_FOR_VALIDATION_SERIES: usize = 8;
const VALIDATION_ROWS: f64 = 0.15;
const VALIDATION_SERIES: f64 = 0.2;
// Streams of the generator, so that the draw of validation series does not depend on how many were held out.

impl Split {
    /// Splits a panel. Draws come from ChaCha8 seeded with `seed`.
    ///
    /// The validation part is taken from the training rows if there are at least [`LEAST_ROWS_FOR_VALIDATION`]. With
    /// fewer than [`LEAST_SERIES_FOR_VALIDATION_SERIES`] training series it is the last 15 % of each one's training
    /// rows; with more it is 20 % of the series, each conditioned on the first half of its training rows.
    ///
    /// # Errors
    /// [`Error::Config`] if a fraction is not between 0 and 1, if whole series are to be held out and fewer than two
    /// have two rows, or if no series has two rows.
    pub fn new(panel: &Panel, hold_out: HoldOut, seed: u64) -> Result<Self> {
        let lengths: Vec<usize> = (0..panel.series_count()).map(|i| panel.rows(i).len()).collect();
        let long: Vec<usize> = (0..lengths.len()).filter(|&i| lengths[i] >= 2).collect();
        if long.is_empty() {
            return Err(Error::config("no series has two rows: there is nothing to learn from", "give longer series"));
        }
        let mut series: Vec<SeriesSplit> = lengths.iter().map(|&n| whole(n)).collect();
        match hold_out {
            HoldOut::Nothing => {}
            HoldOut::Rows(fraction) => {
                check_fraction("--holdout", fraction)?;
                for &i in &long {
                    let n = lengths[i];
                    let first = n - rounded_share(fraction, n).min(n - 1);
                    series[i].conditioning = 0..first;
                    series[i].validation = first..first;
                    series[i].test = first..n;
                }
            }
            HoldOut::Series { fraction, condition } => {
                check_fraction("--holdout-series", fraction)?;
                let condition = condition.unwrap_or(0.5);
                check_fraction("--condition", condition)?;
                if long.len() < 2 {
                    return Err(Error::config(
                        "whole series cannot be held out: fewer than two series have two rows",
                        "hold out the end of the series with --holdout instead",
                    ));
                }
                let count = rounded_share(fraction, lengths.len()).min(long.len() - 1);
                for i in draw(&long, count, Stream::TestSeries.of(seed)) {
                    let n = lengths[i];
                    let first = ((condition * n as f64).floor() as usize).clamp(1, n - 1);
                    series[i] = SeriesSplit {
                        role: Role::HeldOut,
                        conditioning: 0..first,
                        validation: first..first,
                        test: first..n,
                    };
                }
            }
        }
        take_validation(&mut series, seed);
        Ok(Self { series })
    }

    /// The number of training rows, those of the validation part among them.
    pub fn training_row_count(&self) -> usize {
        self.series.iter().map(|s| s.training().len()).sum()
    }

    /// The training rows of each series as a panel with the same series in the same order, some perhaps empty.
    ///
    /// # Errors
    /// [`Error::Shape`] if the split was made for another panel.
    pub fn training(&self, panel: &Panel) -> Result<Panel> {
        self.part(panel, SeriesSplit::training)
    }

    /// What test rows may be predicted from: of each series all rows before its test rows.
    ///
    /// # Errors
    /// [`Error::Shape`] if the split was made for another panel.
    pub fn before_test(&self, panel: &Panel) -> Result<Panel> {
        self.part(panel, |s| 0..s.test.start)
    }

    /// The test rows of each series.
    ///
    /// # Errors
    /// [`Error::Shape`] if the split was made for another panel.
    pub fn test(&self, panel: &Panel) -> Result<Panel> {
        self.part(panel, |s| s.test.clone())
    }

    /// One part of each series as a panel with the same series in the same order, some perhaps empty.
    ///
    /// # Errors
    /// [`Error::Shape`] if the split was made for another panel.
    pub fn part(&self, panel: &Panel, rows: impl Fn(&SeriesSplit) -> Range<usize>) -> Result<Panel> {
        if self.series.len() != panel.series_count() {
            return Err(Error::shape("series of a split", panel.series_count(), self.series.len()));
        }
        panel.select(self.series.iter().map(rows).enumerate())
    }
}

fn whole(n: usize) -> SeriesSplit {
    let role = if n >= 2 { Role::Fitted } else { Role::ConditioningOnly };
    SeriesSplit { role, conditioning: 0..n, validation: n..n, test: n..n }
}

fn check_fraction(option: &str, fraction: f64) -> Result<()> {
    if fraction > 0.0 && fraction < 1.0 {
        return Ok(());
    }
    Err(Error::config(format!("{option} {fraction} is not a fraction"), "give a number between 0 and 1, such as 0.2"))
}

fn rounded_share(fraction: f64, n: usize) -> usize {
    ((fraction * n as f64).round() as usize).max(1)
}

fn take_validation(series: &mut [SeriesSplit], seed: u64) {
    let training: Vec<usize> = (0..series.len()).filter(|&i| series[i].role == Role::Fitted).collect();
    let rows: usize = training.iter().map(|&i| series[i].conditioning.len()).sum();
    if rows < LEAST_ROWS_FOR_VALIDATION {
        return;
    }
    if training.len() < LEAST_SERIES_FOR_VALIDATION_SERIES {
        for &i in &training {
            let n = series[i].conditioning.len();
            let taken = ((VALIDATION_ROWS * n as f64).round() as usize).min(n.saturating_sub(1));
            divide(&mut series[i], n - taken);
        }
        return;
    }
    // A series with one training row has nothing to be validated on.
    let candidates: Vec<usize> = training.iter().copied().filter(|&i| series[i].conditioning.len() >= 2).collect();
    let count = rounded_share(VALIDATION_SERIES, training.len()).min(candidates.len().saturating_sub(1));
    for i in draw(&candidates, count, Stream::ValidationSeries.of(seed)) {
        let half = series[i].conditioning.len() / 2;
        divide(&mut series[i], half);
        series[i].role = Role::Validation;
    }
}

fn divide(series: &mut SeriesSplit, at: usize) {
    series.validation = at..series.conditioning.end;
    series.conditioning = 0..at;
}

/// `count` of the candidates, every choice equally likely. Written out (a partial Fisher–Yates shuffle on the named
/// generator) because sampling routines of libraries may change their draws between versions.
fn draw(candidates: &[usize], count: usize, mut generator: ChaCha8Rng) -> Vec<usize> {
    let mut pool = candidates.to_vec();
    let count = count.min(pool.len());
    for i in 0..count {
        let j = i + below(&mut generator, (pool.len() - i) as u64) as usize;
        pool.swap(i, j);
    }
    pool.truncate(count);
    pool
}

/// A number below `n`, every one equally likely.
fn below(generator: &mut ChaCha8Rng, n: u64) -> u64 {
    let whole_rounds = u64::MAX - u64::MAX % n;
    loop {
        let drawn = generator.next_u64();
        if drawn < whole_rounds {
            return drawn % n;
        }
    }
}

#[cfg(test)]
mod tests;
