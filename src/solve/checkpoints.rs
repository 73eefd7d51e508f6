//! Lanes saved along the way, for passes too long for a tape.

use super::engine::Engine;
use super::lanes::Lanes;
use super::tape::{Origin, Outcome, Output, Round, Tape};
use crate::Real;

/// States of the lanes every so many rounds, and a tape of the rounds since the last of them, as far as it may be long.
///
/// What a tape would have held of the rounds before is computed again on the way back, to the same bits.
#[derive(Clone, Debug)]
pub struct Checkpoints<T> {
    /// Bytes that states and tape may take together; none for a fixed number of rounds a tape.
    budget: Option<usize>,
    /// Rounds that a tape may span.
    pub(crate) stretch: usize,
    /// States that may be saved.
    pub(crate) room: usize,
    /// Rounds between saved states: a multiple of `stretch`.
    pub(crate) every: usize,
    pub(crate) saved: Vec<Lanes<T>>,
    /// Rounds of the whole pass.
    pub(crate) rounds: usize,
    pub(crate) start: Origin<T>,
    /// How many events happened.
    pub(crate) occurrences: usize,
    /// Of the rounds since the last saved state, if they are no more than `stretch`.
    pub(crate) tape: Tape<T>,
    /// Most bytes that were held at once.
    pub(crate) most_bytes: usize,
}

impl<T: Real> Checkpoints<T> {
    /// A state saved every `stretch` rounds, however many that makes.
    pub(super) fn every(stretch: usize) -> Self {
        Self::new(None, stretch.max(1), usize::MAX)
    }

    /// As much as `bytes` allow.
    pub(super) fn within(bytes: usize) -> Self {
        Self::new(Some(bytes), 1, 2)
    }

    fn new(budget: Option<usize>, stretch: usize, room: usize) -> Self {
        Self {
            budget,
            stretch,
            room,
            every: stretch,
            saved: Vec::new(),
            rounds: 0,
            start: Origin::default(),
            occurrences: 0,
            tape: Tape::default(),
            most_bytes: 0,
        }
    }

    /// Forgets another pass, and divides the budget for one of these lanes.
    pub(super) fn begin(&mut self, engine: &Engine<T>, lanes: &Lanes<T>) {
        self.saved.clear();
        self.tape.clear();
        (self.rounds, self.most_bytes) = (0, 0);
        if let Some(budget) = self.budget {
            (self.stretch, self.room) = division(budget, round_bytes(engine, lanes.ids.len()), lanes.bytes());
        }
        self.every = self.stretch;
    }

    /// To be called before each round.
    pub(super) fn prepare(&mut self, lanes: &Lanes<T>) {
        if self.rounds.is_multiple_of(self.every) {
            if self.saved.len() == self.room {
                // Every other one makes room, and the distance between them doubles.
                let mut even = false;
                self.saved.retain(|_| {
                    even = !even;
                    even
                });
                self.every *= 2;
            }
            if self.rounds.is_multiple_of(self.every) {
                self.saved.push(lanes.clone());
                self.note_bytes();
                self.tape.clear();
            }
        }
        self.rounds += 1;
    }

    /// The tape, if it is to hold the round about to come.
    pub(super) fn tape(&mut self) -> Option<&mut Tape<T>> {
        let since = (self.rounds - 1) % self.every;
        if since == self.stretch {
            self.note_bytes();
            self.tape.clear();
        }
        (since < self.stretch).then_some(&mut self.tape)
    }

    pub(super) fn note_bytes(&mut self) {
        let held = self.saved.iter().map(Lanes::bytes).sum::<usize>() + self.tape.bytes();
        self.most_bytes = self.most_bytes.max(held);
    }
}

/// Bytes that one round of so many lanes takes on a tape, at the most.
pub(crate) fn round_bytes<T: Real>(engine: &Engine<T>, lanes: usize) -> usize {
    let method = &engine.stepper.method;
    let evaluations = method.stages - 1 + method.extra;
    let slabs = evaluations * engine.stepper.field.component.slab_len() * size_of::<T>();
    let output = size_of::<Output<T>>();
    size_of::<Round>() + lanes * (slabs + size_of::<T>() + size_of::<Outcome>() + output)
}

/// What a tape may take of a budget; the rest is for states, which are small beside it.
pub(crate) fn tape_share(budget: usize) -> usize {
    budget / 8 * 7
}

/// Rounds of a tape and number of states that share a budget.
pub(crate) fn division(budget: usize, round: usize, state: usize) -> (usize, usize) {
    ((tape_share(budget) / round.max(1)).max(1), ((budget - tape_share(budget)) / state.max(1)).max(2))
}
