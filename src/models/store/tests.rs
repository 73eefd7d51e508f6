use super::*;
use crate::nn::Activation;
use crate::series::scale::{ChannelScaling, Transform};

/// A small model with every kind of parameter.
fn fitted(encoder: usize) -> Fitted {
    let spec = ModelSpec {
        augment: 1,
        hidden: vec![3],
        activation: Activation::Tanh,
        periods: vec![1.5],
        time: true,
        encoder,
    };
    let channel = |name: &str, transform| ChannelScaling { name: name.into(), transform, mean: 0.1, deviation: 0.3 };
    let scaling = Scaling {
        time_origin: 1900.1,
        time_unit: 0.7,
        channels: vec![channel("a", Transform::Log), channel("b, \"c\"", Transform::Identity)],
    };
    let model = NeuralOde::new(&[true, false], &spec, scaling.time_origin, scaling.time_unit, 3.3).unwrap();
    let params: Vec<f64> = (0..model.param_count()).map(|i| ((i + 1) as f64).sin() * 0.1).collect();
    let anchor = |series, after| Anchor {
        series,
        after,
        time: 0.1 + after.max(0.0),
        known: 2.5,
        state: vec![0.1, 1.0 / 3.0, -0.0],
        offset: vec![0.7, 0.0],
    };
    Fitted {
        spec,
        scaling,
        span: 3.3,
        solver: SolverSpec { method: "tsit5".into(), rtol: 1e-4, atol: 1e-5, step: None, max_steps: 1000 },
        horizon: 7,
        conditioning: Conditioning { memory: 5, centred: vec![true, false], smoothing: vec![0.2, 0.0] },
        continuity: 0.5,
        params,
        noise: vec![
            Noise { floor: 0.25, growth: 0.0, freedom: 3.5 },
            Noise { floor: 1e-300, growth: 0.1, freedom: 1.0 },
        ],
        series: vec!["one".into(), "two ü".into()],
        anchors: vec![anchor(0, f64::NEG_INFINITY), anchor(0, 1.7), anchor(1, f64::NEG_INFINITY)],
    }
}

fn written(fitted: &Fitted) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    fitted.save(&path).unwrap();
    (folder, path)
}

#[test]
fn a_model_comes_back_bit_for_bit() {
    for encoder in [0, 2] {
        let before = fitted(encoder);
        let (_folder, path) = written(&before);
        let after = Fitted::load(&path).unwrap();
        // Debug output of f64 is the shortest that reads back the same, and shows the sign of zero.
        assert_eq!(format!("{before:?}"), format!("{after:?}"));
        let bytes = std::fs::read(&path).unwrap();
        after.save(&path).unwrap();
        assert_eq!(bytes, std::fs::read(&path).unwrap());
    }
}

#[test]
fn matrices_lie_row_by_row_under_their_own_names() {
    let model = fitted(0);
    let (_folder, path) = written(&model);
    let content = tensors::read(&path).unwrap();
    let name = "readout.weight";
    let spec = model.model().unwrap();
    let at: usize = spec.params().iter().take_while(|p| p.name != name).map(ParamSpec::len).sum();
    let matrix = &content.named[name];
    assert_eq!(matrix.shape(), [2, 3]);
    // Row 1, column 2 of a matrix that is stored column by column in memory.
    assert_eq!(matrix.to_f64()[3 + 2], model.params[at + 2 * 2 + 1]);
}

#[test]
fn a_file_cut_short_anywhere_is_a_format_error_that_says_what_to_do() {
    let (_folder, path) = written(&fitted(2));
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = Fitted::load(&path).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{length}: {error}");
        let text = error.to_string();
        assert!(text.contains("model.safetensors: ") && text.contains("flowmap fit"), "{text}");
    }
}

#[test]
fn changed_tensors_and_headers_are_refused_by_name() {
    let (_folder, path) = written(&fitted(0));
    let whole = tensors::read(&path).unwrap();
    let header = whole.metadata[Fitted::HEADER].clone();
    let refused = |content: &Tensors, expected: &str| {
        tensors::write(&path, content).unwrap();
        let error = Fitted::load(&path).unwrap_err();
        assert!(matches!(error, Error::Format { .. }) && error.to_string().contains(expected), "{error}: {expected}");
    };
    let tensor = |shape: &[usize], numbers: Vec<f64>| Tensor::new(shape.to_vec(), TensorData::F64(numbers)).unwrap();
    for (name, changed, expected) in [
        ("noise.floor", tensor(&[2], vec![f64::NAN, 1.0]), "`noise.floor` holds NaN"),
        ("noise.floor", tensor(&[1], vec![1.0]), "`noise.floor` has shape [1] instead of [2]"),
        ("noise.growth", tensor(&[2], vec![-1.0, 1.0]), "`noise.growth` is under 0"),
        ("readout.weight", tensor(&[3, 2], vec![0.0; 6]), "`readout.weight` has shape [3, 2]"),
        ("anchors.series", tensor(&[3], vec![0.0, 0.0, 2.0]), "holds 2, which is no series"),
        ("anchors.series", tensor(&[3], vec![0.0, 0.5, 1.0]), "holds 0.5, which is no series"),
        ("anchors.series", tensor(&[0, usize::MAX], vec![]), "shape"),
        ("anchors.after", tensor(&[3], vec![f64::NAN; 3]), "not a time"),
        ("anchors.offset", tensor(&[3, 3], vec![0.0; 9]), "`anchors.offset` has shape [3, 3]"),
    ] {
        let mut content = whole.clone();
        content.named.insert(name.into(), changed);
        refused(&content, expected);
    }
    for (from, to, expected) in [
        ("\"version\":1", "\"version\":2", "version 2"),
        ("\"horizon\":7", "\"horizon\":0", "out of range"),
        ("\"time_unit\":0.7", "\"time_unit\":0.0", "out of range"),
        ("\"hidden\":[3]", "\"hidden\":[4]", "shape"),
        ("\"hidden\":[3]", "\"hidden\":[9223372036854775807,9223372036854775807]", "too large"),
        ("\"hidden\":[3]", "\"hidden\":[60000,60000]", "too large"),
        ("\"method\":\"tsit5\"", "\"method\":\"no\"", "no method"),
        ("\"centred\":[true,false]", "\"centred\":[true]", "disagrees with itself"),
        ("\"span\":3.3", "\"span\":null", "damaged"),
        ("\"model\":\"neural-ode\"", "\"model\":\"cde\"", "kind `cde`"),
    ] {
        assert!(header.contains(from), "{from} is in {header}");
        let mut content = whole.clone();
        content.metadata.insert(Fitted::HEADER.into(), header.replace(from, to));
        refused(&content, expected);
    }
    let mut foreign = whole.clone();
    foreign.metadata.clear();
    refused(&foreign, "no model of this program");
    let mut missing = whole.clone();
    missing.named.remove("noise.floor");
    refused(&missing, "`noise.floor` is missing");
}
