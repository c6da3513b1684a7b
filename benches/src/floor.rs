//! Yardstick 1: the floor with one real call per instruction.
//!
//! An assembler of the simplest kind: a function for each form of instruction, never
//! inlined, that stores its bytes and moves the cursor. Who calls it has chosen the
//! registers. No code generator that is called once per instruction can be cheaper; its
//! code is also the *hand-allocated* column of the report.
//!
//! Cost: one call and one or two stores per instruction.

use std::hint::black_box;

use crate::assembled::assembled;
use crate::candidates::Candidate;
use crate::exec::Buf;
use crate::workloads::homes::{self, Home, POINTER, SAVED, SCRATCH};
use crate::workloads::w2_horner::COEFFICIENTS;
use crate::workloads::w3_dot::CONSTANTS;
use crate::workloads::w4_query::QUERY;
use crate::workloads::w6_large::{Kind, OPS, Op, VARIABLES};
use crate::workloads::{Workload, w1_power, w5_loop};

/// The name of this tier in the report.
pub const TIER: &str = "floor-calls";

/// The candidates of this tier.
#[must_use]
pub fn candidates() -> Vec<Box<dyn Candidate>> {
    keep_general();
    let homes = homes::allocate();
    let order = homes::load_order(&homes);
    vec![
        assembled::<0>(Workload::Empty, TIER, 16, ret),
        assembled::<0>(Workload::W1, TIER, 256, power),
        assembled::<0>(Workload::W2, TIER, 1024, horner),
        assembled::<0>(Workload::W3, TIER, 1024, dot),
        assembled::<0>(Workload::W4, TIER, 256, query),
        assembled::<0>(Workload::W5, TIER, 256, hash_loop),
        assembled::<0>(Workload::W6, TIER, 40_000, move |b| {
            large(b, black_box(&OPS), black_box(&homes), &order);
        }),
    ]
}

// ---------------------------------------------------------------- the generators

fn power(b: &mut Buf) {
    mov_rr(b, RAX, RDI);
    let n = black_box(w1_power::EXPONENT);
    for bit in (0..n.ilog2()).rev() {
        imul_rr(b, RAX, RAX);
        if n >> bit & 1 == 1 {
            imul_rr(b, RAX, RDI);
        }
    }
    ret(b);
}

fn horner(b: &mut Buf) {
    let [lower @ .., highest] = black_box(&COEFFICIENTS);
    mov_ri64(b, RAX, *highest);
    for c in lower.iter().rev() {
        imul_rr(b, RAX, RDI);
        mov_ri64(b, RCX, *c);
        add_rr(b, RAX, RCX);
    }
    ret(b);
}

fn dot(b: &mut Buf) {
    zero(b, RAX);
    for (i, c) in black_box(&CONSTANTS).iter().enumerate() {
        if *c != 0 {
            imul_rmi(b, RCX, RDI, 8 * i as i32, *c as i32);
            add_rr(b, RAX, RCX);
        }
    }
    ret(b);
}

fn query(b: &mut Buf) {
    let q = black_box(&QUERY);
    cmp_mi(b, RDI, 0, q.a_above);
    let not_a = jump_if(b, LE);
    cmp_mi(b, RDI, 8, q.b_most);
    let left_holds = jump_if(b, LE);
    bind(b, not_a);
    cmp_mi(b, RDI, 16, q.c_is);
    let not_c = jump_if(b, NE);
    cmp_mi(b, RDI, 24, q.d_not);
    let not_d = jump_if(b, E);
    bind(b, left_holds);
    mov_rm(b, RAX, RDI, 32);
    add_rm(b, RAX, RDI, 40);
    cmp_rm(b, RAX, RDI, 48);
    let holds = jump_if(b, G);
    test_mi(b, RDI, 56, 1);
    let odd = jump_if(b, NE);
    bind(b, holds);
    mov_ri32(b, RAX, 1);
    ret(b);
    bind(b, not_c);
    bind(b, not_d);
    bind(b, odd);
    zero(b, RAX);
    ret(b);
}

fn hash_loop(b: &mut Buf) {
    zero(b, RAX);
    zero(b, RCX);
    test_rr(b, RSI, RSI);
    let none = jump_if(b, LE);
    mov_ri64(b, RDX, black_box(w5_loop::ADDEND));
    let top = b.len();
    imul_rri(b, RAX, RAX, black_box(w5_loop::FACTOR));
    xor_rx(b, RAX, RDI, RCX);
    test_ri(b, RAX, 1);
    let even = jump_if(b, E);
    add_rr(b, RAX, RDX);
    bind(b, even);
    inc(b, RCX);
    cmp_rr(b, RCX, RSI);
    jump_back_if(b, L, top);
    bind(b, none);
    ret(b);
}

fn large(b: &mut Buf, ops: &[Op], homes: &[Home; VARIABLES], order: &[u8; VARIABLES]) {
    for r in SAVED {
        push(b, r);
    }
    for v in order {
        let offset = 8 * i32::from(*v);
        match homes[usize::from(*v)] {
            Home::Register(r) => mov_rm(b, r, POINTER, offset),
            Home::Stack(slot) => {
                mov_rm(b, SCRATCH, POINTER, offset);
                mov_sr(b, slot, SCRATCH);
            }
        }
    }
    for op in ops {
        let d = homes[usize::from(op.d)];
        if op.kind == Kind::Shl {
            match d {
                Home::Register(d) => shl_ri(b, d, op.s),
                Home::Stack(d) => shl_si(b, d, op.s),
            }
            continue;
        }
        match (d, homes[usize::from(op.s)]) {
            (Home::Register(d), Home::Register(s)) => match op.kind {
                Kind::Add => add_rr(b, d, s),
                Kind::Sub => sub_rr(b, d, s),
                Kind::Xor => xor_rr(b, d, s),
                Kind::And => and_rr(b, d, s),
                _ => imul_rr(b, d, s),
            },
            (Home::Register(d), Home::Stack(s)) => match op.kind {
                Kind::Add => add_rs(b, d, s),
                Kind::Sub => sub_rs(b, d, s),
                Kind::Xor => xor_rs(b, d, s),
                Kind::And => and_rs(b, d, s),
                _ => imul_rs(b, d, s),
            },
            (Home::Stack(d), s) if op.kind == Kind::Mul => {
                mov_rs(b, SCRATCH, d);
                match s {
                    Home::Register(s) => imul_rr(b, SCRATCH, s),
                    Home::Stack(s) => imul_rs(b, SCRATCH, s),
                }
                mov_sr(b, d, SCRATCH);
            }
            (Home::Stack(d), s) => {
                let s = match s {
                    Home::Register(s) => s,
                    Home::Stack(s) => {
                        mov_rs(b, SCRATCH, s);
                        SCRATCH
                    }
                };
                match op.kind {
                    Kind::Add => add_sr(b, d, s),
                    Kind::Sub => sub_sr(b, d, s),
                    Kind::Xor => xor_sr(b, d, s),
                    _ => and_sr(b, d, s),
                }
            }
        }
    }
    let [first, others @ ..] = homes;
    match *first {
        Home::Register(s) => mov_rr(b, SCRATCH, s),
        Home::Stack(s) => mov_rs(b, SCRATCH, s),
    }
    for home in others {
        match *home {
            Home::Register(s) => xor_rr(b, SCRATCH, s),
            Home::Stack(s) => xor_rs(b, SCRATCH, s),
        }
    }
    for r in SAVED.into_iter().rev() {
        pop(b, r);
    }
    ret(b);
}

// ---------------------------------------------------------------- the assembler
//
// Names: r register, m [register + displacement], x [register + register*8],
// s [rsp + byte], i immediate; destination first.

type Reg = u8;
const RAX: Reg = 0;
const RCX: Reg = 1;
const RDX: Reg = 2;
const RSI: Reg = 6;
const RDI: Reg = 7;

type Condition = u8;
const E: Condition = 4;
const NE: Condition = 5;
const L: Condition = 12;
const LE: Condition = 14;
const G: Condition = 15;

/// A forward jump whose distance is not known yet: the end of its one-byte field.
#[derive(Clone, Copy)]
struct Jump(usize);

/// REX.W with the high bits of `reg` and `rm`, opcode, and ModRM for two registers.
#[inline(always)]
fn rr(b: &mut Buf, opcode: u32, reg: Reg, rm: Reg) {
    let (reg, rm) = (u32::from(reg), u32::from(rm));
    let rex = 0x48 | reg >> 3 << 2 | rm >> 3;
    let modrm = 0xc0 | (reg & 7) << 3 | rm & 7;
    b.put(rex | opcode << 8 | modrm << 16, 3);
}

/// `[base + displacement]`, `base` neither `rsp` nor `r12`.
#[inline(always)]
fn rm(b: &mut Buf, opcode: u32, reg: Reg, base: Reg, displacement: i32) {
    debug_assert!(base & 7 != 4);
    let (reg, base) = (u32::from(reg), u32::from(base));
    let rex = 0x48 | reg >> 3 << 2 | base >> 3;
    let modrm = (reg & 7) << 3 | base & 7;
    let head = rex | opcode << 8;
    if let Ok(byte) = i8::try_from(displacement) {
        b.put(head | (0x40 | modrm) << 16 | u32::from(byte as u8) << 24, 4);
    } else {
        b.put(head | (0x80 | modrm) << 16, 3);
        b.put(displacement, 4);
    }
}

/// `[rsp + slot]`.
#[inline(always)]
fn rs(b: &mut Buf, opcode: u32, reg: Reg, slot: i8) {
    let reg = u32::from(reg);
    let rex = 0x48 | reg >> 3 << 2;
    let modrm = 0x44 | (reg & 7) << 3;
    b.put(rex | opcode << 8 | modrm << 16 | 0x24 << 24, 4);
    b.put(slot, 1);
}

/// Defines the assembler's functions, and `keep_general`, which lets their addresses
/// escape: the compiler may then not specialise one to the arguments of its few callers.
macro_rules! instructions {
    ($(fn $name:ident($b:ident $(, $arg:ident: $type:ty)*) $(-> $result:ty)? $body:block)*) => {
        $(
            #[inline(never)]
            fn $name($b: &mut Buf $(, $arg: $type)*) $(-> $result)? $body
        )*

        fn keep_general() {
            $(black_box($name as fn(&mut Buf $(, $type)*) $(-> $result)?);)*
        }
    };
}

instructions! {
    fn mov_rr(b, d: Reg, s: Reg) { rr(b, 0x89, s, d); }
    fn mov_ri64(b, d: Reg, value: i64) {
        let d = u16::from(d);
        b.put(0x48 | d >> 3 | (0xb8 | d & 7) << 8, 2);
        b.put(value, 8);
    }
    fn mov_ri32(b, d: Reg, value: i32) {
        debug_assert!(d < 8);
        b.put(0xb8 | d, 1);
        b.put(value, 4);
    }
    fn zero(b, d: Reg) {
        debug_assert!(d < 8);
        b.put(0xc031 | u16::from(d) << 8 | u16::from(d) << 11, 2);
    }
    fn mov_rm(b, d: Reg, base: Reg, offset: i32) { rm(b, 0x8b, d, base, offset); }
    fn mov_rs(b, d: Reg, slot: i8) { rs(b, 0x8b, d, slot); }
    fn mov_sr(b, slot: i8, s: Reg) { rs(b, 0x89, s, slot); }

    fn add_rr(b, d: Reg, s: Reg) { rr(b, 0x01, s, d); }
    fn add_rm(b, d: Reg, base: Reg, offset: i32) { rm(b, 0x03, d, base, offset); }
    fn add_rs(b, d: Reg, slot: i8) { rs(b, 0x03, d, slot); }
    fn add_sr(b, slot: i8, s: Reg) { rs(b, 0x01, s, slot); }
    fn sub_rr(b, d: Reg, s: Reg) { rr(b, 0x29, s, d); }
    fn sub_rs(b, d: Reg, slot: i8) { rs(b, 0x2b, d, slot); }
    fn sub_sr(b, slot: i8, s: Reg) { rs(b, 0x29, s, slot); }
    fn xor_rr(b, d: Reg, s: Reg) { rr(b, 0x31, s, d); }
    fn xor_rs(b, d: Reg, slot: i8) { rs(b, 0x33, d, slot); }
    fn xor_sr(b, slot: i8, s: Reg) { rs(b, 0x31, s, slot); }
    fn xor_rx(b, d: Reg, base: Reg, index: Reg) {
        debug_assert!(base & 7 != 5 && index != 4);
        let (d, base, index) = (u32::from(d), u32::from(base), u32::from(index));
        let rex = 0x48 | d >> 3 << 2 | index >> 3 << 1 | base >> 3;
        let sib = 3 << 6 | (index & 7) << 3 | base & 7;
        b.put(rex | 0x33 << 8 | (4 | (d & 7) << 3) << 16 | sib << 24, 4);
    }
    fn and_rr(b, d: Reg, s: Reg) { rr(b, 0x21, s, d); }
    fn and_rs(b, d: Reg, slot: i8) { rs(b, 0x23, d, slot); }
    fn and_sr(b, slot: i8, s: Reg) { rs(b, 0x21, s, slot); }

    fn imul_rr(b, d: Reg, s: Reg) {
        let (d, s) = (u32::from(d), u32::from(s));
        let rex = 0x48 | d >> 3 << 2 | s >> 3;
        b.put(rex | 0xaf_0f << 8 | (0xc0 | (d & 7) << 3 | s & 7) << 24, 4);
    }
    fn imul_rs(b, d: Reg, slot: i8) {
        let d = u32::from(d);
        let rex = 0x48 | d >> 3 << 2;
        b.put(rex | 0xaf_0f << 8 | (0x44 | (d & 7) << 3) << 24, 4);
        b.put(0x24 | u16::from(slot as u8) << 8, 2);
    }
    fn imul_rri(b, d: Reg, s: Reg, factor: i8) {
        rr(b, 0x6b, d, s);
        b.put(factor, 1);
    }
    fn imul_rmi(b, d: Reg, base: Reg, offset: i32, factor: i32) {
        rm(b, 0x69, d, base, offset);
        b.put(factor, 4);
    }
    fn shl_ri(b, d: Reg, count: u8) {
        rr(b, 0xc1, 4, d);
        b.put(count, 1);
    }
    fn shl_si(b, slot: i8, count: u8) {
        rs(b, 0xc1, 4, slot);
        b.put(count, 1);
    }
    fn inc(b, d: Reg) { rr(b, 0xff, 0, d); }

    fn cmp_rr(b, x: Reg, y: Reg) { rr(b, 0x39, y, x); }
    fn cmp_rm(b, x: Reg, base: Reg, offset: i32) { rm(b, 0x3b, x, base, offset); }
    fn cmp_mi(b, base: Reg, offset: i32, value: i8) {
        rm(b, 0x83, 7, base, offset);
        b.put(value, 1);
    }
    fn test_rr(b, x: Reg, y: Reg) { rr(b, 0x85, y, x); }
    fn test_ri(b, x: Reg, bits: u8) {
        debug_assert!(x < 4);
        b.put(0xc0_f6 | u32::from(x) << 8 | u32::from(bits) << 16, 3);
    }
    fn test_mi(b, base: Reg, offset: i8, bits: u8) {
        debug_assert!(base & 7 != 4 && base < 8);
        let address = (0x40 | u32::from(base)) << 8 | u32::from(offset as u8) << 16;
        b.put(0xf6 | address | u32::from(bits) << 24, 4);
    }

    fn jump_if(b, condition: Condition) -> Jump {
        b.put(0x70 | u16::from(condition), 2);
        Jump(b.len())
    }
    fn bind(b, jump: Jump) {
        let distance = b.len() - jump.0;
        debug_assert!(distance < 128);
        b.patch(jump.0 - 1, distance as u8);
    }
    fn jump_back_if(b, condition: Condition, target: usize) {
        let distance = target as isize - (b.len() as isize + 2);
        debug_assert!(distance >= -128);
        b.put(0x70 | u16::from(condition) | u16::from(distance as u8) << 8, 2);
    }
    fn push(b, r: Reg) {
        b.put(0x50_40 | u16::from(r) >> 3 | u16::from(r & 7) << 8, 2);
    }
    fn pop(b, r: Reg) {
        b.put(0x58_40 | u16::from(r) >> 3 | u16::from(r & 7) << 8, 2);
    }
    fn ret(b) { b.put(0xc3_u8, 1); }
}
