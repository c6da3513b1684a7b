//! Random programs of dynamic code: one generator, one oracle, many engines.
//!
//! ```text
//!   bytes ──generate──► Program ──┬──eval──► by the operators of Rust ──┐
//!                                 └──stage─► by every tier of tickc ────┴──► engines: same value, memory, trap?
//!                                     └──shrink──print──► the smallest that differs, as `tick!` source
//! ```
//!
//! | module | one clause |
//! |---|---|
//! | [`ast`] | programs as trees |
//! | `generate` | programs out of bytes: `Program: Arbitrary` |
//! | [`memory`] | what programs read and write, and what they are called with |
//! | [`functions`] | what programs call |
//! | [`eval`] | what programs mean, by the operators of Rust |
//! | [`stage`] | programs as fragments of `tick!`, compiled |
//! | [`engines`] | a program on every engine, and whether they agree |
//! | [`visit`] | the parts of a node |
//! | [`shrink`] | smaller programs that still fail |
//! | [`mod@print`] | programs as source |
//! | [`stats`] | what was generated |
//!
//! A new construct of the language is a variant in [`ast`], and an arm in each of `generate`, `eval`, `stage`, `visit`, `print`.
#![allow(missing_docs, reason = "the names say it, and only tests use it")]
#![allow(clippy::unnecessary_cast, reason = "some of the types that a macro goes through are the same")]

pub mod ast;
pub mod engines;
pub mod eval;
pub mod functions;
mod generate;
pub mod memory;
pub mod print;
pub mod shrink;
pub mod stage;
pub mod stats;
pub mod visit;

pub use ast::Program;
