//! Calls, by the System V convention: integers in rdi, rsi, rdx, rcx, r8, r9, floats in xmm0–xmm7, the rest on the stack;
//! a slice is a struct of two words, in two registers or on the stack as a whole.

use dynasmrt::{DynasmApi, dynasm};

use super::branch::cc;
use super::encode::{Alu, op};
use super::regs::*;
use super::{OnePass, odd};
use crate::machine::{Operand, Target, kind};
use crate::types::Type;

/// Where an argument is passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Location {
    Reg(Reg),
    /// Index of the word on the stack.
    Stack(u32),
}

/// Hands out the locations of arguments in order.
#[derive(Default)]
pub(crate) struct Convention {
    ints: usize,
    floats: u8,
    pub(crate) stack: u32,
}

impl Convention {
    /// The location of the next argument; `first_of_pair`: it is one of two words that stay together.
    pub(crate) fn next(&mut self, ty: Type, first_of_pair: bool) -> Location {
        if ty.is_float() {
            if self.floats < 8 {
                self.floats += 1;
                return Location::Reg(XMM0 + self.floats - 1);
            }
        } else if self.ints + usize::from(first_of_pair && !fault!(30)) < ARGUMENTS.len() {
            self.ints += 1;
            return Location::Reg(ARGUMENTS[self.ints - 1]);
        }
        self.stack += 1;
        Location::Stack(self.stack - 1)
    }

    /// The location of the second word of a pair.
    pub(super) fn second(&mut self, first: Location) -> Location {
        match first {
            Location::Reg(_) => self.next(Type::Usize, false),
            Location::Stack(_) => {
                self.stack += 1;
                Location::Stack(self.stack - 1)
            }
        }
    }

    /// The locations of all arguments.
    pub(crate) fn locate(
        &mut self,
        types: impl Iterator<Item = Type>,
        pairs: u32,
        mut each: impl FnMut(usize, Location),
    ) {
        // With more than 32 words there is no pair: signatures with slices have at most 25.
        let starts_pair = |i: usize| pairs & 1_u32.wrapping_shl(i as u32) != 0;
        let mut previous = Location::Stack(0);
        for (i, ty) in types.enumerate() {
            let second = i > 0 && starts_pair(i - 1);
            let location = if second { self.second(previous) } else { self.next(ty, starts_pair(i)) };
            each(i, location);
            previous = location;
        }
    }
}

/// A move to an argument's register that is still to be done.
#[derive(Clone, Copy)]
struct Move {
    to: Reg,
    ty: Type,
    from: Operand,
}

impl OnePass {
    pub(super) fn call_target(&mut self, target: Target, args: &[(Type, Operand)], pairs: u32, ret: Type) -> Operand {
        self.odd |= odd::CALLS;
        let (traps, checks_stack, native) = match target {
            Target::SelfCall | Target::Declared(_) => (true, true, false),
            Target::Dynamic { traps, checks_stack, .. } => (traps, checks_stack, false),
            Target::Native(_) => (false, false, true),
            // Canonical as a value of our own, and with a status.
            Target::Host { .. } => (true, false, false),
        };
        self.odd |= if traps { odd::TRAPS } else { 0 } | if checks_stack { odd::NEEDS_LIMIT } else { 0 };

        // Conditions become values while their flags are alive: only the last argument can be one.
        let mut operands = std::mem::take(&mut self.operands);
        let mut locations = std::mem::take(&mut self.locations);
        operands.clear();
        locations.clear();
        let mut pairs = pairs;
        if let Target::Host { data, .. } = target {
            operands.push((Type::Ptr, Operand::constant(data)));
            pairs <<= 1;
        }
        let mut owned = 0;
        for &(ty, from) in args {
            let operand = if from.kind() == kind::COND { self.settle_condition(from) } else { from };
            operands.push((ty, operand));
            owned |= operand.owned();
        }

        // What lives in registers that the call destroys, but for what the call consumes.
        let live = !self.free & CALLER_SAVED & !owned & !(u32::from(fault!(25)) << 6);
        let mut saved = [(0 as Reg, 0u32); 32];
        let mut saves = 0;
        for reg in bits(live) {
            let slot = self.alloc_slot();
            saved[saves] = (reg, slot);
            saves += 1;
            self.store_reg(if reg >= XMM0 { Type::F64 } else { Type::U64 }, Operand::slot(slot), reg);
        }
        let saved = &saved[..saves];

        let mut convention = Convention::default();
        convention.locate(operands.iter().map(|&(ty, _)| ty), pairs, |_, location| locations.push(location));
        let limit = checks_stack.then(|| convention.next(Type::Usize, false));
        match target {
            Target::SelfCall | Target::Declared(_) => self.odd |= odd::RECURSIVE,
            Target::Dynamic { stack, .. } => {
                self.callee_stack = self.callee_stack.max(stack.saturating_add(convention.stack * 8));
            }
            Target::Native(_) | Target::Host { .. } => self.callee_stack = self.callee_stack.max(convention.stack * 8),
        }

        self.pass_on_stack(&operands, &locations, limit, convention.stack);
        self.pass_in_registers(&operands, &locations, limit);
        self.used |= CALLER_SAVED;
        self.emit_call(target);
        if convention.stack > 0 {
            let bytes = (convention.stack * 8).next_multiple_of(16) as i32;
            self.buf.alu_ri(Alu::ADD, true, RSP, bytes);
            self.pushed = 0;
        }
        for &(_, operand) in &operands {
            self.release_operand(operand);
        }
        (self.operands, self.locations) = (operands, locations);
        if traps && !fault!(29) {
            // The status lies beside the value: in rdx, or in rax if the value is a float.
            let status = if ret.is_float() { RAX } else { RDX };
            self.buf.test_rr(true, status, status);
            let trapped = self.jump_on(cc::NE);
            if status == RAX {
                self.trapped_in_rax = self.merge_lists(self.trapped_in_rax, trapped);
            } else {
                self.trapped_in_rdx = self.merge_lists(self.trapped_in_rdx, trapped);
            }
        }
        let result = self.call_result(ret, native);
        for &(reg, slot) in saved {
            self.load(
                if reg >= XMM0 { Type::F64 } else { Type::U64 },
                reg,
                Operand::slot(slot + u32::from(fault!(26))),
            );
            self.free_slots.push(slot);
        }
        result
    }

    /// Takes the result out of rax or xmm0.
    fn call_result(&mut self, ret: Type, native: bool) -> Operand {
        if ret == Type::Unit {
            return Operand::UNIT;
        }
        let home = if ret.is_float() { XMM0 } else { RAX };
        if native && !fault!(27) {
            // C leaves the upper part of narrow results open.
            self.extend(if ret == Type::Bool { Type::U8 } else { ret }, home);
        }
        if self.free & 1 << home != 0 {
            self.free &= !(1 << home);
            return self.settled_down(ret, home);
        }
        // What lived there before the call is about to come back.
        let (d, crowded) = self.alloc_result(if ret.is_float() { XMMS } else { GPRS });
        self.mov_reg(ret, d, home);
        self.born(ret, d, crowded)
    }

    /// Pushes the arguments that go on the stack, the last one first, so that `rsp` is aligned to 16 at the call.
    fn pass_on_stack(
        &mut self,
        operands: &[(Type, Operand)],
        locations: &[Location],
        limit: Option<Location>,
        words: u32,
    ) {
        if words == 0 {
            return;
        }
        if !words.is_multiple_of(2) {
            self.buf.alu_ri(Alu::SUB, true, RSP, 8);
            self.pushed += 8;
        }
        if let Some(Location::Stack(_)) = limit {
            let slot = Operand::slot(self.limit_slot());
            self.push_word(Type::Usize, slot);
        }
        for (i, &(ty, operand)) in operands.iter().enumerate().rev() {
            if let Location::Stack(_) = locations[i] {
                self.buf.room();
                self.push_word(ty, operand);
            }
        }
    }

    fn push_word(&mut self, ty: Type, operand: Operand) {
        let reg = if operand.is_reg() && operand.reg() < XMM0 {
            operand.reg()
        } else if operand.is_reg() {
            // movq r11, xmm
            self.buf.rr(super::encode::op_prefixed(0x66, 0x7e), true, operand.reg(), SCRATCH, false);
            SCRATCH
        } else {
            let as_bits = match ty {
                Type::F32 => Type::U32,
                Type::F64 => Type::U64,
                other => other,
            };
            self.load(as_bits, SCRATCH, operand);
            SCRATCH
        };
        dynasm!(self.buf; .arch x64; push Rq(reg));
        self.pushed += 8;
    }

    /// Moves the arguments that go in registers: a parallel move, as the sources may be argument registers themselves.
    fn pass_in_registers(&mut self, operands: &[(Type, Operand)], locations: &[Location], limit: Option<Location>) {
        // At most every register of the convention.
        let mut moves = [Move { to: 0, ty: Type::Unit, from: Operand::UNIT }; ARGUMENTS.len() + 8];
        let mut count = 0;
        let mut add = |to, ty, from: Operand| {
            if !(from.is_reg() && from.reg() == to) {
                moves[count] = Move { to, ty, from };
                count += 1;
            }
        };
        for (i, &(ty, operand)) in operands.iter().enumerate() {
            if let Location::Reg(reg) = locations[i] {
                add(reg, ty, operand);
            }
        }
        if let Some(Location::Reg(reg)) = limit {
            let slot = Operand::slot(self.limit_slot());
            add(reg, Type::Usize, slot);
        }
        // Registers that hold arguments already are never targets; those that others still read must wait.
        while count > 0 {
            let ready = (0..count).find(|&i| {
                let to = 1 << moves[i].to;
                (0..count).all(|j| j == i || fault!(28) || moves[j].from.reads() & to == 0)
            });
            match ready {
                Some(i) => {
                    let Move { to, ty, from } = moves[i];
                    self.load(ty, to, from);
                    count -= 1;
                    moves[i] = moves[count];
                }
                None => {
                    // A cycle: the value of one goes to a slot, which frees the registers that it reads.
                    let Move { ty, from, .. } = moves[0];
                    let slot = Operand::slot(self.fresh_slot());
                    self.store_value(ty, slot, from);
                    moves[0].from = slot;
                }
            }
        }
    }

    fn emit_call(&mut self, target: Target) {
        match target {
            Target::SelfCall => {
                self.buf.byte(0xe8);
                self.self_calls.push(self.buf.pos());
                self.buf.dword(0);
            }
            Target::Dynamic { address, .. } => {
                self.buf.byte(0xe8);
                self.near_calls.push((self.buf.pos(), address));
                self.buf.dword(0);
            }
            Target::Declared(cell) => {
                self.buf.mov_ri(SCRATCH, cell);
                let cell = Mem { base: SCRATCH, index: RSP, scale: 0, disp: 0, in_frame: false };
                self.buf.rm(op(0xff), false, 2, cell, false);
            }
            Target::Native(address) | Target::Host { shim: address, .. } => {
                if self.is_near(address) {
                    self.buf.byte(0xe8);
                    self.near_calls.push((self.buf.pos(), address));
                    self.buf.dword(0);
                } else {
                    self.buf.mov_ri(SCRATCH, address);
                    self.buf.rr(op(0xff), false, 2, SCRATCH, false);
                }
            }
        }
    }

    /// Whether all of the code memory reaches an address with a 32-bit displacement.
    fn is_near(&self, address: u64) -> bool {
        is_near(self.region, address)
    }

    /// The slot that holds the stack limit.
    fn limit_slot(&mut self) -> u32 {
        if self.limit == u32::MAX {
            self.limit = self.fresh_slot();
        }
        self.limit
    }
}

/// Whether code anywhere between the addresses `start` and `end` reaches `address` with a 32-bit displacement.
pub(crate) fn is_near((start, end): (u64, u64), address: u64) -> bool {
    let reach = i64::from(i32::MAX) - 4096;
    let distances = [address.wrapping_sub(start) as i64, address.wrapping_sub(end) as i64];
    distances.iter().all(|distance| distance.unsigned_abs() < reach as u64)
}

/// The numbers of the bits of a mask.
pub(super) fn bits(mut mask: u32) -> impl Iterator<Item = Reg> {
    std::iter::from_fn(move || {
        (mask != 0).then(|| {
            let bit = mask.trailing_zeros() as Reg;
            mask &= mask - 1;
            bit
        })
    })
}
