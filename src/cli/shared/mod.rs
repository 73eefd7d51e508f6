//! What several commands use.

pub mod checkpoints;
pub mod console;
pub mod fitted;
pub mod interrupt;
pub mod named;
pub mod predictions;
pub mod sources;
