//! The methods: a tableau each.
//!
//! To add one: write its tableau as a constant in a file here (`explicit.rs` is a model, `implicit.rs` for diagonally
//! implicit ones; a pair without a continuous extension of its own may take cubic Hermite's, as [`BS3`] does; what a tableau
//! has to fulfil stands at [`Tableau`](super::Tableau) and is checked), name the constant here and in [`METHODS`], and give it
//! a row in `docs/solvers.md`. The tests in `tests.rs` and `solve/tests/orders.rs` take up every method in the list.

mod dop853;
mod dopri5;
mod explicit;
mod implicit;
mod symplectic;
#[cfg(test)]
mod tests;
mod tsit5;
mod vern7;

pub use dop853::DOP853;
pub use dopri5::DOPRI5;
pub use explicit::{BS3, EULER, HEUN, MIDPOINT, RALSTON, RK4, RK4_38, SSPRK3};
pub use implicit::{IMPLICIT_EULER, KVAERNO5};
pub use symplectic::{VERLET, YOSHIDA4};
pub use tsit5::TSIT5;
pub use vern7::VERN7;

use super::tableau::Tableau;
use crate::{Error, Result};

/// Every method, for lists and look-up: explicit ones by order, then implicit and symplectic ones.
pub const METHODS: &[&Tableau] = &[
    &EULER,
    &MIDPOINT,
    &HEUN,
    &RALSTON,
    &SSPRK3,
    &BS3,
    &RK4,
    &RK4_38,
    &DOPRI5,
    &TSIT5,
    &VERN7,
    &DOP853,
    &IMPLICIT_EULER,
    &KVAERNO5,
    &VERLET,
    &YOSHIDA4,
];

/// The methods that can choose their own steps, for messages.
pub(crate) fn adaptive_names() -> String {
    let names: Vec<_> = METHODS.iter().filter(|tableau| tableau.error.is_some()).map(|tableau| tableau.name).collect();
    names.join(", ")
}

/// The method of this name.
///
/// # Errors
/// If there is none; the message lists those there are.
pub fn method(name: &str) -> Result<&'static Tableau> {
    METHODS.iter().copied().find(|tableau| tableau.name == name).ok_or_else(|| {
        let names: Vec<_> = METHODS.iter().map(|tableau| tableau.name).collect();
        Error::config(format!("no method is called \"{name}\""), format!("choose one of {}", names.join(", ")))
    })
}
