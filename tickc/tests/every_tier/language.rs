//! Every construct of the language once, against Rust.
#![forbid(unsafe_code)]
#![allow(clippy::all, reason = "programs under test are written every way there is")]
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use support::jit;
use tickc::prelude::*;

#[derive(Clone, Copy, Record)]
struct Point {
    x: i64,
    y: i32,
    flag: bool,
    w: f64,
    a: [u16; 4],
    inner: Inner,
}
#[derive(Clone, Copy, Record)]
struct Inner {
    k: u8,
    v: f32,
}

fn point() -> Point {
    Point { x: -5, y: 7, flag: true, w: 2.5, a: [1, 2, 3, 60000], inner: Inner { k: 200, v: 0.5 } }
}

#[test]
fn arithmetic() {
    let f = jit().compile(tick!(|a: i64, b: i64| -> i64 { (a + b * 3 - 7) ^ (a << 2) | b & 255 })).unwrap();
    for (a, b) in [(0, 0), (5, -9), (i64::MAX, i64::MIN), (123456789, 987654321)] {
        let want = (a.wrapping_add(b.wrapping_mul(3)).wrapping_sub(7)) ^ (a << 2) | b & 255;
        assert_eq!(f.call(a, b), want, "{}", f.disassemble());
    }
    let g = jit().compile(tick!(|a: u8, b: u8| -> u8 { a * b + 3 })).unwrap();
    for a in 0..=255u8 {
        assert_eq!(g.call(a, 77), a.wrapping_mul(77).wrapping_add(3));
    }
    let h = jit().compile(tick!(|a: i8| -> i32 { (a - 1) as i32 * 2 })).unwrap();
    for a in i8::MIN..=i8::MAX {
        assert_eq!(h.call(a), i32::from(a.wrapping_sub(1)) * 2);
    }
}

#[test]
fn division() {
    let d = jit().compile(tick!(|a: i64, b: i64| -> i64 { a / b })).unwrap();
    let r = jit().compile(tick!(|a: i64, b: i64| -> i64 { a % b })).unwrap();
    for (a, b) in [(7i64, 2i64), (-7, 2), (7, -2), (i64::MIN, 1), (i64::MAX, -1), (0, 5)] {
        assert_eq!(d.call(a, b), a / b);
        assert_eq!(r.call(a, b), a % b);
    }
    assert!(matches!(d.try_call(1, 0), Err(Trap::DivisionByZero)));
    assert!(matches!(d.try_call(i64::MIN, -1), Err(Trap::DivisionOverflow)));
    assert!(matches!(r.try_call(i64::MIN, -1), Err(Trap::DivisionOverflow)));
    let both = jit().compile(tick!(|a: u32, b: u32, c: u32| -> u32 { (a / b) * c + (a % b) + a * b * c })).unwrap();
    assert_eq!(both.call(100, 7, 3), 14 * 3 + 2 + 2100);
    let n = jit().compile(tick!(|a: i8, b: i8| -> i8 { a / b })).unwrap();
    assert!(matches!(n.try_call(-128, -1), Err(Trap::DivisionOverflow)));
    assert_eq!(n.call(-128, 2), -64);
    let k = 10u64;
    let c = jit().compile(tick!(|a: u64| -> u64 { a / $k + a % $k + a / 8 + a % 8 })).unwrap();
    assert_eq!(c.call(12345), 1234 + 5 + 1543 + 1);
}

#[test]
fn shifts() {
    let f = jit().compile(tick!(|a: i64, n: u32| -> i64 { (a << n) + (a >> n) })).unwrap();
    let g = jit().compile(tick!(|a: u8, n: u8| -> u8 { (a << n) ^ (a >> n) ^ a.rotate_left(n as u32) })).unwrap();
    for n in 0..64u32 {
        let a = -123456789i64;
        assert_eq!(f.call(a, n), a.wrapping_shl(n).wrapping_add(a >> n));
        let (b, m) = (0b1011_0001u8, n as u8);
        assert_eq!(g.call(b, m), b.wrapping_shl(n) ^ b.wrapping_shr(n) ^ b.rotate_left(n));
    }
}

#[test]
fn control() {
    let collatz = jit()
        .compile(tick!(|n: u64| -> u32 {
            let mut n = n;
            let mut steps = 0;
            while n != 1 {
                if n % 2 == 0 {
                    n = n / 2;
                } else {
                    n = 3 * n + 1;
                }
                steps += 1;
            }
            steps
        }))
        .unwrap();
    assert_eq!(collatz.call(27), 111);

    let sum = jit()
        .compile(tick!(|p: Slice<i64>, c: i64| -> i64 {
            let mut s = 0;
            for i in 0..p.len() {
                s = (s * 31) ^ p[i];
                if s & 1 == 1 {
                    s += c
                }
            }
            s
        }))
        .unwrap();
    let data: Vec<i64> = (0..100).map(|i| i * i * 7 - 300).collect();
    let want = data.iter().fold(0i64, |s, p| {
        let s = s.wrapping_mul(31) ^ p;
        if s & 1 == 1 { s.wrapping_add(5) } else { s }
    });
    assert_eq!(sum.call(&data, 5), want);
    println!("{}", sum.disassemble());

    let find = jit()
        .compile(tick!(|p: Slice<i32>, x: i32| -> i64 {
            let mut i = 0usize;
            'outer: loop {
                loop {
                    if i == p.len() {
                        break 'outer -1;
                    }
                    if p[i] == x {
                        break;
                    }
                    i += 1;
                }
                break i as i64;
            }
        }))
        .unwrap();
    assert_eq!(find.call(&[4, 5, 6], 6), 2);
    assert_eq!(find.call(&[4, 5, 6], 7), -1);

    let grade = jit()
        .compile(tick!(|x: i32| -> i32 {
            match x {
                0 => 100,
                1 | 2 => 200,
                3..=9 => 300,
                -5..0 => 400,
                n => n * 2,
            }
        }))
        .unwrap();
    for x in -20..20 {
        let want = match x {
            0 => 100,
            1 | 2 => 200,
            3..=9 => 300,
            -5..0 => 400,
            n => n * 2,
        };
        assert_eq!(grade.call(x), want);
    }

    let early = jit()
        .compile(tick!(|x: i32| -> i32 {
            if x < 0 {
                return -1;
            }
            let y = if x > 10 { x } else { x * 2 };
            y + 1
        }))
        .unwrap();
    for x in [-3, 0, 5, 10, 11] {
        assert_eq!(
            early.call(x),
            if x < 0 {
                -1
            } else if x > 10 {
                x + 1
            } else {
                x * 2 + 1
            }
        );
    }
    let inc = jit()
        .compile(tick!(|n: u8| -> u32 {
            let mut s = 0u32;
            for i in 0..=n {
                s += i as u32;
            }
            s
        }))
        .unwrap();
    assert_eq!(inc.call(255), 255 * 128);
    let cont = jit()
        .compile(tick!(|n: i32| -> i32 {
            let mut s = 0;
            for i in 0..n {
                if i % 3 == 0 {
                    continue;
                }
                s += i;
            }
            s
        }))
        .unwrap();
    assert_eq!(cont.call(10), 1 + 2 + 4 + 5 + 7 + 8);
}

#[test]
fn booleans() {
    let f = jit()
        .compile(tick!(|a: i64, b: i64, c: i64| -> bool { (a < b && b <= c) || !(a != c) && (b > 3) == (c > 3) }))
        .unwrap();
    for a in -2..6 {
        for b in -2..6 {
            for c in -2..6 {
                assert_eq!(f.call(a, b, c), (a < b && b <= c) || !(a != c) && (b > 3) == (c > 3));
            }
        }
    }
    let g = jit().compile(tick!(|a: bool, b: bool| -> bool { a & !b | (a ^ b) })).unwrap();
    for a in [false, true] {
        for b in [false, true] {
            assert_eq!(g.call(a, b), a & !b | (a ^ b));
        }
    }
}

#[test]
fn floats() {
    let f = jit()
        .compile(tick!(|a: f64, b: f64| -> f64 {
            (a + b) * (a - b) / 2.0 + a.min(b) - b.max(a).sqrt().floor() + -a.abs()
        }))
        .unwrap();
    for (a, b) in [(1.5, 2.5), (-3.0, 9.75), (0.0, -0.0), (1e300, 7.0)] {
        let (a, b): (f64, f64) = (a, b);
        let want = (a + b) * (a - b) / 2.0 + a.min(b) - b.max(a).sqrt().floor() + -a.abs();
        assert_eq!(f.call(a, b).to_bits(), want.to_bits(), "{a} {b}");
    }
    let less = jit()
        .compile(tick!(|a: f32, b: f32| -> i32 {
            let mut r = 0;
            if a < b {
                r += 1;
            }
            if a <= b {
                r += 2;
            }
            if a == b {
                r += 4;
            }
            if a != b {
                r += 8;
            }
            if a > b {
                r += 16;
            }
            if !(a >= b) {
                r += 32;
            }
            r
        }))
        .unwrap();
    for a in [0.0f32, 1.0, -1.0, f32::NAN, f32::INFINITY] {
        for b in [0.0f32, 1.0, -0.0, f32::NAN] {
            let mut r = 0;
            if a < b {
                r += 1;
            }
            if a <= b {
                r += 2;
            }
            if a == b {
                r += 4;
            }
            if a != b {
                r += 8;
            }
            if a > b {
                r += 16;
            }
            if !(a >= b) {
                r += 32;
            }
            assert_eq!(less.call(a, b), r, "{a} {b}");
        }
    }
    let rem = jit().compile(tick!(|a: f64, b: f64| -> f64 { a % b + a })).unwrap();
    assert_eq!(rem.call(7.5, 2.0), 9.0);
}

#[test]
fn casts() {
    fn both_nan<T: PartialOrd>(a: T, b: T) -> bool {
        a.partial_cmp(&a).is_none() && b.partial_cmp(&b).is_none()
    }
    macro_rules! check {
        ($($from:ident $values:expr => $($to:ident)*;)*) => {$($({
            let f = jit().compile(tick!(|a: $from| -> $to { a as $to })).unwrap();
            for v in $values {
                let (got, want) = (f.call(v), v as $to);
                // Which NaN comes out is nobody's promise.
                let same = Scalar::to_bits(got) == Scalar::to_bits(want) || both_nan(got, want);
                assert!(same, "{v} as {}: {got}, not {want}\n{}", stringify!($from => $to), f.disassemble());
            }
        })*)*};
    }
    use tickc::Scalar;
    check! {
        i8 [0i8, 1, -1, 127, -128] => i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 isize usize;
        u8 [0u8, 1, 255, 128] => i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 isize usize;
        i16 [0i16, 1, -1, 32767, -32768, 300] => i8 i16 i32 i64 u8 u16 u32 u64 f32 f64;
        u16 [0u16, 1, 65535, 300] => i8 i16 i32 i64 u8 u16 u32 u64 f32 f64;
        i32 [0i32, 1, -1, i32::MAX, i32::MIN, 70000] => i8 i16 i32 i64 u8 u16 u32 u64 f32 f64;
        u32 [0u32, 1, u32::MAX, 70000, 1 << 31] => i8 i16 i32 i64 u8 u16 u32 u64 f32 f64;
        i64 [0i64, 1, -1, i64::MAX, i64::MIN, 1 << 40] => i8 i16 i32 i64 u8 u16 u32 u64 f32 f64;
        u64 [0u64, 1, u64::MAX, 1 << 40, 1 << 63, (1 << 63) + 1025] => i8 i16 i32 i64 u8 u16 u32 u64 f32 f64;
        f32 [0.0f32, -0.0, 1.5, -1.5, 1e10, -1e10, 1e20, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 255.9, 256.0] => i8 i16 i32 i64 u8 u16 u32 u64 f64;
        f64 [0.0f64, -0.0, 1.5, -1.5, 1e10, -1e10, 1e20, 9.3e18, 1.8e19, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.9] => i8 i16 i32 i64 u8 u16 u32 u64 f32;
    }
    let b = jit().compile(tick!(|a: bool, n: i32| -> i64 { a as i64 + (n > 3) as i64 * 10 })).unwrap();
    assert_eq!(b.call(true, 4), 11);
}

#[test]
fn records_and_slices() {
    let f = jit()
        .compile(tick!(|p: Ref<Point>| -> f64 {
            let s = p.x + p.y as i64 + p.a[3] as i64 + p.inner.k as i64;
            if p.flag { s as f64 + p.w + p.inner.v as f64 } else { 0.0 }
        }))
        .unwrap();
    assert_eq!(f.call(&point()), (-5 + 7 + 60000 + 200) as f64 + 2.5 + 0.5);

    let g = jit()
        .compile(tick!(|ps: SliceMut<Point>, i: usize, k: usize| {
            ps[i].x += 10;
            ps[i].a[k] = ps[i].a[k] * 2;
            ps[i].inner.v *= 4.0;
            ps[i].flag = ps[i].x > 3;
        }))
        .unwrap();
    let mut ps = [point(), point()];
    g.call(&mut ps, 1, 2);
    assert_eq!((ps[1].x, ps[1].a[2], ps[1].inner.v, ps[1].flag), (5, 6, 2.0, true));
    assert_eq!(ps[0].x, -5);
    assert!(matches!(g.try_call(&mut ps, 2, 0), Err(Trap::IndexOutOfBounds)));
    assert!(matches!(g.try_call(&mut ps, 0, 4), Err(Trap::IndexOutOfBounds)));

    let table: Arc<[i32]> = Arc::from([10, 20, 30]);
    let h = jit().compile(tick!(|i: usize| -> i32 { $table[i] + $table.len() as i32 })).unwrap();
    drop(table);
    assert_eq!(h.call(2), 33);
    assert!(h.try_call(3).is_err());
}

extern "C" fn add3(a: i64, b: i64, c: i64) -> i64 {
    a * 100 + b * 10 + c
}
extern "C" fn many(a: i64, b: f64, c: i32, d: f32, e: u8, f: i64, g: i64, h: i64, i: f64, j: i16) -> f64 {
    a as f64
        + b * 2.0
        + c as f64 * 3.0
        + d as f64 * 4.0
        + e as f64 * 5.0
        + (f * 6 + g * 7 + h * 8) as f64
        + i * 9.0
        + j as f64 * 10.0
}

#[test]
#[cfg_attr(miri, ignore = "calls native functions")]
fn calls() {
    let f = jit().compile(tick!(|x: i64, y: i64| -> i64 { x + add3(y, x, 3) * y + x })).unwrap();
    assert_eq!(f.call(4, 5), 4 + 543 * 5 + 4);
    let g = jit()
        .compile(tick!(|x: i64, y: f64, z: f32, b: u8| -> f64 {
            y + many(x, y, x as i32 + 1, z, b, x + 2, x + 3, x + 4, y * 2.0, -7) + y
        }))
        .unwrap();
    assert_eq!(g.call(1, 2.0, 3.0, 250), 4.0 + many(1, 2.0, 2, 3.0, 250, 3, 4, 5, 4.0, -7));
    let fib = jit()
        .compile(tick!(
            fn fib(n: i64) -> i64 {
                if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
            }
        ))
        .unwrap();
    assert_eq!(fib.call(20), 6765);
    println!("{}", fib.disassemble());
    let forever = jit()
        .compile(tick!(
            fn forever(n: i64) -> i64 {
                forever(n + 1) + 1
            }
        ))
        .unwrap();
    assert!(matches!(forever.try_call(0), Err(Trap::StackOverflow)));
    let twice = jit().compile(tick!(|n: i64| -> i64 { $fib(n) * 2 + $f(n, n) })).unwrap();
    drop((fib, f));
    assert_eq!(twice.call(10), 110 + 10 + (1000 + 100 + 3) * 10 + 10);
    let twelve = jit()
        .compile(tick!(|a: i32,
                        b: i32,
                        c: i32,
                        d: i32,
                        e: i32,
                        f: i32,
                        g: i32,
                        h: i32,
                        i: i32,
                        j: f64,
                        k: u8,
                        l: i64|
         -> i64 {
            (a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8 + i * 9) as i64
                + j as i64 * 10
                + k as i64 * 11
                + l * 12
        }))
        .unwrap();
    assert_eq!(twelve.call(1, 2, 3, 4, 5, 6, 7, 8, 9, 10.0, 11, 12), (1..=12).map(|x| x * x).sum::<i64>());
}

#[test]
fn locals_and_composition() {
    let sum = Var::<i64>::local();
    let add = |n: i64| tick!(@sum += $n);
    let (one, two) = (add(1), add(2));
    let f = jit().compile(tick!(|| -> i64 { @one; @two; @one; @sum })).unwrap();
    assert_eq!((f.call(), f.call()), (4, 4));
    let v = Var::<i32>::local();
    let g =
        jit().compile(tick!(|n: i32| -> i32 { for i in 0..n { if i == 2 { @v = @v + 10; } @v += 1; } @v })).unwrap();
    assert_eq!((g.call(5), g.call(1)), (15, 1));
    let x = 5;
    let order = jit().compile(tick!(|y: i32| -> i32 { let mut z = y; z + { z = $x; z } * 10 + z })).unwrap();
    assert_eq!(order.call(1), 1 + 50 + 5);
    let values = vec![3i64, 1, 4, 1, 5];
    let h = jit()
        .compile(tick!(|p: Slice<i64>| -> i64 {
            let mut s = 0;
            for (i, v) in $(values.iter().enumerate()) { if $(*v != 1) { s += p[i] * $(*v) } }
            s
        }))
        .unwrap();
    assert_eq!(h.call(&[1, 2, 3, 4, 5]), 3 + 12 + 25);
}

#[test]
fn errors() {
    let e = jit().compile(tick!(|| -> i32 { @(Code::fail("nope")) })).unwrap_err();
    assert_eq!(e.to_string(), "nope");
    let bad: Code<()> = tick!(return 1u8);
    assert!(matches!(jit().compile(tick!(|| -> i32 { @bad; 3 })), Err(Error::ReturnType { .. })));
    let mut chain = tick!(1i64);
    for _ in 0..if cfg!(miri) { 5_000 } else { 1_000_000 } {
        chain = tick!(@chain + 1);
    }
    assert!(matches!(jit().compile(tick!(|| -> i64 { @chain })), Err(Error::NestingTooDeep { .. })));
    drop(chain);
    let escaped = std::cell::Cell::new(None);
    let _ = jit().compile(tick!(|x: i64| { @({ escaped.set(Some(x)); tick!(()) }) })).unwrap();
    let stale = escaped.get().unwrap();
    assert!(matches!(jit().compile(tick!(|| -> i64 { @stale })), Err(Error::VariableOutOfScope { .. })));
}

#[test]
fn bits_compared_with_constants() {
    macro_rules! check {
        ($($t:ident)*) => {$({
            let f = jit()
                .compile(tick!(|x: $t, m: $t| -> u32 {
                    let mut r = 0u32;
                    if x & 1 == 1 { r |= 1 }
                    if x & 1 != 1 { r |= 2 }
                    if x & 4 == 0 { r |= 4 }
                    if x & 6 != 0 { r |= 8 }
                    if x & 6 == 6 { r |= 16 }
                    if x & 6 == 4 { r |= 32 }
                    if x & m == 0 { r |= 64 }
                    if m & x != 3 { r |= 128 }
                    if x & $t::MIN == 0 { r |= 256 }
                    if x & $t::MAX != 0 { r |= 512 }
                    if x & 0 == 0 { r |= 1024 }
                    if x & 1 == 2 { r |= 2048 }
                    r
                }))
                .unwrap();
            for x in [0, 1, 2, 3, 4, 5, 6, 7, 100, $t::MIN, $t::MAX, $t::MAX - 1] {
                for m in [0, 1, 3, 7, $t::MAX] {
                    let mut r = 0u32;
                    for (bit, holds) in [
                        x & 1 == 1, x & 1 != 1, x & 4 == 0, x & 6 != 0, x & 6 == 6, x & 6 == 4, x & m == 0, m & x != 3,
                        x & $t::MIN == 0, x & $t::MAX != 0, true, false,
                    ].into_iter().enumerate() {
                        r |= u32::from(holds) << bit;
                    }
                    assert_eq!(f.call(x, m), r, "{x} {m}\n{}", f.disassemble());
                }
            }
        })*};
    }
    check!(i8 u8 i16 u16 i32 u32 i64 u64);
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

#[test]
fn power_by_recursive_composition_is_seven_instructions() {
    for n in 0..40 {
        let f: Func<fn(i64) -> i64> = jit().compile(tick!(|x: i64| -> i64 { @(power(x, n)) })).unwrap();
        for x in [0, 1, -1, 2, 3, 10] {
            assert_eq!(f.call(x), (0..n).fold(1i64, |p, _| p.wrapping_mul(x)));
        }
        if n == 13 && support::tier() == Tier::OnePass {
            assert_eq!(f.stats().instructions, 7, "{}", f.disassemble());
        }
    }
}

#[test]
fn euclidean_division() {
    let f = jit().compile(tick!(|a: i32, b: i32| -> i32 { a.div_euclid(b) * 1000 + a.rem_euclid(b) })).unwrap();
    let g = jit().compile(tick!(|a: u8, b: u8| -> u8 { a.div_euclid(b) ^ a.rem_euclid(b) })).unwrap();
    for a in -9..=9 {
        for b in (-4..=4).filter(|b| *b != 0) {
            assert_eq!(f.call(a, b), a.div_euclid(b) * 1000 + a.rem_euclid(b), "{a} {b}");
        }
    }
    assert!(matches!(f.try_call(i32::MIN, -1), Err(Trap::DivisionOverflow)));
    assert_eq!(g.call(200, 7), 28 ^ 4);
}

#[test]
fn loops_unrolled_by_a_factor() {
    macro_rules! check {
        ($($t:ident)*) => {$({
            for factor in [0u32, 1, 2, 3, 4, 8, 200, 300] {
                let open = jit()
                    .compile(tick!(|a: $t, b: $t| -> u64 {
                        let mut n = 0u64;
                        for i in unroll(lift!(factor), a..b) {
                            if i & 7 == 5 { continue }
                            n = n * 31 + i as u64;
                            if n & 1023 == 77 { break }
                        }
                        n
                    }))
                    .unwrap();
                let closed = jit()
                    .compile(tick!(|a: $t, b: $t| -> u64 {
                        let mut n = 0u64;
                        for mut i in unroll(lift!(factor), a..=b) {
                            i = i + 1;
                            n = n * 31 + i as u64;
                        }
                        n
                    }))
                    .unwrap();
                for a in [0 as $t, 1, 5, 100, $t::MAX - 1, $t::MAX, $t::MIN, $t::MIN + 1] {
                    for b in (0..20).map(|k| a.wrapping_add(k)).chain([a.wrapping_sub(1), a.saturating_add(100)]) {
                        let mut n = 0u64;
                        for i in a..b {
                            if i & 7 == 5 { continue }
                            n = n.wrapping_mul(31).wrapping_add(i as u64);
                            if n & 1023 == 77 { break }
                        }
                        assert_eq!(open.call(a, b), n, "{factor} {a} {b}\n{}", open.disassemble());
                        if (a..=b).take(1000).count() == 1000 { continue }
                        let n = (a..=b).fold(0u64, |n, i| n.wrapping_mul(31).wrapping_add(i.wrapping_add(1) as u64));
                        assert_eq!(closed.call(a, b), n, "{factor} {a} {b}\n{}", closed.disassemble());
                    }
                }
            }
        })*};
    }
    check!(u8 i8 i32 u64 i64 usize);
    // Both bounds known: all copies, or rounds and what is left, where `i` is a constant.
    for factor in 0..14usize {
        for (from, to) in [(0, 0), (3, 3), (5, 2), (0, 1), (2, 14), (0, 12), (250, 255)] {
            let (from, to): (u8, u8) = (from, to);
            let f = jit()
                .compile(tick!(|p: Slice<i64>| -> i64 {
                    let mut s = 0;
                    for i in unroll($factor, $from..$to) { s = s * 3 + p[i as usize] * (i as i64 + 1) }
                    for i in unroll($factor, $from..=$to) { s = s * 5 + i as i64 }
                    for i in unroll($factor, $from..$to) { s += @({ let twice: Code<i64> = tick!((@i * 2) as i64); twice }) }
                    s
                }))
                .unwrap();
            let data: Vec<i64> = (0..256).map(|i| i * i).collect();
            let mut s = 0i64;
            for i in from..to {
                s = s.wrapping_mul(3).wrapping_add(data[i as usize] * (i as i64 + 1))
            }
            for i in from..=to {
                s = s.wrapping_mul(5).wrapping_add(i as i64)
            }
            for i in from..to {
                s = s.wrapping_add(i.wrapping_mul(2) as i64)
            }
            assert_eq!(f.call(&data), s, "{factor} {from} {to}\n{}", f.disassemble());
        }
    }
    let whole = jit()
        .compile(tick!(|p: Slice<i64>| -> i64 {
            let mut s = 0;
            for i in unroll(3, 0..p.len()) {
                s += p[i]
            }
            s
        }))
        .unwrap();
    for n in 0..12 {
        assert_eq!(whole.call(&vec![7; n]), 7 * n as i64);
    }
    let endless = jit().compile(tick!(|| { for _ in unroll(u64::MAX, 0..u64::MAX) {} }));
    assert!(matches!(endless, Err(Error::TooManyFragments { .. })), "{endless:?}");
}

#[test]
fn unrolled_loops_read_captured_tables() {
    let weights: Arc<[i64]> = Arc::from([3, 0, -1, 8]);
    let rows: &'static [Point] = Box::leak(Box::new([point(), Point { x: 9, ..point() }]));
    let f = jit()
        .compile(tick!(|p: Slice<i64>| -> i64 {
            let table = $weights;
            let mut s = 0;
            for i in unroll(100, 0..table.len()) {
                for j in unroll(100, 0..2usize) {
                    s += p[i] * table[i] * $rows[j].x * $rows[j].a[1] as i64;
                }
            }
            s + $weights[3] + { let part = &table[1..]; part[1] }
        }))
        .unwrap();
    let p = [10, 20, 30, 40];
    let mut s = 0;
    for i in 0..4 {
        for row in rows {
            s += p[i] * weights[i] * row.x * row.a[1] as i64;
        }
    }
    assert_eq!(f.call(&p), s + 8 - 1);
    if support::tier() == Tier::OnePass {
        let text = f.disassemble();
        // Nothing is left of the tables: every load is one of the parameter, and zeros have vanished.
        assert!(
            text.lines().all(|line| !line.contains('[') || line.contains("[rdi") || line.contains("lea")),
            "{text}"
        );
        assert_eq!(text.matches("[rdi+8]").count(), 0, "{text}");
    }
    let beyond = jit().compile(tick!(|| -> i64 { $weights[4] + { let part = &$weights[2..9]; part[1] } })).unwrap();
    assert!(matches!(beyond.try_call(), Err(Trap::IndexOutOfBounds)));
}

/// What the code of a function has to be.
macro_rules! code_is {
    ($($staged:expr => $text:expr;)*) => {$({
        let f = jit().compile($staged).unwrap();
        let text: Vec<String> = f.disassemble().lines().map(|line| line[7..].to_string()).collect();
        assert_eq!(text.join("; "), $text, "{}", stringify!($staged));
    })*};
}

#[test]
fn identities_leave_no_code() {
    if support::tier() != Tier::OnePass {
        return; // This looks at machine code.
    }
    let (zero, one, minus_one) = (0i64, 1i64, -1i64);
    code_is! {
        tick!(|x: i64| -> i64 { x * $one + $zero - $zero }) => "mov rax,rdi; ret";
        tick!(|x: i64| -> i64 { x * $minus_one }) => "neg rdi; mov rax,rdi; ret";
        tick!(|x: i64| -> i64 { ($zero - x) ^ $minus_one }) => "neg rdi; not rdi; mov rax,rdi; ret";
        tick!(|x: i64| -> i64 { (x * $zero) | (x & $zero) }) => "xor eax,eax; ret";
        tick!(|x: i64| -> i64 { x | $minus_one }) => "mov rax,0FFFFFFFFFFFFFFFFh; ret";
        tick!(|x: i64| -> i64 { x - x + (x ^ x) }) => "xor eax,eax; ret";
        tick!(|x: i64| -> i64 { (x & x) | x }) => "mov rax,rdi; ret";
        tick!(|x: i64, y: i64| -> i64 { if x == x && y <= y && !(x < x) { y } else { x / y } }) => "mov rax,rsi; ret";
        tick!(|x: u8| -> u8 { if x < 0 { 9 } else { x & 255 } }) => "mov eax,edi; ret";
        tick!(|x: i64| -> i64 { ($zero << x) + ($zero >> x) }) => "xor eax,eax; ret";
        tick!(|x: f64| -> f64 { x * 1.0 / 1.0 - 0.0 }) => "ret";
        tick!(|x: u32| -> u32 { x.min(u32::MAX).max(0) }) => "mov eax,edi; ret";
    }
    let halves = jit().compile(tick!(|x: f64| -> f64 { x / 8.0 })).unwrap();
    assert!(!halves.disassemble().contains("div"), "{}", halves.disassemble());
    // A division keeps its trap.
    let traps = jit().compile(tick!(|x: i64| -> i64 { (x / $minus_one) * 0 })).unwrap();
    assert_eq!(traps.call(5), 0);
    assert!(matches!(traps.try_call(i64::MIN), Err(Trap::DivisionOverflow)));
    // Floats are not what they are: NaN, and zeros with a sign.
    let floats = jit()
        .compile(tick!(|x: f64| -> u64 { (x == x) as u64 + (x - x == 0.0) as u64 * 2 + (x * 0.0 == 0.0) as u64 * 4 }))
        .unwrap();
    assert_eq!((floats.call(1.5), floats.call(f64::NAN), floats.call(f64::INFINITY)), (7, 0, 1));
    let zeros = jit().compile(tick!(|x: f64| -> f64 { x + 0.0 })).unwrap();
    assert_eq!(zeros.call(-0.0).to_bits(), 0);
}

#[test]
fn constant_conditions_within_logic() {
    let (yes, no) = (true, false);
    let unused = |v: Var<i64>| -> Code<i64> { tick!(@v + 77777) };
    let f = jit()
        .compile(tick!(|x: i64| -> i64 {
            let mut n = 0;
            if $no && x > 3 || $yes && x > 5 { n += 1 }
            if x > 3 && $no { n = @(unused(n)) }
            if (x > 3 || $yes) && { n += 2; true } { n += 4 } else { n = @(unused(n)) }
            if { n += 8; x > 3 } && $no || x == 1 { n += 16 }
            n
        }))
        .unwrap();
    for x in [0, 1, 4, 6] {
        assert_eq!(f.call(x), (x > 5) as i64 + 2 + 4 + 8 + if x == 1 { 16 } else { 0 });
    }
    assert!(!f.disassemble().contains("12FD1h"), "{}", f.disassemble());
}

#[test]
fn dispatch_by_table_and_by_tree() {
    if support::tier() != Tier::OnePass {
        return; // This looks at machine code.
    }
    let dense = jit()
        .compile(tick!(|x: u32| -> u32 {
            match x {
                0 => 7,
                1 => 3,
                2 => 9,
                3 => 1,
                4 => 5,
                5 => 8,
                _ => 0,
            }
        }))
        .unwrap();
    let text = dense.disassemble();
    assert_eq!(text.matches("cmp").count(), 1, "{text}");
    assert!(text.contains("jmp rax") || text.contains("jmp rcx"), "{text}");
    assert!(dense.stats().bytes > text.lines().count() + 24);
    assert_eq!((0..8).map(|x| dense.call(x)).collect::<Vec<_>>(), [7, 3, 9, 1, 5, 8, 0, 0]);
    // A thousand cases far apart: ten comparisons each.
    let cases = jit()
        .compile(tick!(|x: u64| -> u64 {
            match x {
                1_000 => 1,
                2_000_000 => 2,
                3_000_000_000 => 3,
                4_000_000_000_000 => 4,
                5_000_000_000_000_000 => 5,
                6 => 6,
                70_000 => 7,
                8_000_000 => 8,
                _ => 9,
            }
        }))
        .unwrap();
    assert!(!cases.disassemble().contains("movsxd"), "{}", cases.disassemble());
    for (k, x) in
        [1_000u64, 2_000_000, 3_000_000_000, 4_000_000_000_000, 5_000_000_000_000_000, 6, 70_000, 8_000_000, 5]
            .into_iter()
            .enumerate()
    {
        assert_eq!(cases.call(x), k as u64 + 1);
    }
}

#[test]
fn near_backward_jumps_take_two_bytes() {
    if support::tier() != Tier::OnePass {
        return; // This looks at machine code.
    }
    let f = jit()
        .compile(tick!(|n: i64| -> i64 {
            let mut s = 0;
            for i in 0..n {
                s ^= i
            }
            s
        }))
        .unwrap();
    let code = f.disassemble();
    let offsets: Vec<usize> = code.lines().map(|line| usize::from_str_radix(line[..5].trim(), 16).unwrap()).collect();
    let back = code.lines().position(|line| line.contains("jl ")).unwrap();
    assert_eq!(offsets[back + 1] - offsets[back], 2, "{code}");
    assert_eq!(f.call(1000), (0..1000).fold(0, |s, i| s ^ i));
}

#[test]
fn parts_of_arrays_and_of_slices_of_records() {
    let f = jit()
        .compile(tick!(|p: RefMut<Point>, ps: Slice<Point>, i: usize| -> i64 {
            let part = &p.a[1..3];
            let tail = &mut p.a[i..];
            tail[0] += 5;
            let rest = &ps[1..];
            part[0] as i64
                + part.len() as i64 * 10
                + tail.len() as i64 * 100
                + rest[0].inner.k as i64 * 1000
                + rest[0].a[2..][1] as i64
        }))
        .unwrap();
    let expected = |p: &mut Point, ps: &[Point], i: usize| {
        p.a[i] += 5;
        let (part, rest) = (&p.a[1..3], &ps[1..]);
        part[0] as i64
            + part.len() as i64 * 10
            + p.a[i..].len() as i64 * 100
            + rest[0].inner.k as i64 * 1000
            + rest[0].a[2..][1] as i64
    };
    for i in 0..4 {
        let (mut p, mut q) = (point(), point());
        let ps = [point(), Point { inner: Inner { k: 7, v: 0.0 }, ..point() }];
        assert_eq!(f.call(&mut p, &ps, i), expected(&mut q, &ps, i), "{i}");
        assert_eq!(p.a, q.a);
    }
    assert!(matches!(f.try_call(&mut point(), &[point(), point()], 5), Err(Trap::IndexOutOfBounds)));
    assert!(matches!(f.try_call(&mut point(), &[], 0), Err(Trap::IndexOutOfBounds)));
    // A part is a slice like any other: it can be passed on, assigned, and chosen.
    let sum = jit()
        .compile(tick!(|s: Slice<i64>| -> i64 {
            let mut n = 0;
            for i in 0..s.len() {
                n += s[i]
            }
            n
        }))
        .unwrap();
    let halves = jit()
        .compile(tick!(|s: Slice<i64>, k: usize| -> i64 {
            let mut chosen = &s[..k];
            let first = $sum(chosen);
            if first < 10 {
                chosen = &s[k..];
            }
            first * 1000 + $sum(chosen) * 10 + $sum(if k > 2 { &s[k - 1..=k] } else { &chosen[..0] })
        }))
        .unwrap();
    let data = [1, 2, 3, 4, 50];
    for k in 0..5 {
        let first: i64 = data[..k].iter().sum();
        let chosen: i64 = if first < 10 { data[k..].iter().sum() } else { first };
        let pair: i64 = if k > 2 { data[k - 1..=k].iter().sum() } else { 0 };
        assert_eq!(halves.call(&data, k), first * 1000 + chosen * 10 + pair, "{k}\n{}", halves.disassemble());
    }
    assert!(halves.try_call(&data, 6).is_err());
}

#[test]
fn unroll_is_only_a_word_in_the_head_of_a_for() {
    let unroll = 3i64;
    let f = jit().compile(tick!(|n: i64| -> i64 { let unroll = n * $unroll; unroll + 1 })).unwrap();
    assert_eq!(f.call(5), 16);
}
