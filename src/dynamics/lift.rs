//! A user's own field, written once on a small array, as a component.

use super::{Component, Dual, ParamSpec, Scalar, Tangent};
use crate::Real;
use crate::linalg::{Block, BlockMut};

/// A vector field of `N` states and `P` parameters, written once for any [`Scalar`].
///
/// ```
/// use flowmap::dynamics::{Scalar, SmallField};
/// struct LotkaVolterra;
/// impl SmallField<2, 4> for LotkaVolterra {
///     fn rhs<S: Scalar>(&self, _t: S, y: [S; 2], p: [S; 4]) -> [S; 2] {
///         [p[0] * y[0] - p[1] * y[0] * y[1], p[2] * y[0] * y[1] - p[3] * y[1]]
///     }
/// }
/// ```
pub trait SmallField<const N: usize, const P: usize>: Send + Sync {
    /// `dy/dt` at time `t` and state `y` with parameters `p`.
    fn rhs<S: Scalar>(&self, t: S, y: [S; N], p: [S; P]) -> [S; N];
}

/// Makes a component of a [`SmallField`]: arguments are the state and time, derivatives come from dual numbers. The
/// slab is the Jacobian, `N·(N + 1 + P)` numbers; linearising costs about that many times as much as evaluating.
#[derive(Clone, Debug)]
pub struct Lift<F, const N: usize, const P: usize>(
    /// The field.
    pub F,
);

impl<F, const N: usize, const P: usize> Lift<F, N, P> {
    /// Columns of the Jacobian in the slab: state, time, parameters.
    const COLUMNS: usize = N + 1 + P;
}

impl<T: Real + Scalar, F: SmallField<N, P>, const N: usize, const P: usize> Component<T> for Lift<F, N, P> {
    fn in_dim(&self) -> usize {
        N + 1
    }

    fn out_dim(&self) -> usize {
        N
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        vec![ParamSpec::new(format!("{prefix}p"), &[P])]
    }

    fn param_count(&self) -> usize {
        P
    }

    fn slab_len(&self) -> usize {
        N * Self::COLUMNS
    }

    fn scratch_len(&self) -> usize {
        0
    }

    fn eval(&self, params: &[T], u: Block<T>, mut out: BlockMut<T>, _: &mut [T]) {
        let p: [T; P] = std::array::from_fn(|i| params[i]);
        for lane in 0..u.lanes {
            let y: [T; N] = std::array::from_fn(|i| u.row(i)[lane]);
            let f = self.0.rhs(u.row(N)[lane], y, p);
            (0..N).for_each(|i| out.row(i)[lane] = f[i]);
        }
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, mut slab: BlockMut<T>, scratch: &mut [T]) {
        for lane in 0..u.lanes {
            let y: [T; N] = std::array::from_fn(|i| u.row(i)[lane]);
            let t = u.row(N)[lane];
            let by_state = self.0.rhs(
                Dual::<T, N>::constant(t),
                std::array::from_fn(|i| Dual::variable(y[i], i)),
                std::array::from_fn(|i| Dual::constant(params[i])),
            );
            let by_time = self.0.rhs(
                Dual::<T, 1>::variable(t, 0),
                std::array::from_fn(|i| Dual::constant(y[i])),
                std::array::from_fn(|i| Dual::constant(params[i])),
            );
            let by_params = self.0.rhs(
                Dual::<T, P>::constant(t),
                std::array::from_fn(|i| Dual::constant(y[i])),
                std::array::from_fn(|i| Dual::variable(params[i], i)),
            );
            for i in 0..N {
                let row = by_state[i].parts.iter().chain(&by_time[i].parts).chain(&by_params[i].parts);
                for (j, &derivative) in row.enumerate() {
                    slab.row(i * Self::COLUMNS + j)[lane] = derivative;
                }
            }
        }
        // Evaluated apart: dual arithmetic may round a value differently from plain arithmetic.
        self.eval(params, u, out, scratch);
    }

    fn jvp(&self, _: &[T], slab: Block<T>, tangent: Tangent<T>, mut out: BlockMut<T>, _: &mut [T]) {
        for i in 0..N {
            for lane in 0..out.lanes {
                let point = lane % slab.lanes;
                let along = |j: usize| slab.row(i * Self::COLUMNS + j)[point];
                let mut sum = T::zero();
                for j in 0..=N {
                    sum += along(j) * tangent.arguments.row(j)[lane];
                }
                if let Some(direction) = tangent.params {
                    for j in 0..P {
                        sum += along(N + 1 + j) * direction.row(j)[lane];
                    }
                }
                out.row(i)[lane] = sum;
            }
        }
    }

    fn vjp(
        &self,
        _: &[T],
        slab: Block<T>,
        w: Block<T>,
        mut u_bar: BlockMut<T>,
        params_bar: Option<&mut [T]>,
        _: &mut [T],
    ) {
        let pulled = |j: usize, lane: usize| {
            (0..N).fold(T::zero(), |sum, i| sum + w.row(i)[lane] * slab.row(i * Self::COLUMNS + j)[lane % slab.lanes])
        };
        for j in 0..=N {
            for lane in 0..w.lanes {
                u_bar.row(j)[lane] = pulled(j, lane);
            }
        }
        if let Some(bar) = params_bar {
            for (j, bar) in bar.iter_mut().enumerate() {
                (0..w.lanes).for_each(|lane| *bar += pulled(N + 1 + j, lane));
            }
        }
    }
}
