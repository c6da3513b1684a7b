//! Fragments of dynamic code: [`Code`], [`Staged`], and how `tick!` makes them.
//!
//! A fragment ('C's cspec) is a closure that emits the code it stands for, together with what it captured when the quotation
//! was evaluated. Splicing one into another is an indirect call at instantiation time.
//!
//! - [`arena`]: where fragments live and when they die.
//! - [`capture`]: what `@` and `$` accept, and what becomes of it.
#![allow(unsafe_code, reason = "fragments are untyped closures in counted memory of their own")]

mod arena;
mod capture;

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

pub use capture::{Captured, Hoist, Hoists, Lift, LiftValue, Lifted, Plain, Splice, lift_capture, splice_capture};

use crate::emit::{Emitter, OfThisThread, Val};
use crate::error::Error;
use crate::machine::Operand;
use crate::signature::{ParamList, Signature};
use crate::types::{DynamicType, Shape};
use arena::{Boxed, Dropping};

/// What a fragment is known to do, as far as it matters for code around it.
pub mod flags {
    /// Nothing of the following.
    pub const NONE: u32 = 0;
    /// It may change variables or memory that it did not create.
    pub const EFFECTS: u32 = 1;
    /// It calls functions.
    pub const CALLS: u32 = 2;
    /// It splices fragments that are made while it is instantiated: nothing is known of them.
    pub const DEFERRED: u32 = 4;
}
/// Not in a chunk, but in a box of its own; see [`arena`].
const BOXED: u32 = 1 << 31;

/// The head of every fragment.
#[repr(C)]
struct Header {
    /// Instantiates the fragment.
    emit: unsafe fn(NonNull<Header>, &mut Emitter) -> Operand,
    /// See [`flags`].
    flags: u32,
    /// How many handles there are.
    handles: Cell<u32>,
}

#[repr(C)]
struct Fragment<H, F> {
    header: Header,
    hoists: H,
    body: F,
}

/// Something that is dropped.
pub(crate) trait Owned {}

/// Tells rustc that dropping a handle may drop captures that borrow for `'a`.
pub(crate) type Borrows<'a> = PhantomData<Box<dyn Owned + 'a>>;

/// An owning handle of a fragment, its type forgotten.
pub(crate) struct Handle(NonNull<Header>);

impl Handle {
    /// Instantiates the fragment as the body of a function.
    #[inline(always)]
    pub(crate) fn emit(&self, e: &mut Emitter) -> Operand {
        // SAFETY: the handle keeps the fragment alive, and the header's function is that of its fragment.
        unsafe { (self.0.as_ref().emit)(self.0, e) }
    }

    /// Instantiates the fragment, which yields a value of this shape, within another. `operand`: other operands are pending.
    #[inline(always)]
    pub(crate) fn instantiate(&self, e: &mut Emitter, shape: Shape, operand: bool) -> Operand {
        if !e.enter(operand) {
            return e.poison_of(shape);
        }
        let value = self.emit(e);
        e.leave(operand);
        value
    }

    #[inline(always)]
    fn flags(&self) -> u32 {
        // SAFETY: the handle keeps the fragment alive.
        unsafe { self.0.as_ref().flags }
    }

    /// What is known of the fragment: see [`flags`].
    #[inline(always)]
    pub(crate) fn known(&self) -> u32 {
        self.flags() & !BOXED
    }

    /// Whether instantiating it may change variables or memory.
    #[inline(always)]
    pub(crate) fn has_effects(&self) -> bool {
        self.flags() & (flags::EFFECTS | flags::CALLS | flags::DEFERRED) != 0
    }
}

impl Clone for Handle {
    #[inline(always)]
    fn clone(&self) -> Self {
        // SAFETY: live and counted, as `self` is a handle: nobody comes by the copies in chunks, which are not counted (A2).
        unsafe { arena::retain(self.0) };
        Handle(self.0)
    }
}

impl Drop for Handle {
    #[inline(always)]
    fn drop(&mut self) {
        let place = (&raw const *self).addr();
        // SAFETY: `self` owns one count: the copies in chunks, which do not, are never dropped (A1).
        unsafe { arena::release(self.0, place) }
    }
}

/// A fragment of dynamic code that yields a `T` (`()` for a statement): the value of a quotation. 'C's `T cspec`.
///
/// A fragment may be stored, returned, cloned, and spliced any number of times; each splice instantiates it afresh. `'a` is
/// what it borrows from the Rust program.
///
/// ```
/// use tickc::prelude::*;
///
/// fn sum<'a>(x: Var<i64>, addends: &[i64]) -> Code<'a, i64> {
///     addends.iter().fold(tick!(@x), |code, &n| tick!(@code + $n))
/// }
///
/// let jit = Jit::new()?;
/// let f = jit.compile(tick!(|x: i64| -> i64 { @(sum(x, &[1, 2, 3])) }))?;
/// assert_eq!(f.call(10), 16);
/// # Ok::<(), tickc::Error>(())
/// ```
///
/// Cost: making one about 8 cycles, cloning 2. Dropping a chain of any length is flat.
#[must_use = "a fragment does nothing until it is spliced into a function that is compiled"]
pub struct Code<'a, T> {
    handle: Handle,
    marker: PhantomData<fn() -> T>,
    borrows: Borrows<'a>,
    thread: OfThisThread,
}

impl<T> Clone for Code<'_, T> {
    #[inline]
    fn clone(&self) -> Self {
        Code { handle: self.handle.clone(), marker: PhantomData, borrows: PhantomData, thread: PhantomData }
    }
}

impl<T> std::fmt::Debug for Code<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code<{}>", std::any::type_name::<T>())
    }
}

impl<T> Code<'_, T> {
    /// The fragment, its type forgotten.
    pub(crate) fn into_handle(self) -> Handle {
        self.handle
    }

    /// A fragment that is known to yield a `T`.
    pub(crate) fn from_handle(handle: Handle) -> Self {
        Code { handle, marker: PhantomData, borrows: PhantomData, thread: PhantomData }
    }
}

impl<T: DynamicType> Code<'static, T> {
    /// A fragment whose instantiation makes `compile` return `error`: for generators that can fail.
    ///
    /// ```
    /// use tickc::prelude::*;
    ///
    /// fn inverse(n: f64) -> Code<'static, f64> {
    ///     if n == 0.0 { Code::fail("no inverse of zero") } else { tick!($(1.0 / n)) }
    /// }
    /// let jit = Jit::new()?;
    /// let error = jit.compile(tick!(|| -> f64 { @(inverse(0.0)) })).unwrap_err();
    /// assert_eq!(error.to_string(), "no inverse of zero");
    /// # Ok::<(), tickc::Error>(())
    /// ```
    pub fn fail(error: impl Into<Error>) -> Code<'static, T> {
        let error = error.into();
        quote((), flags::NONE, move |e: &mut Emitter, (): &()| e.fail(error.clone()))
    }
}

/// A whole function, quoted but not yet compiled: the value of `tick!(|…| …)` and of `tick!(fn name(…) …)`.
///
/// `S` is its signature, `fn(A, …) -> R`. Compile it with [`Jit::compile`](crate::Jit::compile).
#[must_use = "a quoted function does nothing until it is compiled"]
pub struct Staged<'a, S> {
    handle: Handle,
    marker: PhantomData<fn() -> S>,
    borrows: Borrows<'a>,
    thread: OfThisThread,
}

impl<S> Clone for Staged<'_, S> {
    #[inline]
    fn clone(&self) -> Self {
        Staged { handle: self.handle.clone(), marker: PhantomData, borrows: PhantomData, thread: PhantomData }
    }
}

impl<S> std::fmt::Debug for Staged<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Staged<{}>", std::any::type_name::<S>())
    }
}

impl<S: Signature> Staged<'_, S> {
    /// The function's body.
    #[inline(always)]
    pub(crate) fn into_handle(self) -> Handle {
        self.handle
    }
}

/// Makes the fragment of a quotation. Only `tick!` calls this.
#[inline(always)]
pub fn quote<'a, T: DynamicType, H, F>(hoists: H, flags: u32, body: F) -> Code<'a, T>
where
    H: Hoists + 'a,
    F: Fn(&mut Emitter, &H) -> Val<T> + 'a,
{
    Code { handle: fragment(hoists, flags, body), marker: PhantomData, borrows: PhantomData, thread: PhantomData }
}

/// Makes the function of a quotation. Only `tick!` calls this.
#[inline(always)]
pub fn staged<'a, P, R, H, F>(hoists: H, flags: u32, body: F) -> Staged<'a, P::Fn<R>>
where
    P: ParamList,
    R: DynamicType,
    H: Hoists + 'a,
    F: Fn(&mut Emitter, &H) -> Val<R> + 'a,
{
    Staged { handle: fragment(hoists, flags, body), marker: PhantomData, borrows: PhantomData, thread: PhantomData }
}

#[inline(always)]
fn fragment<T: DynamicType, H, F>(hoists: H, flags: u32, body: F) -> Handle
where
    H: Hoists,
    F: Fn(&mut Emitter, &H) -> Val<T>,
{
    let flags = flags & !BOXED | hoists.flags();
    let fits = size_of::<Fragment<H, F>>() <= arena::MAX_SIZE && align_of::<Fragment<H, F>>() <= arena::MAX_ALIGN;
    if !fits || H::NEEDS_DROP || std::mem::needs_drop::<F>() || hoists.holds_boxed() {
        return boxed::<T, H, F>(flags, hoists, body);
    }
    let hoists = ManuallyDrop::new(hoists);
    let (memory, chunk) = arena::allocate(std::alloc::Layout::new::<Fragment<H, F>>());
    if hoists.is_too_deep(chunk) {
        // SAFETY: the memory is not used.
        unsafe { arena::abandon(chunk) };
        return boxed::<T, H, F>(flags, ManuallyDrop::into_inner(hoists), body);
    }
    let memory = memory.cast::<Fragment<H, F>>();
    let fragment = memory.as_ptr();
    // Field by field: what is put together elsewhere and copied is read in other pieces than it was written in, for which the
    // processor waits until they have left its store buffer.
    // SAFETY: the memory is new, large and aligned enough. Nothing in the fragment needs a drop: `F` and the hoists do not, but
    // for handles of fragments, which `store` takes over; they are not used here again.
    unsafe {
        (&raw mut (*fragment).header.emit).write(emit::<T, H, F>);
        (&raw mut (*fragment).header.flags).write(flags);
        (&raw mut (*fragment).header.handles).write(Cell::new(1));
        (&raw mut (*fragment).body).write(body);
        hoists.store(&raw mut (*fragment).hoists, chunk);
    }
    Handle(memory.cast())
}

/// # Safety
/// `header` is that of a live `Fragment<H, F>`.
unsafe fn emit<T: DynamicType, H, F: Fn(&mut Emitter, &H) -> Val<T>>(
    header: NonNull<Header>,
    e: &mut Emitter,
) -> Operand {
    // SAFETY: by the caller's promise.
    let fragment = unsafe { header.cast::<Fragment<H, F>>().as_ref() };
    (fragment.body)(e, &fragment.hoists).into_operand()
}

/// A fragment counted on its own (see [`arena`]): the captures lie behind the header in a box of their own.
#[cold]
#[inline(never)]
fn boxed<T: DynamicType, H, F>(flags: u32, hoists: H, body: F) -> Handle
where
    F: Fn(&mut Emitter, &H) -> Val<T>,
{
    #[repr(C)]
    struct Whole<H, F> {
        head: Boxed,
        hoists: H,
        body: F,
    }
    /// # Safety
    /// As [`emit`], for a `Whole<H, F>`.
    unsafe fn emit<T: DynamicType, H, F: Fn(&mut Emitter, &H) -> Val<T>>(
        header: NonNull<Header>,
        e: &mut Emitter,
    ) -> Operand {
        // SAFETY: the header lies in a live `Whole<H, F>`, whose first field is the `Boxed` that holds the header.
        let whole = unsafe { header.byte_sub(std::mem::offset_of!(Boxed, header)).cast::<Whole<H, F>>().as_ref() };
        (whole.body)(e, &whole.hoists).into_operand()
    }
    /// # Safety
    /// `head` is that of a `Whole<H, F>` that nobody uses any more.
    unsafe fn drop_whole<H, F>(head: NonNull<Boxed>, dropping: &Dropping) {
        let whole = head.cast::<Whole<H, F>>().as_ptr();
        dropping.begin(whole);
        // SAFETY: made by `Box::into_raw` of a `Whole<H, F>` below.
        drop(unsafe { Box::from_raw(whole) });
    }
    let header = Header { emit: emit::<T, H, F>, flags: flags | BOXED, handles: Cell::new(1) };
    let head = Boxed::new(drop_whole::<H, F>, header);
    let whole = Box::into_raw(Box::new(Whole { head, hoists, body }));
    // SAFETY: the pointer comes from a box, so neither it nor a field's address is null.
    Handle(unsafe { NonNull::new_unchecked(&raw mut (*whole).head.header) })
}
