//! Which chunks of the region may have physical pages behind them: one bit for 64 KiB.
//!
//! Invariant: every byte in use lies in a chunk whose bit is set.

#![forbid(unsafe_code)]

use super::free_list::Span;

/// Bytes to a bit; also what a thread takes in advance, at most.
pub(super) const CHUNK: u32 = 64 << 10;

pub(super) struct Resident {
    words: Vec<u64>,
    /// Number of bits set.
    count: u32,
}

impl Resident {
    pub(super) fn new(region_len: u32) -> Resident {
        Resident { words: vec![0; (region_len / CHUNK).div_ceil(64) as usize], count: 0 }
    }

    pub(super) fn bytes(&self) -> u32 {
        self.count * CHUNK
    }

    /// The first run of chunks touching `span` that have no pages yet, as a range of whole chunks.
    pub(super) fn first_absent(&self, span: Span) -> Option<Span> {
        let (first, end) = (span.start / CHUNK, (span.start + span.len).div_ceil(CHUNK));
        self.run(first, end, false)
    }

    /// The first run of chunks wholly inside `span` that may have pages.
    pub(super) fn first_present_inside(&self, span: Span) -> Option<Span> {
        let (first, end) = (span.start.div_ceil(CHUNK), (span.start + span.len) / CHUNK);
        self.run(first, end, true)
    }

    /// Notes that the chunks of `run` have pages, or have none.
    pub(super) fn set(&mut self, run: Span, present: bool) {
        for chunk in run.start / CHUNK..(run.start + run.len) / CHUNK {
            if self.get(chunk) != present {
                self.words[chunk as usize / 64] ^= 1 << (chunk % 64);
                self.count = if present { self.count + 1 } else { self.count - 1 };
            }
        }
    }

    fn run(&self, first: u32, end: u32, present: bool) -> Option<Span> {
        let start = (first..end).find(|&chunk| self.get(chunk) == present)?;
        let stop = (start..end).find(|&chunk| self.get(chunk) != present).unwrap_or(end);
        Some(Span { start: start * CHUNK, len: (stop - start) * CHUNK })
    }

    fn get(&self, chunk: u32) -> bool {
        self.words[chunk as usize / 64] >> (chunk % 64) & 1 != 0
    }
}
