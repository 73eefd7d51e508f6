//! What the forward pass leaves for derivatives.
//!
//! The forward pass works in *rounds*: each lane that is not done attempts one step. A tape holds the rounds as they
//! were, refused attempts included (their lanes take no part when derivatives pass), so going back or pushing tangents
//! forward meets the same lanes side by side.

use super::lanes::Lanes;
use crate::Real;

/// What [`integrate`](super::integrate) is to keep. The buffers are used again from one pass to the next.
#[derive(Clone, Debug)]
pub enum Recording<T> {
    /// Nothing: values only.
    Nothing,
    /// Every linearisation.
    Tape(Tape<T>),
    /// The lanes' states every so many rounds; what lies between is computed again, to the same bits.
    Checkpoints(Checkpoints<T>),
}

impl<T: Real> Recording<T> {
    /// Keeps every linearisation. Memory: `(stages − 1) · slab_len` numbers an attempted step and trajectory.
    pub fn tape() -> Self {
        Self::Tape(Tape::default())
    }

    /// Keeps the lanes every `rounds` rounds. Memory: about `4 · state` numbers a trajectory and checkpoint, and a tape
    /// of `rounds` rounds.
    pub fn checkpoints(rounds: usize) -> Self {
        Self::Checkpoints(Checkpoints { every: rounds.max(1), ..Checkpoints::default() })
    }
}

/// One round on a tape.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    pub lanes: usize,
    /// Where the stages' slabs begin in `Tape::slabs`: stages 1.., each `slab_len × lanes`.
    pub slabs: usize,
    /// Where this round's steps and verdicts begin in `Tape::steps` and `Tape::accepted`.
    pub first: usize,
    /// Outputs read off in this round: a range of `Tape::outputs`.
    pub outputs: std::ops::Range<usize>,
    /// Lanes that go on afterwards, where some left: a range of `Tape::kept`.
    pub kept: Option<std::ops::Range<usize>>,
}

/// A state read off a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output<T> {
    pub lane: usize,
    pub row: usize,
    /// Where in the step, from 0 to 1.
    pub theta: T,
}

/// Rounds with their linearisations.
#[derive(Clone, Debug)]
pub struct Tape<T> {
    pub(crate) rounds: Vec<Round>,
    pub(crate) slabs: Vec<T>,
    pub(crate) steps: Vec<T>,
    pub(crate) accepted: Vec<bool>,
    pub(crate) outputs: Vec<Output<T>>,
    pub(crate) kept: Vec<usize>,
    pub(crate) start: Origin<T>,
}

/// Where the lanes began.
#[derive(Clone, Debug)]
pub(crate) struct Origin<T> {
    /// Trajectory of each lane of the first round.
    pub ids: Vec<usize>,
    /// Slab of the field at the start.
    pub slab: Vec<T>,
    /// Outputs that are the start itself: trajectory and row.
    pub outputs: Vec<(usize, usize)>,
}

impl<T> Default for Origin<T> {
    fn default() -> Self {
        Self { ids: Vec::new(), slab: Vec::new(), outputs: Vec::new() }
    }
}

impl<T> Default for Tape<T> {
    fn default() -> Self {
        Self {
            rounds: Vec::new(),
            slabs: Vec::new(),
            steps: Vec::new(),
            accepted: Vec::new(),
            outputs: Vec::new(),
            kept: Vec::new(),
            start: Origin::default(),
        }
    }
}

impl<T: Real> Tape<T> {
    pub(crate) fn clear(&mut self) {
        self.rounds.clear();
        self.slabs.clear();
        self.steps.clear();
        self.accepted.clear();
        self.outputs.clear();
        self.kept.clear();
    }

    /// Room for a round of `lanes` lanes with `numbers` slab numbers in all; returns those.
    pub(crate) fn begin_round(&mut self, lanes: usize, numbers: usize) -> &mut [T] {
        let slabs = self.slabs.len();
        self.slabs.resize(slabs + numbers, T::zero());
        let outputs = self.outputs.len()..self.outputs.len();
        self.rounds.push(Round { lanes, slabs, first: self.steps.len(), outputs, kept: None });
        &mut self.slabs[slabs..]
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        (self.slabs.len() + self.steps.len() + self.start.slab.len()) * size_of::<T>()
            + self.outputs.len() * size_of::<Output<T>>()
            + self.rounds.len() * size_of::<Round>()
            + self.accepted.len()
    }
}

/// States of the lanes every so many rounds.
#[derive(Clone, Debug)]
pub struct Checkpoints<T> {
    pub(crate) every: usize,
    pub(crate) saved: Vec<Lanes<T>>,
    /// Rounds since the last one saved.
    pub(crate) since: usize,
    pub(crate) start: Origin<T>,
    /// Filled anew for each stretch between two checkpoints on the way back.
    pub(crate) tape: Tape<T>,
}

impl<T> Default for Checkpoints<T> {
    fn default() -> Self {
        Self { every: 1, saved: Vec::new(), since: 0, start: Origin::default(), tape: Tape::default() }
    }
}
