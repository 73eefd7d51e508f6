//! Which step is safe: where the map that a method makes of a flow is stable.
//!
//! Near a point of rest with eigenvalues λ a step of length `h` multiplies each mode by the method's stability function at
//! `hλ` (Hairer & Wanner 1996, Solving ODEs II, sec. IV.2): from that a limit is *predicted*. It is *measured* on
//! trajectories of the numerical map itself. Where nothing attracts, the limit is that of staying close to an accurate
//! trajectory.

mod course;
mod measured;
mod predicted;
#[cfg(test)]
mod tests;

pub use course::{Course, End, accurate, arrive, arrive_linear, course_limit, follow};
pub use measured::{Around, measured_limit};
pub use predicted::{growth, predicted_limit};

use super::rest::eigenvalues;
use crate::Result;
use crate::dynamics::{Component, Field, PointJacobian};
use crate::solve::{ImplicitStepMap, StepMap, Tableau};
use nalgebra::{Complex, DMatrix};

/// A step of any method, as a map.
///
/// # Errors
/// Those of [`StepMap::new`] and [`ImplicitStepMap::new`].
pub fn step_map<'a>(field: Field<'a, f64>, method: &Tableau, step: f64) -> Result<Box<dyn Component<f64> + 'a>> {
    if method.is_implicit() {
        return Ok(Box::new(ImplicitStepMap::new(field, method, step)?));
    }
    Ok(Box::new(StepMap::new(field, method, step)?))
}

/// The spectral radius of a map's Jacobian at a state; none if it is not finite. A map that takes time takes it at `time`.
pub fn spectral_radius(map: &dyn Component<f64>, params: &[f64], state: &[f64], time: f64) -> Option<f64> {
    eigenvalues(jacobian_at(map, params, state, time)).map(|values| values.iter().map(|z| z.norm()).fold(0.0, f64::max))
}

/// The Jacobian by the state of a component of state, and time if it takes it.
fn jacobian_at(component: &dyn Component<f64>, params: &[f64], state: &[f64], time: f64) -> DMatrix<f64> {
    let mut arguments = state.to_vec();
    arguments.resize(component.in_dim(), time);
    let rows = PointJacobian::new(component, params).at(&arguments, state.len());
    DMatrix::from_row_slice(state.len(), state.len(), &rows)
}

/// The eigenvalues of a field's Jacobian at each of some states, `dim` numbers each, and their times; empty where they are
/// not finite. Those of a Jacobian that does not change, as of a linear field, are found once.
pub fn local_eigenvalues(field: Field<f64>, params: &[f64], times: &[f64], states: &[f64]) -> Vec<Vec<Complex<f64>>> {
    let mut found: Vec<Vec<Complex<f64>>> = Vec::with_capacity(times.len());
    let mut last = None;
    for (state, &time) in states.chunks_exact(field.state_dim().max(1)).zip(times) {
        let matrix = jacobian_at(field.component, params, state, time);
        let values = match found.last() {
            Some(known) if last.as_ref() == Some(&matrix) => known.clone(),
            _ => eigenvalues(matrix.clone()).unwrap_or_default(),
        };
        found.push(values);
        last = Some(matrix);
    }
    found
}
