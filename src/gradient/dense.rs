//! A forward pass kept as a function of time: its continuous extension.

use crate::dynamics::Field;
use crate::solve::engine::Engine;
use crate::solve::integrate::checked;
use crate::solve::tableau::Coefficients;
use crate::solve::{Options, Problem, Solution};
use crate::{Real, Result};

/// The accepted steps of every trajectory, with their stages. Memory: `(stages + 1) · state` numbers a step.
pub(super) struct Dense<T> {
    dim: usize,
    method: Coefficients<T>,
    tracks: Vec<Track<T>>,
}

/// One trajectory's steps.
#[derive(Clone, Debug, Default)]
struct Track<T> {
    begins: Vec<T>,
    steps: Vec<T>,
    /// `steps × (1 + stages) × dim`: the state at each step's beginning, then its stages.
    rows: Vec<T>,
}

impl<T: Real> Dense<T> {
    /// Integrates a problem and keeps its steps.
    ///
    /// # Errors
    /// If sizes or options do not fit.
    pub fn record(
        field: Field<T>,
        params: &[T],
        problem: &Problem<T>,
        options: &Options,
    ) -> Result<(Solution<T>, Self)> {
        let mut solution = checked(field, params, problem, options)?;
        let mut engine = Engine::new(field, params, *problem, options);
        engine.always_extend = true;
        let dim = field.state_dim();
        let blank = Track { begins: Vec::new(), steps: Vec::new(), rows: Vec::new() };
        let mut dense = Self { dim, method: engine.stepper.method.clone(), tracks: vec![blank; problem.len()] };
        let stages = dense.stages();
        let mut lanes = engine.begin(&mut solution, None);
        while !lanes.ids.is_empty() {
            let (ids, t, y) = (lanes.ids.clone(), lanes.t.clone(), lanes.y.clone());
            engine.round(&mut lanes, &mut solution, None);
            let count = ids.len();
            for (lane, &id) in ids.iter().enumerate().filter(|(lane, _)| engine.counted(*lane)) {
                let track = &mut dense.tracks[id];
                track.begins.push(t[lane]);
                track.steps.push(engine.step_of(lane));
                track.rows.extend(y.iter().skip(lane).step_by(count));
                track.rows.extend(engine.stepper.stages[..stages * dim * count].iter().skip(lane).step_by(count));
            }
        }
        Ok((solution, dense))
    }

    fn stages(&self) -> usize {
        self.method.stages + self.method.extra
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let numbers = |track: &Track<T>| track.begins.len() + track.steps.len() + track.rows.len();
        self.tracks.iter().map(numbers).sum::<usize>() * size_of::<T>()
    }

    /// Writes the state of a trajectory at a time within its span. Where it jumps at an input's kink, the ends of the stretch
    /// that is meant say which side is: the time is moved between them.
    pub fn state(&self, trajectory: usize, t: T, (low, high): (T, T), out: &mut [T]) {
        let track = &self.tracks[trajectory];
        let forward = track.steps.first().is_some_and(|&step| step > T::zero());
        let t = t.max(low).min(high);
        // At the end of the stretch, seen along the forward pass, the step that ends there is meant.
        let ends = if forward { high == t } else { low == t };
        let begun = |begin: T| if ends { begin != t } else { true } && if forward { begin <= t } else { begin >= t };
        let k = track.begins.partition_point(|&begin| begun(begin)).saturating_sub(1);
        let theta = ((t - track.begins[k]) / track.steps[k]).max(T::zero()).min(T::one());
        let rows = &track.rows[k * (1 + self.stages()) * self.dim..];
        out.fill(T::zero());
        for j in 0..self.stages() {
            let weight = self.method.dense_weight(j, theta);
            let stage = &rows[(1 + j) * self.dim..][..self.dim];
            out.iter_mut().zip(stage).for_each(|(out, &k)| *out += weight * k);
        }
        out.iter_mut().zip(rows).for_each(|(out, &y)| *out = y + track.steps[k] * *out);
    }
}
