//! Recurrent cells: maps `h' = g(h, x; θ)` with the same contract as vector fields.

mod cell;
mod gates;
#[cfg(test)]
mod golden;
mod layers;
pub mod pytorch;
mod ragged;
mod recurrent;
mod run;
mod sequence;
mod stack;

pub use cell::{Cell, Kind};
pub use layers::Layers;
pub use ragged::Ragged;
pub use recurrent::Recurrent;
pub use run::{Dropout, LayersTape};
pub use sequence::{Along, Cotangents, SequenceTape};
pub use stack::Stack;
