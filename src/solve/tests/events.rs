//! Events, jumps and kinks: found where they are, in order, and once.

use super::*;
use crate::dynamics::{Crossing, Effect, Event, Inputs, LiftMap, SmallMap};

/// Free fall with gravity `p[0]`; bounces keep the share `p[1]` of the speed.
struct Fall;
impl SmallField<2, 2> for Fall {
    fn rhs<S: Scalar>(&self, _t: S, [_, v]: [S; 2], [g, _]: [S; 2]) -> [S; 2] {
        [v, -g]
    }
}
struct Height;
impl SmallMap<2, 1, 2> for Height {
    fn at<S: Scalar>(&self, _t: S, [x, _]: [S; 2], _: [S; 2]) -> [S; 1] {
        [x]
    }
}
struct Bounce;
impl SmallMap<2, 2, 2> for Bounce {
    fn at<S: Scalar>(&self, _t: S, [_, v]: [S; 2], [_, e]: [S; 2]) -> [S; 2] {
        [S::of(0.0), -e * v]
    }
}

fn solved(field: Field<f64>, params: &[f64], start: &[f64], times: &[f64]) -> Solution<f64> {
    let problem = Problem { start_times: &[0.0], starts: start, row_ptr: &[0, times.len()], times };
    solve(field, params, &problem, &Options::adaptive(1e-9, 1e-9)).unwrap()
}

#[test]
fn a_ball_bounces_when_it_should() {
    let (fall, height, bounce) = (Lift::<_, 2, 2>(Fall), LiftMap::<_, 2, 1, 2>(Height), LiftMap::<_, 2, 2, 2>(Bounce));
    let events = [Event { condition: &height, crossing: Crossing::Falling, effect: Effect::Jump(&bounce) }];
    let field = Field::with_time(&fall).unwrap().with_events(&events).unwrap();
    // From the ground upwards: the watched function starts at zero, which is not a crossing.
    let (g, e, v) = (10.0, 0.8, 5.0);
    let solution = solved(field, &[g, e], &[0.0, v], &[0.5, 1.5, 2.2]);
    solution.all_finished().unwrap();
    let first = 2.0 * v / g;
    let second = first + 2.0 * e * v / g;
    let times: Vec<f64> = solution.occurrences.iter().map(|o| o.time).collect();
    assert_eq!(times.len(), 2);
    assert_relative_eq!(times[0], first, epsilon = 1e-9);
    assert_relative_eq!(times[1], second, epsilon = 1e-9);
    assert_relative_eq!(solution.occurrences[0].state[1], -v, epsilon = 1e-8);
    let height = |t: f64, speed: f64| speed * t - 0.5 * g * t * t;
    assert_relative_eq!(solution.states[2], height(1.5 - first, e * v), epsilon = 1e-8);
    assert_relative_eq!(solution.states[4], height(2.2 - second, e * e * v), epsilon = 1e-8);
}

#[test]
fn bounces_that_pile_up_are_reported_and_not_fallen_through() {
    let (fall, height, bounce) = (Lift::<_, 2, 2>(Fall), LiftMap::<_, 2, 1, 2>(Height), LiftMap::<_, 2, 2, 2>(Bounce));
    let events = [Event { condition: &height, crossing: Crossing::Falling, effect: Effect::Jump(&bounce) }];
    let field = Field::with_time(&fall).unwrap().with_events(&events).unwrap();
    let solution = solved(field, &[10.0, 0.5], &[1.0, 0.0], &[1.0, 5.0]);
    let failure = solution.reports[0].failure.unwrap();
    assert_eq!((failure.reason, failure.cause), (Reason::EventChatter { event: 0 }, Cause::Chatter), "{failure}");
    // The bounces' times add up to (√(2/g))(1 + 2e/(1−e)).
    assert_relative_eq!(failure.time, 0.2f64.sqrt() * 3.0, max_relative = 1e-3);
}

/// `y' = 1`.
struct Clock;
impl SmallField<1, 1> for Clock {
    fn rhs<S: Scalar>(&self, _t: S, _: [S; 1], _: [S; 1]) -> [S; 1] {
        [S::of(1.0)]
    }
}
/// `y − c` for a constant of its own.
struct Above(f64);
impl SmallMap<1, 1, 1> for Above {
    fn at<S: Scalar>(&self, _t: S, [y]: [S; 1], _: [S; 1]) -> [S; 1] {
        [y - S::of(self.0)]
    }
}
/// `(y − a)(y − b)`: two crossings close together.
struct Pair(f64, f64);
impl SmallMap<1, 1, 1> for Pair {
    fn at<S: Scalar>(&self, _t: S, [y]: [S; 1], _: [S; 1]) -> [S; 1] {
        [(y - S::of(self.0)) * (y - S::of(self.1))]
    }
}

#[test]
fn several_events_in_one_step_come_in_order_and_a_stop_ends_the_trajectory() {
    let clock = Lift::<_, 1, 1>(Clock);
    let (late, early, pair) =
        (LiftMap::<_, 1, 1, 1>(Above(3.0)), LiftMap::<_, 1, 1, 1>(Above(1.0)), LiftMap::<_, 1, 1, 1>(Pair(1.5, 2.9)));
    let crossing = Crossing::Either;
    let events = [
        Event { condition: &late, crossing, effect: Effect::Stop },
        Event { condition: &early, crossing, effect: Effect::Record },
        Event { condition: &pair, crossing, effect: Effect::Record },
    ];
    let field = Field::with_time(&clock).unwrap().with_events(&events).unwrap();
    let problem = Problem { start_times: &[0.0], starts: &[0.0], row_ptr: &[0, 2], times: &[2.0, 8.0] };
    // One step would cover it all.
    let solution = solve(field, &[0.0], &problem, &Options::fixed(&RK4, 8.0)).unwrap();
    let seen: Vec<(usize, f64)> = solution.occurrences.iter().map(|o| (o.event, o.time)).collect();
    let expected = [(1, 1.0), (2, 1.5), (2, 2.9), (0, 3.0)];
    assert_eq!(seen.len(), expected.len(), "{seen:?}");
    for (seen, expected) in seen.iter().zip(expected) {
        assert_eq!(seen.0, expected.0);
        assert_relative_eq!(seen.1, expected.1, epsilon = 1e-12);
    }
    assert_eq!(solution.reports[0].stopped_by, Some(0));
    assert_relative_eq!(solution.states[0], 2.0, epsilon = 1e-12);
    assert!(solution.states[1].is_nan());
}

#[test]
fn a_crossing_right_at_an_output_counts_once_and_only_in_its_direction() {
    let clock = Lift::<_, 1, 1>(Clock);
    let at = LiftMap::<_, 1, 1, 1>(Above(1.0));
    let events = [Event { condition: &at, crossing: Crossing::Rising, effect: Effect::Record }];
    let field = Field::with_time(&clock).unwrap().with_events(&events).unwrap();
    assert_eq!(solved(field, &[0.0], &[0.0], &[1.0, 2.0]).occurrences.len(), 1);
    let falling = [Event { condition: &at, crossing: Crossing::Falling, effect: Effect::Record }];
    let field = Field::with_time(&clock).unwrap().with_events(&falling).unwrap();
    assert!(solved(field, &[0.0], &[0.0], &[2.0]).occurrences.is_empty());
}

/// `y' = x(t)` with an input that jumps.
struct Jumps(Vec<f64>);
impl Inputs<f64> for Jumps {
    fn dim(&self) -> usize {
        1
    }
    fn kinks(&self, _: usize) -> &[f64] {
        &self.0
    }
    fn at(&self, _: usize, piece: usize, _t: f64, x: &mut [f64]) {
        x[0] = piece as f64;
    }
}

#[test]
fn steps_end_exactly_where_inputs_jump() {
    struct Integral;
    impl SmallField<1, 0> for Integral {
        fn rhs<S: Scalar>(&self, x: S, _: [S; 1], []: [S; 0]) -> [S; 1] {
            [x]
        }
    }
    let (component, inputs) = (Lift::<_, 1, 0>(Integral), Jumps(vec![0.3, 1.1, 2.0]));
    let field = Field::with_inputs(&component, &inputs, false).unwrap();
    for options in [Options::adaptive(1e-8, 1e-8), Options::fixed(&RK4, 0.25), Options::fixed(&DOP853, 0.7)] {
        let forward = Problem { start_times: &[0.0], starts: &[0.0], row_ptr: &[0, 3], times: &[1.0, 2.0, 3.0] };
        let states = solve(field, &[], &forward, &options).unwrap().states;
        for (y, expected) in states.iter().zip([0.7, 0.8 + 1.8, 0.8 + 1.8 + 3.0]) {
            assert_relative_eq!(*y, expected, epsilon = 1e-12);
        }
        let backward = Problem { start_times: &[3.0], starts: &[5.6], row_ptr: &[0, 2], times: &[2.0, 0.0] };
        let states = solve(field, &[], &backward, &options).unwrap().states;
        assert_relative_eq!(states[0], 2.6, epsilon = 1e-12);
        assert_relative_eq!(states[1], 0.0, epsilon = 1e-12);
    }
}
