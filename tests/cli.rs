//! The program as a user meets it: messages, exit codes, files, and bits.

use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

mod kit;
use kit::{FIT_FILES, Folder, flowmap, message, program, root, short_fit};

#[test]
fn a_short_fit_writes_every_file_and_json_stays_alone_on_stdout() {
    let folder = Folder::new();
    let options = ["--holdout", "0.2", "--epochs", "30", "--out", "out", "--json", "--threads", "2"];
    let run = flowmap(&folder).arg("fit").arg(root().join("data/lynx_hare.csv")).args(options).assert().success();
    assert_eq!(folder.names("out"), FIT_FILES);
    let stdout: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    assert_eq!(stdout["out"], "out");
    let metrics: Value = serde_json::from_str(&folder.read("out/metrics.json")).unwrap();
    for field in [
        "model",
        "seed",
        "epochs",
        "train_mse_scaled",
        "test_mse",
        "test_mse_scaled",
        "test_interval_coverage",
        "baseline_mse_scaled",
        "wall_seconds",
        "parameters",
        "stopped_because",
    ] {
        assert!(metrics.get(field).is_some_and(|v| !v.is_null()), "{field}");
        assert_eq!(metrics[field], stdout[field], "{field}");
    }
    assert_eq!(metrics["test_mse"].as_object().unwrap().len(), 2);
    let table = folder.read("out/predictions.csv");
    let mut lines = table.lines();
    assert!(lines.next().unwrap().starts_with(
        "series_id,time,part,hare_thousand,hare_thousand_predicted,hare_thousand_low,hare_thousand_high,lynx_thousand,"
    ));
    assert_eq!(lines.clone().filter(|line| line.contains(",train,")).count(), 17);
    assert_eq!(lines.filter(|line| line.contains(",test,")).count(), 4);
    assert!(folder.read("out/train.csv").lines().count() >= 31);
    for name in ["out/fit.svg", "out/loss.svg"] {
        roxmltree::Document::parse(&folder.read(name)).unwrap();
    }
}

#[test]
fn without_hold_out_test_fields_are_null_and_quiet_says_nothing() {
    let folder = Folder::new();
    let options = ["--epochs", "3", "--quiet"];
    let run = flowmap(&folder).arg("fit").arg(root().join("data/lynx_hare.csv")).args(options).assert().success();
    assert!(run.get_output().stdout.is_empty() && run.get_output().stderr.is_empty());
    let metrics: Value = serde_json::from_str(&folder.read("out/fit/metrics.json")).unwrap();
    for field in ["test_mse", "test_mse_scaled", "test_interval_coverage", "baseline_mse_scaled"] {
        assert!(metrics[field].is_null(), "{field}");
    }
}

#[test]
fn an_output_folder_that_cannot_be_used_is_bad_input() {
    let folder = Folder::new();
    fs::write(folder.path("file"), "mine").unwrap();
    let mut places = vec!["file", "file/below"];
    if cfg!(target_os = "linux") {
        // Nobody may write there, not even an administrator.
        places.push("/proc/flowmap");
    }
    for out in places {
        let options = ["--epochs", "3", "--out", out];
        let run = flowmap(&folder).arg("fit").arg(root().join("data/lynx_hare.csv")).args(options).assert().code(2);
        let message = message(&run);
        assert!(message.contains("error: ") && message.contains("preparing the output folder"), "{message}");
    }
    assert_eq!(folder.read("file"), "mine");
}

#[test]
fn an_input_is_never_replaced_by_a_result() {
    let folder = Folder::new();
    fs::create_dir(folder.path("out")).unwrap();
    let text = "time,x\n1,2\n2,3\n3,1\n";
    fs::write(folder.path("out/train.csv"), text).unwrap();
    let run = flowmap(&folder).args(["fit", "out/train.csv", "--out", "out"]).assert().code(2);
    assert!(message(&run).contains("both read and written"));
    assert_eq!(folder.read("out/train.csv"), text);
}

#[test]
fn own_files_are_replaced_and_others_left_alone() {
    let folder = Folder::new();
    fs::create_dir(folder.path("out")).unwrap();
    fs::write(folder.path("out/metrics.json"), "old").unwrap();
    fs::write(folder.path("out/notes.txt"), "mine").unwrap();
    short_fit(&folder, &[]);
    assert_ne!(folder.read("out/metrics.json"), "old");
    assert_eq!(folder.read("out/notes.txt"), "mine");
    assert_eq!(folder.names("out").len(), FIT_FILES.len() + 1);
}

#[test]
fn options_win_over_the_file_and_the_file_over_what_suits_the_data() {
    let folder = Folder::new();
    let text = "seed = 4\n[training]\nepochs = 5\nrate = 0.5\n[model]\naugment = 2\n[split]\nholdout = 0.3\n";
    fs::write(folder.path("c.toml"), text).unwrap();
    short_fit(&folder, &["--config", "c.toml", "--augment", "1", "--period", "3.5,1", "--no-log"]);
    let config: toml::Table = folder.read("out/config.toml").parse().unwrap();
    assert_eq!(config["seed"].as_integer(), Some(4));
    assert_eq!(config["training"]["epochs"].as_integer(), Some(30));
    assert_eq!(config["training"]["rate"].as_float(), Some(0.5));
    assert_eq!(config["model"]["augment"].as_integer(), Some(1));
    assert_eq!(config["model"]["periods"].as_array().map(Vec::len), Some(2));
    assert_eq!(config["split"]["holdout"].as_float(), Some(0.3));
    assert_eq!(config["data"]["log"].as_array().map(Vec::len), Some(0));

    // The file that a fit wrote repeats it, bit for bit.
    let options = ["--config", "out/config.toml", "--out", "again"];
    flowmap(&folder).arg("fit").arg(root().join("data/lynx_hare.csv")).args(options).assert().success();
    assert_eq!(folder.bytes("out/model.safetensors"), folder.bytes("again/model.safetensors"));
    assert_eq!(folder.read("out/config.toml"), folder.read("again/config.toml"));
}

#[test]
fn weights_are_the_same_for_any_number_of_threads() {
    let folder = Folder::new();
    for (threads, out) in [("1", "one"), ("2", "two")] {
        let options = ["--holdout-series", "0.25", "--epochs", "2", "--threads", threads, "--out", out];
        flowmap(&folder).arg("fit").arg(root().join("data/hopper_mini.csv")).args(options).assert().success();
    }
    assert_eq!(folder.bytes("one/model.safetensors"), folder.bytes("two/model.safetensors"));
    assert_eq!(folder.read("one/predictions.csv"), folder.read("two/predictions.csv"));
}

#[test]
fn predictions_follow_the_times_asked_for_and_an_independent_solver_agrees() {
    let folder = Folder::new();
    short_fit(&folder, &["--holdout", "0.2"]);
    let predict = |more: &[&str]| {
        flowmap(&folder).args(["predict", "out", "--rtol", "1e-9", "--atol", "1e-9"]).args(more).assert().success();
        assert_eq!(folder.names("out/predict"), ["predictions.csv", "predictions.svg"]);
        let mut table = csv::Reader::from_path(folder.path("out/predict/predictions.csv")).unwrap();
        let header: Vec<String> = table.headers().unwrap().iter().map(String::from).collect();
        assert_eq!(header[..5], ["series_id", "time", "hare_thousand", "hare_thousand_low", "hare_thousand_high"]);
        let rows = table.records().map(|row| row.unwrap().iter().skip(1).map(|cell| cell.parse().unwrap()).collect());
        rows.collect::<Vec<Vec<f64>>>()
    };
    let ours = predict(&["--at", "1900:1920:0.5"]);
    assert_eq!(ours.len(), 41);
    let theirs = predict(&["--at", "1900:1920:0.5", "--method", "ode-solvers-dopri5"]);
    for (a, b) in ours.iter().flatten().zip(theirs.iter().flatten()) {
        approx::assert_relative_eq!(*a, *b, max_relative = 1e-6, epsilon = 1e-6);
    }
    let usual = predict(&[]);
    assert_eq!((usual.len(), usual[0][0], usual[199][0]), (200, 1916.0, 1920.0));

    fs::write(folder.path("times.csv"), "time\n1917\n1930.5\n").unwrap();
    assert_eq!(predict(&["--at-file", "times.csv"])[1][0], 1930.5);

    // Given all data as new data, the forecast starts from its last row.
    let data = root().join("data/lynx_hare.csv");
    assert_eq!(predict(&["--data", data.to_str().unwrap()])[0][0], 1920.0);
    fs::write(folder.path("new.csv"), "series_id,time,lynx_thousand,hare_thousand\nn,1,20,\nn,2,,30\nm,5,9,9\n")
        .unwrap();
    assert_eq!(predict(&["--data", "new.csv", "--at", "-1:7:1"]).len(), 18);
    fs::write(folder.path("times.csv"), "series_id,time\nm,6\n").unwrap();
    assert_eq!(predict(&["--data", "new.csv", "--at-file", "times.csv"]).len(), 1);
}

#[test]
fn a_trajectory_that_cannot_be_followed_is_code_1_with_the_part_before_it_written() {
    let folder = Folder::new();
    short_fit(&folder, &[]);
    // One step is never enough.
    let mut model = folder.bytes("out/model.safetensors");
    let key = b"max_steps";
    let from = model.windows(key.len()).position(|bytes| bytes == key).unwrap();
    let number = from + model[from..].iter().position(u8::is_ascii_digit).unwrap();
    let digits = model[number..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    model[number..number + digits].copy_from_slice(format!("{:>digits$}", 1).as_bytes());
    fs::write(folder.path("out/model.safetensors"), model).unwrap();
    let run = flowmap(&folder).args(["predict", "out", "--at", "1900:1950:1", "--json"]).assert().code(1);
    let told = message(&run);
    assert!(told.contains("error: series hudson_bay: ended at time 19"), "{told}");
    let report: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    assert_eq!(report["failures"][0]["series"], "hudson_bay");
    let table = folder.read("out/predict/predictions.csv");
    assert_eq!(table.lines().count(), 52);
    assert!(table.lines().last().unwrap().ends_with("1950,,,,,,"), "{table}");
}

/// The numbers of a written trajectory, row by row.
fn trajectory(folder: &Folder) -> (Vec<String>, Vec<Vec<f64>>) {
    let mut table = csv::Reader::from_path(folder.path("out/simulate/trajectory.csv")).unwrap();
    let header = table.headers().unwrap().iter().map(String::from).collect();
    let rows = table.records().map(|row| row.unwrap().iter().map(|cell| cell.parse().unwrap()).collect());
    (header, rows.collect())
}

#[test]
fn simulate_follows_named_flows_and_an_independent_solver_agrees() {
    let folder = Folder::new();
    let simulate = |more: &[&str]| {
        let options = ["--set", "sigma=9", "--start=-1,2,3", "--at", "0:2:0.5", "--rtol", "1e-10", "--atol", "1e-10"];
        let command = ["simulate", "--system", "lorenz63", "--json"];
        let run = flowmap(&folder).args(command).args(options).args(more).assert().success();
        assert_eq!(folder.names("out/simulate"), ["trajectory.csv", "trajectory.svg"]);
        let report: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
        (report, trajectory(&folder), message(&run))
    };
    let (report, (header, ours), told) = simulate(&[]);
    assert_eq!(header, ["time", "x", "y", "z"]);
    assert_eq!((ours.len(), &ours[0][..]), (5, &[0.0, -1.0, 2.0, 3.0][..]));
    assert!(report["failure"].is_null() && report["parameters"]["sigma"] == 9.0 && report["rows"] == 5, "{report}");
    assert!(told.contains("tsit5, rtol 1e-10") && told.contains("steps accepted"), "{told}");
    roxmltree::Document::parse(&folder.read("out/simulate/trajectory.svg")).unwrap();
    let (report, (_, theirs), _) = simulate(&["--method", "ode-solvers-dopri5"]);
    assert_eq!(report["method"], "ode-solvers-dopri5");
    for (a, b) in ours.iter().flatten().zip(theirs.iter().flatten()) {
        approx::assert_relative_eq!(*a, *b, max_relative = 1e-6, epsilon = 1e-6);
    }
}

#[test]
fn simulate_follows_maps_and_takes_times_from_a_file_and_the_seed_from_the_option() {
    let folder = Folder::new();
    fs::write(folder.path("t.csv"), "time\n2\n0\n").unwrap();
    let args = ["simulate", "--system", "logistic", "--start", "0.5", "--set", "r=2", "--at-file", "t.csv", "--quiet"];
    let run = flowmap(&folder).args(args).assert().success();
    assert!(run.get_output().stderr.is_empty());
    assert_eq!(trajectory(&folder), (vec!["time".into(), "x".into()], vec![vec![0.0, 0.5], vec![2.0, 0.5]]));

    let states = |seed: &[&str]| {
        let args = ["simulate", "--system", "rate-network", "--set", "n=5", "--at", "1:2:1"];
        flowmap(&folder).args(args).args(seed).assert().success();
        trajectory(&folder).1
    };
    assert_eq!(states(&["--seed", "3"]), states(&["--set", "seed=3"]));
    assert_ne!(states(&["--seed", "3"]), states(&[]));
}

#[test]
fn a_simulation_that_cannot_go_on_is_code_1_with_the_part_before_it_written() {
    let folder = Folder::new();
    for (options, rows) in [
        (&["--system", "henon", "--start", "5,5", "--at", "0:100:1"][..], 2..12),
        (&["--system", "logistic", "--max-steps", "7", "--at", "0:100:1"], 8..9),
        (&["--system", "lorenz63", "--max-steps", "20", "--at", "0:100:0.01"], 2..5000),
    ] {
        let run = flowmap(&folder).arg("simulate").args(options).arg("--json").assert().code(1);
        let report: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
        assert!(report["failure"]["time"].is_number() && report["failure"]["reason"].is_string(), "{report}");
        let written = trajectory(&folder).1;
        assert!(rows.contains(&written.len()) && report["rows"] == written.len(), "{options:?}: {}", written.len());
        let told = message(&run);
        assert!(told.contains("up to the failure") && told.contains(": ended at time "), "{told}");
        assert!(folder.read("out/simulate/trajectory.svg").contains("ended early"));
    }
}

#[test]
fn simulate_follows_a_fitted_model_from_known_and_given_starts() {
    let folder = Folder::new();
    short_fit(&folder, &[]);
    let at = ["--at", "1900:1904:2", "--json"];
    let simulate = |more: &[&str]| {
        let run = flowmap(&folder).args(["simulate", "--model", "out"]).args(at).args(more).assert().success();
        (serde_json::from_slice::<Value>(&run.get_output().stdout).unwrap(), trajectory(&folder).1)
    };
    let (report, known) = simulate(&[]);
    assert!(report["start_time"] == 1900.0 && report["rows"] == 3 && report["failure"].is_null(), "{report}");
    let start = known[0][1..].iter().map(f64::to_string).collect::<Vec<_>>().join(",");
    let (_, given) = simulate(&["--start", &start, "--method", "dop853", "--rtol", "1e-8", "--atol", "1e-8"]);
    for (a, b) in known.iter().flatten().zip(given.iter().flatten()) {
        approx::assert_relative_eq!(*a, *b, max_relative = 1e-2);
    }
    for bad in
        [&["--start", "1"][..], &["--start=-1,2"], &["--series", "x"], &["--start-time", "1910"], &["--set", "a=1"]]
    {
        flowmap(&folder).args(["simulate", "--model", "out"]).args(at).args(bad).assert().code(2);
    }
    flowmap(&folder).arg("simulate").assert().code(2);
}

#[test]
fn systems_lists_all_and_tells_of_each() {
    let folder = Folder::new();
    let output = |args: &[&str]| {
        let run = flowmap(&folder).arg("systems").args(args).assert().success();
        String::from_utf8_lossy(&run.get_output().stdout).into_owned()
    };
    let (list, all) = (output(&[]), output(&["--json"]));
    let all: Value = serde_json::from_str(&all).unwrap();
    let all = all["systems"].as_array().unwrap();
    assert_eq!(all.len(), 22);
    for system in all {
        let name = system["name"].as_str().unwrap();
        assert!(list.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}");
        assert!(output(&[name]).contains(system["source"].as_str().unwrap()));
    }
    let one: Value = serde_json::from_str(&output(&["lorenz63", "--json"])).unwrap();
    assert_eq!(one["references"][0]["exponents"][0]["value"], 0.9047);
    assert_eq!(one["sum_of_exponents"].as_f64(), Some(-41.0 / 3.0));
    assert!(folder.names(".").is_empty());
}

#[test]
fn inspect_tells_what_files_hold_and_writes_none() {
    let folder = Folder::new();
    short_fit(&folder, &[]);
    fs::create_dir(folder.path("empty")).unwrap();
    let before = folder.snapshot(".");
    let data = |name: &str| root().join("data").join(name).to_str().unwrap().to_string();
    let cases = [
        (data("macho_3stars.csv"), "data", "series", Some(3)),
        (data("nagisa_char_bilstm.safetensors"), "tensors", "numbers", None),
        ("out".into(), "model", "parameters", Some(1218)),
        ("out/model.safetensors".into(), "model", "parameters", Some(1218)),
        ("out/checkpoint.safetensors".into(), "tensors", "numbers", None),
    ];
    for (path, kind, field, expected) in cases {
        let run = flowmap(&folder).args(["inspect", &path, "--json"]).assert().success();
        let value: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
        assert_eq!(value["kind"], kind, "{path}");
        assert!(value[field].as_u64().is_some_and(|n| expected.unwrap_or(n) == n), "{path}: {}", value[field]);
        let text = flowmap(&folder).args(["inspect", &path]).assert().success();
        assert!(text.get_output().stdout.len() > 80, "{path}");
    }
    let net = flowmap(&folder).args(["inspect", &data("nagisa_char_bilstm.safetensors")]).assert().success();
    let told = "recurrent net: lstm, layers 1, units 16, inputs 32, both directions, with biases, F32";
    assert!(String::from_utf8_lossy(&net.get_output().stdout).contains(told));
    let npy = flowmap(&folder).args(["inspect", &data("nagisa_char_input.npy")]).assert().success();
    assert!(String::from_utf8_lossy(&npy.get_output().stdout).contains("type <f4"));
    for bad in ["none.csv", "none.safetensors", "none.npy", "empty"] {
        flowmap(&folder).args(["inspect", bad]).assert().code(2);
    }
    assert_eq!(folder.snapshot("."), before);
}

#[test]
fn the_examples_of_every_help_page_run_from_the_root() {
    let folder = Folder::new();
    fs::create_dir(folder.path("data")).unwrap();
    for name in ["lynx_hare.csv", "mauna_loa_co2.csv", "macho_3stars.csv", "nagisa_char_bilstm.safetensors"] {
        fs::copy(root().join("data").join(name), folder.path("data").join(name)).unwrap();
    }
    let mut count = 0;
    for command in ["", "fit", "predict", "simulate", "systems", "inspect"] {
        let page: Vec<&str> = [command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let help = flowmap(&folder).args(page).assert().success();
        let help = String::from_utf8_lossy(&help.get_output().stdout).into_owned();
        for example in help.lines().filter_map(|line| line.strip_prefix("  flowmap ")) {
            let mut words: Vec<&str> = example.split_whitespace().collect();
            if words[0] == "fit" {
                // Whether a whole fit is good is another test's business.
                words.extend(["--epochs", "1"]);
            }
            flowmap(&folder).args(&words).assert().success();
            count += 1;
        }
    }
    assert_eq!(count, 25);
}

#[test]
fn help_comes_at_once() {
    let folder = Folder::new();
    let times = (0..5).map(|_| {
        let begun = Instant::now();
        flowmap(&folder).arg("--help").assert().success();
        begun.elapsed()
    });
    assert!(times.min().unwrap() < Duration::from_millis(50));
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_panic() {
    use std::process::{Command, Stdio};
    let folder = Folder::new();
    for args in [&["inspect"][..], &["inspect", "--json"], &["fit", "--epochs", "1", "--json"]] {
        let mut command = Command::new(program());
        command.current_dir(folder.path(".")).args(args).arg(root().join("data/lynx_hare.csv"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(0), "{args:?}");
    }
}

#[test]
fn other_names_and_spellings_are_read_as_told() {
    let folder = Folder::new();
    let text = "who,day,a,b,sa\nx,1,1,5,0.1\nx,2,-999,6,NA\nx,3,3,7,0.3\n";
    fs::write(folder.path("d.csv"), text).unwrap();
    let columns = ["--time", "day", "--series", "who", "--missing", "-999,NA"];
    let more = ["--channels", "a", "--error", "a=sa", "--epochs", "2"];
    flowmap(&folder).args(["fit", "d.csv"]).args(columns).args(more).assert().success();
    let table = folder.read("out/fit/predictions.csv");
    assert!(table.starts_with("who,day,part,a,a_predicted,a_low,a_high\nx,1,train,1,"), "{table}");
    assert!(table.contains("\nx,2,train,,"), "{table}");
    flowmap(&folder).args(["predict", "out/fit", "--data", "d.csv", "--at", "4:5:1"]).assert().success();
    assert!(folder.read("out/predict/predictions.csv").starts_with("who,day,a,a_low,a_high\nx,4,"));
}

#[test]
fn warnings_are_told_and_training_goes_on() {
    let folder = Folder::new();
    let text = "series_id,time,x,y,z\na,2,1,7,1\na,1,2,7,2\na,3,3,7,3\nb,1,4,7,\nb,2,1,7,\nc,1,1,7,1\n";
    fs::write(folder.path("d.csv"), text).unwrap();
    let run = flowmap(&folder).args(["fit", "d.csv", "--epochs", "2"]).assert().success();
    let told = message(&run);
    for expected in [
        "warning: d.csv:3: 1 row stands after",
        "series `c` has one row",
        "channel `y` is 7",
        "channel `z` is never observed",
    ] {
        assert!(told.contains(expected), "{told} lacks {expected}");
    }
    let table = folder.read("out/fit/predictions.csv");
    assert!(table.lines().any(|line| line.starts_with("c,1,conditioning,")), "{table}");
}
