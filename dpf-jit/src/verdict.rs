//! [`FilterId`] and [`Verdict`].

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;
use std::sync::OnceLock;

use crate::filter::Field;

/// The name of an installed filter. Never used again for another one.
///
/// Ids are ordered by age: a filter that was installed earlier has the lesser id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterId(NonZeroU64);

/// Binary digits of the numbers of records and filters.
pub(crate) const INDEX_BITS: u32 = 24;
/// Digits of an id below its index.
const FLAGS: u32 = 2;
/// The digit of an id that says whether the filter records: part of its name, so that compiled code need not look it up.
const RECORDS: u64 = 1;
/// What compiled code answers when a filter would match, were a key recorded; the digits above say which keys (by recipe). Of an
/// id this digit is 0.
pub(crate) const PARK: u64 = 2;
/// The digit of such an answer that says that the key of a recipe was missing.
pub(crate) fn parked_digit(recipe: usize) -> usize {
    recipe + FLAGS as usize
}

/// Whether an answer takes more than itself to become a verdict.
pub(crate) const STATEFUL: u64 = PARK | RECORDS;

impl FilterId {
    /// The `sequence`-th filter of a classifier, kept at `index`.
    pub(crate) fn new(sequence: u64, index: u32, records: bool) -> Option<Self> {
        let raw = sequence << (INDEX_BITS + FLAGS) | u64::from(index) << FLAGS | u64::from(records);
        if sequence >> (64 - INDEX_BITS - FLAGS) != 0 { None } else { NonZeroU64::new(raw).map(FilterId) }
    }

    /// Whether matching it records something.
    pub(crate) fn records(self) -> bool {
        self.0.get() & RECORDS != 0
    }

    /// From what compiled code answers, unless that is a key to park by.
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
        (self.0.get() >> FLAGS & ((1 << INDEX_BITS) - 1)) as usize
    }
}

impl fmt::Display for FilterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0.get() >> (INDEX_BITS + FLAGS))
    }
}

/// Identifies the datagram that a parked fragment belongs to: a hash of the bytes that its head will record, and of their place.
///
/// The hash is another one in each process, so that nobody outside can find datagrams that share one. Two datagrams share one with
/// a probability of 2^-64; their fragments would be classified again at the head of either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParkKey(u64);

/// What identifies a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Datagram {
    /// Where in a packet the bytes stand.
    pub(crate) field: Field,
    pub(crate) mask: u128,
    /// The bytes under the mask.
    pub(crate) value: u128,
}

impl Datagram {
    pub(crate) fn park_key(self) -> ParkKey {
        static SECRET: OnceLock<[u64; 2]> = OnceLock::new();
        let state = RandomState::new();
        let [one, two] = *SECRET.get_or_init(|| [state.hash_one(1), state.hash_one(2)]);
        // Products of 128 bits folded, as in wyhash.
        let fold = |a: u64, b: u64| {
            let product = u128::from(a) * u128::from(b);
            product as u64 ^ (product >> 64) as u64
        };
        let halves = |hash: u64, word: u128| fold(fold(word as u64 ^ one, hash ^ two), (word >> 64) as u64 ^ two);
        let place = u64::from(self.field.offset) << 8 | u64::from(self.field.width);
        ParkKey(halves(halves(place, self.mask), self.value))
    }
}

/// Which filter a packet matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No filter matches.
    NoMatch,
    /// This one is the best of those that match.
    Match(FilterId),
    /// None, but one would, were the packet's key recorded: keep the packet until its head has come.
    Park(ParkKey),
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
