//! Chains of IPv4 fragments, head first, against a hand-written table of heads.

use std::cell::RefCell;

use dpf_jit::{Classifier, Filter, Verdict};

use super::yardsticks::{FragmentTable, NONE};
use super::{Engine, Table, answer};
use crate::error::Failure;

/// Endpoints, by UDP port.
const PORTS: u16 = 100;
/// Datagrams in a pass, and fragments of each.
const DATAGRAMS: u32 = 1000;
const FRAGMENTS: u16 = 4;
/// Seconds that heads are remembered.
const LIFE: u32 = 10;

pub(super) fn run(table: &mut Table) -> Result<(), Failure> {
    for (case, fresh) in [("fragments", false), ("fragments-fresh", true)] {
        if table.wants(case) {
            chains(table, case, fresh)?;
        }
    }
    Ok(())
}

/// The same chains in each pass, or a thousand new ones in each, with the clock a second further: the classifier forgets heads
/// after ten seconds, the table by hand all of them every ten seconds.
fn chains(table: &mut Table, case: &str, fresh: bool) -> Result<(), Failure> {
    let mut classifier = Classifier::new()?;
    let mut ids = Vec::new();
    let mut install = |filter: dpf_jit::FilterBuilder, endpoint: u32| -> Result<(), Failure> {
        let id = classifier.insert(filter.build().map_err(dpf_jit::Error::from)?)?;
        ids.resize(ids.len().max(id.index() + 1), NONE);
        ids[id.index()] = endpoint;
        Ok(())
    };
    let ports: Vec<u16> = (0..PORTS).map(|port| 5000 + port).collect();
    for (endpoint, port) in (0u32..).zip(&ports) {
        install(Filter::builder().ipv4().udp().first_fragment(endpoint).dst_port(*port), endpoint)?;
        install(Filter::builder().ipv4().udp().later_fragment(endpoint), endpoint)?;
        // Whole datagrams: no more fragments.
        install(Filter::builder().ipv4().udp().masked_u16(20, 0x2000, 0).dst_port(*port), endpoint)?;
    }
    let heads = RefCell::new(FragmentTable::new(&ports));
    let number = usize::from(FRAGMENTS) * DATAGRAMS as usize;
    let frames = RefCell::new(vec![[0; 60]; number]);
    let mut second = 0;
    let mut prepare = || {
        let first = if fresh { second * DATAGRAMS } else { 0 };
        if fresh || second == 0 {
            for (at, one) in (0..).zip(frames.borrow_mut().iter_mut()) {
                *one = frame(first + at / u32::from(FRAGMENTS), (at % u32::from(FRAGMENTS)) as u16);
            }
        }
        if fresh {
            classifier.set_time(second.into());
        }
        if !fresh || second.is_multiple_of(LIFE) {
            heads.borrow_mut().clear();
        }
        second += 1;
    };
    let pass = |classify: &mut dyn FnMut(&[[u8; 60]]) -> u64| classify(&frames.borrow());
    let engines: Vec<Engine<'_>> = vec![
        (
            "handwritten",
            Box::new(|| {
                let heads = &mut *heads.borrow_mut();
                pass(&mut |frames| frames.iter().map(|f| u64::from(heads.classify(f))).sum())
            }),
        ),
        (
            "dpf",
            Box::new(|| {
                pass(&mut |frames| frames.iter().map(|f| u64::from(answer(&ids, classifier.classify(f)))).sum())
            }),
        ),
    ];
    prepare();
    if let Some(frame) =
        frames.borrow().iter().find(|frame| !matches!(classifier.classify(&frame[..]), Verdict::Match(_)))
    {
        return Err(Failure::Wrong(format!("the fragment {frame:?} is of no endpoint")));
    }
    table.measure_prepared(case, usize::from(PORTS), None, number, prepare, engines)
}

/// A fragment of a UDP datagram; the first is the head.
fn frame(datagram: u32, fragment: u16) -> [u8; 60] {
    let mut frame = [0; 60];
    frame[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
    frame[18..20].copy_from_slice(&(datagram as u16).to_be_bytes());
    let more = if fragment + 1 < FRAGMENTS { 0x2000 } else { 0 };
    frame[20..22].copy_from_slice(&(more | (fragment * 3)).to_be_bytes());
    frame[23] = 17;
    frame[26..30].copy_from_slice(&(0x0a00_0000 | datagram.wrapping_mul(0x9e37_79b9) >> 8).to_be_bytes());
    frame[30..34].copy_from_slice(&[10, 255, 0, 1]);
    if fragment == 0 {
        frame[36..38].copy_from_slice(&(5000 + (datagram.wrapping_mul(7919) % u32::from(PORTS)) as u16).to_be_bytes());
    }
    frame
}
