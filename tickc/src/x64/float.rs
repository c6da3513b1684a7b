//! Floats: arithmetic, comparisons, conversions. SSE2, and SSE4.1 for rounding where there is.

use super::OnePass;
use super::branch::cc;
use super::encode::{Alu, Shift, op_prefixed, op0f};
use super::regs::*;
use crate::machine::{Binary, BinaryOp, Comparison, Operand, Target, UnaryOp};
use crate::types::Type;

extern "C" fn rem_f32(a: f32, b: f32) -> f32 {
    a % b
}
extern "C" fn rem_f64(a: f64, b: f64) -> f64 {
    a % b
}
macro_rules! rounding {
    ($($name32:ident $name64:ident $method:ident;)*) => {$(
        extern "C" fn $name32(a: f32) -> f32 { a.$method() }
        extern "C" fn $name64(a: f64) -> f64 { a.$method() }
    )*};
}
rounding!(floor_f32 floor_f64 floor; ceil_f32 ceil_f64 ceil; trunc_f32 trunc_f64 trunc;);

/// The prefix that selects the scalar form of an instruction for the type.
#[inline(always)]
fn scalar(ty: Type) -> u8 {
    if ty == Type::F32 { 0xf3 } else { 0xf2 }
}

/// The prefix of `ucomis`, `andp`, `xorp`: none for f32, 0x66 for f64.
#[inline(always)]
fn packed(ty: Type) -> u8 {
    if ty == Type::F32 { 0 } else { 0x66 }
}

/// Whether a value in the extended form of one type is in that of another, of at most 32 bits. Values are kept extended to 32
/// bits, so only a narrow target that the source may not fit needs work.
fn fits(from: Type, to: Type) -> bool {
    from == Type::Bool
        || from.size() < to.size() && (!from.is_signed() || to.is_signed() || to.size() == 4)
        || from == to
        || to.size() == 4
}

impl OnePass {
    /// `op d, b`. Does not consume `b`.
    #[inline]
    fn sse(&mut self, prefix: u8, byte: u8, ty: Type, d: Reg, b: Operand) {
        let op = op_prefixed(prefix, byte);
        if b.is_reg() {
            self.buf.rr(op, false, d, b.reg(), false);
        } else if b.is_mem() {
            let m = self.m(b);
            self.buf.rm(op, false, d, m, false);
        } else {
            self.load(ty, XSCRATCH, b);
            self.buf.rr(op, false, d, XSCRATCH, false);
        }
    }

    #[inline(never)]
    pub(super) fn binary_float(&mut self, Binary { op, ty }: Binary, mut a: Operand, mut b: Operand) -> Operand {
        let byte = match op {
            BinaryOp::Add => 0x58,
            BinaryOp::Mul => 0x59,
            BinaryOp::Sub => 0x5c,
            BinaryOp::Div => 0x5e,
            BinaryOp::Min => return self.min_max_float(0x5d, ty, a, b),
            BinaryOp::Max => return self.min_max_float(0x5f, ty, a, b),
            BinaryOp::Rem => {
                let target = if ty == Type::F32 { rem_f32 as *const () } else { rem_f64 as *const () };
                return self.call_target(Target::Native(target.addr() as u64), &[(ty, a), (ty, b)], 0, ty);
            }
            _ => unreachable!("{op:?} of floats"),
        };
        // Which of two NaNs comes out may depend on the order, which Rust leaves open.
        if op.commutes() && !a.is_temp() && b.is_temp() {
            std::mem::swap(&mut a, &mut b);
        }
        let (d, crowded) = self.to_temp(ty, a);
        self.sse(scalar(ty), byte, ty, d.reg(), b);
        self.release_operand(b);
        self.result(ty, d, crowded)
    }

    /// `home op= b`.
    pub(super) fn assign_float(&mut self, op: BinaryOp, ty: Type, home: Operand, b: Operand) {
        let byte = match op {
            BinaryOp::Add => 0x58,
            BinaryOp::Mul => 0x59,
            BinaryOp::Sub => 0x5c,
            BinaryOp::Div => 0x5e,
            _ => 0,
        };
        if byte != 0 && home.is_reg() {
            self.sse(scalar(ty), byte, ty, home.reg(), b);
            return self.release_operand(b);
        }
        let value = self.binary_float(Binary { op, ty }, home, b);
        self.assign_home(ty, home, value);
    }

    /// Rust's `min` and `max`: the number, if one operand is none. `minsd x, y` is y if either is none, and y if both are
    /// zeros; so with x = b and y = a only a NaN in a is left to be looked at.
    fn min_max_float(&mut self, byte: u8, ty: Type, a: Operand, b: Operand) -> Operand {
        let a = self.to_reg(ty, a);
        let (d, crowded) = self.to_temp(ty, b);
        self.sse(packed(ty), 0x2e, ty, a.reg(), a); // ucomis
        let nan = self.jump_on(cc::P);
        self.sse(scalar(ty), byte, ty, d.reg(), a);
        self.land_list(nan);
        self.release_operand(a);
        self.result(ty, d, crowded)
    }

    /// `ucomis` sets ZF, PF, CF; all of them if the operands are unordered. "Above" and "above or equal" are then false, so
    /// `<` and `<=` compare the other way round.
    pub(super) fn compare_float(&mut self, op: Comparison, ty: Type, a: Operand, b: Operand) -> Operand {
        let (op, a, b) = match op {
            Comparison::Lt | Comparison::Le => (op.swapped(), b, a),
            _ => (op, a, b),
        };
        let a = self.to_reg(ty, a);
        self.sse(packed(ty), 0x2e, ty, a.reg(), b);
        self.release_operand(a);
        self.release_operand(b);
        match op {
            Comparison::Gt => Operand::condition(if fault!(20) { cc::NE } else { cc::A }, 0, 0),
            Comparison::Ge => Operand::condition(cc::AE, 0, 0),
            // Equality also needs order: the unordered case jumps.
            Comparison::Eq => {
                let unordered = self.jump_on(cc::P);
                Operand::condition(cc::E, 0, unordered)
            }
            _ => {
                let unordered = self.jump_on(cc::P);
                Operand::condition(
                    cc::NE,
                    if fault!(21) { 0 } else { unordered },
                    if fault!(21) { unordered } else { 0 },
                )
            }
        }
    }

    pub(super) fn unary_float(&mut self, unary: UnaryOp, ty: Type, a: Operand) -> Operand {
        let sign = 1u64 << (ty.bits() - 1);
        match unary {
            UnaryOp::Neg | UnaryOp::Abs => {
                let (byte, mask) = if unary == UnaryOp::Neg { (0x57, sign) } else { (0x54, sign - 1) };
                let (d, crowded) = self.to_temp(ty, a);
                self.sse(packed(ty), byte, ty, d.reg(), Operand::constant(mask));
                self.result(ty, d, crowded)
            }
            UnaryOp::Sqrt => {
                let (d, crowded) = self.to_temp(ty, a);
                self.sse(scalar(ty), 0x51, ty, d.reg(), d);
                self.result(ty, d, crowded)
            }
            UnaryOp::Floor => {
                self.round(ty, a, 1, if ty == Type::F32 { floor_f32 as *const () } else { floor_f64 as *const () })
            }
            UnaryOp::Ceil => {
                self.round(ty, a, 2, if ty == Type::F32 { ceil_f32 as *const () } else { ceil_f64 as *const () })
            }
            UnaryOp::Trunc => {
                self.round(ty, a, 3, if ty == Type::F32 { trunc_f32 as *const () } else { trunc_f64 as *const () })
            }
            _ => unreachable!("{unary:?} of a float"),
        }
    }

    fn round(&mut self, ty: Type, a: Operand, mode: u8, otherwise: *const ()) -> Operand {
        if !self.features.sse41 {
            return self.call_target(Target::Native(otherwise.addr() as u64), &[(ty, a)], 0, ty);
        }
        let (d, crowded) = self.to_temp(ty, a);
        // roundss, roundsd: 66 0F 3A 0A/0B /r ib
        let reg = d.reg() & 15;
        self.buf.byte(0x66);
        if reg >= 8 {
            self.buf.byte(0x45);
        }
        self.buf.byte(0x0f);
        self.buf.byte(0x3a);
        self.buf.byte(if ty == Type::F32 { 0x0a } else { 0x0b });
        self.buf.byte(0xc0 | (reg & 7) << 3 | reg & 7);
        self.buf.byte(if fault!(24) { mode ^ 3 | 8 } else { mode | 8 });
        self.result(ty, d, crowded)
    }

    /// `a as to` where one of the types is a float.
    pub(super) fn convert_float(&mut self, from: Type, to: Type, a: Operand) -> Operand {
        match (from.is_float(), to.is_float()) {
            (true, true) => {
                self.release_operand(a);
                let (d, crowded) = self.alloc_result(XMMS);
                self.sse(scalar(from), 0x5a, from, d, a); // cvtss2sd, cvtsd2ss
                self.born(to, d, crowded)
            }
            (false, _) => self.int_to_float(from, to, a),
            _ => self.float_to_int(from, to, a),
        }
    }

    fn int_to_float(&mut self, from: Type, to: Type, a: Operand) -> Operand {
        let a = self.to_reg(from, a);
        let (d, crowded) = self.alloc_result(XMMS);
        // The instruction keeps the upper part of its destination: a fresh one waits for nobody.
        self.buf.rr(op0f(0x57), false, d, d, false);
        let convert = op_prefixed(scalar(to), 0x2a);
        match from {
            Type::U64 | Type::Usize | Type::Ptr => {
                self.buf.test_rr(true, a.reg(), a.reg());
                let large = self.jump_on(if fault!(22) { cc::O } else { cc::S });
                self.cvt(convert.prefix, 0x2a, true, d, a.reg());
                let done = self.jump_always();
                self.land_list(large);
                // Half of it, with the lost bit kept so that rounding comes out right, then doubled.
                let half = self.alloc(GPRS);
                self.buf.mov_rr(true, SCRATCH, a.reg());
                self.buf.mov_rr(true, half, a.reg());
                self.buf.shift_ri(Shift::Shr, 8, SCRATCH, 1);
                self.buf.alu_ri(Alu::AND, false, half, 1);
                self.buf.alu_rr(Alu::OR, true, SCRATCH, half);
                self.free |= 1 << half;
                self.cvt(convert.prefix, 0x2a, true, d, SCRATCH);
                self.sse(scalar(to), 0x58, to, d, Operand::reg_of(d));
                self.land_list(done);
            }
            Type::U32 => {
                self.buf.mov_rr(false, SCRATCH, a.reg());
                self.cvt(convert.prefix, 0x2a, true, d, SCRATCH);
            }
            _ => self.cvt(convert.prefix, 0x2a, is_wide(from), d, a.reg()),
        }
        self.release_operand(a);
        self.born(to, d, crowded)
    }

    /// A conversion between the classes; the prefix comes before REX.
    fn cvt(&mut self, prefix: u8, byte: u8, wide: bool, d: Reg, s: Reg) {
        self.buf.rr(op_prefixed(prefix, byte), wide, d, s, false);
    }

    /// Saturating, NaN to 0, as Rust's `as`.
    fn float_to_int(&mut self, from: Type, to: Type, a: Operand) -> Operand {
        // A copy that may be clobbered, as f64 (exact).
        let a = if from == Type::F32 { self.convert_float(Type::F32, Type::F64, a) } else { a };
        let a = self.to_reg(Type::F64, a);
        let (d, crowded) = self.alloc_result(GPRS);
        match to {
            Type::I64 | Type::Isize => self.f64_to_i64(d, a.reg()),
            Type::U64 | Type::Usize | Type::Ptr => self.f64_to_u64(d, a.reg()),
            _ => self.f64_to_small(to, d, a.reg()),
        }
        self.release_operand(a);
        self.born(to, d, crowded)
    }

    /// Clamps to the type's range, which f64 has exactly.
    fn f64_to_small(&mut self, to: Type, d: Reg, a: Reg) {
        let (low, high) = match to {
            Type::I8 => (f64::from(i8::MIN), f64::from(i8::MAX)),
            Type::I16 => (f64::from(i16::MIN), f64::from(i16::MAX)),
            Type::I32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
            Type::U8 => (0.0, f64::from(u8::MAX)),
            Type::U16 => (0.0, f64::from(u16::MAX)),
            _ => (0.0, f64::from(u32::MAX)),
        };
        let ty = Type::F64;
        self.buf.zero(d);
        self.sse(0x66, 0x2e, ty, a, Operand::reg_of(a));
        let nan = self.jump_on(cc::P);
        // min and max with the constant first leave the operand where it is.
        self.load(ty, XSCRATCH, Operand::constant(low.to_bits()));
        self.sse(0xf2, 0x5f, ty, XSCRATCH, Operand::reg_of(a)); // maxsd
        let clamped = self.alloc(XMMS);
        self.load(ty, clamped, Operand::constant(high.to_bits()));
        self.sse(0xf2, 0x5d, ty, clamped, Operand::reg_of(XSCRATCH)); // minsd
        self.cvt(0xf2, 0x2c, true, d, clamped);
        self.free |= 1 << clamped;
        self.land_list(nan);
    }

    /// `cvttsd2si` gives the smallest integer for everything it cannot convert.
    fn f64_to_i64(&mut self, d: Reg, a: Reg) {
        self.cvt(0xf2, 0x2c, true, d, a);
        self.buf.mov_ri(SCRATCH, i64::MIN as u64);
        self.buf.alu_rr(Alu::CMP, true, d, SCRATCH);
        let fine = self.jump_on(cc::NE);
        self.load(Type::F64, XSCRATCH, Operand::constant(0));
        self.sse(0x66, 0x2e, Type::F64, a, Operand::reg_of(XSCRATCH));
        let nan = self.jump_on(if fault!(23) { cc::O } else { cc::P });
        let negative = self.jump_on(cc::B);
        self.buf.mov_ri(d, i64::MAX as u64);
        let done = self.jump_always();
        self.land_list(nan);
        self.buf.zero(d);
        self.land_list(done);
        self.land_list(negative);
        self.land_list(fine);
    }

    fn f64_to_u64(&mut self, d: Reg, a: Reg) {
        let ty = Type::F64;
        let two_63 = Operand::constant((2f64.powi(63)).to_bits());
        self.buf.zero(d);
        self.load(ty, XSCRATCH, Operand::constant(0));
        self.sse(0x66, 0x2e, ty, a, Operand::reg_of(XSCRATCH));
        // Unordered sets CF, too: NaN and what is below zero give zero.
        let zero = self.jump_on(cc::B);
        self.sse(0x66, 0x2e, ty, a, two_63);
        let large = self.jump_on(cc::AE);
        self.cvt(0xf2, 0x2c, true, d, a);
        let done = self.jump_always();
        self.land_list(large);
        self.buf.mov_ri(d, u64::MAX);
        self.sse(0x66, 0x2e, ty, a, Operand::constant((2f64.powi(64)).to_bits()));
        let too_large = self.jump_on(cc::AE);
        self.load(ty, XSCRATCH, two_63);
        let rest = self.alloc(XMMS);
        self.mov_reg(ty, rest, a);
        self.sse(0xf2, 0x5c, ty, rest, Operand::reg_of(XSCRATCH)); // subsd
        self.cvt(0xf2, 0x2c, true, d, rest);
        self.free |= 1 << rest;
        self.buf.mov_ri(SCRATCH, 1 << 63);
        self.buf.alu_rr(Alu::OR, true, d, SCRATCH);
        self.land_list(too_large);
        self.land_list(done);
        self.land_list(zero);
    }

    /// `a as to` between integers, `bool` and pointers.
    pub(super) fn convert_int(&mut self, from: Type, to: Type, a: Operand) -> Operand {
        if a.is_mem() && to.size() <= from.size() {
            // The low bytes come first.
            return a;
        }
        if to.size() == 8 {
            if from.size() == 8 {
                return a;
            }
            return self.widen(from, a);
        }
        let fits = fits(from, to);
        if fits && !a.is_mem() {
            return a;
        }
        let (d, crowded) = if a.is_mem() { self.to_temp(from, a) } else { self.to_temp(Type::U32, a) };
        if !fits {
            self.extend(to, d.reg());
        }
        self.result(to, d, crowded)
    }

    /// `d = a as to`. Does not consume `a`.
    pub(super) fn convert_into(&mut self, from: Type, to: Type, d: Reg, a: Operand) {
        if to.size() == 8 && from.size() < 8 {
            self.widen_into(from, d, a);
        } else if a.is_mem() && to.size() <= from.size() {
            self.load(to, d, a);
        } else {
            self.load(if a.is_mem() { from } else { Type::U32 }, d, a);
            if !fits(from, to) {
                self.extend(to, d);
            }
        }
    }

    fn widen(&mut self, from: Type, a: Operand) -> Operand {
        self.release_operand(a);
        let (d, crowded) = self.alloc_result(GPRS);
        self.widen_into(from, d, a);
        self.born(Type::I64, d, crowded)
    }

    /// `d = a` with 64 bits. Does not consume `a`.
    fn widen_into(&mut self, from: Type, d: Reg, a: Operand) {
        if a.is_mem() {
            let m = self.m(a);
            match from {
                // An address of 32 bits is zero-extended by the load, and so is everything narrower and unsigned.
                Type::I8 => self.buf.rm(op0f(0xbe), true, d, m, false),
                Type::I16 => self.buf.rm(op0f(0xbf), true, d, m, false),
                Type::I32 => self.buf.rm(super::encode::op(0x63), true, d, m, false),
                _ => super::values::load_mem(&mut self.buf, from, d, m),
            }
        } else if from.is_signed() {
            self.buf.rr(super::encode::op(0x63), true, d, a.reg(), false); // movsxd
        } else {
            self.buf.mov_rr(false, d, a.reg());
        }
    }
}
