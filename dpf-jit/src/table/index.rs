//! [`Index`]: from a key to what it stands for.
//!
//! Open addressing with linear probing over slots of 32 bytes, each within a cache line: a packet that hits its key's first slot
//! reads one line. A slot has the two words of the key, the id of the filter (in an inner stage, the symbol; 0 if there is none),
//! and a word for the filter's rank, the number of its record, and whether some key was *displaced* past this slot: where that is
//! not so, probing ends, whether the slot is used or not. The hash is multiply-shift on both words, with multipliers found when
//! the index is made: of several random pairs the one with the fewest collisions. (Dietzfelbinger et al., "A reliable randomized
//! algorithm for the closest-pair problem", 1997.)
//!
//! An index never grows in place. A larger one is filled a few slots at a time by the insertions that follow
//! ([`super::Table`]), so that no insertion has to wait for all of it.
//!
//! **Invariants.**
//! - X1. A slot's id is written last when a key comes and first when it goes; whoever reads an id other than 0, and then the key,
//!   reads the key of that id or of none: a slot is written again only when no reader can still look at what it held, which is as
//!   long as its record is in limbo.
//! - X2. No key is displaced past the last slot, so that probing ends.
//! - X3. All slots that a key was displaced past say so before the key's own slot is written. They go on saying so when the key
//!   is removed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::layout::Key;
use super::records::Records;
use super::zeroed::Zeroed;
use crate::filter::Rank;
use crate::verdict::INDEX_BITS;

/// The words of a slot.
#[derive(Debug)]
#[repr(C, align(32))]
pub(crate) struct Slot {
    first: AtomicU64,
    id: AtomicU64,
    second: AtomicU64,
    /// [`DISPLACED`], the number of the record, and from [`RANK`] on the rank.
    rest: AtomicU64,
}

/// For compiled code: the distances of a slot's words from its address, and its length.
pub(crate) const FIRST: usize = std::mem::offset_of!(Slot, first);
pub(crate) const ID: usize = std::mem::offset_of!(Slot, id);
pub(crate) const SECOND: usize = std::mem::offset_of!(Slot, second);
pub(crate) const REST: usize = std::mem::offset_of!(Slot, rest);
pub(crate) const SLOT: usize = size_of::<Slot>();

/// Some key was displaced past this slot.
pub(crate) const DISPLACED: u64 = 1;
/// Digits of a slot's last word below the record, and below the rank.
const RECORD: u32 = 1;
pub(crate) const RANK: u32 = RECORD + INDEX_BITS;
/// Slots behind the last that a hash can name, so that probing need not wrap around.
const SLACK: usize = 63;
/// Slots from which on an index that is hardly used is replaced by a smaller one.
const SPARSE: usize = 1024;
/// Fewest slots.
const LEAST: usize = 16;

/// The slots, which compiled code, and so every published program, keeps.
#[derive(Debug)]
pub(crate) struct Slots(Zeroed<Slot>);

impl Slots {
    /// The address of slot 0.
    pub(crate) fn address(&self) -> *const u8 {
        self.0.as_ptr().cast()
    }

    /// Gives back the memory of some slots, which nobody looks at any more; whether there are more behind them.
    pub(crate) fn give_back(&self, slots: std::ops::Range<usize>) -> bool {
        let more = slots.end < self.0.len();
        more && self.0.zero(slots)
    }
}

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) record: u32,
    /// Of the filter, or the symbol; not 0.
    pub(crate) id: u64,
    pub(crate) rank: Rank,
}

impl Slot {
    fn key(&self) -> Key {
        [self.first.load(Ordering::Relaxed), self.second.load(Ordering::Relaxed)]
    }

    fn record(&self) -> u32 {
        (self.rest.load(Ordering::Relaxed) >> RECORD) as u32 & ((1 << INDEX_BITS) - 1)
    }

    /// What is in it, if anything is.
    fn found(&self) -> Option<Found> {
        let id = self.id.load(Ordering::Relaxed);
        (id != 0).then(|| Found { record: self.record(), id, rank: self.rest.load(Ordering::Relaxed) >> RANK })
    }

    fn is_passed(&self) -> bool {
        self.rest.load(Ordering::Relaxed) & DISPLACED != 0
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
    /// The slot in which a key would be, were all others empty.
    fn slot(self, key: Key) -> usize {
        let [first, second] = self.multipliers;
        (key[0].wrapping_mul(first).wrapping_add(key[1].wrapping_mul(second)) >> self.shift) as usize
    }

    fn random(slots: usize, seed: &mut u64) -> Hash {
        Hash { multipliers: [random(seed) | 1, random(seed) | 1], shift: 64 - slots.ilog2() }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    slots: Arc<Slots>,
    hash: Hash,
    /// Slots with a key.
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
        Index { slots: Arc::new(Slots(Zeroed::new(slots + SLACK + 1))), hash: Hash::random(slots, seed), live: 0 }
    }

    /// An index of `keys`, with multipliers chosen among `tries` pairs.
    pub(crate) fn with_keys(keys: &[(Key, Found)], records: &Records, tries: usize, seed: &mut u64) -> Index {
        let mut index = Index::new(keys.len() * 2 + 1, seed);
        let collisions = |hash: Hash| {
            let mut taken = vec![0u64; index.capacity().div_ceil(64)];
            keys.iter()
                .filter(|(key, _)| {
                    let slot = hash.slot(*key);
                    let (word, bit) = (&mut taken[slot / 64], 1 << (slot % 64));
                    let was = *word & bit != 0;
                    *word |= bit;
                    was
                })
                .count()
        };
        let hashes: Vec<Hash> = (0..tries.max(1)).map(|_| Hash::random(index.capacity(), seed)).collect();
        if let Some(best) = hashes.into_iter().min_by_key(|hash| collisions(*hash)) {
            index.hash = best;
        }
        match keys.iter().try_for_each(|(key, found)| index.insert(records, *key, *found).map(|_| ())) {
            Ok(()) => index,
            // Practically impossible, and cured by other multipliers.
            Err(Crowded) => Index::with_keys(keys, records, tries, seed),
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

    /// What a key stands for.
    pub(crate) fn find(&self, key: Key) -> Option<Found> {
        self.locate(key).and_then(|slot| self.slots.0[slot].found())
    }

    /// The slot of a key.
    fn locate(&self, key: Key) -> Option<usize> {
        let mut at = self.hash.slot(key);
        loop {
            let slot = &self.slots.0[at];
            if slot.id.load(Ordering::Relaxed) != 0 && slot.key() == key {
                return Some(at);
            }
            if !slot.is_passed() {
                return None;
            }
            at += 1;
        }
    }

    /// Puts in a key that is not there; the slot it got.
    pub(crate) fn insert(&mut self, records: &Records, key: Key, found: Found) -> Result<usize, Crowded> {
        let home = self.hash.slot(key);
        let is_free = |slot: &Slot| slot.id.load(Ordering::Relaxed) == 0 && !records.is_in_limbo(slot.record());
        let at = home + self.slots.0[home..].iter().position(is_free).ok_or(Crowded)?;
        for passed in &self.slots.0[home..at] {
            passed.rest.fetch_or(DISPLACED, Ordering::Release);
        }
        let slot = &self.slots.0[at];
        let displaced = slot.rest.load(Ordering::Relaxed) & DISPLACED;
        slot.first.store(key[0], Ordering::Relaxed);
        slot.second.store(key[1], Ordering::Relaxed);
        slot.rest.store(found.rank << RANK | u64::from(found.record) << RECORD | displaced, Ordering::Relaxed);
        // Publishes the rest (X1, X3).
        slot.id.store(found.id, Ordering::Release);
        self.live += 1;
        Ok(at)
    }

    /// Takes out a key that is there; the slot it had.
    pub(crate) fn remove(&mut self, key: Key) -> usize {
        let slot = self.locate(key).expect("the caller has found the key");
        self.slots.0[slot].id.store(0, Ordering::Release);
        self.live -= 1;
        slot
    }

    /// The keys in a range of slots.
    pub(crate) fn keys(&self, slots: std::ops::Range<usize>) -> impl Iterator<Item = (Key, Found)> {
        self.slots.0[slots].iter().filter_map(|slot| Some((slot.key(), slot.found()?)))
    }

    /// All slots.
    pub(crate) fn all(&self) -> std::ops::Range<usize> {
        0..self.slots.0.len()
    }
}

/// The next of a sequence of random numbers: splitmix64 (Steele, Lea & Flood, OOPSLA 2014).
pub(crate) fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*seed ^ *seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
