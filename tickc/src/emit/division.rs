//! Division and remainder by run-time constants, without dividing.
//!
//! x / d is the high part of x · m, where m = ⌈2^k / d⌉ and k is large enough that the error e = m · d − 2^k does not show:
//! |x| · e < 2^k (Granlund & Montgomery, "Division by invariant integers using multiplication", PLDI 1994, sections 4 to 6;
//! Warren, "Hacker's Delight", 2nd edition, chapter 10). What narrower types need fits a product of 32 or 64 bits; of 64-bit
//! types it is [`BinaryOp::MulHigh`].
//!
//! Cost: one division of 128 bits by 64 when the code is made; three to seven instructions in it.

use super::Emitter;
use crate::machine::{Binary, BinaryOp, Compare, Comparison, Operand, UnaryOp};
use crate::trap::TrapKind;
use crate::types::Type;

/// The rounding of a quotient. All three agree where nothing is negative.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rounding {
    /// Towards zero, as `/`.
    Truncate,
    /// So that the remainder is not negative.
    Euclid,
}

/// What a division by a constant is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Quotient,
    Remainder,
}

/// A multiplier and the shift that goes with it: x / d = x · m >> k.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Magic {
    /// Less than 2^(bits + 1).
    m: u128,
    k: u32,
}

/// The smallest multiplier for dividends of up to `bits` bits, d ≥ 3 no power of two and at most 2^63.
fn magic(d: u64, bits: u32) -> Magic {
    let log = 64 - (d - 1).leading_zeros();
    let power = 1u128 << (bits + log);
    let (mut low, rest) = (power / u128::from(d), power % u128::from(d));
    // ⌊(2^(bits + log) + 2^log) / d⌋
    let mut high = low + (rest + (1 << log)) / u128::from(d);
    let mut shift = log;
    while low >> 1 < high >> 1 && shift > 0 {
        (low, high, shift) = (low >> 1, high >> 1, shift - 1);
    }
    Magic { m: high, k: bits + shift }
}

/// How many bits a multiplier has.
fn bits_of(m: u128) -> u32 {
    128 - m.leading_zeros()
}

impl Emitter {
    /// One operation of a lowering.
    #[inline(never)]
    fn step(&mut self, op: BinaryOp, ty: Type, a: Operand, b: Operand) -> Operand {
        self.binary(Binary { op, ty }, a, b)
    }

    /// An operation with a constant.
    fn step_by(&mut self, op: BinaryOp, ty: Type, a: Operand, c: u64) -> Operand {
        self.step(op, ty, a, Operand::constant(ty.canonical(c)))
    }

    /// A quotient or remainder by a constant that is not 0. `a` is no constant.
    #[inline(never)]
    pub(super) fn divide_constant(&mut self, part: Part, rounding: Rounding, ty: Type, a: Operand, c: u64) -> Operand {
        let signed = ty.is_signed();
        let magnitude = if signed { (c as i64).unsigned_abs() } else { c };
        let negative = signed && (c as i64) < 0;
        if negative && magnitude == 1 {
            return self.divide_minus_one(part, ty, a);
        }
        // The work is done in a type of at least 32 bits, where narrow values lie anyway.
        let native = match (ty.size() == 8, signed) {
            (true, true) => Type::I64,
            (true, false) => Type::U64,
            (false, true) => Type::I32,
            (false, false) => Type::U32,
        };
        let x = self.convert(ty, native, a);
        if magnitude == 1 {
            let quotient = self.divide_one(part, x);
            return self.convert(native, ty, quotient);
        }
        let x = self.held(native, x);
        let result = match (part, rounding, signed) {
            (Part::Remainder, _, false) | (Part::Remainder, Rounding::Euclid, _) if magnitude.is_power_of_two() => {
                self.step_by(BinaryOp::And, native, x, magnitude - u64::from(!fault!(47)))
            }
            (Part::Remainder, Rounding::Truncate, true) if magnitude.is_power_of_two() => {
                let bias = self.bias(native, x, magnitude.trailing_zeros());
                let bias = self.held(native, bias);
                let biased = self.step(BinaryOp::Add, native, x, self.machine.borrowed(bias));
                let low = self.step_by(BinaryOp::And, native, biased, magnitude - 1);
                self.step(BinaryOp::Sub, native, low, bias)
            }
            (Part::Quotient, _, _) => self.quotient(rounding, ty, native, x, magnitude, negative),
            (Part::Remainder, _, _) => {
                // Of the quotient by the divisor's magnitude, which has the same remainder.
                let quotient = self.quotient(rounding, ty, native, self.machine.borrowed(x), magnitude, false);
                let multiple = self.step_by(BinaryOp::Mul, native, quotient, magnitude);
                self.step(BinaryOp::Sub, native, x, multiple)
            }
        };
        self.convert(native, ty, result)
    }

    fn divide_one(&mut self, part: Part, x: Operand) -> Operand {
        match part {
            Part::Quotient => x,
            Part::Remainder => {
                self.machine.release(x);
                Operand::constant(0)
            }
        }
    }

    /// By -1: the negation, or nothing; the smallest integer traps.
    fn divide_minus_one(&mut self, part: Part, ty: Type, a: Operand) -> Operand {
        let x = self.held(ty, a);
        let smallest = Operand::constant(super::fold::min_value(ty));
        let overflows = self.machine.compare(Compare { op: Comparison::Eq, ty }, self.machine.borrowed(x), smallest);
        self.machine.trap_if(overflows, TrapKind::DivisionOverflow);
        match part {
            Part::Quotient => self.machine.unary(UnaryOp::Neg, ty, x),
            Part::Remainder => self.divide_one(part, x),
        }
    }

    /// What is added to a negative x so that a shift by `k` rounds towards zero: 2^k - 1, or 0 if x is not negative.
    fn bias(&mut self, native: Type, x: Operand, k: u32) -> Operand {
        let unsigned = if native == Type::I64 { Type::U64 } else { Type::U32 };
        let x = self.machine.borrowed(x);
        let spread = if k == 1 { x } else { self.step_by(BinaryOp::Shr, native, x, u64::from(native.bits() - 1)) };
        let spread = self.convert(native, unsigned, spread);
        let bias = self.step_by(BinaryOp::Shr, unsigned, spread, u64::from(native.bits() - k));
        self.convert(unsigned, native, bias)
    }

    /// x / ±d. Consumes `x`, a register of type `native` that holds a value of type `ty`.
    fn quotient(&mut self, rounding: Rounding, ty: Type, native: Type, x: Operand, d: u64, negative: bool) -> Operand {
        if !native.is_signed() {
            return self.unsigned_quotient(native, x, d, ty.bits());
        }
        if d.is_power_of_two() {
            let k = d.trailing_zeros();
            let dividend = match rounding {
                Rounding::Truncate => {
                    let bias = self.bias(native, x, k);
                    self.step(BinaryOp::Add, native, bias, x)
                }
                Rounding::Euclid => x,
            };
            let quotient = self.step_by(BinaryOp::Shr, native, dividend, u64::from(k));
            return if negative && !fault!(45) { self.machine.unary(UnaryOp::Neg, native, quotient) } else { quotient };
        }
        match rounding {
            Rounding::Truncate => self.signed_quotient(native, x, d, negative, ty.bits()),
            Rounding::Euclid => {
                // ⌊x / d⌋ is x / d where x is not negative, else the complement of (the complement of x) / d.
                let unsigned = if native == Type::I64 { Type::U64 } else { Type::U32 };
                let sign = self.step_by(BinaryOp::Shr, native, self.machine.borrowed(x), u64::from(native.bits() - 1));
                let sign = self.held(native, sign);
                let positive = self.step(BinaryOp::Xor, native, x, self.machine.borrowed(sign));
                let positive = self.convert(native, unsigned, positive);
                let positive = self.held(unsigned, positive);
                let quotient = self.unsigned_quotient(unsigned, positive, d, ty.bits() - 1);
                let quotient = self.convert(unsigned, native, quotient);
                let floor = self.step(BinaryOp::Xor, native, quotient, sign);
                if negative { self.machine.unary(UnaryOp::Neg, native, floor) } else { floor }
            }
        }
    }

    /// x / d of an unsigned register of type `native` (`U32` or `U64`) whose value has at most `bits` bits.
    fn unsigned_quotient(&mut self, native: Type, x: Operand, d: u64, bits: u32) -> Operand {
        if d.is_power_of_two() {
            return self.step_by(BinaryOp::Shr, native, x, u64::from(d.trailing_zeros()));
        }
        if d > 1 << 63 {
            let reaches = self.machine.compare(Compare { op: Comparison::Ge, ty: native }, x, Operand::constant(d));
            let reaches = self.machine.settle(reaches);
            return self.convert(Type::Bool, native, reaches);
        }
        let Magic { m, k } = magic(d, bits);
        let width = bits + bits_of(m);
        if native == Type::U32 && width <= 32 {
            let product = self.step_by(BinaryOp::Mul, native, x, m as u64);
            return self.step_by(BinaryOp::Shr, native, product, u64::from(k));
        }
        if native == Type::U32 {
            let x = self.convert(native, Type::U64, x);
            let quotient = if width <= 64 {
                let product = self.step_by(BinaryOp::Mul, Type::U64, x, m as u64);
                self.step_by(BinaryOp::Shr, Type::U64, product, u64::from(k))
            } else {
                // A multiplier of 33 bits: with k = 64 no shift is left.
                self.step_by(BinaryOp::MulHigh, Type::U64, x, u64::MAX / d + 1)
            };
            return self.convert(Type::U64, native, quotient);
        }
        if m >> 64 == 0 {
            let (m, k) = if k < 64 { (m << (64 - k), 64) } else { (m, k) };
            let high = self.step_by(BinaryOp::MulHigh, native, x, m as u64);
            return self.step_by(BinaryOp::Shr, native, high, u64::from(k - 64));
        }
        let even = d.trailing_zeros();
        if even != 0 {
            let x = self.step_by(BinaryOp::Shr, native, x, u64::from(even));
            let x = self.held(native, x);
            return self.unsigned_quotient(native, x, d >> even, bits - even);
        }
        // A multiplier of 65 bits: (h + x) / 2 without the carry, h the high part by its lower 64 bits.
        let high = self.step_by(BinaryOp::MulHigh, native, self.machine.borrowed(x), m as u64);
        let high = self.held(native, high);
        let rest = self.step(BinaryOp::Sub, native, x, self.machine.borrowed(high));
        let half = self.step_by(BinaryOp::Shr, native, rest, 1);
        let sum = self.step(BinaryOp::Add, native, half, high);
        self.step_by(BinaryOp::Shr, native, sum, u64::from(k - 65))
    }

    /// x / ±d towards zero, d ≥ 3 no power of two, of a signed register whose value has `bits` bits with its sign.
    fn signed_quotient(&mut self, native: Type, x: Operand, d: u64, negative: bool, bits: u32) -> Operand {
        let Magic { m, k } = magic(d, bits - 1);
        let work = if native == Type::I32 && bits - 1 + bits_of(m) < 32 { Type::I32 } else { Type::I64 };
        let x = self.convert(native, work, x);
        let x = self.held(work, x);
        let product = if native == Type::I64 {
            let (m, k) = if k < 64 { (m << (64 - k), 64) } else { (m, k) };
            let mut high = self.step_by(BinaryOp::MulHigh, work, self.machine.borrowed(x), m as u64);
            if m >> 63 != 0 {
                // The machine takes m for m - 2^64.
                high = self.step(BinaryOp::Add, work, high, self.machine.borrowed(x));
            }
            self.step_by(BinaryOp::Shr, work, high, u64::from(k - 64))
        } else {
            let product = self.step_by(BinaryOp::Mul, work, self.machine.borrowed(x), m as u64);
            self.step_by(BinaryOp::Shr, work, product, u64::from(k))
        };
        // That rounds down; one more where x is negative.
        let sign = self.step_by(BinaryOp::Shr, work, x, u64::from(work.bits() - 1 - u32::from(fault!(46))));
        let quotient = if negative {
            self.step(BinaryOp::Sub, work, sign, product)
        } else {
            self.step(BinaryOp::Sub, work, product, sign)
        };
        self.convert(work, native, quotient)
    }

    /// `a % c == 0` by one multiplication, c no power of two (Hacker's Delight, section 10-17): the multiples of an odd d are
    /// what d's inverse modulo 2^bits maps to the range of the quotients; a rotation brings the factor 2^k to the top, where it
    /// must have left no bit.
    #[inline(never)]
    pub(super) fn is_multiple_of_constant(&mut self, ty: Type, a: Operand, c: u64, want: bool) -> Operand {
        let signed = ty.is_signed();
        let d = if signed { (c as i64).unsigned_abs() } else { c };
        let unsigned = super::int_methods::unsigned_of(ty);
        let k = d.trailing_zeros();
        let odd = d >> k;
        // Newton's iteration doubles the number of bits that are right, three to begin with.
        let mut inverse = odd;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        }
        let largest = u64::MAX >> (64 - ty.bits());
        let (offset, limit) = if signed {
            let offset = ((largest >> 1) / odd) >> k << k;
            (offset, (offset >> k) * 2)
        } else {
            (0, largest / d)
        };
        let x = self.convert(ty, unsigned, a);
        let product = self.step_by(BinaryOp::Mul, unsigned, x, inverse);
        let sum = self.step_by(BinaryOp::Add, unsigned, product, offset);
        let rotated = self.step_by(BinaryOp::RotateRight, unsigned, sum, u64::from(k));
        let op = if want { Comparison::Le } else { Comparison::Gt };
        self.compare(Compare { op, ty: unsigned }, rotated, Operand::constant(limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every divisor and dividend of 8 bits.
    #[test]
    fn magic_numbers_are_exact() {
        for d in (3..256u64).filter(|d| !d.is_power_of_two()) {
            let Magic { m, k } = magic(d, 8);
            assert!(bits_of(m) <= 9);
            for x in 0..256 {
                assert_eq!(((u128::from(x) * m) >> k) as u64, x / d, "{x} / {d}");
            }
        }
    }

    /// The condition of Granlund and Montgomery's theorem 4.2, for divisors of 64 bits.
    #[test]
    fn magic_numbers_meet_their_condition() {
        let odd = (0..64).flat_map(|k| [(1u64 << k).wrapping_sub(1), (1 << k) + 1, (1 << k) | 0x1234_5678_9abc]);
        for d in odd.filter(|d| *d >= 3 && *d <= 1 << 63 && !d.is_power_of_two()) {
            for bits in [63, 64] {
                let Magic { m, k } = magic(d, bits);
                assert!(bits_of(m) <= bits + 1);
                // 2^k < m d <= 2^k + 2^(k - bits), without the bits that 128 do not hold.
                let error = m.wrapping_mul(u128::from(d)).wrapping_sub(1u128.checked_shl(k).unwrap_or(0));
                assert!(error > 0 && error <= 1 << (k - bits), "{d} {bits}");
            }
        }
    }
}
