//! [`FilterId`] and [`Verdict`].

use std::fmt;
use std::num::NonZeroU64;

use crate::filter::Field;

/// The name of an installed filter. Never used again for another one.
///
/// Ids are ordered by age: a filter that was installed earlier has the lesser id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterId(NonZeroU64);

/// Binary digits of the numbers of records and filters.
pub(crate) const INDEX_BITS: u32 = 24;
/// Ids are less than this.
const ID_LIMIT: u64 = 1 << 63;
/// What compiled code answers when a filter would match, were a key recorded; the lower digits say which keys (by recipe).
pub(crate) const PARK: u64 = 1 << 63;

impl FilterId {
    /// The `sequence`-th filter of a classifier, kept at `index`; whether it records is part of its name, so that compiled code
    /// need not look it up.
    pub(crate) fn new(sequence: u64, index: u32, records: bool) -> Option<Self> {
        let raw = sequence << (INDEX_BITS + 1) | u64::from(index) << 1 | u64::from(records);
        if sequence >= ID_LIMIT >> (INDEX_BITS + 1) { None } else { NonZeroU64::new(raw).map(FilterId) }
    }

    /// Whether matching it records something.
    pub(crate) fn records(self) -> bool {
        self.0.get() & 1 == 1
    }

    /// From what compiled code answers.
    pub(crate) fn from_raw(raw: u64) -> Option<Self> {
        NonZeroU64::new(raw).map(FilterId)
    }

    pub(crate) fn raw(self) -> u64 {
        self.0.get()
    }

    /// A small number that no other filter installed at the same time has: for tables kept beside the classifier. It is used
    /// again once the filter is removed.
    #[must_use]
    pub fn index(self) -> usize {
        (self.0.get() >> 1 & ((1 << INDEX_BITS) - 1)) as usize
    }
}

impl fmt::Display for FilterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0.get() >> (INDEX_BITS + 1))
    }
}

/// Identifies the datagram that a parked fragment belongs to: the bytes that its head will record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParkKey {
    /// Where in a packet the bytes stand.
    pub(crate) field: Field,
    pub(crate) mask: u128,
    /// The bytes under the mask.
    pub(crate) value: u128,
}

/// Which filter a packet matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This one is the best of those that match.
    Match(FilterId),
    /// None, but one would, were the packet's key recorded: keep the packet until its head has come.
    Park(ParkKey),
    /// None.
    NoMatch,
}

impl Verdict {
    /// The filter matched.
    #[must_use]
    pub fn id(self) -> Option<FilterId> {
        match self {
            Verdict::Match(id) => Some(id),
            _ => None,
        }
    }
}
