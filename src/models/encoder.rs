//! From observations to the state of a model at the last of them.

use crate::cells::{Along, Cell, Cotangents, Ragged, SequenceTape};
use crate::dynamics::{Component, ParamSpec};
use crate::linalg;
use crate::series::Series;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How the rows before an anchor are taken in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditioning {
    /// Most recent rows that are looked at, beside the channels' means.
    pub memory: usize,
    /// Channels of which each series' own mean is taken off.
    pub centred: Vec<bool>,
    /// Time over which each channel's recent observations are averaged, in the model's unit; 0 takes the last one alone.
    pub smoothing: Vec<f64>,
}

/// What a state is made from: the rows of one series up to its anchor, in the model's units.
#[derive(Clone, Debug)]
pub struct History {
    /// The present level of each channel: its recent observations, weighted by `exp(−age / smoothing)`, or the last one
    /// alone; its mean if there is none.
    pub level: Vec<f64>,
    /// The mean of the channel's observed values, 0 (the training mean) if there is none.
    pub mean: Vec<f64>,
    /// What is subtracted from the channel: its mean if the channel is centred, else 0. The other fields and the states
    /// made from them are without it.
    pub offset: Vec<f64>,
    /// The cell's inputs for the most recent rows: values (0 where missing), mask, gap to the row before.
    pub inputs: Vec<f64>,
}

impl History {
    /// The history of a series' first `rows` rows. The mean that is taken off a centred channel is that of the first
    /// `known` rows, which may be more: while training, all of a series' training rows tell where its level is.
    pub fn of(series: &Series, rows: usize, known: usize, conditioning: &Conditioning) -> Self {
        let channels = conditioning.centred.len();
        let recent = rows.saturating_sub(conditioning.memory)..rows;
        let (mut level, mut mean) = (Vec::with_capacity(channels), Vec::with_capacity(channels));
        for c in 0..channels {
            let observed = |row: &usize| series.mask[row * channels + c];
            let value = |row: usize| series.values[row * channels + c];
            let averaged = if conditioning.centred[c] { 0..known } else { 0..rows };
            let (sum, count) = averaged.filter(observed).fold((0.0, 0.0), |(s, n), row| (s + value(row), n + 1.0));
            let average = if count > 0.0 { sum / count } else { 0.0 };
            let last = (0..rows).rev().find(observed);
            let smoothing = conditioning.smoothing[c];
            let weighted = last.filter(|_| smoothing > 0.0).map(|last| {
                let weight = |row: usize| ((series.times[row] - series.times[last]) / smoothing).exp();
                let rows = recent.clone().filter(observed).chain((last < recent.start).then_some(last));
                let (sum, all) = rows.fold((0.0, 0.0), |(s, w), row| (s + weight(row) * value(row), w + weight(row)));
                sum / all
            });
            mean.push(average);
            level.push(weighted.or(last.map(value)).unwrap_or(average));
        }
        let offset: Vec<f64> =
            mean.iter().zip(&conditioning.centred).map(|(&m, &centred)| if centred { m } else { 0.0 }).collect();
        for c in 0..channels {
            level[c] -= offset[c];
            mean[c] -= offset[c];
        }
        let mut inputs = Vec::new();
        for row in recent {
            let cells = row * channels..(row + 1) * channels;
            let value = |c: usize| {
                if series.mask[row * channels + c] { series.values[row * channels + c] - offset[c] } else { 0.0 }
            };
            inputs.extend((0..channels).map(value));
            inputs.extend(series.mask[cells].iter().map(|&observed| f64::from(u8::from(observed))));
            // Gaps spread over orders of magnitude; the logarithm keeps rare long ones from drowning the rest.
            let gap = if row == 0 { 0.0 } else { series.times[row] - series.times[row - 1] };
            inputs.push(gap.ln_1p());
        }
        Self { level, mean, offset, inputs }
    }
}

/// A recurrent encoder: a GRU runs over the conditioning rows, and the state at the last of them is the level of each
/// channel, drawn towards the channel's mean as far as training finds useful, plus a linear function of the
/// GRU's state. Further state rows come from the GRU alone.
///
/// Parameters: the GRU's, the head's `weight` and `bias`, and `blend`, one number a channel (1 is the level, 0 the
/// mean).
#[derive(Clone, Copy, Debug)]
pub struct Encoder {
    cell: Cell,
    channels: usize,
    state: usize,
}

/// What encoding a batch leaves for its derivatives.
#[derive(Clone, Debug, Default)]
pub struct EncoderTape {
    sequence: SequenceTape<f64>,
    /// `hidden × lanes`, in the order of the histories, and its cotangent in the order of the tape's lanes.
    hidden: Vec<f64>,
    hidden_bar: Vec<f64>,
}

impl Encoder {
    /// An encoder of `channels` channels into `state ≥ channels` rows by way of `hidden` units.
    pub fn new(channels: usize, state: usize, hidden: usize) -> Self {
        Self { cell: Cell::gru(hidden, 2 * channels + 1), channels, state }
    }

    /// The parameters' names and shapes.
    pub fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        let mut specs = Component::<f64>::params(&self.cell, &format!("{prefix}gru."));
        specs.push(ParamSpec::new(format!("{prefix}head.weight"), &[self.state, self.cell.hidden]));
        specs.push(ParamSpec::new(format!("{prefix}head.bias"), &[self.state]));
        specs.push(ParamSpec::new(format!("{prefix}blend"), &[self.channels]));
        specs
    }

    fn lengths(&self, histories: &[&History]) -> Ragged {
        Ragged::new(&histories.iter().map(|h| h.inputs.len() / self.cell.inputs).collect::<Vec<_>>())
    }

    fn split<'a>(&self, params: &'a [f64]) -> (&'a [f64], &'a [f64], &'a [f64], &'a [f64]) {
        let (cell, rest) = params.split_at(Component::<f64>::param_count(&self.cell));
        let (weight, rest) = rest.split_at(self.state * self.cell.hidden);
        let (bias, blend) = rest.split_at(self.state);
        (cell, weight, bias, blend)
    }

    /// States at the anchors, one lane a history: `state × lanes`.
    ///
    /// # Errors
    /// If there is no history.
    pub fn encode(&self, params: &[f64], histories: &[&History], tape: &mut EncoderTape) -> Result<Vec<f64>> {
        let lanes = histories.len();
        let (cell, weight, bias, blend) = self.split(params);
        if lanes == 0 {
            return Err(Error::shape("histories", "one or more", 0));
        }
        let ragged = self.lengths(histories);
        let sequences: Vec<&[f64]> = histories.iter().map(|h| &h.inputs[..]).collect();
        let mut inputs = Vec::new();
        ragged.gather(self.cell.inputs, &sequences, &mut inputs)?;
        tape.sequence.run(&self.cell, cell, &Along { ragged: &ragged, inputs: &inputs, start: None }, false)?;
        tape.hidden.resize(self.cell.hidden * lanes, 0.0);
        for (to, from) in tape.hidden.chunks_exact_mut(lanes).zip(tape.sequence.last().chunks_exact(lanes)) {
            ragged.order().iter().zip(from).for_each(|(&history, &x)| to[history] = x);
        }
        let mut state = vec![0.0; self.state * lanes];
        linalg::affine(weight, bias, &tape.hidden, &mut state, lanes);
        for c in 0..self.channels {
            for (lane, h) in histories.iter().enumerate() {
                state[c * lanes + lane] += h.mean[c] + blend[c] * (h.level[c] - h.mean[c]);
            }
        }
        Ok(state)
    }

    /// Pulls the states' cotangents (`state × lanes`) back and adds to `params_bar`.
    pub fn pull(
        &self,
        params: &[f64],
        histories: &[&History],
        tape: &mut EncoderTape,
        state_bar: &[f64],
        params_bar: &mut [f64],
    ) {
        let lanes = histories.len();
        let (cell, weight, ..) = self.split(params);
        let (cell_bar, rest) = params_bar.split_at_mut(cell.len());
        let (weight_bar, rest) = rest.split_at_mut(weight.len());
        let (bias_bar, blend_bar) = rest.split_at_mut(self.state);
        linalg::outer_add(state_bar, &tape.hidden, weight_bar, bias_bar, lanes);
        for (c, blend_bar) in blend_bar.iter_mut().enumerate() {
            for (lane, h) in histories.iter().enumerate() {
                *blend_bar += state_bar[c * lanes + lane] * (h.level[c] - h.mean[c]);
            }
        }
        let mut hidden_bar = vec![0.0; self.cell.hidden * lanes];
        linalg::transposed_add(weight, state_bar, &mut hidden_bar, lanes);
        let ragged = self.lengths(histories);
        tape.hidden_bar.clear();
        for row in hidden_bar.chunks_exact(lanes) {
            tape.hidden_bar.extend(ragged.order().iter().map(|&history| row[history]));
        }
        let cotangents = Cotangents { outputs: None, last: Some(&tape.hidden_bar), cut: None };
        tape.sequence.pull(&self.cell, cell, &ragged, &cotangents, false, cell_bar);
    }
}
