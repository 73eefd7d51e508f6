//! A trained net's dynamics.
//!
//! A GRU learns to hold one bit: a pulse now and then sets it, up or down, and at the end of the sequence it is asked for.
//! What has it become? Without input the untrained net forgets: it has one place of rest, and everything falls into it.
//! The trained one has two that attract, one a value of the bit, and a saddle on the border between them: from its one side the
//! net falls to the one value, from the other to the other. Its leading Lyapunov exponent under pulses is nearer to 0, and
//! gradients reach further back. (Sussillo & Barak 2013, Neural
//! Comput. 25, 626-649, the flip-flop; Hochreiter & Schmidhuber 1997, Neural Comput. 9, 1735-1780.)

#[path = "lesson/sides.rs"]
mod sides;
mod tasks;

use flowmap::Result;
use flowmap::analysis::horizon::{BackwardNorms, BackwardOptions, backward_norms};
use flowmap::analysis::rest::{RestPoint, Resting};
use flowmap::analysis::{Drive, Run, SpectrumOptions, Stepped};
use flowmap::cells::Kind;
use flowmap::models::sequence::{Example, Readout, Target};
use flowmap::plot::{Line, Look};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tasks::{Plan, curves, figure, learn, model, quick, recurrent, tens};

/// A pulse at the beginning and with probability 0.05 at each step; the last one is asked for.
fn draw(steps: usize, rng: &mut ChaCha8Rng) -> Example<f32> {
    let mut pulse = |k: usize| match rng.random::<f64>() {
        x if k > 0 && x >= 0.05 => 0.0,
        _ if rng.random::<bool>() => 1.0,
        _ => -1.0,
    };
    let inputs: Vec<f32> = (0..steps).map(&mut pulse).collect();
    let bit = inputs.iter().rev().copied().find(|x| *x != 0.0).unwrap_or(0.0);
    Example { inputs, target: Target::Numbers(vec![bit]) }
}

/// How a net moves: rests without input, and Lyapunov exponents and gradients under pulses.
pub struct Dynamics {
    pub points: Vec<RestPoint>,
    /// Which of these the two sides of each saddle fall to.
    pub sides: Vec<[usize; 2]>,
    pub exponents: Vec<f64>,
    pub norms: BackwardNorms,
}

/// A GRU of some units before and after some steps of training, and its test errors.
pub fn measure(units: usize, budget: usize) -> Result<[(f64, Dynamics); 2]> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let test: Vec<Example<f32>> = (0..200).map(|_| draw(40, &mut rng)).collect();
    let rows: Vec<f64> = draw(3000, &mut rng).inputs.iter().map(|&x| f64::from(x)).collect();
    let starts: Vec<Vec<f64>> = (0..60).map(|_| (0..units).map(|_| rng.random_range(-1.0..1.0)).collect()).collect();
    let model = model(recurrent(Kind::Gru, units, 1, false, Readout::Last), 1)?;
    let layers = model.encoder.layers;
    let of = |steps| {
        let plan = Plan { name: format!("{steps} steps"), steps, rate: 1e-2, growth: None, seed: 2, enough: None };
        let (learned, params) = learn(&plan, &model, &test, |_, rng| draw(40, rng))?;
        let params: Vec<f64> = params[layers.place::<f32>(0, 0)].iter().map(|&x| f64::from(x)).collect();
        let cell = layers.cell(0);
        let points = Resting::map(&cell, &params, &[0.0], 1)?.search(&starts)?.points;
        let sides = sides::of_saddles(&cell, &params, &points)?;
        let driven = Stepped::map(&cell, &params).driven(Drive::Sequences(vec![&rows]));
        let exponents = Run::new(&driven, &starts[..1], SpectrumOptions::new(200, 2800))?.finish()?.exponents;
        let options = BackwardOptions { warmup: 200, ends: 40, ..BackwardOptions::new(100) };
        let norms = backward_norms(&driven, &starts[..1], &options)?;
        Ok((learned.last(), Dynamics { points, sides, exponents, norms }))
    };
    Ok([of(0)?, of(budget)?])
}

fn main() -> Result<()> {
    let both = measure(12, if quick() { 20 } else { 800 })?;
    let mut panels = [Vec::new(), Vec::new()];
    for ((error, found), name) in both.iter().zip(["before training", "after training"]) {
        println!("{name}: test mean squared error {error:.5}");
        for (number, point) in found.points.iter().enumerate() {
            let largest = point.eigenvalues[0].norm();
            println!("  {number}: {:<15} largest multiplier {largest:.4}", point.nature.name());
        }
        found.sides.iter().for_each(|[one, other]| println!("  a saddle between {one} and {other}"));
        let (leading, horizon) = (found.exponents[0], found.norms.horizon(1e-3).lag);
        println!("  leading exponent {leading:.4} nats per step; gradients below 1/1000 from lag {horizon}");
        let numbers = |count: usize, from: usize| (0..count).map(|k| (k + from) as f64).collect::<Vec<_>>();
        let exponents = Line::solid(name, numbers(found.exponents.len(), 1), found.exponents.clone());
        panels[0].extend([exponents.clone(), exponents.look(Look::Marks)]);
        let logs = tens(&found.norms.log_norms);
        panels[1].push(Line::solid(name, numbers(logs.len(), 0), logs));
    }
    let [exponents, norms] = panels;
    let panels = vec![
        curves("number of the exponent", "Lyapunov exponent (nats per step)", exponents),
        curves("lag (steps back)", "log₁₀ of the gradient's norm (1 at lag 0)", norms),
    ];
    figure("trained_dynamics", "A trained net's dynamics", panels)
}
