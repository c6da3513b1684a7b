//! Machine code for records whose virtual registers have homes: the last phase of the linear-scan tier.
//!
//! The operations are those of the one-pass tier, told where to leave their results: into a home that is made a copy of the first
//! operand, then updated in place. What cannot be done in place (a *barrier*: division, conversions of floats, calls) takes registers
//! that hold nothing at that record, which the allocator has left over.

use super::OnePass;
use super::arith::{fits_wide, lea_factor};
use super::calls::{Convention, Location};
use super::encode::{Alu, op0f};
use super::regs::*;
use crate::choice;
use crate::ir::shape::{Shape, position};
use crate::ir::{ArgValue, Function, Op, Record, VReg, immediate};
use crate::linear::{Allocation, Home, Registers};
use crate::machine::{Binary, BinaryOp, Compare, Finished, JumpList, Machine, Operand, Prologue};
use crate::trap::TrapKind;
use crate::types::Type;

/// What demanding operations keep for themselves: rax, rdx for division, rcx for shifts, one more; three of the floats'.
const SPARE_REGISTERS: u32 = 1 << RAX | 1 << RCX | 1 << RDX | 1 << 8 | 0x7800_0000;

/// The kinds of trap by their numbers.
fn trap_of(number: u32) -> TrapKind {
    TrapKind::ALL.into_iter().find(|&kind| kind as u32 == number).unwrap_or(TrapKind::StackOverflow)
}

/// The register of a home that is one.
#[inline(always)]
fn register(home: Home) -> Option<Reg> {
    (home.place() < 32).then_some(home.place())
}

impl OnePass {
    /// The registers as the allocator sees them.
    pub(crate) fn registers() -> Registers {
        Registers {
            ints: choice::few(GPRS).into(),
            floats: choice::few(XMMS).into(),
            preserved: CALLEE_SAVED.into(),
            spare: SPARE_REGISTERS.into(),
            results: [RAX, XMM0],
        }
    }

    /// Whether shifts by registers and counts of bits take more than one instruction here.
    pub(crate) fn is_poor(&self) -> bool {
        !(self.features.bmi2 && self.features.popcnt && self.features.sse41)
    }

    /// The registers in which parameters arrive; `None` for the stack.
    #[inline]
    pub(crate) fn arrivals(f: &Function, arrivals: &mut Vec<Option<Reg>>) {
        arrivals.clear();
        Convention::default().locate(f.params.iter().copied(), f.pairs, |_, location| {
            arrivals.push(match location {
                Location::Reg(reg) => Some(reg),
                Location::Stack(_) => None,
            });
        });
    }

    /// Writes the code of a function. `declared` as in [`Prologue`].
    pub(crate) fn encode(
        &mut self,
        f: &Function,
        records: &mut [Record],
        shape: &Shape,
        allocation: &Allocation,
        declared: bool,
    ) -> Finished {
        let prologue = Prologue { params: &[], pairs: 0, ret: f.ret, calls: false, declared };
        Machine::begin(self, &prologue, &mut Vec::new());
        self.entries.clear();
        self.odd |= if f.traps { super::odd::TRAPS } else { 0 };
        self.used = allocation.used;
        self.slots = allocation.slot_count;
        let free = if allocation.has_spare { SPARE_REGISTERS & (GPRS | XMMS) } else { 0 };
        self.free = free;
        let mut encoder = Encoder {
            m: self,
            homes: &allocation.homes,
            allocation,
            shape,
            pending: Operand::UNIT,
            barrier: 0,
            free,
            may_use_scratch: false,
            is_frameless: false,
        };
        encoder.enter(f);
        encoder.is_frameless = encoder.will_be_frameless(f);
        let is_frameless = encoder.is_frameless;
        let finished = encoder.records(f, records);
        debug_assert!(!is_frameless || finished.stack() == 8 && !finished.is(Finished::TRAPS), "it has a frame");
        self.settle_jumps();
        finished
    }
}

struct Encoder<'a> {
    m: &'a mut OnePass,
    /// By virtual register.
    homes: &'a [Home],
    allocation: &'a Allocation,
    shape: &'a Shape,
    /// The memory operand of the load that is part of the next record.
    pending: Operand,
    /// The barrier to come.
    barrier: usize,
    /// Registers that are nobody's home.
    free: u32,
    /// Whether the scratch register may be part of the address to come.
    may_use_scratch: bool,
    /// Whether a return is no more than a `ret`.
    is_frameless: bool,
}

impl Encoder<'_> {
    #[inline(always)]
    fn home(&self, reg: VReg) -> Home {
        self.homes[reg as usize]
    }

    /// A virtual register as an operand.
    #[inline(always)]
    fn operand(&self, reg: VReg) -> Operand {
        let home = self.home(reg);
        match register(home) {
            Some(register) => Operand::reg_of(register),
            None => self.operand_elsewhere(reg, home),
        }
    }

    #[inline(never)]
    fn operand_elsewhere(&self, reg: VReg, home: Home) -> Operand {
        match home.place() {
            Home::FOLDED => self.pending,
            Home::SLOT => Operand::slot(self.allocation.slot(reg)),
            // Code that cannot be reached reads what nobody wrote.
            _ => Operand::constant(0),
        }
    }

    /// Whether the function will have neither frame nor traps. Only barriers take slots or call.
    fn will_be_frameless(&self, f: &Function) -> bool {
        let saved = self.allocation.used & CALLEE_SAVED;
        saved | self.allocation.slot_count | self.m.odd == 0
            && !self.allocation.has_spare
            && self.shape.barriers.is_empty()
            && !self.shape.traps
            && f.calls.is_empty()
    }

    /// Moves the parameters to their homes, and zeroes what starts at zero.
    fn enter(&mut self, f: &Function) {
        let mut convention = Convention::default();
        let mut on_stack = false;
        let m = &mut *self.m;
        convention.locate(f.params.iter().copied(), f.pairs, |i, location| {
            let (ty, home) = (f.params[i], self.homes[i]);
            match location {
                Location::Reg(_) if home.place() == Home::NOWHERE => {}
                Location::Reg(from) => match register(home) {
                    Some(to) => m.mov_reg(if ty.is_float() { ty } else { Type::U64 }, to, from),
                    None => {
                        m.buf.room();
                        m.store_reg(ty, Operand::slot(self.allocation.slot(i as VReg)), from);
                    }
                },
                Location::Stack(_) => on_stack = true,
            }
        });
        m.limit_location = convention.next(Type::Usize, false);
        if on_stack {
            self.enter_from_stack(f);
        }
        for &(reg, ty) in &f.zeroed {
            self.m.buf.room();
            let home = self.home(reg);
            match register(home) {
                Some(to) => self.m.load_fresh(ty, to, Operand::constant(0)),
                None if home.place() == Home::SLOT => {
                    let slot = Operand::slot(self.allocation.slot(reg));
                    self.m.store_value(Type::U64, slot, Operand::constant(0));
                }
                None => {}
            }
        }
    }

    #[cold]
    fn enter_from_stack(&mut self, f: &Function) {
        let m = &mut *self.m;
        Convention::default().locate(f.params.iter().copied(), f.pairs, |i, location| {
            let (ty, home) = (f.params[i], self.homes[i]);
            let Location::Stack(word) = location else { return };
            if home.place() == Home::NOWHERE {
                return;
            }
            m.load_stack_word(if ty.is_float() { Type::U64 } else { ty }, word);
            match register(home) {
                Some(to) if ty.is_float() => {
                    m.buf.rr(super::encode::op_prefixed(0x66, 0x6e), true, to, SCRATCH, false); // movq
                }
                Some(to) => m.mov_reg(Type::U64, to, SCRATCH),
                None => m.store_reg(Type::U64, Operand::slot(self.allocation.slot(i as VReg)), SCRATCH),
            }
        });
    }

    fn records(&mut self, f: &Function, records: &mut [Record]) -> Finished {
        let last = records.len() - 1;
        for at in 0..last {
            self.record(f, records, at);
        }
        let end = records[last];
        if end.op == Op::Ret {
            self.m.buf.room();
            let value = if end.ty == Type::Unit { Operand::UNIT } else { self.operand(end.a) };
            return self.m.finish_function(end.ty, value, true);
        }
        self.record(f, records, last);
        self.m.finish_function(Type::Unit, Operand::UNIT, false)
    }

    #[inline(always)]
    fn record(&mut self, f: &Function, records: &mut [Record], at: usize) {
        let r = &records[at];
        self.m.buf.room();
        match r.op {
            Op::Label => self.label(&mut records[at]),
            Op::Binary => self.binary(r, at as u32),
            Op::BinaryImm => self.binary_immediate(r, at as u32),
            Op::Load if self.is_plain_forward(r) => {
                self.take_back();
                self.pending = Operand::mem(self.home(r.a).place(), RSP, 0, r.b as i32, 0);
            }
            Op::Const if self.home(r.dst).place() == Home::FOLDED => {
                self.take_back();
                self.pending = Operand::constant(r.constant());
            }
            Op::Branch | Op::BranchImm => {
                let to = r.dst;
                let condition = self.condition(r);
                let list =
                    if condition.is_flags() { self.m.jump_on(condition.reg()) } else { self.m.jump_true(condition) };
                self.go(records, list, to);
            }
            Op::Jump if let Some(list) = self.m.entries.pop() => {
                let to = r.dst;
                self.go(records, list, to);
            }
            Op::Jump => {
                let to = r.dst;
                let skipped = records.get(at + 1..to as usize);
                if !skipped.is_some_and(|skipped| skipped.iter().all(|record| record.op == Op::Label)) {
                    let list = self.m.jump_always();
                    self.go(records, list, to);
                }
            }
            Op::Call => self.call(f, r, at as u32),
            _ => self.other(r, at as u32),
        }
    }

    /// Whether a load is part of the next record, and its address starts in a register.
    #[inline(always)]
    fn is_plain_forward(&self, r: &Record) -> bool {
        self.home(r.dst).place() == Home::FOLDED && self.home(r.a).place() < 16
    }

    fn other(&mut self, r: &Record, at: u32) {
        match r.op {
            Op::Load | Op::LoadX if self.home(r.dst).place() == Home::FOLDED => {
                // The next record takes it. (What nobody took is given back.)
                self.close();
                self.pending = self.memory(r);
                self.free &= !self.pending.owned();
                return;
            }
            Op::Const | Op::Copy | Op::Load | Op::LoadX => self.move_to_home(r, at),
            Op::Unary => self.unary(r, at),
            Op::Convert => self.convert(r, at),
            Op::Bitcast => self.bitcast(r, at),
            Op::Set | Op::SetImm => self.set(r, at),
            Op::TrapIf | Op::TrapIfImm => {
                let condition = self.condition(r);
                let list = self.m.jump_true(condition);
                self.m.add_trap(trap_of(r.dst), list);
            }
            Op::Trap => {
                let list = self.m.jump_always();
                self.m.add_trap(trap_of(r.dst), list);
            }
            Op::TrapCode => {
                let code = self.operand(r.a);
                self.m.trap_with(code);
            }
            Op::Store | Op::StoreX => {
                let value = self.operand(r.dst);
                self.may_use_scratch = value.is_reg();
                let place = self.memory(r);
                self.may_use_scratch = false;
                self.m.store_to(r.ty, place, value);
            }
            Op::StoreImm | Op::StoreXImm => {
                self.may_use_scratch = true;
                let place = self.memory(r);
                self.may_use_scratch = false;
                self.m.store_to(r.ty, place, Operand::constant(immediate(r.ty, r.dst)));
            }
            Op::Lea | Op::LeaX => self.lea(r, at),
            Op::Switch => {
                // Nobody else reads the index.
                let index = self.operand(r.a);
                let index = if index.is_reg() { Operand::temp(index.reg()) } else { index };
                let mut entries = std::mem::take(&mut self.m.entries);
                self.m.jump_by_table(index, r.b, &mut entries);
                entries.reverse();
                self.m.entries = entries;
            }
            Op::Ret => {
                let value = if r.ty == Type::Unit { Operand::UNIT } else { self.operand(r.a) };
                self.m.put_result(r.ty, value);
                if self.is_frameless {
                    self.m.ret();
                } else {
                    let jump = self.m.jump_always();
                    self.m.returns = self.m.merge_lists(self.m.returns, jump);
                }
            }
            Op::Unreachable => {}
            _ => debug_assert!(false, "{:?} is emitted elsewhere", r.op),
        }
        self.close();
    }

    /// A label: the jumps that wait for it land, and it remembers where it is (in `a`, one more than the position).
    fn label(&mut self, label: &mut Record) {
        let here = self.m.buf.pos();
        if label.b != 0 {
            self.m.land_list(label.b);
        } else if self.m.landed != here {
            self.m.settle_jumps();
            self.m.landed = here;
        }
        label.a = here + 1;
    }

    /// Lets jumps go to the label with the index `to`.
    #[inline]
    fn go(&mut self, records: &mut [Record], list: JumpList, to: u32) {
        let label = &mut records[to as usize];
        if label.a == 0 {
            label.b = self.m.merge_lists(label.b, list);
        } else if !self.m.send_short(list, label.a - 1) {
            self.m.send_list(list, label.a - 1);
        }
    }

    /// The condition that a record asks for.
    #[inline]
    fn condition(&mut self, r: &Record) -> Operand {
        let a = self.operand(r.a);
        let with_immediate = matches!(r.op, Op::BranchImm | Op::SetImm | Op::TrapIfImm);
        let b = if with_immediate { Operand::constant(r.immediate()) } else { self.operand(r.b) };
        // Two slots, one of which a free register takes, if there is none.
        let a = if self.free == 0 && a.is_mem() && b.is_mem() && r.ty.is_wide_int() {
            self.through_scratch(r.ty, a)
        } else {
            a
        };
        let condition = match r.condition().comparison() {
            None => Machine::test(self.m, r.ty, a, b, true),
            Some(op) if r.ty.is_wide_int() => self.m.compare_wide_fast(Compare { op, ty: r.ty }, a, b),
            Some(op) if r.ty.is_float() => self.m.compare_float(op, r.ty, a, b),
            Some(op) => self.m.compare_int(Compare { op, ty: r.ty }, a, b),
        };
        self.close();
        if r.condition().is_inverse() { self.m.invert_condition(condition) } else { condition }
    }

    /// The memory operand of a record.
    fn memory(&mut self, r: &Record) -> Operand {
        let (base, mut owned) = self.pointer(r.a);
        match r.op {
            Op::Load | Op::Store | Op::StoreImm | Op::Lea => Operand::mem(base, RSP, 0, r.b as i32, owned),
            _ => {
                let (index, owns) = self.pointer(r.b);
                owned |= owns;
                Operand::mem(base, index, r.indexed().log2() as u8, r.indexed().disp(), owned)
            }
        }
    }

    /// A part of an address in a register, and what of it must be given back.
    #[inline]
    fn pointer(&mut self, reg: VReg) -> (Reg, u32) {
        match register(self.home(reg)) {
            Some(register) => (register, 0),
            None if self.free == 0 && self.may_use_scratch => {
                // Once: what is loaded from there goes elsewhere.
                self.may_use_scratch = false;
                let slot = self.operand(reg);
                self.m.load(Type::U64, SCRATCH, slot);
                (SCRATCH, 0)
            }
            None => {
                let slot = self.operand(reg);
                let loaded = self.m.to_reg(Type::U64, slot);
                (loaded.reg(), loaded.owned())
            }
        }
    }

    /// Leaves the result of the record `at` in the home of `dst`, unless nobody reads it there: the home may be somebody else's by
    /// then. Consumes it.
    fn define(&mut self, ty: Type, dst: VReg, value: Operand, at: u32) {
        let home = self.operand(dst);
        if home.is_place() && !Self::is_dead(self.home(dst), at) {
            self.m.assign_home(ty, home, value);
        } else {
            self.m.release_operand(value);
        }
    }

    /// Whether nobody reads what the record `at` leaves in a home.
    #[inline(always)]
    fn is_dead(home: Home, at: u32) -> bool {
        home.end() <= position(at)
    }

    fn move_to_home(&mut self, r: &Record, at: u32) {
        let home = self.home(r.dst);
        if Self::is_dead(home, at) && !r.is_volatile() {
            return;
        }
        let value = match r.op {
            Op::Const => Operand::constant(r.constant()),
            Op::Copy => self.operand(r.a),
            _ => {
                self.may_use_scratch = true;
                let place = self.memory(r);
                self.may_use_scratch = false;
                place
            }
        };
        match register(home) {
            // A volatile load of what nobody wants.
            _ if Self::is_dead(home, at) => self.m.load(r.ty, if r.ty.is_float() { XSCRATCH } else { SCRATCH }, value),
            Some(d) => self.m.load_fresh(r.ty, d, value),
            None => {
                let slot = Operand::slot(self.allocation.slot(r.dst));
                self.m.store_value(r.ty, slot, value);
            }
        }
        self.m.release_operand(value);
    }

    #[inline(always)]
    fn binary(&mut self, r: &Record, at: u32) {
        let (dst, a, b) = (self.home(r.dst), self.home(r.a), self.home(r.b));
        let (is_alu, is_product) = (r.sub <= BinaryOp::Xor as u16, r.sub == BinaryOp::Mul as u16);
        if (is_alu || is_product) && r.ty.is_wide_int() && !Self::is_dead(dst, at) {
            let in_place = dst.place() == a.place();
            if in_place && a.place() | b.place() < 16 {
                return if is_alu {
                    self.m.buf.wide_rr(u32::from(r.sub) << 3 | 3, a.place(), b.place());
                } else {
                    self.m.buf.wide_imul(a.place(), b.place());
                };
            }
            if dst.place() | a.place() | b.place() < 16 {
                return self.combine(Binary { op: r.binary_op(), ty: r.ty }, dst.place(), a.place(), b.place());
            }
            if in_place && r.dst == r.a {
                let (home, value) = (self.operand(r.dst), self.operand(r.b));
                let is_apart = value.is_outer_mem() && !home.is_reg();
                if is_apart && is_product {
                    self.multiply_slot(r.ty, home, value);
                    return self.close();
                }
                let value = if is_apart { self.through_scratch(r.ty, value) } else { value };
                if is_alu {
                    self.m.assign_alu_fast(r.binary_op(), home, value);
                } else if !self.m.assign_wide(BinaryOp::Mul, home, value) {
                    self.m.assign_int(Binary { op: BinaryOp::Mul, ty: r.ty }, home, value);
                }
                return self.close();
            }
        }
        let b = self.operand(r.b);
        self.binary_any(Binary { op: r.binary_op(), ty: r.ty }, r, b, at);
    }

    /// Memory that is part of an operation which has no room for it, in the scratch register.
    #[inline(never)]
    fn through_scratch(&mut self, ty: Type, a: Operand) -> Operand {
        let scratch = if ty.is_float() { XSCRATCH } else { SCRATCH };
        self.m.load(ty, scratch, a);
        self.m.release_operand(a);
        Operand::reg_of(scratch)
    }

    /// `slot *= [m]` of 32 or 64 bits. Consumes the memory operand.
    #[inline(never)]
    fn multiply_slot(&mut self, ty: Type, slot: Operand, m: Operand) {
        let factor = self.through_scratch(ty, m);
        self.m.imul(ty, factor.reg(), slot);
        self.m.store_reg(ty, slot, factor.reg());
    }

    /// `d = a op b` of 32 or 64 bits.
    #[inline(never)]
    fn combine(&mut self, o: Binary, d: Reg, a: Reg, b: Reg) {
        let wide = is_wide(o.ty);
        let (a, b) = if d == b && o.op.commutes() { (b, a) } else { (a, b) };
        if d != a {
            if o.op == BinaryOp::Add {
                let sum = Mem { base: a, index: b, scale: 0, disp: 0, in_frame: false };
                return self.m.buf.lea(wide, d, sum);
            }
            if d == b {
                // A difference.
                self.m.buf.mov_rr(wide, SCRATCH, b);
                self.m.buf.mov_rr(wide, d, a);
                return self.m.buf.alu_rr(Alu::SUB, wide, d, SCRATCH);
            }
            self.m.buf.mov_rr(wide, d, a);
        }
        match Alu::of(o.op) {
            Some(alu) => self.m.buf.alu_rr(alu, wide, d, b),
            None => self.m.buf.rr(op0f(0xaf), wide, d, b, false),
        }
    }

    #[inline(always)]
    fn binary_immediate(&mut self, r: &Record, at: u32) {
        let (dst, a) = (self.home(r.dst), self.home(r.a));
        if dst.place() < 16 && !Self::is_dead(dst, at) {
            if r.sub <= BinaryOp::Xor as u16 && a.place() < 16 && !is_narrow(r.ty) {
                return if dst.place() == a.place() && r.ty.is_wide_int() {
                    self.m.buf.wide_ri(r.sub as u8, a.place(), r.b as i32);
                } else {
                    let o = Binary { op: r.binary_op(), ty: r.ty };
                    self.combine_immediate(o, dst.place(), a.place(), r.b as i32);
                };
            }
            let is_product = r.sub == BinaryOp::Mul as u16;
            if is_product
                && a.place() == Home::FOLDED
                && r.ty.is_wide_int()
                && !lea_factor(i64::from(r.b as i32) as u64)
            {
                self.m.multiply_memory(dst.place(), self.pending, r.b as i32);
                return self.close();
            }
        }
        let o = Binary { op: r.binary_op(), ty: r.ty };
        self.binary_any(o, r, Operand::constant(r.immediate()), at);
    }

    /// `d = a op imm` of 32 or 64 bits.
    #[inline(never)]
    fn combine_immediate(&mut self, o: Binary, d: Reg, a: Reg, imm: i32) {
        let wide = is_wide(o.ty);
        if d != a {
            let addend = match o.op {
                BinaryOp::Add => Some(imm),
                BinaryOp::Sub => imm.checked_neg(),
                _ => None,
            };
            if let Some(disp) = addend {
                return self.m.buf.lea(wide, d, Mem { base: a, index: RSP, scale: 0, disp, in_frame: false });
            }
            self.m.buf.mov_rr(wide, d, a);
        }
        self.m.buf.alu_ri(Alu::of(o.op).unwrap_or(Alu::ADD), wide, d, imm);
    }

    /// Any binary operation; `b` is what the record says, as an operand.
    #[inline(never)]
    fn binary_any(&mut self, o: Binary, r: &Record, b: Operand, at: u32) {
        let home = self.home(r.dst);
        let traps = matches!(o.op, BinaryOp::Div | BinaryOp::Rem) && !o.ty.is_float();
        if Self::is_dead(home, at) && !traps {
            self.m.release_operand(b);
        } else if self.is_barrier(at) {
            self.open_barrier(&[r.a, if b.is_const() { r.a } else { r.b }]);
            let a = self.dying(r.a, at);
            let b = if b.is_const() || r.a == r.b { b } else { self.dying(r.b, at) };
            let value = Machine::binary(self.m, o, a, b);
            self.define(o.ty, r.dst, value, at);
        } else if let Some(d) = register(home) {
            self.binary_into(o, d, r, b);
        } else if r.dst == r.a {
            let home = self.operand(r.dst);
            if b.is_outer_mem() && o.op == BinaryOp::Mul && !o.ty.is_float() {
                self.multiply_slot(o.ty, home, b);
            } else {
                let b = if b.is_outer_mem() { self.through_scratch(o.ty, b) } else { b };
                Machine::assign_binary(self.m, o, home, b);
            }
        } else if (o.op.is_alu() || o.op == BinaryOp::Mul)
            && o.ty.is_wide_int()
            && !b.is_outer_mem()
            && (!b.is_const() || fits_wide(b.body))
        {
            let (slot, a) = (self.operand(r.dst), self.operand(r.a));
            self.m.load(o.ty, SCRATCH, a);
            if !(b.is_const() && o.op == BinaryOp::Mul) && self.m.update_wide(o.op, SCRATCH, b) {
            } else {
                self.m.imul_imm(true, SCRATCH, Operand::reg_of(SCRATCH), b.body as i32);
            }
            self.m.store_reg(o.ty, slot, SCRATCH);
        } else {
            let a = self.operand(r.a);
            let value = Machine::binary(self.m, o, a, b);
            self.define(o.ty, r.dst, value, at);
        }
        self.close();
    }

    /// `d = a op b` in place.
    fn binary_into(&mut self, o: Binary, d: Reg, r: &Record, mut b: Operand) {
        let Binary { op, ty } = o;
        let mut a = self.operand(r.a);
        if b.is_reg() && b.reg() == d && !(a.is_reg() && a.reg() == d) {
            if op.commutes() {
                std::mem::swap(&mut a, &mut b);
            } else {
                let scratch = if ty.is_float() { XSCRATCH } else { SCRATCH };
                self.m.mov_reg(if ty.is_float() { ty } else { Type::U64 }, scratch, d);
                b = Operand::reg_of(scratch);
            }
        }
        let is_first = a.is_reg() && a.reg() == d;
        if b.is_outer_mem() && !is_first && b.reads() & 1 << d != 0 {
            // The copy of the first operand would destroy the address.
            b = self.through_scratch(ty, b);
        }
        let is_factor = b.is_const() && op == BinaryOp::Mul && !is_narrow(ty) && !ty.is_float();
        if is_factor && (!is_wide(ty) || fits_wide(b.body) || lea_factor(b.body) && b.body.trailing_zeros() < 32) {
            return self.multiply_immediate(ty, d, a, b.body);
        }
        let shifts = matches!(op, BinaryOp::Shl | BinaryOp::Shr);
        if shifts && a.is_reg() && b.is_reg() && !is_narrow(ty) && self.m.features.bmi2 {
            return self.m.shift_three(op, ty, d, a.reg(), b.reg());
        }
        self.m.load(ty, d, a);
        self.m.release_operand(a);
        let d = Operand::reg_of(d).in_place();
        let result = Machine::binary(self.m, o, d, b);
        debug_assert!(result.is_reg() && result.reg() == d.reg(), "{o:?} was to be done in place");
    }

    /// `d = a * c` of 32 or 64 bits, where `a` is a register or memory.
    fn multiply_immediate(&mut self, ty: Type, d: Reg, a: Operand, c: u64) {
        let wide = is_wide(ty);
        let c = if wide { c } else { u64::from(c as u32) };
        let shift = c.trailing_zeros();
        self.m.release_operand(a);
        if lea_factor(c) && shift < 32 {
            let from = if a.is_reg() {
                a.reg()
            } else {
                self.m.load(ty, d, a);
                d
            };
            let scale = (c >> shift).ilog2() as u8;
            self.m.buf.lea(wide, d, Mem { base: from, index: from, scale, disp: 0, in_frame: false });
            if shift != 0 {
                self.m.shift_by_constant(super::encode::Shift::Shl, ty, d, shift as u8);
            }
        } else {
            debug_assert!(!wide || fits_wide(c));
            self.m.imul_imm(wide, d, a, c as i32);
        }
    }

    fn unary(&mut self, r: &Record, at: u32) {
        let home = self.home(r.dst);
        let unary = r.unary_op();
        if Self::is_dead(home, at) {
            return;
        }
        if self.is_barrier(at) {
            self.open_barrier(&[r.a]);
            let a = self.dying(r.a, at);
            let value = Machine::unary(self.m, unary, r.ty, a);
            return self.define(r.ty, r.dst, value, at);
        }
        let a = self.operand(r.a);
        let Some(d) = register(home) else {
            let value = Machine::unary(self.m, unary, r.ty, a);
            return self.define(r.ty, r.dst, value, at);
        };
        self.m.load(r.ty, d, a);
        let result = Machine::unary(self.m, unary, r.ty, Operand::reg_of(d).in_place());
        debug_assert!(result.is_reg() && result.reg() == d, "{unary:?} was to be done in place");
    }

    fn convert(&mut self, r: &Record, at: u32) {
        let (from, to, home) = (r.source_type(), r.ty, self.home(r.dst));
        if Self::is_dead(home, at) {
            return self.forget_pending(r.a);
        }
        if self.is_barrier(at) {
            self.open_barrier(&[r.a]);
            let a = self.dying(r.a, at);
            let value = self.m.convert_float(from, to, a);
            return self.define(to, r.dst, value, at);
        }
        let a = self.operand(r.a);
        match register(home) {
            Some(d) => {
                self.m.convert_into(from, to, d, a);
                self.m.release_operand(a);
            }
            None => {
                let value = Machine::convert(self.m, from, to, a);
                self.define(to, r.dst, value, at);
            }
        }
    }

    fn bitcast(&mut self, r: &Record, at: u32) {
        let (from, to, home) = (r.source_type(), r.ty, self.home(r.dst));
        if Self::is_dead(home, at) {
            return;
        }
        let a = self.operand(r.a);
        match register(home) {
            Some(d) if a.is_reg() => self.m.bitcast_into(to, d, a.reg()),
            Some(d) => self.m.load(to, d, a),
            None if a.is_reg() => {
                let slot = self.operand(r.dst);
                self.m.store_reg(from, slot, a.reg());
            }
            None => {
                let slot = self.operand(r.dst);
                self.m.store_value(Type::U64, slot, a);
            }
        }
    }

    fn set(&mut self, r: &Record, at: u32) {
        let home = self.home(r.dst);
        if Self::is_dead(home, at) {
            self.forget_pending(r.a);
            return if r.op == Op::Set {
                self.forget_pending(r.b)
            };
        }
        let condition = self.condition(r);
        match register(home) {
            Some(d) => self.m.settle_into(condition, d),
            None => {
                let value = self.m.settle_condition(condition);
                self.define(Type::Bool, r.dst, value, at);
            }
        }
    }

    /// A load that was part of a record which is left out.
    fn forget_pending(&mut self, reg: VReg) {
        if self.home(reg).place() == Home::FOLDED {
            self.m.release_operand(self.pending);
        }
    }

    fn lea(&mut self, r: &Record, at: u32) {
        let home = self.home(r.dst);
        if Self::is_dead(home, at) {
            return;
        }
        let place = self.memory(r);
        match register(home) {
            Some(d) => self.m.buf.lea(true, d, place.as_mem()),
            None => {
                self.m.buf.lea(true, SCRATCH, place.as_mem());
                let slot = self.operand(r.dst);
                self.m.store_reg(Type::U64, slot, SCRATCH);
            }
        }
        self.m.release_operand(place);
    }

    fn call(&mut self, f: &Function, r: &Record, at: u32) {
        let site = f.calls[r.a as usize];
        let is_barrier = self.is_barrier(at);
        debug_assert!(is_barrier);
        let mut args = std::mem::take(&mut self.m.arguments);
        args.clear();
        self.m.free = (GPRS | XMMS) & !self.allocation.busy[self.barrier] | self.free;
        for arg in f.args_of(&site) {
            let value = match arg.value {
                ArgValue::Const(bits) => Operand::constant(bits),
                ArgValue::Reg(reg) => self.operand(reg),
            };
            // Whatever still has to be read is nobody's to overwrite.
            self.m.free &= !value.reads();
            args.push((arg.ty, value));
        }
        // What dies here need not survive.
        let busy = self.allocation.busy[self.barrier];
        let dying = args.iter().fold(0, |all, (_, value)| all | value.reads()) & !busy;
        if let Some((_, first)) = args.iter_mut().find(|(_, value)| value.is_reg()) {
            // One operand owns them all; they are given back together.
            *first = Operand { head: first.head | u64::from(dying) << 32, ..*first };
        } else {
            debug_assert_eq!(dying, 0);
        }
        let value = self.m.call_target(site.target, &args, site.pairs, r.ty);
        if r.ty != Type::Unit {
            self.define(r.ty, r.dst, value, at);
        }
        self.m.arguments = args;
        self.close();
    }

    /// Whether the record `at` is a barrier, which then is the one to come.
    fn is_barrier(&mut self, at: u32) -> bool {
        let barriers = &self.shape.barriers;
        while barriers.get(self.barrier).is_some_and(|barrier| barrier.index < at) {
            self.barrier += 1;
        }
        barriers.get(self.barrier).is_some_and(|barrier| barrier.index == at)
    }

    /// Gives a barrier all registers that hold nothing there, but for those of its operands.
    fn open_barrier(&mut self, operands: &[VReg]) {
        let mut free = (GPRS | XMMS) & !self.allocation.busy[self.barrier];
        for &reg in operands {
            free &= !self.operand(reg).reads();
        }
        self.m.free = free;
    }

    /// An operand of a barrier: the operation's own if it dies there.
    fn dying(&self, reg: VReg, at: u32) -> Operand {
        let home = self.home(reg);
        match register(home) {
            Some(register) if home.end() == position(at) => Operand::temp(register),
            _ => self.operand(reg),
        }
    }

    /// Gives back a load that no record has taken: what was compared with it was given up.
    #[inline(always)]
    fn take_back(&mut self) {
        if self.pending.owned() != 0 {
            self.close();
        }
    }

    /// The end of a record that may have taken registers.
    #[inline]
    fn close(&mut self) {
        self.free |= self.pending.owned();
        self.pending = Operand::UNIT;
        self.m.free = self.free;
    }
}
