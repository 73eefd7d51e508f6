//! Training explodes for the same reason.
//!
//! Gradient descent is explicit Euler on the gradient flow `θ' = −∇L(θ)`, its learning rate the step. So the same functions as
//! in the lesson on the pendulum find a minimum, the eigenvalues of the flow there, which are the negative curvatures, and
//! from them the largest rate, 2 over the largest curvature: for a quadratic, and for a recurrent net of two units that is
//! trained by backpropagation through time. Both limits are measured on descents too. Above it a descent leaves the minimum
//! however near to it it began; a little above, the net's is caught in a cycle round it, far above it explodes as the
//! quadratic's does. Clipping the gradient's norm makes the flow one with a largest speed, and so a step one with a largest
//! length, rate times clip: what would explode stays within two such steps of the minimum. (LeCun, Simard &
//! Pearlmutter 1993, NeurIPS; Pascanu, Mikolov & Bengio 2013, ICML, sec. 3.2; Cohen et al. 2021, ICLR.)

mod lesson;
#[path = "lesson/losses.rs"]
pub mod losses;

use flowmap::analysis::rest::{RestPoint, Resting};
use flowmap::analysis::stability::{Around, Course, follow, measured_limit, predicted_limit};
use flowmap::dynamics::{Field, Lift, SmallField};
use flowmap::plot::{Line, LinesPanel};
use flowmap::solve::EULER;
use flowmap::{Error, Result};
use losses::{Clipped, Quadratic, SmallNet};

/// The minimum that gradient descent comes near to, and Newton's method to.
pub fn minimum<F: SmallField<N, 0>, const N: usize>(loss: F) -> Result<RestPoint> {
    let flow = Lift::<_, N, 0>(loss);
    let field = Field::with_time(&flow)?;
    let start: [f64; N] = std::array::from_fn(|i| (0.7 * i as f64 + 0.3).sin());
    let course = Course { start: &start, time: 0.0, span: 0.0, tolerance: &[] };
    let states = follow(field, &[], &EULER, course, 0.05, 5_000)?;
    let starts = [start.to_vec(), states[states.len() - N..].to_vec()];
    let mut found = Resting::flow(field, &[], 0.0)?.search(&starts)?;
    let none = || Error::config("no minimum was found", "descend from another start");
    found.points.pop().filter(|point| point.nature.attracts()).ok_or_else(none)
}

/// The largest rate that keeps to a minimum: predicted from the curvatures there, and measured to a relative precision in so
/// many steps.
pub fn limits<F: SmallField<N, 0>, const N: usize>(
    loss: F,
    minimum: &RestPoint,
    precision: (f64, u64),
) -> Result<[f64; 2]> {
    let flow = Lift::<_, N, 0>(loss);
    let curvature = minimum.eigenvalues.iter().map(|z| z.norm()).fold(0.0, f64::max);
    let predicted = predicted_limit(&EULER, &minimum.eigenvalues);
    let around = Around { state: &minimum.state, towards: &[1.0; N], fastest: curvature };
    Ok([predicted, measured_limit(Field::with_time(&flow)?, &[], &EULER, around, predicted, precision)?])
}

/// Distances from the minimum along 200 steps of gradient descent that begin 1/1000 away from it, and the longest step.
pub fn descend<F: SmallField<N, 0>, const N: usize>(
    loss: F,
    minimum: &RestPoint,
    rate: f64,
    clip: f64,
) -> Result<(Vec<f64>, f64)> {
    let flow = Lift::<_, N, 0>(Clipped(loss, clip));
    let mut start = minimum.state.clone();
    start[0] += 1e-3;
    let course = Course { start: &start, time: 0.0, span: 200.0 * rate, tolerance: &[] };
    let states = follow(Field::with_time(&flow)?, &[], &EULER, course, rate, 200)?;
    let states = [start.clone(), states].concat();
    let length = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let steps = states.chunks_exact(N).zip(states[N..].chunks_exact(N)).map(|(a, b)| length(a, b));
    let longest = steps.fold(0.0, f64::max);
    Ok((states.chunks_exact(N).map(|state| length(state, &minimum.state)).collect(), longest))
}

/// The largest norm of a clipped gradient.
pub const CLIP: f64 = 0.01;

/// Prints a loss's limits and makes the panel of its descents.
fn show<F: SmallField<N, 0> + Copy, const N: usize>(loss: F, name: &str, precision: (f64, u64)) -> Result<LinesPanel> {
    let minimum = minimum::<F, N>(loss)?;
    let [predicted, measured] = limits::<F, N>(loss, &minimum, precision)?;
    println!("{name:<24} largest stable rate: predicted {predicted:.10}, measured {measured:.10}");
    let mut lines = Vec::new();
    let free = f64::INFINITY;
    let runs = [("0.9 times the limit", 0.9, free), ("1.2 times", 1.2, free), ("3 times", 3.0, free)];
    for (run, factor, clip) in runs.into_iter().chain([("3 times, gradient clipped to 0.01", 3.0, CLIP)]) {
        let (distances, longest) = descend::<F, N>(loss, &minimum, factor * predicted, clip)?;
        let end = distances[distances.len() - 1];
        println!("  {run:<38} distance from the minimum at the end {end:>10.3e}, longest step {longest:>10.3e}");
        lines.push(Line::solid(run, (0..distances.len()).map(|k| k as f64).collect(), distances));
    }
    let (x, y) = ("step of gradient descent".into(), format!("{name}: distance from the minimum"));
    Ok(LinesPanel { x, y, logarithmic: true, shown: Some([1e-9, 1e3]), lines, ..LinesPanel::default() })
}

fn main() -> Result<()> {
    let quick = lesson::quick();
    let quadratic = show::<_, 3>(Quadratic, "quadratic", if quick { (1e-6, 100) } else { (1e-10, 1_000) })?;
    let net = show::<_, 8>(SmallNet::of_waves(), "recurrent net", if quick { (1e-4, 100) } else { (1e-8, 400) })?;
    lesson::figure("training_explodes", "Training explodes for the same reason", vec![quadratic, net])
}
