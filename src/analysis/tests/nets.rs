//! Recurrent nets and networks of rates.

use super::kit::*;
use crate::analysis::{Drive, Frame, Run, Spectrum, SpectrumOptions, Status, Stepped, Walk, audit};
use crate::cells::golden::{golden, numbers, params};
use crate::cells::{AntisymmetricRnn, Cell, CoRnn, Kind, Layers, Stack};
use crate::dynamics::Component;
use crate::nn::{Activation, fan_in_normal};
use crate::solve::{EULER, RK4, StepMap};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

#[test]
fn the_golden_nets_have_pytorchs_spectra() {
    let golden = golden();
    // Axes are invariant directions of stacked nets, where rounding decides when they turn: see tests/golden/README.md.
    for (name, kind, tolerance) in [
        ("RNN_1layer", Kind::Rnn(Activation::Tanh), 1e-9),
        ("GRU_1layer", Kind::Gru, 1e-9),
        ("LSTM_1layer", Kind::Lstm, 1e-9),
        ("LSTM_2layer", Kind::Lstm, 1e-4),
        ("GRU_2layer", Kind::Gru, 1e-4),
    ] {
        let net = &golden[name];
        let size = |key: &str| net[key].as_u64().unwrap() as usize;
        let (hidden, inputs) = (size("hidden"), size("input"));
        let layers = Layers { kind, layers: size("layers"), hidden, inputs, bidirectional: false };
        let (stack, params) = (layers.stack().unwrap(), params(&layers, &net["weights"]));
        let rows = numbers(&net["inputs"]);
        let system = Stepped::map(&stack, &params).driven(Drive::Sequences(vec![&rows]));
        let skip = size("skip") as u64;
        let options = SpectrumOptions {
            frame: Frame::Identity,
            qr_every: Some(1),
            ..SpectrumOptions::new(skip, size("T") as u64 - skip)
        };
        let start = vec![0.0; stack.state()];
        let mut run = Run::new(&system, std::slice::from_ref(&start), options.clone()).unwrap();
        while run.go_on().unwrap() {}
        let spectrum = run.spectrum();
        let mut known = numbers(&net["spectrum"]);
        known.sort_by(|a, b| b.total_cmp(a));
        assert!(apart(&spectrum.exponents, &known) < tolerance, "{name} {:e}", apart(&spectrum.exponents, &known));
        let volume = net["mean_logabsdet"].as_f64().unwrap();
        assert!((spectrum.sum - volume).abs() < 1e-10 * volume.abs(), "{name} {} {volume}", spectrum.sum);
        for rule in audit::SumRule::cells(&stack, &params).into_iter().chain([audit::SumRule::determinant(&system)]) {
            let check = audit::sum(&run, std::slice::from_ref(&start), rule).unwrap().unwrap().0;
            assert!((check.value - check.expected).abs() < 1e-10 * volume.abs(), "{name} {check:?}");
        }
        // A random frame finds the same without knowing axes.
        let random = SpectrumOptions { frame: Frame::Random, qr_every: None, ..options };
        let free = Run::new(&system, std::slice::from_ref(&start), random).unwrap().finish().unwrap();
        assert!((free.exponents[0] - known[0]).abs() < 0.02 && (free.sum - volume).abs() < 1e-10 * volume.abs());
    }
}

/// The spectrum of a net without inputs from a random state.
fn autonomous(stack: &Stack, params: &[f64], options: SpectrumOptions) -> Spectrum {
    let system = Stepped::map(stack, params);
    let start: Vec<f64> = (0..stack.state()).map(|i| 0.5 * (i as f64).sin()).collect();
    Run::new(&system, &[start], options).unwrap().finish().unwrap()
}

#[test]
fn without_recurrent_weights_gates_alone_are_the_exponents() {
    // The biases of the forget gate and of the update gate; every other direction of the LSTM dies at once.
    let hidden = 6;
    let options = SpectrumOptions::new(100, 400);
    for (kind, gate, state) in [(Kind::Lstm, 1, 12), (Kind::Gru, 1, 6)] {
        let stack = Stack::uniform(kind, 1, hidden, 0).unwrap();
        let mut params = vec![0.0; Component::<f64>::param_count(&stack)];
        let biases = stack.layers()[0].gate_rows() * hidden;
        params[biases + gate * hidden..biases + (gate + 1) * hidden].fill(2.0);
        let spectrum = autonomous(&stack, &params, options.clone());
        let known = -(1.0 + (-2.0f64).exp()).ln();
        assert!((known + 0.126928011).abs() < 1e-9);
        assert!(apart(&spectrum.exponents[..hidden], &[known; 6]) < 1e-12, "{:?}", spectrum.exponents);
        assert!(spectrum.exponents[hidden..].iter().all(|x| *x == f64::NEG_INFINITY));
        assert!(spectrum.status[hidden..].iter().all(|s| *s == Status::MinusInfinity));
        assert_eq!(spectrum.exponents.len(), state);
    }
}

#[test]
fn sums_of_larger_nets_obey_their_identities() {
    for (kind, layers, hidden) in [(Kind::Rnn(Activation::Tanh), 2, 20), (Kind::Lstm, 3, 7), (Kind::Lstm, 1, 20)] {
        let stack = Stack::uniform(kind, layers, hidden, 2).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let params: Vec<f64> = fan_in_normal(&Component::<f64>::params(&stack, ""), 1.2, &mut rng);
        let rows: Vec<f64> = (0..2 * 500).map(|i| (1.7 * i as f64).sin()).collect();
        let system = Stepped::map(&stack, &params).driven(Drive::Sequences(vec![&rows]));
        let start = vec![0.0; stack.state()];
        let mut run = Run::new(&system, std::slice::from_ref(&start), SpectrumOptions::new(100, 400)).unwrap();
        while run.go_on().unwrap() {}
        let rule = audit::SumRule::cells(&stack, &params).unwrap();
        let check = audit::sum(&run, std::slice::from_ref(&start), rule).unwrap().unwrap().0;
        assert!((check.value - check.expected).abs() < 1e-10 * check.expected.abs(), "{kind:?} {check:?}");
        assert!(audit::jacobian(&system, &start, 10, 20, 1).holds);
    }
}

/// `J tanh(h)` with `J` normal of variance `g²/n`: the first lines of [`Cell`]'s parameters with no input.
fn random_net(units: usize, g: f64, seed: u64) -> (Stack, Vec<f64>) {
    let stack = Stack::uniform(Kind::Rnn(Activation::Tanh), 1, units, 0).unwrap();
    let matrices = gaussian(units, g * g / units as f64, seed);
    let mut params = vec![0.0; Component::<f64>::param_count(&stack)];
    (matrices.matrix)(0, &mut params[..units * units]);
    (stack, params)
}

#[test]
fn random_tanh_nets_follow_mean_field_theory() {
    // λ₁ = ln g + ½ ln⟨sech⁴(σz)⟩ with σ² = g²⟨tanh²(σz)⟩, for infinitely many units.
    for (g, known) in [(2.0, 0.154724), (3.0, 0.310249), (5.0, 0.532428)] {
        let options = SpectrumOptions { exponents: Some(1), ..SpectrumOptions::new(300, 1500) };
        let first = |seed| {
            let (stack, params) = random_net(500, g, seed);
            autonomous(&stack, &params, options.clone()).exponents[0]
        };
        let mean = (0..5).map(first).sum::<f64>() / 5.0;
        assert!((mean - known).abs() < 0.02, "g = {g}: {mean}");
    }
}

#[test]
fn eliminations_multiply_up_to_what_orthonormal_factors_give() {
    let units = 70;
    let (stack, params) = random_net(units, 2.0, 4);
    let system = Stepped::map(&stack, &params);
    let start: Vec<f64> = (0..units).map(|i| (i as f64).sin()).collect();
    for columns in [units, 20] {
        let walked = |eliminated: bool| {
            let mut walk = Walk::new(&system, std::slice::from_ref(&start), 0, columns, Frame::Random, 5).unwrap();
            let mut sums = vec![0.0; columns];
            for step in 1..=60 {
                walk.advance(1);
                if eliminated && step % 30 > 0 {
                    walk.eliminate()
                } else {
                    walk.orthonormalize()
                }
                sums.iter_mut().zip(walk.factors().diagonal()).for_each(|(sum, r)| *sum += r.ln());
            }
            (sums, walk.frame().data.to_vec())
        };
        let ((orthonormal, q), (eliminated, mut same)) = (walked(false), walked(true));
        assert!(apart(&orthonormal, &eliminated) < 1e-9, "{:e}", apart(&orthonormal, &eliminated));
        // Eliminations may turn tangents round.
        for j in 0..columns {
            let turned = q[j].signum() * same[j].signum();
            same.iter_mut().skip(j).step_by(columns).for_each(|x| *x *= turned);
        }
        assert!(apart(&q, &same) < 1e-8, "{:e}", apart(&q, &same));
    }
}

#[test]
fn a_walk_without_tangents_factors_nothing_and_goes_on() {
    let (stack, params) = random_net(20, 2.0, 4);
    let system = Stepped::map(&stack, &params);
    let mut walk = Walk::new(&system, &[vec![0.1; 20]], 0, 0, Frame::Random, 5).unwrap();
    for _ in 0..3 {
        walk.advance(2);
        walk.eliminate();
        walk.orthonormalize();
    }
    assert!(walk.step() == 6 && walk.lost().is_none() && walk.frame().data.is_empty());
}

#[test]
fn what_rounding_hides_is_marked_and_what_is_not_marked_is_right() {
    let (stack, params) = random_net(60, 3.0, 7);
    // The long intervals end in eliminations, but for those at the ends of bins.
    let options = |every| SpectrumOptions { qr_every: Some(every), ..SpectrumOptions::new(200, 5120) };
    let truth = autonomous(&stack, &params, options(1));
    assert!(truth.status.iter().all(|status| *status == Status::Resolved));
    for every in [5, 10, 20] {
        let found = autonomous(&stack, &params, options(every));
        let marked = found.status.iter().filter(|status| **status == Status::BelowPrecision).count();
        let wrong = |j: &usize| {
            let allowed = (0.25 * truth.standard_errors[*j]).max(1e-6 * truth.exponents[*j].abs());
            (found.exponents[*j] - truth.exponents[*j]).abs() > allowed
        };
        let wrong: Vec<usize> = (0..60).filter(wrong).collect();
        assert!(wrong.iter().all(|&j| found.status[j] == Status::BelowPrecision), "every {every}: {wrong:?}");
        assert!((1..=wrong.len() + 6).contains(&marked), "every {every}: {marked} marked, {} wrong", wrong.len());
    }
}

#[test]
fn starts_that_are_eliminated_together_have_the_bits_they_have_alone() {
    let (units, columns) = (40, 40);
    let (stack, params) = random_net(units, 2.0, 4);
    let system = Stepped::map(&stack, &params);
    let starts: Vec<Vec<f64>> = (0..3).map(|s| (0..units).map(|i| ((i + 7 * s) as f64).sin()).collect()).collect();
    let walked = |starts: &[Vec<f64>], first: usize| {
        let mut walk = Walk::new(&system, starts, first, columns, Frame::Random, 5).unwrap();
        for _ in 0..5 {
            walk.advance(2);
            walk.eliminate();
        }
        (walk.frame().data.to_vec(), walk.factors().diagonal().to_vec())
    };
    let together = walked(&starts, 0);
    for (s, start) in starts.iter().enumerate() {
        let alone = walked(std::slice::from_ref(start), s);
        assert!(together.0.iter().skip(s).step_by(3).eq(&alone.0) && together.1.iter().skip(s).step_by(3).eq(&alone.1));
    }
}

#[test]
fn walks_refuse_what_does_not_fit_and_end_where_inputs_end() {
    let cell = Cell::rnn(3, 2);
    let params = vec![0.1; Component::<f64>::param_count(&cell)];
    let rows = [0.5; 2 * 4];
    let start = [vec![0.0; 3]];
    let walk = |params: &[f64], rows: &[f64]| {
        let system = Stepped::map(&cell, params).driven(Drive::Sequences(vec![rows]));
        let mut walk = Walk::new(&system, &start, 0, 2, Frame::Random, 1).map_err(|error| error.to_string())?;
        walk.advance(9);
        Ok::<u64, String>(walk.step())
    };
    assert_eq!(walk(&params, &rows), Ok(4));
    assert!(walk(&params[1..], &rows).unwrap_err().contains("parameters of the map"));
    assert!(walk(&params, &rows[1..]).unwrap_err().contains("inputs of a map"));
}

#[test]
fn what_saturation_hides_is_marked() {
    let (stack, params) = random_net(60, 30.0, 2);
    let spectrum = autonomous(&stack, &params, SpectrumOptions::new(50, 300));
    let hidden = spectrum.status.iter().filter(|s| **s != Status::Resolved).count();
    assert!(hidden > 3 && hidden < 60, "{hidden}");
    // Marks stand at the lower end, and no exponent that a step's rounding hides passes for measured.
    let first = spectrum.status.iter().position(|s| *s != Status::Resolved).unwrap();
    assert!(first > 10 && spectrum.status[first..].iter().all(|s| *s != Status::Resolved), "{:?}", spectrum.status);
    assert!(spectrum.exponents[..first].iter().all(|x| *x > -36.0), "{:?}", spectrum.exponents);
}

#[test]
fn the_sum_of_a_saturated_net_is_that_of_its_slopes_to_their_own_precision() {
    // Few units, so that no direction falls out of sight within a step: the identity alone knows slopes of e⁻⁶⁰ and less.
    let (cell, params) = (Cell::rnn(1, 1), vec![25.0, 1.0, 0.0, 0.0]);
    let rows: Vec<f64> = (0..200).map(|i| 1.0 + (0.3 * i as f64).sin()).collect();
    let system = Stepped::map(&cell, &params).driven(Drive::Sequences(vec![&rows]));
    let spectrum = Run::new(&system, &[vec![0.0]], SpectrumOptions::new(0, 200)).unwrap().finish().unwrap();
    let (mut h, mut sum) = (0.0f64, 0.0);
    for x in &rows {
        let a = 25.0 * x + h;
        sum += 2.0 * (2f64.ln() - a.abs() - (-2.0 * a.abs()).exp().ln_1p());
        h = a.tanh();
    }
    assert!((spectrum.sum / (sum / 200.0) - 1.0).abs() < 1e-12, "{} for {}", spectrum.sum, sum / 200.0);
}

#[test]
fn networks_of_rates_lose_volume_at_their_leak() {
    let instance = named("rate-network", &["n=30", "g=3", "seed=2"]);
    let sum_of = |method, h: f64| {
        let map = StepMap::new(instance.field().unwrap(), method, h).unwrap();
        let system = Stepped::timed(&map, &instance.params, h);
        let options = SpectrumOptions::new(500, 2000);
        Run::new(&system, std::slice::from_ref(&instance.start), options).unwrap().finish().unwrap().sum
    };
    assert!((sum_of(&RK4, 0.02) + 30.0).abs() < 1e-3, "{}", sum_of(&RK4, 0.02));
    // Euler's map: its mean exponent is near ln(1 − dt)/dt.
    let mean = sum_of(&EULER, 0.1) / 30.0;
    assert!((mean - 0.9f64.ln() / 0.1).abs() < 0.02, "{mean}");
}

/// The spectrum of a driven cell with random parameters, some of them zero, and the check of its determinants.
fn driven<C: Component<f64>>(cell: &C, scale: f64, zero: std::ops::Range<usize>) -> (Spectrum, audit::Check) {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut params: Vec<f64> = fan_in_normal(&cell.params(""), scale, &mut rng);
    params[zero].fill(0.0);
    let width = cell.in_dim() - cell.out_dim();
    let rows: Vec<f64> = (0..width * 3200).map(|i| (0.7 * i as f64).sin()).collect();
    let system = Stepped::map(cell, &params).driven(Drive::Sequences(vec![&rows]));
    let start = vec![0.1; cell.out_dim()];
    let often = SpectrumOptions { qr_every: Some(1), ..SpectrumOptions::new(200, 3000) };
    let mut run = Run::new(&system, std::slice::from_ref(&start), often).unwrap();
    while run.go_on().unwrap() {}
    let check =
        audit::sum(&run, std::slice::from_ref(&start), audit::SumRule::determinant(&system)).unwrap().unwrap().0;
    (run.spectrum(), check)
}

#[test]
fn coupled_oscillators_lose_volume_at_their_damping() {
    let (hidden, step, damping) = (4, 0.1, 1.5);
    let cell = CoRnn { hidden, inputs: 1, step, frequency: 2.0, damping };
    let exact = hidden as f64 * (1.0 - damping * step).ln();
    let square = hidden * hidden;
    let (without, check) = driven(&cell, 2.0, square..2 * square);
    assert!((without.sum - exact).abs() < 1e-11 && check.holds, "{} {exact}", without.sum);
    let (with, check) = driven(&cell, 2.0, 0..0);
    assert!(check.holds && (check.value - check.expected).abs() < 1e-11, "{check:?}");
    assert!((with.sum - exact).abs() > 1e-3, "{} {exact}", with.sum);
}

#[test]
fn explicit_euler_of_an_antisymmetric_net_is_not_marginal() {
    // At the origin: ½ ln[(1 − εγ)² + ε²ω²] with ±iω the eigenvalues of W − Wᵀ.
    let (step, damping, omega) = (0.1, 0.3, 4.0);
    let cell = AntisymmetricRnn { hidden: 2, inputs: 0, step, damping };
    let params = [0.0, 0.0, omega, 0.0, 0.0, 0.0];
    let system = Stepped::map(&cell, &params);
    let spectrum = Run::new(&system, &[vec![0.0; 2]], SpectrumOptions::new(100, 1000)).unwrap().finish().unwrap();
    let known = 0.5 * ((1.0f64 - step * damping).powi(2) + (step * omega).powi(2)).ln();
    assert!(apart(&spectrum.exponents, &[known; 2]) < 1e-12 && known > 0.04, "{:?} {known}", spectrum.exponents);
}

#[test]
fn single_precision_spectra_agree_and_factor_more_often() {
    let cell = Cell { kind: Kind::Gru, hidden: 12, inputs: 2 };
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let params: Vec<f64> = fan_in_normal(&Component::<f64>::params(&cell, ""), 1.5, &mut rng);
    let rows: Vec<f64> = (0..2 * 1300).map(|i| (1.7 * i as f64).sin()).collect();
    let wide = Stepped::map(&cell, &params).driven(Drive::Sequences(vec![&rows]));
    let options = SpectrumOptions::new(100, 1200);
    let wide = Run::new(&wide, &[vec![0.0; 12]], options.clone()).unwrap().finish().unwrap();
    let (params, rows): (Vec<f32>, Vec<f32>) =
        (params.iter().map(|&x| x as f32).collect(), rows.iter().map(|&x| x as f32).collect());
    let narrow = Stepped::map(&cell, &params).driven(Drive::Sequences(vec![&rows]));
    let narrow = Run::new(&narrow, &[vec![0.0f32; 12]], options).unwrap().finish().unwrap();
    assert!(narrow.qr_every < wide.qr_every, "{} {}", narrow.qr_every, wide.qr_every);
    for i in (0..12).filter(|&i| narrow.status[i] == Status::Resolved) {
        assert!((narrow.exponents[i] - wide.exponents[i]).abs() < 1e-3, "{i}");
    }
}

#[test]
fn several_sequences_are_averaged_and_their_spread_is_told() {
    let cell = Cell::rnn(5, 1);
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let params: Vec<f64> = fan_in_normal(&Component::<f64>::params(&cell, ""), 1.5, &mut rng);
    let sequences: Vec<Vec<f64>> =
        (0..3).map(|k| (0..600).map(|i| ((1 + k) as f64 * i as f64).sin()).collect()).collect();
    let options = SpectrumOptions { qr_every: Some(1), ..SpectrumOptions::new(100, 500) };
    let of = |rows: Vec<&[f64]>| {
        let starts = vec![vec![0.0; 5]; rows.len()];
        let system = Stepped::map(&cell, &params).driven(Drive::Sequences(rows));
        Run::new(&system, &starts, options.clone()).unwrap().finish().unwrap()
    };
    let together = of(sequences.iter().map(Vec::as_slice).collect());
    let alone: Vec<f64> = sequences.iter().map(|rows| of(vec![rows]).exponents[0]).collect();
    let mean = alone.iter().sum::<f64>() / 3.0;
    let deviation = (alone.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
    assert!((together.exponents[0] - mean).abs() < 1e-3, "{} {mean}", together.exponents[0]);
    assert!((together.between_starts[0] - deviation).abs() < 1e-3 && deviation > 1e-3);
}
