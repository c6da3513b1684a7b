//! [`Jit`]: from quoted functions to compiled ones.
#![allow(unsafe_code, reason = "asserts that the code just published has the signature it was quoted with")]

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use crate::code_memory::{self, AllocError, CodeMemoryStats};
use crate::emit::Emitter;
use crate::error::Error;
use crate::fragment::{Staged, flags};
use crate::func::{Func, FuncData};
use crate::group::{Cells, Group};
use crate::signature::Signature;
use crate::{dump, x64};

/// How code is generated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum Tier {
    /// Machine code in one pass while the fragments run: the fastest to compile. 'C's VCODE.
    OnePass,
    /// Linear-scan register allocation over an intermediate representation. 'C's ICODE. Not in this build yet.
    LinearScan,
    /// Cranelift: the best code. Not in this build yet.
    Cranelift,
    /// An interpreter that needs no executable memory. Not in this build yet.
    Interp,
}

/// What is known of a compiled function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Machine instructions.
    pub instructions: usize,
    /// Bytes of machine code.
    pub bytes: usize,
    /// What compilation took; only of a `Jit` built with [`JitBuilder::stats`].
    pub phases: Option<Phases>,
}

/// Cycles of the time-stamp counter per phase of compilation (nanoseconds on machines without one).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Phases {
    /// Running the fragments; in the one-pass tier this writes the machine code.
    pub emit: u64,
    /// Completing and relocating the code, and making it callable.
    pub publish: u64,
}

impl Phases {
    /// All phases together.
    pub fn total(&self) -> u64 {
        self.emit + self.publish
    }
}

/// Compiles quoted functions. Cheap to make and to share; several threads may compile and call at once.
///
/// ```
/// use tickc::prelude::*;
///
/// let jit = Jit::builder().tier(Tier::OnePass).stats(true).build()?;
/// let f = jit.compile(tick!(|x: i64| -> i64 { x + 1 }))?;
/// assert_eq!(f.call(41), 42);
/// assert_eq!(f.stats().instructions, 3); // add, mov, ret
/// # Ok::<(), tickc::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Jit {
    tier: Tier,
    stats: bool,
}

/// Settings of a [`Jit`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct JitBuilder {
    tier: Tier,
    stats: bool,
}

impl JitBuilder {
    /// The tier that `compile` uses; [`Tier::OnePass`] unless set.
    pub fn tier(mut self, tier: Tier) -> Self {
        self.tier = tier;
        self
    }

    /// Whether functions remember what their compilation took ([`Stats::phases`]); costs about 100 cycles per function.
    pub fn stats(mut self, stats: bool) -> Self {
        self.stats = stats;
        self
    }

    /// Makes the `Jit`.
    ///
    /// # Errors
    /// [`Error::TierUnavailable`] for a tier that this build or machine does not have, [`Error::ExecMemoryDenied`] where the
    /// system gives no executable memory.
    pub fn build(self) -> Result<Jit, Error> {
        check_tier(self.tier)?;
        code_memory::bounds()?;
        Ok(Jit { tier: self.tier, stats: self.stats })
    }
}

fn check_tier(tier: Tier) -> Result<(), Error> {
    if tier == Tier::OnePass && cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        Ok(())
    } else {
        Err(Error::TierUnavailable(tier))
    }
}

impl From<AllocError> for Error {
    fn from(error: AllocError) -> Self {
        match error {
            AllocError::Denied { what } => Error::ExecMemoryDenied { reason: what },
            AllocError::Full { requested } => Error::CodeMemoryFull { bytes: requested },
        }
    }
}

thread_local! {
    /// This thread's one-pass emitter, while no compilation uses it. A compilation within a compilation makes another.
    static ONE_PASS: Cell<Option<Box<Emitter>>> = const { Cell::new(None) };
}

impl Jit {
    /// A `Jit` with the default settings.
    ///
    /// # Errors
    /// As [`JitBuilder::build`].
    pub fn new() -> Result<Jit, Error> {
        Jit::builder().build()
    }

    /// The default settings, to be changed.
    pub fn builder() -> JitBuilder {
        JitBuilder { tier: Tier::OnePass, stats: false }
    }

    /// The state of the code memory, which all `Jit`s of a process share. Takes a lock; for diagnostics.
    ///
    /// # Errors
    /// As [`JitBuilder::build`].
    pub fn code_memory(&self) -> Result<CodeMemoryStats, Error> {
        Ok(code_memory::stats()?)
    }

    /// Compiles a quoted function.
    ///
    /// # Errors
    /// What the quotation did wrong (a variable out of scope, a `return` of the wrong type, too much nesting or code), what a
    /// generator reported through [`Code::fail`](crate::Code::fail), or that there is no memory for the code.
    ///
    /// # Panics
    /// When deferred code of the quotation (`@( )`, `$( )`) does; the `Jit` stays usable.
    #[inline]
    pub fn compile<S: Signature>(&self, staged: Staged<'_, S>) -> Result<Func<S>, Error> {
        self.compile_with(self.tier, staged)
    }

    /// Compiles a quoted function with a tier of its own.
    ///
    /// # Errors
    /// As [`Jit::compile`], and [`Error::TierUnavailable`].
    pub fn compile_with<S: Signature>(&self, tier: Tier, staged: Staged<'_, S>) -> Result<Func<S>, Error> {
        self.compile_as(tier, staged, None)
    }

    /// Functions that may call each other, to be declared, defined, and compiled together by this `Jit`.
    pub fn group<'a>(&self) -> Group<'a> {
        Group::new(self.clone())
    }

    /// Compiles a function of a group.
    pub(crate) fn compile_in_group<S: Signature>(
        &self,
        staged: Staged<'_, S>,
        cells: &Arc<Cells>,
    ) -> Result<Func<S>, Error> {
        self.compile_as(self.tier, staged, Some(cells))
    }

    #[inline(always)]
    fn compile_as<S: Signature>(
        &self,
        tier: Tier,
        staged: Staged<'_, S>,
        group: Option<&Arc<Cells>>,
    ) -> Result<Func<S>, Error> {
        check_tier(tier)?;
        let mut emitter = match ONE_PASS.try_with(Cell::take) {
            Ok(Some(emitter)) => emitter,
            _ => Box::new(Emitter::new(Box::new(x64::OnePass::new()?))),
        };
        let start = if self.stats { timestamp() } else { 0 };
        let flat = S::FLAT;
        let calls = staged.flags() & flags::CALLS != 0;
        if let Some(cells) = group {
            // The code refers to the cells.
            emitter.keep(cells.clone());
            emitter.group = Some(cells.clone());
        }
        emitter.begin(flat.types(), flat.pairs, S::RET, calls);
        // A panic in here drops the emitter, and with it all that it holds.
        let value = staged.emit(&mut emitter);
        if group.is_some() {
            emitter.group = None;
        }
        let emitted = match emitter.finish(S::RET, value) {
            Ok(emitted) => emitted,
            Err(error) => {
                emitter.abandon();
                let _ = ONE_PASS.try_with(|cell| cell.set(Some(emitter)));
                return Err(error);
            }
        };
        drop(staged);
        let middle = if self.stats { timestamp() } else { 0 };
        let mut place = code_memory::reserve(emitter.machine.code_len())?;
        let address = place.exec().addr() as u64;
        emitter.machine.place(place.bytes(), address);
        if dump::dumps().asm {
            eprint!("tickc: {tier:?} {}\n{}", std::any::type_name::<S>(), dump::disassemble(place.bytes(), address));
        }
        let phases = self.stats.then(|| Box::new(Phases { emit: middle - start, publish: timestamp() - middle }));
        let node = place.commit(FuncData {
            owners: AtomicU32::new(1),
            entry: address as usize + emitter.machine.entry() as usize,
            finished: emitted.finished,
            tier,
            keep: emitted.keep,
            phases,
        })?;
        let _ = ONE_PASS.try_with(|cell| cell.set(Some(emitter)));
        // SAFETY: the code was emitted for the parameters and the result of `S`, and the node counts one owner.
        Ok(unsafe { Func::new(node) })
    }
}

/// The time-stamp counter, or nanoseconds where there is none.
#[inline]
fn timestamp() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction.
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        use std::sync::OnceLock;
        use std::time::Instant;
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }
}
