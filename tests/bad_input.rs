//! Bad input: each kind has its message and exit code 2, and the output folder stays as it was.

use std::fs;

mod kit;
use kit::{Folder, flowmap, message, root, short_fit};

/// Runs, expecting exit code 2 and a message, with the output folder left as it was whether it was there or not.
fn refused(folder: &Folder, args: &[&str], expected: &str) {
    fs::create_dir_all(folder.path("kept")).unwrap();
    fs::write(folder.path("kept/mine.txt"), "mine").unwrap();
    let before = folder.snapshot("kept");
    for out in ["kept", "new/deep"] {
        let run = flowmap(folder).args(args).args(["--out", out]).assert();
        let (output, message) = (run.get_output(), message(&run));
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(message.contains("error: ") && message.contains(expected), "{args:?}: {message} lacks {expected}");
        assert!(!message.contains("panicked"), "{message}");
    }
    assert_eq!(folder.snapshot("kept"), before, "{args:?}");
    assert!(!folder.path("new").exists(), "{args:?}");
}

#[test]
fn of_data() {
    let folder = Folder::new();
    for (text, expected) in [
        ("", "bad.csv: the file is empty"),
        ("time,x\n", "bad.csv: the file has a header and no rows"),
        ("t,x\n1,2\n", "bad.csv:1:time: no such column, the file has t, x"),
        ("time,x\n1,2\n2,abc\n", "bad.csv:3:x: `abc` is not a number"),
        ("time,x\n1,NaN\n2,1\n", "bad.csv:2:x: `NaN` is not a finite number"),
        ("time,x\n1,1\n2,inf\n", "bad.csv:3:x: `inf` is not a finite number"),
        ("time,x\n1,1e200\n2,1\n", "bad.csv:2:x: 1e200 is too large"),
        ("time,x\nnoon,1\n2,1\n", "bad.csv:2:time: `noon` is not a number"),
        ("time,x\n1,1\n,1\n", "bad.csv:3:time: the time is missing"),
        ("series_id,time,x\na,1,1\nb,1,1\na,1,2\n", "bad.csv:4:time: series `a` has time 1 on line 2 already"),
        ("time,x,y\n1,2,3\n2,3\n", "bad.csv:3:y: the row is too short: 2 cells under a header of 3"),
        ("time,x\n1,2,3\n", "bad.csv:2: the row is too long"),
        ("series_id,time\na,1\n", "bad.csv:1: the file has no column besides time and series"),
        ("time,x,y\n1,2,\n2,3,\n", "bad.csv:y: the channel has no value in any training row"),
        ("time,x,x\n1,2,3\n", "bad.csv:1:x: two columns have this name"),
        ("series_id,time,x\na,1,1\nb,1,1\n", "no series has two rows"),
    ] {
        fs::write(folder.path("bad.csv"), text).unwrap();
        refused(&folder, &["fit", "bad.csv"], expected);
    }
    fs::write(folder.path("bad.csv"), b"time,x\n1,\xff\xfe\n").unwrap();
    refused(&folder, &["fit", "bad.csv"], "bad.csv:2:x: the text is not UTF-8");
    refused(&folder, &["fit", "none.csv"], "none.csv: reading: ");
    refused(&folder, &["fit", "."], "name a CSV file, not a folder");
}

#[test]
fn of_options_and_settings() {
    let folder = Folder::new();
    let text: String = (0..10).map(|i| format!("a,{i},{},{}\n", i % 3, -i)).collect();
    fs::write(folder.path("d.csv"), format!("series_id,time,x,y\n{text}")).unwrap();
    for (options, expected) in [
        (&["--holdout", "1.5"][..], "--holdout 1.5 is not a fraction"),
        (&["--holdout", "nan"], "is not a fraction"),
        (&["--holdout", "0.1", "--holdout-series", "0.1"], "cannot be used with"),
        (&["--holdout-series", "0.5"], "fewer than two series"),
        (&["--holdout", "0.9"], "no series has two rows to be fitted"),
        (&["--condition", "0.5"], "without --holdout-series"),
        (&["--channels", "z"], "d.csv:1:z: no such column"),
        (&["--series", "who"], "d.csv:1:who: no such column"),
        (&["--time", "t"], "d.csv:1:t: no such column"),
        (
            &["--error", "x=sx"],
            "d.csv:1:sx: no such column, the file has series_id, time, x, y; name one of them with --error",
        ),
        (&["--error", "x"], "write CHANNEL=COLUMN"),
        (&["--log", "y"], "channel `y` is taken in logs"),
        (&["--log", "z"], "no channel"),
        (&["--period", "-1"], "unexpected argument"),
        (&["--period=-1"], "the period -1 cannot be used"),
        (&["--epochs", "0"], "training.epochs is 0"),
        (&["--augment", "99999999999"], "too large"),
        (&["--threads", "0"], "--threads"),
        (&["--seed", "-1"], "invalid value '-1' for '--seed <N>'"),
        (&["--model", "cde"], "--model"),
        (&["--config", "none.toml"], "none.toml: reading"),
        (&["--resume"], "no checkpoint to resume from; start afresh without --resume"),
        (&["--speed", "3"], "unexpected argument"),
    ] {
        refused(&folder, &[&["fit", "d.csv"], options].concat(), expected);
    }
    for (text, expected) in [
        ("speed = 1", "c.toml: line 1: unknown field `speed`"),
        ("[training]\nspeed = 1", "unknown field `speed`"),
        ("[model]\nhidden = [3, 0]", "none zero"),
        ("[model]\nhidden = [1000000000000, 1000000000000]", "too large"),
        ("[model]\nactivation = \"step\"", "step"),
        ("[training]\nrate = -1.0", "training.rate is -1"),
        ("[training]\nepochs = 9223372036854775807", "training.epochs is 9223372036854775807"),
        ("[solver]\nmethod = \"magic\"", "no method is called \"magic\""),
        ("[solver]\nrtol = 0.0", "relative tolerance is 0"),
        ("[training\n", "c.toml: line 1: "),
        ("[data]\ncentre = [\"q\"]", "data.centre names `q`"),
        ("[data]\nchannels = [\"q\"]", "d.csv:1:q: no such column"),
    ] {
        fs::write(folder.path("c.toml"), text).unwrap();
        refused(&folder, &["fit", "d.csv", "--config", "c.toml"], expected);
    }
    fs::write(folder.path("c.toml"), b"\xff\xfe").unwrap();
    refused(&folder, &["fit", "d.csv", "--config", "c.toml"], "c.toml: reading");
}

#[test]
fn of_predict() {
    let folder = Folder::new();
    short_fit(&folder, &[]);
    fs::write(folder.path("t.csv"), "series_id,time\nwho,6\n").unwrap();
    fs::write(folder.path("zero.csv"), "time,hare_thousand,lynx_thousand\n1,1,0\n").unwrap();
    for (options, expected) in [
        (&["--at", "1:2"][..], "write START:END:STEP"),
        (&["--at", "2:1:0.1"], "start before the end"),
        (&["--at", "1:2:0"], "step above 0"),
        (&["--at", "1:2:-1"], "step above 0"),
        (&["--at", "0:1:1e-9"], "more than 1000000 times"),
        (&["--at", "nan:1:1"], "start before the end"),
        (&["--at", "0:1:0.1", "--at-file", "t.csv"], "cannot be used with"),
        (&["--at-file", "none.csv"], "none.csv: reading"),
        (&["--at-file", "t.csv"], "series `who` is not among those"),
        (&["--data", "none.csv"], "none.csv: reading"),
        (&["--data", "t.csv"], "t.csv:1:hare_thousand: no such column"),
        (&["--data", "zero.csv"], "channel `lynx_thousand` is taken in logs and holds 0"),
        (&["--method", "magic"], "no method is called \"magic\""),
        (&["--method", "rk4"], "takes steps of fixed length"),
        (&["--rtol", "0"], "relative tolerance is 0"),
        (&["--method", "ode-solvers-dopri5", "--atol", "nan"], "absolute tolerance is NaN"),
    ] {
        refused(&folder, &[&["predict", "out"], options].concat(), expected);
    }
    refused(&folder, &["predict", "none"], "none/model.safetensors: reading");
    flowmap(&folder).args(["predict", "out", "--out", "out"]).assert().code(2);
}

#[test]
fn of_simulate() {
    let folder = Folder::new();
    fs::write(folder.path("t.csv"), "series_id,time\nwho,6\n").unwrap();
    let lorenz = ["simulate", "--system", "lorenz63"];
    for (options, expected) in [
        (&["--set", "rho"][..], "not of the form key=value"),
        (&["--set", "r=1"], "lorenz63 has no parameter `r`; set some of sigma, rho, beta"),
        (&["--set", "rho=nan"], "give a finite number"),
        (&["--start", "1,2"], "--start has 2 numbers, lorenz63 has 3 components"),
        (&["--start", "1,2,inf"], "--start holds inf"),
        (&["--start", "1,2,x"], "invalid value"),
        (&["--start-time", "nan"], "--start-time is NaN"),
        (&["--start-time", "3", "--at", "0:5:1"], "time 0 lies before the start at 3"),
        (&["--at", "0:1"], "write START:END:STEP"),
        (&["--at", "0:1:1e-9"], "more than 1000000 times"),
        (&["--at-file", "none.csv"], "none.csv: reading"),
        (&["--at-file", "t.csv"], "t.csv: it has a column of series"),
        (&["--method", "magic"], "no method is called \"magic\""),
        (&["--method", "rk4"], "takes steps of fixed length"),
        (&["--step", "0"], "the step is 0"),
        (&["--step", "1e-300"], "4e301 steps of 1e-300 are more than 100000000; ask for earlier times or longer steps"),
        (&["--step", "0.1", "--rtol", "1e-3"], "cannot be used with"),
        (&["--rtol", "-1"], "unexpected argument"),
        (&["--atol", "0"], "absolute tolerance is 0"),
        (&["--max-steps", "0"], "max_steps is 0"),
        (&["--method", "ode-solvers-dopri5", "--step", "1"], "takes no --step"),
        (&["--method", "verlet", "--step", "0.1"], "verlet is for separable systems, and lorenz63 is none"),
        (&["--method", "ode-solvers-dopri5", "--rtol", "0"], "relative tolerance is 0"),
    ] {
        refused(&folder, &[&lorenz, options].concat(), expected);
    }
    for (options, expected) in [
        (&["--system", "lorenz"][..], "no system is called \"lorenz\"; choose one of lorenz63"),
        (&["--system", "henon", "--method", "rk4"], "--method is given, but henon is a map"),
        (&["--system", "henon", "--at", "0:5:0.5"], "a map has no step 0.5"),
        (&["--system", "henon", "--at", "0:1e15:1e14"], "allow more by --max-steps"),
        (&["--system", "henon", "--max-steps", "0"], "allow at least one step"),
        (&["--system", "lorenz96", "--set", "n=2.5"], "give a whole number from 4"),
        (&["--system", "lorenz96", "--set", "n=100000", "--at", "0:1000:1"], "too many"),
        (&[], "--system"),
    ] {
        refused(&folder, &[&["simulate"], options].concat(), expected);
    }
    refused(&folder, &["systems", "lorenz"], "no system is called");
}

#[test]
fn of_damaged_models() {
    let folder = Folder::new();
    short_fit(&folder, &[]);
    let whole = folder.bytes("out/model.safetensors");
    for length in [0, 1, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(folder.path("out/model.safetensors"), &whole[..length]).unwrap();
        refused(&folder, &["predict", "out"], "out/model.safetensors: not a whole safetensors file");
        refused(&folder, &["inspect", "out"], "out/model.safetensors: not a whole safetensors file");
    }
    fs::copy(root().join("data/nagisa_char_bilstm.safetensors"), folder.path("out/model.safetensors")).unwrap();
    refused(&folder, &["predict", "out"], "no model of this program");
    fs::write(folder.path("out/model.safetensors"), &whole).unwrap();
    fs::write(folder.path("out/config.toml"), "seed = 1").unwrap();
    refused(&folder, &["predict", "out"], "out/config.toml: ");
    fs::remove_file(folder.path("out/config.toml")).unwrap();
    refused(&folder, &["predict", "out"], "out/config.toml: reading");
}
