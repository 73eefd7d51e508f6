//! What the engine needs to know of a system that steps.

use crate::dynamics::{Component, Strider};
use crate::random::Stream;
use crate::{Error, Real, Result};
use rand_distr::{Distribution, StandardNormal};

/// The time of step `n` is `start + n · step`; maps count steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    /// Time before the first step.
    pub start: f64,
    /// Time a step takes.
    pub step: f64,
    /// What exponents are told in: their unit of time is 1, the clock's is this.
    pub unit: f64,
}

/// Inputs of a map, a row of numbers each step.
#[derive(Clone, Debug)]
pub enum Drive<'a, T> {
    /// None.
    Free,
    /// The same row at every step.
    Constant(&'a [T]),
    /// Rows one after another, from the first step on: one sequence for all starts, or one each.
    Sequences(Vec<&'a [T]>),
}

/// A map with its parameters, its inputs and its clock. The map's arguments are the state, then the inputs, then time,
/// as far as it takes them; its value is the next state.
#[derive(Clone)]
pub struct Stepped<'a, T: Real> {
    /// The map.
    pub map: &'a dyn Component<T>,
    /// Its parameters.
    pub params: &'a [T],
    /// Its inputs.
    pub drive: Drive<'a, T>,
    /// What a step is in time.
    pub clock: Clock,
}

impl<'a, T: Real> Stepped<'a, T> {
    /// A map without inputs whose time is the number of the step.
    pub fn map(map: &'a dyn Component<T>, params: &'a [T]) -> Self {
        Self { map, params, drive: Drive::Free, clock: Clock { start: 0.0, step: 1.0, unit: 1.0 } }
    }

    /// A map of a step of time, such as a [`StepMap`](crate::solve::StepMap).
    pub fn timed(map: &'a dyn Component<T>, params: &'a [T], step: f64) -> Self {
        Self { map, params, drive: Drive::Free, clock: Clock { start: 0.0, step, unit: 1.0 } }
    }

    /// The same map under inputs.
    pub fn driven(self, drive: Drive<'a, T>) -> Self {
        Self { drive, ..self }
    }

    /// Rows of the state.
    pub fn dim(&self) -> usize {
        self.map.out_dim()
    }

    /// Whether the map takes time.
    pub fn takes_time(&self) -> bool {
        self.map.in_dim() > self.dim() && matches!(self.drive, Drive::Free)
    }

    /// Numbers in a row of inputs.
    pub(super) fn width(&self) -> usize {
        if self.takes_time() { 0 } else { self.map.in_dim() - self.dim() }
    }

    /// The map's offer to take many steps at once, which it does by the clock: not where its last argument is an input.
    pub(super) fn strider(&self) -> Option<Strider<'_, T>> {
        self.map.strider().filter(|_| self.width() == 0)
    }

    /// How many steps there are inputs for, where they end.
    pub fn length(&self) -> Option<u64> {
        match &self.drive {
            Drive::Sequences(rows) => rows.iter().map(|rows| (rows.len() / self.width().max(1)) as u64).min(),
            Drive::Free | Drive::Constant(_) => None,
        }
    }

    /// # Errors
    /// If the parts do not fit each other, or there are neither inputs for all of so many starts nor for each.
    pub(super) fn check(&self, starts: usize) -> Result<()> {
        match &self.drive {
            Drive::Sequences(rows) if rows.len() > starts => {
                let expected = format!("one sequence for all {starts} starts or one each");
                Err(Error::shape("inputs of a map", expected, format!("{} sequences", rows.len())))
            }
            _ => self.check_parts(starts),
        }
    }

    /// # Errors
    /// If the parts do not fit each other, or inputs are missing for some of so many starts.
    pub(super) fn check_parts(&self, starts: usize) -> Result<()> {
        let dim = self.dim();
        if dim == 0 || self.map.in_dim() < dim {
            return Err(Error::shape(
                "arguments of a map (state, inputs, time)",
                format!("at least {dim}"),
                self.map.in_dim(),
            ));
        }
        if self.params.len() != self.map.param_count() {
            return Err(Error::shape("parameters of the map", self.map.param_count(), self.params.len()));
        }
        if self.takes_time() && self.map.in_dim() != dim + 1 {
            return Err(Error::shape(
                "arguments of a map without inputs",
                format!("{dim} or {}", dim + 1),
                self.map.in_dim(),
            ));
        }
        let Clock { start, step, unit } = self.clock;
        if !(step.is_finite() && step != 0.0 && start.is_finite() && unit > 0.0 && unit.is_finite()) {
            return Err(Error::config("the clock is not finite, or stands still", "give a step of time other than 0"));
        }
        let width = self.width();
        let fits = match &self.drive {
            Drive::Free => true,
            Drive::Constant(row) => row.len() == width,
            Drive::Sequences(rows) => {
                width > 0
                    && (rows.len() == 1 || rows.len() >= starts)
                    && rows.iter().all(|rows| rows.len().is_multiple_of(width))
            }
        };
        if fits {
            Ok(())
        } else {
            Err(Error::shape(
                "inputs of a map",
                format!("rows of {width} numbers, one sequence for all {starts} starts or one each"),
                "others",
            ))
        }
    }

    /// # Errors
    /// If it is no finite state.
    pub(super) fn check_start(&self, start: &[T]) -> Result<()> {
        if start.len() == self.dim() && start.iter().all(|x| x.is_finite()) {
            return Ok(());
        }
        let found = format!("{} numbers, not all finite or not as many", start.len());
        Err(Error::shape("a start", format!("{} finite numbers", self.dim()), found))
    }

    /// Writes the inputs of a step, or its time, below the state: rows of one number a start, `first` the first of them.
    pub(super) fn fill(&self, step: u64, first: usize, starts: usize, below: &mut [T]) {
        match &self.drive {
            Drive::Free => below.fill(T::of(self.time(step))),
            Drive::Constant(row) => {
                for (to, &x) in below.chunks_exact_mut(starts).zip(*row) {
                    to.fill(x);
                }
            }
            Drive::Sequences(rows) => {
                let width = self.width();
                for s in 0..starts {
                    let rows = if rows.len() == 1 { rows[0] } else { rows[first + s] };
                    let row = &rows[step as usize * width..][..width];
                    for (to, &x) in below.chunks_exact_mut(starts).zip(row) {
                        to[s] = x;
                    }
                }
            }
        }
    }

    /// A number that differs, but for chance, where the parameters, the inputs or the starts do.
    pub fn fingerprint(&self, starts: &[Vec<T>]) -> u64 {
        let none: &[T] = &[];
        let driven: Vec<&[T]> = match &self.drive {
            Drive::Free => vec![none],
            Drive::Constant(row) => vec![row],
            Drive::Sequences(rows) => rows.clone(),
        };
        let parts = std::iter::once(self.params).chain(driven).chain(starts.iter().map(Vec::as_slice));
        // FNV-1a over whole numbers (Fowler, Noll & Vo 1991), with the lengths between the parts.
        let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x100_0000_01b3).rotate_left(23);
        parts.fold(0xcbf2_9ce4_8422_2325, |hash, part| {
            part.iter().fold(mix(hash, part.len() as u64), |hash, x| mix(hash, x.f64().to_bits()))
        })
    }

    /// How long a step is, in the unit of the exponents.
    pub fn duration(&self) -> f64 {
        (self.clock.step * self.clock.unit).abs()
    }

    /// The time of a step.
    pub fn time(&self, step: u64) -> f64 {
        self.clock.start + self.clock.step * step as f64
    }
}

/// How far starts are moved apart, as a share of the size of the given one: enough that chaos makes them independent within
/// some ten doublings, and little enough to stay on the same attractor or close to the same level of energy.
const APART: f64 = 1e-4;

/// The given start and others near it, drawn by the seed.
pub fn near<T: Real>(start: &[T], count: usize, seed: u64) -> Vec<Vec<T>> {
    let size = start.iter().fold(0.0, |most: f64, x| most.max(x.f64().abs()));
    let size = if size == 0.0 { 1.0 } else { size };
    let moved = |s: usize| {
        let mut rng = Stream::Start(s).of(seed);
        let mut nudge = || -> f64 {
            let normal: f64 = StandardNormal.sample(&mut rng);
            if s == 0 { 0.0 } else { APART * size * normal }
        };
        start.iter().map(|&x| x + T::of(nudge())).collect()
    };
    (0..count).map(moved).collect()
}
