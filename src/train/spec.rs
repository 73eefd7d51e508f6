//! The settings of a training run.

use crate::gradient::{Settings, Strategy, parse_bytes, show_bytes};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// What a gradient step makes of a trajectory that cannot be followed to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It counts nothing in that step.
    #[default]
    Skip,
    /// Its horizon is cut to the rows before the failure.
    Shrink,
    /// Training stops.
    Stop,
}

/// How the parameters are found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainSpec {
    /// Passes over the training part.
    pub epochs: usize,
    /// Highest learning rate.
    pub rate: f64,
    /// Decay of weights, relative to the rate.
    pub weight_decay: f64,
    /// Greatest norm of the gradient.
    pub clip: f64,
    /// Standard deviation of the noise added to starts in training, in scaled units.
    pub start_noise: f64,
    /// Rows a trajectory spans in the first stage.
    pub first_horizon: usize,
    /// Rows a trajectory spans in the last stage.
    pub horizon: usize,
    /// Weight of the gap between a window's end and the next one's learned start.
    pub continuity: f64,
    /// Conditioning rows that the recurrent encoder sees.
    pub memory: usize,
    /// Trajectories a gradient step.
    pub batch: usize,
    /// Epochs between two looks at the validation part.
    pub check_every: usize,
    /// Looks without improvement after which training stops.
    pub patience: usize,
    /// What becomes of trajectories that cannot be followed.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// How gradients are found.
    #[serde(default)]
    pub gradient: Strategy,
    /// Memory that the gradient's way back may take, such as `2GiB`.
    #[serde(default = "usual_memory")]
    pub gradient_memory: String,
}

pub(super) fn usual_memory() -> String {
    show_bytes(Settings::MEMORY).replace(' ', "")
}

/// Share of all epochs that the stages before the last one take.
const GROWING: f64 = 0.5;

/// So that products of two counts and a number of rows stay within bounds.
const LARGEST_COUNT: usize = 1_000_000_000;

impl TrainSpec {
    /// Horizons of the stages: doubling from the first to the last.
    pub fn horizons(&self) -> Vec<usize> {
        let (mut horizons, mut h) = (Vec::new(), self.first_horizon.max(2));
        while h < self.horizon {
            horizons.push(h);
            h *= 2;
        }
        horizons.push(self.horizon.max(2));
        horizons
    }

    /// The stage of an epoch.
    pub fn stage(&self, epoch: usize) -> usize {
        let growing = self.horizons().len() - 1;
        let each = (GROWING * self.epochs as f64 / growing.max(1) as f64).ceil().max(1.0) as usize;
        (epoch / each).min(growing)
    }

    /// How gradients are to be found, and with how much memory.
    ///
    /// # Errors
    /// If the memory is no amount.
    pub fn gradient_settings(&self) -> Result<Settings> {
        Ok(Settings { memory: parse_bytes(&self.gradient_memory)?, ..Settings::new(self.gradient) })
    }

    /// Checks that the numbers can be used.
    ///
    /// # Errors
    /// The first that cannot.
    pub fn check(&self) -> Result<()> {
        self.gradient_settings()?;
        let numbers = [
            ("rate", self.rate, self.rate > 0.0),
            ("weight_decay", self.weight_decay, self.weight_decay >= 0.0),
            ("clip", self.clip, self.clip > 0.0),
            ("start_noise", self.start_noise, self.start_noise >= 0.0),
            ("continuity", self.continuity, self.continuity >= 0.0),
        ];
        if let Some((name, value, _)) = numbers.into_iter().find(|(_, value, ok)| !(*ok && value.is_finite())) {
            let least = if matches!(name, "rate" | "clip") { "above 0" } else { "of at least 0" };
            return Err(Error::config(format!("training.{name} is {value}"), format!("give a number {least}")));
        }
        let counts = [
            ("epochs", self.epochs),
            ("first_horizon", self.first_horizon),
            ("horizon", self.horizon),
            ("memory", self.memory),
            ("batch", self.batch),
            ("check_every", self.check_every),
            ("patience", self.patience),
        ];
        match counts.into_iter().find(|(_, count)| !(1..=LARGEST_COUNT).contains(count)) {
            Some((name, count)) => Err(Error::config(
                format!("training.{name} is {count}"),
                format!("give a whole number from 1 to {LARGEST_COUNT}"),
            )),
            None => Ok(()),
        }
    }
}
