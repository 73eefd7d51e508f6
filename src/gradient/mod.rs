//! Gradients through solves.
//!
//! The *exact discrete gradient*: the derivative of what the solver computed, step by step, with the accepted steps'
//! lengths held fixed (discretise-then-optimise). [`pull`] takes cotangents of the output states back to the starts and
//! parameters; [`push`] takes tangents of starts and parameters forward to the outputs, through the same steps.

mod differences;
mod discrete;
mod pull;
mod push;
mod saltation;

pub use differences::difference;
pub use discrete::{Gradient, gradient};
pub use pull::{pull, pull_with_events};
pub use push::{Pushed, push};

#[cfg(test)]
mod events_tests;
#[cfg(test)]
mod methods_tests;
#[cfg(test)]
mod tests;
