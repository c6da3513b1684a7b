//! The canonical binary form: one encoding for each function.
//!
//! ```text
//!   0  magic 7f 55 44 46        8  unit   u32     16  fuel   u64      32  types: (group u32, member u32) each
//!   4  rule version u16        12  group  u32     24  types  u32          slots: 8 bytes each
//!   6  kind u8, 7 flags u8                        28  slots  u32          names and lines, outside the hash (optional)
//! ```
//!
//! A slot that starts an instruction is `op, a, x, y, imm i32`; all numbers are little-endian. `x` and `y` are registers
//! (0–31), [`NONE`], or an immediate: [`NARROW`] is the sign-extended `imm`, [`WIDE`] takes a slot of eight bytes behind the
//! instruction. The first operand that fits is narrow, every other immediate is wide; `li` always is. So only `li` takes two
//! slots unless a number is large.
//!
//! # Invariants
//! - D1: nothing is allocated before the counts have been compared with the length of the file.
//! - D2: what decodes encodes to the same bytes.
#![forbid(unsafe_code)]

use crate::opcode::{Op, OperandKind};
use crate::program::{Header, Inst, Kind, Operand, Program, RULE_VERSION, flags};

const MAGIC: [u8; 4] = *b"\x7fUDF";
/// Bytes of the header.
pub(crate) const HEADER: usize = 32;
/// Operand: absent.
const NONE: u8 = 0x20;
/// Operand: the sign-extended field `imm`.
const NARROW: u8 = 0x40;
/// Operand: the next slot.
const WIDE: u8 = 0x80;
/// Types that one function can name.
pub(crate) const MAX_TYPES: usize = 256;

/// What is wrong with the form of a file. The place, where there is one, is a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FormError {
    Short { len: usize },
    Magic,
    Version { found: u16 },
    Kind { found: u8 },
    Flags { found: u8 },
    Length { expected: u64, found: u64 },
    TooManySlots { found: u32, limit: u32 },
    TooManyTypes { found: u32 },
    ForeignType { index: u32, group: u32, own: u32 },
    DuplicateType { index: u32, member: u32 },
    TypeOrder { index: u32 },
    Opcode { slot: u32, byte: u8 },
    Register { slot: u32, number: u8 },
    Operand { slot: u32, which: &'static str, byte: u8 },
    Reserved { slot: u32, what: &'static str },
    NotCanonical { slot: u32 },
    Truncated { slot: u32 },
    TypeIndex { slot: u32, index: u8, types: u32 },
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// A file taken apart, its lengths checked, its instructions not looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sections<'a> {
    pub(crate) header: Header,
    pub(crate) types: &'a [u8],
    pub(crate) code: &'a [u8],
    /// Names and lines, not looked at.
    pub(crate) names: &'a [u8],
    /// Everything before the names: what the hash is about.
    pub(crate) hashed: &'a [u8],
}

/// Takes a file apart. Cost: constant, but for the types.
pub(crate) fn sections(file: &[u8], max_slots: u32) -> Result<Sections<'_>, FormError> {
    if file.len() < HEADER {
        return Err(FormError::Short { len: file.len() });
    }
    if file[..4] != MAGIC {
        return Err(FormError::Magic);
    }
    let version = u16::from_le_bytes([file[4], file[5]]);
    if version != RULE_VERSION {
        return Err(FormError::Version { found: version });
    }
    let Some(kind) = Kind::ALL.into_iter().find(|&kind| kind as u8 == file[6]) else {
        return Err(FormError::Kind { found: file[6] });
    };
    if file[7] & !flags::ALL != 0 {
        return Err(FormError::Flags { found: file[7] });
    }
    let (types, slots) = (u32_at(file, 24), u32_at(file, 28));
    let code_at = HEADER as u64 + u64::from(types) * 8;
    let end = code_at + u64::from(slots) * 8;
    let found = file.len() as u64;
    if end > found {
        return Err(FormError::Length { expected: end, found });
    }
    let (code_at, end) = (code_at as usize, end as usize);
    let names = &file[end..];
    if !names.is_empty() && !crate::names::has_exact_length(names) {
        return Err(FormError::Length { expected: end as u64, found });
    }
    if slots > max_slots {
        return Err(FormError::TooManySlots { found: slots, limit: max_slots });
    }
    if types as usize > MAX_TYPES {
        return Err(FormError::TooManyTypes { found: types });
    }
    let header =
        Header { kind, flags: file[7], unit: u32_at(file, 8), group: u32_at(file, 12), fuel: u64_at(file, 16) };
    Ok(Sections { header, types: &file[HEADER..code_at], code: &file[code_at..end], names, hashed: &file[..end] })
}

/// The type table: members of the function's own group, ascending.
pub(crate) fn decode_types(sections: &Sections<'_>) -> Result<Vec<u32>, FormError> {
    let own = sections.header.group;
    let mut types: Vec<u32> = Vec::with_capacity(sections.types.len() / 8);
    for (index, entry) in (0..).zip(sections.types.chunks_exact(8)) {
        let (group, member) = (u32_at(entry, 0), u32_at(entry, 4));
        if group != own {
            return Err(FormError::ForeignType { index, group, own });
        }
        match types.last() {
            Some(&last) if last == member => return Err(FormError::DuplicateType { index, member }),
            Some(&last) if last > member => {
                let duplicate = types.contains(&member);
                let order = FormError::TypeOrder { index };
                return Err(if duplicate { FormError::DuplicateType { index, member } } else { order });
            }
            _ => types.push(member),
        }
    }
    Ok(types)
}

/// Decodes the instruction at a slot; the second value is how many slots it takes.
#[inline]
pub(crate) fn decode_inst(code: &[u8], slot: u32, types: u32) -> Result<(Inst, u32), FormError> {
    let at = slot as usize * 8;
    let word: [u8; 8] = code[at..at + 8].try_into().expect("a slot has eight bytes");
    let [byte, a, x, y, ..] = word;
    let Some(op) = Op::from_byte(byte) else { return Err(FormError::Opcode { slot, byte }) };
    let form = op.form();
    let [kind_x, kind_y] = form.operands();
    let narrow = i32::from_le_bytes([word[4], word[5], word[6], word[7]]);
    let mut reader = OperandReader { code, slot, narrow, narrow_used: false, next: slot + 1 };
    if form.writes() {
        if a >= 32 {
            return Err(FormError::Register { slot, number: a });
        }
    } else if op == Op::Own {
        if u32::from(a) >= types {
            return Err(FormError::TypeIndex { slot, index: a, types });
        }
    } else if a != 0 {
        return Err(FormError::Reserved { slot, what: "the field `a`" });
    }
    let x = reader.operand(x, kind_x, "first")?;
    let y = reader.operand(y, kind_y, "second")?;
    if narrow != 0 && !reader.narrow_used {
        return Err(FormError::Reserved { slot, what: "the immediate field" });
    }
    Ok((Inst { op, a, x, y, slot, link: 0 }, reader.next - slot))
}

struct OperandReader<'a> {
    code: &'a [u8],
    slot: u32,
    narrow: i32,
    narrow_used: bool,
    next: u32,
}

impl OperandReader<'_> {
    #[inline]
    fn operand(&mut self, byte: u8, kind: OperandKind, which: &'static str) -> Result<Operand, FormError> {
        use OperandKind as K;
        let slot = self.slot;
        match (kind, byte) {
            (K::None, NONE) | (K::Base, NONE) => Ok(Operand::None),
            (K::Value | K::Base, 0..32) => Ok(Operand::Reg(byte)),
            (K::Value | K::Base, 32..64) => Err(FormError::Register { slot, number: byte }),
            (K::Value | K::Immediate, NARROW) => {
                if self.narrow_used {
                    return Err(FormError::NotCanonical { slot });
                }
                self.narrow_used = true;
                Ok(Operand::Imm(self.narrow as i64 as u64))
            }
            (K::Value | K::Immediate | K::WideImmediate, WIDE) => {
                let at = self.next as usize * 8;
                let Some(bytes) = self.code.get(at..at + 8) else { return Err(FormError::Truncated { slot }) };
                self.next += 1;
                let value = u64_at(bytes, 0);
                if kind != K::WideImmediate && !self.narrow_used && fits(value) {
                    return Err(FormError::NotCanonical { slot });
                }
                Ok(Operand::Imm(value))
            }
            _ => Err(FormError::Operand { slot, which, byte }),
        }
    }
}

/// Whether a number is the sign extension of 32 bits.
fn fits(value: u64) -> bool {
    i32::try_from(value as i64).is_ok()
}

/// Encodes an instruction, appending its slots.
pub(crate) fn encode_inst(inst: &Inst, out: &mut Vec<u8>) {
    let kinds = inst.op.form().operands();
    let (mut narrow, mut wide, mut wides) = (None, [0; 2], 0);
    let mut operand = |operand: Operand, kind: OperandKind| match operand {
        Operand::None => NONE,
        Operand::Reg(number) => number,
        Operand::Imm(value) if narrow.is_none() && kind != OperandKind::WideImmediate && fits(value) => {
            narrow = Some(value as i32);
            NARROW
        }
        Operand::Imm(value) => {
            wide[wides] = value;
            wides += 1;
            WIDE
        }
    };
    let (x, y) = (operand(inst.x, kinds[0]), operand(inst.y, kinds[1]));
    out.extend([inst.op as u8, inst.a, x, y]);
    out.extend(narrow.unwrap_or(0).to_le_bytes());
    for value in &wide[..wides] {
        out.extend(value.to_le_bytes());
    }
}

/// The canonical bytes of a function, without names and lines. The instructions' slots are not looked at.
#[must_use]
pub fn encode(program: &Program) -> Vec<u8> {
    let Header { kind, flags, unit, group, fuel } = program.header;
    let mut code = Vec::with_capacity(program.insts.len() * 8);
    for inst in &program.insts {
        encode_inst(inst, &mut code);
    }
    let mut out = Vec::with_capacity(HEADER + program.types.len() * 8 + code.len());
    out.extend(MAGIC);
    out.extend(RULE_VERSION.to_le_bytes());
    out.extend([kind as u8, flags]);
    out.extend(unit.to_le_bytes());
    out.extend(group.to_le_bytes());
    out.extend(fuel.to_le_bytes());
    out.extend((program.types.len() as u32).to_le_bytes());
    out.extend((code.len() as u32 / 8).to_le_bytes());
    for member in &program.types {
        out.extend(group.to_le_bytes());
        out.extend(member.to_le_bytes());
    }
    out.extend(code);
    out
}
