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

use crate::cfg::Cfg;
use crate::intervals::{Intervals, NONE};
use crate::liveness::Liveness;
use crate::matrix::Matrix;
use crate::moves::{MoveResolver, Scratch};
use crate::scan::{MEMORY, Pieces};
use crate::slots::Slots;
use crate::{
    Constraint, EdgeMove, Error, Function, Inst, Loc, Machine, Move, Operand, OperandKind, OperandPos, Output, PReg,
    PRegSet, RegClass, VReg,
};
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
    // ---- 1. Slots ----

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

    // ---- 2. Transitions ----

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

    // ---- 3. Stores ----

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

    // ---- 4. Operands ----

    #[inline(never)]
    fn rewrite_operands(&mut self) -> Result<(), Error> {
        let f = self.f;
        self.out.locs.clear();
        self.out.locs.resize(f.operands.items.len(), Loc::NONE);
        let mut current = core::mem::take(&mut self.r.current);
        current.clear();
        current.extend(self.pieces.first.iter().map(|&piece| {
            if piece == NONE {
                Cursor { piece, to: u32::MAX, loc: Loc::NONE, is_reg: false, is_stored: false }
            } else {
                self.cursor(piece)
            }
        }));
        self.r.current = current;
        for b in 0..f.num_blocks() {
            for i in f.insts(b) {
                let range = f.operands.range(i);
                let mut plain = true;
                for k in range.clone() {
                    let op = &f.operands.items[k];
                    if op.vreg == VReg::NONE {
                        let Constraint::Fixed(reg) = op.constraint else { continue };
                        self.out.locs[k] = Loc::reg(reg);
                        continue;
                    }
                    let cursor = self.cursor_at(op, i as u32);
                    self.out.locs[k] = cursor.loc;
                    // Without branches on what is as good as random.
                    plain &= !(cursor.is_stored & (op.kind == OperandKind::Def));
                    if matches!(op.constraint, Constraint::Any | Constraint::Reg) {
                        plain &= cursor.is_reg | (op.constraint == Constraint::Any);
                    } else {
                        plain &= self.satisfies(op, cursor.loc);
                    }
                }
                if !plain {
                    self.fix_up(b, i as u32)?;
                }
            }
        }
        Ok(())
    }

    /// The piece of the operand's vreg at its position.
    #[inline]
    fn cursor_at(&mut self, op: &Operand, inst: u32) -> Cursor {
        let is_late = op.pos == OperandPos::Late && !matches!(op.constraint, Constraint::Reuse(_));
        let pos = 2 * inst + u32::from(is_late);
        let cursor = self.r.current[op.vreg.index()];
        if pos < cursor.to { cursor } else { self.advance(op.vreg, pos) }
    }

    /// The piece at a position behind the cursor's piece. The input of a reusing def may end in the gap before; then
    /// it does not matter: it is fixed up.
    fn advance(&mut self, vreg: VReg, pos: u32) -> Cursor {
        let mut cursor = self.r.current[vreg.index()];
        while cursor.to <= pos {
            cursor = self.cursor(self.pieces.all[cursor.piece as usize].next);
        }
        self.r.current[vreg.index()] = cursor;
        cursor
    }

    fn cursor(&self, piece: u32) -> Cursor {
        let is_last = self.pieces.all[piece as usize].next == NONE;
        let to = if is_last { u32::MAX } else { self.pieces.all[piece as usize].to };
        let loc = self.loc(piece);
        let vreg = self.pieces.all[piece as usize].vreg as usize;
        let is_stored = self.r.stored_at_def[vreg] && loc != self.r.homes[vreg];
        Cursor { piece, to, loc, is_reg: !self.is_memory(loc), is_stored }
    }

    #[inline]
    fn is_stored(&self, op: &Operand, loc: Loc) -> bool {
        self.r.stored_at_def[op.vreg.index()] && loc != self.r.homes[op.vreg.index()]
    }

    #[inline]
    fn satisfies(&self, op: &Operand, loc: Loc) -> bool {
        match op.constraint {
            Constraint::Any => true,
            Constraint::Reg => loc.as_reg().is_some_and(|reg| !self.machine.stack_regs.contains(reg)),
            Constraint::Limit(limit) => {
                loc.as_reg().is_some_and(|reg| reg.number() < limit && !self.machine.stack_regs.contains(reg))
            }
            Constraint::Fixed(reg) => loc == Loc::reg(reg),
            Constraint::Stack => self.is_memory(loc) && loc.as_remat().is_none(),
            Constraint::Reuse(_) => false,
        }
    }

    fn is_memory(&self, loc: Loc) -> bool {
        loc.as_reg().is_none_or(|reg| self.machine.stack_regs.contains(reg))
    }

    /// Satisfies the operands of an instruction whose vregs are not all where they may be.
    #[inline(never)]
    fn fix_up(&mut self, b: usize, inst: u32) -> Result<(), Error> {
        let f = self.f;
        let first = f.operands.range(inst as usize).start;
        let operands = f.operands.get(inst as usize);
        self.r.inst_requests = self.r.requests.len();
        let mut reused = 0u64;
        for op in operands {
            if let Constraint::Reuse(input) = op.constraint {
                reused |= 1 << input;
            }
        }
        let is_reused = |k: usize| k < 64 && reused >> k & 1 != 0;
        // Named registers first, then pairs of a reused input and its def, then whatever register is left.
        let mut unsettled = 0;
        for (k, op) in operands.iter().enumerate() {
            let natural = self.out.locs[first + k];
            if self.satisfies(op, natural) || op.vreg == VReg::NONE || is_reused(k) {
                continue;
            }
            let wanted = match op.constraint {
                Constraint::Fixed(reg) => Loc::reg(reg),
                Constraint::Stack => self.r.homes[op.vreg.index()],
                Constraint::Reuse(_) => continue,
                _ => {
                    unsettled += 1;
                    continue;
                }
            };
            self.out.locs[first + k] = wanted;
            match op.kind {
                OperandKind::Use if op.constraint == Constraint::Stack && self.r.stored_at_def[op.vreg.index()] => {}
                OperandKind::Use => self.before(inst, natural, wanted, op),
                OperandKind::Def => self.after(b, inst, wanted, natural, op.vreg),
            }
        }
        for (k, op) in operands.iter().enumerate().filter(|_| reused != 0) {
            if let Constraint::Reuse(input) = op.constraint {
                self.fix_up_reuse(b, inst, k, input as usize)?;
            }
        }
        for (k, op) in operands.iter().enumerate().filter(|_| unsettled != 0) {
            let is_settled = is_reused(k) || matches!(op.constraint, Constraint::Reuse(_)) || op.vreg == VReg::NONE;
            if !is_settled && !self.satisfies(op, self.out.locs[first + k]) {
                self.fix_up_reg(b, inst, k, reused)?;
            }
        }
        // Defs that need no other place but are stored.
        for (k, op) in operands.iter().enumerate().filter(|(_, op)| op.kind == OperandKind::Def) {
            let loc = self.out.locs[first + k];
            if self.is_stored(op, loc) && self.is_alive_after(op.vreg, inst) {
                self.request_after(b, inst, loc, self.r.homes[op.vreg.index()], f.classes[op.vreg.index()]);
            }
        }
        Ok(())
    }

    /// Gives an operand that needs some register one for this instruction.
    fn fix_up_reg(&mut self, b: usize, inst: u32, k: usize, reused: u64) -> Result<(), Error> {
        let f = self.f;
        let first = f.operands.range(inst as usize).start;
        let operands = f.operands.get(inst as usize);
        let op = &operands[k];
        let loc = self.out.locs[first + k];
        if op.kind == OperandKind::Def && loc.as_remat().is_some() {
            // The constant is made where it is used: this def writes nothing.
            return Ok(());
        }
        let shared = operands.iter().enumerate().find_map(|(other, o)| {
            let there = self.out.locs[first + other];
            let is_ready = o.vreg == op.vreg && o.kind == op.kind && o.pos == op.pos && other != k;
            let is_reused = other < 64 && reused >> other & 1 != 0;
            (is_ready && !is_reused && self.satisfies(op, there)).then_some(there)
        });
        if let Some(there) = shared {
            self.out.locs[first + k] = there;
            return Ok(());
        }
        let early = op.kind == OperandKind::Use || op.pos == OperandPos::Early;
        let late = op.kind == OperandKind::Def || op.pos == OperandPos::Late;
        let limit = if let Constraint::Limit(limit) = op.constraint { limit } else { 64 };
        let temp = self.temporary(b, inst, f.classes[op.vreg.index()], early, late, limit)?;
        self.out.locs[first + k] = temp;
        match op.kind {
            OperandKind::Use => self.before(inst, loc, temp, op),
            OperandKind::Def => self.after(b, inst, temp, loc, op.vreg),
        }
        Ok(())
    }

    /// Gives a def the register of its input, to which the input is copied unless it is there already.
    fn fix_up_reuse(&mut self, b: usize, inst: u32, k: usize, input: usize) -> Result<(), Error> {
        let f = self.f;
        let first = f.operands.range(inst as usize).start;
        let operands = f.operands.get(inst as usize);
        let (def, use_) = (&operands[k], &operands[input]);
        let class = f.classes[def.vreg.index()];
        let natural = self.out.locs[first + k];
        let wanted = match use_.constraint {
            Constraint::Any => Constraint::Reg,
            other => other,
        };
        let start = 2 * f.block_insts[b];
        // If both are the same vreg, what is alive at the instruction is the new value.
        let is_alive = use_.vreg != def.vreg && self.is_alive_at(use_.vreg, 2 * inst);
        let source = if is_alive { 2 * inst } else { (2 * inst).max(start + 1) - 1 };
        let source = self.loc(self.piece_at(use_.vreg, source));
        let target = if let Constraint::Fixed(reg) = wanted {
            Loc::reg(reg)
        } else if self.satisfies(&Operand { constraint: wanted, ..*def }, natural) && !uses_own_def(operands, def) {
            natural
        } else {
            let limit = if let Constraint::Limit(limit) = wanted { limit } else { 64 };
            self.temporary(b, inst, class, true, true, limit)?
        };
        if is_alive {
            self.request(2 * inst, Stage::Before, source, target, class);
        } else {
            // The input ends in the gap, where another value may be moving into its register: move along with that.
            self.request_dying(inst, source, target, class);
        }
        self.out.locs[first + k] = target;
        self.out.locs[first + input] = target;
        if target != natural {
            self.after(b, inst, target, natural, def.vreg);
        }
        Ok(())
    }

    /// Copies the last of a value in the gap before an instruction, together with the transitions there; by way of memory
    /// if the target is a register that must be saved first.
    fn request_dying(&mut self, inst: u32, source: Loc, target: Loc, class: RegClass) {
        let gap = 2 * inst;
        let borrowed = u64::from(gap) << 4 | Stage::Borrow as u64;
        let saved = || self.r.requests[self.r.inst_requests..].iter().filter(|r| r.key == borrowed);
        if saved().any(|r| r.from == target) {
            let nth = saved().count();
            let slot = self.extra_slot(Purpose::Dying, class, nth);
            self.request(gap, Stage::Transition, source, slot, class);
            self.request(gap, Stage::Before, slot, target, class);
        } else {
            self.request(gap, Stage::Transition, source, target, class);
        }
    }

    fn before(&mut self, inst: u32, from: Loc, to: Loc, op: &Operand) {
        self.request(2 * inst, Stage::Before, from, to, self.f.classes[op.vreg.index()]);
    }

    /// Takes the result of a def to where its vreg lives. A store at the def is requested elsewhere.
    fn after(&mut self, b: usize, inst: u32, from: Loc, to: Loc, vreg: VReg) {
        let is_home = to == self.r.homes[vreg.index()];
        if to.as_remat().is_none()
            && !(is_home && self.r.stored_at_def[vreg.index()])
            && self.is_alive_after(vreg, inst)
        {
            self.request_after(b, inst, from, to, self.f.classes[vreg.index()]);
        }
    }

    /// A move after an instruction; after the last one of a block, at the start of its successors.
    fn request_after(&mut self, b: usize, inst: u32, from: Loc, to: Loc, class: RegClass) {
        let f = self.f;
        if inst + 1 < f.block_insts[b + 1] {
            self.request(2 * inst + 2, Stage::After, from, to, class);
            return;
        }
        for edge in f.succs.range(b) {
            let (on_edge, key) = self.edge_key(edge, Stage::After);
            let requests = if on_edge { &mut self.r.edge_requests } else { &mut self.r.requests };
            requests.push(Request { key, from, to, class, spilled: NONE });
        }
    }

    fn is_alive_at(&self, vreg: VReg, pos: u32) -> bool {
        let mut piece = self.r.current[vreg.index()].piece;
        while let Some(p) = self.pieces.all.get(piece as usize) {
            if pos < p.to {
                return self.intervals.ranges(p.range).any(|range| range.from <= pos && pos < range.to);
            }
            piece = p.next;
        }
        false
    }

    /// Whether anybody will read what an instruction defines.
    fn is_alive_after(&self, vreg: VReg, inst: u32) -> bool {
        // The input of a reusing def is used in the gap after the position before.
        let mut uses = self.intervals.uses(self.pieces.all[self.r.current[vreg.index()].piece as usize].use_);
        self.is_alive_at(vreg, 2 * inst + 2)
            || uses.any(|use_| !use_.is_def && use_.pos == 2 * inst + 1)
            || (self.f.block_insts.binary_search(&(inst + 1)).is_ok() && self.f.num_insts() as u32 != inst + 1)
    }

    /// A register for one instruction, early or late in it or both. If none is free, one that the instruction does not
    /// use is saved before and restored after it.
    fn temporary(
        &mut self,
        b: usize,
        inst: u32,
        class: RegClass,
        early: bool,
        late: bool,
        limit: u8,
    ) -> Result<Loc, Error> {
        self.out.stats.temporaries += 1;
        let positions = 2 * inst + u32::from(!early)..2 * inst + 1 + u32::from(late);
        let allowed = self.machine.allocatable(class) & if limit < 64 { (1 << limit) - 1 } else { u64::MAX };
        let taken = positions.clone().fold(0, |all, pos| all | self.matrix.at(class, pos));
        let free = allowed & !taken;
        let reg = if free != 0 {
            PReg::new(free.trailing_zeros() as u8, class)
        } else {
            self.borrow(b, inst, class, allowed)?
        };
        for pos in positions {
            self.matrix.set(class, pos, reg.bit());
        }
        Ok(Loc::reg(reg))
    }

    /// Saves a register around an instruction: one that the instruction leaves alone, else one of an operand that may as
    /// well be in memory.
    fn borrow(&mut self, b: usize, inst: u32, class: RegClass, allowed: u64) -> Result<PReg, Error> {
        let f = self.f;
        let range = f.operands.range(inst as usize);
        let operands = f.operands.get(inst as usize);
        let clobbered = match f.clobbers.binary_search_by_key(&Inst(inst), |c| c.0) {
            Ok(at) => f.clobbers[at].1,
            Err(_) => PRegSet::EMPTY,
        };
        let mut used = clobbered.0[class as usize];
        let mut flexible = 0;
        for (op, &loc) in operands.iter().zip(&self.out.locs[range.clone()]) {
            // The result of a def that is made elsewhere goes there afterwards.
            let natural = self.r.current.get(op.vreg.index()).map_or(Loc::NONE, |cursor| cursor.loc);
            if let (OperandKind::Def, Some(reg)) = (op.kind, natural.as_reg().filter(|reg| reg.class() == class))
                && loc != natural
            {
                used |= reg.bit();
            }
        }
        for (op, loc) in operands.iter().zip(&self.out.locs[range.clone()]) {
            if let Some(reg) = loc.as_reg().filter(|reg| reg.class() == class) {
                let is_reused = operands.iter().any(|def| matches!(def.constraint, Constraint::Reuse(_)));
                if op.constraint == Constraint::Any && used & reg.bit() == 0 && !is_reused {
                    flexible |= reg.bit();
                } else {
                    flexible &= !reg.bit();
                }
                used |= reg.bit();
            }
        }
        let gap = 2 * inst;
        let save = u64::from(gap) << 4 | Stage::Borrow as u64;
        let mut borrowed = 0;
        for r in self.r.requests[self.r.inst_requests..].iter().filter(|r| r.key == save) {
            borrowed += 1;
            if let Some(reg) = r.from.as_reg().filter(|reg| reg.class() == class) {
                used |= reg.bit();
                flexible &= !reg.bit();
            }
        }
        let slot = self.extra_slot(Purpose::Borrow, class, borrowed);
        let unused = allowed & !used;
        if unused != 0 {
            let reg = PReg::new(unused.trailing_zeros() as u8, class);
            self.request(gap, Stage::Borrow, Loc::reg(reg), slot, class);
            self.request_after(b, inst, slot, Loc::reg(reg), class);
            return Ok(reg);
        }
        if flexible & allowed == 0 {
            return Err(Error::TooFewRegisters(Inst(inst), class));
        }
        let reg = PReg::new((flexible & allowed).trailing_zeros() as u8, class);
        self.request(gap, Stage::Borrow, Loc::reg(reg), slot, class);
        self.request_after(b, inst, slot, Loc::reg(reg), class);
        for k in range {
            if self.out.locs[k] == Loc::reg(reg) {
                self.out.locs[k] = slot;
            }
        }
        Ok(reg)
    }

    fn extra_slot(&mut self, purpose: Purpose, class: RegClass, n: usize) -> Loc {
        self.r.extra_slots.get(&mut self.r.slots, self.machine, purpose, class, n)
    }

    // ---- 5. Order ----

    #[inline(never)]
    fn order_moves(&mut self) -> Result<(), Error> {
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

/// Whether an instruction reads the old value of a vreg other than as the input that its def reuses.
pub(crate) fn uses_own_def(operands: &[Operand], def: &Operand) -> bool {
    operands.iter().enumerate().any(|(k, op)| {
        op.kind == OperandKind::Use && op.vreg == def.vreg && def.constraint != Constraint::Reuse(k as u8)
    })
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
