//! Every system against what is known of it.

use super::*;
use crate::dynamics::{Component, testkit};
use crate::linalg::{Block, BlockMut};
use approx::assert_relative_eq;

fn built(name: &str, settings: &[&str]) -> Instance {
    system(name).unwrap().build(&Settings::parse(settings).unwrap()).unwrap()
}

/// Small enough for tests, and different from the defaults.
fn small(system: &'static System) -> Instance {
    match system.name {
        "lorenz96" => built("lorenz96", &["n=7"]),
        "rate-network" => built("rate-network", &["n=9", "seed=3"]),
        "kuramoto-sivashinsky" => built("kuramoto-sivashinsky", &["n=16", "l=9"]),
        "mackey-glass" => built("mackey-glass", &["steps=8"]),
        _ => system.build(&Settings::default()).unwrap(),
    }
}

fn value(component: &dyn Component<f64>, params: &[f64], u: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; component.out_dim()];
    let mut scratch = vec![0.0; component.scratch_len()];
    component.eval(params, Block::new(u, 1), BlockMut::new(&mut out, 1), &mut scratch);
    out
}

/// Rows of the Jacobian by the arguments: one pulled cotangent each.
fn jacobian(component: &dyn Component<f64>, params: &[f64], u: &[f64]) -> Vec<Vec<f64>> {
    let (rows, columns) = (component.out_dim(), component.in_dim());
    let mut scratch = vec![0.0; component.scratch_len()];
    let (mut out, mut slab) = (vec![0.0; rows], vec![0.0; component.slab_len()]);
    component.linearize(
        params,
        Block::new(u, 1),
        BlockMut::new(&mut out, 1),
        BlockMut::new(&mut slab, 1),
        &mut scratch,
    );
    let row = |i: usize| {
        let w: Vec<f64> = (0..rows).map(|j| f64::from(i == j)).collect();
        let mut bar = vec![0.0; columns];
        let mut scratch = vec![0.0; component.scratch_len()];
        component.vjp(params, Block::new(&slab, 1), Block::new(&w, 1), BlockMut::new(&mut bar, 1), None, &mut scratch);
        bar
    };
    (0..rows).map(row).collect()
}

/// Arguments: a state, and time where the component takes it.
fn arguments(instance: &Instance, state: &[f64], t: f64) -> Vec<f64> {
    let mut u = state.to_vec();
    u.resize(instance.component.in_dim(), t);
    u
}

/// A map's states after 1 to `steps` steps from the usual start.
fn orbit(instance: &Instance, steps: usize) -> Vec<Vec<f64>> {
    let next = |state: &Vec<f64>| Some(value(&*instance.component, &instance.params, &arguments(instance, state, 0.0)));
    std::iter::successors(next(&instance.start), next).take(steps).collect()
}

/// A few states near the usual start.
fn states(instance: &Instance) -> Vec<Vec<f64>> {
    let near = |k: usize| {
        let nudge = |i: usize| 0.1 * ((3 * k + i) as f64).sin();
        instance.start.iter().enumerate().map(|(i, y)| y + (1.0 + y.abs()) * nudge(i)).collect()
    };
    (0..5).map(near).collect()
}

#[test]
fn every_system_is_described_and_passes_the_test_kit() {
    for system in SYSTEMS {
        let instance = small(system);
        let dim = instance.dim();
        assert_eq!((instance.labels.len(), instance.start.len()), (dim, dim), "{}", system.name);
        assert_eq!(instance.params.len(), instance.component.param_count(), "{}", system.name);
        assert!(![system.title, system.equations, system.source].contains(&""), "{}", system.name);
        assert!(system.span.end > system.span.step && system.span.step > 0.0, "{}", system.name);
        for seed in 0..5 {
            if let Err(what) = testkit::check(&*instance.component, &instance.params, 0.9, seed) {
                panic!("{}: {what}", system.name);
            }
        }
        assert_eq!(SYSTEMS.iter().filter(|other| other.name == system.name).count(), 1, "{}", system.name);
    }
}

#[test]
fn references_hold_for_parameters_that_exist_fall_and_add_up() {
    for system in SYSTEMS {
        for reference in system.references {
            let mut settings = Settings::default();
            reference.settings.iter().for_each(|(key, value)| settings.set(key, *value).unwrap());
            let instance = system.build(&settings).unwrap();
            let values: Vec<f64> = reference.exponents.iter().map(|e| e.value).collect();
            assert!(values.windows(2).all(|pair| pair[0] >= pair[1]), "{}", system.name);
            if let Some(sum) = instance.sum_of_exponents.filter(|_| values.len() == instance.dim()) {
                // What the exponents' errors add up to, and the digits that the literature gives.
                let errors: f64 = reference.exponents.iter().map(|e| e.error).sum();
                assert!((values.iter().sum::<f64>() - sum).abs() <= errors + 2e-12, "{}: {sum}", system.name);
            }
        }
    }
}

#[test]
fn conserved_quantities_do_not_change_along_the_field() {
    let cases = ["henon-heiles", "double-pendulum", "lotka-volterra", "robertson"].map(|name| (name, &[][..]));
    for (name, settings) in cases.into_iter().chain([("pendulum", &["damping=0", "l=2"][..])]) {
        let instance = built(name, settings);
        assert!(!instance.conserved.is_empty());
        for (state, conserved) in states(&instance).iter().flat_map(|s| instance.conserved.iter().map(move |q| (s, q)))
        {
            let u = arguments(&instance, state, 0.0);
            let field = value(&*instance.component, &instance.params, &u);
            let gradient = &jacobian(&*conserved.quantity, &instance.params, &u)[0];
            let terms: Vec<f64> = gradient.iter().zip(&field).map(|(g, f)| g * f).collect();
            let size: f64 = terms.iter().map(|term| term.abs()).sum();
            assert!(terms.iter().sum::<f64>().abs() <= 1e-14 * size, "{name}: {terms:?}");
        }
    }
    assert!(built("pendulum", &[]).conserved.is_empty() && !built("pendulum", &[]).separable);
}

#[test]
fn hamiltonian_systems_are_the_turned_gradients_of_their_energy() {
    for (name, settings) in [
        ("henon-heiles", &[][..]),
        ("pendulum", &["damping=0"]),
        ("double-pendulum", &["m1=2", "m2=0.7", "l1=1.3", "l2=0.6"]),
    ] {
        let instance = built(name, settings);
        for state in states(&instance) {
            let u = arguments(&instance, &state, 0.0);
            let field = value(&*instance.component, &instance.params, &u);
            let gradient = &jacobian(&*instance.conserved[0].quantity, &instance.params, &u)[0];
            let half = instance.dim() / 2;
            for i in 0..half {
                assert_relative_eq!(field[i], gradient[half + i], max_relative = 1e-12, epsilon = 1e-13);
                assert_relative_eq!(field[half + i], -gradient[i], max_relative = 1e-12, epsilon = 1e-13);
            }
        }
    }
}

#[test]
fn halves_of_separable_systems_depend_on_the_other_half_alone() {
    for instance in [
        built("henon-heiles", &[]),
        built("pendulum", &["damping=0"]),
        built("duffing", &["delta=0"]),
        built("duffing", &[]),
        built("double-pendulum", &[]),
    ] {
        let half = instance.dim() / 2;
        let own = |u: &[f64]| {
            let rows = jacobian(&*instance.component, &instance.params, u);
            let of = |range: std::ops::Range<usize>| {
                rows[range.clone()].iter().all(|r| r[range.clone()].iter().all(|d| *d == 0.0))
            };
            of(0..half) && of(half..2 * half)
        };
        let apart = states(&instance).iter().all(|state| own(&arguments(&instance, state, 1.0)));
        assert_eq!(apart, instance.separable, "{}", instance.system.name);
    }
}

#[test]
fn the_trace_or_determinant_is_the_sum_of_the_exponents_where_it_is_constant() {
    for (name, settings) in [
        ("lorenz63", &["beta=2"][..]),
        ("lorenz96", &["n=6"]),
        ("kuramoto-sivashinsky", &["n=12", "l=7"]),
        ("rate-network", &["n=5"]),
        ("duffing", &[]),
        ("pendulum", &[]),
        ("henon-heiles", &[]),
        ("double-pendulum", &["m2=3"]),
        ("henon", &[]),
        ("lozi", &[]),
        ("ikeda", &[]),
        ("standard", &[]),
        ("cat", &[]),
        ("tent", &["mu=1.7"]),
    ] {
        let instance = built(name, settings);
        for state in states(&instance) {
            let rows = jacobian(&*instance.component, &instance.params, &arguments(&instance, &state, 0.3));
            let rate = match (instance.system.kind, instance.dim()) {
                (Kind::Flow, dim) => (0..dim).map(|i| rows[i][i]).sum::<f64>(),
                (Kind::Map | Kind::Delay, 1) => rows[0][0].abs().ln(),
                (Kind::Map | Kind::Delay, _) => (rows[0][0] * rows[1][1] - rows[0][1] * rows[1][0]).abs().ln(),
            };
            assert_relative_eq!(rate, instance.sum_of_exponents.unwrap(), max_relative = 1e-12, epsilon = 1e-12);
        }
    }
}

#[test]
fn known_points_of_rest_rest() {
    let root = (8.0f64 / 3.0 * 27.0).sqrt();
    let c = (5.7 - (5.7f64 * 5.7 - 4.0 * 0.2 * 0.2).sqrt()) / 2.0;
    let x = (-0.7 + (0.49f64 + 5.6).sqrt()) / 2.8;
    for (name, settings, rest) in [
        ("lorenz63", &[][..], vec![root, root, 27.0]),
        ("lorenz63", &[], vec![-root, -root, 27.0]),
        ("rossler", &[], vec![c, -c / 0.2, c / 0.2]),
        ("van-der-pol", &["mu=3"], vec![0.0, 0.0]),
        ("pendulum", &[], vec![std::f64::consts::PI, 0.0]),
        ("lotka-volterra", &[], vec![4.0, 2.75]),
        ("lorenz96", &["n=5", "f=2.5"], vec![2.5; 5]),
        ("kuramoto-sivashinsky", &["n=8"], vec![0.0; 5]),
        // Where inflow and loss balance: beta/gamma = 1 + x^n.
        ("mackey-glass", &["steps=8"], vec![1.0; 10]),
        ("rate-network", &["n=4"], vec![0.0; 4]),
        ("henon", &[], vec![x, 0.3 * x]),
        ("logistic", &["r=3.5"], vec![5.0 / 7.0]),
    ] {
        let instance = built(name, settings);
        let moved = value(&*instance.component, &instance.params, &arguments(&instance, &rest, 0.0));
        for (moved, at) in moved.iter().zip(&rest) {
            let expected = if instance.system.kind == Kind::Flow { 0.0 } else { *at };
            assert_relative_eq!(*moved, expected, epsilon = 2e-13);
        }
    }
}

#[test]
fn exact_exponents_of_maps_come_out() {
    // The cat's Jacobian is one matrix, with determinant 1 and trace 3.
    let cat = built("cat", &[]);
    let rows = jacobian(&*cat.component, &[], &[0.3, 0.4, 0.0]);
    assert_eq!((rows[0][0] + rows[1][1], rows[0][1], rows[1][0]), (3.0, 1.0, 1.0));
    let leading = cat.system.references[0].exponents[0].value;
    assert_relative_eq!(leading, ((3.0 + 5.0f64.sqrt()) / 2.0).ln(), max_relative = 1e-14);

    // One-dimensional maps: the mean logarithm of the slope along an orbit, which after k steps has settled like 1/√k.
    for (name, settings, reference, steps, tolerance) in [
        ("logistic", &[][..], 0, 200_000, 3e-3),
        ("logistic", &["r=3.2"], 1, 20_000, 1e-3),
        ("tent", &[], 0, 5000, 1e-9),
    ] {
        let instance = built(name, settings);
        let orbit = orbit(&instance, steps);
        let slope =
            |x: &Vec<f64>| jacobian(&*instance.component, &instance.params, &arguments(&instance, x, 0.0))[0][0];
        let sum: f64 = orbit.iter().map(|x| slope(x).abs().ln()).sum();
        let (found, known) = (sum / steps as f64, instance.system.references[reference].exponents[0].value);
        assert!((found - known).abs() < tolerance, "{name} {settings:?}: {found}, known {known}");
    }
}

#[test]
fn the_tent_goes_on_after_all_bits_of_its_start_are_spent() {
    let orbit = orbit(&built("tent", &[]), 100_000);
    let low = orbit.iter().filter(|x| x[0] < 0.25).count();
    assert!(orbit.iter().all(|x| (0.0..=1.0).contains(&x[0])) && (24_000..26_000).contains(&low), "{low}");
}

#[test]
fn a_delay_equation_follows_the_exponential_of_its_start() {
    // With beta = 0 the value decays by exp(-gamma h) a step, and the history is what it was.
    let instance = built("mackey-glass", &["steps=10", "beta=0", "tau=5"]);
    let next = value(&*instance.component, &instance.params, &instance.start);
    assert!((next[0] - instance.start[0] * (-0.05f64).exp()).abs() < 1e-8);
    assert_eq!(next[1..], instance.start[..11]);
    assert_eq!(instance.step, 0.5);
}

#[test]
fn the_torus_is_not_left() {
    for (name, period) in [("standard", std::f64::consts::TAU), ("cat", 1.0)] {
        assert!(orbit(&built(name, &[]), 1000).iter().flatten().all(|y| (0.0..=period).contains(y)));
    }
}

#[test]
fn networks_of_one_seed_are_one_network() {
    let (a, b, c) = (["n=6", "seed=1"], ["n=6", "seed=1"], ["n=6", "seed=2"]);
    let [a, b, c] = [a, b, c].map(|settings| {
        let net = built("rate-network", &settings);
        (value(&*net.component, &net.params, &net.start), net.start)
    });
    assert_eq!(a, b);
    assert_ne!(a.0, c.0);
    assert!(RateNetwork::new(2, vec![0.0; 3]).is_err() && Lorenz96::new(3).is_err());
}

#[test]
fn what_cannot_be_set_is_refused() {
    let refused = |name: &str, settings: &[&str]| match Settings::parse(settings).map(|s| system(name)?.build(&s)) {
        Err(error) | Ok(Err(error)) => error.to_string(),
        Ok(Ok(_)) => panic!("{name} {settings:?} was accepted"),
    };
    for (name, settings, expected) in [
        ("lorenz", &[][..], "no system is called \"lorenz\"; choose one of lorenz63, rossler"),
        ("lorenz63", &["Rho=1"], "lorenz63 has no parameter `Rho`; set some of sigma, rho, beta"),
        ("cat", &["k=1"], "cat has no parameter `k`; it has none to set"),
        ("lorenz63", &["rho"], "the setting `rho` is not of the form key=value; write it as in rho=28"),
        ("lorenz63", &["=3"], "not of the form"),
        ("lorenz63", &["rho=many"], "`rho` is set to `many`; give a number"),
        ("lorenz63", &["rho=1e999"], "`rho` is set to inf; give a finite number"),
        ("lorenz63", &["rho=nan"], "give a finite number"),
        ("lorenz63", &["rho=1", "rho=2"], "`rho` is set twice"),
        ("lorenz96", &["n=3"], "n of lorenz96 is 3; give a whole number from 4 to 100000"),
        ("lorenz96", &["n=4.5"], "n of lorenz96 is 4.5"),
        ("lorenz96", &["n=1e300"], "give a whole number"),
        ("rate-network", &["seed=-1"], "seed of rate-network is -1"),
    ] {
        let message = refused(name, settings);
        assert!(message.contains(expected), "{message} lacks {expected}");
    }
    assert!(built("henon", &[]).field().is_err());
}
