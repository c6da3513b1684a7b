//! A symbolic checker: proves one allocation right, knowing nothing of how it was made.
//!
//! # Lattice
//! For each location (a register, a unit of the spill area, or `remat(c)`, the place where a constant `c` is always to be
//! had) the set of vregs whose current value it is known to hold.
//! Sets are ordered by inclusion; a state maps locations to sets; `⊤`, the state of a block that has not been reached,
//! holds everything. The state at a join is the meet, location by location the intersection: what every path agrees on.
//! A state with fewer facts is always safe, so the greatest fixed point that iteration from `⊤` reaches is sound:
//! if it says that a location holds `v`, it does on every execution.
//!
//! # Transfer functions
//! With `S` the state before, `S[l]` the set at location `l`:
//!
//! | step | state after |
//! |---|---|
//! | move `l → m` | `S[m ↦ S[l]]` |
//! | def of `v` in `l` | first remove `v` from every set (they hold its old value), then `S[l ↦ {v}]`; if `v` is a constant, `S[remat(v)] ∪ {v}` |
//! | clobber of `l` | `S[l ↦ ∅]` |
//! | any instruction | `S[scratch ↦ ∅]` for the scratch registers |
//! | edge that gives parameters `pᵢ` the values `aᵢ`, at once | `S[l] ∖ {pᵢ} ∪ {pⱼ : aⱼ ∈ S[l]}` for every `l` |
//!
//! An instruction is: uses are checked, early defs, clobbers, late defs, in this order. Moves before a block's last
//! instruction come before the edge's assignment, moves at the start of a block after it. A slot of several units holds
//! `v` if all its units do.
//!
//! # What is checked
//! Of each use, that its location holds its vreg; of each operand, its constraint and class; that no def shares a
//! location with another operand that needs it at the same time, or with a clobber; of moves, that they are in order,
//! join two places of which one is a register, and write only where the allocator may; that slots lie inside of the
//! spill area. Cost: O(rounds × instructions × locations): for tests and debug builds.

use crate::{
    Constraint, Function, Inst, Loc, Machine, Operand, OperandKind, OperandPos, Output, PReg, PRegSet, RegClass, VReg,
};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// Something wrong with an allocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Finding {
    /// On some path, the location of a use does not hold the vreg.
    WrongValue {
        /// The instruction.
        inst: Inst,
        /// The index of the operand.
        operand: u32,
        /// Its vreg.
        vreg: VReg,
        /// Where it was said to be.
        loc: Loc,
    },
    /// An operand's location does not satisfy its constraint, or is of the wrong class.
    Constraint {
        /// The instruction.
        inst: Inst,
        /// The index of the operand.
        operand: u32,
        /// Its location.
        loc: Loc,
    },
    /// A def overwrites an operand that is still needed, or is overwritten by another def or a clobber.
    Conflict {
        /// The instruction.
        inst: Inst,
        /// The index of the operand.
        operand: u32,
        /// Its location.
        loc: Loc,
    },
    /// A move from memory to memory.
    MemoryMove {
        /// The instruction that it precedes.
        before: Inst,
    },
    /// A move to or from nowhere, a register that is not the allocator's, a slot outside of the spill area, a constant
    /// that is none, or between classes.
    BadMove {
        /// The instruction that it precedes.
        before: Inst,
        /// Where it goes.
        to: Loc,
    },
    /// Moves are not in order of position.
    OutOfOrder {
        /// The index of the move.
        index: u32,
    },
    /// The output does not have one location per operand.
    WrongLength,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::WrongValue { inst, operand, vreg, loc } => {
                write!(f, "instruction {}, operand {operand}: {loc:?} does not hold v{}", inst.0, vreg.0)
            }
            Finding::Constraint { inst, operand, loc } => {
                write!(f, "instruction {}, operand {operand} may not be in {loc:?}", inst.0)
            }
            Finding::Conflict { inst, operand, loc } => {
                write!(f, "instruction {}, operand {operand}: {loc:?} is needed by another operand", inst.0)
            }
            Finding::MemoryMove { before } => write!(f, "move from memory to memory before instruction {}", before.0),
            Finding::BadMove { before, to } => write!(f, "malformed move to {to:?} before instruction {}", before.0),
            Finding::OutOfOrder { index } => write!(f, "move {index} is out of order"),
            Finding::WrongLength => write!(f, "not one location per operand"),
        }
    }
}

impl core::error::Error for Finding {}

/// The vregs that a location holds, ascending.
type Set = Vec<u32>;

/// What each location holds: registers first, then units of the spill area.
#[derive(Clone, PartialEq)]
struct State(Vec<Set>);

const REGISTERS: usize = 64 * RegClass::COUNT;

impl State {
    fn remove(&mut self, vreg: VReg) {
        for set in &mut self.0 {
            if let Ok(at) = set.binary_search(&vreg.0) {
                set.remove(at);
            }
        }
    }

    /// Keeps what `other` holds, too. Returns whether something was lost.
    fn meet(&mut self, other: &State) -> bool {
        let mut changed = false;
        for (set, other) in self.0.iter_mut().zip(&other.0) {
            let before = set.len();
            set.retain(|v| other.binary_search(v).is_ok());
            changed |= set.len() != before;
        }
        changed
    }

    /// The parallel assignment of an edge.
    fn assign(&mut self, params: &[VReg], args: &[VReg]) {
        for set in self.0.iter_mut().filter(|set| !set.is_empty()) {
            let gained: Vec<u32> =
                params.iter().zip(args).filter(|(_, a)| set.binary_search(&a.0).is_ok()).map(|(p, _)| p.0).collect();
            set.retain(|v| params.iter().all(|p| p.0 != *v));
            set.extend(gained);
            set.sort_unstable();
            set.dedup();
        }
    }
}

struct Checker<'a> {
    f: &'a Function<'a>,
    machine: &'a Machine,
    out: &'a Output,
    /// Registers that moves may write.
    writable: PRegSet,
}

/// Checks an allocation.
///
/// # Errors
/// The first finding.
pub fn check(f: &Function, machine: &Machine, out: &Output) -> Result<(), Finding> {
    let mut writable = PRegSet(core::array::from_fn(|class| {
        machine.preferred.0[class] | machine.non_preferred.0[class] | machine.stack_regs.0[class]
    }));
    writable = machine.scratch.iter().flatten().copied().fold(writable, PRegSet::with);
    for op in f.operands.items {
        if let (Constraint::Fixed(reg), true) = (op.constraint, op.vreg != VReg::NONE) {
            writable = writable.with(reg);
        }
    }
    Checker { f, machine, out, writable }.run()
}

impl Checker<'_> {
    fn run(&self) -> Result<(), Finding> {
        let Checker { f, out, .. } = self;
        if out.locs.len() != f.operands.items.len() {
            return Err(Finding::WrongLength);
        }
        let is_sorted = |i: usize| i == 0 || out.moves[i - 1].before <= out.moves[i].before;
        if let Some(index) = (0..out.moves.len()).find(|&i| !is_sorted(i)) {
            return Err(Finding::OutOfOrder { index: index as u32 });
        }
        if out.moves.last().is_some_and(|m| m.before.0 as usize >= f.num_insts()) {
            return Err(Finding::OutOfOrder { index: out.moves.len() as u32 - 1 });
        }
        self.check_operands()?;
        let ins = self.solve()?;
        for (b, state) in ins.into_iter().enumerate() {
            if let Some(mut state) = state {
                self.step_block(b, &mut state, true)?;
            }
        }
        Ok(())
    }

    /// The greatest fixed point: the state on entry to each block, `None` if it is never reached.
    fn solve(&self) -> Result<Vec<Option<State>>, Finding> {
        let f = self.f;
        let mut ins: Vec<Option<State>> = vec![None; f.num_blocks()];
        let mut entry = State(vec![Set::new(); REGISTERS + self.out.num_slots as usize]);
        entry.0.extend(f.constants.iter().map(|v| vec![v.0]));
        ins[0] = Some(entry);
        let mut queue = vec![0];
        while let Some(b) = queue.pop() {
            let Some(mut end) = ins[b].clone() else { continue };
            self.step_block(b, &mut end, false)?;
            for edge in f.succs.range(b) {
                let to = f.succs.items[edge].0 as usize;
                let mut state = end.clone();
                let first = self.out.edge_moves.partition_point(|m| (m.edge as usize) < edge);
                for m in self.out.edge_moves[first..].iter().take_while(|m| m.edge as usize == edge) {
                    self.step_move(Inst(f.block_insts[b + 1] - 1), m.from, m.to, m.class, &mut state)?;
                }
                state.assign(f.params.get(to), f.args.get(edge));
                let changed = match &mut ins[to] {
                    Some(known) => known.meet(&state),
                    unreached => {
                        *unreached = Some(state);
                        true
                    }
                };
                if changed && !queue.contains(&to) {
                    queue.push(to);
                }
            }
        }
        Ok(ins)
    }

    /// Takes a state through a block; checks its uses if asked to.
    fn step_block(&self, b: usize, state: &mut State, check: bool) -> Result<(), Finding> {
        let f = self.f;
        let moves = &self.out.moves;
        let mut next = moves.partition_point(|m| m.before.0 < f.block_insts[b]);
        for i in f.insts(b) {
            while let Some(m) = moves.get(next).filter(|m| m.before.0 as usize == i) {
                self.step_move(m.before, m.from, m.to, m.class, state)?;
                next += 1;
            }
            self.step_inst(i, state, check)?;
        }
        Ok(())
    }

    fn step_move(&self, before: Inst, from: Loc, to: Loc, class: RegClass, state: &mut State) -> Result<(), Finding> {
        let bad = Finding::BadMove { before, to };
        let is_writable = to.as_reg().is_none_or(|reg| self.writable.contains(reg));
        if !is_writable || to.as_remat().is_some() || !self.fits(from, class) || !self.fits(to, class) {
            return Err(bad);
        }
        if self.is_memory(from) && self.is_memory(to) {
            return Err(Finding::MemoryMove { before });
        }
        let value = self.held(from, class, state);
        for unit in self.units(to, class) {
            state.0[unit].clone_from(&value);
        }
        Ok(())
    }

    fn step_inst(&self, i: usize, state: &mut State, check: bool) -> Result<(), Finding> {
        let f = self.f;
        let range = f.operands.range(i);
        let operands = || f.operands.get(i).iter().zip(&self.out.locs[range.clone()]);
        if check {
            for (k, (op, &loc)) in operands().enumerate() {
                if op.kind == OperandKind::Use && op.vreg != VReg::NONE {
                    let class = f.classes[op.vreg.index()];
                    if !self.held(loc, class, state).contains(&op.vreg.0) {
                        let (inst, operand) = (Inst(i as u32), k as u32);
                        return Err(Finding::WrongValue { inst, operand, vreg: op.vreg, loc });
                    }
                }
            }
        }
        let mut define = |pos: OperandPos| {
            for (op, &loc) in operands().filter(|(op, _)| op.kind == OperandKind::Def && op.pos == pos) {
                state.remove(op.vreg);
                if let Ok(constant) = f.constants.binary_search(&op.vreg) {
                    let always = REGISTERS + self.out.num_slots as usize + constant;
                    state.0[always].insert(0, op.vreg.0);
                    state.0[always].sort_unstable();
                }
                for unit in self.units(loc, f.classes[op.vreg.index()]).filter(|_| loc.as_remat().is_none()) {
                    state.0[unit] = vec![op.vreg.0];
                }
            }
            if pos == OperandPos::Early {
                for reg in self.clobbers(i).iter().chain(self.machine.scratch.iter().flatten().copied()) {
                    state.0[reg.index()].clear();
                }
            }
        };
        define(OperandPos::Early);
        define(OperandPos::Late);
        Ok(())
    }

    fn clobbers(&self, i: usize) -> PRegSet {
        match self.f.clobbers.binary_search_by_key(&Inst(i as u32), |c| c.0) {
            Ok(at) => self.f.clobbers[at].1,
            Err(_) => PRegSet::EMPTY,
        }
    }

    /// Constraints and conflicts: what does not depend on values.
    fn check_operands(&self) -> Result<(), Finding> {
        let f = self.f;
        for i in 0..f.num_insts() {
            let inst = Inst(i as u32);
            let operands = f.operands.get(i);
            let locs = &self.out.locs[f.operands.range(i)];
            let clobbers = self.clobbers(i);
            for (k, (op, &loc)) in operands.iter().zip(locs).enumerate() {
                let operand = k as u32;
                if !self.satisfies(op, loc, locs) {
                    return Err(Finding::Constraint { inst, operand, loc });
                }
                if op.vreg == VReg::NONE || loc.as_remat().is_some() {
                    continue;
                }
                let is_clobbered = loc.as_reg().is_some_and(|reg| clobbers.contains(reg));
                let outlives = matches!((op.kind, op.pos), (OperandKind::Use, OperandPos::Late))
                    || matches!((op.kind, op.pos), (OperandKind::Def, OperandPos::Early))
                    || op.kind == OperandKind::Def
                        && !matches!(op.constraint, Constraint::Fixed(_) | Constraint::Reuse(_));
                if is_clobbered && outlives {
                    return Err(Finding::Conflict { inst, operand, loc });
                }
                if op.kind == OperandKind::Use {
                    continue;
                }
                for (other, (o, &there)) in operands.iter().zip(locs).enumerate() {
                    if other == k || o.vreg == VReg::NONE || there.as_remat().is_some() {
                        continue;
                    }
                    // A late def may overwrite an early use; anything else is needed when the def is written.
                    let may_share =
                        o.kind == OperandKind::Use && o.pos == OperandPos::Early && op.pos == OperandPos::Late;
                    if !may_share && self.overlap(op, loc, o, there) {
                        return Err(Finding::Conflict { inst, operand, loc });
                    }
                }
            }
        }
        Ok(())
    }

    fn overlap(&self, a: &Operand, a_loc: Loc, b: &Operand, b_loc: Loc) -> bool {
        let units = |op: &Operand, loc| self.units(loc, self.f.classes[op.vreg.index()]);
        let (a, b) = (units(a, a_loc), units(b, b_loc));
        a.start < b.end && b.start < a.end
    }

    fn satisfies(&self, op: &Operand, loc: Loc, locs: &[Loc]) -> bool {
        if op.vreg == VReg::NONE {
            return matches!(op.constraint, Constraint::Fixed(reg) if loc == Loc::reg(reg));
        }
        if let Some(vreg) = loc.as_remat() {
            let may = op.constraint == Constraint::Any || op.kind == OperandKind::Def;
            return vreg == op.vreg && may && self.f.constants.binary_search(&vreg).is_ok();
        }
        let class = self.f.classes[op.vreg.index()];
        let allocatable = |reg: PReg| self.machine.allocatable(class) & reg.bit() != 0;
        let in_reg = loc.as_reg().filter(|reg| reg.class() == class);
        self.fits(loc, class)
            && match op.constraint {
                Constraint::Any => in_reg.is_none_or(|reg| allocatable(reg) || self.machine.stack_regs.contains(reg)),
                Constraint::Reg => in_reg.is_some_and(allocatable),
                Constraint::Limit(limit) => in_reg.is_some_and(|reg| allocatable(reg) && reg.number() < limit),
                Constraint::Fixed(reg) => loc == Loc::reg(reg),
                Constraint::Reuse(input) => loc.as_reg().is_some() && locs.get(input as usize) == Some(&loc),
                Constraint::Stack => self.is_memory(loc),
            }
    }

    /// Whether a value of the class can be at `loc`.
    fn fits(&self, loc: Loc, class: RegClass) -> bool {
        match (loc.as_reg(), loc.as_slot(), loc.as_remat()) {
            (Some(reg), ..) => reg.class() == class,
            (_, Some(unit), _) => {
                let size = self.slot_size(class);
                unit % size == 0 && unit + size <= self.out.num_slots
            }
            (.., Some(vreg)) => self.f.constants.binary_search(&vreg).is_ok() && self.f.classes[vreg.index()] == class,
            _ => false,
        }
    }

    fn slot_size(&self, class: RegClass) -> u32 {
        u32::from(self.machine.slot_size[class as usize].max(1))
    }

    fn is_memory(&self, loc: Loc) -> bool {
        loc.as_reg().is_none_or(|reg| self.machine.stack_regs.contains(reg))
    }

    /// The indices in a state of what a location covers.
    fn units(&self, loc: Loc, class: RegClass) -> core::ops::Range<usize> {
        match (loc.as_reg(), loc.as_slot()) {
            (Some(reg), _) => reg.index()..reg.index() + 1,
            (_, Some(unit)) => {
                let start = REGISTERS + unit as usize;
                start..start + self.slot_size(class) as usize
            }
            _ => {
                let constant = loc.as_remat().and_then(|vreg| self.f.constants.binary_search(&vreg).ok());
                let always = constant.map(|n| REGISTERS + self.out.num_slots as usize + n);
                always.map_or(0..0, |unit| unit..unit + 1)
            }
        }
    }

    /// The vregs that a location holds.
    fn held(&self, loc: Loc, class: RegClass, state: &State) -> Set {
        let mut units = self.units(loc, class);
        let Some(first) = units.next() else { return Set::new() };
        let mut set = state.0[first].clone();
        for unit in units {
            set.retain(|v| state.0[unit].binary_search(v).is_ok());
        }
        set
    }
}
