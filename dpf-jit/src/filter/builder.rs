//! [`FilterBuilder`]: atoms, one by one.

use std::ops::RangeInclusive;

use smallvec::SmallVec;

use super::protocol::Layer;
use super::{Atom, Field, Filter, validate};
use crate::error::FilterError;

/// Collects the atoms of a [`Filter`].
///
/// Offsets count bytes from the base: the start of the frame, moved on by every shift so far. Values are in network byte
/// order. Mistakes are kept and reported by [`build`](FilterBuilder::build).
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct FilterBuilder {
    pub(super) atoms: SmallVec<[Atom; 8]>,
    pub(super) error: Option<FilterError>,
    pub(super) layer: Layer,
    priority: i32,
}

macro_rules! widths {
    ($($ty:ident $bytes:literal $eq:ident $masked:ident $range:ident $masked_range:ident;)*) => {$(
        #[doc = concat!("The ", $bytes, " bytes at `offset` equal `value`.")]
        pub fn $eq(self, offset: usize, value: $ty) -> Self {
            self.equal(offset, $bytes, <$ty>::MAX.into(), value.into())
        }

        #[doc = concat!("The ", $bytes, " bytes at `offset`, under `mask`, equal `value`.")]
        pub fn $masked(self, offset: usize, mask: $ty, value: $ty) -> Self {
            self.equal(offset, $bytes, mask.into(), value.into())
        }

        #[doc = concat!("The ", $bytes, " bytes at `offset` are a number of `range`.")]
        pub fn $range(self, offset: usize, range: RangeInclusive<$ty>) -> Self {
            self.between(offset, $bytes, <$ty>::MAX.into(), (*range.start()).into(), (*range.end()).into())
        }

        #[doc = concat!("The ", $bytes, " bytes at `offset`, under `mask`, are a number of `range`.")]
        pub fn $masked_range(self, offset: usize, mask: $ty, range: RangeInclusive<$ty>) -> Self {
            self.between(offset, $bytes, mask.into(), (*range.start()).into(), (*range.end()).into())
        }
    )*};
}

impl FilterBuilder {
    pub(super) fn new() -> Self {
        FilterBuilder { atoms: SmallVec::new(), error: None, layer: Layer::Frame, priority: 0 }
    }

    widths! {
        u8 1 eq_u8 masked_u8 range_u8 masked_range_u8;
        u16 2 eq_u16 masked_u16 range_u16 masked_range_u16;
        u32 4 eq_u32 masked_u32 range_u32 masked_range_u32;
        u64 8 eq_u64 masked_u64 range_u64 masked_range_u64;
    }

    /// The bytes at `offset` are `bytes`, of which there may be 1 to 16.
    pub fn eq_bytes(self, offset: usize, bytes: &[u8]) -> Self {
        self.masked_bytes(offset, &[0xff; 16][..bytes.len().min(16)], bytes)
    }

    /// The bytes at `offset`, under `mask`, are `bytes`. Both have the same length, 1 to 16.
    pub fn masked_bytes(mut self, offset: usize, mask: &[u8], bytes: &[u8]) -> Self {
        let width = bytes.len();
        if width == 0 || width > 16 {
            self.fail(FilterError::Width { atom: self.atoms.len(), width });
            return self;
        }
        if mask.len() != width {
            self.fail(FilterError::MaskWidth { atom: self.atoms.len(), width, mask: mask.len() });
            return self;
        }
        self.equal(offset, width as u8, number(mask), number(bytes))
    }

    /// Moves the base of the following atoms on by `(byte at offset & mask) << left`.
    pub fn shift(self, offset: usize, mask: u8, left: u32) -> Self {
        self.shifting(offset, 1, mask.into(), left)
    }

    /// Moves the base of the following atoms on by `(2 bytes at offset & mask) << left`.
    pub fn shift_u16(self, offset: usize, mask: u16, left: u32) -> Self {
        self.shifting(offset, 2, mask.into(), left)
    }

    /// Moves the base of the following atoms on by `(4 bytes at offset & mask) << left`.
    pub fn shift_u32(self, offset: usize, mask: u32, left: u32) -> Self {
        self.shifting(offset, 4, mask, left)
    }

    /// Moves the base of the following atoms on by `bytes`.
    pub fn advance(mut self, bytes: usize) -> Self {
        match u32::try_from(bytes) {
            Ok(bytes) => self.atoms.push(Atom::Advance { bytes }),
            Err(_) => self.fail(FilterError::Offset { atom: self.atoms.len(), end: bytes as u64 }),
        }
        self
    }

    /// When the filter is the one that a packet matches, records the bytes at `offset` under `mask` (1 to 16 bytes, at most
    /// one such atom in a filter) for [`match_recorded`](Self::match_recorded) of the same `channel`, `offset` and `mask`.
    pub fn record(mut self, channel: u32, offset: usize, mask: &[u8]) -> Self {
        if let Some(field) = self.field(offset, mask.len()) {
            self.atoms.push(Atom::Record { channel, field, mask: number(mask) });
        }
        self
    }

    /// The bytes at `offset` under `mask` (1 to 16 bytes) have been recorded under `channel`.
    ///
    /// A packet that matches nothing, but would match this filter had its bytes been recorded, is
    /// [`Verdict::Park`](crate::Verdict::Park).
    pub fn match_recorded(mut self, channel: u32, offset: usize, mask: &[u8]) -> Self {
        if let Some(field) = self.field(offset, mask.len()) {
            self.atoms.push(Atom::MatchRecorded { channel, field, mask: number(mask) });
        }
        self
    }

    /// What decides first between two filters that match the same packet: the greater. 0 unless set.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Adds any atom.
    pub fn atom(mut self, atom: Atom) -> Self {
        self.atoms.push(atom);
        self
    }

    /// Checks the atoms and makes the filter.
    ///
    /// # Errors
    /// The first mistake, naming the atom by its number (from 0, in the order given): see [`FilterError`].
    pub fn build(self) -> Result<Filter, FilterError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let atoms = validate::canonical(&self.atoms)?;
        Ok(Filter { atoms, count: self.atoms.len() as u8, priority: self.priority })
    }

    pub(super) fn fail(&mut self, error: FilterError) {
        self.error.get_or_insert(error);
    }

    fn field(&mut self, offset: usize, width: usize) -> Option<Field> {
        let atom = self.atoms.len();
        if width == 0 || width > 16 {
            self.fail(FilterError::Width { atom, width });
            return None;
        }
        let Ok(offset) = u32::try_from(offset) else {
            self.fail(FilterError::Offset { atom, end: offset as u64 });
            return None;
        };
        Some(Field { offset, width: width as u8 })
    }

    fn equal(mut self, offset: usize, width: u8, mask: u128, value: u128) -> Self {
        if let Some(field) = self.field(offset, width.into()) {
            self.atoms.push(Atom::Eq { field, mask, value });
        }
        self
    }

    fn between(mut self, offset: usize, width: u8, mask: u64, low: u64, high: u64) -> Self {
        if let Some(field) = self.field(offset, width.into()) {
            self.atoms.push(Atom::Range { field, mask, low, high });
        }
        self
    }

    fn shifting(mut self, offset: usize, width: u8, mask: u32, left: u32) -> Self {
        if let Some(field) = self.field(offset, width.into()) {
            let left = u8::try_from(left).unwrap_or(u8::MAX);
            self.atoms.push(Atom::Shift { field, mask, left });
        }
        self
    }
}

/// Up to 16 bytes in network byte order.
fn number(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |value, &byte| value << 8 | u128::from(byte))
}
