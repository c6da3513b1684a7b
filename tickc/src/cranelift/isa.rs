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

/// Operations in one block beyond which [`Effort::Speed`] gives way to [`Effort::SpeedSinglePass`].
pub(super) const LONG_BLOCK: u32 = 1000;
/// Operations in one function beyond which it does.
pub(super) const LONG_FUNCTION: u32 = 20_000;

impl Effort {
    /// What is spent on a function of which this is known, and whether that is less than was asked for.
    pub(super) fn bounded(self, survey: &Survey) -> (Effort, bool) {
        if self == Effort::Speed && (survey.longest_block > LONG_BLOCK || survey.operations > LONG_FUNCTION) {
            return (Effort::SpeedSinglePass, true);
        }
        (self, false)
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
