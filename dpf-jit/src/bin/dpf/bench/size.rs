//! What filters take: memory by flow, and the time of an insertion that brings a new shape.

use std::path::Path;

use dpf_jit::{Classifier, Filter};

use super::table::{Row, Table};
use super::yardsticks::Demux;
use super::{clock, rules};
use crate::error::Failure;

/// Classifiers that are measured together, so that what the process takes beside them counts for little.
const COPIES: usize = 16;

/// Bytes of memory that the process takes by flow: what the system says before and after.
pub(super) fn memory(table: &mut Table, data: &Path) -> Result<(), Failure> {
    let case = "bytes-per-flow";
    if !table.wants(case) || resident().is_none() {
        return Ok(());
    }
    let rules = rules::read(&data.join("flows_10000.tsv"))?;
    let filters: Result<Vec<Filter>, _> = rules.iter().map(rules::Rule::filter).collect();
    let filters = filters.map_err(dpf_jit::Error::from)?;
    let flows = (COPIES * rules.len()) as f64;
    let before = resident().unwrap_or(0);
    let by_hand: Vec<Demux> = (0..COPIES).map(|_| Demux::new(&rules)).collect();
    let between = resident().unwrap_or(0);
    let mut classifiers = Vec::new();
    for _ in 0..COPIES {
        let mut classifier = Classifier::new()?;
        for filter in &filters {
            classifier.insert(filter.clone())?;
        }
        classifiers.push(classifier);
    }
    let after = resident().unwrap_or(0);
    drop((by_hand, classifiers));
    let (hand, ours) = ((between - before) as f64 / flows, (after - between) as f64 / flows);
    for (engine, bytes) in [("handwritten", hand), ("dpf", ours)] {
        let ratio = Some(bytes / hand);
        table.push(Row { case: case.into(), n: rules.len(), hit: None, engine: engine.into(), cycles: bytes, ratio });
    }
    Ok(())
}

/// Bytes of physical memory that the process takes, where the system tells.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<usize>().ok()? * 1024)
}

/// Cycles of one insertion of a filter of a new shape, and of its removal, where so many shapes are installed: the code is
/// compiled again.
pub(super) fn shapes(table: &mut Table) -> Result<(), Failure> {
    let case = "insert-shape";
    if !table.wants(case) {
        return Ok(());
    }
    for n in [1, 10, 30, 100] {
        let mut classifier = Classifier::new()?;
        for number in 0..n {
            // Two of each, so that each shape has a table of its own.
            classifier.insert(shape(number, 80)?)?;
            classifier.insert(shape(number, 81)?)?;
        }
        let (mut insert, mut remove) = (u64::MAX, u64::MAX);
        for _ in 0..ROUNDS {
            let filter = shape(n, 80)?;
            let start = clock::now();
            let id = classifier.insert(filter)?;
            let between = clock::now();
            classifier.remove(id)?;
            insert = insert.min(between - start);
            remove = remove.min(clock::now() - between);
        }
        for (case, cycles) in [(case, insert), ("remove-shape", remove)] {
            let row = Row { case: case.into(), n, hit: None, engine: "dpf".into(), cycles: cycles as f64, ratio: None };
            table.push(row);
        }
    }
    Ok(())
}

/// Insertions of a new shape, of which the fastest counts.
const ROUNDS: usize = 50;

/// A filter of prefixes whose lengths no other number has.
fn shape(number: usize, port: u16) -> Result<Filter, dpf_jit::Error> {
    let (src, dst) = (8 + (number % 25) as u8, 8 + (number / 25) as u8);
    let filter = Filter::builder().ipv4().tcp().src_v4([10, 1, 2, 3].into(), src).dst_v4([10, 3, 2, 1].into(), dst);
    Ok(filter.dst_port(port).build()?)
}
