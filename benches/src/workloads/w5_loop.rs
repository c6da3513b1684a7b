//! W5: `s = 0; for i in 0..n { s = (s*31) ^ p[i]; if s & 1 == 1 { s += c } }`.
//! `fn(p: *const i64, n: i64) -> i64`, `c` known at run time.

use std::hint::black_box;

use super::{Program, Xorshift64, expect, repeat};
use crate::counts::Count;

/// The factor of the hash.
pub const FACTOR: i8 = 31;

/// What is added to odd sums.
pub static ADDEND: i64 = 0x1234_5678_9abc_def1;

/// Elements of the standard input.
pub const LEN: usize = 1000;

static INPUT: [i64; LEN] = input();

const fn input() -> [i64; LEN] {
    let mut random = Xorshift64::new(5);
    let mut out = [0; LEN];
    let mut i = 0;
    while i < LEN {
        out[i] = random.step() as i64;
        i += 1;
    }
    out
}

/// The right answer.
#[must_use]
pub fn reference(p: &[i64]) -> i64 {
    let mut s = 0i64;
    for x in p {
        s = s.wrapping_mul(31) ^ x;
        if s & 1 == 1 {
            s = s.wrapping_add(ADDEND);
        }
    }
    s
}

#[inline(never)]
fn generic(p: &[i64], factor: i64, c: i64) -> i64 {
    let mut s = 0i64;
    for x in p {
        s = s.wrapping_mul(factor) ^ x;
        if s & 1 == 1 {
            s = s.wrapping_add(c);
        }
    }
    s
}

/// The loop with factor and addend in variables.
#[must_use]
pub fn baseline() -> Program {
    program(None, |p| generic(p, black_box(i64::from(FACTOR)), black_box(ADDEND)))
}

/// Wraps an implementation.
pub fn program(size: Option<Count>, call: impl Fn(&[i64]) -> i64 + 'static) -> Program {
    Program::new(
        size,
        call,
        |f| {
            [0, 1, 2, 3, 17, LEN].into_iter().try_for_each(|n| {
                let p = &INPUT[..n];
                expect(n, f(p), reference(p))
            })
        },
        |f, calls| repeat(calls, || f(black_box(&INPUT))),
    )
}
