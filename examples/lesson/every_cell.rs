//! The cells that the library has.

use flowmap::Result;
use flowmap::cells::{AntisymmetricRnn, Cell, CoRnn, Kind, MapCell, OrthogonalRnn, Recurrent, Stack};
use flowmap::nn::Activation;

/// A cell and what the figure calls it.
pub type Named = (&'static str, Box<dyn Recurrent<f64>>);

/// Every cell of the library, of so many units and inputs.
pub fn cells(hidden: usize, inputs: usize) -> Result<Vec<Named>> {
    let activation = Activation::Tanh;
    let mut cells: Vec<Named> = Vec::new();
    for name in ["rnn-tanh", "rnn-relu", "rnn-linear", "lstm", "gru", "classic-gru"] {
        cells.push((name, Box::new(Cell { kind: name.parse()?, hidden, inputs })));
    }
    cells.push(("gru, two layers", Box::new(MapCell(Stack::uniform(Kind::Gru, 2, hidden, inputs)?))));
    let orthogonal = OrthogonalRnn { hidden, inputs, reflections: hidden, gain: 1.0, activation };
    cells.push(("orthogonal", Box::new(orthogonal)));
    cells.push(("antisymmetric", Box::new(AntisymmetricRnn { hidden, inputs, step: 0.2, damping: 0.1 })));
    let oscillators = CoRnn { hidden, inputs, step: 0.2, frequency: 1.0, damping: 0.5 };
    cells.push(("coupled oscillators", Box::new(oscillators)));
    Ok(cells)
}
