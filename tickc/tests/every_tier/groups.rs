//! Mutually recursive functions: declared before they are defined, compiled as one group, freed together.
#![forbid(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

use std::panic::Location;
use std::sync::Arc;

use support::jit;
use tickc::prelude::*;

/// Checks that a message names lines of this file.
#[track_caller]
fn names(error: &Error, lines: &[u32]) {
    let message = error.to_string();
    for line in lines {
        assert!(message.contains(&format!("{}:{line}:", file!())), "line {line} is missing in: {message}");
    }
}

/// The line of the caller.
#[track_caller]
fn line() -> u32 {
    Location::caller().line()
}

#[test]
fn parity() {
    let mut group = jit().group();
    let even = group.declare::<fn(u64) -> bool>();
    let odd = group.declare::<fn(u64) -> bool>();
    group.define(odd, tick!(|n: u64| -> bool { if n == 0 { false } else { $even(n - 1) } }));
    group.define(even, tick!(|n: u64| -> bool { n == 0 || $odd(n - 1) }));
    let functions = group.compile().unwrap();
    let (even, odd) = (functions.get(even).unwrap(), functions.get(odd).unwrap());
    for n in 0..50 {
        assert_eq!((even.call(n), odd.call(n)), (n % 2 == 0, n % 2 == 1));
    }
    // Which takes too long under Miri.
    if cfg!(not(miri)) {
        assert!(matches!(even.try_call(u64::MAX), Err(Trap::StackOverflow)), "endless recursion");
    }
    assert!(even.stats().instructions > 5 && even.disassemble().contains("call"));
}

/// Hofstadter's female and male sequences, with floats, slices and traps across the calls.
#[test]
fn arguments_and_traps_pass_between_functions() {
    let mut group = jit().group();
    let female = group.declare::<fn(i64) -> i64>();
    let male = group.declare::<fn(i64) -> i64>();
    group.define(female, tick!(|n: i64| -> i64 { if n == 0 { 1 } else { n - $male($female(n - 1)) } }));
    group.define(male, tick!(|n: i64| -> i64 { if n == 0 { 0 } else { n - $female($male(n - 1)) } }));
    let functions = group.compile().unwrap();
    let female = functions.get(female).unwrap();
    assert_eq!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|n| female.call(n)), [1, 1, 2, 2, 3, 3, 4, 5, 5, 6]);

    let mut group = jit().group();
    let sum = group.declare::<fn(Slice<f64>, usize, f64) -> f64>();
    let step = group.declare::<fn(f64, Slice<f64>, usize) -> f64>();
    group.define(
        sum,
        tick!(|s: Slice<f64>, i: usize, acc: f64| -> f64 { if i == 5 { acc } else { $step(acc + s[i], s, i + 1) } }),
    );
    group.define(step, tick!(|acc: f64, s: Slice<f64>, i: usize| -> f64 { $sum(s, i, acc * 2.0) }));
    let functions = group.compile().unwrap();
    let sum = functions.get(sum).unwrap();
    assert_eq!(sum.call(&[1.0; 5], 0, 0.0), 62.0);
    assert!(matches!(sum.try_call(&[1.0; 4], 0, 0.0), Err(Trap::IndexOutOfBounds)));
}

/// One that calls nothing is called as the others are, and one may be called from outside.
#[test]
fn leaves_and_callers_outside() {
    let mut group = jit().group();
    let leaf = group.declare::<fn(i64) -> i64>();
    let unused = group.declare::<fn()>();
    let root = group.declare::<fn(i64) -> i64>();
    group.define(leaf, tick!(|x: i64| x * 2));
    group.define(root, tick!(|x: i64| $leaf(x) + $leaf(x + 1)));
    let functions = group.compile().unwrap();
    assert!(matches!(functions.get(unused), Err(Error::NotDefined { .. })));
    let (leaf, root) = (functions.get(leaf).unwrap(), functions.get(root).unwrap());
    drop(functions);
    let caller = jit().compile(tick!(|x: i64| $root(x) - $leaf(x))).unwrap();
    drop((leaf, root));
    assert_eq!(caller.call(10), 22);
    assert_eq!(std::thread::spawn(move || caller.call(1)).join().unwrap(), 4);
}

#[test]
fn a_group_is_freed_with_its_last_function() {
    let kept: Arc<[i64]> = Arc::from([1, 2, 3]);
    let mut group = jit().group();
    let [a, b] = [(); 2].map(|()| group.declare::<fn(i64) -> i64>());
    group.define(a, tick!(|n: i64| -> i64 { if n < 0 { 0 } else { $b(n - 1) + ($(kept.clone()))[1] } }));
    group.define(b, tick!(|n: i64| -> i64 { if n < 0 { 0 } else { $a(n - 1) } }));
    let functions = group.compile().unwrap();
    let (a, b) = (functions.get(a).unwrap(), functions.get(b).unwrap());
    drop(functions);
    drop(a);
    assert!(Arc::strong_count(&kept) > 1, "`b` calls `a`");
    assert_eq!(b.clone().call(4), 4);
    drop(b);
    assert_eq!(Arc::strong_count(&kept), 1);
}

#[test]
fn errors_name_both_places() {
    let mut group = jit().group();
    let missing = group.declare::<fn(i64) -> i64>();
    let declared = line() - 1;
    let f = group.declare::<fn(i64) -> i64>();
    group.define(
        f,
        tick!(|x: i64| -> i64 {
            if x == 0 { return 1 }
            $missing(x - 1)
        }),
    );
    let error = group.compile().unwrap_err();
    assert!(matches!(error, Error::NotDefined { .. }), "{error}");
    names(&error, &[declared, declared + 7]);

    let error = jit().compile(tick!(|x: i64| -> i64 { $missing(x) })).unwrap_err();
    assert!(matches!(error, Error::OtherGroup { .. }), "{error}");
    names(&error, &[declared, line() - 2]);

    let mut group = jit().group();
    group.define(missing, tick!(|x: i64| x));
    assert!(matches!(group.compile(), Err(Error::OtherGroup { .. })));

    let mut group = jit().group();
    let f = group.declare::<fn()>();
    group.define(f, tick!(|| {}));
    group.define(f, tick!(|| {}));
    let error = group.compile().unwrap_err();
    names(&error, &[line() - 4, line() - 3, line() - 2]);

    // An error in one definition is that of the group, and the next function compiles.
    let mut group = jit().group();
    let f = group.declare::<fn() -> i64>();
    group.define(f, tick!(|| -> i64 { @(Code::<i64>::fail("no such thing")) }));
    assert_eq!(group.compile().unwrap_err().to_string(), "no such thing");
    assert_eq!(jit().compile(tick!(|| 7i64)).unwrap().call(), 7);
}
