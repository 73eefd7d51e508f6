//! Gradients of exponents.

use crate::analysis::flossing::{FlossingOptions, FlossingTape};
use crate::analysis::{Drive, Frame, Run, SpectrumOptions, Stepped};
use crate::cells::golden::{golden, numbers};
use crate::cells::{Cell, Kind, Stack};
use crate::dynamics::{Component, Field};
use crate::gradient::{Settings, gradient};
use crate::nn::{Activation, AdamW, Mlp, fan_in_normal};
use crate::solve::{DOPRI5, Options, Problem, RK4, StepMap};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A matrix by rows becomes one by columns, or the other way round.
fn turned(matrix: &[f64], rows: usize) -> Vec<f64> {
    let columns = matrix.len() / rows;
    (0..matrix.len()).map(|at| matrix[at % rows * columns + at / rows]).collect()
}

#[test]
fn the_golden_nets_gradient_is_that_of_pytorch() {
    let golden = golden();
    let net = &golden["flossing_tanh_rnn"];
    let size = |key: &str| net[key].as_u64().unwrap() as usize;
    let (hidden, inputs, count) = (size("H"), size("I"), size("m"));
    let cell = Cell::rnn(hidden, inputs);
    let mut params = turned(&numbers(&net["U"]), hidden);
    params.extend(turned(&numbers(&net["W"]), hidden));
    params.extend(numbers(&net["b"]));
    params.resize(params.len() + hidden, 0.0);
    let rows = numbers(&net["inputs"]);
    let system = Stepped::map(&cell, &params).driven(Drive::Sequences(vec![&rows]));
    let options =
        FlossingOptions { frame: Frame::Identity, ..FlossingOptions::new(count, 0, (rows.len() / inputs) as u64) };
    let (mut tape, mut bar) = (FlossingTape::default(), vec![0.0; params.len()]);
    let start = vec![0.0; hidden];
    let loss = tape.add(&system, &start, &options, (0.0, 1.0), &mut bar).unwrap();
    assert!((loss - net["loss"].as_f64().unwrap()).abs() < 1e-12, "{loss}");
    let exponents = tape.run(&system, &start, &options).unwrap();
    let far =
        |ours: &[f64], theirs: &[f64]| ours.iter().zip(theirs).fold(0.0, |far: f64, (a, b)| far.max((a - b).abs()));
    assert!(far(&exponents, &numbers(&net["lambda_"])) < 1e-12);
    let recurrent = hidden * inputs..hidden * (inputs + hidden);
    let (weights, biases) = (turned(&numbers(&net["dloss_dW"]), hidden), numbers(&net["dloss_db"]));
    assert!(far(&bar[recurrent.clone()], &weights) < 1e-10, "{:e}", far(&bar[recurrent], &weights));
    for bias in bar[hidden * (inputs + hidden)..].chunks_exact(hidden) {
        assert!(far(bias, &biases) < 1e-10, "{:e}", far(bias, &biases));
    }
}

/// A net with its inputs, and the loss `Σ c_i λ_i` of some exponents after a warm-up.
struct Case {
    stack: Stack,
    params: Vec<f64>,
    inputs: Vec<f64>,
    start: Vec<f64>,
    options: FlossingOptions,
}

const WEIGHTS: [f64; 3] = [1.0, -0.7, 0.4];

impl Case {
    fn new(kind: Kind, gain: f64, seed: u64) -> Self {
        Self::layers(kind, 1, gain, seed)
    }

    fn layers(kind: Kind, layers: usize, gain: f64, seed: u64) -> Self {
        let (hidden, inputs) = (6 / layers, 2);
        let stack = Stack::uniform(kind, layers, hidden, inputs).unwrap();
        let specs = Component::<f64>::params(&stack, "");
        let params = fan_in_normal(&specs, gain, &mut ChaCha8Rng::seed_from_u64(seed));
        let inputs = (0..inputs * 40).map(|i| (1.3 * i as f64).sin()).collect();
        let start = (0..stack.state()).map(|i| 0.3 * (i as f64).cos()).collect();
        Self { stack, params, inputs, start, options: FlossingOptions::new(3, 5, 25) }
    }

    fn system<'a>(&'a self, params: &'a [f64]) -> Stepped<'a, f64> {
        Stepped::map(&self.stack, params).driven(Drive::Sequences(vec![&self.inputs]))
    }

    fn exponents(&self, params: &[f64]) -> Vec<f64> {
        FlossingTape::default().run(&self.system(params), &self.start, &self.options).unwrap()
    }

    fn gradient(&self) -> Vec<f64> {
        let (mut tape, mut bar) = (FlossingTape::default(), vec![0.0; self.params.len()]);
        let system = self.system(&self.params);
        tape.run(&system, &self.start, &self.options).unwrap();
        tape.pull(&system, &WEIGHTS, &mut bar).unwrap();
        bar
    }
}

fn kinds() -> [Kind; 4] {
    [Kind::Rnn(Activation::Tanh), Kind::Lstm, Kind::Gru, Kind::Rnn(Activation::Sigmoid)]
}

#[test]
fn gradients_of_all_cells_are_those_of_extrapolated_differences() {
    let settings = kinds().into_iter().flat_map(|kind| [(kind, 1, 1.0), (kind, 1, 2.0), (kind, 2, 1.0)]);
    for (kind, layers, gain) in settings {
        let case = Case::layers(kind, layers, gain, 7);
        let gradient = case.gradient();
        let size = gradient.iter().fold(0.0, |most: f64, g| most.max(g.abs()));
        assert!(size > 1e-3);
        let loss = |at: usize, by: f64| {
            let mut params = case.params.clone();
            params[at] += by;
            case.exponents(&params).iter().zip(WEIGHTS).map(|(x, w)| w * x).sum::<f64>()
        };
        for (at, found) in gradient.iter().enumerate() {
            let central = |h: f64| (loss(at, h) - loss(at, -h)) / (2.0 * h);
            // Twice extrapolated: the error falls as the sixth power of the step.
            let [a, b, c] = [4e-4, 2e-4, 1e-4].map(central);
            let (once, more) = ((4.0 * b - a) / 3.0, (4.0 * c - b) / 3.0);
            let known = (16.0 * more - once) / 15.0;
            assert!((found - known).abs() < 1e-8 * size.max(1.0), "{kind} {layers} {gain} {at}: {found} {known}");
        }
    }
}

#[test]
fn exponents_are_those_of_a_spectrum_factored_at_every_step() {
    for kind in kinds() {
        let case = Case::new(kind, 1.3, 3);
        let options = SpectrumOptions { exponents: Some(3), qr_every: Some(1), ..SpectrumOptions::new(5, 25) };
        let system = case.system(&case.params);
        let spectrum = Run::new(&system, std::slice::from_ref(&case.start), options).unwrap().finish().unwrap();
        let mut found = case.exponents(&case.params);
        found.sort_by(|a, b| b.total_cmp(a));
        for (a, b) in found.iter().zip(&spectrum.exponents) {
            assert!((a - b).abs() < 1e-13, "{kind}: {found:?} {:?}", spectrum.exponents);
        }
    }
}

#[test]
fn a_tape_taken_again_gives_the_same_bits_and_single_precision_is_near() {
    let (long, short) = (Case::new(Kind::Gru, 1.0, 1), Case::new(Kind::Lstm, 1.0, 2));
    let fresh = short.gradient();
    let mut tape = FlossingTape::default();
    for case in [&long, &short] {
        let mut bar = vec![0.0; case.params.len()];
        let system = case.system(&case.params);
        tape.run(&system, &case.start, &case.options).unwrap();
        tape.pull(&system, &WEIGHTS, &mut bar).unwrap();
        assert_eq!(bar, case.gradient());
    }
    let narrow = |x: &[f64]| x.iter().map(|x| *x as f32).collect::<Vec<f32>>();
    let (params, inputs, start) = (narrow(&short.params), narrow(&short.inputs), narrow(&short.start));
    let system = Stepped::map(&short.stack, &params).driven(Drive::Sequences(vec![&inputs]));
    let (mut tape, mut bar) = (FlossingTape::default(), vec![0.0f32; params.len()]);
    tape.run(&system, &start, &short.options).unwrap();
    tape.pull(&system, &WEIGHTS, &mut bar).unwrap();
    let size = fresh.iter().fold(0.0, |most: f64, g| most.max(g.abs()));
    assert!(bar.iter().zip(&fresh).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-3 * size));
}

#[test]
fn what_has_no_sound_gradient_is_refused_with_its_remedy() {
    let case = Case::new(Kind::Lstm, 1.0, 1);
    let refused = |case: &Case, params: &[f64], options: &FlossingOptions| {
        let run = FlossingTape::default().run(&case.system(params), &case.start, options);
        run.unwrap_err().to_string()
    };
    // With no recurrent weights only the cells' memory is left: half of the directions die at once.
    let mut still = case.params.clone();
    still[48..48 + 144].fill(0.0);
    let all = FlossingOptions { exponents: 12, ..case.options.clone() };
    assert!(refused(&case, &still, &all).contains("take at most 6 exponents"), "{}", refused(&case, &still, &all));
    let wild = Case::new(Kind::Rnn(Activation::Tanh), 12.0, 1);
    let few = FlossingOptions { most_growth: 1.0, ..wild.options.clone() };
    assert!(refused(&wild, &wild.params, &few).contains("take fewer steps"));
    let long = FlossingOptions { steps: 400, ..case.options.clone() };
    assert!(refused(&case, &case.params, &long).contains("there are inputs for 40"));
    for bad in
        [FlossingOptions { exponents: 0, ..case.options.clone() }, FlossingOptions { steps: 0, ..case.options.clone() }]
    {
        assert!(refused(&case, &case.params, &bad).contains("at least 1"));
    }
    let classic = Case::new(Kind::ClassicGru, 1.0, 1);
    assert!(refused(&classic, &classic.params, &classic.options).contains("no second derivatives"));
    let mut lost = case.params.clone();
    lost[3] = f64::INFINITY;
    assert!(refused(&case, &lost, &case.options).contains("not finite"));

    let (mut tape, system) = (FlossingTape::default(), case.system(&case.params));
    tape.run(&system, &case.start, &case.options).unwrap();
    assert!(tape.pull(&system, &[1.0], &mut vec![0.0; case.params.len()]).is_err());
    assert!(tape.pull(&system, &WEIGHTS, &mut [0.0]).is_err());
    let few = FlossingOptions { most_growth: -1.0, ..case.options.clone() };
    assert!(tape.run(&system, &case.start, &few).is_err());
    assert!(tape.pull(&system, &WEIGHTS, &mut vec![0.0; case.params.len()]).is_err());
}

/// The numerical map of a Neural ODE without inputs.
fn neural_ode() -> (Mlp, Vec<f64>) {
    let net = Mlp::new(&[3, 8, 3], Activation::Tanh, Activation::Identity).unwrap();
    let params = fan_in_normal(&Component::<f64>::params(&net, ""), 1.5, &mut ChaCha8Rng::seed_from_u64(5));
    (net, params)
}

#[test]
fn the_gradient_through_a_neural_odes_steps_is_that_of_extrapolated_differences() {
    let (net, params) = neural_ode();
    let options = FlossingOptions::new(2, 5, 30);
    for method in [&RK4, &DOPRI5] {
        let map = StepMap::new(Field::autonomous(&net).unwrap(), method, 0.2).unwrap();
        let start = [0.5, -0.3, 0.8];
        let loss = |params: &[f64]| {
            let system = Stepped::timed(&map, params, 0.2);
            let exponents = FlossingTape::default().run(&system, &start, &options).unwrap();
            exponents.iter().zip(WEIGHTS).map(|(x, w)| w * x).sum::<f64>()
        };
        let (mut tape, mut bar) = (FlossingTape::default(), vec![0.0; params.len()]);
        let system = Stepped::timed(&map, &params, 0.2);
        tape.run(&system, &start, &options).unwrap();
        tape.pull(&system, &WEIGHTS[..2], &mut bar).unwrap();
        let size = bar.iter().fold(0.0, |most: f64, g| most.max(g.abs()));
        assert!(size > 1e-2);
        for (at, found) in bar.iter().enumerate() {
            let moved = |by: f64| {
                let mut params = params.clone();
                params[at] += by;
                loss(&params)
            };
            let central = |h: f64| (moved(h) - moved(-h)) / (2.0 * h);
            let known = (4.0 * central(1e-4) - central(2e-4)) / 3.0;
            assert!((found - known).abs() < 1e-8 * size.max(1.0), "{} {at}: {found} {known}", method.name);
        }
    }
}

#[test]
fn a_neural_ode_is_trained_with_its_exponents_in_the_loss() {
    // A field is to pass through some states; beside that the leading exponent of its map is to be −0.5.
    let (net, first) = neural_ode();
    let field = Field::autonomous(&net).unwrap();
    let map = StepMap::new(field, &RK4, 0.2).unwrap();
    let (start, times) = ([0.5, -0.3, 0.8], [0.4, 0.8]);
    let wanted = [0.6, -0.1, 0.6, 0.5, 0.1, 0.4];
    let problem = Problem { start_times: &[0.0], starts: &start, row_ptr: &[0, 2], times: &times };
    let options = FlossingOptions::new(1, 0, 40);
    let train = |weight: f64| {
        let (mut params, mut tape) = (first.clone(), FlossingTape::default());
        let mut adam = AdamW::new(params.len(), 0.0);
        let mut fit = f64::INFINITY;
        for step in 0..1500 {
            let found =
                gradient(field, &params, &problem, &Options::fixed(&RK4, 0.2), &Settings::default(), |_, y, bar| {
                    bar.iter_mut().zip(y.iter().zip(&wanted)).for_each(|(bar, (y, w))| *bar = 2.0 * (y - w));
                    y.iter().zip(&wanted).map(|(y, w)| (y - w).powi(2)).sum::<f64>()
                })
                .unwrap();
            let mut bar = found.params;
            fit = found.loss;
            tape.add(&Stepped::timed(&map, &params, 0.2), &start, &options, (-0.5, weight), &mut bar).unwrap();
            // A rate that falls to nothing: at a constant one the last step may be in any phase of a swing.
            adam.step(&mut params, &bar, 1e-2 * (1.0 - f64::from(step) / 1500.0), |_| false);
        }
        (fit, tape.run(&Stepped::timed(&map, &params, 0.2), &start, &options).unwrap()[0])
    };
    let ((plain, free), (flossed, held)) = (train(0.0), train(0.1));
    assert!(plain < 1e-3 && flossed < 1e-3, "{plain} {flossed}");
    assert!((held + 0.5).abs() < 0.05 && (free + 0.5).abs() > 0.1, "{held} {free}");
}
