//! What programs call: native functions, closures, and functions compiled before them, by another tier or their own.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tickc::prelude::*;
use tickc::{AnyVar, Type};

use crate::ast::RAW;
use crate::eval::Stop;
use crate::memory::{Memory, Rec};

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

/// What the programs of an engine call and have in common.
#[derive(Clone, Debug)]
pub struct Callees {
    /// Of the tier that compiles the programs, and of another one.
    pub compiled: [Compiled; 2],
    pub host: Hosts,
    /// What lies behind the raw pointer.
    pub raw: Rc<[Cell<u64>; RAW / 8]>,
}

impl Callees {
    /// Compiles the functions.
    ///
    /// # Errors
    /// If one of the two cannot.
    pub fn new(own: &Jit, other: &Jit) -> Result<Callees, Error> {
        let compiled = [Compiled::new(own)?, Compiled::new(other)?];
        let host = Hosts::new(compiled[0].quotient.clone());
        Ok(Callees { compiled, host, raw: Rc::default() })
    }

    /// The raw pointer.
    pub fn pointer(&self) -> *mut u8 {
        self.raw.as_ptr().cast_mut().cast()
    }

    /// Runs a program with what lies outside of its arguments: the memory behind the raw pointer, the journal.
    pub fn with<R>(&self, memory: &mut Memory, run: impl FnOnce(&mut Memory) -> R) -> R {
        for (word, bytes) in self.raw.iter().zip(memory.raw.as_chunks().0) {
            word.set(u64::from_ne_bytes(*bytes));
        }
        self.host.state.store(memory.journal, Ordering::Relaxed);
        let result = run(memory);
        for (word, bytes) in self.raw.iter().zip(memory.raw.as_chunks_mut().0) {
            *bytes = word.get().to_ne_bytes();
        }
        memory.journal = self.host.state.load(Ordering::Relaxed);
        result
    }
}

/// The closures, in the order of [`crate::ast::HOST`].
#[derive(Clone, Debug)]
#[allow(clippy::type_complexity, reason = "signatures as they are")]
pub struct Hosts {
    state: Arc<AtomicU64>,
    pub journal: HostFn<fn(i64) -> i64>,
    pub weigh: HostFn<fn(u8, f64, i16, f32) -> f64>,
    pub picky: HostFn<fn(u32) -> u32>,
    pub peek: HostFn<fn(Slice<i64>, Ref<Rec>, usize) -> i64>,
    pub dozen: HostFn<fn(i32, u8, f32, u64, bool, i8, f64, usize, u16, i64, isize, i32) -> i16>,
    pub again: HostFn<fn(i64, i64) -> i64>,
    /// Returns nothing.
    pub log: HostFn<fn(u8)>,
}

impl Hosts {
    fn new(quotient: Func<fn(i64, i64) -> i64>) -> Hosts {
        let state = Arc::new(AtomicU64::new(0));
        let note = |state: &Arc<AtomicU64>| {
            let state = Arc::clone(state);
            move |x: u64| {
                let now = noted(state.load(Ordering::Relaxed), x);
                state.store(now, Ordering::Relaxed);
                now
            }
        };
        let (journal, log) = (note(&state), note(&state));
        Hosts {
            journal: HostFn::new(move |x: i64| journal(x as u64) as i64),
            log: HostFn::new(move |x: u8| {
                log(x.into());
            }),
            state,
            weigh: HostFn::new(weigh),
            picky: HostFn::new(|x: u32| picky(x).unwrap_or_else(|x| resume_unwind(Box::new(x)))),
            peek: HostFn::new(peek),
            dozen: HostFn::new(dozen),
            again: HostFn::new(move |a: i64, b: i64| quotient.try_call(a, b).unwrap_or(-1)),
        }
    }
}

/// The journal after a number was noted.
pub fn noted(journal: u64, x: u64) -> u64 {
    journal.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(11) ^ x
}
fn weigh(a: u8, b: f64, c: i16, d: f32) -> f64 {
    f64::from(a) + b * f64::from(c) - f64::from(d)
}
/// Some numbers are refused, by a panic with the number.
fn picky(x: u32) -> Result<u32, u32> {
    if x % 8 == 5 { Err(x) } else { Ok(x.wrapping_mul(7)) }
}
fn peek(s: &[i64], r: &Rec, i: usize) -> i64 {
    s.get(i).map_or(i64::from(r.x), |&v| v ^ i64::from(r.a[3])).wrapping_sub(s.len() as i64)
}
#[allow(clippy::too_many_arguments, reason = "some of them go on the stack")]
fn dozen(a: i32, b: u8, c: f32, d: u64, e: bool, f: i8, g: f64, h: usize, i: u16, j: i64, k: isize, l: i32) -> i16 {
    let ints = [a.into(), b.into(), c as i64, d as i64, e.into(), f.into(), g as i64, h as i64, i.into(), j, k as i64];
    ints.iter().fold(i64::from(l), |s, &v| s.wrapping_mul(37).wrapping_add(v)) as i16
}

/// Calls a closure's meaning.
pub fn call_host(f: usize, a: &[u64], memory: &mut Memory) -> Result<u64, Stop> {
    let f32_of = |i: usize| f32::from_bits(a[i] as u32);
    let f64_of = |i: usize| f64::from_bits(a[i]);
    Ok(match f {
        0 => {
            memory.journal = noted(memory.journal, a[0]);
            memory.journal
        }
        1 => weigh(a[0] as u8, f64_of(1), a[2] as i16, f32_of(3)).to_bits(),
        2 => picky(a[0] as u32).map_err(Stop::Panic)?.into(),
        3 => peek(&memory.s, &memory.q[2], a[0] as usize) as u64,
        4 => dozen(
            a[0] as i32,
            a[1] as u8,
            f32_of(2),
            a[3],
            a[4] != 0,
            a[5] as i8,
            f64_of(6),
            a[7] as usize,
            a[8] as u16,
            a[9] as i64,
            a[10] as isize,
            a[11] as i32,
        ) as u64,
        _ => call_compiled(0, a, memory).unwrap_or(u64::MAX),
    })
}

/// The compiled functions, in the order of [`crate::ast::COMPILED`].
#[derive(Clone, Debug)]
#[allow(clippy::type_complexity, reason = "signatures as they are")]
pub struct Compiled {
    pub quotient: Func<fn(i64, i64) -> i64>,
    pub series: Func<fn(u32, f64) -> f64>,
    pub exchange: Func<fn(SliceMut<i64>, usize, i64) -> i64>,
    pub mix: Func<fn(i8, u16, bool, f32) -> u8>,
    /// One of a group.
    pub even: Func<fn(u32, i16) -> bool>,
    /// Made with its signature known at run time.
    pub dynamic: Func<fn(u16, f32, i64, isize) -> isize>,
}

impl Compiled {
    /// Compiles them.
    ///
    /// # Errors
    /// If `jit` cannot.
    pub fn new(jit: &Jit) -> Result<Compiled, Error> {
        let mut group = jit.group();
        let (even, odd) = (group.declare::<fn(u32, i16) -> bool>(), group.declare::<fn(i64, u32) -> bool>());
        group.define(
            even,
            tick!(|n: u32, k: i16| -> bool { if n & 31 == 0 { k > 0 } else { $odd(k as i64 + 1, (n & 31) - 1) } }),
        );
        group.define(
            odd,
            tick!(|k: i64, n: u32| -> bool { if n == 0 { k / (k + 3) == 0 } else { $even(n - 1, k as i16) } }),
        );
        let types = [Type::U16, Type::F32, Type::I64, Type::Isize];
        let dynamic = jit.compile_dyn(&types, Type::Isize, |params: &[AnyVar]| {
            let of = "the types are those";
            let (a, b) = (params[0].typed::<u16>().expect(of), params[1].typed::<f32>().expect(of));
            let (c, d) = (params[2].typed::<i64>().expect(of), params[3].typed::<isize>().expect(of));
            tick!((@a as isize - @b as isize) * @d ^ @c as isize).into()
        })?;
        Ok(Compiled {
            even: group.compile()?.get(even)?,
            dynamic: dynamic.typed()?,
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
        4 => {
            let (mut n, mut k) = (a[0] as u32 & 31, a[1] as i64);
            loop {
                if n == 0 {
                    break Ok((k as i16 > 0).into());
                }
                (n, k) = (n - 1, i64::from(k as i16) + 1);
                if n == 0 {
                    break if k == -3 { Err(Stop::DivisionByZero) } else { Ok((k / (k + 3) == 0).into()) };
                }
                n = (n - 1) & 31;
            }
        }
        5 => {
            let difference = (a[0] as isize).wrapping_sub(f32::from_bits(a[1] as u32) as isize);
            Ok((difference.wrapping_mul(a[3] as isize) ^ a[2] as isize) as u64)
        }
        _ if a[2] != 0 => Err(Stop::Code(a[1] as u32)),
        _ => {
            let d = f32::from_bits(a[3] as u32) as u8;
            Ok(u64::from((a[0] as u8).wrapping_mul(3).wrapping_add(a[1] as u8).wrapping_add(d)))
        }
    }
}
