//! Rust closures that dynamic code calls: [`HostFn`].
//!
//! ```text
//!   dynamic code ── call ──► shim(closure, arguments…) ── catches panics ──► the closure
//!                ◄── value and status ──
//! ```
//!
//! The **shim** of a closure's type is a C function that takes the closure's address before the arguments. Nothing unwinds
//! out of it: a panic becomes a status (see [`crate::trap`]), which travels through dynamic frames as that of any trap, to the
//! `Func::try_call` that entered them. As the shim looks how much stack there is, recursion that goes through closures ends in a
//! trap too. The other shim, for interpreters, takes its arguments as words in memory.
#![allow(unsafe_code, reason = "shims take closures, slices and records by address")]

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::emit::Emitter;
use crate::func::WithStatus;
use crate::machine::Target;
use crate::record::Record;
use crate::signature::{Param, RawSlice, Return, Signature, Word};
use crate::stack;
use crate::trap::{TrapKind, status_of_panic};
use crate::types::{Element, Ref, Scalar, Slice};

/// A Rust closure that dynamic code calls as `$host(x)`, in a quotation or by [`DynCall`](crate::DynCall).
///
/// The closure is `Fn + Send + Sync + 'static`; it takes up to 12 scalars, slices `&[X]` and records `&R`, and returns a scalar
/// or `()`. `S` is its signature as dynamic code sees it: `fn(Slice<X>, Ref<R>) -> T` for `|s: &[X], r: &R| -> T`. Compiled
/// functions that call it keep it alive; it is dropped with the last of them and the last clone of the `HostFn`.
///
/// A panic in the closure ends the call of the dynamic code in [`Trap::HostPanic`](crate::Trap::HostPanic), which
/// [`Func::call`](crate::Func::call) resumes as that panic. The closure may call compiled functions, compile, and so on; where it
/// finds too little stack left, the call ends in [`Trap::StackOverflow`](crate::Trap::StackOverflow). (What is looked at is the
/// thread's own stack: on one that a coroutine library made, the call may end so, too.)
///
/// Cost: a call of a C function, a few cycles to look at the stack and to catch panics.
///
/// ```
/// use std::sync::atomic::{AtomicI64, Ordering};
/// use std::sync::Arc;
/// use tickc::prelude::*;
///
/// let total = Arc::new(AtomicI64::new(0));
/// let sum = Arc::clone(&total);
/// let add = HostFn::new(move |x: i64| { sum.fetch_add(x, Ordering::Relaxed); });
/// let f = Jit::new()?.compile(tick!(|s: Slice<i64>| {
///     for i in 0..s.len() { $add(s[i] * s[i]) }
/// }))?;
/// f.call(&[1, 2, 3]);
/// assert_eq!(total.load(Ordering::Relaxed), 14);
/// # Ok::<(), tickc::Error>(())
/// ```
pub struct HostFn<S> {
    closure: Arc<dyn Any + Send + Sync>,
    shims: Shims,
    marker: PhantomData<fn() -> S>,
}

/// The addresses of both shims of a closure's type (see [`Target::Host`]).
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Shims {
    native: usize,
    words: usize,
}

impl<S> Clone for HostFn<S> {
    fn clone(&self) -> Self {
        HostFn { closure: Arc::clone(&self.closure), shims: self.shims, marker: PhantomData }
    }
}

impl<S> fmt::Debug for HostFn<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostFn<{}>", std::any::type_name::<S>())
    }
}

// What a panic may have left in the closure is the closure's own affair, as for a `Func` that calls it.
impl<S> UnwindSafe for HostFn<S> {}
impl<S> RefUnwindSafe for HostFn<S> {}

impl<S: Signature> HostFn<S> {
    /// Makes a closure callable. The types of its arguments must be written out; `S` follows from them. A function of a generic
    /// type goes into a closure: `HostFn::new(move |x: i64| f(x))`.
    ///
    /// ```
    /// use tickc::prelude::*;
    ///
    /// let names = ["zero", "one", "two"];
    /// let len = HostFn::new(move |i: usize| names.get(i).map_or(0, |name| name.len()));
    /// let f = Jit::new()?.compile(tick!(|i: usize| -> usize { $len(i) * 10 }))?;
    /// assert_eq!(f.call(0), 40);
    /// # Ok::<(), tickc::Error>(())
    /// ```
    pub fn new<M, F: HostClosure<M, Signature = S>>(closure: F) -> HostFn<S> {
        HostFn { closure: Arc::new(closure), shims: F::shims(), marker: PhantomData }
    }

    /// The target of a call from the function under construction, which keeps the closure alive.
    pub(crate) fn target_in(&self, e: &mut Emitter) -> Target {
        e.keep(Arc::clone(&self.closure));
        Target::Host {
            data: Arc::as_ptr(&self.closure).expose_provenance() as u64,
            shim: self.shims.native as u64,
            words: self.shims.words as u64,
        }
    }
}

/// A closure that a [`HostFn`] can be made of. `M` is the type of the closure as a function pointer, which rustc finds.
#[diagnostic::on_unimplemented(
    message = "this closure cannot be called by dynamic code",
    label = "not a closure of scalars, `&[X]` and `&R`",
    note = "a `HostFn` is made of an `Fn` with up to 12 arguments, each a scalar, a `&[X]` or a `&R` of a record, and a scalar or \
            `()` as its result",
    note = "a function of a generic type is called by a closure: `HostFn::new(move |x: i64| f(x))`"
)]
pub trait HostClosure<M>: Sized + Send + Sync + 'static {
    /// The signature as dynamic code sees it.
    type Signature: Signature;
    /// The shims of this type.
    #[doc(hidden)]
    fn shims() -> Shims;
}

/// What a closure may take, as its author writes it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a closure that dynamic code calls cannot take a `{Self}`",
    note = "its arguments are scalars, `&[X]` and `&R` of a record `R`"
)]
pub trait HostArgument {
    /// The parameter as dynamic code sees it.
    type Param: HostParam;
}

/// The parameters of closures. `Param::Arg<'x>` is what the closure takes.
#[doc(hidden)]
pub trait HostParam: Param {
    /// The argument, from what was passed by the rules of C.
    ///
    /// # Safety
    /// `abi` is what `into_abi` made of such an argument, or what dynamic code has in a variable of this type; whatever it refers
    /// to lives for `'x`, and is not written meanwhile.
    unsafe fn from_abi<'x>(abi: Self::Abi) -> Self::Arg<'x>;
    /// The same from words in canonical form; `next` yields them.
    fn from_words(next: impl FnMut() -> u64) -> Self::Abi;
}

macro_rules! scalar_arguments {
    ($({$($generics:tt)*} $t:ty),*) => {$(
        impl<$($generics)*> HostArgument for $t {
            type Param = $t;
        }
    )*};
}
scalar_arguments! {
    {} bool, {} i8, {} i16, {} i32, {} i64, {} isize, {} u8, {} u16, {} u32, {} u64, {} usize, {} f32, {} f64,
    {X: 'static} *const X, {X: 'static} *mut X
}
impl<X: Element> HostArgument for &[X] {
    type Param = Slice<X>;
}
impl<R: Record> HostArgument for &R {
    type Param = Ref<R>;
}

impl<T: Scalar> HostParam for T {
    // SAFETY: a scalar refers to nothing.
    #[inline(always)]
    unsafe fn from_abi<'x>(abi: T) -> Self::Arg<'x> {
        abi
    }
    fn from_words(mut next: impl FnMut() -> u64) -> T {
        T::from_bits(next())
    }
}
impl<X: Element> HostParam for Slice<X> {
    #[inline(always)]
    unsafe fn from_abi<'x>(RawSlice { pointer, len }: RawSlice) -> &'x [X] {
        if len == 0 {
            // The pointer of a local slice that was never assigned is null.
            return &[];
        }
        // SAFETY: pointer and length of a slice that lives, by the caller's promise.
        unsafe { std::slice::from_raw_parts(pointer.cast(), len) }
    }
    fn from_words(mut next: impl FnMut() -> u64) -> RawSlice {
        let pointer = std::ptr::with_exposed_provenance(next() as usize);
        RawSlice { pointer, len: next() as usize }
    }
}
impl<R: Record> HostParam for Ref<R> {
    #[inline(always)]
    unsafe fn from_abi<'x>(abi: *const R) -> &'x R {
        // SAFETY: the address of a record that lives, by the caller's promise.
        unsafe { &*abi }
    }
    fn from_words(mut next: impl FnMut() -> u64) -> *const R {
        std::ptr::with_exposed_provenance(next() as usize)
    }
}

/// What a closure may return: what functions may, or nothing ever, which dynamic code sees as `()`.
#[doc(hidden)]
pub trait HostResult {
    /// The result as dynamic code sees it.
    type Return: Return;
    /// The value.
    fn into_return(self) -> Self::Return;
}
impl<R: Return> HostResult for R {
    type Return = R;
    #[inline(always)]
    fn into_return(self) -> R {
        self
    }
}
/// Names the type `!`: the result of a closure that does nothing but panic.
#[doc(hidden)]
pub trait ResultOf {
    type Result;
}
impl<R> ResultOf for fn() -> R {
    type Result = R;
}
impl HostResult for <fn() -> ! as ResultOf>::Result {
    type Return = ();
    fn into_return(self) {
        self
    }
}

type WordOf<R> = <<R as HostResult>::Return as Return>::Word;

/// Runs a closure where nothing may unwind.
#[inline(always)]
fn run<R: HostResult>(closure: impl FnOnce() -> R) -> WithStatus<WordOf<R>> {
    if stack::pointer() < stack::limit() + stack::RESERVE {
        return WithStatus { value: Default::default(), status: TrapKind::StackOverflow as u64 };
    }
    // What the closure shares with others is `Sync`, and whoever gets to see the panic gets to see it whole.
    match catch_unwind(AssertUnwindSafe(|| closure().into_return().into_word())) {
        Ok(value) => WithStatus { value, status: 0 },
        Err(payload) => WithStatus { value: Default::default(), status: status_of_panic(payload) },
    }
}

macro_rules! arities {
    ($($($p:ident $a:ident)*;)*) => {$(
        // The first bound on `Fun` finds the types; the second makes sure that the closure takes references however short they
        // live.
        impl<Fun, Ret, $($p),*> HostClosure<fn($($p),*) -> Ret> for Fun
        where
            Fun: Fn($($p),*) -> Ret + for<'x> Fn($(<$p::Param as Param>::Arg<'x>),*) -> Ret + Send + Sync + 'static,
            Ret: HostResult,
            $($p: HostArgument,)*
        {
            type Signature = fn($($p::Param),*) -> Ret::Return;

            fn shims() -> Shims {
                #[allow(clippy::too_many_arguments, reason = "as many as the closure has")]
                extern "C" fn native<Fun, Ret, $($p),*>(
                    closure: &Fun,
                    $($a: <$p as Param>::Abi),*
                ) -> WithStatus<WordOf<Ret>>
                where
                    Fun: for<'x> Fn($($p::Arg<'x>),*) -> Ret,
                    Ret: HostResult,
                    $($p: HostParam,)*
                {
                    // SAFETY: dynamic code passes what it has in variables of these types; it waits for the closure, which takes
                    // references of any lifetime and hence cannot keep them.
                    run(|| closure($(unsafe { $p::from_abi($a) }),*))
                }
                unsafe extern "C" fn words<Fun, Ret, $($p),*>(words: *const u64, value: *mut u64) -> u64
                where
                    Fun: for<'x> Fn($($p::Arg<'x>),*) -> Ret,
                    Ret: HostResult,
                    $($p: HostParam,)*
                {
                    let mut words = words;
                    let mut next = || {
                        // SAFETY: by the caller's promise there are as many words as the closure's parameters take.
                        unsafe {
                            let word = *words;
                            words = words.add(1);
                            word
                        }
                    };
                    let closure = std::ptr::with_exposed_provenance::<Fun>(next() as usize);
                    $(let $a = $p::from_words(&mut next);)*
                    // SAFETY: the first word is the address of the closure, by the caller's promise.
                    let result = native::<Fun, Ret, $($p),*>(unsafe { &*closure }, $($a),*);
                    // SAFETY: by the caller's promise the value may be written.
                    unsafe { *value = result.value.bits() };
                    result.status
                }
                Shims {
                    native: native::<Fun, Ret, $($p::Param),*> as *const () as usize,
                    words: words::<Fun, Ret, $($p::Param),*> as *const () as usize,
                }
            }
        }
    )*};
}
arities! {
    ;
    A a;
    A a B b;
    A a B b C c;
    A a B b C c D d;
    A a B b C c D d E e;
    A a B b C c D d E e F f;
    A a B b C c D d E e F f G g;
    A a B b C c D d E e F f G g H h;
    A a B b C c D d E e F f G g H h I i;
    A a B b C c D d E e F f G g H h I i J j;
    A a B b C c D d E e F f G g H h I i J j K k;
    A a B b C c D d E e F f G g H h I i J j K k L l;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Trap;
    use crate::trap::trap_of_status;

    /// Calls a closure by its shim for interpreters.
    fn by_words<S: Signature>(host: &HostFn<S>, arguments: &[u64]) -> Result<u64, Trap> {
        let mut words = vec![Arc::as_ptr(&host.closure).expose_provenance() as u64];
        words.extend(arguments);
        let mut value = 0;
        // SAFETY: the address is that of such a function, and the words are those of the closure's arguments.
        let status = unsafe {
            let shim = std::mem::transmute::<*const (), unsafe extern "C" fn(*const u64, *mut u64) -> u64>(
                std::ptr::with_exposed_provenance(host.shims.words),
            );
            shim(words.as_ptr(), &raw mut value)
        };
        // SAFETY: the status of the call that has just ended.
        if status == 0 { Ok(value) } else { Err(unsafe { trap_of_status(status) }) }
    }

    #[test]
    fn words_are_arguments_and_results() {
        let host = HostFn::new(|a: i8, s: &[u16], b: f32, c: bool, p: *const u8| {
            f64::from(a) + s.iter().map(|&x| f64::from(x)).sum::<f64>() + f64::from(b) + p.addr() as f64 * f64::from(c)
        });
        let s = [1000u16, 2];
        let words = [-3i64 as u64, s.as_ptr().expose_provenance() as u64, 2, u64::from(0.5f32.to_bits()), 1, 4096];
        assert_eq!(by_words(&host, &words).unwrap(), (999.5f64 + 4096.0).to_bits());
        assert_eq!(by_words(&HostFn::new(|a: i16| a - 1), &[0]).unwrap(), u64::MAX);
        assert_eq!(by_words(&HostFn::new(|a: f32| a * 2.0), &[u64::from(1.5f32.to_bits())]).unwrap(), 0x4040_0000);
        assert_eq!(by_words(&HostFn::new(|s: &[u64]| s.len()), &[0, 0]).unwrap(), 0);
        let trap = by_words(&HostFn::new(|| std::panic::resume_unwind(Box::new(5i32))), &[]).unwrap_err();
        let Trap::HostPanic(payload) = trap else { panic!("{trap:?}") };
        assert_eq!(payload.downcast_ref(), Some(&5i32));
    }
}
