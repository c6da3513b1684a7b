//! The target, for each way to compile.

use std::sync::OnceLock;

use cranelift_codegen::isa::{OwnedTargetIsa, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};

use super::survey::Survey;
use crate::error::Error;
use crate::jit::Tier;

/// How much Cranelift does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effort {
    /// Optimizations, and the allocator that backtracks: the best code.
    Speed,
    /// Optimizations, and the allocator that passes once over each block.
    SpeedSinglePass,
    /// No optimizations, single pass.
    Quick,
}

/// Operations in one block, and in one function, and branches in one, beyond which [`Effort::Speed`] gives way to
/// [`Effort::SpeedSinglePass`]. Measured per instruction generated: of straight lines the backtracking allocator makes 3,400 cycles
/// at 50 operations, 5,400 at 1,600, 7,900 at 3,200 (the other one 1,700 to 2,400); of a chain of `if`s 5,500 at 100 of them, but
/// 39,000 at 1,000 (the other one, whose code is three times as long, 2,900).
const LONG_BLOCK: u32 = 5000;
const LONG_FUNCTION: u32 = 20_000;
const MANY_BRANCHES: u32 = 500;

impl Effort {
    /// What is spent on a function of which this is known, and whether that is less than was asked for.
    pub(super) fn bounded(self, survey: &Survey) -> (Effort, bool) {
        let explodes =
            survey.longest_block > LONG_BLOCK || survey.operations > LONG_FUNCTION || survey.branches > MANY_BRANCHES;
        if self == Effort::Speed && explodes { (Effort::SpeedSinglePass, true) } else { (self, false) }
    }
}

/// The target of an effort.
///
/// # Errors
/// [`Error::TierUnavailable`] if Cranelift does not know this machine.
pub(super) fn of(effort: Effort) -> Result<&'static dyn TargetIsa, Error> {
    static ISAS: [OnceLock<Option<OwnedTargetIsa>>; 3] = [const { OnceLock::new() }; 3];
    let isa = ISAS[effort as usize].get_or_init(|| make(effort));
    isa.as_deref().ok_or(Error::TierUnavailable(Tier::Cranelift))
}

fn make(effort: Effort) -> Option<OwnedTargetIsa> {
    let (level, algorithm) = match effort {
        Effort::Speed => ("speed", "backtracking"),
        Effort::SpeedSinglePass => ("speed", "single_pass"),
        Effort::Quick => ("none", "single_pass"),
    };
    let mut flags = settings::builder();
    let verify = if cfg!(debug_assertions) { "true" } else { "false" };
    for (name, value) in [
        ("opt_level", level),
        ("regalloc_algorithm", algorithm),
        ("enable_verifier", verify),
        // The stack is checked before the code.
        ("enable_probestack", "false"),
        ("unwind_info", "false"),
        ("is_pic", "false"),
    ] {
        flags.set(name, value).ok()?;
    }
    cranelift_native::builder().ok()?.finish(settings::Flags::new(flags)).ok()
}
