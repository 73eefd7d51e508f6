//! Where commands find what they measure: named systems, recurrent nets from files of weights, and fitted models.

mod model;
mod net;
pub mod system;

use crate::analysis::audit::{Check, SumRule};
use crate::analysis::{Spectrum, Stepped};
use crate::cli::args::{Common, Precision, SourceArgs};
use crate::cli::shared::Console;
use crate::{Error, Real, Result};
pub use net::runs_both_ways;
use serde_json::Value;
use std::ops::Range;

/// Further checks on a spectrum, in double precision.
pub type Further<'a> = Box<dyn Fn(&Spectrum) -> Vec<Check> + 'a>;

/// What is measured, and what is known of it.
pub struct Subject<'a, T: Real> {
    pub stepped: &'a Stepped<'a, T>,
    pub starts: Vec<Vec<T>>,
    /// What it is, for the result's file.
    pub source: Value,
    pub title: String,
    pub usual: Usual,
    /// Rows of the state that a loss sees.
    pub outputs: Range<usize>,
    /// Whether rates are those of time, not of steps.
    pub per_time: bool,
    /// Sum rules, the best first.
    pub rules: Vec<SumRule<'a, T>>,
    pub sum: Option<f64>,
    /// Exponents known to be 0 while the state moves.
    pub zeros: usize,
    pub pairs: Option<f64>,
    pub further: Further<'a>,
}

/// What is done unless asked otherwise.
pub struct Usual {
    pub warmup: u64,
    pub steps: u64,
    pub exponents: Option<usize>,
}

/// The unit of a subject's rates.
pub fn unit<T: Real>(subject: &Subject<T>) -> &'static str {
    if subject.per_time { "nats per unit of time" } else { "nats per step" }
}

/// What a command does with its source.
pub trait Measurement {
    type Found;

    /// # Errors
    /// If it cannot be measured.
    fn measure<T: Real>(&self, subject: Subject<T>) -> Result<Self::Found>;
}

/// # Errors
/// If a step is given that does not go forward.
pub fn forward(step: Option<f64>) -> Result<()> {
    match step.filter(|step| step.is_nan() || *step <= 0.0) {
        Some(step) => {
            let what = format!("--step is {step}, and what is measured goes forward in time");
            Err(Error::config(what, "give a positive number"))
        }
        None => Ok(()),
    }
}

/// # Errors
/// If rounding hides what a step does, because it is shorter than the least.
fn seen(step: f64, least: f64) -> Result<()> {
    if step.abs() >= least {
        return Ok(());
    }
    let what = format!("a step of {step:e} is so short that rounding hides what it does");
    // What is told must not be refused: two digits, rounded up.
    let unit = 10_f64.powf(least.log10().floor() - 1.0);
    Err(Error::config(what, format!("give a --step of {:.1e} or more", ((1.0 + 1e-9) * least / unit).ceil() * unit)))
}

/// Builds the source that is asked for and measures it.
///
/// # Errors
/// If an input cannot be used; those of the measurement.
pub fn measure<M: Measurement>(args: &SourceArgs, common: &Common, console: &Console, with: &M) -> Result<M::Found> {
    if let (None, Some(option)) = (&args.rnn, args.net.given()) {
        let what = format!("{option} is for recurrent nets, and none is given");
        return Err(Error::config(what, "leave it out, or name a net with --rnn"));
    }
    forward(args.step)?;
    match (&args.system, &args.rnn, &args.model) {
        (Some(name), _, _) => system::measure(name, args, common, with),
        (_, Some(path), _) if args.net.precision == Precision::F32 => {
            net::measure::<f32, M>(path, args, common, console, with)
        }
        (_, Some(path), _) => net::measure::<f64, M>(path, args, common, console, with),
        (_, _, Some(folder)) => model::measure(folder, args, common, with),
        _ => Err(Error::config("nothing to measure is named", "give --system, --rnn or --model")),
    }
}
