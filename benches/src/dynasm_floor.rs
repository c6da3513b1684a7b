//! Yardstick 2: `dynasm!` into the bump buffer, registers fixed by hand.
//!
//! The same instructions as yardstick 1 in the same registers, but encoded by the macro
//! in line: with fixed registers most of an instruction is a constant. Jumps are
//! patched here (dynasmrt's own labels cost more than the instructions).
//!
//! Cost: one to three stores per instruction, no call.
#![allow(clippy::useless_conversion, reason = "the macro converts register numbers, whatever their type")]

use std::hint::black_box;

use dynasmrt::{DynasmApi, dynasm};

use crate::assembled::assembled;
use crate::candidates::Candidate;
use crate::exec::Buf;
use crate::workloads::homes::{self, Home, POINTER, SCRATCH};
use crate::workloads::w2_horner::COEFFICIENTS;
use crate::workloads::w3_dot::CONSTANTS;
use crate::workloads::w4_query::QUERY;
use crate::workloads::w6_large::{Kind, OPS, Op, VARIABLES};
use crate::workloads::{Workload, w1_power, w5_loop};

/// The name of this tier in the report.
pub const TIER: &str = "floor-dynasm";

/// The candidates of this tier.
#[must_use]
pub fn candidates() -> Vec<Box<dyn Candidate>> {
    let homes = homes::allocate();
    let order = homes::load_order(&homes);
    vec![
        assembled::<1>(Workload::Empty, TIER, 16, |b| dynasm!(b; .arch x64; ret)),
        assembled::<1>(Workload::W1, TIER, 256, power),
        assembled::<1>(Workload::W2, TIER, 1024, horner),
        assembled::<1>(Workload::W3, TIER, 1024, dot),
        assembled::<1>(Workload::W4, TIER, 256, query),
        assembled::<1>(Workload::W5, TIER, 256, hash_loop),
        assembled::<1>(Workload::W6, TIER, 40_000, move |b| {
            large(b, black_box(&OPS), black_box(&homes), &order);
        }),
    ]
}

fn power(b: &mut Buf) {
    dynasm!(b; .arch x64; mov rax, rdi);
    let n = black_box(w1_power::EXPONENT);
    for bit in (0..n.ilog2()).rev() {
        dynasm!(b; .arch x64; imul rax, rax);
        if n >> bit & 1 == 1 {
            dynasm!(b; .arch x64; imul rax, rdi);
        }
    }
    dynasm!(b; .arch x64; ret);
}

fn horner(b: &mut Buf) {
    let [lower @ .., highest] = black_box(&COEFFICIENTS);
    dynasm!(b; .arch x64; mov rax, QWORD *highest);
    for c in lower.iter().rev() {
        dynasm!(b; .arch x64; imul rax, rdi; mov rcx, QWORD *c; add rax, rcx);
    }
    dynasm!(b; .arch x64; ret);
}

fn dot(b: &mut Buf) {
    dynasm!(b; .arch x64; xor eax, eax);
    for (i, c) in black_box(&CONSTANTS).iter().enumerate() {
        let c = *c as i32;
        if c == 0 {
            continue;
        }
        if let Ok(offset) = i8::try_from(8 * i) {
            dynasm!(b; .arch x64; imul rcx, [BYTE rdi + offset], c);
        } else {
            dynasm!(b; .arch x64; imul rcx, [rdi + 8 * i as i32], c);
        }
        dynasm!(b; .arch x64; add rax, rcx);
    }
    dynasm!(b; .arch x64; ret);
}

fn query(b: &mut Buf) {
    let q = black_box(&QUERY);
    // The macro's table has no `cmp r/m64, imm8` that can be reached: 32 bits it is.
    dynasm!(b; .arch x64; cmp QWORD [rdi], i32::from(q.a_above); jle BYTE 0);
    let not_a = b.len();
    dynasm!(b; .arch x64; cmp QWORD [BYTE rdi + 8], i32::from(q.b_most); jle BYTE 0);
    let left_holds = b.len();
    bind(b, not_a);
    dynasm!(b; .arch x64; cmp QWORD [BYTE rdi + 16], i32::from(q.c_is); jne BYTE 0);
    let not_c = b.len();
    dynasm!(b; .arch x64; cmp QWORD [BYTE rdi + 24], i32::from(q.d_not); je BYTE 0);
    let not_d = b.len();
    bind(b, left_holds);
    dynasm!(b; .arch x64
        ; mov rax, [BYTE rdi + 32]
        ; add rax, [BYTE rdi + 40]
        ; cmp rax, [BYTE rdi + 48]
        ; jg BYTE 0
    );
    let holds = b.len();
    dynasm!(b; .arch x64; test BYTE [BYTE rdi + 56], 1; jne BYTE 0);
    let odd = b.len();
    bind(b, holds);
    dynasm!(b; .arch x64; mov eax, 1; ret);
    bind(b, not_c);
    bind(b, not_d);
    bind(b, odd);
    dynasm!(b; .arch x64; xor eax, eax; ret);
}

fn hash_loop(b: &mut Buf) {
    let (factor, c) = (black_box(w5_loop::FACTOR), black_box(w5_loop::ADDEND));
    dynasm!(b; .arch x64; xor eax, eax; xor ecx, ecx; test rsi, rsi; jle BYTE 0);
    let none = b.len();
    dynasm!(b; .arch x64; mov rdx, QWORD c);
    let top = b.len();
    dynasm!(b; .arch x64
        ; imul rax, rax, BYTE factor
        ; xor rax, [rdi + rcx * 8]
        ; test al, 1
        ; je BYTE 0
    );
    let even = b.len();
    dynasm!(b; .arch x64; add rax, rdx);
    bind(b, even);
    dynasm!(b; .arch x64; inc rcx; cmp rcx, rsi; jl BYTE 0);
    let back = b.len();
    b.patch(back - 1, (top as isize - back as isize) as u8);
    bind(b, none);
    dynasm!(b; .arch x64; ret);
}

/// Lets the one-byte jump that ends at `jump` lead here.
#[inline(always)]
fn bind(b: &mut Buf, jump: usize) {
    let distance = b.len() - jump;
    debug_assert!(distance < 128);
    b.patch(jump - 1, distance as u8);
}

fn large(b: &mut Buf, ops: &[Op], homes: &[Home; VARIABLES], order: &[u8; VARIABLES]) {
    dynasm!(b; .arch x64; push rbx; push rbp; push r12; push r13; push r14; push r15);
    for v in order {
        let offset = 8 * i32::from(*v);
        match homes[usize::from(*v)] {
            Home::Register(r) => dynasm!(b; .arch x64; mov Rq(r), [Rq(POINTER) + offset]),
            Home::Stack(slot) => dynasm!(b; .arch x64
                ; mov rax, [Rq(POINTER) + offset]
                ; mov [BYTE rsp + slot], rax
            ),
        }
    }
    for op in ops {
        operation(b, *op, homes);
    }
    let [first, others @ ..] = homes;
    match *first {
        Home::Register(s) => dynasm!(b; .arch x64; mov rax, Rq(s)),
        Home::Stack(s) => dynasm!(b; .arch x64; mov rax, [BYTE rsp + s]),
    }
    for home in others {
        match *home {
            Home::Register(s) => dynasm!(b; .arch x64; xor rax, Rq(s)),
            Home::Stack(s) => dynasm!(b; .arch x64; xor rax, [BYTE rsp + s]),
        }
    }
    dynasm!(b; .arch x64; pop r15; pop r14; pop r13; pop r12; pop rbp; pop rbx; ret);
}

#[inline(always)]
fn operation(b: &mut Buf, op: Op, homes: &[Home; VARIABLES]) {
    let d = homes[usize::from(op.d)];
    if op.kind == Kind::Shl {
        let count = op.s as i8;
        return match d {
            Home::Register(d) => dynasm!(b; .arch x64; shl Rq(d), BYTE count),
            Home::Stack(d) => dynasm!(b; .arch x64; shl QWORD [BYTE rsp + d], BYTE count),
        };
    }
    match (d, homes[usize::from(op.s)]) {
        (Home::Register(d), Home::Register(s)) => match op.kind {
            Kind::Add => dynasm!(b; .arch x64; add Rq(d), Rq(s)),
            Kind::Sub => dynasm!(b; .arch x64; sub Rq(d), Rq(s)),
            Kind::Xor => dynasm!(b; .arch x64; xor Rq(d), Rq(s)),
            Kind::And => dynasm!(b; .arch x64; and Rq(d), Rq(s)),
            _ => dynasm!(b; .arch x64; imul Rq(d), Rq(s)),
        },
        (Home::Register(d), Home::Stack(s)) => match op.kind {
            Kind::Add => dynasm!(b; .arch x64; add Rq(d), [BYTE rsp + s]),
            Kind::Sub => dynasm!(b; .arch x64; sub Rq(d), [BYTE rsp + s]),
            Kind::Xor => dynasm!(b; .arch x64; xor Rq(d), [BYTE rsp + s]),
            Kind::And => dynasm!(b; .arch x64; and Rq(d), [BYTE rsp + s]),
            _ => dynasm!(b; .arch x64; imul Rq(d), [BYTE rsp + s]),
        },
        (Home::Stack(d), s) if op.kind == Kind::Mul => {
            dynasm!(b; .arch x64; mov rax, [BYTE rsp + d]);
            match s {
                Home::Register(s) => dynasm!(b; .arch x64; imul rax, Rq(s)),
                Home::Stack(s) => dynasm!(b; .arch x64; imul rax, [BYTE rsp + s]),
            }
            dynasm!(b; .arch x64; mov [BYTE rsp + d], rax);
        }
        (Home::Stack(d), s) => {
            let s = match s {
                Home::Register(s) => s,
                Home::Stack(s) => {
                    dynasm!(b; .arch x64; mov rax, [BYTE rsp + s]);
                    SCRATCH
                }
            };
            match op.kind {
                Kind::Add => dynasm!(b; .arch x64; add [BYTE rsp + d], Rq(s)),
                Kind::Sub => dynasm!(b; .arch x64; sub [BYTE rsp + d], Rq(s)),
                Kind::Xor => dynasm!(b; .arch x64; xor [BYTE rsp + d], Rq(s)),
                _ => dynasm!(b; .arch x64; and [BYTE rsp + d], Rq(s)),
            }
        }
    }
}
