//! Everything needed to repeat a fit.

use super::run::ahead;
use super::spec::usual_memory;
use super::{OnFailure, TrainSpec};
use crate::gradient::Strategy;
use crate::models::ModelSpec;
use crate::nn::Activation;
use crate::series::Panel;
use crate::series::levels::levels_dominate;
use crate::series::read::ReadOptions;
use crate::series::scale::{Transform, suggest_transform};
use crate::series::split::{HoldOut, Split};
use crate::solve::SolverSpec;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The whole configuration of a fit, as written to `config.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitConfig {
    /// Seed of everything random.
    pub seed: u64,
    /// The data.
    pub data: DataSpec,
    /// What is held out.
    pub split: SplitSpec,
    /// The model.
    pub model: ModelSpec,
    /// The training.
    pub training: TrainSpec,
    /// The solver.
    pub solver: SolverSpec,
}

/// Which data, and how it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// The file.
    pub path: PathBuf,
    /// Name of the time column.
    pub time: String,
    /// Name of the series column; `series_id` where the file has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<String>,
    /// Channels, in order.
    pub channels: Vec<String>,
    /// Pairs of a channel and its column of measurement errors.
    pub errors: Vec<(String, String)>,
    /// Spellings of a missing cell beside the empty one.
    pub missing: Vec<String>,
    /// Channels that are modelled in logarithms.
    pub log: Vec<String>,
    /// Channels of which each series' own mean is taken off.
    pub centre: Vec<String>,
}

impl DataSpec {
    /// The usual columns of a file that was read into a panel.
    pub fn new(path: impl Into<PathBuf>, panel: &Panel) -> Self {
        Self {
            path: path.into(),
            time: ReadOptions::default().time,
            series: None,
            channels: panel.channels().to_vec(),
            errors: Vec::new(),
            missing: Vec::new(),
            log: Vec::new(),
            centre: Vec::new(),
        }
    }
}

/// What is held out for testing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitSpec {
    /// Last fraction of each series' rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdout: Option<f64>,
    /// Fraction of whole series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdout_series: Option<f64>,
    /// Fraction of a held-out series' rows that it is conditioned on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<f64>,
}

impl SplitSpec {
    /// The same as the split's own type.
    ///
    /// # Errors
    /// If both kinds are asked for.
    pub fn hold_out(&self) -> Result<HoldOut> {
        match (self.holdout, self.holdout_series) {
            (None, None) => Ok(HoldOut::Nothing),
            (Some(fraction), None) => Ok(HoldOut::Rows(fraction)),
            (None, Some(fraction)) => Ok(HoldOut::Series { fraction, condition: self.condition }),
            (Some(_), Some(_)) => {
                Err(Error::config("both --holdout and --holdout-series are given", "give one of them"))
            }
        }
    }
}

/// Longest trajectory of training by default, in rows.
const LONGEST_HORIZON: usize = 64;

impl FitConfig {
    /// Settings that suit the data: the starting point that a user's own settings are laid over.
    ///
    /// # Errors
    /// If the split was made for another panel.
    pub fn suited(data: DataSpec, split_spec: SplitSpec, seed: u64, panel: &Panel, split: &Split) -> Result<Self> {
        let training = split.training(panel)?;
        let fitted: Vec<usize> = split.series.iter().map(|s| s.fitted().len()).filter(|&n| n > 1).collect();
        let longest = fitted.iter().copied().max().unwrap_or(0);
        let (channels, single) = (panel.channel_count(), panel.series_count() == 1);
        let ahead = ahead(split);
        let horizon =
            if single { longest.min(LONGEST_HORIZON) } else { ahead.min(LONGEST_HORIZON).min(longest.max(2)) };
        // A short series is learned piece by piece; a long one gives many windows of useful length at once.
        let first_horizon = if single && longest <= LONGEST_HORIZON { 4 } else { horizon.div_ceil(2) };
        let width = if channels <= 4 { 32 } else { 64 };
        let channel = |chosen: &dyn Fn(usize) -> bool| {
            let names = panel.channels().iter().enumerate();
            names.filter(|(c, _)| chosen(*c)).map(|(_, name)| name.clone()).collect::<Vec<_>>()
        };
        let log = channel(&|c| suggest_transform(&training.observed_values(c)) == Transform::Log);
        let centre = channel(&|c| !single && levels_dominate(&training, c));
        Ok(Self {
            seed,
            data: DataSpec { log, centre, ..data },
            split: split_spec,
            model: ModelSpec {
                augment: 0,
                hidden: vec![width, width],
                activation: Activation::Tanh,
                periods: Vec::new(),
                time: false,
                encoder: if single { 0 } else { 32 },
            },
            training: TrainSpec {
                on_failure: OnFailure::default(),
                gradient: Strategy::default(),
                gradient_memory: usual_memory(),
                epochs: 3000,
                rate: if single { 0.01 } else { 0.003 },
                weight_decay: if single { 0.01 } else { 1.0 },
                clip: 1.0,
                start_noise: if single { 0.0 } else { 0.02 },
                first_horizon,
                horizon,
                continuity: 30.0,
                memory: 64,
                batch: 64,
                check_every: 10,
                patience: 50,
            },
            solver: SolverSpec { method: "tsit5".into(), rtol: 1e-4, atol: 1e-4, step: None, max_steps: 10_000 },
        })
    }
}
