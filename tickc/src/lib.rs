//! Typed staging for Rust.
