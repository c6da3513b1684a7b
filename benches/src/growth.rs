//! Whether the time to generate code grows with its length only: straight lines of 2,000 and of 20,000 operations, and 2,000
//! basic blocks.

use std::hint::black_box;

use tickc::prelude::*;

use crate::tsc::Clock;
use crate::verdict::Verdict;
use crate::workloads::Xorshift64;
use crate::workloads::w6_large::{Kind, Op, VARIABLES};

/// What a longer function may cost per instruction, as a multiple of what one of 2,000 operations does.
const MOST_GROWTH: f64 = 1.5;
/// How often each function is compiled; the least counts.
const TIMES: u32 = 15;

/// Random operations as those of W6.
fn operations(count: usize) -> Vec<Op> {
    let mut random = Xorshift64::new(42);
    let kinds = [Kind::Add, Kind::Sub, Kind::Mul, Kind::Xor, Kind::And, Kind::Shl];
    let operation = |_| {
        let kind = kinds[random.below(6) as usize];
        let d = random.below(VARIABLES as u64) as u8;
        let s = if kind == Kind::Shl { 1 + random.below(7) as u8 } else { random.below(VARIABLES as u64) as u8 };
        Op { kind, d, s }
    };
    (0..count).map(operation).collect()
}

/// A straight line of operations over as many variables as W6 has.
fn straight(jit: &Jit, operations: &[Op]) -> Func<fn(i64) -> i64> {
    let v: [Var<i64>; VARIABLES] = std::array::from_fn(|_| Var::local());
    jit.compile(tick!(|x: i64| -> i64 {
        for (i, v) in $(v.into_iter().enumerate()) {
            @v = x + $(i as i64);
        }
        for op in $(operations.iter()) {
            match $(op.kind) {
                Kind::Add => @(v[op.d as usize]) += @(v[op.s as usize]),
                Kind::Sub => @(v[op.d as usize]) -= @(v[op.s as usize]),
                Kind::Mul => @(v[op.d as usize]) *= @(v[op.s as usize]),
                Kind::Xor => @(v[op.d as usize]) ^= @(v[op.s as usize]),
                Kind::And => @(v[op.d as usize]) &= @(v[op.s as usize]),
                Kind::Shl => @(v[op.d as usize]) <<= $(op.s),
            }
        }
        let mut all = 0;
        for v in $(v.into_iter()) {
            all ^= @v;
        }
        all
    }))
    .expect("compiles")
}

/// The same operations, every other one under a condition: each such condition ends a block and begins another.
fn blocks(jit: &Jit, operations: &[Op]) -> Func<fn(i64) -> i64> {
    let v: [Var<i64>; VARIABLES] = std::array::from_fn(|_| Var::local());
    jit.compile(tick!(|x: i64| -> i64 {
        for (i, v) in $(v.into_iter().enumerate()) {
            @v = x + $(i as i64);
        }
        for op in $(operations.iter()) {
            if @(v[op.d as usize]) > $(i64::from(op.s)) {
                @(v[op.d as usize]) += @(v[op.s as usize % VARIABLES]);
            }
        }
        let mut all = 0;
        for v in $(v.into_iter()) {
            all ^= @v;
        }
        all
    }))
    .expect("compiles")
}

/// Cycles per instruction, the least of some compilations.
fn per_instruction(clock: Clock, compile: impl Fn() -> Func<fn(i64) -> i64>) -> f64 {
    let instructions = compile().stats().instructions as f64;
    let least = (0..TIMES).map(|_| clock.time(|| drop(black_box(compile())))).min();
    least.expect("it was compiled") as f64 / instructions
}

/// What long functions cost per instruction, relative to a short one, in the tiers that are ours.
///
/// # Panics
/// If this machine does not have the tiers.
#[must_use]
pub fn growth(clock: Clock) -> Vec<Verdict> {
    let (short, long) = (operations(2_000), operations(20_000));
    let mut verdicts = Vec::new();
    for (tier, name) in [(Tier::OnePass, "one-pass"), (Tier::LinearScan, "linear-scan")] {
        let jit = Jit::builder().tier(tier).build().expect("a tier of this machine");
        let base = per_instruction(clock, || straight(&jit, &short));
        let cases = [
            ("20,000 operations", per_instruction(clock, || straight(&jit, &long))),
            // Each condition makes two blocks: what it guards, and what follows.
            ("2,000 basic blocks", per_instruction(clock, || blocks(&jit, &short[..1_000]))),
        ];
        verdicts.extend(cases.map(|(case, cycles)| Verdict {
            subject: format!("growth {name}"),
            rule: format!("x the cycles per instruction of 2,000 operations ({base:.1}): {case} ({cycles:.1})"),
            measured: cycles / base,
            limit: MOST_GROWTH,
        }));
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the operations compute, by ordinary arithmetic.
    fn expected(x: i64, operations: &[Op], guarded: bool) -> i64 {
        let mut v: [i64; VARIABLES] = std::array::from_fn(|i| x.wrapping_add(i as i64));
        for op in operations {
            let (d, s) = (op.d as usize, v[op.s as usize % VARIABLES]);
            let (left, kind) = (v[d], if guarded { Kind::Add } else { op.kind });
            let result = match kind {
                Kind::Add => left.wrapping_add(s),
                Kind::Sub => left.wrapping_sub(s),
                Kind::Mul => left.wrapping_mul(s),
                Kind::Xor => left ^ s,
                Kind::And => left & s,
                Kind::Shl => left << op.s,
            };
            if !guarded || left > i64::from(op.s) {
                v[d] = result;
            }
        }
        v.into_iter().fold(0, |all, v| all ^ v)
    }

    #[test]
    fn long_functions_compute_what_they_should() {
        let operations = operations(20_000);
        for tier in [Tier::OnePass, Tier::LinearScan] {
            let jit = Jit::builder().tier(tier).build().expect("a tier of this machine");
            let (line, conditions) = (straight(&jit, &operations), blocks(&jit, &operations[..1_000]));
            for x in [0, 1, -7, i64::MAX] {
                assert_eq!(line.call(x), expected(x, &operations, false), "{tier:?} {x}");
                assert_eq!(conditions.call(x), expected(x, &operations[..1_000], true), "{tier:?} {x}");
            }
        }
    }
}
