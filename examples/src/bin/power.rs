//! The power example as a program of its own; see [`examples::power`].

use std::process::ExitCode;

use examples::power::{Arguments, run};

fn main() -> ExitCode {
    examples::cli::run::<Arguments>(run)
}
