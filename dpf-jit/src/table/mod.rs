//! Dispatch as data: keys to records, in memory that compiled code reads and the classifier changes in place.
//!
//! - [`layout`]: which bytes of a packet make up a key.
//! - [`records`]: keys by number.
//! - [`index`]: from a key to what it stands for.
//! - [`Table`]: an index that is replaced by a larger or smaller one little by little.

pub(crate) mod index;
pub(crate) mod layout;
pub(crate) mod records;
pub(crate) mod zeroed;

use std::sync::Arc;

use index::{Found, Index};
use layout::Key;
use records::Records;

/// Slots of the old index that each change carries over to a larger one: few, as each key lands in another page of it, which
/// the system then has to provide.
const STRIDE: usize = 16;
/// Slots whose memory each change gives back.
const GIVEN_BACK: usize = 1024;
/// Keys that are hashed at most to find multipliers for a table of few keys, and pairs that are tried at most.
const HASHED: usize = 512;
const TRIES: usize = 32;
/// Keys up to which several multipliers are tried.
const FEW: usize = 128;

/// An index, and perhaps the one that will replace it.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    index: Index,
    next: Option<Box<Next>>,
    /// The index that was replaced, of whose slots those from the number on still take memory. Code that looks there may be in use for
    /// longer, if the code for this one cannot be compiled.
    old: Option<(Index, usize)>,
}

/// An index of another size that is being filled: it holds what the slots below `cursor` of the old one hold.
#[derive(Clone, Debug)]
struct Next {
    index: Index,
    cursor: usize,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(seed: &mut u64) -> Table {
        Table { index: Index::new(1, seed), next: None, old: None }
    }

    /// The index that packets are looked up in.
    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// Number of keys.
    pub(crate) fn len(&self) -> usize {
        self.index.live()
    }

    /// What a key stands for.
    pub(crate) fn find(&self, key: Key) -> Option<Found> {
        self.index.find(key)
    }

    /// What all keys stand for.
    pub(crate) fn all(&self) -> impl Iterator<Item = Found> {
        self.index.keys(self.index.all()).map(|(_, found)| found)
    }

    /// Puts in a key that is not there. Whether the index is another one now, of which compiled code does not know.
    ///
    /// Cost: constant, but for tables of up to [`FEW`] keys and in the improbable case that probing has no end.
    pub(crate) fn insert(&mut self, records: &Records, key: Key, found: Found, seed: &mut u64) -> bool {
        let Ok(slot) = self.index.insert(records, key, found) else {
            self.rebuild(records, Some((key, found)), seed);
            return true;
        };
        if let Some(next) = &mut self.next {
            if slot < next.cursor && next.index.insert(records, key, found).is_err() {
                self.rebuild(records, None, seed);
                return true;
            }
        } else if self.index.is_full() {
            if self.index.live() <= FEW {
                self.rebuild(records, None, seed);
                return true;
            }
            self.next = Some(Box::new(Next { index: Index::new(self.index.capacity() / 2, seed), cursor: 0 }));
        }
        self.carry_over(records)
    }

    /// Takes out a key that is there. Whether the index is another one now.
    pub(crate) fn remove(&mut self, records: &Records, key: Key, seed: &mut u64) -> bool {
        if let Some((old, _)) = &mut self.old
            && Arc::strong_count(old.slots()) > 1
            && old.find(key).is_some()
        {
            old.remove(key);
        }
        let slot = self.index.remove(key);
        match &mut self.next {
            Some(next) if slot < next.cursor => {
                next.index.remove(key);
            }
            Some(_) => {}
            None if self.index.is_sparse() => {
                let keys = self.index.capacity() * 3 / 32;
                self.next = Some(Box::new(Next { index: Index::new(keys, seed), cursor: 0 }));
            }
            None => {}
        }
        self.carry_over(records)
    }

    /// Gives back some of the memory of slots that were replaced, once no program has them: all at once takes too long.
    fn give_back(&mut self) {
        let Some((old, from)) = &mut self.old else { return };
        if Arc::strong_count(old.slots()) == 1 {
            *from += GIVEN_BACK;
            if !old.slots().give_back(*from - GIVEN_BACK..*from) {
                self.old = None;
            }
        }
    }

    /// Goes on with a replacement; whether it is complete.
    fn carry_over(&mut self, records: &Records) -> bool {
        self.give_back();
        let Some(next) = &mut self.next else { return false };
        let all = self.index.all();
        let shrinks = next.index.capacity() < self.index.capacity();
        let end = (next.cursor + if shrinks { 4 * STRIDE } else { STRIDE }).min(all.end);
        for (key, found) in self.index.keys(next.cursor..end) {
            if next.index.insert(records, key, found).is_err() {
                // Begun again, with other multipliers, when the next insertion finds the index full.
                self.next = None;
                return false;
            }
        }
        next.cursor = end;
        if end < all.end {
            return false;
        }
        let done = self.next.take().expect("it was there above");
        self.replace(done.index);
        true
    }

    /// Replaces the index at once.
    fn rebuild(&mut self, records: &Records, more: Option<(Key, Found)>, seed: &mut u64) {
        let keys: Vec<_> = self.index.keys(self.index.all()).chain(more).collect();
        self.next = None;
        self.replace(Index::with_keys(&keys, records, (HASHED / keys.len().max(1)).clamp(1, TRIES), seed));
    }

    fn replace(&mut self, index: Index) {
        self.old = Some((std::mem::replace(&mut self.index, index), 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an insertion that is taken back leaves in the index which code still reads: nothing.
    #[test]
    fn a_key_that_goes_leaves_the_index_before_too() {
        let (mut records, mut seed) = (Records::new(10_000), 1);
        let mut table = Table::new(&mut seed);
        let mut replaced = 0;
        for n in 1..5_000 {
            let key = [n, 0];
            // As a program has them.
            let slots = table.index().slots().clone();
            let found = Found { record: records.alloc(key), id: n, rank: 0 };
            if table.insert(&records, key, found, &mut seed) {
                replaced += 1;
                let in_old = |table: &Table| table.old.as_ref().and_then(|(old, _)| old.find(key));
                assert!(Arc::ptr_eq(&slots, table.old.as_ref().unwrap().0.slots()));
                let _ = table.remove(&records, key, &mut seed);
                assert_eq!((table.find(key), in_old(&table)), (None, None), "key {n}");
                let _ = table.insert(&records, key, found, &mut seed);
            }
            drop(slots);
            assert_eq!(table.find(key), Some(found));
        }
        assert!(replaced > 5, "replaced {replaced} times");
    }
}
