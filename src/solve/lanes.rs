//! Trajectories side by side: what each lane holds.

use super::control::Controller;
use crate::Real;

/// Everything that decides how the lanes go on. Blocks are `dim × lanes`.
#[derive(Clone, Debug)]
pub(crate) struct Lanes<T> {
    pub ids: Vec<usize>,
    pub t: Vec<T>,
    /// Signed length of the next attempt.
    pub h: Vec<T>,
    /// Last output time.
    pub end: Vec<T>,
    /// Next output row.
    pub row: Vec<usize>,
    /// Logarithms of the scaled errors of the last two accepted steps.
    pub error: Vec<[T; 2]>,
    /// Piece of the inputs.
    pub piece: Vec<usize>,
    pub just_rejected: Vec<bool>,
    pub attempts: Vec<usize>,
    pub y: Vec<T>,
    /// The field at `(t, y)`: the first stage of the next step.
    pub slope: Vec<T>,
}

impl<T: Real> Lanes<T> {
    pub fn empty() -> Self {
        Self {
            ids: Vec::new(),
            t: Vec::new(),
            h: Vec::new(),
            end: Vec::new(),
            row: Vec::new(),
            error: Vec::new(),
            piece: Vec::new(),
            just_rejected: Vec::new(),
            attempts: Vec::new(),
            y: Vec::new(),
            slope: Vec::new(),
        }
    }

    pub fn push(&mut self, id: usize, t: T, end: T, row: usize) {
        self.ids.push(id);
        self.t.push(t);
        self.h.push(T::zero());
        self.end.push(end);
        self.row.push(row);
        self.error.push([T::of(Controller::<T>::LOG_FLOOR); 2]);
        self.piece.push(0);
        self.just_rejected.push(false);
        self.attempts.push(0);
    }

    pub fn direction(&self, lane: usize) -> T {
        if self.end[lane] < self.t[lane] { -T::one() } else { T::one() }
    }

    pub fn is_done(&self, lane: usize) -> bool {
        self.t[lane] == self.end[lane]
    }

    /// Keeps some lanes, closing ranks.
    pub fn keep(&mut self, kept: &[usize], dim: usize) {
        let count = self.ids.len();
        let pack = |x: &mut Vec<T>, rows: usize| {
            for i in 0..rows {
                for (to, &from) in kept.iter().enumerate() {
                    // Rows only move towards the front, so nothing is overwritten before it has moved.
                    x[i * kept.len() + to] = x[i * count + from];
                }
            }
            x.truncate(rows * kept.len());
        };
        for x in [&mut self.t, &mut self.h, &mut self.end] {
            pack(x, 1);
        }
        pack(&mut self.y, dim);
        pack(&mut self.slope, dim);
        self.ids = kept.iter().map(|&lane| self.ids[lane]).collect();
        self.error = kept.iter().map(|&lane| self.error[lane]).collect();
        self.piece = kept.iter().map(|&lane| self.piece[lane]).collect();
        self.row = kept.iter().map(|&lane| self.row[lane]).collect();
        self.just_rejected = kept.iter().map(|&lane| self.just_rejected[lane]).collect();
        self.attempts = kept.iter().map(|&lane| self.attempts[lane]).collect();
    }
}
