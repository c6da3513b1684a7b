//! What programs call: native functions, and functions compiled before them, by another tier or their own.

use tickc::prelude::*;

use crate::eval::Stop;
use crate::memory::Memory;

pub extern "C" fn two(a: u64, b: u64) -> u64 {
    a.wrapping_mul(31).rotate_left(7) ^ b
}
pub extern "C" fn narrow(a: u8, b: i8, c: u16, d: i16, e: bool) -> i8 {
    (i64::from(a) + i64::from(b) * 3 + i64::from(c) * 5 + i64::from(d) * 7 + i64::from(e) * 11) as i8
}
pub extern "C" fn floats(a: f32, b: f64) -> f32 {
    (f64::from(a) * 0.5 - b) as f32
}
pub extern "C" fn ten(a: i64, b: f64, c: i32, d: f32, e: u8, f: i64, g: i64, h: i64, i: f64, j: i16) -> f64 {
    let ints = [a, i64::from(c), i64::from(e), f, g, h, i64::from(j)];
    let mix = ints.iter().fold(0i64, |s, &v| s.wrapping_mul(131).wrapping_add(v));
    mix as f64 + b * 2.0 + f64::from(d) * 4.0 - i
}
pub extern "C" fn twelve(
    a: i32,
    b: u8,
    c: i64,
    d: u16,
    e: i8,
    f: u32,
    g: usize,
    h: i16,
    i: u64,
    j: bool,
    k: f32,
    l: i32,
) -> i32 {
    let ints = [
        i64::from(a),
        i64::from(b),
        c,
        i64::from(d),
        i64::from(e),
        i64::from(f),
        g as i64,
        i64::from(h),
        i as i64,
        i64::from(j),
        k as i64,
        i64::from(l),
    ];
    ints.iter().fold(7i64, |s, &v| s.wrapping_mul(31).wrapping_add(v)) as i32
}

/// Calls a native function in ordinary Rust.
pub fn call_native(f: usize, a: &[u64]) -> u64 {
    let f32_of = |i: usize| f32::from_bits(a[i] as u32);
    let f64_of = |i: usize| f64::from_bits(a[i]);
    match f {
        0 => two(a[0], a[1]),
        1 => narrow(a[0] as u8, a[1] as i8, a[2] as u16, a[3] as i16, a[4] != 0) as u64,
        2 => u64::from(floats(f32_of(0), f64_of(1)).to_bits()),
        3 => {
            let result = ten(
                a[0] as i64,
                f64_of(1),
                a[2] as i32,
                f32_of(3),
                a[4] as u8,
                a[5] as i64,
                a[6] as i64,
                a[7] as i64,
                f64_of(8),
                a[9] as i16,
            );
            result.to_bits()
        }
        _ => twelve(
            a[0] as i32,
            a[1] as u8,
            a[2] as i64,
            a[3] as u16,
            a[4] as i8,
            a[5] as u32,
            a[6] as usize,
            a[7] as i16,
            a[8],
            a[9] != 0,
            f32_of(10),
            a[11] as i32,
        ) as u64,
    }
}

/// The compiled functions, in the order of [`crate::ast::COMPILED`].
#[derive(Clone, Debug)]
#[allow(clippy::type_complexity, reason = "signatures as they are")]
pub struct Compiled {
    pub quotient: Func<fn(i64, i64) -> i64>,
    pub series: Func<fn(u32, f64) -> f64>,
    pub exchange: Func<fn(SliceMut<i64>, usize, i64) -> i64>,
    pub mix: Func<fn(i8, u16, bool, f32) -> u8>,
}

impl Compiled {
    /// Compiles them.
    ///
    /// # Errors
    /// If `jit` cannot.
    pub fn new(jit: &Jit) -> Result<Compiled, Error> {
        Ok(Compiled {
            quotient: jit.compile(tick!(|a: i64, b: i64| -> i64 { a / b + a % 7 }))?,
            series: jit.compile(tick!(
                fn series(n: u32, x: f64) -> f64 {
                    if n & 15 == 0 { x } else { series((n & 15) - 1, x * 0.5) + n as f64 }
                }
            ))?,
            exchange: jit.compile(tick!(|s: SliceMut<i64>, i: usize, v: i64| -> i64 {
                let old = s[i];
                s[i] = v;
                old
            }))?,
            mix: jit.compile(tick!(|a: i8, b: u16, c: bool, d: f32| -> u8 {
                if c {
                    trap(b as u32)
                }
                a as u8 * 3 + b as u8 + d as u8
            }))?,
        })
    }
}

/// Calls a compiled function's meaning in ordinary Rust.
pub fn call_compiled(f: usize, a: &[u64], memory: &mut Memory) -> Result<u64, Stop> {
    match f {
        0 => {
            let (a, b) = (a[0] as i64, a[1] as i64);
            match a.checked_div(b) {
                Some(quotient) => Ok(quotient.wrapping_add(a % 7) as u64),
                None if b == 0 => Err(Stop::DivisionByZero),
                None => Err(Stop::DivisionOverflow),
            }
        }
        1 => {
            fn series(n: u32, x: f64) -> f64 {
                if n & 15 == 0 { x } else { series((n & 15) - 1, x * 0.5) + f64::from(n) }
            }
            Ok(series(a[0] as u32, f64::from_bits(a[1])).to_bits())
        }
        2 => {
            let place = memory.s.get_mut(a[0] as usize).ok_or(Stop::Index)?;
            Ok(std::mem::replace(place, a[1] as i64) as u64)
        }
        _ if a[2] != 0 => Err(Stop::Code(a[1] as u32)),
        _ => {
            let d = f32::from_bits(a[3] as u32) as u8;
            Ok(u64::from((a[0] as u8).wrapping_mul(3).wrapping_add(a[1] as u8).wrapping_add(d)))
        }
    }
}
