//! Hot loops on real input, in ordinary Rust and specialised at run time, checked and measured.
//!
//! `cargo run --release` starts the *tour*, which runs every example. Each is also a program of its own
//! (`cargo run --release --bin query -- --help`), a thin `main` over a module of this library:
//!
//! | module | what becomes a constant at run time | what stays dynamic |
//! |---|---|---|
//! | [`power`] | the exponent | the base |
//! | [`dot`] | one of the two vectors, with its zeros | the other vector |
//! | [`query`] | a condition typed on the command line | 200,000 records from a CSV file |
//! | [`convolve`] | the mask and the shape of the picture | the pixels |
//! | [`marshal`] | the format of a record | its fields |
//! | [`arguments`] | number and types of a call's arguments | the values |
//! | [`threaded`] | an expression: data of an interpreter, then code | its variable |
//!
//! (The last three are not part of the tour.)
//!
//! Around them:
//!
//! | module | |
//! |---|---|
//! | [`tour`] | the list of examples and the program that runs them |
//! | [`tiers`] | the compilers that are compared |
//! | [`outcome`] | what one specialisation cost and gained, and the table that shows it |
//! | [`measure`] | timing a use and a compilation, with a progress bar |
//! | [`clock`] | the time-stamp counter |
//! | [`cli`] | from arguments to an exit code |
//! | [`text_error`] | a mistake in a text the user typed, with a caret under it |
//! | [`picture`], [`mask`] | PNG files and convolution masks |
//! | [`splitmix`] | reproducible pseudo-random numbers |

pub mod arguments;
pub mod cli;
pub mod clock;
pub mod convolve;
pub mod dot;
mod error;
pub mod marshal;
pub mod mask;
pub mod measure;
pub mod outcome;
pub mod picture;
pub mod power;
pub mod query;
pub mod splitmix;
pub mod text_error;
pub mod threaded;
pub mod tiers;
pub mod tour;

pub use error::Error;
