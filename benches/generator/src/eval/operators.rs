//! The operators, on canonical bits.

use super::Stop;
use crate::ast::*;

pub fn canonical(ty: Ty, bits: u64) -> u64 {
    match ty {
        Ty::I8 => bits as i8 as u64,
        Ty::I16 => bits as i16 as u64,
        Ty::I32 => bits as i32 as u64,
        Ty::U8 => bits as u8 as u64,
        Ty::U16 => bits as u16 as u64,
        Ty::U32 | Ty::F32 => bits as u32 as u64,
        Ty::Bool => bits & 1,
        _ => bits,
    }
}

/// Calls `$then` with the Rust type.
macro_rules! by_type {
    ($ty:expr, int $t:ident => $int:expr, float $f:ident => $float:expr, bool => $bool:expr) => {
        match $ty {
            Ty::I8 => {
                type $t = i8;
                $int
            }
            Ty::I16 => {
                type $t = i16;
                $int
            }
            Ty::I32 => {
                type $t = i32;
                $int
            }
            Ty::I64 => {
                type $t = i64;
                $int
            }
            Ty::Isize => {
                type $t = isize;
                $int
            }
            Ty::U8 => {
                type $t = u8;
                $int
            }
            Ty::U16 => {
                type $t = u16;
                $int
            }
            Ty::U32 => {
                type $t = u32;
                $int
            }
            Ty::U64 => {
                type $t = u64;
                $int
            }
            Ty::Usize => {
                type $t = usize;
                $int
            }
            Ty::F32 => {
                type $f = f32;
                $float
            }
            Ty::F64 => {
                type $f = f64;
                $float
            }
            Ty::Bool => $bool,
        }
    };
}

fn divided<T>(zero: bool, value: Option<T>) -> Result<T, Stop> {
    match value {
        Some(value) => Ok(value),
        None if zero => Err(Stop::DivisionByZero),
        None => Err(Stop::DivisionOverflow),
    }
}

/// A float's bits back to the float.
pub(super) trait Float: Copy {
    fn of(bits: u64) -> Self;
    fn bits(self) -> u64;
}
impl Float for f32 {
    fn of(bits: u64) -> f32 {
        f32::from_bits(bits as u32)
    }
    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }
}
impl Float for f64 {
    fn of(bits: u64) -> f64 {
        f64::from_bits(bits)
    }
    fn bits(self) -> u64 {
        self.to_bits()
    }
}

pub fn binary(op: Op, ty: Ty, x: u64, y: u64) -> Result<u64, Stop> {
    by_type!(ty,
        int T => {
            let (a, b) = (x as T, y as T);
            Ok(match op {
                Op::Add => a.wrapping_add(b),
                Op::Sub => a.wrapping_sub(b),
                Op::Mul => a.wrapping_mul(b),
                Op::And => a & b,
                Op::Or => a | b,
                Op::Xor => a ^ b,
                Op::Div => divided(b == 0, a.checked_div(b))?,
                Op::Rem => divided(b == 0, a.checked_rem(b))?,
                Op::RemEuclid => divided(b == 0, a.checked_rem_euclid(b))?,
                Op::DivEuclid => divided(b == 0, a.checked_div_euclid(b))?,
                Op::Min => a.min(b),
                Op::Max => a.max(b),
                Op::Shl => a.wrapping_shl(y as u32),
                Op::Shr => a.wrapping_shr(y as u32),
                Op::RotateLeft => a.rotate_left(y as u32 % T::BITS),
                Op::RotateRight => a.rotate_right(y as u32 % T::BITS),
                Op::SaturatingAdd => a.saturating_add(b),
                Op::SaturatingSub => a.saturating_sub(b),
                // A `u64` is no negative `i128`.
                Op::MulHi => (a as i128 as u128).wrapping_mul(b as i128 as u128).wrapping_shr(T::BITS) as T,
            } as u64)
        },
        float F => {
            let (a, b) = (F::of(x), F::of(y));
            Ok(Float::bits(match op {
                Op::Add => a + b,
                Op::Sub => a - b,
                Op::Mul => a * b,
                Op::Div => a / b,
                Op::Rem => a % b,
                // Of two zeros the left one.
                Op::Min => if b < a || a.is_nan() { b } else { a },
                Op::Max => if b > a || a.is_nan() { b } else { a },
                _ => unreachable!("{op:?} of floats"),
            }))
        },
        bool => Ok(match op {
            Op::And => x & y,
            Op::Or => x | y,
            Op::Xor => x ^ y,
            _ => unreachable!("{op:?} of bool"),
        })
    )
}

pub(super) fn unary(un: Un, ty: Ty, x: u64) -> u64 {
    let int = by_type!(ty,
        int T => {
            let a = x as T;
            match un {
                Un::Neg => a.wrapping_neg() as u64,
                Un::Not => !a as u64,
                Un::SwapBytes => a.swap_bytes() as u64,
                Un::Abs => if (a as i64) < 0 { a.wrapping_neg() as u64 } else { a as u64 },
                Un::Signum => (a as i64).signum() as u64,
                _ => unreachable!("{un:?} of an integer"),
            }
        },
        float F => {
            let a = F::of(x);
            return Float::bits(match un {
                Un::Neg => -a,
                Un::Abs => a.abs(),
                Un::Sqrt => a.sqrt(),
                Un::Floor => a.floor(),
                Un::Ceil => a.ceil(),
                Un::Trunc => a.trunc(),
                Un::Round => a.round(),
                Un::RoundTiesEven => a.round_ties_even(),
                _ => unreachable!("{un:?} of a float"),
            });
        },
        bool => x ^ 1
    );
    canonical(ty, int)
}

pub(super) fn count(count: Count, ty: Ty, x: u64) -> u64 {
    u64::from(by_type!(ty,
        int T => {
            let a = x as T;
            match count {
                Count::Ones => a.count_ones(),
                Count::Zeros => a.count_zeros(),
                Count::Leading => a.leading_zeros(),
                Count::Trailing => a.trailing_zeros(),
            }
        },
        float _F => unreachable!(),
        bool => unreachable!()
    ))
}

pub(super) fn cast(from: Ty, to: Ty, x: u64) -> u64 {
    by_type!(from,
        int S => by_type!(to, int T => x as S as T as u64, float F => Float::bits(x as S as F), bool => unreachable!()),
        float S => by_type!(to, int T => S::of(x) as T as u64, float F => Float::bits(S::of(x) as F), bool => unreachable!()),
        bool => x
    )
}

pub(super) fn compare(cmp: Cmp, ty: Ty, x: u64, y: u64) -> bool {
    fn of<T: PartialOrd>(cmp: Cmp, a: T, b: T) -> bool {
        match cmp {
            Cmp::Eq => a == b,
            Cmp::Ne => a != b,
            Cmp::Lt => a < b,
            Cmp::Le => a <= b,
            Cmp::Gt => a > b,
            Cmp::Ge => a >= b,
        }
    }
    by_type!(ty, int T => of(cmp, x as T, y as T), float F => of(cmp, F::of(x), F::of(y)), bool => of(cmp, x, y))
}

/// Bytes of a scalar.
pub fn size(ty: Ty) -> usize {
    match ty {
        Ty::I8 | Ty::U8 | Ty::Bool => 1,
        Ty::I16 | Ty::U16 => 2,
        Ty::I32 | Ty::U32 | Ty::F32 => 4,
        Ty::I64 | Ty::U64 | Ty::Isize | Ty::Usize | Ty::F64 => 8,
    }
}

/// The bits of a float; those of a NaN count as zero.
pub(super) fn without_nan(ty: Ty, x: u64) -> u64 {
    if compare(Cmp::Ne, ty, x, x) { 0 } else { x }
}
