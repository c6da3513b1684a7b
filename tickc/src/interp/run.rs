//! The loop of the interpreter.

use std::cell::Cell;
use std::ptr;

use super::{Program, native};
use crate::emit::fold;
use crate::ir::{Arg, ArgValue, CallSite, Condition, Function, Op, Record, VReg};
use crate::machine::{BinaryOp, Comparison, Target};
use crate::stack;
use crate::trap::{CODE_STATUS, TrapKind};
use crate::types::Type;

/// Room for the frames of one run, in words of 8 bytes: as much as a main thread has of stack.
const MAX_WORDS: usize = 1 << 20;
/// What a frame takes beside its registers, in words.
const FRAME_WORDS: usize = size_of::<Frame<'_>>() / 8;
/// Words that a thread keeps from run to run.
const KEPT_WORDS: usize = 1 << 15;
/// How much stack of the thread must be left when a run begins, in bytes: what native functions may expect, and the run itself.
const STACK_LEFT: usize = stack::RESERVE + 16 * 1024;

thread_local! {
    /// Storage for registers, while no run uses it.
    static WORDS: Cell<Vec<u64>> = const { Cell::new(Vec::new()) };
}

/// A function that waits for the one that it called.
struct Frame<'a> {
    program: &'a Program,
    /// Index of its first register.
    base: usize,
    /// Index of the record behind the call.
    pc: usize,
    /// Where the result goes.
    result: Option<VReg>,
}

/// Why the loop leaves a frame.
enum Leave<'a> {
    /// For an interpreted function; control comes back to `pc`.
    Call { callee: &'a Program, args: &'a [Arg], result: Option<VReg>, pc: usize },
    /// With the function's value.
    Return(u64),
}

/// Runs `program`; see [`Program::run`].
pub(super) fn run(program: &Program, args: &[u64]) -> Result<u64, u64> {
    if stack::pointer() < stack::limit().saturating_add(STACK_LEFT) {
        return Err(TrapKind::StackOverflow as u64);
    }
    let mut words = WORDS.try_with(Cell::take).unwrap_or_default();
    words.clear();
    words.extend_from_slice(args);
    let result = run_frames(program, &mut words);
    if words.capacity() <= KEPT_WORDS {
        let _ = WORDS.try_with(|cell| cell.set(words));
    }
    result
}

/// Runs `program`, whose arguments lie in `words`.
fn run_frames(mut program: &Program, words: &mut Vec<u64>) -> Result<u64, u64> {
    let mut frames: Vec<Frame<'_>> = Vec::new();
    let (mut base, mut pc) = (0, 0);
    make_room(program, base, words, 0)?;
    loop {
        match run_frame(program, pc, &mut words[base..])? {
            Leave::Call { callee, args, result, pc: back } => {
                let callee_base = words.len();
                for arg in args {
                    words.push(match arg.value {
                        ArgValue::Reg(reg) => words[base + reg as usize],
                        ArgValue::Const(bits) => bits,
                    });
                }
                frames.push(Frame { program, base, pc: back, result });
                (program, base, pc) = (callee, callee_base, 0);
                make_room(program, base, words, frames.len())?;
            }
            Leave::Return(value) => {
                let Some(caller) = frames.pop() else { return Ok(value) };
                words.truncate(base);
                (program, base, pc) = (caller.program, caller.base, caller.pc);
                if let Some(result) = caller.result {
                    words[base + result as usize * usize::from(!fault!(58))] = value;
                }
            }
        }
    }
}

/// Room for the registers of a function whose arguments lie from `base` on; the others start at zero.
fn make_room(program: &Program, base: usize, words: &mut Vec<u64>, depth: usize) -> Result<(), u64> {
    let end = base + program.function().vregs as usize;
    if end + depth * FRAME_WORDS > MAX_WORDS {
        return Err(TrapKind::StackOverflow as u64);
    }
    words.resize(end, 0);
    Ok(())
}

/// Runs one frame from the record `pc` on, until it calls an interpreted function, returns or traps.
fn run_frame<'a>(program: &'a Program, mut pc: usize, regs: &mut [u64]) -> Result<Leave<'a>, u64> {
    let function = program.function();
    let records = &function.records[..];
    loop {
        let r = records[pc];
        pc += 1;
        let reg = |field: u32| regs[field as usize];
        let value = match r.op {
            Op::Label => continue,
            Op::Const => r.constant(),
            Op::Copy => reg(r.a),
            Op::Binary => binary(r.binary_op(), r.ty, reg(r.a), reg(r.b))?,
            Op::BinaryImm => binary(r.binary_op(), r.ty, reg(r.a), r.immediate())?,
            Op::Unary => fold::fold_unary(r.unary_op(), r.ty, reg(r.a)),
            Op::Convert => fold::fold_convert(r.source_type(), r.ty, reg(r.a)),
            Op::Bitcast => r.ty.canonical(reg(r.a)),
            Op::Set => u64::from(holds(r.condition(), r.ty, reg(r.a), reg(r.b))),
            Op::SetImm => u64::from(holds(r.condition(), r.ty, reg(r.a), r.immediate())),
            Op::Branch => {
                if holds(r.condition(), r.ty, reg(r.a), reg(r.b)) {
                    pc = r.dst as usize;
                }
                continue;
            }
            Op::BranchImm => {
                if holds(r.condition(), r.ty, reg(r.a), r.immediate()) {
                    pc = r.dst as usize;
                }
                continue;
            }
            Op::TrapIf => {
                if holds(r.condition(), r.ty, reg(r.a), reg(r.b)) != fault!(60) {
                    return Err(u64::from(r.dst));
                }
                continue;
            }
            Op::TrapIfImm => {
                if holds(r.condition(), r.ty, reg(r.a), r.immediate()) {
                    return Err(u64::from(r.dst));
                }
                continue;
            }
            Op::Jump => {
                pc = r.dst as usize;
                continue;
            }
            Op::Switch => {
                let index = reg(r.a);
                assert!(index < u64::from(r.b), "the index of a switch is less than the number of its targets");
                pc += index as usize;
                continue;
            }
            Op::Trap => return Err(u64::from(r.dst)),
            Op::TrapCode => return Err(CODE_STATUS | reg(r.a)),
            Op::Unreachable => unreachable!("N4: control came to the end of a function that has none"),
            // SAFETY: dynamic code accesses what its checks, or the user's own `unsafe`, allow.
            Op::Load | Op::LoadX => unsafe { load(r.ty, address(r, regs)) },
            Op::Store | Op::StoreX => {
                // SAFETY: as above.
                unsafe { store(r.ty, address(r, regs), reg(r.dst)) };
                continue;
            }
            Op::StoreImm | Op::StoreXImm => {
                // SAFETY: as above.
                unsafe { store(r.ty, address(r, regs), crate::ir::immediate(r.ty, r.dst)) };
                continue;
            }
            Op::Lea | Op::LeaX => address(r, regs),
            Op::Call => {
                let site = &function.calls[r.a as usize];
                let args = function.args_of(site);
                let result = r.defined();
                if let Some(callee) = interpreted(program, site) {
                    return Ok(Leave::Call { callee, args, result, pc });
                }
                let value = native::call(function, site, r.ty, regs)?;
                if let Some(result) = result {
                    regs[result as usize] = value;
                }
                continue;
            }
            Op::Ret => return Ok(Leave::Return(if r.ty == Type::Unit { 0 } else { reg(r.a) })),
        };
        regs[r.dst as usize] = value;
    }
}

/// The interpreted function that a call goes to, if it is one.
fn interpreted<'a>(caller: &'a Program, site: &CallSite) -> Option<&'a Program> {
    match site.target {
        Target::SelfCall => Some(caller),
        Target::Dynamic { program, .. } if program != 0 => {
            // SAFETY: the address of a program, exposed when the caller was compiled; the caller keeps the program alive, and is
            // itself alive while it runs.
            Some(unsafe { &*ptr::with_exposed_provenance::<Program>(program as usize) })
        }
        Target::Declared(cell) => {
            // SAFETY: the address of a cell, which the caller keeps alive, and in which, before anything of the group can be called,
            // the address of a program of the group was stored, which the caller's owner keeps alive.
            Some(unsafe {
                let word = *ptr::with_exposed_provenance::<usize>(cell as usize);
                &*ptr::with_exposed_provenance::<Program>(word)
            })
        }
        Target::Dynamic { .. } | Target::Native(_) | Target::Host { .. } => None,
    }
}

/// Whether operations on the type wrap at 64 bits.
#[inline]
fn is_wide_int(ty: Type) -> bool {
    matches!(ty, Type::I64 | Type::U64 | Type::Isize | Type::Usize | Type::Ptr)
}

#[inline(always)]
fn binary(op: BinaryOp, ty: Type, a: u64, b: u64) -> Result<u64, u64> {
    if is_wide_int(ty) {
        match op {
            BinaryOp::Add => return Ok(a.wrapping_add(b)),
            BinaryOp::Sub => return Ok(a.wrapping_sub(b)),
            BinaryOp::Mul => return Ok(a.wrapping_mul(b)),
            BinaryOp::And => return Ok(a & b),
            BinaryOp::Or => return Ok(a | b),
            BinaryOp::Xor => return Ok(a ^ b),
            BinaryOp::Shl => return Ok(a.wrapping_shl(b as u32)),
            BinaryOp::Shr if ty.is_signed() && !fault!(56) => return Ok((a as i64).wrapping_shr(b as u32) as u64),
            BinaryOp::Shr => return Ok(a.wrapping_shr(b as u32)),
            _ => {}
        }
    }
    fold::fold_binary(op, ty, a, b).map_err(|trap| trap as u64)
}

#[inline(always)]
fn holds(condition: Condition, ty: Type, a: u64, b: u64) -> bool {
    let truth = match condition.comparison() {
        Some(comparison) if ty.is_float() => fold::fold_compare(comparison, ty, a, b),
        Some(comparison) => {
            // In canonical form, signed integers are in order once their sign is turned round.
            let sign = u64::from(ty.is_signed() && !fault!(57)) << 63;
            let (a, b) = (a ^ sign, b ^ sign);
            match comparison {
                Comparison::Eq => a == b,
                Comparison::Ne => a != b,
                Comparison::Lt => a < b,
                Comparison::Le => a <= b,
                Comparison::Gt => a > b,
                Comparison::Ge => a >= b,
            }
        }
        None => a & b != 0,
    };
    truth != condition.is_inverse()
}

/// The address that an access to memory names.
#[inline]
fn address(r: Record, regs: &[u64]) -> u64 {
    let base = regs[r.a as usize];
    match r.op {
        Op::Load | Op::Store | Op::StoreImm | Op::Lea => base.wrapping_add(r.b as i32 as u64),
        _ => {
            let indexed = r.indexed();
            let index = regs[r.b as usize] << indexed.log2();
            base.wrapping_add(index).wrapping_add(indexed.disp() as u64)
        }
    }
}

/// The value at an address, in canonical form.
///
/// # Safety
/// A value of the type may be read there.
#[inline]
unsafe fn load(ty: Type, address: u64) -> u64 {
    let p = ptr::with_exposed_provenance::<u8>(address as usize);
    // SAFETY: by the caller's promise; dynamic code knows no alignment.
    let bits = unsafe {
        match ty.size() {
            1 => u64::from(p.read()),
            2 => u64::from(p.cast::<u16>().read_unaligned()),
            4 => u64::from(p.cast::<u32>().read_unaligned()),
            _ if ty == Type::Ptr => p.cast::<*const u8>().read_unaligned().expose_provenance() as u64,
            _ => p.cast::<u64>().read_unaligned(),
        }
    };
    if fault!(59) { bits } else { ty.canonical(bits) }
}

/// Stores a value.
///
/// # Safety
/// A value of the type may be written there.
#[inline]
unsafe fn store(ty: Type, address: u64, bits: u64) {
    let p = ptr::with_exposed_provenance_mut::<u8>(address as usize);
    // SAFETY: by the caller's promise; dynamic code knows no alignment.
    unsafe {
        match ty.size() {
            1 => p.write(bits as u8),
            2 => p.cast::<u16>().write_unaligned(bits as u16),
            4 => p.cast::<u32>().write_unaligned(bits as u32),
            _ if ty == Type::Ptr => {
                p.cast::<*const u8>().write_unaligned(ptr::with_exposed_provenance(bits as usize));
            }
            _ => p.cast::<u64>().write_unaligned(bits),
        }
    }
}

/// The words of a call's arguments.
pub(super) fn argument(regs: &[u64], arg: &Arg) -> u64 {
    match arg.value {
        ArgValue::Reg(reg) => regs[reg as usize],
        ArgValue::Const(bits) => bits,
    }
}

/// Arguments of a call, in order.
pub(super) fn arguments<'a>(
    function: &'a Function,
    site: &CallSite,
    regs: &'a [u64],
) -> impl Iterator<Item = (Type, u64)> + 'a {
    function.args_of(site).iter().map(|arg| (arg.ty, argument(regs, arg)))
}
