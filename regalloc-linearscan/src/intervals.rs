//! Live intervals with lifetime holes, and use positions.
//!
//! # Positions
//! Instruction `i` has two positions: early `2i` and late `2i + 1`. A range `[from, to)` covers the positions at which a
//! value needs its location for itself:
//!
//! | operand | covers up to / from |
//! |---|---|
//! | early use | up to and including `2i` |
//! | late use | up to and including `2i + 1` |
//! | late def | from `2i + 1` |
//! | early def, and late def that reuses an input | from `2i` |
//! | use that is reused by a def | up to the gap before `2i`, where it is copied to the def's register if it isn't there already |
//! | live out of a block, or passed along an edge | to the end of the block |
//!
//! Moves are made in *gaps*: before an even position. Places that an instruction names itself (fixed operands, clobbers)
//! are reserved in the occupancy matrix.
//!
//! Built in one backward pass over the code (Wimmer & Mössenböck, *Optimized Interval Splitting in a Linear Scan Register
//! Allocator*, VEE 2005, section 3.1). Cost: O(operands + live-out entries).

use crate::cfg::Cfg;
use crate::liveness::Liveness;
use crate::matrix::Matrix;
use crate::rewrite::uses_own_def;
use crate::{Constraint, Error, Function, Inst, Operand, OperandKind, OperandPos, PReg, RegClass, VReg};
use alloc::vec::Vec;

/// The end of a list, and no piece or vreg.
pub(crate) const NONE: u32 = u32::MAX;

/// The positions `from..to`, and the next later range of the same interval.
#[derive(Clone, Copy)]
pub(crate) struct Range {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) next: u32,
}

/// A mention of a vreg.
#[derive(Clone, Copy)]
pub(crate) struct Use {
    pub(crate) pos: u32,
    /// The next later one of the same interval.
    pub(crate) next: u32,
    /// How often it runs.
    pub(crate) weight: f32,
    pub(crate) constraint: Constraint,
    pub(crate) is_def: bool,
}

impl Use {
    #[inline(always)]
    fn new(pos: u32, weight: f32, constraint: Constraint, is_def: bool) -> Use {
        Use { pos, next: NONE, weight, constraint, is_def }
    }

    /// Whether the operand needs a register, so that a value in memory costs a load or store.
    #[inline]
    pub(crate) fn needs_reg(&self) -> bool {
        matches!(self.constraint, Constraint::Reg | Constraint::Limit(_))
    }
}

#[derive(Default)]
pub(crate) struct Intervals {
    pub(crate) ranges: Vec<Range>,
    pub(crate) uses: Vec<Use>,
    pub(crate) vregs: Vec<VRegInfo>,
    pub(crate) hints: Vec<Hints>,
    /// Vregs with a position at which each starts, unless it is already alive there: descending by instruction.
    pub(crate) defs: Vec<(u32, VReg)>,
}

/// What is known of a vreg.
#[derive(Clone, Copy)]
pub(crate) struct VRegInfo {
    pub(crate) range: u32,
    pub(crate) use_: u32,
    /// How often it is written.
    pub(crate) def_weight: f32,
    /// Registers that it may not have because of [`Constraint::Limit`] are not in here.
    pub(crate) allowed: u64,
    /// Some operand names its register.
    pub(crate) has_fixed: bool,
    /// Some operand must be in memory.
    pub(crate) needs_stack: bool,
    /// Needs no spill slot: a constant.
    pub(crate) is_constant: bool,
    /// See [`Hints::input`].
    pub(crate) takes_over: bool,
    /// There are hints.
    pub(crate) has_hints: bool,
}

/// What would save moves.
#[derive(Clone, Copy)]
pub(crate) struct Hints {
    /// Two vregs that would like the same register, or [`NONE`]: those for which that saves most moves.
    pub(crate) vregs: [u32; 2],
    /// How often it would save one.
    pub(crate) weights: [f32; 2],
    /// The vreg reuses this input in the first instruction of a block. The input is alive there, for it lives into the
    /// block, yet the vreg may have its register.
    pub(crate) input: u32,
}

const FRESH: VRegInfo = VRegInfo {
    range: NONE,
    use_: NONE,
    def_weight: 0.0,
    allowed: u64::MAX,
    has_fixed: false,
    needs_stack: false,
    is_constant: false,
    takes_over: false,
    has_hints: false,
};

impl Intervals {
    /// Builds the intervals of all vregs and reserves in the matrix what instructions name.
    #[inline(never)]
    pub(crate) fn build(
        &mut self,
        f: &Function,
        cfg: &Cfg,
        liveness: &Liveness,
        matrix: &mut Matrix,
    ) -> Result<(), Error> {
        self.ranges.clear();
        self.uses.clear();
        self.vregs.clear();
        self.defs.clear();
        self.vregs.resize(f.classes.len(), FRESH);
        self.hints.clear();
        self.hints.resize(f.classes.len(), Hints { vregs: [NONE; 2], weights: [0.0; 2], input: NONE });
        for &v in f.constants {
            self.vregs.get_mut(v.index()).ok_or(Error::NoSuchVReg(v, Inst(0)))?.is_constant = true;
        }
        for &(a, b) in f.hints {
            if a.index().max(b.index()) >= f.classes.len() {
                return Err(Error::NoSuchVReg(a.max(b), Inst(0)));
            }
            self.hint(a, b, 1.0);
        }

        let mut clobbers = f.clobbers;
        for b in (0..f.num_blocks()).rev() {
            let weight = cfg.weight(b);
            let (start, end) = (2 * f.block_insts[b], 2 * f.block_insts[b + 1]);
            liveness.for_each_live_out(b, |vreg| self.add_block(vreg, start, end));
            for e in f.succs.range(b) {
                let to = f.succs.items[e].0 as usize;
                for (&arg, &param) in f.args.get(e).iter().zip(f.params.get(to)) {
                    self.use_at(arg, start, end, Use::new(end - 1, weight, Constraint::Any, false));
                    self.hint(arg, param, weight);
                }
            }
            for i in f.insts(b).rev() {
                if let Some((&(inst, set), rest)) = clobbers.split_last() {
                    if inst.0 as usize == i {
                        for class in RegClass::ALL {
                            matrix.set(class, 2 * inst.0 + 1, set.0[class as usize]);
                        }
                        clobbers = rest;
                    } else if inst.0 as usize > i {
                        return Err(Error::MalformedOperand(inst, 0));
                    }
                }
                self.add_operands(f, i as u32, start, weight, matrix)?;
            }
            for &param in f.params.get(b) {
                self.define(param, start + 1, Use::new(start, weight, Constraint::Any, true));
            }
        }
        match clobbers.last() {
            Some(&(inst, _)) => Err(Error::MalformedOperand(inst, 0)),
            None => Ok(()),
        }
    }

    fn add_operands(
        &mut self,
        f: &Function,
        inst: u32,
        block_start: u32,
        weight: f32,
        matrix: &mut Matrix,
    ) -> Result<(), Error> {
        let operands = f.operands.get(inst as usize);
        let (early, late) = (2 * inst, 2 * inst + 1);
        let mut reused = 0u64;
        for (k, op) in operands.iter().enumerate() {
            if op.kind != OperandKind::Def {
                continue;
            }
            let malformed = Error::MalformedOperand(Inst(inst), k as u32);
            // One def per vreg.
            if op.vreg == VReg::NONE || self.is_defined_by(op.vreg, early..late + 1) {
                return Err(malformed);
            }
            let (from, constraint) = match op.constraint {
                Constraint::Reuse(input) => {
                    let input = input as usize;
                    let target = operands.get(input).ok_or(malformed)?;
                    let fits = target.kind == OperandKind::Use
                        && target.pos == OperandPos::Early
                        && target.vreg != VReg::NONE
                        && op.pos == OperandPos::Late
                        && input < 64
                        && reused >> input & 1 == 0
                        && f.classes[target.vreg.index()] == f.classes[op.vreg.index()]
                        && !matches!(target.constraint, Constraint::Stack | Constraint::Reuse(_));
                    if !fits {
                        return Err(malformed);
                    }
                    reused |= 1 << input;
                    if let Constraint::Fixed(reg) = target.constraint {
                        self.reserve(f, inst, op.vreg, reg, early..late + 1, matrix, k as u32)?;
                    }
                    self.hint(op.vreg, target.vreg, weight);
                    if early == block_start && target.vreg != op.vreg {
                        self.vregs[op.vreg.index()].takes_over = true;
                        self.hints[op.vreg.index()].input = target.vreg.0;
                    }
                    let constraint = match target.constraint {
                        Constraint::Any => Constraint::Reg,
                        other => other,
                    };
                    // If the old value is read, too, the new one is made elsewhere.
                    (if uses_own_def(operands, op) { late } else { early }, constraint)
                }
                other if op.pos == OperandPos::Early => (early, other),
                other => (late, other),
            };
            if let Constraint::Fixed(reg) = op.constraint {
                self.reserve(f, inst, op.vreg, reg, from..late + 1, matrix, k as u32)?;
            }
            self.define(op.vreg, late + 1, Use::new(from, weight, constraint, true));
        }
        for (k, op) in operands.iter().enumerate() {
            if op.kind != OperandKind::Use {
                continue;
            }
            if op.vreg == VReg::NONE {
                if !matches!(op.constraint, Constraint::Fixed(_)) {
                    return Err(Error::MalformedOperand(Inst(inst), k as u32));
                }
                continue;
            }
            if k < 64 && reused >> k & 1 != 0 {
                // Copied in the gap before the instruction; but what is live into a block is live somewhere in it.
                let to = early.max(block_start + 1);
                self.use_at(op.vreg, block_start, to, Use::new(to - 1, weight, Constraint::Any, false));
                continue;
            }
            let pos = if op.pos == OperandPos::Late { late } else { early };
            // Its old and new value would be needed at the same time.
            let defines = |o: &Operand| o.kind == OperandKind::Def && o.vreg == op.vreg;
            if self.is_defined_by(op.vreg, early..late) || pos == late && operands.iter().any(defines) {
                return Err(Error::MalformedOperand(Inst(inst), k as u32));
            }
            match op.constraint {
                Constraint::Fixed(reg) => {
                    self.reserve(f, inst, op.vreg, reg, early..pos + 1, matrix, k as u32)?;
                }
                Constraint::Reuse(_) => return Err(Error::MalformedOperand(Inst(inst), k as u32)),
                _ => {}
            }
            self.use_at(op.vreg, block_start, pos + 1, Use::new(pos, weight, op.constraint, false));
        }
        Ok(())
    }

    /// Whether the first mention of a vreg seen so far is a def at one of these positions.
    #[inline(always)]
    fn is_defined_by(&self, vreg: VReg, positions: core::ops::Range<u32>) -> bool {
        let first = self.uses.get(self.vregs[vreg.index()].use_ as usize);
        first.is_some_and(|first| first.is_def && positions.contains(&first.pos))
    }

    /// Reserves a register that an operand names. Two operands may share it only if they are the same vreg's.
    #[expect(clippy::too_many_arguments, reason = "everything about one operand")]
    fn reserve(
        &mut self,
        f: &Function,
        inst: u32,
        vreg: VReg,
        reg: PReg,
        positions: core::ops::Range<u32>,
        matrix: &mut Matrix,
        k: u32,
    ) -> Result<(), Error> {
        let class = reg.class();
        if f.classes[vreg.index()] != class {
            return Err(Error::MalformedOperand(Inst(inst), k));
        }
        for pos in positions {
            if matrix.at(class, pos) & reg.bit() != 0 && !may_share(f.operands.get(inst as usize), k, reg, pos & 1 != 0)
            {
                return Err(Error::FixedConflict(Inst(inst), reg));
            }
            matrix.set(class, pos, reg.bit());
        }
        Ok(())
    }

    /// A vreg lives out of a block: all of the block is in its interval, until its def there is seen.
    #[inline]
    fn add_block(&mut self, vreg: VReg, from: u32, to: u32) {
        let info = &mut self.vregs[vreg.index()];
        match self.ranges.get_mut(info.range as usize) {
            Some(range) if range.from <= to => range.from = from,
            _ => Self::add_range_to(info, &mut self.ranges, from, to),
        }
    }

    /// Adds `[from, to)`, where `from` is the start of a block, to the front of an interval.
    #[inline(always)]
    fn add_range_to(info: &mut VRegInfo, ranges: &mut Vec<Range>, from: u32, to: u32) {
        if let Some(range) = ranges.get_mut(info.range as usize) {
            // Ranges that touch at a gap are not joined: the later one starts with a def, so nothing lives across.
            if range.from < to | 1 {
                range.from = range.from.min(from);
                range.to = range.to.max(to);
                return;
            }
        }
        let next = core::mem::replace(&mut info.range, ranges.len() as u32);
        ranges.push(Range { from, to, next });
    }

    /// A use at `pos`: the interval covers `[from, to)`, where `from` is the start of the block.
    #[inline(always)]
    fn use_at(&mut self, vreg: VReg, from: u32, to: u32, use_: Use) {
        let info = &mut self.vregs[vreg.index()];
        Self::add_range_to(info, &mut self.ranges, from, to);
        Self::add_use(info, &mut self.uses, use_);
    }

    /// A def: the interval starts there, and covers all up to `dead_to` even if it is never used.
    fn define(&mut self, vreg: VReg, dead_to: u32, use_: Use) {
        let from = use_.pos;
        let info = &mut self.vregs[vreg.index()];
        match self.ranges.get_mut(info.range as usize) {
            Some(range) if range.from <= from => {
                range.from = from;
                range.to = range.to.max(dead_to);
            }
            _ => {
                let next = core::mem::replace(&mut info.range, self.ranges.len() as u32);
                self.ranges.push(Range { from, to: dead_to, next });
            }
        }
        info.def_weight += use_.weight;
        self.defs.push((from, vreg));
        Self::add_use(info, &mut self.uses, use_);
    }

    #[inline(always)]
    fn add_use(info: &mut VRegInfo, uses: &mut Vec<Use>, mut use_: Use) {
        match use_.constraint {
            Constraint::Any | Constraint::Reg | Constraint::Reuse(_) => {}
            Constraint::Limit(limit) => {
                if limit < 64 {
                    info.allowed &= (1 << limit) - 1;
                }
            }
            Constraint::Fixed(_) => info.has_fixed = true,
            Constraint::Stack => info.needs_stack = true,
        }
        let head = info.use_;
        if uses.get(head as usize).is_none_or(|first| first.pos >= use_.pos) {
            info.use_ = uses.len() as u32;
            use_.next = head;
            uses.push(use_);
        } else {
            Self::insert_use(head, uses, use_);
        }
    }

    /// Operands of one instruction come in any order.
    #[cold]
    fn insert_use(mut at: u32, uses: &mut Vec<Use>, mut use_: Use) {
        while uses.get(uses[at as usize].next as usize).is_some_and(|next| next.pos < use_.pos) {
            at = uses[at as usize].next;
        }
        let index = uses.len() as u32;
        use_.next = core::mem::replace(&mut uses[at as usize].next, index);
        uses.push(use_);
    }

    fn hint(&mut self, a: VReg, b: VReg, weight: f32) {
        for (v, other) in [(a, b), (b, a)] {
            self.vregs[v.index()].has_hints = true;
            let Hints { vregs, weights, .. } = &mut self.hints[v.index()];
            if vregs[0] == other.0 {
                weights[0] += weight;
            } else if weight > weights[0] {
                (*vregs, *weights) = ([other.0, vregs[0]], [weight, weights[0]]);
            } else if weight > weights[1] {
                (vregs[1], weights[1]) = (other.0, weight);
            }
        }
    }

    /// The ranges of an interval, from `head` on.
    pub(crate) fn ranges(&self, head: u32) -> impl Iterator<Item = Range> + '_ {
        core::iter::successors(self.ranges.get(head as usize), |range| self.ranges.get(range.next as usize)).copied()
    }

    /// The uses of an interval, from `head` on.
    pub(crate) fn uses(&self, head: u32) -> impl Iterator<Item = Use> + '_ {
        core::iter::successors(self.uses.get(head as usize), |use_| self.uses.get(use_.next as usize)).copied()
    }
}

/// Whether operand `k` may be in `reg` at the early or late position although it is reserved there: because the other one
/// is the same vreg, or a clobber that the def `k` overrides.
fn may_share(operands: &[Operand], k: u32, reg: PReg, is_late: bool) -> bool {
    let op = operands[k as usize];
    let mut others = operands.iter().enumerate().filter(|&(other, o)| {
        let covers = match (o.kind, o.pos) {
            (OperandKind::Use, OperandPos::Early) => !is_late,
            (OperandKind::Def, OperandPos::Late) => is_late,
            _ => true,
        };
        other != k as usize && covers && o.constraint == Constraint::Fixed(reg) && o.vreg != VReg::NONE
    });
    let is_late_def = op.kind == OperandKind::Def && op.pos == OperandPos::Late && is_late;
    match others.next() {
        Some((_, o)) => o.vreg == op.vreg && o.kind == op.kind && others.all(|(_, o)| o.vreg == op.vreg),
        None => is_late_def,
    }
}
