//! Executable memory: reserve a place, write the code, commit it, and get the place back when the function dies.
//!
//! # Terms
//!
//! - *region*: one stretch of at most 1 GiB, mapped once; any code in it reaches any other by a 32-bit displacement.
//! - *view*: a mapping of the region. With two views the code is written through one and runs in the other.
//! - *granule*: what sizes are rounded up to: a cache line (64 bytes) with two views, a page where pages are flipped.
//! - *span*: a free range, by offset. *Frontier*: above it nothing is in use.
//! - *node*: the record of one function (address, length, the owner's payload). Nodes are recycled, never freed.
//! - *reservation*: a node and a range that are not published yet; dropping it gives both back.
//! - *cache*: what one thread holds in advance: spans to cut functions from, and spare nodes.
//!
//! # Picture
//!
//! ```text
//!            Cache (one per thread, no lock)                Region (one per process)
//!  reserve ─► cut from the current span      ◄── refill ──  free list, spare nodes (under a mutex)
//!     │       pop a spare node                                   ▲
//!  write the code through the writable view                      │ collect: join neighbours, recycle nodes
//!     │                                                          │
//!  commit ──► Node, shared by all threads ──── release ───► released stack (one compare-and-swap)
//! ```
//!
//! # Invariants
//!
//! - I1: No mapping is writable and executable at once, at any time.
//! - I2: A range belongs to exactly one of: the free list, one cache, one node. Ranges of different nodes are disjoint.
//! - I3: A node belongs to exactly one of: the region's spares, one cache, one reservation, its owner (published), the
//!   released stack. Only a published node has a payload; only its owner may touch it, until `release`.
//! - I4: Published bytes do not change: in flip mode a page with live code is not re-protected (one function per page at
//!   least), with two views nobody holds a writable pointer any more.
//! - I5: The region's mutex is never held while foreign code (a payload's `drop`) runs.
//! - I6: Physical pages are given back only inside free spans.
//!
//! # Cost
//!
//! Steady state: an addition and a pop to reserve, one compare-and-swap to release; no lock, no malloc, no system call:
//! some 12 cycles for both and for the share in refills, which come once per 64 KiB of code or 256 functions.
//! Between functions that stay, free ranges are short, and finding and joining them costs some tens of cycles each.
//! Freed code is not handed out again at once: rewriting a line the processor has just executed costs hundreds of cycles.
//! Where pages are flipped, a function costs a system call and at least a page.
//!
//! # Limits
//!
//! - After `fork` the child must neither compile nor call compiled functions: the two views are not inherited
//!   (`MADV_DONTFORK`), so that it faults instead of writing into its parent's code.
//! - Memory is collected by whoever compiles next, ends a thread, frees a large function, or asks for `stats`.
//! - `commit` assumes that instruction fetch sees stores, as on x86; another machine has to flush there.

#![allow(unsafe_code, reason = "maps memory, writes machine code, and recycles nodes by hand")]

mod free_list;
mod map;
mod node;
mod process;
mod region;
mod resident;
#[cfg(test)]
mod tests;
mod thread;

pub(crate) use node::Node;
pub(crate) use process::{bounds, release, reserve, stats};
pub(crate) use thread::Reservation;

/// Why there is no memory for a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AllocError {
    /// The system refuses executable memory; `what` says which requests were tried and how they failed.
    Denied { what: String },
    /// The region has no free range of that many bytes, or the system no memory to back it.
    Full { requested: usize },
}

/// The state of the code memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodeMemoryStats {
    /// Bytes of address space in one view.
    pub mapped: usize,
    /// Bytes of live code, rounding included, plus what threads hold in advance (at most 64 KiB each, or one
    /// reservation).
    pub in_use: usize,
    /// Bytes that may have physical pages behind them; an upper bound, in steps of 64 KiB.
    pub resident: usize,
    /// Nodes ever made: the most functions that were alive at once, plus what threads hold in advance.
    pub nodes: usize,
    /// How often a thread took the lock because its cache was empty or the request large.
    pub refills: u64,
    /// How often physical pages went back to the system.
    pub trims: u64,
}
