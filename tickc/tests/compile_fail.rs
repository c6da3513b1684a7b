//! What rustc says to wrong quotations: each rule of the language is broken once, and the message points at the user's own
//! token. `TRYBUILD=overwrite cargo test -p tickc --test compile_fail` writes the messages anew.
#![forbid(unsafe_code)]

use std::process::Command;

/// The compiler whose messages are on file: other versions word some of them differently.
const PINNED: &str = "rustc 1.95.";

#[test]
fn messages() {
    check("tests/compile_fail/*.rs");
}

#[test]
#[ignore = "fails: both compile, and use what was freed"]
fn code_may_not_be_dropped_after_what_its_captures_borrow() {
    check("tests/compile_fail_borrows/*.rs");
}

#[test]
fn a_crate_may_forbid_unsafe_and_deny_warnings() {
    trybuild::TestCases::new().pass("tests/compile_pass/*.rs");
}

fn check(files: &str) {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("rustc runs");
    let version = String::from_utf8_lossy(&version.stdout);
    if version.starts_with(PINNED) {
        trybuild::TestCases::new().compile_fail(files);
    } else {
        println!("skipped: the messages on file are those of {PINNED}*, this is {version}");
    }
}
