//! Layers of cells in one direction or both, as libraries have them.

use super::{Cell, Kind, Stack};
use crate::dynamics::{Component, ParamSpec};
use crate::{Error, Real, Result};
use std::ops::Range;

/// The shape of a recurrent network: what `torch.nn.RNN`, `LSTM` and `GRU` describe.
///
/// Along whole sequences layer `l` takes the outputs of layer `l − 1`: its `h`, or the forward and the backward `h` one
/// above the other. Parameters: layer by layer, forward before backward, each cell's as [`Cell`] has them, named as
/// PyTorch names them (`weight_ih_l0`, …, `weight_ih_l0_reverse`, …).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layers {
    /// The equations of every cell.
    pub kind: Kind,
    /// How many layers.
    pub layers: usize,
    /// Units of every cell.
    pub hidden: usize,
    /// Rows of the input.
    pub inputs: usize,
    /// Whether each layer has a second cell that runs from the end of a sequence to its beginning.
    pub bidirectional: bool,
}

impl Layers {
    /// Cells a layer: 1 or 2.
    pub fn directions(&self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    /// Rows of a layer's output.
    pub fn outputs(&self) -> usize {
        self.directions() * self.hidden
    }

    /// The cell of a layer, the same for both directions.
    pub fn cell(&self, layer: usize) -> Cell {
        let inputs = if layer == 0 { self.inputs } else { self.outputs() };
        Cell { kind: self.kind, hidden: self.hidden, inputs }
    }

    /// Where the parameters of a cell lie; direction 1 is the backward one.
    pub fn place<T: Real>(&self, layer: usize, direction: usize) -> Range<usize> {
        let size = |layer| Component::<T>::param_count(&self.cell(layer));
        let before: usize = (0..layer).map(|l| self.directions() * size(l)).sum();
        let start = before + direction * size(layer);
        start..start + size(layer)
    }

    /// How many parameters there are.
    pub fn param_count<T: Real>(&self) -> usize {
        self.layers.checked_sub(1).map_or(0, |last| self.place::<T>(last, self.directions() - 1).end)
    }

    /// Their names and shapes.
    pub fn params<T: Real>(&self, prefix: &str) -> Vec<ParamSpec> {
        let mut specs = Vec::new();
        for layer in 0..self.layers {
            for reverse in ["", "_reverse"].into_iter().take(self.directions()) {
                let mut named = Component::<T>::params(&self.cell(layer), prefix);
                named.iter_mut().for_each(|spec| spec.name.push_str(&format!("_l{layer}{reverse}")));
                specs.append(&mut named);
            }
        }
        specs
    }

    /// All layers as one map, with the same parameters.
    ///
    /// # Errors
    /// If the net is bidirectional: then no layer above the first has its input before the sequence has ended, and the two
    /// directions of the first are two maps; take a single [`cell`](Self::cell).
    pub fn stack(&self) -> Result<Stack> {
        if self.bidirectional {
            return Err(Error::config(
                "the layers of a bidirectional net are no single map",
                "choose one layer and one direction",
            ));
        }
        Stack::uniform(self.kind, self.layers, self.hidden, self.inputs)
    }
}
