//! Calls of machine code, by the System V convention for x86-64.
//!
//! A callee finds each argument in the register or the word of the stack where the convention puts it. So one function type,
//! with all the registers for arguments and some words of the stack, serves every signature: what a callee does not take, it
//! does not look at, and it is the caller who takes the words from the stack again.

use super::run::arguments;
use crate::ir::{CallSite, Function};
use crate::machine::Target;
use crate::stack;
use crate::types::Type;
use crate::x64::convention::{ARGUMENTS, Convention, Location, XMM0};

/// What a call passes.
#[derive(Default)]
struct Passed {
    ints: [u64; 6],
    floats: [f64; 8],
    stack: [u64; MAX_STACK],
}

/// The most words that are passed on the stack: 24 scalars and a stack limit, of which 6 are in registers; an odd word between.
const MAX_STACK: usize = 20;

impl Passed {
    fn put(&mut self, location: Location, bits: u64) {
        match location {
            Location::Reg(reg) if reg >= XMM0 => self.floats[(reg - XMM0) as usize] = f64::from_bits(bits),
            Location::Reg(reg) => {
                let k = ARGUMENTS.iter().position(|&r| r == reg).expect("a register for arguments");
                self.ints[k] = bits;
            }
            Location::Stack(word) => self.stack[word as usize] = bits,
        }
    }
}

/// What comes back: a value in rax or xmm0, and, from dynamic code that can trap, a status in rdx or rax.
#[repr(C)]
struct Returned<T> {
    value: T,
    status: u64,
}

/// A function that takes everything, and its words on the stack.
macro_rules! calls {
    ($($name:ident: $($k:literal)*;)*) => {$(
        /// # Safety
        /// `target` is the address of a function that follows the convention, returns as `Returned<T>` tells, and takes no
        /// more words on the stack than are passed here.
        unsafe fn $name<T>(target: *const (), p: &Passed) -> Returned<T> {
            type F<T> = extern "C" fn(
                u64, u64, u64, u64, u64, u64, f64, f64, f64, f64, f64, f64, f64, f64, $(calls!(@word $k)),*
            ) -> Returned<T>;
            // SAFETY: by the caller's promise, and see the head of this module.
            let f = unsafe { std::mem::transmute::<*const (), F<T>>(target) };
            let ([a, b, c, d, e, g], [s, t, u, v, w, x, y, z]) = (p.ints, p.floats);
            f(a, b, c, d, e, g, s, t, u, v, w, x, y, z, $(p.stack[$k]),*)
        }
    )*};
    (@word $k:literal) => { u64 };
}
calls! {
    call_in_registers:;
    call_with_4: 0 1 2 3;
    call_with_20: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19;
}

/// Calls the machine code that a call goes to. Its value in canonical form, or a status.
pub(super) fn call(function: &Function, site: &CallSite, ret: Type, regs: &[u64]) -> Result<u64, u64> {
    let (address, has_status, takes_limit) = match site.target {
        Target::Native(address) => (address, false, false),
        Target::Dynamic { address, traps, checks_stack, .. } => (address, traps, checks_stack),
        Target::SelfCall => unreachable!("the interpreter calls the function itself"),
    };
    let mut passed = Passed::default();
    let mut convention = Convention::default();
    let mut locations = [Location::Stack(0); 24];
    let types = function.args_of(site).iter().map(|arg| arg.ty);
    convention.locate(types, site.pairs, |i, location| locations[i] = location);
    for (location, (_, bits)) in locations.into_iter().zip(arguments(function, site, regs)) {
        passed.put(location, bits);
    }
    if takes_limit {
        passed.put(convention.next(Type::Usize, false), (stack::limit() + stack::RESERVE) as u64);
    }
    let target = std::ptr::with_exposed_provenance::<()>(address as usize);
    // SAFETY: the quotation was compiled for this target, whose types rustc has checked: it is an `extern "C"` function, or
    // dynamic code, which follows the same convention and is kept alive by the caller.
    let Returned { value, status } = unsafe {
        if ret.is_float() {
            let Returned { value, status } = dispatch::<f64>(target, &passed, convention.stack);
            Returned { value: value.to_bits(), status }
        } else {
            dispatch::<u64>(target, &passed, convention.stack)
        }
    };
    // What C leaves open above the value is cut off.
    if has_status && status != 0 { Err(status) } else { Ok(ret.canonical(value)) }
}

/// # Safety
/// As the functions that it chooses from.
unsafe fn dispatch<T>(target: *const (), passed: &Passed, stack: u32) -> Returned<T> {
    // SAFETY: by the caller's promise.
    unsafe {
        match stack {
            0 => call_in_registers(target, passed),
            1..=4 => call_with_4(target, passed),
            _ => call_with_20(target, passed),
        }
    }
}
