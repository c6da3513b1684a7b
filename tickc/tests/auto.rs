//! What only `Tier::Auto` does. What all tiers must do is in `every_tier`.
#![cfg(not(miri))]

#[path = "auto/programs.rs"]
mod programs;
#[path = "auto/recompiled.rs"]
mod recompiled;
mod support;
