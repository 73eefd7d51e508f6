//! Training: from a panel to a fitted model.

mod objective;
mod segments;
mod spec;
mod trainer;

pub use objective::{Objective, Outcome};
pub use segments::{Segment, Start};
pub use spec::{SolverSpec, TrainSpec};
pub use trainer::{Best, LogRow, Stopped, TrainState, Trainer};
