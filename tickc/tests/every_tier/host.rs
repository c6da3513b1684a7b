//! Rust closures called by dynamic code: their arguments and results, how long they live, their panics, and the stack.
#![forbid(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use support::{QUIET, alone, on_stack, silence_expected_panics};
use tickc::prelude::*;

type Unary = Func<fn(i64) -> i64>;

fn jit() -> Jit {
    support::jit()
}

const _: () = {
    const fn thread_safe<T: Send + Sync + 'static + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    thread_safe::<HostFn<fn()>>();
    thread_safe::<HostFn<fn(*const u8, Slice<i64>) -> f64>>();
};

// ------------------------------------------------------------------------------------------- arguments and results

#[derive(Clone, Copy, Record, Debug, PartialEq)]
struct Point {
    x: i32,
    y: f64,
}

/// One closure and one function that calls it, for each scalar type.
macro_rules! every_scalar {
    ($($t:ty: $($value:expr),*;)*) => {$(
        let host = HostFn::new(|x: $t| -> $t { x });
        let f = jit().compile(tick!(|x: $t| -> $t { $host(x) })).unwrap();
        for x in [$($value),*] {
            assert_eq!(f.call(x), x, "{}", stringify!($t));
            let constant = jit().compile(tick!(|| -> $t { $host($x) })).unwrap();
            assert_eq!(constant.call(), x, "{} as a constant", stringify!($t));
        }
    )*};
}

#[test]
fn scalars_of_every_type_pass_and_return() {
    every_scalar! {
        bool: true, false;
        i8: 0, -1, i8::MIN, i8::MAX;
        i16: 0, -1, i16::MIN, i16::MAX;
        i32: 0, -1, i32::MIN, i32::MAX;
        i64: 0, -1, i64::MIN, i64::MAX;
        isize: 0, -1, isize::MIN, isize::MAX;
        u8: 0, 1, u8::MAX;
        u16: 0, 1, u16::MAX;
        u32: 0, 1, u32::MAX;
        u64: 0, 1, u64::MAX;
        usize: 0, 1, usize::MAX;
        f32: 0.0, -1.5, f32::MAX, f32::INFINITY;
        f64: 0.0, -1.5, f64::MAX, f64::NEG_INFINITY;
        *const u8: std::ptr::null(), std::ptr::without_provenance(0x1234_5678_9abc);
        *mut Point: std::ptr::null_mut(), std::ptr::without_provenance_mut(usize::MAX);
    }
}

#[test]
fn narrow_results_are_used_as_they_are() {
    let negative = HostFn::new(|x: i8| x.wrapping_sub(1));
    let small = HostFn::new(|x: u16| x.wrapping_sub(1));
    let odd = HostFn::new(|x: i64| x & 1 != 0);
    let f = jit()
        .compile(tick!(|a: i8, b: u16, c: i64| -> i64 {
            let flag = if $odd(c) { 1000 } else { 0 };
            $negative(a) as i64 + $small(b) as i64 * 3 + flag
        }))
        .unwrap();
    assert_eq!(f.call(-128, 0, 1), 127 + 65535 * 3 + 1000);
    assert_eq!(f.call(0, 1, 2), -1);
}

#[test]
fn slices_and_records_pass_by_reference() {
    let sum = HostFn::new(|s: &[i32], from: usize| s[from..].iter().sum::<i32>());
    let points = HostFn::new(|p: &[Point]| p.iter().map(|p| f64::from(p.x) * p.y).sum::<f64>());
    let y = HostFn::new(|p: &Point, q: &Point| p.y - q.y);
    let f = jit()
        .compile(tick!(|s: Slice<i32>, p: Slice<Point>, r: Ref<Point>| -> f64 {
            $sum(s, 1) as f64 + $points(p) * 100.0 + $y(r, &p[0])
        }))
        .unwrap();
    let points = [Point { x: 2, y: 0.5 }, Point { x: -1, y: 4.0 }];
    assert_eq!(f.call(&[1, 2, 3], &points, &Point { x: 0, y: 10.0 }), 5.0 - 300.0 + 9.5);
}

#[test]
fn an_empty_slice_is_a_slice() {
    let len = HostFn::new(|s: &[u64]| s.len());
    let unassigned = Var::<Slice<u64>>::local();
    let f = jit().compile(tick!(|s: Slice<u64>| -> usize { $len(s) + $len(@unassigned) * 10 })).unwrap();
    assert_eq!(f.call(&[]), 0);
    assert_eq!(f.call(&[7, 7]), 2);
}

#[test]
fn twelve_arguments_arrive_in_order() {
    let seen = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&seen);
    let host = HostFn::new(
        move |a: i8,
              b: f32,
              c: &[u8],
              d: u64,
              e: f64,
              f: bool,
              g: &Point,
              h: i64,
              i: &[i16],
              j: f32,
              k: u16,
              l: usize| {
            *log.lock().unwrap() = format!("{a} {b} {c:?} {d} {e} {f} {} {h} {i:?} {j} {k} {l}", g.x);
            e * 2.0
        },
    );
    let f = jit()
        .compile(tick!(|c: Slice<u8>, g: Ref<Point>, i: Slice<i16>, e: f64| -> f64 {
            1.0 + $host(-1, 2.5, c, 1 << 40, e, true, g, -9, i, 0.25, 65535, c.len())
        }))
        .unwrap();
    assert_eq!(f.call(&[1, 2], &Point { x: 77, y: 0.0 }, &[-3], 4.5), 10.0);
    assert_eq!(*seen.lock().unwrap(), "-1 2.5 [1, 2] 1099511627776 4.5 true 77 -9 [-3] 0.25 65535 2");
}

#[test]
fn twelve_slices_arrive() {
    type S<'a> = &'a [i64];
    #[rustfmt::skip]
    let host = HostFn::new(|a: S, b: S, c: S, d: S, e: S, f: S, g: S, h: S, i: S, j: S, k: S, l: S| {
        [a, b, c, d, e, f, g, h, i, j, k, l].iter().fold(0, |sum, s| sum * 3 + s.iter().sum::<i64>() + s.len() as i64)
    });
    let f = jit()
        .compile(tick!(|s: Slice<i64>, t: Slice<i64>| -> i64 { $host(s, t, t, s, t, s, s, s, t, t, s, t) }))
        .unwrap();
    let (s, t) = ([5, 6], [1, 2, 3]);
    let expected = [s.len() as i64 + 11, t.len() as i64 + 6];
    let order = [0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 1];
    assert_eq!(f.call(&s, &t), order.iter().fold(0, |sum, &k| sum * 3 + expected[k]));
}

#[test]
fn a_closure_without_arguments_and_one_without_result() {
    let count = Arc::new(AtomicI64::new(0));
    let (up, get) = (Arc::clone(&count), Arc::clone(&count));
    let up = HostFn::new(move || {
        up.fetch_add(1, Ordering::Relaxed);
    });
    let get = HostFn::new(move || get.load(Ordering::Relaxed));
    let f = jit()
        .compile(tick!(|n: i64| -> i64 {
            for _i in 0..n { $up() }
            $get()
        }))
        .unwrap();
    assert_eq!(f.call(3), 3);
    assert_eq!(f.call(4), 7);
}

#[test]
fn functions_and_signatures_written_out() {
    fn twice(x: i64) -> i64 {
        x * 2
    }
    fn first(s: &[f64]) -> f64 {
        s[0]
    }
    let a: HostFn<fn(i64) -> i64> = HostFn::new(twice);
    let b: HostFn<fn(Slice<f64>) -> f64> = HostFn::new(first);
    let f = jit().compile(tick!(|s: Slice<f64>| -> f64 { $b(s) + $a(4) as f64 })).unwrap();
    assert_eq!(f.call(&[0.5]), 8.5);
    assert_eq!(format!("{a:?}"), "HostFn<fn(i64) -> i64>");
}

#[test]
fn closures_of_any_type() {
    fn of_scalars<F: Fn(i64) -> i64 + Send + Sync + 'static>(f: F) -> HostFn<fn(i64) -> i64> {
        HostFn::new(move |x: i64| f(x))
    }
    fn of_slices(f: impl Fn(&[i64], i64) -> i64 + Send + Sync + 'static) -> HostFn<fn(Slice<i64>, i64) -> i64> {
        HostFn::new(move |s: &[i64], k: i64| f(s, k))
    }
    let boxed: Box<dyn Fn(i64) -> i64 + Send + Sync> = Box::new(|x| x * 5);
    let (a, b, c) = (of_scalars(|x| x + 1), of_slices(|s, k| s[k as usize]), HostFn::new(boxed));
    let f = jit().compile(tick!(|s: Slice<i64>, k: i64| -> i64 { $c($a($b(s, k))) })).unwrap();
    assert_eq!(f.call(&[10, 20], 1), 105);
}

#[test]
fn a_call_changes_nothing_that_lives_across_it() {
    let noise = HostFn::new(|x: i64, y: f64| x as f64 * y);
    let f = jit()
        .compile(tick!(|a: i64, b: i64, c: f64, d: f64, s: SliceMut<i64>| -> f64 {
            let before = a * b;
            s[0] = before + 1;
            let left = s[0] as f64 + c * d + $noise(a + b, c - d) + s[0] as f64;
            s[1] = before - 1;
            left * 2.0 + before as f64 + c + $noise(s[0] - s[1], $noise(before, d))
        }))
        .unwrap();
    let mut s = [0; 2];
    let (a, b, c, d) = (7, -3, 0.5, 4.0);
    let expected = (-20.0 + c * d + 4.0 * (c - d) - 20.0) * 2.0 - 21.0 + c + 2.0 * (-21.0 * d);
    assert_eq!(f.call(a, b, c, d, &mut s), expected);
    assert_eq!(s, [-20, -22]);
}

#[test]
fn a_pending_read_is_done_before_the_call() {
    static CELL: AtomicI64 = AtomicI64::new(0);
    let next = HostFn::new(|x: i64| CELL.fetch_add(x, Ordering::Relaxed));
    let f = jit().compile(tick!(|x: i64| -> i64 { $next(x) * 100 + $next(x) * 10 + $next(0) })).unwrap();
    assert_eq!(f.call(3), 36);
}

// --------------------------------------------------------------------------------------------------------- lifetimes

#[test]
fn the_closure_lives_as_long_as_any_function_that_calls_it() {
    let state = Arc::new(());
    let held = Arc::clone(&state);
    let host = HostFn::new(move |x: i64| x + Arc::strong_count(&held) as i64 - 2);
    assert_eq!(Arc::strong_count(&state), 2);
    let code = tick!(|x: i64| -> i64 { $host(x) + $host(1) });
    let f = jit().compile(code).unwrap();
    let outer = jit().compile(tick!(|x: i64| -> i64 { $f(x) })).unwrap();
    let another = host.clone();
    drop(host);
    assert_eq!(f.call(5), 6);
    drop(f);
    assert_eq!(Arc::strong_count(&state), 2);
    assert_eq!(outer.call(5), 6);
    drop(outer);
    assert_eq!(Arc::strong_count(&state), 2, "a clone of the HostFn is left");
    drop(another);
    assert_eq!(Arc::strong_count(&state), 1);
}

#[test]
fn fragments_that_are_never_compiled_let_the_closure_go() {
    let state = Arc::new(());
    let held = Arc::clone(&state);
    let host = HostFn::new(move |x: i64| x + Arc::strong_count(&held) as i64);
    let code = tick!($host(1));
    let more = tick!(@code + @code);
    drop(host);
    assert_eq!(Arc::strong_count(&state), 2);
    drop((code, more));
    assert_eq!(Arc::strong_count(&state), 1);
}

#[test]
fn a_failed_compilation_lets_the_closure_go() {
    let state = Arc::new(());
    let held = Arc::clone(&state);
    let host = HostFn::new(move |x: i64| x + Arc::strong_count(&held) as i64);
    let fails = Code::<i64>::fail("no");
    let error = jit().compile(tick!(|x: i64| -> i64 { $host(x) + @fails })).unwrap_err();
    assert_eq!(error.to_string(), "no");
    drop(host);
    assert_eq!(Arc::strong_count(&state), 1);
}

#[test]
fn a_long_chain_of_closures_and_functions_drops_flat() {
    let drops = Arc::new(AtomicUsize::new(0));
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let length = 20_000;
    let mut f = jit().compile(tick!(|x: i64| -> i64 { x })).unwrap();
    for _ in 0..length {
        let (inner, counted) = (f, Counted(Arc::clone(&drops)));
        let host = HostFn::new(move |x: i64| if counted.0.load(Ordering::Relaxed) == 0 { x } else { inner.call(x) });
        f = jit().compile(tick!(|x: i64| -> i64 { $host(x) })).unwrap();
    }
    on_stack(256, || drop(f));
    assert_eq!(drops.load(Ordering::Relaxed), length);
}

// ------------------------------------------------------------------------------------------------------------ panics

#[test]
fn a_panic_ends_the_call_in_a_trap() {
    silence_expected_panics();
    let host = HostFn::new(|x: i64| if x > 2 { panic!("{QUIET}") } else { x });
    let f = jit().compile(tick!(|x: i64| -> i64 { $host(x) + 1 })).unwrap();
    assert_eq!(f.try_call(2).unwrap(), 3);
    let trap = f.try_call(3).unwrap_err();
    assert_eq!(trap.to_string(), "a host function called by dynamic code panicked");
    let Trap::HostPanic(payload) = trap else { panic!("{trap:?}") };
    assert_eq!(payload.downcast_ref::<String>().map(String::as_str), Some(QUIET));
    assert_eq!(f.try_call(1).unwrap(), 2, "the function is as good as before");
}

#[test]
fn call_resumes_the_panic_itself() {
    #[derive(Debug, PartialEq)]
    struct Payload(Arc<str>);
    let host = HostFn::new(|s: &[u8]| -> f64 { panic_any(Payload(String::from_utf8_lossy(s).into())) });
    let f = jit().compile(tick!(|s: Slice<u8>| -> f64 { $host(s) })).unwrap();
    let payload = catch_unwind(AssertUnwindSafe(|| f.call(b"why"))).unwrap_err();
    assert_eq!(*payload.downcast::<Payload>().unwrap(), Payload("why".into()));
}

#[test]
fn a_closure_that_only_panics() {
    silence_expected_panics();
    let host = HostFn::new(|_: i64| panic!("{QUIET}"));
    let f = jit().compile(tick!(|x: i64| -> i64 { if x == 0 { $host(x) } x })).unwrap();
    assert_eq!(f.try_call(1).unwrap(), 1);
    assert!(matches!(f.try_call(0), Err(Trap::HostPanic(_))));
}

#[test]
fn payloads_are_dropped_once() {
    let state = Arc::new(());
    let held = Arc::clone(&state);
    let host = HostFn::new(move |x: i32| -> f32 { panic_any((x, Arc::clone(&held))) });
    let inner = jit().compile(tick!(|x: i32| -> f32 { $host(x) * 2.0 })).unwrap();
    // The status changes registers on its way, as one result is a float and the other is not.
    let outer = jit().compile(tick!(|x: i32| -> i64 { $inner(x) as i64 + 1 })).unwrap();
    for x in 0..100 {
        let Err(Trap::HostPanic(payload)) = outer.try_call(x) else { panic!("no panic") };
        assert_eq!(Arc::strong_count(&state), 3);
        assert_eq!(payload.downcast::<(i32, Arc<()>)>().unwrap().0, x);
    }
    assert_eq!(Arc::strong_count(&state), 2);
}

#[test]
fn traps_and_panics_of_several_levels() {
    silence_expected_panics();
    let divide = jit().compile(tick!(|a: i64, b: i64| -> i64 { a / b })).unwrap();
    // Level 2: a closure that hands on traps as values, and panics as panics.
    let quotient = HostFn::new(move |a: i64, b: i64| match divide.try_call(a, b) {
        Ok(value) => value,
        Err(Trap::DivisionByZero) if a == 0 => -1,
        Err(trap) => panic_any(trap.to_string()),
    });
    let middle = jit().compile(tick!(|a: i64, b: i64| -> i64 { if b == 99 { trap(7) } $quotient(a, b) + 1 })).unwrap();
    // Level 4.
    let caught = middle.clone();
    let outermost = HostFn::new(move |a: i64, b: i64| match caught.try_call(a, b) {
        Err(Trap::Code(code)) => -i64::from(code),
        Err(Trap::HostPanic(payload)) if a == 1 => {
            assert_eq!(payload.downcast_ref::<String>().unwrap(), "attempt to divide by zero");
            1000
        }
        Err(Trap::HostPanic(payload)) => std::panic::resume_unwind(payload),
        other => other.unwrap(),
    });
    let f = jit().compile(tick!(|a: i64, b: i64| -> i64 { $outermost(a, b) * 10 })).unwrap();
    assert_eq!(f.call(12, 4), 40);
    assert_eq!(f.call(0, 0), 0);
    assert_eq!(f.call(5, 99), -70);
    assert_eq!(f.call(1, 0), 10_000);
    let Err(Trap::HostPanic(payload)) = f.try_call(2, 0) else { panic!("no panic") };
    assert_eq!(payload.downcast_ref::<String>().unwrap(), "attempt to divide by zero");
    assert!(matches!(middle.try_call(i64::MIN, -1), Err(Trap::HostPanic(_))));
}

#[test]
fn a_closure_may_compile() {
    let host = HostFn::new(|n: i64| {
        let f = jit().compile(tick!(|x: i64| -> i64 { x * $n })).unwrap();
        f.call(10)
    });
    let f = jit().compile(tick!(|x: i64| -> i64 { $host(x) + $host(x + 1) })).unwrap();
    assert_eq!(f.call(3), 70);
}

#[test]
fn a_deferred_constant_may_be_a_closure() {
    let hosts: Vec<_> = (0..5i64).map(|k| HostFn::new(move |x: i64| x * k)).collect();
    let f = jit()
        .compile(tick!(|x: i64| -> i64 {
            let mut sum = 0;
            for host in $(hosts.iter()) { sum += $host(x) }
            sum
        }))
        .unwrap();
    assert_eq!(f.call(7), 70);
}

// ------------------------------------------------------------------------------------------------------------- stack

#[test]
fn recursion_through_a_closure_ends_in_a_trap() {
    on_stack(1024, || {
        static AGAIN: OnceLock<Unary> = OnceLock::new();
        let depth = Arc::new(AtomicI64::new(0));
        let deepest = Arc::clone(&depth);
        let host = HostFn::new(move |n: i64| {
            deepest.fetch_max(n, Ordering::Relaxed);
            match AGAIN.get().unwrap().try_call(n + 1) {
                Ok(value) => value,
                Err(Trap::StackOverflow) => -n,
                Err(other) => panic!("{other}"),
            }
        });
        // Neither recursive by itself nor in need of much stack.
        let f = jit().compile(tick!(|n: i64| -> i64 { $host(n) })).unwrap();
        AGAIN.set(f.clone()).unwrap();
        let value = f.call(0);
        assert_eq!(value, -depth.load(Ordering::Relaxed));
        assert!(value < -100, "{value}");
        assert_eq!(f.call(0), value, "all the stack is there again");
    });
}

#[test]
fn recursion_through_a_closure_that_panics_ends_in_the_panic() {
    // The hook that keeps thousands of messages from being printed is the whole process's.
    if !alone("recursion_through_a_closure_that_panics_ends_in_the_panic") {
        return;
    }
    on_stack(1024, || {
        std::panic::set_hook(Box::new(|_| ()));
        static AGAIN: OnceLock<Unary> = OnceLock::new();
        let host = HostFn::new(|n: i64| AGAIN.get().unwrap().call(n + 1));
        let f = jit().compile(tick!(|n: i64| -> i64 { $host(n) })).unwrap();
        AGAIN.set(f.clone()).unwrap();
        let trap = f.try_call(0).unwrap_err();
        let _ = std::panic::take_hook();
        let Trap::HostPanic(payload) = trap else { panic!("{trap:?}") };
        assert_eq!(payload.downcast_ref::<String>().unwrap(), "dynamic code ran out of stack");
    });
}

// ----------------------------------------------------------------------------------------------------------- threads

#[test]
fn threads_share_a_closure() {
    silence_expected_panics();
    let total = Arc::new(AtomicI64::new(0));
    let sum = Arc::clone(&total);
    let host = HostFn::new(move |x: i64| {
        assert!(x % 1000 != 999, "{QUIET}");
        sum.fetch_add(x, Ordering::Relaxed);
        x
    });
    let f = jit().compile(tick!(|x: i64| -> i64 { $host(x) })).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (f, host) = (f.clone(), host.clone());
            std::thread::spawn(move || {
                let own = jit().compile(tick!(|x: i64| -> i64 { $host(x) })).unwrap();
                for x in 0..2000 {
                    let results = [f.try_call(x), own.try_call(x)];
                    assert!(results.iter().all(|result| result.is_err() == (x % 1000 == 999)));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(total.load(Ordering::Relaxed), 8 * ((0..2000).sum::<i64>() - 999 - 1999));
}

#[test]
fn a_function_outlives_its_thread_and_the_host_handle() {
    let f = std::thread::spawn(|| {
        let host = HostFn::new(|x: i64| x + 1);
        jit().compile(tick!(|x: i64| -> i64 { $host(x) })).unwrap()
    })
    .join()
    .unwrap();
    assert_eq!(f.call(1), 2);
}
