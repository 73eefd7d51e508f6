//! A label for every residue of a protein-like chain that depends on both sides. Of the nearest charged residue before it
//! and the nearest after it (K or E): a *helix* lies between two K, a *strand* between two E, a *turn* between K and E; all
//! else, the ends too, is *coil*. A net that reads forward knows one of the two and has to guess the other; one that reads
//! both ways need not.

mod tasks;

use flowmap::cells::Kind;
use flowmap::models::sequence::{Example, Readout, Target};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tasks::{Plan, figure, learn, model, one_hot, panel, quick, recurrent};

const RESIDUES: &str = "ACDEFGHIKLMNPQRSTVWY";

fn draw(rng: &mut ChaCha8Rng) -> Example<f32> {
    let length = rng.random_range(30..=90);
    let chain: Vec<usize> = (0..length).map(|_| rng.random_range(0..RESIDUES.len())).collect();
    let charge = |residue: usize| ["K", "E"].iter().position(|letter| RESIDUES.find(letter) == Some(residue));
    let nearest = |places: &mut dyn Iterator<Item = usize>| places.filter_map(|at| charge(chain[at])).next();
    let labels = (0..length).map(|at| {
        let (before, after) = (nearest(&mut (0..at).rev()), nearest(&mut (at + 1..length)));
        match (before, after) {
            (Some(0), Some(0)) => 0,
            (Some(1), Some(1)) => 1,
            (Some(0), Some(1)) => 2,
            _ => 3,
        }
    });
    Example { inputs: one_hot(&chain, RESIDUES.len()), target: Target::Classes(labels.collect()) }
}

fn main() -> flowmap::Result<()> {
    let steps = if quick() { 30 } else { 1200 };
    let mut rng = ChaCha8Rng::seed_from_u64(1000);
    let test: Vec<Example<f32>> = (0..if quick() { 32 } else { 1000 }).map(|_| draw(&mut rng)).collect();
    let mut counts = [0usize; 4];
    for example in &test {
        if let Target::Classes(labels) = &example.target {
            labels.iter().for_each(|&label| counts[label] += 1);
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    let majority = 100.0 * most as f64 / counts.iter().sum::<usize>() as f64;

    println!("{:<16} {:>22} {:>9}", "model", "test accuracy (%)", "seconds");
    println!("{:<16} {majority:>22.2} {:>9}", "majority", "-");
    let mut curves = Vec::new();
    for (name, bidirectional, hidden) in [("forward only", false, 64), ("both directions", true, 32)] {
        let plan = Plan { name: name.into(), steps, rate: 5e-3, growth: None, seed: 1, enough: None };
        let model = model(recurrent(Kind::Lstm, hidden, RESIDUES.len(), bidirectional, Readout::EveryStep), 4)?;
        let (learned, _) = learn(&plan, &model, &test, |_, rng| draw(rng))?;
        println!("{name:<16} {:>22.2} {:>9.1}", learned.last(), learned.seconds);
        curves.push(learned.curve());
    }
    let levels = vec![(format!("majority: {majority:.1} %"), majority)];
    let measure = "test accuracy of residues (%)".into();
    let panel = panel(measure, false, curves, levels);
    figure("residue_labels", "Labels that depend on both sides", vec![panel])
}
