//! [`Naive`]: a list of filters, tried one after the other. What everything else is tested against.

use rustc_hash::FxHashMap;

use crate::filter::{Atom, Filter, load};
use crate::verdict::{Datagram, FilterId, ParkKey, Verdict};

/// A list of filters, tried one after the other: the meaning of a classifier, in its simplest form.
#[derive(Clone, Debug, Default)]
pub struct Naive {
    filters: Vec<(FilterId, Filter)>,
    /// Channel of each recorded key.
    recorded: FxHashMap<Datagram, u32>,
}

/// How a filter meets a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Holds,
    /// All holds but that nothing is recorded for this key.
    Unrecorded(ParkKey),
    Fails,
}

impl Naive {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Naive::default()
    }

    /// The filter with the same atoms, if there is one.
    #[must_use]
    pub fn identical(&self, filter: &Filter) -> Option<FilterId> {
        self.filters.iter().find(|(_, other)| other.is_identical(filter)).map(|(id, _)| *id)
    }

    /// Adds a filter that is none of those in the list, under the id that a [`Classifier`](crate::Classifier) gave it.
    pub fn insert(&mut self, id: FilterId, filter: Filter) {
        self.filters.push((id, filter));
    }

    /// Takes a filter out; whether it was there.
    pub fn remove(&mut self, id: FilterId) -> bool {
        let before = self.filters.len();
        self.filters.retain(|(other, _)| *other != id);
        self.filters.len() < before
    }

    /// Which filter a packet matches; records what that filter records.
    pub fn classify(&mut self, packet: &[u8]) -> Verdict {
        let mut best: Option<&(FilterId, Filter)> = None;
        let mut park = None;
        for entry @ (id, filter) in &self.filters {
            match evaluate(filter, packet, &self.recorded) {
                Outcome::Holds => {
                    let better = best.is_none_or(|(other, than)| {
                        (filter.rank(), std::cmp::Reverse(*id)) > (than.rank(), std::cmp::Reverse(*other))
                    });
                    if better {
                        best = Some(entry);
                    }
                }
                // Of several keys the least, so that the answer does not depend on an order.
                Outcome::Unrecorded(key) => park = Some(park.map_or(key, |other: ParkKey| other.min(key))),
                Outcome::Fails => {}
            }
        }
        let Some((id, filter)) = best else { return park.map_or(Verdict::NoMatch, Verdict::Park) };
        if let Some((channel, key)) = record_of(filter.atoms(), packet) {
            self.recorded.insert(key, channel);
        }
        Verdict::Match(*id)
    }

    /// All filters that a packet matches, the best first.
    #[must_use]
    pub fn classify_all(&self, packet: &[u8]) -> Vec<FilterId> {
        let mut matching: Vec<_> = self
            .filters
            .iter()
            .filter(|(_, filter)| evaluate(filter, packet, &self.recorded) == Outcome::Holds)
            .map(|(id, filter)| (std::cmp::Reverse(filter.rank()), *id))
            .collect();
        matching.sort();
        matching.into_iter().map(|(_, id)| id).collect()
    }
}

/// What a filter that matches `packet` records, and where.
pub(crate) fn record_of(atoms: &[Atom], packet: &[u8]) -> Option<(u32, Datagram)> {
    let mut base = 0;
    for atom in atoms {
        match *atom {
            Atom::Shift { field, mask, left } => {
                base += (load(packet, base + u64::from(field.offset), field.width)? as u64 & u64::from(mask)) << left;
            }
            Atom::Record { channel, field, mask } => {
                let value = load(packet, base + u64::from(field.offset), field.width)? & mask;
                return Some((channel, Datagram { field, mask, value }));
            }
            _ => {}
        }
    }
    None
}

fn evaluate(filter: &Filter, packet: &[u8], recorded: &FxHashMap<Datagram, u32>) -> Outcome {
    let mut base = 0;
    let mut unrecorded: Option<ParkKey> = None;
    for atom in filter.atoms() {
        let Some(field) = atom.field() else { continue };
        let Some(loaded) = load(packet, base + u64::from(field.offset), field.width) else { return Outcome::Fails };
        let holds = match *atom {
            Atom::Eq { mask, value, .. } => loaded & mask == value,
            Atom::Range { mask, low, high, .. } => (low..=high).contains(&(loaded as u64 & mask)),
            Atom::Shift { mask, left, .. } => {
                base += (loaded as u64 & u64::from(mask)) << left;
                true
            }
            Atom::MatchRecorded { channel, mask, .. } => {
                let key = Datagram { field, mask, value: loaded & mask };
                match recorded.get(&key) {
                    Some(recorded) => *recorded == channel,
                    None => {
                        let key = key.park_key();
                        unrecorded = Some(unrecorded.map_or(key, |other| other.min(key)));
                        true
                    }
                }
            }
            Atom::Advance { .. } | Atom::Record { .. } => true,
        };
        if !holds {
            return Outcome::Fails;
        }
    }
    unrecorded.map_or(Outcome::Holds, Outcome::Unrecorded)
}
