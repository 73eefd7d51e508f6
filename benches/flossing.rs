//! What the gradient of a loss on exponents costs beside the exponents alone: `cargo bench --bench flossing`.
//!
//! Both factor at every step, take the same exponents of the same driven net over the same steps, and are timed in turns.

use flowmap::analysis::flossing::{FlossingOptions, FlossingTape};
use flowmap::analysis::{Drive, Run, SpectrumOptions, Stepped};
use flowmap::cells::{Cell, Kind};
use flowmap::dynamics::Component;
use flowmap::nn::{Activation, fan_in_normal};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

const STEPS: u64 = 100;
const INPUTS: usize = 4;
const ROUNDS: usize = 15;

fn seconds(call: impl FnOnce() -> flowmap::Result<()>) -> flowmap::Result<f64> {
    let start = Instant::now();
    call()?;
    Ok(start.elapsed().as_secs_f64())
}

fn main() -> flowmap::Result<()> {
    println!("{STEPS} steps, best of {ROUNDS}: milliseconds");
    println!("{:<9} {:>5} {:>9} {:>9} {:>9} {:>6}", "cell", "units", "exponents", "spectrum", "gradient", "ratio");
    for kind in [Kind::Rnn(Activation::Tanh), Kind::Gru, Kind::Lstm] {
        for (hidden, exponents) in [(32, 4), (32, 16), (80, 16), (80, 75), (128, 8), (128, 32)] {
            let cell = Cell { kind, hidden, inputs: INPUTS };
            let specs = Component::<f64>::params(&cell, "");
            let params: Vec<f64> = fan_in_normal(&specs, 1.0, &mut ChaCha8Rng::seed_from_u64(1));
            let inputs: Vec<f64> = (0..STEPS as usize * INPUTS).map(|i| (1.7 * i as f64).sin()).collect();
            let system = Stepped::map(&cell, &params).driven(Drive::Sequences(vec![&inputs]));
            let start = [vec![0.0; cell.state()]];
            let (mut tape, mut bar) = (FlossingTape::default(), vec![0.0; params.len()]);
            let floss = FlossingOptions { most_growth: 100.0, ..FlossingOptions::new(exponents, 0, STEPS) };
            let options =
                SpectrumOptions { exponents: Some(exponents), qr_every: Some(1), ..SpectrumOptions::new(0, STEPS) };
            let (mut alone, mut whole) = (f64::INFINITY, f64::INFINITY);
            for _ in 0..ROUNDS {
                alone = alone.min(seconds(|| Run::new(&system, &start, options.clone())?.finish().map(drop))?);
                whole = whole.min(seconds(|| tape.add(&system, &start[0], &floss, (0.0, 1.0), &mut bar).map(drop))?);
            }
            let (ratio, alone, whole) = (whole / alone, 1e3 * alone, 1e3 * whole);
            println!("{:<9} {hidden:>5} {exponents:>9} {alone:>9.2} {whole:>9.2} {ratio:>6.2}", kind.to_string());
        }
    }
    Ok(())
}
