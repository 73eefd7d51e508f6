//! Views of blocks: rows of lanes.

use std::ops::Range;

/// A block read only: `rows × lanes` numbers, row after row.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a, T> {
    /// The numbers; row `i` is `data[i * lanes..][..lanes]`.
    pub data: &'a [T],
    /// How many lanes a row has.
    pub lanes: usize,
}

/// A block to write to.
#[derive(Debug)]
pub struct BlockMut<'a, T> {
    /// The numbers; row `i` is `data[i * lanes..][..lanes]`.
    pub data: &'a mut [T],
    /// How many lanes a row has.
    pub lanes: usize,
}

impl<'a, T> Block<'a, T> {
    /// Views `data` as rows of `lanes` numbers.
    pub fn new(data: &'a [T], lanes: usize) -> Self {
        debug_assert!(lanes > 0 && data.len().is_multiple_of(lanes));
        Self { data, lanes }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.data.len() / self.lanes
    }

    /// Some of the rows.
    pub fn slice(&self, rows: Range<usize>) -> Block<'a, T> {
        Block { data: &self.data[rows.start * self.lanes..rows.end * self.lanes], lanes: self.lanes }
    }

    /// The rows before `row`, and the others.
    pub fn split_at_row(self, row: usize) -> (Block<'a, T>, Block<'a, T>) {
        let (a, b) = self.data.split_at(row * self.lanes);
        (Block { data: a, lanes: self.lanes }, Block { data: b, lanes: self.lanes })
    }

    /// Row `i`, one number a lane.
    pub fn row(&self, i: usize) -> &'a [T] {
        &self.data[i * self.lanes..(i + 1) * self.lanes]
    }
}

impl<'a, T> BlockMut<'a, T> {
    /// Views `data` as rows of `lanes` numbers.
    pub fn new(data: &'a mut [T], lanes: usize) -> Self {
        debug_assert!(lanes > 0 && data.len().is_multiple_of(lanes));
        Self { data, lanes }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.data.len() / self.lanes
    }

    /// The same block, read only.
    pub fn as_block(&self) -> Block<'_, T> {
        Block { data: self.data, lanes: self.lanes }
    }

    /// The same block for a shorter time.
    pub fn reborrow(&mut self) -> BlockMut<'_, T> {
        BlockMut { data: self.data, lanes: self.lanes }
    }

    /// Some of the rows.
    pub fn slice(&mut self, rows: Range<usize>) -> BlockMut<'_, T> {
        BlockMut { data: &mut self.data[rows.start * self.lanes..rows.end * self.lanes], lanes: self.lanes }
    }

    /// The rows before `row`, and the others.
    pub fn split_at_row(self, row: usize) -> (BlockMut<'a, T>, BlockMut<'a, T>) {
        let (a, b) = self.data.split_at_mut(row * self.lanes);
        (BlockMut { data: a, lanes: self.lanes }, BlockMut { data: b, lanes: self.lanes })
    }

    /// Row `i`, one number a lane.
    pub fn row(&mut self, i: usize) -> &mut [T] {
        &mut self.data[i * self.lanes..(i + 1) * self.lanes]
    }
}

/// A block for each of several steps, one after another, all of the same height; a step has its own number of lanes.
#[derive(Clone, Debug)]
pub struct Blocks<'a, T> {
    data: &'a [T],
    lanes: &'a [usize],
    height: usize,
    rows: Range<usize>,
}

impl<'a, T> Blocks<'a, T> {
    /// Views `data` as one block of `height` rows for each number of lanes.
    pub fn new(data: &'a [T], height: usize, lanes: &'a [usize]) -> Self {
        debug_assert!(data.len() == height * lanes.iter().sum::<usize>());
        Self { data, lanes, height, rows: 0..height }
    }

    /// Some of every block's rows.
    pub fn slice(&self, rows: Range<usize>) -> Self {
        debug_assert!(self.rows.start + rows.end <= self.rows.end);
        let rows = self.rows.start + rows.start..self.rows.start + rows.end;
        Self { rows, data: self.data, lanes: self.lanes, height: self.height }
    }

    /// The blocks in order.
    pub fn iter(&self) -> impl Iterator<Item = Block<'a, T>> {
        let (data, height, rows) = (self.data, self.height, self.rows.clone());
        let mut before = 0;
        self.lanes.iter().map(move |&lanes| {
            let block = &data[height * before..][..height * lanes];
            before += lanes;
            Block { data: &block[rows.start * lanes..rows.end * lanes], lanes }
        })
    }
}
