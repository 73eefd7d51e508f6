//! The exact discrete gradient of a loss that is a sum over trajectories.

use super::pull;
use crate::dynamics::Field;
use crate::solve::{CHUNK, Options, Problem, Recording, Report, integrate, map_problem};
use crate::{Real, Result};

/// A loss with its gradient.
#[derive(Clone, Debug)]
pub struct Gradient<T> {
    /// Sum over trajectories.
    pub loss: f64,
    /// With respect to the parameters.
    pub params: Vec<T>,
    /// With respect to the starts, one trajectory after another.
    pub starts: Vec<T>,
    /// One a trajectory; failed ones count nothing in the loss and the gradient.
    pub reports: Vec<Report>,
}

/// The gradient of `Σ_s loss(s, states of s)`. `loss` gets a trajectory's number and its output states (`rows × dim`),
/// writes their cotangents (the same layout, zeroed before), and returns its value. Rows beyond the event that stopped a
/// trajectory are NaN: leave their cotangents at zero.
///
/// `recording` says what each chunk keeps; it is cloned for each, so give a fresh one. The result has the same bits for
/// any number of threads.
///
/// # Errors
/// If sizes or options do not fit.
pub fn gradient<T: Real>(
    field: Field<T>,
    params: &[T],
    problem: &Problem<T>,
    options: &Options,
    recording: &Recording<T>,
    loss: impl Fn(usize, &[T], &mut [T]) -> f64 + Sync,
) -> Result<Gradient<T>> {
    let dim = field.state_dim();
    problem.check(dim)?;
    let parts = map_problem(field, problem, CHUNK, |first, field, part| -> Result<Gradient<T>> {
        let mut recording = recording.clone();
        let solution = integrate(field, params, part, options, &mut recording)?;
        let mut bar = vec![T::zero(); solution.states.len()];
        let mut sum = 0.0;
        for (s, report) in solution.reports.iter().enumerate() {
            if report.failure.is_none() {
                let rows = part.row_ptr[s] * dim..part.row_ptr[s + 1] * dim;
                sum += loss(first + s, &solution.states[rows.clone()], &mut bar[rows]);
            }
        }
        let mut by_params = vec![T::zero(); params.len()];
        let starts = pull(field, params, part, options, &mut recording, &bar, &mut by_params)?;
        Ok(Gradient { loss: sum, params: by_params, starts, reports: solution.reports })
    });
    let mut whole =
        Gradient { loss: 0.0, params: vec![T::zero(); params.len()], starts: Vec::new(), reports: Vec::new() };
    for part in parts {
        let part = part?;
        whole.loss += part.loss;
        whole.params.iter_mut().zip(&part.params).for_each(|(sum, &p)| *sum += p);
        whole.starts.extend(part.starts);
        whole.reports.extend(part.reports);
    }
    Ok(whole)
}
