//! Vector fields: components seen as the right-hand side of an ODE.

use super::Component;
use crate::{Error, Real, Result};
use std::ops::Range;

/// Known inputs `x(t)`, one path a trajectory.
pub trait Inputs<T: Real>: Send + Sync {
    /// How many inputs there are.
    fn dim(&self) -> usize;

    /// How many trajectories there are inputs for: a problem may have fewer, not more.
    fn trajectories(&self) -> usize {
        usize::MAX
    }

    /// Times, strictly rising, at which a trajectory's inputs or their slopes jump: steps end exactly there.
    fn kinks(&self, _trajectory: usize) -> &[T] {
        &[]
    }

    /// Whether no trajectory's inputs change in time (and so have no kinks).
    fn constant(&self) -> bool {
        false
    }

    /// What the state jumps by as a trajectory passes its kink number `kink`, strictly between its start and its end: adds
    /// it to `state`. Nothing but that sum may depend on the state, so derivatives pass unchanged.
    fn impulse(&self, _trajectory: usize, _kink: usize, _state: &mut [T]) {}

    /// Which of the numbers that the inputs are made of belong to some trajectories, for gradients by them; trajectories
    /// that differ share none. Empty where there are no such numbers.
    fn numbers(&self, _trajectories: Range<usize>) -> Range<usize> {
        0..0
    }

    /// Adds to `bar`, cotangents of the trajectory's own numbers, what the cotangent `x_bar` of [`at`](Self::at)'s result
    /// makes of them.
    fn pull(&self, _trajectory: usize, _piece: usize, _t: T, _x_bar: &[T], _bar: &mut [T]) {}

    /// Writes `x(t)` of one trajectory (by its number in the whole problem) to `x`, `dim` numbers. `piece` is the stretch
    /// between kinks that a step lies in, `k` between kinks `k − 1` and `k`: at a kink itself, where `x` may jump, it says
    /// which side is meant.
    fn at(&self, trajectory: usize, piece: usize, t: T, x: &mut [T]);
}

/// Inputs that do not change in time: one row of `dim` numbers a trajectory (static covariates).
#[derive(Clone, Debug)]
pub struct Constants<T> {
    /// Inputs a trajectory.
    pub dim: usize,
    /// `trajectories × dim`, one trajectory after another.
    pub values: Vec<T>,
}

impl<T: Real> Inputs<T> for Constants<T> {
    fn dim(&self) -> usize {
        self.dim
    }

    fn constant(&self) -> bool {
        true
    }

    fn trajectories(&self) -> usize {
        self.values.len().checked_div(self.dim).unwrap_or(usize::MAX)
    }

    fn numbers(&self, trajectories: Range<usize>) -> Range<usize> {
        trajectories.start * self.dim..trajectories.end * self.dim
    }

    fn pull(&self, _trajectory: usize, _piece: usize, _t: T, x_bar: &[T], bar: &mut [T]) {
        bar.iter_mut().zip(x_bar).for_each(|(bar, &x)| *bar += x);
    }

    fn at(&self, trajectory: usize, _piece: usize, _t: T, x: &mut [T]) {
        x.copy_from_slice(&self.values[trajectory * self.dim..][..self.dim]);
    }
}

/// When an event happens: where a function of state and time crosses zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossing {
    /// From negative to positive, along the direction of integration.
    Rising,
    /// From positive to negative.
    Falling,
    /// Either way.
    Either,
}

/// What an event does.
#[derive(Clone, Copy)]
pub enum Effect<'a, T: Real> {
    /// It is noted, and the trajectory goes on.
    Record,
    /// The trajectory ends.
    Stop,
    /// The state becomes the component's value: `dim` rows from state and time (`dim + 1` rows).
    Jump(&'a dyn Component<T>),
}

/// An event of a vector field. Components take the field's parameters, or none.
#[derive(Clone, Copy)]
pub struct Event<'a, T: Real> {
    /// The watched function: one row from state and time (`dim + 1` rows).
    pub condition: &'a dyn Component<T>,
    /// Which crossings of zero count.
    pub crossing: Crossing,
    /// What happens.
    pub effect: Effect<'a, T>,
}

/// A vector field `dy/dt = f(t, y, x(t); θ)`: a component whose arguments are the state, then the inputs, then time, as
/// far as it takes them, and whose output is the state's derivative. It may have events that interrupt the flow.
pub struct Field<'a, T: Real> {
    pub(crate) component: &'a dyn Component<T>,
    pub(crate) inputs: Option<&'a dyn Inputs<T>>,
    pub(crate) timed: bool,
    pub(crate) events: &'a [Event<'a, T>],
}

impl<T: Real> Clone for Field<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Real> Copy for Field<'_, T> {}

impl<'a, T: Real> Field<'a, T> {
    /// `dy/dt = f(y)`.
    ///
    /// # Errors
    /// If the component's arguments and output differ in rows.
    pub fn autonomous(component: &'a dyn Component<T>) -> Result<Self> {
        Self::build(component, None, false)
    }

    /// `dy/dt = f(y, t)`: time is the last row of the arguments.
    ///
    /// # Errors
    /// If the component does not take one row more than it gives.
    pub fn with_time(component: &'a dyn Component<T>) -> Result<Self> {
        Self::build(component, None, true)
    }

    /// `dy/dt = f(y, x(t))`, and with `timed` `f(y, x(t), t)`.
    ///
    /// # Errors
    /// If the rows do not add up.
    pub fn with_inputs(component: &'a dyn Component<T>, inputs: &'a dyn Inputs<T>, timed: bool) -> Result<Self> {
        Self::build(component, Some(inputs), timed)
    }

    /// The same field with events.
    ///
    /// # Errors
    /// If an event's component does not take state and time, does not give what its place asks for, or has parameters of
    /// its own.
    pub fn with_events(self, events: &'a [Event<'a, T>]) -> Result<Self> {
        let dim = self.state_dim();
        for (k, event) in events.iter().enumerate() {
            let jump = match event.effect {
                Effect::Jump(jump) => Some((jump, dim)),
                Effect::Record | Effect::Stop => None,
            };
            for (component, rows) in [(event.condition, 1)].into_iter().chain(jump) {
                if (component.in_dim(), component.out_dim()) != (dim + 1, rows) {
                    let found = format!("{} to {}", component.in_dim(), component.out_dim());
                    return Err(Error::shape(format!("rows of event {k}"), format!("{} to {rows}", dim + 1), found));
                }
                let count = component.param_count();
                if count != 0 && count != self.component.param_count() {
                    let expected = format!("none, or the field's {}", self.component.param_count());
                    return Err(Error::shape(format!("parameters of event {k}"), expected, count));
                }
            }
        }
        Ok(Self { events, ..self })
    }

    fn build(component: &'a dyn Component<T>, inputs: Option<&'a dyn Inputs<T>>, timed: bool) -> Result<Self> {
        let expected = component.out_dim() + inputs.map_or(0, |x| x.dim()) + usize::from(timed);
        if component.in_dim() != expected || component.out_dim() == 0 {
            return Err(Error::shape(
                "arguments of a vector field (state, inputs, time)",
                expected,
                component.in_dim(),
            ));
        }
        Ok(Self { component, inputs, timed, events: &[] })
    }

    /// Rows of the state.
    pub fn state_dim(&self) -> usize {
        self.component.out_dim()
    }

    /// Fills the rows of `u` below the state: inputs, then time. `time(lane)` is the lane's time, `ids[lane]` its
    /// trajectory and `pieces[lane]` the piece of its inputs; `row` is a buffer of `inputs` numbers.
    pub(crate) fn fill_arguments(
        &self,
        ids: &[usize],
        pieces: &[usize],
        time: impl Fn(usize) -> T,
        u: &mut [T],
        row: &mut [T],
    ) {
        let lanes = ids.len();
        let mut below = self.state_dim() * lanes;
        if let Some(inputs) = self.inputs {
            for (lane, &id) in ids.iter().enumerate() {
                inputs.at(id, pieces[lane], time(lane), row);
                for (i, &x) in row.iter().enumerate() {
                    u[below + i * lanes + lane] = x;
                }
            }
            below += inputs.dim() * lanes;
        }
        if self.timed {
            (0..lanes).for_each(|lane| u[below + lane] = time(lane));
        }
    }
}
