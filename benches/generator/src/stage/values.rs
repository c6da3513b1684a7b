//! Expressions, by type: what all types have, then integers, floats and `bool`.

use std::rc::Rc;
use std::sync::Arc;

use tickc::prelude::*;

use super::calls;
use super::places;
use super::stmts::{Body, block};
use super::{Any, AnyVar, Env, code, return_};
use crate::ast::*;

/// What all types have.
macro_rules! common {
    ($t:ident $v:ident $as_var:ident $as_code:ident) => {
        pub(in crate::stage) fn code(e: &E, env: &Env) -> Code<'static, $t> {
            match &e.kind {
                Kind::Var(v) => match env.vars[*v] {
                    AnyVar::Constant(bits) => own(&Rc::new(Expr { ty: e.ty, kind: Kind::Const(bits) }), env),
                    v => {
                        let v = v.$as_var();
                        tick!(@v)
                    }
                },
                Kind::Fragment(f) => env.value(*f).$as_code(),
                Kind::IfConst(c, a, b) => {
                    let (c, a, b) = (*c, code(a, env), code(b, env));
                    tick!(if lift!(c) { @a } else { @b })
                }
                Kind::MatchConst(n, a, b, c) => {
                    let (n, a, b, c) = (*n, code(a, env), code(b, env), code(c, env));
                    tick!(move match lift!(n) { 0 => @a, 1 | 2 => @b, _ => @c })
                }
                Kind::If(c, a, b) => {
                    let (c, a, b) = (super::bool::code(c, env), code(a, env), code(b, env));
                    tick!(if @c { @a } else { @b })
                }
                Kind::Match(x, a, b, c, last) => {
                    let (a, b, c) = (code(a, env), code(b, env), code(c, env));
                    let (last, env) = (last.clone(), env.clone());
                    macro_rules! matched {
                        ($code:expr, $wrap:ident) => {{
                            let x = $code;
                            tick!(move match @x {
                                0 => @a,
                                1 | 7 => @b,
                                2..=5 => @c,
                                v => @(code(&last, &env.with(AnyVar::$wrap(v)))),
                            })
                        }};
                    }
                    match super::code(x, &env) {
                        Any::I64(x) => matched!(x, I64),
                        Any::I32(x) => matched!(x, I32),
                        Any::I16(x) => matched!(x, I16),
                        Any::I8(x) => matched!(x, I8),
                        Any::Isize(x) => matched!(x, Isize),
                        Any::U64(x) => matched!(x, U64),
                        Any::U32(x) => matched!(x, U32),
                        Any::U16(x) => matched!(x, U16),
                        Any::U8(x) => matched!(x, U8),
                        Any::Usize(x) => matched!(x, Usize),
                        Any::F64(_) | Any::F32(_) | Any::Bool(_) => unreachable!("match on integers"),
                    }
                }
                Kind::Block(stmts, value) => {
                    let (stmts, value) = (super::block(stmts, env), code(value, env));
                    tick!({ @stmts; @value })
                }
                Kind::Let(init, body) => {
                    let (body, env) = (body.clone(), env.clone());
                    macro_rules! bound {
                        ($code:expr, $wrap:ident) => {{
                            let init = $code;
                            tick!(move { let mut v = @init; @(code(&body, &env.with(AnyVar::$wrap(v)))) })
                        }};
                    }
                    match super::code(init, &env) {
                        Any::I64(x) => bound!(x, I64),
                        Any::I32(x) => bound!(x, I32),
                        Any::I16(x) => bound!(x, I16),
                        Any::I8(x) => bound!(x, I8),
                        Any::Isize(x) => bound!(x, Isize),
                        Any::U64(x) => bound!(x, U64),
                        Any::U32(x) => bound!(x, U32),
                        Any::U16(x) => bound!(x, U16),
                        Any::U8(x) => bound!(x, U8),
                        Any::Usize(x) => bound!(x, Usize),
                        Any::F64(x) => bound!(x, F64),
                        Any::F32(x) => bound!(x, F32),
                        Any::Bool(x) => bound!(x, Bool),
                    }
                }
                Kind::LoopValue(limit, a, stmts, c, b) => {
                    let (a, b, c) = (code(a, env), code(b, env), super::bool::code(c, env));
                    let (limit, stmts) = (*limit, super::block(stmts, env));
                    tick!({
                        let mut n = 0u32;
                        loop {
                            n += 1;
                            if n > lift!(limit) { break @a; }
                            @stmts;
                            if @c { break @b; }
                        }
                    })
                }
                Kind::ReturnIf(c, r, v) => {
                    let (c, r, v) = (super::bool::code(c, env), super::return_(r, env), code(v, env));
                    tick!({ if @c { @r; } @v })
                }
                Kind::GotoIf(c, label, v) => {
                    let (c, goto, v) = (super::bool::code(c, env), env.labels[*label].goto(), code(v, env));
                    tick!({ if @c { @goto; } @v })
                }
                _ => own(e, env),
            }
        }

        /// `var = value` of a label within an arm.
        pub(in crate::stage) fn arm(arm: &Arm, here: Code<'static, ()>, env: &Env) -> Code<'static, ()> {
            let (v, passed, k, c) = (env.vars[arm.var].$as_var(), env.passed, arm.passed, super::bool::code(&arm.c, env));
            let [a, b, d] = [&arm.a, &arm.b, &arm.d].map(|stmts| super::block(stmts, env));
            let (x, y) = (code(&arm.x, env), code(&arm.y, env));
            tick!(@v = if @passed != lift!(k) && @c { @a; @x } else { @b; @here; @d; @y })
        }
    };
}

macro_rules! ints {
    ($($t:ident $v:ident $as_var:ident: $unsigned:ident;)*) => {$(
        pub(super) mod $t {
            use super::*;
            common!($t $v $as_var $t);

            pub(in crate::stage) fn binary(op: Op, a: Code<'static, $t>, b: Any) -> Code<'static, $t> {
                if op.takes_count() {
                    let b = b.u32();
                    return match op {
                        Op::Shl => tick!(@a << @b),
                        Op::Shr => tick!(@a >> @b),
                        Op::RotateLeft => tick!(@a.rotate_left(@b)),
                        _ => tick!(@a.rotate_right(@b)),
                    };
                }
                let b = b.$t();
                match op {
                    Op::Add => tick!(@a + @b),
                    Op::Sub => tick!(@a - @b),
                    Op::Mul => tick!(@a * @b),
                    Op::And => tick!(@a & @b),
                    Op::Or => tick!(@a | @b),
                    Op::Xor => tick!(@a ^ @b),
                    Op::Div => tick!(@a / @b),
                    Op::Rem => tick!(@a % @b),
                    Op::Min => tick!(@a.min(@b)),
                    Op::Max => tick!(@a.max(@b)),
                    Op::DivEuclid => tick!(@a.div_euclid(@b)),
                    Op::SaturatingAdd => tick!(@a.saturating_add(@b)),
                    Op::SaturatingSub => tick!(@a.saturating_sub(@b)),
                    Op::MulHi => tick!(@a.mul_hi(@b)),
                    _ => tick!(@a.rem_euclid(@b)),
                }
            }

            fn own(e: &E, env: &Env) -> Code<'static, $t> {
                match &e.kind {
                    Kind::Const(bits) => {
                        let value = *bits as $t;
                        tick!(lift!(value))
                    }
                    Kind::Table(table, i) => {
                        let (i, table) = (super::usize::code(i, env), table.iter().map(|&bits| bits as $t).collect::<Arc<[$t]>>());
                        tick!(lift!(table)[@i])
                    }
                    Kind::Bare(x, a, b) => {
                        let (x, a, b) = (code(x, env), code(a, env), code(b, env));
                        tick!({
                            let mut v = @x;
                            let a = @a;
                            let b = @b;
                            v = v * a ^ b;
                            v = v - a;
                            let c = v;
                            c + b
                        })
                    }
                    Kind::Bin(op, a, b) => binary(*op, code(a, env), super::code(b, env)),
                    Kind::Twice(op, a) => {
                        let a = code(a, env);
                        binary(*op, a.clone(), Any::$v(a))
                    }
                    Kind::Un(un, a) => {
                        let a = code(a, env);
                        match un {
                            Un::Neg => tick!(@a.wrapping_neg()),
                            Un::Not => tick!(!@a),
                            Un::SwapBytes => tick!(@a.swap_bytes()),
                            _ => signed(*un, a),
                        }
                    }
                    Kind::Cast(a) => match super::code(a, env) {
                        Any::I64(a) => tick!(@a as $t),
                        Any::I32(a) => tick!(@a as $t),
                        Any::I16(a) => tick!(@a as $t),
                        Any::I8(a) => tick!(@a as $t),
                        Any::Isize(a) => tick!(@a as $t),
                        Any::U64(a) => tick!(@a as $t),
                        Any::U32(a) => tick!(@a as $t),
                        Any::U16(a) => tick!(@a as $t),
                        Any::U8(a) => tick!(@a as $t),
                        Any::Usize(a) => tick!(@a as $t),
                        Any::F64(a) => tick!(@a as $t),
                        Any::F32(a) => tick!(@a as $t),
                        Any::Bool(a) => tick!(@a as $t),
                    },
                    _ => special(e, env).$t(),
                }
            }
            ints!(@$unsigned $t);

            pub(in crate::stage) fn compare(cmp: Cmp, a: &E, b: &E, env: &Env) -> Code<'static, bool> {
                let (a, b) = (code(a, env), code(b, env));
                comparison!(cmp, a, b)
            }
            pub(in crate::stage) fn multiple(a: &E, b: &E, want: bool, env: &Env) -> Code<'static, bool> {
                let (a, b) = (code(a, env), code(b, env));
                if want { tick!(@a % @b == 0) } else { tick!(@a % @b != 0) }
            }
            pub(in crate::stage) fn count(count: Count, a: &E, env: &Env) -> Code<'static, u32> {
                let a = code(a, env);
                match count {
                    Count::Ones => tick!(@a.count_ones()),
                    Count::Zeros => tick!(@a.count_zeros()),
                    Count::Leading => tick!(@a.leading_zeros()),
                    Count::Trailing => tick!(@a.trailing_zeros()),
                }
            }
            pub(in crate::stage) fn for_(from: &E, to: &E, inclusive: bool, factor: u32, body: Body) -> Code<'static, ()> {
                let (from, to) = (code(from, &body.env), code(to, &body.env));
                match (inclusive, factor) {
                    (true, 0) => tick!(move for i in @from & 3..=@to & 7 { @(body.with(AnyVar::$v(i))) }),
                    (false, 0) => tick!(move for i in @from & 3..@to & 7 { @(body.with(AnyVar::$v(i))) }),
                    (true, _) => tick!(move for i in unroll(lift!(factor), @from & 3..=@to & 7) { @(body.with(AnyVar::$v(i))) }),
                    _ => tick!(move for i in unroll(lift!(factor), @from & 3..@to & 7) { @(body.with(AnyVar::$v(i))) }),
                }
            }
        }
    )*};
    (@signed $t:ident) => {
        fn signed(un: Un, a: Code<'static, $t>) -> Code<'static, $t> {
            if un == Un::Abs { tick!(@a.wrapping_abs()) } else { tick!(@a.signum()) }
        }
    };
    (@unsigned $t:ident) => {
        fn signed(_: Un, _: Code<'static, $t>) -> Code<'static, $t> {
            unreachable!("only of signed types")
        }
    };
}

macro_rules! comparison {
    ($cmp:expr, $a:ident, $b:ident) => {
        match $cmp {
            Cmp::Eq => tick!(@$a == @$b),
            Cmp::Ne => tick!(@$a != @$b),
            Cmp::Lt => tick!(@$a < @$b),
            Cmp::Le => tick!(@$a <= @$b),
            Cmp::Gt => tick!(@$a > @$b),
            Cmp::Ge => tick!(@$a >= @$b),
        }
    };
}

ints! {
    i64 I64 var_i64: signed; i32 I32 var_i32: signed; i16 I16 var_i16: signed; i8 I8 var_i8: signed;
    isize Isize var_isize: signed; u64 U64 var_u64: unsigned; u32 U32 var_u32: unsigned; u16 U16 var_u16: unsigned;
    u8 U8 var_u8: unsigned; usize Usize var_usize: unsigned;
}

macro_rules! floats {
    ($($t:ident $v:ident $as_var:ident $bits:ident;)*) => {$(
        pub(super) mod $t {
            use super::*;
            common!($t $v $as_var $t);

            fn binary(op: Op, a: Code<'static, $t>, b: Code<'static, $t>) -> Code<'static, $t> {
                match op {
                    Op::Add => tick!(@a + @b),
                    Op::Sub => tick!(@a - @b),
                    Op::Mul => tick!(@a * @b),
                    Op::Div => tick!(@a / @b),
                    Op::Rem => tick!(@a % @b),
                    Op::Min => tick!(@a.min(@b)),
                    Op::Max => tick!(@a.max(@b)),
                    _ => unreachable!("{op:?} of floats"),
                }
            }

            fn own(e: &E, env: &Env) -> Code<'static, $t> {
                match &e.kind {
                    Kind::Const(bits) => {
                        let value = <$t>::from_bits(*bits as $bits);
                        tick!(lift!(value))
                    }
                    Kind::Table(table, i) => {
                        let table: Arc<[$t]> = table.iter().map(|&bits| <$t>::from_bits(bits as $bits)).collect();
                        let i = super::usize::code(i, env);
                        tick!(lift!(table)[@i])
                    }
                    Kind::Bare(x, a, b) => {
                        let (x, a, b) = (code(x, env), code(a, env), code(b, env));
                        tick!({
                            let mut v = @x;
                            let a = @a;
                            let b = @b;
                            v = v * a + b;
                            v = v - a;
                            let c = v;
                            c + b
                        })
                    }
                    Kind::Bin(op, a, b) => binary(*op, code(a, env), code(b, env)),
                    Kind::Twice(op, a) => {
                        let a = code(a, env);
                        binary(*op, a.clone(), a)
                    }
                    Kind::Un(un, a) => {
                        let a = code(a, env);
                        match un {
                            Un::Neg => tick!(-@a),
                            Un::Abs => tick!(@a.abs()),
                            Un::Sqrt => tick!(@a.sqrt()),
                            Un::Floor => tick!(@a.floor()),
                            Un::Ceil => tick!(@a.ceil()),
                            Un::Trunc => tick!(@a.trunc()),
                            Un::Round => tick!(@a.round()),
                            Un::RoundTiesEven => tick!(@a.round_ties_even()),
                            _ => unreachable!("{un:?} of a float"),
                        }
                    }
                    Kind::Cast(a) => match super::code(a, env) {
                        Any::I64(a) => tick!(@a as $t),
                        Any::I32(a) => tick!(@a as $t),
                        Any::I16(a) => tick!(@a as $t),
                        Any::I8(a) => tick!(@a as $t),
                        Any::Isize(a) => tick!(@a as $t),
                        Any::U64(a) => tick!(@a as $t),
                        Any::U32(a) => tick!(@a as $t),
                        Any::U16(a) => tick!(@a as $t),
                        Any::U8(a) => tick!(@a as $t),
                        Any::Usize(a) => tick!(@a as $t),
                        Any::F64(a) => tick!(@a as $t),
                        Any::F32(a) => tick!(@a as $t),
                        Any::Bool(_) => unreachable!("no cast of a bool to a float"),
                    },
                    Kind::FromBits(a) => {
                        let a = super::$bits::code(a, env);
                        tick!($t::from_bits(@a))
                    }
                    _ => special(e, env).$t(),
                }
            }

            pub(in crate::stage) fn compare(cmp: Cmp, a: &E, b: &E, env: &Env) -> Code<'static, bool> {
                let (a, b) = (code(a, env), code(b, env));
                comparison!(cmp, a, b)
            }
            pub(in crate::stage) fn is_nan(a: &E, env: &Env) -> Code<'static, bool> {
                let a = code(a, env);
                tick!(@a.is_nan())
            }
            pub(in crate::stage) fn to_bits(a: &E, env: &Env) -> Code<'static, $bits> {
                let a = code(a, env);
                tick!({ let x = @a; if x.is_nan() { 0 } else { x.to_bits() } })
            }
        }
    )*};
}
floats!(f64 F64 var_f64 u64; f32 F32 var_f32 u32;);

pub(super) mod bool {
    use super::*;
    common!(bool Bool var_bool bool);

    fn binary(op: Op, a: Code<'static, bool>, b: Code<'static, bool>) -> Code<'static, bool> {
        match op {
            Op::And => tick!(@a & @b),
            Op::Or => tick!(@a | @b),
            _ => tick!(@a ^ @b),
        }
    }

    fn own(e: &E, env: &Env) -> Code<'static, bool> {
        match &e.kind {
            Kind::Const(bits) => {
                let value = *bits != 0;
                tick!(lift!(value))
            }
            Kind::Bin(op, a, b) => binary(*op, code(a, env), code(b, env)),
            Kind::Twice(op, a) => {
                let a = code(a, env);
                binary(*op, a.clone(), a)
            }
            Kind::Un(_, a) => {
                let a = code(a, env);
                tick!(!@a)
            }
            Kind::Cast(a) => {
                let a = code(a, env);
                tick!(@a as bool)
            }
            Kind::And(a, b) => {
                let (a, b) = (code(a, env), code(b, env));
                tick!(@a && @b)
            }
            Kind::Or(a, b) => {
                let (a, b) = (code(a, env), code(b, env));
                tick!(@a || @b)
            }
            Kind::Cmp(cmp, a, b) => match a.ty {
                Ty::I64 => super::i64::compare(*cmp, a, b, env),
                Ty::I32 => super::i32::compare(*cmp, a, b, env),
                Ty::I16 => super::i16::compare(*cmp, a, b, env),
                Ty::I8 => super::i8::compare(*cmp, a, b, env),
                Ty::Isize => super::isize::compare(*cmp, a, b, env),
                Ty::U64 => super::u64::compare(*cmp, a, b, env),
                Ty::U32 => super::u32::compare(*cmp, a, b, env),
                Ty::U16 => super::u16::compare(*cmp, a, b, env),
                Ty::U8 => super::u8::compare(*cmp, a, b, env),
                Ty::Usize => super::usize::compare(*cmp, a, b, env),
                Ty::F64 => super::f64::compare(*cmp, a, b, env),
                Ty::F32 => super::f32::compare(*cmp, a, b, env),
                Ty::Bool => {
                    let (a, b) = (code(a, env), code(b, env));
                    comparison!(*cmp, a, b)
                }
            },
            Kind::Multiple(a, b, want) => match a.ty {
                Ty::I64 => super::i64::multiple(a, b, *want, env),
                Ty::I32 => super::i32::multiple(a, b, *want, env),
                Ty::I16 => super::i16::multiple(a, b, *want, env),
                Ty::I8 => super::i8::multiple(a, b, *want, env),
                Ty::Isize => super::isize::multiple(a, b, *want, env),
                Ty::U64 => super::u64::multiple(a, b, *want, env),
                Ty::U32 => super::u32::multiple(a, b, *want, env),
                Ty::U16 => super::u16::multiple(a, b, *want, env),
                Ty::U8 => super::u8::multiple(a, b, *want, env),
                Ty::Usize => super::usize::multiple(a, b, *want, env),
                Ty::F64 | Ty::F32 | Ty::Bool => unreachable!("multiples are of integers"),
            },
            Kind::IsNan(a) if a.ty == Ty::F64 => super::f64::is_nan(a, env),
            Kind::IsNan(a) => super::f32::is_nan(a, env),
            _ => special(e, env).bool(),
        }
    }
}

/// What only some types have.
fn special(e: &E, env: &Env) -> Any {
    match &e.kind {
        Kind::Read(place) => places::read(place, env),
        Kind::Len(mem) => {
            let (s, t, w) = (env.s, env.t, env.w);
            Any::Usize(match mem {
                Mem::S => tick!(@s.len()),
                Mem::T => tick!(@t.len()),
                Mem::W => tick!(@w.len()),
            })
        }
        Kind::Call(callee, args) => calls::quoted(*callee, args, env),
        Kind::DynCall(callee, args) => calls::built(*callee, args, env),
        Kind::CallOwn(f, args) => calls::own(*f, args, env),
        Kind::ToBits(a) if a.ty == Ty::F64 => Any::U64(f64::to_bits(a, env)),
        Kind::ToBits(a) => Any::U32(f32::to_bits(a, env)),
        Kind::Count(count, a) => Any::U32(match a.ty {
            Ty::I64 => i64::count(*count, a, env),
            Ty::I32 => i32::count(*count, a, env),
            Ty::I16 => i16::count(*count, a, env),
            Ty::I8 => i8::count(*count, a, env),
            Ty::Isize => isize::count(*count, a, env),
            Ty::U64 => u64::count(*count, a, env),
            Ty::U32 => u32::count(*count, a, env),
            Ty::U16 => u16::count(*count, a, env),
            Ty::U8 => u8::count(*count, a, env),
            Ty::Usize => usize::count(*count, a, env),
            Ty::F64 | Ty::F32 | Ty::Bool => unreachable!("bits of integers are counted"),
        }),
        kind => unreachable!("{kind:?} of {:?}", e.ty),
    }
}
