//! Why a trajectory failed: what its size and its linearisation say.

use super::stepper::Stepper;
use super::{Cause, Control, Options, Reason};
use crate::Real;
use crate::dynamics::Tangent;
use crate::linalg::{Block, BlockMut};

/// A state this many times larger than the start is on its way to infinity.
const HUGE: f64 = 1e6;
/// Products in the estimate of the spectral radius.
const PRODUCTS: usize = 40;

/// The likely cause of a failure of trajectory `id` (in `piece` of its inputs) at a time with a step, from its last state
/// and its start. Costs a linearisation and some JVPs.
pub(super) fn diagnose<T: Real>(
    stepper: &Stepper<T>,
    options: &Options,
    reason: Reason,
    (id, piece): (usize, usize),
    (time, step): (T, T),
    state: &[T],
    start: &[T],
) -> Cause {
    let size = |y: &[T]| y.iter().fold(0.0f64, |most, y| most.max(y.f64().abs()));
    let huge = size(state) > HUGE * (1.0 + size(start));
    let limit = if options.method.is_implicit() { f64::INFINITY } else { options.method.real_stability_limit() };
    let strength = |y: &[T], h: f64| h * spectral_radius(stepper, (id, piece), time, y);
    match (reason, options.control) {
        (Reason::EventChatter { .. }, _) => Cause::Chatter,
        (Reason::NotFinite { .. } | Reason::StepUnderflow { .. }, Control::Fixed { step }) => {
            if strength(start, step) > limit {
                Cause::Unstable
            } else if huge {
                Cause::BlowUp
            } else {
                Cause::FieldNotFinite
            }
        }
        (Reason::NotFinite { .. } | Reason::StepUnderflow { .. }, _) if huge => Cause::BlowUp,
        (Reason::NotFinite { .. }, _) => Cause::FieldNotFinite,
        (Reason::Unsolved, Control::Fixed { .. }) => Cause::Nonlinear,
        (Reason::StepUnderflow { .. } | Reason::Unsolved, _) => Cause::Rough,
        // The controller keeps a stiff problem's steps at the edge of the stability region.
        (Reason::TooManySteps, _) if strength(state, step.f64().abs()) > 0.5 * limit => Cause::Stiff,
        (Reason::TooManySteps, _) => Cause::Long,
    }
}

/// The spectral radius of the Jacobian, by powers of it on a fixed tangent; 0 where it is not finite.
fn spectral_radius<T: Real>(stepper: &Stepper<T>, (id, piece): (usize, usize), time: T, state: &[T]) -> f64 {
    let (component, field, dim) = (stepper.field.component, stepper.field, state.len());
    let mut arguments = vec![T::zero(); component.in_dim()];
    let mut inputs = vec![T::zero(); field.inputs.map_or(0, |x| x.dim())];
    arguments[..dim].copy_from_slice(state);
    field.fill_arguments(&[id], &[piece], |_| time, &mut arguments, &mut inputs);
    let mut slab = vec![T::zero(); component.slab_len()];
    let mut scratch = vec![T::zero(); component.scratch_len()];
    let mut out: Vec<T> = (0..dim).map(|i| T::of(1.0 + 0.37 * (i as f64).sin())).collect();
    let mut value = vec![T::zero(); dim];
    let u = Block::new(&arguments, 1);
    component.linearize(stepper.params, u, BlockMut::new(&mut value, 1), BlockMut::new(&mut slab, 1), &mut scratch);
    let norm = |x: &[T]| x.iter().fold(0.0, |sum: f64, x| sum + x.f64() * x.f64()).sqrt();
    let mut along = vec![T::zero(); component.in_dim()];
    let (mut log_growth, mut counted) = (0.0, 0);
    for k in 0..PRODUCTS {
        let length = norm(&out);
        along[..dim].iter_mut().zip(&out).for_each(|(a, &o)| *a = T::of(o.f64() / length));
        let tangent = Tangent::from(Block::new(&along, 1));
        component.jvp(stepper.params, Block::new(&slab, 1), tangent, BlockMut::new(&mut out, 1), &mut scratch);
        let growth = norm(&out);
        if !(growth > 0.0 && growth.is_finite()) {
            return 0.0;
        }
        if k >= PRODUCTS / 2 {
            log_growth += growth.ln();
            counted += 1;
        }
    }
    (log_growth / f64::from(counted)).exp()
}
