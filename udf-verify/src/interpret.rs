//! The interpreter: the meaning of the language, and what compiled code is compared with.
#![forbid(unsafe_code)]

use crate::opcode::Form;
use crate::program::{Operand, Program};
use crate::run::{FaultCode, Inputs, Outcome, Status, Tuple, unit_of};
use crate::verify::MAX_DEPTH;

/// Told the registers at every load that a run comes to.
pub trait Trace {
    /// The load at `slot` is about to run.
    fn at_load(&mut self, slot: u32, registers: &[u64; 32]);
}

/// Traces nothing.
impl Trace for () {
    #[inline]
    fn at_load(&mut self, _: u32, _: &[u64; 32]) {}
}

/// Runs a verified program.
pub(crate) fn interpret(program: &Program, bytes: &[u8], inputs: &Inputs, trace: &mut impl Trace) -> Outcome {
    match unit_of(bytes, program.header.unit) {
        Ok(bytes) => {
            let mut run = Run { program, bytes, inputs, registers: [0; 32], tuples: Vec::new() };
            let status = run.run(trace);
            Outcome::ended(status, run.tuples)
        }
        Err(status) => Outcome::ended(status, Vec::new()),
    }
}

struct Run<'a> {
    program: &'a Program,
    bytes: &'a [u8],
    inputs: &'a Inputs,
    registers: [u64; 32],
    tuples: Vec<Tuple>,
}

impl Run<'_> {
    #[inline]
    fn value(&self, operand: Operand) -> u64 {
        match operand {
            Operand::None => 0,
            Operand::Reg(r) => self.registers[usize::from(r & 31)],
            Operand::Imm(value) => value,
        }
    }

    /// The bytes at `base + offset`, if there are so many.
    fn load(&self, base: u64, offset: u64, width: u8, big_endian: bool) -> Option<u64> {
        let address = i128::from(base) + i128::from(offset as i64);
        let start = usize::try_from(address).ok()?;
        let bytes = self.bytes.get(start..start.checked_add(usize::from(width))?)?;
        let join = |value, &byte: &u8| value << 8 | u64::from(byte);
        Some(if big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) })
    }

    fn run(&mut self, trace: &mut impl Trace) -> Status {
        // Counts of the loops that are open, outermost first.
        let (mut counts, mut depth) = ([0; MAX_DEPTH], 0);
        let insts = &self.program.insts;
        let mut at = 0;
        while let Some(inst) = insts.get(at) {
            let (x, y) = (self.value(inst.x), self.value(inst.y));
            let link = inst.link as usize;
            let a = usize::from(inst.a & 31);
            let fault = |code| Status::Fault { code, place: inst.slot };
            at += 1;
            match inst.op.form() {
                Form::LoadImmediate | Form::Move => self.registers[a] = x,
                Form::Binary(alu) => self.registers[a] = alu.eval(x, y),
                Form::Load { width, big_endian } => {
                    trace.at_load(inst.slot, &self.registers);
                    match self.load(x, y, width, big_endian) {
                        Some(value) => self.registers[a] = value,
                        None => return fault(FaultCode::Load),
                    }
                }
                Form::Argument => {
                    let unit = self.inputs.unit.unwrap_or(self.bytes.len() as u64);
                    self.registers[a] = if x == 0 { self.inputs.block } else { unit };
                }
                Form::Now => self.registers[a] = self.inputs.now,
                Form::Credential => self.registers[a] = self.inputs.credentials[x as usize],
                Form::Loop => {
                    if x > y {
                        return fault(FaultCode::Loop);
                    }
                    self.registers[a] = 0;
                    if x == 0 {
                        at = link + 1;
                    } else {
                        counts[depth] = x;
                        depth += 1;
                    }
                }
                Form::If(comparison) => {
                    if !comparison.eval(x, y) {
                        at = link + 1;
                    }
                }
                // The end of a first arm: on to the `end`.
                Form::Else => at = link,
                Form::End => {
                    let start = &insts[link];
                    if start.op.form() == Form::Loop {
                        (at, depth) = self.next_round(link, at - 1, &counts, depth);
                    }
                }
                Form::Next => (at, depth) = self.next_round(link, insts[link].link as usize, &counts, depth),
                Form::Break => {
                    at = insts[link].link as usize + 1;
                    depth -= 1;
                }
                Form::Own => {
                    if y != 0 {
                        self.tuples.push(Tuple { start: x, count: y, type_index: u64::from(inst.a) });
                    }
                }
                Form::Return => return Status::Ok,
                Form::Fail => return Status::Fail(x as u32),
            }
        }
        Status::Ok
    }

    /// Counts on at the end of a round of the innermost loop: the next instruction, and how many loops are open there.
    fn next_round(&mut self, start: usize, end: usize, counts: &[u64; MAX_DEPTH], depth: usize) -> (usize, usize) {
        let counter = &mut self.registers[usize::from(self.program.insts[start].a & 31)];
        *counter += 1;
        if *counter < counts[depth - 1] { (start + 1, depth) } else { (end + 1, depth - 1) }
    }
}
