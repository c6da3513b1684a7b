//! The trie: all filters, merged.
//!
//! ```text
//!  filter ──shape──► group (filters that differ in values only)
//!                      │ values shared by all           │ values that differ
//!                      ▼                                ▼
//!                    tree: shared prefixes, dispatch   table: key of up to 16 bytes ──► record ──► id
//! ```
//!
//! - [`tree`]: the constant parts of groups with their common beginnings merged; one for each section of some groups.
//! - [`group`]: the filters at a leaf of it.
//! - [`set`]: inserting and removing, which keeps the two in step.
//! - [`interpret`]: what the trie says of a packet.
//!
//! Engler & Kaashoek, "DPF: Fast, flexible message demultiplexing using dynamic code generation", SIGCOMM 1996, sections 3 and 4;
//! groups are the tuples of Srinivasan, Suri & Varghese, "Packet classification using tuple space search", SIGCOMM 1999.

mod dump;
pub(crate) mod group;
pub(crate) mod interpret;
pub(crate) mod set;
pub(crate) mod tree;

pub(crate) use set::FilterSet;
