//! The gated highway.
//!
//! A unit that keeps a factor `f` of its state each step keeps `f^k` after `k`: of 0.90 nothing is left after 499 steps, of
//! 0.99 some thousandths. An LSTM's forget gate sets that factor for its cell state, a GRU's update gate for its whole state,
//! and training can move it towards 1. So their gradients reach further back than a tanh net's, and once they have learned a
//! task that needs it, the adding problem over 100 steps, they hardly fade at all. In the same time the tanh net learns at most
//! what late steps tell it: the gradient that would have to teach it the early ones does not arrive. (Hochreiter &
//! Schmidhuber 1997, Neural Comput. 9, 1735-1780; Gers, Schmidhuber & Cummins 2000, Neural Comput. 12, 2451-2471; Cho et al.
//! 2014, EMNLP.)

mod tasks;

use flowmap::Result;
use flowmap::analysis::horizon::{BackwardNorms, BackwardOptions, backward_norms};
use flowmap::analysis::{Drive, Stepped};
use flowmap::cells::{Along, Cell, Kind, Ragged, Recurrent, SequenceTape};
use flowmap::dynamics::Component;
use flowmap::models::sequence::{Example, Readout, RecurrentEncoder};
use flowmap::nn::Activation;
use flowmap::plot::Line;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tasks::{Plan, adding, curves, figure, learn, model, quick, recurrent, tens};

pub const KINDS: [Kind; 3] = [Kind::Rnn(Activation::Tanh), Kind::Lstm, Kind::Gru];

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

/// Logarithms of gradient norms by lag, of a loss on the last output, along some sequences.
fn norms(cell: Cell, params: &[f32], examples: &[Example<f32>]) -> Result<BackwardNorms> {
    let params: Vec<f64> = params.iter().map(|&x| f64::from(x)).collect();
    let rows: Vec<Vec<f64>> = examples.iter().map(|e| e.inputs.iter().map(|&x| f64::from(x)).collect()).collect();
    let drive = Drive::Sequences(rows.iter().map(Vec::as_slice).collect());
    let stepped = Stepped::map(&cell, &params).driven(drive);
    let starts = vec![vec![0.0; Component::<f64>::out_dim(&cell)]; rows.len()];
    let visible = Some(Recurrent::<f64>::visible(&cell));
    let steps = (rows[0].len() / cell.inputs) as u64;
    backward_norms(&stepped, &starts, &BackwardOptions { ends: 1, rows: visible, ..BackwardOptions::new(steps) })
}

/// The test error and the norms of gradients by lag of a net of some units, before and after training on the adding problem.
pub fn measure(kind: Kind, units: usize, steps: usize, budget: usize) -> Result<[(f64, BackwardNorms); 2]> {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let test: Vec<Example<f32>> = (0..100).map(|_| adding(steps, &mut rng)).collect();
    // Gates that begin at σ(2) = 0.88.
    let encoder = RecurrentEncoder { memory_bias: 2.0, ..recurrent(kind, units, 2, false, Readout::Last) };
    let model = model(encoder, 1)?;
    let place = model.encoder.layers.place::<f32>(0, 0);
    let of = |budget| {
        let name = kind.to_string();
        let plan = Plan { name, steps: budget, rate: 5e-3, growth: None, seed: 1, enough: Some(0.002) };
        let (learned, params) = learn(&plan, &model, &test, |_, rng| adding(steps, rng))?;
        Ok((learned.last(), norms(model.encoder.layers.cell(0), &params[place.clone()], &test[..16])?))
    };
    Ok([of(0)?, of(budget)?])
}

fn main() -> Result<()> {
    println!("{:<16} {:>22} {:>22} {:>22}", "kept a step", "theory, 499 steps", "linear unit", "LSTM cell state");
    for factor in [0.9, 0.99] {
        let [theory, rnn, lstm] = kept(factor, 499)?;
        println!("{factor:<16} {theory:>22.15e} {rnn:>22.15e} {lstm:>22.15e}");
    }
    let (units, steps, budget) = if quick() { (8, 30, 20) } else { (32, 100, 2500) };
    let last = format!("log10 norm at lag {}: before", steps - 1);
    println!("\n{:<10} {:>20} {:>10} {last:>30} {:>10}", "cell", "test MSE: before", "after", "after");
    let mut panels = [Vec::new(), Vec::new()];
    for kind in KINDS {
        let both = measure(kind, units, steps, budget)?;
        let at = |which: usize| tens(&both[which].1.log_norms)[steps - 1];
        let (name, [before, after]) = (kind.to_string(), [0, 1].map(at));
        println!("{name:<10} {:>20.4} {:>10.4} {before:>30.2} {after:>10.2}", both[0].0, both[1].0);
        for (panel, (_, norms)) in panels.iter_mut().zip(&both) {
            let logs = tens(&norms.log_norms);
            panel.push(Line::solid(&*name, (0..logs.len()).map(|k| k as f64).collect(), logs));
        }
    }
    let panel = |when: &str, lines| {
        curves("lag (steps back)", &format!("log₁₀ of the gradient's norm (1 at lag 0), {when}"), lines)
    };
    let [before, after] = panels;
    let panels = vec![panel("before training", before), panel("after training on the adding problem", after)];
    figure("gated_highway", "The gated highway", panels)
}
