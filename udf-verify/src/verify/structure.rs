//! The first walk: decodes, checks that blocks nest and counters are left alone, computes cost and tuples, links blocks, and
//! collects what each loop does to the registers.
//!
//! The cost of an instruction is 1; an `if` adds its larger arm, a `loop` MAX × (body + 1). `else` and `end` are free. Tuples:
//! an `own` is 1. All sums saturate.
#![forbid(unsafe_code)]

use super::{Limits, MAX_DEPTH, exact_flags};
use crate::binary::{self, FormError};
use crate::opcode::{ARGUMENTS, Alu, CREDENTIALS, Form, Op};
use crate::program::{Header, Inst, Kind, Operand, flags};

/// What is wrong with an instruction.
#[derive(Clone, Copy, Debug)]
pub(super) enum StructureError {
    Form(FormError),
    /// `end` or `else` without a block.
    Unmatched {
        slot: u32,
        op: Op,
    },
    /// The block that starts at the first slot is never ended; the second one is that of the end of the code.
    Unterminated {
        slot: u32,
        op: Op,
    },
    ElseOfLoop {
        slot: u32,
        block: u32,
    },
    SecondElse {
        slot: u32,
        block: u32,
    },
    OutsideLoop {
        slot: u32,
        op: Op,
    },
    TooDeep {
        slot: u32,
    },
    WritesCounter {
        slot: u32,
        register: u8,
        block: u32,
    },
    NotForKind {
        slot: u32,
        kind: Kind,
        op: Op,
    },
    Argument {
        slot: u32,
        number: u64,
    },
    Credential {
        slot: u32,
        number: u64,
    },
    Reason {
        slot: u32,
        number: u64,
    },
    Flags {
        found: u8,
        expected: u8,
    },
}

/// What a loop costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoopReport {
    /// Its place.
    pub slot: u32,
    /// How many loops it lies in.
    pub depth: u32,
    /// Its MAX.
    pub max: u64,
    /// Worst-case cost each time it is come to, itself included.
    pub cost: u64,
    /// Worst-case cost in a whole run: `cost` times the MAX of every loop around it.
    pub total: u64,
    /// Tuples that it adds in the worst case each time it is come to.
    pub tuples: u64,
}

/// What one loop does to the registers, in all of its body.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LoopEffect {
    /// Registers that may get any value.
    pub(super) written: u32,
    /// Its entries of [`Structure::advances`].
    pub(super) advances: (u32, u32),
}

/// A register to which a loop does nothing but add constants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Advance {
    pub(super) register: u8,
    /// The sum of one round, at most.
    pub(super) step: u64,
    /// log2 of what every addend is a multiple of.
    pub(super) log2: u8,
}

/// What the walk found.
#[derive(Debug, Default)]
pub(super) struct Structure {
    pub(super) insts: Vec<Inst>,
    /// In the order of their starts, as `loops`.
    pub(super) effects: Vec<LoopEffect>,
    pub(super) advances: Vec<Advance>,
    pub(super) loops: Vec<LoopReport>,
    pub(super) cost: u64,
    pub(super) tuples: u64,
}

/// A block that is open.
#[derive(Clone, Copy)]
struct Frame {
    /// Index of its first instruction, and of its `else`.
    start: u32,
    middle: Option<u32>,
    is_loop: bool,
    /// Number of the loop.
    number: u32,
    max: u64,
    /// Cost and tuples up to the block; then those of its first arm.
    outer: Totals,
    arm: Totals,
    written: u32,
    /// Registers advanced, and by how much.
    advanced: u32,
    steps: [(u64, u8); 32],
}

#[derive(Clone, Copy, Default)]
struct Totals {
    cost: u64,
    tuples: u64,
}

const EMPTY: Frame = Frame {
    start: 0,
    middle: None,
    is_loop: false,
    number: 0,
    max: 0,
    outer: Totals { cost: 0, tuples: 0 },
    arm: Totals { cost: 0, tuples: 0 },
    written: 0,
    advanced: 0,
    steps: [(0, 0); 32],
};

struct Walk<'a> {
    header: &'a Header,
    found: Structure,
    frames: [Frame; MAX_DEPTH],
    depth: usize,
    /// Registers that are counters of open loops.
    counters: u32,
    now: Totals,
    /// Flags that the arguments read so far ask for.
    used: u8,
}

/// Walks the code. On an error, what comes before it is still there, and the loops that are open are taken to write every
/// register.
pub(super) fn walk(code: &[u8], header: &Header, types: u32) -> (Structure, Option<StructureError>) {
    let slots = (code.len() / 8) as u32;
    let found = Structure { insts: Vec::with_capacity(slots as usize), ..Structure::default() };
    let mut walk =
        Walk { header, found, frames: [EMPTY; MAX_DEPTH], depth: 0, counters: 0, now: Totals::default(), used: 0 };
    let mut error = None;
    let mut slot = 0;
    while slot < slots {
        let step = binary::decode_inst(code, slot, types).map_err(StructureError::Form);
        match step.and_then(|(inst, size)| walk.instruction(inst).map(|()| size)) {
            Ok(size) => slot += size,
            Err(e) => {
                error = Some(e);
                break;
            }
        }
    }
    if error.is_none()
        && let Some(open) = walk.frames[..walk.depth].last()
    {
        let Inst { slot, op, .. } = walk.found.insts[open.start as usize];
        error = Some(StructureError::Unterminated { slot, op });
    }
    if error.is_none() && !exact_flags(header, walk.used) {
        error = Some(StructureError::Flags { found: header.flags, expected: header.flags & flags::STRICT | walk.used });
    }
    for frame in walk.frames[..walk.depth].iter().filter(|frame| frame.is_loop) {
        walk.found.effects[frame.number as usize].written = u32::MAX;
    }
    walk.found.cost = walk.now.cost;
    walk.found.tuples = walk.now.tuples;
    walk.found.finish_totals();
    (walk.found, error)
}

impl Walk<'_> {
    #[inline]
    fn instruction(&mut self, mut inst: Inst) -> Result<(), StructureError> {
        let Inst { op, slot, a, x, y, .. } = inst;
        let form = op.form();
        let index = self.found.insts.len() as u32;
        if form.writes() {
            if self.counters >> a & 1 != 0 {
                return Err(self.writes_counter(slot, a));
            }
            self.note_write(form, a, x, y);
        }
        if !matches!(form, Form::Else | Form::End) {
            self.now.cost = self.now.cost.saturating_add(1);
        }
        match form {
            Form::If(_) | Form::Loop => self.open(form, &inst, index)?,
            Form::Else => {
                let Some(frame) = self.frames[..self.depth].last_mut() else {
                    return Err(StructureError::Unmatched { slot, op });
                };
                let block = self.found.insts[frame.start as usize].slot;
                if frame.is_loop {
                    return Err(StructureError::ElseOfLoop { slot, block });
                }
                if frame.middle.is_some() {
                    return Err(StructureError::SecondElse { slot, block });
                }
                frame.middle = Some(index);
                frame.arm = std::mem::take(&mut self.now);
                self.found.insts[frame.start as usize].link = index;
            }
            Form::End => inst.link = self.close(slot, index)?,
            Form::Break | Form::Next => {
                let innermost = self.frames[..self.depth].iter().rev().find(|frame| frame.is_loop);
                let Some(frame) = innermost else { return Err(StructureError::OutsideLoop { slot, op }) };
                inst.link = frame.start;
            }
            Form::Own => self.now.tuples = self.now.tuples.saturating_add(1),
            Form::Now | Form::Credential if self.header.kind == Kind::Owns => {
                return Err(StructureError::NotForKind { slot, kind: self.header.kind, op });
            }
            Form::Credential => {
                if let Operand::Imm(number @ CREDENTIALS..) = x {
                    return Err(StructureError::Credential { slot, number });
                }
            }
            Form::Argument => match x {
                Operand::Imm(number @ ARGUMENTS..) => return Err(StructureError::Argument { slot, number }),
                Operand::Imm(0) => self.used |= flags::READS_BLOCK,
                _ => self.used |= flags::READS_UNIT,
            },
            Form::Fail => {
                if let Operand::Imm(number) = x
                    && number > u64::from(u32::MAX)
                {
                    return Err(StructureError::Reason { slot, number });
                }
            }
            Form::LoadImmediate | Form::Move | Form::Binary(_) | Form::Load { .. } | Form::Return | Form::Now => {}
        }
        self.found.insts.push(inst);
        Ok(())
    }

    #[cold]
    fn writes_counter(&self, slot: u32, register: u8) -> StructureError {
        let owner = self.frames[..self.depth]
            .iter()
            .find(|frame| frame.is_loop && self.found.insts[frame.start as usize].a == register);
        let block = owner.map_or(0, |frame| self.found.insts[frame.start as usize].slot);
        StructureError::WritesCounter { slot, register, block }
    }

    /// Notes in the innermost loop that a register is written.
    #[inline]
    fn note_write(&mut self, form: Form, a: u8, x: Operand, y: Operand) {
        let Some(frame) = self.frames[..self.depth].iter_mut().rev().find(|frame| frame.is_loop) else { return };
        let itself = Operand::Reg(a);
        match (form, x, y) {
            (Form::Binary(Alu::Add), r, Operand::Imm(step)) | (Form::Binary(Alu::Add), Operand::Imm(step), r)
                if r == itself =>
            {
                frame.advance(a, step, step.trailing_zeros() as u8);
            }
            _ => frame.written |= 1 << a,
        }
    }

    #[inline]
    fn open(&mut self, form: Form, inst: &Inst, index: u32) -> Result<(), StructureError> {
        if self.depth == MAX_DEPTH {
            return Err(StructureError::TooDeep { slot: inst.slot });
        }
        let is_loop = form == Form::Loop;
        let frame = &mut self.frames[self.depth];
        // The table of steps is cleared by whoever reads it.
        frame.start = index;
        frame.middle = None;
        frame.is_loop = is_loop;
        frame.outer = std::mem::take(&mut self.now);
        frame.arm = Totals::default();
        if is_loop {
            let Operand::Imm(max) = inst.y else { unreachable!("decoded: MAX is an immediate") };
            frame.max = max;
            frame.number = self.found.loops.len() as u32;
            (frame.written, frame.advanced) = (0, 0);
            let depth = self.frames[..self.depth].iter().filter(|frame| frame.is_loop).count() as u32;
            self.found.loops.push(LoopReport { slot: inst.slot, depth, max, cost: 0, total: 0, tuples: 0 });
            self.found.effects.push(LoopEffect::default());
            self.counters |= 1 << inst.a;
        }
        self.depth += 1;
        Ok(())
    }

    /// Ends the innermost block; the result is the index of its first instruction.
    #[inline]
    fn close(&mut self, slot: u32, index: u32) -> Result<u32, StructureError> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return Err(StructureError::Unmatched { slot, op: Op::End });
        };
        self.depth = depth;
        let (outer_frames, rest) = self.frames.split_at_mut(depth);
        let frame = &mut rest[0];
        let (start, body) = (frame.start, self.now);
        let inner = if frame.is_loop {
            let max = frame.max;
            let number = frame.number as usize;
            let inner = Totals {
                cost: body.cost.saturating_add(1).saturating_mul(max),
                tuples: body.tuples.saturating_mul(max),
            };
            self.found.loops[number].cost = inner.cost.saturating_add(1);
            self.found.loops[number].tuples = inner.tuples;
            self.counters &= !(1 << self.found.insts[start as usize].a);
            let around = outer_frames.iter_mut().rev().find(|frame| frame.is_loop);
            self.found.effects[number] = frame.take_effect(around, &mut self.found.advances);
            inner
        } else {
            Totals { cost: frame.arm.cost.max(body.cost), tuples: frame.arm.tuples.max(body.tuples) }
        };
        self.now = Totals {
            cost: frame.outer.cost.saturating_add(inner.cost),
            tuples: frame.outer.tuples.saturating_add(inner.tuples),
        };
        let last = frame.middle.unwrap_or(start);
        self.found.insts[last as usize].link = index;
        Ok(start)
    }
}

impl Frame {
    #[inline]
    fn advance(&mut self, register: u8, step: u64, log2: u8) {
        let slot = &mut self.steps[usize::from(register)];
        let (sum, least) = if self.advanced >> register & 1 != 0 { *slot } else { (0, 64) };
        *slot = (sum.saturating_add(step), least.min(log2));
        self.advanced |= 1 << register;
    }

    /// What the loop does, told to the loop around it as well.
    fn take_effect(&mut self, mut around: Option<&mut Frame>, advances: &mut Vec<Advance>) -> LoopEffect {
        if let Some(around) = &mut around {
            around.written |= self.written;
        }
        let first = advances.len() as u32;
        let mut registers = self.advanced & !self.written;
        while registers != 0 {
            let register = registers.trailing_zeros() as u8;
            registers &= registers - 1;
            let (step, log2) = self.steps[usize::from(register)];
            advances.push(Advance { register, step, log2 });
            if let Some(around) = &mut around {
                around.advance(register, step.saturating_mul(self.max), log2);
            }
        }
        LoopEffect { written: self.written, advances: (first, advances.len() as u32) }
    }
}

/// The function as a whole is too much.
#[derive(Clone, Copy, Debug)]
pub(super) enum Excess {
    Cost { limit: u64 },
    Tuples { limit: u64 },
}

impl Structure {
    /// Fills in [`LoopReport::total`]: loops stand in the order of their starts, so those around come first.
    fn finish_totals(&mut self) {
        let mut around = [1u64; MAX_DEPTH + 1];
        for report in &mut self.loops {
            let depth = report.depth as usize;
            report.total = report.cost.saturating_mul(around[depth]);
            around[depth + 1] = around[depth].saturating_mul(report.max);
        }
    }

    pub(super) fn check_totals(&self, header: &Header, limits: &Limits) -> Result<(), Excess> {
        if self.cost > header.fuel {
            return Err(Excess::Cost { limit: header.fuel });
        }
        if self.tuples > limits.tuples {
            return Err(Excess::Tuples { limit: limits.tuples });
        }
        Ok(())
    }
}
