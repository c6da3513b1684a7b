//! The marshal example as a program of its own; see [`examples::marshal`].

use std::process::ExitCode;

use examples::marshal::{Arguments, run};

fn main() -> ExitCode {
    examples::cli::run::<Arguments>(run)
}
