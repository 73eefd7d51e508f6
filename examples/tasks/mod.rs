//! What the examples with sequences share: one loop for every model, a test on sequences kept apart, a figure.

#![allow(dead_code, reason = "each example uses its part")]

#[path = "../lesson/mod.rs"]
mod lesson;

use flowmap::cells::{Kind, Layers};
use flowmap::models::sequence::{
    Example, ModelTape, Motifs, Pooling, Readout, RecurrentEncoder, SequenceEncoder, SequenceModel, Target,
};
use flowmap::nn::{Activation, Convolution, Mlp, Schedule};
use flowmap::plot::{Line, LinesPanel};
use flowmap::solve::map_parts;
use flowmap::train::{Growth, SequenceTrainer, SequenceTraining};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

#[allow(unused_imports, reason = "each example uses its part")]
pub use lesson::{figure, panel as curves, quick, tens, write_figure};

/// How one model is trained on one task.
pub struct Plan {
    pub name: String,
    pub steps: usize,
    pub rate: f64,
    pub growth: Option<Growth>,
    pub seed: u64,
    /// Stops as soon as the test measure passes this, in the measure's own direction.
    pub enough: Option<f64>,
}

/// What training gave.
pub struct Learned {
    pub name: String,
    /// Steps and the test measure there.
    pub steps: Vec<f64>,
    pub measure: Vec<f64>,
    pub seconds: f64,
}

impl Learned {
    /// The last test measure.
    pub fn last(&self) -> f64 {
        self.measure.last().copied().unwrap_or(f64::NAN)
    }

    pub fn curve(&self) -> Line {
        Line::solid(self.name.clone(), self.steps.clone(), self.measure.clone())
    }
}

const BATCH: usize = 64;
/// Sequences that run side by side; two parts make two threads busy.
const PART: usize = 32;

/// A recurrent encoder with zero start.
pub fn recurrent(kind: Kind, hidden: usize, inputs: usize, bidirectional: bool, readout: Readout) -> RecurrentEncoder {
    RecurrentEncoder {
        layers: Layers { kind, layers: 1, hidden, inputs, bidirectional },
        readout,
        learned_start: false,
        dropout: 0.0,
        cut: None,
        memory_bias: 1.0,
    }
}

/// A bag of motifs.
pub fn motifs(inputs: usize, filters: usize, kernel: usize) -> Motifs {
    Motifs { convolution: Convolution { inputs, filters, kernel }, pooling: Pooling::Max }
}

/// A model with a linear head on an encoder.
pub fn model<E: SequenceEncoder<f32>>(encoder: E, outputs: usize) -> flowmap::Result<SequenceModel<E>> {
    let head = Mlp::new(&[encoder.features(), outputs], Activation::Identity, Activation::Identity)?;
    SequenceModel::new::<f32>(encoder, head)
}

/// Trains on batches that `draw(length, rng)` makes one example at a time, and tests on `test` now and then; returns the curve and the
/// parameters.
pub fn learn<E: SequenceEncoder<f32>>(
    plan: &Plan,
    model: &SequenceModel<E>,
    test: &[Example<f32>],
    mut draw: impl FnMut(usize, &mut ChaCha8Rng) -> Example<f32>,
) -> flowmap::Result<(Learned, Vec<f32>)> {
    let start = Instant::now();
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    let mut params = model.encoder.initial(&mut rng);
    let count: usize = model.params::<f32>().iter().map(|spec| spec.len()).sum();
    params.resize(count, 0.0);
    let training = SequenceTraining {
        schedule: Schedule { peak: plan.rate, warmup: 20, total: plan.steps, floor: 0.02 },
        clip: 1.0,
        weight_decay: 0.0,
        part: PART,
        growth: plan.growth,
        seed: plan.seed,
    };
    let mut trainer = SequenceTrainer::new(model, params, training)?;
    let (mut steps, mut measures) = (Vec::new(), Vec::new());
    let every = (plan.steps / 25).max(1);
    for step in 0..=plan.steps {
        if step % every == 0 || step == plan.steps {
            let measured = measure(model, trainer.params(), test)?;
            steps.push(step as f64);
            measures.push(measured);
            let length = plan.growth.map_or(String::new(), |_| format!(", length {}", trainer.length()));
            eprintln!("{:<24} step {step:>6}{length}: {measured:.4}", plan.name);
            if plan.enough.is_some_and(|enough| measured < enough) {
                break;
            }
        }
        let batch: Vec<Example<f32>> = (0..BATCH).map(|_| draw(trainer.length(), &mut rng)).collect();
        trainer.step(&batch.iter().collect::<Vec<_>>())?;
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok((Learned { name: plan.name.clone(), steps, measure: measures, seconds }, trainer.params().to_vec()))
}

/// The accuracy in per cent, or for numbers the mean squared error.
pub fn measure<E: SequenceEncoder<f32>>(
    model: &SequenceModel<E>,
    params: &[f32],
    examples: &[Example<f32>],
) -> flowmap::Result<f64> {
    let parts = map_parts(examples.len(), PART, |range| {
        let part = &examples[range];
        let inputs: Vec<&[f32]> = part.iter().map(|example| &example.inputs[..]).collect();
        let predictions = model.predict(params, &inputs, &mut ModelTape::default())?;
        let scores = part.iter().zip(&predictions).map(|(example, found)| score(&example.target, found));
        Ok(scores.fold((0.0, 0.0), |(a, b), (sum, count)| (a + sum, b + count)))
    });
    let mut total = (0.0, 0.0);
    for part in parts {
        let (sum, count): (f64, f64) = part?;
        total = (total.0 + sum, total.1 + count);
    }
    Ok(total.0 / total.1)
}

/// Sum of scores and their number.
fn score(target: &Target<f32>, found: &[f32]) -> (f64, f64) {
    match target {
        Target::Numbers(numbers) => {
            let squares = numbers.iter().zip(found).map(|(a, b)| f64::from(a - b) * f64::from(a - b));
            (squares.sum(), numbers.len() as f64)
        }
        Target::Known(numbers) => {
            let known = numbers.iter().zip(found).filter_map(|(a, b)| a.map(|a| f64::from(a - b).powi(2)));
            known.fold((0.0, 0.0), |(sum, count), square| (sum + square, count + 1.0))
        }
        Target::Classes(classes) => {
            let rows = found.len() / classes.len();
            let right = classes.iter().zip(found.chunks_exact(rows)).filter(|(class, rows)| {
                rows.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).is_some_and(|(best, _)| best == **class)
            });
            (100.0 * right.count() as f64, classes.len() as f64)
        }
    }
}

/// The adding problem: of a row of random numbers two are marked, one in each half, and their sum is asked for at its end.
pub fn adding(steps: usize, rng: &mut ChaCha8Rng) -> Example<f32> {
    let mut inputs: Vec<f32> = (0..2 * steps).map(|i| if i % 2 == 0 { rng.random() } else { 0.0 }).collect();
    let marks = [rng.random_range(0..steps / 2), rng.random_range(steps / 2..steps)];
    let sum = marks.iter().map(|&at| inputs[2 * at]).sum();
    marks.iter().for_each(|&at| inputs[2 * at + 1] = 1.0);
    Example { inputs, target: Target::Numbers(vec![sum]) }
}

/// A measure by training step, and values to compare with.
pub fn panel(measure: String, logarithmic: bool, lines: Vec<Line>, levels: Vec<(String, f64)>) -> LinesPanel {
    LinesPanel { x: "training step".into(), y: measure, logarithmic, lines, levels, ..LinesPanel::default() }
}

/// One-hot inputs of letters of an alphabet.
pub fn one_hot(letters: &[usize], alphabet: usize) -> Vec<f32> {
    let mut inputs = vec![0.0; letters.len() * alphabet];
    letters.iter().enumerate().for_each(|(at, &letter)| inputs[at * alphabet + letter] = 1.0);
    inputs
}
