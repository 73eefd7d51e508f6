//! Layers run along whole sequences.

use super::{Along, Cotangents, Layers, Ragged, SequenceTape};
use crate::{Error, Real, Result};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Dropout between layers (Zaremba, Sutskever & Vinyals 2014, "Recurrent neural network regularization"): every number
/// that one layer gives to the next is set to zero with probability `share`, else divided by `1 − share`.
#[derive(Debug)]
pub struct Dropout<'a> {
    /// The probability, from 0 to below 1.
    pub share: f64,
    /// Where the choice comes from.
    pub rng: &'a mut ChaCha8Rng,
}

/// What a run of [`Layers`] leaves; the buffers are used again.
#[derive(Clone, Debug, Default)]
pub struct LayersTape<T> {
    /// One a cell: layer by layer, forward before backward.
    cells: Vec<SequenceTape<T>>,
    /// Each layer's inputs but the first's; then the last layer's outputs, if they are wanted.
    between: Vec<Vec<T>>,
    /// Factors of dropout; empty without it.
    masks: Vec<Vec<T>>,
    /// A layer's inputs from end to beginning, or cotangents in the same order.
    mirrored: Vec<T>,
    bar: Vec<T>,
    bar_below: Vec<T>,
}

impl<T: Real> LayersTape<T> {
    /// The last layer's outputs at every step, a run of blocks of [`Layers::outputs`] rows. Empty unless they were asked
    /// for.
    pub fn outputs(&self) -> &[T] {
        self.between.last().map_or(&[], |outputs| outputs)
    }

    /// The last state of a cell, `state × sequences` in the order of lanes: cell `layer · directions + direction`.
    pub fn last(&self, cell: usize) -> &[T] {
        self.cells[cell].last()
    }

    /// After a pull: the inputs' cotangents, a run of blocks of the input rows. Empty unless they were asked for.
    pub fn inputs_bar(&self) -> &[T] {
        &self.bar_below
    }

    /// After a pull: the cotangents of a cell's start states.
    pub fn start_bar(&self, cell: usize) -> &[T] {
        self.cells[cell].start_bar()
    }
}

/// Puts the rows of `part` of every block of a run into (or, if `take`, out of) the rows from `row` on of blocks of
/// `rows` rows.
fn interleave(ragged: &Ragged, rows: usize, row: usize, part_rows: usize, mut copy: impl FnMut(usize, usize, usize)) {
    for (step, &lanes) in ragged.lanes().iter().enumerate() {
        let before = ragged.before(step);
        copy(rows * before + row * lanes, part_rows * before, part_rows * lanes);
    }
}

impl Layers {
    /// Runs all layers along sequences; `along.start` has the start states of all cells one after another, each
    /// `state × sequences` in the order of lanes. Keeps the last layer's outputs at every step if they are wanted.
    ///
    /// A lane's bits do not depend on the others (dropout draws by place, so there they do).
    ///
    /// # Errors
    /// [`Error::Shape`] for sizes that do not fit, [`Error::Config`] for a share of dropout out of its range.
    pub fn run<T: Real>(
        &self,
        params: &[T],
        along: &Along<T>,
        every_step: bool,
        mut dropout: Option<Dropout>,
        tape: &mut LayersTape<T>,
    ) -> Result<()> {
        let Along { ragged, inputs, start: starts } = *along;
        if params.len() != self.param_count::<T>() {
            return Err(Error::shape("parameters of a recurrent net", self.param_count::<T>(), params.len()));
        }
        let size = self.cell(0).state() * ragged.sequences();
        let cells = self.layers * self.directions();
        if let Some(starts) = starts.filter(|starts| starts.len() != size * cells) {
            return Err(Error::shape("start states of a recurrent net", size * cells, starts.len()));
        }
        if let Some(Dropout { share, .. }) = dropout.as_ref().filter(|d| !(0.0..1.0).contains(&d.share)) {
            return Err(Error::config(format!("the share {share} of dropout"), "choose one from 0 to below 1"));
        }
        tape.cells.resize_with(cells, SequenceTape::default);
        tape.between.resize_with(self.layers, Vec::new);
        tape.masks.resize_with(self.layers, Vec::new);
        for layer in 0..self.layers {
            let top = layer + 1 == self.layers;
            let cell = self.cell(layer);
            let (below, above) = tape.between.split_at_mut(layer);
            let inputs = below.last().map_or(inputs, |outputs| outputs);
            let outputs = &mut above[0];
            outputs.resize(if top && !every_step { 0 } else { self.outputs() * ragged.cells() }, T::zero());
            for direction in 0..self.directions() {
                let at = layer * self.directions() + direction;
                let inputs = if direction == 0 {
                    inputs
                } else {
                    tape.mirrored.resize(inputs.len(), T::zero());
                    ragged.reversed(cell.inputs, |from, to| tape.mirrored[to] = inputs[from]);
                    &tape.mirrored
                };
                let along = Along { ragged, inputs, start: starts.map(|starts| &starts[at * size..(at + 1) * size]) };
                let run = &mut tape.cells[at];
                run.run(&cell, &params[self.place::<T>(layer, direction)], &along, !top || every_step)?;
                if outputs.is_empty() {
                    continue;
                }
                let hidden = self.hidden;
                if direction == 0 {
                    interleave(ragged, self.outputs(), 0, hidden, |whole, part, len| {
                        outputs[whole..whole + len].copy_from_slice(&run.outputs()[part..part + len]);
                    });
                } else {
                    tape.mirrored.resize(run.outputs().len(), T::zero());
                    ragged.reversed(hidden, |from, to| tape.mirrored[to] = run.outputs()[from]);
                    interleave(ragged, self.outputs(), hidden, hidden, |whole, part, len| {
                        outputs[whole..whole + len].copy_from_slice(&tape.mirrored[part..part + len]);
                    });
                }
            }
            let mask = &mut tape.masks[layer];
            mask.clear();
            if let Some(Dropout { share, rng }) = dropout.as_mut().filter(|_| !top) {
                let kept = T::of(1.0 / (1.0 - *share));
                mask.extend((0..outputs.len()).map(|_| if rng.random::<f64>() < *share { T::zero() } else { kept }));
                outputs.iter_mut().zip(&*mask).for_each(|(x, &mask)| *x *= mask);
            }
        }
        Ok(())
    }

    /// Pulls cotangents back along the sequences of the last [`run`](Self::run) with the same arguments, and adds to
    /// `params_bar`: those of the last layer's outputs at every step, and of the last states of all cells one after another.
    /// Leaves the starts' cotangents and, if they are wanted, the inputs'.
    pub fn pull<T: Real>(
        &self,
        params: &[T],
        ragged: &Ragged,
        cotangents: &Cotangents<T>,
        tape: &mut LayersTape<T>,
        want_inputs: bool,
        params_bar: &mut [T],
    ) {
        let Cotangents { outputs: outputs_bar, last: last_bar, cut } = *cotangents;
        let hidden = self.hidden;
        let size = self.cell(0).state() * ragged.sequences();
        for layer in (0..self.layers).rev() {
            let top = layer + 1 == self.layers;
            let cell = self.cell(layer);
            let wanted = layer > 0 || want_inputs;
            tape.bar_below.clear();
            for direction in 0..self.directions() {
                let run = &mut tape.cells[layer * self.directions() + direction];
                let whole = if top { outputs_bar } else { Some(&tape.bar[..]) };
                let mut part = Vec::new();
                if let Some(whole) = whole {
                    part.resize(hidden * ragged.cells(), T::zero());
                    interleave(ragged, self.outputs(), direction * hidden, hidden, |from, to, len| {
                        part[to..to + len].copy_from_slice(&whole[from..from + len]);
                    });
                    if direction == 1 {
                        tape.mirrored.resize(part.len(), T::zero());
                        ragged.reversed(hidden, |from, to| tape.mirrored[to] = part[from]);
                        part.copy_from_slice(&tape.mirrored);
                    }
                }
                let at = layer * self.directions() + direction;
                let last = last_bar.map(|bar| &bar[at * size..(at + 1) * size]);
                let cotangents = Cotangents { outputs: whole.map(|_| &part[..]), last, cut };
                let place = self.place::<T>(layer, direction);
                run.pull(&cell, &params[place.clone()], ragged, &cotangents, wanted, &mut params_bar[place]);
                if !wanted {
                    continue;
                }
                if direction == 0 {
                    tape.bar_below.extend_from_slice(run.inputs_bar());
                } else {
                    ragged.reversed(cell.inputs, |from, to| tape.bar_below[to] += run.inputs_bar()[from]);
                }
            }
            if layer > 0 {
                let mask = &tape.masks[layer - 1];
                tape.bar_below.iter_mut().zip(mask).for_each(|(bar, &mask)| *bar *= mask);
                std::mem::swap(&mut tape.bar, &mut tape.bar_below);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::Kind;
    use rand::SeedableRng;

    const LAYERS: Layers = Layers { kind: Kind::Gru, layers: 2, hidden: 3, inputs: 2, bidirectional: true };

    fn run(inputs: &[f64], starts: Option<&[f64]>, params: usize, dropout: Option<f64>) -> Result<Vec<f64>> {
        let params = vec![0.3; params];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let dropout = dropout.map(|share| Dropout { share, rng: &mut rng });
        let mut tape = LayersTape::default();
        let along = Along { ragged: &Ragged::new(&[4, 2]), inputs, start: starts };
        LAYERS.run(&params, &along, true, dropout, &mut tape)?;
        Ok(tape.outputs().to_vec())
    }

    #[test]
    fn sizes_and_shares_out_of_range_are_refused() {
        let (inputs, count) = ([0.5; 12], LAYERS.param_count::<f64>());
        assert_eq!(run(&inputs, Some(&[0.0; 24]), count, Some(0.0)).unwrap().len(), 36);
        let refused = |result: Result<Vec<f64>>| result.unwrap_err().to_string();
        assert!(refused(run(&inputs[1..], None, count, None)).contains("inputs of a run: expected 12, found 11"));
        assert!(refused(run(&inputs, Some(&[0.0; 23]), count, None)).contains("start states"));
        assert!(refused(run(&inputs, None, count - 1, None)).contains("parameters of a recurrent net"));
        assert!(refused(run(&inputs, None, count, Some(1.0))).contains("the share 1 of dropout"));
        assert!(refused(run(&inputs, None, count, Some(f64::NAN))).contains("the share NaN of dropout"));
    }

    #[test]
    fn inputs_cotangents_of_both_directions_are_those_of_differences() {
        let params: Vec<f64> = (0..LAYERS.param_count::<f64>()).map(|i| (i as f64).sin()).collect();
        let (ragged, mut tape) = (Ragged::new(&[4, 2]), LayersTape::default());
        let weights: Vec<f64> = (0..36).map(|i| (0.7 * i as f64).cos()).collect();
        let inputs: Vec<f64> = (0..12).map(|i| (1.3 * i as f64).sin()).collect();
        let value = |inputs: &[f64], tape: &mut LayersTape<f64>| -> f64 {
            LAYERS.run(&params, &Along { ragged: &ragged, inputs, start: None }, true, None, tape).unwrap();
            tape.outputs().iter().zip(&weights).map(|(a, b)| a * b).sum()
        };
        let differences: Vec<f64> = (0..12)
            .map(|i| {
                let mut moved = [inputs.clone(), inputs.clone()];
                (moved[0][i], moved[1][i]) = (inputs[i] + 1e-6, inputs[i] - 1e-6);
                (value(&moved[0], &mut tape) - value(&moved[1], &mut tape)) / 2e-6
            })
            .collect();
        value(&inputs, &mut tape);
        let cotangents = Cotangents { outputs: Some(&weights), ..Cotangents::default() };
        let mut pull = |wanted| {
            LAYERS.pull(&params, &ragged, &cotangents, &mut tape, wanted, &mut vec![0.0; params.len()]);
            tape.inputs_bar().to_vec()
        };
        let off = pull(true).iter().zip(&differences).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-8, "{off:e}");
        assert!(pull(false).is_empty());
    }

    #[test]
    fn dropout_keeps_the_mean_of_what_a_layer_gives_to_the_next() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let layers = Layers { layers: 2, hidden: 50, ..LAYERS };
        let params: Vec<f64> = (0..layers.param_count::<f64>()).map(|i| (i as f64).sin() * 0.1).collect();
        let mut tape = LayersTape::default();
        let dropout = Some(Dropout { share: 0.25, rng: &mut rng });
        let along = Along { ragged: &Ragged::new(&[100]), inputs: &[0.7; 200], start: None };
        layers.run(&params, &along, false, dropout, &mut tape).unwrap();
        let mask = &tape.masks[0];
        let mean = mask.iter().sum::<f64>() / mask.len() as f64;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!(mask.iter().all(|&x| x == 0.0 || x == 1.0 / 0.75) && tape.masks[1].is_empty());
    }
}
