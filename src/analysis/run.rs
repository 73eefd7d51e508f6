//! A spectrum in the making.

use super::interval::Interval;
use super::ledger::{LOST, Ledger};
use super::spectrum::{Measured, Spectrum};
use super::walk::TOGETHER;
use super::{Frame, Stepped, Walk};
use crate::solve::{Cause, Failure, Reason};
use crate::{Error, Real, Result};
use rayon::prelude::*;
use std::collections::BTreeSet;

/// How a spectrum is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct SpectrumOptions {
    /// How many of the largest exponents; all if none is given. Cost rises at least in proportion.
    pub exponents: Option<usize>,
    /// Steps that move state and frame uncounted.
    pub warmup: u64,
    /// Steps counted, of each start.
    pub steps: u64,
    /// Steps between factorisations; chosen on the way if none is given.
    pub qr_every: Option<u64>,
    /// The frame to begin with.
    pub frame: Frame,
    /// Seed of the frame.
    pub seed: u64,
    /// How many exponents are known to be 0: one for the direction of a flow that does not rest, two for each quantity that
    /// a symplectic flow conserves. So many of those that are 0 within errors count as 0 in dimension and entropy.
    pub zeros: usize,
    /// Ends the run once no standard error of a resolved exponent is above this, in units of the result.
    pub target_error: Option<f64>,
}

impl SpectrumOptions {
    /// All exponents from so many steps, after a warm-up, with a random frame of seed 0.
    pub fn new(warmup: u64, steps: u64) -> Self {
        Self {
            exponents: None,
            warmup,
            steps,
            qr_every: None,
            frame: Frame::Random,
            seed: 0,
            zeros: 0,
            target_error: None,
        }
    }
}

/// Bins that a run's steps are divided into: the resolution of error bars and of the convergence trace.
const BINS: u64 = 128;
/// Bins that are walked between two looks at the run.
const ROUND: u64 = 8;
/// Finished bins before a target error can end the run: too few have no error to rely on.
const FEWEST: usize = 32;
/// Most steps, more than any run can take.
const MOST_STEPS: u64 = u64::MAX / 4;
/// Most numbers in a frame.
const MOST_NUMBERS: u64 = 1 << 29;
/// Most dimensions in which dead directions are looked for.
const PROBED: usize = 2048;

/// Some starts that walk together, and what they counted.
pub(super) struct Group<'a, T: Real> {
    pub walk: Walk<'a, T>,
    pub ledger: Ledger,
    pub interval: Interval,
}

/// Walks from all starts, over the threads of the present pool. Whatever their number, the result has the same bits.
///
/// Where the interval is chosen on the way, eight starts of a small system share one choice.
pub struct Run<'a, T: Real> {
    pub(super) system: &'a Stepped<'a, T>,
    pub(super) options: SpectrumOptions,
    pub(super) columns: usize,
    pub(super) groups: Vec<Group<'a, T>>,
    /// Rows and columns of the Jacobian that were zero whenever it was looked at.
    pub(super) dead: Option<[BTreeSet<usize>; 2]>,
}

impl<'a, T: Real> Run<'a, T> {
    /// Sets out from `starts`.
    ///
    /// Memory: twice the arguments of a frame for each start, the map's slab, and the factorisation's room.
    ///
    /// # Errors
    /// If the system, a start or an option cannot be used.
    pub fn new(system: &'a Stepped<'a, T>, starts: &[Vec<T>], options: SpectrumOptions) -> Result<Self> {
        system.check(starts.len())?;
        let dim = system.dim();
        let columns = options.exponents.unwrap_or(dim);
        if columns == 0 || columns > dim {
            let what = format!("{columns} exponents are asked for of a system with {dim} dimensions");
            return Err(Error::config(what, format!("ask for 1 to {dim}")));
        }
        if options.steps == 0 || options.qr_every == Some(0) {
            return Err(Error::config("no step is counted, or none lies between factorisations", "give at least 1"));
        }
        if options.target_error.is_some_and(|target| !(target > 0.0 && target.is_finite())) {
            return Err(Error::config("the target error is not positive", "give a positive number"));
        }
        let asked = options.warmup.saturating_add(options.steps);
        let what = || format!("{} warm-up steps and {} counted ones are asked for", options.warmup, options.steps);
        match system.length() {
            Some(most) if asked > most => {
                return Err(Error::config(what(), format!("there are inputs for {most}; take fewer")));
            }
            None if asked > MOST_STEPS => {
                return Err(Error::config(what(), "take fewer, or longer, steps"));
            }
            _ => {}
        }
        let mut options = options;
        // A single factorisation, at the end, is the least there is.
        options.qr_every = options.qr_every.map(|every| every.min(options.steps));
        let numbers = (columns as u64).saturating_mul(system.map.in_dim() as u64);
        if numbers > MOST_NUMBERS {
            let what = format!("{columns} tangents in {dim} dimensions are {:.0} GB", numbers as f64 * 16e-9);
            return Err(Error::config(what, "ask for fewer exponents"));
        }
        let together = if system.strider().is_some() { TOGETHER } else { 1 };
        let bin = match options.qr_every {
            // Whole intervals make a bin.
            Some(every) => every * (options.steps / BINS).div_ceil(every).max(1),
            None => (options.steps / BINS).max(1),
        };
        let group = |(number, some): (usize, &[Vec<T>])| -> Result<Group<'a, T>> {
            let first = number * together;
            Ok(Group {
                walk: Walk::new(system, some, first, columns, options.frame, options.seed)?,
                ledger: Ledger::new(columns, some.len(), bin),
                interval: Interval::new::<T>(options.qr_every),
            })
        };
        let groups = starts.chunks(together).enumerate().map(group).collect::<Result<Vec<_>>>()?;
        if groups.is_empty() {
            return Err(Error::config("no start is given", "give at least one"));
        }
        Ok(Self { system, columns, groups, dead: None, options })
    }

    /// Steps of each start so far, warm-up included.
    pub fn step(&self) -> u64 {
        self.groups[0].walk.step()
    }

    /// Steps of each start at the end.
    pub fn end(&self) -> u64 {
        self.options.warmup + self.options.steps
    }

    /// Steps of a bin.
    pub(super) fn bin(&self) -> u64 {
        self.groups[0].ledger.bin
    }

    /// What walks.
    pub fn system(&self) -> &'a Stepped<'a, T> {
        self.system
    }

    /// Steps before those that are counted.
    pub fn warmup(&self) -> u64 {
        self.options.warmup
    }

    /// The sums over all columns and over the first finished bins, at most `most` steps, in nats, of each start, with the
    /// number of steps. None if that is no bin, or not all exponents are there.
    pub(super) fn first_sums(&self, most: u64) -> Option<(u64, Vec<f64>)> {
        let (bin, finished) = (self.bin(), self.groups[0].ledger.finished() as u64);
        let bins = (most / bin).min(finished);
        if bins == 0 || self.columns < self.system.dim() {
            return None;
        }
        let counted = self.step().saturating_sub(self.options.warmup);
        let whole = most >= counted;
        let sum = |ledger: &Ledger, s: usize| -> f64 {
            let column = |j: usize| -> f64 {
                let finished: f64 = ledger.series(j, s).take(bins as usize).sum();
                let open = if whole { ledger.open[j * ledger.starts + s] } else { 0.0 };
                finished + open
            };
            let zero = (0..self.columns).any(|j| ledger.zeros[j * ledger.starts + s] > 0.0);
            if zero { f64::NEG_INFINITY } else { (0..self.columns).map(column).sum() }
        };
        let ledgers = self.groups.iter().map(|group| &group.ledger);
        let sums = ledgers.flat_map(|ledger| (0..ledger.starts).map(move |s| sum(ledger, s))).collect();
        Some((if whole { counted } else { bins * bin }, sums))
    }

    /// The walks, each of some starts.
    pub fn walks(&self) -> impl Iterator<Item = &Walk<'a, T>> {
        self.groups.iter().map(|group| &group.walk)
    }

    /// Walks some way. Returns whether there is more to do.
    ///
    /// # Errors
    /// If a state or its tangents are no longer finite.
    pub fn go_on(&mut self) -> Result<bool> {
        if !self.unfinished() {
            return Ok(false);
        }
        let (warmup, end) = (self.options.warmup, self.end());
        let stretch = self.groups[0].ledger.bin * ROUND;
        let now = self.step();
        let target = if now < warmup {
            warmup.min((now / stretch + 1) * stretch)
        } else {
            end.min(warmup + ((now - warmup) / stretch + 1) * stretch)
        };
        let walk = |group: &mut Group<'a, T>| group.ledger.follow(&mut group.walk, &mut group.interval, warmup, target);
        if self.groups.len() > 1 && rayon::current_num_threads() > 1 {
            self.groups.par_iter_mut().for_each(walk);
        } else {
            self.groups.iter_mut().for_each(walk);
        }
        for group in &self.groups {
            if let (Some((start, None)), Some(_)) = (group.walk.lost(), self.options.qr_every) {
                let what = format!("tangents of start {} outgrow all numbers between factorisations", start + 1);
                return Err(Error::config(what, "factor more often, or leave the interval to be chosen"));
            }
            if let Some((start, component)) = group.walk.lost() {
                let failure = Failure {
                    time: group.walk.time(),
                    step: self.system.clock.step,
                    reason: Reason::NotFinite { component: component.unwrap_or(0) },
                    cause: Cause::BlowUp,
                };
                return Err(Error::Solve { series: format!("start {}", start + 1), failure });
            }
        }
        self.look_for_the_dead();
        Ok(self.unfinished())
    }

    /// Walks to the end.
    ///
    /// # Errors
    /// Those of [`go_on`](Self::go_on).
    pub fn finish(mut self) -> Result<Spectrum> {
        while self.go_on()? {}
        Ok(self.spectrum())
    }

    fn unfinished(&self) -> bool {
        if self.step() >= self.end() {
            return false;
        }
        let Some(target) = self.options.target_error else { return true };
        self.groups[0].ledger.finished() < FEWEST || self.spectrum().largest_error() > target
    }

    /// The spectrum from the steps counted so far.
    pub fn spectrum(&self) -> Spectrum {
        let ledgers: Vec<&Ledger> = self.groups.iter().map(|group| &group.ledger).collect();
        let counted = self.step().saturating_sub(self.options.warmup);
        Spectrum::measured(&Measured {
            dim: self.system.dim(),
            unit: self.system.duration(),
            counted,
            warmup: self.options.warmup.min(self.step()),
            // A state at rest has no direction that keeps.
            zeros: if self.options.zeros > 0 && !super::audit::is_moving(self) { 0 } else { self.options.zeros },
            dead: self.dead.as_ref().map_or(0, |dead| dead.iter().map(BTreeSet::len).max().unwrap_or(0)),
            ledgers: &ledgers,
        })
    }

    /// Where rounding hides directions, looks which rows and columns of the Jacobian are zero: those stay dead.
    fn look_for_the_dead(&mut self) {
        let hidden = |group: &Group<T>| {
            let some = group.ledger.noise.iter().zip(&group.ledger.zeros);
            some.clone().any(|(noise, zeros)| *noise > 0.1 * LOST * group.ledger.factored as f64 || *zeros > 0.0)
        };
        if self.system.dim() > PROBED || !self.groups.iter().any(hidden) {
            return;
        }
        let seen = self.groups[0].walk.zero_lines();
        self.dead = Some(match self.dead.take() {
            None => seen,
            Some([rows, columns]) => [&rows & &seen[0], &columns & &seen[1]],
        });
    }
}
