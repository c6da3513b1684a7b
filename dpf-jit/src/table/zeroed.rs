//! Memory that the system has zeroed, and that costs nothing until it is touched.
#![allow(unsafe_code, reason = "all zeros is a valid value of an atomic integer; a view of mapped memory")]

use std::ops::Deref;
use std::sync::atomic::{AtomicU32, AtomicU64};

use memmap2::{MmapMut, MmapRaw};

/// Integers from which on a mapping of their own is cheaper than the heap, which clears what it hands out.
const MAPPED: usize = 4096;

/// `len` atomic integers, zero at first.
#[derive(Debug)]
pub(crate) enum ZeroedU32 {
    Heap(Box<[AtomicU32]>),
    Mapped(MmapRaw),
}

impl ZeroedU32 {
    pub(crate) fn new(len: usize) -> Self {
        if len >= MAPPED
            && let Ok(map) = MmapMut::map_anon(len * 4)
        {
            return ZeroedU32::Mapped(map.into());
        }
        // SAFETY: all zeros is a valid `AtomicU32`.
        ZeroedU32::Heap(unsafe { Box::new_zeroed_slice(len).assume_init() })
    }
}

impl Deref for ZeroedU32 {
    type Target = [AtomicU32];

    #[inline]
    fn deref(&self) -> &[AtomicU32] {
        match self {
            ZeroedU32::Heap(slots) => slots,
            // SAFETY: the map is page-aligned, readable and writable while `self` lives, and accessed as atomics only.
            ZeroedU32::Mapped(map) => unsafe { std::slice::from_raw_parts(map.as_ptr().cast(), map.len() / 4) },
        }
    }
}

/// `len` zeros.
pub(crate) fn zeroed_u64(len: usize) -> Box<[AtomicU64]> {
    // SAFETY: all zeros is a valid `AtomicU64`.
    unsafe { Box::new_zeroed_slice(len).assume_init() }
}
