//! Verified functions to machine code, through `tickc`.
//!
//! A function becomes `fn(bytes, out, environment) -> status`. Registers become dynamic variables, each instruction a small
//! fragment that is made when it is spliced. What the verifier proved is left out; what it did not is checked in place, and a
//! check that fails returns the status at once: nothing traps, and nothing has to be metered.
//!
//! - [`plan`], with [`liveness`]: what is decided beforehand; [`lower`]: instructions and blocks as fragments; [`memory`]: loads and stores
//! - this file: the signature, and calls from safe code
//!
//! # Invariants
//! - C1: `bytes` points to at least as many bytes as the header's unit; to `environment[LEN]` of them if that is 0.
//! - C2: `out` has room for as many tuples as the verifier counted.
//! - C3: `environment` points to [`ENVIRONMENT`] words.
//!
//! Cost: about 130 ns per instruction to compile.

mod liveness;
mod lower;
mod memory;
mod plan;

use tickc::prelude::*;

use crate::opcode::CREDENTIALS;
use crate::run::{FaultCode, Inputs, Outcome, Status, Tuple, unit_of};
use crate::state::Verified;

/// Words of the environment.
const ENVIRONMENT: usize = 4 + CREDENTIALS as usize;
/// Number of bytes.
const LEN: usize = 0;
/// `arg rd, 0` and on.
const ARGUMENT: usize = 1;
/// `now`
const NOW: usize = 3;
/// `cred rd, 0` and on.
const CREDENTIAL: usize = 4;

/// What compiled code returns: the kind in bits 60 and up, and the length of the tuples in bytes, the reason, or the code of a fault (in
/// bits 32 and up) and its place.
mod status {
    use super::{FaultCode, Status, Tuple};

    const FAIL: u64 = 1 << 60;
    const FAULT: u64 = 2 << 60;

    pub(super) fn fail(reason: u64) -> u64 {
        FAIL | reason & 0xffff_ffff
    }

    pub(super) fn fault(code: FaultCode, place: u32) -> u64 {
        FAULT | (code as u64) << 32 | u64::from(place)
    }

    /// The status, and the number of tuples.
    pub(super) fn decode(word: u64) -> (Status, usize) {
        let low = word as u32;
        match word & (FAIL | FAULT) {
            FAIL => (Status::Fail(low), 0),
            FAULT => {
                let code = FaultCode::ALL[(word >> 32) as usize & 3];
                (Status::Fault { code, place: low }, 0)
            }
            _ => (Status::Ok, low as usize / size_of::<Tuple>()),
        }
    }
}

/// The signature of compiled functions: bytes, room for tuples, environment; returns a status.
type Entry = fn(*const u8, *mut u64, *const u64) -> u64;

/// A verified function as machine code. Cheap to clone; may be called by several threads at once.
#[derive(Clone, Debug)]
pub struct Compiled {
    function: Func<Entry>,
    unit: u32,
    max_tuples: usize,
}

/// Room for the tuples of a run; to be used again from run to run.
#[derive(Clone, Debug, Default)]
pub struct Output {
    room: Vec<Tuple>,
    len: usize,
}

impl Output {
    /// What the last run owned, in order.
    #[must_use]
    pub fn tuples(&self) -> &[Tuple] {
        &self.room[..self.len]
    }
}

impl Verified {
    /// Compiles the function.
    ///
    /// # Errors
    /// What `tickc` refuses: no memory for code, or more code than a function may have.
    pub fn compile(&self, jit: &Jit) -> Result<Compiled, tickc::Error> {
        let plan = plan::Plan::new(self);
        let function = jit.compile(lower::function(&plan))?;
        let max_tuples = usize::try_from(self.max_tuples()).expect("the verifier's limit fits a usize");
        Ok(Compiled { function, unit: self.header().unit, max_tuples })
    }
}

impl Compiled {
    /// Runs the function.
    #[must_use]
    pub fn run(&self, bytes: &[u8], inputs: &Inputs) -> Outcome {
        let mut output = Output::default();
        let status = self.run_into(bytes, inputs, &mut output);
        output.room.truncate(output.len);
        Outcome { status, tuples: output.room }
    }

    /// Runs the function; `output` then has its tuples, and none unless the status is [`Status::Ok`].
    pub fn run_into(&self, bytes: &[u8], inputs: &Inputs, output: &mut Output) -> Status {
        output.len = 0;
        let bytes = match unit_of(bytes, self.unit) {
            Ok(bytes) => bytes,
            Err(status) => return status,
        };
        if output.room.len() < self.max_tuples {
            output.room.resize(self.max_tuples, Tuple::default());
        }
        let mut environment = [0; ENVIRONMENT];
        environment[LEN] = bytes.len() as u64;
        environment[ARGUMENT] = inputs.block;
        environment[ARGUMENT + 1] = inputs.unit.unwrap_or(bytes.len() as u64);
        environment[NOW] = inputs.now;
        environment[CREDENTIAL..].copy_from_slice(&inputs.credentials);
        // The code reads `bytes` as C1 allows, writes `room` as C2 allows (a tuple is three words), reads `environment` (C3),
        // and keeps none of the pointers.
        let word = self.function.call(bytes.as_ptr(), output.room.as_mut_ptr().cast(), environment.as_ptr());
        let (status, len) = status::decode(word);
        output.len = len;
        status
    }

    /// Machine instructions and bytes of the code.
    #[must_use]
    pub fn stats(&self) -> tickc::Stats {
        self.function.stats()
    }

    /// The code as text, one instruction a line.
    #[must_use]
    pub fn disassemble(&self) -> String {
        self.function.disassemble()
    }

    /// The tier that compiled it.
    #[must_use]
    pub fn tier(&self) -> Tier {
        self.function.tier()
    }
}
