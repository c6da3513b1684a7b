//! x
pub mod filter;
mod classifier;
mod code;
mod error;
mod fragments;
mod naive;
mod shared;
mod state;
mod table;
mod trie;
mod verdict;
pub use classifier::{Classifier, ClassifierBuilder, DEFAULT_CAPACITY, MAX_CAPACITY};
pub use error::{Error, FilterError};
pub use filter::{Atom, Field, Filter, FilterBuilder};
pub use fragments::{Classify, FragmentServer, Limits};
pub use naive::Naive;
pub use shared::{Reader, SharedClassifier};
pub use verdict::{FilterId, ParkKey, Verdict};
