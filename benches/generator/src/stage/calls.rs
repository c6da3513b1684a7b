//! Calls: quoted as `$f(…)`, built by `DynCall`, and of the program's own functions.

use tickc::DynCall;
use tickc::prelude::*;

use super::{Any, Env, argument, called, code};
use crate::ast::*;
use crate::functions::{floats, narrow, ten, twelve, two};

/// `$f(a, b, …)`: the arguments are taken out one by one, each as of its type.
macro_rules! call {
    (($($callee:tt)*) $args:ident: $($name:ident $ty:ident),*; $($first:tt)*) => {{
        $(let $name = $args.next().expect("as many as the function takes").$ty();)*
        tick!($($callee)*($($first)* $(@$name),*))
    }};
}

/// A call in a quotation.
pub(super) fn quoted(callee: Callee, args: &[E], env: &Env) -> Any {
    let mut args = args.iter().map(|a| code(a, env));
    let (s, q) = (env.s, env.q);
    let host = &env.callees.host;
    match callee {
        Callee::Native(0) => Any::U64(call!((two) args: a u64, b u64;)),
        Callee::Native(1) => Any::I8(call!((narrow) args: a u8, b i8, c u16, d i16, e bool;)),
        Callee::Native(2) => Any::F32(call!((floats) args: a f32, b f64;)),
        Callee::Native(3) => {
            Any::F64(call!((ten) args: a i64, b f64, c i32, d f32, e u8, f i64, g i64, h i64, i f64, j i16;))
        }
        Callee::Native(_) => Any::I32(call!(
            (twelve) args: a i32, b u8, c i64, d u16, e i8, f u32, g usize, h i16, i u64, j bool, k f32, l i32;
        )),
        Callee::Compiled(f, other) => {
            let compiled = env.callees.compiled[usize::from(other)].clone();
            match f {
                0 => Any::I64(call!((lift!(compiled.quotient)) args: a i64, b i64;)),
                1 => Any::F64(call!((lift!(compiled.series)) args: a u32, b f64;)),
                2 => Any::I64(call!((lift!(compiled.exchange)) args: a usize, b i64; @s,)),
                3 => Any::U8(call!((lift!(compiled.mix)) args: a i8, b u16, c bool, d f32;)),
                4 => Any::Bool(call!((lift!(compiled.even)) args: a u32, b i16;)),
                _ => Any::Isize(call!((lift!(compiled.dynamic)) args: a u16, b f32, c i64, d isize;)),
            }
        }
        Callee::Host(0) => Any::I64(call!((lift!(host.journal.clone())) args: a i64;)),
        Callee::Host(1) => Any::F64(call!((lift!(host.weigh.clone())) args: a u8, b f64, c i16, d f32;)),
        Callee::Host(2) => Any::U32(call!((lift!(host.picky.clone())) args: a u32;)),
        Callee::Host(3) => Any::I64(call!((lift!(host.peek.clone())) args: a usize; &@s[..], &@q[2],)),
        Callee::Host(4) => Any::I16(call!(
            (lift!(host.dozen.clone()))
            args: a i32, b u8, c f32, d u64, e bool, f i8, g f64, h usize, i u16, j i64, k isize, l i32;
        )),
        Callee::Host(_) => Any::I64(call!((lift!(host.again.clone())) args: a i64, b i64;)),
    }
}

/// The same call by a `DynCall`.
pub(super) fn built(callee: Callee, args: &[E], env: &Env) -> Any {
    let host = &env.callees.host;
    let mut call = match callee {
        Callee::Native(0) => DynCall::new(&(two as extern "C" fn(u64, u64) -> u64)),
        Callee::Native(1) => DynCall::new(&(narrow as extern "C" fn(u8, i8, u16, i16, bool) -> i8)),
        Callee::Native(2) => DynCall::new(&(floats as extern "C" fn(f32, f64) -> f32)),
        Callee::Native(3) => {
            DynCall::new(&(ten as extern "C" fn(i64, f64, i32, f32, u8, i64, i64, i64, f64, i16) -> f64))
        }
        Callee::Native(_) => {
            DynCall::new(&(twelve as extern "C" fn(i32, u8, i64, u16, i8, u32, usize, i16, u64, bool, f32, i32) -> i32))
        }
        Callee::Compiled(f, other) => {
            let compiled = &env.callees.compiled[usize::from(other)];
            match f {
                0 => DynCall::new(&compiled.quotient),
                1 => DynCall::new(&compiled.series),
                2 => DynCall::new(&compiled.exchange),
                3 => DynCall::new(&compiled.mix),
                4 => DynCall::new(&compiled.even),
                _ => DynCall::new(&compiled.dynamic),
            }
        }
        Callee::Host(0) => DynCall::new(&host.journal),
        Callee::Host(1) => DynCall::new(&host.weigh),
        Callee::Host(2) => DynCall::new(&host.picky),
        Callee::Host(3) => DynCall::new(&host.peek),
        Callee::Host(4) => DynCall::new(&host.dozen),
        Callee::Host(_) => DynCall::new(&host.again),
    };
    match callee {
        Callee::Compiled(2, _) => {
            call.arg(env.s);
        }
        Callee::Host(3) => {
            let (s, q) = (env.s, env.q);
            call.arg(tick!(&@s[..])).arg(tick!(&@q[2]));
        }
        _ => {}
    }
    for a in args {
        argument(&mut call, code(a, env));
    }
    called(&call, callee.signature().1)
}

/// A call of a function of the program's own, while calls are not too deep.
pub(super) fn own(f: usize, args: &[E], env: &Env) -> Any {
    let mut args = args.iter().map(|a| code(a, env));
    let (s, t, w, q, r) = (env.s, env.t, env.w, env.q, env.r);
    let own = env.own;
    macro_rules! call {
        ($f:expr, $a:ident, $b:ident, $zero:literal) => {{
            let (a, b) = (args.next().expect("two arguments").$a(), args.next().expect("two arguments").$b());
            match env.depth {
                None => tick!(lift!($f)(lift!(DEPTH - 1), @s, @t, @w, @q, @r, @a, @b)),
                Some(depth) => tick!({
                    if @depth > 0 { lift!($f)(@depth - 1, @s, @t, @w, @q, @r, @a, @b) } else { $zero }
                }),
            }
        }};
    }
    match f {
        0 => Any::I64(call!(own.first, i64, f64, 0)),
        _ => Any::F64(call!(own.second, u32, bool, 0.0)),
    }
}
