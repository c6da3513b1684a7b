//! The command `udf`: what it prints, and what it says to wrong arguments.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Exit code, standard output, standard error.
fn udf(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_udf")).args(arguments).current_dir(dir).output().expect("udf runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

const FUNCTION: &str = "\
.kind owns
.const N = 4
.unit N * 4
.type DATA
.type DIR
loop r1, N, N
    shl r2, r1, 2
    ld4le r3, [r2]
    if r3 != 0
        own r3, 1, DATA
    end
end
arg r4, 0
if r4 == 7
    fail 3
end
own r4, 2, DIR
ld1le r5, [r3]
";

/// A folder with a function and three blocks: one that is fine, one that faults, one that is short.
fn folder() -> TempDir {
    let dir = TempDir::new().expect("a folder");
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).expect("written");
    write("f.udf", FUNCTION.as_bytes());
    write("good", &[[5, 0, 0, 0], [0; 4], [1, 2, 0, 0], [3, 0, 0, 0]].concat());
    write("faults", &[[5, 0, 0, 0], [0; 4], [1, 2, 0, 0], [16, 0, 0, 0]].concat());
    write("short", &[1; 15]);
    dir
}

#[test]
fn run_prints_tuples_and_status_of_each_input() {
    let dir = folder();
    let expected = "own\t5\t1\tDATA\nown\t513\t1\tDATA\nown\t3\t1\tDATA\nown\t9\t2\tDIR\nstatus\tok\n\
                    status\tfault\tload\t13\nstatus\tfault\tshort\t0\n";
    let inputs = ["--input", "good", "--input", "faults", "--input", "short", "--arg", "0=9"];
    for tier in [&[][..], &["--tier", "one-pass"], &["--tier", "OnePass"], &["--tier", "interp"]] {
        let arguments = [&["run", "f.udf"], &inputs[..], tier].concat();
        assert_eq!(udf(dir.path(), &arguments), (0, expected.to_owned(), String::new()));
    }
    let (code, out, _) = udf(dir.path(), &["run", "f.udf", "--input", "good", "--arg", "block=3 + 4"]);
    assert_eq!((code, out.as_str()), (0, "status\tfail\t3\n"));
    let (code, out, _) = udf(dir.path(), &["run", "f.udf", "--input", "good", "--const", "N=1"]);
    assert_eq!((code, out.as_str()), (0, "status\tfault\tload\t13\n"));
    let (code, out, _) = udf(dir.path(), &["run", "f.udf", "--input", "short", "--const", "N=2"]);
    assert_eq!((code, out.lines().last()), (0, Some("status\tfault\tload\t13")));
}

#[test]
fn binaries_do_what_their_texts_do() {
    let dir = folder();
    assert_eq!(udf(dir.path(), &["asm", "f.udf"]), (0, String::new(), String::new()));
    assert_eq!(udf(dir.path(), &["asm", "f.udf", "--strip", "-o", "stripped"]).0, 0);
    let run = |file| udf(dir.path(), &["run", file, "--input", "good"]).1;
    assert_eq!(run("f.udfb"), run("f.udf"));
    assert_eq!(run("stripped"), run("f.udf").replace("DATA", "type0").replace("DIR", "type1"));
    let (code, text, _) = udf(dir.path(), &["dis", "f.udfb"]);
    assert_eq!(code, 0);
    assert!(
        text.starts_with(
            ".kind owns\n.unit 16\n.fuel 1000000\n.type DATA = 0\n.type DIR = 1\nloop r1, 4, 4\n  shl r2, r1, 2\n"
        ),
        "{text}"
    );
    fs::write(dir.path().join("again.udf"), text).expect("written");
    assert_eq!(udf(dir.path(), &["asm", "again.udf", "--strip", "-o", "again"]).0, 0);
    let bytes = |name| fs::read(dir.path().join(name)).expect("read");
    assert_eq!(bytes("again"), bytes("stripped"));
}

#[test]
fn verify_explains() {
    let dir = folder();
    assert_eq!(udf(dir.path(), &["verify", "f.udf"]), (0, "f.udf: accepted\n".to_owned(), String::new()));
    let (code, out, _) = udf(dir.path(), &["verify", "f.udf", "--explain"]);
    let expected = "\
f.udf: accepted
instructions  13
cost          26 of 1000000 fuel in the worst case
tuples        5 at most
loads         1 proved, 1 checked, 0 never come to
  line 8     ld4le r3, [r2]               PROVED         base 0..=12 in steps of 4
  line 18    ld1le r5, [r3]               CHECKED        base anything
loops, the one that costs most first
  line 6     MAX 4                    21 in all, 80 %
";
    assert_eq!((code, out.as_str()), (0, expected));
    fs::write(dir.path().join("bad.udf"), ".unit 4\nld4le r1, [1]").expect("written");
    let expected = "\
bad.udf: rejected[B01]: this load lies outside the unit
 --> line 2, column 1
  |
2 | ld4le r1, [1]
  | ^
  = it reads 4 at [1]; the unit has 4 bytes
  = help: correct the offset, or `.unit`
";
    for command in [&["verify", "bad.udf"][..], &["run", "bad.udf", "--input", "good"]] {
        assert_eq!(udf(dir.path(), command), (1, String::new(), expected.to_owned()));
    }
}

#[test]
fn wrong_files_are_named() {
    let dir = folder();
    fs::write(dir.path().join("typo.udf"), "ad r1, r2, r3").expect("written");
    fs::write(dir.path().join("noise"), [0xff, 0xfe, 0]).expect("written");
    fs::write(dir.path().join("damaged"), b"\x7fUDF").expect("written");
    udf(dir.path(), &["asm", "f.udf"]);
    let cases: [(&[&str], &str); 7] = [
        (&["verify", "missing"], "error: cannot read missing: No such file or directory"),
        (&["run", "f.udf", "--input", "missing"], "error: cannot read missing: No such file or directory"),
        (&["verify", "noise"], "error: noise is neither a binary nor a text in UTF-8"),
        (&["dis", "damaged"], "damaged: rejected[F01]: the file has 4 bytes, a header has 32"),
        (&["asm", "typo.udf"], "typo.udf: error: there is no instruction `ad`"),
        (&["verify", "f.udfb", "--const", "N=1"], "error: f.udfb is a binary: constants are given when"),
        (&["asm", "f.udf", "-o", "no/such/folder"], "error: cannot write no/such/folder: No such file"),
    ];
    for (arguments, message) in cases {
        let (code, out, err) = udf(dir.path(), arguments);
        assert_eq!((code, out.as_str()), (1, ""), "{arguments:?}");
        assert!(err.starts_with(message), "{arguments:?}: {err}");
    }
    let tier = udf(dir.path(), &["run", "f.udf", "--input", "good", "--tier", "cranelift"]);
    if tier.0 != 0 {
        assert_eq!(tier, (1, String::new(), "error: tier Cranelift is not available in this build\n".to_owned()));
    }
}

#[test]
fn a_constant_that_the_text_lacks_is_warned_of() {
    let dir = folder();
    let run = |more: &[&str]| udf(dir.path(), &[&["run", "f.udf", "--input", "good"], more].concat());
    let (code, out, err) = run(&["--const", "NN=1", "--const", "ELSEWHERE=2"]);
    assert_eq!((code, out), (0, run(&[]).1));
    let mut lines: Vec<_> = err.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "warning: f.udf: the text has no constant `ELSEWHERE` to give a value to",
            "warning: f.udf: the text has no constant `NN` to give a value to (did you mean `N`?)"
        ]
    );
}

#[test]
fn wrong_arguments_are_explained() {
    let dir = folder();
    let cases: [(&[&str], &str); 9] = [
        (&[], "Usage: udf <COMMAND>"),
        (&["frob"], "unrecognized subcommand 'frob'"),
        (&["run", "f.udf"], "--input <BLOCK>"),
        (&["run", "f.udf", "--input", "good", "--tier", "quick"], "invalid value 'quick' for '--tier <TIER>'"),
        (
            &["run", "f.udf", "--input", "good", "--arg", "2=1"],
            "there is no argument `2`: they are block (0), unit (1), now, and cred0 to cred7",
        ),
        (&["run", "f.udf", "--input", "good", "--arg", "cred8=1"], "there is no argument `cred8`"),
        (&["run", "f.udf", "--input", "good", "--arg", "0"], "expected a name, `=` and a value"),
        (&["run", "f.udf", "--input", "good", "--arg", "0=-1"], "-1 does not fit 64 bits"),
        (&["verify", "f.udf", "--const", "N=x"], "`x`: `x` is not defined"),
    ];
    for (arguments, message) in cases {
        let (code, out, err) = udf(dir.path(), arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.contains(message), "{arguments:?}: {err}");
    }
    assert_eq!(udf(dir.path(), &["--help"]).0, 0);
}

#[test]
fn the_shipped_functions_verify() {
    let programs = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/programs"));
    for name in ["ind1", "itable", "extent"] {
        for size in [1024, 2048, 4096] {
            let (code, out, err) =
                udf(&programs, &["verify", &format!("{name}.udf"), "--explain", "--const", &format!("BS={size}")]);
            assert_eq!(code, 0, "{err}");
            assert!(out.contains(" 0 checked, 0 never come to"), "{out}");
        }
    }
}

#[test]
fn the_bench_runs() {
    let (code, out, err) = udf(Path::new("."), &["bench", "--quick"]);
    assert_eq!(code, 0, "{err}");
    for row in ["loads proved, one-pass", "loads checked, linear scan"] {
        assert!(out.contains(row), "{out}");
    }
}
