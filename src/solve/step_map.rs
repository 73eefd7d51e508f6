//! A step of fixed length as a map: what makes a flow a discrete system.

use super::Tableau;
use super::tableau::Coefficients;
use crate::dynamics::{Component, Curved, Field, MOST_STAGES, Method, ParamSpec, Rows, Strider, Tangent};
use crate::linalg::{Block, BlockMut};
use crate::{Error, Real, Result};

/// The state one step later under an explicit or partitioned method: a [`Component`] whose arguments are the state and,
/// where the field takes it, the time at the step's beginning.
///
/// Its derivatives are those of the numerical step, so Lyapunov exponents from it are those of the numerical map. The
/// slab holds the linearisations of all stages, and their arguments where the field offers second derivatives: then the step
/// does too. Cost: `stages − 1` times that of the field's own operations.
pub struct StepMap<'a, T: Real> {
    pub(super) component: &'a dyn Component<T>,
    timed: bool,
    pub(super) method: Coefficients<T>,
    pub(super) step: T,
}

impl<'a, T: Real> StepMap<'a, T> {
    /// Steps of length `step`, backward if negative.
    ///
    /// # Errors
    /// If the method is implicit, or wants positions and momenta and the state has no such halves; if the field has inputs, or
    /// the step is zero or not finite. Whether the field separates is the caller's to know.
    pub fn new(field: Field<'a, T>, tableau: &Tableau, step: f64) -> Result<Self> {
        tableau.check()?;
        if tableau.is_implicit() {
            return Err(Error::config(format!("{} is implicit", tableau.name), "use an ImplicitStepMap"));
        }
        if tableau.is_partitioned() && !field.state_dim().is_multiple_of(2) {
            let what = format!(
                "{} moves positions and momenta in pairs, and the state has {} rows",
                tableau.name,
                field.state_dim()
            );
            return Err(Error::config(what, "choose a method for any system, such as rk4"));
        }
        if field.inputs.is_some() {
            return Err(Error::config("a field with inputs has no step map", "make the inputs part of the state"));
        }
        if step == 0.0 || !step.is_finite() {
            return Err(Error::config(format!("the step is {step}"), "give a number other than 0"));
        }
        let method = Coefficients::new(tableau);
        Ok(Self { component: field.component, timed: field.timed, method, step: T::of(step) })
    }

    pub(super) fn dim(&self) -> usize {
        self.component.out_dim()
    }

    /// Stages that are evaluated; the state of one more is the result.
    pub(super) fn stages(&self) -> usize {
        self.method.stages - 1
    }

    /// Numbers a point that a stage keeps: the field's slab, then the arguments where they are needed again.
    pub(super) fn stage_slab(&self) -> usize {
        self.component.slab_len() + if self.component.curved().is_some() { self.component.in_dim() } else { 0 }
    }

    /// Splits scratch into the stages, the field's arguments, and the rest.
    pub(super) fn rooms<'s>(&self, scratch: &'s mut [T], lanes: usize) -> (&'s mut [T], &'s mut [T], &'s mut [T]) {
        let (stages, rest) = scratch.split_at_mut(self.stages() * self.dim() * lanes);
        let (arguments, rest) = rest.split_at_mut(self.component.in_dim() * lanes);
        (stages, arguments, rest)
    }

    /// The field's arguments at stage `j`: the state, and the time row made by `time`.
    pub(super) fn place(&self, j: usize, y: &[T], stages: &[T], arguments: &mut [T], time: impl Fn(usize) -> T) {
        let (state, row) = arguments.split_at_mut(y.len());
        if j == 0 {
            state.copy_from_slice(y);
        } else {
            self.method.stage_state(j, y, &[self.step], stages, state);
        }
        row.iter_mut().enumerate().for_each(|(lane, t)| *t = time(lane));
    }

    /// All stages, linearised into the slab where there is one, and the result.
    fn go(&self, params: &[T], u: Block<T>, out: BlockMut<T>, mut slab: Option<BlockMut<T>>, scratch: &mut [T]) {
        let lanes = u.lanes;
        let block = self.dim() * lanes;
        let (y, times) = u.data.split_at(block);
        let (slab_len, all) = (self.component.slab_len(), self.stage_slab());
        let (stages, arguments, rest) = self.rooms(scratch, lanes);
        for j in 0..self.stages() {
            let (known, unknown) = stages.split_at_mut(j * block);
            let after = self.method.c[j] * self.step;
            self.place(j, y, known, arguments, |lane| times[lane] + after);
            let (arguments, value) = (Block::new(arguments, lanes), BlockMut::new(&mut unknown[..block], lanes));
            match &mut slab {
                Some(slab) => {
                    let own = slab.slice(j * all..j * all + slab_len);
                    self.component.linearize(params, arguments, value, own, rest);
                    if all > slab_len {
                        slab.slice(j * all + slab_len..(j + 1) * all).data.copy_from_slice(arguments.data);
                    }
                }
                None => self.component.eval(params, arguments, value, rest),
            }
        }
        self.method.stage_state(self.stages(), y, &[self.step], stages, out.data);
    }
}

impl<T: Real> Component<T> for StepMap<'_, T> {
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
        self.stages() * self.stage_slab()
    }

    fn scratch_len(&self) -> usize {
        self.stages() * self.dim() + self.component.in_dim() + self.component.scratch_len()
    }

    fn eval(&self, params: &[T], u: Block<T>, out: BlockMut<T>, scratch: &mut [T]) {
        self.go(params, u, out, None, scratch);
    }

    fn linearize(&self, params: &[T], u: Block<T>, out: BlockMut<T>, slab: BlockMut<T>, scratch: &mut [T]) {
        self.go(params, u, out, Some(slab), scratch);
    }

    fn jvp(&self, params: &[T], slab: Block<T>, tangent: Tangent<T>, out: BlockMut<T>, scratch: &mut [T]) {
        let lanes = out.lanes;
        let block = self.dim() * lanes;
        let (slab_len, all) = (self.component.slab_len(), self.stage_slab());
        let (y, times) = tangent.arguments.data.split_at(block);
        let (stages, arguments, rest) = self.rooms(scratch, lanes);
        for j in 0..self.stages() {
            let (known, unknown) = stages.split_at_mut(j * block);
            self.place(j, y, known, arguments, |lane| times[lane]);
            let along = Tangent { arguments: Block::new(arguments, lanes), params: tangent.params };
            let slab = slab.slice(j * all..j * all + slab_len);
            self.component.jvp(params, slab, along, BlockMut::new(&mut unknown[..block], lanes), rest);
        }
        self.method.stage_state(self.stages(), y, &[self.step], stages, out.data);
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
        let lanes = w.lanes;
        let block = self.dim() * lanes;
        let (slab_len, all) = (self.component.slab_len(), self.stage_slab());
        let (stages, arguments, rest) = self.rooms(scratch, lanes);
        stages.fill(T::zero());
        let (y_bar, times_bar) = u_bar.data.split_at_mut(block);
        times_bar.fill(T::zero());
        y_bar.copy_from_slice(w.data);
        self.method.stage_state_back(self.stages(), &[self.step], w.data, stages);
        for j in (0..self.stages()).rev() {
            let (before, own) = stages.split_at_mut(j * block);
            let slab = slab.slice(j * all..j * all + slab_len);
            let own = Block::new(&own[..block], lanes);
            self.component.vjp(params, slab, own, BlockMut::new(arguments, lanes), params_bar.as_deref_mut(), rest);
            let (state_bar, time_bar) = arguments.split_at(block);
            y_bar.iter_mut().zip(state_bar).for_each(|(to, &bar)| *to += bar);
            times_bar.iter_mut().zip(time_bar).for_each(|(to, &bar)| *to += bar);
            if j > 0 {
                self.method.stage_state_back(j, &[self.step], state_bar, before);
            }
        }
    }

    fn strider(&self) -> Option<Strider<'_, T>> {
        if self.method.momenta.is_some() || self.stages() >= MOST_STAGES {
            return None;
        }
        let rows = Rows { c: &self.method.c, a: &self.method.a, stages: self.method.stages, scale: None };
        let method = Method { rows, step: self.step };
        self.component.strider().map(|offer| Strider { method: Some(method), ..offer })
    }

    fn curved(&self) -> Option<&dyn Curved<T>> {
        self.component.curved().map(|_| self as &dyn Curved<T>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::systems::{Settings, system};
    use crate::dynamics::{Going, testkit};
    use crate::solve::{METHODS, Options, Problem, RK4, VERLET, solve};

    #[test]
    fn steps_of_every_method_fulfil_the_contract() {
        for (name, settings) in [
            ("lorenz63", ""),
            ("duffing", "delta=0"),
            ("henon-heiles", ""),
            ("lorenz96", "n=5"),
            ("rate-network", "n=6"),
        ] {
            let settings = Settings::parse(&Vec::from_iter((!settings.is_empty()).then_some(settings))).unwrap();
            let instance = system(name).unwrap().build(&settings).unwrap();
            for method in METHODS.iter().filter(|m| !m.is_implicit() && (!m.is_partitioned() || instance.separable)) {
                let map = StepMap::new(instance.field().unwrap(), method, 0.03).unwrap();
                if let Err(what) = testkit::check(&map, &instance.params, 0.5, 1) {
                    panic!("{name} by {}: {what}", method.name);
                }
            }
        }
    }

    #[test]
    fn a_step_has_the_bits_of_a_solve_of_one_step() {
        for (name, method) in [("lorenz63", &RK4), ("duffing", &RK4), ("henon-heiles", &VERLET)] {
            let instance = system(name).unwrap().build(&Settings::default()).unwrap();
            let map = StepMap::new(instance.field().unwrap(), method, 0.25).unwrap();
            let mut u = instance.start.clone();
            u.resize(map.in_dim(), 2.0);
            let (mut out, mut scratch) = (vec![0.0; map.out_dim()], vec![0.0; map.scratch_len()]);
            map.eval(&instance.params, Block::new(&u, 1), BlockMut::new(&mut out, 1), &mut scratch);
            let problem = Problem { start_times: &[2.0], starts: &instance.start, row_ptr: &[0, 1], times: &[2.25] };
            let options = Options::fixed(method, 0.25);
            let whole = solve(instance.field().unwrap(), &instance.params, &problem, &options).unwrap();
            assert_eq!(out, whole.states, "{name}");
        }
    }

    #[test]
    fn strides_have_the_states_bits_of_single_steps_and_their_tangents() {
        for name in ["lorenz63", "rossler", "duffing", "double-pendulum", "henon", "ikeda", "standard", "tent"] {
            let instance = system(name).unwrap().build(&Settings::default()).unwrap();
            let step_map = instance.field().ok().map(|field| StepMap::new(field, &RK4, 0.01).unwrap());
            let map: &dyn Component<f64> = match &step_map {
                Some(map) => map,
                None => &*instance.component,
            };
            let (dim, starts, tangents, steps) = (map.out_dim(), 11, map.out_dim(), 40);
            let mut state: Vec<f64> = (0..dim * starts).map(|k| instance.start[k / starts] + 0.01 * k as f64).collect();
            let mut frame: Vec<f64> = (0..dim * tangents * starts).map(|k| ((3 * k) as f64).sin()).collect();
            let (mut strided, mut carried) = (state.clone(), frame.clone());
            let clock = (1.5, if step_map.is_some() { 0.01 } else { 1.0 });
            let offer = map.strider().unwrap();
            let going = Going { starts, first: 3, steps, clock, state: &mut strided, frame: &mut carried };
            offer.small.stride(&instance.params, offer.method, going);
            let mut scratch = vec![0.0; map.scratch_len() * tangents * starts];
            let mut slab = vec![0.0; map.slab_len() * starts];
            for step in 3..3 + steps {
                let mut u = state.clone();
                u.resize(map.in_dim() * starts, clock.0 + clock.1 * step as f64);
                map.linearize(
                    &instance.params,
                    Block::new(&u, starts),
                    BlockMut::new(&mut state, starts),
                    BlockMut::new(&mut slab, starts),
                    &mut scratch,
                );
                let mut arguments = frame.clone();
                arguments.resize(map.in_dim() * tangents * starts, 0.0);
                let lanes = tangents * starts;
                let along = Tangent::from(Block::new(&arguments, lanes));
                let out = BlockMut::new(&mut frame, lanes);
                map.jvp(&instance.params, Block::new(&slab, starts), along, out, &mut scratch);
            }
            assert_eq!(strided, state, "{name}");
            let size = |x: &[f64]| x.iter().fold(0.0f64, |most, x| most.max(x.abs()));
            let apart: Vec<f64> = carried.iter().zip(&frame).map(|(a, b)| a - b).collect();
            assert!(size(&apart) <= 1e-9 * size(&frame), "{name}: {:e}", size(&apart) / size(&frame));
        }
    }

    #[test]
    fn what_cannot_be_a_map_is_refused() {
        let instance = system("lorenz63").unwrap().build(&Settings::default()).unwrap();
        let field = instance.field().unwrap();
        assert!(StepMap::new(field, &crate::solve::KVAERNO5, 0.1).is_err());
        assert!(StepMap::new(field, &RK4, 0.0).is_err() && StepMap::new(field, &RK4, f64::NAN).is_err());
    }
}
