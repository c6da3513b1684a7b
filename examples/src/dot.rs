//! The dot product of a vector with many others, where the one is sparse and known only at run time.
//!
//! The generic loop multiplies by the zeros too. Once the weights are constants, the zeros disappear and the loop with
//! them. A list of the non-zero weights gives ordinary Rust the first of these gains, so it is measured as well.

use std::hint::black_box;
use std::io::Write;

use tickc::prelude::*;

use crate::measure::{Bench, Effort};
use crate::outcome::{LEGEND, Ordinary, Outcome};
use crate::splitmix::SplitMix;
use crate::{Error, tiers};

/// Specialise a dot product for a sparse vector known at run time
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "dot", version, after_help = LEGEND)]
pub struct Arguments {
    /// Length of the vectors
    #[arg(long, value_name = "N", default_value_t = Self::LEN, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub len: u32,
    /// How many of a hundred weights are zero
    #[arg(long, value_name = "PERCENT", default_value_t = Self::ZEROS, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub zeros: u8,
    /// How long to measure
    #[command(flatten)]
    pub effort: Effort,
}

impl Arguments {
    const LEN: u32 = 64;
    const ZEROS: u8 = 40;

    /// The example as the tour runs it.
    #[must_use]
    pub fn tour(effort: Effort) -> Self {
        Self { len: Self::LEN, zeros: Self::ZEROS, effort }
    }
}

/// Vectors by which the sparse one is multiplied, to compare and time the versions.
const VECTORS: usize = 64;

/// The sum of the products of two vectors of equal length, wrapping: the reference.
#[must_use]
pub fn dot(weights: &[i64], values: &[i64]) -> i64 {
    weights.iter().zip(values).fold(0, |sum, (&weight, &value)| sum.wrapping_add(weight.wrapping_mul(value)))
}

/// The weights that are not zero, each with its index.
#[must_use]
pub fn non_zero(weights: &[i64]) -> Vec<(usize, i64)> {
    weights.iter().copied().enumerate().filter(|&(_, weight)| weight != 0).collect()
}

/// The same sum from the list of [`non_zero`] weights. Indices past the end of `values` count as zero.
#[must_use]
pub fn dot_listed(listed: &[(usize, i64)], values: &[i64]) -> i64 {
    listed
        .iter()
        .fold(0, |sum, &(index, weight)| sum.wrapping_add(weight.wrapping_mul(values.get(index).copied().unwrap_or(0))))
}

/// A compiled dot product: from the values to the sum. Traps where there are fewer values than weights.
pub type Product = fn(Slice<i64>) -> i64;

/// Compiles the dot product with `weights`, of which nothing but multiplications by constants remains.
///
/// # Errors
/// That no code could be generated.
pub fn compile(jit: &Jit, tier: Tier, weights: &[i64]) -> Result<Func<Product>, tickc::Error> {
    let product = tick!(|values: Slice<i64>| -> i64 {
        let mut sum = 0;
        // Unrolled while the code is made, since what it runs over is ordinary Rust (`$`).
        for (index, weight) in $(weights.iter().copied().enumerate()) {
            if $(weight != 0) {
                sum += weight * values[index];
            }
        }
        sum
    });
    jit.compile_with(tier, product)
}

/// `len` weights below 1000 in size, of which exactly `zeros` percent (rounded down) are zero, at random places.
#[must_use]
pub fn sparse_weights(len: usize, zeros: u8, random: &mut SplitMix) -> Vec<i64> {
    let zeros = len * usize::from(zeros.min(100)) / 100;
    let mut weights: Vec<i64> = (0..len)
        .map(|index| {
            let size = 1 + random.below(999) as i64;
            let signed = if random.chance(50) { -size } else { size };
            if index < zeros { 0 } else { signed }
        })
        .collect();
    for last in (1..len).rev() {
        weights.swap(last, random.below(last as u64 + 1) as usize);
    }
    weights
}

/// Runs and prints the example.
///
/// # Errors
/// No code could be generated, a result that differs, or a failure to print.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Error> {
    let len = arguments.len as usize;
    let mut random = SplitMix::new(1);
    let weights = sparse_weights(len, arguments.zeros, &mut random);
    let listed = non_zero(&weights);
    let vectors: Vec<Vec<i64>> =
        (0..VECTORS).map(|_| (0..len).map(|_| random.below(1 << 20) as i64).collect()).collect();
    let bench = Bench::new("dot", arguments.effort, 2 + tiers::MEASUREMENTS);

    let generic = "every weight";
    let generic_per_use = bench.per_use(generic, vectors.len(), || {
        for values in black_box(&vectors[..]) {
            black_box(dot(black_box(&weights), values));
        }
    });
    let list = "non-zero weights listed";
    let list_per_use = bench.per_use(list, vectors.len(), || {
        for values in black_box(&vectors[..]) {
            black_box(dot_listed(black_box(&listed), values));
        }
    });
    let list_equal = vectors.iter().all(|values| dot_listed(&listed, values) == dot(&weights, values));
    let jit = Jit::new()?;
    let tiers = tiers::measure(
        &bench,
        vectors.len(),
        |tier| compile(&jit, tier, &weights),
        |specialised| vectors.iter().all(|values| specialised.call(values) == dot(&weights, values)),
        |specialised| {
            for values in black_box(&vectors[..]) {
                black_box(specialised.call(values));
            }
        },
    )?;
    let outcome = Outcome {
        name: "dot",
        computes: format!("dot product with {len} weights, {} of them zero", len - listed.len()),
        one_use: "product",
        generic: Ordinary { version: generic, equal: true, per_use: generic_per_use },
        others: vec![Ordinary { version: list, equal: list_equal, per_use: list_per_use }],
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
    fn small_products() {
        assert_eq!(dot(&[], &[]), 0);
        assert_eq!(dot(&[1, 0, -3], &[10, 20, 30]), -80);
        assert_eq!(dot(&[2], &[i64::MAX]), -2);
    }

    #[test]
    fn the_asked_number_of_zeros() {
        for (len, zeros, expected) in [(64, 40, 25), (64, 0, 0), (64, 100, 64), (1, 50, 0), (10, 255, 10)] {
            let weights = sparse_weights(len, zeros, &mut SplitMix::new(7));
            assert_eq!(weights.iter().filter(|&&weight| weight == 0).count(), expected, "{zeros} % of {len}");
        }
    }

    #[test]
    fn specialised_product_agrees() {
        let jit = Jit::new().unwrap();
        let mut random = SplitMix::new(5);
        for (len, zeros) in [(0, 0), (1, 0), (1, 100), (50, 50), (64, 40), (1000, 0)] {
            let mut weights = sparse_weights(len, zeros, &mut random);
            // Weights that need no multiplication, and the largest.
            let special = [1, -1, 2, -8, i64::MIN, i64::MAX];
            weights.iter_mut().filter(|weight| **weight != 0).zip(special).for_each(|(weight, value)| *weight = value);
            let values: Vec<i64> = (0..len).map(|_| random.next_u64() as i64).collect();
            for &(tier, name) in tiers::TIERS {
                let product = compile(&jit, tier, &weights).unwrap();
                assert_eq!(product.call(&values), dot(&weights, &values), "{len} weights, {name}");
            }
        }
    }

    #[test]
    fn a_vector_too_short_is_noticed() {
        let jit = Jit::new().unwrap();
        for &(tier, _) in tiers::TIERS {
            let product = compile(&jit, tier, &[1, 0, 3, 0]).unwrap();
            assert!(matches!(product.try_call(&[1, 2]), Err(Trap::IndexOutOfBounds)));
        }
    }

    #[test]
    fn the_list_gives_the_same_sum() {
        let mut random = SplitMix::new(3);
        for len in 0..50 {
            let weights = sparse_weights(len, 50, &mut random);
            let values: Vec<i64> = (0..len).map(|_| random.next_u64() as i64).collect();
            assert_eq!(dot(&weights, &values), dot_listed(&non_zero(&weights), &values));
        }
    }
}
