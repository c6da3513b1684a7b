//! The 99.9th percentile of a reader, alone and while another thread changes filters.

use std::collections::VecDeque;
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dpf_jit::{Filter, FilterId, Reader, SharedClassifier};

use super::table::{Row, Table};
use super::{capture, clock, rules};
use crate::error::Failure;

/// Changes a second.
const CHANGES: u32 = 10_000;
/// Changes that are made while packets are timed, each on its own.
const ALL_CHANGES: u32 = 10_000;
/// Packets that are timed at least, and at once.
const PACKETS: usize = 1_000_000;
/// Filters that come and go.
const COMING: usize = 1_000;

pub(super) fn run(table: &mut Table, data: &Path) -> Result<(), Failure> {
    let case = "reader-p999";
    if !table.wants(case) {
        return Ok(());
    }
    let filters: Result<Vec<Filter>, _> =
        rules::read(&data.join("flows_10000.tsv"))?.iter().map(rules::Rule::filter).collect();
    let filters = filters.map_err(dpf_jit::Error::from)?;
    let (staying, coming) = filters.split_at(filters.len() / 2);
    let shared = SharedClassifier::new()?;
    for filter in staying {
        shared.insert(filter.clone())?;
    }
    let frames = capture::read(&data.join("pkts_10000_hit.pcap"))?;
    let frames: Vec<&[u8]> = frames.iter().collect();
    let reader = shared.reader();
    let start = Instant::now();
    let quiet = percentile(&reader, &frames, || start.elapsed() > Duration::from_secs(1) * ALL_CHANGES / CHANGES);
    let done = AtomicU32::new(0);
    let start = Instant::now();
    let (disturbed, seconds) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let result = change(&shared, coming, &done);
            // After an error, too, so that the reader ends.
            done.store(ALL_CHANGES, Ordering::Relaxed);
            result
        });
        let disturbed = percentile(&reader, &frames, || done.load(Ordering::Relaxed) >= ALL_CHANGES);
        let seconds = start.elapsed().as_secs_f64();
        writer.join().expect("the writer does not panic").map(|()| (disturbed, seconds))
    })?;
    for (engine, cycles) in [("dpf-shared", quiet), ("dpf-changing", disturbed)] {
        let ratio = Some(cycles / quiet);
        table.push(Row { case: case.into(), n: staying.len(), hit: None, engine: engine.into(), cycles, ratio });
    }
    // Whether the writer has kept its pace.
    let (n, engine, cycles) = (staying.len(), "dpf-changing".into(), f64::from(ALL_CHANGES) / seconds);
    table.push(Row { case: "changes-per-s".into(), n, hit: None, engine, cycles, ratio: None });
    Ok(())
}

/// The 99.9th percentile of the cycles of one classification, the cost of reading the clock included.
fn percentile(reader: &Reader, frames: &[&[u8]], is_over: impl Fn() -> bool) -> f64 {
    // By cycles; the last is all that took longer.
    let mut counts = vec![0u64; 1 << 16];
    let mut all = 0;
    loop {
        for frame in frames.iter().cycle().take(PACKETS) {
            let start = clock::now();
            black_box(reader.classify(frame));
            let cycles = (clock::now() - start) as usize;
            let last = counts.len() - 1;
            counts[cycles.min(last)] += 1;
        }
        all += PACKETS as u64;
        if is_over() {
            break;
        }
    }
    let mut slower = all;
    let at = counts.iter().position(|count| {
        slower -= count;
        slower <= all / 1000
    });
    at.unwrap_or(0) as f64
}

/// Inserts and removes at an even pace.
fn change(shared: &SharedClassifier, filters: &[Filter], done: &AtomicU32) -> Result<(), dpf_jit::Error> {
    let start = Instant::now();
    let mut installed: VecDeque<FilterId> = VecDeque::new();
    let mut filters = filters.iter().cycle();
    for changes in 1..=ALL_CHANGES {
        while start.elapsed() < Duration::from_secs(1) * changes / CHANGES {
            std::thread::sleep(Duration::from_micros(20));
        }
        let oldest = if installed.len() >= COMING { installed.pop_front() } else { None };
        match (oldest, filters.next()) {
            (Some(id), _) => shared.remove(id)?,
            (None, Some(filter)) => installed.push_back(shared.insert(filter.clone())?),
            (None, None) => {}
        }
        done.store(changes, Ordering::Relaxed);
    }
    Ok(())
}
