//! `Tier::Auto`, and the tests of other files once more in it.
#![cfg(not(miri))]
#![allow(clippy::duplicate_mod, reason = "each file has its own support")]

#[path = "deep_calls.rs"]
mod deep_calls;
#[path = "dynamic_types.rs"]
mod dynamic_types;
#[path = "groups.rs"]
mod groups;
#[path = "host.rs"]
mod host;
#[path = "labels.rs"]
mod labels;
#[path = "language.rs"]
mod language;
#[path = "mixed.rs"]
mod mixed;
#[path = "auto/programs.rs"]
mod programs;
#[path = "auto/recompiled.rs"]
mod recompiled;
#[path = "regressions.rs"]
mod regressions;
#[path = "same_tokens_operations.rs"]
mod same_tokens_operations;
mod support;
