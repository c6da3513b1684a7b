//! The files of `every_tier` that look at machine code and memory, in every tier.
#![allow(clippy::duplicate_mod, reason = "each file has its own support")]

#[cfg(not(miri))]
#[path = "every_tier/again.rs"]
mod again;
#[path = "every_tier/language.rs"]
mod language;
#[cfg(not(miri))]
#[path = "every_tier/lifetime.rs"]
mod lifetime;

/// Fewer tests in any tier are too few.
#[cfg(not(miri))]
const FEWEST: u32 = 20;
