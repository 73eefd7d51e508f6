//! How good a fit is, and what a person gets with no model.

use super::{Run, Stopped};
use crate::Result;
use crate::models::{Fitted, Prediction};
use crate::series::Panel;
use crate::series::baseline::{BASELINES, channel_mse, scaled_mse};
use crate::series::scale::Moments;
use serde::Serialize;
use std::collections::BTreeMap;

/// `metrics.json`. Scaled errors are in units of each channel's training standard deviation.
#[derive(Clone, Debug, Serialize)]
pub struct Metrics {
    /// Name of the model.
    pub model: &'static str,
    /// Seed of the run.
    pub seed: u64,
    /// Epochs done.
    pub epochs: usize,
    /// Over all training cells, the validation part among them.
    #[serde(with = "crate::io::json::number")]
    pub train_mse_scaled: Option<f64>,
    /// By channel, in the file's units squared, over held-out cells.
    #[serde(with = "crate::io::json::number")]
    pub test_mse: Option<BTreeMap<String, Option<f64>>>,
    /// Over held-out cells.
    #[serde(with = "crate::io::json::number")]
    pub test_mse_scaled: Option<f64>,
    /// Share of held-out cells within the 90 % interval.
    #[serde(with = "crate::io::json::number")]
    pub test_interval_coverage: Option<f64>,
    /// The same error of predictions without a model.
    #[serde(with = "crate::io::json::number")]
    pub baseline_mse_scaled: Option<BTreeMap<String, Option<f64>>>,
    /// Seconds of training, over all sessions of a resumed run.
    pub wall_seconds: f64,
    /// Parameters of the model and learned starts.
    pub parameters: usize,
    /// Why training ended.
    pub stopped_because: Stopped,
}

/// Scaled errors of the baselines on the held-out cells, none if nothing is held out.
///
/// # Errors
/// If the run's split was made for another panel.
pub fn baselines(run: &Run) -> Result<Option<BTreeMap<String, Option<f64>>>> {
    let test = run.split().test(run.panel())?;
    if test.row_count() == 0 {
        return Ok(None);
    }
    let moments = Moments::of(&run.split().training(run.panel())?);
    let given = run.split().before_test(run.panel())?;
    let mut errors = BTreeMap::new();
    for (name, predict) in BASELINES {
        let values = predict(&given, &moments.mean, &test.times_by_series())?;
        errors.insert(name.to_string(), scaled_mse(&values, test.values(), test.mask(), &moments.deviation)?);
    }
    Ok(Some(errors))
}

impl Metrics {
    /// Scores a fitted model on the run's training and held-out cells.
    ///
    /// # Errors
    /// If model and run do not belong together.
    pub fn of(run: &Run, fitted: &Fitted, epochs: usize, wall_seconds: f64, stopped_because: Stopped) -> Result<Self> {
        let training = run.split().training(run.panel())?;
        let moments = Moments::of(&training);
        let predict =
            |panel: &Panel| -> Result<Prediction> { fitted.predict(&fitted.anchors, &panel.times_by_series()) };
        let fit = predict(&training)?;
        let test = run.split().test(run.panel())?;
        let forecast = predict(&test)?;
        let held_out = test.row_count() > 0;
        let by_channel = || -> Result<BTreeMap<String, Option<f64>>> {
            let errors = channel_mse(&forecast.values, test.values(), test.mask(), test.channel_count())?;
            Ok(test.channels().iter().cloned().zip(errors).collect())
        };
        Ok(Self {
            model: "neural-ode",
            seed: run.config().seed,
            epochs,
            train_mse_scaled: scaled_mse(&fit.values, training.values(), training.mask(), &moments.deviation)?,
            test_mse: if held_out { Some(by_channel()?) } else { None },
            test_mse_scaled: scaled_mse(&forecast.values, test.values(), test.mask(), &moments.deviation)?,
            test_interval_coverage: coverage(&forecast, &test),
            baseline_mse_scaled: baselines(run)?,
            wall_seconds,
            parameters: fitted.params.len(),
            stopped_because,
        })
    }
}

fn coverage(forecast: &Prediction, test: &Panel) -> Option<f64> {
    let cells: Vec<usize> = (0..test.values().len()).filter(|&cell| test.mask()[cell]).collect();
    let within = cells.iter().filter(|&&cell| {
        let value = test.values()[cell];
        forecast.low[cell] <= value && value <= forecast.high[cell]
    });
    (!cells.is_empty()).then(|| within.count() as f64 / cells.len() as f64)
}
