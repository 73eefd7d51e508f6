//! A spectrum set against what must hold: sums, zeros, pairs, two trajectories, and the Jacobian against differences.

mod cells;
mod differences;
mod replay;
mod sums;
mod trajectories;

pub use differences::jacobian;
pub use sums::{SumRule, sum};
pub use trajectories::{Separation, leading, separate};

use super::Spectrum;
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
        let holds = value == expected || (value - expected).abs() <= tolerance;
        Self { name: name.into(), holds, value, expected, tolerance, note }
    }
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
    let worst = (0..spectrum.dim.div_ceil(2)).map(off).fold(0.0, |worst: f64, x| if x.abs() > worst.abs() { x } else { worst });
    let time = spectrum.steps as f64 * spectrum.unit.abs();
    let size = spectrum.exponents.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    // Tangents of a pair may grow against each other by some nats, however long the run; and the errors of a pair's two
    // exponents are those of finite frames.
    let tolerance = 10.0 / time + 1e-4 * size;
    Some(Check::new("pairs", sum + worst, sum, tolerance, "the pair farthest from the sum that all must have".into()))
}
