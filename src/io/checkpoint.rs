//! What all checkpoints share: how a missing, damaged or foreign one is told.

use super::clipped;
use super::tensors::{self, Tensors};
use crate::{Error, Result};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// What to do about a checkpoint that is of no use.
pub(crate) const FRESH: &str = "start afresh without --resume";
/// Settings that are named, of those that differ.
const MOST_NAMED: usize = 5;

/// Reads a checkpoint's file.
///
/// # Errors
/// If there is none, or it cannot be read, or is cut short or of another kind.
pub(crate) fn read(path: &Path) -> Result<Tensors> {
    if !path.exists() {
        return Err(Error::format(path, "there is no checkpoint to resume from", FRESH));
    }
    tensors::read(path).map_err(|error| match error {
        Error::Format { path, what, .. } => Error::Format { path, what, remedy: FRESH.into() },
        other => other,
    })
}

/// Whether two runs have the same settings, in words of their own; of JSON objects only what differs is told.
///
/// # Errors
/// [`Error::Format`] with the settings that differ, as they were then and as they are now.
pub(crate) fn same_settings(path: &Path, then: &str, now: &str) -> Result<()> {
    if then == now {
        return Ok(());
    }
    let [then, now] = [then, now].map(|text| serde_json::from_str(text).unwrap_or_else(|_| text.into()));
    let mut found = Vec::new();
    compare("", &then, &now, &mut found);
    if found.is_empty() {
        return Ok(());
    }
    let more = match found.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    found.truncate(MOST_NAMED);
    let what = format!("it is of a run with other settings ({}{more})", found.join("; "));
    Err(Error::format(path, what, format!("give the same options as then, or {FRESH}")))
}

fn compare(name: &str, then: &Value, now: &Value, found: &mut Vec<String>) {
    match (then, now) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                let [a, b] = [a, b].map(|object| object.get(key).unwrap_or(&Value::Null));
                compare(&name, a, b, found);
            }
        }
        _ if then != now => {
            let told = |value: &Value| match value {
                Value::Null => "not given".into(),
                Value::String(text) => clipped(text),
                other => clipped(&other.to_string()),
            };
            let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
            found.push(format!("{name}{} then, {} now", told(then), told(now)));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(then: &Value, now: &Value) -> String {
        same_settings(Path::new("c"), &then.to_string(), &now.to_string()).unwrap_err().to_string()
    }

    #[test]
    fn only_settings_that_differ_are_told_each_with_both_values() {
        let then = json!({"seed": 1, "source": {"name": "henon", "a": 1.4, "b": 0.3}, "steps": 10});
        let now = json!({"seed": 1, "source": {"name": "henon", "a": 1.2, "b": 0.3}, "warmup": 5, "steps": 10});
        assert_eq!(
            told(&then, &now),
            "c: it is of a run with other settings (source.a: 1.4 then, 1.2 now; warmup: not given then, 5 now); give the \
             same options as then, or start afresh without --resume"
        );
        assert!(same_settings(Path::new("c"), &then.to_string(), &then.to_string()).is_ok());
    }

    #[test]
    fn of_many_or_long_ones_no_more_is_told_than_can_be_read() {
        let many = |x: u32| (0..9).map(|i| (format!("k{i}"), json!(x))).collect::<serde_json::Map<_, _>>().into();
        assert!(told(&many(1), &many(2)).contains("k4: 1 then, 2 now; and 4 more)"));
        let long = |x: f64| json!({"start": vec![x; 1000]});
        assert!(told(&long(1.0), &long(2.0)).len() < 250);
        let error = same_settings(Path::new("c"), "in words", "in others").unwrap_err().to_string();
        assert!(error.contains("(in words then, in others now)"), "{error}");
    }
}
