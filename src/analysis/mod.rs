//! What becomes of small displacements: Lyapunov spectra of anything that steps.
//!
//! A system that steps is a [`Component`](crate::dynamics::Component) with its parameters, its inputs and its clock
//! ([`Stepped`]); a flow steps by [`StepMap`](crate::solve::StepMap). A [`Walk`] carries states and frames of tangents
//! along and factors the frames; [`Run`] counts what the factors say, with error bars, and gives a [`Spectrum`].
//!
//! ```
//! use flowmap::analysis::{Run, SpectrumOptions, Stepped};
//! use flowmap::dynamics::systems::{Settings, system};
//! let henon = system("henon")?.build(&Settings::default())?;
//! let stepped = Stepped::map(&*henon.component, &henon.params);
//! let starts = [henon.start.clone()];
//! let spectrum = Run::new(&stepped, &starts, SpectrumOptions::new(500, 20_000))?.finish()?;
//! let [first, second] = spectrum.exponents[..] else { panic!() };
//! assert!((first - 0.419).abs() < 0.02 && (first + second - 0.3f64.ln()).abs() < 1e-8);
//! assert!((spectrum.kaplan_yorke()? - 1.258).abs() < 0.02);
//! # Ok::<(), flowmap::Error>(())
//! ```

pub mod audit;
mod blocking;
mod checkpoint;
mod covariant;
mod dimension;
mod fading;
pub mod flossing;
pub mod horizon;
mod interval;
mod ledger;
pub mod net;
mod product;
pub mod rest;
mod run;
pub mod section;
mod spectrum;
pub mod stability;
mod states;
mod stepped;
mod stretch;
mod suited;
pub mod sweep;
#[cfg(test)]
mod tests;
mod walk;

pub use blocking::standard_error;
pub use covariant::{Covariant, CovariantMeasured, CovariantOptions, Moment, Spread};
pub use fading::{Fading, MOST_DIMENSIONS, fading};
pub use product::{SingularValues, singular_values};
pub use run::{Run, SpectrumOptions};
pub use spectrum::{Spectrum, Status, TracePoint};
pub use stepped::{Clock, Drive, Stepped, near};
pub use suited::{least_step, suited_step};
pub use walk::{Frame, Walk};
