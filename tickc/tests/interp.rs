//! The tests of other files once more, in the interpreter.
//!
//! Under Miri: see `docs/TESTING.md`. Tests that call native functions, and those that would take hours, are left out there.
#![allow(clippy::duplicate_mod, reason = "each file has its own support")]

#[path = "deep_calls.rs"]
mod deep_calls;
#[path = "dynamic_types.rs"]
mod dynamic_types;
#[path = "groups.rs"]
mod groups;
#[path = "labels.rs"]
mod labels;
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
