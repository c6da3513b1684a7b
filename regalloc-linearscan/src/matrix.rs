//! The occupancy matrix: for every position, which registers hold something there.
//!
//! One 64-bit word per class and position, one bit per register. It holds the places that instructions reserve (fixed
//! operands, clobbers) and everything that has been assigned. Which registers are free for all of an interval with
//! holes is then the complement of the OR of a few words, and the register that stays free for longest falls out of
//! the same loop; there are no lists of active and inactive intervals to keep.
//!
//! Cost: an interval's length / 4 or so to test or to assign. All intervals that are in registers together are no longer
//! than positions × registers, so the whole is linear in the size of the function; a test ends as soon as no register
//! is left.

use crate::RegClass;
use alloc::vec::Vec;

#[derive(Default)]
pub(crate) struct Matrix {
    rows: [Vec<u64>; RegClass::COUNT],
}

impl Matrix {
    /// Empties the matrix for `positions` positions of the classes in use.
    pub(crate) fn clear(&mut self, positions: usize, classes: [bool; RegClass::COUNT]) {
        for (row, used) in self.rows.iter_mut().zip(classes) {
            row.clear();
            if used {
                row.resize(positions, 0);
            }
        }
    }

    /// The words of a class, by position.
    pub(crate) fn row(&self, class: RegClass) -> &[u64] {
        &self.rows[class as usize]
    }

    #[inline]
    pub(crate) fn at(&self, class: RegClass, pos: u32) -> u64 {
        self.rows[class as usize].get(pos as usize).copied().unwrap_or(0)
    }

    #[inline]
    pub(crate) fn set(&mut self, class: RegClass, pos: u32, bits: u64) {
        if let Some(word) = self.rows[class as usize].get_mut(pos as usize) {
            *word |= bits;
        }
    }

    #[inline]
    pub(crate) fn unset(&mut self, class: RegClass, pos: u32, bits: u64) {
        self.rows[class as usize][pos as usize] &= !bits;
    }

    #[inline]
    pub(crate) fn set_range(&mut self, class: RegClass, from: u32, to: u32, bits: u64) {
        for word in &mut self.rows[class as usize][from as usize..to as usize] {
            *word |= bits;
        }
    }

    #[inline]
    pub(crate) fn unset_range(&mut self, class: RegClass, from: u32, to: u32, bits: u64) {
        for word in &mut self.rows[class as usize][from as usize..to as usize] {
            *word &= !bits;
        }
    }

    /// Registers taken somewhere in the next few positions.
    #[inline]
    pub(crate) fn taken_soon(&self, class: RegClass, from: u32) -> u64 {
        let row = &self.rows[class as usize];
        let soon = row.get(from as usize..(from as usize + 4).min(row.len())).unwrap_or(&[]);
        soon.iter().fold(0, |all, word| all | word)
    }

    /// Narrows `free` to the registers that are free from `from` up to `to`. If none is, stops at the first position at
    /// which the last of them is taken, returns that position, and leaves in `free` those that were free until there.
    #[inline]
    pub(crate) fn narrow(&self, class: RegClass, from: u32, to: u32, free: &mut u64) -> Option<u32> {
        let row = &self.rows[class as usize][from as usize..to as usize];
        let mut mask = *free;
        let mut done = 0;
        if row.len() >= 8 {
            for chunk in row.chunks_exact(8) {
                let taken = chunk.iter().fold(0, |all, word| all | word);
                if mask & !taken == 0 {
                    break;
                }
                mask &= !taken;
                done += 8;
            }
        }
        for (i, word) in row[done..].iter().enumerate() {
            if mask & !word == 0 {
                *free = mask;
                return Some(from + (done + i) as u32);
            }
            mask &= !word;
        }
        *free = mask;
        None
    }
}
