//! What a system offers: its value and its linearisation.

use super::{Curved, Marcher, Strider};
use crate::Real;
use crate::linalg::{Block, BlockMut};

/// A tangent at a linearisation point: a block of directions in the arguments and, where wanted, in the parameters.
#[derive(Clone, Copy, Debug)]
pub struct Tangent<'a, T> {
    /// `in_dim × lanes`: directions in the arguments.
    pub arguments: Block<'a, T>,
    /// `param_count × lanes`: directions in the parameters, `None` for zero.
    pub params: Option<Block<'a, T>>,
}

impl<'a, T> From<Block<'a, T>> for Tangent<'a, T> {
    fn from(arguments: Block<'a, T>) -> Self {
        Self { arguments, params: None }
    }
}

/// One named array in a flat parameter vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamSpec {
    /// Dotted name, unique within a model: `field.0.weight`.
    pub name: String,
    /// Shape; a matrix is `[rows, columns]` and stored column by column.
    pub shape: Vec<usize>,
}

impl ParamSpec {
    /// A named array of this shape.
    pub fn new(name: impl Into<String>, shape: &[usize]) -> Self {
        Self { name: name.into(), shape: shape.to_vec() }
    }

    /// How many numbers it holds.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it holds no number.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A differentiable map `out = g(u; θ)` of blocks: every lane is one point.
///
/// The arguments `u` of a system stand in one block in this order: state, then known inputs, then time (as far as the
/// system takes them), so one JVP or VJP serves the state, the inputs and time alike. A vector field's `out` is the
/// state's derivative, a cell's `out` is the next state, a layer's `out` is whatever comes next.
///
/// The three moves: [`eval`](Self::eval); [`linearize`](Self::linearize), which evaluates and leaves what the
/// derivatives need in a slab that the caller owns; then [`jvp`](Self::jvp) and [`vjp`](Self::vjp) any number of times
/// from that slab. Implementations allocate nothing. The slab is a `slab_len × points` block; the scratch slice has at
/// least `scratch_len · lanes` numbers with anything in them.
///
/// In `jvp` and `vjp` a block may have several groups of lanes, `groups · points` in all: lane `j·points + p` belongs to
/// point `p`. So a slab of one point takes any number of tangents, and a slab of many points one tangent each.
///
/// A lane's result has the same bits whatever stands beside it, and a slab of zeros with a cotangent of zeros gives zeros:
/// so lanes whose numbers are no longer finite are taken out of a sum. [`testkit`](super::testkit) checks values,
/// derivatives and bits; that nothing is allocated is the author's care.
pub trait Component<T: Real>: Send + Sync {
    /// Rows of the argument block.
    fn in_dim(&self) -> usize;

    /// Rows of the output block.
    fn out_dim(&self) -> usize;

    /// The arrays of the flat parameter vector θ, in order, their names starting with `prefix`.
    fn params(&self, prefix: &str) -> Vec<ParamSpec>;

    /// Length of the flat parameter vector θ.
    fn param_count(&self) -> usize;

    /// Numbers a point that the linearisation keeps.
    fn slab_len(&self) -> usize;

    /// Numbers a lane that any of the four operations needs for a moment.
    fn scratch_len(&self) -> usize;

    /// `out = g(u; θ)`.
    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, scratch: &mut [T]);

    /// `out = g(u; θ)` with the same bits as [`eval`](Self::eval), and the slab filled.
    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, scratch: &mut [T]);

    /// `out = ∂g/∂u · δu + ∂g/∂θ · δθ`.
    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, scratch: &mut [T]);

    /// `u_bar = wᵀ ∂g/∂u` (overwritten) and, where wanted, `params_bar += Σ_lanes wᵀ ∂g/∂θ` (added to).
    fn vjp(
        &self,
        params: &[T],
        slab: Block<T>,
        w: Block<T>,
        u_bar: BlockMut<T>,
        params_bar: Option<&mut [T]>,
        scratch: &mut [T],
    );

    /// The component's offer to take a solver's steps in vector lanes: [`Lift`](super::Lift) and [`Swept`](super::Swept)
    /// make one, all others leave this as it is.
    #[doc(hidden)]
    fn marcher(&self) -> Option<Marcher<'_, T>> {
        None
    }

    /// The component's offer to take many steps with tangents in vector lanes, if it makes one: small ones do, as
    /// [`Lift`](super::Lift), [`LiftMap`](super::LiftMap) and steps of a method on such a field.
    fn strider(&self) -> Option<Strider<'_, T>> {
        None
    }

    /// The component's offer of second derivatives, if it makes one, which gradients of exponents need: cells and stacks of
    /// them, dense layers, and explicit steps on a field that makes one.
    fn curved(&self) -> Option<&dyn Curved<T>> {
        None
    }
}
