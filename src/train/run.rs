//! A fit from a panel to a model that predicts.

use super::{Best, FitConfig, Phase, Stopped, Task, TrainState, Trainer};
use crate::models::{Anchor, Conditioning, Fitted, NeuralOde, Noise, Persistence, persistence};
use crate::series::Panel;
use crate::series::levels::own_deviation;
use crate::series::scale::{Scaling, Transform};
use crate::series::split::{Role, SeriesSplit, Split};
use crate::{Error, Result};

/// A prepared fit: data, split and model.
pub struct Run {
    config: FitConfig,
    panel: Panel,
    split: Split,
    scaling: Scaling,
    scaled: Panel,
    weights: Vec<f64>,
    conditioning: Conditioning,
    persistence: Vec<Persistence>,
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
        for (key, names) in [("log", &config.data.log), ("centre", &config.data.centre)] {
            if let Some(name) = names.iter().find(|name| !panel.channels().contains(name)) {
                let what = format!("data.{key} names `{name}`, which is no channel");
                return Err(Error::config(what, "name channels of the data"));
            }
        }
        let training = split.training(&panel)?;
        let transform = |name| if config.data.log.contains(name) { Transform::Log } else { Transform::Identity };
        let transforms: Vec<Transform> = panel.channels().iter().map(transform).collect();
        let mut scaling = Scaling::fit(&training, &transforms)?;
        let centred: Vec<bool> = panel.channels().iter().map(|name| config.data.centre.contains(name)).collect();
        let scaled = scaling.forward(&training)?;
        for (c, channel) in scaling.channels.iter_mut().enumerate().filter(|(c, _)| centred[*c]) {
            // What is left of a centred channel is brought to order one.
            channel.deviation *= own_deviation(&scaled, c).unwrap_or(1.0);
        }
        let scaled = scaling.forward(&panel)?;
        let span = training.times().iter().map(|&t| scaling.forward_time(t)).fold(0.0, f64::max);
        let model = NeuralOde::new(&centred, &config.model, scaling.time_origin, scaling.time_unit, span)?;
        config.solver.options(scaling.time_unit)?;
        if config.model.encoder == 0 && split.series.iter().any(|s| s.role == Role::Validation) {
            return Err(Error::config(
                "without an encoder every series has a start of its own, so whole series cannot serve for validation",
                "set model.encoder to some units, such as 32, or fit fewer series",
            ));
        }
        let weights = weights(&scaled);
        let persistence = persistence(&split.training(&scaled)?, ahead(&split), config.training.memory, &centred);
        let smoothing = persistence.iter().map(|p| p.smoothing).collect();
        let conditioning = Conditioning { memory: config.training.memory, centred, smoothing };
        Ok(Self { config, panel, split, scaling, scaled, weights, conditioning, persistence, model, span })
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
        Ok(Trainer::new(Task {
            model: &self.model,
            panel: &self.scaled,
            weights: &self.weights,
            split: &self.split,
            conditioning: &self.conditioning,
            persistence: &self.persistence,
            options: self.config.solver.options(self.scaling.time_unit)?,
            settings: self.config.training.gradient_settings()?,
            spec: &self.config.training,
            seed: self.config.seed,
        }))
    }

    /// Trains from the beginning to the end; `each_epoch` is shown the state after every epoch.
    ///
    /// # Errors
    /// If a setting cannot be used, or trajectories keep failing.
    pub fn train(&self, mut each_epoch: impl FnMut(&TrainState)) -> Result<(TrainState, Stopped)> {
        let trainer = self.trainer()?;
        let mut state = trainer.begin();
        loop {
            if let Some(stopped) = trainer.turn(&mut state) {
                return Ok((state, stopped));
            }
            trainer.epoch(&mut state)?;
            each_epoch(&state);
        }
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
        let (values, phase, horizon) = match &state.best {
            Some(best) if !done(best) => (&best.values, Phase::Search, best.horizon),
            _ => (&state.average, state.phase, state.horizon),
        };
        let (params, starts) = values.split_at(self.model.param_count());
        let mut fitted = Fitted {
            spec: self.config.model.clone(),
            scaling: self.scaling.clone(),
            span: self.span,
            solver: self.config.solver.clone(),
            horizon,
            conditioning: self.conditioning.clone(),
            continuity: self.config.training.continuity,
            params: params.to_vec(),
            noise: vec![Noise { floor: 1.0, growth: 0.0, freedom: 1.0 }; self.panel.channel_count()],
            series: self.panel.names().to_vec(),
            anchors: Vec::new(),
        };
        let learned = |phase, horizon, starts| {
            Fitted::learned(&trainer.windows(phase, horizon), &self.scaled, starts, self.model.state_dim())
        };
        let known = learned(phase, horizon, starts);
        fitted.noise = match &state.best {
            Some(best) => {
                let (params, starts) = best.values.split_at(self.model.param_count());
                let searched = Fitted { params: params.to_vec(), horizon: best.horizon, ..fitted.clone() };
                self.noise(&searched, &learned(Phase::Search, best.horizon, starts))?
            }
            None => self.noise(&fitted, &known)?,
        };
        let rows: Vec<usize> = self.split.series.iter().map(|s| s.test.start).collect();
        fitted.anchors = fitted.condition(&self.scaled, &rows, &known)?;
        Ok(fitted)
    }

    /// The prediction error of each channel: over the validation part, predicted from what comes before it, or over the
    /// training part where there is none.
    fn noise(&self, fitted: &Fitted, known: &[Anchor]) -> Result<Vec<Noise>> {
        let validated = self.split.series.iter().any(|s| !s.validation.is_empty());
        let judged = |s: &SeriesSplit| if validated { s.validation.clone() } else { s.training() };
        let rows: Vec<usize> =
            self.split.series.iter().map(|s| if validated { s.validation.start } else { s.test.start }).collect();
        let anchors = fitted.condition(&self.scaled, &rows, known)?;
        let truth = self.split.part(&self.panel, judged)?;
        let prediction = fitted.predict(&anchors, &truth.times_by_series())?;
        let scaled = self.split.part(&self.scaled, judged)?;
        let channels = self.panel.channel_count();
        let mut known_until = vec![None; scaled.series_count()];
        anchors.iter().for_each(|a| known_until[a.series] = Some(a.known));
        let mut errors: Vec<Vec<Vec<(f64, f64)>>> = vec![Vec::new(); channels];
        for s in 0..scaled.series_count() {
            // Within the training part errors are those of a fit, whatever the time since a start.
            errors.iter_mut().for_each(|errors| errors.push(Vec::new()));
            let since = known_until[s].filter(|_| validated);
            for row in scaled.rows(s) {
                let tau = since.map_or(0.0, |since| scaled.times()[row] - since);
                for (c, errors) in errors.iter_mut().enumerate() {
                    let cell = row * channels + c;
                    let predicted = self.scaling.channels[c].forward(prediction.values[cell]).unwrap_or(f64::NAN);
                    if scaled.mask()[cell] && predicted.is_finite() {
                        errors[s].push((tau, predicted - scaled.values()[cell]));
                    }
                }
            }
        }
        Ok(errors.iter().map(|errors| Noise::fit(errors)).collect())
    }
}

/// Rows that the longest forecast of a split goes ahead.
pub(super) fn ahead(split: &Split) -> usize {
    let longest = split.series.iter().map(|s| s.test.len().max(s.validation.len())).max();
    longest.unwrap_or(0).max(LEAST_AHEAD)
}

/// Where nothing is held out, forecasts of this many rows are prepared for.
const LEAST_AHEAD: usize = 8;

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
