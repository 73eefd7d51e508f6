//! What is looked at: a field, its trajectory, and where it rests.

use super::source::SHARE;
use crate::analysis::rest::{Found, RestPoint, Resting};
use crate::analysis::stability::{Course, accurate};
use crate::dynamics::{Component, Field};
use crate::series::grid::spread;
use crate::{Error, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Starts of the search for rest beside those that suggest themselves.
const FURTHER_STARTS: usize = 24;
/// Rows of the trajectory that deviations are taken from.
const ROWS: usize = 400;
/// A component that moves by less than this share of the one that moves most is held to that.
const LEAST_MOVED: f64 = 1e-6;
/// Times of the fastest mode in a span that make it stiff, and the share of one that is drawn first.
const STIFF: f64 = 1e3;
const AT_FIRST: f64 = 0.1;

/// A field with a trajectory, its point of rest if one attracts, and what a step may be off.
pub struct Subject<'a> {
    pub name: String,
    pub kind: &'static str,
    pub field: Field<'a, f64>,
    pub params: &'a [f64],
    pub labels: Vec<String>,
    pub start: Vec<f64>,
    pub time: f64,
    pub span: f64,
    /// Units of time outside in one of the field's.
    pub unit: f64,
    /// Whether the field is linear in the state and does not change with time.
    pub is_linear: bool,
    pub energy: Option<&'a dyn Component<f64>>,
    pub tolerance: Vec<f64>,
    /// Whether the field changes with time.
    pub timed: bool,
    pub rest: Found,
    /// The point of rest that attracts, nearest to where the trajectory ends.
    pub attracting: Option<RestPoint>,
}

impl Subject<'_> {
    pub fn course(&self) -> Course<'_> {
        Course { start: &self.start, time: self.time, span: self.span, tolerance: &self.tolerance }
    }

    /// The accurate trajectory at evenly spread times: times, and states one after another.
    pub fn trajectory(&self, rows: usize) -> Result<(Vec<f64>, Vec<f64>)> {
        self.at(spread(self.time, self.time + self.span, rows))
    }

    /// The same at times that are spread as a figure shows them.
    pub fn trajectory_drawn(&self, rows: usize) -> Result<(Vec<f64>, Vec<f64>)> {
        if !self.is_stiff() {
            return self.trajectory(rows);
        }
        let (first, last) = ((AT_FIRST / self.fastest()).ln(), self.span.ln());
        self.at(spread(first, last, rows).into_iter().map(|t| self.time + t.exp()).collect())
    }

    fn at(&self, times: Vec<f64>) -> Result<(Vec<f64>, Vec<f64>)> {
        let states = accurate(self.field, self.params, self.course(), &times)?;
        Ok((times, states))
    }

    /// The largest size of an eigenvalue where the trajectory comes to rest, 0 where it does not.
    fn fastest(&self) -> f64 {
        self.attracting.iter().flat_map(|point| &point.eigenvalues).map(|z| z.norm()).fold(0.0, f64::max)
    }

    /// Whether the fastest mode is gone in so small a part of the trajectory that only logarithmic times show it.
    pub fn is_stiff(&self) -> bool {
        self.span * self.fastest() > STIFF
    }

    /// What times are told in.
    pub fn time_unit(&self) -> &'static str {
        match self.kind {
            "model" => "the data's unit",
            "matrix" => "unit of the inverse matrix",
            _ => "the system's unit",
        }
    }

    /// What states are told in.
    pub fn state_unit(&self) -> &'static str {
        match self.kind {
            "model" => "standard deviations",
            "matrix" => "unit of the start",
            _ => "the system's unit",
        }
    }

    /// Sets how long the trajectory is, in units outside, if it is to be other than usual.
    ///
    /// # Errors
    /// If the time does not go on so little.
    pub fn follow_for(&mut self, span: Option<f64>) -> Result<()> {
        if let Some(span) = span {
            self.span = span / self.unit;
        }
        if self.time + self.span > self.time && (self.time + self.span).is_finite() {
            return Ok(());
        }
        let what = format!("a span of {:e} leads nowhere from time {}", self.span * self.unit, self.time * self.unit);
        Err(Error::config(what, "give another --span"))
    }

    /// Follows the trajectory, and looks for places of rest along it and around.
    ///
    /// # Errors
    /// If the accurate trajectory cannot be followed, and something is to be kept to.
    pub fn explore(&mut self, seed: u64) -> Result<()> {
        let dim = self.start.len();
        let (_, states) = match self.trajectory(ROWS) {
            Ok(followed) => followed,
            // What grows beyond all bounds has no trajectory to keep to, and rests where it rests.
            Err(Error::Solve { .. }) if self.tolerance.is_empty() => (Vec::new(), self.start.clone()),
            Err(error) => return Err(error),
        };
        let rows = states.len() / dim;
        let column = |i: usize| states.iter().skip(i).step_by(dim);
        let mean: Vec<f64> = (0..dim).map(|i| column(i).sum::<f64>() / rows as f64).collect();
        let spread = |i: usize| (column(i).map(|x| (x - mean[i]).powi(2)).sum::<f64>() / rows as f64).sqrt();
        let deviations: Vec<f64> = (0..dim).map(spread).collect();
        if self.tolerance.is_empty() {
            let most = deviations.iter().copied().fold(1e-290, f64::max);
            self.tolerance = deviations.iter().map(|d| SHARE * d.max(LEAST_MOVED * most)).collect();
        }
        let resting = Resting::flow(self.field, self.params, self.time)?;
        self.timed = (0..rows.min(5)).any(|k| resting.changes_with_time(&states[k * (rows / 5).max(1) * dim..][..dim]));
        if self.timed {
            return Ok(());
        }
        let end = states[states.len() - dim..].to_vec();
        let mut starts = vec![vec![0.0; dim], end.clone(), mean.clone(), self.start.clone()];
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..FURTHER_STARTS {
            let mut draw = || -> f64 { StandardNormal.sample(&mut rng) };
            starts.push((0..dim).map(|i| mean[i] + 2.0 * deviations[i].max(1e-3) * draw()).collect());
        }
        self.rest = resting.search(&starts)?;
        // What lies far from where the trajectory goes is of another world, such as a pendulum turned over many times.
        let near = |state: &[f64]| {
            let size = |i: usize| 5.0 * deviations[i].max(1e-3) + (self.start[i] - mean[i]).abs();
            state.iter().enumerate().all(|(i, x)| (x - mean[i]).abs() <= size(i))
                || state.iter().all(|x| x.abs() < 1e-6)
        };
        self.rest.points.retain(|point| near(&point.state));
        let far = |p: &RestPoint| p.state.iter().zip(&end).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        let attracting = self.rest.points.iter().filter(|p| p.nature.attracts());
        self.attracting = attracting.min_by(|a, b| far(a).total_cmp(&far(b))).cloned();
        Ok(())
    }
}
