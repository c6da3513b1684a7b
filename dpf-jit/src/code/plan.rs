//! [`Plan`]: the tree in the order and shape of the code.
//!
//! - Branches of one place and mask, which exclude each other, become one dispatch.
//! - Steps that nothing branches off from become one *run*, tested together: coalesced into wide loads, after one check of the
//!   packet's length.
//! - Each node knows how many bytes every path through it needs, so that the check is made once, as early as it can.
//! - Alternatives are tried in the order of the best rank that they can give.

use crate::filter::{Field, MAX_SHIFTS, Rank};
use crate::trie::FilterSet;
use crate::trie::set::Section;
use crate::trie::tree::{Branch, Step};

/// Levels: the frame, and one more behind each shift.
pub(crate) const LEVELS: usize = 8;
const _: () = assert!(LEVELS == MAX_SHIFTS + 1);

/// For each level, the bytes behind the base that there must be.
pub(crate) type Needs = [u32; 8];

/// A test of a field of the current level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// The word of `width` bytes at `offset`, as the machine loads it, is `value` under `mask`.
    Word { offset: u32, width: u8, mask: u64, value: u64 },
    /// The number at `field`, in network byte order, lies in a range under `mask`.
    Range { field: Field, mask: u64, low: u64, high: u64 },
}

/// What an arm of a dispatch wants: a number from `low` to `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arm {
    pub(crate) low: u64,
    pub(crate) high: u64,
}

impl Arm {
    /// The arm of a step, and where it looks.
    fn of(step: &Step) -> Option<(Field, u64, Arm)> {
        let (field, mask, arm) = match *step {
            Step::Eq { field, mask, value } => (field, mask as u64, Arm { low: value as u64, high: value as u64 }),
            Step::Range { field, mask, low, high } => (field, mask, Arm { low, high }),
            _ => return None,
        };
        matches!(field.width, 1 | 2 | 4 | 8).then_some((field, mask, arm))
    }

    /// Whether no number is of both.
    fn excludes(self, other: Arm) -> bool {
        self.high < other.low || other.high < self.low
    }
}

/// What a node does.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// All of `tests` hold, then any of `then`.
    Run { tests: Vec<Test>, then: Vec<Node> },
    /// The number at `field` (1, 2, 4 or 8 bytes) under `mask` is that of one arm at most.
    Dispatch { field: Field, mask: u64, arms: Vec<(Arm, Vec<Node>)> },
    /// The next level begins behind the field.
    Shift { field: Field, mask: u32, left: u8, then: Vec<Node> },
    /// The filters of a group.
    Leaf { group: u32, position: u32 },
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// What every path through it needs.
    pub(crate) needs: Needs,
    /// The best rank of its filters.
    pub(crate) max_rank: Rank,
}

/// The plan of a section.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) root: Vec<Node>,
    /// Groups in the order of the code; a leaf's position is its index.
    pub(crate) leaves: Vec<u32>,
}

impl Plan {
    pub(crate) fn new(set: &FilterSet, section: &Section) -> Plan {
        let mut plan = Plan { root: plan_all(&section.tree.root, 0, set), leaves: Vec::new() };
        number(&mut plan.root, &mut plan.leaves);
        plan
    }
}

/// Gives leaves their position in the code.
fn number(nodes: &mut [Node], leaves: &mut Vec<u32>) {
    for node in nodes {
        match &mut node.kind {
            Kind::Run { then, .. } | Kind::Shift { then, .. } => number(then, leaves),
            Kind::Dispatch { arms, .. } => arms.iter_mut().for_each(|(_, arm)| number(arm, leaves)),
            Kind::Leaf { group, position } => {
                *position = leaves.len() as u32;
                leaves.push(*group);
            }
        }
    }
}

/// What every alternative needs, and the best rank of any.
pub(crate) fn common(nodes: &[Node]) -> (Needs, Rank) {
    let mut needs = nodes.first().map_or([0; LEVELS], |node| node.needs);
    let mut best = 0;
    for node in nodes {
        for (all, own) in needs.iter_mut().zip(node.needs) {
            *all = (*all).min(own);
        }
        best = best.max(node.max_rank);
    }
    (needs, best)
}

fn plan_all(branches: &[Branch], level: usize, set: &FilterSet) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut done = vec![false; branches.len()];
    for at in 0..branches.len() {
        if std::mem::replace(&mut done[at], true) {
            continue;
        }
        let Some((field, mask, first)) = Arm::of(&branches[at].step) else {
            nodes.push(plan_one(&branches[at], level, set));
            continue;
        };
        let mut arms = vec![(first, at)];
        for (other, branch) in branches.iter().enumerate().skip(at + 1) {
            if let Some((other_field, other_mask, arm)) = Arm::of(&branch.step)
                && (other_field, other_mask) == (field, mask)
                && arms.iter().all(|(earlier, _)| earlier.excludes(arm))
            {
                arms.push((arm, other));
            }
        }
        if arms.len() == 1 {
            nodes.push(plan_one(&branches[at], level, set));
            continue;
        }
        arms.iter().for_each(|(_, branch)| done[*branch] = true);
        let arms: Vec<_> = arms.into_iter().map(|(arm, at)| (arm, plan_all(&branches[at].then, level, set))).collect();
        let mut needs = [u32::MAX; LEVELS];
        let mut max_rank = 0;
        for (_, arm) in &arms {
            let (arm_needs, best) = common(arm);
            needs.iter_mut().zip(arm_needs).for_each(|(all, own)| *all = (*all).min(own));
            max_rank = max_rank.max(best);
        }
        needs[level] = needs[level].max(field.end());
        let kind = Kind::Dispatch { field, mask, arms };
        nodes.push(Node { kind, needs, max_rank });
    }
    nodes.sort_by_key(|node| std::cmp::Reverse(node.max_rank));
    nodes
}

fn plan_one(branch: &Branch, level: usize, set: &FilterSet) -> Node {
    match branch.step {
        Step::Shift { field, mask, left } => {
            let then = plan_all(&branch.then, level + 1, set);
            let (mut needs, max_rank) = common(&then);
            needs[level] = needs[level].max(field.end());
            Node { kind: Kind::Shift { field, mask, left, then }, needs, max_rank }
        }
        Step::Leaf { group: number } => {
            let group = set.group(number);
            let mut needs = [0; LEVELS];
            for (level, end) in group.layout.ends() {
                let need = &mut needs[usize::from(level)];
                *need = (*need).max(end);
            }
            Node { kind: Kind::Leaf { group: number, position: 0 }, needs, max_rank: group.max_rank }
        }
        Step::Eq { .. } | Step::Range { .. } | Step::Need { .. } => plan_run(branch, level, set),
    }
}

/// From a test on, as far as nothing branches off.
fn plan_run(first: &Branch, level: usize, set: &FilterSet) -> Node {
    let mut end = 0;
    let mut bytes: Vec<(u32, u8, u8)> = Vec::new();
    let mut ranges = Vec::new();
    let mut branch = first;
    let then = loop {
        match branch.step {
            Step::Eq { field, mask, value } => {
                end = end.max(field.end());
                for i in 0..field.width {
                    let byte = |number: u128| (number >> (8 * (field.width - 1 - i))) as u8;
                    bytes.push((field.offset + u32::from(i), byte(mask), byte(value)));
                }
            }
            Step::Range { field, mask, low, high } => {
                end = end.max(field.end());
                ranges.push(Test::Range { field, mask, low, high });
            }
            Step::Need { end: own } => end = end.max(own),
            Step::Shift { .. } | Step::Leaf { .. } => unreachable!("runs are made of tests"),
        }
        match branch.then.as_slice() {
            [next] if matches!(next.step, Step::Eq { .. } | Step::Range { .. } | Step::Need { .. }) => branch = next,
            branches => break plan_all(branches, level, set),
        }
    };
    let (mut needs, max_rank) = common(&then);
    needs[level] = needs[level].max(end);
    let mut tests = coalesce(bytes, needs[level]);
    tests.extend(ranges);
    Node { kind: Kind::Run { tests, then }, needs, max_rank }
}

/// Tests of bytes (offset, mask, value) become tests of words that lie within the first `limit` bytes.
fn coalesce(mut bytes: Vec<(u32, u8, u8)>, limit: u32) -> Vec<Test> {
    bytes.retain(|(_, mask, _)| *mask != 0);
    bytes.sort_unstable();
    let mut tests = Vec::new();
    let mut rest = bytes.as_slice();
    while let [first, ..] = rest {
        // The narrowest load that takes in all bytes that any load from here could.
        let reach = |width: u32| rest.iter().take_while(|byte| byte.0 < first.0 + width).count();
        let span = rest[reach(8) - 1].0 - first.0 + 1;
        let mut width = span.next_power_of_two();
        let start = loop {
            if first.0 + width <= limit {
                break first.0;
            }
            // Moved down, it takes in the same bytes.
            if let Some(start) = limit.checked_sub(width) {
                break start;
            }
            width /= 2;
        };
        let taken = rest.iter().take_while(|byte| byte.0 < start + width).count();
        let (mut mask, mut value) = (0, 0);
        for (offset, m, v) in &rest[..taken] {
            mask |= u64::from(*m) << (8 * (offset - start));
            value |= u64::from(*v) << (8 * (offset - start));
        }
        tests.push(Test::Word { offset: start, width: width as u8, mask, value });
        rest = &rest[taken..];
    }
    tests
}

/// A number of `width` bytes (1, 2, 4 or 8) in network byte order, as the machine loads it.
pub(crate) fn as_loaded(width: u8, value: u128) -> u64 {
    (value as u64).swap_bytes() >> (64 - 8 * u32::from(width))
}
