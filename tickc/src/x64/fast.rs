//! The common shapes of the commonest operations, tried before the general code: arithmetic on 64-bit integers in registers and
//! slots, with constants and memory.
//!
//! What is tried first is small and calls little, so that it needs no frame of the host; what it does not know it hands on to
//! functions of the same signature. The general code gives the same
//! instructions.

use super::OnePass;
use super::encode::{Alu, op, op0f};
use super::regs::*;
use crate::machine::{Binary, BinaryOp, Compare, Operand};

/// Whether the operation is one of the five in the arithmetic opcodes, whose number it has.
#[inline(always)]
fn is_alu(op: BinaryOp) -> bool {
    op as u8 <= BinaryOp::Xor as u8
}

/// The opcode `op reg, reg or memory`.
#[inline(always)]
fn load_opcode(op: BinaryOp) -> u8 {
    (op as u8) << 3 | 3
}

impl OnePass {
    /// `d op= b` on 64-bit integers with a register or a constant: whether this was it. Consumes `b` then.
    #[inline(always)]
    pub(super) fn binary_registers(&mut self, o: Binary, d: Reg, b: Operand) -> bool {
        if !is_wide_int(o.ty) || !is_alu(o.op) || !self.buf.has_room() {
            return false;
        }
        if b.is_reg() {
            self.buf.rr(op(load_opcode(o.op)), true, d, b.reg(), false);
            self.free |= b.owned();
            return true;
        }
        if b.is_const() {
            self.binary_immediate(o.op, d, b.body);
            return true;
        }
        false
    }

    /// `d op= bits` on 64-bit integers.
    #[inline(never)]
    fn binary_immediate(&mut self, binary: BinaryOp, d: Reg, bits: u64) {
        if bits as i32 as i64 as u64 == bits {
            self.buf.alu_ri(Alu::of(binary).unwrap_or(Alu::ADD), true, d, bits as i32);
        } else {
            self.buf.mov_scratch_imm64(bits);
            self.buf.rr(op(load_opcode(binary)), true, d, SCRATCH, false);
        }
    }

    /// Any binary operation.
    #[inline(never)]
    pub(super) fn binary_any(&mut self, o: Binary, a: Operand, b: Operand) -> Operand {
        if a.is_temp() && self.binary_fast(o, a.reg(), b) {
            return a;
        }
        if !self.buf.has_room() {
            return self.binary_without_room(o, a, b);
        }
        if o.ty.is_float() { self.binary_float(o, a, b) } else { self.binary_int(o, a, b) }
    }

    #[cold]
    #[inline(never)]
    fn binary_without_room(&mut self, o: Binary, a: Operand, b: Operand) -> Operand {
        self.buf.room();
        self.binary_any(o, a, b)
    }

    /// `d op= b` on 64-bit integers with a register, a slot, memory or a constant: whether this was it. Consumes `b` then.
    #[inline(always)]
    pub(super) fn binary_fast(&mut self, o: Binary, d: Reg, b: Operand) -> bool {
        if self.binary_registers(o, d, b) {
            return true;
        }
        let alu = is_alu(o.op);
        if !is_wide_int(o.ty) || !self.buf.has_room() || !alu && o.op != BinaryOp::Mul {
            return false;
        }
        match b.slot_index() {
            Some(slot) if alu => self.buf.slot_op(load_opcode(o.op), d, self.slot_disp(slot)),
            Some(slot) => self.buf.slot_imul(d, self.slot_disp(slot)),
            None if b.is_mem() && alu => self.register_memory(load_opcode(o.op), d, b),
            None if b.is_reg() => self.buf.rr(op0f(0xaf), true, d, b.reg(), false),
            None => return false,
        }
        self.release_operand(b);
        true
    }

    /// Displacement of a slot from `rsp` here.
    #[inline(always)]
    fn slot_disp(&self, slot: u32) -> i32 {
        slot as i32 * 8 + self.pushed
    }

    /// `slot op= b` on 64-bit integers with a register or another variable's slot: whether this was it. Consumes `b` then.
    #[inline(always)]
    fn assign_slot(&mut self, o: Binary, slot: u32, b: Operand) -> bool {
        let alu = is_alu(o.op);
        if !is_wide_int(o.ty) || !self.buf.has_room() || !alu && o.op != BinaryOp::Mul {
            return false;
        }
        let disp = self.slot_disp(slot);
        let other = b.slot_index().map(|other| self.slot_disp(other));
        if !b.is_reg() && other.is_none() {
            return false;
        }
        if alu {
            let from = match other {
                Some(other) => {
                    self.buf.slot_op(0x8b, SCRATCH, other);
                    SCRATCH
                }
                None => b.reg(),
            };
            self.buf.slot_op((o.op as u8) << 3 | 1, from, disp);
        } else {
            self.buf.slot_op(0x8b, SCRATCH, disp);
            match other {
                Some(other) => self.buf.slot_imul(SCRATCH, other),
                None => self.buf.rr(op0f(0xaf), true, SCRATCH, b.reg(), false),
            }
            self.buf.slot_op(0x89, SCRATCH, disp);
        }
        self.release_operand(b);
        true
    }

    /// Any compound assignment of a variable.
    #[inline(never)]
    pub(super) fn assign_any(&mut self, o: Binary, home: Operand, value: Operand) {
        let done = match home.slot_index() {
            Some(slot) => self.assign_slot(o, slot, value),
            None => home.is_reg() && self.binary_fast(o, home.reg(), value),
        };
        if !done {
            self.assign_rest(o, home, value);
        }
    }

    #[inline(never)]
    fn assign_rest(&mut self, o: Binary, home: Operand, value: Operand) {
        self.buf.room();
        if o.ty.is_float() { self.assign_float(o.op, o.ty, home, value) } else { self.assign_int(o, home, value) }
    }

    /// Any comparison.
    #[inline(never)]
    pub(super) fn compare_any(&mut self, o: Compare, a: Operand, b: Operand) -> Operand {
        self.buf.room();
        if o.ty.is_float() { self.compare_float(o.op, o.ty, a, b) } else { self.compare_int(o, a, b) }
    }
}
