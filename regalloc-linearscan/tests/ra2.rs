//! regalloc2's own generator and checker, on every algorithm.

use arbitrary::Unstructured;
use regalloc_linearscan::ra2::{self, Algorithm, Options};
use regalloc2::checker::Checker;
use regalloc2::fuzzing::func::{Func, Options as FuncOptions, machine_env};

const OPTIONS: FuncOptions = FuncOptions {
    reused_inputs: true,
    fixed_regs: true,
    fixed_nonallocatable: true,
    clobbers: true,
    reftypes: true,
    callsite_ish_constraints: true,
    ..FuncOptions::DEFAULT
};

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

/// The next function that can be generated from `2^8` bytes or up to `2^(sizes - 1)` times as many.
fn generate(random: &mut Random, sizes: u64) -> Func {
    loop {
        let size = 1 << (8 + random.next() % sizes);
        let bytes: Vec<u8> = (0..size).map(|_| random.next() as u8).collect();
        if let Ok(func) = Func::arbitrary_with_options(&mut Unstructured::new(&bytes), &OPTIONS) {
            return func;
        }
    }
}

/// `REGALLOC_FUNCTIONS` functions (60 by default) from `REGALLOC_SEED`, of `REGALLOC_SIZES` sizes.
fn check(algorithm: Algorithm, is_random: bool) {
    let number = |name, default| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let functions: u64 = number("REGALLOC_FUNCTIONS", 60);
    let seed: u64 = number("REGALLOC_SEED", 1);
    let sizes = number("REGALLOC_SIZES", 8).max(1);
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let env = machine_env();
    let mut ctx = ra2::Ctx::default();
    for n in 0..functions {
        let func = generate(&mut random, sizes);
        let random_seed = if is_random { random.next() | 1 } else { 0 };
        let options = Options { algorithm, random_seed, ..Options::default() };
        let output = match ra2::run_with_ctx(&func, &env, &options, &mut ctx) {
            Ok(output) => output,
            Err(error) => panic!("seed {seed}, function {n}, {algorithm:?}: {error:?}\n{func:?}"),
        };
        let mut checker = Checker::new(&func, &env);
        checker.prepare(output);
        if let Err(findings) = checker.run() {
            panic!("seed {seed}, function {n}, {algorithm:?}: {findings:?}\n{func:?}");
        }
    }
}

macro_rules! on_every_algorithm {
    ($($name:ident $name_at_random:ident $algorithm:ident,)*) => {$(
        #[test]
        fn $name() {
            check(Algorithm::$algorithm, false);
        }

        #[test]
        fn $name_at_random() {
            check(Algorithm::$algorithm, true);
        }
    )*};
}

on_every_algorithm! {
    linear_scan linear_scan_at_random LinearScan,
    whole_intervals whole_intervals_at_random WholeIntervals,
    coarse coarse_at_random Coarse,
    usage_counts usage_counts_at_random UsageCounts,
    coloring coloring_at_random Coloring,
}
