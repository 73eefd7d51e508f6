//! What an encoder of sequences offers.

use crate::dynamics::ParamSpec;
use crate::linalg::Block;
use crate::{Real, Result};
use rand_chacha::ChaCha8Rng;

/// The features of a batch: one block, or one block a step of a ragged batch.
#[derive(Clone, Debug)]
pub struct Features<'a, T> {
    /// The blocks one after another.
    pub data: &'a [T],
    /// Rows of every block.
    pub rows: usize,
    /// Lanes of each block.
    pub lanes: &'a [usize],
    /// The sequence in each lane of the widest block; others have the first of these.
    pub order: &'a [usize],
}

impl<'a, T> Features<'a, T> {
    /// Each block with the sequences in its lanes.
    pub fn blocks(&self) -> impl Iterator<Item = (Block<'a, T>, &'a [usize])> {
        let (data, rows, order) = (self.data, self.rows, self.order);
        let mut before = 0;
        self.lanes.iter().map(move |&lanes| {
            let block = &data[rows * before..][..rows * lanes];
            before += lanes;
            (Block::new(block, lanes), &order[..lanes])
        })
    }
}

/// From sequences to features.
///
/// A sequence's features have the same bits whatever its batch, unless dropout is drawn.
pub trait SequenceEncoder<T: Real>: Send + Sync {
    /// What encoding leaves for its derivatives.
    type Tape: Default + Send;

    /// Rows of the features.
    fn features(&self) -> usize;

    /// How many predictions a sequence of that many numbers has.
    fn predictions(&self, numbers: usize) -> usize;

    /// Parameters' names and shapes.
    fn params(&self, prefix: &str) -> Vec<ParamSpec>;

    /// How many parameters there are.
    fn param_count(&self) -> usize;

    /// Initial parameters.
    fn initial(&self, rng: &mut ChaCha8Rng) -> Vec<T>;

    /// Encodes a batch, each sequence `steps × inputs`; dropout is drawn only if there is an `rng`.
    ///
    /// # Errors
    /// If a sequence is not whole steps or too short, or there is none.
    fn encode(&self, params: &[T], inputs: &[&[T]], rng: Option<&mut ChaCha8Rng>, tape: &mut Self::Tape) -> Result<()>;

    /// The features of the last [`encode`](Self::encode).
    fn features_of<'a>(&self, tape: &'a Self::Tape) -> Features<'a, T>;

    /// Pulls their cotangents back and adds to `params_bar`.
    fn pull(&self, params: &[T], features_bar: &[T], tape: &mut Self::Tape, params_bar: &mut [T]);
}
