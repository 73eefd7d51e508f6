//! The adding problem (Hochreiter & Schmidhuber 1997, "Long short-term memory", task 4): of a long row of random numbers
//! two are marked, one in each half; the model reads the row once and says their sum. Saying 1 always has a mean squared
//! error of 0.167.
//!
//! Sequences grow while training, from 50 steps to 500, unless `:full` follows a cell's name: then all have 500. All cells
//! have the same budget of steps, and recurrent matrices begin orthogonal. Arguments, both optional: cells
//! (`rnn-tanh,rnn-tanh:full,lstm,gru`) and seeds (`1,2,3`).

mod tasks;

use flowmap::cells::Kind;
use flowmap::models::sequence::{Example, Readout};
use flowmap::plot::Line;
use flowmap::train::Growth;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tasks::{Plan, adding, figure, learn, model, panel, quick, recurrent};

fn main() -> flowmap::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let cells = arguments.next().unwrap_or("rnn-tanh,rnn-tanh:full,lstm,gru".into());
    let seeds = arguments.next().unwrap_or("1".into());
    let (last, steps, hidden) = if quick() { (60, 40, 16) } else { (500, 6000, 64) };
    let mut rng = ChaCha8Rng::seed_from_u64(1000);
    let test: Vec<Example<f32>> = (0..if quick() { 64 } else { 1000 }).map(|_| adding(last, &mut rng)).collect();

    println!("{:<14} {:>4} {:>6} {:>16} {:>9}", "cell", "seed", "steps", "test MSE at end", "seconds");
    let mut curves = Vec::new();
    for seed in seeds.split(',').filter_map(|seed| seed.parse().ok()) {
        for cell in cells.split(',') {
            let (name, full) = cell.strip_suffix(":full").map_or((cell, false), |name| (name, true));
            let kind: Kind = name.parse()?;
            let growth = Growth { first: 50.min(last), last, factor: 1.5, below: 0.01, over: 20 };
            let plan = Plan {
                name: format!("{cell}, seed {seed}"),
                steps,
                rate: 2e-3,
                growth: (!full).then_some(growth),
                seed,
                enough: Some(0.002),
            };
            let model = model(recurrent(kind, hidden, 2, false, Readout::Last), 1)?;
            let (learned, _) = learn(&plan, &model, &test, draw_at(last))?;
            let taken = learned.steps.last().copied().unwrap_or(0.0);
            println!("{cell:<14} {seed:>4} {taken:>6} {:>16.5} {:>9.1}", learned.last(), learned.seconds);
            // Seeds of a cell share its colour.
            curves.push(Line { name: cell.to_owned(), ..learned.curve() });
        }
    }
    let levels = vec![("chance: 0.167".into(), 1.0 / 6.0), ("solved: 0.01".into(), 0.01)];
    let measure = format!("test mean squared error at {last} steps");
    figure("adding_problem", "The adding problem", vec![panel(measure, true, curves, levels)])
}

/// Sequences of the length that training has reached.
fn draw_at(last: usize) -> impl FnMut(usize, &mut ChaCha8Rng) -> Example<f32> {
    move |length, rng| adding(length.min(last), rng)
}
