//! How steps are chosen.

use super::tableau::Coefficients;
use super::{TSIT5, Tableau};
use crate::{Error, Real, Result};

/// How a trajectory's steps are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Control {
    /// Steps of this length; the last one ends at the last output time.
    Fixed {
        /// Length of a step, positive.
        step: f64,
    },
    /// Steps such that the estimated error of each stays within `atol + rtol·|y|` (root mean square over components).
    Adaptive {
        /// Relative tolerance.
        rtol: f64,
        /// Absolute tolerance.
        atol: f64,
    },
}

/// A method with its step control.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The method.
    pub method: &'static Tableau,
    /// How its steps are chosen.
    pub control: Control,
    /// Attempted steps a trajectory may take.
    pub max_steps: usize,
}

impl Options {
    /// Tsit5 with these tolerances.
    pub fn adaptive(rtol: f64, atol: f64) -> Self {
        Self { method: &TSIT5, control: Control::Adaptive { rtol, atol }, max_steps: 100_000 }
    }

    /// A method with steps of fixed length.
    pub fn fixed(method: &'static Tableau, step: f64) -> Self {
        Self { method, control: Control::Fixed { step }, max_steps: 100_000_000 }
    }

    /// Checks that numbers are usable and that the method can do what the control asks.
    ///
    /// # Errors
    /// What cannot be used, and what to do.
    pub fn check(&self) -> Result<()> {
        let positive = |name: &str, x: f64| {
            if x > 0.0 && x.is_finite() {
                Ok(())
            } else {
                Err(Error::config(format!("{name} is {x}"), "give a positive number"))
            }
        };
        if self.max_steps == 0 {
            return Err(Error::config("max_steps is 0", "allow at least one step"));
        }
        let (stages, tableau) = (self.method.stages(), self.method);
        let rows = tableau.a.iter().enumerate().all(|(j, row)| row.len() == j);
        let error = tableau.error.is_none_or(|error| error.len() == stages);
        if stages < 2 || !rows || !error || tableau.a.len() != stages || tableau.dense.len() != stages {
            return Err(Error::shape(format!("tableau of {}", tableau.name), "rows that fit its nodes", "others"));
        }
        match self.control {
            Control::Fixed { step } => positive("the step", step),
            Control::Adaptive { rtol, atol } => {
                positive("the relative tolerance", rtol)?;
                positive("the absolute tolerance", atol)?;
                if self.method.error.is_none() {
                    return Err(Error::config(
                        format!("{} has no error estimate, so it cannot choose its own steps", self.method.name),
                        "give it a fixed step, or choose dopri5 or tsit5",
                    ));
                }
                Ok(())
            }
        }
    }
}

/// The PI controller of Hairer, Nørsett & Wanner I, sec. II.4 and IV.2 of volume II (β = 0.04), per lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Controller<T> {
    exponent: T,
    beta: T,
}

impl<T: Real> Controller<T> {
    const SAFETY: f64 = 0.9;
    const SHRINK: f64 = 0.2;
    const GROW: f64 = 10.0;
    /// The smallest error remembered, so that one lucky step does not open the next one wide.
    pub const ERROR_FLOOR: f64 = 1e-4;

    pub fn new(coefficients: &Coefficients<T>) -> Self {
        let beta = 0.2 / coefficients.order as f64;
        Self { exponent: T::of(1.0 / coefficients.order as f64 - 0.75 * beta), beta: T::of(beta) }
    }

    /// Factor for the next step after an accepted one with this scaled error.
    pub fn after_accept(&self, error: T, previous: T, just_rejected: bool) -> T {
        let factor = if error > T::zero() {
            T::of(Self::SAFETY) * previous.powf(self.beta) / error.powf(self.exponent)
        } else {
            T::of(Self::GROW)
        };
        let most = if just_rejected { T::one() } else { T::of(Self::GROW) };
        factor.max(T::of(Self::SHRINK)).min(most)
    }

    /// Factor for another attempt after a rejected one; an error that is not finite shrinks the step as far as allowed.
    pub fn after_reject(&self, error: T) -> T {
        if !error.is_finite() {
            return T::of(Self::SHRINK);
        }
        (T::of(Self::SAFETY) / error.powf(self.exponent)).max(T::of(Self::SHRINK)).min(T::of(Self::SAFETY))
    }
}
