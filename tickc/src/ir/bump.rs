//! A vector whose `push` is a comparison and a store.

use std::ops::{Deref, DerefMut};

/// Items in storage that is reused. What lies behind them in the storage is left as it was, so that emptying costs nothing.
#[derive(Debug)]
pub(crate) struct Bump<T> {
    storage: Vec<T>,
    len: usize,
}

impl<T: Copy + Default> Bump<T> {
    /// No items; there may be at most `limit`.
    pub(crate) const fn new() -> Bump<T> {
        Bump { storage: Vec::new(), len: 0 }
    }

    /// Appends an item; there may be at most `limit`. Whether there was room.
    #[inline(always)]
    pub(crate) fn push(&mut self, item: T, limit: usize) -> bool {
        if self.len >= self.storage.len() && !self.grow(limit) {
            return false;
        }
        // Field by field, from registers: if another function were given the item, it would be put together in memory, and be read
        // from there before the processor can.
        if let Some(place) = self.storage.get_mut(self.len) {
            *place = item;
        }
        self.len += 1;
        true
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, limit: usize) -> bool {
        if self.len >= limit {
            return false;
        }
        let len = (self.len * 2).clamp(256, limit);
        self.storage.reserve_exact(len - self.storage.len());
        self.storage.resize(len, T::default());
        true
    }

    /// The item at `index`; `None` behind the storage. Behind the items, one that was forgotten.
    #[inline(always)]
    pub(crate) fn slot(&mut self, index: usize) -> Option<&mut T> {
        self.storage.get_mut(index)
    }

    /// Forgets all items.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Forgets the items from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// How many items there are.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

/// A clone has no more storage than it needs.
impl<T: Copy> Clone for Bump<T> {
    fn clone(&self) -> Self {
        Bump { storage: self.to_vec(), len: self.len }
    }
}

impl<T> Deref for Bump<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        &self.storage[..self.len]
    }
}

impl<T> DerefMut for Bump<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.storage[..self.len]
    }
}
