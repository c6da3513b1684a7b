//! Any [`regalloc2::Function`] in, a [`regalloc2::Output`] out: to use this crate in a compiler written for regalloc2, to
//! be tested by its generator and checker, and to be timed on the same input.

use crate::{
    Allocator, Block, Constraint, Error, Function, Inst, Lists, Loc, Machine, Operand, OperandKind, OperandPos, PReg,
    PRegSet, RegClass, VReg,
};
use alloc::vec::Vec;
use regalloc2 as ra;

pub use crate::{Algorithm, Options};

/// Allocates registers for `func`, with buffers that the thread keeps.
///
/// # Errors
/// As regalloc2: critical edges, branches with operands before a join, values that live into the entry, too few
/// registers; and [`ra::RegAllocError::SSA`] for anything else that is malformed.
pub fn run<F: ra::Function>(
    func: &F,
    env: &ra::MachineEnv,
    options: &Options,
) -> Result<ra::Output, ra::RegAllocError> {
    CTX.with(|ctx| {
        // Taken out, for `func` is foreign code that may allocate in its turn.
        let mut own = ctx.take();
        let result = run_with_ctx(func, env, options, &mut own).map(|_| ());
        let output = core::mem::take(&mut own.output);
        ctx.replace(own);
        result.map(|()| output)
    })
}

std::thread_local! {
    /// Buffers of [`run`].
    static CTX: core::cell::RefCell<Ctx> = core::cell::RefCell::default();
}

/// Buffers that are kept from one function to the next.
#[derive(Default)]
pub struct Ctx {
    allocator: Allocator,
    /// Our blocks, by first instruction: theirs by ours, and ours by theirs.
    order: Vec<ra::Block>,
    rank: Vec<u32>,
    classes: Vec<RegClass>,
    block_insts: Vec<u32>,
    succ_starts: Vec<u32>,
    succs: Vec<Block>,
    param_starts: Vec<u32>,
    params: Vec<VReg>,
    arg_starts: Vec<u32>,
    args: Vec<VReg>,
    operand_starts: Vec<u32>,
    operands: Vec<Operand>,
    clobbers: Vec<(Inst, PRegSet)>,
    /// The result.
    pub output: ra::Output,
}

/// As [`run`], with the caller's buffers.
pub fn run_with_ctx<'a, F: ra::Function>(
    func: &F,
    env: &ra::MachineEnv,
    options: &Options,
    ctx: &'a mut Ctx,
) -> Result<&'a ra::Output, ra::RegAllocError> {
    let machine = machine(func, env);
    ctx.read(func)?;
    let f = Function {
        classes: &ctx.classes,
        block_insts: &ctx.block_insts,
        succs: Lists { starts: &ctx.succ_starts, items: &ctx.succs },
        params: Lists { starts: &ctx.param_starts, items: &ctx.params },
        args: Lists { starts: &ctx.arg_starts, items: &ctx.args },
        operands: Lists { starts: &ctx.operand_starts, items: &ctx.operands },
        clobbers: &ctx.clobbers,
        ..Function::default()
    };
    ctx.allocator.run(&f, &machine, options).map_err(error)?;
    let result = ctx.allocator.output();
    let output = &mut ctx.output;
    output.num_spillslots = result.num_slots as usize;
    output.allocs.clear();
    output.allocs.extend(result.locs.iter().zip(&ctx.operands).map(|(&loc, op)| match loc.as_reg() {
        Some(reg) => ra::Allocation::reg(ra_preg(reg)),
        None => slot_allocation(func, ctx.classes.get(op.vreg.index()).copied().unwrap_or(RegClass::Int), loc),
    }));
    output.inst_alloc_offsets.clear();
    output.inst_alloc_offsets.extend_from_slice(&ctx.operand_starts[..f.num_insts()]);
    output.debug_locations.clear();
    output.edits.clear();
    output.edits.extend(result.moves.iter().map(|m| {
        let point = ra::ProgPoint::before(ra::Inst::new(m.before.0 as usize));
        let place = |loc| slot_allocation(func, m.class, loc);
        (point, ra::Edit::Move { from: place(m.from), to: place(m.to) })
    }));
    for &(vreg, start, end, label) in func.debug_value_labels() {
        let asked = 2 * start.index() as u32..2 * end.index() as u32;
        ctx.allocator.for_each_location(VReg(vreg.vreg() as u32), asked, |range, loc| {
            let place = slot_allocation(func, class(vreg.class()), loc);
            let point = ra::ProgPoint::from_index;
            output.debug_locations.push((label, point(range.start), point(range.end), place));
        });
    }
    output.debug_locations.sort_unstable_by_key(|&(label, from, ..)| (label, from));
    debug_assert!(result.edge_moves.is_empty(), "critical edges are refused");
    Ok(&ctx.output)
}

impl Ctx {
    /// Copies the function into flat slices.
    #[inline(never)]
    fn read<F: ra::Function>(&mut self, func: &F) -> Result<(), ra::RegAllocError> {
        let blocks = func.num_blocks();
        self.order.clear();
        self.order.extend((0..blocks).map(ra::Block::new));
        self.order.sort_unstable_by_key(|&b| func.block_insns(b).first());
        self.rank.clear();
        self.rank.resize(blocks, 0);
        for (rank, b) in self.order.iter().enumerate() {
            self.rank[b.index()] = rank as u32;
        }
        if blocks == 0 || self.order[0] != func.entry_block() {
            return Err(ra::RegAllocError::BB(func.entry_block()));
        }
        self.classes.clear();
        self.classes.resize(func.num_vregs(), RegClass::Int);
        for buffer in [
            &mut self.block_insts,
            &mut self.succ_starts,
            &mut self.param_starts,
            &mut self.arg_starts,
            &mut self.operand_starts,
        ] {
            buffer.clear();
            buffer.push(0);
        }
        self.succs.clear();
        self.params.clear();
        self.args.clear();
        self.operands.clear();
        self.clobbers.clear();
        for rank in 0..blocks {
            let b = self.order[rank];
            let insts = func.block_insns(b);
            if insts.len() == 0 || insts.first().index() as u32 != *self.block_insts.last().unwrap_or(&0) {
                return Err(ra::RegAllocError::BB(b));
            }
            let last = insts.last();
            let preds = func.block_preds(b).len() + usize::from(b == func.entry_block());
            for &pred in func.block_preds(b) {
                if preds > 1 && func.block_succs(pred).len() > 1 {
                    return Err(ra::RegAllocError::CritEdge(pred, b));
                }
            }
            for &v in func.block_params(b) {
                let v = self.vreg(v)?;
                self.params.push(v);
            }
            self.param_starts.push(self.params.len() as u32);
            for (k, &succ) in func.block_succs(b).iter().enumerate() {
                let preds = func.block_preds(succ).len() + usize::from(succ == func.entry_block());
                if preds > 1 && !func.inst_operands(last).is_empty() {
                    return Err(ra::RegAllocError::DisallowedBranchArg(last));
                }
                let rank = self.rank.get(succ.index()).ok_or(ra::RegAllocError::BB(b))?;
                self.succs.push(Block(*rank));
                if func.is_branch(last) {
                    for &v in func.branch_blockparams(b, last, k) {
                        let v = self.vreg(v)?;
                        self.args.push(v);
                    }
                }
                self.arg_starts.push(self.args.len() as u32);
            }
            self.succ_starts.push(self.succs.len() as u32);
            for i in insts.iter() {
                let classes = &mut self.classes;
                self.operands.extend(func.inst_operands(i).iter().map(|op| {
                    // Every vreg has a def, and only there its class is noted.
                    if op.kind() == ra::OperandKind::Def
                        && let Some(known) = classes.get_mut(op.vreg().vreg())
                    {
                        *known = class(op.class());
                    }
                    operand(*op)
                }));
                self.operand_starts.push(self.operands.len() as u32);
                let clobbers = func.inst_clobbers(i);
                if clobbers != ra::PRegSet::empty() {
                    self.clobbers.push((Inst(i.index() as u32), reg_set(clobbers)));
                }
            }
            self.block_insts.push(last.index() as u32 + 1);
        }
        Ok(())
    }

    fn vreg(&mut self, v: ra::VReg) -> Result<VReg, ra::RegAllocError> {
        let known = self.classes.get_mut(v.vreg()).ok_or(ra::RegAllocError::SSA(v, ra::Inst::invalid()))?;
        *known = class(v.class());
        Ok(VReg(v.vreg() as u32))
    }
}

#[inline(always)]
fn operand(op: ra::Operand) -> Operand {
    let constraint = match op.constraint() {
        ra::OperandConstraint::Any => Constraint::Any,
        ra::OperandConstraint::Reg => Constraint::Reg,
        ra::OperandConstraint::Stack => Constraint::Stack,
        ra::OperandConstraint::FixedReg(reg) => Constraint::Fixed(preg(reg)),
        ra::OperandConstraint::Reuse(input) => Constraint::Reuse(input as u8),
        ra::OperandConstraint::Limit(limit) => Constraint::Limit(limit as u8),
    };
    let vreg = match op.vreg().vreg() {
        ra::VReg::MAX => VReg::NONE,
        index => VReg(index as u32),
    };
    let kind = match op.kind() {
        ra::OperandKind::Use => OperandKind::Use,
        ra::OperandKind::Def => OperandKind::Def,
    };
    let pos = match op.pos() {
        ra::OperandPos::Early => OperandPos::Early,
        ra::OperandPos::Late => OperandPos::Late,
    };
    Operand { vreg, constraint, kind, pos }
}

fn class(class: ra::RegClass) -> RegClass {
    RegClass::ALL[class as usize]
}

fn preg(reg: ra::PReg) -> PReg {
    PReg::new(reg.hw_enc() as u8, class(reg.class()))
}

/// Both count registers by class, 64 each.
fn ra_preg(reg: PReg) -> ra::PReg {
    ra::PReg::from_index(reg.index())
}

fn reg_set(set: ra::PRegSet) -> PRegSet {
    set.into_iter().map(preg).collect()
}

/// The machine as we describe it.
fn machine<F: ra::Function>(func: &F, env: &ra::MachineEnv) -> Machine {
    let all = |sets: &[ra::PRegSet; 3]| {
        PRegSet(core::array::from_fn(|class| sets[class].into_iter().fold(0, |all, reg| all | 1 << reg.hw_enc())))
    };
    let classes = [ra::RegClass::Int, ra::RegClass::Float, ra::RegClass::Vector];
    Machine {
        preferred: all(&env.preferred_regs_by_class),
        non_preferred: all(&env.non_preferred_regs_by_class),
        scratch: env.scratch_by_class.map(|reg| reg.map(preg)),
        stack_regs: env.fixed_stack_slots.iter().copied().map(preg).collect(),
        slot_size: classes.map(|class| func.spillslot_size(class) as u8),
    }
}

fn slot_allocation<F: ra::Function>(func: &F, class: RegClass, loc: Loc) -> ra::Allocation {
    let classes = [ra::RegClass::Int, ra::RegClass::Float, ra::RegClass::Vector];
    match (loc.as_reg(), loc.as_slot()) {
        (Some(reg), _) => ra::Allocation::reg(ra_preg(reg)),
        (_, Some(unit)) => {
            let last = if func.multi_spillslot_named_by_last_slot() {
                func.spillslot_size(classes[class as usize]) - 1
            } else {
                0
            };
            ra::Allocation::stack(ra::SpillSlot::new(unit as usize + last))
        }
        _ => ra::Allocation::none(),
    }
}

fn error(error: Error) -> ra::RegAllocError {
    let inst = |i: Inst| ra::Inst::new(i.0 as usize);
    match error {
        Error::UndefinedUse(_) => ra::RegAllocError::EntryLivein,
        Error::MalformedBlock(b) => ra::RegAllocError::BB(ra::Block::new(b.0 as usize)),
        Error::TooFewRegisters(..) | Error::FixedConflict(..) => ra::RegAllocError::TooManyLiveRegs,
        Error::MalformedOperand(i, _) | Error::NoSuchVReg(_, i) => ra::RegAllocError::SSA(ra::VReg::invalid(), inst(i)),
        Error::MalformedArgs(_) => ra::RegAllocError::SSA(ra::VReg::invalid(), ra::Inst::invalid()),
        Error::TooLarge => ra::RegAllocError::TooManyOperands,
    }
}
