//! A small verified language for functions over untrusted bytes, compiled by `tickc`, and the XN block store on it.
//!
//! **To come.** This crate holds no code yet. It will hold the UDF language (text and binary), its verifier, the
//! compiler and the reference interpreter, and `xn`, the block store that the verified functions protect.
#![forbid(unsafe_code)]
