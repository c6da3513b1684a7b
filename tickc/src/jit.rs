//! [`Jit`]: from quoted functions to compiled ones.
#![allow(unsafe_code, reason = "asserts that the code just published has the signature it was quoted with")]

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use crate::auto::{HOT_AFTER, Tee};
use crate::code_memory::{self, AllocError, CodeMemoryStats, Node};
use crate::emit::Emitter;
use crate::error::Error;
use crate::fragment::{Handle, Staged, flags};
use crate::func::{Extra, Func, FuncData};
use crate::group::{Cells, Group};
use crate::interp::Program;
use crate::machine::{Finished, Machine};
use crate::signature::Signature;
use crate::types::Type;
use crate::{dump, ir, x64};

/// How code is generated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum Tier {
    /// Machine code in one pass while the fragments run: the fastest to compile. 'C's VCODE.
    OnePass,
    /// Linear-scan register allocation over an intermediate representation: better code, for two to four times the time. 'C's
    /// ICODE.
    LinearScan,
    /// Cranelift: the best code, some thousand cycles per instruction. Needs the feature `cranelift`, which is on by default.
    Cranelift,
    /// An interpreter of the intermediate representation: the reference for what dynamic code means, and what runs where no
    /// executable memory is to be had.
    Interp,
    /// [`Tier::OnePass`] at first; better code, made in the background, for functions that are called often.
    ///
    /// Calls are counted: from Rust, from dynamic code, and of a function by itself; turns of loops are not. After so many
    /// ([`JitBuilder::hot_after`]), a thread that all functions share compiles the function once more, from the intermediate
    /// representation: with Cranelift, if that is built in, where there are loops that carry at most 16 integers around, else
    /// by linear scan. As soon as that is done, calls run the new code, and those in progress end in the old one; both live until
    /// the function is dropped. If it cannot be done, the function keeps its code. [`Func::tier`], [`Func::stats`] and
    /// [`Func::disassemble`] tell about the code that calls run at the moment.
    ///
    /// Cost: compiling takes two to four times as long as in [`Tier::OnePass`], as the representation is built beside
    /// the code (docs/BENCHMARKS.md: longer than by linear scan for small functions, half as long for large ones); a
    /// call takes a jump through a word in memory; a function that is not hot yet takes some 24 bytes more per
    /// operation.
    ///
    /// ```
    /// use tickc::prelude::*;
    ///
    /// let jit = Jit::builder().tier(Tier::Auto).hot_after(100).build()?;
    /// let f = jit.compile(tick!(|x: i64, y: i64| -> i64 { x * x + y }))?;
    /// assert_eq!(f.tier(), Tier::OnePass);
    /// for x in 0..1000 {
    ///     assert_eq!(f.call(x, 1), x * x + 1); // whichever code it runs
    /// }
    /// while f.tier() == Tier::OnePass {
    ///     std::thread::yield_now(); // the other thread may take its time
    /// }
    /// assert_eq!((f.tier(), f.call(9, 1)), (Tier::LinearScan, 82));
    /// # Ok::<(), tickc::Error>(())
    /// ```
    Auto,
}

/// How [`Tier::LinearScan`] gives values registers: the allocators that the paper compares (Poletto, Hsieh, Engler & Kaashoek, "'C and
/// tcc", TOPLAS 1999, section 5.2). In all of them a value has one register, or memory, for all of its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
#[non_exhaustive]
pub enum RegisterAllocator {
    /// Linear scan over the intervals in which values are alive.
    #[default]
    LinearScan,
    /// The same where whatever is alive anywhere in a loop is taken to be alive in all of the outermost loop around it.
    CoarseLinearScan,
    /// Values take registers in the order of how often they are used.
    UsageCounts,
    /// Graph colouring: takes time that grows with the square of the function's length.
    GraphColoring,
}

/// What is known of a compiled function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Machine instructions.
    pub instructions: usize,
    /// Bytes of machine code.
    pub bytes: usize,
    /// Whether [`Tier::Cranelift`] allocated the registers in a single pass, although [`JitBuilder::cranelift_quick`] did not ask
    /// for that: the time that its better allocator takes explodes with the length of a basic block. Such code is slower, the more
    /// so the more variables live at once.
    pub single_pass: bool,
    /// What compilation took; only of a `Jit` built with [`JitBuilder::stats`].
    pub phases: Option<Phases>,
}

/// Cycles of the time-stamp counter per phase of compilation (nanoseconds on machines without one).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Phases {
    /// Evaluating the quotation, before `compile` is called: always 0, as nothing sees when it began. The benches measure it.
    pub specify: u64,
    /// Running the fragments; in the one-pass tier this writes the machine code.
    pub emit: u64,
    /// Finding the loops; this and what follows, up to `encode`, only of [`Tier::LinearScan`].
    pub flow: u64,
    /// Finding out what is read, and removing what is not.
    pub liveness: u64,
    /// What each value would like to be in; the intervals themselves are made as part of the next phase.
    pub intervals: u64,
    /// Giving them registers.
    pub allocate: u64,
    /// Writing the machine code.
    pub encode: u64,
    /// Bringing the intermediate representation into that of the code generator; only of [`Tier::Cranelift`].
    pub lower: u64,
    /// The code generator's own work; only of [`Tier::Cranelift`].
    pub generate: u64,
    /// Completing and relocating the code, and making it callable.
    pub publish: u64,
}

impl Phases {
    /// All phases together.
    pub fn total(&self) -> u64 {
        let Phases { specify, emit, flow, liveness, intervals, allocate, encode, lower, generate, publish } = *self;
        specify + emit + flow + liveness + intervals + allocate + encode + lower + generate + publish
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
    registers: RegisterAllocator,
    /// Whether Cranelift is to be quick.
    #[cfg_attr(not(feature = "cranelift"), allow(dead_code, reason = "there is none"))]
    quick: bool,
    hot_after: u32,
}

/// Settings of a [`Jit`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct JitBuilder {
    tier: Tier,
    stats: bool,
    registers: RegisterAllocator,
    quick: bool,
    hot_after: u32,
}

impl JitBuilder {
    /// The tier that `compile` uses; [`Tier::LinearScan`] unless set.
    pub fn tier(mut self, tier: Tier) -> Self {
        self.tier = tier;
        self
    }

    /// Whether functions remember what their compilation took ([`Stats::phases`]); costs about 100 cycles per function.
    pub fn stats(mut self, stats: bool) -> Self {
        self.stats = stats;
        self
    }

    /// Whether [`Tier::Cranelift`] leaves out its optimizations and allocates registers in a single pass: some three times as fast,
    /// or more, for code that is slower.
    pub fn cranelift_quick(mut self, quick: bool) -> Self {
        self.quick = quick;
        self
    }

    /// How [`Tier::LinearScan`] allocates registers; to compare, and to teach. The others take longer.
    ///
    /// ```
    /// use tickc::prelude::*;
    /// use tickc::RegisterAllocator;
    ///
    /// let jit = Jit::builder().tier(Tier::LinearScan).register_allocator(RegisterAllocator::GraphColoring).build()?;
    /// assert_eq!(jit.compile(tick!(|x: i64| -> i64 { x * x + x }))?.call(6), 42);
    /// # Ok::<(), tickc::Error>(())
    /// ```
    pub fn register_allocator(mut self, allocator: RegisterAllocator) -> Self {
        self.registers = allocator;
        self
    }

    /// After how many calls a function of [`Tier::Auto`] is hot; 2,000 unless set. Threads that call at once may lose counts.
    pub fn hot_after(mut self, calls: u32) -> Self {
        self.hot_after = calls;
        self
    }

    /// Makes the `Jit`.
    ///
    /// # Errors
    /// [`Error::TierUnavailable`] for a tier that this build or machine does not have, [`Error::ExecMemoryDenied`] where the
    /// system gives no executable memory.
    pub fn build(self) -> Result<Jit, Error> {
        check_tier(self.tier)?;
        if self.tier != Tier::Interp {
            code_memory::bounds()?;
        }
        let JitBuilder { tier, stats, registers, quick, hot_after } = self;
        Ok(Jit { tier, stats, registers, quick, hot_after })
    }
}

/// What is compiled, as far as its signature goes.
pub(crate) struct Quoted<'a> {
    /// Types of the parameters, as in [`crate::machine::Prologue`].
    pub(crate) params: &'a [Type],
    pub(crate) pairs: u32,
    pub(crate) ret: Type,
    /// The number of the function whose variables the parameters are, if the body does not declare them itself.
    pub(crate) function: Option<u64>,
    /// The cells of the group that it belongs to.
    pub(crate) group: Option<&'a Arc<Cells>>,
}

impl Quoted<'_> {
    /// A function with the signature `S`.
    #[inline(always)]
    pub(crate) const fn of<S: Signature>() -> Self {
        Quoted { params: S::FLAT.types(), pairs: S::FLAT.pairs, ret: S::RET, function: None, group: None }
    }
}

fn check_tier(tier: Tier) -> Result<(), Error> {
    match tier {
        Tier::OnePass | Tier::LinearScan | Tier::Auto if cfg!(all(target_arch = "x86_64", target_os = "linux")) => {
            Ok(())
        }
        Tier::Interp => Ok(()),
        #[cfg(all(feature = "cranelift", target_arch = "x86_64", target_os = "linux"))]
        Tier::Cranelift => crate::cranelift::check(),
        #[allow(unreachable_patterns, reason = "with Cranelift")]
        Tier::OnePass | Tier::LinearScan | Tier::Cranelift | Tier::Auto => Err(Error::TierUnavailable(tier)),
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
    /// This thread's emitter of each tier, while no compilation uses them. A compilation within a compilation makes another.
    static EMITTERS: [Cell<Option<Box<Emitter>>>; TIERS] = const { [const { Cell::new(None) }; TIERS] };
}

/// How many tiers there are.
const TIERS: usize = Tier::Auto as usize + 1;

#[cold]
fn new_emitter(tier: Tier) -> Result<Box<Emitter>, Error> {
    let machine: Box<dyn Machine> = match tier {
        Tier::Interp => Box::new(ir::Builder::new()),
        Tier::LinearScan => Box::new(ir::Builder::lowered()?),
        #[cfg(feature = "cranelift")]
        Tier::Cranelift => Box::new(ir::Builder::for_code()),
        Tier::Auto => Box::new(Tee::new()?),
        _ => Box::new(x64::OnePass::new()?),
    };
    Ok(Box::new(Emitter::new(machine)))
}

/// Compiles for a machine with these features from here on, on this thread.
#[cfg(test)]
pub(crate) fn use_features(features: x64::Features) -> Result<(), Error> {
    let machine = x64::OnePass::with_features(features)?;
    give_back(Tier::OnePass, Box::new(Emitter::new(Box::new(machine))));
    Ok(())
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
        let (registers, hot_after) = (RegisterAllocator::LinearScan, HOT_AFTER);
        JitBuilder { tier: Tier::LinearScan, stats: false, registers, quick: false, hot_after }
    }

    /// A `Jit` with the default settings but for the tier, which is known to be there.
    pub(crate) fn of_tier(tier: Tier) -> Jit {
        let (registers, hot_after) = (RegisterAllocator::LinearScan, HOT_AFTER);
        Jit { tier, stats: false, registers, quick: false, hot_after }
    }

    /// The tier that `compile` uses.
    pub(crate) fn tier(&self) -> Tier {
        self.tier
    }

    /// How many calls make a function hot.
    pub(crate) fn hot_after(&self) -> u32 {
        self.hot_after
    }

    /// Whether functions remember what their compilation took.
    pub(crate) fn stats(&self) -> bool {
        self.stats
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
        self.compile_quoted(tier, const { &Quoted::of::<S>() }, staged.into_handle(), std::any::type_name::<S>)
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
        let quoted = &Quoted { group: Some(cells), ..Quoted::of::<S>() };
        self.compile_quoted(self.tier, quoted, staged.into_handle(), std::any::type_name::<S>)
    }

    /// Compiles a fragment as the body of a function, whose signature is `S`; `name` is what a reader calls it.
    #[inline(always)]
    pub(crate) fn compile_quoted<S, N: fmt::Display>(
        &self,
        tier: Tier,
        quoted: &Quoted<'_>,
        body: Handle,
        name: impl FnOnce() -> N,
    ) -> Result<Func<S>, Error> {
        if !matches!(tier, Tier::OnePass | Tier::LinearScan) {
            return self.compile_patiently(tier, quoted, body, name);
        }
        check_tier(tier)?;
        let mut emitter = take_emitter(tier)?;
        if self.is_special() {
            emitter.machine.measure(self.stats);
            emitter.machine.allocate_by(self.registers);
        }
        let start = self.time();
        let finished = emit(&mut emitter, quoted, body);
        if finished.is(Finished::FAILED) {
            return Err(give_back_failed(tier, emitter));
        }
        let keep = emitter.take_keep();
        let end = self.time();
        let mut place = code_memory::reserve(finished.len() as usize)?;
        let address = place.exec().addr() as u64;
        emitter.machine.place(place.bytes(), address);
        if dump::dumps().asm {
            let text = dump::disassemble(finished.instructions(place.bytes()), address);
            eprint!("tickc: {tier:?} {}\n{text}", name());
        }
        let phases = self.stats.then(|| {
            let inner = emitter.machine.phases();
            Phases { emit: end - start - inner.total(), publish: timestamp() - end, ..inner }
        });
        let extra = match (keep, phases) {
            (None, None) => None,
            (keep, phases) => {
                Some(Box::new(Extra { program: None, keep: keep.unwrap_or_default(), phases, single_pass: false }))
            }
        };
        let entry = address as usize + finished.entry() as usize;
        let node = place.publish()?.commit(FuncData::new(entry, finished, tier, extra));
        if self.is_special() {
            emitter.machine.measure(false);
            emitter.machine.allocate_by(RegisterAllocator::LinearScan);
        }
        give_back(tier, emitter);
        // SAFETY: the code was emitted for the parameters and the result of `S`, as the callers say, and the node counts one
        // owner.
        Ok(unsafe { Func::new(node) })
    }

    /// Out of the way of the tiers that are in a hurry.
    #[inline(never)]
    fn compile_patiently<S, N: fmt::Display>(
        &self,
        tier: Tier,
        quoted: &Quoted<'_>,
        body: Handle,
        name: impl FnOnce() -> N,
    ) -> Result<Func<S>, Error> {
        check_tier(tier)?;
        match tier {
            #[cfg(feature = "cranelift")]
            Tier::Cranelift => self.compile_by_cranelift(quoted, body, name),
            Tier::Auto => self.compile_automatically(quoted, body, name),
            _ => self.compile_interpreted(quoted, body, name),
        }
    }

    fn compile_interpreted<S, N: fmt::Display>(
        &self,
        quoted: &Quoted<'_>,
        body: Handle,
        name: impl FnOnce() -> N,
    ) -> Result<Func<S>, Error> {
        let tier = Tier::Interp;
        let mut emitter = take_emitter(tier)?;
        let start = self.time();
        let finished = emit(&mut emitter, quoted, body);
        if finished.is(Finished::FAILED) {
            return Err(give_back_failed(tier, emitter));
        }
        let keep = emitter.take_keep().unwrap_or_default();
        let end = self.time();
        let function =
            emitter.machine.representation().expect("the emitter of the interpreter builds the representation");
        if dump::dumps().ir {
            eprint!("tickc: {tier:?} {}\n{function}", name());
        }
        let program = Some(Program::new(function));
        let phases = self.stats.then(|| Phases { emit: end - start, publish: timestamp() - end, ..Phases::default() });
        let extra = Some(Box::new(Extra { program, keep, phases, single_pass: false }));
        let node = Node::detached(FuncData::new(0, finished, tier, extra));
        give_back(tier, emitter);
        // SAFETY: the program was made for the parameters and the result of `S`, as the callers say, and the node counts one
        // owner.
        Ok(unsafe { Func::new(node) })
    }

    #[cfg(feature = "cranelift")]
    fn compile_by_cranelift<S, N: fmt::Display>(
        &self,
        quoted: &Quoted<'_>,
        body: Handle,
        name: impl FnOnce() -> N,
    ) -> Result<Func<S>, Error> {
        use crate::cranelift;

        let tier = Tier::Cranelift;
        let mut emitter = take_emitter(tier)?;
        let start = self.time();
        if emit(&mut emitter, quoted, body).is(Finished::FAILED) {
            return Err(give_back_failed(tier, emitter));
        }
        let keep = emitter.take_keep();
        let emitted = self.time();
        let function = emitter.machine.representation().expect("the emitter of this tier builds the representation");
        let dumps = dump::dumps();
        if dumps.ir || dumps.asm || dumps.clif {
            eprintln!("tickc: {tier:?} {}", name());
        }
        if dumps.ir {
            eprint!("{function}");
        }
        let effort = if self.quick { cranelift::Effort::Quick } else { cranelift::Effort::Speed };
        let mut compiler = cranelift::take_compiler()?;
        let code = compiler.compile(function, effort, || self.time())?;
        let compiled = self.time();
        let finished = code.finished;
        let mut place = code_memory::reserve(finished.len() as usize)?;
        let address = place.exec().addr() as u64;
        code.place(function, place.bytes(), address)?;
        if dumps.asm {
            eprint!("{}", dump::disassemble(cranelift::instructions(place.bytes()), address));
        }
        let phases = self.stats.then(|| Phases {
            emit: emitted - start,
            lower: compiled - emitted - code.generate,
            generate: code.generate,
            publish: timestamp() - compiled,
            ..Phases::default()
        });
        let single_pass = code.single_pass;
        let extra = match (keep, phases, single_pass) {
            (None, None, false) => None,
            (keep, ..) => Some(Box::new(Extra { program: None, keep: keep.unwrap_or_default(), phases, single_pass })),
        };
        let entry = address as usize + finished.entry() as usize;
        let node = place.publish()?.commit(FuncData::new(entry, finished, tier, extra));
        cranelift::give_back(compiler);
        give_back(tier, emitter);
        // SAFETY: the code was compiled from what was emitted for the parameters and the result of `S`, as the callers say, and
        // the node counts one owner.
        Ok(unsafe { Func::new(node) })
    }

    /// Whether emitters are told about more than the function; they are told each time, and forget it with the function.
    #[inline(always)]
    fn is_special(&self) -> bool {
        self.stats | (self.registers != RegisterAllocator::LinearScan)
    }

    /// The time, if it is to be remembered.
    #[inline(always)]
    pub(crate) fn time(&self) -> u64 {
        if self.stats { timestamp() } else { 0 }
    }
}

#[inline(always)]
pub(crate) fn take_emitter(tier: Tier) -> Result<Box<Emitter>, Error> {
    match EMITTERS.try_with(|emitters| emitters[tier as usize].take()) {
        Ok(Some(emitter)) => Ok(emitter),
        _ => new_emitter(tier),
    }
}

#[inline(always)]
pub(crate) fn give_back(tier: Tier, emitter: Box<Emitter>) {
    let _ = EMITTERS.try_with(|emitters| emitters[tier as usize].set(Some(emitter)));
}

#[cold]
#[inline(never)]
pub(crate) fn give_back_failed(tier: Tier, mut emitter: Box<Emitter>) -> Error {
    let error = emitter.take_error();
    emitter.machine.measure(false);
    emitter.machine.allocate_by(RegisterAllocator::LinearScan);
    give_back(tier, emitter);
    error
}

/// Emits a function. What comes back comes in registers: a struct in memory that is read in larger pieces than it was written
/// would stall the processor for as long as an empty function takes.
#[inline(always)]
pub(crate) fn emit(emitter: &mut Emitter, quoted: &Quoted<'_>, body: Handle) -> Finished {
    let calls = body.known() & flags::CALLS != 0;
    if let Some(cells) = quoted.group {
        // The code refers to the cells.
        emitter.keep(cells.clone());
        emitter.group = Some(cells.clone());
    }
    emitter.begin(quoted.params, quoted.pairs, quoted.ret, calls);
    if let Some(function) = quoted.function {
        emitter.declare_params(function);
    }
    // A panic in here drops the emitter, and with it all that it holds.
    let value = body.emit(emitter);
    if quoted.group.is_some() {
        emitter.group = None;
    }
    emitter.finish(quoted.ret, value)
}

/// The time-stamp counter, or nanoseconds where there is none.
#[inline]
pub(crate) fn timestamp() -> u64 {
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
