//! [`Records`]: the keys of all dispatches by a number that stays the same when an index is replaced by another one.
//!
//! The number of a key in an inner stage is its *symbol*, which is part of the keys of the next stage. Only the classifier itself
//! looks at records; packets are looked up in the indices alone.
//!
//! **Invariants.**
//! - R1. Record 0 is never used.
//! - R2. A freed record is in *limbo* until no reader can look at its slot any more ([`Records::reclaim`]). Until then neither the
//!   record nor the slot is used again.

use super::layout::Key;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    key: Key,
    /// Keys of the next stage that have the symbol.
    uses: u32,
    in_limbo: bool,
}

/// Records that are allocated together, so that none is ever copied to a larger place.
const CHUNK: usize = 128;

/// See the module.
#[derive(Debug)]
pub(crate) struct Records {
    chunks: Vec<Box<[Record]>>,
    /// Records in use or freed lie below.
    top: u32,
    capacity: u32,
    free: Vec<u32>,
    /// Freed, but a reader may still look at their slots.
    limbo: Vec<u32>,
}

impl Records {
    /// At most `capacity` records.
    pub(crate) fn new(capacity: u32) -> Self {
        let chunks = vec![vec![Record::default(); CHUNK].into()];
        Records { chunks, top: 1, capacity, free: Vec::new(), limbo: Vec::new() }
    }

    /// How many can be had at the moment.
    pub(crate) fn available(&self) -> usize {
        self.free.len() + (self.capacity - (self.top - 1)) as usize
    }

    fn record(&self, number: u32) -> &Record {
        &self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }

    fn record_mut(&mut self, number: u32) -> &mut Record {
        &mut self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }

    /// The key of a record.
    pub(crate) fn key(&self, number: u32) -> Key {
        self.record(number).key
    }

    /// Whether the record was freed, and a reader may still look at its slot.
    pub(crate) fn is_in_limbo(&self, number: u32) -> bool {
        self.record(number).in_limbo
    }

    /// A record for a key.
    ///
    /// # Panics
    /// If none is [`available`](Self::available).
    pub(crate) fn alloc(&mut self, key: Key) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            assert!(self.top <= self.capacity, "callers ask what is available");
            if self.top as usize / CHUNK == self.chunks.len() {
                self.chunks.push(vec![Record::default(); CHUNK].into());
            }
            self.top += 1;
            self.top - 1
        });
        *self.record_mut(number) = Record { key, uses: 0, in_limbo: false };
        number
    }

    /// Frees a record whose slot is empty, or is in an index that will be replaced by another.
    pub(crate) fn free(&mut self, number: u32) {
        self.record_mut(number).in_limbo = true;
        self.limbo.push(number);
    }

    /// One more, or one less, key of the next stage uses a symbol; how many do then.
    pub(crate) fn count_uses(&mut self, symbol: u32, change: i32) -> u32 {
        let uses = &mut self.record_mut(symbol).uses;
        *uses = uses.wrapping_add_signed(change);
        *uses
    }

    /// Records in limbo that have not been [taken](Self::take_limbo).
    pub(crate) fn in_limbo(&self) -> usize {
        self.limbo.len()
    }

    /// Takes the records freed so far: the caller hands them back to [`reclaim`](Self::reclaim) when no reader can look at
    /// their slots.
    pub(crate) fn take_limbo(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.limbo)
    }

    /// Records whose slots no reader can look at any more may be used again (R2).
    pub(crate) fn reclaim(&mut self, records: Vec<u32>) {
        for &number in &records {
            self.record_mut(number).in_limbo = false;
        }
        self.free.extend(records);
    }

    /// The same for all records freed so far, where there are no readers.
    pub(crate) fn reclaim_all(&mut self) {
        if !self.limbo.is_empty() {
            let limbo = self.take_limbo();
            self.reclaim(limbo);
        }
    }
}
