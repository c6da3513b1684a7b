//! Every candidate under criterion: `compile/W2/floor-calls`, `run/W2/floor-calls`, and
//! `run/W2/generic-rust`.

use std::time::{Duration, Instant};

use benches::candidates::all;
use benches::workloads::Workload;
use criterion::{Criterion, criterion_group, criterion_main};

/// Functions alive at once, so that one reading of the clock is spread over many.
const BATCH: u32 = 256;

fn compile(c: &mut Criterion) {
    for mut candidate in all() {
        let id = format!("{}/{}", candidate.workload().name(), candidate.tier());
        c.benchmark_group("compile").bench_function(id, |b| {
            b.iter_custom(|times| {
                let mut spent = Duration::ZERO;
                let mut left = times;
                while left > 0 {
                    let batch = left.min(BATCH.into()) as u32;
                    let start = Instant::now();
                    candidate.compile(batch);
                    spent += start.elapsed();
                    candidate.retire();
                    left -= u64::from(batch);
                }
                spent
            });
        });
    }
}

fn run(c: &mut Criterion) {
    for mut candidate in all() {
        let id = format!("{}/{}", candidate.workload().name(), candidate.tier());
        let program = candidate.program().expect("a program");
        program.check().expect("the right answer");
        bench_program(c, id, |calls| program.run(calls));
    }
    for workload in Workload::ALL {
        let baseline = workload.baseline();
        let id = format!("{}/generic-rust", workload.name());
        bench_program(c, id, |calls| baseline.run(calls));
    }
}

fn bench_program(c: &mut Criterion, id: String, run: impl Fn(u32)) {
    c.benchmark_group("run").bench_function(id, |b| {
        b.iter_custom(|calls| {
            let start = Instant::now();
            run(u32::try_from(calls).unwrap_or(u32::MAX));
            start.elapsed()
        });
    });
}

criterion_group! {
    name = workloads;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    targets = compile, run
}
criterion_main!(workloads);
