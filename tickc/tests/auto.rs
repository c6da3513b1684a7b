//! `Tier::Auto`, and the tests of other files once more in it.
#![cfg(not(miri))]
#![allow(clippy::duplicate_mod, reason = "each file has its own support")]

#[path = "deep_calls.rs"]
mod deep_calls;
#[path = "division.rs"]
mod division;
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
#[path = "lifetime.rs"]
mod lifetime;
#[path = "mixed.rs"]
mod mixed;
#[path = "regressions.rs"]
mod regressions;
#[path = "same_tokens_operations.rs"]
mod same_tokens_operations;
#[path = "soundness.rs"]
mod soundness;
#[path = "auto/recompiled.rs"]
mod recompiled;
mod support;
