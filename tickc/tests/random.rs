//! Random programs give the same result, the same memory and the same traps on every engine: the operators of Rust, and each
//! tier.
//!
//! `TICKC_RANDOM_CASES` sets the number of programs, `TICKC_RANDOM_SEED` the seed of a long run. `agree` of the package `benches` is
//! for the longest ones. With the feature `mutate`, also with registers chosen at random, and with only four.
#![forbid(unsafe_code)]

use tickc::Error;
use tickc_generator::engines::{self, Engines};

/// Runs so many programs, unless the environment says how many, on all of the engines, each after `prepare` was called with its
/// number.
fn check(cases: u64, engines: fn() -> Result<Engines, Error>, prepare: fn(u64)) {
    let number = |name: &str| std::env::var(name).ok().map(|n| n.parse::<u64>().expect("a number"));
    let cases = number("TICKC_RANDOM_CASES").unwrap_or(cases);
    let seed = number("TICKC_RANDOM_SEED").unwrap_or(0);
    engines::with_deep_stack(|| {
        let engines = engines().unwrap();
        for i in 0..cases {
            let program = engines::program(seed, i);
            prepare(i);
            if let Err(difference) = engines.check(&program) {
                panic!("program {i} of seed {seed}: {difference:?}\n{program:?}");
            }
        }
    });
}

#[test]
fn random_programs() {
    check(1000, Engines::new, |_| ());
}

#[test]
fn random_programs_with_each_register_allocator() {
    check(300, Engines::with_allocators, |_| ());
}

#[cfg(feature = "mutate")]
mod registers {
    use tickc::__private::{Choice, choose};
    use tickc::Tier;

    use super::*;

    fn native() -> Result<Engines, Error> {
        Engines::with_tiers(&[Tier::OnePass, Tier::LinearScan])
    }

    #[test]
    fn random_programs_in_random_registers() {
        check(1000, native, |number| choose(Choice::Random(number)));
    }

    #[test]
    fn random_programs_in_four_registers() {
        check(1000, native, |number| choose(Choice::Four(number)));
    }
}
