//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use udf_verify::{Inputs, evaluate};

/// Functions over untrusted bytes: assemble, disassemble, verify, run, measure
#[derive(Debug, Parser)]
#[command(name = "udf", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Assemble a text to its canonical binary
    Asm {
        /// The text
        file: PathBuf,
        /// Where the binary goes [default: FILE with the extension udfb]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Leave names and lines out
        #[arg(long)]
        strip: bool,
        #[command(flatten)]
        constants: Constants,
    },
    /// Print a binary as text
    Dis {
        /// The binary (a text is assembled first)
        file: PathBuf,
        #[command(flatten)]
        constants: Constants,
    },
    /// Accept a function or say what is wrong with it
    Verify {
        /// Text or binary
        file: PathBuf,
        /// Print cost, the verdict on every load, and what contributes most
        #[arg(long)]
        explain: bool,
        #[command(flatten)]
        constants: Constants,
    },
    /// Verify, compile and run a function: prints own, start, count and TYPE of each tuple, then the status
    Run {
        /// Text or binary
        file: PathBuf,
        /// A file with the bytes to run on; may be given several times
        #[arg(long = "input", value_name = "BLOCK", required = true)]
        inputs: Vec<PathBuf>,
        /// An argument of the function: k is block (0), unit (1), now, or cred0 to cred7
        #[arg(long = "arg", value_name = "k=v", value_parser = parse_argument)]
        arguments: Vec<(Argument, u64)>,
        #[command(flatten)]
        constants: Constants,
        /// How to run it [default: tickc's default tier]
        #[arg(long, value_enum, ignore_case = true)]
        tier: Option<Engine>,
    },
    /// Measure verifier, compiler and compiled code against ordinary Rust
    Bench {
        /// Measure shortly, to see that everything works
        #[arg(long)]
        quick: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Constants {
    /// The value of a constant, in place of what the text says
    #[arg(long = "const", value_name = "NAME=v", value_parser = parse_constant)]
    pub(crate) constants: Vec<(String, i128)>,
}

/// How a function is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// tickc's one-pass tier
    #[value(name = "one-pass", aliases = ["onepass", "one_pass"])]
    OnePass,
    /// tickc's linear-scan tier
    #[value(name = "linear-scan", aliases = ["linearscan", "linear_scan"])]
    LinearScan,
    /// tickc's Cranelift tier
    Cranelift,
    /// The reference interpreter
    Interp,
}

/// Something that a function reads besides its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Argument {
    Block,
    Unit,
    Now,
    Credential(usize),
}

impl Argument {
    pub(crate) fn set(self, inputs: &mut Inputs, value: u64) {
        match self {
            Argument::Block => inputs.block = value,
            Argument::Unit => inputs.unit = Some(value),
            Argument::Now => inputs.now = value,
            Argument::Credential(k) => inputs.credentials[k] = value,
        }
    }
}

fn split(text: &str) -> Result<(&str, i128), String> {
    let (name, value) = text.split_once('=').ok_or("expected a name, `=` and a value")?;
    let value = evaluate(value).map_err(|error| format!("`{value}`: {}", error.message()))?;
    Ok((name.trim(), value))
}

fn parse_constant(text: &str) -> Result<(String, i128), String> {
    let (name, value) = split(text)?;
    let is_name = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_name { Ok((name.to_owned(), value)) } else { Err(format!("`{name}` is no name of a constant")) }
}

fn parse_argument(text: &str) -> Result<(Argument, u64), String> {
    let (name, value) = split(text)?;
    let credential =
        || name.strip_prefix("cred")?.parse().ok().filter(|&k: &usize| k < Inputs::default().credentials.len());
    let argument = match name {
        "0" | "block" => Argument::Block,
        "1" | "unit" => Argument::Unit,
        "now" => Argument::Now,
        _ => Argument::Credential(credential().ok_or_else(|| {
            format!("there is no argument `{name}`: they are block (0), unit (1), now, and cred0 to cred7")
        })?),
    };
    let value = u64::try_from(value).map_err(|_| format!("{value} does not fit 64 bits"))?;
    Ok((argument, value))
}
