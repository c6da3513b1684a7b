//! The query example as a program of its own; see [`examples::query`].

use std::process::ExitCode;

use examples::query::{Arguments, run};

fn main() -> ExitCode {
    examples::cli::run::<Arguments>(run)
}
