//! Variables: the table of a function's homes, scopes, and locals.
//!
//! # Invariants
//! - V1: an index of the table is never used twice within a function, so a `Var` whose scope has ended can be told.
//! - V2: a variable's function number is unique in its thread, so a `Var` of another function can be told.

use std::cell::Cell;
use std::marker::PhantomData;
use std::panic::Location;

use rustc_hash::FxHashMap;

use super::{Emitter, Val, Var};
use crate::error::Error;
use crate::machine::{Binary, BinaryOp, Operand, kind};
use crate::types::{Bits, DynamicType, Int, Number, Scalar, Shape, Type};

thread_local! {
    static NEXT_FUNCTION: Cell<u64> = const { Cell::new(1) };
    /// The variables of this thread whose handles Rust code got last, with the places where they were bound.
    static PLACES: [Cell<Bound>; PLACES_LEN] = const { [const { Cell::new((0, None)) }; PLACES_LEN] };
    /// How many there have been.
    static PLACES_NEXT: Cell<usize> = const { Cell::new(0) };
}

/// The bits of a handle, and where the variable was bound.
type Bound = (u64, Option<&'static Location<'static>>);
/// Of how many variables the place is known. A handle that outlives its function does not do so for long: it is kept by mistake.
const PLACES_LEN: usize = 1024;

/// Remembers where the variable with the handle `bits` is bound, so that handles need not carry it.
#[inline]
pub(super) fn remember_place(bits: u64, place: &'static Location<'static>) {
    let next = PLACES_NEXT.get();
    PLACES_NEXT.set(next + 1);
    PLACES.with(|places| places[next % PLACES_LEN].set((bits, Some(place))));
}

/// Where the variable with the handle `bits` was bound, if that was not too long ago.
#[cold]
fn place_of(bits: u64) -> Option<&'static Location<'static>> {
    PLACES.with(|places| places.iter().map(Cell::get).find(|&(of, _)| of == bits)?.1)
}

/// A number for a function that no other function of this thread has had (V2): 39 bits of them last for days of nothing but
/// compilation.
///
/// # Panics
/// When they are used up: a variable of a function with the same number would be taken for another one, of another type.
#[inline]
pub(crate) fn next_function() -> u64 {
    let number = NEXT_FUNCTION.get();
    assert!(number < 1 << 39, "a thread compiles at most 2^39 functions");
    NEXT_FUNCTION.set(number + 1);
    number
}

#[derive(Clone, Copy)]
struct Slot {
    home: Operand,
    kind: SlotKind,
}

/// What a slot of the table stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SlotKind {
    /// A variable that the quotation binds: a parameter, a `let`, the variable or the bound of a loop.
    Variable,
    /// A value on its way: where arms meet, what is matched, a slice that is pinned. Always written before it is read.
    Hidden,
    /// Not freed with a scope: a local of the function, or a second name of another variable's home.
    Kept,
}

/// The variables of the function under construction.
#[derive(Default)]
pub(super) struct Variables {
    slots: Vec<Slot>,
    /// Index in `slots` of each `Var::local()`, by its number.
    locals: FxHashMap<u64, u32>,
    /// The locals found last, by the low bits of their number.
    recent: [Recent; 32],
}

/// A local that was found: of function `function`, with the handle `bits`.
#[derive(Clone, Copy)]
struct Recent {
    function: u64,
    bits: u64,
    home: Operand,
}

impl Default for Recent {
    fn default() -> Self {
        Recent { function: 0, bits: 0, home: Operand::DEAD }
    }
}

impl Variables {
    /// Where the local with the handle `bits` is remembered.
    #[inline(always)]
    fn recent_of(&mut self, bits: u64) -> &mut Recent {
        &mut self.recent[bits as usize % 32]
    }

    /// The homes of all variables that still have one.
    pub(super) fn homes(&self) -> impl Iterator<Item = Operand> {
        self.slots.iter().map(|slot| slot.home)
    }

    /// Ends the scope of the variables from `first` on, up to the first one that has not been taken; whether there is none.
    #[inline(always)]
    fn end_taken(&mut self, first: u32) -> bool {
        self.slots[first as usize..].iter_mut().all(|slot| {
            let taken = slot.home.kind() == kind::DEAD;
            if taken {
                slot.home = Operand::DEAD;
            }
            taken
        })
    }

    /// How many variables there have been.
    pub(super) fn len(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Whether the variable at `index` is in scope.
    pub(super) fn is_in_scope(&self, index: u32) -> bool {
        self.slots[index as usize].home != Operand::DEAD
    }

    /// The variable in scope that was bound last, other than those from `skip.0` to before `skip.1`, of which none is.
    pub(super) fn last_in_scope(&self, skip: (u32, u32)) -> Option<u32> {
        let in_scope = |&index: &u32| {
            let slot = self.slots[index as usize];
            slot.kind == SlotKind::Variable && slot.home != Operand::DEAD
        };
        (skip.1..self.len()).rev().find(in_scope).or_else(|| (0..skip.0).rev().find(in_scope))
    }

    pub(super) fn clear(&mut self) {
        self.slots.clear();
        if !self.locals.is_empty() {
            self.locals.clear();
        }
    }
}

/// A variable of the quotation that is being instantiated, known by its name only: since nothing but the quotation can refer to
/// it, and rustc has checked its scope, its home can be used without looking it up.
#[derive(Debug)]
pub struct Home<T> {
    /// What reading it yields.
    pub(super) operand: Operand,
    index: u32,
    marker: PhantomData<fn() -> T>,
}
impl<T> Clone for Home<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Home<T> {}

/// What an expansion names: a [`Home`], or a handle ([`Var`]), which is looked up.
pub trait Named: Copy {
    /// The variable's type.
    type Ty: DynamicType;
    /// What reading it yields; `None` sets the error.
    #[doc(hidden)]
    #[track_caller]
    fn operand(self, e: &mut Emitter) -> Option<Operand>;
    /// The home of a variable that is assigned `value`; `None` sets the error.
    #[doc(hidden)]
    #[inline(always)]
    #[track_caller]
    fn target(self, e: &mut Emitter, _value: Operand) -> Option<Operand> {
        self.operand(e)
    }
}
impl<T: DynamicType> Named for Home<T> {
    type Ty = T;
    #[inline(always)]
    fn operand(self, _: &mut Emitter) -> Option<Operand> {
        Some(self.operand)
    }
}
impl<T: DynamicType> Named for Var<T> {
    type Ty = T;
    #[inline(always)]
    fn operand(self, e: &mut Emitter) -> Option<Operand> {
        let function = e.function;
        if self.function() == function
            && let Some(slot) = e.vars.slots.get(self.index() as usize)
            && slot.home.kind() != kind::DEAD
        {
            return Some(match T::SHAPE {
                Shape::Pair => Operand::pair(self.index()),
                _ => slot.home,
            });
        }
        let recent = e.vars.recent_of(self.bits());
        if recent.bits == self.bits() && recent.function == function {
            return Some(recent.home);
        }
        let index = e.index_of_other(self)?;
        Some(e.home_of::<T>(index).operand)
    }

    /// A local that is seen for the first time is zeroed by the prologue while a condition is pending: code for it here would
    /// destroy the flags, and only one of the ways would come by.
    #[inline(always)]
    fn target(self, e: &mut Emitter, value: Operand) -> Option<Operand> {
        let pending = u32::from(value.kind() == kind::COND);
        e.nesting += pending;
        let home = self.operand(e);
        e.nesting -= pending;
        home
    }
}

/// The variables declared since a scope was opened.
#[must_use]
#[derive(Debug)]
pub struct Scope {
    pub(super) first: u32,
}

impl Emitter {
    /// Reads a variable.
    #[inline(always)]
    #[track_caller]
    pub fn get<V: Named>(&mut self, v: V) -> Val<V::Ty> {
        match v.operand(self) {
            Some(operand) => Val::new(operand),
            None => self.poison(),
        }
    }

    /// Reads a variable for the last time: its home becomes a temporary. Not so where a jump may come back to a label in its
    /// scope, to read it again.
    #[inline]
    pub fn take<T: DynamicType>(&mut self, v: Home<T>) -> Val<T> {
        if v.index >= self.labelled { self.take_as(v, Operand::TAKEN) } else { Val::new(v.operand) }
    }

    /// Reads a hidden variable for the last time.
    #[inline]
    pub(super) fn take_hidden<T: DynamicType>(&mut self, v: Home<T>) -> Val<T> {
        self.take_as(v, Operand::DEAD)
    }

    /// What a variable in a register holds, as a temporary; `mark` takes its place in the table.
    #[inline(always)]
    fn take_as<T: DynamicType>(&mut self, v: Home<T>, mark: Operand) -> Val<T> {
        if v.operand.kind() != kind::REG {
            return Val::new(v.operand);
        }
        self.vars.slots[v.index as usize].home = mark;
        let in_register = v.operand.is_home_register();
        Val::new(if in_register { v.operand.taken() } else { self.machine.take(v.operand) })
    }

    /// Reads a variable that the expression around assigns: `v = v * 2 + 1`. The operations may overwrite it, as nothing
    /// reads it between here and the assignment.
    #[inline(always)]
    pub fn get_in_place<T: DynamicType>(&mut self, v: Home<T>) -> Val<T> {
        Val::new(if v.operand.kind() == kind::REG { v.operand.in_place() } else { v.operand })
    }

    /// The handle of a variable that Rust code asks for.
    #[inline]
    #[track_caller]
    pub fn var<T: DynamicType>(&mut self, v: Home<T>) -> Var<T> {
        let var = Var::new(self.function, v.index);
        remember_place(var.bits(), Location::caller());
        var
    }

    /// The variable at `index`, known to be in scope.
    #[inline(always)]
    pub(super) fn home_of<T: DynamicType>(&self, index: u32) -> Home<T> {
        let operand = match T::SHAPE {
            Shape::Pair => Operand::pair(index),
            _ => self.vars.slots[index as usize].home,
        };
        Home { operand, index, marker: PhantomData }
    }

    /// The index of a local, or of a variable that is not in scope, which sets the error.
    #[inline(never)]
    #[track_caller]
    fn index_of_other<T: DynamicType>(&mut self, v: Var<T>) -> Option<u32> {
        let Some(number) = v.local_number() else {
            let how = if v.function() == self.function { "after its scope had ended" } else { "in another function" };
            let ty = std::any::type_name::<T>();
            let (bound, used) = (place_of(v.bits()), Location::caller());
            self.set_error(Error::VariableOutOfScope { ty, how, bound, used });
            return None;
        };
        let found = self.vars.locals.get(&number).copied();
        let index = found.unwrap_or_else(|| {
            let index = self.declare_local(T::SHAPE);
            self.vars.locals.insert(number, index);
            index
        });
        let home = self.home_of::<T>(index).operand;
        let recent = self.vars.recent_of(v.bits());
        *recent = Recent { function: self.function, bits: v.bits(), home };
        Some(index)
    }

    #[cold]
    fn declare_local(&mut self, shape: Shape) -> u32 {
        let straight = self.nesting == 0;
        let mut local = |ty| {
            let home = self.machine.declare_zeroed(ty, straight);
            self.push_slot(home, SlotKind::Kept)
        };
        match shape {
            Shape::Unit => local(Type::Unit),
            Shape::Scalar(ty) => local(ty),
            Shape::Pair => {
                let index = local(Type::Ptr);
                local(Type::Usize);
                index
            }
        }
    }

    #[inline(always)]
    fn push_slot(&mut self, home: Operand, kind: SlotKind) -> u32 {
        let index = self.vars.slots.len() as u32;
        if index > Var::<()>::MAX_INDEX {
            self.set_error(Error::TooManyVariables { limit: Var::<()>::MAX_INDEX });
            return 0;
        }
        self.vars.slots.push(Slot { home, kind });
        index
    }

    /// Declares a variable with this value, whose handle Rust code asks for.
    #[inline]
    #[track_caller]
    pub fn let_<T: DynamicType>(&mut self, v: Val<T>) -> Var<T> {
        let home = self.let_home(v);
        self.var(home)
    }

    /// Declares a variable with this value, known by its name only.
    #[inline]
    pub fn let_home<T: DynamicType>(&mut self, v: Val<T>) -> Home<T> {
        let operand = v.into_operand();
        match T::SHAPE {
            Shape::Unit => {
                Home { operand, index: self.push_slot(Operand::UNIT, SlotKind::Variable), marker: PhantomData }
            }
            Shape::Scalar(ty) => {
                let operand = self.machine.declare(ty, operand);
                Home { operand, index: self.push_slot(operand, SlotKind::Variable), marker: PhantomData }
            }
            Shape::Pair => {
                let index = self.declare_pair_as(operand, SlotKind::Variable);
                self.home_of(index)
            }
        }
    }

    /// Declares a variable that is never assigned: a constant needs no home.
    #[inline]
    pub fn let_immutable<T: DynamicType>(&mut self, v: Val<T>) -> Home<T> {
        match T::SHAPE {
            Shape::Scalar(_) => {
                let operand = v.into_operand();
                if operand.is_const() {
                    let index = self.push_slot(operand, SlotKind::Variable);
                    return Home { operand, index, marker: PhantomData };
                }
                self.let_home(Val::new(operand))
            }
            Shape::Pair if self.is_constant_pair(v.operand()) => {
                let (pointer, len) = self.pair_homes(v.into_operand());
                let pair = self.constant_pair(pointer.body, len.body);
                self.home_of(pair.body as u32)
            }
            _ => self.let_home(v),
        }
    }

    /// Declares a variable known by its name only, whose home is known.
    #[inline]
    pub(super) fn home_at<T: DynamicType>(&mut self, operand: Operand) -> Home<T> {
        Home { operand, index: self.push_slot(operand, SlotKind::Variable), marker: PhantomData }
    }

    /// Whether the address and the length of a slice are known.
    #[inline]
    pub(super) fn is_constant_pair(&self, pair: Operand) -> bool {
        let (pointer, len) = self.pair_homes(pair);
        pointer.is_const() && len.is_const()
    }

    /// Declares a variable whose home is known.
    #[inline]
    pub(super) fn declare_at(&mut self, home: Operand) -> u32 {
        self.push_slot(home, SlotKind::Variable)
    }

    /// Declares a hidden variable whose home is known.
    #[inline]
    pub(super) fn declare_hidden(&mut self, home: Operand) -> u32 {
        self.push_slot(home, SlotKind::Hidden)
    }

    /// Makes a hidden variable one that the quotation binds.
    pub(super) fn show(&mut self, index: u32) {
        self.vars.slots[index as usize].kind = SlotKind::Variable;
        self.labels.forget_last();
    }

    /// Declares a second name for a home that another variable owns.
    #[inline]
    pub(super) fn declare_alias(&mut self, home: Operand) -> u32 {
        self.push_slot(home, SlotKind::Kept)
    }

    /// Two hidden variables with the values of the slice `pair`.
    pub(super) fn declare_pair(&mut self, pair: Operand) -> u32 {
        self.declare_pair_as(pair, SlotKind::Hidden)
    }

    fn declare_pair_as(&mut self, pair: Operand, kind: SlotKind) -> u32 {
        let (pointer, len) = self.pair_homes(pair);
        let pointer = self.machine.declare(Type::Ptr, pointer);
        let index = self.push_slot(pointer, kind);
        let len = self.machine.declare(Type::Usize, len);
        self.push_slot(len, kind);
        index
    }

    /// The slice whose pointer and length are known.
    pub(super) fn constant_pair(&mut self, pointer: u64, len: u64) -> Operand {
        let index = self.push_slot(Operand::constant(pointer), SlotKind::Hidden);
        self.push_slot(Operand::constant(len), SlotKind::Hidden);
        Operand::pair(index)
    }

    /// The homes of pointer and length of a slice.
    #[inline]
    pub(crate) fn pair_homes(&self, pair: Operand) -> (Operand, Operand) {
        debug_assert_eq!(pair.kind(), kind::PAIR);
        let index = pair.body as usize;
        (self.vars.slots[index].home, self.vars.slots[index + 1].home)
    }

    /// The home of the variable at `index`.
    #[inline]
    pub(super) fn home(&self, index: u32) -> Operand {
        self.vars.slots[index as usize].home
    }

    /// Opens a scope.
    #[inline(always)]
    pub fn scope(&mut self) -> Scope {
        Scope { first: self.vars.slots.len() as u32 }
    }

    /// Closes a scope whose block has no value.
    #[inline]
    pub fn end_scope_unit(&mut self, scope: Scope) {
        for index in scope.first..self.vars.len() {
            self.end_variable(index);
        }
    }

    /// Ends the scope of the variable at `index`.
    #[inline]
    pub(super) fn end_variable(&mut self, index: u32) {
        let slot = &mut self.vars.slots[index as usize];
        if slot.kind == SlotKind::Kept {
            return;
        }
        let home = std::mem::replace(&mut slot.home, Operand::DEAD);
        if !matches!(home.kind(), kind::DEAD | kind::CONST | kind::UNIT) {
            let temporary = self.machine.take(home);
            self.machine.release(temporary);
        }
    }

    /// Closes a scope whose block has a value, which may stand for a variable of the scope.
    #[inline]
    pub fn end_scope<T: DynamicType>(&mut self, scope: Scope, v: Val<T>) -> Val<T> {
        let mut operand = v.into_operand();
        match T::SHAPE {
            // Mostly all variables have been taken: they hold nothing, and are in scope no more.
            Shape::Scalar(_) if self.vars.end_taken(scope.first) => {}
            Shape::Scalar(ty) => {
                for slot in &mut self.vars.slots[scope.first as usize..] {
                    if slot.kind == SlotKind::Kept
                        || slot.home.kind() == kind::DEAD
                        || !self.machine.refers_to(operand, slot.home)
                    {
                        continue;
                    }
                    if operand == slot.home {
                        operand = self.machine.take(slot.home);
                        slot.home = Operand::DEAD;
                        break;
                    }
                    operand = self.machine.pin(ty, operand);
                    break;
                }
                self.end_scope_unit(scope);
            }
            Shape::Unit => self.end_scope_unit(scope),
            Shape::Pair => {
                // The slice may be a variable of this scope: a copy in new variables outlives it.
                let first_new = self.vars.slots.len();
                let index = self.declare_pair(operand);
                let (pointer, len) = (self.vars.slots[first_new], self.vars.slots[first_new + 1]);
                self.vars.slots[first_new].kind = SlotKind::Kept;
                self.vars.slots[first_new + 1].kind = SlotKind::Kept;
                self.end_scope_unit(scope);
                self.vars.slots[first_new] = pointer;
                self.vars.slots[first_new + 1] = len;
                operand = Operand::pair(index);
            }
        }
        Val::new(operand)
    }

    /// `v = value`.
    #[inline]
    #[track_caller]
    pub fn assign<V: Named>(&mut self, v: V, value: Val<V::Ty>) {
        let operand = value.into_operand();
        let Some(home) = v.target(self, operand) else { return };
        match V::Ty::SHAPE {
            Shape::Unit => {}
            Shape::Scalar(ty) => {
                // A value computed in place is there already.
                if operand != home.in_place() {
                    self.machine.assign(ty, home, operand);
                }
            }
            Shape::Pair => {
                if operand.body == home.body {
                    return;
                }
                let (pointer, len) = self.pair_homes(operand);
                let (to_pointer, to_len) = self.pair_homes(home);
                self.machine.assign(Type::Ptr, to_pointer, pointer);
                self.machine.assign(Type::Usize, to_len, len);
            }
        }
    }

    #[inline(always)]
    #[track_caller]
    fn assign_op<V: Named>(&mut self, o: Binary, v: V, value: Operand) {
        let Some(home) = v.target(self, value) else { return };
        self.assign_binary(o, home, value);
    }

    /// `v <<= count` or `v >>= count`.
    #[inline]
    #[track_caller]
    fn assign_shift<V: Named<Ty: Int>, S: Int>(&mut self, op: BinaryOp, v: V, count: Val<S>) {
        let count = self.shift_count::<V::Ty, S>(count);
        self.assign_op(Binary { op, ty: V::Ty::TYPE }, v, count);
    }
}

macro_rules! compound {
    ($($name:ident $bound:ident $op:ident;)*) => {
        impl Emitter {$(
            /// Compound assignment of a variable.
            #[inline]
            #[track_caller]
            pub fn $name<V: Named<Ty: $bound>>(&mut self, v: V, value: Val<V::Ty>) {
                self.assign_op(Binary { op: BinaryOp::$op, ty: V::Ty::TYPE }, v, value.into_operand());
            }
        )*}
    };
}
compound! {
    assign_add Number Add; assign_sub Number Sub; assign_mul Number Mul; assign_div Number Div; assign_rem Number Rem;
    assign_bitand Bits And; assign_bitor Bits Or; assign_bitxor Bits Xor;
}
impl Emitter {
    /// `v <<= count`.
    #[track_caller]
    pub fn assign_shl<V: Named<Ty: Int>, S: Int>(&mut self, v: V, count: Val<S>) {
        self.assign_shift(BinaryOp::Shl, v, count);
    }
    /// `v >>= count`.
    #[track_caller]
    pub fn assign_shr<V: Named<Ty: Int>, S: Int>(&mut self, v: V, count: Val<S>) {
        self.assign_shift(BinaryOp::Shr, v, count);
    }
}
