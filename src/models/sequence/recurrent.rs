//! Recurrent layers as an encoder.

use super::{Features, SequenceEncoder};
use crate::cells::{Along, Cotangents, Dropout, Kind, Layers, LayersTape, Ragged};
use crate::dynamics::ParamSpec;
use crate::nn::{orthogonal, recurrent_uniform};
use crate::{Error, Real, Result};
use rand_chacha::ChaCha8Rng;

/// Where predictions are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readout {
    /// Once, from the last `h` of each direction of the last layer.
    Last,
    /// At every step, from the last layer's outputs there.
    EveryStep,
}

/// Recurrent layers whose states are the features. Parameters: those of [`Layers`]; then, if they are learned, `start`:
/// the start states of all cells one after another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecurrentEncoder {
    /// The layers.
    pub layers: Layers,
    /// Where predictions are made.
    pub readout: Readout,
    /// Whether start states are parameters, else they are zero.
    pub learned_start: bool,
    /// Share of dropout between layers while training.
    pub dropout: f64,
    /// Truncated backpropagation: steps after which the state is carried on without its gradient.
    pub cut: Option<usize>,
    /// The forget gate's bias of an LSTM at the beginning (1 is usual: Jozefowicz, Zaremba & Sutskever 2015, "An empirical
    /// exploration of recurrent network architectures"), the update gate's of a GRU: the larger it is the longer the cell
    /// remembers.
    pub memory_bias: f64,
}

/// What encoding leaves.
#[derive(Clone, Debug, Default)]
pub struct RecurrentTape<T> {
    ragged: Option<Ragged>,
    inputs: Vec<T>,
    starts: Vec<T>,
    layers: LayersTape<T>,
    features: Vec<T>,
    lanes: Vec<usize>,
}

impl RecurrentEncoder {
    fn cells(&self) -> usize {
        self.layers.layers * self.layers.directions()
    }

    fn state(&self) -> usize {
        self.layers.cell(0).state()
    }
}

impl<T: Real> SequenceEncoder<T> for RecurrentEncoder {
    type Tape = RecurrentTape<T>;

    fn features(&self) -> usize {
        self.layers.outputs()
    }

    fn predictions(&self, numbers: usize) -> usize {
        match self.readout {
            Readout::Last => 1,
            Readout::EveryStep => numbers / self.layers.inputs.max(1),
        }
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        let mut specs = self.layers.params::<T>(prefix);
        if self.learned_start {
            specs.push(ParamSpec::new(format!("{prefix}start"), &[self.cells() * self.state()]));
        }
        specs
    }

    fn param_count(&self) -> usize {
        self.layers.param_count::<T>() + if self.learned_start { self.cells() * self.state() } else { 0 }
    }

    /// Input matrices uniform by the fan-in of a single step, recurrent ones orthogonal gate by gate (Saxe, McClelland &
    /// Ganguli 2014, "Exact solutions to the nonlinear dynamics of learning"), biases zero but the memory gate's.
    fn initial(&self, rng: &mut ChaCha8Rng) -> Vec<T> {
        let hidden = self.layers.hidden;
        let mut params = Vec::new();
        for spec in SequenceEncoder::<T>::params(self, "") {
            let at = params.len();
            if spec.name.starts_with("weight_ih") {
                recurrent_uniform(&spec, rng, &mut params);
            } else if spec.name.starts_with("weight_h") {
                orthogonal(spec.shape[0] / hidden, hidden, rng, &mut params);
            } else {
                params.resize(at + spec.len(), T::zero());
            }
            // One of the two biases is enough.
            if spec.name.starts_with("bias_ih") && matches!(self.layers.kind, Kind::Lstm | Kind::Gru | Kind::ClassicGru)
            {
                params[at + hidden..at + 2 * hidden].fill(T::of(self.memory_bias));
            }
        }
        params
    }

    fn encode(
        &self,
        params: &[T],
        inputs: &[&[T]],
        rng: Option<&mut ChaCha8Rng>,
        tape: &mut RecurrentTape<T>,
    ) -> Result<()> {
        let width = self.layers.inputs;
        if inputs.is_empty() || width == 0 {
            return Err(Error::shape("a batch", "one sequence or more with one feature or more", inputs.len()));
        }
        if let Some(at) = inputs.iter().position(|x| x.is_empty() || !x.len().is_multiple_of(width)) {
            let expected = format!("one or more whole steps of {width} features");
            return Err(Error::shape(format!("sequence {at}"), expected, format!("{} numbers", inputs[at].len())));
        }
        let ragged = Ragged::new(&inputs.iter().map(|x| x.len() / width).collect::<Vec<_>>());
        ragged.gather(width, inputs, &mut tape.inputs)?;
        let (layers, start) = params.split_at(self.layers.param_count::<T>());
        let count = ragged.sequences();
        tape.starts.clear();
        start.iter().for_each(|&x| tape.starts.extend(std::iter::repeat_n(x, count)));
        let starts = self.learned_start.then_some(&tape.starts[..]);
        let every_step = self.readout == Readout::EveryStep;
        let dropout = rng.filter(|_| self.dropout > 0.0).map(|rng| Dropout { share: self.dropout, rng });
        let along = Along { ragged: &ragged, inputs: &tape.inputs, start: starts };
        self.layers.run(layers, &along, every_step, dropout, &mut tape.layers)?;
        tape.lanes.clear();
        match self.readout {
            Readout::EveryStep => tape.lanes.extend_from_slice(ragged.lanes()),
            Readout::Last => {
                tape.lanes.push(count);
                tape.features.clear();
                for direction in 0..self.layers.directions() {
                    let cell = self.cells() - self.layers.directions() + direction;
                    tape.features.extend_from_slice(&tape.layers.last(cell)[..self.layers.hidden * count]);
                }
            }
        }
        tape.ragged = Some(ragged);
        Ok(())
    }

    fn features_of<'a>(&self, tape: &'a RecurrentTape<T>) -> Features<'a, T> {
        let data = match self.readout {
            Readout::EveryStep => tape.layers.outputs(),
            Readout::Last => &tape.features,
        };
        let order = tape.ragged.as_ref().map_or(&[][..], Ragged::order);
        Features { data, rows: self.layers.outputs(), lanes: &tape.lanes, order }
    }

    fn pull(&self, params: &[T], features_bar: &[T], tape: &mut RecurrentTape<T>, params_bar: &mut [T]) {
        let Some(ragged) = &tape.ragged else { return };
        let at = self.layers.param_count::<T>();
        let (layers_bar, start_bar) = params_bar.split_at_mut(at);
        let count = ragged.sequences();
        let (mut outputs_bar, mut last_bar) = (None, Vec::new());
        match self.readout {
            Readout::EveryStep => outputs_bar = Some(features_bar),
            Readout::Last => {
                let below = self.cells() - self.layers.directions();
                last_bar.resize(below * self.state() * count, T::zero());
                for h_bar in features_bar.chunks_exact(self.layers.hidden * count) {
                    last_bar.extend_from_slice(h_bar);
                    last_bar.resize(last_bar.len() + (self.state() - self.layers.hidden) * count, T::zero());
                }
            }
        }
        let last_bar = (!last_bar.is_empty()).then_some(&last_bar[..]);
        let cotangents = Cotangents { outputs: outputs_bar, last: last_bar, cut: self.cut };
        self.layers.pull(&params[..at], ragged, &cotangents, &mut tape.layers, false, layers_bar);
        if self.learned_start {
            for (cell, bar) in start_bar.chunks_exact_mut(self.state()).enumerate() {
                let lanes = tape.layers.start_bar(cell).chunks_exact(count);
                bar.iter_mut().zip(lanes).for_each(|(bar, lanes)| lanes.iter().for_each(|&x| *bar += x));
            }
        }
    }
}
