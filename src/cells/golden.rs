//! Against nets that PyTorch ran and differentiated: see `tests/golden/README.md`.

use super::{Along, Cotangents, Kind, Layers, LayersTape, Ragged, pytorch};
use crate::Real;
use crate::dynamics::{Component, jacobian};
use crate::linalg::{Block, BlockMut};
use crate::nn::Activation;
use serde_json::Value;
use std::path::{Path, PathBuf};

pub(crate) fn golden() -> Value {
    serde_json::from_str(include_str!("../../tests/golden/golden_rnn_lyapunov.json")).unwrap()
}

pub(crate) fn numbers(list: &Value) -> Vec<f64> {
    match list {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// The parameters in our order, matrices column by column.
pub(crate) fn params(layers: &Layers, weights: &Value) -> Vec<f64> {
    let mut params = Vec::new();
    for spec in layers.params::<f64>("") {
        let theirs = numbers(&weights[&spec.name]);
        assert_eq!(theirs.len(), spec.len(), "{}", spec.name);
        let rows = spec.shape[0];
        let columns = spec.len() / rows;
        params.extend((0..spec.len()).map(|at| theirs[at % rows * columns + at / rows]));
    }
    params
}

#[test]
fn final_states_and_last_jacobians_agree_with_pytorch() {
    let golden = golden();
    for (name, kind) in [
        ("RNN_1layer", Kind::Rnn(Activation::Tanh)),
        ("GRU_1layer", Kind::Gru),
        ("LSTM_1layer", Kind::Lstm),
        ("LSTM_2layer", Kind::Lstm),
        ("GRU_2layer", Kind::Gru),
    ] {
        let net = &golden[name];
        let size = |key: &str| net[key].as_u64().unwrap() as usize;
        let layers = Layers {
            kind,
            layers: size("layers"),
            hidden: size("hidden"),
            inputs: size("input"),
            bidirectional: false,
        };
        let (stack, params) = (layers.stack().unwrap(), params(&layers, &net["weights"]));
        let n = stack.state();
        let mut scratch = vec![0.0; Component::<f64>::scratch_len(&stack)];
        let (mut state, mut slab) = (vec![0.0; n], vec![0.0; Component::<f64>::slab_len(&stack)]);
        for x in numbers(&net["inputs"]).chunks_exact(stack.inputs()) {
            let u = [&state[..], x].concat();
            let out = BlockMut::new(&mut state, 1);
            stack.linearize(&params, Block::new(&u, 1), out, BlockMut::new(&mut slab, 1), &mut scratch);
        }
        for (i, (ours, theirs)) in state.iter().zip(numbers(&net["final_state"])).enumerate() {
            assert!((ours - theirs).abs() < 1e-12, "{name}, state {i}: {ours:e} {theirs:e}");
        }

        let jacobian = jacobian(&stack, &params, Block::new(&slab, 1), n);
        for (i, (ours, theirs)) in jacobian.iter().zip(numbers(&net["J_last"])).enumerate() {
            assert!((ours - theirs).abs() < 1e-12, "{name}, Jacobian {i}: {ours:e} {theirs:e}");
        }
    }
}

fn fixture() -> Value {
    serde_json::from_str(include_str!("../../tests/golden/pytorch.json")).unwrap()
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

/// The numbers of an `.npy` file of single precision, version 1.
fn npy(name: &str) -> Vec<f64> {
    let bytes = std::fs::read(data(name)).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[header..].as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect()
}

/// The largest difference from `theirs` relative to their largest number.
fn difference<T: Real>(ours: &[T], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let size = theirs.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    ours.iter().zip(theirs).fold(0.0, |a: f64, (x, y)| a.max((x.f64() - y).abs() / size))
}

/// The outputs at some steps and the last `h` and `c` of every cell.
fn forward<T: Real>(net: &pytorch::Loaded, inputs: &[f64], rows: &[usize]) -> (Vec<Vec<T>>, Vec<T>, Vec<T>) {
    let layers = net.layers;
    let cast = |x: &[f64]| -> Vec<T> { x.iter().map(|&x| T::of(x)).collect() };
    let ragged = Ragged::new(&[inputs.len() / layers.inputs]);
    let mut tape = LayersTape::default();
    let along = Along { ragged: &ragged, inputs: &cast(inputs), start: None };
    layers.run(&cast(&net.params), &along, true, None, &mut tape).unwrap();
    let outputs = rows.iter().map(|&row| tape.outputs()[row * layers.outputs()..][..layers.outputs()].to_vec());
    let (mut h, mut c) = (Vec::new(), Vec::new());
    for cell in 0..layers.layers * layers.directions() {
        h.extend_from_slice(&tape.last(cell)[..layers.hidden]);
        c.extend_from_slice(&tape.last(cell)[layers.hidden..]);
    }
    (outputs.collect(), h, c)
}

#[test]
fn trained_nets_run_as_in_pytorch() {
    let fixture = fixture();
    for (name, weights, inputs) in [
        ("nagisa", "nagisa_char_bilstm.safetensors", "nagisa_char_input.npy"),
        ("silero", "silero_vad_16k_lstm.safetensors", "silero_vad_16k_input_400.npy"),
    ] {
        let net = pytorch::read(&data(weights), &pytorch::Reading::default()).unwrap();
        let (inputs, theirs) = (npy(inputs), &fixture[name]);
        let rows: Vec<usize> = numbers(&theirs["rows"]).into_iter().map(|row| row as usize).collect();
        fn check<T: Real>(name: &str, found: (Vec<Vec<T>>, Vec<T>, Vec<T>), theirs: &Value, tolerance: f64) {
            for (at, outputs) in found.0.iter().enumerate() {
                let off = difference(outputs, &numbers(&theirs["outputs"][at]));
                assert!(off < tolerance, "{name}, outputs {at}: {off:e}");
            }
            for (key, ours) in [("h", &found.1), ("c", &found.2)] {
                let off = difference(ours, &numbers(&theirs[key]));
                assert!(off < tolerance, "{name}, {key}: {off:e}");
            }
        }
        check::<f64>(name, forward(&net, &inputs, &rows), theirs, 1e-12);
        check::<f32>(name, forward(&net, &inputs, &rows), theirs, 1e-5);
    }
}

#[test]
fn gradients_of_fifty_steps_are_those_of_pytorch() {
    let wave = |n: usize, phase: f64| -> Vec<f64> { (0..n).map(|i| (0.7 * i as f64 + phase).sin()).collect() };
    for case in fixture()["gradients"].as_array().unwrap() {
        let size = |key: &str| case[key].as_u64().unwrap() as usize;
        let kind: Kind = case["kind"].as_str().unwrap().parse().unwrap();
        let bidirectional = case["bidirectional"].as_bool().unwrap();
        let (hidden, steps) = (size("hidden"), size("steps"));
        let layers = Layers { kind, layers: size("layers"), hidden, inputs: size("inputs"), bidirectional };
        let name = format!("{kind}, {} layers, both directions: {bidirectional}", layers.layers);
        let names: Vec<&str> = case["names"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
        let specs = layers.params::<f64>("");
        assert_eq!(names, specs.iter().map(|spec| &spec.name[..]).collect::<Vec<_>>());
        // A matrix by rows is its transpose by columns.
        let turned = |by_rows: &[f64], rows: usize| -> Vec<f64> {
            let columns = by_rows.len() / rows;
            (0..by_rows.len()).map(|at| by_rows[at % rows * columns + at / rows]).collect()
        };
        let mut params = Vec::new();
        for (i, spec) in specs.iter().enumerate() {
            let weights: Vec<f64> = wave(spec.len(), i as f64).iter().map(|x| 0.6 * x).collect();
            params.extend(turned(&weights, spec.shape[0]));
        }
        let cells = layers.layers * layers.directions();
        let halves: Vec<Vec<f64>> =
            [1.1, 2.2].map(|phase| wave(cells * hidden, phase).iter().map(|x| 0.5 * x).collect()).into();
        let state = layers.cell(0).state();
        let starts: Vec<f64> = (0..cells)
            .flat_map(|c| halves.iter().take(state / hidden).flat_map(move |x| &x[c * hidden..(c + 1) * hidden]))
            .copied()
            .collect();
        let (ragged, inputs, mut tape) =
            (Ragged::new(&[steps]), wave(steps * layers.inputs, 0.3), LayersTape::default());
        let along = Along { ragged: &ragged, inputs: &inputs, start: Some(&starts) };
        layers.run(&params, &along, true, None, &mut tape).unwrap();

        let outputs_bar: Vec<f64> = wave(tape.outputs().len(), 0.9).iter().map(|x| x / steps as f64).collect();
        let last: Vec<f64> = (0..cells).flat_map(|cell| tape.last(cell)).copied().collect();
        let loss = outputs_bar.iter().zip(tape.outputs()).map(|(w, y)| w * y).sum::<f64>()
            + last.iter().map(|x| x * x).sum::<f64>();
        let theirs = case["loss"].as_f64().unwrap();
        assert!((loss - theirs).abs() < 1e-12 * theirs.abs().max(1.0), "{name}: loss {loss} {theirs}");
        let last_bar: Vec<f64> = last.iter().map(|x| 2.0 * x).collect();
        let mut bar = vec![0.0; params.len()];
        let cotangents = Cotangents { outputs: Some(&outputs_bar), last: Some(&last_bar), cut: None };
        layers.pull(&params, &ragged, &cotangents, &mut tape, false, &mut bar);
        let mut start = 0;
        for spec in &specs {
            let theirs = turned(&numbers(&case["gradients"][&spec.name]), spec.shape[0]);
            let off = difference(&bar[start..start + spec.len()], &theirs);
            assert!(off < 1e-10, "{name}, {}: {off:e}", spec.name);
            start += spec.len();
        }
        for (key, half) in [("h0_gradient", 0), ("c0_gradient", hidden)].into_iter().take(state / hidden) {
            let ours: Vec<f64> =
                (0..cells).flat_map(|cell| &tape.start_bar(cell)[half..half + hidden]).copied().collect();
            let off = difference(&ours, &numbers(&case[key]));
            assert!(off < 1e-10, "{name}, {key}: {off:e}");
        }
    }
}

#[test]
fn files_written_here_are_those_that_pytorch_loads_and_runs_the_same() {
    let layers = Layers { kind: Kind::Lstm, layers: 2, hidden: 3, inputs: 2, bidirectional: true };
    let number = |i: usize| ((i * 37 % 64) as f64 - 31.5) / 32.0;
    let params: Vec<f32> = (0..layers.param_count::<f32>()).map(|i| number(i) as f32).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    pytorch::write(&path, &layers, &params, "", pytorch::Form::Layers, true).unwrap();
    // PyTorch loaded these bytes and ran the net: `tests/golden/pytorch.py`.
    let loaded_there = include_bytes!("../../tests/golden/written.safetensors");
    assert!(std::fs::read(&path).unwrap() == loaded_there, "the file differs from the one that was loaded");

    let inputs: Vec<f64> = (0..10).map(number).collect();
    let params: Vec<f64> = params.iter().map(|&x| x.into()).collect();
    let mut tape = LayersTape::default();
    let along = Along { ragged: &Ragged::new(&[5]), inputs: &inputs, start: None };
    layers.run(&params, &along, true, None, &mut tape).unwrap();
    let off = difference(tape.outputs(), &numbers(&fixture()["written"]["outputs"]));
    assert!(off < 1e-12, "{off:e}");
}
