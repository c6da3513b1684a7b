//! What only the Cranelift tier can get wrong: allocators, frames, relocations, memory that others see, its own storage. What all tiers
//! must do is in `every_tier`.
#![cfg(feature = "cranelift")]
#![cfg(not(miri))]
#![allow(unsafe_code, reason = "reads and writes through pointers in dynamic code")]

mod support;

use support::{alone, resident};
use tickc::prelude::*;

fn jit() -> Jit {
    Jit::builder().tier(Tier::Cranelift).build().unwrap()
}

/// A straight line of `count` operations over some variables, and what it computes.
fn straight_line(jit: &Jit, count: usize) -> Func<fn(i64) -> i64> {
    let vars: [Var<i64>; 8] = std::array::from_fn(|_| Var::local());
    jit.compile(tick!(|x: i64| -> i64 {
        for (i, v) in $(vars.into_iter().enumerate()) { @v = x + $(i as i64); }
        for i in $(0..count) { @(vars[i % 8]) = @(vars[(i + 3) % 8]) * $(i as i64 | 1) ^ @(vars[i % 8]); }
        let mut all = 0;
        for v in $(vars.into_iter()) { all ^= @v; }
        all
    }))
    .unwrap()
}

fn straight_line_in_rust(x: i64, count: usize) -> i64 {
    let mut vars: [i64; 8] = std::array::from_fn(|i| x + i as i64);
    for i in 0..count {
        vars[i % 8] ^= vars[(i + 3) % 8].wrapping_mul(i as i64 | 1);
    }
    vars.into_iter().fold(0, |all, v| all ^ v)
}

#[test]
fn long_blocks_are_allocated_in_a_single_pass_and_say_so() {
    let (jit, quick) = (jit(), Jit::builder().tier(Tier::Cranelift).cranelift_quick(true).build().unwrap());
    for (count, single_pass) in [(10, false), (5000, true)] {
        for (jit, single_pass) in [(&jit, single_pass), (&quick, false)] {
            let f = straight_line(jit, count);
            assert_eq!(f.stats().single_pass, single_pass, "{count}");
            for x in [0, -1, 77] {
                assert_eq!(f.call(x), straight_line_in_rust(x, count), "{count} {x}");
            }
        }
    }
}

#[test]
fn many_small_blocks_are_compiled_too() {
    let f = jit()
        .compile(tick!(|x: i64| -> i64 {
            let mut n = x;
            for i in $(0..3000i64) {
                if n & $(i & 7) != 0 { n = n * 3 + $i } else { n -= $i }
            }
            n
        }))
        .unwrap();
    let want = |x: i64| {
        (0..3000i64)
            .fold(x, |n, i| if n & (i & 7) != 0 { n.wrapping_mul(3).wrapping_add(i) } else { n.wrapping_sub(i) })
    };
    for x in [0, 1, -5, i64::MAX] {
        assert_eq!(f.call(x), want(x));
    }
}

#[test]
fn phases_are_told_apart() {
    let jit = Jit::builder().tier(Tier::Cranelift).stats(true).build().unwrap();
    let phases = straight_line(&jit, 20).stats().phases.unwrap();
    assert!(phases.emit > 0 && phases.lower > 0 && phases.generate > 0 && phases.publish > 0, "{phases:?}");
    assert_eq!(phases.total(), phases.emit + phases.lower + phases.generate + phases.publish);
}

/// The code, and nothing of the constants behind it, nor of the filler before it.
#[test]
fn what_is_shown_is_code() {
    let f = jit()
        .compile(tick!(
            fn f(x: f64, n: i64) -> f64 {
                if n == 0 { x * 3.125 } else { f(x + 0.1, n - 1) / 7.3 }
            }
        ))
        .unwrap();
    assert!(f.call(1.0, 3) > 0.0);
    let text = f.disassemble();
    assert!(!text.contains("(bad)") && !text.contains("nop"), "{text}");
    let first = text.lines().next().unwrap();
    assert!(first.contains("lea r11"), "the check of the stack comes first: {text}");
    assert_eq!(text.lines().count(), f.stats().instructions);
    assert!(f.stats().bytes > 0);
}

/// Volatile accesses are neither left out nor merged, though nothing else looks at them.
#[test]
fn volatile_accesses_stay() {
    let accesses = |f: &Func<fn(*mut u32) -> u32>| f.disassemble().matches("[rdi").count();
    let volatile = jit()
        .compile(tick!(|p: *mut u32| -> u32 {
            // SAFETY: the caller passes a place that may be read and written.
            unsafe {
                p.read_volatile();
                p.write_volatile(1);
                p.write_volatile(2);
                p.read_volatile() + p.read_volatile()
            }
        }))
        .unwrap();
    assert_eq!(accesses(&volatile), 5, "{}", volatile.disassemble());
    let mut cell = 9;
    assert_eq!((volatile.call(&raw mut cell), cell), (4, 2));
    let plain = jit()
        .compile(tick!(|p: *mut u32| -> u32 {
            // SAFETY: it is not called.
            unsafe {
                *p = 1;
                *p = 2;
                *p + *p
            }
        }))
        .unwrap();
    assert!(accesses(&plain) < 4, "{}", plain.disassemble());
}

/// Parameters that CLIF would pass elsewhere than C does: a slice on the stack while a register is left, with and without
/// something for the register, and the stack limit behind them.
#[test]
fn parameters_lie_where_c_has_them() {
    let last_in_register = jit()
        .compile(tick!(|a: i64, b: i64, c: i64, d: i64, e: i64, s: Slice<i64>, x: f64, g: i8, h: i64| -> i64 {
            a + b * 2 + c * 3 + d * 4 + e * 5 + s[0] * 6 + s.len() as i64 * 7 + x as i64 * 8 + g as i64 * 9 + h * 10
        }))
        .unwrap();
    let s = [11, 12];
    let want = 1 + 4 + 9 + 16 + 25 + 66 + 14 + 64 - 9 + 100;
    assert_eq!(last_in_register.call(1, 2, 3, 4, 5, &s, 8.5, -1, 10), want);
    let nothing_for_it = jit()
        .compile(tick!(
            fn f(a: i64, b: i64, c: i64, d: i64, e: i64, s: Slice<i64>) -> i64 {
                if a == 0 { s[1] + e } else { f(a - 1, b, c, d, e + b + c + d, s) }
            }
        ))
        .unwrap();
    assert_eq!(nothing_for_it.call(3, 1, 2, 3, 4, &s), 12 + 4 + 18);
    let both = jit()
        .compile(tick!(|s: Slice<i64>| -> i64 {
            $last_in_register(1, 2, 3, 4, 5, s, 8.5, -1, 10) + $nothing_for_it(3, 1, 2, 3, 4, s)
        }))
        .unwrap();
    assert_eq!(both.call(&s), want + 34);
    assert!(matches!(nothing_for_it.try_call(-1, 1, 2, 3, 4, &s), Err(Trap::StackOverflow)));
}

/// Compiling and dropping leaves nothing behind. `TICKC_CRANELIFT_CYCLES` is the number of functions (default 2,000).
#[test]
fn compile_and_drop_in_constant_memory() {
    if !alone("compile_and_drop_in_constant_memory") {
        return;
    }
    let cycles = std::env::var("TICKC_CRANELIFT_CYCLES").map_or(2000, |n| n.parse().expect("a number"));
    let jit = jit();
    let rounds = |count: i64| {
        for n in 0..count {
            let f = jit
                .compile(tick!(|s: Slice<i64>, k: i64| -> i64 {
                    let mut sum = $n;
                    for x in 0..s.len() { sum += s[x] / k }
                    sum
                }))
                .unwrap();
            assert_eq!(f.call(&[6, 9], 3), n + 5);
        }
    };
    rounds(500);
    let (before, memory_before) = (resident(), jit.code_memory().unwrap());
    rounds(cycles);
    let (after, memory_after) = (resident(), jit.code_memory().unwrap());
    assert!(after < before + (1 << 20), "resident memory grew from {before} to {after}");
    assert!(memory_after.nodes <= memory_before.nodes + 512, "{memory_before:?} -> {memory_after:?}");
    assert!(memory_after.in_use <= memory_before.in_use + (64 << 10), "{memory_before:?} -> {memory_after:?}");
}

#[test]
fn an_error_and_a_panic_leave_the_tier_usable() {
    let jit = jit();
    for _ in 0..3 {
        let failing: Code<i64> = Code::fail("no");
        let error = jit.compile(tick!(|a: i64| -> i64 { if a < 3 { @failing } else { 2 } }));
        assert_eq!(error.unwrap_err().to_string(), "no");
        let f = jit.compile(tick!(|a: i64| -> i64 { if a < 3 { 5 } else { 2 } })).unwrap();
        assert_eq!((f.call(2), f.call(3)), (5, 2));
    }
}

/// Several threads compile and call at once.
#[test]
fn threads_share_the_tier() {
    let jit = jit();
    std::thread::scope(|scope| {
        for t in 0..4i64 {
            let jit = &jit;
            scope.spawn(move || {
                for n in 0..20 {
                    let f = jit.compile(tick!(|x: i64| -> i64 { (x + $t) * $n })).unwrap();
                    assert_eq!(f.call(3), (3 + t) * n);
                }
            });
        }
    });
}
