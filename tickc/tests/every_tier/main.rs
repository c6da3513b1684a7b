//! What every tier must do: the tests of each file run in the one-pass tier, and once more in each of the others ([`again`]).
//!
//! `TICKC_TEST_TIER=linear-scan` (or `interp`, `cranelift`, `auto`) before the command runs them in that tier only. Under Miri it is the
//! interpreter; what calls native functions, and what would take hours there, is left out. With `--release`, which takes rustc ten
//! minutes for all of it, there are only those that look at machine code and memory.
#![allow(clippy::duplicate_mod, reason = "each file has its own support")]

#[cfg(not(miri))]
mod again;
#[cfg(debug_assertions)]
mod deep_calls;
#[cfg(all(debug_assertions, not(miri)))]
mod division;
#[cfg(debug_assertions)]
mod dynamic_types;
#[cfg(debug_assertions)]
mod groups;
#[cfg(all(debug_assertions, not(miri)))]
mod host;
#[cfg(debug_assertions)]
mod labels;
mod language;
#[cfg(not(miri))]
mod lifetime;
#[cfg(all(debug_assertions, not(miri)))]
mod mixed;
#[cfg(debug_assertions)]
mod regressions;
#[cfg(debug_assertions)]
mod same_tokens;
#[cfg(debug_assertions)]
mod same_tokens_operations;
#[cfg(debug_assertions)]
mod scopes;
#[cfg(debug_assertions)]
mod soundness;
#[cfg(all(debug_assertions, not(miri)))]
mod tick_c_table;
