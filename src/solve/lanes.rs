//! Trajectories side by side: what each lane holds.

use super::control::Controller;
use super::tape::Place;
use crate::Real;

/// Everything that decides how the lanes go on.
#[derive(Clone, Debug)]
pub(crate) struct Lanes<T> {
    /// Trajectory of each lane.
    pub ids: Vec<usize>,
    /// Piece of the inputs that each lane is in.
    pub pieces: Vec<usize>,
    pub t: Vec<T>,
    pub own: Vec<Lane<T>>,
    /// Block `dim × lanes`.
    pub y: Vec<T>,
    /// The field at `(t, y)`, the first stage of the next step: block `dim × lanes`.
    pub slope: Vec<T>,
    /// What each event watches, at `(t, y)`: block `events × lanes`. Only signs matter; right at an event the sign is the
    /// one that the function is about to take.
    pub watched: Vec<T>,
}

/// What only one lane's decisions need.
#[derive(Clone, Debug)]
pub(crate) struct Lane<T> {
    /// Signed length of the next attempt.
    pub h: T,
    /// Last output time.
    pub end: T,
    /// Where the next step has to end at the latest: the end, or a kink of the inputs.
    pub stop: T,
    /// Where steps of fixed length are counted from, and how many were taken since.
    pub anchor: T,
    pub since: usize,
    /// Next output row.
    pub row: usize,
    /// Logarithms of the scaled errors of the last two accepted steps.
    pub errors: [T; 2],
    pub just_rejected: bool,
    pub attempts: usize,
    /// Time of the last event, and how many in a row came with hardly any time between.
    pub last_event: Option<T>,
    pub chatter: usize,
    pub done: bool,
}

/// Bytes of one lane with so many state rows and events.
pub(crate) fn lane_bytes<T>(dim: usize, events: usize) -> usize {
    (1 + 2 * dim + events) * size_of::<T>() + 2 * size_of::<usize>() + size_of::<Lane<T>>()
}

impl<T: Real> Lane<T> {
    pub fn new(t: T, end: T, row: usize) -> Self {
        Self {
            h: T::zero(),
            end,
            stop: end,
            anchor: t,
            since: 0,
            row,
            errors: [T::of(Controller::<T>::LOG_FLOOR); 2],
            just_rejected: false,
            attempts: 0,
            last_event: None,
            chatter: 0,
            done: false,
        }
    }
}

impl<T: Real> Lanes<T> {
    pub fn empty() -> Self {
        let none = Vec::new;
        Self {
            ids: Vec::new(),
            pieces: Vec::new(),
            t: none(),
            own: Vec::new(),
            y: none(),
            slope: none(),
            watched: none(),
        }
    }

    pub fn place(&self, lane: usize) -> Place<T> {
        Place { id: self.ids[lane], piece: self.pieces[lane], t: self.t[lane] }
    }

    pub fn direction(&self, lane: usize) -> T {
        if self.own[lane].end < self.t[lane] { -T::one() } else { T::one() }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let numbers = self.t.len() + self.y.len() + self.slope.len() + self.watched.len();
        numbers * size_of::<T>() + self.ids.len() * (2 * size_of::<usize>() + size_of::<Lane<T>>()) + size_of::<Self>()
    }

    /// Keeps some lanes, closing ranks.
    pub fn keep(&mut self, kept: &[usize]) {
        let count = self.ids.len();
        let pack = |x: &mut Vec<T>| {
            let rows = x.len() / count;
            for i in 0..rows {
                for (to, &from) in kept.iter().enumerate() {
                    // Rows only move towards the front, so nothing is overwritten before it has moved.
                    x[i * kept.len() + to] = x[i * count + from];
                }
            }
            x.truncate(rows * kept.len());
        };
        [&mut self.t, &mut self.y, &mut self.slope, &mut self.watched].into_iter().for_each(pack);
        self.ids = kept.iter().map(|&lane| self.ids[lane]).collect();
        self.pieces = kept.iter().map(|&lane| self.pieces[lane]).collect();
        self.own = kept.iter().map(|&lane| self.own[lane].clone()).collect();
    }
}
