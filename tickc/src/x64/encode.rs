//! Encoding of machine instructions.
//!
//! Instructions with a fixed shape go through `dynasm!`. Families whose opcode is computed (the eight arithmetic operations,
//! shifts, condition codes) and memory operands, whose shortest form depends on the registers and the displacement, are
//! encoded here by their fields: prefix, opcode, ModRM, SIB, displacement.

use dynasmrt::{DynasmApi, dynasm};

use super::buffer::Buffer;
use super::regs::{Mem, RSP, Reg};
use crate::machine::{BinaryOp, Operand};

/// Number of an arithmetic operation in its opcodes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Alu(u8);

impl Alu {
    pub(super) const ADD: Alu = Alu(0);
    pub(super) const OR: Alu = Alu(1);
    pub(super) const AND: Alu = Alu(4);
    pub(super) const SUB: Alu = Alu(5);
    pub(super) const XOR: Alu = Alu(6);
    pub(super) const CMP: Alu = Alu(7);

    /// The operation's number.
    pub(super) const fn number(self) -> u8 {
        self.0
    }

    /// The operation's number, if it is one of them.
    #[inline(always)]
    pub(super) fn of(op: BinaryOp) -> Option<Alu> {
        (op as u8 <= BinaryOp::Xor as u8).then_some(Alu(op as u8))
    }
}

/// Number of a shift in its opcodes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Shift {
    Rol = 0,
    Ror = 1,
    Shl = 4,
    Shr = 5,
    Sar = 7,
}

/// An opcode: mandatory prefix (0 for none), whether 0x0f comes before, the byte.
#[derive(Clone, Copy)]
pub(super) struct Op {
    pub(super) prefix: u8,
    pub(super) escape: bool,
    pub(super) byte: u8,
}

pub(super) const fn op(byte: u8) -> Op {
    Op { prefix: 0, escape: false, byte }
}
pub(super) const fn op0f(byte: u8) -> Op {
    Op { prefix: 0, escape: true, byte }
}
pub(super) const fn op_prefixed(prefix: u8, byte: u8) -> Op {
    Op { prefix, escape: true, byte }
}

/// The bits of each register in an instruction of REX prefix, one byte of opcode, and ModRM, as its `reg` operand.
static REG_BITS: [u32; 16] = register_bits(2, 19);
/// As its `rm` operand.
static RM_BITS: [u32; 16] = register_bits(0, 16);

/// Bit 3 of each register's number at `rex`, the others at `modrm`.
const fn register_bits(rex: u32, modrm: u32) -> [u32; 16] {
    let mut bits = [0; 16];
    let mut r = 0;
    while r < 16 {
        bits[r as usize] = r >> 3 << rex | (r & 7) << modrm;
        r += 1;
    }
    bits
}

/// The `rm` bits of a register.
#[inline(always)]
pub(super) fn rm_bits(rm: Reg) -> u32 {
    RM_BITS[usize::from(rm & 15)]
}

/// The `reg` and `rm` bits of two registers together.
#[inline(always)]
fn reg_rm(reg: Reg, rm: Reg) -> u32 {
    REG_BITS[usize::from(reg & 15)] | RM_BITS[usize::from(rm & 15)]
}

impl Buffer {
    /// `op reg, rm` with two registers of 64 bits.
    #[inline(always)]
    pub(super) fn wide_rr(&mut self, opcode: u32, reg: Reg, rm: Reg) {
        let word = 0xc0_0048 | opcode << 8 | reg_rm(reg, rm);
        self.packed(u64::from(word), 3);
    }

    /// `imul reg, rm` with two registers of 64 bits.
    #[inline(always)]
    pub(super) fn wide_imul(&mut self, reg: Reg, rm: Reg) {
        let bits = u64::from(reg_rm(reg, rm));
        self.packed(0xc0af_0f48 | bits & 7 | (bits & !7) << 8, 4);
    }

    /// `op reg, imm` with a register of 64 bits, `op` as in [`Alu`].
    #[inline(always)]
    pub(super) fn wide_ri(&mut self, op: u8, reg: Reg, imm: i32) {
        let short = imm as i8 as i32 == imm;
        let word = 0xc0_8148 | u32::from(short) << 9 | u32::from(op) << 19 | RM_BITS[usize::from(reg & 15)];
        self.packed(u64::from(word) | u64::from(imm as u32) << 24, if short { 4 } else { 7 });
    }

    /// `op reg, [base + disp]` of 64 bits, the displacement of `DISP` bytes (0, 1 or 4); see [`Operand::is_plain_mem`].
    #[inline(always)]
    pub(super) fn wide_rm<const DISP: usize>(&mut self, opcode: u32, reg: Reg, base: Reg, disp: i32) {
        debug_assert!(base & 7 != RSP);
        const { assert!(DISP == 0 || DISP == 1 || DISP == 4) };
        let mode = DISP.isqrt() as u32;
        let word = 0x48 | opcode << 8 | mode << 22 | reg_rm(reg, base);
        self.packed(u64::from(word) | (disp as u64) << 24, 3 + DISP);
    }

    /// `op reg, [base + disp], imm` of 64 bits, likewise, the immediate of `IMM` bytes (1 or 4).
    #[inline(always)]
    pub(super) fn wide_rm_imm<const DISP: usize, const IMM: usize>(
        &mut self,
        opcode: u32,
        reg: Reg,
        base: Reg,
        disp: i32,
        imm: u64,
    ) {
        self.wide_rm::<DISP>(opcode | u32::from(IMM == 1) << 1, reg, base, disp);
        self.packed(imm, IMM);
    }

    /// `op reg, [base + index << scale + disp]` of 64 bits, the displacement of `DISP` bytes (0, 1 or 4).
    #[inline(always)]
    pub(super) fn wide_rm_indexed<const DISP: usize>(&mut self, opcode: u32, reg: Reg, m: Operand) {
        const { assert!(DISP == 0 || DISP == 1 || DISP == 4) };
        let (base, index, scale) = (m.head >> 8 & 15, m.head >> 16 & 15, m.head >> 24 & 3);
        let mode = DISP.isqrt() as u64;
        let word = 0x48 | u64::from(opcode) << 8 | (mode << 6 | 4) << 16 | u64::from(REG_BITS[usize::from(reg & 15)]);
        let sib = base & 7 | (index & 7) << 3 | scale << 6;
        self.packed(word | base >> 3 | index >> 3 << 1 | sib << 24 | u64::from(m.disp() as u32) << 32, 4 + DISP);
    }

    /// The mode of a memory operand without SIB byte; its square is the length of the displacement. A base of `rbp` or `r13`
    /// has no form without.
    #[inline(always)]
    fn disp_mode(base: Reg, disp: i32) -> u32 {
        if disp as i8 as i32 != disp { 2 } else { u32::from(disp != 0 || base & 7 == 5) }
    }

    /// Opcode and ModRM behind a REX prefix, which is left out if it says nothing. One store, no branch.
    #[inline(always)]
    fn instruction(&mut self, op: Op, rex: u32, keep_rex: bool, modrm: u32) {
        if op.prefix != 0 {
            self.byte(op.prefix);
        }
        let (tail, len) = if op.escape {
            (0x0f | u32::from(op.byte) << 8 | modrm << 16, 3)
        } else {
            (u32::from(op.byte) | modrm << 8, 2)
        };
        let has_rex = u32::from(rex != 0x40 || keep_rex);
        let word = tail << (has_rex * 8) | rex & has_rex.wrapping_neg();
        self.packed(u64::from(word), len + has_rex as usize);
    }

    /// `op reg, rm` with two registers. `byte_regs`: both are byte registers, which need a prefix from number 4 on.
    #[inline(always)]
    pub(super) fn rr(&mut self, op: Op, wide: bool, reg: Reg, rm: Reg, byte_regs: bool) {
        let (reg, rm) = (u32::from(reg & 15), u32::from(rm & 15));
        let rex = 0x40 | u32::from(wide) << 3 | reg >> 3 << 2 | rm >> 3;
        self.instruction(op, rex, byte_regs && (reg >= 4 || rm >= 4), 0xc0 | (reg & 7) << 3 | rm & 7);
    }

    /// `op reg, [mem]`. Displacements of slots are from `rsp` here (see `OnePass::m`).
    #[inline(always)]
    pub(super) fn rm(&mut self, op: Op, wide: bool, reg: Reg, m: Mem, byte_reg: bool) {
        let (reg, base, index) = (u32::from(reg & 15), u32::from(m.base), u32::from(m.index));
        let mode = Self::disp_mode(m.base, m.disp);
        let disp = u64::from(m.disp as u32);
        let disp_len = (mode * mode) as usize;
        let rex = 0x40 | u32::from(wide) << 3 | reg >> 3 << 2 | base >> 3;
        let modrm = mode << 6 | (reg & 7) << 3;
        // An index, or a base of rsp or r12, takes a SIB byte.
        if m.index == RSP && base & 7 != 4 {
            self.instruction(op, rex, byte_reg && reg >= 4, modrm | base & 7);
            self.packed(disp, disp_len);
        } else {
            self.instruction(op, rex | index >> 3 << 1, byte_reg && reg >= 4, modrm | 4);
            let sib = u64::from(u32::from(m.scale) << 6 | (index & 7) << 3 | base & 7);
            self.packed(sib | disp << 8, 1 + disp_len);
        }
    }

    /// `op reg, [rsp + disp]` of 64 bits in one store; `disp` is not negative.
    #[inline(always)]
    pub(super) fn slot_op(&mut self, opcode: u32, reg: Reg, disp: i32) {
        debug_assert!(disp >= 0);
        let reg = u64::from(reg & 15);
        let near = disp < 128;
        let modrm = if near { 0x44 } else { 0x84 } | (reg & 7) << 3;
        let word = 0x48 | reg >> 3 << 2 | u64::from(opcode) << 8 | modrm << 16 | 0x24 << 24 | (disp as u64) << 32;
        self.packed(word, if near { 5 } else { 8 });
    }

    /// `op reg, rm` of 64 bits in one store; `rm` is what follows the opcode from bit 16 on, with its part of the prefix in the
    /// lowest bits, `len` all bytes of the instruction.
    #[inline(always)]
    pub(super) fn wide_op(&mut self, opcode: u32, reg: Reg, rm: u64, len: usize) {
        self.packed(u64::from(0x48 | opcode << 8 | REG_BITS[usize::from(reg & 15)]) | rm, len);
    }

    /// `op reg, rm` with an opcode behind 0x0f, likewise.
    #[inline(always)]
    pub(super) fn wide_op0f(&mut self, opcode: u32, reg: Reg, rm: u64, len: usize) {
        let word = u64::from(REG_BITS[usize::from(reg & 15)]) | rm;
        self.packed(0x48 | word & 0xff | 0x0f << 8 | u64::from(opcode) << 16, 3);
        self.packed(word >> 16, len - 2);
    }

    /// `movbe reg, [mem]`: 0F 38 F0 /r.
    pub(super) fn movbe(&mut self, wide: bool, reg: Reg, m: Mem) {
        let rex = 0x40 | u8::from(wide) << 3 | (reg >> 3 & 1) << 2 | (m.index >> 3 & 1) << 1 | m.base >> 3;
        if rex != 0x40 {
            self.byte(rex);
        }
        self.packed(0xf0_38_0f, 3);
        self.address(reg, m);
    }

    /// ModRM, SIB and displacement of a memory operand.
    fn address(&mut self, reg: Reg, m: Mem) {
        let (reg, base, index) = (u32::from(reg & 7), u32::from(m.base & 7), u32::from(m.index & 7));
        let mode = if m.disp as i8 as i32 != m.disp { 2 } else { u32::from(m.disp != 0 || base == 5) };
        if m.index == RSP && base != 4 {
            self.byte((mode << 6 | reg << 3 | base) as u8);
        } else {
            self.byte((mode << 6 | reg << 3 | 4) as u8);
            self.byte(m.scale << 6 | (index << 3 | base) as u8);
        }
        self.packed(u64::from(m.disp as u32), (mode * mode) as usize);
    }

    /// `op dst, src` of registers.
    #[inline(always)]
    pub(super) fn alu_rr(&mut self, alu: Alu, wide: bool, dst: Reg, src: Reg) {
        self.rr(op(alu.0 << 3 | 3), wide, dst, src, false);
    }

    /// `op dst, imm`.
    #[inline(always)]
    pub(super) fn alu_ri(&mut self, alu: Alu, wide: bool, dst: Reg, imm: i32) {
        let short = imm as i8 as i32 == imm;
        self.rr(op(if short { 0x83 } else { 0x81 }), wide, alu.0, dst, false);
        self.packed(u64::from(imm as u32), if short { 1 } else { 4 });
    }

    /// `op dst, [mem]`.
    #[inline(always)]
    pub(super) fn alu_rm(&mut self, alu: Alu, wide: bool, dst: Reg, m: Mem) {
        self.rm(op(alu.0 << 3 | 3), wide, dst, m, false);
    }

    /// `op [mem], src` with an operand of `size` bytes.
    #[inline]
    pub(super) fn alu_mr(&mut self, alu: Alu, size: u32, m: Mem, src: Reg) {
        self.operand_size(size);
        self.rm(op(alu.0 << 3 | (size > 1) as u8), size == 8, src, m, size == 1);
    }

    /// `op [mem], imm` with an operand of `size` bytes.
    #[inline]
    pub(super) fn alu_mi(&mut self, alu: Alu, size: u32, m: Mem, imm: i32) {
        self.operand_size(size);
        if size == 1 {
            self.rm(op(0x80), false, alu.0, m, false);
            self.byte(imm as u8);
        } else if imm as i8 as i32 == imm {
            self.rm(op(0x83), size == 8, alu.0, m, false);
            self.byte(imm as u8);
        } else {
            self.rm(op(0x81), size == 8, alu.0, m, false);
            self.immediate(size, imm);
        }
    }

    /// The prefix of 16-bit operands.
    #[inline(always)]
    fn operand_size(&mut self, size: u32) {
        if size == 2 {
            self.byte(0x66);
        }
    }

    #[inline(always)]
    fn immediate(&mut self, size: u32, imm: i32) {
        if size == 2 { self.packed(imm as u16 as u64, 2) } else { self.dword(imm) }
    }

    /// `mov dst, src`.
    #[inline(always)]
    pub(super) fn mov_rr(&mut self, wide: bool, dst: Reg, src: Reg) {
        self.rr(op(0x8b), wide, dst, src, false);
    }

    /// `mov dst, bits` in the shortest form that leaves the flags alone.
    #[inline(always)]
    pub(super) fn mov_ri(&mut self, dst: Reg, bits: u64) {
        if bits as u32 as u64 == bits {
            // mov r32, imm32
            let short = u64::from(0xb8 | dst & 7) | bits << 8;
            let rex = usize::from(dst >> 3);
            self.packed(if rex != 0 { 0x41 | short << 8 } else { short }, 5 + rex);
        } else if bits as i32 as i64 as u64 == bits {
            self.rr(op(0xc7), true, 0, dst, false);
            self.dword(bits as i32);
        } else {
            self.packed(0x48 | u64::from(dst >> 3) | (0xb8 | u64::from(dst & 7)) << 8, 2);
            dynasm!(self; .arch x64; .i64 bits as i64);
        }
    }

    /// `mov r11, bits` with all eight bytes of the constant.
    #[inline(always)]
    pub(super) fn mov_scratch_imm64(&mut self, bits: u64) {
        self.packed(0xbb49, 2);
        self.packed(bits, 8);
    }

    /// Zero, destroying the flags.
    #[inline(always)]
    pub(super) fn zero(&mut self, dst: Reg) {
        self.rr(op(0x33), false, dst, dst, false);
    }

    /// `mov [mem], src` with an operand of `size` bytes.
    #[inline(always)]
    pub(super) fn mov_mr(&mut self, size: u32, m: Mem, src: Reg) {
        self.operand_size(size);
        self.rm(op(0x88 | (size > 1) as u8), size == 8, src, m, size == 1);
    }

    /// `mov [mem], imm`, sign-extended to `size` bytes.
    #[inline]
    pub(super) fn mov_mi(&mut self, size: u32, m: Mem, imm: i32) {
        self.operand_size(size);
        self.rm(op(0xc6 | (size > 1) as u8), size == 8, 0, m, false);
        if size == 1 { self.byte(imm as u8) } else { self.immediate(size, imm) }
    }

    /// `lea dst, [mem]`.
    #[inline(always)]
    pub(super) fn lea(&mut self, wide: bool, dst: Reg, m: Mem) {
        self.rm(op(0x8d), wide, dst, m, false);
    }

    /// `test a, b`.
    #[inline(always)]
    pub(super) fn test_rr(&mut self, wide: bool, a: Reg, b: Reg) {
        self.rr(op(0x85), wide, a, b, false);
    }

    /// A shift of a register of `size` bytes by a constant.
    #[inline(always)]
    pub(super) fn shift_ri(&mut self, shift: Shift, size: u32, dst: Reg, count: u8) {
        self.operand_size(size);
        self.rr(op(0xc0 | (size > 1) as u8), size == 8, shift as u8, dst, size == 1);
        self.byte(count);
    }

    /// A shift of a register of `size` bytes by cl.
    #[inline]
    pub(super) fn shift_cl(&mut self, shift: Shift, size: u32, dst: Reg) {
        self.operand_size(size);
        self.rr(op(0xd2 | (size > 1) as u8), size == 8, shift as u8, dst, size == 1);
    }

    /// A shift of memory of `size` bytes by a constant.
    #[inline]
    pub(super) fn shift_mi(&mut self, shift: Shift, size: u32, m: Mem, count: u8) {
        self.operand_size(size);
        self.rm(op(0xc0 | (size > 1) as u8), size == 8, shift as u8, m, false);
        self.byte(count);
    }

    /// `jcc` to a target not known yet; the position of its displacement.
    #[inline(always)]
    pub(super) fn jcc(&mut self, cc: u8) -> u32 {
        self.packed(0x800f | u64::from(cc) << 8, 6);
        self.pos() - 4
    }

    /// `jmp` to a target not known yet; the position of its displacement.
    #[inline(always)]
    pub(super) fn jmp(&mut self) -> u32 {
        self.packed(0xe9, 5);
        self.pos() - 4
    }

    /// `setcc dst; movzx dst, dst`.
    #[inline]
    pub(super) fn set_condition(&mut self, cc: u8, dst: Reg) {
        self.rr(op0f(0x90 | cc), false, 0, dst, true);
        self.rr(op0f(0xb6), false, dst, dst, true);
    }
}
