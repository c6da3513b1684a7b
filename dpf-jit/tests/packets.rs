//! Whole frames: flows in great number, every truncation of every sample, IPv6 addresses, what the rules of the samples say.

#![allow(unsafe_code, reason = "one test takes the right to read a page away")]

use std::net::Ipv6Addr;
use std::path::Path;

use dpf_jit::{Classifier, Error, Filter, FilterBuilder, FilterId, Naive, Verdict};
use tickc::Tier;

/// The frames of a little-endian pcap file.
fn frames(file: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(file).unwrap();
    let mut rest = &bytes[24..];
    let mut frames = Vec::new();
    while rest.len() >= 16 {
        let len = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let Some(frame) = rest.get(16..16 + len) else { break };
        frames.push(frame.to_vec());
        rest = &rest[16 + len..];
    }
    frames
}

fn tcp_flow(n: u32) -> Filter {
    let [a, b, c, d] = n.wrapping_mul(0x9e37_79b9).to_be_bytes();
    Filter::builder()
        .ipv4()
        .src_v4([10, a, b, c].into(), 32)
        .dst_v4([192, 168, d, 1].into(), 32)
        .tcp()
        .src_port(n as u16)
        .dst_port(80 + (n % 7) as u16)
        .build()
        .unwrap()
}

fn tcp_frame(n: u32, words: u8) -> Vec<u8> {
    let [a, b, c, d] = n.wrapping_mul(0x9e37_79b9).to_be_bytes();
    let mut frame = vec![0; 100];
    frame[12..15].copy_from_slice(&[0x08, 0x00, 0x40 | words]);
    frame[23] = 6;
    frame[26..34].copy_from_slice(&[10, a, b, c, 192, 168, d, 1]);
    let ports = 14 + 4 * usize::from(words);
    frame[ports..ports + 2].copy_from_slice(&(n as u16).to_be_bytes());
    frame[ports + 2..ports + 4].copy_from_slice(&(80 + (n % 7) as u16).to_be_bytes());
    frame
}

#[test]
fn ten_thousand_flows_come_and_go() {
    let mut c = Classifier::new().unwrap();
    let mut ids: Vec<Option<FilterId>> = Vec::new();
    for n in 0..10_000 {
        ids.push(Some(c.insert(tcp_flow(n)).unwrap()));
        assert_eq!(c.classify(&tcp_frame(n, 5)), Verdict::Match(ids[n as usize].unwrap()));
        assert_eq!(c.classify(&tcp_frame(n + 1_000_000, 5)), Verdict::NoMatch);
    }
    for n in 0..10_000 {
        assert_eq!(c.classify(&tcp_frame(n, 6 + (n % 10) as u8)).id(), ids[n as usize]);
        assert!(matches!(c.insert(tcp_flow(n)), Err(Error::Identical { id }) if Some(id) == ids[n as usize]));
    }
    let frames: Vec<Vec<u8>> = (0..100).map(|n| tcp_frame(n * 101, 5)).collect();
    let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    let mut verdicts = vec![Verdict::NoMatch; 100];
    c.classify_batch(&frames, &mut verdicts);
    assert!(frames.iter().zip(&verdicts).all(|(frame, verdict)| c.classify(frame) == *verdict));
    for n in (0..10_000).step_by(2) {
        c.remove(ids[n].take().unwrap()).unwrap();
    }
    for n in 0..10_000 {
        assert_eq!(c.classify(&tcp_frame(n, 5)).id(), ids[n as usize]);
    }
    for id in ids.into_iter().flatten() {
        c.remove(id).unwrap();
    }
    assert!(c.is_empty());
    assert_eq!(c.classify(&tcp_frame(1, 5)), Verdict::NoMatch);
}

#[test]
fn every_truncation_of_every_sample() {
    let mut both = (Classifier::new().unwrap(), Naive::new());
    let mut install = |filter: Result<Filter, dpf_jit::FilterError>| {
        let filter = filter.unwrap();
        let id = both.0.insert(filter.clone()).unwrap();
        both.1.insert(id, filter);
    };
    let b = Filter::builder;
    install(b().ipv4().tcp().dst_port(80).build());
    install(b().ipv4().tcp().src_ports(1000..=40_000).build());
    install(b().ipv4().src_v4([10, 0, 0, 0].into(), 8).build());
    install(b().ipv4().udp().first_fragment(1).dst_ports(0..=u16::MAX).build());
    install(b().ipv4().udp().later_fragment(1).build());
    install(b().ipv6().udp().dst_port(53).build());
    install(b().ipv6().src_v6("2001:db8::".parse().unwrap(), 32).tcp().dst_ports(1..=1023).build());
    install(b().vlan(5).ipv4().udp().build());
    install(b().eq_u16(12, 0x0806).build());
    // A base beyond any packet.
    install(b().shift_u32(26, u32::MAX, 16).eq_u8(0, 0).build());
    install(b().shift_u16(16, u16::MAX, 0).eq_bytes(0, &[0; 16]).build());
    let (classifier, mut naive) = both;

    let mut samples = frames(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mixed_100.pcap"));
    assert_eq!(samples.len(), 64);
    let captures = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/packets/captures"));
    if captures.is_dir() {
        for name in ["pf_v4.pcap", "pf_v6.pcap", "td_802.1ad_QinQ.pcap", "lp_geneve.pcap", "lp_vxlan.pcap"] {
            samples.extend(frames(&captures.join(name)).into_iter().take(40));
        }
    } else {
        println!("skipped: the shared captures are not there");
    }
    for sample in &samples {
        for len in 0..=sample.len().min(200) {
            // A copy that ends where its memory does.
            let frame: Box<[u8]> = sample[..len].into();
            let expected = naive.classify(&frame);
            assert_eq!(classifier.interpret(&frame), expected, "interpreted {frame:?}");
            let expected = naive.classify(&frame);
            assert_eq!(classifier.classify(&frame), expected, "compiled {frame:?}");
        }
    }
}

#[test]
fn packets_at_the_end_of_memory() {
    let mut classifier = Classifier::new().unwrap();
    for n in 0..20 {
        classifier.insert(tcp_flow(n)).unwrap();
        classifier.insert(Filter::builder().eq_bytes(n as usize, &[7; 13]).build().unwrap()).unwrap();
    }
    let page = 4096;
    let mut map = memmap2::MmapMut::map_anon(2 * page).unwrap();
    map[..page].fill(7);
    map[page - 100..page].copy_from_slice(&tcp_frame(3, 5));
    // SAFETY: the second page is ours, and is not used any more.
    let protected = unsafe { libc::mprotect(map.as_mut_ptr().add(page).cast(), page, libc::PROT_NONE) };
    assert_eq!(protected, 0, "reading behind the first page now ends the test");
    for from in page - 100..=page {
        let frame = &map[from..page];
        assert_eq!(classifier.classify(frame), classifier.interpret(frame));
    }
    assert!(classifier.classify(&map[page - 100..page]).id().is_some());
}

#[test]
fn ipv6_addresses_take_several_keys() {
    let host = |n: u16| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, n / 16, n % 16);
    let flow = |n: u16, port: u16| {
        let builder = Filter::builder().ipv6().src_v6(host(n), 128).dst_v6(host(1000 - n), 128).tcp();
        builder.src_port(port).dst_port(n).build().unwrap()
    };
    let frame = |n: u16, port: u16| {
        let mut frame = vec![0; 60];
        frame[12..15].copy_from_slice(&[0x86, 0xdd, 0x60]);
        frame[20] = 6;
        frame[22..38].copy_from_slice(&host(n).octets());
        frame[38..54].copy_from_slice(&host(1000 - n).octets());
        frame[54..56].copy_from_slice(&port.to_be_bytes());
        frame[56..58].copy_from_slice(&n.to_be_bytes());
        frame
    };
    let mut c = Classifier::new().unwrap();
    let mut ids = Vec::new();
    for n in 0..300 {
        for port in 1..4 {
            ids.push((n, port, c.insert(flow(n, port)).unwrap()));
        }
    }
    for &(n, port, id) in &ids {
        assert_eq!(c.classify(&frame(n, port)), Verdict::Match(id));
        assert_eq!(c.interpret(&frame(n, port)), Verdict::Match(id));
        assert_eq!(c.classify(&frame(n, port + 3)), Verdict::NoMatch);
    }
    for (n, port, id) in ids {
        c.remove(id).unwrap();
        assert_eq!(c.classify(&frame(n, port)), Verdict::NoMatch);
    }
}

#[test]
fn a_full_classifier_says_so_and_goes_on() {
    let mut c = Classifier::builder().capacity(700).build().unwrap();
    let mut ids = Vec::new();
    let error = loop {
        match c.insert(tcp_flow(ids.len() as u32)) {
            Ok(id) => ids.push(id),
            Err(error) => break error,
        }
        assert!(ids.len() <= 700);
    };
    assert!(matches!(error, Error::Full { capacity: 700 }), "{error}");
    assert!(ids.len() >= 600, "full with {}", ids.len());
    assert_eq!(c.len(), ids.len());
    let last = ids.pop().unwrap();
    c.remove(last).unwrap();
    ids.push(c.insert(tcp_flow(5000)).unwrap());
    assert_eq!(c.classify(&tcp_frame(5000, 5)).id(), ids.last().copied());
    assert_eq!(c.classify(&tcp_frame(0, 5)).id(), Some(ids[0]));
}

#[test]
fn dispatches_that_leave_no_number_out_and_some_that_do() {
    let b = Filter::builder;
    // Each with another byte behind it, so that they are of different shapes, told apart by a dispatch.
    let sets: [Vec<FilterBuilder>; 5] = [
        vec![b().masked_u8(0, 3, 0), b().masked_range_u8(0, 3, 1..=3)],
        vec![b().masked_u8(0, 3, 0), b().masked_range_u8(0, 3, 2..=3)],
        vec![b().masked_u8(0, 6, 0), b().masked_u8(0, 6, 2), b().masked_u8(0, 6, 4), b().masked_u8(0, 6, 6)],
        vec![b().masked_u8(0, 3, 0), b().masked_u8(0, 3, 1), b().masked_u8(0, 3, 2), b().masked_u8(0, 3, 3)],
        vec![b().range_u8(0, 0..=99), b().range_u8(0, 100..=255)],
    ];
    for set in sets {
        for tier in [Tier::LinearScan, Tier::OnePass, Tier::Interp] {
            let mut classifier = Classifier::builder().tier(tier).build().unwrap();
            let mut naive = Naive::new();
            for (number, filter) in set.iter().enumerate() {
                let filter = filter.clone().eq_u8(number + 1, 7).build().unwrap();
                naive.insert(classifier.insert(filter.clone()).unwrap(), filter);
            }
            for first in 0..=255 {
                for packet in [[first, 7, 7, 7, 7], [first, 7, 0, 0, 0], [first, 0, 7, 7, 0], [first, 0, 0, 0, 7]] {
                    assert_eq!(classifier.classify(&packet), naive.classify(&packet), "{tier:?}, {packet:?}, {set:?}");
                }
            }
        }
    }
}

#[test]
fn dispatches_of_many_numbers() {
    let b = Filter::builder;
    let one = |value| (b().eq_u8(0, value), value);
    // What is looked at, and a first byte that it matches: numbers that lie close together, and some that do not.
    let sets: [Vec<(FilterBuilder, u8)>; 6] = [
        (3..=9).map(one).collect(),
        [0, 1, 3, 4, 6, 8, 9].map(one).to_vec(),
        (240..=255).map(one).collect(),
        [3, 4, 5, 6, 40].map(one).to_vec(),
        [0, 1, 2, 3, 4].map(|value| (b().masked_u8(0, 7, value), value)).to_vec(),
        (3..=9).map(|value| (b().eq_u16(0, 0x100 * u16::from(value) + 7), value)).collect(),
    ];
    for set in sets {
        for tier in [Tier::LinearScan, Tier::OnePass, Tier::Cranelift, Tier::Interp] {
            let mut classifier = Classifier::builder().tier(tier).build().unwrap();
            let mut naive = Naive::new();
            for (number, (filter, _)) in set.iter().enumerate() {
                // Each with another byte behind it, so that they are of different shapes, told apart by a dispatch.
                let filter = filter.clone().eq_u8(2 + number, 7).build().unwrap();
                naive.insert(classifier.insert(filter.clone()).unwrap(), filter);
            }
            for first in 0..=255 {
                let mut packet = [7; 20];
                packet[0] = first;
                assert_eq!(classifier.classify(&packet), naive.classify(&packet), "{tier:?}, {first}, {set:?}");
                for with in 2..20 {
                    let mut packet = [0; 20];
                    (packet[0], packet[1], packet[with]) = (first, 7, 7);
                    for len in [with, with + 1, 20] {
                        let packet = &packet[..len];
                        assert_eq!(
                            classifier.classify(packet),
                            naive.classify(packet),
                            "{tier:?}, {packet:?}, {set:?}"
                        );
                    }
                }
            }
            let matched = set.iter().enumerate().filter(|(number, (_, value))| {
                let mut packet = [0; 20];
                (packet[0], packet[1], packet[2 + number]) = (*value, 7, 7);
                classifier.classify(&packet).id().is_some()
            });
            assert_eq!(matched.count(), set.len());
        }
    }
}
