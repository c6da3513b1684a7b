//! The typed emitter: what expansions of `tick!` call.
//!
//! Every operation of a quotation becomes one call of a method here. The method's type parameters make rustc check the
//! quotation; its body folds run-time constants, drops what is dead, and hands the rest to the tier's [`Machine`].
//!
//! - [`val`]: the handles: `Val`, `Place`, `Var`
//! - [`vars`]: variables, scopes, locals
//! - [`ops`]: operators, with [`fold`]: arithmetic on constants
//! - [`division`]: division by run-time constants
//! - [`int_methods`], [`float_methods`]: the methods of numbers and pointers
//! - [`memory`]: slices, records, raw pointers; [`slices`]: parts of slices
//! - [`control`]: `if`, loops, `match`, `&&` and `||`, `return`; [`dispatch`]: how a large `match` finds its arm;
//!   [`unroll`]: loops unrolled by a factor
//! - [`label`]: labels and the jumps to them
//! - [`call`]: calls and parameters
//!
//! Errors are sticky: the first one is kept, emission goes on with harmless values, and `compile` reports it.

mod call;
mod control;
mod dispatch;
mod division;
mod float_methods;
pub(crate) mod fold;
mod int_methods;
mod label;
mod memory;
mod ops;
mod slices;
mod unroll;
mod val;
mod vars;

use std::any::Any;
use std::sync::Arc;

pub use call::{Arguments, Callable, ExternFn};
pub use control::{If, Logic, Loop, Match, Round, round};
pub use dispatch::Pat;
pub(crate) use label::{LabelId, Source};
pub use unroll::Unroll;
pub(crate) use val::OfThisThread;
pub use val::{AsVar, Place, Val, Var, var_of};
pub(crate) use vars::next_function;
pub use vars::{Home, Named, Scope};

use crate::error::Error;
use crate::group::Cells;
use crate::machine::{Finished, Machine, Operand, Prologue};
use crate::types::{DynamicType, Scalar, Shape, Type};
use label::Labels;
use vars::Variables;

/// How many levels fragments may be nested within each other.
const MAX_DEPTH: u32 = 4096;
/// One level, see [`Emitter::depth`].
const LEVEL: u32 = 1 << 16;
/// How many fragments one function may instantiate.
const MAX_FRAGMENTS: u32 = 1 << 24;
/// One fragment instantiated, in [`Emitter::fragments`].
const ENTERED: u64 = 1 << 32;
/// How much stack emission leaves free, in KiB.
const STACK_RESERVE_KIB: u32 = if cfg!(debug_assertions) { 256 } else { 128 };

/// Emits one function at a time; see the head of this module. Reused from function to function.
pub struct Emitter {
    pub(crate) machine: Box<dyn Machine>,
    /// Number of the function under construction; its variables carry it.
    function: u64,
    vars: Variables,
    labels: Labels,
    /// Variables before this index may be in scope at a label that has been placed.
    labelled: u32,
    /// How many loops, arms and right-hand sides of `&&` and `||` the current place lies in; 0: reached once in each call.
    nesting: u32,
    /// In the lower half, in units of [`LEVEL`]: how many fragments the current place lies in; below that: how many of them stand
    /// where an operand is pending. In the upper half: how many fragments have been instantiated in this function.
    fragments: u64,
    /// The lowest address that emission may use of this thread's stack.
    stack_floor: usize,
    /// What `enter` compares with: `stack_floor`, or after an error `usize::MAX`, so that no further fragment is entered. Fragments
    /// that splice each other twice would otherwise go on for ever.
    enter_floor: usize,
    error: Option<Box<Error>>,
    /// Parameters declared so far, and homes of all.
    next_param: usize,
    homes: Vec<Operand>,
    ret: Type,
    /// What the finished function must keep alive.
    keep: Vec<Keep>,
    /// The group that the function belongs to.
    pub(crate) group: Option<Arc<Cells>>,
}

/// Something that a function keeps alive.
pub(crate) type Keep = Arc<dyn Any + Send + Sync>;

impl std::fmt::Debug for Emitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emitter")
            .field("function", &self.function)
            .field("depth", &self.depth())
            .finish_non_exhaustive()
    }
}

impl Emitter {
    pub(crate) fn new(machine: Box<dyn Machine>) -> Emitter {
        let stack_floor = crate::stack::limit().saturating_add(STACK_RESERVE_KIB as usize * 1024);
        Emitter {
            machine,
            function: 0,
            vars: Variables::default(),
            labels: Labels::default(),
            labelled: 0,
            nesting: 0,
            fragments: 0,
            stack_floor,
            enter_floor: stack_floor,
            error: None,
            next_param: 0,
            homes: Vec::new(),
            ret: Type::Unit,
            keep: Vec::new(),
            group: None,
        }
    }

    /// Starts a function with the given signature (see [`Prologue`]).
    #[inline]
    pub(crate) fn begin(&mut self, types: &[Type], pairs: u32, ret: Type, calls: bool) {
        self.function = vars::next_function();
        self.vars.clear();
        self.nesting = 0;
        self.fragments = 0;
        self.next_param = 0;
        self.ret = ret;
        self.homes.clear();
        self.machine
            .begin(&Prologue { params: types, pairs, ret, calls, declared: self.group.is_some() }, &mut self.homes);
    }

    /// Ends the function with the value of its body.
    #[inline]
    pub(crate) fn finish(&mut self, ty: Type, value: Operand) -> Finished {
        let open = value != NEVER;
        if self.labels.is_used() {
            self.end_labels();
        }
        let finished = self.machine.finish(ty, value, open).with(Finished::FAILED, self.error.is_some());
        debug_assert!(
            !open || finished.is(Finished::FAILED) || self.machine.lost(&mut self.vars.homes()) == 0,
            "temporaries were lost: {:#x}",
            self.machine.lost(&mut self.vars.homes())
        );
        finished
    }

    /// What was wrong with a function that failed; forgets the function.
    #[cold]
    #[inline(never)]
    pub(crate) fn take_error(&mut self) -> Error {
        let error = self.error.take().map(|error| *error).or_else(|| self.machine.take_error());
        self.abandon();
        error.expect("a function that failed has an error")
    }

    /// What the finished function must keep alive.
    #[inline]
    pub(crate) fn take_keep(&mut self) -> Option<Box<[Keep]>> {
        if self.keep.is_empty() { None } else { Some(std::mem::take(&mut self.keep).into_boxed_slice()) }
    }

    /// Forgets the function under construction.
    pub(crate) fn abandon(&mut self) {
        self.machine.abandon();
        self.keep.clear();
        self.clear_labels();
        self.error = None;
        self.enter_floor = self.stack_floor;
    }

    /// How many fragments the current place lies in.
    #[inline(always)]
    fn depth(&self) -> u32 {
        self.fragments as u32 / LEVEL
    }

    /// Goes one fragment deeper, if there is room. `operand`: other operands are pending.
    #[inline(always)]
    pub(crate) fn enter(&mut self, operand: bool) -> bool {
        self.fragments += ENTERED + u64::from(LEVEL) + u64::from(operand);
        if self.depth() > MAX_DEPTH || crate::stack::pointer() < self.enter_floor {
            return self.too_deep(operand);
        }
        // Fragments that splice others twice over double the work at each level: now and then it is looked at how much it is.
        self.fragments & (0xfff * ENTERED) != 0 || self.is_bounded(operand)
    }

    #[cold]
    #[inline(never)]
    fn is_bounded(&mut self, operand: bool) -> bool {
        if self.fragments / ENTERED > u64::from(MAX_FRAGMENTS) {
            self.set_error(Error::TooManyFragments { limit: MAX_FRAGMENTS });
        } else if let Some(limit) = self.machine.overflowed() {
            self.set_error(Error::CodeTooLarge { limit });
        } else {
            return true;
        }
        self.leave(operand);
        false
    }

    /// Leaves a fragment that was entered so.
    #[inline(always)]
    pub(crate) fn leave(&mut self, operand: bool) {
        self.fragments -= u64::from(LEVEL) + u64::from(operand);
    }

    #[cold]
    #[inline(never)]
    fn too_deep(&mut self, operand: bool) -> bool {
        let error = Error::NestingTooDeep { depth: self.depth(), limit: MAX_DEPTH, stack_kib: STACK_RESERVE_KIB };
        self.set_error(error);
        self.leave(operand);
        false
    }

    /// Whether the current place lies within an operand, with others pending.
    fn is_operand(&self) -> bool {
        !(self.fragments as u32).is_multiple_of(LEVEL)
    }

    /// Keeps the first error.
    #[cold]
    pub(crate) fn set_error(&mut self, error: Error) {
        self.error.get_or_insert_with(|| Box::new(error));
        self.enter_floor = usize::MAX;
    }

    /// Fails, with some value to go on with.
    #[cold]
    pub(crate) fn fail<T: DynamicType>(&mut self, error: Error) -> Val<T> {
        self.set_error(error);
        self.poison()
    }

    /// Some value of type `T`, to go on with after an error.
    #[cold]
    pub(crate) fn poison<T: DynamicType>(&mut self) -> Val<T> {
        Val::new(self.poison_of(T::SHAPE))
    }

    /// The same, of a value of this shape.
    #[cold]
    pub(crate) fn poison_of(&mut self, shape: Shape) -> Operand {
        match shape {
            Shape::Unit => Operand::UNIT,
            Shape::Scalar(_) => Operand::constant(0),
            Shape::Pair => self.constant_pair(0, 0),
        }
    }

    /// Keeps something alive as long as the function.
    pub(crate) fn keep(&mut self, what: Keep) {
        self.keep.push(what);
    }

    /// A literal.
    #[inline(always)]
    pub fn lit<T: Scalar>(&mut self, value: T) -> Val<T> {
        Val::new(Operand::constant(value.to_bits()))
    }

    /// `()`.
    #[inline(always)]
    pub fn unit(&mut self) -> Val<()> {
        Val::new(Operand::UNIT)
    }

    /// A value where control never comes.
    #[inline]
    pub fn never<T: DynamicType>(&mut self) -> Val<T> {
        match T::SHAPE {
            Shape::Unit => Val::new(Operand::UNIT),
            Shape::Scalar(_) => Val::new(NEVER),
            Shape::Pair => self.poison(),
        }
    }

    /// A run-time constant.
    #[inline(always)]
    pub fn lift<L: crate::fragment::LiftValue>(&mut self, constant: &crate::fragment::Lifted<L>) -> Val<L::Ty> {
        constant.0.lift(self)
    }

    /// A spliced fragment or variable.
    #[inline(always)]
    #[track_caller]
    pub fn splice<C: crate::fragment::Captured>(&mut self, captured: &C) -> Val<C::Ty> {
        captured.instantiate(self, false)
    }

    /// A spliced fragment or variable where other operands are pending.
    #[inline(always)]
    #[track_caller]
    pub fn splice_operand<C: crate::fragment::Captured>(&mut self, captured: &C) -> Val<C::Ty> {
        captured.instantiate(self, true)
    }

    /// Drops the value of an expression statement.
    #[inline(always)]
    pub fn discard<T: DynamicType>(&mut self, v: Val<T>) {
        let operand = v.into_operand();
        if let Shape::Scalar(_) = T::SHAPE
            && !operand.is_const()
        {
            self.machine.release(operand);
        }
    }

    /// Takes the value of a statement without semicolon.
    #[inline(always)]
    pub fn expect_unit(&mut self, _: Val<()>) {}

    /// The value as it is now, whatever is emitted next.
    #[inline]
    pub fn pin<T: DynamicType>(&mut self, v: Val<T>) -> Val<T> {
        Val::new(self.pin_operand(T::SHAPE, v.into_operand()))
    }

    #[inline(always)]
    fn pin_operand(&mut self, shape: Shape, operand: Operand) -> Operand {
        match shape {
            Shape::Unit => operand,
            Shape::Scalar(_) if operand.is_const() => operand,
            Shape::Scalar(ty) => self.machine.pin(ty, operand),
            Shape::Pair if self.is_constant_pair(operand) => operand,
            Shape::Pair => Operand::pair(self.declare_pair(operand)),
        }
    }

    /// [`Emitter::pin_if`] for a value of this shape.
    pub(crate) fn keep_value(&mut self, shape: Shape, operand: Operand, effects: bool) -> Operand {
        if effects { self.pin_operand(shape, operand) } else { self.hold(Val::<()>::new(operand)).into_operand() }
    }

    /// Declares the parameters, as variables of the function with this number (see [`next_function`]).
    pub(crate) fn declare_params(&mut self, function: u64) {
        self.function = function;
        for i in 0..self.homes.len() {
            self.declare_at(self.homes[i]);
        }
    }

    /// A value that can be read several times ([`Machine::borrowed`]) before it is consumed: a variable's register, or a
    /// temporary wherever there is room for one.
    #[inline]
    fn held(&mut self, ty: Type, a: Operand) -> Operand {
        if a.is_const() || a.is_home_register() { a } else { self.machine.pin(ty, a) }
    }

    /// [`Emitter::pin`], if what is emitted next may have effects.
    #[inline(always)]
    pub fn pin_if<T: DynamicType>(&mut self, v: Val<T>, effects: bool) -> Val<T> {
        if effects { self.pin(v) } else { self.hold(v) }
    }

    /// The value, not a condition.
    #[inline(always)]
    pub fn hold<T: DynamicType>(&mut self, v: Val<T>) -> Val<T> {
        let operand = v.into_operand();
        if operand.kind() == crate::machine::kind::COND {
            return Val::new(self.machine.settle(operand));
        }
        Val::new(operand)
    }
}

/// The operand of [`Emitter::never`]: the constant zero, marked.
const NEVER: Operand = Operand { head: crate::machine::kind::CONST as u64 | 1 << 8, body: 0 };
