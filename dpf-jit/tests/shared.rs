//! Readers and a writer at the same time: every verdict is that of the filters before or after some change that went on
//! meanwhile.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dpf_jit::{Classifier, DEFAULT_SECTION, Filter, FilterId, Naive, SharedClassifier, Verdict};

/// What a reader saw: the changes done before, and begun after, it classified a packet.
struct Seen {
    packet: usize,
    done: usize,
    begun: usize,
    verdict: Verdict,
}

/// Filters of several shapes that overlap on the packets: different groups, prefixes, priorities.
fn universe() -> Vec<Filter> {
    let mut filters = Vec::new();
    for value in 0..12u8 {
        let b = || Filter::builder();
        filters.push(b().eq_u8(0, value % 4).eq_u8(1, value).build());
        filters.push(b().eq_u8(1, value).build());
        filters.push(b().eq_u8(2, value % 3).masked_u8(3, 1, value & 1).priority(i32::from(value % 3)).build());
        filters.push(b().range_u8(0, value..=value + 2).build());
        filters.push(b().eq_u8(0, value).shift(4, 3, 0).eq_u8(5, value % 2).build());
        filters.push(b().eq_bytes(0, &[value % 4, value, 0, 0]).eq_u64(8, 0).eq_u64(16, value.into()).build());
    }
    let mut distinct: Vec<Filter> = Vec::new();
    for filter in filters.into_iter().flatten() {
        if distinct.iter().all(|other| other.atoms() != filter.atoms()) {
            distinct.push(filter);
        }
    }
    distinct
}

fn packets() -> Vec<Vec<u8>> {
    (0..16u8).map(|n| (0..24u8).map(|at| if at < 6 { n.wrapping_mul(at + 3) % 4 } else { 0 }).collect()).collect()
}

/// A fixed pseudo-random sequence.
fn next(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize
}

#[test]
fn verdicts_are_of_before_or_after_a_change() {
    change_under_readers(DEFAULT_SECTION);
}

/// What a change does to the sections that stay is seen at once.
#[test]
fn verdicts_of_sections_are_of_before_or_after_a_change() {
    change_under_readers(2);
}

fn change_under_readers(section: usize) {
    let changes: usize = std::env::var("DPF_CHANGES").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000);
    let (filters, packets) = (universe(), packets());
    let shared = Classifier::builder().section(section).build_shared().unwrap();
    let (done, begun, over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let mut naive = Naive::new();
    let mut expected: Vec<Vec<Verdict>> = vec![packets.iter().map(|packet| naive.classify(packet)).collect()];

    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|number| {
                let (packets, done, begun, over) = (&packets, &done, &begun, &over);
                // One reads by a handle, the other through the classifier itself.
                let (reader, shared) = (shared.reader(), shared.clone());
                scope.spawn(move || {
                    let mut seen = Vec::new();
                    while !over.load(Ordering::SeqCst) && seen.len() < 2_000_000 {
                        for (at, packet) in packets.iter().enumerate() {
                            let before = done.load(Ordering::SeqCst);
                            let verdict = if number == 0 { reader.classify(packet) } else { shared.classify(packet) };
                            let after = begun.load(Ordering::SeqCst);
                            seen.push(Seen { packet: at, done: before, begun: after, verdict });
                        }
                    }
                    seen
                })
            })
            .collect();
        let mut installed: Vec<Option<FilterId>> = vec![None; filters.len()];
        let mut seed = 7;
        for change in 1..=changes {
            let at = next(&mut seed) % filters.len();
            begun.store(change, Ordering::SeqCst);
            match installed[at].take() {
                Some(id) => {
                    shared.remove(id).unwrap();
                    assert!(naive.remove(id));
                }
                None => {
                    let id = shared.insert(filters[at].clone()).unwrap();
                    naive.insert(id, filters[at].clone());
                    installed[at] = Some(id);
                }
            }
            done.store(change, Ordering::SeqCst);
            expected.push(packets.iter().map(|packet| naive.classify(packet)).collect());
        }
        over.store(true, Ordering::SeqCst);
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    });

    assert!(!seen.is_empty());
    for Seen { packet, done, begun, verdict } in seen {
        let fits = expected[done..=begun].iter().any(|verdicts| verdicts[packet] == verdict);
        assert!(fits, "packet {packet} between changes {done} and {begun}: {verdict:?}");
    }
    for (packet, verdict) in packets.iter().zip(expected.last().unwrap()) {
        assert_eq!(shared.classify(packet), *verdict);
    }
}

#[test]
fn flows_come_and_go_under_a_reader() {
    let shared = SharedClassifier::new().unwrap();
    let flow = |n: u32| Filter::builder().eq_u16(12, 0x0800).eq_u32(26, n).eq_u16(34, n as u16).build().unwrap();
    let frame = |n: u32| {
        let mut frame = [0; 60];
        frame[12] = 0x08;
        frame[26..30].copy_from_slice(&n.to_be_bytes());
        frame[34..36].copy_from_slice(&(n as u16).to_be_bytes());
        frame
    };
    let staying: Vec<FilterId> = (0..500).map(|n| shared.insert(flow(n)).unwrap()).collect();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (reader, over, staying) = (shared.reader(), &over, &staying);
        let checked = scope.spawn(move || {
            let mut checked = 0u64;
            while !over.load(Ordering::Relaxed) || checked == 0 {
                for (n, id) in (0u32..).zip(staying) {
                    assert_eq!(reader.classify(&frame(n)), Verdict::Match(*id));
                    checked += 1;
                }
            }
            checked
        });
        // Tables grow and shrink meanwhile, and records are used again.
        for round in 0..4u32 {
            let ids: Vec<FilterId> =
                (0..2000).map(|n| shared.insert(flow(1_000_000 + round * 10_000 + n)).unwrap()).collect();
            for id in ids {
                shared.remove(id).unwrap();
            }
        }
        over.store(true, Ordering::Relaxed);
        assert!(checked.join().unwrap() > 0);
    });
    assert_eq!(shared.len(), 500);
}

#[test]
fn a_reader_outlives_the_classifier() {
    let shared = SharedClassifier::new().unwrap();
    let id = shared.insert(Filter::builder().eq_u8(0, 1).build().unwrap()).unwrap();
    let reader = shared.reader();
    drop(shared);
    assert_eq!(std::thread::spawn(move || reader.classify(&[1])).join().unwrap(), Verdict::Match(id));
}

#[test]
fn what_threads_share_and_send() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<SharedClassifier>();
    shared::<dpf_jit::Classifier>();
    sent::<dpf_jit::Reader>();
}
