//! Training: from a panel to a fitted model.

mod checkpoint;
mod config;
mod config_file;
mod horizon;
mod metrics;
mod objective;
mod run;
mod sequences;
mod spec;
mod state;
mod trainer;
mod validation;

pub use checkpoint::{Checkpoint, Fingerprint};
pub use config::{DataSpec, FitConfig, SplitSpec};
pub use config_file::{DataHead, FileHead};
pub use metrics::{Metrics, baselines};
pub use objective::{Objective, Outcome, StartNoise};
pub use run::Run;
pub use sequences::{Growth, SequenceTrainer, SequenceTraining};
pub use spec::{OnFailure, TrainSpec};
pub use state::{Best, LogRow, Phase, Stopped, TrainState};
use trainer::Task;
pub use trainer::Trainer;
