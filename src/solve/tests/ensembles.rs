//! The lane kernel against the general engine, to the last bit.

use crate::Real;
use crate::dynamics::{Constants, Field, Lift, Scalar, SmallField, Swept};
use crate::solve::*;
use proptest::prelude::*;

struct Lorenz;
impl SmallField<3, 3> for Lorenz {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, y, z]: [S; 3], [sigma, rho, beta]: [S; 3]) -> [S; 3] {
        [sigma * (y - x), x * (rho - z) - y, x * y - beta * z]
    }
}

struct VanDerPol;
impl SmallField<2, 1> for VanDerPol {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [x, v]: [S; 2], [mu]: [S; 1]) -> [S; 2] {
        [v, mu * (S::of(1.0) - x * x) * v - x]
    }
}

/// Depends on time and on functions that have no vector instructions.
struct Driven;
impl SmallField<2, 2> for Driven {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, t: S, [x, v]: [S; 2], [damping, push]: [S; 2]) -> [S; 2] {
        [v, push * t.cos() - damping * v.tanh() - x.sin() + (-x * x).exp() / S::of(8.0)]
    }
}

/// `y' = y²`, infinite at `t = 1/y(0)`.
struct Pole;
impl SmallField<1, 0> for Pole {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, _t: S, [y]: [S; 1], []: [S; 0]) -> [S; 1] {
        [y * y]
    }
}

/// Not a number from `t = 1` on.
struct Edge;
impl SmallField<1, 0> for Edge {
    #[inline(always)]
    fn rhs<S: Scalar>(&self, t: S, [y]: [S; 1], []: [S; 0]) -> [S; 1] {
        [y + (S::of(1.0) - t).sqrt()]
    }
}

/// Trajectories with their outputs.
#[derive(Clone, Debug, Default)]
struct Case {
    start_times: Vec<f64>,
    starts: Vec<f64>,
    row_ptr: Vec<usize>,
    times: Vec<f64>,
}

/// `count` trajectories of `dim` rows: outputs at the start, within steps, repeated, and at the end; some backward if
/// `span` allows, some without any output.
fn cases(dim: usize, span: f64, count: usize) -> impl Strategy<Value = Case> {
    let outputs = prop::collection::vec((0.0..1.0f64, 0usize..8), 0..9);
    let one = (prop::collection::vec(-2.0..2.0f64, dim), -1.0..1.0f64, 0.05..1.0f64, any::<bool>(), outputs);
    prop::collection::vec(one, 1..=count).prop_map(move |all| {
        let mut case = Case { row_ptr: vec![0], ..Case::default() };
        for (start, t0, length, backward, outputs) in all {
            case.start_times.push(t0);
            case.starts.extend(start);
            let mut fractions: Vec<f64> = outputs
                .iter()
                .flat_map(|&(at, kind)| match kind {
                    0 => vec![0.0],
                    1 => vec![at, at],
                    2 => vec![1.0, 1.0],
                    _ => vec![at],
                })
                .collect();
            fractions.sort_by(f64::total_cmp);
            let length = if backward { -0.2 * length * span } else { length * span };
            case.times.extend(fractions.iter().map(|f| t0 + f * length));
            case.row_ptr.push(case.times.len());
        }
        case
    })
}

fn rounded<T: Real>(x: &[f64]) -> Vec<T> {
    x.iter().map(|&x| T::of(x)).collect()
}

/// `solve` and `integrate` agree on every bit of states and reports.
fn agree<T: Real>(field: Field<T>, params: &[f64], case: &Case, options: &Options) {
    let (start_times, starts, times) = (rounded(&case.start_times), rounded(&case.starts), rounded(&case.times));
    let params: Vec<T> = rounded(params);
    let problem = Problem { start_times: &start_times, starts: &starts, row_ptr: &case.row_ptr, times: &times };
    assert!(crate::solve::ensemble::marcher(field, options).is_some());
    let lanes = solve(field, &params, &problem, options).unwrap();
    let general = integrate(field, &params, &problem, options, &mut Recording::Nothing).unwrap();
    // Debug output tells NaN from NaN no more than it should, and shortest digits tell numbers apart.
    assert_eq!(format!("{:?}", lanes.reports), format!("{:?}", general.reports));
    for (row, (a, b)) in lanes.states.iter().zip(&general.states).enumerate() {
        let same = a.f64().to_bits() == b.f64().to_bits() || (a.f64().is_nan() && b.f64().is_nan());
        assert!(same, "number {row}: {a:e} in lanes, {b:e} in the engine");
    }
}

fn options(kind: usize, method: usize, digits: f64) -> Options {
    let adaptive: Vec<_> = METHODS.iter().filter(|m| m.error.is_some() && m.kind == Kind::Explicit).collect();
    let explicit: Vec<_> = METHODS.iter().filter(|m| m.kind == Kind::Explicit).collect();
    let tolerance = 10f64.powf(-digits);
    let control = Control::Adaptive { rtol: tolerance, atol: tolerance };
    match kind {
        0 => Options::fixed(explicit[method % explicit.len()], 0.03),
        1 => Options { max_steps: 40, ..Options::new(adaptive[method % adaptive.len()], control, 1) },
        2 => Options {
            first_step: Some(0.01),
            max_step: 0.05,
            gains: Gains::PID,
            ..Options::new(adaptive[method % adaptive.len()], control, 3000)
        },
        3 => Options { min_step: 0.002, ..Options::new(adaptive[method % adaptive.len()], control, 3000) },
        _ => Options::new(adaptive[method % adaptive.len()], control, 3000),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn lorenz_in_lanes_has_the_bits_of_the_engine(
        case in cases(3, 2.0, 20), kind in 0usize..7, method in 0usize..20, digits in 2.0..9.0f64,
    ) {
        let (field, p) = (Lift::<_, 3, 3>(Lorenz), [10.0, 28.0, 8.0 / 3.0]);
        let options = options(kind, method, digits);
        agree::<f64>(Field::with_time(&field).unwrap(), &p, &case, &options);
        agree::<f32>(Field::with_time(&field).unwrap(), &p, &case, &options);
    }

    #[test]
    fn swept_parameters_in_lanes_have_the_bits_of_the_engine(
        case in cases(2, 4.0, 40), kind in 0usize..7, method in 0usize..20, digits in 2.0..7.0f64,
        mu in prop::collection::vec(0.1..8.0f64, 40),
    ) {
        let (field, options) = (Swept::<_, 2, 1>(VanDerPol), options(kind, method, digits));
        let inputs = Constants { dim: 1, values: mu.clone() };
        agree::<f64>(Field::with_inputs(&field, &inputs, true).unwrap(), &[], &case, &options);
        let inputs = Constants { dim: 1, values: rounded::<f32>(&mu) };
        agree::<f32>(Field::with_inputs(&field, &inputs, true).unwrap(), &[], &case, &options);
    }

    #[test]
    fn time_dependent_fields_in_lanes_have_the_bits_of_the_engine(
        case in cases(2, 6.0, 12), kind in 0usize..7, method in 0usize..20, digits in 2.0..9.0f64,
    ) {
        let (field, options) = (Lift::<_, 2, 2>(Driven), options(kind, method, digits));
        agree::<f64>(Field::with_time(&field).unwrap(), &[0.3, 1.2], &case, &options);
        agree::<f32>(Field::with_time(&field).unwrap(), &[0.3, 1.2], &case, &options);
    }

    #[test]
    fn failures_in_lanes_are_those_of_the_engine(
        case in cases(1, 3.0, 12), kind in 0usize..7, method in 0usize..20, digits in 2.0..9.0f64,
    ) {
        let options = options(kind, method, digits);
        let (pole, edge) = (Lift::<_, 1, 0>(Pole), Lift::<_, 1, 0>(Edge));
        agree::<f64>(Field::with_time(&pole).unwrap(), &[], &case, &options);
        agree::<f32>(Field::with_time(&pole).unwrap(), &[], &case, &options);
        agree::<f64>(Field::with_time(&edge).unwrap(), &[], &case, &options);
        agree::<f32>(Field::with_time(&edge).unwrap(), &[], &case, &options);
    }
}

#[test]
fn states_that_are_not_finite_from_the_start_fail_alike() {
    let field = Lift::<_, 1, 0>(Pole);
    let case = Case {
        start_times: vec![0.0; 4],
        starts: vec![f64::NAN, 1e200, 0.5, f64::INFINITY],
        row_ptr: vec![0, 1, 2, 3, 4],
        times: vec![1.0; 4],
    };
    for kind in 0..5 {
        agree::<f64>(Field::with_time(&field).unwrap(), &[], &case, &options(kind, 3, 6.0));
    }
}

#[test]
fn more_trajectories_than_a_batch_and_any_number_of_threads_give_the_same_bits() {
    let (field, p) = (Lift::<_, 3, 3>(Lorenz), [10.0, 28.0, 8.0 / 3.0]);
    let count = 1500;
    let starts: Vec<f64> = (0..3 * count).map(|i| 1.0 + 1e-3 * (i as f64).sin()).collect();
    let (start_times, times) = (vec![0.0; count], vec![0.3; count]);
    let row_ptr: Vec<usize> = (0..=count).collect();
    let problem = Problem { start_times: &start_times, starts: &starts, row_ptr: &row_ptr, times: &times };
    let field = Field::with_time(&field).unwrap();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| solve(field, &p, &problem, &Options::adaptive(1e-6, 1e-6)).unwrap())
    };
    let (one, three) = (with(1), with(3));
    assert_eq!(one.states, three.states);
    assert_eq!(one.reports, three.reports);
    let general = integrate(field, &p, &problem, &Options::adaptive(1e-6, 1e-6), &mut Recording::Nothing).unwrap();
    assert_eq!(one.states, general.states);
}
