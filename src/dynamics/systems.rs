//! Named systems: flows and maps of the literature with their parameters, usual starts and known Lyapunov exponents.
//!
//! ```
//! use flowmap::dynamics::systems::{Settings, system};
//! let lorenz = system("lorenz63")?.build(&Settings::parse(&["rho=24.5"])?)?;
//! assert_eq!(lorenz.params, [10.0, 24.5, 8.0 / 3.0]);
//! assert_eq!((lorenz.labels.join(" ").as_str(), lorenz.sum_of_exponents), ("x y z", Some(-41.0 / 3.0)));
//! # Ok::<(), flowmap::Error>(())
//! ```

mod dissipative;
mod hamiltonian;
mod instance;
mod kinetics;
mod kuramoto_sivashinsky;
mod lorenz96;
mod mackey_glass;
mod maps;
mod oscillators;
mod rate_network;
mod settings;
mod system;
#[cfg(test)]
mod tests;

pub use instance::{Conserved, Instance, Stepping};
pub use lorenz96::Lorenz96;
pub use rate_network::RateNetwork;
pub use settings::Settings;
pub use system::{Exponent, Kind, Measure, Parameter, Reference, Span, System};

use crate::{Error, Result};

/// Every named system: flows, then maps.
pub const SYSTEMS: [&System; 22] = [
    &dissipative::LORENZ63,
    &dissipative::ROSSLER,
    &dissipative::HYPER_ROSSLER,
    &oscillators::DUFFING,
    &oscillators::VAN_DER_POL,
    &oscillators::PENDULUM,
    &hamiltonian::HENON_HEILES,
    &hamiltonian::DOUBLE_PENDULUM,
    &lorenz96::LORENZ96,
    &kuramoto_sivashinsky::KURAMOTO_SIVASHINSKY,
    &mackey_glass::MACKEY_GLASS,
    &rate_network::RATE_NETWORK,
    &kinetics::LOTKA_VOLTERRA,
    &kinetics::ROBERTSON,
    &kinetics::STIFF_LINEAR,
    &maps::HENON,
    &maps::IKEDA,
    &maps::LOZI,
    &maps::STANDARD,
    &maps::LOGISTIC,
    &maps::TENT,
    &maps::CAT,
];

/// The system of this name.
///
/// # Errors
/// If there is none; the message lists those there are.
pub fn system(name: &str) -> Result<&'static System> {
    SYSTEMS.into_iter().find(|system| system.name == name).ok_or_else(|| {
        let names: Vec<_> = SYSTEMS.iter().map(|system| system.name).collect();
        let what = format!("no system is called \"{}\"", crate::io::clipped(name));
        Error::config(what, format!("choose one of {}", names.join(", ")))
    })
}
