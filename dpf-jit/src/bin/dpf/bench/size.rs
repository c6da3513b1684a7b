//! What filters take: memory by flow, and the time of an insertion that brings a new shape.

use std::hint::black_box;
use std::path::Path;

use dpf_jit::{Classifier, Filter, Verdict};

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

/// Cycles of one insertion of a filter of a new shape, and of its removal, where so many shapes are installed: the code of a section
/// is compiled again. And cycles of a packet that each of these has to look up, beside code in one piece.
pub(super) fn shapes(table: &mut Table) -> Result<(), Failure> {
    let cases = ["insert-shape", "remove-shape", "classify-shapes"];
    if !cases.iter().any(|case| table.wants(case)) {
        return Ok(());
    }
    for n in [1, 10, 30, 100] {
        let (mut classifier, mut whole) = (Classifier::new()?, Classifier::builder().section(usize::MAX).build()?);
        for number in 0..n {
            // Two of each, so that each shape has a table of its own.
            for port in [80, 81] {
                classifier.insert(shape(number, port)?)?;
                whole.insert(shape(number, port)?)?;
            }
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
        let frame = unmatched();
        let classified = |classifier: &Classifier| {
            let pass = |_| {
                let start = clock::now();
                let matches =
                    (0..PACKETS).filter(|_| classifier.classify(black_box(&frame)) != Verdict::NoMatch).count();
                assert_eq!(matches, 0, "no filter has the port");
                clock::now() - start
            };
            (0..ROUNDS).map(pass).min().map_or(0.0, |cycles| cycles as f64 / PACKETS as f64)
        };
        for (case, engine, cycles) in [
            (cases[0], "dpf", insert as f64),
            (cases[1], "dpf", remove as f64),
            (cases[2], "dpf", classified(&classifier)),
            (cases[2], "dpf-in-one", classified(&whole)),
        ] {
            table.push(Row { case: case.into(), n, hit: None, engine: engine.into(), cycles, ratio: None });
        }
    }
    Ok(())
}

/// Insertions of a new shape, and passes over packets, of which the fastest counts.
const ROUNDS: usize = 50;
/// Packets of a pass.
const PACKETS: usize = 256;

/// A packet of all prefixes, for another port.
fn unmatched() -> [u8; 64] {
    let mut frame = [0; 64];
    frame[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
    frame[23] = 6;
    frame[26..34].copy_from_slice(&[10, 1, 2, 3, 10, 3, 2, 1]);
    frame[36..38].copy_from_slice(&443u16.to_be_bytes());
    frame
}

/// A filter of prefixes whose lengths no other number has.
fn shape(number: usize, port: u16) -> Result<Filter, dpf_jit::Error> {
    let (src, dst) = (8 + (number % 25) as u8, 8 + (number / 25) as u8);
    let filter = Filter::builder().ipv4().tcp().src_v4([10, 1, 2, 3].into(), src).dst_v4([10, 3, 2, 1].into(), dst);
    Ok(filter.dst_port(port).build()?)
}
