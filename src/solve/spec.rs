//! A solver's settings as they stand in files.

use super::methods::adaptive_names;
use super::{Control, Options, method};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How the field is integrated, in training and in prediction alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolverSpec {
    /// Name of the method.
    pub method: String,
    /// Relative tolerance of adaptive methods.
    pub rtol: f64,
    /// Absolute tolerance of adaptive methods, in scaled units.
    pub atol: f64,
    /// Step of fixed-step methods, in the file's unit of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
    /// Attempted steps a trajectory may take.
    pub max_steps: usize,
}

impl SolverSpec {
    /// The solver's options for times scaled by `unit`.
    ///
    /// # Errors
    /// If there is no such method, or it lacks a step or an error estimate.
    pub fn options(&self, unit: f64) -> Result<Options> {
        let method = method(&self.method)?;
        // Told as it stands in the file, not scaled.
        if let Some(step) = self.step.filter(|step| !(*step > 0.0 && step.is_finite())) {
            return Err(Error::config(format!("the step is {step}"), "give a positive number"));
        }
        let control = match (&method.error, self.step) {
            (_, Some(step)) => Control::Fixed { step: step / unit },
            (Some(_), None) => Control::Adaptive { rtol: self.rtol, atol: self.atol },
            (None, None) => {
                return Err(Error::config(
                    format!("{} takes steps of fixed length and none is given", self.method),
                    format!("set `step` in the file's unit of time, or choose one of {}", adaptive_names()),
                ));
            }
        };
        let options = Options::new(method, control, self.max_steps);
        options.check()?;
        Ok(options)
    }
}
