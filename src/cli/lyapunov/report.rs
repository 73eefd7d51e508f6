//! What is said of a spectrum, in `spectrum.json` and in words.

use super::Stopped;
use crate::Real;
use crate::analysis::audit::Check;
use crate::analysis::{Spectrum, Status};
use crate::cli::args::{FrameKind, LyapunovArgs, QrEvery};
use crate::cli::shared::short;
use crate::cli::shared::sources::{Subject, unit};
use crate::io::json;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// Exponents told in words.
const MOST_TOLD: usize = 8;

/// `spectrum.json`.
#[derive(Clone, Serialize)]
pub struct Report {
    pub source: Value,
    pub state_dimension: usize,
    #[serde(with = "json::number")]
    pub exponents: Vec<f64>,
    #[serde(with = "json::number")]
    pub standard_errors: Vec<f64>,
    pub status: Vec<Status>,
    pub neutral: Vec<bool>,
    #[serde(with = "json::number")]
    pub exponents_per_step: Vec<f64>,
    #[serde(with = "json::number")]
    pub between_starts: Vec<f64>,
    #[serde(with = "json::number")]
    pub finite_time_deviations: Vec<f64>,
    pub finite_time_steps: u64,
    pub unit: &'static str,
    pub step: f64,
    pub steps: u64,
    pub warmup: u64,
    pub starts: usize,
    /// As asked for, or the average of those chosen.
    pub qr_every: f64,
    pub qr_chosen: bool,
    pub frame: &'static str,
    pub precision: &'static str,
    pub seed: u64,
    pub stopped_because: Stopped,
    pub target_error: Option<f64>,
    pub kaplan_yorke_dimension: Option<f64>,
    pub kaplan_yorke_error: Option<f64>,
    pub ks_entropy: Option<f64>,
    /// Why there is no dimension or no entropy.
    pub undefined: Vec<String>,
    #[serde(with = "json::number")]
    pub sum: f64,
    #[serde(with = "json::number")]
    pub sum_error: f64,
    #[serde(with = "json::number")]
    pub sum_expected: Option<f64>,
    pub checks: Vec<Check>,
    pub wall_seconds: f64,
    #[serde(skip)]
    pub title: String,
}

impl Report {
    pub fn new<T: Real>(
        subject: &Subject<T>,
        args: &LyapunovArgs,
        spectrum: &Spectrum,
        (checks, sum_expected): (&[Check], Option<f64>),
        stopped: Stopped,
        (seed, wall_seconds): (u64, f64),
    ) -> Self {
        let (dimension, entropy) = (spectrum.kaplan_yorke(), spectrum.entropy());
        let undefined = [dimension.as_ref().err(), entropy.as_ref().err()];
        let undefined: Vec<String> = undefined.into_iter().flatten().map(ToString::to_string).collect();
        Self {
            source: subject.source.clone(),
            state_dimension: spectrum.dim,
            exponents: spectrum.exponents.clone(),
            standard_errors: spectrum.standard_errors.clone(),
            status: spectrum.status.clone(),
            neutral: spectrum.neutral.clone(),
            exponents_per_step: spectrum.exponents.iter().map(|x| x * spectrum.unit).collect(),
            between_starts: spectrum.between_starts.clone(),
            finite_time_deviations: spectrum.finite_time_deviations.clone(),
            finite_time_steps: spectrum.bin,
            unit: unit(subject),
            step: spectrum.unit,
            steps: spectrum.steps,
            warmup: spectrum.warmup,
            starts: spectrum.starts,
            qr_every: match args.qr_every {
                QrEvery::Every(steps) => steps as f64,
                QrEvery::Auto => spectrum.qr_every,
            },
            qr_chosen: args.qr_every == QrEvery::Auto,
            frame: match args.frame {
                FrameKind::Random => "random",
                FrameKind::Identity => "identity",
            },
            precision: T::NAME,
            seed,
            stopped_because: stopped,
            target_error: args.target_error,
            kaplan_yorke_dimension: dimension.ok(),
            kaplan_yorke_error: spectrum.kaplan_yorke_error(),
            ks_entropy: entropy.ok(),
            undefined,
            sum: spectrum.sum,
            sum_error: spectrum.sum_error,
            sum_expected,
            checks: checks.to_vec(),
            wall_seconds,
            title: format!("{}, {} exponents", subject.title, subject.source["exponents"].as_str().unwrap_or_default()),
        }
    }

    fn whence(&self) -> String {
        if self.starts == 1 { "one start".into() } else { format!("each of {} starts", self.starts) }
    }

    /// For the figure.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(dimension) = self.kaplan_yorke_dimension {
            remarks.push(format!("Kaplan-Yorke dimension {}", short(dimension)));
        }
        if let Some(entropy) = self.ks_entropy {
            remarks.push(format!("entropy {}", short(entropy)));
        }
        remarks.push(format!("{} steps from {}", self.steps, self.whence()));
        remarks
    }

    /// In plain words.
    pub fn in_words(&self, out: &Path) -> String {
        let mut text = String::new();
        let mut line = |what: &str, words: String| {
            let _ = writeln!(text, "{what:<11} {words}");
        };
        line("exponents", format!("{}, in {}", self.title, self.unit));
        for (i, x) in self.exponents.iter().enumerate().take(MOST_TOLD) {
            let mark = match (self.status[i], self.neutral[i]) {
                (Status::BelowPrecision, _) => "  hidden by rounding: at most this",
                (Status::MinusInfinity, _) => "  a dead direction",
                (Status::Resolved, true) => "  zero within its error",
                (Status::Resolved, false) => "",
            };
            line("", format!("{:>12} ± {:.1e}{mark}", short(*x), self.standard_errors[i]));
        }
        if self.exponents.len() > MOST_TOLD {
            let count = |status| self.status.iter().filter(|s| **s == status).count();
            let (hidden, dead) = (count(Status::BelowPrecision), count(Status::MinusInfinity));
            let rest = self.exponents.len() - MOST_TOLD;
            line("", format!("and {rest} more; of all, {hidden} are hidden by rounding and {dead} are dead"));
        }
        match (self.kaplan_yorke_dimension, self.kaplan_yorke_error) {
            (Some(dimension), Some(error)) => {
                line("dimension", format!("{} ± {error:.1e} (Kaplan-Yorke)", short(dimension)))
            }
            _ => line("dimension", "not defined".into()),
        }
        if let Some(entropy) = self.ks_entropy {
            line("entropy", format!("{} (Pesin's sum)", short(entropy)));
        }
        self.undefined.iter().for_each(|why| line("", why.clone()));
        for check in &self.checks {
            let verdict = if check.holds { "holds" } else { "FAILS" };
            let (value, expected) = (short(check.value), short(check.expected));
            line("check", format!("{verdict}  {}: {value}, expected {expected} ({})", check.name, check.note));
        }
        if let (Some(target), Stopped::Steps) = (self.target_error, self.stopped_because) {
            line("", format!("the target error {} was not reached before the last step", short(target)));
        }
        let every = if self.qr_chosen { "chosen, on average" } else { "asked for" };
        line(
            "steps",
            format!(
                "{} from {} after {}, of {} each; factored every {} ({every}); {:.1} s",
                self.steps,
                self.whence(),
                self.warmup,
                short(self.step),
                short(self.qr_every),
                self.wall_seconds
            ),
        );
        line("files", out.display().to_string());
        text.pop();
        text
    }
}
