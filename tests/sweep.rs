//! `flowmap sweep` as a user meets it.

use serde_json::Value;

mod kit;
use kit::{Folder, flowmap, message, program};
use std::process::Command;
use std::time::Duration;

const LOGISTIC: [&str; 4] = ["--system", "logistic", "--over", "r=3.3:4.02:400"];

#[test]
fn a_map_is_swept_with_every_file_and_field() {
    let folder = Folder::new();
    let run = flowmap(&folder).arg("sweep").args(LOGISTIC).args(["--out", "out", "--json"]).assert().success();
    assert_eq!(folder.names("out"), ["samples.csv", "sweep.csv", "sweep.json", "sweep.svg"]);
    let told: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    let kept: Value = serde_json::from_str(&folder.read("out/sweep.json")).unwrap();
    for field in ["source", "parameter", "values", "exponents", "unit", "steps", "warmup", "samples", "sampled", "seed"]
    {
        assert!(!kept[field].is_null() && kept[field] == told[field], "{field}");
    }
    assert_eq!((&kept["unit"], &kept["stopped_because"]), (&"nats per step".into(), &"values".into()));
    let table = folder.read("out/sweep.csv");
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!((rows.len(), rows[0]), (401, "r,exponent_1,standard_error_1,status_1,failure"));
    // The map escapes above 4: those rows are NaN with a reason, and counted.
    let failed: Vec<&&str> =
        rows.iter().filter(|row| row.contains(",nan,nan,failed,") && row.contains("beyond all bounds")).collect();
    assert!(!failed.is_empty() && kept["failures"] == failed.len(), "{kept}");
    assert!(failed.iter().all(|row| row.split(',').next().unwrap().parse::<f64>().unwrap() > 4.0));
    let second = 3.449_489_742_783_178;
    let zeros = kept["zero_crossings"].as_array().unwrap();
    assert!((zeros[0].as_f64().unwrap() - second).abs() < 2e-3, "{zeros:?}");
    assert_eq!(folder.read("out/samples.csv").lines().count(), 1 + 64 * (400 - failed.len()));
    roxmltree::Document::parse(&folder.read("out/sweep.svg")).unwrap();
}

#[test]
fn flows_are_sampled_at_maxima_and_threads_decide_nothing() {
    let folder = Folder::new();
    let options = ["--system", "lorenz63", "--over", "rho=10:200:12", "--steps", "4000", "--show", "z"];
    for (out, threads) in [("one", "1"), ("two", "2")] {
        let more = ["--threads", threads, "--out", out, "--quiet"];
        flowmap(&folder).arg("sweep").args(options).args(more).assert().success();
    }
    for name in ["sweep.csv", "samples.csv", "sweep.json", "sweep.svg"] {
        assert_eq!(folder.bytes(&format!("one/{name}")), folder.bytes(&format!("two/{name}")), "{name}");
    }
    assert!(folder.read("one/samples.csv").starts_with("rho,maxima of z\n"));
    let cut = ["--section", "z=9", "--show", "x", "--out", "cut", "--quiet"];
    flowmap(&folder).arg("sweep").args(&options[..6]).args(cut).assert().success();
    assert!(folder.read("cut/samples.csv").starts_with("rho,x at z = 9\n"));
}

#[cfg(unix)]
#[test]
fn a_sweep_killed_or_interrupted_and_resumed_ends_in_the_same_files() {
    let folder = Folder::new();
    let options = [&LOGISTIC[..], &["--checkpoint-every", "0", "--quiet"]].concat();
    flowmap(&folder).arg("sweep").args(&options).args(["--out", "whole"]).assert().success();
    for (out, signal) in [("killed", "-KILL"), ("asked", "-INT")] {
        // Slow enough to be stopped on the way, whatever the machine.
        let mut command = Command::new(program());
        command.current_dir(folder.path(".")).arg("sweep").args(&options).args(["--threads", "1", "--out", out]);
        let mut child = command.spawn().unwrap();
        while !folder.path(&format!("{out}/checkpoint.safetensors")).exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(Command::new("kill").arg(signal).arg(child.id().to_string()).status().unwrap().success());
        let ended = child.wait().unwrap();
        assert_eq!(ended.code(), if signal == "-INT" { Some(0) } else { None });
        assert!(folder.path(&format!("{out}/checkpoint.safetensors")).exists(), "stopped before its end");
        let seed = ["--seed", "5", "--out", out, "--resume"];
        let refused = flowmap(&folder).arg("sweep").args(&options).args(seed).assert().code(2);
        assert!(message(&refused).contains("other settings"), "{}", message(&refused));
        flowmap(&folder).arg("sweep").args(&options).args(["--out", out, "--resume"]).assert().success();
        for name in ["sweep.csv", "samples.csv", "sweep.json", "sweep.svg"] {
            assert_eq!(folder.bytes(&format!("whole/{name}")), folder.bytes(&format!("{out}/{name}")), "{name}");
        }
        assert!(!folder.path(&format!("{out}/checkpoint.safetensors")).exists());
    }
}

#[test]
fn what_cannot_be_used_is_refused_with_nothing_written() {
    let folder = Folder::new();
    let logistic = ["--system", "logistic"];
    for (options, expected) in [
        (&["--over", "r=1:2:5"][..], "required"),
        (&["--system", "logistic"], "required"),
        (&["--system", "logistics", "--over", "r=1:2:5"], "no system is called"),
        (&[&logistic[..], &["--over", "q=1:2:5"]].concat(), "no parameter `q`"),
        (&[&logistic[..], &["--over", "r=1:2"]].concat(), "KEY=FROM:TO:COUNT"),
        (&[&logistic[..], &["--over", "r=2:1:5"]].concat(), "give FROM below TO"),
        (&[&logistic[..], &["--over", "r=1:inf:5"]].concat(), "give FROM below TO"),
        (&[&logistic[..], &["--over", "r=-1e308:1e308:5"]].concat(), "give FROM below TO"),
        (&[&logistic[..], &["--over", "r=1:2:5", "--steps", "18446744073709551615"]].concat(), "take fewer"),
        (&[&logistic[..], &["--over", "r=1:2:1"]].concat(), "ask for 2 to"),
        (&[&logistic[..], &["--over", "r=1:2:100000000"]].concat(), "ask for 2 to"),
        (&[&logistic[..], &["--over", "r=1:1.000000000000001:50"]].concat(), "closer than numbers are"),
        (&[&logistic[..], &["--over", "r=1:2:1000000"]].concat(), "fewer --samples"),
        (&[&logistic[..], &["--over", "r=1:2:5", "--set", "r=3"]].concat(), "set twice"),
        (&[&logistic[..], &["--over", "r=1:2:5", "--method", "rk4"]].concat(), "steps of its own"),
        (&[&logistic[..], &["--over", "r=1:2:5", "--exponents", "2"]].concat(), "ask for 1 to 1"),
        (&[&logistic[..], &["--over", "r=1:2:5", "--show", "y"]].concat(), "no component `y`"),
        (&[&logistic[..], &["--over", "r=1:2:5", "--start", "1,2"]].concat(), "--start has 2 numbers"),
        (&[&logistic[..], &["--over", "r=1:2:5", "--steps", "0"]].concat(), "at least 1"),
        (&[&logistic[..], &["--over", "r=1:2:5", "--samples", "0"]].concat(), "give --samples of at least 1"),
        (&[&logistic[..], &["--over", "r=1:2:5", "--resume"]].concat(), "checkpoint"),
        (&["--system", "lorenz96", "--over", "n=4:8:5"], "a size or a seed"),
        (&["--system", "lorenz63", "--over", "rho=4:8:5", "--step", "-0.01"], "goes forward in time"),
        (&["--system", "lorenz63", "--over", "rho=4:8:5", "--step", "1e-300"], "rounding hides what it does"),
        (&["--system", "lorenz63", "--over", "rho=4:8:5", "--section", "q=1"], "no component `q`"),
        (&[&logistic[..], &["--over", "r=1:2:5", "--section", "x=0.5"]].concat(), "steps over planes"),
    ] {
        let run = flowmap(&folder).arg("sweep").args(options).args(["--out", "out"]).assert().code(2);
        assert!(message(&run).contains(expected), "{options:?}: {}", message(&run));
        assert!(!folder.path("out").exists(), "{options:?}");
    }
    // Nothing but failures is a failure of the computation; the table says why.
    let escaped = ["--over", "r=4.1:5:4", "--steps", "100", "--out", "escaped"];
    let run = flowmap(&folder).arg("sweep").args(logistic).args(escaped).assert().code(1);
    let told = message(&run);
    assert!(told.contains("at every value") && told.contains("begin elsewhere or with other parameters"), "{told}");
    assert!(!told.contains("integration") && !told.contains("field"), "{told}");
    assert_eq!(folder.read("escaped/sweep.csv").matches("beyond all bounds").count(), 4);
}
