//! Runs random programs on every engine, and tells whether they agree: the operators of Rust, and each tier.
//!
//! The last line is `N programs, E engines, D differences`. A program on which engines differ is made smaller, and printed as
//! source.

use std::process::ExitCode;

use clap::Parser;
#[cfg(feature = "mutate")]
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use tickc_generator::engines::{self, Difference, Engines};
use tickc_generator::print::source;
use tickc_generator::shrink::shrink;
use tickc_generator::stats::Statistics;

/// Random programs on every engine: do value, memory and trap agree?
#[derive(Debug, Parser)]
#[command(name = "agree")]
struct Arguments {
    /// What the programs are made of; the same seed makes the same programs
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,

    /// How many programs
    #[arg(long, value_name = "N", default_value_t = 1000)]
    count: u64,

    /// Number of the first program, to begin in the midst of a run
    #[arg(long, value_name = "K", default_value_t = 0)]
    first: u64,

    /// How registers are chosen by the tiers that do so themselves; they are the only ones then
    #[cfg(feature = "mutate")]
    #[arg(long, value_enum)]
    registers: Option<Registers>,

    /// Print at most this many programs that differ; all are counted
    #[arg(long, value_name = "D", default_value_t = 3)]
    show: u64,

    /// Instead of all tiers, the linear-scan tier with each of its register allocators
    #[arg(long)]
    allocators: bool,
}

/// What `--registers` asks for.
#[cfg(feature = "mutate")]
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Registers {
    /// Any that would do, in each program others
    Random,
    /// As if there were only four of each class, in each program others
    Four,
}

impl Arguments {
    /// The engines, and what this thread must do before each program.
    #[cfg(feature = "mutate")]
    fn engines(&self) -> Result<(Engines, impl Fn(u64)), tickc::Error> {
        use tickc::__private::{Choice, choose};
        let choice = match self.registers {
            None => |_| Choice::Usual,
            Some(Registers::Random) => Choice::Random,
            Some(Registers::Four) => Choice::Four,
        };
        let native = [tickc::Tier::OnePass, tickc::Tier::LinearScan];
        let engines = if self.registers.is_some() { Engines::with_tiers(&native)? } else { self.usual_engines()? };
        Ok((engines, move |number| choose(choice(number))))
    }

    /// The engines, and what this thread must do before each program.
    #[cfg(not(feature = "mutate"))]
    fn engines(&self) -> Result<(Engines, impl Fn(u64)), tickc::Error> {
        Ok((self.usual_engines()?, |_| ()))
    }

    /// All tiers, or one with all its register allocators.
    fn usual_engines(&self) -> Result<Engines, tickc::Error> {
        if self.allocators { Engines::with_allocators() } else { Engines::new() }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match engines::with_deep_stack(|| agree(&arguments)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// The number of programs that engines do not agree on.
fn agree(arguments: &Arguments) -> Result<u64, tickc::Error> {
    let (engines, prepare) = arguments.engines()?;
    let mut statistics = Statistics::default();
    let mut differences = 0;
    let bar = ProgressBar::new(arguments.count);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} programs, {msg} differences, {eta} left");
    bar.set_style(style.expect("a template of fields that there are"));
    bar.set_message("0");
    for i in 0..arguments.count {
        let number = arguments.first.wrapping_add(i);
        let program = engines::program(arguments.seed, number);
        prepare(number);
        match engines.check(&program) {
            Ok(outcomes) => statistics.add(&program, &outcomes),
            Err(difference) => {
                differences += 1;
                bar.set_message(differences.to_string());
                if differences <= arguments.show {
                    let small = shrink(program, |program| engines.check(program).is_err());
                    let now = engines.check(&small).err().unwrap_or(difference);
                    bar.suspend(|| show(arguments.seed, number, &source(&small, "program"), &now));
                }
            }
        }
        if i % 64 == 0 {
            bar.set_position(i);
        }
    }
    bar.finish_and_clear();
    print!("{statistics}");
    println!("{} programs, {} engines, {differences} differences", arguments.count, engines.count());
    Ok(differences)
}

fn show(seed: u64, number: u64, source: &str, difference: &Difference) {
    println!("program {number} of seed {seed}, made smaller:\n{source}");
    println!("{:?} differs from the operators of Rust: {}", difference.tier, difference.message);
    if let Some((args, memory)) = &difference.input {
        println!("called with {args:x?}\n{memory:?}");
    }
    println!();
}
