//! A fitted model as one file, `model.safetensors`.
//!
//! Parameters are tensors under their own names, matrices row by row as other programs expect them. What is not an
//! array stands as JSON in the file's metadata.

use super::{Anchor, Conditioning, Fitted, ModelSpec, NeuralOde, Noise};
use crate::dynamics::ParamSpec;
use crate::io::tensors::{self, Tensor, TensorData, Tensors};
use crate::series::scale::Scaling;
use crate::solve::SolverSpec;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Of the layout of the file.
const VERSION: u32 = 1;
const KIND: &str = "neural-ode";
const REMEDY: &str = "name the folder of a finished `flowmap fit`, or fit the model again";

const NOISE_FLOOR: &str = "noise.floor";
const NOISE_GROWTH: &str = "noise.growth";
const NOISE_FREEDOM: &str = "noise.freedom";
const ANCHOR_SERIES: &str = "anchors.series";
const ANCHOR_AFTER: &str = "anchors.after";
const ANCHOR_TIME: &str = "anchors.time";
const ANCHOR_KNOWN: &str = "anchors.known";
const ANCHOR_OFFSET: &str = "anchors.offset";
const ANCHOR_STATE: &str = "anchors.state";

/// Everything of a model that is not an array.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    model: String,
    spec: ModelSpec,
    scaling: Scaling,
    span: f64,
    solver: SolverSpec,
    horizon: usize,
    conditioning: Conditioning,
    continuity: f64,
    series: Vec<String>,
}

impl Fitted {
    /// The key under which a model's file describes it in its metadata.
    pub const HEADER: &str = "flowmap_model";

    /// Writes the model to a file, whole or not at all. [`load`](Self::load) gives the same back, bit for bit.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be written; [`Error::Shape`] if the model's parts do not fit together.
    pub fn save(&self, path: &Path) -> Result<()> {
        let model = self.model()?;
        // Taken apart by name, so that a part added later cannot be forgotten here.
        let Self { spec, scaling, span, solver, horizon, conditioning, continuity, params, noise, series, anchors } =
            self;
        let header = Header {
            version: VERSION,
            model: KIND.into(),
            spec: spec.clone(),
            scaling: scaling.clone(),
            span: *span,
            solver: solver.clone(),
            horizon: *horizon,
            conditioning: conditioning.clone(),
            continuity: *continuity,
            series: series.clone(),
        };
        let header = serde_json::to_string(&header)
            .map_err(|bad| Error::format(path, format!("the model's settings cannot be written: {bad}"), REMEDY))?;
        let mut content = Tensors { metadata: [(Self::HEADER.to_string(), header)].into(), ..Tensors::default() };
        let mut put = |name: &str, shape: Vec<usize>, numbers: Vec<f64>| -> Result<()> {
            content.named.insert(name.into(), Tensor::new(shape, TensorData::F64(numbers))?);
            Ok(())
        };
        let mut at = 0;
        for array in model.params() {
            put(&array.name, array.shape.clone(), transposed(array, &params[at..at + array.len()], Order::ByRow))?;
            at += array.len();
        }
        put(NOISE_FLOOR, vec![noise.len()], noise.iter().map(|n| n.floor).collect())?;
        put(NOISE_GROWTH, vec![noise.len()], noise.iter().map(|n| n.growth).collect())?;
        put(NOISE_FREEDOM, vec![noise.len()], noise.iter().map(|n| n.freedom).collect())?;
        let count = anchors.len();
        put(ANCHOR_SERIES, vec![count], anchors.iter().map(|a| a.series as f64).collect())?;
        put(ANCHOR_AFTER, vec![count], anchors.iter().map(|a| a.after).collect())?;
        put(ANCHOR_TIME, vec![count], anchors.iter().map(|a| a.time).collect())?;
        put(ANCHOR_KNOWN, vec![count], anchors.iter().map(|a| a.known).collect())?;
        let offsets = anchors.iter().flat_map(|a| a.offset.iter().copied()).collect();
        put(ANCHOR_OFFSET, vec![count, scaling.channels.len()], offsets)?;
        let states = anchors.iter().flat_map(|a| a.state.iter().copied()).collect();
        put(ANCHOR_STATE, vec![count, model.state_dim()], states)?;
        tensors::write(path, &content)
    }

    /// Reads a model from the file that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read; [`Error::Format`], with what to do, if it is cut short, damaged, of another
    /// kind or version, or its numbers cannot be those of a model.
    pub fn load(path: &Path) -> Result<Self> {
        let content = tensors::read(path).map_err(|error| match error {
            Error::Format { path, what, .. } => Error::Format { path, what, remedy: REMEDY.into() },
            other => other,
        })?;
        parse(&content).map_err(|what| Error::format(path, what, REMEDY))
    }
}

type Parsed<V> = std::result::Result<V, String>;

fn parse(content: &Tensors) -> Parsed<Fitted> {
    let header = content.metadata.get(Fitted::HEADER).ok_or("it holds tensors, but no model of this program")?;
    let version: serde_json::Value = serde_json::from_str(header).map_err(|bad| damaged(&bad))?;
    if let Some(found) = version["version"].as_u64().filter(|&found| found != u64::from(VERSION)) {
        return Err(format!("its layout has version {found}, this program reads version {VERSION}"));
    }
    let header: Header = serde_json::from_str(header).map_err(|bad| damaged(&bad))?;
    check(&header)?;
    let Header { scaling, solver, .. } = &header;
    let model =
        NeuralOde::new(&header.conditioning.centred, &header.spec, scaling.time_origin, scaling.time_unit, header.span)
            .map_err(|bad| damaged(&bad))?;
    solver.options(scaling.time_unit).map_err(|bad| damaged(&bad))?;

    let mut params = Vec::new();
    for array in model.params() {
        params.extend(transposed(array, &finite(content, &array.name, &array.shape)?, Order::ByColumn));
    }
    let channels = header.scaling.channels.len();
    let anchors = anchors(content, model.state_dim(), channels, header.series.len())?;
    Ok(Fitted {
        noise: noise(content, channels)?,
        spec: header.spec,
        scaling: header.scaling,
        span: header.span,
        solver: header.solver,
        horizon: header.horizon,
        conditioning: header.conditioning,
        continuity: header.continuity,
        params,
        series: header.series,
        anchors,
    })
}

fn noise(content: &Tensors, channels: usize) -> Parsed<Vec<Noise>> {
    let [floors, growths, freedoms] = [NOISE_FLOOR, NOISE_GROWTH, NOISE_FREEDOM].map(|name| {
        let numbers = finite(content, name, &[channels])?;
        // No degrees of freedom would make no distribution.
        let least = if name == NOISE_FREEDOM { 1.0 } else { 0.0 };
        if numbers.iter().any(|&n| n < least) {
            Err(format!("the tensor `{name}` is under {least}"))
        } else {
            Ok(numbers)
        }
    });
    let parts = floors?.into_iter().zip(growths?).zip(freedoms?);
    Ok(parts.map(|((floor, growth), freedom)| Noise { floor, growth, freedom }).collect())
}

fn damaged(bad: &impl std::fmt::Display) -> String {
    format!("its description of the model is damaged: {bad}")
}

fn check(header: &Header) -> Parsed<()> {
    let Header { model, scaling, span, horizon, conditioning, continuity, .. } = header;
    let Conditioning { memory, centred, smoothing } = conditioning;
    if model != KIND {
        return Err(format!("it holds a model of kind `{model}`, this program knows {KIND}"));
    }
    let positive = |x: f64| x > 0.0 && x.is_finite();
    let channels = scaling.channels.iter().all(|c| c.mean.is_finite() && positive(c.deviation));
    let times = scaling.time_origin.is_finite() && positive(scaling.time_unit) && span.is_finite() && *span >= 0.0;
    if centred.len() != scaling.channels.len() || smoothing.len() != centred.len() {
        return Err("its description of the model disagrees with itself about the channels".into());
    }
    // The bound keeps sums of rows and horizons from overflowing.
    let counts = [horizon, memory].into_iter().all(|n| (1..=usize::MAX / 4).contains(n));
    let averages = smoothing.iter().all(|s| *s >= 0.0 && s.is_finite());
    if channels && times && counts && averages && continuity.is_finite() && *continuity >= 0.0 {
        Ok(())
    } else {
        Err("its description of the model has a number out of range".into())
    }
}

fn anchors(content: &Tensors, dim: usize, channels: usize, series_count: usize) -> Parsed<Vec<Anchor>> {
    let count = tensor(content, ANCHOR_SERIES)?.shape().iter().product();
    let series = finite(content, ANCHOR_SERIES, &[count])?;
    let after = numbers(content, ANCHOR_AFTER, &[count])?;
    let time = finite(content, ANCHOR_TIME, &[count])?;
    let known = finite(content, ANCHOR_KNOWN, &[count])?;
    let offsets = finite(content, ANCHOR_OFFSET, &[count, channels])?;
    let states = finite(content, ANCHOR_STATE, &[count, dim])?;
    // The first anchor of a series holds from the beginning of time on.
    if after.iter().any(|a| a.is_nan() || *a == f64::INFINITY) {
        return Err(format!("`{ANCHOR_AFTER}` holds a number that is not a time"));
    }
    let anchors = (0..count).map(|k| {
        let index = series[k] as usize;
        if index as f64 != series[k] || index >= series_count {
            return Err(format!("`{ANCHOR_SERIES}` holds {}, which is no series", series[k]));
        }
        Ok(Anchor {
            series: index,
            after: after[k],
            time: time[k],
            known: known[k],
            state: states[k * dim..(k + 1) * dim].to_vec(),
            offset: offsets[k * channels..(k + 1) * channels].to_vec(),
        })
    });
    anchors.collect()
}

fn tensor<'a>(content: &'a Tensors, name: &str) -> Parsed<&'a Tensor> {
    content.named.get(name).ok_or_else(|| format!("the tensor `{name}` is missing"))
}

fn numbers(content: &Tensors, name: &str, shape: &[usize]) -> Parsed<Vec<f64>> {
    let found = tensor(content, name)?;
    match found.data() {
        TensorData::F64(numbers) if found.shape() == shape => Ok(numbers.clone()),
        TensorData::F64(_) => Err(format!("the tensor `{name}` has shape {:?} instead of {shape:?}", found.shape())),
        _ => Err(format!("the tensor `{name}` is of type {} instead of F64", found.name_of_type())),
    }
}

fn finite(content: &Tensors, name: &str, shape: &[usize]) -> Parsed<Vec<f64>> {
    let numbers = numbers(content, name, shape)?;
    match numbers.iter().find(|x| !x.is_finite()) {
        Some(bad) => Err(format!("the tensor `{name}` holds {bad}")),
        None => Ok(numbers),
    }
}

/// How a matrix comes out.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    ByRow,
    ByColumn,
}

/// A matrix in the other order; other arrays as they are.
fn transposed(array: &ParamSpec, numbers: &[f64], to: Order) -> Vec<f64> {
    let [rows, columns] = array.shape[..] else { return numbers.to_vec() };
    let (outer, inner) = if to == Order::ByRow { (rows, columns) } else { (columns, rows) };
    (0..outer).flat_map(|i| (0..inner).map(move |j| numbers[j * outer + i])).collect()
}

#[cfg(test)]
mod tests;
