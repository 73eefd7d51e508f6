//! The orders in which libraries write gates.

use crate::Error;
use crate::cells::Kind;

/// In which order the gates' rows stand in a file's tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GateOrder {
    /// `i, f, g, o` and `r, z, n`.
    #[default]
    PyTorch,
    /// `i, f, g, o` and `z, r, n` (Keras writes the last as `h`).
    Keras,
    /// `i, o, f, g` and `z, r, n` (ONNX writes `c` for `g` and `h` for `n`).
    Onnx,
}

impl std::str::FromStr for GateOrder {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "pytorch" => Ok(Self::PyTorch),
            "keras" => Ok(Self::Keras),
            "onnx" => Ok(Self::Onnx),
            _ => Err(Error::config(format!("no order of gates is called `{name}`"), "choose pytorch, keras or onnx")),
        }
    }
}

impl GateOrder {
    /// Where each gate of our order stands in theirs.
    fn places(self, kind: Kind) -> &'static [usize] {
        match (self, kind) {
            (Self::Onnx, Kind::Lstm) => &[0, 2, 3, 1],
            (Self::Keras | Self::Onnx, Kind::Gru | Kind::ClassicGru) => &[1, 0, 2],
            (_, Kind::Lstm) => &[0, 1, 2, 3],
            (_, Kind::Gru | Kind::ClassicGru) => &[0, 1, 2],
            (_, Kind::Rnn(_)) => &[0],
        }
    }
}

/// A tensor whose rows are gates of `hidden` rows each, row by row, in PyTorch's order.
pub(super) fn to_ours(order: GateOrder, kind: Kind, hidden: usize, numbers: Vec<f64>) -> Vec<f64> {
    let places = order.places(kind);
    let gate = numbers.len() / places.len();
    debug_assert!(gate.is_multiple_of(hidden));
    places.iter().flat_map(|&place| numbers[place * gate..(place + 1) * gate].iter().copied()).collect()
}
