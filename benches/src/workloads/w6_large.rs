//! W6: a straight line of 2,000 random operations over 24 variables, all live, loaded
//! from an array; returns the xor of all. `fn(p: *const i64) -> i64`.

use std::hint::black_box;

use super::{Program, Xorshift64, expect, repeat};
use crate::counts::Count;

/// Live variables.
pub const VARIABLES: usize = 24;
/// Operations.
pub const OPERATIONS: usize = 2000;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    Add,
    Sub,
    Mul,
    Xor,
    And,
    /// By the constant `s`.
    Shl,
}

/// `v[d] = v[d] kind v[s]`, or `v[d] <<= s` for a shift.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    /// The operation.
    pub kind: Kind,
    /// Destination and left operand, below [`VARIABLES`].
    pub d: u8,
    /// Right operand, below [`VARIABLES`]; of a shift the count, 1 to 7.
    pub s: u8,
}

/// The program: xorshift64, seed 42, drawing kind, destination, right operand.
pub static OPS: [Op; OPERATIONS] = operations();

static INPUT: [i64; VARIABLES] = input();

const fn operations() -> [Op; OPERATIONS] {
    let mut random = Xorshift64::new(42);
    let mut out = [Op { kind: Kind::Add, d: 0, s: 0 }; OPERATIONS];
    let mut i = 0;
    while i < OPERATIONS {
        let kind = match random.below(6) {
            0 => Kind::Add,
            1 => Kind::Sub,
            2 => Kind::Mul,
            3 => Kind::Xor,
            4 => Kind::And,
            _ => Kind::Shl,
        };
        let d = random.below(VARIABLES as u64) as u8;
        let s = match kind {
            Kind::Shl => 1 + random.below(7) as u8,
            _ => random.below(VARIABLES as u64) as u8,
        };
        out[i] = Op { kind, d, s };
        i += 1;
    }
    out
}

const fn input() -> [i64; VARIABLES] {
    let mut random = Xorshift64::new(6);
    let mut out = [0; VARIABLES];
    let mut i = 0;
    while i < VARIABLES {
        out[i] = random.step() as i64;
        i += 1;
    }
    out
}

/// The right answer; also the baseline, which interprets the list.
#[must_use]
#[inline(never)]
pub fn reference(ops: &[Op], p: &[i64; VARIABLES]) -> i64 {
    let mut v = *p;
    for op in ops {
        let (d, s) = (op.d as usize, op.s as usize);
        v[d] = match op.kind {
            Kind::Add => v[d].wrapping_add(v[s]),
            Kind::Sub => v[d].wrapping_sub(v[s]),
            Kind::Mul => v[d].wrapping_mul(v[s]),
            Kind::Xor => v[d] ^ v[s],
            Kind::And => v[d] & v[s],
            Kind::Shl => v[d] << (s & 63),
        };
    }
    v.into_iter().fold(0, |all, x| all ^ x)
}

/// An interpreter of the list of operations.
#[must_use]
pub fn baseline() -> Program {
    program(None, |p| reference(black_box(&OPS), p))
}

/// Wraps an implementation.
pub fn program(size: Option<Count>, call: impl Fn(&[i64; VARIABLES]) -> i64 + 'static) -> Program {
    Program::new(
        size,
        call,
        |f| {
            let mut random = Xorshift64::new(66);
            for _ in 0..8 {
                let p: [i64; VARIABLES] = std::array::from_fn(|_| random.step() as i64);
                expect(p, f(&p), reference(&OPS, &p))?;
            }
            expect(INPUT, f(&INPUT), reference(&OPS, &INPUT))
        },
        |f, calls| repeat(calls, || f(black_box(&INPUT))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_depends_on_the_input() {
        let mut random = Xorshift64::new(666);
        let answers: std::collections::HashSet<i64> =
            (0..64).map(|_| reference(&OPS, &std::array::from_fn(|_| random.step() as i64))).collect();
        assert!(answers.len() > 60, "{} different answers", answers.len());
    }
}
