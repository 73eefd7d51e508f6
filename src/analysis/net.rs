//! Recurrent nets as systems that step: what layers above the first are driven by, and nets that feed themselves.

use crate::cells::{Layers, Stack};
use crate::dynamics::{Chain, Component};
use crate::linalg::{Block, BlockMut};
use crate::nn::{Activation, Mlp};
use crate::{Error, Real, Result};

/// The inputs of a layer along a sequence of the net's inputs: for the first those themselves, else what the layers below
/// give, forward and backward `h` one after the other where there are two directions. Rows one after another; cost: one
/// evaluation of each cell below a row.
///
/// # Errors
/// If the rows do not fit the net.
pub fn layer_inputs<T: Real>(layers: &Layers, params: &[T], rows: &[T], layer: usize) -> Result<Vec<T>> {
    if layers.inputs == 0 || !rows.len().is_multiple_of(layers.inputs) {
        let found = format!("{} numbers", rows.len());
        return Err(Error::shape("inputs of a net", format!("whole rows of {}", layers.inputs), found));
    }
    let steps = rows.len() / layers.inputs;
    let mut rows = rows.to_vec();
    for below in 0..layer {
        let cell = layers.cell(below);
        let (width, hidden) = (cell.inputs, cell.hidden);
        let mut out = vec![T::zero(); steps * layers.outputs()];
        for direction in 0..layers.directions() {
            let own = &params[layers.place::<T>(below, direction)];
            let mut scratch = vec![T::zero(); Component::<T>::scratch_len(&cell)];
            let (mut u, mut next) = (vec![T::zero(); cell.state() + width], vec![T::zero(); cell.state()]);
            for step in 0..steps {
                let at = if direction == 0 { step } else { steps - 1 - step };
                u[cell.state()..].copy_from_slice(&rows[at * width..][..width]);
                cell.eval(own, Block::new(&u, 1), BlockMut::new(&mut next, 1), &mut scratch);
                u[..cell.state()].copy_from_slice(&next);
                out[at * layers.outputs() + direction * hidden..][..hidden].copy_from_slice(&next[..hidden]);
            }
        }
        rows = out;
    }
    Ok(rows)
}

/// The rows in reverse order, as a backward direction takes them.
pub fn reversed<T: Copy>(rows: &[T], width: usize) -> Vec<T> {
    rows.chunks_exact(width).rev().flatten().copied().collect()
}

/// A net whose input is a linear read-out of its own last output, `x = W h + b`, with `weight` row after row. A map of the
/// state alone, with its parameters.
///
/// The read-out is written as a dense layer from the state to state and input, so a step costs a product with that matrix
/// beside the net's own.
///
/// # Errors
/// If the read-out does not fit the net.
pub fn fed_back<T: Real>(stack: Stack, params: &[T], weight: &[T], bias: &[T]) -> Result<(Chain<Mlp, Stack>, Vec<T>)> {
    let (state, inputs, output) = (stack.state(), stack.inputs(), stack.output());
    if inputs == 0 || weight.len() != inputs * output.len() || bias.len() != inputs {
        let expected = format!("weights {inputs} × {} and {inputs} biases", output.len());
        let found = format!("{} and {} numbers", weight.len(), bias.len());
        return Err(Error::shape("read-out of a net that feeds itself", expected, found));
    }
    let rows = state + inputs;
    // Column by column: the state passes, the output goes to the inputs too.
    let mut all = vec![T::zero(); rows * state + rows];
    for j in 0..state {
        all[j * rows + j] = T::one();
    }
    for (k, j) in output.clone().enumerate() {
        for i in 0..inputs {
            all[j * rows + state + i] = weight[i * output.len() + k];
        }
    }
    all[rows * state + state..].copy_from_slice(bias);
    all.extend_from_slice(params);
    let readout = Mlp::new(&[state, rows], Activation::Identity, Activation::Identity)?;
    Ok((Chain::new::<T>(readout, stack)?, all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::Kind;
    use crate::nn::fan_in_normal;
    use rand::SeedableRng;

    fn params(layers: &Layers) -> Vec<f64> {
        fan_in_normal(&layers.params::<f64>(""), 1.3, &mut rand_chacha::ChaCha8Rng::seed_from_u64(1))
    }

    #[test]
    fn inputs_of_a_layer_are_the_outputs_of_the_stack_below() {
        let layers = Layers { kind: Kind::Lstm, layers: 2, hidden: 3, inputs: 2, bidirectional: false };
        let (params, rows) = (params(&layers), (0..14).map(f64::from).map(f64::sin).collect::<Vec<f64>>());
        let found = layer_inputs(&layers, &params, &rows, 1).unwrap();
        let stack = layers.stack().unwrap();
        let (mut state, mut scratch) = (vec![0.0; 12], vec![0.0; Component::<f64>::scratch_len(&stack)]);
        for (x, h) in rows.chunks_exact(2).zip(found.chunks_exact(3)) {
            let u = [&state[..], x].concat();
            stack.eval(&params, Block::new(&u, 1), BlockMut::new(&mut state, 1), &mut scratch);
            assert_eq!(h, &state[..3]);
        }
        assert_eq!(layer_inputs(&layers, &params, &rows, 0).unwrap(), rows);
        assert!(layer_inputs(&layers, &params, &rows[..3], 0).is_err());
    }

    #[test]
    fn two_directions_stand_side_by_side() {
        let layers = Layers { kind: Kind::Gru, layers: 2, hidden: 3, inputs: 1, bidirectional: true };
        let (params, rows) = (params(&layers), (0..5).map(f64::from).map(f64::cos).collect::<Vec<f64>>());
        let both = layer_inputs(&layers, &params, &rows, 1).unwrap();
        let single = Layers { bidirectional: false, ..layers };
        for direction in 0..2 {
            let own = params[layers.place::<f64>(0, direction)].to_vec();
            let order = if direction == 0 { rows.clone() } else { reversed(&rows, 1) };
            let one = layer_inputs(&single, &own, &order, 1).unwrap();
            let one = if direction == 0 { one } else { reversed(&one, 3) };
            let half: Vec<f64> = both.chunks_exact(6).flat_map(|row| row[3 * direction..][..3].to_vec()).collect();
            assert_eq!(one, half);
        }
    }

    #[test]
    fn a_net_that_feeds_itself_is_the_net_with_that_input() {
        let stack = Stack::uniform(Kind::Gru, 2, 4, 2).unwrap();
        let layers = Layers { kind: Kind::Gru, layers: 2, hidden: 4, inputs: 2, bidirectional: false };
        let (own, weight) = (params(&layers), (0..8).map(f64::from).map(f64::sin).collect::<Vec<f64>>());
        let bias = [0.3, -0.1];
        let (net, all) = fed_back(stack.clone(), &own, &weight, &bias).unwrap();
        let state: Vec<f64> = (0..8).map(|i| 0.1 * f64::from(i)).collect();
        let x: Vec<f64> =
            (0..2).map(|i| bias[i] + (0..4).map(|k| weight[4 * i + k] * state[4 + k]).sum::<f64>()).collect();
        let value = |map: &dyn Component<f64>, params: &[f64], u: &[f64]| {
            let (mut out, mut scratch) = (vec![0.0; 8], vec![0.0; map.scratch_len()]);
            map.eval(params, Block::new(u, 1), BlockMut::new(&mut out, 1), &mut scratch);
            out
        };
        let (fed, given) = (value(&net, &all, &state), value(&stack, &own, &[&state[..], &x].concat()));
        assert!(fed.iter().zip(&given).all(|(a, b)| (a - b).abs() < 1e-15), "{fed:?} {given:?}");
        assert!(fed_back(stack, &own, &weight[..7], &bias).is_err());
    }
}
