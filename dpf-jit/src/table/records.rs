//! [`Records`]: the keys of all dispatches, in memory that compiled code reads.
//!
//! A record is four words in two halves: in the *near* half the first word of the key and the id of the filter (or, in an inner
//! stage, the symbol), which is all that a packet needs whose key is one word; in the *far* half the second word of the key and
//! the filter's rank (or how many keys of the next stage use the symbol). The near halves of all records come first, then the
//! far ones, so that caches hold more of what is used. The records of a classifier are one reserved range of addresses, in
//! which a record's address is a constant plus an index; pages are touched as they are needed.
//!
//! **Invariants.**
//! - R1. A record that an index points to is complete: its key and rank were written before the index's slot.
//! - R2. Key and rank do not change until the record is freed, and a freed record is written again only when no reader can
//!   still look at it ([`Records::reclaim`]).
//! - R3. Record 0 is never used: its id stays 0, which means none, and its key is [`NO_KEY`].
#![allow(unsafe_code, reason = "a view of mapped memory as atomics")]

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapMut, MmapOptions, MmapRaw};

use super::layout::Key;

/// The key of record 0.
pub(crate) const NO_KEY: Key = [u64::MAX; 2];

/// Words of half a record.
pub(crate) const WORDS: usize = 2;

/// The mapped memory, which compiled code, and so every published program, keeps.
#[derive(Debug)]
pub(crate) struct Memory {
    map: MmapRaw,
}

impl Memory {
    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the map is page-aligned, readable and writable while `self` lives, zeroed when made, and accessed as atomics
        // only (compiled code reads it with aligned loads of 8 bytes, which are atomic on every machine it runs on).
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast::<AtomicU64>(), self.map.len() / 8) }
    }

    /// The address of the near half of record 0.
    pub(crate) fn address(&self) -> *const u64 {
        self.map.as_ptr().cast()
    }

    /// Words from the near half of a record to its far one.
    pub(crate) fn far(&self) -> usize {
        self.map.len() / 16
    }

    fn near_half(&self, index: u32) -> (&AtomicU64, &AtomicU64) {
        let from = index as usize * WORDS;
        (&self.words()[from], &self.words()[from + 1])
    }

    fn far_half(&self, index: u32) -> (&AtomicU64, &AtomicU64) {
        let from = index as usize * WORDS + self.far();
        (&self.words()[from], &self.words()[from + 1])
    }

    /// The key of a record.
    pub(crate) fn key(&self, index: u32) -> Key {
        [self.near_half(index).0.load(Ordering::Relaxed), self.far_half(index).0.load(Ordering::Relaxed)]
    }

    /// Id or symbol of a record; 0 if it is free.
    pub(crate) fn id(&self, index: u32) -> u64 {
        self.near_half(index).1.load(Ordering::Acquire)
    }

    /// Rank or reference count of a record.
    pub(crate) fn rank(&self, index: u32) -> u64 {
        self.far_half(index).1.load(Ordering::Relaxed)
    }

    fn set_key(&self, index: u32, key: Key) {
        self.near_half(index).0.store(key[0], Ordering::Relaxed);
        self.far_half(index).0.store(key[1], Ordering::Relaxed);
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Records {
    memory: std::sync::Arc<Memory>,
    /// Records in use or freed lie below.
    top: u32,
    capacity: u32,
    free: Vec<u32>,
    /// Freed, but a reader may still look at them.
    limbo: Vec<u32>,
}

impl Records {
    /// Reserves `capacity` records, which cost nothing until they are used.
    pub(crate) fn new(capacity: u32) -> io::Result<Self> {
        let bytes = (capacity as usize + 1) * 2 * WORDS * 8;
        let map: MmapMut = MmapOptions::new().len(bytes).no_reserve_swap().map_anon()?;
        let memory = std::sync::Arc::new(Memory { map: map.into() });
        memory.set_key(0, NO_KEY);
        Ok(Records { memory, top: 1, capacity, free: Vec::new(), limbo: Vec::new() })
    }

    pub(crate) fn memory(&self) -> &std::sync::Arc<Memory> {
        &self.memory
    }

    /// How many can be had at the moment.
    pub(crate) fn available(&self) -> usize {
        self.free.len() + (self.capacity - (self.top - 1)) as usize
    }

    /// Fills a free record. No index points to it yet.
    ///
    /// # Panics
    /// If none is [`available`](Self::available).
    pub(crate) fn alloc(&mut self, key: Key, id: u64, rank: u64) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            assert!(self.top <= self.capacity, "callers ask what is available");
            self.top += 1;
            self.top - 1
        });
        self.memory.set_key(index, key);
        self.memory.far_half(index).1.store(rank, Ordering::Relaxed);
        self.memory.near_half(index).1.store(if id == 0 { index.into() } else { id }, Ordering::Release);
        index
    }

    /// Frees a record of a filter that is taken out, or a symbol that is not used any more.
    pub(crate) fn free(&mut self, index: u32) {
        self.memory.near_half(index).1.store(0, Ordering::Release);
        self.limbo.push(index);
    }

    /// Frees a record of a table that will be replaced by another of the same filters. Until the code for that is published,
    /// readers go on matching it.
    pub(crate) fn retire(&mut self, index: u32) {
        self.limbo.push(index);
    }

    /// One more, or one less, key of the next stage uses a symbol; how many do then.
    pub(crate) fn count_uses(&mut self, symbol: u32, change: i64) -> u64 {
        let uses = self.memory.far_half(symbol).1;
        let now = uses.load(Ordering::Relaxed).wrapping_add_signed(change);
        uses.store(now, Ordering::Relaxed);
        now
    }

    /// Records freed that may not be used again yet.
    pub(crate) fn in_limbo(&self) -> usize {
        self.limbo.len()
    }

    /// Takes the records freed so far: the caller hands them back to [`reclaim`](Self::reclaim) when no reader can look at
    /// them.
    pub(crate) fn take_limbo(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.limbo)
    }

    /// Records that no reader can look at any more may be used again (invariant R2).
    pub(crate) fn reclaim(&mut self, records: Vec<u32>) {
        self.free.extend(records);
    }

    /// The same for all records freed so far, where there are no readers.
    pub(crate) fn reclaim_all(&mut self) {
        self.free.append(&mut self.limbo);
    }
}
