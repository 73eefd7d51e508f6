//! Small fields that take whole steps of many trajectories in vector lanes.
//!
//! What is kept here is plain data and the arithmetic of a step; which trajectory stands in which lane, what is read off
//! and when to stop is decided by the solver that calls.

mod kernel;

use crate::Real;
use crate::linalg::{Kernel, Pack, PackMask, Vector, dispatch};

pub(super) use kernel::Steps;

/// A component's offer to take steps of an explicit method in vector lanes, for solvers. Small fields make it.
#[derive(Clone, Copy)]
pub struct Marcher<'a, T: Real>(pub(crate) &'a dyn March<T>);

/// Takes steps for all slots until `attend`, called whenever a slot needs attention, says that it is enough.
pub(crate) trait March<T: Real>: Send + Sync {
    /// `slots.width` is one or two vectors.
    fn march(&self, params: &[T], plan: &Plan<T>, slots: &mut Slots<T>, attend: &mut dyn FnMut(&mut Slots<T>) -> bool);
}

/// A sparse row of a tableau: which stage, and its weight.
type Terms<T> = [(usize, T)];

/// An explicit method and its step control.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a, T> {
    /// Stages, the one shared with the next step included, and further ones for the continuous extension.
    pub stages: usize,
    pub extra: usize,
    /// Nodes and rows, those of extra stages last; the last proper row gives the result.
    pub c: &'a [T],
    pub a: &'a [Vec<(usize, T)>],
    pub error: &'a Terms<T>,
    pub coarse: &'a Terms<T>,
    /// Relative and absolute tolerance; none for steps of fixed length.
    pub tolerances: Option<(T, T)>,
    pub pace: Pace<T>,
    pub min_step: T,
    pub max_step: T,
}

/// Trajectories side by side, `width` of them; blocks are rows × width.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots<T> {
    pub width: usize,
    /// State, and the field there: the first stage of the next step.
    pub y: Vec<T>,
    pub slope: Vec<T>,
    /// The parameters, where each trajectory has its own.
    pub params: Vec<T>,
    pub t: Vec<T>,
    /// Signed length of the next attempt.
    pub h: Vec<T>,
    /// Where the trajectory ends.
    pub end: Vec<T>,
    /// Its next output time.
    pub next: Vec<T>,
    /// Logarithms of the errors of the last two accepted steps.
    pub errors: [Vec<T>; 2],
    /// The largest factor that the next accepted step allows.
    pub most: Vec<T>,
    /// Where steps of fixed length are counted from, and how many were taken since.
    pub anchor: Vec<T>,
    pub since: Vec<T>,
    /// 1 in slots that hold a trajectory, 0 in others.
    pub active: Vec<T>,
    /// Steps accepted and rejected; whoever attends sets them back long before they are no longer whole numbers.
    pub accepted: Vec<T>,
    pub rejected: Vec<T>,
    /// Attempts until attention is wanted at the latest.
    pub rounds: usize,

    /// The last attempt: where it began, its length, its stages one block after another.
    pub from_y: Vec<T>,
    pub from_t: Vec<T>,
    pub step: Vec<T>,
    pub stages: Vec<T>,
    /// Its result and error estimate, written only if a slot failed.
    pub result: Vec<T>,
    pub estimate: Vec<T>,
    /// Slots (bits) that have an output to be read off or have reached their end.
    pub arrived: u32,
    /// Slots whose attempt failed for good.
    pub failed: u32,
}

impl<T: Real> Slots<T> {
    /// Empty slots for states of `dim` rows and `inputs` parameters of their own.
    pub fn new(width: usize, dim: usize, inputs: usize, stages: usize) -> Self {
        let rows = |rows: usize| vec![T::zero(); rows * width];
        Self {
            width,
            y: rows(dim),
            slope: rows(dim),
            params: rows(inputs),
            t: rows(1),
            h: rows(1),
            end: rows(1),
            next: rows(1),
            errors: [rows(1), rows(1)],
            most: rows(1),
            anchor: rows(1),
            since: rows(1),
            active: rows(1),
            accepted: rows(1),
            rejected: rows(1),
            rounds: 0,
            from_y: rows(dim),
            from_t: rows(1),
            step: rows(1),
            stages: rows(dim * stages),
            result: rows(dim),
            estimate: rows(dim),
            arrived: 0,
            failed: 0,
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
        copy(&mut self.params, &other.params);
        copy(&mut self.t, &other.t);
        copy(&mut self.h, &other.h);
        copy(&mut self.end, &other.end);
        copy(&mut self.next, &other.next);
        copy(&mut self.errors[0], &other.errors[0]);
        copy(&mut self.errors[1], &other.errors[1]);
        copy(&mut self.most, &other.most);
        copy(&mut self.anchor, &other.anchor);
        copy(&mut self.since, &other.since);
        copy(&mut self.active, &other.active);
        copy(&mut self.accepted, &other.accepted);
        copy(&mut self.rejected, &other.rejected);
    }
}

/// The step-size controller's arithmetic, the same wherever steps are chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace<T> {
    /// Exponents of a step's error and of the two before it.
    pub exponents: [T; 3],
    /// Exponent after a rejected attempt.
    pub alone: T,
}

impl<T: Real> Pace<T> {
    const SAFETY: f64 = 0.9;
    const SHRINK: f64 = 0.2;
    /// The largest factor; after a rejection it is 1.
    pub const GROW: f64 = 10.0;
    /// The logarithm of the smallest error remembered (1e-4), so that one lucky step does not open the next one wide.
    pub const LOG_FLOOR: f64 = -9.210340371976182;

    /// The logarithm of the root of a mean square.
    #[inline(always)]
    pub fn log_root<V: Vector<T>, const C: usize>(mean_square: Pack<T, V, C>) -> Pack<T, V, C> {
        Pack::splat(T::of(0.5)) * mean_square.ln()
    }

    /// The factor for the next attempt, from the logarithms of this error and of the two before. After a rejected
    /// attempt only this error counts, and if it is not finite the step shrinks as far as allowed.
    #[inline(always)]
    pub fn factor<V: Vector<T>, const C: usize>(
        &self,
        log_error: Pack<T, V, C>,
        before: [Pack<T, V, C>; 2],
        accepted: PackMask<V::Mask, C>,
        most: Pack<T, V, C>,
    ) -> Pack<T, V, C> {
        let (shrink, safety) = (Pack::splat(T::of(Self::SHRINK)), Pack::splat(T::of(Self::SAFETY)));
        let [a, b, c] = self.exponents;
        let smooth = Pack::splat(a) * log_error + Pack::splat(b) * before[0] + Pack::splat(c) * before[1];
        let exponent = Pack::select(accepted, smooth, Pack::splat(self.alone) * log_error);
        let factor = (safety * exponent.exp()).at_least(shrink);
        let factor = factor.at_most(Pack::select(accepted, most, safety));
        let finite = log_error.abs().less(Pack::splat(T::CONSTANTS.infinity));
        Pack::select(Pack::<T, V, C>::either(accepted, finite), factor, shrink)
    }
}

/// Arguments and results of one lane's [`Pace::factor`].
struct Factor<'a, T> {
    pace: &'a Pace<T>,
    log_error: T,
    before: [T; 2],
    accepted: bool,
    most: T,
    out: &'a mut T,
}

impl<T: Real> Kernel<T> for Factor<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        let splat = Pack::<T, V, 1>::splat;
        let accepted = splat(if self.accepted { T::zero() } else { T::one() }).less(splat(T::of(0.5)));
        let before = [splat(self.before[0]), splat(self.before[1])];
        let factor = self.pace.factor(splat(self.log_error), before, accepted, splat(self.most));
        factor.store_part(std::slice::from_mut(self.out));
    }
}

struct LogRoot<'a, T>(&'a mut T);

impl<T: Real> Kernel<T> for LogRoot<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        Pace::log_root(Pack::<T, V, 1>::splat(*self.0)).store_part(std::slice::from_mut(self.0));
    }
}

impl<T: Real> Pace<T> {
    /// [`factor`](Self::factor) of one lane.
    pub fn factor_of_one(&self, log_error: T, before: [T; 2], accepted: bool, most: T) -> T {
        let mut out = T::zero();
        dispatch(Factor { pace: self, log_error, before, accepted, most, out: &mut out });
        out
    }

    /// [`log_root`](Self::log_root) of one lane.
    pub fn log_root_of_one(mean_square: T) -> T {
        let mut out = mean_square;
        dispatch(LogRoot(&mut out));
        out
    }
}
