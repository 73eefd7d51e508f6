//! Order matters.
//!
//! A recurrent net reads one letter after another, so its state after A then B is not that after B then A: the steps of no cell
//! commute. A convolution with pooling, a bag of motifs, sees that A … B is not A … C, and yet cannot tell it from
//! B … A as soon as no window holds both letters, that is with `kernel − 1` blanks between them or more. One set of weights
//! runs sequences of any length, so the initialiser's fan-in is that of a single step: states keep their size from the
//! first step to the last. (Elman 1990, Cogn. Sci. 14, 179-211; LeCun et al. 1998, Proc. IEEE 86, 2278.)

#[path = "lesson/every_cell.rs"]
pub mod every_cell;
mod lesson;

use every_cell::{cells, last};
use flowmap::Result;
use flowmap::cells::{Cell, Recurrent};
use flowmap::models::sequence::{Motifs, Pooling, SequenceEncoder};
use flowmap::nn::Convolution;
use flowmap::plot::{Line, LinesPanel, Look};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub const LETTERS: usize = 3;
pub const UNITS: usize = 32;
/// Steps that the convolution sees at once.
pub const KERNEL: usize = 4;

/// A letter, then so many blanks, then another, and a few blanks around.
fn sequence([first, second]: [usize; 2], between: usize) -> Vec<f64> {
    let mut steps = vec![[0.0; LETTERS]; between + 10];
    (steps[4][first], steps[between + 5][second]) = (1.0, 1.0);
    steps.concat()
}

/// The distance of two vectors as a share of their size.
fn apart(a: &[f64], b: &[f64]) -> f64 {
    let off: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    (off / a.iter().chain(b).map(|x| x * x).sum::<f64>()).sqrt()
}

/// How far a cell's state after A … B is from that after B … A.
pub fn recurrent(cell: &dyn Recurrent<f64>, seed: u64, between: usize) -> Result<f64> {
    Ok(apart(&last(cell, seed, &sequence([0, 1], between))?, &last(cell, seed, &sequence([1, 0], between))?))
}

/// How far a bag of motifs of A … B is from that of two other letters.
pub fn pooled(other: [usize; 2], between: usize) -> Result<f64> {
    let convolution = Convolution { inputs: LETTERS, filters: UNITS, kernel: KERNEL };
    let (motifs, mut tape) = (Motifs { convolution, pooling: Pooling::Max }, Default::default());
    let params: Vec<f64> = motifs.initial(&mut ChaCha8Rng::seed_from_u64(1));
    motifs.encode(&params, &[&sequence([0, 1], between), &sequence(other, between)], None, &mut tape)?;
    let features = |lane| motifs.features_of(&tape).data.iter().skip(lane).step_by(2).copied().collect::<Vec<f64>>();
    Ok(apart(&features(0), &features(1)))
}

/// The root mean square of a tanh cell's state after so many steps of noise.
pub fn size(steps: usize) -> Result<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let noise: Vec<f64> = (0..LETTERS * steps).map(|_| rng.random_range(-1.0..1.0)).collect();
    let state = last(&Cell::rnn(UNITS, LETTERS), 1, &noise)?;
    Ok((state.iter().map(|h| h * h).sum::<f64>() / UNITS as f64).sqrt())
}

fn main() -> Result<()> {
    let gaps = [1, 2, 3, 4, 8, 16, 32, 64, 128];
    let row = |name: &str, numbers: &[f64]| {
        println!("{name:<30}{}", numbers.iter().map(|x| format!("{x:>8.3}")).collect::<String>());
    };
    println!("distance of A … B from B … A as a share of their size, the same weights for every length");
    let (x, mut lines) = (gaps.map(|gap| gap as f64), Vec::new());
    row("blanks between", &x);
    let mut tell = |name: &str, look, distance: &dyn Fn(usize) -> Result<f64>| -> Result<()> {
        let distances = gaps.iter().map(|&gap| distance(gap)).collect::<Result<Vec<f64>>>()?;
        row(name, &distances);
        lines.push(Line::solid(name, x.to_vec(), distances).look(look));
        Ok(())
    };
    for (seed, (name, cell)) in cells(UNITS, LETTERS)?.iter().enumerate() {
        let look = if seed < 6 { Look::Solid } else { Look::Dashed };
        tell(name, look, &|gap| recurrent(&**cell, seed as u64, gap))?;
    }
    tell("pooled convolution", Look::Dashed, &|gap| pooled([1, 0], gap))?;
    tell("the same, A … B from A … C", Look::Truth, &|gap| pooled([0, 2], gap))?;
    row("size of a tanh cell's state", &gaps.iter().map(|&gap| size(gap + 10)).collect::<Result<Vec<_>>>()?);
    println!(
        "every cell tells the order at any gap, the bag of motifs only while a window of {KERNEL} holds both letters"
    );
    let others = lines.split_off(6);
    let panel = |what: &str, lines| {
        let y = format!("distance of A … B from B … A, {what} (share of their size)");
        LinesPanel { logarithmic_x: true, ..lesson::panel("blanks between the letters (steps)", &y, lines) }
    };
    let panels = vec![panel("cells of the usual libraries", lines), panel("other cells, and pooling", others)];
    lesson::figure("order_matters", "Order matters", panels)
}
