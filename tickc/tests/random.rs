//! Random programs give the same result, the same memory and the same traps on every engine: the operators of Rust, and each
//! tier.
//!
//! `TICKC_RANDOM_CASES` sets the number of programs, `TICKC_RANDOM_SEED` the seed of a long run. `agree` of the package `benches` is
//! for the longest ones.
#![forbid(unsafe_code)]

use tickc_generator::engines::{self, Engines};

#[test]
fn random_programs() {
    run(1000, Engines::new);
}

#[test]
fn random_programs_with_each_register_allocator() {
    run(300, Engines::with_allocators);
}

/// Runs so many programs, unless the environment says how many.
fn run(cases: u64, engines: impl FnOnce() -> Result<Engines, tickc::Error> + Send) {
    let number = |name: &str| std::env::var(name).ok().map(|n| n.parse::<u64>().expect("a number"));
    let cases = number("TICKC_RANDOM_CASES").unwrap_or(cases);
    let seed = number("TICKC_RANDOM_SEED").unwrap_or(0);
    engines::with_deep_stack(|| {
        let engines = engines().unwrap();
        for i in 0..cases {
            let program = engines::program(seed, i);
            if let Err(difference) = engines.check(&program) {
                panic!("program {i} of seed {seed}: {difference:?}\n{program:?}");
            }
        }
    });
}
