//! Control flow: `&&`, `||`, `if`, loops, `match`, `return`.
//!
//! The expansion of `tick!` asks what is live before it emits an arm, so arms that a run-time constant rules out are never
//! instantiated. The value of several arms meets in a variable without name.

use super::dispatch::Pat;
use super::vars::Home;
use super::{Emitter, Val, Var};
use crate::error::Error;
use crate::machine::{Binary, BinaryOp, Compare, Comparison, JumpList, Operand, Place};
use crate::types::{DynamicType, Int, Shape, Type};

/// `a && b` or `a || b` while it is emitted.
#[must_use]
#[derive(Debug)]
pub struct Logic {
    or: bool,
    /// False-list (`&&`) or true-list (`||`) of a.
    list: JumpList,
    /// The result, when a is a constant or b has been emitted.
    value: Option<Operand>,
    live: bool,
}

impl Logic {
    /// Whether the right-hand side is evaluated at all.
    #[inline(always)]
    pub fn live(&self) -> bool {
        self.live
    }
}

/// Where the value of several arms meets.
#[derive(Debug)]
struct Join {
    /// Index of the variable, once the first arm has ended.
    index: Option<u32>,
}

/// `if` while it is emitted.
#[must_use]
#[derive(Debug)]
pub struct If<T> {
    then_live: bool,
    else_live: bool,
    /// Whether control comes out of the arm emitted last.
    open: bool,
    else_begun: bool,
    /// Jumps to the other arm.
    to_else: JumpList,
    /// Jumps behind the `if`.
    to_end: JumpList,
    /// Value of the only live arm.
    only: Option<Val<T>>,
    join: Join,
}

impl<T> If<T> {
    /// Whether the first arm is emitted.
    #[inline(always)]
    pub fn then_live(&self) -> bool {
        self.then_live
    }
}

/// A loop while it is emitted.
#[must_use]
#[derive(Debug)]
pub struct Loop<T> {
    pub(super) top: Place,
    /// Jump to the condition on entry.
    entry: JumpList,
    pub(super) breaks: JumpList,
    pub(super) continues: JumpList,
    /// Variable of the value that `break` leaves.
    join: Join,
    /// `for`: index of the bound's variable, and whether it is the last value.
    bound: u32,
    pub(super) inclusive: bool,
    marker: std::marker::PhantomData<fn() -> T>,
}

/// `match` while it is emitted.
#[must_use]
#[derive(Debug)]
pub struct Match<S, T> {
    /// What is matched: a constant, or the home of a variable.
    scrutinee: Operand,
    index: u32,
    /// A constant scrutinee has found its arm.
    found: bool,
    /// Jumps to the next arm, where arms test one after the other.
    next: JumpList,
    /// Jumps to each arm and to the last one, where all tests come first; else empty.
    targets: Vec<JumpList>,
    /// Number of the next arm with patterns.
    arm: usize,
    /// Whether an arm is open whose end must jump behind the `match`.
    open: bool,
    last: bool,
    to_end: JumpList,
    only: Option<Val<T>>,
    join: Join,
    marker: std::marker::PhantomData<fn() -> S>,
}

/// The end of a round of an unrolled loop. Captured Rust code has none to `return`.
#[derive(Debug)]
pub struct Round(());

impl Round {
    /// A round has come to its end.
    #[inline(always)]
    pub fn done() -> Round {
        Round(())
    }
}

/// One round of an unrolled loop.
#[inline(always)]
pub fn round<X>(item: X, round: impl FnOnce(X) -> Round) {
    let Round(()) = round(item);
}

impl Emitter {
    /// `a && …`
    pub fn and(&mut self, a: Val<bool>) -> Logic {
        self.logic(false, a)
    }

    /// `a || …`
    pub fn or(&mut self, a: Val<bool>) -> Logic {
        self.logic(true, a)
    }

    #[inline]
    fn logic(&mut self, or: bool, a: Val<bool>) -> Logic {
        let a = a.into_operand();
        if a.is_const() {
            let decided = (a.body != 0) == or;
            return Logic { or, list: 0, value: decided.then_some(a), live: !decided };
        }
        let list = if or { self.machine.jump_if_true(a) } else { self.machine.jump_if_false(a) };
        self.nesting += 1;
        Logic { or, list, value: None, live: true }
    }

    /// The right-hand side.
    #[inline]
    pub fn logic_rhs(&mut self, logic: &mut Logic, b: Val<bool>) {
        let b = b.into_operand();
        logic.value = Some(match (logic.list, logic.or) {
            (0, _) => b,
            (list, or) if b.is_const() && (b.body != 0) == or => {
                // Whatever a is.
                self.machine.land(list);
                b
            }
            (list, false) => self.machine.and(list, b),
            (list, true) => self.machine.or(list, b),
        });
    }

    /// The value of the whole.
    #[inline]
    pub fn logic_end(&mut self, logic: Logic) -> Val<bool> {
        if logic.list != 0 {
            self.nesting -= 1;
        }
        // Without a right-hand side (it diverged), control is here only by the list.
        Val::new(logic.value.unwrap_or_else(|| {
            if logic.list != 0 {
                self.machine.land(logic.list);
            }
            Operand::constant(u64::from(logic.or))
        }))
    }

    /// The value of one of several arms into the place where they meet.
    fn join<T: DynamicType>(&mut self, join: &mut Join, v: Val<T>) {
        let operand = v.into_operand();
        match (T::SHAPE, join.index) {
            (Shape::Unit, _) => {}
            (Shape::Scalar(ty), None) => {
                let home = self.machine.declare(ty, operand);
                join.index = Some(self.declare_hidden(home));
            }
            (Shape::Scalar(ty), Some(index)) => {
                let home = self.home(index);
                self.machine.assign(ty, home, operand);
            }
            (Shape::Pair, None) => join.index = Some(self.declare_pair(operand)),
            (Shape::Pair, Some(index)) => self.assign(self.home_of::<T>(index), Val::new(operand)),
        }
    }

    /// The value that has met, as a temporary.
    fn joined<T: DynamicType>(&mut self, join: Join) -> Val<T> {
        match (T::SHAPE, join.index) {
            (Shape::Unit, _) => Val::new(Operand::UNIT),
            (_, None) => self.never(),
            (_, Some(index)) => self.take_hidden(self.home_of::<T>(index)),
        }
    }

    /// `if c`
    #[inline]
    pub fn if_<T>(&mut self, c: Val<bool>) -> If<T> {
        let c = c.into_operand();
        let (then_live, else_live, to_else) = if c.is_const() {
            (c.body != 0, c.body == 0, 0)
        } else {
            self.nesting += 1;
            (true, true, self.machine.jump_if_false(c))
        };
        let join = Join { index: None };
        If { then_live, else_live, open: then_live, else_begun: false, to_else, to_end: 0, only: None, join }
    }

    /// The end of the first arm.
    #[inline]
    pub fn then_end<T: DynamicType>(&mut self, i: &mut If<T>, v: Val<T>) {
        if i.else_live { self.join(&mut i.join, v) } else { i.only = Some(v) }
    }

    /// The end of a first arm that control does not come out of.
    #[inline]
    pub fn then_never<T: DynamicType>(&mut self, i: &mut If<T>) {
        i.open = false;
    }

    /// Whether the second arm is emitted.
    #[inline]
    pub fn else_begin<T: DynamicType>(&mut self, i: &mut If<T>) -> bool {
        if i.then_live && i.else_live {
            if i.open {
                i.to_end = self.machine.jump();
            }
            self.machine.land(i.to_else);
        }
        i.else_begun = true;
        i.else_live
    }

    /// The end of the second arm.
    #[inline]
    pub fn else_end<T: DynamicType>(&mut self, i: &mut If<T>, v: Val<T>) {
        if i.then_live { self.join(&mut i.join, v) } else { i.only = Some(v) }
    }

    /// The end of a second arm that control does not come out of.
    #[inline]
    pub fn else_never<T: DynamicType>(&mut self, _: &mut If<T>) {}

    /// The value of the whole.
    #[inline]
    pub fn if_end<T: DynamicType>(&mut self, i: If<T>) -> Val<T> {
        if !(i.then_live && i.else_live) {
            return match i.only {
                Some(only) => only,
                None => self.never(),
            };
        }
        self.nesting -= 1;
        self.machine.land(if i.else_begun { i.to_end } else { i.to_else });
        self.joined(i.join)
    }

    pub(super) fn new_loop<T>(&mut self, entry: JumpList) -> Loop<T> {
        self.nesting += 1;
        Loop {
            top: self.machine.here(),
            entry,
            breaks: 0,
            continues: 0,
            join: Join { index: None },
            bound: 0,
            inclusive: false,
            marker: std::marker::PhantomData,
        }
    }

    /// `while`, before its body. The condition is emitted behind the body, so that each round takes one jump.
    pub fn while_begin(&mut self) -> Loop<()> {
        let entry = self.machine.jump();
        self.new_loop(entry)
    }

    /// Before the condition.
    pub fn while_cond(&mut self, l: &mut Loop<()>) {
        self.machine.land(l.continues);
        self.machine.land(l.entry);
    }

    /// Behind the condition.
    pub fn while_end(&mut self, l: Loop<()>, c: Val<bool>) {
        let c = c.into_operand();
        let again =
            if c.is_const() { if c.body == 0 { 0 } else { self.machine.jump() } } else { self.machine.jump_if_true(c) };
        self.machine.send(again, l.top);
        self.machine.land(l.breaks);
        self.nesting -= 1;
    }

    /// `loop`, before its body.
    pub fn loop_begin<T: DynamicType>(&mut self) -> Loop<T> {
        let join = Join {
            index: match T::SHAPE {
                Shape::Unit => None,
                Shape::Scalar(ty) => {
                    let home = self.machine.declare(ty, Operand::constant(0));
                    Some(self.declare_hidden(home))
                }
                Shape::Pair => {
                    let empty = self.constant_pair(0, 0);
                    Some(self.declare_pair(empty))
                }
            },
        };
        Loop { join, ..self.new_loop(0) }
    }

    /// Behind the body.
    pub fn loop_end<T: DynamicType>(&mut self, l: Loop<T>) -> Val<T> {
        let again = self.machine.jump();
        self.machine.send(again, l.top);
        self.machine.send(l.continues, l.top);
        self.machine.land(l.breaks);
        self.nesting -= 1;
        self.joined(l.join)
    }

    /// `for i in a..b`, before its body; the bound must not change while the loop runs. The variable is freed by `for_end`.
    pub fn for_begin<T: Int>(&mut self, a: Val<T>, b: Val<T>, inclusive: bool) -> (Loop<()>, Home<T>) {
        let (ty, a, b) = (T::TYPE, a.into_operand(), b.into_operand());
        // Where both bounds are constants it is known whether the first round runs.
        let known = a.is_const() && b.is_const();
        let test = if inclusive { Comparison::Le } else { Comparison::Lt };
        let first = !known || super::fold::fold_compare(test, ty, a.body, b.body);
        let bound_home = if b.is_const() { b } else { self.machine.declare_bound(ty, b) };
        let bound = if bound_home == b { self.declare_alias(b) } else { self.declare_at(bound_home) };
        let home = self.machine.declare(ty, a);
        let index = self.declare_at(home);
        let mut exit = 0;
        if !known {
            let enters = if a.is_const() {
                self.compare_operands(Compare { op: test.swapped(), ty }, bound_home, a)
            } else {
                self.compare_operands(Compare { op: test, ty }, home, bound_home)
            };
            exit = self.machine.jump_if_false(enters);
        } else if !first {
            exit = self.machine.jump();
        }
        let mut l = self.new_loop(0);
        l.breaks = exit;
        l.bound = bound;
        l.inclusive = inclusive;
        (l, self.home_of(index))
    }

    /// Behind the body of a `for`, where `continue` goes.
    pub fn for_continue_point(&mut self, l: &mut Loop<()>) {
        self.machine.land(std::mem::take(&mut l.continues));
    }

    /// The end of a `for`: the next value, if there is one.
    pub fn for_end<T: Int>(&mut self, mut l: Loop<()>, i: Home<T>) {
        let (home, bound) = (i.operand, self.home(l.bound));
        let one = Operand::constant(1);
        let again = if l.inclusive {
            let done = self.compare_operands(
                Compare { op: if fault!(48) { Comparison::Gt } else { Comparison::Ge }, ty: T::TYPE },
                home,
                bound,
            );
            let done = self.machine.jump_if_true(done);
            l.breaks = self.machine.merge(l.breaks, done);
            self.assign_operand(Binary { op: BinaryOp::Add, ty: T::TYPE }, home, one);
            self.machine.jump()
        } else {
            self.assign_operand(Binary { op: BinaryOp::Add, ty: T::TYPE }, home, one);
            let more = self.compare_operands(Compare { op: Comparison::Lt, ty: T::TYPE }, home, bound);
            self.machine.jump_if_true(more)
        };
        self.machine.send(again, l.top);
        self.machine.land(l.breaks);
        self.nesting -= 1;
        let scope = super::Scope { first: l.bound };
        self.end_scope_unit(scope);
    }

    /// `break`
    pub fn break_(&mut self, l: &mut Loop<()>) {
        let jump = self.machine.jump();
        l.breaks = self.machine.merge(l.breaks, jump);
    }

    /// `break v`
    pub fn break_value<T: DynamicType>(&mut self, l: &mut Loop<T>, v: Val<T>) {
        self.join(&mut l.join, v);
        let jump = self.machine.jump();
        l.breaks = self.machine.merge(l.breaks, jump);
    }

    /// `continue`
    pub fn continue_<T: DynamicType>(&mut self, l: &mut Loop<T>) {
        let jump = self.machine.jump();
        l.continues = self.machine.merge(l.continues, jump);
    }

    /// What is matched is an integer: saying so first puts the error there.
    #[inline(always)]
    pub fn match_value<S: Int>(&mut self, v: Val<S>) -> Val<S> {
        v
    }

    /// `match v`, with the patterns of all arms but the last one, which takes everything.
    pub fn match_begin<S: Int, T>(&mut self, v: Val<S>, arms: &[&[Pat<S>]]) -> Match<S, T> {
        let v = v.into_operand();
        let scrutinee = if v.is_const() { v } else { self.machine.declare(S::TYPE, v) };
        let index = self.declare_hidden(scrutinee);
        self.nesting += u32::from(!v.is_const());
        let large = !v.is_const() && super::dispatch::is_large(arms);
        let targets = if large { self.dispatch(scrutinee, arms) } else { Vec::new() };
        Match {
            scrutinee,
            index,
            found: false,
            next: 0,
            targets,
            arm: 0,
            open: false,
            last: false,
            to_end: 0,
            only: None,
            join: Join { index: None },
            marker: std::marker::PhantomData,
        }
    }

    /// Leaves the arm before, goes to the next one.
    fn next_arm<S: Int, T>(&mut self, m: &mut Match<S, T>) {
        if m.open {
            let jump = self.machine.jump();
            m.to_end = self.machine.merge(m.to_end, jump);
        }
        self.machine.land(std::mem::take(&mut m.next));
        m.open = true;
    }

    /// Goes to the next arm, to which the tests have jumped; whether any has.
    fn next_target<S: Int, T>(&mut self, m: &mut Match<S, T>) -> bool {
        m.next = m.targets[m.arm];
        m.arm += 1;
        let live = m.next != 0;
        if live {
            self.next_arm(m);
        }
        live
    }

    /// An arm with patterns: whether it is emitted.
    pub fn arm<S: Int, T: DynamicType>(&mut self, m: &mut Match<S, T>, patterns: &[Pat<S>]) -> bool {
        if m.scrutinee.is_const() {
            let value = m.scrutinee.body;
            let holds = |&(op, c): &(Comparison, u64)| super::fold::fold_compare(op, S::TYPE, value, c);
            let live = !m.found && patterns.iter().any(|p| p.tests().iter().flatten().all(holds));
            m.found |= live;
            return live;
        }
        if !m.targets.is_empty() {
            return self.next_target(m);
        }
        self.next_arm(m);
        let mut body = 0;
        let (last, others) = patterns.split_last().expect("an arm has a pattern");
        for pattern in others {
            let [first, second] = pattern.tests();
            let mut misses = 0;
            if let (Some(lower), Some(_)) = (first, second) {
                let c = self.match_test::<S>(m.scrutinee, lower);
                misses = self.machine.jump_if_false(c);
            }
            let test = second.or(first).expect("a pattern has a test");
            let c = self.match_test::<S>(m.scrutinee, test);
            let hit = self.machine.jump_if_true(c);
            body = self.machine.merge(body, hit);
            self.machine.land(misses);
        }
        for test in last.tests().into_iter().flatten() {
            let c = self.match_test::<S>(m.scrutinee, test);
            let miss = self.machine.jump_if_false(c);
            m.next = self.machine.merge(m.next, miss);
        }
        self.machine.land(body);
        true
    }

    fn match_test<S: Int>(&mut self, scrutinee: Operand, (op, c): (Comparison, u64)) -> Operand {
        self.compare_operands(Compare { op, ty: S::TYPE }, scrutinee, Operand::constant(c))
    }

    /// The arm `_`: whether it is emitted.
    pub fn arm_default<S: Int, T: DynamicType>(&mut self, m: &mut Match<S, T>) -> bool {
        m.last = true;
        if m.scrutinee.is_const() {
            return !m.found;
        }
        if !m.targets.is_empty() {
            return self.next_target(m);
        }
        self.next_arm(m);
        true
    }

    /// The arm `name`: whether it is emitted, and the variable.
    #[track_caller]
    pub fn arm_bind<S: Int, T: DynamicType>(&mut self, m: &mut Match<S, T>) -> (bool, Var<S>) {
        self.show(m.index);
        let var = self.home_of(m.index);
        (self.arm_default(m), self.var(var))
    }

    /// The end of an arm.
    pub fn arm_end<S: Int, T: DynamicType>(&mut self, m: &mut Match<S, T>, v: Val<T>) {
        if m.scrutinee.is_const() { m.only = Some(v) } else { self.join(&mut m.join, v) }
    }

    /// The end of an arm that control does not come out of.
    pub fn arm_never<S: Int, T: DynamicType>(&mut self, m: &mut Match<S, T>) {
        m.open = false;
    }

    /// The value of the whole.
    pub fn match_end<S: Int, T: DynamicType>(&mut self, m: Match<S, T>) -> Val<T> {
        let value = if m.scrutinee.is_const() {
            match m.only {
                Some(only) => only,
                None => self.never(),
            }
        } else {
            debug_assert!(m.last, "the last arm of a dynamic match is irrefutable");
            self.machine.land(m.to_end);
            self.nesting -= 1;
            self.joined(m.join)
        };
        // The last arm may have given what is matched a name.
        self.end_variable(m.index);
        value
    }

    /// `return v`
    pub fn ret<T: DynamicType>(&mut self, v: Val<T>) {
        let ty = match T::SHAPE {
            Shape::Scalar(ty) => ty,
            Shape::Unit => Type::Unit,
            Shape::Pair => {
                self.set_error(Error::ReturnsSlice);
                return;
            }
        };
        if ty != self.ret {
            self.set_error(Error::ReturnType { expected: self.ret, found: ty });
            return self.discard(v);
        }
        self.machine.ret(ty, v.into_operand());
    }

    /// `trap(code)`
    pub fn trap(&mut self, code: Val<u32>) {
        self.machine.trap_code(code.into_operand());
    }
}
