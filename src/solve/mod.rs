//! Integrating vector fields: every trajectory with its own steps and its own output times.
//!
//! A method is a [`Tableau`]; a [`Control`] says how steps are chosen; a [`Problem`] holds starts and output times. All
//! trajectories of a chunk take their stages side by side, one lane each, and leave when they are done, so a lane's
//! result depends on its own numbers only.

mod chunks;
mod control;
pub(crate) mod engine;
mod independent;
mod integrate;
mod iterate;
mod lanes;
mod methods;
mod problem;
mod spec;
mod start;
mod tableau;
mod tape;

pub(crate) use chunks::Shifted;
pub use chunks::{CHUNK, map_chunks, solve};
pub use control::{Control, Gains, Options};
pub use independent::{INDEPENDENT_DOPRI5, solve_independently};
pub use integrate::integrate;
pub use iterate::iterate;
pub use methods::{DOPRI5, EULER, METHODS, RK4, TSIT5, method};
pub use problem::{Failure, Problem, Reason, Report, Solution};
pub use spec::SolverSpec;
pub use tableau::{Estimate, Tableau};
pub(crate) use tape::{Origin, Round};
pub use tape::{Recording, Tape};

#[cfg(test)]
mod tests;
