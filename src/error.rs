//! The one error type: what went wrong, where, and what to do about it.

use std::path::{Path, PathBuf};

/// Short for a result with this crate's [`Error`].
pub type Result<V> = std::result::Result<V, Error>;

/// Everything that can go wrong, with the place and the remedy in the message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A cell, row or column of a data file is wrong.
    #[error("{}{what}; {remedy}", place(.path, *.line, .column.as_deref()))]
    Data {
        /// The file.
        path: PathBuf,
        /// Line in the file, counted from 1.
        line: Option<u64>,
        /// Name of the column.
        column: Option<String>,
        /// What is wrong.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// A file could not be read or written.
    #[error("{}: {doing}: {source}; {remedy}", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A model folder, weights file or checkpoint is damaged or of another kind.
    #[error("{}: {what}; {remedy}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// An option or a configuration value cannot be used.
    #[error("{what}; {remedy}")]
    Config {
        /// What is wrong.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// Two sizes that must agree do not.
    #[error("{what}: expected {expected}, found {found}")]
    Shape {
        /// The tensor or argument.
        what: String,
        /// The expected shape.
        expected: String,
        /// The shape that came.
        found: String,
    },
    /// A trajectory could not be continued.
    #[error("series {series}: {failure}")]
    Solve {
        /// Which series (its name, or its number in the batch).
        series: String,
        /// When and why.
        failure: crate::solve::Failure,
    },
    /// The run failed at every value of a parameter.
    #[error("the run failed at every value, the first time so: {what}")]
    Sweep {
        /// Why, at the first value.
        what: String,
    },
    /// Training could not go on.
    #[error("training stopped at epoch {epoch}: {what}; {remedy}")]
    Training {
        /// The epoch, counted from 0.
        epoch: usize,
        /// What happened.
        what: String,
        /// What to do about it.
        remedy: String,
    },
}

impl Error {
    /// A wrong option or configuration value.
    pub fn config(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Config { what: what.into(), remedy: remedy.into() }
    }

    /// A damaged or unexpected file.
    pub fn format(path: &Path, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Format { path: path.into(), what: what.into(), remedy: remedy.into() }
    }

    /// Sizes that should agree and do not.
    pub fn shape(what: impl Into<String>, expected: impl ToString, found: impl ToString) -> Self {
        Self::Shape { what: what.into(), expected: expected.to_string(), found: found.to_string() }
    }

    /// Whether the cause lies in what the caller gave (files, options) rather than in the computation.
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::Solve { .. } | Self::Sweep { .. } | Self::Training { .. })
    }
}

fn place(path: &Path, line: Option<u64>, column: Option<&str>) -> String {
    let mut text = format!("{}:", path.display());
    if let Some(line) = line {
        text.push_str(&format!("{line}:"));
    }
    if let Some(column) = column {
        text.push_str(&format!("{column}:"));
    }
    text.push(' ');
    text
}
