//! The programs as a user meets them: exit codes, messages, files.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use examples::picture::{Channels, Picture};

const TOUR: &str = env!("CARGO_BIN_EXE_tour");
const POWER: &str = env!("CARGO_BIN_EXE_power");
const DOT: &str = env!("CARGO_BIN_EXE_dot");
const QUERY: &str = env!("CARGO_BIN_EXE_query");
const CONVOLVE: &str = env!("CARGO_BIN_EXE_convolve");
const MARSHAL: &str = env!("CARGO_BIN_EXE_marshal");
const ARGUMENTS: &str = env!("CARGO_BIN_EXE_arguments");

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().expect("cargo has built the program")
}

/// Standard output of a run that succeeds.
fn accepted(program: &str, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    assert_eq!(errors, "", "{arguments:?}");
    String::from_utf8(output.stdout).expect("programs print UTF-8")
}

/// Asserts the exit code and each of some parts of standard error.
fn refused(program: &str, arguments: &[&str], code: i32, parts: &[&str]) {
    let output = run(program, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
    for part in parts {
        assert!(errors.contains(part), "{arguments:?}: {part:?} is missing in\n{errors}");
    }
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name).display().to_string()
}

const TABLE: &str = "id,customer,price,qty,region,day,discount,express,gift
1,10,500,1,0,1,0,0,0
2,11,900,4,2,1,5,1,0
3,12,100,9,2,2,0,0,1
";

fn table(name: &str, text: &str) -> String {
    let path = scratch(name);
    std::fs::write(&path, text).expect("the scratch folder is writable");
    path.display().to_string()
}

/// A small picture, so that large masks do not take long.
fn small_picture(name: &str) -> String {
    let path = scratch(name);
    let samples = (0..16 * 9 * 3).map(|place| (place * 7) as u8).collect();
    let picture = Picture { width: 16, height: 9, channels: Channels::Rgb, samples };
    picture.write(&path).expect("the scratch folder is writable");
    path.display().to_string()
}

#[test]
fn every_program_helps() {
    for program in [TOUR, POWER, DOT, QUERY, CONVOLVE, MARSHAL, ARGUMENTS, env!("CARGO_BIN_EXE_make-orders")] {
        assert!(accepted(program, &["--help"]).contains("Usage:"), "{program}");
    }
}

#[test]
fn the_tour_runs_what_is_asked_for() {
    let text = accepted(TOUR, &["--quick", "--only", "power", "--only", "dot"]);
    assert!(text.contains("power: ") && text.contains("dot: ") && !text.contains("query: "), "{text}");
    refused(TOUR, &["--only", "nothing"], 2, &["'nothing'", "power, dot, query, convolve"]);
    refused(TOUR, &["--where", "price >"], 2, &["--where", "at column 8"]);
}

/// Asserts that the tables of a run have `expected` specialised rows, all with the reference's result.
fn specialised(program: &str, arguments: &[&str], expected: usize) {
    let text = accepted(program, arguments);
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("tickc, one-pass")).collect();
    assert_eq!(rows.len(), expected, "{text}");
    for row in rows {
        let cells: Vec<&str> = row.split_whitespace().collect();
        let ["tickc,", "one-pass", "equal", _time, _unit, _speed_up, "×", numbers @ ..] = &cells[..] else {
            panic!("{text}");
        };
        let [compile, instructions, per_instruction, bytes, repaid] = numbers else { panic!("{text}") };
        for number in [compile, instructions, per_instruction, bytes] {
            assert!(number.replace(',', "").parse::<f64>().is_ok_and(|number| number > 0.0), "{text}");
        }
        assert!(*repaid == "never" || repaid.replace(',', "").parse::<u64>().is_ok(), "{text}");
    }
}

#[test]
fn the_tour_shows_every_specialisation() {
    specialised(TOUR, &["--quick"], 4);
}

#[test]
fn specialised_results_are_checked_for_other_constants() {
    for exponent in ["0", "1", "64", "4294967295"] {
        specialised(POWER, &["--quick", "--exponent", exponent, "--base", "-7"], 1);
    }
    for (len, zeros) in [("1", "0"), ("1", "100"), ("200", "0"), ("10000", "50")] {
        specialised(DOT, &["--quick", "--len", len, "--zeros", zeros], 1);
    }
    specialised(QUERY, &["--quick", "--where", "true", "--where", "customer / qty % 7 == -day + 40 || gift"], 2);
    let output = scratch("specialised.png").display().to_string();
    for mask in [["--mask", "-1 2 -1"], ["--mask", "0"], ["--blur", "3"], ["--blur", "63"]] {
        let input = small_picture("specialised-input.png");
        specialised(CONVOLVE, &[&["--quick", "--input", &input, "--output", &output][..], &mask].concat(), 1);
    }
}

#[test]
fn power_and_dot_take_their_options() {
    assert!(accepted(POWER, &["--quick", "--exponent", "3", "--base", "-3"]).contains("is -27"));
    assert!(accepted(DOT, &["--quick", "--len", "10", "--zeros", "50"]).contains("10 weights, 5 of them zero"));
    refused(POWER, &["--exponent", "-1"], 2, &["-1"]);
    refused(DOT, &["--len", "0"], 2, &["0"]);
    refused(DOT, &["--zeros", "101"], 2, &["101"]);
}

#[test]
fn a_query_selects() {
    let csv = table("good.csv", TABLE);
    let condition = "price > 10 && (qty <= 3 || !(region == 2))";
    let text = accepted(QUERY, &["--quick", "--csv", &csv, "--where", condition, "--where", "gift"]);
    assert!(text.contains("1 of 3 orders where price > 10"), "{text}");
    assert!(text.contains("id=1 customer=10") && text.contains("id=3 customer=12"), "{text}");
}

#[test]
fn a_wrong_query_is_explained() {
    refused(QUERY, &["--where", "price = 3"], 2, &["'==' may be meant", "at column 7", "\n          ^"]);
    refused(QUERY, &["--csv", "/nonexistent.csv"], 1, &["error: cannot open /nonexistent.csv"]);
    refused(QUERY, &["--csv", "/"], 1, &["error: "]);
    let bad = table("bad.csv", &TABLE.replace("900", "x"));
    refused(QUERY, &["--csv", &bad], 1, &["bad.csv:3: column 'price' is 'x'"]);
    let good = table("good2.csv", TABLE);
    let zero = ["--csv", &good, "--where", "price / discount > 1"];
    refused(QUERY, &zero, 1, &["order with id 1: division by zero at column 7"]);
}

#[test]
fn a_picture_is_convolved() {
    let result = scratch("result.png").display().to_string();
    let text = accepted(CONVOLVE, &["--quick", "--input", &data("camera.png"), "--mask", "1", "--output", &result]);
    assert!(text.contains(&result), "{text}");
    let read = |path: &str| Picture::read(Path::new(path)).expect("a picture");
    assert_eq!(read(&result), read(&data("camera.png")));
}

#[test]
fn a_wrong_convolution_is_explained() {
    refused(CONVOLVE, &["--mask", "-1 2 x"], 2, &["'x' is not a whole number", "at column 6"]);
    refused(CONVOLVE, &["--blur", "4"], 2, &["odd"]);
    refused(CONVOLVE, &["--divisor", "0"], 2, &["0"]);
    refused(CONVOLVE, &["--blur", "3", "--mask", "1"], 2, &["cannot be used with"]);
    refused(CONVOLVE, &["--input", &data("orders.csv")], 1, &["orders.csv: not a readable PNG file"]);
    refused(CONVOLVE, &["--input", "/nonexistent.png"], 1, &["cannot open /nonexistent.png"]);
    refused(CONVOLVE, &["--quick", "--output", "/nonexistent/x.png"], 1, &["cannot create /nonexistent/x.png"]);
}

#[test]
fn records_are_packed_and_unpacked() {
    for format in [">b2hi?Qfd3xH", "<40q", "<60d?", "b"] {
        specialised(MARSHAL, &["--quick", "--format", format], 1);
    }
    let bytes = accepted(MARSHAL, &["--format", ">hx2B?f", "-2", "7", "255", "true", "-1.5"]);
    assert_eq!(bytes, "ff fe 00 07 ff 01 bf c0 00 00\n");
    refused(MARSHAL, &["--format", "<hz"], 2, &["not one of the fields", "at column 3", "\n      ^"]);
    refused(MARSHAL, &["--format", "600b"], 2, &["more than 500 fields", "at column 1"]);
    refused(MARSHAL, &["--format", "hh", "1"], 1, &["error: the format hh has 2 fields, but 1 values are given"]);
    refused(MARSHAL, &["--format", "hB", "1", "256"], 1, &["error: value 2 is '256', which is no u8"]);
}

#[test]
fn twelve_arguments_are_passed() {
    assert!(accepted(ARGUMENTS, &[]).contains("sum: 123456299736.5,"));
    let mut values = ["1i8", "1f64", "1u16", "1f32", "1i64", "false", "1u8", "1i32", "1f64", "1u64", "-1i16", "0f32"];
    assert!(accepted(ARGUMENTS, &values).contains("sum: 38,"), "{}", accepted(ARGUMENTS, &values));
    values[2] = "1i32";
    refused(
        ARGUMENTS,
        &values,
        1,
        &["cannot generate code: argument 3, at ", "is of type i32, but the function takes u16"],
    );
    refused(ARGUMENTS, &values[..11], 1, &["wrong number of arguments", ": 11, but the function takes 12"]);
    refused(ARGUMENTS, &["1"], 2, &["with its type"]);
    refused(ARGUMENTS, &["300u8"], 2, &["'300' is no u8"]);
}
