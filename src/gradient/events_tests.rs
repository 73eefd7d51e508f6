//! Derivatives through events, against finite differences and against each other.

use super::*;
use crate::dynamics::{Crossing, Effect, Event, Field, Lift, LiftMap, Scalar, SmallField, SmallMap};
use crate::solve::{Options, Problem, Recording, VERN7, integrate};

/// A ball with air drag: gravity, drag, restitution.
struct Fall;
impl SmallField<2, 3> for Fall {
    fn rhs<S: Scalar>(&self, _t: S, [_, v]: [S; 2], [g, k, _]: [S; 3]) -> [S; 2] {
        [v, -g - k * v * v.abs()]
    }
}
struct Height;
impl SmallMap<2, 1, 3> for Height {
    fn at<S: Scalar>(&self, _t: S, [x, _]: [S; 2], _: [S; 3]) -> [S; 1] {
        [x]
    }
}
struct Bounce;
impl SmallMap<2, 2, 3> for Bounce {
    fn at<S: Scalar>(&self, _t: S, [_, v]: [S; 2], [_, _, e]: [S; 3]) -> [S; 2] {
        [S::of(0.0), -e * v]
    }
}

/// Elimination from a depot into blood: two rates, a dose and its time.
struct Dosing;
impl SmallField<2, 4> for Dosing {
    fn rhs<S: Scalar>(&self, _t: S, [depot, blood]: [S; 2], [ka, ke, _, _]: [S; 4]) -> [S; 2] {
        [-ka * depot, ka * depot - ke * blood]
    }
}
/// The dose comes at `p[3]` and again at three times that.
struct Due(f64);
impl SmallMap<2, 1, 4> for Due {
    fn at<S: Scalar>(&self, t: S, _: [S; 2], p: [S; 4]) -> [S; 1] {
        [t - S::of(self.0) * p[3]]
    }
}
struct Dose;
impl SmallMap<2, 2, 4> for Dose {
    fn at<S: Scalar>(&self, _t: S, [depot, blood]: [S; 2], p: [S; 4]) -> [S; 2] {
        [depot + p[2], blood]
    }
}

/// A weighted sum of outputs, and of the occurrences' times and states, with its gradient.
fn check(field: Field<f64>, params: &[f64], start: &[f64], times: &[f64]) {
    // A continuous extension of high order: events are read off it.
    let options = Options { method: &VERN7, ..Options::adaptive(1e-12, 1e-12) };
    let dim = start.len();
    let weight = |i: usize| (1.0 + i as f64 * 0.7).sin();
    let run = |params: &[f64], start: &[f64], recording: &mut Recording<f64>| {
        let problem = Problem { start_times: &[0.0], starts: start, row_ptr: &[0, times.len()], times };
        let solution = integrate(field, params, &problem, &options, recording).unwrap();
        assert!(solution.reports[0].failure.is_none());
        solution
    };
    // Rows beyond a stop are NaN and take no part.
    let used = |solution: &crate::solve::Solution<f64>| {
        let rows: f64 =
            solution.states.iter().enumerate().filter(|(_, y)| y.is_finite()).map(|(i, y)| weight(i) * y).sum();
        let events = solution.occurrences.iter().flat_map(|o| std::iter::once(o.time).chain(o.state.iter().copied()));
        rows + events.enumerate().map(|(i, x)| weight(i + 100) * x).sum::<f64>()
    };
    let loss = |params: &[f64], start: &[f64]| used(&run(params, start, &mut Recording::Nothing));
    let problem = Problem { start_times: &[0.0], starts: start, row_ptr: &[0, times.len()], times };
    let mut gradients = Vec::new();
    for mut recording in [Recording::tape(), Recording::checkpoints(3)] {
        let solution = run(params, start, &mut recording);
        assert!(!solution.occurrences.is_empty());
        let bar: Vec<f64> =
            solution.states.iter().enumerate().map(|(i, y)| if y.is_finite() { weight(i) } else { 0.0 }).collect();
        let events_bar: Vec<f64> = (0..solution.occurrences.len() * (1 + dim)).map(|i| weight(i + 100)).collect();
        let mut by_params = vec![0.0; params.len()];
        let bars = Bars { outputs: &bar, occurrences: &events_bar };
        let onto = Onto { params: &mut by_params, inputs: &mut [] };
        let by_start = pull_all(field, params, &problem, &options, &mut recording, bars, onto).unwrap().starts;
        if let Recording::Tape(tape) = &recording {
            // Forward: every parameter and every start at once.
            let count = params.len() + dim;
            let (mut starts_dot, mut params_dot) = (vec![0.0; count * dim], vec![0.0; count * params.len()]);
            (0..params.len()).for_each(|p| params_dot[p * params.len() + p] = 1.0);
            (0..dim).for_each(|i| starts_dot[(params.len() + i) * dim + i] = 1.0);
            let pushed = push(field, params, &problem, &options, tape, &starts_dot, Some(&params_dot)).unwrap();
            for (k, expected) in by_params.iter().chain(&by_start).enumerate() {
                let sum = |x: &[f64], bar: &[f64]| {
                    let part = &x[k * bar.len()..(k + 1) * bar.len()];
                    part.iter().zip(bar).filter(|(_, b)| **b != 0.0).map(|(x, b)| x * b).sum::<f64>()
                };
                let forward = sum(&pushed.outputs, &bar) + sum(&pushed.occurrences, &events_bar);
                assert!((forward - expected).abs() < 1e-10 * (1.0 + expected.abs()), "{k}: {forward} and {expected}");
            }
        }
        gradients.push((by_params, by_start));
    }
    assert_eq!(gradients[0], gradients[1]);
    for (k, expected) in gradients[0].0.iter().chain(&gradients[0].1).enumerate() {
        let at = |shift: f64| {
            let (mut params, mut start) = (params.to_vec(), start.to_vec());
            if k < params.len() {
                params[k] += shift
            } else {
                start[k - params.len()] += shift
            }
            loss(&params, &start)
        };
        let h = 1e-4;
        let difference = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
        assert!(
            (difference - expected).abs() < 1e-6 * (1.0 + expected.abs()),
            "{k}: gradient {expected}, difference {difference}"
        );
    }
}

#[test]
fn through_a_bouncing_ball() {
    let (fall, height, bounce) = (Lift::<_, 2, 3>(Fall), LiftMap::<_, 2, 1, 3>(Height), LiftMap::<_, 2, 2, 3>(Bounce));
    let events = [Event { condition: &height, crossing: Crossing::Falling, effect: Effect::Jump(&bounce) }];
    let field = Field::with_time(&fall).unwrap().with_events(&events).unwrap();
    check(field, &[9.81, 0.1, 0.8], &[1.0, 0.5], &[0.3, 0.8, 1.5, 2.0]);
}

#[test]
fn through_dosing_by_its_size_and_time() {
    let (dosing, dose) = (Lift::<_, 2, 4>(Dosing), LiftMap::<_, 2, 2, 4>(Dose));
    let (first, second) = (LiftMap::<_, 2, 1, 4>(Due(1.0)), LiftMap::<_, 2, 1, 4>(Due(3.0)));
    let effect = Effect::Jump(&dose);
    let crossing = Crossing::Rising;
    let events = [
        Event { condition: &second, crossing, effect },
        Event { condition: &first, crossing, effect },
        // Two doses at the same moment.
        Event { condition: &first, crossing, effect },
        // And a note of it after them.
        Event { condition: &first, crossing, effect: Effect::Record },
    ];
    let field = Field::with_time(&dosing).unwrap().with_events(&events).unwrap();
    check(field, &[1.3, 0.4, 2.0, 0.7], &[1.0, 0.0], &[0.5, 1.0, 2.0, 2.5, 4.0]);
}

#[test]
fn through_the_time_of_a_stop() {
    let (fall, height) = (Lift::<_, 2, 3>(Fall), LiftMap::<_, 2, 1, 3>(Height));
    let events = [Event { condition: &height, crossing: Crossing::Falling, effect: Effect::Stop }];
    let field = Field::with_time(&fall).unwrap().with_events(&events).unwrap();
    check(field, &[9.81, 0.1, 0.8], &[1.0, 0.5], &[0.3, 5.0]);
}
