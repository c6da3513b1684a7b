//! Calls of dynamic code by dynamic code: recursion, arguments on the stack, traps on the way.
#![forbid(unsafe_code)]
#[path = "../support/mod.rs"]
mod support;

use support::jit;
use tickc::prelude::*;

#[expect(clippy::too_many_arguments, reason = "more than there are registers")]
fn wide(n: i64, a: i64, b: u8, c: i32, d: i16, e: u64, s: &[i64], x: f64, y: f32, z: i8) -> i64 {
    if n == 0 {
        return (a.wrapping_add(i64::from(b)).wrapping_mul(3) ^ i64::from(c))
            + i64::from(d)
            + e as i64
            + s[(a & 3) as usize]
            + x as i64
            - y as i64
            + i64::from(z);
    }
    let k = a ^ n;
    let deeper = wide(
        n - 1,
        k,
        b.wrapping_add(c as u8),
        c.wrapping_mul(3),
        d ^ i16::from(z),
        e + 1,
        s,
        x * 0.5 + f64::from(y),
        y + 1.0,
        z.wrapping_neg(),
    );
    let again = if n & 1 == 0 {
        wide(0, n, z as u8, d.into(), c as i16, k as u64 & 15, s, f64::from(y), x as f32, b as i8)
    } else {
        k
    };
    deeper.wrapping_mul(7).wrapping_add(again) ^ k.wrapping_add(a) ^ s[(n & 3) as usize]
}

#[test]
#[cfg_attr(miri, ignore = "recursion until the stack is used up takes too long")]
fn recursion_with_arguments_and_the_stack_limit_on_the_stack() {
    let f = jit()
        .compile(tick!(
            fn wide(n: i64, a: i64, b: u8, c: i32, d: i16, e: u64, s: Slice<i64>, x: f64, y: f32, z: i8) -> i64 {
                if n == 0 {
                    return ((a + b as i64) * 3 ^ c as i64) + d as i64 + e as i64 + s[(a & 3) as usize] + x as i64
                        - y as i64
                        + z as i64;
                }
                let k = a ^ n;
                let deeper = wide(
                    n - 1,
                    k,
                    b + c as u8,
                    c * 3,
                    d ^ z as i16,
                    e + 1,
                    s,
                    x * 0.5 + y as f64,
                    y + 1.0,
                    z.wrapping_neg(),
                );
                let again = if n & 1 == 0 {
                    wide(0, n, z as u8, d as i32, c as i16, k as u64 & 15, s, y as f64, x as f32, b as i8)
                } else {
                    k
                };
                deeper * 7 + again ^ k + a ^ s[(n & 3) as usize]
            }
        ))
        .unwrap();
    let s = [5, -6, 7, 1 << 40];
    for n in 0..20 {
        let want = wide(n, 77, 200, -9, 300, 5, &s, 12.5, -3.5, -128);
        assert_eq!(f.call(n, 77, 200, -9, 300, 5, &s, 12.5, -3.5, -128), want, "{n}\n{}", f.disassemble());
    }
    assert!(matches!(f.try_call(10_000_000, 1, 2, 3, 4, 5, &s, 0.0, 0.0, 0), Err(Trap::StackOverflow)));
    assert!(matches!(f.try_call(9, 1, 2, 3, 4, 5, &s[..1], 0.0, 0.0, 0), Err(Trap::IndexOutOfBounds)));
    assert_eq!(
        f.call(3, 77, 200, -9, 300, 5, &s, 12.5, -3.5, -128),
        wide(3, 77, 200, -9, 300, 5, &s, 12.5, -3.5, -128)
    );
}

#[test]
fn traps_pass_through_callers_of_every_kind() {
    let inner = jit().compile(tick!(|a: i64, b: i64| -> f64 { (a / b) as f64 })).unwrap();
    let second = jit()
        .compile(tick!(|a: i32, x: f64| -> i32 {
            if x < 0.0 {
                trap(a as u32)
            }
            a + x as i32
        }))
        .unwrap();
    let f = jit()
        .compile(tick!(|a: i64, b: i64, c: i32, x: f64, s: SliceMut<f64>| -> f64 {
            let p = x * 2.0;
            let q = a + b;
            s[0] = p + $inner(a, b) * $inner(q, b + 1) + x;
            let r = $second(c, s[0]) + c * $second(c + 1, x);
            s[1] = r as f64;
            $inner(b, a) - p + (q * r as i64) as f64
        }))
        .unwrap();
    let in_rust = |a: i64, b: i64, c: i32, x: f64, s: &mut [f64]| -> Result<f64, u64> {
        let inner = |a: i64, b: i64| a.checked_div(b).map(|q| q as f64).ok_or(if b == 0 { 1u64 } else { 2 });
        let second = |a: i32, x: f64| if x < 0.0 { Err(1000 + u64::from(a as u32)) } else { Ok(a + x as i32) };
        let (p, q) = (x * 2.0, a.wrapping_add(b));
        s[0] = p + inner(a, b)? * inner(q, b + 1)? + x;
        let r = second(c, s[0])? + c * second(c + 1, x)?;
        s[1] = f64::from(r);
        Ok(inner(b, a)? - p + (q * i64::from(r)) as f64)
    };
    for a in [0, 6, -1, 100] {
        for b in [0, 3, -1, 7] {
            for (c, x) in [(1, 0.5), (9, -1.0), (-4, 1e3)] {
                let (mut s, mut t) = ([0.0; 2], [0.0; 2]);
                let got = f.try_call(a, b, c, x, &mut s).map_err(|trap| match trap {
                    Trap::DivisionByZero => 1,
                    Trap::DivisionOverflow => 2,
                    Trap::Code(code) => 1000 + u64::from(code),
                    other => panic!("{other}"),
                });
                assert_eq!((got, s), (in_rust(a, b, c, x, &mut t), t), "{a} {b} {c} {x}");
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "recursion until the stack is used up takes too long")]
fn stack_overflow_in_functions_of_floats_and_of_nothing() {
    let f = jit()
        .compile(tick!(
            fn f(n: i64, x: f64) -> f64 {
                if n == 0 { x } else { f(n - 1, x + 1.0) * 0.5 + x }
            }
        ))
        .unwrap();
    assert!(matches!(f.try_call(-1, 0.0), Err(Trap::StackOverflow)));
    fn want(n: i64, x: f64) -> f64 {
        if n == 0 { x } else { want(n - 1, x + 1.0) * 0.5 + x }
    }
    assert_eq!(f.call(100, 1.5), want(100, 1.5));
    let g = jit()
        .compile(tick!(
            fn g(s: SliceMut<i64>, n: usize) {
                s[n & 3] += 1;
                if n > 0 {
                    g(s, n - 1);
                    s[0] += s[n & 3];
                }
            }
        ))
        .unwrap();
    fn direct(s: &mut [i64], n: usize) {
        s[n & 3] += 1;
        if n > 0 {
            direct(s, n - 1);
            s[0] += s[n & 3];
        }
    }
    let (mut s, mut t) = ([1, 2, 3, 4], [1, 2, 3, 4]);
    g.call(&mut s, 20);
    direct(&mut t, 20);
    assert_eq!(s, t);
    assert!(matches!(g.try_call(&mut s, usize::MAX), Err(Trap::StackOverflow)));
    let h = jit()
        .compile(
            tick!(|n: i64, x: f64| -> f64 { let y = x + 1.0; let k = n * 3; $f(n, y) + $f(n / 2, x) * y + k as f64 }),
        )
        .unwrap();
    assert_eq!(h.call(40, 2.0), want(40, 3.0) + want(20, 2.0) * 3.0 + 120.0);
    assert!(matches!(h.try_call(-5, 2.0), Err(Trap::StackOverflow)));
}

#[test]
#[cfg_attr(miri, ignore = "calls native functions")]
fn arguments_that_change_places() {
    extern "C" fn mix(a: i64, b: i64, c: i64, d: i64, e: i64, f: i64, g: i64, h: i64) -> i64 {
        [a, b, c, d, e, f, g, h].iter().fold(0, |s: i64, &v| s.wrapping_mul(10).wrapping_add(v))
    }
    extern "C" fn mix_floats(a: f64, b: f64, c: f64, d: f32, e: f64, f: f64, g: f64, h: f64, i: f64, j: f32) -> f64 {
        [a, b, c, d.into(), e, f, g, h, i, j.into()].iter().fold(0.0, |s, &v| s * 10.0 + v)
    }
    let f = jit()
        .compile(tick!(|a: i64, b: i64, c: i64, d: i64, e: i64, f: i64| -> i64 {
            mix(b, c, d, e, f, a, a, b) * 3
                + mix(f, e, d, c, b, a, 7, c)
                + mix(b, a, d, c, f, e, e, d)
                + mix(a, a, b, b, c, c, d + 1, a * b)
        }))
        .unwrap();
    let want = mix(2, 3, 4, 5, 6, 1, 1, 2) * 3
        + mix(6, 5, 4, 3, 2, 1, 7, 3)
        + mix(2, 1, 4, 3, 6, 5, 5, 4)
        + mix(1, 1, 2, 2, 3, 3, 5, 2);
    assert_eq!(f.call(1, 2, 3, 4, 5, 6), want, "{}", f.disassemble());
    let g = jit()
        .compile(tick!(|a: f64, b: f64, c: f64, d: f32, e: f64, f: f64, g: f64, h: f64| -> f64 {
            mix_floats(b, c, a, d, h, g, f, e, a, d) + mix_floats(h, g, f, d, e, a, b, c, c * 2.0, d + 1.0) * a
        }))
        .unwrap();
    let want = mix_floats(2.0, 3.0, 1.0, 4.0, 8.0, 7.0, 6.0, 5.0, 1.0, 4.0)
        + mix_floats(8.0, 7.0, 6.0, 4.0, 5.0, 1.0, 2.0, 3.0, 6.0, 5.0);
    assert_eq!(g.call(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0), want, "{}", g.disassemble());
    let h = jit()
        .compile(tick!(|s: Slice<i64>, i: usize, j: usize, a: i64| -> i64 {
            mix(s[i], s[j], a, s[i + j], i as i64, j as i64, s[i] * s[j], a - s[j])
                + mix(j as i64, s[j], i as i64, a, s[i], a, a, s[0])
        }))
        .unwrap();
    let s = [3i64, 1, 4, 1, 5];
    let want = mix(1, 4, 9, 1, 1, 2, 4, 5) + mix(2, 4, 1, 9, 1, 9, 9, 3);
    assert_eq!(h.call(&s, 1, 2, 9), want, "{}", h.disassemble());
}
