//! A parameter scanned: at each of its values the spectrum and samples of the attractor.

use super::section::Plane;
use super::spectrum::{Spectrum, Status};
use super::states::States;
use super::{Run, SpectrumOptions, Stepped};
use crate::dynamics::Field;
use crate::io::checkpoint::{FRESH, same_settings};
use crate::io::tensors::{Tensor, TensorData, Tensors};
use crate::solve::{Options, Tableau};
use crate::{Error, Result};
use rayon::prelude::*;
use std::path::Path;

/// Names the kind of file.
const KIND: &str = "flowmap-sweep";
/// Values that each thread measures between two looks at the run.
const ROUND: usize = 4;

/// When a state is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampled {
    /// At every step: maps.
    Steps,
    /// Where the component has a local maximum, that of the parabola through three steps: flows. An orbit that closes after
    /// `k` maxima then shows as `k` points, as a map's of period `k` does.
    Maxima,
}

/// What is measured at each value.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepOptions {
    /// How the spectrum is measured, from one start.
    pub spectrum: SpectrumOptions,
    /// Samples taken after that; fewer where maxima do not come within as many steps as were counted.
    pub samples: usize,
    /// The component that is sampled.
    pub component: usize,
    /// When.
    pub sampled: Sampled,
}

/// What was found at one value of the parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SweepPoint {
    /// Exponents from the largest down, in nats per unit of time; NaN where the run failed.
    pub exponents: Vec<f64>,
    /// Their standard errors; NaN where the run failed.
    pub standard_errors: Vec<f64>,
    /// What may be said of each; empty where the run failed.
    pub status: Vec<Status>,
    /// Samples of the attractor, in the order of time; none where the run failed.
    pub samples: Vec<f64>,
    /// Why the run failed, if it did.
    pub failure: Option<String>,
}

/// Samples of a flow where it passes a plane, in place of its steps or maxima.
pub struct Cut<'a> {
    /// The plane.
    pub plane: &'a Plane,
    /// The flow that the system makes steps of, with the same parameters.
    pub field: Field<'a, f64>,
    /// The method that makes them.
    pub method: &'static Tableau,
}

impl Cut<'_> {
    fn samples(&self, system: &Stepped<f64>, step: u64, state: &[f64], options: &SweepOptions) -> Result<Vec<f64>> {
        let [from, end] = [step, step.saturating_add(options.spectrum.steps)].map(|step| system.time(step));
        let solver = Options::fixed(self.method, system.clock.step);
        let found = self.plane.section(self.field, system.params, (from, state), [from, end], &solver)?;
        let passages = found.states.chunks_exact(state.len()).take(options.samples);
        Ok(passages.map(|state| state[options.component]).collect())
    }
}

impl SweepPoint {
    /// Measures a system from a start, and samples it where `cut` says if there is one. Cost: that of the spectrum, and an
    /// evaluation for each step that is sampled; with a cut a solve over as many steps as were counted.
    ///
    /// # Errors
    /// If the system, the start or an option cannot be used; a state that could not be followed.
    pub fn measure(system: &Stepped<f64>, start: &[f64], options: &SweepOptions, cut: Option<&Cut>) -> Result<Self> {
        if options.component >= system.dim() {
            let what = format!("component {} of {} is to be sampled", options.component, system.dim());
            return Err(Error::config(what, "count components from 0"));
        }
        let starts = [start.to_vec()];
        let mut run = Run::new(system, &starts, options.spectrum.clone())?;
        while run.go_on()? {}
        let Spectrum { exponents, standard_errors, status, .. } = run.spectrum();
        let (step, state) = (run.step(), run.walks().next().map_or(start, |walk| walk.state().data));
        let samples = match cut {
            Some(cut) => cut.samples(system, step, state, options)?,
            None => {
                let mut states = States::new(system, 0, step, state);
                let next = || {
                    states.advance(1);
                    states.state()[options.component]
                };
                samples(next, options)
            }
        };
        Ok(Self { exponents, standard_errors, status, samples, failure: None })
    }

    fn failed(exponents: usize, reason: &Error) -> Self {
        Self {
            exponents: vec![f64::NAN; exponents],
            standard_errors: vec![f64::NAN; exponents],
            failure: Some(reason.to_string()),
            ..Self::default()
        }
    }
}

fn samples(mut next: impl FnMut() -> f64, options: &SweepOptions) -> Vec<f64> {
    let mut samples = Vec::with_capacity(options.samples);
    match options.sampled {
        Sampled::Steps => samples.extend((0..options.samples).map(|_| next())),
        Sampled::Maxima => {
            let mut last = [next(), next(), next()];
            for _ in 0..options.spectrum.steps {
                let [before, at, after] = last;
                if before < at && at >= after {
                    let (slope, bend) = (0.5 * (after - before), before - 2.0 * at + after);
                    samples.push(at - 0.5 * slope * slope / bend);
                }
                if samples.len() >= options.samples {
                    break;
                }
                last = [at, after, next()];
            }
            // What has come to rest has no maximum, and a place all the same.
            if samples.is_empty() && options.samples > 0 {
                samples.push(last[2]);
            }
        }
    }
    samples.retain(|x| x.is_finite());
    samples
}

/// A sweep under way: values in order, each measured by itself, so that neither the number of threads nor a stop in
/// between changes a bit.
pub struct Sweep<F> {
    values: Vec<f64>,
    exponents: usize,
    measure: F,
    points: Vec<SweepPoint>,
}

impl<F: Fn(f64) -> Result<SweepPoint> + Sync> Sweep<F> {
    /// A sweep over `values` with so many exponents at each. Where `measure` fails, the exponents are NaN and the point
    /// says why.
    pub fn new(values: Vec<f64>, exponents: usize, measure: F) -> Self {
        Self { values, exponents, measure, points: Vec::new() }
    }

    /// Measures some further values over the threads of the present pool. Returns whether there is more to do.
    pub fn go_on(&mut self) -> bool {
        let done = self.points.len();
        let end = self.values.len().min(done + ROUND * rayon::current_num_threads());
        let at =
            |&value: &f64| (self.measure)(value).unwrap_or_else(|reason| SweepPoint::failed(self.exponents, &reason));
        let found: Vec<SweepPoint> = self.values[done..end].par_iter().map(at).collect();
        self.points.extend(found);
        self.points.len() < self.values.len()
    }

    /// All values.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// What was found so far, from the first value on.
    pub fn points(&self) -> &[SweepPoint] {
        &self.points
    }

    /// Everything that [`restore`](Self::restore) needs; `settings` says what was run, in the caller's words;
    /// best as a JSON object, of which only what differs is told later.
    ///
    /// # Errors
    /// Never: the shapes are those of the arrays, and reasons are text.
    pub fn save(&self, settings: &str) -> Result<Tensors> {
        let mut content = Tensors::default();
        content.metadata.insert(KIND.into(), settings.into());
        let reasons: Vec<Option<&str>> = self.points.iter().map(|point| point.failure.as_deref()).collect();
        content.metadata.insert("failures".into(), serde_json::json!(reasons).to_string());
        let mut put = |name: &str, numbers: Vec<f64>| -> Result<()> {
            let tensor = Tensor::new(vec![numbers.len()], TensorData::F64(numbers))?;
            content.named.insert(name.into(), tensor);
            Ok(())
        };
        let all = |of: fn(&SweepPoint) -> &[f64]| self.points.iter().flat_map(of).copied().collect::<Vec<f64>>();
        put("exponents", all(|point| &point.exponents))?;
        put("standard_errors", all(|point| &point.standard_errors))?;
        put("samples", all(|point| &point.samples))?;
        put("sample_counts", self.points.iter().map(|point| point.samples.len() as f64).collect())?;
        put("status", self.points.iter().flat_map(|point| point.status.iter().map(|s| *s as u8 as f64)).collect())
            .map(|()| content)
    }

    /// Goes on from what [`save`](Self::save) gave for a sweep of the same settings; `path` is named in errors.
    ///
    /// # Errors
    /// If it is of another kind, of other settings, or damaged.
    pub fn restore(&mut self, content: &Tensors, settings: &str, path: &Path) -> Result<()> {
        let Some(then) = content.metadata.get(KIND) else {
            return Err(Error::format(path, "not the checkpoint of a sweep", "name the folder of an unfinished one"));
        };
        same_settings(path, then, settings)?;
        self.points = self.kept(content).ok_or_else(|| Error::format(path, "an array is missing or damaged", FRESH))?;
        Ok(())
    }

    fn kept(&self, content: &Tensors) -> Option<Vec<SweepPoint>> {
        let failures: Vec<Option<String>> = serde_json::from_str(content.metadata.get("failures")?).ok()?;
        let get = |name: &str| Some(content.named.get(name)?.to_f64().into_iter());
        let (mut exponents, mut errors) = (get("exponents")?, get("standard_errors")?);
        let (mut samples, mut counts, mut status) = (get("samples")?, get("sample_counts")?, get("status")?);
        let some = |from: &mut std::vec::IntoIter<f64>, count: usize| -> Option<Vec<f64>> {
            let taken: Vec<f64> = from.take(count).collect();
            (taken.len() == count).then_some(taken)
        };
        let mut points = Vec::with_capacity(failures.len());
        for failure in failures {
            let marks = if failure.is_some() { 0 } else { self.exponents };
            let marks = some(&mut status, marks)?.into_iter().map(|mark| {
                [Status::Resolved, Status::BelowPrecision, Status::MinusInfinity]
                    .into_iter()
                    .find(|s| *s as u8 as f64 == mark)
            });
            points.push(SweepPoint {
                exponents: some(&mut exponents, self.exponents)?,
                standard_errors: some(&mut errors, self.exponents)?,
                status: marks.collect::<Option<_>>()?,
                samples: some(&mut samples, counts.next()? as usize)?,
                failure,
            });
        }
        let rest = exponents.len() + errors.len() + samples.len() + counts.len() + status.len();
        (rest == 0 && points.len() <= self.values.len()).then_some(points)
    }
}

/// Where the leading exponent is 0: where it changes sign (between two values, on the line through both), and where it
/// touches 0 from below, as it does when a period doubles: at a largest value among its neighbours that lies no further
/// from 0 than its own error or the change to the next values on either side.
pub fn zero_crossings(values: &[f64], points: &[SweepPoint]) -> Vec<f64> {
    let leading: Vec<f64> = points.iter().map(|point| point.exponents.first().copied().unwrap_or(f64::NAN)).collect();
    let mut found = Vec::new();
    for i in 0..leading.len() {
        let here = leading[i];
        if i > 0 && here.is_finite() && leading[i - 1].is_finite() && (here > 0.0) != (leading[i - 1] > 0.0) {
            let share = leading[i - 1] / (leading[i - 1] - here);
            found.push(values[i - 1] + share * (values[i] - values[i - 1]));
        }
        if i < NEAR || i + NEAR >= leading.len() {
            continue;
        }
        let around = &leading[i - NEAR..=i + NEAR];
        let drop = around.iter().map(|x| here - x).fold(0.0, f64::max);
        let error = points[i].standard_errors.first().copied().unwrap_or(0.0);
        if around.iter().all(|x| *x <= here && here <= 0.0) && here >= -drop.max(error) {
            found.push(values[i]);
        }
    }
    found
}

/// Neighbours on either side that a value is compared with: right at a doubling the exponent of so many steps is blunt.
const NEAR: usize = 3;
