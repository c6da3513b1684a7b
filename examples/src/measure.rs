//! Timing a use and a compilation.
//!
//! A measurement is a number of *rounds*; a round repeats the work until it has lasted long enough for the clock's own
//! cost to vanish; the result is the median of the rounds. The median, not the minimum: it is what a user gets, and a
//! round disturbed by another program does not move it.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::clock::{ticks, ticks_per_nanosecond};

/// How much time a measurement may take.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Effort {
    /// Measure only briefly: a check that everything works, with rougher times
    #[arg(long)]
    pub quick: bool,
}

impl Effort {
    fn rounds(self) -> u32 {
        if self.quick { 3 } else { 11 }
    }

    fn round_nanoseconds(self) -> f64 {
        if self.quick { 5e5 } else { 2e7 }
    }
}

/// Compilations timed together, because the counter may step by more than a cycle at a time.
const COMPILE_BATCH: u32 = 32;

/// Fewest rounds of a measurement, however long they last.
const MIN_ROUNDS: u32 = 3;

/// A measurement takes no more than [`MIN_ROUNDS`] once it has lasted as many times as long as it should.
const PATIENCE: f64 = 4.0;

/// One example's measurements. Shows a progress bar on the terminal once they have taken longer than a second.
#[derive(Debug)]
pub struct Bench {
    effort: Effort,
    /// Counts rounds; drawn nowhere at first.
    bar: ProgressBar,
    /// Closing it tells [`Self::shower`] that the bar is not needed any more.
    done: Option<Sender<()>>,
    /// Waits for a second and makes the bar visible. Without it there is no bar.
    shower: Option<JoinHandle<()>>,
}

impl Bench {
    const SHOW_AFTER: Duration = Duration::from_secs(1);
    const REDRAW_EVERY: Duration = Duration::from_millis(200);

    /// Prepares for `measurements` calls of [`Self::per_use`] and [`Self::per_compile`] together.
    #[must_use]
    pub fn new(name: &'static str, effort: Effort, measurements: usize) -> Self {
        let rounds = measurements as u64 * u64::from(effort.rounds());
        let style = ProgressStyle::with_template("{prefix} [{bar:30}] {elapsed} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        let bar = ProgressBar::with_draw_target(Some(rounds), ProgressDrawTarget::hidden())
            .with_style(style)
            .with_prefix(name)
            .with_message("preparing");
        let (done, waiting) = mpsc::channel::<()>();
        let shown = bar.clone();
        let show = move || {
            if waiting.recv_timeout(Self::SHOW_AFTER) == Err(RecvTimeoutError::Timeout) {
                shown.set_draw_target(ProgressDrawTarget::stderr());
                shown.enable_steady_tick(Self::REDRAW_EVERY);
            }
        };
        let shower = thread::Builder::new().spawn(show).ok();
        Self { effort, bar, done: Some(done), shower }
    }

    /// Ticks per use of `work`, one call of which makes `uses` uses.
    ///
    /// `work` has to hand its input and result through [`std::hint::black_box`], or it may be optimised away.
    pub fn per_use(&self, version: &str, uses: usize, mut work: impl FnMut()) -> f64 {
        self.bar.set_message(format!("running: {version}"));
        let target = self.effort.round_nanoseconds() * ticks_per_nanosecond();
        let mut repetitions = 1_u32;
        // The first call warms the caches; then double until a round is long enough.
        work();
        while time(repetitions, &mut work) < target && repetitions < 1 << 30 {
            repetitions *= 2;
        }
        self.median(|| time(repetitions, &mut work) / (f64::from(repetitions) * uses as f64))
    }

    /// Ticks per call of `compile`, from building the quotation to the callable function, in a program that compiles
    /// often: caches and branch predictors are warm. Dropping the functions is not part of it.
    ///
    /// # Errors
    /// The first error of `compile`.
    pub fn per_compile<T, E>(&self, version: &str, mut compile: impl FnMut() -> Result<T, E>) -> Result<f64, E> {
        self.bar.set_message(format!("compiling: {version}"));
        let target = self.effort.round_nanoseconds() * ticks_per_nanosecond();
        let mut kept = Vec::with_capacity(COMPILE_BATCH as usize);
        let mut round = || -> Result<f64, E> {
            let (mut total, mut calls) = (0.0, 0.0);
            while total < target {
                kept.clear();
                let from = ticks();
                for _ in 0..COMPILE_BATCH {
                    kept.push(compile()?);
                }
                total += ticks().saturating_sub(from) as f64;
                calls += f64::from(COMPILE_BATCH);
            }
            Ok(total / calls)
        };
        let mut failure = None;
        let median = self.median(|| {
            if failure.is_some() {
                return 0.0;
            }
            round().unwrap_or_else(|error| {
                failure = Some(error);
                0.0
            })
        });
        failure.map_or(Ok(median), Err)
    }

    fn median(&self, mut round: impl FnMut() -> f64) -> f64 {
        let rounds = self.effort.rounds();
        let patience = self.effort.round_nanoseconds() * f64::from(rounds) * PATIENCE * ticks_per_nanosecond();
        let start = ticks();
        let mut results = Vec::with_capacity(rounds as usize);
        for done in 0..rounds {
            if done < MIN_ROUNDS || (ticks().saturating_sub(start) as f64) < patience {
                results.push(round());
            }
            self.bar.inc(1);
        }
        results.sort_by(f64::total_cmp);
        results[results.len() / 2]
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.done = None;
        if let Some(shower) = self.shower.take() {
            // It cannot have panicked in a way that matters here: without it the bar is just not shown.
            let _ = shower.join();
        }
        self.bar.finish_and_clear();
    }
}

/// Ticks for `repetitions` calls of `work`.
fn time(repetitions: u32, work: &mut impl FnMut()) -> f64 {
    let from = ticks();
    for _ in 0..repetitions {
        work();
    }
    ticks().saturating_sub(from) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_work_takes_longer() {
        let bench = Bench::new("test", Effort { quick: true }, 2);
        let sum = |n: u64| {
            move || {
                let n = std::hint::black_box(n);
                std::hint::black_box((0..n).fold(0, |a, b| std::hint::black_box(a ^ b)));
            }
        };
        assert!(bench.per_use("short", 1, sum(10)) < bench.per_use("long", 1, sum(10_000)));
    }

    #[test]
    fn a_compile_error_is_handed_on() {
        let bench = Bench::new("test", Effort { quick: true }, 1);
        let mut calls = 0;
        let result = bench.per_compile("failing", || {
            calls += 1;
            if calls > 40 { Err("no") } else { Ok(()) }
        });
        assert_eq!(result, Err("no"));
        assert_eq!(calls, 41);
    }

    #[test]
    fn a_compilation_takes_time() {
        let bench = Bench::new("test", Effort { quick: true }, 1);
        let result = bench.per_compile("allocation", || Ok::<_, ()>(vec![0_u8; 4096]));
        assert!(result.is_ok_and(|ticks| ticks > 0.0));
    }
}
