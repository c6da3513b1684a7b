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

#[macro_use]
mod fault;

mod auto;
mod choice;
mod code_memory;
#[cfg(test)]
mod counting;
#[cfg(feature = "cranelift")]
mod cranelift;
mod dump;
mod dynamic;
mod emit;
mod error;
mod fragment;
mod func;
mod group;
mod host;
mod interp;
mod ir;
mod jit;
mod label;
mod linear;
mod machine;
mod record;
mod signature;
mod stack;
mod trap;
mod types;
mod x64;

pub use code_memory::CodeMemoryStats;
pub use dynamic::{AnyCode, AnyVar, DynCall, DynCallee, DynFunc, IntoArgument, Value};
pub use emit::Var;
pub use error::Error;
pub use fragment::{Code, Staged};
pub use func::Func;
pub use group::{Declared, Functions, Group};
pub use host::{HostClosure, HostFn};
pub use jit::{Jit, JitBuilder, Phases, RegisterAllocator, Stats, Tier};
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
/// | `$f(a, b)` | [`Func`], [`HostFn`], `extern "C" fn` pointers, [`Declared`] functions of a [`Group`] | a call |
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
/// - Integers: `wrapping_add` `wrapping_sub` `wrapping_mul` `wrapping_div` `wrapping_rem` `wrapping_neg` `wrapping_abs`
///   `wrapping_shl` `wrapping_shr` `wrapping_pow` `saturating_add` `saturating_sub` `rotate_left` `rotate_right` `count_ones`
///   `count_zeros` `leading_zeros` `leading_ones` `trailing_zeros` `trailing_ones` `swap_bytes` `reverse_bits` `to_be` `to_le`
///   `unsigned_abs` `abs_diff` `pow` `div_ceil` `cast_signed` `cast_unsigned` `is_power_of_two` `is_multiple_of` `is_negative`
///   `is_positive`, `u32::from_be(x)`, `u32::from_le(x)`; integers and floats: `abs` `signum` `min` `max` `clamp` `rem_euclid`
///   `div_euclid`. The high half of a product is `a.mul_hi(b)`, which Rust has under no stable name, or, as there,
///   `(a as u128 * b as u128 >> 64) as u64`.
/// - Floats: `sqrt` `floor` `ceil` `trunc` `round` `round_ties_even` `fract` `recip` `copysign` `mul_add` (rounded once) `is_nan`
///   `is_infinite` `is_finite` `is_sign_negative` `is_sign_positive` `to_degrees` `to_radians` `to_bits`, `f64::from_bits(x)`, and
///   by calls of Rust's library `powf` `powi` `exp` `exp2` `exp_m1` `ln` `ln_1p` `log` `log2` `log10` `cbrt` `hypot` `sin` `cos`
///   `tan` `asin` `acos` `atan` `atan2` `sinh` `cosh` `tanh`.
/// - All of these are also functions of their type, `i64::min(a, b)`; `i64::from(x)` converts where Rust does without loss.
/// - Slices and arrays: `len` `is_empty`, parts `&s[a..b]`, `&mut s[a..]`, `&s[..=b]`.
/// - Pointers: `is_null` `addr` `wrapping_add` `wrapping_sub` `wrapping_offset`, and in `unsafe` `add` `sub` `offset`
///   `offset_from` `read` `write` `read_unaligned` `write_unaligned` `read_volatile` `write_volatile`.
/// - `for i in unroll($n, a..b)` puts n copies of the body into each round, all of them if the bounds are constants and n reaches;
///   in a copy of its own `i` is then a constant, and `$table[i]` is read while the code is made.
///
/// ```
/// use tickc::prelude::*;
///
/// let (factor, mask) = (4usize, 0x3fu8);
/// let checksum = Jit::new()?.compile(tick!(|packet: Slice<u8>| -> u32 {
///     let payload = &packet[14..];
///     let mut sum = 0u32;
///     for i in unroll($factor, 0..payload.len()) {
///         sum += (payload[i] & $mask) as u32 / 10;
///     }
///     sum.rotate_left(7).to_be()
/// }))?;
/// assert!(checksum.try_call(&[0; 13]).is_err()); // the part begins past the end
/// assert_eq!(checksum.call(&[30; 24]), 30u32.rotate_left(7).to_be());
/// # Ok::<(), tickc::Error>(())
/// ```
///
/// # Meaning
///
/// `+ - *` wrap, and so does `pow`; shift counts are masked to the width, `as` is Rust's, floats are IEEE without contraction.
/// Division by zero, `MIN / -1`, an index and the end of a part past the end of a slice end the call with a [`Trap`]. `clamp` with
/// the bounds in the wrong order, where Rust panics, gives the upper one.
///
/// # Errors
///
/// Types are checked by rustc, at the user's own tokens. What only shows while fragments are composed is an [`Error`] of
/// [`Jit::compile`]: a variable or a label used out of its scope (both places are named), a limit of depth or size.
pub use tickc_macros::tick;
pub use trap::Trap;
pub use types::{DynamicType, Element, Ref, RefMut, Scalar, Slice, SliceMut, Type};

/// What a program that uses `tickc` wants in scope.
pub mod prelude {
    pub use crate::{
        Code, Declared, Error, Func, Group, HostFn, Jit, Label, Record, Ref, RefMut, Signature, Slice, SliceMut,
        Staged, Tier, Trap, Var, tick,
    };
}

// The examples of the reference run as doctests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/LANGUAGE.md")]
struct Language;

/// What expansions of `tick!` and `#[derive(Record)]` refer to. Not part of the interface.
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "mutate")]
    pub use crate::choice::{Choice, choose};
    pub use crate::emit::{
        Arguments, AsVar, Callable, Emitter, ExternFn, Home, If, Logic, Loop, Match, Named, Pat, Place, Round, Scope,
        Unroll, Val, Var, round, var_of,
    };
    #[cfg(feature = "mutate")]
    pub use crate::fault::FAULTS;
    pub use crate::fragment::{
        Captured, Hoist, Hoists, Lift, LiftValue, Lifted, Plain, Splice, flags, lift_capture, quote, splice_capture,
        staged,
    };
    pub use crate::machine::{Operand, Target};
    pub use crate::record::{Field, Record, same_type};
    pub use crate::types::{DynamicType, Element, Element as FieldType, Exclusive, Scalar, Shared};

    /// Reads the intermediate representation as text, and prints it again: for tests of both.
    pub fn reprint(text: &str) -> Result<String, String> {
        crate::ir::parse(text).map(|function| function.to_string())
    }

    /// Whether instantiating a capture may change variables or memory.
    #[inline(always)]
    pub fn effects<C: Captured>(captured: &C) -> bool {
        captured.effects()
    }
}
