//! `flowmap gradients`.

use super::SourceArgs;
use clap::Args;

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

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("give a number between 0 and 1".into()),
    }
}
