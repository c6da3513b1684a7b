//! The example as a program: see [`examples::threaded`].

use std::io::Write;
use std::process::ExitCode;

use examples::Error;
use examples::threaded::{Program, evaluate};

/// Evaluate an expression by a threaded interpreter and by code made for it
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "threaded", version)]
pub struct Arguments {
    /// Integers, x, + - * / and parentheses
    #[arg(default_value = "(x + 3) * -x / 2", allow_hyphen_values = true)]
    pub expression: Program,
    /// The value of x
    #[arg(long, default_value_t = 7, allow_negative_numbers = true)]
    pub x: i64,
}

fn main() -> ExitCode {
    examples::cli::run(|arguments: &Arguments, out: &mut dyn Write| -> Result<(), Error> {
        let (results, code) = evaluate(&arguments.expression, arguments.x)?;
        let [interpreted, compiled] =
            results.map(|result| result.map_or_else(|trap| trap.to_string(), |v| v.to_string()));
        writeln!(out, "interpreted: {interpreted}\ncompiled:    {compiled}\n\n{code}")?;
        if interpreted == compiled {
            return Ok(());
        }
        Err(Error::Differs { name: "threaded", version: "the compiler".into() })
    })
}
