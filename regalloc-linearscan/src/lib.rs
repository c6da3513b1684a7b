//! A stand-alone linear-scan register allocator: flat slices in, a location for every operand and a list of moves out.
//! `no_std`, no unsafe code, no heap allocation once its buffers have grown.
//!
//! ```
//! use regalloc_linearscan::{Allocator, Constraint, FunctionBuilder, Machine, Operand, Options, PReg, RegClass};
//!
//! // entry: s0 = 0; n0 = input        loop(s, n): s1 = s + n; n1 = n - 1; branch        exit: return s1
//! let int = RegClass::Int;
//! let rax = PReg::new(0, int);
//! let mut b = FunctionBuilder::new();
//! let [s0, n0, s, n, s1, n1] = [(); 6].map(|()| b.vreg(int));
//! let entry = b.block(&[]);
//! b.inst(&[Operand::late_def(s0, Constraint::Reg)]);
//! b.inst(&[Operand::late_def(n0, Constraint::Fixed(rax))]);
//! b.inst(&[]);
//! let body = b.block(&[s, n]);
//! // Two-address: the result takes the register of its first input.
//! b.inst(&[
//!     Operand::late_def(s1, Constraint::Reuse(1)),
//!     Operand::early_use(s, Constraint::Reg),
//!     Operand::early_use(n, Constraint::Any),
//! ]);
//! b.inst(&[Operand::late_def(n1, Constraint::Reuse(1)), Operand::early_use(n, Constraint::Reg)]);
//! b.inst(&[]);
//! let exit = b.block(&[]);
//! b.inst(&[Operand::early_use(s1, Constraint::Fixed(rax))]);
//! b.edge(entry, body, &[s0, n0]);
//! b.edge(body, body, &[s1, n1]);
//! b.edge(body, exit, &[]);
//!
//! let machine = Machine { preferred: (0..4).map(|n| PReg::new(n, int)).collect(), ..Machine::default() };
//! let mut allocator = Allocator::new();
//! let output = allocator.run(&b.function(), &machine, &Options::default())?;
//! // The loop is in registers and its values stay where they are; only the result is moved, once, after it.
//! assert_eq!(output.num_slots, 0);
//! assert_eq!(output.moves.len(), 1);
//! assert_eq!(output.moves[0].to, regalloc_linearscan::Loc::reg(rax));
//! # Ok::<(), regalloc_linearscan::Error>(())
//! ```
//!
//! # What it can do
//! Register classes; operands that are read early or late, in any register, a named one, one below a limit, on the stack,
//! or in the register of an input; clobbers; vregs with several defs, or block parameters (SSA), or both; spill slots of
//! several sizes, shared; constants made again instead of stored; weights by loop depth; preferred registers; critical
//! edges. What comes out is in order: parallel moves are resolved, with scratch registers found or saved.
//!
//! # Allocators
//! | [`Algorithm`] | |
//! |---|---|
//! | [`LinearScan`](Algorithm::LinearScan) | intervals with holes and use positions, split where it costs least, hints; the default |
//! | [`WholeIntervals`](Algorithm::WholeIntervals) | Poletto & Sarkar 1999: one location per vreg |
//! | [`Coarse`](Algorithm::Coarse) | the same without dataflow analysis, by strongly connected components |
//! | [`UsageCounts`](Algorithm::UsageCounts) | the most mentioned vregs; no flow graph |
//! | [`Coloring`](Algorithm::Coloring) | Chaitin–Briggs graph colouring |
//!
//! Against regalloc2 0.15 on functions of its generator, one run on an AMD EPYC at 2.6 GHz: nanoseconds per instruction,
//! moves to or from memory per instruction, and these weighted by 10^loop depth against backtracking = 1. Left 300
//! functions of mixed density (72,757 instructions), right 100 of the densest (25,195 instructions of 6.5 operands each,
//! many of them fixed, and clobbers). `cargo bench -p regalloc-linearscan` measures yours.
//!
//! | | ns | memory moves | weighted | ns | memory moves | weighted |
//! |---|---|---|---|---|---|---|
//! | `LinearScan` | 102 | 0.037 | 0.73 | 376 | 0.27 | 0.45 |
//! | `WholeIntervals` | 104 | 0.051 | 0.93 | 361 | 0.38 | 0.94 |
//! | `Coarse` | 115 | 0.117 | 4.14 | 469 | 1.01 | 2.87 |
//! | `UsageCounts` | 111 | 0.163 | 3.89 | 445 | 1.24 | 2.75 |
//! | `Coloring` | 280 | 0.047 | 0.87 | 1601 | 0.36 | 0.83 |
//! | regalloc2, backtracking | 547 | 0.050 | 1 | 2403 | 0.38 | 1 |
//! | regalloc2, fastalloc | 111 | 0.386 | 590 | 340 | 2.04 | 4.01 |
//!
//! A client that has made intervals itself, as a fast JIT does while it emits code, calls [`IntervalScan`], a few cycles
//! per interval. [`MoveResolver`] is of use on its own, too.
//!
//! # How it works
//! ```text
//! Function ─► cfg ─► liveness ─► intervals ─► scan | whole | coloring ─► rewrite ─► moves ─► Output
//!                                    │                │                     │
//!                                    └──── matrix: who owns a register at a position
//! ```
//! The allocators only decide which pieces of vregs are in which register; any such decision is made to work by
//! `rewrite`, which satisfies every operand. So allocators are small, and one that picks at random
//! ([`Options::random_seed`]) is right as well: that is how they are tested.
//!
//! # Trust
//! The [`checker`] proves each allocation right without knowing how it was made; it runs in every debug build. With the
//! feature `regalloc2`, the module `ra2` takes any `regalloc2::Function`; regalloc2's generator and checker test all
//! allocators.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "regalloc2")]
extern crate std;

mod allocator;
mod baselines;
mod builder;
mod cfg;
pub mod checker;
mod coloring;
mod intervals;
mod liveness;
mod matrix;
mod moves;
#[cfg(feature = "regalloc2")]
pub mod ra2;
mod rewrite;
mod scan;
mod slots;
mod whole;

use alloc::vec::Vec;
use core::fmt;

pub use allocator::{Algorithm, Allocator, Options};
pub use baselines::{by_coloring, by_usage};
pub use builder::FunctionBuilder;
pub use cfg::loop_depths;
pub use moves::{MoveResolver, Scratch};
pub use whole::{Hint, Interval, IntervalScan};

/// A basic block: its index in the order in which the blocks' instructions are numbered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Block(pub u32);

/// An instruction: its index in linear order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Inst(pub u32);

/// A virtual register: a value or variable of the client. Numbered densely from zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct VReg(pub u32);

impl VReg {
    /// No virtual register. As the vreg of a fixed operand: the operand is that physical register, whatever it holds,
    /// and the register is not allocatable.
    pub const NONE: VReg = VReg(u32::MAX);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A register class. Classes have disjoint registers and a value never changes its class.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum RegClass {
    /// General-purpose registers.
    Int = 0,
    /// Floating-point registers.
    Float = 1,
    /// Vector registers, where they are distinct from those for floating point.
    Vector = 2,
}

impl RegClass {
    /// Number of classes.
    pub const COUNT: usize = 3;
    /// All classes, in order.
    pub const ALL: [RegClass; 3] = [RegClass::Int, RegClass::Float, RegClass::Vector];
}

/// A physical register: a class and a number in 0..64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PReg(u8);

impl PReg {
    /// The register of `class` with hardware number `number`.
    ///
    /// # Panics
    /// If `number` is 64 or more.
    #[inline]
    pub const fn new(number: u8, class: RegClass) -> PReg {
        assert!(number < 64, "a class has at most 64 registers");
        PReg((class as u8) << 6 | number)
    }

    /// Its number within its class, below 64.
    #[inline]
    pub const fn number(self) -> u8 {
        self.0 & 63
    }

    /// Its class.
    #[inline]
    pub const fn class(self) -> RegClass {
        [RegClass::Int, RegClass::Float, RegClass::Vector, RegClass::Vector][(self.0 >> 6) as usize]
    }

    pub(crate) fn bit(self) -> u64 {
        1 << self.number()
    }

    /// Its place among the registers of all classes.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for PReg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", ["r", "f", "v"][self.class() as usize], self.number())
    }
}

/// A set of physical registers: 64 bits per class, indexed by class.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct PRegSet(pub [u64; RegClass::COUNT]);

impl PRegSet {
    /// The empty set.
    pub const EMPTY: PRegSet = PRegSet([0; RegClass::COUNT]);

    /// This set and `reg`.
    #[inline]
    pub const fn with(mut self, reg: PReg) -> PRegSet {
        self.0[reg.class() as usize] |= 1 << reg.number();
        self
    }

    /// Whether `reg` is in the set.
    #[inline]
    pub const fn contains(self, reg: PReg) -> bool {
        self.0[reg.class() as usize] >> reg.number() & 1 != 0
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self == PRegSet::EMPTY
    }

    /// Its registers in ascending order.
    pub fn iter(self) -> impl Iterator<Item = PReg> {
        RegClass::ALL.into_iter().flat_map(move |class| {
            let mut bits = self.0[class as usize];
            core::iter::from_fn(move || {
                let number = bits.trailing_zeros();
                bits &= bits.wrapping_sub(1);
                (number < 64).then(|| PReg::new(number as u8, class))
            })
        })
    }
}

impl FromIterator<PReg> for PRegSet {
    fn from_iter<I: IntoIterator<Item = PReg>>(iter: I) -> PRegSet {
        iter.into_iter().fold(PRegSet::EMPTY, PRegSet::with)
    }
}

/// Whether an operand reads or writes its vreg.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum OperandKind {
    /// Reads.
    Use,
    /// Writes.
    Def,
}

/// When, within its instruction, an operand needs its location for itself. An instruction reads its early uses, then
/// works, then writes its late defs, so these may share a location.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum OperandPos {
    /// A use that is read before any late def is written; a def that is written while uses are still to be read.
    Early,
    /// A def that is written last; a use that is still read while defs are written.
    Late,
}

/// Where an operand may be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Constraint {
    /// Anywhere: a register, a spill slot, or, for the use of a [constant](Function::constants), nowhere
    /// ([`Loc::remat`]).
    Any,
    /// In a register of the vreg's class.
    Reg,
    /// In a spill slot (or a register of [`Machine::stack_regs`]).
    Stack,
    /// In a register whose number is below the given one.
    Limit(u8),
    /// In this register, which need not be allocatable.
    Fixed(PReg),
    /// On a late def: in the register of the early use at this index of the same instruction, as two-address
    /// instructions have it.
    Reuse(u8),
}

/// A mention of a vreg by an instruction. Eight bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Operand {
    /// The virtual register.
    pub vreg: VReg,
    /// Where it may be.
    pub constraint: Constraint,
    /// Use or def.
    pub kind: OperandKind,
    /// Early or late.
    pub pos: OperandPos,
}

impl Operand {
    /// An early use.
    #[inline]
    pub const fn early_use(vreg: VReg, constraint: Constraint) -> Operand {
        Operand { vreg, constraint, kind: OperandKind::Use, pos: OperandPos::Early }
    }

    /// A late use: must not share a location with anything that the instruction writes.
    #[inline]
    pub const fn late_use(vreg: VReg, constraint: Constraint) -> Operand {
        Operand { vreg, constraint, kind: OperandKind::Use, pos: OperandPos::Late }
    }

    /// A late def.
    #[inline]
    pub const fn late_def(vreg: VReg, constraint: Constraint) -> Operand {
        Operand { vreg, constraint, kind: OperandKind::Def, pos: OperandPos::Late }
    }

    /// An early def: must not share a location with any use. A def that is never used makes a temporary.
    #[inline]
    pub const fn early_def(vreg: VReg, constraint: Constraint) -> Operand {
        Operand { vreg, constraint, kind: OperandKind::Def, pos: OperandPos::Early }
    }
}

/// A list of lists in two flat slices: list `i` is `items[starts[i]..starts[i + 1]]`. Without `starts`, every list is
/// empty.
#[derive(Debug)]
pub struct Lists<'a, T> {
    /// Where each list starts, ascending, and the end of the last one.
    pub starts: &'a [u32],
    /// The lists, one after the other.
    pub items: &'a [T],
}

impl<T> Clone for Lists<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Lists<'_, T> {}

impl<T> Default for Lists<'_, T> {
    fn default() -> Self {
        Lists { starts: &[], items: &[] }
    }
}

impl<'a, T> Lists<'a, T> {
    /// List `i`.
    #[inline]
    pub fn get(&self, i: usize) -> &'a [T] {
        &self.items[self.range(i)]
    }

    /// The indices of list `i` in `items`.
    #[inline]
    pub fn range(&self, i: usize) -> core::ops::Range<usize> {
        if self.starts.is_empty() { 0..0 } else { self.starts[i] as usize..self.starts[i + 1] as usize }
    }
}

/// The function to allocate registers for, as borrowed flat slices, so that a client can keep and reuse its buffers.
///
/// Blocks are numbered in the order of their instructions; block 0 is the entry. A vreg may have several defs; on every
/// path a def comes before a use. Critical edges (from a block with several successors to one with several
/// predecessors) are allowed: their moves, if any, are returned in [`Output::edge_moves`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Function<'a> {
    /// The class of each vreg; its length is the number of vregs.
    pub classes: &'a [RegClass],
    /// The first instruction of each block, and the number of instructions. Every block has an instruction.
    pub block_insts: &'a [u32],
    /// The successors of each block. The index of a successor in `succs.items` is the number of that edge.
    pub succs: Lists<'a, Block>,
    /// The parameters of each block (φ-functions): defined on entry. The entry block has none.
    pub params: Lists<'a, VReg>,
    /// For each edge, the values that the successor's parameters take, in order.
    pub args: Lists<'a, VReg>,
    /// The operands of each instruction.
    pub operands: Lists<'a, Operand>,
    /// Registers that an instruction destroys when it writes its results, ascending by instruction, each instruction at
    /// most once. A late def may be fixed to a clobbered register: the def wins.
    pub clobbers: &'a [(Inst, PRegSet)],
    /// The loop depth of each block, for spill weights; empty: all zero. [`loop_depths`] computes it.
    pub loop_depth: &'a [u8],
    /// Vregs whose only def is a constant that can be made again anywhere, ascending. They are never stored; a move
    /// from [`Loc::remat`] asks the client to make the constant in the destination register.
    pub constants: &'a [VReg],
    /// Pairs of vregs that would like the same location, such as the two sides of a copy.
    pub hints: &'a [(VReg, VReg)],
}

impl Function<'_> {
    /// Number of blocks.
    pub fn num_blocks(&self) -> usize {
        self.block_insts.len().saturating_sub(1)
    }

    /// Number of instructions.
    pub fn num_insts(&self) -> usize {
        self.block_insts.last().map_or(0, |&n| n as usize)
    }

    /// The instructions of block `b`.
    #[inline]
    pub fn insts(&self, b: usize) -> core::ops::Range<usize> {
        self.block_insts[b] as usize..self.block_insts[b + 1] as usize
    }
}

/// The registers of the target machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine {
    /// Allocatable registers that cost nothing to use.
    pub preferred: PRegSet,
    /// Allocatable registers that are taken when no preferred one is free, such as callee-saved ones.
    pub non_preferred: PRegSet,
    /// Per class, a register outside of the allocatable ones that moves may destroy. Without one, a register that
    /// happens to be free is taken, or one is saved and restored.
    pub scratch: [Option<PReg>; RegClass::COUNT],
    /// "Registers" that are really fixed places on the stack (parameters passed in memory): not allocatable, reached by
    /// fixed constraints only, not moved to and from memory directly.
    pub stack_regs: PRegSet,
    /// Size and alignment of a spill slot of each class, a power of two in units of the client's choice; 0 means 1.
    pub slot_size: [u8; RegClass::COUNT],
}

impl Machine {
    /// All allocatable registers of a class, as bits.
    #[inline]
    pub(crate) fn allocatable(&self, class: RegClass) -> u64 {
        self.preferred.0[class as usize] | self.non_preferred.0[class as usize]
    }
}

/// Where a value is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Loc(u32);

impl Loc {
    /// No location.
    pub const NONE: Loc = Loc(0);

    /// A register.
    #[inline]
    pub const fn reg(reg: PReg) -> Loc {
        Loc(1 << 30 | reg.0 as u32)
    }

    /// The spill slot that starts at unit `unit` of the frame.
    #[inline]
    pub const fn slot(unit: u32) -> Loc {
        Loc(2 << 30 | unit)
    }

    /// Nowhere: the constant that defines `vreg` is to be made again.
    #[inline]
    pub const fn remat(vreg: VReg) -> Loc {
        Loc(3 << 30 | vreg.0)
    }

    /// The register, if it is one.
    #[inline]
    pub const fn as_reg(self) -> Option<PReg> {
        if self.0 >> 30 == 1 { Some(PReg(self.0 as u8)) } else { None }
    }

    /// The first unit of the spill slot, if it is one.
    #[inline]
    pub const fn as_slot(self) -> Option<u32> {
        if self.0 >> 30 == 2 { Some(self.0 & !(3 << 30)) } else { None }
    }

    /// The constant, if it is to be made again.
    #[inline]
    pub const fn as_remat(self) -> Option<VReg> {
        if self.0 >> 30 == 3 { Some(VReg(self.0 & !(3 << 30))) } else { None }
    }

    /// Whether it is [`Loc::NONE`].
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Debug for Loc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.as_reg(), self.as_slot(), self.as_remat()) {
            (Some(reg), ..) => write!(f, "{reg:?}"),
            (_, Some(slot), _) => write!(f, "slot{slot}"),
            (.., Some(vreg)) => write!(f, "remat(v{})", vreg.0),
            _ => write!(f, "none"),
        }
    }
}

/// A move to insert before an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Move {
    /// Before this instruction.
    pub before: Inst,
    /// From a register, a slot, or [`Loc::remat`].
    pub from: Loc,
    /// To a register or a slot. Never both in memory.
    pub to: Loc,
    /// The class of the value.
    pub class: RegClass,
}

/// A move to insert on a critical edge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EdgeMove {
    /// The edge: an index into [`Function::succs`]'s items.
    pub edge: u32,
    /// From a register, a slot, or [`Loc::remat`].
    pub from: Loc,
    /// To a register or a slot. Never both in memory.
    pub to: Loc,
    /// The class of the value.
    pub class: RegClass,
}

/// What an allocation was like.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Stats {
    /// Live intervals: pieces of vregs with one location each.
    pub intervals: u32,
    /// Intervals split because no register was free for all of them.
    pub splits: u32,
    /// Intervals that lost their register to another one.
    pub evictions: u32,
    /// Vregs that are in memory for a part of their life.
    pub spilled: u32,
    /// Operands that needed a register of their own for one instruction.
    pub temporaries: u32,
    /// Moves between registers.
    pub reg_moves: u32,
    /// Moves from a register to a slot.
    pub stores: u32,
    /// Moves from a slot to a register.
    pub loads: u32,
    /// Constants made again.
    pub remats: u32,
}

/// The result of an allocation. Buffers are kept from one function to the next.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// The location of each operand, at the same index as in [`Function::operands`]'s items.
    pub locs: Vec<Loc>,
    /// Moves, ascending by position, to be done in order.
    pub moves: Vec<Move>,
    /// Moves on critical edges, ascending by edge, to be done in order.
    pub edge_moves: Vec<EdgeMove>,
    /// Size of the spill area in units.
    pub num_slots: u32,
    /// What the allocation was like.
    pub stats: Stats,
}

/// Why a function cannot be allocated for: it is malformed, or asks for the impossible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Error {
    /// A vreg may be used before it is defined.
    UndefinedUse(VReg),
    /// A vreg number is not below the number of vregs, at this instruction.
    NoSuchVReg(VReg, Inst),
    /// A block has no instruction, names a block that does not exist, or its lists have the wrong length.
    MalformedBlock(Block),
    /// The edge with this number passes another number of arguments than its target has parameters, or of another class.
    MalformedArgs(u32),
    /// Operand `index` of an instruction contradicts itself, another operand or a clobber.
    MalformedOperand(Inst, u32),
    /// Two values are needed in the same register at this instruction.
    FixedConflict(Inst, PReg),
    /// The registers of the class do not suffice for the operands of this instruction.
    TooFewRegisters(Inst, RegClass),
    /// More than 2^28 instructions, vregs or operands.
    TooLarge,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::UndefinedUse(v) => write!(f, "v{} may be used before it is defined", v.0),
            Error::NoSuchVReg(v, i) => write!(f, "instruction {}: there is no v{}", i.0, v.0),
            Error::MalformedBlock(b) => write!(f, "block {} is empty or its edges are malformed", b.0),
            Error::MalformedArgs(e) => write!(f, "edge {e}: arguments do not fit the parameters"),
            Error::MalformedOperand(i, k) => write!(f, "instruction {}: operand {k} cannot be satisfied", i.0),
            Error::FixedConflict(i, r) => write!(f, "instruction {}: two values are needed in {r:?}", i.0),
            Error::TooFewRegisters(i, c) => write!(f, "instruction {}: too few {c:?} registers", i.0),
            Error::TooLarge => write!(f, "the function is too large"),
        }
    }
}

impl core::error::Error for Error {}
