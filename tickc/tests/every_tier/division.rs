//! Division, remainder and tests for multiples by run-time constants, against Rust: all divisors and dividends of 8 bits, the
//! edges and random ones of the wider types.
#![forbid(unsafe_code)]
#![allow(clippy::all, reason = "divisors and dividends are written alike for all types")]

#[path = "../support/mod.rs"]
mod support;

use tickc::prelude::*;

/// What is expected of one dividend: `None` where Rust panics.
macro_rules! check_divisor {
    ($t:ident $divisor:expr, $dividends:expr) => {{
        let d: $t = $divisor;
        let jit = support::jit();
        let quotient = jit.compile(tick!(|x: $t| -> $t { x / lift!(d) })).unwrap();
        let remainder = jit.compile(tick!(|x: $t| -> $t { x % lift!(d) })).unwrap();
        let floor = jit.compile(tick!(|x: $t| -> $t { x.div_euclid(lift!(d)) })).unwrap();
        let modulus = jit.compile(tick!(|x: $t| -> $t { x.rem_euclid(lift!(d)) })).unwrap();
        let multiple = jit.compile(tick!(|x: $t| -> bool { x % lift!(d) == 0 })).unwrap();
        // Both at once, in place and among other values, so that rax and rdx are taken.
        let mixed = jit
            .compile(tick!(|x: $t, a: $t, b: $t| -> $t {
                let mut y = x;
                y /= lift!(d);
                let mut z = x;
                z = z % lift!(d);
                (a ^ y) + (b ^ z) * (x / lift!(d) + a) + b
            }))
            .unwrap();
        for x in $dividends {
            let x: $t = x;
            let case = |f: &str| format!("{x} by {d} as {}\n{f}", stringify!($t));
            assert_eq!(quotient.try_call(x).ok(), x.checked_div(d), "{}", case(&quotient.disassemble()));
            assert_eq!(remainder.try_call(x).ok(), x.checked_rem(d), "{}", case(&remainder.disassemble()));
            assert_eq!(floor.try_call(x).ok(), x.checked_div_euclid(d), "{}", case(&floor.disassemble()));
            assert_eq!(modulus.try_call(x).ok(), x.checked_rem_euclid(d), "{}", case(&modulus.disassemble()));
            let is_multiple = x.checked_rem(d).map(|r| r == 0);
            assert_eq!(multiple.try_call(x).ok(), is_multiple, "{}", case(&multiple.disassemble()));
            let expected = x.checked_div(d).map(|q| {
                let (a, b): ($t, $t) = (5, 77);
                (a ^ q).wrapping_add((b ^ (x % d)).wrapping_mul(q.wrapping_add(a))).wrapping_add(b)
            });
            assert_eq!(mixed.try_call(x, 5, 77).ok(), expected, "{}", case(&mixed.disassemble()));
        }
    }};
}

#[test]
fn every_divisor_and_dividend_of_8_bits() {
    for d in u8::MIN..=u8::MAX {
        check_divisor!(u8 d, u8::MIN..=u8::MAX);
    }
    for d in i8::MIN..=i8::MAX {
        check_divisor!(i8 d, i8::MIN..=i8::MAX);
    }
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    /// A number with a random number of bits.
    fn any_length(&mut self) -> u64 {
        let bits = self.next() % 64;
        self.next() >> bits
    }
}

macro_rules! edges_and_random {
    ($($name:ident $t:ident;)*) => {$(
        #[test]
        fn $name() {
            let mut random = Random(0x9e37_79b9_7f4a_7c15);
            let mut divisors: Vec<$t> = vec![0, 1, 2, 3, 5, 6, 7, 9, 10, 11, 12, 25, 60, 100, 125, 641, 1000, $t::MAX, $t::MAX - 1, $t::MIN];
            divisors.extend([$t::MIN.wrapping_add(1), ($t::MAX / 2).wrapping_add(1), $t::MAX / 2, $t::MAX / 3, 0 as $t]);
            for k in 0..$t::BITS {
                let power = (1 as $t).wrapping_shl(k);
                divisors.extend([power, power.wrapping_sub(1), power.wrapping_add(1), power.wrapping_neg(), power.wrapping_mul(3)]);
            }
            divisors.extend((0..40).map(|_| random.any_length() as $t));
            let negated: Vec<$t> = divisors.iter().map(|d| d.wrapping_neg()).collect();
            divisors.extend(negated);
            divisors.sort();
            divisors.dedup();
            assert!(divisors.len() > 100);
            for d in divisors {
                let mut dividends: Vec<$t> = vec![0, 1, 2, 3, $t::MAX, $t::MIN, $t::MAX - 1, $t::MIN.wrapping_add(1), $t::MAX / 2, $t::MIN / 2];
                for k in [1 as $t, 2, 3, 7, $t::MAX / if d == 0 { 1 } else { d.wrapping_add((d == (0 as $t).wrapping_sub(1)) as $t * 2) }] {
                    let multiple = d.wrapping_mul(k);
                    dividends.extend([multiple, multiple.wrapping_add(1), multiple.wrapping_sub(1), multiple.wrapping_neg()]);
                }
                dividends.extend((0..30).map(|_| random.any_length() as $t));
                check_divisor!($t d, dividends.iter().copied());
            }
        }
    )*};
}
edges_and_random! {
    divisors_of_u16 u16; divisors_of_i16 i16; divisors_of_u32 u32; divisors_of_i32 i32;
    divisors_of_u64 u64; divisors_of_i64 i64; divisors_of_usize usize; divisors_of_isize isize;
}

/// No division is left in the code, whatever the type and the divisor.
#[test]
fn nothing_divides() {
    macro_rules! check {
        ($($t:ident)*) => {$(
            for d in [3 as $t, 7, 10, 100, 8, $t::MAX, $t::MIN | 1, $t::MIN] {
                if d == 0 { continue }
                let f = support::jit().compile(tick!(|x: $t, y: $t, z: $t| -> $t {
                    x / lift!(d) + y % lift!(d) + z.rem_euclid(lift!(d)) * (x % lift!(d) == 0) as $t
                })).unwrap();
                assert!(!f.disassemble().contains("div"), "{}", f.disassemble());
            }
        )*};
    }
    check!(i8 u8 i16 u16 i32 u32 i64 u64 isize usize);
}

/// The code for the textbook divisors is the textbook's.
#[test]
fn code_of_divisions() {
    if support::tier() != Tier::OnePass {
        return; // Others have other instructions.
    }
    let jit = support::jit();
    let by_ten = jit.compile(tick!(|x: u32| -> u32 { x / 10 })).unwrap();
    assert_eq!(by_ten.stats().instructions, 5, "{}", by_ten.disassemble());
    let by_ten = jit.compile(tick!(|x: u64| -> u64 { x / 10 })).unwrap();
    assert!(by_ten.stats().instructions <= 6, "{}", by_ten.disassemble());
    let by_three = jit.compile(tick!(|x: i32| -> i32 { x / 3 })).unwrap();
    assert!(by_three.stats().instructions <= 8, "{}", by_three.disassemble());
    let by_eight = jit.compile(tick!(|x: i64| -> i64 { x.div_euclid(8) })).unwrap();
    assert_eq!(by_eight.stats().instructions, 3, "{}", by_eight.disassemble());
}
