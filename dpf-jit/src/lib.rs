//! x
pub mod filter;
mod classifier;
mod code;
mod error;
mod naive;
mod state;
mod table;
mod trie;
mod verdict;
pub use classifier::{Classifier, ClassifierBuilder, DEFAULT_CAPACITY, MAX_CAPACITY};
pub use error::{Error, FilterError};
pub use filter::{Atom, Field, Filter, FilterBuilder};
pub use naive::Naive;
pub use verdict::{FilterId, ParkKey, Verdict};
