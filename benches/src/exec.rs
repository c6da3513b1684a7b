//! Executable memory: one anonymous file mapped twice, and the bump buffer that
//! generators write through.
//!
//! ```text
//!   rw view   │ f1 │ f2 │ f3 ▒▒▒▒│          │    Buf writes at ▒, unchecked
//!   rx view   │ f1 │ f2 │ f3     │          │    Entry points here
//!                        ▲ cursor
//! ```
//!
//! **Invariants.**
//! 1. No mapping is ever writable and executable.
//! 2. A [`Buf`] is handed out only with room for all that its generator will write, so
//!    that no store checks the bounds. (Debug builds check each.)
//! 3. An [`Entry`] is valid until the next [`Region::reset`].
//!
//! Cost: no system call and no copy between the first store and the callable pointer.
#![allow(unsafe_code, reason = "maps executable memory and writes machine code into it")]

use std::cell::Cell;
use std::ffi::c_void;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use dynasmrt::{AssemblyOffset, DynasmApi};
use memmap2::{MmapMut, MmapOptions};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Functions start at a multiple of this many bytes.
const ALIGNMENT: usize = 16;

/// Bytes that one emitting function may write beyond what it keeps.
pub const SLACK: usize = 16;

/// A region of memory in a writable and an executable view.
#[derive(Debug)]
pub struct Region {
    /// Start of the writable view.
    write: *mut u8,
    /// Bytes in use from the start of the region; a multiple of `ALIGNMENT`.
    cursor: Cell<usize>,
    rx: View,
    /// Keeps `write` mapped.
    _rw: MmapMut,
}

/// The executable view.
#[derive(Debug)]
struct View {
    at: *mut c_void,
    len: usize,
}

impl View {
    /// Maps `file` where code of `tickc` lies, too, a little below the program: a call from there takes two cycles less than one
    /// to where the system puts mappings.
    fn new(file: &impl AsFd, len: usize) -> io::Result<Self> {
        /// From the program down to all views: farther than the region of `tickc` is long.
        const GAP: usize = 2 << 30;
        static TAKEN: AtomicUsize = AtomicUsize::new(GAP);
        let below = TAKEN.fetch_add(len.next_multiple_of(4096), Ordering::Relaxed);
        let wish = ((&raw const TAKEN).addr() & !4095).saturating_sub(below);
        // SAFETY: without `FIXED` no mapping is replaced. Invariant 1: this view is readable and executable only.
        let at = unsafe {
            let (prot, flags) = (ProtFlags::READ | ProtFlags::EXEC, MapFlags::SHARED);
            mmap(std::ptr::without_provenance_mut(wish), len, prot, flags, file, 0)?
        };
        Ok(View { at, len })
    }

    /// What lies in a part of it.
    fn bytes(&self, start: usize, len: usize) -> &[u8] {
        assert!(start <= self.len && len <= self.len - start, "the part lies inside");
        // SAFETY: the mapping is readable as long as this view lives. A function that is finished is not written to; reports look at
        // its bytes at once, before the region is reset.
        unsafe { std::slice::from_raw_parts(self.at.cast::<u8>().add(start), len) }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: nothing else refers to the mapping.
        unsafe { munmap(self.at, self.len) }.expect("a mapping can be taken away");
    }
}

impl Region {
    /// Maps a region of `bytes`.
    ///
    /// # Errors
    /// If the system refuses the file or one of the two mappings.
    pub fn new(bytes: usize) -> io::Result<Self> {
        let file = rustix::fs::memfd_create("benches-code", rustix::fs::MemfdFlags::CLOEXEC)?;
        rustix::fs::ftruncate(&file, bytes as u64)?;
        // SAFETY: the file is anonymous and private to this function, so nobody truncates
        // or changes it behind the mapping's back.
        let mut rw = unsafe { MmapOptions::new().len(bytes).map_mut(&file)? };
        let rx = View::new(&file, bytes)?;
        Ok(Region { write: rw.as_mut_ptr(), cursor: Cell::new(0), rx, _rw: rw })
    }

    /// Starts a function of at most `most` bytes.
    ///
    /// # Panics
    /// If the region has no room for it.
    #[inline]
    #[must_use]
    pub fn begin(&self, most: usize) -> Buf {
        let start = self.cursor.get();
        assert!(most + SLACK <= self.rx.len - start, "the region is full");
        // SAFETY: `start` is within the mapping, as is `start + most + SLACK` (just checked).
        let at = unsafe { self.write.add(start) };
        Buf {
            at,
            start: at,
            #[cfg(debug_assertions)]
            most,
        }
    }

    /// Ends the function begun in `buf`.
    #[inline]
    pub fn finish(&self, buf: Buf) -> Entry {
        let start = self.cursor.get();
        let len = buf.len();
        self.cursor.set((start + len).next_multiple_of(ALIGNMENT).min(self.rx.len));
        Entry {
            // The cursor is within the mapping, so this is too.
            code: self.rx.at.cast::<u8>().wrapping_add(start),
            len,
        }
    }

    /// Forgets every function: their entries are dead from here on.
    pub fn reset(&self) {
        self.cursor.set(0);
    }

    /// The machine code of a function of this region.
    #[must_use]
    pub fn code(&self, entry: Entry) -> &[u8] {
        let start = entry.code as usize - self.rx.at as usize;
        self.rx.bytes(start, entry.len)
    }

    /// Makes the processor fetch anew what was written through the other view.
    pub fn synchronise(&self) {
        std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
        std::hint::black_box(core::arch::x86_64::__cpuid(0));
    }
}

/// The start of a finished function in the executable view.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Address of its first instruction.
    pub code: *const u8,
    /// Bytes.
    pub len: usize,
}

/// The bump buffer: an unchecked cursor into the writable view (invariant 2).
#[derive(Debug)]
pub struct Buf {
    /// Where the next byte goes; grows up.
    at: *mut u8,
    /// Where the function starts.
    start: *mut u8,
    /// Bytes promised to suffice.
    #[cfg(debug_assertions)]
    most: usize,
}

impl Buf {
    /// Bytes written so far.
    #[inline(always)]
    #[must_use]
    pub fn len(&self) -> usize {
        self.at as usize - self.start as usize
    }

    /// Whether nothing has been written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Stores all bytes of `value` and keeps the first `keep`; the next store overwrites
    /// the rest.
    #[inline(always)]
    pub(crate) fn put<T: Copy>(&mut self, value: T, keep: usize) {
        const { assert!(size_of::<T>() <= SLACK) };
        #[cfg(debug_assertions)]
        assert!(self.len() + keep <= self.most, "invariant 2: the promise was too small");
        // SAFETY: invariant 2: `most + SLACK` bytes from `start` are mapped, fewer than
        // `most` are used, and `value` is no larger than `SLACK`.
        unsafe {
            self.at.cast::<T>().write_unaligned(value);
            self.at = self.at.add(keep);
        }
    }

    /// Overwrites the byte at `offset`, which has been written before.
    #[inline(always)]
    pub(crate) fn patch(&mut self, offset: usize, byte: u8) {
        debug_assert!(offset < self.len());
        // SAFETY: the caller names a byte between `start` and `at`.
        unsafe { self.start.add(offset).write(byte) }
    }
}

impl Extend<u8> for Buf {
    #[inline(always)]
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        for byte in bytes {
            self.put(byte, 1);
        }
    }
}

impl<'a> Extend<&'a u8> for Buf {
    #[inline(always)]
    fn extend<I: IntoIterator<Item = &'a u8>>(&mut self, bytes: I) {
        for byte in bytes {
            self.put(*byte, 1);
        }
    }
}

impl DynasmApi for Buf {
    #[inline(always)]
    fn offset(&self) -> AssemblyOffset {
        AssemblyOffset(self.len())
    }

    #[inline(always)]
    fn push(&mut self, byte: u8) {
        self.put(byte, 1);
    }

    fn align(&mut self, alignment: usize, with: u8) {
        while !self.len().is_multiple_of(alignment) {
            self.put(with, 1);
        }
    }

    #[inline(always)]
    fn push_i32(&mut self, value: i32) {
        self.put(value, 4);
    }

    #[inline(always)]
    fn push_i64(&mut self, value: i64) {
        self.put(value, 8);
    }

    #[inline(always)]
    fn push_u16(&mut self, value: u16) {
        self.put(value, 2);
    }

    #[inline(always)]
    fn push_u32(&mut self, value: u32) {
        self.put(value, 4);
    }

    #[inline(always)]
    fn push_u64(&mut self, value: u64) {
        self.put(value, 8);
    }
}
