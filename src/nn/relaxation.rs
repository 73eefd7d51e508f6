//! A linear pull of some rows towards zero.

use crate::Real;
use crate::dynamics::{Component, ParamSpec, Tangent};
use crate::linalg::{Block, BlockMut};

/// `out_i = −κ_i u_i` for the chosen rows of the state, 0 for the others; further argument rows (inputs, time) are not
/// looked at. Parameters: one rate `κ` a chosen row, of either sign: training may turn the pull into a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relaxation {
    /// Rows of the arguments.
    pub arguments: usize,
    /// Rows of the state, which come first.
    pub state: usize,
    /// The rows that relax.
    pub rows: Vec<usize>,
}

impl<T: Real> Component<T> for Relaxation {
    fn in_dim(&self) -> usize {
        self.arguments
    }

    fn out_dim(&self) -> usize {
        self.state
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        vec![ParamSpec::new(format!("{prefix}rate"), &[self.rows.len()])]
    }

    fn param_count(&self) -> usize {
        self.rows.len()
    }

    fn slab_len(&self) -> usize {
        self.rows.len()
    }

    fn scratch_len(&self) -> usize {
        0
    }

    fn eval(&self, params: &[T], u: Block<T>, mut out: BlockMut<T>, _: &mut [T]) {
        out.data.fill(T::zero());
        for (&rate, &row) in params.iter().zip(&self.rows) {
            out.row(row).iter_mut().zip(u.row(row)).for_each(|(o, &x)| *o = -rate * x);
        }
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, mut slab: BlockMut<T>, scratch: &mut [T]) {
        for (k, &row) in self.rows.iter().enumerate() {
            slab.row(k).copy_from_slice(u.row(row));
        }
        self.eval(params, u, out, scratch);
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, mut out: BlockMut<T>, scratch: &mut [T]) {
        self.eval(params, tangent.arguments, out.reborrow(), scratch);
        if let Some(directions) = tangent.params {
            for (k, &row) in self.rows.iter().enumerate() {
                let along = out.row(row).iter_mut().zip(directions.row(k));
                along.enumerate().for_each(|(lane, (o, &d))| *o -= d * slab.row(k)[lane % slab.lanes]);
            }
        }
    }

    fn vjp(
        &self,
        params: &[T],
        slab: Block<T>,
        w: Block<T>,
        mut u_bar: BlockMut<T>,
        params_bar: Option<&mut [T]>,
        _: &mut [T],
    ) {
        u_bar.data.fill(T::zero());
        for (&rate, &row) in params.iter().zip(&self.rows) {
            u_bar.row(row).iter_mut().zip(w.row(row)).for_each(|(u, &w)| *u = -rate * w);
        }
        if let Some(bar) = params_bar {
            for (k, (bar, &row)) in bar.iter_mut().zip(&self.rows).enumerate() {
                let lanes = w.row(row).iter().enumerate();
                lanes.for_each(|(lane, &w)| *bar -= w * slab.row(k)[lane % slab.lanes]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testkit;

    #[test]
    fn the_component_fulfils_the_contract() {
        let relaxation = Relaxation { arguments: 4, state: 3, rows: vec![0, 2] };
        for seed in 0..10 {
            testkit::check::<f64, _>(&relaxation, &[0.3, -1.2], 1.0, seed).unwrap();
            testkit::check::<f32, _>(&relaxation, &[0.3, -1.2], 1.0, seed).unwrap();
        }
    }
}
