//! Programs that mix features which have tests of their own elsewhere: labels with unrolling, in-place arithmetic and last uses;
//! groups with dynamic signatures; closures behind both tiers; jump tables in functions with large prologues; division where
//! registers are few; many arguments. All in the one-pass tier, in the interpreter, and across both.
#![forbid(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use support::Rng;
use tickc::prelude::*;
use tickc::{DynCall, Type, Value};

const TIERS: &[Tier] = support::TIERS;

fn jit(tier: Tier) -> Jit {
    Jit::builder().tier(tier).build().unwrap()
}

/// A jump, `break`, `continue` or `return` out of the right-hand side of an assignment leaves the variable as it was.
#[test]
fn leaving_an_assignment_leaves_the_variable() {
    for &tier in TIERS {
        let out = Label::new();
        let f = jit(tier)
            .compile(tick!(|x: i64, c: bool| -> i64 {
                let mut v = x;
                v = v * 2 + {
                    if c { @(out.goto()) }
                    1
                };
                v += 100;
                @(out.here());
                v
            }))
            .unwrap();
        assert_eq!((f.call(7, true), f.call(7, false)), (7, 115), "{tier:?}\n{}", f.disassemble());
        let goto = out.goto();
        let f = jit(tier)
            .compile(tick!(|x: i64, c: bool| -> i64 {
                let mut v = x;
                v = v * 2 + @({ tick!({ if @c { @goto } 1 }) });
                v += 100;
                @(out.here());
                v
            }))
            .unwrap();
        assert_eq!((f.call(7, true), f.call(7, false)), (7, 115), "{tier:?}\n{}", f.disassemble());
        let f = jit(tier)
            .compile(tick!(|x: i64, n: i64| -> i64 {
                let mut v = x;
                for i in 0..10 {
                    v = (v + 3) * 5 - {
                        if i == n {
                            break;
                        }
                        if i == 2 {
                            continue;
                        }
                        v
                    };
                }
                v
            }))
            .unwrap();
        let want = |x: i64, n: i64| {
            let mut v = x;
            for i in 0..10 {
                v = (v + 3) * 5 - {
                    if i == n {
                        break;
                    }
                    if i == 2 {
                        continue;
                    }
                    v
                };
            }
            v
        };
        for n in 0..12 {
            assert_eq!(f.call(n * 7 - 5, n), want(n * 7 - 5, n), "{tier:?} {n}\n{}", f.disassemble());
        }
    }
}

/// What a body reads for the last time it reads in every copy, and once more after a jump back before the loop.
#[test]
fn last_uses_in_unrolled_loops() {
    let want = |x: i64, b: i64| {
        let mut sum = 0i64;
        for turn in 0..3 {
            let k = x * 3 + turn;
            for i in 0..b {
                sum = sum * 3 + k + i;
                if sum & 15 == 9 {
                    break;
                }
            }
            for c in [5, 7, 11] {
                sum ^= k * c;
            }
        }
        sum
    };
    for &tier in TIERS {
        for factor in [0u32, 1, 2, 3, 5] {
            let (again, out) = (Label::new(), Label::new());
            let f = jit(tier)
                .compile(tick!(|x: i64, b: i64| -> i64 {
                    let mut sum = 0;
                    let mut turn = 0;
                    let x3 = x * 3;
                    @(again.here());
                    {
                        let k = x3 + turn;
                        for i in unroll($factor, 0..b) {
                            sum = sum * 3 + k + i;
                            if sum & 15 == 9 { @(out.goto()) }
                        }
                        @(out.here());
                        for c in $([5i64, 7, 11]) { sum ^= k * c }
                    }
                    turn += 1;
                    if turn < 3 { @(again.goto()) }
                    sum
                }))
                .unwrap();
            for x in -3..4 {
                for b in -1..12 {
                    assert_eq!(f.call(x, b), want(x, b), "{tier:?} {factor} {x} {b}\n{}", f.disassemble());
                }
            }
        }
    }
}

/// A label in the body of an unrolled loop is one label: it may stand in one copy.
#[test]
fn labels_in_unrolled_loops() {
    for &tier in TIERS {
        for factor in [1u32, 2] {
            let next = Label::new();
            let f = jit(tier).compile(tick!(|n: i64| -> i64 {
                let mut sum = 0;
                for i in unroll($factor, 0..n) {
                    if i & 1 == 0 { @(next.goto()) }
                    sum += i;
                    @(next.here());
                    sum *= 3;
                }
                sum
            }));
            if factor == 1 {
                let want = (0..9).fold(0i64, |sum, i| (sum + if i & 1 == 0 { 0 } else { i }) * 3);
                assert_eq!(f.unwrap().call(9), want);
            } else {
                assert!(matches!(f, Err(Error::LabelPlacedTwice { .. })), "{tier:?}");
            }
        }
    }
}

/// Wherever a value waits, a label is refused: whoever jumped there would find no value.
#[test]
fn labels_where_something_waits() {
    macro_rules! refused {
        ($($text:literal: |$here:ident, $goto:ident| $quoted:expr;)*) => {$(
            for &tier in TIERS {
                let label = Label::new();
                let ($here, $goto) = (label.here(), label.goto());
                let error = jit(tier).compile($quoted).expect_err($text);
                assert!(matches!(error, Error::LabelInOperand { .. }), "{tier:?} {}: {error}", $text);
            }
        )*};
    }
    fn one(here: &Code<'static, ()>) -> Code<'static, usize> {
        let here = here.clone();
        tick!({ @here; 1 })
    }
    let first = HostFn::new(|s: &[i64], i: usize| s.get(i).copied().unwrap_or(-1));
    refused! {
        "operand": |here, goto| tick!(|x: i64| -> i64 { if x > 9 { @goto } x + { @here; 1 } });
        "argument": |here, goto| tick!(|s: Slice<i64>| -> i64 { if s.len() > 9 { @goto } $first(&s[1..], { @here; 1 }) });
        "index": |here, goto| tick!(|s: Slice<i64>| -> i64 { if s.len() > 9 { @goto } (&s[1..])[{ @here; 0 }] });
        "part": |here, goto| tick!(|s: Slice<i64>| -> i64 { if s.len() > 9 { @goto } (&s[s.len() / 2..{ @here; 3 }])[0] });
        "bound": |here, goto| tick!(|x: i64| -> i64 { if x > 9 { @goto } let mut n = 0; for i in x * 2..({ @here; 3 }) { n += i } n });
        "unrolled": |here, goto| tick!(|x: i64| -> i64 {
            if x > 9 { @goto }
            let mut n = 0;
            for i in unroll(2, x * 2..({ @here; 3 })) { n += i }
            n
        });
        "comparison": |here, goto| tick!(|x: i64| -> i64 { if x > 9 { @goto } while x < { @here; 3 } {} 1 });
        "part of a part": |here, goto| tick!(|s: Slice<i64>| -> i64 {
            if s.len() > 9 { @goto }
            (&(&s[1..])[..{ @here; 1 }])[0]
        });
        "argument in a fragment": |here, goto| tick!(|s: Slice<i64>| -> i64 {
            if s.len() > 9 { @goto }
            $first(&s[1..], @(one(&here)))
        });
        "argument of a dynamic call": |here, goto| tick!(|s: Slice<i64>| -> i64 {
            if s.len() > 9 { @goto }
            @({
                let part: Code<Slice<i64>> = tick!(&(@s)[1..]);
                DynCall::new(&first).arg(part).arg(one(&here)).code()
            })
        });
        "method": |here, goto| tick!(|x: i64| -> i64 { if x > 9 { @goto } (x * 3).min({ @here; 3 }) });
        "loop": |here, goto| tick!(|x: i64| -> i64 { if x > 9 { @goto } x * 3 + loop { @here; break 3 } });
        "arm": |here, goto| tick!(|x: i64| -> i64 { if x > 9 { @goto } x * 3 + match x { 0 => { @here; 3 } _ => 4 } });
    }
    // Nothing waits where the statement is not part of a larger expression.
    for &tier in TIERS {
        let label = Label::new();
        let (here, goto) = (label.here(), label.goto());
        let f = jit(tier)
            .compile(tick!(|x: i64, s: SliceMut<i64>| -> i64 {
                let mut n = 0;
                s[0] = { @here; n += 1; n };
                if n < x { @goto }
                s[0]
            }))
            .map(|f| f.call(5, &mut [0]));
        assert!(matches!(f, Ok(5) | Err(Error::LabelInOperand { .. })), "{tier:?} {f:?}");
    }
}

/// A machine with threaded code against the same in Rust: tables of labels, fragments, short jumps, a frame.
#[test]
fn threaded_code() {
    fn run(code: &[u8], mut a: i64) -> (i64, usize) {
        let (mut pc, mut steps) = (0, 0);
        let mut b = 1i64;
        loop {
            let Some(&op) = code.get(pc) else { return (a ^ b, steps) };
            (pc, steps) = (pc + 1, steps + 1);
            match op & 7 {
                0 => a = a.wrapping_add(b),
                1 => b = b.wrapping_mul(3) ^ a,
                2 => a = a.wrapping_shl(1),
                3 => std::mem::swap(&mut a, &mut b),
                4 if a & 1 == 0 => pc += 1,
                4 => {}
                5 => b = b.wrapping_sub(a / 7),
                6 if steps < 50 => pc = pc.saturating_sub(3),
                _ => a = a.wrapping_neg(),
            }
        }
    }
    for &tier in TIERS {
        let ops: [Label; 8] = std::array::from_fn(|_| Label::new());
        let end = Label::new();
        let steps = Var::<usize>::local();
        fn next<'a>(
            code: Var<Slice<u8>>,
            pc: Var<usize>,
            steps: Var<usize>,
            ops: [Label; 8],
            end: Label,
        ) -> Code<'a, ()> {
            tick!({
                if @pc >= (@code).len() { @(end.goto()) }
                @pc += 1;
                @steps += 1;
                @(Label::table(tick!(((@code)[@pc - 1] & 7) as usize), &ops));
            })
        }
        let (pc, a, b) = (Var::<usize>::local(), Var::<i64>::local(), Var::<i64>::local());
        let f = jit(tier)
            .compile(tick!(|code: Slice<u8>, start: i64, out: SliceMut<i64>| -> i64 {
                @a = start;
                @b = 1;
                @(next(code, pc, steps, ops, end));
                @(ops[0].here()); @a += @b; @(next(code, pc, steps, ops, end));
                @(ops[1].here()); @b = @b * 3 ^ @a; @(next(code, pc, steps, ops, end));
                @(ops[2].here()); @a <<= 1; @(next(code, pc, steps, ops, end));
                @(ops[3].here()); { let t = @a; @a = @b; @b = t; } @(next(code, pc, steps, ops, end));
                @(ops[4].here()); if @a & 1 == 0 { @pc += 1 } @(next(code, pc, steps, ops, end));
                @(ops[5].here()); @b -= @a / 7; @(next(code, pc, steps, ops, end));
                @(ops[6].here());
                if @steps < 50 {
                    @pc = (@pc).saturating_sub(3);
                    @(next(code, pc, steps, ops, end))
                }
                @(ops[7].here()); @a = -@a; @(next(code, pc, steps, ops, end));
                @(end.here());
                out[0] = @steps as i64;
                @a ^ @b
            }))
            .unwrap();
        let mut random = Rng(7);
        for _ in 0..300 {
            let code: Vec<u8> = (0..random.below(30)).map(|_| random.next() as u8).collect();
            let start = random.next() as i64;
            let mut out = [0];
            assert_eq!((f.call(&code, start, &mut out), out[0] as usize), run(&code, start), "{tier:?} {code:?}");
        }
    }
}

/// Groups, dynamic signatures and both tiers call each other; what one keeps alive lives, and a trap passes through all of it.
#[test]
fn groups_and_dynamic_functions() {
    for &tier in TIERS {
        for &other in TIERS {
            let token = Arc::new(AtomicI64::new(0));
            let seen = token.clone();
            let host = HostFn::new(move |s: &[u16], i: usize| {
                seen.fetch_add(1, Ordering::Relaxed);
                i64::from(s[i])
            });
            let types = [Type::I64, Type::F64, Type::I8];
            let scale = jit(other)
                .compile_dyn(&types, Type::I64, |p| {
                    let (a, b, c) =
                        (p[0].typed::<i64>().unwrap(), p[1].typed::<f64>().unwrap(), p[2].typed::<i8>().unwrap());
                    tick!(@a * 10 + @b as i64 / @c as i64).into()
                })
                .unwrap();
            let typed = scale.typed::<fn(i64, f64, i8) -> i64>().unwrap();
            let mut group = jit(tier).group();
            let up = group.declare::<fn(Slice<u16>, usize, f64, i8) -> i64>();
            let down = group.declare::<fn(i8, f64, Slice<u16>, usize) -> i64>();
            group.define(
                up,
                tick!(|s: Slice<u16>, i: usize, x: f64, c: i8| -> i64 {
                    if i == s.len() { $typed(1, x, c) } else { $host(&s[i..], 0) + $down(c, x + 1.0, &s[1..], i) }
                }),
            );
            group.define(
                down,
                tick!(|c: i8, x: f64, s: Slice<u16>, i: usize| -> i64 {
                    if i >= s.len() { $host(s, i) } else { $up(s, i + 1, x, c - 1) * 3 }
                }),
            );
            let up = {
                let functions = group.compile().unwrap();
                functions.get(up).unwrap()
            };
            drop((host, scale, typed));
            fn want(s: &[u16], i: usize, x: f64, c: i8) -> i64 {
                if i == s.len() {
                    return 10 + x as i64 / i64::from(c);
                }
                let first = i64::from(s[i]);
                let rest = &s[1..];
                first + want(rest, i + 1, x + 1.0, c - 1) * 3
            }
            // Five elements from the second one on end in the dynamic function; of two the closure is asked for one past the end.
            let s = [3u16, 40, 500, 6000, 60000];
            assert_eq!(up.call(&s, 1, 9.5, 9), want(&s, 1, 9.5, 9), "{tier:?} {other:?}");
            assert!(matches!(up.try_call(&s, 1, 9.5, 2), Err(Trap::DivisionByZero)), "{tier:?} {other:?}");
            support::silence_expected_panics();
            assert!(matches!(up.try_call(&[1, 2], 1, 0.0, 2), Err(Trap::HostPanic(_))), "{tier:?} {other:?}");
            // A dynamic call of the group's function from the other tier.
            let outer = {
                let up = up.clone();
                jit(other)
                    .compile(tick!(|s: Slice<u16>, n: i64| -> i64 {
                        let keep = n * 7;
                        let r = $up(s, 1, 9.5, 9);
                        keep + r
                    }))
                    .unwrap()
            };
            drop(up);
            assert_eq!(outer.call(&s, 2), 14 + want(&s, 1, 9.5, 9), "{tier:?} {other:?}");
            assert!(Arc::strong_count(&token) > 1);
            drop(outer);
            assert_eq!(Arc::strong_count(&token), 1, "{tier:?} {other:?}");
        }
    }
}

/// The payload of a panic passes from a closure through both tiers and is dropped once, whoever drops it.
#[test]
fn payloads_through_both_tiers() {
    support::silence_expected_panics();
    struct Payload(#[allow(dead_code)] Arc<()>);
    for &tier in TIERS {
        for &other in TIERS {
            let token = Arc::new(());
            let held = token.clone();
            let host = HostFn::new(move |s: &[f32], n: i32| -> f32 {
                if n == 0 {
                    std::panic::resume_unwind(Box::new(Payload(held.clone())))
                }
                s[0] / n as f32
            });
            let inner = jit(tier).compile(tick!(|n: i32, s: Slice<f32>| -> f32 { $host(&s[1..], n) + 1.0 })).unwrap();
            let middle = jit(other).compile(tick!(|s: Slice<f32>, n: i32| -> i32 { $inner(n, s) as i32 })).unwrap();
            let outer =
                jit(tier).compile(tick!(|s: Slice<f32>, n: i32| -> f64 { $middle(s, n) as f64 * 0.5 })).unwrap();
            assert_eq!(outer.call(&[0.0, 9.0], 3), 2.0);
            for _ in 0..3 {
                let before = Arc::strong_count(&token);
                let trap = outer.try_call(&[0.0, 9.0], 0).unwrap_err();
                assert_eq!(Arc::strong_count(&token), before + 1, "{tier:?} {other:?}");
                drop(trap);
                assert_eq!(Arc::strong_count(&token), before, "{tier:?} {other:?}");
                assert!(matches!(outer.try_call(&[], 0), Err(Trap::IndexOutOfBounds)));
            }
            drop((host, inner, middle, outer));
            assert_eq!(Arc::strong_count(&token), 1);
        }
    }
}

/// A jump table, recursion, and a prologue that is too long for the place before the body: it zeroes many locals.
#[test]
fn a_table_and_a_long_prologue() {
    for &tier in TIERS {
        let locals: [Var<i64>; 24] = std::array::from_fn(|_| Var::local());
        let again = Label::new();
        let sum = locals.iter().fold(tick!(0i64), |sum, &v| tick!(@sum * 3 + @v));
        let bump = |k: usize| -> Code<()> {
            let v = locals[k % 24];
            tick!({ @v += $(k as i64) + 1; })
        };
        let f: Func<fn(u64, i64) -> i64> = jit(tier)
            .compile(tick!(fn f(n: u64, x: i64) -> i64 {
                let mut turns = n;
                @(again.here());
                match turns % 11 {
                    0 => @(bump(0)),
                    1 => { @(bump(5)); @(bump(23)); }
                    2 => @(bump(7)),
                    3 => { @(bump(9)); if x > 50 { return -x } }
                    4 => @(bump(11)),
                    5 | 6 => @(bump(13)),
                    7 => @(bump(17)),
                    8 => if turns > 8 { let v = f(turns - 8, x + 1); @(locals[20]) += v; },
                    _ => @(bump(22)),
                }
                if turns > 0 {
                    turns -= 1;
                    @(again.goto())
                }
                @sum
            }))
            .unwrap();
        fn want(n: u64, x: i64) -> i64 {
            let mut v = [0i64; 24];
            let mut turns = n;
            loop {
                match turns % 11 {
                    0 => v[0] += 1,
                    1 => {
                        v[5] += 6;
                        v[23] += 24;
                    }
                    2 => v[7] += 8,
                    3 => {
                        v[9] += 10;
                        if x > 50 {
                            return -x;
                        }
                    }
                    4 => v[11] += 12,
                    5 | 6 => v[13] += 14,
                    7 => v[17] += 18,
                    8 => {
                        if turns > 8 {
                            v[20] = v[20].wrapping_add(want(turns - 8, x + 1));
                        }
                    }
                    _ => v[22] += 23,
                }
                if turns == 0 {
                    return v.iter().fold(0i64, |sum, &v| sum.wrapping_mul(3).wrapping_add(v));
                }
                turns -= 1;
            }
        }
        for n in 0..60 {
            for x in [0, 48, 50, 51] {
                assert_eq!(f.call(n, x), want(n, x), "{tier:?} {n} {x}\n{}", f.disassemble());
            }
        }
    }
}

/// Division by constants while every register holds something, in place and not.
#[test]
fn division_without_registers() {
    macro_rules! check {
        ($($t:ident $d:expr, $e:expr;)*) => {$(
            for &tier in TIERS {
                let (d, e): ($t, $t) = ($d, $e);
                let f = jit(tier)
                    .compile(tick!(|a: $t, b: $t, c: $t, x: $t, y: $t, z: $t| -> $t {
                        let k0 = a ^ b;
                        let k1 = b ^ c;
                        let k2 = c ^ x;
                        let k3 = x ^ y;
                        let k4 = y ^ z;
                        let k5 = z & a;
                        let k6 = a | x;
                        let k7 = b | z;
                        let mut v = a;
                        v = v / $d % $e;
                        let mut w = b;
                        w /= $d;
                        w = w - w / $e * 3;
                        w %= $e;
                        let p = (k0 / $d) ^ (k1 % $e) ^ ((k2 % $d) + (k3 / $e)) ^ (((k4 / $e) - (k5 / $d)) % $d);
                        let q = c / $d - (x % $d - (y / $e - (z % $e - (k6 / $d - (k7 % $d - (a / $e - (b % $e - c / $e)))))));
                        v ^ w ^ p ^ q ^ k0 ^ k1 ^ k2 ^ k3 ^ k4 ^ k5 ^ k6 ^ k7
                    }))
                    .unwrap();
                let want = |a: $t, b: $t, c: $t, x: $t, y: $t, z: $t| -> $t {
                    let (k0, k1, k2, k3, k4, k5, k6, k7) = (a ^ b, b ^ c, c ^ x, x ^ y, y ^ z, z & a, a | x, b | z);
                    let sub = |a: $t, b: $t| a.wrapping_sub(b);
                    let v = a / d % e;
                    let mut w = b / d;
                    w = sub(w, (w / e).wrapping_mul(3));
                    w %= e;
                    let p = (k0 / d) ^ (k1 % e) ^ (k2 % d).wrapping_add(k3 / e) ^ (sub(k4 / e, k5 / d) % d);
                    let q = sub(c / d, sub(x % d, sub(y / e, sub(z % e, sub(k6 / d, sub(k7 % d, sub(a / e, sub(b % e, c / e))))))));
                    v ^ w ^ p ^ q ^ k0 ^ k1 ^ k2 ^ k3 ^ k4 ^ k5 ^ k6 ^ k7
                };
                let mut random = Rng(99);
                for _ in 0..200 {
                    let [a, b, c, x, y, z] = std::array::from_fn(|_| (random.next() >> (random.next() & 63)) as $t);
                    assert_eq!(f.call(a, b, c, x, y, z), want(a, b, c, x, y, z), "{tier:?} {d} {e}\n{}", f.disassemble());
                }
            }
        )*};
    }
    check! {
        i64 7, -9; i64 8, 3; i64 i64::MAX, -16; u64 7, 10; u64 64, u64::MAX - 4; u64 (1 << 63) + 3, 28;
        i32 7, -9; i32 -4, 641; u32 7, 10; u32 28, 3 << 30; i16 7, -100; u16 7, 1000; i8 7, -3; u8 7, 200;
    }
}

/// More arguments than any signature of Rust's takes, through both tiers, with the stack limit behind them on the stack.
#[test]
fn many_arguments_through_both_tiers() {
    for &tier in TIERS {
        for &other in TIERS {
            for count in [7usize, 25, 33, 64, 131] {
                let types: Vec<Type> = (0..count).map(|i| [Type::I64, Type::F64, Type::I8, Type::U16][i % 4]).collect();
                let inner = jit(tier)
                    .compile_dyn(&types, Type::F64, |params| {
                        let sum = Var::<f64>::local();
                        let all = params.iter().fold(tick!({}), |before, &p| {
                            let value: Code<f64> = match p.ty() {
                                Type::I64 => {
                                    let p = p.typed::<i64>().unwrap();
                                    tick!(@p as f64)
                                }
                                Type::F64 => {
                                    let p = p.typed::<f64>().unwrap();
                                    tick!(@p)
                                }
                                Type::I8 => {
                                    let p = p.typed::<i8>().unwrap();
                                    tick!(@p as f64)
                                }
                                _ => {
                                    let p = p.typed::<u16>().unwrap();
                                    tick!(@p as f64)
                                }
                            };
                            tick!({ @before; @sum = @sum * 1.5 + @value; })
                        });
                        tick!({ @all; @sum }).into()
                    })
                    .unwrap();
                let outer = jit(other)
                    .compile_dyn(&types, Type::F64, |params| {
                        let mut call = DynCall::new(&inner);
                        for &p in params {
                            call.arg(p);
                        }
                        let code: Code<f64> = call.code();
                        let last: Code<f64> = {
                            let mut call = DynCall::new(&inner);
                            for &p in params {
                                call.arg(p);
                            }
                            call.code()
                        };
                        tick!(@code * 2.0 + @last).into()
                    })
                    .unwrap();
                let values: Vec<Value> = (0..count)
                    .map(|i| match i % 4 {
                        0 => Value::I64(i as i64 * -77),
                        1 => Value::F64(i as f64 + 0.25),
                        2 => Value::I8(-(i as i8 & 63)),
                        _ => Value::U16(60000 + i as u16),
                    })
                    .collect();
                let sum = values.iter().fold(0.0, |sum: f64, &value| {
                    sum * 1.5
                        + match value {
                            Value::I64(x) => x as f64,
                            Value::F64(x) => x,
                            Value::I8(x) => f64::from(x),
                            Value::U16(x) => f64::from(x),
                            _ => unreachable!(),
                        }
                });
                assert_eq!(outer.call(&values).unwrap(), Value::F64(sum * 2.0 + sum), "{tier:?} {other:?} {count}");
                assert!(outer.disassemble().len() > count);
            }
        }
    }
}

/// Every shape of a memory operand: each base and index that survives calls, displacements of none, one and four bytes.
#[test]
fn memory_operands_of_every_shape() {
    let count = HostFn::new(|x: i64| x.wrapping_add(1));
    macro_rules! with_index {
        ($k:expr) => {
            for &tier in TIERS {
                let k: usize = $k;
                let f = jit(tier)
                    .compile(tick!(|a: Slice<i64>, b: Slice<i64>, c: Slice<i64>, n: i64, i: usize| -> i64 {
                        let mut h = $count(n);
                        // The bounds are checked first, so that the pointers have the registers below.
                        h = h * 3 + a[$k] + b[$k] * 5;
                        h = h ^ c[$k];
                        h = h - a[i];
                        h = (h * 7) ^ b[i] ^ c[i];
                        h += $count(h);
                        h += a[$k] * 1000 + b[$k] * 10 + c[$k] * -77;
                        h -= a[i] * 1000;
                        h &= b[$k] | c[i];
                        h = h * b[$k] - c[$k] * a[i];
                        if a[$k] < 5 {
                            h += 1
                        }
                        if b[$k] > 5000 {
                            h += 2
                        }
                        if c[$k] == h {
                            h += 4
                        }
                        if h < a[i] {
                            h += 8
                        }
                        if h >= b[$k] {
                            h += 16
                        }
                        if a[$k] & 4 != 0 {
                            h += 32
                        }
                        if c[i] & 64 == 0 {
                            h += 64
                        }
                        if b[$k] & 0x1000 != 0 {
                            h += 128
                        }
                        h = h * 9 + h;
                        h <<= 3;
                        h *= n;
                        h ^ a[$k] ^ b[i] ^ c[$k] ^ n
                    }))
                    .unwrap();
                let want = |a: &[i64], b: &[i64], c: &[i64], n: i64, i: usize| {
                    use std::num::Wrapping as W;
                    let at = |s: &[i64], i: usize| W(s[i]);
                    let n = W(n);
                    let mut h = n + W(1);
                    h = h * W(3) + at(a, k) + at(b, k) * W(5);
                    h ^= at(c, k);
                    h -= at(a, i);
                    h = (h * W(7)) ^ at(b, i) ^ at(c, i);
                    h = h * W(2) + W(1);
                    h += at(a, k) * W(1000) + at(b, k) * W(10) + at(c, k) * W(-77);
                    h -= at(a, i) * W(1000);
                    h &= at(b, k) | at(c, i);
                    h = h * at(b, k) - at(c, k) * at(a, i);
                    if at(a, k) < W(5) {
                        h += W(1)
                    }
                    if at(b, k) > W(5000) {
                        h += W(2)
                    }
                    if at(c, k) == h {
                        h += W(4)
                    }
                    if h < at(a, i) {
                        h += W(8)
                    }
                    if h >= at(b, k) {
                        h += W(16)
                    }
                    if at(a, k) & W(4) != W(0) {
                        h += W(32)
                    }
                    if at(c, i) & W(64) == W(0) {
                        h += W(64)
                    }
                    if at(b, k) & W(0x1000) != W(0) {
                        h += W(128)
                    }
                    h = h * W(9) + h;
                    h *= W(8);
                    h *= n;
                    (h ^ at(a, k) ^ at(b, i) ^ at(c, k) ^ n).0
                };
                let mut random = Rng(3);
                for _ in 0..40 {
                    let mut array =
                        || -> Vec<i64> { (0..210).map(|_| random.next() as i64 >> (random.next() & 63)).collect() };
                    let (a, b, c) = (array(), array(), array());
                    let (n, i) = (random.next() as i64, random.below(210));
                    assert_eq!(f.call(&a, &b, &c, n, i), want(&a, &b, &c, n, i), "{tier:?} {k}\n{}", f.disassemble());
                }
            }
        };
    }
    with_index!(0);
    with_index!(1);
    with_index!(15);
    with_index!(16);
    with_index!(209);
}

/// A table for every value of a type is not preceded by a comparison, so the value must be one of the type, wherever it comes from.
#[test]
fn tables_for_all_values_of_a_type() {
    extern "C" fn wide(x: u64) -> u8 {
        (x >> 3) as u8
    }
    let narrow = HostFn::new(|x: u64| (x >> 5) as i8);
    for &tier in TIERS {
        let f = jit(tier)
            .compile(tick!(|x: u64, a: u8, b: i8| -> u64 {
                let mut h = 1u64;
                for i in 0..4u64 {
                    let v = match i { 0 => a - 200, 1 => wide(x), 2 => (x as u8) << 1, _ => (b as u8) * 3 };
                    h = h * 10 + match v {
                        0..=31 => 1, 32..=63 => 2, 64..=95 => 3, 96..=127 => 4,
                        128..=159 => 5, 160..=191 => 6, 192..=223 => 7, 224.. => 8,
                        _ => 9,
                    };
                    let w = match i { 0 => b + 100, 1 => $narrow(x), 2 => x as i8 >> 1, _ => -(a as i8) };
                    h = h * 10 + match w {
                        -128..=-97 => 1, -96..=-65 => 2, -64..=-33 => 3, -32..=-1 => 4,
                        0..=31 => 5, 32..=63 => 6, 64..=95 => 7, 96.. => 8,
                        _ => 9,
                    };
                }
                h
            }))
            .unwrap();
        let want = |x: u64, a: u8, b: i8| {
            (0..4).fold(1u64, |h, i| {
                let v = [a.wrapping_sub(200), (x >> 3) as u8, (x as u8) << 1, (b as u8).wrapping_mul(3)][i];
                let w = [b.wrapping_add(100), (x >> 5) as i8, x as i8 >> 1, (a as i8).wrapping_neg()][i];
                (h * 10 + u64::from(v / 32) + 1) * 10 + (i64::from(w) + 128) as u64 / 32 + 1
            })
        };
        let mut random = Rng(5);
        for _ in 0..500 {
            let (x, a, b) = (random.next(), random.next() as u8, random.next() as i8);
            assert_eq!(f.call(x, a, b), want(x, a, b), "{tier:?} {x} {a} {b}\n{}", f.disassemble());
        }
    }
}

/// The bound of a loop is what it was when the loop began, whoever assigns its variable meanwhile.
#[test]
#[allow(clippy::mut_range_bound, reason = "what is tested")]
fn bounds_that_are_assigned_in_the_loop() {
    fn halve<'a>(n: Var<i64>) -> Code<'a, ()> {
        tick!({ @n /= 2; })
    }
    for &tier in TIERS {
        for factor in [0u32, 1, 3] {
            let again = Label::new();
            let f = jit(tier)
                .compile(tick!(|x: i64| -> i64 {
                                   let mut n = x;
                                   let mut h = 0;
                                   let mut turns = 0;
                                   @(again.here());
                                   for i in 0..n { n -= 1; h = h * 3 + i }
                                   for i in 0..=n { @(halve(n)); h = h * 3 + i }
                                   n += x;
                                   for i in unroll($factor, 0..n) { n -= 2; h = h * 3 + i }
                                   n += x;
                                   for i in unroll($factor, 0..=n) { @(halve(n)); h = h * 3 + i }
                                   if turns < 2 {
                turns += 1; n = x - 1; @(again.goto()) }
                                   h * 100 + n
                               }))
                .unwrap();
            let want = |x: i64| {
                let (mut n, mut h) = (x, 0i64);
                for turn in 0.. {
                    for i in 0..n {
                        n -= 1;
                        h = h.wrapping_mul(3).wrapping_add(i);
                    }
                    for i in 0..=n {
                        n /= 2;
                        h = h.wrapping_mul(3).wrapping_add(i);
                    }
                    n += x;
                    for i in 0..n {
                        n -= 2;
                        h = h.wrapping_mul(3).wrapping_add(i);
                    }
                    n += x;
                    for i in 0..=n {
                        n /= 2;
                        h = h.wrapping_mul(3).wrapping_add(i);
                    }
                    if turn == 2 {
                        return h.wrapping_mul(100).wrapping_add(n);
                    }
                    n = x - 1;
                }
                unreachable!()
            };
            for x in 0..20 {
                assert_eq!(f.call(x), want(x), "{tier:?} {factor} {x}\n{}", f.disassemble());
            }
        }
    }
}

/// Conditions that wait beside memory, variables and each other.
#[test]
fn conditions_as_operands() {
    for &tier in TIERS {
        let f = jit(tier)
            .compile(tick!(|s: SliceMut<bool>, x: i64, y: i64| -> bool {
                let mut v = s[1] & (x < y);
                v |= x > y;
                s[0] ^= y < 0;
                s[2] |= x < 0 && y < 0;
                s[3] = (x < y) == s[1];
                s[4] = (x < 0) != (y < 0);
                s[5] = s[0] | (s[2] ^ (x == y));
                v == (s[5] && x <= y || !s[4])
            }))
            .unwrap();
        let want = |s: &mut [bool], x: i64, y: i64| {
            let mut v = s[1] & (x < y);
            v |= x > y;
            s[0] ^= y < 0;
            s[2] |= x < 0 && y < 0;
            s[3] = (x < y) == s[1];
            s[4] = (x < 0) != (y < 0);
            s[5] = s[0] | (s[2] ^ (x == y));
            v == (s[5] && x <= y || !s[4])
        };
        for bits in 0..64u32 {
            for (x, y) in [(0, 0), (1, 2), (2, 1), (-1, 1), (1, -1), (-1, -1), (-2, -1), (-1, -2)] {
                let mut s: [bool; 6] = std::array::from_fn(|k| bits >> k & 1 != 0);
                let mut t = s;
                assert_eq!(f.call(&mut s, x, y), want(&mut t, x, y), "{tier:?} {bits} {x} {y}\n{}", f.disassemble());
                assert_eq!(s, t, "{tier:?} {bits} {x} {y}\n{}", f.disassemble());
            }
        }
    }
}

/// Memory that is divided by a constant in place is read at the address where it is stored.
#[test]
fn memory_divided_by_constants() {
    for &tier in TIERS {
        let f = jit(tier)
            .compile(tick!(|s: SliceMut<i64>, t: SliceMut<u8>, i: usize| -> i64 {
                s[i] /= 10;
                s[i + 1] %= -7;
                t[i] %= 7;
                s[i] + t[i] as i64
            }))
            .unwrap();
        let (mut s, mut t) = ([5, -1234, 99, 7], [200u8, 40, 3]);
        assert_eq!(
            (f.call(&mut s, &mut t, 1), s, t),
            (-118, [5, -123, 1, 7], [200, 5, 3]),
            "{tier:?}\n{}",
            f.disassemble()
        );
    }
}

/// Elements at different indexes are not one value compared with itself.
#[test]
fn elements_compared_with_each_other() {
    for &tier in TIERS {
        let f = jit(tier)
            .compile(tick!(|s: Slice<i64>, i: usize, k: usize| -> bool { s[i] < s[k] || s[i] == s[k] }))
            .unwrap();
        let s = [3, 1, 2, 3];
        for (i, k) in (0..4).flat_map(|i| (0..4).map(move |k| (i, k))) {
            assert_eq!(f.call(&s, i, k), s[i] <= s[k], "{tier:?} {i} {k}\n{}", f.disassemble());
        }
    }
}
