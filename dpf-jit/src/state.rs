//! [`Recorded`]: what recording filters have left behind for matching ones.
//!
//! A table of fixed size, four entries to a bucket: a key that finds its bucket full takes the place of the oldest, and an entry
//! is forgotten after a time to live. So memory is bounded whatever packets come. Classifying threads write it without a lock.
//!
//! An entry is four words: two of the key, the *mark*, and the last second of its life.
//!
//! **Invariant.** S1. The mark is [`BUSY`] while the other words change, and has another sequence number afterwards; who reads the
//! same mark before and after the other words has read them as they belong together.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::filter::{Atom, Field, load};
use crate::table::index::random;
use crate::table::layout::Key;
use crate::table::zeroed::zeroed_u64;
use crate::verdict::{Datagram, ParkKey};

/// Entries of a bucket.
pub(crate) const WAYS: usize = 4;
/// Words of an entry.
pub(crate) const ENTRY: usize = 4;
/// Buckets: 65,536 keys, 2 MiB.
const BUCKETS: usize = 1 << 14;
/// Seconds until an entry is forgotten: the report's.
pub(crate) const TIME_TO_LIVE: u64 = 10;

/// The digits of a mark that are its site; below is its sequence number, and below that the channel.
pub(crate) const SITE: u32 = 48;
const SEQUENCE: u32 = 32;
/// The mark of an entry that is being written: no site's.
const BUSY: u64 = 1;

/// The state of a classifier whose filters record or match what is recorded.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) recorded: Recorded,
    /// What each recording filter does, by the index of its id: channel, and number of the recipe above bit 32.
    actions: Box<[AtomicU64]>,
}

impl State {
    pub(crate) fn new(filters: usize, seed: u64) -> Self {
        State { recorded: Recorded::new(seed), actions: zeroed_u64(filters) }
    }

    pub(crate) fn set_action(&self, index: usize, recipe: usize, channel: u32) {
        self.actions[index].store((recipe as u64) << 32 | u64::from(channel), Ordering::Release);
    }

    /// What the filter of this index records of `packet`.
    pub(crate) fn recorded_key(&self, index: usize, recipes: &[Recipe], packet: &[u8]) -> Option<ParkKey> {
        recipes[(self.actions[index].load(Ordering::Acquire) >> 32) as usize].key(packet).map(Datagram::park_key)
    }

    /// Records what the filter of this index records of `packet`, which it matches.
    pub(crate) fn record(&self, index: usize, recipes: &[Recipe], packet: &[u8]) {
        let action = self.actions[index].load(Ordering::Acquire);
        let recipe = &recipes[(action >> 32) as usize];
        if let Some(key) = recipe.words(packet) {
            self.recorded.record(recipe.site, key, action as u32);
        }
    }
}

/// How a packet's key is found: which atoms move the base, and which bytes count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// The shifts before it.
    pub(crate) shifts: Vec<Atom>,
    pub(crate) field: Field,
    pub(crate) mask: u128,
    /// The mask of the words that compiled code looks up.
    pub(crate) masks: Key,
    /// Number of the pair of field and mask, from 1.
    pub(crate) site: u16,
}

impl Recipe {
    /// The same as the words that compiled code looks up.
    #[inline]
    pub(crate) fn words(&self, packet: &[u8]) -> Option<Key> {
        if !self.shifts.is_empty() {
            return self.key(packet).map(|key| words(key.field, key.value));
        }
        let offset = self.field.offset as usize;
        let mut key = match packet.get(offset..offset + 16) {
            Some(bytes) => {
                let word = |half: usize| u64::from_le_bytes(bytes[8 * half..][..8].try_into().expect("eight bytes"));
                [word(0), word(1)]
            }
            None => return self.key(packet).map(|key| words(key.field, key.value)),
        };
        key[0] &= self.masks[0];
        key[1] &= self.masks[1];
        Some(key)
    }

    /// What is recorded of a packet, or looked up; `None` past its end.
    pub(crate) fn key(&self, packet: &[u8]) -> Option<Datagram> {
        let mut base = 0;
        for atom in &self.shifts {
            if let Atom::Shift { field, mask, left } = *atom {
                base += (load(packet, base + u64::from(field.offset), field.width)? as u64 & u64::from(mask)) << left;
            }
        }
        let Recipe { field, mask, .. } = *self;
        let value = load(packet, base + u64::from(field.offset), field.width)? & mask;
        Some(Datagram { field, mask, value })
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Recorded {
    words: Box<[AtomicU64]>,
    pub(crate) multipliers: [u64; 2],
    /// The second it is now, as the owner says.
    now: AtomicU64,
}

/// A number as the words that loads of its bytes give.
pub(crate) fn words(field: Field, value: u128) -> Key {
    let mut bytes = [0; 16];
    let width = usize::from(field.width);
    bytes[..width].copy_from_slice(&value.to_be_bytes()[16 - width..]);
    let word = |half: usize| u64::from_le_bytes(bytes[8 * half..][..8].try_into().expect("eight bytes"));
    [word(0), word(1)]
}

impl Recorded {
    pub(crate) fn new(mut seed: u64) -> Self {
        let words = zeroed_u64(BUCKETS * WAYS * ENTRY);
        Recorded { words, multipliers: [random(&mut seed) | 1, random(&mut seed) | 1], now: AtomicU64::new(0) }
    }

    /// For compiled code: the first word, and the clock.
    pub(crate) fn addresses(&self) -> (*const u64, *const u64) {
        (self.words.as_ptr().cast(), (&raw const self.now).cast())
    }

    /// Digits by which the product of a key is shifted down.
    pub(crate) const SHIFT: u32 = 64 - BUCKETS.ilog2();

    pub(crate) fn set_time(&self, seconds: u64) {
        self.now.store(seconds, Ordering::Relaxed);
    }

    fn bucket(&self, site: u16, key: Key) -> &[AtomicU64] {
        let product = key[0]
            .wrapping_mul(self.multipliers[0])
            .wrapping_add(key[1].wrapping_add(site.into()).wrapping_mul(self.multipliers[1]));
        let bucket = (product >> Self::SHIFT) as usize;
        &self.words[bucket * WAYS * ENTRY..][..WAYS * ENTRY]
    }

    fn is_of(entry: &[AtomicU64], site: u16, key: Key) -> Option<u64> {
        let mark = entry[2].load(Ordering::Acquire);
        let same = mark >> SITE == site.into()
            && entry[0].load(Ordering::Acquire) == key[0]
            && entry[1].load(Ordering::Acquire) == key[1];
        same.then_some(mark)
    }

    /// The channel under which a key was recorded.
    pub(crate) fn channel(&self, site: u16, key: Key) -> Option<u32> {
        let now = self.now.load(Ordering::Relaxed);
        self.bucket(site, key).chunks_exact(ENTRY).find_map(|entry| {
            let mark = Self::is_of(entry, site, key)?;
            let last = entry[3].load(Ordering::Acquire);
            let whole = entry[2].load(Ordering::Acquire) == mark;
            (whole && last >= now).then_some(mark as u32)
        })
    }

    /// Records a key under a channel.
    pub(crate) fn record(&self, site: u16, key: Key, channel: u32) {
        let last = self.now.load(Ordering::Relaxed).saturating_add(TIME_TO_LIVE);
        let bucket = self.bucket(site, key);
        let mut entries = bucket.chunks_exact(ENTRY);
        match entries.find_map(|entry| Some((entry, Self::is_of(entry, site, key)?))) {
            // Lives longer. Another thread may be putting another key there, of which the same is true: it is as young.
            Some((entry, mark)) if mark as u32 == channel => entry[3].store(last, Ordering::Release),
            Some((entry, _)) => Self::write(entry, site, key, channel, last),
            None => {
                // The one that dies first, without branches, as nobody can predict which it is. An unused one has died in second 0.
                let death = |way: usize| bucket[way * ENTRY + 3].load(Ordering::Relaxed) << WAYS.ilog2() | way as u64;
                let way = (1..WAYS).fold(death(0), |oldest, way| oldest.min(death(way))) as usize % WAYS;
                Self::write(&bucket[way * ENTRY..][..ENTRY], site, key, channel, last);
            }
        }
    }

    fn write(entry: &[AtomicU64], site: u16, key: Key, channel: u32, last: u64) {
        let mark = entry[2].load(Ordering::Relaxed);
        // Whoever makes the mark busy writes the entry (S1). Another thread that is faster has recorded in our place: this
        // datagram's fragments will be parked, and dropped in time, as those of a datagram whose head is lost.
        if mark == BUSY || entry[2].compare_exchange(mark, BUSY, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return;
        }
        entry[3].store(last, Ordering::Release);
        entry[0].store(key[0], Ordering::Release);
        entry[1].store(key[1], Ordering::Release);
        let sequence = (mark >> SEQUENCE).wrapping_add(1) & 0xffff;
        entry[2].store(u64::from(site) << SITE | sequence << SEQUENCE | u64::from(channel), Ordering::Release);
    }
}
