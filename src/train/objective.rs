//! The training loss of a batch of trajectories, with its exact discrete gradient.

use crate::Result;
use crate::dynamics::Field;
use crate::gradient::{Audit, Growth, Onto, Passed, Plan, Settings, audit, growth};
use crate::models::segments::{Segment, Start};
use crate::models::{EncoderTape, History, NeuralOde};
use crate::random::Stream;
use crate::series::Panel;
use crate::solve::{Failure, Options, Problem, map_chunks, solve};
use crate::train::OnFailure;
use rand_distr::{Distribution, StandardNormal};

/// Weighted squared errors over the observed cells that trajectories meet.
pub struct Objective<'a> {
    /// The model.
    pub model: &'a NeuralOde,
    /// Observations in the model's units.
    pub panel: &'a Panel,
    /// Weight of each cell, `rows × channels`; 0 where nothing is observed.
    pub weights: &'a [f64],
    /// How trajectories are integrated.
    pub options: Options,
    /// How gradients are found.
    pub settings: Settings,
    /// Weight of the gaps between windows.
    pub continuity: f64,
    /// What becomes of trajectories that cannot be followed.
    pub on_failure: OnFailure,
}

/// Start times, row pointers and output times of some trajectories.
pub(super) struct Trajectories {
    start_times: Vec<f64>,
    row_ptr: Vec<usize>,
    times: Vec<f64>,
}

impl Trajectories {
    fn of(segments: &[&Segment], panel: &Panel) -> Self {
        let mut all = Self { start_times: Vec::new(), row_ptr: vec![0], times: Vec::new() };
        for segment in segments {
            all.start_times.push(segment.time);
            all.times.extend(&panel.times()[segment.rows.clone()]);
            all.times.extend(segment.next.map(|(_, time)| time));
            all.row_ptr.push(all.times.len());
        }
        all
    }

    fn problem<'a>(&'a self, starts: &'a [f64]) -> Problem<'a, f64> {
        Problem { start_times: &self.start_times, starts, row_ptr: &self.row_ptr, times: &self.times }
    }
}

/// Which trajectories start from the encoder, with their histories.
fn encoded_lanes<'a>(segments: &[&'a Segment]) -> (Vec<usize>, Vec<&'a History>) {
    let encoded = segments.iter().enumerate().filter_map(|(s, segment)| match &segment.start {
        Start::Encoded(history) => Some((s, history)),
        Start::Learned(_) => None,
    });
    encoded.unzip()
}

/// The states that trajectories start from, one after another.
fn start_states(
    model: &NeuralOde,
    params: &[f64],
    starts: &[f64],
    segments: &[&Segment],
    tape: &mut EncoderTape,
) -> Result<Vec<f64>> {
    let dim = model.state_dim();
    let mut begin = vec![0.0; dim * segments.len()];
    for (s, segment) in segments.iter().enumerate() {
        if let Start::Learned(k) = segment.start {
            begin[s * dim..][..dim].copy_from_slice(&starts[k * dim..][..dim]);
        }
    }
    let (lanes, histories) = encoded_lanes(segments);
    if let (Some((encoder, range)), false) = (model.encoder(), lanes.is_empty()) {
        let states = encoder.encode(&params[range], &histories, tape)?;
        for (from, &s) in lanes.iter().enumerate() {
            (0..dim).for_each(|i| begin[s * dim + i] = states[i * lanes.len() + from]);
        }
    }
    Ok(begin)
}

/// Noise on starts: its standard deviation and the seed of this step's draw.
pub type StartNoise = Option<(f64, u64)>;

/// A loss with its gradient: the sum of `errors` and `gaps`; divide by `weight` for the mean over cells.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Sum of weighted squared errors over observed cells.
    pub errors: f64,
    /// Weighted sum of squared gaps between a window's end and the next one's start.
    pub gaps: f64,
    /// Sum of the weights of the cells met.
    pub weight: f64,
    /// Gradient by the model's parameters.
    pub params: Vec<f64>,
    /// Gradient by the learned starts, `count × state`.
    pub starts: Vec<f64>,
    /// Trajectories that failed, by number of the segment; they count as [`OnFailure`] says.
    pub failures: Vec<(usize, Failure)>,
}

impl Objective<'_> {
    /// Loss and gradient of some trajectories, over the threads of the current pool, with the same bits for any number
    /// of them.
    ///
    /// # Errors
    /// If sizes do not fit.
    pub fn gradient(
        &self,
        params: &[f64],
        starts: &[f64],
        segments: &[&Segment],
        noise: StartNoise,
    ) -> Result<Outcome> {
        let plan = Plan::unseen(&self.settings, segments.len());
        let parts = map_chunks(segments.len(), |range| {
            self.chunk(params, starts, &segments[range.clone()], noise, (range.start, &plan))
        });
        let mut whole =
            Outcome { params: vec![0.0; params.len()], starts: vec![0.0; starts.len()], ..Outcome::default() };
        for part in parts {
            let part = part?;
            whole.errors += part.errors;
            whole.gaps += part.gaps;
            whole.weight += part.weight;
            whole.params.iter_mut().zip(&part.params).for_each(|(sum, p)| *sum += p);
            whole.starts.iter_mut().zip(&part.starts).for_each(|(sum, p)| *sum += p);
            whole.failures.extend(part.failures);
        }
        Ok(whole)
    }

    /// How the gradient of some trajectories will be found, and what that will take.
    ///
    /// # Errors
    /// If sizes do not fit.
    pub fn plan(&self, params: &[f64], starts: &[f64], segments: &[&Segment]) -> Result<Plan> {
        self.with_problem(params, starts, segments, |field, params, problem| {
            Plan::new(field, params, problem, &self.options, &self.settings)
        })
    }

    /// The gradient's growth along some trajectories.
    ///
    /// # Errors
    /// If sizes do not fit.
    pub fn growth(&self, params: &[f64], starts: &[f64], segments: &[&Segment], seed: u64) -> Result<Vec<Growth>> {
        self.with_problem(params, starts, segments, |field, params, problem| {
            growth(field, params, problem, &self.options, seed)
        })
    }

    /// Audits the gradient of some trajectories by the field's parameters and their starts.
    ///
    /// # Errors
    /// If sizes do not fit.
    pub fn audit(
        &self,
        params: &[f64],
        starts: &[f64],
        segments: &[&Segment],
        (directions, seed): (usize, u64),
    ) -> Result<Audit> {
        let loss = |s: usize, states: &[f64], bar: &mut [f64]| {
            let mut outcome =
                Outcome { params: vec![0.0; params.len()], starts: vec![0.0; starts.len()], ..Outcome::default() };
            self.compare(params, starts, segments[s], states, bar, &mut outcome);
            outcome.errors + outcome.gaps
        };
        self.with_problem(params, starts, segments, |field, params, problem| {
            audit(field, params, problem, &self.options, &self.settings, (directions, seed), loss)
        })
    }

    /// Calls `work` with the field, its parameters and the trajectories as a problem.
    fn with_problem<V>(
        &self,
        params: &[f64],
        starts: &[f64],
        segments: &[&Segment],
        work: impl FnOnce(Field<f64>, &[f64], &Problem<f64>) -> Result<V>,
    ) -> Result<V> {
        let begin = start_states(self.model, params, starts, segments, &mut EncoderTape::default())?;
        let trajectories = Trajectories::of(segments, self.panel);
        work(self.model.field()?, &params[self.model.field_params()], &trajectories.problem(&begin))
    }

    /// The states that trajectories start from and those that they pass at their rows, `rows × state` each trajectory
    /// after another (a trajectory that fails leaves NaN from there on).
    ///
    /// # Errors
    /// If sizes do not fit.
    pub fn states(&self, params: &[f64], starts: &[f64], segments: &[&Segment]) -> Result<(Vec<f64>, Vec<f64>)> {
        let begin = {
            let parts = map_chunks(segments.len(), |range| {
                start_states(self.model, params, starts, &segments[range], &mut EncoderTape::default())
            });
            parts.into_iter().collect::<Result<Vec<_>>>()?.concat()
        };
        let trajectories = Trajectories::of(segments, self.panel);
        let field_params = &params[self.model.field_params()];
        let solution = solve(self.model.field()?, field_params, &trajectories.problem(&begin), &self.options)?;
        Ok((begin, solution.states))
    }

    fn chunk(
        &self,
        params: &[f64],
        starts: &[f64],
        segments: &[&Segment],
        noise: StartNoise,
        (first, plan): (usize, &Plan),
    ) -> Result<Outcome> {
        let dim = self.model.state_dim();
        let mut encoder_tape = EncoderTape::default();
        let mut begin = start_states(self.model, params, starts, segments, &mut encoder_tape)?;
        if let Some((deviation, seed)) = noise {
            let mut rng = Stream::Noise { first }.of(seed);
            for x in &mut begin {
                let z: f64 = StandardNormal.sample(&mut rng);
                *x += deviation * z;
            }
        }
        let trajectories = Trajectories::of(segments, self.panel);
        let problem = trajectories.problem(&begin);
        let (field, field_params) = (self.model.field()?, &params[self.model.field_params()]);
        let mut passed = Passed::new(field, field_params, &problem, &self.options, plan)?;
        let solution = &passed.solution;

        let mut outcome =
            Outcome { params: vec![0.0; params.len()], starts: vec![0.0; starts.len()], ..Outcome::default() };
        let mut bar = vec![0.0; solution.states.len()];
        for (s, segment) in segments.iter().enumerate() {
            if let Some(failure) = &solution.reports[s].failure {
                outcome.failures.push((first + s, *failure));
                if self.on_failure != OnFailure::Shrink {
                    continue;
                }
            }
            let mut rows = trajectories.row_ptr[s]..trajectories.row_ptr[s + 1];
            // Rows that a failed trajectory did not reach are NaN.
            rows.end = rows.clone().find(|row| solution.states[row * dim].is_nan()).unwrap_or(rows.end);
            let (states, bar) =
                (&solution.states[rows.start * dim..rows.end * dim], &mut bar[rows.start * dim..rows.end * dim]);
            self.compare(params, starts, segment, states, bar, &mut outcome);
        }
        let onto = Onto { params: &mut outcome.params[self.model.field_params()], inputs: &mut [] };
        let begin_bar = passed.pull(field, field_params, &problem, &self.options, &bar, onto)?.starts;
        self.pull_starts(params, segments, &begin_bar, &mut encoder_tape, &mut outcome);
        Ok(outcome)
    }

    /// Adds one trajectory's loss and writes its states' cotangents.
    fn compare(
        &self,
        params: &[f64],
        starts: &[f64],
        segment: &Segment,
        states: &[f64],
        bar: &mut [f64],
        outcome: &mut Outcome,
    ) {
        let (dim, channels) = (self.model.state_dim(), self.panel.channel_count());
        let (mut seen, mut seen_bar) = (vec![0.0; channels], vec![0.0; channels]);
        let mut rows = states.chunks_exact(dim).zip(bar.chunks_exact_mut(dim));
        for (row, (state, state_bar)) in segment.rows.clone().zip(&mut rows) {
            self.model.observe(params, state, &mut seen);
            for c in 0..channels {
                let cell = row * channels + c;
                let error = seen[c] + segment.offset(c) - self.panel.values()[cell];
                // A missing cell has weight 0, and its placeholder value never enters.
                let weighted = if self.weights[cell] > 0.0 { self.weights[cell] * error } else { 0.0 };
                outcome.errors += weighted * error;
                outcome.weight += self.weights[cell];
                seen_bar[c] = 2.0 * weighted;
            }
            self.model.observe_pull(params, state, &seen_bar, state_bar, &mut outcome.params);
        }
        if let (Some((next, _)), Some((state, state_bar))) = (segment.next, rows.next()) {
            for i in 0..dim {
                let gap = state[i] - starts[next * dim + i];
                outcome.gaps += self.continuity * gap * gap;
                state_bar[i] += 2.0 * self.continuity * gap;
                outcome.starts[next * dim + i] -= 2.0 * self.continuity * gap;
            }
        }
    }

    fn pull_starts(
        &self,
        params: &[f64],
        segments: &[&Segment],
        begin_bar: &[f64],
        tape: &mut EncoderTape,
        outcome: &mut Outcome,
    ) {
        let dim = self.model.state_dim();
        for (segment, bar) in segments.iter().zip(begin_bar.chunks_exact(dim)) {
            if let Start::Learned(k) = segment.start {
                outcome.starts[k * dim..][..dim].iter_mut().zip(bar).for_each(|(s, b)| *s += b);
            }
        }
        if let Some((encoder, range)) = self.model.encoder() {
            let (lanes, histories) = encoded_lanes(segments);
            if !lanes.is_empty() {
                let mut bar = vec![0.0; dim * lanes.len()];
                for (to, &s) in lanes.iter().enumerate() {
                    (0..dim).for_each(|i| bar[i * lanes.len() + to] = begin_bar[s * dim + i]);
                }
                encoder.pull(&params[range.clone()], &histories, tape, &bar, &mut outcome.params[range]);
            }
        }
    }
}
