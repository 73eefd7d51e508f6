//! The longest stable step, measured on trajectories of the numerical map near a point of rest.

use super::predicted::{MOST, bisect};
use super::step_map;
use crate::analysis::{Frame, Stepped, Walk};
use crate::dynamics::{Component, Field};
use crate::solve::Tableau;
use crate::{Error, Result};
use nalgebra::DMatrix;

/// The shortest step that is tried, as a share of the first.
const LEAST: f64 = 1e-6;
/// Displacement that a trajectory starts with, relative to the size of the state: with one to either side, small enough to
/// be linear to twelve digits, and large enough to keep eight of rounding.
const DISPLACED: f64 = 3e-7;
/// What is left of that linearity's error, and what rounding takes, in units of ε times the state over the displacement.
const BEYOND_LINEAR: f64 = 1e-12;
const ROUNDING: f64 = 16.0;
/// A displacement is followed no further once it is so many times larger: it would not be small any more.
const GROWN: f64 = 100.0;
/// States up to which the system itself is followed, from a start to either side of rest along every axis; beyond that it
/// would take an implicit method too long, and its tangents are followed in place of it.
const MOST_STARTS: usize = 16;
/// Squarings before a response counts as neither growing nor dying out.
const SQUARINGS: usize = 60;

/// A point of rest that limits are measured at, and the size of displacements from it.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The point.
    pub state: &'a [f64],
    /// A state as far from it as trajectories go, such as their start.
    pub towards: &'a [f64],
    /// The largest size of an eigenvalue there.
    pub fastest: f64,
}

/// The step up to which small displacements from a point of rest die out, by bisection on trajectories of the numerical map
/// to a relative precision; infinite where they die out at any step that was tried, 0 where at none.
///
/// The search begins at `guess`, such as the predicted limit; without one (if it is not positive and finite) at some steps
/// far apart. At each step the map is followed from small displacements along every axis, until they are a hundred times
/// larger or for `most_steps`; so small, what becomes of a displacement is linear in it, and what comes later follows from
/// where the axes went: by squaring, over 2⁶⁰ times as many steps. So transient growth, turning and modes that hardly
/// change are told from growth that lasts. Of systems of more than 16 states the tangents are followed, which is the same
/// to first order.
///
/// Growth of `e` a step is told from none if `e` is more than some `10⁻⁸ / most_steps`, or `10⁻¹² / most_steps` about zero.
/// Costs some forty times `most_steps` steps of two trajectories a state, and as many times up to sixty matrix products.
///
/// # Errors
/// If the method cannot step the field, or the states are not of its size.
pub fn measured_limit(
    field: Field<f64>,
    params: &[f64],
    method: &Tableau,
    around: Around,
    guess: f64,
    (precision, most_steps): (f64, u64),
) -> Result<f64> {
    for state in [around.state, around.towards] {
        if state.len() != field.state_dim() {
            return Err(Error::shape("a state at or near rest", field.state_dim(), state.len()));
        }
    }
    if around.fastest == 0.0 || !around.fastest.is_finite() {
        return Ok(f64::INFINITY);
    }
    step_map(field, method, 1.0)?;
    let stable = |step: f64| {
        let Ok(map) = step_map(field, method, step) else { return false };
        dies_out(&*map, params, around, most_steps)
    };
    let guessed = guess > 0.0 && guess.is_finite();
    let (first, factor) = if guessed { (0.5 * guess, 1.5) } else { (1.0 / around.fastest, 10.0) };
    let mut safe = first;
    while !stable(safe) {
        safe *= 0.5;
        if safe < LEAST * first {
            return Ok(0.0);
        }
    }
    loop {
        let next = factor * safe;
        if next * around.fastest > MOST {
            return Ok(f64::INFINITY);
        }
        if !stable(next) {
            return Ok(bisect(safe, next, precision, stable));
        }
        safe = next;
    }
}

/// Whether small displacements become smaller in the end, or no larger as far as can be seen.
fn dies_out(map: &dyn Component<f64>, params: &[f64], around: Around, most_steps: u64) -> bool {
    let response = if around.state.len() <= MOST_STARTS {
        displaced(map, params, around, most_steps)
    } else {
        let stepped = Stepped::timed(map, params, 1.0);
        let walk = Walk::new(&stepped, &[around.state.to_vec()], 0, around.state.len(), Frame::Identity, 0);
        walk.ok().map(|walk| (followed(walk, most_steps, tangents), BEYOND_LINEAR))
    };
    response.is_some_and(|(response, noise)| contracts(response * (1.0 - noise)))
}

/// Where displacements along the axes go, in units of what they began with, and how much of that may be error.
fn displaced(map: &dyn Component<f64>, params: &[f64], around: Around, most_steps: u64) -> Option<(DMatrix<f64>, f64)> {
    let (rest, dim) = (around.state, around.state.len());
    let far = around.towards.iter().zip(rest).fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()));
    let large = rest.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let size = if far.max(large) > 0.0 { far.max(large) } else { 1.0 };
    let delta = DISPLACED * size;
    let start = |s: usize| {
        let mut start = rest.to_vec();
        start[s / 2] += if s.is_multiple_of(2) { delta } else { -delta };
        start
    };
    let starts: Vec<Vec<f64>> = (0..2 * dim).map(start).collect();
    let stepped = Stepped::timed(map, params, 1.0);
    let walk = Walk::new(&stepped, &starts, 0, 0, Frame::Identity, 0).ok()?;
    let responses = |walk: &Walk<f64>| {
        let states = walk.state().data;
        let entry =
            |i: usize, j: usize| (states[i * 2 * dim + 2 * j] - states[i * 2 * dim + 2 * j + 1]) / (2.0 * delta);
        DMatrix::from_fn(dim, dim, entry)
    };
    let noise = BEYOND_LINEAR + ROUNDING * f64::EPSILON * large / delta;
    Some((followed(walk, most_steps, responses), noise))
}

fn tangents(walk: &Walk<f64>) -> DMatrix<f64> {
    let frame = walk.frame();
    DMatrix::from_row_slice(frame.rows(), frame.lanes, frame.data)
}

/// The response to displacements after as many steps as they stay small, or are no longer to be told from nothing.
fn followed(mut walk: Walk<f64>, most_steps: u64, response: impl Fn(&Walk<f64>) -> DMatrix<f64>) -> DMatrix<f64> {
    loop {
        walk.advance(1);
        let now = response(&walk);
        let size = now.norm();
        if walk.step() >= most_steps || size < 0.5 || size.is_nan() || size > GROWN {
            return now;
        }
    }
}

/// Whether the powers of a matrix tend to zero. A power of norm below 1 shows that they do, one whose trace is above the
/// dimension that they do not; if neither comes, they stay as they are to rounding, and it is false.
fn contracts(mut power: DMatrix<f64>) -> bool {
    let dim = power.nrows() as f64;
    // The power is `e^log` times the matrix, which has norm 1: nothing overflows.
    let mut log = 0.0;
    for _ in 0..SQUARINGS {
        let norm = power.norm();
        if !norm.is_finite() {
            return false;
        }
        if norm == 0.0 {
            return true;
        }
        log += norm.ln();
        power /= norm;
        if log < 0.0 {
            return true;
        }
        if power.trace().abs().ln() + log > dim.ln() {
            return false;
        }
        power = &power * &power;
        log *= 2.0;
    }
    false
}
