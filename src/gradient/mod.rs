//! Gradients through solves.
//!
//! One contract, several strategies: [`gradient`] takes a loss over trajectories and [`Settings`], of which [`Strategy`]
//! says how the derivative is found; [`Plan`] picks one by the memory it will take. [`Passed`] is the same contract one
//! chunk of trajectories at a time, for losses that are more than a sum over outputs. Beneath it, [`pull_all`] takes
//! cotangents of the output states back through recorded steps to starts, parameters and inputs (the *exact discrete
//! gradient*: the derivative of what the solver computed, the accepted steps' lengths held fixed), and [`push`] takes
//! tangents forward through the same steps. [`audit`] compares the strategies with each other and with differences, and
//! [`growth`] says over which span gradients can be trusted.

mod adjoint;
mod audit;
mod continuous;
mod dense;
mod differences;
mod forward;
mod growth;
mod hybrid;
mod of_loss;
mod passed;
mod plan;
mod pull;
mod push;
mod replay;
mod saltation;
mod strategy;

pub use audit::{Audit, AuditRow, Direction, audit};
pub use differences::difference;
pub use growth::{Growth, growth, trusted_span};
pub use hybrid::{Hybrid, HybridPass};
pub use of_loss::{Gradient, gradient};
pub use passed::Passed;
pub use plan::Plan;
pub use pull::{Bars, Onto, Pulled, pull, pull_all};
pub use push::{Pushed, push};
pub use strategy::{Settings, Strategy, parse_bytes, show_bytes};

#[cfg(test)]
mod events_tests;
#[cfg(test)]
mod methods_tests;
#[cfg(test)]
mod strategies_tests;
#[cfg(test)]
mod tests;
