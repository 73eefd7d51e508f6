//! Numbers that begin where a cache line begins.

use std::ops::{Deref, DerefMut};

/// A line of the first cache, in bytes.
const LINE: usize = 64;

/// A block whose vectors of up to a cache line's length never straddle two lines: small kernels that read what they have
/// just written would wait for it otherwise, in some runs and not in others.
#[derive(Debug)]
pub(crate) struct Aligned<T> {
    room: Vec<T>,
    first: usize,
    len: usize,
}

impl<T: Copy> Aligned<T> {
    pub fn filled(value: T, len: usize) -> Self {
        let spare = LINE / size_of::<T>().max(1);
        let room = vec![value; len + spare];
        // Where no position is aligned, any will do: what is computed is the same.
        let first = room.as_ptr().align_offset(LINE).min(spare);
        Self { room, first, len }
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: the room, whose length never changes, holds `first + len` numbers.
        unsafe { std::slice::from_raw_parts(self.room.as_ptr().add(self.first), self.len) }
    }
}

impl<T> DerefMut for Aligned<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.room.as_mut_ptr().add(self.first), self.len) }
    }
}
