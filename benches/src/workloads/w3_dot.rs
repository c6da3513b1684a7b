//! W3: `Σ c[i]·p[i]` over 64 constants of which 40 are not zero; zeros are skipped,
//! unrolled. `fn(p: *const i64) -> i64`, `p` pointing to 64 values.

use std::hint::black_box;

use super::{Program, Xorshift64, expect, repeat};
use crate::counts::Count;

/// Length of both vectors.
pub const LEN: usize = 64;

/// The constants: 24 zeros, and 40 odd values of either sign between 2^16 and 2^30
/// (no immediate byte and no shift will do).
pub static CONSTANTS: [i64; LEN] = constants();

static INPUT: [i64; LEN] = input();

const fn constants() -> [i64; LEN] {
    let mut random = Xorshift64::new(3);
    let mut out = [0; LEN];
    let mut left = 40;
    while left > 0 {
        let i = random.below(LEN as u64) as usize;
        if out[i] == 0 {
            let size = (1 << 16) + (random.below((1 << 30) - (1 << 16)) | 1) as i64;
            out[i] = if random.below(2) == 0 { size } else { -size };
            left -= 1;
        }
    }
    out
}

const fn input() -> [i64; LEN] {
    let mut random = Xorshift64::new(33);
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
pub fn reference(p: &[i64; LEN]) -> i64 {
    let mut sum = 0i64;
    for i in 0..LEN {
        sum = sum.wrapping_add(CONSTANTS[i].wrapping_mul(p[i]));
    }
    sum
}

#[inline(never)]
fn generic(c: &[i64], p: &[i64]) -> i64 {
    let products = c.iter().zip(p).map(|(c, p)| c.wrapping_mul(*p));
    products.fold(0, i64::wrapping_add)
}

/// The dot product of two slices.
#[must_use]
pub fn baseline() -> Program {
    program(None, |p| generic(black_box(&CONSTANTS), p))
}

/// Wraps an implementation.
pub fn program(size: Option<Count>, call: impl Fn(&[i64; LEN]) -> i64 + 'static) -> Program {
    Program::new(
        size,
        call,
        |f| {
            let mut unit = [0; LEN];
            for i in 0..LEN {
                unit[i] = 1;
                expect(unit, f(&unit), reference(&unit))?;
                unit[i] = -(i as i64);
            }
            expect(INPUT, f(&INPUT), reference(&INPUT))
        },
        |f, calls| repeat(calls, || f(black_box(&INPUT))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_constants_are_not_zero_and_fit_an_immediate() {
        assert_eq!(CONSTANTS.iter().filter(|c| **c != 0).count(), 40);
        assert!(CONSTANTS.iter().all(|c| i32::try_from(*c).is_ok()));
    }
}
