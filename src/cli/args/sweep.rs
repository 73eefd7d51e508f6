//! `flowmap sweep`.

use super::{SectionArgs, seconds};
use clap::Args;

/// Scans a parameter of a named system: at each value the Lyapunov exponents and samples of the attractor.
///
/// A map's samples are its states one after another, a flow's the local maxima of one component, or that component where the
/// flow passes through a plane (--section). Values are measured each by itself, from the same start, over all threads.
/// Where a run fails the exponents are NaN and a reason stands beside them.
///
/// Ctrl-C stops after the present values and tells what was found so far; --resume goes on to the same bytes.
///
/// Writes sweep.json, sweep.csv, samples.csv and sweep.svg.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples, from the repository's root:
  flowmap sweep --system logistic --over r=2.5:4:10000
  flowmap sweep --system henon --over a=1:1.4:400 --show y
  flowmap sweep --system lorenz63 --over rho=20:250:400 --show z
  flowmap sweep --system rossler --over c=2:6:400 --section y=0 --crossing falling")]
pub struct SweepArgs {
    /// The system; `flowmap systems` lists them
    #[arg(long, value_name = "NAME")]
    pub system: String,
    /// The parameter, its first and last value, and how many values, evenly spaced
    #[arg(long, value_name = "KEY=FROM:TO:COUNT", allow_hyphen_values = true, value_parser = scan)]
    pub over: (String, [f64; 2], usize),
    /// Another parameter of the system; may come several times
    #[arg(long, value_name = "KEY=VALUE", allow_hyphen_values = true)]
    pub set: Vec<String>,
    /// The start at every value, one number a component [default: the usual one]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', allow_hyphen_values = true)]
    pub start: Option<Vec<f64>>,
    /// The method that steps a flow [default: rk4, or the system's own]
    #[arg(long, value_name = "NAME")]
    pub method: Option<String>,
    /// Its step, in units of time [default: one that suits the system]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub step: Option<f64>,
    /// How many of the largest exponents [default: as in `flowmap lyapunov`]
    #[arg(long, value_name = "M")]
    pub exponents: Option<usize>,
    /// Steps before those that are counted, at each value [default: as many as are counted]
    #[arg(long, value_name = "N")]
    pub warmup: Option<u64>,
    /// Steps that are counted, at each value
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub steps: u64,
    /// Samples of the attractor at each value
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub samples: usize,
    /// The component that is sampled [default: the first]
    #[arg(long, value_name = "COMPONENT")]
    pub show: Option<String>,
    #[command(flatten)]
    pub cut: SectionArgs,
    /// Go on from the checkpoint of a sweep that was stopped, with the same options
    #[arg(long)]
    pub resume: bool,
    /// Seconds between checkpoints
    #[arg(long, value_name = "S", default_value_t = 20.0, value_parser = seconds)]
    pub checkpoint_every: f64,
}

fn scan(text: &str) -> Result<(String, [f64; 2], usize), String> {
    let parts =
        text.split_once('=').map(|(key, rest)| (key.trim(), rest.split(':').map(str::trim).collect::<Vec<_>>()));
    if let Some((key, parts)) = parts
        && let [from, to, count] = parts[..]
        && let (false, Ok(from), Ok(to), Ok(count)) = (key.is_empty(), from.parse(), to.parse(), count.parse())
    {
        return Ok((key.into(), [from, to], count));
    }
    Err("write KEY=FROM:TO:COUNT, such as r=2.5:4:1000".into())
}
