//! Code for the trie, through `tickc`.
//!
//! - [`plan`]: the tree in the order and shape of the code.
//! - [`emit`]: quotations of it; those of its leaves are in a module of their own.
//! - [`load`]: quotations of loads.
//! - [`program`]: what comes out, with all that it reads.

pub(crate) mod emit;
mod load;
pub(crate) mod plan;
pub(crate) mod program;
