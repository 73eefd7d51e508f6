//! The options of every command.

use crate::gradient::Strategy;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

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

/// Fits a model to irregular series and says how well it predicts what was held out.
///
/// The data is a CSV file with one row per series and time; an empty cell was not observed. Settings come from the data,
/// then from --config, then from the other options, the later ones winning.
///
/// Ctrl-C stops after the present epoch and saves the best model so far; --resume goes on to the same bits as if there
/// had been no stop.
///
/// Writes model.safetensors, config.toml, metrics.json, predictions.csv, train.csv, fit.svg, loss.svg and
/// checkpoint.safetensors.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples, from the repository's root:
  flowmap fit data/lynx_hare.csv --holdout 0.2
  flowmap fit data/mauna_loa_co2.csv --period 1 --holdout 0.1 --out out/co2
  flowmap fit data/macho_3stars.csv --channels mag_B --error mag_B=err_B --out out/macho")]
pub struct FitArgs {
    /// The data: long CSV with the columns series_id, time and one a channel
    #[arg(value_name = "DATA.csv", value_hint = ValueHint::FilePath)]
    pub data: PathBuf,
    /// Kind of model
    #[arg(long, value_enum, default_value_t = Model::NeuralOde)]
    pub model: Model,
    /// Settings as in the config.toml of a fit; any part may be missing
    #[arg(long, value_name = "FILE.toml", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub columns: ColumnArgs,
    /// Columns with the standard deviations of measurements, which weight the loss
    #[arg(long, value_name = "CHANNEL=COLUMN,…", value_delimiter = ',', value_parser = pair)]
    pub error: Option<Vec<(String, String)>>,
    /// Hold out the last fraction F of each series for testing
    #[arg(long, value_name = "F", conflicts_with = "holdout_series")]
    pub holdout: Option<f64>,
    /// Hold out a fraction F of the series for testing, drawn by the seed
    #[arg(long, value_name = "F")]
    pub holdout_series: Option<f64>,
    /// Fraction of a held-out series' rows that it is predicted from [default: 0.5]
    #[arg(long, value_name = "F")]
    pub condition: Option<f64>,
    /// Known periods, in the file's unit of time, whose sine and cosine are inputs
    #[arg(long, value_name = "P,…", value_delimiter = ',')]
    pub period: Option<Vec<f64>>,
    /// State dimensions beyond the channels
    #[arg(long, value_name = "N")]
    pub augment: Option<usize>,
    /// Channels to model in logarithms [default: those that suggest it]
    #[arg(long, value_name = "CHANNEL,…", value_delimiter = ',', conflicts_with = "no_log")]
    pub log: Option<Vec<String>>,
    /// Model no channel in logarithms
    #[arg(long)]
    pub no_log: bool,
    /// Most passes over the training data
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// How gradients are found: auto, stored, checkpointed, interpolating, backsolve or forward [default: auto]
    #[arg(long, value_name = "NAME", value_parser = |name: &str| Strategy::named(name).map_err(|e| e.to_string()))]
    pub gradient: Option<Strategy>,
    /// Memory that gradients may keep for the way back, such as 512MiB [default: 2GiB]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// At the end, compare every gradient strategy with the exact discrete gradient and with finite differences, and write
    /// audit.json
    #[arg(long)]
    pub audit: bool,
    /// Go on from the checkpoint in the output folder, with the same options
    #[arg(long)]
    pub resume: bool,
    /// Seconds between checkpoints
    #[arg(long, value_name = "S", default_value_t = 5.0, value_parser = seconds)]
    pub checkpoint_every: f64,
}

/// Which columns of a data file are what.
#[derive(Args, Clone, Debug, Default)]
pub struct ColumnArgs {
    /// The time column [default: time]
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// The series column [default: series_id, or one series if there is none]
    #[arg(long, value_name = "COLUMN")]
    pub series: Option<String>,
    /// The channels [default: all other columns]
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    pub channels: Option<Vec<String>>,
    /// Spellings of a missing cell besides the empty one
    #[arg(long, value_name = "NA,…", value_delimiter = ',', allow_hyphen_values = true)]
    pub missing: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Model {
    /// A learned vector field, integrated from an encoded or learned start
    NeuralOde,
}

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

/// Measures the Lyapunov exponents of a system that steps: a named one, a recurrent net, or a fitted model.
///
/// A flow steps by a solver (rk4 unless its method is named), and exponents are those of the numerical map, in nats per unit
/// of time. A net under --inputs has conditional exponents, one without has autonomous ones, in nats per step. Every
/// result comes with standard errors, marks of what rounding hides, and checks: the sum rule that holds, zeros, pairs, the
/// leading exponent by two trajectories, the Jacobian against differences.
///
/// Ctrl-C stops after the present stretch and tells what was found so far; --resume goes on to the same bits.
///
/// Writes spectrum.json, spectrum.csv, convergence.csv and spectrum.svg.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples, from the repository's root:
  flowmap lyapunov --system lorenz63
  flowmap lyapunov --system lorenz96 --set n=20 --target-error 0.01
  flowmap lyapunov --system kuramoto-sivashinsky --exponents 12
  flowmap lyapunov --rnn data/silero_vad_16k_lstm.safetensors --inputs data/silero_vad_16k_input_400.npy --warmup 50
  flowmap lyapunov --rnn data/nagisa_char_bilstm.safetensors --inputs data/nagisa_char_input.npy --direction backward
  flowmap lyapunov --model out/fit        (after `flowmap fit data/lynx_hare.csv`)")]
pub struct LyapunovArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// How many of the largest exponents [default: all; the leading ones where the rest cannot be resolved]
    #[arg(long, value_name = "M")]
    pub exponents: Option<usize>,
    /// Steps before those that are counted [default: enough for the system; 0 for a net under inputs]
    #[arg(long, value_name = "N")]
    pub warmup: Option<u64>,
    /// Steps that are counted, from each start [default: for some seconds; all remaining inputs]
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// Steps between factorisations, or `auto`
    #[arg(long, value_name = "K|auto", default_value = "auto", value_parser = interval)]
    pub qr_every: Interval,
    /// The frame of tangents to begin with
    #[arg(long, value_enum, default_value_t = FrameKind::Random)]
    pub frame: FrameKind,
    /// End as soon as no standard error is above this
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    pub target_error: Option<f64>,
    /// Go on from the checkpoint of a run that was stopped, with the same options
    #[arg(long)]
    pub resume: bool,
    /// Seconds between checkpoints
    #[arg(long, value_name = "S", default_value_t = 20.0, value_parser = seconds)]
    pub checkpoint_every: f64,
}

/// Measures how gradients live and die along a sequence: in a recurrent net, a fitted model or a named system.
///
/// Random gradients by the last state are pulled back step by step, from several ends, and their norm is taken at every
/// lag; so are all singular values of the product of the Jacobians. Beside the measured rate stands the leading Lyapunov
/// exponent of the same steps, which predicts it once gradients have turned: the rate is that of the second half of the lags.
/// The horizon is the lag from which on the norm stays below the threshold.
/// Of a net that runs in both directions each is measured, unless --direction names one.
///
/// Writes gradients.json, gradients.csv and gradients.svg.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples, from the repository's root:
  flowmap gradients --rnn data/silero_vad_16k_lstm.safetensors --inputs data/silero_vad_16k_input_400.npy --warmup 50
  flowmap gradients --rnn data/nagisa_char_bilstm.safetensors --inputs data/nagisa_char_input.npy
  flowmap gradients --system lorenz63 --lags 2000
  flowmap gradients --model out/fit       (after `flowmap fit data/lynx_hare.csv`)")]
pub struct GradientsArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Steps that gradients are pulled back [default: three quarters of the inputs after the warm-up, at most 400; 400 without
    /// inputs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub lags: Option<u64>,
    /// Steps before the first that is pulled through [default: enough for the system; 0 for a net under inputs]
    #[arg(long, value_name = "N")]
    pub warmup: Option<u64>,
    /// Steps after the warm-up, over which the ends are spread [default: all remaining inputs, twice the lags without]
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// Ends that gradients set out from, of each start
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub ends: u64,
    /// Random gradients at each end
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub cotangents: u16,
    /// What the horizon is the lag of: a share of the norm that a gradient sets out with
    #[arg(long, value_name = "X", default_value_t = 1e-3, value_parser = share)]
    pub threshold: f64,
}

/// A system that steps: a named one, a recurrent net, or a fitted model.
#[derive(Args, Clone, Debug)]
#[command(group = clap::ArgGroup::new("source").required(true).args(["system", "rnn", "model"]))]
pub struct SourceArgs {
    /// A named system; `flowmap systems` lists them
    #[arg(long, value_name = "NAME", help_heading = "What is measured")]
    pub system: Option<String>,
    /// A recurrent net in a safetensors file, named as in PyTorch's state_dict
    #[arg(long, value_name = "WEIGHTS.safetensors", value_hint = ValueHint::FilePath, help_heading = "What is measured")]
    pub rnn: Option<PathBuf>,
    /// The folder of a fitted model
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "What is measured")]
    pub model: Option<PathBuf>,
    /// A parameter of the system; may come several times
    #[arg(long, value_name = "KEY=VALUE", allow_hyphen_values = true, conflicts_with_all = ["rnn", "model"])]
    pub set: Vec<String>,
    /// The start of the system, one number a component [default: its usual one]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', allow_hyphen_values = true, conflicts_with = "rnn")]
    pub start: Option<Vec<f64>>,
    /// The method that steps a flow [default: rk4, or the system's own]
    #[arg(long, value_name = "NAME", conflicts_with = "rnn")]
    pub method: Option<String>,
    /// Its step, in units of time [default: one that suits the system]
    #[arg(long, value_name = "X", allow_negative_numbers = true, conflicts_with = "rnn")]
    pub step: Option<f64>,
    #[command(flatten)]
    pub net: NetArgs,
    /// Starts near the given one, averaged over [default: those of the system; 1 for a net]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub starts: Option<u32>,
}

/// Scans a parameter of a named system: at each value the Lyapunov exponents and samples of the attractor.
///
/// A map's samples are its states one after another, a flow's the local maxima of one component, or that component where the
/// flow passes through a plane (--section). Values are measured
/// each by itself, from the same start, over all threads. Where a run fails the exponents are NaN and a reason stands
/// beside them.
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

/// Which part of a net, and what drives it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Recurrent nets")]
pub struct NetArgs {
    /// Inputs, a row a step: an npy array (steps, features), or a CSV file of numbers under a header; may come several times,
    /// for a start each
    #[arg(long, value_name = "X.npy|X.csv", requires = "rnn", value_hint = ValueHint::FilePath)]
    pub inputs: Vec<PathBuf>,
    /// The same input at every step: the net is autonomous [default without --inputs: zero]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', allow_hyphen_values = true)]
    #[arg(requires = "rnn", conflicts_with = "inputs")]
    pub constant_input: Option<Vec<f64>>,
    /// A linear layer in the same file, NAME.weight and NAME.bias, whose output is the next input: the net is autonomous
    #[arg(long, value_name = "NAME", requires = "rnn", conflicts_with_all = ["inputs", "constant_input"])]
    pub feed_back: Option<String>,
    /// Which net, where the file holds several: the names of its tensors up to weight_ih_l0
    #[arg(long, value_name = "PREFIX", requires = "rnn")]
    pub prefix: Option<String>,
    /// What the tensors' names do not say: rnn-tanh, rnn-relu, rnn-linear, lstm, gru, classic-gru
    #[arg(long, value_name = "KIND", requires = "rnn")]
    pub cell: Option<String>,
    /// The order of the gates' rows
    #[arg(long, value_enum, default_value_t = Gates::Pytorch)]
    pub gates: Gates,
    /// One layer, counted from 0, driven by the layers below [default: all as one map; the first of a bidirectional net]
    #[arg(long, value_name = "N", requires = "rnn")]
    pub layer: Option<usize>,
    /// Which direction of a bidirectional net; backward takes the inputs from the last row to the first
    #[arg(long, value_enum, requires = "rnn")]
    pub direction: Option<Direction>,
    /// The start: a file of one row, hidden states of all layers, then (LSTM) their cell states [default: zero]
    #[arg(long, value_name = "FILE", requires = "rnn", value_hint = ValueHint::FilePath)]
    pub h0: Option<PathBuf>,
    /// Precision of everything
    #[arg(long, value_enum, default_value_t = Precision::F64)]
    pub precision: Precision,
}

impl NetArgs {
    /// The first option that is given and means something to nets alone.
    pub fn given(&self) -> Option<&'static str> {
        [
            ("--inputs", !self.inputs.is_empty()),
            ("--constant-input", self.constant_input.is_some()),
            ("--feed-back", self.feed_back.is_some()),
            ("--prefix", self.prefix.is_some()),
            ("--cell", self.cell.is_some()),
            ("--gates", self.gates != Gates::Pytorch),
            ("--layer", self.layer.is_some()),
            ("--direction", self.direction.is_some()),
            ("--h0", self.h0.is_some()),
            ("--precision", self.precision != Precision::F64),
        ]
        .into_iter()
        .find_map(|(option, given)| given.then_some(option))
    }
}

/// Steps between factorisations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    Auto,
    Every(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FrameKind {
    /// Random orthonormal, by the seed
    Random,
    /// Coordinate axes, for comparing with fixtures
    Identity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Gates {
    /// i f g o, r z n
    Pytorch,
    /// i f g o, z r n
    Keras,
    /// i o f g, z r n
    Onnx,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Direction {
    Forward,
    Backward,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    F32,
    F64,
}

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

fn interval(text: &str) -> Result<Interval, String> {
    match (text, text.parse()) {
        ("auto", _) => Ok(Interval::Auto),
        (_, Ok(every)) if every > 0 => Ok(Interval::Every(every)),
        _ => Err("give a number of steps from 1 on, or auto".into()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        // More than a year is never.
        Ok(seconds) if (0.0..=4e7).contains(&seconds) => Ok(seconds),
        _ => Err("give a number of seconds from 0 on".into()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("give a number between 0 and 1".into()),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((channel, column)) if !channel.trim().is_empty() && !column.trim().is_empty() => {
            Ok((channel.trim().into(), column.trim().into()))
        }
        _ => Err("write CHANNEL=COLUMN, such as mag_B=err_B".into()),
    }
}

fn cut(text: &str) -> Result<(String, f64), String> {
    if let Some((component, value)) = text.split_once('=')
        && let (false, Ok(value)) = (component.trim().is_empty(), value.trim().parse())
    {
        return Ok((component.trim().into(), value));
    }
    Err("write COMPONENT=VALUE, such as x=0".into())
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

fn grid(text: &str) -> Result<[f64; 3], String> {
    let numbers: Vec<f64> = text.split(':').map_while(|part| part.trim().parse().ok()).collect();
    match numbers[..] {
        [start, end, step] if text.matches(':').count() == 2 => Ok([start, end, step]),
        _ => Err("write START:END:STEP, three numbers such as 1921:1930:0.1".into()),
    }
}
