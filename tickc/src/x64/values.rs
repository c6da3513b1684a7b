//! Registers and slots: getting and giving back, loading and storing, variables and their homes.
//!
//! # Invariants
//! - R1: a register is in `free`, or owned by exactly one operand or variable.
//! - R2: a result is born in a slot when fewer than [`SPARE`] registers would be left, so that every operation finds the
//!   registers that it needs for itself.
//! - R3: a variable gets a register only if more than [`TEMPORARIES`] are left after it.

use super::buffer::Buffer;
use super::encode::{op, op_prefixed, op0f};
use super::regs::*;
use super::{OnePass, odd};
use crate::choice;
use crate::error::Error;
use crate::machine::{Operand, kind};
use crate::types::Type;

/// Lower bits of a mask that stay free for operations themselves (R2).
pub(super) const SPARE: u32 = 3;
/// Registers that stay for temporaries (R3).
pub(super) const TEMPORARIES: u32 = 4;
/// Largest number of slots: a frame of 1 MiB.
const MAX_SLOTS: u32 = MAX_FRAME / 8;
/// Most bytes of a frame.
pub(crate) const MAX_FRAME: u32 = 1 << 20;

/// Whether a mask has more than `n` bits.
#[inline(always)]
pub(super) fn has_more_than(mut mask: u32, n: u32) -> bool {
    for _ in 0..n {
        mask &= mask.wrapping_sub(1);
    }
    mask != 0
}

impl OnePass {
    /// The registers of a type's class.
    #[inline(always)]
    pub(super) fn class(ty: Type) -> u32 {
        if ty.is_float() { XMMS } else { GPRS }
    }

    /// A free register of a class, those that calls destroy first.
    #[inline(always)]
    pub(super) fn alloc(&mut self, class: u32) -> Reg {
        let free = choice::one_of(self.free & class);
        let preferred = free & CALLER_SAVED;
        let pick = if preferred != 0 { preferred } else { free };
        if pick == 0 {
            return self.too_complex(class);
        }
        let reg = pick.trailing_zeros() as Reg;
        self.free &= !(1 << reg);
        self.used |= 1 << reg;
        reg
    }

    #[cold]
    #[inline(never)]
    fn too_complex(&mut self, class: u32) -> Reg {
        let limit = class.count_ones();
        self.fail(Error::ExpressionTooComplex { limit });
        class.trailing_zeros() as Reg
    }

    /// A register for a result, and whether the result must go to a slot afterwards (R2).
    #[inline(always)]
    pub(super) fn alloc_result(&mut self, class: u32) -> (Reg, bool) {
        let crowded = !has_more_than(self.free & class, SPARE);
        (self.alloc(class), crowded)
    }

    /// Whether results are being born in slots.
    #[inline(always)]
    pub(super) fn is_crowded(&self) -> bool {
        !has_more_than(self.free & GPRS, SPARE)
    }

    /// A result that an operation left in a register which it took without asking how many were left (R2).
    #[inline]
    pub(super) fn settled_down(&mut self, ty: Type, reg: Reg) -> Operand {
        let crowded = !has_more_than(self.free & Self::class(ty), SPARE - 1);
        self.born(ty, reg, crowded)
    }

    /// The result in `reg` as a temporary.
    #[inline(always)]
    pub(super) fn born(&mut self, ty: Type, reg: Reg, crowded: bool) -> Operand {
        if crowded { self.born_in_slot(ty, reg) } else { Operand::temp(reg) }
    }

    #[cold]
    #[inline(never)]
    fn born_in_slot(&mut self, ty: Type, reg: Reg) -> Operand {
        let slot = Operand::temp_slot(self.alloc_slot());
        self.store_reg(ty, slot, reg);
        self.free |= 1 << reg;
        slot
    }

    /// A slot of the frame.
    pub(super) fn alloc_slot(&mut self) -> u32 {
        self.free_slots.pop().unwrap_or_else(|| self.fresh_slot())
    }

    /// A slot that was never used in this function.
    pub(super) fn fresh_slot(&mut self) -> u32 {
        if self.slots == MAX_SLOTS {
            self.fail(Error::FrameTooLarge { limit: MAX_SLOTS as usize * 8 });
            return 0;
        }
        self.slots += 1;
        self.slots - 1
    }

    /// A memory operand with the displacement that it has here: slots lie above what was pushed for a call.
    #[inline(always)]
    pub(super) fn m(&self, a: Operand) -> Mem {
        let m = a.as_mem();
        if m.in_frame { Mem { disp: m.disp + self.pushed, ..m } } else { m }
    }

    #[inline(always)]
    pub(super) fn release_operand(&mut self, a: Operand) {
        self.free |= a.owned();
        if let Some(slot) = a.owned_slot() {
            self.free_slots.push(slot);
        }
    }

    /// `reg = a`, leaving the flags alone. Does not consume `a`, which is not a condition.
    #[inline]
    pub(super) fn load(&mut self, ty: Type, reg: Reg, a: Operand) {
        match a.kind() {
            kind::REG => self.mov_reg(ty, reg, a.reg()),
            kind::MEM | kind::SLOT => {
                let m = self.m(a);
                load_mem(&mut self.buf, ty, reg, m);
            }
            _ if ty.is_float() => self.load_float_constant(ty, reg, a.body),
            _ => self.buf.mov_ri(reg, if is_wide(ty) { a.body } else { u64::from(a.body as u32) }),
        }
    }

    /// `dst = src` in the class of the type.
    #[inline(always)]
    pub(super) fn mov_reg(&mut self, ty: Type, dst: Reg, src: Reg) {
        if dst == src {
        } else if ty.is_float() {
            self.buf.rr(op0f(0x28), false, dst, src, false); // movaps
        } else {
            self.buf.mov_rr(is_wide(ty), dst, src);
        }
    }

    fn load_float_constant(&mut self, ty: Type, reg: Reg, bits: u64) {
        if bits == 0 {
            // xorps leaves the flags alone.
            self.buf.rr(op0f(0x57), false, reg, reg, false);
        } else {
            self.buf.mov_ri(SCRATCH, bits);
            self.buf.rr(op_prefixed(0x66, 0x6e), ty == Type::F64, reg, SCRATCH, false); // movd, movq
        }
    }

    /// `[mem] = reg`.
    #[inline]
    pub(super) fn store_reg(&mut self, ty: Type, to: Operand, reg: Reg) {
        let m = self.m(to);
        if ty.is_float() {
            let prefix = if ty == Type::F32 { 0xf3 } else { 0xf2 };
            self.buf.rm(op_prefixed(prefix, 0x11), false, reg, m, false);
        } else {
            // A slot is eight bytes: the whole register goes there, so that any narrower read finds its bytes.
            self.buf.mov_mr(if m.in_frame { 8 } else { ty.size() }, m, reg);
        }
    }

    /// The value in some register: its own, or a new temporary. Consumes `a`.
    #[inline]
    pub(super) fn to_reg(&mut self, ty: Type, a: Operand) -> Operand {
        match a.kind() {
            kind::REG => a,
            kind::COND => {
                // Which is a slot if registers are few.
                let a = self.settle_condition(a);
                self.to_reg(ty, a)
            }
            _ => {
                // The registers of the address may serve again: the load reads them before it writes.
                self.release_operand(a);
                let reg = self.alloc(Self::class(ty));
                self.load(ty, reg, a);
                Operand::temp(reg)
            }
        }
    }

    /// The value in a register that the operation may overwrite, and whether the result must go to a slot. Consumes `a`.
    #[inline(always)]
    pub(super) fn to_temp(&mut self, ty: Type, a: Operand) -> (Operand, bool) {
        if a.is_temp() {
            return (a, false);
        }
        if a.kind() == kind::COND {
            let a = self.settle_condition(a);
            return self.to_temp(ty, a);
        }
        self.release_operand(a);
        let (reg, crowded) = self.alloc_result(Self::class(ty));
        self.load(ty, reg, a);
        (Operand::temp(reg), crowded)
    }

    /// A result computed in the register of `a` (from [`OnePass::to_temp`]).
    #[inline(always)]
    pub(super) fn result(&mut self, ty: Type, a: Operand, crowded: bool) -> Operand {
        if crowded { self.born_in_slot(ty, a.reg()) } else { a }
    }

    pub(super) fn pin_operand(&mut self, ty: Type, a: Operand) -> Operand {
        match a.kind() {
            kind::CONST | kind::UNIT => a,
            kind::COND => self.settle_condition(a),
            _ if a.is_temp() || a.owned_slot().is_some() => a,
            _ => {
                let (a, crowded) = self.to_temp(ty, a);
                self.result(ty, a, crowded)
            }
        }
    }

    /// A register for a variable, if enough are left (R3).
    #[inline]
    fn alloc_home(&mut self, ty: Type) -> Option<Reg> {
        let free = self.free & Self::class(ty);
        if !has_more_than(free, TEMPORARIES) {
            return None;
        }
        let free = choice::one_of(free);
        // With calls about, registers that survive them. Else rax first, as what is computed first is often what is returned;
        // rcx and rdx, which shifts and divisions want, last among those that need no saving.
        let saved = free & CALLEE_SAVED;
        let others = free & !CALLEE_SAVED;
        let pick = if self.calls && saved != 0 {
            saved
        } else if others & !(1 << RCX | 1 << RDX) != 0 {
            others & !(1 << RCX | 1 << RDX)
        } else if others != 0 {
            others
        } else {
            saved
        };
        let reg = pick.trailing_zeros() as Reg;
        self.free &= !(1 << reg);
        self.used |= 1 << reg;
        Some(reg)
    }

    /// The home of a new variable with this value.
    #[inline(never)]
    pub(super) fn declare_home(&mut self, ty: Type, init: Operand) -> Operand {
        self.buf.room();
        let mut init = init;
        if init.kind() == kind::COND {
            init = self.settle_condition(init);
        }
        if init.is_reg() && init.owned() != 0 && has_more_than(self.free & Self::class(ty), TEMPORARIES - 1) {
            return Operand::reg_of(init.reg());
        }
        if let Some(slot) = init.owned_slot() {
            return Operand::slot(slot);
        }
        // The registers of the value go first: the new home may be one of them.
        let home = if init.is_mem() {
            self.release_operand(init);
            self.alloc_home(ty)
        } else {
            let home = self.alloc_home(ty);
            self.release_operand(init);
            home
        };
        match home {
            Some(reg) => {
                self.load_fresh(ty, reg, init);
                Operand::reg_of(reg)
            }
            None => {
                let slot = Operand::slot(self.alloc_slot());
                self.store_value(ty, slot, init);
                slot
            }
        }
    }

    /// `reg = a` where the flags may be destroyed.
    #[inline]
    pub(super) fn load_fresh(&mut self, ty: Type, reg: Reg, a: Operand) {
        if a.is_const() && a.body == 0 && !ty.is_float() {
            self.buf.zero(reg);
        } else {
            self.load(ty, reg, a);
        }
    }

    /// `[to] = a`; consumes neither. `a` is not a condition.
    pub(super) fn store_value(&mut self, ty: Type, to: Operand, a: Operand) {
        match a.kind() {
            kind::REG => self.store_reg(ty, to, a.reg()),
            kind::MEM | kind::SLOT => {
                if a.head == to.head && a.body == to.body {
                    return;
                }
                let through = if ty.is_float() { XSCRATCH } else { SCRATCH };
                self.load(ty, through, a);
                self.store_reg(ty, to, through);
            }
            _ => {
                let m = self.m(to);
                let size = if m.in_frame { 8 } else { ty.size() };
                // A constant is canonical, so a slot gets it extended.
                if size < 8 || a.body as i32 as i64 as u64 == a.body {
                    self.buf.mov_mi(size, m, a.body as i32);
                } else {
                    self.buf.mov_ri(SCRATCH, a.body);
                    self.buf.mov_mr(size, m, SCRATCH);
                }
            }
        }
    }

    /// A variable that is zero wherever it is first seen.
    pub(super) fn declare_zero(&mut self, ty: Type, straight: bool) -> Operand {
        let zero = Operand::constant(0);
        if ty == Type::Unit {
            return Operand::UNIT;
        }
        if straight {
            return self.declare_home(ty, zero);
        }
        // The prologue zeroes it, so it must be a place that nothing has used before.
        let untouched = self.free & Self::class(ty) & !self.used;
        let home = if untouched != 0 && has_more_than(self.free & Self::class(ty), TEMPORARIES) {
            let reg = (31 - untouched.leading_zeros()) as Reg;
            self.free &= !(1 << reg);
            self.used |= 1 << reg;
            Operand::reg_of(reg)
        } else {
            Operand::slot(self.fresh_slot())
        };
        self.zeroed.push((ty, home));
        self.odd |= odd::LISTS;
        home
    }

    /// Brings the value of a narrow integer in the low bits of `reg` into its extended form.
    #[inline]
    pub(super) fn extend(&mut self, ty: Type, reg: Reg) {
        match ty {
            Type::I8 => self.buf.rr(op0f(0xbe), false, reg, reg, true),
            Type::U8 => self.buf.rr(op0f(0xb6), false, reg, reg, true),
            Type::I16 => self.buf.rr(op0f(0xbf), false, reg, reg, false),
            Type::U16 => self.buf.rr(op0f(0xb7), false, reg, reg, false),
            _ => {}
        }
    }
}

/// `reg = [m]`, extended to 32 bits if narrower.
#[inline]
pub(super) fn load_mem(buf: &mut Buffer, ty: Type, reg: Reg, m: Mem) {
    match ty {
        Type::I64 | Type::Isize | Type::U64 | Type::Usize | Type::Ptr => buf.rm(op(0x8b), true, reg, m, false),
        Type::I32 | Type::U32 => buf.rm(op(0x8b), false, reg, m, false),
        Type::Bool | Type::U8 => buf.rm(op0f(0xb6), false, reg, m, false),
        Type::I8 => buf.rm(op0f(0xbe), false, reg, m, false),
        Type::U16 => buf.rm(op0f(0xb7), false, reg, m, false),
        Type::I16 => buf.rm(op0f(0xbf), false, reg, m, false),
        Type::F32 => buf.rm(op_prefixed(0xf3, 0x10), false, reg, m, false),
        Type::F64 => buf.rm(op_prefixed(0xf2, 0x10), false, reg, m, false),
        Type::Unit => {}
    }
}
