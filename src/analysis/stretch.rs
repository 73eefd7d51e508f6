//! Consecutive steps with their linearisations kept: cotangents are pulled back along them any number of times.

use super::Stepped;
use super::states::States;
use crate::linalg::{Block, BlockMut};
use crate::solve::{Cause, Failure, Reason};
use crate::{Error, Real, Result};

/// Most numbers that a stretch keeps: 4 GiB in double precision.
const MOST: u64 = 1 << 29;

/// The last steps of a trajectory, factors of a product of Jacobians.
pub(super) struct Stretch<'a, T: Real> {
    system: &'a Stepped<'a, T>,
    slabs: Vec<T>,
}

/// What pulling needs for a moment.
pub(super) struct Room<T> {
    above: Vec<T>,
    scratch: Vec<T>,
}

impl<'a, T: Real> Stretch<'a, T> {
    /// Walks `skip` steps from start `number` of all, then `steps` that are kept. The caller has checked that system and
    /// starts fit. Keeps the map's slab for every step.
    ///
    /// # Errors
    /// If the start or a state on the way is not finite, or the slabs are too many.
    pub fn follow(system: &'a Stepped<'a, T>, start: &[T], number: usize, skip: u64, steps: u64) -> Result<Self> {
        system.check_start(start)?;
        let length = system.map.slab_len();
        let kept = steps.checked_mul(length as u64).filter(|n| *n <= MOST).ok_or_else(|| {
            let what = format!("linearisations of {steps} steps, {length} numbers each, are too many to keep");
            Error::config(what, format!("ask for at most {} steps", MOST / length.max(1) as u64))
        })?;
        let end = skip.checked_add(steps).ok_or_else(|| Error::config("there is no such step", "take fewer"))?;
        let mut slabs = vec![T::zero(); kept as usize];
        let mut states = States::new(system, number, 0, start);
        for step in 0..end {
            match step.checked_sub(skip) {
                Some(kept) => states.linearize(&mut slabs[kept as usize * length..][..length]),
                None => states.look(),
            }
            states.go();
            if let Some(component) = states.lost() {
                let reason = Reason::NotFinite { component };
                let (time, step) = (system.time(step + 1), system.clock.step);
                let failure = Failure { time, step, reason, cause: Cause::BlowUp };
                return Err(Error::Solve { series: format!("start {}", number + 1), failure });
            }
        }
        Ok(Self { system, slabs })
    }

    /// Room for pulling `lanes` cotangents.
    pub fn room(&self, lanes: usize) -> Room<T> {
        let map = self.system.map;
        Room { above: vec![T::zero(); map.in_dim() * lanes], scratch: vec![T::zero(); map.scratch_len() * lanes] }
    }

    /// `w ← wᵀ J` for the Jacobian of the `step`-th step kept; `w` is `dim × lanes`. Cost: one VJP a lane.
    pub fn pull(&self, step: u64, w: &mut [T], lanes: usize, room: &mut Room<T>) {
        let map = self.system.map;
        let length = map.slab_len();
        let slab = Block::new(&self.slabs[step as usize * length..][..length], 1);
        let above = BlockMut::new(&mut room.above, lanes);
        map.vjp(self.system.params, slab, Block::new(w, lanes), above, None, &mut room.scratch);
        w.copy_from_slice(&room.above[..w.len()]);
    }
}
