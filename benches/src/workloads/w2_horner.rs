//! W2: a polynomial of degree 32 by Horner's rule, wrapping, unrolled.
//! `fn(x: i64) -> i64`.

use std::hint::black_box;

use super::{Program, Xorshift64, expect, repeat};
use crate::counts::Count;

/// The coefficients, lowest first. Each needs all 64 bits, so each is one
/// `mov r64, imm64`.
pub static COEFFICIENTS: [i64; 33] = coefficients();

const X: i64 = 0x0123_4567_89ab_cdef;

const fn coefficients() -> [i64; 33] {
    let mut random = Xorshift64::new(2);
    let mut out = [0; 33];
    let mut i = 0;
    while i < out.len() {
        let value = random.step() as i64;
        // Neither sign- nor zero-extended from 32 bits.
        if value != value as i32 as i64 && value != value as u32 as i64 {
            out[i] = value;
            i += 1;
        }
    }
    out
}

/// The right answer, power by power.
#[must_use]
pub fn reference(x: i64) -> i64 {
    let (mut sum, mut power) = (0i64, 1i64);
    for c in COEFFICIENTS {
        sum = sum.wrapping_add(c.wrapping_mul(power));
        power = power.wrapping_mul(x);
    }
    sum
}

#[inline(never)]
fn generic(x: i64, coefficients: &[i64]) -> i64 {
    let highest_first = coefficients.iter().rev();
    highest_first.fold(0i64, |sum, c| sum.wrapping_mul(x).wrapping_add(*c))
}

/// Horner's rule over a slice of coefficients.
#[must_use]
pub fn baseline() -> Program {
    program(None, |x| generic(x, black_box(&COEFFICIENTS)))
}

/// Wraps an implementation.
pub fn program(size: Option<Count>, call: impl Fn(i64) -> i64 + 'static) -> Program {
    Program::new(
        size,
        call,
        |f| [0, 1, -1, 2, X, i64::MAX, i64::MIN].into_iter().try_for_each(|x| expect(x, f(x), reference(x))),
        |f, calls| repeat(calls, || f(black_box(X))),
    )
}
