//! What goes to the terminal. Nothing here minds a stream that was closed at the other end.

use crate::{Error, Result};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

/// Between lines of progress.
pub const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Who is listening.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// Only errors on stderr.
    pub quiet: bool,
    /// One JSON object on stdout.
    pub json: bool,
}

impl Console {
    /// A message on stderr.
    pub fn say(&self, message: impl Display) {
        if !self.quiet {
            to_stderr(message);
        }
    }

    /// An error on stderr, quiet or not.
    pub fn error(&self, error: &Error) {
        to_stderr(format_args!("error: {error}"));
    }

    /// The result as one JSON object on stdout, if that was asked for.
    ///
    /// # Errors
    /// If stdout takes no more, other than by being closed.
    pub fn json(&self, value: &impl Serialize) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(value)
            .map_err(|bad| Error::config(format!("the result cannot be written as JSON: {bad}"), "report this"))?;
        to_stdout(&text)
    }
}

fn to_stderr(message: impl Display) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// Text on stdout; a reader that went away is no error.
///
/// # Errors
/// If stdout takes no more, as on a full disk.
pub fn to_stdout(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != ErrorKind::BrokenPipe => Err(Error::File {
            path: "standard output".into(),
            doing: "writing",
            source,
            remedy: "send the output elsewhere",
        }),
        _ => Ok(()),
    }
}

/// A result with the folder of its files, for stdout.
pub fn with_out(result: &impl Serialize, out: &Path) -> Value {
    let mut value = serde_json::to_value(result).unwrap_or(Value::Null);
    value["out"] = out.to_string_lossy().into_owned().into();
    value
}

/// Six digits are enough to look at.
pub fn short(value: f64) -> String {
    if value == 0.0 || (1e-4..1e7).contains(&value.abs()) {
        let digits = (5 - value.abs().max(1e-4).log10().floor() as i32).clamp(0, 8) as usize;
        let text = format!("{value:.digits$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
    } else {
        let text = format!("{value:.5e}");
        match text.split_once('e') {
            Some((digits, power)) => format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.')),
            None => text,
        }
    }
}
