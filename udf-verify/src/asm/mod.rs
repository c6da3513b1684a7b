//! Assembler and disassembler: text ↔ canonical binary.
//!
//! ```text
//!   text ─ lexer ─► lines of tokens ─ macros ─► lines without macros ─ parser ─► Program, Names
//!                                                                      (expr: constant expressions)
//! ```
//!
//! The assembler checks how a function is written, the verifier what it does: blocks that do not nest assemble.
//! What is disassembled assembles to the same binary.
//!
//! Cost: linear in the text after expansion, which is bounded.

mod disassemble;
mod error;
mod expr;
mod lexer;
mod macros;
mod parser;

pub(crate) use disassemble::{address_text, inst_text};
pub use disassemble::{disassemble, type_names};
pub use error::AsmError;
pub(crate) use error::write_excerpt;

use crate::names::Names;
use crate::program::Program;

/// What the assembler is given besides the text.
#[derive(Clone, Debug, Default)]
pub struct AsmOptions {
    /// Values of constants, in place of what `.const` says.
    pub constants: Vec<(String, i128)>,
}

/// Assembles a text.
///
/// # Errors
/// The first thing wrong in the text, with its line and column.
pub(crate) fn assemble(text: &str, options: &AsmOptions) -> Result<(Program, Names), AsmError> {
    let lines = lexer::lines(text)?;
    let lines = macros::expand(lines, text)?;
    parser::parse(text, &lines, options)
}

/// Evaluates a constant expression without names, such as the value of `--const NAME=VALUE`.
///
/// # Errors
/// As the assembler's, in line 1.
pub fn evaluate(text: &str) -> Result<i128, AsmError> {
    let lines = lexer::lines(text)?;
    parser::constant(text, lines.first().map_or(&[], Vec::as_slice))
}
