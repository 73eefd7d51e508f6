//! Solves against exact solutions, and what they cost.

mod ensembles;
mod events;
mod orders;
mod stiff;

use super::*;
use crate::dynamics::{Constants, Field, Lift, Scalar, SmallField};
use approx::assert_relative_eq;

/// `x' = y, y' = −ω² x`: `x = cos ωt`.
struct Oscillator;
impl SmallField<2, 1> for Oscillator {
    fn rhs<S: Scalar>(&self, _t: S, [x, y]: [S; 2], [omega]: [S; 1]) -> [S; 2] {
        [y, -omega * omega * x]
    }
}

/// `y' = 2 t y`, `y = exp(t² − t0²)`: depends on time.
struct Growth;
impl SmallField<1, 0> for Growth {
    fn rhs<S: Scalar>(&self, t: S, [y]: [S; 1], []: [S; 0]) -> [S; 1] {
        [S::of(2.0) * t * y]
    }
}

struct Lorenz;
impl SmallField<3, 3> for Lorenz {
    fn rhs<S: Scalar>(&self, _t: S, [x, y, z]: [S; 3], [sigma, rho, beta]: [S; 3]) -> [S; 3] {
        [sigma * (y - x), x * (rho - z) - y, x * y - beta * z]
    }
}

fn oscillate(options: &Options, times: &[f64]) -> Solution<f64> {
    let system = Lift::<_, 2, 1>(Oscillator);
    let problem = Problem { start_times: &[0.0], starts: &[1.0, 0.0], row_ptr: &[0, times.len()], times };
    solve(Field::with_time(&system).unwrap(), &[2.0], &problem, options).unwrap()
}

#[test]
fn time_may_run_backward_and_across_zero() {
    let system = Lift::<_, 1, 0>(Growth);
    let problem = Problem {
        start_times: &[1.0, -1.0],
        starts: &[1.0, 1.0],
        row_ptr: &[0, 3, 5],
        times: &[1.0, 0.2, -1.5, -1.0, 0.8],
    };
    let solution = solve(Field::with_time(&system).unwrap(), &[], &problem, &Options::adaptive(1e-10, 1e-12)).unwrap();
    let exact = |t0: f64, t: f64| (t * t - t0 * t0).exp();
    let expected = [1.0, exact(1.0, 0.2), exact(1.0, -1.5), 1.0, exact(-1.0, 0.8)];
    for (y, expected) in solution.states.iter().zip(expected) {
        assert_relative_eq!(*y, expected, max_relative = 1e-8);
    }
}

#[test]
fn single_precision_solves_to_its_own_precision() {
    let system = Lift::<_, 2, 1>(Oscillator);
    let problem = Problem { start_times: &[0.0f32], starts: &[1.0, 0.0], row_ptr: &[0, 1], times: &[3.0] };
    let options = Options::adaptive(1e-5, 1e-6);
    let solution = solve(Field::with_time(&system).unwrap(), &[2.0f32], &problem, &options).unwrap();
    assert_relative_eq!(solution.states[0], 6f32.cos(), epsilon = 2e-4);
}

#[test]
fn a_trajectory_among_a_thousand_has_the_bits_it_has_alone() {
    let system = Lift::<_, 3, 3>(Lorenz);
    let field = Field::with_time(&system).unwrap();
    let rates = [10.0, 28.0, 8.0 / 3.0];
    let count = 1000;
    let starts: Vec<f64> = (0..3 * count).map(|i| 10.0 * (i as f64).sin()).collect();
    let times: Vec<f64> = (0..count).map(|s| 0.5 + 0.001 * s as f64).collect();
    let row_ptr: Vec<usize> = (0..=count).collect();
    let problem = Problem { start_times: &vec![0.0; count], starts: &starts, row_ptr: &row_ptr, times: &times };
    let options = Options::adaptive(1e-6, 1e-6);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| solve(field, &rates, &problem, &options).unwrap().states)
    };
    let all = with(1);
    assert_eq!(all, with(2));
    for s in [0, 1, 15, 16, 517, 999] {
        let alone =
            Problem { start_times: &[0.0], starts: &starts[3 * s..3 * s + 3], row_ptr: &[0, 1], times: &times[s..=s] };
        assert_eq!(solve(field, &rates, &alone, &options).unwrap().states, all[3 * s..3 * s + 3]);
    }
}

#[test]
fn inputs_belong_to_their_trajectory() {
    // dy/dt = x with a constant x of its own for each of 40 trajectories: y(2) = 2 x.
    struct Integral;
    impl SmallField<1, 0> for Integral {
        fn rhs<S: Scalar>(&self, t: S, _: [S; 1], []: [S; 0]) -> [S; 1] {
            [t]
        }
    }
    // The component's last argument is called time there; here it is fed by the input instead.
    let system = Lift::<_, 1, 0>(Integral);
    let inputs = Constants { dim: 1, values: (0..40).map(f64::from).collect() };
    let field = Field::with_inputs(&system, &inputs, false).unwrap();
    let (zeros, ends) = (vec![0.0; 40], vec![2.0; 40]);
    let row_ptr: Vec<usize> = (0..=40).collect();
    let problem = Problem { start_times: &zeros, starts: &zeros, row_ptr: &row_ptr, times: &ends };
    let solution = solve(field, &[], &problem, &Options::fixed(&RK4, 0.5)).unwrap();
    solution.states.iter().enumerate().for_each(|(s, &y)| assert_relative_eq!(y, 2.0 * s as f64));
}

#[test]
fn the_cost_of_a_lorenz_solve_is_what_it_was() {
    let system = Lift::<_, 3, 3>(Lorenz);
    let problem = Problem { start_times: &[0.0], starts: &[1.0, 1.0, 1.0], row_ptr: &[0, 1], times: &[10.0] };
    let costs = [&DOPRI5, &TSIT5].map(|method| {
        let options = Options { method, ..Options::adaptive(1e-6, 1e-6) };
        let field = Field::with_time(&system).unwrap();
        let report = solve(field, &[10.0, 28.0, 8.0 / 3.0], &problem, &options).unwrap().reports.remove(0);
        (report.accepted, report.rejected, report.evaluations)
    });
    assert_eq!(costs, [(335, 6, 2048), (304, 6, 1862)]);
}

#[test]
fn running_out_of_steps_and_blowing_up_are_reported() {
    let options = Options { max_steps: 5, ..Options::adaptive(1e-10, 1e-10) };
    let solution = oscillate(&options, &[0.01, 100.0]);
    let failure = solution.reports[0].failure.unwrap();
    assert_eq!((failure.reason, failure.cause), (Reason::TooManySteps, Cause::Long));
    assert!(solution.states[0].is_finite() && solution.states[2].is_nan());
    let options = Options::fixed(&EULER, 10.0);
    let failure = oscillate(&options, &[1e9]).reports[0].failure.unwrap();
    assert!(matches!(failure.reason, Reason::NotFinite { .. }), "{failure}");
    assert_eq!(failure.cause, Cause::Unstable);
}

#[test]
fn problems_and_options_that_do_not_fit_are_refused() {
    let system = Lift::<_, 2, 1>(Oscillator);
    let field = Field::with_time(&system).unwrap();
    let good = Problem { start_times: &[0.0], starts: &[1.0, 0.0], row_ptr: &[0, 2], times: &[1.0, 2.0] };
    let refused = |problem: &Problem<f64>, options: &Options| solve(field, &[2.0], problem, options).is_err();
    let options = Options::adaptive(1e-6, 1e-6);
    assert!(!refused(&good, &options));
    assert!(refused(&Problem { starts: &[1.0], ..good }, &options));
    assert!(refused(&Problem { row_ptr: &[0, 3], ..good }, &options));
    assert!(refused(&Problem { times: &[2.0, 1.0], ..good }, &options));
    assert!(refused(&Problem { times: &[1.0, f64::NAN], ..good }, &options));
    assert!(refused(&good, &Options::adaptive(0.0, 1e-6)));
    assert!(refused(&good, &Options::fixed(&RK4, f64::NAN)));
    assert!(refused(&good, &Options { method: &RK4, ..options }));
    assert!(solve(field, &[2.0, 3.0], &good, &options).is_err());
}
