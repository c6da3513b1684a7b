//! The function that does nothing: the fixed cost of making one.

use std::hint::black_box;

use super::{Program, repeat};
use crate::counts::Count;

#[inline(never)]
fn nothing() {
    black_box(());
}

/// An empty Rust function.
#[must_use]
pub fn baseline() -> Program {
    program(None, nothing)
}

/// Wraps an implementation.
pub fn program(size: Option<Count>, call: impl Fn() + 'static) -> Program {
    Program::new(
        size,
        call,
        |f| {
            f();
            Ok(())
        },
        |f, calls| repeat(calls, f),
    )
}
