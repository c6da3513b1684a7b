//! Verified functions.
mod asm;
mod binary;
mod compile;
#[cfg(feature = "ebpf")]
pub mod ebpf;
mod interpret;
mod names;
mod opcode;
mod program;
mod run;
mod state;
mod verify;

pub use asm::{AsmError, AsmOptions, disassemble, evaluate, type_names};
pub use binary::encode;
pub use compile::{Compiled, Output};
pub use interpret::Trace;
pub use names::Names;
pub use opcode::{Alu, Comparison, Form, Op};
pub use program::{Header, Inst, Kind, Operand, Program, RULE_VERSION, flags};
pub use run::{FaultCode, Inputs, Outcome, Status, Tuple};
pub use state::{Unverified, Verified};
pub use verify::{Interval, Limits, LoadReport, LoopReport, MAX_DEPTH, Observer, Rejection, Rule, Verdict};
