//! Calls of machine code, by the System V convention for x86-64.
//!
//! Which registers and how many words on the stack a call takes is known only when it is made, so it is made by hand.

use std::arch::asm;

use super::run::arguments;
use crate::ir::{CallSite, Function};
use crate::machine::Target;
use crate::stack;
use crate::types::Type;
use crate::x64::convention::{ARGUMENTS, Convention, Location, XMM0};

/// What a call passes, and what comes back.
#[derive(Default)]
#[repr(C)]
struct Passed {
    /// rdi, rsi, rdx, rcx, r8, r9.
    ints: [u64; 6],
    floats: [u64; 8],
    stack: Vec<u64>,
}

impl Passed {
    fn put(&mut self, location: Location, bits: u64) {
        match location {
            Location::Reg(reg) if reg >= XMM0 => self.floats[(reg - XMM0) as usize] = bits,
            Location::Reg(reg) => {
                let k = ARGUMENTS.iter().position(|&r| r == reg).expect("a register for arguments");
                self.ints[k] = bits;
            }
            Location::Stack(word) => {
                let len = self.stack.len().max(word as usize + 1);
                self.stack.resize(len, 0);
                self.stack[word as usize] = bits;
            }
        }
    }

    /// Calls a function: rax, rdx and xmm0 afterwards.
    ///
    /// # Safety
    /// `target` is the address of a function that follows the convention, with these arguments.
    unsafe fn call(&mut self, target: u64) -> (u64, u64, u64) {
        if !self.stack.len().is_multiple_of(2) {
            self.stack.push(0);
        }
        let (rax, rdx, xmm0): (u64, u64, f64);
        // SAFETY: the stack is aligned to 16 at the call, as an even number of words has been pushed, and is as it was afterwards;
        // all that the convention allows a callee to change is marked so; the callee is as the caller promises.
        unsafe {
            asm!(
                "mov r12, rsp",
                "2:",
                "test r14, r14",
                "jz 3f",
                "push qword ptr [r13 + r14 * 8 - 8]",
                "dec r14",
                "jmp 2b",
                "3:",
                "movsd xmm0, qword ptr [r15 + 48]",
                "movsd xmm1, qword ptr [r15 + 56]",
                "movsd xmm2, qword ptr [r15 + 64]",
                "movsd xmm3, qword ptr [r15 + 72]",
                "movsd xmm4, qword ptr [r15 + 80]",
                "movsd xmm5, qword ptr [r15 + 88]",
                "movsd xmm6, qword ptr [r15 + 96]",
                "movsd xmm7, qword ptr [r15 + 104]",
                "mov rdi, [r15]",
                "mov rsi, [r15 + 8]",
                "mov rdx, [r15 + 16]",
                "mov rcx, [r15 + 24]",
                "mov r8, [r15 + 32]",
                "mov r9, [r15 + 40]",
                "call rax",
                "mov rsp, r12",
                inout("rax") target => rax,
                out("rdx") rdx,
                out("xmm0") xmm0,
                out("r12") _,
                in("r13") self.stack.as_ptr(),
                inout("r14") self.stack.len() => _,
                in("r15") &raw const *self,
                clobber_abi("C"),
            );
        }
        (rax, rdx, xmm0.to_bits())
    }
}

const _: () = assert!(std::mem::offset_of!(Passed, ints) == 0 && std::mem::offset_of!(Passed, floats) == 48);

/// Calls the machine code that a call goes to. Its value in canonical form, or a status.
pub(super) fn call(function: &Function, site: &CallSite, ret: Type, regs: &[u64]) -> Result<u64, u64> {
    let types = function.args_of(site).iter().map(|arg| arg.ty);
    let values = arguments(function, site, regs).map(|(_, bits)| bits);
    let (address, has_status, takes_limit) = match site.target {
        Target::Native(address) => (address, false, false),
        Target::Dynamic { address, traps, checks_stack, .. } => (address, traps, checks_stack),
        Target::Host { data, words, .. } => return call_host(data, words, values),
        Target::SelfCall | Target::Declared(_) => unreachable!("the interpreter calls what it interprets itself"),
    };
    let mut passed = Passed::default();
    let mut convention = Convention::default();
    let mut locations = Vec::new();
    convention.locate(types, site.pairs, |_, location| locations.push(location));
    for (location, bits) in locations.into_iter().zip(values) {
        passed.put(location, bits);
    }
    if takes_limit {
        passed.put(convention.next(Type::Usize, false), (stack::limit() + stack::RESERVE) as u64);
    }
    // SAFETY: the quotation was compiled for this target, whose types rustc or the emitter has checked: it is an `extern "C"`
    // function, or dynamic code, which follows the same convention and is kept alive by the caller.
    let (rax, rdx, xmm0) = unsafe { passed.call(address) };
    let (value, status) = if ret.is_float() { (xmm0, rax) } else { (rax, rdx) };
    // What C leaves open above the value is cut off.
    if has_status && status != 0 { Err(status) } else { Ok(ret.canonical(value)) }
}

/// Calls a closure by its shim for interpreters.
fn call_host(data: u64, words: u64, values: impl Iterator<Item = u64>) -> Result<u64, u64> {
    let arguments: Vec<u64> = std::iter::once(data).chain(values).collect();
    let mut value = 0;
    // SAFETY: the address is that of such a shim, and the words are those that it takes: the closure, and the arguments that rustc
    // or the emitter has checked. The caller keeps the closure alive.
    let status = unsafe {
        let shim = std::mem::transmute::<*const (), unsafe extern "C" fn(*const u64, *mut u64) -> u64>(
            std::ptr::with_exposed_provenance(words as usize),
        );
        shim(arguments.as_ptr(), &raw mut value)
    };
    if status == 0 { Ok(value) } else { Err(status) }
}
