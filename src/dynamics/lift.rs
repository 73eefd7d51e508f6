//! A user's own field or map, written once on a small array, as a component.

use super::march::{March, Marcher, Rows, Stages, Stand};
use super::stride::{Going, MOST_STATES, Method, Steps, Stride, Strider};
use super::{Component, Dual, ParamSpec, Scalar, Tangent};
use crate::Real;
use crate::linalg::{Block, BlockMut, Kernel, Pack, Vector, dispatch, dispatch_width};
use std::ops::Range;

/// A vector field of `N` states and `P` parameters, written once for any [`Scalar`].
///
/// `rhs` should carry `#[inline(always)]`, as in the example, and use loops rather than closures: it is evaluated for
/// several lanes at once with the processor's vector instructions, and what is not inlined cannot use them.
///
/// ```
/// use flowmap::dynamics::{Scalar, SmallField};
/// struct LotkaVolterra;
/// impl SmallField<2, 4> for LotkaVolterra {
///     #[inline(always)]
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

/// Makes a component of a [`SmallField`] whose parameters are inputs, so that every trajectory may have its own: the
/// arguments are the state, then `P` inputs, then time, and the component has no parameters of its own.
///
/// ```
/// use flowmap::dynamics::{Constants, Field, Scalar, SmallField, Swept};
/// use flowmap::solve::{Options, Problem, solve};
/// struct Decay;
/// impl SmallField<1, 1> for Decay {
///     #[inline(always)]
///     fn rhs<S: Scalar>(&self, _t: S, [y]: [S; 1], [rate]: [S; 1]) -> [S; 1] {
///         [-rate * y]
///     }
/// }
/// let (decay, rates) = (Swept::<_, 1, 1>(Decay), Constants { dim: 1, values: vec![1.0, 2.0] });
/// let field = Field::with_inputs(&decay, &rates, true)?;
/// let problem = Problem { start_times: &[0.0; 2], starts: &[1.0; 2], row_ptr: &[0, 1, 2], times: &[1.0; 2] };
/// let states = solve(field, &[], &problem, &Options::adaptive(1e-9, 1e-9))?.states;
/// assert!((states[0] - (-1.0f64).exp()).abs() < 1e-8 && (states[1] - (-2.0f64).exp()).abs() < 1e-8);
/// # Ok::<(), flowmap::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Swept<F, const N: usize, const P: usize>(
    /// The field.
    pub F,
);

/// Columns of the Jacobian in the slab: state, time, parameters.
const fn columns(n: usize, p: usize) -> usize {
    n + 1 + p
}

/// The values of a map, `SWEPT` if its parameters are rows of the arguments.
struct Values<'a, T, F, const N: usize, const M: usize, const P: usize, const SWEPT: bool> {
    map: &'a F,
    params: &'a [T],
    u: Block<'a, T>,
    out: BlockMut<'a, T>,
}

impl<T: Real, F: SmallMap<N, M, P>, const N: usize, const M: usize, const P: usize, const SWEPT: bool> Kernel<T>
    for Values<'_, T, F, N, M, P, SWEPT>
{
    #[inline(always)]
    fn run<V: Vector<T>>(mut self) {
        let mut first = 0;
        while first < self.u.lanes {
            let lanes = first..(first + V::N).min(self.u.lanes);
            let mut y = [Pack::<T, V, 1>::splat(T::zero()); N];
            let mut p = [Pack::<T, V, 1>::splat(T::zero()); P];
            for (i, y) in y.iter_mut().enumerate() {
                *y = Pack::load_part(&self.u.row(i)[lanes.clone()]);
            }
            for (i, p) in p.iter_mut().enumerate() {
                *p = if SWEPT {
                    Pack::load_part(&self.u.row(N + i)[lanes.clone()])
                } else {
                    Pack::splat(self.params[i])
                };
            }
            let time = if SWEPT { N + P } else { N };
            let t = Pack::load_part(&self.u.row(time)[lanes.clone()]);
            let values = self.map.at(t, y, p);
            for (i, value) in values.into_iter().enumerate() {
                value.store_part(&mut self.out.row(i)[lanes.clone()]);
            }
            first += V::N;
        }
    }
}

fn linearize<T: Real, F: SmallMap<N, M, P>, const N: usize, const M: usize, const P: usize, const SWEPT: bool>(
    map: &F,
    params: &[T],
    u: Block<T>,
    mut slab: BlockMut<T>,
) {
    for lane in 0..u.lanes {
        let y: [T; N] = std::array::from_fn(|i| u.row(i)[lane]);
        let params: [T; P] = std::array::from_fn(|i| if SWEPT { u.row(N + i)[lane] } else { params[i] });
        let t = u.row(if SWEPT { N + P } else { N })[lane];
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

/// The column of the slab for row `j` of the arguments.
fn column<const N: usize, const P: usize, const SWEPT: bool>(j: usize) -> usize {
    match j {
        _ if !SWEPT || j < N => j,
        _ if j == N + P => N,
        _ => j + 1,
    }
}

fn jvp<T: Real, const N: usize, const M: usize, const P: usize, const SWEPT: bool>(
    slab: Block<T>,
    tangent: Tangent<T>,
    mut out: BlockMut<T>,
) {
    for i in 0..M {
        for lane in 0..out.lanes {
            let point = lane % slab.lanes;
            let along = |j: usize| slab.row(i * columns(N, P) + j)[point];
            let mut sum = T::zero();
            for j in 0..tangent.arguments.rows() {
                sum += along(column::<N, P, SWEPT>(j)) * tangent.arguments.row(j)[lane];
            }
            if let (Some(direction), false) = (tangent.params, SWEPT) {
                for j in 0..P {
                    sum += along(N + 1 + j) * direction.row(j)[lane];
                }
            }
            out.row(i)[lane] = sum;
        }
    }
}

fn vjp<T: Real, const N: usize, const M: usize, const P: usize, const SWEPT: bool>(
    slab: Block<T>,
    w: Block<T>,
    mut u_bar: BlockMut<T>,
    params_bar: Option<&mut [T]>,
) {
    let along = |i: usize, j: usize, lane: usize| slab.row(i * columns(N, P) + j)[lane % slab.lanes];
    let pulled = |j: usize, lane: usize| (0..M).fold(T::zero(), |sum, i| sum + w.row(i)[lane] * along(i, j, lane));
    for j in 0..u_bar.rows() {
        for lane in 0..w.lanes {
            u_bar.row(j)[lane] = pulled(column::<N, P, SWEPT>(j), lane);
        }
    }
    if let Some(bar) = params_bar {
        for (j, bar) in bar.iter_mut().enumerate() {
            (0..w.lanes).for_each(|lane| *bar += pulled(N + 1 + j, lane));
        }
    }
}

macro_rules! marching {
    ($name:ident, $swept:literal) => {
        impl<T: Real, F: SmallField<N, P>, const N: usize, const P: usize> March<T> for $name<F, N, P> {
            fn march(
                &self,
                params: &[T],
                rows: Rows<T>,
                first: Range<usize>,
                stand: &mut Stand<T>,
                settle: &mut dyn FnMut(&mut Stand<T>) -> Option<Range<usize>>,
            ) {
                let stages = Stages::<T, F, N, P, $swept> { field: &self.0, params, rows, first, stand, settle };
                dispatch_width(stages.stand.width, stages);
            }
        }
    };
}

impl<T: Real, F: SmallField<N, P>, const N: usize, const P: usize> Stride<T> for Lift<F, N, P> {
    fn stride(&self, params: &[T], method: Option<Method<T>>, going: Going<T>) {
        dispatch(Steps::<T, F, N, N, P> { field: &self.0, params, method, going });
    }
}

impl<T: Real, F: SmallMap<N, M, P>, const N: usize, const M: usize, const P: usize> Stride<T> for LiftMap<F, N, M, P> {
    fn stride(&self, params: &[T], method: Option<Method<T>>, going: Going<T>) {
        dispatch(Steps::<T, F, N, M, P> { field: &self.0, params, method, going });
    }
}

/// What a small component whose value is the next state, or its derivative, offers.
fn strider<T: Real>(small: &dyn Stride<T>, states: usize, values: usize) -> Option<Strider<'_, T>> {
    (states == values && states <= MOST_STATES).then_some(Strider { small, method: None })
}

marching!(Lift, false);
marching!(Swept, true);

macro_rules! lifted {
    ($name:ident<$($size:ident),*>, $trait:ident<$($of:ident),*>, $m:ident, $swept:literal, |$self:ident| $marcher:expr, $strider:expr) => {
        impl<T: Real, F: $trait<$($of),*>, $(const $size: usize),*> Component<T> for $name<F, $($size),*> {
            fn in_dim(&self) -> usize {
                if $swept { N + P + 1 } else { N + 1 }
            }

            fn out_dim(&self) -> usize {
                $m
            }

            fn params(&self, prefix: &str) -> Vec<ParamSpec> {
                if $swept { Vec::new() } else { vec![ParamSpec::new(format!("{prefix}p"), &[P])] }
            }

            fn param_count(&self) -> usize {
                if $swept { 0 } else { P }
            }

            fn slab_len(&self) -> usize {
                $m * columns(N, P)
            }

            fn scratch_len(&self) -> usize {
                0
            }

            fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, _: &mut [T]) {
                dispatch(Values::<T, F, N, $m, P, $swept> { map: &self.0, params, u, out });
            }

            fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, _: &mut [T]) {
                linearize::<T, F, N, $m, P, $swept>(&self.0, params, u, slab);
                // Evaluated apart: dual arithmetic may round a value differently from that of packs.
                dispatch(Values::<T, F, N, $m, P, $swept> { map: &self.0, params, u, out });
            }

            fn jvp(&self, _: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, _: &mut [T]) {
                jvp::<T, N, $m, P, $swept>(slab, tangent, out);
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
                vjp::<T, N, $m, P, $swept>(slab, w, u_bar, params_bar);
            }

            fn marcher(&$self) -> Option<Marcher<'_, T>> {
                $marcher
            }

            fn strider(&$self) -> Option<Strider<'_, T>> {
                $strider
            }
        }
    };
}

lifted!(Lift<N, P>, SmallField<N, P>, N, false, |self| Some(Marcher(self)), strider(self, N, N));
lifted!(Swept<N, P>, SmallField<N, P>, N, true, |self| Some(Marcher(self)), None);
lifted!(LiftMap<N, M, P>, SmallMap<N, M, P>, M, false, |self| None, strider(self, N, M));
