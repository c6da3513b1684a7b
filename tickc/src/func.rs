//! Compiled functions: [`Func`] owns its code and calls it.
#![allow(unsafe_code, reason = "calls generated code")]

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use crate::auto::Hot;
use crate::code_memory::{self, Node};
use crate::dump;
use crate::emit::{Emitter, Keep};
use crate::error::Error;
use crate::interp::Program;
use crate::jit::{Phases, Stats, Tier};
use crate::machine::{Finished, Target};
use crate::signature::{Param, Return, Words};
use crate::trap::{Trap, trap_of_status};
use crate::x64::entry;

/// What lies beside the code of a function.
pub(crate) struct FuncData {
    /// `Func`s that share it, and functions that call it.
    pub(crate) owners: AtomicU32,
    /// Address of the entry.
    pub(crate) entry: usize,
    /// As in `finished`: a byte that every call compares with zero.
    traps: bool,
    pub(crate) tier: Tier,
    pub(crate) finished: Finished,
    /// What most functions do without.
    pub(crate) extra: Option<Box<Extra>>,
}

/// The rarer part of [`FuncData`].
pub(crate) struct Extra {
    /// What is run instead of code, of an interpreted function.
    pub(crate) program: Option<Program>,
    /// What the code refers to.
    pub(crate) keep: Box<[Keep]>,
    pub(crate) phases: Option<Phases>,
    /// As in [`Stats`].
    pub(crate) single_pass: bool,
}

impl FuncData {
    /// What lies beside a function that has one owner.
    #[inline(always)] // It is built in its place.
    pub(crate) fn new(entry: usize, finished: Finished, tier: Tier, extra: Option<Box<Extra>>) -> FuncData {
        // What is interpreted has no code to call.
        debug_assert!(entry != 0 || finished.is(Finished::TRAPS) && finished.is(Finished::CHECKS_STACK));
        FuncData { owners: AtomicU32::new(1), entry, traps: finished.is(Finished::TRAPS), tier, finished, extra }
    }

    /// Machine code that belongs to an interpreted function.
    pub(crate) fn thunk(entry: usize) -> FuncData {
        FuncData::new(entry, Finished::default(), Tier::Interp, None)
    }

    /// The program of an interpreted function.
    #[inline]
    pub(crate) fn program(&self) -> Option<&Program> {
        self.extra.as_ref()?.program.as_ref()
    }
}

/// What another handle of a function keeps: see [`Func::kept_with`].
struct Handle {
    function: Owner,
    /// What it keeps besides.
    _keep: Keep,
}

impl Drop for FuncData {
    #[inline]
    fn drop(&mut self) {
        if let Some(extra) = self.extra.take() {
            drop_flat(extra.keep);
        }
    }
}

thread_local! {
    /// What the innermost loop of `drop_flat` drops next, null while there is none. Without a destructor, so that it is there
    /// until the thread has ended.
    static DROPPING: Cell<*mut Vec<Box<[Keep]>>> = const { Cell::new(std::ptr::null_mut()) };
}

/// Drops what a function kept alive. A function may have kept another one alive, and so on: the chain is taken down by a loop.
#[inline(never)]
fn drop_flat(keep: Box<[Keep]>) {
    let list = DROPPING.get();
    if !list.is_null() {
        // SAFETY: the list lives in the frame of the loop below, which has not ended, and nobody borrows it while something is
        // being dropped.
        unsafe { (*list).push(keep) };
        return;
    }
    /// Ends the loop, also when a drop panics: what is on the list is then dropped by ordinary recursion.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            DROPPING.set(std::ptr::null_mut());
        }
    }
    let mut list = vec![keep];
    let list = &raw mut list;
    let _end = End;
    DROPPING.set(list);
    // SAFETY: the list is in this frame; the borrow ends before anything is dropped, which may push on it.
    while let Some(keep) = unsafe { (*list).pop() } {
        drop(keep);
    }
}

/// An owner of a function whose signature is forgotten.
pub(crate) struct Owner(NonNull<Node<FuncData>>);

// SAFETY: the node is shared by counting, its payload is `Sync` but for what `keep` holds, which is `Send + Sync`, and the code
// is immutable.
unsafe impl Send for Owner {}
// SAFETY: as above.
unsafe impl Sync for Owner {}

// A function that a panic left has no state that could be inconsistent.
impl std::panic::UnwindSafe for Owner {}
impl std::panic::RefUnwindSafe for Owner {}

impl Owner {
    /// The owner of what was just published.
    ///
    /// # Safety
    /// `node` is published, and counts this owner.
    #[inline]
    pub(crate) unsafe fn new(node: NonNull<Node<FuncData>>) -> Owner {
        Owner(node)
    }

    #[inline]
    fn node(&self) -> &Node<FuncData> {
        // SAFETY: a node lives until its last owner releases it.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    fn data(&self) -> &FuncData {
        self.node().payload()
    }

    /// What the function keeps that tells whose code it runs.
    fn first_kept<T: 'static>(&self) -> Option<&T> {
        self.data().extra.as_ref()?.keep.first()?.downcast_ref()
    }

    /// The owner of the code that calls run now: another one if this is another handle of a function, or if the function has got
    /// better code.
    fn current(&self) -> &Owner {
        if let Some(handle) = self.first_kept::<Handle>() {
            return handle.function.current();
        }
        self.first_kept::<Hot>().and_then(Hot::better).unwrap_or(self)
    }

    /// All code of the function, but for an entry that leads to it.
    pub(crate) fn code(&self) -> &[u8] {
        let current = self.current();
        let node = current.node();
        // SAFETY: the node's code is readable and does not change while the node lives.
        let code = unsafe { std::slice::from_raw_parts(node.exec(), node.len()) };
        if current.first_kept::<Hot>().is_some() { &code[entry::LEN..] } else { code }
    }

    /// The code without the data behind it.
    pub(crate) fn instructions(&self) -> &[u8] {
        #[cfg(feature = "cranelift")]
        if self.data().tier == Tier::Cranelift {
            return crate::cranelift::instructions(self.code());
        }
        self.data().finished.instructions(self.code())
    }

    /// Address of the entry.
    pub(crate) fn address(&self) -> u64 {
        self.data().entry as u64
    }

    #[inline]
    fn entry(&self) -> *const u8 {
        let node = self.node();
        node.exec().with_addr(node.payload().entry)
    }
}

impl Clone for Owner {
    #[inline]
    fn clone(&self) -> Self {
        let owners = self.data().owners.fetch_add(1, Ordering::Relaxed);
        if owners >= u32::MAX / 2 {
            // As `Arc` does: were this a panic, clones forgotten and panics caught could bring the count round to zero.
            std::process::abort();
        }
        Owner(self.0)
    }
}

impl Drop for Owner {
    #[inline]
    fn drop(&mut self) {
        if self.data().owners.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            if self.data().program().is_some() {
                // SAFETY: that was the last owner; functions that are interpreted are detached.
                return unsafe { Node::free_detached(self.0) };
            }
            // SAFETY: that was the last owner; nobody can call the code any more.
            unsafe { code_memory::release(self.0) }
        }
    }
}

/// A compiled function. Calls it as an ordinary one, shares it between threads, and frees its code when the last clone, and
/// the last compiled function that calls it, are gone.
///
/// `S` is the signature, `fn(A, …) -> R`. A call costs what a call of a function pointer costs.
///
/// ```
/// use tickc::prelude::*;
///
/// let jit = Jit::new()?;
/// let n = 100;
/// let scale: Func<fn(i64) -> i64> = jit.compile(tick!(|x: i64| -> i64 { x * $n }))?;
/// assert_eq!(std::thread::spawn(move || scale.call(7)).join().unwrap(), 700);
/// # Ok::<(), tickc::Error>(())
/// ```
pub struct Func<S> {
    owner: Owner,
    marker: PhantomData<fn() -> S>,
}

impl<S> Clone for Func<S> {
    #[inline]
    fn clone(&self) -> Self {
        Func { owner: self.owner.clone(), marker: PhantomData }
    }
}

impl<S> fmt::Debug for Func<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = std::any::type_name::<S>();
        match self.owner.data().program() {
            Some(program) => {
                write!(f, "Func<{name}>({:?}, {} operations)", self.tier(), program.function().operations())
            }
            None => {
                write!(
                    f,
                    "Func<{name}>({:?}, {} bytes at {:?})",
                    self.tier(),
                    self.owner.code().len(),
                    self.owner.entry()
                )
            }
        }
    }
}

/// Whether both are the same compiled function, as for function pointers.
impl<S> PartialEq for Func<S> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.owner.0 == other.owner.0
    }
}
impl<S> Eq for Func<S> {}

impl<S> std::hash::Hash for Func<S> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.owner.0.hash(state);
    }
}

impl<S> Func<S> {
    /// The function whose code was just published.
    ///
    /// # Safety
    /// The code follows the calling convention of `S` (see [`crate::trap`] for what is returned), and `node` counts one owner.
    #[inline]
    pub(crate) unsafe fn new(node: NonNull<Node<FuncData>>) -> Self {
        Func { owner: Owner(node), marker: PhantomData }
    }

    /// The same function under another signature.
    ///
    /// # Safety
    /// The code follows the calling convention of `T`, too, and takes whatever safe Rust passes under it.
    pub(crate) unsafe fn with_signature<T>(&self) -> Func<T> {
        Func { owner: self.owner.clone(), marker: PhantomData }
    }

    /// The tier that compiled the code that it has now: in [`Tier::Auto`] first [`Tier::OnePass`], then a better one.
    pub fn tier(&self) -> Tier {
        self.owner.current().data().tier
    }

    /// Size of the code that it has now, number of instructions (decoded on request), and what `compile` took. Of an interpreted
    /// function, the operations of the intermediate representation are its instructions.
    pub fn stats(&self) -> Stats {
        let (data, current) = (self.owner.data(), self.owner.current());
        let (instructions, bytes) = match data.program() {
            Some(program) => (program.function().operations(), size_of_val(&program.function().records[..])),
            None => (dump::count_instructions(current.instructions()), current.code().len()),
        };
        let better = current.data().extra.as_ref();
        Stats {
            instructions,
            bytes,
            single_pass: better.is_some_and(|extra| extra.single_pass),
            phases: data.extra.as_ref().and_then(|extra| extra.phases),
        }
    }

    /// The machine code that it has now as text, one instruction a line; of an interpreted function, its intermediate
    /// representation.
    pub fn disassemble(&self) -> String {
        if let Some(program) = self.owner.data().program() {
            return program.function().to_string();
        }
        let current = self.owner.current();
        dump::disassemble(current.instructions(), current.code().as_ptr().addr() as u64)
    }

    /// The code that changes, of a function of [`Tier::Auto`].
    #[cfg(test)]
    pub(crate) fn hot(&self) -> Option<&Hot> {
        self.owner.first_kept()
    }

    /// What a cell holds from which the function is called (see [`Target::Declared`]).
    pub(crate) fn cell_word(&self) -> usize {
        match self.owner.data().program() {
            Some(program) => (&raw const *program).expose_provenance(),
            None => self.owner.entry().expose_provenance(),
        }
    }

    /// Another handle of the function, which keeps something alive besides.
    pub(crate) fn kept_with(&self, keep: Keep) -> Result<Func<S>, Error> {
        let data = self.owner.data();
        let extra = Box::new(Extra {
            program: data.program().map(Program::other),
            keep: Box::new([Arc::new(Handle { function: self.owner.clone(), _keep: keep })]),
            phases: data.extra.as_ref().and_then(|extra| extra.phases),
            single_pass: data.extra.as_ref().is_some_and(|extra| extra.single_pass),
        });
        let other = FuncData::new(data.entry, data.finished, data.tier, Some(extra));
        let node = match data.program() {
            Some(_) => Node::detached(other),
            // Its node has no code of its own, but for the least there is.
            None => code_memory::reserve(1)?.publish()?.commit(other),
        };
        // SAFETY: the code at the entry, or the program, is that of this function, which the handle keeps alive; the node counts
        // one owner.
        Ok(unsafe { Func::new(node) })
    }

    /// The target of a call from the function under construction, which keeps this one alive.
    pub(crate) fn target_in(&self, e: &mut Emitter) -> Target {
        e.keep(Arc::new(self.owner.clone()));
        let finished = self.owner.data().finished;
        if let Some(program) = self.owner.data().program() {
            let address = if e.machine.is_interpreted() { Ok(0) } else { program.thunk() };
            return Target::Dynamic {
                address: address.unwrap_or_else(|error| {
                    e.set_error(error);
                    0
                }),
                program: (&raw const *program).expose_provenance() as u64,
                traps: true,
                checks_stack: false,
                stack: crate::interp::THUNK_STACK,
            };
        }
        Target::Dynamic {
            address: self.owner.entry().expose_provenance() as u64,
            program: 0,
            traps: finished.is(Finished::TRAPS),
            checks_stack: finished.is(Finished::CHECKS_STACK),
            stack: finished.stack(),
        }
    }
}

/// What a function that can trap returns: rax and rdx, or xmm0 and rax.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct WithStatus<W> {
    pub(crate) value: W,
    pub(crate) status: u64,
}

impl<W> WithStatus<W> {
    /// The value, or the status of a trap.
    #[inline(always)]
    fn result<R: Return<Word = W>>(self) -> Result<R, u64> {
        if self.status == 0 { Ok(R::from_word(self.value)) } else { Err(self.status) }
    }
}

macro_rules! arities {
    ($($($p:ident $a:ident)*;)*) => {$(
        impl<$($p: Param,)* R: Return> Func<fn($($p),*) -> R> {
            /// Calls the function. Cost: a comparison more than a call through a pointer, three if the function can
            /// trap.
            ///
            /// # Panics
            /// With the trap's message, when the call ends in a trap; with the closure's own panic, when that is the trap.
            #[inline]
            #[track_caller]
            #[allow(clippy::too_many_arguments, reason = "as many as the signature has")]
            pub fn call(&self, $($a: $p::Arg<'_>),*) -> R {
                $(let $a = $p::into_abi($a);)*
                if let Some(f) = self.as_pointer() {
                    // SAFETY: the arguments are what `call` takes, and this handle lives.
                    return unsafe { f($($a),*) };
                }
                match self.run_trapping($($a),*) {
                    Ok(value) => value,
                    // SAFETY: the status of the call that has just ended.
                    Err(status) => unsafe { raise(status) },
                }
            }

            /// Calls the function.
            ///
            /// # Errors
            /// The trap, when the call ends in one.
            #[inline]
            #[allow(clippy::too_many_arguments, reason = "as many as the signature has")]
            pub fn try_call(&self, $($a: $p::Arg<'_>),*) -> Result<R, Trap> {
                $(let $a = $p::into_abi($a);)*
                if let Some(f) = self.as_pointer() {
                    // SAFETY: the arguments are what `try_call` takes, and this handle lives.
                    return Ok(unsafe { f($($a),*) });
                }
                // SAFETY: the status of the call that has just ended.
                self.run_trapping($($a),*).map_err(|status| unsafe { trap_of_status(status) })
            }

            /// Calls a function that can trap. An error is the status of the trap.
            #[inline(always)]
            #[allow(clippy::too_many_arguments, reason = "as many as the signature has")]
            fn run_trapping(&self, $($a: $p::Abi),*) -> Result<R, u64> {
                if self.owner.data().finished.is(Finished::CHECKS_STACK) {
                    return self.run_guarded($($a),*);
                }
                // SAFETY: the code was compiled for this signature, and returns a status; `self` keeps it alive.
                let f = unsafe {
                    std::mem::transmute::<*const u8, extern "C" fn($($p::Abi),*) -> WithStatus<R::Word>>(
                        self.owner.entry(),
                    )
                };
                f($($a),*).result()
            }

            /// The same where the stack must be looked at, or where there is no machine code. Out of the way of other calls.
            #[inline(never)]
            #[allow(clippy::too_many_arguments, reason = "as many as the signature has")]
            fn run_guarded(&self, $($a: $p::Abi),*) -> Result<R, u64> {
                if let Some(program) = self.owner.data().program() {
                    #[allow(unused_mut, reason = "without parameters")]
                    let mut args = Words::default();
                    $($p::push_words($a, &mut args);)*
                    return program.run(args.get()).map(R::from_canonical);
                }
                // SAFETY: as in `run_trapping`, for a function that takes the stack limit and returns a status.
                let f = unsafe {
                    std::mem::transmute::<*const u8, extern "C" fn($($p::Abi,)* usize) -> WithStatus<R::Word>>(
                        self.owner.entry(),
                    )
                };
                f($($a,)* crate::stack::limit() + crate::stack::RESERVE).result()
            }

            /// The function as a pointer, for callers that count cycles: machine code that cannot trap. `None` if it can, or if it
            /// is interpreted.
            ///
            /// Calling it is sound, for arguments that [`call`](Self::call) takes, while this handle or a clone lives.
            #[inline]
            #[must_use]
            pub fn as_pointer(&self) -> Option<unsafe extern "C" fn($($p::Abi),*) -> R> {
                // What is interpreted counts as trapping.
                if self.owner.data().traps {
                    return None;
                }
                // SAFETY: the code was compiled for this signature; that it is still there is the caller's promise.
                Some(unsafe {
                    std::mem::transmute::<*const u8, unsafe extern "C" fn($($p::Abi),*) -> R>(self.owner.entry())
                })
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

/// Panics with a trap.
///
/// # Safety
/// As of [`trap_of_status`].
#[cold]
#[track_caller]
unsafe fn raise(status: u64) -> ! {
    // SAFETY: by the caller's promise.
    match unsafe { trap_of_status(status) } {
        Trap::HostPanic(payload) => std::panic::resume_unwind(payload),
        trap => panic!("{trap}"),
    }
}
