//! The gradient of implicit and of symplectic methods, against differences of the solves themselves.

use super::*;
use crate::dynamics::{Field, Lift, Scalar, SmallField};
use crate::solve::{IMPLICIT_EULER, KVAERNO5, Options, Problem, Recording, Tableau, VERLET, YOSHIDA4, integrate};

/// Two coupled pendulums: separable; stiff enough for the implicit methods to matter.
struct Pair;
impl SmallField<4, 2> for Pair {
    fn rhs<S: Scalar>(&self, t: S, [a, b, u, v]: [S; 4], [k, c]: [S; 2]) -> [S; 4] {
        let pull = c * (a - b);
        [u, v, -k * a.sin() - pull, -k * b.sin() + pull + S::of(0.1) * t.cos()]
    }
}

#[test]
fn gradients_of_implicit_and_symplectic_methods_match_differences() {
    let pair = Lift::<_, 4, 2>(Pair);
    let field = Field::with_time(&pair).unwrap();
    let (params, start) = ([1.5, 20.0], [0.5, -0.2, 0.1, 0.3]);
    // Within steps, at their ends, and for two trajectories with ends of their own.
    let times = [0.33, 0.5, 1.0, 0.7];
    let weight = |i: usize| (1.0 + i as f64).cos();
    let methods: [&'static Tableau; 4] = [&IMPLICIT_EULER, &KVAERNO5, &VERLET, &YOSHIDA4];
    for method in methods {
        let options = Options::fixed(method, 0.1);
        let loss = |params: &[f64], start: &[f64]| {
            let starts = [start, start].concat();
            let problem = Problem { start_times: &[0.0, 0.1], starts: &starts, row_ptr: &[0, 3, 4], times: &times };
            let solution = integrate(field, params, &problem, &options, &mut Recording::Nothing).unwrap();
            solution.all_finished().unwrap();
            solution.states.iter().enumerate().map(|(i, y)| weight(i) * y).sum::<f64>()
        };
        let starts = [start, start].concat();
        let problem = Problem { start_times: &[0.0, 0.1], starts: &starts, row_ptr: &[0, 3, 4], times: &times };
        let bar: Vec<f64> = (0..16).map(weight).collect();
        let mut recording = Recording::tape();
        integrate(field, &params, &problem, &options, &mut recording).unwrap();
        let mut by_params = [0.0; 2];
        let both = pull(field, &params, &problem, &options, &mut recording, &bar, &mut by_params).unwrap();
        let by_start: Vec<f64> = (0..4).map(|i| both[i] + both[4 + i]).collect();
        for (k, exact) in by_params.iter().chain(&by_start).enumerate() {
            let at = |shift: f64| {
                let (mut params, mut start) = (params, start);
                if k < 2 {
                    params[k] += shift
                } else {
                    start[k - 2] += shift
                }
                loss(&params, &start)
            };
            let h = 1e-3;
            let difference = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
            assert!(
                (difference - exact).abs() < 1e-8 * (1.0 + exact.abs()),
                "{} {k}: {exact} {difference}",
                method.name
            );
        }
    }
}

#[test]
fn a_system_that_does_not_separate_is_refused_by_symplectic_methods() {
    struct Damped;
    impl SmallField<2, 0> for Damped {
        fn rhs<S: Scalar>(&self, _t: S, [q, p]: [S; 2], []: [S; 0]) -> [S; 2] {
            [p, -q - S::of(0.1) * p]
        }
    }
    let damped = Lift::<_, 2, 0>(Damped);
    let problem = Problem { start_times: &[0.0], starts: &[1.0, 0.0], row_ptr: &[0, 1], times: &[1.0] };
    let field = Field::with_time(&damped).unwrap();
    let error = integrate(field, &[], &problem, &Options::fixed(&VERLET, 0.1), &mut Recording::Nothing).unwrap_err();
    assert!(error.to_string().contains("separable"), "{error}");
}
