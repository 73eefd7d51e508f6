use super::*;
use crate::analysis::rest::Resting;
use crate::dynamics::systems::{Settings, system};
use crate::dynamics::{Lift, Scalar, SmallField};
use crate::nn::{Activation, Mlp};
use crate::solve::{BS3, DOPRI5, EULER, HEUN, IMPLICIT_EULER, METHODS, MIDPOINT, RALSTON, RK4, RK4_38, SSPRK3, VERLET};

/// `x″ + 2γ x′ + ω² x = 0`.
struct Oscillator;
impl SmallField<2, 2> for Oscillator {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, v]: [S; 2], [gamma, omega]: [S; 2]) -> [S; 2] {
        [v, -omega * omega * x - S::of(2.0) * gamma * v]
    }
}

/// Modes `−γ ± i √(ω² − γ²)`, for which explicit Euler is stable up to `2γ/ω²`.
fn modes(gamma: f64, omega: f64) -> Vec<Complex<f64>> {
    let turning = (omega * omega - gamma * gamma).sqrt();
    vec![Complex::new(-gamma, turning), Complex::new(-gamma, -turning)]
}

#[test]
fn the_predicted_limit_of_euler_on_a_damped_oscillator_is_exact() {
    for (gamma, omega) in [(0.25, 3.1), (0.01, 1.0), (0.9, 1.0)] {
        let limit = predicted_limit(&EULER, &modes(gamma, omega));
        let exact = 2.0 * gamma / (omega * omega);
        assert!((limit / exact - 1.0).abs() <= 1e-10, "{limit} for {exact}");
    }
}

#[test]
fn limits_on_the_negative_axis_are_those_of_the_literature() {
    let decay = [Complex::new(-1.0, 0.0)];
    let known = [
        (&EULER, 2.0),
        (&MIDPOINT, 2.0),
        (&HEUN, 2.0),
        (&RALSTON, 2.0),
        (&SSPRK3, 2.512745326618329),
        (&BS3, 2.512745326618329),
        (&RK4, 2.785293563405282),
        (&RK4_38, 2.785293563405282),
        (&DOPRI5, 3.3065678926227357),
    ];
    for (method, limit) in known {
        let found = predicted_limit(method, &decay);
        assert!((found - limit).abs() <= 1e-8, "{}: {found}", method.name);
    }
    for method in METHODS.iter().filter(|m| m.is_implicit()) {
        assert_eq!(predicted_limit(method, &decay), f64::INFINITY, "{}", method.name);
    }
    assert_eq!(predicted_limit(&RK4, &[Complex::new(1.0, 0.0)]), 0.0);
}

#[test]
fn verlet_is_stable_on_an_oscillation_up_to_two_over_its_frequency() {
    let limit = predicted_limit(&VERLET, &[Complex::new(0.0, 3.0), Complex::new(0.0, -3.0)]);
    assert!((limit - 2.0 / 3.0).abs() < 1e-6, "{limit}");
}

#[test]
fn the_limit_measured_on_trajectories_is_the_predicted_one() {
    let oscillator = Lift::<_, 2, 2>(Oscillator);
    let params = [0.25, 3.1];
    let field = Field::with_time(&oscillator).unwrap();
    let around = Around { state: &[0.0, 0.0], towards: &[1.0, 0.3], fastest: 3.1 };
    for method in [&EULER, &RK4] {
        let predicted = predicted_limit(method, &modes(0.25, 3.1));
        let measured = measured_limit(field, &params, method, around, predicted, (1e-9, 500)).unwrap();
        assert!((measured / predicted - 1.0).abs() <= 1e-6, "{}: {measured} for {predicted}", method.name);
    }
    let measured = measured_limit(field, &params, &IMPLICIT_EULER, around, f64::INFINITY, (1e-3, 500));
    assert_eq!(measured.unwrap(), f64::INFINITY);
}

#[test]
fn the_pendulum_at_rest_has_the_limit_of_the_oscillator_it_is_there() {
    let pendulum = system("pendulum").unwrap().build(&Settings::default()).unwrap();
    let field = pendulum.field().unwrap();
    let point = Resting::flow(field, &pendulum.params, 0.0).unwrap().describe(&[0.0, 0.0]).unwrap();
    let predicted = predicted_limit(&EULER, &point.eigenvalues);
    assert!((predicted / (0.5 / 9.81) - 1.0).abs() <= 1e-10, "{predicted}");
    let around = Around { state: &point.state, towards: &pendulum.start, fastest: 9.81f64.sqrt() };
    let measured = measured_limit(field, &pendulum.params, &EULER, around, f64::NAN, (1e-9, 500)).unwrap();
    assert!((measured / predicted - 1.0).abs() <= 1e-6, "{measured} for {predicted}");
}

#[test]
fn a_steps_spectral_radius_is_the_growth_that_eigenvalues_predict() {
    let pendulum = system("pendulum").unwrap().build(&Settings::default()).unwrap();
    let field = pendulum.field().unwrap();
    let values = &local_eigenvalues(field, &pendulum.params, &[0.0], &[0.0, 0.0])[0];
    for method in METHODS.iter().filter(|m| !m.is_partitioned()) {
        for step in [0.03, 0.4, 1.3] {
            let map = step_map(field, method, step).unwrap();
            let radius = spectral_radius(&*map, &pendulum.params, &[0.0, 0.0], 0.0).unwrap();
            let predicted = growth(method, values, step);
            assert!((radius - predicted).abs() <= 1e-9 * (1.0 + predicted), "{}: {radius}", method.name);
        }
    }
}

#[test]
fn a_course_is_kept_just_below_its_limit_and_left_just_above() {
    let volterra = system("lotka-volterra").unwrap().build(&Settings::default()).unwrap();
    let field = volterra.field().unwrap();
    let course = Course { start: &volterra.start, time: 0.0, span: 10.0, tolerance: &[0.1, f64::INFINITY] };
    let [rough, fine] = [&EULER, &RK4].map(|m| course_limit(field, &volterra.params, m, course).unwrap());
    assert!(0.0 < rough && 5.0 * rough < fine && fine < 10.0, "{rough} {fine}");
    for (method, limit) in [(&EULER, rough), (&RK4, fine)] {
        let worst = |step: f64| {
            let count = (course.span / step).floor() as usize;
            let times: Vec<f64> = (1..=count).map(|k| k as f64 * step).collect();
            let own = follow(field, &volterra.params, method, course, step, count).unwrap();
            let accurate = accurate(field, &volterra.params, course, &times).unwrap();
            own.iter().zip(&accurate).step_by(2).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        assert!(worst(limit) <= 0.1 && worst(1.002 * limit) > 0.1, "{}", method.name);
    }
}

#[test]
fn a_method_that_cannot_step_the_field_is_refused() {
    let lorenz = system("lorenz63").unwrap().build(&Settings::default()).unwrap();
    let field = lorenz.field().unwrap();
    let course = Course { start: &[1.0], time: 0.0, span: 1.0, tolerance: &[0.1; 3] };
    assert!(follow(field, &lorenz.params, &RK4, course, 0.1, 3).is_err());
    assert!(step_map(field, &RK4, 0.0).is_err());
}

/// `y' = A y` of two states, `A` by rows.
struct Linear;
impl SmallField<2, 4> for Linear {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, y]: [S; 2], [a, b, c, d]: [S; 4]) -> [S; 2] {
        [a * x + b * y, c * x + d * y]
    }
}

/// Predicted and measured limit of a matrix given by rows.
fn limits(method: &Tableau, matrix: &[f64; 4], guessed: bool) -> [f64; 2] {
    let linear = Lift::<_, 2, 4>(Linear);
    let field = Field::with_time(&linear).unwrap();
    let modes = &local_eigenvalues(field, matrix, &[0.0], &[0.0, 0.0])[0];
    let fastest = modes.iter().map(|z| z.norm()).fold(0.0, f64::max);
    let around = Around { state: &[0.0, 0.0], towards: &[1.0, 1.0], fastest };
    let predicted = predicted_limit(method, modes);
    let guess = if guessed { predicted } else { f64::NAN };
    [predicted, measured_limit(field, matrix, method, around, guess, (1e-9, 500)).unwrap()]
}

#[test]
fn transient_growth_defects_and_stiffness_are_told_from_growth_that_lasts() {
    // Exact limits of explicit Euler: 2 over the largest rate, whatever stands beside the diagonal.
    for (matrix, euler) in [
        ([-1.0, 1e6, 0.0, -1.0], 2.0),
        ([-1.0, 1e9, 0.0, -2.0], 1.0),
        ([-1.0, 1.0, 0.0, -1.0], 2.0),
        ([-1.0, 0.0, 0.0, -1.0], 2.0),
        ([-1e8, 0.0, 0.0, -1e-4], 2e-8),
        ([-1e-300, 0.0, 0.0, -1e-300], 2e300),
    ] {
        for guessed in [true, false] {
            let [predicted, measured] = limits(&EULER, &matrix, guessed);
            assert!((predicted / euler - 1.0).abs() <= 1e-10, "{matrix:?}: {predicted}");
            assert!((measured / euler - 1.0).abs() <= 1e-8, "{matrix:?}: {measured}");
            let [predicted, measured] = limits(&RK4, &matrix, guessed);
            assert!((measured / predicted - 1.0).abs() <= 1e-8, "{matrix:?}: {measured} for {predicted}");
        }
        for method in METHODS.iter().filter(|m| m.is_implicit()) {
            assert_eq!(limits(method, &matrix, true), [f64::INFINITY; 2], "{matrix:?} by {}", method.name);
        }
    }
}

#[test]
fn growth_at_any_step_leaves_no_limit() {
    for matrix in [[1e-3, 1.0, 0.0, -1.0], [0.1, 3.0, -3.0, 0.1]] {
        assert_eq!(limits(&EULER, &matrix, false), [0.0; 2]);
        assert_eq!(limits(&RK4, &matrix, false)[1], 0.0);
    }
}

#[test]
fn limits_of_many_states_are_measured_too() {
    // A chain of decays, each fed by the one before: as far from normal as its couplings are strong.
    let dim = 30;
    let rate = |i: usize| 1.0 + i as f64 / 10.0;
    let field = Mlp::new(&[dim, dim], Activation::Identity, Activation::Identity).unwrap();
    let mut params = vec![0.0; dim * dim + dim];
    (0..dim).for_each(|i| params[i * dim + i] = -rate(i));
    (1..dim).for_each(|i| params[(i - 1) * dim + i] = 5.0);
    let field = Field::autonomous(&field).unwrap();
    let (rest, ones) = (vec![0.0; dim], vec![1.0; dim]);
    let around = Around { state: &rest, towards: &ones, fastest: rate(dim - 1) };
    for (method, reach) in [(&EULER, 2.0), (&RK4, 2.785293563405282)] {
        let measured = measured_limit(field, &params, method, around, f64::NAN, (1e-9, 20)).unwrap();
        assert!((measured * rate(dim - 1) / reach - 1.0).abs() <= 1e-8, "{}: {measured}", method.name);
    }
    assert_eq!(measured_limit(field, &params, &IMPLICIT_EULER, around, f64::NAN, (1e-3, 20)).unwrap(), f64::INFINITY);
}

#[test]
fn the_pendulums_limits_under_rk4_and_implicit_euler_are_what_small_displacements_do() {
    let pendulum = system("pendulum").unwrap().build(&Settings::default()).unwrap();
    let field = pendulum.field().unwrap();
    let point = Resting::flow(field, &pendulum.params, 0.0).unwrap().describe(&[0.0, 0.0]).unwrap();
    let around = Around { state: &point.state, towards: &pendulum.start, fastest: 9.81f64.sqrt() };
    // How many times larger the motion over a stretch of steps is after the first.
    let grown = |method: &Tableau, step: f64| {
        let course = Course { start: &[1e-6, 0.0], time: 0.0, span: 0.0, tolerance: &[] };
        let states = follow(field, &pendulum.params, method, course, step, 6000).unwrap();
        let largest = |states: &[f64]| states.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        largest(&states[states.len() - 400..]) / largest(&states[..400])
    };
    let predicted = predicted_limit(&RK4, &point.eigenvalues);
    let measured = measured_limit(field, &pendulum.params, &RK4, around, f64::NAN, (1e-9, 500)).unwrap();
    assert!((measured / predicted - 1.0).abs() <= 1e-7, "{measured} for {predicted}");
    assert!(grown(&RK4, 0.999 * measured) < 0.5 && grown(&RK4, 1.001 * measured) > 2.0);

    let implicit =
        |guess| measured_limit(field, &pendulum.params, &IMPLICIT_EULER, around, guess, (1e-3, 500)).unwrap();
    assert_eq!((implicit(f64::NAN), implicit(0.5)), (f64::INFINITY, f64::INFINITY));
    assert!([0.01, 0.1, 1.0, 10.0, 1000.0].iter().all(|&step| grown(&IMPLICIT_EULER, step) < 1e-3));
}

#[test]
fn steps_beyond_all_bounds_are_judged_too() {
    let modes = [Complex::new(-1.0, 3.0), Complex::new(-1.0, -3.0), Complex::new(-1e10, 0.0)];
    for method in METHODS {
        for step in [1e60, 1e150, 1e300, f64::MAX] {
            let growth = growth(method, &modes, step);
            let expected = if method.is_implicit() { 0.0..1.0 } else { 1e9..f64::INFINITY };
            assert!(expected.contains(&growth) || growth == expected.end && growth > 1.0, "{}: {growth}", method.name);
        }
    }
    // L-stable: R(z) z tends to a number.
    let far = |size: f64| IMPLICIT_EULER.stability(Complex::new(-size, size)) * size;
    assert!((far(1e200) - far(1e10)).norm() < 1e-9, "{}", far(1e200));
    let values = eigenvalues(DMatrix::from_row_slice(2, 2, &[-1e300, 1e300, -1e300, -1e300])).unwrap();
    assert!(values.iter().all(|z| (z.re / -1e300 - 1.0).abs() < 1e-12 && (z.im.abs() / 1e300 - 1.0).abs() < 1e-12));
}

#[test]
fn a_linear_trajectory_arrives_where_its_steps_lead() {
    let linear = Lift::<_, 2, 4>(Linear);
    let (field, params) = (Field::with_time(&linear).unwrap(), [-0.3, 2.0, -2.0, -0.1]);
    let course = Course { start: &[1.0, -0.5], time: 0.0, span: 0.0, tolerance: &[] };
    for (method, count) in [(&EULER, 1), (&RK4, 1000), (&IMPLICIT_EULER, 777)] {
        let followed = follow(field, &params, method, course, 0.01, count).unwrap();
        let at = |end: crate::Result<End>| match end.unwrap() {
            End::At(state) => state,
            lost => panic!("{}: {lost:?}", method.name),
        };
        let stepped = at(arrive(field, &params, method, course, 0.01, count as u64));
        let leapt = at(arrive_linear(field, &params, method, course, 0.01, count as u64));
        assert_eq!(stepped, followed[followed.len() - 2..]);
        assert!(stepped.iter().zip(&leapt).all(|(a, b)| (a - b).abs() < 1e-12), "{stepped:?} {leapt:?}");
    }
    let growing = [0.3, 2.0, -2.0, 0.1];
    assert_eq!(arrive(field, &growing, &EULER, course, 1.0, 5000).unwrap(), End::Exploded);
    assert_eq!(arrive_linear(field, &growing, &EULER, course, 1.0, 1 << 60).unwrap(), End::Exploded);
    // A step multiplies by 1 / (1 − 0.3).
    let fast = [3.0, 0.0, 0.0, 3.0];
    assert_eq!(arrive(field, &fast, &IMPLICIT_EULER, course, 0.1, 5000).unwrap(), End::Exploded);
    // 1 − h a = 0: the step's matrix is singular.
    let singular = [1.0, 0.0, 0.0, 1.0];
    assert_eq!(arrive(field, &singular, &IMPLICIT_EULER, course, 1.0, 3).unwrap(), End::Unsolved);
    assert_eq!(arrive_linear(field, &singular, &IMPLICIT_EULER, course, 1.0, 3).unwrap(), End::Unsolved);
}

/// Its flow from 1 is 1 / (1 − t).
struct Square;
impl SmallField<1, 0> for Square {
    fn rhs<S: Scalar>(&self, _t: S, [y]: [S; 1], _: [S; 0]) -> [S; 1] {
        [y * y]
    }
}

#[test]
fn an_implicit_step_without_a_solution_is_no_explosion() {
    let square = Lift::<_, 1, 0>(Square);
    let field = Field::with_time(&square).unwrap();
    let course = Course { start: &[1.0], time: 0.0, span: 0.0, tolerance: &[] };
    let end = |method, step, count| arrive(field, &[], method, course, step, count).unwrap();
    // z = 1 + h z² has a real solution up to h = 1/4, (1 − √(1 − 4h)) / 2h.
    let End::At(state) = end(&IMPLICIT_EULER, 0.2, 1) else { panic!("a step with a solution") };
    assert!((state[0] - (1.0 - 0.2f64.sqrt()) / 0.4).abs() < 1e-12, "{state:?}");
    assert_eq!(end(&IMPLICIT_EULER, 0.3, 1), End::Unsolved);
    assert_eq!(end(&EULER, 0.3, 50), End::Exploded);
}
