//! A function in decoded form: header, type table, instructions.

use crate::opcode::Op;

/// The rule version that this crate knows.
pub const RULE_VERSION: u16 = 1;

/// What a function is for. The discriminant is its byte in the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Kind {
    /// Says what a piece of metadata owns; deterministic.
    #[default]
    Owns = 0,
    /// Says who may do what; may read time and credentials.
    Acl = 1,
    /// Says how large something is; may read time and credentials.
    Size = 2,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 3] = [Kind::Owns, Kind::Acl, Kind::Size];

    /// How it is written after `.kind`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Owns => "owns",
            Kind::Acl => "acl",
            Kind::Size => "size",
        }
    }
}

/// Bits of [`Header::flags`].
pub mod flags {
    /// `.strict`: a load that needs a check when run is refused.
    pub const STRICT: u8 = 1;
    /// The function reads its block's number (`arg rd, 0`).
    pub const READS_BLOCK: u8 = 2;
    /// The function reads the size of a unit (`arg rd, 1`).
    pub const READS_UNIT: u8 = 4;
    /// Every flag.
    pub(crate) const ALL: u8 = 7;
}

/// What the file says of itself, apart from the counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// What the function is for.
    pub kind: Kind,
    /// See [`flags`].
    pub flags: u8,
    /// Bytes that the function is given; 0: as many as there are, which no load can then be proved against.
    pub unit: u32,
    /// The group that the types belong to.
    pub group: u32,
    /// The worst-case cost that the function claims to stay within.
    pub fuel: u64,
}

/// An operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operand {
    /// Absent.
    None,
    /// A register, 0–31.
    Reg(u8),
    /// An immediate.
    Imm(u64),
}

/// An instruction; [`Form`](crate::Form) says what its fields mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inst {
    /// What it does.
    pub op: Op,
    /// Register written, or index of the type.
    pub a: u8,
    /// First operand.
    pub x: Operand,
    /// Second operand.
    pub y: Operand,
    /// Number of the 8-byte slot where it starts: its place, in faults and messages.
    pub slot: u32,
    /// Index of the instruction that it belongs to, once verified: `if` → its `else` or `end`, `else` and `loop` → their
    /// `end`, `end` → its `if` or `loop`, `break` and `next` → their `loop`.
    pub(crate) link: u32,
}

/// A function in decoded form.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Program {
    /// What the file says of itself.
    pub header: Header,
    /// Members of the group that `own` names, ascending.
    pub types: Vec<u32>,
    /// The instructions.
    pub insts: Vec<Inst>,
}
