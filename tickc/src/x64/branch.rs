//! Conditions and jumps.
//!
//! A condition is (code, true-list, false-list). The jumps of a list are threaded circularly through their own 32-bit
//! displacement fields: a list is the position of its last field, which holds the position of the first, so that two lists
//! are merged in constant time and without memory.

use super::OnePass;
use super::regs::*;
use crate::machine::{Comparison, JumpList, Operand, kind};
use crate::types::Type;

/// Condition codes of the machine.
pub(super) mod cc {
    pub(crate) const O: u8 = 0;
    pub(crate) const B: u8 = 2;
    pub(crate) const AE: u8 = 3;
    pub(crate) const E: u8 = 4;
    pub(crate) const NE: u8 = 5;
    pub(crate) const BE: u8 = 6;
    pub(crate) const A: u8 = 7;
    pub(crate) const S: u8 = 8;
    pub(crate) const P: u8 = 10;
    pub(crate) const L: u8 = 12;
    pub(crate) const GE: u8 = 13;
    pub(crate) const LE: u8 = 14;
    pub(crate) const G: u8 = 15;
    /// Control falls through with the value true; inverted, false.
    pub(crate) const ALWAYS: u8 = 16;
}

/// The condition code of an integer comparison.
#[inline(always)]
pub(super) fn code_of(op: Comparison, signed: bool) -> u8 {
    /// Unsigned, signed.
    static CODES: [[u8; 2]; 6] =
        [[cc::E; 2], [cc::NE; 2], [cc::B, cc::L], [cc::BE, cc::LE], [cc::A, cc::G], [cc::AE, cc::GE]];
    CODES[op as usize][usize::from(signed && !fault!(1))]
}

impl Operand {
    #[inline(always)]
    pub(super) const fn condition(code: u8, true_list: JumpList, false_list: JumpList) -> Operand {
        Operand { head: kind::COND as u64 | (code as u64) << 8, body: true_list as u64 | (false_list as u64) << 32 }
    }

    /// Whether the operand is a condition that flags alone tell.
    #[inline(always)]
    pub(super) const fn is_flags(self) -> bool {
        self.head & !0xf00 == kind::COND as u64 && self.body == 0
    }

    #[inline(always)]
    const fn true_list(self) -> JumpList {
        self.body as u32
    }

    #[inline(always)]
    const fn false_list(self) -> JumpList {
        (self.body >> 32) as u32
    }
}

impl OnePass {
    /// A truth value as a condition. Consumes `a`.
    #[inline(always)]
    pub(super) fn to_condition(&mut self, a: Operand) -> Operand {
        if a.kind() == kind::COND { a } else { self.tested(a) }
    }

    #[inline(never)]
    fn tested(&mut self, a: Operand) -> Operand {
        self.buf.room();
        match a.kind() {
            kind::REG => {
                self.release_operand(a);
                self.buf.test_rr(false, a.reg(), a.reg());
                Operand::condition(cc::NE, 0, 0)
            }
            kind::MEM | kind::SLOT => {
                self.release_operand(a);
                let m = self.m(a);
                self.buf.alu_mi(super::encode::Alu::CMP, 1, m, 0);
                Operand::condition(cc::NE, 0, 0)
            }
            _ => Operand::condition(if a.body != 0 { cc::ALWAYS } else { cc::ALWAYS ^ 1 }, 0, 0),
        }
    }

    /// A condition as a value in a register.
    #[inline(never)]
    pub(super) fn settle_condition(&mut self, a: Operand) -> Operand {
        let (reg, crowded) = self.alloc_result(GPRS);
        self.settle_into(a, reg);
        self.born(Type::Bool, reg, crowded)
    }

    /// A condition as a value in the register `reg`.
    pub(super) fn settle_into(&mut self, a: Operand, reg: Reg) {
        let code = a.reg();
        if code < cc::ALWAYS && a.body == 0 {
            self.buf.set_condition(code, reg);
            return;
        }
        let false_list = self.jump_false(a);
        self.buf.mov_ri(reg, 1);
        if false_list != 0 && !fault!(4) {
            let end = self.jump_always();
            self.land_list(false_list);
            self.buf.zero(reg);
            self.land_list(end);
        }
    }

    #[inline(always)]
    pub(super) fn jump_on(&mut self, code: u8) -> JumpList {
        // A list of one names itself.
        let at = self.buf.pos() + 2;
        self.buf.packed(0x800f | u64::from(code) << 8 | u64::from(at) << 16, 6);
        at
    }

    /// A jump. Jumps that have landed here go on with it to where it goes.
    #[inline]
    pub(super) fn jump_always(&mut self) -> JumpList {
        let at = self.buf.pos() + 1;
        self.buf.packed(0xe9 | u64::from(at) << 8, 5);
        if self.arrived != 0 && self.landed + 1 == at {
            let arrived = std::mem::take(&mut self.arrived);
            return self.merge_lists(arrived, at);
        }
        at
    }

    /// Jumps if the condition is false; lets its true-list come here.
    #[inline]
    pub(super) fn jump_false(&mut self, a: Operand) -> JumpList {
        // Mostly flags that were just set.
        if a.head & !0xf00 == kind::COND as u64 && a.body == 0 {
            return self.jump_on(a.reg() ^ 1);
        }
        self.jump_false_any(a)
    }

    #[inline(never)]
    fn jump_false_any(&mut self, a: Operand) -> JumpList {
        let a = self.to_condition(a);
        let list = match a.reg() {
            cc::ALWAYS => a.false_list(),
            code => {
                let jump =
                    if code > cc::ALWAYS { self.jump_always() } else { self.jump_on(code ^ u8::from(!fault!(2))) };
                self.prepend(jump, a.false_list())
            }
        };
        self.land_list(a.true_list());
        list
    }

    /// A list of one jump, and another list.
    #[inline]
    fn prepend(&mut self, jump: JumpList, list: JumpList) -> JumpList {
        if list == 0 { jump } else { self.merge_lists(list, jump) }
    }

    /// Jumps if the condition is true; lets its false-list come here.
    #[inline]
    pub(super) fn jump_true(&mut self, a: Operand) -> JumpList {
        let a = self.invert_condition(a);
        self.jump_false(a)
    }

    #[inline]
    pub(super) fn invert_condition(&mut self, a: Operand) -> Operand {
        let a = self.to_condition(a);
        if fault!(5) {
            Operand::condition(a.reg() ^ 1, a.true_list(), a.false_list())
        } else {
            Operand::condition(a.reg() ^ 1, a.false_list(), a.true_list())
        }
    }

    /// The condition that is true if no jump of `list` was taken and `rhs` is true.
    #[inline(always)]
    pub(super) fn and_condition(&mut self, list: JumpList, rhs: Operand) -> Operand {
        let rhs = self.to_condition(rhs);
        let false_list = self.merge_lists(list, rhs.false_list());
        Operand::condition(rhs.reg(), rhs.true_list(), false_list)
    }

    /// Both lists as one.
    #[inline(always)]
    pub(super) fn merge_lists(&mut self, a: JumpList, b: JumpList) -> JumpList {
        if a == 0 || b == 0 { a | b } else { self.merge_both(a, b) }
    }

    #[inline(never)]
    fn merge_both(&mut self, a: JumpList, b: JumpList) -> JumpList {
        if self.buf.overflowed() || fault!(3) {
            return a;
        }
        let (first_of_a, first_of_b) = (self.buf.read_u32(a), self.buf.read_u32(b));
        self.buf.patch_i32(a, first_of_b as i32);
        self.buf.patch_i32(b, first_of_a as i32);
        b
    }

    /// Lets the jumps of a list go to `target`.
    #[inline(never)]
    pub(super) fn send_list(&mut self, list: JumpList, target: u32) {
        if list == 0 || self.buf.overflowed() {
            return;
        }
        let mut at = list;
        loop {
            let next = self.buf.read_u32(at);
            self.buf.patch_i32(at, target.wrapping_sub(at + 4) as i32);
            if next == list {
                return;
            }
            at = next;
        }
    }

    /// Lets the jumps of a list come here. They are patched when the next list lands, as a jump that follows takes them along.
    #[inline(always)]
    pub(super) fn land_list(&mut self, list: JumpList) {
        if list != 0 {
            self.land_some(list);
        }
    }

    #[inline(never)]
    fn land_some(&mut self, list: JumpList) {
        let here = self.buf.pos();
        if self.landed == here {
            self.arrived = self.merge_lists(self.arrived, list);
        } else {
            self.settle_jumps();
            (self.arrived, self.landed) = (list, here);
        }
    }

    /// Patches the jumps that landed last.
    #[inline]
    pub(super) fn settle_jumps(&mut self) {
        if self.arrived != 0 {
            let arrived = std::mem::take(&mut self.arrived);
            self.send_list(arrived, self.landed);
        }
    }

    /// Sends a list to a place already emitted if its only jump is the last instruction and the place is near: the jump then
    /// takes two bytes. Whether this was it.
    pub(super) fn send_short(&mut self, list: JumpList, target: u32) -> bool {
        let pos = self.buf.pos();
        if list == 0
            || list + 4 != pos
            || self.landed == pos
            || self.buf.overflowed()
            || self.buf.read_u32(list) != list
        {
            return false;
        }
        let opcode = self.buf.read_u32(list - 4).to_le_bytes();
        let (short, len) = if opcode[3] == 0xe9 { (0xeb, 5) } else { (u64::from(opcode[3]) - 0x10, 6) };
        let distance = target.wrapping_sub(pos - len + 2) as i32;
        if distance as i8 as i32 != distance {
            return false;
        }
        self.buf.truncate(pos - len);
        self.buf.packed(short | u64::from(distance as u8) << 8, 2);
        true
    }
}
