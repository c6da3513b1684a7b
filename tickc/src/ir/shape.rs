//! What a register allocator wants to know of a function, gathered while it is recorded: where each virtual register is born and
//! last read, where loops end, where registers are destroyed. It costs a store per operand here; found out afterwards, it would
//! cost another walk over the records.
//!
//! # Positions
//! The record with index `i` reads its operands at `2i + 2`, and writes its result at the same position; what it reads
//! while the result is being written, it reads at `2i + 3`. Position 0 is the entry.

use super::VReg;
use super::bump::Bump;
use crate::types::Type;

/// The position of a record.
#[inline(always)]
pub(crate) const fn position(index: u32) -> u32 {
    index * 2 + 2
}

/// The life of a virtual register.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Life {
    /// Bits 0–23: index of the first record behind its creation, which writes it or comes before one that does; 24–31 its type.
    start: u32,
    /// Bits 0–23: the position of the last read, 0 if there is none. 24–31: one more than the register that it would like.
    end: u32,
}

impl Life {
    const INDEX: u32 = 0xff_ffff;

    #[inline]
    pub(crate) const fn new(ty: Type, index: u32) -> Life {
        Life { start: index | (ty as u32) << 24, end: 0 }
    }

    /// Index of the record where it begins.
    #[inline]
    pub(crate) const fn start(self) -> u32 {
        self.start & Self::INDEX
    }

    /// Position of the last read; 0 if there is none.
    #[inline]
    pub(crate) const fn end(self) -> u32 {
        self.end & Self::INDEX
    }

    /// Whether the record with the index `at` is the last that reads it.
    #[inline]
    pub(crate) const fn ends_at(self, at: u32) -> bool {
        self.end() == position(at)
    }

    /// Whether it is of the floats' class.
    #[inline(always)]
    pub(crate) const fn is_float(self) -> bool {
        const _: () = assert!(Type::F64 as u32 == Type::F32 as u32 + 1);
        (self.start >> 24).wrapping_sub(Type::F32 as u32) < 2
    }

    #[inline]
    pub(crate) fn set_end(&mut self, end: u32) {
        self.end = self.end & !Self::INDEX | end;
    }

    /// The register that it would like.
    #[inline]
    pub(crate) const fn wish(self) -> Option<u8> {
        ((self.end >> 24) as u8).checked_sub(1)
    }

    #[inline]
    pub(crate) fn set_wish(&mut self, register: u8) {
        self.end = self.end & Self::INDEX | (u32::from(register) + 1) << 24;
    }
}

/// A place where registers are destroyed, or where the operation needs some of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Barrier {
    /// Index of the record.
    pub(crate) index: u32,
    /// Whether it is a call.
    pub(crate) call: bool,
}

/// A loop: the label at its top, and the last jump back to it. Both are indices of records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Loop {
    pub(crate) top: u32,
    pub(crate) end: u32,
}

/// All of it for one function. Reused from one to the next.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// By virtual register.
    pub(crate) lives: Bump<Life>,
    /// One for each jump backward, in order of the jumps.
    pub(crate) loops: Vec<Loop>,
    /// In order.
    pub(crate) barriers: Vec<Barrier>,
    /// Values that are returned.
    pub(crate) returned: Vec<VReg>,
    /// By type: the register of loads that only the next record reads, or [`Shape::NO_FORWARD`].
    pub(crate) forwards: [VReg; Type::ALL.len()],
    /// Whether there is any.
    pub(crate) has_forwards: bool,
    /// Whether there are registers that are zero on entry.
    pub(crate) has_zeroed: bool,
    /// Whether any record may end the call with a trap, calls apart.
    pub(crate) traps: bool,
    /// Whether control may enter a loop elsewhere than at its top: there are labels of the user's.
    pub(crate) has_labels: bool,
    /// Whether reads may have been forgotten again, so that lives may be longer than they need be.
    pub(crate) retracted: bool,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            lives: Bump::new(),
            loops: Vec::new(),
            barriers: Vec::new(),
            returned: Vec::new(),
            forwards: [Self::NO_FORWARD; Type::ALL.len()],
            has_forwards: false,
            has_zeroed: false,
            traps: false,
            has_labels: false,
            retracted: false,
        }
    }
}

impl Shape {
    pub(crate) const NO_FORWARD: VReg = VReg::MAX;

    pub(crate) fn clear(&mut self) {
        self.lives.clear();
        self.loops.clear();
        self.barriers.clear();
        self.returned.clear();
        (self.has_labels, self.retracted, self.has_zeroed, self.traps) = (false, false, false, false);
        if self.has_forwards {
            self.forwards = [Self::NO_FORWARD; Type::ALL.len()];
            self.has_forwards = false;
        }
    }

    #[cold]
    pub(crate) fn add_forward(&mut self, ty: Type, reg: VReg) {
        self.forwards[ty as usize] = reg;
        self.has_forwards = true;
    }

    /// The most integers that are alive where any loop begins. Cost: proportional to registers, records and loops.
    #[cfg(feature = "cranelift")]
    pub(crate) fn most_around_a_loop(&self) -> u32 {
        let tops = self.loops.iter().map(|l| l.top as usize).max().map_or(0, |top| top + 1);
        // How many more are alive at a record than at the one before it.
        let mut more = vec![0_i32; tops + 1];
        for life in self.lives.iter().filter(|life| !life.is_float() && life.end() != 0) {
            more[(life.start() as usize).min(tops)] += 1;
            more[(life.end() as usize / 2).min(tops)] -= 1;
        }
        let alive: Vec<i32> = more
            .iter()
            .scan(0, |alive, more| {
                *alive += more;
                Some(*alive)
            })
            .collect();
        self.loops.iter().map(|l| alive[l.top as usize]).max().unwrap_or(0).max(0) as u32
    }

    /// Whether there are registers that need no home like others: of loads, or zero on entry.
    #[inline(always)]
    pub(crate) fn has_exceptions(&self) -> bool {
        self.has_forwards | self.has_zeroed
    }

    /// The record with the index `at` reads an address of which `reg` is a part, even while it writes its result.
    #[inline]
    pub(crate) fn read_address(&mut self, reg: VReg, at: usize) {
        self.read(reg, at, true);
    }

    /// The record with the index `at` reads `reg`, and `late`: reads it after it has begun to write its result.
    #[inline(always)]
    pub(crate) fn read(&mut self, reg: VReg, at: usize, late: bool) {
        if let Some(life) = self.lives.slot(reg as usize) {
            life.end = position(at as u32) + late as u32;
        }
    }

    /// `reg`, which was created last, is written by a record that was there before it.
    #[inline]
    pub(crate) fn starts_before(&mut self, reg: VReg, index: u32) {
        if let Some(life) = self.lives.get_mut(reg as usize)
            && life.start() > index
        {
            life.start = life.start & !Life::INDEX | index;
        }
    }
}
