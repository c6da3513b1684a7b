//! The moves in order: by gap and stage, each stage one parallel move.

use super::{ExtraSlots, Purpose, Request, Rewrite, Run, Stage};
use crate::intervals::NONE;
use crate::matrix::Matrix;
use crate::moves::Scratch;
use crate::slots::Slots;
use crate::{EdgeMove, Error, Inst, Loc, Machine, Move, PReg, PRegSet, RegClass};
use alloc::vec::Vec;

impl Run<'_> {
    #[inline(never)]
    pub(super) fn order_moves(&mut self) -> Result<(), Error> {
        let Run { f, machine, cfg, matrix, out, r, .. } = self;
        let Rewrite { slots, extra_slots, requests, ordered, heads, nexts, edge_requests, resolver, .. } = &mut **r;
        out.moves.clear();
        out.edge_moves.clear();
        sort_requests(requests, ordered, heads, nexts, f.num_insts());
        edge_requests.sort_unstable_by_key(|request| request.key);
        let mut count = |from: Loc, to: Loc, stack_regs: PRegSet| {
            let in_reg = |loc: Loc| loc.as_reg().is_some_and(|reg| !stack_regs.contains(reg));
            let counter = match (from.as_remat().is_some(), in_reg(from), in_reg(to)) {
                (true, ..) => &mut out.stats.remats,
                (_, true, true) => &mut out.stats.reg_moves,
                (_, true, false) => &mut out.stats.stores,
                _ => &mut out.stats.loads,
            };
            *counter += 1;
        };
        for (requests, on_edges) in [(&*ordered, false), (&*edge_requests, true)] {
            for group in requests.chunk_by(|a, b| a.key == b.key) {
                for request in group {
                    resolver.add(request.from, request.to, request.class);
                }
                let key = group[0].key;
                let mut scratch = GapScratch { machine, matrix, slots, extra_slots, busy: [0; 2], used: 0 };
                if on_edges {
                    let edge = (key >> 4) as u32;
                    let from = cfg.edge_from(edge as usize);
                    let to = f.succs.items[edge as usize].0 as usize;
                    scratch.busy = [2 * f.block_insts[from + 1] - 1, 2 * f.block_insts[to]];
                    let done = resolver.resolve(&mut scratch, |from, to, class| {
                        count(from, to, machine.stack_regs);
                        out.edge_moves.push(EdgeMove { edge, from, to, class });
                    });
                    let before = Inst(f.block_insts[from + 1] - 1);
                    done.map_err(|class| Error::TooFewRegisters(before, class))?;
                    continue;
                }
                let gap = (key >> 4) as u32;
                let before = Inst(gap / 2);
                scratch.busy = [gap.saturating_sub(1), gap];
                if key & 15 == Stage::EdgeOut as u64 {
                    scratch.busy = [gap, gap + 1];
                } else if key & 15 <= Stage::EdgeIn as u64
                    && let Ok(to) = f.block_insts.binary_search(&before.0)
                    && let [edge] = cfg.preds(to)
                {
                    scratch.busy[0] = 2 * f.block_insts[cfg.edge_from(*edge as usize) + 1] - 1;
                }
                let done = resolver.resolve(&mut scratch, |from, to, class| {
                    count(from, to, machine.stack_regs);
                    out.moves.push(Move { before, from, to, class });
                });
                done.map_err(|class| Error::TooFewRegisters(before, class))?;
            }
        }
        out.num_slots = slots.units;
        Ok(())
    }
}

/// Sorts by key: into one bucket per instruction, then the few within each.
fn sort_requests(
    requests: &[Request],
    ordered: &mut Vec<Request>,
    heads: &mut Vec<u32>,
    nexts: &mut Vec<u32>,
    insts: usize,
) {
    heads.clear();
    heads.resize(insts, NONE);
    nexts.clear();
    nexts.resize(requests.len(), NONE);
    for (n, request) in requests.iter().enumerate() {
        nexts[n] = core::mem::replace(&mut heads[(request.key >> 5) as usize], n as u32);
    }
    ordered.clear();
    for &head in heads.iter().filter(|&&head| head != NONE) {
        let start = ordered.len();
        let mut at = head;
        while let Some(request) = requests.get(at as usize) {
            ordered.push(*request);
            at = nexts[at as usize];
        }
        if ordered.len() > start + 1 {
            ordered[start..].sort_unstable_by_key(|request| request.key);
        }
    }
}

/// Room for moves in one gap.
struct GapScratch<'a> {
    machine: &'a Machine,
    matrix: &'a Matrix,
    slots: &'a mut Slots,
    extra_slots: &'a mut ExtraSlots,
    /// What is alive in the gap is at one of these two positions.
    busy: [u32; 2],
    used: usize,
}

impl Scratch for GapScratch<'_> {
    fn free_reg(&mut self, class: RegClass, except: PRegSet) -> Option<PReg> {
        if let Some(reg) = self.machine.scratch[class as usize]
            && !except.contains(reg)
        {
            return Some(reg);
        }
        let busy = self.busy.iter().fold(except.0[class as usize], |all, &pos| all | self.matrix.at(class, pos));
        let free = self.machine.allocatable(class) & !busy;
        (free != 0).then(|| PReg::new(free.trailing_zeros() as u8, class))
    }

    fn any_reg(&mut self, class: RegClass) -> Option<PReg> {
        let all = self.machine.allocatable(class);
        (all != 0).then(|| PReg::new(all.trailing_zeros() as u8, class))
    }

    fn slot(&mut self, class: RegClass) -> Loc {
        self.used += 1;
        self.extra_slots.get(self.slots, self.machine, Purpose::Moves, class, self.used - 1)
    }

    fn reset(&mut self) {
        self.used = 0;
    }

    fn is_memory(&self, loc: Loc) -> bool {
        loc.as_reg().is_none_or(|reg| self.machine.stack_regs.contains(reg))
    }
}
