//! What compares the two: macros that make a quotation and a Rust closure of the same tokens and call both with the same values.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use tickc::prelude::*;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

#[derive(Debug, PartialEq)]
pub(crate) enum Outcome<T> {
    Value(T),
    Zero,
    Overflow,
    Index,
}

/// The outcome in ordinary Rust; nothing where overflow is checked and happens.
pub(crate) fn in_rust<T>(run: impl FnOnce() -> T) -> Option<Outcome<T>> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                hook(info);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    QUIET.set(false);
    let payload = match result {
        Ok(value) => return Some(Outcome::Value(value)),
        Err(payload) => payload,
    };
    let message =
        payload.downcast_ref::<String>().cloned().or(payload.downcast_ref::<&str>().map(|s| s.to_string())).unwrap();
    match &*message {
        "attempt to divide by zero" | "attempt to calculate the remainder with a divisor of zero" => {
            Some(Outcome::Zero)
        }
        "attempt to divide with overflow" | "attempt to calculate the remainder with overflow" => {
            Some(Outcome::Overflow)
        }
        _ if message.starts_with("index out of bounds")
            || message.starts_with("range ")
            || message.starts_with("slice index starts at") =>
        {
            Some(Outcome::Index)
        }
        _ if message.contains("with overflow") => None,
        _ => panic!("{message}"),
    }
}

pub(crate) fn in_dynamic_code<T>(result: Result<T, Trap>) -> Outcome<T> {
    match result {
        Ok(value) => Outcome::Value(value),
        Err(Trap::DivisionByZero) => Outcome::Zero,
        Err(Trap::DivisionOverflow) => Outcome::Overflow,
        Err(Trap::IndexOutOfBounds) => Outcome::Index,
        Err(other) => panic!("{other}"),
    }
}

pub(crate) trait Edges: Copy {
    fn edges(params: usize) -> Vec<Self>;
    /// What two equal results have in common: all NaNs are one.
    fn key(self) -> u64;
}
macro_rules! int_edges {
    ($($t:ident)*) => {$(
        impl Edges for $t {
            fn edges(params: usize) -> Vec<$t> {
                let all = [0 as $t, 1, 5, -1i64 as $t, $t::MIN, $t::MAX, 2, 100, 8, -7i64 as $t, 0x8080_8080_u64 as $t, 63];
                all[..if params < 3 { 12 } else if params < 4 { 6 } else { 4 }].to_vec()
            }
            fn key(self) -> u64 { self as u64 }
        }
    )*};
}
int_edges!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);
macro_rules! float_edges {
    ($($t:ident)*) => {$(
        impl Edges for $t {
            fn edges(params: usize) -> Vec<$t> {
                let all = [0.0, 1.5, -2.75, $t::NAN, -0.0, $t::INFINITY, $t::NEG_INFINITY, 1e10, $t::MIN_POSITIVE, 255.0];
                all[..if params < 3 { 10 } else if params < 4 { 6 } else { 4 }].to_vec()
            }
            fn key(self) -> u64 { if self.is_nan() { u64::MAX - 1 } else { self.to_bits() as u64 } }
        }
    )*};
}
float_edges!(f32 f64);
impl Edges for bool {
    fn edges(_: usize) -> Vec<bool> {
        vec![false, true]
    }
    fn key(self) -> u64 {
        self as u64
    }
}

macro_rules! each {
    ($n:expr; [] $body:block) => { $body };
    ($n:expr; [$p:ident: $t:ident $(, $q:ident: $u:ident)*] $body:block) => {
        for $p in <$t as Edges>::edges($n) { each!($n; [$($q: $u),*] $body) }
    };
}

/// Functions of scalars.
macro_rules! check {
    ($(|$($p:ident: $t:ident),*| -> $r:ident $body:block)*) => {$({
        let jit = jit();
        let f = jit.compile(tick!(|$($p: $t),*| -> $r $body)).unwrap();
        let rust = |$($p: $t),*| -> $r { $body };
        let n = [$(stringify!($p)),*].len();
        each!(n; [$($p: $t),*] {
            if let Some(expected) = in_rust(|| rust($($p),*).key()) {
                let got = in_dynamic_code(f.try_call($($p),*).map(|v| v.key()));
                assert_eq!(got, expected, "{} {} called with {:?}\n{}",
                    concat!($(stringify!($p: $t), " "),*), stringify!($body), ($($p,)*), f.disassemble());
            }
        });
    })*};
}

/// Functions of a slice of `i64`, one of `u8`, one of `f32`, and three scalars.
macro_rules! check_mem {
    ($(|$s:ident, $t:ident, $w:ident, $a:ident, $b:ident, $i:ident| $body:block)*) => {$({
        let jit = jit();
        let f = jit
            .compile(tick!(|$s: SliceMut<i64>, $t: SliceMut<u8>, $w: SliceMut<f32>, $a: i64, $b: u8, $i: usize| -> i64 $body))
            .unwrap();
        let rust = |$s: &mut [i64], $t: &mut [u8], $w: &mut [f32], $a: i64, $b: u8, $i: usize| -> i64 { $body };
        for a in [3i64, 0, -1, i64::MIN] {
            for b in [0u8, 1, 7, 255] {
                for i in [0usize, 1, 3, 4, 9, usize::MAX] {
                    let memory = (vec![5i64, -2, 0, 77], vec![2u8, 0, 255, 128], vec![0.5f32, -3.0, f32::INFINITY, 7.25]);
                    let (mut x, mut y) = (memory.clone(), memory);
                    if let Some(expected) = in_rust(|| rust(&mut x.0, &mut x.1, &mut x.2, a, b, i)) {
                        let got = in_dynamic_code(f.try_call(&mut y.0, &mut y.1, &mut y.2, a, b, i));
                        let keys = |w: &[f32]| w.iter().map(|w| w.key()).collect::<Vec<_>>();
                        assert_eq!((got, y.0, y.1, keys(&y.2)), (expected, x.0, x.1, keys(&x.2)),
                            "{} called with {a} {b} {i}\n{}", stringify!($body), f.disassemble());
                    }
                }
            }
        }
    })*};
}

macro_rules! for_ints {
    ($check:ident; $($t:ident)*) => {$( $check!($t); )*};
}
