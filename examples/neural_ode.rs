//! A Neural ODE from data to a trained model in seconds: 256 noise-free trajectories of a nonlinear oscillator.
//!
//! The task, network and schedule of diffrax's `neural_ode` example (Kidger 2021, *On neural differential equations*): a
//! network of two hidden layers of 64 units, softplus inside and tanh at the end, times a learned scalar; Tsit5 at rtol
//! 1e-3; AdaBelief at 3e-3 with batches of 32; 500 steps on the first tenth of each trajectory, then on the whole, here for
//! 1,500 steps. The short horizon first keeps training from settling on the mean. Look at how the loss rises when the horizon grows, and
//! falls again.

use flowmap::dynamics::{Chain, Component, Field, Lift, Scalar, SmallField};
use flowmap::gradient::{Settings, gradient};
use flowmap::nn::{Activation, AdaBelief, Gain, Mlp, fan_in_uniform};
use flowmap::solve::{Options, Problem, solve};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

struct Oscillator;
impl SmallField<2, 0> for Oscillator {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [a, b]: [S; 2], []: [S; 0]) -> [S; 2] {
        let x = |y: S| y / (S::of(1.0) + y);
        [x(b), -x(a)]
    }
}

const SERIES: usize = 256;
const BATCH: usize = 32;

fn main() -> flowmap::Result<()> {
    let begun = std::time::Instant::now();
    let quick = std::env::var_os("FLOWMAP_QUICK").is_some();
    let mut rng = ChaCha8Rng::seed_from_u64(5678);
    let times: Vec<f64> = (0..100).map(|k| 10.0 * f64::from(k) / 99.0).collect();
    let starts: Vec<f64> = (0..2 * SERIES).map(|_| rng.random_range(-0.6..1.0)).collect();
    let problem = |starts: &[f64], rows: usize| {
        let count = starts.len() / 2;
        (vec![0.0; count], (0..=count).map(|s| s * rows).collect::<Vec<_>>(), times[..rows].repeat(count))
    };
    let (begins, row_ptr, all_times) = problem(&starts, 100);
    let truth = Lift::<_, 2, 0>(Oscillator);
    let whole = Problem { start_times: &begins, starts: &starts, row_ptr: &row_ptr, times: &all_times };
    let data = solve(Field::with_time(&truth)?, &[], &whole, &Options::adaptive(1e-6, 1e-9))?.states;

    let net = Chain::new::<f64>(Mlp::new(&[2, 64, 64, 2], Activation::Softplus, Activation::Tanh)?, Gain(2))?;
    let mut params: Vec<f64> = fan_in_uniform(&Component::<f64>::params(&net, ""), 1.0, &mut rng);
    // The gain, which comes last.
    if let Some(gain) = params.last_mut() {
        *gain = 1.0;
    }
    let (field, options) = (Field::autonomous(&net)?, Options::adaptive(1e-3, 1e-6));
    let loss_of = |params: &[f64], chosen: &[usize], rows: usize| {
        let of = |s: &usize| starts[2 * s..2 * s + 2].iter().copied();
        let starts: Vec<f64> = chosen.iter().flat_map(of).collect();
        let (begins, row_ptr, times) = problem(&starts, rows);
        let batch = Problem { start_times: &begins, starts: &starts, row_ptr: &row_ptr, times: &times };
        let scale = 1.0 / (2 * rows * chosen.len()) as f64;
        gradient(field, params, &batch, &options, &Settings::default(), |s, states, bar| {
            let seen = &data[200 * chosen[s]..][..2 * rows];
            states.iter().zip(seen).zip(bar).fold(0.0, |sum, ((y, seen), bar)| {
                *bar = 2.0 * scale * (y - seen);
                sum + scale * (y - seen).powi(2)
            })
        })
    };

    println!("{:>5} {:>8} {:>10} {:>8}", "rows", "step", "loss", "s");
    let mut order: Vec<usize> = (0..SERIES).collect();
    for (rows, steps) in [(10, 500), (100, 1500)] {
        let mut optimizer = AdaBelief::new(params.len());
        for step in 0..if quick { 20 } else { steps } {
            let batch = step * BATCH % SERIES;
            if batch == 0 {
                order.shuffle(&mut rng);
            }
            let g = loss_of(&params, &order[batch..batch + BATCH], rows)?;
            optimizer.step(&mut params, &g.params, 3e-3);
            if (step + 1) % 100 == 0 {
                println!("{rows:>5} {:>8} {:>10.5} {:>8.2}", step + 1, g.loss, begun.elapsed().as_secs_f64());
            }
        }
    }
    let all = loss_of(&params, &(0..SERIES).collect::<Vec<_>>(), 100)?;
    println!("mean squared error over all data {:.5}, {:.2} s in all", all.loss, begun.elapsed().as_secs_f64());
    Ok(())
}
