//! Integrating vector fields: every trajectory with its own steps and its own output times.
//!
//! A method is a [`Tableau`]; a [`Control`] says how steps are chosen; a [`Problem`] holds starts and output times. All
//! trajectories of a chunk take their stages side by side, one lane each, and leave when they are done, so a lane's
//! result depends on its own numbers only.

mod chunks;
mod control;
mod diagnose;
pub(crate) mod engine;
mod ensemble;
mod events;
mod failure;
mod independent;
mod integrate;
mod iterate;
mod lanes;
mod methods;
mod outputs;
mod problem;
mod save;
mod spec;
mod start;
mod step_map;
pub(crate) mod stepper;
mod tableau;
pub(crate) mod tape;

pub(crate) use chunks::Shifted;
pub use chunks::{CHUNK, map_chunks, solve};
pub use control::{Control, Gains, Options};
pub use failure::{Cause, Failure, Reason};
pub use independent::{Independent, solve_independently};
pub use integrate::integrate;
pub use iterate::iterate;
pub use methods::{
    BS3, DOP853, DOPRI5, EULER, HEUN, IMPLICIT_EULER, KVAERNO5, METHODS, MIDPOINT, RALSTON, RK4, RK4_38, SSPRK3, TSIT5,
    VERLET, VERN7, YOSHIDA4, method,
};
pub use problem::{Occurrence, Problem, Report, Solution};
pub use save::{Steps, solve_every_step, solve_observed};
pub use spec::SolverSpec;
pub use step_map::StepMap;
pub use tableau::{Estimate, Tableau};
pub use tape::{Recording, Tape};

#[cfg(test)]
mod tests;
