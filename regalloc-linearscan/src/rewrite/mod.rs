//! From pieces to code: a location for every operand, and the moves between.
//!
//! Pieces are advice, operands are law: whatever an allocator decided, as long as it keeps invariant I1 (one owner per
//! register and position) this pass makes every operand's constraint hold, with copies to the registers that operands
//! name and temporaries for those that need a register while their vreg is in memory.
//!
//! 1. *Slots* for vregs that are in memory somewhere.
//! 2. *Transitions*: moves where a vreg changes its location, between two pieces in a block and on edges; with them, the
//!    parameters of blocks.
//! 3. *Store at def or at transitions*: whichever runs less often.
//! 4. *Operands*.
//! 5. *Order*: the moves of a gap happen in stages, each stage is one parallel move.

mod operands;
mod order;

pub(crate) use operands::uses_own_def;

use crate::cfg::Cfg;
use crate::intervals::{Intervals, NONE};
use crate::liveness::Liveness;
use crate::matrix::Matrix;
use crate::moves::MoveResolver;
use crate::scan::{MEMORY, Pieces};
use crate::slots::Slots;
use crate::{Error, Function, Inst, Loc, Machine, Output, PReg, RegClass, VReg};
use alloc::vec::Vec;

/// What happens in a gap, in this order.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Stage {
    /// Results of the instruction before: from temporaries to where they live, and stores at defs.
    After,
    /// The edge into the block that starts here.
    EdgeIn,
    /// Stores of the block's parameters.
    Params,
    /// Vregs change their locations.
    Transition,
    /// Registers borrowed for the next instruction are saved.
    Borrow,
    /// Operands of the next instruction are copied to where it wants them.
    Before,
    /// The edge out of the block that ends here.
    EdgeOut,
}

/// A move to be made. Requests with equal `key` happen at once.
#[derive(Clone, Copy)]
struct Request {
    /// `gap << 4 | stage`; on critical edges, `edge << 4 | stage`.
    key: u64,
    from: Loc,
    to: Loc,
    class: RegClass,
    /// The vreg whose leaving its register this is, else [`NONE`].
    spilled: u32,
}

/// A vreg's piece at the position that the pass over the operands has reached.
#[derive(Clone, Copy)]
struct Cursor {
    piece: u32,
    /// Where the piece ends; as far as can be if it is the last.
    to: u32,
    loc: Loc,
    /// The location is a register, and not one that is in memory.
    is_reg: bool,
    /// A def must be stored as well.
    is_stored: bool,
}

#[derive(Default)]
pub(crate) struct Rewrite {
    slots: Slots,
    /// Per vreg, the location of its spilled pieces.
    homes: Vec<Loc>,
    /// Per piece, its location.
    locs: Vec<Loc>,
    /// Per vreg, the number of its slot.
    slot_of: Vec<u32>,
    /// Vregs to get a slot: `from << 32 | vreg`.
    spilled: Vec<u64>,
    /// Per vreg: it is stored at its defs, so its slot is good wherever it is alive.
    stored_at_def: Vec<bool>,
    /// Per vreg: how often it leaves its register for its slot.
    leave_weight: Vec<f32>,
    /// Per vreg, the piece at the position reached.
    current: Vec<Cursor>,
    /// Set of globals with several pieces.
    split: Vec<u64>,
    requests: Vec<Request>,
    /// Where the requests of the current instruction's operands start.
    inst_requests: usize,
    edge_requests: Vec<Request>,
    /// The requests by key.
    ordered: Vec<Request>,
    /// Per instruction, its first request, and per request the next one.
    heads: Vec<u32>,
    nexts: Vec<u32>,
    resolver: MoveResolver,
    extra_slots: ExtraSlots,
}

impl Rewrite {
    /// The location of a piece, after a run.
    pub(crate) fn loc(&self, piece: u32) -> Loc {
        self.locs[piece as usize]
    }
}

/// One run of the pass.
struct Run<'a> {
    f: &'a Function<'a>,
    machine: &'a Machine,
    cfg: &'a Cfg,
    liveness: &'a Liveness,
    intervals: &'a Intervals,
    pieces: &'a Pieces,
    matrix: &'a mut Matrix,
    out: &'a mut Output,
    r: &'a mut Rewrite,
}

#[expect(clippy::too_many_arguments, reason = "the borrowed parts of the context")]
pub(crate) fn run(
    r: &mut Rewrite,
    f: &Function,
    machine: &Machine,
    cfg: &Cfg,
    liveness: &Liveness,
    intervals: &Intervals,
    pieces: &Pieces,
    matrix: &mut Matrix,
    out: &mut Output,
) -> Result<(), Error> {
    let mut run = Run { f, machine, cfg, liveness, intervals, pieces, matrix, out, r };
    run.assign_slots();
    run.place_pieces();
    run.collect_transitions();
    run.choose_stores();
    run.rewrite_operands()?;
    run.order_moves()
}

impl Run<'_> {
    #[inline(never)]
    fn assign_slots(&mut self) {
        let Run { f, machine, intervals, pieces, r, .. } = self;
        r.slots.clear();
        r.extra_slots.slots.iter_mut().flatten().for_each(Vec::clear);
        r.homes.clear();
        r.homes.resize(f.classes.len(), Loc::NONE);
        r.slot_of.clear();
        r.slot_of.resize(f.classes.len(), NONE);
        r.spilled.clear();
        for piece in &pieces.all {
            let home = &mut r.homes[piece.vreg as usize];
            let info = &intervals.vregs[piece.vreg as usize];
            if home.is_none() && (piece.loc == MEMORY && !info.is_constant || info.needs_stack) {
                *home = Loc::slot(0);
                let first = pieces.first[piece.vreg as usize];
                r.spilled.push(u64::from(pieces.all[first as usize].from) << 32 | u64::from(piece.vreg));
            }
        }
        for v in f.constants {
            if !intervals.vregs[v.index()].needs_stack {
                r.homes[v.index()] = Loc::remat(*v);
            }
        }
        r.spilled.sort_unstable();
        self.out.stats.spilled = r.spilled.len() as u32;
        for &key in &r.spilled {
            let vreg = key as u32 as usize;
            let mut last = pieces.first[vreg];
            let from = pieces.all[last as usize].from;
            while pieces.all[last as usize].next != NONE {
                last = pieces.all[last as usize].next;
            }
            let is_of_class = |&&hint: &&u32| hint != NONE && f.classes[hint as usize] == f.classes[vreg];
            let wishes = intervals.hints[vreg].vregs.iter().filter(is_of_class).map(|&hint| r.slot_of[hint as usize]);
            let wish = wishes.min().unwrap_or(NONE);
            let class = f.classes[vreg];
            let slot = r.slots.alloc(machine, class, from, pieces.all[last as usize].to, wish);
            r.slot_of[vreg] = slot;
            r.homes[vreg] = r.slots.loc(class, slot);
        }
    }

    /// Notes the location of each piece.
    fn place_pieces(&mut self) {
        let Run { f, pieces, r, .. } = self;
        let Rewrite { locs, homes, .. } = &mut **r;
        locs.clear();
        locs.extend(pieces.all.iter().map(|piece| {
            if piece.loc == MEMORY {
                homes[piece.vreg as usize]
            } else {
                Loc::reg(PReg::new(piece.loc & 63, f.classes[piece.vreg as usize]))
            }
        }));
    }

    /// The location of a piece.
    #[inline]
    fn loc(&self, piece: u32) -> Loc {
        self.r.locs[piece as usize]
    }

    /// The piece of a vreg at a position at which it is alive.
    fn piece_at(&self, vreg: VReg, pos: u32) -> u32 {
        let mut piece = self.pieces.first[vreg.index()];
        while self.pieces.all[piece as usize].to <= pos {
            piece = self.pieces.all[piece as usize].next;
        }
        piece
    }

    fn request(&mut self, gap: u32, stage: Stage, from: Loc, to: Loc, class: RegClass) {
        if from != to {
            let key = u64::from(gap) << 4 | stage as u64;
            self.r.requests.push(Request { key, from, to, class, spilled: NONE });
        }
    }

    #[inline(never)]
    fn collect_transitions(&mut self) {
        self.r.requests.clear();
        self.r.edge_requests.clear();
        self.r.leave_weight.clear();
        self.r.leave_weight.resize(self.f.classes.len(), 0.0);
        let pieces = self.pieces;
        if pieces.all.len() > pieces.first.len() || !self.f.params.items.is_empty() {
            let split = |vreg: VReg| {
                let first = pieces.first[vreg.index()];
                first != NONE && pieces.all[first as usize].next != NONE
            };
            self.transitions_in_blocks();
            let mut set = core::mem::take(&mut self.r.split);
            self.liveness.set_of(&mut set, split);
            for b in 0..self.f.num_blocks() {
                for &edge in self.cfg.preds(b) {
                    self.transitions_on_edge(edge as usize, b, &set);
                }
            }
            self.r.split = set;
        }
    }

    fn transitions_in_blocks(&mut self) {
        let mut block = 0;
        for p in 0..self.pieces.all.len() {
            let before = &self.pieces.all[p];
            let Some(after) = self.pieces.all.get(before.next as usize) else { continue };
            if !after.continues {
                continue;
            }
            let gap = after.from;
            let inst = gap / 2;
            if !(self.f.block_insts[block]..self.f.block_insts[block + 1]).contains(&inst) {
                block = self.f.block_insts.partition_point(|&start| start <= inst) - 1;
            }
            if self.f.block_insts[block] == inst {
                continue;
            }
            let (from, to) = (self.loc(p as u32), self.loc(before.next));
            let weight = self.cfg.weight(block);
            self.transition(u64::from(gap) << 4 | Stage::Transition as u64, false, from, to, VReg(after.vreg), weight);
        }
    }

    /// Where moves on an edge are made: at the start of its target, at the end of its source, or on it.
    fn edge_key(&self, edge: usize, stage: Stage) -> (bool, u64) {
        let f = self.f;
        let (from, to) = (self.cfg.edge_from(edge), f.succs.items[edge].0 as usize);
        let terminator = f.block_insts[from + 1] - 1;
        if self.cfg.preds(to).len() == 1 && to != 0 {
            (false, u64::from(2 * f.block_insts[to]) << 4 | stage as u64)
        } else if f.succs.get(from).len() == 1 && is_plain_jump(f, terminator) {
            (false, u64::from(2 * terminator) << 4 | Stage::EdgeOut as u64)
        } else {
            (true, (edge as u64) << 4 | stage as u64)
        }
    }

    /// A vreg moves from one of its pieces to another.
    fn transition(&mut self, key: u64, on_edge: bool, from: Loc, to: Loc, vreg: VReg, weight: f32) {
        if from == to || to.as_remat().is_some() {
            return;
        }
        let class = self.f.classes[vreg.index()];
        let mut spilled = NONE;
        if to == self.r.homes[vreg.index()] {
            self.r.leave_weight[vreg.index()] += weight;
            spilled = vreg.0;
        }
        let requests = if on_edge { &mut self.r.edge_requests } else { &mut self.r.requests };
        requests.push(Request { key, from, to, class, spilled });
    }

    fn transitions_on_edge(&mut self, edge: usize, to: usize, split: &[u64]) {
        let f = self.f;
        let from = self.cfg.edge_from(edge);
        let end = 2 * f.block_insts[from + 1];
        let start = 2 * f.block_insts[to];
        let (on_edge, key) = self.edge_key(edge, Stage::EdgeIn);
        let weight = self.cfg.weight(from).min(self.cfg.weight(to));
        let liveness = self.liveness;
        liveness.for_each_live_in_among(to, split, |vreg| {
            let (from, to) = (self.loc(self.piece_at(vreg, end - 1)), self.loc(self.piece_at(vreg, start)));
            self.transition(key, on_edge, from, to, vreg, weight);
        });
        for (&arg, &param) in f.args.get(edge).iter().zip(f.params.get(to)) {
            let (from, to) = (self.loc(self.piece_at(arg, end - 1)), self.loc(self.piece_at(param, start)));
            if from != to && to.as_remat().is_none() {
                let class = f.classes[arg.index()];
                let requests = if on_edge { &mut self.r.edge_requests } else { &mut self.r.requests };
                requests.push(Request { key, from, to, class, spilled: NONE });
            }
        }
    }

    #[inline(never)]
    fn choose_stores(&mut self) {
        let Run { f, intervals, r, .. } = self;
        r.stored_at_def.clear();
        r.stored_at_def.extend((0..f.classes.len()).map(|v| {
            r.homes[v].as_slot().is_some()
                && (r.leave_weight[v] >= intervals.vregs[v].def_weight || intervals.vregs[v].needs_stack)
        }));
        let stored = &r.stored_at_def;
        let needed = |request: &Request| request.spilled == NONE || !stored[request.spilled as usize];
        r.requests.retain(needed);
        r.edge_requests.retain(needed);
        for b in 0..self.f.num_blocks() {
            for &param in self.f.params.get(b) {
                if self.r.stored_at_def[param.index()] {
                    let start = 2 * self.f.block_insts[b];
                    let loc = self.loc(self.piece_at(param, start));
                    let (home, class) = (self.r.homes[param.index()], self.f.classes[param.index()]);
                    self.request(start, Stage::Params, loc, home, class);
                }
            }
        }
    }
}

/// Whether an instruction mentions no register, so that moves may be put before it on behalf of its successor.
fn is_plain_jump(f: &Function, inst: u32) -> bool {
    f.operands.get(inst as usize).is_empty() && f.clobbers.binary_search_by_key(&Inst(inst), |c| c.0).is_err()
}

/// What a slot that belongs to no vreg is for. Those of different purposes are never the same.
#[derive(Clone, Copy)]
enum Purpose {
    /// To save a borrowed register around an instruction.
    Borrow,
    /// For a value that ends in a gap.
    Dying,
    /// To break a cycle, or to save a register for a move between slots.
    Moves,
}

/// Slots that belong to no vreg, by purpose and class.
#[derive(Default)]
struct ExtraSlots {
    slots: [[Vec<Loc>; RegClass::COUNT]; 3],
}

impl ExtraSlots {
    /// The `n`-th slot.
    fn get(&mut self, slots: &mut Slots, machine: &Machine, purpose: Purpose, class: RegClass, n: usize) -> Loc {
        let extra = &mut self.slots[purpose as usize][class as usize];
        while extra.len() <= n {
            extra.push(Loc::slot(slots.fresh(machine, class)));
        }
        extra[n]
    }
}
