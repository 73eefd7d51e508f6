//! What is known of a system before its parameters are chosen.
//!
//! To add one: write it as a constant [`System`] beside its kin here (`dissipative.rs` is a model) and name it in the list of
//! `systems.rs`: tests, `systems`, `simulate`, `lyapunov`, `sweep` and the others find it there. In `parameters` the real ones
//! come first, in the order in which the field takes them, then sizes and seeds.

use super::instance::Made;
use super::{Instance, Settings};
use crate::{Error, Result};
use std::ops::RangeInclusive;

/// Whether time flows or goes in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `dy/dt = f(t, y)`.
    Flow,
    /// `y ← g(t, y)`, where time counts the steps.
    Map,
    /// The derivative depends on the past: the state is the history, moved on by steps of time.
    Delay,
}

impl Kind {
    /// `flow`, `map` or `delay`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Map => "map",
            Self::Delay => "delay",
        }
    }
}

/// A parameter that may be set.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its usual letter.
    pub name: &'static str,
    /// Its value unless set.
    pub default: f64,
    /// What it is.
    pub meaning: &'static str,
    /// For sizes and seeds, which are whole numbers and no part of the component's parameter vector: those allowed.
    pub whole: Option<RangeInclusive<u64>>,
    /// For lengths, masses and delays: whether it has to be above 0.
    pub positive: bool,
}

impl Parameter {
    pub(super) const fn real(name: &'static str, default: f64, meaning: &'static str) -> Self {
        Self { name, default, meaning, whole: None, positive: false }
    }

    pub(super) const fn positive(name: &'static str, default: f64, meaning: &'static str) -> Self {
        Self { name, default, meaning, whole: None, positive: true }
    }

    pub(super) const fn whole(
        name: &'static str,
        default: u32,
        meaning: &'static str,
        range: RangeInclusive<u64>,
    ) -> Self {
        Self { name, default: default as f64, meaning, whole: Some(range), positive: false }
    }

    fn check(&self, system: &str, value: f64) -> Result<()> {
        if self.positive && value <= 0.0 {
            let what = format!("{} of {system}, the {}, is {value}", self.name, self.meaning);
            return Err(Error::config(what, "give a number above 0"));
        }
        let Some(range) = &self.whole else { return Ok(()) };
        if value.fract() == 0.0 && *range.start() as f64 <= value && value <= *range.end() as f64 {
            return Ok(());
        }
        Err(Error::config(
            format!("{} of {system} is {value}", self.name),
            format!("give a whole number from {} to {}", range.start(), range.end()),
        ))
    }
}

/// A value with its standard error, which is 0 where the value is exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exponent {
    /// In nats per unit of time, or per step.
    pub value: f64,
    /// One standard error, in the same unit.
    pub error: f64,
}

/// Known Lyapunov exponents at some parameters.
#[derive(Clone, Copy, Debug)]
pub struct Reference {
    /// Parameters that differ from the defaults.
    pub settings: &'static [(&'static str, f64)],
    /// From the largest down; the leading ones where not all are known.
    pub exponents: &'static [Exponent],
    /// Kaplan–Yorke dimension, where known.
    pub dimension: Option<f64>,
    /// How they were found.
    pub how: &'static str,
}

/// The time a figure shows, from 0 on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Its end.
    pub end: f64,
    /// Time between rows.
    pub step: f64,
}

/// How its Lyapunov exponents are usually measured: long enough to be useful, in well under a minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// Step of `rk4`, such that the sum of the step's exponents is within 1e-4 of the flow's; of no use where a system
    /// brings its own step.
    pub step: f64,
    /// Time, or steps, before counting.
    pub warmup: f64,
    /// Time, or steps, that are counted from each start.
    pub time: f64,
    /// Starts near the usual one.
    pub starts: usize,
    /// Leading exponents, as far as there are so many; 0 for all.
    pub exponents: usize,
}

/// Long enough for most small maps.
pub(super) const OF_A_MAP: Measure = Measure { step: 1.0, warmup: 1000.0, time: 500_000.0, starts: 16, exponents: 0 };

/// A named system.
pub struct System {
    /// Name on the command line.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// Flow or map.
    pub kind: Kind,
    /// Its equations; a prime is the derivative, or the next value.
    pub equations: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// What a user should know beside; may be empty.
    pub remark: &'static str,
    /// Its parameters, in the order of the component's vector once those of whole numbers are left out.
    pub parameters: &'static [Parameter],
    /// A span that shows what it does.
    pub span: Span,
    /// How its exponents are measured.
    pub measure: Measure,
    /// Known exponents.
    pub references: &'static [Reference],
    /// Puts it together from the values of all parameters.
    pub(super) make: fn(&[f64]) -> Made,
}

impl System {
    /// The system with these parameters, all others at their defaults.
    ///
    /// # Errors
    /// If a setting is not one of its parameters, or a size is not a whole number in its range.
    pub fn build(&'static self, settings: &Settings) -> Result<Instance> {
        let mut values: Vec<f64> = self.parameters.iter().map(|parameter| parameter.default).collect();
        for (key, value) in settings.iter() {
            let Some(at) = self.parameters.iter().position(|parameter| parameter.name == key) else {
                return Err(self.unknown(key));
            };
            self.parameters[at].check(self.name, value)?;
            values[at] = value;
        }
        Ok(Instance::new(self, values))
    }

    fn unknown(&self, key: &str) -> Error {
        let names: Vec<_> = self.parameters.iter().map(|parameter| parameter.name).collect();
        let remedy = match names[..] {
            [] => "it has none to set".into(),
            _ => format!("set some of {}", names.join(", ")),
        };
        Error::config(format!("{} has no parameter `{}`", self.name, crate::io::clipped(key)), remedy)
    }
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("System").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A value known with a standard error.
pub(super) const fn about(value: f64, error: f64) -> Exponent {
    Exponent { value, error }
}

/// A value known exactly.
pub(super) const fn exact(value: f64) -> Exponent {
    Exponent { value, error: 0.0 }
}
