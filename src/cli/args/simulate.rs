//! `flowmap simulate`, and the plane of a section.

use super::grid;
use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;

/// Follows a named system, a flow or a map, or a fitted model from a start.
///
/// Without --start and --at from the system's usual start over a span that shows what it does, or from a fitted model's
/// first known start over the span it was fitted to. A flow is integrated from the start time on, a map is iterated; its
/// times are numbers of steps. A fitted model's times and channels have the units of its data.
///
/// --portrait looks for points of rest of a named system and draws them in a plane; --section keeps the passages of a flow
/// through one.
///
/// Writes trajectory.csv and trajectory.svg; where the trajectory cannot be followed to the end, the part before. With
/// --portrait rest.csv and portrait.svg, with --section section.csv and section.svg.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples, from the repository's root:
  flowmap simulate --system lorenz63
  flowmap simulate --system van-der-pol --set mu=5 --start 0.1,0 --at 0:60:0.05 --method dopri5
  flowmap simulate --system pendulum --set damping=0 --method verlet --step 0.05
  flowmap simulate --system henon --at 0:10000:1
  flowmap simulate --system pendulum --portrait
  flowmap simulate --system rossler --at 100:5000:0.1 --section y=0 --crossing falling

And after `flowmap fit data/lynx_hare.csv --holdout 0.2`:
  flowmap simulate --model out/fit --start 30,4 --at 1900:1950:0.1 --method dop853")]
pub struct SimulateArgs {
    /// The system; `flowmap systems` lists them
    #[arg(long, value_name = "NAME", required_unless_present = "model")]
    pub system: Option<String>,
    /// A parameter of the system; may come several times
    #[arg(long, value_name = "KEY=VALUE", allow_hyphen_values = true)]
    pub set: Vec<String>,
    /// The folder of a fit, instead of a system
    #[arg(long, value_name = "DIR", conflicts_with_all = ["system", "set", "section"], value_hint = ValueHint::DirPath)]
    pub model: Option<PathBuf>,
    /// The series whose first known start a fitted model is followed from [default: the first]
    #[arg(long, value_name = "NAME", requires = "model")]
    pub series: Option<String>,
    /// The start, one number a component or channel [default: the usual one]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', allow_hyphen_values = true)]
    pub start: Option<Vec<f64>>,
    /// Time of the start, or number of its step [default: 0, or that of a fitted model's start]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub start_time: Option<f64>,
    /// Times from START to END in steps of STEP [default: a span that shows what the system does]
    #[arg(long, value_name = "START:END:STEP", allow_hyphen_values = true, value_parser = grid)]
    pub at: Option<[f64; 3]>,
    /// Times from a CSV file with a column `time`
    #[arg(long, value_name = "TIMES.csv", conflicts_with = "at", value_hint = ValueHint::FilePath)]
    pub at_file: Option<PathBuf>,
    /// Look for points of rest along the trajectory and around, and draw them with it in a plane
    #[arg(long, conflicts_with = "model")]
    pub portrait: bool,
    /// The two components of the portrait [default: the first two]
    #[arg(long, value_name = "X,Y", value_delimiter = ',', requires = "portrait")]
    pub plane: Option<Vec<String>>,
    #[command(flatten)]
    pub cut: SectionArgs,
    #[command(flatten)]
    pub solver: SolverArgs,
}

/// How a flow is integrated.
#[derive(Args, Debug)]
#[command(next_help_heading = "Integration of flows")]
pub struct SolverArgs {
    /// The method, such as rk4, dopri5, dop853, kvaerno5 for stiff systems, verlet for separable ones, or
    /// ode-solvers-dopri5 as a check [default: tsit5]
    #[arg(long, value_name = "NAME")]
    pub method: Option<String>,
    /// Relative tolerance [default: 1e-6]
    #[arg(long, value_name = "X")]
    pub rtol: Option<f64>,
    /// Absolute tolerance [default: 1e-9]
    #[arg(long, value_name = "X")]
    pub atol: Option<f64>,
    /// Steps of this length
    #[arg(long, value_name = "X", conflicts_with_all = ["rtol", "atol"])]
    pub step: Option<f64>,
    /// Most steps, for maps too [default: 1000000, or 100000000 of a fixed length]
    #[arg(long, value_name = "N")]
    pub max_steps: Option<usize>,
}

/// A Poincaré section.
#[derive(Args, Clone, Debug)]
pub struct SectionArgs {
    /// Where a flow passes a value of a component: the passages are kept (simulate: from the first time asked for on), or
    /// sampled (sweep)
    #[arg(long, value_name = "COMPONENT=VALUE", allow_hyphen_values = true, value_parser = cut)]
    pub section: Option<(String, f64)>,
    /// Which passages count
    #[arg(long, value_enum, default_value_t = Passages::Rising, requires = "section")]
    pub crossing: Passages,
}

/// Ways to pass a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Passages {
    Rising,
    Falling,
    Either,
}

fn cut(text: &str) -> Result<(String, f64), String> {
    if let Some((component, value)) = text.split_once('=')
        && let (false, Ok(value)) = (component.trim().is_empty(), value.trim().parse())
    {
        return Ok((component.trim().into(), value));
    }
    Err("write COMPONENT=VALUE, such as x=0".into())
}
