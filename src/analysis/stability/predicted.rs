//! The longest stable step, from eigenvalues and the method's stability function.

use crate::solve::Tableau;
use nalgebra::Complex;

/// Above 1 by this much is growth and not rounding.
const ROUNDING: f64 = 2e-15;
/// Steps, in units of the inverse of the largest eigenvalue, between which a limit is looked for.
const LEAST: f64 = 1e-6;
pub(super) const MOST: f64 = 1e4;

/// The factor by which a step multiplies the mode that grows most: the spectral radius of the step's Jacobian, predicted
/// from eigenvalues of the field's. Infinite where it is too large for a number.
pub fn growth(method: &Tableau, eigenvalues: &[Complex<f64>], step: f64) -> f64 {
    eigenvalues.iter().map(|&z| method.growth(z * step)).fold(0.0, f64::max)
}

/// The step up to which no mode grows, predicted from eigenvalues: infinite for methods stable at every step, 0 where some
/// mode grows at any.
///
/// To rounding, over the damping a step, where stability is lost at once; where it is touched and left again over less than
/// 2 % of the step that may be overlooked. Costs some thousand evaluations of the stability function an eigenvalue.
pub fn predicted_limit(method: &Tableau, eigenvalues: &[Complex<f64>]) -> f64 {
    let fastest = eigenvalues.iter().map(|z| z.norm()).fold(0.0, f64::max);
    if fastest == 0.0 || !fastest.is_finite() {
        return f64::INFINITY;
    }
    let stable = |step: f64| growth(method, eigenvalues, step) <= 1.0 + ROUNDING;
    let mut safe = LEAST / fastest;
    if !stable(safe) {
        return 0.0;
    }
    loop {
        let next = 1.02 * safe;
        if next * fastest > MOST {
            return f64::INFINITY;
        }
        if !stable(next) {
            return bisect(safe, next, 0.0, stable);
        }
        safe = next;
    }
}

/// The border between `holds` (at `low`) and its contrary (at `high`), to a relative precision, or to the last bit.
pub(super) fn bisect(mut low: f64, mut high: f64, precision: f64, holds: impl Fn(f64) -> bool) -> f64 {
    loop {
        let middle = 0.5 * (low + high);
        if high - low <= precision * high || middle <= low || middle >= high {
            return middle;
        }
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
}
