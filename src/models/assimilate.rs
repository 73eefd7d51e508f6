//! Finding the state that best explains observations, the model held fixed.

use super::NeuralOde;
use crate::Result;
use crate::gradient::push;
use crate::solve::{Options, Problem, Recording, Tape, integrate};
use nalgebra::{DMatrix, DVector};

/// Observations that a trajectory is to meet, in the model's units.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Time of the start that is looked for.
    pub start: f64,
    /// Times of the rows, from the start on.
    pub times: &'a [f64],
    /// `rows × channels`.
    pub values: &'a [f64],
    /// `rows × channels`, true where observed.
    pub mask: &'a [bool],
}

const MOST_STEPS: usize = 20;

/// The start that minimises the squared errors at observed cells plus `pull · |start − expected|²`, by
/// Levenberg–Marquardt with exact Jacobians (tangents pushed through the steps; Marquardt 1963), from `expected`.
///
/// Cost: per step, one forward pass and as many tangent passes as the state has rows.
///
/// # Errors
/// If sizes do not fit.
pub fn fit_start(
    model: &NeuralOde,
    params: &[f64],
    options: &Options,
    target: &Target,
    expected: &[f64],
    pull: f64,
) -> Result<Vec<f64>> {
    let mut search = Search { model, params, options, target, expected, pull, tape: Recording::tape() };
    let mut state = expected.to_vec();
    let Some(mut at) = search.linearize(&state)? else { return Ok(state) };
    let mut damping = 1e-3;
    for _ in 0..MOST_STEPS {
        let normal = at.jacobian.transpose() * &at.jacobian;
        let slope = at.jacobian.transpose() * &at.residuals;
        let mut damped = normal.clone();
        for i in 0..state.len() {
            damped[(i, i)] += damping * (normal[(i, i)] + 1e-12);
        }
        let Some(factor) = damped.cholesky() else { break };
        let step = factor.solve(&slope);
        let candidate: Vec<f64> = state.iter().zip(step.iter()).map(|(s, d)| s - d).collect();
        match search.linearize(&candidate)?.filter(|new| new.cost < at.cost) {
            Some(new) => {
                let gained = at.cost - new.cost;
                (state, at, damping) = (candidate, new, damping * 0.1);
                if gained <= 1e-12 * at.cost {
                    break;
                }
            }
            None => damping *= 10.0,
        }
        if damping > 1e8 {
            break;
        }
    }
    Ok(state)
}

struct Search<'a> {
    model: &'a NeuralOde,
    params: &'a [f64],
    options: &'a Options,
    target: &'a Target<'a>,
    expected: &'a [f64],
    pull: f64,
    tape: Recording<f64>,
}

struct Linearized {
    cost: f64,
    residuals: DVector<f64>,
    jacobian: DMatrix<f64>,
}

impl Search<'_> {
    /// Residuals and their Jacobian at a start; none if the trajectory fails.
    fn linearize(&mut self, state: &[f64]) -> Result<Option<Linearized>> {
        let (dim, target) = (state.len(), self.target);
        let channels = target.values.len() / target.times.len().max(1);
        let row_ptr = [0, target.times.len()];
        let starts = [target.start];
        let problem = Problem { start_times: &starts, starts: state, row_ptr: &row_ptr, times: target.times };
        let (field, field_params) = (self.model.field()?, &self.params[self.model.field_params()]);
        let solution = integrate(field, field_params, &problem, self.options, &mut self.tape)?;
        if solution.reports[0].failure.is_some() {
            return Ok(None);
        }
        let cells: Vec<usize> = (0..target.values.len()).filter(|&cell| target.mask[cell]).collect();
        let observe = |states: &[f64]| {
            let mut seen = vec![0.0; target.values.len()];
            for (state, seen) in states.chunks_exact(dim).zip(seen.chunks_exact_mut(channels)) {
                self.model.observe(self.params, state, seen);
            }
            seen
        };
        let seen = observe(&solution.states);
        // The read-out is affine: its change along a tangent is its value there less its value at zero.
        let zero = observe(&vec![0.0; solution.states.len()]);
        let weight = self.pull.sqrt();
        let mut residuals = DVector::zeros(cells.len() + dim);
        let mut jacobian = DMatrix::zeros(cells.len() + dim, dim);
        for (r, &cell) in cells.iter().enumerate() {
            residuals[r] = seen[cell] - target.values[cell];
        }
        let directions = DMatrix::<f64>::identity(dim, dim);
        let (options, tape) = (self.options, tape(&self.tape)?);
        let tangents = push(field, field_params, &problem, options, tape, directions.as_slice(), None)?.outputs;
        for (j, tangent) in tangents.chunks(solution.states.len().max(1)).enumerate() {
            let moved = observe(tangent);
            for (r, &cell) in cells.iter().enumerate() {
                jacobian[(r, j)] = moved[cell] - zero[cell];
            }
            residuals[cells.len() + j] = weight * (state[j] - self.expected[j]);
            jacobian[(cells.len() + j, j)] = weight;
        }
        let cost = residuals.norm_squared();
        Ok(cost.is_finite().then_some(Linearized { cost, residuals, jacobian }))
    }
}

fn tape(recording: &Recording<f64>) -> Result<&Tape<f64>> {
    match recording {
        Recording::Tape(tape) => Ok(tape),
        _ => Err(crate::Error::config("tangents need a tape", "record one")),
    }
}
