//! `x` to the `n`-th, wrapping, where `n` is known only at run time and then used many times.
//!
//! The generic loop tests one bit of `n` after the other in every call. Once `n` is a constant, only the
//! multiplications remain: for 13, five of them and no branch.

use std::hint::black_box;
use std::io::Write;

use tickc::prelude::*;

use crate::measure::{Bench, Effort};
use crate::outcome::{LEGEND, Ordinary, Outcome};
use crate::{Error, tiers};

/// Specialise x^n for an exponent known at run time
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "power", version, after_help = LEGEND)]
pub struct Arguments {
    /// The exponent, which becomes a constant
    #[arg(long, value_name = "N", default_value_t = Self::EXPONENT)]
    pub exponent: u32,
    /// The base
    #[arg(long, value_name = "X", default_value_t = Self::BASE, allow_negative_numbers = true)]
    pub base: i64,
    /// How long to measure
    #[command(flatten)]
    pub effort: Effort,
}

impl Arguments {
    const EXPONENT: u32 = 13;
    const BASE: i64 = 2;

    /// The example as the tour runs it.
    #[must_use]
    pub fn tour(effort: Effort) -> Self {
        Self { exponent: Self::EXPONENT, base: Self::BASE, effort }
    }
}

/// Bases on which the versions are compared and timed, beginning with the user's.
const BASES: usize = 1024;

/// Square and multiply: the reference.
#[must_use]
pub fn power(base: i64, exponent: u32) -> i64 {
    let (mut result, mut square, mut left) = (1_i64, base, exponent);
    while left > 0 {
        if left % 2 == 1 {
            result = result.wrapping_mul(square);
        }
        square = square.wrapping_mul(square);
        left /= 2;
    }
    result
}

/// Code for `x` to the `exponent`-th.
///
/// The recursion is ordinary Rust that runs while the code is made, as are the tests of `exponent`. What is quoted in
/// `tick!` is left of it: each fragment contains (`@`) the one for a smaller exponent.
pub fn power_code<'a>(x: Var<i64>, exponent: u32) -> Code<'a, i64> {
    if exponent == 0 {
        tick!(1)
    } else if exponent.is_multiple_of(2) {
        let half = power_code(x, exponent / 2);
        // A variable of the generated code, so that `half` is computed once.
        tick!({ let h = @half; h * h })
    } else {
        let rest = power_code(x, exponent - 1);
        tick!(@x * @rest)
    }
}

/// A compiled power: from the base to the result.
pub type Power = fn(i64) -> i64;

/// Compiles the function that raises its argument to the `exponent`-th.
///
/// # Errors
/// That no code could be generated.
pub fn compile(jit: &Jit, tier: Tier, exponent: u32) -> Result<Func<Power>, tickc::Error> {
    jit.compile_with(tier, tick!(|x: i64| -> i64 { @(power_code(x, exponent)) }))
}

/// Runs and prints the example.
///
/// # Errors
/// No code could be generated, a result that differs, or a failure to print.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Error> {
    let Arguments { exponent, base, effort } = *arguments;
    let bases: Vec<i64> = (0..BASES as i64).map(|step| base.wrapping_add(step)).collect();
    let bench = Bench::new("power", effort, 1 + tiers::MEASUREMENTS);

    let version = "square and multiply";
    let per_use = bench.per_use(version, bases.len(), || {
        for &base in black_box(&bases[..]) {
            black_box(power(base, black_box(exponent)));
        }
    });
    let jit = Jit::new()?;
    let tiers = tiers::measure(
        &bench,
        bases.len(),
        |tier| compile(&jit, tier, exponent),
        |specialised| bases.iter().all(|&base| specialised.call(base) == power(base, exponent)),
        |specialised| {
            for &base in black_box(&bases[..]) {
                black_box(specialised.call(base));
            }
        },
    )?;
    let outcome = Outcome {
        name: "power",
        computes: format!("{base} to the power {exponent} is {} (wrapping at 64 bits)", power(base, exponent)),
        one_use: "call",
        generic: Ordinary { version, equal: true, per_use },
        others: Vec::new(),
        tiers,
    };
    drop(bench);
    writeln!(out, "{outcome}")?;
    outcome.verify_equal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_wrapping_pow() {
        for base in [-3, -1, 0, 1, 2, 7, i64::MAX, i64::MIN] {
            for exponent in [0, 1, 2, 3, 13, 31, 64, 1000, u32::MAX] {
                assert_eq!(power(base, exponent), base.wrapping_pow(exponent), "{base}^{exponent}");
            }
        }
    }

    #[test]
    fn specialised_power_agrees() {
        let jit = Jit::new().unwrap();
        for exponent in (0..70).chain([1000, u32::MAX - 1, u32::MAX]) {
            for &(tier, name) in tiers::TIERS {
                let specialised = compile(&jit, tier, exponent).unwrap();
                for base in [-3, -1, 0, 1, 2, 7, i64::MAX, i64::MIN] {
                    assert_eq!(specialised.call(base), power(base, exponent), "{base}^{exponent}, {name}");
                }
            }
        }
    }
}
