//! Untrusted functions over untrusted bytes: a small language, its verifier, an interpreter, and a compiler through `tickc`.
//!
//! A file system that others may extend has to understand their metadata, and does not want to believe what they say of it. So
//! they hand over, once, a *function* that says what a block of such metadata owns; the system verifies the function, compiles
//! it, and from then on asks it, block by block. Neither the function nor the block is trusted: whatever they are, the answer
//! is deterministic, bounded in time and memory, and made of nothing but the bytes. (XN's *untrusted deterministic functions*:
//! Kaashoek et al., "Application performance and flexibility on exokernel systems", SOSP 1997, section 4.)
//!
//! ```
//! use udf_verify::{Inputs, Limits, Status, Unverified};
//!
//! // A block of 32-bit block pointers: every one that is not zero is a data block.
//! let text = "
//!     .kind owns
//!     .unit 4096
//!     .type DATA
//!     loop r1, 1024, 1024
//!         shl r2, r1, 2
//!         ld4le r3, [r2]
//!         if r3 != 0
//!             own r3, 1, DATA
//!         end
//!     end
//! ";
//! let function = Unverified::assemble(text)?.verify(&Limits::default())?.compile(&tickc::Jit::new()?)?;
//! let mut block = vec![0; 4096];
//! block[8] = 77;
//! let outcome = function.run(&block, &Inputs::default());
//! assert_eq!(outcome.status, Status::Ok);
//! assert_eq!((outcome.tuples[0].start, outcome.tuples[0].count), (77, 1));
//!
//! // Too short a block is an answer, too; a function that cannot be right is refused.
//! assert_eq!(function.run(&[0; 100], &Inputs::default()).status.to_string(), "fault\tshort\t0");
//! let wrong = Unverified::assemble(&text.replace("1024, 1024", "1025, 1025 ; one too many"))?;
//! assert!(wrong.verify(&Limits::default()).is_ok(), "only the last round is wrong: checked when run");
//! let wrong = Unverified::assemble(&text.replace("[r2]", "[r2 + 4096]"))?;
//! assert_eq!(wrong.verify(&Limits::default()).unwrap_err().message(), "this load always lies outside the unit");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # From text to answers
//!
//! ```text
//!   text ──assemble──► Unverified ──verify──► Verified ──compile──► Compiled ──run──► Outcome {status, tuples}
//!              ◄──disassemble──┘ (any bytes)      └──interpret──► the same Outcome
//! ```
//!
//! The states are types: nothing unverified can be run. [`opcode`](Op) is the one table from which decoder, encoder, assembler,
//! disassembler, interpreter, verifier and compiler take their facts. The verifier ([`Unverified::verify`]) goes forward once,
//! computes the exact worst-case cost, and gives each load a [`Verdict`]: proved ones need no check, the others are checked in
//! place. Safe Rust throughout (`forbid(unsafe_code)`), but for the module that emits loads and stores.
//!
//! # The language
//!
//! | | |
//! |---|---|
//! | `li rd, n` · `mv rd, x` · `add` `sub` `mul` `and` `or` `xor` `shl` `shr` `div` `rem` `rd, x, y` | 64-bit, wrapping, unsigned, total: x/0 = 0, x rem 0 = x, shift counts mod 64 |
//! | `ld1` `ld2le` `ld4be` `ld8le` … `rd, [rb + n]` | zero-extending, any alignment; outside the bytes: fault |
//! | `arg rd, k` | 0: number of the block, 1: bytes of a unit |
//! | `loop ri, x, MAX` … `end` | ri = 0 … x-1, read-only inside; x is read once, above MAX: fault. Behind it ri is the number of rounds completed |
//! | `if x OP y` … `else` … `end` | `== != < <= > >=`, unsigned |
//! | `break` · `next` · `ret` · `fail k` | leave the loop, the round, the function |
//! | `own start, count, TYPE` | a tuple of the answer; count 0 adds none |
//! | `now rd` · `cred rd, k` | in acl- and size-functions only |
//! | `.kind` `.unit` `.fuel` `.group` `.strict` `.type NAME` `.const NAME = …` `.macro NAME a, b` … `.endm` | for the assembler and the header |
//!
//! 32 registers, zero at the start; operands are registers or constant expressions (`+ - * / % << >> & | ^`). An instruction
//! costs 1, an `if` its larger arm on top, a `loop` MAX × (body + 1). No stores, no calls, no backward jumps.
//!
//! A function is given exactly one unit: fewer bytes are a fault, more are not looked at. `.unit 0` (or none) takes whatever
//! there is, and has every load checked. A fault or a failure leaves no tuples.
//!
//! The command `udf` assembles, disassembles, verifies (`--explain`), runs and measures; `programs/` has functions for ext2,
//! ext3 and ext4.
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
