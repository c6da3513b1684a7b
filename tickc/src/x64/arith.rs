//! Integer arithmetic and comparisons.

use dynasmrt::{DynasmApi, dynasm};

use super::OnePass;
use super::branch::{cc, code_of};
use super::encode::{Alu, Shift, op, op_prefixed, op0f};
use super::regs::*;
use crate::machine::{Binary, BinaryOp, Compare, Comparison, Operand, UnaryOp};
use crate::types::Type;

fn shift_of(op: BinaryOp, ty: Type) -> Shift {
    match op {
        BinaryOp::Shl => Shift::Shl,
        BinaryOp::Shr if ty.is_signed() => Shift::Sar,
        BinaryOp::Shr => Shift::Shr,
        BinaryOp::RotateLeft => Shift::Rol,
        _ => Shift::Ror,
    }
}

/// Whether a constant fits the sign-extended 32-bit immediate of an operation on the type.
#[inline(always)]
fn fits_imm32(ty: Type, bits: u64) -> bool {
    !is_wide(ty) || fits_wide(bits)
}

/// [`fits_imm32`] for 64 bits.
#[inline(always)]
pub(super) fn fits_wide(bits: u64) -> bool {
    bits as i32 as i64 as u64 == bits
}

/// Whether a factor is 3, 5 or 9 times a power of two, which `lea` multiplies by.
#[inline(always)]
pub(super) fn lea_factor(c: u64) -> bool {
    matches!(c >> (c.trailing_zeros() & 63), 3 | 5 | 9)
}

impl OnePass {
    /// A binary operation on integers, `bool` or pointers.
    #[inline(always)]
    pub(super) fn binary_int(&mut self, o: Binary, a: Operand, b: Operand) -> Operand {
        match Alu::of(o.op) {
            Some(_) if a.is_temp() => self.alu_temp(o, a, b),
            Some(_) => self.alu_fresh(o, a, b),
            None if o.op == BinaryOp::Mul => self.multiply_any(o, a, b),
            None => self.binary_rare(o, a, b),
        }
    }

    #[inline(never)]
    fn alu_temp(&mut self, o: Binary, a: Operand, b: Operand) -> Operand {
        self.alu_into(Alu::of(o.op).unwrap_or(Alu::ADD), o.ty, a, b)
    }

    #[inline(never)]
    fn binary_rare(&mut self, o: Binary, a: Operand, b: Operand) -> Operand {
        match o.op {
            BinaryOp::Div | BinaryOp::Rem => self.divide(o.op, o.ty, a, b),
            BinaryOp::Min | BinaryOp::Max => self.min_max_int(o.op, o.ty, a, b),
            BinaryOp::MulHigh => self.multiply_high(o.ty, a, b),
            _ => self.shift(shift_of(o.op, o.ty), o.ty, a, b),
        }
    }

    /// `a op b` in the register of the temporary `a`.
    #[inline(always)]
    fn alu_into(&mut self, alu: Alu, ty: Type, a: Operand, b: Operand) -> Operand {
        self.alu(alu, ty, a.reg(), b);
        self.release_operand(b);
        // Bit operations on extended values give extended values.
        if is_narrow(ty) && (alu == Alu::ADD || alu == Alu::SUB) && !fault!(7) {
            self.extend(ty, a.reg());
        }
        a
    }

    /// `a op b` where `a` must be kept.
    #[inline(never)]
    fn alu_fresh(&mut self, o: Binary, a: Operand, b: Operand) -> Operand {
        let alu = Alu::of(o.op).unwrap_or(Alu::ADD);
        if (o.op.commutes() || fault!(8)) && b.is_temp() {
            return self.alu_into(alu, o.ty, b, a);
        }
        if let Some(sum) = self.lea_sum(o, a, b) {
            return sum;
        }
        let (d, crowded) = self.to_temp(o.ty, a);
        let d = self.alu_into(alu, o.ty, d, b);
        self.result(o.ty, d, crowded)
    }

    /// `a + b` or `a - c` by `lea`, where `a` is a register to be kept and `b` a register or a constant.
    #[inline(always)]
    fn lea_sum(&mut self, o: Binary, a: Operand, b: Operand) -> Option<Operand> {
        if !a.is_reg() || is_narrow(o.ty) || !matches!(o.op, BinaryOp::Add | BinaryOp::Sub) {
            return None;
        }
        let mut m = Mem { base: a.reg(), index: RSP, scale: 0, disp: 0, in_frame: false };
        if b.is_const() {
            let addend = if o.op == BinaryOp::Add { b.body } else { b.body.wrapping_neg() };
            m.disp = addend as i32;
            if !fits_imm32(o.ty, addend) && !fault!(6) {
                return None;
            }
        } else if b.is_reg() && o.op == BinaryOp::Add {
            m.index = b.reg();
        } else {
            return None;
        }
        self.release_operand(b);
        let (d, crowded) = self.alloc_result(GPRS);
        self.buf.lea(is_wide(o.ty), d, m);
        Some(self.born(o.ty, d, crowded))
    }

    /// `d op= b`, without the extension of narrow types. Does not consume `b`.
    #[inline(always)]
    fn alu(&mut self, alu: Alu, ty: Type, d: Reg, b: Operand) {
        let wide = is_wide(ty);
        if b.is_reg() {
            self.buf.alu_rr(alu, wide, d, b.reg());
        } else if b.is_const() && fits_imm32(ty, b.body) {
            self.buf.alu_ri(alu, wide, d, b.body as i32);
        } else if b.is_mem() && !is_narrow(ty) {
            let m = self.m(b);
            self.buf.alu_rm(alu, wide, d, m);
        } else {
            self.load(ty, SCRATCH, b);
            self.buf.alu_rr(alu, wide, d, SCRATCH);
        }
    }

    #[inline(never)]
    fn multiply_any(&mut self, o: Binary, a: Operand, b: Operand) -> Operand {
        let ty = o.ty;
        if b.is_const() {
            return self.multiply_constant(ty, a, b.body);
        }
        if a.is_const() {
            return self.multiply_constant(ty, b, a.body);
        }
        let (a, b) = if !a.is_temp() && b.is_temp() { (b, a) } else { (a, b) };
        let (d, crowded) = self.to_temp(ty, a);
        self.imul(ty, d.reg(), b);
        self.release_operand(b);
        if is_narrow(ty) {
            self.extend(ty, d.reg());
        }
        self.result(ty, d, crowded)
    }

    /// `d *= b`. Does not consume `b`.
    pub(super) fn imul(&mut self, ty: Type, d: Reg, b: Operand) {
        let wide = is_wide(ty);
        if b.is_reg() {
            self.buf.rr(op0f(0xaf), wide, d, b.reg(), false);
        } else if b.is_mem() && !is_narrow(ty) {
            let m = self.m(b);
            self.buf.rm(op0f(0xaf), wide, d, m, false);
        } else if b.is_const() && fits_imm32(ty, b.body) {
            self.imul_imm(wide, d, Operand::reg_of(d), b.body as i32);
        } else {
            self.load(ty, SCRATCH, b);
            self.buf.rr(op0f(0xaf), wide, d, SCRATCH, false);
        }
    }

    /// `d = a * imm`, `a` in a register or in memory of the operation's width.
    #[inline(always)]
    pub(super) fn imul_imm(&mut self, wide: bool, d: Reg, a: Operand, imm: i32) {
        let short = imm as i8 as i32 == imm;
        let opcode = op(if short { 0x6b } else { 0x69 });
        if a.is_reg() {
            self.buf.rr(opcode, wide, d, a.reg(), false);
        } else {
            let m = self.m(a);
            self.buf.rm(opcode, wide, d, m, false);
        }
        self.buf.packed(u64::from(imm as u32), if short { 1 } else { 4 });
    }

    /// `a * c`: by `lea` for 3, 5, 9, by `lea` and a shift for these times a power of two, else by `imul`.
    pub(super) fn multiply_constant(&mut self, ty: Type, a: Operand, c: u64) -> Operand {
        let wide = is_wide(ty);
        let shift = c.trailing_zeros();
        let odd = c >> shift;
        let by_lea = lea_factor(c) && !is_narrow(ty) && shift < 32;
        if !by_lea && (!fits_imm32(ty, c) || is_narrow(ty) && !a.is_reg()) {
            let (d, crowded) = self.to_temp(ty, a);
            self.imul(ty, d.reg(), Operand::constant(c));
            self.extend(ty, d.reg());
            return self.result(ty, d, crowded);
        }
        let fresh = by_lea && !a.is_reg();
        let a = if by_lea { self.to_reg(ty, a) } else { a };
        let (d, crowded) = if a.is_temp() {
            (a, fresh && self.is_crowded())
        } else {
            self.release_operand(a);
            let (d, crowded) = self.alloc_result(GPRS);
            (Operand::temp(d), crowded)
        };
        if by_lea {
            let m = Mem { base: a.reg(), index: a.reg(), scale: odd.ilog2() as u8, disp: 0, in_frame: false };
            self.buf.lea(wide, d.reg(), m);
            if shift != 0 && !fault!(13) {
                self.buf.shift_ri(Shift::Shl, ty.size(), d.reg(), shift as u8);
            }
        } else {
            self.imul_imm(wide, d.reg(), a, c as i32);
            self.extend(ty, d.reg());
        }
        self.result(ty, d, crowded)
    }

    /// Shifts and rotations.
    fn shift(&mut self, shift: Shift, ty: Type, a: Operand, b: Operand) -> Operand {
        let rotates = matches!(shift, Shift::Rol | Shift::Ror);
        if b.is_const() {
            let (d, crowded) = self.to_temp(ty, a);
            self.shift_by_constant(shift, ty, d.reg(), b.body as u8);
            return self.result(ty, d, crowded);
        }
        if self.features.bmi2 && !rotates && !is_narrow(ty) {
            return self.shift_bmi2(shift, ty, a, b);
        }
        // The count goes through cl; whatever lives in rcx waits in the scratch register.
        let (d, crowded) = if a.is_temp() && a.reg() == RCX {
            // Not in rcx itself.
            let reg = self.alloc(GPRS);
            self.mov_reg(ty, reg, RCX);
            self.release_operand(a);
            (Operand::temp(reg), false)
        } else if a.is_temp() {
            (a, false)
        } else {
            self.release_operand(a);
            let was_free = self.free & 1 << RCX;
            self.free &= !(1 << RCX);
            let (reg, crowded) = self.alloc_result(GPRS);
            self.free |= was_free;
            self.load(ty, reg, a);
            (Operand::temp(reg), crowded)
        };
        let in_cl = b.is_reg() && b.reg() == RCX;
        let busy = !in_cl && self.free & 1 << RCX == 0 && b.owned() & 1 << RCX == 0;
        if busy && !fault!(10) {
            self.buf.mov_rr(true, SCRATCH, RCX);
        }
        if !in_cl {
            self.load(ty, RCX, b);
            self.used |= 1 << RCX;
        }
        if is_narrow(ty) && !rotates {
            let mask = ty.bits() as i32 / (1 + i32::from(fault!(9))) - 1;
            if in_cl && b.owned() == 0 {
                self.buf.mov_rr(true, SCRATCH, RCX);
            }
            self.buf.alu_ri(Alu::AND, false, RCX, mask);
        }
        self.shift_by_cl(shift, ty, d.reg());
        if busy || is_narrow(ty) && !rotates && in_cl && b.owned() == 0 {
            self.buf.mov_rr(true, RCX, SCRATCH);
        }
        self.release_operand(b);
        self.result(ty, d, crowded)
    }

    /// A shift or rotation of `d` by a masked constant.
    pub(super) fn shift_by_constant(&mut self, shift: Shift, ty: Type, d: Reg, count: u8) {
        let rotates = matches!(shift, Shift::Rol | Shift::Ror);
        // Rotations need the type's own width; the others work on the extended form.
        self.buf.shift_ri(shift, if rotates { ty.size() } else { ty.size().max(4) }, d, count);
        if rotates || shift == Shift::Shl && !fault!(11) {
            self.extend(ty, d);
        }
    }

    fn shift_by_cl(&mut self, shift: Shift, ty: Type, d: Reg) {
        let rotates = matches!(shift, Shift::Rol | Shift::Ror);
        self.buf.shift_cl(shift, if rotates { ty.size() } else { ty.size().max(4) }, d);
        if rotates || shift == Shift::Shl {
            self.extend(ty, d);
        }
    }

    /// `shlx`, `shrx`, `sarx`: any registers, flags untouched.
    fn shift_bmi2(&mut self, shift: Shift, ty: Type, a: Operand, b: Operand) -> Operand {
        let fresh = !(a.is_temp() || b.is_reg() && b.owned() != 0);
        let b = self.to_reg(ty, b);
        let a = self.to_reg(ty, a);
        let d = if a.is_temp() {
            a
        } else if b.owned() != 0 {
            b
        } else {
            let (reg, crowded) = self.alloc_result(GPRS);
            self.encode_bmi2(shift, ty, reg, a.reg(), b.reg());
            return self.born(ty, reg, crowded);
        };
        self.encode_bmi2(shift, ty, d.reg(), a.reg(), b.reg());
        self.free |= (a.owned() | b.owned()) & !d.owned();
        if fresh { self.settled_down(ty, d.reg()) } else { d }
    }

    /// `d = a << count` or `a >> count`, by one of the instructions of BMI2.
    pub(super) fn shift_three(&mut self, op: BinaryOp, ty: Type, d: Reg, a: Reg, count: Reg) {
        self.encode_bmi2(shift_of(op, ty), ty, d, a, count);
    }

    fn encode_bmi2(&mut self, shift: Shift, ty: Type, d: Reg, a: Reg, count: Reg) {
        let prefix = match shift {
            Shift::Shl => 1,                // 66
            Shift::Sar if !fault!(12) => 2, // f3
            _ => 3,                         // f2
        };
        // VEX.LZ.pp.0F38.W F7 /r
        let w = u8::from(is_wide(ty)) << 7;
        self.buf.byte(0xc4);
        self.buf.byte((!d & 8) << 4 | 0x40 | (!a & 8) << 2 | 2);
        self.buf.byte(w | (!count & 15) << 3 | prefix);
        self.buf.byte(0xf7);
        self.buf.byte(0xc0 | (d & 7) << 3 | a & 7);
    }

    fn min_max_int(&mut self, op: BinaryOp, ty: Type, a: Operand, b: Operand) -> Operand {
        let wide = is_wide(ty);
        let (a, b) = if a.is_const() { (b, a) } else { (a, b) };
        let (d, crowded) = self.to_temp(ty, a);
        let b_reg = if b.is_reg() {
            b.reg()
        } else {
            self.load(ty, SCRATCH, b);
            SCRATCH
        };
        self.buf.alu_rr(Alu::CMP, wide, d.reg(), b_reg);
        let wants_b = if op == BinaryOp::Min { Comparison::Gt } else { Comparison::Lt };
        self.buf.rr(op0f(0x40 | code_of(wants_b, ty.is_signed())), wide, d.reg(), b_reg, false);
        self.release_operand(b);
        self.result(ty, d, crowded)
    }

    /// A comparison of integers, pointers or `bool`s.
    #[inline(never)]
    pub(super) fn compare_int(&mut self, Compare { op, ty }: Compare, a: Operand, b: Operand) -> Operand {
        let a = if a.is_mem() && b.is_mem() || !a.is_reg() && !a.is_mem() { self.to_reg(ty, a) } else { a };
        let wide = is_wide(ty);
        if a.is_reg() {
            if b.is_const() && b.body == 0 {
                self.buf.test_rr(wide, a.reg(), a.reg());
            } else {
                self.alu(Alu::CMP, ty, a.reg(), b);
            }
        } else {
            let (m, size) = (self.m(a), ty.size());
            if b.is_reg() {
                self.buf.alu_mr(Alu::CMP, size, m, b.reg());
            } else if fits_imm32(ty, b.body) {
                self.buf.alu_mi(Alu::CMP, size, m, b.body as i32);
            } else {
                self.buf.mov_ri(SCRATCH, b.body);
                self.buf.alu_mr(Alu::CMP, size, m, SCRATCH);
            }
        }
        self.release_operand(a);
        self.release_operand(b);
        Operand::condition(code_of(op, ty.is_signed()), 0, 0)
    }

    /// `a & b != 0`, `b` a constant or a register.
    #[inline(never)]
    pub(super) fn test_bits(&mut self, ty: Type, a: Operand, b: Operand, nonzero: bool) -> Operand {
        self.buf.room();
        let code = if nonzero { cc::NE } else { cc::E };
        if b.is_const() && b.body <= 0x7f && a.is_mem() {
            let m = self.m(a);
            self.buf.rm(op(0xf6), false, 0, m, false);
            self.buf.byte(b.body as u8);
        } else {
            let a = self.to_reg(ty, a);
            if !b.is_const() {
                self.load(ty, SCRATCH, b);
                self.buf.test_rr(is_wide(ty), a.reg(), SCRATCH);
            } else if b.body <= 0x7f {
                return self.test_byte(a, b.body as u8, nonzero);
            } else if b.body <= 0x7fff_ffff || !is_wide(ty) {
                self.buf.rr(op(0xf7), false, 0, a.reg(), false);
                self.buf.dword(b.body as i32);
            } else {
                self.buf.mov_ri(SCRATCH, b.body);
                self.buf.test_rr(true, a.reg(), SCRATCH);
            }
            self.release_operand(a);
            self.release_operand(b);
            return Operand::condition(code, 0, 0);
        }
        self.release_operand(a);
        Operand::condition(code, 0, 0)
    }

    /// An operation with one integer operand.
    pub(super) fn unary_int(&mut self, unary: UnaryOp, ty: Type, a: Operand) -> Operand {
        let wide = is_wide(ty);
        if unary == UnaryOp::SwapBytes
            && self.features.movbe
            && a.is_mem()
            && a.slot_index().is_none()
            && !is_narrow(ty)
        {
            return self.load_swapped(ty, a);
        }
        let (d, crowded) = self.to_temp(ty, a);
        let reg = d.reg();
        match unary {
            UnaryOp::Neg => self.buf.rr(op(0xf7), wide, 3, reg, false),
            UnaryOp::Not => self.buf.rr(op(0xf7), wide, 2, reg, false),
            UnaryOp::Abs if ty.is_signed() => {
                // The negation, unless it is negative.
                self.buf.mov_rr(wide, SCRATCH, reg);
                self.buf.rr(op(0xf7), wide, 3, SCRATCH, false);
                self.buf.rr(op0f(0x40 | cc::S ^ 1), wide, reg, SCRATCH, false);
            }
            UnaryOp::Abs => {}
            UnaryOp::CountOnes => self.count_ones(ty, reg),
            UnaryOp::LeadingZeros => self.leading_zeros(ty, reg),
            UnaryOp::TrailingZeros => self.trailing_zeros(ty, reg),
            UnaryOp::SwapBytes => match ty.size() {
                1 => {}
                2 => self.buf.shift_ri(Shift::Rol, 2, reg, 8),
                _ => {
                    self.buf.byte(0x40 | u8::from(wide) << 3 | reg >> 3);
                    self.buf.byte(0x0f);
                    self.buf.byte(0xc8 | reg & 7);
                }
            },
            UnaryOp::Sqrt | UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Trunc => unreachable!("{unary:?} of an integer"),
        }
        // Counts are small, and two zero bytes stay above the two that are swapped.
        let extended = matches!(unary, UnaryOp::CountOnes | UnaryOp::LeadingZeros | UnaryOp::TrailingZeros)
            || unary == UnaryOp::SwapBytes && !ty.is_signed();
        if !extended {
            self.extend(ty, reg);
        }
        self.result(ty, d, crowded)
    }

    /// `movbe`: a load of 32 or 64 bits with its bytes in reverse order.
    fn load_swapped(&mut self, ty: Type, a: Operand) -> Operand {
        self.release_operand(a);
        let (d, crowded) = self.alloc_result(GPRS);
        self.buf.movbe(is_wide(ty), d, a.as_mem());
        self.born(ty, d, crowded)
    }

    /// The bits of a narrow signed value without the copies of its sign.
    fn drop_sign(&mut self, ty: Type, reg: Reg) {
        match ty {
            Type::I8 => self.extend(Type::U8, reg),
            Type::I16 => self.extend(Type::U16, reg),
            _ => {}
        }
    }

    fn count_ones(&mut self, ty: Type, reg: Reg) {
        self.drop_sign(ty, reg);
        if self.features.popcnt {
            self.buf.byte(0xf3);
            self.buf.rr(op0f(0xb8), is_wide(ty), reg, reg, false);
            return;
        }
        // Without the instruction, one bit a round: x &= x - 1.
        let wide = is_wide(ty);
        self.buf.mov_rr(wide, SCRATCH, reg);
        self.buf.mov_ri(reg, 0);
        self.buf.test_rr(wide, SCRATCH, SCRATCH);
        let done = self.jump_on(cc::E);
        let top = self.buf.pos();
        let less_one = self.alloc(GPRS);
        self.buf.lea(wide, less_one, Mem { base: SCRATCH, index: RSP, scale: 0, disp: -1, in_frame: false });
        self.buf.alu_rr(Alu::AND, wide, SCRATCH, less_one);
        self.free |= 1 << less_one;
        self.buf.lea(false, reg, Mem { base: reg, index: RSP, scale: 0, disp: 1, in_frame: false });
        self.buf.test_rr(wide, SCRATCH, SCRATCH);
        let again = self.jump_on(cc::NE);
        self.send_list(again, top);
        self.land_list(done);
    }

    fn leading_zeros(&mut self, ty: Type, reg: Reg) {
        self.drop_sign(ty, reg);
        let wide = is_wide(ty);
        // bsr gives the number of the highest bit, and nothing for zero: a bit below the value makes zero count too.
        // 2x + 1 has its highest bit one further up; in 64 bits this needs a case of its own.
        if wide {
            self.buf.mov_ri(SCRATCH, 127);
            self.buf.rr(op0f(0xbd), true, reg, reg, false);
            self.buf.rr(op0f(0x40 | cc::E), true, reg, SCRATCH, false);
            self.buf.alu_ri(Alu::XOR, false, reg, 63);
        } else {
            self.buf.mov_rr(false, reg, reg);
            self.buf.lea(true, reg, Mem { base: reg, index: reg, scale: 0, disp: 1, in_frame: false });
            self.buf.rr(op0f(0xbd), true, reg, reg, false);
            // width - position
            self.buf.rr(op(0xf7), false, 3, reg, false);
            self.buf.alu_ri(Alu::ADD, false, reg, ty.bits() as i32);
        }
    }

    fn trailing_zeros(&mut self, ty: Type, reg: Reg) {
        let wide = is_wide(ty);
        if wide {
            self.buf.mov_ri(SCRATCH, 64);
            self.buf.rr(op0f(0xbc), true, reg, reg, false);
            self.buf.rr(op0f(0x40 | cc::E), true, reg, SCRATCH, false);
        } else {
            // A bit above the value stops the count there.
            self.drop_sign(ty, reg);
            self.buf.mov_rr(false, reg, reg);
            dynasm!(self.buf; .arch x64; bts Rq(reg), BYTE ty.bits() as i8);
            self.buf.rr(op0f(0xbc), true, reg, reg, false);
        }
    }

    /// `home op= b` where the home is a register or a slot. Consumes `b`.
    #[inline(always)]
    pub(super) fn assign_int(&mut self, o: Binary, home: Operand, b: Operand) {
        match Alu::of(o.op) {
            Some(alu) if home.is_reg() => {
                self.alu_into(alu, o.ty, home, b);
            }
            _ => self.assign_rare(o, home, b),
        }
    }

    #[inline(never)]
    fn assign_rare(&mut self, Binary { op, ty }: Binary, home: Operand, b: Operand) {
        if home.is_reg() {
            if op == BinaryOp::Mul && !(b.is_const() && is_narrow(ty)) {
                self.imul(ty, home.reg(), b);
                self.release_operand(b);
                self.extend(ty, home.reg());
                return;
            }
            if matches!(op, BinaryOp::Shl | BinaryOp::Shr | BinaryOp::RotateLeft | BinaryOp::RotateRight)
                && b.is_const()
            {
                return self.shift_by_constant(shift_of(op, ty), ty, home.reg(), b.body as u8);
            }
        } else if !is_narrow(ty) && self.update_memory(op, ty, home, b) {
            return;
        }
        let value = self.binary_int(Binary { op, ty }, home, b);
        self.assign_home(ty, home, value);
    }

    /// `[m] op= b` in memory, if the machine can; then consumes `b`, but not the memory operand.
    pub(super) fn update_memory(&mut self, op: BinaryOp, ty: Type, to: Operand, b: Operand) -> bool {
        let size = ty.size();
        let m = self.m(to);
        if let Some(alu) = Alu::of(op) {
            if b.is_const() && fits_imm32(ty, b.body) {
                self.buf.alu_mi(alu, size, m, b.body as i32);
            } else {
                let from = if b.is_reg() {
                    b.reg()
                } else {
                    self.load(ty, SCRATCH, b);
                    SCRATCH
                };
                self.buf.alu_mr(alu, size, m, from);
            }
            self.release_operand(b);
            return true;
        }
        let shifts = matches!(op, BinaryOp::Shl | BinaryOp::Shr | BinaryOp::RotateLeft | BinaryOp::RotateRight);
        if shifts && b.is_const() {
            self.buf.shift_mi(shift_of(op, ty), size, m, b.body as u8);
            return true;
        }
        if op == BinaryOp::Mul && size >= 4 {
            // Through the scratch register, if the factor does not need it.
            if b.is_reg() || b.is_mem() || fits_imm32(ty, b.body) {
                if b.is_const() {
                    self.imul_imm(is_wide(ty), SCRATCH, to, b.body as i32);
                } else {
                    self.load(ty, SCRATCH, to);
                    self.imul(ty, SCRATCH, b);
                }
                self.store_reg(ty, to, SCRATCH);
                self.release_operand(b);
                return true;
            }
        }
        false
    }

    /// `d` = the bits of a register of the other class.
    pub(super) fn bitcast_into(&mut self, to: Type, d: Reg, a: Reg) {
        let (byte, xmm, gpr) = if to.is_float() { (0x6e, d, a) } else { (0x7e, a, d) };
        self.buf.rr(op_prefixed(0x66, byte), is_wide(to), xmm, gpr, false);
    }

    /// The other class's view of the same bits.
    pub(super) fn move_between_classes(&mut self, to: Type, a: Operand, from: Type) -> Operand {
        if a.is_mem() {
            // Memory has no class.
            return a;
        }
        self.release_operand(a);
        debug_assert!(from.is_float() != to.is_float());
        let (d, crowded) = self.alloc_result(Self::class(to));
        self.bitcast_into(to, d, a.reg());
        self.born(to, d, crowded)
    }
}
