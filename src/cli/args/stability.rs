//! `flowmap stability`.

use clap::{Args, ValueHint};
use std::path::PathBuf;

/// Says which method is stable at which step, on a named system, a linear one, or a fitted model.
///
/// Where a point of rest attracts, a step is stable if the spectral radius of its Jacobian there is below 1; the limit is
/// predicted from the eigenvalues and the method's stability function, and measured by bisection on trajectories. Where
/// none does, the limit is the largest step that stays within 0.1 standard deviations of the accurate trajectory, at most
/// its span.
///
/// Writes stability.json, stability.csv, eigenvalues.csv, stability.svg and trajectories.svg.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("stepped").required(true).args(["system", "matrix", "model"]))]
#[command(after_help = "\
Examples, from the repository's root:
  flowmap stability --system pendulum
  flowmap stability --system stiff-linear --methods euler,rk4,implicit-euler --steps 0.001,0.0019,0.0021,0.01
  flowmap stability --system van-der-pol --set mu=100
  flowmap stability --model out/fit        (after `flowmap fit data/lynx_hare.csv`)")]
pub struct StabilityArgs {
    /// A named flow; `flowmap systems` lists them
    #[arg(long, value_name = "NAME", help_heading = "What is stepped")]
    pub system: Option<String>,
    /// A square matrix A, of the flow y' = A y: a CSV file of numbers under a line of names, or an npy array
    #[arg(long, value_name = "A.csv|A.npy", value_hint = ValueHint::FilePath, help_heading = "What is stepped")]
    pub matrix: Option<PathBuf>,
    /// The folder of a fitted model
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "What is stepped")]
    pub model: Option<PathBuf>,
    /// A parameter of the system; may come several times
    #[arg(long, value_name = "KEY=VALUE", allow_hyphen_values = true, conflicts_with_all = ["matrix", "model"])]
    pub set: Vec<String>,
    /// The start, one number a component [default: the usual one; ones for a matrix; a model's first]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', allow_hyphen_values = true)]
    pub start: Option<Vec<f64>>,
    /// Methods, as `flowmap simulate --help` names them [default: some explicit and implicit ones]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub methods: Option<Vec<String>>,
    /// Steps to look at, in units of time [default: some about the shortest and the longest limit, and one for what is
    /// much slower]
    #[arg(long, value_name = "X,…", value_delimiter = ',', allow_negative_numbers = true)]
    pub steps: Option<Vec<f64>>,
    /// How long trajectories are [default: one that shows what the system does; until a matrix's slowest mode has
    /// decayed; that of a model's data]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub span: Option<f64>,
}
