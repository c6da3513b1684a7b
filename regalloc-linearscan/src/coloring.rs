//! Graph colouring: the yardstick of code quality.
//!
//! Chaitin, *Register Allocation & Spilling via Graph Coloring* (1982), with Briggs's optimistic colouring (*Improvements
//! to Graph Coloring Register Allocation*, TOPLAS 16(3), 1994): vregs that are alive together interfere; a vreg with
//! fewer neighbours than registers it may have is set aside; when none is left, the one with the least
//! `weight / neighbours` is set aside in the hope that its neighbours will share colours; then, in reverse, each takes a
//! register that no neighbour has, by preference that of a vreg it is copied from or to (biased colouring instead of
//! coalescing), or else lives in memory.
//!
//! Cost: O(interferences × log).

use crate::intervals::{Intervals, NONE};
use crate::matrix::Matrix;
use crate::scan::{MEMORY, Pieces};
use crate::whole::{is_free_for, occupy};
use crate::{Constraint, Function, Machine, RegClass};
use alloc::vec::Vec;

#[derive(Default)]
pub(crate) struct Coloring {
    /// Ranges of all vregs: `from`, `to`, piece.
    ranges: Vec<(u32, u32, u32)>,
    /// Ranges that reach the current position, per class.
    active: [Vec<(u32, u32)>; RegClass::COUNT],
    /// Interfering pairs, both ways.
    edges: Vec<(u32, u32)>,
    /// Where each piece's neighbours start in `edges`.
    starts: Vec<u32>,
    /// Registers that each piece may have.
    allowed: Vec<u64>,
    /// Neighbours not set aside yet.
    degrees: Vec<u32>,
    set_aside: Vec<bool>,
    /// Pieces set aside, in order.
    stack: Vec<u32>,
    ready: Vec<u32>,
    /// Pieces by weight / neighbours.
    by_cost: Vec<(f32, u32)>,
}

impl Coloring {
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
        self.find_interferences(f, intervals, pieces);
        self.find_allowed(f, machine, intervals, matrix, pieces);
        self.simplify(intervals, pieces);
        self.select(f, machine, intervals, matrix, pieces, seed);
    }

    fn neighbours(&self, p: u32) -> &[(u32, u32)] {
        &self.edges[self.starts[p as usize] as usize..self.starts[p as usize + 1] as usize]
    }

    fn find_interferences(&mut self, f: &Function, intervals: &Intervals, pieces: &Pieces) {
        self.ranges.clear();
        for (p, piece) in pieces.all.iter().enumerate() {
            self.ranges.extend(intervals.ranges(piece.range).map(|range| (range.from, range.to, p as u32)));
        }
        self.ranges.sort_unstable();
        self.active.iter_mut().for_each(Vec::clear);
        self.edges.clear();
        for &(from, to, p) in &self.ranges {
            let active = &mut self.active[f.classes[pieces.all[p as usize].vreg as usize] as usize];
            active.retain(|&(end, _)| end > from);
            for &(_, other) in active.iter().filter(|&&(_, other)| other != p) {
                self.edges.push((p, other));
                self.edges.push((other, p));
            }
            active.push((to, p));
        }
        self.edges.sort_unstable();
        self.edges.dedup();
        self.starts.clear();
        let mut at = 0;
        for p in 0..=pieces.all.len() as u32 {
            while self.edges.get(at).is_some_and(|edge| edge.0 < p) {
                at += 1;
            }
            self.starts.push(at as u32);
        }
    }

    fn find_allowed(
        &mut self,
        f: &Function,
        machine: &Machine,
        intervals: &Intervals,
        matrix: &Matrix,
        pieces: &Pieces,
    ) {
        self.allowed.clear();
        for piece in &pieces.all {
            let class = f.classes[piece.vreg as usize];
            let info = &intervals.vregs[piece.vreg as usize];
            let all = machine.allocatable(class) & info.allowed;
            let mut free = all;
            if intervals
                .ranges(piece.range)
                .any(|range| matrix.narrow(class, range.from, range.to, &mut free).is_some())
            {
                free = 0;
            }
            if info.has_fixed {
                for use_ in intervals.uses(piece.use_) {
                    if let Constraint::Fixed(reg) = use_.constraint {
                        let own = |range: crate::intervals::Range| {
                            is_free_for(intervals, matrix, piece.use_, class, range.from..range.to, reg.number())
                        };
                        if all & reg.bit() != 0 && intervals.ranges(piece.range).all(own) {
                            free |= reg.bit();
                        }
                    }
                }
            }
            self.allowed.push(free);
        }
    }

    fn simplify(&mut self, intervals: &Intervals, pieces: &Pieces) {
        let count = pieces.all.len();
        self.degrees.clear();
        self.degrees.extend(self.starts.windows(2).map(|w| w[1] - w[0]));
        self.set_aside.clear();
        self.set_aside.resize(count, false);
        self.stack.clear();
        self.by_cost.clear();
        for (p, piece) in pieces.all.iter().enumerate() {
            let info = &intervals.vregs[piece.vreg as usize];
            let uses: f32 = intervals.uses(piece.use_).filter(|u| u.needs_reg()).map(|u| u.weight).sum();
            let weight = if info.is_constant { 0.5 * uses } else { uses + info.def_weight };
            self.by_cost.push((weight / (self.degrees[p] + 1) as f32, p as u32));
        }
        self.by_cost.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
        let is_easy = |degrees: &[u32], allowed: &[u64], p: u32| degrees[p as usize] < allowed[p as usize].count_ones();
        self.ready.clear();
        self.ready.extend((0..count as u32).filter(|&p| is_easy(&self.degrees, &self.allowed, p)));
        loop {
            let Some(p) = self.ready.pop().or_else(|| self.by_cost.pop().map(|(_, p)| p)) else { return };
            if core::mem::replace(&mut self.set_aside[p as usize], true) {
                continue;
            }
            self.stack.push(p);
            for edge in self.starts[p as usize]..self.starts[p as usize + 1] {
                let other = self.edges[edge as usize].1;
                let was_easy = is_easy(&self.degrees, &self.allowed, other);
                self.degrees[other as usize] -= 1;
                if !was_easy && is_easy(&self.degrees, &self.allowed, other) && !self.set_aside[other as usize] {
                    self.ready.push(other);
                }
            }
        }
    }

    fn select(
        &mut self,
        f: &Function,
        machine: &Machine,
        intervals: &Intervals,
        matrix: &mut Matrix,
        pieces: &mut Pieces,
        seed: u64,
    ) {
        let mut random = seed;
        while let Some(p) = self.stack.pop() {
            let piece = pieces.all[p as usize];
            let class = f.classes[piece.vreg as usize];
            let mut free = self.allowed[p as usize];
            for &(_, other) in self.neighbours(p) {
                let loc = pieces.all[other as usize].loc;
                if loc != MEMORY {
                    free &= !(1 << loc);
                }
            }
            if free == 0 {
                continue;
            }
            let info = &intervals.vregs[piece.vreg as usize];
            let mut wish =
                intervals.uses(if info.has_fixed { piece.use_ } else { NONE }).find_map(|use_| match use_.constraint {
                    Constraint::Fixed(reg) if free & reg.bit() != 0 => Some(reg.number()),
                    _ => None,
                });
            for &hint in intervals.hints[piece.vreg as usize].vregs.iter().filter(|&&hint| hint != NONE) {
                let loc = pieces.all.get(pieces.first[hint as usize] as usize).map(|hint| hint.loc);
                wish = wish.or(loc.filter(|&loc| loc < 64 && free >> loc & 1 != 0));
            }
            let preferred = free & machine.preferred.0[class as usize];
            let mut reg = wish.unwrap_or(if preferred != 0 { preferred } else { free }.trailing_zeros() as u8);
            if random != 0 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let rotate = (random >> 58) as u32;
                reg = ((free.rotate_right(rotate).trailing_zeros() + rotate) % 64) as u8;
            }
            occupy(intervals, matrix, pieces, p, class, reg);
        }
    }
}
