//! The tests of other files once more, in the linear-scan tier.
#![allow(clippy::duplicate_mod, reason = "each file has its own support")]

#[path = "deep_calls.rs"]
mod deep_calls;
#[path = "language.rs"]
mod language;
#[path = "regressions.rs"]
mod regressions;
#[path = "same_tokens.rs"]
mod same_tokens;
#[path = "same_tokens_operations.rs"]
mod same_tokens_operations;
#[path = "soundness.rs"]
mod soundness;
