//! Spectra that are known exactly, and what a result says of itself.

mod errors;
mod exact;
mod flossing;
mod flows;
pub mod kit;
mod nets;
mod states;
mod sweeps;
