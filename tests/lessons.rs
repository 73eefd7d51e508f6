//! The claims of the lessons, as numbers.
#![allow(dead_code, reason = "the lessons' own printing is not called")]
#![allow(clippy::duplicate_mod, reason = "each lesson is an example of its own, with what it shares")]

#[path = "../examples/bidirectional_shortcut.rs"]
mod bidirectional_shortcut;
#[path = "../examples/euler_explodes.rs"]
mod euler_explodes;
#[path = "../examples/gated_highway.rs"]
mod gated_highway;
#[path = "../examples/irregular_times.rs"]
mod irregular_times;
#[path = "../examples/order_matters.rs"]
mod order_matters;
#[path = "../examples/steps_to_flows.rs"]
mod steps_to_flows;
#[path = "../examples/three_bit_memory.rs"]
mod three_bit_memory;
#[path = "../examples/trained_dynamics.rs"]
mod trained_dynamics;
#[path = "../examples/training_explodes.rs"]
mod training_explodes;
#[path = "../examples/vanishing_exploding.rs"]
mod vanishing_exploding;

use flowmap::analysis::rest::RestPoint;
use nalgebra::Complex;

#[test]
fn the_pendulums_limit_under_euler_is_exact_and_measured() {
    let limits = euler_explodes::limits((1e-6, 400_000)).unwrap();
    let [predicted, measured] = limits[0];
    assert!((predicted / (0.5 / 9.81) - 1.0).abs() < 1e-10);
    assert!((measured / predicted - 1.0).abs() < 1e-5, "{measured}");
    assert!(limits[1][0] > 10.0 * predicted && limits[2][0].is_infinite());
}

#[test]
fn the_quadratics_limit_is_two_over_its_curvature() {
    let [predicted, measured] = training_explodes::quadratic().unwrap();
    assert!((predicted - 0.2).abs() < 1e-9 && (measured / predicted - 1.0).abs() < 1e-8, "{measured}");
}

#[test]
fn a_recurrent_nets_limit_is_near_that_of_its_curvature() {
    let ([predicted, measured], [safe, high, clipped]) = training_explodes::recurrent(2000).unwrap();
    assert!((measured / predicted - 1.0).abs() < 0.05, "{predicted} {measured}");
    let last = |losses: &[f64]| losses[losses.len() - 1];
    assert!(last(&safe) <= safe[0] && last(&high) > 1e6 && last(&clipped) < 0.1);
}

#[test]
fn residual_nets_approach_the_flow_at_first_order() {
    let orders = steps_to_flows::orders(&steps_to_flows::errors().unwrap());
    assert!(orders.iter().all(|order| (order - 1.0).abs() < 0.05), "{orders:?}");
}

#[test]
fn every_cell_tells_the_order_and_pooling_does_not() {
    for gap in [4, 40, 200] {
        for kind in order_matters::KINDS {
            assert!(order_matters::recurrent(kind, gap).unwrap() > 0.05, "{kind} at {gap}");
        }
        assert_eq!(order_matters::pooled(gap).unwrap(), 0.0);
    }
}

#[test]
fn slopes_of_gradients_are_the_leading_exponents() {
    for (name, sign) in vanishing_exploding::NETS.into_iter().zip([-1.0, 0.0, 1.0]) {
        let (exponent, norms) = vanishing_exploding::measure(name).unwrap();
        let slope = norms.rate(50..=500);
        assert!((slope - exponent).abs() <= (0.05 * exponent.abs()).max(0.005), "{name}: {slope} for {exponent}");
        assert!(if sign == 0.0 { exponent.abs() < 1e-9 } else { exponent * sign > 0.05 }, "{name}: {exponent}");
    }
    assert!(vanishing_exploding::both_ways().unwrap() < 1e-12);
}

#[test]
fn what_a_gate_keeps_is_the_power_of_its_factor() {
    for factor in [0.9, 0.99] {
        let [theory, rnn, lstm] = gated_highway::kept(factor, 499).unwrap();
        assert!((rnn / theory - 1.0).abs() < 1e-12 && (lstm / theory - 1.0).abs() < 1e-12, "{factor}: {rnn} {lstm}");
    }
}

#[test]
fn reading_both_ways_keeps_the_first_input_near() {
    for kind in bidirectional_shortcut::KINDS {
        let [[near, _], [far, both]] = [8, 128].map(|n| bidirectional_shortcut::first_input(kind, n).unwrap());
        assert!(far < 1e-3 * near && both > 0.1 * near, "{kind}: {near:e} {far:e} {both:e}");
    }
}

#[test]
fn where_little_is_observed_the_neural_ode_forecasts_best() {
    use irregular_times::STEPS;
    use irregular_times::System::{LotkaVolterra, Oscillator};
    for (system, share) in [(Oscillator, 0.2), (LotkaVolterra, 0.2)] {
        let all =
            flowmap::solve::map_parts(5, 1, |seed| irregular_times::errors(system, share, STEPS, seed.start as u64));
        let all: Vec<[f64; 3]> = all.into_iter().map(Result::unwrap).collect();
        let [ode, filled, gaps] = [0, 1, 2].map(|k| all.iter().map(|errors| errors[k]).sum::<f64>() / 5.0);
        assert!(ode < filled && ode < gaps, "{share}: {ode} {filled} {gaps}");
    }
}

#[test]
fn a_net_that_holds_a_bit_rests_in_two_places() {
    let [(chance, before), (error, after)] = trained_dynamics::measure(12, 800).unwrap();
    assert!(chance > 0.5 && error < 0.01, "{chance} {error}");
    assert_eq!((before.points.len(), before.attracting()), (1, 1));
    assert_eq!(after.attracting(), 2);
    assert!(after.points.len() > 2, "a border between the two has a point of its own");
    assert!(after.exponents[0] > before.exponents[0] + 0.02 && after.exponents[0] < 0.0);
    assert!(after.norms.horizon(1e-3).lag > 1.2 * before.norms.horizon(1e-3).lag);
}

#[test]
fn a_net_that_holds_three_bits_rests_in_eight_places_one_a_word() {
    let memory = three_bit_memory::measure(16, 800).unwrap();
    assert!(memory.error < 0.01, "{}", memory.error);
    let resting: Vec<_> = memory.found.points.iter().filter(|point| point.nature.attracts()).collect();
    assert_eq!(resting.len(), 8);
    let mut words = Vec::new();
    for (k, point) in resting.iter().enumerate() {
        assert!(point.eigenvalues.iter().all(|z| z.norm() < 1.0) && point.residual < 1e-9, "{point:?}");
        let far = |other: &Vec<f64>| other.iter().zip(&point.state).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        assert!(resting[..k].iter().all(|other| far(&other.state) > 0.1));
        let word = memory.word(&point.state).unwrap();
        assert!(word.iter().all(|bit| (bit.abs() - 1.0).abs() < 0.2), "{word:?}");
        words.push(word.map(|bit| bit > 0.0));
    }
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), 8, "each word has a place of its own");
    // No state leaves the cube, so the indices of all rests sum to 1 (Lefschetz): a lone one overlooked would show.
    let index = |point: &RestPoint| point.eigenvalues.iter().map(|z| 1.0 - z).product::<Complex<f64>>().re.signum();
    assert_eq!(memory.found.points.iter().map(index).sum::<f64>(), 1.0);
}
