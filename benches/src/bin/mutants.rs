//! Makes one line of `tickc` wrong after the other, and tells which random program finds it.
//!
//! Each fault has a process of its own, as many of them end in a crash or do not end at all. A fault is found by a program on which
//! engines differ, by a crash, or by ten seconds without progress. The exit code is 1 if one is not found.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, exit};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Parser;
use comfy_table::{ContentArrangement, Table, presets};
use tickc::__private::FAULTS;
use tickc_generator::engines::{self, Engines};

/// Deliberate faults, one at a time: which program finds each?
#[derive(Debug, Parser)]
#[command(name = "mutants")]
struct Arguments {
    /// What the programs are made of
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,

    /// How many programs a fault has to pass to be taken for not found
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    count: u64,

    /// Only the fault of this number
    #[arg(long, value_name = "K")]
    only: Option<u32>,

    /// Run the programs in this process, with the fault that it was started with
    #[arg(long, hide = true)]
    child: bool,
}

/// Exit codes of a child that has found something.
const DIFFERS: i32 = 10;
const STUCK: i32 = 11;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.child {
        engines::with_deep_stack(|| find(&arguments));
        return ExitCode::SUCCESS;
    }
    match table(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Prints the table; how many faults were not found.
fn table(arguments: &Arguments) -> Result<usize, String> {
    if let Some(found) = run(arguments, 0)? {
        return Err(format!("without a fault something is found: {found}"));
    }
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["fault", "file", "what is wrong", "found by"]);
    let faults: Vec<_> = FAULTS.iter().filter(|fault| arguments.only.is_none_or(|only| only == fault.0)).collect();
    let mut missed = 0;
    for &&(number, file, meaning) in &faults {
        let found = run(arguments, number)?;
        missed += usize::from(found.is_none());
        let found = found.unwrap_or_else(|| "NOTHING".to_owned());
        eprintln!("{number}: {found}");
        table.add_row([number.to_string(), format!("tickc/src/{file}"), meaning.to_owned(), found]);
    }
    println!("{table}");
    println!("{} faults, {missed} not found", faults.len());
    Ok(missed)
}

/// What finds the fault, in a process of its own.
fn run(arguments: &Arguments, fault: u32) -> Result<Option<String>, String> {
    let exe = std::env::current_exe().map_err(|error| error.to_string())?;
    let child = Command::new(exe)
        .args(["--child", "--seed", &arguments.seed.to_string(), "--count", &arguments.count.to_string()])
        .env("TICKC_FAULT", fault.to_string())
        .output()
        .map_err(|error| error.to_string())?;
    // What it was at last.
    let output = String::from_utf8_lossy(&child.stdout);
    let last = output.lines().last().unwrap_or("the functions that programs call");
    Ok(match child.status.code() {
        Some(0) => None,
        Some(DIFFERS) => Some(format!("{last}: engines differ")),
        Some(STUCK) => Some(format!("{last}: does not end")),
        Some(_) => Some(format!("{last}: panic")),
        None => Some(format!("{last}: signal {}", child.status.signal().unwrap_or_default())),
    })
}

/// Runs programs, each after its number was printed; does not come back if something is wrong.
fn find(arguments: &Arguments) {
    static PROGRESS: AtomicU64 = AtomicU64::new(0);
    std::thread::spawn(|| {
        let mut seen = 0;
        loop {
            std::thread::sleep(Duration::from_secs(10));
            let now = PROGRESS.load(Ordering::Relaxed);
            if now == seen {
                exit(STUCK);
            }
            seen = now;
        }
    });
    let engines = Engines::new().unwrap_or_else(|error| {
        println!("the functions that programs call: {error}");
        exit(DIFFERS)
    });
    for number in 0..arguments.count {
        println!("program {number}");
        PROGRESS.store(number + 1, Ordering::Relaxed);
        if engines.check(&engines::program(arguments.seed, number)).is_err() {
            exit(DIFFERS);
        }
    }
}
