//! Memory that the system has zeroed, and that costs nothing until it is touched.
#![allow(unsafe_code, reason = "all zeros is a valid value of atomic integers; a view of mapped memory")]

use std::marker::PhantomData;
use std::ops::{Deref, Range};
use std::sync::atomic::AtomicU64;

use memmap2::{MmapMut, MmapRaw, UncheckedAdvice};

use super::index::Slot;
use crate::state::Bucket;

/// Bytes from which on a mapping of their own is cheaper than the heap, which clears what it hands out.
const MAPPED: usize = 1 << 14;

/// Types of which all zeros is a value that may be shared: atomic integers, and what is made of them.
///
/// # Safety
/// All zeros is a valid value, the type is aligned to at most a page, and it may be changed through shared references only.
pub(crate) unsafe trait Zeroable {}
// SAFETY: atomic integers.
unsafe impl Zeroable for Slot {}
// SAFETY: atomic integers.
unsafe impl Zeroable for Bucket {}

/// A fixed number of values, zero at first.
#[derive(Debug)]
pub(crate) enum Zeroed<T> {
    Heap(Box<[T]>),
    Mapped(MmapRaw, PhantomData<Box<[T]>>),
}

impl<T: Zeroable> Zeroed<T> {
    pub(crate) fn new(len: usize) -> Self {
        let bytes = len * size_of::<T>();
        if bytes >= MAPPED
            && let Ok(map) = MmapMut::map_anon(bytes)
        {
            return Zeroed::Mapped(map.into(), PhantomData);
        }
        // SAFETY: all zeros is valid (`Zeroable`).
        Zeroed::Heap(unsafe { Box::new_zeroed_slice(len).assume_init() })
    }
}

impl<T: Zeroable> Zeroed<T> {
    /// Makes a range of values zero again and gives back the whole pages that they take, if there are any to be given back.
    pub(crate) fn zero(&self, range: Range<usize>) -> bool {
        let Zeroed::Mapped(map, _) = self else { return false };
        let (from, len) = (range.start * size_of::<T>(), range.len() * size_of::<T>());
        // SAFETY: what private anonymous pages hold after this is zeros, which `Zeroable` allows any time.
        unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, from, len) }.is_ok()
    }
}

impl<T: Zeroable> Deref for Zeroed<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Zeroed::Heap(values) => values,
            // SAFETY: the map is page-aligned, readable and writable while `self` lives, was all zeros, and is only accessed as
            // `Zeroable` allows.
            Zeroed::Mapped(map, _) => unsafe {
                std::slice::from_raw_parts(map.as_ptr().cast(), map.len() / size_of::<T>())
            },
        }
    }
}

/// `len` zeros.
pub(crate) fn zeroed_u64(len: usize) -> Box<[AtomicU64]> {
    // SAFETY: all zeros is a valid `AtomicU64`.
    unsafe { Box::new_zeroed_slice(len).assume_init() }
}
