//! What a quotation captures when it is evaluated: `@` splices, `$` constants, iterables.

use std::ptr::NonNull;
use std::sync::Arc;

use super::arena::{self, Chunk};
use super::{BOXED, Code, flags};
use crate::emit::{Emitter, Val, Var};
use crate::types::{DynamicType, Element, Scalar, Slice};

/// What `@` accepts: `Code`, `Var`, and references to them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not dynamic code",
    label = "only a `Code<T>` or a `Var<T>` can be spliced with `@`",
    note = "the value of ordinary Rust enters a quotation as a run-time constant, with `$`"
)]
pub trait Splice {
    /// What is kept in the fragment.
    type Captured: Captured;
    /// Takes what has to be kept.
    fn capture(&self) -> Self::Captured;
}

/// What is kept of a splice.
pub trait Captured {
    /// The type of dynamic value.
    type Ty: DynamicType;
    /// Emits it. `operand`: other operands are pending.
    #[track_caller]
    fn instantiate(&self, e: &mut Emitter, operand: bool) -> Val<Self::Ty>;
    /// Whether emitting it may change variables or memory.
    fn effects(&self) -> bool;
}

impl<'a, T: DynamicType> Splice for Code<'a, T> {
    type Captured = Code<'a, T>;
    #[inline(always)]
    fn capture(&self) -> Self::Captured {
        self.clone()
    }
}
impl<T: DynamicType> Splice for Var<T> {
    type Captured = Var<T>;
    #[inline(always)]
    fn capture(&self) -> Self::Captured {
        *self
    }
}
macro_rules! through_pointers {
    ($($pointer:ty),*) => {$(
        impl<S: Splice + ?Sized> Splice for $pointer {
            type Captured = S::Captured;
            #[inline(always)]
            fn capture(&self) -> Self::Captured { (**self).capture() }
        }
    )*};
}
through_pointers!(&S, &mut S, Box<S>, std::rc::Rc<S>);

impl<T: DynamicType> Captured for Code<'_, T> {
    type Ty = T;
    #[inline(always)]
    fn instantiate(&self, e: &mut Emitter, operand: bool) -> Val<T> {
        Val::new(self.handle.instantiate(e, T::SHAPE, operand))
    }
    #[inline(always)]
    fn effects(&self) -> bool {
        self.handle.has_effects()
    }
}
impl<T: DynamicType> Captured for Var<T> {
    type Ty = T;
    #[inline(always)]
    fn instantiate(&self, e: &mut Emitter, _: bool) -> Val<T> {
        e.get(*self)
    }
    #[inline(always)]
    fn effects(&self) -> bool {
        false
    }
}

/// Captures a splice.
#[inline(always)]
pub fn splice_capture<S: Splice>(splice: &S) -> S::Captured {
    splice.capture()
}

/// What `$` accepts: run-time constants.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a run-time constant",
    label = "`$` takes scalars, `Arc<[X]>`, `&'static [X]`, `extern \"C\"` function pointers, `Func`s and `HostFn`s",
    note = "a dynamic variable has no value until the code runs; splice it with `@`"
)]
pub trait Lift: Clone {}

/// Run-time constants that are values of dynamic code.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no value of dynamic code",
    label = "`$` takes scalars, `Arc<[X]>`, `&'static [X]` here"
)]
pub trait LiftValue: Lift {
    /// The type of dynamic value.
    type Ty: DynamicType;
    /// Emits it.
    fn lift(&self, e: &mut Emitter) -> Val<Self::Ty>;
}

impl<T: Scalar> Lift for T {}
impl<T: Scalar> LiftValue for T {
    type Ty = T;
    #[inline(always)]
    fn lift(&self, e: &mut Emitter) -> Val<T> {
        e.lit(*self)
    }
}
impl<X: Element + Send + Sync> Lift for Arc<[X]> {}
impl<X: Element + Send + Sync> LiftValue for Arc<[X]> {
    type Ty = Slice<X>;
    fn lift(&self, e: &mut Emitter) -> Val<Slice<X>> {
        let slice = e.lit_slice(self);
        e.keep(Arc::new(self.clone()));
        slice
    }
}
impl<X: Element + Send + Sync> Lift for &'static [X] {}
impl<X: Element + Send + Sync> LiftValue for &'static [X] {
    type Ty = Slice<X>;
    fn lift(&self, e: &mut Emitter) -> Val<Slice<X>> {
        e.lit_slice(self)
    }
}

/// A captured run-time constant.
#[derive(Debug)]
pub struct Lifted<L>(pub(crate) L);

/// Captures a run-time constant.
#[inline(always)]
pub fn lift_capture<L: Lift>(constant: &L) -> Lifted<L> {
    Lifted(constant.clone())
}

/// A captured Rust value that steers instantiation: an iterable, a condition, what a `match` looks at.
#[derive(Debug)]
pub struct Plain<X>(pub X);

/// One capture of a fragment.
pub trait Hoist {
    /// Whether it needs a drop, handles of fragments apart.
    const NEEDS_DROP: bool;
    /// What is known of the fragment captured, if it is one.
    #[inline(always)]
    fn flags(&self) -> u32 {
        flags::NONE
    }
    /// Whether it is a fragment that is counted on its own.
    #[inline(always)]
    fn is_boxed(&self) -> bool {
        false
    }
    /// The handle, if it is a fragment.
    #[doc(hidden)]
    #[inline(always)]
    fn header(&self) -> Option<NonNull<()>> {
        None
    }
}

impl<T> Hoist for Code<'_, T> {
    const NEEDS_DROP: bool = false;
    #[inline(always)]
    fn flags(&self) -> u32 {
        self.handle.known()
    }
    #[inline(always)]
    fn is_boxed(&self) -> bool {
        self.handle.flags() & BOXED != 0
    }
    #[inline(always)]
    fn header(&self) -> Option<NonNull<()>> {
        Some(self.handle.0.cast())
    }
}
impl<T> Hoist for Var<T> {
    const NEEDS_DROP: bool = false;
}
impl<L> Hoist for Lifted<L> {
    const NEEDS_DROP: bool = std::mem::needs_drop::<L>();
}
impl<X> Hoist for Plain<X> {
    const NEEDS_DROP: bool = std::mem::needs_drop::<X>();
}

/// All captures of a fragment: `(a, (b, (c, ())))`.
pub trait Hoists: private::Store {
    /// Whether any needs a drop, handles of fragments apart.
    const NEEDS_DROP: bool;
    /// What is known of the fragments captured, together.
    fn flags(&self) -> u32;
    /// Whether any is a fragment counted on its own.
    fn holds_boxed(&self) -> bool;
}

mod private {
    use super::{Chunk, NonNull};
    /// The part of [`super::Hoists`] that only this module may call.
    pub trait Store: Sized {
        /// Moves the hoists to where they belong in `chunk`, and turns the handles of fragments among them into dependences of
        /// that chunk.
        ///
        /// One by one, as the other fields.
        ///
        /// # Safety
        /// `place` may be written to, lies in `chunk`, and is never dropped; none of the hoists is boxed. `self` is not used again.
        #[expect(private_interfaces, reason = "only this module calls it")]
        unsafe fn store(&self, place: *mut Self, chunk: NonNull<Chunk>);

        /// Whether a fragment with these captures must not lie in `chunk` (A5). None of them is boxed.
        #[expect(private_interfaces, reason = "only this module calls it")]
        fn is_too_deep(&self, chunk: NonNull<Chunk>) -> bool;
    }
}

impl private::Store for () {
    #[inline(always)]
    #[expect(private_interfaces, reason = "only this module calls it")]
    unsafe fn store(&self, _: *mut (), _: NonNull<Chunk>) {}
    #[inline(always)]
    #[expect(private_interfaces, reason = "only this module calls it")]
    fn is_too_deep(&self, _: NonNull<Chunk>) -> bool {
        false
    }
}
impl Hoists for () {
    const NEEDS_DROP: bool = false;
    #[inline(always)]
    fn flags(&self) -> u32 {
        flags::NONE
    }
    #[inline(always)]
    fn holds_boxed(&self) -> bool {
        false
    }
}
impl<A: Hoist, B: Hoists> private::Store for (A, B) {
    #[inline(always)]
    #[expect(private_interfaces, reason = "only this module calls it")]
    unsafe fn store(&self, place: *mut Self, chunk: NonNull<Chunk>) {
        let (first, rest) = self;
        // SAFETY: by the caller's promise; the header is that of the handle that is moved into the chunk.
        unsafe {
            (&raw mut (*place).0).copy_from_nonoverlapping(first, 1);
            rest.store(&raw mut (*place).1, chunk);
            if let Some(header) = first.header() {
                arena::settle(header.cast(), chunk);
            }
        }
    }
    #[inline(always)]
    #[expect(private_interfaces, reason = "only this module calls it")]
    fn is_too_deep(&self, chunk: NonNull<Chunk>) -> bool {
        // SAFETY: the handle keeps the fragment alive, which is not boxed.
        self.0.header().is_some_and(|header| unsafe { arena::is_too_deep(header.cast(), chunk) })
            || self.1.is_too_deep(chunk)
    }
}
impl<A: Hoist, B: Hoists> Hoists for (A, B) {
    const NEEDS_DROP: bool = A::NEEDS_DROP || B::NEEDS_DROP;
    #[inline(always)]
    fn flags(&self) -> u32 {
        self.0.flags() | self.1.flags()
    }
    #[inline(always)]
    fn holds_boxed(&self) -> bool {
        self.0.is_boxed() || self.1.holds_boxed()
    }
}
