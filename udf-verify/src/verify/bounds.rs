//! The second walk: an [`Interval`] for every register, and from them a verdict for every load.
//!
//! Arms of an `if` start from what the comparison tells and are joined at its `end`; an arm that leaves contributes nothing.
//! At the head of a loop every register that its body writes is unknown, but for those to which it only adds constants:
//! after at most MAX rounds they are at most MAX times the sum of one round away. So one walk is enough.
//!
//! # Invariant
//! - B1: whenever a run is at an instruction, every register is a member of its interval there. (Tested on every run of the
//!   differential tests; compiled code relies on it where a load is proved.)
#![forbid(unsafe_code)]

use super::MAX_DEPTH;
use super::interval::Interval;
use super::structure::Structure;
use crate::opcode::{Comparison, Form};
use crate::program::{Header, Inst, Operand};

/// What is known of a load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Always inside the unit: the code needs no check.
    Proved,
    /// Checked when run.
    Checked,
    /// Never come to.
    Unreached,
}

/// A load and its verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoadReport {
    /// Its place.
    pub slot: u32,
    /// Its verdict.
    pub verdict: Verdict,
    /// What its base register can be (0 without one).
    pub base: Interval,
    /// Index of the instruction that the base's interval comes from.
    pub(crate) from: u32,
}

/// Told the intervals of all registers at every load that can be come to: for tests of the analysis.
pub trait Observer {
    /// The load at `slot` is come to with registers that are members of these intervals.
    fn at_load(&mut self, slot: u32, registers: &[Interval; 32]);
}

/// A load that always faults (or, in a strict function, might).
#[derive(Clone, Copy, Debug)]
pub(super) struct LoadFault {
    /// Index of the instruction.
    pub(super) index: u32,
    pub(super) base: Interval,
    pub(super) from: u32,
    /// Whether it is only that a strict function has no checked loads.
    pub(super) strict: bool,
}

/// A register's interval, and the instruction that it comes from.
#[derive(Clone, Copy)]
struct Register {
    is: Interval,
    from: u32,
}

/// No instruction: the register is as it was at the start.
pub(super) const AT_START: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct State {
    registers: [Register; 32],
    /// Whether the place can be come to at all.
    live: bool,
}

const START: State = State { registers: [Register { is: Interval::constant(0), from: AT_START }; 32], live: true };

impl State {
    #[inline]
    fn value(&self, operand: Operand) -> Interval {
        match operand {
            Operand::Reg(r) => self.registers[usize::from(r & 31)].is,
            Operand::Imm(value) => Interval::constant(value),
            Operand::None => Interval::constant(0),
        }
    }

    #[inline]
    fn set(&mut self, register: u8, is: Interval, from: u32) {
        self.registers[usize::from(register & 31)] = Register { is, from };
    }

    /// Replaces what is known of an operand by something narrower.
    #[inline]
    fn narrow(&mut self, operand: Operand, is: Interval, from: u32) {
        if let Operand::Reg(r) = operand
            && self.value(operand) != is
        {
            self.set(r, is, from);
        }
    }

    /// What is known where two ways meet.
    fn join(&mut self, other: &State) {
        if !other.live {
            return;
        }
        if !self.live {
            *self = *other;
            return;
        }
        for (mine, other) in self.registers.iter_mut().zip(&other.registers) {
            if mine.is != other.is {
                // The origin of the larger bound is the better explanation of a load that is out of bounds.
                let from = if other.is.hi() > mine.is.hi() { other.from } else { mine.from };
                *mine = Register { is: mine.is.join(other.is), from };
            }
        }
    }

    /// What holds in the arm of an `if` in which the comparison holds.
    fn assume(&mut self, comparison: Comparison, x: Operand, y: Operand, from: u32) {
        if x == y {
            // One register with itself.
            self.live &= comparison.eval(0, 0);
            return;
        }
        match self.value(x).refine(comparison, self.value(y)) {
            Some((is_x, is_y)) => {
                self.narrow(x, is_x, from);
                self.narrow(y, is_y, from);
            }
            None => self.live = false,
        }
    }
}

/// Walks the instructions; the result has an entry for each load.
pub(super) fn walk(
    structure: &Structure,
    header: &Header,
    mut observer: Option<&mut dyn Observer>,
) -> Result<Vec<LoadReport>, LoadFault> {
    let mut walk = Walk {
        structure,
        header,
        now: START,
        // In an `if`: the state in which its second arm starts, then that in which its first one ended. In a loop: the
        // state behind it.
        stack: Vec::with_capacity(MAX_DEPTH),
        loops: 0,
        loads: Vec::with_capacity(structure.insts.len() / 4),
    };
    for (index, inst) in (0..).zip(&structure.insts) {
        walk.instruction(index, inst, &mut observer)?;
    }
    Ok(walk.loads)
}

struct Walk<'a> {
    structure: &'a Structure,
    header: &'a Header,
    now: State,
    stack: Vec<(State, bool)>,
    /// Loops come to so far.
    loops: usize,
    loads: Vec<LoadReport>,
}

impl Walk<'_> {
    #[inline]
    fn instruction(
        &mut self,
        index: u32,
        inst: &Inst,
        observer: &mut Option<&mut dyn Observer>,
    ) -> Result<(), LoadFault> {
        let &Inst { op, a, x, y, .. } = inst;
        match op.form() {
            Form::LoadImmediate | Form::Move => {
                let value = self.now.value(x);
                self.now.set(a, value, index);
            }
            Form::Binary(alu) => {
                let value = self.now.value(x).apply(alu, self.now.value(y));
                self.now.set(a, value, index);
            }
            Form::Load { width, .. } => {
                self.load(index, inst, width, observer)?;
                let most = u64::MAX >> (64 - 8 * u32::from(width));
                self.now.set(a, Interval::range(0, most), index);
            }
            Form::Argument | Form::Now | Form::Credential => self.now.set(a, Interval::TOP, index),
            Form::If(comparison) => {
                let mut other = self.now;
                self.now.assume(comparison, x, y, index);
                other.assume(comparison.negated(), x, y, index);
                self.stack.push((other, false));
            }
            Form::Else => {
                let (other, _) = self.stack.last_mut().expect("structure: `else` in an `if`");
                std::mem::swap(other, &mut self.now);
            }
            Form::Loop => self.enter_loop(index, inst),
            Form::End => {
                let (other, is_loop) = self.stack.pop().expect("structure: `end` of a block");
                if is_loop {
                    self.now = other;
                } else {
                    self.now.join(&other);
                }
            }
            Form::Break => {
                if self.now.live {
                    let behind = self.stack.iter_mut().rev().find(|(_, is_loop)| *is_loop);
                    behind.expect("structure: `break` in a loop").0.join(&self.now);
                }
                self.now.live = false;
            }
            Form::Next | Form::Return | Form::Fail => self.now.live = false,
            Form::Own => {}
        }
        Ok(())
    }

    fn load(
        &mut self,
        index: u32,
        inst: &Inst,
        width: u8,
        observer: &mut Option<&mut dyn Observer>,
    ) -> Result<(), LoadFault> {
        let Operand::Imm(offset) = inst.y else { unreachable!("decoded: the offset is an immediate") };
        let base = self.now.value(inst.x);
        let from = match inst.x {
            Operand::Reg(r) => self.now.registers[usize::from(r & 31)].from,
            _ => index,
        };
        let mut report = LoadReport { slot: inst.slot, verdict: Verdict::Unreached, base, from };
        if self.now.live {
            if let Some(observer) = observer {
                observer.at_load(inst.slot, &self.now.registers.map(|register| register.is));
            }
            // Of the first byte that may be loaded: the base at which it is the first byte of all, and the last.
            let offset = i128::from(offset as i64);
            let size = if self.header.unit == 0 { i128::from(i64::MAX) } else { i128::from(self.header.unit) };
            let (first, last) = (-offset, size - i128::from(width) - offset);
            let (lo, hi) = (i128::from(base.lo()), i128::from(base.hi()));
            let fault = |strict| Err(LoadFault { index, base, from, strict });
            if hi < first || lo > last {
                return fault(false);
            }
            report.verdict =
                if self.header.unit != 0 && first <= lo && hi <= last { Verdict::Proved } else { Verdict::Checked };
            if report.verdict == Verdict::Checked {
                if self.header.flags & crate::program::flags::STRICT != 0 {
                    return fault(true);
                }
                // Behind it, the check has held.
                let clamp = |v: i128| u64::try_from(v.max(0)).unwrap_or(u64::MAX);
                match base.within(clamp(first), clamp(last)) {
                    Some(base) => self.now.narrow(inst.x, base, index),
                    // No member has the right residue.
                    None => return fault(false),
                }
            }
        }
        self.loads.push(report);
        Ok(())
    }

    fn enter_loop(&mut self, index: u32, inst: &Inst) {
        let Operand::Imm(max) = inst.y else { unreachable!("decoded: MAX is an immediate") };
        let effect = self.structure.effects[self.loops];
        self.loops += 1;
        let count = self.now.value(inst.x);
        // A count above MAX faults.
        match count.within(0, max) {
            Some(within) => self.now.narrow(inst.x, within, index),
            None => self.now.live = false,
        }
        let most = count.hi().min(max);
        let mut behind = self.now;
        let mut written = effect.written;
        while written != 0 {
            let register = written.trailing_zeros() as u8;
            written &= written - 1;
            self.now.set(register, Interval::TOP, index);
            behind.set(register, Interval::TOP, index);
        }
        let (first, last) = effect.advances;
        for advance in &self.structure.advances[first as usize..last as usize] {
            let Register { is, from } = self.now.registers[usize::from(advance.register)];
            let at_head = is.advanced(most.saturating_sub(1), advance.step, advance.log2);
            self.now.set(advance.register, at_head, from);
            behind.set(advance.register, is.advanced(most, advance.step, advance.log2), from);
        }
        // Without a round, the registers are as they were; that is a member of what `advanced` gives, too.
        behind.set(inst.a, Interval::range(count.lo().min(most), most), index);
        self.now.live &= most != 0;
        self.now.set(inst.a, Interval::range(0, most.saturating_sub(1)), index);
        self.stack.push((behind, true));
    }
}
