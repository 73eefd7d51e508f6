//! Integrating vector fields: every trajectory with its own steps and its own output times.
//!
//! A method is a [`Tableau`]; a [`Control`] says how steps are chosen; a [`Problem`] holds starts and output times. All
//! trajectories of a chunk take their stages side by side, one lane each, and leave when they are done, so a lane's
//! result depends on its own numbers only.
//!
//! Two paths take the steps, to the same bits. The general one: `engine` runs the rounds, `stepper` computes stages and
//! their derivatives, `control` chooses steps, `outputs` and `events` read off the continuous extension, `tape` holds what
//! derivatives need. The one for many trajectories of a small field: `dynamics::march` computes the stages in vector
//! lanes and `ensemble` decides; it mirrors the rules of `engine` and `outputs`, which must change together with it.

pub(crate) mod checkpoints;
mod chunks;
mod control;
mod diagnose;
pub(crate) mod engine;
mod ensemble;
mod events;
mod failure;
mod implicit_map;
mod independent;
pub(crate) mod integrate;
mod iterate;
pub(crate) mod lanes;
mod methods;
mod outputs;
mod problem;
mod save;
mod spec;
mod start;
mod step_curved;
mod step_map;
pub(crate) mod stepper;
pub(crate) mod tableau;
pub(crate) mod tape;

pub use checkpoints::Checkpoints;
pub use chunks::{CHUNK, map_chunks, map_parts, solve};
pub(crate) use chunks::{map_problem, with_part};
pub use control::{Control, Gains, Options};
pub use failure::{Cause, Failure, Reason};
pub use implicit_map::ImplicitStepMap;
pub use independent::{Independent, solve_independently};
pub use integrate::{integrate, integrate_along};
pub use iterate::iterate;
pub use methods::*;
pub use problem::{Occurrence, Problem, Report, Solution};
pub use save::{Steps, solve_every_step, solve_observed};
pub use spec::SolverSpec;
pub use step_map::StepMap;
pub use tableau::{Estimate, Kind, Tableau};
pub use tape::{Recording, Tape};

#[cfg(test)]
mod tests;
