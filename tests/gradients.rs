//! `flowmap gradients` as a user meets it.

use serde_json::Value;

mod kit;
use kit::{Folder, flowmap, message, root, short_fit};

const FILES: [&str; 3] = ["gradients.csv", "gradients.json", "gradients.svg"];

fn gradients(folder: &Folder, options: &[&str]) -> Value {
    let run = flowmap(folder).arg("gradients").args(options).args(["--out", "grad", "--json"]).assert().success();
    let told: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    let kept: Value = serde_json::from_str(&folder.read("grad/gradients.json")).unwrap();
    assert_eq!((&told["lags"], &told["horizon"]), (&kept["lags"], &kept["horizon"]));
    assert_eq!(folder.names("grad"), FILES);
    roxmltree::Document::parse(&folder.read("grad/gradients.svg")).unwrap();
    kept
}

fn numbers(value: &Value) -> Vec<f64> {
    let number = |x: &Value| match x.as_str() {
        Some("-inf") => f64::NEG_INFINITY,
        Some(other) => panic!("{other}"),
        None => x.as_f64().unwrap(),
    };
    value.as_array().unwrap().iter().map(number).collect()
}

fn data(name: &str) -> String {
    root().join("data").join(name).to_str().unwrap().into()
}

/// Whether the rates agree within 5 % or 0.005 nats a step.
fn rates_agree(found: &Value) -> bool {
    let [measured, predicted] =
        ["measured_rate_per_step", "predicted_rate_per_step"].map(|rate| found[rate].as_f64().unwrap());
    (measured - predicted).abs() <= (0.05 * predicted.abs()).max(0.005)
}

#[test]
fn a_real_net_loses_its_gradient_at_the_rate_of_its_exponent() {
    let folder = Folder::new();
    let (weights, inputs) = (data("silero_vad_16k_lstm.safetensors"), data("silero_vad_16k_input_400.npy"));
    let options = ["--rnn", &weights, "--inputs", &inputs, "--warmup", "50"];
    let net = gradients(&folder, &options);
    assert!(rates_agree(&net), "{} {}", net["measured_rate"], net["predicted_rate"]);
    assert_eq!((net["steps"].as_u64(), net["unit"].as_str()), (Some(350), Some("nats per step")));
    assert_eq!((net["threshold"].as_f64(), net["horizon_kind"].as_str()), (Some(1e-3), Some("extrapolated")));
    assert!(net["horizon"].as_f64().unwrap() > 262.0);
    let lags = numbers(&net["lags"]);
    assert_eq!((lags.len(), lags[0], lags[261]), (262, 1.0, 262.0));
    let (max, min) = (numbers(&net["log_singular_max"]), numbers(&net["log_singular_min"]));
    assert!(max.iter().zip(&min).all(|(max, min)| max > min));
    let rank = numbers(&net["effective_rank"]);
    assert!(rank.iter().all(|rank| (1.0..=256.0).contains(rank)) && rank[261] < 0.1 * rank[0]);
    assert_eq!(folder.read("grad/gradients.csv").lines().count(), 263);
    // The rate that leads to the horizon is as small as its error: beside it stands what the exponent says.
    assert_eq!(net["horizon_by_exponent"], "inf");
    // The smallest value falls to e⁻³⁶⁵⁰, and the others can be read all the same.
    assert!(min[261] < -3000.0 && folder.read("grad/gradients.svg").contains("down to 2e-16 of the largest"));
}

#[test]
fn both_directions_of_a_bidirectional_net_are_measured_unless_one_is_named() {
    let folder = Folder::new();
    let (weights, inputs) = (data("nagisa_char_bilstm.safetensors"), data("nagisa_char_input.npy"));
    let both = gradients(&folder, &["--rnn", &weights, "--inputs", &inputs, "--lags", "30"]);
    assert_eq!(both["source"]["direction"], "forward");
    assert_eq!(both["backward"]["source"]["direction"], "backward");
    assert_ne!(both["backward_norms"], both["backward"]["backward_norms"]);
    assert_eq!(folder.read("grad/gradients.csv").lines().count(), 61);
    for direction in ["forward", "backward"] {
        let options = ["--rnn", &weights, "--inputs", &inputs, "--lags", "30", "--direction", direction];
        let one = gradients(&folder, &options);
        let same = if direction == "forward" { &both } else { &both["backward"] };
        assert_eq!(one["backward_norms"], same["backward_norms"]);
        assert!(one.get("backward").is_none());
    }
    assert!(rates_agree(&both["backward"]), "{both:#}");
    // From the horizon on every norm is below the threshold, and the one before is not.
    let (horizon, norms) =
        (both["backward"]["horizon"].as_f64().unwrap(), numbers(&both["backward"]["backward_norms"]));
    assert_eq!(both["backward"]["horizon_kind"], "measured");
    assert!(norms[horizon as usize - 1..].iter().all(|norm| *norm < 1e-3) && norms[horizon as usize - 2] >= 1e-3);
}

#[test]
fn a_named_flow_has_every_field_and_the_same_bits_on_any_number_of_threads() {
    let folder = Folder::new();
    let options = ["--system", "lorenz63", "--lags", "1000", "--seed", "7", "--starts", "3"];
    let lorenz = gradients(&folder, &options);
    for field in [
        "source",
        "lags",
        "backward_norms",
        "log_singular_max",
        "log_singular_min",
        "effective_rank",
        "predicted_rate",
        "measured_rate",
        "horizon",
        "horizon_time",
        "precision_horizon",
        "seed",
    ] {
        assert!(lorenz.get(field).is_some_and(|v| !v.is_null()), "{field}");
    }
    assert_eq!((lorenz["horizon"].as_str(), lorenz["horizon_kind"].as_str()), (Some("inf"), Some("never")));
    assert_eq!(lorenz["unit"], "nats per unit of time");
    assert!(rates_agree(&lorenz) && lorenz["measured_rate"].as_f64().unwrap() > 0.5);
    let table = folder.bytes("grad/gradients.csv");
    gradients(&folder, &[&options[..], &["--threads", "1"]].concat());
    assert_eq!(folder.bytes("grad/gradients.csv"), table);
}

#[test]
fn a_fitted_model_and_single_precision_are_measured_too() {
    let folder = Folder::new();
    short_fit(&folder, &[]);
    let model = gradients(&folder, &["--model", "out", "--lags", "50"]);
    assert_eq!((model["source"]["kind"].as_str(), model["state_dimension"].as_u64()), (Some("model"), Some(2)));
    let weights = data("silero_vad_16k_lstm.safetensors");
    let options = ["--rnn", &weights, "--precision", "f32", "--lags", "40", "--warmup", "20"];
    let net = gradients(&folder, &options);
    assert_eq!(net["precision"], "f32");
    assert!((net["precision_threshold"].as_f64().unwrap() - 2f64.powi(-23)).abs() < 1e-12);
}

#[test]
fn a_state_too_large_for_all_singular_values_says_so() {
    let folder = Folder::new();
    let few = ["--lags", "5", "--steps", "10", "--warmup", "10", "--starts", "1"];
    let large = gradients(&folder, &[&["--system", "lorenz96", "--set", "n=600"], &few[..]].concat());
    assert!(large["singular_values_missing"].as_str().unwrap().contains("600 dimensions"));
    assert!(["log_singular_max", "effective_rank"].iter().all(|field| large[field] == Value::Array(Vec::new())));
    assert_eq!(numbers(&large["backward_norms"]).len(), 5);
    assert!(!folder.read("grad/gradients.json").contains("nan"));
    assert!(folder.read("grad/gradients.csv").lines().skip(1).all(|row| row.ends_with(",,,,")));
    let small = gradients(&folder, &[&["--system", "lorenz96", "--set", "n=6"], &few[..]].concat());
    assert_eq!((&small["singular_values_missing"], numbers(&small["effective_rank"]).len()), (&Value::Null, 5));
}

#[test]
fn wrong_options_end_with_code_two_and_write_nothing() {
    let folder = Folder::new();
    let (weights, inputs) = (data("silero_vad_16k_lstm.safetensors"), data("silero_vad_16k_input_400.npy"));
    let net = ["--rnn", &weights, "--inputs", &inputs];
    for (options, said) in [
        (&[][..], "required"),
        (&["--system", "lorenz63", "--lags", "0"], "lags"),
        (&["--system", "lorenz63", "--lags", "10", "--steps", "5"], "do not fit"),
        (&["--system", "lorenz63", "--threshold", "2"], "between 0 and 1"),
        (&["--system", "lorenz63", "--threshold", "nan"], "between 0 and 1"),
        (&["--system", "lorenz63", "--lags", "1000000", "--cotangents", "1000"], "too many"),
        (&["--system", "lorenz63", "--lags", "10", "--steps", "10000000000"], "too many"),
        (&["--system", "lorenz63", "--steps", "18446744073709551615"], "too many"),
        (&["--system", "lorenz63", "--warmup", "18446744073709551615"], "no such step"),
        (&["--system", "lorenz"], "lorenz63"),
        (&[&net[..], &["--lags", "401"]].concat(), "there are inputs for 400"),
        (&[&net[..], &["--warmup", "400"]].concat(), "there are inputs for 0"),
        (&["--model", "missing"], "missing"),
        (&[&net[..], &["--steps", "0"]].concat(), "at least one lag"),
    ] {
        let run = flowmap(&folder).arg("gradients").args(options).args(["--out", "grad"]).assert().code(2);
        assert!(message(&run).contains(said), "{options:?}: {}", message(&run));
        assert!(!folder.path("grad").exists());
    }
    let far = ["--system", "henon", "--start", "1e9,1e9", "--out", "grad"];
    let run = flowmap(&folder).arg("gradients").args(far).assert().code(1);
    assert!(message(&run).contains("not finite"), "{}", message(&run));
    assert!(!folder.path("grad").exists());
}
