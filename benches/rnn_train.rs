//! One training step (forward, backward, Adam) of one recurrent layer and a linear head on the adding problem, in `f32`:
//! `cargo bench --bench rnn_train [-- --json] [cell-hidden …]`. The shapes are those of `benches/peers/rnn_train.py`.

use flowmap::cells::{Cell, Kind, Layers};
use flowmap::linalg;
use flowmap::models::sequence::{Example, Readout, RecurrentEncoder, SequenceEncoder, SequenceModel, Target};
use flowmap::nn::{Activation, Mlp, Schedule};
use flowmap::train::{SequenceTrainer, SequenceTraining};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

const STEPS: usize = 500;
const BATCH: usize = 64;
const ROUNDS: usize = 5;

fn adding(rng: &mut ChaCha8Rng) -> Example<f32> {
    let mut inputs: Vec<f32> = (0..2 * STEPS).map(|i| if i % 2 == 0 { rng.random() } else { 0.0 }).collect();
    let marks = [rng.random_range(0..STEPS / 2), rng.random_range(STEPS / 2..STEPS)];
    let sum = marks.iter().map(|&at| inputs[2 * at]).sum();
    marks.iter().for_each(|&at| inputs[2 * at + 1] = 1.0);
    Example { inputs, target: Target::Numbers(vec![sum]) }
}

/// GFLOP/s of this processor's own best matrix product: square matrices that stay in the second cache.
fn peak() -> f64 {
    let n = 192;
    let (w, x, mut out) = (vec![1e-3f32; n * n], vec![1e-3f32; n * n], vec![0f32; n * n]);
    let product = || {
        let start = Instant::now();
        (0..20).for_each(|_| linalg::affine(&w, &[], &x, &mut out, n));
        start.elapsed().as_secs_f64() / 20.0
    };
    let best = std::iter::repeat_with(product).take(30).fold(f64::INFINITY, f64::min);
    2.0 * (n * n * n) as f64 / best * 1e-9
}

fn main() -> flowmap::Result<()> {
    let json = std::env::args().any(|argument| argument == "--json");
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for (name, kind) in [("RNN", Kind::Rnn(Activation::Tanh)), ("LSTM", Kind::Lstm), ("GRU", Kind::Gru)] {
        for hidden in [64, 128, 256] {
            if !chosen.is_empty() && !chosen.contains(&format!("{name}-{hidden}")) {
                continue;
            }
            let mut rng = ChaCha8Rng::seed_from_u64(0);
            let layers = Layers { kind, layers: 1, hidden, inputs: 2, bidirectional: false };
            let encoder = RecurrentEncoder {
                layers,
                readout: Readout::Last,
                learned_start: false,
                dropout: 0.0,
                cut: None,
                memory_bias: 1.0,
            };
            let mut params: Vec<f32> = encoder.initial(&mut rng);
            let model = SequenceModel::new::<f32>(
                encoder,
                Mlp::new(&[hidden, 1], Activation::Identity, Activation::Identity)?,
            )?;
            params.resize(model.params::<f32>().iter().map(|spec| spec.len()).sum(), 0.01);
            let training = SequenceTraining {
                schedule: Schedule { peak: 1e-3, warmup: 0, total: 100, floor: 1.0 },
                clip: 1.0,
                weight_decay: 0.0,
                part: BATCH,
                growth: None,
                seed: 0,
            };
            let mut trainer = SequenceTrainer::new(&model, params, training)?;
            let examples: Vec<Example<f32>> = (0..BATCH).map(|_| adding(&mut rng)).collect();
            let batch: Vec<&Example<f32>> = examples.iter().collect();
            trainer.step(&batch)?;
            let mut seconds = f64::INFINITY;
            for _ in 0..ROUNDS {
                let start = Instant::now();
                trainer.step(&batch)?;
                seconds = seconds.min(start.elapsed().as_secs_f64());
            }
            let gates = Cell { kind, hidden, inputs: 2 }.gate_rows();
            let gflops = (STEPS * BATCH * gates * (hidden + 2) * 6) as f64 / seconds * 1e-9;
            let share = gflops / peak();
            if json {
                println!(
                    "{{\"peer\": \"flowmap\", \"task\": \"rnn-{name}-{hidden}\", \"seconds\": {seconds}, \"gflops\": {gflops}, \"share_of_peak\": {share}}}"
                );
            } else {
                println!(
                    "{name:4} {hidden:3}: {:8.2} ms, {gflops:6.1} GFLOP/s, {:3.0} % of peak",
                    seconds * 1e3,
                    share * 1e2
                );
            }
        }
    }
    Ok(())
}
