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
fn an_implicit_step_without_a_solution_does_not_explode() {
    let folder = Folder::new();
    let options = ["--system", "lorenz63", "--methods", "implicit-euler", "--steps", "0.1,1", "--out", "out"];
    let run = flowmap(&folder).arg("stability").args(options).assert().success();
    let told = message(&run);
    assert!(told.contains("unsolved") && !told.contains("explodes"), "{told}");
    assert!(folder.read("out/stability.csv").lines().nth(1).unwrap().ends_with("trajectory,nan"));
    assert!(folder.read("out/trajectories.svg").contains("end at a step without a solution"));
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
fn what_only_turns_explodes_under_euler_at_any_step() {
    let folder = Folder::new();
    fs::write(folder.path("a.csv"), "x,y\n0,2\n-2,0\n").unwrap();
    let rows = rows(&folder, &["--matrix", "a.csv", "--methods", "euler,rk4"]);
    let predicted = |method: &str| rows.iter().find(|r| r["method"] == method).unwrap()["predicted_limit"].as_f64();
    // RK4's region reaches up to 2√2 i.
    assert_eq!(predicted("euler"), Some(0.0));
    assert!((predicted("rk4").unwrap() - 2f64.sqrt()).abs() < 1e-9, "{rows:#?}");
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
fn a_matrix_is_measured_as_well_as_it_is_predicted() {
    let folder = Folder::new();
    for (name, text, euler) in [
        ("one.csv", "a\n-1\n", 2.0),
        ("defective.csv", "a,b\n-1,1\n0,-1\n", 2.0),
        ("transient.csv", "a,b\n-1,1e6\n0,-1\n", 2.0),
    ] {
        fs::write(folder.path(name), text).unwrap();
        let rows = rows(&folder, &["--matrix", name, "--methods", "euler,rk4,implicit-euler", "--steps", "1.9,2.1"]);
        for (method, step, limit) in [("euler", 1.9, euler), ("rk4", 1.9, 2.785293563405282)] {
            let row = row(&rows, method, step);
            for key in ["predicted_limit", "measured_limit"] {
                let found = row[key].as_f64().unwrap();
                assert!((found / limit - 1.0).abs() < 1e-7, "{name} by {method}: {key} {found}");
            }
            assert!(row["stable"] == true && row["limit_kind"] == "rest_point");
        }
        assert_eq!(row(&rows, "euler", 2.1)["stable"], false);
        assert_eq!(row(&rows, "implicit-euler", 2.1)["measured_limit"], "inf");
    }
}

#[test]
fn rates_far_apart_show_both_their_scales() {
    let folder = Folder::new();
    fs::write(folder.path("a.csv"), "a,b\n-1e8,0\n0,-1e-4\n").unwrap();
    let rows = rows(&folder, &["--matrix", "a.csv", "--methods", "euler,implicit-euler"]);
    let report: Value = serde_json::from_str(&folder.read("out/stability.json")).unwrap();
    assert_eq!(report["rest_points"][0]["nature"], "stable node");
    // Until the slow rate has come down, by steps of both rates.
    assert!((report["span"].as_f64().unwrap() / 5e4 - 1.0).abs() < 1e-9);
    let step = |row: &Value| row["step"].as_f64().unwrap();
    assert!(rows.iter().any(|row| step(row) < 2e-8) && rows.iter().any(|row| step(row) > 100.0));
    for row in &rows {
        let limit = if row["method"] == "euler" { 2e-8 } else { f64::INFINITY };
        assert!(row["measured_limit"].as_f64().is_none_or(|found| (found / limit - 1.0).abs() < 1e-6), "{row}");
        assert_eq!(row["stable"], step(row) < limit, "{row}");
        // e⁻⁵ is left of the slow one, to the accuracy of the steps.
        let left = row["final_norm"].as_f64();
        assert_eq!(left.is_some(), step(row) < limit, "{row}");
        assert!(left.is_none_or(|left| (left / (-5f64).exp() - 1.0).abs() < 0.3), "{row}");
    }
}

#[test]
fn steps_beyond_all_bounds_are_judged_by_the_stability_function() {
    let folder = Folder::new();
    for source in [["--system", "pendulum"], ["--system", "stiff-linear"]] {
        let methods = "euler,rk4,dop853,implicit-euler,kvaerno5";
        let rows = rows(&folder, &[&source[..], &["--methods", methods, "--steps", "1e60,1e300"]].concat());
        for row in &rows {
            let implicit = ["implicit-euler", "kvaerno5"].contains(&row["method"].as_str().unwrap());
            assert_eq!(row["stable"], implicit, "{row}");
            assert!(row["spectral_radius"].as_f64().is_none_or(|radius| (radius < 1.0) == implicit), "{row}");
            assert_ne!(row["spectral_radius"], "nan", "{row}");
        }
    }
}

#[test]
fn a_matrix_that_does_not_see_a_direction_rests_along_it_and_bounds_no_step() {
    let folder = Folder::new();
    for (text, free) in [("a,b\n0,0\n0,0\n", 2), ("a,b\n0,1\n0,0\n", 1), ("a,b\n-1,0\n0,0\n", 1)] {
        fs::write(folder.path("a.csv"), text).unwrap();
        let options = ["stability", "--matrix", "a.csv", "--methods", "rk4", "--out", "out"];
        let told = message(&flowmap(&folder).args(options).assert().success());
        let report: Value = serde_json::from_str(&folder.read("out/stability.json")).unwrap();
        let points = report["rest_points"].as_array().unwrap();
        assert_eq!(points.len(), 1, "{text}: {points:?}");
        assert_eq!((&points[0]["free_dimensions"], &points[0]["nature"]), (&free.into(), &"marginal".into()), "{text}");
        assert!(told.contains(if free == 1 { "on a line of such points" } else { "of 2 dimensions" }), "{told}");
        let row = &report["rows"][0];
        if free == 2 {
            // A step of any length stands still, so the whole span is no more than a lower bound.
            assert_eq!((&row["limit_at_least"], &row["measured_limit"]), (&true.into(), &report["span"]));
            assert!(told.contains("at least 1") && folder.read("out/stability.svg").contains("at least 1"), "{told}");
            assert!(folder.read("out/stability.csv").lines().nth(1).unwrap().contains(",true,trajectory,"));
        }
    }
}

#[test]
fn steps_and_methods_given_twice_are_told_once() {
    let folder = Folder::new();
    let asked = ["--methods", "rk4,euler,rk4", "--steps", "0.1,0.02,0.1,1e-1"];
    let rows = rows(&folder, &[&["--system", "pendulum"][..], &asked].concat());
    let told: Vec<_> =
        rows.iter().map(|row| (row["method"].as_str().unwrap(), row["step"].as_f64().unwrap())).collect();
    assert_eq!(told, [("rk4", 0.1), ("rk4", 0.02), ("euler", 0.1), ("euler", 0.02)]);
}

#[test]
fn small_displacements_of_a_fitted_model_decay_below_the_limit_and_grow_above() {
    let folder = Folder::new();
    let data = kit::root().join("data/lynx_hare.csv");
    let fit = ["--holdout", "0.2", "--epochs", "300", "--out", "fit"];
    flowmap(&folder).arg("fit").arg(data).args(fit).assert().success();
    let whole = rows(&folder, &["--model", "fit", "--methods", "euler,rk4"]);
    let report: Value = serde_json::from_str(&folder.read("out/stability.json")).unwrap();
    let attracting = |point: &&Value| point["nature"].as_str().unwrap().starts_with("stable");
    let rest = report["rest_points"].as_array().unwrap().iter().find(attracting).unwrap();
    let state: Vec<f64> = rest["state"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    let moved = 1e-4;
    let start = format!("--start={},{}", state[0] + moved, state[1]);
    for method in ["euler", "rk4"] {
        let limits = whole.iter().find(|row| row["method"] == method).unwrap();
        assert_eq!(limits["limit_kind"], "rest_point");
        let measured = limits["measured_limit"].as_f64().unwrap();
        assert!((measured / limits["predicted_limit"].as_f64().unwrap() - 1.0).abs() < 1e-6);
        for share in [0.99, 1.01] {
            let step = share * measured;
            let stepped = |span: f64| {
                let (step, span) = (step.to_string(), span.to_string());
                let options = ["--model", "fit", "--methods", method, "--steps", &step, "--span", &span, &start];
                rows(&folder, &options).remove(0)
            };
            let radius = stepped(step)["spectral_radius"].as_f64().unwrap();
            assert_eq!(radius < 1.0, share < 1.0);
            // Long enough for a growth or decay by e⁵.
            let end = stepped((5.0 / radius.ln().abs()).ceil() * step)["final_norm"].as_f64().unwrap();
            assert!(if share < 1.0 { end < 0.2 * moved } else { end > 5.0 * moved }, "{method} at {step}: {end}");
        }
    }
}

#[test]
fn what_cannot_be_stepped_exits_2_and_writes_nothing() {
    let folder = Folder::new();
    for (name, text) in [
        ("oblong.csv", "a,b\n1,2\n"),
        ("words.csv", "a,b\n1,2\n3,x\n"),
        ("empty.csv", ""),
        ("nan.csv", "a,b\n1,2\nNaN,4\n"),
        ("ragged.csv", "a,b\n1,2\n3\n"),
        ("tiny.csv", "a\n-5e-324\n"),
    ] {
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
        (&["--matrix", "empty.csv"], "empty.csv: the file is empty; give it a line of names"),
        (&["--matrix", "nan.csv"], "nan.csv:3:a: `NaN` is not a finite number; give a finite number in every cell"),
        (&["--matrix", "ragged.csv"], "ragged.csv:3:b: the row is too short"),
        (&["--matrix", "tiny.csv"], "tiny.csv: its largest number is 5e-324"),
        (&["--system", "pendulum", "--start", "1e300,0"], "--start holds 1e300, too large"),
        (&["--system", "pendulum", "--start", "NaN,0"], "--start holds NaN"),
        (&["--system", "pendulum", "--span", "1e12"], "shorter --span"),
        // Before anything is read or computed.
        (&["--model", "nowhere", "--steps", "0.1,0"], "--steps holds 0"),
        (&["--model", "nowhere", "--steps", "nan"], "--steps holds NaN"),
        (&["--model", "nowhere", "--span", "inf"], "--span is inf"),
        (&["--model", "nowhere", "--start", "inf"], "--start holds inf"),
        (&["--matrix", "nowhere.csv"], "nowhere.csv"),
        (&["--model", "nowhere"], "nowhere"),
        (&[], "--system"),
    ] {
        let run = flowmap(&folder).arg("stability").args(options).args(["--out", "out"]).assert().code(2);
        assert!(message(&run).contains(told), "{options:?}: {}", message(&run));
        assert!(!folder.path("out").exists(), "{options:?}");
    }
}
