//! What a cell offers beside its contract so that sequences run fast.

use crate::Real;
use crate::dynamics::Component;
use crate::linalg::{Block, BlockMut, Blocks};
use std::ops::Range;

/// A cell `h' = g([h; x]; θ)` that is run along sequences.
///
/// Along a sequence the same weights act at every step, and their gradient is a sum over steps. So a cell may prepare the
/// weights once for all steps, and the pull is in two halves: [`pull`](Self::pull) takes the state's cotangent through one
/// step and keeps what the parameters' gradient needs; [`accumulate`](Self::accumulate) makes the sum for many steps in
/// one product. Together they are [`Component::vjp`].
pub trait Recurrent<T: Real>: Component<T> {
    /// Rows of the state that the outside sees: the last layer's `h`.
    fn visible(&self) -> Range<usize>;

    /// Length of the prepared weights.
    fn prepared_len(&self) -> usize {
        0
    }

    /// Arranges the weights for [`step`](Self::step) and [`pull`](Self::pull).
    fn prepare(&self, _params: &[T], _prepared: &mut [T]) {}

    /// [`Component::linearize`], to the same bits.
    fn step(&self, params: &[T], _prepared: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, scratch: &mut [T]) {
        self.linearize(params, u, out, slab, scratch);
    }

    /// Numbers a lane that a pull keeps.
    fn kept_len(&self) -> usize;

    /// The first half of [`Component::vjp`]: `u_bar` (to the same bits) and `kept`, `kept_len × lanes`.
    #[allow(clippy::too_many_arguments, reason = "the contract's blocks")]
    fn pull(
        &self,
        params: &[T],
        prepared: &[T],
        slab: Block<T>,
        w: Block<T>,
        u_bar: BlockMut<T>,
        kept: BlockMut<T>,
        scratch: &mut [T],
    );

    /// The second half: `params_bar += Σ wᵀ ∂g/∂θ` over the lanes of all the steps.
    fn accumulate(&self, params: &[T], slabs: Blocks<T>, kept: Blocks<T>, params_bar: &mut [T], scratch: &mut [T]);
}
