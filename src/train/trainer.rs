//! The training loop, one epoch at a time.

use super::objective::{Objective, Outcome};
use super::validation::clearly_better;
use super::{LogRow, OnFailure, Phase, Stopped, TrainSpec, TrainState};
use crate::gradient::{Audit, Plan, Settings};
use crate::models::segments::{self, Segment};
use crate::models::{Conditioning, NeuralOde, Persistence};
use crate::nn::{AdamW, Schedule, clip_norm};
use crate::random::Stream;
use crate::series::Panel;
use crate::series::split::{SeriesSplit, Split};
use crate::solve::Options;
use crate::{Error, Result};
use rand::RngExt;
use rand::seq::SliceRandom;
use std::ops::Range;

/// What is to be trained on what.
#[derive(Clone, Copy)]
pub(super) struct Task<'a> {
    /// The model.
    pub model: &'a NeuralOde,
    /// Observations in the model's units.
    pub panel: &'a Panel,
    /// One number a cell, 0 where nothing is observed.
    pub weights: &'a [f64],
    /// What is fitted, watched and held out.
    pub split: &'a Split,
    /// How rows before an anchor are taken in.
    pub conditioning: &'a Conditioning,
    /// What the data say of the start.
    pub persistence: &'a [Persistence],
    /// How trajectories are integrated.
    pub options: Options,
    /// How gradients are found.
    pub settings: Settings,
    /// How the parameters are found.
    pub spec: &'a TrainSpec,
    /// Seed of everything random.
    pub seed: u64,
}

/// A training run: the fixed parts.
pub struct Trainer<'a> {
    pub(super) task: Task<'a>,
    pub(super) objective: Objective<'a>,
    /// Which values decay: matrices do.
    decays: Vec<bool>,
    /// Series that the search fits, with the rows of each.
    searched: Vec<(usize, Range<usize>)>,
    /// Series that the refit fits: the validation part among them.
    refitted: Vec<(usize, Range<usize>)>,
    /// Validation parts: series and rows of each.
    pub(super) validation: Vec<(usize, Range<usize>)>,
}

/// Steps in a row that may be left out before training gives up.
const MOST_FAILED_STEPS: usize = 50;
/// Trajectories and random directions of an audit.
const AUDITED: usize = 16;
const AUDITED_DIRECTIONS: usize = 3;
/// Steps that the average remembers.
const AVERAGED_STEPS: f64 = 50.0;

impl<'a> Trainer<'a> {
    /// Prepares a run whose parts belong together, as [`Run`](super::Run) makes them.
    pub(super) fn new(task: Task<'a>) -> Self {
        let Task { model, panel, weights, options, settings, spec, .. } = task;
        let (continuity, on_failure) = (spec.continuity, spec.on_failure);
        let objective = Objective { model, panel, weights, options, settings, continuity, on_failure };
        let parts = || task.split.series.iter().enumerate();
        let learned = |rows: fn(&SeriesSplit) -> Range<usize>| {
            parts().map(|(i, s)| (i, rows(s))).filter(|(_, rows)| rows.len() > 1).collect::<Vec<_>>()
        };
        // A part without a single observed cell could not tell good from bad.
        let observed = |(i, rows): &(usize, Range<usize>)| {
            let (first, channels) = (panel.rows(*i).start, panel.channel_count());
            weights[(first + rows.start) * channels..(first + rows.end) * channels].iter().any(|w| *w > 0.0)
        };
        let validation = parts().map(|(i, s)| (i, s.validation.clone())).filter(observed);
        let decays = model.params().iter().flat_map(|p| std::iter::repeat_n(p.shape.len() == 2, p.len())).collect();
        Self {
            task,
            objective,
            decays,
            searched: learned(SeriesSplit::fitted),
            refitted: learned(SeriesSplit::training),
            validation: validation.collect(),
        }
    }

    /// The model that is trained.
    pub fn model(&self) -> &NeuralOde {
        self.task.model
    }

    /// Trajectories of the validation part; 0 if there is none.
    pub fn validation_count(&self) -> usize {
        self.validation.len()
    }

    /// The state before the first epoch.
    pub fn begin(&self) -> TrainState {
        let horizon = self.task.spec.horizons()[0];
        let values = self.initial(Phase::Search, horizon);
        TrainState {
            phase: Phase::Search,
            epoch: 0,
            horizon,
            trusted: None,
            average: values.clone(),
            optimizer: AdamW::new(values.len(), self.task.spec.weight_decay),
            values,
            first: None,
            best: None,
            looks_since_best: 0,
            failed_steps: 0,
            log: Vec::new(),
        }
    }

    /// Initial parameters, then the starts of the first windows as observed.
    fn initial(&self, phase: Phase, horizon: usize) -> Vec<f64> {
        let mut values = self.task.model.initial(self.task.seed, self.task.persistence);
        for window in &self.windows(phase, horizon) {
            values.extend(self.observed_start(window));
        }
        values
    }

    /// What comes next: `None` while the phase goes on, else why training is over. Turns from the search to the refit.
    pub fn turn(&self, state: &mut TrainState) -> Option<Stopped> {
        match (state.phase, &state.best) {
            (Phase::Search, best) if state.epoch >= self.task.spec.epochs || self.is_out_of_patience(state) => {
                let (Some(best), Some(first)) = (best, &state.first) else { return Some(Stopped::Epochs) };
                if !clearly_better(&best.errors, &first.errors) {
                    state.best.clone_from(&state.first);
                    return Some(Stopped::NoImprovement);
                }
                state.phase = Phase::Refit;
                state.epoch = 0;
                state.horizon = self.wanted(state);
                let values = self.initial(Phase::Refit, state.horizon);
                state.average.clone_from(&values);
                state.optimizer = AdamW::new(values.len(), self.task.spec.weight_decay);
                state.values = values;
                None
            }
            (Phase::Refit, Some(best)) if state.epoch >= best.epoch => {
                let searched = state.log.iter().filter(|row| row.phase == Phase::Search).count();
                Some(if searched < self.task.spec.epochs { Stopped::Patience } else { Stopped::Epochs })
            }
            _ => None,
        }
    }

    /// A window's start as observed: each channel's first observation in the window or after it, else 0.
    pub(super) fn observed_start(&self, window: &Segment) -> Vec<f64> {
        let (panel, channels) = (self.task.panel, self.task.panel.channel_count());
        let end = panel.row_ptr()[window.series] + self.task.split.series[window.series].training().end;
        let observed = |c: usize| {
            let rows = window.rows.start..end;
            rows.map(|row| row * channels + c).find(|&cell| panel.mask()[cell]).map_or(0.0, |cell| panel.values()[cell])
        };
        let mut start: Vec<f64> = (0..channels).map(observed).collect();
        start.resize(self.task.model.state_dim(), 0.0);
        start
    }

    fn learned(&self, phase: Phase) -> &[(usize, Range<usize>)] {
        if phase == Phase::Search { &self.searched } else { &self.refitted }
    }

    /// The windows of so many rows over all fitted rows, none if starts come from the encoder.
    pub fn windows(&self, phase: Phase, horizon: usize) -> Vec<Segment> {
        let mut all = Vec::new();
        if self.task.model.encoder().is_none() {
            for (series, rows) in self.learned(phase) {
                let first = all.len();
                all.extend(segments::windows(self.task.panel, *series, rows.clone(), horizon, first));
            }
        }
        all
    }

    /// The trajectories of an epoch.
    pub(super) fn segments(&self, phase: Phase, horizon: usize, epoch: usize) -> Vec<Segment> {
        if self.task.model.encoder().is_none() {
            return self.windows(phase, horizon);
        }
        // A stream of its own for each epoch: nothing of it needs to be kept.
        let mut rng = Stream::Anchors { epoch }.of(self.task.seed);
        let mut all = Vec::new();
        for (series, rows) in self.learned(phase) {
            // Anchors leave at least half the horizon to predict, where the series is long enough for that.
            let last = rows.end.saturating_sub(horizon.div_ceil(2)).clamp(1, rows.end - 1);
            for _ in 0..rows.len().div_ceil(horizon) {
                let anchor = rng.random_range(1..=last);
                let panel = self.task.panel;
                all.extend(segments::encoded(
                    panel,
                    *series,
                    anchor,
                    rows.end,
                    horizon,
                    rows.end,
                    self.task.conditioning,
                ));
            }
        }
        all
    }

    /// How the gradient of a step over the longest trajectories will be found, and what that takes.
    ///
    /// # Errors
    /// If the solver's settings cannot be used.
    pub fn plan(&self) -> Result<Plan> {
        let horizon = self.task.spec.horizon.max(2);
        let values = self.initial(Phase::Search, horizon);
        let segments = self.segments(Phase::Search, horizon, 0);
        let batch: Vec<&Segment> = segments.iter().take(self.task.spec.batch).collect();
        let (params, starts) = values.split_at(self.task.model.param_count());
        self.objective.plan(params, starts, &batch)
    }

    /// Audits the gradient of some of an epoch's trajectories at a state of training.
    ///
    /// # Errors
    /// If the solver's settings cannot be used.
    pub fn audit(&self, state: &TrainState) -> Result<Audit> {
        let segments = self.segments(state.phase, state.horizon, state.epoch);
        let some: Vec<&Segment> = segments.iter().step_by(segments.len().div_ceil(AUDITED).max(1)).collect();
        let (params, starts) = state.average.split_at(self.task.model.param_count());
        self.objective.audit(params, starts, &some, (AUDITED_DIRECTIONS, self.task.seed))
    }

    /// Does one epoch.
    ///
    /// # Errors
    /// If trajectories keep failing whatever is tried.
    pub fn epoch(&self, state: &mut TrainState) -> Result<()> {
        let (epoch, params) = (state.epoch, self.task.model.param_count());
        if epoch == 0 && state.phase == Phase::Search && !self.validation.is_empty() {
            self.look(state)?;
            state.first.clone_from(&state.best);
        }
        self.choose_horizon(state)?;
        let segments = self.segments(state.phase, state.horizon, epoch);
        let mut order: Vec<&Segment> = segments.iter().collect();
        let mut rng = Stream::Order { epoch }.of(self.task.seed);
        if order.len() > self.task.spec.batch {
            order.shuffle(&mut rng);
        }
        let batches = order.len().div_ceil(self.task.spec.batch);
        let total = self.task.spec.epochs * batches;
        let schedule = Schedule { peak: self.task.spec.rate, warmup: (total / 20).min(100), total, floor: 0.02 };
        let (mut errors, mut weight, mut failures, mut norm, mut rate) = (0.0, 0.0, 0, 0.0, 0.0);
        for (b, batch) in order.chunks(self.task.spec.batch).enumerate() {
            let noise = (self.task.spec.start_noise > 0.0).then(|| (self.task.spec.start_noise, rng.random::<u64>()));
            let (model_params, starts) = state.values.split_at(params);
            let outcome = self.objective.gradient(model_params, starts, batch, noise)?;
            rate = schedule.rate(epoch * batches + b);
            norm = self.step(state, &outcome, rate);
            errors += outcome.errors;
            weight += outcome.weight;
            failures += outcome.failures.len();
            if let (OnFailure::Stop, Some((_, failure))) = (self.task.spec.on_failure, outcome.failures.first()) {
                return Err(Error::Training {
                    epoch,
                    what: format!("a trajectory could not be followed ({failure})"),
                    remedy: "set training.on_failure to \"skip\" or \"shrink\" to go on without such trajectories"
                        .into(),
                });
            }
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
        let looks = !self.validation.is_empty() && state.phase == Phase::Search;
        let look =
            looks && (state.epoch == self.task.spec.epochs || state.epoch.is_multiple_of(self.task.spec.check_every));
        let validation_loss = if look { Some(self.look(state)?) } else { None };
        state.log.push(LogRow {
            phase: state.phase,
            epoch: state.epoch,
            horizon: state.horizon,
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
        let scale = if outcome.weight > 0.0 { 1.0 / outcome.weight } else { 0.0 };
        let mut gradient: Vec<f64> = outcome.params.iter().chain(&outcome.starts).map(|g| g * scale).collect();
        let norm = clip_norm(&mut gradient, self.task.spec.clip);
        if outcome.weight == 0.0 && outcome.failures.is_empty() {
            return 0.0;
        }
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
}
