//! `flowmap lyapunov` as a user meets it.

use serde_json::Value;
use std::fs;

mod kit;
use kit::{Folder, flowmap, message, root, short_fit};

fn spectrum(folder: &Folder, options: &[&str]) -> Value {
    let run = flowmap(folder).arg("lyapunov").args(options).args(["--out", "out", "--json"]).assert().success();
    let told: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    let kept: Value = serde_json::from_str(&folder.read("out/spectrum.json")).unwrap();
    assert_eq!(told["exponents"], kept["exponents"]);
    kept
}

fn numbers(value: &Value) -> Vec<f64> {
    let number = |x: &Value| match x.as_str() {
        Some("-inf") => f64::NEG_INFINITY,
        Some("inf") => f64::INFINITY,
        _ => x.as_f64().unwrap(),
    };
    value.as_array().unwrap().iter().map(number).collect()
}

fn check<'a>(spectrum: &'a Value, name: &str) -> &'a Value {
    spectrum["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()
}

#[test]
fn a_named_flow_has_every_file_and_field_and_its_checks_hold() {
    let folder = Folder::new();
    let options = ["--system", "lorenz63", "--steps", "100000", "--warmup", "10000", "--starts", "8"];
    let lorenz = spectrum(&folder, &options);
    assert_eq!(folder.names("out"), ["convergence.csv", "spectrum.csv", "spectrum.json", "spectrum.svg"]);
    for field in [
        "source",
        "state_dimension",
        "exponents",
        "standard_errors",
        "status",
        "unit",
        "steps",
        "warmup",
        "qr_every",
        "kaplan_yorke_dimension",
        "ks_entropy",
        "sum",
        "sum_expected",
        "checks",
        "seed",
    ] {
        assert!(lorenz.get(field).is_some_and(|v| !v.is_null()), "{field}");
    }
    let (found, errors) = (numbers(&lorenz["exponents"]), numbers(&lorenz["standard_errors"]));
    for (i, known) in [0.9057, 0.0, -14.5724].into_iter().enumerate() {
        assert!((found[i] - known).abs() < 3.0 * errors[i] + 0.002, "{found:?}");
    }
    assert_eq!(lorenz["unit"], "nats per unit of time");
    assert_eq!(lorenz["neutral"][1], true);
    assert!((lorenz["sum_expected"].as_f64().unwrap() + 41.0 / 3.0).abs() < 1e-12);
    assert!((lorenz["kaplan_yorke_dimension"].as_f64().unwrap() - 2.062).abs() < 0.002);
    let all = lorenz["checks"].as_array().unwrap();
    assert!(all.len() >= 6 && all.iter().all(|check| check["holds"] == true), "{all:#?}");
    let table = folder.read("out/spectrum.csv");
    assert_eq!(table.lines().count(), 4);
    assert!(folder.read("out/convergence.csv").lines().count() > 100);
    roxmltree::Document::parse(&folder.read("out/spectrum.svg")).unwrap();
}

#[test]
fn the_sum_of_a_real_net_is_its_identity_and_what_rounding_touches_is_marked() {
    let folder = Folder::new();
    let (weights, inputs) =
        (root().join("data/silero_vad_16k_lstm.safetensors"), root().join("data/silero_vad_16k_input_400.npy"));
    let (weights, inputs) = (weights.to_str().unwrap(), inputs.to_str().unwrap());
    let net = spectrum(&folder, &["--rnn", weights, "--inputs", inputs, "--warmup", "50"]);
    let (exponents, status) = (numbers(&net["exponents"]), net["status"].as_array().unwrap());
    assert_eq!((exponents.len(), status.len(), net["steps"].as_u64()), (256, 256, Some(350)));
    let (sum, expected) = (net["sum"].as_f64().unwrap(), net["sum_expected"].as_f64().unwrap());
    assert!((sum - expected).abs() <= 1e-6 * expected.abs(), "{sum} {expected}");
    assert_eq!(net["source"]["exponents"], "conditional");
    assert_eq!(net["unit"], "nats per step");
    assert!(exponents.windows(2).all(|pair| pair[0] >= pair[1]));
    // A step spreads no direction beyond rounding; fifty do, and then what is marked and what is not must be told apart.
    assert!(status.iter().all(|s| s == "resolved"));
    let rarely = spectrum(&folder, &["--rnn", weights, "--inputs", inputs, "--warmup", "50", "--qr-every", "50"]);
    let marks = rarely["status"].as_array().unwrap();
    let marked = marks.iter().filter(|s| *s == "below_precision").count();
    assert!((100..220).contains(&marked) && marks[200..].iter().all(|s| *s == "below_precision"), "{marked}");
    let errors = numbers(&rarely["standard_errors"]);
    for (i, x) in numbers(&rarely["exponents"]).iter().enumerate().filter(|(i, _)| marks[*i] == "resolved") {
        assert!((x - exponents[i]).abs() < 0.25 * errors[i] + 1e-6, "{i}: {x} {} {}", exponents[i], errors[i]);
    }
    assert!(check(&net, "leading exponent")["holds"] == true && check(&net, "jacobian")["holds"] == true, "{net:#?}");
    // Too many steps are an error, and nothing is written.
    let more = ["--rnn", weights, "--inputs", inputs, "--steps", "401", "--out", "other"];
    let refused = flowmap(&folder).arg("lyapunov").args(more).assert().code(2);
    assert!(message(&refused).contains("there are inputs for 400"), "{}", message(&refused));
    assert!(!folder.path("other").exists());
}

#[test]
fn stiff_and_superstable_systems_pass_their_own_checks() {
    let folder = Folder::new();
    for options in [&["--system", "robertson"][..], &["--system", "logistic", "--set", "r=2", "--steps", "20000"]] {
        let found = spectrum(&folder, options);
        let checks = found["checks"].as_array().unwrap();
        assert!(checks.len() >= 3 && checks.iter().all(|check| check["holds"] == true), "{checks:#?}");
    }
}

#[test]
fn directions_of_a_bidirectional_net_are_two_maps() {
    let folder = Folder::new();
    let (weights, inputs) =
        (root().join("data/nagisa_char_bilstm.safetensors"), root().join("data/nagisa_char_input.npy"));
    let (weights, inputs) = (weights.to_str().unwrap(), inputs.to_str().unwrap());
    let common = ["--rnn", weights, "--inputs", inputs, "--qr-every", "1"];
    let of = |direction: &str| {
        let net = spectrum(&folder, &[&common[..], &["--direction", direction]].concat());
        assert_eq!(net["source"]["direction"], direction);
        assert!(check(&net, "sum")["holds"] == true);
        numbers(&net["exponents"])
    };
    let (forward, backward) = (of("forward"), of("backward"));
    assert!(forward.len() == 32 && forward != backward);
    let both = ["--rnn", weights, "--inputs", inputs, "--inputs", inputs, "--direction", "forward", "--qr-every", "1"];
    let twice = spectrum(&folder, &both);
    let most = numbers(&twice["between_starts"]).into_iter().fold(0.0, f64::max);
    assert!(twice["starts"] == 2 && (numbers(&twice["exponents"])[0] - forward[0]).abs() < 0.05 && most > 0.0);
    let run = flowmap(&folder).arg("lyapunov").args(common).assert().code(2);
    assert!(message(&run).contains("choose --direction"), "{}", message(&run));
}

#[test]
fn an_autonomous_net_is_named_so_and_may_be_in_single_precision() {
    let folder = Folder::new();
    let weights = root().join("data/silero_vad_16k_lstm.safetensors");
    let options = ["--rnn", weights.to_str().unwrap(), "--exponents", "3", "--warmup", "100", "--steps", "200"];
    let wide = spectrum(&folder, &options);
    assert_eq!((&wide["source"]["exponents"], &wide["precision"]), (&"autonomous".into(), &"f64".into()));
    let narrow = spectrum(&folder, &[&options[..], &["--precision", "f32"]].concat());
    assert_eq!(narrow["precision"], "f32");
    let (a, b) = (numbers(&wide["exponents"]), numbers(&narrow["exponents"]));
    assert!((a[0] - b[0]).abs() < 1e-3, "{a:?} {b:?}");
}

#[test]
fn a_fitted_model_is_measured_in_the_time_of_its_data() {
    let folder = Folder::new();
    short_fit(&folder, &[]);
    fs::rename(folder.path("out"), folder.path("fit")).unwrap();
    let model = spectrum(&folder, &["--model", "fit", "--steps", "4000", "--starts", "1"]);
    assert_eq!(numbers(&model["exponents"]).len(), 2);
    assert!(check(&model, "sum")["holds"] == true && check(&model, "jacobian")["holds"] == true, "{model:#?}");
    assert_eq!(model["source"]["model"], "neural-ode");
}

#[test]
fn seeds_decide_threads_and_interruptions_do_not() {
    let folder = Folder::new();
    let of = |options: &[&str]| {
        let short = ["--system", "henon", "--steps", "4000", "--warmup", "100", "--starts", "20"];
        spectrum(&folder, &[&short[..], options].concat())["exponents"].clone()
    };
    assert_eq!(of(&["--threads", "1"]), of(&["--threads", "2"]));
    assert_ne!(of(&["--seed", "1"]), of(&["--seed", "2"]));
}

#[test]
fn delay_equations_and_flames_step_by_methods_of_their_own() {
    let folder = Folder::new();
    let short = ["--steps", "4000", "--warmup", "2000", "--starts", "1"];
    let glass = spectrum(&folder, &[&["--system", "mackey-glass", "--set", "steps=20"], &short[..]].concat());
    assert_eq!((glass["source"]["kind"].as_str(), numbers(&glass["exponents"]).len()), (Some("delay"), 6));
    let flame = spectrum(&folder, &[&["--system", "kuramoto-sivashinsky", "--exponents", "4"], &short[..]].concat());
    assert_eq!(flame["source"]["method"], "etdrk4");
    assert!(flame["kaplan_yorke_dimension"].is_null() && !flame["undefined"].as_array().unwrap().is_empty());
    let run = ["--system", "mackey-glass", "--at", "0:10:0.1"];
    flowmap(&folder).arg("simulate").args(run).assert().success();
    flowmap(&folder).arg("simulate").args(["--system", "mackey-glass", "--at", "0:10:0.07"]).assert().code(2);
}

#[test]
fn what_cannot_be_used_is_refused_with_nothing_written() {
    let folder = Folder::new();
    fs::write(folder.path("x.csv"), "a,b\n1,2\n").unwrap();
    fs::write(folder.path("bad.safetensors"), "no").unwrap();
    let weights = root().join("data/silero_vad_16k_lstm.safetensors");
    let weights = weights.to_str().unwrap();
    let inputs = root().join("data/silero_vad_16k_input_400.npy");
    let inputs = inputs.to_str().unwrap();
    for (options, expected) in [
        (&["--system", "lorenz"][..], "no system is called"),
        (&[], "required"),
        (&["--system", "henon", "--rnn", weights], "cannot be used with"),
        (&["--system", "henon", "--method", "rk4"], "steps of its own"),
        (&["--system", "lorenz63", "--method", "verlet"], "separable"),
        (&["--system", "lorenz63", "--step", "0"], "forward in time"),
        (
            &["--system", "lorenz63", "--step", "1e-300"],
            "rounding hides what it does; give a --step of 3.3e-12 or more",
        ),
        (&["--system", "henon", "--gates", "keras"], "--gates is for recurrent nets"),
        (&["--system", "lorenz63", "--exponents", "4"], "ask for 1 to 3"),
        (&["--system", "lorenz63", "--start", "1,2"], "--start has 2 numbers"),
        (&["--system", "henon", "--qr-every", "0"], "from 1 on"),
        (&["--system", "henon", "--target-error", "-1"], "positive"),
        (&["--rnn", "bad.safetensors"], "safetensors"),
        (&["--rnn", weights, "--inputs", "x.csv"], "it has 2 columns, the net takes 128 inputs"),
        (&["--rnn", weights, "--inputs", "none.npy"], "none.npy"),
        (&["--rnn", weights, "--h0", "x.csv"], "the state has 256"),
        (&["--rnn", weights, "--constant-input", "1,2"], "--constant-input has 2 numbers"),
        (&["--rnn", weights, "--inputs", inputs, "--warmup", "400"], "there are inputs for 400; take fewer"),
        (&["--rnn", weights, "--layer", "1"], "no layer 1"),
        (&["--rnn", weights, "--direction", "backward"], "one direction"),
        (&["--rnn", weights, "--feed-back", "readout"], "readout.weight"),
        (&["--model", "none"], "none"),
        (&["--system", "henon", "--resume"], "checkpoint"),
    ] {
        let run = flowmap(&folder).arg("lyapunov").args(options).args(["--out", "out"]).assert().code(2);
        assert!(message(&run).contains(expected), "{options:?}: {}", message(&run));
        assert!(!folder.path("out").exists(), "{options:?}");
    }
    // A start that escapes is a failure of the computation.
    let escaped = ["--system", "henon", "--start", "5,5", "--steps", "100"];
    let run = flowmap(&folder).arg("lyapunov").args(escaped).assert().code(1);
    assert!(message(&run).contains("begin elsewhere or with other parameters"), "{}", message(&run));
}

#[test]
fn a_flow_that_nothing_drives_is_autonomous_and_a_driven_one_conditional() {
    let folder = Folder::new();
    for (system, expected) in [("lorenz63", "autonomous"), ("duffing", "conditional"), ("henon", "autonomous")] {
        let options = ["--system", system, "--steps", "200", "--warmup", "10", "--starts", "1", "--json"];
        let run = flowmap(&folder).arg("lyapunov").args(options).assert().success();
        let report: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
        assert_eq!(report["source"]["exponents"], expected, "{system}");
    }
}
