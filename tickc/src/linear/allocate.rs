//! Homes: a register or a slot for each interval.
//!
//! The first round gives every interval a register or nothing. If one is left over, a second round keeps some registers back, with
//! which operations reach what lies in memory; whoever gets no register then has a slot for all of its life.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write;

use regalloc_linearscan::{Interval, IntervalScan};

use super::intervals::Intervals;
use crate::ir::shape::{Shape, position};
use crate::ir::VReg;
use crate::types::Type;

/// What the allocator must know of a machine: sets of registers as masks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers {
    /// All that are given out, of both classes.
    pub(crate) ints: u64,
    pub(crate) floats: u64,
    /// Those that calls preserve.
    pub(crate) preserved: u64,
    /// Those that demanding operations need for themselves, of both classes.
    pub(crate) spare: u64,
    /// Where integers and floats are returned.
    pub(crate) results: [u8; 2],
}

impl Registers {
    #[inline]
    pub(super) fn class(&self, ty: Type) -> u64 {
        if ty.is_float() { self.floats } else { self.ints }
    }

    #[inline]
    pub(super) fn result(&self, is_float: bool) -> u8 {
        self.results[usize::from(is_float)]
    }
}

/// Where a virtual register lives, and how long: bits 0–7 the place, 8–31 the position of its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Home(u32);

impl Home {
    /// Nowhere: nobody reads it.
    pub(crate) const NOWHERE: u8 = 64;
    /// A load that is part of the instruction behind it.
    pub(crate) const FOLDED: u8 = 65;
    /// In a slot, which [`Allocation::slot`] tells.
    pub(crate) const SLOT: u8 = 66;

    const fn new(place: u8, end: u32) -> Home {
        Home(place as u32 | end << 8)
    }

    /// A register, or one of the constants.
    #[inline(always)]
    pub(crate) const fn place(self) -> u8 {
        self.0 as u8
    }

    /// The position behind which nobody reads it.
    #[inline(always)]
    pub(crate) const fn end(self) -> u32 {
        self.0 >> 8
    }
}

/// Where everything lives.
#[derive(Default)]
pub(crate) struct Allocation {
    /// By virtual register.
    pub(crate) homes: Vec<Home>,
    /// By virtual register, if there are slots.
    slots: Vec<u32>,
    /// Number of slots.
    pub(crate) slot_count: u32,
    /// By barrier: the registers of what is alive before and after it.
    pub(crate) busy: Vec<u32>,
    /// All registers that are anybody's home.
    pub(crate) used: u32,
    /// Whether the registers of [`Registers::spare`] are nobody's.
    pub(crate) has_spare: bool,
}

impl Allocation {
    /// The slot of a virtual register whose home is one.
    #[inline]
    pub(crate) fn slot(&self, reg: VReg) -> u32 {
        self.slots[reg as usize]
    }
}

/// Buffers of the allocation.
#[derive(Default)]
pub(super) struct Allocator {
    scan: IntervalScan,
    /// The register of each interval.
    places: Vec<Option<u8>>,
    /// The intervals of the second round.
    fewer: Vec<Interval>,
    /// Slots in use, and until when; those that are free again.
    slots_in_use: BinaryHeap<Reverse<(u32, u32)>>,
    free_slots: Vec<u32>,
    result: Allocation,
}

impl Allocator {
    pub(super) fn allocation(&self) -> &Allocation {
        &self.result
    }

    /// A home for each virtual register.
    #[inline]
    pub(super) fn run(&mut self, intervals: &Intervals, shape: &Shape, registers: &Registers) {
        let result = &mut self.result;
        (result.slot_count, result.used, result.has_spare) = (0, 0, false);
        let preferred = !registers.preserved;
        if self.scan.run(&intervals.all, preferred, &mut self.places) != 0 {
            self.again(intervals, shape, registers);
        }
        self.settle(intervals, shape);
    }

    /// The second round only.
    #[cold]
    pub(super) fn run_with_spare(&mut self, intervals: &Intervals, shape: &Shape, registers: &Registers) {
        (self.result.slot_count, self.result.used) = (0, 0);
        self.again(intervals, shape, registers);
        self.settle(intervals, shape);
    }

    /// The second round.
    #[cold]
    fn again(&mut self, intervals: &Intervals, shape: &Shape, registers: &Registers) {
        self.fewer.clear();
        let less = |interval: &Interval| Interval { allowed: interval.allowed & !registers.spare, ..*interval };
        self.fewer.extend(intervals.all.iter().map(less));
        self.scan.run(&self.fewer, !registers.preserved, &mut self.places);
        self.result.has_spare = true;
        self.result.slots.clear();
        self.result.slots.resize(shape.lives.len(), 0);
        self.slots_in_use.clear();
        self.free_slots.clear();
        for (i, interval) in intervals.all.iter().enumerate() {
            if self.places[i].is_some() {
                continue;
            }
            while let Some(&Reverse((end, slot))) = self.slots_in_use.peek()
                && end <= interval.start
            {
                self.slots_in_use.pop();
                self.free_slots.push(slot);
            }
            let slot = self.free_slots.pop().unwrap_or_else(|| {
                self.result.slot_count += 1;
                self.result.slot_count - 1
            });
            self.result.slots[intervals.vregs[i] as usize] = slot;
            self.slots_in_use.push(Reverse((interval.end, slot)));
        }
    }

    /// From intervals to virtual registers.
    #[inline]
    fn settle(&mut self, intervals: &Intervals, shape: &Shape) {
        let result = &mut self.result;
        result.homes.clear();
        result.homes.extend((0..shape.lives.len() as u32).map(|reg| {
            let is_folded = intervals.is_folded(reg);
            // Which nobody reads behind the next record; it is not dead at its own.
            if is_folded { Home::new(Home::FOLDED, 0xff_ffff) } else { Home::new(Home::NOWHERE, 0) }
        }));
        result.busy.clear();
        result.busy.resize(shape.barriers.len(), 0);
        let mut first = 0;
        for (i, interval) in intervals.all.iter().enumerate() {
            let home = &mut result.homes[intervals.vregs[i] as usize];
            let Some(place) = self.places[i] else {
                *home = Home::new(Home::SLOT, interval.end);
                continue;
            };
            *home = Home::new(place, interval.end);
            result.used |= 1 << place;
            while shape.barriers.get(first).is_some_and(|barrier| position(barrier.index) <= interval.start) {
                first += 1;
            }
            for (busy, barrier) in result.busy[first..].iter_mut().zip(&shape.barriers[first..]) {
                if position(barrier.index) >= interval.end {
                    break;
                }
                *busy |= 1 << place;
            }
        }
    }

    /// The homes as text.
    pub(super) fn print(&self, intervals: &Intervals) -> String {
        let mut text = String::new();
        for (place, reg) in self.places.iter().zip(&intervals.vregs) {
            let _ = match place {
                Some(place) => writeln!(text, "    v{reg}: register {place}"),
                None => writeln!(text, "    v{reg}: slot {}", self.result.slot(*reg)),
            };
        }
        text
    }

    /// No two intervals that overlap have the same register.
    #[cfg(debug_assertions)]
    pub(super) fn check(&self, intervals: &Intervals) {
        let mut ends = [(0, 0); 64];
        for (i, interval) in intervals.all.iter().enumerate() {
            if let Some(place) = self.places[i] {
                let (end, holder) = ends[usize::from(place)];
                assert!(end <= interval.start, "v{holder} and v{} share a register", intervals.vregs[i]);
                ends[usize::from(place)] = (interval.end, intervals.vregs[i]);
            }
        }
    }
}
