//! The interpreter: runs the intermediate representation. The reference for what dynamic code means, and what runs where no
//! executable memory is to be had.
//!
//! - [`run`]: the loop, and calls of interpreted functions by interpreted ones
//! - [`native`]: calls of machine code by the interpreter
//! - [`thunk`]: calls of interpreted functions by machine code
//!
//! ```text
//!   Rust ── Func::call ──► run ◄── thunk ◄── machine code
//!                           │ │
//!        frames on a heap ◄─┘ └──► native ──► machine code, extern "C" functions
//! ```
//!
//! A register holds a canonical constant (see [`Type`]). Arithmetic is that of [`crate::emit::fold`], so that folding a constant
//! and computing it cannot differ.
//!
//! Pointers are integers in registers: an address comes in with its provenance exposed, and an access takes it up again, so
//! that Miri can follow. What Miri cannot do is call native functions whose types it is not told ([`native`]).
//!
//! # Invariants
//! - P1: frames of interpreted functions lie on the heap; an interpreted function that calls itself or another interpreted one
//!   takes no stack of the thread. Where Rust or native code lies in between, `run` asks how much stack is left.
//! - P2: a trap is a status that `run` returns; it passes no Rust frame but `run`'s own.
//!
//! Cost: some nanoseconds per operation; about 20 for a call from Rust.
#![allow(unsafe_code, reason = "accesses the memory that dynamic code accesses, calls what it calls")]

mod native;
mod run;
mod thunk;

use std::sync::OnceLock;

use crate::error::Error;
use crate::func::Owner;
use crate::ir;
#[cfg(doc)]
use crate::types::Type;

/// A function to be interpreted.
pub(crate) struct Program {
    function: ir::Function,
    /// Machine code that calls it, once some machine code wants to.
    thunk: OnceLock<Owner>,
}

impl Program {
    /// A program of its own from the function that a builder has finished.
    pub(crate) fn new(function: &ir::Function) -> Program {
        // A clone has no more storage than it needs.
        Program { function: function.clone(), thunk: OnceLock::new() }
    }

    /// The same program with a thunk of its own.
    pub(crate) fn other(&self) -> Program {
        Program::new(&self.function)
    }

    /// What is run.
    pub(crate) fn function(&self) -> &ir::Function {
        &self.function
    }

    /// Runs it with one canonical word per scalar parameter: the canonical bits of its result, or a status (see
    /// [`crate::trap`]).
    pub(crate) fn run(&self, args: &[u64]) -> Result<u64, u64> {
        run::run(self, args)
    }

    /// The address of machine code that calls it. The status that it returns is looked at; it takes no stack limit.
    ///
    /// # Errors
    /// If there is no memory for code.
    pub(crate) fn thunk(&self) -> Result<u64, Error> {
        if let Some(thunk) = self.thunk.get() {
            return Ok(thunk.address());
        }
        let made = thunk::make(self)?;
        Ok(self.thunk.get_or_init(|| made).address())
    }
}

/// Upper bound of the stack that a thunk takes before the interpreter asks how much is left.
pub(crate) const THUNK_STACK: u32 = 512;
