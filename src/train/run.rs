//! A fit from a panel to a model that predicts.

use super::{Best, FitConfig, Phase, TrainState, Trainer};
use crate::models::{Anchor, Fitted, NeuralOde};
use crate::series::Panel;
use crate::series::scale::{Scaling, Transform};
use crate::series::split::Split;
use crate::{Error, Result};

/// A prepared fit: data, split and model.
pub struct Run {
    config: FitConfig,
    panel: Panel,
    split: Split,
    scaling: Scaling,
    scaled: Panel,
    weights: Vec<f64>,
    model: NeuralOde,
    span: f64,
}

impl Run {
    /// Scales the data by its training part and puts the model together.
    ///
    /// # Errors
    /// If a setting cannot be used or the split was made for another panel.
    pub fn new(config: FitConfig, panel: Panel, split: Split) -> Result<Self> {
        config.training.check()?;
        if let Some(name) = config.data.log.iter().find(|name| !panel.channels().contains(name)) {
            return Err(Error::config(
                format!("data.log names `{name}`, which is no channel"),
                "name channels of the data",
            ));
        }
        let training = split.training(&panel)?;
        let transform = |name| if config.data.log.contains(name) { Transform::Log } else { Transform::Identity };
        let transforms: Vec<Transform> = panel.channels().iter().map(transform).collect();
        let scaling = Scaling::fit(&training, &transforms)?;
        let scaled = scaling.forward(&panel)?;
        let span = training.times().iter().map(|&t| scaling.forward_time(t)).fold(0.0, f64::max);
        let model = NeuralOde::new(panel.channel_count(), &config.model, scaling.time_origin, scaling.time_unit, span)?;
        config.solver.options(scaling.time_unit)?;
        let weights = weights(&scaled);
        Ok(Self { config, panel, split, scaling, scaled, weights, model, span })
    }

    /// Settings.
    pub fn config(&self) -> &FitConfig {
        &self.config
    }

    /// The data, in the file's units.
    pub fn panel(&self) -> &Panel {
        &self.panel
    }

    /// What is held out.
    pub fn split(&self) -> &Split {
        &self.split
    }

    /// The model.
    pub fn model(&self) -> &NeuralOde {
        &self.model
    }

    /// The training loop over this data.
    ///
    /// # Errors
    /// If the solver's settings cannot be used.
    pub fn trainer(&self) -> Result<Trainer<'_>> {
        let options = self.config.solver.options(self.scaling.time_unit)?;
        let (training, seed) = (&self.config.training, self.config.seed);
        Ok(Trainer::new(&self.model, &self.scaled, &self.weights, &self.split, training, options, seed))
    }

    /// The fitted model: the best parameters, the noise that their errors show, and the starts for predicting each series
    /// from the rows before its test part.
    ///
    /// # Errors
    /// If training has not looked at any parameters yet.
    pub fn finish(&self, state: &TrainState) -> Result<Fitted> {
        let trainer = self.trainer()?;
        // A refit that was cut short knows less than the best of the search.
        let done = |best: &Best| state.phase == Phase::Refit && state.epoch >= best.epoch;
        let (values, phase, stage) = match &state.best {
            Some(best) if !done(best) => (&best.values, Phase::Search, best.stage),
            _ => (&state.average, state.phase, self.config.training.stage(state.epoch.saturating_sub(1))),
        };
        let (params, starts) = values.split_at(self.model.param_count());
        let mut fitted = Fitted {
            spec: self.config.model.clone(),
            scaling: self.scaling.clone(),
            span: self.span,
            solver: self.config.solver.clone(),
            horizon: self.config.training.horizons()[stage],
            memory: self.config.training.memory,
            continuity: self.config.training.continuity,
            params: params.to_vec(),
            noise: vec![0.0; self.panel.channel_count()],
            series: self.panel.names().to_vec(),
            anchors: Vec::new(),
            ends: self
                .scaled
                .series()
                .zip(&self.split.series)
                .map(|(s, part)| end_of(s.times, part.test.start))
                .collect(),
        };
        let learned = |phase, stage, starts| {
            Fitted::learned(&trainer.windows(phase, stage), &self.scaled, starts, self.model.state_dim())
        };
        let known = learned(phase, stage, starts);
        fitted.noise = match &state.best {
            Some(best) => {
                let (params, starts) = best.values.split_at(self.model.param_count());
                let horizon = self.config.training.horizons()[best.stage];
                let searched = Fitted { params: params.to_vec(), horizon, ..fitted.clone() };
                self.noise(&searched, &learned(Phase::Search, best.stage, starts))?
            }
            None => self.noise(&fitted, &known)?,
        };
        let rows: Vec<usize> = self.split.series.iter().map(|s| s.test.start).collect();
        fitted.anchors = fitted.condition(&self.scaled, &rows, &known)?;
        Ok(fitted)
    }

    /// Root mean square error of each channel, in the model's units: over the validation part, predicted from what
    /// comes before it, or over the training part where there is none.
    fn noise(&self, fitted: &Fitted, known: &[Anchor]) -> Result<Vec<f64>> {
        let validated = self.split.series.iter().any(|s| !s.validation.is_empty());
        let rows: Vec<usize> =
            self.split.series.iter().map(|s| if validated { s.validation.start } else { s.training().end }).collect();
        let judged = |s: usize| {
            let part = &self.split.series[s];
            if validated { part.validation.clone() } else { part.training() }
        };
        let anchors = fitted.condition(&self.scaled, &rows, known)?;
        let at: Vec<&[f64]> = self.panel.series().enumerate().map(|(s, series)| &series.times[judged(s)]).collect();
        let prediction = fitted.predict(&anchors, &at)?;
        let channels = self.panel.channel_count();
        let (mut sums, mut counts, mut cell) = (vec![0.0; channels], vec![0.0; channels], 0);
        for (s, series) in self.scaled.series().enumerate() {
            for row in judged(s) {
                for c in 0..channels {
                    let predicted = self.scaling.channels[c].forward(prediction.values[cell]).unwrap_or(f64::NAN);
                    if series.mask[row * channels + c] && predicted.is_finite() {
                        sums[c] += (predicted - series.values[row * channels + c]).powi(2);
                        counts[c] += 1.0;
                    }
                    cell += 1;
                }
            }
        }
        // A channel without such a cell keeps the scale of its training values.
        Ok(sums.iter().zip(&counts).map(|(sum, count)| if *count > 0.0 { (sum / count).sqrt() } else { 1.0 }).collect())
    }
}

/// The time of the last of a series' first `rows` rows, or of the training data's beginning if there is none.
fn end_of(times: &[f64], rows: usize) -> f64 {
    rows.checked_sub(1).and_then(|last| times.get(last)).copied().unwrap_or(0.0)
}

/// Weights of cells: 0 where missing, 1 at a channel's median measurement error, less for larger errors, at most 2.
fn weights(panel: &Panel) -> Vec<f64> {
    let channels = panel.channel_count();
    let mut weights: Vec<f64> = panel.mask().iter().map(|&observed| f64::from(u8::from(observed))).collect();
    if let Some(errors) = panel.errors() {
        for c in 0..channels {
            let of_channel = || (c..errors.len()).step_by(channels);
            let mut known: Vec<f64> = of_channel().map(|cell| errors[cell]).filter(|&e| e > 0.0).collect();
            known.sort_by(f64::total_cmp);
            let Some(&median) = known.get(known.len() / 2) else { continue };
            for cell in of_channel().filter(|&cell| errors[cell] > 0.0) {
                weights[cell] *= 2.0 / (1.0 + (errors[cell] / median).powi(2));
            }
        }
    }
    weights
}
