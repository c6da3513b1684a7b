//! What every tier must do: the tests of each file run in the one-pass tier, and once more in each of the others ([`again`]).
//! `code_and_memory.rs` has the two files that look at machine code and memory, which CI runs with `--release`, too: a binary of their
//! own, as all of them take rustc ten minutes there.
//!
//! `TICKC_TEST_TIER=linear-scan` (or `interp`, `cranelift`, `auto`) before the command runs them in that tier only. Under Miri it is the
//! interpreter; what calls native functions, and what would take hours there, is left out.
#![allow(clippy::duplicate_mod, reason = "each file has its own support")]

#[cfg(not(miri))]
mod again;
mod deep_calls;
#[cfg(not(miri))]
mod division;
mod dynamic_types;
mod groups;
#[cfg(not(miri))]
mod host;
mod labels;
#[cfg(not(miri))]
mod mixed;
mod regressions;
mod same_tokens;
mod same_tokens_operations;
mod scopes;
mod soundness;
#[cfg(not(miri))]
mod tick_c_table;

/// Fewer tests in any tier are too few.
#[cfg(not(miri))]
const FEWEST: u32 = 150;
