//! The steps themselves.

use super::{Pace, Plan, Slots, Terms};
use crate::Real;
use crate::dynamics::SmallMap;
use crate::linalg::{Kernel, Pack, PackMask, Vector};

/// Steps of a small field, `SWEPT` if each slot has its own parameters.
pub(in crate::dynamics) struct Steps<'a, T, F, const N: usize, const P: usize, const SWEPT: bool> {
    pub field: &'a F,
    pub params: &'a [T],
    pub plan: &'a Plan<'a, T>,
    pub slots: &'a mut Slots<T>,
    pub attend: &'a mut dyn FnMut(&mut Slots<T>) -> bool,
}

impl<T: Real, F: SmallMap<N, N, P>, const N: usize, const P: usize, const SWEPT: bool> Kernel<T>
    for Steps<'_, T, F, N, P, SWEPT>
{
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        if self.slots.width == V::N { self.take::<V, 1>() } else { self.take::<V, 2>() }
    }
}

/// The rows of a block.
#[inline(always)]
fn load<T: Real, V: Vector<T>, const C: usize, const N: usize>(block: &[T]) -> [Pack<T, V, C>; N] {
    let mut out = [Pack::splat(T::zero()); N];
    let block = &block[..N * Pack::<T, V, C>::LEN];
    let mut i = 0;
    while i < N {
        out[i] = Pack::load(&block[i * Pack::<T, V, C>::LEN..]);
        i += 1;
    }
    out
}

#[inline(always)]
fn store<T: Real, V: Vector<T>, const C: usize, const N: usize>(rows: &[Pack<T, V, C>; N], block: &mut [T]) {
    let block = &mut block[..N * Pack::<T, V, C>::LEN];
    let mut i = 0;
    while i < N {
        rows[i].store(&mut block[i * Pack::<T, V, C>::LEN..]);
        i += 1;
    }
}

/// `base + h Σ c_j k_j`, as [`linalg::combine`](crate::linalg::combine) has it.
#[inline(always)]
fn combine<T: Real, V: Vector<T>, const C: usize, const N: usize>(
    base: &[Pack<T, V, C>; N],
    h: Pack<T, V, C>,
    terms: &Terms<T>,
    stages: &[T],
) -> [Pack<T, V, C>; N] {
    let mut sum = [Pack::splat(T::zero()); N];
    for &(j, weight) in terms {
        let stage = load::<T, V, C, N>(&stages[j * N * Pack::<T, V, C>::LEN..]);
        let weight = Pack::splat(weight);
        let mut i = 0;
        while i < N {
            sum[i] = weight.fma(stage[i], sum[i]);
            i += 1;
        }
    }
    let mut i = 0;
    while i < N {
        sum[i] = h.fma(sum[i], base[i]);
        i += 1;
    }
    sum
}

/// The mean square of an estimate in units of the tolerance.
#[inline(always)]
fn mean_square<T: Real, V: Vector<T>, const C: usize, const N: usize>(
    estimate: &[Pack<T, V, C>; N],
    tolerance: &[Pack<T, V, C>; N],
) -> Pack<T, V, C> {
    let mut sum = Pack::splat(T::zero());
    let mut i = 0;
    while i < N {
        let scaled = estimate[i] / tolerance[i];
        sum = sum + scaled * scaled;
        i += 1;
    }
    sum / Pack::splat(T::of(N as f64))
}

/// Where all rows are finite.
#[inline(always)]
fn finite<T: Real, V: Vector<T>, const C: usize, const N: usize>(x: &[Pack<T, V, C>; N]) -> PackMask<V::Mask, C> {
    let zero = Pack::<T, V, C>::splat(T::zero());
    // Zero times a finite number is zero, and NaN otherwise.
    let mut sum = zero;
    let mut i = 0;
    while i < N {
        sum = x[i].fma(zero, sum);
        i += 1;
    }
    sum.less_or_equal(zero)
}

#[inline(always)]
fn select<T: Real, V: Vector<T>, const C: usize, const N: usize>(
    mask: PackMask<V::Mask, C>,
    yes: &[Pack<T, V, C>; N],
    no: &[Pack<T, V, C>; N],
) -> [Pack<T, V, C>; N] {
    let mut out = *yes;
    let mut i = 0;
    while i < N {
        out[i] = Pack::select(mask, yes[i], no[i]);
        i += 1;
    }
    out
}

#[inline(always)]
fn equal<T: Real, V: Vector<T>, const C: usize>(a: Pack<T, V, C>, b: Pack<T, V, C>) -> PackMask<V::Mask, C> {
    Pack::<T, V, C>::both(a.less_or_equal(b), b.less_or_equal(a))
}

impl<T: Real, F: SmallMap<N, N, P>, const N: usize, const P: usize, const SWEPT: bool> Steps<'_, T, F, N, P, SWEPT> {
    /// Stages `range` of an attempt, and the state of the last of them.
    #[inline(always)]
    fn stages<V: Vector<T>, const C: usize>(
        &mut self,
        range: (usize, usize),
        y: &[Pack<T, V, C>; N],
        p: &[Pack<T, V, C>; P],
        t: Pack<T, V, C>,
        step: Pack<T, V, C>,
    ) -> [Pack<T, V, C>; N] {
        let mut state = *y;
        let mut j = range.0;
        while j < range.1 {
            state = combine(y, step, &self.plan.a[j], &self.slots.stages);
            let time = t + Pack::splat(self.plan.c[j]) * step;
            let slope = self.field.at(time, state, *p);
            store(&slope, &mut self.slots.stages[j * N * Pack::<T, V, C>::LEN..]);
            j += 1;
        }
        state
    }

    #[inline(always)]
    fn take<V: Vector<T>, const C: usize>(mut self) {
        assert!(self.slots.width == Pack::<T, V, C>::LEN && self.slots.params.len() == if SWEPT { P } else { 0 } * self.slots.width);
        let (plan, last) = (self.plan, (self.plan.stages - 1) * N * self.slots.width);
        let splat = Pack::<T, V, C>::splat;
        let (zero, one) = (splat(T::zero()), splat(T::one()));
        let stretch = splat(T::one() + T::default_epsilon().sqrt());
        let smallest = splat(T::of(16.0) * T::default_epsilon());
        let (least, longest) = (splat(plan.min_step), splat(plan.max_step));
        let mut p = [zero; P];
        loop {
            if SWEPT {
                p = load(&self.slots.params);
            } else {
                let mut i = 0;
                while i < P {
                    p[i] = splat(self.params[i]);
                    i += 1;
                }
            }
            let mut y: [Pack<T, V, C>; N] = load(&self.slots.y);
            let slope: [Pack<T, V, C>; N] = load(&self.slots.slope);
            store(&slope, &mut self.slots.stages);
            let one_row = Pack::<T, V, C>::load;
            let (mut t, mut h) = (one_row(&self.slots.t), one_row(&self.slots.h));
            let (end, next) = (one_row(&self.slots.end), one_row(&self.slots.next));
            let mut errors = [one_row(&self.slots.errors[0]), one_row(&self.slots.errors[1])];
            let mut most = one_row(&self.slots.most);
            let (anchor, mut since) = (one_row(&self.slots.anchor), one_row(&self.slots.since));
            let active = zero.less(one_row(&self.slots.active));
            let (mut accepted_count, mut rejected_count) =
                (one_row(&self.slots.accepted), one_row(&self.slots.rejected));
            let mut rounds = self.slots.rounds;
            loop {
                let left = end - t;
                // A last step that would leave a sliver is stretched over it.
                let reaches = left.abs().less_or_equal(h.abs() * stretch);
                let step = Pack::select(reaches, left, h);
                let result = self.stages((1, plan.stages), &y, &p, t, step);

                let at_start = load::<T, V, C, N>(&self.slots.stages);
                let at_end = load::<T, V, C, N>(&self.slots.stages[last..]);
                let usable = Pack::<T, V, C>::both(active, finite(&at_start));
                let mut accepted = Pack::<T, V, C>::both(usable, finite(&result));
                let rejected;
                let mut estimate = [zero; N];
                let reached;
                if let Some((rtol, atol)) = plan.tolerances {
                    estimate = combine(&estimate, step, plan.error, &self.slots.stages);
                    let mut tolerance = [zero; N];
                    let mut i = 0;
                    while i < N {
                        tolerance[i] = splat(atol) + splat(rtol) * y[i].abs().at_least(result[i].abs());
                        i += 1;
                    }
                    let mut square = mean_square(&estimate, &tolerance);
                    if !plan.coarse.is_empty() {
                        let coarse = combine(&[zero; N], step, plan.coarse, &self.slots.stages);
                        let tamed = square * square / (square + splat(T::of(0.01)) * mean_square(&coarse, &tolerance));
                        square = Pack::select(zero.less(square), tamed, square);
                    }
                    let log_error = Pace::log_root(square);
                    accepted = Pack::<T, V, C>::both(accepted, square.less_or_equal(one));
                    let factor = plan.pace.factor(log_error, errors, accepted, most);
                    let scaled = step * factor;
                    let length = scaled.abs();

                    let too_small = (smallest * t.abs().at_least(end.abs())).at_least(least);
                    let moves = Pack::<T, V, C>::not(equal(t + scaled, t));
                    let may_shrink = Pack::<T, V, C>::both(too_small.less(length), moves);
                    let refused = Pack::<T, V, C>::both(usable, Pack::<T, V, C>::not(accepted));
                    rejected = Pack::<T, V, C>::both(refused, may_shrink);

                    // A step that the end cut short says little about the next one.
                    let kept = Pack::select(step.abs().less(h.abs()), length.at_least(h.abs()), length);
                    let chosen = kept.at_least(least).at_most(longest).with_sign(step);
                    h = Pack::select(accepted, chosen, Pack::select(rejected, scaled, h));
                    errors[1] = Pack::select(accepted, errors[0], errors[1]);
                    let floor = splat(T::of(Pace::<T>::LOG_FLOOR));
                    errors[0] = Pack::select(accepted, log_error.at_least(floor), errors[0]);
                    let grow = splat(T::of(Pace::<T>::GROW));
                    most = Pack::select(accepted, grow, Pack::select(rejected, one, most));
                    reached = Pack::select(reaches, end, t + step);
                } else {
                    let moves = Pack::<T, V, C>::not(equal(t + step, t));
                    accepted = Pack::<T, V, C>::both(accepted, Pack::<T, V, C>::both(finite(&at_end), moves));
                    rejected = Pack::<T, V, C>::both(accepted, Pack::<T, V, C>::not(accepted));
                    since = since + Pack::select(accepted, one, zero);
                    // Counted from the start, so that rounding does not add up over many steps.
                    reached = Pack::select(reaches, end, anchor + since * h);
                }
                accepted_count = accepted_count + Pack::select(accepted, one, zero);
                rejected_count = rejected_count + Pack::select(rejected, one, zero);
                rounds -= 1;

                let within = Pack::<T, V, C>::both(accepted, (next - t).abs().less_or_equal(step.abs()));
                let ends = Pack::<T, V, C>::both(accepted, equal(reached, end));
                let arrived = Pack::<T, V, C>::bits(Pack::<T, V, C>::either(within, ends));
                let attempted = Pack::<T, V, C>::either(accepted, rejected);
                let failed = Pack::<T, V, C>::bits(Pack::<T, V, C>::both(active, Pack::<T, V, C>::not(attempted)));
                let slope = select(accepted, &at_end, &at_start);
                if (arrived | failed) == 0 && rounds > 0 {
                    y = select(accepted, &result, &y);
                    t = Pack::select(accepted, reached, t);
                    store(&slope, &mut self.slots.stages);
                    continue;
                }

                let at_result = Pack::<T, V, C>::both(ends, equal(next, end));
                let inside = Pack::<T, V, C>::both(within, Pack::<T, V, C>::not(at_result));
                if plan.extra > 0 && Pack::<T, V, C>::bits(inside) != 0 {
                    self.stages((plan.stages, plan.stages + plan.extra), &y, &p, t, step);
                }
                let slots = &mut *self.slots;
                store(&y, &mut slots.from_y);
                t.store(&mut slots.from_t);
                step.store(&mut slots.step);
                store(&select(accepted, &result, &y), &mut slots.y);
                store(&slope, &mut slots.slope);
                Pack::select(accepted, reached, t).store(&mut slots.t);
                h.store(&mut slots.h);
                errors[0].store(&mut slots.errors[0]);
                errors[1].store(&mut slots.errors[1]);
                most.store(&mut slots.most);
                since.store(&mut slots.since);
                accepted_count.store(&mut slots.accepted);
                rejected_count.store(&mut slots.rejected);
                if failed != 0 {
                    store(&result, &mut slots.result);
                    store(&estimate, &mut slots.estimate);
                }
                (slots.rounds, slots.arrived, slots.failed) = (rounds, arrived, failed);
                break;
            }
            if !(self.attend)(self.slots) {
                return;
            }
        }
    }
}
