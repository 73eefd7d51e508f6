//! Order matters.
//!
//! A recurrent net reads one letter after another, so its state after A then B is not that after B then A: its steps do not
//! commute. A convolution with pooling, a bag of motifs, sees the same motifs either way and cannot tell. One set of
//! weights runs sequences of any length, so the initialiser's fan-in is that of a single step, whatever the length.
//! (Elman 1990, Cogn. Sci. 14, 179-211; LeCun et al. 1998, Proc. IEEE 86, 2278.)

mod lesson;

use flowmap::Result;
use flowmap::cells::{Kind, Layers};
use flowmap::models::sequence::{Motifs, Pooling, Readout, RecurrentEncoder, SequenceEncoder};
use flowmap::nn::{Activation, Convolution};
use flowmap::plot::{Line, LinesPanel};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub const KINDS: [Kind; 4] = [Kind::Rnn(Activation::Tanh), Kind::Lstm, Kind::Gru, Kind::ClassicGru];

/// A, then so many blanks, then B, and a few blanks around; or the other way round.
fn sequence(between: usize, swapped: bool) -> Vec<f64> {
    let (a, b, blank) = ([1.0, 0.0], [0.0, 1.0], [0.0, 0.0]);
    let (first, second) = if swapped { (b, a) } else { (a, b) };
    let mut steps = vec![blank; between + 10];
    (steps[4], steps[between + 5]) = (first, second);
    steps.concat()
}

fn distance<E: SequenceEncoder<f64>>(encoder: &E, between: usize) -> Result<f64> {
    let params = encoder.initial(&mut ChaCha8Rng::seed_from_u64(1));
    let (one, other) = (sequence(between, false), sequence(between, true));
    let mut tape = E::Tape::default();
    encoder.encode(&params, &[&one, &other], None, &mut tape)?;
    let features = encoder.features_of(&tape).data;
    Ok(features.chunks_exact(2).map(|pair| (pair[0] - pair[1]).powi(2)).sum::<f64>().sqrt())
}

pub fn recurrent(kind: Kind, between: usize) -> Result<f64> {
    let layers = Layers { kind, layers: 1, hidden: 16, inputs: 2, bidirectional: false };
    let encoder = RecurrentEncoder {
        layers,
        readout: Readout::Last,
        learned_start: false,
        dropout: 0.0,
        cut: None,
        memory_bias: 1.0,
    };
    distance(&encoder, between)
}

pub fn pooled(between: usize) -> Result<f64> {
    let convolution = Convolution { inputs: 2, filters: 16, kernel: 4 };
    distance(&Motifs { convolution, pooling: Pooling::Max }, between)
}

fn main() -> Result<()> {
    let gaps = [4, 8, 16, 32, 64, 128];
    println!("distance of the features of A … B from those of B … A, same weights for every length");
    print!("{:<22}", "blanks between");
    gaps.iter().for_each(|gap| print!("{gap:>11}"));
    let mut lines = Vec::new();
    let mut told = |name: String, distances: Vec<f64>| {
        print!("\n{name:<22}");
        distances.iter().for_each(|distance| print!("{distance:>11.2e}"));
        lines.push(Line::solid(name, gaps.iter().map(|&gap| gap as f64).collect(), distances));
    };
    for kind in KINDS {
        told(kind.to_string(), gaps.iter().map(|&gap| recurrent(kind, gap)).collect::<Result<_>>()?);
    }
    told("convolution, pooling".into(), gaps.iter().map(|&gap| pooled(gap)).collect::<Result<_>>()?);
    println!("\nthe recurrent nets tell the order at any gap, the bag of motifs at none");
    let panel = LinesPanel {
        x: "blanks between the letters".into(),
        y: "distance of A … B from B … A".into(),
        logarithmic_x: true,
        lines,
        ..LinesPanel::default()
    };
    lesson::figure("order_matters", "Order matters", vec![panel])
}
