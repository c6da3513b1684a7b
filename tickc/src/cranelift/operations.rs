//! Arithmetic. The reference is [`crate::emit::fold`].

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};

use super::lower::{Lowering, clif_type};
use super::survey::DivisionTraps;
use crate::ir::Record;
use crate::machine::{BinaryOp, UnaryOp};
use crate::trap::TrapKind;
use crate::types::Type;

impl Lowering<'_, '_> {
    pub(super) fn binary(&mut self, r: Record, a: Value, b: Value) -> Value {
        if let Some(traps) = DivisionTraps::of(&r) {
            self.check_division(traps, r.ty, a, b);
        }
        let op = r.binary_op();
        if r.ty.is_float() {
            return self.float_binary(op, r.ty, a, b);
        }
        let signed = r.ty.is_signed();
        let ins = self.b.ins();
        match op {
            BinaryOp::Add => ins.iadd(a, b),
            BinaryOp::Sub => ins.isub(a, b),
            BinaryOp::Mul => ins.imul(a, b),
            BinaryOp::And => ins.band(a, b),
            BinaryOp::Or => ins.bor(a, b),
            BinaryOp::Xor => ins.bxor(a, b),
            BinaryOp::Shl => ins.ishl(a, b),
            BinaryOp::Shr if signed => ins.sshr(a, b),
            BinaryOp::Shr => ins.ushr(a, b),
            BinaryOp::RotateLeft => ins.rotl(a, b),
            BinaryOp::RotateRight => ins.rotr(a, b),
            BinaryOp::Div if signed => ins.sdiv(a, b),
            BinaryOp::Div => ins.udiv(a, b),
            BinaryOp::Rem if signed => ins.srem(a, b),
            BinaryOp::Rem => ins.urem(a, b),
            BinaryOp::Min if signed => ins.smin(a, b),
            BinaryOp::Min => ins.umin(a, b),
            BinaryOp::Max if signed => ins.smax(a, b),
            BinaryOp::Max => ins.umax(a, b),
            BinaryOp::MulHigh if signed => ins.smulhi(a, b),
            BinaryOp::MulHigh => ins.umulhi(a, b),
        }
    }

    /// Traps where the division of `a` by `b` does. One comparison lets the usual divisors pass.
    fn check_division(&mut self, traps: DivisionTraps, ty: Type, a: Value, b: Value) {
        let overflows = |this: &mut Self| {
            let min = this.constant(ty, ty.min_value());
            this.b.ins().icmp(IntCC::Equal, a, min)
        };
        match traps {
            DivisionTraps { zero: false, overflow: false } => {}
            DivisionTraps { zero: true, overflow: false } => {
                let zero = self.constant(ty, 0);
                let is_zero = self.b.ins().icmp(IntCC::Equal, b, zero);
                self.trap_if(is_zero, TrapKind::DivisionByZero as u32);
            }
            DivisionTraps { zero: false, overflow: true } => {
                let overflow = overflows(self);
                self.trap_if(overflow, TrapKind::DivisionOverflow as u32);
            }
            DivisionTraps { zero: true, overflow: true } => {
                // -1 and 0 are the two smallest numbers once 1 has been added, without sign.
                let [odd, minus_one, behind] = [(); 3].map(|()| self.b.create_block());
                self.b.set_cold_block(odd);
                self.b.set_cold_block(minus_one);
                let next = self.b.ins().iadd_imm_s(b, 1);
                let one = self.constant(ty, 1);
                let is_odd = self.b.ins().icmp(IntCC::UnsignedLessThanOrEqual, next, one);
                self.b.ins().brif(is_odd, odd, &[], behind, &[]);
                self.go_on(odd);
                let zero = self.constant(ty, 0);
                let is_zero = self.b.ins().icmp(IntCC::Equal, b, zero);
                self.trap_or(is_zero, TrapKind::DivisionByZero as u32, minus_one);
                let overflow = overflows(self);
                self.trap_or(overflow, TrapKind::DivisionOverflow as u32, behind);
            }
        }
    }

    fn float_binary(&mut self, op: BinaryOp, ty: Type, a: Value, b: Value) -> Value {
        match op {
            BinaryOp::Add => self.b.ins().fadd(a, b),
            BinaryOp::Sub => self.b.ins().fsub(a, b),
            BinaryOp::Mul => self.b.ins().fmul(a, b),
            BinaryOp::Div => self.b.ins().fdiv(a, b),
            BinaryOp::Rem => self.float_remainder(ty, a, b),
            // As `minsd` does it; and where the first one is not a number, the other one.
            BinaryOp::Min | BinaryOp::Max => {
                let (low, high) = if op == BinaryOp::Min { (b, a) } else { (a, b) };
                let less = self.b.ins().fcmp(FloatCC::LessThan, low, high);
                let chosen = self.b.ins().select(less, b, a);
                let is_nan = self.b.ins().fcmp(FloatCC::Unordered, a, a);
                self.b.ins().select(is_nan, b, chosen)
            }
            _ => unreachable!("{op:?} of floats"),
        }
    }

    pub(super) fn unary(&mut self, op: UnaryOp, ty: Type, a: Value) -> Value {
        let float = ty.is_float();
        let ins = self.b.ins();
        match op {
            UnaryOp::Neg if float => ins.fneg(a),
            UnaryOp::Abs if float => ins.fabs(a),
            UnaryOp::Sqrt => ins.sqrt(a),
            UnaryOp::Floor => ins.floor(a),
            UnaryOp::Ceil => ins.ceil(a),
            UnaryOp::Trunc => ins.trunc(a),
            UnaryOp::Neg => ins.ineg(a),
            UnaryOp::Not if ty == Type::Bool => ins.bxor_imm_u(a, 1),
            UnaryOp::Not => ins.bnot(a),
            UnaryOp::Abs if ty.is_signed() => ins.iabs(a),
            UnaryOp::Abs => a,
            UnaryOp::CountOnes => ins.popcnt(a),
            UnaryOp::LeadingZeros => ins.clz(a),
            UnaryOp::TrailingZeros => ins.ctz(a),
            UnaryOp::SwapBytes if ty.size() == 1 => a,
            UnaryOp::SwapBytes => ins.bswap(a),
        }
    }

    /// `a as to`
    pub(super) fn convert(&mut self, from: Type, to: Type, a: Value) -> Value {
        match (from.is_float(), to.is_float()) {
            (false, false) => self.resize(from, to, a),
            (false, true) => self.int_to_float(from, to, a),
            (true, false) => self.float_to_int(to, a),
            (true, true) if from == to => a,
            (true, true) if to == Type::F64 => self.b.ins().fpromote(types::F64, a),
            (true, true) => self.b.ins().fdemote(types::F32, a),
        }
    }

    fn resize(&mut self, from: Type, to: Type, a: Value) -> Value {
        let target = clif_type(to);
        let resized = if to.size() < from.size() {
            self.b.ins().ireduce(target, a)
        } else if to.size() == from.size() {
            a
        } else if from.is_signed() {
            self.b.ins().sextend(target, a)
        } else {
            self.b.ins().uextend(target, a)
        };
        if to == Type::Bool && from != Type::Bool { self.b.ins().band_imm_u(resized, 1) } else { resized }
    }

    fn int_to_float(&mut self, from: Type, to: Type, a: Value) -> Value {
        let float = clif_type(to);
        // What fits a signed integer that the processor converts is made one.
        if from.size() == 8 && !from.is_signed() {
            return self.b.ins().fcvt_from_uint(float, a);
        }
        let wide = match from {
            Type::I32 | Type::I64 | Type::Isize => a,
            Type::I8 | Type::I16 => self.b.ins().sextend(types::I32, a),
            Type::U32 => self.b.ins().uextend(types::I64, a),
            _ => self.b.ins().uextend(types::I32, a),
        };
        self.b.ins().fcvt_from_sint(float, wide)
    }

    fn float_to_int(&mut self, to: Type, a: Value) -> Value {
        let int = clif_type(to);
        match to {
            Type::I32 | Type::I64 | Type::Isize => self.b.ins().fcvt_to_sint_sat(int, a),
            Type::U32 | Type::U64 | Type::Usize | Type::Ptr => self.b.ins().fcvt_to_uint_sat(int, a),
            _ => {
                // Narrow ones saturate twice.
                let wide = self.b.ins().fcvt_to_sint_sat(types::I32, a);
                let min = self.constant(Type::I32, to.min_value());
                let max = self.constant(Type::I32, to.max_value());
                let above = self.b.ins().smax(wide, min);
                let within = self.b.ins().smin(above, max);
                self.b.ins().ireduce(int, within)
            }
        }
    }

    pub(super) fn bitcast(&mut self, from: Type, to: Type, a: Value) -> Value {
        if from.is_float() == to.is_float() {
            return a;
        }
        self.b.ins().bitcast(clif_type(to), MemFlagsData::new(), a)
    }
}
