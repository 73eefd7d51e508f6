//! States and frames on their way: the one loop that spectra, covariant vectors and products of Jacobians share.

use super::Stepped;
use crate::dynamics::{Going, Tangent, jacobian};
use crate::linalg::{Block, BlockMut, Qr};
use crate::{Error, Real, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::collections::BTreeSet;

/// The frame to begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Frame {
    /// A random orthonormal block, drawn by the seed: generic in any system.
    #[default]
    Random,
    /// The first coordinate axes, as fixtures have it. Not generic where axes are invariant, as in stacked nets.
    Identity,
}

/// Starts a walk takes along where its system takes many steps in vector lanes; others walk alone.
pub(super) const TOGETHER: usize = 8;

/// Some starts of a system with a frame of tangents each, stepped together: `t`, `x`, `Q` and `R` for whoever iterates.
///
/// Lane `j · starts + s` of the frame is tangent `j` of start `s`. A start's bits do not depend on the others.
pub struct Walk<'a, T: Real> {
    system: &'a Stepped<'a, T>,
    first: usize,
    starts: usize,
    columns: usize,
    step: u64,
    /// State, then inputs or time: `in_dim × starts`.
    arguments: Vec<T>,
    next: Vec<T>,
    /// `in_dim × (columns · starts)`; rows below the state are zero.
    frame: Vec<T>,
    moved: Vec<T>,
    slab: Vec<T>,
    scratch: Vec<T>,
    qr: Qr<T>,
}

/// What a walk has to keep to go on later.
#[derive(Clone, Debug, PartialEq)]
pub struct Position<T> {
    /// Steps taken.
    pub step: u64,
    /// `dim × starts`.
    pub state: Vec<T>,
    /// `dim × (columns · starts)`.
    pub frame: Vec<T>,
    /// The factorisation's history, two numbers a start.
    pub history: Vec<u64>,
}

impl<'a, T: Real> Walk<'a, T> {
    /// Sets out from `starts`, states of the system, with `columns` tangents each. `first` is the number of the first
    /// start among all of a run: it names the random streams and the input sequences.
    ///
    /// # Errors
    /// If the system's parts do not fit each other, a start is not a finite state, or there are more tangents than states.
    pub fn new(
        system: &'a Stepped<'a, T>,
        starts: &[Vec<T>],
        first: usize,
        columns: usize,
        frame: Frame,
        seed: u64,
    ) -> Result<Self> {
        let (dim, count) = (system.dim(), starts.len());
        system.check_parts(first + count)?;
        if columns > dim || count == 0 {
            return Err(Error::config(
                format!("{columns} tangents of {count} starts are asked for in {dim} dimensions"),
                format!("take from 0 to {dim} tangents and at least one start"),
            ));
        }
        let map = system.map;
        let lanes = columns * count;
        let mut arguments = vec![T::zero(); map.in_dim() * count];
        for (s, start) in starts.iter().enumerate() {
            if start.len() != dim || start.iter().any(|x| !x.is_finite()) {
                let found = format!("{} numbers, not all finite or not as many", start.len());
                return Err(Error::shape("a start", format!("{dim} finite numbers"), found));
            }
            start.iter().enumerate().for_each(|(i, &x)| arguments[i * count + s] = x);
        }
        let mut block = vec![T::zero(); map.in_dim() * lanes];
        for s in 0..count {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream((first + s) as u64 | 1 << 62);
            for i in 0..dim {
                for j in 0..columns {
                    block[i * lanes + j * count + s] = match frame {
                        Frame::Random => {
                            let normal: f64 = StandardNormal.sample(&mut rng);
                            T::of(normal)
                        }
                        Frame::Identity => T::of(f64::from(i == j)),
                    };
                }
            }
        }
        let mut walk = Self {
            system,
            first,
            starts: count,
            columns,
            step: 0,
            arguments,
            next: vec![T::zero(); dim * count],
            moved: vec![T::zero(); block.len()],
            frame: block,
            slab: vec![T::zero(); map.slab_len() * count],
            scratch: vec![T::zero(); map.scratch_len() * lanes.max(count)],
            qr: Qr::new(dim, columns, count, seed ^ first as u64),
        };
        if frame == Frame::Random {
            walk.orthonormalize();
        }
        Ok(walk)
    }

    /// Steps taken.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The time now.
    pub fn time(&self) -> f64 {
        self.system.time(self.step)
    }

    /// Starts that walk.
    pub fn starts(&self) -> usize {
        self.starts
    }

    /// The states now, `dim × starts`.
    pub fn state(&self) -> Block<'_, T> {
        Block::new(&self.arguments[..self.system.dim() * self.starts], self.starts)
    }

    /// The tangents now, `dim × (columns · starts)`.
    pub fn frame(&self) -> Block<'_, T> {
        let lanes = self.columns * self.starts;
        Block::new(&self.frame[..self.system.dim() * lanes], lanes.max(1))
    }

    /// The last factorisation: its diagonal, and after [`orthonormalize`](Self::orthonormalize) all of `R`.
    pub fn factors(&self) -> &Qr<T> {
        &self.qr
    }

    /// Takes `steps` steps with states and tangents, fewer where the inputs end before. Cost a step: one linearisation a
    /// start and one JVP a tangent.
    pub fn advance(&mut self, steps: u64) {
        let steps = self.system.length().map_or(steps, |length| steps.min(length.saturating_sub(self.step)));
        let (dim, starts, lanes) = (self.system.dim(), self.starts, self.columns * self.starts);
        let map = self.system.map;
        if let Some(offer) = self.system.strider() {
            let clock = (self.system.clock.start, self.system.clock.step);
            let state = &mut self.arguments[..dim * starts];
            let frame = &mut self.frame[..dim * lanes];
            let going = Going { starts, first: self.step, steps, clock, state, frame };
            offer.small.stride(self.system.params, offer.method, going);
            self.step += steps;
            return;
        }
        for _ in 0..steps {
            self.system.fill(self.step, self.first, starts, &mut self.arguments[dim * starts..]);
            map.linearize(
                self.system.params,
                Block::new(&self.arguments, starts),
                BlockMut::new(&mut self.next, starts),
                BlockMut::new(&mut self.slab, starts),
                &mut self.scratch,
            );
            if lanes > 0 {
                let out = BlockMut::new(&mut self.moved[..dim * lanes], lanes);
                let along = Tangent::from(Block::new(&self.frame, lanes));
                map.jvp(self.system.params, Block::new(&self.slab, starts), along, out, &mut self.scratch);
                std::mem::swap(&mut self.frame, &mut self.moved);
            }
            self.arguments[..dim * starts].copy_from_slice(&self.next);
            self.step += 1;
        }
    }

    /// Makes the frames orthonormal again; [`factors`](Self::factors) then tells how.
    pub fn orthonormalize(&mut self) {
        let lanes = self.columns * self.starts;
        self.qr.factor(&mut self.frame[..self.system.dim() * lanes]);
    }

    /// Makes the frames good to go on from without making them orthonormal: their first `j` tangents span what they
    /// spanned, but some may have turned round. Diagonals multiply up from one [`orthonormalize`](Self::orthonormalize) to
    /// the next to what they would be had all factorisations been orthonormal, so that sums of their logarithms are the
    /// same but for rounding.
    pub fn eliminate(&mut self) {
        let lanes = self.columns * self.starts;
        self.qr.eliminate(&mut self.frame[..self.system.dim() * lanes]);
    }

    /// The start and component of a state that is not finite, or the start alone where only its tangents are.
    pub fn lost(&self) -> Option<(usize, Option<usize>)> {
        let state = self.state();
        let bad = state.data.iter().position(|x| !x.is_finite());
        bad.map(|at| (self.first + at % self.starts, Some(at / self.starts))).or_else(|| {
            let bad = self.qr.lengths().iter().position(|x| !x.is_finite());
            bad.map(|at| (self.first + at % self.starts, None))
        })
    }

    /// Rows and columns of the Jacobian of the last step, of the first start, that are zero. Costs as many JVPs as there
    /// are dimensions.
    pub(super) fn zero_lines(&self) -> [BTreeSet<usize>; 2] {
        let (dim, map) = (self.system.dim(), self.system.map);
        let mut slab: Vec<T> = self.slab.iter().step_by(self.starts).copied().collect();
        if self.system.strider().is_some() {
            // Strides leave no linearisation behind.
            let mut u: Vec<T> = self.arguments.iter().step_by(self.starts).copied().collect();
            u[dim..].fill(T::of(self.time()));
            let mut next = vec![T::zero(); dim];
            let (next, slab) = (BlockMut::new(&mut next, 1), BlockMut::new(&mut slab, 1));
            map.linearize(self.system.params, Block::new(&u, 1), next, slab, &mut vec![T::zero(); map.scratch_len()]);
        }
        let jacobian = jacobian(map, self.system.params, Block::new(&slab, 1), dim);
        let zero_row = |i: &usize| jacobian[i * dim..(i + 1) * dim].iter().all(|x| *x == T::zero());
        let zero_column = |j: &usize| jacobian.iter().skip(*j).step_by(dim).all(|x| *x == T::zero());
        [(0..dim).filter(zero_row).collect(), (0..dim).filter(zero_column).collect()]
    }

    /// What has to be kept to go on from here.
    pub fn position(&self) -> Position<T> {
        let history = self.qr.history();
        Position { step: self.step, state: self.state().data.to_vec(), frame: self.frame().data.to_vec(), history }
    }

    /// Goes on from a position of the same starts.
    ///
    /// # Errors
    /// If it is of other sizes.
    pub fn restore(&mut self, position: &Position<T>) -> Result<()> {
        let Position { step, state, frame, history } = position;
        let sizes = (self.state().data.len(), self.frame().data.len(), 2 * self.starts);
        let found = (state.len(), frame.len(), history.len());
        if sizes != found {
            return Err(Error::shape("position of a walk", format!("{sizes:?}"), format!("{found:?}")));
        }
        self.step = *step;
        self.arguments[..state.len()].copy_from_slice(state);
        self.frame[..frame.len()].copy_from_slice(frame);
        self.qr.set_history(history);
        Ok(())
    }
}
