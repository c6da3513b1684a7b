//! The 99.9th percentile of a reader, alone and while another thread changes filters.

use std::collections::VecDeque;
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dpf_jit::{Filter, FilterId, Reader, SharedClassifier};

use super::table::{Row, Table};
use super::{capture, clock, rules};
use crate::error::Failure;

/// Changes a second.
const CHANGES: u32 = 10_000;
/// Packets, each timed on its own.
const PACKETS: usize = 2_000_000;
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
    let quiet = percentile(&reader, &frames);
    let over = AtomicBool::new(false);
    let disturbed = std::thread::scope(|scope| {
        let writer = scope.spawn(|| change(&shared, coming, &over));
        let disturbed = percentile(&reader, &frames);
        over.store(true, Ordering::Relaxed);
        writer.join().expect("the writer does not panic").map(|()| disturbed)
    })?;
    for (engine, cycles) in [("dpf-shared", quiet), ("dpf-changing", disturbed)] {
        let ratio = Some(cycles / quiet);
        table.push(Row { case: case.into(), n: staying.len(), hit: None, engine: engine.into(), cycles, ratio });
    }
    Ok(())
}

/// The 99.9th percentile of the cycles of one classification, the cost of reading the clock included.
fn percentile(reader: &Reader, frames: &[&[u8]]) -> f64 {
    let mut cycles: Vec<u64> = frames
        .iter()
        .cycle()
        .take(PACKETS)
        .map(|frame| {
            let start = clock::now();
            black_box(reader.classify(frame));
            clock::now() - start
        })
        .collect();
    let at = cycles.len() / 1000 * 999;
    *cycles.select_nth_unstable(at).1 as f64
}

/// Inserts and removes at an even pace.
fn change(shared: &SharedClassifier, filters: &[Filter], over: &AtomicBool) -> Result<(), dpf_jit::Error> {
    let start = Instant::now();
    let mut installed: VecDeque<FilterId> = VecDeque::new();
    let mut filters = filters.iter().cycle();
    let mut changes = 0;
    while !over.load(Ordering::Relaxed) {
        if start.elapsed() < Duration::from_secs(1) / CHANGES * changes {
            std::thread::sleep(Duration::from_micros(20));
            continue;
        }
        changes += 1;
        match installed.pop_front() {
            Some(id) if installed.len() + 1 >= COMING => shared.remove(id)?,
            oldest => {
                if let Some(id) = oldest {
                    installed.push_front(id);
                }
                if let Some(filter) = filters.next() {
                    installed.push_back(shared.insert(filter.clone())?);
                }
            }
        }
    }
    Ok(())
}
