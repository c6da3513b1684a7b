//! Functions, calls and values whose types are known only at run time.
#![deny(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

use std::sync::{Arc, Mutex};
use support::jit;
use support::{QUIET, Rng, on_stack, silence_expected_panics};
use tickc::prelude::*;
use tickc::{AnyCode, AnyVar, DynCall, DynFunc, Type, Value};

const _: () = {
    const fn thread_safe<T: Send + Sync + 'static>() {}
    thread_safe::<DynFunc>();
    thread_safe::<Value>();
    thread_safe::<Error>();
};

const SCALARS: [Type; 14] = [
    Type::Bool,
    Type::I8,
    Type::I16,
    Type::I32,
    Type::I64,
    Type::Isize,
    Type::U8,
    Type::U16,
    Type::U32,
    Type::U64,
    Type::Usize,
    Type::F32,
    Type::F64,
    Type::Ptr,
];

/// Some value of a type; NaNs are left out, as values are to be compared.
fn some(ty: Type, bits: u64) -> Value {
    match ty {
        Type::Unit => Value::Unit,
        Type::Bool => (bits & 1 != 0).into(),
        Type::I8 => (bits as i8).into(),
        Type::I16 => (bits as i16).into(),
        Type::I32 => (bits as i32).into(),
        Type::I64 => (bits as i64).into(),
        Type::Isize => (bits as isize).into(),
        Type::U8 => (bits as u8).into(),
        Type::U16 => (bits as u16).into(),
        Type::U32 => (bits as u32).into(),
        Type::U64 => bits.into(),
        Type::Usize => (bits as usize).into(),
        Type::F32 => (bits as i32 as f32 / 16.0).into(),
        Type::F64 => (bits as i64 as f64 / 1024.0).into(),
        Type::Ptr => Value::Ptr(bits as usize),
    }
}

fn random_types(random: &mut Rng, count: usize) -> Vec<Type> {
    (0..count).map(|_| SCALARS[random.below(SCALARS.len())]).collect()
}

fn random_values(random: &mut Rng, types: &[Type]) -> Vec<Value> {
    types.iter().map(|&ty| some(ty, random.next())).collect()
}

/// The bits of a value of any type as an `i64`, mixed so that no two widths agree by chance.
fn bits_of(v: AnyVar) -> Code<'static, i64> {
    macro_rules! cast {
        ($t:ty) => {{
            let v = v.typed::<$t>().unwrap();
            tick!(@v as i64)
        }};
    }
    match v.ty() {
        Type::Unit => tick!(0),
        Type::Bool => cast!(bool),
        Type::I8 => cast!(i8),
        Type::I16 => cast!(i16),
        Type::I32 => cast!(i32),
        Type::I64 => cast!(i64),
        Type::Isize => cast!(isize),
        Type::U8 => cast!(u8),
        Type::U16 => cast!(u16),
        Type::U32 => cast!(u32),
        Type::U64 => cast!(u64),
        Type::Usize => cast!(usize),
        Type::F32 => {
            let v = v.typed::<f32>().unwrap();
            tick!(@v.to_bits() as i64)
        }
        Type::F64 => {
            let v = v.typed::<f64>().unwrap();
            tick!(@v.to_bits() as i64)
        }
        Type::Ptr => cast!(*const u8),
    }
}

fn bits_of_value(value: Value) -> i64 {
    match value {
        Value::Unit => 0,
        Value::Bool(x) => x.into(),
        Value::I8(x) => x.into(),
        Value::I16(x) => x.into(),
        Value::I32(x) => x.into(),
        Value::I64(x) => x,
        Value::Isize(x) => x as i64,
        Value::U8(x) => x.into(),
        Value::U16(x) => x.into(),
        Value::U32(x) => x.into(),
        Value::U64(x) => x as i64,
        Value::Usize(x) => x as i64,
        Value::F32(x) => x.to_bits().into(),
        Value::F64(x) => x.to_bits() as i64,
        Value::Ptr(x) => x as i64,
    }
}

/// A function of all its parameters in order: `h = h * 31 + bits`.
fn hash(jit: &Jit, types: &[Type]) -> DynFunc {
    let body = |params: &[AnyVar]| {
        let h = Var::<i64>::local();
        let all = params.iter().fold(tick!({}), |before, &param| {
            let bits = bits_of(param);
            tick!({ @before; @h = @h * 31 + @bits; })
        });
        tick!({ @all; @h }).into()
    };
    jit.compile_dyn(types, Type::I64, body).unwrap()
}

fn hash_of(values: &[Value]) -> Value {
    values.iter().fold(0i64, |h, &value| h.wrapping_mul(31).wrapping_add(bits_of_value(value))).into()
}

// ------------------------------------------------------------------------------------------------ values and handles

#[test]
fn values_know_their_types() {
    for ty in SCALARS.into_iter().chain([Type::Unit]) {
        assert_eq!(some(ty, 5).ty(), ty);
    }
    assert_eq!(Value::default(), Value::from(()));
    assert_eq!(Value::from(3u8).to_string(), "3");
    assert_eq!(Value::from(-0.5f32).to_string(), "-0.5");
    assert_eq!(Value::from(std::ptr::without_provenance::<i64>(0xff8)).to_string(), "0xff8");
    assert_eq!(Value::Unit.to_string(), "()");
    assert_eq!(<*mut u8>::try_from(Value::Ptr(16)).unwrap().addr(), 16);
    assert!(bool::try_from(Value::Bool(true)).unwrap());
    assert_eq!(f64::try_from(Value::I64(1)).unwrap_err().to_string(), "the value is of type i64, not f64");
}

#[test]
fn handles_convert_only_to_their_own_type() {
    let v: AnyVar = Var::<u16>::local().into();
    assert_eq!((v.ty(), format!("{v:?}")), (Type::U16, "AnyVar(u16)".into()));
    assert!(v.typed::<u16>().is_ok());
    assert_eq!(v.typed::<i16>().unwrap_err().to_string(), "the variable is of type u16, not i16");
    let pointer: AnyVar = Var::<*const u8>::local().into();
    assert!(pointer.typed::<*mut f64>().is_ok());
    assert!(matches!(pointer.typed::<usize>(), Err(Error::WrongType { .. })));

    let code: AnyCode = tick!(1u32).into();
    assert_eq!((code.ty(), format!("{code:?}")), (Type::U32, "AnyCode(u32)".into()));
    assert_eq!(code.clone().typed::<()>().unwrap_err().to_string(), "the code is of type u32, not ()");
    let one = code.typed::<u32>().unwrap();
    assert_eq!(jit().compile(tick!(|| -> u32 { @one + @one })).unwrap().call(), 2);
    let statement: AnyCode = tick!({}).into();
    assert!(statement.ty() == Type::Unit && statement.typed::<()>().is_ok());
}

#[test]
fn constants_and_locals_of_every_type() {
    let mut random = Rng(7);
    for ty in SCALARS.into_iter().chain([Type::Unit]) {
        for _ in 0..8 {
            let value = some(ty, random.next());
            let f = jit().compile_dyn(&[], ty, |_| value.into()).unwrap();
            assert_eq!(f.call(&[]).unwrap(), value, "{ty}");
        }
    }
    let local: AnyVar = Var::<f32>::local().into();
    assert_eq!(jit().compile_dyn(&[], Type::F32, |_| local.into()).unwrap().call(&[]).unwrap(), Value::F32(0.0));
}

// --------------------------------------------------------------------------------------------------------- functions

#[test]
fn any_number_of_parameters_of_any_types() {
    let mut random = Rng(1);
    let jit = jit();
    for count in (0..40).chain([100, 333, 1000]) {
        let types = random_types(&mut random, count);
        let f = hash(&jit, &types);
        assert_eq!((f.params(), f.ret()), (&types[..], Type::I64));
        for _ in 0..5 {
            let values = random_values(&mut random, &types);
            assert_eq!(f.call(&values).unwrap(), hash_of(&values), "{types:?}");
        }
    }
}

#[test]
fn each_parameter_comes_back_as_it_went_in() {
    let mut random = Rng(2);
    let jit = jit();
    let types = random_types(&mut random, 30);
    for (k, &ty) in types.iter().enumerate() {
        let f = jit.compile_dyn(&types, ty, |params| params[k].into()).unwrap();
        let values = random_values(&mut random, &types);
        assert_eq!(f.call(&values).unwrap(), values[k]);
    }
}

#[test]
fn the_body_may_borrow_and_assign_parameters() {
    let factors = [2, 3, 5];
    let body = |params: &[AnyVar]| -> AnyCode {
        let x = params[0].typed::<i64>().unwrap();
        tick!({
            for f in $(factors.iter()) { @x *= $(*f) }
            @x
        })
        .into()
    };
    assert_eq!(
        jit().compile_dyn(&[Type::I64], Type::I64, body).unwrap().call(&[Value::I64(7)]).unwrap(),
        Value::I64(210)
    );
}

#[test]
fn a_dynamic_function_as_a_typed_one() {
    let f = jit()
        .compile_dyn(&[Type::F64, Type::Ptr, Type::I8], Type::F64, |p| {
            let (x, k) = (p[0].typed::<f64>().unwrap(), p[2].typed::<i8>().unwrap());
            tick!(@x * @k as f64).into()
        })
        .unwrap();
    let typed: Func<fn(f64, *const u8, i8) -> f64> = f.typed().unwrap();
    assert_eq!(typed.call(0.5, std::ptr::null(), -4), -2.0);
    let outer = jit().compile(tick!(|x: f64, p: *const u8| -> f64 { $typed(x, p, 2) + 1.0 })).unwrap();
    drop((f.clone(), typed));
    assert_eq!(outer.call(3.0, std::ptr::null()), 7.0);

    let wrong = f.typed::<fn(f64, *const u8) -> f64>().unwrap_err().to_string();
    assert!(
        wrong.starts_with("wrong number of arguments in the call at ")
            && wrong.ends_with(": 2, but the function takes 3"),
        "{wrong}"
    );
    let wrong = f.typed::<fn(f64, *const u8, u8) -> f64>().unwrap_err().to_string();
    assert!(wrong.ends_with("is of type u8, but the function takes i8"), "{wrong}");
    let wrong = f.typed::<fn(f64, *const u8, i8) -> f32>().unwrap_err().to_string();
    assert!(wrong.ends_with("is of type f64, not f32"), "{wrong}");
    // A reference promises more than a pointer, and a slice is two words.
    let wrong = f.typed::<fn(f64, Ref<Pixel>, i8) -> f64>().unwrap_err().to_string();
    assert!(wrong.contains("argument 2") && wrong.ends_with("but the function takes pointer"), "{wrong}");
    let two = jit().compile_dyn(&[Type::Ptr, Type::Usize], Type::Usize, |p| p[1].into()).unwrap();
    assert!(matches!(two.typed::<fn(Slice<u8>) -> usize>(), Err(Error::ArgumentCount { .. })));
}

#[derive(Clone, Copy, Record)]
struct Pixel {
    red: u8,
    green: u8,
}

#[test]
fn wrong_arguments_are_refused() {
    let f = jit().compile_dyn(&[Type::I64, Type::F32], Type::I64, |p| p[0].into()).unwrap();
    let line = line!() + 1;
    let error = f.call(&[Value::I64(1)]).unwrap_err();
    let place = format!("{}:{line}:", file!());
    assert!(error.to_string().contains(&format!("the call at {place}")), "{error}");
    assert!(error.to_string().ends_with(": 1, but the function takes 2"), "{error}");
    let line = line!() + 1;
    let error = f.call(&[Value::I64(1), Value::F64(0.5)]).unwrap_err();
    assert!(error.to_string().starts_with(&format!("argument 2, at {}:{line}:", file!())), "{error}");
    assert!(error.to_string().ends_with("is of type f64, but the function takes f32"), "{error}");
    assert!(matches!(f.call(&[Value::I64(1), Value::Unit]), Err(Error::ArgumentType { number: 2, .. })));
    assert!(matches!(f.call(&[]), Err(Error::ArgumentCount { expected: 2, found: 0, .. })));
    assert_eq!(f.call(&[Value::I64(1), Value::F32(0.5)]).unwrap(), Value::I64(1));
}

#[test]
fn wrong_signatures_and_bodies_are_refused() {
    let jit = jit();
    let refused = |params: &[Type], ret, code: AnyCode| jit.compile_dyn(params, ret, |_| code).unwrap_err().to_string();
    let unit = refused(&[Type::I64, Type::Unit], Type::I64, Value::I64(0).into());
    assert_eq!(unit, "parameter 2 is of type (): parameters are scalars");
    let many = refused(&[Type::I64; 1001], Type::I64, Value::I64(0).into());
    assert_eq!(many, "the function has 1001 parameters: the limit is 1000");
    let body = refused(&[], Type::I64, Value::I32(0).into());
    assert_eq!(body, "the body of the function is of type i32, not i64");
    assert_eq!(refused(&[], Type::F64, Code::<f64>::fail("no such column").into()), "no such column");
    let returns = refused(
        &[],
        Type::F64,
        tick!({
            if true {
                return 1i64;
            }
            0.5f64
        })
        .into(),
    );
    assert_eq!(returns, "`return` of a i64 in a function that returns f64");
    // A parameter of another function.
    let mut kept = None;
    jit.compile_dyn(&[Type::I64], Type::I64, |p| (*kept.insert(p[0])).into()).unwrap();
    let kept = kept.unwrap();
    let error = jit.compile_dyn(&[Type::I64], Type::I64, |_| kept.into()).unwrap_err();
    assert!(matches!(error, Error::VariableOutOfScope { .. }), "{error}");
}

#[test]
fn traps_are_errors() {
    silence_expected_panics();
    let host = HostFn::new(|x: i64| if x == 3 { panic!("{QUIET}") } else { x });
    let f = jit()
        .compile_dyn(&[Type::I64, Type::I64], Type::I64, |p| {
            let (a, b) = (p[0].typed::<i64>().unwrap(), p[1].typed::<i64>().unwrap());
            tick!({ if @b == 9 { trap(42) } $host(@a) / @b }).into()
        })
        .unwrap();
    let call = |a: i64, b: i64| f.call(&[a.into(), b.into()]).map_err(|error| error.to_string());
    assert_eq!(call(7, 2), Ok(Value::I64(3)));
    assert_eq!(call(7, 0), Err("attempt to divide by zero".into()));
    assert_eq!(call(7, 9), Err("dynamic code trapped with code 42".into()));
    assert_eq!(call(3, 1), Err(format!("a host function called by dynamic code panicked: {QUIET}")));
    assert!(matches!(f.call(&[1.into(), 0.into()]), Err(Error::ArgumentType { number: 1, .. }))); // i32
    let trap = f.try_call(&[Value::I64(3), Value::I64(1)]).unwrap().unwrap_err();
    let Trap::HostPanic(payload) = trap else { panic!("{trap:?}") };
    assert_eq!(payload.downcast_ref::<String>().unwrap(), QUIET);
}

#[test]
fn nested_compilations_and_panics_in_the_body() {
    silence_expected_panics();
    let jit = jit();
    let f = jit
        .compile_dyn(&[Type::I64], Type::I64, |p| {
            let x = p[0].typed::<i64>().unwrap();
            let inner = jit.compile_dyn(&[Type::I64], Type::I64, |p| {
                let x = p[0].typed::<i64>().unwrap();
                tick!(@x * 10).into()
            });
            let inner: Func<fn(i64) -> i64> = inner.unwrap().typed().unwrap();
            tick!($inner(@x) + 1).into()
        })
        .unwrap();
    assert_eq!(f.call(&[Value::I64(4)]).unwrap(), Value::I64(41));
    let panics = std::panic::catch_unwind(|| jit.compile_dyn(&[], Type::I64, |_| panic!("{QUIET}")));
    assert!(panics.is_err());
    assert_eq!(f.call(&[Value::I64(5)]).unwrap(), Value::I64(51));
}

#[test]
fn recursion_is_contained() {
    // Through itself by way of a closure: a function cannot name itself before it is there.
    let again: Arc<Mutex<Option<DynFunc>>> = Arc::default();
    let inner = Arc::clone(&again);
    let host = HostFn::new(move |x: i64| {
        let f = inner.lock().unwrap().clone().unwrap();
        match f.call(&[Value::I64(x + 1)]) {
            Ok(value) => i64::try_from(value).unwrap(),
            Err(error) => {
                assert_eq!(error.to_string(), "dynamic code ran out of stack");
                -x
            }
        }
    });
    let f = jit()
        .compile_dyn(&[Type::I64], Type::I64, |p| {
            let x = p[0].typed::<i64>().unwrap();
            tick!($host(@x)).into()
        })
        .unwrap();
    *again.lock().unwrap() = Some(f.clone());
    let deepest = on_stack(1024, || i64::try_from(f.call(&[Value::I64(0)]).unwrap()).unwrap());
    assert!(deepest < -50, "{deepest}");
    // The cycle of the function and the closure that holds it.
    *again.lock().unwrap() = None;
}

#[test]
fn threads_share_a_dynamic_function() {
    let mut random = Rng(3);
    let types = random_types(&mut random, 20);
    let f = hash(&jit(), &types);
    let threads: Vec<_> = (0..4u64)
        .map(|seed| {
            let (f, types) = (f.clone(), types.clone());
            std::thread::spawn(move || {
                let mut random = Rng(seed + 10);
                for _ in 0..500 {
                    let values = random_values(&mut random, &types);
                    assert_eq!(f.call(&values).unwrap(), hash_of(&values));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn debug_and_equality() {
    let f = jit().compile_dyn(&[Type::I64, Type::Ptr], Type::Unit, |_| Value::Unit.into()).unwrap();
    assert_eq!(format!("{f:?}"), format!("DynFunc<fn(i64, pointer) -> ()>({:?})", support::first_tier()));
    assert_eq!(f, f.clone());
    assert_ne!(f, jit().compile_dyn(&[Type::I64, Type::Ptr], Type::Unit, |_| Value::Unit.into()).unwrap());
    assert_eq!(f.tier(), support::first_tier());
    assert!(f.stats().instructions > 0 && f.disassemble().contains("ret"));

    let g = jit().compile(tick!(|x: i64| -> i64 { x })).unwrap();
    let same = g.clone();
    assert!(g == same && g != jit().compile(tick!(|x: i64| -> i64 { x })).unwrap());
    assert_eq!(std::collections::HashSet::from([g, same]).len(), 1);
}

#[test]
fn what_a_function_keeps_dies_with_it() {
    let state = Arc::new(());
    let held = Arc::clone(&state);
    let host = HostFn::new(move || Arc::strong_count(&held) as i64);
    let f = jit().compile_dyn(&[], Type::I64, |_| tick!($host()).into()).unwrap();
    drop(host);
    assert_eq!(f.call(&[]).unwrap(), Value::I64(2));
    let mut call = DynCall::new(&f);
    let outer = jit().compile(tick!(|| -> i64 { @(call.code::<i64>()) })).unwrap();
    call = DynCall::new(&outer);
    drop((f, call));
    assert_eq!((outer.call(), Arc::strong_count(&state)), (2, 2));
    drop(outer);
    assert_eq!(Arc::strong_count(&state), 1);
}

// ------------------------------------------------------------------------------------------------------------- calls

extern "C" fn weigh(a: i8, b: f64, c: u16, d: f32, e: i64) -> f64 {
    f64::from(a) + b * 10.0 + f64::from(c) * 100.0 + f64::from(d) * 1000.0 + e as f64 * 10_000.0
}
type Weigh = extern "C" fn(i8, f64, u16, f32, i64) -> f64;

const WEIGHED: [Value; 5] = [Value::I8(-3), Value::F64(0.5), Value::U16(7), Value::F32(2.0), Value::I64(-1)];

fn weighed(mut call: DynCall<'static>) -> f64 {
    for value in WEIGHED {
        call.arg(value);
    }
    jit().compile(tick!(|| -> f64 { @(call.code()) })).unwrap().call()
}

#[test]
fn whatever_can_be_called() {
    let expected = weigh(-3, 0.5, 7, 2.0, -1);
    assert_eq!(weighed(DynCall::new(&(weigh as Weigh))), expected);
    assert_eq!(
        weighed(DynCall::new(&HostFn::new(|a: i8, b: f64, c: u16, d: f32, e: i64| weigh(a, b, c, d, e)))),
        expected
    );
    let native = weigh as Weigh;
    let f = jit().compile(tick!(|a: i8, b: f64, c: u16, d: f32, e: i64| -> f64 { $native(a, b, c, d, e) })).unwrap();
    assert_eq!(weighed(DynCall::new(&f)), expected);
    let types = WEIGHED.map(Value::ty);
    let f = jit()
        .compile_dyn(&types, Type::F64, |p| {
            let mut call = DynCall::new(&native);
            for v in p {
                call.arg(v);
            }
            call.any()
        })
        .unwrap();
    assert_eq!(f.call(&WEIGHED).unwrap(), Value::F64(expected));
    assert_eq!(weighed(DynCall::new(&f)), expected);
    // SAFETY: that is its signature.
    #[allow(unsafe_code, reason = "a bare pointer needs it")]
    let pointer = unsafe { DynCall::from_pointer(weigh as *const (), &types, Type::F64) };
    assert_eq!(weighed(pointer), expected);
}

#[test]
fn arguments_of_every_kind() {
    let host = HostFn::new(|s: &[u16], p: &Pixel, k: usize, x: f32| f32::from(s[k]) + f32::from(p.red - p.green) * x);
    let f = jit()
        .compile(tick!(|s: Slice<u16>, p: Ref<Pixel>, k: usize| -> f32 {
            @({
                let code = tick!(@k + 1);
                let any: AnyCode = (&code).into();
                let mut call = DynCall::new(&host);
                call.arg(s).arg(tick!(@p)).arg(any);
                call.arg(Value::F32(0.5));
                call.code::<f32>()
            })
        }))
        .unwrap();
    assert_eq!(f.call(&[10, 20, 30], &Pixel { red: 9, green: 4 }, 1), 32.5);
}

#[test]
fn arguments_are_evaluated_in_order_once() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&log);
    let host = HostFn::new(move |x: i64| {
        seen.lock().unwrap().push(x);
        x
    });
    let sum =
        jit().compile(tick!(|a: i64, b: i64, c: i64, d: i64| -> i64 { a * 1000 + b * 100 + c * 10 + d })).unwrap();
    let f = jit()
        .compile(tick!(|x: i64| -> i64 {
            let mut y = x;
            @({
                let mut call = DynCall::new(&sum);
                // The first argument is `y` as it was before the second assigns it.
                call.arg(y).arg(tick!({ @y = 5; $host(1) })).arg(y).arg(tick!($host(2)));
                call.code::<i64>()
            })
        }))
        .unwrap();
    assert_eq!(f.call(3), 3152);
    assert_eq!(*log.lock().unwrap(), [1, 2]);
}

#[test]
fn conditions_and_memory_as_arguments() {
    let host = HostFn::new(|a: bool, x: i64, b: bool, y: f64, c: bool, z: i64| {
        i64::from(a) + x * 10 + i64::from(b) * 100 + y as i64 * 1000 + i64::from(c) * 10_000 + z * 100_000
    });
    let f = jit()
        .compile(tick!(|s: Slice<i64>, t: Slice<f64>, i: usize| -> i64 {
            @({
                let mut call = DynCall::new(&host);
                call.arg(tick!(@s[@i] > 1)).arg(tick!(@s[@i])).arg(tick!(@i == 1 && @t[0] < 0.5)).arg(tick!(@t[@i]));
                call.arg(tick!(!(@i < 2))).arg(tick!(@s[@i - 1]));
                call.code::<i64>()
            })
        }))
        .unwrap();
    assert_eq!(f.call(&[4, 2, 1], &[0.25, 6.0, 7.0], 1), 406_121);
    assert_eq!(f.call(&[4, 2, 1], &[0.25, 6.0, 7.0], 2), 217_010);
    assert!(matches!(f.try_call(&[4, 2, 1], &[0.25], 1), Err(Trap::IndexOutOfBounds)));
}

#[test]
fn many_computed_arguments() {
    let mut random = Rng(4);
    let jit = jit();
    for count in [0, 1, 6, 7, 12, 13, 25, 60, 400, 1000] {
        let types = vec![Type::I64; count];
        let f = hash(&jit, &types);
        let weights: Vec<i64> = (0..count).map(|_| random.next() as i64).collect();
        let outer = jit
            .compile(tick!(|s: Slice<i64>, x: i64, y: f64| -> i64 {
                let kept = x * 3;
                let float = y * 2.0;
                let result = @({
                    let mut call = DynCall::new(&f);
                    for (k, weight) in weights.iter().copied().enumerate() {
                        match k % 3 {
                            0 => call.arg(tick!(@s[@x as usize] * $weight)),
                            1 => call.arg(tick!(@kept ^ $weight)),
                            _ => call.arg(tick!((@float + $(weight as f64)) as i64)),
                        };
                    }
                    call.code::<i64>()
                });
                result + kept + float as i64
            }))
            .unwrap();
        let (s, x, y) = ([5i64, 6, 7], 2i64, 0.75);
        let args: Vec<Value> = (weights.iter().enumerate())
            .map(|(k, &weight)| match k % 3 {
                0 => s[2].wrapping_mul(weight),
                1 => (x * 3) ^ weight,
                _ => (y * 2.0 + weight as f64) as i64,
            })
            .map(Value::I64)
            .collect();
        let Value::I64(hash) = hash_of(&args) else { unreachable!() };
        assert_eq!(outer.call(&s, x, y), hash.wrapping_add(x * 3).wrapping_add((y * 2.0) as i64), "{count}");
    }
}

#[test]
fn calls_as_arguments_of_calls() {
    let add = jit().compile(tick!(|a: i64, b: i64| -> i64 { a * 10 + b })).unwrap();
    let f = jit()
        .compile(tick!(|x: i64| -> i64 {
            @({
                (1..9i64).fold(tick!(@x), |code, k| {
                    let mut inner = DynCall::new(&add);
                    inner.arg(x).arg(Value::I64(k));
                    let mut call = DynCall::new(&add);
                    call.arg(code).arg(inner.any());
                    call.code()
                })
            })
        }))
        .unwrap();
    assert_eq!(f.call(2), (1..9).fold(2, |sum, k| sum * 10 + 20 + k));
    let deep = (0..100_000i64).fold(tick!(0i64), |code, k| {
        let mut call = DynCall::new(&add);
        call.arg(code).arg(Value::I64(k));
        call.code()
    });
    assert!(matches!(jit().compile(tick!(|| -> i64 { @deep })), Err(Error::NestingTooDeep { .. })));
    on_stack(8192, move || drop(add));
    drop(deep);
}

#[test]
fn calls_that_trap() {
    silence_expected_panics();
    let divide = jit().compile(tick!(|a: i64, b: i64| -> i64 { a / b })).unwrap();
    let host = HostFn::new(|x: i64| if x == 0 { panic!("{QUIET}") } else { x });
    let f = jit()
        .compile(tick!(|a: i64, b: i64| -> f64 {
            @({
                let mut inner = DynCall::new(&host);
                inner.arg(a);
                let mut call = DynCall::new(&divide);
                call.arg(inner.any()).arg(b);
                let quotient = call.code::<i64>();
                tick!(@quotient as f64 * 0.5)
            })
        }))
        .unwrap();
    assert_eq!(f.call(7, 2), 1.5);
    assert!(matches!(f.try_call(7, 0), Err(Trap::DivisionByZero)));
    assert!(matches!(f.try_call(0, 0), Err(Trap::HostPanic(_))));
}

#[test]
fn wrong_calls_are_refused_by_compile() {
    let record = HostFn::new(|p: &Pixel, s: &[u8]| s[0] + p.red);
    #[derive(Clone, Copy, Record)]
    struct Other {
        _red: u8,
    }
    type Builder<'a> = &'a dyn Fn(Var<Slice<u16>>, Var<Ref<Other>>, Var<*const Pixel>) -> DynCall<'static>;
    let refused = |code: Builder<'_>| {
        let function = tick!(|s: Slice<u16>, p: Ref<Other>, q: *const Pixel| -> u8 { @(code(s, p, q).code::<u8>()) });
        jit().compile(function).unwrap_err().to_string()
    };
    let call = || DynCall::new(&record);
    let few = refused(&|_, p, _| {
        let mut call = call();
        call.arg(p);
        call
    });
    assert!(few.contains(&format!("the call at {}:", file!())), "{few}");
    assert!(few.ends_with(": 1, but the function takes 2"), "{few}");
    let line = line!() + 3;
    let other = refused(&|s, p, _| {
        let mut call = call();
        call.arg(p);
        call.arg(s);
        call
    });
    assert!(other.starts_with(&format!("argument 1, at {}:{line}:", file!())), "{other}");
    assert!(other.contains("Other>, but the function takes Ref<") && other.ends_with("Pixel>"), "{other}");
    let pointer = refused(&|s, _, q| {
        let mut call = call();
        call.arg(q).arg(s);
        call
    });
    assert!(pointer.contains("is of type pointer, but the function takes Ref<"), "{pointer}");
    let slice = HostFn::new(|s: &[u8]| s[0]);
    let elements = refused(&|s, _, _| {
        let mut call = DynCall::new(&slice);
        call.arg(s);
        call
    });
    assert!(elements.ends_with("is of type Slice<u16>, but the function takes Slice<u8>"), "{elements}");
    let unit = refused(&|_, _, _| {
        let mut call = DynCall::new(&slice);
        call.arg(tick!({}));
        call
    });
    assert!(unit.ends_with("is of type (), but the function takes Slice<u8>"), "{unit}");
    let weigh = weigh as Weigh;
    let result = refused(&|_, _, _| {
        let mut call = DynCall::new(&weigh);
        for value in WEIGHED {
            call.arg(value);
        }
        call
    });
    assert!(result.starts_with("the result of the call at ") && result.ends_with("is of type f64, not u8"), "{result}");
    #[allow(unsafe_code, reason = "a bare pointer needs it")]
    // SAFETY: it is never compiled, so nothing calls it.
    let unit = refused(&|_, _, _| unsafe { DynCall::from_pointer(std::ptr::null(), &[Type::Unit], Type::U8) });
    assert_eq!(unit, "parameter 1 is of type (): parameters are scalars");
    assert_eq!(format!("{:?}", DynCall::new(&slice).arg(Value::I8(1))), "DynCall([i8] for [Slice<u8>] -> u8)",);
}

#[test]
fn a_jit_is_as_good_as_before_after_an_error() {
    let jit = jit();
    let f = jit.compile(tick!(|x: i64| -> i64 { x + 1 })).unwrap();
    for _ in 0..100 {
        let mut wrong = DynCall::new(&f);
        wrong.arg(Value::F64(0.0));
        assert!(jit.compile(tick!(|x: i64| -> i64 { x * @(wrong.code::<i64>()) })).is_err());
        let mut right = DynCall::new(&f);
        right.arg(Value::I64(4));
        assert_eq!(jit.compile(tick!(|x: i64| -> i64 { x * @(right.code::<i64>()) })).unwrap().call(2), 10);
    }
}

/// The C library lies out of reach of a call with a 32-bit distance, unlike the program, below which the code memory lies.
#[test]
#[cfg_attr(miri, ignore = "calls native functions")]
#[allow(unsafe_code, reason = "functions of C need it")]
fn functions_far_away() {
    // SAFETY: both are defined for all arguments that they get below.
    let f = jit().compile(tick!(|a: i64, b: i32| -> i64 { unsafe { libc::labs(a) + libc::abs(b) as i64 * 1000 + a } }));
    let f = f.unwrap();
    assert_eq!(f.call(-7, -5), 5000, "{}", f.disassemble());
    assert_eq!(f.call(7, 0), 14);
}
