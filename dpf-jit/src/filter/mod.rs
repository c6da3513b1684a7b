//! [`Filter`]: what a packet must look like.
//!
//! A filter is built from [`Atom`]s, checked once ([`FilterBuilder::build`]), and kept in *canonical form*, which does not
//! depend on the order in which the builder was given atoms that commute:
//!
//! - constant shifts are folded into the offsets behind them;
//! - the atoms between two shifts (a *level*) are sorted by place.

mod atom;
mod builder;
mod protocol;
mod validate;

pub(crate) use atom::load;
pub use atom::{Atom, Field};
pub use builder::FilterBuilder;

use std::fmt;

/// Greatest offset, in bytes, that a filter may look at, shifts not counted: a frame has at most 64 KiB.
pub const MAX_OFFSET: u32 = 65_535;
/// Most atoms that a filter may have.
pub const MAX_ATOMS: usize = 63;

/// Most shifts by a loaded field that a filter may have.
pub const MAX_SHIFTS: usize = 7;

/// A conjunction of [`Atom`]s with a priority.
///
/// ```
/// use dpf_jit::Filter;
///
/// // TCP port 80: the IPv4 header has as many words as the low half of its first byte says.
/// let http = Filter::builder().eq_u16(12, 0x0800).eq_u8(23, 6).shift(14, 0x0f, 2).eq_u16(14 + 2, 80).build()?;
/// assert_eq!(http, Filter::builder().eq_u8(23, 6).eq_u16(12, 0x0800).shift(14, 0x0f, 2).eq_u16(16, 80).build()?);
/// # Ok::<(), dpf_jit::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// In canonical form.
    atoms: Box<[Atom]>,
    /// Atoms that the builder was given.
    count: u8,
    priority: i32,
}

impl Filter {
    /// A filter without atoms, to be extended. It would match every packet.
    pub fn builder() -> FilterBuilder {
        FilterBuilder::new()
    }

    /// The atoms in canonical form: constant shifts folded away, sorted by place between two shifts.
    #[must_use]
    pub fn atoms(&self) -> &[Atom] {
        &self.atoms
    }

    /// What decides first between two filters that match the same packet; 0 unless set.
    #[must_use]
    pub fn priority(&self) -> i32 {
        self.priority
    }

    /// How many atoms the filter was built of, shifts and constant shifts included. Decides between filters of the same
    /// priority.
    #[must_use]
    pub fn atom_count(&self) -> usize {
        self.count.into()
    }

    /// Whether there is an [`Atom::Record`] in it.
    pub(crate) fn records(&self) -> bool {
        self.atoms.iter().any(|atom| matches!(atom, Atom::Record { .. }))
    }

    /// Whether the two match the same packets, atom by atom, whatever they record.
    pub(crate) fn is_identical(&self, other: &Filter) -> bool {
        let tests = |filter: &'_ Filter| filter.atoms.iter().map(|atom| atom.without_action()).collect::<Vec<_>>();
        tests(self) == tests(other)
    }

    /// What decides between filters that match the same packet, ids apart: the greater, the better.
    pub(crate) fn rank(&self) -> Rank {
        // The sign bit flipped, the order of `i32` is that of `u32`.
        let priority = self.priority.cast_unsigned() ^ 0x8000_0000;
        u64::from(priority) << COUNT_BITS | u64::from(self.count)
    }
}

/// Priority and number of atoms as one number, of 38 bits.
pub(crate) type Rank = u64;

/// Bits of a rank that are the number of atoms.
const COUNT_BITS: u32 = 6;
const _: () = assert!(MAX_ATOMS < 1 << COUNT_BITS);

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, atom) in self.atoms.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            atom.fmt(f)?;
        }
        if self.atoms.is_empty() {
            f.write_str("every packet")?;
        }
        if self.priority != 0 {
            write!(f, ", priority {}", self.priority)?;
        }
        Ok(())
    }
}
