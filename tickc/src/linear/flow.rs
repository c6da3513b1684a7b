//! The loops of a function, and how they lie in each other.

use crate::ir::shape::{Life, Shape, position};
use crate::ir::{Op, Record};

/// A loop and the one around it.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Index of the label at the top, and of the last jump to it.
    top: u32,
    end: u32,
    /// Index of the smallest loop around it, or [`NONE`].
    parent: u32,
}

const NONE: u32 = u32::MAX;

/// The loops of one function.
#[derive(Default)]
pub(super) struct Flow {
    /// In order of their ends.
    loops: Vec<Node>,
    /// With labels of the user's: the number of the basic block of each record, and the one region that all loops are taken for.
    blocks: Vec<u32>,
    region: Option<(u32, u32)>,
}

impl Flow {
    /// Finds the loops.
    #[inline]
    pub(super) fn find(&mut self, records: &[Record], shape: &mut Shape) {
        self.loops.clear();
        self.region = None;
        if !shape.loops.is_empty() {
            self.nest(records, shape);
        }
    }

    fn nest(&mut self, records: &[Record], shape: &mut Shape) {
        if shape.has_labels {
            return self.find_region(records, shape);
        }
        // One loop for each top; `continue` makes more than one jump.
        shape.loops.sort_unstable_by_key(|l| (l.top, l.end));
        for l in &shape.loops {
            match self.loops.last_mut() {
                Some(last) if last.top == l.top => last.end = l.end,
                _ => self.loops.push(Node { top: l.top, end: l.end, parent: NONE }),
            }
        }
        self.loops.sort_unstable_by_key(|l| l.end);
        // The parent of a loop is the next one, in order of their ends, that begins before it.
        for i in (0..self.loops.len()).rev() {
            let mut parent = i as u32 + 1;
            while let Some(outer) = self.loops.get(parent as usize) {
                if outer.top <= self.loops[i].top {
                    break;
                }
                parent = outer.parent;
            }
            self.loops[i].parent = if (parent as usize) < self.loops.len() { parent } else { NONE };
        }
    }

    fn find_region(&mut self, records: &[Record], shape: &Shape) {
        let top = shape.loops.iter().map(|l| l.top).min().unwrap_or(0);
        let end = shape.loops.iter().map(|l| l.end).max().unwrap_or(0);
        self.region = Some((top, end));
        self.blocks.clear();
        let mut block = 0;
        for record in records {
            block += u32::from(record.op == Op::Label);
            self.blocks.push(block);
            let branches = matches!(record.op, Op::Branch | Op::BranchImm | Op::Switch);
            block += u32::from(branches || record.op.terminates());
        }
    }

    /// Whether there is no loop.
    #[inline(always)]
    pub(super) fn is_straight(&self) -> bool {
        self.loops.is_empty() && self.region.is_none()
    }

    /// Whether intervals may begin before their registers are born, so that they are not in order.
    #[inline]
    pub(super) fn is_region(&self) -> bool {
        self.region.is_some()
    }

    /// First and last position of a life that begins at the record `start` (`None`: on entry).
    #[inline(always)]
    pub(super) fn extent(&self, life: Life, on_entry: bool) -> (u32, u32) {
        let (start, end) = (if on_entry { 0 } else { position(life.start()) }, life.end());
        if self.is_straight() {
            return (start, end);
        }
        self.extended(if on_entry { 0 } else { life.start() }, start, end, on_entry)
    }

    #[inline(never)]
    fn extended(&self, first: u32, start: u32, end: u32, on_entry: bool) -> (u32, u32) {
        // The record of the last read.
        let last = end / 2 - 1;
        if let Some((top, bottom)) = self.region {
            let is_local = !on_entry && self.blocks[first as usize] == self.blocks[last as usize];
            if is_local || last < top || first > bottom {
                return (start, end);
            }
            return (start.min(position(top)), end.max(position(bottom) + 1));
        }
        let mut end = end;
        let mut next = self.loops.partition_point(|l| l.end < last);
        while let Some(l) = self.loops.get(next) {
            if l.top <= last || end > position(last) + 1 {
                // A loop that holds the last read: the value is carried around it if it comes from outside.
                if first > l.top && !on_entry {
                    break;
                }
                end = end.max(position(l.end) + 1);
            }
            next = l.parent as usize;
        }
        (start, end)
    }

    /// An extent that is that of all outermost loops which it overlaps.
    pub(super) fn coarse(&self, start: u32, end: u32) -> (u32, u32) {
        let outermost = self.loops.iter().filter(|l| l.parent == NONE).map(|l| (position(l.top), position(l.end) + 1));
        let overlapping = outermost.filter(|&(top, bottom)| start < bottom && top < end);
        overlapping.fold((start, end), |(start, end), (top, bottom)| (start.min(top), end.max(bottom)))
    }

    /// How deep records lie in loops.
    pub(super) fn depths(&self) -> Depths<'_> {
        Depths { flow: self, next: 0 }
    }
}

/// Walks along the loops as records do.
pub(super) struct Depths<'a> {
    flow: &'a Flow,
    /// The first loop that has not ended.
    next: usize,
}

impl Depths<'_> {
    /// How many loops are around a record; the records must ascend.
    pub(super) fn at(&mut self, record: u32) -> u32 {
        let loops = &self.flow.loops;
        while loops.get(self.next).is_some_and(|l| l.end < record) {
            self.next += 1;
        }
        let (mut depth, mut next) = (0, self.next);
        while let Some(l) = loops.get(next) {
            depth += u32::from(l.top <= record);
            next = l.parent as usize;
        }
        depth
    }
}
