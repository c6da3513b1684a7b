//! Random programs give the same result, the same memory and the same traps as the same programs by the operators of Rust.
//!
//! `TICKC_RANDOM_CASES` sets the number of programs, `TICKC_RANDOM_SEED` the first seed of a long run.
#![forbid(unsafe_code)]
#![allow(unreachable_pub, reason = "shared by the modules of one test")]
#![allow(clippy::unnecessary_cast, reason = "some of the types that a macro goes through are the same")]

mod support;

#[path = "random/ast.rs"]
mod ast;
#[path = "random/eval.rs"]
mod eval;
#[path = "random/generate.rs"]
mod generate;
#[path = "random/stage.rs"]
mod stage;

use ast::{Program, Ty};
use eval::{Memory, Stop};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tickc::prelude::*;

/// Arguments and memory that a program is called with; several, so that both ways of a branch are seen.
fn inputs(program: &Program) -> Vec<(Vec<u64>, Memory)> {
    let ints = [5u64, 0, u64::MAX, 0x8000_0000_8000_8080, 3];
    let floats = [1.5, -0.0, f64::NAN, 1e10, -3.25];
    (0..ints.len())
        .map(|k| {
            let args = program.params.scalars().iter().enumerate().map(|(i, &ty)| match ty {
                Ty::F32 => u64::from((floats[(k + i) % 5] as f32).to_bits()),
                Ty::F64 => floats[(k + i) % 5].to_bits(),
                _ => eval::canonical(ty, ints[(k + i) % 5].wrapping_add(i as u64)),
            });
            let record = stage::Rec { x: -7, y: 200, z: floats[k], a: [3, -4, i16::MIN], flag: k % 2 == 0 };
            let memory = Memory {
                s: vec![3, -1, i64::MIN, 77][..4 - k / 4].to_vec(),
                t: vec![1, 255, 128, 7],
                w: vec![0.5, -2.0, 1e9],
                record,
            };
            (args.collect(), memory)
        })
        .collect()
}

fn same(ty: Ty, a: u64, b: u64) -> bool {
    match ty {
        Ty::F32 => same_float(f64::from(f32::from_bits(a as u32)), f64::from(f32::from_bits(b as u32))),
        Ty::F64 => same_float(f64::from_bits(a), f64::from_bits(b)),
        _ => a == b,
    }
}

fn same_float(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

fn same_memory(a: &Memory, b: &Memory) -> bool {
    let (r, q) = (&a.record, &b.record);
    a.s == b.s
        && a.t == b.t
        && a.w.iter().zip(&b.w).all(|(&a, &b)| same_float(a.into(), b.into()))
        && (r.x, r.y, r.a, r.flag) == (q.x, q.y, q.a, q.flag)
        && same_float(r.z, q.z)
}

fn check(jit: &Jit, choices: &[u32]) -> Result<(), TestCaseError> {
    let program = generate::program(choices);
    let compiled = match stage::compile(jit, &program) {
        Ok(compiled) => compiled,
        Err(error) => return Err(TestCaseError::fail(format!("{error}\n{program:?}"))),
    };
    for (args, memory) in inputs(&program) {
        let (expected, after) = eval::run(&program, &args, memory.clone());
        if expected == Err(Stop::Fuel) {
            continue;
        }
        let mut written = memory;
        let result = compiled(&args, &mut written);
        let agrees = match (&expected, &result) {
            (Ok(a), Ok(b)) => same(program.value.ty, *a, *b),
            (a, b) => a == b,
        };
        if !agrees || !same_memory(&after, &written) {
            return Err(TestCaseError::fail(format!(
                "{program:?}\ncalled with {args:x?}\nexpected {expected:x?}, {after:?}\ngot      {result:x?}, {written:?}"
            )));
        }
    }
    Ok(())
}

#[test]
fn random_programs() {
    // Making the fragments of a deep tree takes much stack in a debug build.
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(run).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn run() {
    let number = |name: &str| std::env::var(name).ok().map(|n| n.parse::<u64>().expect("a number"));
    let cases = number("TICKC_RANDOM_CASES").unwrap_or(1000) as u32;
    let seed = number("TICKC_RANDOM_SEED").unwrap_or(0);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let jit = support::jit();
    let result = runner.run(&prop::collection::vec(any::<u32>(), 0..500), |choices| check(&jit, &choices));
    if let Err(error) = result {
        panic!("{error}");
    }
}
