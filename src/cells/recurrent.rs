//! What a cell offers beside its contract so that sequences are trained fast.

use crate::Real;
use crate::dynamics::Component;
use crate::linalg::{Block, BlockMut, Blocks};
use std::ops::Range;

/// A cell `h' = g([h; x]; θ)` that is run along sequences.
///
/// Along a sequence the same parameters act at every step, and their gradient is a sum over steps. So the pull is in two
/// halves: [`pull`](Self::pull) takes the state's cotangent through one step and keeps what the parameters' gradient
/// needs; [`accumulate`](Self::accumulate) makes the sum for many steps in one product. Together they are
/// [`Component::vjp`].
pub trait Recurrent<T: Real>: Component<T> {
    /// Rows of the state that the outside sees: an LSTM's `h`.
    fn visible(&self) -> Range<usize>;

    /// Numbers a lane that a pull keeps.
    fn kept_len(&self) -> usize;

    /// The first half of [`Component::vjp`]: `u_bar`, to the same bits, and `kept`, `kept_len × lanes`.
    fn pull(&self, params: &[T], slab: Block<T>, w: Block<T>, u_bar: BlockMut<T>, kept: BlockMut<T>, scratch: &mut [T]);

    /// The second half: `params_bar += Σ wᵀ ∂g/∂θ` over the lanes of all the steps. `scratch` holds
    /// [`Component::scratch_len`] numbers for each lane of the widest step.
    fn accumulate(&self, params: &[T], slabs: Blocks<T>, kept: Blocks<T>, params_bar: &mut [T], scratch: &mut [T]);
}
