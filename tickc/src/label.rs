//! [`Label`]: a place in dynamic code that jumps go to.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;

use crate::emit::{Emitter, LabelId, OfThisThread};
use crate::fragment::{Captured, Code, flags, quote};

thread_local! {
    /// Number of the next label.
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// A place in dynamic code, for jumps from anywhere in the function: out of other fragments, into the bodies of loops and arms,
/// forwards and backwards. 'C's `label()` and `jump()`.
///
/// [`Label::here`] and [`Label::goto`] are statements, spliced as any other fragment. In each function a label is a new one: it is
/// placed at most once, and at least once if something jumps to it.
///
/// ```
/// use tickc::prelude::*;
///
/// let again = Label::new();
/// let (here, goto) = (again.here(), again.goto());
/// let f = Jit::new()?.compile(tick!(|n: u64| -> u64 {
///     let mut i = 0;
///     let mut sum = 0;
///     @here;
///     i += 1;
///     sum += i;
///     if i < n { @goto }
///     sum
/// }))?;
/// assert_eq!(f.call(100), 5050);
/// # Ok::<(), tickc::Error>(())
/// ```
///
/// # The rule of scopes
///
/// Every `let`, parameter and loop variable in scope at `here` must be in scope at each jump to it, so that no variable is read
/// that has no value. Variables made by [`Var::local`](crate::Var::local) are always in scope. `here` stands at statement level:
/// no operand to its left waits for what it is a part of.
///
/// # Errors
///
/// `compile` returns an [`Error`](crate::Error) that names the places concerned if a label is jumped to and not placed, placed
/// twice in one function, placed within an operand, or if a jump goes past a `let`. What a run-time constant rules out, as an arm
/// of `if $(c)`, is not instantiated and places no label.
#[derive(Clone, Copy)]
pub struct Label {
    id: LabelId,
    thread: OfThisThread,
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Label(made at {})", self.id.made)
    }
}

impl Default for Label {
    #[track_caller]
    fn default() -> Self {
        Label::new()
    }
}

impl Label {
    /// A new label.
    #[track_caller]
    pub fn new() -> Label {
        let number = NEXT.get();
        NEXT.set(number + 1);
        Label { id: LabelId { number, made: Location::caller() }, thread: PhantomData }
    }

    /// The statement that places the label: jumps to it come here.
    #[track_caller]
    pub fn here(self) -> Code<'static, ()> {
        let (id, at) = (self.id, Location::caller());
        quote((), flags::EFFECTS, move |e: &mut Emitter, (): &()| {
            e.label_here(id, at);
            e.unit()
        })
    }

    /// The statement that jumps to the label.
    #[track_caller]
    pub fn goto(self) -> Code<'static, ()> {
        let (id, at) = (self.id, Location::caller());
        quote((), flags::EFFECTS, move |e: &mut Emitter, (): &()| {
            e.label_goto(id, at);
            e.unit()
        })
    }

    /// The statement that jumps to the label if `condition` holds: one jump, where `if` around [`goto`](Label::goto) takes two.
    ///
    /// ```
    /// use tickc::prelude::*;
    ///
    /// let odd = Label::new();
    /// let x = Var::<u64>::local();
    /// let f = Jit::new()?.compile(tick!(|n: u64| -> u64 {
    ///     @x = n;
    ///     @(odd.goto_if(tick!(@x & 1 != 0)));
    ///     return n / 2;
    ///     @(odd.here());
    ///     3 * n + 1
    /// }))?;
    /// assert_eq!((f.call(6), f.call(7)), (3, 22));
    /// # Ok::<(), tickc::Error>(())
    /// ```
    #[track_caller]
    pub fn goto_if<'a>(self, condition: Code<'a, bool>) -> Code<'a, ()> {
        let (id, at) = (self.id, Location::caller());
        quote((condition, ()), flags::EFFECTS, move |e: &mut Emitter, hoists: &(Code<'a, bool>, ())| {
            let condition = hoists.0.instantiate(e, false);
            e.label_goto_if(condition, id, at);
            e.unit()
        })
    }

    /// The statement that jumps to the label of number `index`, by a table; an index past the end traps. 'C's `jump labels[i]`.
    ///
    /// A label may stand in the table several times. In machine code it is an indirect jump into a table of jumps.
    ///
    /// ```
    /// use tickc::prelude::*;
    ///
    /// let [one, two, end] = [Label::new(), Label::new(), Label::new()];
    /// let result = Var::<i64>::local();
    /// let f = Jit::new()?.compile(tick!(|i: usize| -> i64 {
    ///     @(Label::table(tick!(@i), &[one, two]));
    ///     @(one.here());
    ///     @result = 1;
    ///     @(end.goto());
    ///     @(two.here());
    ///     @result = 2;
    ///     @(end.here());
    ///     @result
    /// }))?;
    /// assert_eq!((f.call(0), f.call(1)), (1, 2));
    /// assert!(matches!(f.try_call(2), Err(Trap::IndexOutOfBounds)));
    /// # Ok::<(), tickc::Error>(())
    /// ```
    #[track_caller]
    pub fn table<'a>(index: Code<'a, usize>, labels: &[Label]) -> Code<'a, ()> {
        let ids: Box<[LabelId]> = labels.iter().map(|label| label.id).collect();
        let at = Location::caller();
        quote((index, ()), flags::EFFECTS, move |e: &mut Emitter, hoists: &(Code<'a, usize>, ())| {
            let index = hoists.0.instantiate(e, false);
            e.label_table(index, &ids, at);
            e.unit()
        })
    }
}
