//! The Cranelift tier: the linear representation lowered to CLIF, compiled by `cranelift-codegen`, placed in our code memory.
//!
//! - [`survey`]: what must be known of a function before its first instruction is lowered
//! - [`lower`]: control flow and memory; [`operations`]: arithmetic; [`calls`]: signatures and calls
//! - [`isa`]: the target, made once per process for each way to compile
//! - [`place`]: the bytes in their place: relocations, and the check of the stack before them
//!
//! ```text
//!   ir::Function ──► survey ──► CLIF ──► cranelift-codegen ──► bytes, relocations ──► code memory
//!                      │                        │ frame larger than it was known to be checked
//!                      └────────────────────────┘ (compiled once more, with a status)
//!
//!   code:  [ nops ][ check of the stack ][ Cranelift's code and constants ][ stub of the check ]
//!                  ^ entry               ^ aligned to 16
//! ```
//!
//! Values have their own width in CLIF (`bool` is an `i8`), so the form in which registers hold narrow values (X3 of
//! [`crate::x64`]) only matters where functions meet: signatures ask for the extension.
//!
//! # Invariants
//! - C1: a register that only one record writes is an SSA value, since that record dominates every use (N2); every other one is
//!   a variable of `cranelift-frontend`.
//! - C2: whether a function takes the stack limit is known before it is lowered if its calls need the limit, else when its
//!   frame is known; the limit is a parameter that only the check before the code looks at.
//! - C3: all that is called by a near call lies in the code memory or within its reach.
//! - C4: between two labels the last value of each variable is known here; the variables are told before control may go to a
//!   label. Blocks that only a trap's check ends need not know them: stubs read no variables.
//!
//! Cost: some thousand cycles per instruction generated, of which all but a few percent are Cranelift's own.

mod calls;
mod isa;
mod lower;
mod operations;
mod place;
mod survey;

use std::cell::Cell;

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::UserFuncName;
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::{CodegenError, Context};
use cranelift_frontend::FunctionBuilderContext;

pub(crate) use isa::Effort;
pub(crate) use place::instructions;

use crate::error::Error;
use crate::ir::Function;
use crate::machine::Finished;
use crate::x64::convention::{MAX_FRAME, UNCHECKED_STACK};
use lower::Storage;
use place::Check;
use survey::Survey;

/// The contexts of a thread, which keep their storage from function to function.
pub(crate) struct Compiler {
    context: Context,
    builder: FunctionBuilderContext,
    storage: Storage,
    control: ControlPlane,
    /// First address of the code memory, and the one behind its last.
    region: (u64, u64),
}

/// A function that has been compiled, not placed yet.
pub(crate) struct Code<'a> {
    context: &'a Context,
    check: Check,
    pub(crate) finished: Finished,
    /// Whether the function was too large for the allocator that was asked for.
    pub(crate) single_pass: bool,
    /// Cycles in Cranelift's own compilation; what it took before that is lowering.
    pub(crate) generate: u64,
}

thread_local! {
    /// This thread's contexts, while no compilation uses them.
    static COMPILER: Cell<Option<Box<Compiler>>> = const { Cell::new(None) };
}

/// Takes this thread's contexts, or makes some.
///
/// # Errors
/// If there is no code memory.
pub(crate) fn take_compiler() -> Result<Box<Compiler>, Error> {
    match COMPILER.try_with(Cell::take) {
        Ok(Some(compiler)) => Ok(compiler),
        _ => {
            let (start, len) = crate::code_memory::bounds()?;
            let start = start.addr() as u64;
            Ok(Box::new(Compiler {
                context: Context::new(),
                builder: FunctionBuilderContext::new(),
                storage: Storage::default(),
                control: ControlPlane::default(),
                region: (start, start + len as u64),
            }))
        }
    }
}

/// Records of a function beyond which the contexts are freed, not kept: they are as large as the largest function so far.
const KEPT_RECORDS: usize = 20_000;

/// Keeps the contexts for the next compilation.
pub(crate) fn give_back(compiler: Box<Compiler>) {
    if compiler.storage.blocks.capacity() > KEPT_RECORDS {
        return;
    }
    let _ = COMPILER.try_with(|cell| cell.set(Some(compiler)));
}

/// Whether the tier can run on this machine.
///
/// # Errors
/// [`Error::TierUnavailable`].
pub(crate) fn check() -> Result<(), Error> {
    isa::of(Effort::Speed).map(|_| ())
}

impl Compiler {
    /// Compiles a function. `now` is the clock of [`Code::generate`].
    ///
    /// # Errors
    /// [`Error::CodeTooLarge`] and [`Error::FrameTooLarge`]; [`Error::Codegen`] with what else Cranelift cannot compile.
    pub(crate) fn compile(
        &mut self,
        function: &Function,
        effort: Effort,
        now: impl Fn() -> u64,
    ) -> Result<Code<'_>, Error> {
        let mut survey = Survey::of(function, &mut self.storage);
        let (effort, single_pass) = effort.bounded(&survey);
        let isa = isa::of(effort)?;
        let mut generate = self.generate(function, &survey, isa, &now)?;
        let mut frame = self.frame();
        let mut checks_stack = survey.takes_limit || frame.saturating_add(survey.callee_stack) > UNCHECKED_STACK;
        if checks_stack && !survey.traps {
            survey.traps = true;
            generate += self.generate(function, &survey, isa, &now)?;
            frame = self.frame();
            checks_stack = true;
        }
        if frame > MAX_FRAME {
            return Err(Error::FrameTooLarge { limit: MAX_FRAME as usize });
        }
        let stack = frame.saturating_add(survey.callee_stack);
        let check = Check::new(function, checks_stack.then_some(frame));
        let compiled = self.context.compiled_code().expect("just compiled");
        let finished = Finished::new(check.total(compiled.code_buffer().len()) as u32, check.entry(), stack)
            .with(Finished::TRAPS, survey.traps)
            .with(Finished::CHECKS_STACK, checks_stack);
        Ok(Code { context: &self.context, check, finished, single_pass, generate })
    }

    /// Lowers and compiles; the cycles that Cranelift took.
    fn generate(
        &mut self,
        function: &Function,
        survey: &Survey,
        isa: &dyn TargetIsa,
        now: &impl Fn() -> u64,
    ) -> Result<u64, Error> {
        self.context.clear();
        self.context.func.name = UserFuncName::user(0, 0);
        lower::lower(function, survey, self.region, &mut self.context.func, &mut self.builder, &mut self.storage, isa);
        if crate::dump::dumps().clif {
            eprintln!("{}", self.context.func);
        }
        let start = now();
        self.context.compile(isa, &mut self.control).map_err(|error| match error.inner {
            CodegenError::ImplLimitExceeded | CodegenError::CodeTooLarge => {
                Error::CodeTooLarge { limit: place::MAX_CODE }
            }
            CodegenError::Verifier(errors) => Error::Codegen { reason: errors.to_string() },
            other => Error::Codegen { reason: other.to_string() },
        })?;
        Ok(now() - start)
    }

    /// Bytes of stack that the function just compiled takes, with its return address.
    fn frame(&self) -> u32 {
        let layout = self.context.compiled_code().and_then(|code| code.buffer.frame_layout());
        // The saved frame pointer and the return address lie above.
        layout.map_or(0, |layout| layout.frame_to_fp_offset).saturating_add(16)
    }
}

impl Code<'_> {
    /// Writes the code to `to`, from where it will be seen at `address`. `to` has the length of the code.
    ///
    /// # Errors
    /// [`Error::Codegen`] if it needs something that we do not have.
    pub(crate) fn place(&self, function: &Function, to: &mut [u8], address: u64) -> Result<(), Error> {
        place::place(self, function, to, address)
    }
}
