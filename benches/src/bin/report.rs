//! Measures every candidate, prints the table and the verdicts, and writes the rows as
//! JSON.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use benches::candidates::{self, Candidate};
use benches::floor;
use benches::growth::growth;
use benches::measuring::{Effort, EmptyCycles, measure};
use benches::row::{Row, to_json};
use benches::tiers::{self, beside_cranelift};
use benches::tsc::Clock;
use benches::verdict::{Verdict, judge, judge_cranelift};
use benches::workloads::{Workload, w4_query};
use clap::Parser;
use clap::builder::PossibleValuesParser;
use comfy_table::{CellAlignment, Table, presets};

/// Cycles per generated instruction, and the speed of the generated code, against
/// yardsticks measured in the same run
#[derive(Debug, Parser)]
#[command(name = "report")]
struct Arguments {
    /// Write the rows to FILE as a JSON array; `-`: to standard output, the table then
    /// goes to standard error
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Fewer repetitions: under a second, noisier
    #[arg(long)]
    quick: bool,

    /// Only this workload (may be repeated)
    #[arg(long, value_name = "NAME",
          value_parser = PossibleValuesParser::new(Workload::ALL.map(Workload::name)))]
    workload: Vec<String>,

    /// Only this tier, beside the floor that it is compared with (may be repeated)
    #[arg(long, value_name = "NAME")]
    tier: Vec<String>,

    /// Also the linear-scan tier with the other register allocators that it has
    #[arg(long)]
    allocators: bool,

    /// Exit with status 1 if a limit is missed
    #[arg(long)]
    strict: bool,
}

fn main() -> ExitCode {
    match report(&Arguments::parse()) {
        Ok(status) => status,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn report(arguments: &Arguments) -> Result<ExitCode, String> {
    let mut all = candidates::all();
    if arguments.allocators {
        all.extend(tiers::allocators());
    }
    keep_tiers(&mut all, &arguments.tier)?;
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    let clock = Clock::calibrate();

    let mut rows = Vec::new();
    let mut empty = EmptyCycles::new();
    for workload in Workload::ALL {
        // The empty function is what the others are compared beyond.
        let wanted = arguments.workload.is_empty()
            || workload == Workload::Empty
            || arguments.workload.iter().any(|w| w == workload.name());
        if wanted {
            let (mut own, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|c| c.workload() == workload);
            all = others;
            rows.extend(measure(clock, workload, &mut own, effort, &mut empty)?);
        }
    }

    let mut verdicts = judge(&rows);
    if rows.iter().any(|row| row.tier == "cranelift") {
        let wanted = |(workload, _): &(Workload, f64)| rows.iter().any(|row| row.workload == workload.name());
        verdicts.extend(judge_cranelift(&beside_cranelift().into_iter().filter(wanted).collect::<Vec<_>>()));
    }
    if arguments.workload.is_empty() && arguments.tier.is_empty() && !arguments.quick {
        verdicts.extend(growth(clock));
    }
    let mut text = format!("{}\n", table(&rows));
    text.push_str(&notes(clock, effort));
    text.push('\n');
    for verdict in &verdicts {
        text.push_str(&format!("{verdict}\n"));
    }
    publish(arguments, &rows, &text)?;

    let missed = !verdicts.iter().all(Verdict::holds);
    Ok(ExitCode::from(u8::from(arguments.strict && missed)))
}

/// Keeps the tiers asked for, and the floor.
fn keep_tiers(all: &mut Vec<Box<dyn Candidate>>, tiers: &[String]) -> Result<(), String> {
    if tiers.is_empty() {
        return Ok(());
    }
    for tier in tiers {
        if !all.iter().any(|c| c.tier() == tier) {
            let mut known: Vec<&str> = all.iter().map(|c| c.tier()).collect();
            known.sort_unstable();
            known.dedup();
            return Err(format!("no tier is called '{tier}'; there are {}", known.join(", ")));
        }
    }
    all.retain(|c| c.tier() == floor::TIER || tiers.iter().any(|t| t == c.tier()));
    Ok(())
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_header([
        "workload",
        "tier",
        "instr.",
        "bytes",
        "compile min",
        "median",
        "per instr.",
        "budget",
        "x floor",
        "run",
        "x hand",
        "generic Rust",
    ]);
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let optional =
        |value: Option<f64>, digits: usize| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.digits$}"));
    for row in rows {
        table.add_row([
            row.workload.clone(),
            row.tier.clone(),
            row.instructions.to_string(),
            row.bytes.to_string(),
            format!("{:.1}", row.compile_cycles_min),
            format!("{:.1}", row.compile_cycles_median),
            format!("{:.2}", row.cycles_per_instruction),
            optional(row.budget_cycles, 0),
            optional(row.compile_ratio_to_floor, 2),
            format!("{:.1}", row.run_cycles),
            format!("{:.3}", row.run_ratio_to_hand),
            format!("{:.1}", row.baseline_run_cycles),
        ]);
    }
    table
}

fn notes(clock: Clock, effort: Effort) -> String {
    let walk = w4_query::tree_walk();
    let body = |calls| walk.run(calls);
    let walk = clock.run_cycles(&[&body], Workload::W4.calls_per_batch(), effort.run_batches);
    format!(
        "TSC cycles; 'hand' is the code of {}; W4 as a walk over a tree runs {:.1}; two readings of the counter cost {}\n",
        floor::TIER,
        walk[0].median(),
        clock.overhead(),
    )
}

fn publish(arguments: &Arguments, rows: &[Row], text: &str) -> Result<(), String> {
    let to_stdout = arguments.json.as_ref().is_some_and(|path| path == "-");
    let written = match &arguments.json {
        None => Ok(()),
        Some(_) if to_stdout => std::io::stdout().write_all(to_json(rows).as_bytes()),
        Some(path) => std::fs::write(path, to_json(rows)),
    };
    if to_stdout {
        eprint!("{text}");
    } else {
        print!("{text}");
    }
    written.map_err(|e| {
        let path = arguments.json.as_deref().unwrap_or_else(|| "-".as_ref());
        format!("cannot write {}: {e}", path.display())
    })
}
