//! `flowmap stability` as a user meets it.

use serde_json::Value;
use std::fs;

mod kit;
use kit::{Folder, flowmap, message, short_fit};

/// The rows of a run with these options, which `--json` tells too.
fn rows(folder: &Folder, options: &[&str]) -> Vec<Value> {
    let run = flowmap(folder).arg("stability").args(options).args(["--out", "out", "--json"]).assert().success();
    let told: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    let kept: Value = serde_json::from_str(&folder.read("out/stability.json")).unwrap();
    assert_eq!(told["rows"], kept["rows"]);
    kept["rows"].as_array().unwrap().clone()
}

fn row<'a>(rows: &'a [Value], method: &str, step: f64) -> &'a Value {
    rows.iter().find(|row| row["method"] == method && row["step"].as_f64() == Some(step)).unwrap()
}

#[test]
fn limits_of_the_pendulum_are_those_of_its_eigenvalues() {
    let folder = Folder::new();
    let methods = ["--methods", "euler,rk4,implicit-euler", "--steps", "0.05,0.052"];
    let rows = rows(&folder, &[&["--system", "pendulum"][..], &methods].concat());
    assert_eq!(rows.len(), 6);
    let (below, above) = (row(&rows, "euler", 0.05), row(&rows, "euler", 0.052));
    // −γ ± iω: explicit Euler is stable up to 2γ/(γ² + ω²) = damping · l / g.
    let exact = 0.5 / 9.81;
    assert!((below["predicted_limit"].as_f64().unwrap() / exact - 1.0).abs() < 1e-10);
    assert!((below["measured_limit"].as_f64().unwrap() / exact - 1.0).abs() < 1e-5);
    assert!(below["stable"] == true && above["stable"] == false && below["limit_kind"] == "rest_point");
    assert!(below["spectral_radius"].as_f64().unwrap() < 1.0 && above["spectral_radius"].as_f64().unwrap() > 1.0);
    let implicit = row(&rows, "implicit-euler", 0.05);
    assert!(implicit["predicted_limit"] == "inf" && implicit["measured_limit"] == "inf" && implicit["stable"] == true);
    let files = ["eigenvalues.csv", "stability.csv", "stability.json", "stability.svg", "trajectories.svg"];
    assert_eq!(folder.names("out"), files);
}

#[test]
fn a_users_matrix_is_stepped_and_what_explodes_is_told() {
    let folder = Folder::new();
    fs::write(folder.path("a.csv"), "x,y\n-1,0\n0,-100\n").unwrap();
    let rows = rows(&folder, &["--matrix", "a.csv", "--methods", "euler,kvaerno5", "--steps", "0.01,0.1"]);
    let exploded = row(&rows, "euler", 0.1);
    assert!((exploded["spectral_radius"].as_f64().unwrap() - 9.0).abs() < 1e-12 && exploded["stable"] == false);
    assert!((exploded["predicted_limit"].as_f64().unwrap() - 0.02).abs() < 1e-12);
    assert!(exploded["final_norm"].as_f64().is_none_or(|norm| norm > 1e6));
    assert!(row(&rows, "euler", 0.01)["final_norm"].as_f64().unwrap() < 0.01);
}

#[test]
fn where_nothing_attracts_the_limit_is_that_of_the_trajectory() {
    let folder = Folder::new();
    let rows = rows(&folder, &["--system", "van-der-pol", "--methods", "euler,rk4", "--span", "5"]);
    let limit = |method: &str| rows.iter().find(|r| r["method"] == method).unwrap()["measured_limit"].as_f64().unwrap();
    assert!(rows.iter().all(|row| row["limit_kind"] == "trajectory"));
    assert!(10.0 * limit("euler") < limit("rk4"));
}

#[test]
fn a_fitted_model_says_which_steps_are_safe() {
    let folder = Folder::new();
    short_fit(&folder, &[]);
    fs::rename(folder.path("out"), folder.path("fit")).unwrap();
    let rows = rows(&folder, &["--model", "fit", "--methods", "euler,rk4"]);
    for row in &rows {
        let kind = row["limit_kind"].as_str().unwrap();
        assert!(kind == "rest_point" || kind == "trajectory");
        assert!(row["measured_limit"].as_f64().is_none_or(|limit| limit > 0.0));
    }
}

#[test]
fn what_cannot_be_stepped_exits_2_and_writes_nothing() {
    let folder = Folder::new();
    for (name, text) in [("oblong.csv", "a,b\n1,2\n"), ("words.csv", "a,b\n1,2\n3,x\n"), ("empty.csv", "")] {
        fs::write(folder.path(name), text).unwrap();
    }
    for (options, told) in [
        (&["--system", "henon"][..], "no method steps it"),
        (&["--system", "lorentz"], "lorenz63"),
        (&["--system", "pendulum", "--methods", "verlet"], "separable"),
        (&["--system", "pendulum", "--methods", "eulr"], "choose one of"),
        (&["--system", "pendulum", "--methods", "euler", "--steps", "0.1,0"], "positive"),
        (&["--system", "pendulum", "--methods", "euler", "--steps", "1e-9"], "longer --steps"),
        (&["--system", "pendulum", "--span", "-1"], "positive"),
        (&["--system", "pendulum", "--start", "1"], "2 components"),
        (&["--matrix", "oblong.csv"], "square"),
        (&["--matrix", "words.csv"], "words.csv:3:b"),
        (&["--matrix", "empty.csv"], "empty.csv"),
        (&["--matrix", "nowhere.csv"], "nowhere.csv"),
        (&["--model", "nowhere"], "nowhere"),
        (&[], "--system"),
    ] {
        let run = flowmap(&folder).arg("stability").args(options).args(["--out", "out"]).assert().code(2);
        assert!(message(&run).contains(told), "{options:?}: {}", message(&run));
        assert!(!folder.path("out").exists(), "{options:?}");
    }
}
