//! Recurrent cells: maps `h' = g(h, x; θ)` with the same contract as vector fields.

mod cell;
mod gates;
#[cfg(test)]
pub(crate) mod golden;
mod layers;
pub mod pytorch;
mod recurrent;
mod sequence;
mod stack;

pub use cell::{Cell, Kind};
pub use layers::Layers;
pub use recurrent::Recurrent;
pub use sequence::{SequenceTape, pull_sequence, run_sequence};
pub use stack::Stack;
