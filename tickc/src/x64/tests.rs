//! The code for processors without what newer ones have.
#![allow(clippy::precedence, reason = "both sides of a test are written alike")]

use super::Features;
use crate::jit::use_features;
use crate::prelude::*;

const NONE: Features = Features { bmi2: false, popcnt: false, sse41: false, movbe: false };

const NUMBERS: [u64; 12] =
    [0, 1, 2, 9, 10, 1 << 31, u32::MAX as u64, 1 << 63, u64::MAX, u64::MAX - 9, 0x1234_5678_9abc_def0, i64::MAX as u64];

#[test]
fn division_by_constants_without_mulx() {
    use_features(NONE).unwrap();
    let jit = Jit::builder().tier(crate::Tier::OnePass).build().unwrap();
    for d in [3u64, 7, 10, 641, 28, 1_000_000_007, u64::MAX, u64::MAX / 2] {
        let s = d as i64;
        let unsigned = jit.compile(tick!(|x: u64| -> u64 { x / $d })).unwrap();
        let signed = jit.compile(tick!(|x: i64| -> i64 { x / $s ^ x % $s })).unwrap();
        // The third argument lives in rdx, the fifth value in rax.
        let crowded = jit
            .compile(tick!(|a: u64, b: u64, c: u64| -> u64 {
                let t = a ^ c;
                let q = c / $d + b / $d * (a / $d);
                q + t * b + c
            }))
            .unwrap();
        assert!(!unsigned.disassemble().contains("mulx"));
        for x in NUMBERS {
            assert_eq!(unsigned.call(x), x / d, "{x} {d}\n{}", unsigned.disassemble());
            if s != -1 {
                let x = x as i64;
                assert_eq!(signed.call(x), x / s ^ x % s, "{x} {s}\n{}", signed.disassemble());
            }
            for y in NUMBERS {
                let (a, b, c) = (x, y, x ^ y);
                let q = (c / d).wrapping_add((b / d).wrapping_mul(a / d));
                let expected = q.wrapping_add((a ^ c).wrapping_mul(b)).wrapping_add(c);
                assert_eq!(crowded.call(a, b, c), expected, "{a} {b} {c}\n{}", crowded.disassemble());
            }
        }
    }
}

#[test]
fn shifts_counts_rounding_and_swaps_without_their_instructions() {
    use_features(NONE).unwrap();
    let jit = Jit::builder().tier(crate::Tier::OnePass).build().unwrap();
    let bits = jit
        .compile(tick!(|x: u64, n: u32, y: u32| -> u64 {
            (x << n ^ x >> (n + 3)) + x.count_ones() as u64 + (y.count_zeros() << n) as u64
        }))
        .unwrap();
    let swapped =
        jit.compile(tick!(|s: Slice<u64>, i: usize| -> u64 { s[i].swap_bytes() + u64::from_be(s[1]) })).unwrap();
    assert!(swapped.disassemble().contains("bswap"));
    let round = jit.compile(tick!(|x: f64| -> f64 { x.floor() + x.ceil() * 2.0 + x.round() * 3.0 })).unwrap();
    for x in NUMBERS {
        for n in [0, 1, 5, 31] {
            let y = x as u32;
            let expected = (x << n ^ x >> (n + 3))
                .wrapping_add(x.count_ones() as u64)
                .wrapping_add(u64::from(y.count_zeros() << n));
            assert_eq!(bits.call(x, n, y), expected, "{x} {n}\n{}", bits.disassemble());
        }
        assert_eq!(swapped.call(&[5, x], 1), x.swap_bytes().wrapping_add(x.swap_bytes()));
        let x = x as f64 / 7.0;
        assert_eq!(round.call(x), x.floor() + x.ceil() * 2.0 + x.round() * 3.0);
    }
}

#[test]
fn loads_are_swapped_by_one_instruction_where_there_is_one() {
    if !std::arch::is_x86_feature_detected!("movbe") {
        return println!("skipped: this processor has no movbe");
    }
    let f = Jit::builder()
        .tier(crate::Tier::OnePass)
        .build()
        .unwrap()
        .compile(tick!(|s: Slice<u32>, i: usize| -> u32 { u32::from_be(s[i]) }))
        .unwrap();
    assert!(f.disassemble().contains("movbe"), "{}", f.disassemble());
    assert_eq!(f.call(&[1, 2], 1), 2 << 24);
}
