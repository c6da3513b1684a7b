//! The methods of integers. Most are made of operators, as a compiler's library would write them.

use super::division::{Part, Rounding};
use super::{Emitter, Val};
use crate::machine::{Binary, BinaryOp, Compare, Comparison, Operand, UnaryOp};
use crate::types::{CastFrom, DynamicType, Int, Number, Pointer, Scalar, Signed, Type};

/// An integer, the signed and the unsigned one of its size.
pub trait SizedInt: Int {
    /// The signed integer.
    type Signed: Int + CastFrom<Self>;
    /// The unsigned integer.
    type Unsigned: Int + CastFrom<Self>;
}
/// The unsigned integers.
#[diagnostic::on_unimplemented(message = "`{Self}` is not an unsigned integer")]
pub trait UnsignedInt: SizedInt {}
/// The signed integers.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a signed integer")]
pub trait SignedInt: SizedInt + Signed {}
macro_rules! sized_integers {
    ($($s:ident $u:ident)*) => {$(
        impl SizedInt for $s { type Signed = $s; type Unsigned = $u; }
        impl SizedInt for $u { type Signed = $s; type Unsigned = $u; }
        impl SignedInt for $s {}
        impl UnsignedInt for $u {}
        impl Advance for $s { type Count = $s; }
        impl Advance for $u { type Count = $u; }
    )*};
}
sized_integers!(i8 u8 i16 u16 i32 u32 i64 u64 isize usize);

/// What has `wrapping_add` and `wrapping_sub`: integers, and raw pointers, which count in elements.
pub trait Advance: Scalar {
    /// What is added.
    type Count: Int;
    /// Size of what one counts, in bytes.
    #[doc(hidden)]
    const STEP: usize = 1;
}
impl<X: 'static> Advance for *const X {
    type Count = usize;
    const STEP: usize = size_of::<X>();
}
impl<X: 'static> Advance for *mut X {
    type Count = usize;
    const STEP: usize = size_of::<X>();
}

macro_rules! binary_methods {
    ($($name:ident $bound:ident $op:ident;)*) => {
        impl Emitter {$(
            /// The method of this name.
            #[inline]
            pub fn $name<T: $bound>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
                Val::new(self.binary(Binary { op: BinaryOp::$op, ty: T::TYPE }, a.into_operand(), b.into_operand()))
            }
        )*}
    };
}
binary_methods!(m_wrapping_mul Int Mul; m_min Number Min; m_max Number Max;);
macro_rules! shift_methods {
    ($($name:ident $op:ident;)*) => {
        impl Emitter {$(
            /// The method of this name.
            #[inline]
            pub fn $name<T: Int>(&mut self, a: Val<T>, count: Val<u32>) -> Val<T> {
                let count = self.shift_count::<T, u32>(count);
                Val::new(self.binary(Binary { op: BinaryOp::$op, ty: T::TYPE }, a.into_operand(), count))
            }
        )*}
    };
}
shift_methods!(m_wrapping_shl Shl; m_wrapping_shr Shr; m_rotate_left RotateLeft; m_rotate_right RotateRight;);
macro_rules! unary_methods {
    ($($name:ident $bound:ident $op:ident;)*) => {
        impl Emitter {$(
            /// The method of this name.
            #[inline]
            pub fn $name<T: $bound>(&mut self, a: Val<T>) -> Val<T> {
                Val::new(self.unary(UnaryOp::$op, T::TYPE, a.into_operand()))
            }
        )*}
    };
}
unary_methods!(
    m_wrapping_neg Int Neg; m_abs Signed Abs; m_wrapping_abs SignedInt Abs; m_swap_bytes Int SwapBytes;
    // The machine is little-endian: to and from the big end is one operation.
    m_to_be Int SwapBytes; m_from_be Int SwapBytes;
);
macro_rules! counting_methods {
    ($($name:ident $inverse:ident $op:ident;)*) => {
        impl Emitter {$(
            /// The method of this name.
            #[inline]
            pub fn $name<T: Int>(&mut self, a: Val<T>) -> Val<u32> {
                let count = self.unary(UnaryOp::$op, T::TYPE, a.into_operand());
                // A count is small and not negative, so it is the same in every integer type.
                Val::new(self.convert(T::TYPE, Type::U32, count))
            }
            /// The method of this name.
            pub fn $inverse<T: Int>(&mut self, a: Val<T>) -> Val<u32> {
                let inverse = self.not(a);
                self.$name(inverse)
            }
        )*}
    };
}
counting_methods!(
    m_count_ones m_count_zeros CountOnes;
    m_leading_zeros m_leading_ones LeadingZeros;
    m_trailing_zeros m_trailing_ones TrailingZeros;
);

impl Emitter {
    /// The constant with these bits.
    pub(super) fn bits<T: Int>(&self, bits: u64) -> Val<T> {
        Val::new(Operand::constant(T::TYPE.canonical(bits)))
    }

    /// `a.to_le()`, and `from_le`.
    pub fn m_to_le<T: Int>(&mut self, a: Val<T>) -> Val<T> {
        a
    }

    /// `T::from_le(a)`.
    pub fn m_from_le<T: Int>(&mut self, a: Val<T>) -> Val<T> {
        a
    }

    /// `T::from(a)`, where Rust has it.
    pub fn m_from<T: CastFrom<S> + From<S>, S: Scalar>(&mut self, a: Val<S>) -> Val<T> {
        self.cast(a)
    }

    /// `a.wrapping_add(b)`.
    #[inline]
    pub fn m_wrapping_add<T: Advance>(&mut self, a: Val<T>, b: Val<T::Count>) -> Val<T> {
        self.advance::<T>(BinaryOp::Add, a, b)
    }

    /// `a.wrapping_sub(b)`.
    #[inline]
    pub fn m_wrapping_sub<T: Advance>(&mut self, a: Val<T>, b: Val<T::Count>) -> Val<T> {
        self.advance::<T>(BinaryOp::Sub, a, b)
    }

    /// `p.wrapping_offset(n)`.
    pub fn m_wrapping_offset<P: Pointer + Advance>(&mut self, p: Val<P>, n: Val<isize>) -> Val<P> {
        let n = Val::new(n.into_operand());
        self.advance::<P>(BinaryOp::Add, p, n)
    }

    #[inline]
    fn advance<T: Advance>(&mut self, op: BinaryOp, a: Val<T>, b: Val<T::Count>) -> Val<T> {
        let mut b = b.into_operand();
        if T::STEP != 1 {
            let step = Operand::constant(T::STEP as u64);
            b = self.binary(Binary { op: BinaryOp::Mul, ty: T::Count::TYPE }, b, step);
        }
        Val::new(self.binary(Binary { op, ty: T::TYPE }, a.into_operand(), b))
    }

    /// `a.reverse_bits()`: bytes, then nibbles, pairs and bits within them change places.
    pub fn m_reverse_bits<T: SizedInt + CastFrom<<T as SizedInt>::Unsigned>>(&mut self, a: Val<T>) -> Val<T> {
        let a: Val<T::Unsigned> = self.cast(a);
        let mut a = self.m_swap_bytes(a);
        for (shift, mask) in [(4, 0x0f0f_0f0f_0f0f_0f0f), (2, 0x3333_3333_3333_3333), (1, 0x5555_5555_5555_5555)] {
            let scope = self.scope();
            let whole = self.let_home(a);
            let (high, low) = (self.get(whole), self.get(whole));
            let (count, mask) = (self.lit(shift), mask);
            let high = self.shr(high, count);
            let low_mask = self.bits(mask);
            let high = self.bitand(high, low_mask);
            let (count, low_mask) = (self.lit(shift), self.bits(mask));
            let low = self.bitand(low, low_mask);
            let low = self.shl(low, count);
            a = self.bitor(high, low);
            a = self.end_scope(scope, a);
        }
        self.cast(a)
    }

    /// `a.is_power_of_two()`.
    pub fn m_is_power_of_two<T: UnsignedInt>(&mut self, a: Val<T>) -> Val<bool> {
        let (ones, one) = (self.m_count_ones(a), self.lit(1));
        self.eq(ones, one)
    }

    /// `a.is_multiple_of(b)`: of 0 only 0 is one.
    pub fn m_is_multiple_of<T: UnsignedInt>(&mut self, a: Val<T>, b: Val<T>) -> Val<bool> {
        let divisor = b.operand();
        if divisor.is_const() && divisor.body != 0 {
            return self.is_multiple(a, b, true);
        }
        let scope = self.scope();
        let (a, b) = (self.let_home(a), self.let_home(b));
        let (x, zero) = (self.get(b), self.bits(0));
        let is_zero = self.eq(x, zero);
        let remainder = self.select(
            is_zero,
            |e| e.get(a),
            |e| {
                let (x, y) = (e.get(a), e.get(b));
                e.rem(x, y)
            },
        );
        let zero = self.bits(0);
        let multiple = self.eq(remainder, zero);
        let multiple = self.hold(multiple);
        self.end_scope(scope, multiple)
    }

    /// `a.is_negative()`.
    pub fn m_is_negative<T: SignedInt>(&mut self, a: Val<T>) -> Val<bool> {
        let zero = self.bits(0);
        self.lt(a, zero)
    }

    /// `a.is_positive()`.
    pub fn m_is_positive<T: SignedInt>(&mut self, a: Val<T>) -> Val<bool> {
        let zero = self.bits(0);
        self.gt(a, zero)
    }

    /// `a.unsigned_abs()`.
    pub fn m_unsigned_abs<T: SignedInt>(&mut self, a: Val<T>) -> Val<T::Unsigned> {
        let magnitude = self.m_abs(a);
        self.cast(magnitude)
    }

    /// `a.cast_unsigned()`.
    pub fn m_cast_unsigned<T: SignedInt>(&mut self, a: Val<T>) -> Val<T::Unsigned> {
        self.cast(a)
    }

    /// `a.cast_signed()`.
    pub fn m_cast_signed<T: UnsignedInt>(&mut self, a: Val<T>) -> Val<T::Signed> {
        self.cast(a)
    }

    /// `a.abs_diff(b)`: the larger minus the smaller, which always fits the unsigned type.
    pub fn m_abs_diff<T: SizedInt>(&mut self, a: Val<T>, b: Val<T>) -> Val<T::Unsigned> {
        let scope = self.scope();
        let (a, b) = (self.let_home(a), self.let_home(b));
        let (x, y) = (self.get(a), self.get(b));
        let larger = self.m_max(x, y);
        let (x, y) = (self.get(a), self.get(b));
        let smaller = self.m_min(x, y);
        let difference = self.sub(larger, smaller);
        let difference = self.end_scope(scope, difference);
        self.cast(difference)
    }

    /// `a.signum()`: -1, 0 or 1; of floats ±1.0, or NaN.
    pub fn m_signum<T: Signed>(&mut self, a: Val<T>) -> Val<T> {
        if T::TYPE.is_float() {
            return self.signum_float(a);
        }
        let a = a.into_operand();
        if a.is_const() {
            return Val::new(Operand::constant((a.body as i64).signum() as u64));
        }
        let (ty, unsigned) = (T::TYPE, unsigned_of(T::TYPE));
        let width = Operand::constant(u64::from(ty.bits() - 1));
        // (a >> width-1) | (-a >>> width-1): the sign bit spread, or one if -a is negative.
        let a = self.held(ty, a);
        let spread = self.binary(Binary { op: BinaryOp::Shr, ty }, self.machine.borrowed(a), width);
        let inverse = self.unary(UnaryOp::Neg, ty, a);
        let inverse = self.convert(ty, unsigned, inverse);
        let positive = self.binary(Binary { op: BinaryOp::Shr, ty: unsigned }, inverse, width);
        let positive = self.convert(unsigned, ty, positive);
        Val::new(self.binary(Binary { op: BinaryOp::Or, ty }, spread, positive))
    }

    /// `a.clamp(low, high)`; integers with `low` above `high` become `high`, floats are compared one after the other.
    pub fn m_clamp<T: Number>(&mut self, a: Val<T>, low: Val<T>, high: Val<T>) -> Val<T> {
        if T::TYPE.is_float() {
            return self.clamp_float(a, low, high);
        }
        let raised = self.m_max(a, low);
        self.m_min(raised, high)
    }

    /// `a.saturating_add(b)`: what is added is limited to what there is room for.
    pub fn m_saturating_add<T: Int>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
        let scope = self.scope();
        let a = self.let_home(a);
        let limited = if T::TYPE.is_signed() {
            let (least, most) = (T::TYPE.min_value(), T::TYPE.max_value());
            let (x, zero) = (self.get(a), self.bits(0));
            let below = self.m_min(x, zero);
            let least = self.bits(least);
            let low = self.sub(least, below);
            let raised = self.m_max(b, low);
            let (x, zero) = (self.get(a), self.bits(0));
            let above = self.m_max(x, zero);
            let most = self.bits(most);
            let high = self.sub(most, above);
            self.m_min(raised, high)
        } else {
            let room = self.get(a);
            let room = self.not(room);
            self.m_min(b, room)
        };
        let x = self.get(a);
        let sum = self.add(x, limited);
        self.end_scope(scope, sum)
    }

    /// `a.saturating_sub(b)`.
    pub fn m_saturating_sub<T: Int>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
        let scope = self.scope();
        let difference = if T::TYPE.is_signed() {
            let (least, most) = (T::TYPE.min_value(), T::TYPE.max_value());
            let a = self.let_home(a);
            let (x, minus_one) = (self.get(a), self.bits(u64::MAX));
            let low = self.m_max(x, minus_one);
            let most = self.bits(most);
            let low = self.sub(low, most);
            let raised = self.m_max(b, low);
            let (x, minus_one) = (self.get(a), self.bits(u64::MAX));
            let high = self.m_min(x, minus_one);
            let least = self.bits(least);
            let high = self.sub(high, least);
            let limited = self.m_min(raised, high);
            let x = self.get(a);
            self.sub(x, limited)
        } else {
            let b = self.let_home(b);
            let y = self.get(b);
            let larger = self.m_max(a, y);
            let y = self.get(b);
            self.sub(larger, y)
        };
        self.end_scope(scope, difference)
    }

    /// `a.pow(n)`, wrapping: by squaring, unrolled where n is a constant (Knuth, "The Art of Computer Programming" 2,
    /// section 4.6.3).
    pub fn m_pow<T: Int>(&mut self, a: Val<T>, n: Val<u32>) -> Val<T> {
        let exponent = n.operand();
        if exponent.is_const() {
            return self.constant_power(a, exponent.body as u32);
        }
        let scope = self.scope();
        let (base, n) = (self.let_home(a), self.let_home(n));
        let one = self.bits(1);
        let power = self.let_home(one);
        let mut rounds = self.while_begin();
        let (bit, one, zero) = (self.get(n), self.lit(1), self.lit(0));
        let odd = self.has_bits(bit, one, zero, false);
        let mut multiplies = self.if_::<()>(odd);
        let factor = self.get(base);
        self.assign_mul(power, factor);
        let unit = self.unit();
        self.then_end(&mut multiplies, unit);
        self.if_end(multiplies).into_operand();
        let factor = self.get(base);
        self.assign_mul(base, factor);
        let one = self.lit(1u32);
        self.assign_shr(n, one);
        self.while_cond(&mut rounds);
        let (left, zero) = (self.get(n), self.lit(0));
        let more = self.ne(left, zero);
        self.while_end(rounds, more);
        let power = self.get(power);
        self.end_scope(scope, power)
    }

    /// `a.wrapping_pow(n)`.
    pub fn m_wrapping_pow<T: Int>(&mut self, a: Val<T>, n: Val<u32>) -> Val<T> {
        self.m_pow(a, n)
    }

    fn constant_power<T: Int>(&mut self, a: Val<T>, n: u32) -> Val<T> {
        if n == 0 {
            self.discard(a);
            return self.bits(1);
        }
        let scope = self.scope();
        let base = self.let_immutable(a);
        let mut power = self.get(base);
        for bit in (0..n.ilog2()).rev() {
            let root = self.let_immutable(power);
            let (x, y) = (self.get(root), self.get(root));
            power = self.mul(x, y);
            if n >> bit & 1 != 0 {
                let factor = self.get(base);
                power = self.mul(power, factor);
            }
        }
        self.end_scope(scope, power)
    }

    /// `a.mul_hi(b)`: the high half of the product, which Rust's integers have no stable method for.
    pub fn m_mul_hi<T: Int>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
        let (ty, a, b) = (T::TYPE, a.into_operand(), b.into_operand());
        if ty.size() == 8 {
            return Val::new(self.binary(Binary { op: BinaryOp::MulHigh, ty }, a, b));
        }
        let wide = match (ty.size(), ty.is_signed()) {
            (4, true) => Type::I64,
            (4, false) => Type::U64,
            (_, true) => Type::I32,
            (_, false) => Type::U32,
        };
        // The second factor may be pending memory, which the first one's conversion leaves alone.
        let (a, b) = (self.convert(ty, wide, a), self.convert(ty, wide, b));
        let product = self.binary(Binary { op: BinaryOp::Mul, ty: wide }, a, b);
        let high =
            self.binary(Binary { op: BinaryOp::Shr, ty: wide }, product, Operand::constant(u64::from(ty.bits())));
        Val::new(self.convert(wide, ty, high))
    }

    /// `(a as u128 * b as u128 >> 64) as u64`, and the same of `i128` and `i64`.
    pub fn high_product<T: Int>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
        self.m_mul_hi(a, b)
    }

    /// `a.wrapping_div(b)`: traps only on zero.
    pub fn m_wrapping_div<T: Int>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
        self.wrapping_division(Part::Quotient, a, b)
    }

    /// `a.wrapping_rem(b)`: traps only on zero.
    pub fn m_wrapping_rem<T: Int>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
        self.wrapping_division(Part::Remainder, a, b)
    }

    fn wrapping_division<T: Int>(&mut self, part: Part, a: Val<T>, b: Val<T>) -> Val<T> {
        let divide = |e: &mut Self, a, b| if part == Part::Quotient { e.div(a, b) } else { e.rem(a, b) };
        let divisor = b.operand();
        if !T::TYPE.is_signed() || divisor.is_const() && divisor.body as i64 != -1 {
            return divide(self, a, b);
        }
        let scope = self.scope();
        let (a, b) = (self.let_immutable(a), self.let_immutable(b));
        let (divisor, minus_one) = (self.get(b), self.bits(u64::MAX));
        let is_minus_one = self.eq(divisor, minus_one);
        let result = self.select(
            is_minus_one,
            |e| {
                let x = e.get(a);
                if part == Part::Quotient {
                    return e.m_wrapping_neg(x);
                }
                e.discard(x);
                e.bits(0)
            },
            |e| {
                let (x, y) = (e.get(a), e.get(b));
                divide(e, x, y)
            },
        );
        self.end_scope(scope, result)
    }

    /// `a.div_ceil(b)`.
    pub fn m_div_ceil<T: UnsignedInt + CastFrom<bool>>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
        let scope = self.scope();
        let (a, b) = (self.let_immutable(a), self.let_immutable(b));
        let (x, y) = (self.get(a), self.get(b));
        let quotient = self.div(x, y);
        let quotient = self.pin(quotient);
        let (x, y) = (self.get(a), self.get(b));
        let rounds = self.is_multiple(x, y, false);
        let rounds = self.hold(rounds);
        let rounds = self.cast(rounds);
        let result = self.add(quotient, rounds);
        self.end_scope(scope, result)
    }

    /// Euclidean division by a constant that is not 0.
    fn euclid_constant<T: Number>(&mut self, part: Part, a: &Val<T>, b: &Val<T>) -> Option<Val<T>> {
        let (a, b) = (a.operand(), b.operand());
        let lowered = b.is_const() && b.body != 0 && !a.is_const();
        lowered.then(|| Val::new(self.divide_constant(part, Rounding::Euclid, T::TYPE, a, b.body)))
    }

    /// `a.rem_euclid(b)`: of integers it traps as `%` does.
    pub fn m_rem_euclid<T: Number>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
        if T::TYPE.is_float() {
            return self.rem_euclid_float(a, b);
        }
        if !T::TYPE.is_signed() {
            return self.rem(a, b);
        }
        if let Some(result) = self.euclid_constant(Part::Remainder, &a, &b) {
            return result;
        }
        let ty = T::TYPE;
        let scope = self.scope();
        let (a, b) = (self.let_home(a), self.let_home(b));
        let (x, y) = (self.get(a), self.get(b));
        let remainder = self.rem(x, y);
        let remainder = self.let_home(remainder);
        // remainder + (|b| & sign of the remainder)
        let y = self.get(b);
        let magnitude = self.unary(UnaryOp::Abs, ty, y.into_operand());
        let r = self.get(remainder);
        let sign = self.sign_of(ty, r.into_operand());
        let correction = self.binary(Binary { op: BinaryOp::And, ty }, magnitude, sign);
        let r = self.get(remainder);
        let result = self.add(r, Val::new(correction));
        self.end_scope(scope, result)
    }

    /// -1 of negative integers, 0 of others.
    fn sign_of(&mut self, ty: Type, a: Operand) -> Operand {
        self.binary(Binary { op: BinaryOp::Shr, ty }, a, Operand::constant(u64::from(ty.bits() - 1)))
    }

    /// `a.div_euclid(b)`: of integers it traps as `/` does.
    pub fn m_div_euclid<T: Number>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
        if T::TYPE.is_float() {
            return self.div_euclid_float(a, b);
        }
        if !T::TYPE.is_signed() {
            return self.div(a, b);
        }
        if let Some(result) = self.euclid_constant(Part::Quotient, &a, &b) {
            return result;
        }
        let ty = T::TYPE;
        let scope = self.scope();
        let (a, b) = (self.let_home(a), self.let_home(b));
        let (x, y) = (self.get(a), self.get(b));
        let quotient = self.div(x, y);
        let quotient = self.let_home(quotient);
        let (x, y) = (self.get(a), self.get(b));
        let remainder = self.rem(x, y);
        // Where the remainder is negative, the quotient goes one step on in the direction of -b.
        let negative = self.sign_of(ty, remainder.into_operand());
        let negative = self.let_home(Val::<T>::new(negative));
        let y = self.get(b);
        let sign = self.sign_of(ty, y.into_operand());
        let step = self.binary(Binary { op: BinaryOp::Or, ty }, sign, Operand::constant(1));
        let negative = self.get(negative);
        let correction = self.binary(Binary { op: BinaryOp::And, ty }, step, negative.into_operand());
        let quotient = self.get(quotient);
        let result = self.sub(quotient, Val::new(correction));
        self.end_scope(scope, result)
    }

    /// `p.is_null()`.
    pub fn m_is_null<P: Pointer>(&mut self, p: Val<P>) -> Val<bool> {
        let null = Operand::constant(0);
        Val::new(self.compare(Compare { op: Comparison::Eq, ty: Type::Ptr }, p.into_operand(), null))
    }

    /// `p.addr()`.
    pub fn m_addr<P: Pointer>(&mut self, p: Val<P>) -> Val<usize>
    where
        usize: CastFrom<P>,
    {
        self.cast(p)
    }

    /// One of two values, of which only the right one is computed.
    pub(super) fn select<T: DynamicType>(
        &mut self,
        condition: Val<bool>,
        then: impl FnOnce(&mut Self) -> Val<T>,
        otherwise: impl FnOnce(&mut Self) -> Val<T>,
    ) -> Val<T> {
        let mut choice = self.if_(condition);
        if choice.then_live() {
            let value = then(self);
            self.then_end(&mut choice, value);
        }
        if self.else_begin(&mut choice) {
            let value = otherwise(self);
            self.else_end(&mut choice, value);
        }
        self.if_end(choice)
    }
}

/// The unsigned integer type of the same size.
pub(super) fn unsigned_of(ty: Type) -> Type {
    match ty.size() {
        1 => Type::U8,
        2 => Type::U16,
        4 => Type::U32,
        _ => Type::U64,
    }
}
