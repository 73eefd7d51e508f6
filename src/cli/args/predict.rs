//! `flowmap predict`.

use super::grid;
use clap::{Args, ValueHint};
use std::path::PathBuf;

/// Predicts with a fitted model.
///
/// Without --data the series that it was fitted to go on; with it, the series of that file, from their last rows.
/// Without times: from each series' last observation on, as long as a quarter of the fitted span.
///
/// Writes predictions.csv and predictions.svg.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples, from the repository's root, after `flowmap fit data/lynx_hare.csv --holdout 0.2`:
  flowmap predict out/fit
  flowmap predict out/fit --at 1921:1930:0.1
  flowmap predict out/fit --data data/lynx_hare.csv --at 1900:1930:0.1 --method ode-solvers-dopri5")]
pub struct PredictArgs {
    /// The folder that a fit wrote
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub model: PathBuf,
    /// Observations to predict from, with columns named as in the fit
    #[arg(long, value_name = "DATA.csv", value_hint = ValueHint::FilePath)]
    pub data: Option<PathBuf>,
    /// Times from START to END in steps of STEP, in the file's unit
    #[arg(long, value_name = "START:END:STEP", allow_hyphen_values = true, value_parser = grid)]
    pub at: Option<[f64; 3]>,
    /// Times from a CSV file: a time column, and a series column if they differ by series
    #[arg(long, value_name = "TIMES.csv", conflicts_with = "at", value_hint = ValueHint::FilePath)]
    pub at_file: Option<PathBuf>,
    /// Integrate with another method than the fit, such as rk4 or dop853, or ode-solvers-dopri5 as a check
    #[arg(long, value_name = "NAME")]
    pub method: Option<String>,
    /// Relative tolerance of the integration
    #[arg(long, value_name = "X")]
    pub rtol: Option<f64>,
    /// Absolute tolerance of the integration, in training standard deviations
    #[arg(long, value_name = "X")]
    pub atol: Option<f64>,
    /// Steps of this length, in the file's unit of time
    #[arg(long, value_name = "X")]
    pub step: Option<f64>,
}
