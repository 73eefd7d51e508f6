//! What is asked of a solve, and what comes back.

use super::Failure;
use crate::dynamics::Inputs;
use crate::{Error, Real, Result};

/// Trajectories to integrate: starts and output times, each trajectory with its own.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a, T> {
    /// Start time of each trajectory.
    pub start_times: &'a [T],
    /// Start states, one trajectory after another.
    pub starts: &'a [T],
    /// Trajectory `s` has the output rows `row_ptr[s]..row_ptr[s + 1]`.
    pub row_ptr: &'a [usize],
    /// Output times, moving away from the start time (either way) within a trajectory.
    pub times: &'a [T],
}

impl<'a, T: Real> Problem<'a, T> {
    /// Number of trajectories.
    pub fn len(&self) -> usize {
        self.start_times.len()
    }

    /// Whether there is no trajectory.
    pub fn is_empty(&self) -> bool {
        self.start_times.is_empty()
    }

    /// Checks sizes, order and finiteness for a state of `dim` rows.
    ///
    /// # Errors
    /// The first thing that does not fit, with its trajectory.
    pub fn check(&self, dim: usize) -> Result<()> {
        let count = self.len();
        if self.starts.len() != count * dim {
            return Err(Error::shape("start states", format!("{count} × {dim}"), self.starts.len()));
        }
        let whole = self.row_ptr.first() == Some(&0)
            && self.row_ptr.last() == Some(&self.times.len())
            && self.row_ptr.len() == count + 1
            && self.row_ptr.is_sorted();
        if !whole {
            return Err(Error::shape(
                "row pointers",
                format!("{} rising from 0 to {}", count + 1, self.times.len()),
                format!("{:?}", self.row_ptr),
            ));
        }
        for s in 0..count {
            let (t0, times) = (self.start_times[s], &self.times[self.row_ptr[s]..self.row_ptr[s + 1]]);
            if !t0.is_finite() || times.iter().any(|t| !t.is_finite()) {
                return Err(Error::shape(format!("times of trajectory {s}"), "finite numbers", "a number that is not"));
            }
            let forward = times.last().is_none_or(|&end| end >= t0);
            let mut before = t0;
            for &t in times {
                if if forward { t < before } else { t > before } {
                    return Err(Error::shape(
                        format!("output times of trajectory {s}"),
                        format!("times that move away from its start {t0}"),
                        format!("{t} after {before}"),
                    ));
                }
                before = t;
            }
        }
        Ok(())
    }

    /// Refuses inputs for fewer trajectories than there are.
    pub(crate) fn check_inputs(&self, inputs: Option<&dyn Inputs<T>>) -> Result<()> {
        match inputs.map(|inputs| inputs.trajectories()) {
            Some(count) if count < self.len() => Err(Error::shape("trajectories with inputs", self.len(), count)),
            _ => Ok(()),
        }
    }

    /// The trajectories `range` alone, with row pointers of their own in `row_ptr`.
    pub(crate) fn part(
        &self,
        range: std::ops::Range<usize>,
        dim: usize,
        row_ptr: &'a mut Vec<usize>,
    ) -> Problem<'a, T> {
        let first = self.row_ptr[range.start];
        row_ptr.clear();
        row_ptr.extend(self.row_ptr[range.start..=range.end].iter().map(|row| row - first));
        Problem {
            start_times: &self.start_times[range.clone()],
            starts: &self.starts[range.start * dim..range.end * dim],
            times: &self.times[first..self.row_ptr[range.end]],
            row_ptr,
        }
    }
}

/// What a trajectory cost and how it ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Steps that counted.
    pub accepted: usize,
    /// Attempts that were repeated with a smaller step.
    pub rejected: usize,
    /// Evaluations of the field.
    pub evaluations: usize,
    /// The event that ended it before its last output time, if one did.
    pub stopped_by: Option<usize>,
    /// Why it failed before its last output time, if it did.
    pub failure: Option<Failure>,
}

/// States at all output times.
#[derive(Clone, Debug)]
pub struct Solution<T> {
    /// `rows × dim`, one row after another; rows beyond a failure or a stop are NaN.
    pub states: Vec<T>,
    /// One a trajectory.
    pub reports: Vec<Report>,
    /// Events as they happened, each trajectory's in order of time; [`solve`](super::solve) puts one trajectory after
    /// another, a single pass leaves them in the order in which it met them.
    pub occurrences: Vec<Occurrence<T>>,
}

/// An event that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Occurrence<T> {
    /// Which trajectory.
    pub trajectory: usize,
    /// Which event of the field.
    pub event: usize,
    /// When.
    pub time: T,
    /// The state just before a jump.
    pub state: Vec<T>,
}

impl<T> Solution<T> {
    /// Puts parts together, each with the number of its first trajectory.
    pub(crate) fn whole(parts: Vec<Result<(usize, Self)>>) -> Result<Self> {
        let mut whole = Self { states: Vec::new(), reports: Vec::new(), occurrences: Vec::new() };
        for part in parts {
            let (first, part) = part?;
            whole.states.extend(part.states);
            whole.reports.extend(part.reports);
            let shifted = |o: Occurrence<T>| Occurrence { trajectory: first + o.trajectory, ..o };
            whole.occurrences.extend(part.occurrences.into_iter().map(shifted));
        }
        // Within a part they are in the order in which they were met.
        whole.occurrences.sort_by_key(|o| o.trajectory);
        Ok(whole)
    }

    /// The first trajectory that failed, as an error.
    ///
    /// # Errors
    /// That failure, with the trajectory's number.
    pub fn all_finished(&self) -> Result<()> {
        for (series, report) in self.reports.iter().enumerate() {
            if let Some(failure) = &report.failure {
                return Err(Error::Solve { series: format!("number {series}"), failure: *failure });
            }
        }
        Ok(())
    }
}
