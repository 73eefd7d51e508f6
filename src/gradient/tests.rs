//! The discrete gradient against finite differences through the same steps, against forward mode, and against itself.

use super::Strategy;
use super::*;
use crate::dynamics::{Component, Field};
use crate::nn::{Activation, Mlp, fan_in_normal};
use crate::solve::tape::Outcome;
use crate::solve::{Control, Kind, METHODS, Options, Problem, Recording, Tableau, Tape, integrate, solve};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A random net `dy/dt = net(y, t)` with trajectories of their own lengths, times and directions.
struct Case {
    net: Mlp,
    params: Vec<f64>,
    start_times: Vec<f64>,
    starts: Vec<f64>,
    row_ptr: Vec<usize>,
    times: Vec<f64>,
}

impl Case {
    fn random(seed: u64, count: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let net = Mlp::new(&[4, 7, 3], Activation::Tanh, Activation::Identity).unwrap();
        let params = fan_in_normal(&Component::<f64>::params(&net, ""), 2.0, &mut rng);
        let mut case = Self { net, params, start_times: vec![], starts: vec![], row_ptr: vec![0], times: vec![] };
        for s in 0..count {
            let mut t: f64 = rng.random_range(-1.0..1.0);
            case.start_times.push(t);
            case.starts.extend((0..3).map(|_| rng.random_range(-1.5..1.5f64)));
            let direction = if s % 3 == 2 { -1.0 } else { 1.0 };
            if s % 2 == 0 {
                case.times.push(t);
            }
            for _ in 0..rng.random_range(0..6) {
                t += direction * rng.random_range(0.01..1.2);
                case.times.push(t);
            }
            case.row_ptr.push(case.times.len());
        }
        case
    }

    fn problem(&self) -> Problem<'_, f64> {
        Problem { start_times: &self.start_times, starts: &self.starts, row_ptr: &self.row_ptr, times: &self.times }
    }

    fn field(&self) -> Field<'_, f64> {
        Field::with_time(&self.net).unwrap()
    }

    fn one(&self, s: usize) -> Case {
        let rows = self.row_ptr[s]..self.row_ptr[s + 1];
        Case {
            net: self.net.clone(),
            params: self.params.clone(),
            start_times: vec![self.start_times[s]],
            starts: self.starts[3 * s..3 * s + 3].to_vec(),
            row_ptr: vec![0, rows.len()],
            times: self.times[rows].to_vec(),
        }
    }
}

fn options(method: &'static Tableau) -> Options {
    let mut options = Options::fixed(method, 0.13);
    if method.error.is_some() {
        options.control = Control::Adaptive { rtol: 1e-5, atol: 1e-7 };
    }
    options
}

fn random_like(n: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn recorded(case: &Case, options: &Options) -> (Vec<f64>, Box<Tape<f64>>) {
    let mut recording = Recording::tape();
    let solution = integrate(case.field(), &case.params, &case.problem(), options, &mut recording).unwrap();
    solution.all_finished().unwrap();
    match recording {
        Recording::Tape(tape) => (solution.states, Box::new(tape)),
        _ => unreachable!(),
    }
}

/// One trajectory through given steps, written as plainly as possible: the textbook formulas, nothing shared.
fn textbook(case: &Case, params: &[f64], start: &[f64], tableau: &Tableau, tape: &Tape<f64>) -> Vec<f64> {
    let f = |t: f64, y: &[f64]| {
        let (u, mut out, mut scratch) = ([y[0], y[1], y[2], t], [0.0; 3], [0.0; 64]);
        let (u, o) = (crate::linalg::Block::new(&u, 1), crate::linalg::BlockMut::new(&mut out, 1));
        case.net.eval(params, u, o, &mut scratch);
        out
    };
    let (mut t, mut y) = (case.start_times[0], start.to_vec());
    let mut outputs = vec![0.0; case.times.len() * 3];
    for &(_, row) in &tape.start.outputs {
        outputs[3 * row..3 * row + 3].copy_from_slice(&y);
    }
    for round in tape.rounds.iter().filter(|round| tape.outcomes[round.first] == Outcome::Whole) {
        let h = tape.steps[round.first];
        let mut k: Vec<[f64; 3]> = Vec::new();
        for j in 0..tableau.stages() + tableau.extra_c.len() {
            let row = tableau.a.iter().chain(tableau.extra_a).nth(j).unwrap();
            let c = tableau.c.iter().chain(tableau.extra_c).nth(j).unwrap();
            let stage: Vec<f64> =
                (0..3).map(|i| y[i] + h * row.iter().zip(&k).map(|(a, k)| a * k[i]).sum::<f64>()).collect();
            k.push(f(t + c * h, &stage));
        }
        for output in &tape.outputs[round.outputs.clone()] {
            for i in 0..3 {
                let weight = |j: usize| {
                    tableau.dense[j].iter().enumerate().map(|(p, c)| c * output.theta.powi(p as i32 + 1)).sum::<f64>()
                };
                outputs[3 * output.row + i] = y[i] + h * (0..k.len()).map(|j| weight(j) * k[j][i]).sum::<f64>();
            }
        }
        let b = tableau.a[tableau.stages() - 1];
        y = (0..3).map(|i| y[i] + h * b.iter().zip(&k).map(|(b, k)| b * k[i]).sum::<f64>()).collect();
        t += h;
    }
    outputs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn gradients_match_central_differences_through_the_same_steps(seed in 0u64..10_000) {
        for &tableau in METHODS.iter().filter(|m| m.kind == Kind::Explicit) {
            let case = Case::random(seed, 1);
            let options = options(tableau);
            let (states, tape) = recorded(&case, &options);
            let plain = textbook(&case, &case.params, &case.starts, tableau, &tape);
            for (a, b) in states.iter().zip(&plain) {
                prop_assert!((a - b).abs() < 1e-11 * (1.0 + b.abs()), "{a} against {b}");
            }
            let w = random_like(states.len(), seed);
            let mut params_bar = vec![0.0; case.params.len()];
            let mut recording = Recording::Tape(*tape.clone());
            let starts_bar =
                pull(case.field(), &case.params, &case.problem(), &options, &mut recording, &w, &mut params_bar).unwrap();
            let (dp, ds) = (random_like(case.params.len(), seed + 1), random_like(3, seed + 2));
            let shifted = |by: f64| {
                let params: Vec<_> = case.params.iter().zip(&dp).map(|(p, d)| p + by * d).collect();
                let start: Vec<_> = case.starts.iter().zip(&ds).map(|(p, d)| p + by * d).collect();
                dot(&w, &textbook(&case, &params, &start, tableau, &tape))
            };
            let (difference, error) = difference(shifted, 0.01);
            let exact = dot(&params_bar, &dp) + dot(&starts_bar, &ds);
            // Size of the terms that may cancel in the sum, so that the bound is relative to what is added up.
            let size = dot(&params_bar, &params_bar).sqrt() + dot(&starts_bar, &starts_bar).sqrt();
            // A net that bends too sharply for differences tells nothing; too many of them would fail the test.
            prop_assume!(error <= 1e-8 * size);
            prop_assert!((difference - exact).abs() <= 1e-8 * size, "{}: {difference:e} against {exact:e}", tableau.name);
        }
    }

    #[test]
    fn reverse_mode_is_the_transpose_of_forward_mode(seed in 0u64..10_000) {
        for &tableau in METHODS.iter().filter(|m| !m.is_partitioned()) {
            let case = Case::random(seed, 7);
            let options = options(tableau);
            let (states, tape) = recorded(&case, &options);
            let w = random_like(states.len(), seed);
            let (dp, ds) = (random_like(case.params.len(), seed + 1), random_like(case.starts.len(), seed + 2));
            let forward =
                push(case.field(), &case.params, &case.problem(), &options, &tape, &ds, Some(&dp)).unwrap().outputs;
            let mut params_bar = vec![0.0; case.params.len()];
            let mut recording = Recording::Tape(*tape);
            let starts_bar =
                pull(case.field(), &case.params, &case.problem(), &options, &mut recording, &w, &mut params_bar).unwrap();
            let (a, b) = (dot(&w, &forward), dot(&params_bar, &dp) + dot(&starts_bar, &ds));
            let size = dot(&w, &w).sqrt() * dot(&forward, &forward).sqrt();
            prop_assert!((a - b).abs() <= 1e-11 * size.max(1e-300), "{}: {a:e} forward, {b:e} back", tableau.name);
        }
    }

    #[test]
    fn checkpoints_give_the_same_bits_as_a_tape(seed in 0u64..10_000, every in 1usize..9) {
        for &tableau in METHODS.iter().filter(|m| !m.is_partitioned()) {
            let case = Case::random(seed, 6);
            let options = options(tableau);
            let results: Vec<_> = [Recording::tape(), Recording::checkpoints(every)]
                .into_iter()
                .map(|mut recording| {
                    let solution = integrate(case.field(), &case.params, &case.problem(), &options, &mut recording).unwrap();
                    let w = random_like(solution.states.len(), seed);
                    let mut bar = vec![0.0; case.params.len()];
                    let starts =
                        pull(case.field(), &case.params, &case.problem(), &options, &mut recording, &w, &mut bar).unwrap();
                    (solution.states, bar, starts)
                })
                .collect();
            prop_assert_eq!(&results[0], &results[1]);
        }
    }

    #[test]
    fn a_trajectory_has_the_same_bits_in_any_company(seed in 0u64..10_000) {
        for &tableau in METHODS.iter().filter(|m| !m.is_partitioned()) {
            let case = Case::random(seed, 37);
            let options = options(tableau);
            let all = solve(case.field(), &case.params, &case.problem(), &options).unwrap();
            for s in 0..37 {
                let one = case.one(s);
                let alone = solve(one.field(), &one.params, &one.problem(), &options).unwrap();
                prop_assert_eq!(&alone.states[..], &all.states[3 * case.row_ptr[s]..3 * case.row_ptr[s + 1]]);
                prop_assert_eq!(&alone.reports[0], &all.reports[s]);
            }
        }
    }
}

#[test]
fn gradients_have_the_same_bits_for_any_number_of_threads() {
    let case = Case::random(3, 50);
    let options = options(&crate::solve::TSIT5);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let loss = |_: usize, states: &[f64], bar: &mut [f64]| {
                bar.copy_from_slice(states);
                0.5 * dot(states, states)
            };
            let g =
                gradient(case.field(), &case.params, &case.problem(), &options, &Settings::default(), loss).unwrap();
            (g.loss, g.params, g.starts)
        })
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(5));
}

#[test]
fn a_field_that_is_not_finite_leaves_no_trace_in_the_gradient() {
    use crate::dynamics::{Lift, Scalar, SmallField};
    /// Not finite from the start at y < 0, and finite at y = 0 but not the step after.
    struct Logarithm;
    impl SmallField<1, 1> for Logarithm {
        fn rhs<S: Scalar>(&self, _t: S, y: [S; 1], p: [S; 1]) -> [S; 1] {
            [p[0] * y[0].ln()]
        }
    }
    let system = Lift::<_, 1, 1>(Logarithm);
    let problem = Problem {
        start_times: &[0.0, 0.0, 0.0],
        starts: &[-1.0, 2.0, 0.3],
        row_ptr: &[0, 1, 2, 3],
        times: &[1.0, 1.0, 9.0],
    };
    let loss = |_: usize, states: &[f64], bar: &mut [f64]| {
        bar.fill(1.0);
        states.iter().sum()
    };
    for options in [Options::adaptive(1e-6, 1e-6), Options::fixed(&crate::solve::RK4, 0.1)] {
        for strategy in [Strategy::Stored, Strategy::Checkpointed, Strategy::Forward] {
            // So little that every round is computed again.
            let settings = Settings { memory: 1, ..Settings::new(strategy) };
            let field = Field::with_time(&system).unwrap();
            let g = gradient(field, &[1.0], &problem, &options, &settings, loss).unwrap();
            assert!(g.reports[0].failure.is_some() && g.reports[1].failure.is_none() && g.reports[2].failure.is_some());
            assert!(g.params[0].is_finite() && g.params[0] > 0.0 && g.starts[0] == 0.0 && g.starts[2] == 0.0);
            assert!(g.reports[0].evaluations < 20);
        }
    }
}

#[test]
fn a_failed_trajectory_leaves_the_others_and_the_gradient_finite() {
    use crate::dynamics::{Lift, Scalar, SmallField};
    struct Pole;
    impl SmallField<1, 1> for Pole {
        fn rhs<S: Scalar>(&self, _t: S, y: [S; 1], p: [S; 1]) -> [S; 1] {
            [p[0] * y[0] * y[0]]
        }
    }
    let pole = Lift::<_, 1, 1>(Pole);
    let problem = Problem {
        start_times: &[0.0, 0.0, 0.0],
        starts: &[0.1, 1.0, -1.0],
        row_ptr: &[0, 1, 3, 4],
        times: &[2.0, 0.5, 2.0, 2.0],
    };
    let loss = |_: usize, states: &[f64], bar: &mut [f64]| {
        bar.fill(1.0);
        states.iter().sum()
    };
    for strategy in Strategy::ALL {
        let settings = Settings { memory: 1, ..Settings::new(strategy) };
        let options = Options::adaptive(1e-8, 1e-8);
        let g = gradient(Field::with_time(&pole).unwrap(), &[1.0], &problem, &options, &settings, loss).unwrap();
        let failure = g.reports[1].failure.unwrap();
        assert!((failure.time - 1.0).abs() < 0.01, "{failure}");
        assert!(g.reports[0].failure.is_none() && g.reports[2].failure.is_none());
        // y(t) = y0 / (1 − y0 t), so ∂y/∂y0 = 1 / (1 − y0 t)².
        assert!((g.starts[0] - 1.0 / 0.64).abs() < 1e-6 && g.starts[1] == 0.0);
        assert!((g.starts[2] - 1.0 / 9.0).abs() < 1e-6);
        assert!((g.params[0] - (0.02 / 0.64 + 2.0 / 9.0)).abs() < 1e-6);
    }
}
