//! The compilers that are compared: one specialisation, measured in each of them.

use tickc::{Func, Tier};

use crate::measure::Bench;
use crate::outcome::Specialised;

/// The tiers that the examples show, in the tables' order and with the tables' names. Without optimisation Cranelift would take minutes
/// for what the other tiers compile in milliseconds, so that it is left out there.
pub const TIERS: &[(Tier, &str)] = if cfg!(debug_assertions) {
    &[(Tier::OnePass, "one-pass"), (Tier::LinearScan, "linear-scan")]
} else {
    &[(Tier::OnePass, "one-pass"), (Tier::LinearScan, "linear-scan"), (Tier::Cranelift, "cranelift")]
};

/// How many measurements [`measure`] makes.
pub const MEASUREMENTS: usize = 2 * TIERS.len();

/// Compiles, checks and times a specialised version in every tier.
///
/// `compile` does all that depends on the run-time constants, from the first quotation to the callable function; `equal`
/// compares the function's results with the reference; one call of `work` makes `uses` uses of the function.
///
/// # Errors
/// The first error of `compile`.
pub fn measure<S>(
    bench: &Bench,
    uses: usize,
    compile: impl Fn(Tier) -> Result<Func<S>, tickc::Error>,
    equal: impl Fn(&Func<S>) -> bool,
    mut work: impl FnMut(&Func<S>),
) -> Result<Vec<Specialised>, tickc::Error> {
    let measure = |&(tier, name): &(Tier, &str)| {
        let function = compile(tier)?;
        let stats = function.stats();
        Ok(Specialised {
            tier: name.to_owned(),
            equal: equal(&function),
            per_use: bench.per_use(name, uses, || work(&function)),
            compile: bench.per_compile(name, || compile(tier))?,
            instructions: stats.instructions,
            bytes: stats.bytes,
        })
    };
    TIERS.iter().map(measure).collect()
}
