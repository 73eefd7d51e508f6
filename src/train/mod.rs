//! Training: from a panel to a fitted model.

mod config;
mod metrics;
mod objective;
mod run;
mod spec;
mod trainer;

pub use config::{DataSpec, FitConfig, SplitSpec};
pub use metrics::{Metrics, baselines};
pub use objective::{Objective, Outcome, StartNoise};
pub use run::Run;
pub use spec::TrainSpec;
pub use trainer::{Best, LogRow, Phase, Stopped, TrainState, Trainer};
