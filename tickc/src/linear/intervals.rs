//! The interval of each virtual register: when it needs a home, which registers that may be, which one it would like.

use std::fmt::Write;

use regalloc_linearscan::{Hint, Interval};

use super::allocate::Registers;
use super::flow::Flow;
use crate::ir::shape::{Barrier, Life, Shape, position};
use crate::ir::{Function, Op, Record, VReg};

/// Where a virtual register stands among the intervals.
const NONE: u32 = u32::MAX;
/// It stands for loads that are part of the next instruction.
const FOLDED: u32 = u32::MAX - 1;

/// The intervals of one function.
#[derive(Default)]
pub(super) struct Intervals {
    /// In order of their starts.
    pub(super) all: Vec<Interval>,
    /// The virtual register of each.
    pub(super) vregs: Vec<VReg>,
    /// By virtual register, its interval, [`NONE`], or [`FOLDED`].
    index: Vec<u32>,
    /// With loops entered anywhere: intervals and their registers, to be sorted.
    unsorted: Vec<(Interval, VReg)>,
}

impl Intervals {
    /// Whether a virtual register stands for loads that are part of the next instruction.
    #[inline]
    pub(super) fn is_folded(&self, reg: VReg) -> bool {
        self.index[reg as usize] == FOLDED
    }

    /// Writes down which registers values should have so that they are where they are returned: they, and what they are
    /// computed from.
    #[inline]
    pub(super) fn wish(&mut self, f: &Function, shape: &mut Shape, registers: &Registers) {
        for i in 0..shape.returned.len() {
            let mut reg = shape.returned[i];
            let is_float = f.ret.is_float();
            let wish = registers.result(is_float);
            while let Some(life) = shape.lives.get_mut(reg as usize) {
                if life.wish().is_some() {
                    break;
                }
                life.set_wish(wish);
                let at = life.start();
                let Some(Record { a, .. }) = f.records.get(at as usize).copied().filter(|r| inherits(r, reg)) else {
                    break;
                };
                let from = shape.lives[a as usize];
                if !from.ends_at(at) || from.ty().is_float() != is_float {
                    break;
                }
                reg = a;
            }
        }
    }

    /// Makes the intervals. `arrivals`: the register in which each parameter arrives, `None` for the stack.
    #[inline]
    pub(super) fn build(
        &mut self,
        f: &Function,
        shape: &mut Shape,
        flow: &Flow,
        registers: &Registers,
        arrivals: &[Option<u8>],
    ) {
        self.all.clear();
        self.vregs.clear();
        self.unsorted.clear();
        self.index.clear();
        self.index.resize(shape.lives.len(), NONE);
        let mut barriers = Barriers { next: 0, next_call: 0 };
        if shape.has_forwards {
            for &reg in shape.forwards.iter().filter(|&&reg| reg != Shape::NO_FORWARD) {
                self.index[reg as usize] = FOLDED;
            }
        }
        let taken = self.parameters(f, shape, flow, registers, arrivals, &mut barriers);
        for &(reg, _) in &f.zeroed {
            let life = shape.lives[reg as usize];
            if life.end() != 0 {
                let (start, end) = flow.extent(life, true);
                let allowed = barriers.allowed(&shape.barriers, start, end, registers, life) & !taken;
                self.push(reg, Interval { start, end, allowed, hint: Hint::NONE }, flow);
            }
        }
        for reg in f.params.len() as u32..shape.lives.len() as u32 {
            let life = shape.lives[reg as usize];
            if life.end() == 0 || self.index[reg as usize] != NONE {
                continue;
            }
            let at = life.start();
            let record = f.records.get(at as usize).copied().unwrap_or(f.records[0]);
            let (start, end) = flow.extent(life, false);
            let allowed = barriers.allowed(&shape.barriers, start, end, registers, life);
            let hint = match life.wish() {
                Some(wish) => Hint::register(wish),
                None => self.inherited(shape, &record, at, reg),
            };
            self.push(reg, Interval { start, end, allowed, hint }, flow);
        }
        if flow.is_region() {
            self.sort();
        }
    }

    /// Intervals of the parameters: nobody gets the register in which another one arrives, so that they can be moved in any order.
    /// Returns the registers in which they arrive.
    fn parameters(
        &mut self,
        f: &Function,
        shape: &Shape,
        flow: &Flow,
        registers: &Registers,
        arrivals: &[Option<u8>],
        barriers: &mut Barriers,
    ) -> u64 {
        let is_read = |reg: usize| shape.lives[reg].end() != 0;
        let mask = |reg: usize| arrivals[reg].filter(|_| is_read(reg)).map_or(0, |arrival| 1 << arrival);
        let taken = (0..f.params.len()).fold(0u64, |all, reg| all | mask(reg));
        for reg in (0..f.params.len()).filter(|&reg| is_read(reg)) {
            let life = shape.lives[reg];
            let (start, end) = flow.extent(life, true);
            let allowed = barriers.allowed(&shape.barriers, start, end, registers, life) & !(taken & !mask(reg));
            let hint = match arrivals[reg] {
                Some(arrival) => Hint::register(arrival),
                None => Hint::NONE,
            };
            self.push(reg as VReg, Interval { start, end, allowed, hint }, flow);
        }
        taken
    }

    #[inline(always)]
    fn push(&mut self, reg: VReg, interval: Interval, flow: &Flow) {
        if flow.is_region() {
            self.index[reg as usize] = 0;
            return self.unsorted.push((interval, reg));
        }
        self.index[reg as usize] = self.all.len() as u32;
        self.all.push(interval);
        self.vregs.push(reg);
    }

    #[cold]
    fn sort(&mut self) {
        self.unsorted.sort_by_key(|(interval, _)| interval.start);
        for &(interval, reg) in &self.unsorted {
            self.index[reg as usize] = self.all.len() as u32;
            // Hints by index would point elsewhere now.
            self.all.push(Interval { hint: Hint::NONE, ..interval });
            self.vregs.push(reg);
        }
    }

    /// The register of an operand that dies where this value is born.
    #[inline(always)]
    fn inherited(&self, shape: &Shape, record: &Record, at: u32, reg: VReg) -> Hint {
        if !inherits(record, reg) {
            return Hint::NONE;
        }
        if shape.lives[record.a as usize].ends_at(at) {
            return Hint::like(self.index[record.a as usize]);
        }
        if record.op == Op::Binary && shape.lives[record.b as usize].ends_at(at) {
            return Hint::like(self.index[record.b as usize]);
        }
        Hint::NONE
    }

    /// The intervals as text.
    pub(super) fn print(&self) -> String {
        let mut text = String::new();
        for (interval, reg) in self.all.iter().zip(&self.vregs) {
            let _ = writeln!(text, "    v{reg}: {}..{}", interval.start, interval.end);
        }
        text
    }
}

/// Whether the result of a record may well have the register of its first operand.
#[inline(always)]
fn inherits(record: &Record, reg: VReg) -> bool {
    matches!(record.op, Op::Copy | Op::Binary | Op::BinaryImm | Op::Unary | Op::Convert) && record.dst == reg
}

/// Walks along the barriers as the starts of intervals ascend.
struct Barriers {
    next: usize,
    next_call: usize,
}

impl Barriers {
    /// The registers that an interval may have: all of its class but those that some record in its midst wants.
    #[inline(always)]
    fn allowed(&mut self, all: &[Barrier], start: u32, end: u32, registers: &Registers, life: Life) -> u64 {
        let class = registers.class(life.ty());
        if self.next == all.len() {
            return class;
        }
        self.allowed_across(all, start, end, registers, class)
    }

    fn allowed_across(&mut self, all: &[Barrier], start: u32, end: u32, registers: &Registers, class: u64) -> u64 {
        let crosses = |at: usize| all.get(at).is_some_and(|barrier| position(barrier.index) + 1 < end);
        while all.get(self.next).is_some_and(|barrier| position(barrier.index) <= start) {
            self.next += 1;
        }
        self.next_call = self.next_call.max(self.next);
        while all.get(self.next_call).is_some_and(|barrier| !barrier.call) {
            self.next_call += 1;
        }
        if crosses(self.next_call) {
            class & registers.preserved
        } else if crosses(self.next) {
            class & !registers.spare
        } else {
            class
        }
    }
}
