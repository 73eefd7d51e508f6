//! A step of an implicit method as a map.

use super::Tableau;
use super::tableau::Coefficients;
use crate::dynamics::{Component, Field, ParamSpec, Tangent};
use crate::linalg::{Block, BlockMut, lu};
use crate::{Error, Real, Result};

/// The state one step later under a diagonally implicit method, for stiff systems: what
/// [`StepMap`](super::StepMap) is for the others. A stage that is not found leaves a state that is not finite.
///
/// Stages are solved by Newton's method with a new Jacobian each time, down to rounding. Derivatives follow from the implicit
/// function theorem; the slab holds each stage's linearisation and factored matrix. Cost a stage: some linearisations, each
/// with as many JVPs as there are states, and a factorisation; lanes are worked on one after another.
pub struct ImplicitStepMap<'a, T: Real> {
    component: &'a dyn Component<T>,
    timed: bool,
    method: Coefficients<T>,
    gamma: T,
    step: T,
}

/// Newton iterations before a stage is given up.
const MOST_ITERATIONS: usize = 50;
/// A correction this many times ε, relative to the state, ends the iteration.
const ROUNDING: f64 = 50.0;

/// Room for one lane.
struct Room<'s, T> {
    stages: &'s mut [T],
    arguments: &'s mut [T],
    base: &'s mut [T],
    value: &'s mut [T],
    lane: &'s mut [T],
    axes: &'s mut [T],
    jacobian: &'s mut [T],
    slab: &'s mut [T],
    rest: &'s mut [T],
}

impl<'a, T: Real> ImplicitStepMap<'a, T> {
    /// Steps of length `step`, backward if negative.
    ///
    /// # Errors
    /// If the method is not implicit, the field has inputs, or the step is zero or not finite.
    pub fn new(field: Field<'a, T>, tableau: &Tableau, step: f64) -> Result<Self> {
        tableau.check()?;
        let method = Coefficients::new(tableau);
        let Some(gamma) = method.diagonal else {
            return Err(Error::config(format!("{} is not implicit", tableau.name), "use a StepMap"));
        };
        if field.inputs.is_some() {
            return Err(Error::config("a field with inputs has no step map", "make the inputs part of the state"));
        }
        if step == 0.0 || !step.is_finite() {
            return Err(Error::config(format!("the step is {step}"), "give a number other than 0"));
        }
        Ok(Self { component: field.component, timed: field.timed, gamma, method, step: T::of(step) })
    }

    fn dim(&self) -> usize {
        self.component.out_dim()
    }

    /// Numbers of a stage in the slab: the linearisation, the factored matrix and its pivots.
    fn stage_len(&self) -> usize {
        let n = self.dim();
        self.component.slab_len() + n * n + n
    }

    fn room<'s>(&self, scratch: &'s mut [T]) -> Room<'s, T> {
        let (n, inner) = (self.dim(), self.component.in_dim());
        let (stages, rest) = scratch.split_at_mut(self.method.stages * n);
        let (arguments, rest) = rest.split_at_mut(inner);
        let (base, rest) = rest.split_at_mut(n);
        let (value, rest) = rest.split_at_mut(n);
        let (lane, rest) = rest.split_at_mut(n + 1);
        let (axes, rest) = rest.split_at_mut(inner * n);
        let (jacobian, rest) = rest.split_at_mut(n * n);
        let (slab, rest) = rest.split_at_mut(self.method.stages * self.stage_len());
        axes.fill(T::zero());
        (0..n).for_each(|i| axes[i * n + i] = T::one());
        Room { stages, arguments, base, value, lane, axes, jacobian, slab, rest }
    }

    /// The parts of stage `j` in a lane's slab.
    fn parts<'s>(&self, slab: &'s [T], j: usize) -> (&'s [T], &'s [T], &'s [T]) {
        let n = self.dim();
        let (kept, rest) = slab[j * self.stage_len()..(j + 1) * self.stage_len()].split_at(self.component.slab_len());
        let (matrix, pivots) = rest.split_at(n * n);
        (kept, matrix, pivots)
    }

    /// Linearises stage `j` at the arguments and factors `I − hγJ` into the room's slab; the field is left in `value`.
    fn linearize_stage(&self, params: &[T], j: usize, room: &mut Room<T>) {
        let (n, len) = (self.dim(), self.stage_len());
        let (kept, rest) = room.slab[j * len..(j + 1) * len].split_at_mut(self.component.slab_len());
        let (value, slab) = (BlockMut::new(room.value, 1), BlockMut::new(kept, 1));
        self.component.linearize(params, Block::new(room.arguments, 1), value, slab, room.rest);
        if j == 0 {
            return;
        }
        let along = Tangent::from(Block::new(room.axes, n));
        self.component.jvp(params, Block::new(kept, 1), along, BlockMut::new(room.jacobian, n), room.rest);
        let (matrix, pivots) = rest.split_at_mut(n * n);
        for (at, (m, &slope)) in matrix.iter_mut().zip(&*room.jacobian).enumerate() {
            let one = if at / n == at % n { T::one() } else { T::zero() };
            *m = one - self.step * self.gamma * slope;
        }
        lu::factor(matrix, pivots);
    }

    /// One lane's step from the state in `room.lane`, with its time behind it; the result is left in `room.base`.
    fn go(&self, params: &[T], room: &mut Room<T>) {
        let n = self.dim();
        let reach = self.step * self.gamma;
        for j in 0..self.method.stages {
            let time = room.lane[n] + self.method.c[j] * self.step;
            room.arguments[n..].fill(time);
            if j == 0 {
                room.arguments[..n].copy_from_slice(&room.lane[..n]);
                self.linearize_stage(params, 0, room);
                room.stages[..n].copy_from_slice(room.value);
                continue;
            }
            self.method.stage_state(j, &room.lane[..n], &[self.step], &room.stages[..j * n], room.base);
            let (known, unknown) = room.stages.split_at_mut(j * n);
            unknown[..n].copy_from_slice(&known[(j - 1) * n..]);
            let mut found = false;
            for _ in 0..MOST_ITERATIONS {
                self.place(j, room);
                self.linearize_stage(params, j, room);
                let k = &mut room.stages[j * n..(j + 1) * n];
                room.value.iter_mut().zip(&*k).for_each(|(f, &k)| *f -= k);
                let (_, matrix, pivots) = self.parts(room.slab, j);
                lu::solve(matrix, pivots, room.value);
                k.iter_mut().zip(&*room.value).for_each(|(k, &d)| *k += d);
                let size = |x: &[T]| x.iter().fold(T::zero(), |most, x| most.max(x.abs()));
                let moved = size(room.value) * reach.abs();
                // With long steps a stage is a small difference of large numbers, known no better than those.
                let parts = size(room.base).max(size(&*k) * reach.abs());
                let state = size(&room.lane[..n]).max(size(&room.arguments[..n])).max(parts);
                let state = state.max(T::default_epsilon());
                if moved <= T::of(ROUNDING) * T::default_epsilon() * state {
                    found = true;
                    break;
                }
            }
            if !found {
                room.stages[j * n..(j + 1) * n].fill(T::of(f64::NAN));
            }
            self.place(j, room);
            // The derivatives are those at the stage that was found.
            self.linearize_stage(params, j, room);
        }
        room.base.copy_from_slice(&room.arguments[..n]);
    }

    /// `arguments = base + hγ k`.
    fn place(&self, j: usize, room: &mut Room<T>) {
        let n = self.dim();
        for i in 0..n {
            room.arguments[i] = room.base[i] + self.step * self.gamma * room.stages[j * n + i];
        }
    }

    fn lanes(&self, params: &[T], u: Block<T>, out: BlockMut<T>, mut slab: Option<BlockMut<T>>, scratch: &mut [T]) {
        let (n, lanes) = (self.dim(), u.lanes);
        let mut room = self.room(scratch);
        for lane in 0..lanes {
            gather(u.data, lane, lanes, &mut room.lane[..u.rows()]);
            self.go(params, &mut room);
            scatter(&room.base[..n], lane, lanes, out.data);
            if let Some(slab) = &mut slab {
                scatter(room.slab, lane, lanes, slab.data);
            }
        }
    }
}

fn gather<T: Copy>(from: &[T], lane: usize, lanes: usize, to: &mut [T]) {
    to.iter_mut().zip(from.iter().skip(lane).step_by(lanes)).for_each(|(to, &x)| *to = x);
}

fn scatter<T: Copy>(from: &[T], lane: usize, lanes: usize, to: &mut [T]) {
    to.iter_mut().skip(lane).step_by(lanes).zip(from).for_each(|(to, &x)| *to = x);
}

impl<T: Real> Component<T> for ImplicitStepMap<'_, T> {
    fn in_dim(&self) -> usize {
        self.dim() + usize::from(self.timed)
    }

    fn out_dim(&self) -> usize {
        self.dim()
    }

    fn params(&self, prefix: &str) -> Vec<ParamSpec> {
        self.component.params(prefix)
    }

    fn param_count(&self) -> usize {
        self.component.param_count()
    }

    fn slab_len(&self) -> usize {
        self.method.stages * self.stage_len()
    }

    fn scratch_len(&self) -> usize {
        let (n, inner) = (self.dim(), self.component.in_dim());
        let own = self.method.stages * n + inner + 3 * n + 1 + inner * n + n * n;
        own + self.slab_len() + n.max(1) * self.component.scratch_len() + self.param_count()
    }

    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, scratch: &mut [T]) {
        self.lanes(params, u, out, None, scratch);
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, scratch: &mut [T]) {
        self.lanes(params, u, out, Some(slab), scratch);
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let (n, lanes) = (self.dim(), out.lanes);
        let room = self.room(scratch);
        let (direction, rest) = room.rest.split_at_mut(self.param_count());
        for lane in 0..lanes {
            gather(slab.data, lane % slab.lanes, slab.lanes, room.slab);
            gather(tangent.arguments.data, lane, lanes, &mut room.lane[..tangent.arguments.rows()]);
            if let Some(params) = tangent.params {
                gather(params.data, lane, lanes, direction);
            }
            let time = if self.timed { room.lane[n] } else { T::zero() };
            room.arguments[n..].fill(time);
            for j in 0..self.method.stages {
                if j == 0 {
                    room.base.copy_from_slice(&room.lane[..n]);
                } else {
                    self.method.stage_state(j, &room.lane[..n], &[self.step], &room.stages[..j * n], room.base);
                }
                room.arguments[..n].copy_from_slice(room.base);
                let (kept, matrix, pivots) = self.parts(room.slab, j);
                let along = Tangent {
                    arguments: Block::new(room.arguments, 1),
                    params: tangent.params.map(|_| Block::new(&*direction, 1)),
                };
                let k = &mut room.stages[j * n..(j + 1) * n];
                self.component.jvp(params, Block::new(kept, 1), along, BlockMut::new(k, 1), rest);
                if j > 0 {
                    lu::solve(matrix, pivots, k);
                }
            }
            let last = &room.stages[(self.method.stages - 1) * n..];
            room.base.iter_mut().zip(last).for_each(|(x, &k)| *x += self.step * self.gamma * k);
            scatter(room.base, lane, lanes, out.data);
        }
    }

    fn vjp(
        &self,
        params: &[T],
        slab: Block<T>,
        w: Block<T>,
        u_bar: BlockMut<T>,
        mut params_bar: Option<&mut [T]>,
        scratch: &mut [T],
    ) {
        let (n, lanes) = (self.dim(), w.lanes);
        let room = self.room(scratch);
        for lane in 0..lanes {
            gather(slab.data, lane % slab.lanes, slab.lanes, room.slab);
            gather(w.data, lane, lanes, room.value);
            let last = self.method.stages - 1;
            room.stages.fill(T::zero());
            // `lane` gathers the cotangents of state and time, `base` is that of a stage's own state.
            room.lane.fill(T::zero());
            for j in (0..=last).rev() {
                let (before, own) = room.stages.split_at_mut(j * n);
                let own = &mut own[..n];
                if j == last {
                    room.base.copy_from_slice(room.value);
                    own.iter_mut().zip(room.value.iter()).for_each(|(k, &w)| *k += self.step * self.gamma * w);
                } else {
                    room.base.fill(T::zero());
                }
                let (kept, matrix, pivots) = self.parts(room.slab, j);
                if j > 0 {
                    lu::solve_transposed(matrix, pivots, own);
                }
                let (own, bar) = (Block::new(&*own, 1), BlockMut::new(room.arguments, 1));
                self.component.vjp(params, Block::new(kept, 1), own, bar, params_bar.as_deref_mut(), room.rest);
                room.base.iter_mut().zip(&room.arguments[..n]).for_each(|(b, &u)| *b += u);
                room.lane[..n].iter_mut().zip(room.base.iter()).for_each(|(y, &b)| *y += b);
                if self.timed {
                    room.lane[n] += room.arguments[n];
                }
                if j > 0 {
                    self.method.stage_state_back(j, &[self.step], room.base, before);
                }
            }
            let rows = u_bar.rows();
            scatter(&room.lane[..rows], lane, lanes, u_bar.data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::systems::{Settings, system};
    use crate::dynamics::testkit;
    use crate::solve::{IMPLICIT_EULER, KVAERNO5, Options, Problem, RK4, solve};

    #[test]
    fn implicit_steps_fulfil_the_contract() {
        for name in ["lorenz63", "duffing", "robertson"] {
            let instance = system(name).unwrap().build(&Settings::default()).unwrap();
            for method in [&IMPLICIT_EULER, &KVAERNO5] {
                let map = ImplicitStepMap::new(instance.field().unwrap(), method, 0.02).unwrap();
                let params: Vec<f64> = instance.params.iter().map(|p| p.clamp(-3.0, 3.0)).collect();
                if let Err(what) = testkit::check(&map, &params, 0.4, 2) {
                    panic!("{name} by {}: {what}", method.name);
                }
            }
        }
    }

    #[test]
    fn a_step_is_that_of_a_solve_up_to_rounding() {
        let instance = system("van-der-pol").unwrap().build(&Settings::parse(&["mu=50"]).unwrap()).unwrap();
        let map = ImplicitStepMap::new(instance.field().unwrap(), &KVAERNO5, 0.1).unwrap();
        let mut u = instance.start.clone();
        u.push(0.0);
        let (mut out, mut scratch) = (vec![0.0; 2], vec![0.0; map.scratch_len()]);
        map.eval(&instance.params, Block::new(&u, 1), BlockMut::new(&mut out, 1), &mut scratch);
        let problem = Problem { start_times: &[0.0], starts: &instance.start, row_ptr: &[0, 1], times: &[0.1] };
        let options = Options::fixed(&KVAERNO5, 0.1);
        let whole = solve(instance.field().unwrap(), &instance.params, &problem, &options).unwrap();
        assert!(out.iter().zip(&whole.states).all(|(a, b)| (a - b).abs() < 1e-12), "{out:?} {:?}", whole.states);
        assert!(ImplicitStepMap::new(instance.field().unwrap(), &RK4, 0.1).is_err());
    }
}
