//! Where machine code is written before it is published: a bump buffer that `dynasm!` emits into.
//!
//! One check per operation, none per byte: [`Buffer::room`] makes sure that [`SLACK`] bytes are left, and no operation
//! writes more. The buffer is as large as a function may get; the system backs only the pages that are written.

use dynasmrt::{AssemblyOffset, DynasmApi};
use memmap2::{MmapMut, MmapOptions};

use crate::error::Error;

/// Largest function in bytes.
pub(super) const MAX_CODE: usize = 16 << 20;
/// What the longest operation (a call, which saves every register; each argument makes room anew) may write, amply.
const SLACK: usize = 16 << 10;
/// Largest size of a function's jump tables in bytes.
pub(super) const MAX_TABLES: usize = 4 << 20;
/// Where the tables of the function under construction wait, behind all code.
pub(super) const TABLES: u32 = (MAX_CODE + SLACK) as u32;

/// Machine code under construction.
pub(super) struct Buffer {
    memory: MmapMut,
    /// Next byte; grows up. Within `memory` (B1: at most `SLACK` above `limit`).
    cursor: *mut u8,
    /// Where `room` gives up.
    limit: *mut u8,
    /// Whether the function was too long: from then on the code is meaningless.
    overflowed: bool,
}

impl Buffer {
    pub(super) fn new() -> Result<Buffer, Error> {
        let mut memory = MmapOptions::new()
            .len(MAX_CODE + SLACK + MAX_TABLES)
            .map_anon()
            .map_err(|error| Error::OutOfMemory { what: "the code buffer", reason: error.to_string() })?;
        let cursor = memory.as_mut_ptr();
        Ok(Buffer { cursor, limit: cursor.wrapping_add(MAX_CODE), memory, overflowed: false })
    }

    /// Starts anew at an offset.
    #[inline]
    pub(super) fn reset(&mut self, offset: usize) {
        debug_assert!(offset < SLACK);
        self.cursor = self.limit.wrapping_sub(MAX_CODE).wrapping_add(offset);
        self.overflowed = false;
    }

    /// Forgets what was emitted behind `pos`.
    #[inline]
    pub(super) fn truncate(&mut self, pos: u32) {
        debug_assert!(pos <= self.pos());
        self.cursor = self.cursor.wrapping_sub((self.pos() - pos) as usize);
    }

    /// Whether there is room for one operation.
    #[inline(always)]
    pub(super) fn has_room(&self) -> bool {
        self.cursor <= self.limit
    }

    /// Makes room for one operation.
    #[inline(always)]
    pub(super) fn room(&mut self) {
        if self.cursor > self.limit {
            self.overflow();
        }
    }

    #[cold]
    #[inline(never)]
    fn overflow(&mut self) {
        self.reset(0);
        self.overflowed = true;
    }

    #[inline(always)]
    pub(super) fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Bytes written so far, counted from the start of the buffer.
    #[inline(always)]
    pub(super) fn pos(&self) -> u32 {
        (self.cursor.addr() - (self.limit.addr() - MAX_CODE)) as u32
    }

    #[inline(always)]
    pub(super) fn bytes(&self, from: u32) -> &[u8] {
        &self.memory[from as usize..self.pos() as usize]
    }

    /// Writes over bytes that were emitted before.
    #[inline]
    pub(super) fn patch(&mut self, at: u32, bytes: &[u8]) {
        self.memory[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    }

    #[inline(always)]
    pub(super) fn patch_i32(&mut self, at: u32, value: i32) {
        if let Some(bytes) = self.memory[at as usize..].first_chunk_mut() {
            *bytes = value.to_le_bytes();
        }
    }

    #[inline]
    pub(super) fn read_u32(&self, at: u32) -> u32 {
        self.memory[at as usize..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    #[inline(always)]
    fn write<const N: usize>(&mut self, bytes: [u8; N]) {
        debug_assert!(self.pos() as usize + N <= MAX_CODE + SLACK);
        // SAFETY: `room` was called before the operation, which writes at most `SLACK` bytes, so the cursor lies within the
        // mapping (B1).
        unsafe {
            self.cursor.cast::<[u8; N]>().write_unaligned(bytes);
            self.cursor = self.cursor.add(N);
        }
    }

    /// Emits a byte.
    #[inline(always)]
    pub(super) fn byte(&mut self, byte: u8) {
        self.write([byte]);
    }

    /// Emits four bytes.
    #[inline(always)]
    pub(super) fn dword(&mut self, value: i32) {
        self.write(value.to_le_bytes());
    }

    /// Emits the `len` low bytes of `word`, at most eight; the bytes above may be scribbled on.
    #[inline(always)]
    pub(super) fn packed(&mut self, word: u64, len: usize) {
        debug_assert!(len <= 8 && self.pos() as usize + 8 <= MAX_CODE + SLACK);
        // SAFETY: as in `write`.
        unsafe {
            self.cursor.cast::<[u8; 8]>().write_unaligned(word.to_le_bytes());
            self.cursor = self.cursor.add(len);
        }
    }
}

impl Extend<u8> for Buffer {
    fn extend<T: IntoIterator<Item = u8>>(&mut self, iter: T) {
        iter.into_iter().for_each(|byte| self.byte(byte));
    }
}
impl<'a> Extend<&'a u8> for Buffer {
    fn extend<T: IntoIterator<Item = &'a u8>>(&mut self, iter: T) {
        iter.into_iter().for_each(|&byte| self.byte(byte));
    }
}

impl DynasmApi for Buffer {
    #[inline(always)]
    fn offset(&self) -> AssemblyOffset {
        AssemblyOffset(self.pos() as usize)
    }
    #[inline(always)]
    fn push(&mut self, byte: u8) {
        self.byte(byte);
    }
    fn align(&mut self, alignment: usize, with: u8) {
        while !(self.pos() as usize).is_multiple_of(alignment) {
            self.byte(with);
        }
    }
    #[inline(always)]
    fn push_i8(&mut self, value: i8) {
        self.byte(value as u8);
    }
    #[inline(always)]
    fn push_i16(&mut self, value: i16) {
        self.write(value.to_le_bytes());
    }
    #[inline(always)]
    fn push_i32(&mut self, value: i32) {
        self.write(value.to_le_bytes());
    }
    #[inline(always)]
    fn push_i64(&mut self, value: i64) {
        self.write(value.to_le_bytes());
    }
    #[inline(always)]
    fn push_u16(&mut self, value: u16) {
        self.write(value.to_le_bytes());
    }
    #[inline(always)]
    fn push_u32(&mut self, value: u32) {
        self.write(value.to_le_bytes());
    }
    #[inline(always)]
    fn push_u64(&mut self, value: u64) {
        self.write(value.to_le_bytes());
    }
}
