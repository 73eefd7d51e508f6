//! Training of models of sequences, one batch at a time.

use crate::models::sequence::{Example, ModelTape, SequenceEncoder, SequenceModel};
use crate::nn::{AdamW, Schedule, clip_norm};
use crate::random::Stream;
use crate::solve::map_parts;
use crate::{Error, Real, Result};
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
        self.step_with(batch, |_, _| Ok(()))
    }

    /// [`step`](Self::step) with a regulariser: `further(params, gradient)` adds its own gradient to that of the batch, which
    /// is clipped by then; what it adds it has to keep in bounds itself. See [`flossing`](crate::analysis::flossing).
    ///
    /// # Errors
    /// Those of [`step`](Self::step) and of `further`; then the parameters stay as they were.
    pub fn step_with(
        &mut self,
        batch: &[&Example<T>],
        further: impl FnOnce(&[T], &mut [T]) -> Result<()>,
    ) -> Result<f64> {
        let weight = self.model.weight(batch);
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
            let mut rng = Stream::SequenceStep(at).of(seed);
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
        further(&self.params, gradient)?;
        let norm = if gradient.iter().all(|g| g.is_finite()) { norm } else { f64::NAN };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::{Kind, Layers};
    use crate::models::sequence::{Readout, RecurrentEncoder, Target};
    use crate::nn::{Activation, Mlp};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn settings() -> SequenceTraining {
        SequenceTraining {
            schedule: Schedule { peak: 0.02, warmup: 0, total: 200, floor: 0.1 },
            clip: 1.0,
            weight_decay: 0.0,
            part: 4,
            growth: None,
            seed: 3,
        }
    }

    fn model() -> SequenceModel<RecurrentEncoder> {
        let encoder = RecurrentEncoder {
            layers: Layers { kind: Kind::Gru, layers: 2, hidden: 5, inputs: 1, bidirectional: false },
            readout: Readout::Last,
            learned_start: true,
            dropout: 0.1,
            cut: None,
            memory_bias: 0.0,
        };
        let head = Mlp::new(&[5, 1], Activation::Identity, Activation::Identity).unwrap();
        SequenceModel::new::<f64>(encoder, head).unwrap()
    }

    fn initial(model: &SequenceModel<RecurrentEncoder>) -> Vec<f64> {
        let mut params = model.encoder.initial(&mut ChaCha8Rng::seed_from_u64(1));
        params.resize(model.params::<f64>().iter().map(|spec| spec.len()).sum(), 0.1);
        params
    }

    /// The mean of a short sequence.
    fn batch(rng: &mut ChaCha8Rng) -> Vec<Example<f64>> {
        (0..14)
            .map(|_| {
                let n = rng.random_range(1..6);
                let inputs: Vec<f64> = (0..n).map(|_| rng.random_range(-1.0..1.0)).collect();
                let mean = inputs.iter().sum::<f64>() / inputs.len() as f64;
                Example { inputs, target: Target::Numbers(vec![mean]) }
            })
            .collect()
    }

    fn train(threads: usize, steps: usize) -> (Vec<f64>, Vec<f64>) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let model = model();
            let mut trainer = SequenceTrainer::new(&model, initial(&model), settings()).unwrap();
            let mut rng = ChaCha8Rng::seed_from_u64(2);
            let losses = (0..steps)
                .map(|_| {
                    let batch = batch(&mut rng);
                    trainer.step(&batch.iter().collect::<Vec<_>>()).unwrap()
                })
                .collect();
            (losses, trainer.params().to_vec())
        })
    }

    #[test]
    fn training_learns_and_has_the_same_bits_for_any_number_of_threads() {
        let (losses, params) = train(1, 200);
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        assert!(mean(&losses[180..]) < 0.2 * mean(&losses[..20]), "{losses:?}");
        let (again, others) = train(3, 200);
        let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!((bits(&losses), bits(&params)), (bits(&again), bits(&others)));
    }

    #[test]
    fn a_regulariser_adds_its_gradient_after_clipping_and_its_failure_changes_nothing() {
        let model = model();
        let fresh = || SequenceTrainer::new(&model, initial(&model), settings()).unwrap();
        let batch = batch(&mut ChaCha8Rng::seed_from_u64(2));
        let batch: Vec<&Example<f64>> = batch.iter().collect();
        let (mut plain, mut with, mut failed) = (fresh(), fresh(), fresh());
        let loss = plain.step(&batch).unwrap();
        let mut clipped = f64::NAN;
        let further = |params: &[f64], gradient: &mut [f64]| {
            clipped = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            gradient.iter_mut().zip(params).for_each(|(g, p)| *g += 10.0 * p);
            Ok(())
        };
        assert_eq!(with.step_with(&batch, further).unwrap(), loss);
        assert!(clipped <= settings().clip * (1.0 + 1e-12));
        assert_ne!(plain.params(), with.params());
        assert!(failed.step_with(&batch, |_, _| Err(Error::shape("x", 1, 2))).is_err());
        let endless = |_: &[f64], gradient: &mut [f64]| {
            gradient[0] = f64::INFINITY;
            Ok(())
        };
        assert!(matches!(failed.step_with(&batch, endless), Err(Error::Training { .. })));
        assert_eq!(failed.params(), initial(&model));
    }

    #[test]
    fn lengths_grow_when_the_loss_is_low_and_stop_at_the_last() {
        let model = model();
        let growth = Growth { first: 2, last: 5, factor: 1.5, below: f64::INFINITY, over: 2 };
        let settings = SequenceTraining { growth: Some(growth), ..settings() };
        let mut trainer = SequenceTrainer::new(&model, initial(&model), settings).unwrap();
        let batch = batch(&mut ChaCha8Rng::seed_from_u64(2));
        let batch: Vec<&Example<f64>> = batch.iter().collect();
        let lengths: Vec<usize> = (0..8)
            .map(|_| {
                trainer.step(&batch).unwrap();
                trainer.length()
            })
            .collect();
        assert_eq!(lengths, [2, 3, 3, 4, 4, 5, 5, 5]);
    }

    #[test]
    fn a_loss_that_is_not_finite_leaves_the_parameters_and_wrong_settings_are_refused() {
        let model = model();
        let mut trainer = SequenceTrainer::new(&model, initial(&model), settings()).unwrap();
        let bad = Example { inputs: vec![f64::NAN], target: Target::Numbers(vec![0.0]) };
        assert!(matches!(trainer.step(&[&bad]), Err(Error::Training { epoch: 0, .. })));
        assert_eq!(trainer.params(), initial(&model));
        assert!(trainer.step(&[]).is_err());
        assert!(SequenceTrainer::new(&model, vec![0.0], settings()).is_err());
        assert!(SequenceTrainer::new(&model, initial(&model), SequenceTraining { part: 0, ..settings() }).is_err());
        let growth = Growth { first: 2, last: 5, factor: 1.0, below: 0.1, over: 2 };
        let settings = SequenceTraining { growth: Some(growth), ..settings() };
        assert!(SequenceTrainer::new(&model, initial(&model), settings).is_err());
    }
}
