//! Has a fitted Neural ODE the chaos of what it was fitted to? A net is fitted to 5,000 points of a Lorenz 63 trajectory
//! (noise-free, 0.02 apart), and its own Lyapunov exponents and Kaplan–Yorke dimension stand beside those of the system.
//!
//! The fit sees windows of four steps only: longer ones say the same, as errors grow by e^0.9 a unit of time anyway. What
//! is measured afterwards is not in the loss at all (Vlachas et al. 2020, Neural Netw. 126, 191–217, sec. 6, compare nets
//! by it).

use flowmap::analysis::{Run, SpectrumOptions, Stepped, near};
use flowmap::dynamics::systems::{self, system};
use flowmap::dynamics::{Component, Field};
use flowmap::gradient::{Settings, gradient};
use flowmap::nn::{Activation, AdamW, Mlp, Schedule, clip_norm, fan_in_normal};
use flowmap::solve::{Options, Problem, RK4, StepMap, solve};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const POINTS: usize = 5000;
const DT: f64 = 0.02;
/// The net's unit of time, in which its field is of order one.
const UNIT: f64 = 0.1;
const WINDOW: usize = 4;
const BATCH: usize = 128;

fn main() -> flowmap::Result<()> {
    let quick = std::env::var_os("FLOWMAP_QUICK").is_some();
    let lorenz = system("lorenz63")?.build(&systems::Settings::default())?;
    let times: Vec<f64> = (0..POINTS).map(|i| 20.0 + DT * i as f64).collect();
    let problem = Problem { start_times: &[0.0], starts: &lorenz.start, row_ptr: &[0, POINTS], times: &times };
    let truth = solve(lorenz.field()?, &lorenz.params, &problem, &Options::adaptive(1e-9, 1e-9))?;
    let data = scaled(&truth.states);

    let net = Mlp::new(&[3, 64, 64, 3], Activation::Tanh, Activation::Identity)?;
    let field = Field::autonomous(&net)?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut params: Vec<f64> = fan_in_normal(&Component::<f64>::params(&net, ""), 1.0, &mut rng);
    let (mut adam, options) = (AdamW::new(params.len(), 0.0), Options::fixed(&RK4, DT / UNIT));
    let steps = if quick { 30 } else { 12_000 };
    let schedule = Schedule { peak: 0.01, warmup: 50, total: steps, floor: 0.002 };
    let row_ptr: Vec<usize> = (0..=BATCH).map(|s| s * WINDOW).collect();
    let times: Vec<f64> = (0..BATCH * WINDOW).map(|i| (i % WINDOW + 1) as f64 * DT / UNIT).collect();
    println!("{:>6} {:>14}", "step", "mean square");
    for step in 0..steps {
        let first: Vec<usize> = (0..BATCH).map(|_| rng.random_range(0..POINTS - WINDOW)).collect();
        let starts: Vec<f64> = first.iter().flat_map(|i| data[3 * i..3 * i + 3].to_vec()).collect();
        let problem = Problem { start_times: &[0.0; BATCH], starts: &starts, row_ptr: &row_ptr, times: &times };
        let mut g = gradient(field, &params, &problem, &options, &Settings::default(), |s, states, bar| {
            let target = &data[3 * (first[s] + 1)..][..3 * WINDOW];
            bar.iter_mut().zip(states).zip(target).for_each(|((b, y), t)| *b = 2.0 * (y - t));
            states.iter().zip(target).map(|(y, t)| (y - t) * (y - t)).sum()
        })?;
        clip_norm(&mut g.params, 100.0);
        if step % (steps / 6) == 0 || step + 1 == steps {
            println!("{step:>6} {:>14.3e}", g.loss / (3 * BATCH * WINDOW) as f64);
        }
        adam.step(&mut params, &g.params, schedule.rate(step), |_| false);
    }

    let h = 0.01 / UNIT;
    let map = StepMap::new(field, &RK4, h)?;
    let mut own = Stepped::timed(&map, &params, h);
    own.clock.unit = UNIT;
    let starts = near(&data[3 * (POINTS - 1)..], 2, 0);
    let count = if quick { 2_000 } else { 100_000 };
    let spectrum = Run::new(&own, &starts, SpectrumOptions::new(count / 20, count))?.finish()?;
    println!("\n{:>20} {:>9} {:>9} {:>9} {:>10}", "", "first", "second", "third", "dimension");
    let row =
        |name: &str, x: &[f64], d: f64| println!("{name:>20} {:>9.4} {:>9.4} {:>9.4} {d:>10.4}", x[0], x[1], x[2]);
    let known: Vec<f64> = lorenz.system.references[0].exponents.iter().map(|e| e.value).collect();
    row("Lorenz 63", &known, lorenz.system.references[0].dimension.unwrap_or(f64::NAN));
    row("fitted Neural ODE", &spectrum.exponents, spectrum.kaplan_yorke()?);
    row("its standard errors", &spectrum.standard_errors, spectrum.kaplan_yorke_error().unwrap_or(f64::NAN));
    Ok(())
}

/// Each channel less its mean, over its standard deviation.
fn scaled(states: &[f64]) -> Vec<f64> {
    let rows = (states.len() / 3) as f64;
    let column = |c: usize| states.iter().skip(c).step_by(3);
    let mean: Vec<f64> = (0..3).map(|c| column(c).sum::<f64>() / rows).collect();
    let deviation = |c: usize| (column(c).map(|x| (x - mean[c]).powi(2)).sum::<f64>() / rows).sqrt();
    let deviation: Vec<f64> = (0..3).map(deviation).collect();
    states.iter().enumerate().map(|(i, x)| (x - mean[i % 3]) / deviation[i % 3]).collect()
}
