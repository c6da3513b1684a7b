//! What can go wrong.

use crate::FilterId;
use crate::filter::{MAX_ATOMS, MAX_OFFSET, MAX_SHIFTS};

/// Why a [`Filter`](crate::Filter) cannot be built. Atoms are numbered from 0, in the order in which the builder was given
/// them; those that a protocol helper expands to count one by one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// More than [`MAX_ATOMS`].
    #[error("{atoms} atoms; a filter has at most {MAX_ATOMS}")]
    TooMany {
        /// How many.
        atoms: usize,
    },
    /// A field of a width that its atom cannot have.
    #[error("atom {atom}: a field of {width} bytes (1 to 16; ranges at most 8, shifts at most 4)")]
    Width {
        /// Which atom.
        atom: usize,
        /// Its width in bytes.
        width: usize,
    },
    /// A mask that is not as wide as the value.
    #[error("atom {atom}: a mask of {mask} bytes for a value of {width}")]
    MaskWidth {
        /// Which atom.
        atom: usize,
        /// Bytes of the value.
        width: usize,
        /// Bytes of the mask.
        mask: usize,
    },
    /// A mask that has no bit, or one outside of its field.
    #[error("atom {atom}: the mask {mask:#x} selects no bit, or one outside of the field")]
    Mask {
        /// Which atom.
        atom: usize,
        /// Its mask.
        mask: u128,
    },
    /// A field beyond [`MAX_OFFSET`], constant shifts counted.
    #[error("atom {atom}: ends at byte {end}, beyond the limit of {limit}", limit = MAX_OFFSET + 1)]
    Offset {
        /// Which atom.
        atom: usize,
        /// Where it ends.
        end: u64,
    },
    /// A shift that moves the base by more than any packet has.
    #[error("atom {atom}: moves the base by a field shifted up by {left} (at most 16)")]
    ShiftTooFar {
        /// Which atom.
        atom: usize,
        /// Binary digits.
        left: u32,
        /// The mask.
        mask: u32,
    },
    /// More than [`MAX_SHIFTS`] shifts by a loaded field.
    #[error("atom {atom}: one shift by a field too many; a filter has at most {MAX_SHIFTS}")]
    TooManyShifts {
        /// Which atom.
        atom: usize,
    },
    /// An atom that no packet matches: a value outside of the mask, an empty range.
    #[error("atom {atom} matches nothing: {what}")]
    Never {
        /// Which atom.
        atom: usize,
        /// The atom as text.
        what: String,
    },
    /// An atom that cannot hold when an earlier one does.
    #[error("atom {atom} ({what}) contradicts atom {first} ({other}): the filter matches nothing")]
    Contradiction {
        /// Which atom.
        atom: usize,
        /// The earlier one.
        first: usize,
        /// The atom as text.
        what: String,
        /// The earlier one as text.
        other: String,
    },
    /// An atom that tests bits that an earlier one tests.
    #[error("atom {atom} ({what}) overlaps atom {first} ({other})")]
    Overlap {
        /// Which atom.
        atom: usize,
        /// The earlier one.
        first: usize,
        /// The atom as text.
        what: String,
        /// The earlier one as text.
        other: String,
    },
    /// More than one atom that records, or more than one that matches what is recorded.
    #[error(
        "atom {atom} records or matches what is recorded, and so does atom {first}; a filter has one of each at most"
    )]
    SecondStateful {
        /// Which atom.
        atom: usize,
        /// The earlier one.
        first: usize,
    },
    /// A prefix longer than the address.
    #[error("atom {atom}: a prefix of {prefix} bits; the address has {limit}")]
    Prefix {
        /// Which atom.
        atom: usize,
        /// Its prefix.
        prefix: u8,
        /// The longest.
        limit: u8,
    },
    /// A protocol helper in a place where its header cannot be.
    #[error("atom {atom}: `{helper}` cannot stand here; call the helpers from the outer header to the inner one")]
    Helper {
        /// Which atom.
        atom: usize,
        /// The helper.
        helper: &'static str,
    },
}

/// What a [`Classifier`](crate::Classifier) reports.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The filter is not valid.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A filter with the same atoms is installed already.
    #[error("the same filter is installed already, as {id}")]
    Identical {
        /// The one that is installed.
        id: FilterId,
    },
    /// No filter of that name is installed.
    #[error("no filter {id}")]
    NoSuchFilter {
        /// The name.
        id: FilterId,
    },
    /// The classifier holds as many filters as it can.
    #[error("the classifier is full: {capacity} filters and shared keys")]
    Full {
        /// How many it can hold.
        capacity: usize,
    },
    /// Filters record and match at more different places of a packet than a classifier can tell apart.
    #[error("more than {limit} different places of recording and matching atoms")]
    TooManySites {
        /// How many there may be.
        limit: usize,
    },
    /// The filters could not be compiled.
    #[error("compiling the filters: {0}")]
    Compile(#[from] tickc::Error),
}
