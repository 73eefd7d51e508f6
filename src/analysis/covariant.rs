//! Covariant Lyapunov vectors: the directions that the Jacobian carries into each other, each growing at its own exponent.
//!
//! By Ginelli et al. (2007), Phys. Rev. Lett. 99, 130601: frames are carried forward, `A_n Q_n = Q_{n+1} R_{n+1}`, and
//! coefficients back, `C_n ∝ R_{n+1}⁻¹ C_{n+1}`, whose columns turn towards those of the vectors `V_n = Q_n C_n`.
//!
//! ```
//! use flowmap::analysis::{Covariant, CovariantOptions, Stepped};
//! use flowmap::dynamics::systems::{Settings, system};
//! let cat = system("cat")?.build(&Settings::default())?;
//! let stepped = Stepped::map(&*cat.component, &cat.params);
//! let measured = Covariant::new(&stepped, &cat.start, CovariantOptions::new(200))?.measure(&[1])?;
//! assert!((measured.exponents()[0] - 0.962423650119207).abs() < 1e-12);
//! // The cat map's matrix is symmetric: what grows is at right angles to what shrinks.
//! assert!(measured.angles[0].iter().all(|angle| (angle - std::f64::consts::FRAC_PI_2).abs() < 1e-12));
//! # Ok::<(), flowmap::Error>(())
//! ```

use super::walk::Position;
use super::{Frame, Stepped, Walk};
use crate::random::Stream;
use crate::solve::{Cause, Failure, Reason};
use crate::{Error, Result};
use nalgebra::{DMatrix, DVector};
use rand_distr::{Distribution, StandardNormal};
use std::ops::Range;

/// What is computed. A span is the steps from one factorisation to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct CovariantOptions {
    /// How many vectors, from the one that grows most; by default as many as there are dimensions.
    pub vectors: Option<usize>,
    /// Spans before the first vectors, for state and frame to settle.
    pub warmup: u64,
    /// Spans that vectors are told of.
    pub spans: u64,
    /// Spans after the last vectors, for coefficients to settle on their way back.
    pub after: u64,
    /// Steps of a span.
    pub every: u64,
    /// Of the random frame and coefficients to begin with.
    pub seed: u64,
}

impl CovariantOptions {
    /// So many spans of one step, with 1000 spans before and after.
    pub fn new(spans: u64) -> Self {
        Self { vectors: None, warmup: 1000, spans, after: 1000, every: 1, seed: 0 }
    }
}

/// A computation of covariant vectors along one trajectory.
///
/// Memory: `2√(spans + after)` frames of `dim × vectors` numbers and half as many triangles, whatever the length: the way
/// forward is gone twice, first leaving positions, then again from one position to the next, last stretch first. Time: twice
/// that of the spectrum and `vectors³ / 3` operations a span.
pub struct Covariant<'a> {
    walk: Walk<'a, f64>,
    system: &'a Stepped<'a, f64>,
    vectors: usize,
    options: CovariantOptions,
}

/// The vectors at one point of the trajectory.
pub struct Moment<'a> {
    /// Spans since the first moment.
    pub span: u64,
    /// The time.
    pub time: f64,
    /// The state.
    pub state: &'a [f64],
    /// Nats by which each vector grows over the span that begins here.
    pub growth: &'a [f64],
    frame: &'a DMatrix<f64>,
    coefficients: &'a DMatrix<f64>,
}

impl Moment<'_> {
    /// The vectors, unit columns of `dim × vectors`. Costs a product of matrices.
    pub fn vectors(&self) -> DMatrix<f64> {
        self.frame * self.coefficients
    }

    /// The angle between the lines of two vectors, from 0 to π/2.
    pub fn angle(&self, i: usize, j: usize) -> f64 {
        let (a, b) = (self.coefficients.column(i), self.coefficients.column(j));
        let cosine = a.dot(&b);
        (b - a * cosine).norm().atan2(cosine.abs())
    }

    /// The smallest angle between a direction in the span of some vectors and one in that of others, from 0 to π/2: 0 at a
    /// tangency. Sine and cosine are told apart, so that small angles keep their digits (Knyazev & Argentati 2002, SIAM J.
    /// Sci. Comput. 23, 2008–2040). Costs two factorisations and two singular value decompositions of that many columns.
    ///
    /// # Errors
    /// If a range is empty or leaves the vectors.
    pub fn angle_between(&self, some: Range<usize>, others: Range<usize>) -> Result<f64> {
        let count = self.coefficients.ncols();
        if let Some(bad) = [&some, &others].into_iter().find(|r| r.is_empty() || r.end > count) {
            return Err(Error::config(
                format!("vectors {}..{} are asked for", bad.start, bad.end),
                format!("take a range within 0..{count} that is not empty"),
            ));
        }
        let basis = |range: Range<usize>| self.coefficients.columns_range(range).into_owned().qr().q();
        let (mut wide, mut narrow) = (basis(some), basis(others));
        if wide.ncols() < narrow.ncols() {
            std::mem::swap(&mut wide, &mut narrow);
        }
        let along = wide.tr_mul(&narrow);
        let across = &narrow - &wide * &along;
        Ok(across.singular_values().min().atan2(along.singular_values().max()))
    }
}

/// What is kept of a stretch on its second way.
struct Record {
    step: u64,
    state: Vec<f64>,
    frame: DMatrix<f64>,
    /// Of the factorisation at the end of the span.
    triangle: DMatrix<f64>,
}

impl<'a> Covariant<'a> {
    /// Sets out from a state of the system.
    ///
    /// # Errors
    /// If the parts of the system do not fit each other, the start is no finite state, the counts make no sense, or there are
    /// fewer inputs than steps.
    pub fn new(system: &'a Stepped<'a, f64>, start: &[f64], options: CovariantOptions) -> Result<Self> {
        system.check(1)?;
        let vectors = options.vectors.unwrap_or(system.dim());
        if vectors == 0 || options.spans == 0 || options.every == 0 {
            let what = format!("{vectors} vectors over {} spans of {} steps", options.spans, options.every);
            return Err(Error::config(what, "ask for at least one of each"));
        }
        let spans = options.warmup.checked_add(options.spans).and_then(|n| n.checked_add(options.after));
        let Some(steps) = spans.and_then(|n| n.checked_mul(options.every)) else {
            return Err(Error::config("there are more steps than can be counted", "ask for fewer spans"));
        };
        if let Some(length) = system.length().filter(|&length| length < steps) {
            let what = format!("{steps} steps are asked for and there are inputs for {length}");
            return Err(Error::config(what, "ask for fewer spans before, between and after, or give more inputs"));
        }
        let walk = Walk::new(system, &[start.to_vec()], 0, vectors, Frame::Random, options.seed)?;
        Ok(Self { walk, system, vectors, options })
    }

    /// Visits every moment, from the last to the first.
    ///
    /// # Errors
    /// If the trajectory or its tangents stop being finite, a direction dies within a span, or the visitor fails.
    pub fn visit(mut self, mut visitor: impl FnMut(&Moment) -> Result<()>) -> Result<()> {
        let total = self.options.spans + self.options.after;
        for _ in 0..self.options.warmup {
            self.span()?;
        }
        let stretch = total.isqrt().max(1);
        let mut positions: Vec<Position<f64>> = Vec::new();
        for n in 0..total {
            if n % stretch == 0 {
                positions.push(self.walk.position());
            }
            self.span()?;
        }
        let mut coefficients = self.generic();
        let mut growth = vec![0.0; self.vectors];
        for (number, position) in positions.iter().enumerate().rev() {
            let first = number as u64 * stretch;
            self.walk.restore(position)?;
            let records = (first..total.min(first + stretch)).map(|_| self.record()).collect::<Result<Vec<_>>>()?;
            for (record, n) in records.iter().rev().zip((0..first + records.len() as u64).rev()) {
                self.back(record, &mut coefficients, &mut growth)?;
                if n < self.options.spans {
                    visitor(&Moment {
                        span: n,
                        time: self.system.time(record.step),
                        state: &record.state,
                        growth: &growth,
                        frame: &record.frame,
                        coefficients: &coefficients,
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Local growth of every vector, and at every moment the smallest angle between the span of the first `k` vectors and
    /// that of all others, for each `k` of `splits`: with as many as have positive exponents, how far the system is from
    /// losing hyperbolicity there.
    ///
    /// # Errors
    /// Those of [`visit`](Self::visit), and if a split leaves no vector on one side.
    pub fn measure(self, splits: &[usize]) -> Result<CovariantMeasured> {
        let (vectors, spans) = (self.vectors, self.options.spans as usize);
        if let Some(bad) = splits.iter().find(|&&k| k == 0 || k >= vectors) {
            let what = format!("a split after {bad} of {vectors} vectors leaves none on one side");
            return Err(Error::config(what, format!("split after 1 to {}", vectors.saturating_sub(1))));
        }
        let mut measured = CovariantMeasured {
            span: self.system.duration() * self.options.every as f64,
            growth: vec![vec![0.0; spans]; vectors],
            angles: vec![vec![0.0; spans]; splits.len()],
        };
        self.visit(|moment| {
            let n = moment.span as usize;
            measured.growth.iter_mut().zip(moment.growth).for_each(|(to, &x)| to[n] = x);
            for (to, &k) in measured.angles.iter_mut().zip(splits) {
                to[n] = moment.angle_between(0..k, k..vectors)?;
            }
            Ok(())
        })?;
        Ok(measured)
    }

    /// Takes the steps of a span and factors the frame.
    fn span(&mut self) -> Result<()> {
        self.walk.advance(self.options.every);
        self.walk.orthonormalize();
        let failed = |reason, cause| {
            let failure = Failure { time: self.walk.time(), step: self.system.clock.step, reason, cause };
            Error::Solve { series: "start 1".into(), failure }
        };
        match self.walk.lost() {
            Some((_, None)) => {
                let what = "tangents outgrow all numbers between factorisations";
                Err(Error::config(what, "take fewer steps a span"))
            }
            Some((_, Some(component))) => Err(failed(Reason::NotFinite { component }, Cause::BlowUp)),
            None => match self.walk.factors().diagonal().iter().position(|r| *r == 0.0) {
                Some(at) => {
                    let what = format!("direction {} dies within a span: it has no way back", at + 1);
                    Err(Error::config(what, format!("ask for at most {at} vectors")))
                }
                None => Ok(()),
            },
        }
    }

    fn record(&mut self) -> Result<Record> {
        let (step, state) = (self.walk.step(), self.walk.state().data.to_vec());
        let frame = DMatrix::from_row_slice(self.system.dim(), self.vectors, self.walk.frame().data);
        self.span()?;
        let factors = self.walk.factors();
        let entry = |i, j| if i <= j { factors.r(0, i, j) } else { 0.0 };
        Ok(Record { step, state, frame, triangle: DMatrix::from_fn(self.vectors, self.vectors, entry) })
    }

    /// Unit columns of an upper triangle without special directions.
    fn generic(&self) -> DMatrix<f64> {
        let mut rng = Stream::Covariant.of(self.options.seed);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let mut c = DMatrix::zeros(self.vectors, self.vectors);
        for j in 0..self.vectors {
            (0..j).for_each(|i| c[(i, j)] = normal());
            c[(j, j)] = 1.0;
            let length = c.column(j).norm();
            c.column_mut(j).unscale_mut(length);
        }
        c
    }

    /// Carries coefficients back over a span, and tells how much the vectors grow on it.
    fn back(&self, record: &Record, coefficients: &mut DMatrix<f64>, growth: &mut [f64]) -> Result<()> {
        for (j, growth) in growth.iter_mut().enumerate() {
            // Column j of a triangle has j + 1 entries.
            let triangle = record.triangle.view((0, 0), (j + 1, j + 1));
            let mut column = coefficients.view_mut((0, j), (j + 1, 1));
            triangle.solve_upper_triangular_mut(&mut column);
            let length = column.norm();
            if !length.is_finite() || length == 0.0 {
                let what = format!("vector {} shrinks beyond all numbers within a span", j + 1);
                return Err(Error::config(what, format!("take fewer steps a span, or at most {j} vectors")));
            }
            column.unscale_mut(length);
            *growth = -length.ln();
        }
        Ok(())
    }
}

/// Growth and angles along a trajectory.
#[derive(Clone, Debug, PartialEq)]
pub struct CovariantMeasured {
    /// How long a span is, in the unit of the exponents.
    pub span: f64,
    /// Nats of each vector over each span, in order of time: `[vector][span]`.
    pub growth: Vec<Vec<f64>>,
    /// Smallest angles in radians: `[split][moment]`.
    pub angles: Vec<Vec<f64>>,
}

impl CovariantMeasured {
    /// Averages over all spans: the exponents, in nats per unit of time.
    pub fn exponents(&self) -> Vec<f64> {
        self.growth.iter().map(|growth| growth.iter().sum::<f64>() / (growth.len() as f64 * self.span)).collect()
    }

    /// Exponents of a vector over windows of so many spans one after another, in nats per unit of time; with windows of one
    /// span, the local exponents. Spans that fill no window are left out.
    ///
    /// # Errors
    /// If there is no such vector, or the window is empty or longer than all spans.
    pub fn finite_time(&self, vector: usize, window: usize) -> Result<Vec<f64>> {
        let growth = self.growth.get(vector).filter(|growth| (1..=growth.len()).contains(&window));
        let Some(growth) = growth else {
            let what = format!("vector {vector} over windows of {window} spans is asked for");
            let spans = self.growth.first().map_or(0, Vec::len);
            return Err(Error::config(
                what,
                format!("there are {} vectors, numbered from 0, and {spans} spans", self.growth.len()),
            ));
        };
        let time = window as f64 * self.span;
        Ok(growth.chunks_exact(window).map(|part| part.iter().sum::<f64>() / time).collect())
    }
}

/// How numbers are spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Their average.
    pub mean: f64,
    /// Their standard deviation, about the average.
    pub deviation: f64,
    /// The least, those below which 5 %, 50 % and 95 % lie, and the greatest.
    pub quantiles: [f64; 5],
}

impl Spread {
    /// Of finite numbers.
    ///
    /// # Errors
    /// If there is none, or one is not finite.
    pub fn of(numbers: &[f64]) -> Result<Self> {
        if numbers.is_empty() || numbers.iter().any(|x| !x.is_finite()) {
            return Err(Error::config("numbers have no spread", "give at least one, and only finite ones"));
        }
        let mut sorted = DVector::from_column_slice(numbers);
        sorted.as_mut_slice().sort_by(f64::total_cmp);
        let last = numbers.len() - 1;
        let quantiles = [0.0, 0.05, 0.5, 0.95, 1.0].map(|share: f64| sorted[(share * last as f64).round() as usize]);
        Ok(Self { mean: sorted.mean(), deviation: sorted.variance().sqrt(), quantiles })
    }
}
