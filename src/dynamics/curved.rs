//! Derivatives of a linearisation: what a loss on Jacobian products needs.

use super::Component;
use crate::Real;
use crate::linalg::{Block, BlockMut};

/// What is pulled back through a step that carried tangents along.
#[derive(Clone, Copy, Debug)]
pub struct Bend<'a, T> {
    /// What [`linearize`](Component::linearize) left, of one point.
    pub slab: Block<'a, T>,
    /// The tangents that were pushed, `in_dim × lanes`.
    pub tangents: Block<'a, T>,
    /// What the push kept, `pushed_len × lanes`.
    pub pushed: Block<'a, T>,
    /// Cotangent `a` of the value, `out_dim × 1`.
    pub value: Block<'a, T>,
    /// Cotangents `w` of the tangents' images, `out_dim × lanes`.
    pub images: Block<'a, T>,
}

/// A component that can be differentiated twice: of `s = aᵀ g(u; θ) + Σ_lanes wᵀ (∂g/∂u)(u; θ) δu` it gives the exact
/// derivatives by the point, by the tangents and by the parameters.
pub trait Curved<T: Real>: Component<T> {
    /// Numbers a lane that a push keeps.
    fn pushed_len(&self) -> usize;

    /// Numbers a lane, the point's among them, that [`bend`](Self::bend) needs for a moment.
    fn bend_scratch_len(&self) -> usize;

    /// `out = ∂g/∂u · δu` to the same bits as [`Component::jvp`], with `pushed` filled. The slab is of one point.
    fn push(
        &self,
        params: &[T],
        slab: Block<T>,
        tangents: Block<T>,
        out: BlockMut<T>,
        pushed: BlockMut<T>,
        scratch: &mut [T],
    );

    /// `bars`, `in_dim × (lanes + 1)`, becomes `∂s/∂δu` in the first lanes and `∂s/∂u` in the last one; `kept`,
    /// `pushed_len × (lanes + 1)`, what [`accumulate`](Self::accumulate) needs.
    ///
    /// Cost: a pull of all lanes and one more, and the functions of each unit's numbers twice.
    fn bend(&self, params: &[T], bend: Bend<T>, bars: BlockMut<T>, kept: BlockMut<T>, scratch: &mut [T]);

    /// `params_bar += ∂s/∂θ`, summed over several bends side by side, each of `group` lanes: of each `u`, `in_dim × lanes`,
    /// holds the tangents and, in the last lane, the point, and `kept` what the bend kept.
    fn accumulate(&self, u: Block<T>, kept: Block<T>, group: usize, params_bar: &mut [T]);
}

/// A block's lanes with one more beside them: tangents and their point.
pub(crate) fn side_by_side<T: Copy>(block: &[T], lane: &[T], out: &mut [T]) {
    let lanes = block.len() / lane.len().max(1);
    for ((row, &last), out) in block.chunks_exact(lanes.max(1)).zip(lane).zip(out.chunks_exact_mut(lanes + 1)) {
        out[..lanes].copy_from_slice(row);
        out[lanes] = last;
    }
}

/// The lanes of tangents, and that of their point, apart.
pub(crate) fn apart<T: Copy>(both: &[T], lanes: usize, block: &mut [T], lane: &mut [T]) {
    for ((row, last), both) in block.chunks_exact_mut(lanes).zip(lane).zip(both.chunks_exact(lanes + 1)) {
        row.copy_from_slice(&both[..lanes]);
        *last = both[lanes];
    }
}

/// `sums += block`, summed over its lanes in order.
pub(crate) fn add_lanes<T: Real>(block: &[T], lanes: usize, sums: &mut [T]) {
    for (sum, row) in sums.iter_mut().zip(block.chunks_exact(lanes)) {
        *sum = row.iter().fold(*sum, |sum, &x| sum + x);
    }
}

/// `sums += block`, summed over the points of several bends side by side: biases move the point, no tangent.
pub(crate) fn add_points<T: Real>(block: Block<T>, group: usize, sums: &mut [T]) {
    for (sum, row) in sums.iter_mut().zip(block.data.chunks_exact(block.lanes)) {
        *sum = row.iter().skip(group - 1).step_by(group).fold(*sum, |sum, &x| sum + x);
    }
}
