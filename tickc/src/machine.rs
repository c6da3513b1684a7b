//! The abstract machine: the one small interface between the typed emitter and the tiers.
//!
//! The emitter walks a quotation and calls the machine once per operation that is left after folding; a tier turns the calls
//! into machine code at once (one-pass) or into records to be worked on later. The interface is object-safe: the same
//! expansion of `tick!` drives every tier.
//!
//! # Terms
//! - **Operand**: the handle of a value, two words. Only constants, units and pairs mean anything to the emitter; every other
//!   kind belongs to the machine that made it. Operands are lazy: one may stand for "variable in `rdi`", "memory at
//!   `[rsi+8*rcx]`", or "the flags of the last comparison".
//! - **Temporary**: an operand that owns a register. It is consumed exactly once, by the operation that uses it or by
//!   [`Machine::release`].
//! - **Home**: the place where a variable lives for its whole scope; reading a variable yields its home, owned by nobody.
//! - **Condition**: a truth value that exists as flags and pending jumps: (condition code, true-list, false-list), as in
//!   Lua's compiler (Ierusalimschy et al., "The Implementation of Lua 5.0", 2005).
//! - **Jump list**: jumps that wait for the same target, threaded through their own displacement fields.
//!
//! # Invariants
//! - I1: an operand is consumed exactly once. rustc checks it for quotations: a `Val` is neither `Copy` nor droppable unseen.
//! - I2: a condition whose code is pending is settled before the next operation is emitted.
//! - I3: an operand that is not a temporary is pinned before anything that may change what it stands for.

use crate::auto::Kept;
use crate::error::Error;
use crate::ir;
use crate::jit::{Phases, RegisterAllocator};
use crate::trap::TrapKind;
use crate::types::Type;

/// The handle of a value; see the head of this module.
///
/// `head`: bits 0–7 kind, 8–15 register or condition code, 16–23 index register, 24–31 scale (log2), 32–63 the mask of
/// registers owned. `body`: the bits of a constant, a displacement, a variable's index, or (true-list, false-list).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Operand {
    pub(crate) head: u64,
    pub(crate) body: u64,
}

/// The kinds of operand.
pub(crate) mod kind {
    /// A constant; the body has its canonical bits.
    pub(crate) const CONST: u8 = 0;
    /// A register: a temporary if it is owned, else a variable's home.
    pub(crate) const REG: u8 = 1;
    /// Memory: base, index, scale, displacement. Not loaded yet.
    pub(crate) const MEM: u8 = 2;
    /// Memory in the frame of the function: the home of a variable, or a temporary for which no register was left.
    pub(crate) const SLOT: u8 = 3;
    /// A condition.
    pub(crate) const COND: u8 = 4;
    /// `()`.
    pub(crate) const UNIT: u8 = 5;
    /// A slice: the body is the index of the variable that holds the pointer; the next variable holds the length.
    pub(crate) const PAIR: u8 = 6;
    /// The home of a variable that is not read any more.
    pub(crate) const DEAD: u8 = 7;
}

impl Operand {
    pub(crate) const UNIT: Operand = Operand { head: kind::UNIT as u64, body: 0 };
    /// The home of a variable whose scope has ended.
    pub(crate) const DEAD: Operand = Operand { head: kind::DEAD as u64, body: 0 };
    /// The home of a variable in scope that has been read for the last time.
    pub(crate) const TAKEN: Operand = Operand { head: kind::DEAD as u64, body: 1 };

    /// The constant with the canonical bits `bits`.
    #[inline(always)]
    pub(crate) const fn constant(bits: u64) -> Operand {
        Operand { head: kind::CONST as u64, body: bits }
    }

    /// The slice whose pointer is variable `index`.
    #[inline(always)]
    pub(crate) const fn pair(index: u32) -> Operand {
        Operand { head: kind::PAIR as u64, body: index as u64 }
    }

    #[inline(always)]
    pub(crate) const fn kind(self) -> u8 {
        self.head as u8
    }

    #[inline(always)]
    pub(crate) const fn is_const(self) -> bool {
        self.kind() == kind::CONST
    }

    /// A register operand marked as one that the operations to come may overwrite, because the variable that lives there is
    /// assigned their result.
    #[inline(always)]
    pub(crate) const fn in_place(self) -> Operand {
        Operand { head: self.head | Self::IN_PLACE, body: self.body }
    }

    /// The mark of [`Operand::in_place`].
    pub(crate) const IN_PLACE: u64 = 1 << 24;

    /// The memory `disp` bytes behind a variable that lives in a register.
    #[inline(always)]
    pub(crate) const fn behind(self, disp: i32) -> Operand {
        Operand { head: kind::MEM as u64 | self.head & 0xff00 | Self::NO_INDEX << 16, body: disp as u32 as u64 }
    }

    /// The register of a variable that is read for the last time, as a temporary.
    #[inline(always)]
    pub(crate) const fn taken(self) -> Operand {
        Operand { head: self.head | 1 << (32 + (self.head >> 8 & 31)), body: self.body }
    }

    /// Whether this is a variable that lives in a register.
    #[inline(always)]
    pub(crate) const fn is_home_register(self) -> bool {
        self.head & 0xffff_ffff_0000_00ff == kind::REG as u64
    }

    /// Whether both stand for the same variable or memory (constants apart: for the same constant). Of a register, the upper half of
    /// the head says only who owns it.
    #[inline(always)]
    pub(crate) const fn is_same(self, other: Operand) -> bool {
        let difference = self.head ^ other.head;
        self.body == other.body && (difference == 0 || difference as u32 == 0 && self.kind() == kind::REG)
    }

    /// The index register of a memory operand that has none.
    pub(crate) const NO_INDEX: u64 = 4;

    /// The mask of registers that the operand owns.
    #[inline(always)]
    pub(crate) const fn owned(self) -> u32 {
        (self.head >> 32) as u32
    }
}

impl std::fmt::Debug for Operand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reg = (self.head >> 8) as u8;
        match self.kind() {
            kind::CONST => write!(f, "const {:#x}", self.body),
            kind::REG => write!(f, "reg {reg} owned {:#x}", self.owned()),
            kind::MEM | kind::SLOT => {
                write!(f, "mem [{reg}+{}<<{}+{}]", (self.head >> 16) as u8, (self.head >> 24) as u8, self.body as i32)
            }
            kind::COND => write!(f, "cond {reg} true {} false {}", self.body as u32, self.body >> 32),
            kind::UNIT => f.write_str("unit"),
            kind::PAIR => write!(f, "pair {}", self.body),
            _ => f.write_str("dead"),
        }
    }
}

/// Operations with two operands of one type (the count of a shift has the value's type too: the emitter converts it).
/// The first five have the numbers that they have in the opcodes of x86.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum BinaryOp {
    /// Wrapping addition; IEEE addition for floats.
    Add = 0,
    /// Bitwise or.
    Or = 1,
    /// Bitwise and.
    And = 4,
    /// Wrapping subtraction; IEEE subtraction for floats.
    Sub = 5,
    /// Bitwise exclusive or.
    Xor = 6,
    /// Wrapping multiplication; IEEE multiplication for floats.
    Mul,
    /// Shift to the left, count masked.
    Shl,
    /// Shift to the right, arithmetic for signed types, count masked.
    Shr,
    /// Rotation to the left, count masked.
    RotateLeft,
    /// Rotation to the right, count masked.
    RotateRight,
    /// Division: truncating, traps on zero and on MIN / -1; IEEE division for floats.
    Div,
    /// Remainder of the truncating division, same traps; C's `fmod` for floats.
    Rem,
    /// The smaller one; for floats as `f64::min`.
    Min,
    /// The larger one; for floats as `f64::max`.
    Max,
    /// The high 64 bits of the product of 128 bits, of signed or unsigned factors as the type is. Only of types of 64 bits
    /// (`I64`, `Isize`, `U64`, `Usize`): of narrower ones the emitter shifts a wider product.
    MulHigh,
}

impl BinaryOp {
    /// Whether the operands may be swapped. Float minimum and maximum may not: the sign of a zero would change.
    #[inline(always)]
    pub(crate) const fn commutes(self) -> bool {
        use BinaryOp::*;
        matches!(self, Add | Or | And | Xor | Mul | MulHigh)
    }
}

impl BinaryOp {
    /// Whether this is a sum, a difference, or an operation on bits.
    #[inline(always)]
    pub(crate) const fn is_alu(self) -> bool {
        self as u8 <= BinaryOp::Xor as u8
    }
}

/// A binary operation on a type; one word, so that it travels in one register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(align(4))]
pub(crate) struct Binary {
    pub(crate) op: BinaryOp,
    pub(crate) ty: Type,
}

/// A comparison of a type; one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(align(4))]
pub(crate) struct Compare {
    pub(crate) op: Comparison,
    pub(crate) ty: Type,
}

/// Operations with one operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum UnaryOp {
    /// Two's complement or IEEE negation.
    Neg,
    /// Bitwise complement (of an integer; conditions are inverted by [`Machine::invert`]).
    Not,
    /// Absolute value, wrapping at MIN.
    Abs,
    /// Number of one bits.
    CountOnes,
    /// Number of leading zeros; the width for zero.
    LeadingZeros,
    /// Number of trailing zeros; the width for zero.
    TrailingZeros,
    /// Reversed order of bytes.
    SwapBytes,
    /// Square root of a float.
    Sqrt,
    /// Largest whole number not above.
    Floor,
    /// Smallest whole number not below.
    Ceil,
    /// Whole number towards zero.
    Trunc,
}

/// A comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Comparison {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

impl Comparison {
    /// The comparison that holds of (b, a) when this one holds of (a, b).
    #[inline(always)]
    pub(crate) const fn swapped(self) -> Comparison {
        match self {
            Comparison::Eq => Comparison::Eq,
            Comparison::Ne => Comparison::Ne,
            Comparison::Lt => Comparison::Gt,
            Comparison::Le => Comparison::Ge,
            Comparison::Gt => Comparison::Lt,
            Comparison::Ge => Comparison::Le,
        }
    }
}

/// Pending jumps to one target; 0 is the empty list.
pub(crate) type JumpList = u32;

/// A place already emitted, as the target of backward jumps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place(pub(crate) u32);

/// What a call goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// The function under construction.
    SelfCall,
    /// An `extern "C"` function at an absolute address.
    Native(u64),
    /// A compiled function of our own: address, and whether it returns a status (see `trap.rs`).
    Dynamic {
        /// Address of its first instruction; 0 if it has none, because an interpreted function calls another one.
        address: u64,
        /// Exposed address of its program, if it is interpreted; else 0.
        program: u64,
        /// Whether it can trap, and thus returns a status that the caller must look at.
        traps: bool,
        /// Whether it takes the stack limit (see `trap.rs`).
        checks_stack: bool,
        /// Bound of the stack it takes, as in `Finished::stack`.
        stack: u32,
    },
    /// A Rust closure. It returns a status as a function of our own that traps does, a status that is to be handed on as it
    /// is, and looks itself whether there is stack left.
    Host {
        /// What comes before the other arguments: the address of the closure.
        data: u64,
        /// Address of the function to call, by the rules of C, with `data` and the arguments.
        shim: u64,
        /// The same for an interpreter: address of an
        /// `unsafe extern "C" fn(arguments: *const u64, value: *mut u64) -> u64`, which takes `data` and the arguments as
        /// words in canonical form, a slice as two, stores the value's canonical bits, and returns the status.
        words: u64,
    },
    /// A function of our own that may not be compiled yet: the address of a word that holds the address of its first
    /// instruction, or in the interpreter of its program, whenever the call runs. It was begun with `Prologue::declared`.
    Declared(u64),
}

/// What the emitter knows of a function before the first operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prologue<'a> {
    /// Types of the scalar parameters; a slice counts as [`Type::Ptr`] and [`Type::Usize`], and is marked in `pairs`.
    pub params: &'a [Type],
    /// Bit k: parameter k is the pointer of a slice whose length is parameter k + 1. Only signatures written in Rust have any, and
    /// those have at most 24 scalars; others may have a thousand, and then this is 0.
    pub pairs: u32,
    /// Type of the result.
    pub ret: Type,
    /// Whether calls are known to come: variables then prefer registers that survive them.
    pub calls: bool,
    /// Whether others call it by [`Target::Declared`], before it is known what it does: it takes the stack limit and returns a
    /// status in any case.
    pub declared: bool,
}

/// What is known of a function when it is complete. Two integers, so that it travels in registers: a struct in memory that is
/// read in other pieces than it was written in would stall the processor.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Finished {
    /// Length of the code in bytes, and in the upper half the offset of the first instruction in it.
    extent: u64,
    /// The stack in bytes, and above it the facts.
    stack: u64,
}

impl Finished {
    /// It can trap, and thus returns a status beside its value.
    pub(crate) const TRAPS: u64 = 1 << 32;
    /// It takes the stack limit as a hidden last argument.
    pub(crate) const CHECKS_STACK: u64 = 1 << 33;
    /// Something was wrong with it.
    pub(crate) const FAILED: u64 = 1 << 34;
    /// Data stands behind the instructions; the last four bytes then are its length with themselves.
    pub(crate) const DATA: u64 = 1 << 35;

    /// A function of `len` bytes of code, whose first instruction lies at the offset `entry`. `stack`: upper bound of the stack
    /// that it and all that it calls in dynamic code take, in bytes; only meaningful if it does not check the stack.
    #[inline(always)]
    pub(crate) fn new(len: u32, entry: u32, stack: u32) -> Finished {
        Finished { extent: u64::from(len) | u64::from(entry) << 32, stack: u64::from(stack) }
    }

    /// With a fact, if it is true.
    #[inline(always)]
    pub(crate) fn with(self, fact: u64, holds: bool) -> Finished {
        Finished { stack: if holds { self.stack | fact } else { self.stack }, ..self }
    }

    /// Whether a fact is true.
    #[inline(always)]
    pub(crate) fn is(self, fact: u64) -> bool {
        self.stack & fact != 0
    }

    #[inline(always)]
    pub(crate) fn stack(self) -> u32 {
        self.stack as u32
    }

    /// With another bound of the stack.
    pub(crate) fn with_stack(self, stack: u32) -> Finished {
        Finished { stack: self.stack >> 32 << 32 | u64::from(stack), ..self }
    }

    #[inline(always)]
    pub(crate) fn len(self) -> u32 {
        self.extent as u32
    }

    #[inline(always)]
    pub(crate) fn entry(self) -> u32 {
        (self.extent >> 32) as u32
    }

    /// The instructions of the code, without the data behind them.
    pub(crate) fn instructions(self, code: &[u8]) -> &[u8] {
        match code.split_last_chunk::<4>() {
            Some((_, len)) if self.is(Self::DATA) => &code[..code.len() - u32::from_le_bytes(*len) as usize],
            _ => code,
        }
    }
}

/// A tier's side of emission. See the head of this module for terms and invariants.
///
/// Where a method takes a [`Type`], every operand has that type. Operands passed by value are consumed.
pub(crate) trait Machine {
    /// Starts a function; pushes the home of each parameter on `homes`.
    fn begin(&mut self, prologue: &Prologue<'_>, homes: &mut Vec<Operand>);
    /// Ends the function. `open`: control comes out of its end, with `value`.
    fn finish(&mut self, ty: Type, value: Operand, open: bool) -> Finished;
    /// What was wrong with a function that [`Finished::FAILED`].
    fn take_error(&mut self) -> Option<Error>;
    /// Forgets the function under construction (after an error or a panic).
    fn abandon(&mut self);
    /// The finished function, of a machine that builds the linear representation.
    fn representation(&self) -> Option<&ir::Function> {
        None
    }
    /// What the finished function can be compiled from once more, of a machine that keeps that beside its code.
    fn kept(&self) -> Option<Box<Kept>> {
        None
    }
    /// Such a machine's functions call themselves through the cell at this address.
    fn call_itself_by(&mut self, _cell: u64) {}
    /// Whether the function will be interpreted: such functions need no executable memory, and call each other without machine
    /// code in between.
    fn is_interpreted(&self) -> bool {
        false
    }

    /// Result of a binary operation as a temporary. At most one operand is a constant.
    fn binary(&mut self, o: Binary, a: Operand, b: Operand) -> Operand;
    /// Result of an operation with one operand.
    fn unary(&mut self, op: UnaryOp, ty: Type, a: Operand) -> Operand;
    /// A condition. At most one operand is a constant, and if so, it is `b`.
    fn compare(&mut self, o: Compare, a: Operand, b: Operand) -> Operand;
    /// The condition `a & b != 0` (or `== 0`).
    fn test(&mut self, ty: Type, a: Operand, b: Operand, nonzero: bool) -> Operand;
    /// `a as to`.
    fn convert(&mut self, from: Type, to: Type, a: Operand) -> Operand;
    /// The bits of `a` in the other register class (`to_bits`, `from_bits`); both types have the same size.
    fn bitcast(&mut self, from: Type, to: Type, a: Operand) -> Operand;
    /// Gives an operand back unused.
    fn release(&mut self, a: Operand);
    /// The same value, independent of whatever happens to variables and memory from here on.
    fn pin(&mut self, ty: Type, a: Operand) -> Operand;
    /// The same value, not a condition.
    fn settle(&mut self, a: Operand) -> Operand;

    /// The home of a new variable with this value. A temporary's register becomes the home.
    fn declare(&mut self, ty: Type, init: Operand) -> Operand;
    /// The home of a new variable that is zero wherever it is first seen. `straight`: the current place is reached once in
    /// each call, before every use of the variable.
    fn declare_zeroed(&mut self, ty: Type, straight: bool) -> Operand;
    /// Assigns a variable.
    fn assign(&mut self, ty: Type, home: Operand, value: Operand);
    /// `home op= value`.
    fn assign_binary(&mut self, o: Binary, home: Operand, value: Operand);
    /// Makes a home that is given up into a temporary, and the other way round for a home freed at the end of its scope.
    fn take(&mut self, home: Operand) -> Operand;
    /// The home of a loop's bound: a temporary's register becomes it; another variable's home is used as it is, since it
    /// does not change while the loop runs.
    fn declare_bound(&mut self, ty: Type, bound: Operand) -> Operand;
    /// The same value in a register, unless it is there already.
    fn in_register(&mut self, ty: Type, a: Operand) -> Operand;
    /// A temporary or a memory operand as an operand that owns nothing, to be used before the other is.
    fn borrowed(&self, a: Operand) -> Operand;
    /// Whether `value` refers to `home` without owning it.
    fn refers_to(&self, value: Operand, home: Operand) -> bool;

    /// The memory operand `[base + index * scale + disp]`, `scale` any size in bytes.
    fn address(&mut self, base: Operand, index: Option<Operand>, scale: u32, disp: i32) -> Operand;
    /// A memory operand moved by `disp` bytes.
    fn displaced(&mut self, place: Operand, disp: i32) -> Operand;
    /// The address of a memory operand as a pointer.
    fn pointer(&mut self, place: Operand) -> Operand;
    /// The element at `index` of the memory operand `place`.
    fn element(&mut self, place: Operand, index: Operand, scale: u32) -> Operand;
    /// The value of a memory operand, loaded now or lazily. The address need not be aligned, here and in all that follows.
    fn load(&mut self, ty: Type, place: Operand) -> Operand;
    /// The value `disp` bytes behind a pointer: [`Machine::address`], then [`Machine::load`].
    fn load_behind(&mut self, ty: Type, pointer: Operand, disp: i32) -> Operand;
    /// Stores to a memory operand.
    fn store(&mut self, ty: Type, place: Operand, value: Operand);
    /// `place op= value`.
    fn store_binary(&mut self, o: Binary, place: Operand, value: Operand);

    /// A condition inverted.
    fn invert(&mut self, condition: Operand) -> Operand;
    /// Jumps if the truth value is false, falls through if it is true.
    fn jump_if_false(&mut self, condition: Operand) -> JumpList;
    /// Jumps if the truth value is true, falls through if it is false.
    fn jump_if_true(&mut self, condition: Operand) -> JumpList;
    /// The condition that is true if `list` (a false-list) was not taken and `rhs` is true.
    fn and(&mut self, list: JumpList, rhs: Operand) -> Operand;
    /// The condition that is true if `list` (a true-list) was taken or `rhs` is true.
    fn or(&mut self, list: JumpList, rhs: Operand) -> Operand;
    /// An unconditional jump.
    fn jump(&mut self) -> JumpList;
    /// Both lists as one.
    fn merge(&mut self, a: JumpList, b: JumpList) -> JumpList;
    /// The current place as the target of jumps to come.
    fn here(&mut self) -> Place;
    /// Lets the jumps of a list come here.
    fn land(&mut self, list: JumpList);
    /// Lets the jumps of a list go to a place already emitted.
    fn send(&mut self, list: JumpList, to: Place);
    /// Traps if the condition is true.
    fn trap_if(&mut self, condition: Operand, trap: TrapKind);
    /// Traps with a code of the user's.
    fn trap_code(&mut self, code: Operand);

    /// Calls a function. `pairs` as in [`Prologue`]; any number of `params`. At most the last of them is a pending condition.
    fn call(&mut self, target: Target, params: &[(Type, Operand)], pairs: u32, ret: Type) -> Operand;
    // The commonest operations have a second entry for integers and pointers of 64 bits. By default they are the general ones.

    /// [`Machine::binary`] on 64 bits with one of the operations of [`BinaryOp::is_alu`].
    #[inline]
    fn alu_wide(&mut self, op: BinaryOp, a: Operand, b: Operand) -> Operand {
        self.binary(Binary { op, ty: Type::I64 }, a, b)
    }
    /// The product of 64 bits of what is not constant.
    #[inline]
    fn multiply_wide(&mut self, a: Operand, b: Operand) -> Operand {
        self.binary(Binary { op: BinaryOp::Mul, ty: Type::I64 }, a, b)
    }
    /// The product of 64 bits with a constant.
    #[inline]
    fn multiply_wide_constant(&mut self, a: Operand, c: u64) -> Operand {
        self.binary(Binary { op: BinaryOp::Mul, ty: Type::I64 }, a, Operand::constant(c))
    }
    /// [`Machine::assign_binary`] on 64 bits with one of the operations of [`BinaryOp::is_alu`].
    #[inline]
    fn assign_alu_wide(&mut self, op: BinaryOp, home: Operand, value: Operand) {
        self.assign_binary(Binary { op, ty: Type::I64 }, home, value);
    }
    /// [`Machine::compare`] on 64 bits.
    #[inline]
    fn compare_wide(&mut self, o: Compare, a: Operand, b: Operand) -> Operand {
        self.compare(o, a, b)
    }

    /// Returns from the function.
    fn ret(&mut self, ty: Type, value: Operand);

    /// The registers of the finished function that neither are free nor hold one of these homes, as a mask: 0, unless a
    /// temporary was lost.
    fn lost(&self, homes: &mut dyn Iterator<Item = Operand>) -> u32;

    /// The limit of a function's size in bytes, if the one under construction is beyond it.
    fn overflowed(&self) -> Option<usize>;
    /// Writes the code to `to`, from where it will be seen at `address` when it runs. `to` has that
    /// length.
    fn place(&self, to: &mut [u8], address: u64);

    // Dispatch, labels, and memory that others see. `goto` and `label.here()` are made of `jump`, `merge`, `here`, `land` and
    // `send`, as loops are; no temporary and no condition is alive at a label.

    /// Whether to look at the clock between the phases of the functions to come.
    fn measure(&mut self, _phases: bool) {}
    /// How to allocate registers from here on.
    fn allocate_by(&mut self, _allocator: RegisterAllocator) {}
    /// What the phases of the finished function took, as far as the machine knows.
    fn phases(&self) -> Phases {
        Phases::default()
    }
    /// From here on control may enter loops elsewhere than where they begin.
    fn has_labels(&mut self) {}
    /// Jumps to one of `count` targets, chosen by `index`, a `u64` that is known to be less than `count`, which is not 0.
    /// Pushes on `entries` one list for each index, in order; control does not go on behind it.
    fn switch(&mut self, index: Operand, count: u32, entries: &mut Vec<JumpList>);
    /// The value of a memory operand, loaded here and now, once: never left out, repeated, or moved across another volatile
    /// access.
    fn load_volatile(&mut self, ty: Type, place: Operand) -> Operand {
        let value = self.load(ty, place);
        self.pin(ty, value)
    }
    /// Stores to a memory operand, once, under the rules of [`Machine::load_volatile`].
    fn store_volatile(&mut self, ty: Type, place: Operand, value: Operand) {
        self.store(ty, place, value);
    }
}
