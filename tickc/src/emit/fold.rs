//! Arithmetic on run-time constants: the reference semantics of every operation, and what an operation with one constant
//! operand can be simplified to.
//!
//! Constants travel in canonical form (see [`Type`]).

use crate::machine::{BinaryOp, Comparison, UnaryOp};
use crate::trap::TrapKind;
use crate::types::Type;

/// `a op b` on constants.
pub(crate) fn fold_binary(op: BinaryOp, ty: Type, a: u64, b: u64) -> Result<u64, TrapKind> {
    match ty {
        Type::F32 => {
            let (a, b) = (f32::from_bits(a as u32), f32::from_bits(b as u32));
            return Ok(u64::from(fold_f32(op, a, b).to_bits()));
        }
        Type::F64 => return Ok(fold_f64(op, f64::from_bits(a), f64::from_bits(b)).to_bits()),
        _ => {}
    }
    let count = b as u32 & (if fault!(42) { 63 } else { ty.bits() - 1 });
    let bits = match op {
        BinaryOp::Add => a.wrapping_add(b),
        BinaryOp::Sub => a.wrapping_sub(b),
        BinaryOp::Mul => a.wrapping_mul(b),
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor => a ^ b,
        BinaryOp::MulHigh if ty.is_signed() => ((i128::from(a as i64) * i128::from(b as i64)) >> 64) as u64,
        BinaryOp::MulHigh => ((u128::from(a) * u128::from(b)) >> 64) as u64,
        BinaryOp::Shl => a << count,
        BinaryOp::Shr if ty.is_signed() && !fault!(43) => ((a as i64) >> count) as u64,
        BinaryOp::Shr => a >> count,
        BinaryOp::RotateLeft => rotate_left(ty, a, count),
        BinaryOp::RotateRight => rotate_left(ty, a, ty.bits() - count),
        BinaryOp::Div | BinaryOp::Rem => return fold_division(op, ty, a, b),
        BinaryOp::Min => {
            if less(ty, b, a) {
                b
            } else {
                a
            }
        }
        BinaryOp::Max => {
            if less(ty, a, b) {
                b
            } else {
                a
            }
        }
    };
    Ok(ty.canonical(bits))
}

fn fold_division(op: BinaryOp, ty: Type, a: u64, b: u64) -> Result<u64, TrapKind> {
    if b == 0 {
        return Err(TrapKind::DivisionByZero);
    }
    if !ty.is_signed() {
        return Ok(if op == BinaryOp::Div { a / b } else { a % b });
    }
    if b as i64 == -1 && a == min_value(ty) && !fault!(44) {
        return Err(TrapKind::DivisionOverflow);
    }
    let (a, b) = (a as i64, b as i64);
    Ok(if op == BinaryOp::Div { a / b } else { a % b } as u64)
}

/// The smallest value of a signed integer type, in canonical form.
pub(crate) fn min_value(ty: Type) -> u64 {
    ty.canonical(1 << (ty.bits() - 1))
}

fn rotate_left(ty: Type, a: u64, count: u32) -> u64 {
    match ty.bits() {
        8 => u64::from((a as u8).rotate_left(count)),
        16 => u64::from((a as u16).rotate_left(count)),
        32 => u64::from((a as u32).rotate_left(count)),
        _ => a.rotate_left(count),
    }
}

fn less(ty: Type, a: u64, b: u64) -> bool {
    if ty.is_signed() { (a as i64) < (b as i64) } else { a < b }
}

macro_rules! fold_float {
    ($($name:ident $t:ident)*) => {$(
        fn $name(op: BinaryOp, a: $t, b: $t) -> $t {
            match op {
                BinaryOp::Add => a + b,
                BinaryOp::Sub => a - b,
                BinaryOp::Mul => a * b,
                BinaryOp::Div => a / b,
                BinaryOp::Rem => a % b,
                BinaryOp::Min => if b < a || a.is_nan() { b } else { a },
                BinaryOp::Max => if a < b || a.is_nan() { b } else { a },
                _ => unreachable!("{op:?} of floats"),
            }
        }
    )*};
}
fold_float!(fold_f32 f32 fold_f64 f64);

/// `a op b` of a comparison of constants.
pub(crate) fn fold_compare(op: Comparison, ty: Type, a: u64, b: u64) -> bool {
    let ordering = match ty {
        Type::F32 => f32::from_bits(a as u32).partial_cmp(&f32::from_bits(b as u32)),
        Type::F64 => f64::from_bits(a).partial_cmp(&f64::from_bits(b)),
        _ if ty.is_signed() => Some((a as i64).cmp(&(b as i64))),
        _ => Some(a.cmp(&b)),
    };
    match op {
        Comparison::Eq => ordering.is_some_and(|o| o.is_eq()),
        Comparison::Ne => ordering.is_none_or(|o| o.is_ne()),
        Comparison::Lt => ordering.is_some_and(|o| o.is_lt()),
        Comparison::Le => ordering.is_some_and(|o| o.is_le()),
        Comparison::Gt => ordering.is_some_and(|o| o.is_gt()),
        Comparison::Ge => ordering.is_some_and(|o| o.is_ge()),
    }
}

/// An operation on one constant.
pub(crate) fn fold_unary(op: UnaryOp, ty: Type, a: u64) -> u64 {
    match ty {
        Type::F32 => {
            let a = f32::from_bits(a as u32);
            return u64::from(fold_unary_f32(op, a).to_bits());
        }
        Type::F64 => return fold_unary_f64(op, f64::from_bits(a)).to_bits(),
        _ => {}
    }
    let width = ty.bits();
    let unsigned = a & (u64::MAX >> (64 - width));
    let bits = match op {
        UnaryOp::Neg => a.wrapping_neg(),
        UnaryOp::Not => !a,
        UnaryOp::Abs => {
            if ty.is_signed() && (a as i64) < 0 {
                a.wrapping_neg()
            } else {
                a
            }
        }
        UnaryOp::CountOnes => u64::from(unsigned.count_ones()),
        UnaryOp::LeadingZeros => u64::from(unsigned.leading_zeros() - (64 - width)),
        UnaryOp::TrailingZeros => u64::from(unsigned.trailing_zeros().min(width)),
        UnaryOp::SwapBytes => unsigned.swap_bytes() >> (64 - width),
        UnaryOp::Sqrt | UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Trunc => unreachable!("{op:?} of an integer"),
    };
    ty.canonical(bits)
}

macro_rules! fold_unary_float {
    ($($name:ident $t:ident)*) => {$(
        fn $name(op: UnaryOp, a: $t) -> $t {
            match op {
                UnaryOp::Neg => -a,
                UnaryOp::Abs => a.abs(),
                UnaryOp::Sqrt => a.sqrt(),
                UnaryOp::Floor => a.floor(),
                UnaryOp::Ceil => a.ceil(),
                UnaryOp::Trunc => a.trunc(),
                _ => unreachable!("{op:?} of a float"),
            }
        }
    )*};
}
fold_unary_float!(fold_unary_f32 f32 fold_unary_f64 f64);

/// `a as to` on a constant.
pub(crate) fn fold_convert(from: Type, to: Type, a: u64) -> u64 {
    let float = match from {
        Type::F32 => f64::from(f32::from_bits(a as u32)),
        Type::F64 => f64::from_bits(a),
        _ => {
            return match to {
                Type::F32 if from.is_signed() => u64::from((a as i64 as f32).to_bits()),
                Type::F32 => u64::from((a as f32).to_bits()),
                Type::F64 if from.is_signed() => (a as i64 as f64).to_bits(),
                Type::F64 => (a as f64).to_bits(),
                _ => to.canonical(a),
            };
        }
    };
    // An f32 is exact as an f64, so one path serves both.
    match to {
        Type::F64 => float.to_bits(),
        Type::F32 if from == Type::F32 => a,
        Type::F32 => u64::from((float as f32).to_bits()),
        Type::I8 => float as i8 as u64,
        Type::I16 => float as i16 as u64,
        Type::I32 => float as i32 as u64,
        Type::I64 | Type::Isize => float as i64 as u64,
        Type::U8 => u64::from(float as u8),
        Type::U16 => u64::from(float as u16),
        Type::U32 => u64::from(float as u32),
        Type::U64 | Type::Usize | Type::Ptr => float as u64,
        Type::Bool | Type::Unit => unreachable!("no cast from a float to {to}"),
    }
}

/// What `a op c` with a constant c is worth.
pub(crate) enum Simpler {
    /// The operation as it is.
    Same,
    /// Just a.
    Identity,
    /// A constant, whatever a is.
    Constant(u64),
    /// Another operation with another constant.
    Other(BinaryOp, u64),
    /// An operation on a alone.
    Unary(UnaryOp),
    /// Never a value.
    Trap(TrapKind),
}

/// Whether [`simplify`] may find something; a quick test that lets the common constants pass.
#[inline(always)]
pub(crate) fn may_simplify(op: BinaryOp, ty: Type, c: u64) -> bool {
    match ty {
        // ±0 and powers of two have no mantissa.
        Type::F64 => c << 12 == 0,
        Type::F32 => c << 41 == 0,
        // -1, 0, 1; the all-ones of narrow unsigned types; factors that are powers of two; divisors. Shift counts come masked.
        // What is missed here (the smallest integer as a factor) is only slower.
        _ => {
            c.wrapping_add(1) <= 2
                || ty.size() < 8 && c == ty.canonical(u64::MAX)
                || op == BinaryOp::Mul && c & c.wrapping_sub(1) == 0
                || matches!(op, BinaryOp::Div | BinaryOp::Rem)
        }
    }
}

/// Exact identities of `a op c` on floats, as bits of the type. (What a NaN's bits are afterwards Rust leaves open.)
fn simplify_float(op: BinaryOp, ty: Type, c: u64) -> Simpler {
    let mantissa = if ty == Type::F32 { 23 } else { 52 };
    let sign = c >> (ty.bits() - 1);
    let magnitude = c & !(1 << (ty.bits() - 1));
    let one = ((1 << (ty.bits() - mantissa - 2)) - 1) << mantissa;
    match op {
        // a + -0.0, a - 0.0; the other zeros turn -0.0 into 0.0.
        BinaryOp::Add if magnitude == 0 && sign == 1 => Simpler::Identity,
        BinaryOp::Sub if magnitude == 0 && sign == 0 => Simpler::Identity,
        BinaryOp::Mul | BinaryOp::Div if magnitude == one && sign == 0 => Simpler::Identity,
        BinaryOp::Mul | BinaryOp::Div if magnitude == one => Simpler::Unary(UnaryOp::Neg),
        // The reciprocal of a power of two is exact unless it leaves the range of normal numbers.
        BinaryOp::Div if magnitude.trailing_zeros() >= mantissa && magnitude != 0 && magnitude < 2 * one => {
            Simpler::Other(BinaryOp::Mul, (2 * one - magnitude) | sign << (ty.bits() - 1))
        }
        _ => Simpler::Same,
    }
}

/// Algebraic identities and strength reduction of `a op c`.
#[inline]
pub(crate) fn simplify(op: BinaryOp, ty: Type, c: u64) -> Simpler {
    if ty.is_float() {
        return simplify_float(op, ty, c);
    }
    let ones = ty.canonical(u64::MAX);
    match op {
        BinaryOp::Add | BinaryOp::Sub if c == 0 => Simpler::Identity,
        BinaryOp::Or | BinaryOp::Xor if c == 0 => Simpler::Identity,
        BinaryOp::Or if c == ones => Simpler::Constant(ones),
        BinaryOp::Xor if c == ones && ty != Type::Bool => Simpler::Unary(UnaryOp::Not),
        BinaryOp::And if c == 0 => Simpler::Constant(0),
        BinaryOp::And if c == ones => Simpler::Identity,
        BinaryOp::Mul => match c {
            0 => Simpler::Constant(0),
            1 => Simpler::Identity,
            _ if c == ones => Simpler::Unary(UnaryOp::Neg),
            _ => {
                let unsigned = c & (u64::MAX >> (64 - ty.bits()));
                match unsigned.is_power_of_two() {
                    true => Simpler::Other(BinaryOp::Shl, u64::from(unsigned.trailing_zeros())),
                    false => Simpler::Same,
                }
            }
        },
        BinaryOp::Shl | BinaryOp::Shr | BinaryOp::RotateLeft | BinaryOp::RotateRight => {
            match c & u64::from(ty.bits() - 1) {
                0 => Simpler::Identity,
                count if count != c => Simpler::Other(op, count),
                _ => Simpler::Same,
            }
        }
        BinaryOp::Min if c == ty.min_value() => Simpler::Constant(c),
        BinaryOp::Min if c == ty.max_value() => Simpler::Identity,
        BinaryOp::Max if c == ty.max_value() => Simpler::Constant(c),
        BinaryOp::Max if c == ty.min_value() => Simpler::Identity,
        BinaryOp::MulHigh if c == 0 => Simpler::Constant(0),
        BinaryOp::Div | BinaryOp::Rem if c == 0 => Simpler::Trap(TrapKind::DivisionByZero),
        BinaryOp::Div if c == 1 => Simpler::Identity,
        BinaryOp::Rem if c == 1 => Simpler::Constant(0),
        BinaryOp::Div if !ty.is_signed() && c.is_power_of_two() => {
            Simpler::Other(BinaryOp::Shr, u64::from(c.trailing_zeros()))
        }
        BinaryOp::Rem if !ty.is_signed() && c.is_power_of_two() => Simpler::Other(BinaryOp::And, c - 1),
        _ => Simpler::Same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every simplification equals the operation, on all constants and values of `u8` and `i8`.
    #[test]
    fn simplify_is_exact() {
        use BinaryOp::*;
        for ty in [Type::U8, Type::I8] {
            for op in [Add, Sub, Mul, And, Or, Xor, Shl, Shr, RotateLeft, RotateRight, Div, Rem, Min, Max] {
                for (c, a) in (0..=255).flat_map(|c| (0..=255).map(move |a| (ty.canonical(c), ty.canonical(a)))) {
                    let expected = fold_binary(op, ty, a, c);
                    let simpler = match simplify(op, ty, c) {
                        Simpler::Same => expected,
                        Simpler::Identity => Ok(a),
                        Simpler::Constant(k) => Ok(k),
                        Simpler::Other(op, k) => fold_binary(op, ty, a, k),
                        Simpler::Unary(op) => Ok(fold_unary(op, ty, a)),
                        Simpler::Trap(kind) => Err(kind),
                    };
                    assert_eq!(simpler, expected, "{a} {op:?} {c} as {ty}");
                }
            }
        }
    }

    /// Every simplification of floats equals the operation, but for the bits of a NaN.
    #[test]
    fn simplify_is_exact_on_floats() {
        let powers = (-1074..1024).map(|e| 2f64.powi(e));
        let edges = [0.0, f64::INFINITY, f64::NAN, 3.0, 0.1, f64::MIN_POSITIVE / 3.0, f64::MAX, 1.0 + f64::EPSILON];
        let constants: Vec<f64> = powers.chain(edges).flat_map(|c| [c, -c]).collect();
        let values = edges.into_iter().chain([1.0, 5e-324, 1e300]).flat_map(|a| [a, -a]);
        let mut simpler = 0;
        for ty in [Type::F32, Type::F64] {
            let bits = |x: f64| fold_convert(Type::F64, ty, x.to_bits());
            let number = |x: u64| fold_convert(ty, Type::F64, x);
            for (c, a) in constants.iter().flat_map(|&c| values.clone().map(move |a| (bits(c), bits(a)))) {
                for op in [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Div] {
                    let expected = number(fold_binary(op, ty, a, c).unwrap());
                    let found = number(match simplify(op, ty, c) {
                        Simpler::Identity => a,
                        Simpler::Other(op, k) => fold_binary(op, ty, a, k).unwrap(),
                        Simpler::Unary(op) => fold_unary(op, ty, a),
                        _ => continue,
                    });
                    assert!(may_simplify(op, ty, c));
                    let nan = |x: u64| f64::from_bits(x).is_nan();
                    assert!(found == expected || nan(found) && nan(expected), "{a:#x} {op:?} {c:#x} as {ty}");
                    simpler += 1;
                }
            }
        }
        assert!(simpler > 50_000, "{simpler}");
    }

    /// Folding agrees with Rust's own operators.
    #[test]
    fn fold_is_rusts_arithmetic() {
        for a in -128..=127i8 {
            for b in -128..=127i8 {
                let (x, y) = (a as u64, b as u64);
                let fold = |op| fold_binary(op, Type::I8, x, y).ok().map(|v| v as i8);
                assert_eq!(fold(BinaryOp::Add), Some(a.wrapping_add(b)));
                assert_eq!(fold(BinaryOp::Mul), Some(a.wrapping_mul(b)));
                assert_eq!(fold(BinaryOp::Div), a.checked_div(b));
                assert_eq!(fold(BinaryOp::Rem), a.checked_rem(b));
                assert_eq!(fold(BinaryOp::Shl), Some(a.wrapping_shl(b as u32)));
                assert_eq!(fold(BinaryOp::Shr), Some(a.wrapping_shr(b as u32)));
                assert_eq!(fold(BinaryOp::RotateLeft), Some(a.rotate_left(b as u32 & 7)));
                assert_eq!(fold(BinaryOp::RotateRight), Some(a.rotate_right(b as u32 & 7)));
                assert_eq!(fold(BinaryOp::Min), Some(a.min(b)));
                assert_eq!(fold(BinaryOp::Max), Some(a.max(b)));
                assert_eq!(fold_compare(Comparison::Lt, Type::I8, x, y), a < b);
                assert_eq!(fold_compare(Comparison::Ge, Type::U8, x & 255, y & 255), a as u8 >= b as u8);
            }
            let unary = |op| fold_unary(op, Type::I8, a as u64);
            assert_eq!(unary(UnaryOp::Neg) as i8, a.wrapping_neg());
            assert_eq!(unary(UnaryOp::Abs) as i8, a.wrapping_abs());
            assert_eq!(unary(UnaryOp::LeadingZeros), u64::from(a.leading_zeros()));
            assert_eq!(unary(UnaryOp::TrailingZeros), u64::from(a.trailing_zeros()));
            assert_eq!(unary(UnaryOp::CountOnes), u64::from(a.count_ones()));
        }
        assert_eq!(fold_unary(UnaryOp::SwapBytes, Type::U16, 0x1234), 0x3412);
        assert_eq!(fold_convert(Type::F64, Type::U8, 300.0f64.to_bits()), 255);
        assert_eq!(fold_convert(Type::F64, Type::I32, f64::NAN.to_bits()), 0);
        assert_eq!(fold_convert(Type::U64, Type::F32, u64::MAX), u64::from((u64::MAX as f32).to_bits()));
    }
}
