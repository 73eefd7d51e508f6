//! How long a method's steps may be.

use super::source::NEITHER;
use super::subject::Subject;
use crate::Result;
use crate::analysis::stability::{Around, course_limit, local_eigenvalues, measured_limit, predicted_limit};
use crate::solve::Tableau;
use nalgebra::Complex;

/// Relative precision of limits measured at rest.
const PRECISION: f64 = 1e-8;
/// Steps of all the trajectories that one is measured on, and fewest of each.
const STEPS: usize = 1024;
const FEWEST: usize = 4;
/// Rows that local eigenvalues are told at.
pub const LOCAL_ROWS: usize = 100;

/// Limits of one method, in the field's unit of time.
pub struct Limits {
    pub predicted: f64,
    pub measured: f64,
    /// Whether the measured limit is the longest step that was tried.
    pub at_least: bool,
    pub kind: &'static str,
}

/// The step up to which no mode grows at rest, or, where nothing attracts, none along the trajectory that does
/// not grow by itself.
pub fn predicted(methods: &[&'static Tableau], subject: &Subject) -> Result<Vec<f64>> {
    if let Some(point) = &subject.attracting {
        return Ok(methods.iter().map(|method| predicted_limit(method, &point.eigenvalues)).collect());
    }
    let (times, states) = subject.trajectory(LOCAL_ROWS)?;
    let mut local = local_eigenvalues(subject.field, subject.params, &times, &states);
    local.dedup();
    let least = |method: &&'static Tableau| {
        // A partitioned method takes λ and −λ together, of which neither decays unless both only turn.
        let bounds = |z: &&Complex<f64>| if method.is_partitioned() { z.re == 0.0 } else { z.re <= NEITHER * z.norm() };
        let modes = local.iter().map(|modes| modes.iter().filter(bounds).copied().collect::<Vec<_>>());
        modes.map(|modes| predicted_limit(method, &modes)).fold(f64::INFINITY, f64::min)
    };
    Ok(methods.iter().map(least).collect())
}

impl Limits {
    pub fn of(method: &'static Tableau, predicted: f64, subject: &Subject) -> Result<Self> {
        let (field, params) = (subject.field, subject.params);
        let Some(point) = &subject.attracting else {
            let measured = course_limit(field, params, method, subject.course())?;
            return Ok(Self { predicted, measured, at_least: measured >= subject.span, kind: "trajectory" });
        };
        let fastest = point.eigenvalues.iter().map(|z| z.norm()).fold(0.0, f64::max);
        let around = Around { state: &point.state, towards: &subject.start, fastest };
        let steps = (STEPS / point.state.len().max(1)).max(FEWEST) as u64;
        let measured = measured_limit(field, params, method, around, predicted, (PRECISION, steps))?;
        Ok(Self { predicted, measured, at_least: false, kind: "rest_point" })
    }
}
