//! Series that are observed at some times of a grid, and forecasts of them by a Neural ODE and by GRUs.

use flowmap::Result;
use flowmap::cells::{Kind, Layers};
use flowmap::dynamics::{Component, Field};
use flowmap::gradient::{Settings, gradient};
use flowmap::models::sequence::{
    Example, ModelTape, Readout, RecurrentEncoder, SequenceEncoder, SequenceModel, Target,
};
use flowmap::nn::{Activation, AdamW, Mlp, Schedule, clip_norm, fan_in_normal};
use flowmap::solve::{Options, Problem, solve};
use flowmap::train::{SequenceTrainer, SequenceTraining};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Grid points, those of the first half, and the time between them.
pub const GRID: usize = 60;
const PAST: usize = 30;
const DT: f64 = 0.2;

/// One series: its states at all grid points, and which of these are observed, the first and the last always.
pub struct Series {
    states: Vec<[f64; 2]>,
    seen: Vec<usize>,
}

impl Series {
    /// From a field and a start, each grid point observed with probability `share`.
    pub fn draw(field: Field<f64>, start: [f64; 2], share: f64, rng: &mut ChaCha8Rng) -> Result<Self> {
        let times: Vec<f64> = (0..GRID).map(|k| DT * k as f64).collect();
        let problem = Problem { start_times: &[0.0], starts: &start, row_ptr: &[0, GRID], times: &times };
        let states = solve(field, &[], &problem, &Options::adaptive(1e-8, 1e-8))?.states;
        let seen = (0..GRID).filter(|&k| rng.random::<f64>() < share || k == 0 || k + 1 == GRID).collect();
        Ok(Self { states: states.chunks_exact(2).map(|y| [y[0], y[1]]).collect(), seen })
    }

    /// Straight lines between the observations among the first `end` points, and level beyond them.
    fn filled(&self, end: usize) -> Vec<[f64; 2]> {
        let fill = |k: usize| {
            let after = self.seen.partition_point(|&s| s <= k);
            let before = self.seen[after - 1];
            match self.seen.get(after).filter(|&&next| next < end) {
                Some(&next) => [0, 1].map(|c| {
                    let share = (k - before) as f64 / (next - before) as f64;
                    self.states[before][c] * (1.0 - share) + self.states[next][c] * share
                }),
                None => self.states[before],
            }
        };
        (0..end).map(fill).collect()
    }

    /// Filled values up to `cut` and blanks after it; each step's target is the state at the next point, where it is observed.
    fn on_grid(&self, cut: usize) -> Example<f64> {
        let past = self.filled(cut);
        let input = |k: usize| past.get(k).map_or([0.0; 3], |&[a, b]| [a, b, 1.0]);
        let target = |k: usize| self.states[k].map(|y| self.seen.binary_search(&k).is_ok().then_some(y));
        Example {
            inputs: (0..GRID - 1).flat_map(input).collect(),
            target: Target::Known((1..GRID).flat_map(target).collect()),
        }
    }

    /// The observations up to number `count`, each with the time until the next, the last with that until `target`.
    fn with_gaps(&self, count: usize, target: usize) -> Example<f64> {
        let next = self.seen[1..count].iter().chain([&target]);
        let input = |(&at, &next): (&usize, &usize)| [self.states[at][0], self.states[at][1], (next - at) as f64 * DT];
        let inputs = self.seen[..count].iter().zip(next).flat_map(input).collect();
        Example { inputs, target: Target::Numbers(self.states[target].to_vec()) }
    }

    /// How many observations are in the first half.
    fn past(&self) -> usize {
        self.seen.partition_point(|&s| s < PAST)
    }
}

/// The root mean square of forecast errors over the second half, from forecasts of all series one after another.
fn error(test: &[Series], forecasts: &[f64]) -> f64 {
    let truth = test.iter().flat_map(|series| series.states[PAST..].iter().flatten());
    let squares: f64 = truth.zip(forecasts).map(|(a, b)| (a - b).powi(2)).sum();
    (squares / forecasts.len() as f64).sqrt()
}

/// Stretches of series as one problem: each from an observation to some later points.
#[derive(Default)]
struct Stretches {
    begins: Vec<f64>,
    starts: Vec<f64>,
    row_ptr: Vec<usize>,
    times: Vec<f64>,
}

impl Stretches {
    fn new(series: &[Series], mut of: impl FnMut(&Series) -> (usize, Vec<usize>)) -> (Self, Vec<Vec<usize>>) {
        let (mut all, mut points) = (Self { row_ptr: vec![0], ..Self::default() }, Vec::new());
        for series in series {
            let (first, to) = of(series);
            all.begins.push(DT * first as f64);
            all.starts.extend(series.states[first]);
            all.times.extend(to.iter().map(|&k| DT * k as f64));
            all.row_ptr.push(all.times.len());
            points.push(to);
        }
        (all, points)
    }

    fn problem(&self) -> Problem<'_, f64> {
        Problem { start_times: &self.begins, starts: &self.starts, row_ptr: &self.row_ptr, times: &self.times }
    }
}

/// The error of a Neural ODE fitted to the observations at their times.
pub fn neural_ode(train: &[Series], test: &[Series], steps: usize, rng: &mut ChaCha8Rng) -> Result<f64> {
    let net = Mlp::new(&[2, 32, 2], Activation::Tanh, Activation::Identity)?;
    let mut params: Vec<f64> = fan_in_normal(&Component::<f64>::params(&net, ""), 0.5, rng);
    let (field, options) = (Field::autonomous(&net)?, Options::adaptive(1e-4, 1e-4));
    let (mut adam, schedule) = (AdamW::new(params.len(), 0.0), schedule(steps));
    for step in 0..steps {
        // Short stretches first: to the next observation, and to all within a time that grows.
        let reach = 2 + (PAST - 2) * (2 * step).min(steps) / steps;
        let (stretches, points) = Stretches::new(train, |series| {
            let at = rng.random_range(0..series.seen.len() - 1);
            let (first, ahead) = (series.seen[at], series.seen[at + 1..].iter().enumerate());
            (first, ahead.filter(|&(k, &s)| k == 0 || s <= first + reach).map(|(_, &s)| s).collect())
        });
        let scale = 1.0 / (2 * stretches.times.len()) as f64;
        let mut passed =
            gradient(field, &params, &stretches.problem(), &options, &Settings::default(), |s, states, bar| {
                let seen = points[s].iter().flat_map(|&k| train[s].states[k]);
                states.iter().zip(seen).zip(bar).fold(0.0, |sum, ((y, seen), bar)| {
                    *bar = 2.0 * scale * (y - seen);
                    sum + scale * (y - seen).powi(2)
                })
            })?;
        clip_norm(&mut passed.params, 1.0);
        adam.step(&mut params, &passed.params, schedule.rate(step), |_| false);
    }
    let (stretches, _) = Stretches::new(test, |series| (series.seen[series.past() - 1], (PAST..GRID).collect()));
    Ok(error(test, &solve(field, &params, &stretches.problem(), &options)?.states))
}

/// The error of a GRU that is given the grid, filled in by straight lines.
pub fn gru_on_grid(train: &[Series], test: &[Series], steps: usize, rng: &mut ChaCha8Rng) -> Result<f64> {
    let cut = |series: &Series, rng: &mut ChaCha8Rng| series.on_grid(rng.random_range(PAST / 2..PAST + PAST / 2));
    let ask: Vec<_> = test.iter().map(|series| series.on_grid(PAST)).collect();
    let batch = |rng: &mut ChaCha8Rng| train.iter().map(|series| cut(series, rng)).collect();
    let said = gru(Readout::EveryStep, steps, rng, batch, &ask)?;
    let forecasts: Vec<f64> = said.iter().flat_map(|said| said[2 * (PAST - 1)..].to_vec()).collect();
    Ok(error(test, &forecasts))
}

/// The error of a GRU that is given the observations and the times between them.
pub fn gru_with_gaps(train: &[Series], test: &[Series], steps: usize, rng: &mut ChaCha8Rng) -> Result<f64> {
    let jump = |series: &Series, rng: &mut ChaCha8Rng| {
        let count = rng.random_range(1..series.seen.len());
        series.with_gaps(count, series.seen[rng.random_range(count..series.seen.len())])
    };
    let ask: Vec<_> = test.iter().flat_map(|s| (PAST..GRID).map(|k| s.with_gaps(s.past(), k))).collect();
    let batch = |rng: &mut ChaCha8Rng| train.iter().chain(train).map(|series| jump(series, rng)).collect();
    Ok(error(test, &gru(Readout::Last, steps, rng, batch, &ask)?.concat()))
}

fn schedule(steps: usize) -> Schedule {
    Schedule { peak: 0.02, warmup: 20, total: steps, floor: 0.02 }
}

/// A GRU trained on batches of examples, and what it says of others: two numbers for each step that is read out.
fn gru(
    readout: Readout,
    steps: usize,
    rng: &mut ChaCha8Rng,
    mut batch: impl FnMut(&mut ChaCha8Rng) -> Vec<Example<f64>>,
    ask: &[Example<f64>],
) -> Result<Vec<Vec<f64>>> {
    let layers = Layers { kind: Kind::Gru, layers: 1, hidden: 24, inputs: 3, bidirectional: false };
    let encoder = RecurrentEncoder { layers, readout, learned_start: false, dropout: 0.0, cut: None, memory_bias: 1.0 };
    let head = Mlp::new(&[24, 2], Activation::Identity, Activation::Identity)?;
    let mut params: Vec<f64> = encoder.initial(rng);
    params.extend(fan_in_normal::<f64>(&Component::<f64>::params(&head, ""), 1.0, rng));
    let model = SequenceModel::new::<f64>(encoder, head)?;
    let (schedule, part) = (schedule(steps), 16);
    let training = SequenceTraining { schedule, clip: 1.0, weight_decay: 0.0, part, growth: None, seed: 0 };
    let mut trainer = SequenceTrainer::new(&model, params, training)?;
    for _ in 0..steps {
        let batch = batch(rng);
        trainer.step(&batch.iter().collect::<Vec<_>>())?;
    }
    let inputs: Vec<&[f64]> = ask.iter().map(|example| &example.inputs[..]).collect();
    model.predict(trainer.params(), &inputs, &mut ModelTape::default())
}
