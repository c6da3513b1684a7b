//! Tiers together: functions of one call those of another, and a tier that needs no executable memory does without.
#![forbid(unsafe_code)]
#![cfg(not(miri))]

mod support;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::{on_stack, resident};
use tickc::prelude::*;

const TIERS: &[Tier] = support::TIERS;

fn jit(tier: Tier) -> Jit {
    Jit::builder().tier(tier).build().unwrap()
}

/// Both ways from each tier to each.
fn pairs() -> impl Iterator<Item = (Jit, Jit)> {
    TIERS.iter().flat_map(|&callee| TIERS.iter().map(move |&caller| (jit(callee), jit(caller))))
}

#[test]
fn what_a_function_says_of_itself() {
    let f = jit(Tier::Interp).compile(tick!(|a: i64, b: i64| -> i64 { a * 3 + b })).unwrap();
    assert_eq!((f.tier(), f.call(4, 5)), (Tier::Interp, 17));
    assert_eq!(
        f.disassemble(),
        "fn(v0: i64, v1: i64) -> i64 {\n    v2 = mul.i64 v0, 3\n    v3 = add.i64 v2, v1\n    ret.i64 v3\n}\n"
    );
    assert_eq!((f.stats().instructions, f.stats().bytes, f.stats().phases), (3, 48, None));
    assert!(format!("{f:?}").contains("Interp, 3 operations"), "{f:?}");
    let timed = Jit::builder().tier(Tier::Interp).stats(true).build().unwrap();
    let f = timed.compile(tick!(|| -> i64 { 1 })).unwrap();
    assert!(f.stats().phases.is_some_and(|phases| phases.total() > 0));
    let one_pass = jit(Tier::Interp).compile_with(Tier::OnePass, tick!(|a: i64| -> i64 { a })).unwrap();
    assert_eq!((one_pass.tier(), one_pass.call(9)), (Tier::OnePass, 9));
    for tier in [Tier::LinearScan, Tier::Cranelift].into_iter().filter(|tier| !TIERS.contains(tier)) {
        let error = Jit::builder().tier(tier).build().map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::TierUnavailable(t) if t == tier), "{error}");
        let error = jit(Tier::Interp).compile_with(tier, tick!(|a: i64| -> i64 { a })).unwrap_err();
        assert!(matches!(error, Error::TierUnavailable(t) if t == tier), "{error}");
    }
}

#[test]
fn arguments_of_all_kinds_and_in_all_places_arrive() {
    type Few = Func<fn(bool, i8, u8, i16, u16, i32, u32) -> i64>;
    for (callee, caller) in pairs() {
        let few: Few = callee
            .compile(tick!(|a: bool, b: i8, c: u8, d: i16, e: u16, f: i32, g: u32| -> i64 {
                a as i64 + b as i64 * 3 + c as i64 * 5 + d as i64 * 7 + e as i64 * 11 + f as i64 * 13 + g as i64 * 17
            }))
            .unwrap();
        let f = caller
            .compile(tick!(|a: i64, x: i64| -> i64 {
                $few(a < x, a as i8, x as u8, a as i16, x as u16, a as i32, x as u32)
            }))
            .unwrap();
        for (a, x) in [(-1i64, -1i64), (i64::MIN, i64::MAX), (0x1234_5678_9abc_def0, -0x0fed_cba9_8765_4321)] {
            let want = few.call(a < x, a as i8, x as u8, a as i16, x as u16, a as i32, x as u32);
            assert_eq!(f.call(a, x), want, "{:?} {:?}", few.tier(), f.tier());
        }
        // Six integers in registers; slices that do not fit there as a whole; floats beyond eight.
        let wide = callee
            .compile(tick!(|a: i64,
                            s: Slice<i64>,
                            t: SliceMut<i64>,
                            u: Slice<u8>,
                            b: i64,
                            x: f64,
                            y: f32,
                            z: f64|
             -> f64 {
                t[0] += a + s[1];
                (u[2] as i64 * b) as f64 + x - y as f64 * z
            }))
            .unwrap();
        let floats = callee
            .compile(tick!(|a: f64, b: f64, c: f32, d: f64, e: f64, f: f64, g: f64, h: f64, i: f32, j: f64| -> f32 {
                (a + b * 2.0 + c as f64 * 3.0 + d * 4.0 + e * 5.0 + f * 6.0 + g * 7.0 + h * 8.0 + i as f64 * 9.0 + j)
                    as f32
            }))
            .unwrap();
        let f = caller
            .compile(tick!(|s: Slice<i64>, t: SliceMut<i64>, u: Slice<u8>, x: f64| -> f64 {
                let k = $wide(3, s, t, u, 7, x, 0.5, x + 1.0);
                let l = $wide(4, s, t, u, -7, k, x as f32, 2.0);
                k + l + $floats(x, k, 0.25, l, 1.0, 2.0, 3.0, x, 1.5, -k) as f64
            }))
            .unwrap();
        let (s, u, mut t) = ([1, 20], [1, 2, 200], [5]);
        let mut r = [5];
        let k = wide.call(3, &s, &mut r, &u, 7, 1.25, 0.5, 2.25);
        let l = wide.call(4, &s, &mut r, &u, -7, k, 1.25, 2.0);
        let want = k + l + f64::from(floats.call(1.25, k, 0.25, l, 1.0, 2.0, 3.0, 1.25, 1.5, -k));
        assert_eq!((f.call(&s, &mut t, &u, 1.25), t, r), (want, [52], [52]), "{:?} {:?}", wide.tier(), f.tier());
    }
}

#[test]
fn results_of_all_kinds_come_back() {
    for (callee, caller) in pairs() {
        macro_rules! through {
            ($($t:ident: $($v:expr),*;)*) => {$({
                let inner = callee.compile(tick!(|x: $t| -> $t { x })).unwrap();
                let outer = caller.compile(tick!(|x: $t, y: $t| -> bool { let k = $inner(x); $inner(y) == k })).unwrap();
                for v in [$($v),*] {
                    assert!(outer.call(v, v) && inner.call(v) == v, "{v:?}");
                }
            })*};
        }
        through! {
            bool: true, false; i8: -1, 127, -128; u8: 0, 255; i16: -1, i16::MIN; u16: 0, u16::MAX; i32: -1, i32::MIN;
            u32: 0, u32::MAX; i64: -1, i64::MIN; u64: 0, u64::MAX; isize: -1; usize: usize::MAX;
            f32: 1.5, -0.0, f32::INFINITY; f64: 1.5, -0.0, f64::MIN_POSITIVE;
        }
        let unit = callee.compile(tick!(|s: SliceMut<i64>| s[0] += 1)).unwrap();
        let f = caller
            .compile(tick!(|s: SliceMut<i64>| -> i64 {
                $unit(s);
                $unit(s);
                s[0]
            }))
            .unwrap();
        assert_eq!(f.call(&mut [5]), 7);
    }
}

#[test]
fn traps_pass_from_tier_to_tier() {
    for (callee, caller) in pairs() {
        let inner = callee
            .compile(tick!(|a: i64, b: i64, s: Slice<i64>| -> f64 {
                if b == 77 {
                    trap(a as u32)
                }
                (a / b + s[a as usize]) as f64
            }))
            .unwrap();
        let f = caller.compile(tick!(|a: i64, b: i64, s: Slice<i64>| -> i64 { $inner(a, b, s) as i64 + 1 })).unwrap();
        let s = [10, 20];
        assert_eq!(f.call(1, 1, &s), 22);
        assert!(matches!(f.try_call(1, 0, &s), Err(Trap::DivisionByZero)));
        assert!(matches!(f.try_call(i64::MIN, -1, &s), Err(Trap::DivisionOverflow)));
        assert!(matches!(f.try_call(2, 1, &s), Err(Trap::IndexOutOfBounds)));
        assert!(matches!(f.try_call(-5, 77, &s), Err(Trap::Code(0xffff_fffb))));
        let recursive = callee
            .compile(tick!(
                fn r(n: i64) -> i64 {
                    if n == 0 { 0 } else { r(n - 1) + 1 }
                }
            ))
            .unwrap();
        let f = caller.compile(tick!(|n: i64| -> i64 { $recursive(n) * 2 })).unwrap();
        assert_eq!(f.call(1000), 2000);
        assert!(matches!(f.try_call(-1), Err(Trap::StackOverflow)));
        assert_eq!(f.call(10), 20);
    }
}

type Bouncing = OnceLock<Func<fn(i64) -> i64>>;
static BOUNCE: [Bouncing; 2] = [const { OnceLock::new() }; 2];
static BOUNCES: AtomicUsize = AtomicUsize::new(0);

extern "C" fn bounce_to_interp(n: i64) -> i64 {
    BOUNCES.fetch_add(1, Ordering::Relaxed);
    BOUNCE[0].get().unwrap().try_call(n).unwrap_or(-1)
}
extern "C" fn bounce_to_machine_code(n: i64) -> i64 {
    BOUNCE[1].get().unwrap().try_call(n).unwrap_or(-1)
}

/// An interpreted function, native code and machine code that call each other until the stack is full.
#[test]
fn recursion_through_all_tiers_and_native_code_ends_in_a_trap() {
    let f =
        jit(Tier::Interp).compile(tick!(|n: i64| -> i64 { if n == 0 { 7 } else { bounce_to_machine_code(n - 1) } }));
    BOUNCE[0].set(f.unwrap()).unwrap();
    let f = jit(Tier::OnePass).compile(tick!(|n: i64| -> i64 { if n == 0 { 8 } else { bounce_to_interp(n - 1) } }));
    BOUNCE[1].set(f.unwrap()).unwrap();
    for kib in [256, 2048] {
        on_stack(kib, || {
            assert_eq!((bounce_to_interp(10), bounce_to_interp(11)), (7, 8));
            BOUNCES.store(0, Ordering::Relaxed);
            assert_eq!(bounce_to_interp(1 << 40), -1);
            assert!(BOUNCES.load(Ordering::Relaxed) > 10, "{kib}: {BOUNCES:?}");
        });
    }
}

#[test]
fn recursion_of_an_interpreted_function_takes_no_stack_of_the_thread() {
    on_stack(256, || {
        let f = jit(Tier::Interp)
            .compile(tick!(
                fn r(n: i64) -> i64 {
                    if n == 0 { 0 } else { r(n - 1) + 1 }
                }
            ))
            .unwrap();
        assert_eq!(f.call(50_000), 50_000);
        assert!(matches!(f.try_call(i64::MAX), Err(Trap::StackOverflow)));
        let g = jit(Tier::Interp).compile(tick!(|n: i64| -> i64 { $f(n) + $f(n / 2) })).unwrap();
        assert_eq!(g.call(30_000), 45_000);
    });
}

#[test]
fn a_chain_of_functions_of_both_tiers_lives_as_long_as_its_last_and_drops_flat() {
    on_stack(512, || {
        let (interp, one_pass) = (jit(Tier::Interp), jit(Tier::OnePass));
        let mut f = interp.compile(tick!(|x: i64| -> i64 { x })).unwrap();
        for i in 0..20_000 {
            // Runs of interpreted functions, which call each other on the heap.
            let jit = if i % 1000 == 0 { &one_pass } else { &interp };
            f = jit.compile(tick!(|x: i64| -> i64 { $f(x + 1) })).unwrap();
        }
        assert_eq!(f.call(1), 20_001);
        drop(f);
    });
}

#[test]
fn interpreted_functions_and_thunks_are_freed() {
    if !support::alone("interpreted_functions_and_thunks_are_freed") {
        return;
    }
    let (interp, one_pass) = (jit(Tier::Interp), jit(Tier::OnePass));
    let rounds = |count: i64| {
        for n in 0..count {
            let f = interp.compile(tick!(|x: i64, s: Slice<i64>| -> i64 { x + $n + s[0] })).unwrap();
            let g = one_pass.compile(tick!(|x: i64, s: Slice<i64>| -> i64 { $f(x, s) * 2 })).unwrap();
            drop(f);
            let h = interp.compile(tick!(|x: i64, s: Slice<i64>| -> i64 { $g(x, s) + 1 })).unwrap();
            drop(g);
            assert_eq!(h.call(3, &[4]), (n + 7) * 2 + 1);
        }
    };
    rounds(2000);
    let (before, memory_before) = (resident(), one_pass.code_memory().unwrap());
    rounds(20_000);
    let (after, memory_after) = (resident(), one_pass.code_memory().unwrap());
    assert!(after < before + (1 << 20), "resident memory grew from {before} to {after}");
    assert!(memory_after.nodes <= memory_before.nodes + 512, "{memory_before:?} -> {memory_after:?}");
}

#[test]
fn an_error_leaves_the_interpreter_usable() {
    let jit = jit(Tier::Interp);
    for _ in 0..3 {
        let failing: Code<i64> = Code::fail("no");
        let error =
            jit.compile(tick!(|a: i64, s: Slice<i64>| -> i64 { s[0] + if a < 3 && a > 1 { @failing } else { 2 } }));
        assert_eq!(error.unwrap_err().to_string(), "no");
        let panicking = std::panic::AssertUnwindSafe(|| {
            let _ = jit.compile(tick!(|a: i64| -> i64 { @(stop(a)) }));
        });
        support::silence_expected_panics();
        std::panic::catch_unwind(panicking).unwrap_err();
        let f = jit.compile(tick!(|a: i64| -> i64 { if a < 3 && a > 1 { 5 } else { 2 } })).unwrap();
        assert_eq!((f.call(2), f.call(3)), (5, 2));
    }
}

fn stop<'a>(_: Var<i64>) -> Code<'a, i64> {
    std::panic::panic_any(support::QUIET)
}

#[test]
fn interpreted_functions_are_shared_by_threads() {
    let f = jit(Tier::Interp)
        .compile(tick!(
            fn r(n: i64) -> i64 {
                if n == 0 { 0 } else { r(n - 1) + n }
            }
        ))
        .unwrap();
    let g = jit(Tier::OnePass).compile(tick!(|n: i64| -> i64 { $f(n) + 1 })).unwrap();
    std::thread::scope(|scope| {
        for t in 0..4 {
            let (f, g) = (f.clone(), g.clone());
            scope.spawn(move || {
                for n in 0..200 {
                    assert_eq!((f.call(n + t), g.call(n)), ((n + t) * (n + t + 1) / 2, n * (n + 1) / 2 + 1));
                }
            });
        }
    });
}
