//! A spectrum set against what must hold: sums, zeros, pairs, two trajectories, and the Jacobian against differences.

mod cells;
mod differences;
mod sums;
mod trajectories;

pub use differences::jacobian;
pub use sums::{SumRule, sum};
pub use trajectories::{Separation, leading, separate};

use super::states::States;
use super::{Run, Spectrum, TracePoint};
use crate::Real;
use crate::io::json;
use serde::Serialize;

/// Something that must hold, and whether it does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// What is looked at.
    pub name: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was found.
    #[serde(with = "json::number")]
    pub value: f64,
    /// What it has to be.
    #[serde(with = "json::number")]
    pub expected: f64,
    /// How far off it may be.
    #[serde(with = "json::number")]
    pub tolerance: f64,
    /// How it was found.
    pub note: String,
}

impl Check {
    pub(super) fn new(name: &str, value: f64, expected: f64, tolerance: f64, note: String) -> Self {
        // Two infinities of one sign agree.
        let holds = value == expected || (tolerance.is_finite() && (value - expected).abs() <= tolerance);
        Self { name: name.into(), holds, value, expected, tolerance, note }
    }
}

/// The sum of all exponents against one that is known exactly; a numerical step may be off by 1e-4.
pub fn known_sum(spectrum: &Spectrum, sum: f64) -> Check {
    let errors = if spectrum.sum_error.is_finite() { 4.0 * spectrum.sum_error } else { 0.0 };
    // Where volumes breathe, the end of a run falls somewhere between in and out: as far as they were seen to.
    let total = |point: &TracePoint| point.exponents.iter().sum::<f64>() * point.steps as f64;
    let trend = |point: &TracePoint| spectrum.sum * point.steps as f64;
    let breath = spectrum.trace.iter().map(|point| (total(point) - trend(point)).abs()).fold(0.0, f64::max);
    let breath = 2.0 * breath / spectrum.steps.max(1) as f64;
    let note = "the sum that this system has exactly";
    Check::new("known sum", spectrum.sum, sum, 1e-4 + 1e-9 * sum.abs() + errors + breath, note.into())
}

/// At least so many exponents are zero: one for the direction of a flow that does not rest, two for each quantity that a
/// symplectic flow conserves.
pub fn zeros(spectrum: &Spectrum, expected: usize) -> Check {
    let found = spectrum.neutral.iter().filter(|neutral| **neutral).count();
    let smallest = spectrum.exponents.iter().map(|x| x.abs()).fold(f64::INFINITY, f64::min);
    Check {
        name: "zeros".into(),
        holds: found >= expected,
        value: found as f64,
        expected: expected as f64,
        tolerance: 0.0,
        note: format!("exponents that are 0 within errors, at least; the one nearest 0 is {smallest:e}"),
    }
}

/// Exponents come in pairs of one sum: 0 for symplectic systems, minus the damping for conformally symplectic ones (Dressler
/// 1988, Phys. Rev. A 38, 2103–2109).
pub fn pairs(spectrum: &Spectrum, sum: f64) -> Option<Check> {
    if !spectrum.is_complete() {
        return None;
    }
    let off = |i: usize| spectrum.exponents[i] + spectrum.exponents[spectrum.dim - 1 - i] - sum;
    let worst =
        (0..spectrum.dim.div_ceil(2)).map(off).fold(0.0, |worst: f64, x| if x.abs() > worst.abs() { x } else { worst });
    let time = spectrum.steps as f64 * spectrum.unit.abs();
    let size = spectrum.exponents.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    // Tangents of a pair may grow against each other by some nats, however long the run; and the errors of a pair's two
    // exponents are those of finite frames.
    let tolerance = 10.0 / time + 1e-4 * size;
    Some(Check::new("pairs", sum + worst, sum, tolerance, "the pair farthest from the sum that all must have".into()))
}

/// Whether the first start still moves at the end of a run: a state at rest has no zero exponent.
pub fn is_moving<T: Real>(run: &Run<T>) -> bool {
    let Some(walk) = run.walks().next() else { return false };
    let state: Vec<T> = walk.state().data.iter().step_by(walk.starts()).copied().collect();
    let mut states = States::new(run.system(), 0, walk.step(), &state);
    if run.system().length().is_some_and(|length| walk.step() >= length) {
        return true;
    }
    states.look();
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let moved = norm(&mut states.next.iter().zip(&state).map(|(a, b)| a.f64() - b.f64()));
    moved > 1e-9 * (1e-3 + norm(&mut state.iter().map(|x| x.f64()))) * run.system().clock.step.abs().min(1.0)
}
