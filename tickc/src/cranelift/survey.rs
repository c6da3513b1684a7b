//! What must be known of a function before it is lowered: its signature, its jumps, which registers are variables.

use super::lower::{Known, Register, Storage};
use crate::ir::{CallSite, Function, Op, Record};
use crate::machine::{BinaryOp, Target};
use crate::types::Type;

/// What is known of a function.
pub(super) struct Survey {
    /// Whether it returns a status beside its value.
    pub(super) traps: bool,
    /// Whether it needs the stack limit in any case.
    pub(super) takes_limit: bool,
    /// Largest stack bound of the functions that it calls.
    pub(super) callee_stack: u32,
    /// Operations in its longest basic block, and in all.
    pub(super) longest_block: u32,
    pub(super) operations: u32,
    /// How many branches there are.
    pub(super) branches: u32,
}

/// What a callee does beside its work.
#[derive(Clone, Copy)]
pub(super) struct Callee {
    /// It returns a status.
    pub(super) traps: bool,
    /// It takes the stack limit.
    pub(super) takes_limit: bool,
}

impl Callee {
    pub(super) fn of(site: &CallSite) -> Callee {
        let (traps, takes_limit) = match site.target {
            Target::SelfCall | Target::Declared(_) => (true, true),
            Target::Dynamic { traps, checks_stack, .. } => (traps, checks_stack),
            Target::Native(_) => (false, false),
            Target::Host { .. } => (true, false),
        };
        Callee { traps, takes_limit }
    }
}

/// How a division may trap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct DivisionTraps {
    pub(super) zero: bool,
    pub(super) overflow: bool,
}

impl DivisionTraps {
    /// Of an operation; `None` if it is not a division of integers.
    pub(super) fn of(r: &Record) -> Option<DivisionTraps> {
        let divides = matches!(r.op, Op::Binary | Op::BinaryImm)
            && matches!(r.binary_op(), BinaryOp::Div | BinaryOp::Rem)
            && !r.ty.is_float();
        divides.then(|| match r.op {
            Op::BinaryImm => {
                let divisor = r.immediate();
                DivisionTraps { zero: divisor == 0, overflow: r.ty.is_signed() && divisor == u64::MAX }
            }
            _ => DivisionTraps { zero: true, overflow: r.ty.is_signed() },
        })
    }

    pub(super) fn any(self) -> bool {
        self.zero || self.overflow
    }
}

impl Survey {
    /// Looks through a function, and leaves in `storage` what registers are and where the last jump to each label is.
    pub(super) fn of(function: &Function, storage: &mut Storage) -> Survey {
        storage.reset(function);
        let mut survey = Survey {
            traps: function.declared || function.traps,
            takes_limit: function.declared,
            callee_stack: 0,
            longest_block: 0,
            operations: 0,
            branches: 0,
        };
        let mut block = 0;
        let mut live = true;
        // The jumps behind the last switch.
        let mut targets = 0..0;
        for (i, r) in function.records.iter().enumerate() {
            if r.op == Op::Label {
                live = true;
                block = 0;
                continue;
            }
            if targets.contains(&i) {
                storage.last_jumps[r.dst as usize] = i as u32;
                continue;
            }
            if !live {
                continue;
            }
            block += 1;
            survey.operations += 1;
            survey.longest_block = survey.longest_block.max(block);
            if let Some(reg) = r.defined() {
                storage.count(reg);
            }
            match r.op {
                Op::Branch | Op::BranchImm => {
                    storage.last_jumps[r.dst as usize] = i as u32;
                    survey.branches += 1;
                    block = 0;
                }
                Op::Jump => storage.last_jumps[r.dst as usize] = i as u32,
                Op::Switch => {
                    targets = i + 1..i + 1 + r.b as usize;
                    survey.branches += 1;
                    live = false;
                    continue;
                }
                Op::TrapIf | Op::TrapIfImm => {
                    survey.traps = true;
                    block = 0;
                }
                Op::Trap | Op::TrapCode => survey.traps = true,
                Op::Call => survey.call(&function.calls[r.a as usize]),
                _ => survey.traps |= DivisionTraps::of(r).is_some_and(DivisionTraps::any),
            }
            live = !r.op.terminates();
        }
        survey.traps |= survey.takes_limit;
        survey
    }

    fn call(&mut self, site: &CallSite) {
        let Callee { traps, takes_limit } = Callee::of(site);
        self.traps |= traps;
        self.takes_limit |= takes_limit;
        if let Target::Dynamic { stack, checks_stack: false, .. } = site.target {
            self.callee_stack = self.callee_stack.max(stack);
        }
    }
}

impl Storage {
    /// Makes the storage that of a function; nothing is written yet but parameters and zeroed registers.
    fn reset(&mut self, function: &Function) {
        self.registers.clear();
        self.registers.resize(function.vregs as usize, Register::Unwritten);
        self.known.clear();
        self.known.resize(function.vregs as usize, Known::nothing());
        self.last_jumps.clear();
        self.last_jumps.resize(function.records.len(), Storage::NO_JUMP);
        self.blocks.clear();
        self.blocks.resize(function.records.len(), None.into());
        for reg in 0..function.params.len() as u32 {
            self.count(reg);
        }
        for &(reg, _) in &function.zeroed {
            self.count(reg);
        }
    }

    /// A record writes `reg`.
    fn count(&mut self, reg: u32) {
        let register = &mut self.registers[reg as usize];
        *register = match register {
            Register::Unwritten => Register::Once,
            _ => Register::Often,
        };
    }
}

/// Whether values of the type are passed and returned extended, and how.
pub(super) fn is_narrow(ty: Type) -> bool {
    ty.size() < 4
}
