//! Memory by flow, as the system counts it.

use dpf_jit::{Classifier, Filter};

const FLOWS: u32 = 10_000;
/// Classifiers that are measured together, so that what else the process takes counts for little.
const COPIES: usize = 4;
/// Bytes.
const LIMIT: usize = 200;

/// Bytes of physical memory that the process takes, where the system tells.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<usize>().ok()? * 1024)
}

fn classifier() -> Classifier {
    let mut classifier = Classifier::new().unwrap();
    for n in 0..FLOWS {
        let filter = Filter::builder().ipv4().tcp().src_v4((0x0a00_0000 | n).into(), 32);
        let filter = filter.dst_v4([10, 0, 0, 1].into(), 32).src_port(n as u16).dst_port(80);
        let _id = classifier.insert(filter.build().unwrap()).unwrap();
    }
    classifier
}

#[test]
fn a_flow_takes_less_than_200_bytes() {
    // What the process takes once goes with the first.
    let mut classifiers = vec![classifier()];
    let Some(before) = resident() else {
        println!("skipped: the system does not tell what memory the process takes");
        return;
    };
    classifiers.extend((0..COPIES).map(|_| classifier()));
    let bytes = resident().unwrap() - before;
    let each = bytes / (COPIES * FLOWS as usize);
    println!("{each} bytes a flow");
    // The keys alone take 12: less would mean that nothing was counted.
    assert!((12..LIMIT).contains(&each), "{each} bytes a flow");
    assert!(classifiers.iter().all(|classifier| classifier.len() == FLOWS as usize));
}
