//! The tests of the other files once more, in each of the other tiers: this binary again, in a process of its own.

use std::process::Command;

#[path = "../support/mod.rs"]
mod support;

use support::TIER;

/// Runs all tests in `tier`, but for those whose names begin with one of `without`.
fn in_tier(tier: &str, without: &[&str]) {
    if std::env::var_os(TIER).is_some() {
        return;
    }
    let mut again = Command::new(std::env::current_exe().expect("a running test has a file"));
    again.env(TIER, tier).args(["--skip", "again::"]);
    for name in without {
        again.args(["--skip", name]);
    }
    let output = again.output().expect("a test can be started again");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{tier}: {}\n{out}\n{err}", output.status);
    let passed = out.split(" passed;").next().and_then(|before| before.rsplit(' ').next()?.parse::<u32>().ok());
    assert!(passed.is_some_and(|passed| passed >= crate::FEWEST), "{tier}: few tests ran:\n{out}\n{err}");
}

/// `mixed` is about several tiers at once.
#[test]
fn linear_scan() {
    in_tier("linear-scan", &["mixed::"]);
}

/// What is about machine code is left out.
#[test]
fn interp() {
    in_tier("interp", &["division::", "host::", "lifetime::", "tick_c_table::", "mixed::"]);
}

#[test]
#[cfg(feature = "cranelift")]
fn cranelift() {
    in_tier("cranelift", &["mixed::"]);
}

/// What is about single functions, each called a few times, would only see the tier that they begin in.
#[test]
fn auto() {
    in_tier("auto", &["division::", "lifetime::", "same_tokens::", "soundness::", "tick_c_table::"]);
}
