//! Where a system rests: fixed points of flows and maps, slow points, periodic orbits of maps, and their stability.

mod balanced;
mod nature;
mod search;
#[cfg(test)]
mod tests;

pub use nature::eigenvalues;
pub use search::around;

use crate::dynamics::{Component, Field, PointJacobian};
use crate::{Error, Result};
use nalgebra::{Complex, DMatrix, DVector};

/// When the motion is asked whether it changes with time, from the moment that is held still on.
const MOMENTS: [f64; 4] = [0.0, 0.37, 1.3, 2.9];

/// What rest means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// The component's value is the derivative: rest is where it is zero.
    Flow,
    /// The component's value is the next state: rest is where it comes back after `period` steps.
    Map {
        /// 1 for fixed points.
        period: usize,
    },
}

/// A system whose places of rest are looked for.
#[derive(Clone)]
pub struct Resting<'a> {
    component: &'a dyn Component<f64>,
    params: &'a [f64],
    /// Inputs (and time) that stay as they are.
    beside: Vec<f64>,
    law: Law,
}

/// How small displacements from a point of rest go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// All shrink, straight.
    StableNode,
    /// All shrink, some turning.
    StableFocus,
    /// All grow, straight.
    UnstableNode,
    /// All grow, some turning.
    UnstableFocus,
    /// Some grow, some shrink.
    Saddle,
    /// Some neither grow nor shrink to first order: the linearisation does not decide.
    Marginal,
}

impl Nature {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::StableNode, Self::StableFocus, Self::UnstableNode, Self::UnstableFocus, Self::Saddle, Self::Marginal];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::StableNode => "stable node",
            Self::StableFocus => "stable focus",
            Self::UnstableNode => "unstable node",
            Self::UnstableFocus => "unstable focus",
            Self::Saddle => "saddle",
            Self::Marginal => "marginal",
        }
    }

    /// Whether all small displacements shrink.
    pub fn attracts(self) -> bool {
        matches!(self, Self::StableNode | Self::StableFocus)
    }
}

/// A fixed point, or one point of a periodic orbit.
#[derive(Clone, Debug, PartialEq)]
pub struct RestPoint {
    /// Where.
    pub state: Vec<f64>,
    /// What is left of the derivative, or of the way a period goes (Euclidean norm).
    pub residual: f64,
    /// Eigenvalues of the Jacobian (of a whole period: the multipliers), the least stable first.
    pub eigenvalues: Vec<Complex<f64>>,
    /// What they say.
    pub nature: Nature,
    /// Dimensions of the straight set of points of rest that it is one of, 1 for a line; 0 for a point that stands alone.
    pub free: usize,
}

/// A place where the motion is slowest round about, and does not rest (Sussillo & Barak 2013, Neural Comput. 25, 626-649).
#[derive(Clone, Debug, PartialEq)]
pub struct SlowPoint {
    /// Where.
    pub state: Vec<f64>,
    /// How fast: the norm of the derivative, or of a step (a period).
    pub speed: f64,
}

/// What a search from many starts came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Points of rest, each once, one of each straight set of them, in the order of the starts that found them.
    pub points: Vec<RestPoint>,
    /// Slow points, each once.
    pub slow: Vec<SlowPoint>,
    /// Starts that led to neither.
    pub failed: usize,
}

impl<'a> Resting<'a> {
    /// A flow, with time held still if it takes it.
    ///
    /// # Errors
    /// If the field has inputs, or the parameters are not its.
    pub fn flow(field: Field<'a, f64>, params: &'a [f64], time: f64) -> Result<Self> {
        if field.inputs.is_some() {
            let what = "a field with inputs does not rest";
            return Err(Error::config(what, "hold them still: make them parameters"));
        }
        let beside = if field.timed { vec![time] } else { Vec::new() };
        Self::new(field.component, params, beside, Law::Flow)
    }

    /// A map under inputs that stay the same; a map that takes time has it as its one input.
    ///
    /// # Errors
    /// If the parts do not fit each other, or the period is 0.
    pub fn map(component: &'a dyn Component<f64>, params: &'a [f64], inputs: &[f64], period: usize) -> Result<Self> {
        if period == 0 {
            return Err(Error::config("the period is 0", "give the number of steps of an orbit, 1 for fixed points"));
        }
        Self::new(component, params, inputs.to_vec(), Law::Map { period })
    }

    fn new(component: &'a dyn Component<f64>, params: &'a [f64], beside: Vec<f64>, law: Law) -> Result<Self> {
        if params.len() != component.param_count() {
            return Err(Error::shape("parameters", component.param_count(), params.len()));
        }
        if component.in_dim() != component.out_dim() + beside.len() {
            let inputs = component.in_dim().saturating_sub(component.out_dim());
            return Err(Error::shape("inputs of a system at rest", inputs, beside.len()));
        }
        Ok(Self { component, params, beside, law })
    }

    /// What rest means here.
    pub fn law(&self) -> Law {
        self.law
    }

    /// The motion at a state: its derivative, or the way that a period goes from there.
    ///
    /// # Errors
    /// If the state has other components.
    pub fn motion(&self, state: &[f64]) -> Result<Vec<f64>> {
        if state.len() != self.component.out_dim() {
            return Err(Error::shape("a state", self.component.out_dim(), state.len()));
        }
        Ok(self.linearize(state).0.as_slice().to_vec())
    }

    /// Whether the motion at a state changes with the time or the inputs that are held still: what rests then rests for a
    /// moment only. Asked at some moments, as a forcing stands still at its own turning points.
    pub fn changes_with_time(&self, state: &[f64]) -> bool {
        let (component, dim) = (self.component, self.component.out_dim());
        if self.beside.is_empty() || state.len() != dim {
            return false;
        }
        let rows = component.in_dim();
        let mut jacobians = PointJacobian::new(component, self.params);
        MOMENTS.into_iter().any(|after| {
            let arguments: Vec<f64> = state.iter().copied().chain(self.beside.iter().map(|x| x + after)).collect();
            let matrix = jacobians.at(&arguments, rows);
            matrix.chunks_exact(rows).any(|row| row[dim..].iter().any(|x| *x != 0.0))
        })
    }

    /// What does not rest, `f(y)` or `g(g(…y)) − y`, and its Jacobian.
    fn linearize(&self, state: &[f64]) -> (DVector<f64>, DMatrix<f64>) {
        let dim = state.len();
        let steps = if let Law::Map { period } = self.law { period } else { 1 };
        let mut at = state.to_vec();
        let mut product = DMatrix::identity(dim, dim);
        let mut jacobians = PointJacobian::new(self.component, self.params);
        for _ in 0..steps {
            let arguments: Vec<f64> = at.iter().chain(&self.beside).copied().collect();
            product = DMatrix::from_row_slice(dim, dim, &jacobians.at(&arguments, dim)) * product;
            at.copy_from_slice(&jacobians.value);
        }
        let mut residual = DVector::from_vec(at);
        if let Law::Map { .. } = self.law {
            residual -= DVector::from_column_slice(state);
            (0..dim).for_each(|i| product[(i, i)] -= 1.0);
        }
        (residual, product)
    }
}
