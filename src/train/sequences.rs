//! Training of models of sequences, one batch at a time.

use crate::models::sequence::{Example, ModelTape, SequenceEncoder, SequenceModel};
use crate::nn::{AdamW, Schedule, clip_norm};
use crate::solve::map_parts;
use crate::{Error, Real, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::sync::Mutex;

/// Sequences that become longer while training: what is learned on short ones shows the way on long ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// The first length.
    pub first: usize,
    /// The last.
    pub last: usize,
    /// By how much the length grows.
    pub factor: f64,
    /// It grows as soon as the mean loss of the last [`over`](Self::over) batches is below this.
    pub below: f64,
    /// Batches the mean is taken over, all of the present length.
    pub over: usize,
}

/// Settings of a [`SequenceTrainer`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SequenceTraining {
    /// Rates by step.
    pub schedule: Schedule,
    /// Largest norm of a gradient.
    pub clip: f64,
    /// Decay of matrices a step, relative to the rate.
    pub weight_decay: f64,
    /// Sequences that are run side by side. Gradients are summed in each such part and then over the parts in order, so the
    /// result has the same bits for any number of threads.
    pub part: usize,
    /// How lengths grow; `None` if they do not.
    pub growth: Option<Growth>,
    /// For dropout.
    pub seed: u64,
}

/// One part's buffers.
struct Part<T, K> {
    tape: ModelTape<T, K>,
    gradient: Vec<T>,
}

/// A model, its parameters and its optimiser, trained batch by batch with Adam on the batch's mean loss.
pub struct SequenceTrainer<'a, T: Real, E: SequenceEncoder<T>> {
    model: &'a SequenceModel<E>,
    settings: SequenceTraining,
    params: Vec<T>,
    matrices: Vec<bool>,
    adam: AdamW<T>,
    parts: Vec<Mutex<Part<T, E::Tape>>>,
    length: usize,
    recent: Vec<f64>,
}

impl<'a, T: Real, E: SequenceEncoder<T>> SequenceTrainer<'a, T, E> {
    /// A trainer from these parameters.
    ///
    /// # Errors
    /// If the parameters are not as many as the model's, or a setting is out of its range.
    pub fn new(model: &'a SequenceModel<E>, params: Vec<T>, settings: SequenceTraining) -> Result<Self> {
        let specs = model.params::<T>();
        let matrices: Vec<bool> =
            specs.iter().flat_map(|spec| std::iter::repeat_n(spec.shape.len() > 1, spec.len())).collect();
        if params.len() != matrices.len() {
            return Err(Error::shape("parameters of a model", matrices.len(), params.len()));
        }
        if settings.part == 0 {
            return Err(Error::config("parts of 0 sequences", "run one or more side by side"));
        }
        if let Some(growth) = settings.growth.filter(|g| g.factor <= 1.0 || g.first == 0 || g.over == 0) {
            return Err(Error::config(format!("{growth:?}"), "lengths grow from 1 or more by a factor above 1"));
        }
        let adam = AdamW::new(params.len(), settings.weight_decay);
        let length = settings.growth.map_or(usize::MAX, |growth| growth.first.min(growth.last));
        Ok(Self { model, settings, params, matrices, adam, parts: Vec::new(), length, recent: Vec::new() })
    }

    /// The parameters as they are.
    pub fn params(&self) -> &[T] {
        &self.params
    }

    /// Batches seen.
    pub fn steps(&self) -> u64 {
        self.adam.steps
    }

    /// How long the next batch's sequences should be at most.
    pub fn length(&self) -> usize {
        self.length
    }

    /// One step on a batch; returns its mean loss before the step.
    ///
    /// # Errors
    /// Those of [`SequenceModel::loss`]; [`Error::Training`] if the loss or its gradient is not finite, then the
    /// parameters stay as they were.
    pub fn step(&mut self, batch: &[&Example<T>]) -> Result<f64> {
        let predictions: usize = batch.iter().map(|x| self.model.encoder.predictions(x.inputs.len())).sum();
        let weight = 1.0 / predictions.max(1) as f64;
        let count = batch.len().div_ceil(self.settings.part);
        while self.parts.len() < count {
            let gradient = vec![T::zero(); self.params.len()];
            self.parts.push(Mutex::new(Part { tape: ModelTape::default(), gradient }));
        }
        let (model, params, parts) = (self.model, &self.params, &self.parts);
        let (seed, part, at) = (self.settings.seed, self.settings.part, self.adam.steps);
        let losses = map_parts(batch.len(), part, |range| {
            let number = range.start / part;
            // A part is met by one thread only, so the lock is free and never poisoned.
            let mut part = parts[number].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let Part { tape, gradient } = &mut *part;
            gradient.fill(T::zero());
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(1 + at);
            rng.set_word_pos((number as u128) << 32);
            model.loss(params, &batch[range], weight, &mut rng, tape, gradient)
        });
        let mut loss = 0.0;
        for part in losses {
            loss += part?;
        }
        let mut parts = self.parts[..count]
            .iter_mut()
            .map(|part| &mut part.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).gradient);
        let Some(gradient) = parts.next() else {
            return Err(Error::shape("a batch", "one sequence or more", 0));
        };
        for part in parts {
            gradient.iter_mut().zip(&*part).for_each(|(sum, &g)| *sum += g);
        }
        let norm = clip_norm(gradient, self.settings.clip);
        if !loss.is_finite() || !norm.is_finite() {
            return Err(Error::Training {
                epoch: self.adam.steps as usize,
                what: format!("the batch's loss is {loss} and its gradient's norm {norm}"),
                remedy: "lower the rate or clip the gradient".into(),
            });
        }
        let rate = self.settings.schedule.rate(self.adam.steps as usize);
        let matrices = &self.matrices;
        self.adam.step(&mut self.params, gradient, rate, |i| matrices[i]);
        self.grow(loss);
        Ok(loss)
    }

    fn grow(&mut self, loss: f64) {
        let Some(growth) = self.settings.growth else { return };
        self.recent.push(loss);
        let Some(from) = self.recent.len().checked_sub(growth.over) else { return };
        let mean = self.recent[from..].iter().sum::<f64>() / growth.over as f64;
        if mean < growth.below && self.length < growth.last {
            self.length = ((self.length as f64 * growth.factor) as usize).clamp(self.length + 1, growth.last);
            self.recent.clear();
        }
    }
}
