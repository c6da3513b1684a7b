//! Homes: a register or a slot for each interval.
//!
//! While registers last, and mostly they do, one walk over the lives of virtual registers finds their intervals and gives each a
//! register at once. If they do not last, the intervals are listed, and weighed by how often they are read and written; whoever is
//! worth least has a slot for all of its life. If an operation then finds no register for itself, the same is done
//! once more with a few registers kept back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write;

use regalloc_linearscan::{Hint, Interval, IntervalScan, by_coloring, by_usage};

use super::intervals::{Known, Visitor, Wanted};
use crate::choice;
use crate::ir::shape::{Barrier, Shape, position};
use crate::ir::{ArgValue, Op, VReg};
use crate::jit::RegisterAllocator;

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
    #[inline(always)]
    pub(super) fn class(&self, is_float: bool) -> u64 {
        if is_float { self.floats } else { self.ints }
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
    /// Who gives registers out.
    pub(super) method: RegisterAllocator,
    scan: IntervalScan,
    /// When the scan alone is not enough: all intervals in order, what it costs to have each in memory, and its register.
    wanted: Vec<Wanted>,
    intervals: Vec<Interval>,
    worth: Vec<u32>,
    places: Vec<Option<u8>>,
    /// The interval of each virtual register.
    index: Vec<u32>,
    /// Slots in use, and until when; those that are free again.
    slots_in_use: BinaryHeap<Reverse<(u32, u32)>>,
    free_slots: Vec<u32>,
    result: Allocation,
}

impl Allocator {
    #[inline]
    pub(super) fn allocation(&self) -> &Allocation {
        &self.result
    }

    /// A home for each virtual register.
    #[inline]
    pub(super) fn run(&mut self, known: Known<'_>) {
        let lists = known.flow.is_region() || self.method != RegisterAllocator::LinearScan;
        if lists || !self.run_in_registers(known) {
            self.run_with_slots(known, false);
        }
    }

    fn clear(&mut self, known: Known<'_>) {
        let result = &mut self.result;
        (result.slot_count, result.used, result.has_spare) = (0, 0, false);
        result.homes.clear();
        result.homes.resize(known.shape.lives.len(), Home::new(Home::NOWHERE, 0));
        result.busy.clear();
        result.busy.resize(known.shape.barriers.len(), 0);
        if known.shape.has_forwards {
            for &reg in known.shape.forwards.iter().filter(|&&reg| reg != Shape::NO_FORWARD) {
                result.homes[reg as usize] = Home::new(Home::FOLDED, 0xff_ffff);
            }
        }
    }

    /// While registers last, each interval gets one as soon as it is found. Whether there were enough.
    fn run_in_registers(&mut self, known: Known<'_>) -> bool {
        self.clear(known);
        self.scan.clear();
        let mut placing = Placing {
            scan: &mut self.scan,
            homes: &mut self.result.homes,
            busy: &mut self.result.busy,
            used: 0,
            preferred: !known.registers.preserved,
            barriers: &known.shape.barriers,
            first: 0,
        };
        let all = known.show(&mut placing);
        self.result.used = placing.used;
        all
    }

    /// Whoever gets no register has a slot for all of its life. `spare`: some registers are kept back for operations on slots.
    #[cold]
    pub(super) fn run_with_slots(&mut self, known: Known<'_>, spare: bool) {
        self.clear(known);
        self.result.has_spare = spare;
        self.wanted.clear();
        known.visit(|wanted| {
            self.wanted.push(wanted);
            true
        });
        if self.method == RegisterAllocator::CoarseLinearScan {
            known.coarsen(&mut self.wanted);
        } else if known.flow.is_region() {
            self.wanted.sort_by_key(|wanted| wanted.start);
        }
        self.index.clear();
        self.index.resize(known.shape.lives.len(), u32::MAX);
        self.intervals.clear();
        let kept = if spare { known.registers.spare } else { 0 };
        for (i, &Wanted { reg, start, end, allowed, wish, heir_of }) in self.wanted.iter().enumerate() {
            self.index[reg as usize] = i as u32;
            let hint = match (choice::hint(allowed & !kept, wish), self.index.get(heir_of as usize)) {
                (wish @ 0..64, _) => Hint::register(wish),
                (_, Some(&at)) if at != u32::MAX => Hint::like(at),
                _ => Hint::NONE,
            };
            self.intervals.push(Interval { start, end, allowed: allowed & !kept, hint });
        }
        self.weigh(known);
        let (intervals, preferred, worth) = (&self.intervals, !known.registers.preserved, &self.worth);
        match self.method {
            RegisterAllocator::UsageCounts => by_usage(intervals, preferred, worth, &mut self.places),
            RegisterAllocator::GraphColoring => by_coloring(intervals, preferred, worth, &mut self.places),
            _ => self.scan.run(intervals, preferred, worth, &mut self.places),
        };
        self.settle(known);
    }

    /// What each interval's reads and writes cost in memory, eight times as much for each loop around them; to linear scan, in relation
    /// to its length: a register that a temporary does not take is of little use to others.
    fn weigh(&mut self, known: Known<'_>) {
        self.worth.clear();
        self.worth.resize(self.intervals.len(), 0);
        let mut add = |reg: VReg, cost: u32| {
            if let Some(worth) = self.index.get(reg as usize).and_then(|&i| self.worth.get_mut(i as usize)) {
                *worth = worth.saturating_add(cost);
            }
        };
        let mut depths = known.flow.depths();
        for (at, record) in known.records.iter().enumerate() {
            let cost = 1 << (3 * depths.at(at as u32).min(8));
            record.reads().for_each(|reg| add(reg, cost));
            record.defined().into_iter().for_each(|reg| add(reg, cost));
            if record.op == Op::Call {
                for arg in known.f.args_of(&known.f.calls[record.a as usize]) {
                    if let ArgValue::Reg(reg) = arg.value {
                        add(reg, cost);
                    }
                }
            }
        }
        if matches!(self.method, RegisterAllocator::LinearScan | RegisterAllocator::CoarseLinearScan) {
            for (worth, interval) in self.worth.iter_mut().zip(&self.intervals) {
                // By the power of two of its length: among those that are about as long, what counts is how often they are used.
                let length = interval.end.saturating_sub(interval.start).max(1);
                *worth = ((u64::from(*worth) << 20) >> length.ilog2()).min(u64::from(u32::MAX)) as u32;
            }
        }
    }

    /// From intervals to virtual registers.
    fn settle(&mut self, known: Known<'_>) {
        self.result.slots.clear();
        self.result.slots.resize(known.shape.lives.len(), 0);
        self.slots_in_use.clear();
        self.free_slots.clear();
        let mut first = 0;
        for (wanted, &place) in self.wanted.iter().zip(&self.places) {
            let home = &mut self.result.homes[wanted.reg as usize];
            let Some(place) = place else {
                *home = Home::new(Home::SLOT, wanted.end);
                while let Some(&Reverse((end, slot))) = self.slots_in_use.peek()
                    && end <= wanted.start
                {
                    self.slots_in_use.pop();
                    self.free_slots.push(slot);
                }
                let slot = self.free_slots.pop().unwrap_or_else(|| {
                    self.result.slot_count += 1;
                    self.result.slot_count - 1
                });
                self.result.slots[wanted.reg as usize] = slot;
                self.slots_in_use.push(Reverse((wanted.end, slot)));
                continue;
            };
            *home = Home::new(place, wanted.end);
            self.result.used |= 1 << place;
            first = mark(&known.shape.barriers, &mut self.result.busy, first, wanted.start, wanted.end, 1 << place);
        }
    }

    /// The intervals and homes as text.
    pub(super) fn print(&self, known: Known<'_>, live: bool, alloc: bool) -> String {
        let mut text = String::new();
        known.visit(|Wanted { reg, start, end, .. }| {
            let _ = write!(text, "    v{reg}:");
            if live {
                let _ = write!(text, " {start}..{end}");
            }
            if alloc {
                let _ = match self.result.homes[reg as usize].place() {
                    Home::SLOT => write!(text, " in slot {}", self.result.slot(reg)),
                    place => write!(text, " in register {place}"),
                };
            }
            text.push('\n');
            true
        });
        text
    }

    /// No two intervals that overlap have the same home.
    #[cfg(debug_assertions)]
    pub(super) fn check(&self, known: Known<'_>) {
        let mut all = Vec::new();
        known.visit(|Wanted { reg, start, end, .. }| {
            all.push((start, end, reg));
            true
        });
        all.sort_unstable();
        let mut ends = rustc_hash::FxHashMap::default();
        for (start, end, reg) in all {
            let home = self.result.homes[reg as usize];
            let slot = if home.place() == Home::SLOT { self.result.slot(reg) } else { 0 };
            if let Some((earlier, holder)) = ends.insert((home.place(), slot), (end, reg)) {
                assert!(earlier <= start, "v{holder} and v{reg} share a home");
            }
        }
    }
}

/// Gives each interval a register as soon as it is found.
struct Placing<'a> {
    scan: &'a mut IntervalScan,
    homes: &'a mut [Home],
    busy: &'a mut [u32],
    used: u32,
    preferred: u64,
    barriers: &'a [Barrier],
    /// The first barrier behind the start of the last interval.
    first: usize,
}

impl Visitor for Placing<'_> {
    #[inline(always)]
    fn visit(&mut self, wanted: Wanted) -> bool {
        let hint = match self.homes.get(wanted.heir_of as usize) {
            Some(home) => home.place(),
            None => wanted.wish,
        };
        let (preferred, hint) = (choice::some_of(self.preferred), choice::hint(wanted.allowed, hint));
        let Some(place) = self.scan.place(wanted.start, wanted.end, wanted.allowed, preferred, hint) else {
            return false;
        };
        self.homes[wanted.reg as usize] = Home::new(place, wanted.end);
        self.used |= 1 << place;
        if self.first < self.barriers.len() {
            self.first = mark(self.barriers, self.busy, self.first, wanted.start, wanted.end, 1 << place);
        }
        true
    }

    #[inline(always)]
    fn is_done(&self, reg: VReg) -> bool {
        self.homes[reg as usize].place() != Home::NOWHERE
    }
}

/// Marks a register as busy at the barriers that lie within an interval. Returns the first barrier behind the interval's start.
#[inline]
fn mark(barriers: &[Barrier], busy: &mut [u32], mut first: usize, start: u32, end: u32, bit: u32) -> usize {
    while barriers.get(first).is_some_and(|barrier| position(barrier.index) <= start) {
        first += 1;
    }
    for (busy, barrier) in busy[first..].iter_mut().zip(&barriers[first..]) {
        if position(barrier.index) >= end {
            break;
        }
        *busy |= bit;
    }
    first
}
