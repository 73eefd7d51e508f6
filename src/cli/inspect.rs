//! `flowmap inspect`.

use super::args::InspectArgs;
use super::shared::{Console, short, to_stdout};
use crate::cells::Layers;
use crate::cells::pytorch::{self, Loaded};
use crate::io::tensors::{self, Tensors};
use crate::io::{npy, table::Cell};
use crate::models::Fitted;
use crate::series::Summary;
use crate::series::read::read_csv;
use crate::train::DataHead;
use crate::{Error, Result};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// Says what a file holds, on stdout.
///
/// # Errors
/// If it cannot be read or is of no known kind.
pub fn run(args: &InspectArgs, console: &Console) -> Result<()> {
    let path = args.file.as_path();
    let (text, value) = match kind(path)? {
        Content::Npy => array(path)?,
        Content::Tensors => weights(path)?,
        Content::ModelFolder => model(&path.join("model.safetensors"))?,
        Content::Data => data(args, console)?,
    };
    if console.json { console.json(&value) } else { to_stdout(text.trim_end()) }
}

enum Content {
    Npy,
    Tensors,
    ModelFolder,
    Data,
}

fn kind(path: &Path) -> Result<Content> {
    if path.is_dir() {
        if !path.join("model.safetensors").exists() {
            let what = "the folder holds no model.safetensors";
            return Err(Error::format(path, what, "name a file, or the folder of a finished `flowmap fit`"));
        }
        return Ok(Content::ModelFolder);
    }
    Ok(match path.extension().and_then(|e| e.to_str()) {
        Some("npy") => Content::Npy,
        Some("safetensors") => Content::Tensors,
        _ => Content::Data,
    })
}

fn data(args: &InspectArgs, console: &Console) -> Result<(String, Value)> {
    let options = args.columns.read_options(None, &DataHead::default());
    let (panel, warnings) = read_csv(&args.file, &options)?;
    warnings.iter().for_each(|warning| console.say(format_args!("warning: {warning}")));
    let summary = Summary::of(&panel);
    let mut text = String::new();
    let [shortest, middle, longest] = summary.rows_of_series;
    let _ = writeln!(text, "data, {} series, {} rows", summary.series, summary.rows);
    let _ = writeln!(text, "rows a series  {shortest} to {longest}, median {middle}");
    let [first, last] = summary.time_span.map(Cell::Number);
    let _ = writeln!(text, "time           {first} to {last}");
    if let Some(gaps) = summary.gaps {
        let [low, median, high] = [gaps.shortest, gaps.median, gaps.longest].map(short);
        let _ = writeln!(text, "gaps           {low} to {high}, median {median}");
    }
    let width = summary.channels.iter().map(|c| c.name.chars().count()).max().unwrap_or(0).max("channel".len());
    let _ = writeln!(
        text,
        "\n{:<width$} {:>9} {:>9} {:>12} {:>12} {:>12}",
        "channel", "observed", "missing", "min", "mean", "max"
    );
    for channel in &summary.channels {
        let [min, mean, max] = [channel.min, channel.mean, channel.max].map(|v| v.map_or("-".into(), short));
        let _ = writeln!(
            text,
            "{:<width$} {:>9} {:>9} {min:>12} {mean:>12} {max:>12}",
            channel.name, channel.observed, channel.missing
        );
    }
    let value = with_kind("data", &args.file, &summary)?;
    Ok((text, value))
}

fn array(path: &Path) -> Result<(String, Value)> {
    let npy::Header { dtype, fortran_order, shape } = npy::read_header(path)?;
    let order = if fortran_order { "first axis fastest" } else { "last axis fastest" };
    let text = format!("array of shape {shape:?}, type {dtype}, {order}");
    let value = json!({"kind": "array", "file": path, "shape": shape, "dtype": dtype, "fortran_order": fortran_order});
    Ok((text, value))
}

fn weights(path: &Path) -> Result<(String, Value)> {
    let content = tensors::read(path)?;
    if content.metadata.contains_key(Fitted::HEADER) {
        return model(path);
    }
    let (mut text, list, numbers) = listed(&content);
    let _ = write!(text, "{} tensors, {numbers} numbers", list.len());
    if !content.passed_over.is_empty() {
        let names: Vec<String> = content.passed_over.iter().map(|(name, dtype)| format!("{name} ({dtype})")).collect();
        let _ = write!(text, "; not counted, as their type is none of F16, BF16, F32, F64: {}", names.join(", "));
    }
    let nets: Vec<Value> =
        pytorch::describe(&content).iter().map(|(prefix, net)| recurrent(prefix, net, &mut text)).collect();
    let value = json!({
        "kind": "tensors", "file": path, "recurrent_nets": nets, "tensors": list, "numbers": numbers, "passed_over": content.passed_over,
        "metadata": content.metadata,
    });
    Ok((text, value))
}

/// A recurrent net in a line and as JSON, or why its tensors make none.
fn recurrent(prefix: &str, net: &std::result::Result<Loaded, String>, text: &mut String) -> Value {
    let name = if prefix.is_empty() { String::new() } else { format!(" `{prefix}`") };
    let loaded = match net {
        Ok(loaded) => loaded,
        Err(what) => {
            let _ = write!(text, "\nrecurrent net{name} cannot be used: {what}");
            return json!({"prefix": prefix, "error": what});
        }
    };
    let Layers { kind, layers, hidden, inputs, bidirectional } = loaded.layers;
    let directions = if bidirectional { "both directions" } else { "one direction" };
    let biases = if loaded.bias { "with biases" } else { "without biases" };
    let dtypes: Vec<&str> = loaded.dtypes.iter().copied().collect();
    let _ = write!(
        text,
        "\nrecurrent net{name}: {kind}, layers {layers}, units {hidden}, inputs {inputs}, {directions}, {biases}, {}",
        dtypes.join(" ")
    );
    for note in &loaded.notes {
        let _ = write!(text, "\n  {note}");
    }
    json!({
        "prefix": prefix, "cell": kind.to_string(), "layers": layers, "hidden": hidden, "inputs": inputs,
        "bidirectional": bidirectional, "bias": loaded.bias, "dtypes": dtypes, "notes": loaded.notes,
    })
}

fn model(path: &Path) -> Result<(String, Value)> {
    let fitted = Fitted::load(path)?;
    let mut text = String::new();
    let spec = &fitted.spec;
    let _ =
        writeln!(text, "neural-ode of {} parameters, fitted to {} series", fitted.params.len(), fitted.series.len());
    let _ = writeln!(
        text,
        "hidden layers {:?} ({:?}), augmented dimensions {}, periods {:?}, time an input: {}, encoder units {}",
        spec.hidden, spec.activation, spec.augment, spec.periods, spec.time, spec.encoder
    );
    let solver = &fitted.solver;
    let _ = writeln!(text, "solver {} (rtol {}, atol {})\n", solver.method, solver.rtol, solver.atol);
    let _ = writeln!(text, "channel, transform, mean and deviation after it, noise in deviations");
    for (channel, noise) in fitted.scaling.channels.iter().zip(&fitted.noise) {
        let _ = writeln!(
            text,
            "{}  {:?}  {}  {}  {}",
            channel.name,
            channel.transform,
            short(channel.mean),
            short(channel.deviation),
            short(noise.floor.sqrt())
        );
    }
    let _ = writeln!(text);
    let built = fitted.model()?;
    for array in built.params() {
        let _ = writeln!(text, "{:<24} {:?}", array.name, array.shape);
    }
    let parameters: Vec<Value> = built.params().iter().map(|p| json!({"name": p.name, "shape": p.shape})).collect();
    let value = json!({
        "kind": "model", "file": path, "model": "neural-ode", "parameters": fitted.params.len(), "arrays": parameters,
        "spec": spec, "solver": solver, "scaling": fitted.scaling, "noise": fitted.noise, "series": fitted.series,
        "horizon": fitted.horizon,
    });
    Ok((text, value))
}

/// The tensors as lines and as JSON, with how many numbers they hold.
fn listed(content: &Tensors) -> (String, Vec<Value>, usize) {
    let (mut text, mut list, mut total) = (String::new(), Vec::new(), 0);
    let width = content.named.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    for (name, tensor) in &content.named {
        let (dtype, count) = (tensor.name_of_type(), tensor.data().len());
        total += count;
        let _ = writeln!(text, "{name:<width$}  {dtype}  {:?}", tensor.shape());
        list.push(json!({"name": name, "dtype": dtype, "shape": tensor.shape()}));
    }
    (text, list, total)
}

fn with_kind(kind: &str, path: &Path, content: &impl Serialize) -> Result<Value> {
    let mut value = serde_json::to_value(content)
        .map_err(|bad| Error::config(format!("the result cannot be written as JSON: {bad}"), "report this"))?;
    value["kind"] = kind.into();
    value["file"] = json!(path);
    Ok(value)
}
