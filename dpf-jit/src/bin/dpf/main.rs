//! `dpf`: classify captures by rules, show the code that does it, and measure it.
#![deny(unsafe_code)]

mod bench;
mod capture;
mod classify;
mod error;
mod explain;
mod rules;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use error::Failure;

/// Packet filters, merged into a trie and compiled to machine code when they are installed.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Cycles per packet, against yardsticks measured in the same run.
    Bench(bench::Arguments),
    /// The rule that each packet of a capture matches, one line a packet; -1 for none. The rule of the lowest line wins.
    Classify {
        /// Rules: `id proto sip sport dip dport` or, under a header line, `id shape src/len dst/len sport dport`, with tabs.
        #[arg(long)]
        rules: PathBuf,
        /// A pcap or pcapng file of Ethernet frames.
        capture: PathBuf,
    },
    /// The trie of some rules, and the machine code for it.
    Explain {
        /// Rules, as for `classify`.
        #[arg(long)]
        rules: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let result = match &arguments.command {
        Command::Bench(arguments) => bench::run(arguments, &mut out),
        Command::Classify { rules, capture } => classify::run(rules, capture, &mut out),
        Command::Explain { rules } => explain::run(rules, &mut out),
    };
    match result.and_then(|()| out.flush().map_err(Failure::Print)) {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that closes the pipe early (`dpf classify … | head`) is no error.
        Err(Failure::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing is left to be done if the message cannot be printed either.
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::FAILURE
        }
    }
}
