//! Raw pointers and unsafe functions, where the user writes `unsafe`.
#![deny(warnings, unsafe_op_in_unsafe_fn)]

use tickc::prelude::*;

/// # Safety
/// `p` may be read.
unsafe extern "C" fn peek(p: *const i64) -> i64 {
    // SAFETY: by the callers' promise.
    unsafe { *p }
}

fn main() -> Result<(), Error> {
    let jit = Jit::new()?;
    let counter = 40i64;
    let p = &raw const counter;
    // SAFETY: it is called with 0, while the counter is there.
    let f = jit.compile(tick!(|n: usize| -> i64 { unsafe { *$p.add(n) + peek($p) } }))?;
    assert_eq!(f.call(0), 80);
    let g = jit.compile(tick!(|p: *mut i64| {
        if !p.is_null() {
            // SAFETY: it is called with the address of a number, or with null.
            unsafe {
                *p += 1;
                *p = peek(p as *const i64) * 2;
            }
        }
    }))?;
    let mut x = 20;
    g.call(&raw mut x);
    assert_eq!(x, 42);
    Ok(())
}
