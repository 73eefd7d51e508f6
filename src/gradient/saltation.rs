//! Derivatives through events: the event's time moves with the state, and a jump carries that on.
//!
//! With `g` the watched function, `r` the jump, `f⁻` and `f⁺` the slopes before and after:
//! `δt = −(∂g·δy + ∂g/∂θ·δθ)/(ġ along the trajectory)`, and what goes on is
//! `∂r·(δy + f⁻δt) + ∂r/∂t·δt + ∂r/∂θ·δθ − f⁺δt`, the saltation matrix applied to `δy` (Hiskens & Pai 2000, IEEE Trans.
//! Circuits and Systems I 47, eq. 20).

use crate::Real;
use crate::dynamics::{Component, Effect, Event, Field, Tangent};
use crate::linalg::{Block, BlockMut};
use crate::solve::tape::EventMark;

/// A tangent just before an event, taken through it.
pub(super) struct Passed<T> {
    /// Of the event's time.
    pub time: T,
    /// Of the state at the event, the event's time moving along.
    pub at_event: Vec<T>,
    /// Of the state that goes on after a jump.
    pub after: Option<Vec<T>>,
}

fn of_event<'p, T: Real>(component: &dyn Component<T>, params: &'p [T]) -> &'p [T] {
    if component.param_count() == 0 { &[] } else { params }
}

/// `∂c·(state, time) + ∂c/∂θ·params` for one of an event's components.
fn forward<T: Real>(
    component: &dyn Component<T>,
    params: &[T],
    slab: &[T],
    state: &[T],
    time: T,
    direction: Option<&[T]>,
) -> Vec<T> {
    let mut along = state.to_vec();
    along.push(time);
    let mut out = vec![T::zero(); component.out_dim()];
    let mut scratch = vec![T::zero(); component.scratch_len()];
    let direction = direction.filter(|_| component.param_count() > 0);
    let tangent = Tangent { arguments: Block::new(&along, 1), params: direction.map(|d| Block::new(d, 1)) };
    let out_block = BlockMut::new(&mut out, 1);
    component.jvp(of_event(component, params), Block { data: slab, lanes: 1 }, tangent, out_block, &mut scratch);
    out
}

/// Takes a tangent through an event. `state` is the tangent of the continuous extension at the fixed place in the step.
pub(super) fn push<T: Real>(
    event: &Event<T>,
    mark: &EventMark<T>,
    params: &[T],
    state: &[T],
    direction: Option<&[T]>,
) -> Passed<T> {
    let watched = forward(event.condition, params, &mark.condition, state, T::zero(), direction)[0];
    // Where the crossing is not transversal its time has no derivative, which matters only if something asks for it.
    let time = if watched == T::zero() { T::zero() } else { -watched / mark.rate };
    let at_event: Vec<T> = state.iter().zip(&mark.slope_before).map(|(&s, &f)| s + f * time).collect();
    let after = match (event.effect, &mark.jump, &mark.slope_after) {
        (Effect::Jump(jump), Some(slab), Some(slope)) => {
            let jumped = forward(jump, params, slab, &at_event, time, direction);
            Some(jumped.iter().zip(slope).map(|(&s, &f)| s - f * time).collect())
        }
        _ => None,
    };
    Passed { time, at_event, after }
}

/// The transpose of [`push`]: from cotangents of the event's time, of the state at the event and of the state that goes on,
/// that of the state before; adds to `params_bar`.
pub(super) fn pull<T: Real>(
    field: &Field<T>,
    mark: &EventMark<T>,
    params: &[T],
    (mut time_bar, mut state_bar): (T, Vec<T>),
    after_bar: Option<&[T]>,
    params_bar: &mut [T],
) -> Vec<T> {
    let event = &field.events[mark.event];
    let dim = state_bar.len();
    let mut back = |component: &dyn Component<T>, slab: &[T], w: &[T]| {
        let mut bar = vec![T::zero(); dim + 1];
        let mut scratch = vec![T::zero(); component.scratch_len()];
        let onto = if component.param_count() == 0 { None } else { Some(&mut *params_bar) };
        let (slab, w) = (Block { data: slab, lanes: 1 }, Block::new(w, 1));
        component.vjp(of_event(component, params), slab, w, BlockMut::new(&mut bar, 1), onto, &mut scratch);
        bar
    };
    if let (Effect::Jump(jump), Some(slab), Some(slope), Some(after)) =
        (event.effect, &mark.jump, &mark.slope_after, after_bar)
    {
        let bar = back(jump, slab, after);
        time_bar += bar[dim];
        after.iter().zip(slope).for_each(|(&a, &f)| time_bar -= a * f);
        state_bar.iter_mut().zip(&bar).for_each(|(s, &b)| *s += b);
    }
    state_bar.iter().zip(&mark.slope_before).for_each(|(&s, &f)| time_bar += s * f);
    if time_bar != T::zero() {
        let bar = back(event.condition, &mark.condition, &[-time_bar / mark.rate]);
        state_bar.iter_mut().zip(&bar).for_each(|(s, &b)| *s += b);
    }
    state_bar
}
