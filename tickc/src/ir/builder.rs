//! Records a function: the [`Machine`] that writes no machine code.
//!
//! Operands are lazy here, too: a memory operand becomes a load right before the operation that wants its value, so that a tier
//! can fold it into that operation. A condition is a branch that has been recorded already and that has no target yet:
//! by I2 it is the last record, and whatever consumes the condition makes of it what it needs: a branch, a trap, a value.
//!
//! The operands of this machine: [`super::operand`].
//!
//! # Invariants
//! - N5: a jump list is 0 or one more than the index of its last jump, whose target names the first; every other names the next.
//!
//! Cost: one record per operation; nothing is allocated in the steady state.

#![allow(
    clippy::wrong_self_convention,
    reason = "`to_vreg` and `into_vreg` bring an operand, not the machine, into a register"
)]

use super::bump::Bump;
use super::operand::{Address, BASE_IS_TEMPORARY, INDEXED, Pending, code};
use super::shape::{Barrier, Life, Loop, Shape};
use super::{Arg, ArgValue, CallSite, Condition, Function, Indexed, Op, Record, VOLATILE, VReg, to_immediate};
use crate::auto::Kept;
use crate::error::Error;
use crate::jit::{Phases, RegisterAllocator};
use crate::linear::Lowering;
use crate::machine::{
    Binary, BinaryOp, Compare, Comparison, Finished, JumpList, Machine, Operand, Place, Prologue, Target, UnaryOp, kind,
};
use crate::trap::TrapKind;
use crate::types::Type;

/// Largest number of records of a function: 16 MiB of them.
const MAX_RECORDS: usize = 1 << 20;
/// Largest number of registers: what fits a memory operand. Only variables that nothing is done with can make so many.
const MAX_VREGS: usize = (1 << 24) - 1;

/// The records of the function under construction, in storage that is reused.
pub(crate) struct Builder {
    /// The function but for its records and the number of its registers, which are put there when it is complete.
    function: Function,
    records: Bump<Record>,
    shape: Shape,
    /// Whether the functions are interpreted, not compiled.
    interpreted: bool,
    /// Whether the function has more than [`MAX_RECORDS`]: what comes then is forgotten.
    overflowed: bool,
    /// Whether shifts by registers and counts of bits take more than one instruction.
    pub(super) poor_machine: bool,
    /// What makes machine code of the records; none for the interpreter.
    lowering: Option<Box<Lowering>>,
}

impl Builder {
    /// For functions that are interpreted.
    pub(crate) fn new() -> Builder {
        Builder {
            function: Function::new(),
            records: Bump::new(),
            shape: Shape::default(),
            interpreted: true,
            overflowed: false,
            poor_machine: false,
            lowering: None,
        }
    }

    /// For functions that become machine code of another tier's.
    #[cfg(feature = "cranelift")]
    pub(crate) fn for_code() -> Builder {
        Builder { interpreted: false, ..Builder::new() }
    }

    /// For functions that may become machine code of any tier's later. `poor`: as [`crate::x64::OnePass::is_poor`].
    pub(crate) fn kept(poor: bool) -> Builder {
        Builder { poor_machine: poor, interpreted: false, ..Builder::new() }
    }

    /// The finished function, to be compiled later.
    pub(crate) fn keep(&self) -> Kept {
        Kept { function: self.function.clone(), shape: self.shape.clone(), said: Finished::default() }
    }

    /// For functions that become machine code by the linear-scan tier.
    pub(crate) fn lowered() -> Result<Builder, Error> {
        let lowering = Lowering::new()?;
        let poor_machine = lowering.code().is_poor();
        Ok(Builder { poor_machine, interpreted: false, lowering: Some(Box::new(lowering)), ..Builder::new() })
    }

    #[inline(always)]
    fn push(&mut self, record: Record) {
        if !self.records.push(record, MAX_RECORDS) {
            self.overflowed = true;
        }
    }

    #[inline(always)]
    fn emit(&mut self, op: Op, ty: Type, sub: u16, dst: u32, a: u32, b: u32) {
        let at = self.records.len();
        let shape = &mut self.shape;
        match op {
            Op::Label | Op::Const | Op::Jump | Op::Trap | Op::Unreachable | Op::Call => {}
            Op::Copy | Op::Unary | Op::Convert | Op::Bitcast | Op::TrapCode | Op::Load | Op::Lea | Op::Switch => {
                shape.read(a, at, false);
            }
            Op::BinaryImm | Op::SetImm | Op::BranchImm | Op::TrapIfImm | Op::StoreImm => shape.read(a, at, false),
            Op::Set | Op::Branch | Op::TrapIf | Op::LoadX | Op::LeaX | Op::StoreXImm => {
                shape.read(a, at, false);
                shape.read(b, at, false);
            }
            Op::Binary => {
                // The second operand is read when the result's register already holds the first.
                shape.read(a, at, false);
                shape.read(b, at, !super::BINARY_OPS[sub as usize].commutes());
            }
            Op::Store => {
                shape.read(a, at, false);
                shape.read(dst, at, false);
            }
            Op::StoreX => {
                shape.read(a, at, false);
                shape.read(b, at, false);
                shape.read(dst, at, false);
            }
            Op::Ret => {
                if ty != Type::Unit {
                    shape.read(a, at, false);
                    shape.returned.push(a);
                }
            }
        }
        self.push(Record { op, ty, sub, dst, a, b });
    }

    /// The record to come needs registers of its own, or destroys some.
    #[inline]
    fn barrier(&mut self, call: bool) {
        self.shape.barriers.push(Barrier { index: self.records.len() as u32, call });
    }

    /// A new register.
    #[inline]
    fn new_vreg(&mut self, ty: Type) -> VReg {
        let reg = self.shape.lives.len();
        if !self.shape.lives.push(Life::new(ty, self.records.len() as u32), MAX_VREGS) {
            self.overflowed = true;
        }
        reg as VReg
    }

    /// `dst = bits`
    fn emit_const(&mut self, ty: Type, dst: VReg, bits: u64) {
        self.emit(Op::Const, ty, 0, dst, bits as u32, (bits >> 32) as u32);
    }

    /// The value in some register. Consumes `a`.
    #[inline]
    fn to_vreg(&mut self, ty: Type, a: Operand) -> VReg {
        if a.is_vreg() { a.vreg() } else { self.into_vreg(ty, a) }
    }

    /// What is in no register, in one.
    #[inline(never)]
    fn into_vreg(&mut self, ty: Type, a: Operand) -> VReg {
        let dst = self.new_vreg(ty);
        self.emit_into(ty, dst, a);
        dst
    }

    /// `dst = a`. Consumes `a`.
    fn emit_into(&mut self, ty: Type, dst: VReg, a: Operand) {
        match a.kind() {
            kind::REG => self.emit(Op::Copy, ty, 0, dst, a.vreg(), 0),
            kind::CONST => self.emit_const(ty, dst, a.body),
            kind::MEM => self.emit_access(Op::Load, Op::LoadX, ty, dst, Address::of(a)),
            kind::COND => self.emit_condition(dst, Pending::of(a)),
            _ => {}
        }
    }

    /// An access to memory, or its address. `plain` and `indexed` are the operations without and with an index.
    #[inline]
    fn emit_access(&mut self, plain: Op, indexed: Op, ty: Type, dst: u32, m: Address) {
        let Some(index) = m.index else {
            return self.emit(plain, ty, 0, dst, m.base, m.disp as u32);
        };
        if let Some(sub) = Indexed::new(m.log2, m.disp) {
            return self.emit(indexed, ty, if fault!(53) { u16::from(m.log2) } else { sub.0 }, dst, m.base, index);
        }
        let base = self.new_vreg(Type::Ptr);
        self.emit(Op::Lea, Type::Ptr, 0, base, m.base, m.disp as u32);
        self.emit(indexed, ty, u16::from(m.log2), dst, base, index);
    }

    /// The address in a form that more than one record can use.
    fn emit_pointer(&mut self, m: Address) -> Operand {
        if m.index.is_none() && m.disp == 0 {
            return if m.base_is_temporary { Operand::vreg_temp(m.base) } else { Operand::vreg_home(m.base) };
        }
        let dst = self.new_vreg(Type::Ptr);
        self.emit_access(Op::Lea, Op::LeaX, Type::Ptr, dst, m);
        Operand::vreg_temp(dst)
    }

    /// A memory operand as base and displacement. Consumes `place`.
    fn emit_plain(&mut self, place: Operand) -> (VReg, u32) {
        let m = Address::of(place);
        if m.index.is_none() { (m.base, m.disp as u32) } else { (self.emit_pointer(m).vreg(), 0) }
    }

    /// A comparison as a branch that has no target yet.
    fn emit_comparison(&mut self, condition: Condition, ty: Type, a: Operand, b: Operand) -> Operand {
        let immediate = if b.is_const() { to_immediate(ty, b.body) } else { None };
        let foldable = !ty.is_float() && condition.comparison().is_some();
        let (op, a, b) = match immediate {
            Some(b) if foldable => (Op::BranchImm, self.forward(ty, a), b),
            Some(b) => (Op::BranchImm, self.to_vreg(ty, a), b),
            None if foldable && !(a.kind() == kind::MEM && b.is_vreg()) => {
                let a = self.to_vreg(ty, a);
                (Op::Branch, a, self.forward(ty, b))
            }
            None if foldable => (Op::Branch, self.forward(ty, a), b.vreg()),
            None => (Op::Branch, self.to_vreg(ty, a), self.to_vreg(ty, b)),
        };
        let index = self.records.len() as u32;
        self.emit(op, ty, condition.0, 0, a, b);
        Operand::pending(code::TAKEN, index, 0, 0)
    }

    /// A truth value as a condition. Consumes `a`.
    fn to_condition(&mut self, a: Operand) -> Pending {
        Pending::of(match a.kind() {
            kind::COND => a,
            kind::CONST => Operand::pending(if a.body != 0 { code::ALWAYS } else { code::NEVER }, 0, 0, 0),
            _ => self.emit_comparison(Condition::of(Comparison::Ne), Type::Bool, a, Operand::constant(0)),
        })
    }

    /// The branch of a condition made into another operation on the same operands, `plain` or `immediate`, that does something
    /// with `dst` where the condition is true, or where it is false.
    fn rewrite(&mut self, p: Pending, plain: Op, immediate: Op, dst: u32, where_true: bool) {
        if self.overflowed {
            return;
        }
        debug_assert_eq!(p.index as usize + 1, self.records.len(), "I2: a pending condition is the last record");
        let record = &mut self.records[p.index as usize];
        record.op = if record.op == Op::BranchImm { immediate } else { plain };
        if (p.code == code::TAKEN) != (where_true && !fault!(52)) {
            record.sub = record.condition().inverse().0;
        }
        record.dst = dst;
    }

    /// `dst` = the truth value.
    fn emit_condition(&mut self, dst: VReg, p: Pending) {
        if p.is_plain() {
            self.shape.starts_before(dst, p.index);
            return self.rewrite(p, Op::Set, Op::SetImm, dst, true);
        }
        let is_false = self.jump_false(p);
        self.emit_const(Type::Bool, dst, 1);
        if is_false != 0 {
            let end = Machine::jump(self);
            self.land(is_false);
            self.emit_const(Type::Bool, dst, 0);
            self.land(end);
        }
    }

    /// Jumps if the condition is false; lets its true-list come here.
    fn jump_false(&mut self, p: Pending) -> JumpList {
        let jump = match p.code {
            code::ALWAYS => 0,
            code::NEVER => Machine::jump(self),
            _ => {
                self.rewrite(p, Op::Branch, Op::BranchImm, p.index + 1, false);
                p.index + 1
            }
        };
        let list = self.merge(p.false_list, jump);
        self.land(p.true_list);
        list
    }

    fn invert_condition(&mut self, a: Operand) -> Pending {
        let p = self.to_condition(a);
        Pending { code: p.code ^ 1, true_list: p.false_list, false_list: p.true_list, ..p }
    }

    /// The index of a label at the current place.
    fn label(&mut self) -> u32 {
        if self.records.last().is_none_or(|last| last.op != Op::Label) {
            self.emit(Op::Label, Type::Unit, 0, 0, 0, 0);
        }
        self.records.len() as u32 - 1
    }

    /// An index with a scale that records have, as log2; no index if all elements lie at the same place.
    fn scaled(&mut self, index: Operand, scale: u32) -> Option<(VReg, u8)> {
        match scale {
            0 => {
                self.release(index);
                None
            }
            1 | 2 | 4 | 8 => Some((self.to_vreg(Type::Usize, index), scale.trailing_zeros() as u8)),
            _ => {
                // As much of the factor as there is room for stays with the address.
                let log2 = scale.trailing_zeros().min(3);
                let o = Binary { op: BinaryOp::Mul, ty: Type::Usize };
                let index = self.binary(o, index, Operand::constant(u64::from(scale >> log2)));
                Some((index.vreg(), log2 as u8))
            }
        }
    }

    /// `dst = a op b`
    fn emit_binary(&mut self, o: Binary, dst: VReg, a: Operand, b: Operand) {
        let a = self.to_vreg(o.ty, a);
        let sub = o.op as u16;
        if b.is_const()
            && let Some(b) = to_immediate(o.ty, b.body)
        {
            if matches!(o.op, BinaryOp::Div | BinaryOp::Rem | BinaryOp::MulHigh)
                || o.ty.is_float() && self.is_demanding(o)
            {
                self.barrier(o.op == BinaryOp::Rem && o.ty.is_float());
            }
            return self.emit(Op::BinaryImm, o.ty, sub, dst, a, b);
        }
        let b = if self.is_foldable(o) { self.forward(o.ty, b) } else { self.to_vreg(o.ty, b) };
        if !(o.op.is_alu() || o.op == BinaryOp::Mul) && self.is_demanding(o) {
            self.barrier(o.op == BinaryOp::Rem && o.ty.is_float());
        }
        self.emit(Op::Binary, o.ty, sub, dst, a, b);
    }

    /// Whether the second operand of an operation may well be memory.
    #[inline]
    fn is_foldable(&self, o: Binary) -> bool {
        o.op.is_alu() || o.op == BinaryOp::Mul || o.op == BinaryOp::Div && o.ty.is_float()
    }

    /// Whether an operation on two registers needs others for itself. (With an immediate, only the emitter's own division does.)
    #[cold]
    fn is_demanding(&self, o: Binary) -> bool {
        match o.op {
            BinaryOp::Shl | BinaryOp::Shr => self.poor_machine || o.ty.size() < 4,
            BinaryOp::Div => !o.ty.is_float(),
            BinaryOp::Min | BinaryOp::Max => o.ty.is_float(),
            _ => true,
        }
    }

    /// The operand of the record to come: a register, or memory that nothing but that record reads, and that a machine can make
    /// part of it. Nothing may be recorded in between.
    #[inline(always)]
    fn forward(&mut self, ty: Type, a: Operand) -> VReg {
        if a.is_vreg() {
            return a.vreg();
        }
        match a.kind() {
            kind::MEM if ty.size() >= 4 && a.head & INDEXED == 0 => self.forward_plain_load(ty, a),
            kind::MEM if ty.size() >= 4 => self.forward_load(ty, Address::of(a)),
            kind::CONST => self.forward_const(ty, a.body),
            _ => self.to_vreg(ty, a),
        }
    }

    /// The register of the type that stands for what only the next record reads.
    #[inline(always)]
    fn forward_vreg(&mut self, ty: Type) -> VReg {
        let known = self.shape.forwards[ty as usize];
        if known == Shape::NO_FORWARD { self.new_forward(ty) } else { known }
    }

    #[cold]
    #[inline(never)]
    fn new_forward(&mut self, ty: Type) -> VReg {
        let dst = self.new_vreg(ty);
        self.shape.add_forward(ty, dst);
        dst
    }

    /// A constant for the next record only.
    #[inline(never)]
    fn forward_const(&mut self, ty: Type, bits: u64) -> VReg {
        let dst = self.forward_vreg(ty);
        self.emit_const(ty, dst, bits);
        dst
    }

    /// The same without an index.
    #[inline(always)]
    fn forward_plain_load(&mut self, ty: Type, a: Operand) -> VReg {
        let dst = self.forward_vreg(ty);
        let base = Address::base(a);
        self.push(Record { op: Op::Load, ty, sub: 0, dst, a: base, b: a.body as u32 });
        // What the address is made of is read by the next record.
        self.shape.read_address(base, self.records.len());
        dst
    }

    /// Loads for the next record only: into the one register of the type that is kept for this.
    #[inline(never)]
    fn forward_load(&mut self, ty: Type, m: Address) -> VReg {
        let dst = self.forward_vreg(ty);
        self.emit_access(Op::Load, Op::LoadX, ty, dst, m);
        // What the address is made of is read by the next record.
        let next = self.records.len();
        self.shape.read_address(m.base, next);
        if let Some(index) = m.index {
            self.shape.read_address(index, next);
        }
        dst
    }

    /// Whether an operand stands for what is in a register, or at an address that it is a part of, or for a condition, whose branch
    /// is the last record.
    fn reads(&self, a: Operand, reg: VReg) -> bool {
        match a.kind() {
            kind::REG => a.vreg() == reg,
            kind::MEM => {
                let m = Address::of(a);
                m.base == reg || m.index == Some(reg)
            }
            kind::COND => true,
            _ => false,
        }
    }

    /// A binary operation on 64 bits with a result of its own.
    #[inline(always)]
    fn binary_wide(&mut self, op: BinaryOp, a: Operand, b: Operand) -> Operand {
        if a.is_in_place() {
            self.binary_wide_into(op, a.vreg(), a, b);
            return a;
        }
        if a.is_vreg() && b.is_vreg() {
            let dst = self.new_vreg(Type::I64);
            self.emit(Op::Binary, Type::I64, op as u16, dst, a.vreg(), b.vreg());
            return Operand::vreg_temp(dst);
        }
        self.binary_wide_any(op, a, b)
    }

    #[inline(never)]
    fn binary_wide_any(&mut self, op: BinaryOp, mut a: Operand, mut b: Operand) -> Operand {
        const TY: Type = Type::I64;
        if op.commutes() && a.kind() == kind::MEM && b.is_vreg() {
            (a, b) = (b, a);
        }
        let a = Operand::vreg_home(self.to_vreg(TY, a));
        if b.kind() == kind::COND {
            b = Operand::vreg_home(self.to_vreg(TY, b));
        }
        let dst = self.new_vreg(TY);
        self.binary_wide_into(op, dst, a, b);
        Operand::vreg_temp(dst)
    }

    /// `dst = a op b` on 64 bits, where `a` is a register.
    #[inline(always)]
    fn binary_wide_into(&mut self, op: BinaryOp, dst: VReg, a: Operand, b: Operand) {
        const TY: Type = Type::I64;
        if b.is_const()
            && let Some(imm) = to_immediate(TY, b.body)
        {
            return self.emit(Op::BinaryImm, TY, op as u16, dst, a.vreg(), imm);
        }
        let b = self.forward(TY, b);
        self.emit(Op::Binary, TY, op as u16, dst, a.vreg(), b);
    }

    /// A value computed from `a` alone, as a temporary.
    #[inline]
    fn emit_unary(&mut self, op: Op, ty: Type, sub: u16, a: VReg) -> Operand {
        let dst = self.new_vreg(ty);
        self.emit(op, ty, sub, dst, a, 0);
        Operand::vreg_temp(dst)
    }

    fn settled(&mut self, a: Operand) -> Operand {
        if a.kind() == kind::COND { Operand::vreg_temp(self.to_vreg(Type::Bool, a)) } else { a }
    }
}

impl Machine for Builder {
    fn begin(&mut self, prologue: &Prologue<'_>, homes: &mut Vec<Operand>) {
        let f = &mut self.function;
        f.params.clear();
        f.params.extend_from_slice(prologue.params);
        f.pairs = prologue.pairs;
        f.ret = prologue.ret;
        f.declared = prologue.declared;
        f.zeroed.clear();
        f.calls.clear();
        f.args.clear();
        self.overflowed = false;
        self.records.clear();
        self.shape.clear();
        if let Some(lowering) = &mut self.lowering {
            lowering.declared = prologue.declared;
        }
        for &ty in prologue.params {
            self.shape.lives.push(Life::new(ty, 0), MAX_VREGS);
        }
        homes.extend((0..prologue.params.len() as u32).map(Operand::vreg_home));
    }

    fn finish(&mut self, ty: Type, value: Operand, open: bool) -> Finished {
        if open {
            self.ret(ty, value);
        }
        if self.records.last().is_none_or(|last| !last.op.terminates()) {
            self.emit(Op::Unreachable, Type::Unit, 0, 0, 0, 0);
        }
        self.function.vregs = self.shape.lives.len() as u32;
        match &mut self.lowering {
            Some(lowering) if !self.overflowed => {
                return lowering.lower(&mut self.function, &mut self.records, &mut self.shape);
            }
            Some(_) => {}
            None => {
                self.function.records.clear();
                self.function.records.extend_from_slice(&self.records);
            }
        }
        Finished::default().with(Finished::TRAPS | Finished::CHECKS_STACK, true).with(Finished::FAILED, self.overflowed)
    }

    fn measure(&mut self, phases: bool) {
        if let Some(lowering) = &mut self.lowering {
            lowering.phases = phases.then(Phases::default);
        }
    }

    fn allocate_by(&mut self, allocator: RegisterAllocator) {
        if let Some(lowering) = &mut self.lowering {
            lowering.allocate_by(allocator);
        }
    }

    fn phases(&self) -> Phases {
        self.lowering.as_ref().and_then(|lowering| lowering.phases).unwrap_or_default()
    }

    fn take_error(&mut self) -> Option<Error> {
        let error = self.overflowed().map(|limit| Error::CodeTooLarge { limit });
        error.or_else(|| self.lowering.as_mut()?.take_error())
    }

    fn abandon(&mut self) {}

    fn representation(&self) -> Option<&Function> {
        Some(&self.function)
    }

    fn is_interpreted(&self) -> bool {
        self.interpreted
    }

    fn binary(&mut self, o: Binary, a: Operand, b: Operand) -> Operand {
        if a.is_in_place() {
            self.emit_binary(o, a.vreg(), a, b);
            return a;
        }
        // In the order of evaluation, and before the result: both may have to be loaded.
        let a = Operand::vreg_home(self.to_vreg(o.ty, a));
        let is_late = match b.kind() {
            kind::MEM => self.is_foldable(o) && o.ty.size() >= 4,
            kind::CONST => self.is_foldable(o) || to_immediate(o.ty, b.body).is_some(),
            _ => false,
        };
        let b = if is_late { b } else { Operand::vreg_home(self.to_vreg(o.ty, b)) };
        let dst = self.new_vreg(o.ty);
        self.emit_binary(o, dst, a, b);
        Operand::vreg_temp(dst)
    }

    fn alu_wide(&mut self, op: BinaryOp, a: Operand, b: Operand) -> Operand {
        self.binary_wide(op, a, b)
    }

    fn multiply_wide(&mut self, a: Operand, b: Operand) -> Operand {
        self.binary_wide(BinaryOp::Mul, a, b)
    }

    fn multiply_wide_constant(&mut self, a: Operand, c: u64) -> Operand {
        let Some(imm) = to_immediate(Type::I64, c) else {
            return self.binary_wide(BinaryOp::Mul, a, Operand::constant(c));
        };
        let reg = self.forward(Type::I64, a);
        let dst = if a.is_in_place() { reg } else { self.new_vreg(Type::I64) };
        self.emit(Op::BinaryImm, Type::I64, BinaryOp::Mul as u16, dst, reg, imm);
        if a.is_in_place() { a } else { Operand::vreg_temp(dst) }
    }

    fn assign_alu_wide(&mut self, op: BinaryOp, home: Operand, value: Operand) {
        self.binary_wide_into(op, home.vreg(), home, value);
    }

    fn compare_wide(&mut self, o: Compare, a: Operand, b: Operand) -> Operand {
        self.emit_comparison(Condition::of(o.op), o.ty, a, b)
    }

    fn unary(&mut self, op: UnaryOp, ty: Type, a: Operand) -> Operand {
        let a = self.to_vreg(ty, a);
        if self.poor_machine && matches!(op, UnaryOp::CountOnes | UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Trunc) {
            self.barrier(ty.is_float());
        }
        self.emit_unary(Op::Unary, ty, op as u16, a)
    }

    fn compare(&mut self, o: Compare, a: Operand, b: Operand) -> Operand {
        self.emit_comparison(Condition::of(o.op), o.ty, a, b)
    }

    fn test(&mut self, ty: Type, a: Operand, b: Operand, nonzero: bool) -> Operand {
        let condition = Condition::COMMON_BITS;
        let b = if b.is_const() { Operand::constant(ty.canonical(b.body)) } else { b };
        self.emit_comparison(if nonzero { condition } else { condition.inverse() }, ty, a, b)
    }

    fn convert(&mut self, from: Type, to: Type, a: Operand) -> Operand {
        // The canonical form is the same.
        if from.size() == 8 && to.size() == 8 && !from.is_float() && !to.is_float() {
            return a;
        }
        if from.is_float() || to.is_float() {
            let a = self.to_vreg(from, a);
            self.barrier(false);
            return self.emit_unary(Op::Convert, to, from as u16, a);
        }
        // A load that extends is one instruction.
        let a = if a.kind() == kind::MEM { self.forward_load(from, Address::of(a)) } else { self.to_vreg(from, a) };
        self.emit_unary(Op::Convert, to, from as u16, a)
    }

    fn bitcast(&mut self, from: Type, to: Type, a: Operand) -> Operand {
        let a = self.to_vreg(from, a);
        self.emit_unary(Op::Bitcast, to, from as u16, a)
    }

    fn release(&mut self, a: Operand) {
        if a.kind() != kind::COND {
            return;
        }
        let p = Pending::of(a);
        if p.is_plain() && !self.overflowed {
            self.records.truncate(p.index as usize);
            self.shape.retracted = true;
        } else {
            // Its jumps come here.
            let list = self.jump_false(p);
            self.land(list);
        }
    }

    fn pin(&mut self, ty: Type, a: Operand) -> Operand {
        match a.kind() {
            kind::CONST | kind::UNIT => a,
            kind::REG if a.is_vreg_temp() || a.is_in_place() || fault!(55) => a,
            _ => {
                let dst = self.new_vreg(ty);
                self.emit_into(ty, dst, a);
                Operand::vreg_temp(dst)
            }
        }
    }

    fn settle(&mut self, a: Operand) -> Operand {
        self.settled(a)
    }

    fn declare(&mut self, ty: Type, init: Operand) -> Operand {
        if init.is_vreg_temp() {
            return Operand::vreg_home(init.vreg());
        }
        let home = self.new_vreg(ty);
        self.emit_into(ty, home, init);
        Operand::vreg_home(home)
    }

    fn declare_zeroed(&mut self, ty: Type, straight: bool) -> Operand {
        if ty == Type::Unit {
            return Operand::UNIT;
        }
        let home = self.new_vreg(ty);
        if straight {
            self.emit_const(ty, home, 0);
        } else {
            self.function.zeroed.push((home, ty));
            self.shape.has_zeroed = true;
        }
        Operand::vreg_home(home)
    }

    fn assign(&mut self, ty: Type, home: Operand, value: Operand) {
        // A variable that was zeroed for this assignment.
        if let Some(&Record { op: Op::Const, dst, .. }) = self.records.last()
            && dst == home.vreg()
            && !self.reads(value, dst)
        {
            self.records.truncate(self.records.len() - 1);
        }
        // A temporary that the last record computes is computed into the variable at once: nothing else reads it.
        if value.is_vreg_temp()
            && let Some(last) = self.records.last_mut()
            && last.defined() == Some(value.vreg())
        {
            last.dst = home.vreg();
            let index = self.records.len() as u32 - 1;
            return self.shape.starts_before(home.vreg(), index);
        }
        self.emit_into(ty, home.vreg(), value);
    }

    fn assign_binary(&mut self, o: Binary, home: Operand, value: Operand) {
        self.emit_binary(o, home.vreg(), home, value);
    }

    fn take(&mut self, home: Operand) -> Operand {
        Operand::vreg_temp(home.vreg())
    }

    fn declare_bound(&mut self, ty: Type, bound: Operand) -> Operand {
        if bound.is_vreg() && !bound.is_vreg_temp() { bound } else { self.declare(ty, bound) }
    }

    fn in_register(&mut self, ty: Type, a: Operand) -> Operand {
        if a.is_vreg() { a } else { Operand::vreg_temp(self.to_vreg(ty, a)) }
    }

    fn borrowed(&self, a: Operand) -> Operand {
        match a.kind() {
            kind::REG => Operand::vreg_home(a.vreg()),
            kind::MEM => Operand { head: a.head & !BASE_IS_TEMPORARY, ..a },
            _ => a,
        }
    }

    fn refers_to(&self, value: Operand, home: Operand) -> bool {
        match value.kind() {
            kind::REG => !value.is_vreg_temp() && value.vreg() == home.vreg(),
            kind::MEM => {
                let m = Address::of(value);
                m.base == home.vreg() || m.index == Some(home.vreg())
            }
            _ => false,
        }
    }

    fn address(&mut self, base: Operand, index: Option<Operand>, scale: u32, disp: i32) -> Operand {
        let base_is_temporary = !base.is_vreg() || base.is_vreg_temp();
        let base = self.to_vreg(Type::Ptr, base);
        let scaled = index.and_then(|index| self.scaled(index, scale));
        let (index, log2) = (scaled.map(|s| s.0), scaled.map_or(0, |s| s.1));
        Address { base, base_is_temporary, index, log2, disp }.operand()
    }

    fn displaced(&mut self, place: Operand, disp: i32) -> Operand {
        let m = Address::of(place);
        match m.disp.checked_add(disp) {
            Some(disp) => Address { disp, ..m }.operand(),
            None => {
                let pointer = self.emit_pointer(m);
                self.address(pointer, None, 0, disp)
            }
        }
    }

    fn pointer(&mut self, place: Operand) -> Operand {
        self.emit_pointer(Address::of(place))
    }

    fn element(&mut self, place: Operand, index: Operand, scale: u32) -> Operand {
        let m = Address::of(place);
        if m.index.is_some() {
            let pointer = self.emit_pointer(m);
            return self.address(pointer, Some(index), scale, 0);
        }
        let scaled = self.scaled(index, scale);
        Address { index: scaled.map(|s| s.0), log2: scaled.map_or(0, |s| s.1), ..m }.operand()
    }

    fn load(&mut self, _: Type, place: Operand) -> Operand {
        place
    }

    fn load_behind(&mut self, _: Type, pointer: Operand, disp: i32) -> Operand {
        if !pointer.is_vreg() {
            return self.address(pointer, None, 0, disp);
        }
        let base_is_temporary = pointer.is_vreg_temp();
        Address { base: pointer.vreg(), base_is_temporary, index: None, log2: 0, disp }.operand()
    }

    fn store(&mut self, ty: Type, place: Operand, value: Operand) {
        let m = Address::of(place);
        // A constant's upper bits are not stored.
        if value.is_const() && (ty.size() < 8 || to_immediate(ty, value.body).is_some()) {
            return self.emit_access(Op::StoreImm, Op::StoreXImm, ty, value.body as u32, m);
        }
        let value = self.to_vreg(ty, value);
        self.emit_access(Op::Store, Op::StoreX, ty, value, m);
    }

    fn store_binary(&mut self, o: Binary, place: Operand, value: Operand) {
        let value = self.settled(value);
        let m = Address::of(place);
        let old = self.new_vreg(o.ty);
        self.emit_access(Op::Load, Op::LoadX, o.ty, old, m);
        let new = self.binary(o, Operand::vreg_temp(old), value);
        self.store(o.ty, place, new);
    }

    fn invert(&mut self, condition: Operand) -> Operand {
        self.invert_condition(condition).operand()
    }

    fn jump_if_false(&mut self, condition: Operand) -> JumpList {
        let p = self.to_condition(condition);
        self.jump_false(p)
    }

    fn jump_if_true(&mut self, condition: Operand) -> JumpList {
        let p = self.invert_condition(condition);
        self.jump_false(p)
    }

    fn and(&mut self, list: JumpList, rhs: Operand) -> Operand {
        let rhs = self.to_condition(rhs);
        let false_list = self.merge(list, rhs.false_list);
        Pending { false_list, ..rhs }.operand()
    }

    fn or(&mut self, list: JumpList, rhs: Operand) -> Operand {
        let rhs = self.to_condition(rhs);
        let true_list = self.merge(list, rhs.true_list);
        Pending { true_list, ..rhs }.operand()
    }

    fn jump(&mut self) -> JumpList {
        let list = self.records.len() as u32 + 1;
        self.emit(Op::Jump, Type::Unit, 0, list, 0, 0);
        list
    }

    fn switch(&mut self, index: Operand, count: u32, entries: &mut Vec<JumpList>) {
        // In a register of its own, which the jump may destroy.
        let index = if index.is_vreg_temp() { index.vreg() } else { self.into_vreg(Type::U64, index) };
        self.emit(Op::Switch, Type::U64, 0, 0, index, count);
        entries.extend((0..count).map(|_| self.jump()));
    }

    fn has_labels(&mut self) {
        self.shape.has_labels = true;
    }

    fn merge(&mut self, a: JumpList, b: JumpList) -> JumpList {
        if a == 0 || b == 0 || self.overflowed || fault!(54) {
            return a | b;
        }
        let records = &mut self.records;
        let (last_of_a, last_of_b) = (a as usize - 1, b as usize - 1);
        let first_of_a = records[last_of_a].dst;
        records[last_of_a].dst = records[last_of_b].dst;
        records[last_of_b].dst = first_of_a;
        b
    }

    fn here(&mut self) -> Place {
        Place(self.label())
    }

    fn land(&mut self, list: JumpList) {
        if list != 0 {
            let label = self.label();
            self.send(list, Place(label));
        }
    }

    fn send(&mut self, list: JumpList, to: Place) {
        if list == 0 || self.overflowed {
            return;
        }
        let mut at = self.records[list as usize - 1].dst;
        loop {
            let jump = &mut self.records[at as usize - 1];
            let next = jump.dst;
            jump.dst = to.0;
            if at > to.0 {
                self.shape.loops.push(Loop { top: to.0, end: at - 1 });
            }
            if at == list {
                return;
            }
            at = next;
        }
    }

    fn trap_if(&mut self, condition: Operand, trap: TrapKind) {
        self.shape.traps = true;
        let p = self.to_condition(condition);
        if p.is_plain() {
            return self.rewrite(p, Op::TrapIf, Op::TrapIfImm, trap as u32, true);
        }
        let is_false = self.jump_false(p);
        self.emit(Op::Trap, Type::Unit, 0, trap as u32, 0, 0);
        self.land(is_false);
    }

    fn trap_code(&mut self, code: Operand) {
        self.shape.traps = true;
        let code = self.to_vreg(Type::U32, code);
        self.emit(Op::TrapCode, Type::U32, 0, 0, code, 0);
    }

    fn call(&mut self, target: Target, params: &[(Type, Operand)], pairs: u32, ret: Type) -> Operand {
        // Only the last argument can be a condition, whose branch is the last record: the loads of the others come behind it.
        let last = params.last().map(|&(ty, a)| (ty, self.settled(a)));
        let first = self.function.args.len() as u32;
        for (i, &param) in params.iter().enumerate() {
            let (ty, a) = if i + 1 == params.len() { last.unwrap_or(param) } else { param };
            let value = if a.is_const() { ArgValue::Const(a.body) } else { ArgValue::Reg(self.to_vreg(ty, a)) };
            self.function.args.push(Arg { ty, value });
        }
        let at = self.records.len();
        for arg in &self.function.args[first as usize..] {
            if let ArgValue::Reg(reg) = arg.value {
                self.shape.read(reg, at, false);
            }
        }
        self.barrier(true);
        let site = self.function.calls.len() as u32;
        self.function.calls.push(CallSite { target, pairs, first, len: params.len() as u32 });
        if ret == Type::Unit {
            self.emit(Op::Call, ret, 0, 0, site, 0);
            return Operand::UNIT;
        }
        let dst = self.new_vreg(ret);
        self.emit(Op::Call, ret, 0, dst, site, 0);
        Operand::vreg_temp(dst)
    }

    fn ret(&mut self, ty: Type, value: Operand) {
        let value = if ty == Type::Unit { 0 } else { self.to_vreg(ty, value) };
        self.emit(Op::Ret, ty, 0, 0, value, 0);
    }

    fn load_volatile(&mut self, ty: Type, place: Operand) -> Operand {
        let (base, disp) = self.emit_plain(place);
        let dst = self.new_vreg(ty);
        self.emit(Op::Load, ty, VOLATILE, dst, base, disp);
        Operand::vreg_temp(dst)
    }

    fn store_volatile(&mut self, ty: Type, place: Operand, value: Operand) {
        let value = self.to_vreg(ty, value);
        let (base, disp) = self.emit_plain(place);
        self.emit(Op::Store, ty, VOLATILE, value, base, disp);
    }

    fn lost(&self, _: &mut dyn Iterator<Item = Operand>) -> u32 {
        0
    }

    fn overflowed(&self) -> Option<usize> {
        self.overflowed.then_some(MAX_RECORDS * size_of::<Record>())
    }

    fn place(&self, to: &mut [u8], address: u64) {
        let lowering = self.lowering.as_ref().expect("an interpreted function has no machine code");
        lowering.code().place(to, address);
    }
}
