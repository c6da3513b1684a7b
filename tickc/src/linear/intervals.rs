//! The interval of each virtual register: when it needs a home, which registers that may be, which one it would like.

use std::fmt::Write;

use regalloc_linearscan::{Hint, Interval};

use super::allocate::Registers;
use super::flow::Flow;
use crate::ir::shape::{Barrier, Life, Shape, position};
use crate::ir::{Function, Op, Record, VReg};
use crate::machine::BinaryOp;

/// Where a virtual register stands among the intervals.
const NONE: u32 = u32::MAX;
/// It is a load that is part of the next instruction.
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
    /// The interval of a virtual register.
    #[inline]
    pub(super) fn of(&self, reg: VReg) -> Option<&Interval> {
        self.all.get(self.index[reg as usize] as usize)
    }

    /// Whether a virtual register is a load that is part of the next instruction.
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
            // A load whose value only the next record reads is part of that one.
            if end == position(at + 1) + (end & 1) && folds(&f.records, at as usize, reg) {
                self.fold(shape, record, position(at + 1) + 1, reg);
                continue;
            }
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

    /// Makes a load part of the next record: what its address is made of lives until then.
    #[inline]
    fn fold(&mut self, shape: &mut Shape, load: Record, until: u32, reg: VReg) {
        self.index[reg as usize] = FOLDED;
        let index = if load.op == Op::LoadX { load.b } else { load.a };
        for part in [load.a, index] {
            let life = &mut shape.lives[part as usize];
            life.set_end(life.end().max(until));
            if let Some(interval) = self.all.get_mut(self.index[part as usize] as usize) {
                interval.end = interval.end.max(until);
            }
        }
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

/// Whether the record `at` is a load of `reg` that can be part of the next record, which is the only one to read it.
#[inline]
fn folds(records: &[Record], at: usize, reg: VReg) -> bool {
    let [load, next, ..] = records[at..] else { return false };
    if !matches!(load.op, Op::Load | Op::LoadX) || load.dst != reg {
        return false;
    }
    match next.op {
        Op::Binary => {
            let op = next.binary_op();
            let in_one = op.is_alu() && !next.ty.is_float() || op == BinaryOp::Mul;
            let of_floats = next.ty.is_float() && matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Div);
            let overwrites = next.dst == load.a || load.op == Op::LoadX && next.dst == load.b;
            (in_one || of_floats) && next.ty.size() >= 4 && next.b == reg && next.a != reg && !overwrites
        }
        Op::BinaryImm => next.binary_op() == BinaryOp::Mul && next.ty.size() >= 4 && next.a == reg,
        Op::Branch | Op::TrapIf | Op::Set => {
            let is_comparison = next.condition().comparison().is_some();
            is_comparison && !next.ty.is_float() && (next.a == reg) != (next.b == reg)
        }
        Op::BranchImm | Op::TrapIfImm | Op::SetImm => !next.ty.is_float(),
        Op::Convert => !next.ty.is_float() && !next.source_type().is_float() && next.dst != reg,
        _ => false,
    }
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
