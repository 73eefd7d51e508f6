//! Time as inputs with known periods.

use crate::Real;
use crate::dynamics::{Component, ParamSpec, Tangent};
use crate::linalg::{Block, BlockMut};

/// Turns the time row into inputs: `sin(ω_k t + φ_k), cos(ω_k t + φ_k)` for each known period, then, where wanted, time
/// itself times a scale. No parameters. Arguments: one row; output: `2K (+ 1)` rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Harmonics {
    /// Angular frequency and phase of each period.
    pub waves: Vec<(f64, f64)>,
    /// The factor of time itself, if it is an input.
    pub linear: Option<f64>,
}

impl Harmonics {
    fn rows(&self) -> usize {
        2 * self.waves.len() + usize::from(self.linear.is_some())
    }

    /// Values and derivatives by time, row by row.
    fn at<T: Real>(&self, t: T, mut row: impl FnMut(usize, T, T)) {
        for (k, &(omega, phase)) in self.waves.iter().enumerate() {
            let (sin, cos) = (T::of(omega) * t + T::of(phase)).sin_cos();
            row(2 * k, sin, T::of(omega) * cos);
            row(2 * k + 1, cos, -T::of(omega) * sin);
        }
        if let Some(scale) = self.linear {
            row(2 * self.waves.len(), T::of(scale) * t, T::of(scale));
        }
    }
}

impl<T: Real> Component<T> for Harmonics {
    fn in_dim(&self) -> usize {
        1
    }

    fn out_dim(&self) -> usize {
        self.rows()
    }

    fn params(&self, _: &str) -> Vec<ParamSpec> {
        Vec::new()
    }

    fn param_count(&self) -> usize {
        0
    }

    fn slab_len(&self) -> usize {
        self.rows()
    }

    fn scratch_len(&self) -> usize {
        0
    }

    fn eval(&self, _: &[T], u: Block<T>, mut out: BlockMut<T>, _: &mut [T]) {
        for lane in 0..u.lanes {
            self.at(u.data[lane], |i, value, _| out.row(i)[lane] = value);
        }
    }

    fn linearize(&self, _: &[T], u: Block<T>, mut out: BlockMut<T>, mut slab: BlockMut<T>, _: &mut [T]) {
        for lane in 0..u.lanes {
            self.at(u.data[lane], |i, value, slope| {
                out.row(i)[lane] = value;
                slab.row(i)[lane] = slope;
            });
        }
    }

    fn jvp(&self, _: &[T], slab: Block<T>, tangent: Tangent<T>, mut out: BlockMut<T>, _: &mut [T]) {
        for i in 0..self.rows() {
            for lane in 0..out.lanes {
                out.row(i)[lane] = slab.row(i)[lane % slab.lanes] * tangent.arguments.data[lane];
            }
        }
    }

    fn vjp(&self, _: &[T], slab: Block<T>, w: Block<T>, u_bar: BlockMut<T>, _: Option<&mut [T]>, _: &mut [T]) {
        for lane in 0..w.lanes {
            let pulled = |i: usize| slab.row(i)[lane % slab.lanes] * w.row(i)[lane];
            u_bar.data[lane] = (0..self.rows()).fold(T::zero(), |sum, i| sum + pulled(i));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testkit;

    #[test]
    fn the_component_fulfils_the_contract() {
        for linear in [None, Some(0.3)] {
            let harmonics = Harmonics { waves: vec![(1.3, 0.2), (4.0, -1.0)], linear };
            for seed in 0..10 {
                testkit::check::<f64, _>(&harmonics, &[], 3.0, seed).unwrap();
                testkit::check::<f32, _>(&harmonics, &[], 3.0, seed).unwrap();
            }
        }
    }
}
