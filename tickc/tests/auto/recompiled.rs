//! Functions of `Tier::Auto` before, while and after they get better code.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use tickc::prelude::*;
use tickc::{Type, Value};

use crate::support::{TIERS, alone, child, on_stack, resident, role};

/// A `Jit` whose functions are hot after so many calls.
fn auto(calls: u32) -> Jit {
    Jit::builder().tier(Tier::Auto).hot_after(calls).build().unwrap()
}

/// The tier that functions with and without loops end in.
const OF_LOOPS: Tier = if cfg!(feature = "cranelift") { Tier::Cranelift } else { Tier::LinearScan };
const OF_OTHERS: Tier = Tier::LinearScan;

/// Calls until the function has better code.
fn until_better<S>(f: &Func<S>, mut call: impl FnMut()) {
    let end = Instant::now() + Duration::from_secs(120);
    while f.tier() == Tier::OnePass {
        call();
        std::thread::yield_now();
        assert!(Instant::now() < end, "no better code came");
    }
}

/// A loop, and what it computes.
fn sum_of_squares(jit: &Jit) -> Func<fn(i64) -> i64> {
    jit.compile(tick!(|n: i64| -> i64 {
        let mut sum = 0;
        for i in 0..n {
            sum += i * i;
        }
        sum
    }))
    .unwrap()
}

fn squares_below(n: i64) -> i64 {
    (0..n).map(|i| i * i).sum()
}

/// A loop around which `count` variables are carried, besides its own.
fn carried(jit: &Jit, count: usize) -> Func<fn(i64) -> i64> {
    let variables: Vec<Var<i64>> = (0..count).map(|_| Var::local()).collect();
    jit.compile(tick!(|n: i64| -> i64 {
        for (k, v) in $(variables.iter().enumerate()) { @v = n + $(k as i64); }
        for i in 0..n {
            for k in $(0..count) { @(variables[k]) = @(variables[k]) ^ @(variables[(k + 1) % count]) + i; }
        }
        let mut sum = 0;
        for v in $(variables.iter()) { sum += @v; }
        sum
    }))
    .unwrap()
}

#[test]
fn where_a_loop_carries_much_around_it_is_linear_scan() {
    for (count, tier) in [(6, OF_LOOPS), (20, OF_OTHERS)] {
        let (f, one_pass) =
            (carried(&auto(3), count), carried(&Jit::builder().tier(Tier::OnePass).build().unwrap(), count));
        until_better(&f, || assert_eq!(f.call(9), one_pass.call(9)));
        assert_eq!((f.tier(), f.call(50)), (tier, one_pass.call(50)), "{count} variables");
    }
}

#[test]
fn hot_functions_get_better_code() {
    let f = auto(10).compile(tick!(|x: i64| -> i64 { x * 3 + 1 })).unwrap();
    assert_eq!(f.tier(), Tier::OnePass);
    let one_pass = Jit::new().unwrap().compile_with(Tier::OnePass, tick!(|x: i64| -> i64 { x * 3 + 1 })).unwrap();
    assert_eq!(
        (f.stats(), f.disassemble().lines().count()),
        (one_pass.stats(), one_pass.disassemble().lines().count())
    );
    for x in 0..10 {
        assert_eq!((f.call(x), f.tier()), (x * 3 + 1, Tier::OnePass), "not hot yet");
    }
    until_better(&f, || assert_eq!(f.call(5), 16));
    assert_eq!((f.tier(), f.call(-1)), (OF_OTHERS, -2));

    let f = sum_of_squares(&auto(0));
    until_better(&f, || assert_eq!(f.call(10), squares_below(10)));
    assert_eq!((f.tier(), f.call(100)), (OF_LOOPS, squares_below(100)));
    let fixed = sum_of_squares(&Jit::builder().tier(OF_LOOPS).build().unwrap());
    assert_eq!(f.stats().instructions, fixed.stats().instructions);
    assert_eq!(f.clone().tier(), OF_LOOPS, "clones are the same function");
}

#[test]
fn functions_called_rarely_keep_their_code() {
    let f = Jit::builder().tier(Tier::Auto).build().unwrap().compile(tick!(|x: u8| -> u8 { x + 1 })).unwrap();
    for x in 0..1000 {
        assert_eq!(f.call(x as u8), (x as u8).wrapping_add(1));
    }
    assert_eq!(f.tier(), Tier::OnePass);
}

#[test]
fn threads_call_while_the_code_is_exchanged() {
    for round in 0..8 {
        let f = sum_of_squares(&auto(1000 * round));
        let start = Barrier::new(4);
        let total: i64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let (f, start) = (f.clone(), &start);
                    scope.spawn(move || {
                        start.wait();
                        (0..20_000).map(|k| f.call((k + thread) % 50)).fold(0i64, i64::wrapping_add)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let expected: i64 = (0..4).flat_map(|thread| (0..20_000).map(move |k| squares_below((k + thread) % 50))).sum();
        assert_eq!(total, expected);
        until_better(&f, || assert_eq!(f.call(3), 5));
    }
}

#[test]
fn all_arguments_arrive_in_the_call_that_is_the_first_hot_one() {
    let f = auto(3)
        .compile(tick!(|a: i64,
                        b: f64,
                        s: Slice<i64>,
                        c: f32,
                        d: u8,
                        e: f64,
                        g: i16,
                        h: bool,
                        i: f64,
                        j: u64,
                        k: f64,
                        l: i32|
         -> f64 {
            a as f64
                + b * 2.0
                + s[0] as f64
                + s[1] as f64
                + c as f64 * 3.0
                + d as f64
                + e * 5.0
                + g as f64
                + (if h { 7.0 } else { 9.0 })
                + i * 11.0
                + j as f64
                + k * 13.0
                + l as f64
        }))
        .unwrap();
    let rust = |a: i64| a as f64 + 2.0 + 30.0 + 0.75 + 200.0 + 10.0 - 4.0 + 7.0 + 33.0 + 1e6 + 52.0 - 6.0;
    let call = |a| f.call(a, 1.0, &[10, 20], 0.25, 200, 2.0, -4, true, 3.0, 1_000_000, 4.0, -6);
    let mut a = 0;
    until_better(&f, || {
        assert_eq!(call(a), rust(a));
        a += 1;
    });
    assert_eq!(call(77), rust(77));
}

#[test]
fn dynamic_callers_of_every_tier_count_and_reach_better_code() {
    for &tier in TIERS {
        let callee = auto(100).compile(tick!(|x: i64| -> i64 { x * x - 1 })).unwrap();
        let caller = Jit::builder().tier(tier).build().unwrap();
        let f = caller
            .compile(tick!(|n: i64| -> i64 {
                let mut sum = 0;
                for i in 0..n {
                    sum += $callee(i);
                }
                sum
            }))
            .unwrap();
        let expected = |n: i64| (0..n).map(|x| x * x - 1).sum::<i64>();
        assert_eq!(f.call(90), expected(90));
        assert_eq!(callee.tier(), Tier::OnePass, "called 90 times, by {tier:?}");
        until_better(&callee, || assert_eq!(f.call(50), expected(50)));
        assert_eq!(f.call(1000), expected(1000));
    }
}

#[test]
fn functions_of_auto_call_each_other() {
    let jit = auto(50);
    let one = jit.compile(tick!(|x: i64| -> i64 { x + 1 })).unwrap();
    let two = jit.compile(tick!(|x: i64| -> i64 { $one($one(x)) })).unwrap();
    let four = jit.compile(tick!(|x: i64| -> i64 { $two($two(x)) })).unwrap();
    until_better(&four, || assert_eq!(four.call(38), 42));
    // The callees are called more often than the callers, and kept by them.
    assert!(one.tier() == OF_OTHERS || four.call(0) == 4);
    drop((one, two));
    assert_eq!(four.call(38), 42);
}

#[test]
fn recursion_counts_and_goes_on_in_better_code() {
    let f = auto(1000)
        .compile(tick!(
            fn fib(n: u32) -> u64 {
                if n < 2 { n as u64 } else { fib(n - 1) + fib(n - 2) }
            }
        ))
        .unwrap();
    assert_eq!(f.call(20), 6765);
    // 21,891 calls, one of them from here.
    until_better(&f, || {});
    assert_eq!(f.call(25), 75025);
    // The one call that is in progress when it gets hot ends in a trap all the same.
    let endless = auto(100)
        .compile(tick!(
            fn endless(n: u64) -> u64 {
                endless(n + 1) + 1
            }
        ))
        .unwrap();
    for kib in [128, 4096] {
        let trap = on_stack(kib, || endless.try_call(0).unwrap_err());
        assert!(matches!(trap, Trap::StackOverflow), "{trap:?}");
    }
    until_better(&endless, || assert!(endless.try_call(0).is_err()));
    assert!(matches!(endless.try_call(0), Err(Trap::StackOverflow)));
}

#[test]
fn functions_of_groups_are_exchanged() {
    let mut group = auto(100).group();
    let (even, odd) = (group.declare::<fn(u64) -> bool>(), group.declare::<fn(u64) -> bool>());
    group.define(even, tick!(|n: u64| -> bool { if n == 0 { true } else { $odd(n - 1) } }));
    group.define(odd, tick!(|n: u64| -> bool { if n == 0 { false } else { $even(n - 1) } }));
    let functions = group.compile().unwrap();
    let (even, odd) = (functions.get(even).unwrap(), functions.get(odd).unwrap());
    assert_eq!((even.tier(), odd.tier()), (Tier::OnePass, Tier::OnePass));
    assert!(even.call(1000));
    until_better(&even, || assert!(even.call(10)));
    until_better(&odd, || assert!(odd.call(9)));
    assert!(even.call(2_000) && !odd.call(2_000));
    assert!(even.stats().instructions > 3 && even.disassemble().contains("ret"));
}

#[test]
fn traps_are_those_of_the_first_code() {
    let f = auto(5).compile(tick!(|a: i32, b: i32, s: Slice<i32>| -> i32 { s[a as usize] / b })).unwrap();
    let check = || {
        assert_eq!(f.try_call(1, 2, &[3, 10]).unwrap(), 5);
        assert!(matches!(f.try_call(1, 0, &[3, 10]), Err(Trap::DivisionByZero)));
        assert!(matches!(f.try_call(0, -1, &[i32::MIN]), Err(Trap::DivisionOverflow)));
        assert!(matches!(f.try_call(2, 1, &[3, 10]), Err(Trap::IndexOutOfBounds)));
    };
    until_better(&f, check);
    check();
}

/// In one pass the variables take a large frame, and the function checks the stack. Better code has none of them, but callers pass
/// a limit and look at a status all the same.
#[test]
fn callers_find_what_the_first_code_promised() {
    let unread: Vec<_> = (0..700).map(|_| Var::<f64>::local()).collect();
    let compile = |jit: &Jit| {
        let staged = tick!(|a: f64| -> f64 {
            for (k, v) in $(unread.iter().enumerate()) {
                @v = a + $(k as f64);
            }
            a * 2.0
        });
        jit.compile(staged).unwrap()
    };
    let fixed = compile(&Jit::builder().tier(Tier::LinearScan).build().unwrap());
    assert!(fixed.as_pointer().is_some(), "by itself, better code cannot trap");
    let f = compile(&auto(5));
    assert!(f.as_pointer().is_none(), "the first code can");
    let callers: Vec<_> = TIERS
        .iter()
        .map(|&tier| {
            let jit = Jit::builder().tier(tier).build().unwrap();
            jit.compile(tick!(|a: f64| -> f64 { $f(a) + $f(a + 1.0) })).unwrap()
        })
        .collect();
    let check = || {
        assert_eq!(f.try_call(0.5).unwrap(), 1.0);
        for caller in &callers {
            assert_eq!(caller.call(0.25), 3.0, "{caller:?}");
        }
    };
    until_better(&f, check);
    check();
    assert!(f.stats().instructions < 20, "{}", f.disassemble());
}

#[test]
fn closures_are_called_once_a_call() {
    let calls = Arc::new(AtomicI64::new(0));
    let counter = Arc::clone(&calls);
    let count = HostFn::new(move |x: i64| counter.fetch_add(x, Ordering::Relaxed));
    let f = auto(2000).compile(tick!(|x: i64| -> i64 { $count(1); x * 2 })).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..30_000).for_each(|x| assert_eq!(f.call(x), x * 2)));
        }
    });
    assert_eq!(calls.load(Ordering::Relaxed), 120_000);
    until_better(&f, || {
        f.call(1);
    });
    drop(f);
    assert_eq!(Arc::strong_count(&calls), 2, "`count` itself keeps the closure");
    drop(count);
    assert_eq!(Arc::strong_count(&calls), 1);
}

#[test]
fn a_panic_of_a_closure_passes_both_codes() {
    let fails = HostFn::new(|x: i64| if x > 100 { std::panic::resume_unwind(Box::new(x)) } else { x });
    let f = auto(5).compile(tick!(|x: i64| -> i64 { $fails(x) + 1 })).unwrap();
    let check = || match f.try_call(101) {
        Err(Trap::HostPanic(payload)) => assert_eq!(payload.downcast_ref(), Some(&101i64)),
        other => panic!("{other:?}"),
    };
    until_better(&f, check);
    check();
    assert_eq!(f.call(1), 2);
}

#[test]
fn functions_known_at_run_time_only() {
    let jit = auto(20);
    let f = jit.compile_dyn(&[Type::I64, Type::I64], Type::I64, |p| {
        let (a, b): (Var<i64>, Var<i64>) = (p[0].typed().unwrap(), p[1].typed().unwrap());
        tick!(@a * 10 + @b).into()
    });
    let f = f.unwrap();
    let end = Instant::now() + Duration::from_secs(120);
    while f.tier() == Tier::OnePass {
        assert_eq!(f.call(&[Value::I64(4), Value::I64(2)]).unwrap(), Value::I64(42));
        assert!(Instant::now() < end, "no better code came");
    }
    let typed: Func<fn(i64, i64) -> i64> = f.typed().unwrap();
    assert_eq!((typed.call(1, 2), typed.tier()), (12, OF_OTHERS));
}

#[test]
fn more_functions_than_may_wait_get_better_code_later() {
    let jit = auto(1);
    let functions: Vec<_> = (0..500i64).map(|k| (k, jit.compile(tick!(|x: i64| -> i64 { x * $k })).unwrap())).collect();
    for (k, f) in &functions {
        assert_eq!((0..4).map(|x| f.call(x)).sum::<i64>(), 6 * k);
    }
    for (k, f) in &functions {
        until_better(f, || assert_eq!(f.call(2), 2 * k));
        assert_eq!(f.call(3), 3 * k);
    }
}

/// Code memory in use once nothing is recompiled any more.
fn settled(jit: &Jit) -> usize {
    // The last in the queue.
    let last = jit.compile(tick!(|x: i64| -> i64 { x })).unwrap();
    until_better(&last, || assert_eq!(last.call(1), 1));
    drop(last);
    let end = Instant::now() + Duration::from_secs(120);
    let mut before = usize::MAX;
    loop {
        let now = jit.code_memory().unwrap().in_use;
        if now == before {
            return now;
        }
        before = now;
        assert!(Instant::now() < end, "the worker goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn functions_dropped_while_they_are_recompiled_leave_nothing() {
    if !alone("recompiled::functions_dropped_while_they_are_recompiled_leave_nothing") {
        return;
    }
    let jit = auto(0);
    let captured = Arc::new(());
    let run = |count: i64| {
        for k in 0..count {
            let held = Arc::clone(&captured);
            let host = HostFn::new(move |x: i64| if Arc::strong_count(&held) > 1 { x } else { 0 });
            let f = jit
                .compile(tick!(|n: i64| -> i64 {
                    let mut sum = 0;
                    for i in 0..n {
                        sum += $host(i) + $k;
                    }
                    sum
                }))
                .unwrap();
            assert_eq!((f.call(3), f.call(0)), (3 + 3 * k, 0));
            drop((f, host));
            assert_eq!(Arc::strong_count(&captured), 1, "whoever recompiles it does not keep what it keeps");
        }
    };
    run(100);
    let before = settled(&jit);
    run(if cfg!(debug_assertions) { 2_000 } else { 20_000 });
    let after = settled(&jit);
    assert!(after <= before + 128 * 1024, "{before} bytes of code before, {after} after");
}

#[test]
fn compiling_and_dropping_takes_constant_memory() {
    if !alone("recompiled::compiling_and_dropping_takes_constant_memory") {
        return;
    }
    let jit = auto(20);
    let run = |count: i64| {
        for k in 0..count {
            let f = jit.compile(tick!(|x: i64| -> i64 { x * $k + 1 })).unwrap();
            // Every tenth is hot, and one of hundred waits until it has better code.
            let calls = if k % 10 == 0 { 25 } else { 3 };
            assert_eq!((0..calls).map(|_| f.call(2)).max(), Some(2 * k + 1));
            if k % 100 == 0 {
                until_better(&f, || assert_eq!(f.call(1), k + 1));
            }
        }
    };
    run(5_000);
    let before = resident();
    run(if cfg!(debug_assertions) { 50_000 } else { 500_000 });
    let after = resident();
    assert!(after < before + (4 << 20), "{before} bytes before, {after} after");
}

#[test]
fn a_jit_may_go_before_its_functions() {
    let f = {
        let jit = auto(5);
        sum_of_squares(&jit)
    };
    until_better(&f, || assert_eq!(f.call(4), 14));
    assert_eq!(f.call(4), 14);
}

#[test]
fn other_threads_may_end_while_the_worker_goes_on() {
    // The thread that compiles is not the one that calls, and both are gone when the better code comes.
    let f = std::thread::spawn(|| sum_of_squares(&auto(3))).join().unwrap();
    let g = f.clone();
    std::thread::spawn(move || (0..10).for_each(|n| assert_eq!(g.call(n), squares_below(n)))).join().unwrap();
    until_better(&f, || {});
    assert_eq!(f.call(10), squares_below(10));
}

#[test]
fn a_process_ends_while_the_worker_is_busy() {
    const NAME: &str = "recompiled::a_process_ends_while_the_worker_is_busy";
    if role().is_none() {
        let output = child(NAME, "busy");
        assert!(output.status.success(), "{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        return;
    }
    let jit = auto(0);
    for k in 0..50i64 {
        let f = jit
            .compile(tick!(|n: i64| -> i64 {
                let mut sum = $k;
                for i in 0..n {
                    for j in $(0..40i64) {
                        sum += (i ^ $j) * sum;
                    }
                }
                sum
            }))
            .unwrap();
        f.call(1);
        std::mem::forget(f);
    }
}

#[test]
fn the_current_code_may_be_looked_at_at_any_time() {
    let f = sum_of_squares(&auto(100));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            until_better(&f, || assert_eq!(f.call(3), 5));
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            assert!(f.disassemble().contains("ret") && f.stats().instructions > 3, "{f:?}");
        }
    });
}
