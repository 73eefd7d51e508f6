//! Exponents in a loss: their gradient with respect to the parameters, back through every factorisation.
//!
//! With `V = J Q` and `V = Q' R` at each step, `λ_i = Σ ln R_ii / time`. Back from a loss on the exponents, cotangents of the
//! frame go through the factorisation, `V̄ = [Q̄' + Q' sym(M)] R⁻ᵀ` with `M = R R̄ᵀ − Q̄'ᵀ Q'` and `sym` its lower triangle
//! mirrored (Walter & Lehmann 2018, "Algorithmic differentiation of linear algebra functions", sec. 4.2), and through
//! the step, whose linearisation depends on the state and the parameters too ([`Curved`]). Moving exponents to 0 so that
//! gradients live longer is *gradient flossing* (Engelken 2023, NeurIPS 36, arXiv 2312.17306).
//!
//! What is kept from ill-posed gradients: the leading exponents alone are taken; a column that is rounding, or a state whose
//! cotangent would grow beyond what its digits bear, is an error with its remedy, not a number.

use super::{Frame, Stepped, Walk};
use crate::dynamics::{Bend, Curved};
use crate::linalg::{Block, BlockMut, Qr, affine, transposed_add};
use crate::solve::{Cause, Failure, Reason};
use crate::{Error, Real, Result};

/// Which exponents are taken, and along how much of a trajectory.
#[derive(Clone, Debug, PartialEq)]
pub struct FlossingOptions {
    /// How many of the leading exponents.
    pub exponents: usize,
    /// Steps that move state and frame uncounted; gradients go back through them.
    pub warmup: u64,
    /// Steps counted. Gradients along a chaotic trajectory grow as `e^(λ₁ t)`: keep it short, some tens of steps.
    pub steps: u64,
    /// The frame to begin with.
    pub frame: Frame,
    /// Seed of the frame.
    pub seed: u64,
    /// Nats that a state's cotangent may grow by on the way back. In double precision 36 leave no digit.
    pub most_growth: f64,
}

impl FlossingOptions {
    /// So many exponents over so many steps after a warm-up, with a random frame of seed 0 and at most 20 nats of growth.
    pub fn new(exponents: usize, warmup: u64, steps: u64) -> Self {
        Self { exponents, warmup, steps, frame: Frame::Random, seed: 0, most_growth: 20.0 }
    }
}

/// What a walk left for the way back, and room for it. Taken again and again it allocates nothing.
#[derive(Debug)]
pub struct FlossingTape<T: Real> {
    columns: usize,
    warmup: usize,
    steps: usize,
    /// Of each step: the point's linearisation, what its push kept, and `R` row after row.
    slabs: Vec<T>,
    pushed: Vec<T>,
    factors: Vec<T>,
    /// The frame before each step and after the last, `in_dim × columns`.
    frames: Vec<T>,
    /// The arguments of each step.
    points: Vec<T>,
    sums: Vec<f64>,
    qr: Option<Qr<T>>,
    room: Room<T>,
}

/// Buffers of the way back.
#[derive(Debug)]
struct Room<T> {
    scratch: Vec<T>,
    arguments: Vec<T>,
    bars: Vec<T>,
    kept: Vec<T>,
    /// Tangents and points, and what their bends kept, of some steps side by side.
    along: Vec<T>,
    along_kept: Vec<T>,
    state_bar: Vec<T>,
    frame_bar: Vec<T>,
    image_bar: Vec<T>,
    sym: Vec<T>,
    inverse: Vec<T>,
}

impl<T: Real> Default for FlossingTape<T> {
    fn default() -> Self {
        let none = Vec::new;
        Self {
            columns: 0,
            warmup: 0,
            steps: 0,
            slabs: none(),
            pushed: none(),
            factors: none(),
            frames: none(),
            points: none(),
            sums: Vec::new(),
            qr: None,
            room: Room {
                scratch: none(),
                arguments: none(),
                bars: none(),
                kept: none(),
                along: none(),
                along_kept: none(),
                state_bar: none(),
                frame_bar: none(),
                image_bar: none(),
                sym: none(),
                inverse: none(),
            },
        }
    }
}

/// Lanes of one sum over steps for the parameters' gradient: enough for the product to run at full speed.
const TOGETHER: usize = 128;
/// A column that is shorter than this share of its length before the factorisation is rounding.
const NOISE: f64 = 64.0;

impl<T: Real> FlossingTape<T> {
    /// Walks from `start` and returns the exponents in nats per unit of time, in the order of the frame's columns: from the
    /// largest down but for short walks.
    ///
    /// Cost: that of a spectrum factored at every step. Memory: a slab, a frame, the tangents of the preactivations and `R`
    /// for each step.
    ///
    /// # Errors
    /// If the map has no second derivatives, or start or options cannot be used; if a state is not finite, a column of the
    /// frame is rounding, or cotangents would grow too far.
    pub fn run(&mut self, system: &Stepped<T>, start: &[T], options: &FlossingOptions) -> Result<Vec<f64>> {
        let map = curved(system)?;
        system.check(1)?;
        let (columns, total) = (options.exponents, options.warmup.saturating_add(options.steps));
        if columns == 0 || options.steps == 0 {
            return Err(Error::config("no exponent or no step is counted", "give at least 1 of each"));
        }
        if let Some(length) = system.length().filter(|length| *length < total) {
            let what = format!("{total} steps are asked for");
            return Err(Error::config(what, format!("there are inputs for {length}; take fewer")));
        }
        let walk = Walk::new(system, std::slice::from_ref(&start.to_vec()), 0, columns, options.frame, options.seed)?;
        let (dim, rows) = (system.dim(), map.in_dim());
        // None until the walk is whole: there is no way back through a part.
        self.columns = 0;
        (self.warmup, self.steps) = (options.warmup as usize, total as usize);
        let (slab_len, pushed_len) = (map.slab_len(), map.pushed_len() * columns);
        let (frame_len, square) = (rows * columns, columns * columns);
        self.slabs.resize(self.steps * slab_len, T::zero());
        self.pushed.resize(self.steps * pushed_len, T::zero());
        self.factors.resize(self.steps * square, T::zero());
        self.frames.clear();
        self.frames.resize((self.steps + 1) * frame_len, T::zero());
        self.frames[..dim * columns].copy_from_slice(walk.frame().data);
        self.sums.clear();
        self.sums.resize(columns, 0.0);
        let mut qr =
            self.qr.take().filter(|qr| qr.shape() == (dim, columns)).unwrap_or_else(|| Qr::new(dim, columns, 1, 0));
        let room = &mut self.room;
        room.arguments.clear();
        room.arguments.resize(rows, T::zero());
        room.arguments[..dim].copy_from_slice(start);
        room.scratch.resize(map.bend_scratch_len().max(map.scratch_len()) * (columns + 1), T::zero());
        self.points.clear();
        // How far a cotangent of the state grows at most, from each step on.
        let (mut growth, mut most): (f64, f64) = (0.0, 0.0);
        for step in 0..self.steps {
            let (before, after) = self.frames[step * frame_len..].split_at_mut(frame_len);
            let frame = &mut after[..dim * columns];
            system.fill(step as u64, 0, 1, &mut room.arguments[dim..]);
            self.points.extend_from_slice(&room.arguments);
            let slab = &mut self.slabs[step * slab_len..][..slab_len];
            room.state_bar.resize(dim, T::zero());
            let next = BlockMut::new(&mut room.state_bar, 1);
            let u = Block::new(&room.arguments, 1);
            map.linearize(system.params, u, next, BlockMut::new(slab, 1), &mut room.scratch);
            let pushed = BlockMut::new(&mut self.pushed[step * pushed_len..][..pushed_len], columns);
            let (slab, tangents) = (Block::new(slab, 1), Block::new(before, columns));
            map.push(system.params, slab, tangents, BlockMut::new(frame, columns), pushed, &mut room.scratch);
            qr.factor(frame);
            room.arguments[..dim].copy_from_slice(&room.state_bar);
            let (diagonal, lengths) = (qr.diagonal(), qr.lengths());
            if let Some(at) = room.arguments[..dim].iter().chain(lengths).position(|x| !x.is_finite()) {
                let reason = Reason::NotFinite { component: if at < dim { at } else { 0 } };
                let (time, step) = (system.time(step as u64), system.clock.step);
                let failure = Failure { time, step, reason, cause: Cause::BlowUp };
                return Err(Error::Solve { series: "start 1".into(), failure });
            }
            let noise = T::of(NOISE) * T::default_epsilon();
            if let Some(column) = (0..columns).find(|&j| diagonal[j] <= noise * lengths[j]) {
                let what = format!("tangent {} of {columns} is rounding after step {}", column + 1, step + 1);
                return Err(Error::config(what, format!("take at most {column} exponents")));
            }
            for i in 0..columns {
                for j in i..columns {
                    self.factors[step * square + i * columns + j] = qr.r(0, i, j);
                }
            }
            let logs = diagonal.iter().map(|r| r.f64().ln());
            if step >= self.warmup {
                self.sums.iter_mut().zip(logs).for_each(|(sum, log)| *sum += log);
            }
            growth = (growth + diagonal[0].f64().ln()).max(0.0);
            most = most.max(growth);
        }
        self.qr = Some(qr);
        if most > options.most_growth {
            let what = format!("gradients grow by e^{most:.1} over {total} steps");
            return Err(Error::config(what, "take fewer steps, or smaller weights to begin with"));
        }
        self.columns = columns;
        let time = options.steps as f64 * system.duration();
        Ok(self.sums.iter().map(|sum| sum / time).collect())
    }

    /// From the exponents' cotangents to the parameters': `params_bar += Σ λ̄_i ∂λ_i/∂θ`, exact but for rounding. The start
    /// and the frame to begin with are held still.
    ///
    /// Cost: about twice that of [`run`](Self::run); allocates nothing once it has.
    ///
    /// # Errors
    /// If the last run failed, or a length is not that of its system.
    pub fn pull(&mut self, system: &Stepped<T>, exponents_bar: &[f64], params_bar: &mut [T]) -> Result<()> {
        let map = curved(system)?;
        let (columns, dim, rows) = (self.columns, system.dim(), map.in_dim());
        if columns == 0 || exponents_bar.len() != columns {
            return Err(Error::shape("cotangents of exponents", columns, exponents_bar.len()));
        }
        if params_bar.len() != map.param_count() || self.slabs.len() != self.steps * map.slab_len() {
            return Err(Error::shape("cotangents of parameters", map.param_count(), params_bar.len()));
        }
        let (slab_len, pushed_len) = (map.slab_len(), map.pushed_len() * columns);
        let (frame_len, square) = (rows * columns, columns * columns);
        let time = (self.steps - self.warmup) as f64 * system.duration();
        let room = &mut self.room;
        let group = columns + 1;
        room.bars.resize(rows * group, T::zero());
        room.kept.resize(map.pushed_len() * group, T::zero());
        room.image_bar.resize(dim * columns, T::zero());
        room.sym.resize(square, T::zero());
        room.inverse.resize(square, T::zero());
        room.state_bar.fill(T::zero());
        room.frame_bar.clear();
        room.frame_bar.resize(dim * columns, T::zero());
        let mut step = self.steps;
        while step > 0 {
            let together = (TOGETHER / group).clamp(1, step);
            let lanes = together * group;
            room.along.resize(rows * lanes, T::zero());
            room.along_kept.resize(map.pushed_len() * lanes, T::zero());
            for place in 0..together {
                step -= 1;
                let after = &self.frames[(step + 1) * frame_len..][..dim * columns];
                let counted = step >= self.warmup;
                let weights = exponents_bar.iter().map(|bar| T::of(if counted { bar / time } else { 0.0 }));
                let factor = &self.factors[step * square..][..square];
                factor_bar(after, factor, weights, columns, room);
                let frame = Block::new(&self.frames[step * frame_len..][..frame_len], columns);
                let bend = Bend {
                    slab: Block::new(&self.slabs[step * slab_len..][..slab_len], 1),
                    tangents: frame,
                    pushed: Block::new(&self.pushed[step * pushed_len..][..pushed_len], columns),
                    value: Block::new(&room.state_bar, 1),
                    images: Block::new(&room.image_bar, columns),
                };
                let to = (BlockMut::new(&mut room.bars, group), BlockMut::new(&mut room.kept, group));
                map.bend(system.params, bend, to.0, to.1, &mut room.scratch);
                let bars = room.bars.chunks_exact(group);
                for ((bars, frame), state) in
                    bars.zip(room.frame_bar.chunks_exact_mut(columns)).zip(&mut room.state_bar)
                {
                    frame.copy_from_slice(&bars[..columns]);
                    *state = bars[columns];
                }
                let own = place * group..(place + 1) * group;
                let points = &self.points[step * rows..][..rows];
                for (i, all) in room.along.chunks_exact_mut(lanes).enumerate() {
                    let all = &mut all[own.clone()];
                    all[..columns].copy_from_slice(frame.row(i));
                    all[columns] = points[i];
                }
                for (kept, all) in room.kept.chunks_exact(group).zip(room.along_kept.chunks_exact_mut(lanes)) {
                    all[own.clone()].copy_from_slice(kept);
                }
            }
            map.accumulate(Block::new(&room.along, lanes), Block::new(&room.along_kept, lanes), group, params_bar);
        }
        Ok(())
    }

    /// A regulariser: adds the gradient of `weight · mean (λ_i − target)²` over the leading exponents (Engelken 2023,
    /// eq. 6) to `params_bar` and returns that loss. Where it fails nothing is added.
    ///
    /// # Errors
    /// Those of [`run`](Self::run) and [`pull`](Self::pull).
    pub fn add(
        &mut self,
        system: &Stepped<T>,
        start: &[T],
        options: &FlossingOptions,
        (target, weight): (f64, f64),
        params_bar: &mut [T],
    ) -> Result<f64> {
        let exponents = self.run(system, start, options)?;
        let share = weight / exponents.len() as f64;
        let bar: Vec<f64> = exponents.iter().map(|x| 2.0 * share * (x - target)).collect();
        self.pull(system, &bar, params_bar)?;
        Ok(exponents.iter().map(|x| share * (x - target).powi(2)).sum())
    }
}

/// The map's offer of second derivatives.
fn curved<'a, T: Real>(system: &Stepped<'a, T>) -> Result<&'a dyn Curved<T>> {
    system.map.curved().ok_or_else(|| {
        let remedy = "take layers of rnn, lstm or gru cells, or explicit steps of dense layers";
        Error::config("the map offers no second derivatives, which gradients of exponents need", remedy)
    })
}

/// The cotangent of `V`, to `image_bar`, from that of `Q'` in `frame_bar` and those of `ln R_ii`.
fn factor_bar<T: Real>(q: &[T], r: &[T], weights: impl Iterator<Item = T>, columns: usize, room: &mut Room<T>) {
    let Room { frame_bar, image_bar, sym, inverse, .. } = room;
    // A block of tangents read column by column is its transpose: this is Q̄'ᵀ Q'.
    affine(frame_bar, &[], q, sym, columns);
    for (i, weight) in weights.enumerate() {
        for j in 0..i {
            let below = -sym[i * columns + j];
            sym[i * columns + j] = below;
            sym[j * columns + i] = below;
        }
        // R is upper triangular and R̄ diagonal, so their product adds to the diagonal alone.
        sym[i * columns + i] = weight - sym[i * columns + i];
    }
    transposed_add(q, sym, frame_bar, columns);
    inverse_transposed(r, columns, inverse);
    image_bar.fill(T::zero());
    transposed_add(frame_bar, inverse, image_bar, columns);
}

/// `R⁻ᵀ` row after row, of an upper triangular matrix row after row.
fn inverse_transposed<T: Real>(r: &[T], n: usize, out: &mut [T]) {
    out.fill(T::zero());
    for j in 0..n {
        // Row j of the result is column j of the inverse, upwards from the diagonal.
        out[j * n + j] = T::one() / r[j * n + j];
        for i in (0..j).rev() {
            let sum = (i + 1..=j).fold(T::zero(), |sum, k| sum + r[i * n + k] * out[j * n + k]);
            out[j * n + i] = -sum / r[i * n + i];
        }
    }
}
