//! Labels: jumps across fragments and into loops and arms, tables, what is refused, and what the one-pass machine could get
//! wrong about variables when control comes from elsewhere.
#![forbid(unsafe_code)]
#![allow(unused_variables, clippy::diverging_sub_expression, reason = "programs that are refused")]

#[path = "../support/mod.rs"]
mod support;

use std::panic::Location;

use support::jit;
use tickc::prelude::*;

/// The line of the caller.
#[track_caller]
fn line() -> u32 {
    Location::caller().line()
}

/// Checks that a message names lines of this file.
#[track_caller]
fn names(error: &Error, lines: &[u32]) {
    let message = error.to_string();
    for line in lines {
        assert!(message.contains(&format!("{}:{line}:", file!())), "line {line} is missing in: {message}");
    }
}

#[test]
fn backward_and_forward() {
    let (top, end) = (Label::new(), Label::new());
    let f = jit()
        .compile(tick!(|n: i64| -> i64 {
            let mut i = 0;
            let mut sum = 0;
            @(top.here());
            if i == n {
                @(end.goto());
            }
            i += 1;
            sum += i * i;
            @(top.goto());
            @(end.here());
            sum
        }))
        .unwrap();
    assert_eq!(f.call(4), 30);
    assert_eq!(f.call(0), 0);
}

#[test]
fn across_fragments() {
    // A state machine out of fragments that know each other by labels only: the last letter of each run of letters is counted.
    let [start, inside, done] = [Label::new(), Label::new(), Label::new()];
    let (pos, count) = (Var::<usize>::local(), Var::<i64>::local());
    fn next<'a>(s: Var<Slice<u8>>, pos: Var<usize>, end: Label) -> Code<'a, ()> {
        tick!({
            if @pos == (@s).len() {
                @(end.goto())
            }
            @pos += 1;
        })
    }
    let f = jit()
        .compile(tick!(|s: Slice<u8>| -> i64 {
            @(start.here());
            @(next(s, pos, done));
            if s[@pos - 1] == 32 {
                @(start.goto());
            }
            @count += 1;
            @(inside.here());
            @(next(s, pos, done));
            if s[@pos - 1] == 32 {
                @(start.goto());
            }
            @(inside.goto());
            @(done.here());
            @count
        }))
        .unwrap();
    assert_eq!(f.call(b"the quick  brown fox "), 4, "{}", f.disassemble());
    assert_eq!(f.call(b""), 0);
    assert_eq!(f.call(b"x"), 1);
}

#[test]
fn into_loops_and_arms() {
    let [into_while, into_loop, into_else, into_arm] = [(); 4].map(|()| Label::new());
    let (trace, chosen) = (Var::<u64>::local(), Var::<u64>::local());
    let mark = |digit: u64| tick!(@trace = @trace * 10 + $digit);
    let f = jit()
        .compile(tick!(|which: usize, x: i32| -> u64 {
            let mut n = 0;
            @(Label::table(tick!(@which), &[into_while, into_loop, into_else, into_arm]));
            while n < 3 {
                @(mark(1));
                @(into_while.here());
                n += 1;
                @(mark(2));
            }
            loop {
                @(mark(3));
                @(into_loop.here());
                @(mark(4));
                n += 1;
                if n > 4 {
                    break;
                }
            }
            @chosen = if x > 0 {
                @(mark(5));
                1
            } else {
                @(into_else.here());
                @(mark(6));
                2
            };
            @trace = @trace * 10 + @chosen;
            @chosen = match x {
                0 => 8,
                1 => {
                    @(into_arm.here());
                    @(mark(9));
                    8
                }
                _ => 0,
            };
            @trace * 10 + @chosen
        }))
        .unwrap();
    assert_eq!(f.call(0, 0), 212_123_434_628, "{}", f.disassemble());
    assert_eq!(f.call(1, 1), 4_343_434_345_198);
    assert_eq!(f.call(2, 5), 620);
    assert_eq!(f.call(3, 5), 98);
    assert!(matches!(f.try_call(4, 0), Err(Trap::IndexOutOfBounds)));
}

#[test]
fn tables() {
    // A threaded interpreter: 0 adds one, 1 doubles, 2 negates, 3 ends.
    let ops = [(); 4].map(|()| Label::new());
    let pc = Var::<usize>::local();
    let dispatch = |code: Var<Slice<u8>>| {
        let next = Label::table(tick!((@code)[@pc] as usize), &ops);
        tick!({ @next; })
    };
    let run = jit()
        .compile(tick!(|code: Slice<u8>, x: i64| -> i64 {
            let mut acc = x;
            @(dispatch(code));
            @(ops[0].here());
            acc += 1;
            @pc += 1;
            @(dispatch(code));
            @(ops[1].here());
            acc *= 2;
            @pc += 1;
            @(dispatch(code));
            @(ops[2].here());
            acc = -acc;
            @pc += 1;
            @(dispatch(code));
            @(ops[3].here());
            acc
        }))
        .unwrap();
    assert_eq!(run.call(&[0, 1, 1, 2, 0, 3], 5), -23, "{}", run.disassemble());
    assert_eq!(run.call(&[3], 5), 5);
    assert!(matches!(run.try_call(&[0, 4], 5), Err(Trap::IndexOutOfBounds)));
    assert!(matches!(run.try_call(&[0, 1], 5), Err(Trap::IndexOutOfBounds)), "the end of the code");
}

#[test]
fn tables_of_every_size() {
    for count in 1..40usize {
        let labels: Vec<Label> = (0..count).map(|_| Label::new()).collect();
        let end = Label::new();
        let found = Var::<usize>::local();
        let f = jit()
            .compile(tick!(|i: usize| -> usize {
                @(Label::table(tick!(@i), &labels));
                for k in $(0..count) {
                    @(labels[k].here());
                    @found = $(k * k);
                    @(end.goto());
                }
                @(end.here());
                @found + i
            }))
            .unwrap();
        for i in 0..count {
            assert_eq!(f.call(i), i * i + i);
        }
        assert!(f.try_call(count).is_err());
        assert!(f.try_call(usize::MAX).is_err());
    }
    let none = jit().compile(tick!(|i: usize| { @(Label::table(tick!(@i), &[])) })).unwrap();
    assert!(matches!(none.try_call(0), Err(Trap::IndexOutOfBounds)));
}

#[test]
fn constant_indexes_need_no_table() {
    let [a, b] = [Label::new(), Label::new()];
    let f = jit()
        .compile(tick!(|| -> i64 {
            @(Label::table(tick!(1), &[a, b]));
            @(a.here());
            if 1 < 2 { return 1 }
            @(b.here());
            2
        }))
        .unwrap();
    assert_eq!(f.call(), 2);
    assert!(!f.disassemble().contains("lea"), "{}", f.disassemble());
    let past = jit().compile(tick!(|| { @(Label::table(tick!(7), &[])) })).unwrap();
    assert!(matches!(past.try_call(), Err(Trap::IndexOutOfBounds)));
}

#[test]
fn one_label_is_another_in_each_function() {
    let again = Label::new();
    let (here, goto) = (again.here(), again.goto());
    let f = |step: i64| {
        jit()
            .compile(tick!(|n: i64| -> i64 {
                let mut i = 0;
                @here;
                i += $step;
                if i < n { @goto }
                i
            }))
            .unwrap()
    };
    assert_eq!((f(3).call(10), f(7).call(10)), (12, 14));
}

/// `h` is read for the last time behind a label, to which control comes back: its register must not be given up.
#[test]
fn last_uses_behind_a_label_are_not_the_last() {
    let again = Label::new();
    let f = jit()
        .compile(tick!(|x: i64| -> i64 {
            let mut n = 0;
            let mut sum = 0;
            let h = x * 3;
            @(again.here());
            sum += h + 1;
            let other = sum * 5;
            let another = other ^ n;
            sum += another;
            n += 1;
            if n < 5 {
                @(again.goto());
            }
            sum
        }))
        .unwrap();
    let want = |x: i64| {
        let (mut n, mut sum) = (0i64, 0i64);
        while n < 5 {
            sum += x * 3 + 1;
            sum += (sum * 5) ^ n;
            n += 1;
        }
        sum
    };
    assert_eq!(f.call(11), want(11), "{}", f.disassemble());
}

/// A local seen for the first time between a jump and its label starts at zero all the same, once in each call.
#[test]
fn locals_that_jumps_pass_are_zero() {
    let (skip, again) = (Label::new(), Label::new());
    let (a, b, c) = (Var::<i64>::local(), Var::<f64>::local(), Var::<Slice<u8>>::local());
    let f = jit()
        .compile(tick!(|x: i64| -> i64 {
            let mut rounds = 0;
            @(again.here());
            if x > 0 {
                @(skip.goto());
            }
            @a += 1;
            @b += 1.5;
            @c = @c;
            @(skip.here());
            rounds += 1;
            if rounds < 3 {
                @(again.goto());
            }
            @a * 100 + @b as i64 + (@c).len() as i64
        }))
        .unwrap();
    for _ in 0..2 {
        assert_eq!((f.call(1), f.call(0)), (0, 304), "{}", f.disassemble());
    }
}

/// Many variables, so that homes are in registers and in slots, and calls between label and jump.
#[test]
fn homes_survive_jumps() {
    extern "C" fn mix(x: i64) -> i64 {
        x.wrapping_mul(0x9e37_79b9).rotate_left(7)
    }
    let again = Label::new();
    let f = jit()
        .compile(tick!(|x: i64, y: f64| -> i64 {
            let a = x + 1;
            let b = x * 2;
            let c = x ^ 3;
            let d = x - 4;
            let e = x << 5;
            let g = x & 0xff6;
            let h = x | 7;
            let i = x + 88;
            let j = x * 9;
            let k = x - 10;
            let l = x ^ 111;
            let z = y * 2.0;
            let mut n = 0;
            let mut sum = 0;
            @(again.here());
            let t = mix(sum + a);
            sum = t + b * c - d + mix(e) + g * h + i - j + k * l + z as i64;
            n += 1;
            if n < 4 {
                @(again.goto());
            }
            sum
        }))
        .unwrap();
    let want = |x: i64, y: f64| {
        let (a, b, c, d, e, g, h) = (x + 1, x * 2, x ^ 3, x - 4, x << 5, x & 0xff6, x | 7);
        let (i, j, k, l, z) = (x + 88, x * 9, x - 10, x ^ 111, y * 2.0);
        let mut sum = 0i64;
        for _ in 0..4 {
            let t = mix(sum.wrapping_add(a));
            sum = t.wrapping_add(b * c - d).wrapping_add(mix(e)).wrapping_add(g * h + i - j + k * l + z as i64);
        }
        sum
    };
    assert_eq!(f.call(12345, 2.5), want(12345, 2.5));
}

/// Control comes to code behind a `return`: it goes on to the end of its block.
#[test]
fn labels_behind_what_diverges() {
    let (late, later) = (Label::new(), Label::new());
    let log = Var::<i64>::local();
    let f = jit()
        .compile(tick!(|x: i64| -> i64 {
            if x == 1 {
                @(late.goto());
            }
            if x == 2 {
                return 20;
                @(late.here());
                @log += 1;
            } else {
                @log += 100;
            }
            loop {
                if x != 3 { @(later.goto()) }
                return 30;
            }
            @(later.here());
            @log
        }))
        .unwrap();
    assert_eq!([0, 1, 2, 3].map(|x| f.call(x)), [100, 1, 20, 30], "{}", f.disassemble());

    let end = Label::new();
    let cell = jit()
        .compile(tick!(|out: SliceMut<i64>, x: i64| {
            if x > 0 { @(end.goto()) }
            return;
            @(end.here());
            out[0] = x;
        }))
        .unwrap();
    let mut out = [0];
    cell.call(&mut out, -5);
    assert_eq!(out, [0]);
    cell.call(&mut out, 5);
    assert_eq!(out, [5]);
}

#[test]
fn jumps_within_the_scope_of_a_loop_variable() {
    let redo = Label::new();
    let f = jit()
        .compile(tick!(|s: SliceMut<i64>| -> i64 {
            let mut steps = 0;
            for i in 0..s.len() {
                @(redo.here());
                steps += 1;
                if s[i] > 0 {
                    s[i] -= 1;
                    @(redo.goto());
                }
            }
            steps
        }))
        .unwrap();
    let mut data = [3, 0, 2];
    assert_eq!(f.call(&mut data), 8);
    assert_eq!(data, [0; 3]);
}

#[test]
fn labels_in_conditions_and_heads() {
    let again = Label::new();
    let f = jit()
        .compile(tick!(|n: i64| -> i64 {
            let mut i = 0;
            let last = {
                @(again.here());
                i += 1;
                i
            };
            if last < n && { if i < 3 { @(again.goto()) } i == 3 } { 100 } else { last }
        }))
        .unwrap();
    assert_eq!((f.call(1), f.call(2), f.call(50)), (1, 2, 100));
}

#[test]
fn a_label_that_is_not_placed_is_refused() {
    let label = Label::new();
    let made = line() - 1;
    let error = jit()
        .compile(tick!(|x: i64| -> i64 {
            if x > 0 {
                @(label.goto());
            }
            x
        }))
        .unwrap_err();
    let used = line() - 5;
    assert!(matches!(error, Error::LabelNotPlaced { .. }), "{error}");
    names(&error, &[made, used]);
    // What was not instantiated was not placed.
    let error = jit().compile(tick!(|| { @(label.goto()); if $(false) { @(label.here()) } })).unwrap_err();
    names(&error, &[made]);
    // The emitter has forgotten it.
    assert!(jit().compile(tick!(|| { @(label.here()); })).is_ok());
    assert!(jit().compile(tick!(|| 1)).is_ok());
}

#[test]
fn a_label_that_is_placed_twice_is_refused() {
    let label = Label::new();
    let made = line() - 1;
    let error = jit()
        .compile(tick!(|| {
            @(label.here());
            @(label.here());
        }))
        .unwrap_err();
    assert!(matches!(error, Error::LabelPlacedTwice { .. }), "{error}");
    names(&error, &[made, made + 4, made + 5]);
    let here = label.here();
    let error = jit().compile(tick!(|| { for _k in $(0..2) { @here } })).unwrap_err();
    assert!(matches!(error, Error::LabelPlacedTwice { .. }), "{error}");
}

#[test]
fn a_jump_past_a_let_is_refused() {
    let label = Label::new();
    let (goto, here) = (label.goto(), label.here());
    let at = line() - 1;
    let past = |result: Result<(), Error>| {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::JumpPastLet { .. }), "{error}");
        names(&error, &[at]);
    };
    past(jit().compile(tick!(|x: i64| -> i64 { @goto; let y = x; @here; y + y })).map(drop));
    past(jit().compile(tick!(|x: i64| -> i64 { @goto; let y = 5; @here; y })).map(drop));
    // Also when it is read no more, or never.
    past(jit().compile(tick!(|x: i64| -> i64 { @goto; let y = x; let z = y; @here; x })).map(drop));
    past(jit().compile(tick!(|x: i64| -> i64 { { let y = x * x; @here; y; } @goto; x })).map(drop));
    past(jit().compile(tick!(|x: i64| -> i64 { { let y = x * x; let z = y; @here; } @goto; x })).map(drop));
    past(jit().compile(tick!(|s: Slice<i64>| { @goto; let t = s; @here; t[0]; })).map(drop));
    past(jit().compile(tick!(|n: i64| { @goto; for i in 0..n { @here; } })).map(drop));
    past(jit().compile(tick!(|n: i64| { for i in 0..n { @here; } @goto; })).map(drop));
    past(jit().compile(tick!(|n: i64| { for _ in 0..n { @here; } @goto; })).map(drop));
    past(jit().compile(tick!(|n: i64| { for mut i in 0..n { @here; } @goto; })).map(drop));
    past(
        jit()
            .compile(tick!(|n: i64| {
                match n {
                    0 => {}
                    k => { @here; k; }
                }
                @goto;
            }))
            .map(drop),
    );
    // A round of an unrolled loop has variables of its own.
    past(
        jit()
            .compile(tick!(|x: i64| {
                for k in $(0..2) {
                    let y = x;
                    if $(k == 0) { @here } else { @goto }
                    y;
                }
            }))
            .map(drop),
    );
    // Of several jumps it is the wrong one that is named.
    let (good, bad) = (label.goto(), label.goto());
    let error =
        jit().compile(tick!(|x: i64| { if x > 1 { @bad } let y = x; if x > 2 { @good } @here; y; })).unwrap_err();
    names(&error, &[at, line() - 3]);

    assert!(jit().compile(tick!(|x: i64| -> i64 { let y = x; @goto; @here; y })).is_ok());
    assert!(jit().compile(tick!(|x: i64| -> i64 { @goto; { let y = x; y; } @here; x })).is_ok());
    assert!(jit().compile(tick!(|x: i64| -> i64 { @here; let y = x; if y > x { @goto } y })).is_ok());
}

#[test]
fn a_label_within_an_operand_is_refused() {
    let label = Label::new();
    let here = label.here();
    let inner = tick!({ @here; 5i64 });
    let check = |result: Result<(), Error>| {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::LabelInOperand { .. }), "{error}");
    };
    let v = Var::<i64>::local();
    check(jit().compile(tick!(|x: i64| -> i64 { x + { @here; x } })).map(drop));
    check(jit().compile(tick!(|x: i64| -> i64 { x * x + @inner })).map(drop));
    check(jit().compile(tick!(|| -> i64 { @v + @(inner.clone()) })).map(drop));
    check(jit().compile(tick!(|x: i64| -> i64 { x.max({ let y = x; if y > 0 { @here } y }) })).map(drop));
    check(jit().compile(tick!(|s: Slice<i64>| -> i64 { s[{ @here; 0 }] })).map(drop));
    check(jit().compile(tick!(|s: SliceMut<i64>| { s[@inner as usize] = 1 })).map(drop));
    check(jit().compile(tick!(|n: i64| { for _ in 0..({ @here; n }) {} })).map(drop));
    // An operand that nothing waits for, and a jump out of an expression, are fine.
    let end = Label::new();
    let f = jit()
        .compile(tick!(|x: i64| -> i64 {
            @v = @inner + x + @v;
            if @v + { if x < 0 { @(end.goto()) } @v } < 40 { @(label.goto()) }
            @(end.here());
            @v
        }))
        .unwrap();
    assert_eq!((f.call(-1), f.call(2)), (4, 21));
}

#[test]
fn many_labels_and_variables_take_linear_time() {
    let count = if support::tier() == Tier::Cranelift { 2200 } else { 20_000 };
    let labels: Vec<Label> = (0..count).map(|_| Label::new()).collect();
    let f = jit()
        .compile(tick!(|x: i64| -> i64 {
            let mut sum = x;
            for k in $(0..count) {
                @(labels[k].here());
                if sum == 1000 {
                    let y = sum;
                    sum = y + 5;
                    @(labels[count - 1 - k].goto());
                }
                sum += 1;
            }
            sum
        }))
        .unwrap();
    assert_eq!(f.call(0), 1000 + 5 + 1001);
}

#[test]
fn a_part_of_a_slice_is_no_variable_that_a_jump_could_miss() {
    let (again, end) = (Label::new(), Label::new());
    let (stop, repeat) = (end.goto(), again.goto());
    let (here, there) = (again.here(), end.here());
    let n = Var::<i64>::local();
    let f = support::jit()
        .compile(tick!(|s: Slice<i64>| -> i64 {
            @here;
            if @n > 100 {
                @stop;
            }
            @n += (&s[1..])[0] + (&s[..2])[1];
            @repeat;
            @there;
            @n
        }))
        .unwrap();
    assert_eq!(f.call(&[1, 20, 3]), 120);
}

#[test]
fn a_variable_read_for_the_last_time_leaves_its_scope_with_it() {
    let end = Label::new();
    let (stop, there) = (end.goto(), end.here());
    let result = Var::<i64>::local();
    let f = support::jit()
        .compile(tick!(|x: i64| -> i64 {
            @result = x;
            if x > 10 {
                @stop;
            }
            @result = {
                let h = x + 1;
                h * h
            };
            @there;
            @result
        }))
        .unwrap();
    assert_eq!((f.call(2), f.call(11)), (9, 11));
}
