//! Leaves: looking up what was recorded, and the filter of a group that a packet matches.
#![allow(unsafe_code, reason = "quotations that read tables by address")]

use tickc::prelude::*;

use super::{After, Emitter, Here, nothing, returns};
use crate::code::load::load_bytes;
use crate::filter::Rank;
use crate::state::{ENTRY, SITE, WAYS};
use crate::table::Table;
use crate::table::index::{DISPLACED, FIRST, ID, RANK, REST, SECOND, SLOT};
use crate::table::layout::{Chunk, Source};
use crate::trie::group::{Group, Member};
use crate::trie::set::is_match_recorded;
use crate::verdict::{PARK, parked_digit};

/// Bytes of a bucket of recorded keys, as a power of two.
const BUCKET: u32 = (WAYS * ENTRY * 8).ilog2();

impl<'a> Emitter<'a> {
    /// The filters of a group, behind what is recorded if they match that.
    pub(super) fn leaf(self, group: &'a Group, position: usize, here: Here) -> Code<'a, ()> {
        let shape = self.set.shape(group.shape);
        let Some(number) = shape.iter().position(is_match_recorded) else {
            return self.members(group, position, None, here);
        };
        let constant =
            group.consts.iter().find(|(atom, _)| usize::from(*atom) == number).map(|(_, value)| *value as u32);
        let recipe = self.set.recipe(shape, is_match_recorded).expect("made when the filter was inserted");
        self.recorded(recipe, here, move |channel| {
            let members = self.members(group, position, Some(channel), here);
            match constant {
                Some(own) => tick!(if @channel == $own { @members; }),
                None => members,
            }
        })
    }

    /// Looks up what was recorded: `found` with the channel, or a mark that the packet may be parked.
    fn recorded(self, number: usize, here: Here, found: impl Fn(Var<u32>) -> Code<'a, ()> + 'a) -> Code<'a, ()> {
        let recipe = &self.set.recipes()[number];
        let state = self.set.state().expect("made when the filter was inserted");
        let (words, clock) = state.recorded.addresses();
        let words = words.cast::<u8>();
        let ([m0, m1], shift) = (state.recorded.multipliers, state.recorded.shift - BUCKET);
        let site = u64::from(recipe.site);
        let masks = recipe.masks;
        let (base, limit) = (here.bases[recipe.shifts.len()], here.known[recipe.shifts.len()]);
        let width = recipe.field.width;
        let k0 = load_bytes(base, recipe.field.offset, width.min(8), masks[0], limit);
        let k1 = match width.saturating_sub(8) {
            0 => tick!(0u64),
            rest => load_bytes(base, recipe.field.offset + 8, rest, masks[1], limit),
        };
        // Nothing can match any more, or something may.
        let bit = 1u64 << parked_digit(number);
        let parked = self.parked;
        let missing = match (here.after == After::Nothing && !here.before, self.parks) {
            (true, false) => tick!(return $(PARK | bit)),
            (true, true) => tick!(return @parked | $(PARK | bit)),
            (false, _) => tick!(@parked |= $bit),
        };
        tick!(move {
            // Site and channel, if the key is found.
            let mut recorded = 0u64;
            {
                let k0 = @k0;
                let k1 = @k1;
                let hash = k0 * $m0 + k1 * $m1;
                // SAFETY: L2.
                let bucket = unsafe { $words.add(((hash >> $shift) & $(!0u64 << BUCKET)) as usize) };
                @((0..WAYS).rev().fold(nothing(), |rest, way| {
                    let at = way * ENTRY * 8;
                    tick!({
                        // SAFETY: L2.
                        let word = unsafe { *(@bucket.add($(at + 16)) as *const u64) } - @hash;
                        // SAFETY: L2.
                        if unsafe { *(@bucket.add($at) as *const u64) } == @k0
                            // SAFETY: L2.
                            && unsafe { *(@bucket.add($(at + 8)) as *const u64) } == @k1
                            && word >> $SITE == $site
                            // SAFETY: L2.
                            && unsafe { *(@bucket.add($(at + 24)) as *const u64) } >= unsafe { *$clock }
                        {
                            @recorded = word;
                        } else {
                            @rest;
                        }
                    })
                }));
            }
            if recorded != 0 {
                let channel = recorded as u32;
                @(found(channel));
            } else {
                @missing;
            }
        })
    }

    /// The filter of a group that the packet matches.
    fn members(self, group: &'a Group, position: usize, channel: Option<Var<u32>>, here: Here) -> Code<'a, ()> {
        match group.only {
            Some(Member { id, rank, .. }) => {
                let returns = returns(group.only, here.after);
                self.matched(tick!($id), move || tick!($rank), returns, position, here)
            }
            None => self.stage(group, 0, None, position, channel, here),
        }
    }

    /// The lookup of one stage, and what follows it.
    fn stage(
        self,
        group: &'a Group,
        stage: usize,
        symbol: Option<Var<u64>>,
        position: usize,
        channel: Option<Var<u32>>,
        here: Here,
    ) -> Code<'a, ()> {
        let chunks = &group.layout.stages()[stage];
        let key = |word: u8| {
            let symbol = symbol.filter(|_| word == 0).map(|symbol| tick!(@symbol));
            let parts = chunks.iter().filter(|chunk| chunk.word == word).map(|chunk| part(chunk, channel, here));
            symbol.into_iter().chain(parts).reduce(|all, part| tick!(@all | @part))
        };
        let last = stage + 1 == group.tables.len();
        let returns = here.after == After::Nothing;
        let found = move |slot: Var<*const u8>, id: Var<u64>| -> Code<'a, ()> {
            if last {
                // SAFETY: L2.
                let rank = move || tick!(unsafe { *(@slot.add($REST) as *const u64) } >> $RANK);
                self.matched(tick!(@id), rank, returns, position, here)
            } else {
                self.stage(group, stage + 1, Some(id), position, channel, here)
            }
        };
        self.probe(&group.tables[stage], key(0).unwrap_or_else(|| tick!(0u64)), key(1), found)
    }

    /// Looks a key up: `found` with its slot and id.
    fn probe(
        self,
        table: &Table,
        k0: Code<'a, u64>,
        k1: Option<Code<'a, u64>>,
        found: impl Fn(Var<*const u8>, Var<u64>) -> Code<'a, ()> + 'a,
    ) -> Code<'a, ()> {
        let index = table.index();
        let (slots, hash) = (index.slots().address(), index.hash());
        let ([m0, m1], shift) = (hash.multipliers, hash.shift - SLOT.ilog2());
        let (two, k1) = (k1.is_some(), k1.unwrap_or_else(|| tick!(0u64)));
        tick!(move {
            let k0 = @k0;
            let k1 = @k1;
            let mut hash = k0 * $m0;
            if $(two) { hash += k1 * $m1; }
            // SAFETY: L2.
            let mut slot = unsafe { $slots.add(((hash >> $shift) & $(!(SLOT as u64 - 1))) as usize) };
            loop {
                // Before the key (X1).
                // SAFETY: L2.
                let id = unsafe { *(slot.add($ID) as *const u64) };
                // SAFETY: L2.
                if unsafe { *(slot.add($FIRST) as *const u64) } == k0
                    // SAFETY: L2.
                    && (!$two || unsafe { *(slot.add($SECOND) as *const u64) } == k1)
                    && id != 0
                {
                    @(found(slot, id));
                    break;
                }
                // SAFETY: L2.
                if unsafe { *(slot.add($REST) as *const u64) } & $DISPLACED == 0 { break; }
                // SAFETY: L2.
                slot = unsafe { slot.add($SLOT) };
            }
        })
    }

    /// A filter matches; `returns` if nothing that comes after can be preferred to it.
    fn matched(
        self,
        id: Code<'a, u64>,
        rank: impl Fn() -> Code<'a, Rank>,
        returns: bool,
        position: usize,
        here: Here,
    ) -> Code<'a, ()> {
        let Emitter { best, best_rank, .. } = self;
        if !here.before && returns {
            return tick!(return @id);
        }
        let rank = rank();
        let keep = if here.before {
            tick!({
                let id = @id;
                let rank = @rank;
                if @best == 0 || rank > @best_rank || rank == @best_rank && id < @best {
                    @best = id;
                    @best_rank = rank;
                }
            })
        } else {
            tick!({
                @best = @id;
                @best_rank = @rank;
            })
        };
        if returns {
            return tick!({ @keep; return @best; });
        }
        let later: *const u64 = self.later[position].as_ptr();
        // SAFETY: L2.
        tick!({ @keep; if @best_rank > unsafe { *$later } { return @best; } })
    }
}

/// A chunk of a key in its place.
fn part<'a>(chunk: &Chunk, channel: Option<Var<u32>>, here: Here) -> Code<'a, u64> {
    let loaded = match chunk.source {
        Source::Packet { level, offset } => {
            let (base, limit) = (here.bases[usize::from(level)], here.known[usize::from(level)]);
            load_bytes(base, offset, chunk.len, chunk.mask, limit)
        }
        Source::Channel => {
            let channel = channel.expect("only what was recorded has a channel");
            tick!(@channel.swap_bytes() as u64)
        }
    };
    let bit = u32::from(chunk.bit);
    if bit == 0 { loaded } else { tick!(@loaded << $bit) }
}
