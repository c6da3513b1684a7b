//! The command: what it prints, and what it says of wrong arguments and files.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn dpf(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dpf")).args(arguments).output().unwrap()
}

fn data(name: &str) -> String {
    format!("{}/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn temporary(name: &str, content: &[u8]) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, content).unwrap();
    file
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The message of a run that must fail.
fn failure(arguments: &[&str], code: i32) -> String {
    let output = dpf(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stderr)
}

#[test]
fn classify_prints_a_line_a_packet() {
    let output = dpf(&["classify", "--rules", &data("mixed_100.tsv"), &data("mixed_100.pcap")]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), std::fs::read_to_string(data("mixed_100_expected.txt")).unwrap());
    assert!(text(&output.stderr).starts_with("64 packets, "), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("packets per second"));
}

#[test]
fn explain_shows_trie_and_code() {
    let output = dpf(&["explain", "--rules", &data("flows_10.tsv")]);
    let out = text(&output.stdout);
    assert!(output.status.success());
    assert!(out.contains("10 filters by (") && out.contains("u16 at 12 == 0x800") && out.contains("ret"), "{out}");
}

#[test]
fn wrong_arguments_are_usage_errors() {
    assert!(failure(&[], 2).contains("Usage"));
    assert!(failure(&["clasify"], 2).contains("unrecognized subcommand"));
    assert!(failure(&["classify", &data("mixed_100.pcap")], 2).contains("--rules"));
    assert!(failure(&["bench", "--passes", "0"], 2).contains("0"));
    assert!(failure(&["bench", "--data", "no/such/folder"], 1).contains("no/such/folder"));
}

#[test]
fn wrong_files_are_named_with_the_line() {
    let missing = failure(&["classify", "--rules", "no-such.tsv", &data("mixed_100.pcap")], 1);
    assert!(missing.starts_with("error: no-such.tsv: "), "{missing}");
    let rules = temporary("wrong.tsv", b"0\t6\t10.0.0.1\t1\t10.0.0.2\t2\n1\t6\t10.0.0.1\tx\t10.0.0.2\t2\n");
    let wrong = failure(&["explain", "--rules", rules.to_str().unwrap()], 1);
    assert!(wrong.contains("wrong.tsv:2: source port `x`"), "{wrong}");
    let rules = temporary("twice.tsv", b"0\t6\t10.0.0.1\t1\t10.0.0.2\t2\n1\t6\t10.0.0.1\t1\t10.0.0.2\t2\n");
    let twice = failure(&["explain", "--rules", rules.to_str().unwrap()], 1);
    assert!(twice.contains("twice.tsv:2: ") && twice.contains("installed already"), "{twice}");
}

#[test]
fn damaged_captures_are_refused() {
    let rules = data("flows_10.tsv");
    let classify = |file: &Path| failure(&["classify", "--rules", &rules, file.to_str().unwrap()], 1);
    let whole = std::fs::read(data("mixed_100.pcap")).unwrap();
    let cut = classify(&temporary("cut.pcap", &whole[..24 + 76 * 3 + 30]));
    assert!(cut.contains("cut.pcap: cut off, or damaged, behind packet 3"), "{cut}");
    let empty = classify(&temporary("empty.pcap", b""));
    assert!(empty.contains("empty.pcap: not a pcap"), "{empty}");
    let text = classify(&temporary("text.pcap", b"these are no packets at all, only words\n"));
    assert!(text.contains("text.pcap: not a pcap"), "{text}");
    let mut other = whole.clone();
    other[20] = 105;
    let link = classify(&temporary("wifi.pcap", &other));
    assert!(link.contains("link type 105, not Ethernet"), "{link}");
    let bad = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/packets/bad"));
    let Ok(files) = std::fs::read_dir(bad) else {
        return println!("skipped: the shared bad captures are not there");
    };
    for file in files {
        let file = file.unwrap().path();
        let message = classify(&file);
        assert!(message.contains(file.file_name().unwrap().to_str().unwrap()), "{message}");
    }
}

#[test]
fn bench_is_json_of_the_documented_fields() {
    let shared = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/packets/bench"));
    if !shared.is_dir() {
        return println!("skipped: the shared packets are not there");
    }
    let output = dpf(&["bench", "--json", "--passes", "1", "--only", "mixed"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 6);
    for row in rows {
        let mut keys: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["case", "cycles_per_packet", "engine", "hit", "n", "ratio_to_handwritten"]);
    }
}
