//! The abstract values of the bounds analysis: unsigned intervals with a power-of-two stride.
//!
//! [`Interval`] {lo, hi, stride 2^k} stands for the numbers v with lo ≤ v ≤ hi and v ≡ lo (mod 2^k). Every operation here
//! over-approximates: the result contains [`Alu::eval`] of any two members of its operands (Cousot & Cousot, "Static
//! determination of dynamic properties of programs", 1976, for intervals; Granger, "Static analysis of arithmetical
//! congruences", 1989, for the stride, restricted to powers of two so that wrapping does not disturb it).
//!
//! # Invariants
//! - V1: lo ≤ hi, and hi ≡ lo (mod 2^k).
//! - V2: k = 64 if and only if lo = hi.
#![forbid(unsafe_code)]

use crate::opcode::{Alu, Comparison};

/// A set of numbers; see the head of this module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interval {
    lo: u64,
    hi: u64,
    /// log2 of the stride, 64 for a single number.
    log2_stride: u8,
}

/// The lowest `bits` bits.
#[inline]
fn mask(bits: u8) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}

impl Interval {
    /// Every number.
    pub const TOP: Interval = Interval { lo: 0, hi: u64::MAX, log2_stride: 0 };

    /// One number.
    #[inline]
    #[must_use]
    pub const fn constant(value: u64) -> Interval {
        Interval { lo: value, hi: value, log2_stride: 64 }
    }

    /// `lo..=hi`
    ///
    /// # Panics
    /// If `lo > hi`.
    #[must_use]
    pub fn range(lo: u64, hi: u64) -> Interval {
        assert!(lo <= hi, "V1: {lo}..={hi}");
        Interval::normal(lo, hi, 0)
    }

    /// The smallest member.
    #[inline]
    #[must_use]
    pub fn lo(self) -> u64 {
        self.lo
    }

    /// The largest member.
    #[inline]
    #[must_use]
    pub fn hi(self) -> u64 {
        self.hi
    }

    /// The distance of members as log2; 64 for a single number.
    #[inline]
    #[must_use]
    pub fn log2_stride(self) -> u8 {
        self.log2_stride
    }

    /// Whether the number is a member.
    #[inline]
    #[must_use]
    pub fn contains(self, value: u64) -> bool {
        self.lo <= value && value <= self.hi && (value - self.lo) & mask(self.log2_stride) == 0
    }

    #[inline]
    fn is_constant(self) -> bool {
        self.lo == self.hi
    }

    /// The interval with these bounds, of which the lower one is a member, and this stride.
    #[inline]
    fn normal(lo: u64, hi: u64, log2_stride: u8) -> Interval {
        let hi = hi - ((hi - lo) & mask(log2_stride));
        Interval { lo, hi, log2_stride: if lo == hi { 64 } else { log2_stride.min(63) } }
    }

    /// The members of `lo..=hi` that are ≡ `residue`.
    #[inline]
    fn congruent(lo: u64, hi: u64, log2_stride: u8, residue: u64) -> Option<Interval> {
        let first = lo.checked_add(residue.wrapping_sub(lo) & mask(log2_stride))?;
        (first <= hi).then(|| Interval::normal(first, hi, log2_stride))
    }

    /// All numbers ≡ `residue`.
    #[inline]
    fn anything(log2_stride: u8, residue: u64) -> Interval {
        Interval::congruent(0, u64::MAX, log2_stride, residue).unwrap_or(Interval::constant(residue))
    }

    /// The smallest set that contains both.
    #[inline]
    #[must_use]
    pub fn join(self, other: Interval) -> Interval {
        if self == other {
            return self;
        }
        let apart = self.lo.wrapping_sub(other.lo).trailing_zeros() as u8;
        let stride = self.log2_stride.min(other.log2_stride).min(apart);
        Interval::normal(self.lo.min(other.lo), self.hi.max(other.hi), stride)
    }

    /// The members in `lo..=hi`.
    #[inline]
    #[must_use]
    pub fn within(self, lo: u64, hi: u64) -> Option<Interval> {
        let (lo, hi) = (self.lo.max(lo), self.hi.min(hi));
        if lo > hi {
            return None;
        }
        Interval::congruent(lo, hi, self.log2_stride, self.lo)
    }

    /// The members of `self`, and those of `y`, for which `self OP y` can hold; `None` if it never does.
    #[inline]
    #[must_use]
    pub fn refine(self, comparison: Comparison, y: Interval) -> Option<(Interval, Interval)> {
        let x = self;
        match comparison {
            Comparison::Lt => Some((x.within(0, y.hi.checked_sub(1)?)?, y.within(x.lo.checked_add(1)?, u64::MAX)?)),
            Comparison::Le => Some((x.within(0, y.hi)?, y.within(x.lo, u64::MAX)?)),
            Comparison::Gt => y.refine(Comparison::Lt, x).map(|(y, x)| (x, y)),
            Comparison::Ge => y.refine(Comparison::Le, x).map(|(y, x)| (x, y)),
            Comparison::Eq => {
                // The members of both: those of the wider stride in the common range.
                let (fine, coarse) = if x.log2_stride <= y.log2_stride { (x, y) } else { (y, x) };
                if (coarse.lo ^ fine.lo) & mask(fine.log2_stride) != 0 {
                    return None;
                }
                let both = coarse.within(fine.lo, fine.hi)?;
                Some((both, both))
            }
            Comparison::Ne => Some((x.without(y)?, y.without(x)?)),
        }
    }

    /// The members that are not the one number `other`; `None` if there are none.
    #[inline]
    fn without(self, other: Interval) -> Option<Interval> {
        if !other.is_constant() {
            return Some(self);
        }
        let value = other.lo;
        if self.is_constant() {
            (self.lo != value).then_some(self)
        } else if self.lo == value {
            self.within(value + 1, u64::MAX)
        } else if self.hi == value {
            self.within(0, value - 1)
        } else {
            Some(self)
        }
    }

    /// What a register is after so many rounds, at most, that each add to it what sums up to at most `step` and is a multiple
    /// of 2^`log2_step`.
    #[must_use]
    pub fn advanced(self, rounds: u64, step: u64, log2_step: u8) -> Interval {
        let stride = self.log2_stride.min(log2_step);
        match step.checked_mul(rounds).and_then(|sum| self.hi.checked_add(sum)) {
            Some(hi) => Interval::normal(self.lo, hi, stride),
            None => Interval::anything(stride, self.lo),
        }
    }

    /// The result of an operation.
    #[must_use]
    pub fn apply(self, alu: Alu, y: Interval) -> Interval {
        let x = self;
        if x.is_constant() && y.is_constant() {
            return Interval::constant(alu.eval(x.lo, y.lo));
        }
        let least = x.log2_stride.min(y.log2_stride);
        match alu {
            Alu::Add => {
                let (lo, below) = x.lo.overflowing_add(y.lo);
                let (hi, above) = x.hi.overflowing_add(y.hi);
                if below == above { Interval::normal(lo, hi, least) } else { Interval::anything(least, lo) }
            }
            Alu::Sub => {
                let (lo, below) = x.lo.overflowing_sub(y.hi);
                let (hi, above) = x.hi.overflowing_sub(y.lo);
                if below == above {
                    Interval::normal(lo, hi, least)
                } else {
                    Interval::anything(least, x.lo.wrapping_sub(y.lo))
                }
            }
            Alu::Mul => {
                let zeros = |v: u64| v.trailing_zeros() as u8;
                let (sx, sy) = (x.log2_stride, y.log2_stride);
                let stride = (sx + zeros(y.lo)).min(sy + zeros(x.lo)).min(sx + sy).min(64);
                match x.hi.checked_mul(y.hi) {
                    Some(hi) => Interval::normal(x.lo * y.lo, hi, stride),
                    None => Interval::anything(stride, x.lo.wrapping_mul(y.lo)),
                }
            }
            Alu::And => {
                let (mx, my) = (mask(x.log2_stride), mask(y.log2_stride));
                let known = (mx & my) | (mx & !x.lo) | (my & !y.lo);
                Interval::bitwise(0, x.hi.min(y.hi), known, x.lo & y.lo)
            }
            Alu::Or => {
                let (mx, my) = (mask(x.log2_stride), mask(y.log2_stride));
                let known = (mx & my) | (mx & x.lo) | (my & y.lo);
                Interval::bitwise(x.lo.max(y.lo), smear(x.hi | y.hi), known, x.lo | y.lo)
            }
            Alu::Xor => {
                Interval::bitwise(0, smear(x.hi | y.hi), mask(x.log2_stride) & mask(y.log2_stride), x.lo ^ y.lo)
            }
            Alu::Shl | Alu::Shr => x.shifted(alu == Alu::Shl, y),
            Alu::Div if y.lo > 0 => Interval::range(x.lo / y.hi, x.hi / y.lo),
            // x / 0 is 0.
            Alu::Div => Interval::range(0, x.hi),
            Alu::Rem if y.lo > x.hi => x,
            Alu::Rem if y.lo > 0 => {
                // The low bits survive a remainder by a power of two.
                let power = y.is_constant() && y.lo.is_power_of_two();
                let stride = if power { x.log2_stride.min(y.lo.trailing_zeros() as u8) } else { 0 };
                Interval::congruent(0, x.hi.min(y.hi - 1), stride, x.lo).unwrap_or(Interval::range(0, y.hi - 1))
            }
            // x rem 0 is x.
            Alu::Rem => Interval::range(0, x.hi),
        }
    }

    /// `lo..=hi` where the bits `known` are those of `bits`.
    fn bitwise(lo: u64, hi: u64, known: u64, bits: u64) -> Interval {
        let stride = known.trailing_ones() as u8;
        Interval::congruent(lo, hi, stride, bits).unwrap_or(Interval::anything(stride, bits))
    }

    fn shifted(self, left: bool, count: Interval) -> Interval {
        let x = self;
        if count.hi >= 64 && !count.is_constant() {
            return if left { Interval::TOP } else { Interval::range(0, x.hi) };
        }
        let (least, most) = ((count.lo % 64) as u32, (count.hi % 64) as u32);
        if left {
            let lost = x.hi.leading_zeros() < most && x.hi != 0;
            let stride = (x.log2_stride.min(x.lo.trailing_zeros() as u8)).saturating_add(least as u8).min(64);
            if least == most {
                let stride = x.log2_stride.saturating_add(least as u8).min(64);
                return if lost {
                    Interval::anything(stride, x.lo << least)
                } else {
                    Interval::normal(x.lo << least, x.hi << least, stride)
                };
            }
            if lost { Interval::anything(stride, 0) } else { Interval::normal(x.lo << least, x.hi << most, stride) }
        } else {
            let stride = if least == most { x.log2_stride.saturating_sub(least as u8) } else { 0 };
            Interval::normal(x.lo >> most, x.hi >> least, stride)
        }
    }
}

/// All bits up to the highest one set.
fn smear(value: u64) -> u64 {
    u64::MAX.checked_shr(value.leading_zeros()).unwrap_or(0)
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.lo, self.hi, self.log2_stride) {
            (lo, _, 64) => write!(f, "{lo}"),
            (0, u64::MAX, 0) => f.write_str("anything"),
            (lo, hi, stride) => {
                match hi {
                    u64::MAX => write!(f, "{lo}..=2^64-1")?,
                    _ => write!(f, "{lo}..={hi}")?,
                }
                if stride == 0 { Ok(()) } else { write!(f, " in steps of {}", 1u64 << stride) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALUS: [Alu; 10] =
        [Alu::Add, Alu::Sub, Alu::Mul, Alu::And, Alu::Or, Alu::Xor, Alu::Shl, Alu::Shr, Alu::Div, Alu::Rem];
    const COMPARISONS: [Comparison; 6] =
        [Comparison::Eq, Comparison::Ne, Comparison::Lt, Comparison::Le, Comparison::Gt, Comparison::Ge];

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![
            0..70u64,
            any::<u64>(),
            (0..64u32, -3..4i64).prop_map(|(bit, off)| (1u64 << bit).wrapping_add(off as u64)),
            Just(u64::MAX)
        ]
    }

    /// An interval and one of its members.
    fn member() -> impl Strategy<Value = (Interval, u64)> {
        (number(), number(), 0..=64u8, any::<u64>()).prop_map(|(a, b, stride, pick)| {
            let interval = Interval::normal(a.min(b), a.max(b), stride);
            let steps =
                if interval.log2_stride == 64 { 0 } else { (interval.hi - interval.lo) >> interval.log2_stride };
            let step = if steps == u64::MAX { pick } else { pick % (steps + 1) };
            (
                interval,
                if interval.log2_stride == 64 { interval.lo } else { interval.lo + (step << interval.log2_stride) },
            )
        })
    }

    fn is_normal(i: Interval) -> bool {
        i.lo <= i.hi && i.contains(i.hi) && (i.log2_stride == 64) == (i.lo == i.hi) && i.log2_stride <= 64
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(2_000), ..Default::default() })]

        #[test]
        fn results_contain_what_is_computed((x, a) in member(), (y, b) in member()) {
            for alu in ALUS {
                let result = x.apply(alu, y);
                prop_assert!(is_normal(result), "{alu:?} {x:?} {y:?} = {result:?}");
                prop_assert!(result.contains(alu.eval(a, b)), "{alu:?} {x:?} {y:?} = {result:?} lacks {a} {b}");
            }
            let join = x.join(y);
            prop_assert!(is_normal(join) && join.contains(a) && join.contains(b));
        }

        #[test]
        fn refinement_keeps_what_satisfies_it((x, a) in member(), (y, b) in member()) {
            for c in COMPARISONS {
                let refined = x.refine(c, y);
                if let Some((x, y)) = refined {
                    prop_assert!(is_normal(x) && is_normal(y));
                }
                if c.eval(a, b) {
                    prop_assert!(refined.is_some_and(|(x, y)| x.contains(a) && y.contains(b)), "{x:?} {c:?} {y:?}: {a} {b}");
                }
            }
        }

        #[test]
        fn advancing_contains_every_number_of_rounds(
            (x, a) in member(), rounds in number(), step in number(), log2 in 0..8u8, taken in any::<u64>(), add in any::<u64>(),
        ) {
            let step = step & !mask(log2);
            let result = x.advanced(rounds, step, log2);
            let taken = if rounds == u64::MAX { taken } else { taken % (rounds + 1) };
            let add = (if step == u64::MAX { add } else { add % (step + 1) }) & !mask(log2);
            prop_assert!(is_normal(result) && result.contains(a.wrapping_add(add.wrapping_mul(taken))));
        }
    }

    #[test]
    fn strides_are_worth_something() {
        let index = Interval::range(0, 1023);
        let byte = index.apply(Alu::Shl, Interval::constant(2));
        assert_eq!((byte.lo(), byte.hi(), byte.log2_stride()), (0, 4092, 2));
        let any4 = Interval::TOP.apply(Alu::Mul, Interval::constant(4));
        let masked = any4.apply(Alu::And, Interval::constant(0xfff));
        assert_eq!((masked.hi(), masked.log2_stride()), (4092, 2));
        let (below, _) = any4.refine(Comparison::Lt, Interval::constant(4095)).expect("possible");
        assert_eq!(below.hi(), 4092);
        assert!(any4.refine(Comparison::Eq, Interval::constant(6)).is_none());
    }
}
