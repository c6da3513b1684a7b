//! What the trie says of a packet: the meaning of compiled code, step by step.

use smallvec::{SmallVec, smallvec};

use super::FilterSet;
use super::group::{Group, Member};
use super::set::is_match_recorded;
use super::tree::{Branch, Step};
use crate::filter::load;
use crate::state::words;
use crate::table::index::Found;
use crate::verdict::ParkKey;

/// The base of each level so far.
type Bases = SmallVec<[u64; 8]>;

/// What is done with each filter that matches, and each key that is missing.
pub(crate) trait Sink {
    fn matched(&mut self, member: Member);
    fn unrecorded(&mut self, key: ParkKey);
}

impl FilterSet {
    /// Tells `sink` every filter that `packet` matches.
    pub(crate) fn interpret(&self, packet: &[u8], sink: &mut impl Sink) {
        for section in self.sections() {
            self.alternatives(&section.tree.root, packet, &smallvec![0], sink);
        }
    }

    fn alternatives(&self, branches: &[Branch], packet: &[u8], bases: &Bases, sink: &mut impl Sink) {
        let base = *bases.last().expect("the first level's base is there from the start");
        for branch in branches {
            let holds = match branch.step {
                Step::Eq { field, mask, value } => {
                    load(packet, base + u64::from(field.offset), field.width).is_some_and(|v| v & mask == value)
                }
                Step::Range { field, mask, low, high } => load(packet, base + u64::from(field.offset), field.width)
                    .is_some_and(|v| (low..=high).contains(&(v as u64 & mask))),
                Step::Need { end } => base + u64::from(end) <= packet.len() as u64,
                Step::Shift { field, mask, left } => {
                    if let Some(value) = load(packet, base + u64::from(field.offset), field.width) {
                        let mut bases = bases.clone();
                        bases.push(base + ((value as u64 & u64::from(mask)) << left));
                        self.alternatives(&branch.then, packet, &bases, sink);
                    }
                    continue;
                }
                Step::Leaf { group } => {
                    self.leaf(self.group(group), packet, bases, sink);
                    continue;
                }
            };
            if holds {
                self.alternatives(&branch.then, packet, bases, sink);
            }
        }
    }

    fn leaf(&self, group: &Group, packet: &[u8], bases: &Bases, sink: &mut impl Sink) {
        let shape = self.shape(group.shape);
        let mut channel = 0;
        if let Some(number) = shape.iter().position(is_match_recorded) {
            let Some(recipe) = self.recipe(shape, is_match_recorded) else { return };
            let recipe = &self.recipes()[recipe];
            // The tree has seen to it that the packet is long enough.
            let (Some(key), Some(state)) = (recipe.key(packet), self.state()) else { return };
            match state.recorded.channel(recipe.site, words(key.field, key.value)) {
                Some(recorded) => channel = recorded,
                None => return sink.unrecorded(key.park_key()),
            }
            let differs = |&(atom, value): &(u8, u128)| usize::from(atom) == number && value != channel.into();
            if group.consts.iter().any(differs) {
                return;
            }
        }
        if let Some(only) = group.only {
            return sink.matched(only);
        }
        let mut last = Found { record: 0, id: 0, rank: 0 };
        for (stage, table) in group.tables.iter().enumerate() {
            let Some(key) = group.layout.key_in(stage, last.record, packet, bases, channel) else { return };
            match table.find(key) {
                Some(found) => last = found,
                None => return,
            }
        }
        sink.matched(last.into());
    }
}
