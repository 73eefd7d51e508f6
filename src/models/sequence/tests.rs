//! Gradients of whole models against differences.

use super::*;
use crate::cells::{Kind, Layers};
use crate::nn::{Activation, Convolution};
use rand::{RngExt, SeedableRng};

fn examples(lengths: &[usize], width: usize, target: impl Fn(usize, usize) -> Target<f64>) -> Vec<Example<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let of = |(at, &n): (usize, &usize)| Example {
        inputs: (0..n * width).map(|_| rng.random_range(-1.0..1.0)).collect(),
        target: target(at, n),
    };
    lengths.iter().enumerate().map(of).collect()
}

fn gradient_matches<E: SequenceEncoder<f64>>(name: &str, encoder: E, rows: usize, examples: &[Example<f64>]) {
    let features = encoder.features();
    let head = Mlp::new(&[features, rows], Activation::Identity, Activation::Identity).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut params = encoder.initial(&mut rng);
    let model = SequenceModel::new(encoder, head).unwrap();
    params.resize(model.params::<f64>().iter().map(|spec| spec.len()).sum(), 0.0);
    params.iter_mut().for_each(|p| *p += rng.random_range(-0.3..0.3));
    let chosen: Vec<&Example<f64>> = examples.iter().collect();
    let value = |params: &[f64]| {
        let (mut bar, mut tape) = (vec![0.0; params.len()], ModelTape::default());
        // The same draw of dropout every time.
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        (model.loss(params, &chosen, 0.3, &mut rng, &mut tape, &mut bar).unwrap(), bar)
    };
    let (_, bar) = value(&params);
    let direction: Vec<f64> = params.iter().map(|_| rng.random_range(-1.0..1.0)).collect();
    let shifted = |sign: f64| {
        let moved: Vec<f64> = params.iter().zip(&direction).map(|(p, d)| p + sign * 1e-6 * d).collect();
        value(&moved).0
    };
    let difference = (shifted(1.0) - shifted(-1.0)) / 2e-6;
    let exact: f64 = bar.iter().zip(&direction).map(|(b, d)| b * d).sum();
    assert!((difference - exact).abs() < 3e-8 * (1.0 + exact.abs()), "{name}: {difference} {exact}");

    // Predictions of the batch are those of each alone, to the last bit.
    let inputs: Vec<&[f64]> = examples.iter().map(|example| &example.inputs[..]).collect();
    let together = model.predict(&params, &inputs, &mut ModelTape::default()).unwrap();
    for (input, together) in inputs.iter().zip(&together) {
        let alone = model.predict(&params, &[input], &mut ModelTape::default()).unwrap();
        let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&alone[0]), bits(together), "{name}");
    }
}

fn layers(kind: Kind, layers: usize, bidirectional: bool) -> Layers {
    Layers { kind, layers, hidden: 3, inputs: 2, bidirectional }
}

#[test]
fn gradients_of_recurrent_models_match_differences() {
    let lengths = [4, 1, 11, 6];
    let numbers = examples(&lengths, 2, |at, _| Target::Numbers(vec![at as f64, 0.5]));
    let every = examples(&lengths, 2, |_, n| Target::Classes((0..n).map(|i| i % 3).collect()));
    for kind in [Kind::Rnn(Activation::Tanh), Kind::Lstm, Kind::Gru, Kind::ClassicGru] {
        for (count, bidirectional) in [(1, false), (2, true), (3, false)] {
            let name = format!("{kind}, {count} layers, both directions: {bidirectional}");
            let layers = layers(kind, count, bidirectional);
            let last = RecurrentEncoder {
                layers,
                readout: Readout::Last,
                learned_start: true,
                dropout: 0.4,
                cut: None,
                memory_bias: 1.0,
            };
            gradient_matches(&name, last, 2, &numbers);
            let every_step = RecurrentEncoder { readout: Readout::EveryStep, learned_start: false, ..last };
            gradient_matches(&name, every_step, 3, &every);
        }
    }
}

#[test]
fn what_is_not_known_has_no_part_in_the_loss() {
    let lengths = [4, 1, 6];
    let encoder = RecurrentEncoder {
        layers: layers(Kind::Gru, 1, false),
        readout: Readout::EveryStep,
        learned_start: false,
        dropout: 0.0,
        cut: None,
        memory_bias: 0.0,
    };
    let known = |at: usize, i: usize| (at + i).is_multiple_of(3).then_some(0.1 * i as f64);
    let some = examples(&lengths, 2, |at, n| Target::Known((0..2 * n).map(|i| known(at, i)).collect()));
    gradient_matches("some known", encoder, 2, &some);

    let model = SequenceModel::new::<f64>(encoder, Mlp::new(&[3, 2], Activation::Tanh, Activation::Identity).unwrap());
    let model = model.unwrap();
    let params = vec![0.2; model.params::<f64>().iter().map(|spec| spec.len()).sum()];
    let loss = |target: Target<f64>| {
        let example = Example { inputs: vec![0.5; 4], target };
        let (mut bar, mut rng) = (vec![0.0; params.len()], ChaCha8Rng::seed_from_u64(0));
        let weight = model.weight(&[&example]);
        let loss = model.loss(&params, &[&example], weight, &mut rng, &mut ModelTape::default(), &mut bar).unwrap();
        (loss, bar)
    };
    let all = [1.0, -2.0, 0.5, 3.0];
    assert_eq!(loss(Target::Known(all.map(Some).to_vec())), loss(Target::Numbers(all.to_vec())));
    // Of the second step alone, the first is as if it had not been asked.
    let (half, _) = loss(Target::Known(vec![None, None, Some(0.5), Some(3.0)]));
    let said = &model.predict(&params, &[&[0.5; 4]], &mut ModelTape::default()).unwrap()[0];
    assert!((half - ((said[2] - 0.5).powi(2) + (said[3] - 3.0).powi(2)) / 2.0).abs() < 1e-14);
    let (none, bar) = loss(Target::Known(vec![None; 4]));
    assert!(none == 0.0 && bar.iter().all(|&x| x == 0.0));
}

#[test]
fn gradients_of_bags_of_motifs_match_differences() {
    let one = examples(&[5, 3, 9], 2, |at, _| Target::Classes(vec![at % 2]));
    for pooling in [Pooling::Max, Pooling::Mean] {
        let motifs = Motifs { convolution: Convolution { inputs: 2, filters: 4, kernel: 3 }, pooling };
        gradient_matches(&format!("{pooling:?}"), motifs, 2, &one);
    }
}

#[test]
fn inputs_and_targets_that_do_not_fit_are_named() {
    let encoder = RecurrentEncoder {
        layers: layers(Kind::Gru, 1, false),
        readout: Readout::EveryStep,
        learned_start: false,
        dropout: 0.0,
        cut: None,
        memory_bias: 0.0,
    };
    let head = |rows| Mlp::new(&[rows, 2], Activation::Identity, Activation::Identity).unwrap();
    assert!(SequenceModel::new::<f64>(encoder, head(4)).is_err());
    let model = SequenceModel::new::<f64>(encoder, head(3)).unwrap();
    let params = vec![0.1; model.params::<f64>().iter().map(|spec| spec.len()).sum()];
    let refused =
        |inputs: &[&[f64]]| model.predict(&params, inputs, &mut ModelTape::default()).unwrap_err().to_string();
    assert!(refused(&[&[0.0; 4], &[0.0; 3]]).contains("sequence 1: expected one or more whole steps of 2 features"));
    assert!(refused(&[&[]]).contains("sequence 0"));
    assert!(refused(&[]).contains("a batch"));
    assert!(model.predict(&params[1..], &[&[0.0; 4]], &mut ModelTape::default()).is_err());
    let wrong = |target: Target<f64>| {
        let example = Example { inputs: vec![0.0; 4], target };
        let (mut bar, mut rng) = (vec![0.0; params.len()], ChaCha8Rng::seed_from_u64(0));
        model.loss(&params, &[&example], 1.0, &mut rng, &mut ModelTape::default(), &mut bar).unwrap_err().to_string()
    };
    assert_eq!(wrong(Target::Classes(vec![0])), "targets of example 0: expected 2, found 1");
    assert_eq!(wrong(Target::Numbers(vec![0.0; 3])), "targets of example 0: expected 4, found 3");
    assert_eq!(wrong(Target::Known(vec![None; 3])), "targets of example 0: expected 4, found 3");
    assert!(wrong(Target::Classes(vec![0, 2])).contains("a class"));
}
