//! Recurrent cells: maps `h' = g(h, x; θ)` with the same contract as vector fields.
//!
//! To add one: implement [`Component`](crate::dynamics::Component) and [`Recurrent`] in a file here (`antisymmetric.rs` is the
//! smallest model) and let `dynamics::testkit` check them; spectra, gradients and `rest` then take it as a map, and
//! [`Along`] runs it along sequences. To have it in stacks, whole nets, files of PyTorch and the program as well, make it a
//! [`Kind`] of [`Cell`]: its equations in `cell.rs` and `gates.rs`, its second derivatives in `curved.rs`, its tensors' names
//! and gate order in `pytorch/`, its sum rule, if it has one, in `analysis/audit/cells.rs`.

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
mod stack_curved;

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
