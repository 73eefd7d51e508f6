//! Outputs within steps, of all slots at once.

use super::super::tableau::Coefficients;
use super::judge::{Slots, equal};
use crate::Real;
use crate::dynamics::Stand;
use crate::linalg::{Kernel, Pack, Vector};

/// Puts the states at the slots' next output times into `output`. Slots whose next output is not in their accepted step
/// get numbers that mean nothing.
pub(super) struct ReadOff<'a, T> {
    pub method: &'a Coefficients<T>,
    /// The step as it was taken.
    pub stand: &'a Stand<T>,
    pub slots: &'a mut Slots<T>,
}

impl<T: Real> Kernel<T> for ReadOff<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(self) {
        if self.stand.width == V::N { self.read::<V, 1>() } else { self.read::<V, 2>() }
    }
}

impl<T: Real> ReadOff<'_, T> {
    #[inline(always)]
    fn read<V: Vector<T>, const C: usize>(self) {
        let Self { method, stand, slots } = self;
        let width = Pack::<T, V, C>::LEN;
        let block = stand.y.len();
        assert!(stand.width == width && slots.output.len() == block && slots.y.len() == block);
        let row = Pack::<T, V, C>::load;
        let one = Pack::<T, V, C>::splat(T::one());
        let (t, step) = (row(&stand.t), row(&stand.step));
        let (next, end) = (row(&slots.next), row(&slots.end));
        let ends = Pack::<T, V, C>::both(equal(step, end - t), equal(next, end));
        let theta = Pack::select(ends, one, (next - t) / step);
        let at_end = one.less_or_equal(theta);
        for (k, &j) in method.dense_stages.iter().enumerate() {
            dense_weight(method.dense_row(j), theta).store(&mut slots.weights[k * width..]);
        }
        let mut at = 0;
        while at < block {
            let mut sum = Pack::splat(T::zero());
            for (k, &j) in method.dense_stages.iter().enumerate() {
                sum = sum + row(&slots.weights[k * width..]) * row(&stand.stages[j * block + at..]);
            }
            let inside = row(&stand.y[at..]) + step * sum;
            // At the end of a step its result is the output.
            Pack::select(at_end, row(&slots.y[at..]), inside).store(&mut slots.output[at..]);
            at += width;
        }
    }
}

/// As [`Coefficients::dense_weight`] has it.
#[inline(always)]
fn dense_weight<T: Real, V: Vector<T>, const C: usize>(row: &[T], theta: Pack<T, V, C>) -> Pack<T, V, C> {
    let mut sum = Pack::splat(T::zero());
    let mut p = row.len();
    while p > 0 {
        p -= 1;
        sum = sum * theta + Pack::splat(row[p]);
    }
    theta * sum
}
