//! What several commands use.

pub mod checkpoints;
mod console;
pub mod fitted;
pub mod interrupt;
pub mod named;
pub mod predictions;
pub mod sources;

pub use console::{BETWEEN_LINES, Console, short, to_stdout, with_out};
