//! The tour: every example, one after the other; see [`examples::tour`].

use std::process::ExitCode;

use examples::tour::{Arguments, run};

fn main() -> ExitCode {
    examples::cli::run::<Arguments>(run)
}
