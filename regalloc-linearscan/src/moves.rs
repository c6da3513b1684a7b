//! Parallel moves: a set of moves that all read before any writes, put into an order that does the same.
//!
//! Every destination has one writer, so "must come before the move that overwrites my source" gives each move at most
//! one successor, and what remains when all moves that can be emitted have been is a set of disjoint simple cycles
//! (Boissinot et al., *Revisiting Out-of-SSA Translation for Correctness, Code Quality and Efficiency*, CGO 2009,
//! section 4). Each is broken by parking one value in a scratch location. Cost: O(n log n).
//!
//! A move from memory to memory goes through a scratch register; where none is free, one is saved and restored.

use crate::{Loc, PReg, PRegSet, RegClass};
use alloc::vec::Vec;

/// Where the resolver finds room.
pub trait Scratch {
    /// A register of the class that holds nothing and is not in `except`.
    fn free_reg(&mut self, class: RegClass, except: PRegSet) -> Option<PReg>;
    /// Any register of the class that can be saved and restored: it may be in use. `None`: the class has no registers.
    fn any_reg(&mut self, class: RegClass) -> Option<PReg>;
    /// A slot that holds nothing, and is not returned again until the next [`Scratch::reset`].
    fn slot(&mut self, class: RegClass) -> Loc;
    /// What [`Scratch::slot`] has returned so far may be returned again.
    fn reset(&mut self);
    /// Whether a location is in memory, so that it cannot be moved to another one in memory.
    fn is_memory(&self, loc: Loc) -> bool;
}

/// One of the moves that happen at once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct ParallelMove {
    to: Loc,
    from: Loc,
    class: RegClass,
}

/// Orders parallel moves. Keeps its buffers.
#[derive(Default)]
pub struct MoveResolver {
    moves: Vec<ParallelMove>,
    /// Per move: how many moves that are still to be emitted read its destination.
    readers: Vec<u32>,
    ready: Vec<u32>,
    exhausted: Option<RegClass>,
}

impl MoveResolver {
    /// Adds a move to the set. Destinations are distinct unless the whole move is.
    pub fn add(&mut self, from: Loc, to: Loc, class: RegClass) {
        if from != to {
            self.moves.push(ParallelMove { to, from, class });
        }
    }

    /// Emits all moves added, in order, as `(from, to, class)`, and forgets them.
    ///
    /// # Errors
    /// The class for which a scratch register was needed although it has no registers.
    pub fn resolve(
        &mut self,
        scratch: &mut impl Scratch,
        mut emit: impl FnMut(Loc, Loc, RegClass),
    ) -> Result<(), RegClass> {
        self.exhausted = None;
        match self.moves[..] {
            [] => return Ok(()),
            [only] if !scratch.is_memory(only.from) || !scratch.is_memory(only.to) => {
                emit(only.from, only.to, only.class);
                self.moves.clear();
                return Ok(());
            }
            _ if self.moves.len() <= 4 && self.are_independent(scratch) => {
                self.moves.iter().for_each(|m| emit(m.from, m.to, m.class));
                self.moves.clear();
                return Ok(());
            }
            _ => {}
        }
        scratch.reset();
        self.moves.sort_unstable();
        self.moves.dedup();
        debug_assert!(
            self.moves.windows(2).all(|pair| pair[0].to != pair[1].to),
            "a location has one writer: {:?}",
            self.moves
        );

        let mut mentioned = PRegSet::EMPTY;
        self.readers.clear();
        self.readers.resize(self.moves.len(), 0);
        for i in 0..self.moves.len() {
            let ParallelMove { from, to, .. } = self.moves[i];
            mentioned = [from, to].iter().filter_map(|loc| loc.as_reg()).fold(mentioned, PRegSet::with);
            if let Some(writer) = self.writer(from) {
                self.readers[writer] += 1;
            }
        }
        self.ready.clear();
        self.ready.extend((0..self.moves.len() as u32).rev().filter(|&i| self.readers[i as usize] == 0));
        while let Some(i) = self.ready.pop() {
            let ParallelMove { from, to, class } = self.moves[i as usize];
            self.emit(from, to, class, mentioned, scratch, &mut emit);
            self.readers[i as usize] = u32::MAX;
            if let Some(writer) = self.writer(from) {
                self.readers[writer] -= 1;
                if self.readers[writer] == 0 {
                    self.ready.push(writer as u32);
                }
            }
        }
        for start in 0..self.moves.len() {
            if self.readers[start] != u32::MAX {
                self.break_cycle(start, mentioned, scratch, &mut emit);
            }
        }
        self.moves.clear();
        self.exhausted.map_or(Ok(()), Err)
    }

    /// Whether no move reads what another writes or goes from memory to memory. Cost: O(n²).
    fn are_independent(&self, scratch: &impl Scratch) -> bool {
        self.moves.iter().enumerate().all(|(i, m)| {
            !(scratch.is_memory(m.from) && scratch.is_memory(m.to))
                && self.moves.iter().all(|other| other.to != m.from)
                && self.moves[..i].iter().all(|other| other.to != m.to)
        })
    }

    /// The move that overwrites `loc`.
    fn writer(&self, loc: Loc) -> Option<usize> {
        self.moves.binary_search_by_key(&loc, |m| m.to).ok()
    }

    /// Emits the cycle through move `start`, whose destination is parked first.
    fn break_cycle(
        &mut self,
        start: usize,
        mentioned: PRegSet,
        scratch: &mut impl Scratch,
        emit: &mut impl FnMut(Loc, Loc, RegClass),
    ) {
        let class = self.moves[start].class;
        let parked_from = self.moves[start].to;
        let (park, busy) = match scratch.free_reg(class, mentioned) {
            Some(reg) => (Loc::reg(reg), mentioned.with(reg)),
            None => (scratch.slot(class), mentioned),
        };
        self.emit(parked_from, park, class, busy, scratch, emit);
        let mut i = start;
        loop {
            self.readers[i] = u32::MAX;
            let ParallelMove { from, to, class } = self.moves[i];
            if from == parked_from {
                self.emit(park, to, class, busy, scratch, emit);
                return;
            }
            self.emit(from, to, class, busy, scratch, emit);
            let Some(next) = self.writer(from) else {
                unreachable!("what is left are cycles");
            };
            i = next;
        }
    }

    /// Emits one move, through a register if both ends are in memory.
    fn emit(
        &mut self,
        from: Loc,
        to: Loc,
        class: RegClass,
        busy: PRegSet,
        scratch: &mut impl Scratch,
        emit: &mut impl FnMut(Loc, Loc, RegClass),
    ) {
        if !(scratch.is_memory(from) && scratch.is_memory(to)) {
            emit(from, to, class);
        } else if let Some(reg) = scratch.free_reg(class, busy) {
            emit(from, Loc::reg(reg), class);
            emit(Loc::reg(reg), to, class);
        } else if let Some(reg) = scratch.any_reg(class) {
            let saved = scratch.slot(class);
            emit(Loc::reg(reg), saved, class);
            emit(from, Loc::reg(reg), class);
            emit(Loc::reg(reg), to, class);
            emit(saved, Loc::reg(reg), class);
        } else {
            self.exhausted = Some(class);
        }
    }
}
