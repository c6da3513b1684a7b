//! The integer and float methods that quotations may call: `x.rotate_left(3)` arrives as `m_rotate_left(x, 3)`.

use super::division::{Part, Rounding};
use super::{Emitter, Val};
use crate::machine::{Binary, BinaryOp, Operand, UnaryOp};
use crate::types::{CastFrom, Float, Int, Number, Pointer, Scalar, Signed, Type};

/// A float type and the integer of the same size.
pub trait FloatBits: Float {
    /// The integer.
    type Bits: Int;
}
impl FloatBits for f32 {
    type Bits = u32;
}
impl FloatBits for f64 {
    type Bits = u64;
}

/// A signed integer and the unsigned one of the same size.
pub trait SignedInt: Int + Signed {
    /// The unsigned integer.
    type Unsigned: Int + CastFrom<Self>;
}
macro_rules! signed_integers {
    ($($t:ident $u:ident)*) => {$(impl SignedInt for $t { type Unsigned = $u; })*};
}
signed_integers!(i8 u8 i16 u16 i32 u32 i64 u64 isize usize);

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
binary_methods! {
    m_wrapping_add Int Add; m_wrapping_sub Int Sub; m_wrapping_mul Int Mul; m_min Number Min; m_max Number Max;
}
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
unary_methods! {
    m_wrapping_neg Int Neg; m_abs Signed Abs; m_wrapping_abs Signed Abs; m_swap_bytes Int SwapBytes;
    m_sqrt Float Sqrt; m_floor Float Floor; m_ceil Float Ceil; m_trunc Float Trunc;
}
macro_rules! counting_methods {
    ($($name:ident $op:ident;)*) => {
        impl Emitter {$(
            /// The method of this name.
            #[inline]
            pub fn $name<T: Int>(&mut self, a: Val<T>) -> Val<u32> {
                let count = self.unary(UnaryOp::$op, T::TYPE, a.into_operand());
                // A count is small and not negative, so it is the same in every integer type.
                Val::new(self.convert(T::TYPE, Type::U32, count))
            }
        )*}
    };
}
counting_methods!(m_count_ones CountOnes; m_leading_zeros LeadingZeros; m_trailing_zeros TrailingZeros;);

impl Emitter {
    /// `a.count_zeros()`.
    pub fn m_count_zeros<T: Int>(&mut self, a: Val<T>) -> Val<u32> {
        let inverse = self.not(a);
        self.m_count_ones(inverse)
    }

    /// `a.unsigned_abs()`.
    pub fn m_unsigned_abs<T: SignedInt>(&mut self, a: Val<T>) -> Val<T::Unsigned> {
        let magnitude = self.m_abs(a);
        self.cast(magnitude)
    }

    /// `a.abs_diff(b)` of unsigned integers and the like: the larger minus the smaller, wrapping.
    pub fn m_abs_diff<T: UnsignedInt>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
        let scope = self.scope();
        let (a, b) = (self.let_home(a), self.let_home(b));
        let (x, y) = (self.get(a), self.get(b));
        let larger = self.m_max(x, y);
        let (x, y) = (self.get(a), self.get(b));
        let smaller = self.m_min(x, y);
        let difference = self.sub(larger, smaller);
        self.end_scope(scope, difference)
    }

    /// `a.signum()` of signed integers: -1, 0 or 1.
    pub fn m_signum<T: SignedInt>(&mut self, a: Val<T>) -> Val<T> {
        let scope = self.scope();
        let a = self.let_home(a);
        // (a >> width-1) | (-a >>> width-1): the sign bit spread, or one if -a is negative.
        let spread = self.get(a);
        let width = self.lit(T::TYPE.bits() - 1);
        let negative = self.shr(spread, width);
        let value = self.get(a);
        let inverse = self.neg(value);
        let inverse: Val<T::Unsigned> = self.cast(inverse);
        let width = self.lit(T::TYPE.bits() - 1);
        let positive = self.shr(inverse, width);
        let positive = Val::new(positive.into_operand());
        let sign = self.bitor(negative, positive);
        self.end_scope(scope, sign)
    }

    /// Euclidean division by a constant that is not 0.
    fn euclid_constant<T: Int>(&mut self, part: Part, a: &Val<T>, b: &Val<T>) -> Option<Val<T>> {
        let (a, b) = (a.operand(), b.operand());
        let lowered = b.is_const() && b.body != 0 && !a.is_const();
        lowered.then(|| Val::new(self.divide_constant(part, Rounding::Euclid, T::TYPE, a, b.body)))
    }

    /// `a.rem_euclid(b)` of integers: traps as `%` does.
    pub fn m_rem_euclid<T: Int>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
        if !T::TYPE.is_signed() {
            return self.rem(a, b);
        }
        if let Some(result) = self.euclid_constant(Part::Remainder, &a, &b) {
            return result;
        }
        let scope = self.scope();
        let (a, b) = (self.let_home(a), self.let_home(b));
        let (x, y) = (self.get(a), self.get(b));
        let remainder = self.rem(x, y);
        let remainder = self.let_home(remainder);
        // remainder + (|b| & sign of the remainder)
        let y = self.get(b);
        let magnitude = Val::new(self.unary(UnaryOp::Abs, T::TYPE, y.into_operand()));
        let r = self.get(remainder);
        let width = self.lit(T::TYPE.bits() - 1);
        let sign = self.shr(r, width);
        let correction = self.bitand(magnitude, sign);
        let r = self.get(remainder);
        let result = self.add(r, correction);
        self.end_scope(scope, result)
    }

    /// `a.div_euclid(b)` of integers: traps as `/` does.
    pub fn m_div_euclid<T: Int>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
        if !T::TYPE.is_signed() {
            return self.div(a, b);
        }
        if let Some(result) = self.euclid_constant(Part::Quotient, &a, &b) {
            return result;
        }
        let scope = self.scope();
        let (a, b) = (self.let_home(a), self.let_home(b));
        let (x, y) = (self.get(a), self.get(b));
        let quotient = self.div(x, y);
        let quotient = self.let_home(quotient);
        let (x, y) = (self.get(a), self.get(b));
        let remainder = self.rem(x, y);
        // Where the remainder is negative, the quotient goes one step on in the direction of -b.
        let width = self.lit(T::TYPE.bits() - 1);
        let negative = self.shr(remainder, width);
        let negative = self.let_home(negative);
        let y = self.get(b);
        let width = self.lit(T::TYPE.bits() - 1);
        let sign = self.shr(y, width);
        let one = Val::new(Operand::constant(1));
        let step = self.bitor(sign, one);
        let negative = self.get(negative);
        let correction = self.bitand(step, negative);
        let quotient = self.get(quotient);
        let result = self.sub(quotient, correction);
        self.end_scope(scope, result)
    }

    /// `x.to_bits()`.
    #[inline]
    pub fn m_to_bits<T: FloatBits>(&mut self, a: Val<T>) -> Val<T::Bits> {
        Val::new(self.bitcast(T::TYPE, T::Bits::TYPE, a.into_operand()))
    }

    /// `f64::from_bits(x)`.
    #[inline]
    pub fn m_from_bits<T: FloatBits>(&mut self, a: Val<T::Bits>) -> Val<T> {
        Val::new(self.bitcast(T::Bits::TYPE, T::TYPE, a.into_operand()))
    }

    fn bitcast(&mut self, from: Type, to: Type, a: Operand) -> Operand {
        if a.is_const() { a } else { self.machine.bitcast(from, to, a) }
    }

    /// `x.is_nan()`.
    pub fn m_is_nan<T: Float>(&mut self, a: Val<T>) -> Val<bool> {
        let scope = self.scope();
        let a = self.let_home(a);
        let (x, y) = (self.get(a), self.get(a));
        let nan = self.ne(x, y);
        let nan = self.hold(nan);
        self.end_scope(scope, nan)
    }

    /// `p.is_null()`.
    pub fn m_is_null<P: Pointer>(&mut self, p: Val<P>) -> Val<bool> {
        Val::new(self.compare(
            crate::machine::Compare { op: crate::machine::Comparison::Eq, ty: Type::Ptr },
            p.into_operand(),
            Operand::constant(0),
        ))
    }
}

/// The unsigned integers.
pub trait UnsignedInt: Int {}
macro_rules! unsigned_integers {
    ($($t:ident)*) => {$(impl UnsignedInt for $t {})*};
}
unsigned_integers!(u8 u16 u32 u64 usize);
