//! The gated highway.
//!
//! A unit that keeps a factor `f` of its state each step keeps `f^k` after `k`: of 0.90 nothing is left after 499 steps, of
//! 0.99 some thousandths. An LSTM's forget gate sets that factor for its cell state, and training can move it towards 1,
//! where a tanh unit cannot follow. So the gradient of LSTM and GRU reaches further back, most of all once they have
//! learned a task that needs it: the adding problem over 100 steps. (Hochreiter & Schmidhuber 1997, Neural Comput. 9,
//! 1735-1780; Gers, Schmidhuber & Cummins 2000, Neural Comput. 12, 2451-2471.)

mod tasks;

use flowmap::Result;
use flowmap::analysis::horizon::{BackwardOptions, backward_norms};
use flowmap::analysis::{Drive, Stepped};
use flowmap::cells::{Along, Cell, Kind, Ragged, Recurrent, SequenceTape};
use flowmap::dynamics::Component;
use flowmap::models::sequence::{Example, Readout, Target};
use flowmap::nn::Activation;
use flowmap::plot::{Line, LinesPanel, Look};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tasks::{Plan, figure, learn, model, quick, recurrent};

/// What is left of 1 after so many steps: in theory, in a linear unit of that weight, and in an LSTM's cell state.
pub fn kept(factor: f64, steps: usize) -> Result<[f64; 3]> {
    let linear = Cell { kind: Kind::Rnn(Activation::Identity), hidden: 1, inputs: 0 };
    // All weights zero but the forget gate's bias: i f g o.
    let forget = (factor / (1.0 - factor)).ln();
    let lstm = [vec![0.0; 4], vec![0.0, forget, 0.0, 0.0], vec![0.0; 4]].concat();
    let last = |cell: Cell, params: &[f64], start: &[f64]| -> Result<f64> {
        let (ragged, mut tape) = (Ragged::new(&[steps]), SequenceTape::default());
        tape.run(&cell, params, &Along { ragged: &ragged, inputs: &[], start: Some(start) }, false)?;
        Ok(tape.last()[start.len() - 1])
    };
    let rnn = last(linear, &[factor, 0.0, 0.0], &[1.0])?;
    Ok([factor.powi(steps as i32), rnn, last(Cell::lstm(1, 0), &lstm, &[0.0, 1.0])?])
}

/// Two numbers of a row are marked; the sum is asked for at its end.
fn draw(steps: usize, rng: &mut ChaCha8Rng) -> Example<f32> {
    let mut inputs: Vec<f32> = (0..2 * steps).map(|i| if i % 2 == 0 { rng.random() } else { 0.0 }).collect();
    let marks = [rng.random_range(0..steps / 2), rng.random_range(steps / 2..steps)];
    let sum = marks.iter().map(|&at| inputs[2 * at]).sum();
    marks.iter().for_each(|&at| inputs[2 * at + 1] = 1.0);
    Example { inputs, target: Target::Numbers(vec![sum]) }
}

/// Logarithms (base 10) of gradient norms by lag along some sequences, of a loss on the last output.
fn norms(cell: Cell, params: &[f32], examples: &[Example<f32>], steps: usize) -> Result<Vec<f64>> {
    let params: Vec<f64> = params.iter().map(|&x| f64::from(x)).collect();
    let rows: Vec<Vec<f64>> = examples.iter().map(|e| e.inputs.iter().map(|&x| f64::from(x)).collect()).collect();
    let drive = Drive::Sequences(rows.iter().map(Vec::as_slice).collect());
    let stepped = Stepped::map(&cell, &params).driven(drive);
    let starts = vec![vec![0.0; Component::<f64>::out_dim(&cell)]; rows.len()];
    let visible = Some(Recurrent::<f64>::visible(&cell));
    let options = BackwardOptions { ends: 1, rows: visible, ..BackwardOptions::new(steps as u64) };
    let found = backward_norms(&stepped, &starts, &options)?;
    Ok(found.log_norms.iter().map(|x| x / std::f64::consts::LN_10).collect())
}

fn main() -> Result<()> {
    println!("{:<16} {:>22} {:>22} {:>22}", "kept a step", "theory, 499 steps", "linear unit", "LSTM cell state");
    for factor in [0.9, 0.99] {
        let [theory, rnn, lstm] = kept(factor, 499)?;
        println!("{factor:<16} {theory:>22.15e} {rnn:>22.15e} {lstm:>22.15e}");
    }
    let (steps, hidden, budget) = if quick() { (30, 8, 20) } else { (100, 64, 2500) };
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let test: Vec<Example<f32>> = (0..16).map(|_| draw(steps, &mut rng)).collect();
    println!("\n{:<10} {:>10} {:>26} {:>26}", "cell", "test MSE", "log10 norm before, at 99", "after training");
    let mut panels = [Vec::new(), Vec::new()];
    for kind in [Kind::Rnn(Activation::Tanh), Kind::Lstm, Kind::Gru] {
        let model = model(recurrent(kind, hidden, 2, false, Readout::Last), 1)?;
        let plan =
            |steps| Plan { name: kind.to_string(), steps, rate: 3e-3, growth: None, seed: 1, enough: Some(0.002) };
        let train = |budget| learn(&plan(budget), &model, &test, |length, rng| draw(length.min(steps), rng));
        let ((_, before), (learned, after)) = (train(0)?, train(budget)?);
        let place = model.encoder.layers.place::<f32>(0, 0);
        let mut ends = [0.0; 2];
        for ((panel, end), params) in panels.iter_mut().zip(&mut ends).zip([before, after]) {
            let logs = norms(model.encoder.layers.cell(0), &params[place.clone()], &test, steps)?;
            *end = logs[steps - 1];
            let lags = (0..logs.len()).map(|k| k as f64).collect();
            panel.push(Line::solid(kind.to_string(), lags, logs).look(Look::Solid));
        }
        println!("{:<10} {:>10.4} {:>26.2} {:>26.2}", kind.to_string(), learned.last(), ends[0], ends[1]);
    }
    let panel =
        |y: &str, lines| LinesPanel { x: "lag (steps back)".into(), y: y.into(), lines, ..LinesPanel::default() };
    let [before, after] = panels;
    let panels = vec![
        panel("log₁₀ of the gradient's norm, before training", before),
        panel("log₁₀ of the gradient's norm, after training on the adding problem", after),
    ];
    figure("gated_highway", "The gated highway", panels)
}
