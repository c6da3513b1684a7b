//! What goes into a run and what comes out of it; the same for every engine.
#![forbid(unsafe_code)]

use std::fmt;

use crate::opcode::CREDENTIALS;

/// What a function can read besides its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Inputs {
    /// `arg rd, 0`: the number of the block that the bytes are.
    pub block: u64,
    /// `arg rd, 1`: the size of a unit in bytes; `None`: the number of bytes that the function is given.
    pub unit: Option<u64>,
    /// `now rd`: the time, in seconds since 1970.
    pub now: u64,
    /// `cred rd, k`: the credentials of whoever asks.
    pub credentials: [u64; CREDENTIALS as usize],
}

/// Why a run ended early.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum FaultCode {
    /// There are fewer bytes than a unit has.
    Short,
    /// A load outside the bytes.
    Load,
    /// A loop's count above its MAX.
    Loop,
}

impl FaultCode {
    /// All codes.
    pub const ALL: [FaultCode; 3] = [FaultCode::Short, FaultCode::Load, FaultCode::Loop];

    /// How it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FaultCode::Short => "short",
            FaultCode::Load => "load",
            FaultCode::Loop => "loop",
        }
    }
}

/// How a run ended. Deterministic: part of the result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Status {
    /// `ret`, or the end of the code.
    Ok,
    /// The run could not go on.
    Fault {
        /// Why.
        code: FaultCode,
        /// The slot of the instruction; 0 for [`FaultCode::Short`].
        place: u32,
    },
    /// `fail k`
    Fail(u32),
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Ok => f.write_str("ok"),
            Status::Fault { code, place } => write!(f, "fault\t{}\t{place}", code.name()),
            Status::Fail(reason) => write!(f, "fail\t{reason}"),
        }
    }
}

/// `own start, count, TYPE`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, PartialOrd, Ord)]
#[repr(C)]
pub struct Tuple {
    /// The first block.
    pub start: u64,
    /// How many objects of one unit each; not zero.
    pub count: u64,
    /// Index of the type in the function's table.
    pub type_index: u64,
}

/// The result of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// What was owned, in order; nothing unless the status is [`Status::Ok`].
    pub tuples: Vec<Tuple>,
}

impl Outcome {
    pub(crate) fn ended(status: Status, mut tuples: Vec<Tuple>) -> Outcome {
        if status != Status::Ok {
            tuples.clear();
        }
        Outcome { status, tuples }
    }
}

/// The bytes that a function with this unit is given; 0 takes all.
pub(crate) fn unit_of(bytes: &[u8], unit: u32) -> Result<&[u8], Status> {
    match unit as usize {
        0 => Ok(bytes),
        unit => bytes.get(..unit).ok_or(Status::Fault { code: FaultCode::Short, place: 0 }),
    }
}
