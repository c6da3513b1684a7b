//! The start and the end of a function.
//!
//! How large the frame is, which registers must be saved, whether the function can trap: all that is known only when the
//! body has been emitted. So the prologue is emitted last, into the gap before the body if it fits, else behind it.

use dynasmrt::{DynasmApi, dynasm};

use super::calls::{Convention, Location, bits};
use super::encode::{Alu, op};
use super::regs::*;
use super::{OnePass, buffer, odd};
use crate::choice;
use crate::error::Error;
use crate::machine::{Finished, Operand, Prologue, kind};
use crate::trap::{CODE_STATUS, TrapKind};
use crate::types::Type;

/// Offset of the body in the buffer.
const GAP: u32 = 96;
/// Functions that need more stack than this check that it is there.
pub(crate) const UNCHECKED_STACK: u32 = 4096;
/// The instruction `ret`.
const RET: u8 = 0xc3;
/// A displacement to be patched.
const UNKNOWN: i32 = i32::MAX;

/// The homes of parameters that stay in the registers where they arrive.
static ARRIVED: [Operand; ARGUMENTS.len()] = {
    let mut homes = [Operand::UNIT; ARGUMENTS.len()];
    let mut i = 0;
    while i < ARGUMENTS.len() {
        homes[i] = Operand::reg_of(ARGUMENTS[i]);
        i += 1;
    }
    homes
};
/// The registers of the first so many of them.
static USED: [u32; ARGUMENTS.len()] = {
    let mut used = [0; ARGUMENTS.len()];
    let mut i = 1;
    while i < ARGUMENTS.len() {
        used[i] = used[i - 1] | 1 << ARGUMENTS[i - 1];
        i += 1;
    }
    used
};

impl OnePass {
    pub(super) fn begin_function(&mut self, prologue: &Prologue<'_>, homes: &mut Vec<Operand>) {
        choice::begin();
        self.buf.reset(GAP as usize);
        self.free = GPRS | XMMS;
        self.used = 0;
        self.slots = 0;
        self.free_slots.clear();
        self.pushed = 0;
        self.ret = prologue.ret;
        self.calls = prologue.calls;
        self.returns = 0;
        self.landed = 0;
        if self.odd != 0 {
            self.clear_odd();
        }
        debug_assert!(self.is_clear(), "what a function leaves behind makes it odd");
        if prologue.declared {
            self.odd = odd::RECURSIVE;
        }
        debug_assert!(self.error.is_none(), "`finish` and `abandon` take it");
        if !self.begin_in_registers(prologue, homes) {
            self.begin_anywhere(prologue, homes);
        }
        self.free = choice::few(self.free);
    }

    /// Whether nothing is left of the function before.
    fn is_clear(&self) -> bool {
        let lists = self.zeroed.len() + self.stack_arguments.len() + self.self_calls.len() + self.near_calls.len();
        let jumps = self.exits
            | self.trapped_in_rdx
            | self.trapped_in_rax
            | self.trap_lists.iter().fold(0, |all, list| all | list);
        lists + self.tables.len() == 0 && jumps == 0 && self.limit == u32::MAX && self.callee_stack == 0
    }

    /// Forgets what was odd about the function before.
    #[inline(never)]
    fn clear_odd(&mut self) {
        self.odd = 0;
        self.limit = u32::MAX;
        self.callee_stack = 0;
        (self.exits, self.trapped_in_rdx, self.trapped_in_rax) = (0, 0, 0);
        self.trap_lists = [0; 5];
        self.zeroed.clear();
        self.stack_arguments.clear();
        self.self_calls.clear();
        self.near_calls.clear();
        self.tables.clear();
        self.table_bytes = 0;
    }

    #[inline(never)]
    fn begin_anywhere(&mut self, prologue: &Prologue<'_>, homes: &mut Vec<Operand>) {
        let mut convention = Convention::default();
        let mut arrived = 0u32;
        let mut on_stack = false;
        convention.locate(prologue.params.iter().copied(), prologue.pairs, |_, location| {
            homes.push(match location {
                Location::Reg(reg) => {
                    arrived |= 1 << reg;
                    Operand::reg_of(reg)
                }
                Location::Stack(word) => {
                    on_stack = true;
                    Operand::constant(u64::from(word))
                }
            });
        });
        self.limit_location = convention.next(Type::Usize, false);
        self.free = choice::few(self.free & !arrived);
        self.used = arrived;
        // A parameter stays where it arrives, unless that is the stack, or calls would only send it elsewhere.
        if on_stack || self.calls {
            for (home, &ty) in homes.iter_mut().zip(prologue.params) {
                if home.is_const() {
                    *home = self.load_param(ty, home.body as u32);
                } else if self.calls && !ty.is_float() {
                    *home = self.move_param(ty, home.reg());
                }
            }
        }
    }

    /// The common case of a few integers that stay where they arrive: whether this was it.
    #[inline(always)]
    fn begin_in_registers(&mut self, prologue: &Prologue<'_>, homes: &mut Vec<Operand>) -> bool {
        let count = prologue.params.len();
        if count >= ARGUMENTS.len() || self.calls || prologue.params.iter().any(|ty| ty.is_float()) {
            return false;
        }
        homes.extend_from_slice(&ARRIVED[..count]);
        self.used = USED[count];
        self.free = (GPRS | XMMS) & !self.used;
        self.limit_location = Location::Reg(ARGUMENTS[count]);
        true
    }

    /// A parameter's new home, away from the register that it arrives in.
    fn move_param(&mut self, ty: Type, reg: Reg) -> Operand {
        let arrived = Operand::reg_of(reg);
        let home = self.declare_home(ty, arrived);
        self.free |= 1 << reg;
        home
    }

    /// The home of a parameter that arrives on the stack.
    fn load_param(&mut self, ty: Type, word: u32) -> Operand {
        self.load_stack_word(if ty.is_float() { Type::U64 } else { ty }, word);
        if ty.is_float() {
            let slot = Operand::slot(self.fresh_slot());
            self.store_reg(Type::U64, slot, SCRATCH);
            return slot;
        }
        self.declare_home(ty, Operand::reg_of(SCRATCH))
    }

    /// The scratch register = an argument on the stack.
    pub(super) fn load_stack_word(&mut self, ty: Type, word: u32) {
        self.buf.room();
        let m = Mem { base: RSP, index: RSP, scale: 0, disp: UNKNOWN, in_frame: false };
        super::values::load_mem(&mut self.buf, ty, SCRATCH, m);
        let at = self.buf.pos() - 4;
        self.buf.patch_i32(at, word as i32 * 8);
        self.stack_arguments.push(at);
        self.odd |= odd::LISTS;
    }

    /// The value into the register in which it is returned. Consumes it.
    pub(super) fn put_result(&mut self, ty: Type, value: Operand) {
        match value.kind() {
            kind::UNIT => {}
            kind::COND => self.settle_into(value, RAX),
            _ => {
                let (reg, _) = self.return_registers();
                self.load_fresh(ty, reg, value);
                self.release_operand(value);
            }
        }
    }

    /// Ends the call with a status of the user's.
    pub(super) fn trap_with(&mut self, code: Operand) {
        let (_, status) = self.return_registers();
        self.odd |= odd::TRAPS;
        self.load(Type::U32, status, code);
        self.release_operand(code);
        self.buf.mov_rr(false, status, status);
        self.buf.mov_ri(SCRATCH, CODE_STATUS);
        self.buf.alu_rr(Alu::OR, true, status, SCRATCH);
        let jump = self.jump_always();
        self.exits = self.merge_lists(self.exits, jump);
    }

    #[inline(always)]
    pub(super) fn finish_function(&mut self, ty: Type, value: Operand, open: bool) -> Finished {
        if open && self.is_plain() {
            if value.kind() == kind::COND {
                self.return_condition(value);
            } else {
                self.put_result(ty, value);
                self.ret();
            }
            self.end = self.buf.pos();
            self.start = GAP;
            return Finished::new(self.end - GAP, 0, 8);
        }
        self.finish_any(ty, value, open)
    }

    /// Returns from a function without a frame.
    pub(super) fn ret(&mut self) {
        self.buf.byte(RET);
    }

    /// Returns a condition from a function without a frame: returning twice is shorter than meeting.
    fn return_condition(&mut self, value: Operand) {
        let is_false = self.jump_false(value);
        self.buf.mov_ri(RAX, 1);
        self.ret();
        if is_false != 0 {
            self.land_list(is_false);
            self.buf.zero(RAX);
            self.ret();
        }
    }

    /// Whether the function has neither frame nor calls nor traps, its body ends in its only return, and nothing went wrong.
    #[inline]
    fn is_plain(&self) -> bool {
        self.used & CALLEE_SAVED | self.slots | self.returns | self.odd == 0 && !self.buf.overflowed()
    }

    #[inline(never)]
    fn finish_any(&mut self, ty: Type, value: Operand, open: bool) -> Finished {
        let condition = (open && value.kind() == kind::COND && !self.has_frame()).then_some(value);
        if open && condition.is_none() {
            self.put_result(ty, value);
        }
        // From here on nothing changes the frame any more.
        let frame = self.frame();
        let checks_stack = self.is_odd(odd::RECURSIVE | odd::NEEDS_LIMIT) && !fault!(35)
            || frame.total + self.callee_stack > UNCHECKED_STACK;
        if checks_stack {
            self.odd |= odd::TRAPS;
        }
        if let Some(condition) = condition {
            // Without a frame, returning twice is shorter than meeting.
            let is_false = self.jump_false(condition);
            self.buf.mov_ri(RAX, 1);
            self.emit_return(&frame, true);
            if is_false != 0 || self.returns != 0 {
                self.land_list(is_false);
                self.buf.zero(RAX);
                self.land_list(self.returns);
                self.emit_return(&frame, true);
            }
        } else if open || self.returns != 0 {
            self.land_list(self.returns);
            self.emit_return(&frame, true);
        }
        if self.is_odd(odd::TRAPS) {
            self.emit_trap_stubs(&frame);
        }
        self.end = self.buf.pos();
        (self.start, self.entry) = (GAP, GAP);
        if frame.total > 8 || checks_stack || !self.zeroed.is_empty() {
            self.emit_prologue(&frame, checks_stack, self.end);
        }
        let data = !self.tables.is_empty();
        if data {
            self.emit_tables();
        }
        for i in 0..self.stack_arguments.len() {
            let at = self.stack_arguments[i];
            let word = self.buf.read_u32(at);
            self.buf.patch_i32(at, word as i32 + frame.total as i32 + 8 * i32::from(fault!(36)));
        }
        for i in 0..self.self_calls.len() {
            let at = self.self_calls[i];
            let entry = self.entry;
            self.buf.patch_i32(at, entry.wrapping_sub(at + 4) as i32);
        }
        if self.buf.overflowed() {
            self.fail(Error::CodeTooLarge { limit: buffer::MAX_CODE });
        }
        Finished::new(self.end - self.start, self.entry - self.start, frame.total + self.callee_stack)
            .with(Finished::TRAPS, self.is_odd(odd::TRAPS))
            .with(Finished::CHECKS_STACK, checks_stack)
            .with(Finished::FAILED, self.error.is_some())
            .with(Finished::DATA, data)
    }

    /// Whether one of these things is true of it.
    fn is_odd(&self, things: u32) -> bool {
        self.odd & things != 0
    }

    fn has_frame(&self) -> bool {
        self.used & CALLEE_SAVED != 0 || self.slots != 0 || self.is_odd(odd::CALLS)
    }

    fn frame(&self) -> Frame {
        let saved = self.used & CALLEE_SAVED & !(u32::from(fault!(32)) << 3);
        let pushes = if saved == 0 { 0 } else { saved.count_ones() * 8 };
        let mut bytes = self.slots * 8;
        if self.is_odd(odd::CALLS) && !(8 + pushes + bytes).is_multiple_of(16) {
            bytes += 8;
        }
        Frame { saved, bytes, total: 8 + pushes + bytes }
    }

    /// Gives the frame back and returns, with a status of zero if `value` and if there is one.
    fn emit_return(&mut self, frame: &Frame, value: bool) {
        if value && self.is_odd(odd::TRAPS) && !fault!(33) {
            let (_, status) = self.return_registers();
            self.buf.zero(status);
        }
        if frame.bytes != 0 {
            self.buf.alu_ri(Alu::ADD, true, RSP, frame.bytes as i32);
        }
        let mut saved = frame.saved;
        while saved != 0 {
            let reg = saved.ilog2() as Reg;
            dynasm!(self.buf; .arch x64; pop Rq(reg));
            saved &= !(1 << reg);
        }
        dynasm!(self.buf; .arch x64; ret);
    }

    /// Where the jumps of traps come: each sets its status, then all leave by one exit.
    fn emit_trap_stubs(&mut self, frame: &Frame) {
        let (_, status) = self.return_registers();
        for trap in TrapKind::ALL {
            let list = std::mem::take(&mut self.trap_lists[trap as usize]);
            if list != 0 {
                self.land_list(list);
                self.buf.mov_ri(status, trap as u64 ^ u64::from(fault!(34)));
                self.leave(frame);
            }
        }
        let (in_rdx, in_rax) = (self.trapped_in_rdx, self.trapped_in_rax);
        for (list, from) in [(in_rdx, RDX), (in_rax, RAX)] {
            if list == 0 {
                continue;
            }
            if from == status {
                self.exits = self.merge_lists(self.exits, list);
            } else {
                self.land_list(list);
                self.buf.mov_rr(true, status, from);
                self.leave(frame);
            }
        }
        if self.exits != 0 {
            self.land_list(self.exits);
            self.emit_return(frame, false);
        }
    }

    /// Leaves with the status in its register: at once if that is short, else by the common exit.
    fn leave(&mut self, frame: &Frame) {
        if frame.saved == 0 && frame.bytes == 0 {
            self.emit_return(frame, false);
        } else {
            let jump = self.jump_always();
            self.exits = self.merge_lists(self.exits, jump);
        }
    }

    /// Emits the prologue behind the body, and moves it before the body if it fits.
    fn emit_prologue(&mut self, frame: &Frame, checks_stack: bool, end: u32) {
        let (_, status) = self.return_registers();
        let stub = end;
        if checks_stack {
            self.buf.mov_ri(status, TrapKind::StackOverflow as u64);
            dynasm!(self.buf; .arch x64; ret);
        }
        let first = self.buf.pos();
        let mut overflow = 0;
        if checks_stack {
            let below = Mem { base: RSP, index: RSP, scale: 0, disp: 8 - frame.total as i32, in_frame: false };
            self.buf.lea(true, SCRATCH, below);
            match self.limit_location {
                Location::Reg(reg) => self.buf.alu_rr(Alu::CMP, true, SCRATCH, reg),
                Location::Stack(word) => {
                    let m = Mem { disp: word as i32 * 8 + 8, ..below };
                    self.buf.alu_rm(Alu::CMP, true, SCRATCH, m);
                }
            }
            overflow = self.buf.jcc(super::branch::cc::B);
        }
        for reg in bits(frame.saved) {
            dynasm!(self.buf; .arch x64; push Rq(reg));
        }
        if frame.bytes != 0 {
            self.buf.alu_ri(Alu::SUB, true, RSP, frame.bytes as i32);
        }
        if self.limit != u32::MAX {
            let from = match self.limit_location {
                Location::Reg(reg) => reg,
                Location::Stack(word) => {
                    let disp = frame.total as i32 + word as i32 * 8;
                    let m = Mem { base: RSP, index: RSP, scale: 0, disp, in_frame: false };
                    self.buf.rm(op(0x8b), true, SCRATCH, m, false);
                    SCRATCH
                }
            };
            self.store_reg(Type::U64, Operand::slot(self.limit), from);
        }
        for i in 0..self.zeroed.len() * usize::from(!fault!(31)) {
            let (ty, home) = self.zeroed[i];
            if home.is_reg() {
                self.load_fresh(ty, home.reg(), Operand::constant(0));
            } else {
                self.store_value(Type::U64, home, Operand::constant(0));
            }
            self.buf.room();
        }
        let len = self.buf.pos().wrapping_sub(first);
        if len <= GAP {
            // Its jump to the stub is the one thing that depends on where it lies.
            let entry = GAP - len;
            let mut bytes = [0; GAP as usize];
            bytes[..len as usize].copy_from_slice(self.buf.bytes(first));
            self.buf.patch(entry, &bytes[..len as usize]);
            self.buf.truncate(first);
            if overflow != 0 {
                let at = entry + (overflow - first);
                self.buf.patch_i32(at, stub.wrapping_sub(at + 4) as i32);
            }
            (self.start, self.entry) = (entry, entry);
        } else {
            if overflow != 0 {
                self.buf.patch_i32(overflow, stub.wrapping_sub(overflow + 4) as i32);
            }
            let jump = self.buf.jmp();
            self.buf.patch_i32(jump, GAP.wrapping_sub(jump + 4) as i32);
            (self.start, self.entry) = (GAP, first);
        }
        self.end = self.buf.pos();
    }
}

/// The frame of a finished function.
struct Frame {
    /// Registers that it saves.
    saved: u32,
    /// Bytes below them: slots, and what alignment needs.
    bytes: u32,
    /// All bytes, with the return address.
    total: u32,
}
