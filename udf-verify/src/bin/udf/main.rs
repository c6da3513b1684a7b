//! `udf`: assemble, disassemble, verify, run and measure functions over untrusted bytes.

mod arguments;
mod bench;
mod commands;
#[cfg(feature = "peers")]
mod peers;

use std::io::{self, Write};
use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;

/// Exit codes: 0, 1 for an error or a rejection, 2 for wrong arguments.
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let result = commands::run(&arguments, &mut out).and_then(|()| Ok(out.flush()?));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that closes the pipe early (`udf dis | head`) is no error.
        Err(commands::Error::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to be done if the message cannot be printed either.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}
