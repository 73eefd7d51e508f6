//! `flowmap lyapunov`.

use super::{SourceArgs, seconds};
use clap::{Args, ValueEnum};

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
    pub qr_every: QrEvery,
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

/// Steps between factorisations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QrEvery {
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

fn interval(text: &str) -> Result<QrEvery, String> {
    match (text, text.parse()) {
        ("auto", _) => Ok(QrEvery::Auto),
        (_, Ok(every)) if every > 0 => Ok(QrEvery::Every(every)),
        _ => Err("give a number of steps from 1 on, or auto".into()),
    }
}
