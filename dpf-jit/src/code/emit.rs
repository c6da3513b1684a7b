//! From a [`Plan`] to quotations.
//!
//! A node is a statement: it returns from the function where a match cannot be bettered, and falls through where nothing
//! matches, to the next alternative. The best match so far is in two variables, which are there only where a path can meet a
//! second leaf.
//!
//! **Invariants**, on which the quotations' unsafe code rests.
//! - L1. A load of a packet's bytes stands under a check of its length (see [`load`](super::load)).
//! - L2. Slots, ranks and recorded keys are memory that the [`Program`](super::program::Program) keeps while its code can run; a
//!   hash has as many digits as name slots, and probing ends before the slots do (X2). What is kept from section to section are [`KEPT`]
//!   words of the caller's.
//! - L3. An address is computed from a packet's by a shift, and compared with the packet's end before it is used.
#![allow(unsafe_code, reason = "quotations that read packets and tables by address, under the checks they emit")]

mod leaf;

use std::cell::RefCell;
use std::sync::atomic::AtomicU64;

use smallvec::SmallVec;
use tickc::prelude::*;

use super::load::{Base, advanced, load_bytes, load_number, word_is};
use super::plan::{Arm, Kind, LEVELS, Needs, Node, Test, as_loaded, common};
use crate::filter::{Field, Rank};
use crate::trie::FilterSet;
use crate::trie::group::Member;
use crate::trie::set::is_match_recorded;
use crate::verdict::PARK;

/// A packet, from its first byte, and its length; what the classifier answers (see [`super::program`]).
pub(crate) type Classify = fn(*const u8, usize) -> u64;

/// The same of one section among several. The words behind the second pointer are what is kept from section to section: the best match
/// so far, its rank, and a bit for each recipe whose key was not recorded. Answers 0 to go on with the next section.
pub(crate) type ClassifyOn = fn(*const u8, usize, *mut u64) -> u64;

/// Words that are kept from section to section.
pub(crate) const KEPT: usize = 3;

/// Values up to which a dispatch compares with one after the other; beyond, it halves them. A jump table was tried for numbers that lie
/// close together, 5 to 16 of them: packets that come in turn take as long, packets at random 25 cycles where halving takes 9 to 13, as
/// the processor foresees branches better than targets. (More than a section's shapes are never told apart by code.)
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
    /// Whether that is used.
    parks: bool,
    /// Whether a packet that falls out of the code matches nothing, whatever was before.
    pure: bool,
    /// What stands behind the rest, so that packets which go another way pass it without a jump.
    aside: &'a RefCell<Vec<Aside<'a>>>,
    /// Whether anything may stand there: where there are loops as well as labels, registers are allocated as if all between the
    /// first loop and the last were one, and most of it is kept in memory.
    asides: bool,
}

/// Code that jumps go to from anywhere: nothing comes after it, and it knows the frame alone.
#[derive(Clone, Copy)]
pub(super) struct Aside<'a> {
    label: Label,
    here: Here,
    what: What<'a>,
}

#[derive(Clone, Copy)]
enum What<'a> {
    /// The packet matches the filter of this id.
    Match(u64),
    /// The packet is one of these arms of a dispatch, or none.
    Arms(Field, u64, &'a [(Arm, Vec<Node>)]),
    /// A shift, where the packet may be too short for some of what follows it.
    Short(&'a Node),
}

/// Where the code stands.
#[derive(Clone, Copy)]
struct Here {
    /// Each level's base; those not reached yet are the frame's.
    bases: [Base; 8],
    /// Length of the packet.
    len: Var<usize>,
    /// Address behind the packet, which is needed behind a shift.
    end: Option<Var<usize>>,
    level: usize,
    /// Bytes behind each base that are known to be there.
    known: Needs,
    /// Whether a match may be kept already.
    before: bool,
    after: After,
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
                if better((a, i), (b, j)) {
                    After::Fixed(a, i)
                } else {
                    After::Fixed(b, j)
                }
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
    aside: &'a RefCell<Vec<Aside<'a>>>,
) -> Staged<'a, Classify> {
    let (best, best_rank, parked) = (Var::local(), Var::local(), Var::local());
    let mut emitter = Emitter { set, later, best, best_rank, parked, parks: false, pure: false, aside, asides: false };
    emitter.parks = emitter.park_any(nodes, false, After::Nothing);
    emitter.pure = !emitter.parks && !emitter.keep_any(nodes, After::Nothing);
    emitter.asides = !emitter.has_loops(nodes);
    tick!(move |packet: *const u8, len: usize| -> u64 {
        @(emitter.alternatives(nodes, Here {
            bases: [packet; LEVELS],
            len,
            end: None,
            level: 0,
            known: [0; LEVELS],
            before: false,
            after: After::Nothing,
        }));
        @({
            // When the code above has been instantiated.
            let _ = packet;
            emitter.ending(nodes)
        })
    })
}

/// The function that classifies packets by `nodes`, which are one section among several.
pub(super) fn function_on<'a>(
    set: &'a FilterSet,
    nodes: &'a [Node],
    later: &'a [AtomicU64],
    aside: &'a RefCell<Vec<Aside<'a>>>,
) -> Staged<'a, ClassifyOn> {
    let (best, best_rank, parked) = (Var::local(), Var::local(), Var::local());
    let mut emitter = Emitter { set, later, best, best_rank, parked, parks: false, pure: false, aside, asides: false };
    emitter.parks = emitter.park_any(nodes, true, After::Anything);
    tick!(move |packet: *const u8, len: usize, kept: *mut u64| -> u64 {
        // SAFETY: L2.
        @best = unsafe { *kept };
        // SAFETY: L2.
        @best_rank = unsafe { *kept.add(1) };
        // SAFETY: L2.
        @parked = unsafe { *kept.add(2) };
        @(emitter.alternatives(nodes, Here {
            bases: [packet; LEVELS],
            len,
            end: None,
            level: 0,
            known: [0; LEVELS],
            before: true,
            after: After::Anything,
        }));
        // SAFETY: L2.
        unsafe {
            *kept = @best;
            *kept.add(1) = @best_rank;
            *kept.add(2) = @parked;
        }
        0u64
    })
}

fn nothing<'a>() -> Code<'a, ()> {
    tick!({})
}

impl<'a> Emitter<'a> {
    /// What is answered when no leaf has returned.
    fn answer(self, nodes: &[Node]) -> Code<'a, u64> {
        let Emitter { best, parked, .. } = self;
        match (self.keep_any(nodes, After::Nothing), self.parks) {
            (false, false) => tick!(0u64),
            (true, false) => tick!(@best),
            (false, true) => tick!(if @parked == 0 { 0u64 } else { @parked | $PARK }),
            (true, true) => tick!(if @best != 0 || @parked == 0 { @best } else { @parked | $PARK }),
        }
    }

    /// The answer of a packet that falls out of the code, and what stands aside.
    fn ending(self, nodes: &'a [Node]) -> Code<'a, u64> {
        let answer = self.answer(nodes);
        if self.aside.borrow().is_empty() {
            return answer;
        }
        let asides = self.asides();
        tick!({ return @answer; @asides; 0u64 })
    }

    /// What stands aside when this is called, and what it puts aside itself.
    fn asides(self) -> Code<'a, ()> {
        let mut code = nothing();
        loop {
            let Some(aside) = self.aside.borrow_mut().pop() else { return code };
            let one = self.stand_aside(aside);
            code = tick!(move {
                @code;
                @one;
                return 0u64;
                for round in $(0..1) {
                    @({
                        // When the code above has been instantiated.
                        let _ = round;
                        self.asides()
                    });
                }
            });
        }
    }

    fn stand_aside(self, Aside { label, here, what }: Aside<'a>) -> Code<'a, ()> {
        let label = label.here();
        match what {
            What::Match(id) => tick!({ @label; return $id; }),
            What::Arms(field, mask, arms) => {
                let then = self.dispatching(field, mask, arms, here);
                tick!({ @label; @then; })
            }
            What::Short(shift) => {
                let then = self.shift(shift, true, here);
                tick!({ @label; @then; })
            }
        }
    }

    /// Whether nothing comes after, and nothing but the frame is known.
    fn may_stand_aside(self, here: Here) -> bool {
        self.asides && self.pure && here.after == After::Nothing && !here.before && here.end.is_none()
    }

    /// Puts code aside, and says what jumps there.
    fn put_aside(self, what: What<'a>, here: Here, condition: Code<'a, bool>) -> Code<'a, ()> {
        let label = Label::new();
        self.aside.borrow_mut().push(Aside { label, here, what });
        label.goto_if(condition)
    }

    /// The id of the filter that nodes are, if that is all that they are and nothing can be preferred to it.
    fn certain(self, nodes: &[Node], here: Here) -> Option<u64> {
        let [Node { kind: Kind::Leaf { group, .. }, .. }] = nodes else { return None };
        let group = self.set.group(*group);
        let looks_up = self.set.shape(group.shape).iter().any(is_match_recorded);
        let only =
            group.only.filter(|_| self.asides && !looks_up && !here.before && returns(group.only, here.after))?;
        Some(only.id)
    }

    /// Whether any of some alternatives goes on when it finds a key missing, given whether a match may be kept before them and
    /// what comes after them.
    fn park_any(self, nodes: &[Node], mut before: bool, after: After) -> bool {
        nodes.iter().zip(self.afters(nodes, after)).any(|(node, after)| {
            let parks = match &node.kind {
                Kind::Run { then, .. } | Kind::Shift { then, .. } => self.park_any(then, before, after),
                Kind::Dispatch { arms, .. } => arms.iter().any(|(_, arm)| self.park_any(arm, before, after)),
                Kind::Leaf { group, .. } => {
                    let shape = self.set.shape(self.set.group(*group).shape);
                    (before || after != After::Nothing) && shape.iter().any(is_match_recorded)
                }
            };
            before |= self.keeps(node, after);
            parks
        })
    }

    /// Whether the code of some nodes has loops: it looks something up.
    fn has_loops(self, nodes: &[Node]) -> bool {
        nodes.iter().any(|node| match &node.kind {
            Kind::Run { then, .. } | Kind::Shift { then, .. } => self.has_loops(then),
            Kind::Dispatch { arms, .. } => arms.iter().any(|(_, arm)| self.has_loops(arm)),
            Kind::Leaf { group, .. } => {
                let group = self.set.group(*group);
                group.only.is_none() || self.set.shape(group.shape).iter().any(is_match_recorded)
            }
        })
    }

    /// Tries nodes one after the other.
    fn alternatives(self, nodes: &'a [Node], here: Here) -> Code<'a, ()> {
        let mut code = nothing();
        let mut before = here.before;
        for (node, after) in nodes.iter().zip(self.afters(nodes, here.after)) {
            let one = self.node(node, Here { before, after, ..here });
            before |= self.keeps(node, after);
            code = tick!({ @code; @one; });
        }
        code
    }

    /// What may match after each of some alternatives, given what comes after all of them.
    fn afters(self, nodes: &[Node], after: After) -> SmallVec<[After; 4]> {
        let mut afters: SmallVec<[After; 4]> = SmallVec::from_elem(after, nodes.len());
        for at in (1..nodes.len()).rev() {
            afters[at - 1] = afters[at].or(self.outcome(&nodes[at]));
        }
        afters
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

    /// Whether any of some alternatives may keep a match and go on, given what comes after them.
    fn keep_any(self, nodes: &[Node], after: After) -> bool {
        nodes.iter().zip(self.afters(nodes, after)).any(|(node, after)| self.keeps(node, after))
    }

    /// The same of one.
    fn keeps(self, node: &Node, after: After) -> bool {
        match &node.kind {
            Kind::Run { then, .. } | Kind::Shift { then, .. } => self.keep_any(then, after),
            Kind::Dispatch { arms, .. } => arms.iter().any(|(_, arm)| self.keep_any(arm, after)),
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
        let (base, need, len) = (here.bases[level], need as usize, here.len);
        let then = then(inside);
        match here.end {
            Some(end) if level > 0 => tick!(if @base as usize + $need <= @end { @then; }),
            _ => tick!(if @len >= $need { @then; }),
        }
    }

    fn node(self, node: &'a Node, here: Here) -> Code<'a, ()> {
        self.checked(&node.needs, here, move |here| match &node.kind {
            Kind::Run { tests, then } => match (conjunction(tests, here), self.certain(then, here)) {
                (Some(holds), Some(id)) => self.put_aside(What::Match(id), here, holds),
                (Some(holds), None) => {
                    let then = self.alternatives(then, here);
                    tick!(if @holds { @then; })
                }
                (None, _) => self.alternatives(then, here),
            },
            Kind::Dispatch { field, mask, arms } => self.dispatching(*field, *mask, arms, here),
            Kind::Shift { .. } => self.shift(node, false, here),
            Kind::Leaf { group, position } => self.leaf(self.set.group(*group), *position as usize, here),
        })
    }

    fn dispatching(self, field: Field, mask: u64, arms: &'a [(Arm, Vec<Node>)], here: Here) -> Code<'a, ()> {
        let base = here.bases[here.level];
        // Compared as it is loaded where only equality counts, and one after the other; else as a number.
        if arms.len() > CHAIN || arms.iter().any(|(arm, _)| arm.low != arm.high) {
            let mut sorted: Vec<_> = arms.iter().collect();
            sorted.sort_by_key(|(arm, _)| arm.low);
            let number = load_number(base, field.offset, field.width, here.known[here.level]);
            let number = if u128::from(mask) == field.ones() { number } else { tick!(@number & $mask) };
            return tick!(move {
                let value = @number;
                @(self.dispatch(value, None, &sorted, here));
            });
        }
        let value = load_bytes(base, field.offset, field.width, as_loaded(field.width, mask.into()), 0);
        if let [(first, then), rest @ ..] = arms
            && !rest.is_empty()
            && self.may_stand_aside(here)
        {
            let other = as_loaded(field.width, first.low.into());
            let others = self.put_aside(What::Arms(field, mask, rest), here, tick!(@value != $other));
            let then = self.alternatives(then, here);
            return tick!({ @others; @then; });
        }
        let arms: Vec<_> = arms.iter().collect();
        tick!(move {
            let value = @value;
            @(self.dispatch(value, Some(field.width), &arms, here));
        })
    }

    /// A shift: `short` if the packet may be too short for some of what follows, although more is tried first.
    fn shift(self, node: &'a Node, short: bool, here: Here) -> Code<'a, ()> {
        let Kind::Shift { field, mask, left, then } = &node.kind else { unreachable!("the caller has looked") };
        let (level, base) = (here.level, here.bases[here.level]);
        let value = load_number(base, field.offset, field.width, here.known[level]);
        let (mask, left) = (u64::from(*mask), u32::from(*left));
        let behind = move |end: Var<usize>| {
            tick!(move {
                let next = @(advanced(base, &value, mask, left));
                @({
                    let mut inside = Here { level: level + 1, end: Some(end), ..here };
                    inside.bases[level + 1] = next;
                    inside.known[level + 1] = 0;
                    match self.all_needs(then, level + 1) {
                        Some(all) if !short && self.may_stand_aside(here) => {
                            let is_short = tick!(@next as usize + $(all as usize) > @end);
                            let short = self.put_aside(What::Short(node), here, is_short);
                            inside.known[level + 1] = all;
                            let then = self.alternatives(then, inside);
                            tick!({ @short; @then; })
                        }
                        _ => self.behind_shift(then, inside),
                    }
                });
            })
        };
        match here.end {
            Some(end) => behind(end),
            None => {
                let (packet, len) = (here.bases[0], here.len);
                tick!(move {
                    let end = @packet as usize + @len;
                    @(behind(end));
                })
            }
        }
    }

    /// The bytes that suffice for all of a few single filters, if some need fewer than others.
    fn all_needs(self, nodes: &[Node], level: usize) -> Option<u32> {
        let is_single = |node: &Node| match &node.kind {
            Kind::Run { then, .. } => matches!(then.as_slice(), [Node { kind: Kind::Leaf { group, .. }, .. }]
                if self.set.group(*group).only.is_some()),
            _ => false,
        };
        let needs = || nodes.iter().map(|node| node.needs[level]);
        let (least, most) = (needs().min()?, needs().max()?);
        (least < most && nodes.len() <= CHAIN && nodes.iter().all(is_single)).then_some(most)
    }

    /// What all alternatives behind a shift need is checked once.
    fn behind_shift(self, then: &'a [Node], here: Here) -> Code<'a, ()> {
        let (needs, _) = common(then);
        self.checked(&needs, here, move |here| self.alternatives(then, here))
    }

    /// The arm of a value: a number or, given its width, a word as the machine loads it.
    fn dispatch(self, value: Var<u64>, loaded: Option<u8>, arms: &[&'a (Arm, Vec<Node>)], here: Here) -> Code<'a, ()> {
        if arms.len() > CHAIN {
            let (low, high) = arms.split_at(arms.len() / 2);
            let middle = high[0].0.low;
            let (low, high) = (self.dispatch(value, loaded, low, here), self.dispatch(value, loaded, high, here));
            return tick!(if @value < $middle { @low; } else { @high; });
        }
        arms.iter().rev().fold(nothing(), |rest, (arm, then)| {
            let Arm { low, high } = *arm;
            let is_arm = if low == high {
                let own = loaded.map_or(low, |width| as_loaded(width, low.into()));
                tick!(@value == $own)
            } else {
                tick!(@value - $low <= $(high - low))
            };
            if let Some(id) = self.certain(then, here) {
                let matched = self.put_aside(What::Match(id), here, is_arm);
                return tick!({ @matched; @rest; });
            }
            let then = self.alternatives(then, here);
            tick!(if @is_arm { @then; } else { @rest; })
        })
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
        // In at most 32 bits, for which the machine has immediate operands.
        Test::Word { offset, width, mask, value } => word_is(base, offset, width, mask as u32, value as u32),
        Test::Range { field, mask, low, high } => {
            let number = load_number(base, field.offset, field.width, limit);
            let number = if mask == u64::MAX { number } else { tick!(@number & $mask) };
            // One comparison: what is below wraps around to above.
            tick!(@number - $low <= $(high - low))
        }
    };
    tests.iter().map(one).reduce(|all, test| tick!(@all && @test))
}
