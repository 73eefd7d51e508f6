//! A cell run along sequences of their own lengths, and cotangents pulled back along them.

use super::{Ragged, Recurrent};
use crate::linalg::{Block, BlockMut, Blocks};
use crate::{Error, Real, Result};

/// What a cell runs along.
#[derive(Clone, Copy, Debug)]
pub struct Along<'a, T> {
    /// The sequences' lengths.
    pub ragged: &'a Ragged,
    /// A run of blocks of the cell's input rows.
    pub inputs: &'a [T],
    /// `state × sequences`, in the order of lanes (of several cells, one after another); zero if there is none. Truncated backpropagation carries the last
    /// states of one window to the next by this.
    pub start: Option<&'a [T]>,
}

/// Cotangents of what a run leaves; absent ones are zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cotangents<'a, T> {
    /// A run of blocks of the cell's visible rows.
    pub outputs: Option<&'a [T]>,
    /// `state × sequences`.
    pub last: Option<&'a [T]>,
    /// Truncated backpropagation: no cotangent of the state passes a step whose number is a multiple of this, as if each
    /// window of so many steps had begun with a given state. The first step's start is not cut off.
    pub cut: Option<usize>,
}

/// What running sequences leaves for derivatives, and what pulling leaves; the buffers are used again.
#[derive(Clone, Debug, Default)]
pub struct SequenceTape<T> {
    slabs: Vec<T>,
    outputs: Vec<T>,
    last: Vec<T>,
    arguments: Vec<T>,
    next: Vec<T>,
    kept: Vec<T>,
    scratch: Vec<T>,
    inputs_bar: Vec<T>,
    start_bar: Vec<T>,
}

/// Steps whose parameter gradients are summed in one product. The order of the sum does not depend on it.
const WINDOW: usize = 8;

/// At least `len` numbers, whatever they are.
fn room<T: Real>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    if buffer.len() < len {
        buffer.resize(len, T::zero());
    }
    &mut buffer[..len]
}

/// Copies the first `columns` of each row of a block of `from_lanes` into one of `to_lanes`.
fn copy_columns<T: Real>(from: &[T], from_lanes: usize, to: &mut [T], to_lanes: usize, columns: usize) {
    if from_lanes == to_lanes && columns == to_lanes {
        to.copy_from_slice(&from[..to.len()]);
    } else if columns > 0 {
        let rows = from.chunks_exact(from_lanes).zip(to.chunks_exact_mut(to_lanes));
        rows.for_each(|(from, to)| to[..columns].copy_from_slice(&from[..columns]));
    }
}

impl<T: Real> SequenceTape<T> {
    /// The outputs at every step: a run of blocks of the visible rows. Empty unless they were asked for.
    pub fn outputs(&self) -> &[T] {
        &self.outputs
    }

    /// The last state of every sequence, `state × sequences` in the order of lanes; the start where there was no step.
    pub fn last(&self) -> &[T] {
        &self.last
    }

    /// After a [`pull`](Self::pull): the inputs' cotangents, a run of blocks of the input rows. Empty unless they were
    /// asked for.
    pub fn inputs_bar(&self) -> &[T] {
        &self.inputs_bar
    }

    /// After a [`pull`](Self::pull): the starts' cotangents, `state × sequences`.
    pub fn start_bar(&self) -> &[T] {
        &self.start_bar
    }

    /// Runs a cell along sequences, one lane each, and keeps the outputs of every step if they are wanted.
    ///
    /// A lane's bits do not depend on the others. Cost: one linearisation a step, as many lanes wide as sequences go on.
    ///
    /// # Errors
    /// [`Error::Shape`] if the inputs or the starts are not as many numbers as the sequences and the cell have room for.
    pub fn run<C: Recurrent<T> + ?Sized>(
        &mut self,
        cell: &C,
        params: &[T],
        along: &Along<T>,
        every_step: bool,
    ) -> Result<()> {
        let Along { ragged, inputs, start } = *along;
        let (state, count) = (cell.out_dim(), ragged.sequences());
        let width = cell.in_dim() - state;
        if inputs.len() != width * ragged.cells() {
            return Err(Error::shape("inputs of a run", width * ragged.cells(), inputs.len()));
        }
        if let Some(start) = start.filter(|start| start.len() != state * count) {
            return Err(Error::shape("start states", state * count, start.len()));
        }
        if params.len() != cell.param_count() {
            return Err(Error::shape("parameters of a cell", cell.param_count(), params.len()));
        }
        let (slab_len, visible) = (cell.slab_len(), cell.visible());
        room(&mut self.slabs, slab_len * ragged.cells());
        self.outputs.resize(if every_step { visible.len() * ragged.cells() } else { 0 }, T::zero());
        self.last.clear();
        match start {
            Some(start) => self.last.extend_from_slice(start),
            None => self.last.resize(state * count, T::zero()),
        }
        let widest = ragged.lanes_at(0);
        let arguments = room(&mut self.arguments, cell.in_dim() * widest);
        let next = room(&mut self.next, state * widest);
        let scratch = room(&mut self.scratch, cell.scratch_len() * widest);
        copy_columns(&self.last, count, &mut arguments[..state * widest], widest, widest);
        for (step, &lanes) in ragged.lanes().iter().enumerate() {
            let before = ragged.before(step);
            let arguments = &mut arguments[..cell.in_dim() * lanes];
            let next = &mut next[..state * lanes];
            arguments[state * lanes..].copy_from_slice(&inputs[width * before..][..width * lanes]);
            let slab = BlockMut::new(&mut self.slabs[slab_len * before..][..slab_len * lanes], lanes);
            cell.linearize(params, Block::new(arguments, lanes), BlockMut::new(next, lanes), slab, scratch);
            if every_step {
                let seen = &next[visible.start * lanes..visible.end * lanes];
                self.outputs[visible.len() * before..][..seen.len()].copy_from_slice(seen);
            }
            let after = ragged.lanes_at(step + 1);
            for (last, next) in self.last.chunks_exact_mut(count).zip(next.chunks_exact(lanes)) {
                last[after..lanes].copy_from_slice(&next[after..]);
            }
            if after > 0 {
                copy_columns(next, lanes, &mut arguments[..state * after], after, after);
            }
        }
        Ok(())
    }

    /// Pulls cotangents back along the sequences of the last [`run`](Self::run), which had the same cell, parameters and
    /// lengths (backpropagation through time), and adds to `params_bar`. Leaves the starts' cotangents and, if they are
    /// wanted, the inputs'.
    pub fn pull<C: Recurrent<T> + ?Sized>(
        &mut self,
        cell: &C,
        params: &[T],
        ragged: &Ragged,
        cotangents: &Cotangents<T>,
        want_inputs: bool,
        params_bar: &mut [T],
    ) {
        let (state, count) = (cell.out_dim(), ragged.sequences());
        let width = cell.in_dim() - state;
        let (slab_len, kept_len, visible) = (cell.slab_len(), cell.kept_len(), cell.visible());
        let widest = ragged.lanes_at(0);
        let arguments = room(&mut self.arguments, cell.in_dim() * widest);
        let w = room(&mut self.next, state * widest);
        let scratch = room(&mut self.scratch, cell.scratch_len() * widest);
        let kept = room(&mut self.kept, kept_len * widest * WINDOW);
        self.inputs_bar.resize(if want_inputs { width * ragged.cells() } else { 0 }, T::zero());
        self.start_bar.clear();
        match cotangents.last {
            Some(last) => self.start_bar.extend_from_slice(last),
            None => self.start_bar.resize(state * count, T::zero()),
        }
        let mut end = ragged.steps();
        while end > 0 {
            let first = end.saturating_sub(WINDOW);
            for step in (first..end).rev() {
                let (lanes, before) = (ragged.lanes()[step], ragged.before(step));
                let after = ragged.lanes_at(step + 1);
                let w = &mut w[..state * lanes];
                copy_columns(arguments, after.max(1), w, lanes, after);
                // Sequences that end here begin with the cotangent of their last state.
                for (w, last) in w.chunks_exact_mut(lanes).zip(self.start_bar.chunks_exact(count)) {
                    w[after..].copy_from_slice(&last[after..lanes]);
                }
                if let Some(outputs) = cotangents.outputs {
                    let bar = &outputs[visible.len() * before..][..visible.len() * lanes];
                    let seen = &mut w[visible.start * lanes..visible.end * lanes];
                    seen.iter_mut().zip(bar).for_each(|(w, &bar)| *w += bar);
                }
                cell.pull(
                    params,
                    Block::new(&self.slabs[slab_len * before..][..slab_len * lanes], lanes),
                    Block::new(w, lanes),
                    BlockMut::new(&mut arguments[..cell.in_dim() * lanes], lanes),
                    BlockMut::new(&mut kept[kept_len * (before - ragged.before(first))..][..kept_len * lanes], lanes),
                    scratch,
                );
                if cotangents.cut.is_some_and(|cut| step > 0 && step.is_multiple_of(cut)) {
                    arguments[..state * lanes].fill(T::zero());
                }
                if want_inputs {
                    let bar = &arguments[state * lanes..cell.in_dim() * lanes];
                    self.inputs_bar[width * before..][..bar.len()].copy_from_slice(bar);
                }
            }
            let (from, to, lanes) = (ragged.before(first), ragged.before(end), &ragged.lanes()[first..end]);
            let slabs = Blocks::new(&self.slabs[slab_len * from..slab_len * to], slab_len, lanes);
            let kept = Blocks::new(&kept[..kept_len * (to - from)], kept_len, lanes);
            cell.accumulate(params, slabs, kept, params_bar, scratch);
            end = first;
        }
        if widest > 0 {
            copy_columns(&arguments[..state * widest], widest, &mut self.start_bar, count, widest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::{Cell, Kind};
    use crate::dynamics::Component;
    use crate::nn::{Activation, fan_in_uniform};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    struct Case {
        cell: Cell,
        params: Vec<f64>,
        sequences: Vec<Vec<f64>>,
        starts: Vec<f64>,
    }

    fn case(kind: Kind, lengths: &[usize], rng: &mut ChaCha8Rng) -> Case {
        let cell = Cell { kind, hidden: 3, inputs: 2 };
        let mut random = |n: usize| -> Vec<f64> { (0..n).map(|_| rng.random_range(-1.0..1.0)).collect() };
        let sequences = lengths.iter().map(|n| random(2 * n)).collect();
        let starts = random(cell.state() * lengths.len());
        let params = fan_in_uniform(&Component::<f64>::params(&cell, ""), 1.5, rng);
        Case { cell, params, sequences, starts }
    }

    /// Starts are given in the order of sequences.
    fn run(case: &Case, params: &[f64], starts: &[f64], which: &[usize]) -> (Ragged, SequenceTape<f64>) {
        let of: Vec<&[f64]> = which.iter().map(|&s| &case.sequences[s][..]).collect();
        let ragged = Ragged::new(&of.iter().map(|x| x.len() / 2).collect::<Vec<_>>());
        let (mut inputs, mut tape) = (Vec::new(), SequenceTape::default());
        ragged.gather(2, &of, &mut inputs).unwrap();
        let all = case.sequences.len();
        let start: Vec<f64> = (0..case.cell.state())
            .flat_map(|i| ragged.order().iter().map(move |&lane| starts[i * all + which[lane]]))
            .collect();
        let along = Along { ragged: &ragged, inputs: &inputs, start: Some(&start) };
        tape.run(&case.cell, params, &along, true).unwrap();
        (ragged, tape)
    }

    fn lane(block: &[f64], lanes: usize, lane: usize) -> Vec<u64> {
        block.iter().skip(lane).step_by(lanes).map(|x| x.to_bits()).collect()
    }

    #[test]
    fn ragged_lanes_equal_one_by_one_and_gradients_match_differences() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for kind in [Kind::Rnn(Activation::Tanh), Kind::Lstm, Kind::Gru, Kind::ClassicGru] {
            let lengths = [4, 1, 0, 19, 19, 7];
            let case = case(kind, &lengths, &mut rng);
            let state = case.cell.state();
            let (ragged, mut tape) = run(&case, &case.params, &case.starts, &[0, 1, 2, 3, 4, 5]);
            let outputs_bar: Vec<f64> = tape.outputs.iter().map(|_| rng.random_range(-1.0..1.0)).collect();
            let last_bar: Vec<f64> = tape.last.iter().map(|_| rng.random_range(-1.0..1.0)).collect();
            let mut bar = vec![0.0; case.params.len()];
            let (outputs, last) = (tape.outputs.clone(), tape.last.clone());
            let cotangents = Cotangents { outputs: Some(&outputs_bar), last: Some(&last_bar), cut: None };
            tape.pull(&case.cell, &case.params, &ragged, &cotangents, true, &mut bar);

            for (at, &sequence) in ragged.order().iter().enumerate() {
                let (alone_ragged, mut alone) = run(&case, &case.params, &case.starts, &[sequence]);
                assert_eq!(lane(&last, lengths.len(), at), lane(&alone.last, 1, 0), "{kind:?} {sequence}");
                let visible = case.cell.hidden;
                let steps = lengths[sequence];
                let column = |run: &[f64], rows: usize, step: usize| {
                    lane(&run[rows * ragged.before(step)..][..rows * ragged.lanes()[step]], ragged.lanes()[step], at)
                };
                let of_run =
                    |run: &[f64], rows: usize| -> Vec<u64> { (0..steps).flat_map(|t| column(run, rows, t)).collect() };
                assert_eq!(of_run(&outputs, visible), lane(&alone.outputs, 1, 0));
                let outputs_bar: Vec<f64> = of_run(&outputs_bar, visible).into_iter().map(f64::from_bits).collect();
                let last_bar: Vec<f64> = lane(&last_bar, lengths.len(), at).into_iter().map(f64::from_bits).collect();
                let cotangents = Cotangents { outputs: Some(&outputs_bar), last: Some(&last_bar), cut: None };
                let mut bar = vec![0.0; case.params.len()];
                alone.pull(&case.cell, &case.params, &alone_ragged, &cotangents, true, &mut bar);
                assert_eq!(of_run(&tape.inputs_bar, 2), lane(&alone.inputs_bar, 1, 0));
                assert_eq!(lane(&tape.start_bar, lengths.len(), at), lane(&alone.start_bar, 1, 0));
            }

            let value = |params: &[f64], starts: &[f64]| -> f64 {
                let (_, tape) = run(&case, params, starts, &[0, 1, 2, 3, 4, 5]);
                let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                dot(&tape.outputs, &outputs_bar) + dot(&tape.last, &last_bar)
            };
            let direction: Vec<f64> = case.params.iter().map(|_| rng.random_range(-1.0..1.0)).collect();
            let start_direction: Vec<f64> = case.starts.iter().map(|_| rng.random_range(-1.0..1.0)).collect();
            let shifted = |sign: f64| {
                let moved =
                    |x: &[f64], d: &[f64]| -> Vec<f64> { x.iter().zip(d).map(|(x, d)| x + sign * 1e-6 * d).collect() };
                value(&moved(&case.params, &direction), &moved(&case.starts, &start_direction))
            };
            let difference = (shifted(1.0) - shifted(-1.0)) / 2e-6;
            let all = lengths.len();
            let by_start: f64 = (0..state)
                .flat_map(|i| (0..all).map(move |at| (i, at)))
                .map(|(i, at)| tape.start_bar[i * all + at] * start_direction[i * all + ragged.order()[at]])
                .sum();
            let exact: f64 = by_start + bar.iter().zip(&direction).map(|(b, d)| b * d).sum::<f64>();
            assert!((difference - exact).abs() < 1e-7 * (1.0 + exact.abs()), "{kind:?}: {difference} {exact}");
        }
    }

    #[test]
    fn windows_with_carried_states_run_as_one_and_their_gradients_add_up_with_the_starts() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let case = case(Kind::Lstm, &[21], &mut rng);
        let (ragged, mut whole) = run(&case, &case.params, &case.starts, &[0]);
        let last_bar = vec![1.0; 6];
        let cotangents = Cotangents { outputs: None, last: Some(&last_bar), cut: None };
        let mut bar = vec![0.0; case.params.len()];
        whole.pull(&case.cell, &case.params, &ragged, &cotangents, false, &mut bar);

        let windows: Vec<Ragged> = [9, 12].map(|n| Ragged::new(&[n])).into();
        let mut tapes = [SequenceTape::default(), SequenceTape::default()];
        let mut start = case.starts.clone();
        for (w, inputs) in [&case.sequences[0][..18], &case.sequences[0][18..]].into_iter().enumerate() {
            let along = Along { ragged: &windows[w], inputs, start: Some(&start) };
            tapes[w].run(&case.cell, &case.params, &along, false).unwrap();
            start = tapes[w].last().to_vec();
        }
        assert_eq!(lane(&start, 1, 0), lane(whole.last(), 1, 0));
        let (mut by_windows, mut last_bar) = (vec![0.0; bar.len()], last_bar);
        for w in [1, 0] {
            let cotangents = Cotangents { outputs: None, last: Some(&last_bar), cut: None };
            tapes[w].pull(&case.cell, &case.params, &windows[w], &cotangents, false, &mut by_windows);
            last_bar = tapes[w].start_bar().to_vec();
        }
        let size = bar.iter().map(|b: &f64| b.abs()).fold(0.0, f64::max);
        assert!(bar.iter().zip(&by_windows).all(|(a, b)| (a - b).abs() < 1e-13 * (1.0 + size)));
    }

    #[test]
    fn a_cut_gives_the_gradient_of_windows_whose_starts_are_given() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let case = case(Kind::Gru, &[21], &mut rng);
        let (ragged, mut whole) = run(&case, &case.params, &case.starts, &[0]);
        let outputs_bar: Vec<f64> = whole.outputs().iter().map(|_| rng.random_range(-1.0..1.0)).collect();
        let mut bar = vec![0.0; case.params.len()];
        let cotangents = Cotangents { outputs: Some(&outputs_bar), last: None, cut: Some(8) };
        whole.pull(&case.cell, &case.params, &ragged, &cotangents, false, &mut bar);

        let mut by_windows = vec![0.0; bar.len()];
        let mut start = case.starts.clone();
        for steps in [0..8, 8..16, 16..21] {
            let (window, mut tape) = (Ragged::new(&[steps.len()]), SequenceTape::default());
            let inputs = &case.sequences[0][2 * steps.start..2 * steps.end];
            tape.run(&case.cell, &case.params, &Along { ragged: &window, inputs, start: Some(&start) }, false).unwrap();
            let outputs = Some(&outputs_bar[3 * steps.start..3 * steps.end]);
            let cotangents = Cotangents { outputs, last: None, cut: None };
            tape.pull(&case.cell, &case.params, &window, &cotangents, false, &mut by_windows);
            start = tape.last().to_vec();
        }
        let size = bar.iter().map(|b: &f64| b.abs()).fold(0.0, f64::max);
        assert!(bar.iter().zip(&by_windows).all(|(a, b)| (a - b).abs() < 1e-13 * (1.0 + size)));
    }

    #[test]
    fn inputs_starts_and_parameters_of_other_sizes_are_refused() {
        let (cell, ragged) = (Cell::gru(3, 2), Ragged::new(&[2, 1]));
        let params = vec![0.1; Component::<f64>::param_count(&cell)];
        let mut tape = SequenceTape::default();
        let mut refused = |inputs: usize, start: usize, params: &[f64]| {
            let (inputs, start) = (vec![0.0; inputs], vec![0.0; start]);
            let along = Along { ragged: &ragged, inputs: &inputs, start: Some(&start) };
            tape.run(&cell, params, &along, false).unwrap_err().to_string()
        };
        assert_eq!(refused(5, 6, &params), "inputs of a run: expected 6, found 5");
        assert_eq!(refused(6, 3, &params), "start states: expected 6, found 3");
        assert!(refused(6, 6, &params[1..]).contains("parameters of a cell"));
    }
}
