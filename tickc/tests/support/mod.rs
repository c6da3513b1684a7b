//! What several tests need: a process of their own, the size of it, a reproducible source of numbers.
#![allow(dead_code, reason = "each test uses a part")]

use std::process::{Command, Output};

use tickc::{Jit, Tier};

/// The tiers of this build.
pub(crate) const TIERS: &[Tier] = if cfg!(feature = "cranelift") {
    &[Tier::OnePass, Tier::LinearScan, Tier::Interp, Tier::Cranelift]
} else {
    &[Tier::OnePass, Tier::LinearScan, Tier::Interp]
};

/// Set to the tier under test, if it is not the one-pass tier.
pub(crate) const TIER: &str = "TICKC_TEST_TIER";

/// The tier under test.
pub(crate) fn tier() -> Tier {
    if cfg!(miri) {
        return Tier::Interp;
    }
    match std::env::var(TIER).as_deref() {
        Err(_) => Tier::OnePass,
        Ok("linear-scan") => Tier::LinearScan,
        Ok("interp") => Tier::Interp,
        Ok("cranelift") => Tier::Cranelift,
        Ok("auto") => Tier::Auto,
        Ok(other) => panic!("{TIER}={other}: linear-scan, interp, cranelift or auto"),
    }
}

/// The tier that functions of it begin in.
pub(crate) fn first_tier() -> Tier {
    if tier() == Tier::Auto { Tier::OnePass } else { tier() }
}

/// A `Jit` of the tier under test.
pub(crate) fn jit() -> Jit {
    Jit::builder().tier(tier()).build().unwrap()
}

/// Set in a child to what the child is to do.
const ROLE: &str = "TICKC_TEST_ROLE";

/// What this process was started for by [`child`], if it was.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Runs the test named `test` of this binary once more, alone in a process of its own, where [`role`] is `role`.
pub(crate) fn child(test: &str, role: &str) -> Output {
    let exe = std::env::current_exe().expect("a running test has a file");
    // The file of the test may be a module of the binary, as this one is a module of the file.
    let file = module_path!().strip_suffix("support").and_then(|path| path.split_once("::")).expect("a module");
    let test = format!("{}{test}", file.1);
    Command::new(exe)
        .args(["--exact", &test, "--nocapture", "--include-ignored", "--test-threads=1"])
        .env(ROLE, role)
        .output()
        .expect("a test can be started again")
}

/// Runs `test` alone in a process of its own: in there the answer is true, and the test is to go on. Here the answer is
/// false, after the process ended well.
///
/// For what must not see other tests' memory, and for what would take them down if it failed.
pub(crate) fn alone(test: &str) -> bool {
    if role().is_some() {
        return true;
    }
    let output = child(test, "alone");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{test} on its own: {}\n{out}\n{err}", output.status);
    assert!(out.contains("1 passed"), "{test} did not run:\n{out}\n{err}");
    false
}

/// Resident memory of this process in bytes.
pub(crate) fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has statm");
    let pages: usize =
        statm.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("the second number is the resident size");
    pages * 4096
}

/// Runs `f` in a new thread with a stack of `kib` KiB.
pub(crate) fn on_stack<T: Send>(kib: usize, f: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().stack_size(kib * 1024).spawn_scoped(scope, f).expect("a thread starts");
        thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    })
}

/// Keeps panics with this message from being printed; those of failing tests still are.
pub(crate) const QUIET: &str = "expected panic";

/// Installs a panic hook that does not print [`QUIET`] panics.
pub(crate) fn silence_expected_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload_as_str() != Some(QUIET) {
                hook(info);
            }
        }));
    });
}

/// xorshift64*.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.next() >> 33) % n as u64) as usize
    }
}
