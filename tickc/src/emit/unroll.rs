//! `for i in unroll(factor, a..b)`: the body several times per round, so that a round takes one test and one jump.
//!
//! ```text
//!   bounds known, at most `factor` values, or less than two rounds:      a copy per value, `i` a constant
//!   bounds known, more:          rounds of `factor` copies, then a copy for each value that is left, `i` a constant
//!   otherwise:                   if i >= b { exit }  if b - i < factor { rest }
//!                         round: factor × { body; i += 1 }   if i <= b - factor { round }   if i >= b { exit }
//!                          rest: body; i += 1; if i < b { rest }
//! ```
//!
//! With `a..=b` the last value is left to `rest`, so that nothing overflows. The expansion asks for copies until there are none.

use super::vars::Home;
use super::{ENTERED, Emitter, Loop, MAX_FRAGMENTS, Scope, Val};
use crate::error::Error;
use crate::machine::{Binary, BinaryOp, Compare, Comparison, JumpList, Operand};
use crate::types::{Int, Type};

/// What is emitted next.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// A copy of the round, of which so many are left.
    Round { copies: u64 },
    /// What follows the rounds, with bounds that are not known.
    Rest,
    /// The end of the rest.
    RestEnd,
    /// A copy for each of the next values, which are constants.
    Values { next: u64, count: u64 },
}

/// An unrolled `for` while it is emitted.
#[must_use]
#[derive(Debug)]
pub struct Unroll<T> {
    stage: Stage,
    /// Index of the loop's variable, if it is one.
    variable: u32,
    /// Index of the bound.
    bound: u32,
    /// Index of what `i` is compared with to tell whether another round follows, and how.
    limit: u32,
    again: Comparison,
    /// Jumps over the rounds.
    short: JumpList,
    /// The values behind the rounds, if they are known: the first, and how many.
    left: Option<(u64, u64)>,
    scope: Scope,
    marker: std::marker::PhantomData<fn() -> T>,
}

impl Emitter {
    /// The loop, before its first copy. The bounds do not change while it runs.
    pub fn unroll_begin<T: Int, F: Int>(
        &mut self,
        a: Val<T>,
        b: Val<T>,
        inclusive: bool,
        factor: Val<F>,
    ) -> (Loop<()>, Unroll<T>) {
        let (ty, a, b, factor) = (T::TYPE, a.into_operand(), b.into_operand(), factor.into_operand());
        debug_assert!(factor.is_const(), "the parser takes constants only");
        // A factor below zero is as good as none.
        let factor = if F::TYPE.is_signed() && (factor.body as i64) < 1 { 1 } else { factor.body.max(1) };
        let scope = self.scope();
        let mut unroll = Unroll {
            stage: Stage::Values { next: 0, count: 0 },
            variable: 0,
            bound: 0,
            limit: 0,
            again: Comparison::Ne,
            short: 0,
            left: None,
            scope,
            marker: std::marker::PhantomData,
        };
        if a.is_const() && b.is_const() {
            let op = if inclusive { Comparison::Le } else { Comparison::Lt };
            let any = super::fold::fold_compare(op, ty, a.body, b.body);
            // The number of values; all of a 64-bit type are one more than u64 counts, which nobody emits.
            let count = if any { b.body.wrapping_sub(a.body).saturating_add(u64::from(inclusive)) } else { 0 };
            if count <= factor || count / factor < 2 {
                unroll.stage = Stage::Values { next: a.body, count };
                return (self.new_loop(0), unroll);
            }
            let behind = ty.canonical(a.body.wrapping_add(count / factor * factor));
            let home = self.machine.declare(ty, a);
            unroll.variable = self.declare_at(home);
            unroll.limit = self.declare_at(Operand::constant(behind));
            unroll.left = Some((behind, count % factor));
            unroll.stage = Stage::Round { copies: factor };
            return (self.new_loop(0), unroll);
        }
        let exit = self.unroll_unknown(&mut unroll, (ty, a, b), inclusive, factor);
        let mut l = self.new_loop(0);
        l.breaks = exit;
        l.inclusive = inclusive;
        (l, unroll)
    }

    /// The head of a loop whose bounds are not both known; jumps that leave it.
    fn unroll_unknown<T: Int>(
        &mut self,
        unroll: &mut Unroll<T>,
        (ty, a, b): (Type, Operand, Operand),
        inclusive: bool,
        factor: u64,
    ) -> JumpList {
        let bound = if b.is_const() { b } else { self.machine.declare_bound(ty, b) };
        unroll.bound = if bound == b { self.declare_alias(b) } else { self.declare_at(bound) };
        let home = self.machine.declare(ty, a);
        unroll.variable = self.declare_at(home);
        let op = if inclusive { Comparison::Le } else { Comparison::Lt };
        let enters = self.compare(Compare { op, ty }, home, bound);
        let exit = self.machine.jump_if_false(enters);
        let most = u64::MAX >> (64 - ty.bits());
        if factor < 2 || factor > most {
            unroll.stage = Stage::Rest;
            return exit;
        }
        let unsigned = super::int_methods::unsigned_of(ty);
        let left = self.binary(Binary { op: BinaryOp::Sub, ty }, bound, home);
        let left = self.convert(ty, unsigned, left);
        let few = Compare { op: Comparison::Lt, ty: unsigned };
        let few = self.compare(few, left, Operand::constant(factor));
        unroll.short = if fault!(49) { 0 } else { self.machine.jump_if_true(few) };
        let factor_of_type = Operand::constant(ty.canonical(factor));
        let limit = self.binary(Binary { op: BinaryOp::Sub, ty }, bound, factor_of_type);
        let limit = if limit.is_const() { limit } else { self.machine.declare(ty, limit) };
        unroll.limit = self.declare_at(limit);
        unroll.again = Comparison::Le;
        unroll.stage = Stage::Round { copies: factor };
        exit
    }

    /// The variable of the next copy, if there is one.
    pub fn unroll_copy<T: Int>(&mut self, l: &mut Loop<()>, unroll: &mut Unroll<T>) -> Option<Home<T>> {
        self.fragments += ENTERED;
        if self.fragments / ENTERED > u64::from(MAX_FRAGMENTS) {
            self.set_error(Error::TooManyFragments { limit: MAX_FRAGMENTS });
        } else if let Some(limit) = self.machine.overflowed() {
            self.set_error(Error::CodeTooLarge { limit });
        }
        if self.error.is_some() {
            return None;
        }
        let ty = T::TYPE;
        loop {
            match unroll.stage {
                Stage::Round { copies: 0 } => {
                    let (home, limit) = (self.home(unroll.variable), self.home(unroll.limit));
                    let again = self.machine.compare(Compare { op: unroll.again, ty }, home, limit);
                    let again = self.machine.jump_if_true(again);
                    self.machine.send(again, l.top);
                    if let Some((next, count)) = unroll.left {
                        unroll.stage = Stage::Values { next, count };
                        continue;
                    }
                    if !l.inclusive {
                        self.unroll_exit(l, unroll, Comparison::Ge);
                    }
                    self.machine.land(std::mem::take(&mut unroll.short));
                    l.top = self.machine.here();
                    unroll.stage = Stage::Rest;
                }
                Stage::Round { copies } => {
                    unroll.stage = Stage::Round { copies: copies - 1 };
                    return Some(self.home_of(unroll.variable));
                }
                Stage::Rest => {
                    unroll.stage = Stage::RestEnd;
                    return Some(self.home_of(unroll.variable));
                }
                Stage::Values { count: 0, .. } | Stage::RestEnd => return None,
                Stage::Values { next, count } => {
                    unroll.stage = Stage::Values { next: ty.canonical(next.wrapping_add(1)), count: count - 1 };
                    let index = self.declare_at(Operand::constant(next));
                    return Some(self.home_of(index));
                }
            }
        }
    }

    /// Leaves the loop if `i op bound`.
    fn unroll_exit<T: Int>(&mut self, l: &mut Loop<()>, unroll: &Unroll<T>, op: Comparison) {
        let (home, bound) = (self.home(unroll.variable), self.home(unroll.bound));
        let done = self.machine.compare(Compare { op, ty: T::TYPE }, home, bound);
        let done = self.machine.jump_if_true(done);
        l.breaks = self.machine.merge(l.breaks, done);
    }

    /// Behind a copy, where `continue` goes.
    pub fn unroll_copy_end<T: Int>(&mut self, l: &mut Loop<()>, unroll: &mut Unroll<T>) {
        self.machine.land(std::mem::take(&mut l.continues));
        let ty = T::TYPE;
        let step = Binary { op: BinaryOp::Add, ty };
        match unroll.stage {
            Stage::Round { .. } => {
                let home = self.home(unroll.variable);
                self.machine.assign_binary(step, home, Operand::constant(1));
            }
            Stage::RestEnd => {
                if l.inclusive {
                    self.unroll_exit(l, unroll, Comparison::Ge);
                }
                let (home, bound) = (self.home(unroll.variable), self.home(unroll.bound));
                self.machine.assign_binary(step, home, Operand::constant(1));
                let again = if l.inclusive {
                    self.machine.jump()
                } else {
                    let more = self.machine.compare(Compare { op: Comparison::Lt, ty }, home, bound);
                    self.machine.jump_if_true(more)
                };
                self.machine.send(again, l.top);
            }
            Stage::Rest | Stage::Values { .. } => {}
        }
    }

    /// The end of the loop.
    pub fn unroll_end<T: Int>(&mut self, l: Loop<()>, unroll: Unroll<T>) {
        self.machine.land(unroll.short);
        self.machine.land(l.breaks);
        self.nesting -= 1;
        self.end_scope_unit(unroll.scope);
    }
}
