//! The search for points of rest.

use super::balanced::Balanced;
use super::{Found, RestPoint, Resting, SlowPoint};
use crate::{Error, Result};
use nalgebra::{DMatrix, DVector};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Steps of the search before it is given up.
const MOST_STEPS: usize = 200;
/// A state rests if Newton's step from it is this short beside the state (or the starts, or 1), and if what it cannot mend
/// is this small beside the speed there.
const AT_REST: f64 = 1e-8;
/// Points closer than this, relative to their size, are one.
const SAME: f64 = 1e-6;

impl Resting<'_> {
    /// Looks from every start, by Newton's method and, where that does not get nearer, by that of Levenberg and Marquardt.
    ///
    /// Costs some tens of dense Jacobians a start, each as many JVPs as there are states, and as many factorisations.
    ///
    /// # Errors
    /// If a start is no finite state.
    pub fn search(&self, starts: &[Vec<f64>]) -> Result<Found> {
        let dim = self.component.out_dim();
        if let Some(bad) = starts.iter().find(|start| start.len() != dim || start.iter().any(|x| !x.is_finite())) {
            return Err(Error::shape("a start", format!("{dim} finite numbers"), format!("{bad:?}")));
        }
        let search = Search::new(self, starts);
        let mut found = Found::default();
        for start in starts {
            let Some((state, speed)) = search.descend(start) else {
                found.failed += 1;
                continue;
            };
            if found.points.iter().any(|point| search.same(point, &state)) {
                continue;
            }
            if search.rests(&state) {
                match self.describe(state.as_slice()) {
                    Some(point) => found.points.push(point),
                    None => found.failed += 1,
                }
            } else if search.is_least(&state) {
                let state = state.as_slice().to_vec();
                if found.slow.iter().all(|point| apart(&point.state, &state)) {
                    found.slow.push(SlowPoint { state, speed });
                }
            } else {
                found.failed += 1;
            }
        }
        Ok(found)
    }
}

struct Search<'s, 'a> {
    system: &'s Resting<'a>,
    /// The largest number of a Jacobian (or of the residual) at any start: everything is in units of it, so that squares of
    /// very slow or very fast rates are numbers.
    unit: f64,
    /// The size of states, at most 1.
    size: f64,
}

impl<'s, 'a> Search<'s, 'a> {
    fn new(system: &'s Resting<'a>, starts: &[Vec<f64>]) -> Self {
        let (mut steepest, mut fastest) = (0.0f64, 0.0f64);
        for (residual, matrix) in starts.iter().map(|start| system.linearize(start)) {
            let finite = |x: f64| if x.is_finite() { x } else { 0.0 };
            (steepest, fastest) = (steepest.max(finite(matrix.amax())), fastest.max(finite(residual.amax())));
        }
        let unit = [steepest, fastest].into_iter().find(|x| *x > 0.0).unwrap_or(1.0);
        let largest = starts.iter().flatten().fold(0.0, |most: f64, x| most.max(x.abs()));
        Self { system, unit, size: if largest > 0.0 { largest.min(1.0) } else { 1.0 } }
    }

    fn linearize(&self, state: &DVector<f64>) -> (DVector<f64>, DMatrix<f64>) {
        let (residual, matrix) = self.system.linearize(state.as_slice());
        (residual.map(|x| x / self.unit), matrix.map(|x| x / self.unit))
    }

    /// Whether a state is a point of rest, as it is known, or lies on the straight set of such points through it.
    fn same(&self, point: &RestPoint, state: &DVector<f64>) -> bool {
        if !apart(&point.state, state.as_slice()) {
            return true;
        }
        if point.free == 0 {
            return false;
        }
        let at = DVector::from_column_slice(&point.state);
        let way = state - &at;
        let (_, matrix) = self.linearize(&at);
        let there = Balanced::new(matrix.clone());
        there.is_some_and(|there| there.size(&(matrix * &way)) <= SAME * there.length(&way))
    }

    /// Whether Newton's step leads nowhere else, and there is nothing that it cannot mend.
    fn rests(&self, state: &DVector<f64>) -> bool {
        let (residual, matrix) = self.linearize(state);
        let solved = Balanced::new(matrix).and_then(|balanced| balanced.solve(&residual));
        let size = state.amax().max(self.size);
        solved.is_some_and(|(step, left)| step.amax() <= AT_REST * size && left <= AT_REST * size)
    }

    /// Whether the speed is least round about: elsewhere the search stopped on its way.
    fn is_least(&self, state: &DVector<f64>) -> bool {
        let (residual, matrix) = self.linearize(state);
        matrix.tr_mul(&residual).norm() <= 1e-5 * residual.norm() * matrix.norm()
    }

    /// The way down from a start, to where it gets no slower, and the speed there; none if it is lost.
    fn descend(&self, start: &[f64]) -> Option<(DVector<f64>, f64)> {
        let dim = start.len();
        let mut state = DVector::from_column_slice(start);
        let (mut residual, mut matrix) = self.linearize(&state);
        let mut norm = residual.norm();
        let mut damping = 1e-3;
        for _ in 0..MOST_STEPS {
            if !norm.is_finite() || matrix.iter().any(|x| !x.is_finite()) {
                return None;
            }
            if norm == 0.0 {
                break;
            }
            let newton = matrix.clone().lu().solve(&residual);
            let squares = matrix.tr_mul(&matrix);
            let slope = matrix.tr_mul(&residual);
            let mut moved = None;
            // Newton's step first: it alone ends at the last bit.
            for attempt in 0..30 {
                let step = if attempt == 0 {
                    newton.clone()
                } else {
                    let size = squares.diagonal().max().max(f64::MIN_POSITIVE);
                    let damped = &squares + DMatrix::identity(dim, dim) * (damping * size);
                    damped.cholesky().map(|factor| factor.solve(&slope))
                };
                let Some(step) = step.filter(|step| step.iter().all(|x| x.is_finite())) else { continue };
                let next = &state - &step;
                let (further, jacobian) = self.linearize(&next);
                if further.norm() < norm {
                    moved = Some((next, further, jacobian));
                    damping = (damping / if attempt == 0 { 1.0 } else { 5.0 }).max(1e-12);
                    break;
                }
                if attempt > 0 {
                    damping *= 5.0;
                }
            }
            let Some((next, further, jacobian)) = moved else { break };
            let way = (&next - &state).norm();
            let gained = norm - further.norm();
            (state, residual, matrix) = (next, further, jacobian);
            norm = residual.norm();
            if way <= 1e-12 * (1.0 + state.norm()) && gained <= 1e-12 * norm {
                break;
            }
        }
        Some((state, norm * self.unit))
    }
}

/// Starts for a search: half of them from along a trajectory, `states` one after another of `dim` components, half drawn by
/// the seed from the box that holds it, widened by half its sides. States that have run away beyond 1e100 are left out.
pub fn around(states: &[f64], dim: usize, count: usize, seed: u64) -> Vec<Vec<f64>> {
    let bounded = |row: &&[f64]| row.iter().all(|x| x.abs() < 1e100);
    let rows: Vec<&[f64]> = states.chunks_exact(dim.max(1)).filter(bounded).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let along = (count / 2).min(rows.len());
    let mut starts: Vec<Vec<f64>> = (1..=along).map(|k| rows[k * rows.len() / along - 1].to_vec()).collect();
    let side = |i: usize| {
        let column = || rows.iter().map(|row| row[i]);
        let (low, high) = (column().fold(f64::INFINITY, f64::min), column().fold(f64::NEG_INFINITY, f64::max));
        (low, (high - low).max(1e-3 * (1.0 + low.abs())))
    };
    let sides: Vec<(f64, f64)> = (0..dim).map(side).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    starts.resize_with(count, || sides.iter().map(|(low, size)| low + size * rng.random_range(-0.5..1.5)).collect());
    starts
}

/// Whether two states are not the same.
fn apart(a: &[f64], b: &[f64]) -> bool {
    let size = a.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
    a.iter().zip(b).any(|(a, b)| (a - b).abs() > SAME * size)
}
