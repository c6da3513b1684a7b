//! The free ranges of a region: one bit for each granule.
//!
//! Everything from the *frontier* up is free, with no bits set. Ranges below are handed out by a sweep in order of
//! address; past the last one the sweep starts again if enough is free to be worth it (an eighth of what lies below the
//! frontier), else the frontier advances. So code that is freed bit by bit, between functions that stay, is found again
//! without a search by size, and what is in use stays within about an eighth of what is needed. Neighbours join by
//! themselves: a free range is a run of ones.
//!
//! Invariants: a bit is set if and only if its granule is free and below the frontier; the granule just below the
//! frontier is in use.
//!
//! Cost: `insert` and `take` pass 64 granules (4 KiB, with two views) per step; a `take` looks at no more than `LOOKS`
//! words unless it would fail. The bits of a 1 GiB region are 2 MiB of zeroed memory, touched as far as the frontier goes.

#![forbid(unsafe_code)]

use super::resident::CHUNK;

/// Words and runs one `take` looks at before it turns to the frontier.
const LOOKS: usize = 4096;
/// The length from which on a freed range is preferred to the next one of the sweep.
const GOOD: u32 = CHUNK / 4;

/// A free range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) len: u32,
}

/// A few spans, kept in place.
pub(super) struct Spans {
    list: [Span; Spans::CAPACITY],
    count: usize,
}

impl Spans {
    const CAPACITY: usize = 128;

    pub(super) fn new() -> Spans {
        Spans { list: [Span::default(); Spans::CAPACITY], count: 0 }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [Span] {
        &mut self.list[..self.count]
    }

    pub(super) fn pop(&mut self) -> Option<Span> {
        self.count = self.count.checked_sub(1)?;
        Some(self.list[self.count])
    }

    fn is_full(&self) -> bool {
        self.count == Spans::CAPACITY
    }

    fn push(&mut self, span: Span) {
        self.list[self.count] = span;
        self.count += 1;
    }
}

pub(super) struct FreeList {
    /// Bit i: granule i is free.
    words: Vec<u64>,
    /// Log2 of the granule. Positions below are in granules.
    shift: u32,
    /// Number of bits set.
    set: u32,
    frontier: u32,
    /// Length of the region.
    end: u32,
    /// Where the sweep goes on.
    cursor: u32,
}

impl FreeList {
    /// All of `len` bytes free; both arguments in bytes, `granule` a power of two.
    pub(super) fn new(len: u32, granule: u32) -> FreeList {
        let shift = granule.trailing_zeros();
        let end = len >> shift;
        FreeList { words: vec![0; end.div_ceil(64) as usize + 1], shift, set: 0, frontier: 0, end, cursor: 0 }
    }

    /// Free bytes in all.
    pub(super) fn free_bytes(&self) -> u32 {
        (self.set + (self.end - self.frontier)) << self.shift
    }

    /// All free ranges: what is above the frontier, then the others in order.
    pub(super) fn spans(&self) -> impl Iterator<Item = Span> {
        let mut at = 0;
        let below = std::iter::from_fn(move || {
            let (start, stop) = self.next_run(at, u32::MAX, &mut usize::MAX.clone()).ok()?;
            at = stop;
            Some(self.span(start, stop))
        });
        std::iter::once(self.span(self.frontier, self.end)).chain(below)
    }

    /// Takes back a range that was handed out, whole or in part.
    pub(super) fn insert(&mut self, span: Span) {
        if span.len == 0 {
            return;
        }
        let start = span.start >> self.shift;
        let stop = start + (span.len >> self.shift);
        debug_assert!(stop <= self.frontier, "I2: above the frontier nothing is in use");
        if stop == self.frontier {
            // The frontier goes down, past what is free below as well.
            let joined = self.run_start(start);
            self.clear(joined, start);
            self.frontier = joined;
            return;
        }
        self.fill(start, stop);
        if span.len >= GOOD && start < self.cursor {
            // Go back to where there is much, and warm; a sweep over all that is free would keep missing the caches.
            self.cursor = start;
        }
    }

    /// Hands out ranges of at least `need` bytes each, about `want` in all. False: there is none so long.
    pub(super) fn take(&mut self, need: u32, want: u32, out: &mut Spans) -> bool {
        let need = need >> self.shift;
        let want = (want >> self.shift).max(need);
        let mut looks = LOOKS;
        let mut missing = self.sweep(need, want, &mut looks, out);
        if missing > 0 && looks > 0 && !out.is_full() && self.set >= want.max(self.frontier / 8) {
            self.cursor = 0;
            missing = self.sweep(need, missing, &mut looks, out);
        }
        if missing > 0 && !out.is_full() {
            let start = self.frontier;
            self.advance(need, missing.max(need));
            if self.frontier > start {
                out.push(self.span(start, self.frontier));
                return true;
            }
        }
        if missing == want {
            // Nearly full: look everywhere, and be content with one range.
            self.cursor = 0;
            missing = self.sweep(need, need, &mut usize::MAX.clone(), out);
            return missing == 0;
        }
        true
    }

    /// Hands out one range of exactly `len` bytes.
    pub(super) fn take_one(&mut self, len: u32) -> Option<Span> {
        let mut found = Spans::new();
        self.take(len, len, &mut found).then(|| found.pop())?
    }

    /// Takes ranges of `need` granules or more from the cursor on, until it has `missing`; returns what is missing still.
    fn sweep(&mut self, need: u32, mut missing: u32, looks: &mut usize, out: &mut Spans) -> u32 {
        while missing > 0 && !out.is_full() {
            // Of a long range only the head is taken, and only so far it is looked at.
            let enough = missing.max(need);
            let (start, stop) = match self.next_run(self.cursor, enough, looks) {
                Ok(run) => run,
                Err(reached) => {
                    self.cursor = reached;
                    break;
                }
            };
            self.cursor = stop;
            if stop - start >= need {
                self.clear(start, stop);
                out.push(self.span(start, stop));
                missing = missing.saturating_sub(stop - start);
            }
        }
        missing
    }

    /// Moves the frontier up by about `want` granules, at least `need`; not at all if there is no room.
    fn advance(&mut self, need: u32, want: u32) {
        let room = self.end - self.frontier;
        if room < need {
            return;
        }
        let mut len = want.min(room);
        // Stop at the end of a chunk where one is near, so as not to touch the next.
        let past = (self.frontier + len) % (CHUNK >> self.shift);
        if past < len / 2 && len - past >= need {
            len -= past;
        }
        self.frontier += len;
    }

    /// The next run of free granules at or after `from`, cut off at `enough`. `Err`: the place reached without one,
    /// which is the frontier unless `looks` are used up.
    fn next_run(&self, from: u32, enough: u32, looks: &mut usize) -> Result<(u32, u32), u32> {
        let limit = self.frontier.div_ceil(64) as usize;
        let mut word = from as usize / 64;
        if word >= limit {
            return Err(self.frontier);
        }
        let mut bits = self.words[word] & (!0 << (from % 64));
        while bits == 0 {
            word += 1;
            if word >= limit {
                return Err(self.frontier);
            }
            if *looks == 0 {
                return Err(word as u32 * 64);
            }
            *looks -= 1;
            bits = self.words[word];
        }
        let start = word as u32 * 64 + bits.trailing_zeros();
        if *looks == 0 {
            return Err(start);
        }
        *looks -= 1;
        let mut used = !self.words[word] & (!0 << (start % 64));
        // The granule below the frontier is in use, so that a run ends before the words do.
        while used == 0 {
            word += 1;
            if word as u32 * 64 - start >= enough {
                return Ok((start, start + enough));
            }
            used = !self.words[word];
        }
        let stop = word as u32 * 64 + used.trailing_zeros();
        Ok((start, stop.min(start.saturating_add(enough))))
    }

    /// Where the run of free granules that ends before `stop` starts.
    fn run_start(&self, stop: u32) -> u32 {
        let mut start = stop;
        while start > 0 {
            let last = start - 1;
            // The bits of the word up to `last`, moved to the top.
            let free = (self.words[last as usize / 64] << (63 - last % 64)).leading_ones();
            start -= free;
            if free == 0 || !start.is_multiple_of(64) {
                break;
            }
        }
        start
    }

    fn fill(&mut self, start: u32, stop: u32) {
        self.set += stop - start;
        for_each_word(start, stop, |word, mask| {
            debug_assert_eq!(self.words[word] & mask, 0, "I2: a range is freed once");
            self.words[word] |= mask;
        });
    }

    fn clear(&mut self, start: u32, stop: u32) {
        self.set -= stop - start;
        for_each_word(start, stop, |word, mask| {
            debug_assert_eq!(self.words[word] & mask, mask, "I2: a range is handed out once");
            self.words[word] &= !mask;
        });
    }

    fn span(&self, start: u32, stop: u32) -> Span {
        Span { start: start << self.shift, len: (stop - start) << self.shift }
    }
}

/// Calls `each` with every word that bits `start..stop` touch, and the mask of those bits in it.
fn for_each_word(start: u32, stop: u32, mut each: impl FnMut(usize, u64)) {
    let mut at = start;
    while at < stop {
        let next = stop.min((at / 64 + 1) * 64);
        each(at as usize / 64, (!0 >> (64 - (next - at))) << (at % 64));
        at = next;
    }
}
