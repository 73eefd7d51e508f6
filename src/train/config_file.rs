//! Configuration files: whole ones, and what they say about the data, which is needed before the data can suggest the
//! rest.

use super::{FitConfig, SplitSpec};
use crate::{Error, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

const REMEDY: &str = "write it as TOML, with keys as in the config.toml of a fit";

/// The part of a configuration file that says how the data is read and split.
///
/// The tables of model, training and solver are passed over; [`FitConfig::with_file`](super::FitConfig::with_file) lays
/// the whole file over the settings that suit the data.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileHead {
    /// Seed of everything random.
    pub seed: Option<u64>,
    /// The data.
    pub data: DataHead,
    /// What is held out.
    pub split: SplitSpec,
    model: toml::Table,
    training: toml::Table,
    solver: toml::Table,
}

/// A [`DataSpec`](super::DataSpec) of which any part may be missing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the fields are those of DataSpec")]
pub struct DataHead {
    pub path: Option<PathBuf>,
    pub time: Option<String>,
    pub series: Option<String>,
    pub channels: Option<Vec<String>>,
    pub errors: Option<Vec<(String, String)>>,
    pub missing: Option<Vec<String>>,
    pub log: Option<Vec<String>>,
    pub centre: Option<Vec<String>>,
}

impl FileHead {
    /// Reads it from a TOML file.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be read; [`Error::Format`] if it is not TOML, or has a key or a value in these
    /// tables that is not known; the message names it.
    pub fn read(path: &Path) -> Result<Self> {
        read_toml(path)
    }
}

impl FitConfig {
    /// Reads the whole configuration of a fit, as its `config.toml` has it.
    ///
    /// # Errors
    /// As [`FileHead::read`]; also if anything is missing.
    pub fn read(path: &Path) -> Result<Self> {
        read_toml(path)
    }

    /// Lays the settings of a TOML file over these.
    ///
    /// # Errors
    /// As [`FileHead::read`], for all tables.
    pub fn with_file(&self, path: &Path) -> Result<Self> {
        let mut table: toml::Table = toml::Table::try_from(self).map_err(unwritable)?;
        lay_over(&mut table, read_toml(path)?);
        let refused = |bad: toml::de::Error| Error::format(path, bad.message().replace('\n', " "), REMEDY);
        table.try_into().map_err(refused)
    }

    /// The settings as TOML text, as in `config.toml`.
    ///
    /// # Errors
    /// If a number has no place in TOML (a seed beyond 2^63).
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(unwritable)
    }
}

fn unwritable(bad: toml::ser::Error) -> Error {
    Error::config(format!("the settings cannot be written as TOML: {bad}"), "give numbers below 2^63")
}

fn lay_over(table: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(over)) => lay_over(inner, over),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

fn read_toml<V: DeserializeOwned>(path: &Path) -> Result<V> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::File {
        path: path.into(),
        doing: "reading",
        source,
        remedy: "check the path and that it is a text file",
    })?;
    toml::from_str(&text).map_err(|bad| {
        let line = bad.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let what = format!("{place}{}", bad.message().replace('\n', " "));
        Error::format(path, what, REMEDY)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<FileHead> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, text).unwrap();
        FileHead::read(&path)
    }

    #[test]
    fn parts_may_be_missing_and_unknown_keys_are_named_with_their_line() {
        let head = read("seed = 3\n[data]\nerrors = [[\"a\", \"b\"]]\n[training]\nrate = 1\n").unwrap();
        assert_eq!((head.seed, head.data.errors), (Some(3), Some(vec![("a".into(), "b".into())])));
        assert!(read("").unwrap().data.time.is_none());
        for (text, expected) in [
            ("speed = 3\n", "c.toml: line 1: unknown field `speed`"),
            ("[data]\ntime = 3\n", "line 2: invalid type: integer"),
            ("[split]\n\nholdouts = 0.1\n", "line 3: unknown field `holdouts`"),
            ("seed = ", "line 1: "),
            ("seed = -1", "line 1: "),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} should contain {expected}");
        }
    }
}
