//! What compiled code reads and writes: the bytes, the environment, the room for tuples.
//!
//! The only module with unsafe code, all of it in quotations: it says what may be read or written whenever the function runs.
#![allow(unsafe_code, reason = "loads that are proved or checked, stores within the room for tuples")]

use tickc::prelude::*;

use super::lower::{Lowering, leave, leave_if};
use super::plan::Mark;
use super::{LEN, status};
use crate::program::{Inst, Operand};
use crate::run::{FaultCode, Tuple};
use crate::verify::Verdict;

/// Where a load reads.
enum Place {
    /// So many bytes from the start.
    Byte(Code<'static, usize>),
    /// So many times the load's width from the start: the machine scales by itself.
    Element(Code<'static, usize>),
}

/// The number of this type at a place of the bytes, as 64 bits.
macro_rules! number {
    ($ty:ident, $bytes:ident, $place:ident, $big_endian:ident) => {{
        let number: Code<'static, $ty> = match $place {
            // SAFETY: the load is proved, or its check has held (C1); the machine reads at any alignment.
            Place::Byte(at) => tick!(unsafe { *(@$bytes.add(@at) as *const $ty) }),
            // SAFETY: as above.
            Place::Element(at) => tick!(unsafe { *(@$bytes as *const $ty).add(@at) }),
        };
        if $big_endian { tick!(@number.swap_bytes() as u64) } else { tick!(@number as u64) }
    }};
}

impl Lowering<'_> {
    /// A word of the environment, `index` words behind the first one of its sort.
    pub(super) fn environment(self, a: u8, first: usize, index: Operand) -> Code<'static, ()> {
        let index = if let Operand::Imm(index) = index { index as usize } else { 0 };
        let (environment, word, d) = (self.environment, first + index, self.register(a));
        // SAFETY: the environment has that many words (C3); verified indexes are below the number of their sort.
        tick!(@d = unsafe { *@environment.add($word) })
    }

    /// The number of bytes that the function is given.
    fn len(self) -> Code<'static, u64> {
        let environment = self.environment;
        // SAFETY: C3.
        tick!(unsafe { *@environment.add(LEN) })
    }

    pub(super) fn own(self, start: Operand, count: Operand, type_index: u64) -> Code<'static, ()> {
        let end = self.end;
        let (first, many) = (self.value(start), self.value(count));
        let add = tick!({
            // SAFETY: the verifier has counted the tuples (C2).
            unsafe {
                *(@end as *mut u64) = @first;
                *(@end as *mut u64).add(1) = @many;
                *(@end as *mut u64).add(2) = $type_index;
            }
            @end += $(size_of::<Tuple>());
        });
        match count {
            Operand::Imm(0) => tick!(()),
            Operand::Reg(_) => {
                let many = self.value(count);
                tick!(if @many != 0 { @add; })
            }
            _ => add,
        }
    }

    pub(super) fn load(self, inst: &Inst, mark: Mark, width: u8, big_endian: bool) -> Code<'static, ()> {
        let Operand::Imm(offset) = inst.y else { unreachable!("decoded: the offset is an immediate") };
        let fault = status::fault(FaultCode::Load, inst.slot);
        let check = match mark.verdict {
            Some(Verdict::Proved) => None,
            Some(Verdict::Checked) => Some(self.check(inst.x, offset, u64::from(width), fault)),
            // Never come to.
            _ => return leave(fault),
        };
        let (bytes, d) = (self.bytes, self.register(inst.a));
        let place = self.place(inst, mark, offset, width);
        let value = match width {
            1 => number!(u8, bytes, place, big_endian),
            2 => number!(u16, bytes, place, big_endian),
            4 => number!(u32, bytes, place, big_endian),
            _ => number!(u64, bytes, place, big_endian),
        };
        match check {
            Some(check) => tick!({ @check; @d = @value; }),
            None => tick!(@d = @value),
        }
    }

    fn place(self, inst: &Inst, mark: Mark, offset: u64, width: u8) -> Place {
        if let Some(index) = mark.index {
            let index = self.register(index);
            return Place::Element(tick!(@index as usize));
        }
        let (base, width) = (self.value(inst.x), u64::from(width));
        match inst.x {
            Operand::Reg(_) if offset != 0 => Place::Byte(tick!((@base + $offset) as usize)),
            Operand::Reg(_) => Place::Byte(tick!(@base as usize)),
            _ if offset.is_multiple_of(width) => Place::Element(tick!($((offset / width) as usize))),
            _ => Place::Byte(tick!($(offset as usize))),
        }
    }

    /// Ends the run unless `width` bytes at `base + offset` lie within the bytes.
    fn check(self, base: Operand, offset: u64, width: u64, fault: u64) -> Code<'static, ()> {
        let (base, unit) = (self.value(base), u64::from(self.plan.unit));
        // What is compared with the number of bytes less `least`.
        let (address, least) = if (offset as i64) < 0 {
            // An address below zero wraps to one far above.
            (tick!(@base + $offset), width)
        } else {
            // The sum of constants cannot wrap, that of base and offset could.
            (base, offset + width)
        };
        if unit == 0 {
            let len = self.len();
            tick!({
                let len = @len;
                if len < $least || @address > len - $least { return $fault; }
            })
        } else if unit < least {
            leave(fault)
        } else {
            leave_if(tick!(@address > $(unit - least)), fault)
        }
    }
}
