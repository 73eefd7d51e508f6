//! Every strategy against the exact discrete gradient, and what each promises.

use super::Strategy;
use super::*;
use crate::dynamics::{Component, Field, Inputs, Interpolation, Lift, Path, Scalar, SmallField};
use crate::nn::{Activation, Mlp, fan_in_normal};
use crate::solve::{DOP853, DOPRI5, IMPLICIT_EULER, KVAERNO5, Options, Problem, RK4, TSIT5, Tableau, VERN7};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A driven random net `dy/dt = net(y, x(t), t)` with trajectories both ways in time, each with times and knots of its own.
struct Driven {
    net: Mlp,
    params: Vec<f64>,
    path: Path<f64>,
    knot_ptr: Vec<usize>,
    knots: Vec<f64>,
    values: Vec<f64>,
    start_times: Vec<f64>,
    starts: Vec<f64>,
    row_ptr: Vec<usize>,
    times: Vec<f64>,
}

impl Driven {
    fn random(interpolation: Interpolation, seed: u64, count: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let net = Mlp::new(&[4, 6, 2], Activation::Tanh, Activation::Identity).unwrap();
        let params = fan_in_normal(&Component::<f64>::params(&net, ""), 1.5, &mut rng);
        let (mut start_times, mut starts, mut row_ptr, mut times) = (vec![], vec![], vec![0], vec![]);
        let (mut knot_ptr, mut knots, mut values) = (vec![0], vec![], vec![]);
        for s in 0..count {
            let (mut t, direction): (f64, f64) = (rng.random_range(-0.5..0.5), if s % 2 == 0 { 1.0 } else { -1.0 });
            start_times.push(t);
            starts.extend((0..2).map(|_| rng.random_range(-1.0..1.0f64)));
            for k in 0..rng.random_range(1..6) {
                t += direction * rng.random_range(0.05..0.6);
                times.push(t);
                if k == 2 {
                    times.push(t);
                }
            }
            row_ptr.push(times.len());
            let mut knot: f64 = -2.0;
            for _ in 0..5 {
                knots.push(knot);
                values.push(rng.random_range(-1.0..1.0));
                knot += rng.random_range(0.3..1.5);
            }
            knot_ptr.push(knots.len());
        }
        let path = Path::new(interpolation, 1, knot_ptr.clone(), knots.clone(), values.clone()).unwrap();
        Self { net, params, path, knot_ptr, knots, values, start_times, starts, row_ptr, times }
    }

    fn field(&self) -> Field<'_, f64> {
        Field::with_inputs(&self.net, &self.path, true).unwrap()
    }

    fn problem(&self) -> Problem<'_, f64> {
        Problem { start_times: &self.start_times, starts: &self.starts, row_ptr: &self.row_ptr, times: &self.times }
    }
}

/// A weighted sum of the outputs and their squares.
fn loss(first: usize, states: &[f64], bar: &mut [f64]) -> f64 {
    let weight = |i: usize| (1.0 + (first * 31 + i) as f64).sin();
    bar.iter_mut().zip(states).enumerate().for_each(|(i, (bar, y))| *bar = weight(i) + 0.6 * y);
    states.iter().enumerate().map(|(i, y)| weight(i) * y + 0.3 * y * y).sum()
}

fn off(a: &Gradient<f64>, b: &Gradient<f64>) -> f64 {
    let all = |g: &Gradient<f64>| [&g.params[..], &g.starts, &g.inputs].concat();
    let (a, b) = (all(a), all(b));
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    norm(&mut a.iter().zip(&b).map(|(a, b)| a - b)) / norm(&mut a.iter().copied())
}

fn adaptive(method: &'static Tableau, tolerance: f64) -> Options {
    Options { method, max_steps: 1_000_000, ..Options::adaptive(tolerance, tolerance) }
}

const PATHS: [Interpolation; 4] =
    [Interpolation::Step, Interpolation::Linear, Interpolation::Hermite, Interpolation::NaturalSpline];

#[test]
fn gradients_by_input_numbers_and_output_times_match_differences() {
    for (k, interpolation) in PATHS.into_iter().enumerate() {
        let case = Driven::random(interpolation, 10 + k as u64, 3);
        for strategy in [Strategy::Stored, Strategy::Interpolating] {
            let options = adaptive(&VERN7, 1e-11);
            let settings = Settings { by_times: true, ..Settings::new(strategy) };
            let g = gradient(case.field(), &case.params, &case.problem(), &options, &settings, loss).unwrap();
            let direction: Vec<f64> = (0..g.inputs.len()).map(|i| (2.0 + i as f64).cos()).collect();
            let value = |by: f64| {
                let values = case.values.iter().zip(&direction).map(|(x, d)| x + by * d).collect();
                let path = Path::new(interpolation, 1, case.knot_ptr.clone(), case.knots.clone(), values).unwrap();
                let field = Field::with_inputs(&case.net, &path, true).unwrap();
                let settings = Settings::default();
                gradient(field, &case.params, &case.problem(), &options, &settings, loss).unwrap().loss
            };
            let (difference, _) = difference(value, 0.1);
            let exact: f64 = g.inputs.iter().zip(&direction).map(|(g, d)| g * d).sum();
            assert!((difference - exact).abs() < 1e-7 * (1.0 + exact.abs()), "{interpolation:?}: {difference} {exact}");

            // Outputs at one time move together.
            let shift = |i: usize| (case.times[i] * 5.0).sin();
            let value = |by: f64| {
                let times: Vec<f64> = case.times.iter().enumerate().map(|(i, t)| t + by * shift(i)).collect();
                let problem = Problem { times: &times, ..case.problem() };
                gradient(case.field(), &case.params, &problem, &options, &Settings::default(), loss).unwrap().loss
            };
            let (difference, _) = self::difference(value, 1e-3);
            let exact: f64 = g.times.iter().enumerate().map(|(i, g)| g * shift(i)).sum();
            assert!((difference - exact).abs() < 1e-6 * (1.0 + exact.abs()), "{interpolation:?}: {difference} {exact}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_exact_strategy_agrees_and_any_budget_gives_the_same_bits(seed in 0u64..10_000, budget in 1usize..60_000) {
        for (k, method) in [&TSIT5, &DOP853, &KVAERNO5].into_iter().enumerate() {
            let case = Driven::random(PATHS[(seed as usize + k) % 4], seed, 5);
            let options = adaptive(method, 1e-6);
            let by = |settings: Settings| {
                gradient(case.field(), &case.params, &case.problem(), &options, &settings, loss).unwrap()
            };
            let stored = by(Settings::new(Strategy::Stored));
            for memory in [1, budget, 1 << 30] {
                let kept = by(Settings { memory, ..Settings::new(Strategy::Checkpointed) });
                prop_assert_eq!(&kept.params, &stored.params);
                prop_assert_eq!(&kept.starts, &stored.starts);
                prop_assert_eq!(&kept.inputs, &stored.inputs);
                if memory == budget && budget > 20_000 {
                    prop_assert!(kept.bytes <= memory, "{} of {memory}", kept.bytes);
                }
            }
            // Tangents by inputs are not pushed.
            let forward = gradient(case.field(), &case.params, &case.problem(), &options, &Settings::new(Strategy::Forward), loss);
            prop_assert!(forward.unwrap_err().to_string().contains("inputs"));
        }
    }
}

#[test]
fn forward_sensitivities_agree_with_the_way_back() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let net = Mlp::new(&[3, 5, 3], Activation::Tanh, Activation::Identity).unwrap();
    let params: Vec<f64> = fan_in_normal(&Component::<f64>::params(&net, ""), 1.5, &mut rng);
    let (starts, times) = ([0.3, -0.2, 0.9, 1.0, 0.1, -0.4], [0.0, 0.7, 0.9, 2.0, -1.0]);
    let problem = Problem { start_times: &[0.0, 0.0], starts: &starts, row_ptr: &[0, 4, 5], times: &times };
    for method in [&DOPRI5, &VERN7, &IMPLICIT_EULER] {
        // Newton's share of the tolerance is all that an implicit method's derivative may miss.
        let (options, limit) =
            if method.is_implicit() { (Options::fixed(method, 0.05), 1e-11) } else { (adaptive(method, 1e-6), 1e-11) };
        let by = |strategy| {
            let field = Field::autonomous(&net).unwrap();
            gradient(field, &params, &problem, &options, &Settings::new(strategy), loss).unwrap()
        };
        let (stored, forward) = (by(Strategy::Stored), by(Strategy::Forward));
        assert_eq!(stored.loss, forward.loss);
        assert!(off(&stored, &forward) < limit, "{}: {:e}", method.name, off(&stored, &forward));
    }
}

#[test]
fn adjoints_come_as_close_to_the_discrete_gradient_as_the_tolerance() {
    for (method, interpolation) in
        [(&TSIT5, Interpolation::Linear), (&DOPRI5, Interpolation::Hermite), (&DOP853, Interpolation::Step)]
    {
        let case = Driven::random(interpolation, 3, 6);
        for strategy in [Strategy::Interpolating, Strategy::Backsolve] {
            let errors = [1e-4, 1e-6, 1e-8, 1e-10].map(|tolerance| {
                let options = adaptive(method, tolerance);
                let by = |strategy| {
                    gradient(case.field(), &case.params, &case.problem(), &options, &Settings::new(strategy), loss)
                        .unwrap()
                };
                off(&by(Strategy::Stored), &by(strategy))
            });
            assert!(errors.windows(2).all(|pair| pair[1] < 0.3 * pair[0]), "{} {strategy:?}: {errors:?}", method.name);
            assert!(errors[3] < 1e-7, "{} {strategy:?}: {errors:?}", method.name);
        }
    }
}

#[test]
fn the_interpolating_adjoint_works_under_a_stiff_method() {
    struct Stiff;
    impl SmallField<2, 2> for Stiff {
        fn rhs<S: Scalar>(&self, t: S, [x, y]: [S; 2], [k, a]: [S; 2]) -> [S; 2] {
            [-k * (x - t.cos()) + a * y, -y + a * x * y / S::of(10.0)]
        }
    }
    let stiff = Lift::<_, 2, 2>(Stiff);
    let problem = Problem { start_times: &[0.0], starts: &[0.5, 1.0], row_ptr: &[0, 3], times: &[0.5, 1.0, 3.0] };
    let options = adaptive(&KVAERNO5, 1e-8);
    let by = |strategy| {
        gradient(Field::with_time(&stiff).unwrap(), &[1e4, 0.7], &problem, &options, &Settings::new(strategy), loss)
    };
    let (stored, adjoint) = (by(Strategy::Stored).unwrap(), by(Strategy::Interpolating).unwrap());
    assert!(off(&stored, &adjoint) < 1e-4, "{:e}", off(&stored, &adjoint));
    assert!(by(Strategy::Backsolve).unwrap_err().to_string().contains("second derivatives"));
}

/// A contracting net.
struct Contracting;
impl SmallField<2, 5> for Contracting {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, y]: [S; 2], [a, b, c, d, k]: [S; 5]) -> [S; 2] {
        [(a * x + b * y).tanh() - k * x, (c * x + d * y).tanh() - k * y]
    }
}

#[test]
fn backsolve_where_the_flow_contracts_is_refused_or_flagged() {
    let field = Lift::<_, 2, 5>(Contracting);
    let problem = Problem { start_times: &[0.0], starts: &[1.0, -0.5], row_ptr: &[0, 1], times: &[10.0] };
    let found = audit(
        Field::with_time(&field).unwrap(),
        &[0.8, -1.1, 0.9, 0.4, 10.0],
        &problem,
        &adaptive(&DOPRI5, 1e-3),
        &Settings::new(Strategy::Backsolve),
        (3, 1),
        loss,
    )
    .unwrap();
    let row = |strategy| found.rows.iter().find(|row| row.strategy == strategy).unwrap();
    assert!(row(Strategy::Backsolve).flagged, "{found}");
    assert!(!row(Strategy::Checkpointed).flagged && !row(Strategy::Forward).flagged, "{found}");
    assert!(found.to_string().contains("backsolve *") && found.to_string().contains("NOT TO BE USED HERE"));
}

#[test]
fn an_audit_of_a_mild_problem_finds_every_strategy_good() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let net = Mlp::new(&[2, 6, 2], Activation::Tanh, Activation::Identity).unwrap();
    let params: Vec<f64> = fan_in_normal(&Component::<f64>::params(&net, ""), 1.0, &mut rng);
    let times = [0.5, 1.0, 2.0, 1.0, 3.0];
    let problem =
        Problem { start_times: &[0.0, 0.0], starts: &[0.3, -0.2, 0.9, 1.0], row_ptr: &[0, 3, 5], times: &times };
    let field = Field::autonomous(&net).unwrap();
    let found = audit(field, &params, &problem, &adaptive(&TSIT5, 1e-6), &Settings::default(), (4, 2), loss).unwrap();
    assert_eq!((found.chosen, found.rows.len(), found.directions.len()), (Strategy::Stored, 5, 4));
    assert!(
        found.rows.iter().all(|row| !row.flagged && row.forward_evaluations > 0 && row.backward_evaluations > 0),
        "{found}"
    );
    for d in &found.directions {
        assert!(
            (d.exact - d.differences).abs() < 1e-8 * (1.0 + d.exact.abs()) && d.differences_error < 1e-8,
            "{found}"
        );
    }
}

/// Output times evenly over [0, 5], the start among them.
fn spread(count: usize) -> Vec<f64> {
    (0..count).map(|k| 5.0 * k as f64 / (count - 1) as f64).collect()
}

#[test]
fn observations_cost_no_evaluations_and_the_adjoint_one_step_each() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let net = Mlp::new(&[2, 8, 2], Activation::Tanh, Activation::Identity).unwrap();
    let params: Vec<f64> = fan_in_normal(&Component::<f64>::params(&net, ""), 2.0, &mut rng);
    for method in [&TSIT5, &DOPRI5] {
        let cost = |count: usize, strategy| {
            let times = spread(count);
            let problem = Problem { start_times: &[0.0], starts: &[0.4, -0.7], row_ptr: &[0, count], times: &times };
            let (field, options) = (Field::autonomous(&net).unwrap(), adaptive(method, 1e-6));
            let g = gradient(field, &params, &problem, &options, &Settings::new(strategy), loss).unwrap();
            (g.reports[0].evaluations as f64, g.backward_evaluations as f64)
        };
        let (few, many) = (cost(2, Strategy::Auto), cost(1000, Strategy::Auto));
        assert!(many.0 <= 1.1 * few.0 && many.1 <= 1.1 * few.1, "{}: {few:?} {many:?}", method.name);
        let (_, back) = cost(1000, Strategy::Interpolating);
        assert!(back <= 7.0 * 1000.0, "{}: {back}", method.name);
    }
}

#[test]
fn forecasts_are_what_is_kept_and_automatic_choices_follow_the_budget() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let net = Mlp::new(&[3, 16, 3], Activation::Tanh, Activation::Identity).unwrap();
    let params: Vec<f64> = fan_in_normal(&Component::<f64>::params(&net, ""), 1.0, &mut rng);
    let problem = Problem { start_times: &[0.0], starts: &[0.4, -0.7, 0.1], row_ptr: &[0, 1], times: &[40.0] };
    let field = Field::autonomous(&net).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for options in [Options::fixed(&RK4, 0.01), adaptive(&TSIT5, 1e-9)] {
        for strategy in [Strategy::Stored, Strategy::Checkpointed, Strategy::Interpolating] {
            let settings = Settings { memory: 200_000, ..Settings::new(strategy) };
            let g = pool.install(|| gradient(field, &params, &problem, &options, &settings, loss)).unwrap();
            let plan = pool.install(|| Plan::new(field, &params, &problem, &options, &settings)).unwrap();
            let (kept, forecast) = (g.bytes as f64, plan.forecast as f64);
            assert!((kept - forecast).abs() < 0.2 * kept, "{strategy:?}: {kept} kept, {forecast} forecast");
        }
    }
    let plan = |memory| {
        let settings = Settings { memory, ..Settings::default() };
        pool.install(|| Plan::new(field, &params, &problem, &Options::fixed(&RK4, 0.01), &settings)).unwrap()
    };
    assert_eq!((plan(1 << 30).strategy, plan(100_000).strategy), (Strategy::Stored, Strategy::Checkpointed));
    assert!(plan(100_000).to_string().contains("does not fit in 97.7 KiB"), "{}", plan(100_000));
}

#[test]
fn growth_is_the_expansion_of_the_flow_and_bounds_the_trusted_span() {
    struct Linear;
    impl SmallField<1, 1> for Linear {
        fn rhs<S: Scalar>(&self, _t: S, [y]: [S; 1], [a]: [S; 1]) -> [S; 1] {
            [a * y]
        }
    }
    let linear = Lift::<_, 1, 1>(Linear);
    let problem =
        Problem { start_times: &[0.0, 1.0], starts: &[1.0, 2.0], row_ptr: &[0, 2, 3], times: &[1.0, 4.0, 5.0] };
    let options = adaptive(&TSIT5, 1e-6);
    let of = |a: f64| growth(Field::with_time(&linear).unwrap(), &[a], &problem, &options, 0).unwrap();
    for a in [2.5, -1.5] {
        assert!(of(a).iter().all(|g| g.span == 4.0 && (g.log - 4.0 * a).abs() < 1e-4), "{:?}", of(a));
    }
    assert_eq!(trusted_span(&of(-1.5), &options), None);
    // ln(0.01 / 1e-6) / 2.5.
    assert!((trusted_span(&of(2.5), &options).unwrap() - 1e4f64.ln() / 2.5).abs() < 1e-3);
}

/// Doses at given times, as impulses.
struct Doses(Vec<f64>, f64);
impl Inputs<f64> for Doses {
    fn dim(&self) -> usize {
        0
    }
    fn kinks(&self, _: usize) -> &[f64] {
        &self.0
    }
    fn impulse(&self, _: usize, kink: usize, state: &mut [f64]) {
        state[0] += self.1 * (1.0 + kink as f64);
    }
    fn at(&self, _: usize, _: usize, _: f64, _: &mut [f64]) {}
}

#[test]
fn impulses_come_at_their_times_and_gradients_pass_them() {
    struct Decay;
    impl SmallField<1, 1> for Decay {
        fn rhs<S: Scalar>(&self, _t: S, [y]: [S; 1], [k]: [S; 1]) -> [S; 1] {
            [-k * y]
        }
    }
    let (decay, doses) = (Lift::<_, 1, 1>(Decay), Doses(vec![1.0, 2.0], 3.0));
    let field = Field::with_inputs(&decay, &doses, true).unwrap();
    let k = 0.8f64;
    // y = 2 e^{-kt} + 3 e^{-k(t-1)} + 6 e^{-k(t-2)} at t = 3; just at a dose it has not been given yet.
    let problem = Problem { start_times: &[0.0], starts: &[2.0], row_ptr: &[0, 2], times: &[1.0, 3.0] };
    let exact = 2.0 * (-3.0 * k).exp() + 3.0 * (-2.0 * k).exp() + 6.0 * (-k).exp();
    let by_k = -6.0 * (-3.0 * k).exp() - 6.0 * (-2.0 * k).exp() - 6.0 * (-k).exp();
    for strategy in Strategy::ALL {
        let last = |_: usize, states: &[f64], bar: &mut [f64]| {
            bar[1] = 1.0;
            assert!((states[0] - 2.0 * (-k).exp()).abs() < 1e-8);
            states[1]
        };
        let g = gradient(field, &[k], &problem, &adaptive(&TSIT5, 1e-10), &Settings::new(strategy), last).unwrap();
        assert!(
            (g.loss - exact).abs() < 1e-8 && (g.params[0] - by_k).abs() < 1e-7,
            "{strategy:?}: {} {:?}",
            g.loss,
            g.params
        );
        assert!((g.starts[0] - (-3.0 * k).exp()).abs() < 1e-8, "{strategy:?}");
        // A loss at the very time of a dose knows nothing of it.
        let first = |_: usize, states: &[f64], bar: &mut [f64]| {
            bar[0] = 1.0;
            states[0]
        };
        let g = gradient(field, &[k], &problem, &adaptive(&TSIT5, 1e-10), &Settings::new(strategy), first).unwrap();
        assert!((g.params[0] + 2.0 * (-k).exp()).abs() < 1e-7, "{strategy:?}: {:?}", g.params);
        assert!((g.starts[0] - (-k).exp()).abs() < 1e-8, "{strategy:?}");
    }
}
