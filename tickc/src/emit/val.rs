//! The handles that expansions of `tick!` pass around: values, places, variables.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use crate::machine::Operand;
use crate::types::{DynamicType, Zero};

/// A value of dynamic code while it is being emitted. Consumed exactly once.
#[must_use]
#[repr(transparent)]
#[derive(Debug)]
pub struct Val<T> {
    operand: Operand,
    marker: PhantomData<fn() -> T>,
}

impl<T> Val<T> {
    #[inline(always)]
    pub(crate) fn new(operand: Operand) -> Self {
        Val { operand, marker: PhantomData }
    }

    /// A look at the operand, which stays to be consumed.
    #[inline(always)]
    pub(super) fn operand(&self) -> Operand {
        self.operand
    }

    #[inline(always)]
    pub(crate) fn into_operand(self) -> Operand {
        self.operand
    }
}

/// A place in memory that dynamic code reads or writes. Consumed exactly once.
///
/// Field accesses and constant indices only add to the displacement, so that they cost the machine nothing.
#[must_use]
#[derive(Debug)]
pub struct Place<T, M> {
    /// A pointer value, or a memory operand.
    pub(super) operand: Operand,
    /// Bytes behind it.
    pub(super) disp: i32,
    /// Whether `operand` is a pointer value.
    pub(super) is_pointer: bool,
    /// Whether this is part of a captured slice, at an address that is known: memory that never changes.
    pub(super) is_captured: bool,
    marker: PhantomData<fn() -> (T, M)>,
}

impl<T, M> Place<T, M> {
    /// What a pointer value points to.
    #[inline(always)]
    pub(super) fn behind(pointer: Operand) -> Self {
        Place { operand: pointer, disp: 0, is_pointer: true, is_captured: false, marker: PhantomData }
    }

    /// What lies `disp` bytes behind a constant address, in a captured slice.
    pub(super) fn captured(pointer: Operand, disp: i32) -> Self {
        Place { operand: pointer, disp, is_pointer: true, is_captured: true, marker: PhantomData }
    }

    /// A memory operand.
    #[inline(always)]
    pub(super) fn at(memory: Operand) -> Self {
        Place { operand: memory, disp: 0, is_pointer: false, is_captured: false, marker: PhantomData }
    }

    /// The place as one of another type.
    #[inline(always)]
    pub(super) fn retyped<U, N>(self) -> Place<U, N> {
        let Place { operand, disp, is_pointer, is_captured, .. } = self;
        Place { operand, disp, is_pointer, is_captured, marker: PhantomData }
    }

    /// A part of the place, `disp` bytes further.
    #[inline(always)]
    pub(super) fn part<U>(self, disp: i32) -> Place<U, M> {
        let Place { operand, is_pointer, is_captured, .. } = self;
        Place { operand, disp: self.disp + disp, is_pointer, is_captured, marker: PhantomData }
    }
}

/// Marks what must not leave its thread.
pub(crate) type OfThisThread = PhantomData<*const ()>;

/// A dynamic variable: a parameter or a `let` of a quotation, or one made by [`Var::local`]. 'C's `T vspec`.
///
/// It can be read (`@v`) and assigned (`@v = …`), or named bare in the quotation that bound it. A parameter or a `let` may be
/// used only in its scope; use elsewhere is an [`Error`](crate::Error) of `compile`, which names both places.
///
/// ```
/// use tickc::prelude::*;
///
/// let sum = Var::<i64>::local();                      // a local of whatever function it is spliced into; starts at zero
/// let add = |n: i64| tick!(@sum += $n);
/// let (one, two) = (add(1), add(2));
/// let f = Jit::new()?.compile(tick!(|| -> i64 { @one; @two; @one; @sum }))?;
/// assert_eq!(f.call(), 4);
/// # Ok::<(), tickc::Error>(())
/// ```
pub struct Var<T> {
    /// Variables of a function: its number << INDEX_BITS | index in its table. Locals: [`Var::LOCAL`] | number.
    bits: u64,
    marker: PhantomData<fn() -> T>,
    thread: OfThisThread,
}

impl<T> Clone for Var<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Var<T> {}

impl<T> fmt::Debug for Var<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bits & Self::LOCAL != 0 {
            write!(f, "Var<{}>(local {})", std::any::type_name::<T>(), self.bits & !Self::LOCAL)
        } else {
            write!(f, "Var<{}>({} of function {})", std::any::type_name::<T>(), self.index(), self.function())
        }
    }
}

/// Bits of a variable's index in the table of its function.
const INDEX_BITS: u32 = 24;

thread_local! {
    /// Number of the next `Var::local()`.
    static NEXT_LOCAL: Cell<u64> = const { Cell::new(0) };
}

impl<T> Var<T> {
    const LOCAL: u64 = 1 << 63;
    /// Largest number of variables in one function.
    pub(crate) const MAX_INDEX: u32 = (1 << INDEX_BITS) - 1;

    #[inline(always)]
    pub(crate) fn new(function: u64, index: u32) -> Self {
        Var { bits: function << INDEX_BITS | u64::from(index), marker: PhantomData, thread: PhantomData }
    }

    /// Number of the function it belongs to.
    #[inline(always)]
    pub(crate) fn function(self) -> u64 {
        self.bits >> INDEX_BITS
    }

    /// Its index in the table of the function.
    #[inline(always)]
    pub(crate) fn index(self) -> u32 {
        self.bits as u32 & Self::MAX_INDEX
    }

    /// The handle as a word.
    #[inline(always)]
    pub(crate) fn bits(self) -> u64 {
        self.bits
    }

    /// The handle from its word; the variable is one of type `T`.
    #[inline(always)]
    pub(crate) fn from_bits(bits: u64) -> Self {
        Var { bits, marker: PhantomData, thread: PhantomData }
    }

    /// Its number, if it is a `Var::local()`.
    #[inline(always)]
    pub(crate) fn local_number(self) -> Option<u64> {
        (self.bits & Self::LOCAL != 0).then_some(self.bits & !Self::LOCAL)
    }
}

impl<T: Zero> Var<T> {
    /// A new variable that is, in each function into which it is spliced, a local of that function. It starts at zero
    /// (slices start empty) in each call.
    #[inline]
    pub fn local() -> Var<T> {
        let number = NEXT_LOCAL.get();
        NEXT_LOCAL.set(number + 1);
        Var { bits: Self::LOCAL | number, marker: PhantomData, thread: PhantomData }
    }
}

/// What can be assigned with `@… =`: a `Var`, or a reference to one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be assigned",
    label = "only a `Var<T>` can stand here",
    note = "a `Code<T>` is a value, not a variable"
)]
pub trait AsVar {
    /// The variable's type.
    type Ty: DynamicType;
    /// The variable.
    fn as_var(&self) -> Var<Self::Ty>;
}
impl<T: DynamicType> AsVar for Var<T> {
    type Ty = T;
    #[inline(always)]
    fn as_var(&self) -> Var<T> {
        *self
    }
}
impl<V: AsVar + ?Sized> AsVar for &V {
    type Ty = V::Ty;
    #[inline(always)]
    fn as_var(&self) -> Var<V::Ty> {
        (**self).as_var()
    }
}

/// The variable that an assignment goes to.
#[inline(always)]
pub fn var_of<V: AsVar>(v: &V) -> Var<V::Ty> {
    v.as_var()
}
