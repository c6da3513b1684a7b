//! [`Tier::Auto`]: functions begin in the one-pass tier, and get better code once they are called often.
//!
//! - [`tee`]: the machine that writes the first code and keeps the representation
//! - [`worker`]: the thread that recompiles
//! - [`crate::x64::entry`]: the code that counts, and jumps through the cell
//!
//! ```text
//!   compile ──► Tee ─┬─► OnePass ──► first code ◄───────────────┐
//!                    └─► Builder ──► Kept                       │ until then
//!                                     │                 cell ───┤
//!   calls ──► entry: jmp [cell]       │ hot               ▲     │ from then on
//!                 └─ counts ──────────┴──► worker ────────┘     ▼
//!                                            └──► better code: linear scan, or Cranelift
//! ```
//!
//! The entry is the function's one address: that of `Func::call`, of dynamic callers, of the cells of groups. It never changes, and
//! neither does any code. The first code calls itself through the cell, too.
//!
//! # Invariants
//! - T1: the cell goes from counting to the first code, from there to the better code, and stays there. (From the first code back
//!   to counting, if the worker had no time.)
//! - T2: both codes lie in memory that lives until the function is dropped: a call that has read the cell may take its time.
//! - T3: callers are compiled with what the first code says of itself ([`Finished`]); the better code keeps to it.

#![allow(
    unsafe_code,
    reason = "asserts that code was published with one owner, and takes the state that generated code passes"
)]

mod tee;
mod worker;

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

pub(crate) use tee::Tee;

use crate::code_memory;
use crate::dump;
use crate::error::Error;
use crate::fragment::Handle;
use crate::func::{Extra, Func, FuncData, Owner};
use crate::ir;
use crate::ir::shape::Shape;
use crate::jit::{self, Jit, Phases, Quoted, Tier};
use crate::linear::Lowering;
use crate::machine::Finished;
use crate::x64::entry;

/// How many calls make a function hot, unless [`JitBuilder::hot_after`](crate::JitBuilder::hot_after) says otherwise.
///
/// Linear scan takes some 40 cycles per instruction of the function, Cranelift some 5,000 (docs/BENCHMARKS.md). A call runs about
/// half a cycle per instruction without loops, and better code saves a tenth of that, or a third where registers are short: linear
/// scan is repaid after 250 to 800 calls, and as much again stands against functions that are about to be forgotten. Cranelift,
/// whose code is no better where control goes straight on (W1 to W4, W6), is only taken for functions with loops, where a call
/// runs many times as long, and the code may be twice as fast, unless they carry too much around (`MOST_AROUND_A_LOOP`).
pub(crate) const HOT_AFTER: u32 = 2_000;

/// Where loops carry more integers around than this, linear scan is taken, too: with 17 and more its code is 1.3 to 2 times as fast as
/// Cranelift's, which splits their lives within the loop (docs/BENCHMARKS.md). With fewer it is the other way round.
#[cfg(feature = "cranelift")]
const MOST_AROUND_A_LOOP: u32 = 16;

/// Bytes of stack that better code may take beyond the first.
const MORE_STACK: u32 = 512;

/// The code of a function that changes.
#[repr(C)]
pub(crate) struct Hot {
    /// What the entry reads and writes. The cell is stored with `Release` after the code that it leads to was written.
    state: entry::State<AtomicUsize, AtomicI32>,
    /// Where the cell leads at first.
    counting: AtomicUsize,
    /// How many calls are counted.
    calls: i32,
    /// What better code is made of, until it is being made.
    kept: Mutex<Option<Box<Kept>>>,
    better: OnceLock<Owner>,
    this: Weak<Hot>,
}

/// What a function is recompiled from.
pub(crate) struct Kept {
    pub(crate) function: ir::Function,
    pub(crate) shape: Shape,
    /// What was said of the first code.
    pub(crate) said: Finished,
}

thread_local! {
    /// What the worker uses again and again.
    static LOWERING: Cell<Option<Box<Lowering>>> = const { Cell::new(None) };
}

impl Hot {
    fn new(calls: u32, slow: usize) -> Arc<Hot> {
        let calls = calls.min(i32::MAX as u32) as i32;
        Arc::new_cyclic(|this| Hot {
            state: entry::State {
                cell: AtomicUsize::new(0),
                first: AtomicUsize::new(0),
                slow: AtomicUsize::new(slow),
                left: AtomicI32::new(calls),
            },
            counting: AtomicUsize::new(0),
            calls,
            kept: Mutex::new(None),
            better: OnceLock::new(),
            this: this.clone(),
        })
    }

    /// Address of this, and of the state.
    fn address(&self) -> u64 {
        (&raw const *self).expose_provenance() as u64
    }

    /// The owner of the better code, once there is some.
    pub(crate) fn better(&self) -> Option<&Owner> {
        self.better.get()
    }

    /// Counts no more, and asks for better code.
    fn is_hot(&self) {
        let (counting, first) = (self.counting.load(Ordering::Relaxed), self.state.first.load(Ordering::Relaxed));
        // Of all threads that come here, one asks.
        if self.state.cell.compare_exchange(counting, first, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            && !worker::request(self.this.clone())
        {
            self.state.left.store(self.calls, Ordering::Relaxed);
            self.state.cell.store(counting, Ordering::Relaxed);
        }
    }

    /// Makes better code, and lets the cell lead to it. If there is an error, all stays as it is.
    fn improve(&self) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(better) = kept.and_then(|kept| kept.compile().ok()) {
            let entry = better.address() as usize;
            if self.better.set(better).is_ok() {
                self.state.cell.store(entry, Ordering::Release);
            }
        }
    }
}

impl Kept {
    /// Better code for callers of the first.
    fn compile(mut self: Box<Self>) -> Result<Owner, Error> {
        // A status that callers look at is to be returned in any case.
        self.function.traps = self.said.is(Finished::TRAPS);
        #[cfg(feature = "cranelift")]
        if !self.shape.loops.is_empty()
            && self.shape.most_around_a_loop() <= MOST_AROUND_A_LOOP
            && let Ok(owner) = self.compile_by_cranelift()
        {
            return Ok(owner);
        }
        self.compile_by_linear_scan()
    }

    /// Whether callers of the first code can as well call code of which this is said.
    fn agrees_with(&self, finished: Finished) -> Result<(), Error> {
        let checks_stack = self.said.is(Finished::CHECKS_STACK);
        // Who does not need the limit does not look where it is passed.
        let agrees = finished.is(Finished::TRAPS) == self.said.is(Finished::TRAPS)
            && (checks_stack || !finished.is(Finished::CHECKS_STACK) && finished.stack() <= self.said.stack());
        if agrees { Ok(()) } else { Err(Error::Codegen { reason: "the better code needs another caller".to_owned() }) }
    }

    fn compile_by_linear_scan(&mut self) -> Result<Owner, Error> {
        let mut lowering = match LOWERING.take() {
            Some(lowering) => lowering,
            None => Box::new(Lowering::new()?),
        };
        lowering.declared = self.function.declared;
        let mut records = std::mem::take(&mut self.function.records);
        let finished = lowering.lower(&mut self.function, &mut records, &mut self.shape);
        if finished.is(Finished::FAILED) {
            return Err(lowering.take_error().unwrap_or(Error::CodeTooLarge { limit: finished.len() as usize }));
        }
        self.agrees_with(finished)?;
        let mut place = code_memory::reserve(finished.len() as usize)?;
        let address = place.exec().addr() as u64;
        crate::machine::Machine::place(lowering.code(), place.bytes(), address);
        LOWERING.set(Some(lowering));
        self.publish(place, finished, Tier::LinearScan, false)
    }

    #[cfg(feature = "cranelift")]
    fn compile_by_cranelift(&self) -> Result<Owner, Error> {
        use crate::cranelift;

        let mut compiler = cranelift::take_compiler()?;
        let code = compiler.compile(&self.function, cranelift::Effort::Speed, || 0)?;
        let (finished, single_pass) = (code.finished, code.single_pass);
        self.agrees_with(finished)?;
        let mut place = code_memory::reserve(finished.len() as usize)?;
        let address = place.exec().addr() as u64;
        code.place(&self.function, place.bytes(), address)?;
        let owner = self.publish(place, finished, Tier::Cranelift, single_pass);
        cranelift::give_back(compiler);
        owner
    }

    fn publish(
        &self,
        place: code_memory::Reservation<'static, FuncData>,
        finished: Finished,
        tier: Tier,
        single_pass: bool,
    ) -> Result<Owner, Error> {
        let entry = place.exec().addr() + finished.entry() as usize;
        // What the code refers to is kept by the function that it belongs to.
        let extra =
            single_pass.then(|| Box::new(Extra { program: None, keep: Box::default(), phases: None, single_pass }));
        let node = place.publish()?.commit(FuncData::new(entry, finished, tier, extra));
        // SAFETY: just committed, with a count of one.
        let owner = unsafe { Owner::new(node) };
        if dump::dumps().asm {
            let text = dump::disassemble(owner.instructions(), owner.address());
            eprint!("tickc: {:?}, better code by {tier:?}\n{text}", Tier::Auto);
        }
        Ok(owner)
    }
}

/// Run by generated code when a function is hot.
///
/// # Safety
/// `hot` is the address of the state of a function that is being called.
unsafe extern "C" fn on_hot(hot: *const Hot) {
    // SAFETY: by the caller's promise; the function keeps its state, and its caller the function.
    unsafe { &*hot }.is_hot();
}

/// The state comes first, so that its address is that of the whole.
const _: () = assert!(std::mem::offset_of!(Hot, state) == 0);

/// The code common to all functions that are hot, made once.
fn slow() -> Result<usize, Error> {
    static SLOW: OnceLock<Owner> = OnceLock::new();
    if let Some(owner) = SLOW.get() {
        return Ok(owner.address() as usize);
    }
    let code = entry::slow(on_hot as *const () as usize);
    let mut place = code_memory::reserve(code.len())?;
    place.bytes().copy_from_slice(&code);
    let entry = place.exec().addr();
    let node = place.publish()?.commit(FuncData::thunk(entry));
    // SAFETY: just committed, with a count of one.
    let made = unsafe { Owner::new(node) };
    Ok(SLOW.get_or_init(|| made).address() as usize)
}

impl Jit {
    /// Compiles the first code of a function, and keeps what better code is made of.
    pub(crate) fn compile_automatically<S, N: fmt::Display>(
        &self,
        quoted: &Quoted<'_>,
        body: Handle,
        name: impl FnOnce() -> N,
    ) -> Result<Func<S>, Error> {
        let hot = Hot::new(self.hot_after(), slow()?);
        let mut emitter = jit::take_emitter(Tier::Auto)?;
        emitter.machine.call_itself_by(hot.address());
        let start = self.time();
        let first = jit::emit(&mut emitter, quoted, body);
        if first.is(Finished::FAILED) {
            return Err(jit::give_back_failed(Tier::Auto, emitter));
        }
        let said = first.with_stack(first.stack() + MORE_STACK);
        if let Some(mut kept) = emitter.machine.kept() {
            kept.said = said;
            *hot.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        }
        // First in the list, where `Owner::current` looks for it.
        let mut keep: Vec<crate::emit::Keep> = vec![hot.clone()];
        keep.extend(emitter.take_keep().into_iter().flatten());
        let end = self.time();
        let mut place = code_memory::reserve(entry::LEN + first.len() as usize)?;
        let address = place.exec().addr();
        let (before, code) = place.bytes().split_at_mut(entry::LEN);
        before.copy_from_slice(&entry::code(hot.address()));
        emitter.machine.place(code, (address + entry::LEN) as u64);
        if dump::dumps().asm {
            let text = dump::disassemble(first.instructions(code), (address + entry::LEN) as u64);
            eprint!("tickc: {:?} {}\n{text}", Tier::Auto, name());
        }
        hot.state.first.store(address + entry::LEN + first.entry() as usize, Ordering::Relaxed);
        hot.counting.store(address + entry::COUNTING, Ordering::Relaxed);
        hot.state.cell.store(address + entry::COUNTING, Ordering::Release);
        let phases =
            self.stats().then(|| Phases { emit: end - start, publish: jit::timestamp() - end, ..Phases::default() });
        let keep = keep.into_boxed_slice();
        let extra = Some(Box::new(Extra { program: None, keep, phases, single_pass: false }));
        let node = place.publish()?.commit(FuncData::new(address, said, Tier::OnePass, extra));
        jit::give_back(Tier::Auto, emitter);
        // SAFETY: the first code was emitted for the parameters and the result of `S`, as the callers say, the entry leads to it
        // with all arguments, and the node counts one owner.
        Ok(unsafe { Func::new(node) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    /// A function that is never hot by itself, as it is not called often.
    fn quotient() -> Func<fn(i64, i64) -> i64> {
        let jit = Jit::builder().tier(Tier::Auto).build().unwrap();
        jit.compile(tick!(|a: i64, b: i64| -> i64 { a / b })).unwrap()
    }

    #[test]
    fn the_cell_leads_from_code_to_code() {
        let f = quotient();
        let hot = f.hot().unwrap();
        let at = || hot.state.cell.load(Ordering::Relaxed);
        assert_eq!((at(), f.call(7, 2)), (hot.counting.load(Ordering::Relaxed), 3));
        hot.improve();
        assert_eq!((at(), f.call(7, 2)), (hot.better().unwrap().address() as usize, 3));
        assert!(f.try_call(1, 0).is_err() && f.tier() == Tier::LinearScan);
        // Whoever still counts finds that somebody was faster, and nothing is compiled twice.
        let better = at();
        hot.is_hot();
        hot.improve();
        assert_eq!((at(), f.call(-9, 3)), (better, -3));
    }

    #[test]
    fn code_that_needs_another_caller_is_not_taken() {
        let (no_status, little_stack) = (quotient(), quotient());
        no_status.hot().unwrap().kept.lock().unwrap().as_mut().unwrap().said = Finished::default().with_stack(1 << 20);
        little_stack.hot().unwrap().kept.lock().unwrap().as_mut().unwrap().said =
            Finished::default().with(Finished::TRAPS, true);
        for f in [no_status, little_stack] {
            let hot = f.hot().unwrap();
            let before = (hot.state.cell.load(Ordering::Relaxed), f.disassemble());
            hot.improve();
            assert_eq!((hot.state.cell.load(Ordering::Relaxed), f.disassemble()), before);
            assert_eq!((f.call(7, 2), f.tier()), (3, Tier::OnePass));
            // It is hot once more, and nothing is left to be done.
            for k in 0..5_000 {
                assert_eq!(f.call(k, 5), k / 5);
            }
            assert_eq!(hot.state.cell.load(Ordering::Relaxed), hot.state.first.load(Ordering::Relaxed));
        }
    }

    #[test]
    fn a_code_generator_that_panics_leaves_the_first_code() {
        let f = quotient();
        // A record that no code generator can compile.
        let hot = f.hot().unwrap();
        hot.kept.lock().unwrap().as_mut().unwrap().function.calls.clear();
        hot.kept.lock().unwrap().as_mut().unwrap().function.records[0] =
            ir::Record { op: ir::Op::Call, ty: crate::types::Type::Unit, sub: 0, dst: 0, a: 9, b: 0 };
        for k in 0..HOT_AFTER as i64 * 2 {
            assert_eq!(f.call(k, 5), k / 5);
        }
        // The worker goes on with others.
        let other = quotient();
        while other.tier() == Tier::OnePass {
            assert_eq!(other.call(8, 2), 4);
        }
        assert_eq!((f.tier(), f.call(8, 2)), (Tier::OnePass, 4));
    }
}
