//! What is read and written.
#![allow(unsafe_code, reason = "what is accessed lies behind the raw pointer")]
// SAFETY, of all of them: the pointer is to `RAW` aligned bytes that live as long as the engine, which only programs access while
// they run; every offset is masked so that what is accessed lies within them, aligned where it has to be; no `bool` is read.
#![allow(clippy::undocumented_unsafe_blocks, reason = "the reason stands above, for all of them")]

use tickc::prelude::*;

use super::values::usize;
use super::{Any, AnyVar, Env, Pointer};
use crate::ast::*;

/// Calls the macro `$then` with variant, type and kind of type of the place, what else is given, and the tokens of the place in a
/// quotation, in front of them `unsafe` if it takes that.
macro_rules! at {
    ($place:expr, $env:expr, $then:ident!($($more:tt)*)) => {{
        let (s, t, w, q, r) = ($env.s, $env.t, $env.w, $env.q, $env.r);
        let index = |i: &E| usize::code(i, $env);
        match $place {
            Place::Var(v) => match $env.vars[*v] {
                AnyVar::I64(v) => $then!(I64 i64 int ($($more)*) [] @v),
                AnyVar::I32(v) => $then!(I32 i32 int ($($more)*) [] @v),
                AnyVar::I16(v) => $then!(I16 i16 int ($($more)*) [] @v),
                AnyVar::I8(v) => $then!(I8 i8 int ($($more)*) [] @v),
                AnyVar::Isize(v) => $then!(Isize isize int ($($more)*) [] @v),
                AnyVar::U64(v) => $then!(U64 u64 int ($($more)*) [] @v),
                AnyVar::U32(v) => $then!(U32 u32 int ($($more)*) [] @v),
                AnyVar::U16(v) => $then!(U16 u16 int ($($more)*) [] @v),
                AnyVar::U8(v) => $then!(U8 u8 int ($($more)*) [] @v),
                AnyVar::Usize(v) => $then!(Usize usize int ($($more)*) [] @v),
                AnyVar::F64(v) => $then!(F64 f64 float ($($more)*) [] @v),
                AnyVar::F32(v) => $then!(F32 f32 float ($($more)*) [] @v),
                AnyVar::Bool(v) => $then!(Bool bool bool ($($more)*) [] @v),
                AnyVar::Constant(_) => unreachable!("a constant of an unrolled loop is no place"),
            },
            Place::Item(mem, i) => {
                let i = index(i);
                match mem {
                    Mem::S => $then!(I64 i64 int ($($more)*) [] @s[@i]),
                    Mem::T => $then!(U8 u8 int ($($more)*) [] @t[@i]),
                    Mem::W => $then!(F32 f32 float ($($more)*) [] @w[@i]),
                }
            }
            Place::Part(mem, from, i) => {
                let (from, i) = (index(from), index(i));
                match mem {
                    Mem::S => $then!(I64 i64 int ($($more)*) [] @s[@from..][@i]),
                    Mem::T => $then!(U8 u8 int ($($more)*) [] @t[@from..][@i]),
                    Mem::W => $then!(F32 f32 float ($($more)*) [] @w[@from..][@i]),
                }
            }
            Place::Field(field) => match field {
                Field::X => $then!(I32 i32 int ($($more)*) [] @r.x),
                Field::Y => $then!(U8 u8 int ($($more)*) [] @r.y),
                Field::Z => $then!(F64 f64 float ($($more)*) [] @r.z),
                Field::Flag => $then!(Bool bool bool ($($more)*) [] @r.flag),
            },
            Place::Element(i) => {
                let i = index(i);
                $then!(I16 i16 int ($($more)*) [] @r.a[@i])
            }
            Place::Row(i, field) => {
                let i = index(i);
                match field {
                    Field::X => $then!(I32 i32 int ($($more)*) [] @q[@i].x),
                    Field::Y => $then!(U8 u8 int ($($more)*) [] @q[@i].y),
                    Field::Z => $then!(F64 f64 float ($($more)*) [] @q[@i].z),
                    Field::Flag => $then!(Bool bool bool ($($more)*) [] @q[@i].flag),
                }
            }
            Place::Raw(raw, ty, i) => {
                let (p, i) = (pointer($env), index(i));
                by_type!(ty, aligned!(raw p i $then ($($more)*)))
            }
        }
    }};
}

/// Calls the macro `$then` with variant, type and kind of type, and what else is given.
macro_rules! by_type {
    ($ty:expr, $then:ident!($($more:tt)*)) => {
        match $ty {
            Ty::I64 => $then!(I64 i64 int $($more)*),
            Ty::I32 => $then!(I32 i32 int $($more)*),
            Ty::I16 => $then!(I16 i16 int $($more)*),
            Ty::I8 => $then!(I8 i8 int $($more)*),
            Ty::Isize => $then!(Isize isize int $($more)*),
            Ty::U64 => $then!(U64 u64 int $($more)*),
            Ty::U32 => $then!(U32 u32 int $($more)*),
            Ty::U16 => $then!(U16 u16 int $($more)*),
            Ty::U8 => $then!(U8 u8 int $($more)*),
            Ty::Usize => $then!(Usize usize int $($more)*),
            Ty::F64 => $then!(F64 f64 float $($more)*),
            Ty::F32 => $then!(F32 f32 float $($more)*),
            Ty::Bool => unreachable!("not every byte is a `bool`"),
        }
    };
}

/// The places behind the raw pointer that are written as places. The memory is a power of two of elements.
macro_rules! aligned {
    ($v:ident $t:ident $kind:ident $raw:ident $p:ident $i:ident $then:ident ($($more:tt)*)) => {{
        let (last, middle) = (RAW / size_of::<$t>() - 1, RAW / size_of::<$t>() / 2);
        let start = -(middle as isize);
        match $raw {
            Raw::Add => $then!($v $t $kind ($($more)*) [unsafe] *(@$p as *mut $t).add(@$i & lift!(last))),
            Raw::Offset => $then!(
                $v $t $kind ($($more)*) [unsafe]
                *(@$p as *mut $t).add(lift!(middle)).offset((@$i & lift!(last)) as isize + lift!(start))
            ),
            Raw::Volatile | Raw::Unaligned | Raw::Swapped => unreachable!("accessed by methods"),
        }
    }};
}

fn pointer(env: &Env) -> Code<'static, *mut u8> {
    match env.p {
        Pointer::Var(p) => tick!(@p),
        Pointer::Constant(p) => tick!(lift!(p)),
    }
}

macro_rules! read_by_method {
    ($v:ident $t:ident $kind:ident $raw:ident $p:ident $i:ident) => {{
        let last = RAW / size_of::<$t>() - 1;
        Any::$v(match $raw {
            // SAFETY: the pointer leads to `RAW` bytes, aligned, which the masked index does not leave.
            Raw::Volatile => tick!(unsafe { (@$p as *mut $t).add(@$i & lift!(last)).read_volatile() }),
            // SAFETY: the pointer leads to `RAW` bytes, which the masked offset in the lower half and the width do not leave.
            Raw::Unaligned => tick!(unsafe { (@$p.add(@$i & HALF) as *const $t).read_unaligned() }),
            _ => swapped!($kind $t $p $i),
        })
    }};
}
macro_rules! swapped {
    (int $t:ident $p:ident $i:ident) => {
        // SAFETY: the pointer leads to `RAW` bytes, which the masked offset in the lower half and the width do not leave.
        tick!(unsafe { $t::from_be((@$p.add(@$i & HALF) as *const $t).read_unaligned()) })
    };
    (float $t:ident $p:ident $i:ident) => {
        unreachable!("only integers are swapped")
    };
    (int $t:ident $p:ident $i:ident = $value:ident) => {
        // SAFETY: the pointer leads to `RAW` bytes, which the masked offset in the lower half and the width do not leave.
        tick!(unsafe { (@$p.add(@$i & HALF) as *mut $t).write_unaligned(@$value.swap_bytes()) })
    };
    (float $t:ident $p:ident $i:ident = $value:ident) => {
        unreachable!("only integers are swapped")
    };
}

macro_rules! write_by_method {
    ($v:ident $t:ident $kind:ident $raw:ident $p:ident $i:ident $value:ident) => {{
        let (last, value) = (RAW / size_of::<$t>() - 1, $value.$t());
        match $raw {
            // SAFETY: the pointer leads to `RAW` bytes, aligned, which the masked index does not leave.
            Raw::Volatile => tick!(unsafe { (@$p as *mut $t).add(@$i & lift!(last)).write_volatile(@value) }),
            // SAFETY: the pointer leads to `RAW` bytes, which the masked offset in the lower half and the width do not leave.
            Raw::Unaligned => tick!(unsafe { (@$p.add(@$i & HALF) as *mut $t).write_unaligned(@value) }),
            _ => swapped!($kind $t $p $i = value),
        }
    }};
}

pub(super) fn read(place: &Place, env: &Env) -> Any {
    if let Place::Raw(raw @ (Raw::Volatile | Raw::Unaligned | Raw::Swapped), ty, i) = place {
        let (p, i) = (pointer(env), usize::code(i, env));
        return by_type!(ty, read_by_method!(raw p i));
    }
    macro_rules! read {
        ($v:ident $t:ident $kind:ident () [$($unsafe:ident)?] $($place:tt)*) => {
            Any::$v(tick!($($unsafe)? { $($place)* }))
        };
    }
    at!(place, env, read!())
}

/// Masks the offset of what need not be aligned.
const HALF: usize = RAW / 2 - 1;

/// `place = value`
pub(super) fn write(place: &Place, value: Any, env: &Env) -> Code<'static, ()> {
    macro_rules! write {
        ($v:ident $t:ident $kind:ident ($value:ident) [$($unsafe:ident)?] $($place:tt)*) => {{
            let value = $value.$t();
            tick!($($unsafe)? { $($place)* = @value })
        }};
    }
    let Place::Raw(raw, ty, i) = place else {
        return at!(place, env, write!(value));
    };
    let value = without_nan(value);
    if let Raw::Add | Raw::Offset = raw {
        return at!(place, env, write!(value));
    }
    let (p, i) = (pointer(env), usize::code(i, env));
    by_type!(ty, write_by_method!(raw p i value))
}

macro_rules! update {
    ($v:ident $t:ident int ($op:expr, $value:expr) [$($unsafe:ident)?] $($place:tt)*) => {
        if matches!($op, Op::Shl | Op::Shr) {
            let b = $value.u32();
            if $op == Op::Shl {
                tick!($($unsafe)? { $($place)* <<= @b })
            } else {
                tick!($($unsafe)? { $($place)* >>= @b })
            }
        } else {
            let b = $value.$t();
            match $op {
                Op::Add => tick!($($unsafe)? { $($place)* += @b }),
                Op::Sub => tick!($($unsafe)? { $($place)* -= @b }),
                Op::Mul => tick!($($unsafe)? { $($place)* *= @b }),
                Op::And => tick!($($unsafe)? { $($place)* &= @b }),
                Op::Or => tick!($($unsafe)? { $($place)* |= @b }),
                Op::Xor => tick!($($unsafe)? { $($place)* ^= @b }),
                Op::Div => tick!($($unsafe)? { $($place)* /= @b }),
                _ => tick!($($unsafe)? { $($place)* %= @b }),
            }
        }
    };
    ($v:ident $t:ident float ($op:expr, $value:expr) [$($unsafe:ident)?] $($place:tt)*) => {{
        let b = $value.$t();
        match $op {
            Op::Add => tick!($($unsafe)? { $($place)* += @b }),
            Op::Sub => tick!($($unsafe)? { $($place)* -= @b }),
            Op::Mul => tick!($($unsafe)? { $($place)* *= @b }),
            Op::Div => tick!($($unsafe)? { $($place)* /= @b }),
            _ => tick!($($unsafe)? { $($place)* %= @b }),
        }
    }};
    ($v:ident $t:ident bool ($op:expr, $value:expr) [] $($place:tt)*) => {{
        let b = $value.bool();
        match $op {
            Op::And => tick!({ $($place)* &= @b }),
            Op::Or => tick!({ $($place)* |= @b }),
            _ => tick!({ $($place)* ^= @b }),
        }
    }};
}

/// `place op= value`
pub(super) fn update(op: Op, place: &Place, value: Any, env: &Env) -> Code<'static, ()> {
    at!(place, env, update!(op, value))
}

/// The value, but 0 for NaN, whose bits are no engine's business.
fn without_nan(value: Any) -> Any {
    match value {
        Any::F64(v) => Any::F64(tick!({ let x = @v; if x.is_nan() { 0.0 } else { x } })),
        Any::F32(v) => Any::F32(tick!({ let x = @v; if x.is_nan() { 0.0 } else { x } })),
        value => value,
    }
}
