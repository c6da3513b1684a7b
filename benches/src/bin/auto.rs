//! What `Tier::Auto` costs and gains: functions called by four threads, in each fixed tier and in it, in turns within one run.
//!
//! The time is that of all processors from the quotation to the end of the last call, compilation included, in the background too; of
//! several rounds, the shortest. All results are checked. "× best": Auto's time by that of the best fixed tier; with `--strict` at
//! most 1.10 for functions with loops.

use std::process::ExitCode;
use std::sync::Barrier;

use clap::Parser;
use comfy_table::{Table, presets};
use rustix::time::{ClockId, clock_gettime};
use tickc::prelude::*;

/// `Tier::Auto` against the fixed tiers, from several threads.
#[derive(Debug, Parser)]
#[command(name = "auto")]
struct Arguments {
    /// How many calls, over all threads
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    calls: u64,

    /// How many threads
    #[arg(long, value_name = "T", default_value_t = 4)]
    threads: u64,

    /// How many rounds, of which the shortest of each tier counts
    #[arg(long, value_name = "R", default_value_t = 7)]
    rounds: u32,

    /// How many calls make a function hot
    #[arg(long, value_name = "C")]
    hot_after: Option<u32>,

    /// Exit with 1 if Auto takes more than 1.10 times as long as the best fixed tier, for a function with a loop
    #[arg(long)]
    strict: bool,
}

/// A function of two numbers.
type Kernel = fn(i64, i64) -> i64;

/// A name, how to compile it, and what it computes.
struct Workload {
    name: &'static str,
    is_loop: bool,
    compile: fn(&Jit) -> Result<Func<Kernel>, Error>,
    rust: Kernel,
}

const COEFFICIENTS: [i64; 12] = [7, -3, 11, 2, -5, 13, 1, -17, 4, 6, -9, 8];

const WORKLOADS: [Workload; 5] = [
    Workload { name: "loop of 16", is_loop: true, compile: compile_loop, rust: |a, b| rust_loop(a, b, 16) },
    Workload { name: "loop of 100", is_loop: true, compile: compile_longer_loop, rust: |a, b| rust_loop(a, b, 100) },
    Workload { name: "invariants in a loop", is_loop: true, compile: compile_invariants, rust: rust_invariants },
    Workload { name: "16 variables in a loop", is_loop: true, compile: compile_variables, rust: rust_variables },
    Workload { name: "polynomial", is_loop: false, compile: compile_polynomial, rust: rust_polynomial },
];

fn compile_loop_of(jit: &Jit, n: i64) -> Result<Func<Kernel>, Error> {
    jit.compile(tick!(|a: i64, b: i64| -> i64 {
        let mut sum = b;
        for i in 0..$n {
            sum = (sum ^ (i * a)) + (sum >> 3);
        }
        sum
    }))
}

fn compile_loop(jit: &Jit) -> Result<Func<Kernel>, Error> {
    compile_loop_of(jit, 16)
}

fn compile_longer_loop(jit: &Jit) -> Result<Func<Kernel>, Error> {
    compile_loop_of(jit, 100)
}

fn rust_loop(a: i64, b: i64, n: i64) -> i64 {
    (0..n).fold(b, |sum, i| (sum ^ i.wrapping_mul(a)).wrapping_add(sum >> 3))
}

fn compile_invariants(jit: &Jit) -> Result<Func<Kernel>, Error> {
    jit.compile(tick!(|a: i64, b: i64| -> i64 {
        let mut sum = 0;
        for i in 0..50 {
            sum += (a * b + 7) / 3 + (i ^ (a * b));
        }
        sum
    }))
}

fn rust_invariants(a: i64, b: i64) -> i64 {
    let product = a.wrapping_mul(b);
    (0..50).fold(0, |sum: i64, i| sum.wrapping_add((product.wrapping_add(7) / 3).wrapping_add(i ^ product)))
}

/// More variables than the one-pass tier has registers.
fn compile_variables(jit: &Jit) -> Result<Func<Kernel>, Error> {
    let variables: Vec<_> = (0..16).map(|_| Var::<i64>::local()).collect();
    jit.compile(tick!(|a: i64, b: i64| -> i64 {
        for (k, v) in $(variables.iter().enumerate()) {
            @v = a + b * $(k as i64);
        }
        for i in 0..20 {
            for k in $(0..16usize) {
                @(variables[k]) = (@(variables[k]) ^ @(variables[(k + 5) % 16])) + i;
            }
        }
        let mut sum = 0;
        for v in $(variables.iter()) {
            sum += @v;
        }
        sum
    }))
}

fn rust_variables(a: i64, b: i64) -> i64 {
    let mut v: [i64; 16] = std::array::from_fn(|k| a.wrapping_add(b.wrapping_mul(k as i64)));
    for i in 0..20 {
        for k in 0..16 {
            v[k] = (v[k] ^ v[(k + 5) % 16]).wrapping_add(i);
        }
    }
    v.iter().fold(0, |sum, &v| sum.wrapping_add(v))
}

fn compile_polynomial(jit: &Jit) -> Result<Func<Kernel>, Error> {
    jit.compile(tick!(|x: i64, y: i64| -> i64 {
        let mut sum = y;
        for c in $(COEFFICIENTS) {
            sum = sum * x + $c;
        }
        sum
    }))
}

fn rust_polynomial(x: i64, y: i64) -> i64 {
    COEFFICIENTS.iter().fold(y, |sum, c| sum.wrapping_mul(x).wrapping_add(*c))
}

/// Seconds that all threads of this process have run. Unlike the time on the wall, it does not depend on who else wants to.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Seconds from the quotation to the last call, and the sum of all results.
fn run(arguments: &Arguments, workload: &Workload, tier: Tier) -> Result<(f64, i64), Error> {
    let mut builder = Jit::builder().tier(tier);
    if let Some(calls) = arguments.hot_after {
        builder = builder.hot_after(calls);
    }
    let jit = builder.build()?;
    // The compiling thread is the last to arrive.
    let (ready, go) = (Barrier::new(arguments.threads as usize + 1), Barrier::new(arguments.threads as usize + 1));
    let function = std::sync::OnceLock::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..arguments.threads)
            .map(|thread| {
                let (ready, go, function) = (&ready, &go, &function);
                scope.spawn(move || {
                    ready.wait();
                    go.wait();
                    let function: &Func<Kernel> = function.get().expect("compiled before the start");
                    let mut sum = 0i64;
                    for k in 0..arguments.calls / arguments.threads {
                        sum = sum.wrapping_add(function.call((k + thread) as i64, 3));
                    }
                    sum
                })
            })
            .collect();
        ready.wait();
        let start = processor_time();
        let compiled = (workload.compile)(&jit);
        let failed = compiled.is_err();
        let kept = compiled.map(|f| function.set(f));
        assert!(!failed, "{kept:?}");
        go.wait();
        let sum = threads.into_iter().map(|t| t.join().expect("no call panics")).fold(0, i64::wrapping_add);
        Ok((processor_time() - start, sum))
    })
}

/// What `compile` takes in each tier, quotation included: the shortest of many batches.
fn compilation() -> Result<Table, Error> {
    const BATCH: u32 = 32;
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["ns to compile", "one-pass", "linear-scan", "auto"]);
    for workload in &WORKLOADS {
        let mut row = vec![workload.name.to_owned()];
        for tier in [Tier::OnePass, Tier::LinearScan, Tier::Auto] {
            let jit = Jit::builder().tier(tier).build()?;
            let mut best = f64::INFINITY;
            for _ in 0..300 {
                let mut functions = Vec::with_capacity(BATCH as usize);
                let start = processor_time();
                for _ in 0..BATCH {
                    functions.push((workload.compile)(&jit)?);
                }
                best = best.min((processor_time() - start) * 1e9 / f64::from(BATCH));
            }
            row.push(format!("{best:.0}"));
        }
        table.add_row(row);
    }
    Ok(table)
}

fn main() -> ExitCode {
    match measure(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Prints the table; whether all is well.
fn measure(arguments: &Arguments) -> Result<bool, Error> {
    const TIERS: [Tier; 4] = [Tier::OnePass, Tier::LinearScan, Tier::Cranelift, Tier::Auto];
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["ms", "one-pass", "linear-scan", "cranelift", "auto", "auto × best"]);
    let mut fast = true;
    for workload in &WORKLOADS {
        let per_thread = arguments.calls / arguments.threads;
        let expected = (0..arguments.threads)
            .flat_map(|thread| (0..per_thread).map(move |k| (k + thread) as i64))
            .fold(0i64, |sum, x| sum.wrapping_add((workload.rust)(x, 3)));
        let mut best = [f64::INFINITY; TIERS.len()];
        for _ in 0..arguments.rounds {
            for (best, tier) in best.iter_mut().zip(TIERS) {
                let (time, sum) = run(arguments, workload, tier)?;
                assert_eq!(sum, expected, "{} in {tier:?}: a result is lost or wrong", workload.name);
                *best = best.min(time);
            }
        }
        let [.., auto] = best;
        let ratio = auto / best[..3].iter().copied().fold(f64::INFINITY, f64::min);
        fast &= ratio <= 1.10 || !workload.is_loop;
        let times = best.iter().map(|time| format!("{:.1}", time * 1e3));
        table.add_row(std::iter::once(workload.name.to_owned()).chain(times).chain([format!("{ratio:.3}")]));
    }
    println!("{table}");
    println!("{}", compilation()?);
    println!(
        "{} calls from {} threads, the shortest of {} rounds; all results equal Rust's",
        arguments.calls, arguments.threads, arguments.rounds
    );
    Ok(fast || !arguments.strict)
}
