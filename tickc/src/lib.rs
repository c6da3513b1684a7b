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
mod group;
mod jit;
mod label;
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
pub use group::{Declared, Functions, Group};
pub use jit::{Jit, JitBuilder, Phases, Stats, Tier};
pub use label::Label;
pub use record::Record;
pub use signature::{Param, Return, Signature};
/// Gives dynamic code the fields of a struct by name.
///
/// Fields are scalars, other records and arrays of them; a field is visible in a quotation where it is visible in Rust. The
/// struct must be `Copy`; its layout is whatever Rust makes it.
///
/// ```
/// use tickc::prelude::*;
///
/// #[derive(Clone, Copy, Record)]
/// struct Order {
///     price: f64,
///     quantity: u32,
///     days: [u16; 7],
/// }
///
/// let f = Jit::new()?.compile(tick!(|orders: SliceMut<Order>, i: usize, day: usize| -> f64 {
///     orders[i].days[day] += 1;
///     orders[i].price * orders[i].quantity as f64
/// }))?;
/// let mut orders = [Order { price: 2.5, quantity: 4, days: [0; 7] }];
/// assert_eq!(f.call(&mut orders, 0, 6), 10.0);
/// assert_eq!(orders[0].days[6], 1);
/// assert!(f.try_call(&mut orders, 0, 7).is_err()); // an index past the end traps
/// # Ok::<(), tickc::Error>(())
/// ```
pub use tickc_macros::Record;
/// Quotes dynamic code: a fragment ([`Code<T>`](Code)), or, written as a closure or a `fn`, a whole function
/// ([`Staged<fn(A) -> R>`](Staged)).
///
/// # Splices and constants
///
/// | | what it takes | what it is |
/// |---|---|---|
/// | `@name`, `@(expr)` | [`Code<T>`](Code), [`Var<T>`](Var) | the fragment, instantiated here; the variable |
/// | `@v = e`, `@(v[i]) += e` | [`Var<T>`](Var) | assignment |
/// | `$name`, `$(expr)`, `lift!(expr)` | scalars; `Arc<[X]>`, `&'static [X]` | a run-time constant, folded through every operation; a slice that the function keeps alive |
/// | `$f(a, b)` | [`Func`], `extern "C" fn` pointers, [`Declared`] functions of a [`Group`] | a call |
/// | `for x in $(iterable) { … }` | `IntoIterator + Clone` | unrolled; `x`, any pattern, is then a Rust value: `$(x.0)`, `@(code[x])`, bare `x` |
/// | `if $(c) { … } else { … }`, `match $(v) { … }` | `bool`; anything | only the live arm is instantiated |
///
/// `@name` binds tighter than any postfix: `@s[@i]`, `@acc.wrapping_mul(3)`. `expr` is ordinary Rust, run by the program: once,
/// when `tick!` is evaluated; or, if it mentions a name bound inside the quotation, each time the fragment is instantiated. Such
/// deferred code captures as a closure does, by value in `tick!(move …)`.
///
/// ```
/// use tickc::prelude::*;
///
/// let weights = [3, 0, -1i64];
/// let dot = Jit::new()?.compile(tick!(|p: Slice<i64>| -> i64 {
///     let mut sum = 0;
///     for (i, w) in $(weights.iter().enumerate()) {
///         if $(*w != 0) { sum += p[i] * $(*w) }
///     }
///     sum
/// }))?;
/// assert_eq!(dot.call(&[10, 20, 30]), 0);
/// # Ok::<(), tickc::Error>(())
/// ```
///
/// # The language
///
/// Rust's syntax, precedence and order of evaluation: literals, arithmetic, bits, shifts, comparisons, `&& || !`, `as`, blocks,
/// `let`, assignment, `if`, `match` on integers, `while`, `loop`, `for i in a..b`, labels, `break`, `continue`, `return`, calls of
/// `extern "C"` functions and, in a quoted `fn`, of itself, `trap(code)`; slices, records, arrays in records, raw pointers in the
/// user's own `unsafe { }`. Constants of the program (`LIMIT`, `i64::MAX`) are named bare. Jumps from fragment to fragment go to a
/// [`Label`].
///
/// - Integers: `wrapping_add` `wrapping_sub` `wrapping_mul` `wrapping_neg` `wrapping_shl` `wrapping_shr` `wrapping_abs`
///   `rotate_left` `rotate_right` `count_ones` `count_zeros` `leading_zeros` `trailing_zeros` `swap_bytes` `unsigned_abs`
///   `abs_diff` `signum` `rem_euclid` `div_euclid`; integers and floats: `abs` `min` `max`.
/// - Floats: `sqrt` `floor` `ceil` `trunc` `is_nan` `to_bits`, `f64::from_bits(x)`.
/// - Slices and arrays: `len` `is_empty`; pointers: `is_null`, and in `unsafe` `add` `sub` `offset`.
///
/// # Meaning
///
/// `+ - *` wrap, shift counts are masked to the width, `as` is Rust's, floats are IEEE without contraction. Division by zero,
/// `MIN / -1` and an index past the end end the call with a [`Trap`].
///
/// # Errors
///
/// Types are checked by rustc, at the user's own tokens. What only shows while fragments are composed is an [`Error`] of
/// [`Jit::compile`]: a variable or a label used out of its scope (both places are named), a limit of depth or size.
pub use tickc_macros::tick;
pub use trap::Trap;
pub use types::{Element, Ref, RefMut, Scalar, Slice, SliceMut, Type, Value};

/// What a program that uses `tickc` wants in scope.
pub mod prelude {
    pub use crate::{
        Code, Declared, Error, Func, Group, Jit, Label, Record, Ref, RefMut, Signature, Slice, SliceMut, Staged, Tier,
        Trap, Var, tick,
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
