//! What a training run has reached.

use crate::nn::AdamW;
use serde::{Deserialize, Serialize};

/// Everything that decides how training goes on. A run stopped at any epoch and resumed from its state ends in the same
/// bits as one that was not.
#[derive(Clone, Debug)]
pub struct TrainState {
    /// What is being done.
    pub phase: Phase,
    /// Epochs of this phase done.
    pub epoch: usize,
    /// Rows that a trajectory spans, which say how many learned starts there are.
    pub horizon: usize,
    /// The most rows over which gradients were found to be trusted; none until some were found not to be.
    pub trusted: Option<usize>,
    /// The model's parameters, then the learned starts of the present windows.
    pub values: Vec<f64>,
    /// Their exponential average over recent steps: what is judged and kept (Polyak & Juditsky 1992).
    pub average: Vec<f64>,
    /// The optimiser.
    pub optimizer: AdamW<f64>,
    /// The initial values on the validation part.
    pub first: Option<Best>,
    /// The best averages on the validation part so far.
    pub best: Option<Best>,
    /// Looks at the validation part since then.
    pub looks_since_best: usize,
    /// Steps that were left out in a row because every trajectory failed.
    pub failed_steps: usize,
    /// A row an epoch.
    pub log: Vec<LogRow>,
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Fitting the rows before the validation part and watching that part.
    Search,
    /// Fitting all training rows anew, for as many epochs as the search found best.
    Refit,
}

/// The best parameters so far.
#[derive(Clone, Debug)]
pub struct Best {
    /// Epochs done when they were found.
    pub epoch: usize,
    /// Rows that a trajectory spanned, which say how many learned starts there are.
    pub horizon: usize,
    /// Mean squared scaled error on the validation part.
    pub score: f64,
    /// Sum of squared scaled errors along each trajectory of it.
    pub errors: Vec<f64>,
    /// Parameters, then learned starts.
    pub values: Vec<f64>,
}

/// What an epoch did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogRow {
    /// What was being done.
    pub phase: Phase,
    /// Counted from 1 in each phase.
    pub epoch: usize,
    /// Rows a trajectory spans.
    pub horizon: usize,
    /// Learning rate of its last step.
    pub rate: f64,
    /// Mean weighted squared error over the cells met.
    pub train_loss: f64,
    /// Mean squared error on the validation part, where it was looked at.
    pub validation_loss: Option<f64>,
    /// Norm of the gradient of its last step, before clipping.
    pub gradient_norm: f64,
    /// Trajectories that failed.
    pub failures: usize,
}

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// All epochs were done.
    Epochs,
    /// The validation part stopped improving.
    Patience,
    /// Training did not clearly improve on the validation part over the initial values, which are kept.
    NoImprovement,
    /// The user asked.
    Interrupted,
}
