//! The common workload: six functions whose constants are known only at run time, and
//! the empty function.
//!
//! Each file has the data, the answer by a plain `reference`, the `baseline` (generic
//! Rust, optimised, that gets its constants as data), and `program`, which turns any
//! callable of the right signature into a checked and timed [`Program`].

use std::fmt;
use std::hint::black_box;
use std::rc::Rc;

use crate::counts::Count;

pub mod empty;
pub mod homes;
pub mod w1_power;
pub mod w2_horner;
pub mod w3_dot;
pub mod w4_query;
pub mod w5_loop;
pub mod w6_large;

/// Which function is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workload {
    /// Does nothing: what a function costs in itself.
    Empty,
    /// `x^13` by square and multiply, unrolled.
    W1,
    /// A polynomial of degree 32, unrolled.
    W2,
    /// A sparse dot product, unrolled.
    W3,
    /// A predicate over a record, with branches.
    W4,
    /// A loop over a slice, with a branch.
    W5,
    /// A straight line of 2,000 operations over 24 variables.
    W6,
}

impl Workload {
    /// All of them, in the order of the report.
    pub const ALL: [Workload; 7] =
        [Workload::Empty, Workload::W1, Workload::W2, Workload::W3, Workload::W4, Workload::W5, Workload::W6];

    /// The name in tables and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Workload::Empty => "empty",
            Workload::W1 => "W1",
            Workload::W2 => "W2",
            Workload::W3 => "W3",
            Workload::W4 => "W4",
            Workload::W5 => "W5",
            Workload::W6 => "W6",
        }
    }

    /// Instructions of good code for it, where fixed; W6's is what the hand-allocated
    /// code needs.
    #[must_use]
    pub fn reference_instructions(self) -> Option<usize> {
        match self {
            Workload::Empty => Some(1),
            Workload::W1 => Some(7),
            Workload::W2 => Some(98),
            Workload::W3 => Some(82),
            Workload::W4 => Some(18),
            Workload::W5 => Some(14),
            Workload::W6 => None,
        }
    }

    /// Calls in one timed batch: long enough to hide the counter's step.
    #[must_use]
    pub fn calls_per_batch(self) -> u32 {
        match self {
            Workload::Empty | Workload::W1 | Workload::W4 => 1024,
            Workload::W2 | Workload::W3 => 256,
            Workload::W5 => 8,
            Workload::W6 => 32,
        }
    }

    /// Generic Rust for it: optimised, but with the constants as data.
    #[must_use]
    pub fn baseline(self) -> Program {
        match self {
            Workload::Empty => empty::baseline(),
            Workload::W1 => w1_power::baseline(),
            Workload::W2 => w2_horner::baseline(),
            Workload::W3 => w3_dot::baseline(),
            Workload::W4 => w4_query::baseline(),
            Workload::W5 => w5_loop::baseline(),
            Workload::W6 => w6_large::baseline(),
        }
    }
}

/// A wrong answer of generated code.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The input, printed.
    pub input: String,
    /// What the code returned.
    pub got: i64,
    /// What it should have returned.
    pub expected: i64,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mismatch { input, got, expected } = self;
        write!(f, "wrong answer for {input}: {got}, should be {expected}")
    }
}

impl std::error::Error for Mismatch {}

/// One implementation of a workload, ready to be called.
pub struct Program {
    /// Its size, where it is generated code.
    pub size: Option<Count>,
    check: Box<dyn Fn() -> Result<(), Mismatch>>,
    run: Box<dyn Fn(u32)>,
}

impl Program {
    /// From a callable: `check` compares its answers, `run` calls it so many times with
    /// the workload's standard input.
    fn new<F: 'static>(
        size: Option<Count>,
        call: F,
        check: impl Fn(&F) -> Result<(), Mismatch> + 'static,
        run: impl Fn(&F, u32) + 'static,
    ) -> Self {
        let call = Rc::new(call);
        let checked = Rc::clone(&call);
        Program { size, check: Box::new(move || check(&checked)), run: Box::new(move |calls| run(&call, calls)) }
    }

    /// Compares its answers with the reference's.
    ///
    /// # Errors
    /// The first wrong answer.
    pub fn check(&self) -> Result<(), Mismatch> {
        (self.check)()
    }

    /// Calls it `calls` times with the standard input.
    pub fn run(&self, calls: u32) {
        (self.run)(calls);
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("size", &self.size).finish_non_exhaustive()
    }
}

fn expect(input: impl fmt::Debug, got: i64, expected: i64) -> Result<(), Mismatch> {
    if got == expected {
        return Ok(());
    }
    Err(Mismatch { input: format!("{input:?}"), got, expected })
}

/// Tells the code that it is inlined into from that of other candidates: no instruction, but code which is the same otherwise is
/// not merged. So each calls by an instruction of its own, of which the branch predictor knows one target, as it does in a program;
/// one that has had several takes two cycles more.
#[inline(always)]
#[allow(unsafe_code, reason = "a comment in assembly")]
pub(crate) fn apart<const N: usize>() {
    // SAFETY: a comment.
    unsafe { std::arch::asm!("# candidate {}", const N, options(nomem, nostack, preserves_flags)) }
}

#[inline(always)]
fn repeat<R>(calls: u32, call: impl Fn() -> R) {
    for _ in 0..calls {
        black_box(call());
    }
}

/// Marsaglia's generator with shifts 13, 7, 17: the source of all data here.
#[derive(Clone, Copy, Debug)]
pub struct Xorshift64(u64);

impl Xorshift64 {
    /// Starts from `seed`, which is not zero.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        assert!(seed != 0);
        Xorshift64(seed)
    }

    /// The next 64 bits.
    pub const fn step(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`, from the upper half, whose bits are the better mixed.
    pub const fn below(&mut self, bound: u64) -> u64 {
        (self.step() >> 32) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_baseline_gives_the_right_answer() {
        for workload in Workload::ALL {
            let checked = workload.baseline().check();
            assert!(checked.is_ok(), "{}: {checked:?}", workload.name());
        }
    }
}
