//! Backpropagation as what it is: a linear system that runs backward in time and is driven by the errors.

use flowmap::Result;
use flowmap::cells::{Along, Cell, Cotangents, Ragged, SequenceTape};
use flowmap::dynamics::Component;
use flowmap::linalg::{Block, BlockMut};

/// `δ(t) = J(t)ᵀ (δ(t + 1) + e(t))` from the last step to the first, along the states from `start`; `errors` hold `e` and
/// `inputs` what the cell takes, step by step.
pub fn driven(cell: &Cell, params: &[f64], start: &[f64], inputs: &[f64], errors: &[f64]) -> Vec<f64> {
    let (dim, scratch_len) = (cell.state(), Component::<f64>::scratch_len(cell));
    let (mut state, mut scratch, mut slabs) = (start.to_vec(), vec![0.0; scratch_len], Vec::new());
    for input in inputs.chunks_exact(cell.inputs) {
        let (u, mut slab) = ([&state, input].concat(), vec![0.0; Component::<f64>::slab_len(cell)]);
        let (u, next, kept) = (Block::new(&u, 1), BlockMut::new(&mut state, 1), BlockMut::new(&mut slab, 1));
        cell.linearize(params, u, next, kept, &mut scratch);
        slabs.push(slab);
    }
    let mut delta = vec![0.0; dim + cell.inputs];
    for (slab, error) in slabs.iter().zip(errors.chunks_exact(dim)).rev() {
        let driven: Vec<f64> = delta.iter().zip(error).map(|(d, e)| d + e).collect();
        let (slab, w) = (Block::new(slab, 1), Block::new(&driven, 1));
        cell.vjp(params, slab, w, BlockMut::new(&mut delta, 1), None, &mut scratch);
    }
    delta.truncate(dim);
    delta
}

/// The same as the library pulls it back.
pub fn through_time(cell: &Cell, params: &[f64], start: &[f64], inputs: &[f64], errors: &[f64]) -> Result<Vec<f64>> {
    let (ragged, mut tape) = (Ragged::new(&[inputs.len() / cell.inputs]), SequenceTape::default());
    tape.run(cell, params, &Along { ragged: &ragged, inputs, start: Some(start) }, false)?;
    let cotangents = Cotangents { outputs: Some(errors), ..Cotangents::default() };
    tape.pull(cell, params, &ragged, &cotangents, false, &mut vec![0.0; params.len()]);
    Ok(tape.start_bar().to_vec())
}
