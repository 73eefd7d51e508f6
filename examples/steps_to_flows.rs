//! From steps to flows.
//!
//! A residual recurrent net `h ← h + f(h)/n`, run for `n` steps, is explicit Euler on the Neural ODE `h' = f(h)`: as `n`
//! grows its states approach the flow's at first order, and so do the gradients of a loss by its weights. (Chen et al. 2018,
//! NeurIPS, sec. 1; Haber & Ruthotto 2017, Inverse Problems 34, 014004.)

mod lesson;

use flowmap::Result;
use flowmap::dynamics::{Component, Field};
use flowmap::gradient::{Settings, gradient};
use flowmap::nn::{Activation, Mlp, fan_in_normal};
use flowmap::plot::{Line, LinesPanel, Look};
use flowmap::solve::{EULER, Options, Problem, solve};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub const STEPS: [usize; 6] = [16, 32, 64, 128, 256, 512];

/// Errors of the residual net's state and gradient by its number of steps, against the flow's.
pub fn errors() -> Result<Vec<[f64; 2]>> {
    let net = Mlp::new(&[3, 16, 3], Activation::Tanh, Activation::Identity)?;
    let specs = Component::<f64>::params(&net, "");
    let params: Vec<f64> = fan_in_normal(&specs, 1.5, &mut ChaCha8Rng::seed_from_u64(5));
    let field = Field::autonomous(&net)?;
    let problem = Problem { start_times: &[0.0], starts: &[1.0, -0.5, 0.3], row_ptr: &[0, 1], times: &[1.0] };
    // The state at the end, and the gradient of half its square.
    let run = |options: &Options| -> Result<(Vec<f64>, Vec<f64>)> {
        let passed = gradient(field, &params, &problem, options, &Settings::default(), |_, y, bar| {
            bar.copy_from_slice(y);
            0.5 * y.iter().map(|y| y * y).sum::<f64>()
        })?;
        Ok((solve(field, &params, &problem, options)?.states, passed.params))
    };
    let flow = run(&Options::adaptive(1e-11, 1e-11))?;
    let off = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let error = |&n: &usize| {
        let (state, gradient) = run(&Options::fixed(&EULER, 1.0 / n as f64))?;
        Ok([off(&state, &flow.0), off(&gradient, &flow.1)])
    };
    STEPS.iter().map(error).collect()
}

/// The order that the last two errors tell.
pub fn orders(errors: &[[f64; 2]]) -> [f64; 2] {
    let [.., before, last] = errors else { return [f64::NAN; 2] };
    [0, 1].map(|k| (before[k] / last[k]).log2())
}

fn main() -> Result<()> {
    let errors = errors()?;
    println!("{:>6} {:>16} {:>18}", "steps", "error of state", "error of gradient");
    STEPS.iter().zip(&errors).for_each(|(n, [state, gradient])| println!("{n:>6} {state:>16.3e} {gradient:>18.3e}"));
    let [state, gradient] = orders(&errors);
    println!("order {state:>17.3} {gradient:>18.3}");
    let steps: Vec<f64> = STEPS.iter().map(|&n| n as f64).collect();
    let of = |k: usize| errors.iter().map(|e| e[k]).collect::<Vec<f64>>();
    let first: Vec<f64> = steps.iter().map(|n| errors[0][0] * steps[0] / n).collect();
    let lines = vec![
        Line::solid("state", steps.clone(), of(0)),
        Line::solid("gradient by the weights", steps.clone(), of(1)),
        Line::solid("first order", steps.clone(), first).look(Look::Truth),
    ];
    let panel = LinesPanel {
        x: "steps of the residual net".into(),
        y: "distance from the flow".into(),
        logarithmic: true,
        logarithmic_x: true,
        lines,
        ..LinesPanel::default()
    };
    lesson::figure("steps_to_flows", "From steps to flows", vec![panel])
}
