//! A cell run along sequences of their own lengths.

use crate::dynamics::Component;
use crate::linalg::{Block, BlockMut};
use crate::{Error, Real, Result};

/// What running sequences leaves for derivatives; the buffers are used again.
#[derive(Clone, Debug, Default)]
pub struct SequenceTape<T> {
    /// Steps, the longest sequence's length.
    steps: usize,
    /// `steps × (slab_len × lanes)`.
    slabs: Vec<T>,
    arguments: Vec<T>,
    state: Vec<T>,
    scratch: Vec<T>,
}

/// Runs a cell along several sequences, one lane each, from state zero, and leaves each lane's last state in `last`
/// (`state × lanes`). Sequence `s` has the inputs `inputs[s]`, `length × input` numbers, one step after another; a
/// sequence that has ended keeps its state.
///
/// A lane's bits do not depend on the others. Cost: one linearisation a step of the longest sequence, all lanes wide.
///
/// # Errors
/// If there is no sequence, the cell takes no input, or an input is not whole steps.
pub fn run_sequence<T: Real, C: Component<T> + ?Sized>(
    cell: &C,
    params: &[T],
    inputs: &[&[T]],
    tape: &mut SequenceTape<T>,
    last: BlockMut<T>,
) -> Result<()> {
    let (lanes, state) = (inputs.len(), cell.out_dim());
    let width = cell.in_dim().saturating_sub(state);
    if width == 0 || lanes == 0 || inputs.iter().any(|x| !x.len().is_multiple_of(width)) {
        return Err(Error::shape("input sequences", format!("one or more, whole steps of {width}"), lanes));
    }
    tape.steps = inputs.iter().map(|x| x.len() / width).max().unwrap_or(0);
    let slab = cell.slab_len() * lanes;
    tape.slabs.clear();
    tape.slabs.resize(tape.steps * slab, T::zero());
    tape.arguments.clear();
    tape.arguments.resize(cell.in_dim() * lanes, T::zero());
    tape.state.clear();
    tape.state.resize(state * lanes, T::zero());
    tape.scratch.resize(cell.scratch_len() * lanes, T::zero());
    for step in 0..tape.steps {
        tape.arguments[..state * lanes].copy_from_slice(&tape.state);
        for (lane, x) in inputs.iter().enumerate().filter(|(_, x)| step * width < x.len()) {
            for i in 0..width {
                tape.arguments[(state + i) * lanes + lane] = x[step * width + i];
            }
        }
        cell.linearize(
            params,
            Block::new(&tape.arguments, lanes),
            BlockMut::new(last.data, lanes),
            BlockMut::new(&mut tape.slabs[step * slab..(step + 1) * slab], lanes),
            &mut tape.scratch,
        );
        for (lane, _) in inputs.iter().enumerate().filter(|(_, x)| step * width < x.len()) {
            (0..state).for_each(|i| tape.state[i * lanes + lane] = last.data[i * lanes + lane]);
        }
    }
    last.data.copy_from_slice(&tape.state);
    Ok(())
}

/// Pulls the cotangent of the last states back along the sequences of a [`run_sequence`] (backpropagation through time)
/// and adds to `params_bar`.
pub fn pull_sequence<T: Real, C: Component<T> + ?Sized>(
    cell: &C,
    params: &[T],
    inputs: &[&[T]],
    tape: &mut SequenceTape<T>,
    last_bar: Block<T>,
    params_bar: &mut [T],
) {
    let (lanes, state) = (inputs.len(), cell.out_dim());
    let width = cell.in_dim() - state;
    let slab = cell.slab_len() * lanes;
    tape.state.copy_from_slice(last_bar.data);
    let mut w = vec![T::zero(); state * lanes];
    for step in (0..tape.steps).rev() {
        // Lanes whose sequence had ended take no part in this step.
        let ended = |lane: usize| inputs[lane].len() <= step * width;
        for (i, (w, &bar)) in w.iter_mut().zip(&tape.state).enumerate() {
            *w = if ended(i % lanes) { T::zero() } else { bar };
        }
        cell.vjp(
            params,
            Block::new(&tape.slabs[step * slab..(step + 1) * slab], lanes),
            Block::new(&w, lanes),
            BlockMut::new(&mut tape.arguments, lanes),
            Some(params_bar),
            &mut tape.scratch,
        );
        for i in 0..state * lanes {
            if !ended(i % lanes) {
                tape.state[i] = tape.arguments[i];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::Cell;
    use crate::nn::fan_in_uniform;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn ragged_lanes_equal_one_by_one_and_the_gradient_matches_differences() {
        let cell = Cell::gru(3, 2);
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let params: Vec<f64> = fan_in_uniform(&Component::<f64>::params(&cell, ""), 1.5, &mut rng);
        let sequences: Vec<Vec<f64>> =
            [4, 1, 0, 7].iter().map(|n| (0..2 * n).map(|_| rng.random_range(-1.0..1.0)).collect()).collect();
        let inputs: Vec<&[f64]> = sequences.iter().map(|x| &x[..]).collect();
        let run = |params: &[f64], inputs: &[&[f64]]| {
            let (mut tape, mut last) = (SequenceTape::default(), vec![0.0; 3 * inputs.len()]);
            run_sequence(&cell, params, inputs, &mut tape, BlockMut::new(&mut last, inputs.len())).unwrap();
            (last, tape)
        };
        let (all, mut tape) = run(&params, &inputs);
        for lane in 0..4 {
            let (one, _) = run(&params, &inputs[lane..=lane]);
            assert!((0..3).all(|i| one[i].to_bits() == all[i * 4 + lane].to_bits()));
        }
        let w: Vec<f64> = (0..12).map(|_| rng.random_range(-1.0..1.0)).collect();
        let mut bar = vec![0.0; params.len()];
        pull_sequence(&cell, &params, &inputs, &mut tape, Block::new(&w, 4), &mut bar);
        let direction: Vec<f64> = params.iter().map(|_| rng.random_range(-1.0..1.0)).collect();
        let value = |sign: f64| {
            let shifted: Vec<f64> = params.iter().zip(&direction).map(|(p, d)| p + sign * 1e-6 * d).collect();
            run(&shifted, &inputs).0.iter().zip(&w).map(|(y, w)| y * w).sum::<f64>()
        };
        let difference = (value(1.0) - value(-1.0)) / 2e-6;
        let exact: f64 = bar.iter().zip(&direction).map(|(b, d)| b * d).sum();
        assert!((difference - exact).abs() < 1e-8 * (1.0 + exact.abs()), "{difference} {exact}");
    }
}
