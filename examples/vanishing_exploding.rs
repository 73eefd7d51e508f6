//! Vanishing and exploding gradients.
//!
//! A gradient pulled back through `k` steps of a recurrent net is multiplied by `k` transposed Jacobians, so its norm goes as
//! `exp(λ₁ k)` with the leading Lyapunov exponent of the same steps: it vanishes where the net contracts, explodes where it
//! is chaotic, and neither at the margin. Backpropagation is itself a linear system run backward in time and driven by
//! the errors; simulated step by step it gives what backpropagation through time gives. (Bengio, Simard & Frasconi 1994,
//! IEEE Trans. Neural Netw. 5, 157-166; Pascanu, Mikolov & Bengio 2013, ICML.)

mod lesson;

use flowmap::Result;
use flowmap::analysis::horizon::{BackwardNorms, BackwardOptions, backward_norms};
use flowmap::analysis::{Run, SpectrumOptions, Stepped};
use flowmap::cells::{Along, Cell, Cotangents, Kind, Ragged, SequenceTape};
use flowmap::dynamics::Component;
use flowmap::linalg::{Block, BlockMut};
use flowmap::nn::{Activation, fan_in_normal, orthogonal};
use flowmap::plot::{Line, LinesPanel, Look};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const UNITS: usize = 64;
pub const NETS: [&str; 3] = ["contracting: tanh, gain 0.8", "marginal: linear, orthogonal", "expanding: tanh, gain 3"];

/// A net without inputs, and its parameters.
fn net(name: &str) -> (Cell, Vec<f64>) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let cell = |activation| Cell { kind: Kind::Rnn(activation), hidden: UNITS, inputs: 0 };
    if name == NETS[1] {
        let cell = cell(Activation::Identity);
        let mut params = Vec::new();
        orthogonal(1, UNITS, &mut rng, &mut params);
        params.resize(Component::<f64>::param_count(&cell), 0.0);
        return (cell, params);
    }
    let (cell, gain) = (cell(Activation::Tanh), if name == NETS[0] { 0.8 } else { 3.0 });
    let params = fan_in_normal(&Component::<f64>::params(&cell, ""), gain, &mut rng);
    (cell, params)
}

/// The leading exponent of a net, and norms of gradients by lag over the same steps.
pub fn measure(name: &str) -> Result<(f64, BackwardNorms)> {
    let (cell, params) = net(name);
    let stepped = Stepped::map(&cell, &params);
    let starts: Vec<Vec<f64>> =
        (0..4).map(|s| (0..UNITS).map(|i| (0.3 * (i + 7 * s) as f64).sin()).collect()).collect();
    let (warmup, steps) = (500, 4000);
    let options = SpectrumOptions { exponents: Some(1), ..SpectrumOptions::new(warmup, steps) };
    let exponent = Run::new(&stepped, &starts, options)?.finish()?.exponents[0];
    let options = BackwardOptions { warmup, steps: Some(steps), ..BackwardOptions::new(500) };
    Ok((exponent, backward_norms(&stepped, &starts, &options)?))
}

/// How far the gradient of a loss on all states, by the start, is from that of the linear system simulated by hand; both
/// relative to its size.
pub fn both_ways() -> Result<f64> {
    let (cell, params) = net(NETS[2]);
    let (steps, ragged) = (60, Ragged::new(&[60]));
    let errors: Vec<f64> = (0..steps * UNITS).map(|i| (0.7 * i as f64).cos()).collect();
    let start: Vec<f64> = (0..UNITS).map(|i| (i as f64).sin()).collect();
    let mut tape = SequenceTape::default();
    tape.run(&cell, &params, &Along { ragged: &ragged, inputs: &[], start: Some(&start) }, false)?;
    let cotangents = Cotangents { outputs: Some(&errors), ..Cotangents::default() };
    tape.pull(&cell, &params, &ragged, &cotangents, false, &mut vec![0.0; params.len()]);

    // δ(t) = J(t)ᵀ (δ(t + 1) + e(t)), from the last step to the first.
    let (mut states, mut scratch) = (vec![start], vec![0.0; Component::<f64>::scratch_len(&cell)]);
    let mut slabs = Vec::new();
    for t in 0..steps {
        let (mut next, mut slab) = (vec![0.0; UNITS], vec![0.0; Component::<f64>::slab_len(&cell)]);
        let (h, out) = (Block::new(&states[t], 1), BlockMut::new(&mut next, 1));
        cell.linearize(&params, h, out, BlockMut::new(&mut slab, 1), &mut scratch);
        states.push(next);
        slabs.push(slab);
    }
    let mut error = vec![0.0; UNITS];
    for t in (0..steps).rev() {
        let driven: Vec<f64> = error.iter().zip(&errors[t * UNITS..]).map(|(d, e)| d + e).collect();
        let (slab, w) = (Block::new(&slabs[t], 1), Block::new(&driven, 1));
        cell.vjp(&params, slab, w, BlockMut::new(&mut error, 1), None, &mut scratch);
    }
    let size = error.iter().map(|x| x * x).sum::<f64>().sqrt();
    let off = error.iter().zip(tape.start_bar()).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    Ok(off / size)
}

fn main() -> Result<()> {
    println!("{:<30} {:>18} {:>28}", "net", "leading exponent", "slope of log norm, lags 50-500");
    let mut lines = Vec::new();
    for name in NETS {
        let (exponent, norms) = measure(name)?;
        println!("{name:<30} {exponent:>18.4} {:>28.4}", norms.rate(50..=500));
        let lags: Vec<f64> = (0..norms.log_norms.len()).map(|k| k as f64).collect();
        let tens = |nats: f64| nats / std::f64::consts::LN_10;
        let predicted = lags.iter().map(|k| tens(norms.log_norms[0] + exponent * k)).collect();
        lines.push(Line::solid(name, lags.clone(), norms.log_norms.iter().map(|x| tens(*x)).collect()));
        lines.push(Line::solid("exp(λ₁ · lag)", lags, predicted).look(Look::Truth));
    }
    println!("backpropagation through time and the driven linear system differ by {:.1e}", both_ways()?);
    let (x, y) = ("lag (steps back)".into(), "log₁₀ of the gradient's norm".into());
    let panel = LinesPanel { x, y, lines, ..LinesPanel::default() };
    lesson::figure("vanishing_exploding", "Vanishing and exploding gradients", vec![panel])
}
