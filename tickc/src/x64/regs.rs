//! Registers as numbers and masks, and the operands of this machine.
//!
//! Registers 0–15 are the general ones in the machine's own numbering, 16–31 are xmm0–xmm15; a mask has bit k for register k.

use crate::machine::{Operand, kind};
use crate::types::Type;

pub(crate) type Reg = u8;

pub(super) const RAX: Reg = 0;
pub(super) const RCX: Reg = 1;
pub(super) const RDX: Reg = 2;
pub(super) const RSP: Reg = 4;
/// Never allocated: holds what one machine operation needs besides its operands.
pub(super) const SCRATCH: Reg = 11;
pub(crate) const XMM0: Reg = 16;
/// Never allocated, as [`SCRATCH`].
pub(super) const XSCRATCH: Reg = 31;

/// All general registers that are allocated.
pub(super) const GPRS: u32 = 0xffff & !(1 << RSP) & !(1 << SCRATCH);
/// All xmm registers that are allocated.
pub(super) const XMMS: u32 = 0x7fff_0000;
/// rbx, rbp, r12–r15: survive calls.
pub(super) const CALLEE_SAVED: u32 = 1 << 3 | 1 << 5 | 0xf000;
/// What calls destroy, among what is allocated.
pub(super) const CALLER_SAVED: u32 = (GPRS | XMMS) & !CALLEE_SAVED;
/// Integer arguments, in order: rdi, rsi, rdx, rcx, r8, r9.
pub(crate) const ARGUMENTS: [Reg; 6] = [7, 6, 2, 1, 8, 9];

/// In the body of a slot: it belongs to a temporary, not to a variable.
const SLOT_OWNED: u64 = 1 << 32;

/// A memory operand taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mem {
    pub(super) base: Reg,
    /// [`RSP`] for none, as in the machine's encoding.
    pub(super) index: Reg,
    /// log2
    pub(super) scale: u8,
    pub(super) disp: i32,
    /// Whether it is a slot: `disp` then counts from the bottom of the frame.
    pub(super) in_frame: bool,
}

impl Operand {
    /// A temporary.
    #[inline(always)]
    pub(super) const fn temp(reg: Reg) -> Operand {
        Operand { head: kind::REG as u64 | (reg as u64) << 8 | 1 << (32 + reg), body: 0 }
    }

    /// Whether a memory operand has an index.
    #[inline(always)]
    pub(super) const fn has_index(self) -> bool {
        self.head >> 16 & 0xff != Self::NO_INDEX
    }

    /// A temporary, given the bit of its register, too.
    #[inline(always)]
    pub(super) const fn temp_with(reg: Reg, bit: u32) -> Operand {
        Operand { head: kind::REG as u64 | (reg as u64) << 8 | (bit as u64) << 32, body: 0 }
    }

    /// A register that somebody else owns.
    #[inline(always)]
    pub(super) const fn reg_of(reg: Reg) -> Operand {
        Operand { head: kind::REG as u64 | (reg as u64) << 8, body: 0 }
    }

    /// Whether the operand is a register that the operation may overwrite.
    #[inline(always)]
    pub(super) const fn is_temp(self) -> bool {
        self.kind() == kind::REG && self.may_be_overwritten()
    }

    /// Whether a register operand may be overwritten by the operation.
    #[inline(always)]
    pub(super) const fn may_be_overwritten(self) -> bool {
        self.head & (Self::IN_PLACE | !0 << 32) != 0
    }

    #[inline(always)]
    pub(super) const fn is_reg(self) -> bool {
        self.kind() == kind::REG
    }

    /// Whether the operand is memory, in the frame or elsewhere.
    #[inline(always)]
    pub(super) const fn is_mem(self) -> bool {
        matches!(self.kind(), kind::MEM | kind::SLOT)
    }

    /// Whether the operand is a register or a slot.
    #[inline(always)]
    pub(super) const fn is_place(self) -> bool {
        matches!(self.kind(), kind::REG | kind::SLOT)
    }

    /// Whether the operand is memory that is not in the frame.
    #[inline(always)]
    pub(super) const fn is_outer_mem(self) -> bool {
        self.kind() == kind::MEM
    }

    /// Whether the operand is memory that is not in the frame and needs no SIB byte: it has no index, and its base is not `r12`.
    #[inline(always)]
    pub(super) const fn is_plain_mem(self) -> bool {
        self.head & 0x00ff_00ff == kind::MEM as u64 | Self::NO_INDEX << 16 && self.head & 0x700 != (RSP as u64) << 8
    }

    /// The register of a register operand, the base of a memory operand, the code of a condition.
    #[inline(always)]
    pub(super) const fn reg(self) -> Reg {
        (self.head >> 8) as u8
    }

    /// `[base + index << scale + disp]`
    #[inline(always)]
    pub(super) const fn mem(base: Reg, index: Reg, scale: u8, disp: i32, owned: u32) -> Operand {
        Operand {
            head: kind::MEM as u64
                | (base as u64) << 8
                | (index as u64) << 16
                | (scale as u64) << 24
                | (owned as u64) << 32,
            body: disp as u32 as u64,
        }
    }

    /// A variable's slot in the frame.
    #[inline]
    pub(super) const fn slot(index: u32) -> Operand {
        Operand { head: kind::SLOT as u64 | (RSP as u64) << 8 | Self::NO_INDEX << 16, body: (index * 8) as u64 }
    }

    /// A temporary's slot in the frame.
    #[inline]
    pub(super) const fn temp_slot(index: u32) -> Operand {
        let Operand { head, body } = Operand::slot(index);
        Operand { head, body: body | SLOT_OWNED }
    }

    /// The number of the slot that this temporary owns.
    #[inline(always)]
    pub(super) const fn owned_slot(self) -> Option<u32> {
        if self.kind() == kind::SLOT && self.body & SLOT_OWNED != 0 { Some(self.body as u32 / 8) } else { None }
    }

    /// The number of the slot that this operand is.
    #[inline(always)]
    pub(super) const fn slot_index(self) -> Option<u32> {
        if self.kind() == kind::SLOT { Some(self.body as u32 / 8) } else { None }
    }

    /// The same memory, owned by nobody.
    #[inline(always)]
    pub(super) const fn disowned(self) -> Operand {
        Operand { head: self.head & 0xffff_ffff & !IN_PLACE_OF_REG(self.head), body: self.body & !SLOT_OWNED }
    }

    /// The displacement of a memory operand.
    #[inline(always)]
    pub(super) const fn disp(self) -> i32 {
        self.body as u32 as i32
    }

    /// The memory operand taken apart.
    #[inline(always)]
    pub(super) const fn as_mem(self) -> Mem {
        Mem {
            base: self.reg(),
            index: (self.head >> 16) as u8,
            scale: (self.head >> 24) as u8,
            disp: self.body as u32 as i32,
            in_frame: self.kind() == kind::SLOT,
        }
    }

    /// Every register that the operand reads.
    #[inline]
    pub(super) const fn reads(self) -> u32 {
        match self.kind() {
            kind::REG => 1 << self.reg(),
            kind::MEM => {
                let m = self.as_mem();
                1 << m.base | if m.index == RSP { 0 } else { 1 << m.index }
            }
            _ => 0,
        }
    }
}

/// The in-place mark of a register operand (the bit is part of the scale of a memory operand).
#[expect(non_snake_case, reason = "a constant that depends on the kind")]
const fn IN_PLACE_OF_REG(head: u64) -> u64 {
    if head as u8 == kind::REG { Operand::IN_PLACE } else { 0 }
}

/// Whether operations on the type are done in 64-bit registers.
#[inline(always)]
pub(super) const fn is_wide(ty: Type) -> bool {
    const WIDE: u32 = types(8);
    WIDE >> ty as u32 & 1 != 0
}

/// Whether a value of the type is kept extended to 32 bits.
#[inline(always)]
pub(super) const fn is_narrow(ty: Type) -> bool {
    const NARROW: u32 = types(1) | types(2);
    NARROW >> ty as u32 & 1 != 0
}

/// The set of types of `size` bytes, as a mask.
const fn types(size: u32) -> u32 {
    let mut mask = 0;
    let mut i = 0;
    while i < Type::ALL.len() {
        if Type::ALL[i].size() == size {
            mask |= 1 << Type::ALL[i] as u32;
        }
        i += 1;
    }
    mask
}
