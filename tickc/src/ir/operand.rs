//! The operands of the [`Builder`](super::Builder): registers, addresses, and conditions that wait for what becomes of them.
//!
//! | kind | head | body |
//! |---|---|---|
//! | `REG` | bit 24 in place, bit 62 temporary, bit 63 set | register |
//! | `MEM` | bits 8–9 log2 of the scale, 10 has an index, 11 base is a temporary, 16–39 base, 40–63 index | displacement |
//! | `COND` | bits 8–15 code, 32–63 index of the branch | true-list, false-list |

use super::VReg;
use crate::machine::{JumpList, Operand, kind};

/// Marks of a register operand.
const VREG: u64 = 1 << 63;
const TEMPORARY: u64 = 1 << 62;
/// Marks of a memory operand.
pub(super) const INDEXED: u64 = 1 << 10;
pub(super) const BASE_IS_TEMPORARY: u64 = 1 << 11;

/// Codes of conditions: the branch is taken where the condition is true, where it is false; there is no branch, and the
/// condition is true where control falls through, or false. Exclusive or with 1 inverts a code.
pub(super) mod code {
    pub(in crate::ir) const TAKEN: u8 = 0;
    pub(in crate::ir) const ALWAYS: u8 = 2;
    pub(in crate::ir) const NEVER: u8 = 3;
}

impl Operand {
    pub(super) const fn vreg_home(reg: VReg) -> Operand {
        Operand { head: kind::REG as u64 | VREG, body: reg as u64 }
    }

    pub(super) const fn vreg_temp(reg: VReg) -> Operand {
        Operand { head: kind::REG as u64 | VREG | TEMPORARY, body: reg as u64 }
    }

    pub(super) const fn vreg(self) -> VReg {
        self.body as u32
    }

    pub(super) const fn is_vreg(self) -> bool {
        self.kind() == kind::REG
    }

    pub(super) const fn is_vreg_temp(self) -> bool {
        self.kind() == kind::REG && self.head & TEMPORARY != 0
    }

    pub(super) const fn is_in_place(self) -> bool {
        self.kind() == kind::REG && self.head & Self::IN_PLACE != 0
    }

    pub(super) const fn pending(code: u8, index: u32, true_list: JumpList, false_list: JumpList) -> Operand {
        Operand {
            head: kind::COND as u64 | (code as u64) << 8 | (index as u64) << 32,
            body: true_list as u64 | (false_list as u64) << 32,
        }
    }
}

/// A condition taken apart.
#[derive(Clone, Copy)]
pub(super) struct Pending {
    pub(super) code: u8,
    /// Index of its branch.
    pub(super) index: u32,
    pub(super) true_list: JumpList,
    pub(super) false_list: JumpList,
}

impl Pending {
    pub(super) const fn of(a: Operand) -> Pending {
        Pending {
            code: (a.head >> 8) as u8,
            index: (a.head >> 32) as u32,
            true_list: a.body as u32,
            false_list: (a.body >> 32) as u32,
        }
    }

    pub(super) const fn operand(self) -> Operand {
        Operand::pending(self.code, self.index, self.true_list, self.false_list)
    }

    /// Whether it is a branch without lists.
    pub(super) const fn is_plain(self) -> bool {
        self.code < code::ALWAYS && self.true_list == 0 && self.false_list == 0
    }
}

/// A memory operand taken apart.
#[derive(Clone, Copy)]
pub(super) struct Address {
    pub(super) base: VReg,
    pub(super) base_is_temporary: bool,
    pub(super) index: Option<VReg>,
    pub(super) log2: u8,
    pub(super) disp: i32,
}

impl Address {
    /// The base of a memory operand.
    pub(super) const fn base(a: Operand) -> VReg {
        (a.head >> 16) as u32 & 0xff_ffff
    }

    pub(super) const fn of(a: Operand) -> Address {
        Address {
            base: Address::base(a),
            base_is_temporary: a.head & BASE_IS_TEMPORARY != 0,
            index: if a.head & INDEXED != 0 { Some((a.head >> 40) as u32) } else { None },
            log2: (a.head >> 8) as u8 & 3,
            disp: a.body as i32,
        }
    }

    pub(super) fn operand(self) -> Operand {
        let index = self.index.map_or(0, |index| INDEXED | u64::from(index) << 40);
        let temporary = if self.base_is_temporary { BASE_IS_TEMPORARY } else { 0 };
        Operand {
            head: kind::MEM as u64 | u64::from(self.log2) << 8 | temporary | u64::from(self.base) << 16 | index,
            body: u64::from(self.disp as u32),
        }
    }
}
