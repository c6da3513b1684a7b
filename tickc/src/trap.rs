//! Traps: how dynamic code ends a call that cannot go on.
//!
//! Nothing unwinds through dynamic frames. A function that can trap returns a **status** in a second register beside its
//! value (`rdx`, or `rax` beside a float): 0 for a value, else a trap. Its caller looks at the status and, if it is dynamic
//! code too, returns it further after giving back its own frame. A function that cannot trap has no status and pays nothing.
//!
//! A function that may need more stack than a page, because it recurses or calls such a function, takes one hidden argument
//! after its own: the lowest address that its frames may reach. It keeps it in a register that calls preserve, and compares
//! `rsp` with it on entry.
#![allow(unsafe_code, reason = "the status of a panic is the address of its payload")]

use std::any::Any;
use std::fmt;

/// Why a call of dynamic code ended without a value.
#[derive(Debug)]
#[non_exhaustive]
pub enum Trap {
    /// Division or remainder by zero.
    DivisionByZero,
    /// Division or remainder of the smallest integer by -1.
    DivisionOverflow,
    /// An index past the end of a slice or an array.
    IndexOutOfBounds,
    /// The stack has no room for another frame.
    StackOverflow,
    /// `trap(code)` in the dynamic code.
    Code(u32),
    /// A Rust closure called by the dynamic code panicked with this payload.
    HostPanic(Box<dyn Any + Send>),
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trap::DivisionByZero => f.write_str("attempt to divide by zero"),
            Trap::DivisionOverflow => f.write_str("attempt to divide with overflow"),
            Trap::IndexOutOfBounds => f.write_str("index out of bounds"),
            Trap::StackOverflow => f.write_str("dynamic code ran out of stack"),
            Trap::Code(code) => write!(f, "dynamic code trapped with code {code}"),
            Trap::HostPanic(_) => f.write_str("a host function called by dynamic code panicked"),
        }
    }
}

impl std::error::Error for Trap {}

/// The traps that generated code raises by itself; the discriminant is the status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum TrapKind {
    /// [`Trap::DivisionByZero`].
    DivisionByZero = 1,
    /// [`Trap::DivisionOverflow`].
    DivisionOverflow = 2,
    /// [`Trap::IndexOutOfBounds`].
    IndexOutOfBounds = 3,
    /// [`Trap::StackOverflow`].
    StackOverflow = 4,
}

impl TrapKind {
    /// All kinds, in the order of their status.
    pub(crate) const ALL: [TrapKind; 4] =
        [TrapKind::DivisionByZero, TrapKind::DivisionOverflow, TrapKind::IndexOutOfBounds, TrapKind::StackOverflow];
}

/// The status of `trap(code)` is `CODE_STATUS | code`.
pub(crate) const CODE_STATUS: u64 = 1 << 32;

/// The status of a closure's panic is `HOST_PANIC_STATUS | address` of its payload in a box of its own. No address of a
/// process has that bit.
const HOST_PANIC_STATUS: u64 = 1 << 63;

/// A status that stands for a panic with this payload. Whoever ends the call takes it out by [`trap_of_status`], once.
#[cold]
pub(crate) fn status_of_panic(payload: Box<dyn Any + Send>) -> u64 {
    HOST_PANIC_STATUS | Box::into_raw(Box::new(payload)).expose_provenance() as u64
}

/// The trap that a status stands for.
///
/// # Safety
/// The status is that of a call of generated code that has just ended, and is not used again.
///
/// # Panics
/// On a status that no generated code returns.
#[cold]
pub(crate) unsafe fn trap_of_status(status: u64) -> Trap {
    match status {
        _ if status & HOST_PANIC_STATUS != 0 => {
            let payload = std::ptr::with_exposed_provenance_mut((status & !HOST_PANIC_STATUS) as usize);
            // SAFETY: only `status_of_panic` makes such a status, from a box; by the caller's promise nobody else takes it.
            Trap::HostPanic(*unsafe { Box::<Box<dyn Any + Send>>::from_raw(payload) })
        }
        1 => Trap::DivisionByZero,
        2 => Trap::DivisionOverflow,
        3 => Trap::IndexOutOfBounds,
        4 => Trap::StackOverflow,
        _ if status >> 32 == 1 => Trap::Code(status as u32),
        _ => unreachable!("generated code returned the status {status:#x}"),
    }
}
