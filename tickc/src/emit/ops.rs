//! Operators: arithmetic, bits, comparisons, casts. Constants fold here, so that a tier sees at most one per operation.

use super::division::{Part, Rounding};
use super::fold::{self, Simpler};
use super::{Emitter, Val};
use crate::machine::{Binary, BinaryOp, Compare, Comparison, Operand, UnaryOp, kind};
use crate::trap::TrapKind;
use crate::types::{Bits, CastFrom, Int, Number, Scalar, Signed, Type};

/// Whether the operation is a division of integers.
pub(super) fn division_part(o: Binary) -> Option<Part> {
    match o.op {
        _ if o.ty.is_float() => None,
        BinaryOp::Div => Some(Part::Quotient),
        BinaryOp::Rem => Some(Part::Remainder),
        _ => None,
    }
}

impl Emitter {
    /// `a op b`. Inlined into quotations: a test of the operands' kinds, and the call of the machine.
    #[inline(always)]
    pub(super) fn binary(&mut self, o: Binary, a: Operand, b: Operand) -> Operand {
        if a.is_const() || b.is_const() && fold::may_simplify(o.op, o.ty, b.body) {
            return self.binary_constant(o, a, b);
        }
        if matches!(o.op, BinaryOp::Sub | BinaryOp::Xor | BinaryOp::And | BinaryOp::Or)
            && !o.ty.is_float()
            && a.is_same(b)
        {
            return self.binary_same(o.op, a, b);
        }
        if o.ty.is_wide_int() {
            if o.op.is_alu() {
                return self.machine.alu_wide(o.op, a, b);
            } else if o.op == BinaryOp::Mul && b.is_const() {
                return self.machine.multiply_wide_constant(a, b.body);
            } else if o.op == BinaryOp::Mul {
                return self.machine.multiply_wide(a, b);
            }
        }
        self.machine.binary(o, a, b)
    }

    /// `a op a`.
    #[cold]
    #[inline(never)]
    fn binary_same(&mut self, op: BinaryOp, a: Operand, b: Operand) -> Operand {
        if matches!(op, BinaryOp::And | BinaryOp::Or) {
            // The one that may own what both stand for is kept.
            return if a.owned() != 0 { a } else { b };
        }
        self.machine.release(a);
        self.machine.release(b);
        Operand::constant(0)
    }

    /// `a op b` with a constant `a`, or a constant `b` of which something may be known.
    #[inline(never)]
    fn binary_constant(&mut self, o: Binary, a: Operand, b: Operand) -> Operand {
        if a.is_const() {
            return self.binary_constant_first(o, a, b);
        }
        self.binary_simplified(o, a, b.body)
    }

    #[inline(never)]
    fn binary_constant_first(&mut self, o: Binary, a: Operand, b: Operand) -> Operand {
        if b.is_const() {
            return match fold::fold_binary(o.op, o.ty, a.body, b.body) {
                Ok(bits) => Operand::constant(bits),
                Err(trap) => self.certain_trap(trap),
            };
        }
        let negative_zero = 1 << (o.ty.bits() - 1);
        match o.op {
            op if op.commutes() => self.binary_simplified(o, b, a.body),
            BinaryOp::Sub if a.body == if o.ty.is_float() { negative_zero } else { 0 } => {
                self.machine.unary(UnaryOp::Neg, o.ty, b)
            }
            BinaryOp::Shl | BinaryOp::Shr | BinaryOp::RotateLeft | BinaryOp::RotateRight if a.body == 0 => {
                self.machine.release(b);
                a
            }
            _ => self.machine.binary(o, a, b),
        }
    }

    /// `a op c` with a constant that something is known of.
    #[inline(never)]
    fn binary_simplified(&mut self, o: Binary, a: Operand, c: u64) -> Operand {
        match fold::simplify(o.op, o.ty, c) {
            Simpler::Same => match division_part(o) {
                Some(part) => self.divide_constant(part, Rounding::Truncate, o.ty, a, c),
                None => self.machine.binary(o, a, Operand::constant(c)),
            },
            Simpler::Identity => a,
            Simpler::Constant(k) => {
                self.machine.release(a);
                Operand::constant(k)
            }
            Simpler::Other(op, k) => self.machine.binary(Binary { op, ..o }, a, Operand::constant(k)),
            Simpler::Unary(op) => self.machine.unary(op, o.ty, a),
            Simpler::Trap(trap) => {
                self.machine.release(a);
                self.certain_trap(trap)
            }
        }
    }

    /// `home op= value`. Inlined as [`Emitter::binary`] is.
    #[inline(always)]
    pub(super) fn assign_binary(&mut self, o: Binary, home: Operand, value: Operand) {
        if value.is_const() && fold::may_simplify(o.op, o.ty, value.body) || o.ty == Type::Bool {
            return self.assign_simplified(o, home, value);
        }
        self.assign_operand(o, home, value);
    }

    /// `home op= value` as the machine does it.
    #[inline(always)]
    pub(super) fn assign_operand(&mut self, o: Binary, home: Operand, value: Operand) {
        if o.ty.is_wide_int() && o.op.is_alu() {
            self.machine.assign_alu_wide(o.op, home, value);
        } else {
            self.machine.assign_binary(o, home, value);
        }
    }

    #[inline(never)]
    fn assign_simplified(&mut self, mut o: Binary, home: Operand, mut value: Operand) {
        if value.is_const() {
            match fold::simplify(o.op, o.ty, value.body) {
                Simpler::Same => {
                    if let Some(part) = division_part(o) {
                        let result = self.divide_constant(part, Rounding::Truncate, o.ty, home, value.body);
                        return self.machine.assign(o.ty, home, result);
                    }
                }
                Simpler::Identity => return,
                Simpler::Constant(k) => return self.machine.assign(o.ty, home, Operand::constant(k)),
                Simpler::Other(op, k) => (o.op, value) = (op, Operand::constant(k)),
                Simpler::Unary(op) => {
                    let old = if home.kind() == kind::REG { home.in_place() } else { home };
                    let result = self.machine.unary(op, o.ty, old);
                    if result != old {
                        self.machine.assign(o.ty, home, result);
                    }
                    return;
                }
                Simpler::Trap(trap) => {
                    self.certain_trap(trap);
                    return;
                }
            }
        } else {
            value = self.settled(value);
        }
        self.machine.assign_binary(o, home, value);
    }

    /// An operation that always traps; what it returns is never seen.
    #[cold]
    fn certain_trap(&mut self, trap: TrapKind) -> Operand {
        self.machine.trap_if(Operand::constant(1), trap);
        Operand::constant(0)
    }

    /// A comparison. Inlined as [`Emitter::binary`] is.
    #[inline(always)]
    pub(super) fn compare(&mut self, o: Compare, a: Operand, b: Operand) -> Operand {
        if a.is_const() || o.ty == Type::Bool {
            return self.compare_special(o, a, b);
        }
        if a.is_same(b) && !o.ty.is_float() {
            return self.compare_same(o.op, a, b);
        }
        self.compare_operands(o, a, b)
    }

    /// A comparison that only the machine can do.
    #[inline(always)]
    pub(super) fn compare_operands(&mut self, o: Compare, a: Operand, b: Operand) -> Operand {
        if o.ty.is_wide_int() { self.machine.compare_wide(o, a, b) } else { self.machine.compare(o, a, b) }
    }

    /// `a op a`.
    #[cold]
    #[inline(never)]
    fn compare_same(&mut self, op: Comparison, a: Operand, b: Operand) -> Operand {
        self.machine.release(a);
        self.machine.release(b);
        Operand::constant(u64::from(matches!(op, Comparison::Eq | Comparison::Le | Comparison::Ge) && !fault!(40)))
    }

    /// A comparison of `bool`s, or with a constant on the left.
    #[inline(never)]
    fn compare_special(&mut self, mut o: Compare, mut a: Operand, mut b: Operand) -> Operand {
        if a.is_const() {
            if b.is_const() {
                return Operand::constant(u64::from(fold::fold_compare(o.op, o.ty, a.body, b.body)));
            }
            std::mem::swap(&mut a, &mut b);
            o.op = if fault!(41) { o.op } else { o.op.swapped() };
        }
        if o.ty == Type::Bool {
            return self.compare_bool(o.op, a, b);
        }
        self.machine.compare(o, a, b)
    }

    #[cold]
    fn compare_bool(&mut self, op: Comparison, a: Operand, b: Operand) -> Operand {
        if b.is_const() {
            match (op, b.body) {
                (Comparison::Eq, 1) | (Comparison::Ne, 0) => return a,
                (Comparison::Eq, 0) | (Comparison::Ne, 1) => return self.machine.invert(a),
                _ => {}
            }
        }
        let a = self.settled(a);
        let b = self.settled(b);
        self.machine.compare(Compare { op, ty: Type::Bool }, a, b)
    }

    #[inline]
    fn settled(&mut self, a: Operand) -> Operand {
        if a.kind() == kind::COND { self.machine.settle(a) } else { a }
    }

    /// An operation with one operand.
    #[inline]
    pub(super) fn unary(&mut self, op: UnaryOp, ty: Type, a: Operand) -> Operand {
        if a.is_const() {
            return Operand::constant(fold::fold_unary(op, ty, a.body));
        }
        self.machine.unary(op, ty, a)
    }

    /// `a as to`.
    pub(super) fn convert(&mut self, from: Type, to: Type, a: Operand) -> Operand {
        if a.is_const() {
            return Operand::constant(fold::fold_convert(from, to, a.body));
        }
        if from == to {
            return a;
        }
        let a = self.settled(a);
        self.machine.convert(from, to, a)
    }

    /// A shift count in the type of the value that is shifted.
    #[inline]
    pub(super) fn shift_count<T: Int, S: Int>(&mut self, count: Val<S>) -> Operand {
        let count = count.into_operand();
        if count.is_const() {
            return Operand::constant(count.body & u64::from(T::TYPE.bits() - 1));
        }
        // Only the low bits count, so a wider count needs no conversion and a narrower one any extension.
        if S::TYPE.size() < T::TYPE.size() {
            self.convert(S::TYPE, T::TYPE, count)
        } else {
            self.narrow(S::TYPE, T::TYPE, count)
        }
    }

    #[inline]
    fn narrow(&mut self, from: Type, to: Type, a: Operand) -> Operand {
        if from.size() == to.size() { a } else { self.convert(from, to, a) }
    }

    /// `!a`.
    #[inline]
    pub fn not<T: Bits>(&mut self, a: Val<T>) -> Val<T> {
        let a = a.into_operand();
        Val::new(match T::TYPE {
            Type::Bool if a.is_const() => Operand::constant(a.body ^ 1),
            Type::Bool => self.machine.invert(a),
            ty => self.unary(UnaryOp::Not, ty, a),
        })
    }

    /// `-a`.
    #[inline]
    pub fn neg<T: Signed>(&mut self, a: Val<T>) -> Val<T> {
        Val::new(self.unary(UnaryOp::Neg, T::TYPE, a.into_operand()))
    }

    /// `a << b`.
    #[inline]
    pub fn shl<T: Int, S: Int>(&mut self, a: Val<T>, b: Val<S>) -> Val<T> {
        let b = self.shift_count::<T, S>(b);
        Val::new(self.binary(Binary { op: BinaryOp::Shl, ty: T::TYPE }, a.into_operand(), b))
    }

    /// `a >> b`.
    #[inline]
    pub fn shr<T: Int, S: Int>(&mut self, a: Val<T>, b: Val<S>) -> Val<T> {
        let b = self.shift_count::<T, S>(b);
        Val::new(self.binary(Binary { op: BinaryOp::Shr, ty: T::TYPE }, a.into_operand(), b))
    }

    /// `a % b == 0`, or `!= 0`: one test where b is a constant power of two, whatever the sign of a.
    pub fn is_multiple<T: Int>(&mut self, a: Val<T>, b: Val<T>, want: bool) -> Val<bool> {
        let (a, b) = (a.into_operand(), b.into_operand());
        let magnitude = if T::TYPE.is_signed() { (b.body as i64).unsigned_abs() } else { b.body };
        if b.is_const() && !a.is_const() && magnitude.is_power_of_two() && b.body as i64 != -1 {
            if magnitude == 1 {
                self.machine.release(a);
                return Val::new(Operand::constant(u64::from(want)));
            }
            return Val::new(self.machine.test(T::TYPE, a, Operand::constant(magnitude - 1), !want));
        }
        if b.is_const() && !a.is_const() && magnitude >= 3 && !magnitude.is_power_of_two() {
            return Val::new(self.is_multiple_of_constant(T::TYPE, a, b.body, want));
        }
        let remainder = self.binary(Binary { op: BinaryOp::Rem, ty: T::TYPE }, a, b);
        let op = if want { Comparison::Eq } else { Comparison::Ne };
        Val::new(self.compare(Compare { op, ty: T::TYPE }, remainder, Operand::constant(0)))
    }

    /// `a & b == k`, or `!= k`: one test where k is zero, or the one bit of a constant b.
    pub fn has_bits<T: Int>(&mut self, a: Val<T>, b: Val<T>, k: Val<T>, want: bool) -> Val<bool> {
        let (a, b, k) = (a.into_operand(), b.into_operand(), k.into_operand());
        let (value, mask) = if a.is_const() { (b, a) } else { (a, b) };
        if mask.is_const() && !value.is_const() && k.is_const() {
            let bits = mask.body & (u64::MAX >> (64 - T::TYPE.bits()));
            let one_bit = bits.is_power_of_two() && k.body == mask.body;
            if k.body == 0 && bits != 0 || one_bit {
                let nonzero = want == one_bit;
                return Val::new(self.machine.test(T::TYPE, value, Operand::constant(bits), nonzero));
            }
        }
        let bits = self.binary(Binary { op: BinaryOp::And, ty: T::TYPE }, a, b);
        let op = if want { Comparison::Eq } else { Comparison::Ne };
        Val::new(self.compare(Compare { op, ty: T::TYPE }, bits, k))
    }

    /// `a as T`.
    #[inline]
    pub fn cast<S: Scalar, T: CastFrom<S>>(&mut self, a: Val<S>) -> Val<T> {
        Val::new(self.convert(S::TYPE, T::TYPE, a.into_operand()))
    }
}

macro_rules! binary_operators {
    ($($name:ident $bound:ident $op:ident;)*) => {
        impl Emitter {$(
            /// The operator of this name.
            #[inline]
            pub fn $name<T: $bound>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
                Val::new(self.binary(Binary { op: BinaryOp::$op, ty: T::TYPE }, a.into_operand(), b.into_operand()))
            }
        )*}
    };
}
binary_operators! {
    add Number Add; sub Number Sub; mul Number Mul; div Number Div; rem Number Rem;
}
macro_rules! bit_operators {
    ($($name:ident $op:ident;)*) => {
        impl Emitter {$(
            /// The operator of this name.
            #[inline]
            pub fn $name<T: Bits>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
                let (mut a, mut b) = (a.into_operand(), b.into_operand());
                if T::TYPE == Type::Bool {
                    a = self.settled(a);
                    b = self.settled(b);
                }
                Val::new(self.binary(Binary { op: BinaryOp::$op, ty: T::TYPE }, a, b))
            }
        )*}
    };
}
bit_operators!(bitand And; bitor Or; bitxor Xor;);
macro_rules! comparisons {
    ($($name:ident $op:ident;)*) => {
        impl Emitter {$(
            /// The operator of this name.
            #[inline]
            pub fn $name<T: Scalar>(&mut self, a: Val<T>, b: Val<T>) -> Val<bool> {
                let o = Compare { op: Comparison::$op, ty: T::TYPE };
                let (a, b) = (a.into_operand(), b.into_operand());
                // Nothing unsigned is below zero.
                if matches!(o.op, Comparison::Lt | Comparison::Ge) && o.ty.is_unsigned() && b.is_const() && b.body == 0 {
                    return Val::new(self.compare_same(o.op, a, b));
                }
                Val::new(self.compare(o, a, b))
            }
        )*}
    };
}
comparisons!(eq Eq; ne Ne; lt Lt; le Le; gt Gt; ge Ge;);
