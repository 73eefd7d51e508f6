//! Points of rest and Poincaré sections by `flowmap simulate`.

mod kit;

use kit::{Folder, flowmap, message};
use serde_json::Value;

fn simulate(folder: &Folder, args: &[&str]) -> Value {
    let run = flowmap(folder).arg("simulate").args(args).arg("--json").assert().success();
    serde_json::from_slice(&run.get_output().stdout).unwrap()
}

fn table(folder: &Folder, name: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut table = csv::Reader::from_path(folder.path(&format!("out/simulate/{name}"))).unwrap();
    let header = table.headers().unwrap().iter().map(String::from).collect();
    (header, table.records().map(|row| row.unwrap().iter().map(String::from).collect()).collect())
}

#[test]
fn a_pendulum_hangs_at_rest_between_two_saddles() {
    let folder = Folder::new();
    let found = simulate(&folder, &["--system", "pendulum", "--portrait"]);
    assert_eq!(folder.names("out/simulate"), ["portrait.svg", "rest.csv", "trajectory.csv", "trajectory.svg"]);
    let (header, rows) = table(&folder, "rest.csv");
    assert_eq!(header[2..4], ["type", "residual"]);
    assert_eq!(rows.len(), found["rest"].as_array().unwrap().len());
    for (angle, nature) in [(0.0, "stable focus"), (std::f64::consts::PI, "saddle"), (-std::f64::consts::PI, "saddle")]
    {
        let near = |row: &&Vec<String>| (row[0].parse::<f64>().unwrap() - angle).abs() < 1e-9;
        assert_eq!(rows.iter().find(near).unwrap()[2], nature);
    }
    let svg = folder.read("out/simulate/portrait.svg");
    roxmltree::Document::parse(&svg).unwrap();
    assert!(svg.contains("stable focus") && svg.contains("saddle") && svg.contains("trajectory"));
}

#[test]
fn maps_have_portraits_too_and_the_plane_may_be_named() {
    let folder = Folder::new();
    let found = simulate(&folder, &["--system", "henon", "--at", "0:2000:1", "--portrait", "--plane", "y,x"]);
    let rest = found["rest"].as_array().unwrap();
    assert_eq!(rest.len(), 2);
    assert!(rest.iter().all(|point| point["nature"] == "saddle"));
    // x = (−(1−b) ± √((1−b)² + 4a)) / 2a with a = 1.4, b = 0.3.
    for sign in [1.0, -1.0] {
        let x = (-0.7 + sign * (0.49f64 + 5.6).sqrt()) / 2.8;
        assert!(rest.iter().any(|point| (point["state"][0].as_f64().unwrap() - x).abs() < 1e-12));
    }
    assert!(folder.read("out/simulate/portrait.svg").contains("states"));
}

#[test]
fn rosslers_passages_lie_on_the_plane_and_are_as_many_as_its_turns() {
    let folder = Folder::new();
    let args = ["--system", "rossler", "--at", "100:600:0.1", "--rtol", "1e-9", "--section", "y=0"];
    let found = simulate(&folder, &[&args[..], &["--crossing", "falling"]].concat());
    let (header, rows) = table(&folder, "section.csv");
    assert_eq!(header, ["time", "x", "y", "z"]);
    let number = |cell: &String| cell.parse::<f64>().unwrap();
    // One turn takes about 5.9.
    assert!((80..90).contains(&rows.len()) && found["passages"] == rows.len(), "{}", rows.len());
    let side = rows.iter().map(|row| number(&row[1]).signum()).collect::<Vec<f64>>();
    for row in &rows {
        assert!((100.0..=600.0).contains(&number(&row[0])) && number(&row[2]).abs() < 1e-9, "{row:?}");
    }
    assert!(side.iter().all(|s| *s == side[0]), "it falls through on one side of the axis alone");
    roxmltree::Document::parse(&folder.read("out/simulate/section.svg")).unwrap();
    let other = simulate(&folder, &args);
    let both = simulate(&folder, &[&args[..], &["--crossing", "either"]].concat());
    let count = |found: &Value| found["passages"].as_u64().unwrap();
    assert_eq!(count(&found) + count(&other), count(&both));
}

#[test]
fn what_has_no_plane_no_rest_or_no_passages_is_refused_and_nothing_is_written() {
    let folder = Folder::new();
    for (args, expected) in [
        (&["--system", "logistic", "--portrait"][..], "has 1 components"),
        (&["--system", "duffing", "--portrait"], "driven by time"),
        (&["--system", "mackey-glass", "--portrait"], "delay"),
        (&["--system", "lorenz63", "--portrait", "--plane", "x,w"], "no component `w`"),
        (&["--system", "lorenz63", "--portrait", "--plane", "x"], "two components"),
        (&["--system", "lorenz63", "--plane", "x,y"], "--portrait"),
        (&["--system", "lorenz63", "--section", "q=1"], "no component `q`"),
        (&["--system", "lorenz63", "--section", "x=inf"], "finite"),
        (&["--system", "lorenz63", "--section", "x=0", "--at", "5:5:1"], "no span"),
        (&["--system", "lorenz63", "--section", "x"], "COMPONENT=VALUE"),
        (&["--system", "lorenz63", "--crossing", "either"], "--section"),
        (&["--system", "henon", "--section", "x=0"], "steps over planes"),
        (&["--system", "lorenz63", "--section", "x=0", "--method", "ode-solvers-dopri5"], "another --method"),
    ] {
        let run = flowmap(&folder).arg("simulate").args(args).assert().code(2);
        assert!(message(&run).contains(expected), "{args:?}: {}", message(&run));
        assert!(!folder.path("out").exists());
    }
    // What runs away is searched around as far as it goes.
    let far = ["--system", "henon", "--start", "5,5", "--at", "0:50:1", "--portrait"];
    flowmap(&folder).arg("simulate").args(far).assert().code(1);
    assert_eq!(table(&folder, "rest.csv").1.len(), 2);
    // Where nothing passes the table is empty and says so.
    let found = simulate(&folder, &["--system", "lorenz63", "--section", "z=1000"]);
    assert_eq!((&found["passages"], table(&folder, "section.csv").1.len()), (&Value::from(0), 0));
}
