//! [`FilterSet`]: the trie with its incremental insertion and removal.
//!
//! Most insertions find a group whose constants the filter has: they write one record and one slot. The others change the
//! structure: a filter of a new shape begins a group; one that differs from the constants of a small group makes these part
//! of the key (*widens* it); beside large groups a new one is begun, to be merged if there are too many of one shape.
//!
//! Groups are divided into sections, each with a tree of its own, so that a change of the structure is one of a section.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::group::{Consts, Found, Group, Member, consts_of};
use super::tree::{Step, Tree, path};
use crate::error::Error;
use crate::filter::{Atom, Field, Filter, Rank};
use crate::state::{Recipe, State, words};
use crate::table::index::random;
use crate::table::records::Records;
use crate::verdict::FilterId;

/// Filters up to which a group is widened, at a cost proportional to their number.
const SMALL: usize = 256;
/// Groups of one shape that are told apart by constants before they are merged.
const SIBLINGS: usize = 8;

/// Filters of the same atoms but for the values.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Canonical; what differs is zero.
    pub(crate) atoms: Arc<[Atom]>,
    groups: Vec<u32>,
}

/// Groups that are compiled together.
#[derive(Debug, Default)]
pub(crate) struct Section {
    pub(crate) tree: Tree,
    /// Groups.
    pub(crate) leaves: usize,
    /// Another number whenever its code must be another; no two sections with groups have the same.
    pub(crate) version: u64,
}

/// Where an installed filter is.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Its id; 0 if the entry is free.
    id: u64,
    group: u32,
    /// 0 in a group without key.
    record: u32,
}

/// Entries that are allocated together, so that none is ever copied to a larger place.
const CHUNK: usize = 128;

/// What a change asks of compiled code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// Nothing: it sees what changed in its tables.
    Data,
    /// The same, but that the best rank of a group has risen.
    Rank,
    /// To be compiled again.
    Structure,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct FilterSet {
    shapes: Vec<Shape>,
    by_atoms: FxHashMap<Arc<[Atom]>, u32>,
    groups: Vec<Option<Group>>,
    free_groups: Vec<u32>,
    sections: Vec<Section>,
    /// Most groups of a section.
    section_size: usize,
    versions: u64,
    records: Records,
    entries: Vec<Box<[Entry]>>,
    free_entries: Vec<u32>,
    /// Entries that have ever been used.
    top: u32,
    capacity: u32,
    /// How many keys there is room for that filters record.
    recorded: usize,
    sequence: u64,
    seed: u64,
    len: usize,
    /// From the first filter on that records or matches what is recorded.
    state: Option<Arc<State>>,
    recipes: Arc<Vec<Recipe>>,
    /// The shape of the filter at hand.
    scratch: Vec<Atom>,
}

impl FilterSet {
    pub(crate) fn new(capacity: u32, recorded: usize, section_size: usize) -> Self {
        FilterSet {
            shapes: Vec::new(),
            by_atoms: FxHashMap::default(),
            groups: Vec::new(),
            free_groups: Vec::new(),
            sections: vec![Section::default()],
            section_size,
            versions: 0,
            records: Records::new(capacity),
            entries: Vec::new(),
            free_entries: Vec::new(),
            top: 0,
            capacity,
            recorded,
            sequence: 0,
            // Different in each process, so that nobody can know which keys collide.
            seed: std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0),
            len: 0,
            state: None,
            recipes: Arc::default(),
            scratch: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Those that have groups; the first one if none has.
    pub(crate) fn sections(&self) -> impl Iterator<Item = &Section> {
        let none = self.sections.iter().all(|section| section.leaves == 0);
        self.sections
            .iter()
            .enumerate()
            .filter(move |(at, section)| section.leaves > 0 || none && *at == 0)
            .map(|(_, section)| section)
    }

    pub(crate) fn records_mut(&mut self) -> &mut Records {
        &mut self.records
    }

    pub(crate) fn group(&self, group: u32) -> &Group {
        self.groups[group as usize].as_ref().expect("the tree names groups that exist")
    }

    pub(crate) fn shape(&self, shape: u32) -> &[Atom] {
        &self.shapes[shape as usize].atoms
    }

    pub(crate) fn state(&self) -> Option<&Arc<State>> {
        self.state.as_ref()
    }

    pub(crate) fn recipes(&self) -> &Arc<Vec<Recipe>> {
        &self.recipes
    }

    /// The recipe by which the atom that satisfies `wanted` finds its key.
    pub(crate) fn recipe(&self, atoms: &[Atom], wanted: impl Fn(&Atom) -> bool) -> Option<usize> {
        let (field, mask, at) = site_of(atoms, wanted)?;
        let same = |recipe: &Recipe| {
            recipe.field == field && recipe.mask == mask && shifts(&atoms[..at]).eq(recipe.shifts.iter().copied())
        };
        self.recipes.iter().position(same)
    }

    fn entry(&self, id: FilterId) -> Option<Entry> {
        let entry = self.entries.get(id.index() / CHUNK)?[id.index() % CHUNK];
        (entry.id == id.raw()).then_some(entry)
    }

    /// Adds a filter.
    pub(crate) fn insert(&mut self, filter: &Filter) -> Result<(FilterId, Change), Error> {
        let shape = self.shape_of(filter);
        let mut place = None;
        for &group in &self.shapes[shape as usize].groups {
            match self.group(group).find(filter) {
                Found::Present(member) => {
                    let id = FilterId::from_raw(member.id).expect("an installed filter has an id");
                    return Err(Error::Identical { id });
                }
                Found::Absent => place = place.or(Some(group)),
                Found::Elsewhere => {}
            }
        }
        self.prepare_state(filter)?;
        let id = self.new_id(filter)?;
        self.set_action(id, filter);
        let result = match place {
            Some(group) => {
                let best = self.group(group).max_rank;
                let (record, replaced) = self.insert_into(group, filter, id.raw());
                self.set_entry(Entry { id: id.raw(), group, record });
                match replaced {
                    true => self.restructured(self.group(group).section),
                    false if filter.rank() > best => Change::Rank,
                    false => Change::Data,
                }
            }
            None => {
                match self.to_widen(shape, filter) {
                    Some((group, mismatches)) => self.widen(&[group], &mismatches, Some((filter, id.raw()))),
                    None => self.begin_group(shape, filter, id.raw()),
                }
                Change::Structure
            }
        };
        self.len += 1;
        Ok((id, result))
    }

    /// Takes a filter out.
    pub(crate) fn remove(&mut self, id: FilterId) -> Result<Change, Error> {
        let entry = self.entry(id).ok_or(Error::NoSuchFilter { id })?;
        self.entries[id.index() / CHUNK][id.index() % CHUNK].id = 0;
        self.free_entries.push(id.index() as u32);
        self.len -= 1;
        let group = self.groups[entry.group as usize].as_mut().expect("an installed filter's group exists");
        if group.only.is_some() {
            let section = self.end_group(entry.group).section;
            self.merge_section(section);
            return Ok(Change::Structure);
        }
        let replaced = group.remove(&mut self.records, entry.record, &mut self.seed);
        if group.len == 1 {
            // What was a key of one entry becomes constants.
            self.widen(&[entry.group], &[], None);
            return Ok(Change::Structure);
        }
        let section = group.section;
        Ok(if replaced { self.restructured(section) } else { Change::Data })
    }

    /// Notes that the code of a section must be another.
    fn restructured(&mut self, section: u32) -> Change {
        self.versions += 1;
        self.sections[section as usize].version = self.versions;
        Change::Structure
    }

    /// The section for a group: of those with room the one that shares most of its path, that where it has been before, the first one;
    /// an empty one only if there is no other.
    fn section_for(&mut self, path: &[Step], before: Option<u32>) -> u32 {
        let room = self.sections.iter().enumerate().rev().filter(|(_, section)| section.leaves < self.section_size);
        let room = room.map(|(number, section)| (number as u32, section));
        let merit = |(number, section): &(u32, &Section)| {
            (section.leaves > 0, section.tree.shared(path), before == Some(*number))
        };
        match room.max_by_key(merit) {
            Some((number, _)) => number,
            None => {
                self.sections.push(Section::default());
                self.sections.len() as u32 - 1
            }
        }
    }

    /// Makes what the stateful atoms of a filter need.
    fn prepare_state(&mut self, filter: &Filter) -> Result<(), Error> {
        for wanted in [is_record, is_match_recorded] {
            let Some((field, mask, at)) = site_of(filter.atoms(), wanted) else { continue };
            if self.state.is_none() {
                let seed = self.random();
                self.state = Some(Arc::new(State::new(self.capacity as usize, self.recorded, seed)));
            }
            if self.recipe(filter.atoms(), wanted).is_some() {
                continue;
            }
            if self.recipes.len() == MAX_RECIPES {
                return Err(Error::TooManySites { limit: MAX_RECIPES });
            }
            let known = self.recipes.iter().find(|recipe| recipe.field == field && recipe.mask == mask);
            let site = known.map_or(self.recipes.len() as u16 + 1, |recipe| recipe.site);
            let shifts = shifts(&filter.atoms()[..at]).collect();
            Arc::make_mut(&mut self.recipes).push(Recipe { shifts, field, mask, masks: words(field, mask), site });
        }
        Ok(())
    }

    fn set_action(&self, id: FilterId, filter: &Filter) {
        let channel = filter.atoms().iter().find_map(|atom| match atom {
            Atom::Record { channel, .. } => Some(*channel),
            _ => None,
        });
        if let (Some(channel), Some(state), Some(recipe)) =
            (channel, &self.state, self.recipe(filter.atoms(), is_record))
        {
            state.set_action(id.index(), recipe, channel);
        }
    }

    /// The number of the filter's shape, a new one if need be.
    fn shape_of(&mut self, filter: &Filter) -> u32 {
        self.scratch.clear();
        self.scratch.extend(filter.atoms().iter().map(|atom| match *atom {
            Atom::Eq { field, mask, .. } => Atom::Eq { field, mask, value: 0 },
            Atom::MatchRecorded { field, mask, .. } => Atom::MatchRecorded { channel: 0, field, mask },
            other => other.without_action(),
        }));
        if let Some(shape) = self.by_atoms.get(self.scratch.as_slice()) {
            return *shape;
        }
        let atoms: Arc<[Atom]> = self.scratch.as_slice().into();
        let number = self.shapes.len() as u32;
        self.shapes.push(Shape { atoms: atoms.clone(), groups: Vec::new() });
        self.by_atoms.insert(atoms, number);
        number
    }

    fn new_id(&mut self, filter: &Filter) -> Result<FilterId, Error> {
        let full = Error::Full { capacity: self.capacity as usize };
        // Widening needs a second record for each filter of a small group, and each key at most one record per atom.
        if self.records.available() < 2 * SMALL + filter.atoms().len() + 2 && self.len + 1 >= self.capacity as usize {
            return Err(full);
        }
        if self.records.available() < filter.atoms().len() + 1 {
            return Err(full);
        }
        let index = match self.free_entries.last() {
            Some(index) => *index,
            None if self.top < self.capacity => self.top,
            None => return Err(full),
        };
        let id = FilterId::new(self.sequence + 1, index, filter.records()).ok_or(full)?;
        self.sequence += 1;
        if self.free_entries.pop().is_none() {
            self.top += 1;
            if index as usize / CHUNK == self.entries.len() {
                self.entries.push(vec![Entry { id: 0, group: 0, record: 0 }; CHUNK].into());
            }
        }
        Ok(id)
    }

    fn set_entry(&mut self, entry: Entry) {
        let index = FilterId::from_raw(entry.id).expect("an id is not zero").index();
        self.entries[index / CHUNK][index % CHUNK] = entry;
    }

    fn insert_into(&mut self, group: u32, filter: &Filter, id: u64) -> (u32, bool) {
        let group = self.groups[group as usize].as_mut().expect("found above");
        let bytes = group.layout.bytes_of(filter);
        group.insert(&mut self.records, &bytes, id, filter.rank(), &mut self.seed)
    }

    /// The group to widen for a filter that fits into none, and the atoms that would join its key.
    fn to_widen(&self, shape: u32, filter: &Filter) -> Option<(u32, Vec<u8>)> {
        let shape = &self.shapes[shape as usize];
        let stages = |keyed: &[u8]| crate::table::layout::Layout::new(&shape.atoms, keyed).stages().len();
        let mergeable = !shape.atoms.iter().any(is_match_recorded);
        let candidates = shape.groups.iter().filter_map(|&number| {
            let group = self.group(number);
            let affordable = group.len <= SMALL && self.records.available() > 2 * group.records() + 2 * SMALL;
            if !affordable {
                return None;
            }
            let mismatches = group.mismatches(filter);
            // What was recorded is looked up last: whether the packet waits for it must not depend on another key.
            if !mergeable && mismatches.iter().any(|&atom| !is_match_recorded(&shape.atoms[usize::from(atom)])) {
                return None;
            }
            let mut keyed: Vec<u8> = group.layout.keyed().chain(mismatches.iter().copied()).collect();
            keyed.sort_unstable();
            // A key that needs another lookup is worse than a second group, unless that would be one of many.
            let longer = group.len > 1 && stages(&keyed) > group.tables.len().max(1);
            (!longer || shape.groups.len() >= SIBLINGS).then_some((number, mismatches.to_vec()))
        });
        candidates.min_by_key(|(_, mismatches)| mismatches.len())
    }

    /// A new group of one filter; too many of one shape are merged.
    fn begin_group(&mut self, shape: u32, filter: &Filter, id: u64) {
        let group = Group::of_one(shape, filter, id, &mut self.seed);
        let number = self.add_group(group, None);
        self.set_entry(Entry { id, group: number, record: 0 });
        let siblings = self.shapes[shape as usize].groups.clone();
        let mergeable = !self.shapes[shape as usize].atoms.iter().any(is_match_recorded);
        if siblings.len() > SIBLINGS && mergeable {
            let records: usize = siblings.iter().map(|&group| self.group(group).records()).sum();
            if self.records.available() > records + 2 * SMALL {
                self.widen(&siblings, &[], None);
            }
        }
    }

    fn add_group(&mut self, mut group: Group, before: Option<u32>) -> u32 {
        let number = self.free_groups.pop().unwrap_or_else(|| {
            self.groups.push(None);
            self.groups.len() as u32 - 1
        });
        let shape = &mut self.shapes[group.shape as usize];
        shape.groups.push(number);
        let path = path(&shape.atoms, &group.consts, number);
        group.section = self.section_for(&path, before);
        self.add_leaf(group.section, &path);
        self.groups[number as usize] = Some(group);
        number
    }

    fn add_leaf(&mut self, section: u32, path: &[Step]) {
        self.sections[section as usize].tree.insert(path);
        self.sections[section as usize].leaves += 1;
        self.restructured(section);
    }

    /// Moves what is left of a section to another one, if both together fill only half of one: the other half is for changes to come.
    fn merge_section(&mut self, from: u32) {
        let left = self.sections[from as usize].leaves;
        let fits = |section: &Section| section.leaves > 0 && section.leaves + left <= self.section_size / 2;
        let to = self.sections.iter().enumerate().position(|(at, section)| at != from as usize && fits(section));
        let Some(to) = to.filter(|_| left > 0) else { return };
        for number in 0..self.groups.len() {
            if let Some(group) = self.groups[number].as_mut().filter(|group| group.section == from) {
                group.section = to as u32;
                let path = path(&self.shapes[group.shape as usize].atoms, &group.consts, number as u32);
                self.add_leaf(to as u32, &path);
            }
        }
        self.sections[from as usize] = Section::default();
    }

    fn end_group(&mut self, number: u32) -> Group {
        let group = self.groups[number as usize].take().expect("a group ends once");
        let shape = &mut self.shapes[group.shape as usize];
        let section = &mut self.sections[group.section as usize];
        section.tree.remove(&path(&shape.atoms, &group.consts, number));
        section.leaves -= 1;
        shape.groups.retain(|&other| other != number);
        self.restructured(group.section);
        self.free_groups.push(number);
        group
    }

    /// Replaces `groups` of one shape, and one more filter, by one whose key are the atoms in which they differ, and those of
    /// `keyed`.
    fn widen(&mut self, groups: &[u32], keyed: &[u8], more: Option<(&Filter, u64)>) {
        let ended: Vec<Group> = groups.iter().map(|&group| self.end_group(group)).collect();
        let shape_number = ended[0].shape;
        let shape = self.shapes[shape_number as usize].atoms.clone();
        let mut filters: Vec<(Consts, u64, Rank)> = Vec::new();
        for group in &ended {
            for Member { record, id, rank } in group.members() {
                let mut values = group.values(&self.records, &shape, record);
                values.sort_unstable_by_key(|(atom, _)| *atom);
                filters.push((values, id, rank));
            }
        }
        filters.extend(more.map(|(filter, id)| (consts_of(filter.atoms()), id, filter.rank())));
        // An atom that was part of a key stays one, but where a single filter is left.
        let kept = |atom: u8| {
            filters.len() > 1
                && (keyed.contains(&atom) || ended.iter().any(|group| group.layout.keyed().any(|k| k == atom)))
        };
        let mut consts = filters[0].0.clone();
        consts.retain(|(atom, value)| {
            !kept(*atom) && filters.iter().all(|(values, ..)| values.contains(&(*atom, *value)))
        });
        let mut group = Group::new(shape_number, &shape, consts, &mut self.seed);
        let mut entries = Vec::with_capacity(filters.len());
        for (values, id, rank) in filters {
            let record = if group.tables.is_empty() {
                group.insert_only(Member { record: 0, id, rank });
                0
            } else {
                let in_key = group.layout.keyed().map(|atom| {
                    let value = values.iter().find(|(other, _)| *other == atom).expect("every atom has a value").1;
                    let width = shape[usize::from(atom)].field().map_or(4, |field| field.width);
                    let width = if matches!(shape[usize::from(atom)], Atom::Eq { .. }) { width } else { 4 };
                    (width, value)
                });
                let bytes = group.layout.bytes_from(in_key.collect::<Vec<_>>().into_iter());
                group.insert(&mut self.records, &bytes, id, rank, &mut self.seed).0
            };
            entries.push((id, record));
        }
        for group in &ended {
            group.retire(&mut self.records);
        }
        let number = self.add_group(group, Some(ended[0].section));
        for (id, record) in entries {
            self.set_entry(Entry { id, group: number, record });
        }
        for group in &ended {
            self.merge_section(group.section);
        }
    }

    /// A number that no one outside can guess.
    fn random(&mut self) -> u64 {
        random(&mut self.seed)
    }
}

/// Most recipes: compiled code has a bit for each.
const MAX_RECIPES: usize = 62;

pub(crate) fn is_record(atom: &Atom) -> bool {
    matches!(atom, Atom::Record { .. })
}

pub(crate) fn is_match_recorded(atom: &Atom) -> bool {
    matches!(atom, Atom::MatchRecorded { .. })
}

/// Field, mask and number of the atom that satisfies `wanted`.
fn site_of(atoms: &[Atom], wanted: impl Fn(&Atom) -> bool) -> Option<(Field, u128, usize)> {
    let at = atoms.iter().position(wanted)?;
    match atoms[at] {
        Atom::Record { field, mask, .. } | Atom::MatchRecorded { field, mask, .. } => Some((field, mask, at)),
        _ => None,
    }
}

fn shifts(atoms: &[Atom]) -> impl Iterator<Item = Atom> {
    atoms.iter().copied().filter(|atom| matches!(atom, Atom::Shift { .. }))
}
