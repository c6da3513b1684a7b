//! The tests of other files once more, in the interpreter; and what only the interpreter has.

#[path = "deep_calls.rs"]
mod deep_calls;
#[path = "language.rs"]
mod language;
#[path = "random.rs"]
mod random;
#[path = "regressions.rs"]
mod regressions;
#[path = "same_tokens.rs"]
mod same_tokens;
#[path = "soundness.rs"]
mod soundness;
