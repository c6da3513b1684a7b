//! Linear scan over live intervals with holes, splitting, hints and use positions: the default allocator.
//!
//! After Wimmer & Mössenböck, *Optimized Interval Splitting in a Linear Scan Register Allocator* (VEE 2005): intervals
//! are visited by start; one gets a register that is free for all of it, else one that is free for long enough to be
//! useful and is split where that register is taken; else it waits in memory until a use needs a register, or takes
//! the register of an interval whose next such use is farther away and cheaper.
//!
//! What differs: which registers are free is read from the [occupancy matrix](crate::matrix) instead of lists of active
//! and inactive intervals, so holes cost nothing; who loses its register is decided by the weight of the next use
//! divided by the distance to it, so that values of inner loops stay; what is spilled is stored once at its def, or
//! where it leaves its register, whichever is cheaper (decided when everything is placed).
//!
//! Invariant I1: at every position of the matrix at most one piece, or one reservation, owns a register.
//! Invariant I2: a piece that is put back into the queue starts later than the one being placed. Hence termination.

use crate::cfg::Cfg;
use crate::intervals::{Intervals, NONE, Range, Use};
use crate::matrix::Matrix;
use crate::{Constraint, Function, Machine, RegClass, Stats};
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// The location of a piece that is in memory: in the vreg's slot, or nowhere if it is a constant.
pub(crate) const MEMORY: u8 = 255;

/// A part of a vreg's life with one location.
#[derive(Clone, Copy)]
pub(crate) struct Piece {
    pub(crate) vreg: u32,
    /// Its first range; the list ends with the piece.
    pub(crate) range: u32,
    /// Its first use; the list ends with the piece.
    pub(crate) use_: u32,
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// The next later piece of the vreg.
    pub(crate) next: u32,
    /// Another piece in the same register.
    neighbour: u32,
    /// The number of its register, or [`MEMORY`].
    pub(crate) loc: u8,
    /// The vreg is alive just before the piece.
    pub(crate) continues: bool,
}

/// The pieces of all vregs: what an allocator decides.
#[derive(Default)]
pub(crate) struct Pieces {
    pub(crate) all: Vec<Piece>,
    /// Per vreg, its first piece.
    pub(crate) first: Vec<u32>,
}

impl Pieces {
    /// One piece in memory for each vreg that is mentioned.
    pub(crate) fn reset(&mut self, intervals: &Intervals) {
        self.all.clear();
        self.first.clear();
        for (vreg, info) in intervals.vregs.iter().enumerate() {
            let Some(first) = intervals.ranges.get(info.range as usize) else {
                self.first.push(NONE);
                continue;
            };
            let mut to = first.to;
            let mut next = first.next;
            while let Some(range) = intervals.ranges.get(next as usize) {
                (to, next) = (range.to, range.next);
            }
            self.first.push(self.all.len() as u32);
            self.all.push(Piece {
                vreg: vreg as u32,
                range: info.range,
                use_: info.use_,
                from: first.from,
                to,
                next: NONE,
                neighbour: NONE,
                loc: MEMORY,
                continues: false,
            });
        }
    }
}

/// Buffers of the scan.
#[derive(Default)]
pub(crate) struct Scan {
    /// First pieces of vregs, by start: `from << 32 | piece`, descending.
    unhandled: Vec<u64>,
    /// Pieces split off.
    requeued: BinaryHeap<Reverse<u64>>,
    /// Per class and register, the last piece that got it.
    owners: Vec<u32>,
    /// Per vreg, the register it had last, or [`MEMORY`].
    last_reg: Vec<u8>,
    block_of: Vec<u32>,
}

/// One run of the scan.
struct Run<'a> {
    f: &'a Function<'a>,
    machine: &'a Machine,
    cfg: &'a Cfg,
    intervals: &'a mut Intervals,
    matrix: &'a mut Matrix,
    pieces: &'a mut Pieces,
    stats: &'a mut Stats,
    s: &'a mut Scan,
    random: u64,
}

/// Runs the scan. With a `seed` other than 0, registers are picked at random among those that would do.
#[expect(clippy::too_many_arguments, reason = "the borrowed parts of the context")]
#[inline(never)]
pub(crate) fn run(
    s: &mut Scan,
    f: &Function,
    machine: &Machine,
    cfg: &Cfg,
    intervals: &mut Intervals,
    matrix: &mut Matrix,
    pieces: &mut Pieces,
    stats: &mut Stats,
    seed: u64,
) {
    pieces.reset(intervals);
    s.unhandled.clear();
    for &(from, vreg) in &intervals.defs {
        let first = pieces.first[vreg.index()];
        if pieces.all[first as usize].from == from {
            s.unhandled.push(u64::from(from) << 32 | u64::from(first));
        }
    }
    if s.unhandled.len() != pieces.all.len() {
        // Some vreg starts at a border of blocks, because these are not in an order in which defs come first.
        s.unhandled.clear();
        s.unhandled.extend(pieces.all.iter().enumerate().map(|(p, piece)| u64::from(piece.from) << 32 | p as u64));
        s.unhandled.sort_unstable_by_key(|&key| Reverse(key));
    }
    s.requeued.clear();
    s.owners.clear();
    s.owners.resize(64 * RegClass::COUNT, NONE);
    s.last_reg.clear();
    s.last_reg.resize(f.classes.len(), MEMORY);
    s.block_of.clear();
    for b in 0..f.num_blocks() {
        s.block_of.resize(f.block_insts[b + 1] as usize, b as u32);
    }
    Run { f, machine, cfg, intervals, matrix, pieces, stats, s, random: seed }.run();
}

impl Run<'_> {
    fn run(&mut self) {
        loop {
            let fresh = self.s.unhandled.last().copied().unwrap_or(u64::MAX);
            let split = self.s.requeued.peek().map_or(u64::MAX, |&Reverse(key)| key);
            let key = fresh.min(split);
            if key == u64::MAX {
                return;
            }
            if fresh < split {
                self.s.unhandled.pop();
            } else {
                self.s.requeued.pop();
            }
            self.place(key as u32);
        }
    }

    fn class(&self, p: u32) -> RegClass {
        self.f.classes[self.pieces.all[p as usize].vreg as usize]
    }

    /// A def that is never used, like those of a call's results: any free register will do. Returns whether it got one.
    #[inline]
    fn place_dead(&mut self, p: u32, class: RegClass) -> bool {
        let piece = self.pieces.all[p as usize];
        let info = &self.intervals.vregs[piece.vreg as usize];
        if piece.to > piece.from + 2 || info.has_fixed || info.has_hints || self.random != 0 {
            return false;
        }
        let taken = self.matrix.at(class, piece.from) | self.matrix.at(class, piece.to - 1);
        let mut free = self.machine.allocatable(class) & info.allowed & !taken;
        if free & self.machine.preferred.0[class as usize] != 0 {
            free &= self.machine.preferred.0[class as usize];
        }
        if free != 0 {
            self.take(p, class, free.trailing_zeros() as u8);
        }
        free != 0
    }

    /// Gives piece `p` a location; may split it.
    fn place(&mut self, p: u32) {
        let class = self.class(p);
        if self.place_dead(p, class) {
            return;
        }
        loop {
            let piece = self.pieces.all[p as usize];
            let info = self.intervals.vregs[piece.vreg as usize];
            let mut free = self.machine.allocatable(class) & info.allowed;
            if info.has_fixed {
                self.toggle_reservations(p, class, false);
                free |= self.stack_wishes(p);
            }
            let input = if info.takes_over { self.input_in_register(&piece) } else { None };
            if let Some(reg) = input {
                self.matrix.unset(class, piece.from, 1 << reg);
            }
            let until = self.probe(piece.range, class, &mut free);
            if let Some(reg) = input {
                self.matrix.set(class, piece.from, 1 << reg);
            }
            if info.has_fixed {
                self.toggle_reservations(p, class, true);
            }
            let done = match until {
                None => {
                    self.take_or_spill(p, class, free);
                    true
                }
                Some(until) => self.place_contended(p, class, free, until),
            };
            if done {
                return;
            }
        }
    }

    /// The register of the input that a vreg may take over, see [`crate::intervals::Hints::input`].
    fn input_in_register(&self, piece: &Piece) -> Option<u8> {
        let first = self.pieces.first[piece.vreg as usize];
        let input = self.intervals.hints[piece.vreg as usize].input;
        let mut at = self.pieces.first[input as usize];
        while let Some(other) = self.pieces.all.get(at as usize) {
            if other.to == piece.from + 1 {
                let is_def = piece.from == self.pieces.all[first as usize].from;
                return (is_def && other.loc != MEMORY).then_some(other.loc);
            }
            at = other.next;
        }
        None
    }

    /// Narrows `free` to the registers that are free for all ranges from `range` on; else to those that are free for
    /// longest, and returns the position at which the last one is taken.
    #[inline]
    fn probe(&self, mut range: u32, class: RegClass, free: &mut u64) -> Option<u32> {
        while let Some(&Range { from, to, next }) = self.intervals.ranges.get(range as usize) {
            if let Some(until) = self.matrix.narrow(class, from, to, free) {
                return Some(until);
            }
            range = next;
        }
        None
    }

    /// Makes the places that the piece's own operands name free for it, or reserves them again.
    fn toggle_reservations(&mut self, p: u32, class: RegClass, reserve: bool) {
        let mut use_ = self.pieces.all[p as usize].use_;
        while let Some(&Use { pos, next, constraint, is_def, .. }) = self.intervals.uses.get(use_ as usize) {
            if let Constraint::Fixed(reg) = constraint {
                let positions = if is_def { pos..(pos | 1) + 1 } else { pos & !1..pos + 1 };
                for pos in positions {
                    if reserve {
                        self.matrix.set(class, pos, reg.bit());
                    } else {
                        self.matrix.unset(class, pos, reg.bit());
                    }
                }
            }
            use_ = next;
        }
    }

    /// Fixed places on the stack that the piece may stay in because no operand of it needs a real register.
    fn stack_wishes(&self, p: u32) -> u64 {
        let mut wishes = 0;
        for use_ in self.intervals.uses(self.pieces.all[p as usize].use_) {
            match use_.constraint {
                Constraint::Fixed(reg) if self.machine.stack_regs.contains(reg) => wishes |= reg.bit(),
                Constraint::Reg | Constraint::Limit(_) => return 0,
                _ => {}
            }
        }
        wishes
    }

    /// Some register is free for all of the piece. Takes it, unless memory is as good.
    fn take_or_spill(&mut self, p: u32, class: RegClass, free: u64) {
        let piece = self.pieces.all[p as usize];
        if piece.continues && self.s.last_reg[piece.vreg as usize] != MEMORY {
            // It would be moved from register to register: not if memory costs less.
            let last = self.s.last_reg[piece.vreg as usize];
            if free >> last & 1 == 0 && self.first_need(p).is_none() {
                let info = &self.intervals.vregs[piece.vreg as usize];
                let hop = self.cfg.weight(self.s.block_of[(piece.from / 2) as usize] as usize);
                if info.is_constant || 2.0 * info.def_weight < hop {
                    return;
                }
            }
        }
        let reg = self.choose(p, class, free);
        self.take(p, class, reg);
    }

    fn take(&mut self, p: u32, class: RegClass, reg: u8) {
        let mut range = self.pieces.all[p as usize].range;
        while let Some(&Range { from, to, next }) = self.intervals.ranges.get(range as usize) {
            self.matrix.set_range(class, from, to, 1 << reg);
            range = next;
        }
        let owner = &mut self.s.owners[64 * class as usize + reg as usize];
        let piece = &mut self.pieces.all[p as usize];
        piece.loc = reg;
        piece.neighbour = core::mem::replace(owner, p);
        self.s.last_reg[piece.vreg as usize] = reg;
    }

    /// Which of the free registers to take: one that saves a move; else a preferred one.
    fn choose(&mut self, p: u32, class: RegClass, free: u64) -> u8 {
        debug_assert_ne!(free, 0, "a register was free");
        if self.random != 0 {
            return self.choose_random(free);
        }
        let piece = self.pieces.all[p as usize];
        let info = self.intervals.vregs[piece.vreg as usize];
        // Each wish with the moves that it saves.
        let mut best = (0.0, MEMORY);
        let mut wish = |weight: f32, reg: u8| {
            if weight > best.0 && reg != MEMORY && free >> reg & 1 != 0 {
                best = (weight, reg);
            }
        };
        if piece.from != self.pieces.all[self.pieces.first[piece.vreg as usize] as usize].from {
            wish(f32::MAX, self.s.last_reg[piece.vreg as usize]);
        }
        if info.has_hints {
            let hints = self.intervals.hints[piece.vreg as usize];
            for (hint, weight) in hints.vregs.into_iter().zip(hints.weights) {
                if hint != NONE {
                    wish(weight, self.s.last_reg[hint as usize]);
                }
            }
        }
        if info.has_fixed {
            for use_ in self.intervals.uses(piece.use_) {
                if let Constraint::Fixed(reg) = use_.constraint {
                    wish(use_.weight, reg.number());
                }
            }
        }
        if best.1 != MEMORY {
            return best.1;
        }
        let mut free = free;
        let preferred = self.machine.preferred.0[class as usize];
        if free & preferred != 0 {
            free &= preferred;
        }
        // The tightest fit: a register that is taken soon anyway.
        let taken_soon = self.matrix.taken_soon(class, piece.to);
        if free & taken_soon != 0 {
            free &= taken_soon;
        }
        free.trailing_zeros() as u8
    }

    /// Any of the free ones (xorshift64).
    fn choose_random(&mut self, free: u64) -> u8 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let mut nth = self.random % u64::from(free.count_ones());
        let mut bits = free;
        while nth > 0 {
            bits &= bits - 1;
            nth -= 1;
        }
        bits.trailing_zeros() as u8
    }

    /// The first use of the piece that needs a register.
    fn first_need(&self, p: u32) -> Option<Use> {
        self.intervals.uses(self.pieces.all[p as usize].use_).find(Use::needs_reg)
    }

    /// No register is free for all of the piece; those in `free` are until `until`. Returns whether the piece is placed;
    /// if not, it should be tried again.
    fn place_contended(&mut self, p: u32, class: RegClass, free: u64, until: u32) -> bool {
        let from = self.pieces.all[p as usize].from;
        let need = self.first_need(p);
        let end = until & !1;
        let Some(need) = need else {
            // Nothing needs a register.
            self.spill(p, from + 1);
            return true;
        };
        if need.pos < end && end > from {
            let last_use = self
                .intervals
                .uses(self.pieces.all[p as usize].use_)
                .take_while(|use_| use_.pos < end)
                .last()
                .map_or(from, |use_| use_.pos);
            let at = self.best_gap(last_use.max(from) + 1, end);
            let rest = self.split(p, at);
            let reg = self.choose(p, class, free);
            self.take(p, class, reg);
            self.push(rest);
            return true;
        }
        let immediate = need.pos & !1 <= from;
        let patience =
            if immediate { f32::INFINITY } else { self.spill_cost(p, need.weight) / (need.pos - from) as f32 };
        if let Some(victim) = self.cheapest_victim(p, class, patience) {
            self.evict(victim, class, from);
            return false;
        }
        if immediate {
            // The instruction's operands have all registers: this one gets a temporary when code is rewritten.
            self.spill(p, (from | 1) + 1);
        } else {
            self.spill(p, from + 1);
        }
        true
    }

    /// What it costs to have a vreg in memory until a use of weight `need`.
    fn spill_cost(&self, p: u32, need: f32) -> f32 {
        let info = &self.intervals.vregs[self.pieces.all[p as usize].vreg as usize];
        if info.is_constant { 0.5 * need } else { need + 0.5 * info.def_weight.min(need * 100.0) }
    }

    /// The piece whose eviction at `p`'s start costs least, if less than `patience`.
    fn cheapest_victim(&mut self, p: u32, class: RegClass, patience: f32) -> Option<u32> {
        let from = self.pieces.all[p as usize].from;
        let first_range = self.intervals.ranges[self.pieces.all[p as usize].range as usize];
        let window = from..first_range.to.min((from | 1) + 1);
        let info = &self.intervals.vregs[self.pieces.all[p as usize].vreg as usize];
        let mut candidates = self.machine.allocatable(class) & info.allowed;
        let mut best = (patience, None);
        while candidates != 0 {
            let reg = candidates.trailing_zeros();
            candidates &= candidates - 1;
            let Some(owner) = self.sole_owner(class, reg, window.clone()) else { continue };
            if let Some(cost) = self.eviction_cost(owner, from)
                && cost < best.0
            {
                best = (cost, Some(owner));
            }
        }
        best.1
    }

    /// The only piece in a register at some positions, if they are not reserved either.
    fn sole_owner(&mut self, class: RegClass, reg: u32, window: core::ops::Range<u32>) -> Option<u32> {
        let slot = 64 * class as usize + reg as usize;
        // Pieces that have ended do not come back.
        while let Some(piece) = self.pieces.all.get(self.s.owners[slot] as usize) {
            if piece.to > window.start && u32::from(piece.loc) == reg {
                break;
            }
            self.s.owners[slot] = piece.neighbour;
        }
        let mut found = None;
        let mut covered = 0;
        let mut at = self.s.owners[slot];
        let mut previous = NONE;
        while let Some(&piece) = self.pieces.all.get(at as usize) {
            if piece.to <= window.start || u32::from(piece.loc) != reg {
                self.pieces.all[previous as usize].neighbour = piece.neighbour;
                at = piece.neighbour;
                continue;
            }
            let mut overlap = 0;
            for range in self.intervals.ranges(piece.range) {
                if range.from >= window.end {
                    break;
                }
                overlap += range.to.min(window.end).saturating_sub(range.from.max(window.start));
            }
            if overlap > 0 {
                if found.is_some() {
                    return None;
                }
                found = Some(at);
                covered = overlap;
            }
            previous = at;
            at = piece.neighbour;
        }
        let taken = window.filter(|&pos| self.matrix.at(class, pos) >> reg & 1 != 0).count();
        if taken == covered as usize { found } else { None }
    }

    /// What it costs per position to take piece `q`'s register from `from` on; `None`: it needs it there.
    fn eviction_cost(&self, q: u32, from: u32) -> Option<f32> {
        let piece = self.pieces.all[q as usize];
        let inst = from & !1..(from | 1) + 1;
        for use_ in self.intervals.uses(piece.use_) {
            if use_.pos < inst.start {
                continue;
            }
            if inst.contains(&use_.pos) {
                if use_.needs_reg() || matches!(use_.constraint, Constraint::Fixed(_)) {
                    return None;
                }
                continue;
            }
            if use_.needs_reg() {
                return Some(self.spill_cost(q, use_.weight) / (use_.pos - from) as f32);
            }
        }
        Some(self.spill_cost(q, 0.0) / (piece.to - from) as f32)
    }

    /// Takes the register of `q` from `from` on.
    fn evict(&mut self, q: u32, class: RegClass, from: u32) {
        self.stats.evictions += 1;
        let gap = from & !1;
        let reg = self.pieces.all[q as usize].loc;
        let rest = if self.pieces.all[q as usize].from < gap { self.split(q, gap) } else { q };
        let mut range = self.pieces.all[rest as usize].range;
        while let Some(&Range { from, to, next }) = self.intervals.ranges.get(range as usize) {
            self.matrix.unset_range(class, from, to, 1 << reg);
            range = next;
        }
        if self.intervals.vregs[self.pieces.all[rest as usize].vreg as usize].has_fixed {
            self.toggle_reservations(rest, class, true);
        }
        self.pieces.all[rest as usize].loc = MEMORY;
        self.spill(rest, (from | 1) + 1);
    }

    /// Leaves the piece in memory until a use needs a register, but at least until the gap `until`; what comes then is
    /// queued.
    fn spill(&mut self, p: u32, until: u32) {
        self.pieces.all[p as usize].loc = MEMORY;
        let use_ = self.pieces.all[p as usize].use_;
        let Some(need) = self.intervals.uses(use_).find(|use_| use_.needs_reg() && use_.pos & !1 >= until) else {
            return;
        };
        let at = self.best_gap(until, need.pos & !1);
        let rest = self.split(p, at);
        self.push(rest);
    }

    fn push(&mut self, p: u32) {
        self.s.requeued.push(Reverse(u64::from(self.pieces.all[p as usize].from) << 32 | u64::from(p)));
    }

    /// The gap in `lo..=hi` that runs least often, and of these the latest: `hi`, or the border between two blocks.
    fn best_gap(&self, lo: u32, hi: u32) -> u32 {
        debug_assert!(lo <= hi && hi & 1 == 0, "there is a gap");
        let last = self.s.block_of[(hi / 2) as usize] as usize;
        let mut best = (self.cfg.weight(last), hi);
        let mut b = last;
        // A far border saves little: bounded, so that splitting stays linear.
        for _ in 0..64 {
            let start = 2 * self.f.block_insts[b];
            if start < lo || b == 0 {
                break;
            }
            b -= 1;
            if self.cfg.weight(b) < best.0 {
                best = (self.cfg.weight(b), start);
            }
        }
        best.1
    }

    /// Cuts piece `p` at the gap `at`, strictly inside of it, and returns the second part.
    fn split(&mut self, p: u32, at: u32) -> u32 {
        self.stats.splits += 1;
        let piece = self.pieces.all[p as usize];
        debug_assert!(piece.from < at && at < piece.to, "split inside of the piece");
        let mut range = piece.range;
        while self.intervals.ranges[range as usize].next != NONE {
            let next = self.intervals.ranges[range as usize].next;
            if self.intervals.ranges[next as usize].from >= at {
                break;
            }
            range = next;
        }
        let Range { to, next, .. } = self.intervals.ranges[range as usize];
        let continues = to > at;
        let rest_range = if continues {
            self.intervals.ranges.push(Range { from: at, to, next });
            self.intervals.ranges[range as usize].to = at;
            self.intervals.ranges.len() as u32 - 1
        } else {
            next
        };
        self.intervals.ranges[range as usize].next = NONE;

        let mut previous = NONE;
        let mut use_ = piece.use_;
        while use_ != NONE && self.intervals.uses[use_ as usize].pos < at {
            previous = use_;
            use_ = self.intervals.uses[use_ as usize].next;
        }
        if previous != NONE {
            self.intervals.uses[previous as usize].next = NONE;
        }

        let rest = self.pieces.all.len() as u32;
        let first = &mut self.pieces.all[p as usize];
        first.to = self.intervals.ranges[range as usize].to;
        first.next = rest;
        if previous == NONE {
            first.use_ = NONE;
        }
        self.pieces.all.push(Piece {
            range: rest_range,
            use_,
            from: self.intervals.ranges[rest_range as usize].from,
            loc: MEMORY,
            neighbour: NONE,
            continues,
            ..piece
        });
        rest
    }
}
