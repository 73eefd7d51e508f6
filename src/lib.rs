//! Systems that evolve in time, learned or given.
//!
//! A *flow* (an ODE, learned or written down) and a recurrent *cell* are both dynamical systems with a linearisation.
//! Every system here offers the same few operations, its [`Component`](dynamics::Component) contract: evaluate,
//! linearise once, then push tangents forward (JVP) and pull cotangents back (VJP). Simulation, training and stability
//! analysis are written once on top of these.

pub mod analysis;
pub mod cells;
#[cfg(feature = "cli")]
pub mod cli;
pub mod dynamics;
mod error;
pub mod gradient;
pub mod io;
pub mod linalg;
pub mod models;
pub mod nn;
#[cfg(feature = "plot")]
pub mod plot;
mod random;
mod real;
pub mod series;
pub mod solve;
pub mod train;

pub use error::{Error, Result};
pub use real::Real;

/// The README's code compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// So does that of the page on spectra.
#[cfg(doctest)]
#[doc = include_str!("../docs/lyapunov.md")]
struct Spectra;
