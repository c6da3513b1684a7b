//! Dynamic packet filters, merged into a trie and compiled to machine code when they are installed.
//!
//! **To come.** This crate holds no code yet. It will rebuild DPF (Engler & Kaashoek, SIGCOMM 1996) on `tickc`:
//! filters as conjunctions of atoms, one trie for all of them, dispatch chosen by the number and density of values.
#![forbid(unsafe_code)]
