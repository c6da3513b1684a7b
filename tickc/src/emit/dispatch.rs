//! How a `match` with many patterns finds its arm: by a tree of comparisons, and where values lie close together by a jump
//! table (Bernstein, "Producing good code for the case statement", Software: Practice and Experience, 1985).
//!
//! Patterns become disjoint intervals of 64-bit keys that are ordered as unsigned integers, whatever the type: the first pattern
//! that holds a value keeps it. Cost: n log n comparisons for n patterns in order, and the tree has a depth of log n.

use super::{Emitter, Val};
use crate::machine::{Binary, BinaryOp, Compare, Comparison, JumpList, Operand};
use crate::types::{Int, Type};

/// A `match` with fewer patterns tests them one after the other.
const FEW: usize = 4;
/// A table has at least so many cases, and so many entries per case at most.
const TABLE_CASES: usize = 5;
const TABLE_SPARSITY: u64 = 8;

/// A pattern of a dynamic `match`.
#[derive(Clone, Copy, Debug)]
pub struct Pat<S> {
    low: S,
    high: Option<S>,
    kind: PatKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PatKind {
    One,
    Range,
    RangeExclusive,
    From,
    To,
}

impl<S: Int> Pat<S> {
    /// `value`
    pub fn one(value: S) -> Self {
        Pat { low: value, high: None, kind: PatKind::One }
    }
    /// `low..=high`
    pub fn range(low: S, high: S) -> Self {
        Pat { low, high: Some(high), kind: PatKind::Range }
    }
    /// `low..high`
    pub fn range_exclusive(low: S, high: S) -> Self {
        Pat { low, high: Some(high), kind: PatKind::RangeExclusive }
    }
    /// `low..`
    pub fn from(low: S) -> Self {
        Pat { low, high: None, kind: PatKind::From }
    }
    /// `..=high`
    pub fn to(high: S) -> Self {
        Pat { low: high, high: None, kind: PatKind::To }
    }

    /// The pattern, of a `match` on values like `_value`.
    #[inline(always)]
    pub fn of(self, _value: &Val<S>) -> Self {
        self
    }

    /// The comparisons that all hold of a value that matches.
    pub(super) fn tests(&self) -> [Option<(Comparison, u64)>; 2] {
        let low = self.low.to_bits();
        let high = self.high.map(S::to_bits).unwrap_or_default();
        match self.kind {
            PatKind::One => [Some((Comparison::Eq, low)), None],
            PatKind::Range => [Some((Comparison::Ge, low)), Some((Comparison::Le, high))],
            PatKind::RangeExclusive => [Some((Comparison::Ge, low)), Some((Comparison::Lt, high))],
            PatKind::From => [Some((Comparison::Ge, low)), None],
            PatKind::To => [Some((Comparison::Le, low)), None],
        }
    }

    /// The keys that match, from the first to the last; nothing if there are none.
    fn keys(&self) -> Option<(u64, u64)> {
        let (first, last) = key_range(S::TYPE);
        let key = |value: S| value.to_bits() ^ key_bias(S::TYPE);
        let low = key(self.low);
        let high = self.high.map(key);
        let (low, high) = match (self.kind, high) {
            (PatKind::Range, Some(high)) => (low, high),
            (PatKind::RangeExclusive, Some(high)) => (low, high.checked_sub(1)?),
            (PatKind::From, _) => (low, last),
            (PatKind::To, _) => (first, low),
            _ => (low, low),
        };
        (low <= high).then_some((low, high))
    }
}

/// What makes the canonical bits of a value its key.
fn key_bias(ty: Type) -> u64 {
    if ty.is_signed() { 1 << 63 } else { 0 }
}

/// The first and the last key of a type.
fn key_range(ty: Type) -> (u64, u64) {
    if ty.is_signed() {
        let half = 1u64 << (ty.bits() - 1);
        ((1 << 63) - half, (1 << 63) + (half - 1))
    } else {
        (0, u64::MAX >> (64 - ty.bits()))
    }
}

/// Keys that go to one arm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Segment {
    first: u64,
    last: u64,
    target: usize,
}

/// The segments of all keys from `first` to `last`, in order; what no pattern holds goes to the target behind the arms.
fn segments<S: Int>(arms: &[&[Pat<S>]]) -> Vec<Segment> {
    let mut held: Vec<Segment> = Vec::new();
    for (target, patterns) in arms.iter().enumerate() {
        for (mut first, last) in patterns.iter().filter_map(Pat::keys) {
            // What earlier patterns have left of it goes between what they hold.
            let mut at = held.partition_point(|segment| segment.last < first);
            loop {
                let next = held.get(at).copied().filter(|segment| segment.first <= last);
                let end = next.map_or(Some(last), |segment| segment.first.checked_sub(1));
                if let Some(end) = end.filter(|end| first <= *end) {
                    held.insert(at, Segment { first, last: end, target });
                    at += 1;
                }
                match next {
                    Some(segment) if segment.last < last => first = segment.last + 1,
                    _ => break,
                }
                at += 1;
            }
        }
    }
    let (mut next, end) = key_range(S::TYPE);
    let mut all: Vec<Segment> = Vec::with_capacity(held.len() * 2 + 1);
    let mut push = |segment: Segment| match all.last_mut() {
        Some(before) if before.target == segment.target => before.last = segment.last,
        _ => all.push(segment),
    };
    let mut open = true;
    for segment in held {
        if next < segment.first {
            push(Segment { first: next, last: segment.first - 1, target: arms.len() });
        }
        push(segment);
        open = segment.last < end;
        next = segment.last.wrapping_add(1);
    }
    if open {
        push(Segment { first: next, last: end, target: arms.len() });
    }
    all
}

/// Whether a `match` tests its patterns by a tree or a table.
#[inline]
pub(super) fn is_large<S>(arms: &[&[Pat<S>]]) -> bool {
    arms.iter().map(|patterns| patterns.len()).sum::<usize>() >= FEW
}

impl Emitter {
    /// The tests of a large `match`: for each arm and for the last one, the jumps to it.
    #[inline(never)]
    pub(super) fn dispatch<S: Int>(&mut self, scrutinee: Operand, arms: &[&[Pat<S>]]) -> Vec<JumpList> {
        let segments = segments(arms);
        let mut targets = vec![0; arms.len() + 1];
        self.decide(S::TYPE, scrutinee, &segments, arms.len(), &mut targets);
        targets
    }

    /// Finds the segment of a value that is known to lie in one of them.
    fn decide(
        &mut self,
        ty: Type,
        scrutinee: Operand,
        segments: &[Segment],
        otherwise: usize,
        targets: &mut [JumpList],
    ) {
        match segments {
            [only] => {
                let jump = self.machine.jump();
                self.add_target(targets, only.target, jump);
            }
            [before, one, after] if one.first == one.last && before.target == after.target => {
                let equal = self.decide_by(Comparison::Eq, ty, scrutinee, one.first);
                self.add_target(targets, one.target, equal);
                let jump = self.machine.jump();
                self.add_target(targets, before.target, jump);
            }
            _ if self.decide_by_table(ty, scrutinee, segments, otherwise, targets) => {}
            _ => {
                let (below, above) = segments.split_at(segments.len() / 2);
                let is_below = self.decide_by(Comparison::Lt, ty, scrutinee, above[0].first);
                self.decide(ty, scrutinee, above, otherwise, targets);
                self.machine.land(is_below);
                self.decide(ty, scrutinee, below, otherwise, targets);
            }
        }
    }

    /// The jump taken if the value compares so with the one of `key`.
    fn decide_by(&mut self, op: Comparison, ty: Type, scrutinee: Operand, key: u64) -> JumpList {
        let value = Operand::constant(key ^ key_bias(ty));
        let holds = self.machine.compare(Compare { op, ty }, scrutinee, value);
        self.machine.jump_if_true(holds)
    }

    fn add_target(&mut self, targets: &mut [JumpList], target: usize, jump: JumpList) {
        targets[target] = self.machine.merge(targets[target], jump);
    }

    /// A table for the segments between the outermost ones that go to the last arm; whether they are dense enough for one.
    fn decide_by_table(
        &mut self,
        ty: Type,
        scrutinee: Operand,
        segments: &[Segment],
        otherwise: usize,
        targets: &mut [JumpList],
    ) -> bool {
        let is_case = |segment: &Segment| segment.target != otherwise;
        let (Some(from), Some(to)) = (segments.iter().position(is_case), segments.iter().rposition(is_case)) else {
            return false;
        };
        let inner = &segments[from..=to];
        let (first, last) = (inner[0].first, inner[inner.len() - 1].last);
        let cases = inner.iter().filter(|segment| is_case(segment)).count();
        if cases < TABLE_CASES || (last - first) / TABLE_SPARSITY >= cases as u64 {
            return false;
        }
        let count = (last - first) as u32 + 1;
        let wide = if ty.is_signed() { Type::I64 } else { Type::U64 };
        let index = self.convert(ty, wide, scrutinee);
        let low = Operand::constant(first ^ key_bias(ty));
        let index = self.binary(Binary { op: BinaryOp::Sub, ty: wide }, index, low);
        let index = self.convert(wide, Type::U64, index);
        let index = self.machine.in_register(Type::U64, index);
        if segments.len() > inner.len() {
            let beyond = Compare { op: Comparison::Ge, ty: Type::U64 };
            let outside =
                self.machine.compare(beyond, self.machine.borrowed(index), Operand::constant(u64::from(count)));
            let outside = self.machine.jump_if_true(outside);
            self.add_target(targets, otherwise, outside);
        }
        let mut entries = Vec::with_capacity(count as usize);
        self.machine.switch(index, count, &mut entries);
        let mut entries = entries.into_iter();
        for segment in inner {
            for entry in entries.by_ref().take((segment.last - segment.first) as usize + 1) {
                self.add_target(targets, segment.target, entry);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key of `i8` finds the arm that Rust's `match` picks: the first whose pattern holds it.
    #[test]
    fn segments_cover_all_keys_once() {
        let arms: [&[Pat<i8>]; 5] = [
            &[Pat::one(5), Pat::range(-3, 3)],
            &[Pat::range(-128, -100), Pat::one(5), Pat::range_exclusive(2, 9)],
            &[Pat::range(20, 10), Pat::range_exclusive(7, 7)],
            &[Pat::from(100), Pat::to(-90)],
            &[Pat::range(-5, 6)],
        ];
        let found = segments(&arms);
        let (mut next, end) = key_range(Type::I8);
        for segment in &found {
            assert_eq!(segment.first, next);
            for key in segment.first..=segment.last {
                let value = (key ^ key_bias(Type::I8)) as i8;
                let arm = match value {
                    5 | -3..=3 => 0,
                    -128..=-100 | 2..9 => 1,
                    100.. | ..=-90 => 3,
                    -5..=6 => 4,
                    _ => 5,
                };
                assert_eq!(segment.target, arm, "{value}");
            }
            next = segment.last + 1;
        }
        assert_eq!(next, end + 1);
        assert!(found.windows(2).all(|pair| pair[0].target != pair[1].target));
    }

    #[test]
    fn segments_reach_both_ends() {
        let whole: [&[Pat<u64>]; 1] = [&[Pat::from(0)]];
        assert_eq!(segments(&whole), [Segment { first: 0, last: u64::MAX, target: 0 }]);
        let none: [&[Pat<u64>]; 1] = [&[]];
        assert_eq!(segments(&none), [Segment { first: 0, last: u64::MAX, target: 1 }]);
    }
}
