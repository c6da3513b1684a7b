//! The same tokens once as a quotation and once as ordinary Rust: methods, casts, parts of slices, raw pointers, large matches.
//! See `same_tokens.rs`.
#![allow(arithmetic_overflow, unconditional_panic, reason = "what dynamic code does then is the question")]
#![allow(
    unused_assignments,
    unused_mut,
    unused_variables,
    unused_parens,
    unused_comparisons,
    unused_must_use,
    unreachable_patterns,
    overflowing_literals,
    reason = "tests"
)]
#![allow(unsafe_code, reason = "raw pointers are read on both sides")]
#![allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    reason = "odd code is what finds errors, and both sides must be made of the same tokens"
)]

#[path = "../support/mod.rs"]
mod support;

use support::jit;
use tickc::prelude::*;

#[macro_use]
#[path = "same_tokens/harness.rs"]
mod harness;
use harness::{Edges, in_dynamic_code, in_rust};

#[test]
fn methods_of_integers() {
    macro_rules! family {
        ($t:ident) => {
            check! {
                |a: $t, b: $t| -> $t { a.wrapping_add(b).wrapping_sub(7).wrapping_mul(b).wrapping_neg() }
                |a: $t, b: $t| -> $t { a.wrapping_div(b) ^ b.wrapping_rem(a) }
                |a: $t, b: $t| -> $t { a.wrapping_div(3) ^ b.wrapping_rem(10) ^ a.wrapping_div(1) }
                |a: $t, b: $t| -> $t { a.wrapping_pow(5) ^ b.wrapping_pow(0) ^ b.wrapping_pow(1) ^ a.wrapping_pow(14) }
                |a: $t, b: $t| -> $t { a.wrapping_pow((b & 15) as u32) }
                |a: $t| -> $t { (a & 3).pow(3) }
                |a: $t, b: $t| -> $t { a.saturating_add(b) }
                |a: $t, b: $t| -> $t { a.saturating_sub(b) }
                |a: $t, b: $t| -> $t { a.saturating_add(100) ^ b.saturating_sub(100) ^ a.saturating_sub(1).saturating_add(b) }
                |a: $t, b: $t| -> $t { a.clamp(2, 100) ^ b.clamp(0, 0) }
                |a: $t, b: $t| -> $t { let low = a.min(b); let high = a.max(b); (a ^ b).clamp(low, high) }
                |a: $t, b: $t| -> $t { a.reverse_bits() ^ b.swap_bytes().reverse_bits() }
                |a: $t, b: $t| -> $t { a.to_be() ^ b.to_le() ^ $t::from_be(a ^ 5) ^ $t::from_le(b) }
                |a: $t, b: $t| -> u32 { a.leading_ones() * 1000 + b.trailing_ones() + a.leading_zeros() * 3 + b.trailing_zeros() * 7 }
                |a: $t, b: $t| -> u32 { a.count_ones() + b.count_zeros() * 100 }
                |a: $t, b: $t| -> $t { a.rem_euclid(b) ^ a.rem_euclid(10) ^ a.rem_euclid(16) }
                |a: $t, b: $t| -> $t { a.div_euclid(b) ^ a.div_euclid(10) ^ a.div_euclid(16) }
                |a: $t, b: $t| -> u64 { (a.abs_diff(b) as u64) * 2 + (b.abs_diff(3) as u64) }
                |a: $t, b: $t| -> $t { $t::max(a, b) ^ $t::min(b, 3) ^ $t::rotate_left(a, 3) ^ $t::wrapping_add(a, b) }
                |a: $t, b: $t| -> bool { a == b || (a > b) == (a.wrapping_sub(1) >= b) && !(a == a.wrapping_add(1)) }
                |a: $t, b: $t| -> $t { a.wrapping_shl(3) ^ b.wrapping_shr(2) ^ a.wrapping_shl((b & 63) as u32) ^ b.wrapping_shr((a & 63) as u32) }
            }
        };
    }
    for_ints!(family; i8 i16 i32 i64 isize u8 u16 u32 u64 usize);
    macro_rules! signed {
        ($t:ident $u:ident) => {
            check! {
                |a: $t, b: $t| -> $t { a.signum() * 100 + b.wrapping_abs() }
                |a: $t, b: $t| -> $u { a.unsigned_abs() ^ b.cast_unsigned() }
                |a: $t, b: $t| -> bool { a.is_negative() && !b.is_positive() || b.is_negative() == a.is_positive() }
                |a: $t, b: $t| -> $t { a.clamp(-7, 7) ^ b.wrapping_div(-1) ^ a.wrapping_rem(-1) ^ a.wrapping_div(-5) }
                |a: $t, b: $t| -> $t { a.div_euclid(-7) ^ b.rem_euclid(-7) ^ a.div_euclid(-8) ^ b.rem_euclid(-8) }
                |a: $t, b: $t| -> $t { (a % -7) ^ (b / -7) ^ (a % 100) ^ (b / 100) }
                |a: $t, b: $t| -> $t { let mut x = a; x /= 7; x %= 5; x *= -1; x /= -3; x ^ b }
            }
        };
    }
    signed!(i8 u8);
    signed!(i16 u16);
    signed!(i32 u32);
    signed!(i64 u64);
    signed!(isize usize);
    macro_rules! unsigned {
        ($t:ident $s:ident) => {
            check! {
                |a: $t, b: $t| -> $t { a.div_ceil(b) ^ a.div_ceil(10) ^ b.div_ceil(8) }
                |a: $t, b: $t| -> bool { a.is_power_of_two() != b.is_power_of_two() }
                |a: $t, b: $t| -> bool { a.is_multiple_of(b) ^ a.is_multiple_of(6) ^ b.is_multiple_of(0) ^ b.is_multiple_of(16) }
                |a: $t, b: $t| -> $s { a.cast_signed() ^ b.cast_signed() }
                |a: $t, b: $t| -> $t { let mut x = a; x /= 7; x %= 5; x /= 8; x ^ b % 100 }
            }
        };
    }
    unsigned!(u8 i8);
    unsigned!(u16 i16);
    unsigned!(u32 i32);
    unsigned!(u64 i64);
    unsigned!(usize isize);
}

/// Constants divide where registers have run out.
#[test]
fn division_among_many_live_values() {
    check! {
        |a: i64, b: i64| -> i64 { (a * b) - ((a / 7) - ((a ^ b) - ((b % 10) - ((a & b) - ((a - b) / 3 - ((a * 3 + b) % 5 - ((a * 5 + b) / 100 - ((a * 7 + b) - ((a % 8) - ((a * 13 + b) / 9 - ((b / 16) - ((a * 19 + b) % 1000 - ((a * 23 + b) - ((a * 29 + b).div_euclid(11) - (a.rem_euclid(12) - a / (b | 3)))))))))))))))) }
        |a: u64, b: u64| -> u64 { (a * b) - ((a / 7) - ((a ^ b) - ((b % 10) - ((a & b) - ((a - b) / 3 - ((a * 3 + b) % 5 - ((a * 5 + b) / 100 - ((a * 7 + b) - ((a % 8) - ((a * 13 + b) / 9 - ((b / 16) - ((a as u128 * b as u128 >> 64) as u64 - ((b as u128 * a as u128 >> 64) as u64 / 7 - (a % (b | 1) / 28 - (a / (b | 3)) % 7)))))))))))))) }
        |a: i32, b: i32| -> i32 { (a * b) - ((a / 7) - ((a ^ b) - ((b % 10) - ((a & b) - ((a - b) / 3 - ((a * 3 + b) % 5 - ((a * 5 + b) / 100 - ((a * 7 + b) - ((a % 8) - ((a * 13 + b) / 9 - ((b / 16) - ((a % 9) / (b | 1)))))))))))))}
        |a: u8, b: u8| -> u8 { (a * b) - ((a / 7) - ((a ^ b) - ((b % 10) - ((a & b) - ((a - b) / 3 - ((a * 3 + b) % 5 - ((a * 5 + b) / 100 - ((a * 7 + b) - ((a % 8) - ((a * 13 + b) / 9 - ((b / 16) - ((a % 9) / (b | 1)))))))))))))}
        |a: i64, b: i64, c: i64| -> i64 { let d = c / 10; let e = a % 10; let f = b / 3 + c % 7; let mut g = a; g = g / 10; g = g % 3; (d ^ e) * (f - g) + a * b * c / 7 - c / (a | 1) % 5 }
        |a: u64, b: u64, c: u64| -> u64 { let mut n = a; let mut s = 0; while n != 0 { s = s * 3 + n % 10; n /= 10; } let mut m = c; while m > 100 { m = m / 7 + m % 7; s += m ^ b; } s }
    }
}

#[test]
fn high_halves_of_products() {
    check! {
        |a: u64, b: u64| -> u64 { ((a as u128 * b as u128) >> 64) as u64 }
        |a: i64, b: i64| -> i64 { (a as i128 * b as i128 >> 64) as i64 }
        |a: u64, b: u64| -> u64 { (a as u128 * 0xcccc_cccc_cccc_cccd as u128 >> 64) as u64 ^ b }
        |a: u64, b: u64, c: u64| -> u64 { ((a as u128 * c as u128) >> 64) as u64 + ((b as u128 * c as u128) >> 64) as u64 * a + b + c }
        |a: i64, b: i64, c: i64| -> i64 { a ^ ((b as i128 * c as i128) >> 64) as i64 ^ ((a as i128 * c as i128) >> 64) as i64 - b / (c | 1) }
    }
    macro_rules! narrow {
        ($($t:ident $wide:ident)*) => {$({
            let f = jit().compile(tick!(|a: $t, b: $t| -> $t { a.mul_hi(b) })).unwrap();
            for a in $t::edges(2) {
                for b in $t::edges(2) {
                    assert_eq!(f.call(a, b), ((a as $wide * b as $wide) >> $t::BITS) as $t, "{a} {b}");
                }
            }
        })*};
    }
    narrow!(u8 u16 i8 i16 u16 u32 i16 i32 u32 u64 i32 i64 u64 u128 i64 i128 usize u128 isize i128);
}

#[test]
fn lossless_conversions_and_casts() {
    check! {
        |a: u8, b: i16| -> i64 { i64::from(a) * 3 + i64::from(b) + i64::from(a as i8) }
        |a: u32, b: i32| -> f64 { f64::from(a) * 2.0 - f64::from(b) + f64::from(a as f32) }
        |a: bool, b: u16| -> u32 { u32::from(a) + u32::from(b) * 2 + u32::from(b > 3) }
        |a: f32, b: u8| -> f64 { f64::from(a) + f64::from(b) }
        |a: u16, b: u8| -> f32 { f32::from(a) * f32::from(b) }
    }
    macro_rules! all_casts {
        ($from:ident; $($to:ident)*) => { check! { $(|a: $from, b: $from| -> $to { (a as $to) + (b as $to) - ((a + b) as $to) })* } };
    }
    macro_rules! from_all {
        ($($from:ident)*) => {$( all_casts!($from; i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64); )*};
    }
    from_all!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64);
}

#[test]
fn methods_of_floats() {
    macro_rules! family {
        ($t:ident) => {
            check! {
                |a: $t, b: $t| -> $t { a.round() + b.round() * 3.0 }
                |a: $t, b: $t| -> $t { a.round_ties_even() + b.round_ties_even() * 3.0 }
                |a: $t, b: $t| -> $t { a.fract() - b.fract() * 2.0 + a.recip() }
                |a: $t, b: $t| -> $t { if b == b { a.copysign(b) - b.copysign(-1.5) } else { a } }
                |a: $t, b: $t| -> $t { a.signum() * 2.0 + b.signum() }
                |a: $t, b: $t| -> $t { a.clamp(-1.0, 2.5) - b.clamp(0.0, 1.0) }
                |a: $t, b: $t| -> $t { a.mul_add(b, 1.5) - b.mul_add(3.0, a) }
                |a: $t, b: $t| -> $t { a.rem_euclid(b) + b.rem_euclid(3.0) }
                |a: $t, b: $t| -> $t { a.div_euclid(b) + b.div_euclid(-3.0) }
                |a: $t, b: $t| -> u32 { a.is_nan() as u32 + a.is_infinite() as u32 * 2 + b.is_finite() as u32 * 4 + (a.is_nan() == b.is_finite()) as u32 * 8 }
                |a: $t, b: $t| -> bool { if a == a && b == b { a.is_sign_negative() != b.is_sign_positive() } else { true } }
                |a: $t, b: $t| -> $t { a.abs().powf(0.5) + b.powi(3) + a.hypot(b) + a.atan2(1.0) }
                |a: $t, b: $t| -> $t { a.sin() * b.cos() - a.tan() + b.exp() - a.abs().ln() + b.abs().log2() * a.log10() }
                |a: $t, b: $t| -> $t { a.to_degrees() - b.to_radians() + a.cbrt() + b.tanh() }
                |a: $t, b: $t| -> $t { $t::max(a, 1.0) + $t::sqrt(b.abs()) + $t::floor(a) - $t::mul_add(a, 2.0, b) }
                |a: $t, b: $t| -> $t { a * 1.0 + b / 1.0 - (a - 0.0) * -1.0 + b / 4.0 + a / -1.0 + b * 2.0 + a * 0.0 + (b + 0.0) }
                |a: $t, b: $t| -> $t { let mut x = a; x = x.round() + b; x = x.clamp(-5.0, b.abs().max(1.0)); x = x.mul_add(x, b); x }
                |a: $t, b: $t| -> bool { a == a && b <= b || a != a && b >= b }
            }
        };
    }
    for_ints!(family; f32 f64);
    macro_rules! halves {
        ($($t:ident $bits:ident)*) => {$({
            let round = jit().compile(tick!(|a: $t| -> $t { a.round() })).unwrap();
            let even = jit().compile(tick!(|a: $t| -> $t { a.round_ties_even() })).unwrap();
            // Around every half, every power of two, and far apart.
            for k in 0..200 {
                let half = k as $t / 2.0;
                let power = (2.0 as $t).powi(k % 70);
                for middle in [half, -half, power - 0.5, power + 0.5, 0.5 - power, $t::from_bits((k as $bits).wrapping_mul(0x0123_4567_89ab_cdef_u64 as $bits))] {
                    for x in [middle, middle.next_up(), middle.next_down()] {
                        if x.is_nan() { continue }
                        assert_eq!(round.call(x).to_bits(), x.round().to_bits(), "{x}");
                        assert_eq!(even.call(x).to_bits(), x.round_ties_even().to_bits(), "{x}");
                    }
                }
            }
        })*};
    }
    halves!(f32 u32 f64 u64);
}

#[test]
fn matches() {
    macro_rules! family {
        ($t:ident) => {
            check! {
                |a: $t| -> u32 { match a { 0 => 10, 1 => 11, 2 => 12, 3 => 13, 4 => 14, 5 => 15, 6 => 16, 7 => 17, 8 => 18, _ => 0 } }
                |a: $t| -> u32 { match a { 5..=8 => 1, 0 | 2 | 63 => 2, 100..=101 => 3, 9..=20 => 4, 1 => 5, 7 => 6, _ => 7 } }
                |a: $t, b: $t| -> $t { match a { 100.. => 1, 60..=70 => b, ..=1 => { if b > 3 { return 9 } a } 8 | 9 | 10 => a + 1, 5 => 3, n => n ^ b } }
                |a: $t, b: $t| -> $t { let mut s = 0; for i in 0..40 { s = s * 3 + match i { 3 => a, 5 | 6 => 1, 9..=12 => { if i == 11 { continue } b } 20 => break, 13 | 15 => i, _ => 2 }; } s }
                |a: $t| -> u32 { match a { 0 => 1, 10 => 2, 20 => 3, 30 => 4, 40 => 5, 63 => 6, 90 => 7, 100 => 8, 120 => 9, _ => 10 } }
                |a: $t| -> u32 { match a { $t::MAX => 1, $t::MIN => 2, 5 => 3, 6..=9 => 4, 63..=100 => 5, _ => 10 } }
            }
        };
    }
    for_ints!(family; i8 i16 i32 i64 isize u8 u16 u32 u64 usize);
    macro_rules! all_bytes {
        ($t:ident: $($arms:tt)*) => {{
            let f = jit().compile(tick!(|a: $t| -> i32 { match a { $($arms)* } })).unwrap();
            for a in $t::MIN..=$t::MAX {
                assert_eq!(f.call(a), match a { $($arms)* }, "{a}\n{}", f.disassemble());
            }
        }};
    }
    all_bytes!(u8: 0..=9 => 1, 10..=19 => 2, 20..=29 => 3, 30..=39 => 4, 40..=255 => 5, _ => 6);
    all_bytes!(u8: 1 => 1, 3 => 2, 5 => 3, 7 => 4, 9 => 5, 200.. => 6, 100 | 101 | 103 => 7, _ => -1);
    all_bytes!(i8: -128 => 1, -100..=-90 => 2, -1 => 3, 0 => 4, 1 => 5, 2 => 6, 127 => 7, 3..=5 => 8, _ => -1);
    all_bytes!(i8: -5 => 1, -4 => 2, -3 => 3, -2 => 4, -1 => 5, 0 => 6, 1 => 7, 2 => 8, n => n as i32 * 2);
    all_bytes!(i8: ..-50 => 1, -50..0 => 2, 0 => 3, 1..50 => 4, 50.. => 5, _ => 6);
}

#[test]
fn parts_of_slices() {
    check_mem! {
        |s, t, w, a, b, i| { let p = &s[i..]; p.len() as i64 * 10 + (p.is_empty() as i64) }
        |s, t, w, a, b, i| { let p = &s[..i]; p.len() as i64 }
        |s, t, w, a, b, i| { let p = &s[1..i]; p.len() as i64 * 10 + p[0] }
        |s, t, w, a, b, i| { let p = &s[i..3]; p.len() as i64 + p[1] }
        |s, t, w, a, b, i| { let p = &s[i..=3]; p.len() as i64 + p[0] }
        |s, t, w, a, b, i| { let p = &s[..=i]; p.len() as i64 + p[i] }
        |s, t, w, a, b, i| { let p = &s[b as usize..i]; p.len() as i64 }
        |s, t, w, a, b, i| { let p = &s[..]; p[i] + p.len() as i64 }
        |s, t, w, a, b, i| { let p = &mut s[1..]; p[i] = a; p[0] += 5; let q = &mut p[1..3]; q[0] -= a; q[1] ^= 9; s[1] + s[2] * 3 }
        |s, t, w, a, b, i| { s[1..4][i] + s[i..].len() as i64 + t[..i].is_empty() as i64 }
        |s, t, w, a, b, i| { s[1..4][i] = a; t[1..][0] += b; s[1] ^ t[1] as i64 }
        |s, t, w, a, b, i| { let p = &t[i & 3..]; let mut n = 0; for k in 0..p.len() { n = n * 7 + p[k] as i64; } n }
        |s, t, w, a, b, i| { let mut p = &s[..]; let mut n = 0; while !p.is_empty() { n = n * 3 + p[0]; p = &p[1..]; } n }
        |s, t, w, a, b, i| { let mut n = 0; for k in 0..5 { let p = &s[k & 3..]; if p.len() < 2 { continue } n += p[1] * (k as i64 + 1); } n }
        |s, t, w, a, b, i| { let p = &w[1..]; let q = if a > 0 { &p[1..] } else { &p[..2] }; (q[i] + q[0]) as i64 + q.len() as i64 }
        |s, t, w, a, b, i| { let p = &s[2..2]; p.len() as i64 + { let q = &p[i..]; q.len() as i64 } }
    }
}

/// Functions of a `*const u8` and a `*mut u8` to 64 bytes each, at no particular alignment, and a number.
macro_rules! check_pointers {
    ($(|$p:ident, $q:ident, $n:ident| $body:block)*) => {$({
        let f = jit().compile(tick!(|$p: *const u8, $q: *mut u8, $n: u64| -> u64 $body)).unwrap();
        let rust = |$p: *const u8, $q: *mut u8, $n: u64| -> u64 { $body };
        for n in [0u64, 3, 0x8899_aabb_ccdd_eeff] {
            for offset in 0..4 {
                let source: Vec<u8> = (0..80u32).map(|i| (i * 37 + 129) as u8).collect();
                let (mut x, mut y) = (source.clone(), source.clone());
                let expected = rust(source[offset..].as_ptr(), x[offset..].as_mut_ptr(), n);
                let got = f.call(source[offset..].as_ptr(), y[offset..].as_mut_ptr(), n);
                assert_eq!((got, y), (expected, x), "{} with {n:#x}\n{}", stringify!($body), f.disassemble());
            }
        }
    })*};
}

// SAFETY of all that follows, in Rust and in dynamic code: the pointers lead to at least 64 bytes of a vector, which no access
// leaves, and what may be unaligned is accessed as such. A comment within would be part of the tokens that both sides share.
#[test]
fn raw_pointers() {
    check_pointers! {
        |p, q, n| { unsafe { *p as u64 + *p.add(3) as u64 * 256 + p.add((n & 31) as usize).read() as u64 } }
        |p, q, n| { unsafe { (p as *const u64).read_unaligned() ^ (p as *const u32).add(3).read_unaligned() as u64 } }
        |p, q, n| { unsafe { (q as *mut u32).write_unaligned(n as u32); (q as *mut u16).add(5).write_unaligned(n as u16); q.add(20).write(7); (q as *const u64).read_unaligned() } }
        |p, q, n| { unsafe { let x = q.add(1).read_volatile(); q.add(1).write_volatile(x + 1); q.add(2).read_volatile(); (q.add(1).read_volatile() - x) as u64 + q.read_volatile() as u64 * q.read_volatile() as u64 } }
        |p, q, n| { unsafe { q.write({ let old = *q; old + 1 }); *q as u64 + { q.write(9); *q as u64 } * 2 } }
        |p, q, n| { unsafe { u32::from_be((p as *const u32).read_unaligned()) as u64 + u64::from_be((p as *const u64).add(1).read_unaligned()) } }
        |p, q, n| { unsafe { (p as *const u16).add((n & 7) as usize).read_unaligned().swap_bytes() as u64 + u16::from_be((p as *const u16).read_unaligned()) as u64 } }
        |p, q, n| { unsafe { (p as *const i16).read_unaligned().swap_bytes() as u64 ^ (p as *const i32).read_unaligned().to_be() as u64 ^ (p as *const i64).add((n & 3) as usize).read_unaligned().swap_bytes() as u64 } }
        |p, q, n| { unsafe { (q as *mut u64).write_unaligned(n.to_be()); (q as *mut f64).add(1).write_unaligned(n as f64); (q as *mut bool).add(30).write(n > 2); (p as *const f32).read_unaligned().to_bits() as u64 } }
        |p, q, n| { let r = p.wrapping_add(9).wrapping_sub(4); let s = (p as *const u32).wrapping_add(3).wrapping_offset(-1); unsafe { *r as u64 + s.read_unaligned() as u64 } }
        |p, q, n| { unsafe { let end = p.add(40); let mut r = p; let mut sum = 0u64; while r.addr() < end.addr() { sum = sum.wrapping_mul(3) + *r as u64; r = r.add(1); } sum + end.offset_from(p) as u64 } }
        |p, q, n| { unsafe { let a = p as *const u32; let b = a.add(7); (b.offset_from(a) * 3 - a.offset_from(b)) as u64 + b.sub(2).read_unaligned() as u64 + b.offset(-3).read_unaligned() as u64 } }
        |p, q, n| { unsafe { *q.add(5) += 3; *q.offset(6) ^= *q.add((n & 7) as usize); *q.add((n & 15) as usize) /= 3; *q.add(8) %= 10; *q.add(5) as u64 } }
        |p, q, n| { unsafe { let x = *q; *q = 5; q.add(1).write_volatile(*q + x); (x as u64) << 8 | q.add(1).read_volatile() as u64 } }
    }
}

// SAFETY, likewise: the pointers lead into arrays that no access leaves.
#[test]
fn pointers_to_every_scalar() {
    macro_rules! family {
        ($($t:ident)*) => {$({
            let f = jit().compile(tick!(|p: *const $t, q: *mut $t, n: isize, v: $t| -> $t {
                unsafe {
                    *q = *p.add(2);
                    *q.add(1) = v;
                    *q.offset(n) = p.offset(n).read();
                    q.add(5).write_volatile(p.add(n as usize).read_volatile());
                    q.wrapping_add(6).write(*p.wrapping_offset(n));
                    *q.add(1)
                }
            })).unwrap();
            let values: Vec<$t> = <$t>::edges(4).into_iter().cycle().take(8).collect();
            for n in 2..5isize {
                for v in <$t>::edges(1) {
                    let mut to = [values[0]; 8];
                    let got = f.call(values.as_ptr(), to.as_mut_ptr(), n, v);
                    let mut expected = [values[0]; 8];
                    (expected[0], expected[1], expected[n as usize]) = (values[2], v, values[n as usize]);
                    (expected[5], expected[6]) = (values[n as usize], values[n as usize]);
                    assert_eq!((got.key(), to.map(Edges::key)), (v.key(), expected.map(Edges::key)), "{n}\n{}", f.disassemble());
                }
            }
        })*};
    }
    family!(bool i8 u8 i16 u16 i32 u32 i64 u64 isize usize f32 f64);
}
