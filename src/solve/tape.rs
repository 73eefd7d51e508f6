//! What the forward pass leaves for derivatives.
//!
//! The forward pass works in *rounds*: each lane that is not done attempts one step. A tape holds the rounds as they
//! were, refused attempts included (their lanes take no part when derivatives pass), so going back or pushing tangents
//! forward meets the same lanes side by side.

use super::checkpoints::Checkpoints;
use crate::{Error, Real, Result};

/// What [`integrate`](super::integrate) is to keep. The buffers are used again from one pass to the next.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one a pass, beside what it holds")]
pub enum Recording<T> {
    /// Nothing: values only.
    Nothing,
    /// Every linearisation.
    Tape(Tape<T>),
    /// Some of the lanes' states along the way; what lies between is computed again, to the same bits.
    Checkpoints(Checkpoints<T>),
}

impl<T: Real> Recording<T> {
    /// Keeps every linearisation. Memory: `(stages − 1) · slab_len` numbers an attempted step and trajectory.
    pub fn tape() -> Self {
        Self::Tape(Tape::default())
    }

    /// Keeps the lanes every `rounds` rounds. Memory: about `4 · state` numbers a trajectory and checkpoint, and a tape
    /// of `rounds` rounds. The way back repeats the forward pass once, but for the last rounds.
    pub fn checkpoints(rounds: usize) -> Self {
        Self::Checkpoints(Checkpoints::every(rounds))
    }

    /// Keeps what fits in so many bytes: everything, if that does, and else states so far apart that they do and a tape
    /// between two of them. A pass of `N` rounds is repeated once on the way back if `N` is at most the rounds of that
    /// tape times the number of states, and `log N` times if it is longer (Griewank & Walther, *Evaluating Derivatives*,
    /// ch. 12, treat such schedules). The budget is that of one call of [`integrate`](super::integrate()).
    pub fn within(bytes: usize) -> Self {
        Self::Checkpoints(Checkpoints::within(bytes))
    }

    /// Most bytes held at once so far.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Tape(tape) => tape.bytes(),
            Self::Checkpoints(kept) => kept.most_bytes,
        }
    }
}

/// One round on a tape.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    pub lanes: usize,
    /// Where the stages' slabs begin in `Tape::slabs`: stages 1.., each `slab_len × lanes`.
    pub slabs: usize,
    /// Whether the stages of the continuous extension alone follow them.
    pub extra: bool,
    /// Where this round's steps and outcomes begin in `Tape::steps` and `Tape::outcomes`.
    pub first: usize,
    /// Outputs read off in this round: a range of `Tape::outputs`.
    pub outputs: std::ops::Range<usize>,
    /// What happened at its end: a range of `Tape::marks`.
    pub marks: std::ops::Range<usize>,
    /// Lanes that go on afterwards, where some left: a range of `Tape::kept`.
    pub kept: Option<std::ops::Range<usize>>,
}

/// What became of a lane's attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was repeated with a smaller step, or failed.
    Refused,
    /// The lane went on from its result.
    Whole,
    /// An event within it ended it early.
    Cut,
}

/// Where inputs were read: trajectory, piece of its inputs, and time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<T> {
    pub id: usize,
    pub piece: usize,
    pub t: T,
}

/// Something that happened to a lane after its step, with what derivatives need.
#[derive(Clone, Debug)]
pub(crate) struct Mark<T> {
    pub lane: usize,
    /// The event; none where only the inputs have a kink.
    pub event: Option<EventMark<T>>,
    /// Slab of the field (one lane) from where the lane went on, if it did so anew, and where that is.
    pub restart: Option<(Vec<T>, Place<T>)>,
}

/// An event's place and linearisation.
#[derive(Clone, Debug)]
pub(crate) struct EventMark<T> {
    /// Which event.
    pub event: usize,
    /// Number among the occurrences of the pass.
    pub occurrence: usize,
    /// Where in the step; none if the lane had already stopped there for another event.
    pub theta: Option<T>,
    /// Slab of the watched function.
    pub condition: Vec<T>,
    /// Its derivative along the trajectory.
    pub rate: T,
    /// Slab of the jump, if there was one.
    pub jump: Option<Vec<T>>,
    /// The state's slopes before the event and, where the lane went on anew, after it.
    pub slope_before: Vec<T>,
    pub slope_after: Option<Vec<T>>,
}

/// A state read off a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output<T> {
    pub lane: usize,
    pub row: usize,
    /// Where in the step, from 0 to 1; at 1 the output is the step's result.
    pub theta: T,
}

/// Rounds with their linearisations.
#[derive(Clone, Debug)]
pub struct Tape<T> {
    pub(crate) rounds: Vec<Round>,
    pub(crate) slabs: Vec<T>,
    pub(crate) steps: Vec<T>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) marks: Vec<Mark<T>>,
    pub(crate) outputs: Vec<Output<T>>,
    pub(crate) kept: Vec<usize>,
    /// Where the lanes stood before the attempts, as many as steps, if the inputs are made of numbers.
    pub(crate) places: Vec<Place<T>>,
    pub(crate) start: Origin<T>,
}

/// Where the lanes began.
#[derive(Clone, Debug)]
pub(crate) struct Origin<T> {
    /// Trajectory of each lane of the first round.
    pub ids: Vec<usize>,
    /// Where each of these lanes began.
    pub places: Vec<Place<T>>,
    /// Slab of the field at the start.
    pub slab: Vec<T>,
    /// Outputs that are the start itself: trajectory and row.
    pub outputs: Vec<(usize, usize)>,
    /// Trajectories, output rows, state rows and slab numbers of the recorded problem; none before anything is recorded.
    pub shape: Option<[usize; 4]>,
}

impl<T> Origin<T> {
    /// Refuses a recording that is not that of a problem of this shape.
    pub fn check(&self, shape: [usize; 4]) -> Result<()> {
        if self.shape == Some(shape) {
            return Ok(());
        }
        let found = self.shape.map_or("nothing recorded".into(), |shape| format!("{shape:?}"));
        let what = "trajectories, output rows, state rows and slab of the recorded pass";
        Err(Error::shape(what, format!("{shape:?}"), found))
    }
}

impl<T> Default for Origin<T> {
    fn default() -> Self {
        Self { ids: Vec::new(), places: Vec::new(), slab: Vec::new(), outputs: Vec::new(), shape: None }
    }
}

impl<T> Default for Tape<T> {
    fn default() -> Self {
        Self {
            rounds: Vec::new(),
            slabs: Vec::new(),
            steps: Vec::new(),
            outcomes: Vec::new(),
            marks: Vec::new(),
            outputs: Vec::new(),
            kept: Vec::new(),
            places: Vec::new(),
            start: Origin::default(),
        }
    }
}

impl<T: Real> Tape<T> {
    pub(crate) fn clear(&mut self) {
        self.rounds.clear();
        self.slabs.clear();
        self.steps.clear();
        self.outcomes.clear();
        self.marks.clear();
        self.outputs.clear();
        self.kept.clear();
        self.places.clear();
    }

    /// Room for a round of `lanes` lanes with `numbers` slab numbers in all.
    pub(crate) fn begin_round(&mut self, lanes: usize, numbers: usize) {
        let slabs = self.slabs.len();
        self.slabs.resize(slabs + numbers, T::zero());
        let outputs = self.outputs.len()..self.outputs.len();
        let marks = self.marks.len()..self.marks.len();
        self.rounds.push(Round { lanes, slabs, extra: false, first: self.steps.len(), outputs, marks, kept: None });
    }

    /// Room for one stage more in this round.
    pub(crate) fn extend_round(&mut self, numbers: usize) -> &mut [T] {
        let slabs = self.slabs.len();
        self.slabs.resize(slabs + numbers, T::zero());
        if let Some(round) = self.rounds.last_mut() {
            round.extra = true;
        }
        &mut self.slabs[slabs..]
    }

    pub(crate) fn push_output(&mut self, output: Output<T>) {
        self.outputs.push(output);
        let all = self.outputs.len();
        self.rounds.last_mut().into_iter().for_each(|round| round.outputs.end = all);
    }

    pub(crate) fn push_mark(&mut self, mark: Mark<T>) {
        self.marks.push(mark);
        let all = self.marks.len();
        self.rounds.last_mut().into_iter().for_each(|round| round.marks.end = all);
    }

    /// The steps without the linearisations.
    pub(crate) fn only_steps(self) -> Self {
        Self { slabs: Vec::new(), start: Origin { slab: Vec::new(), ..self.start }, ..self }
    }

    /// How many events happened.
    pub(crate) fn occurrences(&self) -> usize {
        self.marks.iter().filter(|mark| mark.event.is_some()).count()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        (self.slabs.len() + self.steps.len() + self.start.slab.len()) * size_of::<T>()
            + self.outputs.len() * size_of::<Output<T>>()
            + self.rounds.len() * size_of::<Round>()
            + self.outcomes.len()
            + self.places.len() * size_of::<Place<T>>()
    }
}
