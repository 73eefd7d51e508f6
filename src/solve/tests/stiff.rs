//! Stiff problems, long symplectic runs, limits on steps, and failures with their causes.

use super::*;

/// Robertson's chemical kinetics (Hairer & Wanner II, eq. IV.1.4).
struct Robertson;
impl SmallField<3, 0> for Robertson {
    fn rhs<S: Scalar>(&self, _t: S, [a, b, c]: [S; 3], []: [S; 0]) -> [S; 3] {
        let (slow, fast, mix) = (S::of(0.04) * a, S::of(3e7) * b * b, S::of(1e4) * b * c);
        [mix - slow, slow - mix - fast, fast]
    }
}

struct VanDerPol;
impl SmallField<2, 1> for VanDerPol {
    fn rhs<S: Scalar>(&self, _t: S, [x, y]: [S; 2], [mu]: [S; 1]) -> [S; 2] {
        [y, mu * (S::of(1.0) - x * x) * y - x]
    }
}

fn one<const N: usize, const P: usize, F: SmallField<N, P>>(
    field: F,
    params: &[f64],
    start: &[f64],
    times: &[f64],
    options: &Options,
) -> Solution<f64> {
    let component = Lift::<F, N, P>(field);
    let problem = Problem { start_times: &[0.0], starts: start, row_ptr: &[0, times.len()], times };
    solve(Field::with_time(&component).unwrap(), params, &problem, options).unwrap()
}

#[test]
fn robertson_reaches_1e11() {
    let options = Options { method: &KVAERNO5, ..Options::adaptive(1e-7, 1e-12) };
    let solution = one(Robertson, &[], &[1.0, 0.0, 0.0], &[40.0, 1e11], &options);
    solution.all_finished().unwrap();
    // Reference values: Hairer & Wanner's test set at 40, Mazzia & Magherini's test set for IVP solvers at 1e11.
    for (y, expected) in solution.states.iter().zip([0.7158270688, 9.185534764557e-6, 0.2841637457]) {
        // Read off the cubic extension of a step on its way to 1e11.
        assert_relative_eq!(*y, expected, max_relative = 1e-4);
    }
    for (y, expected) in
        solution.states[3..].iter().zip([2.083340149701255e-8, 8.333360770334713e-14, 0.999_999_979_166_505])
    {
        assert_relative_eq!(*y, expected, max_relative = 1e-3);
    }
    assert!(solution.reports[0].accepted < 2000, "{:?}", solution.reports[0]);
}

#[test]
fn van_der_pol_with_a_thousand_reaches_its_relaxation() {
    let options = Options { method: &KVAERNO5, ..Options::adaptive(1e-7, 1e-9) };
    let solution = one(VanDerPol, &[1000.0], &[2.0, 0.0], &[2000.0], &options);
    solution.all_finished().unwrap();
    // Reference value: test set for IVP solvers (Mazzia & Magherini), problem vdpol in unscaled time.
    assert_relative_eq!(solution.states[0], 1.706167732170469, max_relative = 1e-4);
    assert_relative_eq!(solution.states[1], -0.8928097010248125e-3, max_relative = 1e-4);
}

#[test]
fn implicit_euler_is_stable_at_any_step_and_adapts() {
    struct Fast;
    impl SmallField<1, 0> for Fast {
        fn rhs<S: Scalar>(&self, t: S, [y]: [S; 1], []: [S; 0]) -> [S; 1] {
            [S::of(-1e6) * (y - t.cos())]
        }
    }
    for options in
        [Options::fixed(&IMPLICIT_EULER, 0.1), Options { method: &IMPLICIT_EULER, ..Options::adaptive(1e-4, 1e-6) }]
    {
        let solution = one(Fast, &[], &[0.0], &[1.0, 2.0], &options);
        solution.all_finished().unwrap();
        assert_relative_eq!(solution.states[1], 2f64.cos(), epsilon = 1e-3);
    }
}

#[test]
fn symplectic_methods_bound_the_energy_over_a_million_steps() {
    struct Pendulum;
    impl SmallField<2, 0> for Pendulum {
        fn rhs<S: Scalar>(&self, _t: S, [q, p]: [S; 2], []: [S; 0]) -> [S; 2] {
            [p, -q.sin()]
        }
    }
    let energy = |y: &[f64]| 0.5 * y[1] * y[1] - y[0].cos();
    let h = 0.1;
    let times: Vec<f64> = (1..=1000).map(|k| 100.0 * f64::from(k)).collect();
    for (method, most) in [(&VERLET, 2e-3), (&YOSHIDA4, 1e-4)] {
        let solution = one(Pendulum, &[], &[1.0, 0.0], &times, &Options::fixed(method, h));
        assert_eq!(solution.reports[0].accepted, 1_000_000);
        let off = |rows: &[f64]| rows.chunks(2).map(|y| (energy(y) - energy(&[1.0, 0.0])).abs()).fold(0.0, f64::max);
        let (early, late) = (off(&solution.states[..200]), off(&solution.states[1800..]));
        assert!(early < most && late < most, "{}: {early:e} then {late:e}", method.name);
    }
}

#[test]
fn a_pole_a_field_that_turns_nan_and_stiffness_are_told_apart() {
    struct Square;
    impl SmallField<1, 0> for Square {
        fn rhs<S: Scalar>(&self, _t: S, [y]: [S; 1], []: [S; 0]) -> [S; 1] {
            [y * y]
        }
    }
    /// `√(3 − t) · 0 + 1`: NaN from 3 on.
    struct Ends;
    impl SmallField<1, 0> for Ends {
        fn rhs<S: Scalar>(&self, t: S, [_]: [S; 1], []: [S; 0]) -> [S; 1] {
            [S::of(1.0) + S::of(0.0) * (S::of(3.0) - t).sqrt()]
        }
    }
    for &method in METHODS.iter().filter(|method| method.error.is_some() && method.order > 2) {
        let options = Options { method, ..Options::adaptive(1e-6, 1e-6) };
        let pole = one(Square, &[], &[1.0], &[0.5, 2.0], &options);
        let failure = pole.reports[0].failure.unwrap();
        assert_eq!(failure.cause, Cause::BlowUp, "{}: {failure}", method.name);
        assert!((failure.time - 1.0).abs() < 0.01, "{}: {failure}", method.name);
        assert_relative_eq!(pole.states[0], 2.0, max_relative = 1e-4);
        assert!(pole.states[1].is_nan());

        let ends = one(Ends, &[], &[0.0], &[2.0, 4.0], &options);
        let failure = ends.reports[0].failure.unwrap();
        assert_eq!(failure.cause, Cause::FieldNotFinite, "{}: {failure}", method.name);
        assert!((failure.time - 3.0).abs() < 0.03, "{}: {failure}", method.name);
        assert_relative_eq!(ends.states[0], 2.0, max_relative = 1e-4);
    }
    let options = Options { max_steps: 10_000, ..Options::adaptive(1e-6, 1e-9) };
    let stiff = one(Robertson, &[], &[1.0, 0.0, 0.0], &[1e11], &options).reports[0].failure.unwrap();
    assert_eq!((stiff.reason, stiff.cause), (Reason::TooManySteps, Cause::Stiff));
    assert!(stiff.to_string().contains("kvaerno5"), "{stiff}");
}

#[test]
fn steps_keep_to_their_limits() {
    let longest = Options { max_step: 0.05, ..Options::adaptive(1e-3, 1e-3) };
    assert!(oscillate(&longest, &[1.0]).reports[0].accepted >= 20);
    let shortest = Options { min_step: 0.2, ..Options::adaptive(1e-12, 1e-12) };
    let failure = oscillate(&shortest, &[10.0]).reports[0].failure.unwrap();
    assert!(matches!(failure.reason, Reason::StepUnderflow { .. }), "{failure}");
    let given = Options { first_step: Some(1e-3), ..Options::adaptive(1e-6, 1e-6) };
    assert_relative_eq!(oscillate(&given, &[1.0]).states[0], 2f64.cos(), epsilon = 1e-4);
}

/// A trajectory of frequency 10 among 4,095 of frequency 0.1 (carried as a third state).
#[test]
fn a_fast_oscillator_among_thousands_of_slow_ones_has_the_bits_it_has_alone() {
    struct Own;
    impl SmallField<3, 0> for Own {
        fn rhs<S: Scalar>(&self, _t: S, [x, y, w]: [S; 3], []: [S; 0]) -> [S; 3] {
            [y, -w * w * x, S::of(0.0)]
        }
    }
    let component = Lift::<_, 3, 0>(Own);
    let field = Field::with_time(&component).unwrap();
    let count = 4096;
    let starts: Vec<f64> = (0..count).flat_map(|s| [1.0, 0.0, if s == 1234 { 10.0 } else { 0.1 }]).collect();
    let (begins, ends) = (vec![0.0; count], vec![10.0; count]);
    let row_ptr: Vec<usize> = (0..=count).collect();
    let problem = Problem { start_times: &begins, starts: &starts, row_ptr: &row_ptr, times: &ends };
    let options = Options { method: &DOPRI5, ..Options::adaptive(1e-3, 1e-6) };
    let all = solve(field, &[], &problem, &options).unwrap();
    let alone = Problem { start_times: &[0.0], starts: &[1.0, 0.0, 10.0], row_ptr: &[0, 1], times: &[10.0] };
    assert_eq!(all.states[3 * 1234..][..3], solve(field, &[], &alone, &options).unwrap().states);
}
