//! The options of every command.

mod fit;
mod gradients;
mod lyapunov;
mod predict;
mod simulate;
mod source;
mod stability;
mod sweep;

use clap::{Args, Parser, Subcommand, ValueHint};
pub use fit::{ColumnArgs, FitArgs, Model};
pub use gradients::GradientsArgs;
pub use lyapunov::{FrameKind, LyapunovArgs, QrEvery};
pub use predict::PredictArgs;
pub use simulate::{Passages, SectionArgs, SimulateArgs, SolverArgs};
pub use source::{Direction, Gates, NetArgs, Precision, SourceArgs};
pub use stability::StabilityArgs;
use std::path::PathBuf;
pub use sweep::SweepArgs;

/// Systems that evolve in time: fits Neural ODEs to irregular series, predicts with them, simulates named systems, and
/// measures Lyapunov spectra and the reach of gradients of systems, recurrent nets and fitted models, and says which method is
/// stable at which step.
#[derive(Debug, Parser)]
#[command(name = "flowmap", version, max_term_width = 110)]
#[command(after_help = "\
Examples, from the repository's root:
  flowmap inspect data/lynx_hare.csv
  flowmap fit data/lynx_hare.csv --holdout 0.2
  flowmap predict out/fit --at 1921:1930:0.1
  flowmap simulate --system lorenz63
  flowmap lyapunov --system lorenz63
  flowmap stability --system pendulum
  flowmap gradients --system lorenz63
  flowmap sweep --system logistic --over r=2.5:4:1000

Exit codes: 0 done, 1 the computation failed, 2 bad input or usage.")]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Everywhere")]
pub struct Common {
    /// Folder for the results, created if missing [default: out/COMMAND]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Print one JSON object to stdout and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Seed of everything random [default: 0]
    // TOML, which keeps the seed, has no larger numbers.
    #[arg(long, global = true, value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// Threads; results have the same bits for any number of them [default: all]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Say nothing on stderr but errors
    #[arg(long, global = true)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Fit(FitArgs),
    Predict(PredictArgs),
    Simulate(SimulateArgs),
    Lyapunov(LyapunovArgs),
    Stability(StabilityArgs),
    Gradients(GradientsArgs),
    Sweep(SweepArgs),
    Systems(SystemsArgs),
    Inspect(InspectArgs),
}

/// Lists the named systems, or says what is known of one: parameters, equations and Lyapunov exponents. Writes no file.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples, from the repository's root:
  flowmap systems
  flowmap systems lorenz63")]
pub struct SystemsArgs {
    /// One system
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// Says what a data file, a model folder, a weights file or an npy array holds. Writes no file.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples, from the repository's root:
  flowmap inspect data/lynx_hare.csv
  flowmap inspect data/nagisa_char_bilstm.safetensors --json")]
pub struct InspectArgs {
    /// A .csv, .safetensors or .npy file, or the folder of a fit
    #[arg(value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub file: PathBuf,
    #[command(flatten)]
    pub columns: ColumnArgs,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        // More than a year is never.
        Ok(seconds) if (0.0..=4e7).contains(&seconds) => Ok(seconds),
        _ => Err("give a number of seconds from 0 on".into()),
    }
}

fn grid(text: &str) -> Result<[f64; 3], String> {
    let numbers: Vec<f64> = text.split(':').map_while(|part| part.trim().parse().ok()).collect();
    match numbers[..] {
        [start, end, step] if text.matches(':').count() == 2 => Ok([start, end, step]),
        _ => Err("write START:END:STEP, three numbers such as 1921:1930:0.1".into()),
    }
}
