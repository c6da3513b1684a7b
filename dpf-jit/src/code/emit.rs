//! From a [`Plan`] to quotations.
//!
//! A node is a statement: it returns from the function where a match cannot be bettered, and falls through where nothing
//! matches, to the next alternative. The best match so far is in two variables, which are there only where a path can meet a
//! second leaf.
#![allow(unsafe_code, reason = "quotations that read packets and tables by address, under the checks they emit")]

use std::sync::atomic::AtomicU64;

use tickc::prelude::*;

use super::plan::{Kind, LEVELS, Needs, Node, Test, common};
use crate::filter::Rank;
use crate::state::{ENTRY, Recorded, TIME_TO_LIVE, WAYS};
use crate::table::Table;
use crate::table::index::{DISPLACED, RECORD};
use crate::table::layout::{Chunk, Source};
use crate::table::records::WORDS;
use crate::trie::FilterSet;
use crate::trie::group::{Group, Member};
use crate::trie::set::is_match_recorded;
use crate::verdict::PARK;

/// A packet, from its first byte, and its length; what the classifier answers (see [`super::program`]).
pub(crate) type Classify = fn(*const u8, usize) -> u64;

/// Values up to which a dispatch compares with one after the other; beyond, it halves them.
const CHAIN: usize = 4;

/// What all of the code knows.
#[derive(Clone, Copy)]
pub(super) struct Emitter<'a> {
    pub(super) set: &'a FilterSet,
    /// By leaf position: the best rank of all leaves behind it, kept up to date.
    pub(super) later: &'a [AtomicU64],
    best: Var<u64>,
    best_rank: Var<u64>,
    /// A bit for each recipe whose key was not recorded.
    parked: Var<u64>,
    parks: bool,
}

/// Where the code stands.
#[derive(Clone, Copy)]
struct Here {
    /// Each level's base; those not reached yet are the frame's.
    bases: [Base; 8],
    /// Address behind the packet.
    end: Var<usize>,
    level: usize,
    /// Bytes behind each base that are known to be there.
    known: Needs,
    /// Whether a match may be kept already.
    before: bool,
    after: After,
}

/// Where a level's fields are counted from. A load whose distance from an address is a multiple of its width needs no address
/// computed. Fields of Ethernet payloads lie two bytes off, so there is an address two bytes in; the frame has both.
#[derive(Clone, Copy)]
struct Base {
    /// Two bytes behind the base.
    two_in: Var<*const u8>,
    /// The base itself, of the frame.
    own: Option<Var<*const u8>>,
}

impl Base {
    /// An address, and how far from it the field is.
    fn near(self, offset: u32, width: u8) -> (Var<*const u8>, isize) {
        match self.own {
            Some(own) if offset % u32::from(width) == 0 => (own, offset as isize),
            _ => (self.two_in, offset as isize - 2),
        }
    }
}

/// What may match after a place in the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Nothing,
    /// Only filters that are constants of the code; the best of them: its rank, and its id.
    Fixed(Rank, u64),
    Anything,
}

impl After {
    fn or(self, other: After) -> After {
        match (self, other) {
            (After::Nothing, one) | (one, After::Nothing) => one,
            (After::Fixed(a, i), After::Fixed(b, j)) => {
                if better((a, i), (b, j)) { After::Fixed(a, i) } else { After::Fixed(b, j) }
            }
            _ => After::Anything,
        }
    }
}

/// Whether one filter (its rank, its id) is preferred to another.
fn better(one: (Rank, u64), than: (Rank, u64)) -> bool {
    one.0 > than.0 || one.0 == than.0 && one.1 < than.1
}

/// The function that classifies packets by `nodes`.
pub(super) fn function<'a>(
    set: &'a FilterSet,
    nodes: &'a [Node],
    later: &'a [AtomicU64],
    parks: bool,
) -> Staged<'a, Classify> {
    let (best, best_rank, parked) = (Var::local(), Var::local(), Var::local());
    let emitter = Emitter { set, later, best, best_rank, parked, parks };
    tick!(move |packet: *const u8, len: usize| -> u64 {
        let end = packet as usize + len;
        let two_in = unsafe { packet.add(2) };
        @(emitter.alternatives(nodes, Here {
            bases: [Base { two_in, own: Some(packet) }; LEVELS],
            end,
            level: 0,
            known: [0; LEVELS],
            before: false,
            after: After::Nothing,
        }));
        @(emitter.answer())
    })
}

fn nothing<'a>() -> Code<'a, ()> {
    tick!({})
}

/// The word of 1, 2 or 4 bytes at `offset`, as the machine loads it.
fn load_short<'a>(base: Base, offset: u32, width: u8) -> Code<'a, u32> {
    let (near, distance) = base.near(offset, width);
    let steps = distance / isize::from(width);
    let exact = distance % isize::from(width) == 0;
    match width {
        1 => tick!(unsafe { *@near.offset($distance) } as u32),
        2 if exact => tick!(unsafe { *(@near as *const u16).offset($steps) } as u32),
        2 => tick!(unsafe { *(@near.offset($distance) as *const u16) } as u32),
        _ if exact => tick!(unsafe { *(@near as *const u32).offset($steps) }),
        _ => tick!(unsafe { *(@near.offset($distance) as *const u32) }),
    }
}

/// The word of 1, 2, 4 or 8 bytes at `offset`, as the machine loads it.
fn load<'a>(base: Base, offset: u32, width: u8) -> Code<'a, u64> {
    let (near, distance) = base.near(offset, width);
    let steps = distance / isize::from(width);
    let exact = distance % isize::from(width) == 0;
    match width {
        1 => tick!(unsafe { *@near.offset($distance) } as u64),
        2 if exact => tick!(unsafe { *(@near as *const u16).offset($steps) } as u64),
        2 => tick!(unsafe { *(@near.offset($distance) as *const u16) } as u64),
        4 if exact => tick!(unsafe { *(@near as *const u32).offset($steps) } as u64),
        4 => tick!(unsafe { *(@near.offset($distance) as *const u32) } as u64),
        _ if exact => tick!(unsafe { *(@near as *const u64).offset($steps) }),
        _ => tick!(unsafe { *(@near.offset($distance) as *const u64) }),
    }
}

/// `width` bytes, 1 to 8, at `offset`, in a word as the machine would load it; none behind the first `limit` is touched.
fn load_bytes<'a>(base: Base, offset: u32, width: u8, mask: u64, limit: u32) -> Code<'a, u64> {
    let ones = if width == 8 { u64::MAX } else { (1 << (8 * width)) - 1 };
    let masked = move |code: Code<'a, u64>, loaded: u64| {
        if mask & ones == loaded { code } else { tick!(@code & $(mask & ones)) }
    };
    if matches!(width, 1 | 2 | 4 | 8) {
        return masked(load(base, offset, width), ones);
    }
    let wide = width.next_power_of_two();
    if offset + u32::from(wide) <= limit {
        return masked(load(base, offset, wide), u64::MAX);
    }
    let low = wide / 2;
    let (first, second) = (
        load_bytes(base, offset, low, u64::MAX, limit),
        load_bytes(base, offset + u32::from(low), width - low, u64::MAX, limit),
    );
    let bits = u32::from(low) * 8;
    masked(tick!(@first | @second << $bits), ones)
}

/// The number of a field in network byte order.
fn load_number<'a>(base: Base, offset: u32, width: u8, limit: u32) -> Code<'a, u64> {
    let loaded = load_bytes(base, offset, width, u64::MAX, limit);
    if width == 1 {
        return loaded;
    }
    let down = 64 - 8 * u32::from(width);
    tick!(@loaded.swap_bytes() >> $down)
}

impl<'a> Emitter<'a> {
    /// What is answered when no leaf has returned.
    fn answer(self) -> Code<'a, u64> {
        let Emitter { best, parked, .. } = self;
        if self.parks {
            tick!(if @best != 0 || @parked == 0 { @best } else { @parked | $PARK })
        } else {
            tick!(@best)
        }
    }

    /// Tries nodes one after the other.
    fn alternatives(self, nodes: &'a [Node], here: Here) -> Code<'a, ()> {
        let mut code = nothing();
        let mut before = here.before;
        for (at, node) in nodes.iter().enumerate() {
            let after = nodes[at + 1..].iter().fold(here.after, |after, node| after.or(self.outcome(node)));
            let one = self.node(node, Here { before, after, ..here });
            before |= self.keeps(node, after);
            code = tick!({ @code; @one; });
        }
        code
    }

    /// What may match in a node.
    fn outcome(self, node: &Node) -> After {
        let any = |nodes: &[Node]| nodes.iter().fold(After::Nothing, |all, node| all.or(self.outcome(node)));
        match &node.kind {
            Kind::Run { then, .. } | Kind::Shift { then, .. } => any(then),
            Kind::Dispatch { arms, .. } => arms.iter().fold(After::Nothing, |all, (_, arm)| all.or(any(arm))),
            Kind::Leaf { group, .. } => match self.set.group(*group).only {
                Some(only) => After::Fixed(only.rank, only.id),
                None => After::Anything,
            },
        }
    }

    /// Whether a node may keep a match and go on, given what comes after it.
    fn keeps(self, node: &Node, after: After) -> bool {
        let any = |nodes: &[Node]| {
            (0..nodes.len()).any(|at| {
                let after = nodes[at + 1..].iter().fold(after, |after, node| after.or(self.outcome(node)));
                self.keeps(&nodes[at], after)
            })
        };
        match &node.kind {
            Kind::Run { then, .. } | Kind::Shift { then, .. } => any(then),
            Kind::Dispatch { arms, .. } => arms.iter().any(|(_, arm)| any(arm)),
            Kind::Leaf { group, .. } => !returns(self.set.group(*group).only, after),
        }
    }

    /// `then`, under the check that the packet has the bytes that `needs` says.
    fn checked(self, needs: &Needs, here: Here, then: impl Fn(Here) -> Code<'a, ()> + 'a) -> Code<'a, ()> {
        let level = here.level;
        let need = needs[level];
        if need <= here.known[level] {
            return then(here);
        }
        let mut inside = here;
        inside.known[level] = need;
        let (two_in, end, need) = (here.bases[level].two_in, here.end, (need as usize).wrapping_sub(2));
        let then = then(inside);
        tick!(if @two_in as usize + $need <= @end { @then; })
    }

    fn node(self, node: &'a Node, here: Here) -> Code<'a, ()> {
        match &node.kind {
            Kind::Run { tests, then } => self.checked(&node.needs, here, move |here| {
                let then = self.alternatives(then, here);
                match conjunction(tests, here) {
                    Some(holds) => tick!(if @holds { @then; }),
                    None => then,
                }
            }),
            Kind::Dispatch { offset, width, mask, arms } => self.checked(&node.needs, here, move |here| {
                let value = load_bytes(here.bases[here.level], *offset, *width, *mask, 0);
                let mut sorted: Vec<_> = arms.iter().collect();
                if sorted.len() > CHAIN {
                    sorted.sort_by_key(|(value, _)| *value);
                }
                tick!(move {
                    let value = @value;
                    @(self.dispatch(value, &sorted, here));
                })
            }),
            Kind::Shift { field, mask, left, then } => self.checked(&node.needs, here, move |here| {
                let (level, base) = (here.level, here.bases[here.level]);
                let value = load_number(base, field.offset, field.width, here.known[level]);
                let (mask, left) = (u64::from(*mask), u32::from(*left));
                let two_in = base.two_in;
                tick!(move {
                    let next = unsafe { @two_in.add(((@value & $mask) << $left) as usize) };
                    @({
                        let mut inside = Here { level: level + 1, ..here };
                        inside.bases[level + 1] = Base { two_in: next, own: None };
                        inside.known[level + 1] = 0;
                        self.behind_shift(then, inside)
                    });
                })
            }),
            Kind::Leaf { group, position } => {
                let group = self.set.group(*group);
                self.checked(&node.needs, here, move |here| self.leaf(group, *position as usize, here))
            }
        }
    }

    /// What all alternatives behind a shift need is checked once.
    fn behind_shift(self, then: &'a [Node], here: Here) -> Code<'a, ()> {
        let (needs, _) = common(then);
        self.checked(&needs, here, move |here| self.alternatives(then, here))
    }

    /// The arm of a value.
    fn dispatch(self, value: Var<u64>, arms: &[&'a (u64, Vec<Node>)], here: Here) -> Code<'a, ()> {
        if arms.len() > CHAIN {
            let (low, high) = arms.split_at(arms.len() / 2);
            let middle = high[0].0;
            let (low, high) = (self.dispatch(value, low, here), self.dispatch(value, high, here));
            return tick!(if @value < $middle { @low; } else { @high; });
        }
        arms.iter().rev().fold(nothing(), |rest, (own, then)| {
            let (own, then) = (*own, self.alternatives(then, here));
            tick!(if @value == $own { @then; } else { @rest; })
        })
    }

    fn leaf(self, group: &'a Group, position: usize, here: Here) -> Code<'a, ()> {
        let shape = self.set.shape(group.shape);
        let Some(number) = shape.iter().position(is_match_recorded) else {
            return self.members(group, position, None, here);
        };
        let constant = group.consts.iter().find(|(atom, _)| usize::from(*atom) == number).map(|(_, value)| *value as u32);
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
    fn recorded(
        self,
        number: usize,
        here: Here,
        found: impl Fn(Var<u32>) -> Code<'a, ()> + 'a,
    ) -> Code<'a, ()> {
        let recipe = &self.set.recipes()[number];
        let state = self.set.state().expect("made when the filter was inserted");
        let (words, clock) = state.recorded.addresses();
        let [m0, m1] = state.recorded.multipliers;
        let site = u64::from(recipe.site);
        let masks = recipe.masks;
        let (base, limit) = (here.bases[recipe.shifts.len()], here.known[recipe.shifts.len()]);
        let width = recipe.field.width;
        let k0 = load_bytes(base, recipe.field.offset, width.min(8), masks[0], limit);
        let k1 = match width.saturating_sub(8) {
            0 => tick!(0u64),
            rest => load_bytes(base, recipe.field.offset + 8, rest, masks[1], limit),
        };
        let parked = self.parked;
        tick!(move {
            let k0 = @k0;
            let k1 = @k1;
            let bucket = (k0 * $m0 + (k1 + $site) * $m1) >> $(Recorded::SHIFT);
            let mut entry = unsafe { $words.add((bucket * $((WAYS * ENTRY) as u64)) as usize) };
            let mut left = $(WAYS as u32);
            let mut channel = 0u32;
            while left != 0 {
                let mark = unsafe { *entry.add(2) };
                if unsafe { *entry } == k0 && unsafe { *entry.add(1) } == k1 && (mark >> 32) & 0xffff == $site
                    && unsafe { *entry.add(3) } + $TIME_TO_LIVE >= unsafe { *$clock } && unsafe { *entry.add(2) } == mark
                {
                    channel = mark as u32;
                    break;
                }
                left -= 1;
                entry = unsafe { entry.add($ENTRY) };
            }
            if left != 0 { @(found(channel)); } else { @parked |= $(1u64 << number); }
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
        // A record freed meanwhile has id 0: no match, and none is to come.
        let direct = last && returns && !here.before;
        let found = move |record: Var<*const u64>, id: Option<Var<u64>>| -> Code<'a, ()> {
            let Some(id) = id else { return tick!(return unsafe { *@record.add(2) }) };
            if last {
                self.matched(tick!(@id), move || tick!(unsafe { *@record.add(3) }), returns, position, here)
            } else {
                self.stage(group, stage + 1, Some(id), position, channel, here)
            }
        };
        self.probe(&group.tables[stage], key(0).unwrap_or_else(|| tick!(0u64)), key(1), direct, found)
    }

    /// Looks a key up: `found` with its record and, unless that is all that counts, id.
    fn probe(
        self,
        table: &Table,
        k0: Code<'a, u64>,
        k1: Option<Code<'a, u64>>,
        direct: bool,
        found: impl Fn(Var<*const u64>, Option<Var<u64>>) -> Code<'a, ()> + 'a,
    ) -> Code<'a, ()> {
        let index = table.index();
        let (slots, hash) = (index.slots().address(), index.hash());
        let ([m0, m1], shift) = (hash.multipliers, hash.shift);
        let records: *const u8 = self.set.memory().address().cast();
        let (two, k1) = (k1.is_some(), k1.unwrap_or_else(|| tick!(0u64)));
        tick!(move {
            let k0 = @k0;
            let k1 = @k1;
            let mut hash = k0 * $m0;
            if $(two) { hash += k1 * $m1; }
            let mut slot = unsafe { $slots.add((hash >> $shift) as usize) };
            loop {
                let word = unsafe { *slot } as u64;
                if (word ^ hash) & $(u64::from(!(RECORD | DISPLACED))) == 0 {
                    let offset = (word & $(u64::from(RECORD))) << $((WORDS * 8).ilog2());
                    let record = unsafe { $records.add(offset as usize) as *const u64 };
                    if unsafe { *record } == k0 && (!$two || unsafe { *record.add(1) } == k1) {
                        if $(direct) {
                            @(found(record, None));
                        } else {
                            let id = unsafe { *record.add(2) };
                            if id != 0 {
                                @(found(record, Some(id)));
                                break;
                            }
                        }
                    }
                }
                if word as u32 & $DISPLACED == 0 { break; }
                slot = unsafe { slot.add(1) };
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
        tick!({ @keep; if @best_rank > unsafe { *$later } { return @best; } })
    }
}

/// Whether nothing that comes after can be preferred to a filter, if it is a constant of the code.
fn returns(only: Option<Member>, after: After) -> bool {
    match (only, after) {
        (_, After::Nothing) => true,
        (Some(only), After::Fixed(rank, id)) => better((only.rank, only.id), (rank, id)),
        _ => false,
    }
}

/// All tests of a run; `None` if there are none.
fn conjunction<'a>(tests: &'a [Test], here: Here) -> Option<Code<'a, bool>> {
    let (base, limit) = (here.bases[here.level], here.known[here.level]);
    let one = |test: &Test| match *test {
        Test::Word { offset, width: 8, mask, value } => {
            let word = load_bytes(base, offset, 8, mask, limit);
            tick!(@word == $value)
        }
        // In 32 bits, for which the machine has immediate operands.
        Test::Word { offset, width, mask, value } => {
            let word = load_short(base, offset, width);
            let all = u32::MAX >> (32 - 8 * u32::from(width));
            let word = if mask as u32 == all { word } else { tick!(@word & $(mask as u32)) };
            tick!(@word == $(value as u32))
        }
        Test::Range { field, mask, low, high } => {
            let number = load_number(base, field.offset, field.width, limit);
            let number = if mask == u64::MAX { number } else { tick!(@number & $mask) };
            // One comparison: what is below wraps around to above.
            tick!(@number - $low <= $(high - low))
        }
    };
    tests.iter().map(one).reduce(|all, test| tick!(@all && @test))
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
