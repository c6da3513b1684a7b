//! Dynamic packet filters: which of ten thousand endpoints does this packet belong to, in a few dozen machine instructions,
//! while filters come and go.
//!
//! ```
//! use dpf_jit::{Classifier, Filter, Verdict};
//!
//! let mut c = Classifier::new()?;
//! // Atoms: offsets from the start of the frame, plus what shifts have added; network byte order.
//! let web = c.insert(
//!     Filter::builder().eq_u16(12, 0x0800).eq_u8(23, 6).shift(14, 0x0f, 2).eq_u16(14 + 2, 80).build()?,
//! )?;
//! // Helpers expand to atoms.
//! let flow = c.insert(
//!     Filter::builder()
//!         .ipv4()
//!         .src_v4([10, 0, 0, 1].into(), 32)
//!         .dst_v4([10, 0, 0, 2].into(), 32)
//!         .tcp()
//!         .src_port(4711)
//!         .dst_port(80)
//!         .build()?,
//! )?;
//!
//! let mut frame = [0; 60];
//! frame[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
//! frame[23] = 6;
//! frame[26..34].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
//! frame[34..38].copy_from_slice(&[0x12, 0x67, 0, 80]);
//! assert_eq!(c.classify(&frame), Verdict::Match(flow)); // the filter of more atoms
//! c.remove(flow)?;
//! assert_eq!(c.classify(&frame), Verdict::Match(web));
//! # Ok::<(), dpf_jit::Error>(())
//! ```
//!
//! This is the exokernel's packet filter (Engler & Kaashoek, "DPF: Fast, flexible message demultiplexing using dynamic code
//! generation", SIGCOMM 1996) for Rust, on [`tickc`]. Filters are merged into a trie, which is compiled to machine code;
//! filters that differ only in values become entries of a table that the code looks up by one wide key, so that installing
//! the ten-thousandth flow is a few stores.
//!
//! - [`Classifier`]: one owner, who changes it and classifies.
//! - [`SharedClassifier`]: many threads classify, without a lock, while others change it.
//! - [`FragmentServer`]: keeps IP fragments until the head of their datagram has come.
//! - [`Naive`]: a list of filters, the oracle that the rest is tested against.
//!
//! Of several filters that match a packet the one of the highest [priority](FilterBuilder::priority) is the verdict, then the
//! one of most atoms, then the oldest. Packets are hostile: any content and length is classified within its bounds.
//!
//! The command `dpf` classifies captures, shows the trie and the code, and measures (`dpf bench`).

mod classifier;
mod code;
mod error;
mod filter;
mod fragments;
mod naive;
mod shared;
mod state;
mod table;
mod trie;
mod verdict;

pub use classifier::{
    Classifier, ClassifierBuilder, DEFAULT_CAPACITY, DEFAULT_RECORDED, DEFAULT_SECTION, MAX_CAPACITY,
};
pub use error::{Error, FilterError};
pub use filter::{Atom, Field, Filter, FilterBuilder, MAX_ATOMS, MAX_OFFSET, MAX_SHIFTS};
pub use fragments::{Classify, FragmentServer, Limits};
pub use naive::Naive;
pub use shared::{Reader, SharedClassifier};
pub use verdict::{FilterId, ParkKey, Verdict};
