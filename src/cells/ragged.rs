//! Sequences of different lengths that share steps.

use crate::{Error, Real, Result};

/// How sequences of different lengths lie side by side without padding: the longest in the first lane, and at each step
/// only the lanes whose sequence has not ended.
///
/// A *run of blocks* of `rows` rows over a ragged batch holds one `rows × lanes` block a step, one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ragged {
    /// The sequence in each lane.
    order: Vec<usize>,
    /// The length of each lane's sequence.
    lengths: Vec<usize>,
    /// Lanes of each step.
    lanes: Vec<usize>,
    /// Lanes of all steps before each, and of all.
    starts: Vec<usize>,
}

impl Ragged {
    /// Sequences of these lengths; none may be longer than memory allows, zero is no step.
    pub fn new(lengths: &[usize]) -> Self {
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|&sequence| std::cmp::Reverse(lengths[sequence]));
        let sorted: Vec<usize> = order.iter().map(|&sequence| lengths[sequence]).collect();
        let steps = sorted.first().copied().unwrap_or(0);
        let mut lanes = Vec::with_capacity(steps);
        let mut alive = sorted.len();
        for step in 0..steps {
            while sorted[alive - 1] <= step {
                alive -= 1;
            }
            lanes.push(alive);
        }
        let mut starts = vec![0];
        starts.extend(lanes.iter().scan(0, |sum, lanes| {
            *sum += lanes;
            Some(*sum)
        }));
        Self { order, lengths: sorted, lanes, starts }
    }

    /// How many sequences there are.
    pub fn sequences(&self) -> usize {
        self.order.len()
    }

    /// Steps of the longest.
    pub fn steps(&self) -> usize {
        self.lanes.len()
    }

    /// Lanes of each step, never rising.
    pub fn lanes(&self) -> &[usize] {
        &self.lanes
    }

    /// Which sequence is in each lane.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The length of each lane's sequence, never rising.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Lanes of all the steps before `step`; for the number of steps, lanes of all.
    pub fn before(&self, step: usize) -> usize {
        self.starts[step]
    }

    /// Lanes of all steps: the sum of all lengths.
    pub fn cells(&self) -> usize {
        self.starts[self.lanes.len()]
    }

    /// Lanes of a step, none after the last.
    pub(crate) fn lanes_at(&self, step: usize) -> usize {
        self.lanes.get(step).copied().unwrap_or(0)
    }

    /// Puts sequences (each `length × width`, one step after another, in their own order) as a run of blocks of `width`
    /// rows into `blocks`.
    ///
    /// # Errors
    /// [`Error::Shape`] that names the first sequence with another number of numbers than its steps hold.
    pub fn gather<T: Real>(&self, width: usize, sequences: &[&[T]], blocks: &mut Vec<T>) -> Result<()> {
        if sequences.len() != self.sequences() {
            return Err(Error::shape("sequences", self.sequences(), sequences.len()));
        }
        for (lane, &sequence) in self.order.iter().enumerate() {
            let (length, found) = (self.lengths[lane], sequences[sequence].len());
            if found != length * width {
                let expected = format!("{length} steps of {width} features, {} numbers", length * width);
                return Err(Error::shape(format!("sequence {sequence}"), expected, found));
            }
        }
        blocks.resize(self.cells() * width, T::zero());
        for (step, &lanes) in self.lanes.iter().enumerate() {
            let block = &mut blocks[width * self.starts[step]..][..width * lanes];
            for (lane, &sequence) in self.order[..lanes].iter().enumerate() {
                let x = &sequences[sequence][step * width..(step + 1) * width];
                x.iter().enumerate().for_each(|(i, &x)| block[i * lanes + lane] = x);
            }
        }
        Ok(())
    }

    /// Calls `each(from, to)` for the places of every number of a run of blocks of `rows` rows and of the same number when
    /// every sequence runs from its end to its beginning.
    pub(crate) fn reversed(&self, rows: usize, mut each: impl FnMut(usize, usize)) {
        for (step, &lanes) in self.lanes.iter().enumerate() {
            for lane in 0..lanes {
                let mirrored = self.lengths[lane] - 1 - step;
                let from = rows * self.starts[step] + lane;
                let to = rows * self.starts[mirrored] + lane;
                let there = self.lanes[mirrored];
                (0..rows).for_each(|i| each(from + i * lanes, to + i * there));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_end_with_their_sequences() {
        let ragged = Ragged::new(&[2, 0, 3, 1]);
        assert_eq!((ragged.order(), ragged.lengths()), (&[2, 0, 3, 1][..], &[3, 2, 1, 0][..]));
        assert_eq!((ragged.lanes(), ragged.cells(), ragged.steps()), (&[3, 2, 1][..], 6, 3));
        let sequences: [&[f64]; 4] = [&[1.0, 2.0], &[], &[3.0, 4.0, 5.0], &[6.0]];
        let mut blocks = Vec::new();
        ragged.gather(1, &sequences, &mut blocks).unwrap();
        assert_eq!(blocks, [3.0, 1.0, 6.0, 4.0, 2.0, 5.0]);
        let mut mirrored = vec![0.0; 6];
        ragged.reversed(1, |from, to| mirrored[to] = blocks[from]);
        assert_eq!(mirrored, [5.0, 2.0, 6.0, 4.0, 1.0, 3.0]);
        let error = ragged.gather(2, &sequences, &mut blocks).unwrap_err().to_string();
        assert_eq!(error, "sequence 2: expected 3 steps of 2 features, 6 numbers, found 3");
        assert_eq!(Ragged::new(&[]).steps(), 0);
        assert_eq!(Ragged::new(&[0, 0]).cells(), 0);
    }
}
