//! Reading time in *ticks*: cycles of the time-stamp counter on x86-64, nanoseconds elsewhere.
//!
//! The counter runs at a constant rate that is not the core's clock, so a tick is a unit of time, comparable between
//! runs on one machine. [`ticks_per_nanosecond`] measures the rate once.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What one tick is called in the tables.
pub const TICK: &str = if cfg!(all(target_arch = "x86_64", not(miri))) { "cycles" } else { "ns" };

/// The current time in ticks since some fixed moment.
#[must_use]
pub fn ticks() -> u64 {
    source::ticks()
}

/// Ticks per nanosecond, measured against the system's clock on the first call (10 ms).
#[must_use]
pub fn ticks_per_nanosecond() -> f64 {
    static RATE: OnceLock<f64> = OnceLock::new();
    *RATE.get_or_init(|| {
        let (start, from) = (Instant::now(), ticks());
        while start.elapsed() < Duration::from_millis(10) {
            std::hint::spin_loop();
        }
        let (elapsed, to) = (start.elapsed(), ticks());
        let rate = to.saturating_sub(from) as f64 / elapsed.as_nanos() as f64;
        // A counter that stands still or is not kept in step between cores must not divide by zero.
        if rate > 0.0 { rate } else { 1.0 }
    })
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod source {
    #![allow(unsafe_code, reason = "the time-stamp counter is only reachable through unsafe intrinsics")]

    use core::arch::x86_64::{_mm_lfence, _rdtsc};

    /// The fences keep the counter from being read before earlier instructions have finished or after later ones
    /// have begun.
    pub(super) fn ticks() -> u64 {
        // SAFETY: both instructions exist on every x86-64 processor, and neither reads or writes memory. RDTSC faults
        // only where the operating system has forbidden it (CR4.TSD), which ends the process; it cannot corrupt it.
        unsafe {
            _mm_lfence();
            let now = _rdtsc();
            _mm_lfence();
            now
        }
    }
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
mod source {
    use std::sync::OnceLock;
    use std::time::Instant;

    pub(super) fn ticks() -> u64 {
        static START: OnceLock<Instant> = OnceLock::new();
        u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_advance_at_a_sane_rate() {
        let before = ticks();
        let rate = ticks_per_nanosecond();
        assert!(ticks() > before);
        assert!((0.01..100.0).contains(&rate), "{rate} ticks per nanosecond");
    }
}
