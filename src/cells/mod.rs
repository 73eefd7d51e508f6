//! Recurrent cells: maps `h' = g(h, x; θ)` with the same contract as vector fields.

mod antisymmetric;
mod cell;
mod cornn;
mod curved;
mod gates;
#[cfg(test)]
pub(crate) mod golden;
mod jet;
mod layers;
mod map_cell;
mod orthogonal;
#[cfg(test)]
mod provable_tests;
pub mod pytorch;
mod ragged;
mod recurrent;
mod run;
mod sequence;
mod stack;

pub use antisymmetric::AntisymmetricRnn;
pub use cell::{Cell, Kind};
pub use cornn::CoRnn;
pub use layers::Layers;
pub use map_cell::MapCell;
pub use orthogonal::OrthogonalRnn;
pub use ragged::Ragged;
pub use recurrent::Recurrent;
pub use run::{Dropout, LayersTape};
pub use sequence::{Along, Cotangents, SequenceTape};
pub use stack::Stack;
