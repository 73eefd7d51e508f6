//! What is unusual in a data file but no reason to stop.

use std::fmt;
use std::path::PathBuf;

use crate::io::table::Cell;

/// A [`Notice`] and its place. Displays as `PATH:LINE: sentence`.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// The file.
    pub path: PathBuf,
    /// The first line it is about, where it is about lines.
    pub line: Option<u64>,
    /// What was noticed.
    pub notice: Notice,
}

/// What was noticed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// Rows stand before an earlier time of their series; they were sorted.
    UnorderedRows {
        /// How many rows are earlier than the row of their series before them.
        count: usize,
        /// The series of the first of them.
        series: String,
    },
    /// Series of a single row; such are used for conditioning only.
    SingleRow {
        /// How many.
        count: usize,
        /// The first of them.
        series: String,
    },
    /// All observed values of a channel are the same; it is not scaled.
    ConstantChannel {
        /// The channel.
        channel: String,
        /// Its value.
        value: f64,
    },
    /// All observed training values of a channel are the same, those held out are not; it is not scaled.
    ConstantInTraining {
        /// The channel.
        channel: String,
        /// Its value in the training rows.
        value: f64,
    },
    /// A channel is observed in some series and not at all in others.
    ChannelMissing {
        /// The channel.
        channel: String,
        /// In how many series it is missing.
        count: usize,
        /// Out of how many.
        of: usize,
        /// The first of them.
        series: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.notice)
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnorderedRows { count: 1, series } => {
                write!(f, "1 row stands after a later time of its series (`{series}`); it was sorted in")
            }
            Self::UnorderedRows { count, series } => {
                write!(
                    f,
                    "{count} rows stand after a later time of their series (first in `{series}`); they were sorted in"
                )
            }
            Self::SingleRow { count: 1, series } => {
                write!(f, "series `{series}` has one row; it is used for conditioning only")
            }
            Self::SingleRow { count, series } => {
                write!(f, "{count} series have one row each (first `{series}`); they are used for conditioning only")
            }
            Self::ConstantChannel { channel, value } => {
                let value = Cell::Number(*value);
                write!(f, "channel `{channel}` is {value} wherever it is observed; it is not scaled")
            }
            Self::ConstantInTraining { channel, value } => {
                let value = Cell::Number(*value);
                write!(
                    f,
                    "channel `{channel}` is {value} in all training rows, not in all held-out ones; it is not scaled"
                )
            }
            Self::ChannelMissing { channel, count, of, series } => {
                write!(f, "channel `{channel}` is never observed in {count} of {of} series (first `{series}`)")
            }
        }
    }
}
