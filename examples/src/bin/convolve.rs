//! The convolve example as a program of its own; see [`examples::convolve`].

use std::process::ExitCode;

use examples::convolve::{Arguments, run};

fn main() -> ExitCode {
    examples::cli::run::<Arguments>(run)
}
