//! What rustc says to wrong quotations: each rule of the language is broken once, and the message points at the user's own
//! token. `TRYBUILD=overwrite cargo test -p tickc-macros --test compile_fail` writes the messages anew.
#![forbid(unsafe_code)]

use std::process::Command;

/// The compiler whose messages are on file: other versions word some of them differently.
const PINNED: &str = "rustc 1.95.";

#[test]
fn messages() {
    check("tests/compile_fail/*.rs");
}

#[test]
fn code_may_not_be_dropped_after_what_its_captures_borrow() {
    check("tests/compile_fail_borrows/*.rs");
}

/// Cases whose messages point at the whole of `tick!( … )`, because that is what is wrong.
const WHOLE: &[&str] = &[
    "defining_another_signature",
    "dropping_unused_code",
    "nested_tick",
    "nothing_quoted",
    "returning_slice",
    "table_index_not_usize",
];

/// Cases in which a message points at the whole of `tick!( … )` for want of a better token.
const NO_BETTER: &[&str] = &[
    "deferred_capture_escapes",
    "lifting_a_var",
    "reference_to_a_plain_struct",
    "slice_of_strings",
    "string_parameter",
];

/// Each message on file points into the user's file, and there at something within the quotation.
#[test]
fn messages_point_at_the_users_own_tokens() {
    let mut seen = 0;
    for entry in std::fs::read_dir("tests/compile_fail").expect("the cases lie beside this file") {
        let path = entry.expect("a readable directory").path();
        if path.extension().is_none_or(|extension| extension != "stderr") {
            continue;
        }
        let messages = std::fs::read_to_string(&path).expect("a readable file");
        let source = std::fs::read_to_string(path.with_extension("rs")).expect("each file of messages has a source");
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        let lines: Vec<&str> = messages.lines().collect();
        for (i, _) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("error")) {
            let place = lines[i + 1..].iter().find_map(|line| line.trim_start().strip_prefix("--> ")).expect("a place");
            let place = place.strip_prefix(&format!("tests/compile_fail/{name}.rs:"));
            let (line, column) = place.and_then(|p| p.split_once(':')).expect("a place in the user's file");
            let (line, column): (usize, usize) = (line.parse().expect("a line"), column.parse().expect("a column"));
            let text: String =
                source.lines().nth(line - 1).expect("the line exists").chars().skip(column - 1).collect();
            let excused = WHOLE.contains(&name.as_str()) || NO_BETTER.contains(&name.as_str());
            assert!(excused || !text.starts_with("tick!("), "{name} points at the whole quotation");
            seen += 1;
        }
    }
    assert!(seen > 150, "{seen}");
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
