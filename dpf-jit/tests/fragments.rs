//! Chains of fragments: in any order, duplicated, overlapping, without head; bounded in time and space.

use std::time::Duration;

use dpf_jit::{Classifier, Classify, Filter, FilterId, FragmentServer, Limits, SharedClassifier, Verdict};
use tickc::Tier;

const SECOND: Duration = Duration::from_secs(1);

/// A fragment of 24 bytes at `offset` (in units of 8 bytes) of datagram `id`; the head has the port.
fn fragment(id: u16, offset: u16, more: bool, port: u16) -> Vec<u8> {
    let mut frame = vec![0; 60];
    frame[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
    frame[18..20].copy_from_slice(&id.to_be_bytes());
    frame[20..22].copy_from_slice(&(offset | if more { 0x2000 } else { 0 }).to_be_bytes());
    frame[23] = 17;
    frame[26..34].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
    if offset == 0 {
        frame[36..38].copy_from_slice(&port.to_be_bytes());
    }
    frame
}

fn filters(channel: u32, port: u16) -> [Filter; 3] {
    let udp = || Filter::builder().ipv4().udp();
    [
        udp().first_fragment(channel).dst_port(port).build().unwrap(),
        udp().later_fragment(channel).build().unwrap(),
        udp().dst_port(port).build().unwrap(),
    ]
}

/// The verdict of each packet, in the order of delivery.
fn deliver(
    server: &mut FragmentServer,
    classifier: &impl Classify,
    frames: &[Vec<u8>],
    now: Duration,
) -> Vec<(Vec<u8>, Option<FilterId>)> {
    let mut delivered = Vec::new();
    for frame in frames {
        server.classify(classifier, frame, now, |frame, verdict| delivered.push((frame.to_vec(), verdict.id())));
    }
    delivered
}

#[test]
fn every_order_of_a_chain_is_delivered_whole() {
    let mut classifier = Classifier::new().unwrap();
    let mut ids = Vec::new();
    for (channel, port) in [(1, 53), (2, 54)] {
        ids.push(filters(channel, port).map(|filter| classifier.insert(filter).unwrap()));
    }
    let mut datagram = 0;
    for order in permutations(4) {
        for (endpoint, port) in [(0, 53), (1, 54)] {
            datagram += 1;
            let chain: Vec<_> = (0..4).map(|n| fragment(datagram, 3 * n, n < 3, port)).collect();
            let mut server = FragmentServer::new(Limits::default());
            let shuffled: Vec<_> = order.iter().map(|&n| chain[n].clone()).collect();
            let mut delivered = deliver(&mut server, &classifier, &shuffled, SECOND);
            assert_eq!(server.parked(), 0);
            delivered.sort();
            let mut expected: Vec<_> = chain.into_iter().map(|frame| (frame, Some(ids[endpoint][1]))).collect();
            expected[0].1 = Some(ids[endpoint][0]);
            expected.sort();
            assert_eq!(delivered, expected, "order {order:?}");
        }
    }
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    permutations(n - 1)
        .into_iter()
        .flat_map(|rest| {
            (0..n).map(move |at| {
                let mut one = rest.clone();
                one.insert(at, n - 1);
                one
            })
        })
        .collect()
}

#[test]
fn duplicates_and_overlaps_are_delivered_as_they_come() {
    let shared = SharedClassifier::new().unwrap();
    let [_, later, _] = filters(1, 53).map(|filter| shared.insert(filter).unwrap());
    let (head, tail, overlap) = (fragment(7, 0, true, 53), fragment(7, 3, false, 0), fragment(7, 2, false, 0));
    let mut server = FragmentServer::new(Limits::default());
    let early = deliver(&mut server, &shared, &[tail.clone(), tail.clone(), overlap.clone()], SECOND);
    assert!(early.is_empty() && server.parked() == 3 && server.parked_bytes() == 180);
    let delivered = deliver(&mut server, &shared, &[head.clone(), head, overlap, tail], SECOND);
    assert_eq!(delivered.len(), 7);
    assert_eq!(delivered.iter().filter(|(_, id)| *id == Some(later)).count(), 5);
    assert_eq!((server.parked(), server.parked_bytes(), server.dropped()), (0, 0, 0));
}

#[test]
fn a_head_that_is_of_no_endpoint_releases_nothing() {
    let mut classifier = Classifier::new().unwrap();
    let _ids = filters(1, 53).map(|filter| classifier.insert(filter).unwrap());
    let mut server = FragmentServer::new(Limits::default());
    let frames = [fragment(1, 3, false, 0), fragment(1, 0, true, 99)];
    let delivered = deliver(&mut server, &classifier, &frames, SECOND);
    assert_eq!(delivered, [(frames[1].clone(), None)]);
    assert_eq!(server.parked(), 1);
    server.expire(SECOND * 11);
    assert_eq!((server.parked(), server.dropped()), (0, 1));
}

#[test]
fn what_was_recorded_is_forgotten_in_time() {
    let mut classifier = Classifier::new().unwrap();
    let [first, later, _] = filters(1, 53).map(|filter| classifier.insert(filter).unwrap());
    classifier.set_time(100);
    assert_eq!(classifier.classify(&fragment(1, 0, true, 53)), Verdict::Match(first));
    classifier.set_time(110);
    assert_eq!(classifier.classify(&fragment(1, 3, false, 0)), Verdict::Match(later));
    classifier.set_time(111);
    assert!(matches!(classifier.classify(&fragment(1, 3, false, 0)), Verdict::Park(_)));
    assert!(matches!(classifier.interpret(&fragment(1, 3, false, 0)), Verdict::Park(_)));
}

#[test]
fn as_many_heads_are_remembered_as_there_is_room_for() {
    for (tier, keys) in [(Tier::LinearScan, 128), (Tier::OnePass, 4), (Tier::Interp, 0)] {
        let mut classifier = Classifier::builder().tier(tier).recorded(keys).build().unwrap();
        let [first, later, _] = filters(1, 53).map(|filter| classifier.insert(filter).unwrap());
        // The tail of each finds its head, whatever came before it.
        for id in 0..5000 {
            assert_eq!(classifier.classify(&fragment(id, 0, true, 53)), Verdict::Match(first));
            assert_eq!(classifier.classify(&fragment(id, 3, false, 0)), Verdict::Match(later));
        }
        let found = |id: &u16| classifier.classify(&fragment(*id, 3, false, 0)) == Verdict::Match(later);
        let remembered = (0..5000).filter(found).count();
        // No more than that; nearly all pairs have had two heads at least.
        let room = keys.max(4);
        assert!((room / 4..=room).contains(&remembered), "{tier:?}: {remembered} of {room}");
    }
}

#[test]
fn fragments_without_head_leave_memory_bounded() {
    let count: u32 = std::env::var("DPF_HEADLESS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let mut classifier = Classifier::new().unwrap();
    let _ids = filters(1, 53).map(|filter| classifier.insert(filter).unwrap());
    let limits = Limits { packets: 500, bytes: 20_000, time: SECOND * 10 };
    let mut server = FragmentServer::new(limits);
    for n in 0..count {
        let mut frame = fragment(n as u16, 3, true, 0);
        frame[26..30].copy_from_slice(&n.to_be_bytes());
        server.classify(&classifier, &frame, Duration::from_millis(n.into()), |_, _| panic!("it has no head"));
        assert!(server.parked() <= 500 && server.parked_bytes() <= 20_000);
    }
    assert_eq!(server.dropped() + server.parked() as u64, count.into());
    server.expire(Duration::from_millis(count.into()) + SECOND * 10);
    assert_eq!(server.parked_bytes(), 0);
    // Heads without number are bounded, too: those of the oldest datagrams are forgotten.
    for n in 0..count {
        let mut frame = fragment(n as u16, 0, true, 53);
        frame[26..30].copy_from_slice(&n.to_be_bytes());
        assert!(matches!(classifier.classify(&frame), Verdict::Match(_)));
    }
}

#[test]
fn a_packet_larger_than_all_room_is_dropped() {
    let mut classifier = Classifier::new().unwrap();
    let _ids = filters(1, 53).map(|filter| classifier.insert(filter).unwrap());
    let mut server = FragmentServer::new(Limits { packets: 10, bytes: 59, time: SECOND });
    let delivered = deliver(&mut server, &classifier, &[fragment(1, 3, false, 0)], SECOND);
    assert!(delivered.is_empty());
    assert_eq!((server.parked(), server.dropped()), (0, 1));
}
