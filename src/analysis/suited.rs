//! A step for a flow of which nothing is known, and steps that are of no use.

use crate::dynamics::{Field, PointJacobian};
use crate::solve::{Options, Problem, solve};
use crate::{Error, Result};

/// Points that the trajectory is looked at.
const POINTS: usize = 200;
/// The step times the size of the Jacobian: rk4's exponents are then off by less than this to the fourth, over 120.
const SIZE: f64 = 0.2;
/// The same of a step that rounding hides: some units of rounding, over an error of 10⁻⁵.
const LEAST: f64 = 1e-10;

/// A step of `rk4` from the size of the field's Jacobian along a trajectory of length `span` from `start` at `time`, at
/// most a hundredth of the span.
///
/// # Errors
/// If the trajectory cannot be followed.
pub fn suited_step(field: Field<f64>, params: &[f64], start: &[f64], time: f64, span: f64) -> Result<f64> {
    let times: Vec<f64> = (1..=POINTS).map(|k| time + span * k as f64 / POINTS as f64).collect();
    let problem = Problem { start_times: &[time], starts: start, row_ptr: &[0, POINTS], times: &times };
    let solution = solve(field, params, &problem, &Options::adaptive(1e-6, 1e-6))?;
    if let Some(failure) = solution.reports.first().and_then(|report| report.failure) {
        return Err(Error::Solve { series: "start 1".into(), failure });
    }
    let states = solution.states.chunks_exact(field.state_dim()).zip(&times);
    let largest = states.map(|(state, &t)| size(field, params, state, t)).fold(0.0, f64::max);
    Ok((SIZE / largest).min(0.01 * span))
}

/// A step so short that rounding makes up the sixth digit of what it does to displacements of `start` at `time`; errors of
/// exponents grow as one over the step. It is 0 where the field does not change displacements.
pub fn least_step(field: Field<f64>, params: &[f64], start: &[f64], time: f64) -> f64 {
    let size = size(field, params, start, time);
    if size > 0.0 { LEAST / size } else { 0.0 }
}

/// The root of the sum of squares of the Jacobian, which bounds its spectral norm.
fn size(field: Field<f64>, params: &[f64], state: &[f64], time: f64) -> f64 {
    let mut u = state.to_vec();
    u.resize(field.component.in_dim(), time);
    let jacobian = PointJacobian::new(field.component, params).at(&u, state.len());
    jacobian.iter().map(|x| x * x).sum::<f64>().sqrt()
}
