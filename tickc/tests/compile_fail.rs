//! What rustc says to wrong quotations: each rule of the language is broken once, and the message points at the user's own
//! token. `TRYBUILD=overwrite cargo test -p tickc --test compile_fail` writes the messages anew.
#![forbid(unsafe_code)]

use std::process::Command;

/// The compiler whose messages are on file: other versions word some of them differently.
const PINNED: &str = "rustc 1.95.";

#[test]
fn messages() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("rustc runs");
    let version = String::from_utf8_lossy(&version.stdout);
    let cases = trybuild::TestCases::new();
    cases.pass("tests/compile_pass/*.rs");
    if version.starts_with(PINNED) {
        cases.compile_fail("tests/compile_fail/*.rs");
    } else {
        println!("skipped: the messages on file are those of {PINNED}*, this is {version}");
    }
}
