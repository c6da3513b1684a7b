//! Memory that the system has zeroed, and that costs nothing until it is touched.
#![allow(unsafe_code, reason = "all zeros is a valid value of an atomic integer")]

use std::sync::atomic::{AtomicU32, AtomicU64};

/// `len` zeros.
pub(crate) fn zeroed_u32(len: usize) -> Box<[AtomicU32]> {
    // SAFETY: all zeros is a valid `AtomicU32`.
    unsafe { Box::new_zeroed_slice(len).assume_init() }
}

/// `len` zeros.
pub(crate) fn zeroed_u64(len: usize) -> Box<[AtomicU64]> {
    // SAFETY: all zeros is a valid `AtomicU64`.
    unsafe { Box::new_zeroed_slice(len).assume_init() }
}
