//! The dot example as a program of its own; see [`examples::dot`].

use std::process::ExitCode;

use examples::dot::{Arguments, run};

fn main() -> ExitCode {
    examples::cli::run::<Arguments>(run)
}
