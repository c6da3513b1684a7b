//! Programs as dynamic code: every node is a small fragment of its own.

use std::rc::Rc;
use std::sync::Arc;

use tickc::prelude::*;

use crate::ast::*;
use crate::eval::Stop;
use crate::functions::{Compiled as Functions, floats, narrow, ten, twelve, two};
use crate::memory::{Memory, Rec};

/// Code and variables of any type.
macro_rules! any {
    ($($v:ident $t:ident $as_code:ident $as_var:ident;)*) => {
        #[derive(Clone)]
        pub enum Any { $($v(Code<'static, $t>),)* }
        #[derive(Clone, Copy)]
        pub enum AnyVar { $($v(Var<$t>),)* Constant(u64) }
        impl Any {
            $(fn $as_code(self) -> Code<'static, $t> {
                match self { Any::$v(code) => code, _ => unreachable!("not of the type") }
            })*
        }
        impl AnyVar {
            $(fn $as_var(self) -> Var<$t> {
                match self { AnyVar::$v(var) => var, _ => unreachable!("not of the type") }
            })*
            fn local(ty: Ty) -> AnyVar {
                match ty { $(Ty::$v => AnyVar::$v(Var::local()),)* }
            }
        }
        /// The code of an expression.
        fn code(e: &E, env: &Env) -> Any {
            match e.ty { $(Ty::$v => Any::$v($t::code(e, env)),)* }
        }
        fn assign(v: AnyVar, value: &E, env: &Env) -> Code<'static, ()> {
            match v {
                $(AnyVar::$v(v) => { let value = $t::code(value, env); tick!(@v = @value) })*
                AnyVar::Constant(_) => unreachable!("a constant is not assigned"),
            }
        }
        fn discard(e: &E, env: &Env) -> Code<'static, ()> {
            match e.ty { $(Ty::$v => { let value = $t::code(e, env); tick!({ @value; }) })* }
        }
        fn return_(e: &E, env: &Env) -> Code<'static, ()> {
            match e.ty { $(Ty::$v => { let value = $t::code(e, env); tick!(return @value) })* }
        }
    };
}
any! {
    I64 i64 i64 var_i64; I32 i32 i32 var_i32; I16 i16 i16 var_i16; I8 i8 i8 var_i8; Isize isize isize var_isize;
    U64 u64 u64 var_u64; U32 u32 u32 var_u32; U16 u16 u16 var_u16; U8 u8 u8 var_u8; Usize usize usize var_usize;
    F64 f64 f64 var_f64; F32 f32 f32 var_f32; Bool bool bool var_bool;
}

/// What a place of the program sees.
#[derive(Clone)]
pub struct Env {
    vars: Vec<AnyVar>,
    s: Var<SliceMut<i64>>,
    t: Var<SliceMut<u8>>,
    w: Var<SliceMut<f32>>,
    q: Var<SliceMut<Rec>>,
    r: Var<RefMut<Rec>>,
    fragments: Rc<Vec<Spliced>>,
    /// Of the tier that compiles the program, and of another one.
    functions: Rc<[Functions; 2]>,
}

/// A fragment of the program.
#[derive(Clone)]
enum Spliced {
    Value(Any),
    Block(Code<'static, ()>),
}

impl Env {
    fn value(&self, fragment: usize) -> Any {
        match &self.fragments[fragment] {
            Spliced::Value(value) => value.clone(),
            Spliced::Block(_) => unreachable!("a value"),
        }
    }

    fn with(&self, var: AnyVar) -> Env {
        let mut env = self.clone();
        env.vars.push(var);
        env
    }
}

/// A block in which one more variable will be known.
struct Body {
    block: Block,
    env: Env,
}

impl Body {
    fn with(&self, var: AnyVar) -> Code<'static, ()> {
        block(&self.block, &self.env.with(var))
    }
}

fn block(stmts: &Block, env: &Env) -> Code<'static, ()> {
    stmts.iter().fold(tick!(()), |code, s| {
        let next = stmt(s, env);
        tick!({ @code; @next; })
    })
}

/// What all types have.
macro_rules! common {
    ($t:ident $v:ident $as_var:ident $as_code:ident) => {
        pub(super) fn code(e: &E, env: &Env) -> Code<'static, $t> {
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
                _ => own(e, env),
            }
        }
    };
}

macro_rules! ints {
    ($($t:ident $v:ident $as_var:ident: $unsigned:ident;)*) => {$(
        mod $t {
            use super::*;
            common!($t $v $as_var $t);

            pub(super) fn binary(op: Op, a: Code<'static, $t>, b: Any) -> Code<'static, $t> {
                if matches!(op, Op::Shl | Op::Shr | Op::RotateLeft | Op::RotateRight) {
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
                    _ => Any::into_special(e, env).$t(),
                }
            }
            ints!(@$unsigned $t);

            pub(super) fn compare(cmp: Cmp, a: &E, b: &E, env: &Env) -> Code<'static, bool> {
                let (a, b) = (code(a, env), code(b, env));
                comparison!(cmp, a, b)
            }
            pub(super) fn multiple(a: &E, b: &E, want: bool, env: &Env) -> Code<'static, bool> {
                let (a, b) = (code(a, env), code(b, env));
                if want { tick!(@a % @b == 0) } else { tick!(@a % @b != 0) }
            }
            pub(super) fn count(count: Count, a: &E, env: &Env) -> Code<'static, u32> {
                let a = code(a, env);
                match count {
                    Count::Ones => tick!(@a.count_ones()),
                    Count::Zeros => tick!(@a.count_zeros()),
                    Count::Leading => tick!(@a.leading_zeros()),
                    Count::Trailing => tick!(@a.trailing_zeros()),
                }
            }
            pub(super) fn assign_op(op: Op, v: Var<$t>, value: Any) -> Code<'static, ()> {
                if matches!(op, Op::Shl | Op::Shr) {
                    let b = value.u32();
                    return if op == Op::Shl { tick!(@v <<= @b) } else { tick!(@v >>= @b) };
                }
                let b = value.$t();
                match op {
                    Op::Add => tick!(@v += @b),
                    Op::Sub => tick!(@v -= @b),
                    Op::Mul => tick!(@v *= @b),
                    Op::And => tick!(@v &= @b),
                    Op::Or => tick!(@v |= @b),
                    Op::Xor => tick!(@v ^= @b),
                    Op::Div => tick!(@v /= @b),
                    _ => tick!(@v %= @b),
                }
            }
            pub(super) fn for_(from: &E, to: &E, inclusive: bool, body: Body) -> Code<'static, ()> {
                let (from, to) = (code(from, &body.env), code(to, &body.env));
                if inclusive {
                    tick!(move for i in @from & 3..=@to & 7 { @(body.with(AnyVar::$v(i))) })
                } else {
                    tick!(move for i in @from & 3..@to & 7 { @(body.with(AnyVar::$v(i))) })
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
        mod $t {
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
                    _ => Any::into_special(e, env).$t(),
                }
            }

            pub(super) fn compare(cmp: Cmp, a: &E, b: &E, env: &Env) -> Code<'static, bool> {
                let (a, b) = (code(a, env), code(b, env));
                comparison!(cmp, a, b)
            }
            pub(super) fn is_nan(a: &E, env: &Env) -> Code<'static, bool> {
                let a = code(a, env);
                tick!(@a.is_nan())
            }
            pub(super) fn to_bits(a: &E, env: &Env) -> Code<'static, $bits> {
                let a = code(a, env);
                tick!({ let x = @a; if x.is_nan() { 0 } else { x.to_bits() } })
            }
            pub(super) fn assign_op(op: Op, v: Var<$t>, value: Any) -> Code<'static, ()> {
                let b = value.$t();
                match op {
                    Op::Add => tick!(@v += @b),
                    Op::Sub => tick!(@v -= @b),
                    Op::Mul => tick!(@v *= @b),
                    Op::Div => tick!(@v /= @b),
                    _ => tick!(@v %= @b),
                }
            }
        }
    )*};
}
floats!(f64 F64 var_f64 u64; f32 F32 var_f32 u32;);

mod bool {
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
            _ => Any::into_special(e, env).bool(),
        }
    }
}

impl Any {
    /// What only one type has.
    fn into_special(e: &E, env: &Env) -> Any {
        let (s, t, w, q, r) = (env.s, env.t, env.w, env.q, env.r);
        match &e.kind {
            Kind::Load(mem, i) => {
                let i = usize::code(i, env);
                match mem {
                    Mem::S => Any::I64(tick!(@s[@i])),
                    Mem::T => Any::U8(tick!(@t[@i])),
                    Mem::W => Any::F32(tick!(@w[@i])),
                }
            }
            Kind::Len(mem) => Any::Usize(match mem {
                Mem::S => tick!(@s.len()),
                Mem::T => tick!(@t.len()),
                Mem::W => tick!(@w.len()),
            }),
            Kind::Field(field) => match field {
                Field::X => Any::I32(tick!(@r.x)),
                Field::Y => Any::U8(tick!(@r.y)),
                Field::Z => Any::F64(tick!(@r.z)),
                Field::Flag => Any::Bool(tick!(@r.flag)),
            },
            Kind::Element(i) => {
                let i = usize::code(i, env);
                Any::I16(tick!(@r.a[@i]))
            }
            Kind::Row(i, field) => {
                let i = usize::code(i, env);
                match field {
                    Field::X => Any::I32(tick!(@q[@i].x)),
                    Field::Y => Any::U8(tick!(@q[@i].y)),
                    Field::Z => Any::F64(tick!(@q[@i].z)),
                    Field::Flag => Any::Bool(tick!(@q[@i].flag)),
                }
            }
            Kind::CallCompiled(f, other, args) => {
                let functions = env.functions[usize::from(*other)].clone();
                let mut args = args.iter().map(|a| code(a, env));
                let mut arg = || args.next().expect("as many as the function takes");
                match f {
                    0 => {
                        let (f, a, b) = (functions.quotient, arg().i64(), arg().i64());
                        Any::I64(tick!(lift!(f)(@a, @b)))
                    }
                    1 => {
                        let (f, a, b) = (functions.series, arg().u32(), arg().f64());
                        Any::F64(tick!(lift!(f)(@a, @b)))
                    }
                    2 => {
                        let (f, a, b) = (functions.exchange, arg().usize(), arg().i64());
                        Any::I64(tick!(lift!(f)(@s, @a, @b)))
                    }
                    _ => {
                        let (f, a, b, c, d) = (functions.mix, arg().i8(), arg().u16(), arg().bool(), arg().f32());
                        Any::U8(tick!(lift!(f)(@a, @b, @c, @d)))
                    }
                }
            }
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
            Kind::Call(f, args) => {
                let mut args = args.iter().map(|a| code(a, env));
                let mut arg = || args.next().expect("as many as the function takes");
                match f {
                    0 => {
                        let (a, b) = (arg().u64(), arg().u64());
                        Any::U64(tick!(two(@a, @b)))
                    }
                    1 => {
                        let (a, b, c, d, e) = (arg().u8(), arg().i8(), arg().u16(), arg().i16(), arg().bool());
                        Any::I8(tick!(narrow(@a, @b, @c, @d, @e)))
                    }
                    2 => {
                        let (a, b) = (arg().f32(), arg().f64());
                        Any::F32(tick!(floats(@a, @b)))
                    }
                    3 => {
                        let (a, b, c, d, e) = (arg().i64(), arg().f64(), arg().i32(), arg().f32(), arg().u8());
                        let (f, g, h, i, j) = (arg().i64(), arg().i64(), arg().i64(), arg().f64(), arg().i16());
                        Any::F64(tick!(ten(@a, @b, @c, @d, @e, @f, @g, @h, @i, @j)))
                    }
                    _ => {
                        let (a, b, c, d, e, f) =
                            (arg().i32(), arg().u8(), arg().i64(), arg().u16(), arg().i8(), arg().u32());
                        let (g, h, i, j, k, l) =
                            (arg().usize(), arg().i16(), arg().u64(), arg().bool(), arg().f32(), arg().i32());
                        Any::I32(tick!(twelve(@a, @b, @c, @d, @e, @f, @g, @h, @i, @j, @k, @l)))
                    }
                }
            }
            kind => unreachable!("{kind:?} of {:?}", e.ty),
        }
    }
}

/// `place op= b` for a place of an integer type.
macro_rules! store_int {
    ($op:expr, $value:expr, $t:ident, $($place:tt)*) => {{
        let value: Any = $value;
        if matches!($op, Op::Shl | Op::Shr) {
            let b = value.u32();
            if $op == Op::Shl { tick!($($place)* <<= @b) } else { tick!($($place)* >>= @b) }
        } else {
            let b = value.$t();
            match $op {
                Op::Add => tick!($($place)* += @b),
                Op::Sub => tick!($($place)* -= @b),
                Op::Mul => tick!($($place)* *= @b),
                Op::And => tick!($($place)* &= @b),
                Op::Or => tick!($($place)* |= @b),
                Op::Xor => tick!($($place)* ^= @b),
                Op::Div => tick!($($place)* /= @b),
                _ => tick!($($place)* %= @b),
            }
        }
    }};
}
macro_rules! store_float {
    ($op:expr, $value:expr, $t:ident, $($place:tt)*) => {{
        let b = $value.$t();
        match $op {
            Op::Add => tick!($($place)* += @b),
            Op::Sub => tick!($($place)* -= @b),
            Op::Mul => tick!($($place)* *= @b),
            Op::Div => tick!($($place)* /= @b),
            _ => tick!($($place)* %= @b),
        }
    }};
}
macro_rules! store_bool {
    ($op:expr, $value:expr, $($place:tt)*) => {{
        let b = $value.bool();
        match $op {
            Op::And => tick!($($place)* &= @b),
            Op::Or => tick!($($place)* |= @b),
            _ => tick!($($place)* ^= @b),
        }
    }};
}

fn assign_op(op: Op, v: AnyVar, value: Any) -> Code<'static, ()> {
    match v {
        AnyVar::I64(v) => i64::assign_op(op, v, value),
        AnyVar::I32(v) => i32::assign_op(op, v, value),
        AnyVar::I16(v) => i16::assign_op(op, v, value),
        AnyVar::I8(v) => i8::assign_op(op, v, value),
        AnyVar::Isize(v) => isize::assign_op(op, v, value),
        AnyVar::U64(v) => u64::assign_op(op, v, value),
        AnyVar::U32(v) => u32::assign_op(op, v, value),
        AnyVar::U16(v) => u16::assign_op(op, v, value),
        AnyVar::U8(v) => u8::assign_op(op, v, value),
        AnyVar::Usize(v) => usize::assign_op(op, v, value),
        AnyVar::F64(v) => f64::assign_op(op, v, value),
        AnyVar::F32(v) => f32::assign_op(op, v, value),
        AnyVar::Bool(v) => store_bool!(op, value, @v),
        AnyVar::Constant(_) => unreachable!("a constant is not assigned"),
    }
}

fn stmt(s: &Stmt, env: &Env) -> Code<'static, ()> {
    let (slice_s, slice_t, slice_w, q, r) = (env.s, env.t, env.w, env.q, env.r);
    let body = |block: &Block| Body { block: block.clone(), env: env.clone() };
    match s {
        Stmt::Assign(v, e) => assign(env.vars[*v], e, env),
        Stmt::AssignOp(op, v, e) => assign_op(*op, env.vars[*v], code(e, env)),
        Stmt::Store(mem, i, e) => {
            let i = usize::code(i, env);
            match (mem, code(e, env)) {
                (Mem::S, Any::I64(v)) => tick!(@slice_s[@i] = @v),
                (Mem::T, Any::U8(v)) => tick!(@slice_t[@i] = @v),
                (Mem::W, Any::F32(v)) => tick!(@slice_w[@i] = @v),
                _ => unreachable!("the type of the slice"),
            }
        }
        Stmt::StoreOp(op, mem, i, e) => {
            let (i, value) = (usize::code(i, env), code(e, env));
            match mem {
                Mem::S => store_int!(*op, value, i64, @slice_s[@i]),
                Mem::T => store_int!(*op, value, u8, @slice_t[@i]),
                Mem::W => store_float!(*op, value, f32, @slice_w[@i]),
            }
        }
        Stmt::SetField(_, e) => match code(e, env) {
            Any::I32(v) => tick!(@r.x = @v),
            Any::U8(v) => tick!(@r.y = @v),
            Any::F64(v) => tick!(@r.z = @v),
            Any::Bool(v) => tick!(@r.flag = @v),
            _ => unreachable!("the type of the field"),
        },
        Stmt::FieldOp(op, field, e) => {
            let value = code(e, env);
            match field {
                Field::X => store_int!(*op, value, i32, @r.x),
                Field::Y => store_int!(*op, value, u8, @r.y),
                Field::Z => store_float!(*op, value, f64, @r.z),
                Field::Flag => store_bool!(*op, value, @r.flag),
            }
        }
        Stmt::SetElement(i, e) => {
            let (i, v) = (usize::code(i, env), i16::code(e, env));
            tick!(@r.a[@i] = @v)
        }
        Stmt::SetRow(i, _, e) => {
            let i = usize::code(i, env);
            match code(e, env) {
                Any::I32(v) => tick!(@q[@i].x = @v),
                Any::U8(v) => tick!(@q[@i].y = @v),
                Any::F64(v) => tick!(@q[@i].z = @v),
                Any::Bool(v) => tick!(@q[@i].flag = @v),
                _ => unreachable!("the type of the field"),
            }
        }
        Stmt::Unroll(_, values, stmts) => {
            let (values, body) = (values.clone(), body(stmts));
            tick!(move for x in $(values.clone()) { @(body.with(AnyVar::Constant(x))) })
        }
        Stmt::Labelled(limit, c, d, stmts) => {
            let (limit, c, d, body) = (*limit, bool::code(c, env), bool::code(d, env), body(stmts));
            tick!(move {
                let mut n = 0u32;
                'outer: while n < lift!(limit) {
                    n += 1;
                    for i in 0..3usize {
                        if @c { break 'outer; }
                        if @d { continue 'outer; }
                        @(body.with(AnyVar::Usize(i)))
                    }
                }
            })
        }
        Stmt::Fragment(f) => match &env.fragments[*f] {
            Spliced::Block(code) => code.clone(),
            Spliced::Value(_) => unreachable!("a block"),
        },
        Stmt::If(c, a, b) => {
            let (c, a, b) = (bool::code(c, env), block(a, env), block(b, env));
            tick!(if @c { @a; } else { @b; })
        }
        Stmt::While(limit, c, a, skip, b) => {
            let (limit, c, skip) = (*limit, bool::code(c, env), bool::code(skip, env));
            let (a, b) = (block(a, env), block(b, env));
            tick!({
                let mut n = 0u32;
                while n < lift!(limit) && @c {
                    n += 1;
                    @a;
                    if @skip { continue; }
                    @b;
                }
            })
        }
        Stmt::Loop(limit, a, c, b) => {
            let (limit, c, a, b) = (*limit, bool::code(c, env), block(a, env), block(b, env));
            tick!({
                let mut n = 0u8;
                loop {
                    n += 1;
                    if n as u32 > lift!(limit) { break; }
                    @a;
                    if @c { break; }
                    @b;
                }
            })
        }
        Stmt::For(from, to, inclusive, stmts) => match from.ty {
            Ty::I64 => i64::for_(from, to, *inclusive, body(stmts)),
            Ty::I32 => i32::for_(from, to, *inclusive, body(stmts)),
            Ty::I16 => i16::for_(from, to, *inclusive, body(stmts)),
            Ty::I8 => i8::for_(from, to, *inclusive, body(stmts)),
            Ty::Isize => isize::for_(from, to, *inclusive, body(stmts)),
            Ty::U64 => u64::for_(from, to, *inclusive, body(stmts)),
            Ty::U32 => u32::for_(from, to, *inclusive, body(stmts)),
            Ty::U16 => u16::for_(from, to, *inclusive, body(stmts)),
            Ty::U8 => u8::for_(from, to, *inclusive, body(stmts)),
            Ty::Usize => usize::for_(from, to, *inclusive, body(stmts)),
            Ty::F64 | Ty::F32 | Ty::Bool => unreachable!("a loop counts integers"),
        },
        Stmt::ForVar(v, stmts) => {
            let (to, body) = (env.vars[*v].var_usize(), body(stmts));
            tick!(move for i in 0..@to { @(body.with(AnyVar::Usize(i))) })
        }
        Stmt::ForLen(mem, stmts) => {
            let body = body(stmts);
            match mem {
                Mem::S => tick!(move for i in 0..@slice_s.len() { @(body.with(AnyVar::Usize(i))) }),
                Mem::T => tick!(move for i in 0..@slice_t.len() { @(body.with(AnyVar::Usize(i))) }),
                Mem::W => tick!(move for i in 0..@slice_w.len() { @(body.with(AnyVar::Usize(i))) }),
            }
        }
        Stmt::Return(e) => return_(e, env),
        Stmt::Discard(e) => discard(e, env),
        Stmt::Trap(e) => {
            let code = u32::code(e, env);
            tick!(trap(@code))
        }
    }
}

/// A compiled program.
pub struct Compiled {
    /// Arguments and memory to the result.
    pub call: Box<Call>,
    /// The code as text.
    pub text: Box<dyn Fn() -> String>,
}

/// A call of a program.
pub type Call = dyn Fn(&[u64], &mut Memory) -> Result<u64, Stop>;

fn stop(trap: Trap) -> Stop {
    match trap {
        Trap::DivisionByZero => Stop::DivisionByZero,
        Trap::DivisionOverflow => Stop::DivisionOverflow,
        Trap::IndexOutOfBounds => Stop::Index,
        Trap::Code(code) => Stop::Code(code),
        other => panic!("no program traps with {other:?}"),
    }
}

impl Env {
    /// What the root of the program sees: it makes the fragments, in order.
    fn root(mut self, program: &Program) -> Env {
        for fragment in &program.fragments {
            let made = match fragment {
                Fragment::Value(e) => Spliced::Value(code(e, &self)),
                Fragment::Block(stmts) => Spliced::Block(block(stmts, &self)),
            };
            // Closures of the ones before hold what they saw.
            self.fragments = Rc::new(self.fragments.iter().cloned().chain([made]).collect());
        }
        self
    }
}

/// Compiles a program, which may call `functions`, of its own tier and of another one.
///
/// # Errors
/// As [`Jit::compile`].
pub fn compile(jit: &Jit, functions: &Rc<[Functions; 2]>, program: &Program) -> Result<Compiled, Error> {
    let locals: Vec<AnyVar> = program.locals.iter().map(|&ty| AnyVar::local(ty)).collect();
    let env = |vars: Vec<AnyVar>, s, t, w, q, r| {
        let vars = vars.into_iter().chain(locals.iter().copied()).collect();
        Env { vars, s, t, w, q, r, fragments: Rc::default(), functions: functions.clone() }.root(program)
    };
    macro_rules! compile {
        ($result:ident $bits:expr) => {{
            let value = |env: &Env| {
                let (stmts, value) = (block(&program.body, env), $result::code(&program.value, env));
                tick!({ @stmts; @value })
            };
            let bits = $bits;
            match program.params {
                Params::Few => {
                    let f = jit.compile(tick!(
                        |a: i64, b: u32, c: f64, d: usize, s: SliceMut<i64>, t: SliceMut<u8>, w: SliceMut<f32>, q: SliceMut<Rec>, r: RefMut<Rec>| -> $result {
                            @(value(&env(vec![AnyVar::I64(a), AnyVar::U32(b), AnyVar::F64(c), AnyVar::Usize(d)], s, t, w, q, r)))
                        }
                    ))?;
                    let g = f.clone();
                    Compiled {
                        call: Box::new(move |args, m| {
                            let (a, b, c, d) = (args[0] as i64, args[1] as u32, f64::from_bits(args[2]), args[3] as usize);
                            f.try_call(a, b, c, d, &mut m.s, &mut m.t, &mut m.w, &mut m.q, &mut m.record).map(bits).map_err(stop)
                        }),
                        text: Box::new(move || g.disassemble()),
                    }
                }
                Params::Many => {
                    let f = jit.compile(tick!(
                        |a: i64, b: i32, c: u8, d: f64, e: f32, f: u16, h: bool, s: SliceMut<i64>, t: SliceMut<u8>, w: SliceMut<f32>, q: SliceMut<Rec>, r: RefMut<Rec>| -> $result {
                            @(value(&env(
                                vec![
                                    AnyVar::I64(a), AnyVar::I32(b), AnyVar::U8(c), AnyVar::F64(d), AnyVar::F32(e), AnyVar::U16(f),
                                    AnyVar::Bool(h),
                                ],
                                s, t, w, q, r,
                            )))
                        }
                    ))?;
                    let g = f.clone();
                    Compiled {
                        call: Box::new(move |args, m| {
                            let (a, b, c, d) = (args[0] as i64, args[1] as i32, args[2] as u8, f64::from_bits(args[3]));
                            let (e, g, i) = (f32::from_bits(args[4] as u32), args[5] as u16, args[6] != 0);
                            f.try_call(a, b, c, d, e, g, i, &mut m.s, &mut m.t, &mut m.w, &mut m.q, &mut m.record)
                                .map(bits)
                                .map_err(stop)
                        }),
                        text: Box::new(move || g.disassemble()),
                    }
                }
            }
        }};
    }
    Ok(match program.value.ty {
        Ty::I64 => compile!(i64 |v: i64| v as u64),
        Ty::F64 => compile!(f64 |v: f64| v.to_bits()),
        Ty::U8 => compile!(u8 |v: u8| u64::from(v)),
        Ty::Bool => compile!(bool |v: bool| u64::from(v)),
        Ty::F32 => compile!(f32 |v: f32| u64::from(v.to_bits())),
        Ty::I16 => compile!(i16 |v: i16| v as u64),
        other => unreachable!("no program returns {other:?}"),
    })
}
