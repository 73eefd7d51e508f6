//! One learned factor for a whole output.

use crate::Real;
use crate::dynamics::{Component, ParamSpec, Tangent};
use crate::linalg::{Block, BlockMut};

/// `out = s u` with one learned scalar `s`: how strongly a bounded network may act.
#[derive(Clone, Copy, Debug)]
pub struct Gain(
    /// Rows in and out.
    pub usize,
);

impl<T: Real> Component<T> for Gain {
    fn in_dim(&self) -> usize {
        self.0
    }

    fn out_dim(&self) -> usize {
        self.0
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        vec![ParamSpec::new(format!("{prefix}gain"), &[1])]
    }

    fn param_count(&self) -> usize {
        1
    }

    fn slab_len(&self) -> usize {
        self.0
    }

    fn scratch_len(&self) -> usize {
        0
    }

    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, _: &mut [T]) {
        out.data.iter_mut().zip(u.data).for_each(|(out, &u)| *out = params[0] * u);
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, scratch: &mut [T]) {
        slab.data.copy_from_slice(u.data);
        self.eval(params, u, out, scratch);
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, mut out: BlockMut<T>, scratch: &mut [T]) {
        self.eval(params, tangent.arguments, out.reborrow(), scratch);
        if let Some(directions) = tangent.params {
            for i in 0..self.0 {
                let along = out.row(i).iter_mut().zip(directions.row(0)).enumerate();
                along.for_each(|(lane, (out, &d))| *out += d * slab.row(i)[lane % slab.lanes]);
            }
        }
    }

    fn vjp(
        &self,
        params: &[T],
        slab: Block<T>,
        w: Block<T>,
        u_bar: BlockMut<T>,
        params_bar: Option<&mut [T]>,
        scratch: &mut [T],
    ) {
        if let Some(bar) = params_bar {
            for i in 0..self.0 {
                for (lane, &w) in w.row(i).iter().enumerate() {
                    bar[0] += w * slab.row(i)[lane % slab.lanes];
                }
            }
        }
        self.eval(params, w, u_bar, scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testkit;

    #[test]
    fn the_component_fulfils_the_contract() {
        for seed in 0..5 {
            testkit::check(&Gain(3), &[0.7f64], 1.0, seed).unwrap();
            testkit::check(&Gain(3), &[-0.7f32], 1.0, seed).unwrap();
        }
    }
}
