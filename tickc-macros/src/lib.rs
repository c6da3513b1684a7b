//! The proc-macros behind `tickc`: [`tick!`](macro@tick) and [`#[derive(Record)]`](macro@Record).
//!
//! Users name `tickc`, never this crate; what the macros expand to calls `::tickc::__private` only and holds no `unsafe` but
//! the user's own.
//!
//! ```text
//!  tokens ──parse──► ast ──analyze::resolve──► names resolved, @ and $ numbered ──analyze::last_use──► takes ──expand──► Rust
//! ```
//!
//! - `ast`: the language of quotations as a tree, every node with the user's span.
//! - `parse`: tokens to tree; Rust's grammar and precedence, with `@` and `$`.
//! - `analyze`: scopes, loops, effects, last uses, and every error that can be told without types.
//! - `expand`: tree to Rust. Types are left to rustc, which finds its mistakes at the user's own tokens.
//! - `methods`: the one table of methods that dynamic values have.
//! - `record`: the derive.
#![forbid(unsafe_code)]

mod analyze;
mod ast;
mod expand;
mod methods;
mod parse;
mod record;

use proc_macro::TokenStream;

/// Quotes dynamic code: a fragment `Code<T>`, or, written as a closure or a `fn`, a whole function `Staged<fn(..) -> R>`.
#[proc_macro]
pub fn tick(input: TokenStream) -> TokenStream {
    expand::tick(input.into()).into()
}

/// Gives dynamic code the fields of a struct by name.
#[proc_macro_derive(Record)]
pub fn record(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    record::derive(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
