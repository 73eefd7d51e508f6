//! The training loop, one epoch at a time.

use super::objective::{Objective, Outcome};
use super::spec::TrainSpec;
use crate::models::segments::{self, Segment};
use crate::models::{Conditioning, NeuralOde, Persistence};
use crate::nn::{AdamW, Schedule, clip_norm};
use crate::series::Panel;
use crate::series::split::{SeriesSplit, Split};
use crate::solve::Options;
use crate::{Error, Result};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::ops::Range;

/// Everything that decides how training goes on. A run stopped at any epoch and resumed from its state ends in the same
/// bits as one that was not.
#[derive(Clone, Debug)]
pub struct TrainState {
    /// What is being done.
    pub phase: Phase,
    /// Epochs of this phase done.
    pub epoch: usize,
    /// The model's parameters, then the learned starts of the present stage.
    pub values: Vec<f64>,
    /// Their exponential average over recent steps: what is judged and kept (Polyak & Juditsky 1992).
    pub average: Vec<f64>,
    /// The optimiser.
    pub optimizer: AdamW<f64>,
    /// The initial values on the validation part.
    pub first: Option<Best>,
    /// The best averages on the validation part so far.
    pub best: Option<Best>,
    /// Looks at the validation part since then.
    pub looks_since_best: usize,
    /// Steps that were left out in a row because every trajectory failed.
    pub failed_steps: usize,
    /// A row an epoch.
    pub log: Vec<LogRow>,
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Fitting the rows before the validation part and watching that part.
    Search,
    /// Fitting all training rows anew, for as many epochs as the search found best.
    Refit,
}

/// The best parameters so far.
#[derive(Clone, Debug)]
pub struct Best {
    /// Epochs done when they were found.
    pub epoch: usize,
    /// The stage, which says how many learned starts there are.
    pub stage: usize,
    /// Mean squared scaled error on the validation part.
    pub score: f64,
    /// Sum of squared scaled errors along each trajectory of it.
    pub errors: Vec<f64>,
    /// Parameters, then learned starts.
    pub values: Vec<f64>,
}

/// What an epoch did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogRow {
    /// What was being done.
    pub phase: Phase,
    /// Counted from 1 in each phase.
    pub epoch: usize,
    /// Rows a trajectory spans.
    pub horizon: usize,
    /// Learning rate of its last step.
    pub rate: f64,
    /// Mean weighted squared error over the cells met.
    pub train_loss: f64,
    /// Mean squared error on the validation part, where it was looked at.
    pub validation_loss: Option<f64>,
    /// Norm of the gradient of its last step, before clipping.
    pub gradient_norm: f64,
    /// Trajectories that failed.
    pub failures: usize,
}

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// All epochs were done.
    Epochs,
    /// The validation part stopped improving.
    Patience,
    /// Training did not clearly improve on the validation part over the initial values, which are kept.
    NoImprovement,
    /// The user asked.
    Interrupted,
}

/// A training run: the fixed parts.
pub struct Trainer<'a> {
    objective: Objective<'a>,
    split: &'a Split,
    spec: &'a TrainSpec,
    seed: u64,
    conditioning: &'a Conditioning,
    persistence: &'a [Persistence],
    /// Which values decay: matrices do.
    decays: Vec<bool>,
    /// Series that the search fits, with the rows of each.
    searched: Vec<(usize, Range<usize>)>,
    /// Series that the refit fits: the validation part among them.
    refitted: Vec<(usize, Range<usize>)>,
    /// Validation parts: series and rows of each.
    validation: Vec<(usize, Range<usize>)>,
}

/// Steps in a row that may be left out before training gives up.
const MOST_FAILED_STEPS: usize = 50;
/// Steps that the average remembers.
const AVERAGED_STEPS: f64 = 50.0;

impl<'a> Trainer<'a> {
    /// Prepares a run on a panel in the model's units. `weights` has one number a cell, 0 where nothing is observed;
    /// `persistence` is what the data say of the start.
    pub fn new(
        model: &'a NeuralOde,
        panel: &'a Panel,
        weights: &'a [f64],
        split: &'a Split,
        spec: &'a TrainSpec,
        conditioning: &'a Conditioning,
        persistence: &'a [Persistence],
        options: Options,
        seed: u64,
    ) -> Self {
        let objective = Objective { model, panel, weights, options, continuity: spec.continuity };
        let parts = || split.series.iter().enumerate();
        let learned = |rows: fn(&SeriesSplit) -> Range<usize>| {
            parts().map(|(i, s)| (i, rows(s))).filter(|(_, rows)| rows.len() > 1).collect::<Vec<_>>()
        };
        let validation = parts().map(|(i, s)| (i, s.validation.clone())).filter(|(_, rows)| !rows.is_empty());
        let decays = model.params().iter().flat_map(|p| std::iter::repeat_n(p.shape.len() == 2, p.len())).collect();
        Self {
            objective,
            split,
            spec,
            seed,
            conditioning,
            persistence,
            decays,
            searched: learned(SeriesSplit::fitted),
            refitted: learned(SeriesSplit::training),
            validation: validation.collect(),
        }
    }

    /// Whether there is a validation part.
    pub fn has_validation(&self) -> bool {
        !self.validation.is_empty()
    }

    /// The objective it minimises.
    pub fn objective(&self) -> &Objective<'a> {
        &self.objective
    }

    /// The state before the first epoch.
    pub fn begin(&self) -> TrainState {
        let values = self.initial(Phase::Search);
        TrainState {
            phase: Phase::Search,
            epoch: 0,
            average: values.clone(),
            optimizer: AdamW::new(values.len(), self.spec.weight_decay),
            values,
            first: None,
            best: None,
            looks_since_best: 0,
            failed_steps: 0,
            log: Vec::new(),
        }
    }

    /// Initial parameters, then the starts of the first stage's windows as observed.
    fn initial(&self, phase: Phase) -> Vec<f64> {
        let mut values = self.objective.model.initial(self.seed, self.persistence);
        for window in &self.windows(phase, 0) {
            values.extend(self.observed_start(window));
        }
        values
    }

    /// What comes next: `None` while the phase goes on, else why training is over. Turns from the search to the refit.
    pub fn turn(&self, state: &mut TrainState) -> Option<Stopped> {
        match (state.phase, &state.best) {
            (Phase::Search, best) if state.epoch >= self.spec.epochs || self.is_out_of_patience(state) => {
                let (Some(best), Some(first)) = (best, &state.first) else { return Some(Stopped::Epochs) };
                if !clearly_better(&best.errors, &first.errors) {
                    state.best.clone_from(&state.first);
                    return Some(Stopped::NoImprovement);
                }
                let values = self.initial(Phase::Refit);
                state.phase = Phase::Refit;
                state.epoch = 0;
                state.average.clone_from(&values);
                state.optimizer = AdamW::new(values.len(), self.spec.weight_decay);
                state.values = values;
                None
            }
            (Phase::Refit, Some(best)) if state.epoch >= best.epoch => {
                Some(if best.epoch < self.spec.epochs { Stopped::Patience } else { Stopped::Epochs })
            }
            _ => None,
        }
    }

    /// A window's start as observed: each channel's first observation in the window or after it, else 0.
    fn observed_start(&self, window: &Segment) -> Vec<f64> {
        let (panel, channels) = (self.objective.panel, self.objective.panel.channel_count());
        let end = panel.row_ptr()[window.series] + self.split.series[window.series].training().end;
        let observed = |c: usize| {
            let rows = window.rows.start..end;
            rows.map(|row| row * channels + c).find(|&cell| panel.mask()[cell]).map_or(0.0, |cell| panel.values()[cell])
        };
        let mut start: Vec<f64> = (0..channels).map(observed).collect();
        start.resize(self.objective.model.state_dim(), 0.0);
        start
    }

    fn learned(&self, phase: Phase) -> &[(usize, Range<usize>)] {
        if phase == Phase::Search { &self.searched } else { &self.refitted }
    }

    /// The windows of a stage over all fitted rows, none if starts come from the encoder.
    pub fn windows(&self, phase: Phase, stage: usize) -> Vec<Segment> {
        let mut all = Vec::new();
        if self.objective.model.encoder().is_none() {
            let horizon = self.spec.horizons()[stage];
            for (series, rows) in self.learned(phase) {
                let first = all.len();
                all.extend(segments::windows(self.objective.panel, *series, rows.clone(), horizon, first));
            }
        }
        all
    }

    /// The trajectories of an epoch.
    fn segments(&self, phase: Phase, stage: usize, epoch: usize) -> Vec<Segment> {
        if self.objective.model.encoder().is_none() {
            return self.windows(phase, stage);
        }
        let horizon = self.spec.horizons()[stage];
        let mut rng = self.rng(epoch, 1);
        let mut all = Vec::new();
        for (series, rows) in self.learned(phase) {
            // Anchors leave at least half the horizon to predict, where the series is long enough for that.
            let last = rows.end.saturating_sub(horizon.div_ceil(2)).clamp(1, rows.end - 1);
            for _ in 0..rows.len().div_ceil(horizon) {
                let anchor = rng.random_range(1..=last);
                let panel = self.objective.panel;
                all.extend(segments::encoded(panel, *series, anchor, rows.end, horizon, rows.end, self.conditioning));
            }
        }
        all
    }

    /// A generator of its own for each epoch and purpose, so that nothing of it needs to be kept.
    fn rng(&self, epoch: usize, purpose: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(16 + 4 * epoch as u64 + purpose);
        rng
    }

    /// Does one epoch.
    ///
    /// # Errors
    /// If trajectories keep failing whatever is tried.
    pub fn epoch(&self, state: &mut TrainState) -> Result<()> {
        let (epoch, params) = (state.epoch, self.objective.model.param_count());
        let stage = self.spec.stage(epoch);
        if epoch == 0 && state.phase == Phase::Search && self.has_validation() {
            self.look(state, stage)?;
            state.first.clone_from(&state.best);
        }
        if epoch > 0 && stage != self.spec.stage(epoch - 1) {
            self.enter_stage(state, stage);
        }
        let segments = self.segments(state.phase, stage, epoch);
        let mut order: Vec<&Segment> = segments.iter().collect();
        let mut rng = self.rng(epoch, 2);
        if order.len() > self.spec.batch {
            order.shuffle(&mut rng);
        }
        let batches = order.len().div_ceil(self.spec.batch);
        let total = self.spec.epochs * batches;
        let schedule = Schedule { peak: self.spec.rate, warmup: (total / 20).min(100), total, floor: 0.02 };
        let (mut errors, mut weight, mut failures, mut norm, mut rate) = (0.0, 0.0, 0, 0.0, 0.0);
        for (b, batch) in order.chunks(self.spec.batch).enumerate() {
            let noise = (self.spec.start_noise > 0.0).then(|| (self.spec.start_noise, rng.random::<u64>()));
            let (model_params, starts) = state.values.split_at(params);
            let outcome = self.objective.gradient(model_params, starts, batch, noise)?;
            rate = schedule.rate(epoch * batches + b);
            norm = self.step(state, &outcome, rate);
            errors += outcome.errors;
            weight += outcome.weight;
            failures += outcome.failures.len();
            if state.failed_steps > MOST_FAILED_STEPS {
                let why = outcome.failures.first().map_or("the gradient is not finite".into(), |(_, f)| f.to_string());
                return Err(Error::Training {
                    epoch,
                    what: format!("no trajectory could be followed in {MOST_FAILED_STEPS} steps in a row ({why})"),
                    remedy: "lower training.rate or training.horizon, or loosen the solver's tolerances".into(),
                });
            }
        }
        state.epoch += 1;
        let looks = self.has_validation() && state.phase == Phase::Search;
        let look = looks && (state.epoch == self.spec.epochs || state.epoch % self.spec.check_every == 0);
        let validation_loss = if look { Some(self.look(state, stage)?) } else { None };
        state.log.push(LogRow {
            phase: state.phase,
            epoch: state.epoch,
            horizon: self.spec.horizons()[stage],
            rate,
            train_loss: errors / weight,
            validation_loss,
            gradient_norm: norm,
            failures,
        });
        Ok(())
    }

    /// One optimiser step; returns the gradient's norm.
    fn step(&self, state: &mut TrainState, outcome: &Outcome, rate: f64) -> f64 {
        let scale = 1.0 / outcome.weight;
        let mut gradient: Vec<f64> = outcome.params.iter().chain(&outcome.starts).map(|g| g * scale).collect();
        let norm = clip_norm(&mut gradient, self.spec.clip);
        if norm.is_finite() && outcome.weight > 0.0 {
            state.failed_steps = 0;
            state.optimizer.step(&mut state.values, &gradient, rate, |i| self.decays.get(i).copied().unwrap_or(false));
            // Early on the average spans the steps there were, so that it leaves the initial values behind at once.
            let keep = 1.0 - 1.0 / (state.optimizer.steps as f64 / 4.0 + 1.0).min(AVERAGED_STEPS);
            state.average.iter_mut().zip(&state.values).for_each(|(a, v)| *a = keep * *a + (1.0 - keep) * v);
        } else {
            state.failed_steps += 1;
        }
        norm
    }

    /// Windows grow: each new one starts where the old one at that row did.
    fn enter_stage(&self, state: &mut TrainState, stage: usize) {
        let (params, dim) = (self.objective.model.param_count(), self.objective.model.state_dim());
        let (old, new) = (self.windows(state.phase, stage - 1), self.windows(state.phase, stage));
        let kept = |window: &Segment| old.iter().position(|o| o.rows.start == window.rows.start);
        for (x, moment) in [
            (&mut state.values, false),
            (&mut state.average, false),
            (&mut state.optimizer.first, true),
            (&mut state.optimizer.second, true),
        ] {
            let starts = x.split_off(params);
            for window in &new {
                match kept(window) {
                    Some(k) => x.extend(&starts[k * dim..(k + 1) * dim]),
                    None if moment => x.extend(std::iter::repeat_n(0.0, dim)),
                    None => x.extend(self.observed_start(window)),
                }
            }
        }
    }

    /// Judges the average on the validation part and keeps it if it is the best so far. Returns the validation loss.
    fn look(&self, state: &mut TrainState, stage: usize) -> Result<f64> {
        let (score, errors) = self.errors(&state.average, &self.validation_segments(stage))?;
        if state.best.as_ref().is_none_or(|best| score < best.score) {
            state.best = Some(Best { epoch: state.epoch, stage, score, errors, values: state.average.clone() });
            state.looks_since_best = 0;
        } else {
            state.looks_since_best += 1;
        }
        Ok(score)
    }

    /// Whether the validation part has stopped improving.
    fn is_out_of_patience(&self, state: &TrainState) -> bool {
        self.has_validation() && state.looks_since_best >= self.spec.patience
    }

    /// The validation part's trajectories, each with the rows that are scored.
    fn validation_segments(&self, stage: usize) -> Vec<(Range<usize>, Segment)> {
        let panel = self.objective.panel;
        let windows = self.windows(Phase::Search, stage);
        let of = |(series, rows): &(usize, Range<usize>)| {
            let offset = panel.row_ptr()[*series];
            let scored = offset + rows.start..offset + rows.end;
            let segment = if self.objective.model.encoder().is_some() {
                segments::encoded(panel, *series, rows.start, rows.end, rows.len(), rows.start, self.conditioning)?
            } else {
                // The last window goes on over the validation rows.
                let last = windows.iter().rfind(|w| w.series == *series)?;
                Segment { rows: last.rows.start..scored.end, next: None, ..last.clone() }
            };
            Some((scored, segment))
        };
        self.validation.iter().filter_map(of).collect()
    }

    /// Squared errors of trajectories over the rows to be scored, weighted: their mean, and the sum along each; infinite
    /// if one fails.
    fn errors(&self, values: &[f64], judged: &[(Range<usize>, Segment)]) -> Result<(f64, Vec<f64>)> {
        let (params, starts) = values.split_at(self.objective.model.param_count());
        let segments: Vec<&Segment> = judged.iter().map(|(_, segment)| segment).collect();
        let (_, states) = self.objective.states(params, starts, &segments)?;
        let (dim, channels) = (self.objective.model.state_dim(), self.objective.panel.channel_count());
        let (mut sums, mut weight, mut at) = (Vec::new(), 0.0, 0);
        let mut seen = vec![0.0; channels];
        for (scored, segment) in judged {
            let mut sum = 0.0;
            for (k, row) in segment.rows.clone().enumerate().filter(|(_, row)| scored.contains(row)) {
                self.objective.model.observe(params, &states[(at + k) * dim..][..dim], &mut seen);
                for c in 0..channels {
                    let cell = row * channels + c;
                    let w = self.objective.weights[cell];
                    if w > 0.0 {
                        sum += w * (seen[c] + segment.offset(c) - self.objective.panel.values()[cell]).powi(2);
                        weight += w;
                    }
                }
            }
            at += segment.rows.len() + usize::from(segment.next.is_some());
            sums.push(if sum.is_finite() { sum } else { f64::INFINITY });
        }
        Ok((sums.iter().sum::<f64>() / weight, sums))
    }
}

/// The best of many looks is better than the first by chance alone; a gain below this share of the error is none.
const LEAST_GAIN: f64 = 0.05;

/// Whether errors along trajectories are smaller: by a share worth having, and by Student's t test at 5 % where there is
/// more than one trajectory.
fn clearly_better(now: &[f64], first: &[f64]) -> bool {
    let gains: Vec<f64> = first.iter().zip(now).map(|(first, now)| first - now).collect();
    let (count, total) = (gains.len() as f64, gains.iter().sum::<f64>());
    if total < LEAST_GAIN * first.iter().sum::<f64>() {
        return false;
    }
    let Some(t) = StudentsT::new(0.0, 1.0, count - 1.0).ok().filter(|_| total.is_finite()) else { return true };
    let variance = gains.iter().map(|g| (g - total / count).powi(2)).sum::<f64>() / (count - 1.0);
    total > t.inverse_cdf(0.95) * (count * variance).sqrt()
}
