//! Recurrent nets in safetensors files as PyTorch's `state_dict` has them.
//!
//! [`read`] finds by itself which tensors belong to a net, and its kind, layers, directions and sizes; other tensors around
//! them do not matter. [`write()`] makes files that `load_state_dict` takes.

mod names;
mod order;
#[cfg(test)]
mod tests;
mod write;

use super::{Cell, Kind, Layers};
use crate::io::tensors::{self, Tensor, Tensors};
use crate::nn::Activation;
use crate::{Error, Result};
use names::{Group, Part, groups};
pub use order::GateOrder;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
pub use write::{Form, write};

/// What a file does not say, or says in more than one way.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The part of the names before `weight_ih_l0`, with or without its last dot; needed only where a file holds several
    /// nets.
    pub prefix: Option<String>,
    /// The equations. A file tells an RNN from an LSTM and a GRU, but not a tanh from a relu cell (tanh is taken), nor where
    /// a GRU resets (after the product is taken, as PyTorch does).
    pub kind: Option<Kind>,
    /// The order of the gates in the tensors' rows.
    pub gates: GateOrder,
}

/// A net from a file.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its shape.
    pub layers: Layers,
    /// Its parameters in the order of [`Layers`], in double precision; biases that the file leaves out are zero.
    pub params: Vec<f64>,
    /// What its tensors' names begin with.
    pub prefix: String,
    /// Whether the file has biases.
    pub bias: bool,
    /// Whether names have no layer, as those of `LSTMCell`.
    pub form: Form,
    /// The precisions in the file: `F32`.
    pub dtypes: BTreeSet<&'static str>,
    /// What was assumed, in sentences.
    pub notes: Vec<String>,
}

impl Loaded {
    /// One cell and its parameters; direction 1 is the backward one.
    ///
    /// # Errors
    /// If the net has no such layer or direction.
    pub fn cell(&self, layer: usize, direction: usize) -> Result<(Cell, &[f64])> {
        let Layers { layers, .. } = self.layers;
        if layer >= layers || direction >= self.layers.directions() {
            let directions = if self.layers.bidirectional { "two directions" } else { "one direction" };
            return Err(Error::config(
                format!(
                    "the net has {layers} layers in {directions}, so there is no layer {layer}, direction {direction}"
                ),
                "count layers from 0",
            ));
        }
        Ok((self.layers.cell(layer), &self.params[self.layers.place::<f64>(layer, direction)]))
    }
}

/// Reads a net.
///
/// # Errors
/// Those of [`tensors::read`]; [`Error::Format`] if there is no net or more than one without a prefix, if a tensor is
/// missing, of the wrong shape (the message has the name and the expected shape) or not finite, or if only some layers
/// have a second direction or biases.
pub fn read(path: &Path, reading: &Reading) -> Result<Loaded> {
    let content = tensors::read(path)?;
    let refuse = |what: String, remedy: &str| Error::format(path, what, remedy);
    let mut found = groups(&content.named);
    let listed = found.keys().map(|prefix| format!("`{prefix}`")).collect::<Vec<_>>().join(", ");
    let prefix = match &reading.prefix {
        Some(prefix) => {
            [prefix.clone(), format!("{prefix}.")].into_iter().find(|p| found.contains_key(p)).ok_or_else(|| {
                let there = if found.is_empty() { "none".into() } else { listed.clone() };
                refuse(
                    format!("no recurrent net with the prefix `{prefix}` (prefixes of nets: {there})"),
                    "choose one of these",
                )
            })?
        }
        None => match found.len() {
            1 => found.keys().next().cloned().unwrap_or_default(),
            0 => {
                let what = "no recurrent net: no tensor is called `weight_ih_l0` or `weight_ih`, whatever before it";
                return Err(refuse(what.into(), "name the file of a state_dict with an RNN, LSTM or GRU in it"));
            }
            _ => {
                return Err(refuse(
                    format!("it holds several recurrent nets, with the prefixes {listed}"),
                    "choose one prefix",
                ));
            }
        },
    };
    let group = found.remove(&prefix).unwrap_or_default();
    net(&prefix, &group, &content, reading).map_err(|(what, remedy)| refuse(what, remedy))
}

/// What one net in the content of a file is, or why it is none, for each prefix.
pub fn describe(content: &Tensors) -> BTreeMap<String, std::result::Result<Loaded, String>> {
    let found = groups(&content.named).into_iter();
    found
        .map(|(prefix, group)| {
            let net = net(&prefix, &group, content, &Reading::default()).map_err(|(what, _)| what);
            (prefix, net)
        })
        .collect()
}

type Refusal = (String, &'static str);

const FROM_PYTORCH: &str = "save the whole module's state_dict again";

fn net(prefix: &str, group: &Group, content: &Tensors, reading: &Reading) -> std::result::Result<Loaded, Refusal> {
    let full = |part: &Part| format!("{prefix}{part}");
    let tensor = |part: &Part| content.named.get(&full(part));
    if let Some(part) = group.iter().find(|part| part.array == "weight_hr") {
        let what = format!("`{}`: projected LSTMs (proj_size) are not supported", full(part));
        return Err((what, "use a net without proj_size"));
    }
    let form = if group.iter().all(|part| part.layer.is_none()) { Form::Cell } else { Form::Layers };
    if form == Form::Layers && group.iter().any(|part| part.layer.is_none()) {
        return Err((
            format!("under `{prefix}` some names have a layer (`_l0`) and some have none"),
            "rename one of the two nets",
        ));
    }
    let last = group.iter().map(|part| part.layer.unwrap_or(0)).max().unwrap_or(0);
    if last >= group.len() {
        return Err((format!("under `{prefix}` layers are missing below layer {last}"), FROM_PYTORCH));
    }
    let count = last + 1;
    let bidirectional = group.iter().any(|part| part.reverse);
    let bias = group.iter().any(|part| part.array.starts_with("bias"));
    let part = |array: &'static str, layer: usize, reverse: bool| Part {
        array,
        layer: (form == Form::Layers).then_some(layer),
        reverse,
    };

    // Everything follows from the first layer's recurrent matrix; all others are then held against it.
    let first = part("weight_hh", 0, false);
    let missing = |part: &Part, shape: &str| {
        let name = full(part);
        let what = match content.passed_over.get(&name) {
            Some(dtype) => format!("`{name}` is of type {dtype}: expected F16, BF16, F32 or F64 of shape {shape}"),
            None if part.reverse => {
                format!(
                    "`{name}` is missing: expected shape {shape}, as other tensors of the backward direction are there"
                )
            }
            None => format!("`{name}` is missing: expected shape {shape}"),
        };
        (what, FROM_PYTORCH)
    };
    let first_hh = tensor(&first).ok_or_else(|| missing(&first, "[gates · hidden, hidden]"))?;
    let (rows, hidden) = matrix(first_hh, &full(&first))?;
    let gates = if hidden > 0 && rows.is_multiple_of(hidden) { rows / hidden } else { 0 };
    let mut notes = Vec::new();
    let kind = match (gates, reading.kind) {
        (1, Some(kind @ Kind::Rnn(_)))
        | (3, Some(kind @ (Kind::Gru | Kind::ClassicGru)))
        | (4, Some(kind @ Kind::Lstm)) => kind,
        (1, None) => {
            notes.push("a file does not say whether an RNN is tanh or relu: taken as tanh, PyTorch's default".into());
            Kind::Rnn(Activation::Tanh)
        }
        (3, None) => Kind::Gru,
        (4, None) => Kind::Lstm,
        (1 | 3 | 4, Some(kind)) => {
            let what = format!("`{}` has shape [{rows}, {hidden}], {gates} gates, which {kind} has not", full(&first));
            return Err((what, "leave the kind to be found, or name the right one"));
        }
        _ => {
            let what = format!(
                "`{}` has shape [{rows}, {hidden}]: expected [G · hidden, hidden] with G = 1 (RNN), 3 (GRU) or 4 (LSTM)",
                full(&first)
            );
            return Err((what, "name the file of an RNN, GRU or LSTM"));
        }
    };
    let first = part("weight_ih", 0, false);
    let first_ih = tensor(&first).ok_or_else(|| missing(&first, &format!("[{rows}, inputs]")))?;
    let layers = Layers { kind, layers: count, hidden, inputs: matrix(first_ih, &full(&first))?.1, bidirectional };

    let mut loaded =
        Loaded { layers, params: Vec::new(), prefix: prefix.into(), bias, form, dtypes: BTreeSet::new(), notes };
    for layer in 0..count {
        let inputs = layers.cell(layer).inputs;
        for reverse in [false, true].into_iter().take(layers.directions()) {
            for (array, shape) in [
                ("weight_ih", &[rows, inputs][..]),
                ("weight_hh", &[rows, hidden]),
                ("bias_ih", &[rows]),
                ("bias_hh", &[rows]),
            ] {
                if !bias && shape.len() == 1 {
                    loaded.params.extend(std::iter::repeat_n(0.0, rows));
                    continue;
                }
                let part = part(array, layer, reverse);
                let tensor = tensor(&part).ok_or_else(|| missing(&part, &format!("{shape:?}")))?;
                if tensor.shape() != shape {
                    let what = format!("`{}` has shape {:?}: expected {shape:?}", full(&part), tensor.shape());
                    return Err((what, FROM_PYTORCH));
                }
                let numbers = tensor.to_f64();
                if let Some(at) = numbers.iter().position(|x| !x.is_finite()) {
                    let what = format!("`{}` of shape {shape:?} holds {} at flat index {at}", full(&part), numbers[at]);
                    return Err((what, "use weights from before training diverged"));
                }
                loaded.dtypes.insert(tensor.name_of_type());
                let numbers = order::to_ours(reading.gates, kind, hidden, numbers);
                match (array, kind) {
                    ("weight_hh", Kind::ClassicGru) => {
                        let (reset_update, candidate) = numbers.split_at(2 * hidden * hidden);
                        by_columns(reset_update, 2 * hidden, &mut loaded.params);
                        by_columns(candidate, hidden, &mut loaded.params);
                    }
                    _ => by_columns(&numbers, rows, &mut loaded.params),
                }
            }
        }
    }
    Ok(loaded)
}

fn matrix(tensor: &Tensor, name: &str) -> std::result::Result<(usize, usize), Refusal> {
    match tensor.shape() {
        [rows, columns] => Ok((*rows, *columns)),
        other => Err((format!("`{name}` has shape {other:?}: expected a matrix"), FROM_PYTORCH)),
    }
}

/// Appends a matrix that lies row by row, column by column.
fn by_columns(numbers: &[f64], rows: usize, to: &mut Vec<f64>) {
    let columns = numbers.len() / rows;
    to.extend((0..columns).flat_map(|j| (0..rows).map(move |i| numbers[i * columns + j])));
}
