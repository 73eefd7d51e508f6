//! Runs that are killed, interrupted and resumed.
#![cfg(unix)]

use serde_json::Value;
use std::fs;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

mod kit;
use kit::{FIT_FILES, Folder, flowmap, message, program, root};

/// Starts a fit and waits until its first checkpoint is there.
fn started(folder: &Folder, out: &str, epochs: &str) -> Child {
    let mut command = Command::new(program());
    command.current_dir(folder.path(".")).arg("fit").arg(root().join("data/lynx_hare.csv"));
    command.args(["--epochs", epochs, "--checkpoint-every", "0.02", "--out", out, "--quiet"]);
    let mut child = command.spawn().unwrap();
    let patience = Instant::now() + Duration::from_secs(20);
    while !folder.path(out).join("checkpoint.safetensors").exists() {
        assert!(Instant::now() < patience && child.try_wait().unwrap().is_none(), "the fit begins");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

#[test]
fn a_run_killed_at_any_moment_and_resumed_ends_in_the_same_bits() {
    let folder = Folder::new();
    let data = root().join("data/lynx_hare.csv");
    let fit = |out: &str, more: &[&str]| {
        let options = ["--epochs", "1500", "--checkpoint-every", "0.02", "--out", out];
        flowmap(&folder).arg("fit").arg(&data).args(options).args(more).assert().success()
    };
    fit("whole", &[]);
    for (epochs, out) in [(0, "a"), (200, "b"), (700, "c")] {
        let mut child = started(&folder, out, "1500");
        // By what is on disk, not by the clock: how fast a machine is must not matter.
        let log = folder.path(out).join("train.csv");
        let logged = || fs::read_to_string(&log).map_or(0, |text| text.lines().count().saturating_sub(1));
        while logged() < epochs && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!folder.path(out).join("metrics.json").exists(), "killed before its end, after {epochs} epochs");
        fit(out, &["--resume"]);
        for name in ["model.safetensors", "predictions.csv", "train.csv"] {
            assert_eq!(folder.bytes(&format!("whole/{name}")), folder.bytes(&format!("{out}/{name}")), "{name}");
        }
    }
    // Resuming what is finished writes the same again, and other settings are refused.
    let before = folder.bytes("whole/model.safetensors");
    assert!(message(&fit("whole", &["--resume"])).contains("finished already"));
    assert_eq!(folder.bytes("whole/model.safetensors"), before);
    let metrics = folder.read("whole/metrics.json");
    let options = ["--epochs", "1600", "--out", "whole", "--resume"];
    let other = flowmap(&folder).arg("fit").arg(&data).args(options).assert().code(2);
    assert!(message(&other).contains("other settings (training.epochs: 1500 then, 1600 now)"));
    assert_eq!(folder.read("whole/metrics.json"), metrics);
}

#[test]
fn ctrl_c_saves_the_best_model() {
    let folder = Folder::new();
    for signal in ["-INT", "-TERM"] {
        let mut child = started(&folder, "out", "1000000");
        std::thread::sleep(Duration::from_millis(300));
        let sent = Command::new("kill").arg(signal).arg(child.id().to_string()).status().unwrap();
        assert!(sent.success());
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert_eq!(folder.names("out"), FIT_FILES);
        let metrics: Value = serde_json::from_str(&folder.read("out/metrics.json")).unwrap();
        assert_eq!(metrics["stopped_because"], "interrupted");
        assert!(metrics["epochs"].as_u64().unwrap() > 0);
        fs::remove_dir_all(folder.path("out")).unwrap();
    }
}

#[test]
fn a_spectrum_killed_and_resumed_ends_in_the_same_bits() {
    let folder = Folder::new();
    let options =
        ["--system", "lorenz96", "--set", "n=10", "--steps", "40000", "--checkpoint-every", "0.01", "--quiet"];
    flowmap(&folder).arg("lyapunov").args(options).args(["--out", "whole"]).assert().success();
    let mut command = Command::new(program());
    command.current_dir(folder.path(".")).arg("lyapunov").args(options).args(["--out", "part"]);
    let mut child = command.spawn().unwrap();
    while !folder.path("part/checkpoint.safetensors").exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!folder.path("part/spectrum.json").exists());
    let other = ["--seed", "5", "--out", "part", "--resume"];
    let refused = flowmap(&folder).arg("lyapunov").args(options).args(other).assert().code(2);
    let told = message(&refused);
    assert!(told.contains("other settings (") && told.contains("seed: 0 then, 5 now"), "{told}");
    assert!(!told.contains("steps") && told.contains("or start afresh without --resume"), "{told}");
    // A damaged one tells what to do.
    fs::create_dir(folder.path("cut")).unwrap();
    let whole = folder.bytes("part/checkpoint.safetensors");
    fs::write(folder.path("cut/checkpoint.safetensors"), &whole[..whole.len() / 2]).unwrap();
    let cut = flowmap(&folder).arg("lyapunov").args(options).args(["--out", "cut", "--resume"]).assert().code(2);
    assert!(message(&cut).contains("start afresh without --resume"), "{}", message(&cut));
    flowmap(&folder).arg("lyapunov").args(options).args(["--out", "part", "--resume"]).assert().success();
    for name in ["spectrum.csv", "convergence.csv"] {
        assert_eq!(folder.bytes(&format!("whole/{name}")), folder.bytes(&format!("part/{name}")), "{name}");
    }
    assert!(!folder.path("part/checkpoint.safetensors").exists());
}
