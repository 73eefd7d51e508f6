//! From steps to flows.
//!
//! A residual recurrent net `h ← h + f(h)/n`, run for `n` steps with the same weights, is explicit Euler on the Neural ODE
//! `h' = f(h)`: as `n` grows its last state approaches the flow's at first order, and so does the gradient of a loss by its
//! weights. The net's cell is put together from the library's parts, a dense net, a factor and the identity, and trained as
//! any cell is; the flow's gradient comes from an adaptive solver. (Chen et al. 2018, NeurIPS, sec. 1; Haber & Ruthotto
//! 2017, Inverse Problems 34, 014004.)

mod lesson;

use flowmap::Result;
use flowmap::cells::{Along, Cotangents, MapCell, Ragged, SequenceTape};
use flowmap::dynamics::{Chain, Component, Field, Identity, Sum};
use flowmap::gradient::{Settings, gradient};
use flowmap::nn::{Activation, Gain, Mlp, fan_in_normal};
use flowmap::plot::{Line, LinesPanel, Look};
use flowmap::solve::{Options, Problem, solve};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub const STEPS: [usize; 6] = [16, 32, 64, 128, 256, 512];
const START: [f64; 3] = [1.0, -0.5, 0.3];

/// The last state of the residual net of `n` steps, and the gradient of half its square by the weights.
fn residual(net: &Mlp, weights: &[f64], n: usize) -> Result<[Vec<f64>; 2]> {
    let cell = MapCell(Sum::new::<f64>(Identity(3), Chain::new::<f64>(net.clone(), Gain(3))?)?);
    let params = [weights, &[1.0 / n as f64]].concat();
    let (ragged, mut tape, mut bar) = (Ragged::new(&[n]), SequenceTape::default(), vec![0.0; params.len()]);
    tape.run(&cell, &params, &Along { ragged: &ragged, inputs: &[], start: Some(&START) }, false)?;
    let last = tape.last().to_vec();
    let cotangents = Cotangents { last: Some(&last), ..Cotangents::default() };
    tape.pull(&cell, &params, &ragged, &cotangents, false, &mut bar);
    Ok([last, bar[..weights.len()].to_vec()])
}

/// The same of the flow, from time 0 to 1.
fn flow(net: &Mlp, weights: &[f64]) -> Result<[Vec<f64>; 2]> {
    let (field, options) = (Field::autonomous(net)?, Options::adaptive(1e-11, 1e-11));
    let problem = Problem { start_times: &[0.0], starts: &START, row_ptr: &[0, 1], times: &[1.0] };
    let passed = gradient(field, weights, &problem, &options, &Settings::default(), |_, y, bar| {
        bar.copy_from_slice(y);
        0.5 * y.iter().map(|y| y * y).sum::<f64>()
    })?;
    Ok([solve(field, weights, &problem, &options)?.states, passed.params])
}

/// Distances of the residual net's state and gradient from the flow's by its number of steps, as shares of the flow's.
pub fn errors() -> Result<Vec<[f64; 2]>> {
    let net = Mlp::new(&[3, 16, 3], Activation::Tanh, Activation::Identity)?;
    let specs = Component::<f64>::params(&net, "");
    let weights: Vec<f64> = fan_in_normal(&specs, 1.5, &mut ChaCha8Rng::seed_from_u64(5));
    let flow = flow(&net, &weights)?;
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let off = |a: &[f64], b: &[f64]| norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied());
    let error = |&n: &usize| {
        let steps = residual(&net, &weights, n)?;
        Ok([0, 1].map(|k| off(&steps[k], &flow[k])))
    };
    STEPS.iter().map(error).collect()
}

/// The orders that each two neighbouring errors tell.
pub fn orders(errors: &[[f64; 2]]) -> Vec<[f64; 2]> {
    errors.windows(2).map(|pair| [0, 1].map(|k| (pair[0][k] / pair[1][k]).log2())).collect()
}

fn main() -> Result<()> {
    let errors = errors()?;
    let orders = orders(&errors);
    println!("{:>6} {:>16} {:>8} {:>18} {:>8}", "steps", "error of state", "order", "error of gradient", "order");
    for (k, (n, [state, gradient])) in STEPS.iter().zip(&errors).enumerate() {
        let order = |which: usize| k.checked_sub(1).map_or(String::new(), |k| format!("{:.3}", orders[k][which]));
        println!("{n:>6} {state:>16.3e} {:>8} {gradient:>18.3e} {:>8}", order(0), order(1));
    }
    let steps: Vec<f64> = STEPS.iter().map(|&n| n as f64).collect();
    let mut lines = Vec::new();
    for (k, name) in ["last state", "gradient by the weights"].into_iter().enumerate() {
        let first = steps.iter().map(|n| errors[STEPS.len() - 1][k] * steps[STEPS.len() - 1] / n).collect();
        lines.push(Line::solid("first order: 1/n", steps.clone(), first).look(Look::Truth));
        lines.push(Line::solid(name, steps.clone(), errors.iter().map(|e| e[k]).collect()));
    }
    let (x, y) = ("steps n of the residual net", "distance from the flow (share of the flow's size)");
    let panel = LinesPanel { logarithmic: true, logarithmic_x: true, ..lesson::panel(x, y, lines) };
    lesson::figure("steps_to_flows", "From steps to flows", vec![panel])
}
