//! Small systems that take many steps with their tangents in vector lanes.
//!
//! Only this much is compiled anew for every small system: steps of a map, or of an explicit method on a field, in dual
//! numbers. How long to go on, and what to do with the tangents then, is decided by the engine that calls.

use super::SmallMap;
use super::march::Rows;
use super::ray::Ray;
use crate::Real;
use crate::linalg::{Kernel, Pack, Vector};

/// A component's offer to take many steps with tangents in vector lanes.
#[derive(Clone, Copy)]
pub struct Strider<'a, T: Real> {
    pub(crate) small: &'a dyn Stride<T>,
    /// The explicit method that makes steps of a field; none where the component's value is the next state.
    pub(crate) method: Option<Method<'a, T>>,
}

/// An explicit method with its step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Method<'a, T> {
    pub rows: Rows<'a, T>,
    pub step: T,
}

/// States and frames side by side: lane `j · starts + s` of the frame is tangent `j` of start `s`.
#[derive(Debug)]
pub(crate) struct Going<'a, T> {
    pub starts: usize,
    /// Number of the first step.
    pub first: u64,
    pub steps: u64,
    /// Time of step 0, and between steps.
    pub clock: (f64, f64),
    /// `N × starts`.
    pub state: &'a mut [T],
    /// `N × (tangents · starts)`.
    pub frame: &'a mut [T],
}

/// Takes steps.
pub(crate) trait Stride<T: Real>: Send + Sync {
    /// Moves all states and frames. A lane's bits do not depend on the others; those of its state are the ones that the
    /// component's own operations give.
    fn stride(&self, params: &[T], method: Option<Method<T>>, going: Going<T>);
}

/// Most states whose stages find room on the stack, and most stages.
pub(super) const MOST_STATES: usize = 8;
pub(crate) const MOST_STAGES: usize = 16;

/// Steps of a small map or field.
pub(super) struct Steps<'a, T, F, const N: usize, const M: usize, const P: usize> {
    pub field: &'a F,
    pub params: &'a [T],
    pub method: Option<Method<'a, T>>,
    pub going: Going<'a, T>,
}

impl<T: Real, F: SmallMap<N, M, P>, const N: usize, const M: usize, const P: usize> Kernel<T>
    for Steps<'_, T, F, N, M, P>
{
    #[inline(always)]
    fn run<V: Vector<T>>(mut self) {
        let mut first = 0;
        while first < self.going.starts {
            let width = V::N.min(self.going.starts - first);
            self.lanes::<V>(first, width);
            first += width;
        }
    }
}

impl<T: Real, F: SmallMap<N, M, P>, const N: usize, const M: usize, const P: usize> Steps<'_, T, F, N, M, P> {
    #[inline(always)]
    fn lanes<V: Vector<T>>(&mut self, first: usize, width: usize) {
        let Going { starts, first: begin, steps, clock, .. } = self.going;
        let tangents = self.going.frame.len() / self.going.state.len();
        let zero = Pack::<T, V, 1>::splat(T::zero());
        let mut y = [Ray::<T, V, N>::constant(zero); N];
        let mut i = 0;
        while i < N {
            y[i].value = Pack::load_part(&self.going.state[i * starts + first..][..width]);
            let mut j = 0;
            while j < tangents {
                y[i].parts[j] = Pack::load_part(&self.going.frame[(i * tangents + j) * starts + first..][..width]);
                j += 1;
            }
            i += 1;
        }
        let mut p = [Ray::<T, V, N>::constant(zero); P];
        i = 0;
        while i < P {
            p[i].value = Pack::splat(self.params[i]);
            i += 1;
        }
        let mut step = begin;
        while step < begin + steps {
            let t = Pack::splat(T::of(clock.0 + clock.1 * step as f64));
            match &self.method {
                None => {
                    let next = self.field.at(Ray::constant(t), y, p);
                    i = 0;
                    while i < N && i < M {
                        y[i] = next[i];
                        i += 1;
                    }
                }
                Some(method) => self.integrate::<V>(method, t, &mut y, p),
            }
            step += 1;
        }
        i = 0;
        while i < N {
            y[i].value.store_part(&mut self.going.state[i * starts + first..][..width]);
            let mut j = 0;
            while j < tangents {
                y[i].parts[j].store_part(&mut self.going.frame[(i * tangents + j) * starts + first..][..width]);
                j += 1;
            }
            i += 1;
        }
    }

    /// One step of an explicit method.
    #[inline(always)]
    fn integrate<V: Vector<T>>(
        &self,
        method: &Method<T>,
        t: Pack<T, V, 1>,
        y: &mut [Ray<T, V, N>; N],
        p: [Ray<T, V, N>; P],
    ) {
        let h = Pack::splat(method.step);
        let none = Ray::<T, V, N>::constant(Pack::splat(T::zero()));
        let mut stages = [[none; M]; MOST_STAGES];
        let mut j = 0;
        while j < method.rows.stages {
            let mut state = *y;
            if j > 0 {
                let mut sum = [none; N];
                for &(l, weight) in &method.rows.a[j] {
                    let weight = Pack::splat(weight);
                    let mut i = 0;
                    while i < N && i < M {
                        sum[i] = stages[l][i].fma(weight, sum[i]);
                        i += 1;
                    }
                }
                let mut i = 0;
                while i < N {
                    state[i] = sum[i].fma(h, y[i]);
                    i += 1;
                }
            }
            if j + 1 == method.rows.stages {
                // The last stage's state is the result.
                *y = state;
                return;
            }
            let time = t + Pack::splat(method.rows.c[j]) * h;
            stages[j] = self.field.at(Ray::constant(time), state, p);
            j += 1;
        }
    }
}
