//! Thin QR factorisation of frames with a positive diagonal.
//!
//! A frame is a `dim × columns` block of tangents. Three methods, chosen by the frame's shape alone so that a frame's
//! bits do not depend on its company: up to [`SMALL`] rows modified Gram–Schmidt twice, several frames side by side in
//! vector lanes; large square ones Householder reflections in blocks (Golub & Van Loan, sec. 5.2.3) by `faer`; all others,
//! and those whose columns span more than reflections in blocks resolve, Gram–Schmidt in blocks twice (Stewart 2008, SIAM
//! J. Sci. Comput. 31, 761–775).
//!
//! Where a frame need not be orthonormal but only good to go on from, [`Qr::eliminate`] is enough above [`SMALL`] rows.

mod blocked;
mod elimination;
mod lanes;
mod panel;
mod reflect;
mod repair;
mod rest;

use super::dispatch::dispatch;
use super::transpose::transposed_copy;
use crate::Real;
use blocked::{Blocked, Lengths};
use elimination::Elimination;
use lanes::GramSchmidt;
pub use reflect::Reflect;
pub(in crate::linalg) use reflect::{multiply_add, product, reflect, room as reflect_room};
use repair::repair;

/// Most rows of the method of small frames.
pub const SMALL: usize = 16;
/// Fewest columns for reflections, and how much wider than half the rows: narrower frames are quicker by Gram–Schmidt.
const REFLECTED: usize = 192;

/// A unit column of which a pass of Gram–Schmidt leaves less is not orthogonal to the others up to rounding.
const ENOUGH: f64 = 0.01;

/// The factorisation of frames of one shape, with its room. Factoring allocates nothing.
#[derive(Debug)]
pub struct Qr<T: Real> {
    dim: usize,
    columns: usize,
    frames: usize,
    seed: u64,
    /// `columns × frames`.
    diagonal: Vec<T>,
    /// Lengths of the columns before, `columns × frames`.
    lengths: Vec<T>,
    /// Of each frame, column by column; only the upper triangle means anything.
    r: Vec<T>,
    /// Columns of each frame so far replaced by random ones.
    replaced: Vec<u64>,
    /// Whether reflections would give up again, as columns of each frame were rounding the last time.
    refused: Vec<bool>,
    blocked: Option<Blocked<T>>,
    reflect: Option<Reflect<T>>,
    elimination: Option<Elimination<T>>,
    /// Whether the last factorisation left `r`.
    triangular: bool,
    /// A frame column by column, where it is not worked on in lanes.
    q: Vec<T>,
}

impl<T: Real> Qr<T> {
    /// Room for `frames` frames of `columns` tangents in `dim` rows, at most `dim` of them; `seed` is that of the random
    /// columns which take the place of vanished ones.
    pub fn new(dim: usize, columns: usize, frames: usize, seed: u64) -> Self {
        assert!(columns <= dim, "a thin factorisation has at most as many columns as rows");
        let large = dim > SMALL;
        let reflected = large && columns >= REFLECTED && 2 * columns > dim;
        Self {
            dim,
            columns,
            frames,
            seed,
            diagonal: vec![T::zero(); columns * frames],
            lengths: vec![T::zero(); columns * frames],
            r: vec![T::zero(); columns * columns * frames],
            replaced: vec![0; frames],
            refused: vec![false; frames],
            blocked: large.then(|| Blocked::new(dim, columns)),
            reflect: reflected.then(|| Reflect::new(dim, columns)),
            elimination: large.then(|| Elimination::new(dim, columns)),
            triangular: false,
            q: vec![T::zero(); if large { dim * columns } else { 0 }],
        }
    }

    /// Replaces each frame by its `Q`: lane `j · frames + f` of the block is column `j` of frame `f`, as in the blocks of
    /// [`Component::jvp`](crate::dynamics::Component::jvp). A column that vanishes becomes a random unit vector orthogonal
    /// to the others, and its diagonal entry is 0. Cost: about `4 · dim · columns²` operations a frame.
    pub fn factor(&mut self, frame: &mut [T]) {
        assert!(frame.len() == self.dim * self.columns * self.frames);
        self.triangular = true;
        if frame.is_empty() {
            return;
        }
        if self.dim <= SMALL {
            let Self { dim, columns, frames, diagonal, lengths, r, .. } = self;
            dispatch(GramSchmidt { dim: *dim, columns: *columns, frames: *frames, frame, diagonal, lengths, r });
            // Below this share of its length a column is rounding, in which two passes may leave a part along the others.
            let noise = T::default_epsilon() * T::of(64.0);
            for f in 0..self.frames {
                let sound = |j: usize| {
                    let at = j * self.frames + f;
                    self.diagonal[at] > noise * self.lengths[at]
                };
                let first = (0..self.columns).find(|&j| !sound(j));
                self.mend(frame, f, first);
            }
        } else {
            (0..self.frames).for_each(|f| self.factor_large(frame, f));
        }
    }

    /// Replaces each frame by a basis of the same spaces that is as good to go on from, not orthonormal but far cheaper:
    /// by elimination, about `dim · columns²` operations. The diagonal is then that of the triangle that takes the new
    /// frame to the old one, but for signs; the entries beside it are not kept. Of a column that vanishes it is 0, and an axis
    /// takes its place. Small frames are [factored](Self::factor).
    pub fn eliminate(&mut self, frame: &mut [T]) {
        assert!(frame.len() == self.dim * self.columns * self.frames);
        let Some(room) = &mut self.elimination else { return self.factor(frame) };
        self.triangular = false;
        if frame.is_empty() {
            return;
        }
        for f in 0..self.frames {
            room.factor(frame, (self.frames, f));
            for (j, (&r, &length)) in room.diagonal.iter().zip(&room.lengths).enumerate() {
                let at = j * self.frames + f;
                (self.diagonal[at], self.lengths[at]) = (r, length);
            }
        }
    }

    fn factor_large(&mut self, frame: &mut [T], f: usize) {
        let (dim, columns, frames) = (self.dim, self.columns, self.frames);
        transposed_copy(&frame[f..], (columns * frames, frames), &mut self.q, (dim, columns));
        let r = &mut self.r[f * columns * columns..][..columns * columns];
        dispatch(Lengths { dim, columns: &self.q, lengths: &mut self.lengths[f..], stride: frames });
        let room = self.reflect.as_mut().filter(|_| !self.refused[f]);
        let reflected = room.is_some_and(|room| room.factor(&mut self.q, r));
        if !reflected && let Some(blocked) = &mut self.blocked {
            blocked.factor(&mut self.q, r);
        }
        for j in 0..columns {
            self.diagonal[j * frames + f] = r[j * columns + j];
        }
        let noise = T::default_epsilon() * T::of(16.0 * dim as f64);
        self.refused[f] =
            !reflected && (f..columns * frames).step_by(frames).any(|at| self.diagonal[at] <= noise * self.lengths[at]);
        if frames == 1 {
            transposed_copy(&self.q, (dim, 1), frame, (columns, dim));
        } else {
            for (j, column) in self.q.chunks_exact(dim).enumerate() {
                frame
                    .iter_mut()
                    .skip(j * frames + f)
                    .step_by(columns * frames)
                    .zip(column)
                    .for_each(|(to, &x)| *to = x);
            }
        }
        // Reflections are orthogonal whatever they reflect; of what is rounding the second pass may take most away.
        let doubtful = |blocked: &Blocked<T>| blocked.kept.iter().position(|kept| *kept <= T::of(ENOUGH));
        let first = if reflected { None } else { self.blocked.as_ref().and_then(doubtful) };
        self.mend(frame, f, first);
    }

    /// Makes the columns from `first` on, of which some all but vanished, orthonormal.
    fn mend(&mut self, frame: &mut [T], f: usize, first: Option<usize>) {
        let (columns, frames) = (self.columns, self.frames);
        let Some(first) = first else { return };
        if (0..columns).any(|j| !self.lengths[j * frames + f].is_finite()) {
            // Not a frame any more; whoever called sees it by the lengths.
            return;
        }
        let zero = |j: usize| self.diagonal[j * frames + f] == T::zero();
        let vanished: Vec<bool> = (first..columns).map(zero).collect();
        let stream = &mut self.replaced[f];
        repair(frame, (self.dim, columns, frames, f), first, &vanished, (self.seed, f as u64, stream));
    }

    /// Rows and columns of a frame.
    pub fn shape(&self) -> (usize, usize) {
        (self.dim, self.columns)
    }

    /// Diagonal of `R`, `columns × frames`, never negative.
    pub fn diagonal(&self) -> &[T] {
        &self.diagonal
    }

    /// Lengths of the columns before the factorisation, `columns × frames`; after an elimination those of its triangle.
    pub fn lengths(&self) -> &[T] {
        &self.lengths
    }

    /// Entry `(i, j)` of the upper triangle of a frame's `R`; not a number after an elimination, which keeps the diagonal only.
    pub fn r(&self, frame: usize, i: usize, j: usize) -> T {
        debug_assert!(i <= j);
        if !self.triangular {
            return T::of(f64::NAN);
        }
        self.r[(frame * self.columns + j) * self.columns + i]
    }

    /// What later factorisations depend on beside the frames and the seed: how many columns of each frame were replaced by
    /// random ones, then for each frame whether reflections were refused.
    pub fn history(&self) -> Vec<u64> {
        self.replaced.iter().copied().chain(self.refused.iter().map(|&refused| u64::from(refused))).collect()
    }

    /// Goes on from such a history, two numbers a frame.
    pub fn set_history(&mut self, history: &[u64]) {
        let (replaced, refused) = history.split_at(self.frames);
        self.replaced.copy_from_slice(replaced);
        self.refused.iter_mut().zip(refused).for_each(|(to, &refused)| *to = refused != 0);
    }
}

#[cfg(test)]
mod tests;
