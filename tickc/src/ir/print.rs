//! The representation as text: what `TICKC_DUMP=ir` and [`crate::Func::disassemble`] show.
//!
//! ```text
//! fn(v0: pointer pair, v1: usize, v2: f64) -> f64 {
//!     zero v7: i64
//! L0:
//!     trap_if.ge.usize v3, v1 index_out_of_bounds
//!     v4 = load.f64 [v0 + v3 * 8 + 16]
//!     v2 = add.f64 v2, v4
//!     v3 = add.usize v3, 1
//!     branch.lt.usize v3, v1 L0
//!     v5 = call.f64 native 0x1000 0b0 (v2: f64, 0x0: i64)
//!     ret.f64 v5
//! }
//! ```
//!
//! A label is named after the index of its record. Immediates are printed as the signed numbers in their fields; constants as
//! canonical bits.

use std::fmt::{self, Display, Formatter};

use super::{Arg, ArgValue, CallSite, Condition, Function, Op, Record};
use crate::machine::Target;
use crate::trap::TrapKind;
use crate::types::Type;

/// The name of a variant in small letters, words joined by underscores.
pub(super) fn snake(variant: &dyn fmt::Debug) -> String {
    let mut name = String::new();
    for c in format!("{variant:?}").chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}

/// The name of a type, as a part of an operation's.
pub(super) fn type_name(ty: Type) -> String {
    if ty == Type::Unit { "unit".to_owned() } else { ty.to_string() }
}

pub(super) fn condition_name(condition: Condition) -> String {
    let not = if condition.is_inverse() { "not_" } else { "" };
    match condition.comparison() {
        Some(comparison) => format!("{not}{}", snake(&comparison)),
        None => format!("{not}test"),
    }
}

pub(super) fn trap_name(kind: u32) -> String {
    TrapKind::ALL.iter().find(|&&trap| trap as u32 == kind).map_or_else(|| format!("trap{kind}"), |trap| snake(trap))
}

impl Display for Function {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.declared { "declared fn(" } else { "fn(" })?;
        for (i, ty) in self.params.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            // Of more than 32 words none starts a pair (see `Convention::locate`).
            let pair = if i < 32 && self.pairs & 1 << i != 0 { " pair" } else { "" };
            write!(f, "{comma}v{i}: {}{pair}", type_name(*ty))?;
        }
        writeln!(f, ") -> {} {{", type_name(self.ret))?;
        for (reg, ty) in &self.zeroed {
            writeln!(f, "    zero v{reg}: {}", type_name(*ty))?;
        }
        for (i, record) in self.records.iter().enumerate() {
            if record.op == Op::Label {
                writeln!(f, "L{i}:")?;
            } else {
                f.write_str("    ")?;
                self.print(record, f)?;
                f.write_str("\n")?;
            }
        }
        f.write_str("}\n")
    }
}

impl Function {
    fn print(&self, r: &Record, f: &mut Formatter<'_>) -> fmt::Result {
        let ty = type_name(r.ty);
        let name = snake(&r.op);
        let Record { dst, a, b, .. } = *r;
        let immediate = b as i32;
        match r.op {
            Op::Label => Ok(()),
            Op::Const => write!(f, "v{dst} = const.{ty} {:#x}", r.constant()),
            Op::Copy => write!(f, "v{dst} = copy.{ty} v{a}"),
            Op::Binary => write!(f, "v{dst} = {}.{ty} v{a}, v{b}", snake(&r.binary_op())),
            Op::BinaryImm => write!(f, "v{dst} = {}.{ty} v{a}, {immediate}", snake(&r.binary_op())),
            Op::Unary => write!(f, "v{dst} = {}.{ty} v{a}", snake(&r.unary_op())),
            Op::Convert | Op::Bitcast => write!(f, "v{dst} = {name}.{ty} v{a}: {}", type_name(r.source_type())),
            Op::Set => write!(f, "v{dst} = set.{}.{ty} v{a}, v{b}", condition_name(r.condition())),
            Op::SetImm => write!(f, "v{dst} = set.{}.{ty} v{a}, {immediate}", condition_name(r.condition())),
            Op::Branch => write!(f, "branch.{}.{ty} v{a}, v{b} L{dst}", condition_name(r.condition())),
            Op::BranchImm => write!(f, "branch.{}.{ty} v{a}, {immediate} L{dst}", condition_name(r.condition())),
            Op::TrapIf => write!(f, "trap_if.{}.{ty} v{a}, v{b} {}", condition_name(r.condition()), trap_name(dst)),
            Op::TrapIfImm => {
                write!(f, "trap_if.{}.{ty} v{a}, {immediate} {}", condition_name(r.condition()), trap_name(dst))
            }
            Op::Jump => write!(f, "jump L{dst}"),
            Op::Switch => write!(f, "switch.{ty} v{a}, {b}"),
            Op::Trap => write!(f, "trap {}", trap_name(dst)),
            Op::TrapCode => write!(f, "trap_code v{a}"),
            Op::Unreachable => f.write_str("unreachable"),
            Op::Load if r.is_volatile() => write!(f, "v{dst} = load_volatile.{ty} {}", Memory(r)),
            Op::Store if r.is_volatile() => write!(f, "store_volatile.{ty} {}, v{dst}", Memory(r)),
            Op::Load | Op::LoadX => write!(f, "v{dst} = load.{ty} {}", Memory(r)),
            Op::Store | Op::StoreX => write!(f, "store.{ty} {}, v{dst}", Memory(r)),
            Op::StoreImm | Op::StoreXImm => write!(f, "store.{ty} {}, {}", Memory(r), dst as i32),
            Op::Lea | Op::LeaX => write!(f, "v{dst} = lea.{ty} {}", Memory(r)),
            Op::Call => {
                if r.ty != Type::Unit {
                    write!(f, "v{dst} = ")?;
                }
                write!(f, "call.{ty} ")?;
                self.print_call(&self.calls[a as usize], f)
            }
            Op::Ret if r.ty == Type::Unit => f.write_str("ret.unit"),
            Op::Ret => write!(f, "ret.{ty} v{a}"),
        }
    }

    fn print_call(&self, site: &CallSite, f: &mut Formatter<'_>) -> fmt::Result {
        match site.target {
            Target::SelfCall => f.write_str("self")?,
            Target::Declared(cell) => write!(f, "declared {cell:#x}")?,
            Target::Native(address) => write!(f, "native {address:#x}")?,
            Target::Host { data, shim, words } => write!(f, "host {data:#x} shim {shim:#x} words {words:#x}")?,
            Target::Dynamic { address, program, traps, checks_stack, stack } => {
                let (traps, checks) = (u8::from(traps), u8::from(checks_stack));
                write!(
                    f,
                    "dynamic {address:#x} program {program:#x} traps {traps} checks_stack {checks} stack {stack}"
                )?;
            }
        }
        write!(f, " {:#b} (", site.pairs)?;
        for (i, Arg { ty, value }) in self.args_of(site).iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            match value {
                ArgValue::Reg(reg) => write!(f, "{comma}v{reg}: {}", type_name(*ty))?,
                ArgValue::Const(bits) => write!(f, "{comma}{bits:#x}: {}", type_name(*ty))?,
            }
        }
        f.write_str(")")
    }
}

/// The address of an access.
struct Memory<'a>(&'a Record);

impl Display for Memory<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let r = self.0;
        write!(f, "[v{}", r.a)?;
        let disp = match r.op {
            Op::Load | Op::Store | Op::StoreImm | Op::Lea => r.b as i32,
            _ => {
                write!(f, " + v{} * {}", r.b, 1 << r.indexed().log2())?;
                r.indexed().disp()
            }
        };
        match disp {
            0 => f.write_str("]"),
            1.. => write!(f, " + {disp}]"),
            _ => write!(f, " - {}]", disp.unsigned_abs()),
        }
    }
}
