//! The Neural ODE: a learned vector field, a start, and a read-out.

use super::{Encoder, Persistence};
use crate::dynamics::{AtRest, Beside, Chain, Component, Field, Identity, ParamSpec, Sum};
use crate::nn::{Activation, Harmonics, Mlp, Relaxation, fan_in_normal};
use crate::{Error, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What a Neural ODE is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// State rows beyond the channels (augmented dimensions).
    pub augment: usize,
    /// Widths of the field's hidden layers.
    pub hidden: Vec<usize>,
    /// Nonlinearity of the hidden layers.
    pub activation: Activation,
    /// Known periods whose sine and cosine are inputs of the field, in the file's unit of time.
    pub periods: Vec<f64>,
    /// Whether time itself is an input of the field.
    pub time: bool,
    /// Units of the recurrent encoder; 0 where each start is a parameter of its own.
    pub encoder: usize,
}

/// Widest layer and most layers and periods: beyond them no memory would do.
const MOST_UNITS: usize = 1 << 16;
const MOST_LAYERS: usize = 256;
/// Most parameters, half a gibibyte of them.
const MOST_PARAMETERS: usize = 1 << 26;

impl ModelSpec {
    /// Refuses sizes that no memory would hold, before anything is made of them.
    fn check_size(&self, channels: usize) -> Result<()> {
        let widths = || self.hidden.iter().chain([&self.augment, &self.encoder, &channels]);
        if let Some(width) = widths().find(|width| **width > MOST_UNITS) {
            return Err(Error::config(
                format!("a model {width} wide is too large"),
                format!("stay under {MOST_UNITS}"),
            ));
        }
        let count = self.hidden.len().max(self.periods.len());
        if count > MOST_LAYERS {
            let remedy = format!("give at most {MOST_LAYERS} of each");
            return Err(Error::config(format!("{count} layers or periods are too many"), remedy));
        }
        // An upper bound of the number of parameters, which the limits above keep from overflowing.
        let state = channels + self.augment;
        let inner = state + 2 * self.periods.len() + 1;
        let ends = || std::iter::once(&inner).chain(&self.hidden);
        let field: usize = ends().zip(ends().skip(1).chain([&state])).map(|(a, b)| (a + 1) * b).sum();
        let encoder = 3 * self.encoder * (self.encoder + 2 * channels + 3) + state * (self.encoder + 2);
        let total = field + encoder + channels * (state + 1);
        if total > MOST_PARAMETERS {
            let remedy = format!("stay under {MOST_PARAMETERS} with narrower layers");
            return Err(Error::config(format!("a model of some {total} parameters is too large"), remedy));
        }
        Ok(())
    }
}

/// A Neural ODE in scaled units: `dz/dt = net(z, inputs(t))`, observed as `z` itself or, where the state is wider than the
/// data, as `R z + b` (Chen et al. 2018; augmented dimensions: Dupont et al. 2019).
///
/// Its flat parameter vector holds the field, then the read-out, then the encoder.
pub struct NeuralOde {
    spec: ModelSpec,
    channels: usize,
    centred: Vec<bool>,
    field: Box<dyn Component<f64>>,
    encoder: Option<Encoder>,
    specs: Vec<ParamSpec>,
    field_params: Range<usize>,
    readout_params: Range<usize>,
    encoder_params: Range<usize>,
}

/// How strongly a new field moves the state: slow at first, so that early trajectories stay near their starts.
const FIELD_GAIN: f64 = 1.0;
const LAST_LAYER_GAIN: f64 = 0.01;

impl NeuralOde {
    /// Puts the model together for times `t' = (t − origin) / unit`, the data spanning `span` of them. It has a channel
    /// for each entry of `centred`; those that are `true` hold deviations from a series' own mean, and their field has
    /// a linear pull towards it beside the net.
    ///
    /// # Errors
    /// If a width is zero or a period is not positive.
    pub fn new(centred: &[bool], spec: &ModelSpec, origin: f64, unit: f64, span: f64) -> Result<Self> {
        let channels = centred.len();
        spec.check_size(channels)?;
        let state = channels + spec.augment;
        if channels == 0 {
            return Err(Error::shape("channels of a model", "at least one", 0));
        }
        if let Some(bad) = spec.periods.iter().find(|p| !(**p > 0.0 && p.is_finite())) {
            return Err(Error::config(format!("the period {bad} cannot be used"), "give a positive length of time"));
        }
        let wave = |period: &f64| {
            let turn = std::f64::consts::TAU;
            (turn * unit / period, turn * (origin / period).fract())
        };
        let harmonics = Harmonics {
            waves: spec.periods.iter().map(wave).collect(),
            linear: spec.time.then_some(1.0 / span.max(f64::MIN_POSITIVE)),
        };
        let extra = 2 * spec.periods.len() + usize::from(spec.time);
        let widths: Vec<usize> =
            std::iter::once(state + extra).chain(spec.hidden.iter().copied()).chain([state]).collect();
        let net = Mlp::new(&widths, spec.activation, Activation::Identity)?;
        let rows: Vec<usize> = (0..channels).filter(|&c| centred[c]).collect();
        let relaxation = Relaxation { arguments: state + usize::from(extra > 0), state, rows };
        let field: Box<dyn Component<f64>> = match (extra, relaxation.rows.is_empty()) {
            (0, true) => Box::new(net),
            (0, false) if relaxation.rows.len() == channels => Box::new(Sum::new::<f64>(AtRest(net), relaxation)?),
            (0, false) => Box::new(Sum::new::<f64>(net, relaxation)?),
            (_, none) => {
                let driven = Chain::new::<f64>(Beside::new(Identity(state), harmonics), net)?;
                if none { Box::new(driven) } else { Box::new(Sum::new::<f64>(driven, relaxation)?) }
            }
        };
        let encoder = (spec.encoder > 0).then(|| Encoder::new(channels, state, spec.encoder));

        let mut specs = field.params("field.");
        let count = |specs: &[ParamSpec]| specs.iter().map(ParamSpec::len).sum::<usize>();
        let field_params = 0..count(&specs);
        if spec.augment > 0 {
            specs.push(ParamSpec::new("readout.weight", &[channels, state]));
            specs.push(ParamSpec::new("readout.bias", &[channels]));
        }
        let readout_params = field_params.end..count(&specs);
        specs.extend(encoder.iter().flat_map(|e| e.params("encoder.")));
        let encoder_params = readout_params.end..count(&specs);
        Ok(Self {
            spec: spec.clone(),
            channels,
            centred: centred.to_vec(),
            field,
            encoder,
            specs,
            field_params,
            readout_params,
            encoder_params,
        })
    }

    /// What it is made of.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Rows of the state.
    pub fn state_dim(&self) -> usize {
        self.channels + self.spec.augment
    }

    /// The arrays of the parameter vector.
    pub fn params(&self) -> &[ParamSpec] {
        &self.specs
    }

    /// Length of the parameter vector.
    pub fn param_count(&self) -> usize {
        self.encoder_params.end
    }

    /// The vector field; its parameters are [`field_params`](Self::field_params).
    ///
    /// # Errors
    /// Never for a model that was put together.
    pub fn field(&self) -> Result<Field<'_, f64>> {
        if self.field.in_dim() > self.state_dim() {
            Field::with_time(&*self.field)
        } else {
            Field::autonomous(&*self.field)
        }
    }

    /// Where the field's parameters are.
    pub fn field_params(&self) -> Range<usize> {
        self.field_params.clone()
    }

    /// The encoder, with where its parameters are.
    pub fn encoder(&self) -> Option<(&Encoder, Range<usize>)> {
        self.encoder.as_ref().map(|e| (e, self.encoder_params.clone()))
    }

    /// Seeded initial parameters, with the blend and the pull of each channel as the data suggest.
    pub fn initial(&self, seed: u64, persistence: &[Persistence]) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut params = fan_in_normal(&self.specs, FIELD_GAIN, &mut rng);
        let last = format!(".{}.weight", self.spec.hidden.len());
        let mut at = 0;
        for spec in &self.specs {
            let values = &mut params[at..at + spec.len()];
            match &spec.name[..] {
                name if name.starts_with("field.") && name.ends_with(&last) => {
                    values.iter_mut().for_each(|v| *v *= LAST_LAYER_GAIN);
                }
                "encoder.head.weight" => values.iter_mut().for_each(|v| *v *= LAST_LAYER_GAIN),
                "encoder.blend" => values.iter_mut().zip(persistence).for_each(|(v, p)| *v = p.blend),
                name if name.starts_with("field.") && name.ends_with("rate") => {
                    let rates = persistence.iter().zip(&self.centred).filter(|(_, centred)| **centred);
                    values.iter_mut().zip(rates).for_each(|(v, (p, _))| *v = p.rate);
                }
                "readout.weight" => {
                    // The channels come first in the state; the augmented rows start unread.
                    values.fill(0.0);
                    (0..self.channels).for_each(|c| values[c * self.channels + c] = 1.0);
                }
                _ => {}
            }
            at += spec.len();
        }
        params
    }

    /// The observed channels of a state.
    pub fn observe(&self, params: &[f64], state: &[f64], out: &mut [f64]) {
        if self.readout_params.is_empty() {
            out.copy_from_slice(&state[..self.channels]);
        } else {
            let (weight, bias) = params[self.readout_params.clone()].split_at(self.channels * self.state_dim());
            crate::linalg::affine(weight, bias, state, out, 1);
        }
    }

    /// Pulls a cotangent of the observed channels back onto the state (added) and the parameters (added).
    pub fn observe_pull(
        &self,
        params: &[f64],
        state: &[f64],
        bar: &[f64],
        state_bar: &mut [f64],
        params_bar: &mut [f64],
    ) {
        if self.readout_params.is_empty() {
            state_bar.iter_mut().zip(bar).for_each(|(s, &b)| *s += b);
        } else {
            let at = self.channels * self.state_dim();
            let weight = &params[self.readout_params.clone()][..at];
            crate::linalg::transposed_add(weight, bar, state_bar, 1);
            let (weight_bar, bias_bar) = params_bar[self.readout_params.clone()].split_at_mut(at);
            crate::linalg::outer_add(bar, state, weight_bar, bias_bar, 1);
        }
    }
}
