//! A machine that is two: the one-pass code generator, and the builder of the representation, given the same operations.
//!
//! An operand, a jump list and a place of this machine are numbers of pairs: what each of the two calls it. The emitter sees
//! constants and `()` as they are, and of all else only whether it is a condition, as [`Operand`] says.
//!
//! # Invariants
//! - A1: an operand is a condition if it is one to either of the two, so that it is settled before either emits something else;
//!   it is a register if it is one to both.
//! - A2: the marks that let the emitter bypass the machine are never seen: no operand of this machine is a home register
//!   ([`Operand::is_home_register`]).

use std::cell::RefCell;

use super::Kept;
use crate::error::Error;
use crate::ir::Builder;
use crate::machine::{
    Binary, BinaryOp, Compare, Finished, JumpList, Machine, Operand, Place, Prologue, Target, UnaryOp, kind,
};
use crate::trap::TrapKind;
use crate::types::Type;
use crate::x64::OnePass;

/// Arguments of a call.
type Params = Vec<(Type, Operand)>;

/// Both machines; see the head of this module.
pub(crate) struct Tee {
    code: OnePass,
    ir: Builder,
    operands: RefCell<Vec<(Operand, Operand)>>,
    /// The empty list is number 0.
    lists: Vec<(JumpList, JumpList)>,
    places: Vec<(Place, Place)>,
    /// Whether the representation is complete.
    is_kept: bool,
    /// The cell by which the first code calls itself.
    cell: u64,
    /// Storage that is reused.
    homes: (Vec<Operand>, Vec<Operand>),
    params: (Params, Params),
}

impl Tee {
    pub(crate) fn new() -> Result<Tee, Error> {
        let code = OnePass::new()?;
        let ir = Builder::kept(code.is_poor());
        Ok(Tee {
            code,
            ir,
            operands: RefCell::default(),
            lists: Vec::new(),
            places: Vec::new(),
            is_kept: false,
            cell: 0,
            homes: Default::default(),
            params: Default::default(),
        })
    }
}

/// What each of the machines calls something, from what this one calls it.
trait Split: Sized {
    fn split(self, tee: &Tee) -> (Self, Self);
}

macro_rules! the_same_to_both {
    ($($t:ty),*) => {$(
        impl Split for $t {
            #[inline(always)]
            fn split(self, _: &Tee) -> (Self, Self) {
                (self, self)
            }
        }
    )*};
}
the_same_to_both!(Type, Binary, BinaryOp, Compare, UnaryOp, TrapKind, i32, u64, bool);

impl Split for Operand {
    #[inline]
    fn split(self, tee: &Tee) -> (Self, Self) {
        if !matches!(self.kind(), kind::REG | kind::MEM | kind::COND) {
            return (self, self);
        }
        let (a, b) = tee.operands.borrow()[self.body as usize];
        if self.head & Operand::IN_PLACE != 0 { (a.in_place(), b.in_place()) } else { (a, b) }
    }
}

impl Split for JumpList {
    #[inline]
    fn split(self, tee: &Tee) -> (Self, Self) {
        tee.lists[self as usize]
    }
}

impl Split for Place {
    #[inline]
    fn split(self, tee: &Tee) -> (Self, Self) {
        tee.places[self.0 as usize]
    }
}

/// What this machine calls what each of the others calls something.
trait Join {
    type Joined;
    fn join(self, tee: &mut Tee) -> Self::Joined;
}

impl Join for ((), ()) {
    type Joined = ();
    #[inline(always)]
    fn join(self, _: &mut Tee) {}
}

impl Join for (Operand, Operand) {
    type Joined = Operand;
    #[inline]
    fn join(self, tee: &mut Tee) -> Operand {
        tee.pair(self)
    }
}

impl Join for (JumpList, JumpList) {
    type Joined = JumpList;
    #[inline]
    fn join(self, tee: &mut Tee) -> JumpList {
        if self == (0, 0) {
            return 0;
        }
        tee.lists.push(self);
        tee.lists.len() as JumpList - 1
    }
}

impl Join for (Place, Place) {
    type Joined = Place;
    fn join(self, tee: &mut Tee) -> Place {
        tee.places.push(self);
        Place(tee.places.len() as u32 - 1)
    }
}

impl Tee {
    /// The operand that is these two.
    #[inline]
    fn pair(&self, (a, b): (Operand, Operand)) -> Operand {
        let kind = match (a.kind(), b.kind()) {
            (kind::CONST, kind::CONST) | (kind::UNIT, kind::UNIT) if a == b => return a,
            (kind::COND, _) | (_, kind::COND) => kind::COND,
            (kind::REG, kind::REG) => kind::REG,
            _ => kind::MEM,
        };
        let mut operands = self.operands.borrow_mut();
        operands.push((a, b));
        // The mark keeps it from being taken for a home register (A2).
        Operand { head: u64::from(kind) | 1 << 63, body: operands.len() as u64 - 1 }
    }
}

/// Operations that both machines are given as they come.
macro_rules! given_to_both {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)?;)*) => {$(
        fn $name(&mut self, $($arg: $ty),*) $(-> $ret)? {
            $(let $arg = $arg.split(self);)*
            (self.code.$name($($arg.0),*), self.ir.$name($($arg.1),*)).join(self)
        }
    )*};
}

impl Machine for Tee {
    given_to_both! {
        fn binary(o: Binary, a: Operand, b: Operand) -> Operand;
        fn unary(op: UnaryOp, ty: Type, a: Operand) -> Operand;
        fn compare(o: Compare, a: Operand, b: Operand) -> Operand;
        fn test(ty: Type, a: Operand, b: Operand, nonzero: bool) -> Operand;
        fn convert(from: Type, to: Type, a: Operand) -> Operand;
        fn bitcast(from: Type, to: Type, a: Operand) -> Operand;
        fn release(a: Operand);
        fn pin(ty: Type, a: Operand) -> Operand;
        fn declare(ty: Type, init: Operand) -> Operand;
        fn declare_zeroed(ty: Type, straight: bool) -> Operand;
        fn assign_binary(o: Binary, home: Operand, value: Operand);
        fn take(home: Operand) -> Operand;
        fn in_register(ty: Type, a: Operand) -> Operand;
        fn displaced(place: Operand, disp: i32) -> Operand;
        fn pointer(place: Operand) -> Operand;
        fn load(ty: Type, place: Operand) -> Operand;
        fn load_behind(ty: Type, pointer: Operand, disp: i32) -> Operand;
        fn store(ty: Type, place: Operand, value: Operand);
        fn store_binary(o: Binary, place: Operand, value: Operand);
        fn invert(condition: Operand) -> Operand;
        fn jump_if_false(condition: Operand) -> JumpList;
        fn jump_if_true(condition: Operand) -> JumpList;
        fn and(list: JumpList, rhs: Operand) -> Operand;
        fn or(list: JumpList, rhs: Operand) -> Operand;
        fn jump() -> JumpList;
        fn merge(a: JumpList, b: JumpList) -> JumpList;
        fn here() -> Place;
        fn land(list: JumpList);
        fn send(list: JumpList, to: Place);
        fn trap_if(condition: Operand, trap: TrapKind);
        fn trap_code(code: Operand);
        fn alu_wide(op: BinaryOp, a: Operand, b: Operand) -> Operand;
        fn multiply_wide(a: Operand, b: Operand) -> Operand;
        fn multiply_wide_constant(a: Operand, c: u64) -> Operand;
        fn assign_alu_wide(op: BinaryOp, home: Operand, value: Operand);
        fn compare_wide(o: Compare, a: Operand, b: Operand) -> Operand;
        fn ret(ty: Type, value: Operand);
        fn has_labels();
        fn load_volatile(ty: Type, place: Operand) -> Operand;
        fn store_volatile(ty: Type, place: Operand, value: Operand);
        fn abandon();
    }

    fn begin(&mut self, prologue: &Prologue<'_>, homes: &mut Vec<Operand>) {
        self.operands.get_mut().clear();
        self.lists.clear();
        self.lists.push((0, 0));
        self.places.clear();
        self.is_kept = false;
        let (mut a, mut b) = std::mem::take(&mut self.homes);
        a.clear();
        b.clear();
        self.code.begin(prologue, &mut a);
        self.ir.begin(prologue, &mut b);
        homes.extend(a.iter().zip(&b).map(|(&a, &b)| self.pair((a, b))));
        self.homes = (a, b);
    }

    fn finish(&mut self, ty: Type, value: Operand, open: bool) -> Finished {
        let (a, b) = value.split(self);
        self.is_kept = !self.ir.finish(ty, b, open).is(Finished::FAILED);
        self.code.finish(ty, a, open)
    }

    fn take_error(&mut self) -> Option<Error> {
        self.code.take_error()
    }

    fn settle(&mut self, a: Operand) -> Operand {
        let (a, b) = a.split(self);
        let a = if a.kind() == kind::COND { self.code.settle(a) } else { a };
        let b = if b.kind() == kind::COND { self.ir.settle(b) } else { b };
        self.pair((a, b))
    }

    fn assign(&mut self, ty: Type, home: Operand, value: Operand) {
        let (home, value) = (home.split(self), value.split(self));
        // What was computed in place is there already; to one of the two, it may not have been.
        if value.0 != home.0.in_place() {
            self.code.assign(ty, home.0, value.0);
        }
        if value.1 != home.1.in_place() {
            self.ir.assign(ty, home.1, value.1);
        }
    }

    fn declare_bound(&mut self, ty: Type, bound: Operand) -> Operand {
        let (a, b) = bound.split(self);
        let (mut home, other) = (self.code.declare_bound(ty, a), self.ir.declare_bound(ty, b));
        if home == a {
            if other == b {
                return bound;
            }
            // The emitter would take it for a new one, and give back what belongs to somebody else.
            home = self.code.declare(ty, a);
        }
        self.pair((home, other))
    }

    fn borrowed(&self, a: Operand) -> Operand {
        let (a, b) = a.split(self);
        self.pair((self.code.borrowed(a), self.ir.borrowed(b)))
    }

    fn refers_to(&self, value: Operand, home: Operand) -> bool {
        let (value, home) = (value.split(self), home.split(self));
        self.code.refers_to(value.0, home.0) || self.ir.refers_to(value.1, home.1)
    }

    fn address(&mut self, base: Operand, index: Option<Operand>, scale: u32, disp: i32) -> Operand {
        let (base, index) = (base.split(self), index.map(|index| index.split(self)));
        let a = self.code.address(base.0, index.map(|index| index.0), scale, disp);
        let b = self.ir.address(base.1, index.map(|index| index.1), scale, disp);
        self.pair((a, b))
    }

    fn element(&mut self, place: Operand, index: Operand, scale: u32) -> Operand {
        let (place, index) = (place.split(self), index.split(self));
        let a = self.code.element(place.0, index.0, scale);
        let b = self.ir.element(place.1, index.1, scale);
        self.pair((a, b))
    }

    fn call(&mut self, target: Target, params: &[(Type, Operand)], pairs: u32, ret: Type) -> Operand {
        let (mut a, mut b) = std::mem::take(&mut self.params);
        a.clear();
        b.clear();
        for &(ty, operand) in params {
            let (of_code, of_ir) = operand.split(self);
            a.push((ty, of_code));
            b.push((ty, of_ir));
        }
        // By the cell, so that recursion counts, and goes on in better code as soon as there is some.
        let by_cell = if target == Target::SelfCall { Target::Declared(self.cell) } else { target };
        let result = (self.code.call(by_cell, &a, pairs, ret), self.ir.call(target, &b, pairs, ret));
        self.params = (a, b);
        self.pair(result)
    }

    fn switch(&mut self, index: Operand, count: u32, entries: &mut Vec<JumpList>) {
        let index = index.split(self);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        self.code.switch(index.0, count, &mut a);
        self.ir.switch(index.1, count, &mut b);
        for lists in a.into_iter().zip(b) {
            entries.push(lists.join(self));
        }
    }

    fn lost(&self, homes: &mut dyn Iterator<Item = Operand>) -> u32 {
        self.code.lost(&mut homes.map(|home| home.split(self).0))
    }

    fn overflowed(&self) -> Option<usize> {
        self.code.overflowed()
    }

    fn place(&self, to: &mut [u8], address: u64) {
        self.code.place(to, address);
    }

    fn call_itself_by(&mut self, cell: u64) {
        self.cell = cell;
    }

    fn kept(&self) -> Option<Box<Kept>> {
        self.is_kept.then(|| Box::new(self.ir.keep()))
    }
}
