//! What the tests share: a generator of random functions, and the comparison of all engines.
#![allow(dead_code, unreachable_pub, reason = "every test uses a part of it")]

pub mod generate;

use std::collections::HashMap;

use tickc::{Jit, Tier};
use udf_verify::{Inputs, Interval, Limits, Observer, Outcome, Output, Status, Trace, Unverified, Verified};

/// How many rounds a test makes: the number given, or `UDF_CASES`.
pub fn cases(default: u64) -> u64 {
    std::env::var("UDF_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// The seed of a test: 1, or `UDF_SEED`.
pub fn seed() -> u64 {
    std::env::var("UDF_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// A JIT of each tier that there is.
pub fn jits() -> Vec<Jit> {
    let tiers = [Tier::OnePass, Tier::LinearScan, Tier::Cranelift, Tier::Interp];
    let jits: Vec<Jit> = tiers.into_iter().filter_map(|tier| Jit::builder().tier(tier).build().ok()).collect();
    assert!(!jits.is_empty(), "no tier at all");
    jits
}

/// The intervals of all registers at each load.
#[derive(Default)]
struct Intervals(HashMap<u32, [Interval; 32]>);

impl Observer for Intervals {
    fn at_load(&mut self, slot: u32, registers: &[Interval; 32]) {
        self.0.insert(slot, *registers);
    }
}

impl Trace for &Intervals {
    fn at_load(&mut self, slot: u32, registers: &[u64; 32]) {
        let intervals = self.0.get(&slot).unwrap_or_else(|| panic!("the load at slot {slot} was thought unreached"));
        for (r, (interval, &value)) in intervals.iter().zip(registers).enumerate() {
            assert!(interval.contains(value), "slot {slot}: r{r} is {value}, the verifier says {interval}");
        }
    }
}

/// A function in every engine.
pub struct Engines {
    pub verified: Verified,
    intervals: Intervals,
    compiled: Vec<udf_verify::Compiled>,
    output: Output,
}

impl Engines {
    /// Verifies and compiles, if the verifier accepts.
    pub fn new(function: &Unverified, jits: &[Jit]) -> Option<Engines> {
        let mut intervals = Intervals::default();
        let verified = function.verify_observed(&Limits::default(), Some(&mut intervals)).ok()?;
        let compile = |jit| verified.compile(jit).expect("what is verified compiles");
        let compiled = jits.iter().map(compile).collect();
        Some(Engines { verified, intervals, compiled, output: Output::default() })
    }

    /// Runs all engines, and asserts that they agree and that the verifier was right.
    pub fn run(&mut self, bytes: &[u8], inputs: &Inputs) -> Outcome {
        let expected = self.verified.interpret_traced(bytes, inputs, &mut &self.intervals);
        assert!(expected.tuples.len() as u64 <= self.verified.max_tuples(), "more tuples than counted");
        for compiled in &self.compiled {
            let status = compiled.run_into(bytes, inputs, &mut self.output);
            let found = (status, self.output.tuples());
            assert_eq!(found, (expected.status, &expected.tuples[..]), "{:?}", compiled.tier());
        }
        if expected.status != Status::Ok {
            assert!(expected.tuples.is_empty());
        }
        expected
    }
}

/// Assembles what must assemble.
pub fn assemble(text: &str) -> Unverified {
    Unverified::assemble(text).unwrap_or_else(|error| panic!("{error}\nin\n{text}"))
}
