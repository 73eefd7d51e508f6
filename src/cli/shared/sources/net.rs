//! Recurrent nets from files of weights.

use super::{Measurement, Subject, Usual};
use crate::analysis::audit::{self, SumRule};
use crate::analysis::net::{fed_back, layer_inputs, reversed};
use crate::analysis::{Drive, Stepped, near};
use crate::cells::Stack;
use crate::cells::pytorch::{self, GateOrder, Loaded, Reading};
use crate::cli::args::{Common, Direction, Gates, NetArgs, SourceArgs};
use crate::cli::shared::Console;
use crate::dynamics::Component;
use crate::io::{read_matrix, tensors};
use crate::{Error, Real, Result};
use serde_json::json;
use std::path::Path;

/// Of autonomous nets.
const WARMUP: u64 = 500;
const STEPS: u64 = 2000;

/// The part of a net that is measured.
struct Part<T> {
    stack: Stack,
    params: Vec<T>,
    layer: usize,
    backward: bool,
}

/// Whether the net that is asked for runs in two directions, and none is chosen.
///
/// # Errors
/// If it cannot be read.
pub fn runs_both_ways(args: &SourceArgs) -> Result<bool> {
    let Some(path) = args.rnn.as_ref().filter(|_| args.net.direction.is_none()) else { return Ok(false) };
    Ok(pytorch::read(path, &reading(&args.net)?)?.layers.bidirectional)
}

pub fn measure<T: Real, M: Measurement>(
    path: &Path,
    args: &SourceArgs,
    common: &Common,
    console: &Console,
    with: &M,
) -> Result<M::Found> {
    let net = &args.net;
    let loaded = pytorch::read(path, &reading(net)?)?;
    loaded.notes.iter().for_each(|note| console.say(format_args!("note: {note}")));
    let part = part::<T>(&loaded, net)?;
    let start = start::<T>(net, part.stack.state())?;
    let sequences = net.inputs.iter().map(|path| rows(path, &loaded, &part)).collect::<Result<Vec<Vec<T>>>>()?;
    if let (Some(least), Some(most)) = (sequences.iter().map(Vec::len).min(), sequences.iter().map(Vec::len).max())
        && least < most
    {
        let [least, most] = [least, most].map(|len| len / part.stack.inputs());
        console.say(format_args!("note: inputs have {least} to {most} rows; the first {least} of each are used"));
    }
    let constant = constant::<T>(net, &loaded, &part)?;

    let (map, params): (Box<dyn Component<T>>, Vec<T>) = match &net.feed_back {
        Some(name) => {
            let (weight, bias) = linear::<T>(path, name, [part.stack.inputs(), part.stack.output().len()])?;
            let (map, params) = fed_back(part.stack.clone(), &part.params, &weight, &bias)?;
            (Box::new(map), params)
        }
        None => (lone_or_stacked(&part.stack), part.params.clone()),
    };
    let driven = !sequences.is_empty();
    let (drive, input) = match (driven, &net.feed_back) {
        (true, _) => (Drive::Sequences(sequences.iter().map(Vec::as_slice).collect()), "sequence"),
        (false, Some(_)) => (Drive::Free, "fed back"),
        (false, None) => (Drive::Constant(&constant), "constant"),
    };
    let stepped = Stepped::map(&*map, &params).driven(drive);
    let mut rules = Vec::new();
    if net.feed_back.is_none() {
        rules.extend(SumRule::cells(&part.stack, &part.params));
    }
    if rules.is_empty() {
        rules.push(SumRule::determinant(&stepped));
    }
    let count = match (sequences.len(), args.starts) {
        (0 | 1, starts) => starts.unwrap_or(1) as usize,
        (sequences, None) => sequences,
        (_, Some(_)) => {
            let what = "--starts is given with several sequences of inputs, which have a start each";
            return Err(Error::config(what, "leave it out"));
        }
    };
    let seed = common.seed.unwrap_or(0);
    let starts = if sequences.len() > 1 { vec![start.clone(); count] } else { near(&start, count, seed) };
    let what = if driven { "conditional" } else { "autonomous" };
    let layers = &loaded.layers;
    let source = json!({
        "kind": "net", "name": path, "prefix": loaded.prefix, "cell": layers.kind.to_string(),
        "layers": part.stack.layers().len(), "layer": (part.stack.layers().len() < layers.layers).then_some(part.layer),
        "direction": if part.backward { "backward" } else { "forward" }, "hidden": layers.hidden, "inputs": net.inputs,
        "input": input, "constant_input": net.constant_input, "feed_back": net.feed_back, "h0": net.h0,
        "exponents": what,
    });
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let title = format!("{file}: {} {} units", layers.hidden, layers.kind);
    with.measure(Subject {
        stepped: &stepped,
        starts,
        source,
        title,
        per_time: false,
        usual: Usual { warmup: if driven { 0 } else { WARMUP }, steps: STEPS, exponents: None },
        rules,
        sum: None,
        zeros: 0,
        pairs: None,
        further: further(&part, sequences.first().map(Vec::as_slice), &constant, &start, net, seed),
        outputs: part.stack.output(),
    })
}

fn reading(net: &NetArgs) -> Result<Reading> {
    Ok(Reading {
        prefix: net.prefix.clone(),
        kind: net.cell.as_deref().map(str::parse).transpose()?,
        gates: match net.gates {
            Gates::Pytorch => GateOrder::PyTorch,
            Gates::Keras => GateOrder::Keras,
            Gates::Onnx => GateOrder::Onnx,
        },
    })
}

/// A single layer need not be gathered from a stack's state.
fn lone_or_stacked<T: Real>(stack: &Stack) -> Box<dyn Component<T>> {
    match stack.layers() {
        [cell] => Box::new(*cell),
        _ => Box::new(stack.clone()),
    }
}

/// Checks in double precision, of nets that are not fed back.
fn further<'a, T: Real>(
    part: &Part<T>,
    rows: Option<&[T]>,
    constant: &[T],
    start: &[T],
    net: &NetArgs,
    seed: u64,
) -> super::Further<'a> {
    if net.feed_back.is_some() {
        return Box::new(|_| Vec::new());
    }
    let wide = |x: &[T]| x.iter().map(|x| x.f64()).collect::<Vec<f64>>();
    let (stack, params, constant, start) = (part.stack.clone(), wide(&part.params), wide(constant), wide(start));
    let rows = rows.map(wide);
    Box::new(move |spectrum| {
        let drive = rows.as_ref().map_or(Drive::Constant(&constant), |rows| Drive::Sequences(vec![rows]));
        let stepped = Stepped::map(&stack, &params).driven(drive);
        let apart = (spectrum.steps / 10).max(1);
        vec![
            audit::leading(spectrum, &stepped, &start, spectrum.steps, seed),
            audit::jacobian(&stepped, &start, spectrum.warmup, apart, seed),
        ]
    })
}

fn part<T: Real>(loaded: &Loaded, net: &NetArgs) -> Result<Part<T>> {
    let layers = &loaded.layers;
    let real = |x: &[f64]| x.iter().map(|&x| T::of(x)).collect::<Vec<T>>();
    let backward = net.direction == Some(Direction::Backward);
    if net.layer.is_none() && !layers.bidirectional {
        if backward {
            return Err(Error::config("the net has one direction only", "leave --direction out"));
        }
        return Ok(Part { stack: layers.stack()?, params: real(&loaded.params), layer: 0, backward });
    }
    if layers.bidirectional && net.direction.is_none() {
        let what = "the net runs in both directions, which are two maps";
        return Err(Error::config(what, "choose --direction forward or backward, and --layer where there are several"));
    }
    let layer = net.layer.unwrap_or(0);
    let (cell, params) = loaded.cell(layer, usize::from(backward))?;
    Ok(Part { stack: Stack::new(vec![cell])?, params: real(params), layer, backward })
}

fn start<T: Real>(net: &NetArgs, state: usize) -> Result<Vec<T>> {
    let Some(path) = &net.h0 else { return Ok(vec![T::zero(); state]) };
    let matrix = read_matrix(path)?;
    if matrix.values.len() != state {
        let what = format!("it holds {} numbers, the state has {state}", matrix.values.len());
        return Err(Error::format(path, what, "give h of all layers, then c of all layers"));
    }
    Ok(matrix.values.iter().map(|&x| T::of(x)).collect())
}

/// The inputs of the part that is measured.
fn rows<T: Real>(path: &Path, loaded: &Loaded, part: &Part<T>) -> Result<Vec<T>> {
    let (layers, matrix) = (&loaded.layers, read_matrix(path)?);
    if matrix.columns != layers.inputs {
        let what = format!("it has {} columns, the net takes {} inputs", matrix.columns, layers.inputs);
        return Err(Error::format(path, what, "give one column an input"));
    }
    let rows = layer_inputs(layers, &loaded.params, &matrix.values, part.layer)?;
    let rows = if part.backward { reversed(&rows, part.stack.inputs()) } else { rows };
    Ok(rows.into_iter().map(T::of).collect())
}

fn constant<T: Real>(net: &NetArgs, loaded: &Loaded, part: &Part<T>) -> Result<Vec<T>> {
    let width = part.stack.inputs();
    match &net.constant_input {
        None if part.layer > 0 && net.inputs.is_empty() => {
            let what = format!("layer {} is driven by the layers below, and those by nothing", part.layer);
            Err(Error::config(what, "give the whole net's inputs by --inputs"))
        }
        None => Ok(vec![T::zero(); width]),
        Some(_) if part.layer > 0 => {
            let what = "a constant input drives the first layer, another one is measured";
            Err(Error::config(what, "give the layer's inputs by --inputs of the whole net"))
        }
        Some(values) if values.len() != loaded.layers.inputs || values.iter().any(|x| !x.is_finite()) => {
            let what = format!(
                "--constant-input has {} numbers, not all finite or not as many as the {width} inputs",
                values.len()
            );
            Err(Error::config(what, "give one finite number an input"))
        }
        Some(values) => Ok(values.iter().map(|&x| T::of(x)).collect()),
    }
}

/// Weight, row after row, and bias of a linear layer from `outputs` numbers to `inputs`; a layer may have no bias.
fn linear<T: Real>(path: &Path, name: &str, [inputs, outputs]: [usize; 2]) -> Result<(Vec<T>, Vec<T>)> {
    let content = tensors::read(path)?;
    let get = |part: &str, expected: &[usize]| {
        let full = format!("{name}.{part}");
        let Some(tensor) = content.named.get(&full) else { return Ok(None) };
        if tensor.shape() != expected {
            let what = format!("`{full}` has the shape {:?}", tensor.shape());
            return Err(Error::format(path, what, format!("a read-out of this net has {expected:?}")));
        }
        let values = tensor.to_f64();
        if values.iter().any(|x| !x.is_finite()) {
            let what = format!("`{full}` holds a number that is not finite");
            return Err(Error::format(path, what, "give finite weights"));
        }
        Ok(Some(values.into_iter().map(T::of).collect::<Vec<T>>()))
    };
    let weight = get("weight", &[inputs, outputs])?.ok_or_else(|| {
        Error::format(path, format!("no tensor is called `{name}.weight`"), "name a linear layer of the file")
    })?;
    let bias = get("bias", &[inputs])?.unwrap_or_else(|| vec![T::zero(); inputs]);
    Ok((weight, bias))
}
