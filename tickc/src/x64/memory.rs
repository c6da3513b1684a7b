//! Addresses, loads and stores.

use super::OnePass;
use super::regs::*;
use crate::machine::{Binary, BinaryOp, Operand};
use crate::types::Type;

impl OnePass {
    /// `[base + index * scale + disp]`.
    pub(super) fn address_of(&mut self, base: Operand, index: Option<Operand>, scale: u32, disp: i32) -> Operand {
        let base = self.to_reg(Type::Ptr, base);
        let Some(index) = index else {
            return Operand::mem(base.reg(), RSP, 0, disp, base.owned());
        };
        let (index, scale) = self.scaled(index, scale);
        let index = self.to_reg(Type::Usize, index);
        let place = Operand::mem(base.reg(), index.reg(), scale, disp, base.owned() | index.owned());
        self.in_one_register(place)
    }

    /// The place, in one register instead of two of its own if few are left (R2): the operation to come needs some, too.
    #[inline]
    fn in_one_register(&mut self, place: Operand) -> Operand {
        let m = place.as_mem();
        let both = 1 << m.base | 1 << m.index;
        if place.owned() != both || m.base == m.index || !self.is_crowded() {
            return place;
        }
        self.buf.lea(true, m.base, m);
        self.free |= 1 << m.index;
        Operand::mem(m.base, RSP, 0, 0, 1 << m.base)
    }

    /// An index with a scale that the machine has, as log2.
    fn scaled(&mut self, index: Operand, scale: u32) -> (Operand, u8) {
        match scale {
            1 | 2 | 4 | 8 => (index, scale.trailing_zeros() as u8),
            0 => (self.binary_int(Binary { op: BinaryOp::And, ty: Type::Usize }, index, Operand::constant(0)), 0),
            _ => {
                // 12 = 3 * 4, 24 = 3 * 8, 40 = 5 * 8: the machine's own scale takes as much of the factor as it can.
                let own = scale.trailing_zeros().min(3);
                let factor = u64::from(scale >> own);
                let op = if factor.is_power_of_two() { BinaryOp::Shl } else { BinaryOp::Mul };
                let by = if factor.is_power_of_two() { u64::from(factor.trailing_zeros()) } else { factor };
                // A factor above i32 would not fit an immediate, but sizes do.
                (self.binary_int(Binary { op, ty: Type::Usize }, index, Operand::constant(by)), own as u8)
            }
        }
    }

    /// A memory operand moved by `disp` bytes.
    pub(super) fn moved_by(&mut self, place: Operand, disp: i32) -> Operand {
        let m = place.as_mem();
        match m.disp.checked_add(disp) {
            Some(disp) => Operand::mem(m.base, m.index, m.scale, disp, place.owned()),
            None => {
                let pointer = self.pointer_to(place);
                self.address_of(pointer, None, 0, disp)
            }
        }
    }

    /// The address as a value.
    pub(super) fn pointer_to(&mut self, place: Operand) -> Operand {
        let m = place.as_mem();
        if m.index == RSP && m.disp == 0 {
            return if place.owned() != 0 { Operand::temp(m.base) } else { Operand::reg_of(m.base) };
        }
        self.release_operand(place);
        let (d, crowded) = self.alloc_result(GPRS);
        self.buf.lea(true, d, m);
        self.born(Type::Ptr, d, crowded)
    }

    /// The element at `index` behind a memory operand.
    pub(super) fn element_of(&mut self, place: Operand, index: Operand, scale: u32) -> Operand {
        let m = place.as_mem();
        if m.index != RSP {
            let pointer = self.pointer_to(place);
            return self.address_of(pointer, Some(index), scale, 0);
        }
        let (index, scale) = self.scaled(index, scale);
        let index = self.to_reg(Type::Usize, index);
        let place = Operand::mem(m.base, index.reg(), scale, m.disp, place.owned() | index.owned());
        self.in_one_register(place)
    }

    /// `[place] = value`.
    pub(super) fn store_to(&mut self, ty: Type, place: Operand, value: Operand) {
        let value = if value.kind() == crate::machine::kind::COND { self.settle_condition(value) } else { value };
        self.store_value(ty, place, value);
        self.release_operand(value);
        self.release_operand(place);
    }

    /// `[place] op= value`.
    pub(super) fn update(&mut self, op: BinaryOp, ty: Type, place: Operand, value: Operand) {
        if ty.is_float() || !self.update_memory(op, ty, place, value) {
            let old = self.to_reg(ty, place.disowned());
            let value = if ty.is_float() {
                self.binary_float(Binary { op, ty }, old, value)
            } else {
                self.binary_int(Binary { op, ty }, old, value)
            };
            self.store_value(ty, place, value);
            self.release_operand(value);
        }
        self.release_operand(place);
    }
}
