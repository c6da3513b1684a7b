//! The common shapes of the commonest operations, tried before the general code: arithmetic on 64 bits in registers, slots and
//! memory, and with constants.
//!
//! What is tried first is small and calls little, so that it needs no frame of the host; what it does not know it hands on to
//! functions of the same signature. The general code gives the same instructions.

use super::OnePass;
use super::arith::{fits_wide, lea_factor};
use super::branch::{cc, code_of};
use super::encode::{Alu, rm_bits};
use super::regs::*;
use super::values::{SPARE, TEMPORARIES, has_more_than};
use crate::choice;
use crate::machine::{Binary, BinaryOp, Compare, Operand, kind};
use crate::types::Type;

/// The type by whose name the general code knows 64 bits without a sign.
const WIDE: Type = Type::I64;

/// The registers that results take first.
const POOL: u32 = CALLER_SAVED & GPRS;

/// The opcode `op reg, reg or memory`.
#[inline(always)]
const fn load_opcode(op: BinaryOp) -> u32 {
    (op as u32) << 3 | 3
}

/// Whether a displacement or an immediate takes one byte.
#[inline(always)]
const fn is_byte(x: i32) -> bool {
    x as i8 as i32 == x
}

/// Length of the displacement of memory without SIB byte: a base of `rbp` or `r13` has no form without.
#[inline(always)]
const fn disp_len(a: Operand) -> usize {
    if a.disp() == 0 && a.reg() & 7 != 5 {
        0
    } else if is_byte(a.disp()) {
        1
    } else {
        4
    }
}

/// Whether both operands are in registers.
#[inline(always)]
const fn are_regs(a: Operand, b: Operand) -> bool {
    ((a.head ^ kind::REG as u64) | (b.head ^ kind::REG as u64)) as u8 == 0
}

impl OnePass {
    /// `a op b` on 64 bits, `op` one of the arithmetic opcodes.
    #[inline(always)]
    pub(super) fn alu_wide_fast(&mut self, op: BinaryOp, a: Operand, b: Operand) -> Operand {
        if a.is_temp() && self.buf.has_room() {
            if b.is_reg() {
                self.buf.wide_rr(load_opcode(op), a.reg(), b.reg());
                self.free |= b.owned();
                return a;
            }
            if b.is_const() {
                return self.alu_wide_constant(op, a, b.body);
            }
            if b.is_outer_mem() {
                return self.alu_wide_memory(op, a, b);
            }
        }
        self.alu_wide_load(op, a, b)
    }

    /// `[a] op b` on 64 bits, and any other.
    #[inline(never)]
    fn alu_wide_load(&mut self, op: BinaryOp, a: Operand, b: Operand) -> Operand {
        let free = self.free | a.owned();
        let pool = free & POOL;
        let turned = op.commutes() && b.is_temp();
        if turned || !(a.is_outer_mem() && has_more_than(pool, SPARE) && self.buf.has_room()) {
            return self.binary_wide_any(op, a, b);
        }
        let pool = choice::one_of(pool);
        let bit = pool & pool.wrapping_neg();
        let d = bit.trailing_zeros() as Reg;
        self.free = free ^ bit;
        self.used |= bit;
        self.register_memory(0x8b, d, a);
        let a = Operand::temp_with(d, bit);
        if self.update_wide(op, d, b) { a } else { self.binary_int(Binary { op, ty: WIDE }, a, b) }
    }

    /// `a op bits` on 64 bits in the register of the temporary `a`.
    #[inline(never)]
    fn alu_wide_constant(&mut self, op: BinaryOp, a: Operand, bits: u64) -> Operand {
        self.update_wide_constant(op, a.reg(), bits);
        a
    }

    /// `a op [b]` on 64 bits in the register of the temporary `a`.
    #[inline(never)]
    fn alu_wide_memory(&mut self, op: BinaryOp, a: Operand, b: Operand) -> Operand {
        self.free |= b.owned();
        self.register_memory(load_opcode(op), a.reg(), b);
        a
    }

    /// `a * b` on 64 bits; neither is constant.
    #[inline(always)]
    pub(super) fn multiply_wide_fast(&mut self, a: Operand, b: Operand) -> Operand {
        if are_regs(a, b) && self.buf.has_room() {
            if a.may_be_overwritten() {
                self.buf.wide_imul(a.reg(), b.reg());
                self.free |= b.owned();
                return a;
            }
            if b.may_be_overwritten() {
                self.buf.wide_imul(b.reg(), a.reg());
                return b;
            }
        }
        self.multiply_wide_any(a, b)
    }

    #[inline(never)]
    fn multiply_wide_any(&mut self, a: Operand, b: Operand) -> Operand {
        self.binary_wide_any(BinaryOp::Mul, a, b)
    }

    #[inline(never)]
    fn binary_wide_any(&mut self, op: BinaryOp, a: Operand, b: Operand) -> Operand {
        self.buf.room();
        if a.is_temp() && self.update_wide(op, a.reg(), b) {
            return a;
        }
        self.binary_int(Binary { op, ty: WIDE }, a, b)
    }

    /// `d op= b` on 64 bits: whether this was it. Consumes `b` then.
    #[inline(always)]
    pub(super) fn update_wide(&mut self, op: BinaryOp, d: Reg, b: Operand) -> bool {
        let alu = op.is_alu();
        if !alu && op != BinaryOp::Mul {
            return false;
        }
        match b.kind() {
            kind::REG if alu => self.buf.wide_rr(load_opcode(op), d, b.reg()),
            kind::REG => self.buf.wide_imul(d, b.reg()),
            kind::CONST if alu => self.update_wide_constant(op, d, b.body),
            kind::SLOT if alu => self.buf.slot_op(load_opcode(op), d, self.slot_disp(b)),
            kind::SLOT => {
                let (bits, len) = self.place_bits(b);
                self.buf.wide_op0f(0xaf, d, bits, len);
            }
            kind::MEM if alu => self.register_memory(load_opcode(op), d, b),
            _ => return false,
        }
        self.release_operand(b);
        true
    }

    /// `d op= bits` on 64 bits.
    #[inline(always)]
    fn update_wide_constant(&mut self, op: BinaryOp, d: Reg, bits: u64) {
        if fits_wide(bits) {
            self.buf.wide_ri(op as u8, d, bits as i32);
        } else {
            self.buf.mov_scratch_imm64(bits);
            self.buf.wide_rr(load_opcode(op), d, SCRATCH);
        }
    }

    /// `op d, [b]` of 64 bits. Does not consume `b`.
    #[inline(always)]
    pub(super) fn register_memory(&mut self, opcode: u32, d: Reg, b: Operand) {
        if b.is_outer_mem() && b.has_index() {
            match disp_len(b) {
                0 => self.buf.wide_rm_indexed::<0>(opcode, d, b),
                1 => self.buf.wide_rm_indexed::<1>(opcode, d, b),
                _ => self.buf.wide_rm_indexed::<4>(opcode, d, b),
            }
        } else if !b.is_plain_mem() {
            self.register_memory_any(opcode, d, b);
        } else {
            match disp_len(b) {
                0 => self.buf.wide_rm::<0>(opcode, d, b.reg(), b.disp()),
                1 => self.buf.wide_rm::<1>(opcode, d, b.reg(), b.disp()),
                _ => self.buf.wide_rm::<4>(opcode, d, b.reg(), b.disp()),
            }
        }
    }

    #[inline(never)]
    fn register_memory_any(&mut self, opcode: u32, d: Reg, b: Operand) {
        let m = self.m(b);
        self.buf.rm(super::encode::op(opcode as u8), true, d, m, false);
    }

    /// `a * c` on 64 bits.
    #[inline(always)]
    pub(super) fn multiply_constant_fast(&mut self, a: Operand, c: u64) -> Operand {
        if !(a.is_plain_mem() && fits_wide(c) && self.buf.has_room()) {
            return self.multiply_register(a, c);
        }
        match (disp_len(a), is_byte(c as i32)) {
            (0, true) => self.multiply_plain::<0, 1>(a, c),
            (0, false) => self.multiply_plain::<0, 4>(a, c),
            (1, true) => self.multiply_plain::<1, 1>(a, c),
            (1, false) => self.multiply_plain::<1, 4>(a, c),
            (_, true) => self.multiply_plain::<4, 1>(a, c),
            (_, false) => self.multiply_plain::<4, 4>(a, c),
        }
    }

    /// `d = [m] * c` on 64 bits, by `imul`.
    #[inline(always)]
    pub(super) fn multiply_memory(&mut self, d: Reg, m: Operand, c: i32) {
        let imm = c as u32 as u64;
        if !m.is_plain_mem() {
            return self.multiply_memory_any(d, m, c);
        }
        match (disp_len(m), is_byte(c)) {
            (0, true) => self.buf.wide_rm_imm::<0, 1>(0x69, d, m.reg(), m.disp(), imm),
            (0, false) => self.buf.wide_rm_imm::<0, 4>(0x69, d, m.reg(), m.disp(), imm),
            (1, true) => self.buf.wide_rm_imm::<1, 1>(0x69, d, m.reg(), m.disp(), imm),
            (1, false) => self.buf.wide_rm_imm::<1, 4>(0x69, d, m.reg(), m.disp(), imm),
            (_, true) => self.buf.wide_rm_imm::<4, 1>(0x69, d, m.reg(), m.disp(), imm),
            (_, false) => self.buf.wide_rm_imm::<4, 4>(0x69, d, m.reg(), m.disp(), imm),
        }
    }

    #[inline(never)]
    fn multiply_memory_any(&mut self, d: Reg, m: Operand, c: i32) {
        self.imul_imm(true, d, m, c);
    }

    /// `[base + disp] * c` on 64 bits.
    #[inline(never)]
    fn multiply_plain<const DISP: usize, const IMM: usize>(&mut self, a: Operand, c: u64) -> Operand {
        let free = self.free | a.owned();
        let pool = free & POOL;
        if !has_more_than(pool, SPARE) {
            return self.multiply_constant_any(a, c);
        }
        let pool = choice::one_of(pool);
        let bit = pool & pool.wrapping_neg();
        let d = bit.trailing_zeros() as Reg;
        self.free = free ^ bit;
        self.used |= bit;
        self.buf.wide_rm_imm::<DISP, IMM>(0x69, d, a.reg(), a.disp(), c);
        Operand::temp_with(d, bit)
    }

    /// `a * c` in the register of a temporary, by `imul`.
    #[inline(never)]
    fn multiply_register(&mut self, a: Operand, c: u64) -> Operand {
        if !(a.is_temp() && fits_wide(c) && !lea_factor(c) && self.buf.has_room()) {
            return self.multiply_constant_any(a, c);
        }
        if is_byte(c as i32) {
            self.buf.wide_rr(0x6b, a.reg(), a.reg());
            self.buf.packed(c, 1);
        } else {
            self.buf.wide_rr(0x69, a.reg(), a.reg());
            self.buf.packed(c, 4);
        }
        a
    }

    #[inline(never)]
    fn multiply_constant_any(&mut self, a: Operand, c: u64) -> Operand {
        self.buf.room();
        self.multiply_constant(WIDE, a, c)
    }

    /// Displacement of a slot from `rsp` here.
    #[inline(always)]
    fn slot_disp(&self, slot: Operand) -> i32 {
        slot.disp() + self.pushed
    }

    /// `home op= value` on 64 bits, `op` one of the arithmetic opcodes.
    #[inline(always)]
    pub(super) fn assign_alu_fast(&mut self, op: BinaryOp, home: Operand, value: Operand) {
        if home.is_reg() && self.buf.has_room() {
            if value.is_reg() {
                self.buf.wide_rr(load_opcode(op), home.reg(), value.reg());
                self.free |= value.owned();
                return;
            }
            if value.is_const() {
                self.alu_wide_constant(op, home, value.body);
                return;
            }
        }
        self.assign_alu_any(op, home, value);
    }

    #[inline(never)]
    fn assign_alu_any(&mut self, op: BinaryOp, home: Operand, value: Operand) {
        self.buf.room();
        if home.is_place() && value.is_place() {
            self.assign_places(op, home, value);
        } else if !(home.is_reg() && self.update_wide(op, home.reg(), value)) {
            self.assign_int(Binary { op, ty: WIDE }, home, value);
        }
    }

    /// `home op= value` of registers and slots, `op` one of the arithmetic opcodes. Which of the two each is follows no pattern
    /// that a processor could learn, so nothing here branches on it.
    #[inline(always)]
    fn assign_places(&mut self, op: BinaryOp, home: Operand, value: Operand) {
        let to_slot = home.kind() == kind::SLOT;
        let both = to_slot && value.kind() == kind::SLOT;
        // A slot comes into the scratch register on its way to another one; else this is written over.
        let (bits, len) = self.place_bits(value);
        self.buf.wide_op(0x8b, SCRATCH, bits, if both { len } else { 0 });
        let (home_bits, home_len) = self.place_bits(home);
        let opcode = (op as u32) << 3 | if to_slot { 1 } else { 3 };
        let reg = if to_slot { value.reg() } else { home.reg() };
        let reg = if both { SCRATCH } else { reg };
        let (bits, len) = if to_slot { (home_bits, home_len) } else { (bits, len) };
        self.buf.wide_op(opcode, reg, bits, len);
        self.release_operand(value);
    }

    /// What follows the opcode of an instruction on a register or a slot, in the form of [`Buffer::wide_op`].
    #[inline(always)]
    fn place_bits(&self, place: Operand) -> (u64, usize) {
        let disp = self.slot_disp(place);
        let far = u32::from(disp > 127);
        let slot = u64::from(0x2444_0000 + (far << 22)) | (disp as u64) << 32;
        let reg = 0xc0_0000 | u64::from(rm_bits(place.reg()));
        if place.is_reg() { (reg, 3) } else { (slot, 5 + 3 * far as usize) }
    }

    /// `home op= value` on 64 bits of registers and slots with a product or a shift to the left: whether this was it. Consumes
    /// `value` then.
    #[inline(always)]
    pub(super) fn assign_wide(&mut self, op: BinaryOp, home: Operand, value: Operand) -> bool {
        if !home.is_place() {
            return false;
        }
        let (bits, len) = self.place_bits(home);
        if op == BinaryOp::Shl && value.is_const() {
            self.buf.wide_op(0xc1, 4, bits, len);
            self.buf.byte(value.body as u8);
            return true;
        }
        if op != BinaryOp::Mul || !value.is_place() {
            return false;
        }
        let (factor, factor_len) = self.place_bits(value);
        if home.is_reg() {
            self.buf.wide_op0f(0xaf, home.reg(), factor, factor_len);
        } else {
            self.buf.wide_op(0x8b, SCRATCH, bits, len);
            self.buf.wide_op0f(0xaf, SCRATCH, factor, factor_len);
            self.buf.wide_op(0x89, SCRATCH, bits, len);
        }
        self.release_operand(value);
        true
    }

    /// A comparison of 64 bits.
    #[inline(always)]
    pub(super) fn compare_wide_fast(&mut self, o: Compare, a: Operand, b: Operand) -> Operand {
        if !(a.is_plain_mem() && b.is_const() && fits_wide(b.body) && self.buf.has_room()) {
            return self.compare_wide_any(o, a, b);
        }
        match (disp_len(a), is_byte(b.body as i32)) {
            (0, true) => self.compare_plain::<0, 1>(o, a, b.body),
            (0, false) => self.compare_plain::<0, 4>(o, a, b.body),
            (1, true) => self.compare_plain::<1, 1>(o, a, b.body),
            (1, false) => self.compare_plain::<1, 4>(o, a, b.body),
            (_, true) => self.compare_plain::<4, 1>(o, a, b.body),
            (_, false) => self.compare_plain::<4, 4>(o, a, b.body),
        }
    }

    /// The comparison of `[base + disp]` with `c` on 64 bits.
    #[inline(never)]
    fn compare_plain<const DISP: usize, const IMM: usize>(&mut self, o: Compare, a: Operand, c: u64) -> Operand {
        self.free |= a.owned();
        self.buf.wide_rm_imm::<DISP, IMM>(0x81, Alu::CMP.number(), a.reg(), a.disp(), c);
        Operand::condition(code_of(o.op, o.ty.is_signed()), 0, 0)
    }

    /// The comparison of a register with a register or a constant, and any other.
    #[inline(never)]
    fn compare_wide_any(&mut self, o: Compare, a: Operand, b: Operand) -> Operand {
        if !a.is_reg() || !self.buf.has_room() {
            return self.compare_wide_rest(o, a, b);
        }
        if b.is_reg() {
            self.buf.wide_rr(0x3b, a.reg(), b.reg());
        } else if b.is_const() && b.body == 0 {
            self.buf.wide_rr(0x85, a.reg(), a.reg());
        } else if b.is_const() && fits_wide(b.body) {
            self.buf.wide_ri(Alu::CMP.number(), a.reg(), b.body as i32);
        } else {
            return self.compare_wide_rest(o, a, b);
        }
        self.free |= a.owned() | b.owned();
        Operand::condition(code_of(o.op, o.ty.is_signed()), 0, 0)
    }

    #[inline(never)]
    fn compare_wide_rest(&mut self, o: Compare, a: Operand, b: Operand) -> Operand {
        self.buf.room();
        if !(a.is_reg() && b.is_outer_mem()) {
            return self.compare_int(o, a, b);
        }
        self.register_memory(0x3b, a.reg(), b);
        self.free |= a.owned() | b.owned();
        Operand::condition(code_of(o.op, o.ty.is_signed()), 0, 0)
    }

    /// The condition that memory has one of the bits of a byte, or none: whether it is in reach of the short form.
    #[inline(never)]
    pub(super) fn test_plain(&mut self, a: Operand, bits: u8, nonzero: bool) -> Operand {
        self.free |= a.owned();
        let base = u64::from(a.reg());
        let modrm = |mode: u64| 0xf6 | (mode << 6 | base) << 8 | u64::from(a.disp() as u32) << 16;
        match disp_len(a) {
            0 => self.buf.packed(modrm(0), 2),
            1 => self.buf.packed(modrm(1), 3),
            _ => self.buf.packed(modrm(2), 6),
        }
        self.buf.byte(bits);
        Operand::condition(if nonzero { cc::NE } else { cc::E }, 0, 0)
    }

    /// The condition that a register has one of the bits of a byte, or none.
    #[inline(always)]
    pub(super) fn test_byte(&mut self, a: Operand, bits: u8, nonzero: bool) -> Operand {
        self.buf.rr(super::encode::op(0xf6), false, 0, a.reg(), true);
        self.buf.byte(bits);
        self.free |= a.owned();
        Operand::condition(if nonzero { cc::NE } else { cc::E }, 0, 0)
    }

    /// The home of a new variable.
    #[inline(always)]
    pub(super) fn declare_fast(&mut self, ty: Type, init: Operand) -> Operand {
        // A temporary's register becomes the home.
        if init.is_reg() && init.owned() != 0 && has_more_than(self.free & Self::class(ty), TEMPORARIES - 1) {
            return Operand::reg_of(init.reg());
        }
        self.declare_home(ty, init)
    }
}
