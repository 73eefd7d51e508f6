//! Flows that jump at observations: a vector field between them, a cell at each.

use super::{Onto, Passed, Plan};
use crate::dynamics::{Component, Field};
use crate::linalg::{Block, BlockMut};
use crate::solve::{Failure, Options, Problem};
use crate::{Error, Real, Result};

/// A flow `dy/dt = f(t, y; θ)` that jumps at every observation, `y ← g(y, x; φ)`: the hybrid of a vector field and a cell,
/// as in an ODE-RNN (Rubanova et al. 2019, algorithm 1). Its parameters are the field's, then the cell's.
#[derive(Clone, Copy)]
pub struct Hybrid<'a, T: Real> {
    field: Field<'a, T>,
    cell: &'a dyn Component<T>,
}

/// A pass of a hybrid that can be gone back over once.
pub struct HybridPass<T: Real> {
    /// States just before each jump, `rows × dim`; NaN beyond a failure.
    pub before: Vec<T>,
    /// States just after.
    pub after: Vec<T>,
    /// Why a trajectory could not be followed to its last row, one entry a trajectory.
    pub failures: Vec<Option<Failure>>,
    legs: Vec<Leg<T>>,
}

/// From one observation of every trajectory that has one to the next.
struct Leg<T: Real> {
    /// Trajectory of each lane, with the row that it arrives at.
    lanes: Vec<(usize, usize)>,
    start_times: Vec<T>,
    starts: Vec<T>,
    times: Vec<T>,
    row_ptr: Vec<usize>,
    passed: Passed<T>,
    /// The cell's slab.
    slab: Vec<T>,
}

impl<'a, T: Real> Hybrid<'a, T> {
    /// A field, and a cell whose arguments are the state and an observation.
    ///
    /// # Errors
    /// If the cell's output is not as tall as the state, its arguments are not taller, or the field has inputs or events.
    pub fn new(field: Field<'a, T>, cell: &'a dyn Component<T>) -> Result<Self> {
        let dim = field.state_dim();
        if cell.out_dim() != dim || cell.in_dim() <= dim {
            let found = format!("{} to {}", cell.in_dim(), cell.out_dim());
            return Err(Error::shape("rows of the cell at observations", format!("more than {dim} to {dim}"), found));
        }
        if field.inputs.is_some() || !field.events.is_empty() {
            let what = "a hybrid's field takes neither inputs nor events";
            return Err(Error::config(what, "give observations to the cell"));
        }
        Ok(Self { field, cell })
    }

    /// Length of its parameter vector.
    pub fn param_count(&self) -> usize {
        self.field.component.param_count() + self.cell.param_count()
    }

    /// Numbers an observation.
    fn width(&self) -> usize {
        self.cell.in_dim() - self.field.state_dim()
    }

    /// Follows trajectories to their rows on this thread: `problem` has starts and times of observations, which are
    /// `observed`, `rows × width`. The plan's strategy holds between two observations.
    ///
    /// # Errors
    /// If sizes or options do not fit.
    pub fn pass(
        &self,
        params: &[T],
        problem: &Problem<T>,
        observed: &[T],
        options: &Options,
        plan: &Plan,
    ) -> Result<HybridPass<T>> {
        let (dim, width) = (self.field.state_dim(), self.width());
        problem.check(dim)?;
        if params.len() != self.param_count() {
            return Err(Error::shape("parameters of the hybrid", self.param_count(), params.len()));
        }
        if observed.len() != problem.times.len() * width {
            return Err(Error::shape("observations", problem.times.len() * width, observed.len()));
        }
        if let Some(at) = observed.iter().position(|x| !x.is_finite()) {
            let what = format!("the observation of row {} is {}", at / width, observed[at]);
            return Err(Error::config(what, "give finite observations"));
        }
        let (by_field, by_cell) = params.split_at(self.field.component.param_count());
        let blank = vec![T::of(f64::NAN); problem.times.len() * dim];
        let mut pass =
            HybridPass { before: blank.clone(), after: blank, failures: vec![None; problem.len()], legs: Vec::new() };
        let (mut now, mut states) = (problem.start_times.to_vec(), problem.starts.to_vec());
        for k in 0.. {
            let arrives = |&s: &usize| pass.failures[s].is_none() && problem.row_ptr[s] + k < problem.row_ptr[s + 1];
            let lanes: Vec<(usize, usize)> =
                (0..problem.len()).filter(arrives).map(|s| (s, problem.row_ptr[s] + k)).collect();
            if lanes.is_empty() {
                break;
            }
            let starts: Vec<T> = lanes.iter().flat_map(|&(s, _)| states[s * dim..(s + 1) * dim].to_vec()).collect();
            let start_times: Vec<T> = lanes.iter().map(|&(s, _)| now[s]).collect();
            let times: Vec<T> = lanes.iter().map(|&(_, row)| problem.times[row]).collect();
            let row_ptr: Vec<usize> = (0..=lanes.len()).collect();
            let own = Problem { start_times: &start_times, starts: &starts, row_ptr: &row_ptr, times: &times };
            let passed = Passed::new(self.field, by_field, &own, options, plan)?;
            let (after, slab) = self.jump(by_cell, &passed.solution.states, &lanes, observed);
            for (lane, &(s, row)) in lanes.iter().enumerate() {
                pass.failures[s] = passed.solution.reports[lane].failure;
                if pass.failures[s].is_none() {
                    let arrived = &passed.solution.states[lane * dim..(lane + 1) * dim];
                    pass.before[row * dim..(row + 1) * dim].copy_from_slice(arrived);
                    let jumped = after.iter().skip(lane).step_by(lanes.len()).copied();
                    states[s * dim..(s + 1) * dim].iter_mut().zip(jumped).for_each(|(state, y)| *state = y);
                    pass.after[row * dim..(row + 1) * dim].copy_from_slice(&states[s * dim..(s + 1) * dim]);
                    now[s] = problem.times[row];
                }
            }
            pass.legs.push(Leg { lanes, start_times, starts, times, row_ptr, passed, slab });
        }
        Ok(pass)
    }

    /// The cell's values and slab for the lanes of a leg. A lane that failed on the way gets zeros, so that its slab is one
    /// that takes no part.
    fn jump(&self, params: &[T], arrived: &[T], lanes: &[(usize, usize)], observed: &[T]) -> (Vec<T>, Vec<T>) {
        let (dim, width, count) = (self.field.state_dim(), self.width(), lanes.len());
        let mut u = vec![T::zero(); (dim + width) * count];
        for (lane, &(_, row)) in lanes.iter().enumerate() {
            let state = &arrived[lane * dim..(lane + 1) * dim];
            if state.iter().all(|y| y.is_finite()) {
                let x = &observed[row * width..(row + 1) * width];
                state.iter().chain(x).enumerate().for_each(|(i, &value)| u[i * count + lane] = value);
            }
        }
        let mut after = vec![T::zero(); dim * count];
        let mut slab = vec![T::zero(); self.cell.slab_len() * count];
        let mut scratch = vec![T::zero(); self.cell.scratch_len() * count];
        let (out, keep) = (BlockMut::new(&mut after, count), BlockMut { data: &mut slab, lanes: count });
        self.cell.linearize(params, Block::new(&u, count), out, keep, &mut scratch);
        (after, slab)
    }

    /// Takes cotangents of the states before and after the jumps (`rows × dim` each) back: adds to `params_bar` and returns
    /// those of the starts. Rows that a trajectory did not reach take no part; the pass is used up.
    ///
    /// # Errors
    /// If sizes do not fit, or a strategy cannot go back.
    pub fn pull(
        &self,
        params: &[T],
        options: &Options,
        pass: HybridPass<T>,
        (before_bar, after_bar): (&[T], &[T]),
        params_bar: &mut [T],
    ) -> Result<Vec<T>> {
        let dim = self.field.state_dim();
        for (what, found) in [("cotangents before jumps", before_bar), ("cotangents after jumps", after_bar)] {
            if found.len() != pass.before.len() {
                return Err(Error::shape(what, pass.before.len(), found.len()));
            }
        }
        if params.len() != self.param_count() || params_bar.len() != self.param_count() {
            let found = format!("{} and {}", params.len(), params_bar.len());
            return Err(Error::shape("parameters of the hybrid and their cotangents", self.param_count(), found));
        }
        let (by_field, by_cell) = params.split_at(self.field.component.param_count());
        let (field_bar, cell_bar) = params_bar.split_at_mut(self.field.component.param_count());
        let mut starts_bar = vec![T::zero(); pass.failures.len() * dim];
        for leg in pass.legs.into_iter().rev() {
            let Leg { lanes, start_times, starts, times, row_ptr, mut passed, slab } = leg;
            let count = lanes.len();
            let mut w = vec![T::zero(); dim * count];
            let reached: Vec<bool> = passed.solution.reports.iter().map(|report| report.failure.is_none()).collect();
            for (lane, &(s, row)) in lanes.iter().enumerate().filter(|(lane, _)| reached[*lane]) {
                for i in 0..dim {
                    w[i * count + lane] = starts_bar[s * dim + i] + after_bar[row * dim + i];
                }
            }
            let mut u_bar = vec![T::zero(); self.cell.in_dim() * count];
            let mut scratch = vec![T::zero(); self.cell.scratch_len() * count];
            let (slab, w, out) =
                (Block { data: &slab, lanes: count }, Block::new(&w, count), BlockMut::new(&mut u_bar, count));
            self.cell.vjp(by_cell, slab, w, out, Some(&mut *cell_bar), &mut scratch);
            let mut arrived_bar = vec![T::zero(); dim * count];
            for (lane, &(_, row)) in lanes.iter().enumerate().filter(|(lane, _)| reached[*lane]) {
                for i in 0..dim {
                    arrived_bar[lane * dim + i] = u_bar[i * count + lane] + before_bar[row * dim + i];
                }
            }
            let onto = Onto { params: &mut *field_bar, inputs: &mut [] };
            let problem = Problem { start_times: &start_times, starts: &starts, row_ptr: &row_ptr, times: &times };
            let pulled = passed.pull(self.field, by_field, &problem, options, &arrived_bar, onto)?;
            for (lane, &(s, _)) in lanes.iter().enumerate() {
                starts_bar[s * dim..(s + 1) * dim].copy_from_slice(&pulled.starts[lane * dim..(lane + 1) * dim]);
            }
        }
        Ok(starts_bar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::Cell;
    use crate::gradient::{Settings, Strategy, difference};
    use crate::nn::{Activation, Mlp, fan_in_normal};
    use rand::{RngExt, SeedableRng};

    #[test]
    fn the_gradient_matches_differences_and_a_trajectory_has_the_bits_it_has_alone() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let net = Mlp::new(&[3, 6, 3], Activation::Tanh, Activation::Identity).unwrap();
        let cell = Cell::gru(3, 2);
        let hybrid = Hybrid::new(Field::autonomous(&net).unwrap(), &cell).unwrap();
        let specs = [Component::<f64>::params(&net, ""), Component::<f64>::params(&cell, "")].concat();
        let params: Vec<f64> = fan_in_normal(&specs, 1.5, &mut rng);
        let (row_ptr, times) = ([0, 3, 3, 5], [0.4, 1.0, 1.7, 0.0, 0.6]);
        let starts: Vec<f64> = (0..9).map(|_| rng.random_range(-1.0..1.0)).collect();
        let observed: Vec<f64> = (0..10).map(|_| rng.random_range(-1.0..1.0)).collect();
        let problem = Problem { start_times: &[0.0; 3], starts: &starts, row_ptr: &row_ptr, times: &times };
        let weights: Vec<f64> = (0..30).map(|i| (1.0 + f64::from(i)).sin()).collect();
        let (w_before, w_after) = weights.split_at(15);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let options = Options::fixed(&crate::solve::RK4, 0.1);
        for strategy in [Strategy::Stored, Strategy::Checkpointed] {
            let plan = Plan::unseen(&Settings { memory: 1, ..Settings::new(strategy) }, 3);
            let pass = hybrid.pass(&params, &problem, &observed, &options, &plan).unwrap();
            let (first, last) = (&problem.starts[6..9], &pass.before[9..12]);
            assert_eq!(first, last, "an observation at the start itself");
            let alone = Problem { start_times: &[0.0], starts: &starts[..3], row_ptr: &[0, 3], times: &times[..3] };
            let alone = hybrid.pass(&params, &alone, &observed[..6], &options, &plan).unwrap();
            assert_eq!((&alone.before[..], &alone.after[..]), (&pass.before[..9], &pass.after[..9]));

            let mut params_bar = vec![0.0; params.len()];
            let starts_bar = hybrid.pull(&params, &options, pass, (w_before, w_after), &mut params_bar).unwrap();
            let direction: Vec<f64> = (0..params.len() + 9).map(|i| (0.3 * i as f64).cos()).collect();
            let (dp, ds) = direction.split_at(params.len());
            let value = |by: f64| {
                let moved = |x: &[f64], d: &[f64]| x.iter().zip(d).map(|(x, d)| x + by * d).collect::<Vec<_>>();
                let (params, starts) = (moved(&params, dp), moved(&starts, ds));
                let problem = Problem { starts: &starts, ..problem };
                let pass = hybrid.pass(&params, &problem, &observed, &options, &plan).unwrap();
                dot(&pass.before, w_before) + dot(&pass.after, w_after)
            };
            let (found, error) = difference(value, 0.05);
            let exact = dot(&params_bar, dp) + dot(&starts_bar, ds);
            assert!((found - exact).abs() < 1e-8 * (1.0 + exact.abs()) && error < 1e-8, "{found} {exact} {error}");
        }
    }
}
