//! A trajectory once more, one start, state only.

use crate::Real;
use crate::analysis::Stepped;
use crate::linalg::{Block, BlockMut};

/// Steps one state.
pub(super) struct Replay<'a, T: Real> {
    pub system: &'a Stepped<'a, T>,
    pub step: u64,
    /// Which of the system's starts it is: that names the inputs.
    number: usize,
    /// State, then inputs or time.
    pub arguments: Vec<T>,
    pub next: Vec<T>,
    pub scratch: Vec<T>,
}

impl<'a, T: Real> Replay<'a, T> {
    /// The first start.
    pub fn new(system: &'a Stepped<'a, T>, start: &[T]) -> Self {
        Self::numbered(system, start, 0)
    }

    pub fn numbered(system: &'a Stepped<'a, T>, start: &[T], number: usize) -> Self {
        let mut arguments = start.to_vec();
        arguments.resize(system.map.in_dim(), T::zero());
        let scratch = vec![T::zero(); system.map.scratch_len()];
        Self { system, step: 0, number, arguments, next: start.to_vec(), scratch }
    }

    /// Evaluates the next step: then `arguments` led to `next`.
    pub fn look(&mut self) {
        let dim = self.system.dim();
        self.system.fill(self.step, self.number, 1, &mut self.arguments[dim..]);
        let (u, out) = (Block::new(&self.arguments, 1), BlockMut::new(&mut self.next, 1));
        self.system.map.eval(self.system.params, u, out, &mut self.scratch);
    }

    /// Takes it.
    pub fn go(&mut self) {
        let dim = self.system.dim();
        self.arguments[..dim].copy_from_slice(&self.next);
        self.step += 1;
    }

    /// Takes `steps` steps.
    pub fn advance(&mut self, steps: u64) {
        for _ in 0..steps {
            self.look();
            self.go();
        }
    }
}
