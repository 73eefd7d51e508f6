//! What becomes of the slots' attempts, for all of them at once.

use super::super::control::{COARSE, COUNTED, Pace, least_share, stretch};
use crate::Real;
use crate::dynamics::{Scale, Stand};
use crate::linalg::{Aligned, Kernel, Pack, PackMask, Vector};

/// What every slot shares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan<'a, T> {
    pub dim: usize,
    /// Stages, the one shared with the next step included, and further ones for the continuous extension.
    pub stages: usize,
    pub extra: usize,
    /// How errors are weighed; none for steps of fixed length.
    pub scale: Option<Scale<'a, T>>,
    /// Whether the estimate weighs the field at the result, and so tells if that is not finite.
    pub last_weighed: bool,
    pub pace: Pace<T>,
    pub min_step: T,
    pub max_step: T,
}

/// What decides how the slots' trajectories go on, beside where they stand: blocks are rows × width.
#[derive(Debug)]
pub(super) struct Slots<T> {
    pub width: usize,
    /// Where the slots go on after an attempt that some slot needs attention for: state, the field there, and time.
    pub y: Aligned<T>,
    pub slope: Aligned<T>,
    pub t: Aligned<T>,
    /// Signed length of the next attempt.
    pub h: Aligned<T>,
    /// Where the trajectory ends.
    pub end: Aligned<T>,
    /// Its next output time.
    pub next: Aligned<T>,
    /// Logarithms of the errors of the last two accepted steps, and of the one before for an attempt that is taken back.
    pub errors: [Aligned<T>; 3],
    /// The largest factor that the next accepted step allows.
    pub most: Aligned<T>,
    /// Where steps of fixed length are counted from, and how many were taken since.
    pub anchor: Aligned<T>,
    pub since: Aligned<T>,
    /// 1 in slots that hold a trajectory, 0 in others.
    pub active: Aligned<T>,
    /// Steps accepted and rejected; the driver sets them back long before they are no longer whole numbers.
    pub accepted: Aligned<T>,
    pub rejected: Aligned<T>,
    /// The states at the next output times, and room for the stages' weights in them.
    pub output: Aligned<T>,
    pub weights: Aligned<T>,
    /// The attempt's result, kept only if a slot failed.
    pub result: Aligned<T>,
}

impl<T: Real> Slots<T> {
    pub fn new(width: usize, dim: usize, stages: usize) -> Self {
        let rows = |rows: usize| Aligned::filled(T::zero(), rows * width);
        Self {
            width,
            y: rows(dim),
            slope: rows(dim),
            t: rows(1),
            h: rows(1),
            end: rows(1),
            next: rows(1),
            errors: [rows(1), rows(1), rows(1)],
            most: rows(1),
            anchor: rows(1),
            since: rows(1),
            active: rows(1),
            accepted: rows(1),
            rejected: rows(1),
            output: rows(dim),
            weights: rows(stages),
            result: rows(dim),
        }
    }

    /// Puts slot `from` of `other` in slot `to`.
    pub fn copy_slot(&mut self, to: usize, other: &Self, from: usize) {
        let width = self.width;
        let copy = |mine: &mut [T], theirs: &[T]| {
            for (mine, theirs) in mine.chunks_exact_mut(width).zip(theirs.chunks_exact(other.width)) {
                mine[to] = theirs[from];
            }
        };
        copy(&mut self.y, &other.y);
        copy(&mut self.slope, &other.slope);
        copy(&mut self.t, &other.t);
        copy(&mut self.h, &other.h);
        copy(&mut self.end, &other.end);
        copy(&mut self.next, &other.next);
        self.errors.iter_mut().zip(&other.errors).for_each(|(mine, theirs)| copy(mine, theirs));
        copy(&mut self.most, &other.most);
        copy(&mut self.anchor, &other.anchor);
        copy(&mut self.since, &other.since);
        copy(&mut self.active, &other.active);
        copy(&mut self.accepted, &other.accepted);
        copy(&mut self.rejected, &other.rejected);
    }
}

/// Slots, one bit each, that need attention after an attempt. If none does, all of them stand ready for the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attention {
    /// There is an output to be read off, or the end is reached.
    pub arrived: u32,
    /// An output lies within the step.
    pub inside: u32,
    /// The attempt failed for good.
    pub failed: u32,
}

/// Judges the attempt that `stand` holds. Where a slot needs attention, or `pause` says so, `stand` stays as it is.
pub(super) struct Judge<'a, T> {
    pub plan: &'a Plan<'a, T>,
    pub stand: &'a mut Stand<T>,
    pub slots: &'a mut Slots<T>,
    pub pause: bool,
    pub attention: &'a mut Attention,
}

/// Puts the slots where they go on, and chooses their next attempts' lengths.
pub(super) struct GoOn<'a, T> {
    pub stand: &'a mut Stand<T>,
    pub slots: &'a Slots<T>,
}

impl<T: Real> Kernel<T> for Judge<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        if self.stand.width == V::N { self.judge::<V, 1>() } else { self.judge::<V, 2>() }
    }
}

impl<T: Real> Kernel<T> for GoOn<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let mut at = 0;
        while at < self.slots.y.len() {
            Pack::<T, V, 1>::load(&self.slots.y[at..]).store(&mut self.stand.y[at..]);
            Pack::<T, V, 1>::load(&self.slots.slope[at..]).store(&mut self.stand.stages[at..]);
            at += V::N;
        }
        for (first, step) in self.stand.step.chunks_exact_mut(V::N).enumerate() {
            let part = |x: &[T]| Pack::<T, V, 1>::load(&x[first * V::N..]);
            part(&self.slots.t).store(&mut self.stand.t[first * V::N..]);
            choose(part(&self.slots.t), part(&self.slots.h), part(&self.slots.end)).0.store(step);
        }
    }
}

/// The next attempt's length, and whether it reaches the end.
#[inline(always)]
fn choose<T: Real, V: Vector<T>, const C: usize>(
    t: Pack<T, V, C>,
    h: Pack<T, V, C>,
    end: Pack<T, V, C>,
) -> (Pack<T, V, C>, PackMask<V::Mask, C>) {
    let left = end - t;
    let reaches = left.abs().less_or_equal(h.abs() * Pack::splat(stretch()));
    (Pack::select(reaches, left, h), reaches)
}

#[inline(always)]
pub(super) fn equal<T: Real, V: Vector<T>, const C: usize>(a: Pack<T, V, C>, b: Pack<T, V, C>) -> PackMask<V::Mask, C> {
    Pack::<T, V, C>::both(a.less_or_equal(b), b.less_or_equal(a))
}

/// Where a doubt is none.
#[inline(always)]
fn finite<T: Real, V: Vector<T>, const C: usize>(doubt: &[T]) -> PackMask<V::Mask, C> {
    Pack::<T, V, C>::load(doubt).less_or_equal(Pack::splat(T::zero()))
}

impl<T: Real> Judge<'_, T> {
    #[inline(always)]
    fn judge<V: Vector<T>, const C: usize>(self) {
        let Self { plan, stand, slots, pause, attention } = self;
        let width = Pack::<T, V, C>::LEN;
        let block = plan.dim * width;
        assert!(slots.width == width && slots.y.len() == block && stand.y.len() == block);
        let (splat, one_row) = (Pack::<T, V, C>::splat, Pack::<T, V, C>::load);
        let (zero, one) = (splat(T::zero()), splat(T::one()));
        let (t, step, h) = (one_row(&stand.t), one_row(&stand.step), one_row(&slots.h));
        let end = one_row(&slots.end);
        let reaches = equal(step, end - t);
        let usable = Pack::<T, V, C>::both(zero.less(one_row(&slots.active)), finite::<T, V, C>(&stand.doubts[0]));
        let mut accepted = Pack::<T, V, C>::both(usable, finite::<T, V, C>(&stand.doubts[1]));
        let mut rejected = Pack::<T, V, C>::both(accepted, Pack::<T, V, C>::not(accepted));
        let (reached, next_h);
        let lasts = finite::<T, V, C>(&stand.doubts[2]);
        if let Some(scale) = plan.scale {
            let fine = one_row(&stand.squares[1]);
            let mut square = fine;
            if !scale.coarse.is_empty() {
                let tamed = fine * fine / (fine + splat(T::of(COARSE)) * one_row(&stand.squares[0]));
                square = Pack::select(zero.less(fine), tamed, fine);
            }
            let errors = [one_row(&slots.errors[0]), one_row(&slots.errors[1])];
            let most = one_row(&slots.most);
            // The field at the result is the next step's first stage, whether or not the estimate weighs it.
            let sound = if plan.last_weighed { accepted } else { Pack::<T, V, C>::both(accepted, lasts) };
            let log_error = Pack::select(sound, Pace::log_root(square), splat(T::of(Pace::<T>::LOST)));
            accepted = Pack::<T, V, C>::both(sound, square.less_or_equal(one));
            let factor = plan.pace.factor(log_error, errors, accepted, most);
            let least = splat(plan.min_step);
            let length = (step * factor).abs().at_least(least);

            // As `control::shorter` has it.
            let shorter = length.with_sign(step);
            let rounding = splat(least_share()) * t.abs();
            let between = Pack::<T, V, C>::both(rounding.less(length), length.less(step.abs()));
            let may_shrink = Pack::<T, V, C>::both(between, Pack::<T, V, C>::not(equal(t + shorter, t)));
            let refused = Pack::<T, V, C>::both(usable, Pack::<T, V, C>::not(accepted));
            rejected = Pack::<T, V, C>::both(refused, may_shrink);

            // A step that the end cut short says little about the next one.
            let kept = Pack::select(step.abs().less(h.abs()), length.at_least(h.abs()), length);
            let chosen = kept.at_most(splat(plan.max_step)).with_sign(step);
            next_h = Pack::select(accepted, chosen, Pack::select(rejected, shorter, h));
            let floored = log_error.at_least(splat(T::of(Pace::<T>::LOG_FLOOR)));
            errors[1].store(&mut slots.errors[2]);
            Pack::select(accepted, errors[0], errors[1]).store(&mut slots.errors[1]);
            Pack::select(accepted, floored, errors[0]).store(&mut slots.errors[0]);
            let most = Pack::select(rejected, one, most);
            Pack::select(accepted, splat(T::of(Pace::<T>::GROW)), most).store(&mut slots.most);
            reached = Pack::select(reaches, end, t + step);
        } else {
            let moves = Pack::<T, V, C>::not(equal(t + step, t));
            accepted = Pack::<T, V, C>::both(accepted, Pack::<T, V, C>::both(lasts, moves));
            let since = one_row(&slots.since) + Pack::select(accepted, one, zero);
            next_h = h;
            // Counted from the start, so that rounding does not add up over many steps.
            let anchor = one_row(&slots.anchor);
            reached = Pack::select(reaches, end, anchor + since * h);
            let anew = splat(T::of(COUNTED as f64)).less_or_equal(since);
            Pack::select(anew, reached, anchor).store(&mut slots.anchor);
            Pack::select(anew, zero, since).store(&mut slots.since);
        }
        next_h.store(&mut slots.h);
        (one_row(&slots.accepted) + Pack::select(accepted, one, zero)).store(&mut slots.accepted);
        (one_row(&slots.rejected) + Pack::select(rejected, one, zero)).store(&mut slots.rejected);

        let next = one_row(&slots.next);
        let within = Pack::<T, V, C>::both(accepted, (next - t).abs().less_or_equal(step.abs()));
        let ends = Pack::<T, V, C>::both(accepted, equal(reached, end));
        let arrived = Pack::<T, V, C>::bits(Pack::<T, V, C>::either(within, ends));
        let attempted = Pack::<T, V, C>::either(accepted, rejected);
        let active = zero.less(one_row(&slots.active));
        let failed = Pack::<T, V, C>::bits(Pack::<T, V, C>::both(active, Pack::<T, V, C>::not(attempted)));
        let at_end = Pack::<T, V, C>::both(ends, equal(next, end));
        // At the end of a step its result is the output.
        let before_end = ((next - t) / step).less(one);
        let inside = Pack::<T, V, C>::both(within, Pack::<T, V, C>::not(at_end));
        let inside = Pack::<T, V, C>::bits(Pack::<T, V, C>::both(inside, before_end));
        *attention = Attention { arrived, inside, failed };

        let reached = Pack::select(accepted, reached, t);
        if (arrived | failed) == 0 && !pause {
            let (first, last) = stand.stages.split_at_mut((plan.stages - 1) * block);
            let mut at = 0;
            while at < block {
                Pack::select(accepted, one_row(&stand.state[at..]), one_row(&stand.y[at..])).store(&mut stand.y[at..]);
                Pack::select(accepted, one_row(&last[at..]), one_row(&first[at..])).store(&mut first[at..]);
                at += width;
            }
            reached.store(&mut stand.t);
            choose(reached, next_h, end).0.store(&mut stand.step);
            return;
        }
        let (first, last) = stand.stages.split_at((plan.stages - 1) * block);
        let mut at = 0;
        while at < block {
            Pack::select(accepted, one_row(&stand.state[at..]), one_row(&stand.y[at..])).store(&mut slots.y[at..]);
            Pack::select(accepted, one_row(&last[at..]), one_row(&first[at..])).store(&mut slots.slope[at..]);
            at += width;
        }
        reached.store(&mut slots.t);
        if failed != 0 {
            slots.result.copy_from_slice(&stand.state);
        }
    }
}
