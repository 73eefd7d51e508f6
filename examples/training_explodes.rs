//! Training explodes for the same reason.
//!
//! Gradient descent is explicit Euler on the gradient flow `θ' = −∇L(θ)`, its learning rate the step. Near a minimum of
//! curvature `κ` the flow has the eigenvalue `−κ`, so the largest stable rate is `2/κ`: exactly for a quadratic, and
//! nearly for a small recurrent net, whose largest curvature comes from differences of its gradient (power iteration).
//! Clipping the gradient's norm limits the length of a step, and keeps what would explode within bounds. (LeCun, Simard &
//! Pearlmutter 1993, NeurIPS; Pascanu, Mikolov & Bengio 2013, ICML, sec. 3.2; Cohen et al. 2021, ICLR.)

mod lesson;

use flowmap::Result;
use flowmap::analysis::stability::predicted_limit;
use flowmap::cells::{Kind, Layers};
use flowmap::models::sequence::{
    Example, ModelTape, Readout, RecurrentEncoder, SequenceEncoder, SequenceModel, Target,
};
use flowmap::nn::{Activation, Mlp};
use flowmap::plot::{Line, LinesPanel};
use flowmap::solve::EULER;
use nalgebra::Complex;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A loss and its gradient.
type Loss<'a> = &'a dyn Fn(&[f64]) -> Result<(f64, Vec<f64>)>;

/// Losses along gradient descent with some rate, gradients clipped to a norm; ends where they are beyond all bounds.
fn descend(loss: Loss, params: &mut [f64], rate: f64, steps: usize, clip: f64) -> Result<Vec<f64>> {
    let mut losses = Vec::with_capacity(steps);
    for _ in 0..steps {
        let (value, gradient) = loss(params)?;
        losses.push(value);
        let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        if value.is_nan() || value > 1e12 {
            break;
        }
        let shrink = if norm > clip { clip / norm } else { 1.0 };
        params.iter_mut().zip(&gradient).for_each(|(p, g)| *p -= rate * shrink * g);
    }
    Ok(losses)
}

/// The border between rates that keep to a minimum and those that leave it, by bisection.
fn bisect(mut low: f64, mut high: f64, rounds: usize, keeps: impl Fn(f64) -> Result<bool>) -> Result<f64> {
    for _ in 0..rounds {
        let middle = 0.5 * (low + high);
        if keeps(middle)? { low = middle } else { high = middle }
    }
    Ok(0.5 * (low + high))
}

/// The largest stable rate on `½ Σ κ_i x_i²`: predicted and measured.
pub fn quadratic() -> Result<[f64; 2]> {
    let curvatures = [1.0, 4.0, 10.0];
    let modes = curvatures.map(|k| Complex::new(-k, 0.0));
    let keeps = |rate: f64| {
        let mut x = [1.0f64; 3];
        // Long enough to tell one part in 10⁹ from the limit: growth by (1 + 2·10⁻⁹) each step.
        for _ in 0..20_000_000 {
            x.iter_mut().zip(&curvatures).for_each(|(x, k)| *x -= rate * k * *x);
            let size = x.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
            if !(1e-3..=1e3).contains(&size) {
                return Ok(size < 1.0);
            }
        }
        Ok(x[2].abs() < 1.0)
    };
    Ok([predicted_limit(&EULER, &modes), bisect(0.1, 0.3, 32, keeps)?])
}

type Net = SequenceModel<RecurrentEncoder>;

/// A tanh net of four units that says the mean of eight short sequences.
fn net() -> Result<(Net, Vec<f64>, Vec<Example<f64>>)> {
    let layers = Layers { kind: Kind::Rnn(Activation::Tanh), layers: 1, hidden: 4, inputs: 1, bidirectional: false };
    let encoder = RecurrentEncoder {
        layers,
        readout: Readout::Last,
        learned_start: false,
        dropout: 0.0,
        cut: None,
        memory_bias: 0.0,
    };
    let mut params: Vec<f64> = encoder.initial(&mut ChaCha8Rng::seed_from_u64(3));
    let head = Mlp::new(&[4, 1], Activation::Identity, Activation::Identity)?;
    params.extend([0.3, -0.2, 0.1, 0.4, 0.0]);
    let example = |k: usize| {
        let inputs: Vec<f64> = (0..6).map(|t| (1.3 * (k * 6 + t) as f64).sin()).collect();
        let target = Target::Numbers(vec![inputs.iter().sum::<f64>() / 6.0]);
        Example { inputs, target }
    };
    Ok((SequenceModel::new::<f64>(encoder, head)?, params, (0..8).map(example).collect()))
}

/// The net's largest stable rate after some training: predicted and measured; and losses at 0.9 and 1.5 times that, and at
/// 1.5 times with clipping.
pub fn recurrent(training: usize) -> Result<([f64; 2], [Vec<f64>; 3])> {
    let (model, mut params, examples) = net()?;
    let batch: Vec<&Example<f64>> = examples.iter().collect();
    let loss = |params: &[f64]| {
        let (mut gradient, mut rng) = (vec![0.0; params.len()], ChaCha8Rng::seed_from_u64(0));
        let value = model.loss(params, &batch, 0.125, &mut rng, &mut ModelTape::default(), &mut gradient)?;
        Ok((value, gradient))
    };
    descend(&loss, &mut params, 0.2, training, f64::INFINITY)?;
    // The leading direction of the Hessian, by power iteration on differences of the gradient.
    let (mut along, mut curvature) = (vec![1.0; params.len()], 0.0);
    for _ in 0..200 {
        let size = along.iter().map(|x| x * x).sum::<f64>().sqrt();
        along.iter_mut().for_each(|x| *x /= size);
        let moved = |by: f64| params.iter().zip(&along).map(|(p, a)| p + by * a).collect::<Vec<f64>>();
        let (above, below) = (loss(&moved(1e-5))?.1, loss(&moved(-1e-5))?.1);
        let next: Vec<f64> = above.iter().zip(&below).map(|(a, b)| (a - b) / 2e-5).collect();
        curvature = next.iter().zip(&along).map(|(n, a)| n * a).sum();
        along = next;
    }
    let predicted = predicted_limit(&EULER, &[Complex::new(-curvature, 0.0)]);
    let start: Vec<f64> = params.iter().zip(&along).map(|(p, a)| p + 1e-5 * a / curvature).collect();
    let first = loss(&start)?.0;
    let keeps = |rate: f64| {
        Ok(descend(&loss, &mut start.clone(), rate, 2000, f64::INFINITY)?.iter().all(|l| *l <= 1.01 * first))
    };
    let measured = bisect(0.5 * predicted, 2.0 * predicted, 14, keeps)?;
    let run = |rate: f64, clip: f64| descend(&loss, &mut start.clone(), rate, 300, clip);
    let (safe, high) = (0.9 * measured, 1.5 * measured);
    Ok(([predicted, measured], [run(safe, f64::INFINITY)?, run(high, f64::INFINITY)?, run(high, 0.05)?]))
}

fn main() -> Result<()> {
    println!("{:<28} {:>16} {:>16}", "largest stable rate", "predicted", "measured");
    let [predicted, measured] = quadratic()?;
    println!("{:<28} {predicted:>16.10} {measured:>16.10}", "quadratic, curvatures to 10");
    let ([predicted, measured], losses) = recurrent(if lesson::quick() { 2000 } else { 20_000 })?;
    println!("{:<28} {predicted:>16.4} {measured:>16.4}", "recurrent net, 4 units");
    let names = ["0.9 times the limit", "1.5 times", "1.5 times, gradient clipped to 0.05"];
    let lines = names.into_iter().zip(losses).map(|(name, losses)| {
        println!("{name:<36} loss after {:>3} steps: {:.3e}", losses.len(), losses[losses.len() - 1]);
        Line::solid(name, (0..losses.len()).map(|k| k as f64).collect(), losses)
    });
    let lines = lines.collect();
    let panel = LinesPanel {
        x: "step of gradient descent".into(),
        y: "mean squared error of a small recurrent net".into(),
        logarithmic: true,
        lines,
        ..LinesPanel::default()
    };
    lesson::figure("training_explodes", "Training explodes for the same reason", vec![panel])
}
