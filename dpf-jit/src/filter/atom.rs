//! [`Atom`]: one condition on a packet, or one step of the base.

use std::fmt;

/// Bytes of a packet, relative to the base: `width` bytes from `offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field {
    /// Bytes from the base to the first byte.
    pub offset: u32,
    /// Number of bytes, 1 to 16.
    pub width: u8,
}

impl Field {
    /// Bytes from the base to behind the last byte.
    #[must_use]
    pub fn end(self) -> u32 {
        self.offset + u32::from(self.width)
    }

    /// The mask that keeps every bit.
    #[must_use]
    pub fn ones(self) -> u128 {
        ones(self.width)
    }
}

/// `width` bytes of ones.
pub(crate) fn ones(width: u8) -> u128 {
    if width >= 16 { u128::MAX } else { (1 << (8 * u32::from(width))) - 1 }
}

/// One part of a filter. A filter is a conjunction: a packet matches when all of them hold, from the first to the last.
///
/// Values are numbers in network byte order. An atom that would look past the end of a packet does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Atom {
    /// The field under `mask` equals `value`.
    Eq {
        /// Where.
        field: Field,
        /// The bits that are compared.
        mask: u128,
        /// What they must be.
        value: u128,
    },
    /// The field under `mask` is between `low` and `high`, both included. At most 8 bytes wide.
    Range {
        /// Where.
        field: Field,
        /// The bits that are compared; the value is not shifted down.
        mask: u64,
        /// Least value that matches.
        low: u64,
        /// Greatest value that matches.
        high: u64,
    },
    /// Moves the base of the following atoms on by `(field & mask) << left` bytes. At most 4 bytes wide.
    Shift {
        /// Where.
        field: Field,
        /// The bits that count.
        mask: u32,
        /// Binary digits to shift up, at most 16.
        left: u8,
    },
    /// Moves the base of the following atoms on by a constant.
    Advance {
        /// By how many bytes.
        bytes: u32,
    },
    /// An action: when this filter is the one that a packet matches, the field under `mask` is recorded under `channel`, for
    /// [`Atom::MatchRecorded`] of other filters to match.
    Record {
        /// Who records.
        channel: u32,
        /// Where.
        field: Field,
        /// The bits that are recorded.
        mask: u128,
    },
    /// The field under `mask` was recorded, under `channel`, from the same place of another packet and with the same mask.
    MatchRecorded {
        /// Who recorded.
        channel: u32,
        /// Where.
        field: Field,
        /// The bits that are looked up.
        mask: u128,
    },
}

impl Atom {
    /// The field it looks at.
    #[must_use]
    pub fn field(&self) -> Option<Field> {
        match *self {
            Atom::Eq { field, .. }
            | Atom::Range { field, .. }
            | Atom::Shift { field, .. }
            | Atom::Record { field, .. }
            | Atom::MatchRecorded { field, .. } => Some(field),
            Atom::Advance { .. } => None,
        }
    }

    /// The atom without the channel that it records under, which packets do not see.
    pub(crate) fn without_action(self) -> Atom {
        match self {
            Atom::Record { field, mask, .. } => Atom::Record { channel: 0, field, mask },
            other => other,
        }
    }

    /// The atom with its field moved on by `bytes`.
    pub(crate) fn moved(mut self, bytes: u32) -> Atom {
        match &mut self {
            Atom::Eq { field, .. }
            | Atom::Range { field, .. }
            | Atom::Shift { field, .. }
            | Atom::Record { field, .. }
            | Atom::MatchRecorded { field, .. } => field.offset += bytes,
            Atom::Advance { .. } => {}
        }
        self
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.width {
            1 | 2 | 4 | 8 => write!(f, "u{} at {}", 8 * self.width, self.offset),
            width => write!(f, "{width} bytes at {}", self.offset),
        }
    }
}

/// A field under a mask, as text.
struct Masked(Field, u128);

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Masked(field, mask) = self;
        if *mask == field.ones() { field.fmt(f) } else { write!(f, "({field} & {mask:#x})") }
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Atom::Eq { field, mask, value } => write!(f, "{} == {value:#x}", Masked(field, mask)),
            Atom::Range { field, mask, low, high } => write!(f, "{} in {low}..={high}", Masked(field, mask.into())),
            Atom::Shift { field, mask, left } => write!(f, "base += {} << {left}", Masked(field, mask.into())),
            Atom::Advance { bytes } => write!(f, "base += {bytes}"),
            Atom::Record { channel, field, mask } => write!(f, "record {} in {channel}", Masked(field, mask)),
            Atom::MatchRecorded { channel, field, mask } => {
                write!(f, "{} recorded in {channel}", Masked(field, mask))
            }
        }
    }
}

/// `width` bytes of `packet` from `offset` as a number in network byte order; `None` past the end.
pub(crate) fn load(packet: &[u8], offset: u64, width: u8) -> Option<u128> {
    let start = usize::try_from(offset).ok()?;
    let bytes = packet.get(start..)?.get(..width.into())?;
    Some(bytes.iter().fold(0, |value, &byte| value << 8 | u128::from(byte)))
}
