//! Who owns what, and how long it lives: functions and fragments, what they capture, stacks and panics, on any thread.
#![forbid(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, OnceLock, mpsc};
use support::{QUIET, Rng, alone, on_stack, resident, silence_expected_panics};
use tickc::prelude::*;

type Unary = Func<fn(i64) -> i64>;

/// Work of a size that debug builds get through, too.
fn scaled(release: usize) -> usize {
    let slow = if support::tier() == Tier::Cranelift { 100 } else { 1 };
    release / slow / if cfg!(debug_assertions) { 10 } else { 1 }
}

/// Length of a chain of functions, longer than stacks are deep.
fn chain_length() -> usize {
    if support::tier() == Tier::Cranelift { 10_000 } else { 100_000 }
}

fn jit() -> Jit {
    support::jit()
}

fn power<'a>(x: Var<i64>, n: u32) -> Code<'a, i64> {
    if n == 0 {
        tick!(1)
    } else if n.is_multiple_of(2) {
        let half = power(x, n / 2);
        tick!({ let h = @half; h * h })
    } else {
        let rest = power(x, n - 1);
        tick!(@x * @rest)
    }
}

fn plus(n: i64) -> Unary {
    jit().compile(tick!(|x: i64| -> i64 { x + $n })).unwrap()
}

/// The address of a function's first instruction, which its `Debug` form ends with.
fn address(f: &Unary) -> usize {
    let text = format!("{f:?}");
    let hex = text.split("0x").nth(1).and_then(|rest| rest.split(')').next()).expect("an address in the Debug form");
    usize::from_str_radix(hex, 16).expect("the address is hexadecimal")
}

// ---------------------------------------------------------------------------------------------------------- threads

const _: () = {
    const fn thread_safe<T: Send + Sync + 'static>() {}
    thread_safe::<Func<fn() -> ()>>();
    thread_safe::<Func<fn(i64, Slice<f64>, RefMut<Point>, *const u8) -> f32>>();
    thread_safe::<Jit>();
    thread_safe::<Error>();
    const fn send<T: Send + 'static>() {}
    send::<Trap>();
};

#[derive(Clone, Copy, Record)]
struct Point {
    _x: i64,
}

#[test]
fn eight_threads_compile_and_call_at_once() {
    const THREADS: usize = 8;
    let rounds = scaled(2000);
    let jit = jit();
    let start = Barrier::new(THREADS);
    let (to_collector, collected) = mpsc::channel::<(i64, Unary)>();
    std::thread::scope(|scope| {
        for t in 0..THREADS {
            let (jit, start, to_collector) = (&jit, &start, to_collector.clone());
            scope.spawn(move || {
                start.wait();
                let mut kept: Vec<(i64, Unary)> = Vec::new();
                for i in 0..rounds {
                    let n = (t * rounds + i) as i64;
                    let degree = (i % 20) as u32;
                    let f = jit.compile(tick!(|x: i64| -> i64 { @(power(x, degree)) + $n })).unwrap();
                    assert_eq!(f.call(3), 3i64.pow(degree) + n);
                    // Some are kept for a while, some called by further functions, some dropped by another thread.
                    match i % 3 {
                        0 => kept.push((n + 3i64.pow(degree), f)),
                        1 => to_collector.send((n + 3i64.pow(degree), f)).unwrap(),
                        _ => {
                            let g = jit.compile(tick!(|x: i64| -> i64 { $f(x) * 2 })).unwrap();
                            drop(f);
                            assert_eq!(g.call(3), 2 * (3i64.pow(degree) + n));
                        }
                    }
                    if kept.len() > 50 {
                        kept.drain(..25).for_each(|(want, f)| assert_eq!(f.call(3), want));
                    }
                }
                kept.iter().for_each(|(want, f)| assert_eq!(f.call(3), *want));
            });
        }
        drop(to_collector);
        // Called and dropped here, while their makers go on or have ended.
        for (want, f) in collected {
            assert_eq!(f.call(3), want);
        }
    });
}

#[test]
fn one_function_is_called_by_eight_threads_and_outlives_its_maker() {
    let f = std::thread::spawn(|| plus(7)).join().unwrap();
    let calls = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let (f, calls) = (f.clone(), &calls);
            scope.spawn(move || {
                for x in 0..1000 {
                    assert_eq!(f.clone().call(x), x + 7);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!((calls.into_inner(), f.call(1)), (8000, 8));
}

#[test]
fn functions_dropped_by_other_threads_give_their_memory_back() {
    if !alone("functions_dropped_by_other_threads_give_their_memory_back") {
        return;
    }
    let jit = jit();
    let round = || {
        let made: Vec<Unary> = std::thread::spawn(|| (0..500).map(plus).collect()).join().unwrap();
        std::thread::spawn(move || drop(made)).join().unwrap();
    };
    round();
    let before = jit.code_memory().unwrap();
    for _ in 0..50 {
        round();
    }
    let after = jit.code_memory().unwrap();
    assert_eq!((after.in_use, after.nodes), (before.in_use, before.nodes));
}

// ----------------------------------------------------------------------------------------------- constant memory

#[test]
fn a_million_compile_and_drop_cycles_run_in_constant_memory() {
    if !alone("a_million_compile_and_drop_cycles_run_in_constant_memory") {
        return;
    }
    let jit = jit();
    let table: Arc<[i64]> = Arc::from([1, 2, 3]);
    let (mut lowest, mut highest) = (usize::MAX, 0);
    let mut live: Vec<Option<Unary>> = (0..64).map(|_| None).collect();
    let mut cycles = |count: usize| {
        for i in 0..count {
            let n = i as i64;
            let f = match i % 4 {
                0 => jit.compile(tick!(|x: i64| -> i64 { x + $n })),
                1 => jit.compile(tick!(|x: i64| -> i64 { @(power(x, (i % 32) as u32)) * 0 + x + $n })),
                2 => jit.compile(tick!(|x: i64| -> i64 { x + $table[0] - 1 + $n })),
                _ => match live[i * 7 % 64].clone() {
                    Some(other) => jit.compile(tick!(|x: i64| -> i64 { $other(x) * 0 + x + $n })),
                    None => jit.compile(tick!(|x: i64| -> i64 { x / 1 + $n })),
                },
            };
            let f = f.unwrap();
            assert_eq!(f.call(5), 5 + n);
            if i % 97 == 0 {
                let at = address(&f);
                (lowest, highest) = (lowest.min(at), highest.max(at));
            }
            // Every third lives on for a while. One that calls another keeps that alive, and the chain is cut now and then.
            if i % 3 == 0 {
                live[i % 64] = (i % 640 >= 64).then_some(f);
            }
        }
    };
    cycles(scaled(100_000));
    let (before, memory_before) = (resident(), jit.code_memory().unwrap());
    cycles(scaled(1_000_000));
    let (after, memory_after) = (resident(), jit.code_memory().unwrap());
    println!(
        "resident {before} -> {after}, code memory {memory_before:?} -> {memory_after:?}, code {lowest:#x}..{highest:#x}"
    );
    assert!(after < before + (1 << 20), "resident memory grew from {before} to {after}");
    assert!(memory_after.nodes <= memory_before.nodes + 256, "{memory_before:?} -> {memory_after:?}");
    assert!(memory_after.resident <= memory_before.resident + (128 << 10), "{memory_before:?} -> {memory_after:?}");
    assert!(highest - lowest < 1 << 20, "code lay between {lowest:#x} and {highest:#x}");
}

#[test]
fn a_long_lived_fragment_does_not_let_memory_grow() {
    if !alone("a_long_lived_fragment_does_not_let_memory_grow") {
        return;
    }
    let jit = jit();
    let v = Var::<i64>::local();
    // In the midst of a chunk, with short-lived neighbours.
    let held: Vec<Code<i64>> = (0..1000).map(|n| tick!(@v + $(n as i64))).collect();
    let held = held.into_iter().step_by(499).collect::<Vec<_>>();
    let cycles = |count: usize| {
        for i in 0..count {
            let one = &held[i % held.len()];
            let code = (0..20).fold(tick!(@one), |code, n| tick!(@code + $(n as i64)));
            if i % 16 == 0 {
                let f = jit.compile(tick!(|x: i64| -> i64 { @v = x; @code })).unwrap();
                assert_eq!(f.call(1), 1 + (i % held.len() * 499) as i64 + 190);
            }
        }
    };
    cycles(scaled(20_000));
    let before = resident();
    cycles(scaled(300_000));
    let after = resident();
    assert!(after < before + (1 << 20), "resident memory grew from {before} to {after}");
}

#[test]
fn fragments_that_replace_each_other_do_not_let_memory_grow() {
    if !alone("fragments_that_replace_each_other_do_not_let_memory_grow") {
        return;
    }
    // At every moment one of them is alive, in one chunk, while the other is made, in the next one.
    let mut held: [Code<i64>; 2] = [tick!(1), tick!(2)];
    let mut cycles = |count: usize| {
        for i in 0..count {
            let [a, b] = &held;
            drop(tick!(@a + @b));
            held[i % 2] = tick!($(i as i64));
        }
    };
    cycles(300_000);
    let before = resident();
    // Before it was known how many chunks hang on each other, 60 bytes remained of each.
    cycles(1_000_000);
    let after = resident();
    assert!(after < before + (12 << 20), "resident memory grew from {before} to {after}");
    let [a, b] = held;
    let f = jit().compile(tick!(|| -> i64 { @a + @b })).unwrap();
    assert_eq!(f.call(), 999_998 + 999_999);
}

#[test]
fn threads_that_end_leave_nothing_behind() {
    if !alone("threads_that_end_leave_nothing_behind") {
        return;
    }
    thread_local! {
        static KEPT: RefCell<Vec<Code<'static, i64>>> = const { RefCell::new(Vec::new()) };
    }
    let round = |n: i64| {
        let run = move || {
            let one: Code<i64> = tick!($n);
            let table: Arc<[i64]> = Arc::from([n; 3]);
            let codes = [tick!(@one + 1), one.clone(), tick!($table[1])];
            let f = jit().compile(tick!(|| -> i64 { @(&codes[0]) + @(&codes[2]) })).unwrap();
            KEPT.with_borrow_mut(|kept| kept.extend(codes));
            f.call()
        };
        assert_eq!(std::thread::spawn(run).join().unwrap(), 2 * n + 1);
    };
    (0..200).for_each(round);
    let before = resident();
    (0..scaled(10_000) as i64).for_each(round);
    let after = resident();
    assert!(after < before + (2 << 20), "resident memory grew from {before} to {after}");
}

// -------------------------------------------------------------------------------------------------- long chains

const MILLION: usize = 1_000_000;

#[test]
fn a_chain_of_a_million_fragments_is_an_error_and_drops_flat() {
    for kib in [256, 8192] {
        on_stack(kib, || {
            let mut chain: Code<i64> = tick!(1);
            let mut midst = None;
            for i in 0..MILLION {
                chain = tick!(@chain + 1);
                if i == MILLION / 2 {
                    midst = Some(chain.clone());
                }
            }
            let again = chain.clone();
            let error = jit().compile(tick!(|| -> i64 { @chain })).unwrap_err();
            assert!(matches!(error, Error::NestingTooDeep { .. }), "{error}");
            assert!(error.to_string().contains("nested too deeply"), "{error}");
            drop(chain);
            drop(again);
            // Half of it still stands.
            let midst = midst.unwrap();
            assert!(matches!(jit().compile(tick!(|| -> i64 { @midst })), Err(Error::NestingTooDeep { .. })));
            drop(midst);
            let f = jit().compile(tick!(|| -> i64 { 1 + 2 })).unwrap();
            assert_eq!(f.call(), 3);
        });
    }
}

#[test]
fn nesting_up_to_a_sensible_depth_compiles() {
    on_stack(8192, || {
        let mut chain: Code<i64> = tick!(1);
        for _ in 0..1000 {
            chain = tick!(@chain + 1);
        }
        assert_eq!(jit().compile(tick!(|| -> i64 { @chain })).unwrap().call(), 1001);
    });
}

/// Counts how many of it there are.
struct Counted(Rc<Cell<isize>>);

impl Counted {
    fn new(count: &Rc<Cell<isize>>) -> Self {
        count.set(count.get() + 1);
        Counted(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
        assert!(self.0.get() >= 0, "dropped twice");
    }
}

/// `x + 1`, by deferred code that looks at the capture.
fn incremented<'a>(x: Var<i64>, capture: &Counted) -> Code<'a, i64> {
    assert!(capture.0.get() > 0);
    tick!(@x + 1)
}

/// `inner + 1`, as a fragment with a capture that needs a drop.
fn counting<'a>(inner: Code<'a, i64>, count: &Rc<Cell<isize>>) -> Code<'a, i64> {
    let capture = Counted::new(count);
    tick!(move { let x = @inner; @(incremented(x, &capture)) })
}

#[test]
fn a_chain_of_a_million_captures_drops_flat_and_each_once() {
    on_stack(256, || {
        let count = Rc::new(Cell::new(0));
        let mut chain: Code<i64> = tick!(0);
        for _ in 0..MILLION {
            chain = counting(chain, &count);
        }
        assert_eq!(count.get(), MILLION as isize);
        let again = chain.clone();
        assert!(matches!(jit().compile(tick!(|| -> i64 { @chain })), Err(Error::NestingTooDeep { .. })));
        drop(chain);
        assert_eq!(count.get(), MILLION as isize);
        drop(again);
        assert_eq!(count.get(), 0);
    });
}

#[test]
fn a_chain_of_a_million_constant_slices_drops_flat_and_each_once() {
    on_stack(256, || {
        let table: Arc<[i64]> = Arc::from([1, 2]);
        let mut chain: Code<i64> = tick!(0);
        for _ in 0..MILLION {
            chain = tick!(@chain + $table[0]);
        }
        assert_eq!(Arc::strong_count(&table), MILLION + 1);
        drop(chain);
        assert_eq!(Arc::strong_count(&table), 1);
    });
}

/// The inner fragment is captured by the closure of the deferred code, not by `@name`.
#[test]
fn a_chain_through_deferred_code_drops_flat() {
    if !alone("a_chain_through_deferred_code_drops_flat") {
        return;
    }
    on_stack(256, || {
        let count = Rc::new(Cell::new(0));
        let mut chain: Code<'static, i64> = tick!(0);
        for _ in 0..MILLION / 4 {
            let (inner, capture) = (chain, Counted::new(&count));
            let add = move |x: Var<i64>| -> Code<'static, i64> {
                assert!(capture.0.get() > 0);
                tick!(@x + @inner)
            };
            chain = tick!(move { let x = 1; @(add(x)) });
        }
        drop(chain);
        assert_eq!(count.get(), 0);
    });
}

thread_local! {
    static CHAIN: RefCell<Option<Code<'static, i64>>> = const { RefCell::new(None) };
    static FUNCTION: RefCell<Option<Unary>> = const { RefCell::new(None) };
}

#[test]
fn a_long_chain_drops_flat_at_the_end_of_its_thread() {
    if !alone("a_long_chain_drops_flat_at_the_end_of_its_thread") {
        return;
    }
    let table: Arc<[i64]> = Arc::from([1, 2]);
    // The thread's variable is first used before, and after, the library's own ones of that thread.
    for late in [false, true] {
        let table = table.clone();
        std::thread::spawn(move || {
            CHAIN.with_borrow_mut(|kept| *kept = (!late).then(|| tick!(0)));
            let mut chain: Code<i64> = tick!(0);
            drop(tick!(move { let x: i64 = 1; @(identity(x)) + $table[0] }));
            let table: Arc<[i64]> = Arc::from([1, 2]);
            for _ in 0..MILLION {
                chain = tick!(@chain + $table[0]);
            }
            CHAIN.with_borrow_mut(|kept| *kept = Some(chain));
        })
        .join()
        .unwrap();
    }
    assert_eq!(Arc::strong_count(&table), 1);
}

fn identity<'a>(x: Var<i64>) -> Code<'a, i64> {
    tick!(@x)
}

/// `length` functions, each of which calls the one before, and the first adds one.
fn function_chain(length: usize) -> Unary {
    let jit = jit();
    let mut last = plus(1);
    for _ in 1..length {
        last = jit.compile(tick!(|x: i64| -> i64 { $last(x) + 1 })).unwrap();
    }
    last
}

#[test]
fn a_chain_of_a_hundred_thousand_functions_works_or_overflows_the_stack_and_drops_flat() {
    if !alone("a_chain_of_a_hundred_thousand_functions_works_or_overflows_the_stack_and_drops_flat") {
        return;
    }
    let length = chain_length();
    let top = function_chain(length);
    let call = |kib: usize| on_stack(kib, || top.try_call(5));
    assert_eq!(call(64 << 10).unwrap(), length as i64 + 5);
    for kib in [128, 256, 1024] {
        match call(kib) {
            Ok(sum) => assert_eq!(sum, length as i64 + 5),
            Err(trap) => assert!(matches!(trap, Trap::StackOverflow), "{trap}"),
        }
    }
    assert!(matches!(call(128), Err(Trap::StackOverflow)), "that many frames do not fit in 128 KiB");
    on_stack(128, move || drop(top));
    let jit = jit();
    drop(function_chain(10));
    let before = jit.code_memory().unwrap().nodes;
    let top = function_chain(length);
    assert!(jit.code_memory().unwrap().nodes <= before + 1024, "the first chain's nodes are used again");
    on_stack(128, move || drop(top));
}

#[test]
fn a_long_chain_of_functions_drops_flat_at_the_end_of_its_thread() {
    if !alone("a_long_chain_of_functions_drops_flat_at_the_end_of_its_thread") {
        return;
    }
    for late in [false, true] {
        std::thread::spawn(move || {
            FUNCTION.with_borrow_mut(|kept| *kept = (!late).then(|| plus(1)));
            drop(function_chain(3));
            let chain = function_chain(chain_length());
            FUNCTION.with_borrow_mut(|kept| *kept = Some(chain));
        })
        .join()
        .unwrap();
    }
}

// -------------------------------------------------------------------------------------------------- captures

/// What a capture borrows outlives it, even where fragments come and go while another one is being dropped.
#[test]
fn a_fragment_dropped_while_another_one_is_dropped_drops_its_captures_at_once() {
    thread_local! {
        static EVENTS: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    }
    struct Loud(&'static str);
    impl Drop for Loud {
        fn drop(&mut self) {
            EVENTS.with_borrow_mut(|events| events.push(self.0));
        }
    }
    struct Borrowing<'a> {
        _borrowed: &'a Loud,
        _own: Loud,
    }
    struct Outer;
    impl Drop for Outer {
        fn drop(&mut self) {
            let local = Loud("what was borrowed");
            let borrowing = Borrowing { _borrowed: &local, _own: Loud("the capture that borrows") };
            let code: Code<i64> = tick!(move { let x = 1; @(with(x, &borrowing)) });
            drop(code);
            EVENTS.with_borrow_mut(|events| events.push("the handle is dropped"));
        }
    }
    fn with<'a, C>(x: Var<i64>, _: &C) -> Code<'a, i64> {
        tick!(@x)
    }
    let outer = Outer;
    let code: Code<i64> = tick!(move { let x = 1; @(with(x, &outer)) });
    drop(code);
    let events = EVENTS.take();
    assert_eq!(events, ["the capture that borrows", "the handle is dropped", "what was borrowed"]);
}

#[test]
fn a_panic_in_the_drop_of_a_capture_leaves_the_rest_usable() {
    silence_expected_panics();
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any(QUIET);
        }
    }
    fn with<'a>(x: Var<i64>, _: &Bomb) -> Code<'a, i64> {
        tick!(@x)
    }
    let count = Rc::new(Cell::new(0));
    for _ in 0..100 {
        let inner = counting(tick!(0), &count);
        let bomb = Bomb;
        let code: Code<i64> = tick!(move { let x = @inner; @(with(x, &bomb)) });
        drop(inner);
        assert!(catch_unwind(AssertUnwindSafe(|| drop(code))).is_err());
        let other = counting(tick!(0), &count);
        let before = count.get();
        assert_eq!(jit().compile(tick!(|| -> i64 { @other })).unwrap().call(), 1);
        drop(other);
        assert_eq!(count.get(), before - 1);
    }
}

/// A fragment of the model: what it computes of the one variable, and which tokens it keeps alive.
#[derive(Clone)]
struct Modelled {
    code: Code<'static, i64>,
    /// Value: `factor * x + addend`.
    factor: i64,
    addend: i64,
    depth: usize,
    size: usize,
    tokens: Rc<Tokens>,
}

/// The token that a fragment captured itself, and those of the fragments within.
struct Tokens {
    own: Option<usize>,
    inner: Vec<Rc<Tokens>>,
}

impl Tokens {
    fn mark(&self, alive: &mut [bool]) {
        if let Some(own) = self.own {
            alive[own] = true;
        }
        // The model's own trees are shallow: `depth` is bounded.
        self.inner.iter().for_each(|inner| inner.mark(alive));
    }
}

#[test]
fn fragments_live_and_die_as_in_a_model() {
    fn holding<'a>(x: Var<i64>, token: &Rc<()>) -> Code<'a, i64> {
        assert!(Rc::strong_count(token) > 1);
        tick!(@x)
    }
    for seed in 1..=4 {
        let jit = jit();
        let mut rng = Rng(seed);
        let v = Var::<i64>::local();
        let mut live: Vec<Modelled> = Vec::new();
        let mut tokens: Vec<Rc<()>> = Vec::new();
        let leaf = |code, factor, addend, own| Modelled {
            code,
            factor,
            addend,
            depth: 1,
            size: 1,
            tokens: Rc::new(Tokens { own, inner: Vec::new() }),
        };
        for step in 0..scaled(60_000) {
            let pick = |rng: &mut Rng, live: &[Modelled]| live[rng.below(live.len())].clone();
            let n = rng.next() as i64 >> 40;
            let choice = if live.len() < 10 { rng.below(3) } else { rng.below(20) };
            let made = match choice {
                0 => leaf(tick!($n), 0, n, None),
                1 => leaf(tick!(@v), 1, 0, None),
                2 => {
                    let token = Rc::new(());
                    tokens.push(token.clone());
                    let code = tick!(move { let x = @v; @(holding(x, &token)) });
                    leaf(code, 1, 0, Some(tokens.len() - 1))
                }
                3..=8 => {
                    let (a, b) = (pick(&mut rng, &live), pick(&mut rng, &live));
                    let depth = 1 + a.depth.max(b.depth);
                    let size = 1 + a.size + b.size;
                    if depth > 40 || size > 400 {
                        continue;
                    }
                    let (ca, cb) = (&a.code, &b.code);
                    let code = tick!(@ca + @cb * $n);
                    Modelled {
                        code,
                        factor: a.factor.wrapping_add(b.factor.wrapping_mul(n)),
                        addend: a.addend.wrapping_add(b.addend.wrapping_mul(n)),
                        depth,
                        size,
                        tokens: Rc::new(Tokens { own: None, inner: vec![a.tokens.clone(), b.tokens.clone()] }),
                    }
                }
                9..=10 => {
                    // Boxed because of its size: beyond what a chunk takes.
                    let a = pick(&mut rng, &live);
                    if a.depth > 40 {
                        continue;
                    }
                    let padding = [n; 600];
                    let code = a.code.clone();
                    let pad = move |x: Var<i64>| -> Code<'static, i64> {
                        let n = padding[599];
                        tick!(@x - $n)
                    };
                    Modelled {
                        code: tick!(move { let x = @code; @(pad(x)) }),
                        addend: a.addend.wrapping_sub(n),
                        depth: a.depth + 1,
                        size: a.size + 1,
                        tokens: Rc::new(Tokens { own: None, inner: vec![a.tokens.clone()] }),
                        ..a
                    }
                }
                11 => pick(&mut rng, &live),
                12..=13 => {
                    let a = pick(&mut rng, &live);
                    let code = &a.code;
                    let f = jit.compile(tick!(|x: i64| -> i64 { @v = x; @code })).unwrap();
                    let x = rng.next() as i64;
                    assert_eq!(f.call(x), a.factor.wrapping_mul(x).wrapping_add(a.addend), "seed {seed} step {step}");
                    continue;
                }
                14 => {
                    // A long run of neighbours that die at once, so that chunks are used up and used again.
                    let many: Vec<Code<i64>> = (0..200).map(|i| tick!(@v + $(i as i64))).collect();
                    drop(many);
                    continue;
                }
                15 => {
                    // A good part dies, oldest first or youngest first.
                    let keep = live.len() - live.len() / 4;
                    if rng.below(2) == 0 {
                        live.truncate(keep);
                    } else {
                        live.drain(..live.len() - keep);
                    }
                    continue;
                }
                _ => {
                    let i = rng.below(live.len());
                    live.swap_remove(i);
                    continue;
                }
            };
            live.push(made);
            if live.len() > 600 {
                live.drain(..300);
            }
            if step % 64 == 0 {
                let mut alive = vec![false; tokens.len()];
                live.iter().for_each(|l| l.tokens.mark(&mut alive));
                for (i, token) in tokens.iter().enumerate() {
                    assert_eq!(Rc::strong_count(token), 1 + usize::from(alive[i]), "seed {seed} step {step} token {i}");
                }
            }
        }
        for m in &live {
            let code = &m.code;
            let f = jit.compile(tick!(|x: i64| -> i64 { @v = x; @code })).unwrap();
            assert_eq!(f.call(12345), m.factor.wrapping_mul(12345).wrapping_add(m.addend), "seed {seed}");
        }
        drop(live);
        assert!(tokens.iter().all(|token| Rc::strong_count(token) == 1));
    }
}

#[test]
fn fragments_may_be_made_and_dropped_while_a_thread_ends() {
    if !alone("fragments_may_be_made_and_dropped_while_a_thread_ends") {
        return;
    }
    thread_local! {
        static FIRST: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
        static LAST: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
    }
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    /// Holds fragments and a function, and uses the library once more when the thread ends.
    struct AtEnd {
        codes: Vec<Code<'static, i64>>,
        function: Unary,
    }
    impl AtEnd {
        fn new(n: i64) -> AtEnd {
            let table: Arc<[i64]> = Arc::from([n, n]);
            let count = Rc::new(Cell::new(0));
            let code: Code<i64> = tick!($n + 1);
            let codes = vec![code.clone(), tick!(@code * $table[1]), counting(code, &count)];
            AtEnd { codes, function: plus(n) }
        }
    }
    impl Drop for AtEnd {
        fn drop(&mut self) {
            let table: Arc<[i64]> = Arc::from([1, 2]);
            let mut code: Code<i64> = tick!(0);
            for inner in &self.codes {
                code = tick!(@code + @inner + $table[1]);
            }
            let function = self.function.clone();
            let f = jit().compile(tick!(|x: i64| -> i64 { @code + $function(x) })).unwrap();
            // n = 10: 11, 110, 12.
            assert_eq!(f.call(1), 11 + 110 + 12 + 3 * 2 + 11);
            let many: Vec<Code<i64>> = (0..3000).map(|i| tick!(@code + $(i as i64))).collect();
            drop(many);
            ENDED.fetch_add(1, Ordering::Relaxed);
        }
    }
    for _ in 0..20 {
        std::thread::spawn(|| {
            FIRST.with_borrow_mut(|_| ());
            let end = AtEnd::new(10);
            FIRST.with_borrow_mut(|kept| *kept = Some(end));
            drop(plus(1));
            LAST.with_borrow_mut(|kept| *kept = Some(AtEnd::new(10)));
        })
        .join()
        .unwrap();
    }
    assert_eq!(ENDED.load(Ordering::Relaxed), 40);
}

// ------------------------------------------------------------------------------------- panics and re-entrancy

fn panics<'a>(_: Var<i64>, _: &Counted) -> Code<'a, i64> {
    panic_any(QUIET)
}

#[test]
fn a_panic_in_deferred_code_leaves_the_jit_usable_and_leaks_nothing() {
    if !alone("a_panic_in_deferred_code_leaves_the_jit_usable_and_leaks_nothing") {
        return;
    }
    silence_expected_panics();
    let jit = jit();
    let count = Rc::new(Cell::new(0));
    let table: Arc<[i64]> = Arc::from([1, 2]);
    let callee = plus(1);
    let fails = [false];
    let run = |panics_at: usize| {
        let capture = Counted::new(&count);
        let (table, callee, fails) = (table.clone(), callee.clone(), &fails);
        let attempt = || {
            match panics_at {
            0 => jit.compile(tick!(move |x: i64| -> i64 {
                let y = x * 3 + $table[0] + $callee(x);
                y + if y > 3 { @(panics(y, &capture)) } else { 1 }
            })),
            1 => jit.compile(tick!(move |x: i64| -> i64 {
                let mut y = x;
                for v in $(fails.iter().map(|&go_on| if go_on { 1i64 } else { panic_any(QUIET) })) { y += $(v) }
                let _ = @(incremented(y, &capture));
                y
            })),
            _ => jit.compile(tick!(move |x: i64| -> i64 {
                while x > 0 { let y = x; let z = @(incremented(y, &capture)); @(counting(panics(z, &capture), &capture.0)); }
                x
            })),
        }
        };
        assert_eq!(catch_unwind(AssertUnwindSafe(attempt)).unwrap_err().downcast_ref(), Some(&QUIET));
        assert_eq!(count.get(), 0);
    };
    let rounds = |n: usize| {
        for i in 0..n {
            run(i % 3);
            if i % 10 == 0 {
                assert_eq!(jit.compile(tick!(|x: i64| -> i64 { x * 2 + $table[1] })).unwrap().call(20), 42);
            }
        }
    };
    rounds(1000);
    let (before, memory_before) = (resident(), jit.code_memory().unwrap());
    rounds(scaled(100_000));
    let (after, memory_after) = (resident(), jit.code_memory().unwrap());
    assert!(after < before + (1 << 20), "resident memory grew from {before} to {after}");
    assert!(memory_after.nodes <= memory_before.nodes + 256, "{memory_before:?} -> {memory_after:?}");
    assert_eq!(memory_after.resident, memory_before.resident);
    assert_eq!(Arc::strong_count(&table), 1);
}

#[test]
fn deferred_code_may_compile() {
    /// x to the n, each power of two in a function of its own, compiled while the outer ones are.
    fn nested(jit: &Jit, n: u32) -> Unary {
        let result = jit.compile(tick!(|x: i64| -> i64 {
            let y = x * 2;
            y + @({
                if n == 0 {
                    tick!(@y)
                } else {
                    let inner = nested(jit, n - 1);
                    assert_eq!(inner.call(1), (1..i64::from(n)).fold(4, |sum, _| 2 + sum * 2));
                    tick!($inner(@y))
                }
            })
        }));
        result.unwrap()
    }
    let jit = jit();
    for _ in 0..20 {
        let f = nested(&jit, 6);
        // f(n)(x) = 2x + f(n-1)(2x), f(0)(x) = 4x
        let mut want = 4i64;
        for _ in 0..6 {
            want = 2 + want * 2;
        }
        assert_eq!(f.call(1), want);
    }
}

#[test]
fn an_error_or_a_panic_of_an_inner_compilation_does_not_touch_the_outer_one() {
    silence_expected_panics();
    let jit = &jit();
    let count = &Rc::new(Cell::new(0));
    for _ in 0..100 {
        let f = jit
            .compile(tick!(|x: i64| -> i64 {
                let y = x + 1;
                let mut z = y * 10;
                z += @({
                    // A panic, caught here.
                    let capture = Counted::new(count);
                    let inner = || jit.compile(tick!(|a: i64| -> i64 { let b = a; @(panics(b, &capture)) }));
                    assert!(catch_unwind(AssertUnwindSafe(inner)).is_err());
                    // The outer variable in an inner function.
                    let error = jit.compile(tick!(|a: i64| -> i64 { a + @y })).unwrap_err();
                    assert!(matches!(error, Error::VariableOutOfScope { .. }), "{error}");
                    let error = jit.compile(tick!(|a: i64| -> i64 { a + @(Code::fail("inner")) })).unwrap_err();
                    assert_eq!(error.to_string(), "inner");
                    let good = jit.compile(tick!(|a: i64| -> i64 { a * 7 })).unwrap();
                    tick!($good(@y) + 1)
                });
                z + y
            }))
            .unwrap();
        assert_eq!((f.call(1), count.get()), (20 + 15 + 2, 0));
    }
}

#[test]
fn a_panic_of_an_inner_compilation_goes_through_the_outer_one() {
    silence_expected_panics();
    let jit = &jit();
    let count = &Rc::new(Cell::new(0));
    for _ in 0..100 {
        let capture = Counted::new(count);
        let attempt = || {
            jit.compile(tick!(|x: i64| -> i64 {
                let y = x;
                @({
                    let capture = &capture;
                    let inner = jit.compile(tick!(|a: i64| -> i64 { let b = a; @(panics(b, capture)) })).unwrap();
                    tick!($inner(@y))
                })
            }))
        };
        assert!(catch_unwind(AssertUnwindSafe(attempt)).is_err());
        assert_eq!(plus(3).call(4), 7);
    }
    assert_eq!(count.get(), 0);
}

// ----------------------------------------------------------------------------------------------------- stacks

fn overflows() -> Vec<Unary> {
    let jit = jit();
    let small = jit
        .compile(tick!(
            fn forever(x: i64) -> i64 {
                forever(x + 1) + 1
            }
        ))
        .unwrap();
    let locals: Vec<Var<i64>> = (0..900).map(|_| Var::local()).collect();
    let locals = &locals;
    // A frame of more than a page, and one of several.
    let wide = |n: usize| {
        jit.compile(tick!(fn forever(x: i64) -> i64 {
            for (i, v) in $(locals[..n].iter().enumerate()) { @v = x + $(i as i64); }
            let y = forever(x + 1);
            let mut sum = y;
            for v in $(locals[..n].iter()) { sum += @v; }
            sum
        }))
        .unwrap()
    };
    let through = jit.compile(tick!(|x: i64| -> i64 { $small(x) * 2 })).unwrap();
    vec![wide(100), wide(600), wide(900), through, small]
}

#[test]
fn unbounded_recursion_is_a_trap_on_every_stack() {
    if !alone("unbounded_recursion_is_a_trap_on_every_stack") {
        return;
    }
    let functions = overflows();
    let again = |times: usize| {
        for f in functions.iter().cycle().take(times) {
            assert!(matches!(f.try_call(0), Err(Trap::StackOverflow)));
        }
    };
    again(100);
    on_stack(8192, || again(1000));
    on_stack(128, || again(1000));
    on_stack(1 << 20, || again(1));
    // From deep within the stack, too.
    fn deeper(levels: usize, last: &dyn Fn()) -> usize {
        let room = std::hint::black_box([levels; 512]);
        if levels == 0 {
            last();
            return 0;
        }
        deeper(levels - 1, last) + room[levels % 512]
    }
    on_stack(1024, || deeper(40, &|| again(100)));
    assert_eq!(plus(1).call(1), 2);
}

#[test]
fn traps_leave_functions_with_large_frames_intact() {
    let locals: Vec<Var<i64>> = (0..2500).map(|_| Var::local()).collect();
    let locals = &locals;
    let f = jit()
        .compile(tick!(|x: i64, d: i64, p: Slice<i64>, i: usize| -> i64 {
            for (i, v) in $(locals.iter().enumerate()) { @v = x ^ $(i as i64); }
            let q = x / d;
            let mut sum = q + p[i];
            for v in $(locals.iter()) { sum += @v; }
            sum
        }))
        .unwrap();
    let call = |kib: usize| {
        on_stack(kib, || {
            for _ in 0..100 {
                let want = (0..2500).fold(1234 / 5 + 7, |sum, i| sum + (1234 ^ i));
                assert_eq!(f.try_call(1234, 5, &[1, 7], 1).unwrap(), want);
                assert!(matches!(f.try_call(1234, 0, &[1, 7], 1), Err(Trap::DivisionByZero)));
                assert!(matches!(f.try_call(i64::MIN, -1, &[1, 7], 1), Err(Trap::DivisionOverflow)));
                assert!(matches!(f.try_call(1234, 5, &[1, 7], 2), Err(Trap::IndexOutOfBounds)));
            }
        });
    };
    call(8192);
    call(256);
    let panic = catch_unwind(AssertUnwindSafe(|| f.call(1, 0, &[], 0))).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("attempt to divide by zero"));
}

#[test]
fn a_frame_that_does_not_fit_the_stack_is_a_trap() {
    if !alone("a_frame_that_does_not_fit_the_stack_is_a_trap") {
        return;
    }
    // A call, which happens where it stands, though an optimizer may move the rest.
    extern "C" fn mixed(x: i64, y: i64) -> i64 {
        x ^ y
    }
    let locals: Vec<Var<i64>> = (0..12_000).map(|_| Var::local()).collect();
    let locals = &locals;
    let built = jit().compile(tick!(|x: i64| -> i64 {
        for (i, v) in $(locals.iter().enumerate()) { @v = mixed(x, $(i as i64)); }
        let mut sum = 0;
        for v in $(locals.iter()) { sum += @v; }
        sum
    }));
    let f = built.unwrap();
    let want = (0..12_000).fold(0, |sum, i| sum + (77 ^ i));
    on_stack(8192, || assert_eq!(f.call(77), want));
    on_stack(128, || assert!(matches!(f.try_call(77), Err(Trap::StackOverflow))));
}

static BOUNCE: OnceLock<Unary> = OnceLock::new();

/// Goes back into the dynamic function that called it.
extern "C" fn bounce(x: i64) -> i64 {
    match BOUNCE.get().expect("set by the test").try_call(x + 1) {
        Ok(value) => value,
        Err(Trap::StackOverflow) => -x,
        Err(_) => 0,
    }
}

/// Needs some stack of its own.
extern "C" fn greedy(x: i64) -> i64 {
    let room = std::hint::black_box([x; 2000]);
    room[x as usize % 2000] + 1
}

#[test]
fn stack_is_left_for_native_functions() {
    if !alone("stack_is_left_for_native_functions") {
        return;
    }
    let jit = jit();
    let f = jit
        .compile(tick!(
            fn forever(x: i64) -> i64 {
                forever(greedy(x)) + 1
            }
        ))
        .unwrap();
    for kib in [128, 1024] {
        on_stack(kib, || (0..2).for_each(|_| assert!(matches!(f.try_call(0), Err(Trap::StackOverflow)))));
    }
    // Dynamic, native, dynamic, …: the trap ends the innermost call only.
    let f = jit
        .compile(tick!(
            fn f(x: i64) -> i64 {
                if x < 0 { f(x) } else { bounce(x) }
            }
        ))
        .unwrap();
    BOUNCE.set(f.clone()).expect("set once");
    on_stack(1024, || {
        let depth = -f.call(0);
        assert!(depth > 10, "{depth}");
    });
}
