//! The bidirectional shortcut.
//!
//! A net that reads forward has its first input as many steps behind the end as the sequence is long, and the gradient that
//! reaches it fades with the length. A net that also reads backward meets that input last, so a part of the gradient takes
//! a single step and does not depend on the length at all. (Schuster & Paliwal 1997, IEEE Trans. Signal Process. 45,
//! 2673-2681.)

mod lesson;

use flowmap::Result;
use flowmap::cells::{Along, Cell, Cotangents, Kind, Ragged, SequenceTape};
use flowmap::dynamics::Component;
use flowmap::nn::{Activation, fan_in_normal};
use flowmap::plot::{Line, LinesPanel, Look};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub const KINDS: [Kind; 3] = [Kind::Rnn(Activation::Tanh), Kind::Lstm, Kind::Gru];
const UNITS: usize = 32;

/// The gradient by one step's input, of the sum of the last output.
fn gradient(kind: Kind, inputs: &[f64], step: usize) -> Result<Vec<f64>> {
    let cell = Cell { kind, hidden: UNITS, inputs: 2 };
    let params: Vec<f64> = fan_in_normal(&Component::<f64>::params(&cell, ""), 0.9, &mut ChaCha8Rng::seed_from_u64(4));
    let (ragged, mut tape) = (Ragged::new(&[inputs.len() / 2]), SequenceTape::default());
    tape.run(&cell, &params, &Along { ragged: &ragged, inputs, start: None }, false)?;
    let mut last = vec![0.0; Component::<f64>::out_dim(&cell)];
    last[..UNITS].fill(1.0);
    let cotangents = Cotangents { last: Some(&last), ..Cotangents::default() };
    tape.pull(&cell, &params, &ragged, &cotangents, true, &mut vec![0.0; params.len()]);
    Ok(tape.inputs_bar()[2 * step..][..2].to_vec())
}

/// Norms of the gradient by the first input: reading forward only, and both ways.
pub fn first_input(kind: Kind, length: usize) -> Result<[f64; 2]> {
    let inputs: Vec<f64> = (0..2 * length).map(|i| (0.9 * i as f64).sin()).collect();
    let backward: Vec<f64> = inputs.chunks_exact(2).rev().flatten().copied().collect();
    let forward = gradient(kind, &inputs, 0)?;
    let both = gradient(kind, &backward, length - 1)?.iter().zip(&forward).map(|(b, f)| b + f).collect::<Vec<f64>>();
    let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    Ok([norm(&forward), norm(&both)])
}

fn main() -> Result<()> {
    let lengths = [4, 8, 16, 32, 64, 128];
    println!("norm of the gradient by the first input, of the sum of the last outputs");
    print!("{:<26}", "length");
    lengths.iter().for_each(|length| print!("{length:>10}"));
    let mut lines = Vec::new();
    for kind in KINDS {
        let found = lengths.iter().map(|&length| first_input(kind, length)).collect::<Result<Vec<_>>>()?;
        for (way, name) in ["forward only", "both ways"].into_iter().enumerate() {
            print!("\n{:<26}", format!("{kind}, {name}"));
            found.iter().for_each(|norms| print!("{:>10.1e}", norms[way]));
            let look = if way == 0 { Look::Solid } else { Look::Dashed };
            let y = found.iter().map(|norms| norms[way]).collect();
            lines.push(Line::solid(format!("{kind}, {name}"), lengths.map(|n| n as f64).to_vec(), y).look(look));
        }
    }
    println!();
    let panel = LinesPanel {
        x: "length of the sequence (steps)".into(),
        y: "norm of the gradient by the first input".into(),
        logarithmic: true,
        logarithmic_x: true,
        lines,
        ..LinesPanel::default()
    };
    lesson::figure("bidirectional_shortcut", "The bidirectional shortcut", vec![panel])
}
