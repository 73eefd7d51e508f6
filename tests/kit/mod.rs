//! A folder of its own for each test, and the program run in it.
#![allow(dead_code, reason = "not every test program uses all of it")]

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

/// What a fit writes, sorted.
pub const FIT_FILES: [&str; 8] = [
    "checkpoint.safetensors",
    "config.toml",
    "fit.svg",
    "loss.svg",
    "metrics.json",
    "model.safetensors",
    "predictions.csv",
    "train.csv",
];

/// The package's root.
pub fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// The program.
pub fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_flowmap").into()
}

/// The program, started in a folder.
pub fn flowmap(folder: &Folder) -> Command {
    let mut command = Command::new(program());
    command.current_dir(folder.path("."));
    command
}

/// A short fit of the hare data into `out` of the folder.
pub fn short_fit(folder: &Folder, more: &[&str]) {
    let data = root().join("data/lynx_hare.csv");
    flowmap(folder).arg("fit").arg(data).args(["--out", "out", "--epochs", "30"]).args(more).assert().success();
}

/// What a run said on stderr.
pub fn message(run: &Assert) -> String {
    String::from_utf8_lossy(&run.get_output().stderr).into_owned()
}

/// A folder that goes with the test.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Names in a folder, sorted.
    pub fn names(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(name)).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Every file below a folder, with its time of change and content.
    pub fn snapshot(&self, name: &str) -> BTreeMap<PathBuf, (SystemTime, Vec<u8>)> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.path(name)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else {
                    let changed = entry.metadata().unwrap().modified().unwrap();
                    found.insert(entry.path(), (changed, fs::read(entry.path()).unwrap()));
                }
            }
        }
        found
    }
}
