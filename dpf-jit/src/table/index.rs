//! [`Index`]: from a key to its record.
//!
//! Open addressing with linear probing over slots of 32 bits: 24 are the number of a record, 7 a tag from the hash, so that a
//! packet that matches nothing rarely looks at a record, and one says that some key was *displaced* past this slot: where it is
//! clear, probing ends, whether the slot is used or not. The hash is multiply-shift on both words, with
//! multipliers found when the index is made: of several random pairs the one with the fewest collisions. (Dietzfelbinger et
//! al., "A reliable randomized algorithm for the closest-pair problem", 1997.)
//!
//! An index never grows in place. A larger one is filled a few slots at a time by the insertions that follow
//! ([`super::Table`]), so that no insertion has to wait for all of it.
//!
//! **Invariants.**
//! - X1. Slots are written by one store each; whoever reads one sees it before or after.
//! - X2. No key is displaced past the last slot, so that probing ends.
//! - X3. All slots that a key was displaced past say so before the key's own slot is written. They go on saying so when the key
//!   is removed.
//! - X4. An unused slot has tag 0 and record 0, whose key ([`NO_KEY`](super::records::NO_KEY)) has another tag: no key is
//!   found in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::layout::Key;
use super::records::Memory;
use super::zeroed::ZeroedU32;
use crate::verdict::INDEX_BITS;

/// Some key was displaced past this slot.
pub(crate) const DISPLACED: u32 = 1 << 31;
/// The digits of a slot that are the number of its record.
pub(crate) const RECORD: u32 = (1 << INDEX_BITS) - 1;
/// Slots behind the last that a hash can name, so that probing need not wrap around.
const SLACK: usize = 63;
/// Slots from which on an index that is hardly used is replaced by a smaller one.
const SPARSE: usize = 1024;
/// Fewest slots.
const LEAST: usize = 16;

/// The slots, which compiled code, and so every published program, keeps.
#[derive(Debug)]
pub(crate) struct Slots(ZeroedU32);

impl Slots {
    /// The address of slot 0.
    pub(crate) fn address(&self) -> *const u32 {
        self.0.as_ptr().cast()
    }
}

/// The multipliers and how many digits of the product count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hash {
    pub(crate) multipliers: [u64; 2],
    /// Digits that the product is shifted down by.
    pub(crate) shift: u32,
}

impl Hash {
    /// The product: its upper digits are the slot, digits 24 to 30 the tag.
    fn product(self, key: Key) -> u64 {
        key[0].wrapping_mul(self.multipliers[0]).wrapping_add(key[1].wrapping_mul(self.multipliers[1]))
    }

    fn slot(self, product: u64) -> usize {
        (product >> self.shift) as usize
    }
}

fn tag(product: u64) -> u32 {
    product as u32 & !(RECORD | DISPLACED)
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    slots: Arc<Slots>,
    hash: Hash,
    /// Slots with a record.
    live: usize,
}

/// Every place from which the key can be told to be absent has been tried, and the slack is full.
#[derive(Debug)]
pub(crate) struct Crowded;

impl Index {
    /// An empty index with room for `keys`, or somewhat more, before a larger one is begun.
    pub(crate) fn new(keys: usize, seed: &mut u64) -> Index {
        let slots = (keys * 8 / 3).next_power_of_two().max(LEAST);
        // Zeroed by the system, not here: a large one costs nothing until it is used.
        let zeroed = ZeroedU32::new(slots + SLACK + 1);
        Index { slots: Arc::new(Slots(zeroed)), hash: Hash::random(slots, seed), live: 0 }
    }

    /// An index of `keys`, with multipliers chosen among `tries` pairs.
    pub(crate) fn with_keys(keys: &[(Key, u32)], tries: u32, seed: &mut u64) -> Index {
        let mut best: Option<(usize, Index)> = None;
        for _ in 0..tries.max(1) {
            let mut index = Index::new(keys.len() * 2 + 1, seed);
            let distance = |(key, record): &(Key, u32)| Some(index.insert(*key, *record).ok()? - index.home(*key));
            let Some(collisions) = keys.iter().map(distance).sum::<Option<usize>>() else { continue };
            if best.as_ref().is_none_or(|(least, _)| collisions < *least) {
                best = Some((collisions, index));
            }
            if collisions == 0 {
                break;
            }
        }
        match best {
            Some((_, index)) => index,
            // Crowded every time: practically impossible, and cured by other multipliers.
            None => Index::with_keys(keys, tries, seed),
        }
    }

    pub(crate) fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }

    pub(crate) fn hash(&self) -> Hash {
        self.hash
    }

    /// Slots that hashes can name.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.0.len() - SLACK - 1
    }

    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Whether a larger index should be begun: three eighths of the slots are used.
    pub(crate) fn is_full(&self) -> bool {
        self.live * 8 > self.capacity() * 3
    }

    /// Whether a smaller index should be begun: few of many slots are used.
    pub(crate) fn is_sparse(&self) -> bool {
        self.live * 16 < self.capacity() && self.capacity() >= SPARSE
    }

    fn at(&self, slot: usize) -> u32 {
        self.slots.0[slot].load(Ordering::Relaxed)
    }

    /// The record of a key.
    pub(crate) fn find(&self, memory: &Memory, key: Key) -> Option<u32> {
        self.locate(memory, key).map(|(_, record)| record)
    }

    /// Slot and record of a key.
    fn locate(&self, memory: &Memory, key: Key) -> Option<(usize, u32)> {
        let product = self.hash.product(key);
        let mut slot = self.hash.slot(product);
        loop {
            let word = self.at(slot);
            let record = word & RECORD;
            if record != 0 && word & !(RECORD | DISPLACED) == tag(product) && memory.key(record) == key {
                return Some((slot, record));
            }
            if word & DISPLACED == 0 {
                return None;
            }
            slot += 1;
        }
    }

    /// The slot in which a key would be, were all others empty.
    fn home(&self, key: Key) -> usize {
        self.hash.slot(self.hash.product(key))
    }

    /// Puts in a key that is not there; the slot it got.
    pub(crate) fn insert(&mut self, key: Key, record: u32) -> Result<usize, Crowded> {
        let product = self.hash.product(key);
        let home = self.hash.slot(product);
        let used = |slot: &AtomicU32| slot.load(Ordering::Relaxed) & RECORD != 0;
        let slot = home + self.slots.0[home..].iter().position(|slot| !used(slot)).ok_or(Crowded)?;
        for passed in &self.slots.0[home..slot] {
            passed.fetch_or(DISPLACED, Ordering::Release);
        }
        // Publishes the record (invariants R1, X1, X3).
        let displaced = self.at(slot) & DISPLACED;
        self.slots.0[slot].store(displaced | tag(product) | record, Ordering::Release);
        self.live += 1;
        Ok(slot)
    }

    /// Takes out a key that is there; the slot it had.
    pub(crate) fn remove(&mut self, memory: &Memory, key: Key) -> usize {
        let (slot, _) = self.locate(memory, key).expect("the caller has found the key");
        self.slots.0[slot].store(self.at(slot) & DISPLACED, Ordering::Release);
        self.live -= 1;
        slot
    }

    /// The records of a range of slots.
    pub(crate) fn records(&self, slots: std::ops::Range<usize>) -> impl Iterator<Item = u32> {
        self.slots.0[slots].iter().map(|slot| slot.load(Ordering::Relaxed) & RECORD).filter(|&r| r != 0)
    }

    /// All slots.
    pub(crate) fn all(&self) -> std::ops::Range<usize> {
        0..self.slots.0.len()
    }
}

impl Hash {
    fn random(slots: usize, seed: &mut u64) -> Hash {
        loop {
            let multipliers = [random(seed) | 1, random(seed) | 1];
            let hash = Hash { multipliers, shift: 64 - slots.ilog2() };
            // Invariant X4.
            if [0, u64::MAX].iter().all(|&second| tag(hash.product([u64::MAX, second])) != 0) {
                return hash;
            }
        }
    }
}

/// The next of a sequence of random numbers: splitmix64 (Steele, Lea & Flood, OOPSLA 2014).
pub(crate) fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*seed ^ *seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
