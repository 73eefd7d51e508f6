//! Files as PyTorch writes them, and files that are wrong.

use super::*;
use crate::dynamics::Component;
use crate::io::tensors::TensorData;
use half::{bf16, f16};
use std::path::PathBuf;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

fn numbers(len: usize) -> Vec<f64> {
    (0..len).map(|i| ((i * 37 % 64) as f64 - 31.5) / 32.0).collect()
}

fn tensor(shape: &[usize]) -> Tensor {
    Tensor::new(shape.to_vec(), TensorData::F64(numbers(shape.iter().product()))).unwrap()
}

/// A one-layer GRU of 3 units and 2 inputs with other tensors around it.
fn gru() -> Tensors {
    let named = [
        ("encoder.gru.weight_ih_l0", tensor(&[9, 2])),
        ("encoder.gru.weight_hh_l0", tensor(&[9, 3])),
        ("encoder.gru.bias_ih_l0", tensor(&[9])),
        ("encoder.gru.bias_hh_l0", tensor(&[9])),
        ("encoder.embedding.weight", tensor(&[5, 2])),
        ("head.weight_ih_scale", tensor(&[1])),
    ];
    Tensors { named: named.map(|(name, tensor)| (name.to_string(), tensor)).into(), ..Tensors::default() }
}

fn through_file(content: &Tensors, reading: &Reading) -> Result<Loaded> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    tensors::write(&path, content).unwrap();
    read(&path, reading)
}

#[test]
fn the_nets_that_come_with_the_project_are_found() {
    let nagisa = read(&data("nagisa_char_bilstm.safetensors"), &Reading::default()).unwrap();
    let expected = Layers { kind: Kind::Lstm, layers: 1, hidden: 16, inputs: 32, bidirectional: true };
    assert_eq!((nagisa.layers, nagisa.bias, nagisa.form), (expected, true, Form::Layers));
    assert_eq!(nagisa.params.len(), expected.param_count::<f64>());
    assert!(nagisa.dtypes.contains("F32") && nagisa.notes.is_empty());
    assert!(nagisa.layers.stack().is_err() && nagisa.cell(0, 1).is_ok() && nagisa.cell(0, 2).is_err());
    let silero = read(&data("silero_vad_16k_lstm.safetensors"), &Reading::default()).unwrap();
    let expected = Layers { kind: Kind::Lstm, layers: 1, hidden: 128, inputs: 128, bidirectional: false };
    assert_eq!(silero.layers, expected);
    assert_eq!(silero.layers.stack().unwrap().state(), 256);
}

#[test]
fn matrices_turn_from_rows_to_columns_and_names_stay() {
    let loaded = through_file(&gru(), &Reading::default()).unwrap();
    assert_eq!(loaded.prefix, "encoder.gru.");
    let specs = loaded.layers.params::<f64>(&loaded.prefix);
    let mut start = 0;
    for spec in &specs {
        let theirs = gru().named[&spec.name].to_f64();
        let columns = spec.len() / spec.shape[0];
        for (i, row) in theirs.chunks_exact(columns).enumerate() {
            for (j, x) in row.iter().enumerate() {
                assert_eq!(loaded.params[start + j * spec.shape[0] + i], *x, "{} [{i}, {j}]", spec.name);
            }
        }
        start += spec.len();
    }
    assert_eq!(start, loaded.params.len());
}

#[test]
fn every_precision_is_read() {
    let whole = through_file(&gru(), &Reading::default()).unwrap().params;
    type Narrow = fn(Vec<f64>) -> TensorData;
    // The numbers of these tensors have few digits, so that all precisions hold them exactly.
    let narrow: [(&str, Narrow); 3] = [
        ("F16", |x| TensorData::F16(x.into_iter().map(f16::from_f64).collect())),
        ("BF16", |x| TensorData::Bf16(x.into_iter().map(bf16::from_f64).collect())),
        ("F32", |x| TensorData::F32(x.into_iter().map(|x| x as f32).collect())),
    ];
    for (name, narrow) in narrow {
        let mut content = gru();
        for tensor in content.named.values_mut() {
            *tensor = Tensor::new(tensor.shape().to_vec(), narrow(tensor.to_f64())).unwrap();
        }
        let loaded = through_file(&content, &Reading::default()).unwrap();
        assert_eq!(loaded.params, whole, "{name}");
        assert_eq!(loaded.dtypes, [name].into());
    }
}

#[test]
fn names_of_single_cells_and_nets_without_biases_are_read() {
    let mut content = gru();
    let take = |content: &mut Tensors, from: &str, to: &str| {
        let tensor = content.named.remove(from).unwrap();
        content.named.insert(to.into(), tensor);
    };
    take(&mut content, "encoder.gru.weight_ih_l0", "weight_ih");
    take(&mut content, "encoder.gru.weight_hh_l0", "weight_hh");
    content.named.retain(|name, _| !name.contains("bias"));
    let loaded = through_file(&content, &Reading::default()).unwrap();
    assert_eq!((loaded.form, loaded.bias, loaded.prefix.as_str()), (Form::Cell, false, ""));
    assert_eq!(loaded.layers, Layers { kind: Kind::Gru, layers: 1, hidden: 3, inputs: 2, bidirectional: false });
    assert!(loaded.params[45..].iter().all(|&b| b == 0.0));
    assert_eq!(loaded.params[..45], through_file(&gru(), &Reading::default()).unwrap().params[..45]);
}

#[test]
fn gates_in_other_orders_are_put_into_ours() {
    let content = |gates: usize| {
        let rows = |width: usize| (0..gates * width).map(|i| (i / width) as f64).collect();
        let tensor = |shape: &[usize], x| Tensor::new(shape.to_vec(), TensorData::F64(x)).unwrap();
        let named = [
            ("weight_ih_l0", tensor(&[gates, 1], rows(1))),
            ("weight_hh_l0", tensor(&[gates, 1], rows(1))),
            ("bias_ih_l0", tensor(&[gates], rows(1))),
            ("bias_hh_l0", tensor(&[gates], rows(1))),
        ];
        Tensors { named: named.map(|(name, tensor)| (name.to_string(), tensor)).into(), ..Tensors::default() }
    };
    for (gates, order, expected) in [
        (4, GateOrder::PyTorch, vec![0.0, 1.0, 2.0, 3.0]),
        (4, GateOrder::Keras, vec![0.0, 1.0, 2.0, 3.0]),
        // i, o, f, c → i, f, c, o
        (4, GateOrder::Onnx, vec![0.0, 2.0, 3.0, 1.0]),
        (3, GateOrder::Keras, vec![1.0, 0.0, 2.0]),
        (3, GateOrder::Onnx, vec![1.0, 0.0, 2.0]),
    ] {
        let loaded = through_file(&content(gates), &Reading { gates: order, ..Reading::default() }).unwrap();
        assert_eq!(loaded.params, expected.repeat(4), "{order:?}, {gates} gates");
    }
}

#[test]
fn names_of_kinds_and_orders_are_read() {
    assert!("gru".parse::<Kind>().is_ok_and(|kind| kind == Kind::Gru) && "vanilla".parse::<Kind>().is_err());
    assert!(
        "keras".parse::<GateOrder>().is_ok_and(|order| order == GateOrder::Keras) && "tf".parse::<GateOrder>().is_err()
    );
}

#[test]
fn several_nets_want_a_prefix_and_relu_a_word() {
    let mut content = gru();
    content.named.insert("decoder.weight_ih".into(), tensor(&[3, 2]));
    content.named.insert("decoder.weight_hh".into(), tensor(&[3, 3]));
    let refused = through_file(&content, &Reading::default()).unwrap_err().to_string();
    assert!(refused.contains("`decoder.`, `encoder.gru.`"), "{refused}");
    for prefix in ["decoder", "decoder."] {
        let reading = Reading { prefix: Some(prefix.into()), ..Reading::default() };
        let loaded = through_file(&content, &reading).unwrap();
        assert_eq!(loaded.layers.kind, Kind::Rnn(Activation::Tanh));
        assert!(loaded.notes[0].contains("tanh"));
        let reading = Reading { kind: Some("rnn-relu".parse().unwrap()), ..reading };
        let loaded = through_file(&content, &reading).unwrap();
        assert!(loaded.layers.kind == Kind::Rnn(Activation::Relu) && loaded.notes.is_empty());
        let reading = Reading { kind: Some(Kind::Lstm), ..reading };
        assert!(through_file(&content, &reading).unwrap_err().to_string().contains("which lstm has not"));
    }
    let reading = Reading { prefix: Some("other".into()), ..Reading::default() };
    assert!(
        through_file(&content, &reading).unwrap_err().to_string().contains("no recurrent net with the prefix `other`")
    );
    assert_eq!(describe(&tensors_with_a_fault()).values().filter(|net| net.is_err()).count(), 1);
    assert_eq!(describe(&content).values().filter(|net| net.is_ok()).count(), 2);
}

fn tensors_with_a_fault() -> Tensors {
    let mut content = gru();
    content.named.remove("encoder.gru.bias_hh_l0");
    content
}

#[test]
fn what_is_wrong_is_named_with_the_expected_shape() {
    type Change = fn(&mut Tensors);
    let cases: [(Change, &str); 12] = [
        (|c| c.named.clear(), "no recurrent net"),
        (|c| *c = tensors_with_a_fault(), "`encoder.gru.bias_hh_l0` is missing: expected shape [9]"),
        (
            |c| drop(c.named.insert("encoder.gru.weight_ih_l0_reverse".into(), tensor(&[9, 2]))),
            "`encoder.gru.weight_hh_l0_reverse` is missing: expected shape [9, 3], as other tensors of the backward",
        ),
        (
            |c| drop(c.named.insert("encoder.gru.bias_ih_l0".into(), tensor(&[8]))),
            "`encoder.gru.bias_ih_l0` has shape [8]: expected [9]",
        ),
        (
            |c| drop(c.named.insert("encoder.gru.weight_hh_l0".into(), tensor(&[6, 3]))),
            "`encoder.gru.weight_hh_l0` has shape [6, 3]: expected [G · hidden, hidden]",
        ),
        (
            |c| drop(c.named.insert("encoder.gru.weight_hh_l0".into(), tensor(&[9]))),
            "`encoder.gru.weight_hh_l0` has shape [9]: expected a matrix",
        ),
        (
            |c| drop(c.named.insert("encoder.gru.weight_hh_l0".into(), tensor(&[0, 0]))),
            "`encoder.gru.weight_hh_l0` has shape [0, 0]",
        ),
        (
            |c| drop(c.named.insert("encoder.gru.weight_ih_l1".into(), tensor(&[9, 2]))),
            "`encoder.gru.weight_ih_l1` has shape [9, 2]: expected [9, 3]",
        ),
        (
            |c| drop(c.named.insert("encoder.gru.weight_ih_l18446744073709551615".into(), tensor(&[9, 2]))),
            "layers are missing",
        ),
        (
            |c| drop(c.named.insert("encoder.gru.weight_hr_l0".into(), tensor(&[9, 2]))),
            "`encoder.gru.weight_hr_l0`: projected LSTMs",
        ),
        (|c| drop(c.named.insert("encoder.gru.weight_hh".into(), tensor(&[9, 3]))), "some names have a layer"),
        (
            |c| {
                let bad = TensorData::F64(vec![0.5, 0.5, f64::NAN, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
                c.named.insert("encoder.gru.bias_hh_l0".into(), Tensor::new(vec![9], bad).unwrap());
            },
            "`encoder.gru.bias_hh_l0` of shape [9] holds NaN at flat index 2",
        ),
    ];
    for (change, message) in cases {
        let mut content = gru();
        change(&mut content);
        let error = through_file(&content, &Reading::default()).unwrap_err();
        assert!(matches!(error, Error::Format { .. }) && error.to_string().contains(message), "{error}");
    }
}

#[test]
fn what_is_written_reads_back_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    for (kind, layers, bidirectional, bias, form) in [
        (Kind::Lstm, 2, true, true, Form::Layers),
        (Kind::Gru, 1, false, false, Form::Layers),
        (Kind::Rnn(Activation::Tanh), 1, false, true, Form::Cell),
    ] {
        let shape = Layers { kind, layers, hidden: 3, inputs: 2, bidirectional };
        let mut params = numbers(shape.param_count::<f64>());
        if !bias {
            params[45..].fill(0.0);
        }
        write(&path, &shape, &params, "a.b.", form, bias).unwrap();
        let loaded = read(&path, &Reading::default()).unwrap();
        assert_eq!((loaded.layers, loaded.bias, loaded.form), (shape, bias, form));
        assert_eq!(loaded.params, params);
        let single: Vec<f32> = params.iter().map(|&x| x as f32).collect();
        write(&path, &shape, &single, "", form, bias).unwrap();
        assert_eq!(read(&path, &Reading::default()).unwrap().params, params);
    }
}

#[test]
fn what_pytorch_has_no_module_for_is_not_written() {
    let path = Path::new("never");
    let shape = Layers { kind: Kind::ClassicGru, layers: 1, hidden: 3, inputs: 2, bidirectional: false };
    let params = numbers(Component::<f64>::param_count(&shape.cell(0)));
    assert!(write(path, &shape, &params, "", Form::Layers, true).is_err());
    let shape = Layers { kind: Kind::Gru, ..shape };
    assert!(write(path, &shape, &params[1..], "", Form::Layers, true).is_err());
    assert!(write(path, &shape, &params, "", Form::Layers, false).is_err());
    let shape = Layers { bidirectional: true, ..shape };
    assert!(write(path, &shape, &numbers(2 * params.len()), "", Form::Cell, true).is_err());
    assert!(!path.exists());
}
