//! `udf bench`: verifier, compiler and compiled code, against ordinary Rust in the same run.
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use tickc::{Jit, Tier};
use udf_verify::{Inputs, Limits, Output, Status, Unverified, Verified};

use crate::commands::Error;

const ITABLE: &str = include_str!("../../../programs/itable.udf");

/// Sum and count of the 32-bit numbers that are not zero: every load proved.
const PROVED: &str = "
.unit 4096
.type SUM
loop r1, 1024, 1024
    shl r2, r1, 2
    ld4le r3, [r2]
    if r3 != 0
        add r4, r4, r3
        add r5, r5, 1
    end
end
own r4, r5, SUM
";

/// The same, but how many there are comes from outside, so that every load is checked.
const CHECKED: &str = "
.unit 4096
.type SUM
arg r6, 0
loop r1, 1024, 1024
    shl r2, r1, 2
    add r2, r2, r6
    ld4le r3, [r2]
    if r3 != 0
        add r4, r4, r3
        add r5, r5, 1
    end
end
own r4, r5, SUM
";

/// The compilers; one that this build does not have is left out.
const TIERS: [(Tier, &str); 3] =
    [(Tier::OnePass, "one-pass"), (Tier::LinearScan, "linear scan"), (Tier::Cranelift, "Cranelift")];

/// A pointer block: three quarters in use, the rest zero.
fn block() -> Vec<u8> {
    (0..1024u32).map(|i| if i < 768 { i * 7 + 1 } else { 0 }).flat_map(u32::to_le_bytes).collect()
}

/// One number after the other, each with its check.
#[inline(never)]
fn scalar(bytes: &[u8], count: usize) -> (u64, u64) {
    let (mut sum, mut many) = (0, 0);
    for i in 0..count {
        let value = u32::from_le_bytes(bytes[i * 4..i * 4 + 4].try_into().expect("four bytes"));
        if value != 0 {
            sum += u64::from(value);
            many += 1;
        }
        // Costs nothing, and keeps rustc from hoisting the checks and using vectors.
        black_box(());
    }
    (sum, many)
}

/// As one would write it; the compiler uses vectors.
#[inline(never)]
fn idiomatic(bytes: &[u8], count: usize) -> (u64, u64) {
    let values = bytes.chunks_exact(4).take(count).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]]));
    values.filter(|&v| v != 0).fold((0, 0), |(sum, many), v| (sum + u64::from(v), many + 1))
}

/// Nanoseconds of one call: the least of several batches.
fn nanoseconds(quick: bool, mut call: impl FnMut()) -> f64 {
    let (batches, calls) = if quick { (3, 10) } else { (600, 40) };
    let mut least = f64::INFINITY;
    for _ in 0..batches {
        let start = Instant::now();
        for _ in 0..calls {
            call();
        }
        least = least.min(start.elapsed().as_nanos() as f64 / f64::from(calls));
    }
    least
}

fn function(text: &str) -> (Unverified, Verified) {
    let function = Unverified::assemble(text).expect("the bench's own text");
    let verified = function.verify(&Limits::default()).expect("the bench's own function");
    (function, verified)
}

/// Measures everything and prints a table; every result is compared with that of ordinary Rust.
pub(crate) fn run(quick: bool, out: &mut dyn Write) -> Result<(), Error> {
    let inputs = Inputs::default();
    writeln!(out, "verifying and compiling                instructions      verify     compile        both")?;
    for (name, text) in [("itable.udf", ITABLE), ("sum, proved", PROVED)] {
        let (function, verified) = function(text);
        let many = verified.program().insts.len();
        let verify = nanoseconds(quick, || drop(black_box(function.verify(&Limits::default()))));
        for (tier, tier_name) in TIERS {
            let Ok(jit) = Jit::builder().tier(tier).build() else { continue };
            let compile = nanoseconds(quick, || drop(black_box(verified.compile(&jit))));
            let (name, both) = (format!("{name}, {tier_name}"), (verify + compile) / 1000.0);
            writeln!(
                out,
                "  {name:<36} {many:>12} {:>7.1} ns/i {:>7.1} ns/i {both:>8.2} µs",
                verify / many as f64,
                compile / many as f64
            )?;
        }
    }
    #[cfg(feature = "peers")]
    {
        let both = nanoseconds(quick, || drop(black_box(crate::peers::Rbpf::new())));
        writeln!(out, "  {:<36} {:>12} {:>27} {:>8.2} µs", "the same sum in rbpf", 12, "", both / 1000.0)?;
    }
    let block = block();
    let expected = idiomatic(&block, 1024);
    writeln!(out, "sum and count of the 1,024 numbers in 4 KiB that are not zero")?;
    let native = nanoseconds(quick, || {
        black_box(scalar(black_box(&block), black_box(1024)));
    });
    let mut row = |name: &str, ns: f64| writeln!(out, "  {name:<48} {ns:>10.0} ns {:>8.2} × scalar Rust", ns / native);
    row("scalar Rust, bounds-checked", native)?;
    let vectors = nanoseconds(quick, || {
        black_box(idiomatic(black_box(&block), black_box(1024)));
    });
    row("idiomatic Rust, vectors", vectors)?;
    for (name, text) in [("loads proved", PROVED), ("loads checked", CHECKED)] {
        for (tier, tier_name) in TIERS {
            let Ok(jit) = Jit::builder().tier(tier).build() else { continue };
            let compiled = function(text).1.compile(&jit)?;
            let mut output = Output::default();
            let ns = nanoseconds(quick, || {
                let status = compiled.run_into(black_box(&block), &inputs, &mut output);
                assert_eq!(status, Status::Ok);
            });
            assert_eq!((output.tuples()[0].start, output.tuples()[0].count), expected, "the engines agree");
            row(&format!("{name}, {tier_name}"), ns)?;
        }
    }
    #[cfg(feature = "peers")]
    {
        let peer = crate::peers::Rbpf::new();
        let mut bytes: [u8; 4096] = block.clone().try_into().expect("4 KiB");
        assert_eq!(peer.run(&mut bytes), expected.0 + expected.1, "the engines agree");
        let ns = nanoseconds(quick, || {
            black_box(peer.run(black_box(&mut bytes)));
        });
        row("rbpf's JIT, nothing checked", ns)?;
        let ns = crate::peers::with_sbpf(&mut bytes, |call| {
            assert_eq!(call(), expected.0 + expected.1, "the engines agree");
            nanoseconds(quick, || {
                black_box(call());
            })
        });
        row("solana-sbpf's JIT, checked and metered", ns)?;
        for (fuel, name) in [(false, "wasmtime, checked"), (true, "wasmtime, checked and metered")] {
            let ns = crate::peers::with_wasmtime(&bytes, fuel, |call| {
                assert_eq!(call(), expected.0 + expected.1, "the engines agree");
                nanoseconds(quick, || {
                    black_box(call());
                })
            });
            row(name, ns)?;
        }
    }
    let (_, verified) = function(PROVED);
    let ns = nanoseconds(quick, || drop(black_box(verified.interpret(black_box(&block), &inputs))));
    row("reference interpreter", ns)?;
    Ok(())
}
