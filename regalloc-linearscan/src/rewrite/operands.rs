//! Every operand's location: where its vreg is, or where the instruction wants it, with copies between.

use super::{Cursor, Purpose, Request, Run, Stage};
use crate::intervals::NONE;
use crate::{Constraint, Error, Inst, Loc, Operand, OperandKind, OperandPos, PReg, PRegSet, RegClass, VReg};

impl Run<'_> {
    #[inline(never)]
    pub(super) fn rewrite_operands(&mut self) -> Result<(), Error> {
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
}

/// Whether an instruction reads the old value of a vreg other than as the input that its def reuses.
pub(crate) fn uses_own_def(operands: &[Operand], def: &Operand) -> bool {
    operands.iter().enumerate().any(|(k, op)| {
        op.kind == OperandKind::Use && op.vreg == def.vreg && def.constraint != Constraint::Reuse(k as u8)
    })
}
