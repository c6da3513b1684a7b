//! Cycles of the time-stamp counter (nanoseconds on machines without one).
#![allow(unsafe_code, reason = "reading the time-stamp counter is an intrinsic")]

/// Now, in cycles. Fenced, so that nothing timed leaks out.
pub(super) fn now() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instructions exist on every x86-64 and touch no memory.
    unsafe {
        use core::arch::x86_64::{_mm_lfence, _rdtsc};
        _mm_lfence();
        let now = _rdtsc();
        _mm_lfence();
        now
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        use std::sync::OnceLock;
        use std::time::Instant;
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }
}
