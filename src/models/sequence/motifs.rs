//! A bag of motifs: convolution and global pooling, the partner that recurrent encoders are compared with.

use super::{Features, SequenceEncoder};
use crate::dynamics::ParamSpec;
use crate::nn::{Convolution, fan_in_uniform};
use crate::{Error, Real, Result};
use rand_chacha::ChaCha8Rng;

/// What remains of a filter's values along a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The largest: whether the motif is there.
    Max,
    /// The mean: how much of the sequence it makes up.
    Mean,
}

/// One convolution without padding, rectified, and pooled over all places of the sequence: it knows which motifs of the
/// kernel's width a sequence has and not where. Parameters: `weight`, `bias`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Motifs {
    /// The convolution.
    pub convolution: Convolution,
    /// What is kept of its values.
    pub pooling: Pooling,
}

/// What encoding leaves.
#[derive(Clone, Debug, Default)]
pub struct MotifsTape<T> {
    /// Every sequence's windows, `kernel·inputs × places`, one sequence after another.
    windows: Vec<T>,
    /// Rectified values, `filters × places`.
    values: Vec<T>,
    /// Places of each sequence.
    places: Vec<usize>,
    features: Vec<T>,
    order: Vec<usize>,
    lanes: Vec<usize>,
    bar: Vec<T>,
}

impl<T: Real> SequenceEncoder<T> for Motifs {
    type Tape = MotifsTape<T>;

    fn features(&self) -> usize {
        self.convolution.filters
    }

    fn predictions(&self, _numbers: usize) -> usize {
        1
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        self.convolution.params(prefix)
    }

    fn param_count(&self) -> usize {
        self.convolution.param_count()
    }

    fn initial(&self, rng: &mut ChaCha8Rng) -> Vec<T> {
        fan_in_uniform(&self.convolution.params(""), 1.0, rng)
    }

    fn encode(
        &self,
        params: &[T],
        inputs: &[&[T]],
        _: Option<&mut ChaCha8Rng>,
        tape: &mut MotifsTape<T>,
    ) -> Result<()> {
        let Convolution { filters, .. } = self.convolution;
        let count = inputs.len();
        if count == 0 {
            return Err(Error::shape("a batch", "one sequence or more", 0));
        }
        tape.order = (0..count).collect();
        tape.lanes = vec![count];
        tape.places.clear();
        for (at, sequence) in inputs.iter().enumerate() {
            let places = self.convolution.places(sequence.len());
            tape.places.push(places.ok_or_else(|| {
                let expected =
                    format!("whole steps of {} features, {} or more", self.convolution.inputs, self.convolution.kernel);
                Error::shape(format!("sequence {at}"), expected, format!("{} numbers", sequence.len()))
            })?);
        }
        let all: usize = tape.places.iter().sum();
        let window = self.convolution.window();
        tape.windows.resize(window * all, T::zero());
        tape.values.resize(filters * all, T::zero());
        tape.features.resize(filters * count, T::zero());
        let mut before = 0;
        for (at, (sequence, &places)) in inputs.iter().zip(&tape.places).enumerate() {
            let windows = &mut tape.windows[window * before..][..window * places];
            let values = &mut tape.values[filters * before..][..filters * places];
            self.convolution.forward(params, sequence, windows, values, places);
            for (filter, values) in values.chunks_exact_mut(places).enumerate() {
                values.iter_mut().for_each(|v| *v = v.max(T::zero()));
                tape.features[filter * count + at] = match self.pooling {
                    Pooling::Max => values.iter().fold(T::zero(), |a, &b| a.max(b)),
                    Pooling::Mean => values.iter().fold(T::zero(), |a, &b| a + b) / T::of(places as f64),
                };
            }
            before += places;
        }
        Ok(())
    }

    fn features_of<'a>(&self, tape: &'a MotifsTape<T>) -> Features<'a, T> {
        Features { data: &tape.features, rows: self.convolution.filters, lanes: &tape.lanes, order: &tape.order }
    }

    fn pull(&self, _params: &[T], features_bar: &[T], tape: &mut MotifsTape<T>, params_bar: &mut [T]) {
        let Convolution { filters, .. } = self.convolution;
        let count = tape.places.len();
        let window = self.convolution.window();
        let mut before = 0;
        for (at, &places) in tape.places.iter().enumerate() {
            let values = &tape.values[filters * before..][..filters * places];
            tape.bar.clear();
            tape.bar.resize(filters * places, T::zero());
            for (filter, (values, bar)) in
                values.chunks_exact(places).zip(tape.bar.chunks_exact_mut(places)).enumerate()
            {
                let w = features_bar[filter * count + at];
                match self.pooling {
                    Pooling::Max => {
                        let most = tape.features[filter * count + at];
                        // The first of equal ones; where all are zero the rectifier lets nothing through.
                        if let Some(place) = values.iter().position(|&v| v == most && v > T::zero()) {
                            bar[place] = w;
                        }
                    }
                    Pooling::Mean => {
                        let share = w / T::of(places as f64);
                        let open = bar.iter_mut().zip(values).filter(|(_, v)| **v > T::zero());
                        open.for_each(|(bar, _)| *bar = share);
                    }
                }
            }
            let windows = &tape.windows[window * before..][..window * places];
            self.convolution.accumulate(windows, &tape.bar, params_bar, places);
            before += places;
        }
    }
}
