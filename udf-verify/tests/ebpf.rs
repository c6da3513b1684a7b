//! eBPF's arithmetic, jumps and loads, as RFC 9669 defines them, in every engine. The model is independent: 128-bit arithmetic
//! and Rust's signed types, where the lowering has masks and shifts.
mod common;

use common::{Engines, generate::EDGES, jits};
use tickc::Jit;
use udf_verify::ebpf::{Error, OUT_OF_FUEL, lower};
use udf_verify::{FaultCode, Inputs, Status};

/// An instruction as bytes.
fn inst(opcode: u8, dst: u8, src: u8, offset: i16, imm: i32) -> Vec<u8> {
    [&[opcode, src << 4 | dst][..], &offset.to_le_bytes(), &imm.to_le_bytes()].concat()
}

fn lddw(dst: u8, value: u64) -> Vec<u8> {
    [inst(0x18, dst, 0, 0, value as i32), inst(0, 0, 0, 0, (value >> 32) as i32)].concat()
}

const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];

/// The status, and r0 if the program exits.
fn run_on(jits: &[Jit], code: &[Vec<u8>], bytes: &[u8]) -> (Status, Option<u64>) {
    let function = lower(&code.concat(), bytes.len() as u32, 100).expect("can be lowered");
    let mut engines = Engines::new(&function, jits).unwrap_or_else(|| {
        panic!("{}", function.verify(&udf_verify::Limits::default()).expect_err("no engines"));
    });
    let outcome = engines.run(bytes, &Inputs::default());
    (outcome.status, outcome.tuples.first().map(|tuple| tuple.start))
}

fn result(jits: &[Jit], code: &[Vec<u8>]) -> u64 {
    let (status, value) = run_on(jits, code, &[]);
    assert_eq!(status, Status::Ok);
    value.expect("a result")
}

/// What the operation yields, or `None` where the instruction set has no such operation.
fn model(operation: u8, offset: i16, wide: bool, x: u64, y: u64) -> Option<u64> {
    let bits = if wide { 64 } else { 32 };
    let cut = |v: i128| v.rem_euclid(1 << bits) as u64;
    let signed = |v: u64| if wide { i128::from(v as i64) } else { i128::from(v as i32) };
    let (ux, uy) = (i128::from(cut(x.into())), i128::from(cut(y.into())));
    let (sx, sy) = (signed(x), signed(y));
    let count = (uy % bits) as u32;
    Some(cut(match (operation, offset) {
        (0x0, 0) => ux + uy,
        (0x1, 0) => ux - uy,
        (0x2, 0) => return Some(cut((ux as u64).wrapping_mul(uy as u64).into())),
        (0x3, 0) => ux.checked_div(uy).unwrap_or(0),
        (0x3, 1) => sx.checked_div(sy).unwrap_or(0),
        (0x4, 0) => ux | uy,
        (0x5, 0) => ux & uy,
        (0x6, 0) => return Some(cut(((ux as u64) << count).into())),
        (0x7, 0) => ux >> count,
        (0x8, 0) => -ux,
        (0x9, 0) => ux.checked_rem(uy).unwrap_or(ux),
        (0x9, 1) => sx.checked_rem(sy).unwrap_or(sx),
        (0xa, 0) => ux ^ uy,
        (0xb, 0) => uy,
        (0xb, 8) => i128::from(y as i8),
        (0xb, 16) => i128::from(y as i16),
        (0xb, 32) if wide => i128::from(y as i32),
        (0xc, 0) => sx >> count,
        _ => return None,
    }))
}

#[test]
fn arithmetic() {
    let jits = jits();
    let mut done = 0;
    for (operation, offset) in (0x0..=0xc).map(|op| (op, 0)).chain([(0x3, 1), (0x9, 1), (0xb, 8), (0xb, 16), (0xb, 32)])
    {
        for (class, wide) in [(0x4, false), (0x7, true)] {
            for (i, &x) in EDGES.iter().enumerate() {
                for &y in EDGES.iter().skip(i % 2).step_by(2) {
                    let Some(expected) = model(operation, offset, wide, x, y) else { continue };
                    if operation != 0x8 {
                        let opcode = operation << 4 | 8 | class;
                        let code = [lddw(0, x), lddw(6, y), inst(opcode, 0, 6, offset, 0), EXIT.to_vec()];
                        assert_eq!(result(&jits, &code), expected, "{opcode:#x}/{offset} {x:#x} {y:#x}");
                        done += 1;
                    }
                    if operation != 0xb || offset == 0 {
                        // An immediate is sign-extended from 32 bits.
                        let (opcode, imm) = (operation << 4 | class, y as i32);
                        let expected = model(operation, offset, wide, x, i64::from(imm) as u64).expect("exists");
                        let code = [lddw(0, x), inst(opcode, 0, 0, offset, imm), EXIT.to_vec()];
                        assert_eq!(result(&jits, &code), expected, "{opcode:#x}/{offset} {x:#x} imm {imm}");
                        done += 1;
                    }
                }
            }
        }
    }
    assert!(done > 10_000, "{done}");
}

#[test]
fn byte_order() {
    let jits = jits();
    for x in EDGES.into_iter().chain([0x0123_4567_89ab_cdef]) {
        for (bits, low) in [(16, x & 0xffff), (32, x & 0xffff_ffff), (64, x)] {
            let swapped = low.swap_bytes() >> (64 - bits);
            for (opcode, expected) in [(0xd4, low), (0xdc, swapped), (0xd7, swapped)] {
                let code = [lddw(0, x), inst(opcode, 0, 0, 0, bits), EXIT.to_vec()];
                assert_eq!(result(&jits, &code), expected, "{opcode:#x} {bits} {x:#x}");
            }
        }
    }
}

fn holds(operation: u8, wide: bool, x: u64, y: u64) -> bool {
    let (x, y) = if wide { (x, y) } else { (x & 0xffff_ffff, y & 0xffff_ffff) };
    let (sx, sy) = if wide { (x as i64, y as i64) } else { (i64::from(x as i32), i64::from(y as i32)) };
    match operation {
        0x1 => x == y,
        0x2 => x > y,
        0x3 => x >= y,
        0x4 => x & y != 0,
        0x5 => x != y,
        0x6 => sx > sy,
        0x7 => sx >= sy,
        0xa => x < y,
        0xb => x <= y,
        0xc => sx < sy,
        0xd => sx <= sy,
        _ => unreachable!("no jump"),
    }
}

#[test]
fn jumps() {
    let jits = jits();
    for operation in [0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0xa, 0xb, 0xc, 0xd] {
        for (class, wide) in [(0x5, true), (0x6, false)] {
            for (i, &x) in EDGES.iter().enumerate() {
                for &y in EDGES.iter().skip(i % 2).step_by(2).chain([&x]) {
                    let opcode = operation << 4 | class;
                    let taken = |jump: Vec<u8>| {
                        let (no, yes) = (inst(0xb7, 0, 0, 0, 1), inst(0xb7, 0, 0, 0, 2));
                        let code = [lddw(6, x), lddw(7, y), jump, no, EXIT.to_vec(), yes, EXIT.to_vec()];
                        result(&jits, &code) == 2
                    };
                    let by_register = taken(inst(opcode | 8, 6, 7, 2, 0));
                    assert_eq!(by_register, holds(operation, wide, x, y), "{opcode:#x} {x:#x} {y:#x}");
                    let imm = y as i32;
                    let by_imm = taken(inst(opcode, 6, 0, 2, imm));
                    assert_eq!(
                        by_imm,
                        holds(operation, wide, x, i64::from(imm) as u64),
                        "{opcode:#x} {x:#x} imm {imm}"
                    );
                }
            }
        }
    }
    // Unconditional ones, by offset and (class 6) by immediate, forward and back.
    let two = inst(0xb7, 0, 0, 0, 2);
    let one = inst(0xb7, 0, 0, 0, 1);
    for (there, back) in
        [(inst(0x05, 0, 0, 2, 0), inst(0x05, 0, 0, -4, 0)), (inst(0x06, 0, 0, 0, 2), inst(0x06, 0, 0, 0, -4))]
    {
        let code = [one.clone(), there, two.clone(), EXIT.to_vec(), inst(0x07, 0, 0, 0, 5), back];
        // one; to the addition; back to `two`? -4 from slot 6 is slot 2.
        assert_eq!(result(&jits, &code), 2);
    }
}

#[test]
fn loads() {
    let jits = jits();
    let bytes: Vec<u8> = (0..16).map(|n| 0xf0 + n).collect();
    for (opcode, width, signed) in [
        (0x71, 1, false),
        (0x69, 2, false),
        (0x61, 4, false),
        (0x79, 8, false),
        (0x91, 1, true),
        (0x89, 2, true),
        (0x81, 4, true),
    ] {
        for at in 0..=(16 - width) {
            let mut word = [0; 8];
            word[..width].copy_from_slice(&bytes[at..at + width]);
            let value = u64::from_le_bytes(word);
            let unused = 64 - 8 * width as u32;
            let expected = if signed { ((value << unused) as i64 >> unused) as u64 } else { value };
            for (base, offset) in [(0, at as i16), (20, at as i16 - 20)] {
                let code = [inst(0xb7, 6, 0, 0, base), inst(opcode, 0, 6, offset, 0), EXIT.to_vec()];
                assert_eq!(run_on(&jits, &code, &bytes), (Status::Ok, Some(expected)), "{opcode:#x} at {at}");
            }
        }
        // Outside, at an address that is not known beforehand.
        let code = [inst(0x71, 6, 1, 0, 0), inst(opcode, 0, 6, 0, 0), EXIT.to_vec()];
        let (status, value) = run_on(&jits, &code, &bytes);
        assert!(matches!(status, Status::Fault { code: FaultCode::Load, .. }) && value.is_none());
    }
}

#[test]
fn backward_jumps_use_fuel() {
    let jits = jits();
    // r0 = 1 + 2 + … + r6, counting r6 down.
    let sum = |n| {
        [
            inst(0xb7, 0, 0, 0, 0),
            inst(0xb7, 6, 0, 0, n),
            inst(0x0f, 0, 6, 0, 0),
            inst(0x07, 6, 0, 0, -1),
            inst(0x55, 6, 0, -3, 0),
            EXIT.to_vec(),
        ]
    };
    assert_eq!(result(&jits, &sum(100)), 5050);
    assert_eq!(run_on(&jits, &sum(101), &[]), (Status::Fail(OUT_OF_FUEL), None));
    let forever = [inst(0x05, 0, 0, -1, 0)];
    assert_eq!(run_on(&jits, &forever, &[]), (Status::Fail(OUT_OF_FUEL), None));
}

#[test]
fn what_cannot_be_lowered_is_refused() {
    let cases = [
        (vec![0; 7], Error::Truncated),
        (inst(0x18, 0, 0, 0, 0), Error::Truncated),
        (inst(0x85, 0, 0, 0, 1), Error::Opcode { at: 0, opcode: 0x85 }),
        (inst(0x7b, 1, 2, 0, 0), Error::Opcode { at: 0, opcode: 0x7b }),
        (inst(0xb7, 10, 0, 0, 0), Error::Register { at: 0 }),
        (
            inst(0xb7, 0, 0, 0, 0).repeat(2).into_iter().chain(inst(0xbf, 0, 11, 0, 0)).collect(),
            Error::Register { at: 2 },
        ),
        (inst(0x05, 0, 0, 1, 0), Error::Jump { at: 0 }),
        (inst(0x05, 0, 0, -2, 0), Error::Jump { at: 0 }),
        (inst(0x37, 0, 0, 2, 0), Error::Opcode { at: 0, opcode: 0x37 }),
    ];
    for (code, error) in cases {
        assert_eq!(lower(&code, 0, 1).expect_err("refused"), error);
    }
}
