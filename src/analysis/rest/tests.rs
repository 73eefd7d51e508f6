use super::*;
use crate::dynamics::systems::{Instance, Settings, system};
use crate::nn::{Activation, Mlp};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn built(name: &str, set: &[&str]) -> Instance {
    system(name).unwrap().build(&Settings::parse(set).unwrap()).unwrap()
}

fn boxed(dim: usize, size: f64, count: usize) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    (0..count).map(|_| (0..dim).map(|_| rng.random_range(-size..size)).collect()).collect()
}

/// That a set of eigenvalues is that of the roots given.
fn assert_eigenvalues(found: &[Complex<f64>], expected: &[Complex<f64>]) {
    assert_eq!(found.len(), expected.len());
    for z in expected {
        let nearest = found.iter().map(|w| (w - z).norm()).fold(f64::INFINITY, f64::min);
        assert!(nearest <= 1e-10 * (1.0 + z.norm()), "{z}: {nearest:e} in {found:?}");
    }
}

#[test]
fn both_fixed_points_of_henon_have_the_eigenvalues_of_the_closed_form() {
    let henon = built("henon", &[]);
    let (a, b) = (1.4f64, 0.3f64);
    let resting = Resting::map(&*henon.component, &henon.params, &[0.0], 1).unwrap();
    let found = resting.search(&boxed(2, 2.0, 20)).unwrap();
    assert_eq!((found.points.len(), found.failed), (2, 0), "{found:?}");
    for sign in [1.0, -1.0] {
        let x = (-(1.0 - b) + sign * ((1.0 - b).powi(2) + 4.0 * a).sqrt()) / (2.0 * a);
        let point = found.points.iter().find(|p| (p.state[0] - x).abs() < 1e-10).unwrap();
        let root = (a * a * x * x + b).sqrt();
        assert_eigenvalues(&point.eigenvalues, &[(-a * x + root).into(), (-a * x - root).into()]);
        assert_eq!(point.nature, Nature::Saddle);
    }
}

#[test]
fn the_three_fixed_points_of_lorenz_have_the_eigenvalues_of_the_closed_form() {
    let lorenz = built("lorenz63", &[]);
    let (sigma, rho, beta) = (10.0f64, 28.0f64, 8.0f64 / 3.0);
    let resting = Resting::flow(lorenz.field().unwrap(), &lorenz.params, 0.0).unwrap();
    let found = resting.search(&boxed(3, 30.0, 40)).unwrap();
    assert_eq!((found.points.len(), found.failed), (3, 0), "{found:?}");
    let root = ((sigma + 1.0).powi(2) + 4.0 * sigma * (rho - 1.0)).sqrt();
    let origin = found.points.iter().find(|p| p.state[0].abs() < 1e-9).unwrap();
    let expected = [-beta, 0.5 * (-sigma - 1.0 + root), 0.5 * (-sigma - 1.0 - root)];
    assert_eigenvalues(&origin.eigenvalues, &expected.map(Complex::from));
    let wing = (beta * (rho - 1.0)).sqrt();
    for sign in [1.0, -1.0] {
        let point = found.points.iter().find(|p| (p.state[0] - sign * wing).abs() < 1e-9).unwrap();
        assert_eq!(point.nature, Nature::Saddle);
        for z in &point.eigenvalues {
            // z³ + (σ+β+1) z² + β(σ+ρ) z + 2βσ(ρ−1) = 0
            let (c2, c1, c0) = (sigma + beta + 1.0, beta * (sigma + rho), 2.0 * beta * sigma * (rho - 1.0));
            let value = ((z + c2) * z + c1) * z + c0;
            let slope = (3.0 * z + 2.0 * c2) * z + c1;
            assert!((value / slope).norm() <= 1e-10 * z.norm(), "{z} is {:e} off", (value / slope).norm());
        }
    }
}

#[test]
fn periodic_orbits_of_the_logistic_map_have_the_multipliers_of_the_closed_form() {
    let map = built("logistic", &["r=3.2"]);
    let resting = Resting::map(&*map.component, &map.params, &[0.0], 2).unwrap();
    let found = resting.search(&boxed(1, 1.0, 40)).unwrap();
    let orbit: Vec<_> = found.points.iter().filter(|p| p.nature.attracts()).collect();
    assert_eq!(orbit.len(), 2, "{found:?}");
    // r² − 2r − 4 = multiplier of the 2-cycle, with its sign turned.
    let expected = -(3.2f64 * 3.2 - 2.0 * 3.2 - 4.0);
    orbit.iter().for_each(|p| assert!((p.eigenvalues[0].re - expected).abs() < 1e-10));
}

#[test]
fn natures_are_those_of_the_eigenvalues() {
    let nature = |name: &str, set: &[&str], at: &[f64]| {
        let instance = built(name, set);
        Resting::flow(instance.field().unwrap(), &instance.params, 0.0).unwrap().describe(at).unwrap().nature
    };
    assert_eq!(nature("pendulum", &[], &[0.0, 0.0]), Nature::StableFocus);
    assert_eq!(nature("pendulum", &["damping=10"], &[0.0, 0.0]), Nature::StableNode);
    assert_eq!(nature("pendulum", &["damping=0"], &[0.0, 0.0]), Nature::Marginal);
    assert_eq!(nature("pendulum", &[], &[std::f64::consts::PI, 0.0]), Nature::Saddle);
    assert_eq!(nature("van-der-pol", &[], &[0.0, 0.0]), Nature::UnstableFocus);
    assert_eq!(nature("van-der-pol", &["mu=3"], &[0.0, 0.0]), Nature::UnstableNode);
}

#[test]
fn where_a_flow_never_rests_its_slowest_place_is_told() {
    let rossler = built("rossler", &["c=0.1", "a=0.5", "b=0.2"]);
    let resting = Resting::flow(rossler.field().unwrap(), &rossler.params, 0.0).unwrap();
    let found = resting.search(&boxed(3, 1.0, 10)).unwrap();
    assert!(found.points.is_empty() && !found.slow.is_empty(), "c² < 4ab leaves no fixed point: {found:?}");
    assert!(found.slow.iter().all(|p| p.speed > 1e-3));
}

#[test]
fn from_around_a_swinging_pendulum_it_is_found_hanging_and_upright() {
    let pendulum = built("pendulum", &[]);
    let resting = Resting::flow(pendulum.field().unwrap(), &pendulum.params, 0.0).unwrap();
    assert!(!resting.changes_with_time(&pendulum.start));
    let found = resting.search(&around(&[2.0, 0.0, 0.0, 3.0, -1.5, 0.0], 2, 60, 1)).unwrap();
    for (angle, nature) in [(0.0, Nature::StableFocus), (std::f64::consts::PI, Nature::Saddle)] {
        let point = found.points.iter().find(|p| (p.state[0] - angle).abs() < 1e-9).unwrap();
        assert_eq!(point.nature, nature);
        assert!(resting.motion(&point.state).unwrap().iter().all(|x| x.abs() < 1e-9));
    }
    assert!(resting.motion(&[0.0]).is_err());
    let forced = built("duffing", &[]);
    let resting = Resting::flow(forced.field().unwrap(), &forced.params, 0.0).unwrap();
    assert!(resting.changes_with_time(&forced.start));
}

#[test]
fn what_does_not_fit_is_refused() {
    let (lorenz, henon) = (built("lorenz63", &[]), built("henon", &[]));
    assert!(Resting::flow(lorenz.field().unwrap(), &henon.params, 0.0).is_err());
    assert!(Resting::map(&*henon.component, &henon.params, &[0.0], 0).is_err());
    assert!(Resting::map(&*henon.component, &henon.params, &[0.0, 1.0], 1).is_err());
    let resting = Resting::map(&*henon.component, &henon.params, &[0.0], 1).unwrap();
    assert!(resting.search(&[vec![f64::NAN, 0.0]]).is_err() && resting.search(&[vec![0.0]]).is_err());
}

/// `y' = A y`, `A` by rows.
fn linear(dim: usize, rows: &[f64]) -> (Mlp, Vec<f64>) {
    let field = Mlp::new(&[dim, dim], Activation::Identity, Activation::Identity).unwrap();
    let mut params = DMatrix::from_row_slice(dim, dim, rows).as_slice().to_vec();
    params.resize(dim * dim + dim, 0.0);
    (field, params)
}

fn points(dim: usize, rows: &[f64]) -> Vec<RestPoint> {
    let (field, params) = linear(dim, rows);
    let resting = Resting::flow(Field::autonomous(&field).unwrap(), &params, 0.0).unwrap();
    let found = resting.search(&[vec![vec![0.0; dim]], boxed(dim, 2.0, 12)].concat()).unwrap();
    assert_eq!((found.slow.len(), found.failed), (0, 0), "{rows:?}: {found:?}");
    found.points
}

#[test]
fn a_linear_flow_that_sees_every_direction_rests_at_zero_alone() {
    for (rows, nature) in [
        ([-1e-300, 0.0, 0.0, -2e-300], Nature::StableNode),
        ([-1e8, 0.0, 0.0, -1e-4], Nature::StableNode),
        ([-1.0, 1e9, 0.0, -1.0], Nature::StableNode),
        ([-1.0, 1e6, 0.0, -1.0], Nature::StableNode),
        ([-0.1, 3.0, -3.0, -0.1], Nature::StableFocus),
        ([0.0, 1.0, -1.0, 0.0], Nature::Marginal),
        ([1e8, 0.0, 0.0, -1e-4], Nature::Saddle),
    ] {
        let found = points(2, &rows);
        let [point] = &found[..] else { panic!("{rows:?}: {found:?}") };
        assert!(point.state.iter().all(|x| x.abs() <= 1e-9) && point.free == 0, "{rows:?}: {point:?}");
        assert_eq!(point.nature, nature, "{rows:?}");
    }
}

#[test]
fn a_linear_flow_that_does_not_see_a_direction_rests_all_along_it() {
    let third = 1.0 / 3.0;
    for (dim, rows, free) in [
        (2, &[0.0, 0.0, 0.0, 0.0][..], 2),
        (2, &[0.0, 1.0, 0.0, 0.0], 1),
        (2, &[-1.0, 0.0, 0.0, 0.0], 1),
        (2, &[-1e8, 0.0, 0.0, 0.0], 1),
        (2, &[1.0, 2.0, 2.0, 4.0], 1),
        // Nilpotent in other axes: its eigenvalues are found to eight digits only.
        (2, &[0.3, -0.1, 0.9, -0.3], 1),
        // Diffusion between three places, with rates that are not exact.
        (3, &[-0.7, 0.2, third, 0.3, -0.3, 0.1, 0.4, 0.1, -third - 0.1], 1),
    ] {
        let found = points(dim, rows);
        let [point] = &found[..] else { panic!("{rows:?}: {found:?}") };
        assert_eq!((point.free, point.nature), (free, Nature::Marginal), "{rows:?}: {point:?}");
    }
}

#[test]
fn a_place_of_slow_motion_does_not_pass_for_rest() {
    let stiff = built("van-der-pol", &["mu=1000000"]);
    let resting = Resting::flow(stiff.field().unwrap(), &stiff.params, 0.0).unwrap();
    let found = resting.search(&[vec![vec![2.0, 0.0], vec![1.5, 1e-7]], boxed(2, 3.0, 10)].concat()).unwrap();
    assert!(found.points.iter().all(|p| p.state.iter().all(|x| x.abs() < 1e-9)), "{:?}", found.points);
}
