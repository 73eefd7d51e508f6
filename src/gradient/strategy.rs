//! How a gradient is found: the strategies, and what is asked of them.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How the gradient of a solve is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// The exact discrete gradient: stored as far as memory goes, the rest computed again.
    #[default]
    Auto,
    /// The exact discrete gradient, from every linearisation of the forward pass.
    Stored,
    /// The same to the last bit, from as much of the forward pass as a budget of memory allows; the rest is computed again.
    Checkpointed,
    /// The adjoint equation, solved backward along the forward pass's continuous extension with the same method and
    /// tolerances (Chen et al. 2018, *Neural ordinary differential equations*, app. B; the interpolating form: Rackauckas
    /// et al. 2020, *Universal differential equations*, sec. 3). It differs from the exact discrete gradient by the
    /// solver's error.
    Interpolating,
    /// The adjoint equation, solved together with the state itself backward in time (Chen et al. 2018). Where the flow
    /// contracts, that is unstable: audit it.
    Backsolve,
    /// The exact discrete gradient by tangents pushed along with the forward pass, one for every parameter and every
    /// component of the start: for few of them.
    Forward,
}

impl Strategy {
    /// Those that are one definite way each.
    pub const ALL: [Self; 5] = [Self::Stored, Self::Checkpointed, Self::Interpolating, Self::Backsolve, Self::Forward];

    /// Its name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Stored => "stored",
            Self::Checkpointed => "checkpointed",
            Self::Interpolating => "interpolating",
            Self::Backsolve => "backsolve",
            Self::Forward => "forward",
        }
    }

    /// The strategy of this name.
    ///
    /// # Errors
    /// If there is none; the message lists those there are.
    pub fn named(name: &str) -> Result<Self> {
        [Self::Auto].into_iter().chain(Self::ALL).find(|strategy| strategy.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|strategy| strategy.name()).collect();
            let what = format!("no gradient strategy is called \"{}\"", crate::io::clipped(name));
            Error::config(what, format!("choose auto or one of {}", names.join(", ")))
        })
    }

    /// Whether it gives the derivative of what the solver computed, and not that of the flow up to the solver's error.
    pub fn is_exact(self) -> bool {
        !matches!(self, Self::Interpolating | Self::Backsolve)
    }
}

/// What is asked of a gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How it is found.
    pub strategy: Strategy,
    /// Bytes that all threads together may keep for the way back.
    pub memory: usize,
    /// Whether the gradient by output times is wanted: one evaluation more an output.
    pub by_times: bool,
}

impl Settings {
    /// Two gibibytes.
    pub const MEMORY: usize = 2 << 30;

    /// A definite strategy, with the usual memory.
    pub fn new(strategy: Strategy) -> Self {
        Self { strategy, memory: Self::MEMORY, by_times: false }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new(Strategy::Auto)
    }
}

/// A number of bytes written as `2GiB`, `512MiB`, `64KiB` or plainly.
///
/// # Errors
/// If it is not written so, or more than memory can be.
pub fn parse_bytes(text: &str) -> Result<usize> {
    let refused = || {
        let what = format!("\"{}\" is no amount of memory", crate::io::clipped(text));
        Error::config(what, "write it as 2GiB, 512MiB, 64KiB or as a number of bytes")
    };
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let number: f64 = trimmed[..digits].parse().map_err(|_| refused())?;
    let unit = match trimmed[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kib" | "k" => 1024.0,
        "mib" | "m" => 1024.0 * 1024.0,
        "gib" | "g" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(refused()),
    };
    let bytes = number * unit;
    // Whole numbers are exact up to 2^53, and no memory is larger.
    if (1.0..=9e15).contains(&bytes) { Ok(bytes as usize) } else { Err(refused()) }
}

/// The same amount for people: `1.5 GiB`.
pub fn show_bytes(bytes: usize) -> String {
    let mut number = bytes as f64;
    for unit in ["B", "KiB", "MiB"] {
        if number < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{number:.1} {unit}") };
        }
        number /= 1024.0;
    }
    format!("{number:.1} GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_memory_are_read_and_shown() {
        for (text, bytes) in [("2GiB", 2 << 30), ("1.5 MiB", 3 << 19), ("64k", 64 << 10), ("1000", 1000)] {
            assert_eq!(parse_bytes(text).unwrap(), bytes, "{text}");
        }
        for bad in ["", "GiB", "-1", "2 TB", "1e3", "0", "nan", "1..2MiB", "99999999999GiB"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
        assert_eq!(
            (show_bytes(1536).as_str(), show_bytes(3 << 30).as_str(), show_bytes(5).as_str()),
            ("1.5 KiB", "3.0 GiB", "5 B")
        );
    }

    #[test]
    fn names_are_those_of_files() {
        for strategy in Strategy::ALL {
            assert_eq!(Strategy::named(strategy.name()).unwrap(), strategy);
            let text = serde_json::to_string(&strategy).unwrap();
            assert_eq!(text, format!("\"{}\"", strategy.name()));
        }
        assert!(Strategy::named("symplectic").unwrap_err().to_string().contains("backsolve"));
    }
}
