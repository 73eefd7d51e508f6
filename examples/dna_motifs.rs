//! DNA motifs: *presence* of a motif against *order and spacing* of two.
//!
//! Presence: is `TATAAT` in the sequence? Order and spacing: every sequence has both `TTGACA` and `TATAAT` once; it counts
//! if the first comes before the second with 16 to 18 letters between them, as in a bacterial promoter, and not if they are
//! swapped or further apart. A convolution with global pooling sees which motifs of its kernel's width are there and not
//! where, and neither spacing fits into its kernel; a recurrent net reads in order.

mod tasks;

use flowmap::cells::Kind;
use flowmap::models::sequence::{Example, Readout, Target};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tasks::{Learned, Plan, figure, learn, model, motifs, one_hot, panel, quick, recurrent};

const LETTERS: &str = "ACGT";
const BOX_35: &str = "TTGACA";
const BOX_10: &str = "TATAAT";
const LENGTH: usize = 80;
const KERNEL: usize = 9;

fn letters(text: &str) -> Vec<usize> {
    text.chars().filter_map(|letter| LETTERS.find(letter)).collect()
}

fn count(sequence: &[usize], motif: &[usize]) -> usize {
    sequence.windows(motif.len()).filter(|window| *window == motif).count()
}

/// Random letters with motifs at the given places, and no others of either motif.
fn plant(places: &[(usize, &[usize])], rng: &mut ChaCha8Rng) -> Vec<usize> {
    loop {
        let mut sequence: Vec<usize> = (0..LENGTH).map(|_| rng.random_range(0..4)).collect();
        for (place, motif) in places {
            sequence[*place..*place + motif.len()].copy_from_slice(motif);
        }
        let planted = |motif: &[usize]| places.iter().filter(|(_, there)| *there == motif).count();
        if [BOX_35, BOX_10].map(letters).iter().all(|motif| count(&sequence, motif) == planted(motif)) {
            return sequence;
        }
    }
}

fn presence(rng: &mut ChaCha8Rng) -> Example<f32> {
    let there = rng.random_range(0..2);
    let motif = letters(BOX_10);
    let place = rng.random_range(0..=LENGTH - motif.len());
    let sequence = plant(&[(place, &motif[..])][..there], rng);
    Example { inputs: one_hot(&sequence, 4), target: Target::Classes(vec![there]) }
}

fn order(rng: &mut ChaCha8Rng) -> Example<f32> {
    let promoter = rng.random_range(0..2);
    let swapped = promoter == 0 && rng.random::<bool>();
    let gap = if promoter == 1 || swapped { rng.random_range(16..=18) } else { rng.random_range(30..=50) };
    let (first, second) = (letters(BOX_35), letters(BOX_10));
    let start = rng.random_range(0..=LENGTH - 12 - gap);
    let (a, b) = if swapped { (&second, &first) } else { (&first, &second) };
    let sequence = plant(&[(start, a), (start + 6 + gap, b)], rng);
    Example { inputs: one_hot(&sequence, 4), target: Target::Classes(vec![promoter]) }
}

fn main() -> flowmap::Result<()> {
    let steps = if quick() { 30 } else { 1500 };
    println!("{:<20} {:<6} {:>22} {:>9}", "task", "model", "test accuracy (%)", "seconds");
    let mut panels = Vec::new();
    type Draw = fn(&mut ChaCha8Rng) -> Example<f32>;
    for (task, draw) in [("presence", presence as Draw), ("order and spacing", order as Draw)] {
        let mut rng = ChaCha8Rng::seed_from_u64(1000);
        let test: Vec<Example<f32>> = (0..if quick() { 64 } else { 2000 }).map(|_| draw(&mut rng)).collect();
        let plan = |name: &str| Plan { name: name.into(), steps, rate: 3e-3, growth: None, seed: 1, enough: None };
        let recurrent = model(recurrent(Kind::Gru, 48, 4, false, Readout::Last), 2)?;
        let bag = model(motifs(4, 32, KERNEL), 2)?;
        let learned: [Learned; 2] = [
            learn(&plan("GRU"), &recurrent, &test, |_, rng| draw(rng))?.0,
            learn(&plan("CNN"), &bag, &test, |_, rng| draw(rng))?.0,
        ];
        for learned in &learned {
            println!("{task:<20} {:<6} {:>22.2} {:>9.1}", learned.name, learned.last(), learned.seconds);
        }
        let curves = learned.iter().map(Learned::curve).collect();
        let measure = format!("{task}: test accuracy (%)");
        panels.push(panel(measure, false, curves, vec![("chance: 50 %".into(), 50.0)]));
    }
    figure("dna_motifs", "Motifs: presence against order and spacing", panels)
}
