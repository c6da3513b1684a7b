//! Variables that leave their scope or their function: `compile` names where they were bound and where they are used.
#![forbid(unsafe_code)]
#![allow(unused_variables, reason = "programs that are refused")]

#[path = "../support/mod.rs"]
mod support;

use std::cell::Cell;
use std::panic::Location;

use tickc::prelude::*;

fn jit() -> Jit {
    support::jit()
}

/// The line of the caller.
#[track_caller]
fn line() -> u32 {
    Location::caller().line()
}

/// Checks the message about a variable of type `ty` bound and used at these lines and columns of this file.
#[track_caller]
fn check(error: Error, ty: &str, bound: (u32, u32), used: (u32, u32), how: &str) {
    let place = |(line, column): (u32, u32)| format!("{}:{line}:{column}", file!());
    let message =
        format!("the dynamic variable of type {ty} bound at {} was used at {} {how}", place(bound), place(used));
    assert_eq!(error.to_string(), message);
}

#[test]
fn a_let_after_its_scope() {
    let leak = Cell::new(None);
    let first = line() + 2;
    let staged = tick!(|x: i64| -> i64 {
        if x > 0 {
            let y = x + 1;
            @({ leak.set(Some(y)); tick!({}) });
        }
        let z = @({ let _ = x; leak.get().unwrap() });
        x
    });
    let error = jit().compile(staged).unwrap_err();
    check(error, "i64", (first + 1, 17), (first + 4, 19), "after its scope had ended");
}

#[test]
fn a_parameter_in_another_function() {
    let leak = Cell::new(None);
    let first = line() + 1;
    let f = jit().compile(tick!(|first: u8, second: Slice<u16>| -> u8 {
        @({ leak.set(Some(second)); tick!({}) });
        first
    }));
    f.unwrap();
    let leaked = leak.get().unwrap();
    let error = jit().compile(tick!(|i: usize| (@leaked)[i])).unwrap_err();
    let ty = std::any::type_name::<Slice<u16>>();
    check(error, ty, (first, 45), (line() - 2, 50), "in another function");
}

#[test]
fn a_variable_within_a_function_that_is_compiled_meanwhile() {
    let first = line() + 1;
    let error = Cell::new(None);
    jit()
        .compile(tick!(|x: i64| -> i64 {
            @({
                error.set(jit().compile(tick!(|y: i64| -> i64 { @x + y })).err());
                tick!(@x)
            })
        }))
        .unwrap();
    check(error.take().unwrap(), "i64", (first + 2, 25), (first + 4, 66), "in another function");
}

#[test]
fn assignments_and_loop_variables() {
    let leak = Cell::new(None);
    let first = line() + 1;
    let staged = tick!(|n: u32| {
        for i in 0..n {
            @({ leak.set(Some(i)); tick!({}) });
        }
        @({ let (_, v) = (n, leak.get().unwrap()); tick!(@v = 5) });
    });
    let error = jit().compile(staged).unwrap_err();
    check(error, "u32", (first + 1, 13), (first + 4, 59), "after its scope had ended");
    let staged = tick!(|n: u32| {
        match n {
            0 => {}
            k => @({ leak.set(Some(k)); tick!({}) }),
        }
        @({ let (_, v) = (n, leak.get().unwrap()); tick!(@v += 5) });
    });
    let error = jit().compile(staged).unwrap_err();
    check(error, "u32", (first + 11, 13), (first + 13, 59), "after its scope had ended");
}

#[test]
fn what_was_bound_long_ago_has_no_place() {
    let leak = Cell::new(None);
    jit().compile(tick!(|x: f64| { @({ leak.set(Some(x)); tick!({}) }) })).unwrap();
    for _ in 0..2000 {
        jit().compile(tick!(|x: f64| { @({ let _ = x; tick!({}) }) })).unwrap();
    }
    let x = leak.get().unwrap();
    let error = jit().compile(tick!(|| @x)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the dynamic variable of type f64 bound in a function compiled long before was used at {}:{}:41 in another \
             function",
            file!(),
            line() - 7
        )
    );
}
