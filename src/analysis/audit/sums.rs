//! Sum rules: the sum of all exponents is the average logarithm of what a step does to volumes.

use super::Check;
use crate::analysis::states::States;
use crate::analysis::{Run, Stepped};
use crate::dynamics::{Field, PointJacobian};
use crate::{Real, Result};
use nalgebra::DMatrix;

/// `ln|det|` of the step from arguments to the next state.
pub(super) type Rule<'a, T> = Box<dyn FnMut(&[T], &[T]) -> f64 + 'a>;

/// A way to know what a step does to volumes other than by a frame.
pub struct SumRule<'a, T> {
    /// What it rests on.
    pub name: &'static str,
    /// Relative error it may have.
    pub(super) tolerance: f64,
    /// Operations a step, roughly.
    pub(super) cost: f64,
    pub(super) rule: Rule<'a, T>,
}

/// Operations to spend on a sum rule; and on a single bin of a large system.
const BUDGET: f64 = 4e9;
const MOST_BUDGET: f64 = 2e10;
/// What a step of a small system costs beside its arithmetic.
const STEP: f64 = 2000.0;

/// Rounding of a sum of logarithms: between factorisations columns lose half of their digits.
pub(super) const EXACT: f64 = 1e-7;

/// `ln|det|` of a square matrix of rows; −∞ if it is singular.
pub(super) fn log_det(dim: usize, entry: impl Fn(usize, usize) -> f64) -> f64 {
    let factors = DMatrix::from_fn(dim, dim, entry).lu();
    factors.u().diagonal().iter().map(|x| x.abs().ln()).sum()
}

impl<'a, T: Real> SumRule<'a, T> {
    /// The determinant of each step's Jacobian, by LU factorisation.
    pub fn determinant(system: &'a Stepped<'a, T>) -> Self {
        let dim = system.dim();
        let mut jacobians = PointJacobian::new(system.map, system.params);
        let rule = move |u: &[T], _: &[T]| {
            let jacobian = jacobians.at(u, dim);
            log_det(dim, |i, j| jacobian[i * dim + j].f64())
        };
        let cost = 4.0 * (dim as f64).powi(3) + STEP;
        Self { name: "log|det| of each step", tolerance: EXACT, cost, rule: Box::new(rule) }
    }

    /// The trace of a field's Jacobian, its divergence, at each step's beginning, times the step.
    pub fn divergence(field: Field<'a, T>, params: &'a [T], step: f64) -> Self {
        let dim = field.state_dim();
        let mut jacobians = PointJacobian::new(field.component, params);
        let rule = move |u: &[T], _: &[T]| {
            let jacobian = jacobians.at(u, dim);
            step * (0..dim).map(|i| jacobian[i * dim + i].f64()).sum::<f64>()
        };
        let cost = 20.0 * (dim as f64).powi(2) + STEP;
        // A sum at the steps' beginnings stands for an integral.
        Self { name: "divergence of the field", tolerance: 1e-3, cost, rule: Box::new(rule) }
    }
}

/// The sum of a run's exponents, the mean over its starts, against a rule along the same steps: as many finished bins as
/// are quickly gone over again, and how many steps those are. None if not all exponents were asked for, or no bin is
/// finished.
///
/// # Errors
/// None but those of a system that does not fit its start.
pub fn sum<T: Real>(run: &Run<T>, starts: &[Vec<T>], rule: SumRule<T>) -> Result<Option<(Check, u64)>> {
    let SumRule { name, tolerance, cost, mut rule } = rule;
    // A bin at least, unless that takes minutes.
    let bin = run.bin();
    let least = if bin as f64 * cost <= MOST_BUDGET { bin } else { 0 };
    let affordable = ((BUDGET / cost / starts.len() as f64) as u64).max(least);
    let Some((steps, sums)) = run.first_sums(affordable) else { return Ok(None) };
    let (mut expected, mut size) = (0.0, 0.0);
    for (number, start) in starts.iter().enumerate() {
        let mut states = States::new(run.system(), number, 0, start);
        states.advance(run.warmup());
        for _ in 0..steps {
            states.look();
            let change = rule(&states.arguments, &states.next);
            expected += change;
            size += change.abs();
            states.go();
        }
    }
    let time = steps as f64 * starts.len() as f64 * run.system().duration();
    let (found, expected, size) = (sums.iter().sum::<f64>() / time, expected / time, size / time);
    let note = format!("{name}, along the first {steps} counted steps of each start");
    let single = if T::NAME == "f64" { 1.0 } else { 1e3 };
    Ok(Some((Check::new("sum", found, expected, tolerance * single * size.max(1e-3), note), steps)))
}
