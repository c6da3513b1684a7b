//! The arguments example as a program of its own; see [`examples::arguments`].

use std::process::ExitCode;

use examples::arguments::{Arguments, run};

fn main() -> ExitCode {
    examples::cli::run::<Arguments>(run)
}
