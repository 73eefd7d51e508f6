//! Implicit stages: `k = f(base + hγk)` by Newton's method, lane by lane, with matrices built from JVPs.

use super::{Standing, Stepper};
use crate::Real;
use crate::dynamics::Tangent;
use crate::linalg::{Block, BlockMut};
use crate::solve::Control;
use nalgebra::{DMatrix, DVectorViewMut, Dyn, LU};

/// Iterations before an adaptive step is tried again with a shorter one.
const FEW: usize = 10;
/// Iterations before a step of fixed length is given up.
const MANY: usize = 50;
/// The iteration ends when what is left to correct is this share of the tolerance.
const SHARE: f64 = 0.01;

/// Newton's matrices and buffers.
pub(super) struct Newton<T: Real> {
    /// `I − hγJ` of each lane, factored; none where it is singular.
    factors: Vec<Option<LU<T, Dyn, Dyn>>>,
    /// Jacobians: row `i` of lane `e·lanes + p` is `∂f_i/∂y_e` at lane `p`.
    jacobian: Vec<T>,
    directions: Vec<T>,
    slab: Vec<T>,
    base: Vec<T>,
    value: Vec<T>,
    column: Vec<T>,
}

impl<T: Real> Default for Newton<T> {
    fn default() -> Self {
        let none = Vec::new;
        Self {
            factors: Vec::new(),
            jacobian: none(),
            directions: none(),
            slab: none(),
            base: none(),
            value: none(),
            column: none(),
        }
    }
}

impl<T: Real> Newton<T> {
    /// Factors `I − hγJ` of every lane from the Jacobian that is there, transposed where asked.
    fn factor(&mut self, dim: usize, h: &[T], gamma: T, transposed: bool) {
        let lanes = h.len();
        self.factors.clear();
        for (lane, &h) in h.iter().enumerate() {
            let entry = |i: usize, e: usize| self.jacobian[i * dim * lanes + e * lanes + lane];
            let matrix = DMatrix::from_fn(dim, dim, |i, e| {
                let slope = if transposed { entry(e, i) } else { entry(i, e) };
                (if i == e { T::one() } else { T::zero() }) - h * gamma * slope
            });
            let finite = matrix.iter().all(|x| x.is_finite());
            self.factors.push(finite.then(|| matrix.lu()).filter(LU::is_invertible));
        }
    }

    /// Replaces one lane of a block by the solution of its system; says whether there is one. Lanes beyond the systems are
    /// further right-hand sides of the same systems.
    fn solve(&mut self, block: &mut [T], lane: usize, lanes: usize) -> bool {
        let Some(factors) = &self.factors[lane % self.factors.len()] else { return false };
        self.column.clear();
        self.column.extend(block.iter().skip(lane).step_by(lanes));
        let n = self.column.len();
        let solved = factors.solve_mut(&mut DVectorViewMut::from_slice(&mut self.column, n));
        block.iter_mut().skip(lane).step_by(lanes).zip(&self.column).for_each(|(x, &y)| *x = y);
        solved
    }
}

impl<T: Real> Stepper<'_, T> {
    /// The Jacobians by the state at linearised points, by one JVP with a tangent for every state.
    fn jacobian(&mut self, slab: Block<T>) {
        let (component, dim, lanes) = (self.field.component, self.dim(), slab.lanes);
        let wide = dim * lanes;
        self.newton.directions.clear();
        self.newton.directions.resize(component.in_dim() * wide, T::zero());
        for e in 0..dim {
            self.newton.directions[e * wide + e * lanes..][..lanes].fill(T::one());
        }
        self.newton.jacobian.resize(dim * wide, T::zero());
        let needed = component.scratch_len() * wide;
        if self.scratch.len() < needed {
            self.scratch.resize(needed, T::zero());
        }
        let tangent = Tangent::from(Block::new(&self.newton.directions, wide));
        let out = BlockMut::new(&mut self.newton.jacobian, wide);
        component.jvp(self.params, slab, tangent, out, &mut self.scratch);
    }

    /// Linearises at the arguments as they are; the value goes to `newton.value`.
    fn linearize_here(&mut self, lanes: usize) {
        let mut slab = std::mem::take(&mut self.newton.slab);
        let mut value = std::mem::take(&mut self.newton.value);
        slab.resize(self.field.component.slab_len() * lanes, T::zero());
        value.resize(self.dim() * lanes, T::zero());
        self.evaluate_arguments(lanes, &mut value, Some(&mut slab));
        self.jacobian(Block::new(&slab, lanes));
        (self.newton.slab, self.newton.value) = (slab, value);
    }

    /// Factors the matrices of all stages of a step at its beginning.
    pub(super) fn begin_newton(&mut self, at: Standing<T>, h: &[T], gamma: T) {
        let lanes = at.ids.len();
        self.arguments[..at.y.len()].copy_from_slice(at.y);
        self.field.fill_arguments(at.ids, at.pieces, |lane| at.t[lane], &mut self.arguments, &mut self.inputs);
        self.linearize_here(lanes);
        self.evaluations[..lanes].iter_mut().for_each(|n| *n += 1);
        let dim = self.dim();
        self.newton.factor(dim, h, gamma, false);
    }

    /// Solves for one stage. The arguments hold `base` (with inputs and time) and are left at `base + hγk`; `k` holds a
    /// first guess.
    ///
    /// With adaptive steps the matrices stay those of the step's beginning, and a lane that does not converge soon is
    /// marked, for its step to be tried shorter. With fixed steps there is no shorter one: the matrices are renewed at
    /// every iteration, down to rounding.
    pub(super) fn solve_stage(&mut self, at: Standing<T>, h: &[T], gamma: T, k: &mut [T], slab: Option<&mut [T]>) {
        let (dim, lanes) = (self.dim(), at.ids.len());
        let block = dim * lanes;
        self.newton.base.clear();
        self.newton.base.extend_from_slice(&self.arguments[..block]);
        let fixed = matches!(self.control, Control::Fixed { .. });
        let mut active: Vec<bool> = self.unsolved[..lanes].iter().map(|&failed| !failed).collect();
        let mut before = vec![T::zero(); lanes];
        for iteration in 0..if fixed { MANY } else { FEW } {
            if !active.contains(&true) {
                break;
            }
            self.place(h, gamma, k);
            if fixed {
                self.linearize_here(lanes);
                self.newton.factor(dim, h, gamma, false);
            } else {
                let mut value = std::mem::take(&mut self.newton.value);
                self.evaluate_arguments(lanes, &mut value[..block], None);
                self.newton.value = value;
            }
            let mut correction = std::mem::take(&mut self.newton.value);
            correction[..block].iter_mut().zip(&*k).for_each(|(f, &k)| *f -= k);
            for lane in 0..lanes {
                if !active[lane] {
                    continue;
                }
                self.evaluations[lane] += 1;
                let solved = self.newton.solve(&mut correction[..block], lane, lanes);
                let size = self.size(at, h[lane] * gamma, &correction, lane, lanes);
                if !solved || !size.is_finite() {
                    (active[lane], self.unsolved[lane]) = (false, true);
                    if !size.is_finite() {
                        // The estimate of the error shows it, and so the reason.
                        k.iter_mut().skip(lane).step_by(lanes).for_each(|k| *k = T::of(f64::NAN));
                    }
                    continue;
                }
                for i in (lane..block).step_by(lanes) {
                    k[i] += correction[i];
                }
                let rate = if iteration == 0 { T::one() } else { size / before[lane] };
                // What is left is the sum of a geometric series.
                let left = if iteration == 0 || rate >= T::one() { size } else { size * rate / (T::one() - rate) };
                if left <= T::of(SHARE) || size == T::zero() {
                    active[lane] = false;
                } else if !fixed && iteration > 0 && rate >= T::of(2.0) {
                    (active[lane], self.unsolved[lane]) = (false, true);
                }
                before[lane] = size;
            }
            self.newton.value = correction;
        }
        for lane in (0..lanes).filter(|&lane| active[lane]) {
            self.unsolved[lane] = true;
        }
        self.place(h, gamma, k);
        if let Some(slab) = slab {
            // The slope itself stays what Newton's method found: the field there is the same up to the tolerance, but a
            // stiff field multiplies that difference.
            let mut value = std::mem::take(&mut self.newton.value);
            self.evaluate_arguments(lanes, &mut value[..block], Some(slab));
            self.newton.value = value;
        }
    }

    /// `arguments = base + hγk`.
    fn place(&mut self, h: &[T], gamma: T, k: &[T]) {
        for (i, &k) in k.iter().enumerate() {
            self.arguments[i] = self.newton.base[i] + h[i % h.len()] * gamma * k;
        }
    }

    /// The size of `factor` times a correction in units of the tolerance, or of rounding where steps are fixed.
    fn size(&self, at: Standing<T>, factor: T, correction: &[T], lane: usize, lanes: usize) -> T {
        let mine = || (lane..at.y.len()).step_by(lanes);
        let (rtol, atol) = match self.control {
            Control::Adaptive { rtol, atol } => (T::of(rtol), T::of(atol)),
            Control::Fixed { .. } => {
                let largest = mine().fold(T::zero(), |most, i| most.max(at.y[i].abs()).max(self.arguments[i].abs()));
                (T::zero(), T::of(1e4) * T::default_epsilon() * largest.max(T::default_epsilon()))
            }
        };
        let sum = mine().fold(T::zero(), |sum, i| {
            let scaled = factor * correction[i] / (atol + rtol * at.y[i].abs());
            sum + scaled * scaled
        });
        (sum / T::of(self.dim() as f64)).sqrt()
    }

    /// Prepares `I − hγJ` (or its transpose) at recorded points, for derivatives.
    pub(super) fn factor_at(&mut self, slab: Block<T>, h: &[T], gamma: T, transposed: bool) {
        self.jacobian(slab);
        let dim = self.dim();
        self.newton.factor(dim, h, gamma, transposed);
    }

    /// Solves the prepared systems for every lane of a block; says for which of them there is no solution.
    pub(super) fn solve_all(&mut self, block: &mut [T], lanes: usize) -> Vec<usize> {
        (0..lanes).filter(|&lane| !self.newton.solve(block, lane, lanes)).collect()
    }
}
