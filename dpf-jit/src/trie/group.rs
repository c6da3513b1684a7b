//! [`Group`]: filters that differ in values only.
//!
//! The filters of a group have the same *shape* (the same atoms but for the values compared with). Where all of them have the
//! same value the atom is a constant, which the tree tests; the other atoms are the group's key, by which its tables tell
//! the filter. A group of one filter has no key: all of it is tested by the tree.

use smallvec::SmallVec;

use crate::filter::{Atom, Filter, Rank};
use crate::table::Table;
use crate::table::index::Found as Entry;
use crate::table::layout::{KeyBytes, Layout, value_of};
use crate::table::records::Records;

/// Atoms with the value that all filters of a group share.
pub(crate) type Consts = SmallVec<[(u8, u128); 8]>;

/// A filter in a group: where its record is (0 if the group has no key), its id and rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) record: u32,
    pub(crate) id: u64,
    pub(crate) rank: Rank,
}

impl From<Entry> for Member {
    fn from(Entry { record, id, rank }: Entry) -> Self {
        Member { record, id, rank }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) shape: u32,
    /// Number of the section whose tree it is a leaf of.
    pub(crate) section: u32,
    pub(crate) consts: Consts,
    pub(crate) layout: Layout,
    /// One table for each stage of the layout.
    pub(crate) tables: SmallVec<[Table; 1]>,
    /// The filter of a group without key.
    pub(crate) only: Option<Member>,
    /// Filters.
    pub(crate) len: usize,
    /// At least the greatest rank of its filters.
    pub(crate) max_rank: Rank,
}

/// What a lookup of a filter in a group says.
pub(crate) enum Found {
    /// Its constants are not the group's.
    Elsewhere,
    /// It would be one of the group, but is not.
    Absent,
    /// It is this one.
    Present(Member),
}

/// Whether atoms of this kind have values by which filters of one shape differ.
pub(crate) fn has_value(atom: &Atom) -> bool {
    matches!(atom, Atom::Eq { .. } | Atom::MatchRecorded { .. })
}

impl Group {
    /// A group without filters: `consts` is the shape's atoms that will be tested by the tree, the other ones make the key.
    pub(crate) fn new(shape_number: u32, shape: &[Atom], consts: Consts, seed: &mut u64) -> Group {
        let keyed: SmallVec<[u8; 8]> = (0..shape.len() as u8)
            .filter(|&atom| has_value(&shape[usize::from(atom)]) && consts.iter().all(|(other, _)| *other != atom))
            .collect();
        let layout = Layout::new(shape, &keyed);
        let tables = layout.stages().iter().map(|_| Table::new(seed)).collect();
        Group { shape: shape_number, section: 0, consts, layout, tables, only: None, len: 0, max_rank: 0 }
    }

    /// A group of one filter.
    pub(crate) fn of_one(shape: u32, filter: &Filter, id: u64, seed: &mut u64) -> Group {
        let mut group = Group::new(shape, filter.atoms(), consts_of(filter.atoms()), seed);
        group.insert_only(Member { record: 0, id, rank: filter.rank() });
        group
    }

    pub(crate) fn insert_only(&mut self, member: Member) {
        self.max_rank = member.rank;
        self.only = Some(member);
        self.len = 1;
    }

    /// The atoms whose constants are not those of a filter of the same shape.
    pub(crate) fn mismatches(&self, filter: &Filter) -> SmallVec<[u8; 8]> {
        self.consts
            .iter()
            .filter(|(atom, value)| value_of(&filter.atoms()[usize::from(*atom)]).1 != *value)
            .map(|(atom, _)| *atom)
            .collect()
    }

    /// Looks a filter of the same shape up.
    pub(crate) fn find(&self, filter: &Filter) -> Found {
        if !self.mismatches(filter).is_empty() {
            return Found::Elsewhere;
        }
        if let Some(only) = self.only {
            return Found::Present(only);
        }
        let bytes = self.layout.bytes_of(filter);
        let mut found = Entry { record: 0, id: 0, rank: 0 };
        for (stage, table) in self.tables.iter().enumerate() {
            match table.find(self.layout.key_from(stage, found.record, &bytes)) {
                Some(next) => found = next,
                None => return Found::Absent,
            }
        }
        Found::Present(found.into())
    }

    /// Puts in a filter that is absent, given the bytes of its key. Its record, and whether compiled code must be told of
    /// another index.
    pub(crate) fn insert(
        &mut self,
        records: &mut Records,
        bytes: &[u8],
        id: u64,
        rank: Rank,
        seed: &mut u64,
    ) -> (u32, bool) {
        let last = self.tables.len() - 1;
        let mut symbol = 0;
        let mut replaced = false;
        for (stage, table) in self.tables.iter_mut().enumerate() {
            let key = self.layout.key_from(stage, symbol, bytes);
            symbol = match table.find(key) {
                Some(found) => found.record,
                None => {
                    let record = records.alloc(key);
                    if stage > 0 {
                        records.count_uses(symbol, 1);
                    }
                    let (id, rank) = if stage == last { (id, rank) } else { (record.into(), 0) };
                    replaced |= table.insert(records, key, Entry { record, id, rank }, seed);
                    record
                }
            };
        }
        self.len += 1;
        self.max_rank = self.max_rank.max(rank);
        (symbol, replaced)
    }

    /// Takes out the filter of a record. Whether compiled code must be told of another index.
    pub(crate) fn remove(&mut self, records: &mut Records, record: u32, seed: &mut u64) -> bool {
        let mut replaced = false;
        let mut record = record;
        for stage in (0..self.tables.len()).rev() {
            let key = records.key(record);
            replaced |= self.tables[stage].remove(records, key, seed);
            records.free(record);
            if stage == 0 {
                break;
            }
            let symbol = key[0] as u32;
            if records.count_uses(symbol, -1) > 0 {
                break;
            }
            record = symbol;
        }
        self.len -= 1;
        replaced
    }

    /// Every filter of the group.
    pub(crate) fn members(&self) -> Vec<Member> {
        match (self.only, self.tables.last()) {
            (Some(only), _) => vec![only],
            (None, Some(table)) => table.all().map(Member::from).collect(),
            (None, None) => Vec::new(),
        }
    }

    /// The bytes of the key of a record.
    fn bytes_of(&self, records: &Records, record: u32) -> KeyBytes {
        let mut bytes = self.layout.no_bytes();
        let mut record = record;
        for stage in (0..self.tables.len()).rev() {
            let key = records.key(record);
            self.layout.key_into(stage, key, &mut bytes);
            record = key[0] as u32;
        }
        bytes
    }

    /// The value that a filter of the group has in each atom of the shape that has one.
    pub(crate) fn values(&self, records: &Records, shape: &[Atom], record: u32) -> Consts {
        let bytes = self.bytes_of(records, record);
        let keyed = self
            .layout
            .keyed()
            .map(|atom| (atom, self.layout.value_in(&bytes, shape, atom).expect("the atom is one of the key")));
        self.consts.iter().copied().chain(keyed).collect()
    }

    /// Records that its filters and their shared prefixes take.
    pub(crate) fn records(&self) -> usize {
        self.tables.iter().map(Table::len).sum()
    }

    /// Gives all of its records back, once the code that looks at them is gone.
    pub(crate) fn retire(&self, records: &mut Records) {
        for table in &self.tables {
            for found in table.all() {
                records.free(found.record);
            }
        }
    }
}

/// The value of each atom that has one.
pub(crate) fn consts_of(atoms: &[Atom]) -> Consts {
    let numbered = atoms.iter().enumerate().filter(|(_, atom)| has_value(atom));
    numbered.map(|(number, atom)| (number as u8, value_of(atom).1)).collect()
}
