//! The typed emitter: what expansions of `tick!` call.
//!
//! Every operation of a quotation becomes one call of a method here. The method's type parameters make rustc check the
//! quotation; its body folds run-time constants, drops what is dead, and hands the rest to the tier's [`Machine`].
//!
//! - [`val`]: the handles: `Val`, `Place`, `Var`
//! - [`vars`]: variables, scopes, locals
//! - [`ops`]: operators, with [`fold`]: arithmetic on constants
//! - [`methods`]: the integer and float methods
//! - [`memory`]: slices, records, raw pointers
//! - [`control`]: `if`, loops, `match`, `&&` and `||`, `return`
//! - [`label`]: labels and the jumps to them
//! - [`call`]: calls and parameters
//!
//! Errors are sticky: the first one is kept, emission goes on with harmless values, and `compile` reports it.

mod call;
mod control;
pub(crate) mod fold;
mod label;
mod memory;
mod methods;
mod ops;
mod val;
mod vars;

use std::any::Any;
use std::sync::Arc;

pub use call::{Arguments, Callable, ExternFn};
pub use control::{If, Logic, Loop, Match, Pat, Round, round};
pub(crate) use label::{LabelId, Source};
pub(crate) use val::OfThisThread;
pub use val::{AsVar, Place, Val, Var, var_of};
pub use vars::{Home, Named, Scope};

use crate::error::Error;
use crate::group::Cells;
use crate::machine::{Finished, Machine, Operand, Prologue};
use crate::types::{Scalar, Shape, Type, Value};
use label::Labels;
use vars::Variables;

/// How many levels fragments may be nested within each other.
const MAX_DEPTH: u32 = 4096;
/// One level, see [`Emitter::depth`].
const LEVEL: u32 = 1 << 16;
/// How many fragments one function may instantiate.
const MAX_FRAGMENTS: u32 = 1 << 24;
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
    /// In units of [`LEVEL`]: how many fragments the current place lies in. Below: how many of them stand where an operand is
    /// pending.
    depth: u32,
    /// How many fragments have been instantiated in this function.
    entered: u32,
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

/// What the emitter has to say of a finished function.
pub(crate) struct Emitted {
    pub(crate) finished: Finished,
    pub(crate) keep: Option<Box<[Keep]>>,
}

impl std::fmt::Debug for Emitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emitter").field("function", &self.function).field("depth", &self.depth).finish_non_exhaustive()
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
            depth: 0,
            entered: 0,
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
        self.depth = 0;
        self.entered = 0;
        self.next_param = 0;
        self.ret = ret;
        self.homes.clear();
        self.machine
            .begin(&Prologue { params: types, pairs, ret, calls, declared: self.group.is_some() }, &mut self.homes);
    }

    /// Ends the function with the value of its body.
    #[inline]
    pub(crate) fn finish(&mut self, ty: Type, value: Operand) -> Result<Emitted, Error> {
        let never = value == NEVER;
        if self.labels.is_used() {
            self.end_labels();
        }
        let finished = self.machine.finish((!never).then_some((ty, value)));
        let keep = if self.keep.is_empty() { None } else { Some(std::mem::take(&mut self.keep).into_boxed_slice()) };
        if let Some(error) = self.error.take() {
            return Err(*error);
        }
        debug_assert!(
            never || finished.is_err() || self.machine.lost(&mut self.vars.homes()) == 0,
            "temporaries were lost: {:#x}",
            self.machine.lost(&mut self.vars.homes())
        );
        Ok(Emitted { finished: finished?, keep })
    }

    /// Forgets the function under construction.
    pub(crate) fn abandon(&mut self) {
        self.machine.abandon();
        self.keep.clear();
        self.clear_labels();
        self.error = None;
        self.enter_floor = self.stack_floor;
    }

    /// Goes one fragment deeper, if there is room. `operand`: other operands are pending.
    #[inline(always)]
    pub(crate) fn enter(&mut self, operand: bool) -> bool {
        self.depth += LEVEL + u32::from(operand);
        self.entered += 1;
        if self.depth >= (MAX_DEPTH + 1) * LEVEL || crate::stack::pointer() < self.enter_floor {
            return self.too_deep(operand);
        }
        // Fragments that splice others twice over double the work at each level: now and then it is looked at how much it is.
        self.entered & 0xfff != 0 || self.is_bounded(operand)
    }

    #[cold]
    #[inline(never)]
    fn is_bounded(&mut self, operand: bool) -> bool {
        if self.entered > MAX_FRAGMENTS {
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
        self.depth -= LEVEL + u32::from(operand);
    }

    #[cold]
    #[inline(never)]
    fn too_deep(&mut self, operand: bool) -> bool {
        let depth = self.depth / LEVEL;
        self.set_error(Error::NestingTooDeep { depth, limit: MAX_DEPTH, stack_kib: STACK_RESERVE_KIB });
        self.leave(operand);
        false
    }

    /// Whether the current place lies within an operand, with others pending.
    fn is_operand(&self) -> bool {
        !self.depth.is_multiple_of(LEVEL)
    }

    /// Keeps the first error.
    #[cold]
    pub(crate) fn set_error(&mut self, error: Error) {
        self.error.get_or_insert_with(|| Box::new(error));
        self.enter_floor = usize::MAX;
    }

    /// Fails, with some value to go on with.
    #[cold]
    pub(crate) fn fail<T: Value>(&mut self, error: Error) -> Val<T> {
        self.set_error(error);
        self.poison()
    }

    /// Some value of type `T`, to go on with after an error.
    #[cold]
    pub(crate) fn poison<T: Value>(&mut self) -> Val<T> {
        Val::new(match T::SHAPE {
            Shape::Unit => Operand::UNIT,
            Shape::Scalar(_) => Operand::constant(0),
            Shape::Pair => self.constant_pair(0, 0),
        })
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
    pub fn never<T: Value>(&mut self) -> Val<T> {
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
    pub fn discard<T: Value>(&mut self, v: Val<T>) {
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
    pub fn pin<T: Value>(&mut self, v: Val<T>) -> Val<T> {
        let operand = v.into_operand();
        Val::new(match T::SHAPE {
            Shape::Unit => operand,
            Shape::Scalar(_) if operand.is_const() => operand,
            Shape::Scalar(ty) => self.machine.pin(ty, operand),
            Shape::Pair => Operand::pair(self.declare_pair(operand)),
        })
    }

    /// [`Emitter::pin`], if what is emitted next may have effects.
    #[inline(always)]
    pub fn pin_if<T: Value>(&mut self, v: Val<T>, effects: bool) -> Val<T> {
        if effects { self.pin(v) } else { self.hold(v) }
    }

    /// The value, not a condition.
    #[inline(always)]
    pub fn hold<T: Value>(&mut self, v: Val<T>) -> Val<T> {
        let operand = v.into_operand();
        if operand.kind() == crate::machine::kind::COND {
            return Val::new(self.machine.settle(operand));
        }
        Val::new(operand)
    }
}

/// The operand of [`Emitter::never`]: the constant zero, marked.
const NEVER: Operand = Operand { head: crate::machine::kind::CONST as u64 | 1 << 8, body: 0 };
