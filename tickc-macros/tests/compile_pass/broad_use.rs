//! A crate that forbids `unsafe` and denies every warning may use all of the language.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![deny(missing_docs, unused_qualifications, unreachable_pub, unused_results, elided_lifetimes_in_paths)]

use std::sync::Arc;

use tickc::prelude::*;

/// A point.
#[derive(Clone, Copy, Debug, PartialEq, Record)]
pub struct Point {
    /// First coordinate.
    pub x: i64,
    y: f32,
    flags: [bool; 3],
    inner: Inner,
}

#[derive(Clone, Copy, Debug, PartialEq, Record)]
struct Inner {
    k: u8,
}

/// A record with a parameter.
#[derive(Clone, Copy, Debug, Record)]
pub struct Pair<T: tickc::Scalar> {
    a: T,
    b: T,
}

const LIMIT: i64 = 1000;

extern "C" fn plus(a: i64, b: f64) -> i64 {
    a + b as i64
}

fn power<'a>(x: Var<i64>, n: u32) -> Code<'a, i64> {
    if n == 0 {
        tick!(1)
    } else if n.is_multiple_of(2) {
        let half = power(x, n / 2);
        tick!({
            let h = @half;
            h * h
        })
    } else {
        let rest = power(x, n - 1);
        tick!(@x * @rest)
    }
}

macro_rules! scaled {
    ($by:expr) => {
        tick!(|a: i64| -> i64 { a * lift!($by) })
    };
}

#[derive(Clone, Copy)]
enum Mode {
    Add(i64),
    Nothing,
}

struct Scale {
    by: i64,
}

impl Scale {
    fn code(&self) -> Staged<'_, fn(i64) -> i64> {
        tick!(|a: i64| -> i64 { a * $(self.by) })
    }
}

fn main() -> Result<(), Error> {
    let jit = Jit::new()?;
    let pow = jit.compile(tick!(|x: i64| -> i64 { @(power(x, 13)) }))?;
    assert_eq!(pow.call(2), 8192);

    let scale = Scale { by: 3 };
    assert_eq!(jit.compile(scale.code())?.call(5), 15);
    assert_eq!(jit.compile(scaled!(7))?.call(5), 35);

    let records = jit.compile(tick!(|ps: SliceMut<Point>, one: RefMut<Point>, other: Ref<Point>, i: usize| -> bool {
        ps[i].x += other.x;
        ps[i].flags[1] = other.flags[0];
        let p = &ps[i];
        one.inner.k = p.inner.k;
        one.y = p.y * 2.0;
        p.x > LIMIT && one.flags[2]
    }))?;
    let mut points = [Point { x: 999, y: 0.5, flags: [true; 3], inner: Inner { k: 9 } }; 2];
    let (mut one, other) = (points[0], points[1]);
    assert!(records.call(&mut points, &mut one, &other, 1));
    assert!(records.try_call(&mut points, &mut one, &other, 2).is_err());
    assert_eq!((one.y, one.inner.k), (1.0, 9));

    let pair = jit.compile(tick!(|p: Ref<Pair<i64>>| -> i64 { p.a - p.b }))?;
    assert_eq!(pair.call(&Pair { a: 5, b: 3 }), 2);

    let table: Arc<[u16]> = Arc::from([1, 2, 3]);
    let modes = [Mode::Add(2), Mode::Nothing];
    let verbose = false;
    let control = jit.compile(tick!(|n: i64, p: Slice<i64>| -> i64 {
        let mut sum = 0;
        'rows: for i in 0..p.len() {
            let mut left = p[i];
            while left > 0 {
                left -= 1;
                if left == 13 { continue 'rows; }
                if left > 1 << 20 { break 'rows; }
            }
            sum += match p[i] { 0 => 1, 1 | 2 => -2, 3..=9 => n, other => other % 5 };
        }
        for (k, mode) in $(modes.iter().enumerate()) {
            match $(mode) {
                Mode::Add(n) => { sum += $(*n) * k as i64; }
                Mode::Nothing => {}
            }
        }
        if $(verbose) { sum = -1; }
        let found = loop {
            if sum > LIMIT { break sum; }
            sum = sum * 2 + $table[1] as i64 + plus(n, 2.0);
        };
        if found < 0 { return i64::MIN; }
        found.rotate_left(3).wrapping_add($(table.len() as i64))
    }))?;
    assert!(control.call(4, &[1, 2, 3, 100]) != 0);

    let sum = Var::<f64>::local();
    let add = |x: f64| tick!(@sum += $x);
    let (one, two) = (add(1.0), add(2.0));
    let locals = jit.compile(tick!(|| -> f64 { @one; @two; @one; @sum }))?;
    assert_eq!(locals.call(), 4.0);

    let fib = jit.compile(tick!(fn fib(n: u32) -> u64 { if n < 2 { n as u64 } else { fib(n - 1) + fib(n - 2) } }))?;
    let twice = jit.compile(tick!(|n: u32| -> u64 { $fib(n) * 2 }))?;
    assert_eq!(twice.call(10), 110);

    let unit = jit.compile(tick!(|_unused: i64, p: SliceMut<u8>| { if !p.is_empty() { p[0] ^= 255; } }))?;
    unit.call(0, &mut [1]);
    let error = jit.compile(tick!(|| -> i64 { @(Code::fail("no code")) }));
    assert!(matches!(error, Err(Error::Failed(_))));
    Ok(())
}
