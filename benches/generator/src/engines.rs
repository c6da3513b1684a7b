//! A program on every engine, and whether they agree.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use arbitrary::{Arbitrary, Unstructured};
use tickc::RegisterAllocator;
use tickc::prelude::*;

use crate::ast::{Program, Ty};
use crate::eval::{self, Stop};
use crate::functions::Callees;
use crate::memory::{Input, Memory, inputs, same, same_memory};
use crate::stage;

/// The tiers of this build.
const TIERS: [Tier; 4] = [Tier::OnePass, Tier::LinearScan, Tier::Interp, Tier::Cranelift];

/// A tier with what its programs call.
struct Engine {
    tier: Tier,
    jit: Jit,
    callees: Rc<Callees>,
}

/// The engines: every tier, and the operators of Rust, which they are held to.
pub struct Engines {
    tiers: Vec<Engine>,
}

/// How a call of a program ended, and with what memory.
pub type Outcome = (Result<u64, Stop>, Memory);

/// What engines do not agree on.
#[derive(Debug)]
pub struct Difference {
    /// The tier that differs from the operators of Rust.
    pub tier: Tier,
    /// What the program was called with; none if it was not compiled.
    pub input: Option<Input>,
    /// What should have come out and what did, in words.
    pub message: String,
}

/// What a program did, on the operators of Rust; of each input that it was run with.
pub type Outcomes = Vec<Result<u64, Stop>>;

impl Engines {
    /// All of them.
    ///
    /// # Errors
    /// If a tier is not to be had here.
    pub fn new() -> Result<Engines, Error> {
        Self::with_tiers(&TIERS)
    }

    /// The operators of Rust and some tiers.
    ///
    /// # Errors
    /// If one of them is not to be had here.
    pub fn with_tiers(tiers: &[Tier]) -> Result<Engines, Error> {
        let engine = |&tier: &Tier| {
            let other = tiers.iter().copied().find(|&other| other != tier).unwrap_or(tier);
            Engine::new(tier, Jit::builder().tier(tier).build()?, other)
        };
        Ok(Engines { tiers: tiers.iter().map(engine).collect::<Result<_, Error>>()? })
    }

    /// The operators of Rust and the linear-scan tier with each of its register allocators.
    ///
    /// # Errors
    /// If the tier is not to be had here.
    pub fn with_allocators() -> Result<Engines, Error> {
        use RegisterAllocator::{CoarseLinearScan, GraphColoring, LinearScan, UsageCounts};
        let engine = |allocator| {
            let jit = Jit::builder().tier(Tier::LinearScan).register_allocator(allocator).build()?;
            Engine::new(Tier::LinearScan, jit, Tier::OnePass)
        };
        let allocators = [LinearScan, CoarseLinearScan, UsageCounts, GraphColoring];
        Ok(Engines { tiers: allocators.into_iter().map(engine).collect::<Result<_, Error>>()? })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.tiers.len() + 1
    }

    /// Runs a program on all engines.
    ///
    /// # Errors
    /// The first difference.
    pub fn check(&self, program: &Program) -> Result<Outcomes, Box<Difference>> {
        let inputs = inputs(program);
        let expected: Vec<Outcome> =
            inputs.iter().map(|(args, memory)| eval::run(program, args, memory.clone())).collect();
        for engine in &self.tiers {
            let checked = catch_unwind(AssertUnwindSafe(|| engine.check(program, &inputs, &expected)));
            checked.unwrap_or_else(|payload| {
                let words = payload.downcast_ref::<String>().map(|s| &s[..]).or(payload.downcast_ref().copied());
                let message = format!("panicked: {}", words.unwrap_or("without a message"));
                Err(Box::new(Difference { tier: engine.tier, input: None, message }))
            })?;
        }
        Ok(expected.into_iter().map(|outcome| outcome.0).collect())
    }
}

impl Engine {
    /// A tier; some of the functions that programs call are of the tier `other`.
    fn new(tier: Tier, jit: Jit, other: Tier) -> Result<Engine, Error> {
        let callees = Rc::new(Callees::new(&jit, &Jit::builder().tier(other).build()?)?);
        Ok(Engine { tier, jit, callees })
    }

    fn check(&self, program: &Program, inputs: &[Input], expected: &[Outcome]) -> Result<(), Box<Difference>> {
        let difference = |input, message| Err(Box::new(Difference { tier: self.tier, input, message }));
        let compiled = match stage::compile(&self.jit, &self.callees, program) {
            Ok(compiled) => compiled,
            Err(error) => return difference(None, format!("not compiled: {error}")),
        };
        if self.tier == Tier::Interp {
            let text = (compiled.text)();
            if tickc::__private::reprint(&text).as_ref() != Ok(&text) {
                return difference(None, format!("the representation is not read as it was printed:\n{text}"));
            }
        }
        for ((args, memory), (value, after)) in inputs.iter().zip(expected) {
            if *value == Err(Stop::Fuel) {
                continue;
            }
            let mut written = memory.clone();
            let got = self.callees.with(&mut written, |memory| (compiled.call)(args, memory));
            if !same_result(program.value.ty, value, &got) || !same_memory(after, &written) {
                let message = format!("expected {value:x?}\n{after:?}\ngot {got:x?}\n{written:?}");
                return difference(Some((args.clone(), memory.clone())), message);
            }
        }
        Ok(())
    }
}

fn same_result(ty: Ty, a: &Result<u64, Stop>, b: &Result<u64, Stop>) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => same(ty, *a, *b),
        (a, b) => a == b,
    }
}

/// The program of this number of a run with this seed.
pub fn program(seed: u64, number: u64) -> Program {
    let mut random = fastrand::Rng::with_seed(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut bytes = vec![0; random.usize(0..1500)];
    random.fill(&mut bytes);
    Program::arbitrary(&mut Unstructured::new(&bytes)).expect("a program comes out of any bytes")
}

/// Runs `job` with as much stack as the fragments of a deep tree want in a debug build.
pub fn with_deep_stack<T: Send>(job: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(64 << 20).spawn_scoped(scope, job);
        thread.expect("a thread starts").join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    })
}
