//! Models of whole sequences: an encoder, a head on what it gives, a loss.

mod encoder;
mod motifs;
mod recurrent;
#[cfg(test)]
mod tests;

pub use encoder::{Features, SequenceEncoder};
pub use motifs::{Motifs, Pooling};
pub use recurrent::{Readout, RecurrentEncoder};

use crate::dynamics::{Component, ParamSpec};
use crate::linalg::{Block, BlockMut};
use crate::nn::{Mlp, cross_entropy, squared_error};
use crate::{Error, Real, Result};
use rand_chacha::ChaCha8Rng;

/// A sequence and what a model should say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Example<T> {
    /// `steps × features`, one step after another.
    pub inputs: Vec<T>,
    /// What is to be found, once or at every step as the encoder reads out.
    pub target: Target<T>,
}

/// What a model should say: once, or at every step one after another.
#[derive(Clone, Debug, PartialEq)]
pub enum Target<T> {
    /// Numbers, as many as the head has rows; the loss is the mean squared error.
    Numbers(Vec<T>),
    /// Numbers of which some are not known; the loss is the mean squared error of those that are.
    Known(Vec<Option<T>>),
    /// The number of the right class; the head gives one row a class, the loss is the mean cross-entropy.
    Classes(Vec<usize>),
}

/// An encoder and a dense head. Parameters: `encoder.…`, then `head.…`.
#[derive(Clone, Debug)]
pub struct SequenceModel<E> {
    /// From a sequence to features.
    pub encoder: E,
    head: Mlp,
}

/// What a model's run leaves; the buffers are used again.
#[derive(Debug)]
pub struct ModelTape<T, K> {
    encoder: K,
    features_bar: Vec<T>,
    slab: Vec<T>,
    outputs: Vec<T>,
    bar: Vec<T>,
    targets: Vec<T>,
    scratch: Vec<T>,
}

impl<T, K: Default> Default for ModelTape<T, K> {
    fn default() -> Self {
        let empty = Vec::new;
        Self {
            encoder: K::default(),
            features_bar: empty(),
            slab: empty(),
            outputs: empty(),
            bar: empty(),
            targets: empty(),
            scratch: empty(),
        }
    }
}

impl<E> SequenceModel<E> {
    /// A model whose head is `head`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the head does not take the encoder's features.
    pub fn new<T: Real>(encoder: E, head: Mlp) -> Result<Self>
    where
        E: SequenceEncoder<T>,
    {
        let rows = Component::<T>::in_dim(&head);
        if rows != encoder.features() {
            return Err(Error::shape("a head's arguments", encoder.features(), rows));
        }
        Ok(Self { encoder, head })
    }

    /// Parameters' names and shapes.
    pub fn params<T: Real>(&self) -> Vec<ParamSpec>
    where
        E: SequenceEncoder<T>,
    {
        let mut specs = self.encoder.params("encoder.");
        specs.extend(Component::<T>::params(&self.head, "head."));
        specs
    }

    /// Predictions of the batch: for each sequence the head's rows, once or at every step one after another.
    ///
    /// # Errors
    /// If an input is not whole steps, or too short for the encoder.
    pub fn predict<T: Real>(
        &self,
        params: &[T],
        inputs: &[&[T]],
        tape: &mut ModelTape<T, E::Tape>,
    ) -> Result<Vec<Vec<T>>>
    where
        E: SequenceEncoder<T>,
    {
        let (encoder, head) = params.split_at(self.split::<T>(params)?);
        self.encoder.encode(encoder, inputs, None, &mut tape.encoder)?;
        let rows = Component::<T>::out_dim(&self.head);
        let mut predictions = vec![Vec::new(); inputs.len()];
        for (features, order) in self.encoder.features_of(&tape.encoder).blocks() {
            tape.outputs.resize(rows * features.lanes, T::zero());
            tape.scratch.resize(Component::<T>::scratch_len(&self.head) * features.lanes, T::zero());
            let out = BlockMut::new(&mut tape.outputs, features.lanes);
            self.head.eval(head, features, out, &mut tape.scratch);
            for (lane, &sequence) in order.iter().enumerate() {
                predictions[sequence].extend((0..rows).map(|i| tape.outputs[i * features.lanes + lane]));
            }
        }
        Ok(predictions)
    }

    /// The sum of the examples' losses times `weight`, and its gradient, added to `params_bar`. An encoder with dropout
    /// draws from `rng`.
    ///
    /// # Errors
    /// As for [`predict`](Self::predict), or if a target does not fit.
    pub fn loss<T: Real>(
        &self,
        params: &[T],
        examples: &[&Example<T>],
        weight: f64,
        rng: &mut ChaCha8Rng,
        tape: &mut ModelTape<T, E::Tape>,
        params_bar: &mut [T],
    ) -> Result<f64>
    where
        E: SequenceEncoder<T>,
    {
        let at = self.split::<T>(params)?;
        let (encoder, head) = params.split_at(at);
        let (encoder_bar, head_bar) = params_bar.split_at_mut(at);
        let inputs: Vec<&[T]> = examples.iter().map(|example| &example.inputs[..]).collect();
        let rows = Component::<T>::out_dim(&self.head);
        for (at, example) in examples.iter().enumerate() {
            let expected = self.encoder.predictions(example.inputs.len());
            let (expected, found) = match &example.target {
                Target::Numbers(numbers) => (expected * rows, numbers.len()),
                Target::Known(numbers) => (expected * rows, numbers.len()),
                Target::Classes(classes) => (expected, classes.len()),
            };
            if expected != found {
                return Err(Error::shape(format!("targets of example {at}"), expected, found));
            }
        }
        self.encoder.encode(encoder, &inputs, Some(rng), &mut tape.encoder)?;
        let features = self.encoder.features_of(&tape.encoder);
        tape.features_bar.resize(features.data.len(), T::zero());
        let (mut loss, mut done) = (0.0, 0);
        for (step, (block, order)) in features.blocks().enumerate() {
            let lanes = block.lanes;
            tape.outputs.resize(rows * lanes, T::zero());
            tape.bar.resize(rows * lanes, T::zero());
            tape.slab.resize(Component::<T>::slab_len(&self.head) * lanes, T::zero());
            tape.scratch.resize(Component::<T>::scratch_len(&self.head) * lanes, T::zero());
            let slab = BlockMut::new(&mut tape.slab, lanes);
            self.head.linearize(head, block, BlockMut::new(&mut tape.outputs, lanes), slab, &mut tape.scratch);
            let outputs = Block::new(&tape.outputs, lanes);
            let bar = BlockMut::new(&mut tape.bar, lanes);
            loss += block_loss(examples, order, step, outputs, weight, bar, &mut tape.targets)?;
            self.head.vjp(
                head,
                Block::new(&tape.slab, lanes),
                Block::new(&tape.bar, lanes),
                BlockMut::new(&mut tape.features_bar[done..done + block.data.len()], lanes),
                Some(&mut *head_bar),
                &mut tape.scratch,
            );
            done += block.data.len();
        }
        self.encoder.pull(encoder, &tape.features_bar, &mut tape.encoder, encoder_bar);
        Ok(loss)
    }

    /// One over the number of predictions that the examples ask for, the weight that makes [`loss`](Self::loss) their mean; of
    /// targets of which some are not known only the known ones count.
    pub fn weight<T: Real>(&self, examples: &[&Example<T>]) -> f64
    where
        E: SequenceEncoder<T>,
    {
        let rows = Component::<T>::out_dim(&self.head) as f64;
        let asked = |example: &&Example<T>| match &example.target {
            Target::Known(numbers) => numbers.iter().flatten().count() as f64 / rows,
            Target::Numbers(_) | Target::Classes(_) => self.encoder.predictions(example.inputs.len()) as f64,
        };
        let asked: f64 = examples.iter().map(asked).sum();
        if asked > 0.0 { 1.0 / asked } else { 1.0 }
    }

    /// Where the head's parameters begin.
    fn split<T: Real>(&self, params: &[T]) -> Result<usize>
    where
        E: SequenceEncoder<T>,
    {
        let (encoder, head) = (self.encoder.param_count(), Component::<T>::param_count(&self.head));
        if params.len() == encoder + head {
            Ok(encoder)
        } else {
            Err(Error::shape("parameters of a model", encoder + head, params.len()))
        }
    }
}

/// The loss of one block: prediction `step` of the examples of its lanes.
fn block_loss<T: Real>(
    examples: &[&Example<T>],
    order: &[usize],
    step: usize,
    outputs: Block<T>,
    weight: f64,
    bar: BlockMut<T>,
    targets: &mut Vec<T>,
) -> Result<f64> {
    let (rows, lanes) = (outputs.rows(), outputs.lanes);
    let mut classes = Vec::new();
    targets.resize(rows * lanes, T::zero());
    for (lane, &example) in order.iter().enumerate() {
        match &examples[example].target {
            Target::Classes(all) => classes.push(all[step]),
            Target::Numbers(all) => {
                let numbers = &all[step * rows..(step + 1) * rows];
                numbers.iter().enumerate().for_each(|(i, &x)| targets[i * lanes + lane] = x);
            }
            Target::Known(all) => {
                let numbers = &all[step * rows..(step + 1) * rows];
                // What is not known is what the model says: no error, and no gradient.
                let place = |i: usize| i * lanes + lane;
                let known = |(i, x): (usize, &Option<T>)| targets[place(i)] = x.unwrap_or(outputs.data[place(i)]);
                numbers.iter().enumerate().for_each(known);
            }
        }
    }
    match classes.len() {
        0 => Ok(squared_error(outputs, Block::new(targets, lanes), weight / rows as f64, bar)),
        all if all == lanes => cross_entropy(outputs, &classes, weight, bar),
        some => Err(Error::shape(
            "targets of one batch",
            "all numbers or all classes",
            format!("{some} of {lanes} classes"),
        )),
    }
}
