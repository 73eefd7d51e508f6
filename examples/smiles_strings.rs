//! Is a SMILES-like string well formed? Brackets must balance and ring closures come in pairs. Strings have different
//! lengths and are never padded: each runs as long as it is. Trained up to 40 letters, tested there and at twice that.

mod tasks;

use flowmap::cells::Kind;
use flowmap::models::sequence::{Example, Readout, Target};
use flowmap::train::Growth;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tasks::{Plan, figure, learn, measure, model, one_hot, panel, quick, recurrent};

const LETTERS: [char; 9] = ['C', 'N', 'O', '=', '(', ')', '1', '2', 'S'];
const DEEPEST: usize = 4;

/// Whether brackets balance, no bracket closes that was not opened, and every ring number is there an even number of times.
fn well_formed(text: &[char]) -> bool {
    let mut depth = 0usize;
    for letter in text {
        match letter {
            '(' => depth += 1,
            ')' if depth == 0 => return false,
            ')' => depth -= 1,
            _ => {}
        }
    }
    depth == 0 && ['1', '2'].iter().all(|ring| text.iter().filter(|letter| *letter == ring).count() % 2 == 0)
}

/// A well-formed string of that many letters.
fn grow(length: usize, rng: &mut ChaCha8Rng) -> Vec<char> {
    loop {
        let (mut text, mut depth, mut open) = (vec!['C'], 0, [false; 2]);
        while text.len() < length {
            match rng.random_range(0..12) {
                0 | 1 if depth < DEEPEST => {
                    text.extend(['(', 'C']);
                    depth += 1;
                }
                2 | 3 if depth > 0 => {
                    text.push(')');
                    depth -= 1;
                }
                4 | 5 => {
                    let ring = rng.random_range(0..2);
                    text.push(if ring == 0 { '1' } else { '2' });
                    open[ring] = !open[ring];
                }
                other => text.push(['C', 'N', 'O', 'S', '=', 'C'][other % 6]),
            }
        }
        if text.len() == length && well_formed(&text) {
            return text;
        }
    }
}

/// One letter changed, added or taken away so that the string is no longer well formed.
fn spoil(text: &[char], rng: &mut ChaCha8Rng) -> Vec<char> {
    loop {
        let mut spoilt = text.to_vec();
        let at = rng.random_range(0..spoilt.len());
        let letter = ['(', ')', '1', '2'][rng.random_range(0..4)];
        match rng.random_range(0..3) {
            0 => spoilt[at] = letter,
            1 => spoilt.insert(at, letter),
            _ => drop(spoilt.remove(at)),
        }
        if !well_formed(&spoilt) {
            return spoilt;
        }
    }
}

fn draw(lengths: std::ops::RangeInclusive<usize>, rng: &mut ChaCha8Rng) -> Example<f32> {
    let mut text = grow(rng.random_range(lengths), rng);
    let right = rng.random_range(0..2);
    if right == 0 {
        text = spoil(&text, rng);
    }
    let letters: Vec<usize> =
        text.iter().filter_map(|letter| LETTERS.iter().position(|known| known == letter)).collect();
    Example { inputs: one_hot(&letters, LETTERS.len()), target: Target::Classes(vec![right]) }
}

fn main() -> flowmap::Result<()> {
    let (longest, steps) = if quick() { (12, 30) } else { (40, 5000) };
    let mut rng = ChaCha8Rng::seed_from_u64(1000);
    let count = if quick() { 64 } else { 2000 };
    let shortest = longest / 4;
    let trained: Vec<Example<f32>> = (0..count).map(|_| draw(shortest..=longest, &mut rng)).collect();
    let twice: Vec<Example<f32>> = (0..count).map(|_| draw(2 * longest..=2 * longest, &mut rng)).collect();

    println!(
        "{:<6} {:>28} {:>24} {:>9}",
        "model", "accuracy, trained lengths (%)", "at twice the length (%)", "seconds"
    );
    let mut curves = Vec::new();
    for (name, kind) in [("LSTM", Kind::Lstm), ("GRU", Kind::Gru)] {
        let growth = Growth { first: 12.min(longest), last: longest, factor: 1.25, below: 0.15, over: 50 };
        let plan = Plan { name: name.into(), steps, rate: 3e-3, growth: Some(growth), seed: 1, enough: None };
        let model = model(recurrent(kind, 64, LETTERS.len(), false, Readout::Last), 2)?;
        let (learned, params) =
            learn(&plan, &model, &trained, |length, rng| draw(shortest.min(length)..=length.min(longest), rng))?;
        let beyond = measure(&model, &params, &twice)?;
        println!("{name:<6} {:>28.2} {beyond:>24.2} {:>9.1}", learned.last(), learned.seconds);
        curves.push(learned.curve());
    }
    let levels = vec![("chance: 50 %".into(), 50.0)];
    let measure = format!("test accuracy at {shortest} to {longest} letters (%)");
    let panel = panel(measure, false, curves, levels);
    figure("smiles_strings", "Well-formed strings of any length", vec![panel])
}
