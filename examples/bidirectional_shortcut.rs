//! The bidirectional shortcut.
//!
//! A net that reads forward has its first input as many steps behind the end as the sequence is long, and the gradient that
//! reaches it fades with the length. A net that also reads backward meets that input last, so a part of the gradient takes
//! a single step and does not depend on the length at all. (Schuster & Paliwal 1997, IEEE Trans. Signal Process. 45,
//! 2673-2681.)

mod lesson;

use flowmap::Result;
use flowmap::cells::{Along, Cotangents, Kind, Layers, LayersTape, Ragged};
use flowmap::nn::{Activation, fan_in_normal};
use flowmap::plot::{Line, LinesPanel, Look};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub const KINDS: [Kind; 3] = [Kind::Rnn(Activation::Tanh), Kind::Lstm, Kind::Gru];

/// The norm of the gradient by the first input, of the sum of the last outputs of each direction.
pub fn first_input(kind: Kind, bidirectional: bool, length: usize) -> Result<f64> {
    let layers = Layers { kind, layers: 1, hidden: 32, inputs: 2, bidirectional };
    let params: Vec<f64> = fan_in_normal(&layers.params::<f64>(""), 0.9, &mut ChaCha8Rng::seed_from_u64(4));
    let inputs: Vec<f64> = (0..2 * length).map(|i| (0.9 * i as f64).sin()).collect();
    let (ragged, mut tape) = (Ragged::new(&[length]), LayersTape::default());
    layers.run(&params, &Along { ragged: &ragged, inputs: &inputs, start: None }, false, None, &mut tape)?;
    // 1 for each `h`, 0 for an LSTM's `c`.
    let mut last = vec![1.0; layers.hidden];
    last.resize(layers.cell(0).state(), 0.0);
    let last = last.repeat(layers.directions());
    let cotangents = Cotangents { last: Some(&last), ..Cotangents::default() };
    layers.pull(&params, &ragged, &cotangents, &mut tape, true, &mut vec![0.0; params.len()]);
    Ok(tape.inputs_bar()[..2].iter().map(|x| x * x).sum::<f64>().sqrt())
}

fn main() -> Result<()> {
    let lengths = [4, 8, 16, 32, 64, 128];
    println!("norm of the gradient by the first input, of the sum of the last outputs");
    print!("{:<26}", "length");
    lengths.iter().for_each(|length| print!("{length:>10}"));
    let mut lines = Vec::new();
    for (bidirectional, name, look) in [(false, "forward only", Look::Solid), (true, "both ways", Look::Dashed)] {
        for kind in KINDS {
            let norms = lengths.map(|length| first_input(kind, bidirectional, length));
            let norms = norms.into_iter().collect::<Result<Vec<f64>>>()?;
            print!("\n{:<26}", format!("{kind}, {name}"));
            norms.iter().for_each(|norm| print!("{norm:>10.1e}"));
            lines.push(Line::solid(kind.to_string(), lengths.map(|n| n as f64).to_vec(), norms).look(look));
        }
    }
    println!();
    let panel = lesson::panel("length of the sequence (steps)", "norm of the gradient by the first input", lines);
    let panel = LinesPanel { logarithmic: true, logarithmic_x: true, ..panel };
    let remarks = ["solid: forward only; dashed: both ways"];
    lesson::remarked("bidirectional_shortcut", "The bidirectional shortcut", vec![panel], &remarks)
}
