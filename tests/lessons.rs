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

use flowmap::analysis::horizon::BackwardNorms;
use flowmap::analysis::rest::RestPoint;
use flowmap::cells::{Along, Cell, Cotangents, Kind, Layers, Ragged, SequenceTape};
use flowmap::dynamics::SmallField;
use flowmap::models::sequence::{Readout, RecurrentEncoder, SequenceEncoder};
use flowmap::nn::Activation;
use nalgebra::Complex;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use training_explodes::losses::{DECAY, Quadratic, SmallNet};

#[test]
fn the_pendulums_limit_under_euler_is_exact_and_measured() {
    let limits = euler_explodes::limits((1e-8, 10_000)).unwrap();
    for [predicted, measured] in &limits[..2] {
        assert!((measured / predicted - 1.0).abs() < 1e-6, "{predicted} {measured}");
    }
    assert!((limits[0][0] / (0.5 / 9.81) - 1.0).abs() < 1e-10);
    assert!(limits[1][0] > 10.0 * limits[0][0] && limits[2] == [f64::INFINITY; 2]);
}

#[test]
fn the_quadratics_limit_is_two_over_its_curvature() {
    let minimum = training_explodes::minimum::<_, 3>(Quadratic).unwrap();
    let [predicted, measured] = training_explodes::limits::<_, 3>(Quadratic, &minimum, (1e-10, 1_000)).unwrap();
    assert!((predicted * (3.0 + 3f64.sqrt()) / 2.0 - 1.0).abs() < 1e-10, "{predicted}");
    assert!((measured / predicted - 1.0).abs() < 1e-8, "{measured}");
}

#[test]
fn the_small_nets_flow_is_the_gradient_that_backpropagation_through_the_librarys_cell_gives() {
    let p: [f64; 8] = std::array::from_fn(|i| (1.7 * i as f64 + 0.4).sin());
    let params = [p[4], p[5], p[0], p[2], p[1], p[3], 0.0, 0.0, 0.0, 0.0];
    let (cell, ragged) = (Cell::rnn(2, 1), Ragged::new(&[4]));
    let (mut bar, mut read_out) = (vec![0.0; 10], [0.0; 2]);
    for inputs in &SmallNet::of_waves().inputs {
        let mut tape = SequenceTape::default();
        tape.run(&cell, &params, &Along { ragged: &ragged, inputs, start: None }, false).unwrap();
        let h = tape.last().to_vec();
        let error = (p[6] * h[0] + p[7] * h[1] - inputs[0]) * 2.0 / 4.0;
        let last = [error * p[6], error * p[7]];
        let cotangents = Cotangents { last: Some(&last), ..Cotangents::default() };
        tape.pull(&cell, &params, &ragged, &cotangents, false, &mut bar);
        read_out.iter_mut().zip(&h).for_each(|(bar, h)| *bar += error * h);
    }
    let gradient = [bar[2], bar[4], bar[3], bar[5], bar[0], bar[1], read_out[0], read_out[1]];
    let downhill = SmallNet::of_waves().rhs(0.0, p, []);
    for ((downhill, uphill), p) in downhill.iter().zip(gradient).zip(p) {
        assert!((downhill + uphill + DECAY * p).abs() < 1e-14, "{downhill} {uphill}");
    }
}

#[test]
fn a_recurrent_nets_limit_is_that_of_its_largest_curvature() {
    let minimum = training_explodes::minimum::<_, 8>(SmallNet::of_waves()).unwrap();
    let [predicted, measured] = training_explodes::limits::<_, 8>(SmallNet::of_waves(), &minimum, (1e-8, 400)).unwrap();
    assert!((measured / predicted - 1.0).abs() < 2e-6, "{predicted} {measured}");
}

#[test]
fn clipping_limits_the_length_of_steps_and_keeps_what_would_explode() {
    fn check<F: SmallField<N, 0> + Copy, const N: usize>(loss: F) {
        let minimum = training_explodes::minimum::<F, N>(loss).unwrap();
        let [limit, _] = training_explodes::limits::<F, N>(loss, &minimum, (1e-2, 100)).unwrap();
        let run = |factor: f64, clip| training_explodes::descend::<F, N>(loss, &minimum, factor * limit, clip).unwrap();
        let (safe, _) = run(0.9, f64::INFINITY);
        assert!(safe.iter().all(|distance| *distance <= 1.01 * safe[0]), "{safe:?}");
        // A little above the limit the minimum is left, far above everything is.
        for (factor, far) in [(1.2, 0.05), (3.0, 1e6), (4.0, 1e6)] {
            let (plain, longest) = run(factor, f64::INFINITY);
            let most = plain.iter().fold(0.0, |a: f64, &b| a.max(b));
            assert!(most > far && longest > far, "{factor}: {most} {longest}");
            for clip in [training_explodes::CLIP, 0.003] {
                let (clipped, longest) = run(factor, clip);
                let step = factor * limit * clip;
                assert!(longest <= step * (1.0 + 1e-12), "{factor}, {clip}: {longest} {step}");
                assert!(clipped.iter().all(|distance| *distance < 1e-3 + 2.0 * step), "{factor}, {clip}: {clipped:?}");
                // The limit is reached: it is the clip that keeps the descent near.
                assert!(factor < 2.0 || longest > (1.0 - 1e-12) * step, "{factor}, {clip}: {longest} {step}");
            }
        }
    }
    check::<_, 3>(Quadratic);
    check::<_, 8>(SmallNet::of_waves());
}

#[test]
fn residual_nets_approach_the_flow_at_first_order() {
    let orders = steps_to_flows::orders(&steps_to_flows::errors().unwrap());
    for pair in &orders[2..] {
        assert!(pair.iter().all(|order| (order - 1.0).abs() < 0.05), "{orders:?}");
    }
}

#[test]
fn every_cell_tells_the_order_and_pooling_does_only_while_a_window_holds_both_letters() {
    use order_matters::every_cell::cells;
    use order_matters::{KERNEL, LETTERS, UNITS, pooled, recurrent};
    for gap in [1, 4, 40, 200] {
        for (seed, (name, cell)) in cells(UNITS, LETTERS).unwrap().iter().enumerate() {
            let distance = recurrent(&**cell, seed as u64, gap).unwrap();
            assert!(distance > 0.05, "{name} at {gap}: {distance}");
        }
    }
    for gap in 0..KERNEL - 1 {
        assert!(pooled([1, 0], gap).unwrap() > 0.01, "{gap}");
    }
    for gap in [KERNEL - 1, KERNEL, 40, 200] {
        assert_eq!(pooled([1, 0], gap).unwrap(), 0.0, "{gap}");
        assert!(pooled([0, 2], gap).unwrap() > 0.05, "other letters are seen at {gap}");
    }
}

#[test]
fn the_initialisers_fan_in_is_that_of_one_step_whatever_the_length() {
    for (kind, inputs) in [(Kind::Rnn(Activation::Tanh), 50), (Kind::Lstm, 12), (Kind::Gru, 3)] {
        let layers = Layers { kind, layers: 1, hidden: 64, inputs, bidirectional: false };
        let encoder = RecurrentEncoder {
            layers,
            readout: Readout::Last,
            learned_start: false,
            dropout: 0.0,
            cut: None,
            memory_bias: 0.0,
        };
        let params: Vec<f64> = encoder.initial(&mut ChaCha8Rng::seed_from_u64(1));
        let weights = &params[..layers.cell(0).gate_rows() * inputs];
        let square = weights.iter().map(|w| w * w).sum::<f64>() / weights.len() as f64;
        assert!((square * inputs as f64 - 1.0).abs() < 0.1, "{kind}: {square}");
        assert!(weights.iter().all(|w| w.abs() <= (3.0 / inputs as f64).sqrt()));
    }
    let sizes = [1, 10, 100, 1000].map(|steps| order_matters::size(steps).unwrap());
    assert!(sizes.iter().all(|size| (0.3..0.8).contains(size)), "{sizes:?}");
}

#[test]
fn slopes_of_gradients_are_the_leading_exponents() {
    use vanishing_exploding::{LARGE, SMALL, leading, margin, norms};
    for (gain, sign) in [(SMALL, -1.0), (margin().unwrap(), 0.0), (LARGE, 1.0)] {
        let (spectrum, slope) = (leading(gain).unwrap(), norms(gain).unwrap().rate(50..=500));
        let (exponent, error) = (spectrum.exponents[0], spectrum.standard_errors[0]);
        assert!((slope - exponent).abs() <= (0.05 * exponent.abs()).max(0.005), "{gain}: {slope} for {exponent}");
        let right = if sign == 0.0 { exponent.abs() < error.min(0.001) } else { exponent * sign > 0.1 };
        assert!(right, "{gain}: {exponent} ± {error}");
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
fn gates_that_learn_to_add_carry_gradients_over_a_hundred_steps() {
    let found = gated_highway::KINDS.map(|kind| {
        let budget = if matches!(kind, Kind::Lstm) { 1000 } else { 500 };
        gated_highway::measure(kind, 32, 100, budget).unwrap()
    });
    let at = |norms: &BackwardNorms| norms.log_norms[99] / std::f64::consts::LN_10;
    let chance = 1.0 / 6.0;
    let [[_, (rnn, rnn_after)], gates @ ..] = &found;
    let rnn_before = at(&found[0][0].1);
    assert!(*rnn > 0.4 * chance && at(rnn_after) < -3.0, "{rnn} {}", at(rnn_after));
    for [(_, before), (error, after)] in gates {
        let (before, after) = (at(before), at(after));
        assert!(before > rnn_before + 3.0, "{before} {rnn_before}");
        assert!(*error < 0.15 * chance && after > before + 1.0 && after > -1.5, "{error}: {before} to {after}");
    }
}

#[test]
fn reading_both_ways_keeps_the_first_input_near_at_any_length() {
    use bidirectional_shortcut::{KINDS, first_input};
    for kind in KINDS {
        let [near, far] = [8, 128].map(|length| first_input(kind, false, length).unwrap());
        assert!(far < 1e-12 * near, "{kind}: {near:e} {far:e}");
        // What remains is the backward direction's single step, the same at every length.
        let long = first_input(kind, true, 512).unwrap();
        for (length, near) in [(8, 0.3), (16, 0.01), (32, 1e-5), (64, 1e-9), (128, 1e-12), (256, 1e-12)] {
            let both = first_input(kind, true, length).unwrap();
            assert!(long > 0.2 && (both / long - 1.0).abs() < near, "{kind} at {length}: {both} {long}");
        }
    }
}

#[test]
fn where_little_is_observed_the_neural_ode_forecasts_best() {
    use irregular_times::{SHARES, STEPS, SYSTEMS, errors};
    // Half of the lesson's training is enough to tell.
    let steps = STEPS / 2;
    for (system, name) in SYSTEMS {
        for share in SHARES.into_iter().filter(|share| *share <= 0.2) {
            let all = flowmap::solve::map_parts(5, 1, |seed| errors(system, share, steps, seed.start as u64));
            let all: Vec<[f64; 3]> = all.into_iter().map(Result::unwrap).collect();
            let [ode, filled, gaps] = [0, 1, 2].map(|k| all.iter().map(|errors| errors[k]).sum::<f64>() / 5.0);
            assert!(ode < filled && ode < gaps, "{name}, {share}: {ode} {filled} {gaps}");
        }
    }
}

#[test]
fn a_net_that_holds_a_bit_rests_in_two_places_with_a_saddle_between() {
    let [(chance, before), (error, after)] = trained_dynamics::measure(12, 800).unwrap();
    assert!(chance > 0.5 && error < 0.01, "{chance} {error}");
    let attracting = |found: &trained_dynamics::Dynamics| found.points.iter().filter(|p| p.nature.attracts()).count();
    assert_eq!((before.points.len(), attracting(&before), attracting(&after)), (1, 1, 2));
    let attracts = |&point: &usize| after.points[point].nature.attracts();
    let between = |[one, other]: &[usize; 2]| one != other && attracts(one) && attracts(other);
    assert!(before.sides.is_empty() && after.sides.iter().any(between), "{:?}", after.sides);
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
