//! A trajectory's states alone: tangents cost more than they do.

use super::Stepped;
use crate::Real;
use crate::dynamics::Going;
use crate::linalg::{Block, BlockMut};

/// One start of a system on its way.
pub(super) struct States<'a, T: Real> {
    system: &'a Stepped<'a, T>,
    /// Which of the system's starts it is: that names the inputs.
    number: usize,
    step: u64,
    /// State, then inputs or time.
    pub arguments: Vec<T>,
    pub next: Vec<T>,
    scratch: Vec<T>,
}

impl<'a, T: Real> States<'a, T> {
    /// Sets out from the state of a start before the step of that number. The caller has checked that all fits, and takes
    /// no more steps than there are inputs for.
    pub fn new(system: &'a Stepped<'a, T>, number: usize, step: u64, state: &[T]) -> Self {
        let mut arguments = state.to_vec();
        arguments.resize(system.map.in_dim(), T::zero());
        let scratch = vec![T::zero(); system.map.scratch_len()];
        Self { system, number, step, arguments, next: state.to_vec(), scratch }
    }

    /// Steps taken.
    pub fn step(&self) -> u64 {
        self.step
    }

    pub fn state(&self) -> &[T] {
        &self.arguments[..self.next.len()]
    }

    /// The first component that is not finite.
    pub fn lost(&self) -> Option<usize> {
        self.state().iter().position(|x| !x.is_finite())
    }

    /// Evaluates the next step: then `arguments` lead to `next`.
    pub fn look(&mut self) {
        self.fill();
        let (u, out) = (Block::new(&self.arguments, 1), BlockMut::new(&mut self.next, 1));
        self.system.map.eval(self.system.params, u, out, &mut self.scratch);
    }

    /// The same, with what derivatives of the step need.
    pub fn linearize(&mut self, slab: &mut [T]) {
        self.fill();
        let (u, out) = (Block::new(&self.arguments, 1), BlockMut::new(&mut self.next, 1));
        self.system.map.linearize(self.system.params, u, out, BlockMut::new(slab, 1), &mut self.scratch);
    }

    fn fill(&mut self) {
        self.system.fill(self.step, self.number, 1, &mut self.arguments[self.next.len()..]);
    }

    /// Takes the step that was evaluated.
    pub fn go(&mut self) {
        self.arguments[..self.next.len()].copy_from_slice(&self.next);
        self.step += 1;
    }

    /// Takes `steps` steps. Cost: an evaluation each.
    pub fn advance(&mut self, steps: u64) {
        if let Some(offer) = self.system.strider() {
            let clock = (self.system.clock.start, self.system.clock.step);
            let state = &mut self.arguments[..self.next.len()];
            let going = Going { starts: 1, first: self.step, steps, clock, state, frame: &mut [] };
            offer.small.stride(self.system.params, offer.method, going);
            self.step += steps;
            return;
        }
        for _ in 0..steps {
            self.look();
            self.go();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Drive, Frame, Walk};
    use crate::dynamics::Component;
    use crate::dynamics::systems::{Settings, system};
    use crate::solve::{RK4, StepMap};

    #[test]
    fn a_time_that_is_given_as_an_input_is_taken_instead_of_the_clock() {
        let duffing = system("duffing").unwrap().build(&Settings::default()).unwrap();
        let map = StepMap::new(duffing.field().unwrap(), &RK4, 0.01).unwrap();
        let driven = Stepped::timed(&map, &duffing.params, 0.01).driven(Drive::Constant(&[0.7]));
        let mut walk = Walk::new(&driven, std::slice::from_ref(&duffing.start), 0, 2, Frame::Random, 0).unwrap();
        walk.advance(3);
        let mut expected = duffing.start.clone();
        for _ in 0..3 {
            let u = [expected[0], expected[1], 0.7];
            let mut scratch = vec![0.0; Component::<f64>::scratch_len(&map)];
            map.eval(&duffing.params, Block::new(&u, 1), BlockMut::new(&mut expected, 1), &mut scratch);
        }
        assert!(walk.state().data.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-14));
    }

    #[test]
    fn many_steps_at_once_have_the_bits_of_one_after_another_and_of_a_walk_with_tangents() {
        for name in ["lorenz63", "duffing", "lorenz96"] {
            let instance = system(name).unwrap().build(&Settings::default()).unwrap();
            let map = StepMap::new(instance.field().unwrap(), &RK4, 0.01).unwrap();
            let stepped = Stepped::timed(&map, &instance.params, 0.01);
            let [mut at_once, mut singly] = [0, 1].map(|_| States::new(&stepped, 0, 0, &instance.start));
            at_once.advance(90);
            for _ in 0..90 {
                singly.look();
                singly.go();
            }
            let starts = [instance.start.clone()];
            let mut walk = Walk::new(&stepped, &starts, 0, 2, Frame::Random, 1).unwrap();
            walk.advance(90);
            assert_eq!(at_once.state(), singly.state(), "{name}");
            assert_eq!(at_once.state(), walk.state().data, "{name}");
            assert_eq!(at_once.step(), 90);
        }
    }
}
