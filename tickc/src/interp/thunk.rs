//! Calls of interpreted functions by machine code: a few instructions that store all registers that arguments may come in,
//! and call [`enter`], which finds the arguments there.

#![allow(clippy::useless_conversion, reason = "`dynasm!` converts whatever names a register")]

use dynasmrt::{DynasmApi, SimpleAssembler, dynasm};

use super::Program;
use crate::error::Error;
use crate::func::{FuncData, Owner};
use crate::x64::convention::{ARGUMENTS, Convention, Location, XMM0};

/// What a thunk stores, and where it finds what to return.
#[repr(C)]
struct Saved {
    /// rdi, rsi, rdx, rcx, r8, r9.
    ints: [u64; 6],
    floats: [u64; 8],
    /// The result.
    value: u64,
    status: u64,
}

/// The frame of a thunk: what it saves, and a word that aligns the stack.
const FRAME: i32 = size_of::<Saved>() as i32 + 8;
const _: () = assert!((FRAME + 8) % 16 == 0);

/// Runs a program for its thunk.
///
/// # Safety
/// `program` lives, `saved` is what its thunk has stored, and `stack` are the words that its caller has pushed.
unsafe extern "C" fn enter(program: *const Program, saved: *mut Saved, stack: *const u64) {
    // SAFETY: by the caller's promise.
    let (program, saved) = unsafe { (&*program, &mut *saved) };
    let function = program.function();
    let mut words = vec![0; function.params.len()];
    Convention::default().locate(function.params.iter().copied(), function.pairs, |i, location| {
        let bits = match location {
            Location::Reg(reg) if reg >= XMM0 => saved.floats[(reg - XMM0) as usize],
            Location::Reg(reg) => {
                saved.ints[ARGUMENTS.iter().position(|&r| r == reg).expect("a register for arguments")]
            }
            // SAFETY: the caller has pushed the words that the signature asks for.
            Location::Stack(word) => unsafe { stack.add(word as usize).read() },
        };
        // Machine code leaves open what lies above a value.
        words[i] = function.params[i].canonical(bits);
    });
    (saved.value, saved.status) = match program.run(&words) {
        Ok(value) => (value, 0),
        Err(status) => (0, status),
    };
}

/// Makes the thunk of a program, which is only called while the program lives.
pub(super) fn make(program: &Program) -> Result<Owner, Error> {
    let mut code = SimpleAssembler::new();
    let target = (&raw const *program).expose_provenance() as i64;
    let enter = enter as *const () as i64;
    let value = std::mem::offset_of!(Saved, value) as i32;
    let status = std::mem::offset_of!(Saved, status) as i32;
    dynasm!(code
        ; .arch x64
        ; sub rsp, FRAME
    );
    for (k, &reg) in ARGUMENTS.iter().enumerate() {
        dynasm!(code; .arch x64; mov [rsp + k as i32 * 8], Rq(reg));
    }
    for k in 0..8u8 {
        dynasm!(code; .arch x64; movsd [rsp + 48 + i32::from(k) * 8], Rx(k));
    }
    dynasm!(code
        ; .arch x64
        ; mov rdi, QWORD target
        ; mov rsi, rsp
        ; lea rdx, [rsp + FRAME + 8]
        ; mov rax, QWORD enter
        ; call rax
    );
    if program.function().ret.is_float() {
        dynasm!(code; .arch x64; movsd xmm0, [rsp + value]; mov rax, [rsp + status]);
    } else {
        dynasm!(code; .arch x64; mov rax, [rsp + value]; mov rdx, [rsp + status]);
    }
    dynasm!(code; .arch x64; add rsp, FRAME; ret);
    let code = code.finalize();
    let mut place = crate::code_memory::reserve(code.len())?;
    place.bytes().copy_from_slice(&code);
    let entry = place.exec().addr();
    let node = place.publish()?.commit(FuncData::thunk(entry));
    // SAFETY: just committed, with a count of one.
    Ok(unsafe { Owner::new(node) })
}

const _: () = assert!(std::mem::offset_of!(Saved, floats) == 48);
