//! How much stack the current thread has.
#![allow(unsafe_code, reason = "asks the C library for the bounds of the thread's stack")]

use std::cell::Cell;

/// What generated code leaves free below its frames for the native functions that it calls, and for signal handlers.
pub(crate) const RESERVE: usize = 64 * 1024;

thread_local! {
    /// Lowest address of the thread's stack; 0 until it is asked for.
    static LIMIT: Cell<usize> = const { Cell::new(0) };
}

/// The address of about the top of the stack.
#[inline(always)]
pub(crate) fn pointer() -> usize {
    let marker = 0u8;
    (&raw const marker).addr()
}

/// The lowest address that this thread's stack may reach.
#[inline]
pub(crate) fn limit() -> usize {
    match LIMIT.get() {
        0 => find_limit(),
        limit => limit,
    }
}

#[cold]
fn find_limit() -> usize {
    // Miri's stack has no addresses in order, and no end.
    let fallback = || if cfg!(miri) { 1 } else { pointer().saturating_sub(256 * 1024) };
    let limit = ask_pthread().unwrap_or_else(fallback);
    LIMIT.set(limit);
    limit
}

#[cfg(all(target_os = "linux", not(miri)))]
fn ask_pthread() -> Option<usize> {
    let mut low = std::ptr::null_mut();
    let mut size = 0;
    let mut guard = 0;
    // SAFETY: plain calls of the C library with pointers to locals; `attributes` is used only after it was filled in, and
    // destroyed afterwards.
    unsafe {
        let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let got = libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut size);
        if libc::pthread_attr_getguardsize(attributes.as_ptr(), &raw mut guard) != 0 {
            guard = 0;
        }
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        if got != 0 {
            return None;
        }
    }
    // The guard may or may not be part of what was reported; a page of it more or less does no harm.
    Some(low.addr() + guard)
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn ask_pthread() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    #[test]
    fn limit_is_below_the_stack_pointer_in_every_thread() {
        let check = || {
            let (limit, pointer) = (super::limit(), super::pointer());
            assert!(limit < pointer, "limit {limit:#x} pointer {pointer:#x}");
            assert!(pointer - limit < 1 << 30, "limit {limit:#x} pointer {pointer:#x}");
        };
        check();
        std::thread::Builder::new().stack_size(128 * 1024).spawn(check).unwrap().join().unwrap();
    }
}
