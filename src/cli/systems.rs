//! `flowmap systems`.

use super::args::SystemsArgs;
use super::shared::{Console, short, to_stdout};
use crate::Result;
use crate::dynamics::systems::{Instance, Kind, Reference, SYSTEMS, Settings, System, system};
use serde_json::{Value, json};
use std::fmt::Write;

/// Components named in full; more are told by the first and last.
const MOST_NAMES: usize = 8;
/// Exponents of a reference shown; all of them are in the JSON.
const MOST_EXPONENTS: usize = 8;

/// Lists the named systems, or describes one, on stdout.
///
/// # Errors
/// If there is no system of the name.
pub fn run(args: &SystemsArgs, console: &Console) -> Result<()> {
    let Some(name) = &args.name else {
        let text = list();
        return if console.json {
            let systems = SYSTEMS.into_iter().map(as_json).collect::<Result<Vec<_>>>()?;
            console.json(&json!({ "systems": systems }))
        } else {
            to_stdout(text.trim_end())
        };
    };
    let system = system(name)?;
    if console.json { console.json(&as_json(system)?) } else { to_stdout(described(system)?.trim_end()) }
}

fn list() -> String {
    let mut text = String::new();
    let width = |of: fn(&System) -> String| SYSTEMS.iter().map(|s| of(s).chars().count()).max().unwrap_or(0);
    let (names, defaults) = (width(|s| s.name.into()), width(parameters));
    let _ = writeln!(text, "{:<names$}  kind  {:<defaults$}  what it is", "system", "parameters");
    for system in SYSTEMS {
        let (name, kind) = (system.name, system.kind.name());
        let _ = writeln!(text, "{name:<names$}  {kind:<4}  {:<defaults$}  {}", parameters(system), system.title);
    }
    let _ = writeln!(text, "\n`flowmap systems NAME` tells more of one.");
    text
}

fn parameters(system: &System) -> String {
    let settings = system.parameters.iter().map(|p| format!("{}={}", p.name, short(p.default)));
    settings.collect::<Vec<_>>().join(" ")
}

fn described(system: &'static System) -> Result<String> {
    let instance = system.build(&Settings::default())?;
    let mut text = String::new();
    let mut line = |what: &str, words: String| {
        let _ = writeln!(text, "{what:<11} {words}");
    };
    line("system", format!("{}, {} (a {})", system.name, system.title, system.kind.name()));
    line("equations", system.equations.into());
    line("components", components(&instance));
    for (number, parameter) in system.parameters.iter().enumerate() {
        let head = if number == 0 { "parameters" } else { "" };
        line(head, format!("{:<8} {:<9} {}", parameter.name, short(parameter.default), parameter.meaning));
    }
    line("start", numbers(&instance.start));
    if !instance.conserved.is_empty() {
        line("conserved", instance.conserved.iter().map(|q| q.name).collect::<Vec<_>>().join(", "));
    }
    if instance.separable {
        line("separable", "positions and momenta, for symplectic methods".into());
    }
    for reference in system.references {
        line("exponents", exponents(reference));
        line("", reference.how.into());
    }
    if let Some(sum) = instance.sum_of_exponents {
        line("their sum", format!("{}, exactly", short(sum)));
    }
    let measure = system.measure;
    let step = match (&instance.stepping, system.kind) {
        (Some(own), _) => format!("by {} with step {}", own.method, short(own.step)),
        (None, Kind::Flow) => format!("by rk4 with step {}", short(measure.step)),
        (None, _) => format!("in steps of {}", short(instance.step)),
    };
    let (time, warmup) = (short(measure.time), short(measure.warmup));
    line("measured", format!("{step}, over {time} after {warmup}, from {} starts", measure.starts));
    if !system.remark.is_empty() {
        line("remark", system.remark.into());
    }
    line("source", system.source.into());
    Ok(text)
}

fn components(instance: &Instance) -> String {
    match &instance.labels[..] {
        [first, .., last] if instance.dim() > MOST_NAMES => format!("{first} to {last}"),
        labels => labels.join(", "),
    }
}

fn numbers(values: &[f64]) -> String {
    let shown: Vec<String> = values.iter().take(MOST_NAMES).map(|value| short(*value)).collect();
    shown.join(", ") + if values.len() > MOST_NAMES { ", …" } else { "" }
}

fn exponents(reference: &Reference) -> String {
    let known = reference.exponents.iter().take(MOST_EXPONENTS).map(|e| {
        let error = if e.error == 0.0 { String::new() } else { format!(" ± {}", short(e.error)) };
        format!("{}{error}", short(e.value))
    });
    let mut text = known.collect::<Vec<_>>().join(", ");
    if reference.exponents.len() > MOST_EXPONENTS {
        text.push_str(", …");
    }
    if let Some(dimension) = reference.dimension {
        text.push_str(&format!("; Kaplan-Yorke dimension {}", short(dimension)));
    }
    let settings = reference.settings.iter().map(|(key, value)| format!("{key}={}", short(*value)));
    let settings = settings.collect::<Vec<_>>().join(" ");
    if settings.is_empty() { text } else { format!("{text} (at {settings})") }
}

fn as_json(system: &'static System) -> Result<Value> {
    let instance = system.build(&Settings::default())?;
    let parameters = system.parameters.iter().map(|p| {
        let range = p.whole.as_ref().map(|range| [*range.start(), *range.end()]);
        json!({"name": p.name, "default": p.default, "meaning": p.meaning, "whole": range})
    });
    let references = system.references.iter().map(|reference| {
        let settings: serde_json::Map<String, Value> =
            reference.settings.iter().map(|(key, value)| (String::from(*key), json!(value))).collect();
        let exponents = reference.exponents.iter().map(|e| json!({"value": e.value, "standard_error": e.error}));
        json!({
            "settings": settings, "exponents": exponents.collect::<Vec<_>>(),
            "kaplan_yorke_dimension": reference.dimension, "how": reference.how,
        })
    });
    Ok(json!({
        "name": system.name, "title": system.title, "kind": system.kind.name(), "equations": system.equations,
        "dimension": instance.dim(), "components": instance.labels, "start": instance.start,
        "parameters": parameters.collect::<Vec<_>>(), "separable": instance.separable,
        "conserved": instance.conserved.iter().map(|q| q.name).collect::<Vec<_>>(),
        "zeros": instance.zeros, "pairs": instance.pairs,
        "measure": {
            "step": instance.stepping.as_ref().map_or(if system.kind == Kind::Flow { system.measure.step } else { instance.step }, |own| own.step),
            "warmup": system.measure.warmup, "time": system.measure.time, "starts": system.measure.starts,
        },
        "references": references.collect::<Vec<_>>(), "sum_of_exponents": instance.sum_of_exponents,
        "source": system.source, "remark": system.remark,
    }))
}
