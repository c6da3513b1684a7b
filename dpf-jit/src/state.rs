//! [`Recorded`]: what recording filters have left behind for matching ones.
//!
//! A table of fixed size, two entries to a bucket, which is a cache line: a new key comes first and moves the one before it to the
//! second place, unless that has died: the key of a head that has just come is the first, so that its fragments find it without
//! a branch that nobody can predict, and what is forgotten is the oldest. An entry is forgotten after a time to live, too. So memory
//! is bounded whatever packets come. Classifying threads write the table by plain stores: a locked instruction would wait for
//! all stores before it, and these miss the cache.
//!
//! An entry is four words: two of the key, the *check*, and the last second of its life. The check is the sum of the key's hash, and of
//! the site and the channel it was recorded under: `hash + (site << 32 | channel)`.
//!
//! **Invariants.**
//! - S1. An entry counts for a key if both words are the key's, and the check less the key's hash is the site and a channel. If one
//!   thread has written it that is exact. Words of several keys, which threads write at the same time, or one writes while another
//!   reads, are no entry: the check less the hash is the site by chance alone, as the multipliers are secret, with a probability
//!   of 2^-31.
//! - S2. A key moves by being written to its second place before the first is written again, and readers look at the first place
//!   before the second: they do not miss a key that moves.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::filter::{Atom, Field, load};
use crate::table::index::random;
use crate::table::layout::Key;
use crate::table::zeroed::{Zeroed, zeroed_u64};
use crate::verdict::{Datagram, ParkKey};

/// Entries of a bucket.
pub(crate) const WAYS: usize = 2;
/// Words of an entry.
pub(crate) const ENTRY: usize = 4;
/// Seconds until an entry is forgotten: the report's.
pub(crate) const TIME_TO_LIVE: u64 = 10;

/// The digits of a check, less the key's hash, that are its site; below is the channel.
pub(crate) const SITE: u32 = 32;

/// The state of a classifier whose filters record or match what is recorded.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) recorded: Recorded,
    /// What each recording filter does, by the index of its id: channel, and number of the recipe above bit 32.
    actions: Box<[AtomicU64]>,
}

impl State {
    pub(crate) fn new(filters: usize, keys: usize, seed: u64) -> Self {
        State { recorded: Recorded::new(keys, seed), actions: zeroed_u64(filters) }
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
    fn words(&self, packet: &[u8]) -> Option<Key> {
        let offset = self.field.offset as usize;
        match packet.get(offset..offset + 16) {
            Some(bytes) if self.shifts.is_empty() => {
                let word = |half: usize| u64::from_le_bytes(bytes[8 * half..][..8].try_into().expect("eight bytes"));
                Some([word(0) & self.masks[0], word(1) & self.masks[1]])
            }
            _ => self.words_of_key(packet),
        }
    }

    #[cold]
    #[inline(never)]
    fn words_of_key(&self, packet: &[u8]) -> Option<Key> {
        self.key(packet).map(|key| words(key.field, key.value))
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

/// A cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Bucket([Entry; WAYS]);

/// See the module.
#[derive(Debug)]
#[repr(C)]
struct Entry {
    first: AtomicU64,
    second: AtomicU64,
    check: AtomicU64,
    last: AtomicU64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Recorded {
    buckets: Zeroed<Bucket>,
    /// Digits by which a hash is shifted down to the number of its bucket.
    pub(crate) shift: u32,
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
    /// Room for `keys`, rounded up to a power of two.
    pub(crate) fn new(keys: usize, mut seed: u64) -> Self {
        // Two at least, as a shift by all 64 digits is none.
        let buckets = keys.div_ceil(WAYS).next_power_of_two().max(2);
        let shift = 64 - buckets.ilog2();
        Recorded {
            buckets: Zeroed::new(buckets),
            shift,
            multipliers: [random(&mut seed) | 1, random(&mut seed) | 1],
            now: AtomicU64::new(0),
        }
    }

    /// For compiled code: the first word, and the clock.
    pub(crate) fn addresses(&self) -> (*const u64, *const u64) {
        (self.buckets.as_ptr().cast(), (&raw const self.now).cast())
    }

    pub(crate) fn set_time(&self, seconds: u64) {
        self.now.store(seconds, Ordering::Relaxed);
    }

    fn hash(&self, key: Key) -> u64 {
        key[0].wrapping_mul(self.multipliers[0]).wrapping_add(key[1].wrapping_mul(self.multipliers[1]))
    }

    fn bucket(&self, hash: u64) -> &Bucket {
        &self.buckets[(hash >> self.shift) as usize]
    }

    /// The channel under which a key was recorded.
    pub(crate) fn channel(&self, site: u16, key: Key) -> Option<u32> {
        let now = self.now.load(Ordering::Relaxed);
        let hash = self.hash(key);
        self.bucket(hash).0.iter().find_map(|entry| {
            let channel = entry.channel(site, key, hash)?;
            (entry.last.load(Ordering::Acquire) >= now).then_some(channel)
        })
    }

    /// Records a key under a channel.
    ///
    /// Of keys that threads record in one bucket at the same moment some may be lost: their fragments will be parked, and dropped
    /// in time, as those of a datagram whose head is lost.
    #[inline]
    pub(crate) fn record(&self, site: u16, key: Key, channel: u32) {
        let now = self.now.load(Ordering::Relaxed);
        let last = now.saturating_add(TIME_TO_LIVE);
        let hash = self.hash(key);
        let check = hash.wrapping_add(u64::from(site) << SITE | u64::from(channel));
        let bucket = self.bucket(hash);
        let [first, second] = &bucket.0;
        for entry in &bucket.0 {
            if entry.channel(site, key, hash).is_some() {
                // Each by itself is as good as the other: there is no moment in which the key is missing.
                entry.check.store(check, Ordering::Release);
                entry.last.store(last, Ordering::Release);
                return;
            }
        }
        // Chosen by number, as nobody can predict it.
        let moved = &bucket.0[usize::from(first.last.load(Ordering::Relaxed) < now)];
        second.write(moved.key(), moved.check.load(Ordering::Relaxed), moved.last.load(Ordering::Relaxed));
        first.write(key, check, last);
    }
}

impl Entry {
    fn key(&self) -> Key {
        [self.first.load(Ordering::Acquire), self.second.load(Ordering::Acquire)]
    }

    /// The channel, if it is an entry of the key (S1).
    #[inline]
    fn channel(&self, site: u16, key: Key, hash: u64) -> Option<u32> {
        let word = self.check.load(Ordering::Acquire).wrapping_sub(hash);
        (self.key() == key && word >> SITE == u64::from(site)).then_some(word as u32)
    }

    /// The check goes first: from then on it is no entry of the key before.
    #[inline]
    fn write(&self, key: Key, check: u64, last: u64) {
        self.check.store(check, Ordering::Release);
        self.first.store(key[0], Ordering::Release);
        self.second.store(key[1], Ordering::Release);
        self.last.store(last, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// Keys that share the first bucket, whose words do so in any mixture, found by the multipliers' inverses.
    fn of_one_bucket(recorded: &Recorded) -> [Key; 4] {
        // Newton's iteration doubles the digits that are right, three at first.
        let inverse = |m: u64| (0..5).fold(m, |x, _| x.wrapping_mul(2u64.wrapping_sub(m.wrapping_mul(x))));
        let [one, two] = recorded.multipliers.map(inverse);
        [1, 2, 3, 4].map(|n| [one.wrapping_mul(n << 40), two.wrapping_mul(n << 44)])
    }

    #[test]
    fn the_two_youngest_of_a_bucket_are_kept() {
        let recorded = Recorded::new(1000, 1);
        let keys = &of_one_bucket(&recorded)[..3];
        for (channel, key) in (0..).zip(keys) {
            recorded.record(1, *key, channel);
        }
        let channels = || keys.iter().map(|key| recorded.channel(1, *key)).collect::<Vec<_>>();
        assert_eq!(channels(), [None, Some(1), Some(2)]);
        assert!(keys.iter().all(|key| recorded.channel(2, *key).is_none()), "of another site");
        recorded.record(1, keys[1], 7);
        assert_eq!(channels(), [None, Some(7), Some(2)]);
        // The first has died, the second lives longer: that is kept.
        recorded.set_time(5);
        recorded.record(1, keys[1], 1);
        recorded.set_time(TIME_TO_LIVE + 1);
        assert_eq!(channels(), [None, Some(1), None]);
        recorded.record(1, keys[0], 0);
        assert_eq!(channels(), [Some(0), Some(1), None]);
    }

    #[test]
    fn threads_that_share_a_bucket_leave_no_mixture() {
        let recorded = Recorded::new(1000, 2);
        let keys = of_one_bucket(&recorded);
        // What keys that different threads record would be, were their words mixed.
        let mixed = [[keys[0][0], keys[2][1]], [keys[2][0], keys[0][1]]];
        assert!(keys.iter().chain(&mixed).all(|key| recorded.hash(*key) >> recorded.shift == 0));
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for half in keys.chunks(2).zip([0u32, 2]) {
                let (recorded, over) = (&recorded, &over);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        for (channel, key) in (half.1..).zip(half.0) {
                            recorded.record(1, *key, channel);
                        }
                    }
                });
            }
            for _ in 0..100_000 {
                for (own, key) in (0..).zip(&keys) {
                    assert!(recorded.channel(1, *key).is_none_or(|channel| channel == own));
                }
                assert!(mixed.iter().all(|key| recorded.channel(1, *key).is_none()));
            }
            over.store(true, Ordering::Relaxed);
        });
    }
}
