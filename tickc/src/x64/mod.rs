//! The one-pass tier for x86-64: machine code is written while the closures run. VCODE's heir (Engler, "VCODE: a
//! retargetable, extensible, very fast dynamic code generation system", PLDI 1996).
//!
//! - [`buffer`]: where the code is written; [`encode`]: instructions as bytes; [`regs`]: registers and operands
//! - [`values`]: getting and giving back registers and slots, homes of variables
//! - [`fast`]: the common shapes of the commonest operations, tried before the general code
//! - [`arith`], [`division`], [`float`], [`memory`], [`branch`], [`table`], [`calls`]: the operations
//! - [`frame`]: start and end of a function
//! - [`linear`]: the last phase of the linear-scan tier, which uses all of these
//! - [`entry`]: the entry of functions whose code is exchanged
//!
//! ```text
//!   code:   [ prologue ][ body …                    ][ epilogue ][ trap stubs ][ jump tables ]
//!                       ^ offset GAP in the buffer: the prologue is written last, right before it
//!   frame:  rsp → [ slot 0 ][ slot 1 ] … [ saved registers ][ return address ][ arguments on the stack ]
//! ```
//!
//! # Invariants (those of [`values`] apart)
//! - X1: the scratch registers (`r11`, `xmm15`) hold nothing between two operations.
//! - X2: `rsp` is aligned to 16 in the body of a function that calls.
//! - X3: a value of less than 32 bits lies in a register extended to 32; of a value of 32 bits the upper half is open.
//!
//! Cost: about 10 instructions of the host per operation and as many cycles; nothing is allocated in the steady state.

#![allow(clippy::wrong_self_convention, reason = "`to_reg` brings an operand, not the machine, into a register")]
#![allow(clippy::useless_conversion, reason = "`dynasm!` converts whatever names a register")]

mod arith;
mod branch;
#[allow(unsafe_code, reason = "writes machine code through a bump pointer")]
mod buffer;
mod calls;
mod division;
mod encode;
pub(crate) mod entry;
mod fast;
mod float;
mod frame;
mod linear;
mod memory;
mod regs;
mod table;
#[cfg(test)]
mod tests;
mod values;

/// The calling convention, for whoever else calls machine code or is called by it.
pub(crate) mod convention {
    #[cfg(feature = "cranelift")]
    pub(crate) use super::calls::is_near;
    pub(crate) use super::calls::{Convention, Location};
    #[cfg(feature = "cranelift")]
    pub(crate) use super::frame::UNCHECKED_STACK;
    pub(crate) use super::regs::{ARGUMENTS, XMM0};
    #[cfg(feature = "cranelift")]
    pub(crate) use super::values::MAX_FRAME;
}

use crate::choice;
use crate::error::Error;
use crate::machine::{
    Binary, BinaryOp, Compare, Finished, JumpList, Machine, Operand, Place, Prologue, Target, UnaryOp, kind,
};
use crate::trap::TrapKind;
use crate::types::Type;
use buffer::Buffer;
use calls::Location;
use regs::*;

/// What the processor can do beyond x86-64's common ground.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Features {
    pub(crate) bmi2: bool,
    pub(crate) popcnt: bool,
    pub(crate) sse41: bool,
    pub(crate) movbe: bool,
}

impl Features {
    fn detect() -> Features {
        Features {
            bmi2: std::arch::is_x86_feature_detected!("bmi2"),
            popcnt: std::arch::is_x86_feature_detected!("popcnt"),
            sse41: std::arch::is_x86_feature_detected!("sse4.1"),
            movbe: std::arch::is_x86_feature_detected!("movbe"),
        }
    }
}

/// What few functions have; bits of [`OnePass::odd`].
mod odd {
    /// It calls.
    pub(super) const CALLS: u32 = 1;
    /// It can trap.
    pub(super) const TRAPS: u32 = 2;
    /// It may call itself, directly or through others.
    pub(super) const RECURSIVE: u32 = 4;
    /// It calls functions that take the stack limit.
    pub(super) const NEEDS_LIMIT: u32 = 8;
    /// Something is to be patched, zeroed, or placed behind the code.
    pub(super) const LISTS: u32 = 16;
    /// Something was wrong with it.
    pub(super) const ERROR: u32 = 32;
}

/// The one-pass code generator: state of the function under construction, and buffers that are reused.
pub(crate) struct OnePass {
    buf: Buffer,
    features: Features,
    /// First and last address of the code memory.
    region: (u64, u64),

    /// Registers that nobody owns.
    free: u32,
    /// Registers that anything was ever put into.
    used: u32,
    /// Slots handed out so far; those given back.
    slots: u32,
    free_slots: Vec<u32>,
    /// Bytes pushed on top of the frame for a call that is being emitted.
    pushed: i32,
    /// Homes that the prologue sets to zero. Empty, as the lists below, unless something is [`odd`].
    zeroed: Vec<(Type, Operand)>,

    ret: Type,
    /// Whether variables should prefer registers that survive calls.
    calls: bool,
    /// What makes its end more than a `ret`: see [`odd`].
    odd: u32,
    /// Slot of the stack limit, or `u32::MAX`.
    limit: u32,
    /// Where the stack limit is passed to this function.
    limit_location: Location,
    /// Largest stack bound of the functions called.
    callee_stack: u32,

    /// Jumps to the epilogue, the value in its register.
    returns: JumpList,
    /// Jumps to the exit, the status in its register.
    exits: JumpList,
    /// Jumps out with the status of a callee in rdx, and in rax.
    trapped_in_rdx: JumpList,
    trapped_in_rax: JumpList,
    /// Jumps to the stub of each trap.
    trap_lists: [JumpList; 5],

    /// Arguments of the call that is being emitted, and where they are passed.
    operands: Vec<(Type, Operand)>,
    /// The same before it is known where they are passed.
    arguments: Vec<(Type, Operand)>,
    locations: Vec<Location>,
    /// Displacements of loads of arguments on the stack: they await the size of the frame.
    stack_arguments: Vec<u32>,
    /// Displacements of calls of this function.
    self_calls: Vec<u32>,
    /// Displacements of calls to absolute addresses.
    near_calls: Vec<(u32, u64)>,
    /// Jump tables, and how many bytes they take, in the buffer's space for them.
    tables: Vec<table::Table>,
    table_bytes: u32,
    /// The entries of the last table whose targets are still to be told, the first one last.
    entries: Vec<JumpList>,
    /// Where a jump last landed: the code before it keeps its length.
    landed: u32,
    /// The jumps that land there and wait to be patched.
    arrived: JumpList,

    error: Option<Error>,
    /// The finished function in the buffer: first byte, entry, end.
    start: u32,
    entry: u32,
    end: u32,
}

impl OnePass {
    pub(crate) fn new() -> Result<OnePass, Error> {
        Self::with_features(Features::detect())
    }

    pub(crate) fn with_features(features: Features) -> Result<OnePass, Error> {
        let (start, len) = crate::code_memory::bounds()?;
        let start = start.addr() as u64;
        Ok(OnePass {
            buf: Buffer::new()?,
            features,
            region: (start, start + len as u64),
            free: 0,
            used: 0,
            slots: 0,
            free_slots: Vec::new(),
            pushed: 0,
            zeroed: Vec::new(),
            ret: Type::Unit,
            calls: false,
            odd: 0,
            limit: u32::MAX,
            limit_location: Location::Stack(0),
            callee_stack: 0,
            returns: 0,
            exits: 0,
            trapped_in_rdx: 0,
            trapped_in_rax: 0,
            trap_lists: [0; 5],
            operands: Vec::new(),
            arguments: Vec::new(),
            locations: Vec::new(),
            stack_arguments: Vec::new(),
            self_calls: Vec::new(),
            near_calls: Vec::new(),
            tables: Vec::new(),
            table_bytes: 0,
            entries: Vec::new(),
            landed: 0,
            arrived: 0,
            error: None,
            start: 0,
            entry: 0,
            end: 0,
        })
    }

    /// Assigns a variable's home. Consumes `value`.
    fn assign_home(&mut self, ty: Type, home: Operand, value: Operand) {
        if home.is_reg() {
            if value.kind() == kind::COND {
                return self.settle_into(value, home.reg());
            }
            self.load_fresh(ty, home.reg(), value);
            return self.release_operand(value);
        }
        let value = if value.kind() == kind::COND { self.settle_condition(value) } else { value };
        self.store_value(ty, home, value);
        self.release_operand(value);
    }

    /// Adds jumps to a trap.
    fn add_trap(&mut self, trap: TrapKind, list: JumpList) {
        self.odd |= odd::TRAPS;
        self.trap_lists[trap as usize] = self.merge_lists(self.trap_lists[trap as usize], list);
    }

    #[cold]
    fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
        self.odd |= odd::ERROR;
    }

    /// Where the value of this function is returned, and where its status.
    fn return_registers(&self) -> (Reg, Reg) {
        if self.ret.is_float() { (XMM0, RAX) } else { (RAX, RDX) }
    }
}

impl Machine for OnePass {
    fn begin(&mut self, prologue: &Prologue<'_>, homes: &mut Vec<Operand>) {
        self.arrived = 0;
        self.begin_function(prologue, homes);
    }

    fn finish(&mut self, ty: Type, value: Operand, open: bool) -> Finished {
        self.buf.room();
        let finished = self.finish_function(ty, value, open);
        self.settle_jumps();
        finished
    }

    fn take_error(&mut self) -> Option<Error> {
        self.error.take()
    }

    fn abandon(&mut self) {
        self.error = None;
    }

    fn binary(&mut self, o: Binary, a: Operand, b: Operand) -> Operand {
        self.buf.room();
        if o.ty.is_float() { self.binary_float(o, a, b) } else { self.binary_int(o, a, b) }
    }

    fn alu_wide(&mut self, op: BinaryOp, a: Operand, b: Operand) -> Operand {
        self.alu_wide_fast(op, a, b)
    }

    fn multiply_wide(&mut self, a: Operand, b: Operand) -> Operand {
        self.multiply_wide_fast(a, b)
    }

    fn multiply_wide_constant(&mut self, a: Operand, c: u64) -> Operand {
        self.multiply_constant_fast(a, c)
    }

    fn assign_alu_wide(&mut self, op: BinaryOp, home: Operand, value: Operand) {
        self.assign_alu_fast(op, home, value);
    }

    fn compare_wide(&mut self, o: Compare, a: Operand, b: Operand) -> Operand {
        self.compare_wide_fast(o, a, b)
    }

    fn unary(&mut self, op: UnaryOp, ty: Type, a: Operand) -> Operand {
        self.buf.room();
        if ty.is_float() { self.unary_float(op, ty, a) } else { self.unary_int(op, ty, a) }
    }
    fn compare(&mut self, o: Compare, a: Operand, b: Operand) -> Operand {
        self.buf.room();
        if o.ty.is_float() { self.compare_float(o.op, o.ty, a, b) } else { self.compare_int(o, a, b) }
    }

    fn test(&mut self, ty: Type, a: Operand, b: Operand, nonzero: bool) -> Operand {
        if b.is_const() && b.body <= 0x7f && self.buf.has_room() {
            if a.is_reg() {
                return self.test_byte(a, b.body as u8, nonzero);
            }
            // Little-endian: the lowest byte comes first.
            if a.is_plain_mem() && a.reg() < 8 {
                return self.test_plain(a, b.body as u8, nonzero);
            }
        }
        self.test_bits(ty, a, b, nonzero)
    }

    fn convert(&mut self, from: Type, to: Type, a: Operand) -> Operand {
        self.buf.room();
        if from.is_float() || to.is_float() { self.convert_float(from, to, a) } else { self.convert_int(from, to, a) }
    }

    fn bitcast(&mut self, from: Type, to: Type, a: Operand) -> Operand {
        self.buf.room();
        self.move_between_classes(to, a, from)
    }

    fn release(&mut self, a: Operand) {
        if a.kind() == kind::COND {
            // Its jumps, if any, come here.
            let list = self.jump_false(a);
            return self.land_list(list);
        }
        self.release_operand(a);
    }

    fn pin(&mut self, ty: Type, a: Operand) -> Operand {
        self.buf.room();
        self.pin_operand(ty, a)
    }

    fn settle(&mut self, a: Operand) -> Operand {
        self.buf.room();
        self.settle_condition(a)
    }

    fn declare(&mut self, ty: Type, init: Operand) -> Operand {
        self.declare_fast(ty, init)
    }

    fn declare_zeroed(&mut self, ty: Type, straight: bool) -> Operand {
        self.buf.room();
        self.declare_zero(ty, straight)
    }

    fn assign(&mut self, ty: Type, home: Operand, value: Operand) {
        self.buf.room();
        self.assign_home(ty, home, value);
    }

    fn assign_binary(&mut self, o: Binary, home: Operand, value: Operand) {
        self.buf.room();
        if o.ty.is_wide_int() && self.assign_wide(o.op, home, value) {
            return;
        }
        if o.ty.is_float() { self.assign_float(o.op, o.ty, home, value) } else { self.assign_int(o, home, value) }
    }

    #[inline]
    fn take(&mut self, home: Operand) -> Operand {
        match home.slot_index() {
            Some(slot) => Operand::temp_slot(slot),
            None => Operand::temp(home.reg()),
        }
    }

    fn declare_bound(&mut self, ty: Type, bound: Operand) -> Operand {
        self.buf.room();
        let is_home =
            bound.is_reg() && bound.owned() == 0 || bound.slot_index().is_some() && bound.owned_slot().is_none();
        if is_home { bound } else { self.declare_home(ty, bound) }
    }

    fn in_register(&mut self, ty: Type, a: Operand) -> Operand {
        self.buf.room();
        self.to_reg(ty, a)
    }

    fn borrowed(&self, a: Operand) -> Operand {
        a.disowned()
    }

    fn refers_to(&self, value: Operand, home: Operand) -> bool {
        match home.slot_index() {
            Some(slot) => value.slot_index() == Some(slot),
            None => home.is_reg() && value.reads() & !value.owned() & 1 << home.reg() != 0,
        }
    }

    fn address(&mut self, base: Operand, index: Option<Operand>, scale: u32, disp: i32) -> Operand {
        if base.is_home_register() {
            match index {
                None => return Operand::mem(base.reg(), RSP, 0, disp, 0),
                // At most one register of its own, so that the machine never wants them to be fewer.
                Some(index) if index.is_reg() && scale <= 8 && scale.is_power_of_two() => {
                    let scale = scale.trailing_zeros() as u8;
                    return Operand::mem(base.reg(), index.reg(), scale, disp, index.owned());
                }
                Some(_) => {}
            }
        }
        self.buf.room();
        self.address_of(base, index, scale, disp)
    }

    fn displaced(&mut self, place: Operand, disp: i32) -> Operand {
        if disp == 0 {
            return place;
        }
        self.buf.room();
        self.moved_by(place, disp)
    }

    fn pointer(&mut self, place: Operand) -> Operand {
        self.buf.room();
        self.pointer_to(place)
    }

    fn element(&mut self, place: Operand, index: Operand, scale: u32) -> Operand {
        self.buf.room();
        self.element_of(place, index, scale)
    }

    #[inline]
    fn load(&mut self, ty: Type, place: Operand) -> Operand {
        // Lazy, unless the address holds registers that are needed elsewhere (R2).
        if place.owned() == 0 || !self.is_crowded() {
            return place;
        }
        self.buf.room();
        self.pin_operand(ty, place)
    }

    fn load_behind(&mut self, ty: Type, pointer: Operand, disp: i32) -> Operand {
        let place = self.address(pointer, None, 0, disp);
        Machine::load(self, ty, place)
    }

    fn store(&mut self, ty: Type, place: Operand, value: Operand) {
        self.buf.room();
        self.store_to(ty, place, value);
    }

    fn store_binary(&mut self, o: Binary, place: Operand, value: Operand) {
        self.buf.room();
        self.update(o.op, o.ty, place, value);
    }

    fn invert(&mut self, condition: Operand) -> Operand {
        self.invert_condition(condition)
    }

    fn jump_if_false(&mut self, condition: Operand) -> JumpList {
        self.buf.room();
        self.jump_false(condition)
    }

    fn jump_if_true(&mut self, condition: Operand) -> JumpList {
        self.buf.room();
        self.jump_true(condition)
    }

    fn and(&mut self, list: JumpList, rhs: Operand) -> Operand {
        self.and_condition(list, rhs)
    }

    fn or(&mut self, list: JumpList, rhs: Operand) -> Operand {
        // a || b is !(!a && !b).
        let rhs = self.invert_condition(rhs);
        let neither = self.and_condition(list, rhs);
        self.invert_condition(neither)
    }

    fn jump(&mut self) -> JumpList {
        self.buf.room();
        self.jump_always()
    }

    fn merge(&mut self, a: JumpList, b: JumpList) -> JumpList {
        self.merge_lists(a, b)
    }

    fn here(&mut self) -> Place {
        Place(self.buf.pos())
    }

    fn land(&mut self, list: JumpList) {
        self.land_list(list);
    }

    fn send(&mut self, list: JumpList, to: Place) {
        if !self.send_short(list, to.0) {
            self.send_list(list, to.0);
        }
    }

    fn trap_if(&mut self, condition: Operand, trap: TrapKind) {
        self.buf.room();
        let list = self.jump_true(condition);
        self.add_trap(trap, list);
    }

    fn trap_code(&mut self, code: Operand) {
        self.buf.room();
        self.trap_with(code);
    }

    fn call(&mut self, target: Target, args: &[(Type, Operand)], pairs: u32, ret: Type) -> Operand {
        self.buf.room();
        self.call_target(target, args, pairs, ret)
    }

    fn ret(&mut self, ty: Type, value: Operand) {
        self.buf.room();
        self.put_result(ty, value);
        let jump = self.jump_always();
        self.returns = self.merge_lists(self.returns, jump);
    }

    fn lost(&self, homes: &mut dyn Iterator<Item = Operand>) -> u32 {
        let held = homes.filter(|home| home.is_reg()).fold(0, |mask, home| mask | 1 << home.reg());
        (GPRS | XMMS) & !self.free & !held & !choice::hidden()
    }

    fn overflowed(&self) -> Option<usize> {
        self.buf.overflowed().then_some(buffer::MAX_CODE)
    }

    fn place(&self, to: &mut [u8], address: u64) {
        to.copy_from_slice(self.buf.bytes(self.start));
        for &(at, target) in &self.near_calls {
            let at = (at - self.start) as usize;
            let from = address + at as u64 + 4;
            to[at..at + 4].copy_from_slice(&(target.wrapping_sub(from) as i32).to_le_bytes());
        }
    }

    fn switch(&mut self, index: Operand, count: u32, entries: &mut Vec<JumpList>) {
        self.buf.room();
        self.jump_by_table(index, count, entries);
    }
}
