//! The tests of the other files once more, in each of the other tiers: this binary again, in a process of its own.

use std::process::Command;

#[path = "../support/mod.rs"]
mod support;

use support::TIER;

/// Runs all tests in `tier`, but for those whose names begin with `without`, and those of `mixed`, which are about several tiers at once.
fn in_tier(tier: &str, without: Option<&str>) {
    if std::env::var_os(TIER).is_some() {
        return;
    }
    let mut again = Command::new(std::env::current_exe().expect("a running test has a file"));
    again.env(TIER, tier).args(["--skip", "again::", "--skip", "mixed::"]);
    if let Some(name) = without {
        again.args(["--skip", name]);
    }
    let output = again.output().expect("a test can be started again");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{tier}: {}\n{out}\n{err}", output.status);
    let passed = out.split(" passed;").next().and_then(|before| before.rsplit(' ').next()?.parse::<u32>().ok());
    assert!(passed.is_some_and(|passed| passed >= crate::FEWEST), "{tier}: few tests ran:\n{out}\n{err}");
}

#[test]
fn linear_scan() {
    in_tier("linear-scan", None);
}

/// There is no machine code whose memory could be looked at.
#[test]
fn interp() {
    in_tier("interp", Some("lifetime::"));
}

#[test]
#[cfg(feature = "cranelift")]
fn cranelift() {
    in_tier("cranelift", None);
}

/// Most functions are called a few times here, and stay in the tier that they begin in; `tests/auto.rs` sees them get better.
#[test]
fn auto() {
    in_tier("auto", None);
}
