//! A forward pass with what its strategy keeps, and the way back from it: the one contract of all strategies.

use super::adjoint::States;
use super::continuous::{self, pull_continuously};
use super::dense::Dense;
use super::forward::sensitivities;
use super::plan::Plan;
use super::pull::{Bars, Onto, Pulled, pull_all};
use super::strategy::Strategy;
use crate::dynamics::Field;
use crate::solve::{Options, Problem, Recording, Solution, integrate};
use crate::{Error, Real, Result};

/// A forward pass that can be gone back over once.
pub struct Passed<T: Real> {
    /// States at all output times.
    pub solution: Solution<T>,
    kept: Kept<T>,
}

enum Kept<T: Real> {
    Recording(Box<Recording<T>>),
    Dense(Box<Dense<T>>),
    States,
    /// Tangents of the outputs, and the JVPs that they took.
    Tangents(Vec<T>, usize),
}

impl<T: Real> Passed<T> {
    /// Integrates a problem on this thread, keeping what the plan's strategy needs.
    ///
    /// # Errors
    /// If sizes or options do not fit, or the strategy cannot do what is asked.
    pub fn new(field: Field<T>, params: &[T], problem: &Problem<T>, options: &Options, plan: &Plan) -> Result<Self> {
        let recorded = |mut recording: Recording<T>| {
            let solution = integrate(field, params, problem, options, &mut recording)?;
            Ok(Self { solution, kept: Kept::Recording(Box::new(recording)) })
        };
        match plan.strategy {
            Strategy::Stored => recorded(Recording::tape()),
            // Whatever the forecast, the recording keeps to the budget.
            Strategy::Auto | Strategy::Checkpointed => recorded(Recording::within(plan.budget)),
            Strategy::Interpolating => {
                continuous::check(field, options, false)?;
                let (solution, dense) = Dense::record(field, params, problem, options)?;
                Ok(Self { solution, kept: Kept::Dense(Box::new(dense)) })
            }
            Strategy::Backsolve => {
                continuous::check(field, options, true)?;
                let solution = integrate(field, params, problem, options, &mut Recording::Nothing)?;
                Ok(Self { solution, kept: Kept::States })
            }
            Strategy::Forward => {
                let (solution, tangents, pushes) = sensitivities(field, params, problem, options)?;
                Ok(Self { solution, kept: Kept::Tangents(tangents, pushes) })
            }
        }
    }

    /// Most bytes kept at once for the way back, outputs left out.
    pub fn bytes(&self) -> usize {
        match &self.kept {
            Kept::Recording(recording) => recording.bytes(),
            Kept::Dense(dense) => dense.bytes(),
            Kept::States => 0,
            Kept::Tangents(tangents, _) => tangents.len() * size_of::<T>(),
        }
    }

    /// Takes cotangents of the outputs (`rows × dim`) back: adds to `onto` and returns the starts' cotangents. Everything
    /// else must be as in the forward pass. What is given for rows that a trajectory did not reach is not read.
    ///
    /// # Errors
    /// If sizes differ, or the adjoint equation of a trajectory cannot be followed back: the adjoint strategies then give no
    /// gradient at all.
    pub fn pull(
        &mut self,
        field: Field<T>,
        params: &[T],
        problem: &Problem<T>,
        options: &Options,
        outputs_bar: &[T],
        onto: Onto<T>,
    ) -> Result<Pulled<T>> {
        match &mut self.kept {
            Kept::Recording(recording) => {
                let bars = Bars { outputs: outputs_bar, occurrences: &[] };
                pull_all(field, params, problem, options, recording, bars, onto)
            }
            Kept::Dense(dense) => {
                let bars = reached(field.state_dim(), &self.solution.states, outputs_bar);
                pull_continuously(field, params, problem, options, States::Dense(dense), &bars, onto)
            }
            Kept::States => {
                let bars = reached(field.state_dim(), &self.solution.states, outputs_bar);
                let states = States::Again(&self.solution.states);
                pull_continuously(field, params, problem, options, states, &bars, onto)
            }
            Kept::Tangents(tangents, pushes) => {
                if !onto.inputs.is_empty() {
                    return Err(Error::config(
                        "forward sensitivities have no tangents for inputs",
                        "choose another gradient strategy, such as checkpointed",
                    ));
                }
                let starts = contract(field.state_dim(), problem, tangents, outputs_bar, onto.params);
                Ok(Pulled { starts, evaluations: *pushes })
            }
        }
    }
}

/// Cotangents of the rows that were reached; zero for the others.
fn reached<T: Real>(dim: usize, states: &[T], outputs_bar: &[T]) -> Vec<T> {
    let mut bars = outputs_bar.to_vec();
    for (bars, state) in bars.chunks_exact_mut(dim).zip(states.chunks_exact(dim)) {
        if state.iter().any(|y| !y.is_finite()) {
            bars.fill(T::zero());
        }
    }
    bars
}

/// Cotangents of the outputs times the outputs' tangents.
fn contract<T: Real>(
    dim: usize,
    problem: &Problem<T>,
    tangents: &[T],
    outputs_bar: &[T],
    params_bar: &mut [T],
) -> Vec<T> {
    let along = |direction: &[T], rows: std::ops::Range<usize>| {
        let both = outputs_bar[rows.clone()].iter().zip(&direction[rows]);
        both.fold(T::zero(), |sum, (&bar, &dot)| sum + bar * dot)
    };
    let each = problem.times.len() * dim;
    let mut directions = tangents.chunks_exact(each.max(1));
    for bar in params_bar.iter_mut() {
        *bar += directions.next().map_or(T::zero(), |direction| along(direction, 0..each));
    }
    let by_start: Vec<&[T]> = directions.collect();
    let mut starts = vec![T::zero(); problem.len() * dim];
    for (s, start) in starts.chunks_exact_mut(dim).enumerate() {
        let rows = problem.row_ptr[s] * dim..problem.row_ptr[s + 1] * dim;
        start.iter_mut().zip(&by_start).for_each(|(start, direction)| *start = along(direction, rows.clone()));
    }
    starts
}
