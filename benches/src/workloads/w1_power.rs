//! W1: `x^13` (wrapping), unrolled square and multiply. `fn(x: i64) -> i64`.

use std::hint::black_box;

use super::{Program, expect, repeat};
use crate::counts::Count;

/// The exponent, known at run time.
pub const EXPONENT: u32 = 13;

/// Fragments when composed by the recursive `power` of the design: one for each of
/// n = 13, 12, 6, 3, 2, 1, 0, and the function around them.
pub const FRAGMENTS: u32 = 8;

const X: i64 = 1_000_003;

/// The right answer, one multiplication at a time.
#[must_use]
pub fn reference(x: i64) -> i64 {
    (0..EXPONENT).fold(1, |power: i64, _| power.wrapping_mul(x))
}

#[inline(never)]
fn generic(x: i64, n: u32) -> i64 {
    let (mut result, mut square, mut n) = (1i64, x, n);
    while n > 1 {
        if n & 1 == 1 {
            result = result.wrapping_mul(square);
        }
        square = square.wrapping_mul(square);
        n >>= 1;
    }
    if n == 1 {
        result = result.wrapping_mul(square);
    }
    result
}

/// Square and multiply over an exponent in a variable.
#[must_use]
pub fn baseline() -> Program {
    program(None, |x| generic(x, black_box(EXPONENT)))
}

/// Wraps an implementation.
pub fn program(size: Option<Count>, call: impl Fn(i64) -> i64 + 'static) -> Program {
    Program::new(
        size,
        call,
        |f| [0, 1, -1, 2, -3, 10, X, i64::MAX, i64::MIN].into_iter().try_for_each(|x| expect(x, f(x), reference(x))),
        |f, calls| repeat(calls, || f(black_box(X))),
    )
}
