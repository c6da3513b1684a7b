//! From arguments to an exit code: 0, 1 for an [`Error`], 2 for wrong arguments.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::Error;

/// Parses the arguments as `A` and runs `job`, which prints to the writer it is given.
///
/// A reader that closes the pipe early (`tour | head`) is no error.
pub fn run<A: clap::Parser>(job: impl FnOnce(&A, &mut dyn Write) -> Result<(), Error>) -> ExitCode {
    let arguments = A::parse();
    let mut out = io::stdout().lock();
    let result = job(&arguments, &mut out).and_then(|()| Ok(out.flush()?));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to be done if the message cannot be printed either.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}
