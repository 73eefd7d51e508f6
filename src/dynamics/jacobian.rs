//! The dense Jacobian, where it is wanted.

use super::{Component, Tangent};
use crate::Real;
use crate::linalg::{Block, BlockMut};

/// `∂g/∂u` by the first `columns` arguments at the point of a slab, `out_dim × columns`, row after row; a system's Jacobian
/// by its state has as many columns as rows.
///
/// One push of as many unit tangents: costs `columns` JVPs and allocates; whatever needs only products with the Jacobian
/// should push or pull instead.
pub fn jacobian<T: Real>(component: &dyn Component<T>, params: &[T], slab: Block<T>, columns: usize) -> Vec<T> {
    debug_assert!(slab.lanes == 1 && columns <= component.in_dim());
    let mut unit = vec![T::zero(); component.in_dim() * columns];
    (0..columns).for_each(|i| unit[i * columns + i] = T::one());
    let mut out = vec![T::zero(); component.out_dim() * columns];
    let mut scratch = vec![T::zero(); component.scratch_len() * columns];
    if columns > 0 {
        let tangent = Tangent::from(Block::new(&unit, columns));
        component.jvp(params, slab, tangent, BlockMut::new(&mut out, columns), &mut scratch);
    }
    out
}
