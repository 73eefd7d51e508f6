//! Sum rules: the sum of all exponents is the average logarithm of what a step does to volumes.

use super::Check;
use super::replay::Replay;
use crate::analysis::{Run, Stepped};
use crate::dynamics::{Component, Field, jacobian};
use crate::linalg::{Block, BlockMut};
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

/// The Jacobian of a component by the state, at arguments, row after row.
fn jacobian_at<T: Real>(component: &dyn Component<T>, params: &[T], u: &[T], room: &mut Room<T>) -> Vec<T> {
    room.value.resize(component.out_dim(), T::zero());
    room.slab.resize(component.slab_len(), T::zero());
    room.scratch.resize(component.scratch_len(), T::zero());
    let (value, slab) = (BlockMut::new(&mut room.value, 1), BlockMut::new(&mut room.slab, 1));
    component.linearize(params, Block::new(u, 1), value, slab, &mut room.scratch);
    jacobian(component, params, Block::new(&room.slab, 1), component.out_dim())
}

#[derive(Default)]
struct Room<T> {
    value: Vec<T>,
    slab: Vec<T>,
    scratch: Vec<T>,
}

impl<'a, T: Real> SumRule<'a, T> {
    /// The determinant of each step's Jacobian, by LU factorisation.
    pub fn determinant(system: &'a Stepped<'a, T>) -> Self {
        let (map, params, dim) = (system.map, system.params, system.dim());
        let mut room = Room::default();
        let rule = move |u: &[T], _: &[T]| {
            let jacobian = jacobian_at(map, params, u, &mut room);
            log_det(dim, |i, j| jacobian[i * dim + j].f64())
        };
        let cost = 4.0 * (dim as f64).powi(3) + STEP;
        Self { name: "log|det| of each step", tolerance: EXACT, cost, rule: Box::new(rule) }
    }

    /// The trace of a field's Jacobian, its divergence, at each step's beginning, times the step.
    pub fn divergence(field: Field<'a, T>, params: &'a [T], step: f64) -> Self {
        let component = field.component;
        let dim = component.out_dim();
        let mut room = Room::default();
        let rule = move |u: &[T], _: &[T]| {
            let jacobian = jacobian_at(component, params, u, &mut room);
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
        let mut replay = Replay::numbered(run.system(), start, number);
        replay.advance(run.warmup());
        for _ in 0..steps {
            replay.look();
            let change = rule(&replay.arguments, &replay.next);
            expected += change;
            size += change.abs();
            replay.go();
        }
    }
    let time = steps as f64 * starts.len() as f64 * run.system().duration();
    let (found, expected, size) = (sums.iter().sum::<f64>() / time, expected / time, size / time);
    let note = format!("{name}, along the first {steps} counted steps of each start");
    let single = if T::NAME == "f64" { 1.0 } else { 1e3 };
    Ok(Some((Check::new("sum", found, expected, tolerance * single * size.max(1e-3), note), steps)))
}
