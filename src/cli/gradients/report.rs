//! What is told of gradients, in `gradients.json`, in `gradients.csv` and in words.

use crate::analysis::horizon::{BackwardOptions, Horizon, Reached};
use crate::analysis::{Fading, MOST_DIMENSIONS, SingularValues, Status};
use crate::cli::shared::short;
use crate::cli::shared::sources::{Subject, unit};
use crate::io::table::{self, Cell};
use crate::io::{OutputFolder, json};
use crate::{Real, Result};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// `gradients.json`.
#[derive(Clone, Serialize)]
pub struct Report {
    pub seed: u64,
    pub wall_seconds: f64,
    /// What was measured; of a net that runs in both directions its forward one.
    #[serde(flatten)]
    pub first: Part,
    /// The backward one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backward: Option<Part>,
}

/// The gradients of one map.
#[derive(Clone, Serialize)]
pub struct Part {
    pub source: Value,
    pub state_dimension: usize,
    pub unit: &'static str,
    /// Time of a step.
    pub step: f64,
    /// In steps.
    pub lags: Vec<u64>,
    /// Geometric means over all gradients, as shares of the norms they set out with.
    #[serde(with = "json::number")]
    pub backward_norms: Vec<f64>,
    #[serde(with = "json::number")]
    pub log_backward_norms: Vec<f64>,
    #[serde(with = "json::number")]
    pub log_deviations: Vec<f64>,
    /// Why there are no singular values, where there are none.
    pub singular_values_missing: Option<String>,
    #[serde(with = "json::number")]
    pub log_singular_max: Vec<f64>,
    #[serde(with = "json::number")]
    pub log_singular_min: Vec<f64>,
    pub singular_min_status: Vec<Status>,
    #[serde(with = "json::number")]
    pub effective_rank: Vec<f64>,
    #[serde(with = "json::number")]
    pub predicted_rate: f64,
    #[serde(with = "json::number")]
    pub predicted_error: f64,
    #[serde(with = "json::number")]
    pub measured_rate: f64,
    #[serde(with = "json::number")]
    pub predicted_rate_per_step: f64,
    #[serde(with = "json::number")]
    pub measured_rate_per_step: f64,
    /// The lags whose slope the measured rate is.
    pub fitted_lags: [u64; 2],
    pub threshold: f64,
    /// In steps.
    #[serde(with = "json::number")]
    pub horizon: f64,
    pub horizon_kind: Reached,
    /// Where it is extrapolated: what the leading exponent says of it, in steps.
    #[serde(with = "json::number")]
    pub horizon_by_exponent: Option<f64>,
    #[serde(with = "json::number")]
    pub horizon_time: f64,
    pub precision: &'static str,
    /// The same where the gradient falls below the rounding of the working precision.
    pub precision_threshold: f64,
    #[serde(with = "json::number")]
    pub precision_horizon: f64,
    pub precision_horizon_kind: Reached,
    #[serde(with = "json::number")]
    pub precision_horizon_by_exponent: Option<f64>,
    pub warmup: u64,
    pub steps: u64,
    pub starts: usize,
    pub ends: usize,
    pub cotangents: usize,
    #[serde(skip)]
    pub title: String,
    #[serde(skip)]
    pub products: Vec<SingularValues>,
}

impl Part {
    pub fn new<T: Real>(
        subject: &Subject<T>,
        options: &BackwardOptions,
        steps: u64,
        fading: Fading,
        threshold: f64,
    ) -> Self {
        let duration = subject.stepped.duration();
        let lags: Vec<u64> = (1..=options.lags).collect();
        let norms = &fading.norms;
        let horizon = norms.horizon(threshold);
        let precision = norms.horizon(T::default_epsilon().f64());
        let of_products =
            |value: &dyn Fn(&SingularValues) -> f64| -> Vec<f64> { fading.products.iter().map(value).collect() };
        let dim = subject.stepped.dim();
        let missing = fading.products.is_empty().then(|| {
            format!("the state has {dim} dimensions; singular values are measured of up to {MOST_DIMENSIONS}")
        });
        let by_exponent = |horizon: &Horizon| {
            let rate = fading.predicted * duration;
            (horizon.reached == Reached::Extrapolated).then(|| norms.leads_to(horizon.threshold, rate))
        };
        let (horizon_by_exponent, precision_by_exponent) = (by_exponent(&horizon), by_exponent(&precision));
        let min = |values: &SingularValues| values.logs.last().copied().unwrap_or(f64::NAN);
        Self {
            source: subject.source.clone(),
            state_dimension: dim,
            unit: unit(subject),
            step: duration,
            backward_norms: norms.log_norms[1..].iter().map(|log| log.exp()).collect(),
            log_backward_norms: norms.log_norms[1..].to_vec(),
            log_deviations: norms.deviations[1..].to_vec(),
            log_singular_max: of_products(&|values| values.logs[0]),
            log_singular_min: of_products(&min),
            singular_min_status: fading.products.iter().filter_map(|values| values.status.last().copied()).collect(),
            singular_values_missing: missing,
            effective_rank: of_products(&SingularValues::effective_rank),
            predicted_rate: fading.predicted,
            predicted_error: fading.predicted_error,
            measured_rate: fading.measured,
            predicted_rate_per_step: fading.predicted * duration,
            measured_rate_per_step: fading.measured * duration,
            fitted_lags: fading.fitted,
            threshold,
            horizon: horizon.lag,
            horizon_kind: horizon.reached,
            horizon_by_exponent,
            horizon_time: horizon.lag * duration,
            precision: T::NAME,
            precision_threshold: precision.threshold,
            precision_horizon: precision.lag,
            precision_horizon_kind: precision.reached,
            precision_horizon_by_exponent: precision_by_exponent,
            warmup: options.warmup,
            steps,
            starts: subject.starts.len(),
            ends: norms.count / (subject.starts.len() * options.cotangents),
            cotangents: options.cotangents,
            title: subject.title.clone(),
            products: fading.products,
            lags,
        }
    }

    /// The direction of a net, `forward` for all else.
    pub fn direction(&self) -> &str {
        self.source["direction"].as_str().unwrap_or("forward")
    }

    /// The horizon at the threshold asked for.
    pub fn horizon(&self) -> Horizon {
        Horizon { threshold: self.threshold, lag: self.horizon, reached: self.horizon_kind }
    }

    /// The horizon at the rounding of the working precision.
    pub fn precision_horizon(&self) -> Horizon {
        let (threshold, lag) = (self.precision_threshold, self.precision_horizon);
        Horizon { threshold, lag, reached: self.precision_horizon_kind }
    }

    /// The logarithm of the norm that the exponent predicts at a lag, through the middle of the lags that were fitted.
    pub fn predicted_log(&self, lag: u64) -> f64 {
        let [from, to] = self.fitted_lags;
        let inside = || self.lags.iter().zip(&self.log_backward_norms).filter(|(lag, _)| (from..=to).contains(lag));
        let count = inside().count() as f64;
        let (x, y) = inside().fold((0.0, 0.0), |(a, b), (&x, &y)| (a + x as f64 / count, b + y / count));
        y + self.predicted_rate_per_step * (lag as f64 - x)
    }
}

impl Report {
    /// All that was measured.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        std::iter::once(&self.first).chain(&self.backward)
    }

    /// `gradients.csv`: a row a direction and lag.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_table(&self, folder: &OutputFolder) -> Result<()> {
        let header = [
            "direction",
            "lag",
            "time",
            "backward_norm",
            "log_backward_norm",
            "log_deviation",
            "predicted_log_norm",
            "log_singular_max",
            "log_singular_min",
            "singular_min_status",
            "effective_rank",
        ];
        let rows = self.parts().flat_map(|part| {
            part.lags.iter().enumerate().map(|(k, &lag)| {
                let status = part.singular_min_status.get(k).map_or(Cell::Empty, |status| status.name().into());
                let measured = |numbers: &[f64]| numbers.get(k).copied().into();
                vec![
                    part.direction().into(),
                    Cell::Integer(lag as i64),
                    (lag as f64 * part.step).into(),
                    part.backward_norms[k].into(),
                    part.log_backward_norms[k].into(),
                    part.log_deviations[k].into(),
                    part.predicted_log(lag).into(),
                    measured(&part.log_singular_max),
                    measured(&part.log_singular_min),
                    status,
                    measured(&part.effective_rank),
                ]
            })
        });
        table::write(&folder.file("gradients.csv"), &header, rows)
    }

    /// In plain words.
    pub fn in_words(&self, out: &Path) -> String {
        let mut text = String::new();
        let mut line = |what: &str, words: String| {
            let _ = writeln!(text, "{what:<11} {words}");
        };
        for part in self.parts() {
            line("gradients", part.title.clone());
            if self.backward.is_some() {
                line("direction", part.direction().into());
            }
            let count = format!("{} lags, from {} ends of {} starts", part.lags.len(), part.ends, part.starts);
            line("measured", format!("{count}, {} gradients each, over {} steps", part.cotangents, part.steps));
            let [from, to] = part.fitted_lags;
            line("rate", format!("{} {} over lags {from} to {to}", short(part.measured_rate), part.unit));
            let (predicted, error) = (short(part.predicted_rate), part.predicted_error);
            line("predicted", format!("{predicted} ± {error:.1e} by the leading exponent of the same steps"));
            let last = part.lags.len();
            for (horizon, by_exponent) in [
                (part.horizon(), part.horizon_by_exponent),
                (part.precision_horizon(), part.precision_horizon_by_exponent),
            ] {
                let reach = reach(&horizon, last, by_exponent);
                line("horizon", format!("{} of the norm at lag 0: {reach}", short(horizon.threshold)));
            }
            if let Some(last) = part.products.last() {
                let (rank, of) = (short(last.effective_rank()), part.state_dimension);
                line("rank", format!("{rank} effective of {of} at lag {}", last.lag));
            } else if let Some(why) = &part.singular_values_missing {
                line("rank", format!("not measured: {why}"));
            }
        }
        line("files", format!("{}, {:.1} s", out.display(), self.wall_seconds));
        text.pop();
        text
    }
}

/// A horizon in words, with the last lag and what the leading exponent says.
fn reach(horizon: &Horizon, last: usize, by_exponent: Option<f64>) -> String {
    match horizon.reached {
        Reached::Measured => format!("{} steps", short(horizon.lag)),
        Reached::Extrapolated => {
            let other = match by_exponent {
                Some(lag) if lag.is_finite() => format!("{} steps", short(lag)),
                _ => "never".into(),
            };
            let from = format!("extrapolated from lags {} to {last}", last / 2);
            format!("{} steps, {from}; by the leading exponent {other}", short(horizon.lag))
        }
        Reached::Never => "never, the norm does not fall".into(),
    }
}
