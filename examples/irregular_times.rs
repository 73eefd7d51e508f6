//! Irregular times.
//!
//! A damped oscillator and the hares and lynxes of Lotka and Volterra are observed at fewer and fewer random times. A
//! Neural ODE takes the times as they are. A GRU needs a grid, and so has it filled in by straight lines, or it is told how
//! long it is until what comes next. All three see the same observations of the same 16 series, read the first half of 16
//! others, and forecast the second half at every time. What is filled in is wrong where observations are rare, and
//! what a gap does must be learned from gaps, where the Neural ODE has it from the calculus. Where all is
//! observed that advantage is gone. (Chen et al. 2018, NeurIPS, sec. 5.1; Rubanova, Chen & Duvenaud 2019, NeurIPS.)

mod lesson;

use flowmap::Result;
use flowmap::cells::{Kind, Layers};
use flowmap::dynamics::{Component, Field, Lift, Scalar, SmallField};
use flowmap::gradient::{Settings, gradient};
use flowmap::models::sequence::{
    Example, ModelTape, Readout, RecurrentEncoder, SequenceEncoder, SequenceModel, Target,
};
use flowmap::nn::{Activation, AdamW, Mlp, Schedule, clip_norm, fan_in_normal};
use flowmap::plot::{Line, LinesPanel, Look};
use flowmap::solve::{Options, Problem, map_parts, solve};
use flowmap::train::{SequenceTrainer, SequenceTraining};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[derive(Clone, Copy)]
pub enum System {
    Oscillator,
    LotkaVolterra,
}

impl SmallField<2, 0> for System {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [a, b]: [S; 2], []: [S; 0]) -> [S; 2] {
        match self {
            Self::Oscillator => [b, -a - b * S::of(0.1)],
            Self::LotkaVolterra => [a - a * b, a * b - b],
        }
    }
}

pub const MODELS: [&str; 3] = ["Neural ODE", "GRU on a filled grid", "GRU given the gaps"];
/// Training steps of each model.
pub const STEPS: usize = 1000;
const SERIES: usize = 16;
/// Grid points, and those of the first half.
const GRID: usize = 60;
const PAST: usize = 30;
const DT: f64 = 0.2;

/// One series: its states at all grid points, and which of these are observed, the first and the last always.
struct Series {
    states: Vec<[f64; 2]>,
    seen: Vec<usize>,
}

impl Series {
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

    /// Filled values up to `cut` and blanks after it; each step's target is the filled value of the next.
    fn on_grid(&self, cut: usize) -> Example<f64> {
        let past = self.filled(cut);
        let input = |k: usize| past.get(k).map_or([0.0; 3], |&[a, b]| [a, b, 1.0]);
        let inputs = (0..GRID - 1).flat_map(input).collect();
        Example { inputs, target: Target::Numbers(self.filled(GRID)[1..].concat()) }
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

fn draw(system: System, share: f64, rng: &mut ChaCha8Rng) -> Result<Vec<Series>> {
    let (low, high) = if matches!(system, System::Oscillator) { (-1.5, 1.5) } else { (0.5, 2.0) };
    let truth = Lift::<_, 2, 0>(system);
    let times: Vec<f64> = (0..GRID).map(|k| DT * k as f64).collect();
    let make = |_| {
        let starts = [rng.random_range(low..high), rng.random_range(low..high)];
        let problem = Problem { start_times: &[0.0], starts: &starts, row_ptr: &[0, GRID], times: &times };
        let states = solve(Field::with_time(&truth)?, &[], &problem, &Options::adaptive(1e-8, 1e-8))?.states;
        let seen = (0..GRID).filter(|&k| rng.random::<f64>() < share || k == 0 || k + 1 == GRID).collect();
        Ok(Series { states: states.chunks_exact(2).map(|y| [y[0], y[1]]).collect(), seen })
    };
    (0..2 * SERIES).map(make).collect()
}

/// The root mean square of forecast errors over the second half, from forecasts of all series one after another.
fn error(test: &[Series], forecasts: &[f64]) -> f64 {
    let truth: Vec<f64> = test.iter().flat_map(|s| s.states[PAST..].concat()).collect();
    let mean = |x: &mut dyn Iterator<Item = f64>| x.sum::<f64>() / truth.len() as f64;
    mean(&mut truth.iter().zip(forecasts).map(|(a, b)| (a - b).powi(2))).sqrt()
}

fn neural_ode(train: &[Series], test: &[Series], steps: usize, rng: &mut ChaCha8Rng) -> Result<f64> {
    let net = Mlp::new(&[2, 32, 2], Activation::Tanh, Activation::Identity)?;
    let mut params: Vec<f64> = fan_in_normal(&Component::<f64>::params(&net, ""), 0.5, rng);
    let (field, options) = (Field::autonomous(&net)?, Options::adaptive(1e-4, 1e-4));
    let (mut adam, schedule) =
        (AdamW::new(params.len(), 0.0), Schedule { peak: 0.02, warmup: 20, total: steps, floor: 0.02 });
    let problem = |windows: &[(usize, Vec<usize>)], of: &[Series]| {
        let (mut begins, mut starts, mut row_ptr, mut times) = (Vec::new(), Vec::new(), vec![0], Vec::new());
        for ((first, rows), series) in windows.iter().zip(of) {
            begins.push(DT * *first as f64);
            starts.extend(series.states[*first]);
            times.extend(rows.iter().map(|&k| DT * k as f64));
            row_ptr.push(times.len());
        }
        (begins, starts, row_ptr, times)
    };
    for step in 0..steps {
        // Short windows first: the next observation, and all within a time that grows.
        let reach = 2 + (PAST - 2) * (2 * step).min(steps) / steps;
        let window = |series: &Series| {
            let at = rng.random_range(0..series.seen.len() - 1);
            let first = series.seen[at];
            let ahead = series.seen[at + 1..].iter().enumerate();
            (first, ahead.filter(|&(k, &s)| k == 0 || s <= first + reach).map(|(_, &s)| s).collect::<Vec<_>>())
        };
        let windows: Vec<_> = train.iter().map(window).collect();
        let (begins, starts, row_ptr, times) = problem(&windows, train);
        let problem = Problem { start_times: &begins, starts: &starts, row_ptr: &row_ptr, times: &times };
        let scale = 1.0 / (2 * times.len()) as f64;
        let mut g = gradient(field, &params, &problem, &options, &Settings::default(), |s, states, bar| {
            let seen = windows[s].1.iter().flat_map(|&k| train[s].states[k]);
            states.iter().zip(seen).zip(bar).fold(0.0, |sum, ((y, seen), bar)| {
                *bar = 2.0 * scale * (y - seen);
                sum + scale * (y - seen).powi(2)
            })
        })?;
        clip_norm(&mut g.params, 1.0);
        adam.step(&mut params, &g.params, schedule.rate(step), |_| false);
    }
    let windows: Vec<_> = test.iter().map(|s| (s.seen[s.past() - 1], (PAST..GRID).collect())).collect();
    let (begins, starts, row_ptr, times) = problem(&windows, test);
    let problem = Problem { start_times: &begins, starts: &starts, row_ptr: &row_ptr, times: &times };
    Ok(error(test, &solve(field, &params, &problem, &options)?.states))
}

/// A GRU trained on batches of examples, and what it says of others: two numbers for each last step they ask for.
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
    let schedule = Schedule { peak: 0.02, warmup: 20, total: steps, floor: 0.02 };
    let training = SequenceTraining { schedule, clip: 1.0, weight_decay: 0.0, part: SERIES, growth: None, seed: 0 };
    let mut trainer = SequenceTrainer::new(&model, params, training)?;
    for _ in 0..steps {
        let batch = batch(rng);
        trainer.step(&batch.iter().collect::<Vec<_>>())?;
    }
    let inputs: Vec<&[f64]> = ask.iter().map(|example| &example.inputs[..]).collect();
    model.predict(trainer.params(), &inputs, &mut ModelTape::default())
}

/// Root mean square forecast errors of the three models, by one seed.
pub fn errors(system: System, share: f64, steps: usize, seed: u64) -> Result<[f64; 3]> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let all = draw(system, share, &mut rng)?;
    let (train, test) = all.split_at(SERIES);
    let ode = neural_ode(train, test, steps, &mut rng)?;
    let cut = |series: &Series, rng: &mut ChaCha8Rng| series.on_grid(rng.random_range(PAST / 2..PAST + PAST / 2));
    let ask: Vec<_> = test.iter().map(|series| series.on_grid(PAST)).collect();
    let batch = |rng: &mut ChaCha8Rng| train.iter().map(|series| cut(series, rng)).collect();
    let filled = gru(Readout::EveryStep, steps, &mut rng, batch, &ask)?;
    let filled: Vec<f64> = filled.iter().flat_map(|said| said[2 * (PAST - 1)..].to_vec()).collect();
    let jump = |series: &Series, rng: &mut ChaCha8Rng| {
        let count = rng.random_range(1..series.seen.len());
        series.with_gaps(count, series.seen[rng.random_range(count..series.seen.len())])
    };
    let ask: Vec<_> = test.iter().flat_map(|s| (PAST..GRID).map(|k| s.with_gaps(s.past(), k))).collect();
    let batch = |rng: &mut ChaCha8Rng| train.iter().chain(train).map(|series| jump(series, rng)).collect();
    let gaps = gru(Readout::Last, steps, &mut rng, batch, &ask)?.concat();
    Ok([ode, error(test, &filled), error(test, &gaps)])
}

fn main() -> Result<()> {
    let (steps, seeds) = if lesson::quick() { (20, 2) } else { (STEPS, 5) };
    let shares = [1.0, 0.5, 0.2, 0.1];
    let mut panels = Vec::new();
    println!("root mean square forecast error: mean of {seeds} seeds (smallest to largest)");
    for (system, name) in [(System::Oscillator, "damped oscillator"), (System::LotkaVolterra, "Lotka–Volterra")] {
        println!("{name:<18} {:^26} {:^26} {:^26}", MODELS[0], MODELS[1], MODELS[2]);
        let mut lines = MODELS.map(|model| Line::solid(model, Vec::new(), Vec::new()));
        let mut marks = lines.clone().map(|line| line.look(Look::Marks));
        for share in shares {
            print!("{:>12} % seen", 100.0 * share);
            let all = map_parts(seeds, 1, |seed| errors(system, share, steps, seed.start as u64));
            let all = all.into_iter().collect::<Result<Vec<_>>>()?;
            for k in 0..3 {
                let of: Vec<f64> = all.iter().map(|errors| errors[k]).collect();
                let mean = of.iter().sum::<f64>() / seeds as f64;
                let (low, high) = of.iter().fold((mean, mean), |(a, b), &x| (a.min(x), b.max(x)));
                print!(" {mean:>10.4} ({low:.4}–{high:.4})");
                lines[k].x.push(100.0 * share);
                lines[k].y.push(mean);
                marks[k].x.extend(of.iter().map(|_| 100.0 * share));
                marks[k].y.extend(of);
            }
            println!();
        }
        panels.push(LinesPanel {
            x: "share of the grid observed (%)".into(),
            y: format!("forecast error, {name} (lines: mean, marks: seeds)"),
            logarithmic: true,
            logarithmic_x: true,
            lines: lines.into_iter().chain(marks).collect(),
            ..LinesPanel::default()
        });
    }
    lesson::figure("irregular_times", "Irregular times", panels)
}
