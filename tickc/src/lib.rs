//! Typed staging for Rust: compose fragments of code while the program runs, compile them in a few cycles per machine
//! instruction, call the result as an ordinary typed function.
//!
//! ```
//! use tickc::prelude::*;
//!
//! /// Code for x to the n.
//! fn power<'a>(x: Var<i64>, n: u32) -> Code<'a, i64> {
//!     if n == 0 {
//!         tick!(1)
//!     } else if n % 2 == 0 {
//!         let half = power(x, n / 2);
//!         tick!({ let h = @half; h * h })
//!     } else {
//!         let rest = power(x, n - 1);
//!         tick!(@x * @rest)
//!     }
//! }
//!
//! let jit = Jit::new()?;
//! let pow13: Func<fn(i64) -> i64> = jit.compile(tick!(|x: i64| -> i64 { @(power(x, 13)) }))?;
//! assert_eq!(pow13.call(2), 8192);
//! # Ok::<(), tickc::Error>(())
//! ```
//!
//! This is MIT's 'C (Poletto, Hsieh, Engler & Kaashoek, "'C and tcc", TOPLAS 1999) for Rust: `tick!{ … }` quotes code, `@`
//! splices fragments into it, `$` freezes run-time values into it. A quotation is of type [`Code<T>`](Code), a quoted function
//! of type [`Staged`], and [`Jit::compile`] makes a [`Func`] of it. rustc checks the types of what is quoted.

#[cfg(test)]
extern crate self as tickc;

mod code_memory;
mod dump;
mod emit;
mod error;
mod fragment;
mod func;
mod jit;
mod machine;
mod record;
mod signature;
mod stack;
mod trap;
mod types;
mod x64;

pub use code_memory::CodeMemoryStats;
pub use emit::Var;
pub use error::Error;
pub use fragment::{Code, Staged};
pub use func::Func;
pub use jit::{Jit, JitBuilder, Phases, Stats, Tier};
pub use record::Record;
pub use signature::{Param, Return, Signature};
pub use tickc_macros::{Record, tick};
pub use trap::Trap;
pub use types::{Element, Ref, RefMut, Scalar, Slice, SliceMut, Type, Value};

/// What a program that uses `tickc` wants in scope.
pub mod prelude {
    pub use crate::{
        Code, Error, Func, Jit, Record, Ref, RefMut, Signature, Slice, SliceMut, Staged, Tier, Trap, Var, tick,
    };
}

/// What expansions of `tick!` and `#[derive(Record)]` refer to. Not part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::emit::{
        Arguments, AsVar, Callable, Emitter, ExternFn, Home, If, Logic, Loop, Match, Named, Pat, Place, Round, Scope,
        Val, Var, round, var_of,
    };
    pub use crate::fragment::{
        Captured, Hoist, Hoists, Lift, LiftValue, Lifted, Plain, Splice, flags, lift_capture, quote, splice_capture,
        staged,
    };
    pub use crate::machine::{Operand, Target};
    pub use crate::record::{Field, Record, same_type};
    pub use crate::types::{Element, Element as FieldType, Exclusive, Scalar, Shared, Value};

    /// Whether instantiating a capture may change variables or memory.
    #[inline(always)]
    pub fn effects<C: Captured>(captured: &C) -> bool {
        captured.effects()
    }
}
