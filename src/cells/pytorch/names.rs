//! Which tensors of a file are parts of recurrent nets.

use crate::io::tensors::Tensor;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A tensor of a recurrent net: `weight_hh_l1_reverse`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    pub array: &'static str,
    /// None in the names of single cells.
    pub layer: Option<usize>,
    pub reverse: bool,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.array)?;
        if let Some(layer) = self.layer {
            write!(f, "_l{layer}")?;
        }
        if self.reverse { write!(f, "_reverse") } else { Ok(()) }
    }
}

pub(super) type Group = BTreeSet<Part>;

const ARRAYS: [&str; 5] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"];

/// The nets' tensors by what their names begin with. A prefix under which there is no `weight_ih` or `weight_hh` is none.
pub(super) fn groups(named: &BTreeMap<String, Tensor>) -> BTreeMap<String, Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for name in named.keys() {
        let start = name.rfind('.').map_or(0, |dot| dot + 1);
        if let Some(part) = part(&name[start..]) {
            groups.entry(name[..start].into()).or_default().insert(part);
        }
    }
    groups.retain(|_, parts| parts.iter().any(|part| part.array.starts_with("weight")));
    groups
}

fn part(name: &str) -> Option<Part> {
    let array = ARRAYS.into_iter().find(|array| name.starts_with(array))?;
    let rest = &name[array.len()..];
    let (rest, reverse) = rest.strip_suffix("_reverse").map_or((rest, false), |rest| (rest, true));
    let layer = match rest.strip_prefix("_l") {
        // A number as it is written: no sign, no leading zeros.
        Some(digits) => Some(digits.parse().ok().filter(|layer: &usize| layer.to_string() == digits)?),
        None if rest.is_empty() && !reverse => None,
        None => return None,
    };
    Some(Part { array, layer, reverse })
}
