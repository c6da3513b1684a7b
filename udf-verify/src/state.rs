//! The three states of a function: [`Unverified`] → [`Verified`] → [`Compiled`]. Nothing unverified can be run.
#![forbid(unsafe_code)]

use crate::asm::{self, AsmError, AsmOptions};
use crate::binary;
use crate::interpret::{Trace, interpret};
use crate::names::Names;
use crate::program::{Header, Program};
use crate::run::{Inputs, Outcome};
use crate::verify::{self, Facts, Limits, LoadReport, LoopReport, Observer, Rejection};

/// A function as it came: bytes that nothing is known of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unverified {
    file: Vec<u8>,
}

impl Unverified {
    /// Any bytes.
    #[must_use]
    pub fn from_bytes(file: Vec<u8>) -> Unverified {
        Unverified { file }
    }

    /// Assembles a text; names and lines go along.
    ///
    /// # Errors
    /// The first thing wrong in the text.
    pub fn assemble(text: &str) -> Result<Unverified, AsmError> {
        Self::assemble_with(text, &AsmOptions::default())
    }

    /// Assembles a text with constants given from outside.
    ///
    /// # Errors
    /// As [`Unverified::assemble`], and that a constant given does not exist.
    pub fn assemble_with(text: &str, options: &AsmOptions) -> Result<Unverified, AsmError> {
        let (program, names) = asm::assemble(text, options)?;
        let mut file = binary::encode(&program);
        file.extend(names.encode());
        Ok(Unverified { file })
    }

    /// The file, names and lines included.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.file
    }

    /// The part of the file that the function is: what is hashed, without names and lines.
    ///
    /// # Errors
    /// The header or the length is wrong.
    pub fn hashed_bytes(&self) -> Result<&[u8], Rejection> {
        verify::sections(&self.file, u32::MAX).map(|sections| sections.hashed)
    }

    /// Decodes without verifying: what the disassembler shows.
    ///
    /// # Errors
    /// The file has not the form of a function.
    pub fn decode(&self) -> Result<(Program, Names), Rejection> {
        verify::decode(&self.file)
    }

    /// Verifies.
    ///
    /// # Errors
    /// The first thing wrong, at the lowest offset.
    pub fn verify(&self, limits: &Limits) -> Result<Verified, Rejection> {
        self.verify_observed(limits, None)
    }

    /// Verifies, telling an observer the intervals at every load.
    ///
    /// # Errors
    /// As [`Unverified::verify`].
    pub fn verify_observed(&self, limits: &Limits, observer: Option<&mut dyn Observer>) -> Result<Verified, Rejection> {
        verify::verify(&self.file, limits, observer).map(|facts| Verified { facts })
    }
}

/// A function that the verifier has accepted.
///
/// Not to be stored: at every start the file is verified again.
#[derive(Clone, Debug)]
pub struct Verified {
    pub(crate) facts: Facts,
}

impl Verified {
    /// What the file says of itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.facts.program.header
    }

    /// The function in decoded form.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.facts.program
    }

    /// Worst-case cost of a run.
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.facts.cost
    }

    /// How many tuples a run can add.
    #[must_use]
    pub fn max_tuples(&self) -> u64 {
        self.facts.tuples
    }

    /// Every load with its verdict, in the order of the code.
    #[must_use]
    pub fn loads(&self) -> &[LoadReport] {
        &self.facts.loads
    }

    /// Every loop with its cost, in the order of the code.
    #[must_use]
    pub fn loops(&self) -> &[LoopReport] {
        &self.facts.loops
    }

    /// The instruction that starts at a slot, as it is written.
    #[must_use]
    pub fn instruction_text(&self, slot: u32, names: &Names) -> Option<String> {
        let program = &self.facts.program;
        let index = program.insts.binary_search_by_key(&slot, |inst| inst.slot).ok()?;
        Some(asm::inst_text(&asm::type_names(program, names), &program.insts[index]))
    }

    /// Runs the function in the reference interpreter.
    #[must_use]
    pub fn interpret(&self, bytes: &[u8], inputs: &Inputs) -> Outcome {
        self.interpret_traced(bytes, inputs, &mut ())
    }

    /// Runs the function in the reference interpreter, telling `trace` the registers at every load.
    #[must_use]
    pub fn interpret_traced(&self, bytes: &[u8], inputs: &Inputs, trace: &mut impl Trace) -> Outcome {
        interpret(&self.facts.program, bytes, inputs, trace)
    }
}
