//! The dense Jacobian, where it is wanted.

use super::{Component, Tangent};
use crate::Real;
use crate::linalg::{Block, BlockMut};

/// Jacobians of a component at one point after another.
pub struct PointJacobian<'a, T: Real> {
    component: &'a dyn Component<T>,
    params: &'a [T],
    /// The component's value at the last point.
    pub value: Vec<T>,
    slab: Vec<T>,
    scratch: Vec<T>,
}

impl<'a, T: Real> PointJacobian<'a, T> {
    /// Of a component with its parameters.
    pub fn new(component: &'a dyn Component<T>, params: &'a [T]) -> Self {
        let room = |count| vec![T::zero(); count];
        let (value, slab) = (room(component.out_dim()), room(component.slab_len()));
        Self { component, params, value, slab, scratch: room(component.scratch_len()) }
    }

    /// The [`jacobian`] by the first `columns` of the arguments. Costs a linearisation more than that.
    pub fn at(&mut self, arguments: &[T], columns: usize) -> Vec<T> {
        let (u, out, slab) =
            (Block::new(arguments, 1), BlockMut::new(&mut self.value, 1), BlockMut::new(&mut self.slab, 1));
        self.component.linearize(self.params, u, out, slab, &mut self.scratch);
        jacobian(self.component, self.params, Block::new(&self.slab, 1), columns)
    }
}

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
