//! The entry of functions whose code is exchanged: a jump through a cell, and code that counts calls.
//!
//! ```text
//!   entry:     r11 = state            every caller comes here, for as long as the function lives
//!              jmp [state.cell] ──┬─► better code
//!   counting:                   ◄─┤
//!              left -= 1          │
//!              js slow ─────────┐ │
//!              jmp [state.first] ─┴─► the first code
//!   slow:                     ◄─┘      (common to all functions: saves arguments, calls Rust, goes to the first code)
//! ```
//!
//! The code that counts finds the state in r11: the entry puts it there, and whoever calls through the cell by itself
//! (`Target::Declared`) has its address there, too.
//!
//! The count is not atomic: threads that count at once may lose calls, and nobody waits for a bus.

#![allow(clippy::useless_conversion, reason = "`dynasm!` converts whatever names a register")]

use dynasmrt::{DynasmApi, SimpleAssembler, dynasm};

use super::regs::ARGUMENTS;

/// Bytes of an entry. The code begins behind it, in the same cache line.
pub(crate) const LEN: usize = 32;
/// Offset of the code that counts.
pub(crate) const COUNTING: usize = 13;

/// What the code of an entry reads and writes. At the address that it is told.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct State<Word, Count> {
    /// Where calls go.
    pub(crate) cell: Word,
    /// The first code.
    pub(crate) first: Word,
    /// The code made by [`slow`].
    pub(crate) slow: Word,
    /// Calls until that is run, at the next one.
    pub(crate) left: Count,
}

/// What [`LEN`] bytes of entry there are for the state at an address.
pub(crate) fn code(state: u64) -> [u8; LEN] {
    const FIRST: u8 = 8;
    const SLOW: u8 = 16;
    const LEFT: u8 = 24;
    let mut code = [0xcc; LEN];
    code[..2].copy_from_slice(&[0x49, 0xbb]); // mov r11, state
    code[2..10].copy_from_slice(&state.to_le_bytes());
    code[10..COUNTING].copy_from_slice(&[0x41, 0xff, 0x23]); // jmp [r11]
    code[13..17].copy_from_slice(&[0x41, 0xff, 0x4b, LEFT]); // dec dword [r11 + LEFT]
    code[17..19].copy_from_slice(&[0x78, 4]); // js slow
    code[19..23].copy_from_slice(&[0x41, 0xff, 0x63, FIRST]); // jmp [r11 + FIRST]
    code[23..27].copy_from_slice(&[0x41, 0xff, 0x63, SLOW]); // jmp [r11 + SLOW]
    code
}

const _: () = {
    type Words = State<u64, u32>;
    assert!(std::mem::offset_of!(Words, cell) == 0 && std::mem::offset_of!(Words, first) == 8);
    assert!(std::mem::offset_of!(Words, slow) == 16 && std::mem::offset_of!(Words, left) == 24);
};

/// The code that calls `hot`, a C function, with the address of the state, then goes to the first code with all arguments as they
/// were.
pub(crate) fn slow(hot: usize) -> impl std::ops::Deref<Target = [u8]> {
    const FRAME: i32 = 8 * (6 + 8);
    const FLOATS: i32 = 8 * 6;
    let mut code = SimpleAssembler::new();
    // The call and this push leave the stack aligned to 16.
    dynasm!(code; .arch x64; push r11; sub rsp, FRAME);
    for (k, &reg) in ARGUMENTS.iter().enumerate() {
        dynasm!(code; .arch x64; mov [rsp + k as i32 * 8], Rq(reg));
    }
    for k in 0..8u8 {
        dynasm!(code; .arch x64; movsd [rsp + FLOATS + i32::from(k) * 8], Rx(k));
    }
    dynasm!(code; .arch x64; mov rdi, r11; mov rax, QWORD hot as i64; call rax);
    for (k, &reg) in ARGUMENTS.iter().enumerate() {
        dynasm!(code; .arch x64; mov Rq(reg), [rsp + k as i32 * 8]);
    }
    for k in 0..8u8 {
        dynasm!(code; .arch x64; movsd Rx(k), [rsp + FLOATS + i32::from(k) * 8]);
    }
    dynasm!(code; .arch x64; add rsp, FRAME; pop r11; jmp QWORD [r11 + 8]);
    code.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_the_instructions() {
        let code = code(0x1122_3344_5566_7788);
        let text = crate::dump::disassemble(&code[..27], 0x1000);
        let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        for (line, expected) in lines.iter().zip(["r11", "jmp", "dec", "js", "jmp", "jmp"]) {
            assert!(line.contains(expected), "{line:?} is not {expected}:\n{text}");
        }
        assert_eq!(lines.len(), 6, "{text}");
    }
}
