//! eBPF bytecode (RFC 9669) lowered to the same form as functions, for tests: conformance tests written for eBPF then run
//! through verifier, interval analysis and compiler.
//!
//! Blocks of a function nest and eBPF jumps, so the blocks of the bytecode become arms under a test of a *program counter*
//! (r11), all of them in one loop. A forward jump sets the counter and falls through to its target; a backward jump starts
//! another round, of which there are as many as the *fuel* says:
//!
//! ```text
//!   loop r12, FUEL, FUEL
//!       if r11 == 0 … end        block 0: sets r11, or `own r0, 1, RESULT` and `ret`
//!       if r11 == 1 … end
//!   end
//!   fail OUT_OF_FUEL
//! ```
//!
//! Not lowered: stores, the stack, calls, atomic operations (functions have none of them). `r1` is 0: the offset of the first
//! byte.
#![forbid(unsafe_code)]

use crate::binary::encode;
use crate::opcode::Op;
use crate::program::{Header, Inst, Operand, Program};
use crate::state::Unverified;

/// The reason with which a program ends that runs out of fuel.
pub const OUT_OF_FUEL: u32 = 1;

/// What cannot be lowered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// The bytecode does not consist of 8-byte instructions, or the last one is cut off.
    #[error("the bytecode is cut off")]
    Truncated,
    /// No instruction, or none that can be lowered.
    #[error("instruction {at}: the opcode {opcode:#04x} cannot be lowered")]
    Opcode {
        /// Number of the 8-byte slot.
        at: usize,
        /// Its first byte.
        opcode: u8,
    },
    /// There are r0 to r10, of which the last one is read-only.
    #[error("instruction {at}: no such register")]
    Register {
        /// Number of the 8-byte slot.
        at: usize,
    },
    /// A jump into nothing.
    #[error("instruction {at}: the jump leaves the program")]
    Jump {
        /// Number of the 8-byte slot.
        at: usize,
    },
}

/// The program counter, the loop's counter, and registers for intermediate values.
const PC: u8 = 11;
const ROUND: u8 = 12;
const T: [u8; 5] = [13, 14, 15, 16, 17];

fn reg(r: u8) -> Operand {
    Operand::Reg(r)
}
fn imm(value: u64) -> Operand {
    Operand::Imm(value)
}

/// One instruction of the bytecode.
#[derive(Clone, Copy)]
struct Bpf {
    at: usize,
    opcode: u8,
    dst: u8,
    src: u8,
    offset: i16,
    imm: i32,
    /// The upper half of a 64-bit immediate.
    upper: u32,
    size: usize,
}

impl Bpf {
    fn class(self) -> u8 {
        self.opcode & 7
    }
    fn operation(self) -> u8 {
        self.opcode >> 4
    }
    fn is_jump(self) -> bool {
        matches!(self.class(), 5 | 6)
    }
    fn error(self) -> Error {
        Error::Opcode { at: self.at, opcode: self.opcode }
    }
    /// Where a jump goes; `None` for `exit`.
    fn target(self, len: usize) -> Result<Option<usize>, Error> {
        let distance = match (self.operation(), self.class()) {
            (9, _) => return Ok(None),
            (8 | 14 | 15, _) => return Err(self.error()),
            (0, 6) => i64::from(self.imm),
            _ => i64::from(self.offset),
        };
        let target = usize::try_from(self.at as i64 + 1 + distance).ok().filter(|&target| target < len);
        target.map(Some).ok_or(Error::Jump { at: self.at })
    }
}

fn decode(bytecode: &[u8]) -> Result<Vec<Bpf>, Error> {
    let mut insts = Vec::new();
    let (slots, rest) = bytecode.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(Error::Truncated);
    }
    let mut at = 0;
    while let Some(&[opcode, registers, o0, o1, i0, i1, i2, i3]) = slots.get(at) {
        let mut inst = Bpf {
            at,
            opcode,
            dst: registers & 15,
            src: registers >> 4,
            offset: i16::from_le_bytes([o0, o1]),
            imm: i32::from_le_bytes([i0, i1, i2, i3]),
            upper: 0,
            size: 1,
        };
        if opcode == 0x18 {
            let Some(&[_, _, _, _, i0, i1, i2, i3]) = slots.get(at + 1) else { return Err(Error::Truncated) };
            inst.upper = u32::from_le_bytes([i0, i1, i2, i3]);
            inst.size = 2;
        }
        let writes = !inst.is_jump();
        if inst.dst > 10 || inst.src > 10 || writes && inst.dst == 10 {
            return Err(Error::Register { at });
        }
        at += inst.size;
        insts.push(inst);
    }
    Ok(insts)
}

/// Lowers bytecode to a function that owns (r0, 1) when it exits; `unit` is the number of bytes that it reads.
///
/// # Errors
/// The first instruction that cannot be lowered.
pub fn lower(bytecode: &[u8], unit: u32, fuel: u32) -> Result<Unverified, Error> {
    let bpf = decode(bytecode)?;
    let slots = bytecode.len() / 8;
    // Blocks start at the targets of jumps and behind jumps.
    let mut starts = vec![false; slots + 1];
    starts[0] = true;
    for inst in bpf.iter().filter(|inst| inst.is_jump()) {
        starts[inst.at + 1] = true;
        if let Some(target) = inst.target(slots)? {
            starts[target] = true;
        }
    }
    // Of each slot: how many blocks start before it, which numbers the block that starts there.
    let numbers: Vec<u64> = starts
        .iter()
        .scan(0, |number, &start| {
            let before = *number;
            *number += u64::from(start);
            Some(before)
        })
        .collect();
    let mut out = Emitter { insts: Vec::new() };
    out.push(Op::Loop, ROUND, imm(fuel.into()), imm(fuel.into()));
    for (index, inst) in bpf.iter().enumerate() {
        if starts[inst.at] {
            out.push(Op::IfEq, 0, reg(PC), imm(numbers[inst.at]));
        }
        let behind = inst.at + inst.size;
        if inst.is_jump() {
            let here = numbers[inst.at];
            // A jump in the middle of a block belongs to the block that started before it.
            let block = if starts[inst.at] { here } else { here - 1 };
            out.jump(*inst, block, inst.target(slots)?.map(|target| numbers[target]), numbers[behind.min(slots)])?;
        } else {
            out.operation(*inst)?;
        }
        if starts.get(behind) == Some(&true) || index + 1 == bpf.len() {
            if !inst.is_jump() {
                out.push(Op::Mv, PC, imm(numbers[behind]), Operand::None);
            }
            out.push(Op::End, 0, Operand::None, Operand::None);
        }
    }
    out.push(Op::End, 0, Operand::None, Operand::None);
    out.push(Op::Fail, 0, imm(OUT_OF_FUEL.into()), Operand::None);
    let header = Header { unit, fuel: crate::Limits::default().fuel, ..Header::default() };
    let program = Program { header, types: vec![0], insts: out.insts };
    Ok(Unverified::from_bytes(encode(&program)))
}

struct Emitter {
    insts: Vec<Inst>,
}

impl Emitter {
    fn push(&mut self, op: Op, a: u8, x: Operand, y: Operand) {
        self.insts.push(Inst { op, a, x, y, slot: 0, link: 0 });
    }

    fn set(&mut self, a: u8, x: Operand) {
        self.push(Op::Mv, a, x, Operand::None);
    }

    /// `a = x` sign-extended from so many bits.
    fn sign_extend(&mut self, a: u8, x: Operand, bits: u64) {
        self.push(Op::Shl, a, x, imm(64 - bits));
        self.shift_right_signed(a, imm(64 - bits));
    }

    /// `a >>= count`, arithmetically; uses T[4].
    fn shift_right_signed(&mut self, a: u8, count: Operand) {
        self.sign_mask(T[4], a);
        self.push(Op::Xor, a, reg(a), reg(T[4]));
        self.push(Op::Shr, a, reg(a), count);
        self.push(Op::Xor, a, reg(a), reg(T[4]));
    }

    /// All ones where `a` is negative, else zero.
    fn sign_mask(&mut self, mask: u8, a: u8) {
        self.push(Op::Shr, mask, reg(a), imm(63));
        self.push(Op::Sub, mask, imm(0), reg(mask));
    }

    /// `a = -a` where the mask is all ones.
    fn negate_by(&mut self, a: u8, mask: u8) {
        self.push(Op::Xor, a, reg(a), reg(mask));
        self.push(Op::Sub, a, reg(a), reg(mask));
    }

    /// `a = the lowest bytes of x, reversed`; uses T[4].
    fn reverse(&mut self, a: u8, x: u8, bytes: u64) {
        self.set(T[3], imm(0));
        for i in 0..bytes {
            self.push(Op::Shr, T[4], reg(x), imm(8 * i));
            self.push(Op::And, T[4], reg(T[4]), imm(0xff));
            self.push(Op::Shl, T[4], reg(T[4]), imm(8 * (bytes - 1 - i)));
            self.push(Op::Or, T[3], reg(T[3]), reg(T[4]));
        }
        self.set(a, reg(T[3]));
    }

    fn operation(&mut self, inst: Bpf) -> Result<(), Error> {
        match inst.class() {
            0 if inst.opcode == 0x18 && inst.src == 0 => {
                let value = u64::from(inst.upper) << 32 | u64::from(inst.imm as u32);
                self.push(Op::Li, inst.dst, imm(value), Operand::None);
                Ok(())
            }
            1 => {
                let (op, extend) = match inst.opcode {
                    0x71 => (Op::Ld1Le, None),
                    0x69 => (Op::Ld2Le, None),
                    0x61 => (Op::Ld4Le, None),
                    0x79 => (Op::Ld8Le, None),
                    0x91 => (Op::Ld1Le, Some(8)),
                    0x89 => (Op::Ld2Le, Some(16)),
                    0x81 => (Op::Ld4Le, Some(32)),
                    _ => return Err(inst.error()),
                };
                self.push(op, inst.dst, reg(inst.src), imm(inst.offset as i64 as u64));
                if let Some(bits) = extend {
                    self.sign_extend(inst.dst, reg(inst.dst), bits);
                }
                Ok(())
            }
            4 => self.arithmetic(inst, false),
            7 => self.arithmetic(inst, true),
            _ => Err(inst.error()),
        }
    }

    fn arithmetic(&mut self, inst: Bpf, wide: bool) -> Result<(), Error> {
        let Bpf { dst, src, offset, .. } = inst;
        let from_register = inst.opcode & 8 != 0;
        let mask = imm(if wide { u64::MAX } else { 0xffff_ffff });
        let (x, y) = (T[0], T[1]);
        self.push(Op::And, x, reg(dst), mask);
        self.push(Op::And, y, if from_register { reg(src) } else { imm(i64::from(inst.imm) as u64) }, mask);
        let counted = |emitter: &mut Emitter| emitter.push(Op::And, y, reg(y), imm(if wide { 63 } else { 31 }));
        let signed = |emitter: &mut Emitter| {
            for r in [x, y].into_iter().filter(|_| !wide) {
                emitter.sign_extend(r, reg(r), 32);
            }
            emitter.sign_mask(T[2], x);
            emitter.sign_mask(T[3], y);
            emitter.negate_by(x, T[2]);
            emitter.negate_by(y, T[3]);
        };
        match (inst.operation(), offset) {
            (0x0, 0) => self.push(Op::Add, x, reg(x), reg(y)),
            (0x1, 0) => self.push(Op::Sub, x, reg(x), reg(y)),
            (0x2, 0) => self.push(Op::Mul, x, reg(x), reg(y)),
            (0x3, 0) => self.push(Op::Div, x, reg(x), reg(y)),
            (0x3, 1) => {
                signed(self);
                self.push(Op::Div, x, reg(x), reg(y));
                self.push(Op::Xor, T[2], reg(T[2]), reg(T[3]));
                self.negate_by(x, T[2]);
            }
            (0x4, 0) => self.push(Op::Or, x, reg(x), reg(y)),
            (0x5, 0) => self.push(Op::And, x, reg(x), reg(y)),
            (0x6, 0) => {
                counted(self);
                self.push(Op::Shl, x, reg(x), reg(y));
            }
            (0x7, 0) => {
                counted(self);
                self.push(Op::Shr, x, reg(x), reg(y));
            }
            (0x8, 0) if !from_register => self.push(Op::Sub, x, imm(0), reg(x)),
            (0x9, 0) => self.push(Op::Rem, x, reg(x), reg(y)),
            (0x9, 1) => {
                signed(self);
                self.push(Op::Rem, x, reg(x), reg(y));
                self.negate_by(x, T[2]);
            }
            (0xa, 0) => self.push(Op::Xor, x, reg(x), reg(y)),
            (0xb, 0) => self.set(x, reg(y)),
            (0xb, 8 | 16) if from_register => self.sign_extend(x, reg(y), offset as u64),
            (0xb, 32) if from_register && wide => self.sign_extend(x, reg(y), 32),
            (0xc, 0) => {
                counted(self);
                if !wide {
                    self.sign_extend(x, reg(x), 32);
                }
                self.shift_right_signed(x, reg(y));
            }
            (0xd, 0) => {
                // Of all 64 bits, whatever the class: to little-endian (a cut), to big-endian, or (wide) a swap.
                let bits @ (16 | 32 | 64) = inst.imm else { return Err(inst.error()) };
                if wide && from_register {
                    return Err(inst.error());
                }
                if wide || from_register {
                    self.reverse(dst, dst, bits as u64 / 8);
                } else {
                    self.push(Op::And, dst, reg(dst), imm(u64::MAX >> (64 - bits)));
                }
                return Ok(());
            }
            _ => return Err(inst.error()),
        }
        self.push(Op::And, dst, reg(x), mask);
        Ok(())
    }

    /// A jump in block `block`, to block `target`, or on to block `behind`.
    fn jump(&mut self, inst: Bpf, block: u64, target: Option<u64>, behind: u64) -> Result<(), Error> {
        let Bpf { dst, src, .. } = inst;
        let wide = inst.class() == 5;
        let Some(target) = target else {
            if inst.opcode != 0x95 {
                return Err(inst.error());
            }
            self.push(Op::Own, 0, reg(0), imm(1));
            self.push(Op::Ret, 0, Operand::None, Operand::None);
            return Ok(());
        };
        if inst.operation() == 0 && inst.opcode & 8 == 0 {
            self.go(block, target);
            return Ok(());
        }
        let (x, y) = (T[0], T[1]);
        let mask = imm(if wide { u64::MAX } else { 0xffff_ffff });
        self.push(Op::And, x, reg(dst), mask);
        self.push(Op::And, y, if inst.opcode & 8 != 0 { reg(src) } else { imm(i64::from(inst.imm) as u64) }, mask);
        let op = match inst.operation() {
            0x1 => Op::IfEq,
            0x2 => Op::IfGt,
            0x3 => Op::IfGe,
            0x4 => {
                self.push(Op::And, x, reg(x), reg(y));
                self.set(y, imm(0));
                Op::IfNe
            }
            0x5 => Op::IfNe,
            0xa => Op::IfLt,
            0xb => Op::IfLe,
            operation @ (0x6 | 0x7 | 0xc | 0xd) => {
                // Order as signed is order as unsigned with the sign bit inverted.
                let sign = imm(if wide { 1 << 63 } else { 1 << 31 });
                self.push(Op::Xor, x, reg(x), sign);
                self.push(Op::Xor, y, reg(y), sign);
                match operation {
                    0x6 => Op::IfGt,
                    0x7 => Op::IfGe,
                    0xc => Op::IfLt,
                    _ => Op::IfLe,
                }
            }
            _ => return Err(inst.error()),
        };
        self.push(op, 0, reg(x), reg(y));
        self.go(block, target);
        self.push(Op::Else, 0, Operand::None, Operand::None);
        self.set(PC, imm(behind));
        self.push(Op::End, 0, Operand::None, Operand::None);
        Ok(())
    }

    fn go(&mut self, block: u64, target: u64) {
        self.set(PC, imm(target));
        if target <= block {
            self.push(Op::Next, 0, Operand::None, Operand::None);
        }
    }
}
