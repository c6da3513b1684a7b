//! Binary to text.

use std::fmt::Write;

use crate::names::Names;
use crate::opcode::{COMPARISONS, Form, Op};
use crate::program::{Inst, Operand, Program, flags};

/// A function as text that assembles to the same binary. Type names come from `names` where they can be written.
///
/// Blocks that do not nest are written as they are.
#[must_use]
pub fn disassemble(program: &Program, names: &Names) -> String {
    let mut out = String::new();
    let header = &program.header;
    let types = type_names(program, names);
    let _ = writeln!(out, ".kind {}\n.unit {}\n.fuel {}", header.kind.name(), header.unit, header.fuel);
    if header.group != 0 {
        let _ = writeln!(out, ".group {}", header.group);
    }
    if header.flags & flags::STRICT != 0 {
        out.push_str(".strict\n");
    }
    for (name, member) in types.iter().zip(&program.types) {
        let _ = writeln!(out, ".type {name} = {member}");
    }
    let mut depth = 0usize;
    for inst in &program.insts {
        let form = inst.op.form();
        if matches!(form, Form::Else | Form::End) {
            depth = depth.saturating_sub(1);
        }
        // Deeper than blocks may nest, the indentation says nothing any more.
        let _ = writeln!(out, "{:1$}{2}", "", depth.min(16) * 2, inst_text(&types, inst));
        if matches!(form, Form::Else | Form::If(_) | Form::Loop) {
            depth += 1;
        }
    }
    out
}

/// The names of a function's types: those given if they can be written and tell the types apart, else `type3` for member 3.
#[must_use]
pub fn type_names(program: &Program, names: &Names) -> Vec<String> {
    let is_name = |name: &String| {
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        starts && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let mut sorted: Vec<&String> = names.types.iter().collect();
    sorted.sort_unstable();
    let distinct = sorted.windows(2).all(|pair| pair[0] != pair[1]);
    if distinct && names.types.len() == program.types.len() && names.types.iter().all(is_name) {
        return names.types.clone();
    }
    program.types.iter().map(|member| format!("type{member}")).collect()
}

/// An instruction as it is written, with the names of all types.
pub(crate) fn inst_text(types: &[String], inst: &Inst) -> String {
    let &Inst { op, a, x, y, .. } = inst;
    let mnemonic = op.mnemonic();
    match op.form() {
        Form::Load { .. } => format!("{mnemonic} r{a}, {}", address_text(x, y)),
        Form::If(_) => format!("if {} {} {}", text(x), symbol(op), text(y)),
        Form::Own => format!("own {}, {}, {}", text(x), text(y), types[usize::from(a)]),
        form => {
            let mut operands = Vec::new();
            if form.writes() {
                operands.push(format!("r{a}"));
            }
            operands.extend([x, y].into_iter().filter(|o| *o != Operand::None).map(text));
            format!("{mnemonic} {}", operands.join(", ")).trim_end().to_owned()
        }
    }
}

fn symbol(op: Op) -> &'static str {
    COMPARISONS.iter().find(|&&(_, other)| other == op).map_or("?", |(symbol, _)| symbol)
}

/// `[rb + imm]`
pub(crate) fn address_text(base: Operand, offset: Operand) -> String {
    let Operand::Imm(bits) = offset else { return format!("[{}]", text(base)) };
    let offset = bits as i64;
    match base {
        Operand::Reg(_) if offset == 0 => format!("[{}]", text(base)),
        Operand::Reg(_) if offset < 0 => format!("[{} - {}]", text(base), offset.unsigned_abs()),
        Operand::Reg(_) => format!("[{} + {offset}]", text(base)),
        _ => format!("[{offset}]"),
    }
}

fn text(operand: Operand) -> String {
    match operand {
        Operand::None => String::new(),
        Operand::Reg(number) => format!("r{number}"),
        Operand::Imm(bits) if bits < 1 << 16 => bits.to_string(),
        Operand::Imm(bits) if (bits as i64) < 0 && (bits as i64) > -(1 << 16) => (bits as i64).to_string(),
        Operand::Imm(bits) => format!("{bits:#x}"),
    }
}
