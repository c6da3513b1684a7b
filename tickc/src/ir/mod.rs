//! The linear intermediate representation: what the interpreter runs, and what an optimizing tier starts from. ICODE's heir
//! (Poletto, Hsieh, Engler & Kaashoek, "'C and tcc", TOPLAS 1999, section 5.2).
//!
//! - [`builder`]: records what the emitter asks for; the second implementation of [`crate::machine::Machine`]
//! - [`shape`]: what a register allocator wants to know, gathered on the way
//! - [`print`], [`parse`]: the representation as text, and back
//!
//! # Terms
//! - **Record**: one operation, 16 bytes. A function is an array of them, in the order of emission.
//! - **VReg**: a virtual register, a number. Parameters are the first ones. A temporary is written once, or once on each way
//!   to the place where it is read; a variable as often as it is assigned.
//! - **Label**: a record that does nothing, where jumps go. Jumps name the index of a label's record. A basic block goes from a
//!   label, or from behind a branch, to the next label, branch or terminator.
//!
//! ```text
//!   byte  0   1   2    4        8        12
//!        ┌───┬───┬────┬────────┬────────┬────────┐
//!        │op │ty │sub │ dst    │ a      │ b      │
//!        └───┴───┴────┴────────┴────────┴────────┘
//!         what  type  which     target   operands: registers, an immediate, a displacement
//! ```
//!
//! # Invariants
//! - N1: every jump names the record of a label.
//! - N2: every register is written before it is read, on every way: parameters by the caller, `zeroed` ones on entry.
//! - N3: an immediate is the low half of a canonical constant, which [`immediate`] brings back.
//! - N4: the last record is a terminator: control does not leave the array.
//! - N6: as many jumps stand behind a switch as it has targets.

mod builder;
mod bump;
mod operand;
mod parse;
mod print;
pub(crate) mod shape;

pub(crate) use builder::Builder;
pub(crate) use parse::parse;

use crate::machine::{BinaryOp, Comparison, Target, UnaryOp};
use crate::types::Type;

/// A virtual register.
pub(crate) type VReg = u32;

/// What a record does. In the descriptions, `a` and `b` are the registers named by these fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Op {
    /// Where jumps go.
    Label,
    /// `dst` = the constant whose low half is in the field a, whose high half is in the field b.
    Const,
    /// `dst = a`
    Copy,
    /// `dst = a op b`; sub is the [`BinaryOp`].
    Binary,
    /// `dst = a op immediate b`; sub is the [`BinaryOp`].
    BinaryImm,
    /// `dst = op a`; sub is the [`UnaryOp`].
    Unary,
    /// `dst = a as ty`; sub is the type of a.
    Convert,
    /// `dst` = the bits of a as a `ty` of the same size; sub is the type of a.
    Bitcast,
    /// `dst = a holds b` as a `bool`; sub is the [`Condition`], ty the type of a and b.
    Set,
    /// `dst = a holds immediate b`, as [`Op::Set`].
    SetImm,
    /// Jumps to `dst` if `a holds b`; as [`Op::Set`].
    Branch,
    /// Jumps to `dst` if `a holds immediate b`; as [`Op::Set`].
    BranchImm,
    /// Traps with the [`crate::trap::TrapKind`] `dst` if `a holds b`; as [`Op::Set`].
    TrapIf,
    /// Traps with the kind `dst` if `a holds immediate b`; as [`Op::Set`].
    TrapIfImm,
    /// Jumps to `dst`.
    Jump,
    /// Goes to the record `a + 1` behind this one, where a, a `u64`, is less than the field b: as many [`Op::Jump`] follow (N6).
    Switch,
    /// Traps with the kind `dst`.
    Trap,
    /// Traps with the user's code in a.
    TrapCode,
    /// Control never comes here.
    Unreachable,
    /// `dst = [a + displacement b]`; sub is [`VOLATILE`] or 0.
    Load,
    /// `dst = [a + b * scale + displacement]`; sub is the [`Indexed`].
    LoadX,
    /// `[a + displacement b] = dst`; sub is [`VOLATILE`] or 0.
    Store,
    /// `[a + b * scale + displacement] = dst`; sub is the [`Indexed`].
    StoreX,
    /// `[a + displacement b] = immediate dst`
    StoreImm,
    /// `[a + b * scale + displacement] = immediate dst`; sub is the [`Indexed`].
    StoreXImm,
    /// `dst = a + displacement b` as a pointer.
    Lea,
    /// `dst = a + b * scale + displacement` as a pointer; sub is the [`Indexed`].
    LeaX,
    /// `dst` = the result of the call with index a; without result if ty is `()`.
    Call,
    /// Returns a; nothing if ty is `()`.
    Ret,
}

impl Op {
    /// Whether control does not go on to the next record.
    pub(crate) const fn terminates(self) -> bool {
        matches!(self, Op::Jump | Op::Trap | Op::TrapCode | Op::Unreachable | Op::Ret)
    }
}

/// The sub of an [`Op::Load`] or [`Op::Store`] that happens exactly once, in the order of all such, whether or not its value is
/// used.
pub(crate) const VOLATILE: u16 = 1;

/// One operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub(crate) struct Record {
    pub(crate) op: Op,
    pub(crate) ty: Type,
    pub(crate) sub: u16,
    pub(crate) dst: u32,
    pub(crate) a: u32,
    pub(crate) b: u32,
}

const _: () = assert!(size_of::<Record>() == 16);

impl Default for Record {
    fn default() -> Record {
        Record { op: Op::Unreachable, ty: Type::Unit, sub: 0, dst: 0, a: 0, b: 0 }
    }
}

impl Record {
    /// The constant of an [`Op::Const`].
    #[inline]
    pub(crate) const fn constant(self) -> u64 {
        self.a as u64 | (self.b as u64) << 32
    }

    /// The immediate in the field b.
    #[inline]
    pub(crate) const fn immediate(self) -> u64 {
        immediate(self.ty, self.b)
    }

    /// The register that the record writes.
    #[inline]
    pub(crate) fn defined(self) -> Option<VReg> {
        let defines = match self.op {
            Op::Const | Op::Copy | Op::Binary | Op::BinaryImm | Op::Unary | Op::Convert | Op::Bitcast => true,
            Op::Set | Op::SetImm | Op::Load | Op::LoadX | Op::Lea | Op::LeaX => true,
            Op::Call => self.ty != Type::Unit,
            _ => false,
        };
        defines.then_some(self.dst)
    }

    /// Whether the record does nothing but write its register.
    #[inline]
    pub(crate) fn is_pure(self) -> bool {
        self.op != Op::Call && self.defined().is_some() && !self.is_volatile() && !self.may_trap()
    }

    /// Whether the operation itself may end the call.
    fn may_trap(self) -> bool {
        let divides = matches!(self.op, Op::Binary | Op::BinaryImm);
        divides && !self.ty.is_float() && matches!(self.binary_op(), BinaryOp::Div | BinaryOp::Rem)
    }

    /// The registers that the record reads, but for the arguments of a call.
    #[inline]
    pub(crate) fn reads(self) -> impl Iterator<Item = VReg> {
        use Op::*;
        let (dst, a, b) = match self.op {
            Label | Const | Jump | Trap | Unreachable | Call => (false, false, false),
            Copy | Unary | Convert | Bitcast | TrapCode | Load | Lea | Switch => (false, true, false),
            BinaryImm | SetImm | BranchImm | TrapIfImm | StoreImm => (false, true, false),
            Set | Branch | TrapIf | LoadX | LeaX | StoreXImm | Binary => (false, true, true),
            Store => (true, true, false),
            StoreX => (true, true, true),
            Ret => (false, self.ty != Type::Unit, false),
        };
        [(a, self.a), (b, self.b), (dst, self.dst)].into_iter().filter(|read| read.0).map(|read| read.1)
    }

    /// Whether this is a volatile access.
    #[inline]
    pub(crate) const fn is_volatile(self) -> bool {
        matches!(self.op, Op::Load | Op::Store) && self.sub == VOLATILE
    }

    /// What is compared with what for a condition.
    #[inline]
    pub(crate) const fn condition(self) -> Condition {
        Condition(self.sub)
    }

    /// Scale and displacement of an indexed address.
    #[inline]
    pub(crate) const fn indexed(self) -> Indexed {
        Indexed(self.sub)
    }

    /// The operation of a [`Op::Binary`] or [`Op::BinaryImm`].
    #[inline]
    pub(crate) const fn binary_op(self) -> BinaryOp {
        BINARY_OPS[self.sub as usize]
    }

    /// The operation of a [`Op::Unary`].
    #[inline]
    pub(crate) const fn unary_op(self) -> UnaryOp {
        UNARY_OPS[self.sub as usize]
    }

    /// The type that a conversion starts from.
    #[inline]
    pub(crate) const fn source_type(self) -> Type {
        Type::ALL[self.sub as usize]
    }
}

/// The canonical constant of an immediate field (N3).
#[inline]
pub(crate) const fn immediate(ty: Type, field: u32) -> u64 {
    if matches!(ty, Type::U32 | Type::F32) { field as u64 } else { field as i32 as u64 }
}

/// The field of a canonical constant that fits one (N3).
#[inline]
pub(crate) const fn to_immediate(ty: Type, bits: u64) -> Option<u32> {
    let field = bits as u32;
    if bits == field as i32 as u64 || immediate(ty, field) == bits { Some(field) } else { None }
}

/// The operations by their discriminants; the unused ones stand for `Add`.
const BINARY_OPS: [BinaryOp; BinaryOp::MulHigh as usize + 1] = {
    use BinaryOp::*;
    let ops = [Add, Or, And, Sub, Xor, Mul, Shl, Shr, RotateLeft, RotateRight, Div, Rem, Min, Max, MulHigh];
    let mut table = [Add; MulHigh as usize + 1];
    let mut i = 0;
    while i < ops.len() {
        table[ops[i] as usize] = ops[i];
        i += 1;
    }
    table
};

/// The operations by their discriminants.
const UNARY_OPS: [UnaryOp; 11] = {
    use UnaryOp::*;
    let ops = [Neg, Not, Abs, CountOnes, LeadingZeros, TrailingZeros, SwapBytes, Sqrt, Floor, Ceil, Trunc];
    let mut i = 0;
    while i < ops.len() {
        assert!(ops[i] as usize == i);
        i += 1;
    }
    ops
};

/// The comparisons by their discriminants.
const COMPARISONS: [Comparison; 6] = {
    use Comparison::*;
    [Eq, Ne, Lt, Le, Gt, Ge]
};

/// What holds of two values: a comparison, or that they have bits in common; or that it does not hold, which for floats is
/// something else than the opposite comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Condition(pub(crate) u16);

impl Condition {
    const TEST: u16 = 6;
    const NOT: u16 = 8;
    /// `a & b != 0`
    pub(crate) const COMMON_BITS: Condition = Condition(Self::TEST);

    pub(crate) const fn of(comparison: Comparison) -> Condition {
        Condition(comparison as u16)
    }

    /// The condition that holds where this one does not.
    pub(crate) const fn inverse(self) -> Condition {
        Condition(self.0 ^ Self::NOT)
    }

    /// Whether the condition holds where the rest of it does not.
    #[inline]
    pub(crate) const fn is_inverse(self) -> bool {
        self.0 & Self::NOT != 0
    }

    /// The comparison; `None` for [`Condition::COMMON_BITS`].
    #[inline]
    pub(crate) const fn comparison(self) -> Option<Comparison> {
        match self.0 & 7 {
            Self::TEST => None,
            code => Some(COMPARISONS[code as usize]),
        }
    }
}

/// Scale and displacement of an address with an index: bits 0–1 the logarithm of the scale, 2–15 the displacement, signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Indexed(pub(crate) u16);

impl Indexed {
    /// The displacements that there is room for.
    pub(crate) const DISPLACEMENTS: std::ops::RangeInclusive<i32> = -0x2000..=0x1fff;

    pub(crate) fn new(log2: u8, disp: i32) -> Option<Indexed> {
        Self::DISPLACEMENTS.contains(&disp).then_some(Indexed((disp << 2) as u16 | u16::from(log2)))
    }

    /// Logarithm of the scale: 0 to 3.
    #[inline]
    pub(crate) const fn log2(self) -> u32 {
        self.0 as u32 & 3
    }

    /// The displacement in bytes.
    #[inline]
    pub(crate) const fn disp(self) -> i32 {
        (self.0 as i16 >> 2) as i32
    }
}

/// An argument of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Arg {
    pub(crate) ty: Type,
    pub(crate) value: ArgValue,
}

/// What is passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ArgValue {
    Reg(VReg),
    /// Canonical bits.
    Const(u64),
}

/// A call: what it goes to, and with what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CallSite {
    pub(crate) target: Target,
    /// As in [`crate::machine::Prologue`].
    pub(crate) pairs: u32,
    /// Index in [`Function::args`] of the first argument, and how many there are.
    pub(crate) first: u32,
    pub(crate) len: u32,
}

/// A function. Its storage is reused from one to the next by the [`Builder`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Function {
    pub(crate) records: Vec<Record>,
    /// Types of the parameters, which are the registers 0, 1, ….
    pub(crate) params: Vec<Type>,
    /// As in [`crate::machine::Prologue`].
    pub(crate) pairs: u32,
    pub(crate) ret: Type,
    /// As in [`crate::machine::Prologue`].
    pub(crate) declared: bool,
    /// Whether it returns a status even if it cannot trap, because its callers look at one.
    pub(crate) traps: bool,
    /// Number of virtual registers.
    pub(crate) vregs: u32,
    /// Registers that are zero on entry.
    pub(crate) zeroed: Vec<(VReg, Type)>,
    pub(crate) calls: Vec<CallSite>,
    pub(crate) args: Vec<Arg>,
}

impl Function {
    /// A function without anything.
    pub(crate) fn new() -> Function {
        Function {
            records: Vec::new(),
            params: Vec::new(),
            pairs: 0,
            ret: Type::Unit,
            declared: false,
            traps: false,
            vregs: 0,
            zeroed: Vec::new(),
            calls: Vec::new(),
            args: Vec::new(),
        }
    }

    /// The arguments of a call.
    #[inline]
    pub(crate) fn args_of(&self, call: &CallSite) -> &[Arg] {
        &self.args[call.first as usize..(call.first + call.len) as usize]
    }

    /// How many operations there are: all records but labels.
    pub(crate) fn operations(&self) -> usize {
        self.records.iter().filter(|record| record.op != Op::Label).count()
    }
}
