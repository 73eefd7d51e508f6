//! Recurrent cells: maps `h' = g(h, x; θ)` with the same contract as vector fields.

mod gru;
mod sequence;

pub use gru::Gru;
pub use sequence::{SequenceTape, pull_sequence, run_sequence};
