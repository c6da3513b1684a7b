//! What the commands do.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tickc::{Jit, Tier};
use udf_verify::{
    AsmError, AsmOptions, Inputs, Limits, Names, Outcome, Rejection, Unverified, Verdict, Verified, disassemble,
};

use crate::arguments::{Arguments, Command, Constants, Engine};
use crate::bench;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("error: cannot read {}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("error: cannot write {}: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error("error: {} is neither a binary nor a text in UTF-8", path.display())]
    NotText { path: PathBuf },
    #[error("error: {} is a binary: constants are given when a text is assembled", path.display())]
    ConstantsOfBinary { path: PathBuf },
    #[error("{}: {error}", path.display())]
    Assemble { path: PathBuf, error: AsmError },
    #[error("{}: {error}", path.display())]
    Rejected { path: PathBuf, error: Rejection },
    #[error("error: {0}")]
    Compile(#[from] tickc::Error),
    #[error("error: cannot print: {0}")]
    Print(#[from] io::Error),
}

/// Runs a command, printing to `out`.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Error> {
    match &arguments.command {
        Command::Asm { file, output, strip, constants } => {
            let function = load(file, constants)?;
            let target = output.clone().unwrap_or_else(|| file.with_extension("udfb"));
            let bytes = if *strip { function.hashed_bytes().map_err(rejected(file))? } else { function.bytes() };
            fs::write(&target, bytes).map_err(|error| Error::Write { path: target, error })
        }
        Command::Dis { file, constants } => {
            let (program, names) = load(file, constants)?.decode().map_err(rejected(file))?;
            Ok(out.write_all(disassemble(&program, &names).as_bytes())?)
        }
        Command::Verify { file, explain, constants } => {
            let function = load(file, constants)?;
            let verified = function.verify(&Limits::default()).map_err(rejected(file))?;
            let names = function.decode().map_err(rejected(file))?.1;
            writeln!(out, "{}: accepted", file.display())?;
            if *explain {
                print_facts(&verified, &names, out)?;
            }
            Ok(())
        }
        Command::Run { file, inputs, arguments, constants, tier } => {
            let function = load(file, constants)?;
            let verified = function.verify(&Limits::default()).map_err(rejected(file))?;
            let types = type_names(&function, file)?;
            let mut given = Inputs::default();
            for (argument, value) in arguments {
                argument.set(&mut given, *value);
            }
            let engine = compile(&verified, *tier)?;
            for path in inputs {
                let bytes = read(path)?;
                print_outcome(&engine(&bytes, &given), &types, out)?;
            }
            Ok(())
        }
        Command::Bench { quick } => bench::run(*quick, out),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::Read { path: path.to_owned(), error })
}

fn rejected(path: &Path) -> impl FnOnce(Rejection) -> Error {
    |error| Error::Rejected { path: path.to_owned(), error }
}

/// A function from a text or a binary.
fn load(path: &Path, constants: &Constants) -> Result<Unverified, Error> {
    let bytes = read(path)?;
    let path = || path.to_owned();
    if bytes.starts_with(b"\x7fUDF") {
        if !constants.constants.is_empty() {
            return Err(Error::ConstantsOfBinary { path: path() });
        }
        return Ok(Unverified::from_bytes(bytes));
    }
    let text = String::from_utf8(bytes).map_err(|_| Error::NotText { path: path() })?;
    let mut options = AsmOptions { constants: constants.constants.clone() };
    loop {
        let error = match Unverified::assemble_with(&text, &options) {
            Ok(function) => return Ok(function),
            Err(error) => error,
        };
        // Whoever instantiates several functions gives all of them the same constants.
        let Some(name) = error.unknown_constant() else { return Err(Error::Assemble { path: path(), error }) };
        options.constants.retain(|(other, _)| other != name);
        let help = error.suggestion().map_or_else(String::new, |help| format!(" ({help})"));
        // Nothing is lost if the warning cannot be printed.
        let _ = writeln!(io::stderr(), "warning: {}: {}{help}", path().display(), error.message());
    }
}

fn type_names(function: &Unverified, path: &Path) -> Result<Vec<String>, Error> {
    let (program, names) = function.decode().map_err(rejected(path))?;
    Ok(udf_verify::type_names(&program, &names))
}

type Run<'a> = Box<dyn Fn(&[u8], &Inputs) -> Outcome + 'a>;

fn compile(verified: &Verified, engine: Option<Engine>) -> Result<Run<'_>, Error> {
    let builder = match engine {
        None => Jit::builder(),
        Some(Engine::OnePass) => Jit::builder().tier(Tier::OnePass),
        Some(Engine::LinearScan) => Jit::builder().tier(Tier::LinearScan),
        Some(Engine::Cranelift) => Jit::builder().tier(Tier::Cranelift),
        Some(Engine::Interp) => return Ok(Box::new(|bytes, inputs| verified.interpret(bytes, inputs))),
    };
    let compiled = verified.compile(&builder.build()?)?;
    Ok(Box::new(move |bytes, inputs| compiled.run(bytes, inputs)))
}

fn print_outcome(outcome: &Outcome, types: &[String], out: &mut dyn Write) -> Result<(), Error> {
    for tuple in &outcome.tuples {
        writeln!(out, "own\t{}\t{}\t{}", tuple.start, tuple.count, types[tuple.type_index as usize])?;
    }
    Ok(writeln!(out, "status\t{}", outcome.status)?)
}

/// Where an instruction stands.
fn place(names: &Names, slot: u32) -> String {
    names.line_of(slot).map_or_else(|| format!("slot {slot}"), |(line, _)| format!("line {line}"))
}

fn print_facts(verified: &Verified, names: &Names, out: &mut dyn Write) -> Result<(), Error> {
    let header = verified.header();
    writeln!(out, "instructions  {}", verified.program().insts.len())?;
    writeln!(out, "cost          {} of {} fuel in the worst case", verified.cost(), header.fuel)?;
    writeln!(out, "tuples        {} at most", verified.max_tuples())?;
    let count = |verdict| verified.loads().iter().filter(|load| load.verdict == verdict).count();
    let (proved, checked, unreached) = (count(Verdict::Proved), count(Verdict::Checked), count(Verdict::Unreached));
    writeln!(out, "loads         {proved} proved, {checked} checked, {unreached} never come to")?;
    for load in verified.loads() {
        let text = verified.instruction_text(load.slot, names).unwrap_or_default();
        let verdict = match load.verdict {
            Verdict::Proved => "PROVED",
            Verdict::Checked => "CHECKED",
            Verdict::Unreached => "NEVER COME TO",
        };
        writeln!(out, "  {:<10} {text:<28} {verdict:<14} base {}", place(names, load.slot), load.base)?;
    }
    let mut loops = verified.loops().to_vec();
    loops.sort_by_key(|report| std::cmp::Reverse(report.total));
    if !loops.is_empty() {
        writeln!(out, "loops, the one that costs most first")?;
    }
    for report in loops {
        let share = u128::from(report.total) * 100 / u128::from(verified.cost().max(1));
        let where_ = place(names, report.slot);
        writeln!(out, "  {where_:<10} MAX {:<10} {:>12} in all, {share} %", report.max, report.total)?;
    }
    Ok(())
}
