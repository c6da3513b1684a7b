//! The constructs of 'C, row by row, in the form that they have here: the table of "'C and tcc: A Language and Compiler for Dynamic
//! Code Generation" (Poletto, Hsieh, Engler & Kaashoek, TOPLAS 1999), its rules, and its run-time optimizations.

#![allow(unsafe_code, reason = "the programs whose variables are captured by address")]

#[path = "../support/mod.rs"]
mod support;

use std::cell::RefCell;

use tickc::prelude::*;

fn jit() -> Jit {
    support::jit()
}

thread_local! {
    /// What dynamic code has printed.
    static PRINTED: RefCell<Vec<i32>> = const { RefCell::new(Vec::new()) };
}

extern "C" fn print(x: i32) {
    PRINTED.with_borrow_mut(|printed| printed.push(x));
}

fn printed() -> Vec<i32> {
    PRINTED.take()
}

/// `` `expr `` of type `T cspec`; `` `{ stmts } `` of type `void cspec`.
#[test]
fn backquote() {
    let expr: Code<'_, i32> = tick!(4 + 5);
    let stmts: Code<'_, ()> = tick!({
        print(1);
        print(2);
    });
    let f = jit().compile(tick!(|| -> i32 { @stmts; @expr })).unwrap();
    assert_eq!((f.call(), printed()), (9, vec![1, 2]));
}

/// `T vspec`: a dynamic lvalue; one handed to a function that returns a cspec is passed as its vspec.
#[test]
fn vspec() {
    fn double<'a>(v: Var<i32>) -> Code<'a, ()> {
        tick!(@v = @v * 2)
    }
    let f = jit()
        .compile(tick!(|x: i32| -> i32 {
            let mut y = x;
            @(double(y));
            @(double(y));
            y
        }))
        .unwrap();
    assert_eq!(f.call(10), 40);
}

/// `@e`: the composition of cspecs, each use instantiates it anew.
#[test]
fn at() {
    let c1 = tick!(4i32);
    let c2 = tick!(5i32);
    let sum = tick!(@c1 + @c2);
    let f = jit().compile(tick!(|| -> i32 { @sum * @sum })).unwrap();
    assert_eq!(f.call(), 81);
    let hello = tick!(print(7));
    let f = jit().compile(tick!(|| { @hello; @hello; })).unwrap();
    f.call();
    assert_eq!(printed(), [7, 7]);
}

/// `$e`: evaluated at specification time, captured by value.
#[test]
fn dollar() {
    let mut x = 1;
    let c = tick!(print($x));
    x += 13;
    assert_eq!(x, 14);
    jit().compile(tick!(|| { @c })).unwrap().call();
    assert_eq!(printed(), [1]);
}

/// A free variable is captured by address: here the program says so.
#[test]
fn a_free_variable_by_address() {
    let mut x = 1;
    let address = &raw mut x;
    let c = tick!({
        let p = $address;
        // SAFETY: `x` is alive when the code runs.
        print(unsafe { *p });
    });
    // SAFETY: `x` is alive and nobody borrows it.
    unsafe { *address = 14 };
    jit().compile(tick!(|| { @c })).unwrap().call();
    assert_eq!(printed(), [14]);
}

/// ``int x = 1; c = `{ printf("$x = %d, x = %d", $x, x); }; x = 14;`` prints 1 and 14.
#[test]
fn both_in_one() {
    let mut x = 1;
    let address = &raw mut x;
    // SAFETY: `x` is alive and nobody borrows it, here and when the code runs.
    let c = tick!({
        print($(unsafe { *address }));
        // SAFETY: as above.
        print(unsafe { *$address });
    });
    // SAFETY: as above.
    unsafe { *address = 14 };
    jit().compile(tick!(|| { @c })).unwrap().call();
    assert_eq!(printed(), [1, 14]);
}

/// `compile(cspec, T)`; `free_code(f)`: dropping the function.
#[test]
fn compile_and_free_code() {
    let jit = jit();
    let f: Func<fn(i32) -> i32> = jit.compile(tick!(|x: i32| x + 1)).unwrap();
    assert_eq!(f.call(41), 42);
    let kept: std::sync::Arc<[u8]> = std::sync::Arc::from([1, 2]);
    let constant = kept.clone();
    let f = jit.compile(tick!(|i: usize| -> u8 { ($constant)[i] })).unwrap();
    drop(constant);
    assert_eq!((f.call(1), std::sync::Arc::strong_count(&kept)), (2, 2));
    drop(f);
    assert_eq!(std::sync::Arc::strong_count(&kept), 1);
}

/// `local(T)`, also `register` and `auto`: a dynamic local made by the program.
#[test]
fn local() {
    let (sum, i) = (Var::<i64>::local(), Var::<i64>::local());
    let step = tick!({
        @sum += @i * @i;
        @i += 1;
    });
    let f = jit().compile(tick!(|n: i64| -> i64 { while @i < n { @step } @sum })).unwrap();
    assert_eq!((f.call(4), f.call(0)), (14, 0));
}

/// `param(T, k)`: parameters as vspecs, made where the program wants them.
#[test]
fn param() {
    fn dot<'a>(xs: &[Var<f64>], weights: &[f64]) -> Code<'a, f64> {
        xs.iter().zip(weights).fold(tick!(0.0), |sum, (&x, &w)| tick!(@sum + @x * $w))
    }
    let f = jit().compile(tick!(|a: f64, b: f64, c: f64| -> f64 { @(dot(&[c, a, b], &[1.0, 10.0, 100.0])) })).unwrap();
    assert_eq!(f.call(1.0, 2.0, 3.0), 213.0);
}

/// `label()` and `jump(l)`, across cspecs.
#[test]
fn label_and_jump() {
    let (top, out) = (Label::new(), Label::new());
    let n = Var::<i32>::local();
    let leave = tick!(if @n == 3 { @(out.goto()) });
    let body = tick!({
        @n += 1;
        print(@n);
    });
    let f = jit()
        .compile(tick!(|| {
            @(top.here());
            @leave;
            @body;
            @(top.goto());
            @(out.here());
        }))
        .unwrap();
    f.call();
    assert_eq!(printed(), [1, 2, 3]);
}

/// `jump labels[i]`
#[test]
fn jump_by_a_table() {
    let labels = [Label::new(), Label::new(), Label::new()];
    let f = jit()
        .compile(tick!(|i: usize| {
            @(Label::table(tick!(@i), &labels));
            for (k, label) in $(labels.into_iter().enumerate()) {
                @(label.here());
                print($(k as i32));
            }
        }))
        .unwrap();
    f.call(1);
    assert_eq!(printed(), [1, 2]);
    assert!(matches!(f.try_call(3), Err(Trap::IndexOutOfBounds)));
}

/// `self(T, args…)`: recursion into the function under construction.
#[test]
fn self_call() {
    let f = jit()
        .compile(tick!(
            fn factorial(n: u64) -> u64 {
                if n == 0 { 1 } else { n * factorial(n - 1) }
            }
        ))
        .unwrap();
    assert_eq!(f.call(10), 3_628_800);
}

/// `return` within a cspec returns from the generated function.
#[test]
fn return_in_a_fragment() {
    let leave = tick!(return 5i32);
    let f = jit().compile(tick!(|x: i32| -> i32 { if x > 0 { @leave } x })).unwrap();
    assert_eq!((f.call(1), f.call(-1)), (5, -1));
}

/// Run-time constants fold, commuted into the immediate.
#[test]
fn constant_folding() {
    let (a, b) = (6i64, 7i64);
    let folded = jit().compile(tick!(|| -> i64 { $a * $b + 100 / $b - 14 })).unwrap();
    let literal = jit().compile(tick!(|| -> i64 { 42 })).unwrap();
    assert_eq!((folded.call(), folded.stats().bytes), (42, literal.stats().bytes));
    let commuted = jit().compile(tick!(|x: i64| -> i64 { $a + x })).unwrap();
    let plain = jit().compile(tick!(|x: i64| -> i64 { x + 6 })).unwrap();
    assert_eq!((commuted.call(1), commuted.stats().instructions), (7, plain.stats().instructions));
}

/// The dead arms of `if ($e)` are not instantiated.
#[test]
fn dead_arms() {
    for debug in [false, true] {
        let f = jit().compile(tick!(|| { if $debug { print(1) } else { print(2) } })).unwrap();
        f.call();
        assert_eq!(printed(), [if debug { 1 } else { 2 }]);
        assert_eq!(f.disassemble().matches("call").count(), 1);
        let never: Code<'_, ()> = Code::fail("instantiated");
        let live = false;
        assert!(jit().compile(tick!(|| { if $live { @never } })).is_ok());
    }
}

/// Loops with run-time constant bounds are unrolled, nested too; `$a[i]` is evaluated at code-generation time.
#[test]
fn unrolling() {
    let a = [[1i64, 0, 3], [0, 5, 6]];
    let f = jit()
        .compile(tick!(|v: Slice<i64>| -> i64 {
            let mut sum = 0;
            for i in $(0..2usize) {
                for j in $(0..3usize) {
                    if $(a[i][j] != 0) {
                        sum += v[j] * $(a[i][j]);
                    }
                }
            }
            sum
        }))
        .unwrap();
    assert_eq!(f.call(&[1, 10, 100]), 1 + 300 + 50 + 600);
    assert!(!f.disassemble().contains("jmp") && !f.disassemble().contains("jb "), "no loop: {}", f.disassemble());
}

/// Multiplication by a run-time constant becomes shifts and adds.
#[test]
fn strength_reduction() {
    for k in [2i64, 3, 5, 8, 9, 1024] {
        let f = jit().compile(tick!(|x: i64| -> i64 { x * $k })).unwrap();
        assert_eq!(f.call(-7), -7 * k);
        if support::tier() == Tier::OnePass {
            assert!(!f.disassemble().contains("imul"), "{k}: {}", f.disassemble());
        }
    }
    for k in [1u32, 2, 16] {
        let f = jit().compile(tick!(|x: u32| -> u32 { x / $k + x % $k })).unwrap();
        assert_eq!(f.call(1000), 1000 / k + 1000 % k);
        assert!(!f.disassemble().contains("div"));
    }
}

/// Composition is inlining: the composed code is that written at once.
#[test]
fn composition() {
    fn square<'a>(x: Code<'a, i64>) -> Code<'a, i64> {
        tick!({ let y = @x; y * y })
    }
    let composed = jit().compile(tick!(|x: i64| -> i64 { @(square(square(tick!(@x + 1)))) })).unwrap();
    let written = jit()
        .compile(tick!(|x: i64| -> i64 {
            let y = x + 1;
            let z = y * y;
            z * z
        }))
        .unwrap();
    assert_eq!(composed.call(2), 81);
    assert!(!composed.disassemble().contains("call"));
    assert!(composed.stats().instructions <= written.stats().instructions + 1);
}
