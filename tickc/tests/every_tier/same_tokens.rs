//! The same tokens once as a quotation and once as ordinary Rust: same result, same memory, same trap.
//!
//! Where overflow checks are on, inputs at which Rust's own arithmetic overflows are left out.
#![forbid(unsafe_code)]
#![allow(
    arithmetic_overflow,
    unconditional_panic,
    overflowing_literals,
    reason = "what dynamic code does then is the question"
)]
#![allow(
    unused_assignments,
    unused_mut,
    unused_variables,
    unused_parens,
    unused_comparisons,
    unreachable_code,
    unreachable_patterns,
    while_true,
    reason = "tests"
)]
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
fn constants_on_the_right() {
    macro_rules! family {
        ($t:ident) => {
            check! {
                |a: $t, b: $t| -> $t { (a + 1) ^ (b - 1) ^ (a * 3) ^ (b * 5 + 9 * a) }
                |a: $t, b: $t| -> $t { (a * 8) ^ (b * 7) ^ (a * 24 + b * 100) - a * 36 }
                |a: $t, b: $t| -> $t { (a / 3) + (b / 7) * 2 - (a / 8) ^ (b / 1) }
                |a: $t, b: $t| -> $t { (a % 3) + (b % 7) * 2 - (a % 8) ^ (b % 1) ^ (a % 16 % 5) }
                |a: $t, b: $t| -> $t { (a & 12) | (b ^ 3) | (a | 64) & (b & 0) }
                |a: $t, b: $t| -> $t { (a << 3) ^ (b >> 2) ^ (a >> 7) ^ (b << 0) }
                |a: $t, b: $t| -> $t { a.min(5).max(2) + b.max(100).min(a) }
                |a: $t, b: $t| -> $t { a.rotate_left(3) ^ b.rotate_right(5) }
                |a: $t, b: $t| -> $t { !a.swap_bytes() ^ !(b & 15) }
                |a: $t, b: $t| -> u32 { a.count_ones() * 10 + b.leading_zeros() - a.trailing_zeros() + b.count_zeros() }
                |a: $t, b: $t| -> bool { a % 4 == 0 && b % 3 != 0 || a % 1 == 0 && b == 5 }
            }
        };
    }
    for_ints!(family; i8 i16 i32 i64 isize u8 u16 u32 u64 usize);
}

#[test]
fn constants_on_the_left() {
    macro_rules! family {
        ($t:ident) => {
            check! {
                |a: $t| -> $t { (100 - a) ^ (3 * a) ^ (7 + a) }
                |a: $t| -> $t { (100 / a) + (100 % a) }
                |a: $t| -> $t { (1 << (a & 3)) ^ (100 >> (a & 7)) }
                |a: $t| -> bool { 5 < a || 1 >= a || 3 == a }
                |a: $t| -> $t { ({ let k: $t = 9; k.min(a) }) - { let k: $t = 77; k.max(a) } }
            }
        };
    }
    for_ints!(family; i8 i16 i32 i64 isize u8 u16 u32 u64 usize);
}

#[test]
fn two_variables() {
    macro_rules! family {
        ($t:ident) => {
            check! {
                |a: $t, b: $t| -> $t { a / b }
                |a: $t, b: $t| -> $t { a % b }
                |a: $t, b: $t| -> $t { b / a + a % b - b }
                |a: $t, b: $t| -> $t { a.rem_euclid(b) }
                |a: $t, b: $t| -> $t { (a + b) * (a - b) ^ a * b }
                |a: $t, b: $t| -> $t { a.min(b) ^ b.max(a) ^ a.min(a) }
                |a: $t, b: $t| -> $t { let s = (b & 7) as u32; (a << s) ^ (a >> s) ^ a.rotate_left(s) ^ b.rotate_right(s) }
                |a: $t, b: $t| -> $t { (a << (a & 3)) ^ (b >> (b & 3)) ^ ((a & 3) << (a & 3)) }
                |a: $t, b: $t| -> u32 { (a < b) as u32 + (a <= b) as u32 * 2 + (a == b) as u32 * 4 + (a != b) as u32 * 8 + (a > b) as u32 * 16 + (a >= b) as u32 * 32 }
                |a: $t, b: $t| -> $t { let mut x = a; x += b; x *= a; x -= 3; x ^= b; x |= 1; x &= a; x }
                |a: $t, b: $t| -> $t { let mut x = a; x /= b; x %= 5; x *= 7; x <<= 2; x >>= 1; x }
                |a: $t, b: $t| -> $t { let mut x = a; let mut y = b; while y != 0 { let r = x % y; x = y; y = r; } x }
                |a: $t, b: $t| -> $t { let h = a * b; h * h + h }
                |a: $t, b: $t| -> $t { let h = a + b; h - h }
                |a: $t, b: $t| -> $t { let h = a | 1; let g = b | h; g / h * h }
                |a: $t, b: $t| -> $t { let mut s = 0; for i in a..b { if i & 15 == 9 { break } s += i; if i & 3 == 1 { continue } s ^= b; } s }
                |a: $t, b: $t| -> $t { let mut n = 0; for i in (a & 3)..=(b & 7) { n = n * 2 + i } n }
                |a: $t, b: $t| -> $t { match a { 0 => b, 1 | 2 => b + 1, 5..=100 => a, x => x ^ b } }
                |a: $t, b: $t| -> $t { if a < b { a } else if a == b { return b + 1 } else { b - a } }
            }
        };
    }
    for_ints!(family; i8 i16 i32 i64 u8 u16 u32 u64);
}

#[test]
fn signed_only() {
    macro_rules! family {
        ($t:ident) => {
            check! {
                |a: $t, b: $t| -> $t { -a + b.abs() - a.signum() * b }
                |a: $t, b: $t| -> $t { (a / -1) ^ (b / -8) }
                |a: $t, b: $t| -> $t { (a % -1) ^ (b % -8) }
                |a: $t, b: $t| -> $t { (a * -1) ^ (b * -3) ^ (a - -5) }
                |a: $t, b: $t| -> $t { (a / 2) ^ (b / 16) ^ (a % 2) ^ (b % 16) ^ (a / -2) ^ (b / 100) }
                |a: $t, b: $t| -> bool { a % -8 == 0 || b % 8 != 0 && a < -3 }
                |a: $t, b: $t| -> $t { match a { -128..=-1 => -b, 0 => 7, 1.. => b, _ => a } }
            }
        };
    }
    for_ints!(family; i8 i16 i32 i64 isize);
}

#[test]
fn conversions() {
    check! {
        |a: i64, b: u8| -> i64 { (a as i8 as i64) + (a as u8 as i64) * 2 + (b as i8 as i64) + (a as i16 as u32 as i64) }
        |a: i32, b: i8| -> u64 { (a as u8 as u64) ^ (b as u64) ^ (b as u16 as u64) ^ (a as i16 as i64 as u64) ^ (a as u64) }
        |a: u32, b: u16| -> i64 { (a as i64) - (b as i64) + (a as i32 as i64) * (b as i16 as i64) }
        |a: i64| -> i64 { (a as i32 + 1) as i64 + (a as u32 + 1) as i64 + (a as u16 + 1) as i64 }
        |a: i64| -> u8 { ((a as i32 >> 3) as u8) ^ ((a as u32 >> 5) as u8) ^ ((a as i8 >> 1) as u8) }
        |a: u64, b: bool| -> f64 { a as f64 + (a as f32) as f64 + (b as i32) as f64 }
        |a: i64, b: i32| -> f32 { a as f32 - b as f32 + (b as u32) as f32 + (b as i8) as f32 }
        |a: f64| -> i64 { (a as i64) ^ (a as i32 as i64) ^ (a as i16 as i64) ^ (a as i8 as i64) }
        |a: f64| -> u64 { (a as u64) ^ (a as u32 as u64) ^ (a as u16 as u64) ^ (a as u8 as u64) }
        |a: f32| -> u64 { (a as u64) ^ (a as u32 as u64) ^ (a as u16 as u64) ^ (a as u8 as u64) ^ (a as i64 as u64) }
        |a: f32, b: f64| -> f64 { (a as f64 + b) as f32 as f64 - b }
        |a: u64| -> u64 { f64::from_bits(a).to_bits() }
        |a: u32| -> u32 { (f32::from_bits(a).to_bits() >> 3) ^ a }
        |a: f64, b: f64| -> u64 { (a * 2.0).abs().to_bits() & if b.is_nan() { 0 } else { u64::MAX } & if a.is_nan() { 0 } else { u64::MAX } }
        |a: bool, b: i64| -> i64 { (a as i64) * b + (!a as i64) + (a as u8 as i64) + ((b > 2) as i64) * 100 + (a == (b > 2)) as i64 }
    }
}

#[test]
fn floats() {
    macro_rules! family {
        ($t:ident) => {
            check! {
                |a: $t, b: $t| -> $t { (a + b) * (a - b) / (b + 1.0) }
                |a: $t, b: $t| -> $t { a / b - b / a }
                |a: $t, b: $t| -> $t { -a * b.abs() + -(a * b) }
                |a: $t, b: $t| -> $t { a.sqrt() + b.abs().sqrt() }
                |a: $t, b: $t| -> $t { a.floor() * 100.0 + b.ceil() * 10.0 + a.trunc() }
                |a: $t, b: $t| -> $t { a % b }
                |a: $t, b: $t| -> $t { b + a % 3.0 * b }
                |a: $t, b: $t| -> $t { if a == b { a } else { a.min(b) } }
                |a: $t, b: $t| -> $t { if a == b { a } else { a.max(b) } }
                |a: $t, b: $t| -> $t { a.min(3.0) - b.max(-1.0) }
                |a: $t, b: $t| -> u32 { (a < b) as u32 + (a <= b) as u32 * 2 + (a == b) as u32 * 4 + (a != b) as u32 * 8 + (a > b) as u32 * 16 + (a >= b) as u32 * 32 }
                |a: $t, b: $t| -> bool { !(a < b) && !(a > b) || a != 1.5 && (b == 1.5 || a >= b) }
                |a: $t, b: $t| -> bool { (a == b) == (b != a) }
                |a: $t, b: $t| -> $t { let mut x = a; x += b; x *= 2.0; x -= a; x /= b; x %= 7.0; x }
                |a: $t, b: $t| -> $t { let mut x = a; let mut n = 0; while x < 100.0 && n < 20 { x = x * x + b; n += 1; } x }
                |a: $t, b: $t| -> $t { let h = a * b; h * h + h }
                |a: $t, b: $t| -> $t { let mut x = a; x + { x = b; x } * { x += 1.0; x } }
                |a: $t, b: $t| -> $t { if a.is_nan() { b } else if b < 0.0 { return a } else { -b } }
                |a: $t, b: $t| -> $t { 1.0 - a * 2.0 / b + 0.0 }
            }
        };
    }
    for_ints!(family; f32 f64);
}

#[test]
fn order_of_evaluation() {
    check! {
        |a: i64, b: i64| -> i64 { let mut x = a; x + { x = b; x } * 10 + x }
        |a: i64, b: i64| -> i64 { let mut x = a; x - { x += b; x } - { x *= 3; x } - x }
        |a: i64, b: i64| -> i64 { let mut x = a; (x * 2) - { x = b; x } + (x + 1) }
        |a: i64, b: i64| -> i64 { let mut x = a; ({ x += 1; x }) - { x += 1; x } + { x += b; x } }
        |a: i64, b: i64| -> bool { let mut x = a; x < { x = b; x } || x == { x += 1; x } }
        |a: i64, b: i64| -> i64 { let mut x = a; let c = x > 3 && { x += 5; x > b } || { x -= 2; x == b }; x * 2 + c as i64 }
        |a: i64, b: i64| -> i64 { let mut x = a; x = x * 2 + { x = b; x } + x; x }
        |a: i64, b: i64| -> i64 { let mut x = a; x += { x = b; x * 2 }; x }
        |a: i64, b: i64| -> i64 { let mut x = a; x = (x + 1) * (b - x) - x; x }
        |a: i64, b: i64| -> i64 { let mut x = a; x = b - x; x = x - b - x; x = 7 - x; x }
        |a: i64, b: i64| -> i64 { let mut x = a; x = x << (x & 7); x = b >> (x & 7); x = x ^ x << 1; x }
        |a: i64, b: i64| -> i64 { let mut x = a; let y = x; x = b; y * 3 + x }
        |a: i64, b: i64| -> i64 { let x = a; let y = x; let z = y; z + b }
        |a: i64, b: i64| -> i64 { let mut x = a; let mut y = b; let t = x; x = y; y = t; x * 3 + y }
        |a: i64, b: i64| -> i64 { a.min({ let c = b; c * 2 }) + b.max({ let mut d = a; d += 1; d }) }
        |a: i64, b: i64| -> i64 { let mut x = a; x.wrapping_add({ x = b; x }).wrapping_mul(x) }
        |a: i64, b: i64| -> i64 { let mut x = a; x.min({ x = b; x }).rotate_left({ x += 1; x as u32 }) + x }
        |a: bool, b: bool| -> i64 { let mut n = 0; let c = (a & { n += 1; b }) | ({ n += 2; a } && { n += 4; b }); n * 2 + c as i64 }
        |a: bool, b: bool| -> bool { let mut x = a; x ^= b; x |= a && b; x &= !b || a; x ^= a == b; x }
        |a: i64, b: i64| -> bool { (a < b) ^ (b < 5) & (a != 3) | !(b >= a) }
        |a: i64, b: i64| -> bool { let c = a < b; let d = b < 5; (c == d) != (c && !d) }
        |a: i64, b: i64| -> bool { !(!(a < b && b < 5) || (a > 0 && !(b > 0))) }
        |a: i64, b: i64| -> bool { if if a < b { b > 2 } else { a > 2 } { a != b } else { !(a == 1) } }
        |a: i64, b: i64| -> i64 { (if (a < b) == (b < 8) { a } else { b }) + if (a > 1) & (b > 1) { 1 } else { 2 } }
        |a: i64, b: i64| -> i64 { (if a < b { a } else { b }) - (if a > b { a - 1 } else { b + 1 }) * (match a { 0 => b, _ => a }) }
        |a: i64, b: i64| -> i64 { a / (if b == 0 { 1 } else { b | 1 }) % { let mut q = a; q |= 1; q } }
        |a: i64, b: i64, c: i64| -> i64 { (a / (b | 1)) / (c | 1) + (a % (c | 1)) / (b | 1) * (c / (a | 1)) }
        |a: i64, b: i64, c: i64| -> i64 { c / (a | 1) - (b / (c | 1)) % (a / (b | 1) | 1) + c }
        |a: i64, b: i64, c: u32| -> i64 { (a << c) / (b << c | 1) + (c as i64 >> c) % (a >> c | 1) }
        |a: u8, b: u8, c: u8| -> u8 { (a << (c & 7)) / (b >> (c & 7) | 1) + (c >> (a & 7)) % (a >> (c & 7) | 1) + c }
    }
}

#[test]
fn loops() {
    check! {
        |a: i64, b: i64| -> i64 { let mut n = (b & 15); let mut s = 0; for i in 0..n { n -= 1; s += i + a; } s + n }
        |a: i64, b: i64| -> i64 { let mut s = 0; let mut i = a & 7; loop { i += 1; if i > 20 { break s + i } if i % 3 == 0 { continue } s += i * b; } }
        |a: i64, b: i64| -> i64 { 'o: loop { let mut i = 0; loop { i += 1; if i == (a & 15) { break 'o i * b } if i > 12 { break } } break -1 } }
        |a: i64, b: i64| -> i64 { let mut s = 0; 'o: for i in 0..10 { for j in 0..10 { if i * j == (a & 31) { break 'o } if j > (b & 7) { continue 'o } s += i - j; } } s }
        |a: i64, b: i64| -> i64 { let mut s = 0; for i in 0..5 { let x = i * a; let y = x + b; for j in 0..3 { let z = y * j; s += z; s ^= x; } } s }
        |a: i64, b: i64| -> i64 { let mut s = a; for mut i in 0..6 { i *= 2; s += i; if s > b { i = 100; } s ^= i; } s }
        |a: u8, b: u8| -> u8 { let mut s = 0; for i in a..=b { s ^= i; } s }
        |a: i8, b: i8| -> i32 { let mut s = 0; for i in a..=b { s += i as i32; if i == 99 { break } } s }
        |a: i64, b: i64| -> i64 { let mut s = 1; let mut n = 8; while n > 0 && { s += a; s != b } { n -= 1; if s & 1 == 1 { continue } s *= 3; } s * 10 + n }
        |a: i64, b: i64| -> i64 { let mut x = a; while true { x += 1; if x > b { break } if x > a + 20 { return x } } while false { x = 0; } x }
        |a: i64, b: i64| -> i64 { let mut s = 0; for i in 3..3 { s += 1; } for i in 5..2 { s += 2; } for i in 5..=5 { s += a; } for i in 250u8..=255 { s += i as i64; } s }
        |a: i64, b: i64| -> i64 { a + loop { break b } * loop { if a < b { break 3 } break 4 } + { let mut k = 0; loop { k += 1; if k > 5 { break k } } } }
        |a: i64, b: i64| -> i64 { let x = if a > 0 { let t = a * 2; let u = t + b; u } else { let t = b; t - 1 }; let y = { let x = x + 1; x * x }; x ^ y }
        |a: i64, b: i64| -> i64 { match a & 7 { 0 => { let q = b + 1; q * q } 1 | 3 => return b, 4..=6 => { let mut s = 0; for i in 0..4 { s += i * b } s } n => n + b } }
        |a: i64, b: u8| -> i64 { match b { 0..=9 => 1, 10 | 20 | 30 => 2, 100..200 => match a { ..0 => 3, 0 => 4, _ => 5 }, 255 => 6, n => n as i64 } }
        |a: f64, b: i64| -> f64 { let mut s = a; for i in 0..8 { s = s / 2.0 + (i * b) as f64; if s > 1e6 { break } } s }
        |a: f64, b: f64| -> f64 { let mut x = a; let mut y = b; for i in 0..6 { let t = x; x = y + 1.0; y = t * 0.5; } x - y }
    }
}

#[test]
fn many_live_values() {
    check! {
        |a: i64, b: i64| -> i64 {
            let c0 = a + 1; let c1 = b * 3; let c2 = a ^ b; let c3 = a - b; let c4 = a | 7; let c5 = b & 99; let c6 = a * b; let c7 = b + 7;
            let c8 = c0 + c1; let c9 = c2 * c3; let d0 = c4 - c5; let d1 = c6 ^ c7; let d2 = c8 + 5; let d3 = c9 + c0; let d4 = d0 * 2; let d5 = d1 - c3;
            let e0 = d2 / (d3 | 1); let e1 = d4 % (d5 | 1); let e2 = c0 << (c1 & 7); let e3 = c2 >> (c3 & 7);
            ((c0 - c1) * (c2 - c3) + (c4 - c5) * (c6 - c7)) ^ ((c8 - c9) * (d0 - d1) + (d2 - d3) * (d4 - d5)) ^ (e0 + e1 * e2 - e3)
        }
        |a: i64, b: i64| -> i64 { a - (b - (a + 1 - (b * 2 - (a ^ 3) - (b - 5 - (a * 7 - (b | 1 - (a - 4 - (b ^ a - (a * b - (b - a - (a + b - (a * 2 - (b * 3 - (a * 5 - (b * 9 - a))))))))))))))) }
        |a: i64, b: i64| -> i64 { (a * b) - ((a + b) - ((a ^ b) - ((a | b) - ((a & b) - ((a - b) - ((a * 3 + b) - ((a * 5 + b) - ((a * 7 + b) - ((a * 11 + b) - ((a * 13 + b) - ((a * 17 + b) - ((a * 19 + b) - ((a * 23 + b) - ((a * 29 + b) - (a / (b | 1) - a % (b | 3))))))))))))))))  }
        |a: f64, b: f64| -> f64 { (a * b) - ((a + b) - ((a / b) - ((a - b) - ((a * 2.0) - ((a * 3.0) - ((b * 4.0) - ((b * 5.0) - ((a * 6.0) - ((b + 7.0) - ((a - 8.0) - ((b - 9.0) - ((a + 10.0) - ((b * 11.0) - ((a * 12.0) - ((b * 13.0) - ((a * 14.0) - ((b * 15.0) - (a.sqrt() - b % 3.0)))))))))))))))))) }
        |a: i32, b: i32| -> i32 { ((((a + b) * (a - b) - (a ^ b)) * ((a | b) + (a & b) - (a * 3))) ^ (((b * 5) - (a / 7)) * ((b % 9) + (a << 3)))) - ((((a >> 1) + (b >> 2)) * ((a * b) - (b * 2))) ^ (((a + 9) * (b + 8)) - ((a + 7) * (b + 6)))) }
        |a: u8, b: u16| -> u32 { let c = a as u16 * b; let d = b as u8 * a; let e = (c ^ d as u16) / (b | 1); let f = d / (a | 1); let g = (c as i16 / 3) as u32; let h = (d as i8 % 5) as i32 as u32; (e as u32) << (f & 3) ^ g - h }
    }
}

#[test]
fn assignments_that_may_be_computed_in_place() {
    macro_rules! family {
        ($t:ident) => {
            check! {
                |a: $t, b: $t| -> $t { let mut x = a; x = x * 3 + b; x = b - x; x = x - b; x = x ^ (b | 1); x }
                |a: $t, b: $t| -> $t { let mut x = a; x = x / (b | 1); x = b % (x | 1); x = (x | 1) % 7; x }
                |a: $t, b: $t| -> $t { let mut x = a; let s = (b & 3) as u32; x = x << s; x = x.rotate_left(s); x = x >> s; x = b << (x & 3); x }
                |a: $t, b: $t| -> $t { let mut x = a; x = x.min(b); x = b.max(x); x = x + 1; x = !x; x = x.swap_bytes(); x }
                |a: $t, b: $t| -> $t { let mut x = a; x = x as i8 as $t; x = (x as u16 + 1) as $t; x = x as i64 as $t; x = (x as f64) as $t; x }
                |a: $t, b: $t| -> $t { let mut x = a; x = x.count_ones() as $t + (x.leading_zeros() as $t); x }
                |a: $t, b: $t| -> $t { let mut x = a; loop { x = (x * 2) + { if b > 3 { break } 1 }; break; } x }
                |a: $t, b: $t| -> $t { let mut x = a; loop { x = (x ^ 5) + (if b > 3 { break } else { b }); break; } x }
                |a: $t, b: $t| -> $t { let mut x = a; let mut n = 0; while n < 3 { n += 1; x = (x + 1) * (if x & 1 == 0 { continue } else { 3 }); } x }
                |a: $t, b: $t| -> $t { let mut x = a; x = (x + 1) * { if b == 5 { return x } 2 }; x }
                |a: $t, b: $t| -> $t { let mut x = a; x = (x + 1) * { x = 3; x } - { x += b; x }; x }
                |a: $t, b: $t| -> $t { let mut x = a; x = { let y = x; y + 1 } * { let y = b; y - x }; x }
                |a: $t, b: $t| -> $t { let mut x = a; x = if x < b { x + 1 } else { x - b }; x = match x { 0 => x, 1 => x * 2, n => n - x }; x }
                |a: $t, b: $t| -> $t { let mut x = a; let mut y = b; x = x + y; y = x - y; x = x - y; x ^ y * 3 }
                |a: $t, b: $t| -> $t { let mut x = a; let y = x; x = x * 5; x = x - y; y ^ x }
                |a: $t, b: $t| -> $t { let mut x = a; let y = x + b; x = y + x; x = (x & 7) * (y | x); x + y }
                |a: $t, b: $t| -> $t { let mut x = a; for i in 0..4 { x = x * 3 + i; if x & 1 == 0 { x = x + b } else { x = b - x } } x }
                |a: $t, b: $t| -> $t { let mut x = a; x = (if b > 5 { x } else { b }) + 1; x = { x = x + 1; x } * 2; x }
                |a: $t, b: $t| -> $t { let mut x = a; let c = { x = x + 1; x > b }; x = x * 2 + c as $t; x }
            }
        };
    }
    for_ints!(family; i8 i16 i32 i64 u8 u16 u32 u64);
    check! {
        |a: f64, b: f64| -> f64 { let mut x = a; x = x * 2.0 + b; x = b - x; x = b / x; x = -x; x = x.abs().sqrt(); x = x.floor() - b; x }
        |a: f64, b: f64| -> f64 { let mut x = a; loop { x = (x * 2.0) + { if b > 3.0 { break } 1.0 }; x = (x - 1.0) % 3.0; break; } x }
        |a: f64, b: f64| -> f64 { let mut x = a; x = (x + 1.0) * { if b == 1.5 { return x } 2.0 }; x = if x == b { x } else { x.min(b) }; x }
        |a: f32, b: f32| -> f32 { let mut x = a; x = b + x; x = x * x - b; x = x as i32 as f32; x = (x as f64 * 1.5) as f32; x }
        |a: bool, b: bool| -> bool { let mut x = a; x = !x; x = x ^ b; x = x && b || !x; x = x == b; x = b & x; x }
        |a: i64, b: f64| -> i64 { let mut x = a; let mut y = b; for i in 0..5 { x = (y * 0.5) as i64 - x; y = x as f64 + y; } x ^ y as i64 }
    }
    check_mem! {
        |s, t, w, a, b, i| { let mut x = a; x = s[i] - x; x = x * s[0]; x = s[(x & 3) as usize] + 1; x = x + t[i] as i64; s[i] = x; x = x - s[i]; x }
        |s, t, w, a, b, i| { let mut j = i; j = j & 3; j = t[j] as usize & 3; j = (s[j] as usize ^ j) & 3; s[j] = a; j = j + 1; s[j & 3] + j as i64 }
        |s, t, w, a, b, i| { let mut x = a; for k in 0..s.len() { x = x + s[k] * { x += 1; x }; s[k] = x; } x }
    }
}

#[test]
fn memory() {
    check_mem! {
        |s, t, w, a, b, i| { s[i] }
        |s, t, w, a, b, i| { s[i] = a; s[0] + s[i] }
        |s, t, w, a, b, i| { s[i] += a; s[i] -= 3; s[i] *= 5; s[i] ^= s[0]; s[i] |= 1; s[i] &= 0xff; s[i] <<= 3; s[i] >>= 1; s[i] }
        |s, t, w, a, b, i| { t[i] += b; t[i] -= 3; t[i] *= 5; t[i] ^= t[0]; t[i] |= 1; t[i] &= 0x7f; t[i] <<= 3; t[i] >>= 1; t[i] as i64 }
        |s, t, w, a, b, i| { t[i] /= b; t[i] %= 7; s[i] /= a; s[i] %= 10; s[i] }
        |s, t, w, a, b, i| { w[i] += 1.5; w[i] *= w[0]; w[i] -= b as f32; w[i] /= 3.0; w[i] %= 2.5; w[i] as i64 }
        |s, t, w, a, b, i| { s[i] + { s[i] = a; s[i] } * { s[0] += 1; s[0] } }
        |s, t, w, a, b, i| { let x = s[i]; s[i] = 9; let y = s[i]; s[i] = x; x - y }
        |s, t, w, a, b, i| { s[i] = s[i ^ 1] + s[i & 1]; s[i ^ 1] = s[i] * 2; s[i] }
        |s, t, w, a, b, i| { s[{ let j = i; j & 3 }] = { s[0] = a; a + 1 }; s[0] }
        |s, t, w, a, b, i| { let mut j = i & 3; s[j] = { j = 1; a }; s[j] += { j = 2; 5 }; s[j] }
        |s, t, w, a, b, i| { let mut n = 0; for k in 0..s.len() { if s[k] < a { n += s[k] } else { s[k] = n } } n }
        |s, t, w, a, b, i| { let mut n = 0; for k in i & 3..t.len() { n = n * 3 + t[k] as i64; t[k] = (n as u8) ^ b; } n }
        |s, t, w, a, b, i| { s[t[i] as usize & 3] + s[s[i] as usize & 3] * t[s[i & 3] as usize & 3] as i64 }
        |s, t, w, a, b, i| { s[(t[i & 3] / (b | 1)) as usize] = (t[1] % 7) as i64; s[0] }
        |s, t, w, a, b, i| { (s[0] < s[i]) as i64 + (t[i] == b) as i64 * 2 + (w[i] > 0.0) as i64 * 4 + (s[i] as i32 == a as i32) as i64 * 8 }
        |s, t, w, a, b, i| { (t[i] as i8 as i64) + (s[i] as u8 as i64) + (s[i] as i16 as i64) + (s[i] as u32 as i64) }
        |s, t, w, a, b, i| { if s[i] & 1 == 0 && t[i] & 4 != 0 || s[i] % 8 == 0 { s[i] += 1 } s[i] }
        |s, t, w, a, b, i| { let mut k = 0; while k < s.len() && s[k] != a { k += 1; } k as i64 }
        |s, t, w, a, b, i| { w[i] = (s[i] as f32).min(w[0]).max(-w[1]); w[i].to_bits() as i64 }
        |s, t, w, a, b, i| { s[i] = s[0].min(s[1]).max(s[i]).rotate_left(t[i] as u32 & 63); s[i].count_ones() as i64 + t[i].leading_zeros() as i64 }
        |s, t, w, a, b, i| { for k in 0..s.len() { for l in k + 1..s.len() { if s[l] < s[k] { let x = s[k]; s[k] = s[l]; s[l] = x; } } } s[0] }
        |s, t, w, a, b, i| { s.len() as i64 * 100 + t.len() as i64 + (w.is_empty() as i64) + s[s.len() - 1] }
        |s, t, w, a, b, i| { s[0] = 10; s[1] = 20; s[2] = s[0] / s[1]; s[3] = 1 / s[i]; s[i] }
        |s, t, w, a, b, i| { t[0] = -(t[i] as i8) as u8; t[1] = !t[i]; t[2] = t[i].swap_bytes(); t[3] = t[i].rotate_right(3); (t[0] ^ t[1]) as i64 }
        |s, t, w, a, b, i| { s[1] = 5 + a * (s[i] - (s[0] - (s[1] - (s[2] - (s[3] - (a - (s[0] * s[1] - (s[2] * s[3] - (s[i] * 3 - (s[0] << (t[i] & 7)) - (s[1] >> (t[0] & 7))))))))))); s[1] }
    }
}
