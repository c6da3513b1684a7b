//! What programs read and write besides their variables, and what they are called with.

use tickc::prelude::*;

use crate::ast::{Program, RAW, Ty};
use crate::eval;

/// The record of every program, and the element of its slice `q`.
#[derive(Clone, Copy, Debug, Record)]
pub struct Rec {
    pub x: i32,
    pub y: u8,
    pub z: f64,
    pub a: [i16; 4],
    pub flag: bool,
}

/// The memory of a program.
#[derive(Clone, Debug)]
pub struct Memory {
    pub s: Vec<i64>,
    pub t: Vec<u8>,
    pub w: Vec<f32>,
    pub q: Vec<Rec>,
    pub record: Rec,
    /// What lies behind the raw pointer.
    pub raw: [u8; RAW],
    /// What the closure has noted that is called with numbers: a hash, which depends on their order.
    pub journal: u64,
}

/// Arguments, as canonical bits, and memory.
pub type Input = (Vec<u64>, Memory);

/// What a program is called with; several, so that both ways of a branch are seen.
pub fn inputs(program: &Program) -> Vec<Input> {
    let ints = [5u64, 0, u64::MAX, 0x8000_0000_8000_8080, 3];
    let floats = [1.5, -0.0, f64::NAN, 1e10, -3.25];
    (0..ints.len())
        .map(|k| {
            let args = program.params.scalars().iter().enumerate().map(|(i, &ty)| match ty {
                Ty::F32 => u64::from((floats[(k + i) % 5] as f32).to_bits()),
                Ty::F64 => floats[(k + i) % 5].to_bits(),
                _ => eval::canonical(ty, ints[(k + i) % 5].wrapping_add(i as u64)),
            });
            let rec = |n: usize| {
                let x = (n as i32 * 7 - 7) ^ k as i32;
                Rec {
                    x,
                    y: 200 + n as u8,
                    z: floats[(k + n) % 5],
                    a: [3, -4, i16::MIN, 77],
                    flag: (k + n).is_multiple_of(2),
                }
            };
            let memory = Memory {
                s: vec![3, -1, i64::MIN, 77][..4 - k / 4].to_vec(),
                t: vec![1, 255, 128, 7],
                w: vec![0.5, -2.0, 1e9, f32::INFINITY],
                q: (1..5).map(rec).collect(),
                record: rec(0),
                raw: std::array::from_fn(|i| (i * i * 37 + k * 11) as u8),
                journal: k as u64,
            };
            (args.collect(), memory)
        })
        .collect()
}

/// Whether two results are the same: any NaN is as good as another.
pub fn same(ty: Ty, a: u64, b: u64) -> bool {
    match ty {
        Ty::F32 => same_float(f64::from(f32::from_bits(a as u32)), f64::from(f32::from_bits(b as u32))),
        Ty::F64 => same_float(f64::from_bits(a), f64::from_bits(b)),
        _ => a == b,
    }
}

fn same_float(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

fn same_record(r: &Rec, q: &Rec) -> bool {
    (r.x, r.y, r.a, r.flag) == (q.x, q.y, q.a, q.flag) && same_float(r.z, q.z)
}

/// Whether two memories are the same.
pub fn same_memory(a: &Memory, b: &Memory) -> bool {
    a.s == b.s
        && a.t == b.t
        && a.w.iter().zip(&b.w).all(|(&a, &b)| same_float(a.into(), b.into()))
        && a.q.iter().zip(&b.q).all(|(a, b)| same_record(a, b))
        && same_record(&a.record, &b.record)
        && (a.raw, a.journal) == (b.raw, b.journal)
}
