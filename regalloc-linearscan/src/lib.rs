//! A stand-alone linear-scan register allocator.
//!
//! **To come.** This crate holds no code yet. It will take an abstract function (blocks, instructions with uses, defs,
//! clobbers and fixed registers, register classes, loop depth) and return a register or a spill slot for every operand
//! and the moves to insert. Allocators: the paper's linear scan (Poletto & Sarkar, TOPLAS 1999), linear scan with
//! lifetime holes and splitting, usage counts, and graph colouring, each checked by a symbolic checker.
#![no_std]
#![forbid(unsafe_code)]
