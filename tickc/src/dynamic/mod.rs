//! Dynamic code whose types are known only at run time.

mod described;

pub use described::Described;
