//! What every tier must do: the tests of each file run in the one-pass tier, and once more in each of the others ([`again`]).
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
mod language;
#[cfg(not(miri))]
mod lifetime;
#[cfg(not(miri))]
mod mixed;
mod regressions;
mod same_tokens;
mod same_tokens_operations;
mod scopes;
mod soundness;
#[cfg(not(miri))]
mod tick_c_table;
