//! A step for a flow of which nothing is known.

use crate::dynamics::{Field, PointJacobian};
use crate::solve::{Options, Problem, solve};
use crate::{Error, Result};

/// Points that the trajectory is looked at.
const POINTS: usize = 200;
/// The step times the size of the Jacobian: rk4's exponents are then off by less than this to the fourth, over 120.
const SIZE: f64 = 0.2;

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
    let (component, dim) = (field.component, field.state_dim());
    let mut jacobians = PointJacobian::new(component, params);
    let mut largest: f64 = 0.0;
    for (state, &t) in solution.states.chunks_exact(dim).zip(&times) {
        let mut u = state.to_vec();
        u.resize(component.in_dim(), t);
        let jacobian = jacobians.at(&u, dim);
        // The root of the sum of squares bounds the spectral norm.
        largest = largest.max(jacobian.iter().map(|x| x * x).sum::<f64>().sqrt());
    }
    Ok((SIZE / largest).min(0.01 * span))
}
