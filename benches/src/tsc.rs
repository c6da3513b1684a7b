//! Time in cycles of the time-stamp counter.
//!
//! **Terms.** A *batch* is a number of calls timed by one pair of readings; a *sample*
//! is the cycles per call of one batch.
//!
//! **Invariants.**
//! 1. A reading is fenced on both sides, so nothing timed leaks out and nothing else in.
//! 2. Only batches are timed: the counter may advance in large steps (26 cycles where
//!    this was written), which a batch of [`LEAST_BATCH`] divides to below one cycle.
//! 3. What an empty batch costs is measured first and subtracted from each.
#![allow(unsafe_code, reason = "reading the time-stamp counter is an intrinsic")]

use core::arch::x86_64::{__rdtscp, _mm_lfence, _rdtsc};

/// The smallest batch that may be timed (invariant 2).
pub const LEAST_BATCH: u32 = 32;

/// A calibrated time-stamp counter.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Cycles between the two readings around nothing.
    overhead: u64,
}

impl Clock {
    /// Measures the cost of measuring.
    #[must_use]
    pub fn calibrate() -> Self {
        let bare = Clock { overhead: 0 };
        let mut samples: Vec<f64> = (0..2_000).map(|_| bare.time(|| ()) as f64).collect();
        let overhead = median(&mut samples) as u64;
        Clock { overhead }
    }

    /// Cycles that `timed` takes, without the cost of measuring.
    #[inline(always)]
    pub fn time(self, timed: impl FnOnce()) -> u64 {
        let start = start();
        timed();
        stop().wrapping_sub(start).saturating_sub(self.overhead)
    }

    /// Cycles between two readings with nothing in between.
    #[must_use]
    pub fn overhead(self) -> u64 {
        self.overhead
    }

    /// Times `repetitions` batches of `batch` calls: `timed(state, batch)` is timed,
    /// `between(state)` runs after it and is not.
    ///
    /// # Panics
    /// If `batch` is below [`LEAST_BATCH`].
    pub fn measure<S: ?Sized>(
        self,
        state: &mut S,
        batch: u32,
        repetitions: u32,
        timed: impl Fn(&mut S, u32),
        between: impl Fn(&mut S),
    ) -> Samples {
        assert!(batch >= LEAST_BATCH, "invariant 2: a batch of {batch}");
        let mut samples = Samples::default();
        for _ in 0..repetitions {
            let cycles = self.time(|| timed(state, batch));
            between(state);
            samples.push(cycles, batch);
        }
        samples
    }

    /// Times the `bodies` in turn (A, B, …, A, B, …), `repetitions` batches of `calls`
    /// calls each, so that a disturbance hits all of them alike.
    pub fn run_cycles(self, bodies: &[&dyn Fn(u32)], calls: u32, repetitions: u32) -> Vec<Samples> {
        let mut samples = vec![Samples::default(); bodies.len()];
        for body in bodies {
            body(calls);
        }
        for _ in 0..repetitions {
            for (body, samples) in bodies.iter().zip(&mut samples) {
                let cycles = self.time(|| body(calls));
                samples.push(cycles, calls);
            }
        }
        samples
    }
}

/// Cycles that one run takes: for what takes thousands.
pub fn cycles(work: impl FnOnce()) -> u64 {
    let start = start();
    work();
    stop() - start
}

#[inline(always)]
fn start() -> u64 {
    // SAFETY: both instructions exist on every x86-64 and touch no memory.
    unsafe {
        _mm_lfence();
        let now = _rdtsc();
        _mm_lfence();
        now
    }
}

#[inline(always)]
fn stop() -> u64 {
    let mut processor = 0;
    // SAFETY: `processor` is a valid place for the processor's number; `rdtscp` exists
    // on every x86-64 that has a constant-rate counter.
    unsafe {
        let now = __rdtscp(&raw mut processor);
        _mm_lfence();
        now
    }
}

/// Cycles per call, one sample per batch, in the order measured.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    fn push(&mut self, cycles: u64, calls: u32) {
        self.0.push(cycles as f64 / f64::from(calls));
    }

    /// Adds the samples of another round.
    pub fn extend(&mut self, other: Samples) {
        self.0.extend(other.0);
    }

    /// The fastest batch.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The middle batch.
    #[must_use]
    pub fn median(&self) -> f64 {
        median(&mut self.0.clone())
    }

    /// The median of the ratios of samples taken next to each other.
    #[must_use]
    pub fn ratio_to(&self, other: &Samples) -> f64 {
        let pairs = self.0.iter().zip(&other.0);
        median(&mut pairs.map(|(a, b)| a / b.max(1e-9)).collect::<Vec<_>>())
    }
}

fn median(samples: &mut [f64]) -> f64 {
    if samples.is_empty() {
        return f64::NAN;
    }
    let middle = samples.len() / 2;
    *samples.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_ratio_of_samples() {
        let a = Samples(vec![2.0, 4.0, 30.0]);
        let b = Samples(vec![1.0, 2.0, 15.0]);
        assert_eq!((a.min(), a.median()), (2.0, 4.0));
        assert!((a.ratio_to(&b) - 2.0).abs() < 1e-12);
    }

    #[test]
    fn longer_work_takes_more_cycles() {
        let clock = Clock::calibrate();
        let work = |n: &mut u64, calls: u32| {
            for _ in 0..u64::from(calls) * *n {
                std::hint::black_box(());
                *std::hint::black_box(&mut 0u64) += 1;
            }
        };
        let short = clock.measure(&mut 1, LEAST_BATCH, 101, work, |_| ());
        let long = clock.measure(&mut 100, LEAST_BATCH, 101, work, |_| ());
        assert!(long.median() > short.median());
    }
}
