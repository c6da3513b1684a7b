//! What wants rdx:rax: division, and the high half of a product.

use dynasmrt::dynasm;

use super::OnePass;
use super::branch::cc;
use super::encode::{Alu, op};
use super::regs::*;
use crate::machine::{BinaryOp, Operand};
use crate::trap::TrapKind;
use crate::types::Type;

/// Where the value of a register waits while an operation uses the register.
#[derive(Clone, Copy)]
enum Aside {
    Reg(Reg),
    Slot(u32),
}

/// What waits of rax and rdx.
#[derive(Clone, Copy)]
struct SetAside {
    rax: Option<Aside>,
    rdx: Option<Aside>,
}

impl OnePass {
    /// Division and remainder by `div` or `idiv`.
    pub(super) fn divide(&mut self, op: BinaryOp, ty: Type, a: Operand, b: Operand) -> Operand {
        let (signed, wide) = (ty.is_signed(), is_wide(ty));
        let known = b.is_const() && b.body != 0 && b.body as i64 != -1;
        // The divisor: anywhere but in rax and rdx.
        let divisor = if b.is_reg() && !matches!(b.reg(), RAX | RDX) {
            b.reg()
        } else {
            self.load(ty, SCRATCH, b);
            SCRATCH
        };
        if !known && !fault!(14) {
            self.buf.test_rr(wide, divisor, divisor);
            let zero = self.jump_on(cc::E);
            self.add_trap(TrapKind::DivisionByZero, zero);
        }
        let aside = self.clear_rax_rdx(a, b);
        // The dividend may have lived in rdx or rax, which still hold it.
        self.load(ty, RAX, a);
        if signed {
            if !known && !fault!(15) {
                self.check_overflow(ty, divisor);
            }
            if wide {
                dynasm!(self.buf; .arch x64; cqo);
            } else {
                dynasm!(self.buf; .arch x64; cdq);
            }
            self.buf.rr(super::encode::op(0xf7), wide, 7, divisor, false);
        } else {
            self.buf.zero(if fault!(17) { SCRATCH } else { RDX });
            self.buf.rr(super::encode::op(0xf7), wide, 6, divisor, false);
        }
        self.release_operand(a);
        self.release_operand(b);
        self.result_of_rax_rdx(ty, if op == BinaryOp::Div || fault!(18) { RAX } else { RDX }, a, aside)
    }

    /// Traps if rax is the smallest integer and the divisor -1.
    fn check_overflow(&mut self, ty: Type, divisor: Reg) {
        let wide = is_wide(ty);
        self.buf.alu_ri(Alu::CMP, wide, divisor, -1);
        let fine = self.jump_on(cc::NE);
        if is_narrow(ty) {
            self.buf.alu_ri(Alu::CMP, false, RAX, crate::emit::fold::min_value(ty) as i32);
        } else {
            // Negation overflows only there; rdx is about to be overwritten anyway.
            self.buf.mov_rr(wide, RDX, RAX);
            self.buf.rr(op(0xf7), wide, 3, RDX, false);
        }
        let overflow = self.jump_on(if is_narrow(ty) { cc::E } else { cc::O });
        self.add_trap(TrapKind::DivisionOverflow, overflow);
        self.land_list(fine);
    }

    /// The high half of a product of 64-bit integers.
    pub(super) fn multiply_high(&mut self, ty: Type, a: Operand, b: Operand) -> Operand {
        if self.features.bmi2 && !ty.is_signed() {
            return self.mulx(ty, a, b);
        }
        // One factor goes to rax, the other one stays where it is unless that is rax.
        let (x, m) = if b.is_const() || b.is_reg() && b.reg() == RAX { (b, a) } else { (a, b) };
        let factor = if m.is_reg() && m.reg() != RAX {
            m.reg()
        } else {
            self.load(ty, SCRATCH, m);
            SCRATCH
        };
        let aside = self.clear_rax_rdx(a, b);
        self.load(ty, RAX, x);
        self.buf.rr(op(0xf7), true, if ty.is_signed() && !fault!(19) { 5 } else { 4 }, factor, false);
        self.release_operand(a);
        self.release_operand(b);
        self.result_of_rax_rdx(ty, RDX, a, aside)
    }

    /// `mulx`: one factor in rdx, which it leaves alone, and the result anywhere.
    fn mulx(&mut self, ty: Type, a: Operand, b: Operand) -> Operand {
        const RDX_MASK: u32 = 1 << RDX;
        let in_rdx = |x: Operand| x.is_reg() && x.reg() == RDX;
        let (x, m) = if in_rdx(a) || !in_rdx(b) && a.is_const() { (a, b) } else { (b, a) };
        if m.is_mem() && m.reads() & RDX_MASK != 0 && !in_rdx(x) {
            let m = self.to_reg(ty, m);
            return self.mulx(ty, m, x);
        }
        let mut busy = false;
        let factor = if in_rdx(x) {
            self.factor_of(ty, m)
        } else if m.is_reg() || m.is_mem() && (self.free | x.owned() | m.owned()) & RDX_MASK != 0 {
            let factor = self.factor_of(ty, m);
            busy = (self.free | x.owned() | m.owned()) & RDX_MASK == 0;
            if busy {
                self.buf.mov_rr(true, SCRATCH, RDX);
            }
            self.load(ty, RDX, x);
            factor
        } else {
            // The scratch register keeps rdx, so the other factor needs a register of its own.
            let m = self.to_reg(ty, m);
            return self.mulx(ty, x, m);
        };
        self.used |= RDX_MASK;
        self.release_operand(x);
        self.release_operand(m);
        let (d, crowded) = self.alloc_result(GPRS);
        // VEX.LZ.F2.0F38.W1 F6 /r: both halves to d, the high one last.
        self.buf.byte(0xc4);
        self.buf.byte((!d & 8) << 4 | 0x40 | (!factor & 8) << 2 | 2);
        self.buf.byte(0x80 | (!d & 15) << 3 | 3);
        self.buf.byte(0xf6);
        self.buf.byte(0xc0 | (d & 7) << 3 | factor & 7);
        if busy {
            self.buf.mov_rr(true, RDX, SCRATCH);
        }
        self.born(ty, d, crowded)
    }

    /// The register of a factor: its own, or the scratch register.
    fn factor_of(&mut self, ty: Type, m: Operand) -> Reg {
        if m.is_reg() {
            return m.reg();
        }
        self.load(ty, SCRATCH, m);
        SCRATCH
    }

    /// Moves what lives in rax and rdx out of the way, but for what the operands are about to give up.
    fn clear_rax_rdx(&mut self, a: Operand, b: Operand) -> SetAside {
        let given_up = a.owned() | b.owned() | if a.is_temp() { 1 << a.reg() } else { 0 };
        let busy = !self.free & !given_up & !(u32::from(fault!(16)) << RDX);
        // Not a register that an operand still has to be read from, nor one of the two.
        let taken = self.free & (1 << RAX | 1 << RDX);
        self.free &= !taken;
        let aside = SetAside { rax: self.set_aside(busy, RAX), rdx: self.set_aside(busy, RDX) };
        self.free |= taken;
        self.used |= 1 << RAX | 1 << RDX;
        aside
    }

    /// Copies what lives in a register to another one, or to a slot if few are left.
    fn set_aside(&mut self, busy: u32, reg: Reg) -> Option<Aside> {
        if busy & 1 << reg == 0 {
            return None;
        }
        if !self.is_crowded() && self.free & CALLER_SAVED & GPRS != 0 {
            let other = self.alloc(GPRS);
            self.buf.mov_rr(true, other, reg);
            return Some(Aside::Reg(other));
        }
        let slot = self.alloc_slot();
        self.store_reg(Type::U64, Operand::slot(slot), reg);
        Some(Aside::Slot(slot))
    }

    fn bring_back(&mut self, reg: Reg, aside: Option<Aside>) {
        match aside {
            Some(Aside::Reg(other)) => {
                self.buf.mov_rr(true, reg, other);
                self.free |= 1 << other;
            }
            Some(Aside::Slot(slot)) => {
                self.load(Type::U64, reg, Operand::slot(slot));
                self.free_slots.push(slot);
            }
            None => {}
        }
    }

    /// The result in rax or rdx as an operand, after what waited has come back. `a` is the first operand, released.
    fn result_of_rax_rdx(&mut self, ty: Type, result: Reg, a: Operand, aside: SetAside) -> Operand {
        let waits = if result == RAX { aside.rax } else { aside.rdx };
        if waits.is_some() {
            // The result makes room first.
            self.mov_reg(ty, SCRATCH, result);
        }
        self.bring_back(RAX, aside.rax);
        self.bring_back(RDX, aside.rdx);
        if waits.is_some() {
            let (reg, crowded) = self.alloc_result(GPRS);
            self.mov_reg(ty, reg, SCRATCH);
            return self.born(ty, reg, crowded);
        }
        if a.is_temp() && a.owned() == 0 && a.reg() == result {
            // Computed in place.
            return a;
        }
        self.free &= !(1 << result);
        self.settled_down(ty, result)
    }
}
