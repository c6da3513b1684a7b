//! Linear scan over whole intervals, and usage counts: one location per vreg for all of its life.
//!
//! Poletto & Sarkar, *Linear Scan Register Allocation* (TOPLAS 21(5), 1999), section 4: intervals `[start, end)` sorted
//! by start; those that have ended give their registers back; if no register is free, of the current interval and the
//! active ones the one that ends last goes to memory. Usage counts (section 6.1, the simplest of the allocators of tcc):
//! vregs by how often they are mentioned, each takes a register if one is left.
//!
//! [`IntervalScan`] is the paper's algorithm on intervals that the client has made itself.

use crate::intervals::{Intervals, NONE};
use crate::matrix::Matrix;
use crate::scan::Pieces;
use crate::{Constraint, Function, Machine, RegClass};
use alloc::vec::Vec;
use core::cmp::Reverse;

/// The life of a value as linear scan sees it: everything between its first and its last mention.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interval {
    /// First position.
    pub start: u32,
    /// The position after the last one.
    pub end: u32,
    /// The registers that it may have, as bits: all, or those that a call in its midst preserves.
    pub allowed: u64,
    /// The register that it would like.
    pub hint: Hint,
}

/// The register that an [`Interval`] would like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hint(u32);

impl Hint {
    /// Any.
    pub const NONE: Hint = Hint(u32::MAX);

    /// The register with the number `register`, which is below 64.
    #[inline]
    pub const fn register(register: u8) -> Hint {
        Hint(register as u32)
    }

    /// The one that the interval with the index `interval` has got, which stands earlier: that of an operand which dies where
    /// this value is born.
    #[inline]
    pub const fn like(interval: u32) -> Hint {
        Hint(interval.saturating_add(64))
    }

    /// The register that it stands for, where `registers` are those of the intervals.
    #[inline]
    pub(crate) fn resolve(self, registers: &[Option<u8>]) -> Option<u8> {
        match self.0 {
            register @ 0..64 => Some(register as u8),
            interval => registers.get((interval - 64) as usize).copied().flatten(),
        }
    }
}

/// Linear scan on ready-made intervals of one class. Keeps its buffers; a few cycles per interval.
///
/// ```
/// use regalloc_linearscan::{Hint, Interval, IntervalScan};
/// let interval = |start, end| Interval { start, end, allowed: 0b11, hint: Hint::NONE };
/// let intervals = [interval(0, 9), interval(1, 3), interval(2, 5), interval(3, 4)];
/// let mut registers = Vec::new();
/// let spilled = IntervalScan::new().run(&intervals, 0b11, &[], &mut registers);
/// // Two registers: the longest of the first three goes to memory.
/// assert_eq!(registers, [None, Some(1), Some(0), Some(1)]);
/// assert_eq!(spilled, 1);
/// ```
#[derive(Debug)]
pub struct IntervalScan {
    /// Per register: the end of the interval that it holds.
    ends: [u32; 64],
    /// Per register: the index of that interval.
    holders: [u32; 64],
    /// Registers that hold an interval, or did until a short time ago.
    taken: u64,
}

impl Default for IntervalScan {
    fn default() -> Self {
        IntervalScan::new()
    }
}

impl IntervalScan {
    /// A scan.
    pub fn new() -> IntervalScan {
        IntervalScan { ends: [0; 64], holders: [0; 64], taken: 0 }
    }

    /// Gives each interval a register, or `None` for memory, in the order of `intervals`, whose starts must ascend. Registers of
    /// the set `preferred` are taken before others: those that need not be saved. If registers are not enough, the interval goes to
    /// memory that is worth least, of the one at hand and those that hold a register it may have: `worth[i]` is what it costs
    /// to have the interval `i` in memory, or if `worth` is empty, it is the one that ends last. Returns how many are in memory.
    ///
    /// Cost: O(intervals × registers), a few cycles per interval while registers last; no allocation but for `registers`.
    pub fn run(
        &mut self,
        intervals: &[Interval],
        preferred: u64,
        worth: &[u32],
        registers: &mut Vec<Option<u8>>,
    ) -> usize {
        debug_assert!(intervals.is_sorted_by_key(|interval| interval.start), "starts ascend");
        registers.clear();
        registers.reserve(intervals.len());
        self.clear();
        let mut spilled = 0;
        for (index, interval) in intervals.iter().enumerate() {
            let hint = interval.hint.resolve(registers).unwrap_or(Self::ANY);
            let reg = self.place(interval.start, interval.end, interval.allowed, preferred, hint).or_else(|| {
                spilled += 1;
                let candidates = self.taken & interval.allowed;
                let reg = if worth.is_empty() {
                    self.last_to_end(candidates).filter(|&reg| self.ends[reg] > interval.end)
                } else {
                    self.worth_least(candidates, worth).filter(|&reg| worth[self.holders[reg] as usize] < worth[index])
                }?;
                registers[self.holders[reg] as usize] = None;
                self.ends[reg] = interval.end;
                Some(reg as u8)
            });
            if let Some(reg) = reg {
                self.holders[usize::from(reg & 63)] = index as u32;
            }
            registers.push(reg);
        }
        spilled
    }

    /// No hint, for [`IntervalScan::place`].
    pub const ANY: u8 = 64;

    /// Forgets all intervals.
    #[inline]
    pub fn clear(&mut self) {
        self.ends = [0; 64];
        self.taken = 0;
    }

    /// A register for one interval, which starts no earlier than those before it: `hint` if it may be (and is below 64), else one
    /// of `allowed`, those of `preferred` first. `None` if none is left; nothing has changed then.
    #[inline]
    pub fn place(&mut self, start: u32, end: u32, allowed: u64, preferred: u64, hint: u8) -> Option<u8> {
        let wanted = usize::from(hint & 63);
        let reg = if hint < 64 && allowed >> wanted & 1 != 0 && self.ends[wanted] <= start {
            wanted
        } else {
            let mut free = allowed & !self.taken;
            if free & preferred == 0 {
                // Who is gone is only looked for when registers are few.
                self.taken &= !self.ended(start);
                free = allowed & !self.taken;
            }
            let pick = if free & preferred != 0 { free & preferred } else { free };
            if pick == 0 {
                return None;
            }
            pick.trailing_zeros() as usize & 63
        };
        self.taken |= 1 << reg;
        self.ends[reg] = end;
        Some(reg as u8)
    }

    /// Those that are taken by intervals which have ended at `position`.
    #[inline]
    fn ended(&self, position: u32) -> u64 {
        let mut ended = 0;
        let mut rest = self.taken;
        while rest != 0 {
            let reg = rest.trailing_zeros() as usize & 63;
            ended |= u64::from(self.ends[reg] <= position) << reg;
            rest &= rest - 1;
        }
        ended
    }

    /// The register whose holder is worth least.
    fn worth_least(&self, mut candidates: u64, worth: &[u32]) -> Option<usize> {
        let mut least = None;
        while candidates != 0 {
            let reg = candidates.trailing_zeros() as usize & 63;
            candidates &= candidates - 1;
            let value = worth[self.holders[reg] as usize];
            if least.is_none_or(|(_, smallest)| value < smallest) {
                least = Some((reg, value));
            }
        }
        least.map(|(reg, _)| reg)
    }

    fn last_to_end(&self, mut candidates: u64) -> Option<usize> {
        let mut last = None;
        while candidates != 0 {
            let reg = candidates.trailing_zeros() as usize & 63;
            candidates &= candidates - 1;
            if last.is_none_or(|last: usize| self.ends[reg] > self.ends[last]) {
                last = Some(reg);
            }
        }
        last
    }
}

/// Buffers of the allocators that give each vreg one location.
#[derive(Default)]
pub(crate) struct Whole {
    scan: IntervalScan,
    /// Vregs in the order in which they are placed: key and piece.
    order: Vec<u64>,
    intervals: Vec<Interval>,
    registers: Vec<Option<u8>>,
    /// Per class, what is reserved in each run of [`SUMMARY`] positions.
    summary: [Vec<u64>; RegClass::COUNT],
}

/// Positions that one word of the summary stands for.
const SUMMARY: usize = 32;

impl Whole {
    /// Linear scan over whole intervals.
    pub(crate) fn run(
        &mut self,
        f: &Function,
        machine: &Machine,
        intervals: &Intervals,
        matrix: &mut Matrix,
        pieces: &mut Pieces,
        seed: u64,
    ) {
        pieces.reset(intervals);
        for class in RegClass::ALL {
            self.summary[class as usize].clear();
            self.summary[class as usize]
                .extend(matrix.row(class).chunks(SUMMARY).map(|chunk| chunk.iter().fold(0, |all, word| all | word)));
        }
        for class in RegClass::ALL {
            self.order.clear();
            let of_class = |(p, piece): (usize, &crate::scan::Piece)| {
                (f.classes[piece.vreg as usize] == class).then_some(u64::from(piece.from) << 32 | p as u64)
            };
            self.order.extend(pieces.all.iter().enumerate().filter_map(of_class));
            self.order.sort_unstable();
            self.intervals.clear();
            let mut random = seed;
            for &key in &self.order {
                let piece = &pieces.all[key as u32 as usize];
                let info = &intervals.vregs[piece.vreg as usize];
                let mut allowed = machine.allocatable(class) & info.allowed;
                allowed &= !blocked(matrix, &self.summary, class, piece.from, piece.to);
                let mut hint = Hint::NONE;
                for use_ in intervals.uses(if info.has_fixed { piece.use_ } else { NONE }) {
                    if let Constraint::Fixed(reg) = use_.constraint {
                        // It may still be blocked by another operand; its own does not block it.
                        if is_free_for(intervals, matrix, piece.use_, class, piece.from..piece.to, reg.number())
                            && machine.allocatable(class) & info.allowed & reg.bit() != 0
                        {
                            allowed |= reg.bit();
                            hint = Hint::register(reg.number());
                        }
                    }
                }
                if random != 0 {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    hint = Hint::register((random >> 58) as u8);
                }
                self.intervals.push(Interval { start: piece.from, end: piece.to, allowed, hint });
            }
            self.scan.run(&self.intervals, u64::MAX, &[], &mut self.registers);
            for (&key, &reg) in self.order.iter().zip(&self.registers) {
                if let Some(reg) = reg {
                    occupy(intervals, matrix, pieces, key as u32, class, reg);
                }
            }
        }
    }

    /// Usage counts: the most mentioned vregs take registers for all of their intervals.
    pub(crate) fn run_usage_counts(
        &mut self,
        f: &Function,
        machine: &Machine,
        intervals: &Intervals,
        matrix: &mut Matrix,
        pieces: &mut Pieces,
        seed: u64,
    ) {
        pieces.reset(intervals);
        self.order.clear();
        for (p, piece) in pieces.all.iter().enumerate() {
            let weight: f32 = intervals.uses(piece.use_).map(|use_| use_.weight).sum();
            // The bits of positive floats are in their order.
            self.order.push(u64::from(weight.to_bits()) << 32 | p as u64);
        }
        self.order.sort_unstable_by_key(|&key| Reverse(key));
        let mut random = seed;
        for &key in &self.order {
            let piece = pieces.all[key as u32 as usize];
            let class = f.classes[piece.vreg as usize];
            let mut free = machine.allocatable(class) & intervals.vregs[piece.vreg as usize].allowed;
            if intervals
                .ranges(piece.range)
                .any(|range| matrix.narrow(class, range.from, range.to, &mut free).is_some())
            {
                continue;
            }
            if random != 0 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let rotate = (random >> 58) as u32;
                let reg = (free.rotate_right(rotate).trailing_zeros() + rotate) % 64;
                occupy(intervals, matrix, pieces, key as u32, class, reg as u8);
            } else {
                occupy(intervals, matrix, pieces, key as u32, class, free.trailing_zeros() as u8);
            }
        }
    }
}

/// Registers reserved somewhere in `from..to`.
fn blocked(matrix: &Matrix, summary: &[Vec<u64>; RegClass::COUNT], class: RegClass, from: u32, to: u32) -> u64 {
    let row = matrix.row(class);
    let (from, to) = (from as usize, to as usize);
    let any = |words: &[u64]| words.iter().fold(0, |all, word| all | word);
    let (first, last) = (from.div_ceil(SUMMARY), to / SUMMARY);
    if first >= last {
        return any(&row[from..to]);
    }
    any(&row[from..first * SUMMARY]) | any(&summary[class as usize][first..last]) | any(&row[last * SUMMARY..to])
}

/// Whether nothing but the fixed operands in the list `own` has register `reg` in the range.
pub(crate) fn is_free_for(
    intervals: &Intervals,
    matrix: &Matrix,
    own: u32,
    class: RegClass,
    range: core::ops::Range<u32>,
    reg: u8,
) -> bool {
    let start = range.start as usize;
    let mut reserved = matrix.row(class)[start..range.end as usize]
        .iter()
        .enumerate()
        .filter_map(|(i, word)| (word >> reg & 1 != 0).then_some((start + i) as u32));
    reserved.all(|pos| {
        intervals.uses(own).any(|use_| {
            let covers = if use_.is_def { use_.pos..(use_.pos | 1) + 1 } else { use_.pos & !1..use_.pos + 1 };
            matches!(use_.constraint, Constraint::Fixed(fixed) if fixed.number() == reg) && covers.contains(&pos)
        })
    })
}

/// Gives a piece a register and marks it in the matrix where the vreg is really alive.
pub(crate) fn occupy(
    intervals: &Intervals,
    matrix: &mut Matrix,
    pieces: &mut Pieces,
    p: u32,
    class: RegClass,
    reg: u8,
) {
    let piece = &mut pieces.all[p as usize];
    piece.loc = reg;
    for range in intervals.ranges(piece.range) {
        matrix.set_range(class, range.from, range.to, 1 << reg);
    }
}
