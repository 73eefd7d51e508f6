//! A user's own field or map, written once on a small array, as a component.

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

/// A map from `N` states and time to `M` numbers with `P` parameters, written once for any [`Scalar`]: the next state of
/// a discrete system (its time is the step's number), what an event watches, or the state after a jump.
pub trait SmallMap<const N: usize, const M: usize, const P: usize>: Send + Sync {
    /// The value at time `t` and state `y` with parameters `p`.
    fn at<S: Scalar>(&self, t: S, y: [S; N], p: [S; P]) -> [S; M];
}

impl<F: SmallField<N, P>, const N: usize, const P: usize> SmallMap<N, N, P> for F {
    #[inline(always)]
    fn at<S: Scalar>(&self, t: S, y: [S; N], p: [S; P]) -> [S; N] {
        self.rhs(t, y, p)
    }
}

/// Makes a component of a [`SmallField`]: arguments are the state and time, derivatives come from dual numbers. The
/// slab is the Jacobian, `N·(N + 1 + P)` numbers; linearising costs about that many times as much as evaluating.
#[derive(Clone, Debug)]
pub struct Lift<F, const N: usize, const P: usize>(
    /// The field.
    pub F,
);

/// Makes a component of a [`SmallMap`], as [`Lift`] does of a field.
#[derive(Clone, Debug)]
pub struct LiftMap<F, const N: usize, const M: usize, const P: usize>(
    /// The map.
    pub F,
);

/// Columns of the Jacobian in the slab: state, time, parameters.
const fn columns(n: usize, p: usize) -> usize {
    n + 1 + p
}

fn eval<T: Real + Scalar, F: SmallMap<N, M, P>, const N: usize, const M: usize, const P: usize>(
    map: &F,
    params: &[T],
    u: Block<T>,
    mut out: BlockMut<T>,
) {
    let p: [T; P] = std::array::from_fn(|i| params[i]);
    for lane in 0..u.lanes {
        let y: [T; N] = std::array::from_fn(|i| u.row(i)[lane]);
        let f = map.at(u.row(N)[lane], y, p);
        (0..M).for_each(|i| out.row(i)[lane] = f[i]);
    }
}

fn linearize<T: Real + Scalar, F: SmallMap<N, M, P>, const N: usize, const M: usize, const P: usize>(
    map: &F,
    params: &[T],
    u: Block<T>,
    mut slab: BlockMut<T>,
) {
    for lane in 0..u.lanes {
        let y: [T; N] = std::array::from_fn(|i| u.row(i)[lane]);
        let t = u.row(N)[lane];
        let by_state = map.at(
            Dual::<T, N>::constant(t),
            std::array::from_fn(|i| Dual::variable(y[i], i)),
            std::array::from_fn(|i| Dual::constant(params[i])),
        );
        let by_time = map.at(
            Dual::<T, 1>::variable(t, 0),
            std::array::from_fn(|i| Dual::constant(y[i])),
            std::array::from_fn(|i| Dual::constant(params[i])),
        );
        let by_params = map.at(
            Dual::<T, P>::constant(t),
            std::array::from_fn(|i| Dual::constant(y[i])),
            std::array::from_fn(|i| Dual::variable(params[i], i)),
        );
        for i in 0..M {
            let row = by_state[i].parts.iter().chain(&by_time[i].parts).chain(&by_params[i].parts);
            for (j, &derivative) in row.enumerate() {
                slab.row(i * columns(N, P) + j)[lane] = derivative;
            }
        }
    }
}

fn jvp<T: Real, const N: usize, const M: usize, const P: usize>(
    slab: Block<T>,
    tangent: Tangent<T>,
    mut out: BlockMut<T>,
) {
    for i in 0..M {
        for lane in 0..out.lanes {
            let point = lane % slab.lanes;
            let along = |j: usize| slab.row(i * columns(N, P) + j)[point];
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

fn vjp<T: Real, const N: usize, const M: usize, const P: usize>(
    slab: Block<T>,
    w: Block<T>,
    mut u_bar: BlockMut<T>,
    params_bar: Option<&mut [T]>,
) {
    let along = |i: usize, j: usize, lane: usize| slab.row(i * columns(N, P) + j)[lane % slab.lanes];
    let pulled = |j: usize, lane: usize| (0..M).fold(T::zero(), |sum, i| sum + w.row(i)[lane] * along(i, j, lane));
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

macro_rules! lifted {
    ($name:ident<$($size:ident),*>, $trait:ident<$($of:ident),*>, $m:ident) => {
        impl<T: Real + Scalar, F: $trait<$($of),*>, $(const $size: usize),*> Component<T> for $name<F, $($size),*> {
            fn in_dim(&self) -> usize {
                N + 1
            }

            fn out_dim(&self) -> usize {
                $m
            }

            fn params(&self, prefix: &str) -> Vec<ParamSpec> {
                vec![ParamSpec::new(format!("{prefix}p"), &[P])]
            }

            fn param_count(&self) -> usize {
                P
            }

            fn slab_len(&self) -> usize {
                $m * columns(N, P)
            }

            fn scratch_len(&self) -> usize {
                0
            }

            fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, _: &mut [T]) {
                eval(&self.0, params, u, out);
            }

            fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, _: &mut [T]) {
                linearize::<T, F, N, $m, P>(&self.0, params, u, slab);
                // Evaluated apart: dual arithmetic may round a value differently from plain arithmetic.
                eval(&self.0, params, u, out);
            }

            fn jvp(&self, _: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, _: &mut [T]) {
                jvp::<T, N, $m, P>(slab, tangent, out);
            }

            fn vjp(
                &self,
                _: &[T],
                slab: Block<T>,
                w: Block<T>,
                u_bar: BlockMut<T>,
                params_bar: Option<&mut [T]>,
                _: &mut [T],
            ) {
                vjp::<T, N, $m, P>(slab, w, u_bar, params_bar);
            }
        }
    };
}

lifted!(Lift<N, P>, SmallField<N, P>, N);
lifted!(LiftMap<N, M, P>, SmallMap<N, M, P>, M);
