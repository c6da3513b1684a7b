//! Programs as dynamic code: every node is a small fragment of its own.

mod calls;
mod labels;
mod places;
mod stmts;
mod values;

use std::rc::Rc;

use tickc::prelude::*;
use tickc::{Declared, DynCall, Group};

use self::stmts::block;
use self::values::{bool, f32, f64, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize};
use crate::ast::*;
use crate::eval::Stop;
use crate::functions::Callees;
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
        /// A call of such a result.
        fn called(call: &DynCall<'static>, ty: Ty) -> Any {
            match ty { $(Ty::$v => Any::$v(call.code()),)* }
        }
        fn argument(call: &mut DynCall<'static>, argument: Any) {
            match argument { $(Any::$v(code) => { call.arg(code); })* }
        }
        /// The code of an expression.
        fn code(e: &E, env: &Env) -> Any {
            match e.ty { $(Ty::$v => Any::$v($t::code(e, env)),)* }
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
    p: Pointer,
    fragments: Rc<Vec<Spliced>>,
    labels: Vec<Label>,
    /// How many labels this call has passed.
    passed: Var<u32>,
    callees: Rc<Callees>,
    own: Own,
    /// How deep calls of the program's own functions may still be; none in the program itself.
    depth: Option<Var<u32>>,
}

/// The raw pointer: a parameter, or a constant of the code.
#[derive(Clone, Copy)]
enum Pointer {
    Var(Var<*mut u8>),
    Constant(*mut u8),
}

/// The program's own functions, declared.
#[derive(Clone, Copy)]
struct Own {
    first: Declared<First>,
    second: Declared<Second>,
}

type First = fn(u32, SliceMut<i64>, SliceMut<u8>, SliceMut<f32>, SliceMut<Rec>, RefMut<Rec>, i64, f64) -> i64;
type Second = fn(u32, SliceMut<i64>, SliceMut<u8>, SliceMut<f32>, SliceMut<Rec>, RefMut<Rec>, u32, bool) -> f64;

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
        Trap::HostPanic(payload) => Stop::Panic(*payload.downcast().expect("a closure panics with a number")),
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

/// The code of a whole function.
macro_rules! function {
    ($result:ident, $body:expr, $value:expr, $env:expr) => {{
        let (stmts, value) = (block($body, $env), $result::code($value, $env));
        tick!({ @stmts; @value })
    }};
}

/// Compiles a program, which calls `callees`.
///
/// # Errors
/// As [`Jit::compile`].
pub fn compile(jit: &Jit, callees: &Rc<Callees>, program: &Program) -> Result<Compiled, Error> {
    let locals: Vec<AnyVar> = program.locals.iter().map(|&ty| AnyVar::local(ty)).collect();
    let passed = Var::local();
    let mut group = jit.group();
    let own = Own { first: group.declare(), second: group.declare() };
    let raw = callees.pointer();
    let env = |vars: Vec<AnyVar>, (s, t, w, q, r): Slices, p: Option<Var<*mut u8>>, depth| {
        let p = p.map_or(Pointer::Constant(raw), Pointer::Var);
        let vars = vars.into_iter().chain(locals.iter().copied()).collect();
        let (fragments, callees) = (Rc::default(), callees.clone());
        Env { vars, s, t, w, q, r, p, fragments, labels: Vec::new(), passed, callees, own, depth }
    };
    if let Some(function) = program.functions.first() {
        let env = &env;
        group.define(
            own.first,
            tick!(|n: u32, s: SliceMut<i64>, t: SliceMut<u8>, w: SliceMut<f32>, q: SliceMut<Rec>, r: RefMut<Rec>, a: i64, b: f64| -> i64 {
                @(function!(i64, &function.body, &function.value, &env(vec![AnyVar::I64(a), AnyVar::F64(b)], (s, t, w, q, r), None, Some(n))))
            }),
        );
    }
    if let Some(function) = program.functions.get(1) {
        let env = &env;
        group.define(
            own.second,
            tick!(|n: u32, s: SliceMut<i64>, t: SliceMut<u8>, w: SliceMut<f32>, q: SliceMut<Rec>, r: RefMut<Rec>, a: u32, b: bool| -> f64 {
                @(function!(f64, &function.body, &function.value, &env(vec![AnyVar::U32(a), AnyVar::Bool(b)], (s, t, w, q, r), None, Some(n))))
            }),
        );
    }
    macro_rules! compile {
        ($result:ident $bits:expr) => {{
            let value = |vars, slices, p| {
                let env = env(vars, slices, p, None).root(program);
                function!($result, &program.body, &program.value, &env)
            };
            let bits = $bits;
            match program.params {
                Params::Few => {
                    let staged = tick!(
                        |a: i64, b: u32, c: f64, d: usize, s: SliceMut<i64>, t: SliceMut<u8>, w: SliceMut<f32>, q: SliceMut<Rec>, r: RefMut<Rec>, p: *mut u8| -> $result {
                            @(value(vec![AnyVar::I64(a), AnyVar::U32(b), AnyVar::F64(c), AnyVar::Usize(d)], (s, t, w, q, r), Some(p)))
                        }
                    );
                    let f = compile_with(jit, group, program, staged)?;
                    let g = f.clone();
                    Compiled {
                        call: Box::new(move |args, m| {
                            let (a, b, c, d) = (args[0] as i64, args[1] as u32, f64::from_bits(args[2]), args[3] as usize);
                            f.try_call(a, b, c, d, &mut m.s, &mut m.t, &mut m.w, &mut m.q, &mut m.record, raw).map(bits).map_err(stop)
                        }),
                        text: Box::new(move || g.disassemble()),
                    }
                }
                Params::Many => {
                    let staged = tick!(
                        |a: i64, b: i32, c: u8, d: f64, e: f32, f: u16, h: bool, s: SliceMut<i64>, t: SliceMut<u8>, w: SliceMut<f32>, q: SliceMut<Rec>, r: RefMut<Rec>| -> $result {
                            @(value(
                                vec![
                                    AnyVar::I64(a), AnyVar::I32(b), AnyVar::U8(c), AnyVar::F64(d), AnyVar::F32(e), AnyVar::U16(f),
                                    AnyVar::Bool(h),
                                ],
                                (s, t, w, q, r),
                                None,
                            ))
                        }
                    );
                    let f = compile_with(jit, group, program, staged)?;
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

/// The parameters that are no scalars.
type Slices = (Var<SliceMut<i64>>, Var<SliceMut<u8>>, Var<SliceMut<f32>>, Var<SliceMut<Rec>>, Var<RefMut<Rec>>);

/// Compiles the program by itself, or in the group of its functions.
fn compile_with<'a, S: Signature>(
    jit: &Jit,
    mut group: Group<'a>,
    program: &Program,
    staged: Staged<'a, S>,
) -> Result<Func<S>, Error> {
    if program.functions.is_empty() {
        return jit.compile(staged);
    }
    let main = group.declare();
    group.define(main, staged);
    group.compile()?.get(main)
}
