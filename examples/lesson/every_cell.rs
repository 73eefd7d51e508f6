//! The cells that the library has.

use flowmap::Result;
use flowmap::cells::{
    Along, AntisymmetricRnn, Cell, CoRnn, Kind, MapCell, OrthogonalRnn, Ragged, Recurrent, SequenceTape, Stack,
};
use flowmap::nn::{Activation, fan_in_uniform};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

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

/// The last state of a cell whose weights are drawn by the fan-in of one step.
pub fn last(cell: &dyn Recurrent<f64>, seed: u64, inputs: &[f64]) -> Result<Vec<f64>> {
    let params: Vec<f64> = fan_in_uniform(&cell.params(""), 3f64.sqrt(), &mut ChaCha8Rng::seed_from_u64(seed));
    let (ragged, mut tape) = (Ragged::new(&[inputs.len() / (cell.in_dim() - cell.out_dim())]), SequenceTape::default());
    tape.run(cell, &params, &Along { ragged: &ragged, inputs, start: None }, false)?;
    Ok(tape.last().to_vec())
}
