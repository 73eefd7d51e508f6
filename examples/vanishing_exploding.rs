//! Vanishing and exploding gradients.
//!
//! A gradient pulled back through `k` steps of a recurrent net is multiplied by `k` transposed Jacobians, so its norm goes as
//! `exp(λ₁ k)` with the leading Lyapunov exponent of the same steps. Here one net, tanh units that read noise, has its
//! recurrent weights multiplied by three gains: at a small one gradients vanish, at a large one the net is chaotic and they
//! explode, and at one between, found by bisection, `λ₁` is 0 and they do neither. Backpropagation is itself a linear system
//! run backward in time and driven by the errors; simulated step by step it gives what backpropagation through time gives.
//! (Bengio, Simard & Frasconi 1994, IEEE Trans. Neural Netw. 5, 157-166; Pascanu, Mikolov & Bengio 2013, ICML.)

#[path = "lesson/backwards.rs"]
mod backwards;
mod lesson;

use flowmap::Result;
use flowmap::analysis::horizon::{BackwardNorms, BackwardOptions, backward_norms};
use flowmap::analysis::{Drive, Run, Spectrum, SpectrumOptions, Stepped};
use flowmap::cells::Cell;
use flowmap::dynamics::Component;
use flowmap::nn::fan_in_normal;
use flowmap::plot::{Line, Look};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const UNITS: usize = 64;
const CELL: Cell = Cell { kind: flowmap::cells::Kind::Rnn(flowmap::nn::Activation::Tanh), hidden: UNITS, inputs: 1 };
const WARMUP: u64 = 500;
const STEPS: u64 = 5000;
pub const SMALL: f64 = 0.8;
pub const LARGE: f64 = 3.0;

/// The net's parameters, with the recurrent weights `N(0, gain²/units)`.
fn params(gain: f64) -> Vec<f64> {
    let specs = Component::<f64>::params(&CELL, "");
    let mut params: Vec<f64> = fan_in_normal(&specs, 1.0, &mut ChaCha8Rng::seed_from_u64(1));
    params[UNITS..UNITS + UNITS * UNITS].iter_mut().for_each(|w| *w *= gain);
    params
}

fn noise(seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..WARMUP + STEPS).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Four copies of the net, each with noise of its own.
fn with_net<R>(gain: f64, measure: impl FnOnce(&Stepped<f64>, &[Vec<f64>]) -> Result<R>) -> Result<R> {
    let (params, rows) = (params(gain), [2, 3, 4, 5].map(noise));
    let drive = Drive::Sequences(rows.iter().map(Vec::as_slice).collect());
    measure(&Stepped::map(&CELL, &params).driven(drive), &vec![vec![0.0; UNITS]; 4])
}

/// The spectrum's leading exponent.
pub fn leading(gain: f64) -> Result<Spectrum> {
    let options = SpectrumOptions { exponents: Some(1), ..SpectrumOptions::new(WARMUP, STEPS) };
    with_net(gain, |net, starts| Run::new(net, starts, options)?.finish())
}

/// Norms of gradients by lag, over the same steps.
pub fn norms(gain: f64) -> Result<BackwardNorms> {
    let options = BackwardOptions { warmup: WARMUP, ends: 32, cotangents: 4, ..BackwardOptions::new(500) };
    with_net(gain, |net, starts| backward_norms(net, starts, &options))
}

/// The gain at which the leading exponent passes 0.
pub fn margin() -> Result<f64> {
    let (mut low, mut high) = (SMALL, LARGE);
    for _ in 0..14 {
        let middle = 0.5 * (low + high);
        if leading(middle)?.exponents[0] < 0.0 { low = middle } else { high = middle }
    }
    Ok(0.5 * (low + high))
}

/// How far the gradient by the start of a loss on all states is, as backpropagation through time gives it, from the linear
/// system simulated by hand; relative to its size.
pub fn both_ways() -> Result<f64> {
    let (params, start, inputs) = (params(LARGE), [0.1; UNITS], &noise(6)[..60]);
    let errors: Vec<f64> = (0..60 * UNITS).map(|i| (0.7 * i as f64).cos()).collect();
    let by_hand = backwards::driven(&CELL, &params, &start, inputs, &errors);
    let through_time = backwards::through_time(&CELL, &params, &start, inputs, &errors)?;
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let off = norm(&mut by_hand.iter().zip(&through_time).map(|(a, b)| a - b));
    Ok(off / norm(&mut by_hand.iter().copied()))
}

fn main() -> Result<()> {
    println!("net              gain leading exponent (nats/step) slope of log norm, lags 50-500");
    let mut lines = Vec::new();
    for (name, gain) in [("contracting", SMALL), ("marginal", margin()?), ("expanding", LARGE)] {
        let (spectrum, norms) = (leading(gain)?, norms(gain)?);
        let (exponent, error) = (spectrum.exponents[0], spectrum.standard_errors[0]);
        println!("{name:<12} {gain:>8.4} {exponent:>18.4} ± {error:.4} {:>28.4}", norms.rate(50..=500));
        let lags: Vec<f64> = (0..norms.log_norms.len()).map(|k| k as f64).collect();
        // From lag 50 on, where the random cotangents have turned into the leading direction.
        let predicted: Vec<f64> = lags[50..].iter().map(|k| norms.log_norms[50] + exponent * (k - 50.0)).collect();
        lines.push(Line::solid("exp(λ₁ · lag)", lags[50..].to_vec(), lesson::tens(&predicted)).look(Look::Truth));
        lines.push(Line::solid(format!("{name}: gain {gain:.2}"), lags, lesson::tens(&norms.log_norms)));
    }
    println!("backpropagation through time and the driven linear system differ by {:.1e}", both_ways()?);
    let panel = lesson::panel("lag (steps back)", "log₁₀ of the gradient's norm (1 at lag 0)", lines);
    lesson::figure("vanishing_exploding", "Vanishing and exploding gradients", vec![panel])
}
